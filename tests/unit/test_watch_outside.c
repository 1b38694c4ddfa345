/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: base watchdog/watch_outside_io.c watchdog/standstill_core.c pkg:cmocka
 *
 * test_watch_outside.c - when watchdogd reads the clock outside, and what it takes for a reading: a
 * file for that clock, and a CLOCK_BOOTTIME of the test, which is read twice for each reading.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "watchdog/watch_device_io.h"
#include "watchdog/watch_log_io.h"
#include "watchdog/watch_outside_io.h"
#include "watchdog/watch_place_io.h"

#define NOON INT64_C(1800000000)

static char path[] = "/tmp/outside-XXXXXX";
static int64_t boot_ms = 1000;
static const char *next_text; /* in the file once the clock was read twice more */
static int reads_until_next;

static void clock_write(const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void clock_set(int64_t seconds)
{
	char text[32];

	snprintf(text, sizeof text, "%lld\n", (long long)(NOON + seconds));
	clock_write(text);
}

/* ---- what it calls ---- */

mono_t device_clock(void)
{
	if (next_text && reads_until_next-- == 0) {
		clock_write(next_text);
		next_text = NULL;
	}
	return (mono_t){ boot_ms * MONO_NS_PER_MS };
}

void log_line(const char *fmt, ...)
{
	(void)fmt;
}

ssize_t place_read(const char *file, char *text, size_t size)
{
	(void)file;
	(void)text;
	(void)size;
	return -1;
}

/* ---- tests ---- */

static int64_t look_ms(int must)
{
	return outside_look(must) / MONO_NS_PER_MS;
}

static int begin(void **state)
{
	(void)state;
	boot_ms += 100000;
	next_text = NULL;
	clock_set(boot_ms / 1000);
	outside_begin();
	return 0;
}

static void only_whole_numbers_are_readings(void **state)
{
	static const char *const none[] = { "",
					    "\n",
					    "1800000500abc",
					    "abc",
					    " 1800000500",
					    "-5",
					    "0x6b4d",
					    "1800000500 \n",
					    "0",
					    "1.5",
					    "+12",
					    "99999999999999999999999" };

	(void)state;
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		clock_write(none[i]);
		assert_int_equal(look_ms(1), 0);
		if (outside_works())
			fail_msg("\"%s\" is a reading", none[i]);
		clock_set(boot_ms / 1000);
		assert_int_equal(look_ms(1), 0);
		assert_true(outside_works());
	}
	clock_write("1800000500");
	outside_look(1);
	assert_true(outside_works());
}

static void it_is_read_so_often_and_no_more(void **state)
{
	(void)state;
	clock_set(boot_ms / 1000 + 30);
	boot_ms += OUTSIDE_LOOK_MIN_MS - 1;
	for (int i = 0; i < 100; i++)
		assert_int_equal(look_ms(0), 0);
	assert_int_equal(outside_due().ns, (boot_ms + 751) * MONO_NS_PER_MS);
	boot_ms++;
	assert_in_range(look_ms(0), 28500, 31500);
}

static void a_setting_of_the_clock_is_looked_at_all_the_same(void **state)
{
	(void)state;
	clock_set(boot_ms / 1000 + 30);
	assert_in_range(look_ms(1), 28500, 31500);
}

static void what_was_before_the_first_client_does_not_count(void **state)
{
	(void)state;
	boot_ms += 5000;
	clock_set(boot_ms / 1000 + 300);
	outside_begin();
	boot_ms += 1000;
	clock_set(boot_ms / 1000 + 300);
	assert_int_equal(look_ms(0), 0);
	/* Nor does it add to what comes after. */
	boot_ms += 5000;
	clock_set(boot_ms / 1000 + 302);
	outside_begin();
	boot_ms += 1000;
	clock_set(boot_ms / 1000 + 303);
	assert_int_equal(look_ms(0), 0);
}

/* The first reading of a look is wrong, the second one is right. */
static void a_wrong_reading_is_taken_again(void **state)
{
	static const char *const wrong[] = { "1700000000\n", "1900000000\n" };
	char right[32];

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		boot_ms += 1000;
		snprintf(right, sizeof right, "%lld\n", (long long)(NOON + boot_ms / 1000));
		clock_write(wrong[i]);
		next_text = right;
		reads_until_next = 2;
		assert_int_equal(look_ms(1), 0);
		assert_null(next_text);
		boot_ms += 1000;
		clock_set(boot_ms / 1000);
		assert_int_equal(look_ms(1), 0);
	}
}

static int setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	clock_set(0);
	return outside_open(path);
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(only_whole_numbers_are_readings, begin),
		cmocka_unit_test_setup(it_is_read_so_often_and_no_more, begin),
		cmocka_unit_test_setup(a_setting_of_the_clock_is_looked_at_all_the_same, begin),
		cmocka_unit_test_setup(what_was_before_the_first_client_does_not_count, begin),
		cmocka_unit_test_setup(a_wrong_reading_is_taken_again, begin),
	};

	return cmocka_run_group_tests_name("watch_outside", tests, setup, teardown);
}
