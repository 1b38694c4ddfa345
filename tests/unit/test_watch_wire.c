/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_watch_wire.c - the packets of watchdogd: their bytes, and all that is none of them.
 *
 * LINK: watch
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rc.h"
#include "watchdog/client/watch_wire.h"

enum { HEADER = 12 };

/* ---- one packet of each type, with a different value in each field ---- */

static const struct watch_packet packets[] = {
	{ .type = WATCH_REGISTER,
	  .reg = { .name = "mydb", .deadline_ms = 5000, .since_ns = 0x1112131415161718 } },
	{ .type = WATCH_RENEW, .since_ns = 0x0102030405060708 },
	{ .type = WATCH_GOODBYE },
	{ .type = WATCH_QUERY },
	{ .type = WATCH_TEST, .by = WATCH_TEST_SELF },
	{ .type = WATCH_TERMS,
	  .terms = { 5000, 10000, 15250, WATCH_PROOF_HARDWARE, WATCH_STATE_TESTING } },
	{ .type = WATCH_BYE },
	{ .type = WATCH_REFUSED,
	  .refused = { WATCH_REFUSED_RIGHT, 0x0a0b, "mydb: not root", "run as root" } },
	{ .type = WATCH_STATUS,
	  .status = { WATCH_STATE_STOPPED, WATCH_PROOF_SOFTWARE, WATCH_EXPIRY_HARDWARE, 1, 1, 2, 3,
		      4, 5, 6, 7, 8, 9, 10, "0.1.0", 1 } },
	{ .type = WATCH_DEVICE,
	  .device = { "/dev/watchdog0", "i6300ESB timer", WATCH_PROOF_HARDWARE, 2, 1, 2, 1, 2, 3,
		      UINT32_MAX, 5 } },
	{ .type = WATCH_CLIENT, .client = { "mydb", 1, 2, 3, 4, 5, UINT64_MAX - 1, 1 } },
};

enum { PACKETS = sizeof packets / sizeof packets[0] };

static const struct watch_packet *packet_of(enum watch_type type)
{
	for (size_t i = 0; i < PACKETS; i++)
		if (packets[i].type == type)
			return &packets[i];
	fail_msg("no packet of type %u", (unsigned)type);
	return NULL;
}

/* Decode from a block of exactly that length: a sanitizer sees a read beyond it. */
static int decode(const uint8_t *bytes, size_t length, struct watch_packet *packet)
{
	uint8_t *exact = test_malloc(length ? length : 1);
	int rc;

	memcpy(exact, bytes, length);
	memset(packet, 0xa5, sizeof *packet);
	rc = watch_wire_in(exact, length, packet);
	test_free(exact);
	return rc;
}

static size_t encode(const struct watch_packet *packet, uint8_t out[WATCH_WIRE_BYTES_MAX])
{
	memset(out, 0xa5, WATCH_WIRE_BYTES_MAX);
	return watch_wire_out(packet, out);
}

/* ---- golden bytes ---- */

static void check_bytes(const struct watch_packet *packet, const uint8_t *wanted, size_t length)
{
	uint8_t bytes[WATCH_WIRE_BYTES_MAX];

	assert_int_equal(encode(packet, bytes), length);
	assert_memory_equal(bytes, wanted, length);
	for (size_t i = length; i < sizeof bytes; i++)
		assert_int_equal(bytes[i], 0xa5);
}

#define CHECK_BYTES(packet, ...)                                                                   \
	check_bytes(packet, (const uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }))

#define NUL4 0, 0, 0, 0
#define NUL16 NUL4, NUL4, NUL4, NUL4

static void test_golden_of_clients(void **state)
{
	(void)state;
	CHECK_BYTES(packet_of(WATCH_REGISTER), 'H', 'F', 'W', 'D', 1, 0, 1, 0, 56, 0, 0, 0, 'm',
		    'y', 'd', 'b', NUL4, NUL4, NUL4, NUL16, 0x88, 0x13, 0, 0, 0x18, 0x17, 0x16,
		    0x15, 0x14, 0x13, 0x12, 0x11);
	CHECK_BYTES(packet_of(WATCH_RENEW), 'H', 'F', 'W', 'D', 1, 0, 2, 0, 20, 0, 0, 0, 8, 7, 6, 5,
		    4, 3, 2, 1);
	CHECK_BYTES(packet_of(WATCH_GOODBYE), 'H', 'F', 'W', 'D', 1, 0, 3, 0, 12, 0, 0, 0);
	CHECK_BYTES(packet_of(WATCH_QUERY), 'H', 'F', 'W', 'D', 1, 0, 4, 0, 12, 0, 0, 0);
	CHECK_BYTES(packet_of(WATCH_TEST), 'H', 'F', 'W', 'D', 1, 0, 5, 0, 13, 0, 0, 0, 1);
}

static void test_golden_of_watchdogd(void **state)
{
	uint8_t refused[HEADER + 3 + 2 * WATCH_TEXT_BYTES] = { 'H',  'F', 'W', 'D', 1, 0,   66, 0,
							       0x8f, 1,	  0,   0,   7, 0xb, 0xa };

	(void)state;
	CHECK_BYTES(packet_of(WATCH_TERMS), 'H', 'F', 'W', 'D', 1, 0, 64, 0, 26, 0, 0, 0, 0x88,
		    0x13, 0, 0, 0x10, 0x27, 0, 0, 0x92, 0x3b, 0, 0, 2, 2);
	CHECK_BYTES(packet_of(WATCH_BYE), 'H', 'F', 'W', 'D', 1, 0, 65, 0, 12, 0, 0, 0);
	memcpy(refused + 15, "mydb: not root", 14);
	memcpy(refused + 15 + WATCH_TEXT_BYTES, "run as root", 11);
	check_bytes(packet_of(WATCH_REFUSED), refused, sizeof refused);
	CHECK_BYTES(packet_of(WATCH_STATUS), 'H', 'F', 'W', 'D', 1, 0, 67, 0, 73, 0, 0, 0, 3, 1, 3,
		    1, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, NUL4, 6, 0, 0, 0,
		    7, 0, 0, 0, 8, 0, 0, 0, 9, 0, 10, 0, '0', '.', '1', '.', '0', 0, 0, 0, NUL4,
		    NUL4, 1);
	CHECK_BYTES(packet_of(WATCH_DEVICE), 'H', 'F', 'W', 'D', 1, 0, 68, 0, 132, 0, 0, 0, '/',
		    'd', 'e', 'v', '/', 'w', 'a', 't', 'c', 'h', 'd', 'o', 'g', '0', 0, 0, NUL16,
		    NUL16, NUL16, 'i', '6', '3', '0', '0', 'E', 'S', 'B', ' ', 't', 'i', 'm', 'e',
		    'r', 0, 0, NUL16, 2, 2, 1, 2, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 255, 255, 255,
		    255, 5, 0, 0, 0);
	CHECK_BYTES(packet_of(WATCH_CLIENT), 'H', 'F', 'W', 'D', 1, 0, 69, 0, 73, 0, 0, 0, 'm', 'y',
		    'd', 'b', NUL4, NUL4, NUL4, NUL16, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0,
		    0, 5, 0, 0, 0, 254, 255, 255, 255, 255, 255, 255, 255, 1);
}

/* ---- round trips ---- */

static void test_round_trips(void **state)
{
	(void)state;
	for (size_t i = 0; i < PACKETS; i++) {
		uint8_t bytes[WATCH_WIRE_BYTES_MAX], again[WATCH_WIRE_BYTES_MAX];
		size_t length = encode(&packets[i], bytes);
		struct watch_packet back;

		assert_int_equal(decode(bytes, length, &back), 0);
		assert_int_equal(back.type, packets[i].type);
		assert_int_equal(encode(&back, again), length);
		assert_memory_equal(again, bytes, length);
	}
}

static void test_fields_come_back(void **state)
{
	uint8_t bytes[WATCH_WIRE_BYTES_MAX] = { 0 };
	struct watch_packet back;

	(void)state;
	assert_int_equal(decode(bytes, encode(packet_of(WATCH_RENEW), bytes), &back), 0);
	assert_true(back.since_ns == 0x0102030405060708);
	assert_int_equal(decode(bytes, encode(packet_of(WATCH_REGISTER), bytes), &back), 0);
	assert_true(back.reg.since_ns == 0x1112131415161718);
	assert_int_equal(decode(bytes, encode(packet_of(WATCH_TERMS), bytes), &back), 0);
	assert_int_equal(back.terms.deadline_ms, 5000);
	assert_int_equal(back.terms.device_ms, 10000);
	assert_int_equal(back.terms.bound_ms, 15250);
	assert_int_equal(back.terms.proof, WATCH_PROOF_HARDWARE);
	assert_int_equal(back.terms.state, WATCH_STATE_TESTING);
	assert_int_equal(decode(bytes, encode(packet_of(WATCH_REFUSED), bytes), &back), 0);
	assert_int_equal(back.refused.version, 0x0a0b);
	assert_string_equal(back.refused.text, "mydb: not root");
	assert_string_equal(back.refused.next, "run as root");
	assert_int_equal(decode(bytes, encode(packet_of(WATCH_CLIENT), bytes), &back), 0);
	assert_string_equal(back.client.name, "mydb");
	assert_true(back.client.renewals == UINT64_MAX - 1);
}

/* What follows the end of a text stays here. */
static void test_nothing_leaks_behind_text(void **state)
{
	struct watch_packet packet = { .type = WATCH_REGISTER }, back;
	uint8_t bytes[WATCH_WIRE_BYTES_MAX] = { 0 };

	(void)state;
	memset(packet.reg.name, 's', sizeof packet.reg.name);
	memcpy(packet.reg.name, "ab", 3);
	assert_int_equal(decode(bytes, encode(&packet, bytes), &back), 0);
	assert_int_equal(bytes[HEADER + 3], 0);
	assert_string_equal(back.reg.name, "ab");
	/* the longest text */
	memset(packet.reg.name, 'n', sizeof packet.reg.name - 1);
	packet.reg.name[sizeof packet.reg.name - 1] = '\0';
	assert_int_equal(decode(bytes, encode(&packet, bytes), &back), 0);
	assert_int_equal(strlen(back.reg.name), WATCH_NAME_BYTES - 1);
}

/* ---- what is no packet ---- */

static void check_refused(const uint8_t *bytes, size_t length, int rc)
{
	static const struct watch_packet nothing;
	struct watch_packet back;

	assert_int_equal(decode(bytes, length, &back), rc);
	assert_memory_equal(&back, &nothing, sizeof back);
}

static void test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < PACKETS; i++) {
		uint8_t bytes[WATCH_WIRE_BYTES_MAX];
		size_t length = encode(&packets[i], bytes);

		for (size_t cut = 0; cut < length; cut++)
			check_refused(bytes, cut, RC_PROTOCOL);
		/* also where the length agrees with what is there */
		for (size_t cut = HEADER; cut < length; cut++) {
			bytes[8] = (uint8_t)cut;
			bytes[9] = (uint8_t)(cut >> 8);
			check_refused(bytes, cut, RC_PROTOCOL);
		}
	}
}

static void test_too_long(void **state)
{
	(void)state;
	for (size_t i = 0; i < PACKETS; i++) {
		uint8_t bytes[WATCH_WIRE_BYTES_MAX + 1] = { 0 };
		size_t length = watch_wire_out(&packets[i], bytes);

		memset(bytes + length, 0, sizeof bytes - length);
		check_refused(bytes, length + 1, RC_PROTOCOL);
		bytes[8]++;
		check_refused(bytes, length + 1, RC_PROTOCOL);
		check_refused(bytes, length, RC_PROTOCOL);
		bytes[8]--;
		bytes[11] = 1;
		check_refused(bytes, length, RC_PROTOCOL);
	}
}

static void test_foreign(void **state)
{
	uint8_t bytes[WATCH_WIRE_BYTES_MAX], other[WATCH_WIRE_BYTES_MAX];
	size_t length = encode(packet_of(WATCH_QUERY), bytes);

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		memcpy(other, bytes, length);
		other[i] ^= 0x20;
		check_refused(other, length, RC_PROTOCOL);
	}
	/* another version is ours, whatever stands behind it */
	for (unsigned version = 0; version <= UINT16_MAX; version++) {
		memcpy(other, bytes, length);
		other[4] = (uint8_t)version;
		other[5] = (uint8_t)(version >> 8);
		if (version != WATCH_WIRE_VERSION) {
			check_refused(other, length, RC_UNSUPPORTED);
			check_refused(other, 6, RC_UNSUPPORTED);
			check_refused(other, 5, RC_PROTOCOL);
		}
	}
}

static int type_is_known(unsigned type)
{
	for (size_t i = 0; i < PACKETS; i++)
		if (packets[i].type == type)
			return 1;
	return 0;
}

static void test_unknown_types(void **state)
{
	uint8_t bytes[WATCH_WIRE_BYTES_MAX];
	size_t length = encode(packet_of(WATCH_QUERY), bytes);

	(void)state;
	for (unsigned type = 0; type <= UINT16_MAX; type++) {
		bytes[6] = (uint8_t)type;
		bytes[7] = (uint8_t)(type >> 8);
		if (!type_is_known(type))
			check_refused(bytes, length, RC_PROTOCOL);
	}
}

static void test_choices(void **state)
{
	static const struct {
		size_t at;
		enum watch_type type;
		unsigned max;
	} rows[] = {
		{ 0, WATCH_TEST, 1 },	 { 12, WATCH_TERMS, 2 },  { 13, WATCH_TERMS, 3 },
		{ 0, WATCH_REFUSED, 8 }, { 0, WATCH_STATUS, 3 },  { 1, WATCH_STATUS, 2 },
		{ 2, WATCH_STATUS, 3 },	 { 3, WATCH_STATUS, 1 },  { 96, WATCH_DEVICE, 2 },
		{ 97, WATCH_DEVICE, 2 }, { 98, WATCH_DEVICE, 1 }, { 99, WATCH_DEVICE, 2 },
		{ 60, WATCH_STATUS, 1 }, { 60, WATCH_CLIENT, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t bytes[WATCH_WIRE_BYTES_MAX];
		size_t length = encode(packet_of(rows[i].type), bytes);

		for (unsigned value = 0; value <= UINT8_MAX; value++) {
			struct watch_packet back;

			bytes[HEADER + rows[i].at] = (uint8_t)value;
			if (value <= rows[i].max)
				assert_int_equal(decode(bytes, length, &back), 0);
			else
				check_refused(bytes, length, RC_PROTOCOL);
		}
	}
}

static void test_texts(void **state)
{
	static const struct {
		size_t at, size;
		enum watch_type type;
	} rows[] = {
		{ 0, WATCH_NAME_BYTES, WATCH_REGISTER },
		{ 3, WATCH_TEXT_BYTES, WATCH_REFUSED },
		{ 3 + WATCH_TEXT_BYTES, WATCH_TEXT_BYTES, WATCH_REFUSED },
		{ 44, 16, WATCH_STATUS },
		{ 0, WATCH_PATH_BYTES, WATCH_DEVICE },
		{ WATCH_PATH_BYTES, WATCH_IDENT_BYTES, WATCH_DEVICE },
		{ 0, WATCH_NAME_BYTES, WATCH_CLIENT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t bytes[WATCH_WIRE_BYTES_MAX], *text = bytes + HEADER + rows[i].at;
		size_t length = encode(packet_of(rows[i].type), bytes);
		struct watch_packet back;

		/* no NUL in it */
		memset(text, 'x', rows[i].size);
		check_refused(bytes, length, RC_PROTOCOL);
		text[rows[i].size - 1] = '\0';
		assert_int_equal(decode(bytes, length, &back), 0);
		/* any byte behind the first NUL */
		memset(text, 0, rows[i].size);
		assert_int_equal(decode(bytes, length, &back), 0);
		for (size_t at = 1; at < rows[i].size; at++) {
			text[at] = 1;
			check_refused(bytes, length, RC_PROTOCOL);
			text[at] = 0;
		}
	}
}

/* ---- sizes, words, names ---- */

static void test_sizes_and_words(void **state)
{
	uint8_t bytes[WATCH_WIRE_BYTES_MAX];
	struct watch_packet packet = *packet_of(WATCH_TERMS);

	(void)state;
	for (size_t i = 0; i < PACKETS; i++)
		assert_true(watch_wire_out(&packets[i], bytes) <= WATCH_WIRE_BYTES_MAX);
	assert_string_equal(watch_proof_word(packet.terms.proof), "hardware");
	assert_string_equal(watch_proof_word(3), "unknown");
	assert_string_equal(watch_state_word(WATCH_STATE_PETTING), "petting");
	assert_string_equal(watch_state_word(4), "unknown");
	assert_string_equal(watch_expiry_word(WATCH_EXPIRY_CRASH), "crash");
	assert_string_equal(watch_expiry_word(4), "unknown");
}

static void test_names(void **state)
{
	(void)state;
	assert_true(watch_name_is_valid("mydb"));
	assert_true(watch_name_is_valid("a.B_9-"));
	assert_true(watch_name_is_valid("0123456789012345678901234567890"));
	assert_false(watch_name_is_valid("01234567890123456789012345678901"));
	assert_false(watch_name_is_valid(""));
	assert_false(watch_name_is_valid("a b"));
	assert_false(watch_name_is_valid("a/b"));
	assert_false(watch_name_is_valid("\303\244"));
	assert_false(watch_name_is_valid("a\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_of_clients),
		cmocka_unit_test(test_golden_of_watchdogd),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_fields_come_back),
		cmocka_unit_test(test_nothing_leaks_behind_text),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_unknown_types),
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_sizes_and_words),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
