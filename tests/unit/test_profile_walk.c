/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_profile_walk.c - device profiles against recorded walks: which plugs are found, and which
 * are not, without a network.
 *
 * Walks of real devices belong to others and are no part of the project: they are looked for in
 * HOLDFAST_WALKS (default ../shared/data/snmp beside the source tree), and their tests are skipped
 * where they are not. What they show is repeated here with rows of our own.
 *
 * LINK: snmpdev base
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "fence-agents/snmp/device.h"
#include "fence-agents/snmp/profile_io.h"
#include "fence-agents/snmp/walk_io.h"

#define DEVICES "fence-agents/devices/"

static struct profile profile;
static struct transport *walk;
static struct device device;
static struct err err;

static void load(const char *name, const char *walk_path)
{
	struct device_identity identity;
	char path[256];

	memset(&err, 0, sizeof err);
	snprintf(path, sizeof path, DEVICES "%s.conf", name);
	if (profile_load(path, &profile, &err) || walk_open(walk_path, &walk, &err))
		fail_msg("%s", err.text);
	assert_int_equal(device_identify(walk, &profile, &identity, &err), 0);
	if (device_open(&device, &profile, walk, &identity, &err))
		fail_msg("%s", err.text);
}

static void load_real(const char *name, const char *file)
{
	const char *folder = getenv("HOLDFAST_WALKS");
	char path[512];

	snprintf(path, sizeof path, "%s/%s.snmprec", folder ? folder : "../shared/data/snmp", file);
	if (access(path, R_OK) != 0) {
		print_message("skipped: no %s (set HOLDFAST_WALKS)\n", path);
		skip();
	}
	load(name, path);
}

/* A walk of these rows. */
static void load_rows(const char *name, const char *rows)
{
	char path[] = "/tmp/holdfast-walk-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, rows, strlen(rows)), strlen(rows));
	close(fd);
	load(name, path);
	unlink(path);
}

static int unload(void **state)
{
	(void)state;
	walk_close(walk);
	walk = NULL;
	return 0;
}

/* The code of a plug's reading, and its state. */
static int read_plug(const char *text, enum power_state *state)
{
	struct oid_index index;
	int rc = device_find(&device, text, &index, &err);

	*state = POWER_UNKNOWN;
	return rc ? rc : device_read(&device, &index, state, &err);
}

static void expect(const char *text, enum power_state wanted)
{
	enum power_state state;
	int rc = read_plug(text, &state);

	if (rc)
		fail_msg("plug %s: %s", text, err.text);
	assert_int_equal(state, wanted);
}

static void expect_failure(const char *text, int wanted)
{
	enum power_state state;

	assert_int_equal(read_plug(text, &state), wanted);
	assert_int_equal(state, POWER_UNKNOWN);
}

/* The list as "1:on:name 2:off:name". */
static void expect_list(const char *wanted)
{
	char got[4096] = "";
	struct device_rows rows;
	size_t used = 0;

	if (device_rows_read(&device, &rows, &err))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < rows.count; i++) {
		char plug[DEVICE_PLUG_MAX];

		if (rows.rows[i].rc)
			continue;
		profile_plug_write(&profile, &rows.rows[i].index, plug, sizeof plug);
		used += (size_t)snprintf(got + used, sizeof got - used, "%s%s:%s:%s",
					 used ? " " : "", plug, power_word(rows.rows[i].state),
					 device_row_name(&rows.rows[i]));
	}
	device_rows_free(&rows);
	assert_string_equal(got, wanted);
}

static void expect_no_list(int wanted)
{
	struct device_rows rows;

	assert_int_equal(device_rows_read(&device, &rows, &err), wanted);
	device_rows_free(&rows);
}

/* ---- rows of our own ---- */

#define RPDU "1.3.6.1.4.1.318.1.1.12.3."

static void apc_rows(void **state)
{
	(void)state;
	load_rows("apc-rpdu", RPDU "5.1.1.2.1|4|web1\n" RPDU "5.1.1.2.2|4|db\n" RPDU
				   "5.1.1.4.1|2|1\n" RPDU "5.1.1.4.2|2|2\n" RPDU
				   "5.1.1.5.1|2|2\n" RPDU "5.1.1.5.2|2|2\n" RPDU "1.3.0|2|2\n");
	expect_list("1:on:web1 2:off:db");
	expect("1", POWER_ON);
	expect("db", POWER_OFF);
	expect_failure("3", RC_NO_SUCH_PLUG);
	expect_failure("0", RC_NO_SUCH_PLUG);
	expect_failure("web", RC_NO_SUCH_PLUG);
}

static void a_pending_command_is_no_state(void **state)
{
	(void)state;
	load_rows("apc-rpdu", RPDU "5.1.1.4.1|2|2\n" RPDU "5.1.1.5.1|2|1\n");
	expect("1", POWER_PENDING);
	device.ignore_pending = 1;
	expect("1", POWER_OFF);
}

/* Off beside no witness, NULL, a text, and numbers that PowerNet-MIB knows (3 unknown) or does not. */
static void a_witness_must_speak(void **state)
{
	(void)state;
	load_rows("apc-rpdu",
		  RPDU "5.1.1.4.1|2|2\n" RPDU "5.1.1.4.2|2|2\n" RPDU "5.1.1.4.3|2|2\n" RPDU
		       "5.1.1.4.4|2|2\n" RPDU "5.1.1.4.5|2|2\n" RPDU "5.1.1.4.6|2|2\n" RPDU
		       "5.1.1.5.2|5|\n" RPDU "5.1.1.5.3|4|no\n" RPDU "5.1.1.5.4|2|7\n" RPDU
		       "5.1.1.5.5|2|3\n" RPDU "5.1.1.5.6|2|2\n");
	for (char plug[] = "1"; *plug <= '5'; ++*plug)
		expect(plug, POWER_UNKNOWN);
	expect("6", POWER_OFF);
	expect_list("1:unknown: 2:unknown: 3:unknown: 4:unknown: 5:unknown: 6:off:");
}

static void metered_has_no_outlets(void **state)
{
	(void)state;
	load_rows("apc-rpdu", RPDU "1.3.0|2|0\n1.3.6.1.4.1.318.1.1.12.1.8.0|2|24\n");
	expect_failure("1", RC_UNSUPPORTED);
	expect_no_list(RC_UNSUPPORTED);
}

static void names_must_be_unique(void **state)
{
	(void)state;
	load_rows("apc-rpdu", RPDU "5.1.1.2.1|4|node\n" RPDU "5.1.1.2.2|4|node\n" RPDU
				   "5.1.1.4.1|2|1\n" RPDU "5.1.1.4.2|2|2\n");
	expect_failure("node", RC_CONFIG);
	assert_non_null(strstr(err.text, "1 and 2"));
}

#define N8 "nnnnnnnn"
#define N96 N8 N8 N8 N8 N8 N8 N8 N8 N8 N8 N8 N8
#define N288 N96 N96 N96

static void names_are_compared_whole(void **state)
{
	(void)state;
	load_rows("apc-rpdu",
		  RPDU "5.1.1.2.1|4|" N96 "A\n" RPDU "5.1.1.2.2|4|" N96 "B\n" RPDU
		       "5.1.1.2.3|4x|6e6f6465e9\n" RPDU "5.1.1.2.4|4x|6e6f6465e8\n" RPDU
		       "5.1.1.2.5|4|" N288 "\n" RPDU "5.1.1.2.6|4x|6e6f646500\n" RPDU
		       "5.1.1.2.7|4x|6eeda080\n" RPDU "5.1.1.2.8|4x|6ec3a9\n" RPDU
		       "5.1.1.4.1|2|1\n" RPDU "5.1.1.4.2|2|2\n" RPDU "5.1.1.5.1|2|2\n" RPDU
		       "5.1.1.5.2|2|2\n" RPDU "5.1.1.4.3|2|2\n" RPDU "5.1.1.4.4|2|2\n" RPDU
		       "5.1.1.4.5|2|2\n" RPDU "5.1.1.4.6|2|2\n" RPDU "5.1.1.4.7|2|2\n" RPDU
		       "5.1.1.4.8|2|2\n" RPDU "5.1.1.5.8|2|2\n");
	expect(N96 "A", POWER_ON);
	expect(N96 "B", POWER_OFF);
	expect("n\xc3\xa9", POWER_OFF);
	expect_failure(N96, RC_NO_SUCH_PLUG);
	expect_failure(N96 "C", RC_NO_SUCH_PLUG);
	expect_failure(N288, RC_NO_SUCH_PLUG);
	expect_failure("node?", RC_NO_SUCH_PLUG);
	expect_failure("node\xe9", RC_NO_SUCH_PLUG);
	expect_failure("node\xe8", RC_NO_SUCH_PLUG);
	expect_failure("node", RC_NO_SUCH_PLUG);
	expect_failure(" " N96 "A", RC_NO_SUCH_PLUG);
}

/* A counter or a time that happens to be the value of off. */
static void a_counter_is_no_state(void **state)
{
	(void)state;
	load_rows("apc-rpdu",
		  RPDU "5.1.1.4.1|65|2\n" RPDU "5.1.1.5.1|2|2\n" RPDU "5.1.1.4.2|67|2\n" RPDU
		       "5.1.1.5.2|2|2\n" RPDU "5.1.1.4.3|66|2\n" RPDU "5.1.1.5.3|2|2\n" RPDU
		       "5.1.1.4.4|70|2\n" RPDU "5.1.1.5.4|2|2\n");
	expect_failure("1", RC_PROTOCOL);
	expect_failure("2", RC_PROTOCOL);
	expect("3", POWER_OFF);
	expect_failure("4", RC_PROTOCOL);
}

static void shifted_index(void **state)
{
	(void)state;
	load_rows("eaton-managed", "1.3.6.1.4.1.534.6.6.6.1.2.2.1.2.0|4|first\n"
				   "1.3.6.1.4.1.534.6.6.6.1.2.2.1.3.0|2|0\n"
				   "1.3.6.1.4.1.534.6.6.6.1.2.2.1.3.1|2|1\n"
				   "1.3.6.1.4.1.534.6.6.6.1.2.2.1.3.2|2|-1\n");
	expect_list("1:off:first 2:on:");
	expect_failure("3", RC_UNSUPPORTED);
	expect_failure("0", RC_NO_SUCH_PLUG);
	expect_failure("4", RC_NO_SUCH_PLUG);
}

static void list_of_fields(void **state)
{
	(void)state;
	load_rows("lindy", "1.3.6.1.4.1.17420.1.2.9.1.13.0|4|1,0,-1\n"
			   "1.3.6.1.4.1.17420.1.2.9.1.14.2.0|4|db,0,0\n");
	expect_list("1:on: 2:off:db");
	expect("db", POWER_OFF);
	expect_failure("3", RC_NO_SUCH_PLUG);
	expect_failure("4", RC_NO_SUCH_PLUG);
}

static void base_of_the_device(void **state)
{
	(void)state;
	load_rows("tripplite-lx", "1.3.6.1.4.1.850.1.1.1.2.1.3.1|6|1.3.6.1.4.1.850.1.1.3.4\n"
				  "1.3.6.1.4.1.850.1.1.3.2.3.3.1.1.4.1.1|2|2\n"
				  "1.3.6.1.4.1.850.1.1.3.4.3.3.1.1.2.1.1|4|Outlet 1\n"
				  "1.3.6.1.4.1.850.1.1.3.4.3.3.1.1.3.1.1|4|\n"
				  "1.3.6.1.4.1.850.1.1.3.4.3.3.1.1.4.1.1|2|1\n");
	expect_list("1:off:Outlet 1");
}

static void chains_and_towers(void **state)
{
	(void)state;
	load_rows("sentry3", "1.3.6.1.4.1.1718.3.2.3.1.2.1.1.4|4|AA4\n"
			     "1.3.6.1.4.1.1718.3.2.3.1.5.1.1.4|2|1\n"
			     "1.3.6.1.4.1.1718.3.2.3.1.5.2.1.4|2|0\n"
			     "1.3.6.1.4.1.1718.3.2.3.1.5.2.1.5|2|4\n"
			     "1.3.6.1.4.1.1718.3.2.3.1.5.2.1.6|2|0\n"
			     "1.3.6.1.4.1.1718.3.2.3.1.5.2.1.7|2|0\n"
			     "1.3.6.1.4.1.1718.3.2.3.1.10.1.1.4|2|1\n"
			     "1.3.6.1.4.1.1718.3.2.3.1.10.2.1.4|2|0\n"
			     "1.3.6.1.4.1.1718.3.2.3.1.10.2.1.5|2|0\n"
			     "1.3.6.1.4.1.1718.3.2.3.1.10.2.1.6|2|5\n"
			     "1.3.6.1.4.1.1718.3.2.3.1.10.2.1.7|2|16\n");
	expect_list("4:on:AA4 2.1.4:off: 2.1.6:unknown: 2.1.7:pending:");
	expect("AA4", POWER_ON);
	expect_failure("2.1.5", RC_PROTOCOL);
	device.unit = 2;
	expect("4", POWER_OFF);
	expect("1.1.4", POWER_ON);
}

#define NLOGIC "1.3.6.1.4.1.534.7.1.5."

static void rows_of_absent_outlets(void **state)
{
	(void)state;
	load_rows("eaton-nlogic",
		  NLOGIC "1.1.1.1.1|2|1\n" NLOGIC "1.1.1.1.2|2|0\n" NLOGIC "2.1.1.1.1|2|2\n" NLOGIC
			 "2.1.1.1.2|2|1\n" NLOGIC "1.1.1.1.3|5|\n" NLOGIC "2.1.1.1.3|2|1\n" NLOGIC
			 "2.1.1.1.4|2|1\n");
	expect_list("1:on:");
	expect("1", POWER_ON);
	expect_failure("2", RC_NO_SUCH_PLUG);
	expect_failure("3", RC_PROTOCOL);
	expect_failure("4", RC_PROTOCOL);
	assert_non_null(strstr(err.text, "whether it has this outlet"));
}

#define UPS "1.3.6.1.2.1.33.1.4."

static void off_needs_its_witness(void **state)
{
	(void)state;
	load_rows("ups-mib", "1.3.6.1.2.1.33.1.4.1.0|2|2\n1.3.6.1.2.1.33.1.4.4.1.2.1|2|120\n");
	expect("1", POWER_UNKNOWN);
	expect_list("1:unknown:");
	unload(state);
	load_rows("ups-mib", "1.3.6.1.2.1.33.1.4.1.0|2|2\n");
	expect("1", POWER_UNKNOWN);
	unload(state);
	load_rows("ups-mib", "1.3.6.1.2.1.33.1.4.1.0|2|2\n1.3.6.1.2.1.33.1.4.4.1.2.1|2|0\n");
	expect("1", POWER_OFF);
	expect_list("1:off:");
	expect_failure("2", RC_NO_SUCH_PLUG);
	unload(state);
	load_rows("ups-mib", UPS "1.0|2|2\n" UPS "4.1.2.1|2|0\n" UPS "4.1.2.2|2|0\n" UPS
				 "4.1.2.3|2|230\n" UPS "4.1.3.1|2|0\n");
	expect("1", POWER_UNKNOWN);
	expect_list("1:unknown:");
	unload(state);
	load_rows("ups-mib",
		  UPS "1.0|2|2\n" UPS "4.1.2.1|2|0\n" UPS "4.1.2.2|5|\n" UPS "4.1.2.3|2|0\n");
	expect("1", POWER_UNKNOWN);
	unload(state);
	load_rows("ups-mib",
		  UPS "1.0|2|2\n" UPS "4.1.1.9|2|9\n" UPS "4.1.2.1|2|0\n" UPS "4.1.2.2|2|0\n" UPS
		      "4.1.2.3|2|0\n" UPS "4.1.2.4|2|0\n" UPS "4.1.2.5|2|0\n" UPS "4.1.3.1|2|7\n");
	expect("1", POWER_OFF);
	expect_list("1:off:");
	unload(state);
	load_rows("ups-mib", "1.3.6.1.2.1.33.1.4.1.0|2|3\n");
	expect("1", POWER_ON);
}

static void a_value_is_a_number(void **state)
{
	(void)state;
	load_rows("apc-rpdu", RPDU "5.1.1.4.1|4|on\n" RPDU "5.1.1.4.2|4|2\n" RPDU
				   "5.1.1.4.3|5|\n" RPDU "5.1.1.5.2|2|2\n");
	expect_failure("1", RC_PROTOCOL);
	expect("2", POWER_OFF);
	expect_failure("3", RC_PROTOCOL);
}

/* ---- every profile ---- */

static void profiles_are_sound(void **state)
{
	static const char *const names[] = {
		"apc-easy", "apc-masterswitch", "apc-ms-plus",	"apc-rpdu",	 "apc-rpdu2",
		"apc-ups",  "avocent",		"baytech",	"cisco-mds",	 "cyberpower",
		"eaton-g3", "eaton-managed",	"eaton-nlogic", "eaton-pulizzi", "emerson-mpx",
		"gude",	    "hpe-cis",		"hpe-pdu",	"ibm-blade",	 "ibm-ipdu",
		"if-mib",   "intel-modular",	"lindy",	"raritan-px",	 "raritan-px2",
		"sentry3",  "sentry4",		"teltronix",	"tripplite",	 "tripplite-lx",
		"ups-mib",  "wti-mpc",		"wti-vmr",
	};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char path[256];

		snprintf(path, sizeof path, DEVICES "%s.conf", names[i]);
		if (profile_load(path, &profile, &err))
			fail_msg("%s", err.text);
	}
}

static void ignore_warning(void *arg, const char *text)
{
	(void)arg;
	fail_msg("%s", text);
}

static void chosen(enum profile_class device_class, const char *id, const char *wanted)
{
	struct device_identity identity = { .has_object_id = 1 };

	assert_int_equal(oid_read(id, strlen(id), &identity.object_id), 0);
	if (profile_choose(DEVICES, device_class, &identity, &profile, ignore_warning, NULL, &err))
		fail_msg("%s", err.text);
	assert_string_equal(profile.name, wanted);
}

static void the_longest_id_wins(void **state)
{
	struct device_identity identity = { .has_object_id = 1 };

	(void)state;
	chosen(PROFILE_PDU, "1.3.6.1.4.1.318.1.3.4.5", "apc-rpdu");
	chosen(PROFILE_PDU, "1.3.6.1.4.1.318.1.3.4.6", "apc-rpdu2");
	chosen(PROFILE_PDU, "1.3.6.1.4.1.318", "apc-masterswitch");
	chosen(PROFILE_PDU, "1.3.6.1.4.1.850", "tripplite");
	chosen(PROFILE_PDU, "1.3.6.1.4.1.850.1.1.1", "tripplite-lx");
	chosen(PROFILE_PDU, "1.3.6.1.4.1.13742.4", "raritan-px");
	chosen(PROFILE_PDU, "1.3.6.1.4.1.13742.6", "raritan-px2");
	chosen(PROFILE_PDU, "1.3.6.1.4.1.1718.3", "sentry3");
	chosen(PROFILE_PDU, "1.3.6.1.4.1.1718.4", "sentry4");
	chosen(PROFILE_PDU, "1.3.6.1.4.1.3808.1.1.5", "cyberpower");
	chosen(PROFILE_PDU, "1.3.6.1.4.1.28507.81", "gude");
	chosen(PROFILE_UPS, "1.3.6.1.4.1.318.1.3.2.7", "apc-ups");
	chosen(PROFILE_UPS, "1.3.6.1.4.1.2254.2.4", "ups-mib");
	chosen(PROFILE_FABRIC, "1.3.6.1.4.1.9.1.1", "if-mib");
	/* net-snmp's own: a WTI MPC, a BMC, any Linux. */
	oid_read("1.3.6.1.4.1.8072.3.2.10", 23, &identity.object_id);
	assert_int_equal(profile_choose(DEVICES, PROFILE_PDU, &identity, &profile, ignore_warning,
					NULL, &err),
			 RC_UNSUPPORTED);
}

/* ---- walks of real devices ---- */

static void real_apc_ap7900(void **state)
{
	(void)state;
	load_real("apc-rpdu", "nut-apc-ap7900");
	expect("Testing 2", POWER_ON);
	expect("8", POWER_ON);
	expect_failure("9", RC_NO_SUCH_PLUG);
}

static void real_apc_ap7853_metered(void **state)
{
	(void)state;
	load_real("apc-rpdu", "nav-apc-ap7853-metered");
	expect_failure("1", RC_UNSUPPORTED);
	expect_no_list(RC_UNSUPPORTED);
}

static void real_apc_epdu_metered(void **state)
{
	(void)state;
	load_real("apc-easy", "nut-apc-epdu");
	expect_failure("1", RC_UNSUPPORTED);
	expect_no_list(RC_UNSUPPORTED);
}

static void real_raritan_px(void **state)
{
	(void)state;
	load_real("raritan-px", "simengine-raritan-dpxr8-15");
	expect("Lamp", POWER_OFF);
	expect("8", POWER_OFF);
	expect_failure("9", RC_NO_SUCH_PLUG);
}

static void real_raritan_unswitched(void **state)
{
	(void)state;
	load_real("raritan-px2", "nav-raritan-pxe1847-unswitched");
	expect_failure("1", RC_UNSUPPORTED);
	expect_no_list(RC_UNSUPPORTED);
}

static void real_eaton_nlogic(void **state)
{
	(void)state;
	load_real("eaton-nlogic", "nut-eaton-nlogic-emsv0001");
	expect_list("1:on:OUTLET 1");
	expect_failure("7", RC_NO_SUCH_PLUG);
	expect_failure("48", RC_NO_SUCH_PLUG);
}

static void real_hpe_cis(void **state)
{
	(void)state;
	load_real("hpe-cis", "nut-hpe-pdu3-cis-p9s18a");
	expect("1", POWER_ON);
	expect_failure("25", RC_NO_SUCH_PLUG);
}

static void real_digipower(void **state)
{
	(void)state;
	load_real("lindy", "librenms-digipower");
	expect("OutletX", POWER_ON);
	expect_failure("25", RC_NO_SUCH_PLUG);
}

static void real_gude(void **state)
{
	(void)state;
	load_real("gude", "librenms-gude-epc");
	expect_list("1:off: 2:on: 3:on: 4:on: 5:on: 6:off: 7:off: 8:on:");
}

static void real_wti(void **state)
{
	(void)state;
	load_real("wti-vmr", "librenms-wti-power");
	expect("Outlet-B4", POWER_ON);
	expect_failure("9", RC_NO_SUCH_PLUG);
}

static void real_sentry4(void **state)
{
	(void)state;
	load_real("sentry4", "sentry4-checkmk-sample");
	expect("BA1", POWER_ON);
	expect("2.1.1", POWER_ON);
}

static void real_apc_ups(void **state)
{
	(void)state;
	load_real("apc-ups", "simengine-apc-smartups1500xlm");
	expect("3", POWER_ON);
	expect_failure("Outlet Group", RC_CONFIG);
	expect_failure("4", RC_NO_SUCH_PLUG);
}

#define WALK_TEST(f) cmocka_unit_test_teardown(f, unload)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WALK_TEST(apc_rows),
		WALK_TEST(a_pending_command_is_no_state),
		WALK_TEST(a_witness_must_speak),
		WALK_TEST(metered_has_no_outlets),
		WALK_TEST(names_must_be_unique),
		WALK_TEST(names_are_compared_whole),
		WALK_TEST(a_counter_is_no_state),
		WALK_TEST(shifted_index),
		WALK_TEST(list_of_fields),
		WALK_TEST(base_of_the_device),
		WALK_TEST(chains_and_towers),
		WALK_TEST(rows_of_absent_outlets),
		WALK_TEST(off_needs_its_witness),
		WALK_TEST(a_value_is_a_number),
		cmocka_unit_test(profiles_are_sound),
		cmocka_unit_test(the_longest_id_wins),
		WALK_TEST(real_apc_ap7900),
		WALK_TEST(real_apc_ap7853_metered),
		WALK_TEST(real_apc_epdu_metered),
		WALK_TEST(real_raritan_px),
		WALK_TEST(real_raritan_unswitched),
		WALK_TEST(real_eaton_nlogic),
		WALK_TEST(real_hpe_cis),
		WALK_TEST(real_digipower),
		WALK_TEST(real_gude),
		WALK_TEST(real_wti),
		WALK_TEST(real_sentry4),
		WALK_TEST(real_apc_ups),
	};

	return cmocka_run_group_tests_name("device profiles on walks", tests, NULL, NULL);
}
