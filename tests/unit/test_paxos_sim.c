/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_paxos_sim.c - many claims by many nodes on bad disks: Disk Paxos under the oracles of
 * tests/sim/paxos_world.h, from seeds; what a claim costs; and that all works once the disks do.
 *
 * PAXOS_SIM_SEEDS says how many seeds (400), PAXOS_SIM_SEED plays one and prints what happened.
 *
 * LINK: diskhb disk host base lockd/place_io.c lockd/paxos_core.c lockd/paxos_core_read.c tests/sim/paxos_world.c tests/sim/mock_disk.c
 */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rc.h"
#include "tests/sim/paxos_world.h"

enum { SEEDS = 400, CHAOS_STEPS = 150, IO_TIMEOUT_MS = 200, RETRY_MS = 20 };

static struct paxos_world world;
static uint64_t random_state;

/* What the seeds have met, to see that they meet everything. */
static struct {
	unsigned granted, lost, decided, nothing, passed, collisions, disks, damaged, lies, crashes,
		recovered_grants;
} met;

/* splitmix64 (public domain; Vigna) */
static uint64_t random_next(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static int64_t between(int64_t low, int64_t high)
{
	assert(low <= high);
	return low + (int64_t)(random_next() % ((uint64_t)(high - low) + 1));
}

static int chance(unsigned per_mille)
{
	return random_next() % 1000 < per_mille;
}

static const struct paxos_config config = {
	.io_timeout_ms = IO_TIMEOUT_MS, .retry_ms = RETRY_MS, .owns_next = 1, .seed = 1
};

/* ---- how a seed likes its disks: per mille of the requests ---- */

static struct {
	unsigned errors, slow, stuck, lost, misdirected, stale;
	unsigned reach; /* how far a request may be slow, ms */
} mood;

static void mood_set(void)
{
	memset(&mood, 0, sizeof mood);
	mood.reach = chance(500) ? 3 : 30;
	if (chance(500))
		mood.errors = (unsigned)between(0, 150);
	if (chance(500))
		mood.slow = (unsigned)between(0, 100);
	if (chance(300))
		mood.stuck = (unsigned)between(0, 30);
	if (chance(300))
		mood.lost = (unsigned)between(0, 100);
	if (chance(200))
		mood.misdirected = (unsigned)between(0, 30);
	if (chance(300))
		mood.stale = (unsigned)between(0, 100);
	world.disks_lie = mood.stale || mood.misdirected || mood.lost;
}

static void fate(struct paxos_world *w, struct claimer *claimer, unsigned disk, int is_write,
		 struct paxos_fate *what)
{
	int is_first = !claimer->core.recovered; /* see what paxos_core.h assumes */

	(void)disk;
	what->lands_ms = between(0, mood.reach);
	what->ends_ms = what->lands_ms + between(0, mood.reach);
	if (chance(mood.errors)) {
		what->rc = chance(500) ? RC_UNREACHABLE : RC_BUSY;
		if (chance(500))
			what->lands_ms = -1;
	}
	if (chance(mood.slow)) {
		what->lands_ms = between(0, 3 * IO_TIMEOUT_MS);
		what->ends_ms = what->lands_ms + between(0, 2 * IO_TIMEOUT_MS);
	}
	if (chance(mood.stuck)) {
		what->lands_ms = between(0, 20 * IO_TIMEOUT_MS);
		what->ends_ms = what->lands_ms + between(0, 10);
	}
	if (is_write && chance(mood.lost))
		what->fault.torn_sectors = 0;
	if (!is_first && chance(mood.misdirected))
		what->fault.misdirected_bytes = w->layout.sector_bytes * between(-4, 4);
	if (!is_first && !is_write && chance(mood.stale))
		what->fault.stale_ms = between(1, 2000);
}

static void fate_good(struct paxos_world *w, struct claimer *claimer, unsigned disk, int is_write,
		      struct paxos_fate *what)
{
	(void)w;
	(void)claimer;
	(void)disk;
	(void)is_write;
	what->lands_ms = between(0, 3);
	what->ends_ms = what->lands_ms + between(0, 3);
}

/* ---- what the nodes do ---- */

static void count(const struct claimer *c)
{
	switch (c->last.outcome) {
	case PAXOS_GRANTED:
		met.granted++;
		met.recovered_grants += c->incarnation > 1;
		break;
	case PAXOS_LOST:
		met.lost++;
		break;
	case PAXOS_DECIDED:
		met.decided++;
		break;
	case PAXOS_NOTHING:
		met.nothing++;
		break;
	case PAXOS_UNKNOWN:
		met.passed += c->last.why == PAXOS_WHY_PASSED;
		met.collisions += c->last.why == PAXOS_WHY_COLLISIONS;
		met.disks += c->last.why == PAXOS_WHY_DISKS;
		met.damaged += c->last.why == PAXOS_WHY_DAMAGED;
		met.lies += c->last.why == PAXOS_WHY_LIES;
		break;
	}
}

/* One node does something, if it may. */
static void act(uint16_t n)
{
	struct claimer *c = &world.claimers[n - 1];
	uint64_t next = world.highest_answered + 1;

	if (!c->is_up) {
		claimer_start(&world, n);
	} else if (chance(30)) {
		met.crashes++;
		claimer_crash(&world, n, chance(500));
	} else if (c->is_claim || c->is_look) {
		if (chance(20))
			claimer_cancel(&world, n);
	} else if (chance(200)) {
		claimer_look(&world, n, between(1, 20) * 50);
	} else if (chance(100)) {
		claimer_prepare(&world, n, next + (chance(100) ? 1 : 0));
	} else {
		if (chance(150) && next > 2)
			next -= 1 + (uint64_t)between(0, 1);
		else if (chance(80))
			next += 1;
		claimer_claim(&world, n, next, NULL, between(1, 30) * 50);
	}
}

/* After the bad time every node is asked to claim, one after the other, on good disks. What was damaged
 * in the place of a node that still lives is mended by it. */
static void heal(void)
{
	world.fate = fate_good;
	for (unsigned i = 0; i < world.claimers_count; i++) {
		struct claimer *c = &world.claimers[i];

		if (!c->is_up)
			claimer_start(&world, c->node);
		if (c->is_claim || c->is_look)
			claimer_cancel(&world, c->node);
	}
	if (!paxos_world_settle(&world, 30 * INT64_C(20) * IO_TIMEOUT_MS))
		fail_msg("it does not come to rest: %s", world.violation);
	for (unsigned i = 0; i < world.claimers_count && !world.violation[0]; i++) {
		uint16_t n = world.claimers[i].node;
		uint64_t epoch = world.highest_answered + 20;

		claimer_claim(&world, n, epoch, NULL, 5000);
		paxos_world_settle(&world, 20000);
		if (world.violation[0] || world.disks_lie)
			continue; /* the block of a node may be lost for good */
		if (world.claimers[n - 1].last.outcome != PAXOS_GRANTED)
			fail_msg("n%u alone on good disks is not granted epoch %llu", n,
				 (unsigned long long)epoch);
	}
}

static void seed_play(uint64_t seed)
{
	static const unsigned disks[] = { 1, 1, 3, 3, 3, 2 };
	struct paxos_config mine = config;

	random_state = seed;
	mine.seed = seed * 77 + 1;
	mine.owns_next = chance(700);
	paxos_world_init(&world, disks[random_next() % 6], (unsigned)between(2, 4),
			 chance(250) ? 4096 : 512, &mine);
	world.trace_requests = getenv("PAXOS_SIM_SEED") != NULL;
	world.fate = fate;
	mood_set();
	for (unsigned i = 0; i < world.claimers_count; i++)
		world.claimers[i].slow_ns = between(0, 1000000) * NS_PER_MS_SIM;
	for (unsigned i = 0; i < CHAOS_STEPS && !world.violation[0]; i++) {
		uint64_t answers[CLAIMERS_MAX] = { 0 };
		unsigned hot = (unsigned)between(1, 3);

		for (unsigned c = 0; c < world.claimers_count; c++)
			answers[c] = world.claimers[c].answers;
		while (hot-- > 0)
			act((uint16_t)between(1, world.claimers_count));
		paxos_world_run(&world,
				world.now / NS_PER_MS_SIM + between(0, chance(700) ? 20 : 300));
		for (unsigned c = 0; c < world.claimers_count; c++)
			if (world.claimers[c].answers != answers[c])
				count(&world.claimers[c]);
		if (world.highest_answered + 100 > EPOCHS_MAX)
			break;
	}
	if (!world.violation[0])
		heal();
}

static void no_seed_decides_twice(void **state)
{
	const char *text = getenv("PAXOS_SIM_SEEDS");
	uint64_t seeds = text ? strtoull(text, NULL, 10) : SEEDS;

	(void)state;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		seed_play(seed);
		if (world.violation[0])
			fail_msg("seed %llu: %s", (unsigned long long)seed, world.violation);
		paxos_world_free(&world);
	}
}

static void the_seeds_met_everything(void **state)
{
	(void)state;
	print_message("granted %u (after a crash %u), lost %u, decided %u, nothing %u; unknown: "
		      "passed %u, "
		      "collisions %u, disks %u, damaged %u, lies %u; crashes %u\n",
		      met.granted, met.recovered_grants, met.lost, met.decided, met.nothing,
		      met.passed, met.collisions, met.disks, met.damaged, met.lies, met.crashes);
	assert_true(met.granted && met.recovered_grants && met.lost && met.decided && met.nothing &&
		    met.passed && met.collisions && met.disks && met.damaged && met.lies &&
		    met.crashes);
}

/* ---- what it costs ---- */

static void expect_cost(uint16_t n, uint64_t epoch, unsigned writes, unsigned reads)
{
	const struct claimer *c = &world.claimers[n - 1];

	claimer_claim(&world, n, epoch, NULL, 1000);
	assert_true(paxos_world_settle(&world, 10000));
	assert_string_equal(world.violation, "");
	assert_int_equal(c->last.outcome, PAXOS_GRANTED);
	if (c->last_writes != writes * world.disks || c->last_reads != reads * world.disks)
		fail_msg("n%u, epoch %llu on %u disks: %u writes and %u reads, not %u and %u on "
			 "each",
			 n, (unsigned long long)epoch, world.disks, c->last_writes, c->last_reads,
			 writes, reads);
}

/* One write and one read on each disk for a claim whose ballot is owned, for any number of nodes; two
 * of each without; the first claim of an incarnation reads its own block first. */
static void a_free_claim_costs_one_write_and_one_read(void **state)
{
	(void)state;
	for (unsigned disks = 1; disks <= 3; disks++) {
		paxos_world_init(&world, disks, 3, 512, &config);
		claimer_start(&world, 1);
		claimer_start(&world, 2);
		expect_cost(1, 1, 2, 3);
		for (uint64_t epoch = 2; epoch < 10; epoch++)
			expect_cost(1, epoch, 1, 1);
		/* One that was not foreseen, and one that was told of. */
		expect_cost(1, 15, 2, 2);
		claimer_prepare(&world, 1, 20);
		assert_true(paxos_world_settle(&world, 10000));
		expect_cost(1, 20, 1, 1);
		/* Another node takes over, and back; each knows the other's ballot by then. */
		expect_cost(2, 25, 2, 3);
		expect_cost(2, 26, 1, 1);
		expect_cost(1, 30, 2, 2);
		paxos_world_free(&world);
	}
}

static void known_decisions_cost_nothing(void **state)
{
	(void)state;
	paxos_world_init(&world, 3, 2, 512, &config);
	claimer_start(&world, 1);
	claimer_claim(&world, 1, 5, "first", 1000);
	assert_true(paxos_world_settle(&world, 10000));
	claimer_claim(&world, 1, 5, "second", 1000);
	assert_int_equal(world.claimers[0].answers, 2);
	assert_int_equal(world.claimers[0].last.outcome, PAXOS_LOST);
	assert_int_equal(world.claimers[0].last.value.node, 1);
	claimer_claim(&world, 1, 5, "first", 1000);
	assert_int_equal(world.claimers[0].last.outcome, PAXOS_GRANTED);
	assert_int_equal(world.claimers[0].last_reads + world.claimers[0].last_writes, 0);
	assert_string_equal(world.violation, "");
	paxos_world_free(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_free_claim_costs_one_write_and_one_read),
		cmocka_unit_test(known_decisions_cost_nothing),
		cmocka_unit_test(no_seed_decides_twice),
		cmocka_unit_test(the_seeds_met_everything),
	};
	const char *one = getenv("PAXOS_SIM_SEED");

	if (one) {
		seed_play(strtoull(one, NULL, 10));
		fputs(world.trace, stdout);
		printf("%s\n", world.violation[0] ? world.violation : "nothing violated");
		paxos_world_free(&world);
		return 0;
	}
	return cmocka_run_group_tests_name("paxos_sim", tests, NULL, NULL);
}
