/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * timing.h - the one owner of timeouts that safety rests on, each with its proof (rule S6).
 *
 * Callers: watchdogd's core, and whoever relies on another machine's silence. All moments are of
 * CLOCK_BOOTTIME, all lengths milliseconds. A number here is changed together with its proof.
 *
 * ---- How soon a machine is dead ----
 *
 * L  lease: how long a client of watchdogd may stay silent (its deadline)
 * W  the device's timeout, as read back from its driver (WDIOC_GETTIMEOUT), never as asked for
 * g  timing_grain_ms(W)
 * s  the moment that a client's last renewal counts from: the *submission* of the work that
 *    proves progress (S7), so the work itself may have taken any time
 *
 *	s                          s+L                         s+L+W      s+L+W+g
 *	|---- lease, petted -------|---- never petted again ---|-- grain -|
 *	  p0  p1  p2 ...  pn       ^ watchdogd resets here     ^ the device resets here
 *	                  |<-------------- W -------->|          at the latest
 *
 * Claim: the machine is reset at or before s + L + W + g, whether watchdogd lives or not.
 *  1. Every pet is preceded by a look at the clock; it is sent only if that says t < s + L. A pet
 *     that lands later all the same (the process stood still between clock and pet) is found by
 *     the look at the clock that follows each pet, and watchdogd resets at once; see 4.
 *  2. So the device was last restarted at pn < s + L. A device counts down W from there, or from
 *     its opening when it was never petted. It fires at pn + W < s + L + W.
 *  3. Nothing else restarts it: the kernel pings on close without the magic character, so a helper
 *     process keeps the device open when watchdogd is killed; a new watchdogd does not start while
 *     clients of the old one count (watchdogd.c).
 *     Who kills that process too, with kill -9, and then watchdogd, gives the machine another W:
 *     two kills by root. `holdfast watchdog status` tells that it is gone (watch_log_io.h).
 *  4. What 1 leaves open is one stall that begins between clock and pet and ends, after s + L,
 *     exactly with the pet, followed by a second stall or death before the next instructions
 *     reset the machine. Two faults in a row; no program above the driver can close it.
 *  5. With several devices, each fires by its own W after its own last pet. As long as one of
 *     those that count fires, the longest W of them is the bound, whichever fails (watch_core.h).
 *  6. Devices are petted one after the other: a driver that hangs in its pet stops those of all, and
 *     watchdogd. That resets a healthy machine, in time; it never keeps a sick one alive.
 *
 * The grain g is what a second of the driver may be wrong by:
 *  - Timeouts cross the driver's interface in whole seconds, both ways. What GETTIMEOUT answers is
 *    rounded down from the timer's own ticks (0.6 s in the iTCO, powers of two elsewhere): the
 *    true timeout is less than one second above it. The largest part of g.
 *  - From a timer's end to dead processors: milliseconds for the reset line; for watchdogd's own
 *    reset, the time from its wake-up to the write into the kernel's reset trigger.
 *  - A driver that asks for a least distance of pets delays a pet inside the kernel by that much;
 *    milliseconds in the drivers that have one.
 *  - A timer that runs long does so in proportion to W: i6300esb by 0.7 to 1.7 %, after its driver's
 *    arithmetic.
 * One second holds them all up to a W of 25 s; beyond, 4 % of W: 1.7 % and a second for the rest
 * from 44 s on, and no driver with both a coarse tick and a long second is known below that.
 * Some drivers do not keep what they tell: an iTCO took twice its timeout, ib700 rounds odd ones up.
 * Whether a driver does can only be tried: `holdfast watchdog test --for-real`.
 *
 * All of this is in the machine's own time plus the standstills found. Where an outside clock is
 * looked at, and agreed with the wall clock, less than 8.5 s of pauses in 60 s of CLOCK_BOOTTIME may
 * go unseen, a single one of 3.5 s or more never, and what is told is less than 1.5 s wrong
 * (standstill_core.h); without such a clock every pause goes unseen. One pet may follow a pause,
 * before the look that finds it.
 */
#ifndef HOLDFAST_TIMING_H
#define HOLDFAST_TIMING_H

#include <stdint.h>

/* g is a second, or one part in TIMING_GRAIN_PARTS of W if that is more. */
#define TIMING_GRAIN_MIN_MS 1000
#define TIMING_GRAIN_PARTS 25

/* Pets for each countdown: three in a row may be missed before the device fires on its own. */
#define TIMING_PETS_PER_COUNTDOWN 4

/* Shortest time between two pets; below it they only cost wake-ups. A driver's least timeout is
 * one second, so that this leaves more than the four pets above. */
#define TIMING_PET_MIN_MS 100

/* While clients count, a clock outside of this machine is looked at as often as this, so that a
 * machine that was paused for long enough to be found finds out that soon after its resumption. */
#define TIMING_LOOK_MS 1000

/* g, of a device with that timeout. */
uint32_t timing_grain_ms(uint32_t device_ms);

/* L + W + g: from the moment that a renewal counts from to the reset, at most. Saturates. */
uint32_t timing_reset_bound_ms(uint32_t lease_ms, uint32_t device_ms);

/* How often a device is petted. The countdown ends at the pretimeout, where the device has one:
 * a machine that panics there was not petted in time either. pretimeout_ms < device_ms, or 0. */
uint32_t timing_pet_interval_ms(uint32_t device_ms, uint32_t pretimeout_ms);

#endif
