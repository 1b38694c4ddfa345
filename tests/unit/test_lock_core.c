/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_lock_core.c - golden traces of the named locks' core: plays every scenario of lock_core.traces and
 * compares the narrative; names, slots, and terms as bytes. Run from the root of the repository.
 *
 * A statement is "at MS nN VERB...": boot, kill, restart, reset, replace, stop, disk-gone, disk-good,
 * no-watchdog (before boot), watchdog-fails, pause MS, run NAME RUN_MS [WAIT_MS [deaf|stuck]], vanish NAME,
 * break NAME [TERM]; "at MS lose-answers" and "at MS keep-answers" for the claims; "at MS end".
 *
 * LINK: lockd base tests/sim/lock_world.c tests/unit/golden.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lockd/lock_facts.h"
#include "tests/sim/lock_world.h"
#include "tests/unit/golden.h"

static struct lw_world world;

/* ---- the scenarios ---- */

static long number(const char *word, long otherwise)
{
	return word ? strtol(word, NULL, 10) : otherwise;
}

static int node_does(unsigned node, const char *verb, char **words)
{
	static const struct {
		const char *verb;
		void (*run)(struct lw_world *world, unsigned node);
	} plain[] = {
		{ "boot", lw_boot },
		{ "kill", lw_kill },
		{ "restart", lw_restart },
		{ "reset", lw_reset },
		{ "replace", lw_replace },
		{ "stop", lw_stop },
		{ "watchdog-fails", lw_watchdog_fails },
	};

	for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
		if (strcmp(verb, plain[i].verb) == 0) {
			plain[i].run(&world, node);
			return 1;
		}
	if (strcmp(verb, "disk-gone") == 0 || strcmp(verb, "disk-good") == 0)
		lw_disk(&world, node, strcmp(verb, "disk-good") == 0);
	else if (strcmp(verb, "no-watchdog") == 0)
		world.nodes[node - 1].has_watchdog = 0;
	else if (strcmp(verb, "pause") == 0)
		lw_pause(&world, node, number(words[0], 0));
	else if (strcmp(verb, "run") == 0)
		lw_ask(&world, node, words[0], number(words[2], -1), number(words[1], 100),
		       words[3] && strcmp(words[3], "deaf") == 0,
		       words[3] && strcmp(words[3], "stuck") == 0);
	else if (strcmp(verb, "vanish") == 0)
		lw_vanish(&world, node, words[0]);
	else if (strcmp(verb, "break") == 0)
		lw_break(&world, node, words[0], (uint64_t)number(words[1], 0));
	else
		return 0;
	return 1;
}

static void statement(char *line)
{
	enum { WORDS = 8 };
	char *words[WORDS] = { NULL }, *rest = line, *word;
	size_t count = 0;

	while (count < WORDS && (word = strsep(&rest, " ")))
		if (*word)
			words[count++] = word;
	if (count == 0 || words[0][0] == '#')
		return;
	if (count < 3 || strcmp(words[0], "at") != 0) {
		fail_msg("not a statement: %s", words[0]);
		return;
	}
	lw_run(&world, strtol(words[1], NULL, 10));
	if (strcmp(words[2], "lose-answers") == 0)
		world.faults.claim_lost = 1000;
	else if (strcmp(words[2], "keep-answers") == 0)
		world.faults.claim_lost = 0;
	else if (words[2][0] == 'n' && count >= 4)
		assert_true(
			node_does((unsigned)strtoul(words[2] + 1, NULL, 10), words[3], words + 4));
	else
		assert_string_equal(words[2], "end");
}

static void play(void **state)
{
	const struct scenario *scenario = *state;
	char *text = strdup(scenario->text), *rest = text, *line;

	assert_non_null(text);
	lw_init(&world, 3, 1);
	while ((line = strsep(&rest, "\n")))
		statement(line);
	free(text);
	if (world.violation[0])
		fail_msg("%s", world.violation);
	golden_check(scenario, world.trace);
}

/* ---- names, slots, bytes ---- */

static void names(void **state)
{
	char longest[LOCK_NAME_MAX + 2];

	(void)state;
	memset(longest, 'x', sizeof longest);
	longest[LOCK_NAME_MAX] = '\0';
	assert_true(lock_name_ok(longest));
	longest[LOCK_NAME_MAX] = 'x';
	longest[LOCK_NAME_MAX + 1] = '\0';
	assert_false(lock_name_ok(longest));
	assert_true(lock_name_ok("vg0/data@site-1:a_b.c"));
	assert_false(lock_name_ok(""));
	assert_false(lock_name_ok("a b"));
	assert_false(lock_name_ok("a\n"));
	assert_false(lock_name_ok("\xc3\xa4"));
	/* crc32c("123456789") is 0xE3069283: format-disk.md. */
	assert_int_equal(lock_name_slot("123456789", 64), 0xE3069283u % 64);
	assert_int_equal(lock_name_slot("123456789", 1), 0);
}

/* By the table of docs/format-disk.md. */
static const uint8_t golden[] = {
	0x01, 0x01, 0x02, 0x00, 0x07, 0x00, 0x00, 0x00, /* version, kind, node, incarnation */
	0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, /* machine */
	0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xb0, 0xb1, 0xb2, 0xb3,
	0xb4, 0xb5, 0xb6, 0xb7,							/* boot */
	0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe, 0xbf, 0x10, 0x27, 0x00, 0x00, /* lease 10000 */
	0xd0, 0x07, 0x00, 0x00,							/* watchdog 2000 */
	0xe8, 0x03, 0x00, 0x00,							/* grain 1000 */
	0x15, 0xcd, 0x5b, 0x07, 0x00, 0x00, 0x00, 0x00, /* wall clock 123456789 */
	0x02, 0x04, 0x03, 0x00,				/* lengths, vouched */
	'd',  'b',  'r',  'o',	'o',  't',  'p',  'g',	'1',
};

static struct lock_term term_golden(void)
{
	struct lock_term term = { .kind = LOCK_HELD,
				  .node = 2,
				  .incarnation = 7,
				  .lease_ms = 10000,
				  .watchdog_ms = 2000,
				  .grain_ms = 1000,
				  .wall_s = 123456789,
				  .name = "db",
				  .by = "root",
				  .command = "pg1" };

	for (unsigned i = 0; i < LOCK_ID_BYTES; i++) {
		term.machine[i] = (uint8_t)(0xa0 + i);
		term.boot[i] = (uint8_t)(0xb0 + i);
	}
	return term;
}

static void bytes(void **state)
{
	struct lock_term term = term_golden(), back;
	uint8_t value[LOCK_VALUE_MAX];

	(void)state;
	assert_int_equal(lock_value_out(value, &term), sizeof golden);
	assert_memory_equal(value, golden, sizeof golden);
	assert_int_equal(lock_value_in(golden, sizeof golden, &back), 0);
	assert_memory_equal(&back, &term, sizeof term);

	memset(term.name, 'n', LOCK_NAME_MAX);
	memset(term.by, 'b', LOCK_BY_MAX);
	memset(term.command, 'c', LOCK_COMMAND_MAX);
	assert_int_equal(lock_value_out(value, &term), LOCK_VALUE_MAX);
	assert_int_equal(lock_value_in(value, LOCK_VALUE_MAX, &back), 0);
	assert_memory_equal(&back, &term, sizeof term);
}

/* One byte changed, and what is then wrong. */
static void bad_bytes(void **state)
{
	static const struct {
		size_t at;
		uint8_t byte;
	} bad[] = {
		{ 0, 2 },     { 1, 0 },	  { 1, 4 },	{ 2, 0 },    { 2, 65 },	  { 4, 0 },
		{ 60, 3 },    { 61, 25 }, { 62, 4 },	{ 63, 2 },   { 64, ' ' }, { 64, 0 },
		{ 66, '\n' }, { 70, 0 },  { 70, 0xff }, { 60, 255 },
	};
	struct lock_term term;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		uint8_t value[sizeof golden];

		memcpy(value, golden, sizeof golden);
		value[bad[i].at] = bad[i].byte;
		if (lock_value_in(value, sizeof value, &term) == 0)
			fail_msg("byte %zu as %u is taken", bad[i].at, bad[i].byte);
		assert_int_equal(term.kind, 0);
	}
	for (size_t length = 0; length < sizeof golden; length++)
		assert_int_equal(lock_value_in(golden, length, &term), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(bytes),
		cmocka_unit_test(bad_bytes),
	};
	int failed = cmocka_run_group_tests_name("lock_facts", tests, NULL, NULL);

	return golden_run("lock_core", "tests/unit/lock_core.traces", play) || failed;
}
