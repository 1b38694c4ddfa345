/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hb_facts.h - between the bytes of a disk and what the heartbeat's core knows of them.
 *
 * Callers: hb_io, `holdfast disk show`, the simulator of the tests.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_HB_FACTS_H
#define HOLDFAST_HB_FACTS_H

#include "diskhb/hb_core.h"
#include "diskhb/slot_wire.h"
#include "diskhb/super_wire.h"
#include "diskhb/words.h"

/* The disk as it was opened. */
struct hb_area {
	struct super_record super;
	struct disk_layout layout;
	uint8_t block[RECORD_BYTES]; /* the superblock's bytes: a read must show the same */
};

/* Bytes from the disk's beginning that a read of slots, or of slots and claims, takes. */
uint32_t hb_area_bytes(const struct hb_area *area, int with_claims);

/* What a read of hb_area_bytes() shows to node `node` (0: an observer). The view points into
 * `bytes`. */
void hb_facts_view(const struct hb_area *area, const uint8_t *bytes, uint16_t node, int with_claims,
		   struct hb_view *view);

/* The bytes of our slot. */
void hb_facts_slot(const struct hb_area *area, const struct hb_config *config,
		   const struct hb_slot *slot, const struct words *words, uint64_t wall_s,
		   uint8_t bytes[SLOT_BYTES]);

/* The bytes of our claim, layout.claim_bytes of them. */
void hb_facts_claim(const struct hb_area *area, const struct hb_config *config,
		    uint32_t incarnation, uint64_t attempt, uint64_t wall_s, uint8_t *bytes);

/* The last words in the bytes of a node's slot. Returns how many of its records were good. */
unsigned hb_facts_words(const struct hb_area *area, const uint8_t slot[SLOT_BYTES], uint16_t node,
			struct words *words);

#endif
