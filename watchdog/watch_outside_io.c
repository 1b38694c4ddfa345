/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch_outside_io.c - readings of a clock that goes on while this machine is paused; see
 * watch_outside_io.h.
 */
#include "watchdog/watch_outside_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/timing.h"
#include "watchdog/standstill_core.h"
#include "watchdog/watch_device_io.h"
#include "watchdog/watch_log_io.h"
#include "watchdog/watch_place_io.h"

#define RTC_PATH "/sys/class/rtc/rtc0/since_epoch"

enum { READINGS_MAX = 2 };

static const char *name = "none";
static int clock_fd = -1, set_fd = -1;
static int faulty; /* the last reading was none */
static struct standstill_core standstill;
static int looked; /* at looked_at */
static mono_t looked_at;

const char *outside_name(void)
{
	return name;
}

int outside_exists(void)
{
	return clock_fd >= 0;
}

int outside_works(void)
{
	return clock_fd >= 0 && !faulty;
}

int outside_set_fd(void)
{
	return set_fd;
}

void outside_set_arm(void)
{
	const struct itimerspec never = { .it_value = { .tv_sec = INT64_C(1) << 33 } };
	uint64_t count;

	if (set_fd < 0)
		return;
	(void)!read(set_fd, &count, sizeof count);
	timerfd_settime(set_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

/* A hypervisor shows itself in the processor's flags, on x86. Other processors have no such flag
 * and other machines no such RTC: there the operator names a clock. */
static int machine_is_virtual(void)
{
#if defined(__x86_64__) || defined(__i386__)
	char text[4096];

	return place_read("/proc/cpuinfo", text, sizeof text) > 0 && strstr(text, " hypervisor");
#else
	log_line("outside clock: none; whether this machine is virtual is not known on this "
		 "processor: if it is, give --standstill-clock " RTC_PATH);
	return 0;
#endif
}

int outside_open(const char *choice)
{
	int is_auto = strcmp(choice, "auto") == 0;
	const char *path = is_auto ? RTC_PATH : choice;

	if (strcmp(choice, "none") == 0 || (is_auto && !machine_is_virtual()))
		return 0;
	clock_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (clock_fd < 0) {
		log_line(
			"%s: %s; %s", path, strerror(errno),
			is_auto ? "pauses of this virtual machine go unnoticed: load the driver of "
				  "its RTC, or silence this with --standstill-clock none"
				: "give another --standstill-clock");
		return is_auto ? 0 : -1;
	}
	name = path;
	set_fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	outside_set_arm();
	return 0;
}

/* Digits and the end of a line, nothing else. Returns -1 when it is something else. */
static int64_t seconds_parse(const char *text)
{
	char *end;
	int64_t seconds;

	if (text[0] < '0' || text[0] > '9')
		return -1;
	errno = 0;
	seconds = strtoll(text, &end, 10);
	if (errno != 0 || (end[0] != '\0' && strcmp(end, "\n") != 0))
		return -1;
	return seconds;
}

static int reading_take(struct standstill_reading *reading)
{
	mono_t before = device_clock();
	struct timespec wall;
	char text[24];
	ssize_t got = pread(clock_fd, text, sizeof text - 1, 0);
	int was_faulty = faulty;

	reading->boot = device_clock();
	clock_gettime(CLOCK_REALTIME, &wall);
	reading->realtime_ns = (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec;
	text[got > 0 ? got : 0] = '\0';
	reading->outside_s = seconds_parse(text);
	looked = 1;
	looked_at = reading->boot;
	faulty = reading->outside_s <= 0 ||
		 mono_diff_ms(before, reading->boot) > STANDSTILL_READING_MAX_MS;
	if (faulty && !was_faulty)
		log_line("%s: no reading; as long as it gives none, pauses by a hypervisor go "
			 "unnoticed",
			 name);
	return faulty ? -1 : 0;
}

/* A reading out of line is taken twice; should the second one be another, the next look tells. */
static int64_t readings_step(void)
{
	for (int i = 0; i < READINGS_MAX; i++) {
		struct standstill_reading reading;
		int64_t stood_ns;

		if (reading_take(&reading) != 0)
			return 0;
		stood_ns = standstill_core_step(&standstill, &reading);
		if (stood_ns != STANDSTILL_AGAIN)
			return stood_ns;
	}
	return 0;
}

static int looked_just_now(void)
{
	return looked && mono_diff_ms(looked_at, device_clock()) < OUTSIDE_LOOK_MIN_MS;
}

void outside_begin(void)
{
	if (clock_fd < 0 || looked_just_now())
		return;
	standstill = (struct standstill_core){ 0 };
	readings_step();
}

int64_t outside_look(int must)
{
	if (clock_fd < 0 || (!must && looked_just_now()))
		return 0;
	return readings_step();
}

mono_t outside_due(void)
{
	return clock_fd < 0 || !looked ? MONO_NEVER : mono_add_ms(looked_at, TIMING_LOOK_MS);
}
