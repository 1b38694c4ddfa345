/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * super_wire.h - the superblock: whose disk it is, and where everything on it lies.
 *
 * Callers: hb_facts, the shell of the heartbeat, `holdfast disk`.
 *
 *	0		superblock: one record, the rest of 4 KiB is zero
 *	4 KiB		slots: 4 KiB for each node
 *	then		claims: one sector for each node
 *	then		arbiter: a place of one sector for each node
 *	then		named locks: for each lock what the arbiter has
 *	then		doctor: 4 KiB for each node, in which `holdfast disk doctor` tries its writes
 *
 * Rule of the layout: no sector ever has two nodes that write it. (The claim of a slot is written
 * by two machines only when both believe to be that node; see hb_core.h.) A sector has 512 or
 * 4096 bytes, so the stride of claims and of the arbiter depends on it, and a disk must be used
 * with the sector size that it was initialised with.
 *
 * Superblock, slots and claims are read by one request of at most 516 KiB, the places of the arbiter or
 * of one lock by one of at most 256 KiB.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_SUPER_WIRE_H
#define HOLDFAST_SUPER_WIRE_H

#include "diskhb/record_wire.h"

enum {
	SUPER_BYTES = 4096, /* read and written whole */
	SLOT_BYTES = 4096,
	SLOTS_AT = SUPER_BYTES,
	NODES_MIN = 2,
	NODES_DEFAULT = 16,
	DISK_UUID_BYTES = 16,
	CLAIM_WINDOW_MIN_MS = 50,
	CLAIM_WINDOW_MAX_MS = 60000,
	CLAIM_WINDOW_DEFAULT_MS = 500,
	LOCKS_DEFAULT = 64,
	LOCKS_MAX = 1024,
};

/* Who decides between two halves of the cluster; see lockd/arbiter.h. */
enum super_arbiter { SUPER_ARBITER_PR = 1, SUPER_ARBITER_PAXOS = 2 };

/* Where things lie, derived from three numbers. */
struct disk_layout {
	uint32_t sector_bytes;
	uint16_t nodes_max;
	uint16_t locks_max;
	uint32_t claim_bytes;	 /* stride of the claims */
	uint32_t arbiter_bytes;	 /* stride of the nodes' places, in the arbiter and in each lock */
	uint32_t sequence_bytes; /* of the arbiter, and of each lock: the places of all nodes */
	uint64_t claims_at, arbiter_at, locks_at, doctor_at, end;
};

struct super_record {
	struct record_head head; /* node 0; sequence counts the initialisations */
	char cluster_name[CLUSTER_NAME_BYTES];
	uint8_t disk_uuid[DISK_UUID_BYTES];
	uint8_t disk_index; /* 1..disks_count: which of the cluster's disks this is */
	uint8_t disks_count;
	uint16_t nodes_max;
	uint32_t sector_bytes;
	uint32_t claim_window_ms;
	uint64_t created_s; /* wall clock, for humans; decides nothing (S6) */
	char created_by[NODE_NAME_BYTES];
	uint8_t arbiter; /* enum super_arbiter; the same on all disks of the cluster */
	uint16_t locks_max;
};

/* 0, or -1 when there is no such layout. */
int disk_layout_set(struct disk_layout *layout, uint32_t sector_bytes, uint32_t nodes_max,
		    uint32_t locks_max);

/* Byte offsets; node is 1..nodes_max, lock 0..locks_max-1. */
uint64_t disk_layout_slot_at(uint16_t node);
uint64_t disk_layout_claim_at(const struct disk_layout *layout, uint16_t node);
uint64_t disk_layout_arbiter_at(const struct disk_layout *layout, uint16_t node);
uint64_t disk_layout_lock_at(const struct disk_layout *layout, uint16_t lock, uint16_t node);
uint64_t disk_layout_doctor_at(const struct disk_layout *layout, uint16_t node);

/* "pr", "paxos"; static text; "?" for a number that is none. */
const char *super_arbiter_word(unsigned arbiter);

/* Any cluster is accepted; what was found otherwise is judged as record_in() does. */
enum record_verdict super_in(const uint8_t block[RECORD_BYTES], struct super_record *super,
			     struct disk_layout *layout);

/* The places in the record are those of its layout. Magic, version and place of the header are
 * filled in. */
void super_out(uint8_t block[RECORD_BYTES], const struct super_record *super);

#endif
