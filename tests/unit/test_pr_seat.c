/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: base lockd/pr_seat_core.c pkg:cmocka
 *
 * test_pr_seat.c - who may register on a disk of a `pr` cluster, stay, and let others in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/pr.h"
#include "lockd/pr_seat_core.h"

static uint64_t key(unsigned node, unsigned incarnation)
{
	return pr_key_make(1, (uint16_t)node, (uint16_t)incarnation);
}

static const struct pr_seat_sight nobody = { 0 };

static struct pr_seat_sight held(uint64_t holder)
{
	return (struct pr_seat_sight){ .is_held = 1, .holder = holder };
}

static void look_is(const struct pr_seat_life *life, struct pr_seat_sight sight,
		    enum pr_seat_verdict verdict)
{
	assert_int_equal(pr_seat_look(life, &sight), verdict);
}

static void test_a_new_life(void **state)
{
	const struct pr_seat_life life = { .key = key(2, 5) };
	struct pr_seat_sight dead = held(key(1, 1));

	(void)state;
	dead.holder_is_gone = 1;
	look_is(&life, nobody, PR_SEAT_JOIN);
	look_is(&life, held(key(2, 4)), PR_SEAT_JOIN);
	look_is(&life, held(key(1, 1)), PR_SEAT_ASK);
	look_is(&life, dead, PR_SEAT_FOLLOW);
}

static void test_an_ejected_life(void **state)
{
	const struct pr_seat_life life = { .key = key(2, 5), .was_in = 1 };
	struct pr_seat_sight sight = held(key(1, 1));

	(void)state;
	look_is(&life, sight, PR_SEAT_EJECTED);
	sight.holder_is_gone = 1;
	look_is(&life, sight, PR_SEAT_EJECTED);
	/* by a newer life of its own node */
	look_is(&life, held(key(2, 6)), PR_SEAT_EJECTED);
	/* the target has lost it, or only the session */
	look_is(&life, nobody, PR_SEAT_JOIN);
	look_is(&life, held(key(2, 5)), PR_SEAT_JOIN);
	sight = nobody;
	sight.has_own_key = 1;
	look_is(&life, sight, PR_SEAT_JOIN);
	sight = held(key(2, 5));
	sight.has_own_key = 1;
	look_is(&life, sight, PR_SEAT_JOIN);
}

static void test_petitions(void **state)
{
	struct pr_seat_life life = { .key = key(2, 0), .is_petition = 1 };
	struct pr_seat_sight sight = held(key(3, 1));

	(void)state;
	look_is(&life, nobody, PR_SEAT_WAIT);
	look_is(&life, held(key(1, 1)), PR_SEAT_FOLLOW);
	assert_true(pr_seat_stays(&life, key(1, 1), &sight));
	life.petition_was_ejected = 1;
	look_is(&life, held(key(1, 1)), PR_SEAT_WAIT);
}

/* An admission is that of one holder: who took the disk since has not counted with us. */
static void test_the_holder_changed_before_the_register(void **state)
{
	const struct pr_seat_life life = { .key = key(2, 5) };
	struct pr_seat_sight sight = held(key(1, 1));

	(void)state;
	assert_true(pr_seat_stays(&life, key(1, 1), &sight));
	assert_false(pr_seat_stays(&life, key(3, 1), &sight));
	assert_false(pr_seat_stays(&life, key(1, 2), &sight));
	assert_false(pr_seat_stays(&life, 0, &sight));
	assert_true(pr_seat_stays(&life, 0, &nobody));
	assert_true(pr_seat_stays(&life, key(1, 1), &nobody));
	sight = held(key(2, 4));
	assert_true(pr_seat_stays(&life, 0, &sight));
}

static void test_only_the_holder_admits(void **state)
{
	const struct pr_seat_life life = { .key = key(2, 5), .was_in = 1 };
	struct pr_seat_sight sight = held(key(2, 5));

	(void)state;
	assert_true(pr_seat_may_admit(&life, &sight));
	assert_false(pr_seat_may_admit(&life, &nobody));
	sight = held(key(1, 1));
	assert_false(pr_seat_may_admit(&life, &sight));
	/* the reservation that an earlier life left, not one that a newer life took */
	sight = held(key(2, 4));
	assert_true(pr_seat_may_admit(&life, &sight));
	sight = held(key(2, 6));
	assert_false(pr_seat_may_admit(&life, &sight));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_new_life),
		cmocka_unit_test(test_an_ejected_life),
		cmocka_unit_test(test_petitions),
		cmocka_unit_test(test_the_holder_changed_before_the_register),
		cmocka_unit_test(test_only_the_holder_admits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
