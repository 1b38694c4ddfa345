/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * child.h - run a program: feed its stdin, capture what it prints, end it when time is up.
 *
 * Callers: the fencer and the agent catalog.
 * What a child gets: its own session and process group, default signal handling, PATH, LANG=C
 * and HOLDFAST_* of the environment, `/` as its folder, pipes on 0, 1 and 2, and no other
 * descriptor. What it leaves: when the program itself has ended, the rest of its process group is
 * killed, and a stray that still holds its pipes is not waited for.
 * Ownership: the host owns every child; a child is gone after its `done` call. The result
 * and its texts live during that call only.
 */
#ifndef HOLDFAST_CHILD_H
#define HOLDFAST_CHILD_H

#include <signal.h>
#include <stddef.h>
#include <uv.h>

#include "base/err.h"
#include "base/mono.h"

/* How long a child that was asked to end may take before it is killed. */
enum { CHILD_GRACE_MS = 500 };

struct child; /* one running program */

struct child_host {
	uv_loop_t *loop;
	char **env;
	size_t running;
	struct sigaction old_sigpipe;
};

struct child_spec {
	const char *path;	 /* absolute */
	const char *const *args; /* after argv[0], NULL-terminated; NULL for none */
	const char *input;	 /* copied, and the copy is wiped; NULL for none */
	size_t input_bytes;
	size_t output_max; /* kept of stdout and of stderr, each */
	mono_t deadline;   /* the group is asked to end then, killed CHILD_GRACE_MS later;
				      MONO_NEVER when the caller sees to it */
	/* Called when the program itself has ended, before the rest of its group is killed; or NULL. */
	void (*ended)(void *arg, pid_t group);
};

struct child_result {
	int exit_status; /* 0..255; -1 when a signal ended it */
	int term_signal; /* 0 when it exited by itself */
	int timed_out;	 /* its deadline came */
	const char *out; /* NUL-terminated; may hold other NULs */
	size_t out_bytes;
	size_t out_dropped; /* printed beyond output_max and thrown away */
	const char *err;
	size_t err_bytes;
	size_t err_dropped;
	mono_t started, ended;
};

typedef void (*child_done)(void *arg, const struct child_result *result);

/* Marks every descriptor above 2 that this process has as not for children, and ignores
 * SIGPIPE until child_host_end(), which asserts that no child is left. */
int child_host_init(struct child_host *host, uv_loop_t *loop, struct err *err);
void child_host_end(struct child_host *host);

/* Start a program; NULL and *err when it cannot be started (then `done` is not called). `done` is
 * always called from the loop, never from within child_start(). */
struct child *child_start(struct child_host *host, const struct child_spec *spec, child_done done,
			  void *arg, struct err *err);

/* Signal the whole process group: SIGTERM, or with hard SIGKILL. */
void child_kill(struct child *child, int hard);

#endif
