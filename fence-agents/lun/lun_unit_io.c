/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lun_unit_io.c - jobs of pr_core carried out on one unit; see lun_unit_io.h.
 */
#include "fence-agents/lun/lun_unit_io.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "host/clock.h"

enum {
	EVENTS_MAX = 64,
	ATTENTIONS_MAX = 16, /* of one look */
	VICTIM_ROUNDS_MAX = 16,
	NOTHING_COMES = 1,
	BUSY_WAIT_MS = 50,
};

/* One job at hand. */
struct run {
	struct lun_unit *unit;
	struct pr_core core;
	struct pr_event events[EVENTS_MAX];
	size_t first, count;
	struct pr_client_answer answer;
	struct pr_keys keys;
};

/* ---- what was read ---- */

size_t lun_unit_count(const struct lun_unit *unit, uint64_t key)
{
	size_t count = 0;

	for (uint32_t i = 0; i < unit->keys.count; i++)
		count += unit->keys.key[i] == key;
	return count;
}

size_t lun_unit_count_node(const struct lun_unit *unit, uint64_t node_key)
{
	size_t count = 0;

	for (uint32_t i = 0; i < unit->keys.count; i++)
		count += pr_key_is_same_node(unit->keys.key[i], node_key);
	return count;
}

enum power_state lun_unit_state(const struct lun_unit *unit, uint64_t node_key)
{
	if (!unit->is_read || unit->keys.total > unit->keys.count)
		return POWER_UNKNOWN;
	/* Without a reservation a key means nothing, and everybody may write. */
	if (lun_unit_count_node(unit, node_key) > 0 || !unit->held.is_held)
		return POWER_ON;
	return POWER_OFF;
}

int lun_unit_is_session(const struct lun_unit *unit)
{
	for (size_t i = 0; i < unit->paths_count; i++)
		if (strncmp(unit->paths[i]->url, "iscsi://", 8) != 0)
			return 0;
	return 1;
}

static void unit_fail(struct lun_unit *unit, int rc, const char *next, const char *what)
{
	unit->outcome = LUN_FAILED;
	err_set(&unit->err, rc, next, "%.200s: %s", unit->name, what);
}

/* ---- looking ---- */

static int path_is_usable(const struct lun_path *path)
{
	return path->client && !path->is_silent;
}

static void path_silence(struct lun_path *path, const struct pr_client_answer *answer)
{
	path->is_silent = 1;
	path->rc = answer->err.rc ? answer->err.rc : RC_TIMEOUT;
	path->err = answer->err;
}

/* PERSISTENT RESERVE IN until it has an answer that is about the question. */
static int path_in(struct lun_path *path, enum pr_command command, struct pr_client_answer *answer)
{
	for (int i = 0; i <= ATTENTIONS_MAX; i++) {
		pr_client_in(path->client, command, answer);
		if (answer->reply.meaning != PR_MEANS_ATTENTION)
			break;
	}
	if (answer->reply.meaning == PR_MEANS_GOOD)
		return 0;
	if (answer->reply.meaning == PR_MEANS_NO_ANSWER ||
	    answer->reply.meaning == PR_MEANS_NOT_SENT) {
		path_silence(path, answer);
	} else {
		char text[200];

		path->rc = err_set(&path->err, RC_PROTOCOL,
				   "see whether it has reservations: "
				   "\"holdfast pr capabilities\"",
				   "%s: %s: %s", path->name, pr_command_word(command),
				   pr_reply_text(&answer->reply, text, sizeof text));
	}
	return path->rc;
}

static int path_look(struct lun_unit *unit, struct lun_path *path)
{
	struct pr_client_answer answer;
	int rc;

	if (!path_is_usable(path))
		return path->rc;
	pr_client_set_timeout(path->client, unit->io_timeout_ms);
	rc = path_in(path, PR_READ_KEYS, &answer);
	if (rc == 0)
		rc = pr_keys_in(answer.data, answer.bytes, &unit->keys, &path->err);
	if (rc == 0)
		rc = path_in(path, PR_READ_RESERVATION, &answer);
	if (rc == 0)
		rc = pr_reservation_in(answer.data, answer.bytes, &unit->held, &path->err);
	path->rc = rc;
	return rc;
}

void lun_unit_read(struct lun_unit *unit)
{
	unit->is_read = 0;
	unit->outcome = LUN_OK;
	for (size_t i = 0; i < unit->paths_count; i++) {
		if (mono_reached(clock_now(), unit->until)) {
			unit_fail(unit, RC_TIMEOUT, NULL, "the time is up");
			return;
		}
		if (path_look(unit, unit->paths[i]) == 0) {
			unit->is_read = 1;
			return;
		}
	}
	unit->outcome = LUN_FAILED;
	unit->err = unit->paths[0]->err;
}

/* ---- carrying out ---- */

static void event_add(struct run *run, const struct pr_event *event)
{
	assert(run->count < EVENTS_MAX);
	run->events[(run->first + run->count++) % EVENTS_MAX] = *event;
}

static void path_event(struct run *run, enum pr_event_kind kind, size_t path)
{
	event_add(run, &(struct pr_event){ .kind = kind, .path = (unsigned)path });
}

/* The answer as the core wants it; its keys stay in the run. */
static void answer_event(struct run *run, const struct pr_action *sent)
{
	struct pr_event event = { .kind = PR_EVENT_ANSWER,
				  .token = sent->token,
				  .reply = run->answer.reply };
	const struct pr_client_answer *answer = &run->answer;
	struct pr_reservation held;
	struct err ignored;
	int rc = 0;

	if (answer->reply.meaning == PR_MEANS_GOOD && sent->command == PR_READ_KEYS) {
		rc = pr_keys_in(answer->data, answer->bytes, &run->keys, &ignored);
		event.generation = run->keys.generation;
		event.keys = run->keys.key;
		event.keys_count = run->keys.count;
		event.keys_cut = run->keys.total > run->keys.count;
	} else if (answer->reply.meaning == PR_MEANS_GOOD && sent->command == PR_READ_RESERVATION) {
		rc = pr_reservation_in(answer->data, answer->bytes, &held, &ignored);
		event.generation = held.generation;
		event.is_held = held.is_held;
		event.holder = held.key;
		event.held_type = held.type;
	}
	if (rc)
		event.reply.meaning = PR_MEANS_FAILED; /* an answer that makes no sense */
	event_add(run, &event);
}

static void command_run(struct run *run, const struct pr_action *action)
{
	struct lun_unit *unit = run->unit;
	struct lun_path *path = unit->paths[action->path];
	int64_t left_ms = mono_left_ms(clock_now(), unit->until);
	struct pr_client_answer *answer = &run->answer;

	*answer = (struct pr_client_answer){ .reply = { .meaning = PR_MEANS_NOT_SENT } };
	if (left_ms > 0) {
		const struct pr_out out = { .command = action->command,
					    .type = action->type,
					    .key = action->key,
					    .service_key = action->service_key,
					    .aptpl = action->aptpl };

		pr_client_set_timeout(path->client, left_ms < unit->io_timeout_ms
							    ? left_ms
							    : unit->io_timeout_ms);
		if (pr_command_is_out(action->command)) {
			unit->was_sent = 1;
			if (pr_client_out(path->client, &out, answer, &unit->err) != 0)
				answer->reply.meaning = PR_MEANS_NOT_SENT;
		} else {
			pr_client_in(path->client, action->command, answer);
		}
	}
	if (answer->reply.meaning == PR_MEANS_NO_ANSWER ||
	    answer->reply.meaning == PR_MEANS_NOT_SENT)
		path_silence(path, answer);
	if (action->command == PR_REGISTER && answer->reply.meaning == PR_MEANS_GOOD &&
	    unit->key != 0 && action->key == unit->key && action->service_key == unit->next_key)
		unit->has_succeeded = 1;
	answer_event(run, action);
}

/* A command may act yet. A new session disposes of it; where there are no sessions the path is lost. */
static void path_recover(struct run *run, size_t number)
{
	struct lun_path *path = run->unit->paths[number];
	struct err err;

	if (mono_reached(clock_now(), run->unit->until) ||
	    pr_client_login(path->client, &err) != 0) {
		path_event(run, PR_EVENT_PATH_DOWN, number);
		return;
	}
	path->is_silent = 0;
	path->rc = 0;
	path_event(run, PR_EVENT_PATH_UP, number);
}

/* Carry out the actions of one step. 1: the job has ended. */
static int actions_run(struct run *run, const struct pr_actions *actions, uint64_t job_token,
		       struct pr_result *result)
{
	int is_over = 0;

	for (size_t i = 0; i < actions->count; i++) {
		const struct pr_action *action = &actions->list[i];

		switch (action->kind) {
		case PR_ACTION_SEND:
			command_run(run, action);
			break;
		case PR_ACTION_RECOVER:
			path_recover(run, action->path);
			break;
		case PR_ACTION_FINISH:
			if (action->job_token == job_token) {
				*result = action->result;
				is_over = 1;
			}
			break;
		case PR_ACTION_NOTE:
			break;
		}
	}
	return is_over;
}

/* Nothing is queued: wait for the moment the core asks for. NOTHING_COMES: it waits for a path, and none
 * will come, because all that happens here happens in this thread. */
static int wait_run(struct run *run)
{
	if (run->core.command.token == 0 || mono_is_never(run->core.command.again_at))
		return NOTHING_COMES;
	clock_sleep_until(mono_min(run->core.command.again_at, pr_core_deadline(&run->core)));
	event_add(run, &(struct pr_event){ .kind = PR_EVENT_TIME });
	return 0;
}

static void job_run(struct run *run, enum pr_job_kind kind, uint64_t victim, int aptpl,
		    struct pr_result *result)
{
	static const uint64_t token = 1;
	const struct pr_reservation *held = &run->unit->held;
	struct pr_actions actions;

	event_add(run, &(struct pr_event){
			       .kind = PR_EVENT_JOB,
			       .job = kind,
			       .job_token = token,
			       .deadline = run->unit->until,
			       .admission = kind == PR_JOB_JOIN ? run->core.spent_admission + 1 : 0,
			       .aptpl = aptpl,
			       .type = held->is_held && pr_type_is_shared(held->type)
					       ? held->type
					       : PR_TYPE_WRITE_EXCLUSIVE_RO,
			       .victim = victim });
	for (;;) {
		struct pr_event event;

		if (run->count == 0 && wait_run(run) == NOTHING_COMES) {
			*result = (struct pr_result){ .outcome = PR_UNKNOWN,
						      .cause = PR_CAUSE_NO_PATH,
						      .meaning = PR_MEANS_NO_ANSWER };
			return;
		}
		event = run->events[run->first];
		run->first = (run->first + 1) % EVENTS_MAX;
		run->count--;
		event.now = clock_now();
		pr_core_step(&run->core, &event, &actions);
		if (actions_run(run, &actions, token, result))
			return;
	}
}

/* Begin with a key that is ours already, or with one that is yet to be registered. */
static void run_begin(struct run *run, struct lun_unit *unit, uint64_t key, int is_registered)
{
	run->unit = unit;
	run->first = run->count = 0;
	if (is_registered)
		pr_core_resume(&run->core, key, unit->io_timeout_ms);
	else
		pr_core_init(&run->core, key, unit->io_timeout_ms);
	for (size_t i = 0; i < unit->paths_count; i++)
		if (path_is_usable(unit->paths[i]))
			path_event(run, PR_EVENT_PATH_UP, i);
}

/* Never RC_STATE: of a power command it says "it is so already". */
static int result_rc(const struct pr_result *result)
{
	switch (result->outcome) {
	case PR_DONE:
		return 0;
	case PR_UNSUPPORTED:
		return RC_UNSUPPORTED;
	case PR_UNKNOWN:
		return RC_TIMEOUT;
	case PR_REFUSED:
		return result->cause == PR_CAUSE_NO_PATH ? RC_UNREACHABLE : RC_PRIVILEGE;
	default:
		return RC_PRIVILEGE;
	}
}

/* A job that was not done. */
static void job_fail(struct lun_unit *unit, const char *what, const struct pr_result *result)
{
	unit->outcome = LUN_FAILED;
	err_set(&unit->err, result_rc(result),
		result->outcome == PR_UNKNOWN ? "it is unknown whether it acted; look with "
						"\"holdfast pr keys\""
					      : NULL,
		"%.150s: %s: %s, %s (%s)", unit->name, what, pr_outcome_word(result->outcome),
		pr_cause_text(result->cause), pr_meaning_text(result->meaning));
}

/* Our key is said not to be with us: is it gone, or is only the session gone? */
static void outside_or_lost(struct lun_unit *unit)
{
	lun_unit_read(unit);
	if (unit->outcome == LUN_OK)
		unit->outcome = lun_unit_count(unit, unit->key) > 0 ? LUN_OUTSIDE : LUN_LOST;
}

/* ---- checking ---- */

void lun_unit_check(struct lun_unit *unit)
{
	struct run run;
	struct pr_result result;
	uint32_t open = 0;

	run_begin(&run, unit, unit->key, 1);
	for (size_t i = 0; i < unit->paths_count; i++)
		if (path_is_usable(unit->paths[i]))
			open |= UINT32_C(1) << i;
	job_run(&run, PR_JOB_VERIFY, 0, 0, &result);
	unit->outcome = LUN_OK;
	if (result.outcome == PR_EJECTED)
		outside_or_lost(unit);
	else if (result.outcome != PR_DONE)
		job_fail(unit, "asking for our key", &result);
	else if ((result.registered & open) != open)
		unit->outcome = LUN_OUTSIDE;
}

/* ---- joining ---- */

/* What the target says that it can. Some say yes and refuse, some have no REPORT CAPABILITIES. */
static int aptpl_is_offered(struct lun_unit *unit)
{
	struct pr_client_answer answer;
	struct pr_capabilities capabilities;
	struct err ignored;

	for (size_t i = 0; i < unit->paths_count; i++) {
		if (!path_is_usable(unit->paths[i]))
			continue;
		pr_client_set_timeout(unit->paths[i]->client, unit->io_timeout_ms);
		if (path_in(unit->paths[i], PR_REPORT_CAPABILITIES, &answer) == 0 &&
		    pr_capabilities_in(answer.data, answer.bytes, &capabilities, &ignored) == 0)
			return capabilities.persists;
		unit->paths[i]->rc = unit->paths[i]->is_silent ? unit->paths[i]->rc : 0;
	}
	return 0;
}

/* Register next_key by every path. Returns 0 when that is done and seen. */
static int join_run(struct run *run, struct lun_unit *unit)
{
	struct pr_result result;

	unit->has_aptpl = unit->wants_aptpl && aptpl_is_offered(unit);
	run_begin(run, unit, unit->next_key, 0);
	job_run(run, PR_JOB_JOIN, 0, unit->has_aptpl, &result);
	/* Not where some path is in: it may have been ejected since, and this would begin from nothing. */
	if (result.outcome == PR_UNSUPPORTED && unit->has_aptpl && result.registered == 0) {
		unit->has_aptpl = 0;
		run_begin(run, unit, unit->next_key, 0);
		job_run(run, PR_JOB_JOIN, 0, 0, &result);
	}
	if (result.outcome == PR_DONE)
		return 0;
	lun_unit_read(unit);
	unit->is_void = unit->outcome == LUN_OK && lun_unit_count(unit, unit->next_key) == 0 &&
			(!unit->was_sent || result.outcome == PR_CONFLICT ||
			 result.outcome == PR_UNSUPPORTED || result.outcome == PR_REFUSED);
	job_fail(unit, "registering our key", &result);
	return -1;
}

/* REGISTER by one path, until it has an answer that is about the command. After a lost one the path is usable
 * only where a new session has disposed of the command; else it may act yet. */
static enum pr_meaning path_register(struct lun_unit *unit, struct lun_path *path, uint64_t key,
				     uint64_t service_key)
{
	const struct pr_out out = { .command = PR_REGISTER,
				    .key = key,
				    .service_key = service_key,
				    .aptpl = service_key != 0 && unit->has_aptpl };
	struct pr_client_answer answer = { .reply = { .meaning = PR_MEANS_NOT_SENT } };
	struct err ignored;

	for (int n = 0; n <= ATTENTIONS_MAX; n++) {
		int64_t left_ms = mono_left_ms(clock_now(), unit->until);

		if (left_ms <= 0)
			return PR_MEANS_NOT_SENT;
		pr_client_set_timeout(path->client, left_ms < unit->io_timeout_ms
							    ? left_ms
							    : unit->io_timeout_ms);
		unit->was_sent = 1;
		if (pr_client_out(path->client, &out, &answer, &ignored) != 0)
			return PR_MEANS_NOT_SENT;
		if (answer.reply.meaning == PR_MEANS_BUSY ||
		    answer.reply.meaning == PR_MEANS_NOT_READY)
			clock_sleep_until(mono_add_ms(clock_now(), BUSY_WAIT_MS));
		else if (answer.reply.meaning != PR_MEANS_ATTENTION)
			break;
	}
	if (answer.reply.meaning == PR_MEANS_NO_ANSWER &&
	    (mono_reached(clock_now(), unit->until) ||
	     pr_client_login(path->client, &ignored) != 0))
		path_silence(path, &answer);
	return answer.reply.meaning;
}

/* Is the outcome of a command unknown? */
static int is_doubtful(enum pr_meaning meaning)
{
	return meaning == PR_MEANS_NO_ANSWER || meaning == PR_MEANS_ABORTED ||
	       meaning == PR_MEANS_FAILED;
}

static enum pr_meaning path_leave(struct lun_unit *unit, struct lun_path *path, uint64_t key)
{
	enum pr_meaning meaning = path_register(unit, path, key, 0);

	return is_doubtful(meaning) && path_is_usable(path) ? path_register(unit, path, key, 0)
							    : meaning;
}

/* A key of this node is left where none may be. */
static void left_fail(struct lun_unit *unit, uint64_t key, const char *how)
{
	char text[PR_KEY_TEXT_BYTES];

	unit->outcome = LUN_FAILED;
	err_set(&unit->err, RC_PRIVILEGE, "let another node eject this one (off)",
		"%.150s: key %s of this node %s, though it is not known that the node was not "
		"ejected",
		unit->name, pr_key_text(key, text), how);
}

/* Take a key away again, and look. The outcome stays as it is where nothing is left of it. */
static void key_withdraw(struct lun_unit *unit, uint64_t key)
{
	enum lun_outcome outcome = unit->outcome;
	struct err err = unit->err;
	int is_open = 0;

	for (size_t i = 0; i < unit->paths_count; i++) {
		if (path_is_usable(unit->paths[i]))
			path_leave(unit, unit->paths[i], key);
		is_open |= unit->paths[i]->client && unit->paths[i]->is_silent;
	}
	lun_unit_read(unit);
	if (unit->outcome != LUN_OK || is_open || unit->keys.total > unit->keys.count) {
		left_fail(unit, key, "may be registered");
	} else if (lun_unit_count(unit, key) > 0) {
		left_fail(unit, key, "is registered");
	} else {
		unit->outcome = outcome;
		unit->err = err;
	}
}

/* Eject a key that is there. Returns 0 when it is gone; *is_ours: by this command, for sure. */
static int eject_run(struct run *run, uint64_t victim, int *is_ours, int *was_aborted,
		     struct pr_result *result)
{
	job_run(run, PR_JOB_PREEMPT, victim, 0, result);
	*is_ours = result->outcome == PR_DONE && result->is_ours;
	*was_aborted = result->outcome == PR_DONE && result->aborted;
	return result->outcome == PR_DONE || (result->outcome == PR_CONFLICT &&
					      result->cause == PR_CAUSE_VICTIM_ABSENT)
		       ? 0
		       : -1;
}

/* A key of this node other than the given one; 0: none. */
static uint64_t own_other(const struct lun_unit *unit, uint64_t key)
{
	for (uint32_t i = 0; i < unit->keys.count; i++)
		if (unit->keys.key[i] != key && pr_key_is_same_node(unit->keys.key[i], key))
			return unit->keys.key[i];
	return 0;
}

/* LIO lets the port that holds the reservation eject nobody once it has another session identifier than
 * when it took it; somebody else has to. */
static void own_key_fail(struct lun_unit *unit, uint64_t key, const struct pr_result *result)
{
	char text[PR_KEY_TEXT_BYTES];

	job_fail(unit, "removing an older key of this node", result);
	snprintf(unit->err.next, sizeof unit->err.next,
		 "let another node remove it: \"holdfast pr preempt\" of %s",
		 pr_key_text(key, text));
}

/* Keys of earlier lives, registered by sessions that are gone, or by paths that are not here. */
static int own_others_eject(struct run *run, uint64_t key)
{
	struct lun_unit *unit = run->unit;

	for (int i = 0; i < VICTIM_ROUNDS_MAX; i++) {
		struct pr_result result;
		int is_ours, was_aborted;
		uint64_t old;

		lun_unit_read(unit);
		if (unit->outcome != LUN_OK)
			return -1;
		old = own_other(unit, key);
		if (!old)
			return 0;
		if (eject_run(run, old, &is_ours, &was_aborted, &result) != 0) {
			own_key_fail(unit, old, &result);
			return -1;
		}
	}
	unit_fail(unit, RC_BUSY, NULL, "older keys of this node keep coming back");
	return -1;
}

/* Does the unit treat us as what it says that we are? RELEASE by a registrant that does not hold the
 * reservation does nothing, with the status GOOD; for who is not registered it is a conflict (SPC-4
 * 5.7.11.2). LIO keeps one note for all sessions of an initiator, and drops it with an old key. */
static int is_let_in(struct lun_unit *unit, uint64_t key)
{
	const struct pr_out release = { .command = PR_RELEASE,
					.type = unit->held.type,
					.key = key };
	struct pr_client_answer answer;
	struct err ignored;

	if (!unit->held.is_held || unit->held.key == key || !pr_type_is_shared(unit->held.type) ||
	    pr_type_is_all_registrants(unit->held.type))
		return 1;
	for (size_t i = 0; i < unit->paths_count; i++) {
		struct lun_path *path = unit->paths[i];

		for (int n = 0; path_is_usable(path) && n <= ATTENTIONS_MAX; n++) {
			pr_client_set_timeout(path->client, unit->io_timeout_ms);
			if (pr_client_out(path->client, &release, &answer, &ignored) == 0 &&
			    answer.reply.meaning == PR_MEANS_CONFLICT)
				return 0;
			if (answer.reply.meaning != PR_MEANS_ATTENTION)
				break;
		}
	}
	return 1;
}

/* Leave, to join again. Only who is in can leave: every path must say that it was. */
static int leave_to_rejoin(struct lun_unit *unit, uint64_t key)
{
	for (size_t i = 0; i < unit->paths_count; i++) {
		enum pr_meaning meaning;

		if (!path_is_usable(unit->paths[i]))
			continue;
		meaning = path_register(unit, unit->paths[i], key, 0);
		if (meaning == PR_MEANS_GOOD)
			continue;
		if (meaning == PR_MEANS_CONFLICT)
			unit->outcome = LUN_LOST;
		else
			unit_fail(unit, RC_TIMEOUT, "run on again",
				  "leaving, to register anew, was not answered");
		key_withdraw(unit, key);
		return 0;
	}
	return 1;
}

void lun_unit_join(struct lun_unit *unit)
{
	struct run run;

	unit->outcome = LUN_OK;
	unit->was_sent = unit->is_void = 0;
	if (join_run(&run, unit) != 0 || own_others_eject(&run, unit->next_key) != 0 ||
	    is_let_in(unit, unit->next_key))
		return;
	/* Refused like one that is not registered: by LIO's note, which a new registration sets again, or
	 * because we have been ejected. Leaving tells which. */
	if (leave_to_rejoin(unit, unit->next_key))
		join_run(&run, unit);
}

/* ---- succeeding ---- */

/* The old key over the new one, by a path; until it is known, if that can be. */
static enum pr_meaning path_succeed(struct lun_unit *unit, struct lun_path *path)
{
	enum pr_meaning meaning = path_register(unit, path, unit->key, unit->next_key);

	if (unit->has_aptpl &&
	    (pr_meaning_is_unsupported(meaning) || meaning == PR_MEANS_INVALID_PARAMETER)) {
		unit->has_aptpl = 0;
		meaning = path_register(unit, path, unit->key, unit->next_key);
	}
	if (is_doubtful(meaning) && path_is_usable(path))
		meaning = path_register(unit, path, unit->key, unit->next_key);
	return meaning;
}

void lun_unit_succeed(struct lun_unit *unit)
{
	enum pr_meaning odd = PR_MEANS_GOOD;

	unit->outcome = LUN_OK;
	unit->was_sent = unit->has_succeeded = 0;
	unit->has_aptpl = unit->wants_aptpl && aptpl_is_offered(unit);
	for (size_t i = 0; i < unit->paths_count; i++) {
		enum pr_meaning meaning;

		if (!path_is_usable(unit->paths[i]))
			continue;
		meaning = path_succeed(unit, unit->paths[i]);
		unit->has_succeeded |= meaning == PR_MEANS_GOOD;
		if (meaning != PR_MEANS_GOOD && meaning != PR_MEANS_CONFLICT)
			odd = meaning;
	}
	lun_unit_read(unit);
	if (unit->outcome != LUN_OK)
		return;
	/* It can have come there in no other way. */
	unit->has_succeeded |= lun_unit_count(unit, unit->next_key) > 0;
	if (unit->has_succeeded)
		unit->outcome = lun_unit_count(unit, unit->next_key) > 0 ? LUN_OK : LUN_LOST;
	else if (odd != PR_MEANS_GOOD)
		unit_fail(unit, RC_PRIVILEGE, "run on again", pr_meaning_text(odd));
	else
		unit->outcome = lun_unit_count(unit, unit->key) > 0 ? LUN_OUTSIDE : LUN_LOST;
}

void lun_unit_enter(struct lun_unit *unit)
{
	struct pr_result result = { .outcome = PR_DONE };
	struct run run;
	int is_ours = 0, was_aborted = 0;

	unit->outcome = LUN_OK;
	unit->was_sent = unit->has_succeeded = 0;
	if (join_run(&run, unit) == 0)
		lun_unit_read(unit);
	if (unit->outcome == LUN_OK && lun_unit_count(unit, unit->key) > 0) {
		if (eject_run(&run, unit->key, &is_ours, &was_aborted, &result) != 0)
			own_key_fail(unit, unit->key, &result);
		unit->has_succeeded |= is_ours;
	}
	if (unit->has_succeeded)
		return;
	if (unit->outcome == LUN_OK)
		unit->outcome = LUN_LOST;
	key_withdraw(unit, unit->next_key);
}

/* Our key over our key: does a path of the set carry it still? */
static enum pr_meaning carriers_ask(struct lun_unit *unit, uint32_t carriers)
{
	enum pr_meaning meaning = PR_MEANS_NOT_SENT;

	for (size_t i = 0; i < unit->paths_count && meaning != PR_MEANS_GOOD; i++)
		if (carriers >> i & 1 && path_is_usable(unit->paths[i]))
			meaning = path_register(unit, unit->paths[i], unit->key, unit->key);
	return meaning;
}

/* One more path, of a node whose other paths said a moment ago that they are in, and say so again. */
static enum pr_meaning path_enter(struct lun_unit *unit, struct lun_path *path, uint32_t carriers)
{
	enum pr_meaning meaning = carriers_ask(unit, carriers);

	if (meaning != PR_MEANS_GOOD)
		return meaning;
	meaning = path_register(unit, path, 0, unit->key);
	if (meaning != PR_MEANS_GOOD && meaning != PR_MEANS_CONFLICT)
		return meaning == PR_MEANS_ATTENTION ? PR_MEANS_REFUSED : meaning;
	if (meaning == PR_MEANS_CONFLICT)
		return PR_MEANS_REFUSED; /* a key that is not ours is in the way */
	return carriers_ask(unit, carriers);
}

void lun_unit_spread(struct lun_unit *unit)
{
	uint32_t carriers = 0, late = 0;
	struct run run;

	unit->outcome = LUN_OK;
	unit->next_key = unit->key;
	for (size_t i = 0; i < unit->paths_count; i++) {
		enum pr_meaning meaning;

		if (!path_is_usable(unit->paths[i]))
			continue;
		meaning = path_register(unit, unit->paths[i], unit->key, unit->key);
		carriers |= (uint32_t)(meaning == PR_MEANS_GOOD) << i;
		late |= (uint32_t)(meaning == PR_MEANS_CONFLICT) << i;
	}
	if (!carriers) {
		outside_or_lost(unit);
		return;
	}
	run_begin(&run, unit, unit->key, 1);
	if (own_others_eject(&run, unit->key) != 0)
		return;
	for (size_t i = 0; i < unit->paths_count && unit->outcome == LUN_OK; i++) {
		struct lun_path *path = unit->paths[i];
		enum pr_meaning meaning;

		if (!(late >> i & 1) || !path_is_usable(path))
			continue;
		meaning = path_enter(unit, path, carriers);
		if (meaning == PR_MEANS_GOOD)
			continue;
		if (meaning == PR_MEANS_CONFLICT) {
			unit->outcome = LUN_LOST;
			key_withdraw(unit, unit->key);
			return;
		}
		unit_fail(unit, RC_PRIVILEGE, "run on again", pr_meaning_text(meaning));
		meaning = path_is_usable(path) ? path_leave(unit, path, unit->key)
					       : PR_MEANS_NO_ANSWER;
		if (meaning != PR_MEANS_GOOD && meaning != PR_MEANS_CONFLICT)
			left_fail(unit, unit->key, "may be registered by one more path");
	}
}

void lun_unit_withdraw(struct lun_unit *unit)
{
	struct pr_keys before = unit->keys;

	unit->outcome = LUN_LOST;
	for (uint32_t i = 0; i < before.count; i++)
		if (pr_key_is_same_node(before.key[i], unit->key))
			key_withdraw(unit, before.key[i]);
}

/* Take the reservation where nobody has it. */
static void reserve_run(struct lun_unit *unit)
{
	struct run run;
	struct pr_result result;
	char held[PR_KEY_TEXT_BYTES];

	lun_unit_read(unit);
	if (unit->outcome != LUN_OK)
		return;
	if (unit->held.is_held && pr_type_is_shared(unit->held.type))
		return;
	if (!unit->held.is_held) {
		run_begin(&run, unit, unit->key, 1);
		job_run(&run, PR_JOB_RESERVE, 0, 0, &result);
		if (result.outcome == PR_EJECTED) {
			outside_or_lost(unit);
			return;
		}
		if (result.outcome == PR_UNKNOWN || result.outcome == PR_REFUSED) {
			job_fail(unit, "taking the reservation", &result);
			return;
		}
		/* Perhaps another node was faster, which is as good. */
		lun_unit_read(unit);
		if (unit->outcome != LUN_OK ||
		    (unit->held.is_held && pr_type_is_shared(unit->held.type)))
			return;
	}
	unit->outcome = LUN_FAILED;
	err_set(&unit->err, RC_PRIVILEGE, "see who uses it: \"holdfast pr reservation\"",
		"%.200s: reserved as %s by %s, which keeps registrants out too", unit->name,
		pr_type_word(unit->held.type), pr_key_text(unit->held.key, held));
}

void lun_unit_reserve(struct lun_unit *unit)
{
	reserve_run(unit);
	if (unit->outcome == LUN_OK && !is_let_in(unit, unit->key))
		unit_fail(unit, RC_PRIVILEGE,
			  "let another node eject this one; then restart this machine",
			  "our key is registered, but the target refuses this node all the same");
}

/* ---- ejecting ---- */

static uint64_t victim_key(const struct lun_unit *unit)
{
	for (uint32_t i = 0; i < unit->keys.count; i++)
		if (pr_key_is_same_node(unit->keys.key[i], unit->victim))
			return unit->keys.key[i];
	return 0;
}

/* LIO ends the commands of a victim only where that holds the reservation, and lets those of others land
 * after its answer, whatever SPC-4 5.7.11.5 says; many arrays are LIO under another name. */
static int abort_counts(const struct lun_unit *unit, uint64_t victim)
{
	return unit->trusts_abort || (unit->held.is_held && unit->held.key == victim);
}

/* Eject one key after the other until none is there. `all_aborted`: by PREEMPT AND ABORT each. */
static void victims_eject(struct lun_unit *unit, int *all_aborted)
{
	size_t count = 0;

	for (int i = 0; i < VICTIM_ROUNDS_MAX; i++) {
		uint64_t key = victim_key(unit);
		struct pr_result result;
		struct run run;
		int is_ours, was_aborted, counts;

		if (!key) {
			*all_aborted &= count > 0;
			return;
		}
		count++;
		counts = abort_counts(unit, key);
		/* Asked anew each time: a conflict makes the core doubt a path. */
		run_begin(&run, unit, unit->key, 1);
		if (eject_run(&run, key, &is_ours, &was_aborted, &result) != 0 &&
		    result.cause != PR_CAUSE_VICTIM_BACK) {
			if (result.outcome == PR_EJECTED)
				outside_or_lost(unit);
			else
				job_fail(unit, "ejecting a key", &result);
			return;
		}
		*all_aborted &= was_aborted && counts;
		lun_unit_read(unit);
		if (unit->outcome != LUN_OK)
			return;
	}
	unit_fail(unit, RC_BUSY, "look whether something registers it",
		  "the ejected node is registered again and again");
}

void lun_unit_eject(struct lun_unit *unit)
{
	int all_aborted = 1;

	unit->was_sent = 0;
	unit->needs_drain = 1;
	lun_unit_read(unit);
	if (unit->outcome != LUN_OK)
		return;
	if (unit->keys.total > unit->keys.count) {
		unit_fail(unit, RC_PROTOCOL, NULL, "more keys are registered than can be read");
		return;
	}
	if (unit->key == 0 || lun_unit_count(unit, unit->key) == 0) {
		unit->outcome = LUN_LOST;
		return;
	}
	victims_eject(unit, &all_aborted);
	if (unit->outcome != LUN_OK)
		return;
	unit->needs_drain = !all_aborted;
	/* Without a reservation the ejected node may write as before; with our key gone, who knows
	 * what the next moment brings. */
	if (!unit->held.is_held)
		lun_unit_reserve(unit);
	if (unit->outcome == LUN_OK && lun_unit_count(unit, unit->key) == 0)
		unit->outcome = LUN_LOST;
}
