/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fencer_core.c - the decisions of the fencer; see fencer_core.h.
 *
 * Order of a step: the event changes the state of one leg; then every target moves on as far as
 * it can (target_advance); then what is to be done is put out (emit). Only emit meets a full
 * `out`, and it only acts on flags, so that it can be repeated.
 *
 *	leg:	IDLE -> READY -> RUNNING -> OK | FAILED
 *		          ^--- PAUSE <--'		(curable, retries and time left)
 *
 * The process of a leg has a life of its own (struct proc): it may be dying while the leg has
 * long failed, and holds its place in the limits until it is reaped.
 */
#include "fence-agents/fencer/fencer_core.h"

#include <assert.h>
#include <string.h>

enum leg_state { LEG_IDLE, LEG_READY, LEG_PAUSE, LEG_RUNNING, LEG_OK, LEG_FAILED };
enum proc_state { PROC_NONE, PROC_ALIVE, PROC_SOFT, PROC_HARD };

struct proc {
	enum proc_state state;
	int kill_wanted;     /* SIGTERM not yet put out */
	uint32_t generation; /* upper half of the token */
	mono_t hard_at;	     /* PROC_SOFT: SIGKILL is due */
};

struct leg {
	enum leg_state state;
	enum fencer_verb verb;
	struct proc proc;
	unsigned tries; /* repetitions of this verb so far */
	int64_t pause_ms;
	mono_t wake;  /* LEG_PAUSE */
	int phase_rc; /* last failure of this phase */
	enum fencer_why phase_why;
	int touched; /* an off was started */
	int listed;  /* a foreign agent's plugs were looked up */
	mono_t started, ended;
	struct fencer_core_leg_result result;
};

struct target {
	enum fencer_phase phase;
	size_t first_leg;	     /* index of its first leg among all */
	size_t level_from, level_to; /* its legs at work: [from, to) */
	mono_t level_deadline, phase_deadline;
	int phase_pending, decided_pending; /* to be put out */
	int revived;			    /* the last attempt to switch on again was made */
	mono_t decided_at;
	struct fencer_core_target_result result;
};

struct fencer_core {
	const struct fencer_core_config *config;
	mono_t start, deadline;
	size_t at_work, undecided;
	struct target *targets;
	struct leg *legs;
	unsigned *device_at_work;
};

/* What a phase asks of its legs. */
static const struct {
	enum fencer_verb verb;
	enum power_state want; /* POWER_UNKNOWN: any state will do */
	int all_or_nothing;    /* the first leg that fails ends it */
} phase_table[] = {
	[FENCER_PHASE_OFF] = { FENCER_VERB_OFF, POWER_OFF, 1 },
	[FENCER_PHASE_CONFIRM] = { FENCER_VERB_STATUS, POWER_OFF, 1 },
	[FENCER_PHASE_ON] = { FENCER_VERB_ON, POWER_ON, 0 },
	[FENCER_PHASE_RESTORE] = { FENCER_VERB_ON, POWER_ON, 0 },
	[FENCER_PHASE_STATUS] = { FENCER_VERB_STATUS, POWER_UNKNOWN, 0 },
	[FENCER_PHASE_TEST] = { FENCER_VERB_PROBE, POWER_UNKNOWN, 0 },
};

/* ---- memory ---- */

static size_t legs_total(const struct fencer_core_config *config)
{
	size_t total = 0;

	for (size_t i = 0; i < config->targets_count; i++)
		total += config->targets[i].legs_count;
	return total;
}

size_t fencer_core_bytes(const struct fencer_core_config *config)
{
	return sizeof(struct fencer_core) + config->targets_count * sizeof(struct target) +
	       legs_total(config) * sizeof(struct leg) + config->devices_count * sizeof(unsigned);
}

static struct leg *leg_of(const struct fencer_core *core, const struct target *t, size_t i)
{
	return &core->legs[t->first_leg + i];
}

static const struct fencer_core_target *config_of(const struct fencer_core *core,
						  const struct target *t)
{
	return &core->config->targets[t - core->targets];
}

/* ---- one leg ---- */

static void leg_ready(struct leg *leg, enum fencer_verb verb)
{
	leg->state = LEG_READY;
	leg->verb = verb;
	leg->tries = 0;
	leg->pause_ms = FENCER_PAUSE_MS;
}

static void leg_close(const struct fencer_core *core, struct leg *leg, enum leg_state state,
		      mono_t now)
{
	/* In a test for real the first failure of a leg is what counts: that it was switched on
	 * again afterwards does not undo it. */
	int keep = core->config->op == FENCER_TEST_REAL && leg->result.rc != 0;

	leg->state = state;
	leg->ended = now;
	if (keep)
		return;
	leg->result.verb = leg->verb;
	leg->result.rc = state == LEG_OK ? 0 : leg->phase_rc;
	leg->result.why = state == LEG_OK ? FENCER_WHY_NONE : leg->phase_why;
}

static void leg_ok(const struct fencer_core *core, const struct target *t, struct leg *leg,
		   mono_t now)
{
	if (t->phase == FENCER_PHASE_OFF)
		leg->result.off_proven = 1;
	if (t->phase == FENCER_PHASE_ON || t->phase == FENCER_PHASE_RESTORE)
		leg->result.on_proven = 1;
	leg_close(core, leg, LEG_OK, now);
}

static void leg_fail(const struct fencer_core *core, struct leg *leg, int rc, enum fencer_why why,
		     mono_t now)
{
	leg->phase_rc = rc;
	leg->phase_why = why;
	leg_close(core, leg, LEG_FAILED, now);
}

/* Its agent has called for its whole login_timeout and heard nothing: the next level is the better
 * use of the time. */
static int leg_is_hopeless(const struct fencer_core *core, const struct target *t, int rc)
{
	return rc == RC_UNREACHABLE && core->config->op != FENCER_TEST_REAL &&
	       t->level_to < config_of(core, t)->legs_count;
}

/* The same verb once more after a pause, where retries and the phase's time allow. */
static void leg_retry_or_fail(const struct fencer_core *core, const struct target *t,
			      struct leg *leg, int rc, enum fencer_why why, mono_t now)
{
	mono_t wake = mono_add_ms(now, leg->pause_ms);

	if (leg->tries >= core->config->retries || leg_is_hopeless(core, t, rc) ||
	    !mono_before(wake, t->phase_deadline)) {
		leg_fail(core, leg, rc, why, now);
		return;
	}
	leg->phase_rc = rc;
	leg->phase_why = why;
	leg->tries++;
	leg->pause_ms = leg->pause_ms * 2 < FENCER_PAUSE_MAX_MS ? leg->pause_ms * 2
								: FENCER_PAUSE_MAX_MS;
	leg->wake = wake;
	leg->state = LEG_PAUSE;
}

/* Agent at work whose outcome nobody waits for any more (S1: what it did is unknown). */
static void leg_abandon(struct leg *leg)
{
	if (leg->proc.state == PROC_ALIVE && !leg->proc.kill_wanted)
		leg->proc.kill_wanted = 1;
	leg->result.state = POWER_UNKNOWN;
	leg->result.proof = PROOF_NONE;
}

/* ---- answers ---- */

/* Only where a foreign agent is told plugs: many of them read a plug that does not exist as
 * off. */
static int leg_needs_list(const struct fencer_core *core, const struct target *t,
			  const struct leg *leg)
{
	size_t i = (size_t)(leg - leg_of(core, t, 0));

	return config_of(core, t)->legs[i].has_plugs && !leg->result.native && !leg->listed &&
	       t->phase != FENCER_PHASE_CONFIRM;
}

static void command_replied(const struct fencer_core *core, const struct target *t, struct leg *leg,
			    const struct fencer_core_reply *reply, mono_t now)
{
	enum power_state want = phase_table[t->phase].want;

	leg->result.state = reply->state;
	leg->result.proof = reply->proof;
	if (!reply->native) {
		/* Its exit status is worth "accepted" and no more. */
		leg->result.proof = PROOF_ACCEPTED;
		leg_ready(leg, FENCER_VERB_STATUS);
		return;
	}
	if (reply->proof == PROOF_PROVEN && reply->state == want &&
	    (want != POWER_OFF || reply->off_proven))
		leg_ok(core, t, leg, now);
	else
		leg_fail(core, leg, RC_STATE, FENCER_WHY_UNPROVEN, now);
}

static void status_replied(const struct fencer_core *core, const struct target *t, struct leg *leg,
			   const struct fencer_core_reply *reply, mono_t now)
{
	enum power_state want = phase_table[t->phase].want;

	leg->result.state = reply->state;
	if (want != POWER_UNKNOWN && reply->state != want) {
		leg->result.proof = PROOF_ACCEPTED;
		if (t->phase != FENCER_PHASE_CONFIRM) {
			leg_retry_or_fail(core, t, leg, RC_STATE, FENCER_WHY_DISAGREES, now);
			return;
		}
		leg->result.off_proven = 0;
		leg_fail(core, leg, RC_STATE, FENCER_WHY_CONFIRM, now);
		return;
	}
	leg->result.proof = PROOF_PROVEN;
	if (leg_needs_list(core, t, leg))
		leg_ready(leg, FENCER_VERB_LIST);
	else
		leg_ok(core, t, leg, now);
}

static void list_replied(const struct fencer_core *core, const struct target *t, struct leg *leg,
			 const struct fencer_core_reply *reply, mono_t now)
{
	size_t i = (size_t)(leg - leg_of(core, t, 0));

	if (reply->rc == 0 ||
	    (reply->rc == RC_UNSUPPORTED && config_of(core, t)->legs[i].unlisted)) {
		leg->listed = 1;
		leg_ok(core, t, leg, now);
		return;
	}
	if (reply->rc == RC_UNSUPPORTED) {
		/* A plug that does not exist would read the same: the state is not known (S1). */
		leg->result.state = POWER_UNKNOWN;
		leg->result.proof = PROOF_ACCEPTED;
		leg_fail(core, leg, RC_UNSUPPORTED, FENCER_WHY_UNLISTED, now);
		return;
	}
	/* What was read was not this plug. */
	leg->result.state = POWER_UNKNOWN;
	leg->result.proof = PROOF_NONE;
	if (rc_is_curable(reply->rc))
		leg_retry_or_fail(core, t, leg, reply->rc, FENCER_WHY_AGENT, now);
	else
		leg_fail(core, leg, reply->rc, FENCER_WHY_AGENT, now);
}

/* "Partial" and "pending" are states that were read, though an agent calls them a failure. */
static int reply_has_state(const struct fencer_core_reply *reply)
{
	return (reply->rc == 0 || reply->rc == RC_STATE) && reply->state != POWER_UNKNOWN;
}

static void leg_replied(const struct fencer_core *core, const struct target *t, struct leg *leg,
			const struct fencer_core_reply *reply, mono_t now)
{
	int rc = reply->rc;

	leg->result.native |= reply->native;
	if (leg->verb == FENCER_VERB_LIST) {
		list_replied(core, t, leg, reply, now);
		return;
	}
	if (leg->verb == FENCER_VERB_STATUS && reply_has_state(reply)) {
		status_replied(core, t, leg, reply, now);
		return;
	}
	if (rc == 0 && (leg->verb == FENCER_VERB_OFF || leg->verb == FENCER_VERB_ON)) {
		command_replied(core, t, leg, reply, now);
		return;
	}
	if (rc == 0 && leg->verb == FENCER_VERB_PROBE && reply->state != POWER_UNKNOWN) {
		leg->result.state = reply->state;
		leg->result.proof = PROOF_PROVEN;
		leg_ok(core, t, leg, now);
		return;
	}
	if (rc == 0)
		rc = RC_PROTOCOL; /* success without a state */
	if (t->phase != FENCER_PHASE_CONFIRM || leg->result.state != POWER_OFF) {
		leg->result.state = reply->state;
		leg->result.proof = reply->proof;
	}
	if (rc_is_curable(rc))
		leg_retry_or_fail(core, t, leg, rc, FENCER_WHY_AGENT, now);
	else
		leg_fail(core, leg, rc, FENCER_WHY_AGENT, now);
}

/* ---- phases of a target ---- */

static void phase_begin(struct fencer_core *core, struct target *t, enum fencer_phase phase,
			mono_t deadline)
{
	const struct fencer_core_target *config = config_of(core, t);

	t->phase = phase;
	t->phase_deadline = mono_min(deadline, core->deadline);
	t->phase_pending = 1;
	for (size_t i = t->level_from; i < t->level_to; i++) {
		struct leg *leg = leg_of(core, t, i);
		enum fencer_verb verb = phase_table[phase].verb;

		/* Only what the test may have switched off, and what is not on already. */
		if (phase == FENCER_PHASE_RESTORE &&
		    (!leg->touched || (leg->result.on_proven && leg->result.state == POWER_ON))) {
			leg->state = LEG_OK;
			continue;
		}
		if (phase == FENCER_PHASE_TEST && !config->legs[i].has_probe)
			verb = FENCER_VERB_STATUS;
		leg->result.used = 1;
		leg->phase_rc = 0;
		leg->phase_why = FENCER_WHY_NONE;
		leg_ready(leg, verb);
	}
}

static enum fencer_phase first_phase(enum fencer_op op)
{
	switch (op) {
	case FENCER_STATUS:
		return FENCER_PHASE_STATUS;
	case FENCER_ON:
		return FENCER_PHASE_ON;
	case FENCER_TEST:
		return FENCER_PHASE_TEST;
	case FENCER_OFF:
	case FENCER_REBOOT:
	case FENCER_TEST_REAL:
		break;
	}
	return FENCER_PHASE_OFF;
}

/* The level that begins at leg `from`: an equal share of the time left, and in a test for real half
 * of it for the off, so that the on has the other half. */
static void level_begin(struct fencer_core *core, struct target *t, size_t from, mono_t now)
{
	const struct fencer_core_target *config = config_of(core, t);
	enum fencer_op op = core->config->op;
	int64_t left_ns = mono_before(now, core->deadline) ? core->deadline.ns - now.ns : 0;
	int64_t levels = 1;
	mono_t share, half;

	t->level_from = from;
	t->level_to = from;
	while (t->level_to < config->legs_count &&
	       (op == FENCER_TEST || config->legs[t->level_to].level == config->legs[from].level))
		t->level_to++;
	for (size_t i = t->level_to; i < config->legs_count; i++)
		levels += config->legs[i].level != config->legs[i - 1].level;

	share.ns = now.ns + left_ns / levels;
	half.ns = now.ns + left_ns / levels / 2;
	t->level_deadline = levels == 1 ? core->deadline : share;
	phase_begin(core, t, first_phase(op), op == FENCER_TEST_REAL ? half : t->level_deadline);
}

static void target_sum_up(const struct fencer_core *core, struct target *t)
{
	struct fencer_core_target_result *r = &t->result;
	size_t from = t->level_from, to = t->level_to;

	/* A test is about every leg; the other operations about the level that decided. */
	if (core->config->op == FENCER_TEST_REAL) {
		from = 0;
		to = config_of(core, t)->legs_count;
	}
	r->proof = PROOF_PROVEN;
	r->failed_leg = config_of(core, t)->legs_count;
	for (size_t i = from; i < to; i++) {
		const struct fencer_core_leg_result *leg = &leg_of(core, t, i)->result;
		enum power_state both[2] = { r->state, leg->state };

		/* Another level of a test sees the same machine from elsewhere. */
		if (core->config->op != FENCER_TEST ||
		    config_of(core, t)->legs[i].level == config_of(core, t)->legs[from].level)
			r->state = i == from ? leg->state : power_combine(both, 2);
		r->proof = leg->proof < r->proof ? leg->proof : r->proof;
		if (leg->rc != 0 && leg->why != FENCER_WHY_STOPPED &&
		    r->failed_leg == config_of(core, t)->legs_count)
			r->failed_leg = i;
	}
}

static void target_decide(struct fencer_core *core, struct target *t, int ok, mono_t now)
{
	struct fencer_core_target_result *r = &t->result;
	const struct fencer_core_target *config = config_of(core, t);
	int is_test = core->config->op == FENCER_TEST || core->config->op == FENCER_TEST_REAL;

	target_sum_up(core, t);
	if (ok) {
		r->rc = 0;
		r->level = is_test ? 0 : config->legs[t->level_from].level;
	} else {
		r->rc = r->failed_leg < config->legs_count
				? leg_of(core, t, r->failed_leg)->result.rc
				: RC_TIMEOUT;
	}
	r->decided = 1;
	t->decided_at = now;
	t->phase = FENCER_PHASE_DECIDED;
	t->phase_pending = 0;
	t->decided_pending = 1;
	core->undecided--;
}

/* Is there a leg that the test may have left off? */
static int target_has_dark_leg(const struct fencer_core *core, const struct target *t)
{
	for (size_t i = 0; i < config_of(core, t)->legs_count; i++) {
		const struct leg *leg = leg_of(core, t, i);

		if (leg->touched && !(leg->result.on_proven && leg->result.state == POWER_ON))
			return 1;
	}
	return 0;
}

static void test_real_end(struct fencer_core *core, struct target *t, mono_t now)
{
	size_t count = config_of(core, t)->legs_count;
	int off = 1, on = 1, ok = 1;

	if (target_has_dark_leg(core, t) && !t->revived && mono_before(now, core->deadline)) {
		t->revived = 1;
		t->level_from = 0;
		t->level_to = count;
		phase_begin(core, t, FENCER_PHASE_RESTORE, core->deadline);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const struct fencer_core_leg_result *leg = &leg_of(core, t, i)->result;

		off &= leg->off_proven;
		on &= leg->on_proven;
		ok &= leg->used && leg->rc == 0;
	}
	t->result.off_proven = off;
	t->result.on_proven = on;
	target_decide(core, t, ok && off && on, now);
}

static void level_lost(struct fencer_core *core, struct target *t, mono_t now)
{
	if (t->level_to < config_of(core, t)->legs_count && mono_before(now, core->deadline))
		level_begin(core, t, t->level_to, now);
	else
		target_decide(core, t, 0, now);
}

static void test_real_next_level(struct fencer_core *core, struct target *t, mono_t now)
{
	if (!t->revived && t->level_to < config_of(core, t)->legs_count &&
	    mono_before(now, core->deadline))
		level_begin(core, t, t->level_to, now);
	else
		test_real_end(core, t, now);
}

static void level_is_off(struct fencer_core *core, struct target *t, mono_t now)
{
	t->result.off_proven = 1;
	if (core->config->op == FENCER_OFF)
		target_decide(core, t, 1, now);
	else if (core->config->op == FENCER_REBOOT)
		phase_begin(core, t, FENCER_PHASE_ON, core->deadline);
	else
		phase_begin(core, t, FENCER_PHASE_ON, t->level_deadline);
}

/* The transitions: phase and outcome against operation. */
static void phase_ended(struct fencer_core *core, struct target *t, int ok, mono_t now)
{
	enum fencer_op op = core->config->op;

	switch (t->phase) {
	case FENCER_PHASE_OFF:
		if (ok && t->level_to - t->level_from > 1)
			phase_begin(core, t, FENCER_PHASE_CONFIRM, t->phase_deadline);
		else if (ok)
			level_is_off(core, t, now);
		else if (op == FENCER_TEST_REAL)
			phase_begin(core, t, FENCER_PHASE_RESTORE, t->level_deadline);
		else
			level_lost(core, t, now);
		return;
	case FENCER_PHASE_CONFIRM:
		if (ok)
			level_is_off(core, t, now);
		else if (op == FENCER_TEST_REAL)
			phase_begin(core, t, FENCER_PHASE_RESTORE, t->level_deadline);
		else
			level_lost(core, t, now);
		return;
	case FENCER_PHASE_ON:
		t->result.on_proven = ok;
		if (op == FENCER_TEST_REAL)
			test_real_next_level(core, t, now);
		else if (ok || op == FENCER_REBOOT)
			target_decide(core, t, ok, now);
		else
			level_lost(core, t, now);
		if (op == FENCER_REBOOT)
			t->result.level = config_of(core, t)->legs[t->level_from].level;
		return;
	case FENCER_PHASE_RESTORE:
		test_real_next_level(core, t, now);
		return;
	case FENCER_PHASE_STATUS:
		if (ok)
			target_decide(core, t, 1, now);
		else
			level_lost(core, t, now);
		return;
	case FENCER_PHASE_TEST:
		target_decide(core, t, ok, now);
		return;
	case FENCER_PHASE_DECIDED:
		break;
	}
	assert(!"a decided target has no phase to end");
}

/* ---- moving a target on ---- */

static void leg_expire(const struct fencer_core *core, struct leg *leg, mono_t now)
{
	switch (leg->state) {
	case LEG_RUNNING:
		leg_abandon(leg);
		leg_fail(core, leg, RC_TIMEOUT, FENCER_WHY_LATE, now);
		break;
	case LEG_READY:
	case LEG_PAUSE:
		/* A failure that was to be repeated says more than "no time left". */
		if (leg->phase_rc != 0)
			leg_fail(core, leg, leg->phase_rc, leg->phase_why, now);
		else
			leg_fail(core, leg, RC_TIMEOUT, FENCER_WHY_QUEUE, now);
		break;
	case LEG_IDLE:
	case LEG_OK:
	case LEG_FAILED:
		break;
	}
}

/* The level is lost: what waits is not begun, what runs is ended, what is off stays off. */
static void leg_stop(const struct fencer_core *core, const struct target *t, struct leg *leg,
		     mono_t now)
{
	if (leg->state != LEG_RUNNING && leg->state != LEG_READY && leg->state != LEG_PAUSE)
		return;
	if (t->phase == FENCER_PHASE_CONFIRM) {
		/* It only reads again; that this leg was proven off remains true. */
		if (leg->state == LEG_RUNNING)
			leg->proc.kill_wanted = leg->proc.state == PROC_ALIVE;
		leg_close(core, leg, LEG_OK, now);
		return;
	}
	if (leg->result.attempts == 0) {
		leg->result.used = 0;
		leg->state = LEG_IDLE;
		return;
	}
	if (leg->state == LEG_RUNNING)
		leg_abandon(leg);
	leg_fail(core, leg, RC_CANCELLED, FENCER_WHY_STOPPED, now);
}

enum verdict { VERDICT_OPEN, VERDICT_OK, VERDICT_LOST };

static enum verdict phase_verdict(const struct fencer_core *core, const struct target *t)
{
	int open = 0, failed = 0;

	for (size_t i = t->level_from; i < t->level_to; i++) {
		enum leg_state state = leg_of(core, t, i)->state;

		failed |= state == LEG_FAILED;
		open |= state != LEG_FAILED && state != LEG_OK;
	}
	if (failed && phase_table[t->phase].all_or_nothing)
		return VERDICT_LOST;
	if (open)
		return VERDICT_OPEN;
	return failed ? VERDICT_LOST : VERDICT_OK;
}

static void target_advance(struct fencer_core *core, struct target *t, mono_t now)
{
	while (t->phase != FENCER_PHASE_DECIDED) {
		enum verdict verdict;

		for (size_t i = t->level_from; i < t->level_to; i++) {
			struct leg *leg = leg_of(core, t, i);

			if (mono_reached(now, t->phase_deadline))
				leg_expire(core, leg, now);
			else if (leg->state == LEG_PAUSE && mono_reached(now, leg->wake))
				leg->state = LEG_READY;
		}
		verdict = phase_verdict(core, t);
		if (verdict == VERDICT_OPEN)
			return;
		if (verdict == VERDICT_LOST)
			for (size_t i = t->level_from; i < t->level_to; i++)
				leg_stop(core, t, leg_of(core, t, i), now);
		phase_ended(core, t, verdict == VERDICT_OK, now);
	}
}

static void target_cancel(struct fencer_core *core, struct target *t, mono_t now)
{
	if (t->phase == FENCER_PHASE_DECIDED)
		return;
	for (size_t i = 0; i < config_of(core, t)->legs_count; i++) {
		struct leg *leg = leg_of(core, t, i);

		if (leg->state != LEG_READY && leg->state != LEG_PAUSE && leg->state != LEG_RUNNING)
			continue;
		if (leg->state == LEG_RUNNING)
			leg_abandon(leg);
		leg_fail(core, leg, RC_CANCELLED, FENCER_WHY_CANCELLED, now);
	}
	target_decide(core, t, 0, now);
	t->result.rc = RC_CANCELLED;
	t->result.state = POWER_UNKNOWN;
	t->result.proof = PROOF_NONE;
}

/* ---- putting out ---- */

static struct fencer_action *out_add(struct fencer_out *out, enum fencer_action_kind kind,
				     size_t target)
{
	struct fencer_action *action;

	if (out->count == FENCER_ACTIONS_MAX) {
		out->more = 1;
		return NULL;
	}
	action = &out->actions[out->count++];
	*action = (struct fencer_action){ .kind = kind, .target = target };
	return action;
}

static uint64_t leg_token(const struct fencer_core *core, const struct leg *leg)
{
	return (uint64_t)leg->proc.generation << 32 | (uint64_t)(leg - core->legs);
}

static void emit_kill(struct fencer_core *core, struct target *t, size_t i, mono_t now,
		      struct fencer_out *out)
{
	struct leg *leg = leg_of(core, t, i);
	int hard = leg->proc.state == PROC_SOFT && mono_reached(now, leg->proc.hard_at);
	struct fencer_action *action;

	if (!hard && !(leg->proc.state == PROC_ALIVE && leg->proc.kill_wanted))
		return;
	action = out_add(out, FENCER_ACTION_KILL, (size_t)(t - core->targets));
	if (!action)
		return;
	action->token = leg_token(core, leg);
	action->leg = i;
	action->hard = hard;
	leg->proc.kill_wanted = 0;
	leg->proc.state = hard ? PROC_HARD : PROC_SOFT;
	leg->proc.hard_at = mono_add_ms(now, FENCER_GRACE_MS);
}

static void emit_news(struct fencer_core *core, struct target *t, struct fencer_out *out)
{
	struct fencer_action *action;

	if (t->phase_pending) {
		action = out_add(out, FENCER_ACTION_PHASE, (size_t)(t - core->targets));
		if (!action)
			return;
		action->phase = t->phase;
		if (t->phase != FENCER_PHASE_TEST && !t->revived)
			action->level = config_of(core, t)->legs[t->level_from].level;
		t->phase_pending = 0;
	}
	if (t->decided_pending && out_add(out, FENCER_ACTION_DECIDED, (size_t)(t - core->targets)))
		t->decided_pending = 0;
}

static void emit_run(struct fencer_core *core, struct target *t, size_t i, mono_t now,
		     struct fencer_out *out)
{
	struct leg *leg = leg_of(core, t, i);
	uint32_t device = config_of(core, t)->legs[i].device;
	struct fencer_action *action;

	if (leg->state != LEG_READY || leg->proc.state != PROC_NONE ||
	    core->at_work >= core->config->parallel ||
	    core->device_at_work[device] >= core->config->device_parallel[device])
		return;
	action = out_add(out, FENCER_ACTION_RUN, (size_t)(t - core->targets));
	if (!action)
		return;
	core->at_work++;
	core->device_at_work[device]++;
	leg->state = LEG_RUNNING;
	leg->proc.state = PROC_ALIVE;
	leg->proc.kill_wanted = 0;
	leg->proc.generation++;
	if (leg->result.attempts++ == 0)
		leg->started = now;
	leg->touched |= leg->verb == FENCER_VERB_OFF;
	if (leg->verb == FENCER_VERB_ON)
		leg->result.on_proven = 0;
	action->token = leg_token(core, leg);
	action->leg = i;
	action->verb = leg->verb;
	action->deadline = t->phase_deadline;
}

/* Ends first, so that places become free; then news; then new work in the order of targets. */
static void emit(struct fencer_core *core, mono_t now, struct fencer_out *out)
{
	for (size_t n = 0; n < core->config->targets_count; n++)
		for (size_t i = 0; i < core->config->targets[n].legs_count; i++)
			emit_kill(core, &core->targets[n], i, now, out);
	for (size_t n = 0; n < core->config->targets_count; n++)
		emit_news(core, &core->targets[n], out);
	for (size_t n = 0; n < core->config->targets_count; n++)
		for (size_t i = core->targets[n].level_from; i < core->targets[n].level_to; i++)
			emit_run(core, &core->targets[n], i, now, out);
}

/* ---- the interface ---- */

struct fencer_core *fencer_core_init(void *memory, const struct fencer_core_config *config,
				     mono_t now)
{
	struct fencer_core *core = memory;
	size_t first = 0;

	memset(memory, 0, fencer_core_bytes(config));
	core->config = config;
	core->start = now;
	core->deadline = mono_add_ms(now, config->timeout_ms);
	core->undecided = config->targets_count;
	core->targets = (struct target *)(core + 1);
	core->legs = (struct leg *)(core->targets + config->targets_count);
	core->device_at_work = (unsigned *)(core->legs + legs_total(config));
	assert(config->parallel > 0);
	for (size_t n = 0; n < config->targets_count; n++) {
		assert(config->targets[n].legs_count > 0);
		core->targets[n].first_leg = first;
		first += config->targets[n].legs_count;
		level_begin(core, &core->targets[n], 0, now);
	}
	return core;
}

static void run_done(struct fencer_core *core, const struct fencer_event *event)
{
	size_t index = (size_t)(event->token & UINT32_MAX);
	struct leg *leg;
	size_t n = 0;
	int waited_for;
	uint32_t device;

	if (index >= legs_total(core->config))
		return;
	leg = &core->legs[index];
	if (leg->proc.state == PROC_NONE || leg_token(core, leg) != event->token)
		return;
	while (index >= core->targets[n].first_leg + core->config->targets[n].legs_count)
		n++;
	device = core->config->targets[n].legs[index - core->targets[n].first_leg].device;
	waited_for = leg->state == LEG_RUNNING;
	leg->proc.state = PROC_NONE;
	leg->proc.kill_wanted = 0;
	core->at_work--;
	core->device_at_work[device]--;
	/* An answer that comes after its time is too late, even if nobody was killed yet. */
	if (waited_for && !mono_reached(event->now, core->targets[n].phase_deadline)) {
		leg_replied(core, &core->targets[n], leg, &event->reply, event->now);
	} else if (waited_for) {
		leg_abandon(leg);
		leg_fail(core, leg, RC_TIMEOUT, FENCER_WHY_LATE, event->now);
	}
}

void fencer_core_step(struct fencer_core *core, const struct fencer_event *event,
		      struct fencer_out *out)
{
	out->count = 0;
	out->more = 0;
	if (event->kind == FENCER_EVENT_DONE)
		run_done(core, event);
	for (size_t n = 0; n < core->config->targets_count; n++) {
		if (event->kind == FENCER_EVENT_CANCEL)
			target_cancel(core, &core->targets[n], event->now);
		target_advance(core, &core->targets[n], event->now);
	}
	emit(core, event->now, out);
}

mono_t fencer_core_deadline(const struct fencer_core *core)
{
	mono_t when = MONO_NEVER;

	for (size_t n = 0; n < core->config->targets_count; n++) {
		const struct target *t = &core->targets[n];

		if (t->phase != FENCER_PHASE_DECIDED)
			when = mono_min(when, t->phase_deadline);
		for (size_t i = 0; i < core->config->targets[n].legs_count; i++) {
			const struct leg *leg = leg_of(core, t, i);

			if (leg->state == LEG_PAUSE)
				when = mono_min(when, leg->wake);
			if (leg->proc.state == PROC_SOFT)
				when = mono_min(when, leg->proc.hard_at);
		}
	}
	return when;
}

int fencer_core_finished(const struct fencer_core *core)
{
	return core->undecided == 0 && core->at_work == 0;
}

struct fencer_core_target_result fencer_core_target_result(const struct fencer_core *core,
							   size_t target)
{
	const struct target *t = &core->targets[target];
	struct fencer_core_target_result result = t->result;

	if (result.decided)
		result.elapsed_ms = mono_diff_ms(core->start, t->decided_at);
	return result;
}

struct fencer_core_leg_result fencer_core_leg_result(const struct fencer_core *core, size_t target,
						     size_t leg)
{
	const struct leg *l = leg_of(core, &core->targets[target], leg);
	struct fencer_core_leg_result result = l->result;

	if (result.attempts > 0)
		result.elapsed_ms = mono_diff_ms(l->started, l->ended);
	return result;
}
