/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_lock_family_io.h - the processes of a lock's command, as lockd sees them: noted in a file, so that
 * a lockd that follows ends them, and killed when their `lock run` cannot.
 *
 * Callers: lockd_lock_io.c.
 * The file is RUN_DIR/locks/CLUSTER.NODE.TAG; it is there from before the command may begin until none of its
 * processes is left. It is of this boot or it means nothing.
 * /proc is read on a thread of its own, since that can block on a process that hangs in the kernel.
 *
 * Ownership: lock_family_open() allocates; lock_family_free() lets go, the memory goes when the thread
 * is through.
 */
#ifndef HOLDFAST_LOCKD_LOCK_FAMILY_IO_H
#define HOLDFAST_LOCKD_LOCK_FAMILY_IO_H

#include "host/family.h"
#include "lockd/lockd.h"

struct lock_family;

/* From the loop, once: no process of it is left, and its file is gone. */
typedef void lock_family_empty(void *context);

/* Note it down. 0, or an error: then the command must not begin. */
int lock_family_open(struct lockd *lockd, const char *name, const struct family *family,
		     lock_family_empty *empty, void *context, struct lock_family **opened,
		     struct err *err);

/* Kill what there is until nothing is left. `is_ended`: its `lock run` says that nothing is. */
void lock_family_end(struct lock_family *family, int is_ended);

/* The command never began, or the family has become empty, or lockd ends. `is_over`: the file goes
 * too. */
void lock_family_free(struct lock_family *family, int is_over);

/* End what an earlier lockd of this boot has left; waits for it. 0; or RC_STATE when it will not
 * end, or what was left cannot be told: then this node must not become active, for the others take the
 * former incarnation's locks for free when it does. */
int lock_families_end_old(struct lockd *lockd, struct err *err);

#endif
