/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arbiter.h - who may go on? The cluster lock behind one interface, with several ways to decide
 * (rules S2, S3).
 *
 * Callers: lockd_claim_io.c. Implementations: arbiter_paxos.c (Disk Paxos, any disk),
 * arbiter_pr.c (SCSI reservations). Which one a cluster uses is written in the superblock, so that
 * two nodes never use two.
 *
 * What an arbiter promises, whatever fails when:
 *   1 For one epoch at most one value is ever decided. Two claims of one epoch, by whatever nodes
 *     and incarnations, are never told different values.
 *   2 What was decided is decided for ever: a later claim of this epoch, from anywhere, is told
 *     the same value or "unknown".
 *   3 A claim is granted only when its own node's own value was decided: all its bytes. A node that
 *     claims again after a crash with another value, when its earlier one was decided, has lost
 *     to itself (winner is its own id), and is told the value.
 *   4 Unknown means: not granted, and nothing may be concluded; the value may still be decided
 *     later by whoever completes it. The same claim may be repeated at any time.
 *   5 Once any node has begun a claim of epoch e on enough disks, an earlier epoch is no longer decided
 *     by anyone: it is told from the record, or it is unknown.
 *
 * A value is the mask of the members who go on (bit n-1: node n), and bytes of the caller's that
 * the arbiter does not look at. Members must hold the claimer.
 *
 * Ownership: create() allocates, free() frees; the answer belongs to the arbiter and is valid
 * inside the callback. The disks are the owner's: an arbiter hands requests to setup.submit, and is
 * told every answer with a token of its bit (ARBITER_TOKEN_BIT, low bits are its own). One operation
 * at a time: until its answer, another one is RC_BUSY. An answer never comes out of the call that
 * asked for it. Everything runs on the thread of the loop; nothing waits.
 */
#ifndef HOLDFAST_ARBITER_H
#define HOLDFAST_ARBITER_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "base/mono.h"
#include "diskhb/arbiter_wire.h"
#include "diskhb/hb_facts.h"
#include "host/disk.h"

#define ARBITER_TOKEN_BIT (UINT64_C(1) << 62)

enum {
	/* The mask of members takes the first bytes of the value on the disk. */
	ARBITER_MEMBERS_BYTES = 8,
	ARBITER_BYTES_MAX = ARBITER_VALUE_MAX - ARBITER_MEMBERS_BYTES,
};

enum arbiter_outcome {
	ARBITER_GRANTED = 1,
	ARBITER_LOST,
	ARBITER_UNKNOWN,
};

struct arbiter_value {
	uint64_t members;
	uint16_t bytes; /* up to ARBITER_BYTES_MAX; 0 is allowed */
	uint8_t data[ARBITER_BYTES_MAX];
};

/* What it cost, from the first request of the operation to its answer. */
struct arbiter_cost {
	unsigned reads, writes, commands; /* of all disks together; commands: SCSI */
	int64_t took_ns;
};

struct arbiter_answer {
	enum arbiter_outcome outcome;
	uint64_t epoch; /* of the claim; of record(): the highest decided that was found, 0: none */
	uint16_t winner;	    /* GRANTED, LOST: the node whose value it is */
	struct arbiter_value value; /* GRANTED, LOST: what was decided */
	uint16_t claimant; /* UNKNOWN: the node that stands in the way and has to claim; 0: none */
	struct err err;	   /* UNKNOWN: object, cause, next step */
	struct arbiter_cost cost;
};

/* record() answers LOST with the decided value (GRANTED when it is our own), or with epoch 0 and no
 * winner when a majority of the disks shows that nothing was decided yet; or UNKNOWN. */
typedef void arbiter_done(const struct arbiter_answer *answer, void *context);

struct pr_seat;

struct arbiter_setup {
	uv_loop_t *loop;
	uint16_t node;
	uint32_t incarnation, nonce; /* of the node's heartbeat */
	unsigned disks;		     /* 1..3, all of the cluster, in the order of their index */
	const struct hb_area *areas[DISKS_MAX]; /* NULL: that disk is missing at this moment */
	uint32_t io_timeout_ms;			/* of one request */
	uint64_t seed;				/* random; for waits after a collision */
	/* pr: our registration on each disk, see lockd/pr_seat.h; as many as disks, and they outlive the
	 * arbiter. NULL for the others. */
	const struct pr_seat *seats;
	/* 0, or an error: then there is no answer to this request. The answer never comes out of
	 * the call. */
	int (*submit)(unsigned disk, const struct disk_request *request, void *context,
		      struct err *err);
	void *submit_context;
};

struct arbiter_ops;

/* The head of every implementation's own struct. */
struct arbiter {
	const struct arbiter_ops *ops;
};

struct arbiter_ops {
	const char *name; /* "pr", "paxos" */
	int (*create)(const struct arbiter_setup *setup, struct arbiter **arbiter, struct err *err);
	/* 0: the answer comes, at the latest when the deadline has passed. RC_BUSY: an operation is
	 * under way; RC_CONFIG: epoch 0, or a value that cannot be. */
	int (*claim)(struct arbiter *arbiter, uint64_t epoch, const struct arbiter_value *value,
		     mono_t deadline, arbiter_done *done, void *context, struct err *err);
	/* What was decided last, read from the disks. */
	int (*record)(struct arbiter *arbiter, mono_t deadline, arbiter_done *done, void *context,
		      struct err *err);
	/* The next claim by this node will be of `epoch`: make it cheap, where that can be done. A
	 * hint; nothing is answered. NULL: there is nothing to prepare. */
	void (*prepare)(struct arbiter *arbiter, uint64_t epoch);
	/* Give the operation under way up; its done() is not called any more. What it has begun may
	 * still be completed by others. */
	void (*cancel)(struct arbiter *arbiter);
	/* A DISK_DONE or DISK_LATE whose token has ARBITER_TOKEN_BIT. */
	void (*answered)(struct arbiter *arbiter, unsigned disk, const struct disk_answer *answer);
	/* A path was opened, lost, or is back after a new login (enum lockd_path); its area is known from
	 * the first time on. NULL: of no interest. */
	void (*path)(struct arbiter *arbiter, unsigned disk, int what, const struct hb_area *area);
	void (*free)(struct arbiter *arbiter);
};

extern const struct arbiter_ops arbiter_paxos_ops;
extern const struct arbiter_ops arbiter_pr_ops;

/* By enum super_arbiter; NULL for a number that is none. */
const struct arbiter_ops *arbiter_ops_of(unsigned kind);

/* "granted", "lost", "unknown"; static text. */
const char *arbiter_outcome_word(enum arbiter_outcome outcome);

/* 0, or RC_CONFIG: can `node` claim `epoch` with it? */
int arbiter_claim_check(uint64_t epoch, const struct arbiter_value *value, uint16_t node,
			struct err *err);

/* As it stands in a record; returns its length. */
uint16_t arbiter_value_out(const struct arbiter_value *value, uint8_t out[ARBITER_VALUE_MAX]);

/* From a record; 0, or -1 when it is none of an arbiter's. */
int arbiter_value_in(struct arbiter_value *value, const uint8_t *bytes, size_t count);

#endif
