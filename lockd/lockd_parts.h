/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_parts.h - the parts of lockd, by name; lockd_parts.c lists them.
 *
 * Callers: lockd_parts.c, and each part's own file. A part that another one calls has a header of
 * its own.
 */
#ifndef HOLDFAST_LOCKD_PARTS_H
#define HOLDFAST_LOCKD_PARTS_H

#include "lockd/lockd.h"

extern const struct lockd_part lockd_show_part;	 /* hello, status, peers, subscribe */
extern const struct lockd_part lockd_mail_part;	 /* send, withdraw, probe */
extern const struct lockd_part lockd_claim_part; /* claim, record, prepare */
extern const struct lockd_part lockd_lock_part;	 /* lock, unlock, locks, break */

#endif
