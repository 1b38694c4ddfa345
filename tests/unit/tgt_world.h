/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tgt_world.h - a tgtd of one's own, for tests: its port, its files, its death.
 *
 * Callers: tests of iSCSI disks and of reservations. tgtd wants to be root; without it tgt_start()
 * says so and the test is to be skipped.
 */
#ifndef HOLDFAST_TESTS_TGT_WORLD_H
#define HOLDFAST_TESTS_TGT_WORLD_H

#include <sys/types.h>

#define TGT_TARGET "iqn.2026-11.test.holdfast:disk"

struct tgt_world {
	char folder[64];
	int control; /* tgtadm -C */
	int port, other_port;
	pid_t pid;
};

/* Can one be started here? */
int tgt_is_possible(void);

/* A folder, free ports, a running tgtd without a target. */
void tgt_init(struct tgt_world *tgt);

/* Start it again after tgt_kill(). */
void tgt_start(struct tgt_world *tgt);

/* Kill it, with no chance to say good-bye. */
void tgt_kill(struct tgt_world *tgt);

/* Kill it and remove everything. */
void tgt_end(struct tgt_world *tgt);

/* tgtadm --lld iscsi with these arguments; fails the test when that fails. */
void tgt_admin(const struct tgt_world *tgt, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Target 1, TGT_TARGET, open to all, with LUNs 1 to `luns`, each a file of 4 MiB lun1, lun2, ... in
 * the folder. The files stay through a restart. */
void tgt_export(const struct tgt_world *tgt, int luns);

/* iscsi://127.0.0.1:port/TGT_TARGET/lun; one static buffer for each of two uses in a row. */
const char *tgt_url(const struct tgt_world *tgt, int lun);
const char *tgt_other_url(const struct tgt_world *tgt, int lun);

#endif
