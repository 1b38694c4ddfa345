/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_lock_slot_io.c - the slots of the lock area; see lockd_lock_slot_io.h.
 *
 * A slot that was used is kept, because a sequence must not be begun anew by one incarnation while a
 * write of it may still land (place_io.h). Those that are idle for longest go when there are many.
 */
#include "lockd/lockd_lock_slot_io.h"

#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/machine.h"
#include "lockd/lock_facts.h"
#include "lockd/place_io.h"

enum {
	SLOTS_KEPT = 96,
	READ_TIMEOUTS = 2, /* of io_timeout_ms, for a read */
	CLAIM_TIMEOUTS = 4,
};

struct request {
	struct request *next;
	int is_claim;
	uint64_t token, term;
	uint8_t value[LOCK_VALUE_MAX];
	uint16_t value_bytes;
	lock_slot_done *done; /* NULL: forgotten */
	void *context;
	int rc; /* it could not even be asked */
	struct err err;
};

struct slot {
	struct slot *next; /* in the order of their use, the latest first */
	struct lock_slots *slots;
	uint32_t number, instance;
	struct place_io *place;
	/* The first is under way if is_busy; after it is popped that lasts until it is answered. */
	struct request *queue;
	int is_busy;
};

struct lock_slots {
	struct lockd *lockd;
	struct slot *first;
	unsigned count;
	uint32_t incarnation, nonce, instances;
	struct boot_timer refused; /* for answers that come out of no disk */
};

static void slot_go_on(struct slot *slot);

/* ---- answers ---- */

static void request_pop(struct slot *slot)
{
	struct request *request = slot->queue;

	slot->queue = request->next;
	free(request);
}

/* Tell who asked, and go on; the slot may be asked anew in between, and others, but it stays busy, so that
 * slots_thin() leaves it. */
static void request_answer(struct slot *slot, const struct lock_slot_answer *answer)
{
	lock_slot_done *done = slot->queue->done;
	void *context = slot->queue->context;
	uint64_t token = slot->queue->token;

	request_pop(slot);
	if (done)
		done(token, answer, context);
	slot->is_busy = 0;
	slot_go_on(slot);
}

static int unreadable(const struct slot *slot, struct err *err)
{
	return err_set(err, RC_PROTOCOL, "use the version of the other nodes",
		       "lock slot %u: its value makes no sense to this lockd", slot->number);
}

static void place_done(const struct paxos_answer *said, const struct place_io_cost *cost,
		       void *context)
{
	struct slot *slot = context;
	struct lock_slot_answer answer = { .outcome = LOCK_CLAIM_UNKNOWN };
	struct lock_term term;
	char what[32];
	struct err err;

	(void)cost;
	snprintf(what, sizeof what, "lock slot %u", slot->number);
	switch (said->outcome) {
	case PAXOS_NOTHING:
		break;
	case PAXOS_GRANTED:
		answer.outcome = LOCK_CLAIM_GRANTED;
		break;
	case PAXOS_LOST:
	case PAXOS_DECIDED:
		if (lock_value_in(said->value.data, said->value.bytes, &term)) {
			answer.rc = unreadable(slot, &err);
			answer.err = &err;
			break;
		}
		answer.outcome = LOCK_CLAIM_LOST;
		answer.term = said->epoch;
		answer.told = &term;
		break;
	case PAXOS_UNKNOWN:
		answer.rc = place_io_error(said, what, &err);
		answer.err = &err;
		if (!said->made)
			answer.outcome = LOCK_CLAIM_NOT_MADE;
		break;
	}
	request_answer(slot, &answer);
}

/* ---- asking ---- */

static int submit(unsigned disk, const struct disk_request *request, void *context, struct err *err)
{
	const struct slot *slot = context;

	return lockd_submit(slot->slots->lockd, disk, request, err);
}

static int place_open(struct slot *slot, struct err *err)
{
	const struct lockd *lockd = slot->slots->lockd;
	struct place_io_setup setup = {
		.loop = &slot->slots->lockd->loop,
		.lock = (int)slot->number,
		.node = lockd->config.node,
		.incarnation = slot->slots->incarnation,
		.nonce = slot->slots->nonce,
		.disks = lockd->disks_count,
		.io_timeout_ms = lockd->config.io_timeout_ms,
		.owns_next = 1,
		.token = LOCKD_TOKEN_LOCKS | (uint64_t)slot->instance << PLACE_IO_TOKEN_BITS,
		.submit = submit,
		.context = slot,
	};

	machine_random(&setup.seed, sizeof setup.seed);
	for (unsigned d = 0; d < lockd->disks_count; d++)
		if (lockd->disks[d].is_known)
			setup.areas[d] = &lockd->disks[d].area;
	return place_io_create(&setup, &slot->place, err);
}

static int request_start(struct slot *slot, struct err *err)
{
	const struct request *request = slot->queue;
	uint32_t io_timeout_ms = slot->slots->lockd->config.io_timeout_ms;
	int rc = 0;

	if (!slot->place)
		rc = place_open(slot, err);
	if (rc)
		return rc;
	if (request->is_claim)
		return place_io_claim(
			slot->place, request->term, request->value, request->value_bytes,
			mono_add_ms(clock_now(), (int64_t)CLAIM_TIMEOUTS * io_timeout_ms),
			place_done, slot, err);
	return place_io_look(slot->place,
			     mono_add_ms(clock_now(), (int64_t)READ_TIMEOUTS * io_timeout_ms),
			     place_done, slot, err);
}

/* The first of the queue, if none is under way. */
static void slot_go_on(struct slot *slot)
{
	while (!slot->is_busy && slot->queue) {
		struct request *request = slot->queue;

		if (!request->done) {
			request_pop(slot);
			continue;
		}
		slot->is_busy = 1;
		request->rc = request_start(slot, &request->err);
		if (request->rc)
			boot_timer_set(&slot->slots->refused, clock_now());
	}
}

static void refused_fired(struct boot_timer *timer)
{
	struct lock_slots *slots = timer->data;
	struct slot *slot = slots->first;

	while (slot && !(slot->is_busy && slot->queue && slot->queue->rc))
		slot = slot->next;
	if (!slot)
		return;
	/* If there are more, it rings again. */
	boot_timer_set(&slots->refused, clock_now());
	{
		struct request copy = *slot->queue;
		struct lock_slot_answer answer = { .rc = copy.rc,
						   .outcome = LOCK_CLAIM_NOT_MADE,
						   .err = &copy.err };

		request_answer(slot, &answer);
	}
}

static void slot_free(struct slot *slot)
{
	while (slot->queue)
		request_pop(slot);
	place_io_free(slot->place);
	free(slot);
}

/* Those that were not used for longest, if nothing of them is with a disk. */
static void slots_thin(struct lock_slots *slots)
{
	struct slot **link = &slots->first;
	unsigned place = 0;

	while (*link) {
		struct slot *slot = *link;

		if (++place <= SLOTS_KEPT || slot->is_busy || slot->queue ||
		    (slot->place && !place_io_is_idle(slot->place))) {
			link = &slot->next;
			continue;
		}
		*link = slot->next;
		slots->count--;
		slot_free(slot);
	}
}

static struct slot *slot_of(struct lock_slots *slots, uint32_t number)
{
	struct slot **link = &slots->first;
	struct slot *slot;

	while (*link && (*link)->number != number)
		link = &(*link)->next;
	slot = *link;
	if (slot) {
		*link = slot->next;
	} else {
		slot = calloc(1, sizeof *slot);
		if (!slot)
			abort();
		slot->slots = slots;
		slot->number = number;
		slot->instance = ++slots->instances;
		slots->count++;
	}
	slot->next = slots->first;
	slots->first = slot;
	if (slots->count > SLOTS_KEPT)
		slots_thin(slots);
	return slot;
}

static struct request *request_add(struct lock_slots *slots, uint32_t number, uint64_t token,
				   lock_slot_done *done, void *context)
{
	struct slot *slot = slot_of(slots, number);
	struct request *request = calloc(1, sizeof *request), **end = &slot->queue;

	if (!request)
		abort();
	request->token = token;
	request->done = done;
	request->context = context;
	while (*end)
		end = &(*end)->next;
	*end = request;
	return request;
}

void lock_slot_read(struct lock_slots *slots, uint32_t slot, uint64_t token, lock_slot_done *done,
		    void *context)
{
	request_add(slots, slot, token, done, context);
	slot_go_on(slots->first);
}

void lock_slot_claim(struct lock_slots *slots, uint32_t slot, uint64_t term,
		     const struct lock_term *value, uint64_t token, lock_slot_done *done,
		     void *context)
{
	struct request *request = request_add(slots, slot, token, done, context);

	request->is_claim = 1;
	request->term = term;
	request->value_bytes = lock_value_out(request->value, value);
	slot_go_on(slots->first);
}

void lock_slots_forget(struct lock_slots *slots, const void *context)
{
	for (struct slot *slot = slots->first; slot; slot = slot->next)
		for (struct request *request = slot->queue; request; request = request->next)
			if (request->context == context)
				request->done = NULL;
}

/* ---- disks ---- */

void lock_slots_answered(struct lock_slots *slots, unsigned d, const struct disk_answer *answer)
{
	uint32_t instance = (uint32_t)((answer->token & ~LOCKD_TOKEN_LOCKS) >> PLACE_IO_TOKEN_BITS);

	for (struct slot *slot = slots->first; slot; slot = slot->next)
		if (slot->instance == instance && slot->place) {
			place_io_answered(slot->place, d, answer);
			return;
		}
}

void lock_slots_path(struct lock_slots *slots, unsigned d, int what)
{
	if (what != LOCKD_PATH_OPENED)
		return;
	for (struct slot *slot = slots->first; slot; slot = slot->next)
		if (slot->place)
			place_io_area(slot->place, d, &slots->lockd->disks[d].area);
}

/* ---- life ---- */

struct lock_slots *lock_slots_open(struct lockd *lockd)
{
	struct lock_slots *slots = calloc(1, sizeof *slots);

	if (!slots || boot_timer_init(&slots->refused, &lockd->loop, refused_fired, slots))
		abort();
	slots->lockd = lockd;
	return slots;
}

static void all_free(struct lock_slots *slots)
{
	while (slots->first) {
		struct slot *slot = slots->first;

		slots->first = slot->next;
		slot_free(slot);
	}
	slots->count = 0;
}

void lock_slots_join(struct lock_slots *slots, uint32_t incarnation, uint32_t nonce)
{
	slots->incarnation = incarnation;
	slots->nonce = nonce;
	all_free(slots);
}

static void refused_closed(struct boot_timer *timer)
{
	free(timer->data);
}

void lock_slots_close(struct lock_slots *slots)
{
	all_free(slots);
	boot_timer_close(&slots->refused, refused_closed);
}
