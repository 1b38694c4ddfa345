/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * disk_world.h - a disk, its loop, and all it answers, for tests.
 *
 * Callers: tests of host/disk and of what stands on it.
 */
#ifndef HOLDFAST_TESTS_DISK_WORLD_H
#define HOLDFAST_TESTS_DISK_WORLD_H

#include "host/disk/disk_backend.h"

enum { ANSWERS_MAX = 4096, WAIT_MS = 20000, KEPT_BYTES = 8192 };

struct told {
	struct disk_answer answer; /* data and err point to the copies below, or are NULL */
	uint8_t data[KEPT_BYTES];
	struct err err;
};

struct disk_world {
	uv_loop_t loop;
	struct disk *disk;
	struct told *told;
	size_t count;
	/* Called for each answer, after it was noted; may be NULL. */
	void (*react)(struct disk_world *world, const struct disk_answer *answer);
	void *context;
};

void world_init(struct disk_world *world);

/* Close the disk if there is one, run the loop out, check that nothing is left. */
void world_end(struct disk_world *world);

/* Open with ten seconds, and the rest of the options (NULL: none) as they are. */
int world_open(struct disk_world *world, const char *url, const struct disk_options *options,
	       struct err *err);
int world_open_backend(struct disk_world *world, const struct disk_backend_ops *ops);

/* Turn the loop until so many answers are there; fails the test after WAIT_MS. */
void world_await(struct disk_world *world, size_t count);

/* Turn the loop once if there is something to do. */
void world_turn(struct disk_world *world);

/* Answer number i. */
const struct told *world_told(const struct disk_world *world, size_t i);

/* Submit and wait for the next answer, which must be the one to it. */
const struct told *world_do(struct disk_world *world, const struct disk_request *request);
const struct told *world_write(struct disk_world *world, uint64_t sector, const void *data,
			       uint32_t bytes);
const struct told *world_read(struct disk_world *world, uint64_t sector, uint32_t bytes);
const struct told *world_scsi(struct disk_world *world, const uint8_t *cdb, uint8_t cdb_bytes,
			      enum disk_direction direction, void *data, uint32_t bytes);

mono_t in_ms(int64_t ms);

#endif
