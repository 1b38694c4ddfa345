/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_lockd_lock_slot.c - the slots of the lock area over places that are faked here: how long a slot is
 * kept, while its answers make those who get them ask for more.
 *
 * LINK: host base lockd/lockd_lock_slot_io.c lockd/lock_facts.c lockd/lock_core.c lockd/lock_core_fate.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lockd/lockd_lock_slot_io.h"
#include "lockd/place_io.h"

enum { PLACES_MAX = 512, SLOTS = 97 }; /* one more than are kept */

struct place_io {
	int number, is_freed, is_asked, is_in_done;
	place_io_done *done;
	void *context;
};

static struct place_io places[PLACES_MAX];
static size_t places_count;
static struct lockd lockd = { .disks_count = 1 };
static struct lock_slots *slots;
static unsigned answers, asked_in_done;

int lockd_submit(struct lockd *of, unsigned d, const struct disk_request *request, struct err *err)
{
	(void)of, (void)d, (void)request, (void)err;
	fail();
	return -1;
}

int place_io_create(const struct place_io_setup *setup, struct place_io **place, struct err *err)
{
	(void)err;
	assert_true(places_count < PLACES_MAX);
	*place = &places[places_count++];
	**place = (struct place_io){ .number = setup->lock };
	return 0;
}

int place_io_look(struct place_io *place, mono_t deadline, place_io_done *done, void *context,
		  struct err *err)
{
	(void)deadline, (void)err;
	assert_false(place->is_freed || place->is_asked);
	place->is_asked = 1;
	place->done = done;
	place->context = context;
	return 0;
}

int place_io_claim(struct place_io *place, uint64_t epoch, const void *value, size_t bytes,
		   mono_t deadline, place_io_done *done, void *context, struct err *err)
{
	(void)epoch, (void)value, (void)bytes;
	return place_io_look(place, deadline, done, context, err);
}

int place_io_is_idle(const struct place_io *place)
{
	return !place->is_asked;
}

void place_io_free(struct place_io *place)
{
	if (!place)
		return;
	assert_false(place->is_in_done);
	place->is_freed = 1;
}

void place_io_answered(struct place_io *place, unsigned d, const struct disk_answer *answer)
{
	(void)place, (void)d, (void)answer;
}

void place_io_area(struct place_io *place, unsigned disk, const struct hb_area *area)
{
	(void)place, (void)disk, (void)area;
}

int place_io_error(const struct paxos_answer *answer, const char *what, struct err *err)
{
	(void)answer, (void)what;
	return err_set(err, RC_TIMEOUT, NULL, "late");
}

static struct place_io *place_of(int number)
{
	for (size_t i = 0; i < places_count; i++)
		if (places[i].number == number && !places[i].is_freed)
			return &places[i];
	return NULL;
}

static void answer(int number)
{
	const struct paxos_answer nothing = { .outcome = PAXOS_NOTHING };
	const struct place_io_cost cost = { 0 };
	struct place_io *place = place_of(number);

	assert_true(place && place->is_asked);
	place->is_asked = 0;
	place->is_in_done = 1;
	place->done(&nothing, &cost, place->context);
	place->is_in_done = 0;
}

static void plain(uint64_t token, const struct lock_slot_answer *said, void *context)
{
	(void)token, (void)context;
	assert_int_equal(said->rc, 0);
	answers++;
}

static void asking(uint64_t token, const struct lock_slot_answer *said, void *context)
{
	plain(token, said, context);
	for (unsigned i = 0; i < asked_in_done; i++)
		lock_slot_read(slots, (uint32_t)token + i, 0, plain, NULL);
}

static int begin(void **state)
{
	(void)state;
	places_count = answers = 0;
	lockd.loop = (uv_loop_t){ 0 };
	assert_int_equal(uv_loop_init(&lockd.loop), 0);
	slots = lock_slots_open(&lockd);
	lock_slots_join(slots, 1, 1);
	return 0;
}

static int end(void **state)
{
	(void)state;
	lock_slots_close(slots);
	uv_run(&lockd.loop, UV_RUN_DEFAULT);
	return uv_loop_close(&lockd.loop);
}

/* It is the one that was asked longest ago, there are too many, and whoever gets its answer asks
 * another one. */
static void a_slot_stays_until_its_answer_is_given(void **state)
{
	(void)state;
	asked_in_done = 1;
	lock_slot_read(slots, 0, SLOTS, asking, NULL);
	for (uint32_t number = 1; number < SLOTS; number++)
		lock_slot_read(slots, number, 0, plain, NULL);
	answer(0);
	assert_int_equal(answers, 1);
	assert_non_null(place_of(0));
	for (int number = 1; number <= SLOTS; number++)
		answer(number);
	assert_int_equal(answers, SLOTS + 1);
	/* And goes with the next look. */
	lock_slot_read(slots, SLOTS, 0, plain, NULL);
	assert_null(place_of(0));
	answer(SLOTS);
}

/* The same slot, asked twice out of its answer: one after the other. */
static void a_slot_asked_out_of_its_answer_goes_on(void **state)
{
	(void)state;
	asked_in_done = 2;
	lock_slot_read(slots, 7, 7, asking, NULL);
	answer(7); /* asks 7 and 8 */
	answer(8);
	answer(7);
	assert_int_equal(answers, 3);
	assert_false(place_of(7)->is_asked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_slot_stays_until_its_answer_is_given, begin, end),
		cmocka_unit_test_setup_teardown(a_slot_asked_out_of_its_answer_goes_on, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
