/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_lock_slot_io.h - the slots of the lock area: read what a slot's last term says, claim its next.
 *
 * Callers: lockd_lock_io.c, lockd_lock_list_io.c. Each slot is a sequence of Disk Paxos of its own
 * (arbiter.h); one is at work for each slot at a time, the others wait.
 *
 * Ownership: lock_slots_open() allocates. An answer comes once for each request, from the loop, never
 * out of the call that asked; after lock_slots_forget() it does not come. What it points to is valid
 * inside the callback.
 */
#ifndef HOLDFAST_LOCKD_LOCK_SLOT_IO_H
#define HOLDFAST_LOCKD_LOCK_SLOT_IO_H

#include "lockd/lock_core.h"
#include "lockd/lockd.h"

struct lock_slots;

struct lock_slot_answer {
	int rc; /* read: 0, or why it is not known; claim: of UNKNOWN, NOT_MADE */
	enum lock_outcome outcome;    /* claim */
	uint64_t term;		      /* read: the last term that is decided, 0: none */
	const struct lock_term *told; /* what it says; claim, LOST: what was decided; NULL: none */
	const struct err *err;	      /* of an rc */
};

typedef void lock_slot_done(uint64_t token, const struct lock_slot_answer *answer, void *context);

struct lock_slots *lock_slots_open(struct lockd *lockd);

/* The incarnation by which it claims; the former one's requests are forgotten. */
void lock_slots_join(struct lock_slots *slots, uint32_t incarnation, uint32_t nonce);

void lock_slot_read(struct lock_slots *slots, uint32_t slot, uint64_t token, lock_slot_done *done,
		    void *context);
void lock_slot_claim(struct lock_slots *slots, uint32_t slot, uint64_t term,
		     const struct lock_term *value, uint64_t token, lock_slot_done *done,
		     void *context);

/* Nobody wants the answers to this context any more. */
void lock_slots_forget(struct lock_slots *slots, const void *context);

/* A DISK_DONE or DISK_LATE with LOCKD_TOKEN_LOCKS. */
void lock_slots_answered(struct lock_slots *slots, unsigned d, const struct disk_answer *answer);

void lock_slots_path(struct lock_slots *slots, unsigned d, int what);

void lock_slots_close(struct lock_slots *slots);

#endif
