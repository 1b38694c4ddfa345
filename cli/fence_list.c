/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_list.c - `holdfast fence list`: the cluster file as Holdfast understood it.
 *
 * Also the place for what is allowed but odd: a device that no target uses, a plug that
 * feeds two targets.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/fence.h"

/* The default power_timeout of fence_meatware. */
#define HUMAN_WAIT_S 600

static size_t device_uses(const struct fence_conf *conf, size_t device)
{
	size_t uses = 0;

	for (size_t i = 0; i < conf->targets_count; i++)
		for (size_t j = 0; j < conf->targets[i].legs_count; j++)
			if (conf->targets[i].legs[j].device == device) {
				uses++;
				break;
			}
	return uses;
}

static void device_show(struct output *out, const struct fence_conf *conf, size_t i)
{
	const struct fence_device *device = &conf->devices[i];
	char *options = fence_options_text(device);
	char parallel[16], uses[24];
	json_t *object = json_object();
	const struct output_cell cells[] = {
		{ device->name, STYLE_PLAIN },
		{ device->agent, STYLE_PLAIN },
		{ parallel, STYLE_PLAIN },
		{ uses, device_uses(conf, i) ? STYLE_PLAIN : STYLE_WARN },
		{ options ? options : "", STYLE_PLAIN },
	};

	snprintf(parallel, sizeof parallel, "%u", device->parallel);
	snprintf(uses, sizeof uses, "%zu", device_uses(conf, i));
	if (!options)
		out->lost = 1;
	output_row(out, cells, 5);
	object_put_text(out, object, "kind", "device");
	object_put_text(out, object, "device", device->name);
	object_put_text(out, object, "agent", device->agent);
	object_put_integer(out, object, "parallel", device->parallel);
	object_put_boolean(out, object, "unlisted", device->unlisted);
	object_put_integer(out, object, "targets", (long long)device_uses(conf, i));
	object_put(out, object, "options", fence_options_object(out, device));
	output_object(out, object);
	free(options);
}

static json_t *target_object(struct output *out, const struct fence_conf *conf,
			     const struct fence_target *target)
{
	json_t *object = json_object();
	json_t *legs = json_array();

	object_put_text(out, object, "kind", "target");
	object_put_text(out, object, "target", target->name);
	for (size_t i = 0; i < target->legs_count; i++) {
		const struct fence_leg *leg = &target->legs[i];
		json_t *row = json_object();

		object_put_integer(out, row, "level", leg->level);
		object_put_text(out, row, "device", conf->devices[leg->device].name);
		object_put_text(out, row, "agent", conf->devices[leg->device].agent);
		object_put_text(out, row, "plugs", leg->plugs ? leg->plugs : "");
		if (json_array_append_new(legs, row) != 0)
			out->lost = 1;
	}
	object_put(out, object, "legs", legs);
	return object;
}

static void target_show(struct output *out, const struct fence_conf *conf,
			const struct fence_target *target)
{
	for (size_t i = 0; i < target->legs_count; i++) {
		const struct fence_leg *leg = &target->legs[i];
		const struct fence_device *device = &conf->devices[leg->device];
		char level[16];
		const struct output_cell cells[] = {
			{ i ? "" : target->name, STYLE_PLAIN },
			{ level, STYLE_PLAIN },
			{ device->name, STYLE_PLAIN },
			{ leg->plugs ? leg->plugs : "-", STYLE_PLAIN },
			{ device->agent, STYLE_PLAIN },
			{ fence_device_address(device), STYLE_PLAIN },
		};

		snprintf(level, sizeof level, "%u", leg->level);
		output_row(out, cells, 6);
	}
	output_object(out, target_object(out, conf, target));
}

/* One plug of one leg. */
struct plug_use {
	size_t device, target;
	const char *plug; /* not NUL-terminated */
	size_t length;
};

static int plug_compare(const struct plug_use *a, const struct plug_use *b)
{
	size_t length = a->length < b->length ? a->length : b->length;
	int order;

	if (a->device != b->device)
		return a->device < b->device ? -1 : 1;
	order = memcmp(a->plug, b->plug, length);
	if (order)
		return order;
	return a->length < b->length ? -1 : a->length > b->length;
}

static int plug_use_compare(const void *a, const void *b)
{
	const struct plug_use *left = a, *right = b;
	int order = plug_compare(left, right);

	if (order)
		return order;
	return left->target < right->target ? -1 : left->target > right->target;
}

/* Every plug of a leg, to uses[] unless it is NULL; returns how many. The device itself, where
 * it is the plug, counts as one without a name. */
static size_t leg_plugs(const struct fence_conf *conf, size_t target, const struct fence_leg *leg,
			struct plug_use *uses)
{
	const char *separator = fence_device_separator(&conf->devices[leg->device]);
	const char *at = leg->plugs ? leg->plugs : "";
	size_t count = 0;

	for (;;) {
		const char *end = separator[0] ? strstr(at, separator) : NULL;

		if (uses)
			uses[count] = (struct plug_use){ leg->device, target, at,
							 end ? (size_t)(end - at) : strlen(at) };
		count++;
		if (!end)
			return count;
		at = end + strlen(separator);
	}
}

/* A plug that two targets share cuts the power of both. */
static void warn_shared(struct output *out, const struct fence_conf *conf)
{
	size_t count = 0, used = 0;
	struct plug_use *uses;

	for (size_t i = 0; i < conf->targets_count; i++)
		for (size_t j = 0; j < conf->targets[i].legs_count; j++)
			count += leg_plugs(conf, i, &conf->targets[i].legs[j], NULL);
	uses = calloc(count + 1, sizeof *uses);
	if (!uses) {
		out->lost = 1;
		return;
	}
	for (size_t i = 0; i < conf->targets_count; i++)
		for (size_t j = 0; j < conf->targets[i].legs_count; j++)
			used += leg_plugs(conf, i, &conf->targets[i].legs[j], uses + used);
	qsort(uses, count, sizeof *uses, plug_use_compare);
	for (size_t i = 1; i < count; i++) {
		const struct plug_use *a = &uses[i - 1], *b = &uses[i];

		if (a->target != b->target && plug_compare(a, b) == 0)
			output_line(out, STYLE_WARN,
				    "WARNING: %s%s%.*s cuts the power of both %s and %s",
				    conf->devices[a->device].name, a->length ? ":" : "",
				    (int)a->length, a->plug, conf->targets[a->target].name,
				    conf->targets[b->target].name);
	}
	free(uses);
}

/* How long fence_meatware waits for an answer, in seconds; 0 when the device is no human. */
static int64_t human_wait_s(const struct fence_device *device)
{
	const char *slash = strrchr(device->agent, '/');

	if (strcmp(slash ? slash + 1 : device->agent, "fence_meatware") != 0)
		return 0;
	for (size_t i = 0; i < device->options_count; i++)
		if (strcmp(device->options[i].key, "power_timeout") == 0)
			return strtoll(device->options[i].value, NULL, 10);
	return HUMAN_WAIT_S;
}

/* What an operator saw cannot be read again together with other devices, and takes its time. */
static void warn_human(struct output *out, const struct fence_conf *conf,
		       const struct fence_target *target, size_t at)
{
	const struct fence_leg *leg = &target->legs[at];
	const struct fence_device *device = &conf->devices[leg->device];
	int64_t wait_s = human_wait_s(device);

	if (wait_s == 0)
		return;
	for (size_t i = 0; i < target->legs_count; i++)
		if (i != at && target->legs[i].level == leg->level) {
			output_line(out, STYLE_WARN,
				    "WARNING: %s asks a human and should have level %u of %s alone",
				    device->name, leg->level, target->name);
			break;
		}
	if (wait_s * 1000 > conf->timeout_ms)
		output_line(
			out, STYLE_WARN,
			"WARNING: %s waits %lld s for a human, but FENCE_TIMEOUT is %lld s (%s)",
			device->name, (long long)wait_s, (long long)conf->timeout_ms / 1000,
			target->name);
}

static void warnings_show(struct output *out, const struct fence_conf *conf)
{
	for (size_t i = 0; i < conf->targets_count; i++)
		for (size_t j = 0; j < conf->targets[i].legs_count; j++)
			warn_human(out, conf, &conf->targets[i], j);
	for (size_t i = 0; i < conf->devices_count; i++)
		if (device_uses(conf, i) == 0)
			output_line(out, STYLE_WARN, "WARNING: %s (line %u) is used by no target",
				    conf->devices[i].name, conf->devices[i].line);
	warn_shared(out, conf);
}

static void settings_show(struct output *out, const struct fence_conf *conf)
{
	json_t *object = json_object();

	output_line(out, STYLE_PLAIN,
		    "%s: timeout %lld s, %u agents at once, %u retries, tests age after %u days, "
		    "history %s",
		    conf->path, (long long)conf->timeout_ms / 1000, conf->parallel, conf->retries,
		    conf->test_age_days, conf->history_path);
	object_put_text(out, object, "kind", "settings");
	object_put_text(out, object, "path", conf->path);
	object_put_integer(out, object, "timeout_ms", conf->timeout_ms);
	object_put_integer(out, object, "parallel", conf->parallel);
	object_put_integer(out, object, "retries", conf->retries);
	object_put_integer(out, object, "test_age_days", conf->test_age_days);
	object_put_text(out, object, "history", conf->history_path);
	output_object(out, object);
}

int fence_list_run(struct cli *cli)
{
	static const char *const device_headings[] = { "DEVICE", "AGENT", "PARALLEL", "TARGETS",
						       "OPTIONS" };
	static const char *const target_headings[] = { "TARGET", "LEVEL", "DEVICE",
						       "PLUGS",	 "AGENT", "ADDRESS" };
	struct fence_conf *conf;
	struct output out;
	struct err err = { 0 };

	if (cli->args_count > 0)
		return cli_usage(cli, "unexpected argument \"%s\"", cli->args[0]);
	if (fence_conf_load(cli->conf_path, &conf, &err))
		return cli_fail_conf(cli, &err);
	output_init(&out, cli);
	settings_show(&out, conf);
	output_line(&out, STYLE_PLAIN, "%s", "");
	output_begin(&out, device_headings, 5);
	for (size_t i = 0; i < conf->devices_count; i++)
		device_show(&out, conf, i);
	output_end(&out);
	output_line(&out, STYLE_PLAIN, "%s", "");
	output_begin(&out, target_headings, 6);
	for (size_t i = 0; i < conf->targets_count; i++)
		target_show(&out, conf, &conf->targets[i]);
	output_end(&out);
	warnings_show(&out, conf);
	fence_conf_free(conf);
	return output_finish(&out, cli, CLI_EXIT_OK);
}
