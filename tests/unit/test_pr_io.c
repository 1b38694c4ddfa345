/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: lockd diskhb disk host base pkg:libuv pkg:cmocka
 *
 * test_pr_io.c - the queue of jobs of lockd/pr_io, on a disk that does not answer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/clock.h"
#include "lockd/pr_io.h"

enum { LONG_MS = 3600 * 1000, SHORT_MS = 20, BOUND_MS = 20000 };

struct outcome {
	int has_ended;
	struct pr_result result;
};

static int submit(const struct disk_request *request, void *context, struct err *err)
{
	(void)request;
	(void)context;
	(void)err;
	return 0; /* and no answer */
}

static int recover(void *context, struct err *err)
{
	(void)context;
	return err_set(err, RC_UNREACHABLE, NULL, "no session");
}

static void noted(const struct pr_action *note, void *context)
{
	(void)note;
	(void)context;
}

static void ended(const struct pr_result *result, const struct pr_core *core, void *context)
{
	struct outcome *outcome = context;

	(void)core;
	outcome->has_ended++;
	outcome->result = *result;
}

static void bound(struct uv_timer_s *timer)
{
	*(int *)timer->data = 1;
}

/* A job whose turn does not come is ended at its deadline, not when the one before it ends. */
static void test_waiting_jobs_end_at_their_deadlines(void **state)
{
	struct outcome first = { 0 }, second = { 0 }, third = { 0 };
	struct pr_io_job job = { .kind = PR_JOB_VERIFY };
	uv_loop_t loop;
	uv_timer_t timer;
	int is_over = 0;
	struct pr_io *io;
	struct err err;
	const struct pr_io_setup setup = { .loop = &loop,
					   .key = 1,
					   .io_timeout_ms = LONG_MS,
					   .submit = submit,
					   .recover = recover,
					   .noted = noted };

	(void)state;
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(pr_io_create(&setup, &io, &err), 0);
	pr_io_path(io, 0);
	job.deadline = mono_add_ms(clock_now(), LONG_MS);
	assert_int_equal(pr_io_job(io, &job, ended, &first, &err), 0);
	job.deadline = mono_add_ms(clock_now(), SHORT_MS);
	assert_int_equal(pr_io_job(io, &job, ended, &second, &err), 0);
	assert_int_equal(pr_io_job(io, &job, ended, &third, &err), 0);
	uv_timer_init(&loop, &timer);
	timer.data = &is_over;
	uv_timer_start(&timer, bound, BOUND_MS, 0);
	while (!is_over && !(second.has_ended && third.has_ended))
		uv_run(&loop, UV_RUN_ONCE);
	assert_false(is_over);
	assert_int_equal(second.result.outcome, PR_REFUSED);
	assert_int_equal(second.result.cause, PR_CAUSE_DEADLINE);
	assert_int_equal(second.has_ended + third.has_ended, 2);
	assert_false(first.has_ended);
	pr_io_free(io);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waiting_jobs_end_at_their_deadlines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
