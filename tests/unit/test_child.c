/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: host base pkg:cmocka
 *
 * test_child.c - children as they are: what they get, what is kept of what they say, how they end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/child.h"
#include "host/clock.h"

struct outcome {
	int calls;
	struct child_result result;
	char out[4096], err[4096];
};

static void child_ended(void *arg, const struct child_result *result)
{
	struct outcome *outcome = arg;

	outcome->calls++;
	outcome->result = *result;
	snprintf(outcome->out, sizeof outcome->out, "%s", result->out);
	snprintf(outcome->err, sizeof outcome->err, "%s", result->err);
}

static struct outcome shell_with(const char *script, const char *input, mono_t deadline)
{
	const char *args[] = { "-c", script, NULL };
	struct child_spec spec = {
		.path = "/bin/sh",
		.args = args,
		.input = input,
		.input_bytes = input ? strlen(input) : 0,
		.output_max = 1000,
		.deadline = deadline,
	};
	struct outcome outcome = { 0 };
	struct child_host host;
	struct err err = { 0 };
	uv_loop_t loop;

	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(child_host_init(&host, &loop, &err), 0);
	assert_non_null(child_start(&host, &spec, child_ended, &outcome, &err));
	assert_int_equal(outcome.calls, 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(outcome.calls, 1);
	child_host_end(&host);
	assert_int_equal(uv_loop_close(&loop), 0);
	return outcome;
}

static struct outcome shell(const char *script, const char *input)
{
	return shell_with(script, input, MONO_NEVER);
}

/* Is anything of a process group alive (zombies are not)? */
static int group_is_alive(long group)
{
	char command[128];

	snprintf(command, sizeof command,
		 "ps -e -o pgid=,stat= | awk '$1 == %ld && $2 !~ /^Z/ { n++ } END { exit !n }'",
		 group);
	return system(command) == 0;
}

static void group_must_end(long group)
{
	mono_t until = mono_add_ms(clock_now(), 20000);

	assert_true(group > 1);
	while (group_is_alive(group)) {
		if (mono_reached(clock_now(), until))
			fail_msg("group %ld is still alive", group);
		clock_sleep_until(mono_add_ms(clock_now(), 10));
	}
}

static void input_and_output(void **state)
{
	struct outcome o = shell("cat; echo to-err >&2; exit 7", "key=value\nx=y\n");

	(void)state;
	assert_int_equal(o.result.exit_status, 7);
	assert_int_equal(o.result.term_signal, 0);
	assert_string_equal(o.out, "key=value\nx=y\n");
	assert_string_equal(o.err, "to-err\n");
	assert_false(o.result.timed_out);
}

static void input_is_not_read(void **state)
{
	/* More than a pipe holds; nobody reads it. */
	size_t bytes = 1 << 20;
	char *input = malloc(bytes + 1);
	struct outcome o;

	(void)state;
	memset(input, 'x', bytes);
	input[bytes] = '\0';
	o = shell("exit 0", input);
	assert_int_equal(o.result.exit_status, 0);
	o = shell("wc -c", input);
	assert_int_equal(strtol(o.out, NULL, 10), 1 << 20);
	free(input);
}

static void output_is_bounded(void **state)
{
	struct outcome o = shell("head -c 3000000 /dev/zero | tr '\\0' x; "
				 "head -c 70000 /dev/zero | tr '\\0' y >&2",
				 NULL);

	(void)state;
	assert_int_equal(o.result.exit_status, 0);
	assert_int_equal(o.result.out_bytes, 1000);
	assert_int_equal(o.result.out_dropped, 3000000 - 1000);
	assert_int_equal(o.result.err_bytes, 1000);
	assert_int_equal(o.result.err_dropped, 70000 - 1000);
}

static void surroundings_are_bare(void **state)
{
	struct outcome o;
	int leak;

	(void)state;
	setenv("HOLDFAST_TEST_CHILD", "kept", 1);
	setenv("SECRET_TEST_CHILD", "not kept", 1);
	setenv("LANG", "de_DE.UTF-8", 1);
	leak = open("/dev/null", O_RDONLY);
	assert_true(leak > 2);
	o = shell("env | cut -d= -f1 | grep -v -e ^PWD -e ^_ -e ^SHLVL -e ^OLDPWD | "
		  "grep -v -e ^HOLDFAST_B | sort; echo \"$LANG $HOLDFAST_TEST_CHILD $PWD\"; "
		  /* Not by a pipeline, whose own ends would be seen now and then. */
		  "for f in /proc/$$/fd/*; do [ -e $f ] && printf '%s ' ${f##*/}; done",
		  NULL);
	close(leak);
	/* The shell's own copies (10, 255) are above what it was given. */
	assert_non_null(strstr(o.out, "HOLDFAST_TEST_CHILD\nLANG\nPATH\nC kept /\n0 1 2 "));
	assert_null(strstr(o.out, "SECRET"));
	assert_null(strstr(o.out, " 3 "));
	unsetenv("HOLDFAST_TEST_CHILD");
	unsetenv("SECRET_TEST_CHILD");
}

static void own_session_and_group(void **state)
{
	struct outcome o = shell("ps -o pid=,pgid=,sid= -p $$", NULL);
	char *rest = o.out;
	long pid = strtol(rest, &rest, 10);
	long group = strtol(rest, &rest, 10);
	long session = strtol(rest, &rest, 10);

	(void)state;
	assert_true(pid > 0);
	assert_int_equal(pid, group);
	assert_int_equal(pid, session);
}

static void signals_have_their_defaults(void **state)
{
	struct outcome o = shell("kill -PIPE $$; sleep 100", NULL);

	(void)state;
	assert_int_equal(o.result.term_signal, SIGPIPE);
	assert_int_equal(o.result.exit_status, -1);
}

static void hanging_child_is_ended(void **state)
{
	struct outcome o = shell_with("echo $$; sleep 1000", NULL, mono_add_ms(clock_now(), 100));

	(void)state;
	assert_true(o.result.timed_out);
	assert_int_equal(o.result.term_signal, SIGTERM);
	group_must_end(strtol(o.out, NULL, 10));
}

static void deaf_child_is_killed(void **state)
{
	struct outcome o = shell_with("trap '' TERM; echo $$; while :; do sleep 1000; done", NULL,
				      mono_add_ms(clock_now(), 300));

	(void)state;
	assert_true(o.result.timed_out);
	assert_int_equal(o.result.term_signal, SIGKILL);
	group_must_end(strtol(o.out, NULL, 10));
}

static void stray_is_not_waited_for(void **state)
{
	struct outcome o = shell("echo $$; sleep 1000 & echo last words", NULL);

	(void)state;
	assert_int_equal(o.result.exit_status, 0);
	assert_non_null(strstr(o.out, "last words"));
	group_must_end(strtol(o.out, NULL, 10));
}

static void program_that_is_not_there(void **state)
{
	struct outcome outcome = { 0 };
	struct child_host host;
	struct err err = { 0 };
	uv_loop_t loop;

	(void)state;
	uv_loop_init(&loop);
	child_host_init(&host, &loop, &err);
	assert_null(child_start(&host,
				&(struct child_spec){ .path = "/no/such/program",
						      .input = "secret",
						      .input_bytes = 6,
						      .deadline = MONO_NEVER },
				child_ended, &outcome, &err));
	assert_int_equal(err.rc, RC_INTERNAL);
	assert_non_null(strstr(err.text, "/no/such/program"));
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(outcome.calls, 0);
	child_host_end(&host);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static size_t open_descriptors(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void nothing_is_left_open(void **state)
{
	size_t before;

	(void)state;
	/* libuv keeps a few descriptors for its signal handling, from its first use on. */
	shell("exit 0", NULL);
	before = open_descriptors();
	for (int i = 0; i < 20; i++)
		shell("cat", "x");
	assert_int_equal(open_descriptors(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(input_and_output),
		cmocka_unit_test(input_is_not_read),
		cmocka_unit_test(output_is_bounded),
		cmocka_unit_test(surroundings_are_bare),
		cmocka_unit_test(own_session_and_group),
		cmocka_unit_test(signals_have_their_defaults),
		cmocka_unit_test(hanging_child_is_ended),
		cmocka_unit_test(deaf_child_is_killed),
		cmocka_unit_test(stray_is_not_waited_for),
		cmocka_unit_test(program_that_is_not_there),
		cmocka_unit_test(nothing_is_left_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
