/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arbiter_pr_core.h - the cluster lock by SCSI reservations, as a step function: which commands a claim
 * takes, and what came of it. The contract is lockd/arbiter.h.
 *
 * Callers: arbiter_pr.c, and the simulator of the tests. Reservation commands are jobs of
 * lockd/pr_core, which answers when their outcome is known (a lost answer is read back there); the
 * arbiter's places are read and written by the caller. One of each is under way on a disk at most.
 *
 * ---- A claim of epoch e by node n, its members M ----
 *
 * A node reigns on a disk from when its key got the reservation (Write Exclusive, Registrants Only) as
 * long as this registration lasts: while it does, nobody else has had the reservation.
 *
 *  1 In the order of the disks, on each one that our key is registered on:
 *	become the holder	RESERVE where nobody holds; else PREEMPT of the holder's key
 *	KEYS			read the keys; PREEMPT [AND ABORT] each of this cluster's that is of no
 *				node in M, or of an earlier life of n
 *	READ			all places
 *    A holder in M that is not n is not ejected: unknown, and that one has to claim. Ejected ourselves:
 *    lost; we stop at once, on all disks, and read until the winner's decision is there.
 *    A disk that cannot be used is passed over; a majority of all disks is needed. Without it the
 *    places are read all the same, because e may be decided already.
 *  2 A newer epoch was seen: never granted. A decision of e was seen: that is the answer. Otherwise
 *    the value of the highest ballot of e that was seen, else our own, under a new ballot b:
 *	one disk	ACCEPT: write (b, value)
 *	more		PROMISE: write b; then, on those where it worked, ACCEPT
 *    After each of them CHECK: KEYS shows that our key is still there. Spared where KEYS of step
 *    1 (less those who were ejected) showed no key but ours, and the session is our own.
 *    Decided when a majority has passed the CHECK of ACCEPT. Then "decided" is written, for those who
 *    have lost and for record(); with one disk and no CHECK that was in ACCEPT already.
 *
 * Ballots are k * 64 + n - 1. One disk: k = (highest seen for e) + (generation that KEYS told) + 1.
 * More: k = (highest seen for e) + 1.
 *
 * ---- Why two values are never decided in one epoch ----
 *
 * Assumed of a disk: a read shows what was answered before it was sent; a command that is sent after the
 * PREEMPT of its nexus was answered is refused; PREEMPT takes exactly a key that is registered; a power
 * loss of the target ends what was under way there. Not assumed: any time, PREEMPT AND ABORT, that
 * reservations survive a power loss, or that a write which was under way when its node was ejected is
 * stopped: it may land much later. (A key that was ejected does not come back in its life: S10.)
 *
 * Reigns on one disk follow one another. RESERVE is GOOD only where nobody held. PREEMPT of K is
 * GOOD only while K is registered; K was seen as the holder since our own registration began, K never
 * gives the reservation up but with its registration, and does not come back; a power loss would have
 * ended our registration too. So K still held, and now we do. CHECK shows our registration at a later
 * moment than the GOOD of a write, so that write landed in our reign and every later reign reads it.
 * KEYS of step 1 shows our key as well: the generation it tells is from our reign.
 *
 * Let (b, v) be decided by n, and b' > b the lowest ballot that was sent out with v' != v, by n'. Both
 * had a majority: let d be a disk of both, R and R' their reigns on it.
 *   R before R'	n' reads d in R' or later, after n's ACCEPT was answered: it saw (b, v), or a newer
 *			ballot below b', which has v by the choice of b', or a newer epoch. So v' = v.
 *   R' before R, one disk. If n' read the places after n did, it was ejected already, and its write
 *			is refused. If before, it saw no higher ballot than n, and the PREEMPT that ended
 *			R' raised the generation between the KEYS of both: so b' < b. (Where a power loss
 *			set the generation back, what n' had under way went with it, and n' had to
 *			register anew.)
 *   R' before R, more disks. n' sent v' only after a CHECK of its PROMISE on d: that landed in R', n
 *			saw b', so b > b'.
 * Each contradicts. A write that lands late is of a lower ballot than the decision, or never gets
 * its turn; it can hide no decision, because who reads prefers "decided", then the highest ballot.
 * No CHECK where our key is alone: nobody is there who could end our reign; to be registered takes our
 * admission, or the proof that we are dead (lockd_pr_io.c). With SG_IO, where a kernel may send a
 * command again after a power loss, CHECK is never spared.
 * Places of an older epoch that a write replaces cannot matter: who reads the newer epoch does not
 * decide the older one. Each place is written from what was read of the same disk.
 *
 * Ownership: fixed arrays, no allocation. Includes base/ alone.
 */
#ifndef HOLDFAST_ARBITER_PR_CORE_H
#define HOLDFAST_ARBITER_PR_CORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mono.h"

enum {
	PRA_DISKS_MAX = 3,
	PRA_NODES_MAX = 64,
	PRA_VALUE_MAX = 208,
	PRA_KEYS_MAX = 512,
	PRA_ACTIONS_MAX = 2 * PRA_DISKS_MAX + 2,
	PRA_POLL_MS = 50, /* a loser reads again after so long */
};

struct pra_value {
	uint16_t node; /* that it comes from; 0: no value */
	uint16_t bytes;
	uint8_t data[PRA_VALUE_MAX];
};

/* A node's place in the arbiter's area. */
struct pra_place {
	int is_bad; /* damaged, misplaced, newer: not to be decided by */
	uint64_t epoch, mbal, bal;
	struct pra_value value;
	uint64_t decided_epoch, decided_ballot;
	struct pra_value decided;
};

/* ---- events ---- */

enum pra_event_kind {
	PRA_EVENT_TIME,
	PRA_EVENT_IN,	  /* our key is registered on this disk; holder: what was seen then */
	PRA_EVENT_OUT,	  /* it is not, or the session is another one: our reign is over */
	PRA_EVENT_SHAKEN, /* the unit told something that may mean so */
	PRA_EVENT_GUESTS, /* somebody was admitted and may register until `deadline` */
	PRA_EVENT_CLAIM,
	PRA_EVENT_RECORD,
	PRA_EVENT_CANCEL,
	PRA_EVENT_JOB, /* answer to TAKE, EJECT, LOOK, KEYS */
	PRA_EVENT_READ,
	PRA_EVENT_WRITTEN,
};

enum pra_job {
	PRA_JOB_GOOD,	   /* the status of its command said so */
	PRA_JOB_READ_BACK, /* no status; it was found to be so, see holds */
	PRA_JOB_CONFLICT,  /* not done: see holder */
	PRA_JOB_EJECTED,   /* our key is not registered any more */
	PRA_JOB_FAILED,	   /* unknown, or the unit cannot */
};

struct pra_event {
	enum pra_event_kind kind;
	mono_t now;
	unsigned disk;
	uint64_t token;
	/* IN, JOB: as it was read last; holder 0: nobody holds it */
	uint64_t holder;
	int is_other_type; /* it is held with another type than ours */
	enum pra_job job;
	int holds; /* read, not assumed */
	/* KEYS */
	uint32_t generation;
	const uint64_t *keys;
	size_t keys_count;
	int keys_cut;
	/* READ, WRITTEN */
	int rc; /* 0, RC_PRIVILEGE: reservation conflict, RC_BUSY: not done, try again; other */
	const struct pra_place *places; /* of node i + 1 */
	size_t places_count;
	const struct err *err; /* JOB FAILED, READ, WRITTEN: why, or NULL */
	/* CLAIM, RECORD */
	uint64_t epoch, members;
	const uint8_t *value;
	uint16_t value_bytes;
	mono_t deadline;
};

/* ---- actions ---- */

enum pra_action_kind {
	PRA_TAKE,  /* job: become the holder where nobody is */
	PRA_EJECT, /* job: PREEMPT this key */
	PRA_KEYS,  /* job: read the keys; EJECTED where ours is not among them, GOOD with them or
		    * FAILED: a refused look is no look */
	PRA_LOOK,  /* job: read keys and reservation */
	PRA_READ,
	PRA_WRITE,
	PRA_ANSWER,
};

enum pra_outcome { PRA_GRANTED = 1, PRA_LOST, PRA_UNKNOWN };

struct pra_action {
	enum pra_action_kind kind;
	unsigned disk;
	uint64_t token;		       /* 0: nobody waits for it */
	uint64_t key;		       /* EJECT */
	mono_t deadline;	       /* of the operation it is for; its job ends by then */
	const struct pra_place *place; /* WRITE: valid during the step's actions */
	/* ANSWER */
	enum pra_outcome outcome;
	uint64_t epoch;
	const struct pra_value *value; /* GRANTED, LOST; NULL: nothing was decided yet */
	uint16_t claimant;	       /* UNKNOWN: who has to claim; 0: nobody */
	const struct err *err;	       /* UNKNOWN */
};

struct pra_actions {
	struct pra_action list[PRA_ACTIONS_MAX];
	size_t count;
};

/* ---- state ---- */

enum pra_step {
	PRA_STEP_WAIT, /* its turn has not come */
	PRA_STEP_TAKE,
	PRA_STEP_UNSEAT, /* the holder */
	PRA_STEP_LOOK,
	PRA_STEP_KEYS,
	PRA_STEP_VICTIM,
	PRA_STEP_READ,
	PRA_STEP_READY,
	PRA_STEP_PROMISE,
	PRA_STEP_PROMISE_CHECK,
	PRA_STEP_PROMISED,
	PRA_STEP_ACCEPT,
	PRA_STEP_ACCEPT_CHECK,
	PRA_STEP_ACCEPTED,
	PRA_STEP_FAILED,
};

/* What the places of a disk say. */
struct pra_digest {
	uint16_t bad; /* a node whose place is bad; 0: none */
	uint64_t newest;
	uint64_t mbal, bal; /* of the epoch that is claimed */
	struct pra_value value;
	struct pra_value decided; /* of the epoch that is claimed */
	uint64_t decided_ballot;
	uint64_t last_epoch, last_ballot; /* the newest decision */
	struct pra_value last;
	uint64_t open_epoch; /* newest epoch with a value */
	uint16_t open_node;
	int is_contradiction; /* two decisions of one epoch */
	struct pra_place own;
};

struct pra_disk {
	int is_in, was_in, reigns, is_alone;
	mono_t guests_until; /* not alone before this */
	uint64_t holder;     /* as seen since our registration began */
	int has_holder;	     /* `holder` is known */
	int holder_is_fresh;
	enum pra_step step;
	uint64_t token; /* under way; 0: nothing */
	unsigned tries;
	uint32_t generation;
	uint64_t victims[PRA_NODES_MAX];
	size_t victims_count, victims_done;
	int has_digest;
	struct pra_digest digest;
	struct pra_place writing;
};

enum pra_op { PRA_OP_NONE, PRA_OP_CLAIM, PRA_OP_LEARN, PRA_OP_RECORD };

struct pra_core {
	uint64_t key;
	uint16_t node;
	unsigned disks_count, quorum;
	uint32_t careful; /* bit d: never spare CHECK there */
	struct pra_disk disks[PRA_DISKS_MAX];
	uint64_t next_token;
	enum pra_op op;
	int is_accepting; /* step 2 has begun */
	int reads_once;	  /* LEARN: nobody is at it, as far as we know */
	uint64_t epoch, members;
	struct pra_value own; /* what is claimed */
	struct pra_value chosen;
	uint64_t ballot;
	mono_t deadline, again_at;
	unsigned restarts;
	uint16_t claimant;
	struct err why;
	struct pra_value answer;
};

/* key: of this life of the node. careful: see above. */
void pra_core_init(struct pra_core *core, uint64_t key, uint16_t node, unsigned disks,
		   uint32_t careful);

/* actions is emptied first. */
void pra_core_step(struct pra_core *core, const struct pra_event *event,
		   struct pra_actions *actions);

/* When PRA_EVENT_TIME is due; MONO_NEVER. */
mono_t pra_core_deadline(const struct pra_core *core);

static inline int pra_core_is_busy(const struct pra_core *core)
{
	return core->op != PRA_OP_NONE;
}

#endif
