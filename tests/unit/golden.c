/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * golden.c - reads golden traces; see golden.h.
 */
#include "tests/unit/golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCENARIOS_MAX = 128 };

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

int golden_run(const char *group, const char *path, void (*play)(void **state))
{
	static struct scenario scenarios[SCENARIOS_MAX];
	static struct CMUnitTest tests[SCENARIOS_MAX];
	char *text = file_read(path);
	size_t count = scenarios_read(text, scenarios);
	int failed;

	for (size_t i = 0; i < count; i++)
		tests[i] = (struct CMUnitTest){ .name = scenarios[i].name,
						.test_func = play,
						.initial_state = &scenarios[i] };
	failed = _cmocka_run_group_tests(group, tests, count, NULL, NULL);
	free(text);
	return failed || count == 0;
}

void golden_check(const struct scenario *scenario, const char *narrative)
{
	if (getenv("GOLDEN_PRINT"))
		printf("== %s\n%s\n--\n%s\n", scenario->name, scenario->text, narrative);
	else
		assert_string_equal(narrative, scenario->expected);
}
