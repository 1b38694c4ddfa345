/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * agent_main.c - the order of events in every agent: read options, find the action, load secrets,
 * check, act, log out, report.
 *
 * A missing, misspelt or unknown action touches nothing and fails; there is no default action.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fence-agents/sdk/agent_internal.h"
#include "host/clock.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A symlink's name when it is one of the agent's, else the agent's own: a copy under some other
 * name must not change what the program says it is. */
static const char *name_choose(const struct fence_agent *agent, const char *argv0)
{
	const struct fence_symlink *link = agent->symlinks;
	const char *called = argv0 ? base_name(argv0) : "";

	for (; link && link->name; link++)
		if (strcmp(link->name, called) == 0)
			return link->name;
	return agent->name;
}

static void agent_check(const struct fence_agent *agent)
{
	if (agent->abi != FENCE_AGENT_ABI) {
		fprintf(stderr, "%s: built for agent ABI %u, this library has %d\n",
			agent->name ? agent->name : "agent", agent->abi, FENCE_AGENT_ABI);
		exit(1);
	}
	assert(agent->name && agent->shortdesc && agent->longdesc);
	assert(agent->open && agent->power_get && agent->power_set);
	assert(!agent->list || (agent->flags & FENCE_AGENT_PLUGS));
}

static int action_choose(struct fence_ctx *ctx)
{
	const char *name = agent_value_find(ctx, "action")->text;

	if (!name || !*name)
		return err_set(&ctx->err, RC_CONFIG, "give action= on stdin or -o",
			       "no action given, nothing was done");
	ctx->action = agent_action_find(ctx->agent, name);
	if (!ctx->action)
		return err_set(&ctx->err, RC_CONFIG, "see --help",
			       "unrecognised action \"%s\", nothing was done", name);
	return 0;
}

static void debug_open(struct fence_ctx *ctx)
{
	const char *path = fence_opt(ctx, "debug_file");
	int fd;

	ctx->verbose = fence_opt_bool(ctx, "verbose");
	if (!path || !*path)
		return;
	/* Without waiting: a FIFO that nobody reads must not hold up a fence action. */
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	ctx->debug_file = fd < 0 ? NULL : fdopen(fd, "a");
	if (!ctx->debug_file)
		fence_warn(ctx, "debug_file=%s: %s", path, strerror(errno));
}

/* Everything from the options on; returns 0 or the code in ctx->err. */
static int run(struct fence_ctx *ctx)
{
	int rc = action_choose(ctx);

	if (rc || !(ctx->action->needs_device || ctx->action->id == AGENT_VALIDATE))
		return rc;
	rc = agent_options_check(ctx);
	if (rc)
		return rc;
	ctx->deadline = agent_action_deadline(ctx);
	if (mono_reached(clock_now(), ctx->deadline))
		return err_set(&ctx->err, RC_TIMEOUT, "raise action_timeout",
			       "the time was up before the options had arrived");
	agent_guard_arm(ctx);
	/* validate-all looks at the words only: no program run, no file opened. */
	if (ctx->action->id != AGENT_VALIDATE)
		rc = agent_secrets_load(ctx);
	if (rc == 0 && ctx->agent->validate) {
		agent_step_begin(ctx, "checking the options", "shell_timeout");
		rc = agent_step_end(ctx, ctx->agent->validate(ctx));
	}
	if (rc == 0 && ctx->action->needs_device)
		rc = agent_action_run(ctx);
	agent_session_close(ctx);
	return rc;
}

/* Actions whose output is a document. Returns the exit status; -1 when it is none of them. */
static int document(struct fence_ctx *ctx)
{
	const char *name = agent_value_find(ctx, "action")->text;
	const struct agent_action *action = name ? agent_action_find(ctx->agent, name) : NULL;

	if (fence_opt_bool(ctx, "help"))
		agent_help_print(ctx, stdout);
	else if (fence_opt_bool(ctx, "version"))
		printf("%s %s\n", ctx->name, HOLDFAST_VERSION);
	else if (action && action->id == AGENT_METADATA)
		agent_metadata_print(ctx, stdout);
	else if (action && action->id == AGENT_MANPAGE)
		agent_manual_print(ctx, stdout);
	else
		return -1;
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "%s: cannot write: %s\n", ctx->name, strerror(errno));
		return 1;
	}
	return 0;
}

/* Options from stdin or argv. Whoever starts the program writes at once; should the other end of the
 * pipe hang, the guard ends the wait. A human at a terminal may take as long as it takes. */
static void input_read(struct fence_ctx *ctx, int argc, char **argv)
{
	if (argc > 1) {
		agent_input_argv(ctx, argc, argv);
		return;
	}
	if (!isatty(STDIN_FILENO))
		ctx->deadline = mono_add_ms(ctx->started, AGENT_INPUT_TIMEOUT_MS);
	agent_guard_prepare(ctx);
	agent_guard_arm(ctx);
	agent_input_stdin(ctx);
	ctx->deadline = MONO_NEVER;
}

/* Descriptors 0 to 2 must exist, or a socket of ours would become stdout. */
static void descriptors_secure(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

int fence_agent_main(const struct fence_agent *agent, int argc, char **argv)
{
	struct fence_ctx *ctx;
	int status;

	descriptors_secure();
	agent_process_harden();
	agent_check(agent);
	ctx = calloc(1, sizeof *ctx);
	if (!ctx) {
		fprintf(stderr, "%s: out of memory\n", agent->name);
		return 1;
	}
	ctx->agent = agent;
	ctx->name = name_choose(agent, argv[0]);
	ctx->started = clock_now();
	ctx->ended = ctx->deadline = ctx->step_deadline = MONO_NEVER;
	ctx->step = "reading the options from standard input";
	agent_options_init(ctx);
	agent_guard_start(ctx);
	input_read(ctx, argc, argv);
	ctx->json = fence_opt_bool(ctx, "json");
	debug_open(ctx);

	status = ctx->err.rc ? -1 : document(ctx);
	if (status < 0) {
		if (ctx->err.rc == 0)
			run(ctx);
		status = agent_report(ctx);
	}
	agent_guard_stop();
	if (ctx->debug_file)
		fclose(ctx->debug_file);
	agent_plugs_clear(ctx);
	agent_parts_clear(ctx);
	agent_options_free(ctx);
	free(ctx->nodename);
	free(ctx);
	return status;
}
