/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_io.h - runs lockd/pr_core for one disk: its commands become SCSI requests, answers events.
 *
 * Callers: lockd_pr_io.c, one for each disk of a `pr` cluster, with one path. The disk is the owner's:
 * requests go out by setup.submit, and every answer whose token has PR_IO_TOKEN_BIT comes back by
 * pr_io_answered(). What was sent and is not known to have ended keeps the path in doubt (S7): a new
 * session is asked for by setup.recover; where there is none, the late answer is waited for.
 *
 * Jobs are done one after the other; each is answered exactly once, never out of the call that asked
 * for it, at the latest a moment after its deadline (also one that waits its turn then: PR_REFUSED, with
 * PR_CAUSE_DEADLINE), unless it was forgotten.
 *
 * Ownership: pr_io_create() allocates, pr_io_free() frees (the memory goes when the loop has turned
 * again); results belong to the caller's callback and are valid inside it.
 */
#ifndef HOLDFAST_PR_IO_H
#define HOLDFAST_PR_IO_H

#include <uv.h>

#include "base/err.h"
#include "host/disk.h"
#include "lockd/pr_core.h"

/* LOCKD_TOKEN_PR */
#define PR_IO_TOKEN_BIT (UINT64_C(1) << 60)

enum { PR_IO_JOBS_MAX = 8 };

struct pr_io;

struct pr_io_setup {
	uv_loop_t *loop;
	uint64_t key;
	int64_t io_timeout_ms; /* of one command */
	/* 0, or an error: then there is no answer to this request. */
	int (*submit)(const struct disk_request *request, void *context, struct err *err);
	/* A new session is wanted: what is submitted from now on goes to it. RC_UNSUPPORTED: there
	 * are none. */
	int (*recover)(void *context, struct err *err);
	/* Notes of the core: NOTE actions only. Nothing of this pr_io may be called from here. */
	void (*noted)(const struct pr_action *note, void *context);
	void *context;
};

struct pr_io_job {
	enum pr_job_kind kind;
	mono_t deadline;
	uint64_t admission; /* JOIN */
	int aptpl;	    /* JOIN */
	uint8_t type;	    /* RESERVE, PREEMPT */
	uint64_t victim;    /* PREEMPT */
	int by_status;
};

/* core: as it is at the end of the job; its keys are those that were read last. */
typedef void pr_io_done(const struct pr_result *result, const struct pr_core *core, void *context);

int pr_io_create(const struct pr_io_setup *setup, struct pr_io **io, struct err *err);

/* The path is there, with a new session; or it is not. It is down at first. */
void pr_io_path(struct pr_io *io, int is_up);

/* A DISK_DONE or DISK_LATE of its tokens. */
void pr_io_answered(struct pr_io *io, const struct disk_answer *answer);

/* Another request of the path was told a unit attention. */
void pr_io_attention(struct pr_io *io, enum pr_attention attention);

/* 0, or RC_BUSY: too many wait. */
int pr_io_job(struct pr_io *io, const struct pr_io_job *job, pr_io_done *done, void *context,
	      struct err *err);

/* Jobs with this context are not answered any more. What one has begun goes on. */
void pr_io_forget(struct pr_io *io, const void *context);

const struct pr_core *pr_io_core(const struct pr_io *io);

/* A claim that rests on who is registered is under way: nobody is to be admitted now. */
void pr_io_set_claiming(struct pr_io *io, int is_claiming);
int pr_io_is_claiming(const struct pr_io *io);

/* Commands sent so far. */
uint64_t pr_io_commands(const struct pr_io *io);

void pr_io_free(struct pr_io *io);

#endif
