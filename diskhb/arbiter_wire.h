/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arbiter_wire.h - the arbiter's two records for each node: its Disk Paxos block, and the value
 * that it knows to be decided.
 *
 * Callers: `holdfast disk show`, and lockd's arbiter. A node writes its own place only; the places of
 * all nodes are read by one request of at most 256 KiB. Of several decided records the one of the
 * highest epoch counts; two of one epoch that differ are a fault of the arbiter, never resolved here.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_ARBITER_WIRE_H
#define HOLDFAST_ARBITER_WIRE_H

#include "diskhb/record_wire.h"

enum {
	ARBITER_PAXOS_AT = 0, /* in the node's place */
	ARBITER_DECIDED_AT = 512,
	ARBITER_VALUE_MAX = 432,
};

/* Gafni and Lamport, Disk Paxos: dblock[p] = (mbal, bal, inp), of the instance `epoch`. */
struct paxos_record {
	struct record_head head;
	uint64_t epoch;
	uint64_t mbal; /* highest ballot that this node has begun */
	uint64_t bal;  /* highest ballot in which it has chosen `value`; 0: none, and no value */
	uint16_t value_bytes;
	uint8_t value[ARBITER_VALUE_MAX];
};

struct decided_record {
	struct record_head head;
	uint64_t epoch;
	uint64_t ballot;
	uint16_t winner; /* the node whose value it is */
	uint16_t value_bytes;
	uint8_t value[ARBITER_VALUE_MAX];
};

/* want: node, cluster, and the byte offset of the record; its magic is filled in. */
enum record_verdict paxos_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			     struct paxos_record *record);
enum record_verdict decided_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			       struct decided_record *record);

void paxos_out(uint8_t block[RECORD_BYTES], const struct paxos_record *record, uint64_t offset);
void decided_out(uint8_t block[RECORD_BYTES], const struct decided_record *record, uint64_t offset);

#endif
