/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_core.c - events in, actions out; see pr_core.h. Here commands are sent and answers become
 * facts; what comes next by the facts is in pr_core_jobs.c.
 */
#include "lockd/pr_core.h"

#include <assert.h>
#include <string.h>

#include "lockd/pr_core_parts.h"

enum {
	WAIT_MIN_MS = 20, /* before a busy unit is asked again; doubles */
	WAIT_MAX_MS = 500,
};

static const char *const outcome_words[PR_OUTCOMES] = {
#define X(sym, word) [PR_##sym] = (word),
	PR_OUTCOME_LIST(X)
#undef X
};

static const struct {
	const char *word, *text;
} causes[PR_CAUSES] = {
#define X(sym, word, meaning) [PR_CAUSE_##sym] = { word, meaning },
	PR_CAUSE_LIST(X)
#undef X
};

const char *pr_outcome_word(enum pr_outcome outcome)
{
	return (unsigned)outcome < PR_OUTCOMES ? outcome_words[outcome] : "unknown";
}

const char *pr_cause_word(enum pr_cause cause)
{
	return (unsigned)cause < PR_CAUSES ? causes[cause].word : "unknown";
}

const char *pr_cause_text(enum pr_cause cause)
{
	return (unsigned)cause < PR_CAUSES ? causes[cause].text : "unknown";
}

void pr_core_init(struct pr_core *core, uint64_t key, int64_t io_timeout_ms)
{
	assert(key != 0 && io_timeout_ms > 0);
	memset(core, 0, sizeof *core);
	core->key = key;
	core->io_timeout_ms = io_timeout_ms;
	core->has_abort = -1;
	core->command.again_at = MONO_NEVER;
}

void pr_core_resume(struct pr_core *core, uint64_t key, int64_t io_timeout_ms)
{
	pr_core_init(core, key, io_timeout_ms);
	core->is_joined = core->was_ever_in = 1;
}

/* ---- actions ---- */

static struct pr_action *action_add(struct pr_actions *actions, enum pr_action_kind kind)
{
	struct pr_action *action = &actions->list[actions->count++];

	assert(actions->count <= PR_ACTIONS_MAX);
	*action = (struct pr_action){ .kind = kind };
	return action;
}

void pr_core_note(enum pr_note note, unsigned path, enum pr_attention attention,
		  struct pr_actions *actions)
{
	struct pr_action *action = action_add(actions, PR_ACTION_NOTE);

	action->note = note;
	action->path = path;
	action->attention = attention;
}

static int purpose_enters(enum pr_purpose purpose)
{
	return purpose == PR_FOR_ENTERING || purpose == PR_FOR_SUCCEEDING;
}

/* Out with the command at hand, under a token of its own: an answer to an earlier attempt is none
 * to this one. */
static void command_out(struct pr_core *core, mono_t now, struct pr_actions *actions)
{
	struct pr_action *action = action_add(actions, PR_ACTION_SEND);
	mono_t until = mono_add_ms(now, core->io_timeout_ms);

	core->command.token = ++core->last_token;
	core->command.again_at = MONO_NEVER;
	core->command.send.token = core->command.token;
	core->command.send.deadline = until;
	*action = core->command.send;
	if (pr_command_is_out(action->command)) {
		core->job.has_changed_anything = 1;
		if (purpose_enters(core->command.purpose)) {
			core->paths[action->path].is_entered = 1;
			core->spent_admission = core->job.admission;
		}
		/* Whatever it does, what was read before is old. */
		core->keys_fresh = core->held_fresh = 0;
	}
}

void pr_core_send(struct pr_core *core, unsigned path, enum pr_purpose purpose,
		  const struct pr_action *what, mono_t now, struct pr_actions *actions)
{
	assert(core->command.token == 0 && pr_path_is_usable(&core->paths[path]));
	core->command.path = path;
	core->command.purpose = purpose;
	core->command.send = *what;
	core->command.send.kind = PR_ACTION_SEND;
	core->command.send.path = path;
	core->command.repeats = 0;
	core->command.wait_ms = WAIT_MIN_MS;
	command_out(core, now, actions);
}

static int holds(const struct pr_core *core)
{
	/* With by_status a look at the reservation was spared, not made. */
	return !(core->job.kind == PR_JOB_VERIFY && core->job.by_status) && core->held_fresh &&
	       core->keys_fresh && core->is_held && pr_core_count(core, core->key) > 0 &&
	       (pr_type_is_all_registrants(core->held_type) || core->holder == core->key);
}

static void result_fill(const struct pr_core *core, enum pr_outcome outcome, enum pr_cause cause,
			struct pr_result *result)
{
	*result = (struct pr_result){
		.outcome = outcome,
		.cause = cause,
		.generation = core->generation,
		.is_held = core->is_held,
		.holder = core->holder,
		.type = core->held_type,
		.holds = holds(core),
		.aborted = core->job.aborted,
		.is_ours = core->job.is_done,
		.meaning = core->job.meaning,
	};
	for (unsigned i = 0; i < PR_PATHS_MAX; i++) {
		if (core->paths[i].registration == PR_PATH_IN && core->paths[i].is_up)
			result->registered |= UINT32_C(1) << i;
		if (core->paths[i].doubt != 0)
			result->in_doubt |= UINT32_C(1) << i;
	}
}

void pr_core_finish(struct pr_core *core, enum pr_outcome outcome, enum pr_cause cause,
		    struct pr_actions *actions)
{
	struct pr_action *action = action_add(actions,
					      core->job.is_own ? PR_ACTION_NOTE : PR_ACTION_FINISH);

	action->note = PR_NOTE_VERIFIED;
	action->job = core->job.kind;
	action->job_token = core->job.token;
	result_fill(core, outcome, cause, &action->result);
	core->job = (struct pr_job){ .kind = PR_JOB_NONE };
}

void pr_core_eject(struct pr_core *core, struct pr_actions *actions)
{
	int was_joined = core->is_joined;

	core->is_joined = core->wants_verify = 0;
	core->spent_admission = core->admission; /* R5: it is from before the ejection */
	for (unsigned i = 0; i < PR_PATHS_MAX; i++)
		core->paths[i].registration = PR_PATH_OUT;
	if (was_joined)
		pr_core_note(PR_NOTE_EJECTED, 0, PR_ATTENTION_NONE, actions);
}

void pr_core_doubt_paths(struct pr_core *core)
{
	for (unsigned i = 0; i < PR_PATHS_MAX; i++)
		if (core->paths[i].registration == PR_PATH_IN)
			core->paths[i].registration = PR_PATH_UNSURE;
}

size_t pr_core_count(const struct pr_core *core, uint64_t key)
{
	size_t count = 0;

	for (size_t i = 0; i < core->keys_count; i++)
		count += core->keys[i] == key;
	return count;
}

/* ---- what the unit tells of itself ---- */

/* Facts that an attention makes old. */
static void attention_heed(struct pr_core *core, unsigned path, enum pr_attention attention,
			   struct pr_actions *actions)
{
	pr_core_note(PR_NOTE_ATTENTION, path, attention, actions);
	switch (attention) {
	case PR_ATTENTION_RESERVATIONS_PREEMPTED:
	case PR_ATTENTION_REGISTRATIONS_PREEMPTED:
	case PR_ATTENTION_RESET:
		/* It may be this session alone, or the whole target: the others are told later. */
		pr_core_doubt_paths(core);
		break;
	case PR_ATTENTION_RESERVATIONS_RELEASED:
		break;
	default:
		return;
	}
	core->keys_fresh = core->held_fresh = 0;
	/* A look that is under way looks after this. */
	if (core->job.kind != PR_JOB_VERIFY)
		core->wants_verify |= core->is_joined;
}

/* Does an attention tell that a join has been overtaken by an ejection (R5)? To a node that knew of
 * its ejection it may be told once more, on each path that has not been heard yet. A key that was never registered cannot have been ejected: then it is that
 * of an earlier life on this nexus. */
static int attention_ejects(const struct pr_core *core, enum pr_attention attention)
{
	return core->job.kind == PR_JOB_JOIN && core->was_ever_in &&
	       (core->job.was_joined || core->paths[core->command.path].is_heard) &&
	       (attention == PR_ATTENTION_RESERVATIONS_PREEMPTED ||
		attention == PR_ATTENTION_REGISTRATIONS_PREEMPTED);
}

/* ---- answers ---- */

/* The command is over, or given up; the job goes on by the facts. */
static void command_end(struct pr_core *core)
{
	core->command.token = 0;
	core->command.again_at = MONO_NEVER;
}

static void keys_note(struct pr_core *core, const struct pr_event *event)
{
	core->keys_count = event->keys_count < PR_CORE_KEYS_MAX ? event->keys_count
								: PR_CORE_KEYS_MAX;
	if (core->keys_count > 0)
		memcpy(core->keys, event->keys, core->keys_count * sizeof core->keys[0]);
	core->keys_cut = event->keys_cut || event->keys_count > PR_CORE_KEYS_MAX;
	core->keys_fresh = 1;
	/* Something happened between two looks: the other one is old. */
	if (event->generation != core->generation)
		core->held_fresh = 0;
	core->generation = event->generation;
}

static void reservation_note(struct pr_core *core, const struct pr_event *event)
{
	core->is_held = event->is_held;
	core->holder = event->is_held ? event->holder : 0;
	core->held_type = event->is_held ? event->held_type : PR_TYPE_NONE;
	core->held_fresh = 1;
	if (event->generation != core->generation)
		core->keys_fresh = 0;
	core->generation = event->generation;
}

static void path_in(struct pr_core *core, unsigned path, struct pr_actions *actions)
{
	if (core->paths[path].registration != PR_PATH_IN)
		pr_core_note(PR_NOTE_PATH_IN, path, PR_ATTENTION_NONE, actions);
	core->paths[path].registration = PR_PATH_IN;
}

static void path_out(struct pr_core *core, unsigned path, struct pr_actions *actions)
{
	if (core->paths[path].registration != PR_PATH_OUT && core->is_joined)
		pr_core_note(PR_NOTE_PATH_OUTSIDE, path, PR_ATTENTION_NONE, actions);
	core->paths[path].registration = PR_PATH_OUT;
}

static void good(struct pr_core *core, const struct pr_event *event, struct pr_actions *actions)
{
	unsigned path = core->command.path;

	switch (core->command.purpose) {
	case PR_FOR_KEYS:
		core->paths[path].is_heard = 1;
		keys_note(core, event);
		break;
	case PR_FOR_RESERVATION:
		reservation_note(core, event);
		break;
	case PR_FOR_ENTERING:
	case PR_FOR_SUCCEEDING:
	case PR_FOR_ASKING:
		core->is_joined = core->was_ever_in = 1;
		path_in(core, path, actions);
		break;
	case PR_FOR_LEAVING:
		core->paths[path].registration = PR_PATH_OUT;
		break;
	case PR_FOR_TAKING_BACK:
		/* It took our other paths with it. */
		for (unsigned i = 0; i < PR_PATHS_MAX; i++)
			core->paths[i].registration = PR_PATH_UNSURE;
		core->job.took_back = 1;
		break;
	case PR_FOR_THE_JOB:
		core->job.is_done = 1;
		core->job.aborted = core->command.send.command == PR_PREEMPT_AND_ABORT;
		if (core->job.aborted)
			core->has_abort = 1;
		core->paths[path].is_tried = 1;
		break;
	}
}

/* R2: a conflict says only that something else is than was thought. */
static void conflict(struct pr_core *core, struct pr_actions *actions)
{
	unsigned path = core->command.path;

	switch (core->command.purpose) {
	case PR_FOR_ASKING:
		if (core->paths[path].registration == PR_PATH_BLOCKED)
			break;
		/* fall through */
	case PR_FOR_LEAVING:
		path_out(core, path, actions);
		break;
	case PR_FOR_ENTERING:
		core->paths[path].registration = PR_PATH_BLOCKED;
		break;
	case PR_FOR_SUCCEEDING:
		break; /* the next key, if there is one */
	default:
		core->paths[path].registration = PR_PATH_UNSURE;
		core->paths[path].is_asked = 0;
		core->job.retries++;
		break;
	}
	core->keys_fresh = core->held_fresh = 0;
}

/* The unit says no, for good. */
static void refusal(struct pr_core *core, struct pr_actions *actions)
{
	enum pr_meaning meaning = core->job.meaning;
	enum pr_purpose purpose = core->command.purpose;

	if (core->command.send.command == PR_PREEMPT_AND_ABORT &&
	    pr_meaning_is_unsupported(meaning)) {
		core->has_abort = 0;
		return;
	}
	if (purpose == PR_FOR_THE_JOB && meaning == PR_MEANS_INVALID_RELEASE) {
		core->job.retries++; /* the type changed after the look */
		return;
	}
	if (core->job.is_done || core->job.in_doubt)
		/* The command of the job may have acted; only the look after it is refused. */
		pr_core_finish(core, PR_UNKNOWN, PR_CAUSE_ANSWER, actions);
	else if (meaning == PR_MEANS_NO_ROOM)
		pr_core_finish(core, core->is_joined ? PR_CONFLICT : PR_REFUSED, PR_CAUSE_NO_ROOM,
			       actions);
	else if (pr_meaning_is_unsupported(meaning) || meaning == PR_MEANS_INVALID_PARAMETER)
		pr_core_finish(core, PR_UNSUPPORTED, PR_CAUSE_ANSWER, actions);
	else
		pr_core_finish(core, PR_CONFLICT, PR_CAUSE_ANSWER, actions);
}

static void path_recover(struct pr_core *core, unsigned path, struct pr_actions *actions)
{
	core->paths[path].is_recovering = 1;
	action_add(actions, PR_ACTION_RECOVER)->path = path;
}

/* R3: the command at hand may have acted. */
static void doubtful(struct pr_core *core)
{
	struct pr_path *path = &core->paths[core->command.path];

	core->keys_fresh = core->held_fresh = 0;
	core->job.retries++;
	if (core->command.purpose == PR_FOR_THE_JOB)
		core->job.in_doubt = 1;
	if (pr_command_is_out(core->command.send.command) && path->registration != PR_PATH_OUT)
		path->registration = PR_PATH_UNSURE;
	if (purpose_enters(core->command.purpose)) {
		core->is_joined = core->was_ever_in = 1; /* it may be in */
		path->registration = PR_PATH_UNSURE;
	}
	path->is_asked = 0;
}

static void attention(struct pr_core *core, const struct pr_event *event,
		      struct pr_actions *actions)
{
	enum pr_attention kind = event->reply.attention;

	attention_heed(core, core->command.path, kind, actions);
	if (attention_ejects(core, kind)) {
		command_end(core);
		pr_core_eject(core, actions);
		pr_core_finish(core, PR_EJECTED, PR_CAUSE_NOT_ADMITTED, actions);
		return;
	}
	if (++core->command.repeats > PR_REPEATS_MAX) {
		command_end(core);
		pr_core_finish(core, PR_UNKNOWN, PR_CAUSE_UNSTABLE, actions);
		return;
	}
	command_out(core, event->now, actions); /* R1 */
}

static void later(struct pr_core *core, mono_t now)
{
	core->command.again_at = mono_add_ms(now, core->command.wait_ms);
	core->command.token = ++core->last_token; /* nothing is out under it */
	core->command.wait_ms *= 2;
	if (core->command.wait_ms > WAIT_MAX_MS)
		core->command.wait_ms = WAIT_MAX_MS;
}

/* An answer to a command in doubt. With a status the doubt is over, and what the command did will be
 * read; without one it stays. */
static int late_answer(struct pr_core *core, const struct pr_event *event,
		       struct pr_actions *actions)
{
	for (unsigned i = 0; i < PR_PATHS_MAX; i++) {
		struct pr_path *path = &core->paths[i];

		if (path->doubt != event->token)
			continue;
		core->keys_fresh = core->held_fresh = 0;
		if (event->reply.meaning != PR_MEANS_NO_ANSWER)
			path->doubt = 0;
		else if (!path->is_recovering)
			path_recover(core, i, actions);
		return 1;
	}
	return 0;
}

static void answer(struct pr_core *core, const struct pr_event *event, struct pr_actions *actions)
{
	enum pr_meaning meaning = event->reply.meaning;

	if (late_answer(core, event, actions))
		return;
	if (event->token != core->command.token || !mono_is_never(core->command.again_at))
		return;
	core->job.meaning = meaning;
	switch (meaning) {
	case PR_MEANS_ATTENTION:
		attention(core, event, actions);
		return;
	case PR_MEANS_BUSY:
	case PR_MEANS_NOT_READY:
		later(core, event->now);
		return;
	case PR_MEANS_GOOD:
		good(core, event, actions);
		break;
	case PR_MEANS_CONFLICT:
		conflict(core, actions);
		break;
	case PR_MEANS_NOT_SENT:
		core->paths[core->command.path].is_up = 0;
		break;
	case PR_MEANS_ABORTED:
	case PR_MEANS_FAILED:
		doubtful(core);
		break;
	case PR_MEANS_NO_ANSWER:
		doubtful(core);
		core->paths[core->command.path].doubt = event->token;
		path_recover(core, core->command.path, actions);
		break;
	default:
		command_end(core);
		refusal(core, actions);
		return;
	}
	command_end(core);
}

/* ---- jobs begin ---- */

static void job_begin(struct pr_core *core, const struct pr_event *event,
		      struct pr_actions *actions)
{
	struct pr_job job = { .kind = event->job,
			      .token = event->job_token,
			      .deadline = event->deadline,
			      .admission = event->admission,
			      .aptpl = event->aptpl,
			      .by_status = event->by_status,
			      .type = event->type,
			      .victim = event->victim,
			      .was_joined = core->is_joined,
			      .meaning = PR_MEANS_NOT_SENT };
	enum pr_cause cause = PR_CAUSE_NONE;

	/* One of our own makes room: it will be asked for again. */
	if (core->job.kind != PR_JOB_NONE && !core->job.is_own)
		cause = PR_CAUSE_BUSY;
	else if (job.kind == PR_JOB_JOIN && job.admission <= core->spent_admission)
		cause = PR_CAUSE_NOT_ADMITTED; /* R5; also 0, which is none */
	else if (job.kind != PR_JOB_JOIN && job.kind != PR_JOB_VERIFY && !core->is_joined)
		cause = PR_CAUSE_NOT_JOINED;
	else if (job.kind == PR_JOB_PREEMPT && (job.victim == 0 || job.victim == core->key))
		cause = PR_CAUSE_WRONG_KEY;
	if (cause != PR_CAUSE_NONE) {
		struct pr_action *action = action_add(actions, PR_ACTION_FINISH);

		action->job = job.kind;
		action->job_token = job.token;
		action->result = (struct pr_result){ .outcome = PR_REFUSED,
						     .cause = cause,
						     .meaning = PR_MEANS_NOT_SENT };
		return;
	}
	core->wants_verify |= core->job.is_own;
	core->job = job;
	if (job.admission > core->admission)
		core->admission = job.admission;
	core->keys_fresh = core->held_fresh = 0;
	for (unsigned i = 0; i < PR_PATHS_MAX; i++) {
		core->paths[i].is_tried = core->paths[i].is_asked = core->paths[i].is_heard = 0;
		core->paths[i].is_entered = 0;
		core->paths[i].old_keys_tried = 0;
		if (core->paths[i].registration == PR_PATH_BLOCKED)
			core->paths[i].registration = PR_PATH_OUT;
	}
}

/* What was told on the way makes a look necessary. */
static void verify_begin(struct pr_core *core, mono_t now, struct pr_actions *actions)
{
	const struct pr_event verify = { .kind = PR_EVENT_JOB,
					 .now = now,
					 .job = PR_JOB_VERIFY,
					 .deadline = mono_add_ms(now, 8 * core->io_timeout_ms) };

	core->wants_verify = 0;
	job_begin(core, &verify, actions);
	core->job.is_own = 1;
}

/* ---- events ---- */

static void path_up(struct pr_core *core, unsigned number)
{
	struct pr_path *path = &core->paths[number];

	/* A session that is new has disposed of the commands of the old one (RFC 7143, 6.3.5), whether
	 * they were executed or not. */
	if (core->command.token != 0 && core->command.path == number &&
	    mono_is_never(core->command.again_at)) {
		doubtful(core);
		command_end(core);
	}
	path->is_up = 1;
	path->doubt = 0;
	path->is_recovering = 0;
	path->is_tried = path->is_asked = path->is_heard = 0;
	if (core->was_ever_in)
		path->registration = PR_PATH_UNSURE; /* R4 */
	else
		path->registration = PR_PATH_OUT;
	core->wants_verify |= core->is_joined;
}

static void time_heed(struct pr_core *core, mono_t now, struct pr_actions *actions)
{
	if (core->job.kind != PR_JOB_NONE && mono_reached(now, core->job.deadline)) {
		/* What is out stays out, under its token, and its path in doubt. */
		if (core->command.token != 0 && mono_is_never(core->command.again_at)) {
			doubtful(core);
			core->paths[core->command.path].doubt = core->command.token;
		}
		command_end(core);
		if (core->job.has_changed_anything)
			pr_core_finish(core, PR_UNKNOWN, PR_CAUSE_DEADLINE, actions);
		else
			pr_core_finish(core, PR_REFUSED, PR_CAUSE_NO_PATH, actions);
		return;
	}
	if (core->command.token == 0 || mono_is_never(core->command.again_at))
		return;
	if (!pr_path_is_usable(&core->paths[core->command.path]))
		command_end(core);
	else if (mono_reached(now, core->command.again_at))
		command_out(core, now, actions);
}

void pr_core_step(struct pr_core *core, const struct pr_event *event, struct pr_actions *actions)
{
	actions->count = 0;
	switch (event->kind) {
	case PR_EVENT_TIME:
		break;
	case PR_EVENT_PATH_UP:
		path_up(core, event->path);
		break;
	case PR_EVENT_PATH_DOWN:
		core->paths[event->path].is_up = 0;
		break;
	case PR_EVENT_ATTENTION:
		attention_heed(core, event->path, event->attention, actions);
		break;
	case PR_EVENT_JOB:
		job_begin(core, event, actions);
		break;
	case PR_EVENT_ANSWER:
		answer(core, event, actions);
		break;
	}
	time_heed(core, event->now, actions);
	while (core->command.token == 0 && (core->job.kind != PR_JOB_NONE || core->wants_verify)) {
		if (core->job.kind == PR_JOB_NONE)
			verify_begin(core, event->now, actions);
		pr_core_advance(core, event->now, actions);
		if (core->job.kind != PR_JOB_NONE)
			return; /* it has sent something, or waits */
	}
}

mono_t pr_core_deadline(const struct pr_core *core)
{
	mono_t at = core->job.kind != PR_JOB_NONE ? core->job.deadline : MONO_NEVER;

	if (core->command.token != 0)
		at = mono_min(at, core->command.again_at);
	return at;
}
