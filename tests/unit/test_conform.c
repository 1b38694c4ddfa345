/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_conform.c - the judgements of the conformance kit, as truth tables.
 *
 * LINK: kit fencer snmpdev host base
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fence-agents/kit/conform_core.h"
#include "fence-agents/kit/conform_json.h"

static struct conform_seen seen(int status, int signal, int timed_out)
{
	return (struct conform_seen){ .exit_status = status,
				      .term_signal = signal,
				      .timed_out = timed_out,
				      .out = "",
				      .err = "" };
}

/* Which exit statuses meet an expectation: 0, 1, 2, 77; then a signal, then a timeout. */
static void judge_exit_status(void **state)
{
	static const struct {
		enum conform_expect expect;
		int met[6];
	} table[] = {
		{ CONFORM_EXPECT_OK, { 1, 0, 0, 0, 0, 0 } },
		{ CONFORM_EXPECT_ON, { 1, 0, 0, 0, 0, 0 } },
		{ CONFORM_EXPECT_OFF, { 0, 0, 1, 0, 0, 0 } },
		{ CONFORM_EXPECT_STATE, { 1, 0, 1, 0, 0, 0 } },
		{ CONFORM_EXPECT_FAIL, { 0, 1, 1, 1, 0, 0 } },
		{ CONFORM_EXPECT_NO_STATE, { 0, 1, 0, 1, 0, 0 } },
	};
	const struct conform_seen runs[6] = { seen(0, 0, 0),  seen(1, 0, 0),   seen(2, 0, 0),
					      seen(77, 0, 0), seen(-1, 11, 0), seen(-1, 15, 1) };
	char why[300];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		for (size_t j = 0; j < 6; j++) {
			int met = conform_judge(table[i].expect, &runs[j], why, sizeof why);

			if (met != table[i].met[j])
				fail_msg("expectation %zu, run %zu: %d", i, j, met);
			assert_int_equal(met, why[0] == '\0');
		}
}

static void judge_says_why(void **state)
{
	struct conform_seen run = { .exit_status = 1, .out = "x\n", .out_bytes = 2 };
	char why[300];

	(void)state;
	run.err = "first\nlogin refused\n\n";
	run.err_bytes = strlen(run.err);
	conform_judge(CONFORM_EXPECT_OK, &run, why, sizeof why);
	assert_string_equal(why, "exit status 1 (login refused); required is 0");
	/* What was done although it must not be is on stdout. */
	run.exit_status = 0;
	conform_judge(CONFORM_EXPECT_FAIL, &run, why, sizeof why);
	assert_string_equal(why, "exit status 0 (x); required is 1 (failed)");
}

static void verdicts(void **state)
{
	(void)state;
	assert_int_equal(conform_verdict_of(CONFORM_MUST, 1), CONFORM_PASS);
	assert_int_equal(conform_verdict_of(CONFORM_MUST, 0), CONFORM_FAIL);
	assert_int_equal(conform_verdict_of(CONFORM_SHOULD, 0), CONFORM_MISSED);
	assert_int_equal(conform_verdict_of(CONFORM_HOLDFAST, 0), CONFORM_FAIL);
}

static void xml_only(void **state)
{
	static const struct {
		const char *text;
		int is;
	} table[] = {
		{ "<?xml version=\"1.0\"?>\n<resource-agent name=\"x\">\n</resource-agent>\n", 1 },
		{ "\n<resource-agent/></resource-agent>", 1 },
		{ "", 0 },
		{ " \n", 0 },
		{ "hello\n<?xml?></resource-agent>", 0 },
		{ "<?xml?><resource-agent></resource-agent>\nbye\n", 0 },
		{ "<html></resource-agent>", 0 },
	};
	char why[200];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		int is = conform_is_xml_only(table[i].text, strlen(table[i].text), why, sizeof why);

		if (is != table[i].is)
			fail_msg("%s: %d", table[i].text, is);
	}
}

static void lists(void **state)
{
	static const struct {
		const char *text, *plug;
		int with_state, good;
		char state;
	} table[] = {
		{ "1,\n2,\n", "1", 0, 1, 0 },
		{ "1,alpha\n2,beta\n", "beta", 0, 1, 0 },
		{ "1\n2\n", "2", 0, 1, 0 },
		{ "1,\n2,\n", "3", 0, 0, 0 },
		{ "", "1", 0, 0, 0 },
		{ "", NULL, 0, 0, 0 },
		{ "There are two plugs\n", "1", 0, 0, 0 },
		{ ",alpha\n", "alpha", 0, 0, 0 },
		{ "1,,ON\n2,,OFF\n", "1", 1, 1, '1' },
		{ "1,,ON\n2,b,off\n", "2", 1, 1, '0' },
		{ "1,,UNKNOWN\n", "1", 1, 1, '?' },
		{ "1,,MAYBE\n", "1", 1, 0, 0 },
		{ "1,ON\n", "1", 1, 0, 0 },
		{ "1,,ON", "1", 1, 1, '1' },
	};
	char why[200], found;

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		int good = conform_list_judge(table[i].text, strlen(table[i].text),
					      table[i].with_state, table[i].plug, &found, why,
					      sizeof why);

		if (good != table[i].good || (good && found != table[i].state))
			fail_msg("row %zu: %d '%c' %s", i, good, found ? found : '-', why);
	}
}

static void lists_changed(void **state)
{
	static const char before[] = "1,,ON\n2,b,OFF\n3,,UNKNOWN\n\n4,,ON\n";
	static const struct {
		const char *after, *why;
	} table[] = {
		{ before, "" },
		{ "1,,OFF\n2,b,OFF\n3,,ON\n4,,ON", "" },
		{ "4,,on\n2,,off\n", "" },
		{ "1,,ON\n2,b,ON\n4,,ON\n", "plug 2 was OFF and is ON" },
		{ "1,,ON\n2,b,OFF\n4,,OFF\n", "plug 4 was ON and is OFF" },
		{ "1,,ON\n2,b,OFF\n4,,UNKNOWN\n", "plug 4 was ON and is UNKNOWN or not there" },
		{ "1,,ON\n2,b,OFF\n", "plug 4 was ON and is UNKNOWN or not there" },
	};
	char why[200];
	size_t others;

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		int changed = conform_list_changed(before, strlen(before), table[i].after,
						   strlen(table[i].after), "1", &others, why,
						   sizeof why);

		if (strcmp(why, table[i].why) != 0 || changed != (table[i].why[0] != '\0'))
			fail_msg("row %zu: %d %s", i, changed, why);
	}
	/* The plug by its alias; nothing else has a state. */
	assert_false(conform_list_changed("2,b,ON\n3,,UNKNOWN\n", 18, "2,b,OFF\n", 8, "b", &others,
					  why, sizeof why));
	assert_int_equal(others, 0);
}

static void words(void **state)
{
	char line[100];

	(void)state;
	assert_int_equal(conform_status_said("Status: ON\n", 11), 1);
	assert_int_equal(conform_status_said("x\nStatus: OFF\n", 14), 0);
	assert_int_equal(conform_status_said("off", 3), -1);
	conform_last_line("a\n b\x1b c \n\n", 10, line, sizeof line);
	assert_string_equal(line, "b  c");
	conform_last_line("", 0, line, sizeof line);
	assert_string_equal(line, "");
	assert_true(conform_has_secret("-P sesame-7 -U x", 16, "sesame-7"));
	assert_false(conform_has_secret("-P sesame-7 -U x", 16, "sesame-8"));
	/* Too short to mean anything. */
	assert_false(conform_has_secret("abc", 3, "abc"));
}

static void option_names(void **state)
{
	static const struct {
		const char *given, *name;
		int is_secret;
	} table[] = {
		{ "ip", "ip", 0 },
		{ "ipaddr", "ip", 0 },
		{ "login", "username", 0 },
		{ "passwd", "password", 1 },
		{ "password", "password", 1 },
		{ "password_script", "password_script", 0 },
		{ "password-file", "password_file", 0 },
		{ "port", "plug", 0 },
		{ "option", "action", 0 },
		{ "power-timeout", "power_timeout", 0 },
		{ "snmp_priv_passwd", "snmp_priv_passwd", 1 },
		{ "community", "community", 1 },
	};
	char name[64];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		conform_option_name(table[i].given, name, sizeof name);
		assert_string_equal(name, table[i].name);
		if (conform_option_is_secret(table[i].given) != table[i].is_secret)
			fail_msg("%s: secret or not?", table[i].given);
	}
}

static void long_options(void **state)
{
	char name[64];

	(void)state;
	assert_true(conform_long_option("-a, --ip=[ip]", name, sizeof name));
	assert_string_equal(name, "ip");
	assert_true(conform_long_option("-v, --verbose", name, sizeof name));
	assert_string_equal(name, "verbose");
	assert_false(conform_long_option("-v", name, sizeof name));
	assert_false(conform_long_option("--", name, sizeof name));
}

#define RESULT                                                                                     \
	"{\"agent\":\"a\",\"version\":\"1\",\"action\":\"%s\",\"exit\":%d,\"ok\":%s,"              \
	"\"state\":\"%s\",\"proof\":\"%s\",\"off_proven\":%s,\"cause\":%s,\"object\":\"\","        \
	"\"message\":\"%s\",\"next\":\"\",\"plugs\":[],\"elapsed_ms\":1}\n"

static void results(void **state)
{
	static const struct {
		const char *action;
		int exit_member;
		const char *ok, *power, *proof, *off_proven, *cause, *message;
		int status, good;
	} table[] = {
		{ "status", 0, "true", "on", "proven", "false", "null", "", 0, 1 },
		{ "status", 2, "true", "off", "proven", "false", "null", "", 2, 1 },
		{ "status", 2, "true", "on", "proven", "false", "null", "", 2, 0 },
		{ "status", 0, "true", "on", "proven", "false", "null", "", 2, 0 },
		{ "status", 1, "false", "unknown", "none", "false", "\"auth\"", "no", 1, 1 },
		{ "status", 1, "false", "unknown", "none", "false", "null", "no", 1, 0 },
		{ "status", 1, "false", "unknown", "none", "false", "\"auth\"", "", 1, 0 },
		{ "status", 1, "false", "unknown", "none", "false", "\"moon\"", "no", 1, 0 },
		{ "status", 1, "true", "on", "none", "false", "\"auth\"", "no", 1, 0 },
		{ "status", 0, "true", "warm", "proven", "false", "null", "", 0, 0 },
		{ "status", 0, "true", "on", "sworn", "false", "null", "", 0, 0 },
		{ "off", 0, "true", "off", "proven", "true", "null", "", 0, 1 },
		{ "off", 0, "true", "off", "proven", "false", "null", "", 0, 0 },
		{ "off", 2, "true", "off", "proven", "true", "null", "", 2, 0 },
		{ "reboot", 0, "true", "on", "proven", "true", "null", "", 0, 1 },
		{ "reboot", 0, "true", "on", "proven", "false", "null", "", 0, 0 },
		/* Fenced, though it does not come back. */
		{ "reboot", 0, "false", "off", "none", "true", "\"timeout\"", "no", 0, 1 },
		{ "reboot", 0, "false", "off", "none", "true", "null", "no", 0, 0 },
		{ "reboot", 0, "false", "off", "none", "false", "\"timeout\"", "no", 0, 0 },
		{ "reboot", 1, "false", "on", "none", "false", "\"state\"", "no", 1, 1 },
		{ "on", 0, "false", "off", "none", "true", "\"timeout\"", "no", 0, 0 },
	};
	char text[1024], why[200];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct conform_seen run = { .exit_status = table[i].status, .err = "" };
		int good;

		snprintf(text, sizeof text, RESULT, table[i].action, table[i].exit_member,
			 table[i].ok, table[i].power, table[i].proof, table[i].off_proven,
			 table[i].cause, table[i].message);
		run.out = text;
		run.out_bytes = strlen(text);
		good = conform_json_judge(table[i].action, &run, why, sizeof why);
		if (good != table[i].good)
			fail_msg("row %zu: %d %s", i, good, why);
		/* Asked for something else. */
		assert_false(conform_json_judge("list", &run, why, sizeof why));
	}
}

static void results_that_are_none(void **state)
{
	static const char *const texts[] = { "",   "Status: ON\n",  "[]",
					     "{}", "{\"agent\":1}", "{} {}" };
	char why[200];

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct conform_seen run = { .out = texts[i],
					    .out_bytes = strlen(texts[i]),
					    .err = "" };

		assert_false(conform_json_judge("status", &run, why, sizeof why));
		assert_true(why[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(judge_exit_status),
		cmocka_unit_test(judge_says_why),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(xml_only),
		cmocka_unit_test(lists),
		cmocka_unit_test(lists_changed),
		cmocka_unit_test(words),
		cmocka_unit_test(option_names),
		cmocka_unit_test(long_options),
		cmocka_unit_test(results),
		cmocka_unit_test(results_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
