/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_pr_io.h - the part of lockd that registers this node with the disks of a `pr` cluster.
 *
 * Callers: lockd_claim_io.c, whose arbiter looks at the seats.
 */
#ifndef HOLDFAST_LOCKD_PR_IO_H
#define HOLDFAST_LOCKD_PR_IO_H

#include "lockd/lockd.h"
#include "lockd/pr_seat.h"

extern const struct lockd_part lockd_pr_part;

/* One for each disk; they live as long as the daemon. NULL when the arbiter is not `pr`. */
const struct pr_seat *lockd_pr_seats(struct lockd *lockd);

#endif
