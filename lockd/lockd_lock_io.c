/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_lock_io.c - the part of lockd that holds named locks: ops lock, unlock, locks and break.
 *
 * Callers: the list of parts. It runs lock_core: actions become requests to the slots of the lock
 * area, signals to a lock's command and lines to clients; answers become events.
 *
 * The op "lock" is answered when the lock is held no more; what comes before are progress lines. Its
 * connection is the sign of life of `holdfast lock run`: when it ends, lockd kills the command.
 *
 * A lock rests on the lease (lockd_rest_begin) from before its term is claimed until no process of its
 * command is left. Before this node becomes active, what an earlier lockd of the same boot left of
 * commands is ended: others rely on it when they see the larger incarnation (lock_core.h).
 */
#include "lockd/lockd_lock_io.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/clock.h"
#include "lockd/lockd_parts.h"

enum {
	POLL_MS = 250,
	POLL_TOGETHER =
		8, /* so many may look at their locks that often; more of them look less often */
	TERM_PART = 3,	 /* of the lease is left when a command is asked to end */
	KILL_PART = 6,	 /* and when it is killed */
	LEASE_PART = 10, /* how much a lease must have grown to be told of */
};

struct lockd_locks *lockd_locks_of(struct lockd *lockd)
{
	return *lockd_data(lockd, &lockd_lock_part);
}

/* ---- facts ---- */

static enum lock_peer_state state_of(enum hb_peer_state state)
{
	switch (state) {
	case HB_PEER_NEVER:
		return LOCK_PEER_NEVER;
	case HB_PEER_ALIVE:
		return LOCK_PEER_ALIVE;
	case HB_PEER_SUSPECT:
		return LOCK_PEER_SUSPECT;
	case HB_PEER_DEAD:
		return LOCK_PEER_DEAD;
	case HB_PEER_LEFT:
		return LOCK_PEER_LEFT;
	}
	return LOCK_PEER_NEVER;
}

/* Without a heartbeat what was seen last stands: a peer that was alive is not over. */
void lock_peers_look(struct lockd_locks *locks)
{
	const struct lockd *lockd = locks->lockd;

	if (!lockd->heart || !lockd->is_active)
		return;
	for (uint16_t node = 1; node <= lockd->super.nodes_max; node++) {
		const struct hb_peer *peer = hb_core_peer(hb_io_core(lockd->heart), node);
		struct lock_peer *fact = &locks->peers[node - 1];

		*fact = (struct lock_peer){ .state = state_of(peer->state),
					    .incarnation = peer->last.incarnation,
					    .lease_ms = peer->last.lease_ms,
					    .watchdog_ms = peer->last.watchdog_ms,
					    .grain_ms = peer->last.grain_ms,
					    .changed_at = peer->changed_at };
		memcpy(fact->machine, peer->last.machine, LOCK_ID_BYTES);
		memcpy(fact->boot, peer->last.boot, LOCK_ID_BYTES);
	}
}

/* ---- asks ---- */

static struct lock_ask *ask_find(struct lockd_locks *locks, uint32_t id)
{
	struct lock_ask *ask = locks->asks;

	while (ask && ask->id != id)
		ask = ask->next;
	return ask;
}

static struct lock_ask *ask_make(struct lockd_locks *locks, struct lockd_call *call,
				 const char *name)
{
	struct lock_ask *ask = calloc(1, sizeof *ask);

	if (!ask)
		abort();
	ask->locks = locks;
	ask->id = ++locks->next_id;
	ask->call = call;
	ask->peer = call->peer;
	snprintf(ask->name, sizeof ask->name, "%s", name);
	ask->next = locks->asks;
	locks->asks = ask;
	call->data = ask;
	return ask;
}

static void ask_free(struct lockd_locks *locks, struct lock_ask *ask)
{
	struct lock_ask **link = &locks->asks;

	while (*link != ask)
		link = &(*link)->next;
	*link = ask->next;
	if (ask->is_resting)
		lockd_rest_end(locks->lockd);
	lock_family_free(ask->family, 1);
	free(ask);
}

/* What of it rests on the lease, and which are through. */
static void asks_settle(struct lockd_locks *locks)
{
	struct lock_ask *ask = locks->asks, *next;

	for (; ask; ask = next) {
		next = ask->next;
		if (ask->is_resting && !lock_core_job_rests(&locks->core, ask->id)) {
			lockd_rest_end(locks->lockd);
			ask->is_resting = 0;
		}
		if (lock_core_stage(&locks->core, ask->id) == LOCK_STAGE_NONE && !ask->call &&
		    !ask->unlock)
			ask_free(locks, ask);
	}
}

/* ---- actions ---- */

static void step(struct lockd_locks *locks, struct lock_event *event);

static void read_done(uint64_t token, const struct lock_slot_answer *answer, void *context)
{
	struct lock_event event = { .kind = LOCK_EVENT_READ,
				    .token = token,
				    .rc = answer->rc,
				    .term = answer->term,
				    .told = answer->told };

	step(context, &event);
}

static void claim_done(uint64_t token, const struct lock_slot_answer *answer, void *context)
{
	struct lock_event event = { .kind = LOCK_EVENT_CLAIMED,
				    .token = token,
				    .rc = answer->rc,
				    .outcome = answer->outcome,
				    .told = answer->told };

	if (answer->err)
		lockd_log(LOCKD_WARN, "a lock's claim: %s", answer->err->text);
	step(context, &event);
}

static void claim_refuse(struct lockd_locks *locks, uint64_t token, int rc)
{
	struct lock_refusal *refusal = calloc(1, sizeof *refusal);

	if (!refusal)
		abort();
	refusal->token = token;
	refusal->rc = rc;
	refusal->next = locks->refusals;
	locks->refusals = refusal;
}

static void claim_do(struct lockd_locks *locks, const struct lock_action *action)
{
	struct lock_ask *ask = ask_find(locks, action->job);
	struct err err;

	if (action->value->kind == LOCK_HELD && !ask->is_resting) {
		int rc = lockd_rest_begin(locks->lockd, &err);

		if (rc) {
			ask->disk = err;
			claim_refuse(locks, action->token, rc);
			return;
		}
		ask->is_resting = 1;
	}
	lock_slot_claim(locks->slots, action->slot, action->term, action->value, action->token,
			claim_done, locks);
}

static void event_lock(struct lock_ask *ask, const char *state, const char *why)
{
	lockd_event(ask->locks->lockd, LOCKD_TOPIC_LOCK,
		    json_pack("{s:s, s:s, s:s}", "name", ask->name, "state", state, "why", why));
}

static void action_do(struct lockd_locks *locks, const struct lock_action *action)
{
	struct lock_ask *ask = ask_find(locks, action->job);

	assert(ask);
	switch (action->kind) {
	case LOCK_ACTION_READ:
		lock_slot_read(locks->slots, action->slot, action->token, read_done, locks);
		break;
	case LOCK_ACTION_CLAIM:
		claim_do(locks, action);
		break;
	case LOCK_ACTION_END:
		lockd_say(locks->lockd, LOCKD_WARN, "lock %s: its command is asked to end (%s)",
			  ask->name, lock_why_word(action->why));
		lock_say_end(ask, action);
		break;
	case LOCK_ACTION_KILL:
		if (!action->is_ended)
			lockd_say(locks->lockd, LOCKD_WARN,
				  "lock %s: its command is being killed (%s)", ask->name,
				  lock_why_word(action->why));
		if (ask->family)
			lock_family_end(ask->family, action->is_ended);
		else
			ask->is_empty = 1;
		break;
	case LOCK_ACTION_TELL:
		if (action->told == LOCK_TOLD_GRANTED) {
			ask->is_held = 1;
			ask->told_until = locks->core.lease_until;
			event_lock(ask, "held", "none");
		}
		lock_say_told(ask, action);
		break;
	case LOCK_ACTION_DONE:
		if (ask->is_held)
			event_lock(ask, "over", lock_why_word(action->why));
		ask->is_over = 1;
		lock_say_done(ask, action);
		break;
	}
}

static void timer_set(struct lockd_locks *locks)
{
	boot_timer_set(&locks->timer, lock_core_deadline(&locks->core));
}

/* The disks are the heartbeat's too: however many wait, they ask about as much. */
static uint32_t poll_ms(const struct lockd_locks *locks)
{
	uint32_t waiting = 0;

	for (const struct lock_ask *ask = locks->asks; ask; ask = ask->next)
		waiting += !ask->is_held && !ask->is_over;
	return POLL_MS * (waiting < POLL_TOGETHER ? 1 : waiting / POLL_TOGETHER);
}

static void step_once(struct lockd_locks *locks, struct lock_event *event)
{
	locks->core.config.poll_ms = poll_ms(locks);
	event->now = clock_now();
	event->lease_until = lockd_lease_until(locks->lockd);
	event->peers = locks->peers;
	event->watchdog_ms = locks->lockd->config.watchdog_ms;
	event->grain_ms = locks->lockd->config.grain_ms;
	lock_peers_look(locks);
	lock_core_step(&locks->core, event, &locks->out);
	for (size_t i = 0; i < locks->out.count; i++)
		action_do(locks, &locks->out.actions[i]);
}

/* One thing that came up meanwhile. */
static int step_pending(struct lockd_locks *locks)
{
	struct lock_event event = { .kind = LOCK_EVENT_CLAIMED, .outcome = LOCK_CLAIM_NOT_MADE };

	if (locks->refusals) {
		struct lock_refusal *refusal = locks->refusals;

		event.token = refusal->token;
		event.rc = refusal->rc;
		locks->refusals = refusal->next;
		free(refusal);
		step_once(locks, &event);
		return 1;
	}
	for (struct lock_ask *ask = locks->asks; ask; ask = ask->next) {
		if (!ask->is_empty && !ask->is_gone)
			continue;
		event.kind = ask->is_empty ? LOCK_EVENT_EMPTY : LOCK_EVENT_GONE;
		event.job = ask->id;
		if (ask->is_empty)
			ask->is_empty = 0;
		else
			ask->is_gone = 0;
		step_once(locks, &event);
		return 1;
	}
	if (locks->is_drop_due || locks->is_tick_due) {
		event.kind = locks->is_drop_due ? LOCK_EVENT_DROP : LOCK_EVENT_TICK;
		locks->is_drop_due = locks->is_tick_due = 0;
		step_once(locks, &event);
		return 1;
	}
	return 0;
}

/* Actions may bring events with them, also a client that is dropped because it does not read, and the
 * end of the lease when it is looked at anew: they wait here. */
static void step(struct lockd_locks *locks, struct lock_event *event)
{
	if (!locks->is_core_there)
		return;
	assert(!locks->is_stepping);
	locks->is_stepping = 1;
	step_once(locks, event);
	while (step_pending(locks))
		;
	locks->is_stepping = 0;
	asks_settle(locks);
	timer_set(locks);
}

static void tick(struct lockd_locks *locks)
{
	struct lock_event event = { .kind = LOCK_EVENT_TICK };

	step(locks, &event);
}

static void timer_fired(struct boot_timer *timer)
{
	struct lockd_locks *locks = timer->data;

	/* What is due may hang on a lease that has just ended (S6). */
	tick(locks);
}

/* ---- ops ---- */

static void call_gone(struct lockd_call *call)
{
	struct lock_ask *ask = call->data;

	if (call == ask->unlock) {
		ask->unlock = NULL;
		return;
	}
	ask->call = NULL;
	ask->is_gone = 1;
	if (!ask->locks->is_stepping)
		tick(ask->locks);
}

static void family_is_empty(void *context)
{
	struct lock_ask *ask = context;

	ask->is_empty = 1;
	if (!ask->locks->is_stepping)
		tick(ask->locks);
}

static int name_read(const struct lockd_call *call, const char **name, struct err *err)
{
	int rc = lockd_call_text(call, "name", 1, name, err);

	if (rc)
		return rc;
	if (!lock_name_ok(*name))
		return err_set(err, RC_CONFIG, "use 1 to 63 letters, digits and . - _ : / @",
			       "request: \"name\" is no lock's name");
	return 0;
}

/* "HOLDFAST_LOCK_ID=" and hexadecimal digits: it becomes a file's name. */
static int tag_ok(const char *tag)
{
	static const char head[] = "HOLDFAST_LOCK_ID=";
	size_t length = strlen(tag);

	return strncmp(tag, head, sizeof head - 1) == 0 && length >= sizeof head &&
	       length < FAMILY_TAG_BYTES &&
	       strspn(tag + sizeof head - 1, "0123456789abcdef") == length - (sizeof head - 1);
}

static int family_read(const struct lockd_call *call, struct family *family, struct err *err)
{
	int64_t group = 0;
	const char *tag = "";
	pid_t parent = 0, of = 0;

	if (lockd_call_number(call, "pgid", 1, 2, INT32_MAX, &group, err) ||
	    lockd_call_text(call, "tag", 1, &tag, err))
		return err->rc;
	if (!tag_ok(tag))
		return err_set(err, RC_CONFIG, "see docs/lockd-protocol.md",
			       "request: \"tag\" is none");
	*family = (struct family){ .group = (pid_t)group,
				   .group_start = process_start((pid_t)group) };
	snprintf(family->tag, sizeof family->tag, "%s", tag);
	/* What is killed in the end must be the client's own. */
	if (process_look(family->group, &parent, &of) || parent != call->pid ||
	    of != family->group || family->group_start == 0)
		return err_set(err, RC_CONFIG, "start it first, in a process group of its own",
			       "request: %d is no process group of a child of process %d",
			       (int)group, (int)call->pid);
	return 0;
}

static int ask_is_there(const struct lockd_locks *locks, const struct lockd_call *call,
			const char *name)
{
	for (const struct lock_ask *ask = locks->asks; ask; ask = ask->next)
		if (ask->peer == call->peer && ask->call && strcmp(ask->name, name) == 0)
			return 1;
	return 0;
}

static int lock_begin(struct lockd_call *call, const char **name, int64_t *wait_ms,
		      struct family *family, struct err *err)
{
	struct lockd_locks *locks = lockd_locks_of(call->lockd);

	if (name_read(call, name, err) ||
	    lockd_call_number(call, "wait_ms", 0, 0, INT32_MAX, wait_ms, err) ||
	    family_read(call, family, err))
		return err->rc;
	if (call->lockd->is_stopping || call->lockd->is_dying)
		return err_set(err, RC_STATE, NULL, "lock %s: lockd is stopping", *name);
	if (ask_is_there(locks, call, *name))
		return err_set(err, RC_CONFIG, "unlock it first",
			       "lock %s: this connection has asked for it already", *name);
	if (!lock_core_has_room(&locks->core))
		return err_set(err, RC_BUSY, "end some of them",
			       "lock %s: this node has %d locks or waits for them", *name,
			       LOCK_JOBS_MAX);
	return 0;
}

static const char *text_of(const struct lockd_call *call, const char *member)
{
	const char *text = json_string_value(json_object_get(call->request, member));

	return text ? text : "";
}

static void lock_run(struct lockd_call *call)
{
	struct lockd_locks *locks = lockd_locks_of(call->lockd);
	struct lock_event event = { .kind = LOCK_EVENT_ACQUIRE, .wait_until = MONO_NEVER };
	const char *name = "";
	int64_t wait_ms = -1;
	struct family family;
	struct lock_ask *ask;
	struct err err;

	if (lock_begin(call, &name, &wait_ms, &family, &err)) {
		lockd_call_fail(call, &err);
		return;
	}
	ask = ask_make(locks, call, name);
	if (lock_family_open(call->lockd, name, &family, family_is_empty, ask, &ask->family,
			     &err)) {
		ask->call = NULL;
		ask_free(locks, ask);
		lockd_call_fail(call, &err);
		return;
	}
	call->gone = call_gone;
	event.job = ask->id;
	event.name = name;
	event.by = text_of(call, "by");
	event.command = text_of(call, "command");
	event.wall_s = (uint64_t)time(NULL);
	if (wait_ms >= 0)
		event.wait_until = mono_add_ms(clock_now(), wait_ms);
	step(locks, &event);
}

static void unlock_run(struct lockd_call *call)
{
	struct lockd_locks *locks = lockd_locks_of(call->lockd);
	struct lock_event event = { .kind = LOCK_EVENT_UNLOCK };
	struct lock_ask *ask = locks->asks;
	const char *name = "";
	struct err err;

	if (name_read(call, &name, &err)) {
		lockd_call_fail(call, &err);
		return;
	}
	while (ask && !(ask->peer == call->peer && ask->call && strcmp(ask->name, name) == 0))
		ask = ask->next;
	if (!ask || !ask->is_held || ask->unlock) {
		err_set(&err, RC_STATE, NULL, "lock %s: is not held by this connection", name);
		lockd_call_fail(call, &err);
		return;
	}
	ask->unlock = call;
	call->data = ask;
	call->gone = call_gone;
	event.job = ask->id;
	step(locks, &event);
}

static void break_run(struct lockd_call *call)
{
	struct lockd_locks *locks = lockd_locks_of(call->lockd);
	struct lock_event event = { .kind = LOCK_EVENT_BREAK };
	const char *name = "", *confirm = NULL;
	int64_t term = 0;
	struct lock_ask *ask;
	struct err err = { .rc = 0 };

	if (name_read(call, &name, &err) == 0 &&
	    lockd_call_text(call, "confirm", 0, &confirm, &err) == 0 &&
	    lockd_call_number(call, "term", confirm != NULL, 1, INT64_MAX, &term, &err) == 0) {
		if (confirm && strcmp(confirm, name) != 0)
			err_set(&err, RC_CONFIG, "type the name of the lock",
				"lock %s: \"%s\" is not its name", name, confirm);
		else if (!lock_core_has_room(&locks->core))
			err_set(&err, RC_BUSY, "try again", "lock %s: too many locks at work",
				name);
	}
	if (err.rc) {
		lockd_call_fail(call, &err);
		return;
	}
	ask = ask_make(locks, call, name);
	call->gone = call_gone;
	event.job = ask->id;
	event.name = name;
	event.by = text_of(call, "by");
	event.wall_s = (uint64_t)time(NULL);
	event.confirmed = confirm ? (uint64_t)term : 0;
	step(locks, &event);
}

static const struct lockd_op ops[] = {
	{ .name = "lock", .run = lock_run, .needs_active = 1 },
	{ .name = "unlock", .run = unlock_run },
	{ .name = "locks", .run = lock_list_run, .needs_active = 1 },
	{ .name = "break", .run = break_run, .needs_active = 1 },
	{ .name = NULL },
};

/* ---- hooks ---- */

static int part_begin(struct lockd *lockd, struct err *err)
{
	struct lockd_locks *locks;
	int rc = lock_families_end_old(lockd, err);

	if (rc)
		return rc;
	locks = calloc(1, sizeof *locks);
	if (!locks)
		abort();
	locks->lockd = lockd;
	if (boot_timer_init(&locks->timer, &lockd->loop, timer_fired, locks)) {
		free(locks);
		return err_set(err, RC_INTERNAL, "check the limit of open files", "no timer");
	}
	locks->slots = lock_slots_open(lockd);
	*lockd_data(lockd, &lockd_lock_part) = locks;
	return 0;
}

static void core_begin(struct lockd_locks *locks)
{
	const struct lockd *lockd = locks->lockd;
	const struct hb_config *heart = &lockd->config;
	struct lock_config config = {
		.node = heart->node,
		.nodes_max = lockd->super.nodes_max,
		.lease_ms = heart->lease_ms,
		.watchdog_ms = heart->watchdog_ms,
		.grain_ms = heart->grain_ms,
		.drain_ms = heart->drain_ms,
		.drift_ppm = heart->drift_ppm,
		.slots = lockd->super.locks_max,
		.term_left_ms = heart->lease_ms / TERM_PART,
		.kill_left_ms = heart->lease_ms / KILL_PART,
		.poll_ms = POLL_MS,
	};

	memcpy(config.machine, heart->machine, LOCK_ID_BYTES);
	memcpy(config.boot, heart->boot, LOCK_ID_BYTES);
	lock_core_init(&locks->core, &config, clock_now());
	locks->is_core_there = 1;
}

static void part_noted(struct lockd *lockd, const struct hb_note *note)
{
	struct lockd_locks *locks = lockd_locks_of(lockd);
	struct lock_event event = { .kind = LOCK_EVENT_JOINED };

	if (note->kind != HB_NOTE_ACTIVE) {
		if (note->kind != HB_NOTE_LEASE_LOST && note->kind != HB_NOTE_PEER)
			return;
		if (locks->is_stepping)
			locks->is_tick_due = 1;
		else
			tick(locks);
		return;
	}
	if (!locks->is_core_there)
		core_begin(locks);
	/* What the slots were asked of before is not answered. */
	lock_lists_fail(locks);
	lock_slots_join(locks->slots, (uint32_t)note->value, lockd->config.nonce);
	event.incarnation = (uint32_t)note->value;
	step(locks, &event);
}

static void part_lease(struct lockd *lockd, mono_t now, mono_t until)
{
	struct lockd_locks *locks = lockd_locks_of(lockd);
	struct lock_ask *next;

	if (!locks->is_core_there)
		return;
	tick(locks);
	for (struct lock_ask *ask = locks->asks; ask; ask = next) {
		next = ask->next;
		if (!ask->is_held || !ask->call || ask->is_over || !mono_before(now, until) ||
		    mono_diff_ms(ask->told_until, until) <
			    (int64_t)lockd->options.lease_ms / LEASE_PART)
			continue;
		ask->told_until = until;
		/* A client that does not read may be dropped here. */
		locks->is_stepping = 1;
		lock_say_lease(ask, until);
		locks->is_stepping = 0;
	}
	tick(locks);
}

static void part_dying(struct lockd *lockd)
{
	struct lockd_locks *locks = lockd_locks_of(lockd);
	struct lock_event event = { .kind = LOCK_EVENT_DROP };

	if (locks->is_stepping)
		locks->is_drop_due = 1;
	else
		step(locks, &event);
}

static int part_stop(struct lockd *lockd)
{
	struct lockd_locks *locks = lockd_locks_of(lockd);
	struct lock_event event = { .kind = LOCK_EVENT_STOP };

	if (!locks->is_core_there)
		return 0;
	step(locks, &event);
	return lock_core_is_busy(&locks->core);
}

static void part_status(struct lockd *lockd, json_t *status)
{
	const struct lockd_locks *locks = lockd_locks_of(lockd);
	int held = 0, waiting = 0;

	for (const struct lock_ask *ask = locks->asks; ask; ask = ask->next) {
		if (ask->is_held)
			held++;
		else
			waiting++;
	}
	json_object_set_new(status, "locks",
			    json_pack("{s:i, s:i}", "held", held, "asked", waiting));
}

static void part_answered(struct lockd *lockd, unsigned d, const struct disk_answer *answer)
{
	lock_slots_answered(lockd_locks_of(lockd)->slots, d, answer);
}

static void part_path(struct lockd *lockd, unsigned d, enum lockd_path what)
{
	struct lockd_locks *locks = lockd_locks_of(lockd);

	if (locks)
		lock_slots_path(locks->slots, d, (int)what);
}

static void timer_closed(struct boot_timer *timer)
{
	free(timer->data);
}

static void part_end(struct lockd *lockd)
{
	struct lockd_locks *locks = lockd_locks_of(lockd);

	if (!locks)
		return;
	while (locks->asks) {
		struct lock_ask *ask = locks->asks;

		locks->asks = ask->next;
		/* What is left of its command is for the lockd that follows. */
		lock_family_free(ask->family, 0);
		free(ask);
	}
	lock_lists_end(locks);
	while (locks->refusals) {
		struct lock_refusal *refusal = locks->refusals;

		locks->refusals = refusal->next;
		free(refusal);
	}
	lock_slots_close(locks->slots);
	*lockd_data(lockd, &lockd_lock_part) = NULL;
	boot_timer_close(&locks->timer, timer_closed);
}

const struct lockd_part lockd_lock_part = {
	.name = "locks",
	.token_bit = LOCKD_TOKEN_LOCKS,
	.ops = ops,
	.begin = part_begin,
	.answered = part_answered,
	.path = part_path,
	.noted = part_noted,
	.lease = part_lease,
	.dying = part_dying,
	.stop = part_stop,
	.status = part_status,
	.end = part_end,
};
