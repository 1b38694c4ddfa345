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
	assert_int_equal(timing_reset_bound_ms(0, 0), 1000);
	/* A bound that wrapped around would be a promise of death that comes too early. */
	assert_int_equal(timing_reset_bound_ms(UINT32_MAX, 10000), UINT32_MAX);
	assert_int_equal(timing_reset_bound_ms(UINT32_MAX - 11000, 10000), UINT32_MAX);
	assert_int_equal(timing_reset_bound_ms(UINT32_MAX - 11001, 10000), UINT32_MAX - 1);
}

/* A device that runs 1.7 % long, and another second on top, is within the bound from 44 s on. */
static void grain_grows_with_the_timeout(void **state)
{
	(void)state;
	assert_int_equal(timing_grain_ms(0), 1000);
	assert_int_equal(timing_grain_ms(25000), 1000);
	assert_int_equal(timing_grain_ms(25100), 1004);
	assert_int_equal(timing_grain_ms(150000), 6000);
	assert_int_equal(timing_reset_bound_ms(1000, 150000), 157000);
	for (uint32_t device_s = 44; device_s <= 3600; device_s++)
		assert_true(timing_grain_ms(device_s * 1000) >= device_s * 17 + 1000);
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
		cmocka_unit_test(grain_grows_with_the_timeout),
		cmocka_unit_test(pets_leave_room_for_misses),
	};

	return cmocka_run_group_tests_name("timing", tests, NULL, NULL);
}
