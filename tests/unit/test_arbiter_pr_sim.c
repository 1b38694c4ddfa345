/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: base lockd/arbiter_pr_core.c lockd/arbiter_pr_core_read.c lockd/pr_core.c lockd/pr_core_jobs.c lockd/pr_cdb_wire.c lockd/pr_sense_wire.c tests/sim/pr_model.c tests/sim/pr_access.c tests/sim/mock_disk.c pkg:cmocka
 *
 * test_arbiter_pr_sim.c - three nodes claim epochs on one and on three units with reservations, while
 * nodes crash, sessions break, targets lose their power, answers are lost, and writes land late.
 *
 * A write is checked against the reservation when it arrives and lands up to LAND_MS later, whatever has
 * become of its nexus since, unless it was aborted or its session was followed by a new one: the
 * worst that a target without PREEMPT AND ABORT does. The oracle knows only what each node was told:
 * for one epoch all answers name one value, and a grant is told to its own node.
 * A failure prints the seed and the trace; ARBITER_SEED=n ARBITER_RUNS=1 repeats it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockd/arbiter_pr_core.h"
#include "lockd/pr_core.h"
#include "tests/sim/mock_disk.h"
#include "tests/sim/pr_model.h"

enum {
	NODES = 3,
	UNITS_MAX = 3,
	RUNS = 300,
	STEPS = 60,
	IO_MS = 60,
	CLAIM_MS = 600,
	JOIN_MS = 80,
	LAND_MS = 60,
	QUEUE_MAX = 16,
	EVENTS_MAX = 512,
	EPOCHS = 64,
	PLACES_BYTES = PRA_NODES_MAX * 512,
	TRACE_BYTES = 1 << 20,
};

_Static_assert(sizeof(struct pra_place) <= 512, "a place in a sector");

enum kind { K_PR, K_READ, K_WRITE };

struct command {
	enum kind kind;
	uint64_t token;
	struct pr_action send;
	struct pra_place place;
};

struct path {
	int is_up, is_stuck, is_busy;
	uint64_t session;
	struct command queue[QUEUE_MAX];
	size_t queue_count;
	int nexus;
	int loses_answer; /* of the next command */
};

struct seat {
	struct pr_core pr;
	struct path path;
	int is_in, is_ejected, is_working, is_self;
	enum pr_job_kind provider_job;
	uint64_t admission, job_token;
	/* the arbiter's job that waits or is under way */
	int has_job, job_is_out;
	struct pra_action job;
	struct pr_action last;
};

struct node {
	int is_down;
	unsigned incarnation;
	uint64_t key;
	struct pra_core core;
	struct seat seats[UNITS_MAX];
	uint64_t life; /* events of an older one are void */
	unsigned attempts;
	uint64_t claimed;
};

enum what { E_ARRIVE, E_LAND, E_ANSWER, E_TIMEOUT, E_UP };

struct event {
	int used;
	int64_t at;
	enum what what;
	unsigned node, unit;
	uint64_t life, session;
	struct command command;
	int rc;
	struct pr_event answer;
	uint64_t keys[PR_MODEL_REGISTRATIONS_MAX];
	struct pra_place places[NODES];
};

static struct {
	int64_t now_ms;
	unsigned units;
	struct pr_model models[UNITS_MAX];
	struct mock_disk disks[UNITS_MAX];
	struct node nodes[NODES];
	struct event events[EVENTS_MAX];
	uint64_t admissions;
	/* what was told of an epoch */
	struct pra_value told[EPOCHS];
	int granted[EPOCHS];
	unsigned grants, losses, unknowns;
} w;

static char trace[TRACE_BYTES];
static size_t trace_bytes;
static unsigned long seed_now;
static uint64_t dice_state;

static unsigned dice(unsigned sides)
{
	dice_state ^= dice_state >> 12;
	dice_state ^= dice_state << 25;
	dice_state ^= dice_state >> 27;
	return (unsigned)((dice_state * UINT64_C(0x2545f4914f6cdd1d) >> 33) % sides);
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	va_list ap;

	if (trace_bytes + 400 > sizeof trace)
		return;
	trace_bytes += (size_t)sprintf(trace + trace_bytes, "[%lld] ", (long long)w.now_ms);
	va_start(ap, format);
	trace_bytes += (size_t)vsnprintf(trace + trace_bytes, 300, format, ap);
	va_end(ap);
	trace_bytes += (size_t)sprintf(trace + trace_bytes, "\n");
}

static _Noreturn void broken(const char *what)
{
	fprintf(stderr, "%s\nARBITER_SEED=%lu ARBITER_RUNS=1 repeats this\n", trace, seed_now);
	fail_msg("%s", what);
	abort();
}

static mono_t now(void)
{
	return (mono_t){ w.now_ms * MONO_NS_PER_MS };
}

static struct event *event_add(enum what what, unsigned node, unsigned unit, int64_t in_ms)
{
	for (size_t i = 0; i < EVENTS_MAX; i++) {
		struct event *e = &w.events[i];

		if (e->used)
			continue;
		memset(e, 0, sizeof *e);
		e->used = 1;
		e->at = w.now_ms + in_ms;
		e->what = what;
		e->node = node;
		e->unit = unit;
		e->life = w.nodes[node].life;
		e->session = w.nodes[node].seats[unit].path.session;
		return e;
	}
	broken("more is under way than the world holds");
}

/* ---- paths ---- */

static void path_start(unsigned n, unsigned u)
{
	struct path *path = &w.nodes[n].seats[u].path;
	struct event *e;

	if (!path->is_up || path->is_busy || path->is_stuck || path->queue_count == 0)
		return;
	path->is_busy = 1;
	e = event_add(E_ARRIVE, n, u, 1 + dice(3));
	e->command = path->queue[0];
	path->queue_count--;
	memmove(path->queue, path->queue + 1, path->queue_count * sizeof path->queue[0]);
	if (path->loses_answer) {
		path->loses_answer = 0;
		/* it may never arrive */
		if (dice(3) == 0)
			e->at += 10 * IO_MS;
		e->rc = 1; /* lost */
		*event_add(E_TIMEOUT, n, u, IO_MS) = (struct event){ .used = 1,
								     .at = w.now_ms + IO_MS,
								     .what = E_TIMEOUT,
								     .node = n,
								     .unit = u,
								     .life = e->life,
								     .session = e->session,
								     .command = e->command };
	}
}

static void tell_pr(unsigned n, unsigned u, struct pr_event *event);
static void tell_core(unsigned n, struct pra_event *event);

static void answer_command(unsigned n, unsigned u, const struct command *command, int rc)
{
	if (command->kind == K_PR) {
		struct pr_event event = { .kind = PR_EVENT_ANSWER, .token = command->token };

		event.reply.meaning = rc == RC_UNREACHABLE ? PR_MEANS_NOT_SENT : PR_MEANS_NO_ANSWER;
		tell_pr(n, u, &event);
	} else {
		struct pra_event event = { .kind = command->kind == K_READ ? PRA_EVENT_READ
									   : PRA_EVENT_WRITTEN,
					   .disk = u,
					   .token = command->token,
					   .rc = rc };
		tell_core(n, &event);
	}
}

static void submit(unsigned n, unsigned u, const struct command *command)
{
	struct path *path = &w.nodes[n].seats[u].path;

	if (path->queue_count == QUEUE_MAX)
		broken("a path has too many commands");
	path->queue[path->queue_count++] = *command;
	if (!path->is_up) {
		struct event *e = event_add(E_TIMEOUT, n, u, 1);

		e->command = path->queue[--path->queue_count];
		e->rc = RC_UNREACHABLE;
		return;
	}
	path_start(n, u);
}

/* The session is gone; what waited is answered. */
static void session_lose(unsigned n, unsigned u)
{
	struct seat *seat = &w.nodes[n].seats[u];
	struct path *path = &seat->path;
	struct pra_event out = { .kind = PRA_EVENT_OUT, .disk = u };
	struct pr_event down = { .kind = PR_EVENT_PATH_DOWN };

	if (!path->is_up)
		return;
	say("%c/%u session lost", 'a' + n, u);
	path->is_up = path->is_stuck = path->is_busy = 0;
	path->session++;
	seat->is_in = 0;
	tell_core(n, &out);
	for (size_t i = 0; i < path->queue_count; i++) {
		struct event *e = event_add(E_TIMEOUT, n, u, 1);

		e->command = path->queue[i];
		e->rc = RC_UNREACHABLE;
	}
	path->queue_count = 0;
	for (size_t i = 0; i < EVENTS_MAX; i++) {
		struct event *e = &w.events[i];

		/* its answer will not be heard: told now */
		if (!e->used || e->node != n || e->unit != u || e->session != path->session - 1 ||
		    e->life != w.nodes[n].life || e->what == E_TIMEOUT || e->what == E_UP)
			continue;
		if (e->what == E_ANSWER) {
			e->used = 0;
		} else {
			e->session = 0; /* lands, unheard */
		}
		{
			struct event *gone = event_add(E_TIMEOUT, n, u, 1);

			gone->command = e->command;
			gone->rc = RC_TIMEOUT;
			gone->session = path->session;
		}
	}
	tell_pr(n, u, &down);
	event_add(E_UP, n, u, 5 + dice(60));
}

/* ---- the reservation's core ---- */

static void provider_done(unsigned n, unsigned u, const struct pr_result *r);

static void job_done(unsigned n, unsigned u, const struct pr_result *r)
{
	struct seat *seat = &w.nodes[n].seats[u];
	struct pra_event event = { .kind = PRA_EVENT_JOB,
				   .disk = u,
				   .token = seat->job.token,
				   .holder = r->is_held ? r->holder : 0,
				   .holds = r->holds,
				   .generation = seat->pr.generation,
				   .keys = seat->pr.keys,
				   .keys_count = seat->pr.keys_count };

	seat->has_job = seat->job_is_out = 0;
	event.job = r->outcome == PR_DONE
			    ? (seat->job.kind == PRA_KEYS || r->is_ours ? PRA_JOB_GOOD
									: PRA_JOB_READ_BACK)
		    : r->outcome == PR_CONFLICT ? PRA_JOB_CONFLICT
		    : r->outcome == PR_EJECTED	? PRA_JOB_EJECTED
						: PRA_JOB_FAILED;
	tell_core(n, &event);
}

static void job_try(unsigned n, unsigned u)
{
	static const enum pr_job_kind kinds[] = { [PRA_TAKE] = PR_JOB_RESERVE,
						  [PRA_EJECT] = PR_JOB_PREEMPT,
						  [PRA_KEYS] = PR_JOB_VERIFY,
						  [PRA_LOOK] = PR_JOB_VERIFY };
	struct seat *seat = &w.nodes[n].seats[u];
	struct pr_event event = { .kind = PR_EVENT_JOB, .type = PR_TYPE_WRITE_EXCLUSIVE_RO };

	if (!seat->has_job || seat->job_is_out || seat->is_working)
		return;
	seat->job_is_out = 1;
	event.job = kinds[seat->job.kind];
	event.job_token = ++seat->job_token;
	event.deadline = mono_add_ms(now(), CLAIM_MS);
	event.victim = seat->job.key;
	event.by_status = seat->job.kind != PRA_LOOK;
	tell_pr(n, u, &event);
}

static void note(unsigned n, unsigned u, const struct pr_action *action)
{
	struct seat *seat = &w.nodes[n].seats[u];
	struct pra_event event = { .disk = u };

	switch (action->note) {
	case PR_NOTE_EJECTED:
	case PR_NOTE_PATH_OUTSIDE:
		say("%c/%u out", 'a' + n, u);
		seat->is_in = 0;
		event.kind = PRA_EVENT_OUT;
		tell_core(n, &event);
		break;
	case PR_NOTE_ATTENTION:
		event.kind = PRA_EVENT_SHAKEN;
		tell_core(n, &event);
		break;
	default:
		break;
	}
}

static void tell_pr(unsigned n, unsigned u, struct pr_event *event)
{
	struct seat *seat = &w.nodes[n].seats[u];
	struct pr_actions actions;
	uint64_t life = w.nodes[n].life;

	event->now = now();
	pr_core_step(&seat->pr, event, &actions);
	for (size_t i = 0; i < actions.count && life == w.nodes[n].life; i++) {
		const struct pr_action *action = &actions.list[i];
		struct command command = { .kind = K_PR };

		switch (action->kind) {
		case PR_ACTION_SEND:
			command.token = action->token;
			command.send = *action;
			submit(n, u, &command);
			break;
		case PR_ACTION_RECOVER:
			session_lose(n, u);
			break;
		case PR_ACTION_FINISH:
			if (seat->job_is_out && action->job_token == seat->job_token &&
			    !seat->is_working) {
				job_done(n, u, &action->result);
			} else if (seat->is_working) {
				seat->is_working = 0;
				provider_done(n, u, &action->result);
			} else {
				seat->job_is_out = 0; /* forgotten */
			}
			job_try(n, u);
			break;
		case PR_ACTION_NOTE:
			note(n, u, action);
			break;
		}
	}
}

/* ---- who is let in: rule S10 as lockd does it ---- */

static void provider_start(unsigned n, unsigned u, enum pr_job_kind kind)
{
	struct seat *seat = &w.nodes[n].seats[u];
	struct pr_event event = { .kind = PR_EVENT_JOB, .job = kind };

	seat->is_working = 1;
	seat->provider_job = kind;
	event.job_token = ++seat->job_token;
	event.deadline = mono_add_ms(now(), JOIN_MS);
	event.admission = kind == PR_JOB_JOIN ? ++w.admissions : 0;
	tell_pr(n, u, &event);
}

static void provider_done(unsigned n, unsigned u, const struct pr_result *r)
{
	struct node *node = &w.nodes[n];
	struct seat *seat = &node->seats[u];
	uint64_t holder = r->is_held ? r->holder : 0;
	unsigned other = holder ? pr_key_node(holder) - 1u : 0;
	int is_foreign = holder != 0 && other != n;

	if (r->outcome != PR_DONE)
		return;
	if (seat->provider_job == PR_JOB_VERIFY) {
		if (!is_foreign || w.nodes[other].is_down) {
			seat->is_self = !is_foreign;
			provider_start(n, u, PR_JOB_JOIN);
		} else if (seat->is_ejected || seat->pr.was_ever_in) {
			seat->is_ejected = 1; /* for this life */
		} else if (w.nodes[other].key == holder &&
			   !pra_core_is_busy(&w.nodes[other].core) &&
			   w.nodes[other].seats[u].is_in) {
			struct pra_event guests = { .kind = PRA_EVENT_GUESTS,
						    .disk = u,
						    .deadline = mono_add_ms(now(), JOIN_MS) };

			seat->is_self = 0;
			tell_core(other, &guests);
			provider_start(n, u, PR_JOB_JOIN);
		}
	} else if (seat->provider_job == PR_JOB_JOIN) {
		struct pra_event in = { .kind = PRA_EVENT_IN, .disk = u, .holder = holder };

		if (seat->is_self && is_foreign) {
			provider_start(n, u, PR_JOB_LEAVE);
			return;
		}
		say("%c/%u is in, holder %llx", 'a' + n, u, (unsigned long long)holder);
		seat->is_in = 1;
		tell_core(n, &in);
	}
}

static void provider_tick(void)
{
	for (unsigned n = 0; n < NODES; n++)
		for (unsigned u = 0; u < w.units && !w.nodes[n].is_down; u++) {
			struct seat *seat = &w.nodes[n].seats[u];

			if (!seat->is_in && !seat->is_ejected && seat->path.is_up &&
			    !seat->is_working && !seat->job_is_out)
				provider_start(n, u, PR_JOB_VERIFY);
		}
}

/* ---- the arbiter's core ---- */

static void judge(unsigned n, const struct pra_action *a)
{
	struct node *node = &w.nodes[n];
	uint64_t e = a->epoch;

	say("%c: epoch %llu %s node %u %.*s (%s)", 'a' + n, (unsigned long long)e,
	    a->outcome == PRA_GRANTED ? "GRANTED"
	    : a->outcome == PRA_LOST  ? "LOST"
				      : "UNKNOWN",
	    a->value ? a->value->node : 0, a->value ? a->value->bytes : 0,
	    a->value ? (const char *)a->value->data : "", a->err ? a->err->text : "");
	if (a->outcome == PRA_UNKNOWN) {
		w.unknowns++;
		return;
	}
	if (e == 0)
		return;
	if (!a->value || e >= EPOCHS)
		broken("an answer without a value");
	if (w.told[e].node != 0 &&
	    (w.told[e].node != a->value->node || w.told[e].bytes != a->value->bytes ||
	     memcmp(w.told[e].data, a->value->data, a->value->bytes) != 0))
		broken("two values of one epoch were told");
	w.told[e] = *a->value;
	if (a->outcome == PRA_GRANTED && a->value->node != n + 1)
		broken("granted with the value of another");
	if (a->outcome == PRA_GRANTED && node->claimed != 0) {
		w.grants++;
		w.granted[e] = 1;
	}
	w.losses += a->outcome == PRA_LOST;
	node->claimed = 0;
}

static void tell_core(unsigned n, struct pra_event *event)
{
	struct node *node = &w.nodes[n];
	struct pra_actions actions;

	event->now = now();
	pra_core_step(&node->core, event, &actions);
	for (size_t i = 0; i < actions.count; i++) {
		const struct pra_action *action = &actions.list[i];
		struct seat *seat = &node->seats[action->disk];
		struct command command = { .token = action->token };

		switch (action->kind) {
		case PRA_READ:
			command.kind = K_READ;
			submit(n, action->disk, &command);
			break;
		case PRA_WRITE:
			command.kind = K_WRITE;
			command.place = *action->place;
			submit(n, action->disk, &command);
			break;
		case PRA_ANSWER:
			judge(n, action);
			break;
		default:
			seat->has_job = 1;
			seat->job = *action;
			/* One that is under way is forgotten. */
			if (!seat->job_is_out)
				job_try(n, action->disk);
			break;
		}
	}
}

/* ---- the units ---- */

static void write_land(const struct event *e)
{
	const struct mock_fault none = MOCK_NO_FAULT;
	uint8_t sector[512] = { 0 };

	memcpy(sector, &e->command.place, sizeof e->command.place);
	mock_disk_write(&w.disks[e->unit], w.now_ms * 1000000, 4096 + 512u * e->node, sector,
			sizeof sector, &none);
	say("%c/%u > lands: epoch %llu mbal %llu bal %llu value %.*s decided %llu", 'a' + e->node,
	    e->unit, (unsigned long long)e->command.place.epoch,
	    (unsigned long long)e->command.place.mbal, (unsigned long long)e->command.place.bal,
	    e->command.place.value.bytes, (const char *)e->command.place.value.data,
	    (unsigned long long)e->command.place.decided_epoch);
}

static struct event *answer_later(const struct event *e)
{
	struct event *back = event_add(E_ANSWER, e->node, e->unit, 1);

	back->life = e->life;
	back->session = e->session;
	back->command = e->command;
	if (e->rc)
		back->used = 0; /* lost */
	return back;
}

static void abort_commands(unsigned unit, uint32_t aborted)
{
	for (size_t i = 0; i < EVENTS_MAX; i++) {
		struct event *e = &w.events[i];

		if (e->used && e->what == E_LAND && e->unit == unit &&
		    aborted >> w.nodes[e->node].seats[unit].path.nexus & 1)
			e->used = 0;
	}
}

static void arrive_pr(const struct event *e)
{
	static struct pr_model_answer answer;
	const struct pr_action *send = &e->command.send;
	struct event *back = answer_later(e);
	struct pr_event *event = &back->answer;
	uint8_t cdb[16] = { 0 }, list[PR_LIST_BYTES_MAX];
	uint32_t bytes = 0;
	struct pr_keys keys;
	struct pr_reservation reservation;
	struct err err;

	if (pr_command_is_out(send->command)) {
		const struct pr_out out = { .command = send->command,
					    .key = send->key,
					    .service_key = send->service_key,
					    .type = send->type };

		bytes = pr_out_encode(&out, cdb, list, &err);
	} else {
		pr_in_encode(send->command, cdb);
	}
	pr_model_command(&w.models[e->unit], w.nodes[e->node].seats[e->unit].path.nexus, cdb, list,
			 bytes, &answer);
	if (answer.aborted)
		abort_commands(e->unit, answer.aborted);
	event->kind = PR_EVENT_ANSWER;
	event->token = e->command.token;
	pr_reply_in(answer.status, answer.sense, answer.sense_bytes, &event->reply);
	say("%c/%u > %s %llx %llx: %s %s", 'a' + e->node, e->unit, pr_command_word(send->command),
	    (unsigned long long)send->key, (unsigned long long)send->service_key,
	    pr_meaning_word(event->reply.meaning), e->rc ? "(answer lost)" : "");
	if (event->reply.meaning != PR_MEANS_GOOD)
		return;
	if (send->command == PR_READ_KEYS) {
		assert_int_equal(pr_keys_in(answer.data, answer.bytes, &keys, &err), 0);
		event->generation = keys.generation;
		memcpy(back->keys, keys.key, keys.count * sizeof keys.key[0]);
		event->keys_count = keys.count;
	} else if (send->command == PR_READ_RESERVATION) {
		assert_int_equal(pr_reservation_in(answer.data, answer.bytes, &reservation, &err),
				 0);
		event->generation = reservation.generation;
		event->is_held = reservation.is_held;
		event->holder = reservation.key;
		event->held_type = reservation.type;
	}
}

static void arrive_io(const struct event *e)
{
	static struct pr_model_answer answer;
	const struct mock_fault none = MOCK_NO_FAULT;
	uint8_t cdb[16] = { e->command.kind == K_READ ? 0x28 : 0x2a };
	struct pr_reply reply;
	struct event *back;
	int rc;

	pr_model_command(&w.models[e->unit], w.nodes[e->node].seats[e->unit].path.nexus, cdb, NULL,
			 0, &answer);
	pr_reply_in(answer.status, answer.sense, answer.sense_bytes, &reply);
	rc = reply.meaning == PR_MEANS_GOOD	  ? 0
	     : reply.meaning == PR_MEANS_CONFLICT ? RC_PRIVILEGE
						  : RC_BUSY;
	say("%c/%u > %s: %s %s", 'a' + e->node, e->unit,
	    e->command.kind == K_READ ? "READ" : "WRITE", pr_meaning_word(reply.meaning),
	    e->rc ? "(answer lost)" : "");
	if (rc == 0 && e->command.kind == K_WRITE) {
		struct event *land = event_add(E_LAND, e->node, e->unit,
					       dice(4) == 0 ? dice(LAND_MS) : dice(2));

		land->command = e->command;
		land->rc = e->rc;
		land->life = e->life;
		land->session = e->session;
		return;
	}
	back = answer_later(e);
	back->rc = rc;
	for (unsigned n = 0; rc == 0 && n < NODES; n++) {
		uint8_t sector[512];

		mock_disk_read(&w.disks[e->unit], w.now_ms * 1000000, 4096 + 512u * n, sector,
			       sizeof sector, &none);
		memcpy(&back->places[n], sector, sizeof back->places[n]);
	}
}

static void answered(struct event *e)
{
	struct pra_event event = { .disk = e->unit, .token = e->command.token, .rc = e->rc };
	struct path *path = &w.nodes[e->node].seats[e->unit].path;

	if (e->life != w.nodes[e->node].life || e->session != path->session)
		return;
	path->is_busy = 0;
	if (e->command.kind == K_PR) {
		e->answer.keys = e->keys;
		tell_pr(e->node, e->unit, &e->answer);
	} else {
		event.kind = e->command.kind == K_READ ? PRA_EVENT_READ : PRA_EVENT_WRITTEN;
		event.places = e->places;
		event.places_count = NODES;
		tell_core(e->node, &event);
	}
	path_start(e->node, e->unit);
}

static void up(const struct event *e)
{
	struct seat *seat = &w.nodes[e->node].seats[e->unit];
	struct pr_event event = { .kind = PR_EVENT_PATH_UP };

	if (seat->path.is_up || e->life != w.nodes[e->node].life)
		return;
	/* The new session disposes of the commands of the old one. */
	for (size_t i = 0; i < EVENTS_MAX; i++)
		if (w.events[i].used && w.events[i].node == e->node &&
		    w.events[i].unit == e->unit &&
		    (w.events[i].what == E_ARRIVE || w.events[i].what == E_LAND))
			w.events[i].used = 0;
	seat->path.is_up = 1;
	seat->path.is_busy = seat->path.is_stuck = 0;
	seat->path.session++;
	say("%c/%u new session", 'a' + e->node, e->unit);
	pr_model_login(&w.models[e->unit], seat->path.nexus);
	tell_pr(e->node, e->unit, &event);
}

static void timed_out(const struct event *e)
{
	struct path *path = &w.nodes[e->node].seats[e->unit].path;

	if (e->life != w.nodes[e->node].life)
		return;
	if (e->rc == 0) { /* a lost answer: the path is stuck until it has a new session */
		if (e->session != path->session)
			return;
		path->is_stuck = 1;
		answer_command(e->node, e->unit, &e->command, RC_TIMEOUT);
		session_lose(e->node, e->unit);
		return;
	}
	answer_command(e->node, e->unit, &e->command, e->rc);
}

static int turn(void)
{
	struct event *next = NULL;
	struct event e;
	int64_t timer = INT64_MAX;
	unsigned who = 0, unit = 0;
	int is_core = 0;

	for (size_t i = 0; i < EVENTS_MAX; i++)
		if (w.events[i].used && (!next || w.events[i].at < next->at))
			next = &w.events[i];
	for (unsigned n = 0; n < NODES; n++) {
		mono_t at = pra_core_deadline(&w.nodes[n].core);

		if (w.nodes[n].is_down)
			continue;
		if (!mono_is_never(at) && at.ns / MONO_NS_PER_MS < timer) {
			timer = at.ns / MONO_NS_PER_MS;
			who = n;
			is_core = 1;
		}
		for (unsigned u = 0; u < w.units; u++) {
			at = pr_core_deadline(&w.nodes[n].seats[u].pr);
			if (!mono_is_never(at) && at.ns / MONO_NS_PER_MS < timer) {
				timer = at.ns / MONO_NS_PER_MS;
				who = n;
				unit = u;
				is_core = 0;
			}
		}
	}
	if (!next && timer == INT64_MAX)
		return 0;
	if (!next || timer < next->at) {
		struct pra_event a = { .kind = PRA_EVENT_TIME };
		struct pr_event b = { .kind = PR_EVENT_TIME };

		if (w.now_ms < timer)
			w.now_ms = timer;
		if (is_core)
			tell_core(who, &a);
		else
			tell_pr(who, unit, &b);
		return 1;
	}
	e = *next;
	next->used = 0;
	if (w.now_ms < e.at)
		w.now_ms = e.at;
	switch (e.what) {
	case E_ARRIVE:
		if (e.command.kind == K_PR)
			arrive_pr(&e);
		else
			arrive_io(&e);
		break;
	case E_LAND:
		write_land(&e);
		answer_later(&e);
		break;
	case E_ANSWER:
		answered(&e);
		break;
	case E_TIMEOUT:
		timed_out(&e);
		break;
	case E_UP:
		up(&e);
		break;
	}
	return 1;
}

/* ---- nodes ---- */

static void boot(unsigned n)
{
	struct node *node = &w.nodes[n];
	struct pr_initiator initiator = { .protocol = PR_PROTOCOL_ISCSI, .has_isid = 1 };

	node->life++;
	node->is_down = 0;
	node->claimed = 0;
	node->key = pr_key_make(1, (uint16_t)(n + 1), (uint16_t)++node->incarnation);
	pra_core_init(&node->core, node->key, (uint16_t)(n + 1), w.units, 0);
	snprintf(initiator.name, sizeof initiator.name, "iqn.2026-11.test:%c", 'a' + (int)n);
	for (unsigned u = 0; u < w.units; u++) {
		struct seat *seat = &node->seats[u];
		uint64_t session = seat->path.session;

		memset(seat, 0, sizeof *seat);
		seat->path.session = session + 1;
		seat->path.nexus = pr_model_nexus(&w.models[u], &initiator, 1);
		pr_core_init(&seat->pr, node->key, IO_MS);
		event_add(E_UP, n, u, 1 + dice(20));
	}
	say("%c boots, key %llx", 'a' + n, (unsigned long long)node->key);
}

static void crash(unsigned n)
{
	struct node *node = &w.nodes[n];

	if (node->is_down)
		return;
	say("%c crashes", 'a' + n);
	node->is_down = 1;
	node->life++;
	node->core.op = PRA_OP_NONE;
	for (unsigned u = 0; u < w.units; u++)
		node->seats[u].path.is_up = 0;
}

static void power_cycle(unsigned u)
{
	say("unit %u loses its power", u);
	pr_model_power_cycle(&w.models[u]);
	for (unsigned n = 0; n < NODES; n++)
		if (!w.nodes[n].is_down)
			session_lose(n, u);
	/* What was under way there went with it. */
	for (size_t i = 0; i < EVENTS_MAX; i++)
		if (w.events[i].used && w.events[i].unit == u &&
		    (w.events[i].what == E_ARRIVE || w.events[i].what == E_LAND))
			w.events[i].used = 0;
}

static void claim(unsigned n, uint64_t epoch, uint64_t members)
{
	struct node *node = &w.nodes[n];
	char value[32];
	struct pra_event event = { .kind = PRA_EVENT_CLAIM,
				   .epoch = epoch,
				   .members = members | UINT64_C(1) << n,
				   .value = (const uint8_t *)value,
				   .deadline = mono_add_ms(now(), CLAIM_MS) };

	if (node->is_down || pra_core_is_busy(&node->core))
		return;
	event.value_bytes = (uint16_t)snprintf(value, sizeof value, "%c%u", 'a' + (int)n,
					       ++node->attempts);
	say("%c claims epoch %llu with %s for %llx", 'a' + n, (unsigned long long)epoch, value,
	    (unsigned long long)event.members);
	node->claimed = epoch;
	tell_core(n, &event);
}

/* ---- runs ---- */

static uint64_t epoch_now(void)
{
	uint64_t e = 1;

	while (e + 1 < EPOCHS && w.told[e].node != 0)
		e++;
	return e;
}

/* One epoch, over and over: each claims for itself, is ejected, crashes at any step, comes back. */
static void contest(void)
{
	uint64_t e = epoch_now();

	for (int i = 0; i < 12; i++) {
		unsigned n = dice(NODES), u = dice(w.units);

		switch (dice(6)) {
		case 0:
			crash(n);
			break;
		case 1:
			w.nodes[n].seats[u].path.loses_answer = 1;
			break;
		case 2:
			if (dice(8) == 0)
				power_cycle(u);
			break;
		default:
			break;
		}
		for (n = 0; n < NODES; n++)
			if (w.nodes[n].is_down || w.nodes[n].seats[dice(w.units)].is_ejected) {
				crash(n);
				boot(n);
			}
		for (unsigned turns = 4 + dice(60); turns > 0; turns--) {
			turn();
			if (dice(6) == 0)
				provider_tick();
		}
		claim(dice(NODES), e, 0);
		claim(dice(NODES), e, 0);
		for (unsigned turns = dice(40); turns > 0; turns--)
			turn();
	}
}

static void trouble(void)
{
	unsigned n = dice(NODES), u = dice(w.units);
	uint64_t e = epoch_now();

	switch (dice(24)) {
	case 0:
		if (dice(3) == 0)
			power_cycle(u);
		break;
	case 1:
		crash(n);
		break;
	case 2:
	case 3:
	case 4:
		if (w.nodes[n].is_down || w.nodes[n].seats[u].is_ejected) {
			crash(n);
			boot(n);
		}
		break;
	case 5:
		session_lose(n, u);
		break;
	case 6:
	case 7:
	case 8:
		w.nodes[n].seats[u].path.loses_answer = 1;
		break;
	case 9:
		if (!w.nodes[n].is_down && !pra_core_is_busy(&w.nodes[n].core)) {
			struct pra_event event = { .kind = PRA_EVENT_RECORD,
						   .deadline = mono_add_ms(now(), CLAIM_MS) };
			tell_core(n, &event);
		}
		break;
	case 10:
		if (e > 1 && dice(3) == 0)
			e--;
		claim(n, e, dice(8));
		break;
	default:
		claim(n, e, dice(3) == 0 ? dice(8) : 0);
		break;
	}
}

static void settle(void)
{
	for (int i = 0; turn(); i++)
		if (i > 1000000)
			broken("does not come to rest");
	for (unsigned n = 0; n < NODES; n++)
		if (!w.nodes[n].is_down && pra_core_is_busy(&w.nodes[n].core))
			broken("a claim never ends");
}

static void world_init(unsigned units)
{
	for (unsigned u = 0; u < UNITS_MAX; u++)
		if (w.disks[u].bytes)
			mock_disk_free(&w.disks[u]);
	memset(&w, 0, sizeof w);
	trace_bytes = 0;
	trace[0] = '\0';
	w.units = units;
	for (unsigned u = 0; u < units; u++) {
		struct pr_model_limits limits = { 0 };

		if (dice(2))
			pr_model_limits_tgt(&limits);
		else
			limits.no_abort = (int)dice(2);
		pr_model_init(&w.models[u], &limits, 1);
		mock_disk_init(&w.disks[u], 4096 + PLACES_BYTES, 512);
	}
	for (unsigned n = 0; n < NODES; n++)
		boot(n);
}

static void join_all(void)
{
	for (int i = 0; i < 40; i++) {
		provider_tick();
		settle();
	}
}

static unsigned total_grants, total_unknowns, total_losses;

static void run(unsigned long seed)
{
	uint64_t e;

	seed_now = seed;
	dice_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	world_init(dice(2) ? 1 : 3);
	join_all();
	for (int i = 0; i < STEPS && epoch_now() < EPOCHS - 4; i++) {
		if (dice(12) == 0)
			contest();
		trouble();
		provider_tick();
		for (unsigned turns = dice(40); turns > 0; turns--)
			turn();
	}
	settle();
	/* When all is well again, who claims alone is granted, and the others are told. */
	for (unsigned n = 0; n < NODES; n++) {
		crash(n);
		for (unsigned u = 0; u < w.units; u++)
			w.nodes[n].seats[u].path.loses_answer = 0;
	}
	settle();
	boot(0);
	settle();
	join_all();
	e = epoch_now() + 1; /* the one now may be unfinished, or begun by nobody who lives */
	claim(0, e, 1);
	settle();
	if (!w.granted[e])
		broken("alone, and not granted");
	boot(1);
	settle();
	join_all();
	claim(1, e, 2);
	settle();
	if (w.losses == 0)
		broken("the second is not told");
	total_grants += w.grants;
	total_unknowns += w.unknowns;
	total_losses += w.losses;
}

static unsigned long number_of(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text && text[0] ? strtoul(text, NULL, 10) : otherwise;
}

static void test_runs(void **state)
{
	unsigned long seed = number_of("ARBITER_SEED", 1), runs = number_of("ARBITER_RUNS", RUNS);

	(void)state;
	for (unsigned long i = 0; i < runs; i++)
		run(seed + i);
	printf("# %u grants, %u losses, %u unknown\n", total_grants, total_losses, total_unknowns);
	/* The runs are worth something only when claims are decided in them. */
	if (runs >= 100)
		assert_true(total_grants > 3 * runs && total_losses > runs);
}

/* Two claim at once, each for itself, nothing fails: one is granted, the other is told. */
static void test_race(void **state)
{
	(void)state;
	for (unsigned long i = 1; i <= 300; i++) {
		seed_now = i;
		dice_state = i * UINT64_C(0x9e3779b97f4a7c15) + 1;
		world_init(i & 1 ? 1 : 3);
		join_all();
		claim(0, 1, 0);
		for (unsigned turns = dice(12); turns > 0; turns--)
			turn();
		claim(1, 1, 0);
		settle();
		if (w.grants != 1 || w.losses != 1)
			broken("a race of two without exactly one winner and one who was told");
	}
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned u = 0; u < UNITS_MAX; u++)
		if (w.disks[u].bytes)
			mock_disk_free(&w.disks[u]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_race),
		cmocka_unit_test(test_runs),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
