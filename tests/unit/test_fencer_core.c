/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: fencer base pkg:cmocka tests/unit/fencer_world.c
 *
 * test_fencer_core.c - golden traces of the fencer's core: plays every scenario of
 * fencer_core.traces and compares the narrative. Run from the root of the repository.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fencer_world.h"

enum { SCENARIOS_MAX = 128 };

struct scenario {
	char *name, *text, *expected;
};

static char *file_read(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t bytes = 0;

	if (!file || getdelim(&text, &bytes, '\0', file) < 0) {
		perror(path);
		exit(1);
	}
	fclose(file);
	return text;
}

/* Cut a file into scenarios: "== NAME", statements, "--", narrative, an empty line. */
static size_t scenarios_read(char *text, struct scenario *scenarios)
{
	size_t count = 0;
	char *at = strstr(text, "\n== ");

	while (at && count < SCENARIOS_MAX) {
		struct scenario *s = &scenarios[count++];
		char *end;

		s->name = at + 4;
		end = strchr(s->name, '\n');
		*end = '\0';
		s->text = end + 1;
		end = strstr(s->text, "\n--\n");
		if (!end) {
			fprintf(stderr, "%s: no narrative\n", s->name);
			exit(1);
		}
		*end = '\0';
		s->expected = end + 4;
		end = strstr(s->expected, "\n\n");
		if (end)
			end[1] = '\0';
		at = end ? strstr(end + 2, "== ") : NULL;
		if (at)
			at--;
	}
	return count;
}

static void scenario_plays(void **state)
{
	const struct scenario *scenario = *state;

	assert_string_equal(world_play(scenario->text), scenario->expected);
}

int main(void)
{
	static struct scenario scenarios[SCENARIOS_MAX];
	static struct CMUnitTest tests[SCENARIOS_MAX];
	char *text = file_read("tests/unit/fencer_core.traces");
	size_t count = scenarios_read(text, scenarios);
	int failed;

	for (size_t i = 0; i < count; i++)
		tests[i] = (struct CMUnitTest){ .name = scenarios[i].name,
						.test_func = scenario_plays,
						.initial_state = &scenarios[i] };
	failed = _cmocka_run_group_tests("fencer_core", tests, count, NULL, NULL);
	free(text);
	return failed || count == 0;
}
