/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_pr_model.c - the model of a unit with reservations does what SPC-4 says: the truth table of
 * access, and a scenario for every rule.
 *
 * The tables here are written out from the standard and share nothing with those of the model.
 * LINK: base lockd/pr_cdb_wire.c lockd/pr_sense_wire.c tests/sim/pr_model.c tests/sim/pr_access.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/sim/pr_model.h"

enum { A, B, C, D }; /* nexuses: four initiators, D without a session at first */

static struct pr_model m;
static struct pr_model_answer answer;
static struct err err;

static const enum pr_type types[] = {
	PR_TYPE_WRITE_EXCLUSIVE,     PR_TYPE_EXCLUSIVE_ACCESS,	 PR_TYPE_WRITE_EXCLUSIVE_RO,
	PR_TYPE_EXCLUSIVE_ACCESS_RO, PR_TYPE_WRITE_EXCLUSIVE_AR, PR_TYPE_EXCLUSIVE_ACCESS_AR,
};

static struct pr_initiator initiator(const char *text)
{
	struct pr_initiator id;

	assert_int_equal(pr_initiator_parse(text, &id, &err), 0);
	return id;
}

static void begin(const struct pr_model_limits *limits)
{
	static const char *const names[] = { "iqn.test:a,i,0x1", "iqn.test:b,i,0x1",
					     "iqn.test:c,i,0x1", "iqn.test:d,i,0x1" };

	pr_model_init(&m, limits, 2);
	for (int i = 0; i < 4; i++) {
		struct pr_initiator id = initiator(names[i]);

		assert_int_equal(pr_model_nexus(&m, &id, 1), i);
	}
}

/* ---- doing things, and saying what came of them in a word ---- */

/* "good", "conflict", or "6/2A/03" */
static const char *word(void)
{
	static char text[16];

	if (answer.status == PR_STATUS_GOOD)
		return "good";
	if (answer.status == PR_STATUS_RESERVATION_CONFLICT)
		return "conflict";
	assert_int_equal(answer.status, PR_STATUS_CHECK_CONDITION);
	snprintf(text, sizeof text, "%X/%02X/%02X", answer.sense[2], answer.sense[12],
		 answer.sense[13]);
	return text;
}

static const char *run_out(int nexus, const struct pr_out *out)
{
	uint8_t cdb[16] = { 0 }, list[PR_LIST_BYTES_MAX];
	uint32_t bytes = pr_out_encode(out, cdb, list, &err);

	assert_int_not_equal(bytes, 0);
	pr_model_command(&m, nexus, cdb, list, bytes, &answer);
	return word();
}

static const char *out(int nexus, enum pr_command command, uint64_t key, uint64_t service_key,
		       unsigned type)
{
	return run_out(nexus, &(struct pr_out){ .command = command,
						.key = key,
						.service_key = service_key,
						.type = (uint8_t)type });
}

static const char *cdb_run(int nexus, uint8_t opcode, uint8_t byte1, uint8_t byte4)
{
	const uint8_t cdb[16] = { opcode, byte1, 0, 0, byte4 };

	pr_model_command(&m, nexus, cdb, NULL, 0, &answer);
	return word();
}

static const char *ready(int nexus)
{
	return cdb_run(nexus, 0x00, 0, 0);
}

#define IS(got, want) assert_string_equal(got, want)

/* What the unit says of itself: "g=3 keys=a,b holder=a type=we-ro". Registered by D's eyes,
 * which never has an attention pending in these tests unless they say so. */
static const char *state_of(void)
{
	static char text[256];
	uint8_t cdb[16] = { 0 };
	struct pr_keys keys;
	struct pr_reservation reservation;
	int at;

	pr_in_encode(PR_READ_KEYS, cdb);
	pr_model_command(&m, D, cdb, NULL, 0, &answer);
	IS(word(), "good");
	assert_int_equal(pr_keys_in(answer.data, answer.bytes, &keys, &err), 0);
	at = snprintf(text, sizeof text, "g=%u keys=", keys.generation);
	for (uint32_t i = 0; i < keys.count; i++)
		at += snprintf(text + at, sizeof text - (size_t)at, "%s%llx", i ? "," : "",
			       (unsigned long long)keys.key[i]);
	pr_in_encode(PR_READ_RESERVATION, cdb);
	pr_model_command(&m, D, cdb, NULL, 0, &answer);
	assert_int_equal(pr_reservation_in(answer.data, answer.bytes, &reservation, &err), 0);
	assert_int_equal(reservation.generation, keys.generation);
	if (reservation.is_held)
		snprintf(text + at, sizeof text - (size_t)at, " %s by %llx",
			 pr_type_word(reservation.type), (unsigned long long)reservation.key);
	return text;
}

/* A, B and C registered with aa, bb, cc; A holds a reservation of the type. */
static void begin_held(const struct pr_model_limits *limits, unsigned type)
{
	begin(limits);
	IS(out(A, PR_REGISTER, 0, 0xaa, 0), "good");
	IS(out(B, PR_REGISTER, 0, 0xbb, 0), "good");
	IS(out(C, PR_REGISTER, 0, 0xcc, 0), "good");
	IS(out(A, PR_RESERVE, 0xaa, 0, type), "good");
}

/* ---- the truth table ---- */

/* Who may do what, for the six types in the order of `types`; A allowed, C conflict. */
static const struct access_row {
	char what; /* a: always, r: reads, w: writes */
	const char *holder, *registered, *unregistered;
} access_table[] = {
	{ 'a', "AAAAAA", "AAAAAA", "AAAAAA" },
	{ 'r', "AAAAAA", "ACAAAA", "ACACAC" },
	{ 'w', "AAAAAA", "CCAAAA", "CCCCCC" },
};

static const struct {
	const char *name;
	uint8_t opcode, byte1, byte4;
	char what;
} commands[] = {
	{ "TEST UNIT READY", 0x00, 0, 0, 'a' },
	{ "REQUEST SENSE", 0x03, 0, 0, 'a' },
	{ "INQUIRY", 0x12, 0, 0, 'a' },
	{ "REPORT LUNS", 0xa0, 0, 0, 'a' },
	{ "LOG SENSE", 0x4d, 0, 0, 'a' },
	{ "READ CAPACITY(10)", 0x25, 0, 0, 'a' },
	{ "READ CAPACITY(16)", 0x9e, 0x10, 0, 'a' },
	{ "REPORT TARGET PORT GROUPS", 0xa3, 0x0a, 0, 'a' },
	{ "PERSISTENT RESERVE IN", 0x5e, 0, 0, 'a' },
	{ "START STOP UNIT, start", 0x1b, 0, 0x01, 'a' },
	{ "START STOP UNIT, stop", 0x1b, 0, 0x00, 'w' },
	{ "START STOP UNIT, power condition", 0x1b, 0, 0x21, 'w' },
	{ "PREVENT ALLOW, allow", 0x1e, 0, 0x00, 'a' },
	{ "PREVENT ALLOW, prevent", 0x1e, 0, 0x01, 'w' },
	{ "READ(6)", 0x08, 0, 0, 'r' },
	{ "READ(10)", 0x28, 0, 0, 'r' },
	{ "READ(12)", 0xa8, 0, 0, 'r' },
	{ "READ(16)", 0x88, 0, 0, 'r' },
	{ "VERIFY(10)", 0x2f, 0, 0, 'r' },
	{ "VERIFY(16)", 0x8f, 0, 0, 'r' },
	{ "PRE-FETCH(10)", 0x34, 0, 0, 'r' },
	{ "GET LBA STATUS", 0x9e, 0x12, 0, 'r' },
	{ "READ DEFECT DATA(10)", 0x37, 0, 0, 'r' },
	{ "MODE SENSE(6)", 0x1a, 0, 0, 'r' },
	{ "MODE SENSE(10)", 0x5a, 0, 0, 'r' },
	{ "RECEIVE DIAGNOSTIC RESULTS", 0x1c, 0, 0, 'r' },
	{ "READ BUFFER", 0x3c, 0, 0, 'r' },
	{ "READ ATTRIBUTE", 0x8c, 0, 0, 'r' },
	{ "SECURITY PROTOCOL IN", 0xa2, 0, 0, 'r' },
	{ "WRITE(6)", 0x0a, 0, 0, 'w' },
	{ "WRITE(10)", 0x2a, 0, 0, 'w' },
	{ "WRITE(12)", 0xaa, 0, 0, 'w' },
	{ "WRITE(16)", 0x8a, 0, 0, 'w' },
	{ "WRITE AND VERIFY(10)", 0x2e, 0, 0, 'w' },
	{ "WRITE SAME(10)", 0x41, 0, 0, 'w' },
	{ "WRITE SAME(16)", 0x93, 0, 0, 'w' },
	{ "COMPARE AND WRITE", 0x89, 0, 0, 'w' },
	{ "UNMAP", 0x42, 0, 0, 'w' },
	{ "SYNCHRONIZE CACHE(10)", 0x35, 0, 0, 'w' },
	{ "FORMAT UNIT", 0x04, 0, 0, 'w' },
	{ "REASSIGN BLOCKS", 0x07, 0, 0, 'w' },
	{ "READ LONG(10)", 0x3e, 0, 0, 'w' },
	{ "MODE SELECT(6)", 0x15, 0, 0, 'w' },
	{ "LOG SELECT", 0x4c, 0, 0, 'w' },
	{ "SEND DIAGNOSTIC", 0x1d, 0, 0, 'w' },
	{ "WRITE BUFFER", 0x3b, 0, 0, 'w' },
	{ "EXTENDED COPY", 0x83, 0, 0, 'w' },
	{ "MAINTENANCE OUT", 0xa4, 0, 0, 'w' },
	{ "SECURITY PROTOCOL OUT", 0xb5, 0, 0, 'w' },
};

static void test_access_table(void **state)
{
	(void)state;
	for (size_t t = 0; t < 6; t++) {
		begin_held(NULL, types[t]);
		for (size_t c = 0; c < sizeof commands / sizeof commands[0]; c++) {
			const struct access_row *row = access_table;
			/* B is registered; with all-registrants types it holds as A does. */
			char got[4] = { 0 }, due[4] = { 0 };
			const int who[] = { A, B, D };

			while (row->what != commands[c].what)
				row++;
			due[0] = row->holder[t];
			due[1] = row->registered[t];
			due[2] = row->unregistered[t];
			for (int i = 0; i < 3; i++)
				got[i] = strcmp(cdb_run(who[i], commands[c].opcode,
							commands[c].byte1, commands[c].byte4),
						"good") == 0
						 ? 'A'
						 : 'C';
			if (strcmp(got, due) != 0)
				fail_msg("%s under %s: holder, registrant, other: %s, not %s",
					 commands[c].name, pr_type_word(types[t]), got, due);
		}
	}
	/* Without a reservation everybody may everything, registrations or not. */
	begin(NULL);
	IS(out(A, PR_REGISTER, 0, 0xaa, 0), "good");
	for (size_t c = 0; c < sizeof commands / sizeof commands[0]; c++)
		IS(cdb_run(D, commands[c].opcode, commands[c].byte1, commands[c].byte4), "good");
}

/* Table 46: service actions of others while A holds a reservation; keys are right. */
static void test_out_table(void **state)
{
	static const struct {
		enum pr_command command;
		uint64_t service_key;
		const char *registered, *unregistered;
	} rows[] = {
		{ PR_REGISTER, 0xdd, "good", "good" },
		{ PR_REGISTER_AND_IGNORE, 0xdd, "good", "good" },
		{ PR_RESERVE, 0, "conflict", "conflict" },
		{ PR_RELEASE, 0, "good", "conflict" },
		{ PR_CLEAR, 0, "good", "conflict" },
		{ PR_PREEMPT, 0xaa, "good", "conflict" },
		{ PR_PREEMPT_AND_ABORT, 0xaa, "good", "conflict" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		begin_held(NULL, PR_TYPE_EXCLUSIVE_ACCESS);
		IS(out(B, rows[i].command, 0xbb, rows[i].service_key, PR_TYPE_EXCLUSIVE_ACCESS),
		   rows[i].registered);
		begin_held(NULL, PR_TYPE_EXCLUSIVE_ACCESS);
		IS(out(D, rows[i].command, 0, rows[i].service_key, PR_TYPE_EXCLUSIVE_ACCESS),
		   rows[i].unregistered);
	}
}

/* ---- registering (5.7.7) ---- */

static void test_register(void **state)
{
	(void)state;
	begin(NULL);
	IS(out(A, PR_REGISTER, 1, 0xaa, 0), "conflict"); /* not registered: key 0 */
	IS(out(A, PR_REGISTER, 0, 0, 0), "good");	 /* nothing done */
	IS(state_of(), "g=1 keys=");
	IS(out(A, PR_REGISTER, 0, 0xaa, 0), "good");
	IS(out(A, PR_REGISTER, 0, 0xab, 0), "conflict"); /* registered: its key */
	IS(out(A, PR_REGISTER, 0xaa, 0xab, 0), "good");
	IS(out(A, PR_REGISTER_AND_IGNORE, 0x99, 0xac, 0), "good");
	IS(state_of(), "g=4 keys=ac");
	IS(out(B, PR_REGISTER_AND_IGNORE, 0, 0xac, 0), "good"); /* a key may be there twice */
	IS(out(B, PR_REGISTER_AND_IGNORE, 0, 0, 0), "good");
	IS(out(A, PR_REGISTER, 0xac, 0, 0), "good");
	IS(state_of(), "g=7 keys=");
	IS(out(A, PR_REGISTER, 0xac, 0, 0), "conflict");
	IS(state_of(), "g=7 keys=");
}

static void test_unregister_holder(void **state)
{
	(void)state;
	for (size_t t = 0; t < 6; t++) {
		int tells = types[t] == PR_TYPE_WRITE_EXCLUSIVE_RO ||
			    types[t] == PR_TYPE_EXCLUSIVE_ACCESS_RO;

		begin_held(NULL, types[t]);
		IS(out(A, PR_REGISTER, 0xaa, 0, 0), "good");
		IS(ready(A), "good");
		IS(ready(B), tells ? "6/2A/04" : "good");
		IS(ready(C), tells ? "6/2A/04" : "good");
		IS(ready(D), "good");
		if (pr_type_is_all_registrants(types[t])) {
			assert_true(pr_model_holds(&m, B) && pr_model_holds(&m, C));
			IS(out(B, PR_REGISTER, 0xbb, 0, 0), "good");
			assert_true(m.holder >= 0);
			IS(out(C, PR_REGISTER, 0xcc, 0, 0), "good");
			IS(state_of(), "g=6 keys=");
		} else {
			IS(state_of(), "g=4 keys=bb,cc");
		}
	}
}

static void test_ports(void **state)
{
	const struct pr_initiator others[] = { initiator("iqn.test:b,i,0x1"),
					       initiator("iqn.test:e") };
	struct pr_initiator e1 = initiator("iqn.test:e,i,0x1"), e2 = initiator("iqn.test:e,i,0x2");
	struct pr_initiator a = initiator("iqn.test:a,i,0x1");
	struct pr_out spec = { .command = PR_REGISTER,
			       .service_key = 0x11,
			       .initiators = others,
			       .initiators_count = 2 };
	struct pr_out all = { .command = PR_REGISTER, .service_key = 0x22, .all_target_ports = 1 };
	int a2, e;

	(void)state;
	begin(NULL);
	a2 = pr_model_nexus(&m, &a, 2);
	IS(run_out(A, &spec), "5/26/00"); /* nobody of that name is known: none is registered */
	IS(state_of(), "g=0 keys=");
	e = pr_model_nexus(&m, &e1, 1);
	pr_model_nexus(&m, &e2, 1);
	IS(run_out(A, &spec), "good");
	IS(state_of(), "g=1 keys=11,11,11,11"); /* A, B, both ports of e */
	assert_true(pr_model_registration_of(&m, B) >= 0 && pr_model_registration_of(&m, e) >= 0);
	assert_int_equal(pr_model_registration_of(&m, a2), -1); /* another port of the target */
	spec.key = 0x11;
	IS(run_out(A, &spec), "5/26/00"); /* registered already (table 48) */
	spec.command = PR_REGISTER_AND_IGNORE;

	begin(NULL);
	a2 = pr_model_nexus(&m, &a, 2);
	IS(run_out(A, &all), "good");
	assert_true(pr_model_registration_of(&m, a2) >= 0);
	IS(out(a2, PR_RESERVE, 0x22, 0, PR_TYPE_WRITE_EXCLUSIVE), "good");
	assert_true(pr_model_holds(&m, A));
	IS(state_of(), "g=1 keys=22 we by 22");
}

static void test_no_room(void **state)
{
	const struct pr_model_limits limits = { .registrations_max = 2 };

	(void)state;
	begin(&limits);
	IS(out(A, PR_REGISTER, 0, 0xaa, 0), "good");
	IS(out(B, PR_REGISTER, 0, 0xbb, 0), "good");
	IS(out(C, PR_REGISTER, 0, 0xcc, 0), "5/55/04");
	IS(out(C, PR_REGISTER_AND_IGNORE, 0, 0xcc, 0), "5/55/04");
	IS(state_of(), "g=2 keys=aa,bb");
	IS(out(A, PR_REGISTER, 0xaa, 0, 0), "good");
	IS(out(C, PR_REGISTER, 0, 0xcc, 0), "good");
}

/* ---- reserving, releasing, clearing ---- */

static void test_reserve(void **state)
{
	(void)state;
	begin_held(NULL, PR_TYPE_WRITE_EXCLUSIVE);
	IS(out(A, PR_RESERVE, 0xaa, 0, PR_TYPE_WRITE_EXCLUSIVE), "good");
	IS(out(A, PR_RESERVE, 0xaa, 0, PR_TYPE_EXCLUSIVE_ACCESS), "conflict");
	IS(out(A, PR_RESERVE, 0xbb, 0, PR_TYPE_WRITE_EXCLUSIVE), "conflict");
	IS(out(B, PR_RESERVE, 0xbb, 0, PR_TYPE_WRITE_EXCLUSIVE), "conflict");
	IS(out(D, PR_RESERVE, 0, 0, PR_TYPE_WRITE_EXCLUSIVE), "conflict");
	IS(out(A, PR_RESERVE, 0xaa, 0, 2), "5/24/00");
	IS(run_out(A,
		   &(struct pr_out){ .command = PR_RESERVE, .key = 0xaa, .type = 1, .scope = 1 }),
	   "5/24/00");
	IS(state_of(), "g=3 keys=aa,bb,cc we by aa");
	/* All registrants: each holds, and may say so. */
	begin_held(NULL, PR_TYPE_WRITE_EXCLUSIVE_AR);
	IS(out(B, PR_RESERVE, 0xbb, 0, PR_TYPE_WRITE_EXCLUSIVE_AR), "good");
	IS(out(B, PR_RESERVE, 0xbb, 0, PR_TYPE_WRITE_EXCLUSIVE), "conflict");
	IS(state_of(), "g=3 keys=aa,bb,cc we-ar by 0");
}

static void test_release(void **state)
{
	(void)state;
	for (size_t t = 0; t < 6; t++) {
		int tells = pr_type_is_shared(types[t]);
		unsigned other = types[t] == PR_TYPE_WRITE_EXCLUSIVE ? PR_TYPE_EXCLUSIVE_ACCESS
								     : PR_TYPE_WRITE_EXCLUSIVE;

		begin_held(NULL, types[t]);
		IS(out(A, PR_RELEASE, 0xab, 0, types[t]), "conflict");
		IS(out(D, PR_RELEASE, 0, 0, types[t]), "conflict");
		IS(out(A, PR_RELEASE, 0xaa, 0, other), "5/26/04");
		if (!pr_type_is_all_registrants(types[t]))
			IS(out(B, PR_RELEASE, 0xbb, 0, types[t]), "good");
		assert_true(pr_model_holds(&m, A));
		IS(out(A, PR_RELEASE, 0xaa, 0, types[t]), "good");
		IS(ready(A), "good");
		IS(ready(B), tells ? "6/2A/04" : "good");
		IS(ready(D), "good");
		IS(state_of(), "g=3 keys=aa,bb,cc");
		IS(out(A, PR_RELEASE, 0xaa, 0, types[t]), "good"); /* nothing to release */
	}
	begin_held(NULL, PR_TYPE_EXCLUSIVE_ACCESS_AR);
	IS(out(C, PR_RELEASE, 0xcc, 0, PR_TYPE_EXCLUSIVE_ACCESS_AR), "good");
	IS(state_of(), "g=3 keys=aa,bb,cc");
	IS(ready(A), "6/2A/04");
}

static void test_clear(void **state)
{
	(void)state;
	begin_held(NULL, PR_TYPE_WRITE_EXCLUSIVE_RO);
	IS(out(B, PR_CLEAR, 0xaa, 0, 0), "conflict");
	IS(out(D, PR_CLEAR, 0, 0, 0), "conflict");
	IS(out(B, PR_CLEAR, 0xbb, 0, 0), "good");
	IS(state_of(), "g=4 keys=");
	IS(ready(A), "6/2A/03");
	IS(ready(A), "good");
	IS(ready(B), "good");
	IS(ready(C), "6/2A/03");
}

/* ---- preempting (5.7.11.4, 5.7.11.5) ---- */

static void test_preempt(void **state)
{
	(void)state;
	/* The holder, same type: nobody but the victim is told. */
	begin_held(NULL, PR_TYPE_WRITE_EXCLUSIVE_RO);
	IS(out(B, PR_PREEMPT, 0xbb, 0xaa, PR_TYPE_WRITE_EXCLUSIVE_RO), "good");
	IS(state_of(), "g=4 keys=bb,cc we-ro by bb");
	IS(ready(A), "6/2A/05");
	IS(ready(B), "good");
	IS(ready(C), "good");
	IS(cdb_run(A, 0x2a, 0, 0), "conflict");
	IS(out(A, PR_PREEMPT, 0xaa, 0xbb, PR_TYPE_WRITE_EXCLUSIVE_RO), "conflict"); /* too late */
	/* The holder, another type: the others are told of that. */
	begin_held(NULL, PR_TYPE_WRITE_EXCLUSIVE_RO);
	IS(out(B, PR_PREEMPT, 0xbb, 0xaa, PR_TYPE_EXCLUSIVE_ACCESS), "good");
	IS(state_of(), "g=4 keys=bb,cc ea by bb");
	IS(ready(C), "6/2A/04");
	IS(ready(A), "6/2A/05");
	/* A registrant: the reservation stays, scope and type do not count. */
	begin_held(NULL, PR_TYPE_WRITE_EXCLUSIVE);
	IS(out(B, PR_PREEMPT, 0xbb, 0xcc, 0), "good");
	IS(state_of(), "g=4 keys=aa,bb we by aa");
	IS(ready(C), "6/2A/05");
	IS(ready(A), "good");
	IS(out(B, PR_PREEMPT, 0xbb, 0xcc, 0), "conflict"); /* compare and swap */
	IS(out(B, PR_PREEMPT, 0xb0, 0xaa, 0), "conflict");
	IS(out(D, PR_PREEMPT, 0, 0xaa, 0), "conflict");
	IS(out(B, PR_PREEMPT, 0xbb, 0, PR_TYPE_WRITE_EXCLUSIVE), "5/26/00");
	IS(out(B, PR_PREEMPT, 0xbb, 0xaa, 2), "5/24/00");
	IS(state_of(), "g=4 keys=aa,bb we by aa");
	/* Oneself: the holder changes the type, another one is gone. */
	IS(out(A, PR_PREEMPT, 0xaa, 0xaa, PR_TYPE_EXCLUSIVE_ACCESS_RO), "good");
	IS(state_of(), "g=5 keys=aa,bb ea-ro by aa");
	IS(ready(B), "6/2A/04");
	IS(out(B, PR_PREEMPT, 0xbb, 0xbb, 0), "good");
	IS(state_of(), "g=6 keys=aa ea-ro by aa");
	IS(ready(B), "good");
	/* Without a reservation. */
	begin(NULL);
	IS(out(A, PR_REGISTER, 0, 0xaa, 0), "good");
	IS(out(B, PR_REGISTER, 0, 0xbb, 0), "good");
	IS(out(A, PR_PREEMPT, 0xaa, 0, PR_TYPE_WRITE_EXCLUSIVE), "5/26/00");
	IS(out(A, PR_PREEMPT, 0xaa, 0xbb, PR_TYPE_WRITE_EXCLUSIVE), "good");
	IS(state_of(), "g=3 keys=aa"); /* preempting a key that holds nothing gives nothing */
	/* A key that several have, the holder among them. */
	begin(NULL);
	IS(out(A, PR_REGISTER, 0, 0xaa, 0), "good");
	IS(out(B, PR_REGISTER, 0, 0xaa, 0), "good");
	IS(out(C, PR_REGISTER, 0, 0xcc, 0), "good");
	IS(out(B, PR_RESERVE, 0xaa, 0, PR_TYPE_WRITE_EXCLUSIVE_RO), "good");
	IS(out(C, PR_PREEMPT, 0xcc, 0xaa, PR_TYPE_WRITE_EXCLUSIVE_RO), "good");
	IS(state_of(), "g=4 keys=cc we-ro by cc");
	IS(ready(A), "6/2A/05");
	IS(ready(B), "6/2A/05");
}

static void test_preempt_all_registrants(void **state)
{
	(void)state;
	begin_held(NULL, PR_TYPE_WRITE_EXCLUSIVE_AR);
	IS(out(B, PR_PREEMPT, 0xbb, 0xaa, PR_TYPE_WRITE_EXCLUSIVE), "good"); /* one of them */
	IS(state_of(), "g=4 keys=bb,cc we-ar by 0");
	IS(ready(A), "6/2A/05");
	IS(out(B, PR_PREEMPT, 0xbb, 0, PR_TYPE_EXCLUSIVE_ACCESS), "good"); /* all of them */
	IS(state_of(), "g=5 keys=bb ea by bb");
	IS(ready(C), "6/2A/05");
	begin_held(NULL, PR_TYPE_WRITE_EXCLUSIVE_AR);
	IS(out(A, PR_REGISTER, 0xaa, 0, 0), "good");
	IS(out(C, PR_REGISTER, 0xcc, 0, 0), "good");
	IS(out(B, PR_PREEMPT, 0xbb, 0xbb, 0), "good"); /* the last one preempts itself */
	IS(state_of(), "g=6 keys=");
}

static void test_abort(void **state)
{
	(void)state;
	begin_held(NULL, PR_TYPE_WRITE_EXCLUSIVE_RO);
	m.nexuses[A].outstanding = 3;
	m.nexuses[C].outstanding = 1;
	IS(out(B, PR_PREEMPT, 0xbb, 0xaa, PR_TYPE_WRITE_EXCLUSIVE_RO), "good");
	assert_int_equal(answer.aborted, 0); /* plain: what is under way lands yet */
	begin_held(NULL, PR_TYPE_WRITE_EXCLUSIVE_RO);
	m.nexuses[A].outstanding = 3;
	m.nexuses[C].outstanding = 1;
	IS(out(B, PR_PREEMPT_AND_ABORT, 0xbb, 0xaa, PR_TYPE_WRITE_EXCLUSIVE_RO), "good");
	assert_int_equal(answer.aborted, 1 << A);
	assert_int_equal(m.nexuses[A].outstanding, 0);
	assert_int_equal(m.nexuses[C].outstanding, 1);
	IS(ready(A), "6/2A/05");
	IS(ready(A), "6/2F/00");
	IS(ready(A), "good");
	begin_held(NULL, PR_TYPE_WRITE_EXCLUSIVE_AR);
	IS(out(B, PR_PREEMPT_AND_ABORT, 0xbb, 0, PR_TYPE_WRITE_EXCLUSIVE_RO), "good");
	assert_int_equal(answer.aborted, 1 << A | 1 << C);
}

/* ---- moving (5.7.8) ---- */

static void test_move(void **state)
{
	const struct pr_initiator b = initiator("iqn.test:b,i,0x1"),
				  d = initiator("iqn.test:d,i,0x1"),
				  self = initiator("iqn.test:a,i,0x1");
	struct pr_out move = { .command = PR_REGISTER_AND_MOVE,
			       .key = 0xaa,
			       .service_key = 0xb1,
			       .relative_port = 1,
			       .initiators = &b,
			       .initiators_count = 1 };

	(void)state;
	begin(NULL);
	IS(run_out(A, &move), "5/24/00"); /* nothing to move */
	begin_held(NULL, PR_TYPE_WRITE_EXCLUSIVE_AR);
	IS(run_out(A, &move), "conflict"); /* everybody has it */
	begin_held(NULL, PR_TYPE_WRITE_EXCLUSIVE_RO);
	IS(run_out(B, &move), "conflict"); /* not the holder */
	IS(run_out(D, &move), "conflict");
	move.key = 0xab;
	IS(run_out(A, &move), "conflict");
	move.key = 0xaa;
	move.service_key = 0;
	IS(run_out(A, &move), "5/26/00");
	move.service_key = 0xb1;
	move.initiators = &self;
	IS(run_out(A, &move), "5/26/00");
	move.initiators = &b;
	move.relative_port = 3;
	IS(run_out(A, &move), "5/26/00"); /* no such port */
	move.relative_port = 1;
	IS(state_of(), "g=3 keys=aa,bb,cc we-ro by aa");
	IS(run_out(A, &move), "good");
	IS(state_of(), "g=4 keys=aa,b1,cc we-ro by b1");
	assert_true(pr_model_holds(&m, B) && !pr_model_holds(&m, A));
	/* Back, to one that was not registered, and away oneself. */
	move = (struct pr_out){ .command = PR_REGISTER_AND_MOVE,
				.key = 0xb1,
				.service_key = 0xdd,
				.relative_port = 1,
				.unregister = 1,
				.initiators = &d,
				.initiators_count = 1 };
	IS(run_out(B, &move), "good");
	IS(state_of(), "g=5 keys=aa,cc,dd we-ro by dd");
	assert_true(pr_model_holds(&m, D));
	IS(ready(A), "good");
	IS(ready(B), "good");
}

/* ---- power, reset, loss ---- */

static void test_power(void **state)
{
	(void)state;
	begin_held(NULL, PR_TYPE_WRITE_EXCLUSIVE_RO);
	pr_model_power_cycle(&m);
	for (int i = A; i <= D; i++)
		IS(ready(i), "6/29/00");
	IS(state_of(), "g=0 keys="); /* anybody writes */
	begin_held(NULL, PR_TYPE_WRITE_EXCLUSIVE_RO);
	IS(run_out(B,
		   &(struct pr_out){
			   .command = PR_REGISTER, .key = 0xbb, .service_key = 0xbb, .aptpl = 1 }),
	   "good");
	pr_model_power_cycle(&m);
	IS(ready(D), "6/29/00");
	IS(state_of(), "g=0 keys=aa,bb,cc we-ro by aa");
	IS(ready(A), "6/29/00");
	IS(out(A, PR_REGISTER, 0xaa, 0xaa, 0), "good"); /* APTPL 0 again */
	pr_model_power_cycle(&m);
	IS(ready(D), "6/29/00");
	IS(state_of(), "g=0 keys=");
	begin_held(NULL, PR_TYPE_WRITE_EXCLUSIVE_RO);
	pr_model_reset(&m);
	IS(ready(D), "6/29/03");
	IS(state_of(), "g=3 keys=aa,bb,cc we-ro by aa");
	pr_model_login(&m, A); /* the registration belongs to the nexus, not to the session */
	IS(ready(A), "6/29/00");
	assert_true(pr_model_holds(&m, A));
}

static void test_lost(void **state)
{
	(void)state;
	begin_held(NULL, PR_TYPE_WRITE_EXCLUSIVE_RO);
	IS(out(A, PR_REPLACE_LOST, 0, 0xa1, PR_TYPE_WRITE_EXCLUSIVE), "5/24/00");
	pr_model_lose(&m);
	IS(ready(A), "6/29/00");
	IS(ready(A), "good");
	IS(out(A, PR_REGISTER, 0, 0xaa, 0), "4/44/01");
	IS(cdb_run(A, 0x28, 0, 0), "4/44/01");
	IS(out(A, PR_REPLACE_LOST, 1, 0xa1, PR_TYPE_WRITE_EXCLUSIVE), "5/26/00");
	IS(out(A, PR_REPLACE_LOST, 0, 0, PR_TYPE_WRITE_EXCLUSIVE), "5/26/00");
	IS(out(A, PR_REPLACE_LOST, 0, 0xa1, PR_TYPE_WRITE_EXCLUSIVE), "good");
	IS(ready(D), "6/29/00");
	IS(state_of(), "g=1 keys=a1 we by a1");
}

/* ---- unit attentions ---- */

static void test_attentions(void **state)
{
	struct pr_model_limits limits = { 0 };

	(void)state;
	/* INQUIRY and REPORT LUNS leave it, REQUEST SENSE takes it, a conflict goes first. */
	begin_held(NULL, PR_TYPE_EXCLUSIVE_ACCESS);
	IS(out(B, PR_PREEMPT, 0xbb, 0xaa, PR_TYPE_EXCLUSIVE_ACCESS), "good");
	IS(cdb_run(A, 0x12, 0, 0), "good");
	IS(cdb_run(A, 0xa0, 0, 0), "good");
	IS(cdb_run(A, 0x2a, 0, 0), "conflict");
	IS(cdb_run(A, 0x03, 0, 0), "good");
	assert_int_equal(answer.data[2], 6);
	assert_int_equal(answer.data[13], 5);
	IS(ready(A), "good");
	limits.attention_first = 1;
	begin_held(&limits, PR_TYPE_EXCLUSIVE_ACCESS);
	IS(out(B, PR_PREEMPT, 0xbb, 0xaa, PR_TYPE_EXCLUSIVE_ACCESS), "good");
	IS(cdb_run(A, 0x2a, 0, 0), "6/2A/05");
	IS(cdb_run(A, 0x2a, 0, 0), "conflict");
	/* The same one is told once, or as often as it happened. */
	for (int repeat = 0; repeat < 2; repeat++) {
		limits.attentions_repeat = repeat;
		begin_held(&limits, PR_TYPE_WRITE_EXCLUSIVE_RO);
		for (int i = 0; i < 2; i++) {
			IS(out(A, PR_RELEASE, 0xaa, 0, PR_TYPE_WRITE_EXCLUSIVE_RO), "good");
			IS(out(A, PR_RESERVE, 0xaa, 0, PR_TYPE_WRITE_EXCLUSIVE_RO), "good");
		}
		IS(ready(B), "6/2A/04");
		IS(ready(B), repeat ? "6/2A/04" : "good");
		IS(ready(B), "good");
	}
}

/* ---- commands that are wrong ---- */

static void test_malformed(void **state)
{
	uint8_t cdb[16] = { 0x5f }, list[64] = { 0 };

	(void)state;
	begin(NULL);
	for (size_t bytes = 0; bytes <= sizeof list; bytes++) {
		cdb[8] = (uint8_t)bytes;
		pr_model_command(&m, A, cdb, list, bytes, &answer);
		IS(word(), bytes == 24 ? "good" : "5/1A/00");
	}
	cdb[8] = 24;
	pr_model_command(&m, A, cdb, list, 20, &answer);
	IS(word(), "5/1A/00"); /* the list is shorter than it says */
	cdb[1] = 9;
	pr_model_command(&m, A, cdb, list, 24, &answer);
	IS(word(), "5/24/00");
	cdb[0] = 0x5e;
	pr_model_command(&m, A, cdb, NULL, 0, &answer);
	IS(word(), "5/24/00");
	/* An answer ends where the allocation length does. */
	cdb[1] = 0;
	cdb[8] = 12;
	IS(out(A, PR_REGISTER, 0, 0xaa, 0), "good");
	pr_model_command(&m, A, cdb, NULL, 0, &answer);
	IS(word(), "good");
	assert_int_equal(answer.bytes, 12);
}

/* ---- READ FULL STATUS, REPORT CAPABILITIES, and what tgt lacks ---- */

static void test_full_status(void **state)
{
	uint8_t cdb[16] = { 0 };
	struct pr_full_status walk;
	struct pr_registration one;
	char text[PR_INITIATOR_TEXT_BYTES];

	(void)state;
	pr_in_encode(PR_READ_FULL_STATUS, cdb);
	for (int all = 0; all < 2; all++) {
		begin_held(NULL, all ? PR_TYPE_WRITE_EXCLUSIVE_AR : PR_TYPE_WRITE_EXCLUSIVE_RO);
		pr_model_command(&m, D, cdb, NULL, 0, &answer);
		assert_int_equal(pr_full_status_in(answer.data, answer.bytes, &walk, &err), 0);
		assert_int_equal(walk.generation, 3);
		for (int i = A; i <= C; i++) {
			assert_int_equal(pr_full_status_next(&walk, &one, &err), 1);
			assert_int_equal(one.key, 0xaa + 0x11 * i);
			assert_int_equal(one.is_holder, all || i == A);
			assert_int_equal(one.relative_port, 1);
			IS(pr_initiator_text(&one.initiator, text),
			   i == A   ? "iqn.test:a,i,0x000000000001"
			   : i == B ? "iqn.test:b,i,0x000000000001"
				    : "iqn.test:c,i,0x000000000001");
		}
		assert_int_equal(pr_full_status_next(&walk, &one, &err), 0);
	}
}

static void test_limits(void **state)
{
	struct pr_model_limits tgt;
	struct pr_capabilities all;
	uint8_t cdb[16] = { 0 };

	(void)state;
	pr_model_limits_tgt(&tgt);
	begin_held(&tgt, PR_TYPE_WRITE_EXCLUSIVE_RO);
	pr_in_encode(PR_REPORT_CAPABILITIES, cdb);
	pr_model_command(&m, D, cdb, NULL, 0, &answer);
	assert_int_equal(pr_capabilities_in(answer.data, answer.bytes, &all, &err), 0);
	assert_true(!all.persists && !all.specifies_ports && !all.all_target_ports &&
		    all.types == 0x1ea);
	pr_in_encode(PR_READ_FULL_STATUS, cdb);
	pr_model_command(&m, D, cdb, NULL, 0, &answer);
	IS(word(), "5/24/00");
	IS(out(B, PR_PREEMPT_AND_ABORT, 0xbb, 0xaa, 5), "5/24/00");
	IS(run_out(B,
		   &(struct pr_out){
			   .command = PR_REGISTER, .key = 0xbb, .service_key = 0xbb, .aptpl = 1 }),
	   "5/24/00");
	IS(out(B, PR_PREEMPT, 0xbb, 0xaa, 5), "good");
	IS(ready(A), "6/2A/03");
	/* A new session leaves the registration behind; the reservation stays with nobody. */
	pr_model_login(&m, B);
	IS(ready(B), "6/29/00");
	IS(out(B, PR_REGISTER, 0xbb, 0xbb, 0), "conflict");
	IS(out(B, PR_REGISTER, 0, 0xbb, 0), "good");
	IS(state_of(), "g=5 keys=bb,cc,bb we-ro by bb");
	assert_false(pr_model_holds(&m, B));
	IS(out(B, PR_PREEMPT, 0xbb, 0xbb, 5), "good");
	IS(state_of(), "g=6 keys=cc,bb we-ro by bb");
	assert_true(pr_model_holds(&m, B));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_access_table),
		cmocka_unit_test(test_out_table),
		cmocka_unit_test(test_register),
		cmocka_unit_test(test_unregister_holder),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_preempt),
		cmocka_unit_test(test_preempt_all_registrants),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_power),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_attentions),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_full_status),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
