/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_paxos_core.c - golden traces of Disk Paxos: plays every scenario of paxos_core.traces and
 * compares what happens, word for word.
 *
 * Statements, each "at MS ...":
 *	start nN | crash nN [landing]
 *	claim nN EPOCH VALUE [TIMEOUT] | look nN [TIMEOUT] | prepare nN EPOCH | cancel nN
 *	disk D nN good|fails|fails-writes|stuck       what becomes of its requests from now on
 *	next D nN lost|astray|stale MS|late MS|slow MS  of its next request to that disk alone: slow is
 *						       done at once, and heard of later
 *	wipe D nN                                      damage the node's block
 *	twin nN                                        another machine has written its block on disk 1
 *	end
 * and before them "disks N", "claimers N", "plain" (no epoch is begun beforehand), "requests".
 *
 * LINK: diskhb disk host base lockd/place_io.c lockd/paxos_core.c lockd/paxos_core_read.c tests/sim/paxos_world.c tests/sim/mock_disk.c tests/unit/golden.c pkg:cmocka
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rc.h"
#include "diskhb/arbiter_wire.h"
#include "tests/sim/paxos_world.h"
#include "tests/unit/golden.h"

enum { LATENCY_MS = 5, IO_TIMEOUT_MS = 100, RETRY_MS = 10, CLAIM_MS = 1000, WORDS_MAX = 8 };

enum mood { MOOD_GOOD, MOOD_FAILS, MOOD_FAILS_WRITES, MOOD_STUCK };
enum once { ONCE_NOTHING, ONCE_LOST, ONCE_ASTRAY, ONCE_LATE, ONCE_STALE, ONCE_SLOW };

static struct paxos_world world;
static enum mood moods[CLAIMERS_MAX][DISKS_MAX];
static struct {
	enum once what;
	int ms;
} onces[CLAIMERS_MAX][DISKS_MAX];

static void fate(struct paxos_world *w, struct claimer *c, unsigned d, int is_write,
		 struct paxos_fate *what)
{
	int ms = onces[c->node - 1][d].ms;

	(void)w;
	switch (moods[c->node - 1][d]) {
	case MOOD_GOOD:
		break;
	case MOOD_FAILS:
		what->rc = RC_UNREACHABLE;
		what->lands_ms = -1;
		break;
	case MOOD_FAILS_WRITES:
		if (is_write) {
			what->rc = RC_PRIVILEGE;
			what->lands_ms = -1;
		}
		break;
	case MOOD_STUCK:
		what->lands_ms = what->ends_ms = -1;
		break;
	}
	switch (onces[c->node - 1][d].what) {
	case ONCE_NOTHING:
		break;
	case ONCE_LOST:
		what->fault.torn_sectors = 0;
		break;
	case ONCE_ASTRAY:
		what->fault.misdirected_bytes = w->layout.sector_bytes * (c->node == 1 ? 1 : -1);
		break;
	case ONCE_LATE:
		what->lands_ms = what->ends_ms = ms;
		break;
	case ONCE_SLOW:
		what->ends_ms = ms;
		break;
	case ONCE_STALE:
		what->fault.stale_ms = ms;
		break;
	}
	onces[c->node - 1][d].what = ONCE_NOTHING;
}

static int say_mood(unsigned n, unsigned d, const char *word)
{
	static const char *const words[] = { "good", "fails", "fails-writes", "stuck" };

	for (unsigned i = 0; i < 4; i++)
		if (strcmp(word, words[i]) == 0) {
			moods[n - 1][d - 1] = i;
			return 1;
		}
	return 0;
}

static int say_once(unsigned n, unsigned d, const char *word, int ms)
{
	static const char *const words[] = { "", "lost", "astray", "late", "stale", "slow" };

	for (unsigned i = 1; i < 6; i++)
		if (strcmp(word, words[i]) == 0) {
			onces[n - 1][d - 1].what = i;
			onces[n - 1][d - 1].ms = ms;
			return 1;
		}
	return 0;
}

/* The node's block on disk 1 as a machine would write it that is configured as this node. */
static void twin(uint16_t n)
{
	uint64_t at = disk_layout_arbiter_at(&world.layout, n);
	uint8_t *bytes = world.media[0].bytes + at;
	struct arbiter_record record;
	const struct record_want want = { .node = n, .cluster = 99, .offset = at };

	assert_int_equal(arbiter_in(bytes, &want, &record), RECORD_OK);
	record.head.nonce++;
	arbiter_out(bytes, &record, at);
}

/* The words of a statement; those that are missing are empty. */
struct words {
	char *at[WORDS_MAX];
};

static struct words words_of(char *line)
{
	static char none[1];
	struct words words;

	for (size_t i = 0; i < WORDS_MAX; i++) {
		char *word = line ? strsep(&line, " ") : NULL;

		words.at[i] = word ? word : none;
	}
	return words;
}

static int number(const char *word, int otherwise)
{
	return word[0] ? (int)strtol(word, NULL, 10) : otherwise;
}

/* "n2" */
static uint16_t node_of(const char *word)
{
	return word[0] == 'n' ? (uint16_t)number(word + 1, 0) : 0;
}

/* What a node does; 0 when it makes no sense. */
static int say_node(const struct words *words)
{
	const char *verb = words->at[0];
	uint16_t n = node_of(words->at[1]);

	if (n < 1 || n > world.claimers_count)
		return 0;
	if (strcmp(verb, "start") == 0)
		claimer_start(&world, n);
	else if (strcmp(verb, "crash") == 0)
		claimer_crash(&world, n, strcmp(words->at[2], "landing") == 0);
	else if (strcmp(verb, "claim") == 0)
		claimer_claim(&world, n, (uint64_t)number(words->at[2], 0), words->at[3],
			      number(words->at[4], CLAIM_MS));
	else if (strcmp(verb, "look") == 0)
		claimer_look(&world, n, number(words->at[2], CLAIM_MS));
	else if (strcmp(verb, "prepare") == 0)
		claimer_prepare(&world, n, (uint64_t)number(words->at[2], 0));
	else if (strcmp(verb, "cancel") == 0)
		claimer_cancel(&world, n);
	else if (strcmp(verb, "twin") == 0)
		twin(n);
	else
		return 0;
	return 1;
}

/* What becomes of a disk, for a node. */
static int say_disk(const struct words *words)
{
	unsigned d = (unsigned)number(words->at[1], 0);
	uint16_t n = node_of(words->at[2]);

	if (d < 1 || d > world.disks || n < 1 || n > world.claimers_count)
		return 0;
	if (strcmp(words->at[0], "disk") == 0)
		return say_mood(n, d, words->at[3]);
	if (strcmp(words->at[0], "next") == 0)
		return say_once(n, d, words->at[3], number(words->at[4], 0));
	if (strcmp(words->at[0], "wipe") != 0)
		return 0;
	world.media[d - 1].bytes[disk_layout_arbiter_at(&world.layout, n) + 100] ^= 1;
	return 1;
}

/* What stands before the first moment; 0 when it is none of these. */
static int say_first(const struct words *words, struct paxos_config *config, unsigned *disks,
		     unsigned *claimers, int *requests)
{
	if (strcmp(words->at[0], "disks") == 0)
		*disks = (unsigned)number(words->at[1], 1);
	else if (strcmp(words->at[0], "claimers") == 0)
		*claimers = (unsigned)number(words->at[1], 2);
	else if (strcmp(words->at[0], "plain") == 0)
		config->owns_next = 0;
	else if (strcmp(words->at[0], "requests") == 0)
		*requests = 1;
	else
		return 0;
	return 1;
}

static void scenario_plays(void **state)
{
	static char text[1 << 14];
	const struct scenario *scenario = *state;
	struct paxos_config config = {
		.io_timeout_ms = IO_TIMEOUT_MS, .retry_ms = RETRY_MS, .seed = 5, .owns_next = 1
	};
	unsigned disks = 1, claimers = 2;
	int requests = 0, begun = 0;
	char *rest = text, *line;

	memset(moods, 0, sizeof moods);
	memset(onces, 0, sizeof onces);
	snprintf(text, sizeof text, "%s", scenario->text);
	while ((line = strsep(&rest, "\n")) != NULL) {
		struct words words;

		if (line[0] == '#' || line[0] == '\0')
			continue;
		words = words_of(line);
		if (say_first(&words, &config, &disks, &claimers, &requests))
			continue;
		if (!begun) {
			paxos_world_init(&world, disks, claimers, 512, &config);
			world.trace_requests = requests;
			world.fate = fate;
			world.disks_lie = 1;
			begun = 1;
		}
		if (strcmp(words.at[0], "at") != 0)
			fail_msg("what does it mean: %s", words.at[0]);
		paxos_world_run(&world, number(words.at[1], 0));
		memmove(words.at, words.at + 2, (WORDS_MAX - 2) * sizeof words.at[0]);
		if (strcmp(words.at[0], "end") != 0 && !say_node(&words) && !say_disk(&words))
			fail_msg("what does it mean: %s %s", words.at[0], words.at[1]);
	}
	assert_true(begun);
	assert_string_equal(world.violation, "");
	golden_check(scenario, world.trace);
	paxos_world_free(&world);
}

int main(void)
{
	return golden_run("paxos_core", "tests/unit/paxos_core.traces", scenario_plays);
}
