/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_view.c - the words for devices, levels, causes and times; see fence.h.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/fence.h"

/* What stands for a secret wherever options are shown. */
#define SECRET_SHOWN "(set)"

void fence_leg_label(const struct fence_conf *conf, const struct fence_leg *leg, char *out,
		     size_t size)
{
	snprintf(out, size, "%s%s%s", conf->devices[leg->device].name, leg->plugs ? ":" : "",
		 leg->plugs ? leg->plugs : "");
}

void fence_level_label(const struct fence_conf *conf, const struct fencer_target_report *report,
		       char *out, size_t size)
{
	const struct fence_target *target = &conf->targets[report->target];
	const char *joint = "";
	size_t used;

	out[0] = '\0';
	if (report->level == 0)
		return;
	used = (size_t)snprintf(out, size, "level %u ", report->level);
	for (size_t i = 0; i < report->legs_count && used < size; i++) {
		const struct fence_leg *leg = &target->legs[report->legs[i].leg];
		char label[FENCE_LABEL_MAX];

		if (leg->level != report->level)
			continue;
		fence_leg_label(conf, leg, label, sizeof label);
		used += (size_t)snprintf(out + used, size - used, "%s%s", joint, label);
		joint = " + ";
	}
}

void fence_reason(int rc, const char *message, const char *next, char *out, size_t size)
{
	snprintf(out, size, "%s: %s%s%s", rc_word(rc),
		 message && message[0] ? message : rc_meaning(rc), next && next[0] ? "; " : "",
		 next ? next : "");
}

const char *fence_leg_message(const struct fence_device *device,
			      const struct fencer_leg_report *report)
{
	static const char probe[] = "probe: ";
	const char *message = report->message ? report->message : "";
	size_t length = strlen(device->name);

	if (strncmp(message, device->name, length) == 0 && strncmp(message + length, ": ", 2) == 0)
		message += length + 2;
	if (strncmp(message, probe, sizeof probe - 1) == 0)
		message += sizeof probe - 1;
	return message;
}

void fence_elapsed(int64_t elapsed_ms, char *out, size_t size)
{
	snprintf(out, size, "%.2f s", (double)elapsed_ms / 1000.0);
}

static void fence_time(int64_t time_s, int utc, const char *format, char *out, size_t size)
{
	time_t time = (time_t)time_s;
	struct tm tm;

	if (!(utc ? gmtime_r(&time, &tm) : localtime_r(&time, &tm)) ||
	    strftime(out, size, format, &tm) == 0)
		snprintf(out, size, "?");
}

void fence_date(int64_t time_s, char *out, size_t size)
{
	fence_time(time_s, 0, "%Y-%m-%d", out, size);
}

void fence_date_time(int64_t time_s, char *out, size_t size)
{
	fence_time(time_s, 0, "%Y-%m-%d %H:%M:%S", out, size);
}

void fence_date_iso(int64_t time_s, char *out, size_t size)
{
	fence_time(time_s, 1, "%Y-%m-%dT%H:%M:%SZ", out, size);
}

int fence_is_proven(enum fencer_op op, const struct fencer_target_report *report)
{
	if (report->rc)
		return 0;
	switch (op) {
	case FENCER_STATUS:
		return report->state != POWER_UNKNOWN;
	case FENCER_ON:
		return report->on_proven;
	case FENCER_OFF:
		return report->off_proven;
	case FENCER_REBOOT:
		return report->off_proven && report->on_proven;
	case FENCER_TEST:
	case FENCER_TEST_REAL:
		return 1; /* every leg is looked at by itself: fence_verdict.c */
	}
	return 0;
}

static void fence_outcome_put(struct output *out, json_t *object, int rc, enum power_state state,
			      enum power_proof proof, int off_proven, int on_proven)
{
	object_put_text(out, object, "cause", rc ? rc_word(rc) : NULL);
	object_put_text(out, object, "state", power_word(state));
	object_put_text(out, object, "proof", proof_word(proof));
	object_put_boolean(out, object, "off_proven", off_proven);
	object_put_boolean(out, object, "on_proven", on_proven);
}

json_t *fence_target_object(struct output *out, const struct fence_conf *conf, enum fencer_op op,
			    const struct fencer_target_report *report)
{
	json_t *object = json_object();

	object_put_text(out, object, "target", conf->targets[report->target].name);
	object_put_text(out, object, "operation", fencer_op_word(op));
	object_put_boolean(out, object, "ok", fence_is_proven(op, report));
	fence_outcome_put(out, object, report->rc, report->state, report->proof, report->off_proven,
			  report->on_proven);
	object_put_integer(out, object, "level", report->level);
	object_put_integer(out, object, "elapsed_ms", report->elapsed_ms);
	object_put_text(out, object, "message", report->message ? report->message : "");
	object_put_text(out, object, "next", report->next ? report->next : "");
	return object;
}

json_t *fence_leg_object(struct output *out, const struct fence_conf *conf,
			 const struct fence_leg *leg, const struct fencer_leg_report *report)
{
	const struct fence_device *device = &conf->devices[leg->device];
	json_t *object = json_object();

	object_put_integer(out, object, "level", leg->level);
	object_put_text(out, object, "device", device->name);
	object_put_text(out, object, "agent", device->agent);
	object_put_text(out, object, "plugs", leg->plugs ? leg->plugs : "");
	object_put_boolean(out, object, "ran", report->ran);
	object_put_boolean(out, object, "ok", report->ran && report->rc == 0);
	fence_outcome_put(out, object, report->rc, report->state, report->proof, report->off_proven,
			  report->on_proven);
	object_put_boolean(out, object, "native", report->native);
	object_put_integer(out, object, "attempts", report->attempts);
	object_put_integer(out, object, "elapsed_ms", report->elapsed_ms);
	object_put_text(out, object, "message", report->message ? report->message : "");
	object_put_text(out, object, "next", report->next ? report->next : "");
	return object;
}

static const char *fence_option_shown(const struct fence_kv *option)
{
	return fence_kv_is_secret(option->key) ? SECRET_SHOWN : option->value;
}

char *fence_options_text(const struct fence_device *device)
{
	size_t size = 1;
	size_t used = 0;
	char *text;

	for (size_t i = 0; i < device->options_count; i++)
		size += strlen(device->options[i].key) +
			strlen(fence_option_shown(&device->options[i])) + 2;
	text = calloc(1, size);
	for (size_t i = 0; text && i < device->options_count; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s=%s", i ? " " : "",
					 device->options[i].key,
					 fence_option_shown(&device->options[i]));
	return text;
}

json_t *fence_options_object(struct output *out, const struct fence_device *device)
{
	json_t *object = json_object();

	for (size_t i = 0; i < device->options_count; i++)
		object_put_text(out, object, device->options[i].key,
				fence_option_shown(&device->options[i]));
	return object;
}

const char *fence_device_address(const struct fence_device *device)
{
	static const char *const keys[] = { "ip", "ipaddr", "host", "address" };

	for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
		for (size_t i = 0; i < device->options_count; i++)
			if (strcmp(device->options[i].key, keys[k]) == 0)
				return device->options[i].value;
	return "";
}
