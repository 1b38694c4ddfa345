/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_place_io.c - one sequence of decisions over disks that are arrays here: where its records lie, that
 * answers never come out of the call that asked, and what it makes of requests that are refused, late,
 * or of another life.
 *
 * LINK: diskhb disk host base lockd/place_io.c lockd/paxos_core.c lockd/paxos_core_read.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "diskhb/arbiter_wire.h"
#include "host/clock.h"
#include "lockd/place_io.h"

enum {
	NODES = 3,
	LOCKS = 2,
	LOCK = 1,
	DISKS = 3,
	NODE = 2,
	IO_TIMEOUT_MS = 200,
	LONG_MS = 30000,
	QUEUE_MAX = 64,
};

#define TOKEN (UINT64_C(5) << PLACE_IO_TOKEN_BITS)

struct sent {
	unsigned disk;
	struct disk_request request;
	uint8_t data[4096];
};

static uv_loop_t loop;
static struct place_io *place;
static struct hb_area areas[DISKS];
static uint8_t *media[DISKS];
static struct sent queue[QUEUE_MAX];
static size_t queue_count;
static int refuses[DISKS];
static struct paxos_answer answer;
static struct place_io_cost cost;
static unsigned answers;

/* Disk 2 has sectors of 4096 bytes, the others of 512. */
static uint32_t sector_of(unsigned d)
{
	return d == 1 ? 4096 : 512;
}

static int submit(unsigned disk, const struct disk_request *request, void *context, struct err *err)
{
	struct sent *sent = &queue[queue_count];

	(void)context;
	if (refuses[disk])
		return err_set(err, RC_UNREACHABLE, NULL, "refused");
	assert_true(queue_count < QUEUE_MAX);
	assert_int_equal(request->token & ~((UINT64_C(1) << PLACE_IO_TOKEN_BITS) - 1), TOKEN);
	sent->disk = disk;
	sent->request = *request;
	if (request->op == DISK_WRITE) {
		assert_int_equal(request->bytes, sector_of(disk));
		memcpy(sent->data, request->data, request->bytes);
	}
	queue_count++;
	return 0;
}

static void done(const struct paxos_answer *said, const struct place_io_cost *what, void *context)
{
	assert_ptr_equal(context, &answer);
	answer = *said;
	cost = *what;
	answers++;
}

static struct sent pop(size_t at)
{
	struct sent sent = queue[at];

	assert_true(at < queue_count);
	memmove(&queue[at], &queue[at + 1], (queue_count - at - 1) * sizeof queue[0]);
	queue_count--;
	return sent;
}

static void reply(const struct sent *sent, enum disk_answer_kind kind, int rc, int outstanding)
{
	const struct disk_request *request = &sent->request;
	uint64_t at = request->sector * sector_of(sent->disk);
	struct disk_answer said = { .kind = kind,
				    .token = request->token,
				    .op = request->op,
				    .rc = rc,
				    .is_outstanding = outstanding };

	if (rc == 0 && request->op == DISK_WRITE)
		memcpy(media[sent->disk] + at, sent->data, request->bytes);
	if (rc == 0 && request->op == DISK_READ) {
		said.data = media[sent->disk] + at;
		said.bytes = request->bytes;
	}
	place_io_answered(place, sent->disk, &said);
}

/* Answer what is asked, and turn the loop, until the operation is answered. */
static void run(void)
{
	unsigned before = answers;

	for (unsigned turns = 0; answers == before; turns++) {
		assert_true(turns < 100000);
		while (queue_count > 0) {
			struct sent sent = pop(0);

			reply(&sent, DISK_DONE, 0, 0);
		}
		if (answers == before)
			uv_run(&loop, UV_RUN_ONCE);
	}
}

static void place_make(unsigned disks, uint32_t incarnation)
{
	struct place_io_setup setup = { .loop = &loop,
					.lock = LOCK,
					.node = NODE,
					.incarnation = incarnation,
					.nonce = 100 + incarnation,
					.disks = disks,
					.areas = { &areas[0], &areas[1], &areas[2] },
					.io_timeout_ms = IO_TIMEOUT_MS,
					.seed = UINT64_C(0x1234567) * incarnation,
					.owns_next = 0,
					.token = TOKEN,
					.submit = submit };
	struct err err;

	assert_int_equal(place_io_create(&setup, &place, &err), 0);
}

static int set_up(void **state)
{
	(void)state;
	uv_loop_init(&loop);
	for (unsigned d = 0; d < DISKS; d++) {
		areas[d].super.head.cluster = 77;
		assert_int_equal(disk_layout_set(&areas[d].layout, sector_of(d), NODES, LOCKS), 0);
		media[d] = calloc(1, areas[d].layout.end);
		assert_non_null(media[d]);
		refuses[d] = 0;
	}
	queue_count = answers = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	place_io_free(place);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	for (unsigned d = 0; d < DISKS; d++)
		free(media[d]);
	return 0;
}

static mono_t soon(int64_t ms)
{
	return mono_add_ms(clock_now(), ms);
}

static int claim(uint64_t epoch, const char *text, int64_t ms)
{
	struct err err;

	return place_io_claim(place, epoch, text, strlen(text), soon(ms), done, &answer, &err);
}

/* The record of the node on a disk must say that it has chosen this. */
static void expect_chosen(unsigned d, uint64_t epoch, const char *text)
{
	uint64_t at = disk_layout_lock_at(&areas[d].layout, LOCK, NODE);
	const struct record_want want = { .node = NODE, .cluster = 77, .offset = at };
	struct arbiter_record record;

	assert_int_equal(arbiter_in(media[d] + at, &want, &record), RECORD_OK);
	assert_int_equal(record.epoch, epoch);
	assert_int_equal(record.value_bytes, strlen(text));
	assert_memory_equal(record.value, text, strlen(text));
	assert_int_equal(record.proposer, NODE);
}

static void claim_lies_in_the_places_of_its_lock(void **state)
{
	(void)state;
	place_make(3, 1);
	assert_int_equal(claim(4, "mine", LONG_MS), 0);
	assert_int_equal(answers, 0);
	run();
	assert_int_equal(answer.outcome, PAXOS_GRANTED);
	assert_int_equal(answer.epoch, 4);
	for (unsigned d = 0; d < 2; d++)
		expect_chosen(d, 4, "mine");
	/* Nothing but the place of this node in this lock was written. */
	for (unsigned d = 0; d < DISKS; d++) {
		uint64_t own = disk_layout_lock_at(&areas[d].layout, LOCK, NODE);

		for (uint64_t at = 0; at < areas[d].layout.end; at++)
			if (at < own || at >= own + sector_of(d))
				assert_int_equal(media[d][at], 0);
	}
}

static void known_answer_waits_for_the_loop(void **state)
{
	struct err err;

	(void)state;
	place_make(1, 1);
	assert_int_equal(claim(1, "mine", LONG_MS), 0);
	run();
	assert_int_equal(claim(1, "other", LONG_MS), 0);
	assert_int_equal(answers, 1);
	/* It is known, and yet another one cannot be asked for. */
	assert_int_equal(place_io_look(place, soon(LONG_MS), done, &answer, &err), RC_BUSY);
	run();
	assert_int_equal(answer.outcome, PAXOS_LOST);
	assert_int_equal(cost.reads + cost.writes, 0);
}

static void nonsense_is_not_claimed(void **state)
{
	char longest[PAXOS_VALUE_MAX + 1] = "";
	struct err err;

	(void)state;
	place_make(1, 1);
	assert_int_equal(claim(0, "x", LONG_MS), RC_CONFIG);
	assert_int_equal(claim(1, "", LONG_MS), RC_CONFIG);
	assert_int_equal(place_io_claim(place, 1, longest, sizeof longest, soon(LONG_MS), done,
					&answer, &err),
			 RC_CONFIG);
	assert_int_equal(queue_count, 0);
}

static void refused_requests_are_failures(void **state)
{
	struct err err = { 0 };

	(void)state;
	place_make(3, 1);
	refuses[0] = refuses[2] = 1;
	assert_int_equal(claim(1, "mine", IO_TIMEOUT_MS), 0);
	run();
	assert_int_equal(answer.outcome, PAXOS_UNKNOWN);
	assert_int_equal(answer.why, PAXOS_WHY_DISKS);
	assert_int_equal(place_io_error(&answer, "lock x", &err), RC_UNREACHABLE);
	assert_non_null(strstr(err.text, "lock x: too few disks answered in time (disk "));
	refuses[2] = 0;
	assert_int_equal(claim(1, "mine", LONG_MS), 0);
	run();
	assert_int_equal(answer.outcome, PAXOS_GRANTED);
}

/* A write that was told to be late is waited for before the disk gets anything else. */
static void late_write_keeps_the_disk(void **state)
{
	struct sent read, write;

	(void)state;
	place_make(1, 1);
	assert_int_equal(claim(1, "mine", LONG_MS), 0);
	read = pop(0);
	assert_int_equal(read.request.op, DISK_READ);
	reply(&read, DISK_DONE, 0, 0);
	write = pop(0);
	assert_int_equal(write.request.op, DISK_WRITE);
	reply(&write, DISK_DONE, RC_TIMEOUT, 1);
	assert_int_equal(queue_count, 0);
	/* Of another life, or of nobody: not looked at. */
	write.request.token++;
	reply(&write, DISK_LATE, 0, 0);
	assert_int_equal(queue_count, 0);
	write.request.token--;
	reply(&write, DISK_LATE, 0, 0);
	assert_int_equal(queue_count, 1);
	run();
	assert_int_equal(answer.outcome, PAXOS_GRANTED);
}

static void answer_for_a_former_life_is_ignored(void **state)
{
	struct sent old;

	(void)state;
	place_make(1, 1);
	assert_int_equal(claim(1, "mine", LONG_MS), 0);
	old = pop(0);
	place_io_free(place);
	place_make(1, 2);
	assert_int_equal(claim(1, "again", LONG_MS), 0);
	assert_int_equal(queue_count, 1);
	reply(&old, DISK_DONE, 0, 0);
	assert_int_equal(queue_count, 1);
	run();
	assert_int_equal(answer.outcome, PAXOS_GRANTED);
}

static void cancelled_claim_is_not_answered(void **state)
{
	struct err err;

	(void)state;
	place_make(1, 1);
	assert_int_equal(claim(1, "mine", LONG_MS), 0);
	place_io_cancel(place);
	assert_int_equal(place_io_look(place, soon(LONG_MS), done, &answer, &err), 0);
	run();
	assert_int_equal(answers, 1);
	assert_int_equal(answer.outcome, PAXOS_NOTHING);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(claim_lies_in_the_places_of_its_lock),
		TEST(known_answer_waits_for_the_loop),
		TEST(nonsense_is_not_claimed),
		TEST(refused_requests_are_failures),
		TEST(late_write_keeps_the_disk),
		TEST(answer_for_a_former_life_is_ignored),
		TEST(cancelled_claim_is_not_answered),
	};

	return cmocka_run_group_tests_name("place_io", tests, NULL, NULL);
}
