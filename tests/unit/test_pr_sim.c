/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: base lockd/pr_core.c lockd/pr_core_jobs.c lockd/pr_cdb_wire.c lockd/pr_sense_wire.c tests/sim/pr_model.c tests/sim/pr_access.c tests/unit/pr_world.c pkg:cmocka
 *
 * test_pr_sim.c - reservation cores of three nodes with two paths each under random jobs and faults.
 *
 * What a core says is held against what the unit was at some time while the job ran; the oracles
 * know the model, and nothing of the core. A failure prints the seed and the trace; PR_SEED=n
 * PR_RUNS=1 repeats it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/pr_world.h"

enum { RUNS = 400, STEPS = 40, JOB_MS = 600, SEED = 1 };

static struct pr_world world;
static unsigned long seed_now;
static uint64_t dice_state;

static unsigned dice(unsigned sides)
{
	/* xorshift64*; Vigna 2016 */
	dice_state ^= dice_state >> 12;
	dice_state ^= dice_state << 25;
	dice_state ^= dice_state >> 27;
	return (unsigned)((dice_state * UINT64_C(0x2545f4914f6cdd1d) >> 33) % sides);
}

/* ---- what was when ---- */

struct moments {
	mono_t key_there, key_gone, holds, holds_not, other_holds;
	mono_t path_in[WORLD_PATHS], path_out[WORLD_PATHS];
};

static struct watch {
	uint64_t key;
	unsigned incarnation;
	struct moments last;
	/* of the job at hand: */
	enum pr_job_kind job;
	int was_checked;
	mono_t began;
	uint64_t admission, victim;
	mono_t victim_gone;
	unsigned outs_done, aborts_done;
	uint64_t token; /* those of the job's commands are higher */
	/* the highest admission there was when the key was last taken away by others */
	uint64_t ejected_at;
} watches[WORLD_NODES];

static uint64_t admissions;

static void broken(const char *what, unsigned node)
{
	fprintf(stderr, "PR_SEED=%lu PR_RUNS=1 repeats this:\n%s", seed_now, world.trace);
	fail_msg("node %c: %s", 'a' + node, what);
}

static int key_is_there(uint64_t key)
{
	for (size_t i = 0; i < world.model.registrations_count; i++)
		if (world.model.registrations[i].key == key)
			return 1;
	return 0;
}

static int key_holds(uint64_t key)
{
	const struct pr_model *m = &world.model;

	return m->holder >= 0 &&
	       (pr_type_is_all_registrants(m->type) ? key_is_there(key)
						    : m->registrations[m->holder].key == key);
}

/* Look at the unit, which has changed or not. */
static void snapshot(void)
{
	const struct pr_model *m = &world.model;

	for (unsigned n = 0; n < world.nodes_count; n++) {
		struct watch *w = &watches[n];
		struct moments *at = &w->last;

		*(key_is_there(w->key) ? &at->key_there : &at->key_gone) = world.now;
		*(key_holds(w->key) ? &at->holds : &at->holds_not) = world.now;
		if (m->holder >= 0 && !key_holds(w->key))
			at->other_holds = world.now;
		for (unsigned p = 0; p < WORLD_PATHS; p++) {
			int own = pr_model_registration_of(m, world.nodes[n].nexus[p]);
			int in = own >= 0 && m->registrations[own].key == w->key;

			*(in ? &at->path_in[p] : &at->path_out[p]) = world.now;
		}
		if (w->victim && !key_is_there(w->victim))
			w->victim_gone = world.now;
	}
}

static int since(mono_t moment, const struct watch *w)
{
	return !mono_before(moment, w->began);
}

/* ---- while it happens ---- */

/* S10: our key is registered anew only in a join, with an admission from after the last ejection. */
static void on_sent(struct pr_world *at, unsigned node, const struct pr_action *send)
{
	const struct watch *w = &watches[node];

	(void)at;
	if (!pr_command_is_out(send->command) || send->service_key != w->key ||
	    send->key == w->key || send->command == PR_PREEMPT ||
	    send->command == PR_PREEMPT_AND_ABORT)
		return;
	if (send->command != PR_REGISTER)
		broken("overwrites what is registered", node);
	if (w->job != PR_JOB_JOIN)
		broken("registers without a join", node);
	if (w->admission <= w->ejected_at)
		broken("registers again after an ejection, with an admission from before", node);
}

static uint64_t keys_before[WORLD_NODES];

static void on_before(struct pr_world *at, unsigned node, unsigned path,
		      const struct pr_action *send)
{
	(void)at;
	(void)node;
	(void)path;
	(void)send;
	for (unsigned n = 0; n < world.nodes_count; n++)
		keys_before[n] = (uint64_t)key_is_there(watches[n].key);
}

static void on_after(struct pr_world *at, unsigned node, unsigned path,
		     const struct pr_action *send, const struct pr_reply *reply)
{
	struct watch *w = &watches[node];

	(void)at;
	(void)path;
	snapshot();
	if (reply->meaning != PR_MEANS_GOOD || !pr_command_is_out(send->command))
		return;
	/* What lands late is of an earlier job. */
	if (send->token > w->token) {
		w->outs_done += send->key != send->service_key;
		w->aborts_done += send->command == PR_PREEMPT_AND_ABORT;
	}
	for (unsigned n = 0; n < world.nodes_count; n++)
		if (n != node && keys_before[n] && !key_is_there(watches[n].key))
			watches[n].ejected_at = admissions;
}

/* ---- what a core says in the end ---- */

static void judge_done(const struct watch *w, const struct pr_result *r, unsigned node)
{
	switch (w->job) {
	case PR_JOB_JOIN:
		if (!since(w->last.key_there, w) || r->registered == 0)
			broken("joined, and not registered", node);
		break;
	case PR_JOB_RESERVE:
		if (!since(w->last.holds, w) || !r->holds)
			broken("reserved, and not the holder", node);
		break;
	case PR_JOB_RELEASE:
		if (!since(w->last.holds_not, w))
			broken("released, and the holder all the time", node);
		break;
	case PR_JOB_PREEMPT:
		if (!since(w->victim_gone, w))
			broken("preempted, and the victim was there all the time", node);
		if (!since(w->last.key_there, w))
			broken("preempted without being registered", node);
		if (r->is_ours != (r->cause != PR_CAUSE_RESOLVED))
			broken("resolved by reading, and yet sure of itself", node);
		break;
	case PR_JOB_CLEAR:
	case PR_JOB_LEAVE:
		if (!since(w->last.key_gone, w))
			broken("gone, and still there", node);
		break;
	default:
		break;
	}
}

static void judge(unsigned node)
{
	struct watch *w = &watches[node];
	const struct pr_result *r = &world.nodes[node].result;

	w->was_checked = 1;
	if (r->holds && !since(w->last.holds, w))
		broken("says that it holds", node);
	if (r->aborted && w->aborts_done == 0)
		broken("says that it aborted", node);
	for (unsigned p = 0; p < WORLD_PATHS; p++)
		if (r->outcome == PR_DONE && r->registered & 1u << p &&
		    !since(w->last.path_in[p], w))
			broken("says that a path carries its key", node);
	switch (r->outcome) {
	case PR_DONE:
		judge_done(w, r, node);
		break;
	case PR_CONFLICT:
		if (r->cause == PR_CAUSE_VICTIM_ABSENT && !since(w->victim_gone, w))
			broken("misses a victim that was there", node);
		if (r->cause == PR_CAUSE_HELD && !since(w->last.other_holds, w))
			broken("sees another holder", node);
		break;
	case PR_EJECTED:
		if (r->cause == PR_CAUSE_KEY_GONE && !since(w->last.key_gone, w))
			broken("ejected, and its key was there all the time", node);
		for (unsigned p = 0; p < WORLD_PATHS && r->cause == PR_CAUSE_SESSION_LOST; p++)
			if (!since(w->last.path_out[p], w) && world.nodes[node].core.paths[p].is_up)
				broken("lost, and a path carried its key all the time", node);
		break;
	case PR_REFUSED:
		if (w->outs_done > 0)
			broken("says that nothing was changed", node);
		break;
	default:
		break;
	}
	w->job = PR_JOB_NONE;
}

static void judge_all(void)
{
	for (unsigned n = 0; n < world.nodes_count; n++)
		if (world.nodes[n].has_ended && !watches[n].was_checked)
			judge(n);
}

/* ---- making trouble ---- */

static int is_idle(unsigned node)
{
	return watches[node].job == PR_JOB_NONE;
}

/* Who admits a node does not eject it before the admission has ended. */
static int is_admitted_now(uint64_t key)
{
	for (unsigned n = 0; n < world.nodes_count; n++)
		if (watches[n].job == PR_JOB_JOIN && watches[n].key == key)
			return 1;
	return 0;
}

static int is_threatened(uint64_t key)
{
	for (unsigned n = 0; n < world.nodes_count; n++)
		if (watches[n].job == PR_JOB_CLEAR ||
		    (watches[n].job == PR_JOB_PREEMPT && watches[n].victim == key))
			return 1;
	return 0;
}

static void begin_job(unsigned node, enum pr_job_kind kind, uint64_t victim, unsigned type)
{
	struct watch *w = &watches[node];

	w->job = kind;
	w->was_checked = 0;
	w->began = world.now;
	w->victim = victim;
	w->admission = kind == PR_JOB_JOIN ? ++admissions : 0;
	w->outs_done = w->aborts_done = 0;
	w->token = world.nodes[node].core.last_token;
	w->victim_gone = (mono_t){ -1 };
	snapshot();
	world_say(&world, "%c starts %d victim=%llx", 'a' + node, kind, (unsigned long long)victim);
	world_job(&world, node, kind, w->admission, victim, type, JOB_MS);
	judge_all();
}

static void random_job(unsigned node)
{
	static const enum pr_job_kind often[] = { PR_JOB_JOIN,	  PR_JOB_JOIN,	  PR_JOB_JOIN,
						  PR_JOB_RESERVE, PR_JOB_RESERVE, PR_JOB_PREEMPT,
						  PR_JOB_PREEMPT, PR_JOB_PREEMPT, PR_JOB_RELEASE,
						  PR_JOB_VERIFY,  PR_JOB_LEAVE,	  PR_JOB_CLEAR };
	static const uint8_t types[] = { 5, 5, 5, 1, 7, 8 };
	enum pr_job_kind kind = often[dice(sizeof often / sizeof often[0])];
	uint64_t victim = kind == PR_JOB_PREEMPT ? watches[dice(world.nodes_count)].key : 0;

	if (!is_idle(node))
		return;
	if (kind == PR_JOB_CLEAR && dice(3) != 0)
		return;
	if (kind == PR_JOB_JOIN && is_threatened(watches[node].key))
		return;
	for (unsigned n = 0; n < world.nodes_count; n++)
		if ((kind == PR_JOB_CLEAR || (victim && watches[n].key == victim)) &&
		    is_admitted_now(watches[n].key))
			return;
	begin_job(node, kind, victim, types[dice(sizeof types)]);
}

static void trouble(void)
{
	unsigned node = dice(world.nodes_count), path = dice(WORLD_PATHS);

	switch (dice(40)) {
	case 0:
		world_say(&world, "power");
		pr_model_power_cycle(&world.model);
		snapshot();
		break;
	case 1:
		world_say(&world, "reset");
		pr_model_reset(&world.model);
		break;
	case 2:
		if (is_idle(node)) {
			struct watch *w = &watches[node];

			world_say(&world, "%c boots", 'a' + node);
			w->key = world_key(node, ++w->incarnation);
			w->ejected_at = 0;
			w->last = (struct moments){ 0 };
			world_boot(&world, node, w->incarnation);
			snapshot();
		}
		break;
	case 3:
	case 4:
	case 5:
		world_cut(&world, node, path);
		break;
	case 6:
	case 7:
	case 8:
	case 9:
	case 10:
		world_mend(&world, node, path);
		break;
	case 11:
	case 12:
	case 13:
	case 14:
	case 15:
	case 16:
		world.nodes[node].next_fault[path] = (enum pr_fault)(1 + dice(FAULTS - 1));
		break;
	default:
		random_job(node);
		break;
	}
}

/* ---- runs ---- */

static void settle(void)
{
	for (int i = 0; world_turn(&world); i++) {
		judge_all();
		if (i > 100000)
			broken("does not come to rest", 0);
	}
	for (unsigned n = 0; n < world.nodes_count; n++)
		if (watches[n].job != PR_JOB_NONE)
			broken("never ends", n);
}

/* Without faults everything is known and everything succeeds. */
static void heal(void)
{
	for (unsigned n = 0; n < world.nodes_count; n++)
		for (unsigned p = 0; p < WORLD_PATHS; p++) {
			world.nodes[n].next_fault[p] = FAULT_NONE;
			world_mend(&world, n, p);
		}
	settle();
	for (unsigned n = 0; n < world.nodes_count; n++) {
		begin_job(n, PR_JOB_JOIN, 0, 0);
		settle();
		if (world.nodes[n].result.outcome != PR_DONE)
			broken("cannot join a unit that is well", n);
		if (world.nodes[n].result.registered != 3)
			broken("joined with less than all its paths", n);
	}
	for (unsigned n = 0; n < world.nodes_count; n++) {
		begin_job(n, PR_JOB_RESERVE, 0, PR_TYPE_WRITE_EXCLUSIVE_RO);
		settle();
		if (world.nodes[n].result.outcome == PR_UNKNOWN ||
		    world.nodes[n].result.outcome == PR_EJECTED)
			broken("cannot tell who has the reservation", n);
	}
}

static void run(unsigned long seed)
{
	struct pr_model_limits limits = { 0 };

	seed_now = seed;
	dice_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	admissions = 0;
	if (dice(3) == 0)
		pr_model_limits_tgt(&limits);
	else
		limits.attention_first = (int)dice(2);
	world_begin(&world, &limits, WORLD_NODES, WORLD_PATHS);
	memset(watches, 0, sizeof watches);
	for (unsigned n = 0; n < WORLD_NODES; n++) {
		watches[n].incarnation = 1;
		watches[n].key = world_key(n, 1);
	}
	world.sent = on_sent;
	world.before = on_before;
	world.after = on_after;
	snapshot();
	for (int i = 0; i < STEPS; i++) {
		trouble();
		judge_all();
		for (unsigned turns = dice(12); turns > 0; turns--) {
			world_turn(&world);
			judge_all();
		}
	}
	settle();
	heal();
}

static unsigned long number_of(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text && text[0] ? strtoul(text, NULL, 10) : otherwise;
}

static void test_runs(void **state)
{
	unsigned long seed = number_of("PR_SEED", SEED), runs = number_of("PR_RUNS", RUNS);

	(void)state;
	for (unsigned long i = 0; i < runs; i++)
		run(seed + i);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_runs) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
