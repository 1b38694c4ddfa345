/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_agent_options.c - the rules of agent input: names, types, quoting, repetition.
 *
 * LINK: sdk
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fence-agents/sdk/agent_internal.h"

static const char *const sides[] = { "left", "right", NULL };

static const struct fence_option options[] = {
	FENCE_STD("ip", .flags = FENCE_OPT_REQUIRED),
	FENCE_STD("ipport", .def = "623"),
	FENCE_STD("username"),
	FENCE_STD("password"),
	{ .name = "side", .type = FENCE_OPT_SELECT, .choices = sides, .desc = "A choice" },
	{ .name = "lanplus",
	  .type = FENCE_OPT_BOOL,
	  .def = "1",
	  .shortopt = 'P',
	  .desc = "A flag" },
	{ 0 },
};

static const struct fence_agent agent = {
	.abi = FENCE_AGENT_ABI,
	.name = "agent",
	.flags = FENCE_AGENT_PLUGS,
	.shortdesc = "",
	.longdesc = "",
	.options = options,
};

static int setup(void **state)
{
	struct fence_ctx *ctx = calloc(1, sizeof *ctx);

	ctx->agent = &agent;
	ctx->name = agent.name;
	agent_options_init(ctx);
	*state = ctx;
	return 0;
}

static int teardown(void **state)
{
	struct fence_ctx *ctx = *state;

	agent_options_free(ctx);
	free(ctx->nodename);
	free(ctx);
	return 0;
}

static void feed(struct fence_ctx *ctx, const char *text)
{
	char *copy = strdup(text);

	agent_input_lines(ctx, copy, strlen(copy));
	free(copy);
}

static void test_seconds(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} rows[] = {
		{ "0", 0 },
		{ "5", 5000 },
		{ "0.25", 250 },
		{ "1.5s", 1500 },
		{ "0.0019", 1 },
		{ "", -1 },
		{ "-1", -1 },
		{ "1e3", -1 },
		{ "5 ", -1 },
		{ ".5", -1 },
		{ "5.", -1 },
		{ "infinite", -1 },
		{ "99999999999999999999", -1 },
		{ "0x10", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int64_t ms = -1;
		int rc = agent_ms_parse(rows[i].text, &ms);

		assert_int_equal(rc, rows[i].ms < 0 ? RC_CONFIG : 0);
		if (rc == 0)
			assert_int_equal(ms, rows[i].ms);
	}
}

static void test_booleans_are_values_not_presence(void **state)
{
	struct fence_ctx *ctx = *state;

	feed(ctx, "quiet=0\njson=no\nverbose=TRUE\nlanplus=off\n");
	assert_int_equal(fence_opt_bool(ctx, "quiet"), 0);
	assert_int_equal(fence_opt_bool(ctx, "json"), 0);
	assert_int_equal(fence_opt_bool(ctx, "verbose"), 1);
	assert_int_equal(fence_opt_bool(ctx, "lanplus"), 0);
}

static void test_bad_boolean_on_stdin_is_ignored(void **state)
{
	struct fence_ctx *ctx = *state;

	feed(ctx, "lanplus=perhaps\n");
	assert_int_equal(ctx->err.rc, 0);
	assert_int_equal(fence_opt_bool(ctx, "lanplus"), 1);
}

static void test_names(void **state)
{
	struct fence_ctx *ctx = *state;

	feed(ctx, "ipaddr=a\nlogin=b\npower-timeout=7\nport=3\n");
	assert_string_equal(fence_opt(ctx, "ip"), "a");
	assert_string_equal(fence_opt(ctx, "username"), "b");
	assert_int_equal(fence_opt_ms(ctx, "power_timeout"), 7000);
	assert_string_equal(fence_opt(ctx, "plug"), "3");
}

static void test_last_one_wins(void **state)
{
	struct fence_ctx *ctx = *state;

	feed(ctx, "action=reboot\noption=status\nip=a\nip=b\n");
	assert_string_equal(fence_opt(ctx, "action"), "status");
	assert_string_equal(fence_opt(ctx, "ip"), "b");
}

static void test_blanks_and_quotes(void **state)
{
	struct fence_ctx *ctx = *state;

	feed(ctx, "  ip = host \t\nusername=\" a b \"\npassword=p=q \"x\n\n  # comment\r\n");
	assert_string_equal(fence_opt(ctx, "ip"), "host");
	assert_string_equal(fence_opt(ctx, "username"), " a b ");
	assert_string_equal(fence_opt(ctx, "password"), "p=q \"x");
}

static void test_types_are_checked(void **state)
{
	static const char *const wrong[] = { "ipport=0",   "ipport=65536", "ipport=12x",
					     "ipport=",	   "side=middle",  "power_timeout=soon",
					     "retry_on=0", "method=off" };

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		void *fresh = NULL;

		setup(&fresh);
		feed(fresh, wrong[i]);
		assert_int_equal(((struct fence_ctx *)fresh)->err.rc, RC_CONFIG);
		teardown(&fresh);
	}
}

static void test_nodename_is_taken_silently(void **state)
{
	struct fence_ctx *ctx = *state;

	feed(ctx, "nodename=n1\n");
	assert_string_equal(ctx->nodename, "n1");
	assert_null(fence_opt(ctx, "plug"));
}

static void test_nul_is_refused(void **state)
{
	struct fence_ctx *ctx = *state;
	char text[] = "ip=a\0b\naction=off\n";

	agent_input_lines(ctx, text, sizeof text - 1);
	assert_int_equal(ctx->err.rc, RC_CONFIG);
	assert_null(fence_opt(ctx, "action"));
}

static void test_required_is_checked(void **state)
{
	struct fence_ctx *ctx = *state;

	assert_int_equal(agent_options_check(ctx), RC_CONFIG);
	ctx->err.rc = 0;
	feed(ctx, "ip=\n");
	assert_string_equal(fence_opt(ctx, "ip"), "");
	assert_int_equal(agent_options_check(ctx), RC_CONFIG);
	ctx->err.rc = 0;
	feed(ctx, "ip=a\n");
	assert_int_equal(agent_options_check(ctx), 0);
}

static int argv_feed(struct fence_ctx *ctx, const char *const *words)
{
	char *argv[16] = { strdup("agent") };
	int argc = 1, rc;

	while (words[argc - 1]) {
		argv[argc] = strdup(words[argc - 1]);
		argc++;
	}
	rc = agent_input_argv(ctx, argc, argv);
	while (argc > 0)
		free(argv[--argc]);
	return rc;
}

static void test_argv_forms(void **state)
{
	struct fence_ctx *ctx = *state;
	const char *const words[] = { "-aone",	"--power_timeout=3", "--ipport", "99", "-qv", "-o",
				      "status", "--login=x",	     NULL };

	assert_int_equal(argv_feed(ctx, words), 0);
	assert_string_equal(fence_opt(ctx, "ip"), "one");
	assert_int_equal(fence_opt_ms(ctx, "power_timeout"), 3000);
	assert_int_equal(fence_opt_int(ctx, "ipport"), 99);
	assert_int_equal(fence_opt_bool(ctx, "quiet"), 1);
	assert_int_equal(fence_opt_bool(ctx, "verbose"), 1);
	assert_string_equal(fence_opt(ctx, "username"), "x");
}

static void test_argv_errors(void **state)
{
	static const char *const wrong[][3] = {
		{ "--unknown=1" },   { "--pass=x" }, { "-Z" },
		{ "off" },	     { "--ip" },     { "-a" },
		{ "--quiet=maybe" }, { "--power" },  { "-", NULL },
		{ "--", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		void *fresh = NULL;

		setup(&fresh);
		assert_int_equal(argv_feed(fresh, wrong[i]), RC_CONFIG);
		teardown(&fresh);
	}
}

static void test_argv_secret_is_blanked(void **state)
{
	struct fence_ctx *ctx = *state;
	char program[] = "agent", option[] = "-p", value[] = "hunter2", joined[] = "--password=abc";
	char *argv[] = { program, option, value, joined };

	assert_int_equal(agent_input_argv(ctx, 4, argv), 0);
	assert_string_equal(fence_opt(ctx, "password"), "abc");
	assert_string_equal(value, "");
	assert_null(strstr(joined, "abc"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_seconds),
		TEST(test_booleans_are_values_not_presence),
		TEST(test_bad_boolean_on_stdin_is_ignored),
		TEST(test_names),
		TEST(test_last_one_wins),
		TEST(test_blanks_and_quotes),
		TEST(test_types_are_checked),
		TEST(test_nodename_is_taken_silently),
		TEST(test_nul_is_refused),
		TEST(test_required_is_checked),
		TEST(test_argv_forms),
		TEST(test_argv_errors),
		TEST(test_argv_secret_is_blanked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
