/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_verdict.c - results of `holdfast fence test`: every device of every level, when it last
 * worked for real, and a verdict for a human at three in the morning.
 *
 * A target can be fenced when at least one level can: when every device of it passed. A target
 * whose other levels are broken can be fenced, but the test has not passed.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/fence.h"
#include "cli/fence_proofs.h"

enum {
	WARNED_MAX = 6,
	SENTENCE_MAX = 2048,
	LIST_MAX = 4096,
};

struct verdict {
	struct fence_run *run;
	const struct fencer_report *report;
	struct fence_proofs proofs;
	int history_known; /* else "never" would be a lie */
	int64_t now_s;
	/* "node1 by bmc1, ...": for the warnings at the end. */
	char never[LIST_MAX], old[LIST_MAX];
	size_t never_count, old_count;
};

/* What the test says about one target. */
struct target_verdict {
	unsigned working_level; /* the first that works; 0: none */
	size_t broken;		/* legs that did not pass */
	const struct fencer_leg_report *first_broken;
};

/* Did this device do what the test asked? In a test for real the proven off is what counts for
 * "can be fenced"; a failed `on` is still a failed test. */
static int leg_fences(enum fencer_op op, const struct fencer_leg_report *leg)
{
	return leg->ran && (op == FENCER_TEST_REAL ? leg->off_proven : leg->rc == 0);
}

static int leg_passes(enum fencer_op op, const struct fencer_leg_report *leg)
{
	return leg->ran && leg->rc == 0 && leg_fences(op, leg) &&
	       (op != FENCER_TEST_REAL || leg->on_proven);
}

static struct target_verdict target_judge(const struct verdict *v,
					  const struct fencer_target_report *report)
{
	const struct fence_target *target = &v->run->conf->targets[report->target];
	struct target_verdict result = { 0 };
	int fences[FENCE_LEVEL_MAX + 1], has[FENCE_LEVEL_MAX + 1] = { 0 };

	for (unsigned level = 0; level <= FENCE_LEVEL_MAX; level++)
		fences[level] = 1;
	for (size_t i = 0; i < report->legs_count; i++) {
		const struct fencer_leg_report *leg = &report->legs[i];
		unsigned level = target->legs[leg->leg].level;

		has[level] = 1;
		fences[level] &= leg_fences(v->report->op, leg);
		if (leg_passes(v->report->op, leg))
			continue;
		result.broken++;
		if (!result.first_broken)
			result.first_broken = leg;
	}
	for (unsigned level = FENCE_LEVEL_MAX; level >= 1; level--)
		if (has[level] && fences[level])
			result.working_level = level;
	return result;
}

static int64_t leg_last_success(const struct verdict *v, const struct fencer_target_report *report,
				const struct fencer_leg_report *leg)
{
	return v->history_known ? v->proofs.times_s[report->target][leg->leg] : 0;
}

/* ---- one device ---- */

static struct output_cell leg_result_cell(const struct verdict *v,
					  const struct fence_device *device,
					  const struct fencer_leg_report *leg, char *text,
					  size_t size)
{
	char reason[FENCE_REASON_MAX];

	if (!leg->ran) {
		snprintf(text, size, "NOT TESTED");
		return (struct output_cell){ text, STYLE_BAD };
	}
	fence_reason(leg->rc, fence_leg_message(device, leg), leg->next, reason, sizeof reason);
	if (!leg_passes(v->report->op, leg)) {
		snprintf(text, size, "%s%s",
			 v->report->op != FENCER_TEST_REAL ? "FAILED "
			 : leg->off_proven		   ? "off proven, NOT BACK ON: "
							   : "FAILED, off not proven: ",
			 reason);
		return (struct output_cell){ text, STYLE_BAD };
	}
	if (v->report->op == FENCER_TEST_REAL)
		snprintf(text, size, "ok, off and on proven");
	else
		snprintf(text, size, "ok, power is %s%s", power_word(leg->state),
			 leg->native ? "" : " (status only)");
	return (struct output_cell){ text, STYLE_GOOD };
}

static struct output_cell leg_past_cell(const struct verdict *v, int64_t last_s, char *text,
					size_t size)
{
	char date[32];
	long days;

	if (!v->history_known)
		return (struct output_cell){ "history unreadable", STYLE_WARN };
	if (last_s == 0)
		return (struct output_cell){ "never fenced for real", STYLE_WARN };
	days = fence_proof_age_days(last_s, v->now_s);
	fence_date(last_s, date, sizeof date);
	if (days == 0)
		snprintf(text, size, "last real success %s (today)", date);
	else
		snprintf(text, size, "last real success %s (%ld day%s ago)", date, days,
			 days == 1 ? "" : "s");
	return (struct output_cell){ text, days > (long)v->run->conf->test_age_days ? STYLE_WARN
										    : STYLE_PLAIN };
}

static void list_add(char *list, size_t *count, const char *target, const char *label)
{
	size_t used = strlen(list);

	if (++*count <= WARNED_MAX)
		snprintf(list + used, LIST_MAX - used, "%s%s by %s", used ? ", " : "", target,
			 label);
}

static void leg_warn(struct verdict *v, int64_t last_s, const char *target, const char *label)
{
	if (!v->history_known)
		return;
	if (last_s == 0)
		list_add(v->never, &v->never_count, target, label);
	else if (fence_proof_age_days(last_s, v->now_s) > (long)v->run->conf->test_age_days)
		list_add(v->old, &v->old_count, target, label);
}

static void leg_show(struct verdict *v, const struct fencer_target_report *report, size_t i)
{
	const struct fence_conf *conf = v->run->conf;
	const struct fence_target *target = &conf->targets[report->target];
	const struct fencer_leg_report *leg = &report->legs[i];
	const struct fence_device *device = &conf->devices[target->legs[leg->leg].device];
	const char *address = fence_device_address(device);
	int64_t last_s = leg_last_success(v, report, leg);
	char level[24], label[FENCE_LABEL_MAX], where[FENCE_LABEL_MAX];
	char result[FENCE_REASON_MAX + 64], past[80], both[FENCE_REASON_MAX + 160];
	int passes = leg_passes(v->report->op, leg);
	struct output_cell cells[] = {
		{ i ? "" : target->name, STYLE_PLAIN },
		{ level, STYLE_PLAIN },
		{ label, STYLE_PLAIN },
		{ where, STYLE_FAINT },
		leg_result_cell(v, device, leg, result, sizeof result),
		leg_past_cell(v, last_s, past, sizeof past),
	};

	if (!passes) {
		/* One cell: a long reason must not push the column of all others aside. */
		snprintf(both, sizeof both, "%s  %s", cells[4].text, cells[5].text);
		cells[4].text = both;
	}
	snprintf(level, sizeof level, "level %u", target->legs[leg->leg].level);
	fence_leg_label(conf, &target->legs[leg->leg], label, sizeof label);
	snprintf(where, sizeof where, "(%s%s%s)", device->agent, address[0] ? " " : "", address);
	output_row(&v->run->out, cells, passes ? 6 : 5);
	leg_warn(v, last_s, target->name, label);
}

static json_t *leg_object(const struct verdict *v, const struct fencer_target_report *report,
			  const struct fencer_leg_report *leg)
{
	const struct fence_conf *conf = v->run->conf;
	struct output *out = &v->run->out;
	json_t *object = fence_leg_object(out, conf, &conf->targets[report->target].legs[leg->leg],
					  leg);
	int64_t last_s = leg_last_success(v, report, leg);
	char date[32];
	long days;

	object_put_boolean(out, object, "ok", leg_passes(v->report->op, leg));
	if (last_s == 0) {
		object_put(out, object, "last_success", json_null());
		object_put(out, object, "last_success_days", json_null());
		object_put_boolean(out, object, "overdue", v->history_known);
		return object;
	}
	days = fence_proof_age_days(last_s, v->now_s);
	fence_date_iso(last_s, date, sizeof date);
	object_put_text(out, object, "last_success", date);
	object_put_integer(out, object, "last_success_days", days);
	object_put_boolean(out, object, "overdue", days > (long)conf->test_age_days);
	return object;
}

/* ---- one target ---- */

static void target_sentence(const struct verdict *v, const struct fencer_target_report *report,
			    const struct target_verdict *judged, char *text, size_t size)
{
	const struct fence_conf *conf = v->run->conf;
	const struct fence_target *target = &conf->targets[report->target];
	char label[FENCE_LABEL_MAX], reason[FENCE_REASON_MAX];
	const struct fencer_leg_report *bad = judged->first_broken;
	const char *message;

	if (!bad) {
		snprintf(text, size, "%s can be fenced.", target->name);
		return;
	}
	fence_leg_label(conf, &target->legs[bad->leg], label, sizeof label);
	message = fence_leg_message(&conf->devices[target->legs[bad->leg].device], bad);
	if (!bad->ran)
		snprintf(reason, sizeof reason, "not tested");
	else if (bad->rc == 0)
		snprintf(reason, sizeof reason, "it reports success without proof");
	else
		snprintf(reason, sizeof reason, "%s", message[0] ? message : rc_meaning(bad->rc));
	if (judged->working_level)
		snprintf(text, size,
			 "%s can be fenced by level %u, but level %u is broken: %s: %s.",
			 target->name, judged->working_level, target->legs[bad->leg].level, label,
			 reason);
	else
		snprintf(text, size, "%s CANNOT be fenced: %s: %s.", target->name, label, reason);
}

static void target_object_show(struct verdict *v, const struct fencer_target_report *report,
			       const struct target_verdict *judged)
{
	struct output *out = &v->run->out;
	json_t *object = fence_target_object(out, v->run->conf, v->report->op, report);
	json_t *legs = json_array();
	char sentence[SENTENCE_MAX];

	target_sentence(v, report, judged, sentence, sizeof sentence);
	object_put_boolean(out, object, "ok", judged->broken == 0);
	object_put_boolean(out, object, "can_be_fenced", judged->working_level != 0);
	object_put_text(out, object, "verdict", sentence);
	for (size_t i = 0; i < report->legs_count; i++)
		if (json_array_append_new(legs, leg_object(v, report, &report->legs[i])) != 0)
			out->lost = 1;
	object_put(out, object, "legs", legs);
	output_object(out, object);
}

/* ---- the whole ---- */

/* One target: its sentence. Several: numbers first, then a line for each with a problem. What to
 * do about it stands with its device, above. */
static void verdict_line_show(struct verdict *v, size_t passed, size_t fenceable)
{
	const struct fencer_report *report = v->report;
	size_t count = report->targets_count;
	enum output_style style = passed == count ? STYLE_GOOD : STYLE_BAD;

	if (count > 1)
		output_line(&v->run->out, style, "VERDICT: %zu of %zu targets can be fenced%s",
			    fenceable, count, passed == count ? "." : ":");
	for (size_t i = 0; i < count; i++) {
		struct target_verdict judged = target_judge(v, &report->targets[i]);
		char sentence[SENTENCE_MAX];

		if (count > 1 && !judged.broken)
			continue;
		target_sentence(v, &report->targets[i], &judged, sentence, sizeof sentence);
		output_line(&v->run->out, style, "%s %s",
			    count > 1 ? "        " : "VERDICT:", sentence);
	}
}

static void verdict_warnings_show(struct verdict *v)
{
	struct output *out = &v->run->out;

	if (v->never_count > 0)
		output_line(out, STYLE_WARN,
			    "WARNING: never fenced for real: %s%s; test with --for-real "
			    "while the node is out of use",
			    v->never, v->never_count > WARNED_MAX ? ", ..." : "");
	if (v->old_count > 0)
		output_line(out, STYLE_WARN,
			    "WARNING: last real success more than %u days ago: %s%s; "
			    "test with --for-real while the node is out of use",
			    v->run->conf->test_age_days, v->old,
			    v->old_count > WARNED_MAX ? ", ..." : "");
}

static void verdict_history_load(struct verdict *v)
{
	struct err err = { 0 };

	v->now_s = (int64_t)time(NULL);
	v->history_known = fence_proofs_load(&v->proofs, v->run->conf, &err) == 0;
	if (!v->history_known)
		cli_warn(v->run->cli, "%s%s%s", err.text, err.next[0] ? "; " : "", err.next);
	else if (v->proofs.skipped > 0)
		cli_warn(v->run->cli, "%s: %zu damaged lines were left out",
			 v->run->conf->history_path, v->proofs.skipped);
}

int fence_verdict_show(struct fence_run *run, const struct fencer_report *report)
{
	struct verdict v = { .run = run, .report = report };
	size_t passed = 0, fenceable = 0;

	verdict_history_load(&v);
	output_begin(&run->out, NULL, 0);
	for (size_t i = 0; i < report->targets_count; i++) {
		const struct fencer_target_report *target = &report->targets[i];
		struct target_verdict judged = target_judge(&v, target);

		passed += judged.broken == 0 && target->rc == 0;
		fenceable += judged.working_level != 0;
		for (size_t j = 0; j < target->legs_count; j++)
			leg_show(&v, target, j);
		target_object_show(&v, target, &judged);
	}
	output_end(&run->out);
	verdict_line_show(&v, passed, fenceable);
	verdict_warnings_show(&v);
	fence_proofs_free(&v.proofs);
	return passed == report->targets_count ? CLI_EXIT_OK : CLI_EXIT_NOT;
}
