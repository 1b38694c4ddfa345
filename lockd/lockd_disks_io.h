/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_disks_io.h - the disks of lockd: opening and judging them, and whose answer is whose.
 *
 * Callers: lockd.c, lockd_show.c.
 *
 * Nothing is written to a disk before all that could be opened are known to be disks of one
 * cluster, each once. A disk that is missing is tolerated as long as a majority is there, and tried
 * again. One that is not what it should be is refused: at the start by not starting, later by
 * leaving it alone.
 */
#ifndef HOLDFAST_LOCKD_DISKS_IO_H
#define HOLDFAST_LOCKD_DISKS_IO_H

#include "lockd/lockd.h"

/* Open all, waiting at most about twice the timeout of opening; fill lockd->super, layout, disks.
 * 0; RC_CONFIG: a disk is not to be used; else too few could be opened. */
int lockd_disks_open(struct lockd *lockd, struct err *err);

/* Called as often as the lease is looked at: missing disks are tried again, and sessions that hang
 * are begun anew. */
void lockd_disks_look(struct lockd *lockd, mono_t now);

/* "disks" of the status: an array. */
json_t *lockd_disks_json(const struct lockd *lockd);

/* Close all; the loop has to turn until it is empty. */
void lockd_disks_close(struct lockd *lockd);

#endif
