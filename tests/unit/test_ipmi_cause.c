/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_ipmi_cause.c - truth tables: what was seen of a login or a command, and the cause that it
 * has to be called.
 *
 * The library's error numbers are those of OpenIPMI/ipmi_err.h, written out.
 * LINK: base fence-agents/ipmi/ipmi_wire.c fence-agents/ipmi/ipmi_cause.c
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fence-agents/ipmi/ipmi_cause.h"

#define CC(code) (0x01000000 | (code))
#define RMCPP(status) (0x02000000 | (status))
#define S(stage) IPMI_STAGE_##stage

static const struct login_case {
	int error;    /* from the library; 0 when our own deadline passed */
	int answered; /* while an answer of this stage was handled, else by a timer */
	enum ipmi_stage stage;
	int alive;
	int rc;
	const char *text;
} logins[] = {
	/* silence, by every name the library has for it */
	{ 0, 0, S(NONE), 0, RC_UNREACHABLE, "no answer on UDP port 623" },
	{ ENOENT, 0, S(NONE), 0, RC_UNREACHABLE, "no answer on UDP port 623" },
	{ CC(0xc3), 0, S(NONE), 0, RC_UNREACHABLE, "no answer on UDP port 623" },
	{ EINVAL, 0, S(CAPS), 0, RC_TIMEOUT, "not the request for a session" },
	{ CC(0xc3), 0, S(CAPS), 0, RC_TIMEOUT, "not the request for a session" },
	{ EINVAL, 0, S(OPEN), 0, RC_TIMEOUT, "fell silent during the login" },
	{ EINVAL, 0, S(RAKP2), 0, RC_TIMEOUT, "fell silent during the login" },
	{ CC(0xc3), 0, S(RAKP4), 0, RC_TIMEOUT, "fell silent after the login" },
	{ CC(0xc3), 0, S(SESSION), 0, RC_TIMEOUT, "fell silent" },
	{ ETIMEDOUT, 0, S(SESSION), 0, RC_TIMEOUT, "fell silent" },
	{ CC(0xc3), 0, S(ACTIVATE), 0, RC_TIMEOUT, "fell silent" },
	/* IPMI 1.5, wrong password: silence from a BMC that is alive */
	{ CC(0xc3), 0, S(CHALLENGE), 1, RC_AUTH, "wrong password for user \"joe\"" },
	{ CC(0xc3), 0, S(CHALLENGE), 0, RC_TIMEOUT, "fell silent" },
	{ 0, 0, S(CHALLENGE), 0, RC_TIMEOUT, "fell silent" },
	/* the machine's own errors */
	{ ENOMEM, 0, S(NONE), 0, RC_INTERNAL, "memory" },
	{ EMFILE, 0, S(NONE), 0, RC_UNREACHABLE, "system error 24" },
	{ ENOSYS, 1, S(OPEN), 0, RC_PROTOCOL, "library error 38" },
	/* capabilities */
	{ ENOENT, 1, S(CAPS), 0, RC_UNSUPPORTED, "does not speak IPMI 2.0" },
	{ EINVAL, 1, S(CAPS), 0, RC_UNSUPPORTED, "does not offer auth=md5" },
	{ CC(0xc0), 1, S(CAPS), 0, RC_BUSY, "busy" },
	{ CC(0xd2), 1, S(CAPS), 0, RC_BUSY, "starting" },
	/* section 22.16: the same number means other things in other steps */
	{ CC(0x81), 1, S(CHALLENGE), 0, RC_AUTH, "unknown user \"joe\"" },
	{ CC(0x82), 1, S(CHALLENGE), 0, RC_AUTH, "without a user name" },
	/* section 22.17 */
	{ CC(0x81), 1, S(ACTIVATE), 0, RC_BUSY, "no free session" },
	{ CC(0x82), 1, S(ACTIVATE), 0, RC_BUSY, "user \"joe\"" },
	{ CC(0x83), 1, S(ACTIVATE), 0, RC_BUSY, "level operator" },
	{ CC(0x84), 1, S(ACTIVATE), 0, RC_PROTOCOL, "sequence" },
	{ CC(0x85), 1, S(ACTIVATE), 0, RC_PROTOCOL, "session number" },
	{ CC(0x86), 1, S(ACTIVATE), 0, RC_PRIVILEGE, "may not log in at privilege level operator" },
	{ EINVAL, 1, S(ACTIVATE), 0, RC_PROTOCOL, "nonsense" },
	/* section 22.18 */
	{ CC(0x80), 1, S(SESSION), 0, RC_PRIVILEGE, "may not use privilege level operator" },
	{ CC(0x81), 1, S(SESSION), 0, RC_PRIVILEGE, "above the limit" },
	{ CC(0x82), 1, S(SESSION), 0, RC_PRIVILEGE, "cannot be left" },
	{ EINVAL, 1, S(SESSION), 0, RC_PRIVILEGE, "did not grant privilege level operator" },
	{ CC(0xd4), 1, S(SESSION), 0, RC_PRIVILEGE, "not permitted" },
	{ CC(0xc3), 1, S(SESSION), 0, RC_TIMEOUT, "ran out of time" },
	{ CC(0xff), 1, S(SESSION), 0, RC_PROTOCOL, "without a reason" },
	/* table 13-15 */
	{ RMCPP(0x01), 1, S(OPEN), 0, RC_BUSY, "no free session" },
	{ RMCPP(0x02), 1, S(RAKP4), 0, RC_PROTOCOL, "session number" },
	{ RMCPP(0x03), 1, S(OPEN), 0, RC_PROTOCOL, "payload" },
	{ RMCPP(0x04), 1, S(OPEN), 0, RC_UNSUPPORTED, "authentication of cipher suite 8" },
	{ RMCPP(0x05), 1, S(OPEN), 0, RC_UNSUPPORTED, "integrity check of cipher suite 8" },
	{ RMCPP(0x06), 1, S(OPEN), 0, RC_UNSUPPORTED, "cipher suite 8" },
	{ RMCPP(0x07), 1, S(OPEN), 0, RC_UNSUPPORTED, "cipher suite 8" },
	{ RMCPP(0x08), 1, S(RAKP2), 0, RC_PROTOCOL, "vanished" },
	{ RMCPP(0x09), 1, S(RAKP2), 0, RC_PRIVILEGE, "does not know privilege level operator" },
	{ RMCPP(0x0a), 1, S(OPEN), 0, RC_PRIVILEGE, "may not log in" },
	{ RMCPP(0x0a), 1, S(RAKP2), 0, RC_PRIVILEGE, "may not log in" },
	{ RMCPP(0x0b), 1, S(RAKP2), 0, RC_BUSY, "no free session at privilege level" },
	{ RMCPP(0x0c), 1, S(RAKP2), 0, RC_AUTH, "user name" },
	{ RMCPP(0x0d), 1, S(RAKP2), 0, RC_AUTH, "unknown user \"joe\"" },
	{ RMCPP(0x0e), 1, S(RAKP2), 0, RC_AUTH, "GUID" },
	{ RMCPP(0x0f), 1, S(RAKP4), 0, RC_AUTH, "wrong password" },
	{ RMCPP(0x10), 1, S(OPEN), 0, RC_UNSUPPORTED, "encryption of cipher suite 8" },
	{ RMCPP(0x11), 1, S(OPEN), 0, RC_UNSUPPORTED, "refuses cipher suite 8" },
	{ RMCPP(0x12), 1, S(OPEN), 0, RC_PROTOCOL, "illegal" },
	{ RMCPP(0x13), 1, S(RAKP2), 0, RC_PROTOCOL, "status 13h" },
	{ RMCPP(0xff), 1, S(RAKP4), 0, RC_PROTOCOL, "status FFh" },
	/* an answer that fails its check */
	{ EINVAL, 1, S(OPEN), 0, RC_PROTOCOL, "nonsense" },
	{ EINVAL, 1, S(RAKP2), 0, RC_AUTH, "wrong password for user \"joe\"" },
	{ EINVAL, 1, S(RAKP4), 0, RC_AUTH, "wrong K_G" },
};

static const struct ipmi_words words = {
	.user = "joe",
	.privlvl = "operator",
	.auth = "md5",
	.port = "623",
	.cipher = 8,
};

static const char *text_of(const struct ipmi_cause *cause, int code)
{
	static char buffer[256];
	struct ipmi_words filled = words;

	filled.code = code;
	ipmi_cause_text(cause, &filled, buffer, sizeof buffer);
	return buffer;
}

static void test_login(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof logins / sizeof logins[0]; i++) {
		const struct login_case *c = &logins[i];
		struct ipmi_packet answer = { .kind = IPMI_PACKET_V20, .stage = c->stage };
		struct ipmi_evidence evidence = { .alive = c->alive };
		const struct ipmi_cause *cause;

		ipmi_evidence_read(&evidence, c->error, c->answered ? &answer : NULL, c->stage);
		cause = ipmi_cause_login(&evidence);
		if (cause->rc != c->rc || !strstr(text_of(cause, evidence.code), c->text))
			fail_msg("row %zu: expected %s \"%s\", got %s \"%s\"", i, rc_word(c->rc),
				 c->text, rc_word(cause->rc), text_of(cause, evidence.code));
	}
}

/* A datagram that was cut short proves nothing about a password. */
static void test_cut_answer(void **state)
{
	static const enum ipmi_stage stages[] = { S(OPEN), S(RAKP2), S(RAKP4), S(ACTIVATE) };

	(void)state;
	for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
		struct ipmi_packet answer = { .kind = IPMI_PACKET_V20,
					      .stage = stages[i],
					      .cut = 1 };
		struct ipmi_evidence evidence = { 0 };

		ipmi_evidence_read(&evidence, EINVAL, &answer, stages[i]);
		assert_int_equal(ipmi_cause_login(&evidence)->rc, RC_PROTOCOL);
	}
}

static void test_network(void **state)
{
	static const struct {
		enum ipmi_stage stage;
		int error, rc;
		const char *text;
	} cases[] = {
		{ S(NONE), ECONNREFUSED, RC_UNREACHABLE, "nothing listens on UDP port 623" },
		{ S(SESSION), ECONNREFUSED, RC_TIMEOUT, "stopped listening" },
		{ S(RAKP2), ECONNREFUSED, RC_TIMEOUT, "stopped listening" },
		{ S(NONE), EHOSTUNREACH, RC_UNREACHABLE, "host unreachable" },
		{ S(NONE), ENETUNREACH, RC_UNREACHABLE, "network unreachable" },
		{ S(NONE), EACCES, RC_UNREACHABLE, "firewall" },
		{ S(NONE), EPERM, RC_UNREACHABLE, "firewall" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct ipmi_evidence evidence = { .stage = cases[i].stage,
						  .event = IPMI_EVENT_OS,
						  .code = cases[i].error };
		const struct ipmi_cause *cause = ipmi_cause_login(&evidence);

		assert_int_equal(cause->rc, cases[i].rc);
		assert_non_null(strstr(text_of(cause, cases[i].error), cases[i].text));
	}
}

static void test_downgrade(void **state)
{
	struct ipmi_evidence evidence = { .stage = S(OPEN), .event = IPMI_EVENT_DOWNGRADE };

	(void)state;
	assert_int_equal(ipmi_cause_login(&evidence)->rc, RC_UNSUPPORTED);
	assert_non_null(strstr(text_of(ipmi_cause_login(&evidence), 0), "cipher suite 8"));
}

/* Table 5-2, whole. */
static void test_command(void **state)
{
	static const int codes[][2] = {
		{ 0xc0, RC_BUSY },	  { 0xc1, RC_UNSUPPORTED }, { 0xc2, RC_UNSUPPORTED },
		{ 0xc3, RC_TIMEOUT },	  { 0xc4, RC_BUSY },	    { 0xc5, RC_PROTOCOL },
		{ 0xc6, RC_PROTOCOL },	  { 0xc7, RC_PROTOCOL },    { 0xc8, RC_PROTOCOL },
		{ 0xc9, RC_UNSUPPORTED }, { 0xca, RC_PROTOCOL },    { 0xcb, RC_UNSUPPORTED },
		{ 0xcc, RC_UNSUPPORTED }, { 0xcd, RC_UNSUPPORTED }, { 0xce, RC_BUSY },
		{ 0xcf, RC_BUSY },	  { 0xd0, RC_BUSY },	    { 0xd1, RC_BUSY },
		{ 0xd2, RC_BUSY },	  { 0xd3, RC_BUSY },	    { 0xd4, RC_PRIVILEGE },
		{ 0xd5, RC_STATE },	  { 0xd6, RC_PRIVILEGE },   { 0xff, RC_PROTOCOL },
	};

	(void)state;
	for (int code = 1; code < 256; code++) {
		const struct ipmi_cause *cause = ipmi_cause_command((uint8_t)code);
		int expected = RC_PROTOCOL; /* OEM and command-specific codes */

		for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
			if (codes[i][0] == code)
				expected = codes[i][1];
		assert_int_equal(cause->rc, expected);
		assert_true(strlen(cause->text) > 0);
	}
	assert_string_equal(text_of(ipmi_cause_command(0x8f), 0x8f),
			    "the BMC failed with code 8Fh");
}

/* No combination is without a cause, and none is a success. */
static void test_total(void **state)
{
	(void)state;
	for (int stage = 0; stage <= IPMI_STAGE_SESSION; stage++)
		for (int event = 0; event <= IPMI_EVENT_OS; event++)
			for (int code = 0; code < 256; code++)
				for (int alive = 0; alive < 2; alive++) {
					struct ipmi_evidence evidence = {
						(enum ipmi_stage)stage,
						(enum ipmi_event)event,
						code,
						alive,
					};
					const struct ipmi_cause *cause = ipmi_cause_login(
						&evidence);

					assert_non_null(cause);
					assert_true(cause->rc < 0);
					assert_string_not_equal(rc_word(cause->rc), "ok");
					assert_null(strchr(text_of(cause, code), '{'));
				}
}

static void test_compare(void **state)
{
	static const int order[] = { RC_UNREACHABLE, RC_TIMEOUT,   RC_PROTOCOL, RC_BUSY,
				     RC_UNSUPPORTED, RC_PRIVILEGE, RC_AUTH };

	(void)state;
	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
		for (size_t j = 0; j < sizeof order / sizeof order[0]; j++) {
			int compared = ipmi_cause_compare(order[i], order[j]);

			assert_int_equal((compared > 0) - (compared < 0), (i > j) - (i < j));
		}
}

static void test_text(void **state)
{
	static const struct ipmi_cause cause = { RC_AUTH, "{user}{auth} {cipher} {code} {errno}{",
						 NULL };
	struct ipmi_words filled = { .user = "u{cipher}", .auth = NULL, .cipher = 3, .code = 0xd4 };
	char buffer[64], tiny[5];

	(void)state;
	ipmi_cause_text(&cause, &filled, buffer, sizeof buffer);
	assert_string_equal(buffer, "u{cipher} 3 D4h 212{"); /* words are not read again */
	ipmi_cause_text(&cause, &filled, tiny, sizeof tiny);
	assert_string_equal(tiny, "u{ci");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_login),	cmocka_unit_test(test_cut_answer),
		cmocka_unit_test(test_network), cmocka_unit_test(test_downgrade),
		cmocka_unit_test(test_command), cmocka_unit_test(test_total),
		cmocka_unit_test(test_compare), cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
