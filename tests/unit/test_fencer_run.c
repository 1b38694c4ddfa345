/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: fencer host base pkg:cmocka
 *
 * test_fencer_run.c - the whole fencer with real children: tests/agents/stubs/stub_agent, an agent
 * of the fence agent API that misbehaves on request. Run from the root of the repository.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fence-agents/fencer/fence_history.h"
#include "fence-agents/fencer/fencer.h"
#include "host/clock.h"

enum { TARGETS = 128, OPTIONS = 5 };

static char folder[64], agent[PATH_MAX], history[128], note[128];
static char moods[TARGETS][16], states[TARGETS][128], names[TARGETS][32];
static struct fence_kv options[TARGETS][OPTIONS];
static struct fence_device devices[TARGETS];
static struct fence_leg legs[TARGETS];
static struct fence_target targets[TARGETS];
static struct fence_conf conf;
static size_t wanted[TARGETS];
static struct fencer_report *report;

/* One target for each mood, each with a device of its own. */
static void setup_moods(const char *plugs, size_t count, const char *const *words)
{
	memset(legs, 0, sizeof legs);
	for (size_t i = 0; i < count; i++) {
		FILE *file;

		snprintf(moods[i], sizeof moods[i], "%s", words[i]);
		snprintf(names[i], sizeof names[i], "node%zu", i);
		snprintf(states[i], sizeof states[i], "%s/state%zu", folder, i);
		file = fopen(states[i], "w");
		assert_non_null(file);
		fputs("on\n", file);
		fclose(file);
		options[i][0] = (struct fence_kv){ "state_file", states[i], 0 };
		options[i][1] = (struct fence_kv){ "mood", moods[i], 0 };
		options[i][2] = (struct fence_kv){ "plugs", "1 2 3", 0 };
		options[i][3] = (struct fence_kv){ "note", note, 0 };
		options[i][4] = (struct fence_kv){ "password", "hunter2", 0 };
		devices[i] = (struct fence_device){ .name = names[i],
						    .agent = agent,
						    .options = options[i],
						    .options_count = OPTIONS,
						    .parallel = 1 };
		legs[i] = (struct fence_leg){ .device = i, .plugs = (char *)plugs, .level = 1 };
		targets[i] = (struct fence_target){ .name = names[i],
						    .legs = &legs[i],
						    .legs_count = 1 };
		wanted[i] = i;
	}
	conf = (struct fence_conf){
		.path = "test.conf",
		.devices = devices,
		.devices_count = count,
		.targets = targets,
		.targets_count = count,
		.timeout_ms = 60000,
		.parallel = 64,
		.history_path = history,
	};
}

static int state_is(size_t i, const char *word)
{
	char text[16] = "";
	FILE *file = fopen(states[i], "r");

	assert_non_null(file);
	if (!fgets(text, sizeof text, file))
		text[0] = '\0';
	fclose(file);
	return strncmp(text, word, strlen(word)) == 0;
}

static void nobody_is_left(void)
{
	char command[512];
	mono_t until = mono_add_ms(clock_now(), 20000);

	/* Every run noted its process, which led its group. */
	snprintf(command, sizeof command,
		 "test -e %s || exit 1; ps -e -o pgid=,stat= | awk 'NR == FNR { group[$1] = 1; "
		 "next } "
		 "$1 in group && $2 !~ /^Z/ { n++ } END { exit !n }' %s -",
		 note, note);
	while (system(command) == 0) {
		assert_false(mono_reached(clock_now(), until));
		clock_sleep_until(mono_add_ms(clock_now(), 10));
	}
}

static struct fencer_target_report *run(enum fencer_op op, int64_t timeout_ms)
{
	struct fencer_request request = {
		.conf = &conf,
		.op = op,
		.targets = wanted,
		.targets_count = conf.targets_count,
		.timeout_ms = timeout_ms,
	};
	struct err err = { 0 };

	fencer_report_free(report);
	report = NULL;
	assert_int_equal(fencer_run(&request, &report, &err), 0);
	nobody_is_left();
	return report->targets;
}

static struct fencer_target_report *run_mood(const char *mood, const char *plugs, enum fencer_op op,
					     int64_t timeout_ms)
{
	setup_moods(plugs, 1, &mood);
	return run(op, timeout_ms);
}

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/holdfast-fencer-XXXXXX");
	if (!mkdtemp(folder) || !realpath("tests/agents/stubs/stub_agent", agent))
		return -1;
	snprintf(history, sizeof history, "%s/history", folder);
	snprintf(note, sizeof note, "%s/note", folder);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	fencer_report_free(report);
	report = NULL;
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static void off_of_a_good_device(void **state)
{
	struct fencer_target_report *t = run_mood("good", "2", FENCER_OFF, 0);

	(void)state;
	assert_int_equal(t->rc, 0);
	assert_int_equal(t->state, POWER_OFF);
	assert_int_equal(t->proof, PROOF_PROVEN);
	assert_int_equal(t->off_proven, 1);
	assert_int_equal(t->level, 1);
	assert_string_equal(t->message, "");
	assert_int_equal(t->legs[0].attempts, 3); /* off, status, list */
	assert_int_equal(t->legs[0].native, 0);
	assert_true(state_is(0, "off"));
}

static void other_operations(void **state)
{
	(void)state;
	assert_int_equal(run_mood("good", NULL, FENCER_STATUS, 0)->state, POWER_ON);
	assert_int_equal(run_mood("good", "1,3", FENCER_REBOOT, 0)->rc, 0);
	assert_int_equal(report->targets->off_proven, 1);
	assert_int_equal(report->targets->on_proven, 1);
	assert_true(state_is(0, "on"));
	assert_int_equal(run_mood("good", "1", FENCER_TEST, 0)->rc, 0);
	assert_int_equal(run_mood("good", "1", FENCER_TEST_REAL, 0)->rc, 0);
	assert_true(state_is(0, "on"));
	assert_int_equal(run_mood("good", NULL, FENCER_ON, 0)->on_proven, 1);
}

static void plug_that_is_not_there(void **state)
{
	(void)state;
	assert_int_equal(run_mood("good", "1,7", FENCER_OFF, 0)->rc, RC_NO_SUCH_PLUG);
	assert_int_equal(report->targets->off_proven, 0);
	assert_non_null(
		strstr(report->targets->message, "node0: list: the device does not list plug 7"));
}

static void agent_without_effect(void **state)
{
	(void)state;
	assert_int_equal(run_mood("idle", NULL, FENCER_OFF, 0)->rc, RC_STATE);
	assert_int_equal(report->targets->off_proven, 0);
	assert_int_equal(report->targets->state, POWER_ON);
	assert_non_null(strstr(report->targets->message, "its status reads on"));
	assert_true(report->targets->next[0] != '\0');
}

static void agents_that_hang(void **state)
{
	static const char *const words[] = { "hang", "deaf" };

	(void)state;
	setup_moods(NULL, 2, words);
	run(FENCER_OFF, 300);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(report->targets[i].rc, RC_TIMEOUT);
		assert_int_equal(report->targets[i].state, POWER_UNKNOWN);
	}
}

static void stray_is_not_waited_for(void **state)
{
	(void)state;
	assert_int_equal(run_mood("stray", NULL, FENCER_OFF, 0)->rc, 0);
}

static void output_that_is_no_answer(void **state)
{
	static const char *const words[] = { "garbage", "crash", "usage", "contradict" };

	(void)state;
	setup_moods(NULL, 4, words);
	run(FENCER_STATUS, 0);
	for (size_t i = 0; i < 4; i++) {
		assert_true(report->targets[i].rc != 0);
		assert_int_equal(report->targets[i].state, POWER_UNKNOWN);
		assert_true(report->targets[i].message[0] != '\0');
	}
	assert_non_null(strstr(report->targets[1].message, "signal 11"));
	assert_int_equal(report->targets[3].rc, RC_PROTOCOL);
	run(FENCER_OFF, 0);
	for (size_t i = 0; i < 4; i++) {
		assert_true(report->targets[i].rc != 0);
		assert_int_equal(report->targets[i].off_proven, 0);
	}
}

/* 10 MB on each of stdout and stderr: the words behind them are lost, and with them the answer. */
static void output_without_end(void **state)
{
	(void)state;
	assert_int_equal(run_mood("flood", NULL, FENCER_STATUS, 0)->rc, RC_PROTOCOL);
	assert_int_equal(report->targets->state, POWER_UNKNOWN);
	assert_int_equal(run_mood("flood", NULL, FENCER_OFF, 0)->off_proven, 0);
	assert_true(report->targets->rc != 0);
}

static void secret_in_an_error_is_masked(void **state)
{
	(void)state;
	assert_int_equal(run_mood("gossip", NULL, FENCER_OFF, 0)->rc, RC_AUTH);
	assert_null(strstr(report->targets->message, "hunter2"));
	assert_non_null(strstr(report->targets->message, "password ******* refused"));
	/* A password that is a word of ours hides none of ours. */
	options[0][4].value = "node0";
	run(FENCER_OFF, 0);
	assert_non_null(strstr(report->targets->message, "node0: off: Failed"));
}

static int look_for_secret(void *arg, const struct fence_history_record *r)
{
	(void)arg;
	assert_null(strstr(r->message, "hunter2"));
	return 0;
}

static int collect(void *arg, const struct fence_history_record *r)
{
	char *words = arg;

	snprintf(words + strlen(words), 512 - strlen(words), "%s %s %s %s %d;",
		 r->kind == FENCE_HISTORY_TARGET ? "target" : "device", r->target, r->operation,
		 r->result, r->off_proven);
	return 0;
}

static void history_is_kept(void **state)
{
	char words[512] = "";
	struct err err = { 0 };

	(void)state;
	run_mood("good", NULL, FENCER_OFF, 0);
	run_mood("gossip", NULL, FENCER_OFF, 0);
	run_mood("good", NULL, FENCER_STATUS, 0);
	assert_null(report->history_error);
	assert_int_equal(fence_history_read(history, collect, words, NULL, &err), 0);
	assert_string_equal(words, "target node0 off ok 1;device node0 off ok 1;"
				   "target node0 off auth 0;device node0 off auth 0;");
	fence_history_read(history, look_for_secret, NULL, NULL, &err);
	strcpy(history, "/dev/full");
	run_mood("good", NULL, FENCER_OFF, 0);
	assert_int_equal(report->targets->rc, 0);
	assert_non_null(report->history_error);
}

static void agent_that_does_not_exist(void **state)
{
	static const char *const words[] = { "good" };
	struct fencer_request request = { .conf = &conf, .targets = wanted, .targets_count = 1 };
	struct err err = { 0 };

	(void)state;
	setup_moods(NULL, 1, words);
	devices[0].agent = "fence_that_does_not_exist";
	assert_int_equal(fencer_run(&request, &report, &err), RC_CONFIG);
	assert_non_null(strstr(err.text, "fence_that_does_not_exist"));
	assert_null(report);
}

/* The agent exists, but cannot be started (no interpreter): a failure of that target alone. */
static void agent_that_cannot_be_started(void **state)
{
	static const char *const words[] = { "good", "good" };
	char broken[128];
	FILE *file;

	(void)state;
	setup_moods(NULL, 2, words);
	snprintf(broken, sizeof broken, "%s/broken", folder);
	file = fopen(broken, "w");
	assert_non_null(file);
	fputs("#!/no/such/interpreter\n", file);
	fchmod(fileno(file), 0755);
	fclose(file);
	devices[0].agent = broken;
	run(FENCER_OFF, 0);
	assert_int_equal(report->targets[0].rc, RC_INTERNAL);
	assert_non_null(strstr(report->targets[0].message, "cannot start"));
	assert_int_equal(report->targets[1].rc, 0);
}

static void interrupt_when_one_is_done(void *arg, const struct fencer_progress *progress)
{
	if (progress->done == 1)
		kill(getpid(), *(const int *)arg);
}

static void interruption_cancels(int number)
{
	static const char *const words[] = { "good", "hang", "deaf" };
	struct fencer_request request = {
		.conf = &conf,
		.op = FENCER_OFF,
		.targets = wanted,
		.targets_count = 3,
		.progress = interrupt_when_one_is_done,
		.progress_arg = &number,
	};
	struct err err = { 0 };

	setup_moods(NULL, 3, words);
	assert_int_equal(fencer_run(&request, &report, &err), 0);
	assert_true(report->cancelled);
	assert_int_equal(report->targets[0].rc, 0);
	for (size_t i = 1; i < 3; i++) {
		assert_int_equal(report->targets[i].rc, RC_CANCELLED);
		assert_int_equal(report->targets[i].state, POWER_UNKNOWN);
	}
	nobody_is_left();
}

static void every_signal_to_end_cancels(void **state)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP };

	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		fencer_report_free(report);
		report = NULL;
		interruption_cancels(numbers[i]);
	}
}

/* Under nohup the terminal may go. */
static void ignored_hangup_stays_ignored(void **state)
{
	static const char *const words[] = { "good", "good" };
	static int number = SIGHUP;
	struct fencer_request request = {
		.conf = &conf,
		.op = FENCER_OFF,
		.targets = wanted,
		.targets_count = 2,
		.parallel = 1,
		.progress = interrupt_when_one_is_done,
		.progress_arg = &number,
	};
	struct err err = { 0 };

	(void)state;
	setup_moods(NULL, 2, words);
	signal(SIGHUP, SIG_IGN);
	assert_int_equal(fencer_run(&request, &report, &err), 0);
	signal(SIGHUP, SIG_DFL);
	assert_false(report->cancelled);
	assert_int_equal(report->targets[1].rc, 0);
}

/* Somebody sits on the history: the results do not wait for him. */
static void history_that_hangs_is_left_behind(void **state)
{
	int fd = open(history, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(run_mood("good", NULL, FENCER_OFF, 0)->rc, 0);
	assert_int_equal(report->targets->off_proven, 1);
	assert_non_null(report->history_error);
	assert_non_null(strstr(report->history_error, "not written yet"));
	assert_non_null(strstr(report->history_error, history));
	close(fd);
}

static void plugs_that_cannot_be_listed(void **state)
{
	(void)state;
	assert_int_equal(run_mood("unlisted", "2", FENCER_OFF, 0)->rc, RC_UNSUPPORTED);
	assert_int_equal(report->targets->off_proven, 0);
	assert_int_equal(report->targets->proof, PROOF_ACCEPTED);
	assert_non_null(strstr(report->targets->message,
			       "cannot list plugs, so it is not known that plug 2 exists"));
	assert_non_null(strstr(report->targets->next, "FENCE_UNLISTED yes"));
	devices[0].unlisted = 1;
	run(FENCER_OFF, 0);
	assert_int_equal(report->targets->rc, 0);
	assert_int_equal(report->targets->off_proven, 1);
}

static void plugs_with_a_separator_of_their_own(void **state)
{
	(void)state;
	setup_moods("1;3", 1, (const char *const[]){ "good" });
	options[0][4] = (struct fence_kv){ "plug-separator", ";", 0 };
	run(FENCER_OFF, 0);
	assert_int_equal(report->targets->rc, 0);
	setup_moods("1;7", 1, (const char *const[]){ "good" });
	options[0][4] = (struct fence_kv){ "plug-separator", ";", 0 };
	run(FENCER_OFF, 0);
	assert_int_equal(report->targets->rc, RC_NO_SUCH_PLUG);
}

/* It has answered with results before: an API answer from it now is none. */
static void native_agent_that_falls_silent(void **state)
{
	static const char *const words[] = { "native", "silent" };

	(void)state;
	setup_moods(NULL, 2, words);
	conf.parallel = 1;
	run(FENCER_STATUS, 0);
	assert_int_equal(report->targets[0].rc, 0);
	assert_int_equal(report->targets[0].state, POWER_ON);
	assert_int_equal(report->targets[1].rc, RC_PROTOCOL);
	assert_int_equal(report->targets[1].state, POWER_UNKNOWN);
	assert_non_null(strstr(report->targets[1].message, "Status: ON"));
}

static void many_targets(void **state)
{
	static const char *words[TARGETS];

	(void)state;
	for (size_t i = 0; i < TARGETS; i++)
		words[i] = i % 8 == 7 ? "auth" : "good";
	setup_moods("1", TARGETS, words);
	run(FENCER_OFF, 0);
	for (size_t i = 0; i < TARGETS; i++) {
		assert_int_equal(report->targets[i].target, i);
		assert_int_equal(report->targets[i].rc, i % 8 == 7 ? RC_AUTH : 0);
	}
}

#define RUN_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN_TEST(off_of_a_good_device),
		RUN_TEST(other_operations),
		RUN_TEST(plug_that_is_not_there),
		RUN_TEST(agent_without_effect),
		RUN_TEST(agents_that_hang),
		RUN_TEST(stray_is_not_waited_for),
		RUN_TEST(output_that_is_no_answer),
		RUN_TEST(output_without_end),
		RUN_TEST(secret_in_an_error_is_masked),
		RUN_TEST(history_is_kept),
		RUN_TEST(agent_that_does_not_exist),
		RUN_TEST(agent_that_cannot_be_started),
		RUN_TEST(every_signal_to_end_cancels),
		RUN_TEST(ignored_hangup_stays_ignored),
		RUN_TEST(history_that_hangs_is_left_behind),
		RUN_TEST(plugs_that_cannot_be_listed),
		RUN_TEST(plugs_with_a_separator_of_their_own),
		RUN_TEST(native_agent_that_falls_silent),
		RUN_TEST(many_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
