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
#define MS_PER_DAY INT64_C(86400000)

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

static struct standstill_reading reading_of(int64_t boot_ms, int64_t outside_ms,
					    int64_t realtime_ms)
{
	return (struct standstill_reading){
		.boot = { boot_ms * MONO_NS_PER_MS },
		.outside_s = floor_s(outside_ms),
		.realtime_ns = (NOON * 1000 + realtime_ms) * MONO_NS_PER_MS,
	};
}

/* What watchdogd does: a reading that is not believed is taken once more. */
static int64_t look_ms(struct standstill_core *core, int64_t boot_ms, int64_t outside_ms,
		       int64_t realtime_ms)
{
	struct standstill_reading reading = reading_of(boot_ms, outside_ms, realtime_ms);
	int64_t stood_ns = standstill_core_step(core, &reading);

	if (stood_ns == STANDSTILL_AGAIN)
		stood_ns = standstill_core_step(core, &reading);
	assert_true(stood_ns >= 0);
	return stood_ns / MONO_NS_PER_MS;
}

static void looks_play(const struct look *looks, size_t count)
{
	struct standstill_core core = { 0 };

	for (size_t i = 0; i < count; i++) {
		int64_t stood_ms = look_ms(&core, looks[i].boot_ms, looks[i].outside_ms,
					   looks[i].realtime_ms);

		if (stood_ms != looks[i].stood_ms)
			fail_msg("%zu, %s: %lld ms, not %lld", i, looks[i].what,
				 (long long)stood_ms, (long long)looks[i].stood_ms);
	}
}

#define PLAY(looks) looks_play(looks, sizeof(looks) / sizeof((looks)[0]))

static void pause_is_found_once(void **state)
{
	static const struct look looks[] = {
		{ "first reading", 1000, 0, 0, 0 },
		{ "all is well", 3500, 2500, 2500, 0 },
		{ "paused for a minute", 3600, 62600, 2600, 59900 },
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
	static const struct standstill_reading bad[] = {
		{ { 2000000000 }, -1, NOON * 1000000000 },
		{ { 2000000000 }, INT64_MAX, NOON * 1000000000 },
		{ { 2000000000 }, NOON, INT64_MIN },
	};
	struct standstill_core core = { 0 }, before;

	(void)state;
	assert_int_equal(look_ms(&core, 1000, 0, 0), 0);
	before = core;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(standstill_core_step(&core, &bad[i]), 0);
	assert_memory_equal(&core, &before, sizeof core);
}

/* One bogus reading, low or high, in whatever place, changes nothing. */
static void one_wrong_reading_is_not_believed(void **state)
{
	static const int64_t wrong_ms[] = { -100000000000, -3600000, -4000,
					    4000,	   3600000,  100000000000 };

	(void)state;
	for (size_t i = 0; i < sizeof wrong_ms / sizeof wrong_ms[0]; i++)
		for (int64_t at = 0; at < 5; at++) {
			struct standstill_core core = { 0 };

			for (int64_t n = 0; n < 5; n++) {
				int64_t ms = n * 1000;
				struct standstill_reading bogus = reading_of(ms, ms + wrong_ms[i],
									     ms);

				if (n == at)
					assert_int_equal(standstill_core_step(&core, &bogus),
							 STANDSTILL_AGAIN);
				assert_int_equal(look_ms(&core, ms + 1, ms + 1, ms + 1), 0);
			}
			assert_in_range(look_ms(&core, 5000, 15000, 5000), 9999, 10001);
		}
}

/* Looks for 3 s, every quarter of a second, from boot_ms on. */
static int64_t looks_go_on(struct standstill_core *core, int64_t boot_ms, int64_t outside_lead_ms,
			   int64_t wall_lead_ms)
{
	int64_t stood_ms = 0;

	for (int64_t ms = boot_ms; ms < boot_ms + 3000; ms += 250)
		stood_ms += look_ms(core, ms, ms + outside_lead_ms, ms + wall_lead_ms);
	return stood_ms;
}

/* The wall clock (at fraction wall_ms of its second) is written into an RTC that keeps the fraction
 * of its own: it then leads by less than 1 s, either way. Zero when it was not taken for a pause. */
static int64_t rtc_set(int64_t phase_ms, int64_t wall_ms, int64_t off_ms, int64_t zone_ms,
		       int64_t gap_ms)
{
	struct standstill_core core = { 0 };
	int64_t boot_ms = 1000 + wall_ms, set_ms = phase_ms - (boot_ms + 3000) % 1000;
	int64_t stood_ms = looks_go_on(&core, boot_ms, off_ms, 0);

	stood_ms += looks_go_on(&core, boot_ms + 3000 + gap_ms, set_ms + zone_ms, 0);
	/* The next setting, by the same hand, in the same minute. */
	return stood_ms + looks_go_on(&core, boot_ms + 9000, set_ms + zone_ms, 0);
}

/* All phases of both seconds, all offsets. */
static void setting_the_rtc_is_never_a_pause(void **state)
{
	static const int64_t zones_ms[] = { -43200000, -12600000, -900000, 0,
					    900000,    20700000,  50400000 };

	(void)state;
	for (int64_t phase_ms = 0; phase_ms < 1000; phase_ms += 50)
		for (int64_t wall_ms = 0; wall_ms < 1000; wall_ms += 50)
			for (int64_t off_ms = -10000; off_ms <= 10000; off_ms += 50)
				if (rtc_set(phase_ms, wall_ms, off_ms, 0, wall_ms % 250) != 0)
					fail_msg("phase %d, wall %d, off by %d ms", (int)phase_ms,
						 (int)wall_ms, (int)off_ms);
	for (size_t i = 0; i < sizeof zones_ms / sizeof zones_ms[0]; i++)
		for (int64_t phase_ms = 0; phase_ms < 1000; phase_ms += 50)
			for (int64_t off_ms = -10000; off_ms <= 10000; off_ms += 50) {
				/* in its zone; from its zone to UTC; years behind, into its zone */
				assert_int_equal(rtc_set(phase_ms, 350, off_ms + zones_ms[i],
							 zones_ms[i], 0),
						 0);
				assert_int_equal(rtc_set(phase_ms, 350, off_ms + zones_ms[i], 0, 0),
						 0);
				assert_int_equal(rtc_set(phase_ms, 350, -9000 * MS_PER_DAY - 300000,
							 zones_ms[i], 0),
						 0);
			}
}

/* The wall clock is stepped by time daemons, seen, and written into the RTC. */
static void stepping_the_clock_and_setting_the_rtc_is_no_pause(void **state)
{
	(void)state;
	for (int64_t zone_ms = 0; zone_ms <= 7200000; zone_ms += 3600000)
		for (int64_t phase_ms = 0; phase_ms < 1000; phase_ms += 50)
			for (int64_t by_ms = 0; by_ms <= 10000; by_ms += 50) {
				struct standstill_core core = { 0 };
				int64_t wall_ms = by_ms + zone_ms, set_ms;
				int64_t stood_ms = looks_go_on(&core, 1000, phase_ms, 0);

				stood_ms += looks_go_on(&core, 4000, phase_ms, wall_ms);
				set_ms = wall_ms - wall_ms % 1000 + phase_ms;
				stood_ms += looks_go_on(&core, 7000, set_ms, wall_ms);
				assert_int_equal(stood_ms, 0);
			}
}

/* An RTC moved forward by a zone is a pause as far as anybody can tell. */
static void another_zone_is_a_pause(void **state)
{
	(void)state;
	assert_in_range(rtc_set(0, 0, 0, 3600000, 0), 3599000, 3601000);
	assert_in_range(rtc_set(0, 0, 7200000, 10800000, 0), 3599000, 3601000);
}

/* A pause of pause_ms with an RTC that is off by off_ms; the wall clock is corrected after it,
 * before the look, or not at all. What is told. */
static int64_t paused(int64_t phase_ms, int64_t off_ms, int64_t pause_ms, int corrected)
{
	struct standstill_core core = { 0 };
	int64_t stood_ms = looks_go_on(&core, 1000 + phase_ms, off_ms, 0);

	assert_int_equal(stood_ms, 0);
	return looks_go_on(&core, 4000 + phase_ms, off_ms + pause_ms, corrected ? pause_ms : 0);
}

/* Pauses of every length, and around those that look like zones: what the header says is found, and
 * what is not. */
static void pauses_of_every_length(void **state)
{
	static const int64_t around_ms[] = { 0, 900000, 3600000, 7200000 };

	(void)state;
	for (size_t i = 0; i < sizeof around_ms / sizeof around_ms[0]; i++)
		for (int64_t phase_ms = 0; phase_ms < 1000; phase_ms += 50)
			for (int64_t off_ms = -10000; off_ms <= 10000; off_ms += 250)
				for (int64_t ms = i ? -8000 : 0; ms <= 15000; ms += 250) {
					int64_t pause_ms = around_ms[i] + ms;
					int64_t told = paused(phase_ms, off_ms, pause_ms, 0);
					int64_t fixed = paused(phase_ms, off_ms, pause_ms, 1);
					int near = off_ms >= -1000 && off_ms <= 1000;
					int chance = ms >= -off_ms - 2500 && ms <= 2500 - off_ms;

					if (pause_ms < 500)
						assert_int_equal(told + fixed, 0);
					if (pause_ms >= 3500)
						assert_in_range(fixed, pause_ms - 1500,
								pause_ms + 1500);
					if (pause_ms >= 3500 && (near || !chance))
						assert_in_range(told, pause_ms - 1500,
								pause_ms + 1500);
					if (told > 0)
						assert_in_range(told, pause_ms - 1500,
								pause_ms + 1500);
				}
	/* The limits: an RTC 30 s behind, and one in a western zone. */
	assert_int_equal(paused(0, -30000, 30000, 0), 0);
	assert_int_equal(paused(0, -3600000, 3600000, 0), 0);
}

/* Short pauses, one a second, each told once; what a minute hides is less than 8.5 s. */
static void short_pauses_add_up(void **state)
{
	(void)state;
	for (int corrected = 0; corrected < 2; corrected++)
		for (int64_t phase_ms = 0; phase_ms < 1000; phase_ms += 50)
			for (int64_t pause_ms = 100; pause_ms <= 5000; pause_ms += 100) {
				struct standstill_core core = { 0 };
				int64_t told_ms = 0, sum_ms = 0;

				look_ms(&core, 1000 + phase_ms, 0, 0);
				for (int64_t n = 1; n <= 60; n++) {
					sum_ms += pause_ms;
					for (int64_t ms = n * 1000; ms < (n + 1) * 1000; ms += 250)
						told_ms += look_ms(&core, 1000 + phase_ms + ms,
								   ms + sum_ms,
								   ms + corrected * sum_ms);
					assert_true(told_ms > sum_ms - 8500);
					/* Each count is less than a second too long. */
					assert_true(told_ms < sum_ms + sum_ms / 2 + 1500);
				}
			}
}

/* Suspended, or not looked at for long: only the last reading is left to compare with. */
static void window_ends(void **state)
{
	struct standstill_core core = { 0 };
	int64_t lead_ms = 0;

	(void)state;
	/* Drift, 0.1 s a minute: never a pause, however much it becomes. */
	for (int64_t ms = 1000; ms < 24 * 3600000; ms += 1000) {
		lead_ms = ms / 600;
		assert_int_equal(look_ms(&core, ms, ms + lead_ms, ms), 0);
	}
}

/* Every phase of the RTC's second, and readings that take as long as one may. */
static void rounding_is_no_pause(void **state)
{
	(void)state;
	for (int64_t phase_ms = 0; phase_ms < 1000; phase_ms += 50)
		for (int64_t gap_ms = 0; gap_ms <= 5000; gap_ms += 50)
			for (int64_t took_ms = 0; took_ms <= STANDSTILL_READING_MAX_MS;
			     took_ms += 250) {
				struct standstill_core core = { 0 };

				look_ms(&core, took_ms, phase_ms, took_ms);
				assert_int_equal(look_ms(&core, gap_ms + 500 - took_ms,
							 phase_ms + gap_ms, gap_ms),
						 0);
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
		cmocka_unit_test(one_wrong_reading_is_not_believed),
		cmocka_unit_test(setting_the_rtc_is_never_a_pause),
		cmocka_unit_test(stepping_the_clock_and_setting_the_rtc_is_no_pause),
		cmocka_unit_test(another_zone_is_a_pause),
		cmocka_unit_test(pauses_of_every_length),
		cmocka_unit_test(short_pauses_add_up),
		cmocka_unit_test(window_ends),
		cmocka_unit_test(rounding_is_no_pause),
	};

	return cmocka_run_group_tests_name("standstill_core", tests, NULL, NULL);
}
