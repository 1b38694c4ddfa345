/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_state_io.h - what lockd keeps on its own machine: the lock of its slot, and the last
 * incarnation.
 *
 * Callers: lockd.c, lockd_heart_io.c.
 *
 * The lock says the truth about one thing: that no other process of this machine and boot serves
 * this slot of this cluster. It is a flock() on a file in the run directory, so that it ends with
 * the process, however that ends. The last incarnation is a help, no more: the disks know it too.
 */
#ifndef HOLDFAST_LOCKD_STATE_IO_H
#define HOLDFAST_LOCKD_STATE_IO_H

#include "lockd/lockd.h"

/* Take the lock. RC_BUSY: another lockd serves this slot. */
int lockd_state_open(struct lockd *lockd, struct err *err);

/* The incarnation that was kept last; 0: none. */
uint32_t lockd_state_incarnation(const struct lockd *lockd);

/* Keep it; never waits for the file system. */
void lockd_state_keep(struct lockd *lockd, uint32_t incarnation);

void lockd_state_close(struct lockd *lockd);

#endif
