/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_lockd_submit.c - who may ask a disk how much: parts are refused before the heartbeat is.
 *
 * LINK: diskhb disk host base lockd/lockd_disks_io.c pkg:jansson
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "diskhb/super_wire.h"
#include "host/clock.h"
#include "lockd/lockd_disks_io.h"
#include "lockd/lockd_heart_io.h"

enum { LOCKS_MOST = 8, PARTS_MOST = 12, LONG_MS = 30000, FILE_BYTES = 4 << 20 };

static struct lockd lockd;
static unsigned answers;
static char path[] = "/tmp/test_lockd_submit.XXXXXX";

void lockd_answered(struct lockd *of, unsigned d, const struct disk_answer *answer)
{
	(void)of, (void)d;
	assert_int_equal(answer->rc, 0);
	answers++;
}

void lockd_path(struct lockd *of, unsigned d, enum lockd_path what)
{
	(void)of, (void)d, (void)what;
}

void lockd_say(struct lockd *of, enum lockd_weight weight, const char *fmt, ...)
{
	(void)of, (void)weight, (void)fmt;
}

static int ask(uint64_t bit)
{
	const struct disk_request request = { .token = bit | 1,
					      .op = DISK_READ,
					      .bytes = 512,
					      .deadline = mono_add_ms(clock_now(), LONG_MS) };
	struct err err;

	/* The heartbeat does not go through lockd_submit(). */
	if (bit == HB_IO_TOKEN_BIT)
		return disk_submit(lockd.disks[0].disk, &request, &err);
	return lockd_submit(&lockd, 0, &request, &err);
}

/* No answer is heard of before the loop turns: everything is under way at once. */
static void parts_leave_room(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		unsigned asked = 0;

		answers = 0;
		for (; asked < LOCKS_MOST; asked++)
			assert_int_equal(ask(LOCKD_TOKEN_LOCKS), 0);
		assert_int_equal(ask(LOCKD_TOKEN_LOCKS), RC_BUSY);
		for (; asked < PARTS_MOST; asked++)
			assert_int_equal(ask(asked % 2 ? LOCKD_TOKEN_PR : LOCKD_TOKEN_ARBITER), 0);
		assert_int_equal(ask(LOCKD_TOKEN_LOCKS), RC_BUSY);
		assert_int_equal(ask(LOCKD_TOKEN_PR), RC_BUSY);
		assert_int_equal(ask(LOCKD_TOKEN_ARBITER), RC_BUSY);
		for (; asked < DISK_QUEUE_MAX; asked++)
			assert_int_equal(ask(HB_IO_TOKEN_BIT), 0);
		while (answers < asked)
			uv_run(&lockd.loop, UV_RUN_ONCE);
	}
}

static int begin(void **state)
{
	static uint8_t block[RECORD_BYTES];
	const struct super_record super = {
		.head = { .cluster = 7 },
		.cluster_name = "alpha",
		.created_by = "a",
		.disk_index = 1,
		.disks_count = 1,
		.nodes_max = 4,
		.locks_max = 4,
		.sector_bytes = 512,
		.arbiter = SUPER_ARBITER_PAXOS,
		.claim_window_ms = CLAIM_WINDOW_DEFAULT_MS,
	};
	struct err err;
	int fd = mkstemp(path), rc;

	(void)state;
	super_out(block, &super);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, FILE_BYTES), 0);
	assert_int_equal(pwrite(fd, block, sizeof block, 0), sizeof block);
	close(fd);
	assert_int_equal(uv_loop_init(&lockd.loop), 0);
	lockd.options = (struct lockd_options){
		.disks = { path }, .disks_count = 1, .node = 1, .io_timeout_ms = LONG_MS
	};
	rc = lockd_disks_open(&lockd, &err);
	unlink(path);
	if (rc)
		fail_msg("%s", err.text);
	return 0;
}

static int end(void **state)
{
	(void)state;
	lockd_disks_close(&lockd);
	uv_run(&lockd.loop, UV_RUN_DEFAULT);
	free(lockd.doors);
	return uv_loop_close(&lockd.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(parts_leave_room) };

	return cmocka_run_group_tests(tests, begin, end);
}
