/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doctor_wire.h - the record by which `holdfast disk doctor` tries the writes of a node.
 *
 * Caller: cli/doctor_write.c. Each node has a place of its own for it, of the size of a slot, so that
 * trying a disk of a running cluster disturbs nobody: no sector has two writers, and nothing but
 * another doctor looks at these places.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_DOCTOR_WIRE_H
#define HOLDFAST_DOCTOR_WIRE_H

#include "diskhb/record_wire.h"

struct doctor_record {
	/* sequence counts the writes of a run; nonce: random for each run; incarnation 0 */
	struct record_head head;
	uint8_t machine[MACHINE_ID_BYTES];
	char name[NODE_NAME_BYTES]; /* of the machine */
	uint64_t wall_s;	    /* for humans */
};

/* want: node, cluster, and the byte offset of the place; its magic is filled in. */
enum record_verdict doctor_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			      struct doctor_record *record);

void doctor_out(uint8_t block[RECORD_BYTES], const struct doctor_record *record, uint64_t offset);

#endif
