/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_system_io.h - lockd and the system that it runs on: memory, priority, journal, systemd.
 *
 * Callers: lockd.c, lockd_heart_io.c.
 */
#ifndef HOLDFAST_LOCKD_SYSTEM_IO_H
#define HOLDFAST_LOCKD_SYSTEM_IO_H

#include "base/mono.h"

/* Against every way of being late that can be had: locked memory, real-time priority (0: none),
 * no death for memory. What cannot be had is told. Before the first thread begins. */
void lockd_harden(int priority);

/* "READY=1" and the like, when systemd asked for it. */
void lockd_notify(const char *state);

/* Pet systemd's own watchdog, if it has one for us. */
void lockd_notify_alive(mono_t now);

#endif
