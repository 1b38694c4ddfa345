/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_lock_sim.c - named locks of four nodes under random faults: lockd killed, paused, restarted,
 * machines reset and replaced, disks lost, claims lost and decided late, commands that heed nothing,
 * commands that cannot be killed.
 *
 * The oracles are the world's (tests/sim/lock_world.h). In the end all faults cease, and whoever waits
 * gets its lock. A failure prints the seed; LOCK_SEED=n LOCK_RUNS=1 repeats it, with its trace.
 *
 * LINK: lockd base tests/sim/lock_world.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/lock_world.h"

enum { RUNS = 60, SEED = 1, STORM_MS = 12000, CALM_MS = 9000 };

static struct lw_world world;
/* What happened in all runs: a simulation in which nothing happens proves nothing. */
static unsigned grants, breaks, lost, resets;
static int is_alone; /* the only run: it is to be looked at */

static unsigned long number_from(const char *variable, unsigned long otherwise)
{
	const char *text = getenv(variable);

	return text ? strtoul(text, NULL, 10) : otherwise;
}

static unsigned any_node(void)
{
	return 1 + lw_dice(&world, LW_NODES);
}

static const char *any_name(void)
{
	static const char *const names[] = { "a", "b", "c", "disk/1", "disk/2" };

	return names[lw_dice(&world, sizeof names / sizeof names[0])];
}

static void any_ask(unsigned node)
{
	lw_ask(&world, node, any_name(), lw_dice(&world, 3) ? -1 : (int64_t)lw_dice(&world, 800),
	       1 + lw_dice(&world, 600), lw_dice(&world, 4) == 0, lw_dice(&world, 40) == 0);
}

static void any_event(void)
{
	unsigned node = any_node();

	switch (lw_dice(&world, 40)) {
	case 0:
		lw_kill(&world, node);
		break;
	case 1:
	case 2:
	case 3:
		lw_restart(&world, node);
		break;
	case 4:
	case 5:
		lw_boot(&world, node);
		break;
	case 6:
		lw_reset(&world, node);
		break;
	case 7:
		lw_pause(&world, node, lw_dice(&world, 2500));
		break;
	case 8:
	case 9:
		lw_disk(&world, node, 0);
		break;
	case 10:
	case 11:
	case 12:
	case 13:
		lw_disk(&world, node, 1);
		break;
	case 14:
	case 15:
		lw_vanish(&world, node, any_name());
		break;
	case 16:
		lw_break(&world, node, any_name(), 0);
		break;
	case 17:
		if (lw_dice(&world, 3) == 0)
			lw_stop(&world, node);
		break;
	case 18:
		lw_replace(&world, node);
		break;
	default:
		any_ask(node);
	}
}

static void storm(void)
{
	while (world.now_ms < STORM_MS && !world.violation[0]) {
		lw_run(&world, world.now_ms + 1 + lw_dice(&world, 60));
		any_event();
	}
}

/* All that was broken is well again; every command ends, and what was asked for is got. */
static void calm(void)
{
	world.faults = (struct lw_faults){ .latency_ms = 5 };
	for (unsigned i = 1; i <= LW_NODES; i++) {
		lw_disk(&world, i, 1);
		world.nodes[i - 1].paused_until = 0;
		for (size_t a = 0; a < LW_ASKS; a++)
			world.nodes[i - 1].asks[a].stuck = 0;
	}
	for (size_t i = 0; i < LW_PROCESSES; i++) {
		world.processes[i].stuck = 0;
		if (world.processes[i].ends_ms > world.now_ms + 1000)
			world.processes[i].ends_ms = world.now_ms + 1000;
	}
	for (int64_t until = world.now_ms + CALM_MS; world.now_ms < until && !world.violation[0];) {
		for (unsigned i = 1; i <= LW_NODES; i++) {
			lw_boot(&world, i);
			lw_restart(&world, i);
		}
		lw_run(&world, world.now_ms + 100);
	}
}

static void settled(unsigned long seed)
{
	for (unsigned i = 0; i < LW_NODES; i++) {
		for (size_t a = 0; a < LW_ASKS; a++)
			if (world.nodes[i].asks[a].in_use)
				fail_msg("seed %lu: node %u still waits for %s", seed, i + 1,
					 world.nodes[i].asks[a].name);
		if (lock_core_is_busy(&world.nodes[i].core))
			fail_msg("seed %lu: node %u is still busy", seed, i + 1);
	}
}

static void run_one(unsigned long seed)
{
	static const struct lw_faults moods[] = {
		{ .latency_ms = 5 },
		{ .latency_ms = 20, .claim_lost = 100, .claim_late = 500, .unshown = 200 },
		{ .latency_ms = 80,
		  .claim_lost = 300,
		  .claim_late = 800,
		  .unshown = 500,
		  .read_fails = 200 },
	};

	lw_init(&world, LW_NODES, seed);
	world.faults = moods[seed % 3];
	world.nodes[2].has_watchdog = world.nodes[3].has_watchdog = seed % 4 != 0;
	for (unsigned i = 1; i <= LW_NODES; i++)
		lw_boot(&world, i);
	lw_run(&world, 300);
	storm();
	/* A node without a watchdog may hold a lock for ever: nobody may conclude from its silence. */
	if (seed % 4 != 0)
		calm();
	if (is_alone)
		fputs(world.trace, stderr);
	if (world.violation[0])
		fail_msg("seed %lu: %s", seed, world.violation);
	if (seed % 4 != 0)
		settled(seed);
	grants += world.grants;
	breaks += world.breaks;
	lost += world.lost;
	resets += world.resets;
}

static void random_faults(void **state)
{
	unsigned long first = number_from("LOCK_SEED", SEED), runs = number_from("LOCK_RUNS", RUNS);

	(void)state;
	grants = breaks = lost = resets = 0;
	is_alone = runs == 1;
	for (unsigned long seed = first; seed < first + runs; seed++)
		run_one(seed);
	print_message("%lu runs: %u granted, %u lost, %u broken, %u resets\n", runs, grants, lost,
		      breaks, resets);
	if (runs < RUNS)
		return;
	assert_true(grants > 1000);
	assert_true(lost > 40);
	assert_true(breaks > 2);
	assert_true(resets > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(random_faults) };

	return cmocka_run_group_tests_name("lock_sim", tests, NULL, NULL);
}
