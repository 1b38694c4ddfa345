/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_disk_area.c - a whole read of a shared disk whose slots hold anything: the input is laid over a
 * disk of four nodes in pieces of 512 bytes, each with a number and a right checksum.
 *
 * Beside surviving: what the core is told of it is fit for it. The core takes the view as node 2 in
 * all its stages.
 *
 * LINK: diskhb base
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "diskhb/hb_facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NODES = 4, PIECE_HEAD = 2, PIECE_BYTES = 224 };

static uint8_t bytes[1 << 17];
static struct hb_view view;
static struct hb_out out;

static void area_make(struct hb_area *area)
{
	memset(area, 0, sizeof *area);
	area->super = (struct super_record){ .head = { .cluster = 1, .sequence = 1 },
					     .cluster_name = "a",
					     .disk_index = 1,
					     .disks_count = 1,
					     .nodes_max = NODES,
					     .sector_bytes = 512,
					     .claim_window_ms = 500,
					     .created_by = "a" };
	super_out(area->block, &area->super);
	assert(disk_layout_set(&area->layout, 512, NODES, 0) == 0);
	memset(bytes, 0, sizeof bytes);
	memcpy(bytes, area->block, RECORD_BYTES);
}

static void piece_lay(const struct hb_area *area, const uint8_t *piece, size_t length)
{
	static const uint32_t magics[] = { RECORD_HEARTBEAT, RECORD_OUTBOX, RECORD_ACKS,
					   RECORD_MESSAGE,   RECORD_WORDS,  RECORD_WORDS,
					   RECORD_WORDS,     RECORD_WORDS };
	size_t node = 1 + piece[0] % NODES, part = piece[1] % 9;
	size_t at = part < 8 ? node * SLOT_BYTES + part * RECORD_BYTES
			     : disk_layout_claim_at(&area->layout, (uint16_t)node);
	uint32_t magic = part < 8 ? magics[part] : RECORD_CLAIM;
	struct record_head head = { .magic = magic,
				    .version = RECORD_VERSION,
				    .node = (uint16_t)node,
				    .cluster = 1,
				    .sequence = piece[1] >> 4,
				    .incarnation = 1 + (piece[0] >> 6),
				    .nonce = 1 + (piece[0] >> 4 & 3),
				    .place = (uint32_t)(at / RECORD_BYTES) };

	memset(bytes + at, 0, RECORD_BYTES);
	memcpy(bytes + at + RECORD_BODY_AT, piece + PIECE_HEAD, length - PIECE_HEAD);
	record_out(bytes + at, &head);
}

static void core_feed(struct hb_core *core, mono_t now)
{
	struct hb_event event = { .kind = HB_EVENT_TICK, .now = now };

	hb_core_step(core, &event, &out);
	for (unsigned guard = 0; guard < 8; guard++) {
		enum hb_path path = core->disks[0].path;

		if (path != HB_PATH_READ && path != HB_PATH_WRITE)
			break;
		event = (struct hb_event){ .kind = path == HB_PATH_READ ? HB_EVENT_READ_DONE
									: HB_EVENT_WRITE_DONE,
					   .now = now,
					   .token = core->disks[0].token,
					   .submitted_at = now,
					   .ended_at = now,
					   .view = &view };
		hb_core_step(core, &event, &out);
		for (size_t i = 0; i < out.count; i++) {
			char text[600];

			if (out.actions[i].kind == HB_ACTION_NOTE)
				hb_note_text(&out.actions[i].note, text, sizeof text);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hb_core core;
	static struct hb_area area;
	const struct hb_config config = { .node = 2,
					  .nodes_max = NODES,
					  .disks = 1,
					  .name = "b",
					  .nonce = 2,
					  .interval_ms = 100,
					  .io_timeout_ms = 100,
					  .member_timeout_ms = 1000,
					  .lease_ms = 1000,
					  .watchdog_ms = 1000,
					  .claim_window_ms = 100,
					  .accepts = UINT32_MAX };
	struct words words;
	struct words_line line = { 0 };
	struct err err;
	mono_t now = { 0 };

	area_make(&area);
	assert(hb_core_init(&core, &config, now, &err) == 0);
	while (size > PIECE_HEAD) {
		size_t length = size < PIECE_BYTES ? size : PIECE_BYTES;

		piece_lay(&area, data, length);
		data += length;
		size -= length;
		hb_facts_view(&area, bytes, 2, 1, &view);
		now = mono_add_ms(now, 100);
		core_feed(&core, now);
	}
	for (uint16_t node = 1; node <= area.layout.nodes_max; node++) {
		uint64_t before = 0;

		hb_facts_words(&area, bytes + disk_layout_slot_at(node), node, &words);
		while (words_next(&words, before, &line)) {
			assert(line.number > before);
			before = line.number;
		}
		words_add(&words, 1, 1, "one more");
		assert(words_next(&words, words.next_line - 2, &line));
	}
	return 0;
}
