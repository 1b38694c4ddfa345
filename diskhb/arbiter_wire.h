/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arbiter_wire.h - a node's place in a sequence of decisions: the cluster lock's, or a named lock's.
 *
 * Callers: lockd's arbiters, its named locks, `holdfast disk show`. A node writes its own place only;
 * the places of all nodes in one sequence are read by one request of at most 256 KiB. Of several
 * decided values the one of the highest epoch counts; two of one epoch that differ are a fault of the
 * arbiter, never resolved here.
 *
 * Everything that a node has to say is in one record, because a record is written whole or not at
 * all: a node can move on to the next epoch in the same write that tells what the last one
 * decided, and no torn write can lose the one and keep the other.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_ARBITER_WIRE_H
#define HOLDFAST_ARBITER_WIRE_H

#include "diskhb/record_wire.h"

enum { ARBITER_VALUE_MAX = 208 };

/* The first five fields are the block of Disk Paxos (Gafni and Lamport), dblock[p] = (mbal, bal, inp)
 * of the instance `epoch`; the others are what the node knows to be decided. Sequence of the header
 * grows with each write of this place by one incarnation. */
struct arbiter_record {
	struct record_head head;
	uint64_t epoch; /* 0: the node has not taken part yet; then mbal is 0 too */
	uint64_t mbal;	/* highest ballot that this node has begun */
	uint64_t bal;	/* highest ballot in which it has chosen `value`; 0: none, and no value */
	uint16_t proposer; /* the node that `value` comes from; 0: no value */
	uint16_t value_bytes;
	uint8_t value[ARBITER_VALUE_MAX];
	uint64_t decided_epoch; /* 0: none, and no decided value */
	uint64_t decided_ballot;
	uint16_t winner; /* the node that the decided value comes from; 0: no value */
	uint16_t decided_bytes;
	uint8_t decided[ARBITER_VALUE_MAX];
};

/* want: node, cluster, and the byte offset of the place; its magic is filled in. Everything but
 * the header is zeroed when the verdict is not RECORD_OK. */
enum record_verdict arbiter_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			       struct arbiter_record *record);

/* Can it be a record? arbiter_out() takes no other. */
int arbiter_record_ok(const struct arbiter_record *record);

/* The header's node, cluster, sequence, incarnation and nonce are the caller's. */
void arbiter_out(uint8_t block[RECORD_BYTES], const struct arbiter_record *record, uint64_t offset);

#endif
