/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_meatware.c - requests to a human and answers as text, and the rule by which they match.
 *
 * LINK: base fence-agents/meatware/requests/meat_wire.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rc.h"
#include "fence-agents/meatware/requests/meat_wire.h"

#define S(n) ((mono_t){ INT64_C(1000000000) * (n) })

static const struct meat_request asked = {
	.id = "0123456789abcdef",
	.target = "node1",
	.want = POWER_OFF,
	.task = "pull both cords of \"node1\", c:\\ stays",
	.reason = "# silent",
	.host = "node2",
	.boot_id = "59aadc5c-472d-47ce-9aa5-db950bb6a959",
	.pid = 4711,
	.pid_start = UINT64_MAX,
	.caller = "",
	.asked_at_s = 1700000000,
	.asked = { INT64_C(100000000000) },
	.expires = { INT64_C(700000000000) },
};

static const struct meat_answer answered = {
	.id = "0123456789abcdef",
	.target = "node1",
	.want = POWER_OFF,
	.verdict = MEAT_VERDICT_DONE,
	.boot_id = "59aadc5c-472d-47ce-9aa5-db950bb6a959",
	.answered_at_s = 1700000060,
	.answered = { INT64_C(160000000000) },
	.operator_name = "root",
	.login = "alice",
	.sudo_user = "alice",
	.terminal = "/dev/pts/3",
	.remote = "",
};

static size_t request_text(const struct meat_request *request, char out[MEAT_FILE_MAX])
{
	long length = meat_request_encode(request, out, MEAT_FILE_MAX);

	assert_true(length > 0);
	return (size_t)length;
}

static size_t answer_text(const struct meat_answer *answer, char out[MEAT_FILE_MAX])
{
	long length = meat_answer_encode(answer, out, MEAT_FILE_MAX);

	assert_true(length > 0);
	return (size_t)length;
}

static void test_round_trip(void **state)
{
	char text[MEAT_FILE_MAX];
	struct meat_request request;
	struct meat_answer answer;
	const char *why;

	(void)state;
	assert_int_equal(meat_request_decode(&request, text, request_text(&asked, text), &why), 0);
	assert_memory_equal(&request, &asked, sizeof asked);
	assert_int_equal(meat_answer_decode(&answer, text, answer_text(&answered, text), &why), 0);
	assert_memory_equal(&answer, &answered, sizeof answered);
}

static void test_never_expires(void **state)
{
	struct meat_request request = asked, back;
	char text[MEAT_FILE_MAX];
	const char *why;

	(void)state;
	request.expires = MONO_NEVER;
	assert_int_equal(meat_request_decode(&back, text, request_text(&request, text), &why), 0);
	assert_true(mono_is_never(back.expires));
}

/* Wherever a crash tears the file, it is no request and no answer. */
static void test_every_truncation(void **state)
{
	char text[MEAT_FILE_MAX];
	struct meat_request request;
	struct meat_answer answer;
	const char *why;
	size_t size = request_text(&asked, text);

	(void)state;
	/* The last newline adds nothing. */
	for (size_t i = 0; i + 1 < size; i++) {
		assert_int_equal(meat_request_decode(&request, text, i, &why), RC_PROTOCOL);
		assert_string_equal(request.id, "");
		assert_non_null(why);
	}
	size = answer_text(&answered, text);
	for (size_t i = 0; i + 1 < size; i++) {
		assert_int_equal(meat_answer_decode(&answer, text, i, &why), RC_PROTOCOL);
		assert_string_equal(answer.id, "");
		assert_int_equal(answer.verdict, MEAT_VERDICT_NONE);
	}
}

/* Each line with one thing wrong. `from` stands in a good request. */
static void test_damaged(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "MEATWARE_REQUEST 1", "MEATWARE_REQUEST 2" },
		{ "MEATWARE_REQUEST 1", "MEATWARE_ANSWER 1" },
		{ "\nID 0123456789abcdef", "\nID 0123456789ABCDEF" },
		{ "\nID 0123456789abcdef", "\nID 0123456789abcde" },
		{ "\nID 0123456789abcdef", "\nID ../../etc/passwd" },
		{ "TARGET node1", "TARGET node1 node2" },
		{ "TARGET node1", "TARGET \"node 1\"" },
		{ "TARGET node1", "TARGET \"\"" },
		{ "TARGET node1", "TARGET node1\nTARGET node2" },
		{ "TARGET node1\n", "" },
		{ "WANT off", "WANT of" },
		{ "WANT off", "WANT pending" },
		{ "WANT off", "WANT unknown" },
		{ "HOST node2", "HOST \"\"" },
		{ "PID 4711", "PID -4711" },
		{ "PID 4711", "PID 04711" },
		{ "PID 4711", "PID 0x1267" },
		{ "PID 4711", "PID 9223372036854775808" },
		{ "PID_START 18446744073709551615", "PID_START 18446744073709551616" },
		{ "ASKED 100000000000", "ASKED 1e11" },
		{ "EXPIRES 700000000000", "EXPIRES 9223372036854775807" },
		{ "EXPIRES 700000000000", "EXPIRES Never" },
		{ "\nEND 0123456789abcdef", "\nEND 0123456789abcdee" },
		{ "\nEND 0123456789abcdef\n", "\nEND 0123456789abcdef\nMORE 1\n" },
	};
	char text[MEAT_FILE_MAX], broken[2 * MEAT_FILE_MAX];
	struct meat_request request;
	const char *why;
	size_t size = request_text(&asked, text);

	(void)state;
	text[size] = '\0';
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *at = strstr(text, cases[i].from);

		assert_non_null(at);
		snprintf(broken, sizeof broken, "%.*s%s%s", (int)(at - text), text, cases[i].to,
			 at + strlen(cases[i].from));
		if (meat_request_decode(&request, broken, strlen(broken), &why) == 0)
			fail_msg("accepted: %s", cases[i].to);
		assert_string_equal(request.id, "");
	}
}

static void test_encode_refuses(void **state)
{
	struct meat_request request = asked;
	struct meat_answer answer = answered;
	char text[MEAT_FILE_MAX];

	(void)state;
	assert_int_equal(meat_request_encode(&asked, text, 100), -1);
	request.want = POWER_PENDING;
	assert_int_equal(meat_request_encode(&request, text, sizeof text), -1);
	request = asked;
	strcpy(request.reason, "two\nlines");
	assert_int_equal(meat_request_encode(&request, text, sizeof text), -1);
	request = asked;
	strcpy(request.target, "a,b");
	assert_int_equal(meat_request_encode(&request, text, sizeof text), -1);
	request = asked;
	request.asked = (mono_t){ -1 };
	assert_int_equal(meat_request_encode(&request, text, sizeof text), -1);
	answer.verdict = MEAT_VERDICT_NONE;
	assert_int_equal(meat_answer_encode(&answer, text, sizeof text), -1);
	answer = answered;
	strcpy(answer.terminal, "\033[2J");
	assert_int_equal(meat_answer_encode(&answer, text, sizeof text), -1);
}

/* The longest texts, all of quotes, still fit. */
static void test_longest(void **state)
{
	struct meat_request request = asked, back;
	char text[MEAT_FILE_MAX];
	const char *why;

	(void)state;
	memset(request.target, 'x', MEAT_TARGET_MAX);
	memset(request.task, '"', sizeof request.task - 1);
	memset(request.reason, '"', sizeof request.reason - 1);
	memset(request.host, '"', sizeof request.host - 1);
	memset(request.caller, '"', sizeof request.caller - 1);
	assert_int_equal(meat_request_decode(&back, text, request_text(&request, text), &why), 0);
	assert_memory_equal(&back, &request, sizeof back);
}

static void test_target_names(void **state)
{
	static const char *const good[] = { "n", "node1", "db-7.example.org", "a_b", "-" };
	static const char *const bad[] = { "",	  "a b", "a,b",	     "node1 ", "a/b",
					   "a\n", "a;b", "\xc3\xa9", "a\"b" };
	char name[MEAT_TARGET_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(meat_target_ok(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(meat_target_ok(bad[i]));
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	assert_false(meat_target_ok(name));
	assert_true(meat_target_ok(name + 1));
}

static void test_standing(void **state)
{
	const char *boot = asked.boot_id;

	(void)state;
	assert_int_equal(meat_standing_of(&asked, boot, 1, S(699)), MEAT_WAITING);
	assert_int_equal(meat_standing_of(&asked, boot, 1, S(700)), MEAT_EXPIRED);
	assert_int_equal(meat_standing_of(&asked, boot, 0, S(101)), MEAT_ASKER_GONE);
	/* A process with the same number may run again after a restart. */
	assert_int_equal(meat_standing_of(&asked, "another", 1, S(101)), MEAT_OTHER_BOOT);
	assert_string_equal(meat_standing_reason(MEAT_WAITING), "");
	for (int i = MEAT_EXPIRED; i <= MEAT_OTHER_BOOT; i++)
		assert_true(strlen(meat_standing_reason((enum meat_standing)i)) > 0);
	assert_string_equal(meat_standing_word(MEAT_ASKER_GONE), "asker-gone");
}

static void test_match(void **state)
{
	struct meat_answer answer = answered;
	struct meat_request request = asked;

	(void)state;
	assert_int_equal(meat_answer_match(&asked, &answered, S(161)), MEAT_VERDICT_DONE);
	answer.verdict = MEAT_VERDICT_REFUSED;
	assert_int_equal(meat_answer_match(&asked, &answer, S(161)), MEAT_VERDICT_REFUSED);
	request.expires = MONO_NEVER;
	assert_int_equal(meat_answer_match(&request, &answered, S(100000)), MEAT_VERDICT_DONE);
}

/* Everything that is nearly an answer. */
static void test_no_match(void **state)
{
	struct meat_answer answer;
	struct meat_request none = { 0 };
	const struct meat_answer empty = { .verdict = MEAT_VERDICT_DONE };

	(void)state;
#define REFUSE(change, now)                                                                        \
	do {                                                                                       \
		answer = answered;                                                                 \
		change;                                                                            \
		assert_int_equal(meat_answer_match(&asked, &answer, (now)), MEAT_VERDICT_NONE);    \
	} while (0)
	REFUSE(strcpy(answer.id, "0123456789abcdee"), S(161));
	REFUSE(strcpy(answer.id, "0123456789abcde"), S(161));
	REFUSE(strcpy(answer.target, "n"), S(161));
	REFUSE(strcpy(answer.target, "node"), S(161));
	REFUSE(strcpy(answer.target, "node11"), S(161));
	REFUSE(strcpy(answer.target, "NODE1"), S(161));
	REFUSE(answer.want = POWER_ON, S(161));
	REFUSE(strcpy(answer.boot_id, "59aadc5c"), S(161));
	REFUSE(answer.answered = S(99), S(161));  /* before it was asked */
	REFUSE(answer.answered = S(162), S(161)); /* in the future */
	REFUSE((void)0, S(700));		  /* expired while nobody looked */
	REFUSE(answer.verdict = MEAT_VERDICT_NONE, S(161));
#undef REFUSE
	/* Nothing read matches nothing asked. */
	assert_int_equal(meat_answer_match(&none, &empty, (mono_t){ 0 }), MEAT_VERDICT_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_never_expires),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_encode_refuses),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_target_names),
		cmocka_unit_test(test_standing),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_no_match),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
