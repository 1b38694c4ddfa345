/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * agent_power.c - the shell of power_core: carries out its actions one by one, words its result.
 */
#include <string.h>

#include "fence-agents/sdk/agent_internal.h"
#include "host/clock.h"

static int run_set(struct fence_ctx *ctx, const char *plug, enum power_state goal)
{
	int rc;

	ctx->plug_at_hand = plug;
	rc = agent_session_open(ctx);
	if (rc)
		return rc;
	agent_step_begin(ctx, goal == POWER_ON ? "switching on" : "switching off", "shell_timeout");
	return agent_step_end(ctx, ctx->agent->power_set(ctx, plug, goal));
}

static int run_cycle(struct fence_ctx *ctx, const char *plug)
{
	int rc;

	ctx->plug_at_hand = plug;
	rc = agent_session_open(ctx);
	if (rc)
		return rc;
	agent_step_begin(ctx, "cycling the power", "shell_timeout");
	return agent_step_end(ctx, ctx->agent->cycle(ctx, plug));
}

static struct power_event act_run(struct fence_ctx *ctx, const struct power_act *act)
{
	struct power_event ev = { .rc = 0 };
	const char *plug = ctx->plugs[act->plug].plug;

	switch (act->kind) {
	case POWER_ACT_READ:
		ev.kind = POWER_EV_READ;
		ev.rc = agent_read(ctx, plug, &ev.state);
		break;
	case POWER_ACT_SET:
		ev.kind = POWER_EV_SET;
		ev.rc = run_set(ctx, plug, act->state);
		break;
	case POWER_ACT_CYCLE:
		ev.kind = POWER_EV_CYCLE;
		ev.rc = run_cycle(ctx, plug);
		break;
	case POWER_ACT_WAIT:
	case POWER_ACT_DONE:
		ev.kind = POWER_EV_WAKE;
		clock_sleep_until(act->until);
		break;
	}
	ev.now = clock_now();
	return ev;
}

static struct power_core_config config_make(const struct fence_ctx *ctx, enum power_op op)
{
	int64_t timeout_ms = fence_opt_ms(ctx, "power_timeout");
	int64_t poll_ms = fence_opt_ms(ctx, "stonith_status_sleep");

	return (struct power_core_config){
		.op = op,
		.plugs_count = ctx->plugs_count,
		.power_wait_ms = fence_opt_ms(ctx, "power_wait"),
		.power_timeout_ms = timeout_ms > 0 ? timeout_ms : INT64_MAX,
		.poll_max_ms = poll_ms > POWER_POLL_MIN_MS ? poll_ms : POWER_POLL_MIN_MS,
		.reach_ms = fence_opt_ms(ctx, "login_timeout"),
		.on_tries = (unsigned)fence_opt_int(ctx, "retry_on"),
		.deadline = ctx->deadline,
	};
}

/* "plug 1 reads off, plug 2 still reads on 20.0 s after off was accepted" */
static void word_state_error(struct fence_ctx *ctx, const struct power_core *core)
{
	char states[256] = "it";
	size_t used = 0;
	int64_t waited_ms = mono_diff_ms(core->sent, clock_now());
	const char *goal = core->failed_phase == POWER_PHASE_WATCH ? "cycle"
								   : power_word(core->goal);

	for (size_t i = 0; ctx->plugs_count > 1 && i < ctx->plugs_count; i++) {
		int length = snprintf(states + used, sizeof states - used, "%splug %s reads %s",
				      i ? ", " : "", ctx->plugs[i].plug,
				      power_word(core->states[i]));

		used = used + (size_t)length < sizeof states ? used + (size_t)length
							     : sizeof states - 1;
	}
	if (ctx->plugs_count == 1)
		snprintf(states, sizeof states, "it still reads %s", power_word(core->states[0]));
	ctx->plug_at_hand = ctx->plugs_count == 1 ? ctx->plugs[0].plug : NULL;
	err_set(&ctx->err, RC_STATE,
		"look at the machine by hand; if the device is only slow, raise power_timeout",
		"%s %lld.%lld s after %s was accepted", states, (long long)waited_ms / 1000,
		(long long)waited_ms % 1000 / 100, goal);
}

static void word_result(struct fence_ctx *ctx, const struct power_core *core)
{
	char text[sizeof ctx->err.text];

	if (core->rc == 0) {
		ctx->err.rc = 0;
		if (core->proof == PROOF_ACCEPTED)
			fence_warn(ctx, "cycle was accepted, but the off phase was not seen; this "
					"is no proof of power loss, method=onoff gives one");
		return;
	}
	if (core->rc == RC_STATE && core->failed_phase != POWER_PHASE_SET &&
	    core->failed_phase != POWER_PHASE_CYCLE)
		word_state_error(ctx, core);
	else if (ctx->err.rc != core->rc)
		err_set(&ctx->err, core->rc, NULL, "%s while %s", rc_meaning(core->rc), ctx->step);
	if (core->off_proven) {
		snprintf(text, sizeof text, "off is proven, but on failed: %.300s", ctx->err.text);
		memcpy(ctx->err.text, text, sizeof text);
	}
}

/* The states of the core into the report. */
static void copy_states(struct fence_ctx *ctx, const struct power_core *core)
{
	for (size_t i = 0; i < ctx->plugs_count; i++) {
		ctx->plugs[i].before = core->before[i];
		ctx->plugs[i].state = core->states[i];
	}
	ctx->state = power_core_state(core);
	ctx->off_proven = core->off_proven;
}

int agent_power_run(struct fence_ctx *ctx, enum power_op op)
{
	struct power_core_config config = config_make(ctx, op);
	struct power_event ev = { .kind = POWER_EV_START, .now = clock_now() };
	struct err last = { 0 };
	struct power_core core;
	struct power_act act;

	power_core_init(&core, &config);
	for (;;) {
		power_core_step(&core, &ev, &act);
		copy_states(ctx, &core);
		if (act.kind == POWER_ACT_DONE)
			break;
		ev = act_run(ctx, &act);
		if (ev.rc)
			last = ctx->err;
		if (ctx->cancelled)
			return err_set(
				&ctx->err, RC_CANCELLED, NULL,
				"stopped by a signal while %s; the power state is not proven",
				ctx->step);
	}
	ctx->proof = core.proof;
	/* The failure that counts may not be the latest step's: a pause or a read came after. */
	if (last.rc == core.rc)
		ctx->err = last;
	word_result(ctx, &core);
	return core.rc;
}
