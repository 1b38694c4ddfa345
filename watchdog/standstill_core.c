/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * standstill_core.c - time that this machine did not see pass; see standstill_core.h.
 */
#include "watchdog/standstill_core.h"

#define NS_PER_S INT64_C(1000000000)

/* Further apart than any two clocks of this era: a reading of a broken RTC. */
#define APART_MAX_S (INT64_C(200) * 365 * 86400)

static int clocks_agree(const struct standstill_reading *reading)
{
	int64_t apart_s = reading->outside_s - reading->realtime_s;
	int64_t beyond_s = apart_s % STANDSTILL_ZONE_S;

	if (beyond_s < 0)
		beyond_s += STANDSTILL_ZONE_S;
	return beyond_s <= STANDSTILL_AGREE_S || beyond_s >= STANDSTILL_ZONE_S - STANDSTILL_AGREE_S;
}

static int reading_is_sane(const struct standstill_reading *reading)
{
	return reading->outside_s >= 0 && reading->outside_s < APART_MAX_S &&
	       reading->realtime_s >= 0 && reading->realtime_s < APART_MAX_S;
}

int64_t standstill_core_step(struct standstill_core *core, const struct standstill_reading *reading)
{
	const struct standstill_reading last = core->last;
	int64_t ahead_ns;

	if (!reading_is_sane(reading))
		return 0;
	core->last = *reading;
	if (!core->seen) {
		core->seen = 1;
		return 0;
	}
	ahead_ns = (reading->outside_s - last.outside_s) * NS_PER_S -
		   (reading->boot.ns - last.boot.ns);
	if (ahead_ns <= STANDSTILL_AHEAD_MAX_MS * MONO_NS_PER_MS)
		return 0;
	if (!clocks_agree(&last) && clocks_agree(reading))
		return 0;
	return ahead_ns;
}
