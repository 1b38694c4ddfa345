/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_lock_say_io.c - what the clients of named locks are told; see lockd_lock_io.h and
 * docs/lockd-protocol.md.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/clock.h"
#include "lockd/lockd_lock_io.h"

/* "b (node 2)", or "node 2" where its name is not known. */
static void holder_name(const struct lockd_locks *locks, const struct lock_term *holder, char *text,
			size_t size)
{
	const char *name = lockd_node_name(locks->lockd, holder->node);

	if (name[0])
		snprintf(text, size, "%s (node %u)", name, holder->node);
	else
		snprintf(text, size, "node %u", holder->node);
}

void lock_put_holder(const struct lockd_locks *locks, json_t *object,
		     const struct lock_term *holder, enum lock_fate fate, mono_t at)
{
	const char *name = lockd_node_name(locks->lockd, holder->node);

	json_object_set_new(object, "holder", json_string(name));
	json_object_set_new(object, "holder_node", json_integer(holder->node));
	json_object_set_new(object, "incarnation", json_integer(holder->incarnation));
	json_object_set_new(object, "command", json_string(holder->command));
	json_object_set_new(object, "fate", json_string(lock_fate_word(fate)));
	if (fate == LOCK_FATE_PENDING && !mono_is_never(at))
		json_object_set_new(object, "in_ms", json_integer(mono_left_ms(clock_now(), at)));
}

/* ---- progress ---- */

void lock_say_told(struct lock_ask *ask, const struct lock_action *action)
{
	const struct lockd_locks *locks = ask->locks;
	json_t *fields = json_object();

	if (!ask->call) {
		json_decref(fields);
		return;
	}
	switch (action->told) {
	case LOCK_TOLD_WAITING:
		if (action->holder)
			lock_put_holder(locks, fields, action->holder, action->fate, action->at);
		lockd_call_progress(ask->call, "waiting", fields);
		break;
	case LOCK_TOLD_LEASE:
		lockd_call_progress(ask->call, "not-ready", fields);
		break;
	case LOCK_TOLD_DISK:
		json_object_set_new(fields, "cause", json_string(rc_word(action->rc)));
		lockd_call_progress(ask->call, "disk", fields);
		break;
	case LOCK_TOLD_GRANTED:
		json_object_update_new(
			fields,
			json_pack("{s:I, s:i, s:I, s:i, s:i}", "term", (json_int_t)action->term,
				  "node", (int)locks->core.config.node, "until_ns",
				  (json_int_t)locks->core.lease_until.ns, "term_left_ms",
				  (int)locks->core.config.term_left_ms, "kill_left_ms",
				  (int)locks->core.config.kill_left_ms));
		lockd_call_progress(ask->call, "granted", fields);
		break;
	}
}

static const char *why_text(enum lock_why why)
{
	static const char *const texts[] = {
		[LOCK_WHY_NONE] = "",
		[LOCK_WHY_LEASE] = "this node's lease on the shared disks is being lost",
		[LOCK_WHY_BROKEN] = "an operator broke the lock",
		[LOCK_WHY_STOP] = "lockd stops",
		[LOCK_WHY_DYING] = "this node is about to be reset",
		[LOCK_WHY_GONE] = "who asked for it is gone",
	};

	return texts[why];
}

void lock_say_end(struct lock_ask *ask, const struct lock_action *action)
{
	if (ask->call)
		lockd_call_progress(ask->call, "end",
				    json_pack("{s:s, s:s}", "why", lock_why_word(action->why),
					      "text", why_text(action->why)));
}

void lock_say_lease(struct lock_ask *ask, mono_t until)
{
	lockd_call_progress(ask->call, "lease",
			    json_pack("{s:I}", "until_ns", (json_int_t)until.ns));
}

/* ---- the end ---- */

/* Who is in the way, and for how long. */
static void timeout_text(const struct lock_ask *ask, const struct lock_action *action,
			 struct err *err)
{
	char holder[128];

	if (!action->holder) {
		err_set(err, RC_BUSY, "see holdfast lock status",
			"lock %s: not got in time: the disks or the lease of this node were not "
			"good "
			"enough (%s)",
			ask->name, ask->disk.rc ? ask->disk.text : "no answer");
		return;
	}
	holder_name(ask->locks, action->holder, holder, sizeof holder);
	if (action->fate == LOCK_FATE_PENDING)
		err_set(err, RC_BUSY, "wait longer",
			"lock %s: held by %s, whose lease ends in at most %" PRId64 " ms",
			ask->name, holder, mono_left_ms(clock_now(), action->at));
	else if (action->fate == LOCK_FATE_UNPROVABLE)
		err_set(err, RC_BUSY, "make sure that it is off, then use \"holdfast lock break\"",
			"lock %s: held by %s, which is silent and has no watchdog", ask->name,
			holder);
	else
		err_set(err, RC_BUSY, "wait longer, or end what runs there", "lock %s: held by %s",
			ask->name, holder);
}

static void refused_text(const struct lock_ask *ask, const struct lock_action *action,
			 struct err *err)
{
	char holder[128];

	holder_name(ask->locks, action->holder, holder, sizeof holder);
	if (action->fate == LOCK_FATE_PENDING)
		err_set(err, RC_STATE, "try again then; whoever waits for it gets it by itself",
			"lock %s: not broken: its holder %s is silent, and is proven over in "
			"%" PRId64 " ms",
			ask->name, holder, mono_left_ms(clock_now(), action->at));
	else
		err_set(err, RC_STATE,
			"end its command there; or end that node, its lock is free when that is "
			"proven",
			"lock %s: not broken: its holder %s is alive%s%s", ask->name, holder,
			action->holder->command[0] ? " and runs " : "", action->holder->command);
}

static void failure_text(const struct lock_ask *ask, const struct lock_action *action,
			 struct err *err)
{
	switch (action->result) {
	case LOCK_DONE_TIMEOUT:
		timeout_text(ask, action, err);
		break;
	case LOCK_DONE_FULL:
		err_set(err, RC_CONFIG,
			"use a name that is there, or disks initialised with more --locks",
			"lock %s: each of the %u places for locks belongs to another name",
			ask->name, ask->locks->core.config.slots);
		break;
	case LOCK_DONE_ABSENT:
		err_set(err, RC_STATE, "see holdfast lock list",
			"lock %s: there is no lock of that name", ask->name);
		break;
	case LOCK_DONE_REFUSED:
		refused_text(ask, action, err);
		break;
	case LOCK_DONE_UNKNOWN:
		err_set(err, RC_UNREACHABLE, "see holdfast lock list",
			"lock %s: the disks do not answer (%s); it may be broken later", ask->name,
			rc_word(action->rc));
		break;
	case LOCK_DONE_LOST:
		err_set(err, RC_STATE, NULL, "lock %s: lost: %s", ask->name, why_text(action->why));
		break;
	default:
		err_set(err, RC_STATE, NULL, "lock %s: not got: %s", ask->name,
			why_text(action->why));
		break;
	}
}

/* The answer that is a good one; NULL: it is none. */
static json_t *success(const struct lock_ask *ask, const struct lock_action *action)
{
	json_t *fields;

	switch (action->result) {
	case LOCK_DONE_RELEASED:
		return json_pack("{s:s, s:s}", "name", ask->name, "state", "released");
	case LOCK_DONE_FREE:
		return json_pack("{s:s, s:s}", "name", ask->name, "state", "free");
	case LOCK_DONE_BROKEN:
	case LOCK_DONE_CONFIRM:
		fields = json_pack("{s:s, s:s, s:I}", "name", ask->name, "state",
				   action->result == LOCK_DONE_BROKEN ? "broken" : "confirm",
				   "term", (json_int_t)action->term);
		lock_put_holder(ask->locks, fields, action->holder, action->fate, action->at);
		return fields;
	default:
		return NULL;
	}
}

static void call_end(struct lockd_call **call, json_t *fields, const struct err *err)
{
	struct lockd_call *ended = *call;

	*call = NULL;
	if (ended && fields)
		lockd_call_ok(ended, json_deep_copy(fields));
	else if (ended)
		lockd_call_fail(ended, err);
}

void lock_say_done(struct lock_ask *ask, const struct lock_action *action)
{
	json_t *fields = success(ask, action);
	struct err err = { .rc = 0 };

	if (!fields)
		failure_text(ask, action, &err);
	call_end(&ask->unlock, fields, &err);
	call_end(&ask->call, fields, &err);
	json_decref(fields);
}
