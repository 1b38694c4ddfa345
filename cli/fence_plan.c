/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_plan.c - --dry-run: levels, devices, plugs and agents that an operation would use.
 *
 * Agents are looked up, and asked for nothing but their metadata, to tell options that they do not
 * have; a missing one fails the plan as it would fail the operation.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/fence.h"
#include "fence-agents/fencer/agent_catalog.h"
#include "fence-agents/fencer/agent_options.h"

/* Paths of the agents, by device; NULL where no target asks for the device, or where there is no
 * such agent. */
struct plan {
	struct fence_run *run;
	enum fencer_op op;
	char **paths;
};

/* Look up the agent of every device that the targets use. Returns the exit status. */
static int plan_find_agents(struct plan *plan)
{
	const struct fence_conf *conf = plan->run->conf;
	unsigned char *asked = calloc(conf->devices_count + 1, 1);
	int status = CLI_EXIT_OK;

	if (!asked) {
		cli_warn(plan->run->cli, "out of memory");
		return CLI_EXIT_NOT;
	}
	for (size_t i = 0; i < plan->run->targets_count; i++) {
		const struct fence_target *target = &conf->targets[plan->run->targets[i]];

		for (size_t j = 0; j < target->legs_count; j++) {
			size_t device = target->legs[j].device;
			struct err err = { 0 };

			if (asked[device])
				continue;
			asked[device] = 1;
			plan->paths[device] = agent_find(conf->devices[device].agent, &err);
			if (plan->paths[device])
				continue;
			cli_warn(plan->run->cli, "%s:%u: device %s: %s%s%s", conf->path,
				 conf->devices[device].line, conf->devices[device].name, err.text,
				 err.next[0] ? "; " : "", err.next);
			status = CLI_EXIT_USAGE;
		}
	}
	free(asked);
	return status;
}

static void option_warn(void *arg, const char *text)
{
	cli_warn(arg, "warning: %s", text);
}

/* Options that the agents do not have; each agent's metadata is read once. */
static void plan_check_options(const struct plan *plan)
{
	const struct fence_conf *conf = plan->run->conf;

	for (size_t i = 0; i < conf->devices_count; i++) {
		struct agent_info info;
		struct err err = { 0 };
		size_t first = 0;

		if (!plan->paths[i])
			continue;
		while (!plan->paths[first] || strcmp(plan->paths[first], plan->paths[i]) != 0)
			first++;
		if (first < i)
			continue;
		agent_info_load(plan->paths[i], &info, &err);
		for (size_t j = i; j < conf->devices_count; j++)
			if (plan->paths[j] && strcmp(plan->paths[j], plan->paths[i]) == 0)
				agent_options_check(conf, j, &info, option_warn,
						    (void *)plan->run->cli);
		agent_info_clear(&info);
	}
}

static json_t *plan_object(const struct plan *plan, const struct fence_target *target)
{
	const struct fence_conf *conf = plan->run->conf;
	struct output *out = &plan->run->out;
	json_t *object = json_object();
	json_t *legs = json_array();

	object_put_text(out, object, "target", target->name);
	object_put_text(out, object, "operation", fencer_op_word(plan->op));
	object_put_boolean(out, object, "dry_run", 1);
	for (size_t i = 0; i < target->legs_count; i++) {
		const struct fence_leg *leg = &target->legs[i];
		const struct fence_device *device = &conf->devices[leg->device];
		json_t *row = json_object();

		object_put_integer(out, row, "level", leg->level);
		object_put_text(out, row, "device", device->name);
		object_put_text(out, row, "agent", device->agent);
		object_put_text(out, row, "path", plan->paths[leg->device]);
		object_put_text(out, row, "plugs", leg->plugs ? leg->plugs : "");
		object_put(out, row, "options", fence_options_object(out, device));
		if (json_array_append_new(legs, row) != 0)
			out->lost = 1;
	}
	object_put(out, object, "legs", legs);
	return object;
}

static void plan_target_show(const struct plan *plan, const struct fence_target *target)
{
	const struct fence_conf *conf = plan->run->conf;
	struct output *out = &plan->run->out;
	unsigned level = 0;

	for (size_t i = 0; i < target->legs_count; i++) {
		const struct fence_leg *leg = &target->legs[i];
		const char *path = plan->paths[leg->device];
		char *options = fence_options_text(&conf->devices[leg->device]);
		char label[FENCE_LABEL_MAX], level_text[24] = "";
		const struct output_cell cells[] = {
			{ i ? "" : target->name, STYLE_PLAIN },
			{ level_text, STYLE_PLAIN },
			{ label, STYLE_PLAIN },
			{ path ? path : "MISSING", path ? STYLE_PLAIN : STYLE_BAD },
			{ options ? options : "", STYLE_PLAIN },
		};

		if (!options)
			out->lost = 1;
		if (leg->level != level)
			snprintf(level_text, sizeof level_text, "level %u", leg->level);
		level = leg->level;
		fence_leg_label(conf, leg, label, sizeof label);
		output_row(out, cells, 5);
		free(options);
	}
	output_object(out, plan_object(plan, target));
}

static const char *plan_order(enum fencer_op op)
{
	switch (op) {
	case FENCER_TEST:
	case FENCER_TEST_REAL:
		return "every level is tested";
	case FENCER_OFF:
	case FENCER_REBOOT:
		return "levels in this order until one proves off";
	case FENCER_STATUS:
	case FENCER_ON:
		break;
	}
	return "levels in this order until one works";
}

int fence_plan_show(struct fence_run *run, enum fencer_op op)
{
	struct plan plan = { .run = run, .op = op };
	int status;

	plan.paths = calloc(run->conf->devices_count + 1, sizeof *plan.paths);
	if (!plan.paths) {
		cli_warn(run->cli, "out of memory");
		return CLI_EXIT_NOT;
	}
	status = plan_find_agents(&plan);
	plan_check_options(&plan);
	output_line(&run->out, STYLE_HEADING, "%s, dry run: nothing is touched; %s",
		    fencer_op_word(op), plan_order(op));
	output_begin(&run->out, NULL, 0);
	for (size_t i = 0; i < run->targets_count; i++)
		plan_target_show(&plan, &run->conf->targets[run->targets[i]]);
	output_end(&run->out);
	for (size_t i = 0; i < run->conf->devices_count; i++)
		free(plan.paths[i]);
	free(plan.paths);
	return status;
}
