/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hb_core_mail.c - pills that were posted and pills that were received; see hb_core.h.
 */
#include "diskhb/hb_core.h"

#include <string.h>

#include "base/timing_peer.h"
#include "diskhb/hb_core_parts.h"

/* ---- mail: ours to others ---- */

static void letter_note(struct hb_core *core, struct hb_out *out, uint16_t to, enum hb_mail mail)
{
	struct hb_note *note = hb_note_add(out, HB_NOTE_MAIL, 0);

	note->node = to;
	note->mail = mail;
	note->request = core->letters[to - 1].request;
	note->pill = (enum hb_pill_kind)core->slot.pills[to - 1].kind;
}

static void letter_end(struct hb_core *core, struct hb_out *out, uint16_t to, enum hb_mail mail)
{
	letter_note(core, out, to, mail);
	core->letters[to - 1] = (struct hb_letter){ 0 };
	core->slot.pills[to - 1] = (struct hb_pill){ 0 };
}

static int message_pending(const struct hb_core *core)
{
	for (size_t i = 0; i < HB_NODES_MAX; i++)
		if (core->slot.pills[i].kind == HB_PILL_MESSAGE)
			return 1;
	return 0;
}

static void letter_post(struct hb_core *core, uint16_t to, enum hb_pill_kind kind,
			uint32_t incarnation, uint16_t id, uint64_t request)
{
	core->slot.pills[to - 1] = (struct hb_pill){ .incarnation = incarnation,
						     .id = id,
						     .kind = (uint8_t)kind };
	core->letters[to - 1] = (struct hb_letter){ .in_use = 1,
						    .request = request,
						    .expires = MONO_NEVER };
}

static uint16_t letter_id(struct hb_core *core)
{
	uint16_t id = core->next_id++;

	if (core->next_id == 0)
		core->next_id = 1;
	return id;
}

void hb_letters_inherit(struct hb_core *core)
{
	memset(core->slot.pills, 0, sizeof core->slot.pills);
	memset(core->slot.acks, 0, sizeof core->slot.acks);
	memset(core->letters, 0, sizeof core->letters);
	for (uint16_t to = 1; to <= core->config.nodes_max; to++)
		if (core->inherited[to - 1].kind >= HB_PILL_CRASH && to != core->config.node)
			letter_post(core, to, (enum hb_pill_kind)core->inherited[to - 1].kind,
				    core->inherited[to - 1].incarnation, letter_id(core), 0);
}

/* Why a pill cannot be posted; 0 when it can. A stronger pill replaces a weaker one. */
static int send_refused(const struct hb_core *core, const struct hb_event *event)
{
	const struct hb_peer *peer;

	if (core->stage != HB_STAGE_ACTIVE)
		return RC_STATE;
	if (event->to < 1 || event->to > core->config.nodes_max || event->to == core->config.node ||
	    event->pill <= HB_PILL_NONE || event->pill >= HB_PILL_KINDS ||
	    event->text_bytes > HB_TEXT_BYTES)
		return RC_CONFIG;
	peer = &core->peers[event->to - 1];
	if (peer->state == HB_PEER_NEVER || peer->state == HB_PEER_LEFT)
		return RC_STATE;
	if (core->letters[event->to - 1].in_use &&
	    core->slot.pills[event->to - 1].kind >= (uint8_t)event->pill)
		return RC_BUSY;
	if (event->pill == HB_PILL_MESSAGE && message_pending(core) &&
	    (event->text_bytes != core->slot.message_bytes ||
	     memcmp(event->text, core->slot.message, event->text_bytes) != 0))
		return RC_BUSY;
	return 0;
}

void hb_send(struct hb_core *core, const struct hb_event *event, struct hb_out *out)
{
	int rc = send_refused(core, event);
	uint16_t id;

	if (rc) {
		struct hb_note *note = hb_note_add(out, HB_NOTE_MAIL, 0);

		note->mail = HB_MAIL_REFUSED;
		note->rc = rc;
		note->request = event->request;
		note->node = event->to;
		note->pill = event->pill;
		return;
	}
	if (core->letters[event->to - 1].in_use)
		letter_end(core, out, event->to, HB_MAIL_WITHDRAWN);
	if (event->pill == HB_PILL_MESSAGE && message_pending(core)) {
		id = core->slot.message_id; /* the same text to one more */
	} else {
		id = letter_id(core);
		if (event->pill == HB_PILL_MESSAGE) {
			memset(core->slot.message, 0, sizeof core->slot.message);
			memcpy(core->slot.message, event->text, event->text_bytes);
			core->slot.message_id = id;
			core->slot.message_bytes = (uint16_t)event->text_bytes;
		}
	}
	letter_post(core, event->to, event->pill, core->peers[event->to - 1].last.incarnation, id,
		    event->request);
	letter_note(core, out, event->to, HB_MAIL_POSTED);
}

static int is_on_quorum(const struct hb_core *core, const struct hb_letter *letter)
{
	unsigned count = 0;

	for (unsigned d = 0; d < core->config.disks; d++)
		count += letter->on_disk[d];
	return count >= core->quorum;
}

/* Disk `d` shows our slot as it was before: a write of our predecessor has landed late, or the read was
 * stale. Whoever reads it now does not see our mail there. A letter that rests on this disk is
 * delivered anew, with a new deadline, once it is shown again. */
void hb_letters_hidden(struct hb_core *core, unsigned d)
{
	for (uint16_t to = 1; to <= core->config.nodes_max; to++) {
		struct hb_letter *letter = &core->letters[to - 1];

		letter->on_disk[d] = 0;
		if (!letter->delivered || letter->expired || is_on_quorum(core, letter))
			continue;
		letter->delivered = 0;
		letter->expires = MONO_NEVER;
	}
}

/* What a read of our own slot says of our letters. Every write error counts: a disk whose last
 * write failed proves nothing, whatever it shows. */
void hb_letters_check(struct hb_core *core, struct hb_out *out, unsigned d,
		      const struct hb_view *view)
{
	const struct hb_disk *disk = &core->disks[d];

	if (view->outbox_sight != HB_SIGHT_GOOD || disk->write_failed ||
	    view->outbox_incarnation != core->slot.incarnation ||
	    view->outbox_nonce != core->config.nonce || view->outbox_sequence < disk->written)
		return;
	for (uint16_t to = 1; to <= core->config.nodes_max; to++) {
		struct hb_letter *letter = &core->letters[to - 1];
		const struct hb_pill *pill = &core->slot.pills[to - 1];
		const struct hb_pill *shown = &view->outbox[to - 1];
		const struct hb_seen *reader = &core->peers[to - 1].last;

		if (!letter->in_use || letter->delivered ||
		    shown->incarnation != pill->incarnation || shown->id != pill->id ||
		    shown->kind != pill->kind)
			continue;
		letter->on_disk[d] = 1;
		if (!is_on_quorum(core, letter))
			continue;
		letter->delivered = 1;
		if (pill->kind >= HB_PILL_CRASH && reader->watchdog_ms > 0 &&
		    !(reader->flags & HB_FLAG_SURVIVES) && reader->incarnation == pill->incarnation)
			letter->expires = mono_add_ms(
				core->now,
				timing_pill_ms(reader->lease_ms, reader->watchdog_ms,
					       reader->grain_ms, core->config.drift_ppm));
		letter_note(core, out, to, HB_MAIL_DELIVERED);
	}
}

void hb_letters_expire(struct hb_core *core, struct hb_out *out)
{
	for (uint16_t to = 1; to <= core->config.nodes_max; to++) {
		struct hb_letter *letter = &core->letters[to - 1];

		if (!letter->in_use || letter->expired || !mono_reached(core->now, letter->expires))
			continue;
		/* It stays where it is: whoever reads it late is still meant. */
		letter->expired = 1;
		letter_note(core, out, to, HB_MAIL_EXPIRED);
	}
}

void hb_letter_acked(struct hb_core *core, struct hb_out *out, uint16_t from,
		     const struct hb_seen *seen)
{
	const struct hb_pill *pill = &core->slot.pills[from - 1];

	if (!core->letters[from - 1].in_use || seen->acks_sight != HB_SIGHT_GOOD ||
	    seen->acks_incarnation != pill->incarnation || seen->ack.result == HB_ACK_NONE ||
	    seen->ack.incarnation != core->slot.incarnation || seen->ack.id != pill->id)
		return;
	letter_end(core, out, from,
		   seen->ack.result == HB_ACK_ACCEPTED ? HB_MAIL_ACCEPTED : HB_MAIL_DECLINED);
}

/* The incarnation that the letter was for is no more. */
void hb_letter_moot(struct hb_core *core, struct hb_out *out, uint16_t to)
{
	const struct hb_peer *peer = &core->peers[to - 1];

	if (core->letters[to - 1].in_use &&
	    (peer->last.incarnation > core->slot.pills[to - 1].incarnation ||
	     peer->state == HB_PEER_LEFT))
		letter_end(core, out, to, HB_MAIL_GONE);
}

/* ---- mail: of others to us ---- */

/* Is pill `id` of this sender newer than the one last answered? Numbers wrap. */
static int pill_is_new(const struct hb_ack *ack, uint32_t incarnation, uint16_t id)
{
	if (ack->result == HB_ACK_NONE || incarnation > ack->incarnation)
		return 1;
	return incarnation == ack->incarnation && (int16_t)(uint16_t)(id - ack->id) > 0;
}

void hb_pill_take(struct hb_core *core, struct hb_out *out, uint16_t from,
		  const struct hb_seen *seen)
{
	const struct hb_pill *pill = &seen->pill;
	struct hb_ack *ack = &core->slot.acks[from - 1];
	int accepted = core->config.accepts >> pill->kind & 1;
	struct hb_note *note;

	if (seen->outbox_sight != HB_SIGHT_GOOD || pill->kind == HB_PILL_NONE ||
	    pill->incarnation != core->slot.incarnation ||
	    seen->outbox_incarnation < core->peers[from - 1].last.incarnation ||
	    !pill_is_new(ack, seen->outbox_incarnation, pill->id))
		return;
	/* Its text is a record of its own, and may come with the next read. */
	if (pill->kind == HB_PILL_MESSAGE && seen->message_id != pill->id)
		return;
	*ack = (struct hb_ack){ .incarnation = seen->outbox_incarnation,
				.id = pill->id,
				.result = accepted ? HB_ACK_ACCEPTED : HB_ACK_REFUSED };
	note = hb_note_add(out, HB_NOTE_PILL, 0);
	note->node = from;
	note->pill = (enum hb_pill_kind)pill->kind;
	note->rc = accepted ? 0 : RC_UNSUPPORTED;
	if (pill->kind == HB_PILL_MESSAGE) {
		note->text = seen->message;
		note->text_bytes = seen->message_bytes;
	}
	if (!accepted || pill->kind < HB_PILL_CRASH || core->stage == HB_STAGE_DYING)
		return;
	core->stage = HB_STAGE_DYING;
	core->pill = (enum hb_pill_kind)pill->kind;
	core->pill_from = from;
	core->pill_sequence = core->slot.sequence + 1;
	core->die_at = mono_add_ms(core->now, (int64_t)core->config.interval_ms +
						      2 * (int64_t)core->config.io_timeout_ms);
}

void hb_die(struct hb_core *core, struct hb_out *out)
{
	struct hb_note *note = hb_note_add(out, HB_NOTE_DIE, 0);

	note->node = core->pill_from;
	note->pill = core->pill;
	core->die_at = MONO_NEVER;
}

void hb_withdraw(struct hb_core *core, const struct hb_event *event, struct hb_out *out)
{
	for (uint16_t to = 1; to <= core->config.nodes_max; to++)
		if (core->letters[to - 1].in_use &&
		    core->letters[to - 1].request == event->request &&
		    (event->to == 0 || event->to == to))
			letter_end(core, out, to, HB_MAIL_WITHDRAWN);
}
