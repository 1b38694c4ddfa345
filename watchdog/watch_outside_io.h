/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch_outside_io.h - the clock outside of this machine, as far as there is one.
 *
 * Caller: watchdogd. Readings are judged by standstill_core.h. The file is opened once and read
 * again and again: the RTC in sysfs, which in a virtual machine is the host's clock.
 *
 * What a reading costs. It takes the lock of the RTC, which whoever reads the RTC may hold for a
 * moment, any user among them; and it waits for the RTC, milliseconds as a rule. So watchdogd looks
 * after the pet, only while clients rely on it, at most every OUTSIDE_LOOK_MIN_MS however many packets
 * come (but for a setting of the wall clock, which takes root), with one reading, or two when the
 * first is out of line. What remains: readers that fight for that lock delay the work after a pet,
 * the next pet at worst. A wait of more than STANDSTILL_READING_MAX_MS makes no reading, and is told;
 * as long as it lasts no pause is found.
 */
#ifndef HOLDFAST_WATCH_OUTSIDE_IO_H
#define HOLDFAST_WATCH_OUTSIDE_IO_H

#include <stdint.h>

#include "base/mono.h"

#define OUTSIDE_LOOK_MIN_MS 250

/* choice: "auto" (the RTC, in a virtual machine), "none", or the path of a file that holds seconds
 * since 1970. 0, or -1 having said why. */
int outside_open(const char *choice);

/* Its path, "none" when there is none. */
const char *outside_name(void);

/* Is there one, and does it give readings? */
int outside_exists(void);
int outside_works(void);

/* From now on somebody relies on it: what was before does not count. A pause between the moment
 * that the first client registers from and this is not found. */
void outside_begin(void);

/* Nanoseconds that this machine stood still and that were not told yet. Does nothing when the last
 * look was just now, unless it must. */
int64_t outside_look(int must);

/* The next look is due; MONO_NEVER: no clock, or no look yet. */
mono_t outside_due(void);

/* Readable whenever somebody sets the wall clock, until armed again; -1: none. That moment must be
 * looked at, see standstill_core.h. */
int outside_set_fd(void);
void outside_set_arm(void);

#endif
