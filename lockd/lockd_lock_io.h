/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_lock_io.h - what the files of lockd's part for named locks share: lockd_lock_io.c runs the core,
 * lockd_lock_say_io.c has what clients are told, lockd_lock_list_io.c the list.
 *
 * Callers: these files.
 */
#ifndef HOLDFAST_LOCKD_LOCK_IO_H
#define HOLDFAST_LOCKD_LOCK_IO_H

#include "lockd/lock_core.h"
#include "lockd/lockd.h"
#include "lockd/lockd_lock_family_io.h"
#include "lockd/lockd_lock_slot_io.h"

struct lock_list;

/* A job of the core, and who asked for it. */
struct lock_ask {
	struct lockd_locks *locks;
	struct lock_ask *next;
	uint32_t id;
	struct lockd_call *call;   /* "lock" or "break"; NULL: answered, or gone */
	struct lockd_call *unlock; /* NULL: none */
	struct lockd_peer *peer;   /* of the call, to find it by; not looked into */
	char name[LOCK_NAME_MAX + 1];
	struct lock_family *family;
	int is_held, is_resting, is_over;
	int is_empty, is_gone; /* the core is still to be told */
	mono_t told_until;     /* the end of the lease, as told to the client */
	struct err disk;       /* the last error of the disks */
};

/* An answer that the core is still to be told. */
struct lock_refusal {
	struct lock_refusal *next;
	uint64_t token;
	int rc;
};

struct lockd_locks {
	struct lockd *lockd;
	struct lock_core core;
	int is_core_there; /* from the first incarnation on */
	struct lock_peer peers[LOCK_NODES_MAX];
	struct lock_out out;
	struct lock_slots *slots;
	struct lock_ask *asks;
	struct lock_list *lists;
	struct lock_refusal *refusals;
	struct boot_timer timer;
	uint32_t next_id;
	int is_stepping;
	int is_tick_due, is_drop_due; /* came up inside a step; the core is still to be told */
};

/* ---- lockd_lock_say_io.c ---- */

/* {"holder":NAME,"holder_node":N,"fate":WORD,"in_ms":N}, added to object. */
void lock_put_holder(const struct lockd_locks *locks, json_t *object,
		     const struct lock_term *holder, enum lock_fate fate, mono_t at);

/* Progress. */
void lock_say_told(struct lock_ask *ask, const struct lock_action *action);
void lock_say_end(struct lock_ask *ask, const struct lock_action *action);
void lock_say_lease(struct lock_ask *ask, mono_t until);

/* The final answers of an ask. */
void lock_say_done(struct lock_ask *ask, const struct lock_action *action);

/* ---- lockd_lock_list_io.c ---- */

void lock_list_run(struct lockd_call *call);
/* Their slots are asked no more: RC_STATE. */
void lock_lists_fail(struct lockd_locks *locks);
void lock_lists_end(struct lockd_locks *locks);

/* ---- lockd_lock_io.c ---- */

/* What is known of the nodes now. */
void lock_peers_look(struct lockd_locks *locks);
struct lockd_locks *lockd_locks_of(struct lockd *lockd);

#endif
