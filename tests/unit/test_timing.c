/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: base pkg:cmocka
 *
 * test_timing.c - the numbers of base/timing.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/timing.h"

static void bound_is_the_sum(void **state)
{
	(void)state;
	assert_int_equal(timing_reset_bound_ms(5000, 10000), 16000);
	assert_int_equal(timing_reset_bound_ms(0, 0), TIMING_GRAIN_MS);
	/* A bound that wrapped around would be a promise of death that comes too early. */
	assert_int_equal(timing_reset_bound_ms(UINT32_MAX, 10000), UINT32_MAX);
	assert_int_equal(timing_reset_bound_ms(UINT32_MAX - 11000, 10000), UINT32_MAX);
	assert_int_equal(timing_reset_bound_ms(UINT32_MAX - 11001, 10000), UINT32_MAX - 1);
}

static void pets_leave_room_for_misses(void **state)
{
	(void)state;
	assert_int_equal(timing_pet_interval_ms(10000, 0), 2500);
	assert_int_equal(timing_pet_interval_ms(1000, 0), 250);
	assert_int_equal(timing_pet_interval_ms(200, 0), TIMING_PET_MIN_MS);
	/* The panic comes at the pretimeout. */
	assert_int_equal(timing_pet_interval_ms(10000, 6000), 1000);
	/* Every whole-second pair: three pets may be missed before anything fires. */
	for (uint32_t device_s = 1; device_s <= 300; device_s++)
		for (uint32_t pre_s = 0; pre_s < device_s; pre_s++)
			assert_true(4 * timing_pet_interval_ms(device_s * 1000, pre_s * 1000) <=
				    (device_s - pre_s) * 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bound_is_the_sum),
		cmocka_unit_test(pets_leave_room_for_misses),
	};

	return cmocka_run_group_tests_name("timing", tests, NULL, NULL);
}
