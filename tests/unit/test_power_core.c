/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_power_core.c - rule S1 in one agent: golden traces of power_core, and a seeded device that
 * misbehaves at random, watched by an oracle that knows the true state of its plugs.
 *
 * LINK: base fence-agents/sdk/power_core.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fence-agents/sdk/power_core.h"

enum { PLUGS = 3, SCRIPT_MAX = 32, TRACE_BYTES = 4096, STEPS_MAX = 2000 };

/* A device: what each plug is, and what it will be later. */
struct device {
	enum power_state plugs[PLUGS];
	enum power_state next[PLUGS];
	int64_t next_at_ms[PLUGS];
	int lag_ms;	  /* a command takes effect after this */
	int lies;	  /* accepts, does nothing */
	int stuck_plug;	  /* accepts, this one does nothing; -1 none */
	int cycle_off_ms; /* length of the off phase of a cycle */
	int op_ms;	  /* time an operation takes */
	/* Results of the operations in order; 0 = do it. Those after the end are 0. */
	int script[SCRIPT_MAX];
	int ops;
};

struct run {
	struct device device;
	struct power_core core;
	int64_t now_ms;
	char trace[TRACE_BYTES];
};

static mono_t at_ms(int64_t ms)
{
	return (mono_t){ ms * MONO_NS_PER_MS };
}

static void note(struct run *run, const char *fmt, ...)
{
	size_t used = strlen(run->trace);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(run->trace + used, sizeof run->trace - used, fmt, ap);
	va_end(ap);
}

static enum power_state plug_now(struct run *run, size_t plug)
{
	struct device *d = &run->device;

	if (d->next[plug] != POWER_UNKNOWN && run->now_ms >= d->next_at_ms[plug]) {
		d->plugs[plug] = d->next[plug];
		d->next[plug] = POWER_UNKNOWN;
	}
	return d->plugs[plug];
}

static void plug_command(struct run *run, size_t plug, enum power_state state)
{
	struct device *d = &run->device;

	plug_now(run, plug);
	if (d->lies || d->stuck_plug == (int)plug)
		return;
	if (d->lag_ms == 0)
		d->plugs[plug] = state;
	d->next[plug] = d->lag_ms ? state : POWER_UNKNOWN;
	d->next_at_ms[plug] = run->now_ms + d->lag_ms;
}

static struct power_event act_do(struct run *run, const struct power_act *act)
{
	struct device *d = &run->device;
	struct power_event ev = { 0 };
	int rc = d->ops < SCRIPT_MAX ? d->script[d->ops] : 0;
	size_t plug = act->plug;

	if (act->kind == POWER_ACT_WAIT) {
		run->now_ms = act->until.ns / MONO_NS_PER_MS;
		return (struct power_event){ .kind = POWER_EV_WAKE, .now = act->until };
	}
	d->ops++;
	run->now_ms += d->op_ms;
	ev.rc = rc;
	switch (act->kind) {
	case POWER_ACT_READ:
		ev.kind = POWER_EV_READ;
		ev.state = rc ? POWER_UNKNOWN : plug_now(run, plug);
		note(run, "%lld read %zu %s\n", (long long)run->now_ms, plug,
		     rc ? rc_word(rc) : power_word(ev.state));
		break;
	case POWER_ACT_SET:
		ev.kind = POWER_EV_SET;
		if (rc == 0)
			plug_command(run, plug, act->state);
		note(run, "%lld set %zu %s %s\n", (long long)run->now_ms, plug,
		     power_word(act->state), rc_word(rc));
		break;
	default:
		ev.kind = POWER_EV_CYCLE;
		if (rc == 0 && plug_now(run, plug) == POWER_OFF)
			ev.rc = rc = RC_STATE;
		if (rc == 0 && !d->lies) {
			d->plugs[plug] = POWER_OFF;
			d->next[plug] = POWER_ON;
			d->next_at_ms[plug] = run->now_ms + d->cycle_off_ms;
		}
		note(run, "%lld cycle %zu %s\n", (long long)run->now_ms, plug, rc_word(rc));
		break;
	}
	ev.now = at_ms(run->now_ms);
	return ev;
}

static void run_op(struct run *run, const struct power_core_config *config)
{
	struct power_event ev = { .kind = POWER_EV_START, .now = at_ms(run->now_ms) };
	struct power_act act;
	int steps = 0;

	power_core_init(&run->core, config);
	for (;;) {
		assert_true(steps++ < STEPS_MAX);
		power_core_step(&run->core, &ev, &act);
		if (act.kind == POWER_ACT_DONE)
			break;
		ev = act_do(run, &act);
	}
	note(run, "%lld %s %s %s%s%s\n", (long long)run->now_ms, rc_word(run->core.rc),
	     power_word(power_core_state(&run->core)), proof_word(run->core.proof),
	     run->core.off_proven ? " off-proven" : "", run->core.on_proven ? " on-proven" : "");
}

static struct power_core_config config_for(enum power_op op, size_t plugs)
{
	return (struct power_core_config){
		.op = op,
		.plugs_count = plugs,
		.power_timeout_ms = 300,
		.poll_max_ms = 1000,
		.reach_ms = 200,
		.on_tries = 1,
		.deadline = at_ms(10000),
	};
}

static struct run run_new(enum power_state a, enum power_state b)
{
	return (struct run){
		.device = { .plugs = { a, b, POWER_ON }, .stuck_plug = -1, .cycle_off_ms = 400 }
	};
}

static void expect(struct run *run, enum power_op op, size_t plugs, const char *trace)
{
	struct power_core_config config = config_for(op, plugs);

	run_op(run, &config);
	assert_string_equal(run->trace, trace);
}

/* ---- golden traces ---- */

static void test_status_reads_once(void **state)
{
	struct run run = run_new(POWER_OFF, POWER_ON);

	(void)state;
	expect(&run, POWER_OP_STATUS, 1, "0 read 0 off\n0 ok off proven\n");
}

static void test_status_of_two_is_partial(void **state)
{
	struct run run = run_new(POWER_OFF, POWER_ON);

	(void)state;
	expect(&run, POWER_OP_STATUS, 2, "0 read 0 off\n0 read 1 on\n0 ok partial proven\n");
}

static void test_status_unknown_proves_nothing(void **state)
{
	struct run run = run_new(POWER_UNKNOWN, POWER_ON);

	(void)state;
	expect(&run, POWER_OP_STATUS, 1, "0 read 0 unknown\n0 ok unknown none\n");
}

static void test_off_reads_back(void **state)
{
	struct run run = run_new(POWER_ON, POWER_ON);

	(void)state;
	run.device.lag_ms = 100;
	expect(&run, POWER_OP_OFF, 1,
	       "0 read 0 on\n0 set 0 off ok\n0 read 0 on\n50 read 0 on\n125 read 0 off\n"
	       "125 ok off proven off-proven\n");
}

static void test_off_commands_a_plug_that_is_off(void **state)
{
	struct run run = run_new(POWER_OFF, POWER_ON);

	(void)state;
	expect(&run, POWER_OP_OFF, 1,
	       "0 read 0 off\n0 set 0 off ok\n0 read 0 off\n0 ok off proven off-proven\n");
}

static void test_lying_device_is_never_off(void **state)
{
	struct run run = run_new(POWER_ON, POWER_ON);

	(void)state;
	run.device.lies = 1;
	expect(&run, POWER_OP_OFF, 1,
	       "0 read 0 on\n0 set 0 off ok\n0 read 0 on\n50 read 0 on\n125 read 0 on\n"
	       "237 read 0 on\n300 read 0 on\n300 state on none\n");
}

static void test_one_of_two_off_is_partial(void **state)
{
	struct run run = run_new(POWER_ON, POWER_ON);

	(void)state;
	run.device.stuck_plug = 1;
	run.device.op_ms = 100;
	expect(&run, POWER_OP_OFF, 2,
	       "100 read 0 on\n200 read 1 on\n300 set 0 off ok\n400 set 1 off ok\n"
	       "500 read 0 off\n600 read 1 on\n750 read 0 off\n850 read 1 on\n"
	       "850 state partial none\n");
	assert_int_equal(run.core.failed_plug, 1);
}

static void test_all_off_before_any_on(void **state)
{
	struct run run = run_new(POWER_ON, POWER_ON);

	(void)state;
	run.device.lag_ms = 40;
	expect(&run, POWER_OP_REBOOT, 2,
	       "0 read 0 on\n0 read 1 on\n0 set 0 off ok\n0 set 1 off ok\n"
	       "0 read 0 on\n0 read 1 on\n50 read 0 off\n50 read 1 off\n"
	       "50 set 0 on ok\n50 set 1 on ok\n50 read 0 off\n50 read 1 off\n"
	       "100 read 0 on\n100 read 1 on\n100 ok on proven off-proven on-proven\n");
}

static void test_missing_plug_switches_nothing(void **state)
{
	struct run run = run_new(POWER_ON, POWER_ON);

	(void)state;
	run.device.script[1] = RC_NO_SUCH_PLUG;
	expect(&run, POWER_OP_OFF, 2,
	       "0 read 0 on\n0 read 1 no-such-plug\n0 no-such-plug unknown none\n");
}

static void test_refused_login_is_not_repeated(void **state)
{
	struct run run = run_new(POWER_ON, POWER_ON);

	(void)state;
	run.device.script[0] = RC_AUTH;
	expect(&run, POWER_OP_OFF, 1, "0 read 0 auth\n0 auth unknown none\n");
}

static void test_busy_is_repeated(void **state)
{
	struct run run = run_new(POWER_ON, POWER_ON);

	(void)state;
	run.device.script[0] = RC_BUSY;
	run.device.script[2] = RC_BUSY;
	expect(&run, POWER_OP_OFF, 1,
	       "0 read 0 busy\n50 read 0 on\n50 set 0 off busy\n100 set 0 off ok\n"
	       "100 read 0 off\n100 ok off proven off-proven\n");
}

static void test_unreachable_ends_after_its_time(void **state)
{
	struct run run = run_new(POWER_ON, POWER_ON);

	(void)state;
	run.device.op_ms = 90;
	for (int i = 0; i < SCRIPT_MAX; i++)
		run.device.script[i] = RC_UNREACHABLE;
	expect(&run, POWER_OP_OFF, 1,
	       "90 read 0 unreachable\n230 read 0 unreachable\n230 unreachable unknown none\n");
}

static void test_refused_command_is_read_once_more(void **state)
{
	struct run run = run_new(POWER_ON, POWER_ON);

	(void)state;
	run.device.script[3] = RC_PRIVILEGE;
	expect(&run, POWER_OP_OFF, 2,
	       "0 read 0 on\n0 read 1 on\n0 set 0 off ok\n0 set 1 off privilege\n"
	       "0 read 0 off\n0 read 1 on\n0 privilege partial none\n");
	assert_int_equal(run.core.failed_plug, 1);
}

static void test_refused_command_is_no_proof_even_if_off(void **state)
{
	struct run run = run_new(POWER_OFF, POWER_ON);

	(void)state;
	run.device.script[1] = RC_PRIVILEGE;
	expect(&run, POWER_OP_OFF, 1,
	       "0 read 0 off\n0 set 0 off privilege\n0 read 0 off\n0 privilege off none\n");
}

static void test_state_code_counts_with_read_back(void **state)
{
	struct run run = run_new(POWER_OFF, POWER_ON);

	(void)state;
	run.device.script[1] = RC_STATE;
	expect(&run, POWER_OP_OFF, 1,
	       "0 read 0 off\n0 set 0 off state\n0 read 0 off\n0 ok off proven off-proven\n");
}

static void test_silence_after_the_command_is_unknown(void **state)
{
	struct run run = run_new(POWER_ON, POWER_ON);

	(void)state;
	for (int i = 2; i < SCRIPT_MAX; i++)
		run.device.script[i] = RC_TIMEOUT;
	run.device.op_ms = 120;
	expect(&run, POWER_OP_OFF, 1,
	       "120 read 0 on\n240 set 0 off ok\n360 read 0 timeout\n530 read 0 timeout\n"
	       "660 read 0 timeout\n660 timeout unknown none\n");
}

static void test_on_failure_keeps_the_off(void **state)
{
	struct run run = run_new(POWER_ON, POWER_ON);

	(void)state;
	run.device.script[3] = RC_UNSUPPORTED;
	expect(&run, POWER_OP_REBOOT, 1,
	       "0 read 0 on\n0 set 0 off ok\n0 read 0 off\n0 set 0 on unsupported\n0 read 0 off\n"
	       "0 unsupported off none off-proven\n");
}

static void test_retry_on_sends_again(void **state)
{
	struct run run = run_new(POWER_OFF, POWER_ON);
	struct power_core_config config = config_for(POWER_OP_ON, 1);

	(void)state;
	run.device.lies = 1;
	run.device.op_ms = 200;
	config.on_tries = 2;
	run_op(&run, &config);
	assert_string_equal(run.trace,
			    "200 read 0 off\n400 set 0 on ok\n600 read 0 off\n850 read 0 off\n"
			    "1050 set 0 on ok\n1250 read 0 off\n1500 read 0 off\n"
			    "1500 state off none\n");
}

static void test_power_wait_comes_before_the_read(void **state)
{
	struct run run = run_new(POWER_ON, POWER_ON);
	struct power_core_config config = config_for(POWER_OP_OFF, 1);

	(void)state;
	config.power_wait_ms = 2000;
	run_op(&run, &config);
	assert_string_equal(run.trace, "0 read 0 on\n0 set 0 off ok\n2000 read 0 off\n"
				       "2000 ok off proven off-proven\n");
}

static void test_cycle_seen_off_is_proven(void **state)
{
	struct run run = run_new(POWER_ON, POWER_ON);

	(void)state;
	run.device.cycle_off_ms = 100;
	expect(&run, POWER_OP_CYCLE, 1,
	       "0 read 0 on\n0 cycle 0 ok\n0 read 0 off\n50 read 0 off\n125 read 0 on\n"
	       "125 ok on proven off-proven on-proven\n");
}

static void test_cycle_not_seen_is_accepted_only(void **state)
{
	struct run run = run_new(POWER_ON, POWER_ON);

	(void)state;
	run.device.lies = 1;
	run.device.op_ms = 200;
	expect(&run, POWER_OP_CYCLE, 1,
	       "200 read 0 on\n400 cycle 0 ok\n600 read 0 on\n850 read 0 on\n"
	       "850 ok on accepted\n");
}

static void test_cycle_of_an_off_plug_turns_it_on(void **state)
{
	struct run run = run_new(POWER_OFF, POWER_ON);

	(void)state;
	expect(&run, POWER_OP_CYCLE, 1,
	       "0 read 0 off\n0 set 0 off ok\n0 read 0 off\n0 set 0 on ok\n0 read 0 on\n"
	       "0 ok on proven off-proven on-proven\n");
}

static void test_cycle_refused_for_its_state_turns_on(void **state)
{
	struct run run = run_new(POWER_ON, POWER_ON);

	(void)state;
	run.device.script[1] = RC_STATE;
	expect(&run, POWER_OP_CYCLE, 1,
	       "0 read 0 on\n0 cycle 0 state\n0 set 0 off ok\n0 read 0 off\n0 set 0 on ok\n"
	       "0 read 0 on\n0 ok on proven off-proven on-proven\n");
}

static void test_cycle_lost_answer_is_not_repeated(void **state)
{
	struct run run = run_new(POWER_ON, POWER_ON);

	(void)state;
	run.device.script[1] = RC_TIMEOUT;
	run.device.op_ms = 200;
	expect(&run, POWER_OP_CYCLE, 1,
	       "200 read 0 on\n400 cycle 0 timeout\n600 read 0 on\n850 read 0 on\n"
	       "850 timeout on none\n");
}

static void test_deadline_ends_it(void **state)
{
	struct run run = run_new(POWER_ON, POWER_ON);
	struct power_core_config config = config_for(POWER_OP_OFF, 1);

	(void)state;
	run.device.lies = 1;
	config.power_timeout_ms = INT64_MAX;
	config.deadline = at_ms(100);
	run_op(&run, &config);
	assert_string_equal(run.trace, "0 read 0 on\n0 set 0 off ok\n0 read 0 on\n50 read 0 on\n"
				       "100 state on none\n");
}

/* ---- seeded device ---- */

static uint32_t random_next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void device_randomise(struct run *run, uint32_t *seed)
{
	static const int codes[] = { RC_AUTH,  RC_UNREACHABLE, RC_TIMEOUT,  RC_NO_SUCH_PLUG,
				     RC_STATE, RC_BUSY,	       RC_PROTOCOL, RC_PRIVILEGE };
	struct device *d = &run->device;

	d->lag_ms = (int)(random_next(seed) % 3 * 90);
	d->lies = random_next(seed) % 6 == 0;
	d->stuck_plug = (int)(random_next(seed) % 6) - 3;
	d->op_ms = (int)(random_next(seed) % 4 * 30);
	d->cycle_off_ms = (int)(random_next(seed) % 4 * 60);
	for (size_t i = 0; i < PLUGS; i++)
		d->plugs[i] = random_next(seed) % 2 ? POWER_ON : POWER_OFF;
	for (size_t i = 0; i < SCRIPT_MAX; i++)
		if (random_next(seed) % 7 == 0)
			d->script[i] = codes[random_next(seed) % 8];
}

/* The oracle looks at the device, not at the core: whatever was claimed must be so. Nothing
 * changes a plug but our commands, so the state at the end is the state at the last read. */
static void oracle_check(struct run *run, const struct power_core_config *config)
{
	const struct power_core *core = &run->core;
	enum power_state truth[PLUGS];
	enum power_state all;

	for (size_t i = 0; i < config->plugs_count; i++)
		truth[i] = plug_now(run, i);
	all = power_combine(truth, config->plugs_count);
	if (core->rc == 0 && config->op == POWER_OP_OFF)
		assert_int_equal(all, POWER_OFF);
	if (core->rc == 0 && core->proof == PROOF_PROVEN && config->op != POWER_OP_OFF &&
	    config->op != POWER_OP_STATUS)
		assert_int_equal(all, POWER_ON);
	if (core->off_proven && run->device.lies && config->op != POWER_OP_CYCLE)
		for (size_t i = 0; i < config->plugs_count; i++)
			assert_int_equal(core->before[i], POWER_OFF);
	if (core->rc == 0 && (config->op == POWER_OP_OFF || config->op == POWER_OP_REBOOT))
		assert_true(core->off_proven);
	if (core->rc != 0)
		assert_int_equal(core->proof, PROOF_NONE);
	if (core->off_proven)
		assert_true(config->op != POWER_OP_ON && config->op != POWER_OP_STATUS);
	assert_true(run->now_ms <= 2000 + run->device.op_ms);
}

static void test_random_devices_never_fool_it(void **state)
{
	unsigned proven = 0;

	(void)state;
	for (uint32_t n = 1; n <= 20000; n++) {
		struct run run = run_new(POWER_ON, POWER_ON);
		uint32_t seed = n * 2654435761u;
		enum power_op op = (enum power_op)(random_next(&seed) % 5);
		struct power_core_config config = config_for(
			op, op == POWER_OP_CYCLE ? 1 : 1 + random_next(&seed) % PLUGS);

		device_randomise(&run, &seed);
		config.on_tries = 1 + random_next(&seed) % 2;
		config.power_wait_ms = random_next(&seed) % 3 * 40;
		config.deadline = at_ms(2000);
		run_op(&run, &config);
		oracle_check(&run, &config);
		proven += run.core.rc == 0;
	}
	assert_true(proven > 4000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status_reads_once),
		cmocka_unit_test(test_status_of_two_is_partial),
		cmocka_unit_test(test_status_unknown_proves_nothing),
		cmocka_unit_test(test_off_reads_back),
		cmocka_unit_test(test_off_commands_a_plug_that_is_off),
		cmocka_unit_test(test_lying_device_is_never_off),
		cmocka_unit_test(test_one_of_two_off_is_partial),
		cmocka_unit_test(test_all_off_before_any_on),
		cmocka_unit_test(test_missing_plug_switches_nothing),
		cmocka_unit_test(test_refused_login_is_not_repeated),
		cmocka_unit_test(test_busy_is_repeated),
		cmocka_unit_test(test_unreachable_ends_after_its_time),
		cmocka_unit_test(test_refused_command_is_read_once_more),
		cmocka_unit_test(test_refused_command_is_no_proof_even_if_off),
		cmocka_unit_test(test_state_code_counts_with_read_back),
		cmocka_unit_test(test_silence_after_the_command_is_unknown),
		cmocka_unit_test(test_on_failure_keeps_the_off),
		cmocka_unit_test(test_retry_on_sends_again),
		cmocka_unit_test(test_power_wait_comes_before_the_read),
		cmocka_unit_test(test_cycle_seen_off_is_proven),
		cmocka_unit_test(test_cycle_not_seen_is_accepted_only),
		cmocka_unit_test(test_cycle_of_an_off_plug_turns_it_on),
		cmocka_unit_test(test_cycle_refused_for_its_state_turns_on),
		cmocka_unit_test(test_cycle_lost_answer_is_not_repeated),
		cmocka_unit_test(test_deadline_ends_it),
		cmocka_unit_test(test_random_devices_never_fool_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
