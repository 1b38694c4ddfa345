/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_conf.c - the `NAME value` dialect: words, faults with their exact place, print and re-read.
 *
 * LINK: base
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/conf.h"
#include "base/nearest.h"
#include "base/rc.h"

/* Everything the reader makes of a text, as text: "1: NAME@1 [value]@6" a line, or the fault. */
static void render(const char *data, size_t size, char *out, size_t out_size)
{
	static struct conf_reader reader;
	struct conf_fault fault;
	size_t used = 0;
	int rc;

	out[0] = '\0';
	conf_reader_init(&reader, data, size);
	while ((rc = conf_next(&reader, &fault)) > 0) {
		used += (size_t)snprintf(out + used, out_size - used, "%u: %s@%u", reader.line,
					 conf_word(&reader, 0), conf_column(&reader, 0));
		for (size_t i = 1; i < reader.words_count; i++)
			used += (size_t)snprintf(out + used, out_size - used, " [%s]@%u",
						 conf_word(&reader, i), conf_column(&reader, i));
		used += (size_t)snprintf(out + used, out_size - used, " end@%u\n",
					 conf_column(&reader, reader.words_count));
	}
	if (rc < 0) {
		assert_int_equal(rc, RC_CONFIG);
		snprintf(out + used, out_size - used, "%u:%u: %s: %s, expected %s\n", fault.line,
			 fault.column, fault.word, fault.problem, fault.expected);
	}
}

static void assert_reads(const char *data, const char *wanted)
{
	char out[2048];

	render(data, strlen(data), out, sizeof out);
	assert_string_equal(out, wanted);
}

static void test_words(void **state)
{
	static const struct {
		const char *data, *wanted;
	} cases[] = {
		{ "", "" },
		{ "\n\n", "" },
		{ "# only\n  # comments\n\t#\n", "" },
		{ "A b", "1: A@1 [b]@3 end@4\n" },
		{ "A b\n", "1: A@1 [b]@3 end@4\n" },
		{ "A\tb c\n", "1: A@1 [b]@3 [c]@5 end@6\n" },
		{ "  NODE_NAME   node1   \n", "1: NODE_NAME@3 [node1]@15 end@20\n" },
		{ "A b # c\n", "1: A@1 [b]@3 end@4\n" },
		{ "A b#c #d\n", "1: A@1 [b#c]@3 end@6\n" },
		{ "A b\r\nC d\r\n", "1: A@1 [b]@3 end@4\n2: C@1 [d]@3 end@4\n" },
		{ "A b\r", "1: A@1 [b]@3 end@4\n" },
		{ "\r\nA b\n", "2: A@1 [b]@3 end@4\n" },
		{ "A \"b c\"\n", "1: A@1 [b c]@3 end@8\n" },
		{ "A \"\"\n", "1: A@1 []@3 end@5\n" },
		{ "A \"#\" # x\n", "1: A@1 [#]@3 end@6\n" },
		{ "A \"\\\"\\\\\"\n", "1: A@1 [\"\\]@3 end@9\n" },
		{ "A b\\c\n", "1: A@1 [b\\c]@3 end@6\n" },
		{ "A \"b\tc\"\n", "1: A@1 [b\tc]@3 end@8\n" },
		{ "A2_B x\n", "1: A2_B@1 [x]@6 end@7\n" },
		{ "A k\xc3\xa4se\n", "1: A@1 [k\xc3\xa4se]@3 end@8\n" },
		{ "A b\n\n# x\n B c\n", "1: A@1 [b]@3 end@4\n4: B@2 [c]@4 end@5\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_reads(cases[i].data, cases[i].wanted);
}

#define NOT_A_NAME                                                                                 \
	": this is not a name, expected a NAME in capitals (A-Z, 0-9, _), a blank, then its "      \
	"value\n"

static void test_faults(void **state)
{
	static const struct {
		const char *data, *wanted;
	} cases[] = {
		{ "NAME\n", "1:5: NAME: no value, expected a value behind the name\n" },
		{ "NAME", "1:5: NAME: no value, expected a value behind the name\n" },
		{ "NAME  # x\n", "1:5: NAME: no value, expected a value behind the name\n" },
		{ "node x\n", "1:1: node" NOT_A_NAME },
		{ "A b\n  password=hunter2\n", "1: A@1 [b]@3 end@4\n2:3: password" NOT_A_NAME },
		{ "PASSWORD=hunter2 x\n", "1:1: PASSWORD" NOT_A_NAME },
		{ "\"hunter2\" x\n", "1:1: " NOT_A_NAME },
		{ "2A x\n", "1:1: 2A" NOT_A_NAME },
		{ "_A x\n", "1:1: _A" NOT_A_NAME },
		{ "A \"hunter2\n",
		  "1:3: A: quote is never closed, expected a closing \" on the same line\n" },
		{ "A x \"hunter2\\\"\n",
		  "1:5: A: quote is never closed, expected a closing \" on the same line\n" },
		{ "A \"hunter2\"x\n",
		  "1:12: A: text right behind a closing quote, expected a blank or the end of the "
		  "line (write \\\" for a quote inside)\n" },
		{ "A hunt\"er2\n",
		  "1:7: A: quote in the middle of a word, expected quotes around the "
		  "whole word\n" },
		{ "A \"a\\b\"\n", "1:5: A: lone backslash inside quotes, expected \\\\ for a "
				  "backslash or \\\" for a quote\n" },
		{ "A \"a\\",
		  "1:5: A: lone backslash inside quotes, expected \\\\ for a backslash or "
		  "\\\" for a quote\n" },
		{ "A b\x01\n",
		  "1:4: \\x01: control character, expected printable text, blanks and tabs\n" },
		{ "A b\rc\n",
		  "1:4: \\x0d: control character, expected printable text, blanks and tabs\n" },
		{ "A b\x7f\n",
		  "1:4: \\x7f: control character, expected printable text, blanks and tabs\n" },
		{ "# c \x1b[31m\n",
		  "1:5: \\x1b: control character, expected printable text, blanks and tabs\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_reads(cases[i].data, cases[i].wanted);
}

static void test_nul_byte(void **state)
{
	char out[256];

	(void)state;
	render("A b\nC d\0e\n", 10, out, sizeof out);
	assert_string_equal(out,
			    "1: A@1 [b]@3 end@4\n2:4: \\x00: NUL byte, expected a text file\n");
}

/* A reader goes on behind a fault. */
static void test_after_fault(void **state)
{
	static struct conf_reader reader;
	struct conf_fault fault;
	const char *data = "A b\nbad\nC d\n";

	(void)state;
	conf_reader_init(&reader, data, strlen(data));
	assert_int_equal(conf_next(&reader, &fault), 1);
	assert_int_equal(conf_next(&reader, &fault), RC_CONFIG);
	assert_int_equal(conf_next(&reader, &fault), 1);
	assert_string_equal(conf_word(&reader, 0), "C");
	assert_int_equal(conf_next(&reader, &fault), 0);
	assert_int_equal(conf_next(&reader, &fault), 0);
}

/* Lines of exactly the limit and one beyond it; as many words as fit. */
static void test_limits(void **state)
{
	static struct conf_reader reader;
	static char data[CONF_LINE_MAX + 8];
	struct conf_fault fault;

	(void)state;
	memset(data, 'x', sizeof data);
	memcpy(data, "A ", 2);
	memcpy(data + CONF_LINE_MAX, "\r\nB c", 5);
	conf_reader_init(&reader, data, CONF_LINE_MAX + 5);
	assert_int_equal(conf_next(&reader, &fault), 1);
	assert_int_equal(reader.words[1].length, CONF_LINE_MAX - 2);
	assert_int_equal(conf_next(&reader, &fault), 1);
	assert_int_equal(reader.line, 2);

	data[CONF_LINE_MAX] = 'x';
	data[CONF_LINE_MAX + 1] = '\n';
	conf_reader_init(&reader, data, CONF_LINE_MAX + 2);
	assert_int_equal(conf_next(&reader, &fault), RC_CONFIG);
	assert_int_equal(fault.line, 1);
	assert_int_equal(fault.column, CONF_LINE_MAX + 1);
	assert_string_equal(fault.problem, "line is too long");

	for (size_t i = 0; i < CONF_LINE_MAX; i++)
		data[i] = i % 2 ? ' ' : 'A';
	conf_reader_init(&reader, data, CONF_LINE_MAX);
	assert_int_equal(conf_next(&reader, &fault), 1);
	assert_int_equal(reader.words_count, CONF_WORDS_MAX);
	assert_string_equal(conf_word(&reader, CONF_WORDS_MAX - 1), "A");
}

static void test_quote(void **state)
{
	static const struct {
		const char *value, *wanted;
	} cases[] = {
		{ "abc", "abc" },	{ "", "\"\"" },
		{ "a b", "\"a b\"" },	{ "#a", "\"#a\"" },
		{ "a#b", "a#b" },	{ "a\"b", "\"a\\\"b\"" },
		{ "a\\b", "a\\b" },	{ "a \\b", "\"a \\\\b\"" },
		{ "a\tb", "\"a\tb\"" }, { "k\xc3\xa4se", "k\xc3\xa4se" },
		{ "a\nb", NULL },	{ "a\rb", NULL },
		{ "\x7f", NULL },
	};
	char out[64], small[4];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		long length = conf_quote(cases[i].value, out, sizeof out);

		if (!cases[i].wanted) {
			assert_int_equal(length, -1);
			continue;
		}
		assert_string_equal(out, cases[i].wanted);
		assert_int_equal(length, strlen(cases[i].wanted));
	}
	assert_int_equal(conf_quote("abcdef", small, sizeof small), 6);
	assert_string_equal(small, "abc");
	assert_int_equal(conf_quote("a b", NULL, 0), 5);
}

/* Property: whatever values are printed with conf_quote() are read back the same. */
static void test_print_and_read(void **state)
{
	static const char alphabet[] = "ab#\"\\ \t\xc3\xa4=:,";
	static struct conf_reader reader;
	struct conf_fault fault;

	(void)state;
	srand(4711);
	for (int round = 0; round < 20000; round++) {
		char values[4][12], line[256] = "NAME";
		size_t count = 1 + (size_t)rand() % 4, used = 4;

		for (size_t i = 0; i < count; i++) {
			size_t length = (size_t)rand() % 11;

			for (size_t j = 0; j < length; j++)
				values[i][j] = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
			values[i][length] = '\0';
			line[used++] = rand() % 2 ? ' ' : '\t';
			used += (size_t)conf_quote(values[i], line + used, sizeof line - used);
		}
		used += (size_t)snprintf(line + used, sizeof line - used, "%s",
					 rand() % 2 ? " # comment \"\n" : "\r\n");
		conf_reader_init(&reader, line, used);
		assert_int_equal(conf_next(&reader, &fault), 1);
		assert_int_equal(reader.words_count, count + 1);
		for (size_t i = 0; i < count; i++)
			assert_string_equal(conf_word(&reader, i + 1), values[i]);
		assert_int_equal(conf_next(&reader, &fault), 0);
	}
}

static void test_wipe(void **state)
{
	static struct conf_reader reader;
	struct conf_fault fault;
	const char *data = "A hunter2\n";

	(void)state;
	conf_reader_init(&reader, data, strlen(data));
	assert_int_equal(conf_next(&reader, &fault), 1);
	conf_reader_wipe(&reader);
	for (size_t i = 0; i < sizeof reader.text; i++)
		assert_int_equal(reader.text[i], 0);
}

static void test_show(void **state)
{
	char out[CONF_SHOWN_MAX], longer[200];

	(void)state;
	conf_show("a\x1b"
		  "b",
		  3, out);
	assert_string_equal(out, "a\\x1bb");
	memset(longer, 'y', sizeof longer);
	conf_show(longer, sizeof longer, out);
	assert_true(strlen(out) < CONF_SHOWN_MAX);
	assert_string_equal(out + strlen(out) - 4, "y...");
	memset(longer, 1, sizeof longer);
	conf_show(longer, sizeof longer, out);
	assert_true(strlen(out) < CONF_SHOWN_MAX);
}

static void test_nearest(void **state)
{
	static const char *const words[] = { "status", "on",	      "off",
					     "reboot", "FENCE_AGENT", "FENCE_LEVEL" };

	(void)state;
	assert_int_equal(nearest_distance("", ""), 0);
	assert_int_equal(nearest_distance("abc", ""), 3);
	assert_int_equal(nearest_distance("kitten", "sitting"), 3);
	assert_int_equal(nearest_distance("ab", "ba"), 1);
	assert_int_equal(nearest_distance("NODE", "node"), 0);
	assert_int_equal(nearest_find("statsu", words, 6), 0);
	assert_int_equal(nearest_find("of", words, 6), 2);
	assert_int_equal(nearest_find("reb", words, 6), 3);
	assert_int_equal(nearest_find("FENCE_AGNET", words, 6), 4);
	assert_int_equal(nearest_find("xyzzy", words, 6), -1);
	assert_int_equal(nearest_find("x", words, 6), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),	       cmocka_unit_test(test_faults),
		cmocka_unit_test(test_nul_byte),       cmocka_unit_test(test_after_fault),
		cmocka_unit_test(test_limits),	       cmocka_unit_test(test_quote),
		cmocka_unit_test(test_print_and_read), cmocka_unit_test(test_wipe),
		cmocka_unit_test(test_show),	       cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
