/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hb_facts.c - between bytes and facts; see hb_facts.h.
 */
#include "diskhb/hb_facts.h"

#include <assert.h>
#include <string.h>

#include "base/crc32c.h"

_Static_assert((int)HB_NODES_MAX == (int)NODES_MAX && (int)HB_DISKS_MAX == (int)DISKS_MAX,
	       "the core and the format disagree");
_Static_assert((int)HB_TEXT_BYTES == (int)SLOT_MESSAGE_BYTES &&
		       (int)HB_NAME_BYTES == (int)NODE_NAME_BYTES &&
		       (int)HB_ID_BYTES == (int)MACHINE_ID_BYTES,
	       "the core and the format disagree");
_Static_assert((int)HB_FLAG_LINK_TEST == (int)SLOT_FLAG_LINK_TEST &&
		       (int)HB_FLAG_SURVIVES == (int)SLOT_FLAG_SURVIVES,
	       "the core and the format disagree");
_Static_assert((int)HB_SLOT_DYING == (int)SLOT_DYING && (int)HB_PILL_OFF == (int)SLOT_PILL_OFF &&
		       (int)HB_ACK_REFUSED == (int)SLOT_ACK_REFUSED,
	       "the core and the format disagree");

uint32_t hb_area_bytes(const struct hb_area *area, int with_claims)
{
	return (uint32_t)(with_claims ? area->layout.arbiter_at : area->layout.claims_at);
}

static uint8_t sight_of(enum record_verdict verdict)
{
	switch (verdict) {
	case RECORD_OK:
		return HB_SIGHT_GOOD;
	case RECORD_EMPTY:
		return HB_SIGHT_NONE;
	case RECORD_NEWER:
		return HB_SIGHT_NEWER;
	default:
		return HB_SIGHT_DAMAGED;
	}
}

static void heartbeat_look(const struct record_want *want, const uint8_t *slot,
			   struct hb_seen *seen)
{
	struct heartbeat_record record;

	seen->sight = sight_of(heartbeat_in(slot + SLOT_HEARTBEAT_AT, want, &record));
	if (seen->sight != HB_SIGHT_GOOD) {
		if (seen->sight != HB_SIGHT_NONE)
			seen->print = crc32c(slot + SLOT_HEARTBEAT_AT, RECORD_BYTES);
		return;
	}
	seen->state = record.state;
	seen->flags = record.flags;
	seen->incarnation = record.head.incarnation;
	seen->nonce = record.head.nonce;
	seen->sequence = record.head.sequence;
	seen->interval_ms = record.interval_ms;
	seen->io_timeout_ms = record.io_timeout_ms;
	seen->lease_ms = record.lease_ms;
	seen->watchdog_ms = record.watchdog_ms;
	seen->grain_ms = record.grain_ms;
	seen->epoch = record.epoch;
	seen->reach = record.reach;
	seen->seen = record.seen;
	memcpy(seen->machine, record.machine, sizeof seen->machine);
	memcpy(seen->boot, record.boot, sizeof seen->boot);
	memcpy(seen->name, record.name, sizeof seen->name);
}

/* What another node's slot holds for us. */
static void mail_look(const struct record_want *want, const uint8_t *slot, uint16_t node,
		      struct hb_seen *seen)
{
	struct outbox_record outbox;
	struct acks_record acks;
	struct message_record message;

	seen->outbox_sight = sight_of(outbox_in(slot + SLOT_OUTBOX_AT, want, &outbox));
	seen->outbox_incarnation = outbox.head.incarnation;
	seen->pill = (struct hb_pill){ .incarnation = outbox.pills[node - 1].incarnation,
				       .id = outbox.pills[node - 1].id,
				       .kind = outbox.pills[node - 1].kind };
	seen->acks_sight = sight_of(acks_in(slot + SLOT_ACKS_AT, want, &acks));
	seen->acks_incarnation = acks.head.incarnation;
	seen->acks_nonce = acks.head.nonce;
	seen->ack = (struct hb_ack){ .incarnation = acks.acks[node - 1].incarnation,
				     .id = acks.acks[node - 1].id,
				     .result = acks.acks[node - 1].result };
	if (seen->pill.kind != HB_PILL_MESSAGE ||
	    message_in(slot + SLOT_MESSAGE_AT, want, &message) != RECORD_OK ||
	    message.head.incarnation != outbox.head.incarnation)
		return;
	seen->message_id = message.id;
	seen->message_bytes = message.bytes;
	/* As it lies on the disk, behind id and length. */
	seen->message = (const char *)slot + SLOT_MESSAGE_AT + RECORD_BODY_AT + 4;
}

/* The heartbeat may be damaged where another record still knows the last incarnation. */
static void own_incarnation_look(const struct record_want *want, const uint8_t *slot,
				 struct hb_view *view)
{
	struct acks_record acks;
	struct message_record message;
	struct words_record words;
	uint32_t incarnations[SLOT_WORDS_RECORDS + 2] = { 0 };

	if (acks_in(slot + SLOT_ACKS_AT, want, &acks) == RECORD_OK)
		incarnations[0] = acks.head.incarnation;
	if (message_in(slot + SLOT_MESSAGE_AT, want, &message) == RECORD_OK)
		incarnations[1] = message.head.incarnation;
	for (unsigned i = 0; i < SLOT_WORDS_RECORDS; i++)
		if (words_in(slot + SLOT_WORDS_AT + (size_t)i * RECORD_BYTES, want, i, &words) ==
		    RECORD_OK)
			incarnations[i + 2] = words.head.incarnation;
	for (size_t i = 0; i < SLOT_WORDS_RECORDS + 2; i++)
		if (view->own_incarnation < incarnations[i])
			view->own_incarnation = incarnations[i];
}

static void own_mail_look(const struct record_want *want, const uint8_t *slot, struct hb_view *view)
{
	struct outbox_record outbox;

	view->outbox_sight = sight_of(outbox_in(slot + SLOT_OUTBOX_AT, want, &outbox));
	view->outbox_incarnation = outbox.head.incarnation;
	view->outbox_nonce = outbox.head.nonce;
	view->outbox_sequence = outbox.head.sequence;
	for (size_t i = 0; i < NODES_MAX; i++)
		view->outbox[i] = (struct hb_pill){ .incarnation = outbox.pills[i].incarnation,
						    .id = outbox.pills[i].id,
						    .kind = outbox.pills[i].kind };
}

static void claim_look(const struct hb_area *area, const uint8_t *bytes, uint16_t node,
		       struct hb_view *view)
{
	const uint64_t at = disk_layout_claim_at(&area->layout, node);
	const struct record_want want = { .node = node,
					  .cluster = area->super.head.cluster,
					  .offset = at };
	struct claim_record claim;

	view->claim_sight = sight_of(claim_in(bytes + at, &want, &claim));
	if (view->claim_sight != HB_SIGHT_GOOD) {
		if (view->claim_sight != HB_SIGHT_NONE)
			view->claim_print = crc32c(bytes + at, RECORD_BYTES);
		return;
	}
	view->claim_incarnation = claim.head.incarnation;
	view->claim_nonce = claim.head.nonce;
	view->claim_attempt = claim.head.sequence;
	memcpy(view->claim_name, claim.name, sizeof view->claim_name);
}

void hb_facts_view(const struct hb_area *area, const uint8_t *bytes, uint16_t node, int with_claims,
		   struct hb_view *view)
{
	memset(view, 0, sizeof *view);
	view->super_same = memcmp(bytes, area->block, RECORD_BYTES) == 0;
	for (uint16_t i = 1; i <= area->layout.nodes_max; i++) {
		const struct record_want want = { .node = i, .cluster = area->super.head.cluster };
		const uint8_t *slot = bytes + disk_layout_slot_at(i);

		heartbeat_look(&want, slot, &view->nodes[i - 1]);
		if (i == node)
			own_mail_look(&want, slot, view);
		else if (node != 0)
			mail_look(&want, slot, node, &view->nodes[i - 1]);
	}
	if (!with_claims || node == 0)
		return;
	claim_look(area, bytes, node, view);
	own_incarnation_look(
		&(struct record_want){ .node = node, .cluster = area->super.head.cluster },
		bytes + disk_layout_slot_at(node), view);
}

void hb_facts_slot(const struct hb_area *area, const struct hb_config *config,
		   const struct hb_slot *slot, const struct words *words, uint64_t wall_s,
		   uint8_t bytes[SLOT_BYTES])
{
	const struct record_head head = { .node = config->node,
					  .cluster = area->super.head.cluster,
					  .sequence = slot->sequence,
					  .incarnation = slot->incarnation,
					  .nonce = config->nonce };
	struct heartbeat_record heartbeat = { .head = head,
					      .state = slot->state,
					      .flags = config->flags,
					      .interval_ms = config->interval_ms,
					      .io_timeout_ms = config->io_timeout_ms,
					      .lease_ms = config->lease_ms,
					      .watchdog_ms = config->watchdog_ms,
					      .grain_ms = config->grain_ms,
					      .stamp_ns = (uint64_t)slot->stamp.ns,
					      .wall_s = wall_s,
					      .epoch = slot->epoch,
					      .reach = slot->reach,
					      .seen = slot->seen };
	struct outbox_record outbox = { .head = head };
	struct acks_record acks = { .head = head };
	struct message_record message = { .head = head,
					  .id = slot->message_id,
					  .bytes = slot->message_bytes };

	memcpy(heartbeat.machine, config->machine, sizeof heartbeat.machine);
	memcpy(heartbeat.boot, config->boot, sizeof heartbeat.boot);
	memcpy(heartbeat.name, config->name, sizeof heartbeat.name);
	memcpy(message.text, slot->message, sizeof message.text);
	for (size_t i = 0; i < NODES_MAX; i++) {
		outbox.pills[i] = (struct slot_pill){ .incarnation = slot->pills[i].incarnation,
						      .id = slot->pills[i].id,
						      .kind = slot->pills[i].kind };
		acks.acks[i] = (struct slot_ack){ .incarnation = slot->acks[i].incarnation,
						  .id = slot->acks[i].id,
						  .result = slot->acks[i].result };
	}
	heartbeat_out(bytes + SLOT_HEARTBEAT_AT, &heartbeat);
	outbox_out(bytes + SLOT_OUTBOX_AT, &outbox);
	acks_out(bytes + SLOT_ACKS_AT, &acks);
	message_out(bytes + SLOT_MESSAGE_AT, &message);
	for (unsigned i = 0; i < SLOT_WORDS_RECORDS; i++) {
		struct words_record record = words->records[i];

		record.head = head;
		words_out(bytes + SLOT_WORDS_AT + i * RECORD_BYTES, i, &record);
	}
}

void hb_facts_claim(const struct hb_area *area, const struct hb_config *config,
		    uint32_t incarnation, uint64_t attempt, uint64_t wall_s, uint8_t *bytes)
{
	struct claim_record claim = { .head = { .node = config->node,
						.cluster = area->super.head.cluster,
						.sequence = attempt,
						.incarnation = incarnation,
						.nonce = config->nonce },
				      .wall_s = wall_s };

	memset(bytes, 0, area->layout.claim_bytes);
	memcpy(claim.machine, config->machine, sizeof claim.machine);
	memcpy(claim.boot, config->boot, sizeof claim.boot);
	memcpy(claim.name, config->name, sizeof claim.name);
	claim_out(bytes, &claim, disk_layout_claim_at(&area->layout, config->node));
}

unsigned hb_facts_words(const struct hb_area *area, const uint8_t slot[SLOT_BYTES], uint16_t node,
			struct words *words)
{
	const struct record_want want = { .node = node, .cluster = area->super.head.cluster };
	struct words_record records[SLOT_WORDS_RECORDS];
	enum record_verdict verdicts[SLOT_WORDS_RECORDS];
	unsigned good = 0;

	for (unsigned i = 0; i < SLOT_WORDS_RECORDS; i++) {
		verdicts[i] = words_in(slot + SLOT_WORDS_AT + i * RECORD_BYTES, &want, i,
				       &records[i]);
		good += verdicts[i] == RECORD_OK;
	}
	words_take(words, records, verdicts);
	return good;
}
