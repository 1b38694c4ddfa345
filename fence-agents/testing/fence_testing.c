/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_testing.c - a fence device that does not exist: its plugs live in a file, and options make
 * it slow, lying, half dead, hanging, crashing or babbling.
 *
 * For tests, demonstrations and the training of admins. Everything that decides about fencing is
 * the SDK's, so what this agent shows is what every agent does. The file is plug_store's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fence-agents/sdk/agent.h"
#include "fence-agents/testing/plug_store.h"

static const char *const moments[] = { "never", "login", "status", "switch", "list", NULL };
static const char *const causes[] = { "none",	   "auth",  "unreachable", "timeout",
				      "privilege", "state", "unsupported", "busy",
				      "protocol",  NULL };

static const struct fence_option options[] = {
	{ .name = "state_file",
	  .type = FENCE_OPT_STRING,
	  .flags = FENCE_OPT_REQUIRED,
	  .desc = "File that holds the plugs, one a line: name, state; made when missing" },
	{ .name = "outlets",
	  .type = FENCE_OPT_STRING,
	  .def = "1",
	  .desc = "Plugs of a state_file that is made, comma separated; all are on" },
	FENCE_STD("username"),
	FENCE_STD("password"),
	{ .name = "expect_password",
	  .type = FENCE_OPT_STRING,
	  .flags = FENCE_OPT_SECRET,
	  .desc = "Refuse the login unless password is this" },
	{ .name = "slow_login",
	  .type = FENCE_OPT_SECONDS,
	  .def = "0",
	  .max = 3600,
	  .desc = "Seconds that a login takes" },
	{ .name = "slow_off",
	  .type = FENCE_OPT_SECONDS,
	  .def = "0",
	  .max = 3600,
	  .desc = "Seconds that a plug still reads on after off was accepted" },
	{ .name = "slow_on",
	  .type = FENCE_OPT_SECONDS,
	  .def = "0",
	  .max = 3600,
	  .desc = "Seconds that a plug still reads off after on was accepted" },
	{ .name = "cycle_off",
	  .type = FENCE_OPT_SECONDS,
	  .def = "0.3",
	  .max = 3600,
	  .desc = "Seconds that a cycled plug is off" },
	{ .name = "lie",
	  .type = FENCE_OPT_BOOL,
	  .desc = "Accept every power command and do nothing" },
	{ .name = "half_off",
	  .type = FENCE_OPT_BOOL,
	  .desc = "Accept off for every plug, but switch only the first of the file" },
	{ .name = "refuse_on", .type = FENCE_OPT_BOOL, .desc = "Refuse the on command" },
	{ .name = "pending",
	  .type = FENCE_OPT_BOOL,
	  .desc = "Report a change under way as pending instead of the old state" },
	{ .name = "hang",
	  .type = FENCE_OPT_SELECT,
	  .def = "never",
	  .choices = moments,
	  .desc = "When to stop answering forever" },
	{ .name = "crash",
	  .type = FENCE_OPT_SELECT,
	  .def = "never",
	  .choices = moments,
	  .desc = "When to die of a signal" },
	{ .name = "garbage",
	  .type = FENCE_OPT_SELECT,
	  .def = "never",
	  .choices = moments,
	  .desc = "When to print nonsense and end with exit status 0" },
	{ .name = "refuse",
	  .type = FENCE_OPT_SELECT,
	  .def = "none",
	  .choices = causes,
	  .desc = "Cause with which a login fails" },
	{ .name = "refuse_count",
	  .type = FENCE_OPT_INT,
	  .def = "0",
	  .max = 1000000,
	  .desc = "How many logins are refused before they work; 0 refuses all" },
	{ .name = "journal",
	  .type = FENCE_OPT_STRING,
	  .desc = "File to which each accepted command is appended" },
	{ 0 },
};

/* ---- misbehaviour ---- */

static int moment_is(struct fence_ctx *ctx, const char *option, const char *moment)
{
	return strcmp(fence_opt(ctx, option), moment) == 0;
}

/* Bad behaviour that no return code can express happens here, outside the SDK's care. */
static void misbehave(struct fence_ctx *ctx, const char *moment)
{
	static const char babble[] =
		"\x01\xff{\"agent\":\"no\",%%% \xc3\x28 \x1b[2J not an answer\n";

	if (moment_is(ctx, "crash", moment))
		abort();
	if (moment_is(ctx, "garbage", moment)) {
		ssize_t done = write(STDOUT_FILENO, babble, sizeof babble - 1);

		_exit(done < 0);
	}
	while (moment_is(ctx, "hang", moment))
		pause();
}

static void journal_add(struct fence_ctx *ctx, const char *command, const char *plug)
{
	const char *path = fence_opt(ctx, "journal");
	FILE *file = path ? fopen(path, "ae") : NULL;

	if (!file)
		return;
	fprintf(file, "%s %s\n", command, plug);
	fclose(file);
}

/* Sleep in small pieces, as a device does that answers late: never past the step's share. */
static int answer_late(struct fence_ctx *ctx, int64_t delay_ms)
{
	int64_t left_ms = fence_left_ms(ctx);

	if (delay_ms > left_ms) {
		usleep((useconds_t)(left_ms * 1000));
		return fence_fail(ctx, RC_TIMEOUT, "raise login_timeout",
				  "the login takes too long");
	}
	usleep((useconds_t)(delay_ms * 1000));
	return 0;
}

/* ---- operations ---- */

/* Load the store under its lock; on success the caller must release it. */
static int store_take(struct fence_ctx *ctx, struct plug_store *store)
{
	struct err err;
	int rc = plug_store_open(store, fence_opt(ctx, "state_file"), fence_opt(ctx, "outlets"),
				 &err);

	return rc ? fence_fail(ctx, rc, err.next, "%s", err.text) : 0;
}

static int store_save(struct fence_ctx *ctx, struct plug_store *store)
{
	struct err err;
	int rc = plug_store_save(store, &err);

	plug_store_close(store);
	return rc ? fence_fail(ctx, rc, err.next, "%s", err.text) : 0;
}

static struct plug *plug_need(struct fence_ctx *ctx, struct plug_store *store, const char *name)
{
	struct plug *plug = plug_store_find(store, name);

	if (!plug)
		fence_fail(ctx, RC_NO_SUCH_PLUG, "see -o list", "the device has no plug \"%s\"",
			   name);
	return plug;
}

static int login_refused(struct fence_ctx *ctx)
{
	int rc = rc_from_word(fence_opt(ctx, "refuse"));
	int64_t count = fence_opt_int(ctx, "refuse_count");
	struct plug_store store;
	int taken;

	if (rc > 0)
		return 0;
	if (count > 0) {
		taken = store_take(ctx, &store);
		if (taken)
			return taken;
		if (store.refused >= count) {
			plug_store_close(&store);
			return 0;
		}
		store.refused++;
		taken = store_save(ctx, &store);
		if (taken)
			return taken;
	}
	return fence_fail(ctx, rc, "drop refuse=", "login refused on request");
}

static int testing_open(struct fence_ctx *ctx)
{
	const char *expected = fence_opt(ctx, "expect_password");
	const char *given = fence_opt(ctx, "password");
	int rc;

	fence_object(ctx, "%s", fence_opt(ctx, "state_file"));
	misbehave(ctx, "login");
	rc = answer_late(ctx, fence_opt_ms(ctx, "slow_login"));
	if (rc)
		return rc;
	if (expected && (!given || strcmp(given, expected) != 0))
		return fence_fail(ctx, RC_AUTH,
				  "check password=", "login refused (wrong password)");
	return login_refused(ctx);
}

static int testing_list(struct fence_ctx *ctx, fence_list_cb cb, void *arg)
{
	struct plug_store store;
	int rc;

	misbehave(ctx, "list");
	rc = store_take(ctx, &store);
	if (rc)
		return rc;
	for (size_t i = 0; rc == 0 && i < store.plugs_count; i++)
		rc = cb(arg, store.plugs[i].name, "",
			plug_state(&store.plugs[i], fence_opt_bool(ctx, "pending")));
	plug_store_close(&store);
	return rc;
}

static int testing_power_get(struct fence_ctx *ctx, const char *name, enum power_state *state)
{
	struct plug_store store;
	struct plug *plug;
	int rc;

	misbehave(ctx, "status");
	rc = store_take(ctx, &store);
	if (rc)
		return rc;
	plug = plug_need(ctx, &store, name);
	if (plug)
		*state = plug_state(plug, fence_opt_bool(ctx, "pending"));
	plug_store_close(&store);
	return plug ? 0 : RC_NO_SUCH_PLUG;
}

static int testing_power_set(struct fence_ctx *ctx, const char *name, enum power_state state)
{
	struct plug_store store;
	struct plug *plug;
	int rc, ignored;

	misbehave(ctx, "switch");
	if (state == POWER_ON && fence_opt_bool(ctx, "refuse_on"))
		return fence_fail(ctx, RC_UNSUPPORTED, "drop refuse_on=", "on refused on request");
	rc = store_take(ctx, &store);
	if (rc)
		return rc;
	plug = plug_need(ctx, &store, name);
	if (!plug) {
		plug_store_close(&store);
		return RC_NO_SUCH_PLUG;
	}
	journal_add(ctx, power_word(state), name);
	ignored = fence_opt_bool(ctx, "lie") ||
		  (state == POWER_OFF && fence_opt_bool(ctx, "half_off") && plug != store.plugs);
	if (!ignored)
		plug_change(plug, state,
			    fence_opt_ms(ctx, state == POWER_OFF ? "slow_off" : "slow_on"));
	return store_save(ctx, &store);
}

static int testing_cycle(struct fence_ctx *ctx, const char *name)
{
	struct plug_store store;
	struct plug *plug;
	int rc;

	misbehave(ctx, "switch");
	rc = store_take(ctx, &store);
	if (rc)
		return rc;
	plug = plug_need(ctx, &store, name);
	if (!plug || plug_state(plug, 0) == POWER_OFF) {
		plug_store_close(&store);
		return plug ? fence_fail(ctx, RC_STATE, NULL, "plug %s is off, it cannot be cycled",
					 name)
			    : RC_NO_SUCH_PLUG;
	}
	journal_add(ctx, "cycle", name);
	if (!fence_opt_bool(ctx, "lie")) {
		plug_change(plug, POWER_OFF, 0);
		plug_change(plug, POWER_ON, fence_opt_ms(ctx, "cycle_off"));
	}
	return store_save(ctx, &store);
}

static int testing_diag(struct fence_ctx *ctx, const char *name)
{
	enum power_state state;
	int rc = testing_power_get(ctx, name, &state);

	if (rc == 0)
		journal_add(ctx, "diag", name);
	return rc;
}

static const struct fence_agent agent = {
	.abi = FENCE_AGENT_ABI,
	.name = "fence_testing",
	.device_class = FENCE_CLASS_TESTING,
	.flags = FENCE_AGENT_PLUGS,
	.shortdesc = "Fence agent for a device that exists in a file only",
	.longdesc =
		"fence_testing plays a power strip whose plugs are lines of a file. It cuts the "
		"power of nothing.\n\n"
		"It is there to try out a cluster's behaviour, to test what calls fence agents, "
		"and to see what Holdfast says when a device is slow, lies, switches one of two "
		"plugs only, hangs, crashes, prints nonsense or refuses the login.",
	.vendor_url = "",
	.options = options,
	.open = testing_open,
	.list = testing_list,
	.power_get = testing_power_get,
	.power_set = testing_power_set,
	.cycle = testing_cycle,
	.diag = testing_diag,
};

int main(int argc, char **argv)
{
	return fence_agent_main(&agent, argc, argv);
}
