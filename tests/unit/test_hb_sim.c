/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_hb_sim.c - many machines, bad disks, bad luck: the heartbeat's core under the oracles of
 * tests/sim/hb_world.h, from seeds. After the bad time all is healed, and then all must work.
 *
 * HB_SIM_SEEDS says how many seeds (80), HB_SIM_SEED plays one and prints what happened.
 *
 * LINK: diskhb base tests/sim/hb_world.c tests/sim/mock_disk.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/hb_world.h"

enum {
	CHAOS_MS = 60000,
	STEP_MS = 150,
	HEAL_MS = 25000,
	SEEDS = 80,
	RACES = 2000,
	DRIFT_PPM = 2000
};

static struct world world;
static uint64_t random_state;

/* splitmix64 (public domain; Vigna) */
static uint64_t random_next(void)
{
	uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static int64_t random_between(int64_t low, int64_t high)
{
	return low + (int64_t)(random_next() % (uint64_t)(high - low + 1));
}

static int chance(unsigned per_mille)
{
	return random_next() % 1000 < per_mille;
}

/* ---- disks ---- */

enum path_mood { PATH_GOOD, PATH_FLAKY, PATH_SLOW, PATH_WRITES_FAIL, PATH_DEAD };

/* How a seed likes its disks; per mille of the requests. */
static struct {
	unsigned errors, slow, stuck, lost, torn, misdirected, stale;
	int bad_paths;
	int healed;
} weather;

static enum path_mood moods[MACHINES_MAX][HB_DISKS_MAX];

static int64_t latency(enum path_mood mood)
{
	if (chance(weather.stuck))
		return random_between(500, 9000);
	if (mood == PATH_SLOW || chance(weather.slow))
		return random_between(50, 700);
	return random_between(1, 25);
}

static struct fate fate_by_weather(struct world *w, struct machine *machine, unsigned disk,
				   int is_write)
{
	enum path_mood mood = moods[machine - w->machines][disk];
	const struct mock_disk *medium = &w->media[disk];
	int64_t sectors = (int64_t)(medium->size / medium->sector_bytes);
	struct fate fate = { .latency_ns = random_between(1, 20) * NS_PER_MS,
			     .fault = MOCK_NO_FAULT };

	if (weather.healed)
		return fate;
	fate.latency_ns = latency(mood) * NS_PER_MS + random_between(0, NS_PER_MS);
	if (mood == PATH_DEAD || (mood == PATH_FLAKY && chance(400)) || chance(weather.errors) ||
	    (mood == PATH_WRITES_FAIL && is_write)) {
		/* An error may come after nothing, a part, or all of it. */
		fate.rc = RC_UNREACHABLE;
		fate.fault.torn_sectors = chance(500) ? (int)random_between(-8, 8) : MOCK_WHOLE;
	}
	/* Written, says the disk. */
	if (is_write && chance(weather.lost))
		fate.fault.torn_sectors = 0;
	if (is_write && chance(weather.torn))
		fate.fault.torn_sectors = (int)random_between(-7, 7);
	if (chance(weather.misdirected))
		fate.fault.misdirected_bytes = random_between(-sectors, sectors) *
					       (int64_t)medium->sector_bytes;
	/* Before it has written, no one can know its read to be stale; see hb_core.h. */
	if (!is_write && machine->core.stage >= HB_STAGE_JOIN && chance(weather.stale))
		fate.fault.stale_ms = random_between(50, 2500);
	return fate;
}

static void weather_choose(void)
{
	memset(&weather, 0, sizeof weather);
	if (chance(700))
		weather.errors = (unsigned)random_between(0, 60);
	if (chance(600))
		weather.slow = (unsigned)random_between(0, 150);
	if (chance(500))
		weather.stuck = (unsigned)random_between(0, 30);
	if (chance(300))
		weather.torn = (unsigned)random_between(0, 60);
	if (chance(300))
		weather.lost = (unsigned)random_between(0, 60);
	if (chance(250))
		weather.misdirected = (unsigned)random_between(0, 30);
	if (chance(300))
		weather.stale = (unsigned)random_between(0, 100);
	weather.bad_paths = chance(600);
}

/* ---- what happens to machines ---- */

static void send_something(struct machine *machine)
{
	static uint64_t request;
	static const enum hb_pill_kind kinds[] = { HB_PILL_TEST,  HB_PILL_TEST,	 HB_PILL_MESSAGE,
						   HB_PILL_RESET, HB_PILL_CRASH, HB_PILL_OFF };
	struct hb_event event = { .kind = HB_EVENT_SEND,
				  .request = request + 1,
				  .to = (uint16_t)random_between(1, world.nodes_max),
				  .pill = kinds[random_between(0, 5)],
				  .text = "a word",
				  .text_bytes = 6 };

	request++;
	machine_event(&world, machine, &event);
}

static void something_happens(void)
{
	struct machine *machine =
		&world.machines[random_between(0, (int64_t)world.machines_count - 1)];
	size_t index = (size_t)(machine - world.machines);
	struct hb_event leave = { .kind = HB_EVENT_LEAVE };

	if (machine->state == MACHINE_OFF) {
		if (chance(200))
			machine_start(&world, machine);
		return;
	}
	if (machine->state == MACHINE_KILLED) {
		if (chance(300))
			machine_restart(&world, machine);
		return;
	}
	/* A process whose core has ended is begun anew, as lockd would. */
	if (machine->core.stage == HB_STAGE_ENDED && chance(200)) {
		if (chance(500))
			machine_reset(&world, machine);
		else
			machine_kill(&world, machine);
		return;
	}
	if (chance(60))
		machine_pause(&world, machine, random_between(50, chance(300) ? 9000 : 1500));
	else if (chance(25))
		machine_kill(&world, machine);
	else if (chance(25))
		machine_reset(&world, machine);
	else if (chance(15))
		machine_event(&world, machine, &leave);
	else if (chance(60))
		send_something(machine);
	else if (weather.bad_paths && chance(100))
		moods[index][random_between(0, world.disks - 1)] =
			chance(500) ? PATH_GOOD : (enum path_mood)random_between(1, 4);
}

static void world_choose(uint64_t seed)
{
	struct hb_config config = { .interval_ms = 250,
				    .io_timeout_ms = 500,
				    .member_timeout_ms = 1500,
				    .lease_ms = 3000,
				    .watchdog_ms = 2000,
				    .grain_ms = 1000,
				    .drain_ms = 500,
				    .drift_ppm = DRIFT_PPM,
				    .claim_window_ms = 200,
				    .accepts = UINT32_MAX };
	unsigned disks, nodes;

	random_state = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
	disks = (unsigned)random_between(1, 3);
	nodes = (unsigned)random_between(2, 5);
	if (chance(300))
		config.interval_ms = 100;
	if (chance(300))
		config.watchdog_ms = 300;
	if (chance(200))
		config.lease_ms = 2000;
	if (chance(300)) {
		config.grain_ms = 0;
		config.drain_ms = 0;
	}
	world_init(&world, disks, nodes, chance(300) ? 4096 : 512, &config);
	world.fate = fate_by_weather;
	weather_choose();
	world.misdirects = weather.misdirected > 0;
	memset(moods, 0, sizeof moods);
	for (uint16_t node = 1; node <= world.config.nodes_max; node++)
		for (int twins = chance(250) ? (int)random_between(2, 3) : 1; twins > 0; twins--) {
			struct machine *machine = machine_add(&world, node);

			machine->clock_ppm = (int32_t)random_between(-DRIFT_PPM / 2 + 1,
								     DRIFT_PPM / 2 - 1);
			machine->clock_origin_ns += random_between(0, 1000000) * NS_PER_MS;
			/* Some lose their lease and live on. */
			if ((seed + node) % 4 == 0)
				machine->config.flags = HB_FLAG_SURVIVES;
			if (chance(800))
				machine_start(&world, machine);
		}
}

/* Everything is good again; of each node one machine is left. */
static void world_heal(void)
{
	weather.healed = 1;
	for (size_t i = 0; i < world.machines_count; i++)
		machine_reset(&world, &world.machines[i]);
	world_run(&world, CHAOS_MS + 10000);
	for (size_t i = 0; i < world.machines_count; i++)
		if (i == 0 || world.machines[i - 1].node != world.machines[i].node)
			machine_start(&world, &world.machines[i]);
	world_run(&world, CHAOS_MS + 10000 + HEAL_MS);
}

static const char *healed_check(void)
{
	static char text[128];

	for (size_t i = 0; i < world.machines_count; i++) {
		const struct machine *machine = &world.machines[i];

		if (machine->state != MACHINE_RUNNING)
			continue;
		if (machine->core.stage != HB_STAGE_ACTIVE) {
			snprintf(text, sizeof text, "node %u is not active, but in stage %d",
				 machine->node, (int)machine->core.stage);
			return text;
		}
		for (uint16_t node = 1; node <= world.config.nodes_max; node++)
			if (node != machine->node &&
			    hb_core_peer(&machine->core, node)->state != HB_PEER_ALIVE) {
				snprintf(text, sizeof text, "node %u holds node %u for %s",
					 machine->node, node,
					 hb_peer_state_word(
						 hb_core_peer(&machine->core, node)->state));
				return text;
			}
	}
	return "";
}

/* ---- what all seeds together must have shown, or they test nothing ---- */

static struct {
	unsigned active, dead, left, refused, taken, lost, delivered, accepted, expired, gone,
		stale, undead, watching, void_claims, bad_records;
} shown;

static void note_count(struct world *w, struct machine *machine, const struct hb_note *note)
{
	(void)w;
	(void)machine;
	shown.active += note->kind == HB_NOTE_ACTIVE;
	shown.dead += note->kind == HB_NOTE_PEER && note->state == HB_PEER_DEAD;
	shown.left += note->kind == HB_NOTE_LEFT;
	shown.refused += note->kind == HB_NOTE_REFUSED;
	shown.taken += note->kind == HB_NOTE_SLOT_TAKEN;
	shown.lost += note->kind == HB_NOTE_LEASE_LOST;
	shown.stale += note->kind == HB_NOTE_DISK_STALE;
	shown.undead += note->kind == HB_NOTE_PEER_UNDEAD;
	shown.watching += note->kind == HB_NOTE_WATCHING;
	shown.void_claims += note->kind == HB_NOTE_CLAIM_VOID;
	shown.bad_records += note->kind == HB_NOTE_RECORD_BAD;
	if (note->kind != HB_NOTE_MAIL)
		return;
	shown.delivered += note->mail == HB_MAIL_DELIVERED;
	shown.accepted += note->mail == HB_MAIL_ACCEPTED;
	shown.expired += note->mail == HB_MAIL_EXPIRED;
	shown.gone += note->mail == HB_MAIL_GONE;
}

static void seed_play(uint64_t seed)
{
	world_choose(seed);
	world.noted = note_count;
	for (int64_t ms = STEP_MS; ms <= CHAOS_MS && !world.violation[0]; ms += STEP_MS) {
		world_run(&world, ms);
		something_happens();
	}
	if (!world.violation[0])
		world_heal();
	if (!world.violation[0])
		snprintf(world.violation, sizeof world.violation, "%s", healed_check());
}

static uint64_t seeds_wanted(void)
{
	const char *number = getenv("HB_SIM_SEEDS");

	return number ? strtoull(number, NULL, 10) : SEEDS;
}

static void no_seed_violates_anything(void **state)
{
	uint64_t seeds = seeds_wanted();

	(void)state;
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		char violation[sizeof world.violation];

		seed_play(seed);
		memcpy(violation, world.violation, sizeof violation);
		world_free(&world);
		if (violation[0])
			fail_msg("HB_SIM_SEED=%llu: %s", (unsigned long long)seed, violation);
	}
}

/* ---- races for one slot ---- */

/* Fast, slow for a claim, too slow for one; so that every order of events comes up. */
static struct fate fate_by_race(struct world *w, struct machine *machine, unsigned disk,
				int is_write)
{
	struct fate fate = { .fault = MOCK_NO_FAULT };
	int64_t ms = chance(600)   ? random_between(1, 20)
		     : chance(600) ? random_between(50, 199)
				   : random_between(200, 480);

	(void)w;
	(void)machine;
	(void)disk;
	fate.latency_ns = ms * NS_PER_MS + random_between(0, NS_PER_MS);
	if (is_write && chance(30))
		fate.rc = RC_UNREACHABLE;
	return fate;
}

static void race_run(uint64_t seed)
{
	struct hb_config config = { .interval_ms = 100,
				    .io_timeout_ms = 500,
				    .member_timeout_ms = 1500,
				    .lease_ms = 2000,
				    .watchdog_ms = 2000,
				    .drift_ppm = DRIFT_PPM,
				    .claim_window_ms = 200 };
	int64_t ms = 0;

	random_state = seed * UINT64_C(0x2545f4914f6cdd1d) + 2;
	world_init(&world, (unsigned)random_between(1, 3), 2, 512, &config);
	world.fate = fate_by_race;
	world.noted = note_count;
	for (int64_t twins = random_between(2, 3); twins > 0; twins--) {
		machine_start(&world, machine_add(&world, 1));
		ms += random_between(0, 700);
		world_run(&world, ms);
		if (chance(100))
			machine_pause(&world, &world.machines[0], random_between(100, 1500));
	}
	world_run(&world, ms + 2500);
}

/* Two or three machines want one slot at nearly the same time. */
static void no_race_has_two_winners(void **state)
{
	unsigned races = 0, won = shown.active;

	(void)state;
	for (uint64_t seed = 1; seed <= RACES; seed++, races++) {
		char violation[sizeof world.violation];

		race_run(seed);
		memcpy(violation, world.violation, sizeof violation);
		world_free(&world);
		if (violation[0])
			fail_msg("race %llu: %s", (unsigned long long)seed, violation);
	}
	/* Or they would prove nothing. */
	assert_true(shown.active - won > races / 2);
}

static void the_seeds_met_everything(void **state)
{
	(void)state;
	print_message(
		"active %u, dead %u, left %u, refused %u, taken %u, lost %u, delivered %u, "
		"accepted %u, expired %u, gone %u, stale %u, undead %u, watching %u, void %u, "
		"bad %u\n",
		shown.active, shown.dead, shown.left, shown.refused, shown.taken, shown.lost,
		shown.delivered, shown.accepted, shown.expired, shown.gone, shown.stale,
		shown.undead, shown.watching, shown.void_claims, shown.bad_records);
	if (seeds_wanted() < SEEDS)
		skip();
	assert_true(shown.active > 100 && shown.dead > 10 && shown.left > 5 && shown.refused > 5);
	assert_true(shown.lost > 10 && shown.delivered > 20 && shown.accepted > 20);
	assert_true(shown.expired > 1 && shown.gone > 1 && shown.stale > 5);
	assert_true(shown.watching > 20 && shown.void_claims > 5 && shown.bad_records > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_race_has_two_winners),
		cmocka_unit_test(no_seed_violates_anything),
		cmocka_unit_test(the_seeds_met_everything),
	};
	const char *one = getenv("HB_SIM_SEED");

	if (one) {
		seed_play(strtoull(one, NULL, 10));
		fputs(world.trace, stdout);
		printf("%s\n", world.violation[0] ? world.violation : "nothing violated");
		world_free(&world);
		return 0;
	}
	return cmocka_run_group_tests_name("hb_sim", tests, NULL, NULL);
}
