/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hb_core_peer.c - what the heartbeats of the other nodes say of them; see hb_core.h.
 */
#include "diskhb/hb_core.h"

#include "base/timing_peer.h"
#include "diskhb/hb_core_parts.h"

static void peer_becomes(struct hb_core *core, struct hb_out *out, uint16_t node,
			 enum hb_peer_state state, int restarted)
{
	struct hb_peer *peer = &core->peers[node - 1];
	struct hb_note *note;

	if (peer->state == state && !restarted)
		return;
	note = hb_note_add(out, HB_NOTE_PEER, 0);
	note->node = node;
	note->was = peer->state;
	note->state = state;
	note->value = peer->last.incarnation;
	peer->state = state;
	hb_letter_moot(core, out, node);
}

/* A heartbeat that is newer than the newest. `changed` means that this disk showed another one
 * before: only then somebody is known to have written it since we look. */
static void peer_writes(struct hb_core *core, struct hb_out *out, uint16_t node,
			const struct hb_seen *seen, int changed)
{
	struct hb_peer *peer = &core->peers[node - 1];
	int restarted = peer->state != HB_PEER_NEVER && seen->incarnation != peer->last.incarnation;
	int final = peer->state == HB_PEER_DEAD || peer->state == HB_PEER_LEFT;
	enum hb_peer_state state = changed ? HB_PEER_ALIVE : HB_PEER_SUSPECT;

	peer->last = *seen;
	peer->last.message = NULL;
	peer->changed_at = core->now;
	if (restarted)
		peer->undead = peer->duplicate = 0;
	if (final && !restarted) {
		if (peer->state == HB_PEER_LEFT && seen->state == HB_SLOT_LEFT)
			return; /* the same goodbye, on one disk more */
		/* An old incarnation never counts as alive again. */
		if (!peer->undead)
			hb_note_add(out, HB_NOTE_PEER_UNDEAD, 0)->node = node;
		peer->undead = 1;
		return;
	}
	if (seen->state == HB_SLOT_LEFT)
		state = HB_PEER_LEFT;
	else if (!changed && !restarted && peer->state == HB_PEER_ALIVE)
		state = HB_PEER_ALIVE; /* news from a disk that was away */
	peer_becomes(core, out, node, state, restarted);
}

void hb_peer_look(struct hb_core *core, struct hb_out *out, unsigned d, uint16_t node,
		  const struct hb_seen *seen, int counts)
{
	struct hb_disk *disk = &core->disks[d];
	struct hb_peer *peer = &core->peers[node - 1];

	if (seen->sight >= HB_SIGHT_DAMAGED && disk->sights[node - 1] != seen->sight) {
		struct hb_note *note = hb_note_add(out, HB_NOTE_RECORD_BAD, d);

		note->node = node;
		note->value = seen->sight;
	}
	disk->sights[node - 1] = seen->sight;
	if (counts && seen->sight <= HB_SIGHT_GOOD)
		disk->clear_at[node - 1] = disk->read_at;
	if (seen->sight == HB_SIGHT_GOOD) {
		int known = peer->state != HB_PEER_NEVER;
		int same = known && seen->incarnation == peer->last.incarnation &&
			   seen->nonce == peer->last.nonce;

		if (!known || seen->incarnation > peer->last.incarnation ||
		    (same && seen->sequence > peer->last.sequence)) {
			peer_writes(core, out, node, seen, disk->ever_read);
		} else if (!same && seen->incarnation == peer->last.incarnation) {
			if (!peer->duplicate)
				hb_note_add(out, HB_NOTE_PEER_DUPLICATE, d)->node = node;
			peer->duplicate = 1;
			/* Whichever of the two wrote it: somebody lives. */
			if (disk->ever_read && (seen->nonce != disk->nonces[node - 1] ||
						seen->sequence != disk->sequences[node - 1]))
				peer_writes(core, out, node, seen, 1);
		}
		disk->nonces[node - 1] = seen->nonce;
		disk->sequences[node - 1] = seen->sequence;
	}
	if (hb_in_rounds(core)) {
		hb_letter_acked(core, out, node, seen);
		hb_pill_take(core, out, node, seen);
	}
}

/* From when on the peer counts as dead, reads permitting. */
mono_t hb_peer_dead_at(const struct hb_core *core, const struct hb_peer *peer)
{
	const struct hb_seen *last = &peer->last;

	if (core->config.observer || peer->state != HB_PEER_SUSPECT || last->watchdog_ms == 0)
		return MONO_NEVER;
	return mono_add_ms(peer->changed_at,
			   timing_peer_gone_ms(last->lease_ms, last->watchdog_ms, last->grain_ms,
					       core->config.drain_ms, core->config.drift_ppm));
}

mono_t hb_peer_suspect_at(const struct hb_core *core, const struct hb_peer *peer)
{
	if (peer->state != HB_PEER_ALIVE)
		return MONO_NEVER;
	return mono_add_ms(peer->changed_at, core->config.member_timeout_ms);
}

/* Were q disks read late enough that no newer record can have been missed? */
static int peer_silent(const struct hb_core *core, uint16_t node)
{
	const struct hb_peer *peer = &core->peers[node - 1];
	mono_t moments[HB_DISKS_MAX];

	for (unsigned d = 0; d < HB_DISKS_MAX; d++)
		moments[d] = core->disks[d].clear_at[node - 1];
	return mono_reached(
		hb_moment_of_quorum(core, moments),
		mono_add_ms(peer->changed_at,
			    timing_peer_silent_ms(peer->last.lease_ms, peer->last.io_timeout_ms,
						  core->config.drift_ppm)));
}

void hb_peers_age(struct hb_core *core, struct hb_out *out)
{
	for (uint16_t node = 1; node <= core->config.nodes_max; node++) {
		struct hb_peer *peer = &core->peers[node - 1];

		if (mono_reached(core->now, hb_peer_suspect_at(core, peer)))
			peer_becomes(core, out, node, HB_PEER_SUSPECT, 0);
		if (mono_reached(core->now, hb_peer_dead_at(core, peer)) && peer_silent(core, node))
			peer_becomes(core, out, node, HB_PEER_DEAD, 0);
	}
}
