/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * agent_action.c - the actions of the fence agent API, and those that switch nothing.
 */
#include <string.h>
#include <strings.h>

#include "fence-agents/sdk/agent_internal.h"
#include "host/clock.h"

static const struct agent_action actions[] = {
	{ AGENT_ON, "on", 1, 1, "Switch on; success only when every plug reads on" },
	{ AGENT_OFF, "off", 1, 1, "Switch off; success only when every plug reads off afterwards" },
	{ AGENT_REBOOT, "reboot", 1, 1,
	  "Off, proven, then on. Success when the off is proven, even if the on fails" },
	{ AGENT_STATUS, "status", 1, 1,
	  "Exit status 0 when on, 2 when off, 1 when neither is known" },
	{ AGENT_MONITOR, "monitor", 0, 1, "Check that the fence device itself works" },
	{ AGENT_LIST, "list", 0, 1, "Print \"plug,alias\" for each plug; N/A without plugs" },
	{ AGENT_LIST_STATUS, "list-status", 0, 1, "Print \"plug,alias,state\" for each plug" },
	{ AGENT_PROBE, "probe", 1, 1,
	  "Log in, find the plug, check the privilege, read the state; change nothing" },
	{ AGENT_DIAG, "diag", 1, 1,
	  "Send a diagnostic interrupt (NMI); its effect cannot be verified" },
	{ AGENT_VALIDATE, "validate-all", 0, 0, "Check the options without connecting" },
	{ AGENT_METADATA, "metadata", 0, 0, "Print the XML description" },
	{ AGENT_MANPAGE, "manpage", 0, 0, "Print the manual page" },
};

enum { ACTIONS_COUNT = sizeof actions / sizeof actions[0] };

/* Other words for an action. Fabric agents cut access, not power, and may say so. */
static const struct {
	const char *alias, *name;
	int fabric_only;
} action_aliases[] = {
	{ "meta-data", "metadata", 0 },
	{ "enable", "on", 1 },
	{ "disable", "off", 1 },
};

static int action_offered(const struct fence_agent *agent, const struct agent_action *action)
{
	if (action->id == AGENT_DIAG)
		return agent->diag != NULL;
	if (action->id == AGENT_LIST || action->id == AGENT_LIST_STATUS)
		return agent->list != NULL || !(agent->flags & FENCE_AGENT_PLUGS);
	return 1;
}

const struct agent_action *agent_action_next(const struct fence_agent *agent,
					     const struct agent_action *previous)
{
	size_t i = previous ? (size_t)(previous - actions) + 1 : 0;

	while (i < ACTIONS_COUNT && !action_offered(agent, &actions[i]))
		i++;
	return i < ACTIONS_COUNT ? &actions[i] : NULL;
}

const struct agent_action *agent_action_find(const struct fence_agent *agent, const char *name)
{
	const struct agent_action *action = NULL;

	for (size_t i = 0; i < sizeof action_aliases / sizeof action_aliases[0]; i++)
		if (strcasecmp(action_aliases[i].alias, name) == 0 &&
		    (!action_aliases[i].fabric_only || agent->device_class == FENCE_CLASS_FABRIC))
			name = action_aliases[i].name;
	while ((action = agent_action_next(agent, action)))
		if (strcasecmp(action->name, name) == 0)
			return action;
	return NULL;
}

/* ---- actions that change nothing ---- */

static int list_take(void *arg, const char *plug, const char *alias, enum power_state state)
{
	agent_plug_add(arg, plug, alias ? alias : "", state);
	return 0;
}

static int list_once(struct fence_ctx *ctx, const void *unused)
{
	(void)unused;
	agent_plugs_clear(ctx);
	agent_step_begin(ctx, "listing the plugs", "shell_timeout");
	return agent_step_end(ctx, ctx->agent->list(ctx, list_take, ctx));
}

/* List and, for those that the list left open, the state of each plug. */
static int run_list(struct fence_ctx *ctx, int with_state)
{
	int rc = ctx->agent->list ? agent_retried(ctx, list_once, NULL) : 0;

	/* Only now is it known how many plugs there are to read. */
	ctx->deadline = agent_action_deadline(ctx);
	agent_guard_arm(ctx);
	for (size_t i = 0; rc == 0 && with_state && i < ctx->plugs_count; i++) {
		struct agent_plug_report *plug = &ctx->plugs[i];

		if (plug->state == POWER_UNKNOWN)
			rc = agent_read(ctx, plug->plug, &plug->state);
	}
	return rc;
}

static int session_is_enough(struct fence_ctx *ctx, const void *unused)
{
	(void)ctx;
	(void)unused;
	return 0;
}

/* The API wants 0 from monitor whenever the device works, also when the machine is off. */
static int run_monitor(struct fence_ctx *ctx)
{
	int rc;

	if (ctx->agent->list)
		return run_list(ctx, 0);
	if (ctx->agent->flags & FENCE_AGENT_PLUGS)
		return agent_retried(ctx, session_is_enough, NULL);
	rc = agent_plugs_resolve(ctx);
	return rc ? rc : agent_power_run(ctx, POWER_OP_STATUS);
}

static int privilege_once(struct fence_ctx *ctx, const void *unused)
{
	(void)unused;
	for (size_t i = 0; i < ctx->plugs_count; i++) {
		int rc;

		ctx->plug_at_hand = ctx->plugs[i].plug;
		agent_step_begin(ctx, "checking the privilege", "shell_timeout");
		rc = agent_step_end(ctx, ctx->agent->privilege(ctx, ctx->plugs[i].plug));
		if (rc)
			return rc;
	}
	return 0;
}

static int run_probe(struct fence_ctx *ctx)
{
	int rc = agent_power_run(ctx, POWER_OP_STATUS);

	if (rc == 0 && ctx->agent->privilege)
		rc = agent_retried(ctx, privilege_once, NULL);
	if (rc == 0 && ctx->state != POWER_ON && ctx->state != POWER_OFF)
		rc = err_set(&ctx->err, RC_STATE, "look at the device", "the power state reads %s",
			     power_word(ctx->state));
	return rc;
}

/* Once only: each interrupt may make the machine dump again. */
static int run_diag(struct fence_ctx *ctx)
{
	for (size_t i = 0; i < ctx->plugs_count; i++) {
		int rc;

		ctx->plug_at_hand = ctx->plugs[i].plug;
		rc = agent_session_open(ctx);
		if (rc)
			return rc;
		agent_step_begin(ctx, "sending the diagnostic interrupt", "shell_timeout");
		rc = agent_step_end(ctx, ctx->agent->diag(ctx, ctx->plugs[i].plug));
		if (rc)
			return rc;
	}
	ctx->proof = PROOF_ACCEPTED;
	return 0;
}

/* ---- actions that switch ---- */

static int run_delay(struct fence_ctx *ctx)
{
	mono_t until = mono_add_ms(ctx->started, fence_opt_ms(ctx, "delay"));

	ctx->step = "waiting for the delay";
	while (!mono_reached(clock_now(), until) && !ctx->cancelled) {
		if (mono_reached(clock_now(), ctx->deadline))
			return err_set(&ctx->err, RC_CONFIG,
				       "lower delay= or raise action_timeout=",
				       "the delay takes all the time of the action");
		clock_sleep_until(mono_min(until, ctx->deadline));
	}
	return agent_step_end(ctx, 0);
}

static int run_reboot(struct fence_ctx *ctx)
{
	if (strcasecmp(fence_opt(ctx, "method"), "cycle") != 0)
		return agent_power_run(ctx, POWER_OP_REBOOT);
	if (!ctx->agent->cycle)
		return err_set(&ctx->err, RC_UNSUPPORTED, "use method=onoff",
			       "%s has no power cycle", ctx->name);
	if (ctx->plugs_count > 1)
		return err_set(&ctx->err, RC_CONFIG, "use method=onoff",
			       "several plugs cannot be cycled: they would not be off together");
	return agent_power_run(ctx, POWER_OP_CYCLE);
}

static int run_status(struct fence_ctx *ctx)
{
	int rc = agent_power_run(ctx, POWER_OP_STATUS);

	if (rc == 0 && ctx->state != POWER_ON && ctx->state != POWER_OFF)
		rc = err_set(&ctx->err, RC_STATE, "look at the device", "the power state reads %s",
			     power_word(ctx->state));
	return rc;
}

int agent_action_run(struct fence_ctx *ctx)
{
	enum agent_action_id id = ctx->action->id;
	int rc = 0;

	if (id == AGENT_OFF || id == AGENT_REBOOT)
		rc = run_delay(ctx);
	if (rc == 0 && ctx->action->needs_plug)
		rc = agent_plugs_resolve(ctx);
	if (rc)
		return rc;
	switch (id) {
	case AGENT_ON:
		return agent_power_run(ctx, POWER_OP_ON);
	case AGENT_OFF:
		return agent_power_run(ctx, POWER_OP_OFF);
	case AGENT_REBOOT:
		return run_reboot(ctx);
	case AGENT_STATUS:
		return run_status(ctx);
	case AGENT_MONITOR:
		return run_monitor(ctx);
	case AGENT_LIST:
		return run_list(ctx, 0);
	case AGENT_LIST_STATUS:
		return run_list(ctx, 1);
	case AGENT_PROBE:
		return run_probe(ctx);
	case AGENT_DIAG:
		return run_diag(ctx);
	case AGENT_VALIDATE:
	case AGENT_METADATA:
	case AGENT_MANPAGE:
	case AGENT_NONE:
		break;
	}
	return 0;
}
