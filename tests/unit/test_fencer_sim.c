/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: fencer base pkg:cmocka
 *
 * test_fencer_sim.c - seeded runs of the fencer's core against simulated plugs and agents that
 * lie, hang, crash and take effect late, with oracles that know the true state of every plug:
 *
 *  - success of off, and every `on` of a reboot, only after one moment at which all plugs of that
 *    level were off, each after its own command;
 *  - no `on` of a reboot while an off of that level is still at work;
 *  - never more agents at work than the limits allow; none started, and no target decided, after
 *    the deadline; one decision for each target; every run ends;
 *  - where nothing goes wrong, the operation succeeds.
 *
 * SIM_SEED=N plays one seed; SIM_RUNS=N that many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fence-agents/fencer/fencer_core.h"

enum { TARGETS = 40, LEGS = 5, DEVICES = 4, RUNS = 256, EFFECTS = 1024, STEPS = 20000 };

/* A change of a plug that will happen, whatever becomes of the agent that caused it. */
struct effect {
	int64_t at_ms;
	size_t target, leg;
	enum power_state state;
};

struct run {
	uint64_t token;
	size_t target, leg;
	enum fencer_verb verb;
	int64_t ends_ms, reads_ms; /* ends_ms -1: only when killed */
	int deaf;		   /* to SIGTERM */
	enum power_state read;
	struct fencer_core_reply reply;
	int reads;
};

struct plug {
	enum power_state state;
	int commanded; /* an off of ours was begun */
	int foreign, exists;
};

struct target {
	struct plug plugs[LEGS];
	unsigned char was_off[10]; /* level: all its plugs were off together, each commanded */
	int decided;
};

static struct {
	uint64_t prng;
	int calm; /* nothing goes wrong */
	struct fencer_core_config config;
	struct fencer_core_target core_targets[TARGETS];
	struct fencer_core_leg legs[TARGETS][LEGS];
	unsigned limits[DEVICES];
	struct target targets[TARGETS];
	struct run runs[RUNS];
	size_t runs_count;
	struct effect effects[EFFECTS];
	size_t effects_count;
	unsigned at_work[DEVICES];
	int64_t now_ms;
	struct fencer_core *core;
	uint64_t seed;
} sim;

static uint64_t prng(void)
{
	/* splitmix64 */
	uint64_t z = sim.prng += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static int64_t pick(int64_t from, int64_t to)
{
	return from + (int64_t)(prng() % (uint64_t)(to - from + 1));
}

static int chance(int percent)
{
	return !sim.calm && pick(1, 100) <= percent;
}

static void oracle(int holds, const char *what)
{
	if (!holds)
		fail_msg("seed %llu, %lld ms: %s", (unsigned long long)sim.seed,
			 (long long)sim.now_ms, what);
}

static mono_t at_ms(int64_t ms)
{
	return mono_add_ms((mono_t){ INT64_C(7000000000000) }, ms);
}

/* ---- the true state of plugs ---- */

static void levels_look(size_t t)
{
	for (unsigned level = 1; level <= 9; level++) {
		int all = 1, any = 0;

		for (size_t i = 0; i < sim.core_targets[t].legs_count; i++) {
			const struct plug *plug = &sim.targets[t].plugs[i];

			if (sim.legs[t][i].level != level)
				continue;
			any = 1;
			all &= plug->commanded && plug->exists && plug->state == POWER_OFF;
		}
		if (any && all)
			sim.targets[t].was_off[level] = 1;
	}
}

static void effect_add(int64_t at, size_t t, size_t leg, enum power_state state)
{
	if (sim.effects_count < EFFECTS)
		sim.effects[sim.effects_count++] = (struct effect){
			.at_ms = at, .target = t, .leg = leg, .state = state
		};
}

static void effects_happen(int64_t until)
{
	for (;;) {
		size_t first = EFFECTS;
		struct effect e;

		for (size_t i = 0; i < sim.effects_count; i++)
			if (sim.effects[i].at_ms <= until &&
			    (first == EFFECTS || sim.effects[i].at_ms < sim.effects[first].at_ms))
				first = i;
		/* Readings in between see the state of their moment. */
		for (size_t i = 0; i < sim.runs_count; i++) {
			struct run *run = &sim.runs[i];
			int64_t before = first == EFFECTS ? until + 1 : sim.effects[first].at_ms;

			if (run->reads && run->reads_ms < before) {
				run->read = sim.targets[run->target].plugs[run->leg].state;
				run->reads = 0;
			}
		}
		if (first == EFFECTS)
			return;
		e = sim.effects[first];
		sim.effects[first] = sim.effects[--sim.effects_count];
		sim.targets[e.target].plugs[e.leg].state = e.state;
		levels_look(e.target);
	}
}

/* ---- agents ---- */

static void command_plan(struct run *run, struct plug *plug)
{
	enum power_state want = run->verb == FENCER_VERB_OFF ? POWER_OFF : POWER_ON;
	int works = plug->exists && !chance(15);

	if (works)
		effect_add(sim.now_ms + pick(1, chance(10) ? 3000 : 200), run->target, run->leg,
			   want);
	if (plug->foreign) {
		run->reply.proof = PROOF_ACCEPTED; /* and rc 0, effect or not */
	} else {
		run->reply.native = 1;
		run->reads = 1; /* it reports what it reads at its end */
		run->ends_ms += works ? 3000 : 0;
	}
}

static void run_plan(struct run *run, const struct fencer_action *a)
{
	struct plug *plug = &sim.targets[a->target].plugs[a->leg];
	static const int failures[] = { RC_AUTH, RC_UNREACHABLE, RC_BUSY, RC_STATE, RC_PROTOCOL };

	*run = (struct run){
		.token = a->token, .target = a->target, .leg = a->leg, .verb = a->verb
	};
	run->ends_ms = sim.now_ms + pick(2, chance(5) ? 4000 : 100);
	if (a->verb == FENCER_VERB_OFF || a->verb == FENCER_VERB_ON) {
		command_plan(run, plug);
	} else if (a->verb == FENCER_VERB_LIST) {
		run->reply.rc = chance(20) ? RC_UNSUPPORTED : plug->exists ? 0 : RC_NO_SUCH_PLUG;
	} else {
		run->reads = 1;
		run->reply.native = !plug->foreign;
	}
	run->reads_ms = pick(sim.now_ms, run->ends_ms - 1);
	if (run->reply.native && a->verb <= FENCER_VERB_ON)
		run->reads_ms = run->ends_ms - 1;
	if (chance(15)) {
		run->reply.rc = failures[pick(0, 4)];
		run->reads = 0;
	} else if (chance(8)) {
		run->ends_ms = -1;
		run->deaf = chance(50);
	}
}

static struct fencer_core_reply run_reply(const struct run *run)
{
	struct fencer_core_reply reply = run->reply;
	enum power_state want = run->verb == FENCER_VERB_OFF ? POWER_OFF : POWER_ON;

	if (reply.rc != 0 || run->verb == FENCER_VERB_LIST)
		return reply;
	if (run->verb == FENCER_VERB_STATUS || run->verb == FENCER_VERB_PROBE) {
		reply.state = run->read;
		reply.proof = PROOF_PROVEN;
	} else if (reply.native) {
		reply.state = run->read;
		reply.proof = run->read == want ? PROOF_PROVEN : PROOF_ACCEPTED;
		reply.off_proven = run->verb == FENCER_VERB_OFF && run->read == POWER_OFF;
	}
	return reply;
}

/* ---- actions ---- */

static int reboot_off_at_work(size_t t, unsigned level)
{
	for (size_t i = 0; i < sim.runs_count; i++)
		if (sim.runs[i].target == t && sim.runs[i].verb == FENCER_VERB_OFF &&
		    sim.legs[t][sim.runs[i].leg].level == level)
			return 1;
	return 0;
}

static void take_run(const struct fencer_action *a)
{
	const struct fencer_core_leg *leg = &sim.legs[a->target][a->leg];

	oracle(sim.runs_count < RUNS, "too many agents at work for this test");
	oracle(sim.runs_count < sim.config.parallel, "more agents at work than allowed");
	oracle(sim.at_work[leg->device] < sim.limits[leg->device],
	       "more agents at work on a device than allowed");
	oracle(!sim.targets[a->target].decided, "an agent started for a decided target");
	oracle(sim.now_ms < sim.config.timeout_ms, "an agent started after the deadline");
	oracle(mono_diff_ms(at_ms(0), a->deadline) <= sim.config.timeout_ms,
	       "an agent may work beyond the deadline");
	for (size_t i = 0; i < sim.runs_count; i++)
		oracle(sim.runs[i].target != a->target || sim.runs[i].leg != a->leg,
		       "two agents for one leg");
	if (a->verb == FENCER_VERB_OFF) {
		sim.targets[a->target].plugs[a->leg].commanded = 1;
		levels_look(a->target);
	}
	if (a->verb == FENCER_VERB_ON && sim.config.op == FENCER_REBOOT) {
		oracle(sim.targets[a->target].was_off[leg->level],
		       "on before all plugs of the level were off");
		oracle(!reboot_off_at_work(a->target, leg->level), "on while an off is at work");
	}
	oracle(a->verb == FENCER_VERB_STATUS || a->verb == FENCER_VERB_LIST ||
		       a->verb == FENCER_VERB_PROBE ||
		       (sim.config.op != FENCER_STATUS && sim.config.op != FENCER_TEST),
	       "a command in an operation that only reads");
	sim.at_work[leg->device]++;
	run_plan(&sim.runs[sim.runs_count++], a);
}

static void take_kill(const struct fencer_action *a)
{
	for (size_t i = 0; i < sim.runs_count; i++) {
		struct run *run = &sim.runs[i];

		if (run->token != a->token)
			continue;
		if (a->hard || !run->deaf)
			run->ends_ms = sim.now_ms + (chance(20) ? pick(1, 400) : 0);
		return;
	}
	oracle(0, "kill of an agent that is not at work");
}

static void take_decided(size_t t)
{
	struct fencer_core_target_result r = fencer_core_target_result(sim.core, t);
	enum fencer_op op = sim.config.op;

	oracle(!sim.targets[t].decided, "a target decided twice");
	oracle(sim.now_ms <= sim.config.timeout_ms, "a target decided after its deadline");
	sim.targets[t].decided = 1;
	if (r.rc == 0 && op == FENCER_OFF)
		oracle(r.off_proven && r.level > 0 && sim.targets[t].was_off[r.level],
		       "off reported as proven, but it never was");
	if (r.off_proven && op == FENCER_REBOOT && r.level > 0)
		oracle(sim.targets[t].was_off[r.level], "a reboot's off that never was");
	if (r.rc == 0 && op == FENCER_REBOOT)
		oracle(r.off_proven && r.on_proven, "a reboot without proof");
	for (size_t i = 0;
	     r.rc == 0 && op == FENCER_TEST_REAL && i < sim.core_targets[t].legs_count; i++)
		oracle(sim.targets[t].was_off[sim.legs[t][i].level],
		       "a test for real that never switched off");
	if (sim.calm)
		oracle(r.rc == 0, "nothing went wrong, and yet it failed");
}

static void step(struct fencer_event event)
{
	struct fencer_out out;
	int rounds = 0;

	event.now = at_ms(sim.now_ms);
	do {
		fencer_core_step(sim.core, &event, &out);
		for (size_t i = 0; i < out.count; i++) {
			const struct fencer_action *a = &out.actions[i];

			if (a->kind == FENCER_ACTION_RUN)
				take_run(a);
			else if (a->kind == FENCER_ACTION_KILL)
				take_kill(a);
			else if (a->kind == FENCER_ACTION_DECIDED)
				take_decided(a->target);
		}
		event = (struct fencer_event){ .kind = FENCER_EVENT_TICK,
					       .now = at_ms(sim.now_ms) };
		oracle(++rounds < 100, "always more to do");
	} while (out.more);
}

/* ---- one seed ---- */

static void world_make(uint64_t seed)
{
	int many;

	memset(&sim, 0, sizeof sim);
	sim.seed = sim.prng = seed;
	sim.calm = seed % 10 == 0;
	many = seed % 50 == 1; /* more to do in a step than it can say at once */
	sim.config = (struct fencer_core_config){
		.op = (enum fencer_op)pick(0, FENCER_TEST_REAL),
		.timeout_ms = sim.calm ? 600000 : pick(1000, 20000),
		.retries = (unsigned)pick(sim.calm ? 5 : 0, 5),
		.parallel = (unsigned)(many ? RUNS : pick(1, 8)),
		.device_parallel = sim.limits,
		.devices_count = DEVICES,
		.targets = sim.core_targets,
		.targets_count = (size_t)(many ? TARGETS : pick(1, 5)),
	};
	for (size_t i = 0; i < DEVICES; i++)
		sim.limits[i] = many ? RUNS : (unsigned)pick(1, 3);
	for (size_t t = 0; t < sim.config.targets_count; t++) {
		unsigned level = (unsigned)pick(1, 2);

		sim.core_targets[t].legs = sim.legs[t];
		sim.core_targets[t].legs_count = (size_t)pick(1, LEGS);
		for (size_t i = 0; i < sim.core_targets[t].legs_count; i++) {
			level += i > 0 && pick(0, 1);
			sim.legs[t][i] = (struct fencer_core_leg){
				.device = (uint32_t)pick(0, DEVICES - 1),
				.level = (uint8_t)level,
				.has_plugs = (uint8_t)pick(0, 1),
				.has_probe = (uint8_t)pick(0, 1),
			};
			sim.targets[t].plugs[i] = (struct plug){
				.state = chance(10) ? POWER_OFF : POWER_ON,
				.foreign = (int)pick(0, 1),
				.exists = 1,
			};
			/* A plug that is not there reads off; only a list can tell. */
			if (sim.legs[t][i].has_plugs && sim.targets[t].plugs[i].foreign &&
			    chance(20)) {
				sim.targets[t].plugs[i].exists = 0;
				sim.targets[t].plugs[i].state = POWER_OFF;
			}
			/* Somebody else switches it on at some time. */
			if (chance(15))
				effect_add(pick(1, 3000), t, i, POWER_ON);
		}
	}
}

static size_t next_run(void)
{
	size_t best = RUNS;

	for (size_t i = 0; i < sim.runs_count; i++)
		if (sim.runs[i].ends_ms >= 0 &&
		    (best == RUNS || sim.runs[i].ends_ms < sim.runs[best].ends_ms))
			best = i;
	return best;
}

static void finish_run(size_t i)
{
	struct run run = sim.runs[i];
	struct fencer_event done = { .kind = FENCER_EVENT_DONE, .token = run.token };

	sim.runs[i] = sim.runs[--sim.runs_count];
	sim.at_work[sim.legs[run.target][run.leg].device]--;
	done.reply = run_reply(&run);
	step(done);
	/* The same completion once more, and one from nowhere: both are late and change nothing. */
	if (chance(5)) {
		done.reply = (struct fencer_core_reply){ 0, 1, POWER_OFF, PROOF_PROVEN, 1 };
		step(done);
		done.token ^= UINT64_C(1) << 60;
		step(done);
	}
}

static void seed_play(uint64_t seed)
{
	int64_t cancel_ms = INT64_MAX;
	void *memory;

	world_make(seed);
	if (chance(10))
		cancel_ms = pick(0, sim.config.timeout_ms);
	memory = malloc(fencer_core_bytes(&sim.config));
	sim.core = fencer_core_init(memory, &sim.config, at_ms(0));
	step((struct fencer_event){ .kind = FENCER_EVENT_TICK });
	for (int i = 0; !fencer_core_finished(sim.core); i++) {
		mono_t deadline = fencer_core_deadline(sim.core);
		int64_t tick_ms = mono_is_never(deadline) ? INT64_MAX
							  : mono_left_ms(at_ms(0), deadline);
		size_t run = next_run();
		int64_t run_ms = run < RUNS ? sim.runs[run].ends_ms : INT64_MAX;
		int64_t next_ms = run_ms < tick_ms ? run_ms : tick_ms;

		oracle(i < STEPS, "does not end");
		next_ms = cancel_ms < next_ms ? cancel_ms : next_ms;
		oracle(next_ms != INT64_MAX, "waits for nothing");
		sim.now_ms = next_ms > sim.now_ms ? next_ms : sim.now_ms;
		effects_happen(sim.now_ms);
		if (cancel_ms <= sim.now_ms) {
			cancel_ms = INT64_MAX;
			step((struct fencer_event){ .kind = FENCER_EVENT_CANCEL });
		} else if (run_ms <= sim.now_ms) {
			finish_run(run);
		} else {
			step((struct fencer_event){ .kind = FENCER_EVENT_TICK });
		}
	}
	for (size_t t = 0; t < sim.config.targets_count; t++)
		oracle(sim.targets[t].decided, "a target was never decided");
	oracle(sim.runs_count == 0, "finished with agents at work");
	free(memory);
}

static void random_runs_uphold_the_rules(void **state)
{
	const char *one = getenv("SIM_SEED"), *runs = getenv("SIM_RUNS");
	uint64_t count = runs ? strtoull(runs, NULL, 10) : 20000;

	(void)state;
	if (one)
		seed_play(strtoull(one, NULL, 10));
	for (uint64_t seed = 1; !one && seed <= count; seed++)
		seed_play(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_runs_uphold_the_rules) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
