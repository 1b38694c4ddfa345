/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * place_io.c - one sequence of decisions on real disks; see place_io.h.
 */
#include "lockd/place_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "diskhb/arbiter_wire.h"
#include "host/boot_timer.h"
#include "host/clock.h"

_Static_assert((int)PAXOS_VALUE_MAX == (int)ARBITER_VALUE_MAX, "a value fits into a record");
_Static_assert((int)PAXOS_NODES_MAX == (int)NODES_MAX, "all nodes");
_Static_assert((int)PAXOS_DISKS_MAX == (int)DISKS_MAX, "all disks");

enum {
	RETRY_SHARE = 10, /* of io_timeout_ms: the pause after a failure */
	RETRY_MIN_MS = 5,
	RETRY_MAX_MS = 100,
	SECTOR_MAX_BYTES = 4096,
};

#define TOKEN_MASK ((UINT64_C(1) << PLACE_IO_TOKEN_BITS) - 1)

struct place_io {
	struct boot_timer timer;
	struct place_io_setup setup;
	struct paxos_core core;
	uint64_t tokens[PAXOS_DISKS_MAX]; /* the core's, of the request under way */
	int is_write[PAXOS_DISKS_MAX];
	/* Requests that were refused at once: their answer comes with the next turn of the loop. */
	int refused_rc[PAXOS_DISKS_MAX];
	place_io_done *done;
	void *done_context;
	int has_answer; /* in core.answer: it has yet to be given */
	mono_t began_at;
	struct place_io_cost cost, answer_cost; /* so far; up to the answer */
};

/* ---- records ---- */

static void value_in(struct paxos_value *value, uint16_t node, uint16_t bytes, const uint8_t *data)
{
	value->node = node;
	value->bytes = bytes;
	memcpy(value->data, data, PAXOS_VALUE_MAX);
}

void place_block_in(struct paxos_block *block, const uint8_t bytes[RECORD_BYTES], uint64_t cluster,
		    uint16_t node, uint64_t offset)
{
	const struct record_want want = { .node = node, .cluster = cluster, .offset = offset };
	struct arbiter_record record;
	enum record_verdict verdict = arbiter_in(bytes, &want, &record);

	memset(block, 0, sizeof *block);
	block->sight = verdict == RECORD_EMPTY	 ? PAXOS_SIGHT_NONE
		       : verdict == RECORD_NEWER ? PAXOS_SIGHT_NEWER
		       : verdict == RECORD_OK	 ? PAXOS_SIGHT_GOOD
						 : PAXOS_SIGHT_DAMAGED;
	if (verdict != RECORD_OK)
		return;
	block->incarnation = record.head.incarnation;
	block->nonce = record.head.nonce;
	block->sequence = record.head.sequence;
	block->epoch = record.epoch;
	block->mbal = record.mbal;
	block->bal = record.bal;
	block->decided_epoch = record.decided_epoch;
	block->decided_ballot = record.decided_ballot;
	value_in(&block->value, record.proposer, record.value_bytes, record.value);
	value_in(&block->decided, record.winner, record.decided_bytes, record.decided);
}

void place_block_out(uint8_t bytes[RECORD_BYTES], const struct paxos_block *block, uint64_t cluster,
		     uint16_t node, uint64_t offset)
{
	struct arbiter_record record = {
		.head = { .node = node,
			  .cluster = cluster,
			  .sequence = block->sequence,
			  .incarnation = block->incarnation,
			  .nonce = block->nonce },
		.epoch = block->epoch,
		.mbal = block->mbal,
		.bal = block->bal,
		.proposer = block->value.node,
		.value_bytes = block->value.bytes,
		.decided_epoch = block->decided_epoch,
		.decided_ballot = block->decided_ballot,
		.winner = block->decided.node,
		.decided_bytes = block->decided.bytes,
	};

	memcpy(record.value, block->value.data, block->value.bytes);
	memcpy(record.decided, block->decided.data, block->decided.bytes);
	arbiter_out(bytes, &record, offset);
}

/* ---- requests ---- */

static uint64_t block_at(const struct place_io *place, const struct disk_layout *layout,
			 uint16_t node)
{
	if (place->setup.lock == PLACE_IO_CLUSTER)
		return disk_layout_arbiter_at(layout, node);
	return disk_layout_lock_at(layout, (uint16_t)place->setup.lock, node);
}

/* The core counts from 1; an answer to a place of before this one must not be taken for its own. */
static uint64_t token_of(const struct place_io *place, uint64_t token)
{
	return place->setup.token | ((token + place->setup.seed) & TOKEN_MASK);
}

/* 0, or why it was not handed to the disk. */
static int request_send(struct place_io *place, const struct paxos_action *action)
{
	const struct hb_area *area = place->setup.areas[action->disk];
	static uint8_t sector[SECTOR_MAX_BYTES];
	struct disk_request request = {
		.token = token_of(place, action->token),
		.deadline = action->deadline,
	};
	struct err err = { 0 };
	uint64_t at;

	if (!area)
		return RC_UNREACHABLE;
	if (action->kind == PAXOS_ACTION_WRITE) {
		at = block_at(place, &area->layout, place->setup.node);
		memset(sector, 0, sizeof sector);
		place_block_out(sector, action->block, area->super.head.cluster, place->setup.node,
				at);
		request.op = DISK_WRITE;
		request.bytes = area->layout.arbiter_bytes;
		request.data = sector;
		place->cost.writes++;
	} else {
		at = block_at(place, &area->layout, 1);
		request.op = DISK_READ;
		request.bytes = area->layout.nodes_max * area->layout.arbiter_bytes;
		place->cost.reads++;
	}
	request.sector = at / area->layout.sector_bytes;
	return place->setup.submit(action->disk, &request, place->setup.context, &err);
}

/* The timer rings when the core wants it, or at once when something waits for the next turn. */
static void timer_set(struct place_io *place)
{
	mono_t next = paxos_core_deadline(&place->core);

	for (unsigned d = 0; d < place->setup.disks; d++)
		if (place->refused_rc[d])
			next = place->core.now;
	if (place->has_answer)
		next = place->core.now;
	boot_timer_set(&place->timer, next);
}

/* One event into the core, and out what it wants. */
static void step(struct place_io *place, struct paxos_event *event)
{
	struct paxos_out out;

	event->now = clock_now();
	paxos_core_step(&place->core, event, &out);
	for (size_t i = 0; i < out.count; i++) {
		const struct paxos_action *action = &out.actions[i];

		if (action->kind == PAXOS_ACTION_DONE) {
			place->has_answer = 1;
			place->answer_cost = place->cost;
			place->answer_cost.took_ns = event->now.ns - place->began_at.ns;
			continue;
		}
		place->tokens[action->disk] = action->token;
		place->is_write[action->disk] = action->kind == PAXOS_ACTION_WRITE;
		place->refused_rc[action->disk] = request_send(place, action);
	}
	timer_set(place);
}

/* Last in whatever the loop has called: done() may ask anew, and may free the place. */
static void answer_give(struct place_io *place)
{
	struct paxos_answer answer;
	struct place_io_cost cost;

	if (!place->has_answer)
		return;
	place->has_answer = 0;
	answer = place->core.answer;
	cost = place->answer_cost;
	timer_set(place);
	place->done(&answer, &cost, place->done_context);
}

static void fired(struct boot_timer *timer)
{
	struct place_io *place = timer->data;
	struct paxos_event event = { .kind = PAXOS_EVENT_TICK };

	for (unsigned d = 0; d < place->setup.disks; d++)
		if (place->refused_rc[d]) {
			event.kind = place->is_write[d] ? PAXOS_EVENT_WRITE_DONE
							: PAXOS_EVENT_READ_DONE;
			event.disk = d;
			event.token = place->tokens[d];
			event.rc = place->refused_rc[d];
			place->refused_rc[d] = 0;
			break; /* if there is more, the timer rings again */
		}
	step(place, &event);
	answer_give(place);
}

void place_io_answered(struct place_io *place, unsigned d, const struct disk_answer *answer)
{
	static struct paxos_block blocks[PAXOS_NODES_MAX];
	const struct hb_area *area = place->setup.areas[d];
	struct paxos_event event = {
		.kind = answer->kind == DISK_LATE  ? PAXOS_EVENT_LATE
			: answer->op == DISK_WRITE ? PAXOS_EVENT_WRITE_DONE
						   : PAXOS_EVENT_READ_DONE,
		.disk = d,
		.token = place->tokens[d],
		.rc = answer->rc,
		.outstanding = answer->is_outstanding,
		.blocks = blocks,
	};

	if (answer->token != token_of(place, place->tokens[d]))
		return;
	if (event.kind == PAXOS_EVENT_READ_DONE && event.rc == 0)
		for (uint16_t n = 1; n <= area->layout.nodes_max; n++) {
			uint32_t at = (n - 1u) * area->layout.arbiter_bytes;

			assert(at + RECORD_BYTES <= answer->bytes);
			place_block_in(&blocks[n - 1], answer->data + at, area->super.head.cluster,
				       n, block_at(place, &area->layout, n));
		}
	step(place, &event);
	answer_give(place);
}

/* ---- operations ---- */

static int begin(struct place_io *place, place_io_done *done, void *context, struct err *err)
{
	if (paxos_core_is_busy(&place->core) || place->has_answer)
		return err_set(err, RC_BUSY, "try again when it is done",
			       "a decision is already being waited for");
	place->done = done;
	place->done_context = context;
	place->began_at = clock_now();
	place->cost = (struct place_io_cost){ 0 };
	return 0;
}

int place_io_claim(struct place_io *place, uint64_t epoch, const void *value, size_t bytes,
		   mono_t deadline, place_io_done *done, void *context, struct err *err)
{
	struct paxos_event event = { .kind = PAXOS_EVENT_CLAIM,
				     .epoch = epoch,
				     .data = value,
				     .bytes = (uint16_t)bytes,
				     .deadline = deadline };
	int rc;

	if (epoch == 0 || bytes < 1 || bytes > PAXOS_VALUE_MAX)
		return err_set(err, RC_CONFIG, "epochs count from 1",
			       "epoch %" PRIu64 " with a value of %zu bytes cannot be claimed",
			       epoch, bytes);
	rc = begin(place, done, context, err);
	if (rc == 0)
		step(place, &event);
	return rc;
}

int place_io_look(struct place_io *place, mono_t deadline, place_io_done *done, void *context,
		  struct err *err)
{
	struct paxos_event event = { .kind = PAXOS_EVENT_LOOK, .deadline = deadline };
	int rc = begin(place, done, context, err);

	if (rc == 0)
		step(place, &event);
	return rc;
}

void place_io_prepare(struct place_io *place, uint64_t epoch)
{
	struct paxos_event event = { .kind = PAXOS_EVENT_PREPARE, .epoch = epoch };

	step(place, &event);
}

int place_io_is_idle(const struct place_io *place)
{
	return !place->has_answer && !paxos_core_is_busy(&place->core) &&
	       !paxos_core_is_waiting(&place->core);
}

void place_io_cancel(struct place_io *place)
{
	struct paxos_event event = { .kind = PAXOS_EVENT_CANCEL };

	place->has_answer = 0;
	step(place, &event);
}

void place_io_area(struct place_io *place, unsigned disk, const struct hb_area *area)
{
	place->setup.areas[disk] = area;
}

/* ---- why ---- */

int place_io_error(const struct paxos_answer *answer, const char *what, struct err *err)
{
	const char *text = paxos_why_text(answer->why);
	unsigned disk = answer->disk + 1;

	switch (answer->why) {
	case PAXOS_WHY_DISKS:
		return err_set(err, answer->rc ? answer->rc : RC_TIMEOUT,
			       "look at the disks with holdfast disk doctor",
			       "%s: %s in time (disk %u: %s)", what, text, disk,
			       rc_word(answer->rc ? answer->rc : RC_TIMEOUT));
	case PAXOS_WHY_DAMAGED:
	case PAXOS_WHY_NEWER:
		return err_set(err, RC_PROTOCOL,
			       answer->why == PAXOS_WHY_NEWER
				       ? "use the version of the other nodes"
				       : "start lockd on that node, which writes it anew",
			       "%s: disk %u: %s, that of node %u", what, disk, text, answer->node);
	case PAXOS_WHY_LIES:
		return err_set(err, RC_PROTOCOL, "replace the disk, or what caches its writes",
			       "%s: disk %u: %s", what, disk, text);
	case PAXOS_WHY_COLLISIONS:
		return err_set(err, RC_BUSY, "try again", "%s: %s", what, text);
	case PAXOS_WHY_PASSED:
		return err_set(err, RC_STATE, "read the record, and claim the epoch after it",
			       "%s: %s (%" PRIu64 ")", what, text, answer->epoch);
	case PAXOS_WHY_DUPLICATE:
		return err_set(err, RC_STATE, "give each node a number of its own", "%s: %s", what,
			       text);
	default:
		return err_set(err, RC_INTERNAL, "stop the cluster, and report it", "%s: %s", what,
			       text);
	}
}

/* ---- the place ---- */

int place_io_create(const struct place_io_setup *setup, struct place_io **place, struct err *err)
{
	struct paxos_config config = {
		.node = setup->node,
		.disks = setup->disks,
		.incarnation = setup->incarnation,
		.nonce = setup->nonce,
		.io_timeout_ms = setup->io_timeout_ms,
		.retry_ms = setup->io_timeout_ms / RETRY_SHARE,
		.seed = setup->seed,
		.owns_next = setup->owns_next,
	};
	struct place_io *made;

	if (config.retry_ms < RETRY_MIN_MS)
		config.retry_ms = RETRY_MIN_MS;
	if (config.retry_ms > RETRY_MAX_MS)
		config.retry_ms = RETRY_MAX_MS;
	for (unsigned d = 0; d < setup->disks; d++)
		if (setup->areas[d])
			config.nodes_max = setup->areas[d]->layout.nodes_max;
	if (config.nodes_max == 0)
		return err_set(err, RC_UNREACHABLE, "look at the paths", "no disk was ever there");
	made = calloc(1, sizeof *made);
	if (!made)
		return err_set(err, RC_INTERNAL, NULL, "no memory");
	made->setup = *setup;
	paxos_core_init(&made->core, &config);
	if (boot_timer_init(&made->timer, setup->loop, fired, made) != 0) {
		free(made);
		return err_set(err, RC_INTERNAL, NULL, "no timer can be had");
	}
	*place = made;
	return 0;
}

static void timer_closed(struct boot_timer *timer)
{
	free(timer->data);
}

void place_io_free(struct place_io *place)
{
	if (place)
		boot_timer_close(&place->timer, timer_closed);
}
