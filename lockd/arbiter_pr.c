/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arbiter_pr.c - the cluster lock by SCSI reservations: lockd/arbiter_pr_core on real disks, behind
 * lockd/arbiter.h. Reservation commands go through the disk's pr_io, places are read and written by
 * requests of our own.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/pr.h"
#include "host/boot_timer.h"
#include "host/clock.h"
#include "lockd/arbiter.h"
#include "lockd/arbiter_pr_core.h"
#include "lockd/pr_io.h"
#include "lockd/pr_seat.h"

_Static_assert((int)PRA_VALUE_MAX == (int)ARBITER_VALUE_MAX, "values of a place");
_Static_assert((int)PRA_DISKS_MAX == (int)DISKS_MAX, "disks");
_Static_assert((int)PRA_NODES_MAX == (int)NODES_MAX, "nodes");

enum { SECTOR_BYTES_MAX = 4096 };

struct pr_arbiter;

/* A job under way for a disk: the context of its answer. */
struct job {
	struct pr_arbiter *arbiter;
	unsigned disk;
	uint64_t token;
	enum pra_action_kind kind;
};

struct seen {
	unsigned turns, shakes;
	int is_in;
	mono_t guests_until;
};

struct pr_arbiter {
	struct arbiter head;
	struct arbiter_setup setup;
	const struct hb_area *areas[DISKS_MAX];
	struct pra_core core;
	struct boot_timer timer;
	struct seen seen[DISKS_MAX];
	struct job jobs[DISKS_MAX];
	uint64_t sequence[DISKS_MAX];
	/* Of requests that could not be handed in: their tokens. */
	uint64_t refused_read[DISKS_MAX], refused_write[DISKS_MAX];
	struct err refused_err[DISKS_MAX];
	arbiter_done *done;
	void *context;
	int has_answer;
	struct arbiter_answer answer;
	mono_t began;
	unsigned reads, writes;
	uint64_t commands; /* of all disks when the operation began */
	struct pra_place places[NODES_MAX];
	uint8_t bytes[SECTOR_BYTES_MAX];
};

static void step(struct pr_arbiter *a, struct pra_event *event);

static uint64_t commands(const struct pr_arbiter *a)
{
	uint64_t count = 0;

	for (unsigned d = 0; d < a->setup.disks; d++)
		if (a->setup.seats[d].io)
			count += pr_io_commands(a->setup.seats[d].io);
	return count;
}

static void timer_set(struct pr_arbiter *a)
{
	mono_t at = pra_core_deadline(&a->core);

	for (unsigned d = 0; d < a->setup.disks; d++)
		if (a->refused_read[d] || a->refused_write[d])
			at = (mono_t){ 0 };
	if (a->has_answer)
		at = (mono_t){ 0 };
	boot_timer_set(&a->timer, at);
}

/* ---- jobs ---- */

static void job_done(const struct pr_result *result, const struct pr_core *pr, void *context)
{
	struct job *job = context;
	struct pr_arbiter *a = job->arbiter;
	struct pra_event event = { .kind = PRA_EVENT_JOB,
				   .disk = job->disk,
				   .token = job->token,
				   .holder = result->is_held ? result->holder : 0,
				   .is_other_type = result->is_held &&
						    result->type != PR_TYPE_WRITE_EXCLUSIVE_RO,
				   .holds = result->holds,
				   .generation = pr->generation,
				   .keys = pr->keys,
				   .keys_count = pr->keys_count,
				   .keys_cut = pr->keys_cut };
	struct err err;

	switch (result->outcome) {
	case PR_DONE:
		event.job = job->kind == PRA_KEYS || result->is_ours ? PRA_JOB_GOOD
								     : PRA_JOB_READ_BACK;
		break;
	case PR_CONFLICT:
		event.job = PRA_JOB_CONFLICT;
		break;
	case PR_EJECTED:
		event.job = PRA_JOB_EJECTED;
		break;
	default:
		event.job = PRA_JOB_FAILED;
		break;
	}
	/* A unit that refuses the command tells nothing: what was read before is old. */
	if (event.job == PRA_JOB_CONFLICT &&
	    (job->kind == PRA_KEYS || job->kind == PRA_LOOK || result->cause == PR_CAUSE_ANSWER))
		event.job = PRA_JOB_FAILED;
	if (event.job == PRA_JOB_FAILED) {
		err_set(&err, result->outcome == PR_UNSUPPORTED ? RC_UNSUPPORTED : RC_UNREACHABLE,
			"claim again", "disk %u: a reservation command failed: %s", job->disk + 1,
			pr_cause_text(result->cause));
		event.err = &err;
	}
	step(a, &event);
}

static void job_send(struct pr_arbiter *a, const struct pra_action *action)
{
	static const enum pr_job_kind kinds[] = { [PRA_TAKE] = PR_JOB_RESERVE,
						  [PRA_EJECT] = PR_JOB_PREEMPT,
						  [PRA_KEYS] = PR_JOB_VERIFY,
						  [PRA_LOOK] = PR_JOB_VERIFY };
	struct pr_io *io = a->setup.seats[action->disk].io;
	struct job *job = &a->jobs[action->disk];
	const struct pr_io_job wanted = { .kind = kinds[action->kind],
					  .deadline = action->deadline,
					  .type = PR_TYPE_WRITE_EXCLUSIVE_RO,
					  .victim = action->key,
					  .by_status = action->kind != PRA_LOOK };
	struct err err;

	*job = (struct job){
		.arbiter = a, .disk = action->disk, .token = action->token, .kind = action->kind
	};
	if (io)
		pr_io_forget(io, job);
	if (io && pr_io_job(io, &wanted, job_done, job, &err) == 0)
		return;
	a->refused_read[action->disk] = action->token;
	err_set(&a->refused_err[action->disk], RC_BUSY, "claim again",
		"disk %u: its reservation commands cannot be sent now", action->disk + 1);
}

/* ---- places ---- */

static void place_in(struct pr_arbiter *a, unsigned d, uint16_t node, const uint8_t *bytes)
{
	const struct hb_area *area = a->areas[d];
	struct pra_place *place = &a->places[node - 1];
	const struct record_want want = { .node = node,
					  .cluster = area->super.head.cluster,
					  .offset = disk_layout_arbiter_at(&area->layout, node) };
	struct arbiter_record record;
	enum record_verdict verdict = arbiter_in(bytes, &want, &record);

	memset(place, 0, sizeof *place);
	place->is_bad = verdict != RECORD_OK && verdict != RECORD_EMPTY;
	if (verdict != RECORD_OK)
		return;
	if (node == a->setup.node && record.head.incarnation == a->setup.incarnation &&
	    record.head.sequence > a->sequence[d])
		a->sequence[d] = record.head.sequence;
	place->epoch = record.epoch;
	place->mbal = record.mbal;
	place->bal = record.bal;
	place->value = (struct pra_value){ .node = record.proposer, .bytes = record.value_bytes };
	memcpy(place->value.data, record.value, sizeof record.value);
	place->decided_epoch = record.decided_epoch;
	place->decided_ballot = record.decided_ballot;
	place->decided = (struct pra_value){ .node = record.winner, .bytes = record.decided_bytes };
	memcpy(place->decided.data, record.decided, sizeof record.decided);
}

static void place_out(struct pr_arbiter *a, unsigned d, const struct pra_place *place,
		      struct disk_request *request)
{
	const struct hb_area *area = a->areas[d];
	uint64_t at = disk_layout_arbiter_at(&area->layout, a->setup.node);
	struct arbiter_record record = {
		.head = { .node = a->setup.node,
			  .cluster = area->super.head.cluster,
			  .sequence = ++a->sequence[d],
			  .incarnation = a->setup.incarnation,
			  .nonce = a->setup.nonce },
		.epoch = place->epoch,
		.mbal = place->mbal,
		.bal = place->bal,
		.proposer = place->value.node,
		.value_bytes = place->value.bytes,
		.decided_epoch = place->decided_epoch,
		.decided_ballot = place->decided_ballot,
		.winner = place->decided.node,
		.decided_bytes = place->decided.bytes,
	};

	memcpy(record.value, place->value.data, place->value.bytes);
	memcpy(record.decided, place->decided.data, place->decided.bytes);
	memset(a->bytes, 0, sizeof a->bytes);
	assert(area->layout.arbiter_bytes <= sizeof a->bytes);
	arbiter_out(a->bytes, &record, at);
	request->op = DISK_WRITE;
	request->sector = at / area->layout.sector_bytes;
	request->bytes = area->layout.arbiter_bytes;
	request->data = a->bytes;
}

static void io_send(struct pr_arbiter *a, const struct pra_action *action)
{
	unsigned d = action->disk;
	struct disk_request request = {
		.token = ARBITER_TOKEN_BIT | action->token,
		.deadline = mono_add_ms(clock_now(), a->setup.io_timeout_ms),
	};
	int is_read = action->kind == PRA_READ;
	struct err err;
	int rc;

	if (!a->areas[d]) {
		rc = err_set(&err, RC_UNREACHABLE, NULL, "disk %u is missing", d + 1);
	} else {
		const struct disk_layout *layout = &a->areas[d]->layout;

		if (is_read) {
			request.op = DISK_READ;
			request.sector = disk_layout_arbiter_at(layout, 1) / layout->sector_bytes;
			request.bytes = layout->arbiter_bytes * layout->nodes_max;
			a->reads++;
		} else {
			place_out(a, d, action->place, &request);
			a->writes++;
		}
		rc = a->setup.submit(d, &request, a->setup.submit_context, &err);
	}
	if (rc == 0)
		return;
	*(is_read ? &a->refused_read[d] : &a->refused_write[d]) = action->token;
	a->refused_err[d] = err;
}

/* ---- the core ---- */

static void answer_keep(struct pr_arbiter *a, const struct pra_action *action)
{
	static const enum arbiter_outcome outcomes[] = { [PRA_GRANTED] = ARBITER_GRANTED,
							 [PRA_LOST] = ARBITER_LOST,
							 [PRA_UNKNOWN] = ARBITER_UNKNOWN };

	memset(&a->answer, 0, sizeof a->answer);
	a->answer.outcome = outcomes[action->outcome];
	a->answer.epoch = action->epoch;
	a->answer.claimant = action->claimant;
	if (action->err)
		a->answer.err = *action->err;
	if (action->value &&
	    arbiter_value_in(&a->answer.value, action->value->data, action->value->bytes) != 0) {
		a->answer.outcome = ARBITER_UNKNOWN;
		err_set(&a->answer.err, RC_PROTOCOL, "see holdfast disk show",
			"the value that was decided is none of an arbiter's");
	} else if (action->value) {
		a->answer.winner = action->value->node;
	}
	a->answer.cost.reads = a->reads;
	a->answer.cost.writes = a->writes;
	a->answer.cost.commands = (unsigned)(commands(a) - a->commands);
	a->answer.cost.took_ns = clock_now().ns - a->began.ns;
	a->has_answer = 1;
}

static void core_step(struct pr_arbiter *a, struct pra_event *event)
{
	struct pra_actions actions;

	event->now = clock_now();
	pra_core_step(&a->core, event, &actions);
	/* The answer tells what the operation cost, and not what is written after it. */
	for (size_t i = 0; i < actions.count; i++)
		if (actions.list[i].kind == PRA_ANSWER)
			answer_keep(a, &actions.list[i]);
	for (size_t i = 0; i < actions.count; i++) {
		const struct pra_action *action = &actions.list[i];

		if (action->kind == PRA_READ || action->kind == PRA_WRITE)
			io_send(a, action);
		else if (action->kind != PRA_ANSWER)
			job_send(a, action);
	}
}

/* What has become of our registrations since the core was told. */
static void seats_look(struct pr_arbiter *a)
{
	for (unsigned d = 0; d < a->setup.disks; d++) {
		const struct pr_seat *seat = &a->setup.seats[d];
		struct seen *seen = &a->seen[d];
		struct pra_event event = { .disk = d };
		int is_in = seat->io && seat->is_in && seat->key == a->core.key;

		if (seen->turns != seat->turns || seen->is_in != is_in) {
			event.kind = is_in ? PRA_EVENT_IN : PRA_EVENT_OUT;
			event.holder = seat->holder;
			event.is_other_type = seat->is_other_type;
			core_step(a, &event);
		} else if (seen->shakes != seat->shakes) {
			event.kind = PRA_EVENT_SHAKEN;
			core_step(a, &event);
		}
		if (seen->guests_until.ns != seat->guests_until.ns) {
			event.kind = PRA_EVENT_GUESTS;
			event.deadline = seat->guests_until;
			core_step(a, &event);
		}
		*seen = (struct seen){ .turns = seat->turns,
				       .shakes = seat->shakes,
				       .is_in = is_in,
				       .guests_until = seat->guests_until };
		a->core.careful &= ~(UINT32_C(1) << d);
		a->core.careful |= (uint32_t)!seat->is_own_session << d;
	}
}

static void step(struct pr_arbiter *a, struct pra_event *event)
{
	seats_look(a);
	core_step(a, event);
	for (unsigned d = 0; d < a->setup.disks; d++)
		if (a->setup.seats[d].io)
			pr_io_set_claiming(a->setup.seats[d].io, a->core.op == PRA_OP_CLAIM);
	timer_set(a);
}

static void fired(struct boot_timer *timer)
{
	struct pr_arbiter *a = timer->data;
	struct pra_event event = { .kind = PRA_EVENT_TIME };

	if (a->has_answer) {
		struct arbiter_answer answer = a->answer;

		a->has_answer = 0;
		timer_set(a);
		a->done(&answer, a->context);
		return;
	}
	for (unsigned d = 0; d < a->setup.disks && event.kind == PRA_EVENT_TIME; d++) {
		uint64_t *refused = a->refused_read[d] ? &a->refused_read[d] : &a->refused_write[d];

		if (*refused == 0)
			continue;
		event = (struct pra_event){ .kind = refused == &a->refused_write[d]
							    ? PRA_EVENT_WRITTEN
							    : PRA_EVENT_READ,
					    .disk = d,
					    .token = *refused,
					    .rc = a->refused_err[d].rc,
					    .err = &a->refused_err[d] };
		if (event.token == a->jobs[d].token) {
			event.kind = PRA_EVENT_JOB;
			event.job = PRA_JOB_FAILED;
		}
		*refused = 0;
	}
	step(a, &event);
}

/* ---- operations ---- */

static struct pr_arbiter *own(struct arbiter *arbiter)
{
	return (struct pr_arbiter *)arbiter;
}

static int begin(struct pr_arbiter *a, arbiter_done *done, void *context, struct err *err)
{
	if (pra_core_is_busy(&a->core) || a->has_answer)
		return err_set(err, RC_BUSY, "wait for its answer",
			       "the arbiter is at another claim");
	a->done = done;
	a->context = context;
	a->began = clock_now();
	a->reads = a->writes = 0;
	a->commands = commands(a);
	return 0;
}

static int pr_claim(struct arbiter *arbiter, uint64_t epoch, const struct arbiter_value *value,
		    mono_t deadline, arbiter_done *done, void *context, struct err *err)
{
	struct pr_arbiter *a = own(arbiter);
	uint8_t bytes[ARBITER_VALUE_MAX];
	struct pra_event event = { .kind = PRA_EVENT_CLAIM,
				   .epoch = epoch,
				   .members = value->members,
				   .value = bytes,
				   .deadline = deadline };
	int rc = arbiter_claim_check(epoch, value, a->setup.node, err);

	if (rc == 0)
		rc = begin(a, done, context, err);
	if (rc)
		return rc;
	memset(bytes, 0, sizeof bytes);
	event.value_bytes = arbiter_value_out(value, bytes);
	step(a, &event);
	return 0;
}

static int pr_record(struct arbiter *arbiter, mono_t deadline, arbiter_done *done, void *context,
		     struct err *err)
{
	struct pr_arbiter *a = own(arbiter);
	struct pra_event event = { .kind = PRA_EVENT_RECORD, .deadline = deadline };
	int rc = begin(a, done, context, err);

	if (rc == 0)
		step(a, &event);
	return rc;
}

static void jobs_forget(struct pr_arbiter *a)
{
	for (unsigned d = 0; d < a->setup.disks; d++)
		if (a->setup.seats[d].io)
			pr_io_forget(a->setup.seats[d].io, &a->jobs[d]);
}

static void pr_cancel(struct arbiter *arbiter)
{
	struct pr_arbiter *a = own(arbiter);
	struct pra_event event = { .kind = PRA_EVENT_CANCEL };

	jobs_forget(a);
	a->has_answer = 0;
	step(a, &event);
}

static void pr_answered(struct arbiter *arbiter, unsigned d, const struct disk_answer *answer)
{
	struct pr_arbiter *a = own(arbiter);
	const struct hb_area *area = a->areas[d];
	struct pra_event event = { .disk = d,
				   .token = answer->token & ~ARBITER_TOKEN_BIT,
				   .rc = answer->rc,
				   .err = answer->err };

	/* What comes late was told as failed, and is found by the next read. */
	if (answer->kind == DISK_LATE)
		return;
	event.kind = answer->op == DISK_READ ? PRA_EVENT_READ : PRA_EVENT_WRITTEN;
	if (event.kind == PRA_EVENT_READ && answer->rc == 0) {
		for (uint16_t n = 1; n <= area->layout.nodes_max; n++)
			place_in(a, d, n, answer->data + (n - 1u) * area->layout.arbiter_bytes);
		event.places = a->places;
		event.places_count = area->layout.nodes_max;
	}
	step(a, &event);
}

static void pr_path(struct arbiter *arbiter, unsigned d, int what, const struct hb_area *area)
{
	(void)what; /* the seat tells */
	own(arbiter)->areas[d] = area;
}

static void closed(struct boot_timer *timer)
{
	free(timer->data);
}

static void pr_free(struct arbiter *arbiter)
{
	struct pr_arbiter *a = own(arbiter);

	jobs_forget(a);
	boot_timer_close(&a->timer, closed);
}

static int pr_create(const struct arbiter_setup *setup, struct arbiter **arbiter, struct err *err)
{
	struct pr_arbiter *a;
	uint64_t cluster = 0;

	assert(setup->seats);
	for (unsigned d = 0; d < setup->disks; d++)
		if (setup->areas[d])
			cluster = setup->areas[d]->super.head.cluster;
	a = calloc(1, sizeof *a);
	if (!a || boot_timer_init(&a->timer, setup->loop, fired, a) != 0) {
		free(a);
		return err_set(err, RC_INTERNAL, NULL, "out of memory or file descriptors");
	}
	a->head.ops = &arbiter_pr_ops;
	a->setup = *setup;
	for (unsigned d = 0; d < setup->disks; d++) {
		a->areas[d] = setup->areas[d];
		a->seen[d].turns = setup->seats[d].turns - 1;
	}
	pra_core_init(&a->core, pr_seat_key(cluster, setup->node, setup->incarnation), setup->node,
		      setup->disks, 0);
	/* An answer to an arbiter of before this one must not be taken for its own. */
	a->core.next_token = (setup->seed & 0xffffff) << 32;
	*arbiter = &a->head;
	return 0;
}

const struct arbiter_ops arbiter_pr_ops = {
	.name = "pr",
	.create = pr_create,
	.claim = pr_claim,
	.record = pr_record,
	.cancel = pr_cancel,
	.answered = pr_answered,
	.path = pr_path,
	.free = pr_free,
};
