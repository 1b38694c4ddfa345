/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * super_wire.c - the superblock; see super_wire.h.
 */
#include "diskhb/super_wire.h"

#include <string.h>

#include "base/bytes.h"

enum { SUPER_LOCKS_AT = 272 };

static uint64_t round_up(uint64_t bytes)
{
	return (bytes + SLOT_BYTES - 1) / SLOT_BYTES * SLOT_BYTES;
}

int disk_layout_set(struct disk_layout *layout, uint32_t sector_bytes, uint32_t nodes_max,
		    uint32_t locks_max)
{
	*layout = (struct disk_layout){ 0 };
	if ((sector_bytes != 512 && sector_bytes != 4096) || nodes_max < NODES_MIN ||
	    nodes_max > NODES_MAX || locks_max > LOCKS_MAX)
		return -1;
	layout->sector_bytes = sector_bytes;
	layout->nodes_max = (uint16_t)nodes_max;
	layout->locks_max = (uint16_t)locks_max;
	layout->claim_bytes = sector_bytes;
	layout->arbiter_bytes = sector_bytes;
	layout->sequence_bytes = (uint32_t)round_up((uint64_t)nodes_max * layout->arbiter_bytes);
	layout->claims_at = SLOTS_AT + (uint64_t)nodes_max * SLOT_BYTES;
	layout->arbiter_at = layout->claims_at +
			     round_up((uint64_t)nodes_max * layout->claim_bytes);
	layout->locks_at = layout->arbiter_at + layout->sequence_bytes;
	layout->doctor_at = layout->locks_at + (uint64_t)locks_max * layout->sequence_bytes;
	/* Of the size of a slot, so that what is tried there is what a heartbeat writes. */
	layout->end = layout->doctor_at + (uint64_t)nodes_max * SLOT_BYTES;
	return 0;
}

uint64_t disk_layout_slot_at(uint16_t node)
{
	assert(node >= 1 && node <= NODES_MAX);
	return SLOTS_AT + (uint64_t)(node - 1) * SLOT_BYTES;
}

uint64_t disk_layout_claim_at(const struct disk_layout *layout, uint16_t node)
{
	assert(node >= 1 && node <= layout->nodes_max);
	return layout->claims_at + (uint64_t)(node - 1) * layout->claim_bytes;
}

uint64_t disk_layout_arbiter_at(const struct disk_layout *layout, uint16_t node)
{
	assert(node >= 1 && node <= layout->nodes_max);
	return layout->arbiter_at + (uint64_t)(node - 1) * layout->arbiter_bytes;
}

uint64_t disk_layout_lock_at(const struct disk_layout *layout, uint16_t lock, uint16_t node)
{
	assert(node >= 1 && node <= layout->nodes_max && lock < layout->locks_max);
	return layout->locks_at + (uint64_t)lock * layout->sequence_bytes +
	       (uint64_t)(node - 1) * layout->arbiter_bytes;
}

const char *super_arbiter_word(unsigned arbiter)
{
	switch (arbiter) {
	case SUPER_ARBITER_PR:
		return "pr";
	case SUPER_ARBITER_PAXOS:
		return "paxos";
	default:
		return "?";
	}
}

uint64_t disk_layout_doctor_at(const struct disk_layout *layout, uint16_t node)
{
	assert(node >= 1 && node <= layout->nodes_max);
	return layout->doctor_at + (uint64_t)(node - 1) * SLOT_BYTES;
}

/* The places are stored so that other programs need not derive them, and must be the derived ones. */
static int layout_matches(struct bytes_in *in, const struct disk_layout *layout)
{
	int same = bytes_get32(in) == SLOT_BYTES;

	same &= bytes_get32(in) == layout->claim_bytes;
	same &= bytes_get32(in) == layout->arbiter_bytes;
	same &= bytes_get64(in) == SLOTS_AT;
	same &= bytes_get64(in) == layout->claims_at;
	same &= bytes_get64(in) == layout->arbiter_at;
	same &= bytes_get64(in) == layout->end;
	same &= bytes_get64(in) == layout->doctor_at;
	same &= bytes_get64(in) == layout->locks_at;
	same &= bytes_get32(in) == layout->sequence_bytes;
	return same;
}

enum record_verdict super_in(const uint8_t block[RECORD_BYTES], struct super_record *super,
			     struct disk_layout *layout)
{
	const struct record_want want = { .magic = RECORD_SUPER };
	struct bytes_in in = bytes_in(block + RECORD_BODY_AT, RECORD_BODY_BYTES);
	/* What the places follow from stands behind them. */
	struct bytes_in more = bytes_in(block + SUPER_LOCKS_AT, RECORD_CRC_AT - SUPER_LOCKS_AT);
	enum record_verdict verdict;

	memset(super, 0, sizeof *super);
	memset(layout, 0, sizeof *layout);
	verdict = record_in(block, &want, &super->head);
	if (verdict != RECORD_OK)
		return verdict;
	bytes_get_block(&in, super->cluster_name, CLUSTER_NAME_BYTES);
	bytes_get_block(&in, super->disk_uuid, DISK_UUID_BYTES);
	super->disk_index = bytes_get8(&in);
	super->disks_count = bytes_get8(&in);
	super->nodes_max = bytes_get16(&in);
	super->sector_bytes = bytes_get32(&in);
	super->claim_window_ms = bytes_get32(&in);
	super->created_s = bytes_get64(&in);
	bytes_get_block(&in, super->created_by, NODE_NAME_BYTES);
	super->locks_max = bytes_get16(&more);
	super->arbiter = bytes_get8(&more);
	if (super->head.cluster == 0 || !record_name_ok(super->cluster_name, CLUSTER_NAME_BYTES) ||
	    !record_name_ok(super->created_by, NODE_NAME_BYTES) || super->disk_index < 1 ||
	    super->disk_index > super->disks_count || super->disks_count > DISKS_MAX ||
	    super->claim_window_ms < CLAIM_WINDOW_MIN_MS ||
	    super->claim_window_ms > CLAIM_WINDOW_MAX_MS ||
	    (super->arbiter != SUPER_ARBITER_PR && super->arbiter != SUPER_ARBITER_PAXOS) ||
	    disk_layout_set(layout, super->sector_bytes, super->nodes_max, super->locks_max) ||
	    !layout_matches(&in, layout)) {
		memset(layout, 0, sizeof *layout);
		return RECORD_INVALID;
	}
	return RECORD_OK;
}

void super_out(uint8_t block[RECORD_BYTES], const struct super_record *super)
{
	struct bytes_out out = bytes_out(block + RECORD_BODY_AT, RECORD_BODY_BYTES);
	struct record_head head = super->head;
	struct disk_layout layout;
	int no_layout = disk_layout_set(&layout, super->sector_bytes, super->nodes_max,
					super->locks_max);

	assert(!no_layout);
	head.magic = RECORD_SUPER;
	head.version = RECORD_VERSION;
	head.place = 0;
	bytes_put_block(&out, super->cluster_name, CLUSTER_NAME_BYTES);
	bytes_put_block(&out, super->disk_uuid, DISK_UUID_BYTES);
	bytes_put8(&out, super->disk_index);
	bytes_put8(&out, super->disks_count);
	bytes_put16(&out, super->nodes_max);
	bytes_put32(&out, super->sector_bytes);
	bytes_put32(&out, super->claim_window_ms);
	bytes_put64(&out, super->created_s);
	bytes_put_block(&out, super->created_by, NODE_NAME_BYTES);
	bytes_put32(&out, SLOT_BYTES);
	bytes_put32(&out, layout.claim_bytes);
	bytes_put32(&out, layout.arbiter_bytes);
	bytes_put64(&out, SLOTS_AT);
	bytes_put64(&out, layout.claims_at);
	bytes_put64(&out, layout.arbiter_at);
	bytes_put64(&out, layout.end);
	bytes_put64(&out, layout.doctor_at);
	bytes_put64(&out, layout.locks_at);
	bytes_put32(&out, layout.sequence_bytes);
	bytes_put16(&out, super->locks_max);
	bytes_put8(&out, super->arbiter);
	bytes_put_zeros(&out);
	record_out(block, &head);
}
