/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * agent_session.c - steps and their deadlines, the session with the device, the plugs.
 *
 * One deadline covers the whole action. Each operation is a step with a share of it: login_timeout
 * for open, shell_timeout for the others, never more than what is left. What one step does not
 * use is there for the next.
 */
#include <stdlib.h>
#include <string.h>

#include "fence-agents/sdk/agent_internal.h"
#include "host/clock.h"

#define HOUR_MS INT64_C(3600000)

/* ---- deadlines ---- */

/* Pacemaker's fencer kills at its own timeout and then knows no reason. Started by it, the steps
 * share one pool of time, but the whole stays bounded, so that an answer comes before the kill. */
static int started_by_pacemaker(void)
{
	const char *service = getenv("PCMK_service");

	return service && strcmp(service, "pacemaker-fenced") == 0;
}

static int steps_are_unlimited(const struct fence_ctx *ctx)
{
	if (fence_opt_given(ctx, "disable_timeout"))
		return fence_opt_bool(ctx, "disable_timeout");
	return started_by_pacemaker();
}

/* A timeout option; 0 means without limit. */
static int64_t timeout_ms(const struct fence_ctx *ctx, const char *option)
{
	int64_t ms = fence_opt_ms(ctx, option);

	return ms > 0 ? ms : INT64_MAX;
}

static int64_t add_ms(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/* How many plugs the action will have to do with: as listed, or as many as plug= may name. */
static size_t plugs_expected(const struct fence_ctx *ctx)
{
	const char *text, *separator;
	size_t count = 1;

	if (ctx->plugs_count > 0 || !(ctx->agent->flags & FENCE_AGENT_PLUGS))
		return ctx->plugs_count > 0 ? ctx->plugs_count : 1;
	text = fence_opt(ctx, "plug");
	separator = fence_opt(ctx, "plug_separator");
	while (text && *separator && (text = strstr(text, separator))) {
		text += strlen(separator);
		count++;
	}
	return count;
}

/* The sum of what the single timeouts allow: login, two commands a plug and two more, and for
 * each half of a power action power_wait and power_timeout. */
static int64_t derived_ms(const struct fence_ctx *ctx)
{
	int64_t half_ms = add_ms(fence_opt_ms(ctx, "power_wait"), timeout_ms(ctx, "power_timeout"));
	int64_t shell_ms = timeout_ms(ctx, "shell_timeout");
	int64_t total_ms = timeout_ms(ctx, "login_timeout");
	int64_t on_tries = fence_opt_int(ctx, "retry_on");
	size_t plugs_count = plugs_expected(ctx);
	enum agent_action_id id = ctx->action->id;

	for (size_t i = 0; i < 2 * plugs_count + 2; i++)
		total_ms = add_ms(total_ms, shell_ms);
	if (id == AGENT_OFF || id == AGENT_REBOOT)
		total_ms = add_ms(add_ms(total_ms, half_ms), fence_opt_ms(ctx, "delay"));
	for (int64_t i = 0; (id == AGENT_ON || id == AGENT_REBOOT) && i < on_tries; i++)
		total_ms = add_ms(total_ms, half_ms);
	return total_ms;
}

mono_t agent_action_deadline(const struct fence_ctx *ctx)
{
	int64_t given_ms = fence_opt_ms(ctx, "action_timeout");

	if (given_ms > 0)
		return mono_add_ms(ctx->started, given_ms);
	if (fence_opt_given(ctx, "disable_timeout") && fence_opt_bool(ctx, "disable_timeout"))
		return MONO_NEVER;
	return mono_add_ms(ctx->started, derived_ms(ctx));
}

int64_t fence_left_ms(const struct fence_ctx *ctx)
{
	int64_t left_ms = mono_left_ms(clock_now(), mono_min(ctx->step_deadline, ctx->deadline));

	if (ctx->cancelled)
		return 0;
	return left_ms < HOUR_MS ? left_ms : HOUR_MS;
}

/* ---- steps ---- */

void agent_step_begin(struct fence_ctx *ctx, const char *step, const char *timeout_option)
{
	int64_t share_ms = steps_are_unlimited(ctx) ? INT64_MAX : timeout_ms(ctx, timeout_option);

	ctx->step = step;
	ctx->step_deadline = mono_add_ms(clock_now(), share_ms);
	ctx->err.rc = 0;
	agent_guard_prepare(ctx);
	if (ctx->plug_at_hand && *ctx->plug_at_hand)
		fence_debug(ctx, "%s, plug %s", step, ctx->plug_at_hand);
	else
		fence_debug(ctx, "%s", step);
}

int agent_step_end(struct fence_ctx *ctx, int rc)
{
	if (ctx->cancelled)
		rc = err_set(&ctx->err, RC_CANCELLED, NULL, "stopped by a signal while %s",
			     ctx->step);
	else if (rc != 0 && (rc > 0 || rc < RC_CANCELLED))
		rc = err_set(&ctx->err, RC_INTERNAL, NULL, "the agent returned %d while %s", rc,
			     ctx->step);
	else if (rc != 0 && ctx->err.rc != rc)
		err_set(&ctx->err, rc, NULL, "%s while %s", rc_meaning(rc), ctx->step);
	if (rc_is_curable(rc))
		agent_session_close(ctx);
	return rc;
}

/* ---- session ---- */

int agent_session_open(struct fence_ctx *ctx)
{
	int rc;

	if (ctx->session_open)
		return 0;
	agent_step_begin(ctx, "reaching the device and logging in", "login_timeout");
	ctx->session_open = 1;
	rc = agent_step_end(ctx, ctx->agent->open(ctx));
	if (rc)
		agent_session_close(ctx);
	return rc;
}

void agent_session_close(struct fence_ctx *ctx)
{
	struct err saved = ctx->err;

	if (!ctx->session_open)
		return;
	ctx->session_open = 0;
	if (ctx->agent->close)
		ctx->agent->close(ctx);
	ctx->err = saved;
}

int agent_read(struct fence_ctx *ctx, const char *plug, enum power_state *state)
{
	int rc;

	*state = POWER_UNKNOWN;
	ctx->plug_at_hand = plug;
	rc = agent_session_open(ctx);
	if (rc)
		return rc;
	agent_step_begin(ctx, "reading the power state", "shell_timeout");
	rc = agent_step_end(ctx, ctx->agent->power_get(ctx, plug, state));
	if (rc)
		*state = POWER_UNKNOWN;
	else
		fence_debug(ctx, "power state is %s", power_word(*state));
	return rc;
}

/* Repeat an operation while its failure may pass and time is left. */
int agent_retried(struct fence_ctx *ctx, int (*operation)(struct fence_ctx *, const void *),
		  const void *arg)
{
	mono_t reach = mono_add_ms(clock_now(), fence_opt_ms(ctx, "login_timeout"));
	int64_t pause_ms = POWER_POLL_MIN_MS;
	int rc;

	for (;;) {
		mono_t wake;

		rc = agent_session_open(ctx);
		if (rc == 0)
			rc = operation(ctx, arg);
		if (rc == 0 || !rc_is_curable(rc))
			return rc;
		wake = mono_add_ms(clock_now(), pause_ms);
		if (!mono_before(wake, ctx->deadline) ||
		    (rc == RC_UNREACHABLE && mono_reached(wake, reach)))
			return rc;
		clock_sleep_until(wake);
		if (ctx->cancelled)
			return agent_step_end(ctx, rc);
		pause_ms += pause_ms / 2;
	}
}

/* ---- plugs ---- */

static int plug_is_listed(const struct fence_ctx *ctx, const char *plug)
{
	for (size_t i = 0; i < ctx->plugs_count; i++)
		if (strcmp(ctx->plugs[i].plug, plug) == 0)
			return 1;
	return 0;
}

static int plugs_split(struct fence_ctx *ctx, const char *text, const char *separator)
{
	char *copy = strdup(text), *rest = copy, *plug;
	int rc = 0;

	if (!copy)
		return err_set(&ctx->err, RC_INTERNAL, NULL, "out of memory");
	while (rc == 0 && rest) {
		char *end = *separator ? strstr(rest, separator) : NULL;

		plug = rest;
		rest = end ? end + strlen(separator) : NULL;
		if (end)
			*end = '\0';
		if (!*plug)
			rc = err_set(&ctx->err, RC_CONFIG, "name each plug once, without blanks",
				     "plug=\"%s\" has an empty name", text);
		else if (ctx->plugs_count == POWER_PLUGS_MAX)
			rc = err_set(&ctx->err, RC_CONFIG, "name the plugs of one machine",
				     "plug= names more than %d plugs", POWER_PLUGS_MAX);
		else if (!plug_is_listed(ctx, plug))
			agent_plug_add(ctx, plug, NULL, POWER_UNKNOWN);
	}
	free(copy);
	return rc;
}

static int whole_name_read(struct fence_ctx *ctx, const void *name)
{
	enum power_state state;

	return agent_read(ctx, name, &state);
}

/* The plugs of this action into ctx->plugs. A name that holds the separator is tried whole first,
 * since names may contain commas; it is split only when the device says that it has no such plug.
 * Any other failure proves nothing about the name, and its parts may be other machines' plugs. */
int agent_plugs_resolve(struct fence_ctx *ctx)
{
	const char *text = NULL, *separator;
	int rc;

	if (!(ctx->agent->flags & FENCE_AGENT_PLUGS)) {
		agent_plug_add(ctx, "", NULL, POWER_UNKNOWN);
		return 0;
	}
	text = fence_opt(ctx, "plug");
	if (!text || !*text)
		text = ctx->nodename;
	if (!text || !*text)
		return err_set(&ctx->err, RC_CONFIG, "give plug=", "%s needs a plug",
			       ctx->action->name);
	separator = fence_opt(ctx, "plug_separator");
	if (!*separator || !strstr(text, separator)) {
		agent_plug_add(ctx, text, NULL, POWER_UNKNOWN);
		return 0;
	}
	rc = agent_retried(ctx, whole_name_read, text);
	if (rc == 0)
		agent_plug_add(ctx, text, NULL, POWER_UNKNOWN);
	if (rc != RC_NO_SUCH_PLUG)
		return rc;
	ctx->plug_at_hand = NULL;
	ctx->err.rc = 0;
	return plugs_split(ctx, text, separator);
}
