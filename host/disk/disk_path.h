/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * disk_path.h - what the loop side (disk.c) and the worker thread (disk_worker.c) of a path share.
 *
 * Callers: those two. A path belongs to both and is freed by the one that leaves last, so that a
 * worker that hangs in the kernel keeps its buffers (S7). Every field is guarded by `lock`, except
 * for what is said to be fixed after the start, and for the buffer, job and result of a slot, which
 * belong to the worker while it is SLOT_RUNNING and else to the loop.
 *
 *	        submit           worker takes it      end is known
 *	FREE ----------> QUEUED ----------> RUNNING ----------> ENDED ---> FREE
 *	                   |                   |                  ^  the loop has told
 *	                   | deadline          | session broke    |
 *	                   +---> FREE          +----> LIMBO ------+
 *	                                               reinstated
 */
#ifndef HOLDFAST_DISK_PATH_H
#define HOLDFAST_DISK_PATH_H

#include <pthread.h>

#include "host/disk/disk_backend.h"

enum {
	/* Beside those without an answer: one that timed out and is still with the device, and the one
	 * before it, whose late end the loop has not told yet. */
	PATH_SLOTS = DISK_QUEUE_MAX + 2,
};

enum slot_state { SLOT_FREE, SLOT_QUEUED, SLOT_RUNNING, SLOT_LIMBO, SLOT_ENDED, SLOT_TELLING };

struct slot {
	enum slot_state state;
	int is_answered; /* DISK_DONE was told */
	uint64_t order;	 /* of submission */
	uint64_t token;
	mono_t taken_at; /* when it became RUNNING; not later than result.submitted_at */
	struct disk_job job;
	size_t capacity; /* of job.data; kept for the next request */
	struct disk_result result;
	mono_t ended_at;
};

struct path {
	/* Fixed after the start. */
	const struct disk_backend_ops *ops;
	struct disk_place place;
	char name[DISK_NAME_BYTES];
	char *url; /* until it is open */
	int64_t open_timeout_ms;
	struct disk_wake wake;
	int opened_fd; /* eventfd: open_rc is valid */

	pthread_mutex_t lock;
	int references;	   /* the loop's, the worker's */
	uv_async_t *async; /* NULL: the loop is no longer interested */
	int is_open_over, open_rc;
	struct disk_facts facts;
	struct err open_err;
	int is_closing; /* the worker is to end */
	int is_reinstate_wanted, is_reinstating;
	int is_worker_over;
	uint64_t next_order;
	struct slot slots[PATH_SLOTS];
};

/* The slot of lowest order in this state; NULL when there is none. */
struct slot *path_first(struct path *path, enum slot_state state);

/* Let one of the two go. The lock is not held. */
void path_release(struct path *path);

/* Start the worker, which opens the disk first. 0 or an errno. */
int path_start_worker(struct path *path);

/* Wake the worker, wherever it waits. */
void path_wake(struct path *path);

#endif
