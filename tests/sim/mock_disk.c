/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * mock_disk.c - a shared disk in memory; see mock_disk.h.
 */
#include "tests/sim/mock_disk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void mock_disk_init(struct mock_disk *disk, size_t size, uint32_t sector_bytes)
{
	*disk = (struct mock_disk){ .size = size,
				    .sector_bytes = sector_bytes,
				    .snapshot_every_ns = 200000000 };
	disk->bytes = calloc(1, size);
	assert(disk->bytes && size % sector_bytes == 0);
}

void mock_disk_free(struct mock_disk *disk)
{
	for (size_t i = 0; i < disk->snapshots_count; i++)
		free(disk->snapshots[i].bytes);
	free(disk->bytes);
}

size_t mock_disk_place(const struct mock_disk *disk, size_t offset, size_t bytes,
		       const struct mock_fault *fault)
{
	int64_t place = (int64_t)offset + fault->misdirected_bytes;

	if (place < 4096 || place + (int64_t)bytes > (int64_t)disk->size)
		return offset;
	return (size_t)place;
}

/* Keep the state before a write, now and then. */
static void snapshot_take(struct mock_disk *disk, int64_t now_ns)
{
	size_t count = disk->snapshots_count;

	if (count > 0 && now_ns - disk->snapshots[count - 1].at_ns < disk->snapshot_every_ns)
		return;
	if (count == MOCK_SNAPSHOTS) {
		uint8_t *oldest = disk->snapshots[0].bytes;

		memmove(disk->snapshots, disk->snapshots + 1,
			(MOCK_SNAPSHOTS - 1) * sizeof disk->snapshots[0]);
		disk->snapshots[MOCK_SNAPSHOTS - 1].bytes = oldest;
		count--;
	} else {
		disk->snapshots[count].bytes = malloc(disk->size);
		assert(disk->snapshots[count].bytes);
	}
	disk->snapshots[count].at_ns = now_ns;
	memcpy(disk->snapshots[count].bytes, disk->bytes, disk->size);
	disk->snapshots_count = count + 1;
}

void mock_disk_write(struct mock_disk *disk, int64_t now_ns, size_t offset, const void *data,
		     size_t bytes, const struct mock_fault *fault)
{
	size_t place = mock_disk_place(disk, offset, bytes, fault);
	size_t sectors = bytes / disk->sector_bytes, from = 0, count = sectors;

	assert(offset % disk->sector_bytes == 0 && bytes % disk->sector_bytes == 0);
	assert(offset + bytes <= disk->size);
	disk->writes++;
	snapshot_take(disk, now_ns);
	if (fault->torn_sectors >= 0 && (size_t)fault->torn_sectors < sectors) {
		count = (size_t)fault->torn_sectors;
	} else if (fault->torn_sectors < 0 && (size_t)-fault->torn_sectors < sectors) {
		count = (size_t)-fault->torn_sectors;
		from = sectors - count;
	}
	memcpy(disk->bytes + place + from * disk->sector_bytes,
	       (const uint8_t *)data + from * disk->sector_bytes, count * disk->sector_bytes);
}

void mock_disk_read(struct mock_disk *disk, int64_t now_ns, size_t offset, void *data, size_t bytes,
		    const struct mock_fault *fault)
{
	const uint8_t *source = disk->bytes;
	size_t place = mock_disk_place(disk, offset, bytes, fault);

	assert(offset % disk->sector_bytes == 0 && offset + bytes <= disk->size);
	disk->reads++;
	/* The youngest state that is at least so old. */
	if (fault->stale_ms > 0)
		for (size_t i = 0; i < disk->snapshots_count; i++)
			if (disk->snapshots[i].at_ns <= now_ns - fault->stale_ms * 1000000)
				source = disk->snapshots[i].bytes;
	memcpy(data, source + place, bytes);
}
