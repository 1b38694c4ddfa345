/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fencer_keep.h - writing history beside an event loop, by a thread that may never come back.
 *
 * Callers: fencer_io.c. A disk that hangs must delay no deadline, and must not keep the results
 * from whoever waits for them: so the thread is no worker of libuv's, for which the end of the
 * process would wait.
 * Ownership: the struct is the caller's until keeper_close() has been carried out by the loop. A
 * write owns its text; one that is given up at keeper_close() goes on by itself, frees what it
 * holds, or ends with the process.
 */
#ifndef HOLDFAST_FENCER_KEEP_H
#define HOLDFAST_FENCER_KEEP_H

#include <stddef.h>
#include <uv.h>

#include "base/err.h"

struct keeper_job;

struct keeper {
	uv_async_t done;
	struct keeper_job *job; /* at work; NULL: none */
	void (*written)(struct keeper *keeper, const struct err *err);
	void *data; /* the caller's */
};

/* `written` is called from the loop after each write, with err->rc 0 or the reason why not.
 * Returns 0 or a negative errno; then there is nothing to close. */
int keeper_init(struct keeper *keeper, uv_loop_t *loop,
		void (*written)(struct keeper *keeper, const struct err *err), void *data);

/* Append text to the history at `path`; one write at a time. Takes the text over in any case.
 * Returns 0, or RC_INTERNAL with *err filled and no call of `written`. */
int keeper_write(struct keeper *keeper, const char *path, char *text, size_t bytes,
		 struct err *err);

/* No further call of `written`. */
void keeper_close(struct keeper *keeper);

#endif
