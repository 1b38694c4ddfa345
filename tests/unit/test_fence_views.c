/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_fence_views.c - what `holdfast fence` says of a report: golden text, exit statuses, JSON
 * with the same facts, history dates, the progress line. No agent runs.
 *
 * LINK: fencer host base pkg:jansson cli/fence_result.c cli/fence_verdict.c cli/fence_view.c cli/fence_proofs.c cli/output.c cli/output_text.c cli/output_json.c cli/progress.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/fence.h"
#include "cli/fence_proofs.h"
#include "cli/progress.h"
#include "fence-agents/fencer/fence_conf_parse.h"
#include "fence-agents/fencer/fence_history.h"

/* main.c's, for the views: what would go to stderr. */
static char warned[1024];

void cli_warn(const struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	(void)cli;
	va_start(ap, fmt);
	vsnprintf(warned, sizeof warned, fmt, ap);
	va_end(ap);
}

static char folder[] = "/tmp/test_fence_views.XXXXXX";
static char history[64];

/* A run whose output is a string. */
struct fixture {
	struct cli cli;
	struct fence_run run;
	char *text;
	size_t size;
	size_t seen; /* of the text, by assert_said() */
};

static void fixture_open(struct fixture *f, int json)
{
	static const char conf[] =
		"FENCE_HISTORY %s\nFENCE_TEST_AGE 30\n"
		"FENCE_DEVICE bmc1\nFENCE_AGENT fence_ipmi\nFENCE_OPTION ip 10.0.0.7\n"
		"FENCE_OPTION password hunter2\n"
		"FENCE_DEVICE bmc2\nFENCE_AGENT fence_ipmi\nFENCE_OPTION ip 10.0.0.8\n"
		"FENCE_DEVICE pdu-a\nFENCE_AGENT fence_apc\n"
		"FENCE_DEVICE pdu-b\nFENCE_AGENT fence_apc\n"
		"NODE_NAME node1\nFENCE_LEVEL 1 bmc1\nFENCE_LEVEL 2 pdu-a:3,4 pdu-b:3\n"
		"NODE_NAME node2\nFENCE_LEVEL 1 bmc2\n";
	struct fence_conf_secret secret;
	struct err err = { 0 };
	char text[1024];

	memset(f, 0, sizeof *f);
	warned[0] = '\0';
	f->cli.json = json;
	f->cli.no_colour = 1;
	f->run.cli = &f->cli;
	snprintf(text, sizeof text, conf, history);
	assert_int_equal(fence_conf_parse("f", text, strlen(text), &f->run.conf, &secret, &err), 0);
	output_init(&f->run.out, &f->cli);
	f->run.out.file = open_memstream(&f->text, &f->size);
	assert_non_null(f->run.out.file);
}

static void fixture_close(struct fixture *f)
{
	fclose(f->run.out.file);
	fence_conf_free(f->run.conf);
	free(f->text);
}

/* The text since the last time. */
static void assert_said(struct fixture *f, const char *wanted)
{
	fflush(f->run.out.file);
	assert_string_equal(f->text + f->seen, wanted);
	assert_false(f->run.out.lost);
	assert_null(strstr(f->text, "hunter2"));
	f->seen = f->size;
}

static char none[] = "";
static char refused[] = "login refused (wrong password)";
static char refused_bmc2[] = "bmc2: probe: login refused (wrong password)";
static char check[] = "check password=";
static char silent[] = "no answer from 10.0.0.7";

static struct fencer_leg_report leg_good(size_t leg, int off, int on)
{
	return (struct fencer_leg_report){ .leg = leg,
					   .ran = 1,
					   .state = on || !off ? POWER_ON : POWER_OFF,
					   .proof = PROOF_PROVEN,
					   .off_proven = off,
					   .on_proven = on,
					   .native = 1,
					   .attempts = 1,
					   .elapsed_ms = 210,
					   .message = none,
					   .next = none };
}

static struct fencer_leg_report leg_bad(size_t leg, int rc, char *message, char *next)
{
	return (struct fencer_leg_report){ .leg = leg,
					   .ran = 1,
					   .rc = rc,
					   .native = 1,
					   .attempts = 3,
					   .elapsed_ms = 900,
					   .message = message,
					   .next = next };
}

static struct fencer_leg_report leg_idle(size_t leg)
{
	return (struct fencer_leg_report){ .leg = leg, .message = none, .next = none };
}

/* ---- status, on, off, reboot ---- */

struct outcome {
	enum fencer_op op;
	int rc;
	enum power_state state;
	int off_proven, on_proven;
	int status;
	const char *wanted;
};

static void test_outcomes(void **state)
{
	static const struct outcome cases[] = {
		{ FENCER_STATUS, 0, POWER_ON, 0, 0, 0, "node2  on  level 1 bmc2  0.21 s\n" },
		{ FENCER_STATUS, 0, POWER_OFF, 0, 0, CLI_EXIT_OFF,
		  "node2  off  level 1 bmc2  0.21 s\n" },
		{ FENCER_STATUS, 0, POWER_PARTIAL, 0, 0, CLI_EXIT_NOT,
		  "node2  partial  level 1 bmc2  0.21 s\n" },
		{ FENCER_STATUS, 0, POWER_PENDING, 0, 0, CLI_EXIT_NOT,
		  "node2  pending  level 1 bmc2  0.21 s\n" },
		/* S1: a state that was not read is no success, whatever the code. */
		{ FENCER_STATUS, 0, POWER_UNKNOWN, 0, 0, CLI_EXIT_NOT,
		  "node2  FAILED: not proven, power is unknown\n" },
		{ FENCER_STATUS, RC_AUTH, POWER_UNKNOWN, 0, 0, CLI_EXIT_NOT,
		  "node2  unknown, auth: login refused (wrong password); check password=\n" },
		{ FENCER_OFF, 0, POWER_OFF, 1, 0, 0, "node2  off, proven  level 1 bmc2  0.21 s\n" },
		{ FENCER_OFF, 0, POWER_OFF, 0, 0, CLI_EXIT_NOT,
		  "node2  FAILED: not proven, power is off\n" },
		{ FENCER_OFF, RC_AUTH, POWER_UNKNOWN, 0, 0, CLI_EXIT_NOT,
		  "node2  FAILED auth: login refused (wrong password); check password= (power is "
		  "unknown)\n" },
		{ FENCER_ON, 0, POWER_ON, 0, 1, 0, "node2  on, proven  level 1 bmc2  0.21 s\n" },
		{ FENCER_ON, 0, POWER_ON, 0, 0, CLI_EXIT_NOT,
		  "node2  FAILED: not proven, power is on\n" },
		{ FENCER_REBOOT, 0, POWER_ON, 1, 1, 0,
		  "node2  rebooted, off and on proven  level 1 bmc2  0.21 s\n" },
		{ FENCER_REBOOT, RC_AUTH, POWER_OFF, 1, 0, CLI_EXIT_NOT,
		  "node2  FENCED (off proven), but not back on: auth: login refused (wrong "
		  "password); check password=\n" },
		{ FENCER_REBOOT, 0, POWER_OFF, 1, 0, CLI_EXIT_NOT,
		  "node2  FENCED (off proven), but not back on: not proven, power is off\n" },
		{ FENCER_REBOOT, 0, POWER_ON, 0, 1, CLI_EXIT_NOT,
		  "node2  FAILED: not proven, power is on\n" },
	};
	struct fixture f;

	(void)state;
	fixture_open(&f, 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct outcome *c = &cases[i];
		struct fencer_leg_report leg = leg_good(0, c->off_proven, c->on_proven);
		struct fencer_target_report target = {
			.target = 1,
			.rc = c->rc,
			.state = c->state,
			.off_proven = c->off_proven,
			.on_proven = c->on_proven,
			.level = 1,
			.elapsed_ms = 210,
			.message = c->rc ? refused : none,
			.next = c->rc ? check : none,
			.legs = &leg,
			.legs_count = 1,
		};
		struct fencer_report report = { .op = c->op,
						.targets = &target,
						.targets_count = 1 };

		assert_int_equal(fence_result_show(&f.run, &report), c->status);
		assert_said(&f, c->wanted);
	}
	fixture_close(&f);
}

/* Two targets, one fenced by its second level: the broken first level is told all the same. */
static void report_two(struct fencer_report *report, struct fencer_target_report *targets,
		       struct fencer_leg_report *legs)
{
	legs[0] = leg_bad(0, RC_UNREACHABLE, silent, none);
	legs[1] = leg_good(1, 1, 0);
	legs[2] = leg_good(2, 1, 0);
	legs[3] = leg_bad(0, RC_AUTH, refused, check);
	targets[0] = (struct fencer_target_report){ .target = 0,
						    .state = POWER_OFF,
						    .proof = PROOF_PROVEN,
						    .off_proven = 1,
						    .level = 2,
						    .elapsed_ms = 1234,
						    .message = none,
						    .next = none,
						    .legs = legs,
						    .legs_count = 3 };
	targets[1] = (struct fencer_target_report){ .target = 1,
						    .rc = RC_AUTH,
						    .elapsed_ms = 900,
						    .message = refused,
						    .next = check,
						    .legs = legs + 3,
						    .legs_count = 1 };
	*report = (struct fencer_report){ .op = FENCER_OFF,
					  .targets = targets,
					  .targets_count = 2 };
}

static void test_two_targets(void **state)
{
	struct fencer_report report;
	struct fencer_target_report targets[2];
	struct fencer_leg_report legs[4];
	struct fixture f;

	(void)state;
	report_two(&report, targets, legs);
	fixture_open(&f, 0);
	assert_int_equal(fence_result_show(&f.run, &report), CLI_EXIT_NOT);
	assert_said(&f,
		    "node1  off, proven  level 2 pdu-a:3,4 + pdu-b:3  1.23 s\n"
		    "    level 1 bmc1: unreachable: no answer from 10.0.0.7\n"
		    "node2  FAILED auth: login refused (wrong password); check password= (power is "
		    "unknown)\n"
		    "1 of 2 proven\n");
	fixture_close(&f);
}

static void test_two_targets_json(void **state)
{
	struct fencer_report report;
	struct fencer_target_report targets[2];
	struct fencer_leg_report legs[4];
	struct fixture f;
	json_t *first;
	char *line;

	(void)state;
	report_two(&report, targets, legs);
	fixture_open(&f, 1);
	assert_int_equal(fence_result_show(&f.run, &report), CLI_EXIT_NOT);
	fflush(f.run.out.file);
	line = strchr(f.text, '\n');
	assert_non_null(line);
	first = json_loadb(f.text, (size_t)(line - f.text), 0, NULL);
	assert_string_equal(json_string_value(json_object_get(first, "target")), "node1");
	assert_string_equal(json_string_value(json_object_get(first, "operation")), "off");
	assert_true(json_is_true(json_object_get(first, "ok")));
	assert_true(json_is_true(json_object_get(first, "off_proven")));
	assert_true(json_is_null(json_object_get(first, "cause")));
	assert_int_equal(json_integer_value(json_object_get(first, "level")), 2);
	assert_int_equal(json_array_size(json_object_get(first, "legs")), 3);
	json_decref(first);
	assert_non_null(strstr(line, "\"ok\":false,\"cause\":\"auth\",\"state\":\"unknown\""));
	fixture_close(&f);
}

/* Text from a device reaches neither the terminal's controls nor breaks the JSON. */
static void test_hostile_text(void **state)
{
	char hostile[] = "a\x1b[2J\nb\xff";
	struct fencer_leg_report leg = leg_bad(0, RC_PROTOCOL, hostile, none);
	struct fencer_target_report target = { .target = 1,
					       .rc = RC_PROTOCOL,
					       .message = hostile,
					       .next = none,
					       .legs = &leg,
					       .legs_count = 1 };
	struct fencer_report report = { .op = FENCER_OFF, .targets = &target, .targets_count = 1 };

	(void)state;
	for (int json = 0; json <= 1; json++) {
		struct fixture f;

		fixture_open(&f, json);
		fence_result_show(&f.run, &report);
		fflush(f.run.out.file);
		assert_null(strchr(f.text, '\x1b'));
		assert_ptr_equal(strchr(f.text, '\n'), f.text + f.size - 1);
		if (json) {
			json_t *object = json_loads(f.text, 0, NULL);

			assert_non_null(object);
			json_decref(object);
		}
		fixture_close(&f);
	}
}

/* ---- test ---- */

static void history_write(const char *operation, const char *target, const char *device,
			  const char *plugs, int off_proven, int64_t days_ago)
{
	struct fence_history_record record = {
		.time_s = (int64_t)time(NULL) - days_ago * 86400,
		.kind = FENCE_HISTORY_DEVICE,
		.operation = operation,
		.target = target,
		.device = device,
		.plugs = plugs,
		.level = 1,
		.result = "ok",
		.state = "off",
		.proof = "proven",
		.off_proven = off_proven,
		.message = "",
		.operator_name = "root",
	};
	struct err err = { 0 };

	if (fence_history_append(history, &record, 1, &err))
		fail_msg("%s", err.text);
}

static void test_verdict(void **state)
{
	struct fencer_leg_report legs[] = { leg_good(0, 0, 0), leg_good(1, 0, 0), leg_good(2, 0, 0),
					    leg_bad(0, RC_AUTH, refused_bmc2, check) };
	struct fencer_target_report targets[] = {
		{ .target = 0, .message = none, .next = none, .legs = legs, .legs_count = 3 },
		{ .target = 1,
		  .rc = RC_AUTH,
		  .message = refused,
		  .next = check,
		  .legs = legs + 3,
		  .legs_count = 1 },
	};
	struct fencer_report report = { .op = FENCER_TEST, .targets = targets, .targets_count = 2 };
	char wanted[2048], recent[32], old[32];
	struct fixture f;

	(void)state;
	unlink(history);
	history_write("off", "node1", "bmc1", "", 1, 100);
	history_write("reboot", "node1", "bmc1", "", 1, 12);
	history_write("off", "node1", "bmc1", "", 0, 1);   /* not proven */
	history_write("on", "node1", "bmc1", "", 1, 1);	   /* not an off */
	history_write("off", "node1", "pdu-a", "3", 1, 1); /* other plugs */
	history_write("test-for-real", "node1", "pdu-b", "3", 1, 31);
	history_write("off", "node1", "bmc2", "", 1, 1); /* other target */
	fence_date((int64_t)time(NULL) - 12 * 86400, recent, sizeof recent);
	fence_date((int64_t)time(NULL) - 31 * 86400, old, sizeof old);
	legs[1].native = 0;

	fixture_open(&f, 0);
	assert_int_equal(fence_verdict_show(&f.run, &report), CLI_EXIT_NOT);
	snprintf(wanted, sizeof wanted,
		 "node1  level 1  bmc1       (fence_ipmi 10.0.0.7)  ok, power is on                "
		 "last real success %s (12 days ago)\n"
		 "       level 2  pdu-a:3,4  (fence_apc)            ok, power is on (status only)  "
		 "never fenced for real\n"
		 "       level 2  pdu-b:3    (fence_apc)            ok, power is on                "
		 "last real success %s (31 days ago)\n"
		 "node2  level 1  bmc2       (fence_ipmi 10.0.0.8)  FAILED auth: login refused "
		 "(wrong password); check password=  never fenced for real\n"
		 "VERDICT: 1 of 2 targets can be fenced:\n"
		 "         node2 CANNOT be fenced: bmc2: login refused (wrong password).\n"
		 "WARNING: never fenced for real: node1 by pdu-a:3,4, node2 by bmc2; test with "
		 "--for-real while the node is out of use\n"
		 "WARNING: last real success more than 30 days ago: node1 by pdu-b:3; test with "
		 "--for-real while the node is out of use\n",
		 recent, old);
	assert_said(&f, wanted);
	assert_string_equal(warned, "");
	fixture_close(&f);

	fixture_open(&f, 1);
	assert_int_equal(fence_verdict_show(&f.run, &report), CLI_EXIT_NOT);
	fflush(f.run.out.file);
	assert_non_null(
		strstr(f.text, "\"can_be_fenced\":true,\"verdict\":\"node1 can be fenced.\""));
	assert_non_null(strstr(f.text, "\"last_success_days\":12,\"overdue\":false"));
	assert_non_null(strstr(f.text, "\"last_success_days\":31,\"overdue\":true"));
	assert_non_null(strstr(
		f.text, "\"last_success\":null,\"last_success_days\":null,\"overdue\":true"));
	assert_non_null(strstr(f.text, "\"can_be_fenced\":false"));
	fixture_close(&f);
}

static void verdict_line(enum fencer_op op, struct fencer_leg_report *legs, int rc, int status,
			 const char *wanted)
{
	struct fencer_target_report target = {
		.target = 0, .rc = rc, .message = none, .next = none, .legs = legs, .legs_count = 3
	};
	struct fencer_report report = { .op = op, .targets = &target, .targets_count = 1 };
	struct fixture f;
	const char *line;

	fixture_open(&f, 0);
	assert_int_equal(fence_verdict_show(&f.run, &report), status);
	fflush(f.run.out.file);
	line = strstr(f.text, "VERDICT: ");
	assert_non_null(line);
	*strchr(line, '\n') = '\0';
	assert_string_equal(line, wanted);
	fixture_close(&f);
}

static void test_verdict_levels(void **state)
{
	struct fencer_leg_report good = leg_good(0, 0, 0);
	struct fencer_leg_report second = leg_bad(1, RC_AUTH, refused, none);
	struct fencer_leg_report third = leg_good(2, 0, 0);
	struct fencer_leg_report legs[3] = { good, second, third };

	(void)state;
	verdict_line(FENCER_TEST, legs, RC_AUTH, CLI_EXIT_NOT,
		     "VERDICT: node1 can be fenced by level 1, but level 2 is broken: pdu-a:3,4: "
		     "login refused (wrong password).");
	legs[0] = leg_bad(0, RC_UNREACHABLE, silent, none);
	verdict_line(FENCER_TEST, legs, RC_AUTH, CLI_EXIT_NOT,
		     "VERDICT: node1 CANNOT be fenced: bmc1: no answer from 10.0.0.7.");
	legs[1] = leg_good(1, 0, 0);
	verdict_line(FENCER_TEST, legs, RC_UNREACHABLE, CLI_EXIT_NOT,
		     "VERDICT: node1 can be fenced by level 2, but level 1 is broken: bmc1: "
		     "no answer from 10.0.0.7.");
	/* What was not asked has not passed. */
	legs[0] = leg_idle(0);
	verdict_line(FENCER_TEST, legs, 0, CLI_EXIT_NOT,
		     "VERDICT: node1 can be fenced by level 2, but level 1 is broken: bmc1: not "
		     "tested.");
}

static void test_verdict_for_real(void **state)
{
	struct fencer_leg_report legs[3] = { leg_good(0, 1, 1), leg_good(1, 1, 1),
					     leg_good(2, 1, 1) };

	(void)state;
	verdict_line(FENCER_TEST_REAL, legs, 0, CLI_EXIT_OK, "VERDICT: node1 can be fenced.");
	/* A device that claims success without proof of off has none. */
	legs[0].off_proven = 0;
	verdict_line(FENCER_TEST_REAL, legs, 0, CLI_EXIT_NOT,
		     "VERDICT: node1 can be fenced by level 2, but level 1 is broken: bmc1: it "
		     "reports success without proof.");
	/* Off was proven, on was not: it fences, and the test has failed. */
	legs[0] = leg_bad(0, RC_STATE, silent, none);
	legs[0].off_proven = 1;
	verdict_line(FENCER_TEST_REAL, legs, RC_STATE, CLI_EXIT_NOT,
		     "VERDICT: node1 can be fenced by level 1, but level 1 is broken: bmc1: "
		     "no answer from 10.0.0.7.");
}

/* A history that cannot be read must not turn into "never". */
static void test_history_unreadable(void **state)
{
	struct fencer_leg_report legs[] = { leg_good(0, 0, 0) };
	struct fencer_target_report target = {
		.target = 1, .message = none, .next = none, .legs = legs, .legs_count = 1
	};
	struct fencer_report report = { .op = FENCER_TEST, .targets = &target, .targets_count = 1 };
	struct fixture f;

	(void)state;
	unlink(history);
	assert_int_equal(symlink(history, history), 0); /* ELOOP for whoever opens it */
	fixture_open(&f, 0);
	assert_int_equal(fence_verdict_show(&f.run, &report), CLI_EXIT_OK);
	assert_said(&f, "node2  level 1  bmc2  (fence_ipmi 10.0.0.8)  ok, power is on  history "
			"unreadable\nVERDICT: node2 can be fenced.\n");
	assert_string_not_equal(warned, "");
	fixture_close(&f);
	assert_int_equal(unlink(history), 0);
}

static void test_age(void **state)
{
	(void)state;
	assert_int_equal(fence_proof_age_days(0, 86399), 0);
	assert_int_equal(fence_proof_age_days(0, 86400), 1);
	assert_int_equal(fence_proof_age_days(100, 0), 0); /* the clock was set back */
}

/* ---- progress ---- */

static void test_progress(void **state)
{
	struct fencer_progress now = { .done = 1, .failed = 2, .running = 2, .total = 9 };
	char phases[2][32] = { "off level 1", "verify" };
	size_t running[2] = { 1, 0 };
	struct progress progress = { .phases = phases, .running = running, .running_count = 2 };
	char line[512];
	struct fixture f;

	(void)state;
	fixture_open(&f, 0);
	progress.conf = f.run.conf;
	progress_line(&progress, &now, 200, line, sizeof line);
	assert_string_equal(line,
			    "1 of 9 done, 2 failed, 2 running: node2 verify, node1 off level 1");
	for (size_t width = 10; width < 70; width++) {
		progress_line(&progress, &now, width, line, sizeof line);
		assert_true(strlen(line) <= width);
	}
	progress_line(&progress, &now, 50, line, sizeof line);
	assert_string_equal(line, "1 of 9 done, 2 failed, 2 running: node2 verify ...");
	fixture_close(&f);
}

static int folder_make(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(history, sizeof history, "%s/history", folder);
	return 0;
}

static int folder_remove(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_two_targets),
		cmocka_unit_test(test_two_targets_json),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_verdict),
		cmocka_unit_test(test_verdict_levels),
		cmocka_unit_test(test_verdict_for_real),
		cmocka_unit_test(test_history_unreadable),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_progress),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
