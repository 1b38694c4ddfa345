/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch_outside_io.h - the clock outside of this machine, as far as there is one.
 *
 * Caller: watchdogd. Readings are judged by standstill_core.h. The file is opened once and read
 * again and again: the RTC in sysfs, which in a virtual machine is the host's clock.
 */
#ifndef HOLDFAST_WATCH_OUTSIDE_IO_H
#define HOLDFAST_WATCH_OUTSIDE_IO_H

#include <stdint.h>

/* choice: "auto" (the RTC, in a virtual machine), "none", or the path of a file that holds seconds
 * since 1970. 0, or -1 having said why. */
int outside_open(const char *choice);

/* Its path, "none" when there is none. */
const char *outside_name(void);

/* Is there one, and does it give readings? */
int outside_exists(void);
int outside_works(void);

/* Nanoseconds that this machine stood still since the last look. */
int64_t outside_look(void);

/* Readable whenever somebody sets the wall clock, until armed again; -1: none. That moment must be
 * looked at, see standstill_core.h. */
int outside_set_fd(void);
void outside_set_arm(void);

#endif
