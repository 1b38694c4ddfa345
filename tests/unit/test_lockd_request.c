/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_lockd_request.c - lines of lockd's clients: what is a request, and what is said of what is none.
 *
 * LINK: lockd base pkg:jansson
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lockd/lockd_request.h"

static struct lockd_request request;
static struct err err;

static int take(const char *line)
{
	memset(&err, 0, sizeof err);
	return lockd_request_read(line, strlen(line), &request, &err);
}

static void refused(const char *line, int rc, const char *text)
{
	assert_int_equal(take(line), rc);
	assert_int_equal(err.rc, rc);
	assert_non_null(strstr(err.text, text));
	assert_null(request.object);
	assert_null(request.op);
}

static void test_good(void **state)
{
	(void)state;
	assert_int_equal(take("{\"v\":1,\"id\":7,\"op\":\"status\",\"more\":[1]}"), 0);
	assert_int_equal(request.id, 7);
	assert_string_equal(request.op, "status");
	json_decref(request.object);
	assert_int_equal(take(" {\"op\":\"x\" , \"id\":0, \"v\":1}\r"), 0);
	assert_int_equal(request.id, 0);
	json_decref(request.object);
	assert_int_equal(take("{\"v\":1,\"id\":9007199254740991,\"op\":\"x\"}"), 0);
	assert_true(request.id == INT64_C(9007199254740991));
	json_decref(request.object);
}

static void test_no_json(void **state)
{
	static const char *const lines[] = { "",
					     "x",
					     "{",
					     "{}}",
					     "\"",
					     "\xff\xfe",
					     "{\"v\":1,}",
					     "1",
					     "{\"v\":1,\"v\":1,\"id\":1,\"op\":\"x\"}",
					     "{\"op\":\"\\u0000\",\"v\":1,\"id\":1}",
					     "{\"v\":1,\"id\":1,\"op\":\"x\"} {}" };

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		refused(lines[i], RC_PROTOCOL, "is no JSON");
	refused("[]", RC_PROTOCOL, "is no JSON object");
}

static void test_nul_byte(void **state)
{
	static const char line[] = "{\"v\":1,\0\"id\":1,\"op\":\"x\"}";

	(void)state;
	assert_int_equal(lockd_request_read(line, sizeof line - 1, &request, &err), RC_PROTOCOL);
	assert_null(request.object);
}

static void test_head(void **state)
{
	(void)state;
	refused("{}", RC_PROTOCOL, "has no version");
	refused("{\"v\":\"1\",\"id\":1,\"op\":\"x\"}", RC_PROTOCOL, "has no version");
	refused("{\"v\":2,\"id\":5,\"op\":\"x\"}", RC_UNSUPPORTED, "protocol version 2");
	/* Who speaks another version still learns which request it was. */
	assert_int_equal(request.has_id, 1);
	assert_int_equal(request.id, 5);
	refused("{\"v\":1,\"op\":\"x\"}", RC_PROTOCOL, "has no \"id\"");
	refused("{\"v\":1,\"id\":-1,\"op\":\"x\"}", RC_PROTOCOL, "has no \"id\"");
	refused("{\"v\":1,\"id\":1.0,\"op\":\"x\"}", RC_PROTOCOL, "has no \"id\"");
	refused("{\"v\":1,\"id\":9007199254740992,\"op\":\"x\"}", RC_PROTOCOL, "has no \"id\"");
	refused("{\"v\":1,\"id\":1}", RC_PROTOCOL, "has no \"op\"");
	refused("{\"v\":1,\"id\":1,\"op\":\"\"}", RC_PROTOCOL, "has no \"op\"");
	refused("{\"v\":1,\"id\":1,\"op\":[]}", RC_PROTOCOL, "has no \"op\"");
	refused("{\"v\":1,\"id\":1,\"op\":\"012345678901234567890123456789012\"}", RC_PROTOCOL,
		"has no \"op\"");
}

static void test_long_and_deep(void **state)
{
	char *line = malloc(LOCKD_LINE_MAX + 1);

	(void)state;
	assert_non_null(line);
	memset(line, '[', LOCKD_LINE_MAX);
	line[LOCKD_LINE_MAX] = '\0';
	refused(line, RC_PROTOCOL, "is longer than 65535 bytes");
	line[LOCKD_LINE_MAX - 1] = '\0';
	refused(line, RC_PROTOCOL, "is no JSON");
	free(line);
}

static void test_members(void **state)
{
	const char *text = "as before";
	int64_t number = 42;

	(void)state;
	assert_int_equal(take("{\"v\":1,\"id\":1,\"op\":\"x\",\"t\":\"word\",\"n\":5,\"big\":"
			      "9223372036854775807,\"real\":5.0,\"none\":null}"),
			 0);
	assert_int_equal(lockd_member_text(request.object, "t", 1, &text, &err), 0);
	assert_string_equal(text, "word");
	assert_int_equal(lockd_member_text(request.object, "missing", 0, &text, &err), 0);
	assert_string_equal(text, "word");
	assert_int_equal(lockd_member_text(request.object, "missing", 1, &text, &err), RC_CONFIG);
	assert_non_null(strstr(err.text, "\"missing\" is missing"));
	assert_int_equal(lockd_member_text(request.object, "n", 0, &text, &err), RC_CONFIG);
	assert_int_equal(lockd_member_text(request.object, "none", 0, &text, &err), RC_CONFIG);

	assert_int_equal(lockd_member_number(request.object, "n", 1, 5, 5, &number, &err), 0);
	assert_int_equal(number, 5);
	assert_int_equal(lockd_member_number(request.object, "missing", 0, 1, 2, &number, &err), 0);
	assert_int_equal(number, 5);
	assert_int_equal(lockd_member_number(request.object, "n", 1, 6, 9, &number, &err),
			 RC_CONFIG);
	assert_int_equal(lockd_member_number(request.object, "n", 1, 1, 4, &number, &err),
			 RC_CONFIG);
	assert_int_equal(lockd_member_number(request.object, "missing", 1, 1, 2, &number, &err),
			 RC_CONFIG);
	assert_int_equal(lockd_member_number(request.object, "real", 1, 1, 9, &number, &err),
			 RC_CONFIG);
	assert_int_equal(lockd_member_number(request.object, "big", 1, 0, INT64_MAX, &number, &err),
			 0);
	assert_true(number == INT64_MAX);
	json_decref(request.object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	      cmocka_unit_test(test_no_json),
		cmocka_unit_test(test_nul_byte),      cmocka_unit_test(test_head),
		cmocka_unit_test(test_long_and_deep), cmocka_unit_test(test_members),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
