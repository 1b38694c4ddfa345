/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_targets.c - from the words of the command line to targets of the cluster file; see fence.h.
 *
 * All or nothing: one unknown name, and no target is touched.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hostlist.h"
#include "base/nearest.h"
#include "cli/fence.h"

enum { SUGGESTIONS_MAX = 5 };

/* Say that a name is no target, and which ones it may have meant. */
static int target_unknown(const struct fence_run *run, const char *name)
{
	char near[512] = "";
	size_t used = 0, found = 0;

	for (size_t i = 0; i < run->conf->targets_count && found < SUGGESTIONS_MAX; i++) {
		const char *candidate = run->conf->targets[i].name;

		if (!nearest_is_close(name, candidate) ||
		    used + strlen(candidate) + 3 > sizeof near)
			continue;
		used += (size_t)snprintf(near + used, sizeof near - used, "%s%s",
					 found++ ? ", " : "", candidate);
	}
	if (found)
		cli_warn(run->cli, "no target \"%s\" in %s; did you mean %s?", name,
			 run->conf->path, near);
	else
		cli_warn(run->cli, "no target \"%s\" in %s; see \"holdfast fence list\"", name,
			 run->conf->path);
	return CLI_EXIT_USAGE;
}

static int targets_find(struct fence_run *run, const struct hostlist *names)
{
	int status = 0;

	for (const char *name = hostlist_first(names); name; name = hostlist_next(names, name)) {
		long target = fence_conf_target(run->conf, name);

		if (target < 0)
			status = target_unknown(run, name);
		else
			run->targets[run->targets_count++] = (size_t)target;
	}
	return status;
}

int fence_names_expand(const struct cli *cli, struct hostlist *names, void **memory)
{
	struct hostlist_size size = { 0 };
	struct hostlist_fault fault;

	*memory = NULL;
	for (size_t i = 0; i < cli->args_count; i++)
		if (hostlist_measure(cli->args[i], &size, &fault))
			return cli_usage(cli, "target \"%s\", column %u: %s, expected %s",
					 cli->args[i], fault.column, fault.problem, fault.expected);
	*memory = malloc(hostlist_memory(&size));
	if (!*memory) {
		cli_warn(cli, "out of memory");
		return CLI_EXIT_NOT;
	}
	hostlist_init(names, *memory, &size);
	for (size_t i = 0; i < cli->args_count; i++)
		hostlist_add(names, cli->args[i]);
	return 0;
}

static int targets_select(struct fence_run *run)
{
	const struct cli *cli = run->cli;
	struct hostlist names;
	void *memory;
	int status;

	if (cli->all) {
		for (size_t i = 0; i < run->conf->targets_count; i++)
			run->targets[run->targets_count++] = i;
		if (run->targets_count > 0)
			return 0;
		cli_warn(cli, "%s: no target in this file; add NODE_NAME and FENCE_LEVEL",
			 run->conf->path);
		return CLI_EXIT_USAGE;
	}
	status = fence_names_expand(cli, &names, &memory);
	if (status == 0)
		status = targets_find(run, &names);
	free(memory);
	return status;
}

int fence_run_open(struct fence_run *run, const struct cli *cli)
{
	struct err err = { 0 };
	int status = 0;

	memset(run, 0, sizeof *run);
	run->cli = cli;
	output_init(&run->out, cli);
	if (cli->all && cli->args_count > 0)
		return cli_usage(cli, "--all and \"%s\": which of them?", cli->args[0]);
	if (!cli->all && cli->args_count == 0)
		return cli_usage(cli, "which target? Name some, or give --all");
	if (fence_conf_load(cli->conf_path, &run->conf, &err))
		return cli_fail_conf(cli, &err);
	run->targets = calloc(run->conf->targets_count + 1, sizeof *run->targets);
	if (!run->targets) {
		cli_warn(cli, "out of memory");
		status = CLI_EXIT_NOT;
	} else {
		status = targets_select(run);
	}
	if (status)
		fence_run_close(run);
	return status;
}

void fence_run_close(struct fence_run *run)
{
	fence_conf_free(run->conf);
	free(run->targets);
	run->conf = NULL;
	run->targets = NULL;
	run->targets_count = 0;
}
