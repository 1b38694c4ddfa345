/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_core_jobs.c - what comes next, by the facts: one function for each job of pr_core.h.
 *
 * A job has no program counter. Each time nothing is under way its function looks at what is known
 * (which paths carry our key, what was read since the last change) and sends the one command
 * that is missing, or ends the job. So it does not matter in which order answers, attentions, new
 * sessions and late answers come.
 */
#include <assert.h>

#include "lockd/pr_core.h"
#include "lockd/pr_core_parts.h"

enum { NOWHERE = -1 };

/* ---- paths ---- */

static int path_find(const struct pr_core *core, enum pr_path_registration registration)
{
	for (int i = 0; i < PR_PATHS_MAX; i++)
		if (pr_path_is_usable(&core->paths[i]) &&
		    core->paths[i].registration == registration)
			return i;
	return NOWHERE;
}

/* A path for looking: any will do. */
static int path_any(const struct pr_core *core)
{
	int path = path_find(core, PR_PATH_IN);

	for (int i = 0; path == NOWHERE && i < PR_PATHS_MAX; i++)
		if (pr_path_is_usable(&core->paths[i]))
			path = i;
	return path;
}

/* Is there a path that may yet turn out to carry our key, though it cannot be asked now? */
static int path_may_come(const struct pr_core *core)
{
	for (int i = 0; i < PR_PATHS_MAX; i++) {
		const struct pr_path *path = &core->paths[i];

		if (path->doubt != 0 || (!path->is_up && path->registration != PR_PATH_OUT))
			return 1;
	}
	return 0;
}

static int path_in_doubt(const struct pr_core *core)
{
	for (int i = 0; i < PR_PATHS_MAX; i++)
		if (core->paths[i].doubt != 0)
			return 1;
	return 0;
}

/* ---- commands ---- */

static void send(struct pr_core *core, int path, enum pr_purpose purpose, enum pr_command command,
		 uint64_t key, uint64_t service_key, unsigned type, mono_t now,
		 struct pr_actions *actions)
{
	const struct pr_action what = {
		.command = command,
		.key = key,
		.service_key = service_key,
		.type = (uint8_t)type,
		.aptpl = command == PR_REGISTER && service_key != 0 && core->job.aptpl,
	};

	pr_core_send(core, (unsigned)path, purpose, &what, now, actions);
}

/* Our key over our key (R4). */
static void ask(struct pr_core *core, int path, mono_t now, struct pr_actions *actions)
{
	core->paths[path].is_asked = 1;
	send(core, path, PR_FOR_ASKING, PR_REGISTER, core->key, core->key, 0, now, actions);
}

/* Read what is not fresh. 1: a command is under way, or no path is there for it; 0: all is fresh. */
static int look(struct pr_core *core, mono_t now, struct pr_actions *actions)
{
	int path = path_any(core);

	if (core->keys_fresh && core->held_fresh)
		return 0;
	if (path == NOWHERE)
		return 1;
	if (!core->keys_fresh)
		send(core, path, PR_FOR_KEYS, PR_READ_KEYS, 0, 0, 0, now, actions);
	else
		send(core, path, PR_FOR_RESERVATION, PR_READ_RESERVATION, 0, 0, 0, now, actions);
	return 1;
}

static void ejected(struct pr_core *core, enum pr_cause cause, struct pr_actions *actions)
{
	pr_core_eject(core, actions);
	pr_core_finish(core, PR_EJECTED, cause, actions);
}

/* Do more paths believe to carry our key than it is there? Then one of them has not been told yet. */
static int paths_overcount(const struct pr_core *core)
{
	size_t count = 0;

	for (int i = 0; i < PR_PATHS_MAX; i++)
		count += core->paths[i].is_up && core->paths[i].registration == PR_PATH_IN;
	return count > pr_core_count(core, core->key) && !core->keys_cut;
}

/* Look, and end the job if our key is not there. 1: nothing more to do now. */
static int look_for_us(struct pr_core *core, mono_t now, struct pr_actions *actions)
{
	if (look(core, now, actions))
		return 1;
	if (pr_core_count(core, core->key) > 0) {
		if (!paths_overcount(core))
			return 0;
		core->job.retries++;
		pr_core_doubt_paths(core);
		if (path_find(core, PR_PATH_UNSURE) == NOWHERE)
			return 0;
		ask(core, path_find(core, PR_PATH_UNSURE), now, actions);
		return 1;
	}
	if (core->keys_cut)
		pr_core_finish(core, PR_UNKNOWN, PR_CAUSE_ANSWER, actions);
	else
		ejected(core, PR_CAUSE_KEY_GONE, actions);
	return 1;
}

/* A path that carries our key, for a command that needs one. NOWHERE: one is being asked, or waited
 * for, or the job has ended because there is none. */
static int carrier(struct pr_core *core, mono_t now, struct pr_actions *actions)
{
	int path = path_find(core, PR_PATH_IN);

	if (path != NOWHERE)
		return path;
	path = path_find(core, PR_PATH_UNSURE);
	if (path != NOWHERE)
		ask(core, path, now, actions);
	else if (!path_may_come(core))
		ejected(core, PR_CAUSE_SESSION_LOST, actions);
	return NOWHERE;
}

/* What to say with "done". */
static enum pr_cause done_cause(const struct pr_core *core, enum pr_cause otherwise)
{
	if (core->job.is_done)
		return PR_CAUSE_NONE;
	return core->job.in_doubt ? PR_CAUSE_RESOLVED : otherwise;
}

/* Was the command of the job tried, so that the next step is to look? */
static int was_tried(const struct pr_core *core)
{
	return core->job.is_done || core->job.in_doubt || core->job.retries > 0;
}

/* Has it been tried often enough? Then the job has ended. */
static int gave_up(struct pr_core *core, struct pr_actions *actions)
{
	if (core->job.retries <= PR_RETRIES_MAX)
		return 0;
	pr_core_finish(core, PR_UNKNOWN, PR_CAUSE_UNSTABLE, actions);
	return 1;
}

/* ---- join ---- */

/* A nexus that is registered with another key (R6): perhaps ours after all, or that of an earlier
 * life of this node. 1: a command is under way. */
static int path_unblock(struct pr_core *core, int number, mono_t now, struct pr_actions *actions)
{
	struct pr_path *path = &core->paths[number];

	if (!path->is_asked) {
		ask(core, number, now, actions);
		return 1;
	}
	if (!core->keys_fresh) {
		send(core, number, PR_FOR_KEYS, PR_READ_KEYS, 0, 0, 0, now, actions);
		return 1;
	}
	while (path->old_keys_tried < core->keys_count) {
		uint64_t old = core->keys[path->old_keys_tried++];

		if (old == core->key || !pr_key_is_same_node(old, core->key))
			continue;
		send(core, number, PR_FOR_SUCCEEDING, PR_REGISTER, old, core->key, 0, now, actions);
		return 1;
	}
	path->is_tried = 1;
	return 0;
}

static void job_join(struct pr_core *core, mono_t now, struct pr_actions *actions)
{
	int path, is_in = 0, is_blocked = 0, is_out = 0;

	if (gave_up(core, actions))
		return;
	for (int i = 0; i < PR_PATHS_MAX; i++)
		if (pr_path_is_usable(&core->paths[i]) && !core->paths[i].is_heard) {
			send(core, i, PR_FOR_KEYS, PR_READ_KEYS, 0, 0, 0, now, actions);
			return;
		}
	for (int i = 0; i < PR_PATHS_MAX; i++) {
		const struct pr_path *p = &core->paths[i];

		is_in |= pr_path_is_usable(p) && p->registration == PR_PATH_IN;
		if (!pr_path_is_usable(p) || p->registration != PR_PATH_BLOCKED)
			continue;
		if (!p->is_tried && path_unblock(core, i, now, actions))
			return;
		is_blocked = 1;
	}
	path = path_find(core, PR_PATH_UNSURE);
	if (path != NOWHERE) {
		ask(core, path, now, actions);
		return;
	}
	for (int i = 0; i < PR_PATHS_MAX; i++) {
		const struct pr_path *p = &core->paths[i];

		if (!pr_path_is_usable(p) || p->registration != PR_PATH_OUT)
			continue;
		if (!p->is_entered) {
			send(core, i, PR_FOR_ENTERING, PR_REGISTER, 0, core->key, 0, now, actions);
			return;
		}
		is_out = 1;
	}
	if (!is_in && (path_in_doubt(core) || (!is_blocked && !is_out)))
		return; /* wait for a path */
	if (is_in && look_for_us(core, now, actions))
		return;
	if (is_blocked)
		pr_core_finish(core, PR_CONFLICT, PR_CAUSE_PATH_BLOCKED, actions);
	else if (!is_in)
		ejected(core, PR_CAUSE_NOT_ADMITTED, actions); /* entered, and not in: R5 */
	else
		pr_core_finish(core, PR_DONE, PR_CAUSE_NONE, actions);
}

/* ---- verify ---- */

static void job_verify(struct pr_core *core, mono_t now, struct pr_actions *actions)
{
	int path = core->is_joined ? path_find(core, PR_PATH_UNSURE) : NOWHERE;

	if (gave_up(core, actions))
		return;
	if (path != NOWHERE) {
		ask(core, path, now, actions);
		return;
	}
	core->held_fresh |= core->job.by_status; /* the keys are enough */
	if (core->is_joined ? look_for_us(core, now, actions) : look(core, now, actions))
		return;
	if (!core->is_joined || path_find(core, PR_PATH_IN) != NOWHERE)
		pr_core_finish(core, PR_DONE, PR_CAUSE_NONE, actions);
	else if (path_may_come(core))
		pr_core_finish(core, PR_UNKNOWN, PR_CAUSE_SESSION_LOST, actions);
	else
		ejected(core, PR_CAUSE_SESSION_LOST, actions);
}

/* ---- reserve ---- */

/* What the look after an attempt says. 1: the job has ended. */
static int reserve_judge(struct pr_core *core, struct pr_actions *actions)
{
	int all = core->is_held && pr_type_is_all_registrants(core->held_type);

	if (!core->is_held)
		return 0;
	if (core->held_type != core->job.type)
		pr_core_finish(core, PR_CONFLICT,
			       all || core->holder == core->key ? PR_CAUSE_OTHER_TYPE
								: PR_CAUSE_HELD,
			       actions);
	else if (core->holder == core->key || (all && core->job.is_done))
		pr_core_finish(core, PR_DONE, done_cause(core, PR_CAUSE_ALREADY), actions);
	else if (!all)
		pr_core_finish(core, PR_CONFLICT, PR_CAUSE_HELD, actions);
	else
		return 0; /* everybody holds it, but for the path that was told so: ask it */
	return 1;
}

static void job_reserve(struct pr_core *core, mono_t now, struct pr_actions *actions)
{
	int path;

	if (core->job.by_status && core->job.is_done) {
		pr_core_finish(core, PR_DONE, PR_CAUSE_NONE, actions);
		return;
	}
	if (was_tried(core)) {
		if (look_for_us(core, now, actions))
			return;
		/* Ours already, so it seems; by a path, or by a session that is gone? */
		if (!core->job.is_done && core->is_held && core->holder == core->key &&
		    carrier(core, now, actions) == NOWHERE)
			return;
		if (reserve_judge(core, actions))
			return;
		/* Free, though it was ours a moment ago. */
		core->job.retries += (unsigned)core->job.is_done;
		core->job.is_done = 0;
	}
	if (gave_up(core, actions))
		return;
	path = carrier(core, now, actions);
	if (path != NOWHERE)
		send(core, path, PR_FOR_THE_JOB, PR_RESERVE, core->key, 0, core->job.type, now,
		     actions);
}

/* ---- release ---- */

/* Take a reservation or registrations of our key back from sessions that are gone (tgt keeps them):
 * PREEMPT of our own key, by a path that carries it. */
static void take_back(struct pr_core *core, int path, mono_t now, struct pr_actions *actions)
{
	unsigned type = core->is_held ? core->held_type : (unsigned)PR_TYPE_WRITE_EXCLUSIVE_RO;

	send(core, path, PR_FOR_TAKING_BACK, PR_PREEMPT, core->key, core->key, type, now, actions);
}

static void job_release(struct pr_core *core, mono_t now, struct pr_actions *actions)
{
	int path = NOWHERE;

	if (look_for_us(core, now, actions))
		return;
	if (!core->is_held ||
	    (core->holder != core->key && !pr_type_is_all_registrants(core->held_type))) {
		pr_core_finish(core, PR_DONE, done_cause(core, PR_CAUSE_ALREADY), actions);
		return;
	}
	if (gave_up(core, actions))
		return;
	/* Only the path that holds it can release it; the others are told GOOD (5.7.11.2). */
	for (int i = 0; path == NOWHERE && i < PR_PATHS_MAX; i++)
		if (pr_path_is_usable(&core->paths[i]) && !core->paths[i].is_tried &&
		    core->paths[i].registration == PR_PATH_IN)
			path = i;
	if (path != NOWHERE) {
		send(core, path, PR_FOR_THE_JOB, PR_RELEASE, core->key, 0, core->held_type, now,
		     actions);
		return;
	}
	path = path_find(core, PR_PATH_UNSURE);
	if (path != NOWHERE) {
		ask(core, path, now, actions);
		return;
	}
	path = carrier(core, now, actions);
	if (path == NOWHERE || path_in_doubt(core))
		return;
	if (core->job.took_back) {
		pr_core_finish(core, PR_UNKNOWN, PR_CAUSE_UNSTABLE, actions);
		return;
	}
	for (int i = 0; i < PR_PATHS_MAX; i++)
		core->paths[i].is_tried = 0;
	take_back(core, path, now, actions);
}

/* ---- preempt ---- */

/* 1: the job has ended. */
static int preempt_judge(struct pr_core *core, struct pr_actions *actions)
{
	int is_there = pr_core_count(core, core->job.victim) > 0;

	if (!is_there && core->keys_cut)
		pr_core_finish(core, PR_UNKNOWN, PR_CAUSE_ANSWER, actions);
	else if (is_there && core->job.is_done)
		pr_core_finish(core, PR_CONFLICT, PR_CAUSE_VICTIM_BACK, actions);
	else if (is_there)
		return 0; /* it was not our path, or it was not executed */
	else if (core->job.is_done && !core->job.aborted)
		pr_core_finish(core, PR_DONE, PR_CAUSE_NO_ABORT, actions);
	else if (core->job.is_done || core->job.in_doubt)
		pr_core_finish(core, PR_DONE, done_cause(core, PR_CAUSE_NONE), actions);
	else
		pr_core_finish(core, PR_CONFLICT, PR_CAUSE_VICTIM_ABSENT, actions);
	return 1;
}

static void job_preempt(struct pr_core *core, mono_t now, struct pr_actions *actions)
{
	int path;

	if (core->job.by_status && core->job.is_done) {
		pr_core_finish(core, PR_DONE, core->job.aborted ? PR_CAUSE_NONE : PR_CAUSE_NO_ABORT,
			       actions);
		return;
	}
	if (was_tried(core) && (look_for_us(core, now, actions) || preempt_judge(core, actions)))
		return;
	if (gave_up(core, actions))
		return;
	path = carrier(core, now, actions);
	if (path != NOWHERE)
		send(core, path, PR_FOR_THE_JOB,
		     core->has_abort == 0 ? PR_PREEMPT : PR_PREEMPT_AND_ABORT, core->key,
		     core->job.victim, core->job.type, now, actions);
}

/* ---- clear, leave ---- */

/* Out, of our own will: no ejection. */
static void left(struct pr_core *core, enum pr_outcome outcome, enum pr_cause cause,
		 struct pr_actions *actions)
{
	core->is_joined = 0;
	core->wants_verify = 0;
	for (int i = 0; i < PR_PATHS_MAX; i++)
		core->paths[i].registration = PR_PATH_OUT;
	pr_core_finish(core, outcome, cause, actions);
}

static void job_clear(struct pr_core *core, mono_t now, struct pr_actions *actions)
{
	int path;

	if (was_tried(core)) {
		int is_there;

		if (look(core, now, actions))
			return;
		is_there = pr_core_count(core, core->key) > 0 || core->keys_cut;
		if (!is_there && (core->job.is_done || (core->job.in_doubt && !core->keys_count)))
			left(core, PR_DONE, done_cause(core, PR_CAUSE_NONE), actions);
		else if (!is_there)
			ejected(core, PR_CAUSE_KEY_GONE, actions);
		else if (core->job.is_done)
			pr_core_finish(core, PR_UNKNOWN, PR_CAUSE_UNSTABLE, actions);
		if (core->job.kind == PR_JOB_NONE)
			return;
		if (core->job.in_doubt && path_in_doubt(core))
			return; /* it may land yet, and then nobody would expect it */
	}
	if (gave_up(core, actions))
		return;
	path = carrier(core, now, actions);
	if (path != NOWHERE)
		send(core, path, PR_FOR_THE_JOB, PR_CLEAR, core->key, 0, 0, now, actions);
}

static void job_leave(struct pr_core *core, mono_t now, struct pr_actions *actions)
{
	int path = path_find(core, PR_PATH_UNSURE), in = 0;

	if (gave_up(core, actions))
		return;
	if (path != NOWHERE) {
		ask(core, path, now, actions);
		return;
	}
	for (int i = 0; i < PR_PATHS_MAX; i++)
		if (pr_path_is_usable(&core->paths[i]) &&
		    core->paths[i].registration == PR_PATH_IN) {
			in++;
			path = i;
		}
	/* The last one stays until nothing of us is left that it would have to take back. */
	if (in != 1 || core->job.took_back) {
		if (path != NOWHERE) {
			send(core, path, PR_FOR_LEAVING, PR_REGISTER, core->key, 0, 0, now,
			     actions);
			return;
		}
		if (path_in_doubt(core) || look(core, now, actions))
			return;
		if (pr_core_count(core, core->key) > 0 || core->keys_cut)
			left(core, PR_UNKNOWN, PR_CAUSE_LEFT_BEHIND, actions);
		else
			left(core, PR_DONE, PR_CAUSE_NONE, actions);
		return;
	}
	if (look(core, now, actions))
		return;
	if (pr_core_count(core, core->key) > 1)
		take_back(core, path, now, actions);
	else
		send(core, path, PR_FOR_LEAVING, PR_REGISTER, core->key, 0, 0, now, actions);
}

/* ---- which ---- */

void pr_core_advance(struct pr_core *core, mono_t now, struct pr_actions *actions)
{
	static void (*const jobs[])(struct pr_core *, mono_t, struct pr_actions *) = {
		[PR_JOB_JOIN] = job_join,	[PR_JOB_VERIFY] = job_verify,
		[PR_JOB_RESERVE] = job_reserve, [PR_JOB_RELEASE] = job_release,
		[PR_JOB_PREEMPT] = job_preempt, [PR_JOB_CLEAR] = job_clear,
		[PR_JOB_LEAVE] = job_leave,
	};

	assert(core->job.kind != PR_JOB_NONE);
	jobs[core->job.kind](core, now, actions);
}
