/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conform.h - the conformance kit: run a fence agent, of any language and any maker, through
 * everything that the fence agent API, Pacemaker and the rules of Holdfast ask of it.
 *
 * Callers: `holdfast agent conform` and the tests.
 * The agent is run as Pacemaker runs it, with its options on stdin, once for each question, never
 * two at a time. Without `for_real` only questions are asked that switch nothing; with it the
 * plug of the options is switched off and on several times, and left as it was found.
 * Ownership: the report belongs to the caller, who frees it with conform_report_clear().
 */
#ifndef HOLDFAST_CONFORM_H
#define HOLDFAST_CONFORM_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "fence-agents/kit/conform_core.h"

struct conform_pair {
	const char *key, *value;
};

struct conform_options {
	const char *path;		  /* absolute */
	const struct conform_pair *pairs; /* options of the device, as on the agent's stdin */
	size_t pairs_count;
	int for_real;
	int64_t timeout_ms; /* for each run of the agent */
	/* Called before each check with its id; may be NULL. */
	void (*progress)(void *arg, const char *id);
	void *progress_arg;
};

struct conform_row {
	const char *id;	      /* static */
	const char *group;    /* static: "metadata", "input" ... */
	const char *required; /* static: what is asked, and who asks it */
	enum conform_level level;
	enum conform_verdict verdict;
	char *happened; /* what was run and what came; "" where there is nothing to tell */
};

struct conform_report {
	char *agent; /* name in the metadata, or of the file */
	int native;  /* made with the SDK */
	struct conform_row *rows;
	size_t rows_count;
	size_t counts[CONFORM_SKIP + 1]; /* by verdict */
	size_t runs;			 /* how often the agent was started */
	/* The plug does not read as it did before; says so. "" when all is well. */
	char left[400];
};

/* Run all checks. Returns 0 whatever the verdicts are; a negative code of base/rc.h when the kit
 * itself could not work. */
int conform_run(const struct conform_options *options, struct conform_report *report,
		struct err *err);
void conform_report_clear(struct conform_report *report);

/* Ids of all checks, in the order of a report; NULL after the last. */
const char *conform_check_id(size_t index);

#endif
