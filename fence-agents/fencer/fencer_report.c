/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fencer_report.c - words for results; see fencer_report.h.
 */
#include "fence-agents/fencer/fencer_report.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fence-agents/fencer/agent_reply.h"
#include "fence-agents/fencer/fence_history.h"

const char *fencer_op_word(enum fencer_op op)
{
	static const char *const words[] = {
		[FENCER_STATUS] = "status", [FENCER_ON] = "on",
		[FENCER_OFF] = "off",	    [FENCER_REBOOT] = "reboot",
		[FENCER_TEST] = "test",	    [FENCER_TEST_REAL] = "test-for-real",
	};

	return words[op];
}

/* ---- memory ---- */

struct fencer_report *fencer_report_new(const struct fencer_request *request)
{
	struct fencer_report *report = calloc(1, sizeof *report);

	if (!report)
		return NULL;
	report->op = request->op;
	report->targets = calloc(request->targets_count, sizeof *report->targets);
	if (!report->targets) {
		free(report);
		return NULL;
	}
	report->targets_count = request->targets_count;
	for (size_t i = 0; i < request->targets_count; i++) {
		struct fencer_target_report *target = &report->targets[i];

		target->target = request->targets[i];
		target->legs_count = request->conf->targets[target->target].legs_count;
		target->legs = calloc(target->legs_count, sizeof *target->legs);
		if (!target->legs) {
			target->legs_count = 0;
			fencer_report_free(report);
			return NULL;
		}
	}
	return report;
}

void fencer_report_free(struct fencer_report *report)
{
	if (!report)
		return;
	for (size_t i = 0; i < report->targets_count; i++) {
		struct fencer_target_report *target = &report->targets[i];

		for (size_t j = 0; j < target->legs_count; j++) {
			free(target->legs[j].message);
			free(target->legs[j].next);
		}
		free(target->legs);
		free(target->message);
		free(target->next);
	}
	free(report->targets);
	free(report->history_error);
	for (size_t i = 0; i < report->warnings_count; i++)
		free(report->warnings[i]);
	free(report->warnings);
	free(report);
}

/* ---- secrets ---- */

static void mask(char *text, const char *secret)
{
	size_t length = strlen(secret);

	for (char *at = length ? strstr(text, secret) : NULL; at; at = strstr(at + length, secret))
		memset(at, '*', length);
}

/* Only what an agent said: our own words hold no secret, and may hold the same letters. */
static void words_mask(const struct fence_device *device, const struct fencer_words *words)
{
	for (size_t i = 0; i < device->options_count; i++) {
		if (!fence_kv_is_secret(device->options[i].key))
			continue;
		if (words->message)
			mask(words->message, device->options[i].value);
		if (words->next)
			mask(words->next, device->options[i].value);
	}
}

/* ---- one leg ---- */

static const char *stopper_name(const struct fence_conf *conf, const struct fence_target *target,
				size_t leg, const struct fencer_core *core, size_t place)
{
	for (size_t i = 0; i < target->legs_count; i++) {
		struct fencer_core_leg_result other = fencer_core_leg_result(core, place, i);

		if (target->legs[i].level == target->legs[leg].level && other.rc != 0 &&
		    other.why != FENCER_WHY_STOPPED)
			return conf->devices[target->legs[i].device].name;
	}
	return "another device";
}

/* The sentence without the device's name, and the advice. */
static void leg_sentence(FILE *out, const char **next, const struct fencer_core_leg_result *r,
			 const struct fencer_words *words, const char *stopper,
			 const struct fence_leg *leg)
{
	const char *verb = fencer_verb_word(r->verb);

	*next = "";
	switch (r->why) {
	case FENCER_WHY_NONE:
		return;
	case FENCER_WHY_AGENT:
		fprintf(out, "%s: %s", verb,
			words->message && words->message[0] ? words->message : rc_meaning(r->rc));
		*next = words->next && words->next[0]
				? words->next
				: "run its agent by hand with the options of FENCE_OPTION";
		return;
	case FENCER_WHY_LATE:
		fprintf(out,
			"%s: its agent had not ended when its time was up, and was ended; what "
			"the device did is unknown",
			verb);
		*next = "see whether the device answers, or raise FENCE_TIMEOUT";
		return;
	case FENCER_WHY_QUEUE:
		fputs("its time was up before its turn came", out);
		*next = "raise FENCE_PARALLEL or FENCE_TIMEOUT";
		return;
	case FENCER_WHY_UNPROVEN:
		fprintf(out, "%s: its agent reports success, but what it read back is %s (%s)",
			verb, power_word(r->state), proof_word(r->proof));
		*next = "do not rely on this device";
		return;
	case FENCER_WHY_DISAGREES:
		fprintf(out, "its agent reports success, but its status reads %s",
			power_word(r->state));
		*next = "look at the machine: the device may be slow, or does not switch it";
		return;
	case FENCER_WHY_UNLISTED:
		fprintf(out, "its agent cannot list plugs, so it is not known that plug %s exists",
			leg->plugs ? leg->plugs : "");
		*next = "set FENCE_UNLISTED yes in the device's section to trust it";
		return;
	case FENCER_WHY_CONFIRM:
		fprintf(out,
			"it was proven off, but reads %s when all devices of level %u are read "
			"together",
			power_word(r->state), leg->level);
		*next = "find out who switches it on";
		return;
	case FENCER_WHY_STOPPED:
		fprintf(out, "stopped, because level %u was lost with %s", leg->level, stopper);
		return;
	case FENCER_WHY_CANCELLED:
		fputs("stopped by the operator; what the device did is unknown", out);
		*next = "run it again, or look at the machine";
		return;
	}
}

static int leg_fill(struct fencer_leg_report *leg, const struct fencer_request *request,
		    size_t place, const struct fencer_core *core, const struct fencer_words *words)
{
	const struct fence_conf *conf = request->conf;
	const struct fence_target *target = &conf->targets[request->targets[place]];
	const struct fence_device *device = &conf->devices[target->legs[leg->leg].device];
	struct fencer_core_leg_result r = fencer_core_leg_result(core, place, leg->leg);
	const char *next = "";
	size_t bytes = 0;
	FILE *out;

	leg->ran = r.used;
	leg->rc = r.rc;
	leg->state = r.state;
	leg->proof = r.proof;
	leg->off_proven = r.off_proven;
	leg->on_proven = r.on_proven;
	leg->native = r.native;
	leg->stopped = r.why == FENCER_WHY_STOPPED || r.why == FENCER_WHY_CANCELLED;
	leg->attempts = r.attempts;
	leg->elapsed_ms = r.elapsed_ms;
	words_mask(device, words);
	out = open_memstream(&leg->message, &bytes);
	if (!out)
		return RC_INTERNAL;
	if (r.rc != 0) {
		fprintf(out, "%s: ", device->name);
		leg_sentence(out, &next, &r, words,
			     stopper_name(conf, target, leg->leg, core, place),
			     &target->legs[leg->leg]);
	}
	if (fclose(out) != 0)
		return RC_INTERNAL;
	leg->next = strdup(next);
	if (!leg->next)
		return RC_INTERNAL;
	return 0;
}

/* ---- one target ---- */

static int leg_tells(const struct fencer_leg_report *leg)
{
	return leg->ran && leg->rc != 0 && !leg->stopped;
}

/* Every level's causes, in order. */
static void causes_print(FILE *out, const struct fencer_target_report *target,
			 const struct fence_target *conf)
{
	unsigned level = 0;

	for (size_t i = 0; i < target->legs_count; i++) {
		if (!leg_tells(&target->legs[i]))
			continue;
		if (level != 0)
			fputs("; ", out);
		if (conf->legs[i].level != level && conf->legs[target->legs_count - 1].level > 1)
			fprintf(out, "level %u: ", conf->legs[i].level);
		level = conf->legs[i].level;
		fputs(target->legs[i].message, out);
	}
	if (level == 0)
		fputs("there was no time left", out);
}

/* Devices that this operation switched off and that are off still, though the target as a whole is
 * not proven off. */
static void dark_print(FILE *out, const struct fencer_target_report *target,
		       const struct fence_target *conf, const struct fence_conf *all,
		       enum fencer_op op)
{
	const char *lead = op == FENCER_TEST_REAL ? "; LEFT OFF: " : "; stays off: ";

	if (op != FENCER_OFF && op != FENCER_REBOOT && op != FENCER_TEST_REAL)
		return;
	if (op == FENCER_REBOOT && target->off_proven)
		return;
	for (size_t i = 0; i < target->legs_count; i++) {
		const struct fencer_leg_report *leg = &target->legs[i];

		if (!leg->ran || !leg->off_proven || leg->state != POWER_OFF)
			continue;
		fprintf(out, "%s%s", lead, all->devices[conf->legs[i].device].name);
		lead = ", ";
	}
	/* Off may have reached the machine without proof. */
	lead = "; POWER NOT RESTORED FOR CERTAIN: ";
	for (size_t i = 0; op == FENCER_TEST_REAL && i < target->legs_count; i++) {
		const struct fencer_leg_report *leg = &target->legs[i];

		if (!leg->ran || leg->attempts == 0 || leg->state == POWER_OFF ||
		    leg->state == POWER_ON)
			continue;
		fprintf(out, "%s%s", lead, all->devices[conf->legs[i].device].name);
		lead = ", ";
	}
}

static int target_words(struct fencer_target_report *target, const struct fencer_request *request,
			size_t failed_leg)
{
	const struct fence_target *conf = &request->conf->targets[target->target];
	const char *next = failed_leg < target->legs_count ? target->legs[failed_leg].next : "";
	size_t bytes = 0;
	FILE *out = open_memstream(&target->message, &bytes);

	if (!out)
		return RC_INTERNAL;
	if (target->rc == RC_CANCELLED) {
		fputs("stopped by the operator", out);
		if (target->off_proven)
			fputs(" after off was proven", out);
		next = "run it again";
	} else if (target->rc != 0) {
		if (request->op == FENCER_REBOOT && target->off_proven)
			fputs("off is proven, but it is not on again: ", out);
		causes_print(out, target, conf);
		dark_print(out, target, conf, request->conf, request->op);
	}
	if (fclose(out) != 0)
		return RC_INTERNAL;
	target->next = strdup(target->rc != 0 ? next : "");
	return target->next ? 0 : RC_INTERNAL;
}

int fencer_report_fill(struct fencer_report *report, const struct fencer_request *request,
		       size_t place, const struct fencer_core *core,
		       const struct fencer_words *words)
{
	struct fencer_target_report *target = &report->targets[place];
	struct fencer_core_target_result r = fencer_core_target_result(core, place);

	for (size_t i = 0; i < target->legs_count; i++) {
		target->legs[i].leg = i;
		if (leg_fill(&target->legs[i], request, place, core, &words[i]) != 0)
			return RC_INTERNAL;
	}
	target->rc = r.rc;
	target->state = r.state;
	target->proof = r.proof;
	target->off_proven = r.off_proven;
	target->on_proven = r.on_proven;
	target->level = r.level;
	target->elapsed_ms = r.elapsed_ms;
	return target_words(target, request, r.failed_leg);
}

/* ---- history ---- */

static size_t records_count(const struct fencer_report *report, const size_t *places, size_t count)
{
	size_t total = count;

	for (size_t i = 0; i < count; i++)
		total += report->targets[places[i]].legs_count;
	return total;
}

static size_t target_records(struct fence_history_record *out,
			     const struct fencer_target_report *target, enum fencer_op op,
			     const struct fence_conf *conf, const char *operator_name)
{
	const struct fence_target *what = &conf->targets[target->target];
	struct fence_history_record common = {
		.time_s = time(NULL),
		.operation = fencer_op_word(op),
		.target = what->name,
		.operator_name = operator_name,
	};
	size_t n = 0;

	out[n] = common;
	out[n].kind = FENCE_HISTORY_TARGET;
	out[n].device = out[n].plugs = "";
	out[n].level = target->level;
	out[n].result = rc_word(target->rc);
	out[n].state = power_word(target->state);
	out[n].proof = proof_word(target->proof);
	out[n].off_proven = target->off_proven;
	out[n].on_proven = target->on_proven;
	out[n].elapsed_ms = target->elapsed_ms;
	out[n++].message = target->message;
	for (size_t i = 0; i < target->legs_count; i++) {
		const struct fencer_leg_report *leg = &target->legs[i];

		if (!leg->ran)
			continue;
		out[n] = common;
		out[n].kind = FENCE_HISTORY_DEVICE;
		out[n].device = conf->devices[what->legs[i].device].name;
		out[n].plugs = what->legs[i].plugs ? what->legs[i].plugs : "";
		out[n].level = what->legs[i].level;
		out[n].result = rc_word(leg->rc);
		out[n].state = power_word(leg->state);
		out[n].proof = proof_word(leg->proof);
		out[n].off_proven = leg->off_proven;
		out[n].on_proven = leg->on_proven;
		out[n].elapsed_ms = leg->elapsed_ms;
		out[n++].message = leg->message;
	}
	return n;
}

int fencer_report_lines(const struct fencer_report *report, const struct fence_conf *conf,
			const size_t *places, size_t count, const char *operator_name, char **text,
			size_t *bytes, struct err *err)
{
	/* One more than needed: a size of zero is nobody's friend. */
	struct fence_history_record *records = calloc(records_count(report, places, count) + 1,
						      sizeof *records);
	size_t n = 0;
	int rc;

	if (!records)
		return err_set(err, RC_INTERNAL, NULL, "out of memory");
	for (size_t i = 0; i < count; i++)
		n += target_records(records + n, &report->targets[places[i]], report->op, conf,
				    operator_name);
	rc = fence_history_text(records, n, text, bytes, err);
	free(records);
	return rc;
}

/* /etc/passwd only: a name service could hang when fencing is needed most. */
char *fencer_operator_name(void)
{
	const char *sudo = getuid() == 0 ? getenv("SUDO_USER") : NULL;
	FILE *file = sudo && sudo[0] ? NULL : fopen("/etc/passwd", "re");
	char *name = sudo && sudo[0] ? strdup(sudo) : NULL;
	struct passwd *entry;

	while (file && !name && (entry = fgetpwent(file)) != NULL)
		if (entry->pw_uid == getuid())
			name = strdup(entry->pw_name);
	if (file)
		fclose(file);
	if (!name && asprintf(&name, "%u", (unsigned)getuid()) < 0)
		name = NULL;
	return name;
}
