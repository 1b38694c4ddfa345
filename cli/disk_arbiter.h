/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * disk_arbiter.h - what shall decide the cluster lock of new disks?
 *
 * Caller: disk_init.c. The choice is written into the superblocks, where all nodes find it, so that
 * no two nodes ever use two arbiters.
 */
#ifndef HOLDFAST_CLI_DISK_ARBITER_H
#define HOLDFAST_CLI_DISK_ARBITER_H

#include "cli/disk_session.h"

struct disk_arbiter {
	enum super_arbiter kind;
	char why[512]; /* in words, for the operator */
};

/* By --arbiter; `auto`, the default, tries the reservations of every disk (the disks may be written).
 * 0; RC_CONFIG when reservations were asked for and a disk does not have them. */
int disk_arbiter_choose(struct disk_arbiter *arbiter, const struct cli *cli,
			const struct disk_session *session, struct err *err);

#endif
