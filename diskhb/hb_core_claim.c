/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hb_core_claim.c - winning the slot; see hb_core.h for the protocol and its proof.
 */
#include "diskhb/hb_core.h"

#include <string.h>

#include "base/timing_peer.h"
#include "diskhb/hb_core_parts.h"

static void holder_found(struct hb_core *core, const struct hb_seen *own)
{
	const struct hb_config *c = &core->config;

	core->holder = *own;
	core->holder.message = NULL;
	core->holder_changed_at = core->now;
	if (own->state == HB_SLOT_LEFT || own->nonce == c->nonce ||
	    (c->predecessor_gone && memcmp(own->machine, c->machine, HB_ID_BYTES) == 0 &&
	     memcmp(own->boot, c->boot, HB_ID_BYTES) == 0))
		core->holder_changed_at = MOMENT_NONE;
}

/* The heartbeat in our slot, which is not ours yet. */
void hb_holder_look(struct hb_core *core, struct hb_disk *disk, const struct hb_seen *own)
{
	const struct hb_seen *holder = &core->holder;
	int same = disk->own_sight == own->sight &&
		   (own->sight == HB_SIGHT_GOOD ? disk->own_incarnation == own->incarnation &&
							  disk->own_nonce == own->nonce &&
							  disk->own_sequence == own->sequence
						: disk->own_print == own->print);

	if (own->sight == HB_SIGHT_GOOD) {
		if (own->incarnation > core->highest)
			core->highest = own->incarnation;
		if (disk->ever_read && !same && own->state != HB_SLOT_LEFT &&
		    own->nonce != core->config.nonce)
			disk->own_changes++;
		if (holder->sight != HB_SIGHT_GOOD || own->incarnation > holder->incarnation ||
		    (own->incarnation == holder->incarnation &&
		     (own->nonce != holder->nonce || own->sequence > holder->sequence)))
			holder_found(core, own);
	} else if (own->sight == HB_SIGHT_DAMAGED && !(disk->ever_read && same)) {
		/* Whose it was, and what it promised, is not known: the lease is taken for ours. */
		if (core->holder.lease_ms < core->config.lease_ms)
			core->holder.lease_ms = core->config.lease_ms;
		if (core->holder.io_timeout_ms < core->config.io_timeout_ms)
			core->holder.io_timeout_ms = core->config.io_timeout_ms;
		core->holder_changed_at = core->now;
	}
	disk->own_sight = own->sight;
	disk->own_incarnation = own->incarnation;
	disk->own_nonce = own->nonce;
	disk->own_sequence = own->sequence;
	disk->own_print = own->print;
}

/* A claim that may still become a heartbeat, for all that this disk shows. */
static int claim_is_open(const struct hb_core *core, const struct hb_disk *disk)
{
	const struct hb_seen *holder = &core->holder;

	if (disk->claim_sight == HB_SIGHT_NONE)
		return 0;
	if (disk->claim_sight != HB_SIGHT_GOOD || holder->sight != HB_SIGHT_GOOD)
		return 1;
	return disk->claim_incarnation > holder->incarnation ||
	       (disk->claim_incarnation == holder->incarnation &&
		disk->claim_nonce != holder->nonce);
}

void hb_claim_look(struct hb_core *core, struct hb_disk *disk, const struct hb_view *view)
{
	int same = disk->claim_sight == view->claim_sight &&
		   disk->claim_incarnation == view->claim_incarnation &&
		   disk->claim_nonce == view->claim_nonce &&
		   disk->claim_attempt == view->claim_attempt &&
		   disk->claim_print == view->claim_print;

	disk->claim_sight = view->claim_sight;
	disk->claim_incarnation = view->claim_incarnation;
	disk->claim_nonce = view->claim_nonce;
	disk->claim_attempt = view->claim_attempt;
	disk->claim_print = view->claim_print;
	if (view->claim_sight == HB_SIGHT_GOOD && view->claim_incarnation > core->highest)
		core->highest = view->claim_incarnation;
	if (!(same && disk->ever_read))
		core->claims_changed_at = core->now;
}

static void highest_raise(struct hb_core *core, uint32_t incarnation)
{
	/* A number that leaves no larger one is no memory of anybody. */
	if (core->highest < incarnation && incarnation < UINT32_MAX - 1)
		core->highest = incarnation;
}

/* Where our own records are damaged, others may still know by which incarnation we wrote last. */
static void highest_look(struct hb_core *core, const struct hb_view *view)
{
	highest_raise(core, view->own_incarnation);
	if (view->outbox_sight == HB_SIGHT_GOOD)
		highest_raise(core, view->outbox_incarnation);
	for (unsigned i = 0; i < core->config.nodes_max; i++) {
		const struct hb_seen *seen = &view->nodes[i];

		if (i + 1 == core->config.node)
			continue;
		if (seen->outbox_sight == HB_SIGHT_GOOD)
			highest_raise(core, seen->pill.incarnation);
		if (seen->acks_sight == HB_SIGHT_GOOD)
			highest_raise(core, seen->ack.incarnation);
	}
}

void hb_inherit_look(struct hb_core *core, const struct hb_view *view)
{
	highest_look(core, view);
	if (view->outbox_sight != HB_SIGHT_GOOD ||
	    view->outbox_incarnation < core->inherited_incarnation ||
	    (view->outbox_incarnation == core->inherited_incarnation &&
	     view->outbox_sequence <= core->inherited_sequence))
		return;
	core->inherited_incarnation = view->outbox_incarnation;
	core->inherited_sequence = view->outbox_sequence;
	memcpy(core->inherited, view->outbox, sizeof core->inherited);
}

/* From when on reads may decide that the slot is free; a moment in the past when nothing hinders. */
static mono_t slot_free_at(const struct hb_core *core)
{
	mono_t free_at = MOMENT_NONE;
	int is_open = 0;

	if (moment_is(core->holder_changed_at))
		free_at = mono_add_ms(core->holder_changed_at,
				      timing_peer_silent_ms(core->holder.lease_ms,
							    core->holder.io_timeout_ms,
							    core->config.drift_ppm));
	for (unsigned d = 0; d < core->config.disks; d++)
		is_open |= claim_is_open(core, &core->disks[d]);
	if (is_open) {
		mono_t settled = mono_add_ms(core->claims_changed_at,
					     timing_claim_watch_ms(core->config.claim_window_ms,
								   core->config.drift_ppm));

		if (mono_before(free_at, settled))
			free_at = settled;
	}
	return free_at;
}

void hb_claim_void(struct hb_core *core, struct hb_out *out, int rc)
{
	core->stage = HB_STAGE_WATCH;
	core->next_round = mono_add_ms(core->now, core->config.interval_ms);
	if (!core->told_void)
		hb_note_add(out, HB_NOTE_CLAIM_VOID, 0)->rc = rc;
	core->told_void = 1;
}

static void claim_start(struct hb_core *core, struct hb_out *out)
{
	unsigned open = 0;

	core->stage = HB_STAGE_CLAIM;
	core->claim_at = core->now;
	core->attempt++;
	core->slot.incarnation = core->highest + 1 > core->config.incarnation
					 ? core->highest + 1
					 : core->config.incarnation;
	core->slot.sequence = 0;
	for (unsigned d = 0; d < core->config.disks; d++) {
		struct hb_disk *disk = &core->disks[d];
		struct hb_action *action;

		disk->claimed = disk->checked = disk->mine = disk->left = 0;
		disk->writing = disk->written = 0;
		disk->pending_at = disk->good_at = MOMENT_NONE;
		if (disk->path != HB_PATH_IDLE || !disk->ever_read || disk->changed)
			continue;
		action = hb_request_add(core, out, HB_ACTION_WRITE_CLAIM, d,
					core->config.io_timeout_ms);
		action->incarnation = core->slot.incarnation;
		action->attempt = core->attempt;
		open++;
	}
	if (open == 0)
		hb_claim_void(core, out, RC_BUSY);
}

/* After a read in WATCH: is the slot refused, free, or still to be watched? */
void hb_claim_decide(struct hb_core *core, struct hb_out *out)
{
	mono_t free_at = slot_free_at(core);
	mono_t read_at = hb_reads_of_quorum(core);
	struct hb_note *note;

	for (unsigned d = 0; d < core->config.disks; d++) {
		if (core->disks[d].own_sight == HB_SIGHT_NEWER ||
		    core->disks[d].claim_sight == HB_SIGHT_NEWER) {
			hb_core_end(core, out, HB_NOTE_REFUSED, HB_REFUSED_NEWER);
			return;
		}
		if (core->disks[d].own_changes >= 2) {
			hb_core_end(core, out, HB_NOTE_REFUSED, HB_REFUSED_ALIVE);
			return;
		}
	}
	/* An incarnation that leaves no larger one. */
	if (core->highest >= UINT32_MAX - 1) {
		hb_core_end(core, out, HB_NOTE_REFUSED, HB_REFUSED_NEWER);
		return;
	}
	if (!moment_is(read_at))
		return;
	for (unsigned d = 0; d < core->config.disks; d++)
		if (core->disks[d].path == HB_PATH_READ)
			return;
	if (mono_reached(read_at, free_at)) {
		core->decided_at = read_at;
		/* Reads of different rounds may be too old to decide on. */
		if (mono_diff_ms(read_at, core->now) <= core->config.claim_window_ms)
			claim_start(core, out);
		return;
	}
	if (core->told_watching)
		return;
	core->told_watching = 1;
	note = hb_note_add(out, HB_NOTE_WATCHING, 0);
	note->value = mono_left_ms(core->now, free_at);
	note->text = core->holder.name;
	note->text_bytes = strnlen(core->holder.name, HB_NAME_BYTES);
}

void hb_claim_written(struct hb_core *core, struct hb_out *out, unsigned d, int rc, mono_t ended_at)
{
	struct hb_disk *disk = &core->disks[d];
	unsigned good = 0, open = 0;

	if (core->stage != HB_STAGE_CLAIM)
		return;
	/* Counted in nanoseconds: the window holds whole. */
	if (rc == 0 &&
	    mono_reached(mono_add_ms(core->decided_at, core->config.claim_window_ms), ended_at))
		disk->claimed = 1;
	for (unsigned i = 0; i < core->config.disks; i++) {
		good += core->disks[i].claimed != 0;
		open += core->disks[i].path == HB_PATH_WRITE;
	}
	if (good >= core->quorum) {
		core->stage = HB_STAGE_WAIT;
		core->wait_until = mono_add_ms(
			core->now,
			timing_claim_wait_ms(core->config.claim_window_ms, core->config.drift_ppm));
	} else if (open == 0) {
		hb_claim_void(core, out, rc ? rc : RC_TIMEOUT);
	}
}

static void join_start(struct hb_core *core, struct hb_out *out)
{
	mono_t first = MONO_NEVER;

	core->stage = HB_STAGE_JOIN;
	core->next_round = core->now;
	hb_letters_inherit(core);
	for (unsigned d = 0; d < core->config.disks; d++) {
		struct hb_disk *disk = &core->disks[d];

		if (!disk->mine || disk->path != HB_PATH_IDLE)
			continue;
		disk->round_at = disk->read_at;
		first = mono_min(first, disk->read_at);
		hb_slot_write(core, out, d);
	}
	core->join_until = mono_min(
		mono_add_ms(core->claim_at, timing_claim_life_ms(core->config.claim_window_ms)),
		mono_add_ms(first, core->config.lease_ms));
}

/* After each answer of CHECK. */
void hb_check_decide(struct hb_core *core, struct hb_out *out)
{
	unsigned mine = 0, open = 0, foreign = 0;

	for (unsigned d = 0; d < core->config.disks; d++) {
		mine += core->disks[d].mine != 0;
		open += core->disks[d].path == HB_PATH_READ;
		foreign += core->disks[d].checked && !core->disks[d].mine &&
			   core->disks[d].claim_sight != HB_SIGHT_NONE;
	}
	if (mine >= core->quorum &&
	    mono_before(core->now, mono_add_ms(core->claim_at,
					       timing_claim_life_ms(core->config.claim_window_ms))))
		join_start(core, out);
	else if (open > 0)
		return;
	else if (foreign > 0)
		hb_core_end(core, out, HB_NOTE_REFUSED, HB_REFUSED_RACE);
	else
		hb_claim_void(core, out, RC_STATE);
}

void hb_check_start(struct hb_core *core, struct hb_out *out)
{
	core->stage = HB_STAGE_CHECK;
	for (unsigned d = 0; d < core->config.disks; d++)
		if (core->disks[d].path == HB_PATH_IDLE)
			hb_read_start(core, out, d);
	hb_check_decide(core, out);
}

void hb_check_read(struct hb_core *core, struct hb_out *out, unsigned d, const struct hb_view *view)
{
	struct hb_disk *disk = &core->disks[d];
	const struct hb_seen *own = &view->nodes[core->config.node - 1];
	mono_t before = core->holder_changed_at;

	if (own->sight == HB_SIGHT_DAMAGED &&
	    (disk->own_sight != HB_SIGHT_DAMAGED || disk->own_print != own->print))
		return; /* this disk says nothing; the next WATCH looks at it anew */
	hb_holder_look(core, disk, own);
	hb_claim_look(core, disk, view);
	hb_inherit_look(core, view);
	/* Somebody wrote a heartbeat after the read that found the slot free. */
	if (own->sight == HB_SIGHT_NEWER || core->holder_changed_at.ns > before.ns) {
		hb_core_end(core, out, HB_NOTE_REFUSED, HB_REFUSED_ALIVE);
		return;
	}
	disk->checked = 1;
	disk->mine = view->claim_sight == HB_SIGHT_GOOD &&
		     view->claim_incarnation == core->slot.incarnation &&
		     view->claim_nonce == core->config.nonce &&
		     view->claim_attempt == core->attempt;
}
