/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_lockd_options.c - lockd's command line, its defaults, and the inequalities between its times.
 *
 * LINK: lockd base
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/timing_peer.h"
#include "diskhb/super_wire.h"
#include "lockd/lockd_options.h"

enum { WORDS_MAX = 16 };

static struct lockd_options options;
static struct err err;

/* The words after "--disk /d --node 1". */
static int parse(const char *words)
{
	static char copy[512];
	char *argv[WORDS_MAX + 6] = { "lockd", "--disk", "/d", "--node", "1" };
	int argc = 5;

	snprintf(copy, sizeof copy, "%s", words);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		assert_true(argc < WORDS_MAX + 5);
		argv[argc++] = word;
	}
	memset(&err, 0, sizeof err);
	return lockd_options_parse(&options, argc, argv, &err);
}

static void refused(const char *words, const char *text)
{
	assert_int_equal(parse(words), RC_CONFIG);
	if (!strstr(err.text, text))
		fail_msg("\"%s\": \"%s\" does not hold \"%s\"", words, err.text, text);
}

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	assert_int_equal(options.disks_count, 1);
	assert_int_equal(options.node, 1);
	assert_int_equal(options.interval_ms, 250);
	assert_int_equal(options.expiry, LOCKD_EXPIRY_LOCKS);
	assert_int_equal(options.watchdog, 1);
	assert_int_equal(options.nexus, 0);
	assert_null(options.name);
	assert_null(options.socket);
	/* And they hold on a disk as it is prepared by default. */
	assert_int_equal(lockd_options_check(&options, CLAIM_WINDOW_DEFAULT_MS, &err), 0);
	options.expiry = LOCKD_EXPIRY_NODE;
	assert_int_equal(lockd_options_check(&options, CLAIM_WINDOW_DEFAULT_MS, &err), 0);
}

static void test_all(void **state)
{
	(void)state;
	assert_int_equal(
		parse("--disk=/e --disk iscsi://h/i/1 --node=64 --name a.b-c_1 --interval 100ms "
		      "--io-timeout=1s --member-timeout 3000 --lease 4s --drain 0"),
		0);
	assert_int_equal(options.disks_count, 3);
	assert_string_equal(options.disks[1], "/e");
	assert_int_equal(options.node, 64);
	assert_string_equal(options.name, "a.b-c_1");
	assert_int_equal(options.interval_ms, 100);
	assert_int_equal(options.io_timeout_ms, 1000);
	assert_int_equal(options.member_timeout_ms, 3000);
	assert_int_equal(options.lease_ms, 4000);
	assert_int_equal(options.drain_ms, 0);
	assert_int_equal(parse("--expiry node --watchdog off --state /s --run-dir /r --socket /x "
			       "--nexus 31 --priority 0"),
			 0);
	assert_int_equal(options.expiry, LOCKD_EXPIRY_NODE);
	assert_int_equal(options.watchdog, 0);
	assert_string_equal(options.state_dir, "/s");
	assert_string_equal(options.run_dir, "/r");
	assert_string_equal(options.socket, "/x");
	assert_int_equal(options.nexus, 31);
	assert_int_equal(options.priority, 0);
	assert_int_equal(parse("--version"), 0);
	assert_true(options.version);
}

static void test_refused(void **state)
{
	(void)state;
	refused("--noode 1", "there is no option \"--noode\"");
	assert_non_null(strstr(err.next, "--node"));
	refused("extra", "there is no option");
	refused("--help=1", "--help takes no value");
	refused("--lease", "--lease needs a value");
	refused("--lease=", "--lease needs a value");
	refused("--node 0", "no number from 1 to 64");
	refused("--node 65", "no number from 1 to 64");
	refused("--node 1x", "no number from 1 to 64");
	refused("--node +1", "no number from 1 to 64");
	refused("--nexus 32", "no number from 0 to 31");
	refused("--lease 10m", "is no time");
	refused("--lease -5", "is no time");
	refused("--lease 99", "is no time");
	refused("--lease 3601s", "is no time");
	refused("--lease 99999999999999999999", "is no time");
	refused("--lease 99999999999999999999s", "is no time");
	refused("--interval 19", "is no time");
	refused("--io-timeout 0", "is no time");
	refused("--expiry never", "neither locks nor node");
	refused("--watchdog on", "neither off nor required");
	refused("--name 17", "is no name");
	refused("--name a/b", "is no name");
	refused("--name "
		"0123456789012345678901234567890123456789012345678901234567890123456789abc",
		"is no name");
	refused("--socket relative", "no absolute path");
	refused("--disk /e --disk /f --disk /g", "more than 3 disks");
	refused("--disk /e --disk /d", "disks 1 and 3 are given by one name");
}

/* Each inequality at its edge: holds, and by one less does not. */
static void test_algebra(void **state)
{
	(void)state;
	assert_int_equal(parse("--interval 100 --io-timeout 1000 --lease 3200"), 0);
	refused("--interval 100 --io-timeout 1000 --lease 3199",
		"3199 ms < 2 x 100 + 3 x 1000 = 3200 ms");
	assert_int_equal(parse("--interval 100 --io-timeout 1000 --member-timeout 2101"), 0);
	refused("--interval 100 --io-timeout 1000 --member-timeout 2100",
		"2100 ms <= 100 + 2 x 1000 = 2100 ms");

	assert_int_equal(parse("--interval 100 --io-timeout 100 --lease 3200 --expiry node"), 0);
	assert_int_equal(lockd_options_check(&options, 500, &err), 0);
	assert_int_equal(lockd_options_check(&options, 501, &err), RC_CONFIG);
	assert_non_null(strstr(err.text, "3200 ms < 3206 ms"));
	/* It is about the watchdog, and about the node's own reset. */
	options.watchdog = 0;
	assert_int_equal(lockd_options_check(&options, 501, &err), 0);
	options.watchdog = 1;
	options.expiry = LOCKD_EXPIRY_LOCKS;
	assert_int_equal(lockd_options_check(&options, 501, &err), 0);
}

/* What is let through here the heartbeat takes. */
static void test_core_agrees(void **state)
{
	struct hb_config config = { .node = 1,
				    .nodes_max = 16,
				    .disks = 3,
				    .name = "a",
				    .nonce = 1,
				    .claim_window_ms = CLAIM_WINDOW_DEFAULT_MS };
	static struct hb_core core;
	static const char *const words[] = {
		"",
		"--interval 20 --io-timeout 1 --lease 100",
		"--interval 100 --io-timeout 1000 --lease 3200 --member-timeout 2101",
		"--interval 3s --io-timeout 100s --member-timeout 300s --lease 3600s",
	};

	(void)state;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		assert_int_equal(parse(words[i]), 0);
		config.interval_ms = options.interval_ms;
		config.io_timeout_ms = options.io_timeout_ms;
		config.member_timeout_ms = options.member_timeout_ms;
		config.lease_ms = options.lease_ms;
		config.drain_ms = options.drain_ms;
		config.drift_ppm = options.drift_ppm;
		assert_int_equal(hb_core_init(&core, &config, (mono_t){ 1 }, &err), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),    cmocka_unit_test(test_all),
		cmocka_unit_test(test_refused),	    cmocka_unit_test(test_algebra),
		cmocka_unit_test(test_core_agrees),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
