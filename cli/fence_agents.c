/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_agents.c - `holdfast fence agents`: what is installed, and does its metadata hold.
 */
#include "cli/fence.h"
#include "fence-agents/fencer/agent_catalog.h"

static const struct {
	const char *name;
	size_t offset; /* of its flag in struct agent_info */
} abilities[] = {
	{ "off", offsetof(struct agent_info, has_off) },
	{ "on", offsetof(struct agent_info, has_on) },
	{ "reboot", offsetof(struct agent_info, has_reboot) },
	{ "status", offsetof(struct agent_info, has_status) },
	{ "list", offsetof(struct agent_info, has_list) },
	{ "probe", offsetof(struct agent_info, has_probe) },
};

static json_t *agent_object(struct output *out, const struct agent_info *agent)
{
	json_t *object = json_object();
	json_t *actions = json_array();

	object_put_text(out, object, "agent", agent->name);
	object_put_text(out, object, "class", agent->device_class);
	object_put_text(out, object, "path", agent->path);
	object_put_text(out, object, "description", agent->shortdesc);
	object_put_boolean(out, object, "native", agent->native);
	object_put_boolean(out, object, "plugs", agent->takes_plug);
	for (size_t i = 0; i < sizeof abilities / sizeof *abilities; i++)
		if (*(const int *)(const void *)((const char *)agent + abilities[i].offset) &&
		    json_array_append_new(actions, json_string(abilities[i].name)) != 0)
			out->lost = 1;
	object_put(out, object, "actions", actions);
	object_put_boolean(out, object, "valid", agent->valid);
	object_put_text(out, object, "problem", agent->problem);
	return object;
}

int fence_agents_run(struct cli *cli)
{
	static const char *const headings[] = { "AGENT", "CLASS", "PATH", "METADATA" };
	struct agent_catalog *catalog = NULL;
	struct output out;
	struct err err = { 0 };

	if (cli->args_count > 0)
		return cli_usage(cli, "unexpected argument \"%s\"", cli->args[0]);
	if (agent_catalog_load(&catalog, &err))
		return cli_fail(cli, &err);
	output_init(&out, cli);
	output_begin(&out, headings, 4);
	for (size_t i = 0; i < catalog->agents_count; i++) {
		const struct agent_info *agent = &catalog->agents[i];
		const struct output_cell cells[] = {
			{ agent->name, STYLE_PLAIN },
			{ agent->device_class, STYLE_PLAIN },
			{ agent->path, STYLE_PLAIN },
			{ agent->valid ? "ok" : agent->problem,
			  agent->valid ? STYLE_GOOD : STYLE_BAD },
		};

		output_row(&out, cells, 4);
		output_object(&out, agent_object(&out, agent));
	}
	output_end(&out);
	if (catalog->agents_count == 0)
		cli_warn(cli, "no fence agent found; install some, or set HOLDFAST_AGENT_PATH");
	agent_catalog_free(catalog);
	return output_finish(&out, cli, CLI_EXIT_OK);
}
