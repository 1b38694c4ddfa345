/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: base watchdog/standstill_core.c pkg:cmocka
 *
 * test_standstill_core.c - tables of readings of three clocks, with what must be made of each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "watchdog/standstill_core.h"

#define NOON INT64_C(1800000000)

struct look {
	const char *what;
	int64_t boot_ms;     /* CLOCK_BOOTTIME */
	int64_t outside_ms;  /* true time of the RTC since NOON; it is read rounded down */
	int64_t realtime_ms; /* CLOCK_REALTIME since NOON */
	int64_t stood_ms;    /* expected */
};

static int64_t floor_s(int64_t ms)
{
	return NOON + (ms >= 0 ? ms / 1000 : -((999 - ms) / 1000));
}

static void looks_play(const struct look *looks, size_t count)
{
	struct standstill_core core = { 0 };

	for (size_t i = 0; i < count; i++) {
		const struct standstill_reading reading = {
			.boot = { looks[i].boot_ms * MONO_NS_PER_MS },
			.outside_s = floor_s(looks[i].outside_ms),
			.realtime_s = floor_s(looks[i].realtime_ms),
		};
		int64_t stood_ns = standstill_core_step(&core, &reading);

		if (stood_ns != looks[i].stood_ms * MONO_NS_PER_MS)
			fail_msg("%zu, %s: %lld ms, not %lld", i, looks[i].what,
				 (long long)(stood_ns / MONO_NS_PER_MS),
				 (long long)looks[i].stood_ms);
	}
}

#define PLAY(looks) looks_play(looks, sizeof(looks) / sizeof((looks)[0]))

static void pause_is_found_once(void **state)
{
	static const struct look looks[] = {
		{ "first reading", 1000, 0, 0, 0 },
		{ "all is well", 3500, 2500, 2500, 0 },
		{ "paused for a minute", 3600, 62600, 2600, 60000 - 100 },
		{ "all is well again", 6100, 65100, 5100, 0 },
		{ "ntp corrects the wall clock", 7100, 66100, 66100, 0 },
		{ "all is well", 9100, 68100, 68100, 0 },
	};

	(void)state;
	PLAY(looks);
}

static void pause_corrected_before_the_look_is_found(void **state)
{
	static const struct look looks[] = {
		{ "first reading", 1000, 0, 0, 0 },
		{ "paused, and the guest agent set the clock", 1500, 30500, 30500, 29500 },
		{ "all is well", 2500, 31500, 31500, 0 },
		{ "the same, by a multiple of 15 min", 3500, 932500, 932500, 900000 },
		{ "the same, not corrected", 4500, 1833500, 933500, 900000 },
	};

	(void)state;
	PLAY(looks);
}

static void setting_the_rtc_is_no_pause(void **state)
{
	static const struct look looks[] = {
		{ "the RTC lags by 10 s", 1000, -10000, 0, 0 },
		{ "hwclock --systohc", 2000, 1000, 1000, 0 },
		{ "all is well", 3000, 2000, 2000, 0 },
	};
	static const struct look local[] = {
		{ "it lags by 10 s, in a zone 2 h ahead", 1000, 7190000, 0, 0 },
		{ "set", 2000, 7201000, 1000, 0 },
	};
	static const struct look zone[] = {
		{ "it lags by 10 s", 1000, -10000, 0, 0 },
		{ "set to the local time of a zone 5 h 45 min ahead", 2000, 20701000, 1000, 0 },
	};
	static const struct look clock_first[] = {
		{ "both agree", 1000, 0, 0, 0 },
		{ "the wall clock is set an hour ahead", 1100, 100, 3600100 - 7000, 0 },
		{ "and the RTC after it", 1600, 3600600 - 7000, 3600600 - 7000, 0 },
	};
	static const struct look nowhere[] = {
		{ "both agree", 1000, 0, 0, 0 },
		{ "set to somewhere else: may be a pause", 2000, 101000, 1000, 100000 },
	};

	(void)state;
	PLAY(looks);
	PLAY(local);
	PLAY(zone);
	PLAY(clock_first);
	PLAY(nowhere);
}

static void other_steps_are_no_pause(void **state)
{
	static const struct look looks[] = {
		{ "first reading", 1000, 0, 0, 0 },
		{ "wall clock ahead", 2000, 1000, 100000, 0 },
		{ "wall clock back", 3000, 2000, -100000, 0 },
		{ "RTC back", 4000, -500000, -99000, 0 },
		{ "RTC goes on from there", 5000, -499000, -98000, 0 },
		{ "suspended: its own clock knows", 605000, 101000, -98000, 0 },
		{ "and a pause is still found", 606000, 107000, -97000, 5000 },
	};

	(void)state;
	PLAY(looks);
}

static void broken_readings_are_none(void **state)
{
	static const struct standstill_reading good = { { 1000000000 }, NOON, NOON };
	static const struct standstill_reading bad[] = {
		{ { 2000000000 }, -1, NOON },
		{ { 2000000000 }, INT64_MAX, NOON },
		{ { 2000000000 }, NOON, INT64_MIN },
	};
	struct standstill_core core = { 0 };

	(void)state;
	assert_int_equal(standstill_core_step(&core, &good), 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(standstill_core_step(&core, &bad[i]), 0);
	assert_int_equal(core.last.outside_s, NOON);
	assert_int_equal(core.last.boot.ns, good.boot.ns);
}

/* Every phase of the RTC's second, in steps of 50 ms: rounding alone is never a pause, nor is one
 * below 1 s; one of 3 s always is, and is told to within a second. */
static void rounding_is_no_pause(void **state)
{
	(void)state;
	for (int64_t phase_ms = 0; phase_ms < 1000; phase_ms += 50)
		for (int64_t gap_ms = 0; gap_ms <= 5000; gap_ms += 50)
			for (int64_t pause_ms = 0; pause_ms <= 4000; pause_ms += 50) {
				struct standstill_core core = { 0 };
				struct standstill_reading first = { { 0 },
								    floor_s(phase_ms),
								    NOON };
				struct standstill_reading second = {
					{ gap_ms * MONO_NS_PER_MS },
					floor_s(phase_ms + gap_ms + pause_ms),
					floor_s(gap_ms),
				};
				int64_t stood_ms;

				/* Not near a multiple of 15 min before, to be judged alone. */
				first.realtime_s = second.realtime_s = NOON - 400;
				assert_int_equal(standstill_core_step(&core, &first), 0);
				stood_ms = standstill_core_step(&core, &second) / MONO_NS_PER_MS;
				if (pause_ms <= 1000)
					assert_int_equal(stood_ms, 0);
				if (pause_ms >= 3000)
					assert_true(stood_ms > 0);
				if (stood_ms > 0) {
					assert_true(stood_ms > pause_ms - 1000);
					assert_true(stood_ms < pause_ms + 1000);
				}
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pause_is_found_once),
		cmocka_unit_test(pause_corrected_before_the_look_is_found),
		cmocka_unit_test(setting_the_rtc_is_no_pause),
		cmocka_unit_test(other_steps_are_no_pause),
		cmocka_unit_test(broken_readings_are_none),
		cmocka_unit_test(rounding_is_no_pause),
	};

	return cmocka_run_group_tests_name("standstill_core", tests, NULL, NULL);
}
