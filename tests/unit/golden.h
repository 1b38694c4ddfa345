/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * golden.h - golden traces: scenarios with the narrative that a core is to make of them.
 *
 * Callers: the tests of cores. A file of them is, for each scenario, "== NAME", statements, "--", the
 * narrative, and an empty line. What a statement means is the test's own.
 * Ownership: a scenario and its text live as long as golden_run().
 *
 * With GOLDEN_PRINT in the environment golden_check() prints what a file of the narratives of today
 * would hold, and compares nothing.
 */
#ifndef HOLDFAST_TESTS_GOLDEN_H
#define HOLDFAST_TESTS_GOLDEN_H

struct scenario {
	char *name, *text, *expected;
};

/* Make each scenario of a file a test: play gets a struct scenario * as its state. Returns the exit
 * status of the program, 1 also when there is no scenario. */
int golden_run(const char *group, const char *path, void (*play)(void **state));

/* Is this the narrative of the scenario? For play; fails the test when it is not. */
void golden_check(const struct scenario *scenario, const char *narrative);

#endif
