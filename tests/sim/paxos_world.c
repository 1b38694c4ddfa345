/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * paxos_world.c - claimers and disks in virtual time; see paxos_world.h.
 */
#include "tests/sim/paxos_world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rc.h"
#include "lockd/place_io.h"

enum { CLUSTER = 99, LATENCY_MS = 5 };

#define NEVER INT64_MAX

/* ---- telling ---- */

void paxos_world_say(struct paxos_world *world, const char *fmt, ...)
{
	size_t room = TRACE_BYTES - world->trace_bytes;
	char *at = world->trace + world->trace_bytes;
	va_list ap;
	int head, length;

	if (room < 512)
		return;
	head = snprintf(at, room, "[%" PRId64 "] ", world->now / NS_PER_MS_SIM);
	va_start(ap, fmt);
	length = vsnprintf(at + head, room - (size_t)head, fmt, ap);
	va_end(ap);
	world->trace_bytes += (size_t)(head + length);
	snprintf(world->trace + world->trace_bytes, 2, "\n");
	world->trace_bytes++;
}

static void violated(struct paxos_world *world, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void violated(struct paxos_world *world, const char *fmt, ...)
{
	va_list ap;

	if (world->violation[0])
		return;
	va_start(ap, fmt);
	vsnprintf(world->violation, sizeof world->violation, fmt, ap);
	va_end(ap);
	paxos_world_say(world, "VIOLATION: %s", world->violation);
}

/* ---- oracles ---- */

static int same(const struct paxos_value *a, const struct paxos_value *b)
{
	return a->node == b->node && a->bytes == b->bytes &&
	       memcmp(a->data, b->data, a->bytes) == 0;
}

/* Somebody was told, or a record says, that this is decided. */
static void decided(struct paxos_world *world, uint64_t epoch, const struct paxos_value *value,
		    const char *who)
{
	assert(epoch > 0 && epoch < EPOCHS_MAX);
	for (unsigned i = 0; i < world->unmade_count; i++)
		if (same(&world->unmade[i], value))
			violated(world, "epoch %" PRIu64 ": %s has %.*s, which was never chosen",
				 epoch, who, value->bytes, value->data);
	if (!world->decided[epoch].known) {
		world->decided[epoch].known = 1;
		world->decided[epoch].value = *value;
	} else if (!same(&world->decided[epoch].value, value)) {
		violated(world, "epoch %" PRIu64 ": %s has %.*s, but it was %.*s", epoch, who,
			 value->bytes, value->data, world->decided[epoch].value.bytes,
			 world->decided[epoch].value.data);
	}
}

static void answer_check(struct paxos_world *world, struct claimer *c,
			 const struct paxos_answer *answer)
{
	static const char *const words[] = {
		"?", "granted", "lost", "decided", "nothing", "unknown"
	};

	if (!c->is_claim && !c->is_look)
		violated(world, "n%u is answered, and did not ask", c->node);
	if (answer->outcome == PAXOS_UNKNOWN)
		paxos_world_say(world, "n%u: unknown: %s%s", c->node, paxos_why_text(answer->why),
				answer->made ? "; may be decided yet" : "");
	else if (answer->outcome == PAXOS_NOTHING)
		paxos_world_say(world, "n%u: nothing was decided yet", c->node);
	else
		paxos_world_say(world, "n%u: %s %" PRIu64 " %.*s", c->node, words[answer->outcome],
				answer->epoch, answer->value.bytes, answer->value.data);
	if (c->is_claim && answer->outcome == PAXOS_UNKNOWN && !answer->made &&
	    world->unmade_count < UNMADE_MAX)
		world->unmade[world->unmade_count++] = c->value;
	if (c->is_claim && answer->outcome != PAXOS_UNKNOWN && answer->epoch != c->epoch)
		violated(world, "n%u is answered about another epoch", c->node);
	if (answer->outcome == PAXOS_GRANTED && !(c->is_claim && same(&answer->value, &c->value)))
		violated(world, "n%u is granted what it did not ask for", c->node);
	if (answer->outcome == PAXOS_LOST && !(c->is_claim && !same(&answer->value, &c->value)))
		violated(world, "n%u has lost with its own value", c->node);
	if (answer->outcome == PAXOS_UNKNOWN && answer->why == PAXOS_WHY_CONFLICT)
		violated(world, "n%u has found two decisions", c->node);
	if (answer->outcome <= PAXOS_DECIDED)
		decided(world, answer->epoch, &answer->value, "an answer");
	if (c->is_look && !world->disks_lie &&
	    (answer->outcome == PAXOS_NOTHING || answer->outcome == PAXOS_DECIDED) &&
	    answer->epoch < c->answered_before)
		violated(world, "n%u looks and sees epoch %" PRIu64 ", but %" PRIu64 " was told",
			 c->node, answer->epoch, c->answered_before);
	if (answer->outcome <= PAXOS_DECIDED && answer->epoch > world->highest_answered)
		world->highest_answered = answer->epoch;
	c->last = *answer;
	c->answers++;
	c->last_reads = c->reads;
	c->last_writes = c->writes;
	c->is_claim = c->is_look = 0;
}

void paxos_world_inspect(struct paxos_world *world)
{
	for (unsigned d = 0; d < world->disks; d++)
		for (uint16_t n = 1; n <= world->layout.nodes_max; n++) {
			uint64_t at = disk_layout_arbiter_at(&world->layout, n);
			struct paxos_block block;

			place_block_in(&block, world->media[d].bytes + at, CLUSTER, n, at);
			if (block.sight == PAXOS_SIGHT_GOOD && block.decided_epoch)
				decided(world, block.decided_epoch, &block.decided, "a record");
		}
}

/* ---- requests ---- */

static mono_t claimer_now(const struct paxos_world *world, const struct claimer *c)
{
	return (mono_t){ world->now + c->slow_ns };
}

static void step(struct paxos_world *world, struct claimer *c, struct paxos_event *event);

static int64_t after(const struct paxos_world *world, int64_t ms)
{
	return ms < 0 ? NEVER : world->now + ms * NS_PER_MS_SIM;
}

static void request_out(struct paxos_world *world, struct claimer *c,
			const struct paxos_action *action)
{
	struct paxos_flight *flight = &c->flights[action->disk];
	const struct disk_layout *layout = &world->layout;
	struct paxos_fate fate = { .lands_ms = LATENCY_MS,
				   .ends_ms = LATENCY_MS,
				   .fault = MOCK_NO_FAULT };
	int is_write = action->kind == PAXOS_ACTION_WRITE;

	assert(!flight->in_use); /* one at a time */
	if (world->fate)
		world->fate(world, c, action->disk, is_write, &fate);
	*flight = (struct paxos_flight){
		.in_use = 1,
		.is_write = is_write,
		.token = action->token,
		.lands_at = after(world, fate.lands_ms),
		.ends_at = after(world, fate.ends_ms),
		.deadline = action->deadline.ns - c->slow_ns,
		.rc = fate.rc,
		.fault = fate.fault,
		.offset = disk_layout_arbiter_at(layout, is_write ? c->node : 1),
		.bytes = is_write ? layout->arbiter_bytes : layout->sequence_bytes,
	};
	flight->data = calloc(1, flight->bytes);
	assert(flight->data);
	if (is_write)
		place_block_out(flight->data, action->block, CLUSTER, c->node, flight->offset);
	if (world->trace_requests)
		paxos_world_say(world, "n%u %s disk %u", c->node, is_write ? "writes" : "reads",
				action->disk + 1);
	c->writes += (unsigned)is_write;
	c->reads += (unsigned)!is_write;
}

static void flight_drop(struct paxos_flight *flight)
{
	free(flight->data);
	*flight = (struct paxos_flight){ 0 };
}

static void flight_land(struct paxos_world *world, unsigned d, struct paxos_flight *flight)
{
	flight->landed = 1;
	if (flight->is_write)
		mock_disk_write(&world->media[d], world->now, flight->offset, flight->data,
				flight->bytes, &flight->fault);
	else
		mock_disk_read(&world->media[d], world->now, flight->offset, flight->data,
			       flight->bytes, &flight->fault);
}

static void flight_answer(struct paxos_world *world, struct claimer *c, unsigned d, int outstanding)
{
	static struct paxos_block blocks[PAXOS_NODES_MAX];
	struct paxos_flight *flight = &c->flights[d];
	struct paxos_event event = {
		.kind = flight->told	   ? PAXOS_EVENT_LATE
			: flight->is_write ? PAXOS_EVENT_WRITE_DONE
					   : PAXOS_EVENT_READ_DONE,
		.disk = d,
		.token = flight->token,
		.rc = outstanding ? RC_TIMEOUT : flight->rc,
		.outstanding = outstanding,
		.blocks = blocks,
	};

	if (event.kind == PAXOS_EVENT_READ_DONE && event.rc == 0)
		for (uint16_t n = 1; n <= world->layout.nodes_max; n++) {
			uint64_t at = disk_layout_arbiter_at(&world->layout, n);

			place_block_in(&blocks[n - 1], flight->data + (at - flight->offset),
				       CLUSTER, n, at);
		}
	if (outstanding)
		flight->told = 1;
	else
		flight_drop(flight);
	step(world, c, &event);
}

/* ---- claimers ---- */

static void step(struct paxos_world *world, struct claimer *c, struct paxos_event *event)
{
	struct paxos_out out;

	event->now = claimer_now(world, c);
	paxos_core_step(&c->core, event, &out);
	for (size_t i = 0; i < out.count; i++)
		if (out.actions[i].kind == PAXOS_ACTION_DONE)
			answer_check(world, c, out.actions[i].answer);
		else
			request_out(world, c, &out.actions[i]);
	if ((c->is_claim || c->is_look) != paxos_core_is_busy(&c->core))
		violated(world, "n%u was not answered", c->node);
}

void claimer_start(struct paxos_world *world, uint16_t n)
{
	struct claimer *c = &world->claimers[n - 1];
	struct paxos_config config = world->config;

	assert(!c->is_up);
	c->node = n;
	c->is_up = 1;
	c->incarnation++;
	config.node = n;
	config.nodes_max = world->layout.nodes_max;
	config.disks = world->disks;
	config.incarnation = c->incarnation;
	config.nonce = n * 1000u + c->incarnation;
	config.seed = world->config.seed * 31 + n * 7919u + c->incarnation;
	paxos_core_init(&c->core, &config);
}

void claimer_crash(struct paxos_world *world, uint16_t n, int landing)
{
	struct claimer *c = &world->claimers[n - 1];

	assert(c->is_up);
	for (unsigned d = 0; d < world->disks; d++) {
		struct paxos_flight *flight = &c->flights[d];

		if (flight->in_use && flight->is_write && !flight->landed && landing)
			flight_land(world, d, flight);
		if (flight->in_use)
			flight_drop(flight);
	}
	c->is_up = c->is_claim = c->is_look = 0;
	paxos_world_say(world, "n%u crashes", n);
}

static struct claimer *begin(struct paxos_world *world, uint16_t n, int64_t timeout_ms)
{
	struct claimer *c = &world->claimers[n - 1];

	assert(c->is_up && !c->is_claim && !c->is_look);
	c->reads = c->writes = 0;
	c->answered_before = world->highest_answered;
	c->deadline = world->now + timeout_ms * NS_PER_MS_SIM;
	return c;
}

void claimer_claim(struct paxos_world *world, uint16_t n, uint64_t epoch, const char *text,
		   int64_t timeout_ms)
{
	struct claimer *c = begin(world, n, timeout_ms);
	struct paxos_event event = { .kind = PAXOS_EVENT_CLAIM,
				     .epoch = epoch,
				     .deadline = { c->deadline + c->slow_ns } };
	int bytes;

	if (text)
		bytes = snprintf((char *)c->value.data, PAXOS_VALUE_MAX, "%s", text);
	else
		bytes = snprintf((char *)c->value.data, PAXOS_VALUE_MAX, "n%u/%u/%u", n,
				 c->incarnation, ++c->values);
	c->value.node = n;
	c->value.bytes = (uint16_t)bytes;
	c->is_claim = 1;
	c->epoch = epoch;
	event.data = c->value.data;
	event.bytes = c->value.bytes;
	paxos_world_say(world, "n%u claims %" PRIu64 " %.*s", n, epoch, bytes, c->value.data);
	step(world, c, &event);
}

void claimer_look(struct paxos_world *world, uint16_t n, int64_t timeout_ms)
{
	struct claimer *c = begin(world, n, timeout_ms);
	struct paxos_event event = { .kind = PAXOS_EVENT_LOOK,
				     .deadline = { c->deadline + c->slow_ns } };

	c->is_look = 1;
	paxos_world_say(world, "n%u looks", n);
	step(world, c, &event);
}

void claimer_prepare(struct paxos_world *world, uint16_t n, uint64_t epoch)
{
	struct paxos_event event = { .kind = PAXOS_EVENT_PREPARE, .epoch = epoch };

	step(world, &world->claimers[n - 1], &event);
}

void claimer_cancel(struct paxos_world *world, uint16_t n)
{
	struct claimer *c = &world->claimers[n - 1];
	struct paxos_event event = { .kind = PAXOS_EVENT_CANCEL };

	c->is_claim = c->is_look = 0;
	step(world, c, &event);
}

/* ---- time ---- */

static int64_t claimer_tick(const struct paxos_world *world, const struct claimer *c)
{
	mono_t next = c->is_up ? paxos_core_deadline(&c->core) : MONO_NEVER;

	if (mono_is_never(next))
		return NEVER;
	return next.ns - c->slow_ns > world->now ? next.ns - c->slow_ns : world->now;
}

static int64_t flight_next(const struct paxos_flight *flight)
{
	int64_t next = NEVER;

	if (!flight->in_use)
		return NEVER;
	if (!flight->landed)
		next = flight->lands_at;
	if (flight->ends_at < next)
		next = flight->ends_at;
	if (!flight->told && flight->deadline < next)
		next = flight->deadline;
	return next;
}

/* What is due at world->now. */
static void happen(struct paxos_world *world)
{
	for (unsigned i = 0; i < world->claimers_count; i++) {
		struct claimer *c = &world->claimers[i];

		for (unsigned d = 0; d < world->disks; d++) {
			struct paxos_flight *flight = &c->flights[d];

			if (flight->in_use && !flight->landed && flight->lands_at <= world->now)
				flight_land(world, d, flight);
			if (flight->in_use && flight->ends_at <= world->now)
				flight_answer(world, c, d, 0);
			else if (flight->in_use && !flight->told && flight->deadline <= world->now)
				flight_answer(world, c, d, 1);
		}
		if (claimer_tick(world, c) <= world->now) {
			struct paxos_event event = { .kind = PAXOS_EVENT_TICK };

			step(world, c, &event);
			/* A moment that comes again and again would never let time go on. */
			if (claimer_tick(world, c) <= world->now)
				violated(world, "n%u ticks on the spot", c->node);
		}
		if ((c->is_claim || c->is_look) && world->now > c->deadline)
			violated(world, "n%u is not answered in time", c->node);
	}
}

static int64_t next_moment(const struct paxos_world *world)
{
	int64_t next = NEVER;

	for (unsigned i = 0; i < world->claimers_count; i++) {
		const struct claimer *c = &world->claimers[i];
		int64_t tick = claimer_tick(world, c);

		next = tick < next ? tick : next;
		for (unsigned d = 0; d < world->disks; d++) {
			int64_t moment = flight_next(&c->flights[d]);

			next = moment < next ? moment : next;
		}
	}
	return next;
}

void paxos_world_run(struct paxos_world *world, int64_t until_ms)
{
	int64_t until = until_ms * NS_PER_MS_SIM;

	for (;;) {
		int64_t next = next_moment(world);

		if (next > until || world->violation[0])
			break;
		if (next > world->now)
			world->now = next;
		happen(world);
	}
	if (until > world->now)
		world->now = until;
	paxos_world_inspect(world);
}

int paxos_world_settle(struct paxos_world *world, int64_t most_ms)
{
	int64_t until = world->now + most_ms * NS_PER_MS_SIM;

	for (;;) {
		int64_t next = next_moment(world);
		int busy = 0;

		for (unsigned i = 0; i < world->claimers_count; i++)
			busy |= world->claimers[i].is_claim || world->claimers[i].is_look ||
				(world->claimers[i].is_up &&
				 paxos_core_is_waiting(&world->claimers[i].core));
		if (!busy && next == NEVER)
			break;
		if (next > until || world->violation[0])
			return 0;
		if (next > world->now)
			world->now = next;
		happen(world);
	}
	paxos_world_inspect(world);
	return 1;
}

void paxos_world_init(struct paxos_world *world, unsigned disks, unsigned claimers,
		      uint32_t sector_bytes, const struct paxos_config *config)
{
	int no_layout;

	memset(world, 0, sizeof *world);
	world->disks = disks;
	world->claimers_count = claimers;
	world->config = *config;
	no_layout = disk_layout_set(&world->layout, sector_bytes, claimers < 2 ? 2 : claimers, 0);
	assert(!no_layout && claimers <= CLAIMERS_MAX);
	for (unsigned d = 0; d < disks; d++)
		mock_disk_init(&world->media[d], world->layout.end, sector_bytes);
	for (unsigned i = 0; i < claimers; i++)
		world->claimers[i].node = (uint16_t)(i + 1);
}

void paxos_world_free(struct paxos_world *world)
{
	for (unsigned i = 0; i < CLAIMERS_MAX; i++)
		for (unsigned d = 0; d < DISKS_MAX; d++)
			free(world->claimers[i].flights[d].data);
	for (unsigned d = 0; d < world->disks; d++)
		mock_disk_free(&world->media[d]);
}
