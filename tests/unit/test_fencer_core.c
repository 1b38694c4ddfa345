/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: fencer base pkg:cmocka tests/unit/fencer_world.c tests/unit/golden.c
 *
 * test_fencer_core.c - golden traces of the fencer's core: plays every scenario of
 * fencer_core.traces and compares the narrative. Run from the root of the repository.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/fencer_world.h"
#include "tests/unit/golden.h"

static void scenario_plays(void **state)
{
	const struct scenario *scenario = *state;

	assert_string_equal(world_play(scenario->text), scenario->expected);
}

int main(void)
{
	return golden_run("fencer_core", "tests/unit/fencer_core.traces", scenario_plays);
}
