/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hb_core.c - the heartbeat's decisions; see hb_core.h for the rules and their proofs.
 */
#include "diskhb/hb_core.h"

#include <assert.h>
#include <string.h>

#include "base/timing_peer.h"
#include "diskhb/hb_core_parts.h"

/* No record here has a timeout so long, so that sums stay far from their limits. */
enum { TIMEOUT_MAX_MS = 86400000, CLAIM_WINDOW_LEAST_MS = 50 };

/* ---- init ---- */

static int config_check(const struct hb_config *c, struct err *err)
{
	const char *next = "correct the configuration";

	if (c->disks < 1 || c->disks > HB_DISKS_MAX)
		return err_set(err, RC_CONFIG, next, "%u disks: expected 1 to %d", c->disks,
			       HB_DISKS_MAX);
	if (c->nodes_max < 1 || c->nodes_max > HB_NODES_MAX)
		return err_set(err, RC_CONFIG, next, "%u nodes: expected 1 to %d", c->nodes_max,
			       HB_NODES_MAX);
	if (c->interval_ms < 1 || c->io_timeout_ms < 1 || c->interval_ms > TIMEOUT_MAX_MS ||
	    c->io_timeout_ms > TIMEOUT_MAX_MS || c->member_timeout_ms > TIMEOUT_MAX_MS)
		return err_set(err, RC_CONFIG, next,
			       "a timeout of the disk heartbeat is out of range");
	if (c->member_timeout_ms <= c->interval_ms)
		return err_set(err, RC_CONFIG, next,
			       "the member timeout (%u ms) is not above the disk interval (%u ms)",
			       c->member_timeout_ms, c->interval_ms);
	if (c->observer)
		return 0;
	if (c->node < 1 || c->node > c->nodes_max)
		return err_set(err, RC_CONFIG, "use an id that the disk has a slot for",
			       "node id %u: the disk has slots 1 to %u", c->node, c->nodes_max);
	if (c->lease_ms > TIMEOUT_MAX_MS || c->watchdog_ms > TIMEOUT_MAX_MS ||
	    c->grain_ms > TIMEOUT_MAX_MS || c->drain_ms > TIMEOUT_MAX_MS ||
	    c->drift_ppm > TIMING_DRIFT_PPM_MAX || c->claim_window_ms < CLAIM_WINDOW_LEAST_MS ||
	    c->claim_window_ms > TIMEOUT_MAX_MS)
		return err_set(err, RC_CONFIG, next,
			       "a timeout of the disk heartbeat is out of range");
	/* A round that takes all of its time must still be credited by a next one within the lease. */
	if ((uint64_t)c->lease_ms < 2 * (uint64_t)c->interval_ms + 3 * (uint64_t)c->io_timeout_ms)
		return err_set(err, RC_CONFIG, "lengthen the lease, or shorten the disk's timeout",
			       "the lease (%u ms) is shorter than two intervals and three disk "
			       "timeouts (2 x %u + 3 x %u ms)",
			       c->lease_ms, c->interval_ms, c->io_timeout_ms);
	return 0;
}

static void disk_reset(struct hb_disk *disk)
{
	*disk = (struct hb_disk){ 0 };
	disk->read_at = disk->round_at = disk->pending_at = disk->good_at = MOMENT_NONE;
	for (size_t i = 0; i < HB_NODES_MAX; i++)
		disk->clear_at[i] = MOMENT_NONE;
}

int hb_core_init(struct hb_core *core, const struct hb_config *config, mono_t now, struct err *err)
{
	int rc = config_check(config, err);

	if (rc)
		return rc;
	assert(config->observer || (config->nonce && config->name[0]));
	memset(core, 0, sizeof *core);
	core->config = *config;
	core->stage = config->observer ? HB_STAGE_OBSERVE : HB_STAGE_WATCH;
	core->now = now;
	core->quorum = config->disks / 2 + 1;
	core->next_round = now;
	core->next_token = 1;
	core->next_id = 1;
	core->holder_changed_at = core->claims_changed_at = MOMENT_NONE;
	core->decided_at = core->claim_at = MOMENT_NONE;
	core->wait_until = core->join_until = core->die_at = MONO_NEVER;
	for (size_t i = 0; i < HB_DISKS_MAX; i++)
		disk_reset(&core->disks[i]);
	return 0;
}

/* ---- small things ---- */

static struct hb_action *action_add(struct hb_out *out, enum hb_action_kind kind, unsigned disk)
{
	struct hb_action *action;

	assert(out->count < HB_ACTIONS_MAX);
	action = &out->actions[out->count++];
	*action = (struct hb_action){ .kind = kind, .disk = disk };
	action->note.disk = disk;
	return action;
}

struct hb_note *hb_note_add(struct hb_out *out, enum hb_note_kind kind, unsigned disk)
{
	struct hb_note *note = &action_add(out, HB_ACTION_NOTE, disk)->note;

	note->kind = kind;
	return note;
}

void hb_core_end(struct hb_core *core, struct hb_out *out, enum hb_note_kind kind, int64_t value)
{
	struct hb_note *note = hb_note_add(out, kind, 0);

	note->value = value;
	note->node = core->config.node;
	core->stage = HB_STAGE_ENDED;
}

/* The newest moment that at least q disks have reached; none if there is none. Disks that there are
 * not have reached none. */
mono_t hb_moment_of_quorum(const struct hb_core *core, const mono_t *moments)
{
	mono_t best = MOMENT_NONE;

	for (unsigned i = 0; i < HB_DISKS_MAX; i++) {
		unsigned count = 0;

		for (unsigned j = 0; j < HB_DISKS_MAX; j++)
			count += mono_reached(moments[j], moments[i]);
		if (count >= core->quorum && mono_before(best, moments[i]))
			best = moments[i];
	}
	return best;
}

mono_t hb_reads_of_quorum(const struct hb_core *core)
{
	mono_t moments[HB_DISKS_MAX];

	for (unsigned d = 0; d < HB_DISKS_MAX; d++)
		moments[d] = core->disks[d].read_at;
	return hb_moment_of_quorum(core, moments);
}

static mono_t lease_from(const struct hb_core *core)
{
	mono_t moments[HB_DISKS_MAX];

	for (unsigned d = 0; d < HB_DISKS_MAX; d++)
		moments[d] = core->disks[d].good_at;
	return hb_moment_of_quorum(core, moments);
}

mono_t hb_core_lease_until(const struct hb_core *core)
{
	mono_t from = lease_from(core);

	if (core->stage != HB_STAGE_ACTIVE && core->stage != HB_STAGE_LEAVE &&
	    core->stage != HB_STAGE_DYING)
		return MOMENT_NONE;
	return moment_is(from) ? mono_add_ms(from, core->config.lease_ms) : MOMENT_NONE;
}

uint32_t hb_core_incarnation(const struct hb_core *core)
{
	return core->stage >= HB_STAGE_CLAIM ? core->slot.incarnation : 0;
}

const struct hb_peer *hb_core_peer(const struct hb_core *core, uint16_t node)
{
	assert(node >= 1 && node <= HB_NODES_MAX);
	return &core->peers[node - 1];
}

int hb_core_is_busy(const struct hb_core *core)
{
	for (unsigned d = 0; d < core->config.disks; d++)
		if (core->disks[d].path != HB_PATH_IDLE)
			return 1;
	return 0;
}

int hb_in_rounds(const struct hb_core *core)
{
	return core->stage >= HB_STAGE_JOIN && core->stage <= HB_STAGE_DYING;
}

static void disk_fails(struct hb_core *core, struct hb_out *out, unsigned d, int rc)
{
	if (core->disks[d].failed)
		return;
	core->disks[d].failed = 1;
	hb_note_add(out, HB_NOTE_DISK_FAILED, d)->rc = rc;
}

static void disk_recovers(struct hb_core *core, struct hb_out *out, unsigned d)
{
	if (!core->disks[d].failed)
		return;
	core->disks[d].failed = core->disks[d].stale = 0;
	hb_note_add(out, HB_NOTE_DISK_GOOD, d);
}

/* ---- requests ---- */

struct hb_action *hb_request_add(struct hb_core *core, struct hb_out *out, enum hb_action_kind kind,
				 unsigned d, int64_t timeout_ms)
{
	struct hb_disk *disk = &core->disks[d];
	struct hb_action *action = action_add(out, kind, d);

	assert(disk->path == HB_PATH_IDLE);
	disk->path = kind == HB_ACTION_READ || kind == HB_ACTION_READ_CLAIMS ? HB_PATH_READ
									     : HB_PATH_WRITE;
	disk->is_claim = kind == HB_ACTION_READ_CLAIMS || kind == HB_ACTION_WRITE_CLAIM;
	disk->token = action->token = core->next_token++;
	action->deadline = mono_add_ms(core->now, timeout_ms);
	return action;
}

void hb_read_start(struct hb_core *core, struct hb_out *out, unsigned d)
{
	int claims = core->stage == HB_STAGE_WATCH || core->stage == HB_STAGE_CHECK;

	hb_request_add(core, out, claims ? HB_ACTION_READ_CLAIMS : HB_ACTION_READ, d,
		       core->config.io_timeout_ms);
}

/* Each write of a step has the same sequence: it says the same. */
void hb_slot_write(struct hb_core *core, struct hb_out *out, unsigned d)
{
	struct hb_disk *disk = &core->disks[d];

	if (!core->sequence_taken)
		core->slot.sequence++;
	core->sequence_taken = 1;
	core->slot.stamp = core->now;
	core->slot.state = core->stage == HB_STAGE_JOIN	   ? HB_SLOT_JOINING
			   : core->stage == HB_STAGE_LEAVE ? HB_SLOT_LEFT
			   : core->stage == HB_STAGE_DYING ? HB_SLOT_DYING
							   : HB_SLOT_ACTIVE;
	core->slot.seen = 0;
	for (size_t i = 0; i < HB_NODES_MAX; i++)
		if (core->peers[i].state == HB_PEER_ALIVE)
			core->slot.seen |= UINT64_C(1) << i;
	disk->writing = core->slot.sequence;
	hb_request_add(core, out, HB_ACTION_WRITE_SLOT, d, core->config.io_timeout_ms)->slot =
		&core->slot;
}

/* ---- rounds ---- */

/* What a read shows of our own slot. Returns whether the read counts. */
static int own_look(struct hb_core *core, struct hb_out *out, unsigned d, const struct hb_seen *own)
{
	struct hb_disk *disk = &core->disks[d];
	int mine = own->sight == HB_SIGHT_GOOD && own->incarnation == core->slot.incarnation &&
		   own->nonce == core->config.nonce;
	struct hb_note *note;

	if (own->sight == HB_SIGHT_NEWER ||
	    (own->sight == HB_SIGHT_GOOD && !mine && own->incarnation >= core->slot.incarnation)) {
		if (core->stage == HB_STAGE_LEAVE) {
			/* The goodbye was heard: the slot has a new owner. */
			hb_core_end(core, out, HB_NOTE_LEFT, core->slot.incarnation);
			return 0;
		}
		note = hb_note_add(out, HB_NOTE_SLOT_TAKEN, d);
		note->node = core->config.node;
		note->text = own->name;
		note->text_bytes = strnlen(own->name, HB_NAME_BYTES);
		core->stage = HB_STAGE_ENDED;
		return 0;
	}
	if (disk->written == 0 || (mine && own->sequence >= disk->written)) {
		if (mine && moment_is(disk->pending_at) && own->sequence >= disk->pending) {
			disk->good_at = disk->pending_at;
			disk_recovers(core, out, d);
		}
		disk->pending_at = MOMENT_NONE;
		return 1;
	}
	disk->pending_at = MOMENT_NONE;
	if (!disk->stale) {
		note = hb_note_add(out, HB_NOTE_DISK_STALE, d);
		note->value = mine ? (int64_t)own->sequence : 0;
	}
	disk->failed = disk->stale = 1;
	return 0;
}

/* The lease, a goodbye or a join may be complete by a credit. */
static void credit_look(struct hb_core *core, struct hb_out *out)
{
	if (core->stage == HB_STAGE_JOIN && moment_is(lease_from(core))) {
		core->stage = HB_STAGE_ACTIVE;
		core->join_until = MONO_NEVER;
		hb_note_add(out, HB_NOTE_ACTIVE, 0)->value = core->slot.incarnation;
	} else if (core->stage == HB_STAGE_LEAVE) {
		unsigned left = 0;

		for (unsigned d = 0; d < core->config.disks; d++)
			left += core->disks[d].left != 0;
		if (left >= core->quorum)
			hb_core_end(core, out, HB_NOTE_LEFT, core->slot.incarnation);
	}
}

static void round_read(struct hb_core *core, struct hb_out *out, unsigned d,
		       const struct hb_event *event)
{
	struct hb_disk *disk = &core->disks[d];
	const struct hb_view *view = event->view;
	const struct hb_seen *own = &view->nodes[core->config.node - 1];
	mono_t good_before = disk->good_at;
	int counts = own_look(core, out, d, own);

	if (core->stage == HB_STAGE_ENDED)
		return;
	if (counts) {
		disk->read_at = event->submitted_at;
		hb_letters_check(core, out, d, view);
	} else {
		hb_letters_hidden(core, d);
	}
	/* A pill that ends us stops the renewal before this read can bring one. */
	for (uint16_t node = 1; node <= core->config.nodes_max; node++)
		if (node != core->config.node)
			hb_peer_look(core, out, d, node, &view->nodes[node - 1], counts);
	disk->ever_read = 1;
	if (core->stage == HB_STAGE_DYING)
		disk->good_at = good_before;
	if (core->stage == HB_STAGE_LEAVE && own->state == HB_SLOT_LEFT &&
	    own->incarnation == core->slot.incarnation && counts)
		disk->left = 1;
	credit_look(core, out);
	if (core->stage == HB_STAGE_ENDED)
		return;
	disk->round_at = counts ? event->submitted_at : MOMENT_NONE;
	hb_slot_write(core, out, d);
}

static void observe_read(struct hb_core *core, struct hb_out *out, unsigned d,
			 const struct hb_event *event)
{
	struct hb_disk *disk = &core->disks[d];

	disk->read_at = event->submitted_at;
	for (uint16_t node = 1; node <= core->config.nodes_max; node++)
		if (node != core->config.node)
			hb_peer_look(core, out, d, node, &event->view->nodes[node - 1], 1);
	disk->ever_read = 1;
	if (!disk->write_failed)
		disk_recovers(core, out, d);
}

static void watch_read(struct hb_core *core, struct hb_out *out, unsigned d,
		       const struct hb_event *event)
{
	struct hb_disk *disk = &core->disks[d];

	hb_holder_look(core, disk, &event->view->nodes[core->config.node - 1]);
	hb_claim_look(core, disk, event->view);
	hb_inherit_look(core, event->view);
	observe_read(core, out, d, event);
}

/* Has a former process of this very boot accepted a pill that ends the machine? Then it has not
 * been acted on yet, or this one would not run. */
static int is_sentenced(const struct hb_core *core, const struct hb_view *view)
{
	const struct hb_config *c = &core->config;
	const struct hb_seen *own = &view->nodes[c->node - 1];

	return own->sight == HB_SIGHT_GOOD && own->state == HB_SLOT_DYING &&
	       own->nonce != c->nonce && memcmp(own->machine, c->machine, HB_ID_BYTES) == 0 &&
	       memcmp(own->boot, c->boot, HB_ID_BYTES) == 0;
}

static void read_good(struct hb_core *core, struct hb_out *out, unsigned d,
		      const struct hb_event *event, int had_claims)
{
	if (!core->config.observer && is_sentenced(core, event->view)) {
		hb_core_end(core, out, HB_NOTE_REFUSED, HB_REFUSED_DYING);
		return;
	}
	switch (core->stage) {
	case HB_STAGE_OBSERVE:
		observe_read(core, out, d, event);
		return;
	case HB_STAGE_WATCH:
		if (had_claims) {
			watch_read(core, out, d, event);
			hb_claim_decide(core, out);
		}
		return;
	case HB_STAGE_CHECK:
		if (!had_claims)
			return;
		hb_check_read(core, out, d, event->view);
		if (core->stage != HB_STAGE_CHECK)
			return;
		core->disks[d].read_at = event->submitted_at;
		hb_check_decide(core, out);
		return;
	case HB_STAGE_JOIN:
	case HB_STAGE_ACTIVE:
	case HB_STAGE_LEAVE:
	case HB_STAGE_DYING:
		round_read(core, out, d, event);
		return;
	case HB_STAGE_CLAIM:
	case HB_STAGE_WAIT:
	case HB_STAGE_ENDED:
		return;
	}
}

static void read_done(struct hb_core *core, const struct hb_event *event, struct hb_out *out)
{
	unsigned d = event->disk;
	struct hb_disk *disk = &core->disks[d];
	int had_claims = disk->is_claim;
	int rc = event->rc;

	if (rc == 0 && mono_before(mono_add_ms(event->submitted_at, core->config.io_timeout_ms),
				   event->ended_at))
		rc = RC_TIMEOUT;
	if (rc == 0 && !event->view->super_same) {
		if (!disk->changed)
			hb_note_add(out, HB_NOTE_DISK_CHANGED, d);
		disk->changed = 1;
		disk->failed = 1;
		rc = RC_STATE;
	} else if (rc) {
		disk_fails(core, out, d, rc);
	} else {
		disk->changed = 0;
		read_good(core, out, d, event, had_claims);
	}
	if (rc == 0)
		return;
	if (core->stage == HB_STAGE_WATCH)
		hb_claim_decide(core, out);
	else if (core->stage == HB_STAGE_CHECK)
		hb_check_decide(core, out);
}

static void write_done(struct hb_core *core, const struct hb_event *event, struct hb_out *out)
{
	unsigned d = event->disk;
	struct hb_disk *disk = &core->disks[d];
	int was_claim = disk->is_claim;

	if (event->rc)
		disk_fails(core, out, d, event->rc);
	disk->write_failed = event->rc != 0;
	if (was_claim) {
		hb_claim_written(core, out, d, event->rc, event->ended_at);
		return;
	}
	if (event->rc == 0) {
		disk->written = disk->writing;
		/* K1: the whole round within two disk timeouts. */
		if (moment_is(disk->round_at) &&
		    mono_reached(
			    mono_add_ms(disk->round_at, 2 * (int64_t)core->config.io_timeout_ms),
			    event->ended_at)) {
			disk->pending_at = disk->round_at;
			disk->pending = disk->written;
		}
		if (core->stage == HB_STAGE_DYING && !mono_is_never(core->die_at) &&
		    disk->written >= core->pill_sequence)
			hb_die(core, out);
	}
	/* A join does not wait for the interval to see its first round credited. */
	if (core->stage == HB_STAGE_JOIN && event->rc == 0)
		hb_read_start(core, out, d);
}

/* A completion, if it is the one that is waited for. */
static void done(struct hb_core *core, const struct hb_event *event, struct hb_out *out)
{
	struct hb_disk *disk;
	enum hb_path want = event->kind == HB_EVENT_READ_DONE ? HB_PATH_READ : HB_PATH_WRITE;

	assert(event->disk < core->config.disks);
	disk = &core->disks[event->disk];
	if (event->token != disk->token)
		return;
	if (event->kind == HB_EVENT_LATE) {
		if (disk->path != HB_PATH_STUCK)
			return;
		disk->path = HB_PATH_IDLE;
		if (core->stage != HB_STAGE_ENDED)
			hb_note_add(out, HB_NOTE_DISK_FREED, event->disk)->rc = event->rc;
		return;
	}
	if (disk->path != want)
		return;
	disk->path = event->outstanding ? HB_PATH_STUCK : HB_PATH_IDLE;
	if (core->stage == HB_STAGE_ENDED)
		return;
	if (want == HB_PATH_READ)
		read_done(core, event, out);
	else
		write_done(core, event, out);
}

/* ---- time ---- */

/* S6: whatever this step is about, time comes first. */
static void lease_look(struct hb_core *core, struct hb_out *out)
{
	if (core->stage == HB_STAGE_JOIN && mono_reached(core->now, core->join_until)) {
		/* What it has written is of an incarnation that never was. */
		core->join_until = MONO_NEVER;
		hb_claim_void(core, out, RC_TIMEOUT);
	} else if ((core->stage == HB_STAGE_ACTIVE || core->stage == HB_STAGE_LEAVE ||
		    core->stage == HB_STAGE_DYING) &&
		   mono_reached(core->now, hb_core_lease_until(core))) {
		if (core->stage == HB_STAGE_DYING && !mono_is_never(core->die_at))
			hb_die(core, out);
		hb_core_end(core, out, HB_NOTE_LEASE_LOST, core->slot.incarnation);
	}
}

static void rounds_start(struct hb_core *core, struct hb_out *out)
{
	if (!hb_in_rounds(core) && core->stage != HB_STAGE_WATCH && core->stage != HB_STAGE_OBSERVE)
		return;
	if (!mono_reached(core->now, core->next_round))
		return;
	core->next_round = mono_add_ms(core->next_round, core->config.interval_ms);
	/* Rounds that were slept through are not made up for. */
	if (mono_reached(core->now, core->next_round))
		core->next_round = mono_add_ms(core->now, core->config.interval_ms);
	for (unsigned d = 0; d < core->config.disks; d++)
		if (core->disks[d].path == HB_PATH_IDLE)
			hb_read_start(core, out, d);
}

static void time_passes(struct hb_core *core, struct hb_out *out)
{
	if (core->stage == HB_STAGE_WAIT && mono_reached(core->now, core->wait_until))
		hb_check_start(core, out);
	if (core->stage == HB_STAGE_DYING && mono_reached(core->now, core->die_at))
		hb_die(core, out);
	hb_peers_age(core, out);
	hb_letters_expire(core, out);
	rounds_start(core, out);
}

static void leave(struct hb_core *core, struct hb_out *out)
{
	if (core->stage == HB_STAGE_ACTIVE)
		core->stage = HB_STAGE_LEAVE;
	else if (core->stage < HB_STAGE_ACTIVE) /* what was written so far gave no lease */
		hb_core_end(core, out, HB_NOTE_LEFT, 0);
}

void hb_core_step(struct hb_core *core, const struct hb_event *event, struct hb_out *out)
{
	out->count = 0;
	core->sequence_taken = 0;
	if (mono_before(core->now, event->now))
		core->now = event->now;
	if (core->stage != HB_STAGE_ENDED)
		lease_look(core, out);
	switch (event->kind) {
	case HB_EVENT_READ_DONE:
	case HB_EVENT_WRITE_DONE:
	case HB_EVENT_LATE:
		done(core, event, out);
		break;
	case HB_EVENT_SEND:
		hb_send(core, event, out);
		break;
	case HB_EVENT_WITHDRAW:
		hb_withdraw(core, event, out);
		break;
	case HB_EVENT_PUBLISH:
		core->slot.epoch = event->epoch;
		core->slot.reach = event->reach;
		break;
	case HB_EVENT_LEAVE:
		leave(core, out);
		break;
	case HB_EVENT_TICK:
		break;
	}
	if (core->stage != HB_STAGE_ENDED)
		time_passes(core, out);
}

mono_t hb_core_deadline(const struct hb_core *core)
{
	mono_t next = MONO_NEVER;

	if (core->stage == HB_STAGE_ENDED)
		return MONO_NEVER;
	if (hb_in_rounds(core) || core->stage == HB_STAGE_WATCH || core->stage == HB_STAGE_OBSERVE)
		next = core->next_round;
	if (core->stage == HB_STAGE_WAIT)
		next = mono_min(next, core->wait_until);
	if (core->stage == HB_STAGE_JOIN)
		next = mono_min(next, core->join_until);
	if (core->stage >= HB_STAGE_ACTIVE) {
		next = mono_min(next, hb_core_lease_until(core));
		next = mono_min(next, core->die_at);
	}
	for (uint16_t node = 1; node <= core->config.nodes_max; node++) {
		const struct hb_peer *peer = &core->peers[node - 1];
		const struct hb_letter *letter = &core->letters[node - 1];
		mono_t dead_at = hb_peer_dead_at(core, peer);

		next = mono_min(next, hb_peer_suspect_at(core, peer));
		/* When it has come and reads are missing, the next read decides. */
		if (mono_before(core->now, dead_at))
			next = mono_min(next, dead_at);
		if (letter->in_use && !letter->expired)
			next = mono_min(next, letter->expires);
	}
	return next;
}
