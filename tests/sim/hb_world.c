/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hb_world.c - simulated machines on mock disks; see hb_world.h.
 */
#include "tests/sim/hb_world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void world_trace(struct world *world, const char *fmt, ...)
{
	size_t room = TRACE_BYTES - world->trace_bytes;
	va_list ap;
	int bytes;

	va_start(ap, fmt);
	bytes = vsnprintf(world->trace + world->trace_bytes, room, fmt, ap);
	va_end(ap);
	if (bytes > 0)
		world->trace_bytes += (size_t)bytes < room ? (size_t)bytes : room - 1;
}

static void violation(struct world *world, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void violation(struct world *world, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	if (world->violation[0])
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	snprintf(world->violation, sizeof world->violation, "[%" PRId64 "] %s",
		 world->now_ns / NS_PER_MS, text);
}

/* "n2"; "n2b" of the second machine that is configured so. */
static const char *called(const struct world *world, const struct machine *machine)
{
	static char name[16];
	char rank = 'a';

	for (const struct machine *other = world->machines; other < machine; other++)
		rank = (char)(rank + (other->node == machine->node));
	snprintf(name, sizeof name, rank == 'a' ? "n%u" : "n%u%c", machine->node, rank);
	return name;
}

/* ---- clocks ---- */

static mono_t clock_of(const struct machine *machine, int64_t true_ns)
{
	return (mono_t){ machine->clock_origin_ns + true_ns +
			 true_ns / 1000000 * machine->clock_ppm };
}

/* The first true moment at which the machine's clock shows `local` or more. */
static int64_t true_of(const struct machine *machine, mono_t local)
{
	int64_t ns;

	if (mono_is_never(local))
		return INT64_MAX;
	ns = (int64_t)((double)(local.ns - machine->clock_origin_ns) /
		       (1.0 + machine->clock_ppm / 1e6));
	while (clock_of(machine, ns).ns < local.ns)
		ns += 1000;
	return ns;
}

/* ---- set up ---- */

void world_init(struct world *world, unsigned disks, unsigned nodes_max, uint32_t sector_bytes,
		const struct hb_config *config)
{
	memset(world, 0, sizeof *world);
	world->disks = disks;
	world->nodes_max = nodes_max;
	world->config = *config;
	world->config.disks = disks;
	world->config.nodes_max = (uint16_t)nodes_max;
	world->drain_ms = config->drain_ms;
	world->nonces = 1;
	for (unsigned d = 0; d < disks; d++) {
		struct hb_area *area = &world->areas[d];
		int no_layout = disk_layout_set(&area->layout, sector_bytes, nodes_max, 0);

		assert(!no_layout);
		area->super = (struct super_record){ .head = { .cluster = 77, .sequence = 1 },
						     .cluster_name = "sim",
						     .disk_index = (uint8_t)(d + 1),
						     .disks_count = (uint8_t)disks,
						     .nodes_max = (uint16_t)nodes_max,
						     .sector_bytes = sector_bytes,
						     .claim_window_ms = config->claim_window_ms,
						     .created_by = "sim",
						     .arbiter = SUPER_ARBITER_PAXOS };
		super_out(area->block, &area->super);
		mock_disk_init(&world->media[d], area->layout.end, sector_bytes);
		memcpy(world->media[d].bytes, area->block, RECORD_BYTES);
	}
}

void world_free(struct world *world)
{
	for (size_t i = 0; i < world->machines_count; i++)
		for (unsigned d = 0; d < HB_DISKS_MAX; d++)
			free(world->machines[i].flights[d].data);
	for (unsigned d = 0; d < world->disks; d++)
		mock_disk_free(&world->media[d]);
}

struct machine *machine_add(struct world *world, uint16_t node)
{
	struct machine *machine = &world->machines[world->machines_count++];

	assert(world->machines_count <= MACHINES_MAX);
	machine->node = node;
	machine->machine_id = (uint8_t)world->machines_count;
	machine->clock_origin_ns = 1000 * (int64_t)NS_PER_MS;
	machine->reset_at_ns = INT64_MAX;
	words_init(&machine->words);
	return machine;
}

/* ---- oracles ---- */

int machine_is_owner(const struct world *world, const struct machine *machine)
{
	enum hb_stage stage = machine->core.stage;

	/* Who has begun to leave owns nothing any more. */
	return machine->state == MACHINE_RUNNING && stage == HB_STAGE_ACTIVE &&
	       mono_before(clock_of(machine, world->now_ns), machine->lease_until);
}

static void owners_check(struct world *world)
{
	for (size_t i = 0; i < world->machines_count; i++)
		for (size_t j = 0; j < i; j++)
			if (world->machines[i].node == world->machines[j].node &&
			    machine_is_owner(world, &world->machines[i]) &&
			    machine_is_owner(world, &world->machines[j]))
				violation(world, "machines %zu and %zu both own slot %u", j + 1,
					  i + 1, world->machines[i].node);
}

/* Is any machine still able to act, or to write, as this incarnation of the node? */
static const struct machine *incarnation_lives(const struct world *world, uint16_t node,
					       uint32_t incarnation)
{
	for (size_t i = 0; i < world->machines_count; i++) {
		const struct machine *machine = &world->machines[i];

		if (machine->node != node)
			continue;
		if (machine->state == MACHINE_RUNNING && !machine->left &&
		    machine->joined == incarnation && machine->lease_until.ns >= 0 &&
		    /* Where the lease's end resets nothing, dead is what rested on it. */
		    !(machine->config.flags & HB_FLAG_SURVIVES &&
		      mono_reached(clock_of(machine, world->now_ns), machine->lease_until)))
			return machine;
	}
	return NULL;
}

static void dead_check(struct world *world, const struct machine *observer,
		       const struct hb_note *note)
{
	const struct machine *machine = incarnation_lives(world, note->node, (uint32_t)note->value);

	assert(world->told_dead_count < TOLD_MAX);
	world->told_dead[world->told_dead_count].nonce =
		hb_core_peer(&observer->core, note->node)->last.nonce;
	world->told_dead[world->told_dead_count++].incarnation = (uint32_t)note->value;
	if (machine)
		violation(world, "n%u holds node %u for dead, but machine %u lives", observer->node,
			  note->node, machine->machine_id);
	for (size_t i = 0; i < GHOSTS_MAX; i++)
		if (world->ghosts[i].flight.in_use && world->ghosts[i].had_lease &&
		    world->ghosts[i].node == note->node &&
		    world->ghosts[i].flight.incarnation == (uint32_t)note->value)
			violation(world, "n%u holds node %u for dead, but a write has yet to land",
				  observer->node, note->node);
}

/* Does this disk show a pill of that kind in the sender's outbox, for that reader? */
static int pill_lies(const struct world *world, const struct machine *sender, unsigned d,
		     uint16_t to, const struct hb_pill *pill)
{
	const struct record_want want = { .node = sender->node,
					  .cluster = world->areas[d].super.head.cluster };
	struct outbox_record outbox;

	return outbox_in(world->media[d].bytes + disk_layout_slot_at(sender->node) + SLOT_OUTBOX_AT,
			 &want, &outbox) == RECORD_OK &&
	       outbox.head.incarnation == sender->core.slot.incarnation &&
	       outbox.pills[to - 1].id == pill->id && outbox.pills[to - 1].kind == pill->kind &&
	       outbox.pills[to - 1].incarnation == pill->incarnation;
}

static void mail_check(struct world *world, struct machine *sender, const struct hb_note *note)
{
	const struct hb_pill *pill = &sender->posted[note->node - 1];
	unsigned lies = 0;

	if (note->mail == HB_MAIL_DELIVERED && !world->misdirects) {
		for (unsigned d = 0; d < world->disks; d++)
			lies += pill_lies(world, sender, d, note->node, pill);
		if (lies < world->disks / 2 + 1)
			violation(world, "n%u's pill to node %u counts as delivered, on %u of %u",
				  sender->node, note->node, lies, world->disks);
	}
	if (note->mail != HB_MAIL_EXPIRED)
		return;
	for (size_t i = 0; i < world->machines_count; i++)
		if (world->machines[i].node == note->node &&
		    world->machines[i].state == MACHINE_RUNNING && !world->machines[i].left &&
		    world->machines[i].joined == pill->incarnation && !world->machines[i].acted &&
		    world->machines[i].lease_until.ns >= 0)
			violation(world, "n%u's pill to node %u expired, but its machine runs",
				  sender->node, note->node);
}

/* ---- actions ---- */

static void request_start(struct world *world, struct machine *machine,
			  const struct hb_action *action)
{
	struct flight *flight = &machine->flights[action->disk];
	const struct hb_area *area = &world->areas[action->disk];

	if (flight->in_use)
		violation(world, "n%u has two requests on disk %u", machine->node,
			  action->disk + 1);
	free(flight->data);
	*flight = (struct flight){ .in_use = 1,
				   .token = action->token,
				   .submitted_ns = world->now_ns,
				   .deadline_ns = true_of(machine, action->deadline),
				   .incarnation = machine->core.slot.incarnation };
	switch (action->kind) {
	case HB_ACTION_READ:
	case HB_ACTION_READ_CLAIMS:
		flight->with_claims = action->kind == HB_ACTION_READ_CLAIMS;
		flight->bytes = hb_area_bytes(area, flight->with_claims);
		machine->reads++;
		break;
	case HB_ACTION_WRITE_SLOT:
		machine->joined = action->slot->incarnation;
		flight->is_write = 1;
		flight->bytes = SLOT_BYTES;
		flight->offset = disk_layout_slot_at(machine->node);
		machine->writes++;
		break;
	default:
		flight->is_write = 1;
		flight->bytes = area->layout.claim_bytes;
		flight->offset = disk_layout_claim_at(&area->layout, machine->node);
		break;
	}
	flight->data = malloc(flight->bytes);
	assert(flight->data);
	for (size_t i = 0; i < HB_NODES_MAX && action->kind == HB_ACTION_WRITE_SLOT; i++)
		if (action->slot->pills[i].kind)
			machine->posted[i] = action->slot->pills[i];
	if (action->kind == HB_ACTION_WRITE_SLOT)
		hb_facts_slot(area, &machine->config, action->slot, &machine->words, 0,
			      flight->data);
	else if (flight->is_write)
		hb_facts_claim(area, &machine->config, action->incarnation, action->attempt, 0,
			       flight->data);
	flight->fate = world->fate(world, machine, action->disk, flight->is_write);
	flight->lands_ns = world->now_ns + flight->fate.latency_ns;
	if (world->io_in_trace)
		world_trace(world, "[%" PRId64 "] %s %s disk %u\n", world->now_ns / NS_PER_MS,
			    called(world, machine),
			    !flight->is_write			   ? "reads"
			    : action->kind == HB_ACTION_WRITE_SLOT ? "writes"
								   : "claims on",
			    action->disk + 1);
}

static void note_take(struct world *world, struct machine *machine, const struct hb_note *note)
{
	char text[640];

	if (note->kind == HB_NOTE_PEER && note->state == HB_PEER_DEAD)
		dead_check(world, machine, note);
	if (note->kind == HB_NOTE_MAIL)
		mail_check(world, machine, note);
	if (note->kind == HB_NOTE_ACTIVE)
		machine->stored_incarnation = (uint32_t)note->value;
	for (size_t i = 0; note->kind == HB_NOTE_ACTIVE && i < world->told_dead_count; i++)
		if (world->told_dead[i].nonce == machine->config.nonce &&
		    world->told_dead[i].incarnation == (uint32_t)note->value)
			violation(world, "n%u is active by incarnation %u, held for dead before",
				  machine->node, (unsigned)note->value);
	if (note->kind == HB_NOTE_DIE ||
	    (note->kind == HB_NOTE_REFUSED && note->value == HB_REFUSED_DYING))
		machine->acted = 1;
	if (note->kind == HB_NOTE_LEFT) {
		machine->left = 1;
		machine->reset_at_ns = INT64_MAX;
	}
	world_trace(world, "[%" PRId64 "] %s: %s\n", world->now_ns / NS_PER_MS,
		    called(world, machine), hb_note_text(note, text, sizeof text));
	if (world->noted)
		world->noted(world, machine, note);
}

/* lockd renews at watchdogd with the lease that the core tells; it never takes one back. */
static void lease_take(struct machine *machine)
{
	mono_t until = hb_core_lease_until(&machine->core);

	if (until.ns <= machine->lease_until.ns)
		return;
	machine->lease_until = until;
	if (machine->config.watchdog_ms > 0 && !(machine->config.flags & HB_FLAG_SURVIVES))
		machine->reset_at_ns = true_of(
			machine, mono_add_ms(until, (int64_t)machine->config.watchdog_ms +
							    machine->config.grain_ms));
}

static void core_step(struct world *world, struct machine *machine, struct hb_event *event)
{
	struct hb_out *out = malloc(sizeof *out);

	assert(out);
	event->now = clock_of(machine, world->now_ns);
	hb_core_step(&machine->core, event, out);
	lease_take(machine);
	if (machine->core.stage < HB_STAGE_JOIN)
		machine->joined = 0; /* a join that came to nothing */
	for (size_t i = 0; i < out->count; i++)
		if (out->actions[i].kind == HB_ACTION_NOTE)
			note_take(world, machine, &out->actions[i].note);
		else
			request_start(world, machine, &out->actions[i]);
	owners_check(world);
	free(out);
	/* Whoever acts on a pill is reset by it. */
	if (machine->acted && machine->state == MACHINE_RUNNING && machine->config.watchdog_ms > 0)
		machine_reset(world, machine);
}

void machine_event(struct world *world, struct machine *machine, struct hb_event *event)
{
	if (machine->state == MACHINE_RUNNING)
		core_step(world, machine, event);
}

/* ---- the life of a machine ---- */

static void process_begin(struct world *world, struct machine *machine, int predecessor_gone)
{
	struct err err;
	int rc;

	machine->config = world->config;
	machine->config.node = machine->node;
	snprintf(machine->config.name, sizeof machine->config.name, "n%u-%u", machine->node,
		 machine->machine_id);
	memset(machine->config.machine, machine->machine_id, HB_ID_BYTES);
	memset(machine->config.boot, (int)machine->boots, HB_ID_BYTES);
	machine->config.boot[0] = machine->machine_id;
	machine->config.nonce = world->nonces++;
	machine->config.predecessor_gone = predecessor_gone;
	machine->config.incarnation = machine->stored_incarnation + 1;
	machine->state = MACHINE_RUNNING;
	machine->paused_until_ns = 0;
	machine->reset_at_ns = INT64_MAX;
	machine->lease_until = (mono_t){ -1 };
	machine->acted = machine->left = 0;
	machine->joined = 0;
	rc = hb_core_init(&machine->core, &machine->config, clock_of(machine, world->now_ns), &err);
	if (rc)
		violation(world, "init: %s", err.text);
}

void machine_start(struct world *world, struct machine *machine)
{
	assert(machine->state == MACHINE_OFF);
	machine->boots++;
	process_begin(world, machine, 0);
}

void machine_restart(struct world *world, struct machine *machine)
{
	assert(machine->state == MACHINE_KILLED);
	process_begin(world, machine, 1);
}

/* What is on its way lands within the drain, whole or in part, or not at all. */
static void process_end(struct world *world, struct machine *machine)
{
	for (unsigned d = 0; d < world->disks; d++) {
		struct flight *flight = &machine->flights[d];
		size_t i = 0;

		if (flight->in_use && flight->is_write && !flight->landed) {
			int64_t latest = world->now_ns + (int64_t)world->drain_ms * NS_PER_MS;

			while (i < GHOSTS_MAX && world->ghosts[i].flight.in_use)
				i++;
			assert(i < GHOSTS_MAX);
			world->ghosts[i].node = machine->node;
			world->ghosts[i].disk = d;
			world->ghosts[i].had_lease = machine->lease_until.ns >= 0 &&
						     machine->joined == flight->incarnation;
			world->ghosts[i].flight = *flight;
			if (flight->lands_ns > latest)
				world->ghosts[i].flight.lands_ns = latest;
			if (flight->token % 3 == 0)
				world->ghosts[i].flight.fate.fault.torn_sectors =
					(int)(flight->token % 8);
			flight->data = NULL;
		}
		free(flight->data);
		*flight = (struct flight){ 0 };
	}
}

void machine_kill(struct world *world, struct machine *machine)
{
	if (machine->state != MACHINE_RUNNING)
		return;
	process_end(world, machine);
	machine->state = MACHINE_KILLED;
	world_trace(world, "[%" PRId64 "] %s is killed\n", world->now_ns / NS_PER_MS,
		    called(world, machine));
}

void machine_reset(struct world *world, struct machine *machine)
{
	if (machine->state == MACHINE_OFF)
		return;
	process_end(world, machine);
	machine->state = MACHINE_OFF;
	machine->ended_at_ns = world->now_ns;
	machine->reset_at_ns = INT64_MAX;
	world_trace(world, "[%" PRId64 "] %s is reset\n", world->now_ns / NS_PER_MS,
		    called(world, machine));
}

void machine_pause(struct world *world, struct machine *machine, int64_t ms)
{
	machine->paused_until_ns = world->now_ns + ms * NS_PER_MS;
}

/* ---- time ---- */

static void flight_land(struct world *world, struct flight *flight, unsigned d)
{
	struct mock_disk *medium = &world->media[d];

	flight->landed = 1;
	flight->landed_ns = world->now_ns;
	if (flight->is_write)
		mock_disk_write(medium, world->now_ns, flight->offset, flight->data, flight->bytes,
				&flight->fate.fault);
	else
		mock_disk_read(medium, world->now_ns, flight->offset, flight->data, flight->bytes,
			       &flight->fate.fault);
}

static void flight_answer(struct world *world, struct machine *machine, unsigned d)
{
	static struct hb_view view;
	struct flight *flight = &machine->flights[d];
	struct hb_event event = { .kind = flight->is_write ? HB_EVENT_WRITE_DONE
							   : HB_EVENT_READ_DONE,
				  .disk = d,
				  .token = flight->token,
				  .rc = flight->fate.rc,
				  .submitted_at = clock_of(machine, flight->submitted_ns),
				  .ended_at = clock_of(machine, world->now_ns) };

	if (!flight->landed) {
		flight->timed_out = 1;
		event.rc = RC_TIMEOUT;
		event.outstanding = 1;
	} else {
		flight->in_use = 0;
		if (flight->timed_out)
			event.kind = HB_EVENT_LATE;
		else if (!flight->is_write && event.rc == 0) {
			hb_facts_view(&world->areas[d], flight->data, machine->node,
				      flight->with_claims, &view);
			event.view = &view;
		}
	}
	core_step(world, machine, &event);
}

static int flight_due(const struct world *world, const struct flight *flight)
{
	return flight->in_use &&
	       (flight->landed || (!flight->timed_out && flight->deadline_ns <= world->now_ns));
}

/* Everything that is due now, to one machine. */
static void machine_turn(struct world *world, struct machine *machine)
{
	struct hb_event tick = { .kind = HB_EVENT_TICK };

	for (unsigned d = 0; d < world->disks; d++)
		if (machine->state == MACHINE_RUNNING && flight_due(world, &machine->flights[d]))
			flight_answer(world, machine, d);
	if (machine->state == MACHINE_RUNNING &&
	    true_of(machine, hb_core_deadline(&machine->core)) <= world->now_ns)
		core_step(world, machine, &tick);
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t machine_next(const struct world *world, const struct machine *machine)
{
	int64_t next = machine->state == MACHINE_OFF ? INT64_MAX : machine->reset_at_ns;
	int64_t turn = INT64_MAX;

	for (unsigned d = 0; d < world->disks; d++) {
		const struct flight *flight = &machine->flights[d];

		if (!flight->in_use)
			continue;
		if (!flight->landed)
			next = least(next, flight->lands_ns);
		if (flight->landed)
			turn = world->now_ns;
		else if (!flight->timed_out)
			turn = least(turn, flight->deadline_ns);
	}
	if (machine->state != MACHINE_RUNNING)
		return next;
	turn = least(turn, true_of(machine, hb_core_deadline(&machine->core)));
	if (turn < machine->paused_until_ns)
		turn = machine->paused_until_ns;
	return least(next, turn);
}

static int64_t world_next(const struct world *world)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < world->machines_count; i++)
		next = least(next, machine_next(world, &world->machines[i]));
	for (size_t i = 0; i < GHOSTS_MAX; i++)
		if (world->ghosts[i].flight.in_use)
			next = least(next, world->ghosts[i].flight.lands_ns);
	return next;
}

static void world_moment(struct world *world)
{
	for (size_t i = 0; i < GHOSTS_MAX; i++) {
		struct flight *flight = &world->ghosts[i].flight;

		if (!flight->in_use || flight->lands_ns > world->now_ns)
			continue;
		flight_land(world, flight, world->ghosts[i].disk);
		free(flight->data);
		*flight = (struct flight){ 0 };
	}
	for (size_t i = 0; i < world->machines_count; i++)
		for (unsigned d = 0; d < world->disks; d++) {
			struct flight *flight = &world->machines[i].flights[d];

			if (flight->in_use && !flight->landed && flight->lands_ns <= world->now_ns)
				flight_land(world, flight, d);
		}
	for (size_t i = 0; i < world->machines_count; i++) {
		struct machine *machine = &world->machines[i];

		if (machine->state != MACHINE_OFF && machine->reset_at_ns <= world->now_ns)
			machine_reset(world, machine);
		if (machine->state == MACHINE_RUNNING && machine->paused_until_ns <= world->now_ns)
			machine_turn(world, machine);
	}
}

void world_run(struct world *world, int64_t until_ms)
{
	int64_t until_ns = until_ms * NS_PER_MS;
	uint64_t moments = 0;

	for (;;) {
		int64_t next = world_next(world);

		if (next > until_ns || world->violation[0])
			break;
		if (next > world->now_ns) {
			world->now_ns = next;
			moments = 0;
		} else if (++moments > 100000) {
			violation(world, "time stands still");
		}
		world_moment(world);
	}
	if (world->now_ns < until_ns)
		world->now_ns = until_ns;
}
