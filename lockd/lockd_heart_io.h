/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_heart_io.h - the heartbeat inside lockd: its begin, its notes, its lease, its end.
 *
 * Callers: lockd.c and the other files of lockd.
 *
 * Notes come out of a step of the heartbeat; they are kept and handed out after it, in order, first
 * to the daemon, then to every part. A heartbeat that ended because the lease was lost is begun
 * anew, as a new incarnation, once nothing rests on the old one and no reset is due for it.
 */
#ifndef HOLDFAST_LOCKD_HEART_IO_H
#define HOLDFAST_LOCKD_HEART_IO_H

#include "lockd/lockd.h"

/* Begin; the disks are open, the watchdog's timeout is known. */
int lockd_heart_begin(struct lockd *lockd, struct err *err);

/* An answer of a disk: the heartbeat's, or a part's. */
void lockd_answered(struct lockd *lockd, unsigned d, const struct disk_answer *answer);

/* A path came or went: tell clients and parts. */
void lockd_path(struct lockd *lockd, unsigned d, enum lockd_path what);

/* SEND, WITHDRAW, PUBLISH. Not from a hook `noted` of the same note; RC_STATE without a heartbeat. */
int lockd_heart_event(struct lockd *lockd, struct hb_event *event);

/* Has the lease ended unseen, because this process stood still? Before anything else is done. */
void lockd_lease_look(struct lockd *lockd);

/* Stop in order: whatever is held is given back first. */
void lockd_stop(struct lockd *lockd, const char *why);

/* "active", "watching", "joining" ... */
const char *lockd_stage_word(const struct lockd *lockd);

void lockd_heart_close(struct lockd *lockd);

#endif
