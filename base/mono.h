/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * mono.h - typed monotonic time (rule S6).
 *
 * A moment is a struct of one field, so that it never mixes with integers or with wall-clock
 * time by accident; a length of time is an int64_t whose name ends in _ms or _ns. The clock
 * behind it is CLOCK_BOOTTIME and is read in one place, host/clock.c; pure code is handed moments.
 *
 * Pure: no clock is read here.
 */
#ifndef HOLDFAST_MONO_H
#define HOLDFAST_MONO_H

#include <stdint.h>

typedef struct {
	int64_t ns; /* nanoseconds since boot, suspended time included */
} mono_t;

/* The moment that never comes: "no deadline". */
#define MONO_NEVER ((mono_t){ INT64_MAX })

#define MONO_NS_PER_MS INT64_C(1000000)

static inline int mono_is_never(mono_t t)
{
	return t.ns == INT64_MAX;
}

static inline int mono_before(mono_t a, mono_t b)
{
	return a.ns < b.ns;
}

/* Has the moment come? */
static inline int mono_reached(mono_t now, mono_t when)
{
	return now.ns >= when.ns;
}

static inline mono_t mono_min(mono_t a, mono_t b)
{
	return a.ns < b.ns ? a : b;
}

/* t plus ms milliseconds; never stays never, and a sum too large becomes never. */
static inline mono_t mono_add_ms(mono_t t, int64_t ms)
{
	int64_t ns;

	if (mono_is_never(t) || __builtin_mul_overflow(ms, MONO_NS_PER_MS, &ns) ||
	    __builtin_add_overflow(t.ns, ns, &ns))
		return MONO_NEVER;
	return (mono_t){ ns };
}

/* Whole milliseconds from one moment to another, rounded down; negative when `to` is earlier. */
static inline int64_t mono_diff_ms(mono_t from, mono_t to)
{
	int64_t ns = to.ns - from.ns;

	return ns >= 0 ? ns / MONO_NS_PER_MS : -((-ns + MONO_NS_PER_MS - 1) / MONO_NS_PER_MS);
}

/* Milliseconds left until a deadline, rounded up so that a wait of that length reaches it;
 * 0 when it has passed, INT64_MAX when it never comes. */
static inline int64_t mono_left_ms(mono_t now, mono_t deadline)
{
	if (mono_is_never(deadline))
		return INT64_MAX;
	if (mono_reached(now, deadline))
		return 0;
	return (deadline.ns - now.ns + MONO_NS_PER_MS - 1) / MONO_NS_PER_MS;
}

#endif
