/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * meat_store.h - requests to a human and the answers to them, as files of a private directory.
 *
 * Callers: fence_meatware asks, `holdfast fence ack` answers.
 *
 *	ID.request	written by the agent; gone when it no longer waits
 *	ID.answer	written by the operator's command; the first one counts
 *	*.new		being written; never read
 *
 * An answer counts only when the agent *takes* it: it makes the file read-only while the request
 * still stands. The writer keeps the file open and sees that in its mode, even after the agent
 * has removed the name. An agent that ends takes nothing more, so an answer that comes too late
 * is seen to be late.
 *
 * The directory is 0700 and, like every file in it, belongs to root or to the caller; anything
 * else in it (links, pipes, large, torn, foreign or misnamed files) is passed over and never
 * counts. Writing is: new file, fsync, rename without replacing, fsync of the directory.
 * Ownership: meat_store_open() is paired with meat_store_close().
 */
#ifndef HOLDFAST_MEAT_STORE_H
#define HOLDFAST_MEAT_STORE_H

#include <stddef.h>

#include "base/err.h"
#include "fence-agents/meatware/requests/meat_wire.h"

#define MEAT_DIR_DEFAULT "/run/holdfast/meatware"

struct meat_store {
	int fd;
	const char *path; /* the caller's */
	char boot_id[MEAT_BOOT_ID_MAX];
};

/* Open the directory; with `create` make it when it is missing. RC_CONFIG when it, or its
 * owner or mode, is not as it must be; RC_INTERNAL when the machine fails. Without `create`
 * a missing directory is an empty store (*store has fd -1). */
int meat_store_open(struct meat_store *store, const char *path, int create, struct err *err);
void meat_store_close(struct meat_store *store);

/* ---- asking ---- */

/* Fill in id, host, boot, process, caller, both times of asking (`expires` is the caller's), and
 * write the request. On failure nothing of it is left. */
int meat_request_make(struct meat_store *store, struct meat_request *request, struct err *err);

/* Is the request's file still there? */
int meat_request_stands(struct meat_store *store, const struct meat_request *request);

/* Take the answer to exactly this request, if there is one that fits now. */
enum meat_verdict meat_answer_take(struct meat_store *store, const struct meat_request *request,
				   struct meat_answer *answer);

/* No longer wait: remove the request, and its answer when that was taken. */
void meat_request_withdraw(struct meat_store *store, const struct meat_request *request);

/* Remove what earlier agents left behind: requests that nobody waits for, answers without a
 * request, files that were never finished. */
void meat_store_sweep(struct meat_store *store);

/* ---- answering ---- */

struct meat_visitor {
	/* A request, whatever its standing; `answer` is what has been answered to it already, or
	 * NULL. Non-zero stops. */
	int (*request)(void *arg, const struct meat_request *request, enum meat_standing standing,
		       const struct meat_answer *answer);
	/* A file that was passed over and why; the name is clean. Non-zero stops. */
	int (*ignored)(void *arg, const char *name, const char *why);
	void *arg;
};

/* Visit all requests, in no order. RC_INTERNAL when the directory cannot be read. */
int meat_store_visit(struct meat_store *store, const struct meat_visitor *visitor, struct err *err);

/* How the request with this id stands now; fills *request. MEAT_ASKER_GONE when there is none. */
enum meat_standing meat_request_standing(struct meat_store *store, const char *id,
					 struct meat_request *request);

/* Write the answer. *fd is then for meat_answer_taken(), and the caller's to close.
 * RC_STATE when another one was first. */
int meat_answer_write(struct meat_store *store, const struct meat_answer *answer, int *fd,
		      struct err *err);

/* Has the agent taken the answer? */
int meat_answer_taken(int fd);

/* Take back an answer that the agent did not take. */
void meat_answer_remove(struct meat_store *store, const char *id);

#endif
