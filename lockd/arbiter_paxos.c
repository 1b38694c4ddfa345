/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arbiter_paxos.c - the cluster lock by Disk Paxos: the arbiter's own sequence of decisions, behind
 * lockd/arbiter.h. Works on every disk that can be read and written.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lockd/arbiter.h"
#include "lockd/place_io.h"

struct arbiter_paxos {
	struct arbiter arbiter; /* first */
	struct arbiter_setup setup;
	struct place_io *place;
	arbiter_done *done;
	void *context;
};

static struct arbiter_paxos *own(struct arbiter *arbiter)
{
	return (struct arbiter_paxos *)arbiter;
}

static int submit(unsigned disk, const struct disk_request *request, void *context, struct err *err)
{
	const struct arbiter_paxos *paxos = context;

	return paxos->setup.submit(disk, request, paxos->setup.submit_context, err);
}

/* Nothing may be used after done(): it may free the arbiter. */
static void place_done(const struct paxos_answer *said, const struct place_io_cost *cost,
		       void *context)
{
	struct arbiter_paxos *paxos = context;
	struct arbiter_answer answer = {
		.epoch = said->epoch,
		.winner = said->value.node,
		.cost = { .reads = cost->reads, .writes = cost->writes, .took_ns = cost->took_ns },
	};

	switch (said->outcome) {
	case PAXOS_GRANTED:
		answer.outcome = ARBITER_GRANTED;
		break;
	case PAXOS_LOST:
	case PAXOS_NOTHING:
		answer.outcome = ARBITER_LOST;
		break;
	case PAXOS_DECIDED:
		answer.outcome = said->value.node == paxos->setup.node ? ARBITER_GRANTED
								       : ARBITER_LOST;
		break;
	case PAXOS_UNKNOWN:
		answer.outcome = ARBITER_UNKNOWN;
		answer.winner = 0;
		place_io_error(said, "cluster lock", &answer.err);
		break;
	}
	if (answer.winner &&
	    arbiter_value_in(&answer.value, said->value.data, said->value.bytes) != 0) {
		answer.outcome = ARBITER_UNKNOWN;
		answer.winner = 0;
		err_set(&answer.err, RC_PROTOCOL, "use the version of the other nodes",
			"cluster lock: the value of epoch %" PRIu64 " makes no sense to this lockd",
			said->epoch);
	}
	paxos->done(&answer, paxos->context);
}

static int paxos_claim(struct arbiter *arbiter, uint64_t epoch, const struct arbiter_value *value,
		       mono_t deadline, arbiter_done *done, void *context, struct err *err)
{
	struct arbiter_paxos *paxos = own(arbiter);
	uint8_t bytes[ARBITER_VALUE_MAX];
	uint16_t count;
	int rc = arbiter_claim_check(epoch, value, paxos->setup.node, err);

	if (rc)
		return rc;
	count = arbiter_value_out(value, bytes);
	rc = place_io_claim(paxos->place, epoch, bytes, count, deadline, place_done, paxos, err);
	if (rc)
		return rc;
	paxos->done = done;
	paxos->context = context;
	return 0;
}

static int paxos_record(struct arbiter *arbiter, mono_t deadline, arbiter_done *done, void *context,
			struct err *err)
{
	struct arbiter_paxos *paxos = own(arbiter);
	int rc = place_io_look(paxos->place, deadline, place_done, paxos, err);

	if (rc)
		return rc;
	paxos->done = done;
	paxos->context = context;
	return 0;
}

static void paxos_prepare(struct arbiter *arbiter, uint64_t epoch)
{
	place_io_prepare(own(arbiter)->place, epoch);
}

static void paxos_cancel(struct arbiter *arbiter)
{
	place_io_cancel(own(arbiter)->place);
}

static void paxos_answered(struct arbiter *arbiter, unsigned disk, const struct disk_answer *answer)
{
	place_io_answered(own(arbiter)->place, disk, answer);
}

static void paxos_path(struct arbiter *arbiter, unsigned disk, int what, const struct hb_area *area)
{
	(void)what; /* requests tell whether the path works */
	place_io_area(own(arbiter)->place, disk, area);
}

static void paxos_free(struct arbiter *arbiter)
{
	place_io_free(own(arbiter)->place);
	free(own(arbiter));
}

static int paxos_create(const struct arbiter_setup *setup, struct arbiter **arbiter,
			struct err *err)
{
	struct arbiter_paxos *paxos = calloc(1, sizeof *paxos);
	struct place_io_setup place = {
		.loop = setup->loop,
		.lock = PLACE_IO_CLUSTER,
		.node = setup->node,
		.incarnation = setup->incarnation,
		.nonce = setup->nonce,
		.disks = setup->disks,
		.io_timeout_ms = setup->io_timeout_ms,
		.seed = setup->seed,
		.owns_next = 1,
		.token = ARBITER_TOKEN_BIT,
		.submit = submit,
		.context = paxos,
	};
	int rc;

	if (!paxos)
		return err_set(err, RC_INTERNAL, NULL, "no memory");
	memcpy(place.areas, setup->areas, sizeof place.areas);
	rc = place_io_create(&place, &paxos->place, err);
	if (rc) {
		free(paxos);
		return rc;
	}
	paxos->arbiter.ops = &arbiter_paxos_ops;
	paxos->setup = *setup;
	*arbiter = &paxos->arbiter;
	return 0;
}

const struct arbiter_ops arbiter_paxos_ops = {
	.name = "paxos",
	.create = paxos_create,
	.claim = paxos_claim,
	.record = paxos_record,
	.prepare = paxos_prepare,
	.cancel = paxos_cancel,
	.answered = paxos_answered,
	.path = paxos_path,
	.free = paxos_free,
};
