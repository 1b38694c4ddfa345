/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_lun_unit.c - two nodes that eject one another from a unit, command by command in every order that a
 * seed makes up: never do both win. And one that joins, or takes in a path that came late, while the other
 * one ejects it.
 *
 * Each node is a thread that runs what fence_lun runs (lun_unit_io); the commands go to the model of a
 * unit (tests/sim/pr_model) through a client that waits for its turn before each, so that one
 * thread runs at a time and a seed decides which. In some runs answers are lost, before or after the
 * command was carried out.
 *
 * LINK: base host fence-agents/lun/lun_unit_io.c lockd/pr_core.c lockd/pr_core_jobs.c lockd/pr_cdb_wire.c lockd/pr_sense_wire.c tests/sim/pr_model.c tests/sim/pr_access.c pkg:libuv pkg:cmocka
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fence-agents/lun/lun_unit_io.h"
#include "host/clock.h"
#include "tests/sim/pr_model.h"

enum { NODES = 2, CLUSTER = 0xbadcafe, RUNS = 3000, READS_MAX = 64, NOBODY = -1 };

/* ---- turns ---- */

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	int turn; /* whose command is next; NOBODY: it is not a race, everybody may */
	int is_over[NODES];
	uint64_t seed;
	unsigned loss_percent;
	unsigned losses_left;
} race = { .mutex = PTHREAD_MUTEX_INITIALIZER,
	   .changed = PTHREAD_COND_INITIALIZER,
	   .turn = NOBODY };

/* xorshift64* */
static uint64_t seed_next(void)
{
	race.seed ^= race.seed >> 12;
	race.seed ^= race.seed << 25;
	race.seed ^= race.seed >> 27;
	return race.seed * UINT64_C(2685821657736338717);
}

static void turn_choose(void)
{
	race.turn = (int)(seed_next() >> 60 & 1);
	if (race.is_over[race.turn])
		race.turn = 1 - race.turn;
	pthread_cond_broadcast(&race.changed);
}

static void turn_begin(int node)
{
	pthread_mutex_lock(&race.mutex);
	while (race.turn != NOBODY && race.turn != node)
		pthread_cond_wait(&race.changed, &race.mutex);
}

static void turn_end(void)
{
	if (race.turn != NOBODY)
		turn_choose();
	pthread_mutex_unlock(&race.mutex);
}

/* ---- a client of the model ---- */

static struct pr_model model;

/* Keys that were ejected; registered from nothing after that. */
static uint64_t ejected[64];
static size_t ejected_count;
static size_t entries_count; /* registrations from nothing */
static int is_back;

/* A command that was GOOD, whether that is heard or not. */
static void ejection_note(const struct pr_out *out)
{
	entries_count += out->command == PR_REGISTER && out->key == 0;
	if ((out->command == PR_PREEMPT || out->command == PR_PREEMPT_AND_ABORT) &&
	    ejected_count < sizeof ejected / sizeof ejected[0])
		ejected[ejected_count++] = out->service_key;
	for (size_t i = 0; i < ejected_count; i++)
		is_back |= out->command == PR_REGISTER && out->key == 0 &&
			   out->service_key == ejected[i];
}

/* What happens just before the next registration from nothing. */
static void (*before_entry)(void);

struct pr_client {
	int node, nexus;
};

static int is_lost(void)
{
	if (race.turn == NOBODY || race.losses_left == 0 || seed_next() % 100 >= race.loss_percent)
		return 0;
	race.losses_left--;
	return 1;
}

static void command(struct pr_client *client, const struct pr_out *out, const uint8_t *cdb,
		    const uint8_t *list, size_t bytes, struct pr_client_answer *answer)
{
	static struct pr_model_answer said;
	int lost_before, lost_after;

	turn_begin(client->node);
	lost_before = is_lost();
	lost_after = !lost_before && is_lost();
	*answer = (struct pr_client_answer){ .reply = { .meaning = PR_MEANS_NO_ANSWER } };
	if (!lost_before) {
		pr_model_command(&model, client->nexus, cdb, list, bytes, &said);
		if (out && said.status == 0)
			ejection_note(out);
	}
	if (lost_before || lost_after) {
		err_set(&answer->err, RC_TIMEOUT, NULL, "no answer");
	} else {
		pr_reply_in(said.status, said.sense, said.sense_bytes, &answer->reply);
		answer->bytes = (uint32_t)said.bytes;
		memcpy(answer->data, said.data, said.bytes);
	}
	turn_end();
}

void pr_client_in(struct pr_client *client, enum pr_command what, struct pr_client_answer *answer)
{
	uint8_t cdb[PR_CDB_BYTES];

	pr_in_encode(what, cdb);
	command(client, NULL, cdb, NULL, 0, answer);
}

int pr_client_out(struct pr_client *client, const struct pr_out *out,
		  struct pr_client_answer *answer, struct err *err)
{
	uint8_t cdb[PR_CDB_BYTES], list[PR_LIST_BYTES_MAX];
	uint32_t bytes = pr_out_encode(out, cdb, list, err);

	if (bytes == 0)
		return RC_CONFIG;
	if (before_entry && out->command == PR_REGISTER && out->key == 0) {
		void (*happen)(void) = before_entry;

		before_entry = NULL;
		happen();
	}
	command(client, out, cdb, list, bytes, answer);
	return 0;
}

void pr_client_set_timeout(struct pr_client *client, int64_t timeout_ms)
{
	(void)client;
	(void)timeout_ms;
}

int pr_client_login(struct pr_client *client, struct err *err)
{
	(void)err;
	turn_begin(client->node);
	pr_model_login(&model, client->nexus);
	turn_end();
	return 0;
}

/* ---- nodes ---- */

struct node {
	int number;
	struct pr_client client;
	struct lun_path path;
	struct pr_client late_client;
	struct lun_path late_path;
	struct lun_unit unit;
	uint16_t incarnation;
	void (*act)(struct node *node);
	int has_won;
	pthread_t thread;
};

static struct node nodes[NODES];

static uint64_t key_of(const struct node *node, uint16_t incarnation)
{
	return pr_key_make(CLUSTER, (uint16_t)(node->number + 1), incarnation);
}

/* A process of the agent begins: a session, and what the node remembers. */
static void node_begin(struct node *node, uint64_t key)
{
	pr_model_login(&model, node->client.nexus);
	model.nexuses[node->client.nexus].attentions_count = 0; /* disk_open() clears them */
	node->path = (struct lun_path){ .url = "iscsi://x", .name = "x", .client = &node->client };
	node->unit = (struct lun_unit){ .paths = { &node->path },
					.paths_count = 1,
					.name = "x",
					.id = "x",
					.io_timeout_ms = 1000,
					.until = mono_add_ms(clock_now(), 600000),
					.key = key,
					.victim = key_of(&nodes[1 - node->number], 0) };
}

static void node_join(struct node *node)
{
	node->incarnation = 1;
	node_begin(node, 0);
	node->unit.next_key = key_of(node, node->incarnation);
	lun_unit_join(&node->unit);
	assert_int_equal(node->unit.outcome, LUN_OK);
	node->unit.key = node->unit.next_key;
	lun_unit_reserve(&node->unit);
	assert_int_equal(node->unit.outcome, LUN_OK);
}

/* A new key in the place of the old one, as fence_lun does it. */
static void node_succeed(struct node *node)
{
	struct lun_unit *unit = &node->unit;

	unit->next_key = key_of(node, ++node->incarnation);
	lun_unit_succeed(unit);
	if (unit->outcome == LUN_OUTSIDE && lun_unit_is_session(unit))
		lun_unit_enter(unit);
	if (unit->has_succeeded)
		unit->key = unit->next_key;
	if (unit->outcome == LUN_OK)
		lun_unit_spread(unit);
}

/* `off`, as fence_lun does it to one unit. */
static void node_off(struct node *node)
{
	struct lun_unit *unit = &node->unit;

	lun_unit_eject(unit);
	if (unit->outcome == LUN_OUTSIDE) {
		node_succeed(node);
		if (unit->outcome == LUN_OK)
			lun_unit_eject(unit);
	}
	if (unit->outcome != LUN_OK)
		return;
	/* Read until it is so, as the agent does: a loser takes away what it has just registered. */
	for (int i = 0; i < READS_MAX && !node->has_won; i++) {
		lun_unit_read(unit);
		node->has_won = unit->outcome == LUN_OK &&
				lun_unit_state(unit, unit->victim) == POWER_OFF;
	}
}

static void *node_main(void *context)
{
	struct node *node = context;

	node->act(node);
	pthread_mutex_lock(&race.mutex);
	race.is_over[node->number] = 1;
	turn_choose();
	pthread_mutex_unlock(&race.mutex);
	return NULL;
}

/* A unit, and nodes that can reach it. */
static void world_begin(const struct pr_model_limits *limits)
{
	memset(nodes, 0, sizeof nodes);
	pr_model_init(&model, limits, 1);
	ejected_count = 0;
	is_back = 0;
	for (int i = 0; i < NODES; i++) {
		struct pr_initiator initiator = { .protocol = PR_PROTOCOL_ISCSI, .has_isid = 1 };

		nodes[i].number = nodes[i].client.node = nodes[i].late_client.node = i;
		snprintf(initiator.name, sizeof initiator.name, "iqn.2026-11.test:%d", i);
		nodes[i].client.nexus = pr_model_nexus(&model, &initiator, 1);
		snprintf(initiator.name, sizeof initiator.name, "iqn.2026-11.test:%d-late", i);
		nodes[i].late_client.nexus = pr_model_nexus(&model, &initiator, 1);
	}
}

/* Each node does what it has to, in the order of the seed. */
static void acts_run(uint64_t seed, unsigned loss_percent)
{
	race.seed = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
	race.loss_percent = loss_percent;
	race.losses_left = 3;
	race.is_over[0] = race.is_over[1] = 0;
	turn_choose();
	for (int i = 0; i < NODES; i++)
		assert_int_equal(pthread_create(&nodes[i].thread, NULL, node_main, &nodes[i]), 0);
	for (int i = 0; i < NODES; i++)
		pthread_join(nodes[i].thread, NULL);
	race.turn = NOBODY;
}

/* Both have joined; both eject one another. */
static void race_run(const struct pr_model_limits *limits, uint64_t seed, unsigned loss_percent)
{
	world_begin(limits);
	for (int i = 0; i < NODES; i++) {
		node_join(&nodes[i]);
		node_begin(&nodes[i], nodes[i].unit.key);
		nodes[i].act = node_off;
	}
	acts_run(seed, loss_percent);
}

/* Whoever has won stays in, whoever has lost cannot win any more. */
static void aftermath_check(uint64_t seed)
{
	for (int i = 0; i < NODES; i++) {
		struct node *winner = &nodes[i], *loser = &nodes[1 - i];

		if (!winner->has_won)
			continue;
		for (int again = 0; again < 2; again++) {
			node_begin(loser, loser->unit.key);
			node_off(loser);
			if (loser->has_won)
				fail_msg("seed %llu: node %d won after node %d",
					 (unsigned long long)seed, 1 - i, i);
			assert_int_equal(loser->unit.outcome, LUN_LOST);
		}
		node_begin(winner, winner->unit.key);
		lun_unit_read(&winner->unit);
		assert_true(lun_unit_count(&winner->unit, winner->unit.key) > 0);
		assert_int_equal(lun_unit_state(&winner->unit, winner->unit.victim), POWER_OFF);
	}
}

static void races_run(const struct pr_model_limits *limits, unsigned loss_percent)
{
	int wins[NODES] = { 0 };

	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		race_run(limits, seed, loss_percent);
		if (nodes[0].has_won && nodes[1].has_won)
			fail_msg("seed %llu: both have won", (unsigned long long)seed);
		if (!loss_percent && !nodes[0].has_won && !nodes[1].has_won)
			fail_msg("seed %llu: neither has won: %d %s, %d %s",
				 (unsigned long long)seed, nodes[0].unit.outcome,
				 nodes[0].unit.err.text, nodes[1].unit.outcome,
				 nodes[1].unit.err.text);
		wins[0] += nodes[0].has_won;
		wins[1] += nodes[1].has_won;
		aftermath_check(seed);
	}
	print_message("wins: %d and %d of %d\n", wins[0], wins[1], RUNS);
	/* Both orders came up. */
	assert_true(wins[0] > RUNS / 10 && wins[1] > RUNS / 10);
}

static void as_the_standard_says(void **state)
{
	static const struct pr_model_limits limits;

	(void)state;
	races_run(&limits, 0);
}

static void as_tgt_does(void **state)
{
	struct pr_model_limits limits = { 0 };

	(void)state;
	pr_model_limits_tgt(&limits);
	assert_true(limits.session_registers);
	races_run(&limits, 0);
}

static void with_lost_answers(void **state)
{
	struct pr_model_limits limits = { 0 };

	(void)state;
	races_run(&limits, 8);
	pr_model_limits_tgt(&limits);
	races_run(&limits, 8);
}

/* ---- on, while the other side does off ---- */

static void node_on_fresh(struct node *node)
{
	node->unit.next_key = key_of(node, ++node->incarnation);
	lun_unit_join(&node->unit);
	node->unit.key = node->unit.next_key;
}

static void node_on_late(struct node *node)
{
	lun_unit_check(&node->unit);
	if (node->unit.outcome == LUN_OUTSIDE)
		node_succeed(node);
}

/* A data path, and one that came late. */
static void late_begin(struct node *node)
{
	node_begin(node, node->unit.key);
	node->path.url = "/dev/sda";
	pr_model_login(&model, node->late_client.nexus);
	model.nexuses[node->late_client.nexus].attentions_count = 0;
	node->late_path = (struct lun_path){ .url = "/dev/sdb",
					     .name = "y",
					     .client = &node->late_client };
	node->unit.paths[node->unit.paths_count++] = &node->late_path;
}

/* What the unit says at the end of the node that was, or was not, ejected. */
static size_t keys_left(void)
{
	node_begin(&nodes[1], nodes[1].unit.key);
	lun_unit_read(&nodes[1].unit);
	assert_int_equal(nodes[1].unit.outcome, LUN_OK);
	return lun_unit_count_node(&nodes[1].unit, key_of(&nodes[0], 0));
}

static void joins(unsigned loss_percent)
{
	static const struct pr_model_limits limits;
	int lost = 0, joined = 0;

	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		world_begin(&limits);
		node_join(&nodes[1]);
		node_begin(&nodes[1], nodes[1].unit.key);
		node_begin(&nodes[0], 0);
		nodes[0].act = node_on_fresh;
		nodes[1].act = node_off;
		acts_run(seed, loss_percent);
		if (is_back)
			fail_msg("seed %llu: an ejected key was registered again",
				 (unsigned long long)seed);
		lost += nodes[0].unit.outcome == LUN_LOST;
		joined += nodes[0].unit.outcome == LUN_OK;
		if (nodes[0].unit.outcome == LUN_LOST)
			assert_int_equal(keys_left(), 0);
	}
	print_message("joined %d, ejected meanwhile %d of %d\n", joined, lost, RUNS);
	assert_true(joined > RUNS / 10 && lost > 0);
}

static void a_join_and_an_off(void **state)
{
	(void)state;
	joins(0);
	joins(8);
}

static void late_paths(unsigned loss_percent)
{
	static const struct pr_model_limits limits;
	int ok = 0, lost = 0;

	for (uint64_t seed = 1; seed <= RUNS; seed++) {
		size_t left;

		world_begin(&limits);
		node_join(&nodes[0]);
		node_join(&nodes[1]);
		late_begin(&nodes[0]);
		node_begin(&nodes[1], nodes[1].unit.key);
		nodes[0].act = node_on_late;
		nodes[1].act = node_off;
		acts_run(seed, loss_percent);
		ok += nodes[0].unit.outcome == LUN_OK;
		lost += nodes[0].unit.outcome == LUN_LOST;
		left = keys_left();
		if (left > 0 && (nodes[1].has_won || nodes[0].unit.outcome == LUN_LOST) &&
		    nodes[0].unit.outcome != LUN_FAILED)
			fail_msg("seed %llu: ejected, and registered: %d", (unsigned long long)seed,
				 nodes[0].unit.outcome);
		if (!loss_percent && nodes[0].unit.outcome == LUN_FAILED)
			fail_msg("seed %llu: %s", (unsigned long long)seed, nodes[0].unit.err.text);
		/* It stays out. */
		if (nodes[1].has_won && left == 0) {
			late_begin(&nodes[0]);
			node_on_late(&nodes[0]);
			assert_int_equal(nodes[0].unit.outcome, LUN_LOST);
			assert_int_equal(keys_left(), 0);
		}
	}
	print_message("on %d, ejected meanwhile %d of %d\n", ok, lost, RUNS);
	assert_true(ok > RUNS / 100 && lost > RUNS / 10);
}

static void a_late_path_and_an_off(void **state)
{
	(void)state;
	late_paths(0);
	late_paths(8);
}

/* Where the off is over before the late path is taken in, that registers nothing, not for a moment. */
static void late_path_after_an_off(void **state)
{
	static const struct pr_model_limits limits;
	size_t entries;

	(void)state;
	world_begin(&limits);
	node_join(&nodes[0]);
	node_join(&nodes[1]);
	late_begin(&nodes[0]);
	lun_unit_check(&nodes[0].unit);
	assert_int_equal(nodes[0].unit.outcome, LUN_OUTSIDE);
	node_begin(&nodes[1], nodes[1].unit.key);
	node_off(&nodes[1]);
	assert_true(nodes[1].has_won);
	entries = entries_count;
	node_succeed(&nodes[0]);
	assert_int_equal(nodes[0].unit.outcome, LUN_LOST);
	assert_false(nodes[0].unit.has_succeeded);
	assert_int_equal(entries_count, entries);
	assert_int_equal(keys_left(), 0);
}

static void other_node_off(void)
{
	node_off(&nodes[1]);
}

/* The gap that no command closes: the off falls between the question and the REGISTER. It is noticed. */
static void late_path_across_an_off(void **state)
{
	static const struct pr_model_limits limits;

	(void)state;
	world_begin(&limits);
	node_join(&nodes[0]);
	node_join(&nodes[1]);
	late_begin(&nodes[0]);
	node_begin(&nodes[1], nodes[1].unit.key);
	before_entry = other_node_off;
	node_on_late(&nodes[0]);
	assert_true(nodes[1].has_won);
	assert_int_equal(nodes[0].unit.outcome, LUN_LOST);
	assert_true(nodes[0].unit.has_succeeded);
	assert_int_equal(keys_left(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_the_standard_says),	   cmocka_unit_test(as_tgt_does),
		cmocka_unit_test(with_lost_answers),	   cmocka_unit_test(a_join_and_an_off),
		cmocka_unit_test(a_late_path_and_an_off),  cmocka_unit_test(late_path_after_an_off),
		cmocka_unit_test(late_path_across_an_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
