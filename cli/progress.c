/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * progress.c - the progress line; see progress.h.
 */
#include "cli/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/output.h"

int progress_init(struct progress *progress, const struct cli *cli, const struct fence_conf *conf,
		  size_t targets_count)
{
	memset(progress, 0, sizeof *progress);
	if (targets_count < 2 || !isatty(STDERR_FILENO))
		return 0;
	progress->conf = conf;
	progress->colour = output_colour_wanted(cli, STDERR_FILENO);
	progress->phases = calloc(conf->targets_count, sizeof *progress->phases);
	progress->running = calloc(conf->targets_count, sizeof *progress->running);
	if (progress->phases && progress->running)
		return 1;
	progress_end(progress); /* no memory: then without progress */
	return 0;
}

/* Keep the list of those at work up to date. */
static void progress_note(struct progress *progress, size_t target, const char *phase)
{
	int finished = strcmp(phase, "done") == 0 || strcmp(phase, "failed") == 0;
	int was_running = progress->phases[target][0] != '\0';

	snprintf(progress->phases[target], sizeof progress->phases[target], "%s",
		 finished ? "" : phase);
	if (!was_running && !finished)
		progress->running[progress->running_count++] = target;
	if (!was_running || !finished)
		return;
	for (size_t i = 0; i < progress->running_count; i++) {
		if (progress->running[i] != target)
			continue;
		progress->running_count--;
		memmove(&progress->running[i], &progress->running[i + 1],
			(progress->running_count - i) * sizeof *progress->running);
	}
}

void progress_line(const struct progress *progress, const struct fencer_progress *now, size_t width,
		   char *out, size_t size)
{
	size_t used, room = width < size ? width + 1 : size;

	used = (size_t)snprintf(out, room, "%zu of %zu done, %zu failed, %zu running", now->done,
				now->total, now->failed, now->running);
	for (size_t i = 0; i < progress->running_count && used < room; i++) {
		size_t target = progress->running[i];
		char item[300];
		int length = snprintf(item, sizeof item, "%s%s %s", i ? ", " : ": ",
				      progress->conf->targets[target].name,
				      progress->phases[target]);

		/* Whole items only, and dots where some are left out. */
		if (used + (size_t)length + 5 > room) {
			if (used + 5 <= room)
				snprintf(out + used, room - used, " ...");
			break;
		}
		used += (size_t)snprintf(out + used, room - used, "%s", item);
	}
}

void progress_update(void *arg, const struct fencer_progress *now)
{
	struct progress *progress = arg;
	struct winsize window;
	char line[512];
	size_t width = 79;

	progress_note(progress, now->target, now->phase);
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1)
		width = (size_t)window.ws_col - 1;
	progress_line(progress, now, width, line, sizeof line);
	fprintf(stderr, "\r%s%s%s\033[K",
		progress->colour ? now->failed ? "\033[33m" : "\033[2m" : "", line,
		progress->colour ? "\033[0m" : "");
	fflush(stderr);
	progress->shown = 1;
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	free(progress->phases);
	free(progress->running);
	memset(progress, 0, sizeof *progress);
}
