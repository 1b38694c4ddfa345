/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * disk_backend.h - what a kind of disk must be able to do for host/disk/disk.c.
 *
 * Callers: disk.c alone, on the worker thread of the path; tests, with a fake behind it. A backend
 * works on one job at a time and may block as long as the device does: nobody waits for it but its
 * own path. It touches the buffer of a job only inside exec(), with one exception: after it returned
 * is_outstanding, the data may still be on its way to the medium, but the buffer is done with.
 */
#ifndef HOLDFAST_DISK_BACKEND_H
#define HOLDFAST_DISK_BACKEND_H

#include <stdatomic.h>

#include "host/disk.h"
#include "host/disk/iscsi_url.h"

enum { DISK_NAME_BYTES = 640 };

/* How the loop gets at a worker that waits: fd becomes readable, and is_interrupted says that what
 * is being waited for is no longer wanted. */
struct disk_wake {
	int fd; /* eventfd */
	atomic_int is_interrupted;
};

/* Wait until fd has one of the events, or somebody wakes the worker, or the moment comes. Returns
 * what poll() says about fd; 0 for the other reasons. fd may be -1. */
int disk_wait(const struct disk_wake *wake, int fd, short events, mono_t until);

struct disk_job {
	enum disk_op op;
	mono_t deadline;
	uint64_t sector;
	uint32_t bytes;
	uint8_t *data; /* aligned to a page; bytes long */
	uint8_t cdb[DISK_CDB_BYTES_MAX];
	uint8_t cdb_bytes;
	enum disk_direction direction;
};

/* Begins as: rc 0, submitted_at MONO_NEVER, the rest zero. */
struct disk_result {
	int rc;		     /* with err filled */
	int is_outstanding;  /* the end of it is not known before a reinstatement */
	mono_t submitted_at; /* stamped just before the device gets the first of it */
	uint32_t bytes;	     /* what there is in data, for an operation from the device */
	uint8_t status;
	uint8_t sense[DISK_SENSE_BYTES_MAX];
	uint8_t sense_bytes;
	struct err err;
};

/* Everything a backend is told when it opens; valid for as long as the backend is. */
struct disk_place {
	const char *name; /* as in disk_name() */
	const char *url;  /* with its secret; only until open() returns */
	struct disk_options options;
	char initiator[ISCSI_NAME_BYTES]; /* options.initiator points here; "": of this host */
	struct disk_wake *wake;
};

struct disk_backend_ops {
	/* Get at the disk and fill the facts, before the deadline if that is in its hands. */
	int (*open)(const struct disk_place *place, mono_t deadline, struct disk_facts *facts,
		    void **backend, struct err *err);
	void (*exec)(void *backend, const struct disk_job *job, struct disk_result *result);
	/* Start anew, so that nothing of before can still land. NULL: cannot. */
	int (*reinstate)(void *backend, mono_t deadline, struct err *err);
	/* Nothing to do: wait to be woken. NULL: there is nothing to look after meanwhile. */
	void (*idle)(void *backend);
	void (*close)(void *backend);
};

extern const struct disk_backend_ops disk_file_ops;  /* disk_file.c: files, block devices, sg */
extern const struct disk_backend_ops disk_iscsi_ops; /* disk_iscsi.c */

/* disk_open() with the backend given. */
int disk_open_backend(uv_loop_t *loop, const char *url, const char *name,
		      const struct disk_options *options, const struct disk_backend_ops *ops,
		      disk_handler *handler, void *context, struct disk **disk, struct err *err);

/* Start a result anew. */
void disk_result_init(struct disk_result *result);

/* Record why a job failed; text begins with the name of the disk. Returns rc. */
int disk_result_fail(struct disk_result *result, int rc, const char *next, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
