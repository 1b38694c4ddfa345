/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_operate.c - `holdfast fence status|on|off|reboot|test`: ask where it hurts, run the
 * fencer, show progress, hand the report to the view.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/fence.h"
#include "cli/options.h"
#include "cli/progress.h"

enum { NAMES_SHOWN = 8, ANSWER_MAX = 300 };

/* Read a line from the terminal; 0 when there is none. */
static int answer_read(char *answer, size_t size)
{
	if (!fgets(answer, (int)size, stdin))
		return 0;
	answer[strcspn(answer, "\r\n")] = '\0';
	return 1;
}

/* Power will be cut for real: have somebody say that it is meant. 0 to go on, else the exit
 * status. */
static int for_real_confirm(const struct fence_run *run)
{
	const struct fence_conf *conf = run->conf;
	char wanted[ANSWER_MAX], answer[ANSWER_MAX];

	if (run->cli->yes)
		return 0;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return cli_usage(run->cli, "--for-real cuts power, and there is no terminal to ask "
					   "on; give --yes if it is meant");
	if (run->targets_count == 1) {
		snprintf(wanted, sizeof wanted, "%s", conf->targets[run->targets[0]].name);
		fprintf(stderr,
			"This cuts the power of %s and turns it on again, once for each level.\n"
			"Type the name of the target to go on: ",
			wanted);
	} else {
		snprintf(wanted, sizeof wanted, "%zu", run->targets_count);
		fprintf(stderr,
			"This cuts the power of %zu targets and turns it on again, once for "
			"each level:",
			run->targets_count);
		for (size_t i = 0; i < run->targets_count && i < NAMES_SHOWN; i++)
			fprintf(stderr, " %s", conf->targets[run->targets[i]].name);
		fprintf(stderr, "%s\nType the number of targets to go on: ",
			run->targets_count > NAMES_SHOWN ? " ..." : "");
	}
	fflush(stderr);
	if (answer_read(answer, sizeof answer) && strcmp(answer, wanted) == 0)
		return 0;
	cli_warn(run->cli, "not confirmed; nothing was done");
	return CLI_EXIT_NOT;
}

static int operate(struct fence_run *run, enum fencer_op op)
{
	struct fencer_report *report = NULL;
	struct progress progress;
	struct err err = { 0 };
	struct fencer_request request = {
		.conf = run->conf,
		.op = op,
		.targets = run->targets,
		.targets_count = run->targets_count,
		.timeout_ms = run->cli->timeout_ms,
		.parallel = run->cli->parallel,
	};
	int shown = progress_init(&progress, run->cli, run->conf, run->targets_count);
	int rc, status;

	if (shown) {
		request.progress = progress_update;
		request.progress_arg = &progress;
	}
	rc = fencer_run(&request, &report, &err);
	if (shown)
		progress_end(&progress);
	if (rc)
		return cli_fail(run->cli, &err);
	if (op == FENCER_TEST || op == FENCER_TEST_REAL)
		status = fence_verdict_show(run, report);
	else
		status = fence_result_show(run, report);
	for (size_t i = 0; i < report->warnings_count; i++)
		cli_warn(run->cli, "warning: %s", report->warnings[i]);
	if (report->history_error)
		cli_warn(run->cli, "%s", report->history_error);
	if (report->cancelled) {
		cli_warn(run->cli, "cancelled");
		status = CLI_EXIT_NOT;
	}
	fencer_report_free(report);
	return status;
}

int fence_operate_run(struct cli *cli)
{
	enum fencer_op op = (enum fencer_op)cli->command->kind;
	struct fence_run run;
	int status;

	if (cli->yes && !cli->for_real)
		return cli_usage(cli, "--yes has no meaning without --for-real");
	if (cli->for_real)
		op = FENCER_TEST_REAL;
	status = fence_run_open(&run, cli);
	if (status)
		return status;
	if (cli->dry_run) {
		status = fence_plan_show(&run, op);
	} else {
		status = op == FENCER_TEST_REAL ? for_real_confirm(&run) : 0;
		if (status == 0)
			status = operate(&run, op);
	}
	status = output_finish(&run.out, cli, status);
	fence_run_close(&run);
	return status;
}
