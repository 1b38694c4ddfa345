/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * standstill_core.h - finds out that this machine stood still without its own clock noticing.
 *
 * Caller: watchdogd, when it runs in a virtual machine. A hypervisor that pauses a guest (to
 * migrate it, to take a snapshot) as a rule stops the guest's CLOCK_BOOTTIME with it: on resumption
 * every lease looks as fresh as before (S6), while the rest of the world has long taken over. The
 * emulated RTC follows the host's clock and went on: what it gains on CLOCK_BOOTTIME is time that
 * the machine stood still.
 *
 * Rounding. The RTC has whole seconds: of its lead over CLOCK_BOOTTIME a reading tells up to 1 s too
 * little, and up to STANDSTILL_READING_MAX_MS more, the time that a reading may take. So rounding
 * never makes two leads differ by more than 1.5 s; the threshold is 2 s. A lead is compared with the
 * smallest one of the last STANDSTILL_WINDOW_S: pauses too short to be seen alone add up. Once told,
 * a gain is not told again: the comparison starts anew.
 *
 * Somebody set the RTC. hwclock and time daemons write the wall clock (CLOCK_REALTIME) into it:
 * afterwards the two agree. A pause takes them apart, for CLOCK_REALTIME stands still as well; and
 * when it is corrected after the pause, before we looked, it steps against CLOCK_BOOTTIME, which no
 * writing of the RTC does. (watchdogd is woken when the wall clock is set, and takes a reading: a
 * clock that is set first, and then written into the RTC, is seen in this order.) Agreement: written
 * without regard to fractions the RTC is within 1 s of the wall clock, or of a multiple of 15 min
 * from it, the local time of some zone; a reading of it is 1.5 s less to 0 s more.
 *
 *	gain	agreed	wall clock	agrees now
 *	<= 2 s	any	any		any		nothing
 *	more	any	stepped		any		a standstill
 *	more	any	did not		no		a standstill
 *	2 to 5	any	did not		yes		the RTC was set: nothing; but a standstill when
 *							this was so in the last STANDSTILL_WINDOW_S
 *	more	no	did not		yes		the RTC was set: nothing
 *	more	yes	did not		yes, with UTC	the RTC was set: nothing
 *	more	yes	did not		other zone	a standstill
 *
 * The last row is the one thing taken for a pause that need not be one: an RTC moved forward by a
 * whole zone, from one local time (or UTC) to another that is not UTC. A pause of 15, 30, 60 min
 * looks exactly the same. So does a host whose own clock is set forward.
 *
 * What is found, q being the RTC less the wall clock before a pause of p:
 *  - p of 3.5 s or more always, when q is within 1 s of 0 or of a zone. In general it must also be
 *    at least 2.5 s - q. Below 0.5 s it is never told alone; in between it depends on the fractions.
 *    What is told is less than 1.5 s wrong.
 *  - Pauses that sum to 3.5 s within STANDSTILL_WINDOW_S of CLOCK_BOOTTIME are found like one. So
 *    less than 3.5 s in a window go unseen, and once in a window up to 5 s more that are taken for
 *    a setting of the RTC: 8.5 s. A gain of many pauses counts as if it were all since the last
 *    renewals: a client with a deadline below 4 s may be late by it.
 *  - Not found: a pause that by chance brings an RTC that was off into agreement (p within 2.5 s of
 *    -q, or of a zone less q); a pause that is as long as an RTC on the local time of a
 *    western zone is behind UTC; any pause where the RTC stands still with the machine (QEMU's
 *    "-rtc clock=vm").
 *
 * A reading that is out of line with those before, ahead or back, is believed only when the next
 * one says the same; so is the first one.
 */
#ifndef HOLDFAST_STANDSTILL_CORE_H
#define HOLDFAST_STANDSTILL_CORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mono.h"

#define STANDSTILL_AHEAD_MAX_MS 2000  /* a gain of more is a standstill */
#define STANDSTILL_READING_MAX_MS 500 /* a reading that took longer is none */
#define STANDSTILL_AGREE_LOW_MS (-2000 - STANDSTILL_READING_MAX_MS)
#define STANDSTILL_AGREE_HIGH_MS 1000 /* a reading of an RTC that was set is between these */
#define STANDSTILL_STEP_MS 1000	      /* more is a step of the wall clock; a leap second is none */
#define STANDSTILL_NUDGE_MAX_MS 5000  /* pauses may add up to it: not excused again and again */
#define STANDSTILL_ZONE_S 900	      /* zones differ by multiples of this */
#define STANDSTILL_WINDOW_S 60

enum {
	STANDSTILL_BUCKET_S = 4,
	STANDSTILL_BUCKETS = STANDSTILL_WINDOW_S / STANDSTILL_BUCKET_S + 1,
	STANDSTILL_AGAIN = -1,
};

struct standstill_reading {
	mono_t boot;	     /* CLOCK_BOOTTIME, after the RTC was read */
	int64_t outside_s;   /* the RTC, whole seconds since 1970 */
	int64_t realtime_ns; /* CLOCK_REALTIME, after the RTC was read */
};

struct standstill_core {
	int seen; /* there is a last reading */
	/* Of the last reading that was believed, what is ahead of CLOCK_BOOTTIME by how much. */
	int64_t lead_ns, wall_ns;
	/* The smallest leads of the window, by CLOCK_BOOTTIME / STANDSTILL_BUCKET_S. */
	struct {
		int used;
		int64_t number, least_ns;
	} buckets[STANDSTILL_BUCKETS];
	int doubted; /* the last reading was out of line */
	int64_t doubt_ns;
	int nudged; /* a setting by a few seconds was seen, at nudged_at */
	mono_t nudged_at;
};

/* Take a reading. Returns the nanoseconds that the machine stood still and that were not told yet,
 * 0 when it did not, STANDSTILL_AGAIN when the reading must be taken once more to be believed. A
 * core of zeros is a fresh one. */
int64_t standstill_core_step(struct standstill_core *core,
			     const struct standstill_reading *reading);

#endif
