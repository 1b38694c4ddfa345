/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * power_core.c - the step function behind every on, off, reboot and status; see power_core.h.
 *
 *	BEFORE --> SET off --> VERIFY off --> SET on --> VERIFY on --> done
 *	   |          |                                     |
 *	   |          `--> REFUSED (one more read) --> done  `--> SET on again, on_tries times
 *	   `--> CYCLE --> WATCH --> done
 */
#include "fence-agents/sdk/power_core.h"

#include <assert.h>
#include <string.h>

static void act_read(struct power_core *core, struct power_act *act, size_t plug)
{
	core->plug = plug;
	*act = (struct power_act){ .kind = POWER_ACT_READ, .plug = plug };
}

static void act_set(struct power_core *core, struct power_act *act, size_t plug)
{
	core->plug = plug;
	*act = (struct power_act){ .kind = POWER_ACT_SET, .plug = plug, .state = core->goal };
}

static void act_done(struct power_core *core, struct power_act *act, int rc)
{
	core->rc = rc;
	core->failed_phase = core->phase;
	core->failed_plug = core->plug;
	*act = (struct power_act){ .kind = POWER_ACT_DONE };
}

/* Pause, longer each time, but never past the end of the phase. */
static void act_pause(struct power_core *core, struct power_act *act, mono_t now, int64_t max_ms)
{
	mono_t until = mono_add_ms(now, core->pause_ms);

	core->pause_ms += core->pause_ms / 2;
	if (core->pause_ms > max_ms)
		core->pause_ms = max_ms;
	core->waiting = 1;
	*act = (struct power_act){ .kind = POWER_ACT_WAIT,
				   .until = mono_min(until, core->phase_deadline) };
}

static void phase_enter(struct power_core *core, enum power_phase phase)
{
	core->phase = phase;
	core->pause_ms = POWER_POLL_MIN_MS;
	core->last_rc = 0;
	core->plug = 0;
}

/* What was read before a command says nothing about the time after it. */
static void states_forget(struct power_core *core)
{
	for (size_t i = 0; i < core->config.plugs_count; i++)
		core->states[i] = POWER_UNKNOWN;
}

static void set_begin(struct power_core *core, struct power_act *act, mono_t now,
		      enum power_state goal)
{
	states_forget(core);
	core->goal = goal;
	phase_enter(core, POWER_PHASE_SET);
	core->phase_deadline = mono_min(mono_add_ms(now, core->config.power_timeout_ms),
					core->config.deadline);
	if (goal == POWER_ON)
		core->on_sent++;
	act_set(core, act, 0);
}

/* From here on the plugs have power_wait plus power_timeout to follow the command. */
static void watch_begin(struct power_core *core, struct power_act *act, mono_t now,
			enum power_phase phase)
{
	mono_t settled = mono_add_ms(now, core->config.power_wait_ms);

	phase_enter(core, phase);
	core->sent = now;
	core->phase_deadline = mono_min(mono_add_ms(settled, core->config.power_timeout_ms),
					core->config.deadline);
	/* A cycle is watched at once: its off phase may be over before power_wait is. */
	if (core->config.power_wait_ms > 0 && phase == POWER_PHASE_VERIFY) {
		core->waiting = 1;
		*act = (struct power_act){ .kind = POWER_ACT_WAIT,
					   .until = mono_min(settled, core->config.deadline) };
		return;
	}
	act_read(core, act, 0);
}

static void cycle_begin(struct power_core *core, struct power_act *act, mono_t now)
{
	states_forget(core);
	phase_enter(core, POWER_PHASE_CYCLE);
	core->phase_deadline = mono_min(mono_add_ms(now, core->config.power_timeout_ms),
					core->config.deadline);
	*act = (struct power_act){ .kind = POWER_ACT_CYCLE, .plug = 0 };
}

static void refused_begin(struct power_core *core, struct power_act *act, int rc)
{
	size_t plug = core->plug;

	phase_enter(core, POWER_PHASE_REFUSED);
	core->last_rc = rc;
	core->failed_plug = plug;
	act_read(core, act, 0);
}

/* ---- BEFORE: read all, touch nothing ---- */

static void before_complete(struct power_core *core, struct power_act *act, mono_t now)
{
	switch (core->config.op) {
	case POWER_OP_STATUS:
		if (power_core_state(core) != POWER_UNKNOWN)
			core->proof = PROOF_PROVEN;
		act_done(core, act, RC_OK);
		return;
	case POWER_OP_ON:
		set_begin(core, act, now, POWER_ON);
		return;
	case POWER_OP_CYCLE:
		if (core->before[0] != POWER_OFF) {
			cycle_begin(core, act, now);
			return;
		}
		/* Cycling a plug that is off is refused by many devices and turns on nothing. */
		set_begin(core, act, now, POWER_OFF);
		return;
	case POWER_OP_OFF:
	case POWER_OP_REBOOT:
		set_begin(core, act, now, POWER_OFF);
		return;
	}
}

static void before_event(struct power_core *core, const struct power_event *ev,
			 struct power_act *act)
{
	int rc = ev->rc;

	if (ev->kind == POWER_EV_WAKE) {
		if (mono_reached(ev->now, core->phase_deadline))
			act_done(core, act, core->last_rc);
		else
			act_read(core, act, core->plug);
		return;
	}
	if (rc == RC_OK) {
		core->before[core->plug] = core->states[core->plug] = ev->state;
		if (core->plug + 1 < core->config.plugs_count)
			act_read(core, act, core->plug + 1);
		else
			before_complete(core, act, ev->now);
		return;
	}
	core->last_rc = rc;
	/* An open that heard nothing has already tried for the whole login_timeout. */
	if (!rc_is_curable(rc) || mono_reached(ev->now, core->phase_deadline) ||
	    (rc == RC_UNREACHABLE &&
	     mono_reached(ev->now, mono_add_ms(core->started, core->config.reach_ms))))
		act_done(core, act, rc);
	else
		act_pause(core, act, ev->now, core->config.poll_max_ms);
}

/* ---- SET: the command must be accepted for every plug ---- */

static void set_event(struct power_core *core, const struct power_event *ev, struct power_act *act)
{
	int rc = ev->rc;

	if (ev->kind == POWER_EV_WAKE) {
		if (mono_reached(ev->now, core->phase_deadline))
			refused_begin(core, act, core->last_rc);
		else
			act_set(core, act, core->plug);
		return;
	}
	if (rc == RC_OK || rc == RC_STATE) {
		core->pause_ms = POWER_POLL_MIN_MS;
		if (core->plug + 1 < core->config.plugs_count)
			act_set(core, act, core->plug + 1);
		else
			watch_begin(core, act, ev->now, POWER_PHASE_VERIFY);
		return;
	}
	core->last_rc = rc;
	if (!rc_is_curable(rc) || mono_reached(ev->now, core->phase_deadline))
		refused_begin(core, act, rc);
	else
		act_pause(core, act, ev->now, core->config.poll_max_ms);
}

/* ---- VERIFY: one complete round in which every plug reads the goal ---- */

static void verify_reached(struct power_core *core, struct power_act *act, mono_t now)
{
	if (core->goal == POWER_OFF) {
		core->off_proven = 1;
		if (core->config.op != POWER_OP_OFF) {
			set_begin(core, act, now, POWER_ON);
			return;
		}
	} else {
		core->on_proven = 1;
	}
	core->proof = PROOF_PROVEN;
	act_done(core, act, RC_OK);
}

static void verify_missed(struct power_core *core, struct power_act *act, mono_t now)
{
	int rc = core->last_rc ? core->last_rc : RC_STATE;

	if (core->goal == POWER_ON && core->on_sent < core->config.on_tries &&
	    mono_before(now, core->config.deadline))
		set_begin(core, act, now, POWER_ON);
	else
		act_done(core, act, rc);
}

static void verify_round(struct power_core *core, struct power_act *act, mono_t now)
{
	size_t reached = 0;

	for (size_t i = 0; i < core->config.plugs_count; i++)
		reached += core->states[i] == core->goal;
	if (reached == core->config.plugs_count) {
		verify_reached(core, act, now);
		return;
	}
	core->plug = 0;
	while (core->plug + 1 < core->config.plugs_count && core->states[core->plug] == core->goal)
		core->plug++;
	if (mono_reached(now, core->phase_deadline))
		verify_missed(core, act, now);
	else
		act_pause(core, act, now, core->config.poll_max_ms);
}

static void verify_event(struct power_core *core, const struct power_event *ev,
			 struct power_act *act)
{
	if (ev->kind == POWER_EV_WAKE) {
		if (mono_reached(ev->now, core->config.deadline)) {
			act_done(core, act, core->last_rc ? core->last_rc : RC_STATE);
			return;
		}
		core->last_rc = 0;
		act_read(core, act, 0);
		return;
	}
	core->states[core->plug] = ev->rc == RC_OK ? ev->state : POWER_UNKNOWN;
	if (ev->rc != RC_OK) {
		core->last_rc = ev->rc;
		if (!rc_is_curable(ev->rc)) {
			act_done(core, act, ev->rc);
			return;
		}
	}
	if (core->plug + 1 < core->config.plugs_count)
		act_read(core, act, core->plug + 1);
	else
		verify_round(core, act, ev->now);
}

/* ---- CYCLE and WATCH: one plug ---- */

static void cycle_event(struct power_core *core, const struct power_event *ev,
			struct power_act *act)
{
	if (ev->kind == POWER_EV_WAKE) {
		if (mono_reached(ev->now, core->phase_deadline))
			refused_begin(core, act, core->last_rc);
		else
			*act = (struct power_act){ .kind = POWER_ACT_CYCLE, .plug = 0 };
		return;
	}
	core->cycle_rc = core->last_rc = ev->rc;
	switch (ev->rc) {
	case RC_OK:
	case RC_TIMEOUT:
	case RC_UNREACHABLE:
	case RC_PROTOCOL:
		/* Lost answers may hide a cycle that happens: look, do not send it again. */
		watch_begin(core, act, ev->now, POWER_PHASE_WATCH);
		return;
	case RC_STATE:
		/* "Not in this state": it went off since we looked. Switch, read, turn on. */
		set_begin(core, act, ev->now, POWER_OFF);
		return;
	case RC_BUSY:
		if (!mono_reached(ev->now, core->phase_deadline)) {
			act_pause(core, act, ev->now, core->config.poll_max_ms);
			return;
		}
		break;
	default:
		break;
	}
	refused_begin(core, act, ev->rc);
}

static void watch_expired(struct power_core *core, struct power_act *act, mono_t now)
{
	if (core->off_proven && mono_before(now, core->config.deadline)) {
		set_begin(core, act, now, POWER_ON);
	} else if (core->cycle_rc == RC_OK && core->states[0] == POWER_ON) {
		core->proof = PROOF_ACCEPTED;
		act_done(core, act, RC_OK);
	} else {
		act_done(core, act,
			 core->last_rc	  ? core->last_rc
			 : core->cycle_rc ? core->cycle_rc
					  : RC_STATE);
	}
}

static void watch_event(struct power_core *core, const struct power_event *ev,
			struct power_act *act)
{
	if (ev->kind == POWER_EV_WAKE) {
		core->last_rc = 0;
		act_read(core, act, 0);
		return;
	}
	core->states[0] = ev->rc == RC_OK ? ev->state : POWER_UNKNOWN;
	core->last_rc = ev->rc;
	if (core->states[0] == POWER_OFF)
		core->off_proven = 1;
	if (core->states[0] == POWER_ON && core->off_proven) {
		core->on_proven = 1;
		core->proof = PROOF_PROVEN;
		act_done(core, act, RC_OK);
	} else if (ev->rc != RC_OK && !rc_is_curable(ev->rc)) {
		act_done(core, act, ev->rc);
	} else if (mono_reached(ev->now, core->phase_deadline)) {
		watch_expired(core, act, ev->now);
	} else {
		act_pause(core, act, ev->now,
			  core->config.poll_max_ms < POWER_POLL_CYCLE_MAX_MS
				  ? core->config.poll_max_ms
				  : POWER_POLL_CYCLE_MAX_MS);
	}
}

/* ---- REFUSED: the command failed for good; read once, so that the report is true ---- */

static void refused_event(struct power_core *core, const struct power_event *ev,
			  struct power_act *act)
{
	int rc = core->last_rc;
	size_t failed_plug = core->failed_plug;

	core->states[core->plug] = ev->rc == RC_OK ? ev->state : POWER_UNKNOWN;
	if (ev->rc == RC_OK && core->plug + 1 < core->config.plugs_count) {
		act_read(core, act, core->plug + 1);
		return;
	}
	for (size_t i = core->plug + 1; i < core->config.plugs_count; i++)
		core->states[i] = POWER_UNKNOWN;
	core->phase = POWER_PHASE_SET;
	act_done(core, act, rc);
	core->failed_plug = failed_plug;
}

static void (*const phase_handlers[])(struct power_core *, const struct power_event *,
				      struct power_act *) = {
	[POWER_PHASE_BEFORE] = before_event, [POWER_PHASE_SET] = set_event,
	[POWER_PHASE_VERIFY] = verify_event, [POWER_PHASE_CYCLE] = cycle_event,
	[POWER_PHASE_WATCH] = watch_event,   [POWER_PHASE_REFUSED] = refused_event,
};

void power_core_init(struct power_core *core, const struct power_core_config *config)
{
	assert(config->plugs_count >= 1 && config->plugs_count <= POWER_PLUGS_MAX);
	assert(config->op != POWER_OP_CYCLE || config->plugs_count == 1);
	assert(config->on_tries >= 1);
	memset(core, 0, sizeof *core);
	core->config = *config;
}

void power_core_step(struct power_core *core, const struct power_event *ev, struct power_act *act)
{
	if (ev->kind == POWER_EV_START) {
		core->started = ev->now;
		phase_enter(core, POWER_PHASE_BEFORE);
		core->phase_deadline = core->config.deadline;
		act_read(core, act, 0);
		return;
	}
	assert((ev->kind == POWER_EV_WAKE) == core->waiting);
	core->waiting = 0;
	phase_handlers[core->phase](core, ev, act);
	/* Nothing is begun when time is up. */
	if (act->kind != POWER_ACT_DONE && act->kind != POWER_ACT_WAIT &&
	    mono_reached(ev->now, core->config.deadline))
		act_done(core, act, core->last_rc ? core->last_rc : RC_TIMEOUT);
}

enum power_state power_core_state(const struct power_core *core)
{
	return power_combine(core->states, core->config.plugs_count);
}
