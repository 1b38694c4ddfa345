/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * clock.c - CLOCK_BOOTTIME; see clock.h.
 */
#include "host/clock.h"

#include <assert.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

mono_t clock_now(void)
{
	struct timespec ts;
	int rc = clock_gettime(CLOCK_BOOTTIME, &ts);

	assert(rc == 0);
	(void)rc;
	return (mono_t){ (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec };
}

void clock_sleep_until(mono_t when)
{
	struct timespec ts = { .tv_sec = when.ns / NS_PER_S, .tv_nsec = when.ns % NS_PER_S };

	if (!mono_is_never(when))
		clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &ts, NULL);
}
