/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_profile.c - device profiles as text: the parser and its complaints, OID templates, names of
 * plugs, meaning of values, lists.
 *
 * LINK: snmpdev base
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/rc.h"
#include "fence-agents/snmp/profile_wire.h"

static struct conf_reader reader;
static struct profile profile;
static struct conf_fault fault;

/* Enough to be a profile; tests add what they are about. */
#define HEAD                                                                                       \
	"PROFILE acme\nCLASS pdu\nDESCRIPTION \"Acme\"\nTESTED hand-made MIB\n"                    \
	"SNMP_VERSION 2c\n"
#define COMMANDS "ON 1.3.6.1.9.2.{outlet} integer 1\nOFF 1.3.6.1.9.2.{outlet} integer 2\n"
#define BODY "INDEX outlet\nSTATUS 1.3.6.1.9.1.{outlet}\nSTATUS_ON 1\nSTATUS_OFF 2\n" COMMANDS

static int parse(const char *text)
{
	return profile_read(&reader, text, strlen(text), &profile, &fault);
}

static void refuse(const char *text, unsigned line, unsigned column, const char *word,
		   const char *problem)
{
	assert_int_equal(parse(text), RC_CONFIG);
	assert_string_equal(fault.word, word);
	assert_string_equal(fault.problem, problem);
	assert_int_equal(fault.line, line);
	assert_int_equal(fault.column, column);
	assert_non_null(fault.expected);
}

static void reads_a_profile(void **state)
{
	(void)state;
	assert_int_equal(parse(HEAD "MATCH 1.3.6.1.4.1.9 1.3.6.1.4.1.10\nCOMMUNITY open\n" BODY),
			 0);
	assert_string_equal(profile.name, "acme");
	assert_int_equal(profile.device_class, PROFILE_PDU);
	assert_int_equal(profile.version, PROFILE_V2C);
	assert_string_equal(profile.community, "open");
	assert_int_equal(profile.matches_count, 2);
	assert_int_equal(profile.status_field, -1);
	assert_int_equal(profile.verbs[PROFILE_OFF].number, 2);
	assert_false(profile.verbs[PROFILE_CYCLE].where.is_set);
}

static void complains_where_it_is(void **state)
{
	(void)state;
	refuse("STATU 1\n", 1, 1, "STATU", "is no setting of a profile");
	assert_string_equal(fault.expected, "STATUS");
	refuse("CLASS pdo\n", 1, 7, "pdo", "is no class");
	refuse("CLASS pdu\nCLASS pdu\n", 2, 1, "CLASS", "is there twice");
	refuse("STATUS 1.3.6\n", 1, 1, "STATUS", "comes before INDEX");
	refuse("INDEX outlet\nSTATUS 1.3.6.{plug}\n", 2, 14, "1.3.6.{plug}",
	       "is no part of the index");
	refuse("INDEX outlet\nSTATUS 1.3.{outlet\n", 2, 12, "1.3.{outlet", "is never closed");
	refuse("INDEX outlet\nSTATUS 1.3.6.\n", 2, 13, "1.3.6.", "is not an object identifier");
	refuse("INDEX outlet\nON 1.3.6 gauge 1\n", 2, 10, "gauge", "is no type");
	refuse("INDEX outlet\nON 1.3.6 integer 4294967296\n", 2, 18, "4294967296",
	       "is not a whole number of 32 bits");
	refuse("INDEX outlet\nON 1.3.6 integer\n", 2, 17, "", "a value is missing");
	refuse("INDEX unit outlet=1\n", 1, 12, "outlet=1",
	       "has a default, but the part before it none");
	refuse("INDEX outlet=1\n", 1, 7, "outlet=1", "is the last part and has a default");
	refuse("INDEX a a\n", 1, 9, "a", "is there twice");
	refuse("MATCH 1.3.x\n", 1, 7, "1.3.x", "is not an object identifier");
	refuse("INDEX outlet\nSTATUS {base}.1.{outlet}\n", 2, 8, "{base}.1.{outlet}",
	       "uses {base}, but there is no BASE");
	refuse("STATUS_ON on\n", 1, 11, "on", "is not a whole number");
	refuse("PROFILE Acme\n", 1, 9, "Acme", "is no name of a profile");
}

static void refuses_what_is_incomplete(void **state)
{
	(void)state;
	assert_int_equal(parse(""), RC_CONFIG);
	assert_string_equal(fault.word, "PROFILE");
	assert_int_equal(parse(HEAD "INDEX outlet\nSTATUS 1.3.6.{outlet}\nSTATUS_ON 1\n"),
			 RC_CONFIG);
	assert_string_equal(fault.word, "STATUS_OFF");
	assert_int_equal(parse(HEAD BODY "PENDING 1.3.6.{outlet}\n"), RC_CONFIG);
	assert_string_equal(fault.expected, "PENDING_YES");
	assert_int_equal(parse(HEAD BODY "PENDING 1.3.6.{outlet}\nPENDING_YES 1\n"), RC_CONFIG);
	assert_string_equal(fault.expected, "PENDING_NO");
	assert_int_equal(
		parse(HEAD BODY "PENDING 1.3.6.{outlet}\nPENDING_YES 1\nPENDING_NO_ON 2\n"),
		RC_CONFIG);
	assert_string_equal(fault.expected, "PENDING_NO_OFF");
	assert_int_equal(parse(HEAD BODY "PENDING_NO 2\n"), RC_CONFIG);
	assert_string_equal(fault.expected, "PENDING");
	assert_int_equal(parse(HEAD BODY "PENDING 1.3.6.{outlet}\nPENDING_YES 1 2\nPENDING_NO 2\n"),
			 RC_CONFIG);
	assert_string_equal(fault.word, "PENDING");
	assert_string_equal(fault.problem, "has a value with two meanings");
	assert_int_equal(parse(HEAD BODY "STATUS_PENDING 2\n"), RC_CONFIG);
	assert_string_equal(fault.problem, "has a value with two meanings");
	assert_int_equal(parse(HEAD "INDEX unit outlet\nSTATUS 1.3.6.{outlet}\nSTATUS_ON 1\n"
				    "STATUS_OFF 2\n" COMMANDS),
			 RC_CONFIG);
	assert_string_equal(fault.problem, "does not mention every part of INDEX");
	assert_int_equal(parse(HEAD BODY "STATUS_FIELD outlet\n"), RC_CONFIG);
	assert_string_equal(fault.problem, "mentions the part that counts fields");
	assert_int_equal(parse(HEAD "INDEX outlet\nSTATUS 1.3.6\nSTATUS_FIELD outlet\nSTATUS_ON 1\n"
				    "STATUS_OFF 0\n" COMMANDS),
			 RC_CONFIG);
	assert_string_equal(fault.problem, "needs commands that write a string into STATUS");
}

/* ---- templates ---- */

static const struct oid_index_shape shape = {
	2,
	{ { "unit", 1, 1 }, { "outlet", 0, 0 } },
};

static void template_make(const char *text, struct oid_template *tmpl)
{
	const char *problem, *expected;
	size_t offset;

	assert_int_equal(oid_template_read(text, &shape, tmpl, &offset, &problem, &expected), 0);
}

static struct oid oid_make(const char *text)
{
	struct oid oid;

	assert_int_equal(oid_read(text, strlen(text), &oid), 0);
	return oid;
}

/* What a template makes of unit 2, outlet 7, and back. */
static void both_ways(const char *template, const char *expected)
{
	const struct oid base = oid_make("1.3.9");
	struct oid_index index = { { 2, 7 } }, back = { { 0, 0 } };
	char text[OID_TEXT_MAX];
	struct oid_template tmpl;
	struct oid oid;

	template_make(template, &tmpl);
	assert_int_equal(oid_template_fill(&tmpl, &base, &index, &oid), 0);
	assert_string_equal(oid_write(&oid, text), expected);
	assert_true(oid_template_match(&tmpl, &base, &oid, &back));
	assert_memory_equal(&back, &index, sizeof back);
}

static void templates_fill_and_match(void **state)
{
	const struct oid base = oid_make("1.3.9");
	struct oid_index index = { { 0, 0 } };
	struct oid_template tmpl;
	struct oid oid;

	(void)state;
	both_ways("1.3.6.{unit}.{outlet}", "1.3.6.2.7");
	both_ways(".1.3.6.{unit}.5.{outlet+1}.0", "1.3.6.2.5.8.0");
	both_ways("1.3.6.{outlet-1}.{unit+21}", "1.3.6.6.23");
	both_ways("{base}.4.{unit}.{outlet}", "1.3.9.4.2.7");

	template_make("1.3.6.{unit}.{outlet-1}.0", &tmpl);
	assert_int_equal(oid_template_fill(&tmpl, &base, &index, &oid), RC_NO_SUCH_PLUG);
	oid = oid_make("1.3.6.2.7.1");
	assert_false(oid_template_match(&tmpl, &base, &oid, &index));
	oid = oid_make("1.3.6.2.7.0.0");
	assert_false(oid_template_match(&tmpl, &base, &oid, &index));
	oid = oid_make("1.3.6.2.4294967295.0");
	assert_false(oid_template_match(&tmpl, &base, &oid, &index));
	assert_int_equal(oid_template_prefix(&tmpl, &base, &oid), 0);
	assert_int_equal(oid.count, 3);
}

static void oids_are_read_strictly(void **state)
{
	static const char *const wrong[] = {
		"", "1", "1.", "1..3", "1.3.", "1.4294967296", "1.-3", "1.3 ", "..1.3", "a.b"
	};
	struct oid oid;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(oid_read(wrong[i], strlen(wrong[i]), &oid), RC_CONFIG);
	assert_true(oid_make(".1.3.4294967295").ids[2] == UINT32_MAX);
}

/* ---- plugs ---- */

static void plug(const char *text, int64_t unit, int rc, uint32_t first, uint32_t second,
		 const char *written)
{
	struct oid_index index;
	char out[64];

	assert_int_equal(profile_plug_read(&profile, text, unit, &index), rc);
	if (rc)
		return;
	assert_int_equal(index.parts[0], first);
	assert_int_equal(index.parts[1], second);
	profile_plug_write(&profile, &index, out, sizeof out);
	assert_string_equal(out, written);
}

static void plugs_have_one_name(void **state)
{
	(void)state;
	assert_int_equal(parse(HEAD "INDEX unit=1 outlet\nSTATUS 1.3.{unit}.{outlet}\n"
				    "STATUS_ON 1\nSTATUS_OFF 2\n" COMMANDS),
			 0);
	plug("7", -1, 0, 1, 7, "7");
	plug("1.7", -1, 0, 1, 7, "7");
	plug("2.7", -1, 0, 2, 7, "2.7");
	plug("7", 3, 0, 3, 7, "3.7");
	plug("2.7", 3, 0, 2, 7, "2.7");
	plug("07", -1, RC_NO_SUCH_PLUG, 0, 0, NULL);
	plug("1.2.3", -1, RC_NO_SUCH_PLUG, 0, 0, NULL);
	plug("7.", -1, RC_NO_SUCH_PLUG, 0, 0, NULL);
	plug("-1", -1, RC_NO_SUCH_PLUG, 0, 0, NULL);
	plug("4294967296", -1, RC_NO_SUCH_PLUG, 0, 0, NULL);
	plug("web1", -1, RC_NO_SUCH_PLUG, 0, 0, NULL);

	assert_int_equal(parse(HEAD "INDEX slot port\nPLUG \"fc{slot}/{port}\"\n"
				    "STATUS 1.3.{slot+21}.{port-1}\nSTATUS_ON 1\nSTATUS_OFF 2\n"
				    "ON 1.3.{port} integer 1\nOFF 1.3.{port} integer 2\n"),
			 0);
	plug("fc1/3", -1, 0, 1, 3, "fc1/3");
	plug("fc1/3x", -1, RC_NO_SUCH_PLUG, 0, 0, NULL);
	plug("fc1/", -1, RC_NO_SUCH_PLUG, 0, 0, NULL);
	plug("1.3", -1, RC_NO_SUCH_PLUG, 0, 0, NULL);
	refuse("INDEX a b\nPLUG \"{b}{a}\"\n", 2, 6, "{b}{a}", "is not the next part of INDEX");
	refuse("INDEX a b\nPLUG \"{a}{b}\"\n", 2, 9, "{a}{b}", "does not end the number");
	refuse("INDEX a b\nPLUG \"{a}/\"\n", 2, 6, "{a}/", "lacks a part of INDEX");
}

/* ---- values ---- */

static struct profile_value value_of(int64_t number)
{
	return (struct profile_value){ 1, 1, number };
}

static void expect_state(const struct profile_reading *reading, int rc, enum power_state wanted)
{
	enum power_state got = POWER_ON;

	assert_int_equal(profile_state(&profile, reading, &got), rc);
	assert_int_equal(got, wanted);
}

static void only_off_is_off(void **state)
{
	struct profile_reading reading = { .has_status = 1 };

	(void)state;
	assert_int_equal(parse(HEAD BODY "STATUS_PENDING 3 4\nSTATUS_UNKNOWN 5\nSTATUS_ABSENT 0\n"
					 "STATUS_FIXED -1\nPENDING 1.3.5.{outlet}\nPENDING_YES 1\n"
					 "PENDING_NO 2\n"
					 "PRESENT 1.3.7.{outlet}\nPRESENT_NO 0\n"
					 "SWITCHABLE 1.3.8.{outlet}\nSWITCHABLE_YES 1\n"),
			 0);
	reading.changing = value_of(2);
	reading.present = value_of(1);
	for (int64_t value = -3; value < 12; value++) {
		enum power_state got = POWER_ON;

		reading.status = value_of(value);
		profile_state(&profile, &reading, &got);
		assert_int_equal(got == POWER_OFF, value == 2);
		assert_int_equal(got == POWER_ON, value == 1);
	}
	reading.status = value_of(3);
	expect_state(&reading, 0, POWER_PENDING);
	reading.status = value_of(5);
	expect_state(&reading, 0, POWER_UNKNOWN);
	reading.status = value_of(0);
	expect_state(&reading, RC_NO_SUCH_PLUG, POWER_UNKNOWN);
	reading.status = value_of(-1);
	expect_state(&reading, RC_UNSUPPORTED, POWER_UNKNOWN);
	reading.status = value_of(6);
	expect_state(&reading, RC_PROTOCOL, POWER_UNKNOWN);
	reading.status.is_known = 0;
	expect_state(&reading, RC_PROTOCOL, POWER_UNKNOWN);

	reading.status = value_of(2);
	reading.changing = value_of(2);
	expect_state(&reading, 0, POWER_OFF);
	reading.changing = value_of(1);
	expect_state(&reading, 0, POWER_PENDING);
	reading.switchable = value_of(2);
	expect_state(&reading, RC_UNSUPPORTED, POWER_UNKNOWN);
	reading.present = value_of(0);
	expect_state(&reading, RC_NO_SUCH_PLUG, POWER_UNKNOWN);
	reading = (struct profile_reading){ .status = value_of(2) };
	expect_state(&reading, RC_NO_SUCH_PLUG, POWER_UNKNOWN);
}

static void a_mute_witness_proves_nothing(void **state)
{
	static const struct profile_value mute[] = {
		{ 0, 0, 0 }, /* no such object: noSuchName, or an exception */
		{ 1, 0, 2 }, /* NULL, or a text */
		{ 1, 1, 7 }, /* a value of no list */
	};
	struct profile_reading reading = { .has_status = 1, .present = value_of(1) };

	(void)state;
	assert_int_equal(parse(HEAD BODY "PENDING 1.3.5.{outlet}\nPENDING_YES 1\nPENDING_NO 2\n"
					 "PRESENT 1.3.7.{outlet}\nPRESENT_NO 0\n"
					 "SWITCHABLE 1.3.8.{outlet}\nSWITCHABLE_YES 1\n"),
			 0);
	for (int64_t status = 1; status <= 2; status++) {
		reading.status = value_of(status);
		for (size_t i = 0; i < sizeof mute / sizeof mute[0]; i++) {
			reading.changing = mute[i];
			expect_state(&reading, 0, POWER_UNKNOWN);
			reading.ignore_pending = 1;
			expect_state(&reading, 0, status == 1 ? POWER_ON : POWER_OFF);
			reading.ignore_pending = 0;
		}
	}
	reading.changing = value_of(2);
	expect_state(&reading, 0, POWER_OFF);
	reading.present = mute[0];
	expect_state(&reading, RC_PROTOCOL, POWER_UNKNOWN);
	reading.present = mute[1];
	expect_state(&reading, RC_PROTOCOL, POWER_UNKNOWN);
	reading.present = value_of(1);
	reading.switchable = mute[0];
	expect_state(&reading, 0, POWER_OFF);
	reading.switchable = mute[1];
	expect_state(&reading, RC_PROTOCOL, POWER_UNKNOWN);
	reading.switchable = mute[2];
	expect_state(&reading, RC_UNSUPPORTED, POWER_UNKNOWN);
}

static void both_must_agree(void **state)
{
	struct profile_reading reading = { .has_status = 1 };

	(void)state;
	assert_int_equal(parse(HEAD BODY "PENDING 1.3.5.{outlet}\nPENDING_YES 8\n"
					 "PENDING_NO_ON 1 3\nPENDING_NO_OFF 0 2\n"),
			 0);
	for (int64_t told = 0; told <= 4; told++) {
		reading.changing = value_of(told);
		reading.status = value_of(1);
		expect_state(&reading, 0, told == 1 || told == 3 ? POWER_ON : POWER_UNKNOWN);
		reading.status = value_of(2);
		expect_state(&reading, 0, told == 0 || told == 2 ? POWER_OFF : POWER_UNKNOWN);
	}
	reading.changing = value_of(8);
	expect_state(&reading, 0, POWER_PENDING);
}

static void fits_the_longest_id(void **state)
{
	const struct oid id = oid_make("1.3.6.1.4.1.318.1.3.4.5");
	size_t plain;

	(void)state;
	assert_int_equal(parse(HEAD BODY), 0);
	assert_int_equal(profile_match(&profile, &id, NULL), 0);
	assert_int_equal(parse(HEAD "MATCH 1.3.6.1.4.1.318 1.3.6.1.4.1.318.1.3.5\n" BODY), 0);
	plain = profile_match(&profile, &id, NULL);
	assert_true(plain > 0);
	assert_int_equal(parse(HEAD "MATCH 1.3.6.1.4.1.318 1.3.6.1.4.1.318.1.3.4\n" BODY), 0);
	assert_true(profile_match(&profile, &id, NULL) > plain);
	assert_int_equal(parse(HEAD "MATCH 1.3.6.1.4.1.318\nMATCH_DESCR Rack\n" BODY), 0);
	assert_int_equal(profile_match(&profile, &id, NULL), 0);
	assert_int_equal(profile_match(&profile, &id, "Smart-UPS"), 0);
	assert_true(profile_match(&profile, &id, "APC Rack PDU") > plain);
}

static void numbers_are_whole(void **state)
{
	int64_t number = 7;

	(void)state;
	assert_true(profile_number(" -12 ", 5, &number));
	assert_int_equal(number, -12);
	assert_false(profile_number("", 0, &number));
	assert_false(profile_number("-", 1, &number));
	assert_false(profile_number("1x", 2, &number));
	assert_false(profile_number("1 2", 3, &number));
	assert_false(profile_number("1234567890123456789", 19, &number));
}

static void lists_change_one_field(void **state)
{
	char out[16];
	size_t start, end;

	(void)state;
	assert_int_equal(profile_field_set("1,1,1", 5, 2, "0", out, sizeof out), 0);
	assert_string_equal(out, "1,0,1");
	assert_int_equal(profile_field_set("1,1,1", 5, 3, "0", out, sizeof out), 0);
	assert_string_equal(out, "1,1,0");
	assert_int_equal(profile_field_set("1,1,1", 5, 4, "0", out, sizeof out), RC_NO_SUCH_PLUG);
	assert_int_equal(profile_field_set("1,1,1", 5, 0, "0", out, sizeof out), RC_NO_SUCH_PLUG);
	assert_int_equal(profile_field_set("1,1,1", 5, 1, "0", out, 5), RC_PROTOCOL);
	assert_true(profile_field("", 0, 1, &start, &end));
	assert_int_equal(start, end);
	assert_true(profile_field("a,", 2, 2, &start, &end));
	assert_false(profile_field("a,", 2, 3, &start, &end));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_profile),
		cmocka_unit_test(complains_where_it_is),
		cmocka_unit_test(refuses_what_is_incomplete),
		cmocka_unit_test(templates_fill_and_match),
		cmocka_unit_test(oids_are_read_strictly),
		cmocka_unit_test(plugs_have_one_name),
		cmocka_unit_test(only_off_is_off),
		cmocka_unit_test(a_mute_witness_proves_nothing),
		cmocka_unit_test(both_must_agree),
		cmocka_unit_test(fits_the_longest_id),
		cmocka_unit_test(numbers_are_whole),
		cmocka_unit_test(lists_change_one_field),
	};

	return cmocka_run_group_tests_name("device profiles", tests, NULL, NULL);
}
