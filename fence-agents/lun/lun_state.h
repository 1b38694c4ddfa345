/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lun_state.h - what this node remembers of its keys while it runs: which key it has registered where.
 *
 * Caller: fence_lun. The memory is what makes an ejection final (S10): a key that was registered in
 * this boot and is not on the unit any more was ejected, and the next process of this agent has to
 * know that. So it is written before the key goes to the unit (`entering`), and again after it (`in`).
 * So is a key that comes in the place of another (NEXT): `succeeding` while it is sent only where the old
 * one is, so that it is ours where it is found; `entering` where finding it proves nothing.
 *
 * The file is bound to the boot. After a restart nothing of it holds but the number of the last
 * incarnation, and that only where the folder outlives the restart. Without it the first
 * incarnation of a boot is made of the boot's id: two boots in a row have the same one once in 65535
 * times, and what is lost then is the difference between them for commands on their way, nothing more.
 *
 *	FENCE_LUN 1
 *	BOOT 7c3e0f...                       the kernel's boot id
 *	INCARNATION 4711                     the last one used
 *	LUN 6001405a... 0x0badcafe00011267 in
 *	NEXT 6001405a... 0x0badcafe00011268 succeeding
 *	END
 *
 * A file that cannot be read is an error and never "nothing": forgetting would let an ejected key back.
 * One process at a time has it open for writing; the others wait.
 * Ownership: fixed arrays; the lock goes with lun_state_close() or the process.
 */
#ifndef HOLDFAST_LUN_STATE_H
#define HOLDFAST_LUN_STATE_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mono.h"
#include "host/disk.h"

enum { LUN_RECORDS_MAX = 64 };

struct lun_record {
	char id[DISK_ID_BYTES]; /* of the unit */
	uint64_t key;
	int is_in;	   /* else entering: it may be registered, or have been, or not */
	uint64_t next;	   /* may have come in its place; 0: none */
	int next_succeeds; /* where it is registered it has */
};

struct lun_state {
	char path[PATH_MAX];
	char boot[33];
	uint16_t incarnation; /* last used by this node, in this boot or before; 0: not known */
	struct lun_record records[LUN_RECORDS_MAX];
	size_t records_count;
	int lock_fd; /* -1: opened for reading */
};

/* Read what there is of this node in `folder`. With `writes` the folder is made when it is missing, and
 * the call waits for another process until the deadline: RC_BUSY. */
int lun_state_open(struct lun_state *state, const char *folder, uint32_t cluster, uint16_t node,
		   int writes, mono_t deadline, struct err *err);
void lun_state_close(struct lun_state *state);

/* Replace the file by the state, at once or not at all. */
int lun_state_save(const struct lun_state *state, struct err *err);

const struct lun_record *lun_state_find(const struct lun_state *state, const char *id);
/* With no next key. RC_CONFIG when there is no room for another unit. */
int lun_state_put(struct lun_state *state, const char *id, uint64_t key, int is_in,
		  struct err *err);
/* A key that is about to come in the place of that of the unit, which has one. */
void lun_state_next_put(struct lun_state *state, const char *id, uint64_t next, int succeeds);
void lun_state_drop(struct lun_state *state, const char *id);

/* The next incarnation of this node, counted as used; never 0. */
uint16_t lun_state_next(struct lun_state *state);

#endif
