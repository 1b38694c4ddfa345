/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * clock.h - the only place that reads the monotonic clock (rule S6).
 *
 * CLOCK_BOOTTIME: it never steps, and it goes on while the machine is suspended, so that a
 * deadline that passed during a suspend has passed.
 */
#ifndef HOLDFAST_CLOCK_H
#define HOLDFAST_CLOCK_H

#include "base/mono.h"

mono_t clock_now(void);

/* Sleep until a moment; a signal ends the sleep early. Never sleeps for MONO_NEVER. */
void clock_sleep_until(mono_t when);

#endif
