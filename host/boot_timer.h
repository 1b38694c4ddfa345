/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * boot_timer.h - one alarm on CLOCK_BOOTTIME inside a libuv loop (rule S6).
 *
 * libuv's own timers stand still while the machine is suspended; a deadline of ours must not.
 * Callers: host/child.c and the shells of the cores.
 * Ownership: the caller's struct, alive until boot_timer_close() has called back.
 */
#ifndef HOLDFAST_BOOT_TIMER_H
#define HOLDFAST_BOOT_TIMER_H

#include <uv.h>

#include "base/mono.h"

struct boot_timer {
	uv_poll_t poll;
	int fd;
	mono_t armed; /* what it is set to; never: nothing */
	void (*fired)(struct boot_timer *timer);
	void (*closed)(struct boot_timer *timer);
	void *data; /* the caller's */
};

/* Returns 0 or a negative errno. On failure there is nothing to close. */
int boot_timer_init(struct boot_timer *timer, uv_loop_t *loop,
		    void (*fired)(struct boot_timer *timer), void *data);

/* Call `fired` once when the moment comes (at once if it has passed); MONO_NEVER disarms. Each
 * call replaces the one before. */
void boot_timer_set(struct boot_timer *timer, mono_t when);

/* Stop for good; `closed` (may be NULL) is called from the loop when the memory is free again. */
void boot_timer_close(struct boot_timer *timer, void (*closed)(struct boot_timer *timer));

#endif
