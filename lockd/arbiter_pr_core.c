/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arbiter_pr_core.c - events in, actions out; see arbiter_pr_core.h, whose steps these are.
 */
#include "lockd/arbiter_pr_core.h"

#include <assert.h>
#include <string.h>

#include "base/pr.h"
#include "lockd/arbiter_pr_core_parts.h"

enum {
	TRIES_MAX = 12,	  /* of one disk to become the holder, or to be read */
	RESTARTS_MAX = 8, /* of step 1, after a unit told of a change */
	NODE_BITS = 6,
};

void pra_core_init(struct pra_core *core, uint64_t key, uint16_t node, unsigned disks,
		   uint32_t careful)
{
	assert(disks >= 1 && disks <= PRA_DISKS_MAX && node >= 1 && node <= PRA_NODES_MAX);
	assert(pr_key_node(key) == node);
	memset(core, 0, sizeof *core);
	core->key = key;
	core->node = node;
	core->disks_count = disks;
	core->quorum = disks / 2 + 1;
	core->careful = careful;
	core->again_at = core->deadline = MONO_NEVER;
}

/* ---- actions ---- */

static struct pra_action *action_add(struct pra_actions *actions, enum pra_action_kind kind,
				     unsigned d)
{
	struct pra_action *action = &actions->list[actions->count++];

	assert(actions->count <= PRA_ACTIONS_MAX);
	*action = (struct pra_action){ .kind = kind, .disk = d };
	return action;
}

static struct pra_action *begin(struct pra_core *core, unsigned d, enum pra_step step,
				enum pra_action_kind kind, struct pra_actions *actions)
{
	struct pra_action *action = action_add(actions, kind, d);

	core->disks[d].step = step;
	core->disks[d].token = action->token = ++core->next_token;
	action->deadline = core->deadline;
	return action;
}

/* ---- the end of an operation ---- */

static void op_end(struct pra_core *core)
{
	core->op = PRA_OP_NONE;
	core->deadline = core->again_at = MONO_NEVER;
	for (unsigned d = 0; d < core->disks_count; d++)
		core->disks[d].token = 0;
}

static void answer(struct pra_core *core, enum pra_outcome outcome, uint64_t epoch,
		   const struct pra_value *value, struct pra_actions *actions)
{
	struct pra_action *action = action_add(actions, PRA_ANSWER, 0);

	op_end(core);
	if (value)
		core->answer = *value;
	action->outcome = outcome;
	action->epoch = epoch;
	action->value = value ? &core->answer : NULL;
	action->claimant = outcome == PRA_UNKNOWN ? core->claimant : 0;
	action->err = outcome == PRA_UNKNOWN ? &core->why : NULL;
}

/* Promise 3 of arbiter.h: granted only when all bytes are ours. */
static void answer_decided(struct pra_core *core, const struct pra_value *value,
			   struct pra_actions *actions)
{
	int is_ours = core->op == PRA_OP_RECORD ? value->node == core->node
						: pra_value_same(value, &core->own);

	answer(core, is_ours ? PRA_GRANTED : PRA_LOST, core->epoch, value, actions);
}

static void answer_unknown(struct pra_core *core, struct pra_actions *actions)
{
	if (core->why.rc == 0)
		err_set(&core->why, RC_TIMEOUT, "claim again", "the disks did not answer in time");
	answer(core, PRA_UNKNOWN, core->epoch, NULL, actions);
}

/* ---- places ---- */

/* Our place on this disk as it is to be written: from what this disk showed, with the newest
 * decision that any of them showed. */
static struct pra_place *place_begin(struct pra_core *core, unsigned d)
{
	struct pra_disk *disk = &core->disks[d];
	struct pra_place *place = &disk->writing;

	*place = disk->digest.own;
	if (place->epoch != core->epoch) {
		place->epoch = core->epoch;
		place->mbal = place->bal = 0;
		place->value = (struct pra_value){ 0 };
	}
	for (unsigned i = 0; i < core->disks_count; i++) {
		const struct pra_digest *other = &core->disks[i].digest;

		if (!core->disks[i].has_digest || other->last_epoch <= place->decided_epoch)
			continue;
		place->decided_epoch = other->last_epoch;
		place->decided_ballot = other->last_ballot;
		place->decided = other->last;
	}
	return place;
}

static void place_decide(struct pra_core *core, struct pra_place *place)
{
	place->decided_epoch = core->epoch;
	place->decided_ballot = core->ballot;
	place->decided = core->chosen;
}

static void write_out(struct pra_core *core, unsigned d, enum pra_step step,
		      struct pra_actions *actions)
{
	struct pra_disk *disk = &core->disks[d];
	struct pra_action *action = begin(core, d, step, PRA_WRITE, actions);

	disk->digest.own = disk->writing;
	action->place = &disk->writing;
}

/* ---- step 1 ---- */

static void next_disk(struct pra_core *core, struct pra_actions *actions);

static void fail(struct pra_core *core, unsigned d, const struct err *err,
		 struct pra_actions *actions)
{
	core->disks[d].step = PRA_STEP_FAILED;
	core->disks[d].token = 0;
	if (err && err->rc)
		core->why = *err;
	else
		err_set(&core->why, RC_UNREACHABLE, "claim again", "disk %u: cannot be used",
			d + 1);
	if (!core->is_accepting)
		next_disk(core, actions);
}

static void learn_begin(struct pra_core *core, struct pra_actions *actions);

/* Ejected on one disk: yield, stop on all. */
static void lost(struct pra_core *core, unsigned d, struct pra_actions *actions)
{
	core->disks[d].is_in = core->disks[d].reigns = core->disks[d].has_holder = 0;
	err_set(&core->why, RC_PRIVILEGE, "ask what was decided; this node has to be admitted anew",
		"disk %u: this node's key was ejected by another claimer", d + 1);
	learn_begin(core, actions);
}

static void keys_begin(struct pra_core *core, unsigned d, struct pra_actions *actions)
{
	struct pra_disk *disk = &core->disks[d];

	disk->reigns = disk->has_holder = 1;
	disk->holder = core->key;
	begin(core, d, PRA_STEP_KEYS, PRA_KEYS, actions);
}

static int is_member(const struct pra_core *core, unsigned node)
{
	return node >= 1 && node <= PRA_NODES_MAX && (core->members >> (node - 1) & 1) != 0;
}

static int is_of_cluster(const struct pra_core *core, uint64_t key)
{
	return pr_key_cluster(key) == pr_key_cluster(core->key);
}

/* Who stands in the way, if it is a node of ours. */
static void claimant_set(struct pra_core *core, uint64_t holder)
{
	if (holder != 0 && is_of_cluster(core, holder) && pr_key_node(holder) != core->node)
		core->claimant = pr_key_node(holder);
}

/* May a claim eject it? Earlier lives of our own node too. */
static int is_victim(const struct pra_core *core, uint64_t key)
{
	return key != core->key && is_of_cluster(core, key) &&
	       (pr_key_node(key) == core->node || !is_member(core, pr_key_node(key)));
}

/* Become the holder, by what is known of who is. */
static void take(struct pra_core *core, unsigned d, struct pra_actions *actions)
{
	struct pra_disk *disk = &core->disks[d];
	char text[PR_KEY_TEXT_BYTES];
	struct err err;

	if (disk->reigns || (disk->has_holder && disk->holder == core->key)) {
		keys_begin(core, d, actions);
	} else if (++disk->tries > TRIES_MAX) {
		err_set(&err, RC_BUSY, "claim again",
			"disk %u: the reservation changes hands too often", d + 1);
		fail(core, d, &err, actions);
	} else if (!disk->has_holder || disk->holder == 0) {
		begin(core, d, PRA_STEP_TAKE, PRA_TAKE, actions);
	} else if (is_victim(core, disk->holder)) {
		begin(core, d, PRA_STEP_UNSEAT, PRA_EJECT, actions)->key = disk->holder;
	} else if (!disk->holder_is_fresh) {
		begin(core, d, PRA_STEP_LOOK, PRA_LOOK, actions);
	} else if (is_of_cluster(core, disk->holder)) {
		core->claimant = pr_key_node(disk->holder);
		err_set(&core->why, RC_STATE, "let that node claim, or leave it out",
			"disk %u: node %u holds the reservation and is a member", d + 1,
			core->claimant);
		answer_unknown(core, actions);
	} else {
		err_set(&err, RC_STATE, "find out whose it is: holdfast pr keys",
			"disk %u: key %s, which is not of this cluster, holds the reservation",
			d + 1, pr_key_text(disk->holder, text));
		fail(core, d, &err, actions);
	}
}

static void disk_begin(struct pra_core *core, unsigned d, struct pra_actions *actions)
{
	struct pra_disk *disk = &core->disks[d];
	struct err err;

	disk->tries = 0;
	disk->holder_is_fresh = 0;
	if (!disk->is_in) {
		err_set(&err, RC_STATE, "see holdfast lock status",
			"disk %u: this node is not registered there", d + 1);
		fail(core, d, &err, actions);
		return;
	}
	take(core, d, actions);
}

static void accept_begin(struct pra_core *core, struct pra_actions *actions);

/* The next one in order; after the last, step 2. */
static void next_disk(struct pra_core *core, struct pra_actions *actions)
{
	for (unsigned d = 0; d < core->disks_count; d++) {
		if (core->disks[d].token != 0)
			return;
		if (core->disks[d].step == PRA_STEP_WAIT) {
			disk_begin(core, d, actions);
			return;
		}
	}
	if (core->op == PRA_OP_CLAIM && !core->is_accepting)
		accept_begin(core, actions);
}

static void claim_restart(struct pra_core *core, struct pra_actions *actions)
{
	if (++core->restarts > RESTARTS_MAX) {
		err_set(&core->why, RC_BUSY, "claim again",
			"the disks tell of changes all the time");
		answer_unknown(core, actions);
		return;
	}
	core->is_accepting = 0;
	for (unsigned d = 0; d < core->disks_count; d++) {
		core->disks[d].step = PRA_STEP_WAIT;
		core->disks[d].token = 0;
		core->disks[d].has_digest = 0;
	}
	next_disk(core, actions);
}

static void keys_heed(struct pra_core *core, unsigned d, const struct pra_event *event)
{
	struct pra_disk *disk = &core->disks[d];
	size_t others = 0;

	disk->generation = event->generation;
	disk->victims_count = disk->victims_done = 0;
	for (size_t i = 0; i < event->keys_count; i++) {
		if (event->keys[i] == core->key)
			continue;
		if (is_victim(core, event->keys[i]) && disk->victims_count < PRA_NODES_MAX)
			disk->victims[disk->victims_count++] = event->keys[i];
		else
			others++;
	}
	disk->is_alone = others == 0 && !event->keys_cut && (core->careful >> d & 1) == 0 &&
			 mono_reached(event->now, disk->guests_until);
}

static void victims_next(struct pra_core *core, unsigned d, struct pra_actions *actions)
{
	struct pra_disk *disk = &core->disks[d];

	if (disk->victims_done < disk->victims_count)
		begin(core, d, PRA_STEP_VICTIM, PRA_EJECT, actions)->key =
			disk->victims[disk->victims_done];
	else
		begin(core, d, PRA_STEP_READ, PRA_READ, actions);
}

/* ---- step 2 ---- */

static unsigned disks_at(const struct pra_core *core, enum pra_step step)
{
	unsigned count = 0;

	for (unsigned d = 0; d < core->disks_count; d++)
		count += core->disks[d].step == step;
	return count;
}

static void accept_out(struct pra_core *core, enum pra_step from, struct pra_actions *actions)
{
	for (unsigned d = 0; d < core->disks_count; d++) {
		struct pra_place *place;

		if (core->disks[d].step != from)
			continue;
		place = place_begin(core, d);
		place->mbal = place->bal = core->ballot;
		place->value = core->chosen;
		/* Alone on the only disk: when this lands it is decided. */
		if (core->disks_count == 1 && core->disks[d].is_alone)
			place_decide(core, place);
		write_out(core, d, PRA_STEP_ACCEPT, actions);
	}
}

/* What the disks showed forbids to go on, or answers. 1: the operation has ended. */
static int digests_end_claim(struct pra_core *core, struct pra_actions *actions)
{
	uint64_t newest = 0;

	for (unsigned d = 0; d < core->disks_count; d++) {
		const struct pra_disk *disk = &core->disks[d];

		if (!disk->has_digest)
			continue;
		if (disk->digest.is_contradiction) {
			err_set(&core->why, RC_INTERNAL,
				"this is a fault: look at holdfast disk show",
				"disk %u holds two decisions of one epoch", d + 1);
			answer_unknown(core, actions);
			return 1;
		}
		if (disk->digest.decided.node != 0) {
			answer_decided(core, &disk->digest.decided, actions);
			return 1;
		}
		if (disk->digest.newest > newest)
			newest = disk->digest.newest;
	}
	if (newest <= core->epoch)
		return 0;
	err_set(&core->why, RC_STATE, "ask what was decided last",
		"epoch %llu has begun, so epoch %llu is not decided any more",
		(unsigned long long)newest, (unsigned long long)core->epoch);
	answer_unknown(core, actions);
	return 1;
}

/* Where we have been ejected, a winner may be at it. */
static void too_few(struct pra_core *core, struct pra_actions *actions)
{
	int was_in = 0;

	for (unsigned d = 0; d < core->disks_count; d++)
		was_in |= core->disks[d].was_in && !core->disks[d].is_in;
	learn_begin(core, actions);
	core->reads_once = !was_in;
}

static void accept_begin(struct pra_core *core, struct pra_actions *actions)
{
	uint64_t mbal = 0, bal = 0;
	uint64_t rise = 1;

	core->is_accepting = 1;
	for (unsigned d = 0; d < core->disks_count; d++) {
		const struct pra_disk *disk = &core->disks[d];

		if (disk->step == PRA_STEP_READY && !disk->reigns) {
			claim_restart(core, actions);
			return;
		}
	}
	if (digests_end_claim(core, actions))
		return;
	if (disks_at(core, PRA_STEP_READY) < core->quorum) {
		too_few(core, actions);
		return;
	}
	core->chosen = core->own;
	for (unsigned d = 0; d < core->disks_count; d++) {
		const struct pra_digest *digest = &core->disks[d].digest;

		if (core->disks[d].step != PRA_STEP_READY)
			continue;
		if (digest->mbal > mbal)
			mbal = digest->mbal;
		if (digest->bal > bal) {
			bal = digest->bal;
			core->chosen = digest->value;
		}
	}
	if (core->disks_count == 1)
		rise += core->disks[0].generation;
	core->ballot = ((mbal >> NODE_BITS) + rise) << NODE_BITS | (core->node - 1u);
	if (core->disks_count == 1) {
		accept_out(core, PRA_STEP_READY, actions);
		return;
	}
	for (unsigned d = 0; d < core->disks_count; d++) {
		if (core->disks[d].step != PRA_STEP_READY)
			continue;
		place_begin(core, d)->mbal = core->ballot;
		write_out(core, d, PRA_STEP_PROMISE, actions);
	}
}

/* It is decided: tell it, then write it down for the others. */
static void decided(struct pra_core *core, struct pra_actions *actions)
{
	struct pra_value value = core->chosen;

	for (unsigned d = 0; d < core->disks_count; d++) {
		struct pra_disk *disk = &core->disks[d];

		if (disk->step != PRA_STEP_ACCEPTED ||
		    disk->digest.own.decided_epoch == core->epoch)
			continue;
		disk->writing = disk->digest.own;
		place_decide(core, &disk->writing);
		action_add(actions, PRA_WRITE, d)->place = &disk->writing;
	}
	answer_decided(core, &value, actions);
}

static void accept_advance(struct pra_core *core, struct pra_actions *actions)
{
	for (unsigned d = 0; d < core->disks_count; d++)
		if (core->disks[d].token != 0)
			return;
	for (unsigned d = 0; d < core->disks_count; d++) {
		enum pra_step step = core->disks[d].step;

		if ((step == PRA_STEP_PROMISED || step == PRA_STEP_ACCEPTED) &&
		    !core->disks[d].reigns) {
			claim_restart(core, actions);
			return;
		}
	}
	if (disks_at(core, PRA_STEP_ACCEPTED) >= core->quorum)
		decided(core, actions);
	else if (disks_at(core, PRA_STEP_PROMISED) >= core->quorum)
		accept_out(core, PRA_STEP_PROMISED, actions);
	else
		answer_unknown(core, actions);
}

/* ---- reading only: losers, and record() ---- */

static void learn_read(struct pra_core *core, struct pra_actions *actions)
{
	core->again_at = MONO_NEVER;
	for (unsigned d = 0; d < core->disks_count; d++)
		begin(core, d, PRA_STEP_READ, PRA_READ, actions);
}

static void learn_begin(struct pra_core *core, struct pra_actions *actions)
{
	core->op = PRA_OP_LEARN;
	core->reads_once = 0;
	for (unsigned d = 0; d < core->disks_count; d++) {
		if (core->disks[d].has_holder)
			claimant_set(core, core->disks[d].holder);
		core->disks[d].has_digest = 0;
	}
	learn_read(core, actions);
}

static void record_judge(struct pra_core *core, struct pra_actions *actions)
{
	uint64_t open = 0, last = 0;
	const struct pra_value *value = NULL;

	if (disks_at(core, PRA_STEP_READY) < core->quorum) {
		answer_unknown(core, actions);
		return;
	}
	for (unsigned d = 0; d < core->disks_count; d++) {
		const struct pra_disk *disk = &core->disks[d];

		if (disk->step != PRA_STEP_READY)
			continue;
		if (disk->digest.last_epoch > last) {
			last = disk->digest.last_epoch;
			value = &disk->digest.last;
		}
		if (disk->digest.open_epoch > open) {
			open = disk->digest.open_epoch;
			core->claimant = disk->digest.open_node;
		}
	}
	core->epoch = last;
	if (open > last) {
		core->epoch = open;
		err_set(&core->why, RC_STATE, "claim that epoch to complete it",
			"a claim of epoch %llu has not ended", (unsigned long long)open);
		answer_unknown(core, actions);
	} else if (value) {
		answer_decided(core, value, actions);
	} else {
		answer(core, PRA_LOST, 0, NULL, actions);
	}
}

static void learn_advance(struct pra_core *core, mono_t now, struct pra_actions *actions)
{
	for (unsigned d = 0; d < core->disks_count; d++)
		if (core->disks[d].token != 0)
			return;
	if (core->op == PRA_OP_RECORD)
		record_judge(core, actions);
	else if (digests_end_claim(core, actions))
		return;
	else if (core->reads_once)
		answer_unknown(core, actions);
	else
		core->again_at = mono_add_ms(now, PRA_POLL_MS);
}

/* ---- answers to actions ---- */

static void holder_heed(struct pra_disk *disk, const struct pra_event *event)
{
	disk->holder = event->holder;
	disk->has_holder = disk->holder_is_fresh = 1;
}

static void job_take(struct pra_core *core, unsigned d, const struct pra_event *event,
		     struct pra_actions *actions)
{
	struct pra_disk *disk = &core->disks[d];
	struct err err;

	if (event->job == PRA_JOB_GOOD && disk->step != PRA_STEP_LOOK) {
		keys_begin(core, d, actions);
		return;
	}
	holder_heed(disk, event);
	if (event->holds) {
		keys_begin(core, d, actions);
	} else if (event->is_other_type) {
		err_set(&err, RC_STATE, "see holdfast pr reservation",
			"disk %u: the reservation has a type that is not Holdfast's", d + 1);
		fail(core, d, &err, actions);
	} else {
		take(core, d, actions);
	}
}

/* Steps whose job has to show our key: one that was refused shows nothing. */
static int step_proves(enum pra_step step)
{
	return step == PRA_STEP_KEYS || step == PRA_STEP_PROMISE_CHECK ||
	       step == PRA_STEP_ACCEPT_CHECK;
}

static int has_own_key(const struct pra_core *core, const struct pra_event *event)
{
	for (size_t i = 0; i < event->keys_count; i++)
		if (event->keys[i] == core->key)
			return 1;
	return 0;
}

static void job_done(struct pra_core *core, unsigned d, const struct pra_event *event,
		     struct pra_actions *actions)
{
	struct pra_disk *disk = &core->disks[d];

	if (event->job == PRA_JOB_EJECTED) {
		claimant_set(core, event->holder);
		lost(core, d, actions);
		return;
	}
	if (event->job == PRA_JOB_FAILED ||
	    (event->job != PRA_JOB_GOOD && step_proves(disk->step))) {
		disk->reigns = disk->has_holder = disk->is_alone = 0;
		fail(core, d, event->err, actions);
		return;
	}
	if (step_proves(disk->step) && !has_own_key(core, event)) {
		lost(core, d, actions);
		return;
	}
	switch (disk->step) {
	case PRA_STEP_TAKE:
	case PRA_STEP_UNSEAT:
	case PRA_STEP_LOOK:
		job_take(core, d, event, actions);
		break;
	case PRA_STEP_KEYS:
		keys_heed(core, d, event);
		victims_next(core, d, actions);
		break;
	case PRA_STEP_VICTIM:
		/* Gone, by us or by itself; or back, which nobody let it. */
		disk->is_alone &= event->job != PRA_JOB_CONFLICT;
		disk->victims_done++;
		victims_next(core, d, actions);
		break;
	case PRA_STEP_PROMISE_CHECK:
		disk->step = PRA_STEP_PROMISED;
		break;
	case PRA_STEP_ACCEPT_CHECK:
		disk->step = PRA_STEP_ACCEPTED;
		break;
	default:
		assert(!"a job that nobody asked for");
	}
}

static void read_done(struct pra_core *core, unsigned d, const struct pra_event *event,
		      struct pra_actions *actions)
{
	struct pra_disk *disk = &core->disks[d];
	struct err err = { 0 };

	if (event->rc == RC_BUSY && ++disk->tries <= TRIES_MAX) {
		begin(core, d, PRA_STEP_READ, PRA_READ, actions);
		return;
	}
	if (event->rc == 0)
		pra_digest_make(core, disk, event);
	if (event->rc == 0 && disk->digest.bad != 0) {
		disk->has_digest = 0;
		err_set(&err, RC_PROTOCOL, "see holdfast disk show",
			"disk %u: the arbiter's place of node %u is damaged", d + 1,
			disk->digest.bad);
	}
	if (core->op != PRA_OP_CLAIM) {
		disk->step = disk->has_digest && event->rc == 0 ? PRA_STEP_READY : PRA_STEP_FAILED;
		return;
	}
	if (event->rc != 0) {
		fail(core, d, event->err, actions);
	} else if (!disk->has_digest) {
		fail(core, d, &err, actions);
	} else {
		disk->step = PRA_STEP_READY;
		next_disk(core, actions);
	}
}

static void written(struct pra_core *core, unsigned d, const struct pra_event *event,
		    struct pra_actions *actions)
{
	struct pra_disk *disk = &core->disks[d];
	int is_promise = disk->step == PRA_STEP_PROMISE;

	if (event->rc == RC_PRIVILEGE) {
		lost(core, d, actions);
	} else if (event->rc == RC_BUSY) {
		/* The unit has told of something: look at everything again. */
		disk->reigns = disk->has_holder = 0;
		claim_restart(core, actions);
	} else if (event->rc != 0) {
		fail(core, d, event->err, actions);
	} else if (disk->is_alone) {
		disk->step = is_promise ? PRA_STEP_PROMISED : PRA_STEP_ACCEPTED;
	} else {
		begin(core, d, is_promise ? PRA_STEP_PROMISE_CHECK : PRA_STEP_ACCEPT_CHECK,
		      PRA_KEYS, actions);
	}
}

/* ---- operations ---- */

static void op_begin(struct pra_core *core, enum pra_op op, const struct pra_event *event)
{
	assert(core->op == PRA_OP_NONE);
	core->op = op;
	core->is_accepting = 0;
	core->epoch = event->epoch;
	core->members = event->members;
	core->deadline = event->deadline;
	core->again_at = MONO_NEVER;
	core->restarts = 0;
	core->claimant = 0;
	core->why = (struct err){ 0 };
	for (unsigned d = 0; d < core->disks_count; d++) {
		core->disks[d].step = PRA_STEP_WAIT;
		core->disks[d].token = 0;
		core->disks[d].tries = 0;
		core->disks[d].has_digest = 0;
	}
}

static void claim_begin(struct pra_core *core, const struct pra_event *event,
			struct pra_actions *actions)
{
	assert(event->epoch != 0 && event->value_bytes > 0 && event->value_bytes <= PRA_VALUE_MAX);
	op_begin(core, PRA_OP_CLAIM, event);
	core->own = (struct pra_value){ .node = core->node, .bytes = event->value_bytes };
	memcpy(core->own.data, event->value, event->value_bytes);
	next_disk(core, actions);
}

static void path_heed(struct pra_core *core, const struct pra_event *event)
{
	struct pra_disk *disk = &core->disks[event->disk];

	disk->reigns = disk->has_holder = disk->is_alone = 0;
	if (event->kind == PRA_EVENT_SHAKEN)
		return;
	disk->is_in = event->kind == PRA_EVENT_IN;
	disk->was_in |= disk->is_in;
	if (disk->is_in && !event->is_other_type) {
		disk->has_holder = 1;
		disk->holder = event->holder;
		disk->reigns = event->holder == core->key;
	}
}

static int is_awaited(const struct pra_core *core, const struct pra_event *event)
{
	return core->op != PRA_OP_NONE && event->token != 0 &&
	       core->disks[event->disk].token == event->token;
}

void pra_core_step(struct pra_core *core, const struct pra_event *event,
		   struct pra_actions *actions)
{
	actions->count = 0;
	switch (event->kind) {
	case PRA_EVENT_TIME:
		break;
	case PRA_EVENT_IN:
	case PRA_EVENT_OUT:
	case PRA_EVENT_SHAKEN:
		path_heed(core, event);
		break;
	case PRA_EVENT_GUESTS:
		core->disks[event->disk].guests_until = event->deadline;
		core->disks[event->disk].is_alone = 0;
		break;
	case PRA_EVENT_CLAIM:
		claim_begin(core, event, actions);
		break;
	case PRA_EVENT_RECORD:
		op_begin(core, PRA_OP_RECORD, event);
		learn_read(core, actions);
		break;
	case PRA_EVENT_CANCEL:
		op_end(core);
		break;
	case PRA_EVENT_JOB:
	case PRA_EVENT_READ:
	case PRA_EVENT_WRITTEN:
		if (!is_awaited(core, event))
			return;
		core->disks[event->disk].token = 0;
		if (mono_reached(event->now, core->deadline)) {
			answer_unknown(core, actions); /* nothing more is begun */
			return;
		}
		if (event->kind == PRA_EVENT_JOB)
			job_done(core, event->disk, event, actions);
		else if (event->kind == PRA_EVENT_READ)
			read_done(core, event->disk, event, actions);
		else
			written(core, event->disk, event, actions);
		if (core->op == PRA_OP_CLAIM && core->is_accepting)
			accept_advance(core, actions);
		else if (core->op == PRA_OP_LEARN || core->op == PRA_OP_RECORD)
			learn_advance(core, event->now, actions);
		break;
	}
	if (core->op != PRA_OP_NONE && mono_reached(event->now, core->deadline))
		answer_unknown(core, actions);
	else if (core->op == PRA_OP_LEARN && mono_reached(event->now, core->again_at))
		learn_read(core, actions);
}

mono_t pra_core_deadline(const struct pra_core *core)
{
	return mono_min(core->deadline, core->again_at);
}
