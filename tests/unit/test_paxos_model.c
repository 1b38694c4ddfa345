/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_paxos_model.c - every order of events in small worlds: two claimers of Disk Paxos on one disk or
 * three, whose requests land in any order, who may crash in the middle (what is under way lands or does
 * not), lose patience, and claim again. In no order may two values be decided for one epoch.
 *
 * The states are walked depth first; one that was met before is not entered again. Time stands still:
 * a pause ends whenever the walk says so, and so does a claimer's patience. A read lands and is answered in one
 * move, since nothing that is done in between could matter to it; so does a write.
 *
 * PAXOS_MODEL_STATES bounds each walk (300000); what is left out then is told.
 *
 * LINK: base lockd/paxos_core.c lockd/paxos_core_read.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lockd/paxos_core.h"

enum {
	CLAIMERS = 2,
	EPOCHS = 4,
	DEPTH_MAX = 400,
	STATES = 300000,
	TABLE_BITS = 22,
	KEY_BYTES = 4096,
};

struct flight {
	int is_there, is_write;
	uint64_t token;
	struct paxos_block block;
};

struct machine {
	struct paxos_core core;
	struct flight flights[PAXOS_DISKS_MAX];
	int is_up;
	uint32_t incarnation, values;
	uint64_t epoch;				     /* to be claimed next */
	unsigned claims, crashes, retries, patience; /* that are left */
};

struct state {
	struct paxos_block media[PAXOS_DISKS_MAX][CLAIMERS];
	struct machine machines[CLAIMERS];
	struct paxos_value told[EPOCHS]; /* by epoch */
};

static struct state stack[DEPTH_MAX];
static const char *path[DEPTH_MAX];
static unsigned path_who[DEPTH_MAX];
static uint64_t table[1 << TABLE_BITS];
static uint64_t states, states_max, granted;
static unsigned disks;
static int violated;

/* ---- the worlds ---- */

static const struct world {
	const char *name;
	unsigned disks, claims, crashes, retries, patience;
	int owns_next;
} worlds[] = {
	{ "one disk, collisions", 1, 1, 0, 3, 0, 0 },
	{ "one disk, a crash each", 1, 1, 1, 0, 0, 0 },
	{ "one disk, a crash and a collision each", 1, 1, 1, 1, 0, 0 },
	{ "one disk, no patience", 1, 2, 0, 0, 1, 0 },
	{ "one disk, no patience, a collision each", 1, 2, 0, 1, 1, 0 },
	{ "one disk, owned epochs", 1, 2, 0, 1, 0, 1 },
	{ "one disk, owned epochs, a crash each", 1, 2, 1, 0, 0, 1 },
	{ "two disks", 2, 1, 0, 1, 0, 0 },
	{ "two disks, a crash each", 2, 1, 1, 0, 0, 0 },
	{ "three disks", 3, 1, 0, 0, 0, 0 },
	{ "three disks, a collision each", 3, 1, 0, 1, 0, 0 },
	{ "three disks, a crash each", 3, 1, 1, 0, 0, 0 },
	{ "three disks, owned epochs", 3, 2, 0, 0, 0, 1 },
};

/* ---- what a state is, so that two that are the same are known to be ---- */

struct key {
	uint8_t bytes[KEY_BYTES];
	size_t count;
};

static void put(struct key *key, const void *data, size_t bytes)
{
	if (key->count + bytes > KEY_BYTES)
		abort();
	memcpy(key->bytes + key->count, data, bytes);
	key->count += bytes;
}

#define PUT(key, field) put((key), &(field), sizeof(field))

static void put_value(struct key *key, const struct paxos_value *value)
{
	PUT(key, value->node);
	put(key, value->data, value->bytes);
}

static void put_block(struct key *key, const struct paxos_block *block)
{
	PUT(key, block->sight);
	PUT(key, block->incarnation);
	PUT(key, block->sequence);
	PUT(key, block->epoch);
	PUT(key, block->mbal);
	PUT(key, block->bal);
	PUT(key, block->decided_epoch);
	put_value(key, &block->value);
	put_value(key, &block->decided);
}

static void put_core(struct key *key, const struct paxos_core *core)
{
	put_block(key, &core->own);
	PUT(key, core->recovered);
	PUT(key, core->needs);
	PUT(key, core->stage);
	PUT(key, core->owned);
	PUT(key, core->target);
	put_value(key, &core->best);
	PUT(key, core->best_bal);
	PUT(key, core->highest);
	PUT(key, core->latest);
	PUT(key, core->chosen);
	PUT(key, core->looks);
	PUT(key, core->op);
	PUT(key, core->epoch);
	put_value(key, &core->value);
	PUT(key, core->made);
	PUT(key, core->background_until);
}

/* All that belongs to one disk. Disks differ in nothing else: two states that only have them in another
 * order are the same. */
static void put_disk(struct key *key, const struct state *state, unsigned d)
{
	for (unsigned i = 0; i < CLAIMERS; i++) {
		const struct machine *m = &state->machines[i];
		const struct paxos_disk *disk = &m->core.disks[d];
		const struct flight *flight = &m->flights[d];
		uint8_t is_done = disk->done == m->core.round;
		uint8_t is_current = disk->reading == m->core.round;

		put_block(key, &state->media[d][i]);
		PUT(key, flight->is_there);
		PUT(key, flight->is_write);
		if (flight->is_there && flight->is_write)
			put_block(key, &flight->block);
		if (!m->is_up)
			continue;
		PUT(key, disk->path);
		PUT(key, disk->writing);
		PUT(key, disk->tried);
		PUT(key, disk->written);
		PUT(key, disk->own_seen);
		PUT(key, is_done);
		PUT(key, is_current);
	}
}

/* Eight bytes at a time. */
static uint64_t key_hash(struct key *key)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	while (key->count % 8)
		key->bytes[key->count++] = 0;
	for (size_t at = 0; at < key->count; at += 8) {
		uint64_t word;

		memcpy(&word, key->bytes + at, 8);
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	return hash;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static uint64_t fingerprint(const struct state *state)
{
	static struct key key;
	uint64_t hashes[PAXOS_DISKS_MAX] = { 0 }, hash;

	for (unsigned d = 0; d < disks; d++) {
		key.count = 0;
		put_disk(&key, state, d);
		hashes[d] = key_hash(&key);
	}
	qsort(hashes, disks, sizeof hashes[0], by_value);
	key.count = 0;
	put(&key, hashes, disks * sizeof hashes[0]);
	for (unsigned i = 0; i < CLAIMERS; i++) {
		const struct machine *m = &state->machines[i];

		PUT(&key, m->is_up);
		PUT(&key, m->incarnation);
		PUT(&key, m->values);
		PUT(&key, m->epoch);
		PUT(&key, m->claims);
		PUT(&key, m->crashes);
		PUT(&key, m->retries);
		PUT(&key, m->patience);
		if (m->is_up)
			put_core(&key, &m->core);
	}
	for (unsigned e = 0; e < EPOCHS; e++)
		put_value(&key, &state->told[e]);
	hash = key_hash(&key);
	return hash ? hash : 1;
}

/* 1: never met before. */
static int is_new(uint64_t hash)
{
	size_t at = hash >> (64 - TABLE_BITS);

	while (table[at] && table[at] != hash)
		at = (at + 1) % (1 << TABLE_BITS);
	if (table[at])
		return 0;
	table[at] = hash;
	states++;
	return 1;
}

/* ---- moves ---- */

static void told(struct state *state, unsigned who, const struct paxos_answer *answer)
{
	struct machine *m = &state->machines[who];
	const struct paxos_value *value = &answer->value;

	if (answer->outcome == PAXOS_GRANTED || answer->outcome == PAXOS_LOST) {
		struct paxos_value *known = &state->told[answer->epoch];

		if (known->node && (known->node != value->node ||
				    memcmp(known->data, value->data, value->bytes) != 0))
			violated = 1;
		*known = *value;
		granted += answer->outcome == PAXOS_GRANTED;
		m->epoch++;
	}
	if (answer->why == PAXOS_WHY_CONFLICT || answer->why == PAXOS_WHY_DUPLICATE)
		violated = 1;
}

static void step(struct state *state, unsigned who, struct paxos_event *event)
{
	struct machine *m = &state->machines[who];
	struct paxos_out out;

	event->now = (mono_t){ 0 };
	paxos_core_step(&m->core, event, &out);
	for (size_t i = 0; i < out.count; i++) {
		const struct paxos_action *action = &out.actions[i];
		struct flight *flight = &m->flights[action->disk];

		if (action->kind == PAXOS_ACTION_DONE) {
			told(state, who, action->answer);
			continue;
		}
		flight->is_there = 1;
		flight->is_write = action->kind == PAXOS_ACTION_WRITE;
		flight->token = action->token;
		if (flight->is_write)
			flight->block = *action->block;
	}
	m->core.random = 1; /* how long a pause is decides nothing here */
}

static void claim(struct state *state, unsigned who)
{
	struct machine *m = &state->machines[who];
	char text[8];
	struct paxos_event event = { .kind = PAXOS_EVENT_CLAIM,
				     .epoch = m->epoch,
				     .data = (const uint8_t *)text,
				     .deadline = { INT64_MAX - 1 } };

	event.bytes = (uint16_t)snprintf(text, sizeof text, "%u", ++m->values);
	m->claims--;
	step(state, who, &event);
}

static void start(struct state *state, unsigned who)
{
	struct machine *m = &state->machines[who];
	struct paxos_config config = {
		.node = (uint16_t)(who + 1),
		.nodes_max = CLAIMERS,
		.disks = disks,
		.incarnation = ++m->incarnation,
		.nonce = 10 * (who + 1) + m->incarnation,
		.io_timeout_ms = 100,
		.retry_ms = 1,
		.seed = 1,
		.owns_next = (int)(state->machines[who].core.config.owns_next),
	};

	m->is_up = 1;
	paxos_core_init(&m->core, &config);
	claim(state, who);
}

static void deliver(struct state *state, unsigned who, unsigned d)
{
	struct machine *m = &state->machines[who];
	struct flight flight = m->flights[d];
	struct paxos_event event = { .kind = flight.is_write ? PAXOS_EVENT_WRITE_DONE
							     : PAXOS_EVENT_READ_DONE,
				     .disk = d,
				     .token = flight.token,
				     .blocks = state->media[d] };

	m->flights[d].is_there = 0;
	if (flight.is_write)
		state->media[d][who] = flight.block;
	step(state, who, &event);
}

/* `landing` has a bit for each disk. */
static void crash(struct state *state, unsigned who, unsigned landing)
{
	struct machine *m = &state->machines[who];

	for (unsigned d = 0; d < disks; d++) {
		struct flight *flight = &m->flights[d];

		if (flight->is_there && flight->is_write && landing >> d & 1)
			state->media[d][who] = flight->block;
		flight->is_there = 0;
	}
	/* What was under way, or answered last, is claimed again, with another value. */
	if (!paxos_core_is_busy(&m->core) && m->epoch > 1)
		m->epoch--;
	m->is_up = 0;
	m->crashes--;
	m->claims++;
}

static void walk(unsigned depth);

/* Enter the state that a move has made of the one below. */
static void enter(unsigned depth, unsigned who, const char *move)
{
	path[depth] = move;
	path_who[depth] = who;
	if (violated) {
		for (unsigned i = 1; i <= depth; i++)
			print_error("n%u %s\n", path_who[i] + 1, path[i]);
		fail_msg("two values for one epoch");
	}
	if (depth + 2 < DEPTH_MAX && states < states_max && is_new(fingerprint(&stack[depth])))
		walk(depth);
}

static void walk_crashes(unsigned depth, unsigned who)
{
	const struct machine *m = &stack[depth].machines[who];
	unsigned writes = 0;

	if (!m->is_up || m->crashes == 0)
		return;
	for (unsigned d = 0; d < disks; d++)
		if (m->flights[d].is_there && m->flights[d].is_write)
			writes |= 1u << d;
	for (unsigned landing = 0; landing < 1u << disks; landing++) {
		if (landing & ~writes)
			continue;
		stack[depth + 1] = stack[depth];
		crash(&stack[depth + 1], who, landing);
		enter(depth + 1, who, "crashes");
	}
}

/* Let its pause, or its patience, be over. */
static void walk_time(unsigned depth, unsigned who)
{
	struct paxos_event tick = { .kind = PAXOS_EVENT_TICK };
	const struct machine *m = &stack[depth].machines[who];
	struct machine *next = &stack[depth + 1].machines[who];

	if (m->is_up && m->core.stage == PAXOS_STAGE_PAUSE && m->retries > 0) {
		stack[depth + 1] = stack[depth];
		next->retries--;
		next->core.pause_until = (mono_t){ 0 };
		step(&stack[depth + 1], who, &tick);
		enter(depth + 1, who, "tries again");
	}
	if (m->is_up && paxos_core_is_busy(&m->core) && m->patience > 0) {
		stack[depth + 1] = stack[depth];
		next->patience--;
		next->core.deadline = (mono_t){ 0 };
		step(&stack[depth + 1], who, &tick);
		enter(depth + 1, who, "loses patience");
	}
}

static void walk(unsigned depth)
{
	for (unsigned who = 0; who < CLAIMERS; who++) {
		const struct machine *m = &stack[depth].machines[who];

		for (unsigned d = 0; d < disks; d++)
			if (m->flights[d].is_there) {
				stack[depth + 1] = stack[depth];
				deliver(&stack[depth + 1], who, d);
				enter(depth + 1, who, m->flights[d].is_write ? "writes" : "reads");
			}
		walk_time(depth, who);
		walk_crashes(depth, who);
		if (m->claims > 0 && m->epoch < EPOCHS &&
		    (!m->is_up || !paxos_core_is_busy(&m->core))) {
			stack[depth + 1] = stack[depth];
			if (m->is_up)
				claim(&stack[depth + 1], who);
			else
				start(&stack[depth + 1], who);
			enter(depth + 1, who, "claims");
		}
	}
}

static void no_order_decides_twice(void **state)
{
	const struct world *world = *state;
	const char *text = getenv("PAXOS_MODEL_STATES");

	states_max = text ? strtoull(text, NULL, 10) : STATES;
	if (states_max > (1 << TABLE_BITS) / 2)
		states_max = (1 << TABLE_BITS) / 2;
	memset(table, 0, sizeof table);
	memset(&stack[0], 0, sizeof stack[0]);
	states = granted = 0;
	violated = 0;
	disks = world->disks;
	for (unsigned i = 0; i < CLAIMERS; i++) {
		struct machine *m = &stack[0].machines[i];

		m->core.config.owns_next = world->owns_next;
		m->epoch = 1;
		m->claims = world->claims;
		m->crashes = world->crashes;
		m->retries = world->retries;
		m->patience = world->patience;
	}
	walk(0);
	print_message("%s: %s%llu states\n", world->name,
		      states < states_max ? "all of " : "the first ", (unsigned long long)states);
	assert_true(granted > 0);
}

int main(void)
{
	enum { WORLDS = sizeof worlds / sizeof worlds[0] };
	struct CMUnitTest tests[WORLDS];

	for (size_t i = 0; i < WORLDS; i++)
		tests[i] = (struct CMUnitTest){ .name = worlds[i].name,
						.test_func = no_order_decides_twice,
						.initial_state = (void *)&worlds[i] };
	return cmocka_run_group_tests_name("paxos_model", tests, NULL, NULL);
}
