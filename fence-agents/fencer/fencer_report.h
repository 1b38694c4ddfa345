/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fencer_report.h - what the fencer tells a human, and what it keeps in the history.
 *
 * Callers: fencer_io.c. The core decides and has no words; the agents have words; here they come
 * together. Values of secret options are masked (in place) wherever an agent repeated one.
 */
#ifndef HOLDFAST_FENCER_REPORT_H
#define HOLDFAST_FENCER_REPORT_H

#include "fence-agents/fencer/fencer.h"
#include "fence-agents/fencer/fencer_core.h"

/* The last words of a leg's agent; both NULL when there were none. */
struct fencer_words {
	char *message;
	char *next;
};

/* An empty report with room for every target and leg; NULL when memory ran out. */
struct fencer_report *fencer_report_new(const struct fencer_request *request);

/* Fill in a decided target (its place in the request) and its legs. Returns 0 or RC_INTERNAL. */
int fencer_report_fill(struct fencer_report *report, const struct fencer_request *request,
		       size_t place, const struct fencer_core *core,
		       const struct fencer_words *words);

/* Filled targets as lines of the history; *text is the caller's to free. Returns 0 or RC_INTERNAL. */
int fencer_report_lines(const struct fencer_report *report, const struct fence_conf *conf,
			const size_t *places, size_t count, const char *operator_name, char **text,
			size_t *bytes, struct err *err);

/* Who runs this: the name from the password file, or the number. The caller frees it. */
char *fencer_operator_name(void);

#endif
