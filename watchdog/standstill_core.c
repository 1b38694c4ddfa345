/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * standstill_core.c - time that this machine did not see pass; see standstill_core.h.
 */
#include "watchdog/standstill_core.h"

#include <string.h>

#define NS_PER_S INT64_C(1000000000)

/* Further apart than any two clocks of this era: a reading of a broken RTC. */
#define APART_MAX_S (INT64_C(200) * 365 * 86400)

#define AHEAD_MAX_NS (STANDSTILL_AHEAD_MAX_MS * MONO_NS_PER_MS)
#define LOW_NS (STANDSTILL_AGREE_LOW_MS * MONO_NS_PER_MS)
#define HIGH_NS (STANDSTILL_AGREE_HIGH_MS * MONO_NS_PER_MS)
#define ZONE_NS (STANDSTILL_ZONE_S * NS_PER_S)

/* Does an RTC that reads so much more than the wall clock agree with it? */
static int is_agreed(int64_t apart_ns)
{
	int64_t beyond_ns = (apart_ns - LOW_NS) % ZONE_NS;

	if (beyond_ns < 0)
		beyond_ns += ZONE_NS;
	return beyond_ns < HIGH_NS - LOW_NS;
}

static int is_agreed_utc(int64_t apart_ns)
{
	return apart_ns >= LOW_NS && apart_ns < HIGH_NS;
}

static int reading_is_sane(const struct standstill_reading *reading)
{
	return reading->outside_s >= 0 && reading->outside_s < APART_MAX_S &&
	       reading->realtime_ns >= 0 && reading->realtime_ns < APART_MAX_S * NS_PER_S;
}

static int are_apart(int64_t one_ns, int64_t other_ns, int64_t more_than_ns)
{
	return one_ns - other_ns > more_than_ns || other_ns - one_ns > more_than_ns;
}

/* ---- the window ---- */

static int64_t bucket_number(mono_t boot)
{
	return boot.ns / (STANDSTILL_BUCKET_S * NS_PER_S);
}

static int64_t least_lead(const struct standstill_core *core, mono_t boot)
{
	int64_t number = bucket_number(boot), least_ns = core->lead_ns;

	for (size_t i = 0; i < STANDSTILL_BUCKETS; i++)
		if (core->buckets[i].used && core->buckets[i].least_ns < least_ns &&
		    core->buckets[i].number > number - STANDSTILL_BUCKETS)
			least_ns = core->buckets[i].least_ns;
	return least_ns;
}

static void window_add(struct standstill_core *core, mono_t boot, int64_t lead_ns)
{
	int64_t number = bucket_number(boot);
	size_t i = (size_t)number % STANDSTILL_BUCKETS;

	if (core->buckets[i].used && core->buckets[i].number == number &&
	    core->buckets[i].least_ns <= lead_ns)
		return;
	core->buckets[i].used = 1;
	core->buckets[i].number = number;
	core->buckets[i].least_ns = lead_ns;
}

/* ---- steps ---- */

/* The last rows of the table in the header. */
static int rtc_was_set(struct standstill_core *core, mono_t boot, int64_t wall_ns, int64_t apart_ns,
		       int64_t gain_ns)
{
	if (are_apart(wall_ns, core->wall_ns, STANDSTILL_STEP_MS * MONO_NS_PER_MS))
		return 0;
	if (!is_agreed(apart_ns))
		return 0;
	if (gain_ns > STANDSTILL_NUDGE_MAX_MS * MONO_NS_PER_MS)
		return !is_agreed(apart_ns - gain_ns) || is_agreed_utc(apart_ns);
	if (core->nudged && boot.ns - core->nudged_at.ns < STANDSTILL_WINDOW_S * NS_PER_S)
		return 0;
	core->nudged = 1;
	core->nudged_at = boot;
	return 1;
}

int64_t standstill_core_step(struct standstill_core *core, const struct standstill_reading *reading)
{
	int64_t lead_ns, wall_ns, gain_ns, stood_ns = 0;
	int is_odd;

	if (!reading_is_sane(reading))
		return 0;
	lead_ns = reading->outside_s * NS_PER_S - reading->boot.ns;
	wall_ns = reading->realtime_ns - reading->boot.ns;
	gain_ns = lead_ns - least_lead(core, reading->boot);
	is_odd = !core->seen || gain_ns > AHEAD_MAX_NS || core->lead_ns - lead_ns > AHEAD_MAX_NS;
	if (is_odd && (!core->doubted || are_apart(lead_ns, core->doubt_ns, AHEAD_MAX_NS))) {
		core->doubted = 1;
		core->doubt_ns = lead_ns;
		return STANDSTILL_AGAIN;
	}
	core->doubted = 0;
	if (is_odd) {
		if (core->seen && gain_ns > AHEAD_MAX_NS &&
		    !rtc_was_set(core, reading->boot, wall_ns, lead_ns - wall_ns, gain_ns))
			stood_ns = gain_ns;
		memset(core->buckets, 0, sizeof core->buckets);
		core->seen = 1;
	}
	window_add(core, reading->boot, lead_ns);
	core->lead_ns = lead_ns;
	core->wall_ns = wall_ns;
	return stood_ns;
}
