/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_result.c - results of status, on, off and reboot; see fence.h.
 */
#include <string.h>

#include "cli/fence.h"

/* What to write in the second column. */
static struct output_cell result_cell(enum fencer_op op, const struct fencer_target_report *report,
				      int proven, char *text, size_t size)
{
	char reason[FENCE_REASON_MAX];

	if (report->rc)
		fence_reason(report->rc, report->message, report->next, reason, sizeof reason);
	else
		snprintf(reason, sizeof reason, "not proven, power is %s",
			 power_word(report->state));
	if (op == FENCER_STATUS && proven) {
		snprintf(text, size, "%s", power_word(report->state));
		return (struct output_cell){ text,
					     report->state == POWER_ON ? STYLE_GOOD : STYLE_WARN };
	}
	if (proven) {
		snprintf(text, size, "%s",
			 op == FENCER_OFF  ? "off, proven"
			 : op == FENCER_ON ? "on, proven"
					   : "rebooted, off and on proven");
		return (struct output_cell){ text, STYLE_GOOD };
	}
	if (op == FENCER_REBOOT && report->off_proven) {
		/* The node is fenced, whatever became of the `on`. */
		snprintf(text, size, "FENCED (off proven), but not back on: %s", reason);
		return (struct output_cell){ text, STYLE_WARN };
	}
	if (report->rc == 0)
		snprintf(text, size, "FAILED: %s", reason);
	else if (op == FENCER_STATUS)
		snprintf(text, size, "unknown, %s", reason);
	else
		snprintf(text, size, "FAILED %s (power is %s)", reason, power_word(report->state));
	return (struct output_cell){ text, STYLE_BAD };
}

/* Devices that failed on the way, unless the target's own line has said the same. */
static void result_legs_show(struct fence_run *run, const struct fencer_target_report *report)
{
	const struct fence_target *target = &run->conf->targets[report->target];

	for (size_t i = 0; i < report->legs_count; i++) {
		const struct fencer_leg_report *leg = &report->legs[i];
		char label[FENCE_LABEL_MAX], reason[FENCE_REASON_MAX];

		if (!leg->ran || leg->rc == 0)
			continue;
		if (report->legs_count == 1 && report->message && leg->message &&
		    strcmp(report->message, leg->message) == 0)
			continue;
		fence_leg_label(run->conf, &target->legs[leg->leg], label, sizeof label);
		fence_reason(
			leg->rc,
			fence_leg_message(&run->conf->devices[target->legs[leg->leg].device], leg),
			leg->next, reason, sizeof reason);
		output_line(&run->out, STYLE_WARN, "    level %u %s: %s",
			    target->legs[leg->leg].level, label, reason);
	}
}

static void result_object_show(struct fence_run *run, enum fencer_op op,
			       const struct fencer_target_report *report)
{
	const struct fence_target *target = &run->conf->targets[report->target];
	json_t *object = fence_target_object(&run->out, run->conf, op, report);
	json_t *legs = json_array();

	for (size_t i = 0; i < report->legs_count; i++)
		if (json_array_append_new(legs, fence_leg_object(&run->out, run->conf,
								 &target->legs[report->legs[i].leg],
								 &report->legs[i])) != 0)
			run->out.lost = 1;
	object_put(&run->out, object, "legs", legs);
	output_object(&run->out, object);
}

static void result_target_show(struct fence_run *run, enum fencer_op op,
			       const struct fencer_target_report *report, int proven)
{
	char text[FENCE_REASON_MAX + 64], level[FENCE_LABEL_MAX + 32], elapsed[32];
	const struct output_cell cells[] = {
		{ run->conf->targets[report->target].name, STYLE_PLAIN },
		result_cell(op, report, proven, text, sizeof text),
		{ level, STYLE_PLAIN },
		{ elapsed, STYLE_FAINT },
	};

	fence_level_label(run->conf, report, level, sizeof level);
	fence_elapsed(report->elapsed_ms, elapsed, sizeof elapsed);
	/* A long reason would push the columns of all the others aside. */
	output_row(&run->out, cells, proven ? 4 : 2);
	result_legs_show(run, report);
	result_object_show(run, op, report);
}

int fence_result_show(struct fence_run *run, const struct fencer_report *report)
{
	size_t failed = 0;

	output_begin(&run->out, NULL, 0);
	for (size_t i = 0; i < report->targets_count; i++) {
		int proven = fence_is_proven(report->op, &report->targets[i]);

		failed += !proven;
		result_target_show(run, report->op, &report->targets[i], proven);
	}
	output_end(&run->out);
	if (report->targets_count > 1)
		output_line(&run->out, failed ? STYLE_BAD : STYLE_GOOD, "%zu of %zu %s",
			    report->targets_count - failed, report->targets_count,
			    report->op == FENCER_STATUS ? "read" : "proven");
	if (failed)
		return CLI_EXIT_NOT;
	if (report->op == FENCER_STATUS && report->targets_count == 1)
		return report->targets[0].state == POWER_ON    ? CLI_EXIT_OK
		       : report->targets[0].state == POWER_OFF ? CLI_EXIT_OFF
							       : CLI_EXIT_NOT;
	return CLI_EXIT_OK;
}
