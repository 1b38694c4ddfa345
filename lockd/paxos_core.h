/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * paxos_core.h - Disk Paxos (Gafni and Lamport) for one sequence of decisions on one to three disks,
 * as a pure step function. No safety rests on time.
 *
 * Callers: place_io.c, for the cluster lock and for each named lock; the simulator of the tests.
 *
 * ---- The places ----
 *
 * Every node p has one block on every disk, which p alone writes and all read:
 *	epoch, mbal, bal, value    the instance that p takes part in; the highest ballot that p has
 *				   begun in it; the highest in which it has chosen a value, and that
 *	decided_epoch, decided     the last decision that p knows
 * A block is one record of 512 bytes, so it is old or new, never both. All blocks of a disk are read by
 * one request. A ballot is 64 times a round plus the node's place, so no two nodes share one.
 * A majority is 1 of 1 disk, 2 of 2, 2 of 3.
 *
 * ---- A claim of epoch e ----
 *
 *	phase 1	take a ballot b above all seen in e; on each disk: write (e, b, bal, value), then
 *		read all blocks; done when a majority was written and then read.
 *	phase 2	v is the value with the highest bal of epoch e among all blocks read and our own, or
 *		else ours; on each disk: write (e, b, b, v), then read all blocks; v is decided when a
 *		majority was written and then read.
 * A read that shows a block of e with mbal > b ends the ballot; a larger one is tried after a random
 * pause. A read that shows a block of a later epoch ends the claim: unknown. A read that shows the
 * decision of e ends the claim with that.
 * A read counts only when each block in it can be understood, and when it shows our own block as we
 * have written it last on this disk. So a write that was lost or went astray, and a read that shows
 * the disk as it was before our write, do not count: the block is written again.
 *
 * ---- At most one value is decided for an epoch ----
 *
 * Order ballots by (epoch, ballot). Claim: when (e, b, v) is decided, by p, then each block (e, b', v')
 * with bal b' > b that anybody ever writes has v' = v. Take the smallest such b', of q, and let M be the
 * disks on which p wrote and then read phase 2 of b, N those on which q wrote and then read phase 1 of
 * b'. M and N share a disk d. If q's phase 1 write to d came before p's read of d, that read showed
 * a block of q with (e, b') or more (a node's blocks only grow: it writes one disk in order, and what
 * it has begun it takes from its memory, or, after a crash, from a majority of its blocks), and p
 * did not decide. So p's phase 2 write to d came before q's read of d, and this read showed (e, b, b,
 * v), or a later block of p. If that was of a later epoch, q gave up. Otherwise it had a bal of at least
 * b in e, as every block that q read with the highest bal had; those bal are below b' (q would have given
 * up otherwise), so, b' being the smallest, their value is v, and q chose it.
 * Another decision (e, b', v') with b' > b is such a block: v' = v. What a node takes over from
 * another's `decided` is a decision. Decided blocks are never the base of anything else.
 *
 * ---- The ballot that is owned beforehand ----
 *
 * Phase 1 does not need the value, so it can be done long before: when our own value was decided for
 * e, the write that tells so also begins phase 1 of e + 1, and a read completes it. The claim of e + 1
 * is then phase 2 alone: one write and one read for each disk. The proof above does not ask how much
 * time lies between the phases; a ballot begun by others meanwhile is seen by the read of phase 2.
 *
 * ---- Nothing decided is forgotten ----
 *
 * A node that has chosen a value in an epoch leaves that epoch only after it has seen it decided, and
 * takes the decision along in the same block. So of what was decided, a majority of disks shows the
 * decision, a later one, or the value chosen. A look that finds only the latter completes the ballot
 * itself, after giving its owner a moment. (A node that begins an epoch while an earlier one that it
 * never looked at is undecided for it ends that one: then it stays unknown, as promised.)
 *
 * ---- What is assumed ----
 *
 *   - A node is one process at a time: the slot of the heartbeat sees to that. A write of a former
 *     incarnation has landed, or never will, when the next begins (the wait of the claim of
 *     the slot). Another's writes to our block are noticed by incarnation and nonce, and end
 *     the core: PAXOS_WHY_DUPLICATE.
 *   - A read shows one moment of the disk. A read that mixes moments is not noticed.
 *   - The first read of an incarnation, from which it takes its own block over, shows the disk as it is.
 *     Nothing could prove it: there is nothing yet that this incarnation has written. (Later ones are
 *     proven by our own block in them.) A look proves nothing against a disk that lies either.
 *
 * Memory is the caller's; no allocation. Blocks are used during the step only.
 */
#ifndef HOLDFAST_PAXOS_CORE_H
#define HOLDFAST_PAXOS_CORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mono.h"

enum {
	PAXOS_NODES_MAX = 64,
	PAXOS_DISKS_MAX = 3,
	PAXOS_VALUE_MAX = 208,
	PAXOS_ACTIONS_MAX = PAXOS_DISKS_MAX + 2,
};

struct paxos_value {
	uint16_t node; /* that it comes from; 0: no value */
	uint16_t bytes;
	uint8_t data[PAXOS_VALUE_MAX];
};

enum paxos_sight {
	PAXOS_SIGHT_NONE, /* never written */
	PAXOS_SIGHT_GOOD,
	PAXOS_SIGHT_DAMAGED, /* torn, misplaced, of another cluster, or no record at all */
	PAXOS_SIGHT_NEWER,   /* of a format that this program does not know */
};

/* A node's block, as read or to be written. */
struct paxos_block {
	uint8_t sight; /* what follows is of PAXOS_SIGHT_GOOD only */
	uint32_t incarnation, nonce;
	uint64_t sequence;
	uint64_t epoch, mbal, bal;
	struct paxos_value value;
	uint64_t decided_epoch, decided_ballot;
	struct paxos_value decided;
};

struct paxos_config {
	uint16_t node, nodes_max;
	unsigned disks; /* 1..3 */
	uint32_t incarnation, nonce;
	uint32_t io_timeout_ms;
	uint32_t retry_ms; /* pause after a failure, and the least one after a collision */
	uint64_t seed;	   /* not the same on two nodes */
	int owns_next;	   /* after a grant, make the next epoch cheap */
};

enum paxos_event_kind {
	PAXOS_EVENT_TICK,
	PAXOS_EVENT_READ_DONE,	/* answer to PAXOS_ACTION_READ, once */
	PAXOS_EVENT_WRITE_DONE, /* answer to PAXOS_ACTION_WRITE, once */
	PAXOS_EVENT_LATE,	/* a request that was answered as outstanding has now ended */
	PAXOS_EVENT_CLAIM,
	PAXOS_EVENT_LOOK,    /* what was decided last? */
	PAXOS_EVENT_PREPARE, /* begin `epoch` already; not answered; dropped while one is under way */
	PAXOS_EVENT_CANCEL, /* the operation is not answered any more */
};

struct paxos_event {
	enum paxos_event_kind kind;
	mono_t now;
	/* READ_DONE, WRITE_DONE, LATE */
	unsigned disk; /* 0..disks-1 */
	uint64_t token;
	int rc;
	int outstanding; /* it may still land: LATE follows */
	const struct paxos_block
		*blocks; /* READ_DONE with rc 0: of node i + 1, nodes_max of them */
	/* CLAIM, PREPARE */
	uint64_t epoch;	     /* not 0 */
	const uint8_t *data; /* CLAIM: the value */
	uint16_t bytes;	     /* 1..PAXOS_VALUE_MAX */
	mono_t deadline;     /* CLAIM, LOOK; not never */
};

enum paxos_outcome {
	PAXOS_GRANTED = 1, /* CLAIM: our value, all bytes of it, is decided */
	PAXOS_LOST,	   /* CLAIM: another value is, of `winner` */
	PAXOS_DECIDED,	   /* LOOK: the last decision */
	PAXOS_NOTHING,	   /* LOOK: nothing was decided yet */
	PAXOS_UNKNOWN,
};

enum paxos_why {
	PAXOS_WHY_NONE,
	PAXOS_WHY_DISKS,      /* too few disks answered; rc, disk: of one of them */
	PAXOS_WHY_DAMAGED,    /* the block of `node` on `disk` cannot be read */
	PAXOS_WHY_NEWER,      /* it is of a newer format */
	PAXOS_WHY_LIES,	      /* `disk` does not show what was written to it */
	PAXOS_WHY_COLLISIONS, /* others claimed at the same time, again and again */
	PAXOS_WHY_PASSED,     /* `epoch` of the answer, a later one, has begun */
	PAXOS_WHY_DUPLICATE,  /* another machine writes our blocks; final */
	PAXOS_WHY_CONFLICT,   /* two decisions of one epoch differ: never to happen; final */
	PAXOS_WHY_NUMBERS,    /* no larger ballot is left */
};

struct paxos_answer {
	enum paxos_outcome outcome;
	uint64_t
		epoch; /* of the claim; of the decision looked for; UNKNOWN: see PAXOS_WHY_PASSED */
	struct paxos_value value; /* GRANTED, LOST, DECIDED; .node is the winner */
	enum paxos_why why;
	unsigned disk;
	uint16_t node;
	int rc;
	int made; /* UNKNOWN, of a claim: its value may have been chosen, and may be decided later */
};

enum paxos_action_kind {
	PAXOS_ACTION_READ,  /* the blocks of all nodes */
	PAXOS_ACTION_WRITE, /* our block */
	PAXOS_ACTION_DONE,  /* the operation is over */
};

struct paxos_action {
	enum paxos_action_kind kind;
	unsigned disk;
	uint64_t token;
	mono_t deadline;
	const struct paxos_block *block;   /* WRITE: valid until the next step */
	const struct paxos_answer *answer; /* DONE: as long */
};

struct paxos_out {
	struct paxos_action actions[PAXOS_ACTIONS_MAX];
	size_t count;
};

/* ---- the state; the caller provides the memory, the fields are the core's ---- */

enum paxos_path { PAXOS_PATH_IDLE, PAXOS_PATH_READ, PAXOS_PATH_WRITE, PAXOS_PATH_STUCK };

struct paxos_disk {
	enum paxos_path path;
	uint64_t token;
	int is_write;
	uint64_t writing;   /* sequence of the block under way */
	uint64_t tried;	    /* largest that was handed to it */
	uint64_t written;   /* what it has: 0 unknown */
	uint64_t reading;   /* round of the read under way */
	uint64_t done;	    /* round whose read counted */
	int own_seen;	    /* our block was read from it in this life */
	int lied;	    /* it showed our block otherwise than it was written */
	mono_t again;	    /* not before */
	enum paxos_why why; /* why its last read or write did not count */
	uint16_t why_node;
	int rc;
};

enum paxos_op { PAXOS_OP_NONE, PAXOS_OP_CLAIM, PAXOS_OP_LOOK };

enum paxos_stage {
	PAXOS_STAGE_IDLE,
	PAXOS_STAGE_LOOK,
	PAXOS_STAGE_PHASE1,
	PAXOS_STAGE_PHASE2,
	PAXOS_STAGE_PAUSE,
};

struct paxos_core {
	struct paxos_config config;
	mono_t now;
	unsigned quorum;
	uint64_t random;
	uint64_t next_token;
	struct paxos_disk disks[PAXOS_DISKS_MAX];
	struct paxos_block own; /* as it should be on every disk */
	int recovered;		/* own is what the disks had */
	enum paxos_why broken;	/* DUPLICATE or CONFLICT: no more writes */
	uint64_t needs;		/* sequence that a disk must have, to be of use */
	/* What runs. */
	enum paxos_stage stage;
	uint64_t round; /* each look and each phase is one */
	uint64_t owned; /* epoch whose phase 1 is complete with own.mbal; 0: none */
	uint64_t
		target; /* epoch that the phases are of: the claim's, or one to be completed first */
	struct paxos_value best; /* of the highest bal seen in `target` */
	uint64_t best_bal;
	uint64_t highest; /* mbal seen in `target` */
	uint64_t latest;  /* epoch seen */
	uint64_t chosen;  /* epoch above all decisions in which a value was seen, in this look */
	mono_t pause_until;
	unsigned collisions, looks;
	mono_t background_until; /* until when the block is written, and phase 1 done, unasked */
	/* The operation. */
	enum paxos_op op;
	uint64_t epoch; /* of the claim */
	struct paxos_value value;
	int made;
	mono_t deadline;
	struct paxos_answer answer;
	int answered; /* in this step */
};

void paxos_core_init(struct paxos_core *core, const struct paxos_config *config);

/* One event in, all that follows from it out; out is emptied first. CLAIM and LOOK only while no
 * operation is under way. */
void paxos_core_step(struct paxos_core *core, const struct paxos_event *event,
		     struct paxos_out *out);

/* The moment of the next TICK; MONO_NEVER while there is nothing to wait for. */
mono_t paxos_core_deadline(const struct paxos_core *core);

/* Is an operation under way? */
int paxos_core_is_busy(const struct paxos_core *core);

/* Is any request in the hands of a disk? */
int paxos_core_is_waiting(const struct paxos_core *core);

/* "too few disks answered"; static text. */
const char *paxos_why_text(enum paxos_why why);

#endif
