/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hb_note.c - the heartbeat's notes as sentences; see hb_core.h. Pure.
 */
#include <inttypes.h>
#include <stdio.h>

#include "diskhb/hb_core.h"
#include "diskhb/slot_wire.h"

const char *hb_peer_state_word(enum hb_peer_state state)
{
	static const char *const words[] = { "never seen", "alive", "suspect", "dead by lease",
					     "left" };

	return words[state];
}

static const char *refusal_text(int64_t refusal)
{
	switch (refusal) {
	case HB_REFUSED_ALIVE:
		return "another machine is alive in it";
	case HB_REFUSED_RACE:
		return "another machine claims it at this moment";
	case HB_REFUSED_DYING:
		return "this machine has accepted a pill that ends it, and still runs";
	default:
		return "it is of a newer format, or no larger incarnation is left";
	}
}

static const char *mail_text(enum hb_mail mail)
{
	static const char *const texts[] = {
		[HB_MAIL_REFUSED] = "not posted",
		[HB_MAIL_POSTED] = "posted",
		[HB_MAIL_DELIVERED] = "delivered, readable on a majority",
		[HB_MAIL_ACCEPTED] = "accepted",
		[HB_MAIL_DECLINED] = "declined, the node has no means for it",
		[HB_MAIL_EXPIRED] = "past its deadline: acted on, or the watchdog has fired",
		[HB_MAIL_GONE] = "moot, that incarnation is gone",
		[HB_MAIL_WITHDRAWN] = "withdrawn",
	};

	return texts[mail];
}

static void peer_text(const struct hb_note *note, char *text, size_t size)
{
	switch (note->kind) {
	case HB_NOTE_PEER:
		snprintf(text, size, "node %u: %s, was %s (incarnation %" PRId64 ")", note->node,
			 hb_peer_state_word(note->state), hb_peer_state_word(note->was),
			 note->value);
		return;
	case HB_NOTE_PEER_UNDEAD:
		snprintf(text, size, "node %u writes again by an incarnation that is over",
			 note->node);
		return;
	case HB_NOTE_PEER_DUPLICATE:
		snprintf(text, size, "node %u: two machines write its slot", note->node);
		return;
	case HB_NOTE_PILL:
		snprintf(text, size, "pill received from node %u: %s%s%s%.*s", note->node,
			 slot_pill_word(note->pill), note->rc ? ", refused" : "",
			 note->text_bytes ? ": " : "", (int)note->text_bytes,
			 note->text ? note->text : "");
		return;
	case HB_NOTE_DIE:
		snprintf(text, size, "acting on the pill from node %u: %s", note->node,
			 slot_pill_word(note->pill));
		return;
	case HB_NOTE_MAIL:
		snprintf(text, size, "pill to node %u: %s: %s%s%s", note->node,
			 slot_pill_word(note->pill), mail_text(note->mail), note->rc ? ": " : "",
			 note->rc ? rc_word(note->rc) : "");
		return;
	default:
		snprintf(text, size, "note %d", (int)note->kind);
		return;
	}
}

static void disk_text(const struct hb_note *note, char *text, size_t size)
{
	unsigned disk = note->disk + 1;

	switch (note->kind) {
	case HB_NOTE_DISK_GOOD:
		snprintf(text, size, "disk %u is good", disk);
		return;
	case HB_NOTE_DISK_FAILED:
		snprintf(text, size, "disk %u fails: %s", disk, rc_word(note->rc));
		return;
	case HB_NOTE_DISK_FREED:
		snprintf(text, size, "disk %u answers again, late: %s", disk, rc_word(note->rc));
		return;
	case HB_NOTE_DISK_STALE:
		snprintf(text, size,
			 "disk %u shows our slot older than it had confirmed (sequence %" PRId64
			 "): a stale read or a lost write",
			 disk, note->value);
		return;
	case HB_NOTE_DISK_CHANGED:
		snprintf(text, size, "disk %u has another superblock; it is not written", disk);
		return;
	default:
		snprintf(text, size, "disk %u: the heartbeat of node %u is %s", disk, note->node,
			 note->value == HB_SIGHT_NEWER ? "of a newer format" : "damaged");
		return;
	}
}

char *hb_note_text(const struct hb_note *note, char *text, size_t size)
{
	switch (note->kind) {
	case HB_NOTE_WATCHING:
		snprintf(text, size, "slot watched for %" PRId64 " ms%s%.*s", note->value,
			 note->text_bytes ? ", last used by " : ", its owner is not known",
			 (int)note->text_bytes, note->text ? note->text : "");
		break;
	case HB_NOTE_CLAIM_VOID:
		snprintf(text, size, "claim void (%s); trying again", rc_word(note->rc));
		break;
	case HB_NOTE_ACTIVE:
		snprintf(text, size, "active, incarnation %" PRId64, note->value);
		break;
	case HB_NOTE_REFUSED:
		snprintf(text, size, "slot %u refused: %s", note->node, refusal_text(note->value));
		break;
	case HB_NOTE_LEASE_LOST:
		snprintf(text, size, "lease lost");
		break;
	case HB_NOTE_SLOT_TAKEN:
		snprintf(text, size, "slot %u was taken by another machine (%.*s)", note->node,
			 (int)note->text_bytes, note->text_bytes ? note->text : "");
		break;
	case HB_NOTE_LEFT:
		snprintf(text, size, "left");
		break;
	case HB_NOTE_DISK_GOOD:
	case HB_NOTE_DISK_FAILED:
	case HB_NOTE_DISK_FREED:
	case HB_NOTE_DISK_STALE:
	case HB_NOTE_DISK_CHANGED:
	case HB_NOTE_RECORD_BAD:
		disk_text(note, text, size);
		break;
	default:
		peer_text(note, text, size);
		break;
	}
	return text;
}
