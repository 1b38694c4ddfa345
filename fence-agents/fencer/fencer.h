/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fencer.h - run one fence operation on many targets: levels, fan-out, deadlines, proof.
 *
 * Callers: the command line now, clusterd later. The decisions are made by fencer_core (pure,
 * same folder); this is its shell: it runs agents as children, feeds their results back, writes
 * history and reports.
 *
 * What counts as proof (rule S1). Every agent is asked for `json=1`. One that answers with the
 * object of docs/agent-result.md reports its own read-back. Any other fence agent API program
 * is not believed on its exit status alone: after `off` or `on` its `status` must agree, and
 * where plugs are named, its list must contain them (an agent that cannot list is believed only
 * where the device's section says FENCE_UNLISTED yes).
 *
 * Ownership: the report belongs to the caller, fencer_report_free().
 */
#ifndef HOLDFAST_FENCER_H
#define HOLDFAST_FENCER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/power.h"
#include "fence-agents/fencer/fence_conf.h"
#include "fence-agents/fencer/fencer_core.h" /* enum fencer_op */

enum { FENCER_HISTORY_MS = 2000 }; /* results wait that long for the history, and no longer */

/* What became of one leg (device with its plugs, in a level, for a target). */
struct fencer_leg_report {
	size_t leg; /* index into the target's legs */
	int ran;    /* 0: never needed */
	int rc;	    /* enum rc */
	enum power_state state;
	enum power_proof proof;
	int off_proven;
	int on_proven;
	int native;	   /* answered with an agent-result object */
	int stopped;	   /* RC_CANCELLED because we ended it, not because its agent said so */
	unsigned attempts; /* agent runs, retries and verification included */
	int64_t elapsed_ms;
	char *message; /* "" when all is well; never a secret */
	char *next;
};

struct fencer_target_report {
	size_t target; /* index into conf->targets */
	int rc;	       /* 0: the operation is proven (for status: the state was read) */
	enum power_state state;
	enum power_proof proof;
	int off_proven;
	int on_proven;
	unsigned level; /* the level that decided; 0 when none did */
	int64_t elapsed_ms;
	char *message; /* one sentence for the whole target; "" when all is well */
	char *next;
	struct fencer_leg_report *legs; /* one for each leg of the target, same order */
	size_t legs_count;
};

struct fencer_report {
	enum fencer_op op;
	int cancelled;
	struct fencer_target_report *targets; /* in the order of the request */
	size_t targets_count;
	char *history_error; /* NULL, or a sentence: why the history was not, or is not yet, written */
	char **warnings;     /* of a test: options that an agent does not have, one sentence each */
	size_t warnings_count;
};

/* One line of progress; strings live during the call only. */
struct fencer_progress {
	size_t target;	   /* index into conf->targets */
	const char *phase; /* "off level 1", "verify", "on level 1", "done", "failed" ... */
	size_t done, failed, running, total; /* targets */
};

struct fencer_request {
	const struct fence_conf *conf;
	enum fencer_op op;
	const size_t *targets; /* indices into conf->targets, no duplicates */
	size_t targets_count;
	int64_t timeout_ms; /* for each target, counted from the start of the request; 0: conf's */
	unsigned parallel;  /* agents at work in total; 0: conf's */
	void (*progress)(void *arg, const struct fencer_progress *progress); /* may be NULL */
	void *progress_arg;
};

/* Run it; returns when every target is decided, no child is left and history is written, or
 * FENCER_HISTORY_MS after that without the history.
 * SIGINT, SIGTERM, SIGQUIT and SIGHUP (unless it is ignored) cancel: children are ended by process group and the open targets reported
 * as RC_CANCELLED, state unknown. Returns 0 when the run took place, whatever its results; else
 * the reason why nothing was started (an agent that does not exist: RC_CONFIG). */
int fencer_run(const struct fencer_request *request, struct fencer_report **report,
	       struct err *err);
void fencer_report_free(struct fencer_report *report);

/* "status", "on", "off", "reboot", "test", "test-for-real". Static text. */
const char *fencer_op_word(enum fencer_op op);

#endif
