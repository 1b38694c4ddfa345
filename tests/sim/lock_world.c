/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lock_world.c - nodes with named locks, in simulated time; see lock_world.h.
 */
#include "tests/sim/lock_world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rc.h"
#include "base/timing_peer.h"

enum { SUSPECT_MS = 300, JOIN_MS = 100, KILL_TAKES_MS = 20, HANG_MS = 4000 };

static void trace(struct lw_world *world, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void violation(struct lw_world *world, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void trace(struct lw_world *world, const char *fmt, ...)
{
	size_t room = LW_TRACE - world->trace_bytes;
	va_list ap;
	int bytes;

	bytes = snprintf(world->trace + world->trace_bytes, room, "[%" PRId64 "] ", world->now_ms);
	if ((size_t)bytes >= room)
		return;
	va_start(ap, fmt);
	bytes += vsnprintf(world->trace + world->trace_bytes + bytes, room - (size_t)bytes, fmt,
			   ap);
	va_end(ap);
	if ((size_t)bytes + 1 >= room)
		return;
	world->trace_bytes += (size_t)bytes;
	world->trace[world->trace_bytes++] = '\n';
	world->trace[world->trace_bytes] = '\0';
}

static void violation(struct lw_world *world, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	if (world->violation[0])
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	snprintf(world->violation, sizeof world->violation, "[%" PRId64 "] %s", world->now_ms,
		 text);
}

unsigned lw_dice(struct lw_world *world, unsigned sides)
{
	/* xorshift64*; Vigna 2016 */
	world->random ^= world->random >> 12;
	world->random ^= world->random << 25;
	world->random ^= world->random >> 27;
	return (unsigned)((world->random * UINT64_C(0x2545f4914f6cdd1d) >> 33) % sides);
}

static int chance(struct lw_world *world, unsigned in_thousand)
{
	return in_thousand && lw_dice(world, 1000) < in_thousand;
}

/* ---- clocks, leases ---- */

static mono_t clock_of(const struct lw_node *node, int64_t ms)
{
	return (mono_t){ node->origin_ns + ms * 1000000 + ms * node->ppm };
}

static mono_t lease_of(const struct lw_world *world, const struct lw_node *node)
{
	if (!node->lease_is_there || node->stamp_ms < 0)
		return (mono_t){ INT64_MIN };
	return mono_add_ms(clock_of(node, node->stamp_ms), world->config.lease_ms);
}

static int is_awake(const struct lw_world *world, const struct lw_node *node)
{
	return node->state == LW_UP && world->now_ms >= node->paused_until;
}

static int rests(const struct lw_node *node)
{
	for (size_t i = 0; i < LOCK_JOBS_MAX; i++)
		if (node->core.jobs[i].stage != LOCK_STAGE_NONE &&
		    lock_core_job_rests(&node->core, node->core.jobs[i].id))
			return 1;
	return 0;
}

/* ---- processes ---- */

static int runs_here(const struct lw_world *world, const struct lw_node *node)
{
	for (size_t i = 0; i < LW_PROCESSES; i++)
		if (world->processes[i].is_alive && world->processes[i].machine == node->machine)
			return 1;
	return 0;
}

static void process_start(struct lw_world *world, const struct lw_node *node, struct lw_ask *ask,
			  const struct lock_action *action)
{
	size_t free_place = LW_PROCESSES;

	for (size_t i = 0; i < LW_PROCESSES; i++) {
		const struct lw_process *other = &world->processes[i];

		if (!other->is_alive)
			free_place = i;
		else if (strcmp(other->name, ask->name) == 0)
			violation(world,
				  "two holders of %s: node %u (term %" PRIu64
				  ") and node %u (term %" PRIu64 ")",
				  ask->name, other->node, other->term, node->node, action->term);
	}
	assert(free_place < LW_PROCESSES);
	if (action->term <= world->last_term[action->slot])
		violation(world, "term %" PRIu64 " of %s is not above %" PRIu64, action->term,
			  ask->name, world->last_term[action->slot]);
	world->last_term[action->slot] = action->term;
	for (size_t s = 0; s < LW_SLOTS; s++)
		if (world->slots[s].last &&
		    (strcmp(world->slots[s].terms[0].name, ask->name) == 0) != (s == action->slot))
			violation(world, "%s is in slot %zu and in slot %" PRIu32, ask->name, s,
				  action->slot);
	ask->process = (int)free_place;
	world->processes[free_place] = (struct lw_process){
		.is_alive = 1,
		.node = node->node,
		.machine = node->machine,
		.term = action->term,
		.ends_ms = world->now_ms + ask->run_ms,
		.stuck = ask->stuck,
	};
	snprintf(world->processes[free_place].name, sizeof world->processes[free_place].name, "%s",
		 ask->name);
	world->grants++;
}

static void process_ends(struct lw_world *world, int process, int64_t at_ms)
{
	struct lw_process *it;

	if (process < 0)
		return;
	it = &world->processes[process];
	if (it->is_alive && !it->stuck && at_ms < it->ends_ms)
		it->ends_ms = at_ms;
}

static int process_runs(const struct lw_world *world, const struct lw_ask *ask)
{
	return ask->process >= 0 && world->processes[ask->process].is_alive;
}

/* ---- actions of the core ---- */

static const char *result_word(enum lock_result result)
{
	static const char *const words[] = { "?",    "released", "timeout", "full",
					     "lost", "dropped",	 "broken",  "absent",
					     "free", "refused",	 "confirm", "unknown" };

	return words[result];
}

static struct lw_ask *ask_of(struct lw_node *node, uint32_t job)
{
	for (size_t i = 0; i < LW_ASKS; i++)
		if (node->asks[i].in_use && node->asks[i].job == job)
			return &node->asks[i];
	return NULL;
}

static void pend(struct lw_world *world, struct lw_node *node, const struct lock_action *action)
{
	struct lw_pending *pending = NULL;
	int64_t effect = 1 + lw_dice(world, world->faults.latency_ms + 1);

	for (size_t i = 0; !pending && i < LW_QUEUE; i++)
		if (!world->queue[i].in_use)
			pending = &world->queue[i];
	assert(pending);
	*pending = (struct lw_pending){ .in_use = 1,
					.node = node->node,
					.incarnation = node->incarnation,
					.boot = node->boot,
					.slot = action->slot,
					.token = action->token,
					.term = action->term,
					.effect_ms = world->now_ms + effect };
	pending->answer_ms = pending->effect_ms + 1 + lw_dice(world, world->faults.latency_ms + 1);
	if (action->kind == LOCK_ACTION_READ)
		return;
	pending->is_claim = 1;
	pending->value = *action->value;
	/* A disk that is gone fails at once, or hangs. */
	if (!node->disk_ok && lw_dice(world, 2)) {
		pending->effect_ms += HANG_MS;
		pending->answer_ms += HANG_MS;
	}
	if (action->value->kind == LOCK_HELD && node->has_watchdog &&
	    node->renewed_ms > node->stamp_ms) {
		/* Nothing may begin to rest now. */
		pending->done = 1;
		pending->outcome = LOCK_CLAIM_NOT_MADE;
		pending->rc = RC_BUSY;
		pending->answer_ms = world->now_ms;
	}
}

static void told(struct lw_world *world, struct lw_node *node, struct lw_ask *ask,
		 const struct lock_action *action)
{
	switch (action->told) {
	case LOCK_TOLD_WAITING:
		trace(world, "n%u: %s: waits for node %u (%s%s)", node->node, ask->name,
		      action->holder->node, lock_fate_word(action->fate),
		      mono_is_never(action->at) ? "" : ", until then");
		break;
	case LOCK_TOLD_GRANTED:
		trace(world, "n%u: %s: granted, term %" PRIu64, node->node, ask->name,
		      action->term);
		ask->told_held = 1;
		process_start(world, node, ask, action);
		break;
	case LOCK_TOLD_LEASE:
		trace(world, "n%u: %s: the lease is too short", node->node, ask->name);
		break;
	case LOCK_TOLD_DISK:
		trace(world, "n%u: %s: disks: %s", node->node, ask->name, rc_word(action->rc));
		break;
	}
}

static void action_do(struct lw_world *world, struct lw_node *node,
		      const struct lock_action *action)
{
	struct lw_ask *ask = ask_of(node, action->job);

	switch (action->kind) {
	case LOCK_ACTION_READ:
	case LOCK_ACTION_CLAIM:
		pend(world, node, action);
		break;
	case LOCK_ACTION_END:
		trace(world, "n%u: %s: ends (%s)", node->node, ask->name,
		      lock_why_word(action->why));
		if (!ask->deaf)
			process_ends(world, ask->process,
				     world->now_ms + lw_dice(world, KILL_TAKES_MS));
		break;
	case LOCK_ACTION_KILL:
		if (!action->is_ended)
			trace(world, "n%u: %s: killed (%s)", node->node, ask->name,
			      lock_why_word(action->why));
		ask->killing = 1;
		process_ends(world, ask->process, world->now_ms + lw_dice(world, KILL_TAKES_MS));
		break;
	case LOCK_ACTION_TELL:
		told(world, node, ask, action);
		break;
	case LOCK_ACTION_DONE:
		trace(world, "n%u: %s: %s%s%s", node->node, ask->name, result_word(action->result),
		      action->why == LOCK_WHY_NONE ? "" : ", ",
		      action->why == LOCK_WHY_NONE ? "" : lock_why_word(action->why));
		world->lost += action->result == LOCK_DONE_LOST;
		world->breaks += action->result == LOCK_DONE_BROKEN;
		if (process_runs(world, ask))
			violation(world, "node %u says that %s is over, but it runs", node->node,
				  ask->name);
		ask->in_use = 0;
		break;
	}
}

static void step(struct lw_world *world, struct lw_node *node, struct lock_event *event)
{
	struct lock_out *out = &world->out;

	event->now = clock_of(node, world->now_ms);
	event->lease_until = lease_of(world, node);
	event->peers = node->peers;
	event->watchdog_ms = node->has_watchdog ? world->config.watchdog_ms : 0;
	event->grain_ms = world->config.grain_ms;
	lock_core_step(&node->core, event, out);
	for (size_t i = 0; i < out->count; i++)
		action_do(world, node, &out->actions[i]);
}

/* ---- the slots ---- */

static int same(const struct lock_term *a, const struct lock_term *b)
{
	return a->kind == b->kind && a->node == b->node && a->incarnation == b->incarnation &&
	       a->wall_s == b->wall_s && strcmp(a->command, b->command) == 0 &&
	       strcmp(a->name, b->name) == 0;
}

static void decide(struct lw_world *world, uint32_t s, const struct lock_term *value)
{
	struct lw_slot *slot = &world->slots[s];

	assert(slot->last < LW_TERMS);
	slot->terms[slot->last++] = *value;
	slot->shown = chance(world, world->faults.unshown) ? slot->last - 1 : slot->last;
}

/* Another's claim of that term, which was in doubt, is completed by ours. */
static int other_wins(struct lw_world *world, const struct lw_pending *mine)
{
	for (size_t i = 0; i < LW_QUEUE; i++) {
		struct lw_pending *other = &world->queue[i];

		if (other->in_use && other->decides && other->slot == mine->slot &&
		    other->term == mine->term && lw_dice(world, 2)) {
			decide(world, other->slot, &other->value);
			other->in_use = 0;
			return 1;
		}
	}
	return 0;
}

static void claim_effect(struct lw_world *world, struct lw_pending *p)
{
	struct lw_slot *slot = &world->slots[p->slot];
	int fails = !p->decides && chance(world, world->faults.claim_lost);

	p->outcome = LOCK_CLAIM_UNKNOWN;
	p->rc = RC_TIMEOUT;
	if (p->term > slot->last + 1) {
		violation(world,
			  "node %u claims term %" PRIu64 " of slot %u, of which %" PRIu64
			  " are decided",
			  p->node, p->term, p->slot, slot->last);
		return;
	}
	if (!p->decides && !world->nodes[p->node - 1].disk_ok)
		return;
	if (fails && chance(world, world->faults.claim_late)) {
		/* Decided later, by whoever completes it. */
		struct lw_pending late = *p;

		late.decides = 1;
		late.effect_ms = world->now_ms + lw_dice(world, 1500);
		for (size_t i = 0; i < LW_QUEUE; i++)
			if (!world->queue[i].in_use) {
				world->queue[i] = late;
				break;
			}
		return;
	}
	if (fails && lw_dice(world, 2))
		return;
	if (p->term == slot->last + 1 && (p->decides || !other_wins(world, p)))
		decide(world, p->slot, &p->value);
	if (p->decides)
		return;
	if (slot->shown < p->term)
		slot->shown = p->term;
	/* Of a term that was passed it may be impossible to tell. */
	if (fails || (p->term < slot->last && lw_dice(world, 2)))
		return;
	p->said = slot->terms[p->term - 1];
	p->said_term = p->term;
	p->outcome = same(&p->said, &p->value) ? LOCK_CLAIM_GRANTED : LOCK_CLAIM_LOST;
	p->rc = 0;
}

static void read_effect(struct lw_world *world, struct lw_pending *p)
{
	struct lw_slot *slot = &world->slots[p->slot];

	if (!world->nodes[p->node - 1].disk_ok || chance(world, world->faults.read_fails)) {
		p->rc = RC_TIMEOUT;
		return;
	}
	/* A look that finds only a choice completes it, sometimes later. */
	if (slot->shown < slot->last && lw_dice(world, 2))
		slot->shown = slot->last;
	p->said_term = slot->shown;
	if (p->said_term)
		p->said = slot->terms[p->said_term - 1];
}

static void pending_answer(struct lw_world *world, struct lw_pending *p)
{
	struct lw_node *node = &world->nodes[p->node - 1];
	struct lw_pending copy = *p;
	struct lock_event event = { .kind = p->is_claim ? LOCK_EVENT_CLAIMED : LOCK_EVENT_READ,
				    .token = p->token,
				    .rc = p->rc,
				    .outcome = p->outcome,
				    .term = p->said_term };

	if (node->boot == p->boot && node->state == LW_UP && world->now_ms < node->paused_until)
		return;
	p->in_use = 0;
	/* An incarnation that is over asks nothing any more. */
	if (node->boot != copy.boot || node->incarnation != copy.incarnation ||
	    node->state != LW_UP)
		return;
	event.told = copy.said_term ? &copy.said : NULL;
	step(world, node, &event);
}

static void queue_run(struct lw_world *world)
{
	for (size_t i = 0; i < LW_QUEUE; i++) {
		struct lw_pending *p = &world->queue[i];

		if (!p->in_use)
			continue;
		if (!p->done && world->now_ms >= p->effect_ms) {
			p->done = 1;
			if (p->is_claim)
				claim_effect(world, p);
			else
				read_effect(world, p);
			if (p->decides)
				p->in_use = 0;
		}
		if (p->in_use && p->done && world->now_ms >= p->answer_ms)
			pending_answer(world, p);
	}
}

/* ---- the heartbeat ---- */

static void peer_look(struct lw_world *world, struct lw_node *node, const struct lw_node *other)
{
	struct lock_peer *peer = &node->peers[other->node - 1];
	mono_t now = clock_of(node, world->now_ms);
	uint32_t watchdog_ms = other->has_watchdog ? world->config.watchdog_ms : 0;
	int64_t silent_ms, gone_ms;

	if (!other->published)
		return;
	if (peer->state == LOCK_PEER_NEVER || peer->incarnation != other->incarnation) {
		*peer = (struct lock_peer){ .state = LOCK_PEER_ALIVE,
					    .incarnation = other->incarnation,
					    .lease_ms = world->config.lease_ms,
					    .watchdog_ms = watchdog_ms,
					    .grain_ms = world->config.grain_ms,
					    .changed_at = now };
		memcpy(peer->machine, &other->machine, sizeof other->machine);
		memcpy(peer->boot, &other->boot, sizeof other->boot);
		node->seen_sequence[other->node - 1] = other->sequence;
	}
	if (peer->state == LOCK_PEER_DEAD || peer->state == LOCK_PEER_LEFT)
		return;
	if (other->left) {
		peer->state = LOCK_PEER_LEFT;
		return;
	}
	if (node->seen_sequence[other->node - 1] != other->sequence) {
		node->seen_sequence[other->node - 1] = other->sequence;
		peer->changed_at = now;
		peer->watchdog_ms = watchdog_ms;
		peer->state = LOCK_PEER_ALIVE;
	}
	silent_ms = mono_diff_ms(peer->changed_at, now);
	gone_ms = timing_peer_gone_ms(world->config.lease_ms, watchdog_ms, world->config.grain_ms,
				      world->config.drain_ms, world->config.drift_ppm);
	if (silent_ms >= SUSPECT_MS)
		peer->state = LOCK_PEER_SUSPECT;
	if (watchdog_ms && silent_ms >= gone_ms)
		peer->state = LOCK_PEER_DEAD;
}

static void beat(struct lw_world *world, struct lw_node *node)
{
	for (unsigned i = 0; i < world->nodes_count; i++)
		if (i + 1 != node->node)
			peer_look(world, node, &world->nodes[i]);
	node->stamp_ms = world->now_ms;
	node->sequence++;
}

static void join(struct lw_world *world, struct lw_node *node)
{
	struct lock_event event = { .kind = LOCK_EVENT_JOINED };

	node->incarnation++;
	node->lease_is_there = 1;
	node->published = 1;
	node->left = 0;
	beat(world, node);
	event.incarnation = node->incarnation;
	trace(world, "n%u: active, incarnation %" PRIu32, node->node, node->incarnation);
	step(world, node, &event);
}

static void core_make(struct lw_world *world, struct lw_node *node)
{
	struct lock_config config = world->config;

	config.node = (uint16_t)node->node;
	config.watchdog_ms = node->has_watchdog ? config.watchdog_ms : 0;
	memcpy(config.machine, &node->machine, sizeof node->machine);
	memcpy(config.boot, &node->boot, sizeof node->boot);
	memset(node->asks, 0, sizeof node->asks);
	memset(node->peers, 0, sizeof node->peers);
	memset(node->seen_sequence, 0, sizeof node->seen_sequence);
	lock_core_init(&node->core, &config, clock_of(node, world->now_ms));
	node->lease_is_there = 0;
	node->stamp_ms = -1;
	node->stopping = 0;
	node->join_ms = world->now_ms + JOIN_MS;
}

/* ---- what befalls them ---- */

static void machine_end(struct lw_world *world, struct lw_node *node)
{
	for (size_t i = 0; i < LW_PROCESSES; i++)
		if (world->processes[i].machine == node->machine)
			world->processes[i].is_alive = 0;
	node->state = LW_OFF;
	node->lease_is_there = 0;
	node->renewed_ms = -1;
	node->paused_until = 0;
	memset(node->asks, 0, sizeof node->asks);
}

void lw_reset(struct lw_world *world, unsigned number)
{
	trace(world, "n%u is reset", number);
	machine_end(world, &world->nodes[number - 1]);
}

void lw_boot(struct lw_world *world, unsigned number)
{
	struct lw_node *node = &world->nodes[number - 1];

	if (node->state != LW_OFF)
		return;
	if (!node->machine)
		node->machine = ++world->machines;
	node->boot = ++world->boots;
	node->state = LW_IDLE;
	lw_restart(world, number);
}

void lw_restart(struct lw_world *world, unsigned number)
{
	struct lw_node *node = &world->nodes[number - 1];

	if (node->state != LW_IDLE && node->state != LW_REFUSED)
		return;
	/* lockd ends what its predecessor left, or does not start. */
	for (size_t i = 0; i < LW_PROCESSES; i++)
		if (world->processes[i].machine == node->machine && !world->processes[i].stuck)
			world->processes[i].is_alive = 0;
	if (runs_here(world, node)) {
		trace(world, "n%u: lockd does not start", number);
		node->state = LW_REFUSED;
		return;
	}
	trace(world, "n%u: lockd starts", number);
	node->state = LW_UP;
	node->renewed_ms = node->has_watchdog ? world->now_ms : -1;
	core_make(world, node);
}

void lw_kill(struct lw_world *world, unsigned number)
{
	struct lw_node *node = &world->nodes[number - 1];

	if (node->state != LW_UP)
		return;
	trace(world, "n%u: lockd is killed", number);
	node->state = LW_IDLE;
	node->paused_until = 0;
	node->lease_is_there = 0;
	/* Each `lock run` ends its command. */
	for (size_t i = 0; i < LW_ASKS; i++)
		if (node->asks[i].in_use && node->asks[i].has_client && !node->asks[i].deaf)
			process_ends(world, node->asks[i].process, world->now_ms + KILL_TAKES_MS);
}

void lw_replace(struct lw_world *world, unsigned number)
{
	struct lw_node *node = &world->nodes[number - 1];

	/* The old machine is cut off from the disks, but runs on until its watchdog resets it. As that
	 * is later than what its successor relies on, it is the same as if it was a ghost: its
	 * processes go when the time has come. */
	if (node->state != LW_UP)
		return;
	trace(world, "n%u: another machine takes its place", number);
	for (size_t i = 0; i < LW_PROCESSES; i++)
		if (world->processes[i].is_alive && world->processes[i].machine == node->machine) {
			world->processes[i].stuck = 0;
			process_ends(world, (int)i,
				     node->stamp_ms + world->config.lease_ms +
					     world->config.watchdog_ms + world->config.grain_ms);
			world->processes[i].stuck = 1;
		}
	node->state = LW_OFF;
	node->machine = ++world->machines;
	node->boot = ++world->boots;
	node->lease_is_there = 0;
	node->renewed_ms = -1;
	node->paused_until = 0;
	node->state = LW_UP;
	core_make(world, node);
	/* The heartbeat waits for the old one's lease ("silent"). */
	node->join_ms = world->now_ms +
			timing_peer_silent_ms(world->config.lease_ms, 50, world->config.drift_ppm);
}

void lw_pause(struct lw_world *world, unsigned number, int64_t ms)
{
	trace(world, "n%u: lockd stands still for %" PRId64 " ms", number, ms);
	world->nodes[number - 1].paused_until = world->now_ms + ms;
}

void lw_disk(struct lw_world *world, unsigned number, int ok)
{
	trace(world, "n%u: disk %s", number, ok ? "good" : "gone");
	world->nodes[number - 1].disk_ok = ok;
}

void lw_watchdog_fails(struct lw_world *world, unsigned number)
{
	trace(world, "n%u: its watchdog fails", number);
	world->nodes[number - 1].has_watchdog = 0;
	world->nodes[number - 1].renewed_ms = -1;
}

void lw_stop(struct lw_world *world, unsigned number)
{
	if (!is_awake(world, &world->nodes[number - 1]))
		return;
	trace(world, "n%u: lockd is to stop", number);
	world->nodes[number - 1].stopping = 1;
}

static int is_active(const struct lw_world *world, const struct lw_node *node)
{
	return is_awake(world, node) && node->lease_is_there && !node->stopping;
}

static struct lw_ask *ask_new(struct lw_world *world, struct lw_node *node, const char *name)
{
	for (size_t i = 0; i < LW_ASKS; i++) {
		struct lw_ask *ask = &node->asks[i];

		if (ask->in_use)
			continue;
		*ask = (struct lw_ask){ .in_use = 1, .job = ++node->next_job, .process = -1 };
		snprintf(ask->name, sizeof ask->name, "%s", name);
		return ask;
	}
	(void)world;
	return NULL;
}

void lw_ask(struct lw_world *world, unsigned number, const char *name, int64_t wait_ms,
	    int64_t run_ms, int deaf, int stuck)
{
	struct lw_node *node = &world->nodes[number - 1];
	struct lock_event event = { .kind = LOCK_EVENT_ACQUIRE,
				    .name = name,
				    .wait_until = MONO_NEVER,
				    .wall_s = (uint64_t)world->now_ms };
	struct lw_ask *ask;

	if (!is_active(world, node) || !lock_core_has_room(&node->core))
		return;
	ask = ask_new(world, node, name);
	if (!ask)
		return;
	ask->has_client = 1;
	ask->run_ms = run_ms;
	ask->deaf = deaf;
	ask->stuck = stuck;
	event.job = ask->job;
	if (wait_ms >= 0)
		event.wait_until = mono_add_ms(clock_of(node, world->now_ms), wait_ms);
	step(world, node, &event);
}

void lw_break(struct lw_world *world, unsigned number, const char *name, uint64_t confirmed)
{
	struct lw_node *node = &world->nodes[number - 1];
	struct lock_event event = {
		.kind = LOCK_EVENT_BREAK, .name = name, .by = "op", .confirmed = confirmed
	};
	struct lw_ask *ask;

	if (!is_active(world, node) || !lock_core_has_room(&node->core))
		return;
	ask = ask_new(world, node, name);
	if (!ask)
		return;
	ask->is_break = 1;
	event.job = ask->job;
	step(world, node, &event);
}

void lw_vanish(struct lw_world *world, unsigned number, const char *name)
{
	struct lw_node *node = &world->nodes[number - 1];

	for (size_t i = 0; i < LW_ASKS; i++) {
		struct lw_ask *ask = &node->asks[i];

		if (!ask->in_use || !ask->has_client || strcmp(ask->name, name) != 0)
			continue;
		trace(world, "n%u: %s: its `lock run` is killed", number, name);
		ask->has_client = 0;
		ask->gone_due = 1;
		return;
	}
}

/* ---- time ---- */

/* The place of one that has ended may be another's. */
static void processes_forget(struct lw_world *world)
{
	for (unsigned i = 0; i < world->nodes_count; i++)
		for (size_t a = 0; a < LW_ASKS; a++)
			if (!process_runs(world, &world->nodes[i].asks[a]))
				world->nodes[i].asks[a].process = -1;
}

static void processes_run(struct lw_world *world)
{
	for (size_t i = 0; i < LW_PROCESSES; i++) {
		struct lw_process *process = &world->processes[i];

		if (process->is_alive && world->now_ms >= process->ends_ms)
			process->is_alive = 0;
	}
	processes_forget(world);
}

/* `lock run` sees that its command has ended, or that the lease is about to. */
static void clients_run(struct lw_world *world, struct lw_node *node)
{
	for (size_t i = 0; i < LW_ASKS; i++) {
		struct lw_ask *ask = &node->asks[i];
		struct lock_event event = { .kind = LOCK_EVENT_GONE, .job = ask->job };

		if (ask->in_use && ask->gone_due && is_awake(world, node)) {
			ask->gone_due = 0;
			step(world, node, &event);
		}
		if (!ask->in_use || !ask->told_held)
			continue;
		if (ask->has_client && !ask->deaf &&
		    world->now_ms >=
			    node->stamp_ms + world->config.lease_ms - world->config.kill_left_ms)
			process_ends(world, ask->process, world->now_ms);
		if (!is_awake(world, node) || process_runs(world, ask))
			continue;
		if (ask->killing) {
			event.kind = LOCK_EVENT_EMPTY;
			ask->killing = 0;
			step(world, node, &event);
		} else if (ask->has_client) {
			event.kind = LOCK_EVENT_UNLOCK;
			ask->has_client = 0;
			step(world, node, &event);
		}
	}
}

static void watchdog_run(struct lw_world *world, struct lw_node *node)
{
	int64_t bound_ms = world->config.lease_ms + world->config.watchdog_ms +
			   world->config.grain_ms;
	int awake = is_awake(world, node);

	if (node->state == LW_OFF || node->renewed_ms < 0)
		return;
	if (awake && (rests(node) ||
		      (node->lease_is_there && world->now_ms - node->stamp_ms < 2 * BEAT_MS))) {
		if (node->renewed_ms < node->stamp_ms)
			node->renewed_ms = node->stamp_ms;
	} else if (awake) {
		node->renewed_ms = world->now_ms;
	}
	if (world->now_ms < node->renewed_ms + bound_ms)
		return;
	trace(world, "n%u: its watchdog fires", node->node);
	if (awake && !runs_here(world, node))
		violation(world, "node %u is reset, but nothing rested on its lease", node->node);
	world->resets++;
	machine_end(world, node);
}

static void node_stop(struct lw_world *world, struct lw_node *node)
{
	struct lock_event event = { .kind = LOCK_EVENT_STOP };

	step(world, node, &event);
	if (lock_core_is_busy(&node->core) || rests(node))
		return;
	trace(world, "n%u: goodbye", node->node);
	if (node->disk_ok && node->lease_is_there)
		node->left = 1;
	node->state = LW_IDLE;
	node->lease_is_there = 0;
	node->renewed_ms = -1;
}

static void node_run(struct lw_world *world, struct lw_node *node)
{
	struct lock_event tick = { .kind = LOCK_EVENT_TICK };
	mono_t now = clock_of(node, world->now_ms);

	if (!is_awake(world, node))
		return;
	/* The lease first (S6). */
	if (node->lease_is_there && mono_reached(now, lease_of(world, node))) {
		trace(world, "n%u: lease lost", node->node);
		node->lease_is_there = 0;
		node->join_ms = world->now_ms + JOIN_MS;
	}
	if (mono_reached(now, lock_core_deadline(&node->core)))
		step(world, node, &tick);
	if ((world->now_ms + 7 * node->node) % BEAT_MS == 0) {
		if (node->lease_is_there && node->disk_ok)
			beat(world, node);
		step(world, node, &tick);
		if (node->stopping)
			node_stop(world, node);
	}
	if (node->state == LW_UP && !node->lease_is_there && !node->stopping && node->disk_ok &&
	    !rests(node) && world->now_ms >= node->join_ms)
		join(world, node);
}

void lw_run(struct lw_world *world, int64_t until_ms)
{
	while (world->now_ms < until_ms && !world->violation[0]) {
		world->now_ms++;
		processes_run(world);
		for (unsigned i = 0; i < world->nodes_count; i++)
			watchdog_run(world, &world->nodes[i]);
		queue_run(world);
		for (unsigned i = 0; i < world->nodes_count; i++) {
			node_run(world, &world->nodes[i]);
			clients_run(world, &world->nodes[i]);
		}
	}
}

void lw_init(struct lw_world *world, unsigned nodes, uint64_t seed)
{
	memset(world, 0, sizeof *world);
	world->nodes_count = nodes;
	world->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	world->faults.latency_ms = 5;
	world->config = (struct lock_config){
		.nodes_max = LW_NODES,
		.lease_ms = 1200,
		.watchdog_ms = 400,
		.grain_ms = 100,
		.drain_ms = 100,
		.drift_ppm = 2000,
		.slots = LW_SLOTS,
		.term_left_ms = 400,
		.kill_left_ms = 200,
		.poll_ms = 50,
	};
	for (unsigned i = 0; i < nodes; i++)
		world->nodes[i] = (struct lw_node){ .node = i + 1,
						    .disk_ok = 1,
						    .has_watchdog = 1,
						    .stamp_ms = -1,
						    .renewed_ms = -1,
						    .ppm = (int32_t)i * 300 - 300,
						    .origin_ns = (int64_t)(i + 1) * 7777777777 };
}
