/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_profile_command.c - what device profiles make of a command: which objects are written, in
 * which order, with which values.
 *
 * LINK: snmpdev base
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/rc.h"
#include "fence-agents/snmp/device.h"
#include "fence-agents/snmp/profile_io.h"

/* A device that notes what is written, and keeps one text. */
static char written[2048];
static char list[SNMP_TEXT_MAX];
static int rivals;	 /* another client rewrites the list that many times */
static int refuse_after; /* writes that succeed; -1: all */

static int fake_get(struct transport *t, struct snmp_var *vars, size_t count, struct err *err)
{
	(void)t, (void)err;
	for (size_t i = 0; i < count; i++) {
		vars[i].kind = SNMP_ABSENT;
		if (*list)
			snmp_var_text(&vars[i], list, strlen(list));
	}
	return 0;
}

static int fake_set(struct transport *t, const struct snmp_var *var, int once, struct err *err)
{
	char oid[OID_TEXT_MAX];
	size_t used = strlen(written);

	(void)t;
	if (refuse_after == 0)
		return err_set(err, RC_PRIVILEGE, NULL, "refused");
	refuse_after -= refuse_after > 0;
	if (var->kind == SNMP_TEXT)
		snprintf(written + used, sizeof written - used, "%s=\"%s\"%s ",
			 oid_write(&var->oid, oid), var->text, once ? "!" : "");
	else
		snprintf(written + used, sizeof written - used, "%s=%lld%s ",
			 oid_write(&var->oid, oid), (long long)var->number, once ? "!" : "");
	if (var->kind == SNMP_TEXT && rivals == 0)
		snprintf(list, sizeof list, "%s", var->text);
	rivals -= rivals > 0;
	return 0;
}

static int fake_next(struct transport *t, const struct oid *from, size_t count, unsigned rows,
		     transport_take take, void *arg, struct err *err)
{
	(void)t, (void)from, (void)count, (void)rows, (void)take, (void)arg, (void)err;
	return 0;
}

static struct transport fake = { fake_get, fake_set, fake_next };
static struct profile profile;

static int command(const char *name, const char *plug, enum profile_verb verb)
{
	struct device_identity identity = { .base.kind = SNMP_OBJECT };
	struct device device;
	struct oid_index index;
	struct err err;
	char path[256];

	written[0] = '\0';
	snprintf(path, sizeof path, "fence-agents/devices/%s.conf", name);
	if (profile_load(path, &profile, &err))
		fail_msg("%s", err.text);
	identity.base.oid = profile.base_at;
	identity.base.object = profile.base_within;
	assert_int_equal(device_open(&device, &profile, &fake, &identity, &err), 0);
	assert_int_equal(device_find(&device, plug, &index, &err), 0);
	return device_command(&device, &index, verb, &err);
}

static void expect(const char *name, const char *plug, enum profile_verb verb, const char *wanted)
{
	assert_int_equal(command(name, plug, verb), 0);
	assert_string_equal(written, wanted);
}

static int reset(void **state)
{
	(void)state;
	list[0] = '\0';
	rivals = 0;
	refuse_after = -1;
	return 0;
}

static void writes_value_and_index(void **state)
{
	(void)state;
	expect("apc-rpdu", "3", PROFILE_OFF, "1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.3=2 ");
	expect("apc-ms-plus", "3", PROFILE_OFF, "1.3.6.1.4.1.318.1.1.6.5.1.1.5.1.1.3=3 ");
	expect("eaton-managed", "3", PROFILE_OFF, "1.3.6.1.4.1.534.6.6.6.1.2.2.1.3.2=0 ");
	expect("eaton-pulizzi", "3", PROFILE_ON, "1.3.6.1.4.1.20677.2.6.2.4.0=1 ");
	expect("eaton-g3", "3", PROFILE_OFF, "1.3.6.1.4.1.534.6.6.7.6.6.1.3.0.3=0 ");
	expect("eaton-g3", "2.3", PROFILE_ON, "1.3.6.1.4.1.534.6.6.7.6.6.1.4.2.3=0 ");
	expect("hpe-pdu", "3", PROFILE_OFF, "1.3.6.1.4.1.232.165.7.5.2.1.2.0.3=0 ");
	expect("hpe-cis", "3", PROFILE_OFF, "1.3.6.1.4.1.232.165.11.5.2.1.2.1.3=0 ");
	expect("cisco-mds", "fc1/3", PROFILE_OFF, "1.3.6.1.2.1.75.1.2.2.1.1.22.2=2 ");
	expect("intel-modular", "3", PROFILE_OFF, "1.3.6.1.4.1.343.2.19.1.2.10.202.1.1.6.3=3 ");
	expect("apc-ups", "3", PROFILE_OFF, "1.3.6.1.4.1.318.1.1.1.12.3.2.1.3.3=2 ");
}

static void off_is_never_the_value_of_on(void **state)
{
	static const char *const names[] = { "apc-rpdu2", "apc-easy", "raritan-px2", "sentry3",
					     "sentry4",	  "avocent",  "emerson-mpx", "wti-vmr",
					     "eaton-g3",  "ibm-ipdu", "teltronix",   "baytech" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char on[sizeof written];

		assert_int_equal(command(names[i], "1", PROFILE_ON), 0);
		memcpy(on, written, sizeof on);
		assert_int_equal(command(names[i], "1", PROFILE_OFF), 0);
		assert_string_not_equal(on, written);
	}
}

static void a_cycle_is_sent_once(void **state)
{
	(void)state;
	expect("apc-rpdu", "3", PROFILE_CYCLE, "1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.3=3! ");
	assert_int_equal(command("ibm-ipdu", "3", PROFILE_CYCLE), RC_UNSUPPORTED);
	assert_string_equal(written, "");
}

static void what_comes_before_comes_before(void **state)
{
	(void)state;
	expect("ups-mib", "1", PROFILE_OFF, "1.3.6.1.2.1.33.1.8.1.0=1 1.3.6.1.2.1.33.1.8.2.0=0 ");
	expect("ups-mib", "1", PROFILE_ON, "1.3.6.1.2.1.33.1.8.3.0=0 ");
	refuse_after = 0;
	assert_int_equal(command("ups-mib", "1", PROFILE_OFF), RC_PRIVILEGE);
	assert_string_equal(written, "");
}

static void a_list_is_written_whole(void **state)
{
	(void)state;
	strcpy(list, "1,1,0");
	expect("lindy", "2", PROFILE_OFF, "1.3.6.1.4.1.17420.1.2.9.1.13.0=\"1,0,0\" ");
	assert_string_equal(list, "1,0,0");
	assert_int_equal(command("lindy", "4", PROFILE_OFF), RC_NO_SUCH_PLUG);
	assert_string_equal(written, "");
}

static void a_list_undone_by_others_is_written_again(void **state)
{
	(void)state;
	strcpy(list, "1,1,1");
	rivals = 1;
	assert_int_equal(command("lindy", "2", PROFILE_OFF), 0);
	assert_string_equal(list, "1,0,1");
	strcpy(list, "1,1,1");
	rivals = 100;
	assert_int_equal(command("lindy", "2", PROFILE_OFF), RC_BUSY);
	assert_string_equal(list, "1,1,1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(writes_value_and_index, reset),
		cmocka_unit_test_setup(off_is_never_the_value_of_on, reset),
		cmocka_unit_test_setup(a_cycle_is_sent_once, reset),
		cmocka_unit_test_setup(what_comes_before_comes_before, reset),
		cmocka_unit_test_setup(a_list_is_written_whole, reset),
		cmocka_unit_test_setup(a_list_undone_by_others_is_written_again, reset),
	};

	return cmocka_run_group_tests_name("device profiles: commands", tests, NULL, NULL);
}
