/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_pr_wire.c - reservation commands and answers byte by byte, sense data, keys and names.
 *
 * The bytes of commands are those that sg_persist 1.46 prints with -vv for the options named
 * beside each; answers are written out from the tables of SPC-4.
 * LINK: base lockd/pr_cdb_wire.c lockd/pr_sense_wire.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lockd/pr_cdb_wire.h"
#include "lockd/pr_sense_wire.h"

static struct err err;

/* ---- commands ---- */

static void test_in(void **state)
{
	static const struct {
		enum pr_command command;
		uint8_t action;
		uint16_t bytes;
	} rows[] = {
		{ PR_READ_KEYS, 0, 8 + 8 * PR_KEYS_MAX },
		{ PR_READ_RESERVATION, 1, 24 },
		{ PR_REPORT_CAPABILITIES, 2, 8 },
		{ PR_READ_FULL_STATUS, 3, PR_ANSWER_BYTES_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		/* "Persistent reservation in cdb: [5e SA 00 00 00 00 00 LL LL 00]" */
		const uint8_t want[PR_CDB_BYTES] = {
			0x5e, rows[i].action, [7] = (uint8_t)(rows[i].bytes >> 8),
			[8] = (uint8_t)rows[i].bytes
		};
		uint8_t cdb[PR_CDB_BYTES];

		assert_int_equal(pr_in_encode(rows[i].command, cdb), rows[i].bytes);
		assert_memory_equal(cdb, want, sizeof want);
		assert_int_equal(pr_cdb_command(cdb), rows[i].command);
		assert_int_equal(pr_cdb_bytes(cdb), rows[i].bytes);
	}
}

static struct pr_initiator initiator(const char *text)
{
	struct pr_initiator id;

	assert_int_equal(pr_initiator_parse(text, &id, &err), 0);
	return id;
}

/* Encode, compare, decode, encode again. */
static void check_out(const struct pr_out *out, const uint8_t *cdb, const uint8_t *list,
		      uint32_t bytes)
{
	uint8_t got_cdb[PR_CDB_BYTES], got[PR_LIST_BYTES_MAX], again[PR_LIST_BYTES_MAX];
	struct pr_initiator ids[PR_INITIATORS_MAX];
	struct pr_out back;

	assert_int_equal(pr_out_encode(out, got_cdb, got, &err), bytes);
	assert_memory_equal(got_cdb, cdb, PR_CDB_BYTES);
	assert_memory_equal(got, list, bytes);
	assert_int_equal(pr_cdb_command(got_cdb), out->command);
	assert_int_equal(pr_cdb_bytes(got_cdb), bytes);
	assert_int_equal(pr_out_decode(got_cdb, got, bytes, &back, ids), PR_MEANS_GOOD);
	assert_int_equal(back.key, out->key);
	assert_int_equal(back.service_key, out->service_key);
	assert_int_equal(back.aptpl, out->aptpl);
	assert_int_equal(back.unregister, out->unregister);
	assert_int_equal(back.all_target_ports, out->all_target_ports);
	assert_int_equal(pr_out_encode(&back, got_cdb, again, &err), bytes);
	assert_memory_equal(again, list, bytes);
	/* Every byte less or more is noticed. */
	for (uint32_t cut = 0; cut < bytes; cut++)
		assert_int_not_equal(pr_out_decode(got_cdb, got, cut, &back, ids), PR_MEANS_GOOD);
	memset(got + bytes, 0, 4);
	assert_int_equal(pr_out_decode(got_cdb, got, bytes + 4, &back, ids),
			 PR_MEANS_INVALID_LENGTH);
}

#define KEYS_NONE 0, 0, 0, 0, 0, 0, 0, 0
#define KEY_A 0, 0, 0, 0, 0, 0x12, 0x3a, 0xbc
#define KEY_B 0, 0, 0, 0, 0, 0x45, 0x6d, 0xef
#define CDB(action, type, length)                                                                  \
	((const uint8_t[]){ 0x5f, action, type, 0, 0, 0, 0, 0, length, 0 })
#define LIST(...) ((const uint8_t[]){ __VA_ARGS__ }), sizeof((uint8_t[]){ __VA_ARGS__ })

static void test_out_basic(void **state)
{
	(void)state;
	/* --out --register --param-sark=123abc */
	check_out(&(struct pr_out){ .command = PR_REGISTER, .service_key = 0x123abc },
		  CDB(0, 0, 0x18), LIST(KEYS_NONE, KEY_A, KEYS_NONE));
	/* --out --reserve --param-rk=123abc --prout-type=5 */
	check_out(&(struct pr_out){ .command = PR_RESERVE, .key = 0x123abc, .type = 5 },
		  CDB(1, 5, 0x18), LIST(KEY_A, KEYS_NONE, KEYS_NONE));
	/* --out --release --param-rk=123abc --prout-type=5 */
	check_out(&(struct pr_out){ .command = PR_RELEASE, .key = 0x123abc, .type = 5 },
		  CDB(2, 5, 0x18), LIST(KEY_A, KEYS_NONE, KEYS_NONE));
	/* --out --clear --param-rk=123abc */
	check_out(&(struct pr_out){ .command = PR_CLEAR, .key = 0x123abc }, CDB(3, 0, 0x18),
		  LIST(KEY_A, KEYS_NONE, KEYS_NONE));
	/* --out --preempt --param-rk=123abc --param-sark=456def --prout-type=5 */
	check_out(&(struct pr_out){ .command = PR_PREEMPT,
				    .key = 0x123abc,
				    .service_key = 0x456def,
				    .type = 5 },
		  CDB(4, 5, 0x18), LIST(KEY_A, KEY_B, KEYS_NONE));
	/* --out --preempt-abort --param-rk=123abc --param-sark=456def --prout-type=7 */
	check_out(&(struct pr_out){ .command = PR_PREEMPT_AND_ABORT,
				    .key = 0x123abc,
				    .service_key = 0x456def,
				    .type = 7 },
		  CDB(5, 7, 0x18), LIST(KEY_A, KEY_B, KEYS_NONE));
	/* --out --register-ignore --param-sark=123abc --param-aptpl --param-alltgpt */
	check_out(&(struct pr_out){ .command = PR_REGISTER_AND_IGNORE,
				    .service_key = 0x123abc,
				    .aptpl = 1,
				    .all_target_ports = 1 },
		  CDB(6, 0, 0x18), LIST(KEYS_NONE, KEY_A, 0, 0, 0, 0, 5, 0, 0, 0));
	/* --out --replace-lost --param-sark=1 --prout-type=5 */
	check_out(&(struct pr_out){ .command = PR_REPLACE_LOST, .service_key = 1, .type = 5 },
		  CDB(8, 5, 0x18), LIST(KEYS_NONE, 0, 0, 0, 0, 0, 0, 0, 1, KEYS_NONE));
}

static void test_out_ports(void **state)
{
	const struct pr_initiator sas = initiator("sas:5000c50005b32001");
	const struct pr_initiator fc = initiator("fc:10000000c9f3a571");
	const struct pr_initiator iscsi = initiator("iqn.1994-05.com.redhat:a,i,0x00023d000001");

	(void)state;
	/* --out --register --param-sark=123abc -X sas,5000c50005b32001 */
	check_out(&(struct pr_out){ .command = PR_REGISTER,
				    .service_key = 0x123abc,
				    .initiators = &sas,
				    .initiators_count = 1 },
		  CDB(0, 0, 0x34),
		  LIST(KEYS_NONE, KEY_A, 0, 0, 0, 0, 8, 0, 0, 0, /**/
		       0, 0, 0, 0x18, 6, 0, 0, 0, 0x50, 0, 0xc5, 0, 5, 0xb3, 0x20, 1, KEYS_NONE, 0,
		       0, 0, 0));
	/* --out --register-move --param-rk=123abc --param-sark=456def --relative-target-port=2
	 * --transport-id=fcp,10000000c9f3a571 */
	check_out(&(struct pr_out){ .command = PR_REGISTER_AND_MOVE,
				    .key = 0x123abc,
				    .service_key = 0x456def,
				    .relative_port = 2,
				    .initiators = &fc,
				    .initiators_count = 1 },
		  CDB(7, 0, 0x30),
		  LIST(KEY_A, KEY_B, 0, 0, 0, 2, 0, 0, 0, 0x18, KEYS_NONE, 0x10, 0, 0, 0, 0xc9,
		       0xf3, 0xa5, 0x71, KEYS_NONE));
	/* --out --register-move ... --relative-target-port=1 --unreg
	 * --transport-id=iqn.1994-05.com.redhat:a,i,0x00023d000001 */
	check_out(&(struct pr_out){ .command = PR_REGISTER_AND_MOVE,
				    .key = 0x123abc,
				    .service_key = 0x456def,
				    .relative_port = 1,
				    .unregister = 1,
				    .initiators = &iscsi,
				    .initiators_count = 1 },
		  CDB(7, 0, 0x48),
		  LIST(KEY_A, KEY_B, 0, 2, 0, 1, 0, 0, 0, 0x30, 0x45, 0, 0, 0x2c, 'i', 'q', 'n',
		       '.', '1', '9', '9', '4', '-', '0', '5', '.', 'c', 'o', 'm', '.', 'r', 'e',
		       'd', 'h', 'a', 't', ':', 'a', ',', 'i', ',', '0', 'x', '0', '0', '0', '2',
		       '3', 'd', '0', '0', '0', '0', '0', '1', 0, 0, 0));
}

static void test_out_refused(void **state)
{
	const struct pr_initiator ids[PR_INITIATORS_MAX + 1] = { initiator("iqn.a:b") };
	uint8_t cdb[PR_CDB_BYTES], list[PR_LIST_BYTES_MAX];
	const struct pr_out wrong[] = {
		{ .command = PR_RESERVE, .aptpl = 1 },
		{ .command = PR_PREEMPT, .all_target_ports = 1 },
		{ .command = PR_REGISTER, .unregister = 1 },
		{ .command = PR_REGISTER_AND_MOVE },
		{ .command = PR_REGISTER_AND_MOVE, .initiators = ids, .initiators_count = 2 },
		{ .command = PR_CLEAR, .initiators = ids, .initiators_count = 1 },
		{ .command = PR_REGISTER_AND_IGNORE, .initiators = ids, .initiators_count = 1 },
		{ .command = PR_REGISTER,
		  .initiators = ids,
		  .initiators_count = PR_INITIATORS_MAX + 1 },
		{ .command = PR_REGISTER,
		  .initiators = &(struct pr_initiator){ .protocol = 9 },
		  .initiators_count = 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		memset(&err, 0, sizeof err);
		assert_int_equal(pr_out_encode(&wrong[i], cdb, list, &err), 0);
		assert_int_equal(err.rc, RC_CONFIG);
		assert_true(err.text[0] && err.next[0]);
	}
	/* As many as fit, with names as long as they may be. */
	{
		struct pr_initiator long_ids[PR_INITIATORS_MAX];
		const struct pr_out most = { .command = PR_REGISTER,
					     .service_key = 1,
					     .initiators = long_ids,
					     .initiators_count = PR_INITIATORS_MAX };

		for (int i = 0; i < PR_INITIATORS_MAX; i++) {
			long_ids[i] = initiator("iqn.a,i,0x1");
			memset(long_ids[i].name + 4, 'x', sizeof long_ids[i].name - 5);
		}
		assert_int_equal(pr_out_encode(&most, cdb, list, &err),
				 28 + PR_INITIATORS_MAX * (4 + 244));
	}
	/* No service action of either. */
	assert_int_equal(pr_cdb_command((const uint8_t[PR_CDB_BYTES]){ 0x5e, 4 }), PR_COMMANDS);
	assert_int_equal(pr_cdb_command((const uint8_t[PR_CDB_BYTES]){ 0x5f, 9 }), PR_COMMANDS);
	assert_int_equal(pr_cdb_command((const uint8_t[PR_CDB_BYTES]){ 0x28, 0 }), PR_COMMANDS);
}

/* ---- answers ---- */

/* Every prefix of an answer, in memory of exactly that length. */
#define EACH_PREFIX(data, cut, copy)                                                               \
	for (size_t cut = 0; cut <= sizeof(data); cut++)                                           \
		for (uint8_t *copy = memcpy(test_malloc(cut ? cut : 1), data, cut); copy;          \
		     test_free(copy), copy = NULL)

static void test_keys(void **state)
{
	static const uint8_t data[] = { 0, 0, 1, 2, 0, 0, 0, 24,    1,
					2, 3, 4, 5, 6, 7, 8, KEY_A, KEY_B };
	static struct pr_keys keys;
	uint8_t back[sizeof data];

	(void)state;
	assert_int_equal(pr_keys_in(data, sizeof data, &keys, &err), 0);
	assert_int_equal(keys.generation, 0x102);
	assert_int_equal(keys.count, 3);
	assert_int_equal(keys.total, 3);
	assert_true(keys.key[0] == 0x0102030405060708 && keys.key[2] == 0x456def);
	assert_int_equal(pr_keys_out(&keys, back, sizeof back), sizeof data);
	assert_memory_equal(back, data, sizeof data);
	EACH_PREFIX(data, cut, copy)
	{
		assert_int_equal(pr_keys_in(copy, cut, &keys, &err), cut < 8 ? RC_PROTOCOL : 0);
		assert_int_equal(keys.count, cut < 8 ? 0 : (cut - 8) / 8);
		assert_int_equal(keys.total, cut < 8 ? 0 : 3);
	}
	/* Padding behind the list does not count. */
	assert_int_equal(pr_keys_in((const uint8_t[32]){ [7] = 8, [15] = 9 }, 32, &keys, &err), 0);
	assert_int_equal(keys.count, 1);
	assert_int_equal(pr_keys_in((const uint8_t[16]){ [7] = 7 }, 16, &keys, &err), RC_PROTOCOL);
	/* More than fit. */
	{
		static uint8_t many[8 + 8 * (PR_KEYS_MAX + 2)];

		many[6] = (uint8_t)(8 * (PR_KEYS_MAX + 2) >> 8);
		many[7] = (uint8_t)(8 * (PR_KEYS_MAX + 2));
		assert_int_equal(pr_keys_in(many, sizeof many, &keys, &err), 0);
		assert_int_equal(keys.count, PR_KEYS_MAX);
		assert_int_equal(keys.total, PR_KEYS_MAX + 2);
	}
}

static void test_reservation(void **state)
{
	static const uint8_t none[] = { 0, 0, 0, 7, 0, 0, 0, 0 };
	static const uint8_t held[] = { 0, 0, 0, 7, 0, 0, 0, 16, KEY_A, 0, 0, 0, 0, 0, 5, 0, 0 };
	struct pr_reservation reservation;
	uint8_t wrong[sizeof held], back[sizeof held];

	(void)state;
	assert_int_equal(pr_reservation_in(none, sizeof none, &reservation, &err), 0);
	assert_int_equal(reservation.is_held, 0);
	assert_int_equal(reservation.generation, 7);
	assert_int_equal(pr_reservation_in(held, sizeof held, &reservation, &err), 0);
	assert_int_equal(reservation.is_held, 1);
	assert_int_equal(reservation.key, 0x123abc);
	assert_int_equal(reservation.type, PR_TYPE_WRITE_EXCLUSIVE_RO);
	assert_int_equal(pr_reservation_out(&reservation, back, sizeof back), sizeof held);
	assert_memory_equal(back, held, sizeof held);
	/* Half a reservation is none that one could believe, and not "no reservation". */
	EACH_PREFIX(held, cut, copy)
	{
		assert_int_equal(pr_reservation_in(copy, cut, &reservation, &err),
				 cut < sizeof held ? RC_PROTOCOL : 0);
		assert_int_equal(reservation.is_held, cut == sizeof held);
	}
	for (unsigned type = 0; type < 256; type++) {
		int known = type == 1 || type == 3 || (type >= 5 && type <= 8);

		memcpy(wrong, held, sizeof held);
		wrong[21] = (uint8_t)type;
		assert_int_equal(pr_reservation_in(wrong, sizeof wrong, &reservation, &err),
				 known ? 0 : RC_PROTOCOL);
	}
}

static void test_capabilities(void **state)
{
	/* As LIO answers: CRH, SIP_C, ATP_C, PTPL_C; TMV, PTPL_A; all six types. */
	static const uint8_t data[] = { 0, 8, 0x1d, 0x81, 0xea, 0x01, 0, 0 };
	static const uint8_t lost[] = { 0, 8, 0x80, 0x20, 0xea, 0x01, 0, 0 };
	static const uint8_t reserved[] = { 0, 8, 0x62, 0x8e, 0xff, 0xff, 0xff, 0xff };
	struct pr_capabilities all;
	uint8_t back[sizeof data];

	(void)state;
	assert_int_equal(pr_capabilities_in(data, sizeof data, &all, &err), 0);
	assert_true(all.handles_reserve && all.specifies_ports && all.all_target_ports &&
		    all.persists && all.persistence_active && all.has_types && !all.replaces_lost);
	assert_int_equal(all.types, 0x1ea);
	assert_int_equal(pr_capabilities_out(&all, back, sizeof back), sizeof data);
	assert_memory_equal(back, data, sizeof data);
	assert_int_equal(pr_capabilities_in(lost, sizeof lost, &all, &err), 0);
	assert_true(all.replaces_lost && !all.has_types && all.types == 0);
	assert_int_equal(all.allow_commands, 2);
	assert_int_equal(pr_capabilities_in(reserved, sizeof reserved, &all, &err), 0);
	assert_true(all.types == 0x1ea && !all.persists && !all.replaces_lost);
	for (size_t cut = 0; cut < sizeof data; cut++)
		assert_int_equal(pr_capabilities_in(data, cut, &all, &err), RC_PROTOCOL);
	assert_int_equal(pr_capabilities_in((const uint8_t[8]){ 0, 7 }, 8, &all, &err),
			 RC_PROTOCOL);
}

static void test_full_status(void **state)
{
	struct pr_registration list[4] = {
		{ .key = 0x123abc,
		  .is_holder = 1,
		  .type = 5,
		  .relative_port = 1,
		  .has_initiator = 1,
		  .initiator = initiator("iqn.1994-05.com.redhat:a,i,0x00023d000001") },
		{ .key = 0x456def,
		  .all_target_ports = 1,
		  .has_initiator = 1,
		  .initiator = initiator("fc:10000000c9f3a571") },
		{ .key = 7, .relative_port = 3 },
		{ .key = 8,
		  .relative_port = 258,
		  .has_initiator = 1,
		  .initiator = initiator("srp:000102030405060708090a0b0c0d0e0f") },
	};
	uint8_t data[512], small[60];
	size_t bytes = pr_full_status_out(9, list, 4, data, sizeof data);
	struct pr_registration one;
	struct pr_full_status walk;

	(void)state;
	assert_int_equal(bytes, 8 + 24 + 48 + 24 + 24 + 24 + 24 + 24);
	assert_memory_equal(data + 8,
			    ((const uint8_t[]){ KEY_A, 0, 0, 0, 0, 1,  5,    0, 0, 0,	 0,
						0,     1, 0, 0, 0, 48, 0x45, 0, 0, 0x2c, 'i' }),
			    29);
	assert_int_equal(pr_full_status_in(data, bytes, &walk, &err), 0);
	assert_int_equal(walk.generation, 9);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pr_full_status_next(&walk, &one, &err), 1);
		assert_memory_equal(&one, &list[i], sizeof one);
	}
	assert_int_equal(pr_full_status_next(&walk, &one, &err), 0);
	/* Cut anywhere: whole descriptors, and the word that there would be more. */
	for (size_t cut = 0; cut < bytes; cut++) {
		uint8_t *copy = memcpy(test_malloc(cut + 1), data, cut);
		int rc = pr_full_status_in(copy, cut, &walk, &err), count = 0;

		assert_int_equal(rc, cut < 8 ? RC_PROTOCOL : 0);
		while (rc == 0 && pr_full_status_next(&walk, &one, &err) == 1)
			count++;
		assert_true(rc != 0 || walk.is_cut);
		assert_true(count < 4);
		test_free(copy);
	}
	assert_int_equal(pr_full_status_out(9, list, 4, small, sizeof small), bytes);
	assert_memory_equal(small, data, sizeof small);
	/* A descriptor that says it is longer than everything. */
	data[8 + 20] = 0xff;
	assert_int_equal(pr_full_status_in(data, bytes, &walk, &err), 0);
	assert_int_equal(pr_full_status_next(&walk, &one, &err), RC_PROTOCOL);
	assert_int_equal(pr_full_status_next(&walk, &one, &err), 0);
}

/* ---- names ---- */

static void test_initiators(void **state)
{
	static const char *const good[] = {
		"iqn.1994-05.com.redhat:a", "iqn.2026-01.test:n1,i,0x400001370000",
		"eui.0123456789abcdef",	    "fc:10000000c9f3a571",
		"sas:5000c50005b32001",	    "srp:000102030405060708090a0b0c0d0e0f",
	};
	static const char *const bad[] = {
		"",	   "node1",	 "fc:1",	"fc:10000000c9f3a57x",
		"iqn.a b", "iqn.a,i,0x", "iqn.a,i,0xg", "iqn.a,i,0x1234567890123",
		"iqn",	   "FC:",	 "sas:",	"sas:5000c50005b3200100",
	};
	char text[PR_INITIATOR_TEXT_BYTES];
	struct pr_initiator id, back;
	uint8_t data[PR_TRANSPORT_ID_BYTES_MAX + 4];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		size_t used, bytes;

		assert_int_equal(pr_initiator_parse(good[i], &id, &err), 0);
		assert_string_equal(pr_initiator_text(&id, text), good[i]);
		bytes = pr_initiator_out(&id, data, sizeof data);
		assert_true(bytes >= 24 && bytes % 4 == 0);
		assert_int_equal(pr_initiator_in(data, bytes, &back, &used, &err), 0);
		assert_int_equal(used, bytes);
		assert_memory_equal(&back, &id, sizeof id);
		for (size_t cut = 0; cut < bytes; cut++)
			assert_int_equal(pr_initiator_in(data, cut, &back, &used, &err),
					 RC_PROTOCOL);
		assert_int_equal(pr_initiator_out(&id, data, bytes - 1), 0);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		memset(&err, 0, sizeof err);
		assert_int_equal(pr_initiator_parse(bad[i], &id, &err), RC_CONFIG);
		assert_non_null(strstr(err.text, bad[i]));
	}
	/* A protocol of tomorrow is told as such. */
	memset(data, 0, sizeof data);
	data[0] = 0x0a;
	{
		size_t used;

		assert_int_equal(pr_initiator_in(data, 24, &id, &used, &err), 0);
		assert_string_equal(pr_initiator_text(&id, text), "protocol-10");
	}
}

static void test_words(void **state)
{
	char text[PR_KEY_TEXT_BYTES];
	static const char *const bad[] = {
		"",	  "0x",	     "0x0",	     "0x12345678901234567",
		"10001",  "badcafe", "0xg",	     "0:1:1",
		"1:2",	  "1:2:3:4", "1:65536:1",    "1:1:65536",
		"1:-1:1", "0x12 ",   "123456789:1:1"
	};
	uint64_t key = pr_key_make(0x0badcafe, 3, 500), read;

	(void)state;
	assert_true(key == UINT64_C(0x0badcafe000301f4));
	assert_string_equal(pr_key_text(key, text), "0x0badcafe000301f4");
	assert_int_equal(pr_key_parse(text, &read, &err), 0);
	assert_true(read == key);
	assert_int_equal(pr_key_parse("badcafe:3:500", &read, &err), 0);
	assert_true(read == key);
	assert_int_equal(pr_key_cluster(key), 0x0badcafe);
	assert_int_equal(pr_key_node(key), 3);
	assert_int_equal(pr_key_incarnation(key), 500);
	assert_true(pr_key_is_same_node(key, pr_key_make(0x0badcafe, 3, 501)));
	assert_false(pr_key_is_same_node(key, pr_key_make(0x0badcafe, 4, 500)));
	assert_int_equal(pr_key_parse("0x1", &read, &err), 0);
	assert_true(read == 1);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		memset(&err, 0, sizeof err);
		assert_int_equal(pr_key_parse(bad[i], &read, &err), RC_CONFIG);
		assert_true(err.next[0]);
	}
	assert_int_equal(pr_type_parse("we-ro"), PR_TYPE_WRITE_EXCLUSIVE_RO);
	assert_int_equal(pr_type_parse("8"), PR_TYPE_EXCLUSIVE_ACCESS_AR);
	assert_int_equal(pr_type_parse("2"), PR_TYPE_NONE);
	assert_int_equal(pr_type_parse("55"), PR_TYPE_NONE);
	assert_string_equal(pr_type_name(2), "unknown");
	assert_string_equal(pr_command_word(PR_COMMANDS), "unknown command");
}

/* ---- sense ---- */

static struct pr_reply reply_of(uint8_t key, uint8_t asc, uint8_t ascq, int descriptor)
{
	uint8_t sense[PR_SENSE_FIXED_BYTES];
	size_t bytes = pr_sense_out(key, asc, ascq, descriptor, sense);
	struct pr_reply reply;
	uint8_t *exact = memcpy(test_malloc(bytes), sense, bytes);

	pr_reply_in(PR_STATUS_CHECK_CONDITION, exact, bytes, &reply);
	test_free(exact);
	assert_int_equal(reply.sense_key, key);
	assert_int_equal(reply.asc, asc);
	assert_int_equal(reply.ascq, ascq);
	return reply;
}

static void test_sense(void **state)
{
	static const struct {
		uint8_t key, asc, ascq;
		enum pr_meaning meaning;
		enum pr_attention attention;
	} rows[] = {
		{ 6, 0x2a, 0x03, PR_MEANS_ATTENTION, PR_ATTENTION_RESERVATIONS_PREEMPTED },
		{ 6, 0x2a, 0x04, PR_MEANS_ATTENTION, PR_ATTENTION_RESERVATIONS_RELEASED },
		{ 6, 0x2a, 0x05, PR_MEANS_ATTENTION, PR_ATTENTION_REGISTRATIONS_PREEMPTED },
		{ 6, 0x2a, 0x09, PR_MEANS_ATTENTION, PR_ATTENTION_CAPACITY_CHANGED },
		{ 6, 0x2a, 0x01, PR_MEANS_ATTENTION, PR_ATTENTION_OTHER },
		{ 6, 0x29, 0x00, PR_MEANS_ATTENTION, PR_ATTENTION_RESET },
		{ 6, 0x29, 0x07, PR_MEANS_ATTENTION, PR_ATTENTION_RESET },
		{ 6, 0x2f, 0x00, PR_MEANS_ATTENTION, PR_ATTENTION_COMMANDS_CLEARED },
		{ 6, 0x3f, 0x0e, PR_MEANS_ATTENTION, PR_ATTENTION_LUNS_CHANGED },
		{ 6, 0x3f, 0x03, PR_MEANS_ATTENTION, PR_ATTENTION_OTHER },
		{ 5, 0x20, 0x00, PR_MEANS_INVALID_COMMAND, PR_ATTENTION_NONE },
		{ 5, 0x24, 0x00, PR_MEANS_INVALID_FIELD, PR_ATTENTION_NONE },
		{ 5, 0x25, 0x00, PR_MEANS_NO_UNIT, PR_ATTENTION_NONE },
		{ 5, 0x26, 0x00, PR_MEANS_INVALID_PARAMETER, PR_ATTENTION_NONE },
		{ 5, 0x26, 0x02, PR_MEANS_INVALID_PARAMETER, PR_ATTENTION_NONE },
		{ 5, 0x26, 0x04, PR_MEANS_INVALID_RELEASE, PR_ATTENTION_NONE },
		{ 5, 0x1a, 0x00, PR_MEANS_INVALID_LENGTH, PR_ATTENTION_NONE },
		{ 5, 0x55, 0x04, PR_MEANS_NO_ROOM, PR_ATTENTION_NONE },
		{ 5, 0x39, 0x00, PR_MEANS_REFUSED, PR_ATTENTION_NONE },
		{ 7, 0x27, 0x00, PR_MEANS_REFUSED, PR_ATTENTION_NONE },
		{ 2, 0x04, 0x01, PR_MEANS_NOT_READY, PR_ATTENTION_NONE },
		{ 0xb, 0x47, 0x00, PR_MEANS_ABORTED, PR_ATTENTION_NONE },
		{ 3, 0x11, 0x00, PR_MEANS_FAILED, PR_ATTENTION_NONE },
		{ 4, 0x44, 0x00, PR_MEANS_FAILED, PR_ATTENTION_NONE },
		{ 4, 0x44, 0x01, PR_MEANS_INFORMATION_LOST, PR_ATTENTION_NONE },
		{ 0, 0x00, 0x00, PR_MEANS_FAILED, PR_ATTENTION_NONE },
		{ 1, 0x17, 0x00, PR_MEANS_GOOD, PR_ATTENTION_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (int descriptor = 0; descriptor < 2; descriptor++) {
			struct pr_reply reply = reply_of(rows[i].key, rows[i].asc, rows[i].ascq,
							 descriptor);

			assert_int_equal(reply.meaning, rows[i].meaning);
			assert_int_equal(reply.attention, rows[i].attention);
		}
}

static void test_status(void **state)
{
	static const uint8_t deferred[] = { 0x71, 0, 6, 0,    0, 0, 0, 10, 0,
					    0,	  0, 0, 0x2a, 3, 0, 0, 0,  0 };
	uint8_t sense[PR_SENSE_FIXED_BYTES];
	struct pr_reply reply;
	char text[160];

	(void)state;
	pr_reply_in(0x18, NULL, 0, &reply);
	assert_int_equal(reply.meaning, PR_MEANS_CONFLICT);
	assert_string_equal(pr_reply_text(&reply, text, sizeof text), "RESERVATION CONFLICT");
	pr_reply_in(0x08, NULL, 0, &reply);
	assert_int_equal(reply.meaning, PR_MEANS_BUSY);
	pr_reply_in(0x28, NULL, 0, &reply);
	assert_int_equal(reply.meaning, PR_MEANS_BUSY);
	pr_reply_in(0x40, NULL, 0, &reply);
	assert_int_equal(reply.meaning, PR_MEANS_ABORTED);
	/* Of all statuses only two are good, and none that is unknown. */
	for (unsigned status = 0; status < 256; status++) {
		pr_reply_in((uint8_t)status, NULL, 0, &reply);
		assert_int_equal(reply.meaning == PR_MEANS_GOOD, status == 0 || status == 4);
	}
	/* Sense that is missing, cut or of no format: unknown, never good. */
	pr_sense_out(5, 0x24, 0, 0, sense);
	for (size_t cut = 0; cut < 13; cut++) {
		uint8_t *exact = memcpy(test_malloc(cut + 1), sense, cut);

		pr_reply_in(0x02, exact, cut, &reply);
		assert_int_equal(reply.meaning, cut < 3 ? PR_MEANS_FAILED : PR_MEANS_REFUSED);
		test_free(exact);
	}
	sense[7] = 4; /* ADDITIONAL SENSE LENGTH ends before the code */
	pr_reply_in(0x02, sense, sizeof sense, &reply);
	assert_int_equal(reply.meaning, PR_MEANS_REFUSED);
	sense[0] = 0x7f;
	pr_reply_in(0x02, sense, sizeof sense, &reply);
	assert_int_equal(reply.meaning, PR_MEANS_FAILED);
	pr_reply_in(0x02, deferred, sizeof deferred, &reply);
	assert_int_equal(reply.meaning, PR_MEANS_FAILED);
	reply = reply_of(6, 0x2a, 5, 0);
	assert_non_null(strstr(pr_reply_text(&reply, text, sizeof text), "2A/05"));
	/* What may have acted is exactly what is good or unknown. */
	for (int m = 0; m < PR_MEANINGS; m++)
		assert_int_equal(pr_meaning_may_have_acted((enum pr_meaning)m),
				 m == PR_MEANS_GOOD || strstr(pr_meaning_text((enum pr_meaning)m),
							      "unknown") != NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in),	     cmocka_unit_test(test_out_basic),
		cmocka_unit_test(test_out_ports),    cmocka_unit_test(test_out_refused),
		cmocka_unit_test(test_keys),	     cmocka_unit_test(test_reservation),
		cmocka_unit_test(test_capabilities), cmocka_unit_test(test_full_status),
		cmocka_unit_test(test_initiators),   cmocka_unit_test(test_words),
		cmocka_unit_test(test_sense),	     cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
