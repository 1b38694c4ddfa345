/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: base lockd/pr_core.c lockd/pr_core_jobs.c lockd/pr_cdb_wire.c lockd/pr_sense_wire.c tests/sim/pr_model.c tests/sim/pr_access.c tests/unit/pr_world.c tests/unit/golden.c pkg:cmocka
 *
 * test_pr_core.c - plays the scenarios of pr_core.traces and compares what happens, word for word.
 *
 * Statements of a scenario (tests/unit/golden.h):
 *	world NODES PATHS [tgt]		the first statement
 *	do NODE JOB [ARGUMENT]...	a job, and then until nothing is under way;
 *					join ADMISSION, reserve TYPE, preempt KEY TYPE
 *	start NODE JOB ...		the same without waiting
 *	run				until nothing is under way
 *	hurry MS			the time of the jobs that follow
 *	fault PATH FAULT [out]		for the next command of that path (pr_world.h), or the next that
 *					changes something; a/0 is a's first path
 *	cut PATH, mend PATH		no answer any more; a new session
 *	stick PATH			no new session comes about, until it is mended
 *	boot NODE INCARNATION		a core and sessions that know nothing
 *	raw NODE COMMAND KEY KEY TYPE	a command without the core, by path 0
 *	before PATH COMMAND NODE COMMAND KEY KEY TYPE	the same, just before the first such command of
 *					that path; "lose" in place of a command: the unit loses its information
 *	attention PATH KIND		seen by another command of that path
 *	pester PATH COUNT		so many unit attentions that mean nothing wait for it
 *	power, reset			of the target
 *	state				say what is on the unit
 * Keys are written a1: node a, incarnation 1; - is none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/golden.h"
#include "tests/unit/pr_world.h"

enum { WORDS_MAX = 10, JOB_MS = 1000 };

static struct pr_world world;

static int64_t job_ms;

static struct {
	int is_set;
	unsigned node, path;
	enum pr_command command;
	char words[5][40];
} befores[2];

/* ---- reading statements ---- */

static unsigned number(const char *word)
{
	return (unsigned)strtoul(word, NULL, 10);
}

static uint64_t key_of(const char *word)
{
	if (strcmp(word, "-") == 0)
		return 0;
	if (strncmp(word, "0x", 2) == 0)
		return strtoull(word, NULL, 16);
	return world_key((unsigned)(word[0] - 'a'), number(word + 1));
}

static unsigned node_of(const char *word)
{
	unsigned node = (unsigned)(word[0] - 'a');

	assert_true(node < world.nodes_count);
	return node;
}

static unsigned path_of(const char *word)
{
	return number(word + 2);
}

static enum pr_command command_of(const char *word)
{
	static const struct {
		const char *word;
		enum pr_command command;
	} commands[] = {
		{ "READ-KEYS", PR_READ_KEYS },
		{ "READ-RESERVATION", PR_READ_RESERVATION },
		{ "REGISTER", PR_REGISTER },
		{ "IGNORE", PR_REGISTER_AND_IGNORE },
		{ "RESERVE", PR_RESERVE },
		{ "RELEASE", PR_RELEASE },
		{ "CLEAR", PR_CLEAR },
		{ "PREEMPT", PR_PREEMPT },
		{ "ABORT", PR_PREEMPT_AND_ABORT },
	};

	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(commands[i].word, word) == 0)
			return commands[i].command;
	fail_msg("no command %s", word);
	return PR_COMMANDS;
}

static unsigned word_of(const char *const *words, unsigned count, const char *word)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	fail_msg("no word %s", word);
	return 0;
}

static void raw(char words[][40])
{
	enum pr_meaning meaning = world_intrude(&world, node_of(words[0]), command_of(words[1]),
						key_of(words[2]), key_of(words[3]),
						pr_type_parse(words[4]));

	world_say(&world, "raw %s %s %s %s %s: %s", words[0], words[1], words[2], words[3],
		  words[4], pr_meaning_word(meaning));
}

static void run_before(struct pr_world *w, unsigned node, unsigned path,
		       const struct pr_action *send)
{
	(void)w;
	for (int i = 0; i < 2; i++) {
		if (!befores[i].is_set)
			continue;
		/* The second one waits for the first. */
		if (befores[i].node != node || befores[i].path != path ||
		    befores[i].command != send->command)
			return;
		befores[i].is_set = 0;
		if (strcmp(befores[i].words[0], "lose") == 0)
			pr_model_lose(&world.model);
		else
			raw(befores[i].words);
		return;
	}
}

static void before(const char *const *words, char copy[][40])
{
	int i = befores[0].is_set;

	assert_false(befores[i].is_set);
	befores[i].is_set = 1;
	befores[i].node = node_of(words[1]);
	befores[i].path = path_of(words[1]);
	befores[i].command = command_of(words[2]);
	memcpy(befores[i].words, copy + 3, sizeof befores[i].words);
}

static void job(const char *const *words, unsigned count)
{
	static const char *const jobs[] = { "none",    "join",	  "verify", "reserve",
					    "release", "preempt", "clear",  "leave" };
	enum pr_job_kind kind = (enum pr_job_kind)word_of(jobs, 8, words[1]);
	uint64_t admission = 0, victim = 0;
	unsigned type = 0;

	if (kind == PR_JOB_JOIN && count > 2)
		admission = strtoull(words[2], NULL, 10);
	if (kind == PR_JOB_RESERVE)
		type = pr_type_parse(words[2]);
	if (kind == PR_JOB_PREEMPT) {
		victim = key_of(words[2]);
		type = pr_type_parse(words[3]);
	}
	world_say(&world, "%s starts %s", words[0], words[1]);
	world_job(&world, node_of(words[0]), kind, admission, victim, type, job_ms);
}

static void state(void)
{
	char text[200] = "";
	int at = 0;

	for (size_t i = 0; i < world.model.registrations_count; i++) {
		uint64_t key = world.model.registrations[i].key;

		at += snprintf(text + at, sizeof text - (size_t)at, " %c%u%s",
			       'a' + pr_key_node(key) - 1, pr_key_incarnation(key),
			       (int)i == world.model.holder ? "*" : "");
	}
	world_say(&world, "keys:%s %s", text, pr_type_word(world.model.type));
}

static void statement(const char *line)
{
	static const char *const faults[] = { "none", "lost-before", "lost-after", "late",
					      "busy", "not-ready",   "aborted",	   "not-sent" };
	static const char *const attentions[] = {
#define X(sym, word, meaning) word,
		PR_ATTENTION_LIST(X)
#undef X
	};
	char copy[WORDS_MAX][40];
	const char *words[WORDS_MAX] = { "" };
	unsigned count = 0;

	for (const char *at = line + strspn(line, " "); *at && count < WORDS_MAX;
	     at += strspn(at, " ")) {
		size_t length = strcspn(at, " ");

		snprintf(copy[count], sizeof copy[0], "%.*s", (int)length, at);
		words[count] = copy[count];
		count++;
		at += length;
	}
	if (strcmp(words[0], "world") == 0) {
		struct pr_model_limits limits = { 0 };

		if (count > 3)
			pr_model_limits_tgt(&limits);
		world_begin(&world, &limits, number(words[1]), number(words[2]));
		world.before = run_before;
		befores[0].is_set = befores[1].is_set = 0;
		job_ms = JOB_MS;
	} else if (strcmp(words[0], "do") == 0 || strcmp(words[0], "start") == 0) {
		job(words + 1, count - 1);
		if (words[0][0] == 'd')
			world_run(&world);
	} else if (strcmp(words[0], "fault") == 0) {
		world.nodes[node_of(words[1])].next_fault[path_of(words[1])] = (enum pr_fault)
			word_of(faults, FAULTS, words[2]);
		world.nodes[node_of(words[1])].fault_spares_looks[path_of(words[1])] = count > 3;
	} else if (strcmp(words[0], "cut") == 0) {
		world_cut(&world, node_of(words[1]), path_of(words[1]));
	} else if (strcmp(words[0], "mend") == 0) {
		world_mend(&world, node_of(words[1]), path_of(words[1]));
		world_run(&world);
	} else if (strcmp(words[0], "boot") == 0) {
		world_boot(&world, node_of(words[1]), number(words[2]));
	} else if (strcmp(words[0], "raw") == 0) {
		raw(copy + 1);
	} else if (strcmp(words[0], "before") == 0) {
		before(words, copy);
	} else if (strcmp(words[0], "run") == 0) {
		world_run(&world);
	} else if (strcmp(words[0], "hurry") == 0) {
		job_ms = number(words[1]);
	} else if (strcmp(words[0], "stick") == 0) {
		world.nodes[node_of(words[1])].is_stuck[path_of(words[1])] = 1;
	} else if (strcmp(words[0], "attention") == 0) {
		world_tell(&world, node_of(words[1]),
			   &(struct pr_event){ .kind = PR_EVENT_ATTENTION,
					       .path = path_of(words[1]),
					       .attention = (enum pr_attention)word_of(
						       attentions, PR_ATTENTIONS, words[2]) });
		world_run(&world);
	} else if (strcmp(words[0], "pester") == 0) {
		struct pr_model_nexus *nexus =
			&world.model
				 .nexuses[world.nodes[node_of(words[1])].nexus[path_of(words[1])]];

		for (unsigned i = number(words[2]); i > 0; i--)
			nexus->attentions[nexus->attentions_count++] = 0x2a01;
	} else if (strcmp(words[0], "power") == 0) {
		pr_model_power_cycle(&world.model);
		world_say(&world, "power lost and back");
	} else if (strcmp(words[0], "reset") == 0) {
		pr_model_reset(&world.model);
		world_say(&world, "unit reset");
	} else if (strcmp(words[0], "state") == 0) {
		state();
	} else {
		fail_msg("no statement: %s", line);
	}
}

static void scenario_plays(void **state_of_test)
{
	const struct scenario *scenario = *state_of_test;
	char *text = strdup(scenario->text), *rest = NULL;

	assert_non_null(text);
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (line[0] != '#')
			statement(line);
	free(text);
	golden_check(scenario, world.trace);
}

int main(void)
{
	return golden_run("pr_core", "tests/unit/pr_core.traces", scenario_plays);
}
