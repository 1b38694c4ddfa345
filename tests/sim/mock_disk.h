/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mock_disk.h - a shared disk in memory that does what disks do on bad days.
 *
 * Callers: the simulators. Time is the simulator's. A request is a read or write of whole sectors that
 * takes effect in one moment; what goes wrong with it is said by a struct mock_fault. Which path a
 * request takes, how long it hangs and who hears of its end is the simulator's business.
 */
#ifndef HOLDFAST_TESTS_MOCK_DISK_H
#define HOLDFAST_TESTS_MOCK_DISK_H

#include <stddef.h>
#include <stdint.h>

enum { MOCK_SNAPSHOTS = 16 };

struct mock_fault {
	/* A write that lands in part: so many sectors of it, from its beginning, or (negative)
	 * from its end; MOCK_WHOLE, or 0 for nothing at all. */
	int torn_sectors;
	/* It goes so many bytes beside where it should; a multiple of the sector. */
	int64_t misdirected_bytes;
	/* A read shows the whole disk as it was so long ago (no longer than snapshots reach). */
	int64_t stale_ms;
};

#define MOCK_WHOLE INT32_MAX
#define MOCK_NO_FAULT ((struct mock_fault){ .torn_sectors = MOCK_WHOLE })

struct mock_disk {
	uint8_t *bytes;
	size_t size;
	uint32_t sector_bytes;
	int64_t snapshot_every_ns;
	struct {
		int64_t at_ns; /* it is the state from here on */
		uint8_t *bytes;
	} snapshots[MOCK_SNAPSHOTS];
	size_t snapshots_count;
	uint64_t reads, writes;
};

void mock_disk_init(struct mock_disk *disk, size_t size, uint32_t sector_bytes);
void mock_disk_free(struct mock_disk *disk);

/* Where the request goes after misdirection; always inside the disk and never on its first 4 KiB,
 * unless it was meant for them. */
size_t mock_disk_place(const struct mock_disk *disk, size_t offset, size_t bytes,
		       const struct mock_fault *fault);

void mock_disk_write(struct mock_disk *disk, int64_t now_ns, size_t offset, const void *data,
		     size_t bytes, const struct mock_fault *fault);
void mock_disk_read(struct mock_disk *disk, int64_t now_ns, size_t offset, void *data, size_t bytes,
		    const struct mock_fault *fault);

#endif
