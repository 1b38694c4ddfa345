/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lock_core.c - named locks: jobs and steps; see lock_core.h.
 */
#include "lockd/lock_core.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "lockd/lock_core_parts.h"

static const mono_t before_all = { INT64_MIN };

void lock_core_init(struct lock_core *core, const struct lock_config *config, mono_t now)
{
	assert(config->slots > 0 && config->slots <= LOCK_SLOTS_MAX);
	assert(config->nodes_max <= LOCK_NODES_MAX);
	memset(core, 0, sizeof *core);
	core->config = *config;
	core->now = now;
	core->joined_at = now;
	core->lease_until = before_all;
	core->next_token = 1;
	core->next_order = 1;
}

/* ---- jobs ---- */

static struct lock_job *job_find(struct lock_core *core, uint32_t id)
{
	for (size_t i = 0; i < LOCK_JOBS_MAX; i++)
		if (core->jobs[i].stage != LOCK_STAGE_NONE && core->jobs[i].id == id)
			return &core->jobs[i];
	return NULL;
}

static const struct lock_job *job_look(const struct lock_core *core, uint32_t id)
{
	for (size_t i = 0; i < LOCK_JOBS_MAX; i++)
		if (core->jobs[i].stage != LOCK_STAGE_NONE && core->jobs[i].id == id)
			return &core->jobs[i];
	return NULL;
}

int lock_core_has_room(const struct lock_core *core)
{
	for (size_t i = 0; i < LOCK_JOBS_MAX; i++)
		if (core->jobs[i].stage == LOCK_STAGE_NONE)
			return 1;
	return 0;
}

int lock_core_is_busy(const struct lock_core *core)
{
	for (size_t i = 0; i < LOCK_JOBS_MAX; i++)
		if (core->jobs[i].stage != LOCK_STAGE_NONE)
			return 1;
	return 0;
}

enum lock_stage lock_core_stage(const struct lock_core *core, uint32_t job)
{
	const struct lock_job *found = job_look(core, job);

	return found ? found->stage : LOCK_STAGE_NONE;
}

static int has_process(const struct lock_job *job)
{
	return job->stage == LOCK_STAGE_HELD || job->stage == LOCK_STAGE_ENDING ||
	       job->stage == LOCK_STAGE_KILL;
}

int lock_core_job_rests(const struct lock_core *core, uint32_t id)
{
	const struct lock_job *job = job_look(core, id);

	return job && (has_process(job) || (job->stage == LOCK_STAGE_CLAIM && !job->is_break));
}

/* ---- the lease ---- */

static mono_t lease_less(const struct lock_core *core, uint32_t ms)
{
	if (core->lease_until.ns < INT64_MIN / 2)
		return core->lease_until;
	return (mono_t){ core->lease_until.ns - (int64_t)ms * MONO_NS_PER_MS };
}

/* Is there enough of it to begin something? */
static int lease_is_good(const struct lock_core *core)
{
	return mono_before(core->now, lease_less(core, core->config.term_left_ms));
}

/* ---- actions ---- */

static struct lock_action *action_add(struct lock_out *out, enum lock_action_kind kind,
				      const struct lock_job *job)
{
	struct lock_action *action;

	assert(out->count < LOCK_ACTIONS_MAX);
	action = &out->actions[out->count++];
	*action = (struct lock_action){ .kind = kind,
					.job = job->id,
					.slot = job->slot,
					.term = job->term,
					.why = job->why,
					.at = MONO_NEVER };
	return action;
}

static void holder_add(struct lock_action *action, const struct lock_job *job)
{
	if (job->holder.kind == 0)
		return;
	action->holder = &job->holder;
	action->fate = job->fate;
	action->at = job->at;
}

/* Say it once, and again when it changes. */
static void job_tell(struct lock_job *job, struct lock_out *out, enum lock_told told, int rc)
{
	struct lock_action *action;

	if (job->unwanted || (job->was_told && job->told == told && told != LOCK_TOLD_WAITING))
		return;
	job->was_told = 1;
	job->told = told;
	action = action_add(out, LOCK_ACTION_TELL, job);
	action->told = told;
	action->rc = rc;
	if (told == LOCK_TOLD_WAITING)
		holder_add(action, job);
}

static void job_done(struct lock_job *job, struct lock_out *out, enum lock_result result, int rc)
{
	struct lock_action *action;

	if (job->unwanted)
		return;
	job->unwanted = 1;
	action = action_add(out, LOCK_ACTION_DONE, job);
	action->result = result;
	action->rc = rc;
	holder_add(action, job);
}

/* What others of this node wait for in that slot has changed. */
static void slot_wake(struct lock_core *core, uint32_t slot)
{
	for (size_t i = 0; i < LOCK_JOBS_MAX; i++) {
		struct lock_job *job = &core->jobs[i];

		if (job->stage == LOCK_STAGE_SEEK && job->slot == slot && !job->in_doubt)
			job->again = core->now;
	}
}

static void job_free(struct lock_core *core, struct lock_job *job)
{
	job->stage = LOCK_STAGE_NONE;
	slot_wake(core, job->slot);
}

static void job_end(struct lock_core *core, struct lock_job *job, struct lock_out *out,
		    enum lock_result result)
{
	job_done(job, out, result, 0);
	job_free(core, job);
}

static void job_seek(struct lock_core *core, struct lock_job *job, int64_t in_ms)
{
	job->stage = LOCK_STAGE_SEEK;
	job->again = mono_add_ms(core->now, in_ms);
}

static void job_read(struct lock_core *core, struct lock_job *job, struct lock_out *out)
{
	job->token = core->next_token++;
	action_add(out, LOCK_ACTION_READ, job)->token = job->token;
}

/* Does another job of this node claim in that slot, or may one have? */
static int slot_is_busy(const struct lock_core *core, const struct lock_job *job)
{
	for (size_t i = 0; i < LOCK_JOBS_MAX; i++) {
		const struct lock_job *other = &core->jobs[i];

		if (other != job && other->stage != LOCK_STAGE_NONE && other->slot == job->slot &&
		    (other->in_doubt || other->stage == LOCK_STAGE_CLAIM ||
		     other->stage == LOCK_STAGE_RELEASING))
			return 1;
	}
	return 0;
}

/* Does a job of this node hold that term? */
static int term_is_held_here(const struct lock_core *core, uint32_t slot, uint64_t term)
{
	for (size_t i = 0; i < LOCK_JOBS_MAX; i++) {
		const struct lock_job *other = &core->jobs[i];

		if (other->slot == slot && other->term == term &&
		    (has_process(other) || other->stage == LOCK_STAGE_RELEASING ||
		     (other->stage != LOCK_STAGE_NONE && other->is_release)))
			return 1;
	}
	return 0;
}

/* ---- claiming ---- */

static void job_submit(struct lock_core *core, struct lock_job *job, struct lock_out *out)
{
	struct lock_action *action;

	job->stage = job->is_release ? LOCK_STAGE_RELEASING : LOCK_STAGE_CLAIM;
	job->token = core->next_token++;
	action = action_add(out, LOCK_ACTION_CLAIM, job);
	action->token = job->token;
	action->term = job->is_release ? job->term + 1 : job->term;
	action->value = &job->value;
}

/* The next term of its slot is to be its. */
static void job_claim(struct lock_core *core, struct lock_job *job, struct lock_out *out,
		      uint64_t term)
{
	if (job->unwanted) {
		job_free(core, job);
		return;
	}
	if (slot_is_busy(core, job)) {
		job_seek(core, job, core->config.poll_ms);
		return;
	}
	if (!job->is_break && !lease_is_good(core)) {
		job_tell(job, out, LOCK_TOLD_LEASE, 0);
		job_seek(core, job, core->config.poll_ms);
		return;
	}
	job->term = term;
	job->value.node = core->config.node;
	job->value.incarnation = core->incarnation;
	memcpy(job->value.machine, core->config.machine, LOCK_ID_BYTES);
	memcpy(job->value.boot, core->config.boot, LOCK_ID_BYTES);
	job->value.lease_ms = core->config.lease_ms;
	job->value.watchdog_ms = core->config.watchdog_ms;
	job->value.grain_ms = core->config.grain_ms;
	job_submit(core, job, out);
}

/* Decide that it is free; nothing of its command is left. */
static void job_release(struct lock_core *core, struct lock_job *job, struct lock_out *out)
{
	job->is_release = 1;
	job->in_doubt = 0;
	job->value.kind = LOCK_RELEASED;
	job_submit(core, job, out);
}

static struct lock_action *job_kill(struct lock_job *job, struct lock_out *out, enum lock_why why)
{
	if (job->why == LOCK_WHY_NONE)
		job->why = why;
	job->stage = LOCK_STAGE_KILL;
	job->is_looked_at = 0;
	return action_add(out, LOCK_ACTION_KILL, job);
}

/* It is no longer held, and nobody needs to be told on the disk. */
static void job_lost(struct lock_core *core, struct lock_job *job, struct lock_out *out)
{
	job_end(core, job, out, job->why == LOCK_WHY_NONE ? LOCK_DONE_RELEASED : LOCK_DONE_LOST);
}

static void job_granted(struct lock_core *core, struct lock_job *job, struct lock_out *out)
{
	job->in_doubt = 0;
	if (job->is_break) {
		job_end(core, job, out, LOCK_DONE_BROKEN);
		return;
	}
	job->stage = LOCK_STAGE_HELD;
	job->again = mono_add_ms(core->now, core->config.lease_ms / 2);
	if (job->unwanted || core->stopping || core->dropping || !lease_is_good(core)) {
		/* Nothing runs under it yet. */
		if (job->why == LOCK_WHY_NONE)
			job->why = core->dropping   ? LOCK_WHY_DYING
				   : core->stopping ? LOCK_WHY_STOP
						    : LOCK_WHY_LEASE;
		job_done(job, out, LOCK_DONE_DROPPED, 0);
		job_release(core, job, out);
		return;
	}
	slot_wake(core, job->slot);
	job_tell(job, out, LOCK_TOLD_GRANTED, 0);
}

/* ---- what a slot says ---- */

static void job_next_slot(struct lock_core *core, struct lock_job *job, struct lock_out *out)
{
	if (++job->passed == core->config.slots) {
		job_end(core, job, out, job->is_break ? LOCK_DONE_ABSENT : LOCK_DONE_FULL);
		return;
	}
	job->slot = (job->slot + 1) % core->config.slots;
	job->stage = LOCK_STAGE_READ;
	job_read(core, job, out);
}

static void break_judge(struct lock_core *core, struct lock_job *job, struct lock_out *out,
			uint64_t term)
{
	job->value.vouched = 0;
	switch (job->fate) {
	case LOCK_FATE_OVER:
		job_claim(core, job, out, term + 1);
		break;
	case LOCK_FATE_UNPROVABLE:
		job->value.vouched = 1;
		if (job->confirmed == term) {
			job_claim(core, job, out, term + 1);
			break;
		}
		job->term = term;
		job_end(core, job, out, LOCK_DONE_CONFIRM);
		break;
	case LOCK_FATE_OURS:
	case LOCK_FATE_ALIVE:
	case LOCK_FATE_PENDING:
		job_end(core, job, out, LOCK_DONE_REFUSED);
		break;
	}
}

static void job_wait(struct lock_core *core, struct lock_job *job, struct lock_out *out)
{
	if (mono_reached(core->now, job->wait_until)) {
		job_end(core, job, out, LOCK_DONE_TIMEOUT);
		return;
	}
	job_seek(core, job, core->config.poll_ms);
	job->again = mono_min(job->again, job->wait_until);
}

static void held_judge(struct lock_core *core, struct lock_job *job, struct lock_out *out,
		       const struct lock_peer *peers, uint64_t term, const struct lock_term *said)
{
	enum lock_fate was = job->fate;
	mono_t at, was_at = job->at;
	int same = job->holder.kind && job->holder.node == said->node &&
		   job->holder.incarnation == said->incarnation;

	job->fate = lock_core_fate(core, said, peers, &at);
	job->holder = *said;
	job->at = at;
	if (job->is_break) {
		break_judge(core, job, out, term);
		return;
	}
	if (job->fate == LOCK_FATE_OVER ||
	    (job->fate == LOCK_FATE_OURS && !term_is_held_here(core, job->slot, term))) {
		job_claim(core, job, out, term + 1);
		return;
	}
	if (!same || was != job->fate || was_at.ns != at.ns || job->told != LOCK_TOLD_WAITING)
		job_tell(job, out, LOCK_TOLD_WAITING, 0);
	job_wait(core, job, out);
}

/* Term `term` of its slot is the last that is known to be decided, and says `said`. */
static void job_judge(struct lock_core *core, struct lock_job *job, struct lock_out *out,
		      const struct lock_peer *peers, uint64_t term, const struct lock_term *said)
{
	if (job->is_release) {
		/* Whatever came behind it: it is not held by this any more. */
		if (term > job->term)
			job_lost(core, job, out);
		else
			job_release(core, job, out);
		return;
	}
	if (job->in_doubt && term <= job->term) {
		/* Undecided, or decided: the same claim once more tells which, and whose. */
		if (job->is_break || lease_is_good(core))
			job_submit(core, job, out);
		else
			job_seek(core, job, core->config.poll_ms);
		return;
	}
	job->in_doubt = 0;
	if (job->unwanted)
		job_free(core, job);
	else if (term == 0 && job->is_break)
		job_end(core, job, out, LOCK_DONE_ABSENT);
	else if (term == 0)
		job_claim(core, job, out, 1);
	else if (strcmp(said->name, job->value.name) != 0)
		job_next_slot(core, job, out);
	else if (said->kind == LOCK_HELD)
		held_judge(core, job, out, peers, term, said);
	else if (job->is_break)
		job_end(core, job, out, LOCK_DONE_FREE);
	else
		job_claim(core, job, out, term + 1);
}

/* ---- events ---- */

/* Cut where it is too long, and as lock_value_in() wants it. */
static void text_put(char *text, size_t size, const char *from)
{
	text_clean(text, size, from ? from : "", from ? strlen(from) : 0);
}

static void job_begin(struct lock_core *core, const struct lock_event *event)
{
	struct lock_job *job = NULL;

	assert(!job_find(core, event->job) && lock_name_ok(event->name));
	for (size_t i = 0; !job && i < LOCK_JOBS_MAX; i++)
		if (core->jobs[i].stage == LOCK_STAGE_NONE)
			job = &core->jobs[i];
	assert(job);
	memset(job, 0, sizeof *job);
	job->id = event->job;
	job->order = core->next_order++;
	job->is_break = event->kind == LOCK_EVENT_BREAK;
	job->confirmed = event->confirmed;
	job->wait_until = job->is_break ? MONO_NEVER : event->wait_until;
	job->at = MONO_NEVER;
	job->value.kind = job->is_break ? LOCK_BROKEN : LOCK_HELD;
	job->value.wall_s = event->wall_s;
	snprintf(job->value.name, sizeof job->value.name, "%s", event->name);
	text_put(job->value.by, sizeof job->value.by, event->by);
	text_put(job->value.command, sizeof job->value.command,
		 job->is_break ? NULL : event->command);
	job->slot = lock_name_slot(job->value.name, core->config.slots);
	job_seek(core, job, 0);
}

/* Nobody wants it any more, for a reason that is the node's or the client's. */
static void job_drop(struct lock_core *core, struct lock_job *job, struct lock_out *out,
		     enum lock_why why)
{
	switch (job->stage) {
	case LOCK_STAGE_SEEK:
	case LOCK_STAGE_READ:
	case LOCK_STAGE_CLAIM:
		if (job->is_release)
			return;
		job->why = why;
		job_done(job, out, LOCK_DONE_DROPPED, 0);
		/* A stop does not wait for what may be decided later: nothing runs under it, and its
		 * incarnation is over then. */
		if (job->stage != LOCK_STAGE_CLAIM && (!job->in_doubt || core->stopping))
			job_free(core, job);
		return;
	case LOCK_STAGE_HELD:
	case LOCK_STAGE_ENDING:
		if (why != LOCK_WHY_STOP) {
			job_kill(job, out, why);
			return;
		}
		if (job->stage == LOCK_STAGE_ENDING)
			return;
		job->why = why;
		job->stage = LOCK_STAGE_ENDING;
		job->again = mono_add_ms(core->now, LOCK_STOP_GRACE_MS);
		action_add(out, LOCK_ACTION_END, job);
		return;
	case LOCK_STAGE_NONE:
	case LOCK_STAGE_KILL:
	case LOCK_STAGE_RELEASING:
		return;
	}
}

static void all_drop(struct lock_core *core, struct lock_out *out, enum lock_why why)
{
	for (size_t i = 0; i < LOCK_JOBS_MAX; i++)
		job_drop(core, &core->jobs[i], out, why);
}

/* The terms of the former incarnation are over. What of it still runs goes on being killed. */
static void core_join(struct lock_core *core, const struct lock_event *event, struct lock_out *out)
{
	if (event->incarnation == core->incarnation)
		return;
	core->incarnation = event->incarnation;
	core->joined_at = core->now;
	for (size_t i = 0; i < LOCK_JOBS_MAX; i++) {
		struct lock_job *job = &core->jobs[i];

		if (has_process(job)) {
			if (job->stage != LOCK_STAGE_KILL)
				job_kill(job, out, LOCK_WHY_LEASE);
		} else if (job->stage != LOCK_STAGE_NONE && job->is_release) {
			job_lost(core, job, out);
		} else if (job->stage != LOCK_STAGE_NONE) {
			job->in_doubt = 0;
			job_seek(core, job, 0);
		}
	}
}

static void read_take(struct lock_core *core, const struct lock_event *event, struct lock_job *job,
		      struct lock_out *out)
{
	if (job->is_looked_at && job->stage != LOCK_STAGE_READ) {
		job->is_looked_at = 0;
		if (event->rc == 0 && event->term > job->term)
			job_kill(job, out, LOCK_WHY_BROKEN);
		return;
	}
	if (job->stage != LOCK_STAGE_READ)
		return;
	if (event->rc == 0) {
		job->tries = 0;
		job_judge(core, job, out, event->peers, event->term, event->told);
		return;
	}
	if (job->unwanted && !job->in_doubt && !job->is_release) {
		job_free(core, job);
	} else if (job->is_break && ++job->tries >= LOCK_BREAK_TRIES) {
		job_done(job, out, LOCK_DONE_UNKNOWN, event->rc);
		job_free(core, job);
	} else {
		job_tell(job, out, LOCK_TOLD_DISK, event->rc);
		job_seek(core, job, core->config.poll_ms);
	}
}

static void claim_take(struct lock_core *core, const struct lock_event *event, struct lock_job *job,
		       struct lock_out *out)
{
	if (job->stage != LOCK_STAGE_CLAIM && job->stage != LOCK_STAGE_RELEASING)
		return;
	switch (event->outcome) {
	case LOCK_CLAIM_GRANTED:
		if (job->is_release)
			job_lost(core, job, out);
		else
			job_granted(core, job, out);
		return;
	case LOCK_CLAIM_LOST:
		slot_wake(core, job->slot);
		if (job->is_release) {
			job_lost(core, job, out);
			return;
		}
		job->in_doubt = 0;
		job_judge(core, job, out, event->peers, job->term, event->told);
		return;
	case LOCK_CLAIM_UNKNOWN:
		job->in_doubt = !job->is_release;
		break;
	case LOCK_CLAIM_NOT_MADE:
		break;
	}
	slot_wake(core, job->slot);
	if (job->is_break && (job->unwanted || ++job->tries >= LOCK_BREAK_TRIES)) {
		job_done(job, out, LOCK_DONE_UNKNOWN, event->rc);
		job_free(core, job);
		return;
	}
	if (job->unwanted && (!job->in_doubt || core->stopping) && !job->is_release) {
		job_free(core, job);
		return;
	}
	job_tell(job, out, LOCK_TOLD_DISK, event->rc);
	job_seek(core, job, core->config.poll_ms);
}

/* No process is left. */
static void empty_take(struct lock_core *core, struct lock_job *job, struct lock_out *out)
{
	if (job->stage != LOCK_STAGE_KILL)
		return;
	if (job->why == LOCK_WHY_BROKEN || core->dropping ||
	    job->value.incarnation != core->incarnation ||
	    mono_reached(core->now, core->lease_until))
		job_lost(core, job, out);
	else
		job_release(core, job, out);
}

static void event_take(struct lock_core *core, const struct lock_event *event, struct lock_out *out)
{
	struct lock_job *job = NULL;

	for (size_t i = 0; event->token && !job && i < LOCK_JOBS_MAX; i++)
		if (core->jobs[i].stage != LOCK_STAGE_NONE && core->jobs[i].token == event->token)
			job = &core->jobs[i];
	if (!event->token)
		job = job_find(core, event->job);
	switch (event->kind) {
	case LOCK_EVENT_TICK:
		break;
	case LOCK_EVENT_JOINED:
		core_join(core, event, out);
		break;
	case LOCK_EVENT_ACQUIRE:
	case LOCK_EVENT_BREAK:
		job_begin(core, event);
		break;
	case LOCK_EVENT_UNLOCK:
		if (job && (job->stage == LOCK_STAGE_HELD || job->stage == LOCK_STAGE_ENDING))
			job_kill(job, out, LOCK_WHY_NONE)->is_ended = 1;
		break;
	case LOCK_EVENT_GONE:
		if (job)
			job_drop(core, job, out, LOCK_WHY_GONE);
		break;
	case LOCK_EVENT_EMPTY:
		if (job)
			empty_take(core, job, out);
		break;
	case LOCK_EVENT_READ:
		if (job)
			read_take(core, event, job, out);
		break;
	case LOCK_EVENT_CLAIMED:
		if (job)
			claim_take(core, event, job, out);
		break;
	case LOCK_EVENT_STOP:
		core->stopping = 1;
		all_drop(core, out, LOCK_WHY_STOP);
		break;
	case LOCK_EVENT_DROP:
		core->dropping = 1;
		all_drop(core, out, LOCK_WHY_DYING);
		break;
	}
}

/* ---- what time brings ---- */

/* Something runs under the lock. */
static void held_age(struct lock_core *core, struct lock_job *job, struct lock_out *out)
{
	if (job->stage == LOCK_STAGE_KILL)
		return;
	if (mono_reached(core->now, lease_less(core, core->config.kill_left_ms))) {
		job_kill(job, out, LOCK_WHY_LEASE);
	} else if (job->stage == LOCK_STAGE_HELD && !lease_is_good(core)) {
		job->why = LOCK_WHY_LEASE;
		job->stage = LOCK_STAGE_ENDING;
		job->again = MONO_NEVER;
		action_add(out, LOCK_ACTION_END, job);
	} else if (job->stage == LOCK_STAGE_ENDING && mono_reached(core->now, job->again)) {
		job_kill(job, out, job->why);
	} else if (job->stage == LOCK_STAGE_HELD && core->config.watchdog_ms == 0 &&
		   mono_reached(core->now, job->again)) {
		/* Without a watchdog others may break it on an operator's word. */
		job->again = mono_add_ms(core->now, core->config.lease_ms / 2);
		if (!job->is_looked_at)
			job_read(core, job, out);
		job->is_looked_at = 1;
	}
}

static void job_age(struct lock_core *core, struct lock_job *job, struct lock_out *out)
{
	int is_over = mono_reached(core->now, core->lease_until);

	switch (job->stage) {
	case LOCK_STAGE_HELD:
	case LOCK_STAGE_ENDING:
	case LOCK_STAGE_KILL:
		held_age(core, job, out);
		return;
	case LOCK_STAGE_CLAIM:
		/* The end of the lease must not find the watchdog waiting for a claim. */
		if (!job->is_break && !lease_is_good(core)) {
			job->in_doubt = 1;
			job_seek(core, job, core->config.poll_ms);
			slot_wake(core, job->slot);
		}
		return;
	case LOCK_STAGE_SEEK:
		if (job->is_release && is_over) {
			job_lost(core, job, out);
			return;
		}
		if (job->was_told && !job->is_release && mono_reached(core->now, job->wait_until))
			job_done(job, out, LOCK_DONE_TIMEOUT, 0);
		if (job->unwanted && !job->in_doubt && !job->is_release) {
			job_free(core, job);
			return;
		}
		if (mono_reached(core->now, job->again)) {
			job->stage = LOCK_STAGE_READ;
			job_read(core, job, out);
		}
		return;
	case LOCK_STAGE_NONE:
	case LOCK_STAGE_READ:
	case LOCK_STAGE_RELEASING:
		return;
	}
}

/* In the order of their age: who came first is served first. */
static void jobs_age(struct lock_core *core, struct lock_out *out)
{
	uint64_t done = 0;

	for (;;) {
		struct lock_job *next = NULL;

		for (size_t i = 0; i < LOCK_JOBS_MAX; i++) {
			struct lock_job *job = &core->jobs[i];

			if (job->stage != LOCK_STAGE_NONE && job->order > done &&
			    (!next || job->order < next->order))
				next = job;
		}
		if (!next)
			return;
		done = next->order;
		job_age(core, next, out);
	}
}

void lock_core_step(struct lock_core *core, const struct lock_event *event, struct lock_out *out)
{
	out->count = 0;
	if (mono_before(core->now, event->now))
		core->now = event->now;
	core->lease_until = event->lease_until;
	core->config.watchdog_ms = event->watchdog_ms;
	core->config.grain_ms = event->grain_ms;
	lock_peers_see(core, event->peers);
	event_take(core, event, out);
	jobs_age(core, out);
}

mono_t lock_core_deadline(const struct lock_core *core)
{
	mono_t first = MONO_NEVER;

	for (size_t i = 0; i < LOCK_JOBS_MAX; i++) {
		const struct lock_job *job = &core->jobs[i];

		if (job->stage == LOCK_STAGE_HELD) {
			first = mono_min(first, lease_less(core, core->config.term_left_ms));
			if (core->config.watchdog_ms == 0)
				first = mono_min(first, job->again);
		} else if (job->stage == LOCK_STAGE_ENDING) {
			first = mono_min(first, lease_less(core, core->config.kill_left_ms));
			first = mono_min(first, job->again);
		} else if (job->stage == LOCK_STAGE_CLAIM && !job->is_break) {
			first = mono_min(first, lease_less(core, core->config.term_left_ms));
		} else if (job->stage == LOCK_STAGE_SEEK) {
			first = mono_min(first, job->again);
			if (job->was_told && !job->unwanted)
				first = mono_min(first, job->wait_until);
		}
	}
	return first;
}
