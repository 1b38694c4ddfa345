/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * standstill_core.h - finds out that this machine stood still without its own clock noticing.
 *
 * Caller: watchdogd, when it runs in a virtual machine. A hypervisor that pauses a guest (to
 * migrate it, to take a snapshot) as a rule stops the guest's CLOCK_BOOTTIME with it: on resumption
 * every lease looks as fresh as before (S6), while the rest of the world has long taken over. The
 * emulated RTC follows the host's clock and went on. So two readings of the RTC are compared with
 * the time that passed on CLOCK_BOOTTIME in between; what the RTC is ahead is time that the machine
 * stood still.
 *
 * Rounding. The RTC has whole seconds: a reading r is the true time t less a fraction, r <= t < r+1.
 * For two readings the difference r2 - r1 is less than one second away from t2 - t1. Rounding alone
 * therefore never makes the RTC more than 1 s ahead; the threshold is 2 s, and the second above is
 * for the time that may pass between reading the RTC and reading CLOCK_BOOTTIME (the caller throws
 * readings away that took longer than STANDSTILL_READING_MAX_MS). A standstill of 3 s is always
 * found, one below 1 s never; what is told is less than 1 s (and that time) wrong.
 *
 * Somebody set the RTC. hwclock and time daemons write the wall clock (CLOCK_REALTIME) into the RTC:
 * afterwards they agree, before they did not. A pause does the opposite, for CLOCK_REALTIME stands
 * still as well. Agreement is within 2 s of a multiple of 15 minutes, as an RTC may run on the
 * local time of any zone. If they agree before and after, the wall clock was corrected after the
 * pause, before we looked: a standstill. (watchdogd is woken when the wall clock is set and takes a
 * reading; so a clock that is set first and then written into the RTC shows up in this order.)
 *
 *	RTC ahead	agreed before	agrees now
 *	no		any		any		nothing; a step of the wall clock alone, an RTC
 *							set back, a correction after a known pause
 *	yes		no		yes		the RTC was set: nothing
 *	yes		otherwise			a standstill
 *
 * When in doubt it is a standstill: an RTC set forward to something else than the wall clock counts
 * as one. Not found: a pause that by chance brings an RTC into agreement which was more than 2 s off
 * before; any pause where the RTC stands still with the machine (QEMU's "-rtc clock=vm").
 */
#ifndef HOLDFAST_STANDSTILL_CORE_H
#define HOLDFAST_STANDSTILL_CORE_H

#include <stdint.h>

#include "base/mono.h"

#define STANDSTILL_AHEAD_MAX_MS 2000  /* more than this is a standstill */
#define STANDSTILL_AGREE_S 2	      /* how near RTC and wall clock are when they agree */
#define STANDSTILL_ZONE_S 900	      /* zones differ by multiples of this */
#define STANDSTILL_READING_MAX_MS 500 /* a reading that took longer is none */

struct standstill_reading {
	mono_t boot;	    /* CLOCK_BOOTTIME */
	int64_t outside_s;  /* the RTC, whole seconds since 1970 */
	int64_t realtime_s; /* CLOCK_REALTIME, whole seconds, rounded down */
};

struct standstill_core {
	int seen; /* there is a last reading */
	struct standstill_reading last;
};

/* Take a reading. Returns the nanoseconds that the machine stood still since the last one, 0 when
 * it did not. A core of zeros is a fresh one. */
int64_t standstill_core_step(struct standstill_core *core,
			     const struct standstill_reading *reading);

#endif
