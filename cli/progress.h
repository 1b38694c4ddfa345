/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * progress.h - one line on the terminal that says how far many targets have come.
 *
 * Callers: `holdfast fence` while fencer_run() works on several targets. The line is rewritten in
 * place: how many are done, have failed, are at work, and which have been at work for longest.
 * Ownership: progress_init() makes it, progress_end() clears the line and frees it.
 */
#ifndef HOLDFAST_CLI_PROGRESS_H
#define HOLDFAST_CLI_PROGRESS_H

#include "cli/command.h"
#include "fence-agents/fencer/fencer.h"

struct progress {
	const struct fence_conf *conf;
	int colour;
	int shown; /* something stands on the line */
	/* By index into conf->targets: what a target does; "" when it waits or is finished. */
	char (*phases)[32];
	/* Targets at work, longest first. */
	size_t *running;
	size_t running_count;
};

/* 1 when progress can and should be shown: stderr is a terminal, and there are several targets. */
int progress_init(struct progress *progress, const struct cli *cli, const struct fence_conf *conf,
		  size_t targets_count);

/* The callback for struct fencer_request; arg is the struct progress. */
void progress_update(void *arg, const struct fencer_progress *now);

void progress_end(struct progress *progress);

/* The text of the line, at most `width` characters; for progress_update() and tests. */
void progress_line(const struct progress *progress, const struct fencer_progress *now, size_t width,
		   char *out, size_t size);

#endif
