/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: lockd diskhb disk host base tests/unit/tgt_world.c pkg:libuv pkg:cmocka
 *
 * test_arbiter_pr_tgt.c - the cluster lock by reservations, and the probe of what a unit can do, on a
 * real target: tgtd, without PREEMPT AND ABORT and without registrations that survive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/clock.h"
#include "lockd/arbiter.h"
#include "lockd/pr_ability_io.h"
#include "lockd/pr_client_io.h"
#include "lockd/pr_io.h"
#include "lockd/pr_seat.h"
#include "tests/unit/tgt_world.h"

enum {
	CLAIMERS = 2,
	UNITS_MAX = 3,
	IO_MS = 5000,
	CLAIM_MS = 20000,
	RACES = 40,
	CLUSTER = 7,
};

struct claimer;

struct path {
	struct claimer *claimer;
	unsigned d;
	struct disk *disk;
	struct pr_io *io;
	int is_joined, has_ended;
	struct pr_result result;
};

struct claimer {
	uint16_t node;
	uint32_t incarnation;
	char initiator[64];
	struct path paths[UNITS_MAX];
	struct pr_seat seats[UNITS_MAX];
	struct arbiter *arbiter;
	int has_answer;
	struct arbiter_answer answer;
	struct arbiter_value value;
};

static struct tgt_world tgt;
static uv_loop_t loop;
static struct claimer claimers[CLAIMERS];
static struct hb_area area;
static unsigned units;
static int is_possible, is_open;

/* Turn the loop until it is so; each wait has its bound by the deadlines of what is waited for. */
#define UNTIL(condition)                                                                           \
	do {                                                                                       \
		mono_t until_ = mono_add_ms(clock_now(), 6 * CLAIM_MS);                            \
		while (!(condition)) {                                                             \
			if (!mono_before(clock_now(), until_))                                     \
				fail_msg("never came: " #condition);                               \
			uv_run(&loop, UV_RUN_ONCE);                                                \
		}                                                                                  \
	} while (0)

/* ---- a claimer ---- */

static void disk_told(struct disk *disk, const struct disk_answer *answer, void *context)
{
	struct path *path = context;

	(void)disk;
	if (answer->token & PR_IO_TOKEN_BIT) {
		if (path->io)
			pr_io_answered(path->io, answer);
	} else if (path->claimer->arbiter) {
		arbiter_pr_ops.answered(path->claimer->arbiter, path->d, answer);
	}
}

static int pr_submit(const struct disk_request *request, void *context, struct err *err)
{
	struct path *path = context;

	return disk_submit(path->disk, request, err);
}

static int pr_recover(void *context, struct err *err)
{
	struct path *path = context;

	return disk_reinstate(path->disk, err);
}

static void seat_set(struct path *path, int is_in, uint64_t holder)
{
	struct pr_seat *seat = &path->claimer->seats[path->d];

	seat->is_in = is_in;
	seat->holder = holder;
	seat->turns++;
}

static void pr_noted(const struct pr_action *note, void *context)
{
	struct path *path = context;

	if (note->note == PR_NOTE_EJECTED || note->note == PR_NOTE_PATH_OUTSIDE)
		seat_set(path, 0, 0);
	else if (note->note == PR_NOTE_ATTENTION)
		path->claimer->seats[path->d].shakes++;
}

static void job_done(const struct pr_result *result, const struct pr_core *core, void *context)
{
	struct path *path = context;

	(void)core;
	path->result = *result;
	path->has_ended = 1;
}

static void job(struct path *path, enum pr_job_kind kind, uint64_t admission)
{
	const struct pr_io_job what = { .kind = kind,
					.deadline = mono_add_ms(clock_now(), CLAIM_MS),
					.admission = admission };
	struct err err;

	path->has_ended = 0;
	assert_int_equal(pr_io_job(path->io, &what, job_done, path, &err), 0);
	UNTIL(path->has_ended);
}

static int arbiter_submit(unsigned d, const struct disk_request *request, void *context,
			  struct err *err)
{
	struct claimer *claimer = context;

	return disk_submit(claimer->paths[d].disk, request, err);
}

/* A life of a claimer: its key is registered anew, by somebody's admission. */
static void live(struct claimer *claimer)
{
	struct arbiter_setup setup = { .loop = &loop,
				       .node = claimer->node,
				       .incarnation = ++claimer->incarnation,
				       .nonce = 1000u + claimer->incarnation,
				       .disks = units,
				       .io_timeout_ms = IO_MS,
				       .seed = claimer->incarnation * 2u + claimer->node,
				       .submit = arbiter_submit,
				       .submit_context = claimer,
				       .seats = claimer->seats };
	struct err err;

	if (claimer->arbiter)
		arbiter_pr_ops.free(claimer->arbiter);
	claimer->arbiter = NULL;
	for (unsigned d = 0; d < units; d++) {
		struct path *path = &claimer->paths[d];
		const struct pr_io_setup io = { .loop = &loop,
						.key = pr_seat_key(CLUSTER, claimer->node,
								   claimer->incarnation),
						.io_timeout_ms = IO_MS,
						.submit = pr_submit,
						.recover = pr_recover,
						.noted = pr_noted,
						.context = path };

		setup.areas[d] = &area;
		pr_io_free(path->io);
		assert_int_equal(pr_io_create(&io, &path->io, &err), 0);
		pr_io_path(path->io, 1);
		claimer->seats[d].io = path->io;
		claimer->seats[d].key = io.key;
		claimer->seats[d].is_own_session = 1;
		job(path, PR_JOB_JOIN, 1);
		assert_int_equal(path->result.outcome, PR_DONE);
		seat_set(path, 1, path->result.is_held ? path->result.holder : 0);
	}
	assert_int_equal(arbiter_pr_ops.create(&setup, &claimer->arbiter, &err), 0);
}

static void claimer_open(struct claimer *claimer, uint16_t node)
{
	struct err err;

	memset(claimer, 0, sizeof *claimer);
	claimer->node = node;
	snprintf(claimer->initiator, sizeof claimer->initiator, "iqn.2026-11.test.holdfast:n%u",
		 node);
	for (unsigned d = 0; d < units; d++) {
		struct path *path = &claimer->paths[d];
		const struct disk_options options = { .initiator = claimer->initiator,
						      .open_timeout_ms = CLAIM_MS };

		path->claimer = claimer;
		path->d = d;
		assert_int_equal(disk_open(&loop, tgt_url(&tgt, (int)d + 1), &options, disk_told,
					   path, &path->disk, &err),
				 0);
	}
}

static void claimer_close(struct claimer *claimer)
{
	if (claimer->arbiter)
		arbiter_pr_ops.free(claimer->arbiter);
	claimer->arbiter = NULL;
	for (unsigned d = 0; d < units; d++) {
		if (claimer->paths[d].disk)
			disk_close(claimer->paths[d].disk);
		pr_io_free(claimer->paths[d].io);
		claimer->paths[d].disk = NULL;
		claimer->paths[d].io = NULL;
	}
}

static void claim_done(const struct arbiter_answer *answer, void *context)
{
	struct claimer *claimer = context;

	claimer->answer = *answer;
	claimer->has_answer = 1;
}

static void claim_start(struct claimer *claimer, uint64_t epoch, uint64_t members)
{
	struct err err;

	claimer->has_answer = 0;
	claimer->value.members = members;
	claimer->value.bytes = (uint16_t)snprintf((char *)claimer->value.data,
						  sizeof claimer->value.data, "view of node %u/%u",
						  claimer->node, claimer->incarnation);
	assert_int_equal(arbiter_pr_ops.claim(claimer->arbiter, epoch, &claimer->value,
					      mono_add_ms(clock_now(), CLAIM_MS), claim_done,
					      claimer, &err),
			 0);
}

static enum arbiter_outcome claim(struct claimer *claimer, uint64_t epoch)
{
	claim_start(claimer, epoch, UINT64_C(1) << (claimer->node - 1));
	UNTIL(claimer->has_answer);
	return claimer->answer.outcome;
}

static unsigned cost(const struct claimer *claimer)
{
	return claimer->answer.cost.reads + claimer->answer.cost.writes +
	       claimer->answer.cost.commands;
}

/* ---- the world ---- */

static void world_begin(unsigned count)
{
	if (!is_possible)
		skip();
	units = count;
	is_open = 1;
	tgt_init(&tgt);
	tgt_export(&tgt, (int)count);
	assert_int_equal(uv_loop_init(&loop), 0);
	memset(&area, 0, sizeof area);
	area.super.head.cluster = CLUSTER;
	area.super.nodes_max = 16;
	assert_int_equal(disk_layout_set(&area.layout, 512, 16, 1), 0);
	for (unsigned i = 0; i < CLAIMERS; i++)
		claimer_open(&claimers[i], (uint16_t)(i + 1));
}

static void world_end(void)
{
	is_open = 0;
	for (unsigned i = 0; i < CLAIMERS; i++)
		claimer_close(&claimers[i]);
	while (uv_run(&loop, UV_RUN_DEFAULT) != 0)
		;
	assert_int_equal(uv_loop_close(&loop), 0);
	tgt_end(&tgt);
}

/* After a test that failed in the middle. */
static int world_teardown(void **state)
{
	(void)state;
	if (is_open)
		tgt_end(&tgt);
	return 0;
}

/* ---- tests ---- */

/* Two claim at once, each for itself alone: one is granted, the other is told who. */
static void race(unsigned count)
{
	unsigned won[CLAIMERS] = { 0 };

	world_begin(count);
	live(&claimers[0]);
	live(&claimers[1]);
	for (uint64_t epoch = 1; epoch <= RACES; epoch++) {
		struct claimer *a = &claimers[epoch & 1], *b = &claimers[~epoch & 1], *winner;

		claim_start(a, epoch, UINT64_C(1) << (a->node - 1));
		claim_start(b, epoch, UINT64_C(1) << (b->node - 1));
		UNTIL(a->has_answer && b->has_answer);
		winner = a->answer.outcome == ARBITER_GRANTED ? a : b;
		for (unsigned i = 0; i < CLAIMERS; i++) {
			const struct arbiter_answer *answer = &claimers[i].answer;

			assert_int_equal(answer->outcome,
					 &claimers[i] == winner ? ARBITER_GRANTED : ARBITER_LOST);
			assert_int_equal(answer->winner, winner->node);
			assert_int_equal(answer->value.bytes, winner->value.bytes);
			assert_memory_equal(answer->value.data, winner->value.data,
					    winner->value.bytes);
		}
		won[winner - claimers]++;
		live(winner == a ? b : a);
	}
	print_message("# %u and %u races won\n", won[0], won[1]);
	world_end();
}

static void test_race(void **state)
{
	(void)state;
	race(1);
}

static void test_race_three_units(void **state)
{
	(void)state;
	race(3);
}

/* A claim on one unit takes four commands, reads and writes among them. */
static void test_four_commands(void **state)
{
	(void)state;
	world_begin(1);
	/* nobody holds it, nobody else is there */
	live(&claimers[0]);
	assert_int_equal(claim(&claimers[0], 1), ARBITER_GRANTED);
	assert_int_equal(cost(&claimers[0]), 4);
	/* the holder, against another */
	live(&claimers[1]);
	assert_int_equal(claim(&claimers[0], 2), ARBITER_GRANTED);
	assert_int_equal(cost(&claimers[0]),
			 5); /* the first PREEMPT AND ABORT learns that there is none */
	live(&claimers[1]);
	assert_int_equal(claim(&claimers[0], 3), ARBITER_GRANTED);
	assert_int_equal(cost(&claimers[0]), 4);
	assert_int_equal(claim(&claimers[0], 4), ARBITER_GRANTED);
	assert_int_equal(cost(&claimers[0]), 3);
	/* against the holder */
	live(&claimers[1]);
	assert_int_equal(claim(&claimers[1], 5), ARBITER_GRANTED);
	assert_int_equal(cost(&claimers[1]), 5); /* likewise */
	live(&claimers[0]);
	assert_int_equal(claim(&claimers[0], 6), ARBITER_GRANTED);
	assert_in_range(cost(&claimers[0]), 4, 5);
	world_end();
}

/* Both sides register anew, eject the other and believe to have won: an agent of others does it. Here
 * the ejected one is told who has won, as often as it asks, and does not come back. */
static void test_not_both_win(void **state)
{
	struct claimer *a = &claimers[0], *b = &claimers[1];

	(void)state;
	world_begin(1);
	live(a);
	live(b);
	assert_int_equal(claim(a, 1), ARBITER_GRANTED);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(claim(b, 1), i == 0 ? ARBITER_LOST : b->answer.outcome);
		assert_int_not_equal(b->answer.outcome, ARBITER_GRANTED);
		job(&b->paths[0], PR_JOB_JOIN, 1); /* the admission of before */
		assert_int_not_equal(b->paths[0].result.outcome, PR_DONE);
	}
	assert_int_equal(claim(b, 2), ARBITER_UNKNOWN);
	assert_int_equal(claim(a, 1), ARBITER_GRANTED);
	job(&a->paths[0], PR_JOB_VERIFY, 0);
	assert_int_equal(a->paths[0].result.outcome, PR_DONE);
	assert_int_equal(a->paths[0].result.holder, a->seats[0].key);
	assert_int_equal(pr_io_core(a->paths[0].io)->keys_count, 1);
	world_end();
}

static void record_is(struct claimer *claimer, uint64_t epoch, const struct claimer *winner)
{
	struct err err;

	claimer->has_answer = 0;
	assert_int_equal(arbiter_pr_ops.record(claimer->arbiter, mono_add_ms(clock_now(), CLAIM_MS),
					       claim_done, claimer, &err),
			 0);
	UNTIL(claimer->has_answer);
	assert_int_equal(claimer->answer.epoch, epoch);
	assert_int_equal(claimer->answer.winner, winner ? winner->node : 0);
}

/* The target loses all registrations; what was decided stays so. */
static void test_target_restart(void **state)
{
	struct claimer *a = &claimers[0], *b = &claimers[1];

	(void)state;
	world_begin(1);
	live(a);
	live(b);
	record_is(b, 0, NULL);
	assert_int_equal(claim(a, 1), ARBITER_GRANTED);
	for (unsigned i = 0; i < CLAIMERS; i++)
		claimer_close(&claimers[i]);
	tgt_kill(&tgt);
	tgt_start(&tgt);
	tgt_export(&tgt, 1);
	for (unsigned i = 0; i < CLAIMERS; i++) {
		uint32_t incarnation = claimers[i].incarnation;

		claimer_open(&claimers[i], (uint16_t)(i + 1));
		claimers[i].incarnation = incarnation;
	}
	live(b);
	record_is(b, 1, a);
	assert_int_equal(claim(b, 1), ARBITER_LOST);
	assert_int_equal(b->answer.winner, 1);
	assert_int_equal(claim(b, 2), ARBITER_GRANTED);
	record_is(b, 2, b);
	world_end();
}

/* A claimer that is a member with the holder does not eject it. */
static void test_member_holds(void **state)
{
	struct claimer *a = &claimers[0], *b = &claimers[1];

	(void)state;
	world_begin(1);
	live(a);
	live(b);
	claim_start(a, 1, 3);
	UNTIL(a->has_answer);
	assert_int_equal(a->answer.outcome, ARBITER_GRANTED);
	claim_start(b, 2, 3);
	UNTIL(b->has_answer);
	assert_int_equal(b->answer.outcome, ARBITER_UNKNOWN);
	assert_int_equal(b->answer.claimant, a->node);
	claim_start(a, 2, 3);
	UNTIL(a->has_answer);
	assert_int_equal(a->answer.outcome, ARBITER_GRANTED);
	world_end();
}

/* ---- what a unit can do ---- */

static void probe(const char *url, int may_change, struct pr_ability *ability)
{
	const struct pr_ability_options options = { .initiator = "iqn.2026-11.test.holdfast:p",
						    .nexus = 40,
						    .timeout_ms = CLAIM_MS,
						    .may_change = may_change };
	struct err err = { 0 };

	if (pr_ability_probe(url, &options, ability, &err) != 0)
		fail_msg("%s", err.text);
}

static void test_ability(void **state)
{
	struct pr_ability ability;
	char lacks[256];

	(void)state;
	world_begin(1);
	probe(tgt_url(&tgt, 1), 0, &ability);
	assert_int_equal(ability.arbitrates, PR_ABILITY_UNKNOWN);
	assert_string_equal(ability.missing, "");
	assert_int_equal(ability.known[PR_PREEMPT], PR_ABILITY_YES);
	assert_int_equal(ability.known[PR_PREEMPT_AND_ABORT], PR_ABILITY_NO);
	assert_int_equal(ability.generation, 0);
	assert_string_equal(pr_ability_lacks(&ability, lacks, sizeof lacks),
			    "READ FULL STATUS, PREEMPT AND ABORT");
	probe(tgt_url(&tgt, 1), 1, &ability);
	assert_string_equal(ability.missing, "");
	assert_int_equal(ability.arbitrates, PR_ABILITY_YES);
	assert_int_equal(ability.excludes, PR_ABILITY_YES);
	assert_int_equal(ability.ejects, PR_ABILITY_YES);
	assert_int_equal(ability.left_behind[0] | ability.left_behind[1], 0);
	/* Somebody is registered: it is left alone. */
	live(&claimers[0]);
	probe(tgt_url(&tgt, 1), 1, &ability);
	assert_int_equal(ability.arbitrates, PR_ABILITY_UNKNOWN);
	assert_non_null(strstr(ability.missing, "1 key(s) are registered"));
	job(&claimers[0].paths[0], PR_JOB_VERIFY, 0);
	assert_int_equal(claimers[0].paths[0].result.outcome, PR_DONE);
	assert_int_equal(claimers[0].paths[0].result.is_held, 0);
	world_end();
}

static void test_ability_of_a_file(void **state)
{
	struct pr_ability ability;
	char path[] = "/tmp/holdfast-ability-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	close(fd);
	probe(path, 1, &ability);
	unlink(path);
	assert_int_equal(ability.has_scsi, 0);
	assert_int_equal(ability.arbitrates, PR_ABILITY_NO);
	assert_string_not_equal(ability.missing, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_ability, world_teardown),
		cmocka_unit_test_teardown(test_ability_of_a_file, world_teardown),
		cmocka_unit_test_teardown(test_four_commands, world_teardown),
		cmocka_unit_test_teardown(test_not_both_win, world_teardown),
		cmocka_unit_test_teardown(test_member_holds, world_teardown),
		cmocka_unit_test_teardown(test_target_restart, world_teardown),
		cmocka_unit_test_teardown(test_race, world_teardown),
		cmocka_unit_test_teardown(test_race_three_units, world_teardown),
	};

	is_possible = tgt_is_possible();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
