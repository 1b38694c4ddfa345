/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_hostlist.c - host lists: truth table, faults with their column, bounds, and a comparison
 * with a simple expansion written another way.
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

#include "base/hostlist.h"
#include "base/rc.h"

/* Expand texts into one list; the caller frees the returned memory. NULL with *fault filled. */
static void *expand(const char *const *texts, size_t count, struct hostlist *list,
		    struct hostlist_fault *fault)
{
	struct hostlist_size size = { 0 };
	void *memory;

	for (size_t i = 0; i < count; i++)
		if (hostlist_measure(texts[i], &size, fault))
			return NULL;
	memory = malloc(hostlist_memory(&size));
	assert_non_null(memory);
	hostlist_init(list, memory, &size);
	for (size_t i = 0; i < count; i++)
		hostlist_add(list, texts[i]);
	return memory;
}

static void join(const struct hostlist *list, char *out, size_t size)
{
	size_t used = 0, count = 0;

	out[0] = '\0';
	for (const char *name = hostlist_first(list); name; name = hostlist_next(list, name)) {
		used += (size_t)snprintf(out + used, size - used, "%s%s", count++ ? " " : "", name);
		assert_true(hostlist_has(list, name));
	}
	assert_int_equal(count, list->count);
}

static void test_expansion(void **state)
{
	static const struct {
		const char *text, *wanted;
	} cases[] = {
		{ "node1", "node1" },
		{ "node-1.example.org", "node-1.example.org" },
		{ "a,b,c", "a b c" },
		{ "node[1-3]", "node1 node2 node3" },
		{ "node[3]", "node3" },
		{ "node[1-2,5,8-9]x", "node1x node2x node5x node8x node9x" },
		{ "node[1-3],db7", "node1 node2 node3 db7" },
		{ "r[1-2]n[1-2]", "r1n1 r1n2 r2n1 r2n2" },
		{ "r[1-2]n[01-02]", "r1n01 r1n02 r2n01 r2n02" },
		{ "n[08-11]", "n08 n09 n10 n11" },
		{ "n[8-11]", "n8 n9 n10 n11" },
		{ "n[098-101]", "n098 n099 n100 n101" },
		{ "n[98-0101]", NULL },
		{ "n[001-2]", "n001 n002" },
		{ "n[0-2]", "n0 n1 n2" },
		{ "n[00-02]", "n00 n01 n02" },
		{ "n[1,01,001]", "n1 n01 n001" },
		{ "[1-2]", "1 2" },
		{ "[1-2][3-4]", "13 14 23 24" },
		{ "a,a,b,a", "a b" },
		{ "n[1-3],n2,n[3-4]", "n1 n2 n3 n4" },
		{ "n[1-11][1-1]", "n11 n21 n31 n41 n51 n61 n71 n81 n91 n101 n111" },
		{ "n[1,11][1,11]", "n11 n111 n1111" },
		{ "n[999999998-999999999]", "n999999998 n999999999" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct hostlist list = { 0 };
		struct hostlist_fault fault;
		void *memory = expand(&cases[i].text, 1, &list, &fault);
		char out[512];

		if (!cases[i].wanted) {
			assert_null(memory);
			continue;
		}
		assert_non_null(memory);
		join(&list, out, sizeof out);
		assert_string_equal(out, cases[i].wanted);
		free(memory);
	}
}

static void test_faults(void **state)
{
	static const struct {
		const char *text;
		unsigned column;
		const char *problem;
	} cases[] = {
		{ "", 1, "no name here" },
		{ ",a", 1, "no name here" },
		{ "a,", 3, "no name here" },
		{ "a,,b", 3, "no name here" },
		{ "a b", 2, "this cannot be part of a name" },
		{ "a/b", 2, "this cannot be part of a name" },
		{ "a]", 2, "this cannot be part of a name" },
		{ "k\xc3\xa4se", 2, "this cannot be part of a name" },
		{ "a[", 3, "no number here" },
		{ "a[]", 3, "no number here" },
		{ "a[1", 4, "bracket is never closed" },
		{ "a[1,", 5, "no number here" },
		{ "a[1,]", 5, "no number here" },
		{ "a[1-", 5, "range has no end" },
		{ "a[1-]", 5, "range has no end" },
		{ "a[-3]", 3, "no number here" },
		{ "a[3-1]", 5, "range runs backwards" },
		{ "a[1-3-5]", 6, "this does not belong in brackets" },
		{ "a[1 -3]", 4, "this does not belong in brackets" },
		{ "a[x]", 3, "no number here" },
		{ "a[1[2]]", 4, "this does not belong in brackets" },
		{ "a[1-016]", 5, "ends of the range differ in width" },
		{ "a[1234567890]", 3, "number is too long" },
		{ "a[1-1234567890]", 5, "number is too long" },
		{ "a[1-65537]", 2, "list is too long" },
		{ "b,a[0-999][0-65]", 11, "list is too long" },
		{ "a[1-65536],b", 12, "list is too long" },
		{ "[1][1][1][1][1][1][1][1][1]", 25, "too many brackets" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct hostlist_size size = { 0 };
		struct hostlist_fault fault = { 0 };

		assert_int_equal(hostlist_measure(cases[i].text, &size, &fault), RC_CONFIG);
		assert_string_equal(fault.problem, cases[i].problem);
		assert_int_equal(fault.column, cases[i].column);
		assert_true(fault.expected && fault.expected[0]);
	}
}

static void test_bounds(void **state)
{
	static const char *const full[] = { "n[1-65536]" };
	static const char *const sum[] = { "n[1-65535]", "a", "b" };
	static char name[HOSTLIST_NAME_MAX + 2];
	const char *longest = name;
	struct hostlist list = { 0 };
	struct hostlist_fault fault;
	void *memory = expand(full, 1, &list, &fault);

	(void)state;
	assert_non_null(memory);
	assert_int_equal(list.count, HOSTLIST_NAMES_MAX);
	assert_true(hostlist_has(&list, "n1"));
	assert_true(hostlist_has(&list, "n65536"));
	assert_false(hostlist_has(&list, "n65537"));
	assert_false(hostlist_has(&list, "n0"));
	free(memory);
	assert_null(expand(sum, 3, &list, &fault));

	memset(name, 'x', HOSTLIST_NAME_MAX);
	memory = expand(&longest, 1, &list, &fault);
	assert_non_null(memory);
	assert_string_equal(hostlist_first(&list), name);
	free(memory);
	name[HOSTLIST_NAME_MAX] = 'x';
	assert_null(expand(&longest, 1, &list, &fault));
	assert_string_equal(fault.problem, "name is too long");
}

static void test_several_texts(void **state)
{
	static const char *const texts[] = { "b[1-2]", "a,b2", "c" };
	struct hostlist list = { 0 };
	struct hostlist_fault fault;
	void *memory = expand(texts, 3, &list, &fault);
	char out[64];

	(void)state;
	assert_non_null(memory);
	join(&list, out, sizeof out);
	assert_string_equal(out, "b1 b2 a c");
	free(memory);
}

/* Property: random two-bracket terms against two plain loops. */
static void test_against_loops(void **state)
{
	(void)state;
	srand(815);
	for (int round = 0; round < 2000; round++) {
		unsigned a = (unsigned)rand() % 120, b = a + (unsigned)rand() % 12;
		unsigned c = (unsigned)rand() % 12, d = c + (unsigned)rand() % 12;
		int width = 1 + rand() % 4;
		char text[64], wanted[16384] = "", out[16384];
		const char *const texts[] = { text };
		struct hostlist list = { 0 };
		struct hostlist_fault fault;
		size_t used = 0;
		void *memory;

		/* A dash between the numbers: no two pairs give the same name. */
		snprintf(text, sizeof text, "n[%0*u-%0*u]-[%u-%u]", width, a, width, b, c, d);
		for (unsigned i = a; i <= b; i++)
			for (unsigned j = c; j <= d; j++) {
				/* Padded only when the first number has a leading zero. */
				char first[16];
				int padded;

				snprintf(first, sizeof first, "%0*u", width, a);
				padded = first[0] == '0' ? (int)strlen(first) : 1;
				used += (size_t)snprintf(wanted + used, sizeof wanted - used,
							 "%sn%0*u-%u", used ? " " : "", padded, i,
							 j);
			}
		memory = expand(texts, 1, &list, &fault);
		assert_non_null(memory);
		join(&list, out, sizeof out);
		assert_string_equal(out, wanted);
		free(memory);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expansion),     cmocka_unit_test(test_faults),
		cmocka_unit_test(test_bounds),	      cmocka_unit_test(test_several_texts),
		cmocka_unit_test(test_against_loops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
