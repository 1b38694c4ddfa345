/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_watch_io.h - lockd as a client of watchdogd: what stands behind the lease.
 *
 * Callers: lockd.c, lockd_heart_io.c. The client library is libholdfast-watchdog.
 *
 * What each renewal counts from (s of base/timing.h):
 *
 *	expiry node	before the first heartbeat: now. From the first heartbeat on: the stamp of the
 *			lease, so that K3 of base/timing_peer.h holds. Between the first heartbeat
 *			and the lease nothing is renewed: a renewal of that time would be younger than
 *			the stamp that the lease begins with.
 *	expiry locks	the stamp of the lease, or, while nothing rests on the lease and that stamp is old
 *			or there is none: now. Losing every disk resets nobody then (S8).
 *			Something may begin to rest only when the last renewal is not younger than
 *			the lease's stamp, so that K3 holds for all that rests.
 *	a pill that ends this node was accepted: nothing is renewed any more, and a second client with
 *	the shortest deadline, which never renews, makes watchdogd act at once. The same when the
 *	disks show that a former lockd of this boot had accepted one.
 */
#ifndef HOLDFAST_LOCKD_WATCH_IO_H
#define HOLDFAST_LOCKD_WATCH_IO_H

#include "lockd/lockd.h"

/* Register; with --watchdog off nothing. May wait for watchdogd, so it comes before the heartbeat. */
int lockd_watch_open(struct lockd *lockd, struct err *err);

/* W, 0 without a watchdog; the kinds of pills that can be acted on. */
uint32_t lockd_watch_device_ms(const struct lockd *lockd);
uint32_t lockd_watch_accepts(const struct lockd *lockd);

/* Renew, if it is right to; once an interval. */
void lockd_watch_look(struct lockd *lockd, mono_t now);

/* May something begin to rest on a lease of this stamp? */
int lockd_watch_may_rest(const struct lockd *lockd, mono_t stamp);

/* End this machine now. */
void lockd_watch_die(struct lockd *lockd);

/* "watchdog" of the status. */
json_t *lockd_watch_json(const struct lockd *lockd);

/* Say goodbye, if nothing relies on this node's reset any more. */
void lockd_watch_close(struct lockd *lockd);

#endif
