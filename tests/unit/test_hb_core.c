/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_hb_core.c - golden traces of the heartbeat's core: plays every scenario of hb_core.traces and
 * compares the narrative; counts requests; refuses configurations. Run from the root of the
 * repository.
 *
 * LINK: diskhb base tests/sim/hb_world.c tests/sim/mock_disk.c tests/unit/golden.c pkg:cmocka
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
#include "tests/unit/golden.h"

enum { WORDS_MAX = 8, LATENCY_MS = 5 };

static const struct hb_config plain = {
	.interval_ms = 250,
	.io_timeout_ms = 500,
	.member_timeout_ms = 1500,
	.lease_ms = 3000,
	.watchdog_ms = 2000,
	.grain_ms = 1000,
	.drain_ms = 500,
	.drift_ppm = 1000,
	.claim_window_ms = 200,
	.accepts = UINT32_MAX,
};

/* ---- what the disks do, by machine and disk ---- */

struct mood {
	int read_rc, write_rc;
	int64_t latency_ms;
	struct mock_fault read_fault, write_fault;
};

static struct mood moods[MACHINES_MAX][HB_DISKS_MAX];

static struct fate fate_by_mood(struct world *world, struct machine *machine, unsigned disk,
				int is_write)
{
	const struct mood *mood = &moods[machine - world->machines][disk];

	return (struct fate){ .latency_ns = mood->latency_ms * NS_PER_MS,
			      .rc = is_write ? mood->write_rc : mood->read_rc,
			      .fault = is_write ? mood->write_fault : mood->read_fault };
}

static void mood_reset(struct mood *mood)
{
	*mood = (struct mood){ .latency_ms = LATENCY_MS,
			       .read_fault = MOCK_NO_FAULT,
			       .write_fault = MOCK_NO_FAULT };
}

/* ---- the language of the scenarios ---- */

static struct world world;
static int world_made;
static struct hb_config config;
static unsigned disks, nodes;
static uint32_t sector_bytes;

/* A word that must be there. */
static const char *word(const char *given)
{
	if (!given || !given[0]) {
		fprintf(stderr, "a word is missing\n");
		exit(1);
	}
	return given;
}

/* Of a word; 0 for none. */
static int number(const char *given)
{
	return given ? (int)strtol(given, NULL, 10) : 0;
}

static void world_make(void)
{
	if (world_made)
		return;
	world_init(&world, disks, nodes, sector_bytes, &config);
	world.fate = fate_by_mood;
	world_made = 1;
}

/* "n2", or "n2b" for the second machine that is configured so. */
static struct machine *machine_named(const char *name)
{
	uint16_t node = (uint16_t)number(word(name) + 1);
	unsigned rank = strchr(word(name), 'b') ? 1 : 0;
	struct machine *machine = NULL;

	world_make();
	for (size_t i = 0; i < world.machines_count; i++)
		if (world.machines[i].node == node && rank-- == 0)
			return &world.machines[i];
	machine = machine_add(&world, node);
	for (unsigned d = 0; d < HB_DISKS_MAX; d++)
		mood_reset(&moods[machine - world.machines][d]);
	return machine;
}

static void disk_mood(struct mood *mood, char **words)
{
	const char *what = word(words[0]);
	int value = number(words[1]);

	if (strcmp(what, "good") == 0)
		mood_reset(mood);
	else if (strcmp(what, "fails") == 0)
		mood->read_rc = mood->write_rc = RC_UNREACHABLE;
	else if (strcmp(what, "fails-reads") == 0)
		mood->read_rc = RC_UNREACHABLE;
	else if (strcmp(what, "fails-writes") == 0) {
		mood->write_rc = RC_UNREACHABLE;
		mood->write_fault.torn_sectors = 0;
	} else if (strcmp(what, "errs-after-writing") == 0)
		mood->write_rc = RC_UNREACHABLE;
	else if (strcmp(what, "slow") == 0)
		mood->latency_ms = value;
	else if (strcmp(what, "loses-writes") == 0)
		mood->write_fault.torn_sectors = 0;
	else if (strcmp(what, "tears-writes") == 0)
		mood->write_fault.torn_sectors = value;
	else if (strcmp(what, "misdirects-writes") == 0)
		mood->write_fault.misdirected_bytes = value;
	else if (strcmp(what, "misdirects-reads") == 0)
		mood->read_fault.misdirected_bytes = value;
	else if (strcmp(what, "stale") == 0)
		mood->read_fault.stale_ms = value;
	else {
		fprintf(stderr, "what is \"%s\"?\n", what);
		exit(1);
	}
}

/* disk D MACHINE|* WHAT [NUMBER] */
static void disk_does(char **words)
{
	unsigned d = (unsigned)number(words[0]) - 1;

	if (word(words[1])[0] != '*')
		machine_named(words[1]);
	for (size_t i = 0; i < world.machines_count; i++)
		if (word(words[1])[0] == '*' || machine_named(words[1]) == &world.machines[i])
			disk_mood(&moods[i][d], words + 2);
}

static void mail_send(char **words)
{
	static const char *const kinds[] = { "none", "test", "message", "crash", "reset", "off" };
	static uint64_t request;
	struct hb_event event = { .kind = HB_EVENT_SEND,
				  .request = request + 1,
				  .to = (uint16_t)number(words[1] + 1) };

	for (int i = 0; i < HB_PILL_KINDS; i++)
		if (strcmp(word(words[2]), kinds[i]) == 0)
			event.pill = (enum hb_pill_kind)i;
	event.text = words[3];
	event.text_bytes = words[3] ? strlen(words[3]) : 0;
	request++;
	machine_event(&world, machine_named(words[0]), &event);
}

/* As lockd does: withdraw MACHINE TO */
static void mail_withdraw(char **words)
{
	struct machine *machine = machine_named(words[0]);
	struct hb_event event = { .kind = HB_EVENT_WITHDRAW, .to = (uint16_t)number(words[1] + 1) };

	event.request = machine->core.letters[event.to - 1].request;
	machine_event(&world, machine, &event);
}

/* A heartbeat that no core has written: forge DISK MACHINE SEQUENCE NONCE [INCARNATION] */
static void forge(char **words)
{
	unsigned d = (unsigned)number(words[0]) - 1;
	struct machine *machine = machine_named(words[1]);
	struct hb_config forged = machine->config;
	struct hb_slot slot = machine->core.slot;

	slot.state = HB_SLOT_ACTIVE;
	slot.sequence = (uint64_t)number(words[2]);
	forged.nonce = (uint32_t)number(words[3]);
	if (words[4])
		slot.incarnation = (uint32_t)number(words[4]);
	hb_facts_slot(&world.areas[d], &forged, &slot, &machine->words, 0,
		      world.media[d].bytes + disk_layout_slot_at(machine->node));
}

/* What happens at a moment. */
static void happens(char **words)
{
	const char *what = word(words[0]);
	struct hb_event leave = { .kind = HB_EVENT_LEAVE };
	struct machine *machine = words[1] && words[1][0] == 'n' ? machine_named(words[1]) : NULL;

	world_make();
	if (strcmp(what, "start") == 0)
		machine_start(&world, machine);
	else if (strcmp(what, "restart") == 0)
		machine_restart(&world, machine);
	else if (strcmp(what, "kill") == 0)
		machine_kill(&world, machine);
	else if (strcmp(what, "reset") == 0)
		machine_reset(&world, machine);
	else if (strcmp(what, "pause") == 0)
		machine_pause(&world, machine, number(words[2]));
	else if (strcmp(what, "leave") == 0)
		machine_event(&world, machine, &leave);
	else if (strcmp(what, "send") == 0)
		mail_send(words + 1);
	else if (strcmp(what, "withdraw") == 0)
		mail_withdraw(words + 1);
	else if (strcmp(what, "disk") == 0)
		disk_does(words + 1);
	else if (strcmp(what, "damage") == 0) /* damage DISK BYTE */
		world.media[number(words[1]) - 1].bytes[number(words[2])] ^= 0x40;
	else if (strcmp(what, "forge") == 0)
		forge(words + 1);
	else if (strcmp(what, "io") == 0)
		world.io_in_trace = 1;
	else if (strcmp(what, "end") != 0) {
		fprintf(stderr, "what is \"%s\"?\n", what);
		exit(1);
	}
}

static void setting(char **words)
{
	const char *what = word(words[0]);
	int value = number(words[1]);

	if (strcmp(what, "disks") == 0)
		disks = (unsigned)value;
	else if (strcmp(what, "nodes") == 0)
		nodes = (unsigned)value;
	else if (strcmp(what, "sector") == 0)
		sector_bytes = (uint32_t)value;
	else if (strcmp(what, "watchdog") == 0)
		config.watchdog_ms = (uint32_t)value;
	else if (strcmp(what, "accepts") == 0)
		config.accepts = (uint32_t)value;
	else if (strcmp(what, "survives") == 0)
		config.flags = value ? HB_FLAG_SURVIVES : 0;
	else if (strcmp(what, "io-timeout") == 0)
		config.io_timeout_ms = (uint32_t)value;
	else {
		fprintf(stderr, "what is \"%s\"?\n", what);
		exit(1);
	}
}

static const char *scenario_play(const char *text)
{
	char *copy = strdup(text), *lines = copy, *line;

	if (world_made)
		world_free(&world);
	world_made = 0;
	config = plain;
	disks = 1;
	nodes = 4;
	sector_bytes = 512;
	while ((line = strsep(&lines, "\n"))) {
		char *words[WORDS_MAX + 1] = { 0 };
		size_t count = 0;
		char *next;

		if (line[0] == '#' || line[0] == '\0')
			continue;
		while (count < WORDS_MAX && (next = strsep(&line, " ")))
			words[count++] = next;
		if (strcmp(word(words[0]), "at") == 0) {
			world_make();
			world_run(&world, number(words[1]));
			happens(words + 2);
		} else {
			setting(words);
		}
	}
	free(copy);
	if (world.violation[0])
		world_trace(&world, "VIOLATION %s\n", world.violation);
	return world.trace;
}

static void scenario_plays(void **state)
{
	const struct scenario *scenario = *state;

	golden_check(scenario, scenario_play(scenario->text));
}

/* ---- counts ---- */

/* One read and one write per disk and interval, for any number of nodes. */
static void requests_do_not_grow_with_the_nodes(void **state)
{
	static const uint16_t counts[] = { 2, 3, 4, 8, 16, 33, HB_NODES_MAX };

	(void)state;
	for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++)
		for (unsigned n = 1; n <= HB_DISKS_MAX; n++) {
			enum { FROM_MS = 2500, INTERVALS = 4 };
			uint16_t count = counts[c];
			uint64_t reads, writes;

			if (world_made)
				world_free(&world);
			world_init(&world, n, count, 512, &plain);
			world.fate = fate_by_mood;
			world_made = 1;
			for (uint16_t node = 1; node <= count; node++) {
				struct machine *machine = machine_add(&world, node);

				for (unsigned d = 0; d < HB_DISKS_MAX; d++)
					mood_reset(&moods[machine - world.machines][d]);
				machine_start(&world, machine);
			}
			world_run(&world, FROM_MS + 100);
			reads = world.machines[0].reads;
			writes = world.machines[0].writes;
			world_run(&world, FROM_MS + 100 + INTERVALS * plain.interval_ms);
			assert_string_equal(world.violation, "");
			assert_int_equal(world.machines[0].core.stage, HB_STAGE_ACTIVE);
			for (uint16_t node = 2; node <= count; node++)
				assert_int_equal(hb_core_peer(&world.machines[0].core, node)->state,
						 HB_PEER_ALIVE);
			assert_int_equal(world.machines[0].reads - reads, INTERVALS * n);
			assert_int_equal(world.machines[0].writes - writes, INTERVALS * n);
		}
}

/* ---- tokens ---- */

/* A completion counts once, and only the one that is waited for (S7). */
static void other_completions_are_passed_over(void **state)
{
	static struct hb_core core;
	static struct hb_out out;
	static struct hb_view view = { .super_same = 1 };
	struct hb_config one = plain;
	struct hb_event event = { .kind = HB_EVENT_TICK };
	struct err err;
	uint64_t token;

	(void)state;
	one.observer = 1;
	one.nodes_max = 2;
	one.disks = 1;
	assert_int_equal(hb_core_init(&core, &one, (mono_t){ 0 }, &err), 0);
	hb_core_step(&core, &event, &out);
	assert_int_equal(out.count, 1);
	assert_int_equal(out.actions[0].kind, HB_ACTION_READ);
	token = out.actions[0].token;
	view.nodes[0] = (struct hb_seen){ .sight = HB_SIGHT_GOOD,
					  .state = HB_SLOT_ACTIVE,
					  .incarnation = 1,
					  .nonce = 1,
					  .sequence = 1,
					  .lease_ms = 1,
					  .io_timeout_ms = 1 };
	event = (struct hb_event){ .kind = HB_EVENT_READ_DONE, .token = token + 1, .view = &view };
	hb_core_step(&core, &event, &out);
	assert_int_equal(out.count, 0);
	event.kind = HB_EVENT_WRITE_DONE;
	event.token = token;
	hb_core_step(&core, &event, &out);
	assert_int_equal(out.count, 0);
	event.kind = HB_EVENT_LATE;
	hb_core_step(&core, &event, &out);
	assert_int_equal(out.count, 0);
	assert_true(hb_core_is_busy(&core));
	/* It times out; only its own late end frees the disk. */
	event = (struct hb_event){
		.kind = HB_EVENT_READ_DONE, .token = token, .rc = RC_TIMEOUT, .outstanding = 1
	};
	hb_core_step(&core, &event, &out);
	assert_int_equal(out.count, 1);
	assert_int_equal(out.actions[0].note.kind, HB_NOTE_DISK_FAILED);
	event = (struct hb_event){ .kind = HB_EVENT_LATE, .token = token + 1 };
	hb_core_step(&core, &event, &out);
	assert_true(hb_core_is_busy(&core));
	event.token = token;
	event.view = &view;
	hb_core_step(&core, &event, &out);
	assert_int_equal(out.count, 1);
	assert_int_equal(out.actions[0].note.kind, HB_NOTE_DISK_FREED);
	assert_false(hb_core_is_busy(&core));
	assert_int_equal(hb_core_peer(&core, 1)->state, HB_PEER_NEVER);
}

/* ---- configuration ---- */

static void bad_configurations_are_refused(void **state)
{
	static struct hb_core core;
	struct hb_config good = plain;
	struct err err;

	(void)state;
	good.node = 1;
	good.nodes_max = 4;
	good.disks = 1;
	good.nonce = 1;
	strcpy(good.name, "n1");
	assert_int_equal(hb_core_init(&core, &good, (mono_t){ 0 }, &err), 0);
#define REFUSED(change)                                                                            \
	do {                                                                                       \
		struct hb_config bad = good;                                                       \
		bad.change;                                                                        \
		assert_int_equal(hb_core_init(&core, &bad, (mono_t){ 0 }, &err), RC_CONFIG);       \
		assert_true(err.text[0] && err.next[0]);                                           \
	} while (0)
	REFUSED(disks = 0);
	REFUSED(disks = 4);
	REFUSED(node = 0);
	REFUSED(node = 5);
	REFUSED(nodes_max = 65);
	REFUSED(interval_ms = 0);
	REFUSED(io_timeout_ms = 0);
	REFUSED(io_timeout_ms = 86400001);
	REFUSED(member_timeout_ms = 250);
	REFUSED(lease_ms = 1999); /* 2 x 250 + 3 x 500 = 2000 */
	REFUSED(drift_ppm = 100001);
	REFUSED(claim_window_ms = 49);
	REFUSED(watchdog_ms = UINT32_MAX);
#undef REFUSED
	good.lease_ms = 2000;
	assert_int_equal(hb_core_init(&core, &good, (mono_t){ 0 }, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_do_not_grow_with_the_nodes),
		cmocka_unit_test(bad_configurations_are_refused),
		cmocka_unit_test(other_completions_are_passed_over),
	};
	int failed = golden_run("hb_core", "tests/unit/hb_core.traces", scenario_plays);

	failed |= cmocka_run_group_tests(tests, NULL, NULL);
	if (world_made)
		world_free(&world);
	return failed;
}
