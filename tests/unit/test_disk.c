/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: disk host base tests/unit/disk_world.c pkg:cmocka
 *
 * test_disk.c - queue, deadlines and late answers of a disk, with a device that hangs at will (S7).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "tests/unit/disk_world.h"

enum { SECTORS = 256, LOG_MAX = 4096 };

/* ---- the device ---- */

struct logged {
	enum disk_op op;
	uint64_t sector;
	mono_t begun_at;
};

/* One at a time; guarded by `lock`. What is not reset by fake_reset() stays for the workers that the
 * test before left behind. */
static struct fake {
	pthread_mutex_t lock;
	pthread_cond_t change;
	int is_shut;	      /* exec() waits as long as it is */
	int is_open_shut;     /* open() does */
	int is_interruptible; /* exec() gives up when it is told to */
	int open_rc, exec_rc, reinstate_rc;
	int is_reinstate_shut;
	unsigned opens, closes, reinstates, inside;
	unsigned random_us; /* a job takes up to so long */
	unsigned seed;
	struct logged log[LOG_MAX];
	size_t count;
	struct disk_wake *wake;
	uint8_t medium[SECTORS][512];
} fake = { .lock = PTHREAD_MUTEX_INITIALIZER, .change = PTHREAD_COND_INITIALIZER };

static void fake_set(int *what, int value)
{
	pthread_mutex_lock(&fake.lock);
	*what = value;
	pthread_cond_broadcast(&fake.change);
	pthread_mutex_unlock(&fake.lock);
}

static unsigned fake_get(const unsigned *what)
{
	unsigned value;

	pthread_mutex_lock(&fake.lock);
	value = *what;
	pthread_mutex_unlock(&fake.lock);
	return value;
}

static size_t fake_count(void)
{
	size_t count;

	pthread_mutex_lock(&fake.lock);
	count = fake.count;
	pthread_mutex_unlock(&fake.lock);
	return count;
}

static int fake_open(const struct disk_place *place, mono_t deadline, struct disk_facts *facts,
		     void **backend, struct err *err)
{
	int rc;

	(void)deadline;
	pthread_mutex_lock(&fake.lock);
	fake.wake = place->wake;
	fake.opens++;
	while (fake.is_open_shut)
		pthread_cond_wait(&fake.change, &fake.lock);
	rc = fake.open_rc;
	pthread_mutex_unlock(&fake.lock);
	if (rc != 0)
		return err_set(err, rc, NULL, "%s: told to fail", place->name);
	facts->sector_bytes = 512;
	facts->sectors = SECTORS;
	facts->has_scsi = 1;
	snprintf(facts->id, sizeof facts->id, "fake.1");
	*backend = &fake;
	return 0;
}

/* Wait at the gate, with the lock held. Returns 0 when told to give up. */
static int fake_pass(const int *is_shut)
{
	while (*is_shut) {
		if (fake.is_interruptible && atomic_load(&fake.wake->is_interrupted))
			return 0;
		if (!fake.is_interruptible) {
			pthread_cond_wait(&fake.change, &fake.lock);
			continue;
		}
		pthread_mutex_unlock(&fake.lock);
		disk_wait(fake.wake, -1, 0, in_ms(1));
		pthread_mutex_lock(&fake.lock);
	}
	return 1;
}

static void fake_exec(void *backend, const struct disk_job *job, struct disk_result *result)
{
	unsigned delay_us;

	(void)backend;
	pthread_mutex_lock(&fake.lock);
	assert(fake.count < LOG_MAX);
	assert(fake.inside++ == 0);
	result->submitted_at = clock_now();
	fake.log[fake.count++] = (struct logged){ job->op, job->sector, result->submitted_at };
	delay_us = fake.random_us ? (unsigned)rand_r(&fake.seed) % fake.random_us : 0;
	if (!fake_pass(&fake.is_shut)) {
		disk_result_fail(result, RC_UNREACHABLE, NULL, "fake: given up");
		result->is_outstanding = 1;
	} else if (fake.exec_rc != 0) {
		disk_result_fail(result, fake.exec_rc, NULL, "fake: told to fail");
	}
	if (delay_us) {
		pthread_mutex_unlock(&fake.lock);
		clock_sleep_until((mono_t){ clock_now().ns + (int64_t)delay_us * 1000 });
		pthread_mutex_lock(&fake.lock);
	}
	if (result->rc == 0 && job->op == DISK_WRITE)
		memcpy(fake.medium[job->sector], job->data, job->bytes);
	if (result->rc == 0 && job->op == DISK_READ) {
		memcpy(job->data, fake.medium[job->sector], job->bytes);
		result->bytes = job->bytes;
	}
	fake.inside--;
	pthread_mutex_unlock(&fake.lock);
}

static int fake_reinstate(void *backend, mono_t deadline, struct err *err)
{
	int rc;

	(void)backend;
	(void)deadline;
	pthread_mutex_lock(&fake.lock);
	fake.reinstates++;
	while (fake.is_reinstate_shut)
		pthread_cond_wait(&fake.change, &fake.lock);
	rc = fake.reinstate_rc;
	pthread_mutex_unlock(&fake.lock);
	return rc ? err_set(err, rc, NULL, "fake: told to fail") : 0;
}

static void fake_close(void *backend)
{
	(void)backend;
	pthread_mutex_lock(&fake.lock);
	fake.closes++;
	pthread_cond_broadcast(&fake.change);
	pthread_mutex_unlock(&fake.lock);
}

static const struct disk_backend_ops fake_ops = {
	.open = fake_open,
	.exec = fake_exec,
	.reinstate = fake_reinstate,
	.close = fake_close,
};

/* Every worker that was opened is to be gone, also those that were left behind. */
static void await_workers(void)
{
	mono_t give_up = in_ms(WAIT_MS);

	while (fake_get(&fake.closes) < fake_get(&fake.opens)) {
		assert_true(mono_before(clock_now(), give_up));
		clock_sleep_until(in_ms(1));
	}
}

static int fake_reset(void **state)
{
	(void)state;
	pthread_mutex_lock(&fake.lock);
	fake.is_shut = fake.is_open_shut = fake.is_interruptible = fake.is_reinstate_shut = 0;
	fake.open_rc = fake.exec_rc = fake.reinstate_rc = 0;
	fake.opens = fake.closes = fake.reinstates = fake.random_us = 0;
	fake.count = 0;
	memset(fake.medium, 0, sizeof fake.medium);
	pthread_mutex_unlock(&fake.lock);
	return 0;
}

static void await_exec(size_t count)
{
	mono_t give_up = in_ms(WAIT_MS);

	while (fake_count() < count) {
		assert_true(mono_before(clock_now(), give_up));
		clock_sleep_until(in_ms(1));
	}
}

/* ---- requests ---- */

static void world_start(struct disk_world *world)
{
	world_init(world);
	assert_int_equal(world_open_backend(world, &fake_ops), 0);
}

static int submit(struct disk_world *world, uint64_t token, enum disk_op op, uint64_t sector,
		  mono_t deadline)
{
	uint8_t data[512];
	const struct disk_request request = { .token = token,
					      .op = op,
					      .deadline = deadline,
					      .sector = sector,
					      .bytes = op == DISK_FLUSH ? 0 : 512,
					      .data = data };
	struct err err = { 0 };
	int rc;

	memset(data, (int)(token & 0xff), sizeof data);
	rc = disk_submit(world->disk, &request, &err);
	/* It must have been copied. */
	memset(data, 0xee, sizeof data);
	assert_int_equal(err.rc, rc);
	return rc;
}

static void expect(const struct disk_world *world, size_t i, enum disk_answer_kind kind,
		   uint64_t token, int rc)
{
	const struct disk_answer *answer = &world_told(world, i)->answer;

	assert_int_equal(answer->kind, kind);
	assert_int_equal(answer->token, token);
	assert_int_equal(answer->rc, rc);
}

/* A first request that is with the device when its deadline passes, on however slow a machine. The
 * loop need not have turned. Returns the deadline. */
static mono_t submit_stuck(struct disk_world *world, uint64_t token, enum disk_op op,
			   uint64_t sector)
{
	for (int64_t ms = 20; ms < WAIT_MS; ms *= 2) {
		mono_t deadline = in_ms(ms);

		world->count = 0;
		assert_int_equal(submit(world, token, op, sector, deadline), 0);
		while (fake_count() == 0 && mono_before(clock_now(), deadline))
			clock_sleep_until(in_ms(1));
		if (fake_count() == 1)
			return deadline;
		world_await(world, 1);
		if (fake_count() == 1)
			return deadline;
	}
	fail_msg("the worker never runs");
	return MONO_NEVER;
}

/* ---- tests ---- */

static void test_in_order(void **state)
{
	struct disk_world world;

	(void)state;
	world_start(&world);
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(submit(&world, i, DISK_WRITE, i % 3, MONO_NEVER), 0);
	for (uint64_t i = 10; i < 13; i++)
		assert_int_equal(submit(&world, i, DISK_READ, i - 10, MONO_NEVER), 0);
	/* No handler is called out of disk_submit(). */
	assert_int_equal(world.count, 0);
	world_await(&world, 13);
	for (size_t i = 0; i < 13; i++)
		expect(&world, i, DISK_DONE, i, 0);
	assert_int_equal(world_told(&world, 10)->data[0], 9);
	assert_int_equal(world_told(&world, 11)->data[511], 7);
	assert_int_equal(world_told(&world, 12)->data[0], 8);
	world_end(&world);
	await_workers();
}

static void test_queue_is_bounded(void **state)
{
	struct disk_world world;

	(void)state;
	fake_set(&fake.is_shut, 1);
	world_start(&world);
	for (uint64_t i = 0; i < DISK_QUEUE_MAX; i++)
		assert_int_equal(submit(&world, i, DISK_WRITE, i, MONO_NEVER), 0);
	assert_int_equal(submit(&world, 99, DISK_WRITE, 0, MONO_NEVER), RC_BUSY);
	fake_set(&fake.is_shut, 0);
	world_await(&world, DISK_QUEUE_MAX);
	assert_int_equal(submit(&world, 100, DISK_WRITE, 0, MONO_NEVER), 0);
	world_await(&world, DISK_QUEUE_MAX + 1);
	world_end(&world);
	await_workers();
}

/* The heart of S7: told in time, still outstanding, nothing passes it, told again when it is over. */
static void test_stuck_then_late(void **state)
{
	struct disk_world world;
	const struct told *told;

	(void)state;
	fake_set(&fake.is_shut, 1);
	world_start(&world);
	submit_stuck(&world, 1, DISK_WRITE, 5);
	assert_int_equal(submit(&world, 2, DISK_WRITE, 6, in_ms(20)), 0);
	assert_int_equal(submit(&world, 3, DISK_WRITE, 7, MONO_NEVER), 0);
	world_await(&world, 2);
	expect(&world, 0, DISK_DONE, 1, RC_TIMEOUT);
	told = world_told(&world, 0);
	assert_true(told->answer.is_outstanding);
	assert_false(mono_is_never(told->answer.submitted_at));
	assert_false(mono_before(fake.log[0].begun_at, told->answer.submitted_at));
	expect(&world, 1, DISK_DONE, 2, RC_TIMEOUT);
	told = world_told(&world, 1);
	assert_false(told->answer.is_outstanding);
	assert_true(mono_is_never(told->answer.submitted_at));
	assert_int_equal(fake_count(), 1);
	fake_set(&fake.is_shut, 0);
	world_await(&world, 4);
	expect(&world, 2, DISK_LATE, 1, 0);
	assert_false(world_told(&world, 2)->answer.is_outstanding);
	expect(&world, 3, DISK_DONE, 3, 0);
	/* The second never reached the device, the first did. */
	assert_int_equal(fake_count(), 2);
	assert_int_equal(fake.medium[5][0], 1);
	assert_int_equal(fake.medium[6][0], 0);
	world_end(&world);
	await_workers();
}

static void test_late_read_brings_its_data(void **state)
{
	struct disk_world world;

	(void)state;
	memset(fake.medium[9], 0x5a, 512);
	fake_set(&fake.is_shut, 1);
	world_start(&world);
	submit_stuck(&world, 1, DISK_READ, 9);
	world_await(&world, 1);
	expect(&world, 0, DISK_DONE, 1, RC_TIMEOUT);
	assert_null(world_told(&world, 0)->answer.data);
	/* Its buffer is its own: others may come and go in between. */
	for (uint64_t i = 0; i < DISK_QUEUE_MAX; i++)
		assert_int_equal(submit(&world, 10 + i, DISK_WRITE, i, in_ms(5)), 0);
	world_await(&world, 1 + DISK_QUEUE_MAX);
	for (uint64_t i = 0; i < DISK_QUEUE_MAX; i++)
		assert_int_equal(submit(&world, 50 + i, DISK_WRITE, i, MONO_NEVER), 0);
	fake_set(&fake.is_shut, 0);
	world_await(&world, 2 + 2 * DISK_QUEUE_MAX);
	expect(&world, 1 + DISK_QUEUE_MAX, DISK_LATE, 1, 0);
	assert_int_equal(world_told(&world, 1 + DISK_QUEUE_MAX)->answer.bytes, 512);
	assert_int_equal(world_told(&world, 1 + DISK_QUEUE_MAX)->data[100], 0x5a);
	world_end(&world);
	await_workers();
}

/* A loop that slept too long says what a loop in time would have said (S6). */
static void test_slow_loop_says_the_same(void **state)
{
	struct disk_world world;
	mono_t deadline;

	(void)state;
	fake_set(&fake.is_shut, 1);
	world_start(&world);
	deadline = submit_stuck(&world, 1, DISK_WRITE, 1);
	assert_int_equal(submit(&world, 2, DISK_WRITE, 2, deadline), 0);
	assert_int_equal(submit(&world, 3, DISK_FLUSH, 0, MONO_NEVER), 0);
	clock_sleep_until(mono_add_ms(deadline, 1));
	fake_set(&fake.is_shut, 0);
	await_exec(2);
	world_await(&world, 4);
	expect(&world, 0, DISK_DONE, 1, RC_TIMEOUT);
	assert_true(world_told(&world, 0)->answer.is_outstanding);
	expect(&world, 1, DISK_LATE, 1, 0);
	expect(&world, 2, DISK_DONE, 2, RC_TIMEOUT);
	assert_false(world_told(&world, 2)->answer.is_outstanding);
	expect(&world, 3, DISK_DONE, 3, 0);
	assert_int_equal(fake.log[1].op, DISK_FLUSH);
	world_end(&world);
	await_workers();
}

static void test_deadline_that_has_passed(void **state)
{
	struct disk_world world;

	(void)state;
	world_start(&world);
	assert_int_equal(submit(&world, 1, DISK_WRITE, 1, clock_now()), 0);
	assert_int_equal(submit(&world, 2, DISK_WRITE, 2, (mono_t){ 0 }), 0);
	assert_int_equal(world.count, 0);
	world_await(&world, 2);
	expect(&world, 0, DISK_DONE, 1, RC_TIMEOUT);
	expect(&world, 1, DISK_DONE, 2, RC_TIMEOUT);
	assert_true(mono_is_never(world_told(&world, 0)->answer.submitted_at));
	assert_int_equal(fake_count(), 0);
	world_end(&world);
	await_workers();
}

static void test_failure_is_passed_on(void **state)
{
	struct disk_world world;

	(void)state;
	fake_set(&fake.exec_rc, RC_PROTOCOL);
	world_start(&world);
	assert_int_equal(submit(&world, 1, DISK_READ, 1, MONO_NEVER), 0);
	world_await(&world, 1);
	expect(&world, 0, DISK_DONE, 1, RC_PROTOCOL);
	assert_string_equal(world_told(&world, 0)->err.text, "fake: told to fail");
	assert_null(world_told(&world, 0)->answer.data);
	world_end(&world);
	await_workers();
}

static void test_close_with_stuck_worker(void **state)
{
	struct disk_world world;

	(void)state;
	fake_set(&fake.is_shut, 1);
	world_start(&world);
	assert_int_equal(submit(&world, 1, DISK_WRITE, 1, MONO_NEVER), 0);
	await_exec(1);
	for (uint64_t i = 2; i < 6; i++)
		assert_int_equal(submit(&world, i, DISK_WRITE, i, MONO_NEVER), 0);
	disk_close(world.disk);
	world.disk = NULL;
	/* At once, in order, all of them; the first may still land. */
	assert_int_equal(world.count, 5);
	for (uint64_t i = 1; i < 6; i++) {
		expect(&world, i - 1, DISK_DONE, i, RC_CANCELLED);
		assert_int_equal(world_told(&world, i - 1)->answer.is_outstanding, i == 1);
	}
	/* The loop ends although the worker does not. */
	world_end(&world);
	assert_int_equal(fake_get(&fake.closes), 0);
	fake_set(&fake.is_shut, 0);
	await_workers();
	/* It landed, and nothing behind it. */
	assert_int_equal(fake_count(), 1);
	assert_int_equal(fake.medium[1][0], 1);
}

static void test_close_tells_what_is_known(void **state)
{
	struct disk_world world;
	mono_t give_up = in_ms(WAIT_MS);

	(void)state;
	world_start(&world);
	assert_int_equal(submit(&world, 1, DISK_WRITE, 1, MONO_NEVER), 0);
	assert_int_equal(submit(&world, 2, DISK_WRITE, 2, MONO_NEVER), 0);
	await_exec(2);
	while (fake_get(&fake.inside) > 0)
		assert_true(mono_before(clock_now(), give_up));
	disk_close(world.disk);
	world.disk = NULL;
	assert_int_equal(world.count, 2);
	expect(&world, 0, DISK_DONE, 1, 0);
	world_end(&world);
	await_workers();
}

static void close_it(struct disk_world *world, const struct disk_answer *answer)
{
	if (answer->token != 1)
		return;
	disk_close(world->disk);
	assert_int_equal(submit(world, 77, DISK_WRITE, 1, MONO_NEVER), RC_CANCELLED);
	world->disk = NULL;
}

static void test_close_in_handler(void **state)
{
	struct disk_world world;

	(void)state;
	world_start(&world);
	world.react = close_it;
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(submit(&world, i, DISK_WRITE, i, MONO_NEVER), 0);
	world_await(&world, 4);
	expect(&world, 0, DISK_DONE, 0, 0);
	expect(&world, 1, DISK_DONE, 1, 0);
	for (size_t i = 2; i < 4; i++)
		assert_int_equal(world_told(&world, i)->answer.token, i);
	world_end(&world);
	await_workers();
}

static void submit_more(struct disk_world *world, const struct disk_answer *answer)
{
	if (answer->token < 100)
		assert_int_equal(
			submit(world, answer->token + 1, DISK_READ, answer->token, MONO_NEVER), 0);
}

static void test_submit_in_handler(void **state)
{
	struct disk_world world;

	(void)state;
	world_start(&world);
	world.react = submit_more;
	assert_int_equal(submit(&world, 0, DISK_READ, 0, MONO_NEVER), 0);
	world_await(&world, 101);
	for (size_t i = 0; i <= 100; i++)
		expect(&world, i, DISK_DONE, i, 0);
	world_end(&world);
	await_workers();
}

/* ---- opening ---- */

static void test_open_fails(void **state)
{
	struct disk_world world;

	(void)state;
	fake_set(&fake.open_rc, RC_AUTH);
	world_init(&world);
	assert_int_equal(world_open_backend(&world, &fake_ops), RC_AUTH);
	assert_null(world.disk);
	world_end(&world);
	assert_int_equal(fake_get(&fake.closes), 0);
}

static void nobody(struct disk *disk, const struct disk_answer *answer, void *context)
{
	(void)disk;
	(void)answer;
	(void)context;
	fail();
}

static void test_open_hangs(void **state)
{
	const struct disk_options options = { .open_timeout_ms = 30 };
	struct disk *disk = NULL;
	struct err err = { 0 };
	uv_loop_t loop;

	(void)state;
	uv_loop_init(&loop);
	fake_set(&fake.is_open_shut, 1);
	assert_int_equal(disk_open_backend(&loop, "fake", "fake", &options, &fake_ops, nobody, NULL,
					   &disk, &err),
			 RC_TIMEOUT);
	assert_null(disk);
	assert_int_equal(uv_loop_close(&loop), 0);
	/* It opens after all, when nobody wants it any more: then it is closed. */
	fake_set(&fake.is_open_shut, 0);
	await_workers();
}

/* ---- starting anew ---- */

static void test_reinstate(void **state)
{
	struct disk_world world;
	struct err err = { 0 };
	mono_t give_up = in_ms(WAIT_MS);

	(void)state;
	fake_set(&fake.is_shut, 1);
	fake_set(&fake.is_interruptible, 1);
	fake_set(&fake.is_reinstate_shut, 1);
	world_start(&world);
	submit_stuck(&world, 1, DISK_WRITE, 1);
	assert_int_equal(submit(&world, 2, DISK_WRITE, 2, MONO_NEVER), 0);
	world_await(&world, 1);
	expect(&world, 0, DISK_DONE, 1, RC_TIMEOUT);
	assert_int_equal(disk_reinstate(world.disk, &err), 0);
	assert_int_equal(disk_reinstate(world.disk, &err), RC_BUSY);
	assert_int_equal(submit(&world, 3, DISK_WRITE, 3, MONO_NEVER), 0);
	world_await(&world, 2);
	expect(&world, 1, DISK_DONE, 2, RC_UNREACHABLE);
	assert_true(mono_is_never(world_told(&world, 1)->answer.submitted_at));
	assert_false(world_told(&world, 1)->answer.is_outstanding);
	/* As long as the login lasts, the old write may land: nothing is said of it yet. */
	while (fake_get(&fake.reinstates) == 0)
		assert_true(mono_before(clock_now(), give_up));
	fake_set(&fake.is_shut, 0);
	world_turn(&world);
	assert_int_equal(world.count, 2);
	fake_set(&fake.is_reinstate_shut, 0);
	world_await(&world, 4);
	expect(&world, 2, DISK_LATE, 1, RC_UNREACHABLE);
	expect(&world, 3, DISK_DONE, 3, 0);
	assert_int_equal(fake_get(&fake.reinstates), 1);
	world_end(&world);
	await_workers();
}

static void test_session_breaks(void **state)
{
	struct disk_world world;
	struct err err = { 0 };

	(void)state;
	fake_set(&fake.is_shut, 1);
	fake_set(&fake.is_interruptible, 1);
	world_start(&world);
	assert_int_equal(submit(&world, 1, DISK_WRITE, 1, MONO_NEVER), 0);
	await_exec(1);
	fake_set(&fake.reinstate_rc, RC_TIMEOUT);
	assert_int_equal(disk_reinstate(world.disk, &err), 0);
	world_await(&world, 1);
	expect(&world, 0, DISK_DONE, 1, RC_UNREACHABLE);
	assert_true(world_told(&world, 0)->answer.is_outstanding);
	/* A login that fails settles nothing. */
	fake_set(&fake.is_shut, 0);
	assert_int_equal(submit(&world, 2, DISK_FLUSH, 0, MONO_NEVER), 0);
	world_await(&world, 2);
	expect(&world, 1, DISK_DONE, 2, 0);
	fake_set(&fake.reinstate_rc, 0);
	assert_int_equal(disk_reinstate(world.disk, &err), 0);
	world_await(&world, 3);
	expect(&world, 2, DISK_LATE, 1, RC_UNREACHABLE);
	world_end(&world);
	await_workers();
}

/* ---- at random ---- */

struct track {
	int is_accepted, dones, lates, is_outstanding, is_never;
	mono_t deadline;
};

static void check_tracks(const struct disk_world *world, struct track *tracks, size_t count,
			 int is_closed)
{
	for (size_t i = 0; i < world->count; i++) {
		const struct disk_answer *answer = &world_told(world, i)->answer;
		struct track *track = &tracks[answer->token];

		assert_true(answer->token < count && track->is_accepted);
		if (answer->kind == DISK_LATE) {
			assert_true(track->is_outstanding);
			assert_int_equal(track->lates++, 0);
			continue;
		}
		assert_int_equal(track->dones++, 0);
		track->is_outstanding = answer->is_outstanding;
		if (answer->rc == 0) /* in time, or not good */
			assert_false(mono_before(track->deadline, answer->ended_at));
		if (answer->rc == RC_TIMEOUT)
			assert_true(mono_reached(answer->ended_at, track->deadline));
		track->is_never = !answer->is_outstanding && mono_is_never(answer->submitted_at);
	}
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(tracks[i].dones, tracks[i].is_accepted);
		if (!is_closed)
			assert_int_equal(tracks[i].lates, tracks[i].is_outstanding);
	}
}

/* One after the other, each once, in the order of submission, and none that was said never to have
 * got that far. */
static void check_log(const struct track *tracks)
{
	for (size_t i = 0; i < fake.count; i++) {
		assert_false(tracks[fake.log[i].sector].is_never);
		if (i > 0)
			assert_true(fake.log[i - 1].sector < fake.log[i].sector);
	}
}

/* Requests with short deadlines against a device that takes about as long. The sector counts the
 * requests, so that the device's log shows which they were. */
static void random_run(unsigned seed)
{
	static struct track tracks[SECTORS];
	struct disk_world world;
	size_t submitted = 0;
	int is_cut = rand_r(&seed) % 2;

	memset(tracks, 0, sizeof tracks);
	fake_reset(NULL);
	fake.random_us = 3000;
	fake.seed = seed;
	world_start(&world);
	for (size_t i = 0; i < 60; i++) {
		for (int burst = rand_r(&seed) % 5; burst > 0 && submitted < SECTORS - 1; burst--) {
			struct track *track = &tracks[submitted];

			track->deadline = in_ms(rand_r(&seed) % 8);
			track->is_accepted = submit(&world, submitted, DISK_WRITE, submitted,
						    track->deadline) == 0;
			submitted++;
		}
		if (rand_r(&seed) % 3 == 0) /* a loop with other things to do */
			clock_sleep_until(in_ms(rand_r(&seed) % 6));
		world_turn(&world);
	}
	if (!is_cut) {
		size_t awaited = 0;

		for (size_t i = 0; i < submitted; i++)
			awaited += (size_t)tracks[i].is_accepted;
		world_await(&world, awaited);
		/* The last of them may be late. */
		assert_int_equal(submit(&world, SECTORS - 1, DISK_WRITE, SECTORS - 1, MONO_NEVER),
				 0);
		tracks[SECTORS - 1] = (struct track){ .is_accepted = 1, .deadline = MONO_NEVER };
		while (world_told(&world, world.count - 1)->answer.token != SECTORS - 1)
			world_await(&world, world.count + 1);
	}
	disk_close(world.disk);
	world.disk = NULL;
	check_tracks(&world, tracks, SECTORS, is_cut);
	world_end(&world);
	await_workers();
	check_log(tracks);
}

static void test_random(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++)
		random_run(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_in_order, fake_reset),
		cmocka_unit_test_setup(test_queue_is_bounded, fake_reset),
		cmocka_unit_test_setup(test_stuck_then_late, fake_reset),
		cmocka_unit_test_setup(test_late_read_brings_its_data, fake_reset),
		cmocka_unit_test_setup(test_slow_loop_says_the_same, fake_reset),
		cmocka_unit_test_setup(test_deadline_that_has_passed, fake_reset),
		cmocka_unit_test_setup(test_failure_is_passed_on, fake_reset),
		cmocka_unit_test_setup(test_close_with_stuck_worker, fake_reset),
		cmocka_unit_test_setup(test_close_tells_what_is_known, fake_reset),
		cmocka_unit_test_setup(test_close_in_handler, fake_reset),
		cmocka_unit_test_setup(test_submit_in_handler, fake_reset),
		cmocka_unit_test_setup(test_open_fails, fake_reset),
		cmocka_unit_test_setup(test_open_hangs, fake_reset),
		cmocka_unit_test_setup(test_reinstate, fake_reset),
		cmocka_unit_test_setup(test_session_breaks, fake_reset),
		cmocka_unit_test_setup(test_random, fake_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
