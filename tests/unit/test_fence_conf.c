/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_fence_conf.c - the fence section of the cluster file: what it becomes, every complaint with
 * its exact place, and the file's permissions. No message ever holds a secret.
 *
 * LINK: fencer host base
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fence-agents/fencer/fence_conf.h"
#include "fence-agents/fencer/fence_conf_parse.h"

#define DEVICES                                                                                    \
	"FENCE_DEVICE bmc1\nFENCE_AGENT fence_ipmi\n"                                              \
	"FENCE_DEVICE pdu-a\nFENCE_AGENT fence_apc\n"

static int parse(const char *text, struct fence_conf **conf, struct err *err)
{
	struct fence_conf_secret secret;

	memset(err, 0, sizeof *err);
	return fence_conf_parse("f", text, strlen(text), conf, &secret, err);
}

static struct fence_conf *parse_good(const char *text)
{
	struct fence_conf *conf;
	struct err err;

	if (parse(text, &conf, &err) != 0)
		fail_msg("%s", err.text);
	return conf;
}

static void test_defaults(void **state)
{
	struct fence_conf *conf = parse_good("");

	(void)state;
	assert_int_equal(conf->timeout_ms, 120000);
	assert_int_equal(conf->parallel, 128);
	assert_int_equal(conf->retries, 2);
	assert_int_equal(conf->test_age_days, 90);
	assert_string_equal(conf->history_path, "/var/lib/holdfast/fence-history.jsonl");
	assert_int_equal(conf->devices_count, 0);
	assert_int_equal(conf->targets_count, 0);
	fence_conf_free(conf);
}

static void test_whole(void **state)
{
	struct fence_conf *conf = parse_good(
		"CLUSTER_NAME demo # other parts are passed over\n"
		"FENCE_PARALLEL 8\nFENCE_TIMEOUT 60\nFENCE_RETRIES 0\nFENCE_TEST_AGE 30\n"
		"FENCE_HISTORY /tmp/h\n"
		"NODE_NAME node1\n"
		"  NETWORK_INTERFACE eth0\n"
		"  FENCE_LEVEL 2 pdu-a:3,4 pdu-b:1\n"
		"  FENCE_LEVEL 1 bmc1\n"
		"  HEARTBEAT_IP 10.0.0.1\n"
		"  FENCE_LEVEL 2 \"pdu-b:Outlet 5\"\n"
		"FENCE_DEVICE bmc1\n"
		"  FENCE_AGENT /usr/sbin/fence_ipmi\n"
		"  FENCE_OPTION ip 10.0.0.7\n"
		"  FENCE_OPTION password \"a b#\\\"\"\n"
		"FENCE_DEVICE pdu-a\n  FENCE_AGENT fence_apc\n  FENCE_PARALLEL 4\n"
		"  FENCE_UNLISTED yes\n"
		"FENCE_DEVICE pdu-b\n  FENCE_AGENT fence_apc\n");
	const struct fence_target *node;

	(void)state;
	assert_int_equal(conf->parallel, 8);
	assert_int_equal(conf->timeout_ms, 60000);
	assert_int_equal(conf->retries, 0);
	assert_int_equal(conf->test_age_days, 30);
	assert_string_equal(conf->history_path, "/tmp/h");
	assert_int_equal(conf->devices_count, 3);
	assert_string_equal(conf->devices[0].agent, "/usr/sbin/fence_ipmi");
	assert_int_equal(conf->devices[0].line, 13);
	assert_int_equal(conf->devices[0].options_count, 2);
	assert_string_equal(conf->devices[0].options[1].key, "password");
	assert_string_equal(conf->devices[0].options[1].value, "a b#\"");
	assert_int_equal(conf->devices[0].parallel, 1);
	assert_int_equal(conf->devices[1].parallel, 4);
	assert_int_equal(conf->devices[0].unlisted, 0);
	assert_int_equal(conf->devices[1].unlisted, 1);
	assert_int_equal(conf->devices[0].options[1].line, 16);
	assert_int_equal(fence_conf_device(conf, "pdu-b"), 2);
	assert_int_equal(fence_conf_device(conf, "pdu"), -1);
	assert_int_equal(fence_conf_target(conf, "node1"), 0);
	assert_int_equal(fence_conf_target(conf, "Node1"), -1);
	node = &conf->targets[0];
	assert_int_equal(node->legs_count, 4);
	assert_int_equal(node->legs[0].level, 1);
	assert_int_equal(node->legs[0].device, 0);
	assert_null(node->legs[0].plugs);
	assert_int_equal(node->legs[1].level, 2);
	assert_string_equal(node->legs[1].plugs, "3,4");
	assert_string_equal(node->legs[2].plugs, "1");
	assert_string_equal(node->legs[3].plugs, "Outlet 5");
	assert_int_equal(node->legs[3].line, 12);
	fence_conf_free(conf);
}

/* A plug may hold a colon, and with plug_separator a comma. */
static void test_plug_names(void **state)
{
	struct fence_conf *conf = parse_good(
		"FENCE_DEVICE d\nFENCE_AGENT fence_x\nFENCE_OPTION plug-separator ;\n"
		"NODE_NAME n\nFENCE_LEVEL 1 d:1:2 \"d:a,b;c,b\"\n");

	(void)state;
	assert_string_equal(conf->targets[0].legs[0].plugs, "1:2");
	assert_string_equal(conf->targets[0].legs[1].plugs, "a,b;c,b");
	fence_conf_free(conf);
}

static const struct {
	const char *text, *wanted;
} golden[] = {
	/* names */
	{ "FENCE_AGNET x\n", "f:1:1: FENCE_AGNET: unknown name, expected FENCE_AGENT" },
	{ "FENCE_XYZZY x\n",
	  "f:1:1: FENCE_XYZZY: unknown name, expected one of those in holdfast.conf(5)" },
	{ "  NODE_NAM n\n", "f:1:3: NODE_NAM: unknown name, expected NODE_NAME" },
	{ "FENC_DEVICE n\n", "f:1:1: FENC_DEVICE: unknown name, expected FENCE_DEVICE" },
	/* the grammar's own */
	{ "FENCE_TIMEOUT\n", "f:1:14: FENCE_TIMEOUT: no value, expected a value behind the name" },
	{ "FENCE_DEVICE d\nFENCE_OPTION password \"hunter2\n",
	  "f:2:23: FENCE_OPTION: quote is never closed, expected a closing \" on the same line" },
	/* numbers */
	{ "FENCE_TIMEOUT 0\n", "f:1:15: 0: expected a whole number from 1 to 86400" },
	{ "FENCE_TIMEOUT 1.5\n", "f:1:15: 1.5: expected a whole number from 1 to 86400" },
	{ "FENCE_TIMEOUT -1\n", "f:1:15: -1: expected a whole number from 1 to 86400" },
	{ "FENCE_TIMEOUT 99999999999999999999\n",
	  "f:1:15: 99999999999999999999: expected a whole number from 1 to 86400" },
	{ "FENCE_TIMEOUT \"\"\n", "f:1:15: expected a whole number from 1 to 86400" },
	{ "FENCE_TIMEOUT 1 2\n", "f:1:17: FENCE_TIMEOUT: too many words, expected a number of "
				 "seconds (quote a value with blanks)" },
	{ "FENCE_RETRIES 11\n", "f:1:15: 11: expected a whole number from 0 to 10" },
	{ "FENCE_TEST_AGE never\n", "f:1:16: never: expected a whole number from 1 to 36500" },
	{ "FENCE_PARALLEL 0\n", "f:1:16: 0: expected a whole number from 1 to 1024" },
	{ "FENCE_HISTORY var/h\n", "f:1:15: var/h: expected an absolute path" },
	/* twice */
	{ "FENCE_TIMEOUT 1\n#\nFENCE_TIMEOUT 2\n",
	  "f:3:1: FENCE_TIMEOUT: this setting was there before, in line 1, expected once" },
	{ "FENCE_PARALLEL 1\nFENCE_PARALLEL 2\n",
	  "f:2:1: FENCE_PARALLEL: this setting was there before, in line 1, expected once" },
	{ DEVICES "FENCE_UNLISTED no\nFENCE_UNLISTED no\n",
	  "f:6:1: FENCE_UNLISTED: this setting was there before, in line 5, expected once" },
	{ DEVICES "FENCE_UNLISTED maybe\n", "f:5:16: maybe: expected yes or no" },
	{ "FENCE_UNLISTED yes\n",
	  "f:1:1: FENCE_UNLISTED: no device here, expected FENCE_DEVICE before it" },
	{ DEVICES "FENCE_DEVICE bmc1\n",
	  "f:5:14: bmc1: this device was there before, in line 1, expected once" },
	{ DEVICES "NODE_NAME n\nFENCE_LEVEL 1 bmc1\nNODE_NAME n\n",
	  "f:7:11: n: this node was there before, in line 5, expected once" },
	{ DEVICES "FENCE_AGENT x\n",
	  "f:5:1: FENCE_AGENT: the device has an agent already, expected one" },
	{ DEVICES "FENCE_OPTION a_b 1\nFENCE_OPTION a-b 2\n",
	  "f:6:14: a-b: the device has this option already, expected once" },
	/* sections */
	{ "FENCE_AGENT x\n",
	  "f:1:1: FENCE_AGENT: no device here, expected FENCE_DEVICE before it" },
	{ "FENCE_OPTION a b\n",
	  "f:1:1: FENCE_OPTION: no device here, expected FENCE_DEVICE before it" },
	{ "FENCE_LEVEL 1 x\n", "f:1:1: FENCE_LEVEL: no node here, expected NODE_NAME before it" },
	{ DEVICES "FENCE_LEVEL 1 bmc1\n",
	  "f:5:1: FENCE_LEVEL: no node here, expected NODE_NAME before it" },
	{ DEVICES "NODE_NAME n\nFENCE_OPTION password hunter2\n",
	  "f:6:1: FENCE_OPTION: no device here, expected FENCE_DEVICE before it" },
	{ DEVICES "NODE_NAME n\nFENCE_PARALLEL 2\n",
	  "f:6:1: FENCE_PARALLEL: has no meaning for a node, expected in a device, or before the "
	  "first FENCE_DEVICE and NODE_NAME" },
	{ "FENCE_DEVICE d\n",
	  "f:1:14: d: device without an agent, expected FENCE_AGENT in its section" },
	{ "FENCE_DEVICE d\nNODE_NAME n\n",
	  "f:1:14: d: device without an agent, expected FENCE_AGENT in its section" },
	{ "NODE_NAME n\nNODE_NAME m\n",
	  "f:1:11: n: node that nothing can fence, expected FENCE_LEVEL in its section" },
	{ DEVICES "  NODE_NAME n\n",
	  "f:5:13: n: node that nothing can fence, expected FENCE_LEVEL in its section" },
	/* names of things */
	{ "NODE_NAME node[1-2]\n",
	  "f:1:11: node[1-2]: not a name, expected a letter or digit, then "
	  "letters, digits, `.`, `_`, `-`; 255 at most" },
	{ "NODE_NAME a b\n",
	  "f:1:13: NODE_NAME: too many words, expected one node name (quote a value with blanks)" },
	{ "FENCE_DEVICE a:b\n",
	  "f:1:14: a:b: not a name, expected a letter or digit, then letters, "
	  "digits, `.`, `_`, `-`; 255 at most" },
	{ "FENCE_DEVICE d\nFENCE_AGENT bin/x\n",
	  "f:2:13: bin/x: not an agent, expected a name such as fence_ipmi or an absolute path" },
	/* options, whose values are never repeated */
	{ "FENCE_DEVICE d\nFENCE_OPTION password\n",
	  "f:2:22: FENCE_OPTION: value missing, expected the name of an option and its value" },
	{ "FENCE_DEVICE d\nFENCE_OPTION password=hunter2\n",
	  "f:2:22: password: not the name of an option, expected `FENCE_OPTION name value`" },
	{ "FENCE_DEVICE d\nFENCE_OPTION password = hunter2\n",
	  "f:2:25: FENCE_OPTION: too many words, expected the name of an option and its value "
	  "(quote a value with blanks)" },
	{ "FENCE_DEVICE d\nFENCE_OPTION password hunter2 hunter2\n",
	  "f:2:31: FENCE_OPTION: too many words, expected the name of an option and its value "
	  "(quote a value with blanks)" },
	{ "FENCE_DEVICE d\nFENCE_OPTION action off\n",
	  "f:2:14: action: set by the operation that runs, expected another option" },
	{ "FENCE_DEVICE d\nFENCE_OPTION port 3\n",
	  "f:2:14: port: belongs to the node, expected `FENCE_LEVEL n device:plug` there" },
	/* levels */
	{ DEVICES "NODE_NAME n\nFENCE_LEVEL 0 bmc1\n",
	  "f:6:13: 0: expected a whole number from 1 to 9" },
	{ DEVICES "NODE_NAME n\nFENCE_LEVEL 10 bmc1\n",
	  "f:6:13: 10: expected a whole number from 1 to 9" },
	{ DEVICES "NODE_NAME n\nFENCE_LEVEL bmc1\n",
	  "f:6:13: bmc1: expected a whole number from 1 to 9" },
	{ DEVICES "NODE_NAME n\nFENCE_LEVEL 1 # x\n",
	  "f:6:14: FENCE_LEVEL: no device, expected `FENCE_LEVEL n device[:plug,...]`" },
	{ DEVICES "NODE_NAME n\n  FENCE_LEVEL 1 bmc1 bmx1\n",
	  "f:6:22: bmx1: no such device, expected bmc1 perhaps" },
	{ DEVICES "NODE_NAME n\n  FENCE_LEVEL 1 other:3\n",
	  "f:6:17: other:3: no such device, expected the name of a FENCE_DEVICE" },
	{ DEVICES "NODE_NAME n\nFENCE_LEVEL 1 pdu-a:\n",
	  "f:6:15: pdu-a:: no plug behind the colon, expected device:plug" },
	{ DEVICES "NODE_NAME n\nFENCE_LEVEL 1 pdu-a:3,,4\n",
	  "f:6:15: pdu-a:3,,4: empty plug, expected a name between separators" },
	{ DEVICES "NODE_NAME n\nFENCE_LEVEL 1 pdu-a:3,\n",
	  "f:6:15: pdu-a:3,: empty plug, expected a name between separators" },
	{ DEVICES "NODE_NAME n\nFENCE_LEVEL 1 \"pdu-a:3, 4\"\n",
	  "f:6:15: pdu-a:3, 4: blank beside a plug, expected none" },
	{ DEVICES "NODE_NAME n\nFENCE_LEVEL 1 pdu-a:3,3\n",
	  "f:6:15: pdu-a:3,3: the same plug twice, expected once" },
	{ DEVICES "NODE_NAME n\nFENCE_LEVEL 1 bmc1\nFENCE_LEVEL 1 bmc1\n",
	  "f:7:15: bmc1: this device and plug is in the level already, expected once" },
	{ DEVICES "NODE_NAME n\nFENCE_LEVEL 1 pdu-a:3,4 pdu-a:5,4\n",
	  "f:6:25: pdu-a:5,4: this device and plug is in the level already, expected once" },
};

static void test_golden_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
		struct fence_conf *conf;
		struct err err;

		assert_int_equal(parse(golden[i].text, &conf, &err), RC_CONFIG);
		assert_null(conf);
		assert_string_equal(err.text, golden[i].wanted);
		assert_null(strstr(err.text, "hunter2"));
	}
}

/* The same device at another level, or another plug of it, is no mistake. */
static void test_allowed(void **state)
{
	(void)state;
	fence_conf_free(parse_good(DEVICES "NODE_NAME n\nFENCE_LEVEL 1 pdu-a:3 pdu-a:4\n"
					   "FENCE_LEVEL 2 pdu-a:3\nFENCE_LEVEL 9 bmc1\n"));
	fence_conf_free(parse_good(DEVICES "NODE_NAME n\nFENCE_LEVEL 1 bmc1\nFENCE_TIMEOUT 3\n"));
	fence_conf_free(parse_good("NODE_TIMEOUT 3\nUSER_NAME x\nSITE_NAME y\n"));
}

static void test_legs_limit(void **state)
{
	char text[4096] = DEVICES "NODE_NAME n\nFENCE_LEVEL 1";
	struct fence_conf *conf;
	struct err err;

	(void)state;
	for (int i = 0; i < 65; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text), " pdu-a:%d", i);
	assert_int_equal(parse(text, &conf, &err), RC_CONFIG);
	assert_non_null(strstr(err.text, "pdu-a:64: one device too many"));
	*strrchr(text, ' ') = '\0';
	fence_conf_free(parse_good(text));
}

static void test_secret_names(void **state)
{
	static const char *const secret[] = {
		"password",	  "passwd",	      "Password",
		"community",	  "snmp_priv_passwd", "snmp-priv-passwd",
		"hexadecimal_kg", "api_key",	      "token",
		"client_secret",  "passphrase",	      "pass"
	};
	static const char *const open[] = { "ip",
					    "username",
					    "password_file",
					    "password_script",
					    "snmp_auth_prot",
					    "identity_file",
					    "plug",
					    "lanplus",
					    "ssh_options" };

	(void)state;
	for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
		assert_true(fence_kv_is_secret(secret[i]));
	for (size_t i = 0; i < sizeof open / sizeof *open; i++)
		assert_false(fence_kv_is_secret(open[i]));
}

/* ---- the file ---- */

static char folder[] = "/tmp/test_fence_conf.XXXXXX";
static char file[64];

static int folder_make(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(file, sizeof file, "%s/c", folder);
	return 0;
}

static int folder_remove(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(folder);
}

static void file_write(const char *text, size_t size, mode_t mode)
{
	FILE *out = fopen(file, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, size, out), size);
	assert_int_equal(fclose(out), 0);
	assert_int_equal(chmod(file, mode), 0);
}

static int file_load(struct err *err)
{
	struct fence_conf *conf;
	int rc;

	memset(err, 0, sizeof *err);
	rc = fence_conf_load(file, &conf, err);
	assert_true((rc == 0) == (conf != NULL));
	fence_conf_free(conf);
	return rc;
}

#define OPEN_TEXT "FENCE_DEVICE d\nFENCE_AGENT a\nFENCE_OPTION ip ::1\n"
#define SECRET_TEXT OPEN_TEXT "FENCE_OPTION password hunter2\n"

static void test_modes(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		int rc;
	} cases[] = {
		{ OPEN_TEXT, 0644, 0 },		  { OPEN_TEXT, 0664, 0 },
		{ OPEN_TEXT, 0666, RC_CONFIG },	  { OPEN_TEXT, 0602, RC_CONFIG },
		{ SECRET_TEXT, 0600, 0 },	  { SECRET_TEXT, 0400, 0 },
		{ SECRET_TEXT, 0700, 0 },	  { SECRET_TEXT, 0640, RC_CONFIG },
		{ SECRET_TEXT, 0604, RC_CONFIG }, { SECRET_TEXT, 0620, RC_CONFIG },
		{ SECRET_TEXT, 0644, RC_CONFIG },
	};
	char wanted[256];
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		file_write(cases[i].text, strlen(cases[i].text), cases[i].mode);
		assert_int_equal(file_load(&err), cases[i].rc);
		assert_null(strstr(err.text, "hunter2"));
		assert_true(cases[i].rc == 0 || strstr(err.next, "run: chmod ") != NULL);
	}
	/* The last one in full: where the secret is, and what to run. */
	snprintf(wanted, sizeof wanted,
		 "%s:4:14: password: a secret in a file that others may read "
		 "(mode 0644), expected mode 0600",
		 file);
	assert_string_equal(err.text, wanted);
	snprintf(wanted, sizeof wanted, "run: chmod 600 %s", file);
	assert_string_equal(err.next, wanted);
}

static void test_owner(void **state)
{
	struct err err;

	(void)state;
	if (geteuid() != 0)
		skip();
	file_write(SECRET_TEXT, strlen(SECRET_TEXT), 0600);
	assert_int_equal(chown(file, 65534, 65534), 0);
	assert_int_equal(file_load(&err), RC_CONFIG);
	assert_non_null(strstr(err.text, "belongs to another user (uid 65534)"));
	assert_non_null(strstr(err.next, "run: chown root "));
	file_write(OPEN_TEXT, strlen(OPEN_TEXT), 0644);
	assert_int_equal(file_load(&err), 0);
}

static void test_odd_files(void **state)
{
	static char big[1024 * 1024 + 1];
	struct err err;

	(void)state;
	unlink(file);
	assert_int_equal(file_load(&err), RC_INTERNAL);
	assert_non_null(strstr(err.text, "No such file"));

	/* Would block for ever without a writer. */
	assert_int_equal(mkfifo(file, 0600), 0);
	assert_int_equal(file_load(&err), RC_CONFIG);
	assert_non_null(strstr(err.text, "not a regular file"));
	unlink(file);

	memset(big, '\n', sizeof big);
	file_write(big, sizeof big, 0600);
	assert_int_equal(file_load(&err), RC_CONFIG);
	assert_non_null(strstr(err.text, "more than the 1048576"));
	file_write(big, sizeof big - 1, 0600);
	assert_int_equal(file_load(&err), 0);
	file_write("", 0, 0600);
	assert_int_equal(file_load(&err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),     cmocka_unit_test(test_whole),
		cmocka_unit_test(test_plug_names),   cmocka_unit_test(test_golden_errors),
		cmocka_unit_test(test_allowed),	     cmocka_unit_test(test_legs_limit),
		cmocka_unit_test(test_secret_names), cmocka_unit_test(test_modes),
		cmocka_unit_test(test_owner),	     cmocka_unit_test(test_odd_files),
	};

	return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
