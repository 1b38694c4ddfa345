/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch_outside_io.c - readings of a clock that goes on while this machine is paused; see
 * watch_outside_io.h.
 */
#include "watchdog/watch_outside_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "watchdog/standstill_core.h"
#include "watchdog/watch_device_io.h"
#include "watchdog/watch_log_io.h"
#include "watchdog/watch_place_io.h"

#define RTC_PATH "/sys/class/rtc/rtc0/since_epoch"

static const char *name = "none";
static int clock_fd = -1, set_fd = -1;
static int faulty; /* the last reading was none */
static struct standstill_core standstill;

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
	const struct itimerspec never = { .it_value = { .tv_sec = INT_MAX } };
	uint64_t count;

	if (set_fd < 0)
		return;
	(void)!read(set_fd, &count, sizeof count);
	timerfd_settime(set_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

/* A hypervisor shows itself in the processor's flags (x86). */
static int machine_is_virtual(void)
{
	char text[4096];

	return place_read("/proc/cpuinfo", text, sizeof text) > 0 && strstr(text, " hypervisor");
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

static int reading_take(struct standstill_reading *reading)
{
	mono_t before = device_clock();
	struct timespec wall;
	char text[24];
	ssize_t got = pread(clock_fd, text, sizeof text - 1, 0);
	int was_faulty = faulty;

	reading->boot = device_clock();
	clock_gettime(CLOCK_REALTIME, &wall);
	reading->realtime_s = wall.tv_sec;
	text[got > 0 ? got : 0] = '\0';
	reading->outside_s = strtoll(text, NULL, 10);
	faulty = reading->outside_s <= 0 ||
		 mono_diff_ms(before, reading->boot) > STANDSTILL_READING_MAX_MS;
	if (faulty && !was_faulty)
		log_line("%s: no reading; as long as it gives none, pauses by a hypervisor go "
			 "unnoticed",
			 name);
	return faulty ? -1 : 0;
}

int64_t outside_look(void)
{
	struct standstill_core probe = standstill;
	struct standstill_reading reading;

	if (clock_fd < 0 || reading_take(&reading) != 0)
		return 0;
	/* One wrong reading is not believed. */
	if (standstill_core_step(&probe, &reading) > 0 && reading_take(&reading) != 0)
		return 0;
	return standstill_core_step(&standstill, &reading);
}
