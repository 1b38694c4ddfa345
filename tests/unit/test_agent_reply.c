/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: fencer base pkg:cmocka
 *
 * test_agent_reply.c - what agents say, and what is made of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "fence-agents/fencer/agent_reply.h"

static struct agent_reply reply;

static void answer(enum fencer_verb verb, const char *plugs, int status, const char *out,
		   const char *err)
{
	struct child_result result = {
		.exit_status = status,
		.out = out,
		.out_bytes = strlen(out),
		.err = err,
		.err_bytes = strlen(err),
	};

	agent_reply_read(verb, plugs, &result, &reply);
}

/* ---- agents made with the SDK ---- */

#define RESULT(action, exit, ok, state, proof, off, cause)                                         \
	"{\"agent\":\"fence_x\",\"version\":\"1\",\"action\":\"" action "\",\"exit\":" #exit       \
	",\"ok\":" #ok ",\"state\":\"" state "\",\"proof\":\"" proof "\",\"off_proven\":" #off     \
	",\"cause\":" cause ",\"object\":\"10.0.0.7\","                                            \
	"\"message\":\"what happened\",\"next\":\"what to do\",\"plugs\":[],\"elapsed_ms\":5}\n"

static void native_off_proven(void **state)
{
	(void)state;
	answer(FENCER_VERB_OFF, NULL, 0,
	       "chatter\n" RESULT("off", 0, true, "off", "proven", true, "null"), "warning");
	assert_int_equal(reply.core.rc, 0);
	assert_int_equal(reply.core.native, 1);
	assert_int_equal(reply.core.state, POWER_OFF);
	assert_int_equal(reply.core.proof, PROOF_PROVEN);
	assert_int_equal(reply.core.off_proven, 1);
	assert_string_equal(reply.message, "");
}

static void native_cause(void **state)
{
	(void)state;
	answer(FENCER_VERB_OFF, NULL, 1,
	       RESULT("off", 1, false, "unknown", "none", false, "\"auth\""), "");
	assert_int_equal(reply.core.rc, RC_AUTH);
	assert_string_equal(reply.message, "10.0.0.7: what happened");
	assert_string_equal(reply.next, "what to do");
}

static void native_status(void **state)
{
	(void)state;
	answer(FENCER_VERB_STATUS, NULL, 2,
	       RESULT("status", 2, true, "off", "proven", false, "null"), "");
	assert_int_equal(reply.core.rc, 0);
	assert_int_equal(reply.core.state, POWER_OFF);
	answer(FENCER_VERB_STATUS, NULL, 1,
	       RESULT("status", 1, false, "partial", "none", false, "\"state\""), "");
	assert_int_equal(reply.core.rc, RC_STATE);
	assert_int_equal(reply.core.state, POWER_PARTIAL);
}

static void native_contradictions(void **state)
{
	static const struct {
		enum fencer_verb verb;
		int status;
		const char *out;
	} cases[] = {
		/* exit status and "exit" */
		{ FENCER_VERB_OFF, 1, RESULT("off", 0, true, "off", "proven", true, "null") },
		{ FENCER_VERB_OFF, 0, RESULT("off", 1, false, "off", "proven", true, "null") },
		{ FENCER_VERB_OFF, 0, RESULT("off", "0", true, "off", "proven", true, "null") },
		/* another action */
		{ FENCER_VERB_OFF, 0, RESULT("status", 0, true, "off", "proven", true, "null") },
		/* "ok" and exit status */
		{ FENCER_VERB_OFF, 0, RESULT("off", 0, false, "off", "proven", true, "null") },
		{ FENCER_VERB_OFF, 1, RESULT("off", 1, true, "off", "proven", true, "null") },
		{ FENCER_VERB_OFF, 2, RESULT("off", 2, true, "off", "proven", true, "null") },
		{ FENCER_VERB_OFF, 0, RESULT("off", 0, "true", "off", "proven", true, "null") },
		{ FENCER_VERB_OFF, 0, RESULT("off", 0, true, "off", "proven", 1, "null") },
		/* status and state */
		{ FENCER_VERB_STATUS, 2, RESULT("status", 2, true, "on", "proven", false, "null") },
		{ FENCER_VERB_STATUS, 0,
		  RESULT("status", 0, true, "off", "proven", false, "null") },
		{ FENCER_VERB_STATUS, 0,
		  RESULT("status", 0, true, "OFF", "proven", false, "null") },
		/* a failure without cause, or with one that does not exist */
		{ FENCER_VERB_OFF, 1, RESULT("off", 1, false, "off", "proven", true, "null") },
		{ FENCER_VERB_OFF, 1, RESULT("off", 1, false, "off", "proven", true, "\"moon\"") },
		/* results only for some actions */
		{ FENCER_VERB_LIST, 0, RESULT("list", 0, true, "off", "proven", true, "null") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		answer(cases[i].verb, NULL, cases[i].status, cases[i].out, "");
		assert_int_equal(reply.core.rc, RC_PROTOCOL);
		assert_true(reply.message[0] != '\0');
	}
}

static void native_words_that_are_not_ours(void **state)
{
	(void)state;
	answer(FENCER_VERB_OFF, NULL, 0, RESULT("off", 0, true, "Off", "Proven", true, "null"), "");
	assert_int_equal(reply.core.state, POWER_UNKNOWN);
	assert_int_equal(reply.core.proof, PROOF_NONE);
}

static void last_object_counts(void **state)
{
	(void)state;
	answer(FENCER_VERB_OFF, NULL, 0,
	       RESULT("off", 1, false, "on", "none", false, "\"state\"") RESULT(
		       "off", 0, true, "off", "proven", true, "null") "{}\n{\"agent\":1}\n[]\n",
	       "");
	assert_int_equal(reply.core.rc, 0);
	/* An object that is torn is none. */
	answer(FENCER_VERB_OFF, NULL, 0, "{\"agent\":\"fence_x\",\"exit\":0,\"state\":\"of", "");
	assert_int_equal(reply.core.native, 0);
	assert_int_equal(reply.core.proof, PROOF_ACCEPTED);
}

/* ---- ends that are no answer ---- */

static void killed_is_unknown(void **state)
{
	static const char out[] = RESULT("off", 0, true, "off", "proven", true, "null");
	struct child_result result = { .exit_status = -1,
				       .term_signal = 11,
				       .out = out,
				       .out_bytes = sizeof out - 1,
				       .err = "" };

	(void)state;
	agent_reply_read(FENCER_VERB_OFF, NULL, &result, &reply);
	assert_int_equal(reply.core.rc, RC_INTERNAL);
	assert_int_equal(reply.core.state, POWER_UNKNOWN);
	assert_int_equal(reply.core.off_proven, 0);
	assert_non_null(strstr(reply.message, "signal 11"));
	result.timed_out = 1;
	agent_reply_read(FENCER_VERB_OFF, NULL, &result, &reply);
	assert_int_equal(reply.core.rc, RC_TIMEOUT);
	assert_int_equal(reply.core.state, POWER_UNKNOWN);
}

/* ---- other agents ---- */

static void foreign_command_is_only_accepted(void **state)
{
	(void)state;
	answer(FENCER_VERB_OFF, "3", 0, "Success: Powered OFF\n", "");
	assert_int_equal(reply.core.rc, 0);
	assert_int_equal(reply.core.native, 0);
	assert_int_equal(reply.core.proof, PROOF_ACCEPTED);
	assert_int_equal(reply.core.state, POWER_UNKNOWN);
}

static void foreign_status(void **state)
{
	static const struct {
		int status;
		const char *out, *err;
		enum power_state state;
		int ok;
	} cases[] = {
		{ 0, "Status: ON\n", "", POWER_ON, 1 },
		{ 2, "Status: OFF\n", "", POWER_OFF, 1 },
		{ 2, "login ok\r\n  status:\toff \r\nbye", "", POWER_OFF, 1 },
		{ 0, "Status:ON", "", POWER_ON, 1 },
		/* a missing answer is unknown */
		{ 0, "", "", POWER_UNKNOWN, 0 },
		{ 2, "", "", POWER_UNKNOWN, 0 },
		{ 0, "", "Status: ON\n", POWER_UNKNOWN, 0 },
		{ 2, "", "Status: OFF\n", POWER_UNKNOWN, 0 },
		{ 0, "\x01\xffgarbage\n", "", POWER_UNKNOWN, 0 },
		/* the words inside others */
		{ 2, "Error: management card is offline\n", "", POWER_UNKNOWN, 0 },
		{ 2, "Status: OFFLINE\n", "", POWER_UNKNOWN, 0 },
		{ 2, "no Status: OFF\n", "", POWER_UNKNOWN, 0 },
		{ 2, "Status: OFF?\n", "", POWER_UNKNOWN, 0 },
		{ 0, "Status: ONE moment\n", "", POWER_UNKNOWN, 0 },
		{ 2, "", "ERROR: Unknown option 'json'\n", POWER_UNKNOWN, 0 },
		{ 2, "Status: ON\nStatus: OFF\n", "", POWER_UNKNOWN, 0 },
		/* exit status 2 is also how programs end that do not understand their options */
		{ 2, "", "usage: x [-h]\nx: error: unknown option\n", POWER_UNKNOWN, 0 },
		{ 2, "usage: x [-o off]\n", "", POWER_UNKNOWN, 0 },
		{ 2, "", "x: syntax error near line 7\n", POWER_UNKNOWN, 0 },
		{ 2, "Status: OFF\n",
		  "2026-01-01 10:00:00,123 WARNING: Parse error: Ignoring unknown option 'json=1'\n"
		  "\n",
		  POWER_OFF, 1 },
		{ 2, "Status: OFF\n",
		  "2026-01-01 10:00:00,123 WARNING: Parse error: Ignoring unknown option "
		  "'action_timeout=9'\n\n",
		  POWER_OFF, 1 },
		/* words and exit status against each other */
		{ 0, "Status: OFF\n", "", POWER_UNKNOWN, 0 },
		{ 2, "Status: ON\n", "", POWER_UNKNOWN, 0 },
		{ 1, "", "", POWER_UNKNOWN, 0 },
		{ 127, "Status: OFF\n", "", POWER_UNKNOWN, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		answer(FENCER_VERB_STATUS, NULL, cases[i].status, cases[i].out, cases[i].err);
		assert_int_equal(reply.core.state, cases[i].state);
		assert_int_equal(reply.core.rc == 0, cases[i].ok);
	}
}

/* What came, and what was expected. */
static void foreign_status_words(void **state)
{
	struct child_result result = {
		.exit_status = 2, .out = "Status: OFF", .out_bytes = 11, .out_dropped = 1, .err = ""
	};

	(void)state;
	answer(FENCER_VERB_STATUS, NULL, 2, "", "ERROR: Unknown option 'json'\n");
	assert_int_equal(reply.core.rc, RC_PROTOCOL);
	assert_string_equal(reply.message, "exit status 2 with \"ERROR: Unknown option 'json'\", "
					   "expected the line \"Status: OFF\" with it");
	answer(FENCER_VERB_STATUS, NULL, 0, "\nhello\nworld\n", "");
	assert_string_equal(reply.message, "exit status 0 with \"hello\", expected the line "
					   "\"Status: ON\" with it");
	answer(FENCER_VERB_STATUS, NULL, 2, "", "");
	assert_string_equal(reply.message, "exit status 2 without a word, expected the line "
					   "\"Status: OFF\" with it");
	agent_reply_read(FENCER_VERB_STATUS, NULL, &result, &reply);
	assert_int_equal(reply.core.rc, RC_PROTOCOL);
	assert_int_equal(reply.core.state, POWER_UNKNOWN);
}

/* An agent that owes a result has given no answer without one, whatever it prints. */
static void native_without_a_result(void **state)
{
	static const enum fencer_verb verbs[] = { FENCER_VERB_OFF, FENCER_VERB_ON,
						  FENCER_VERB_STATUS, FENCER_VERB_LIST,
						  FENCER_VERB_PROBE };
	struct child_result result = { .out = "Status: ON\n", .out_bytes = 11, .err = "" };

	(void)state;
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		struct agent_question question = { .verb = verbs[i],
						   .separator = ",",
						   .is_native = 1 };

		agent_reply_judge(&question, &result, &reply);
		assert_int_equal(reply.core.rc, RC_PROTOCOL);
		assert_int_equal(reply.core.state, POWER_UNKNOWN);
		assert_int_equal(reply.core.proof, PROOF_NONE);
		assert_string_equal(reply.message,
				    "exit status 0 without the result that it owes: Status: ON");
	}
}

static void foreign_list_with_separator(void **state)
{
	static const struct {
		const char *plugs, *separator;
		int rc;
	} cases[] = {
		{ "1;2", ";", 0 },
		{ "1;9", ";", RC_NO_SUCH_PLUG },
		{ "1,2", ";", RC_NO_SUCH_PLUG },
		{ "1 ; 2", " ; ", 0 },
		{ "1,2", "", RC_NO_SUCH_PLUG },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct child_result result = { .out = "1,a\n2,b\n", .out_bytes = 8, .err = "" };
		struct agent_question question = { .verb = FENCER_VERB_LIST,
						   .plugs = cases[i].plugs,
						   .separator = cases[i].separator };

		agent_reply_judge(&question, &result, &reply);
		assert_int_equal(reply.core.rc, cases[i].rc);
	}
}

static void foreign_list(void **state)
{
	static const struct {
		const char *plugs, *out;
		int rc;
	} cases[] = {
		{ "3", "1,Outlet 1\n2,\n3,db7\n", 0 },
		{ "db7", "1,Outlet 1\n2,\n3,db7\n", 0 },
		{ "1,3", "1,a\n2,b\n3,c\n", 0 },
		{ "1, 3", "1,a\n2,b\n3,c\n", 0 },
		{ "1,4", "1,a\n2,b\n3,c\n", RC_NO_SUCH_PLUG },
		{ "4", "1,a\n2,b\n3,c\n", RC_NO_SUCH_PLUG },
		{ "3", "33,a\n", RC_NO_SUCH_PLUG },
		{ "A", "a,b\n", RC_NO_SUCH_PLUG },
		{ "3", "3,db7,ON\n", 0 },
		{ "node 1", "node 1,\n", 0 },
		{ "vm1", "vm1\nvm2\n", 0 },
		{ "vm3", "vm1\nvm2\n", RC_NO_SUCH_PLUG },
		{ "3", "N/A\n", RC_UNSUPPORTED },
		{ "3", "", RC_UNSUPPORTED },
		{ "3", "NOTICE: List option is not working on this device yet\n", RC_UNSUPPORTED },
		{ "a,b", "x,a,b\n\"a,b\",\n", RC_NO_SUCH_PLUG },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		answer(FENCER_VERB_LIST, cases[i].plugs, 0, cases[i].out, "");
		assert_int_equal(reply.core.rc, cases[i].rc);
	}
	answer(FENCER_VERB_LIST, "3", 1, "", "Connection timed out\n");
	assert_int_equal(reply.core.rc, RC_UNREACHABLE);
}

/* A list that was cut off does not tell what it lacks. */
static void foreign_list_cut_off(void **state)
{
	struct child_result result = {
		.out = "1,a\n2,b\n", .out_bytes = 8, .out_dropped = 100, .err = ""
	};

	(void)state;
	agent_reply_read(FENCER_VERB_LIST, "3", &result, &reply);
	assert_int_equal(reply.core.rc, RC_PROTOCOL);
	agent_reply_read(FENCER_VERB_LIST, "2", &result, &reply);
	assert_int_equal(reply.core.rc, 0);
}

#define STAMP "2026-01-01 10:00:00,123 "

static void foreign_causes(void **state)
{
	static const struct {
		const char *err;
		int rc;
		const char *message;
	} cases[] = {
		{ "", RC_INTERNAL, "exit status 1, without a word" },
		{ STAMP "ERROR: Failed: Unable to obtain correct plug status or plug is not "
			"available\n\n\n",
		  RC_PROTOCOL,
		  "Failed: Unable to obtain correct plug status or plug is not available" },
		{ STAMP "ERROR: Failed: Timed out waiting to power OFF\n", RC_STATE,
		  "Failed: Timed out waiting to power OFF" },
		{ "Unable to connect/login to fencing device\n", RC_UNREACHABLE,
		  "Unable to connect/login to fencing device" },
		{ STAMP "ERROR: Login incorrect\n", RC_AUTH, "Login incorrect" },
		{ "ssh: connect to host x port 22: Connection refused\n", RC_UNREACHABLE,
		  "ssh: connect to host x port 22: Connection refused" },
		{ STAMP
		  "ERROR: Failed: You have to enter plug number or machine identification\n" STAMP
		  "ERROR: Please use '-h' for usage\n",
		  RC_CONFIG, "Failed: You have to enter plug number or machine identification" },
		{ STAMP "ERROR: Failed: Unrecognised action 'probe'\n", RC_UNSUPPORTED,
		  "Failed: Unrecognised action 'probe'" },
		{ "Operation timed out\n", RC_TIMEOUT, "Operation timed out" },
		{ STAMP "WARNING: Parse error: Ignoring unknown option 'json=1'\n" STAMP
			"WARNING: Parse error: Ignoring unknown option 'nodename=x'\n",
		  RC_INTERNAL, "exit status 1, without a word" },
		/* A warning stands in only where there is nothing else. */
		{ STAMP "WARNING: device is busy\n", RC_BUSY, "device is busy" },
		{ STAMP "ERROR: Failed\n" STAMP "WARNING: device is busy\n", RC_INTERNAL,
		  "Failed" },
		{ "Traceback (most recent call last):\n  File \"x\"\nKeyError: 'ip'\n", RC_INTERNAL,
		  "KeyError: 'ip'" },
		{ "colour \x1b[31mred\x1b[0m \xff\n", RC_INTERNAL, "colour  [31mred [0m ?" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		answer(FENCER_VERB_OFF, NULL, 1, "", cases[i].err);
		assert_string_equal(reply.message, cases[i].message);
		assert_int_equal(reply.core.rc, cases[i].rc);
	}
}

static void foreign_probe_is_no_answer(void **state)
{
	(void)state;
	answer(FENCER_VERB_PROBE, NULL, 0, "Status: ON\n", "");
	assert_int_equal(reply.core.rc, RC_PROTOCOL);
	assert_int_equal(reply.core.state, POWER_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(native_off_proven),
		cmocka_unit_test(native_cause),
		cmocka_unit_test(native_status),
		cmocka_unit_test(native_contradictions),
		cmocka_unit_test(native_words_that_are_not_ours),
		cmocka_unit_test(last_object_counts),
		cmocka_unit_test(killed_is_unknown),
		cmocka_unit_test(foreign_command_is_only_accepted),
		cmocka_unit_test(foreign_status),
		cmocka_unit_test(foreign_status_words),
		cmocka_unit_test(native_without_a_result),
		cmocka_unit_test(foreign_list),
		cmocka_unit_test(foreign_list_with_separator),
		cmocka_unit_test(foreign_list_cut_off),
		cmocka_unit_test(foreign_causes),
		cmocka_unit_test(foreign_probe_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
