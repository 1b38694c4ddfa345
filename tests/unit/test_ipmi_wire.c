/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_ipmi_wire.c - what fence_ipmi reads out of datagrams, replies and options.
 *
 * The datagrams are written out from the tables of IPMI 2.0, some as a BMC simulator sent them.
 * LINK: base fence-agents/ipmi/ipmi_wire.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fence-agents/ipmi/ipmi_wire.h"

/* Read a datagram of exactly this length: a sanitizer sees a read beyond it. */
static struct ipmi_packet packet_of(const uint8_t *data, size_t bytes)
{
	uint8_t *exact = test_malloc(bytes ? bytes : 1);
	struct ipmi_packet packet;

	memcpy(exact, data, bytes);
	memset(&packet, 0xa5, sizeof packet);
	ipmi_packet_read(exact, bytes, &packet);
	test_free(exact);
	return packet;
}

#define PACKET(...) packet_of((const uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }))

/* RMCP header and session header of IPMI 1.5 without code, table 13-8 */
#define V15(length) 6, 0, 0xff, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, (length)
#define V20(type, session, length)                                                                 \
	6, 0, 0xff, 7, 6, (type), (session), 0, 0, 0, 9, 0, 0, 0, (length), 0

static void test_capabilities(void **state)
{
	struct ipmi_packet p = PACKET(V15(16), 0x81, 0x1c, 0x63, 0x20, 0, 0x38, 0, 1, 0x97, 0x14, 2,
				      0, 0, 0, 0, 0xf8);

	(void)state;
	assert_int_equal(p.kind, IPMI_PACKET_V15);
	assert_int_equal(p.stage, IPMI_STAGE_CAPS);
	assert_int_equal(p.status, 0);
	assert_int_equal(p.authenticated, 0);
}

static void test_login_v15(void **state)
{
	struct ipmi_packet p;

	(void)state;
	/* Get Session Challenge: unknown user */
	p = PACKET(V15(8), 0x81, 0x1c, 0x63, 0x20, 0, 0x39, 0x81, 0);
	assert_int_equal(p.stage, IPMI_STAGE_CHALLENGE);
	assert_int_equal(p.status, 0x81);
	/* Activate Session, with its 16 bytes of code: session 04030201h at the BMC */
	p = PACKET(6, 0, 0xff, 7, 2, 1, 0, 0, 0, 9, 8, 7, 6, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
		   12, 13, 14, 15, 18, 0x81, 0x1c, 0x63, 0x20, 0, 0x3a, 0, 2, 1, 2, 3, 4, 0, 0, 0,
		   0, 4, 0);
	assert_int_equal(p.kind, IPMI_PACKET_V15);
	assert_int_equal(p.stage, IPMI_STAGE_ACTIVATE);
	assert_int_equal(p.authenticated, 1);
	assert_int_equal(p.session, 0x06070809);
	assert_int_equal(p.bmc_session, 0x04030201);
	/* the same, refused: no session to remember */
	p = PACKET(V15(8), 0x81, 0x1c, 0x63, 0x20, 0, 0x3a, 0x81, 0);
	assert_int_equal(p.stage, IPMI_STAGE_ACTIVATE);
	assert_int_equal(p.status, 0x81);
	assert_int_equal(p.bmc_session, 0);
	assert_int_equal(p.cut, 0);
	/* accepted, but without the session number */
	p = PACKET(V15(8), 0x81, 0x1c, 0x63, 0x20, 0, 0x3a, 0, 0);
	assert_int_equal(p.cut, 1);
	/* Get Chassis Status is a matter of the session, also where its command number is that
	 * of another function's */
	p = PACKET(V15(8), 0x81, 0x04, 0x7b, 0x20, 0, 0x38, 0, 0);
	assert_int_equal(p.stage, IPMI_STAGE_SESSION);
}

/* Offered: authentication 1, integrity 1, confidentiality 1, session 3282h */
static const uint8_t open_ok[] = {
	V20(0x11, 0, 36),
	0,
	0,
	4,
	0,
	1,
	0,
	0,
	0,
	0x82,
	0x32,
	0,
	0,
	0,
	0,
	0,
	8,
	1,
	0,
	0,
	0,
	1,
	0,
	0,
	8,
	1,
	0,
	0,
	0,
	2,
	0,
	0,
	8,
	1,
	0,
	0,
	0,
};

static void test_open_session(void **state)
{
	struct ipmi_packet p = packet_of(open_ok, sizeof open_ok);

	(void)state;
	assert_int_equal(p.kind, IPMI_PACKET_V20);
	assert_int_equal(p.stage, IPMI_STAGE_OPEN);
	assert_int_equal(p.status, 0);
	assert_int_equal(p.cut, 0);
	assert_int_equal(p.bmc_session, 0x3282);
	assert_int_equal(p.auth, 1);
	assert_int_equal(p.integrity, 1);
	assert_int_equal(p.confidentiality, 1);
	/* a refusal of two bytes, as ipmi_sim sends it: tag and status */
	p = PACKET(V20(0x11, 0, 2), 1, 0x11);
	assert_int_equal(p.stage, IPMI_STAGE_OPEN);
	assert_int_equal(p.status, 0x11);
	assert_int_equal(p.cut, 0);
	/* agreed, but no algorithms in it */
	p = PACKET(V20(0x11, 0, 8), 1, 0, 4, 0, 1, 0, 0, 0);
	assert_int_equal(p.stage, IPMI_STAGE_OPEN);
	assert_int_equal(p.cut, 1);
	assert_int_equal(p.bmc_session, 0);
}

static void test_rakp(void **state)
{
	struct ipmi_packet p;

	(void)state;
	p = PACKET(V20(0x13, 0, 8), 2, 0x0d, 0, 0, 1, 0, 0, 0);
	assert_int_equal(p.stage, IPMI_STAGE_RAKP2);
	assert_int_equal(p.status, 0x0d);
	p = PACKET(V20(0x13, 0, 8), 2, 0, 0, 0, 1, 0, 0, 0);
	assert_int_equal(p.stage, IPMI_STAGE_RAKP2);
	assert_int_equal(p.cut, 1);
	p = PACKET(V20(0x15, 0, 8), 3, 0x0f, 0, 0, 1, 0, 0, 0);
	assert_int_equal(p.stage, IPMI_STAGE_RAKP4);
	assert_int_equal(p.status, 0x0f);
	p = PACKET(V20(0x15, 0, 8), 3, 0, 0, 0, 1, 0, 0, 0);
	assert_int_equal(p.stage, IPMI_STAGE_RAKP4);
	assert_int_equal(p.cut, 0);
	p = PACKET(V20(0x15, 0, 7), 3, 0, 0, 0, 1, 0, 0);
	assert_int_equal(p.cut, 1);
}

static void test_session_v20(void **state)
{
	struct ipmi_packet p = PACKET(V20(0xc0, 1, 4), 1, 2, 3, 4, 0xff, 0xff, 2, 7);

	(void)state;
	assert_int_equal(p.kind, IPMI_PACKET_V20);
	assert_int_equal(p.stage, IPMI_STAGE_SESSION);
	assert_int_equal(p.authenticated, 1);
	assert_int_equal(p.encrypted, 1);
	assert_int_equal(p.session, 1);
	/* the same without protection: what must not be believed */
	p = PACKET(V20(0x00, 1, 4), 1, 2, 3, 4);
	assert_int_equal(p.stage, IPMI_STAGE_SESSION);
	assert_int_equal(p.authenticated, 0);
	assert_int_equal(p.encrypted, 0);
}

/* Every datagram, cut off anywhere, is foreign and reads as nothing at all. */
static void test_cut_anywhere(void **state)
{
	static const struct ipmi_packet nothing;
	static const uint8_t caps[] = { V15(16), 0x81, 0x1c, 0x63, 0x20, 0, 0x38, 0,   1,
					0x97,	 0x14, 2,    0,	   0,	 0, 0,	  0xf8 };

	(void)state;
	for (size_t bytes = 0; bytes < sizeof open_ok; bytes++) {
		struct ipmi_packet p = packet_of(open_ok, bytes);

		assert_memory_equal(&p, &nothing, sizeof p);
	}
	for (size_t bytes = 0; bytes < sizeof caps; bytes++) {
		struct ipmi_packet p = packet_of(caps, bytes);

		assert_memory_equal(&p, &nothing, sizeof p);
	}
}

static void test_foreign(void **state)
{
	(void)state;
	/* another RMCP version; an ASF pong (class 06h); an unknown payload outside a session */
	assert_int_equal(PACKET(5, 0, 0xff, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0x81, 0x1c, 0x63, 0x20,
				0, 0x38, 0, 0)
				 .kind,
			 IPMI_PACKET_FOREIGN);
	assert_int_equal(PACKET(6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x40, 0, 0, 16, 0, 0, 0, 0, 0, 0,
				0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
				 .kind,
			 IPMI_PACKET_FOREIGN);
	assert_int_equal(PACKET(V20(0x01, 0, 4), 1, 2, 3, 4).kind, IPMI_PACKET_FOREIGN);
}

static void test_ping(void **state)
{
	/* as ipmitool sends it, but for the number of the request */
	static const uint8_t expected[IPMI_PING_BYTES] = {
		V15(9), 0x20, 0x18, 0xc8, 0x81, 0x00, 0x38, 0x0e, 0x04, 0x35,
	};
	uint8_t data[IPMI_PING_BYTES];

	(void)state;
	assert_int_equal(ipmi_ping_write(data, 4), IPMI_PING_BYTES);
	assert_memory_equal(data, expected, sizeof expected);
}

/* Section 22.15.2, whole, and which of it the library has. */
static void test_suites(void **state)
{
	static const struct {
		uint8_t auth, integrity, confidentiality;
		int usable;
	} table[] = {
		{ 0, 0, 0, 1 }, { 1, 0, 0, 1 }, { 1, 1, 0, 1 }, { 1, 1, 1, 1 }, { 1, 1, 2, 0 },
		{ 1, 1, 3, 0 }, { 2, 0, 0, 1 }, { 2, 2, 0, 1 }, { 2, 2, 1, 1 }, { 2, 2, 2, 0 },
		{ 2, 2, 3, 0 }, { 2, 3, 0, 1 }, { 2, 3, 1, 1 }, { 2, 3, 2, 0 }, { 2, 3, 3, 0 },
		{ 3, 0, 0, 0 }, { 3, 4, 0, 0 }, { 3, 4, 1, 0 }, { 3, 4, 2, 0 }, { 3, 4, 3, 0 },
	};

	(void)state;
	for (int i = 0; i < (int)(sizeof table / sizeof table[0]); i++) {
		const struct ipmi_suite *suite = ipmi_suite_find(i);

		assert_non_null(suite);
		assert_int_equal(suite->id, i);
		assert_int_equal(suite->auth, table[i].auth);
		assert_int_equal(suite->integrity, table[i].integrity);
		assert_int_equal(suite->confidentiality, table[i].confidentiality);
		assert_int_equal(ipmi_suite_objection(suite) == NULL, table[i].usable);
	}
	assert_null(ipmi_suite_find(20));
	assert_null(ipmi_suite_find(-1));
	assert_null(ipmi_suite_find(INT64_MAX));
	assert_non_null(strstr(ipmi_suite_objection(ipmi_suite_find(17)), "SHA-256"));
}

static void test_key(void **state)
{
	static const uint8_t expected[] = { 0x00, 0x1f, 0xAB, 0xcd };
	uint8_t key[IPMI_KEY_BYTES_MAX];

	(void)state;
	assert_int_equal(ipmi_key_read("001FABcd", key), 4);
	assert_memory_equal(key, expected, 4);
	assert_int_equal(ipmi_key_read("0x001fabCD", key), 4);
	assert_memory_equal(key, expected, 4);
	assert_int_equal(ipmi_key_read("0123456789012345678901234567890123456789", key), 20);
	assert_int_equal(ipmi_key_read("012345678901234567890123456789012345678901", key), -1);
	assert_int_equal(ipmi_key_read("", key), -1);
	assert_int_equal(ipmi_key_read("0x", key), -1);
	assert_int_equal(ipmi_key_read("123", key), -1);
	assert_int_equal(ipmi_key_read("1g", key), -1);
	assert_int_equal(ipmi_key_read("12 34", key), -1);
}

static void test_chassis(void **state)
{
	struct ipmi_chassis chassis;

	(void)state;
	for (unsigned byte = 0; byte < 256; byte++) {
		const uint8_t data[] = { (uint8_t)byte, 0, 0 };

		assert_int_equal(ipmi_chassis_read(data, sizeof data, &chassis), 0);
		assert_int_equal(chassis.power, byte & 1 ? POWER_ON : POWER_OFF);
		assert_int_equal(chassis.power_fault, (byte & 8) != 0);
		assert_int_equal(chassis.control_fault, (byte & 16) != 0);
		for (size_t bytes = 0; bytes < 3; bytes++) /* S1: not understood is not off */
			assert_int_equal(ipmi_chassis_read(data, bytes, &chassis), -1);
	}
}

static void test_session_info(void **state)
{
	static const uint8_t data[] = { 2, 63, 1, 2, 0xf3, 1 };
	static const uint8_t none[] = { 0, 63, 1, 2, 3 };

	(void)state;
	assert_int_equal(ipmi_session_privilege(data, sizeof data), 3);
	assert_int_equal(ipmi_session_privilege(data, 4), -1);
	assert_int_equal(ipmi_session_privilege(none, sizeof none), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capabilities), cmocka_unit_test(test_login_v15),
		cmocka_unit_test(test_open_session), cmocka_unit_test(test_rakp),
		cmocka_unit_test(test_session_v20),  cmocka_unit_test(test_cut_anywhere),
		cmocka_unit_test(test_foreign),	     cmocka_unit_test(test_ping),
		cmocka_unit_test(test_suites),	     cmocka_unit_test(test_key),
		cmocka_unit_test(test_chassis),	     cmocka_unit_test(test_session_info),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
