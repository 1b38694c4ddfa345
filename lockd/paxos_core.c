/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * paxos_core.c - Disk Paxos for one sequence of decisions; see paxos_core.h. What a read tells is in
 * paxos_core_read.c.
 */
#include "lockd/paxos_core.h"

#include <assert.h>
#include <string.h>

#include "lockd/paxos_core_parts.h"

enum {
	/* Looks that find a value chosen and not decided, until it is decided by the looker. */
	LOOKS_MAX = 3,
	/* The longest pause after a collision is retry_ms times 2 to this power. */
	PAUSE_DOUBLINGS_MAX = 5,
	/* So many times io_timeout_ms long the block is written to all disks unasked. */
	BACKGROUND_TIMEOUTS = 4,
};

/* ---- small things ---- */

static uint64_t ballot_above(const struct paxos_core *core, uint64_t ballot)
{
	return (ballot / PAXOS_NODES_MAX + 1) * PAXOS_NODES_MAX + core->config.node - 1u;
}

/* xorshift64*; the pauses of two nodes must differ, no more. */
static uint32_t random_below(struct paxos_core *core, uint32_t bound)
{
	core->random ^= core->random >> 12;
	core->random ^= core->random << 25;
	core->random ^= core->random >> 27;
	return (uint32_t)((core->random * UINT64_C(0x2545f4914f6cdd1d) >> 32) % bound);
}

static void pause_begin(struct paxos_core *core)
{
	unsigned doublings = core->collisions < PAUSE_DOUBLINGS_MAX ? core->collisions
								    : PAUSE_DOUBLINGS_MAX;
	uint32_t span = core->config.retry_ms << doublings;

	core->stage = PAXOS_STAGE_PAUSE;
	core->pause_until = mono_add_ms(core->now,
					core->config.retry_ms / 2 + random_below(core, span));
}

/* Our block has changed, and what comes next needs it on the disks. */
static void block_changed(struct paxos_core *core)
{
	core->own.sequence++;
	core->needs = core->own.sequence;
}

static void round_begin(struct paxos_core *core, enum paxos_stage stage)
{
	core->stage = stage;
	core->round++;
}

static void target_set(struct paxos_core *core, uint64_t epoch)
{
	if (core->target == epoch)
		return;
	core->target = epoch;
	core->best_bal = core->highest = 0;
	core->best.node = core->best.bytes = 0;
}

int paxos_value_same(const struct paxos_value *a, const struct paxos_value *b)
{
	return a->node == b->node && a->bytes == b->bytes &&
	       memcmp(a->data, b->data, a->bytes) == 0;
}

/* ---- the end of an operation ---- */

void paxos_answer(struct paxos_core *core, enum paxos_outcome outcome, enum paxos_why why)
{
	struct paxos_answer *answer = &core->answer;

	assert(core->op != PAXOS_OP_NONE && !core->answered);
	answer->outcome = outcome;
	answer->why = why;
	answer->made = core->made || !core->recovered ||
		       (core->own.epoch == core->epoch && core->own.bal &&
			paxos_value_same(&core->own.value, &core->value)) ||
		       (core->target == core->epoch && core->best_bal &&
			paxos_value_same(&core->best, &core->value));
	core->op = PAXOS_OP_NONE;
	core->stage = PAXOS_STAGE_IDLE;
	core->answered = 1;
}

void paxos_answer_value(struct paxos_core *core, uint64_t epoch, const struct paxos_value *value)
{
	enum paxos_outcome outcome = PAXOS_DECIDED;

	core->answer.epoch = epoch;
	core->answer.value = *value;
	if (core->op == PAXOS_OP_CLAIM)
		outcome = paxos_value_same(value, &core->value) ? PAXOS_GRANTED : PAXOS_LOST;
	paxos_answer(core, outcome, PAXOS_WHY_NONE);
}

/* A later epoch has begun. */
static void answer_passed(struct paxos_core *core)
{
	uint64_t epoch = core->own.epoch;

	if (core->own.decided_epoch > epoch)
		epoch = core->own.decided_epoch;
	core->answer.epoch = core->latest > epoch ? core->latest : epoch;
	paxos_answer(core, PAXOS_UNKNOWN, PAXOS_WHY_PASSED);
}

static void answer_late(struct paxos_core *core)
{
	enum paxos_why why = core->collisions ? PAXOS_WHY_COLLISIONS : PAXOS_WHY_DISKS;

	for (unsigned d = 0; d < core->config.disks; d++) {
		const struct paxos_disk *disk = &core->disks[d];

		if (disk->done == core->round && disk->why == PAXOS_WHY_NONE)
			continue;
		core->answer.disk = d;
		core->answer.node = disk->why_node;
		core->answer.rc = disk->rc;
		if (disk->why != PAXOS_WHY_NONE && why != PAXOS_WHY_COLLISIONS)
			why = disk->why;
	}
	paxos_answer(core, PAXOS_UNKNOWN, why);
}

/* ---- phases ---- */

static void phase2_begin(struct paxos_core *core)
{
	struct paxos_block *own = &core->own;

	/* The value of the highest ballot among all blocks, our own included; else ours. */
	if (core->best_bal > own->bal)
		own->value = core->best;
	else if (own->bal == 0 && core->op == PAXOS_OP_CLAIM && core->target == core->epoch)
		own->value = core->value;
	assert(own->epoch == core->target && own->value.node && own->mbal > core->best_bal);
	own->bal = own->mbal;
	core->owned = 0;
	if (core->target == core->epoch && paxos_value_same(&own->value, &core->value))
		core->made = 1;
	block_changed(core);
	round_begin(core, PAXOS_STAGE_PHASE2);
}

static void phase1_begin(struct paxos_core *core)
{
	struct paxos_block *own = &core->own;
	uint64_t floor;

	core->owned = 0;
	if (own->epoch != core->target) {
		assert(own->epoch < core->target);
		own->epoch = core->target;
		own->mbal = own->bal = 0;
		own->value = (struct paxos_value){ 0 };
	}
	floor = own->mbal > core->highest ? own->mbal : core->highest;
	if (floor >= UINT64_MAX - 2 * PAXOS_NODES_MAX) {
		core->stage = PAXOS_STAGE_IDLE;
		if (core->op != PAXOS_OP_NONE)
			paxos_answer(core, PAXOS_UNKNOWN, PAXOS_WHY_NUMBERS);
		return;
	}
	own->mbal = ballot_above(core, floor);
	block_changed(core);
	round_begin(core, PAXOS_STAGE_PHASE1);
}

static void look_begin(struct paxos_core *core)
{
	core->chosen = 0;
	round_begin(core, PAXOS_STAGE_LOOK);
}

/* Go on with a claim, once our own block is known. */
static void claim_go(struct paxos_core *core)
{
	const struct paxos_block *own = &core->own;

	if (!core->recovered) {
		target_set(core, core->epoch); /* to hear of its ballots already */
		look_begin(core);
		return;
	}
	if (own->decided_epoch == core->epoch) {
		paxos_answer_value(core, core->epoch, &own->decided);
		return;
	}
	if (own->decided_epoch > core->epoch || own->epoch > core->epoch ||
	    core->latest > core->epoch) {
		/* Somebody's block may still tell what was decided. */
		if (core->looks == 0)
			look_begin(core);
		else
			answer_passed(core);
		return;
	}
	/* What we have chosen earlier is decided first, unless it cannot be any more. */
	if (own->bal && own->epoch < core->epoch && own->decided_epoch < own->epoch &&
	    core->latest <= own->epoch)
		target_set(core, own->epoch);
	else
		target_set(core, core->epoch);
	if (core->owned == core->target && core->highest < own->mbal)
		phase2_begin(core);
	else
		phase1_begin(core);
}

static void look_done(struct paxos_core *core)
{
	const struct paxos_block *own = &core->own;

	core->looks++;
	if (own->bal && own->epoch > core->chosen)
		core->chosen = own->epoch;
	if (core->op == PAXOS_OP_CLAIM) {
		claim_go(core);
		return;
	}
	if (core->chosen <= own->decided_epoch) {
		if (own->decided_epoch)
			paxos_answer_value(core, own->decided_epoch, &own->decided);
		else
			paxos_answer(core, PAXOS_NOTHING, PAXOS_WHY_NONE);
		return;
	}
	/* Chosen, and perhaps decided: give whoever did it a moment, then decide it here. */
	if (core->looks < LOOKS_MAX) {
		pause_begin(core);
	} else if (own->epoch > core->chosen || core->latest > core->chosen) {
		answer_passed(core);
	} else {
		target_set(core, core->chosen);
		phase1_begin(core);
	}
}

static void phase1_done(struct paxos_core *core)
{
	if (core->op == PAXOS_OP_NONE) { /* prepared */
		core->owned = core->target;
		core->stage = PAXOS_STAGE_IDLE;
	} else if (core->own.bal || core->best_bal ||
		   (core->op == PAXOS_OP_CLAIM && core->target == core->epoch)) {
		phase2_begin(core);
	} else if (core->own.decided_epoch) {
		/* A look: nobody has chosen in `target`, and with a lower ballot nobody will. */
		paxos_answer_value(core, core->own.decided_epoch, &core->own.decided);
	} else {
		paxos_answer(core, PAXOS_NOTHING, PAXOS_WHY_NONE);
	}
}

static void phase2_done(struct paxos_core *core)
{
	struct paxos_block *own = &core->own;
	int was_claim = core->op == PAXOS_OP_CLAIM && core->target == core->epoch, granted;

	own->decided_epoch = core->target;
	own->decided_ballot = own->bal;
	own->decided = own->value;
	block_changed(core);
	core->background_until = mono_add_ms(core->now, (int64_t)BACKGROUND_TIMEOUTS *
								core->config.io_timeout_ms);
	if (core->op == PAXOS_OP_CLAIM && !was_claim) {
		claim_go(core); /* that was the earlier epoch */
		return;
	}
	paxos_answer_value(core, own->decided_epoch, &own->decided);
	granted = core->answer.outcome == PAXOS_GRANTED;
	if (granted && core->config.owns_next && core->latest <= own->epoch &&
	    own->epoch < UINT64_MAX) {
		target_set(core, own->epoch + 1);
		phase1_begin(core);
	}
}

/* Others claim at the same time. */
static void collide(struct paxos_core *core)
{
	if (core->op == PAXOS_OP_NONE) {
		core->stage = PAXOS_STAGE_IDLE; /* a hint, and not worth a race */
		return;
	}
	core->collisions++;
	pause_begin(core);
}

/* What has become of the phase or look that runs? */
static void stage_check(struct paxos_core *core)
{
	int is_phase = core->stage == PAXOS_STAGE_PHASE1 || core->stage == PAXOS_STAGE_PHASE2;
	unsigned done = 0;

	if (core->broken) {
		core->stage = PAXOS_STAGE_IDLE;
		if (core->op != PAXOS_OP_NONE)
			paxos_answer(core, PAXOS_UNKNOWN, core->broken);
		return;
	}
	if (!is_phase && core->stage != PAXOS_STAGE_LOOK)
		return;
	if (is_phase && (core->latest > core->target || core->own.decided_epoch >= core->target)) {
		/* Decided by another, or passed. */
		if (core->op == PAXOS_OP_CLAIM)
			claim_go(core);
		else if (core->op == PAXOS_OP_LOOK)
			look_begin(core);
		else
			core->stage = PAXOS_STAGE_IDLE;
		return;
	}
	if (is_phase && core->highest > core->own.mbal) {
		collide(core);
		return;
	}
	for (unsigned d = 0; d < core->config.disks; d++)
		done += core->disks[d].done == core->round;
	if (done < core->quorum || !core->recovered)
		return;
	if (core->stage == PAXOS_STAGE_LOOK)
		look_done(core);
	else if (core->stage == PAXOS_STAGE_PHASE1)
		phase1_done(core);
	else
		phase2_done(core);
}

/* ---- requests ---- */

static int in_background(const struct paxos_core *core)
{
	return mono_before(core->now, core->background_until);
}

/* What should be asked of this disk, were it free? */
static enum paxos_path disk_wish(const struct paxos_core *core, const struct paxos_disk *disk)
{
	int is_phase = core->stage == PAXOS_STAGE_PHASE1 || core->stage == PAXOS_STAGE_PHASE2;

	if (core->broken)
		return PAXOS_PATH_IDLE;
	/* For a look, a block of ours that is damaged is mended. */
	if (core->recovered && disk->written < core->needs &&
	    (is_phase || in_background(core) || (core->stage == PAXOS_STAGE_LOOK && disk->lied)))
		return PAXOS_PATH_WRITE;
	if ((is_phase || core->stage == PAXOS_STAGE_LOOK) && disk->done != core->round)
		return PAXOS_PATH_READ;
	return PAXOS_PATH_IDLE;
}

static void requests_out(struct paxos_core *core, struct paxos_out *out)
{
	for (unsigned d = 0; d < core->config.disks; d++) {
		struct paxos_disk *disk = &core->disks[d];
		enum paxos_path wish = disk_wish(core, disk);
		struct paxos_action *action = &out->actions[out->count];

		if (disk->path != PAXOS_PATH_IDLE || wish == PAXOS_PATH_IDLE ||
		    mono_before(core->now, disk->again))
			continue;
		disk->path = wish;
		disk->token = ++core->next_token;
		disk->is_write = wish == PAXOS_PATH_WRITE;
		*action = (struct paxos_action){
			.kind = disk->is_write ? PAXOS_ACTION_WRITE : PAXOS_ACTION_READ,
			.disk = d,
			.token = disk->token,
			.deadline = mono_add_ms(core->now, core->config.io_timeout_ms),
		};
		if (disk->is_write) {
			action->block = &core->own;
			disk->writing = disk->tried = core->own.sequence;
		} else {
			disk->reading = core->round;
		}
		out->count++;
	}
}

/* ---- events ---- */

static void operation_begin(struct paxos_core *core, const struct paxos_event *event)
{
	assert(core->op == PAXOS_OP_NONE);
	core->op = event->kind == PAXOS_EVENT_CLAIM ? PAXOS_OP_CLAIM : PAXOS_OP_LOOK;
	core->deadline = event->deadline;
	core->collisions = core->looks = 0;
	core->made = 0;
	core->epoch = 0;
	core->value = (struct paxos_value){ 0 };
	core->answer = (struct paxos_answer){ 0 };
	if (core->op == PAXOS_OP_LOOK) {
		look_begin(core);
		return;
	}
	assert(event->epoch && event->bytes >= 1 && event->bytes <= PAXOS_VALUE_MAX);
	core->epoch = core->answer.epoch = event->epoch;
	core->value.node = core->config.node;
	core->value.bytes = event->bytes;
	memcpy(core->value.data, event->data, event->bytes);
	/* Prepared half: phase 1 of this very epoch goes on. */
	if (core->stage == PAXOS_STAGE_PHASE1 && core->target == core->epoch)
		return;
	claim_go(core);
}

static void prepare(struct paxos_core *core, uint64_t epoch)
{
	const struct paxos_block *own = &core->own;

	if (core->op != PAXOS_OP_NONE || core->stage != PAXOS_STAGE_IDLE || !core->recovered ||
	    core->broken || core->owned == epoch || own->epoch > epoch ||
	    own->decided_epoch >= epoch || core->latest > epoch ||
	    (own->bal && own->decided_epoch < own->epoch))
		return;
	target_set(core, epoch);
	core->background_until = mono_add_ms(core->now, (int64_t)BACKGROUND_TIMEOUTS *
								core->config.io_timeout_ms);
	phase1_begin(core);
}

static void tick(struct paxos_core *core)
{
	if (core->op != PAXOS_OP_NONE && mono_reached(core->now, core->deadline)) {
		answer_late(core);
		return;
	}
	if (core->op == PAXOS_OP_NONE && core->stage == PAXOS_STAGE_PHASE1 && !in_background(core))
		core->stage = PAXOS_STAGE_IDLE;
	if (core->stage != PAXOS_STAGE_PAUSE || mono_before(core->now, core->pause_until))
		return;
	if (core->op == PAXOS_OP_CLAIM)
		claim_go(core);
	else if (core->looks < LOOKS_MAX || core->own.decided_epoch >= core->target ||
		 core->latest > core->target)
		look_begin(core);
	else
		phase1_begin(core);
}

static void request_done(struct paxos_core *core, const struct paxos_event *event)
{
	struct paxos_disk *disk = &core->disks[event->disk];

	if (disk->token != event->token)
		return;
	if (event->kind == PAXOS_EVENT_LATE) {
		if (disk->path != PAXOS_PATH_STUCK)
			return;
		/* The outcome of a read that is late is of no use: it was not handed on. */
		if (disk->is_write && event->rc == 0 && disk->writing > disk->written)
			disk->written = disk->writing;
		disk->path = PAXOS_PATH_IDLE;
		disk->again = core->now;
		return;
	}
	disk->path = event->outstanding ? PAXOS_PATH_STUCK : PAXOS_PATH_IDLE;
	disk->rc = event->rc;
	if (event->kind == PAXOS_EVENT_WRITE_DONE)
		disk->lied = 0;
	if (event->rc) {
		disk->why = PAXOS_WHY_DISKS;
		disk->again = mono_add_ms(core->now, core->config.retry_ms);
	} else if (event->kind == PAXOS_EVENT_WRITE_DONE) {
		disk->written = disk->writing;
		disk->why = PAXOS_WHY_NONE;
	} else {
		paxos_read_done(core, event);
	}
}

void paxos_core_init(struct paxos_core *core, const struct paxos_config *config)
{
	assert(config->disks >= 1 && config->disks <= PAXOS_DISKS_MAX && config->node >= 1 &&
	       config->node <= config->nodes_max && config->nodes_max <= PAXOS_NODES_MAX &&
	       config->retry_ms > 0);
	*core = (struct paxos_core){ .config = *config, .quorum = config->disks / 2 + 1 };
	core->random = config->seed ? config->seed : config->node;
	core->own.sight = PAXOS_SIGHT_GOOD;
	core->own.incarnation = config->incarnation;
	core->own.nonce = config->nonce;
}

void paxos_core_step(struct paxos_core *core, const struct paxos_event *event,
		     struct paxos_out *out)
{
	out->count = 0;
	core->answered = 0;
	core->now = event->now;
	switch (event->kind) {
	case PAXOS_EVENT_READ_DONE:
	case PAXOS_EVENT_WRITE_DONE:
	case PAXOS_EVENT_LATE:
		request_done(core, event);
		stage_check(core);
		break;
	case PAXOS_EVENT_CLAIM:
	case PAXOS_EVENT_LOOK:
		operation_begin(core, event);
		stage_check(core);
		break;
	case PAXOS_EVENT_PREPARE:
		prepare(core, event->epoch);
		break;
	case PAXOS_EVENT_CANCEL:
		if (core->op != PAXOS_OP_NONE)
			core->stage = PAXOS_STAGE_IDLE;
		core->op = PAXOS_OP_NONE;
		break;
	case PAXOS_EVENT_TICK:
		break;
	}
	if (!core->answered)
		tick(core);
	if (core->answered)
		out->actions[out->count++] = (struct paxos_action){ .kind = PAXOS_ACTION_DONE,
								    .answer = &core->answer };
	requests_out(core, out);
}

mono_t paxos_core_deadline(const struct paxos_core *core)
{
	mono_t next = core->op != PAXOS_OP_NONE ? core->deadline : MONO_NEVER;

	if (core->stage == PAXOS_STAGE_PAUSE)
		next = mono_min(next, core->pause_until);
	if (core->op == PAXOS_OP_NONE && core->stage == PAXOS_STAGE_PHASE1)
		next = mono_min(next, core->background_until);
	for (unsigned d = 0; d < core->config.disks; d++)
		if (core->disks[d].path == PAXOS_PATH_IDLE &&
		    disk_wish(core, &core->disks[d]) != PAXOS_PATH_IDLE)
			next = mono_min(next, core->disks[d].again);
	return next;
}

int paxos_core_is_busy(const struct paxos_core *core)
{
	return core->op != PAXOS_OP_NONE;
}

int paxos_core_is_waiting(const struct paxos_core *core)
{
	for (unsigned d = 0; d < core->config.disks; d++)
		if (core->disks[d].path != PAXOS_PATH_IDLE)
			return 1;
	return 0;
}

const char *paxos_why_text(enum paxos_why why)
{
	switch (why) {
	case PAXOS_WHY_NONE:
		break;
	case PAXOS_WHY_DISKS:
		return "too few disks answered";
	case PAXOS_WHY_DAMAGED:
		return "a block on it is damaged";
	case PAXOS_WHY_NEWER:
		return "a block on it is of a newer format";
	case PAXOS_WHY_LIES:
		return "the disk does not show what was written to it";
	case PAXOS_WHY_COLLISIONS:
		return "other nodes claimed at the same time";
	case PAXOS_WHY_PASSED:
		return "a later epoch has begun";
	case PAXOS_WHY_DUPLICATE:
		return "another machine writes the blocks of this node";
	case PAXOS_WHY_CONFLICT:
		return "two decisions of one epoch differ";
	case PAXOS_WHY_NUMBERS:
		return "no larger ballot is left";
	}
	return "?";
}
