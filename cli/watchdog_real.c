/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watchdog_real.c - `holdfast watchdog test --for-real` and `--result`: reset this machine, and tell
 * afterwards what that has proven.
 *
 * Everything that can stop the test stops it before the order is given: no watchdogd, other clients,
 * no device, no terminal, a name not typed, a record that cannot be written. There is no option that
 * answers for the operator.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/timing.h"
#include "cli/ask.h"
#include "cli/fence.h"
#include "cli/watchdog.h"
#include "host/clock.h"

enum { HOST_MAX = 256, REASON_MAX = 512 };

/* ---- what there is to show ---- */

static void outcome_object(struct output *out, const struct watchdog_record *record,
			   enum watchdog_outcome outcome, const char *reason)
{
	static const char *const keys[] = { "host",	"asked_at", "asked_at_s", "operator",
					    "by",	"proof",    "devices",	  "device_ms",
					    "grain_ms", "bound_ms", "soonest_ms", "alive_ms" };
	json_t *object = json_object();

	object_put_text(out, object, "kind", "result");
	object_put_text(out, object, "outcome", watchdog_outcome_word(outcome));
	object_put_boolean(out, object, "proven", outcome == WATCHDOG_OUTCOME_RESET);
	object_put_text(out, object, "reason", reason);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		object_put(out, object, keys[i],
			   json_incref(json_object_get(record->object, keys[i])));
	output_object(out, object);
}

static void outcome_show(struct output *out, const struct watchdog_record *record,
			 enum watchdog_outcome outcome, const char *reason)
{
	static const struct {
		const char *words;
		enum output_style style;
	} rows[] = {
		[WATCHDOG_OUTCOME_PENDING] = { "PENDING", STYLE_WARN },
		[WATCHDOG_OUTCOME_RESET] = { "PROVEN: this machine was reset", STYLE_GOOD },
		[WATCHDOG_OUTCOME_FAILED] = { "FAILED: this machine was not reset", STYLE_BAD },
		[WATCHDOG_OUTCOME_UNCLEAR] = { "NOT PROVEN", STYLE_BAD },
	};
	const json_t *devices = json_object_get(record->object, "devices");
	const char *by = json_string_value(json_object_get(record->object, "by"));
	const char *date = json_string_value(json_object_get(record->object, "asked_at"));

	output_line(out, rows[outcome].style, "%s", rows[outcome].words);
	output_line(out, STYLE_PLAIN, "  %s", reason);
	output_line(out, STYLE_PLAIN, "  test of %s, by %s, bound %.1f s", date ? date : "?",
		    by ? by : "?",
		    (double)json_integer_value(json_object_get(record->object, "bound_ms")) /
			    1000.0);
	for (size_t i = 0; i < json_array_size(devices); i++) {
		const json_t *device = json_array_get(devices, i);
		const char *path = json_string_value(json_object_get(device, "device"));
		const char *identity = json_string_value(json_object_get(device, "identity"));

		output_line(out, STYLE_PLAIN, "  %s (%s)", path ? path : "?",
			    identity ? identity : "?");
	}
	outcome_object(out, record, outcome, reason);
}

/* ---- --result ---- */

/* Judge, and keep what is final: after the next boot it could not be told any more. */
static enum watchdog_outcome outcome_keep(struct cli *cli, struct watchdog_record *record,
					  const struct watchdog_now *now, char *reason, size_t size)
{
	enum watchdog_outcome outcome = watchdog_record_judge(record, now, reason, size);
	struct err err = { 0 };

	if (outcome != WATCHDOG_OUTCOME_PENDING &&
	    !json_is_string(json_object_get(record->object, "outcome")) &&
	    (watchdog_record_settle(record, outcome, reason, now) ||
	     watchdog_record_store(record, &err)))
		cli_warn(cli, "the outcome could not be kept: %s",
			 err.text[0] ? err.text : "out of memory");
	return outcome;
}

int watchdog_result_run(struct cli *cli)
{
	struct watchdog_record record = { .object = NULL };
	struct watchdog_now now;
	struct err err = { 0 };
	char reason[REASON_MAX];
	enum watchdog_outcome outcome;
	struct output out;

	if (watchdog_record_load(&record, cli->dir, &err) || watchdog_now_read(&now, &err)) {
		cli_fail(cli, &err);
		watchdog_record_free(&record);
		return CLI_EXIT_NOT;
	}
	if (!record.object) {
		cli_warn(cli, "%s: there is no record of a test; \"%s --for-real\" makes one",
			 record.path, cli->name);
		return CLI_EXIT_NOT;
	}
	outcome = outcome_keep(cli, &record, &now, reason, sizeof reason);
	output_init(&out, cli);
	outcome_show(&out, &record, outcome, reason);
	watchdog_record_free(&record);
	return output_finish(&out, cli,
			     outcome == WATCHDOG_OUTCOME_RESET ? CLI_EXIT_OK : CLI_EXIT_NOT);
}

/* ---- before the order ---- */

static int refuse(const struct cli *cli, const char *why)
{
	cli_warn(cli, "%s; nothing was done", why);
	return CLI_EXIT_NOT;
}

static int refuse_clients(const struct cli *cli, const struct watchdog_view *view)
{
	for (size_t i = 0; i < view->clients_count; i++)
		cli_warn(cli, "client %s (process %" PRIu32 ") relies on watchdogd",
			 view->clients[i].name, view->clients[i].pid);
	return refuse(cli, "stop the clients first: they would be killed in their work");
}

static int real_check(const struct cli *cli, const struct watchdog_view *view, enum watch_test by)
{
	if (view->status.state != WATCH_STATE_PETTING)
		return refuse(cli, "watchdogd pets no longer: see \"holdfast watchdog status\"");
	if (view->status.clients)
		return refuse_clients(cli, view);
	if (by == WATCH_TEST_SELF && view->status.expiry == WATCH_EXPIRY_HARDWARE)
		return refuse(cli, "watchdogd leaves the reset to the devices (--on-expiry "
				   "hardware): it has none of its own to try");
	if (by == WATCH_TEST_HARDWARE && view->status.proof == WATCH_PROOF_NONE)
		return refuse(cli, "no device works that could reset this machine: see \"holdfast "
				   "watchdog status\"");
	if (!ask_is_possible())
		return refuse(cli, "this is confirmed by a human at a terminal, and this is none");
	return 0;
}

static void plan_show(const struct watchdog_view *view, const char *host, enum watch_test by)
{
	char bound[32];

	watchdog_seconds(timing_reset_bound_ms(0, view->status.device_ms), bound, sizeof bound);
	fprintf(stderr, "%s will be RESET: no program is stopped, nothing is written back.\n",
		host);
	if (by == WATCH_TEST_SELF)
		fprintf(stderr, "  by       watchdogd itself, at once (%s); should it fail, by:\n",
			watch_expiry_word(view->status.expiry));
	else
		fprintf(stderr, "  by       the devices alone; watchdogd only stops petting:\n");
	for (size_t i = 0; i < view->devices_count; i++)
		fprintf(stderr, "           %s (%s), %s proof%s\n", view->devices[i].path,
			view->devices[i].identity, watch_proof_word(view->devices[i].proof),
			view->devices[i].failed ? ", FAILED" : "");
	fprintf(stderr, "  within   %s\n", bound);
	fprintf(stderr,
		"After the reset, \"holdfast watchdog test --result\" tells what is proven.\n"
		"Once it is ordered nothing can call it back.\n\n");
}

/* ---- the order ---- */

/* Count down: 0 when the bound has passed and this machine still runs, 1 on SIGTERM. */
static int count_down(mono_t until)
{
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	for (;;) {
		mono_t now = clock_now();
		int64_t left_ms = mono_left_ms(now, until);
		int64_t rest_ms = left_ms < 1000 ? left_ms : 1000;
		const struct timespec rest = { .tv_sec = rest_ms / 1000,
					       .tv_nsec = rest_ms % 1000 * MONO_NS_PER_MS };

		if (left_ms == 0)
			break;
		fprintf(stderr, "\r\033[Kreset within %" PRId64 " s", (left_ms + 999) / 1000);
		fflush(stderr);
		if (sigtimedwait(&term, NULL, &rest) == SIGTERM)
			return 1;
	}
	fprintf(stderr, "\r\033[K");
	return 0;
}

static int order_give(struct watch_link *link, enum watch_test by)
{
	struct watch_packet packet = { .type = WATCH_TEST, .by = (uint8_t)by };
	int64_t until = watch_until_ns(WATCHDOG_ANSWER_MS);
	int error = watch_link_send(link, &packet, until);

	if (!error)
		error = watch_link_receive(link, &packet, until);
	if (!error && packet.type != WATCH_TERMS)
		error = watch_link_refused(link, &packet);
	return error;
}

/* One line before the record is written: the disk may hang. */
static int real_end(struct cli *cli, struct watchdog_record *record, int stopped)
{
	enum watchdog_outcome outcome = stopped ? WATCHDOG_OUTCOME_UNCLEAR
						: WATCHDOG_OUTCOME_FAILED;
	struct watchdog_now now;
	struct err err = { 0 };
	char reason[REASON_MAX];
	struct output out;

	if (stopped)
		snprintf(reason, sizeof reason, "it was shut down in order during the test");
	else
		snprintf(reason, sizeof reason,
			 "it still runs %.1f s after the devices were petted for the last time",
			 (double)json_integer_value(json_object_get(record->object, "bound_ms")) /
				 1000.0);
	cli_warn(cli, "%s: %s", stopped ? "NOT PROVEN" : "FAILED", reason);
	if (watchdog_now_read(&now, &err) ||
	    watchdog_record_settle(record, outcome, reason, &now) ||
	    watchdog_record_store(record, &err))
		cli_warn(cli, "the outcome could not be kept: %s",
			 err.text[0] ? err.text : "out of memory");
	output_init(&out, cli);
	outcome_show(&out, record, outcome, reason);
	if (!stopped)
		output_line(&out, STYLE_BAD,
			    "watchdogd pets no longer: restart this machine, then "
			    "look for another device");
	return output_finish(&out, cli, CLI_EXIT_NOT);
}

/* The order was not taken: the record of it must not look like a test that was survived. */
static void record_withdraw(struct cli *cli, const struct watchdog_record *before)
{
	struct err err = { 0 };
	int failed;

	watchdog_alive_remove(before);
	failed = before->object ? watchdog_record_store(before, &err)
				: unlink(before->path) != 0 && errno != ENOENT;

	if (failed)
		cli_warn(cli, "%s: the record of a test that did not take place is still there",
			 before->path);
}

/* Give the order, start the signs of life, and wait for the end. By self a reset comes at once, so
 * the signs count from before the order; by hardware from the answer, before which was the last pet. */
static int order_and_wait(struct cli *cli, struct watch_link *link, enum watch_test by,
			  const struct watchdog_record *before, struct watchdog_record *record,
			  int alive_fd)
{
	mono_t from = clock_now();
	int error = order_give(link, by);
	int status, maybe = error == -ETIMEDOUT || error == -EPIPE || error == -EPROTO;
	pid_t writer;

	if (error && !maybe) {
		cli_warn(cli, "%s", link->why);
		record_withdraw(cli, before);
		return CLI_EXIT_NOT;
	}
	if (by == WATCH_TEST_HARDWARE)
		from = clock_now();
	writer = watchdog_alive_go(alive_fd, record, from);
	if (writer < 0)
		cli_warn(cli, "no signs of life can be kept: %s", strerror(errno));
	if (maybe) {
		/* Without an answer it may have been taken all the same. */
		cli_warn(cli, "%s", link->why);
		cli_warn(cli, "the order may have been taken: this machine may be reset");
		return CLI_EXIT_NOT;
	}
	status = real_end(
		cli, record,
		count_down(mono_add_ms(clock_now(), json_integer_value(json_object_get(
							    record->object, "bound_ms")))));
	/* It is told and written. A writer that hangs with its disk is not waited for. */
	if (writer > 0)
		kill(writer, SIGKILL);
	return status;
}

static int real_run(struct cli *cli, struct watch_link *link, const struct watchdog_view *view,
		    enum watch_test by, const struct watchdog_record *before)
{
	struct watchdog_record record = *before;
	struct watchdog_now now;
	struct err err = { 0 };
	sigset_t signals;
	int alive_fd = -1, status;

	record.object = json_incref(before->object);
	if (watchdog_now_read(&now, &err)) {
		watchdog_record_free(&record);
		return cli_fail(cli, &err);
	}
	if (watchdog_record_begin(&record, view, by, &now))
		return refuse(cli, "out of memory");
	if (watchdog_record_store(&record, &err) == 0) {
		alive_fd = watchdog_alive_begin(&record, &err);
		if (alive_fd < 0)
			record_withdraw(cli, before);
	}
	if (alive_fd < 0) {
		cli_warn(cli, "%s; %s", err.text, err.next);
		watchdog_record_free(&record);
		return refuse(cli, "without a record nothing could be proven");
	}
	/* From here on no key ends it: it must be there to tell of a failure. */
	watchdog_signals_hold(&signals);
	status = order_and_wait(cli, link, by, before, &record, alive_fd);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	close(alive_fd);
	watchdog_record_free(&record);
	return status;
}

/* The conversation, and what comes of it. */
static int real_confirm(struct cli *cli, struct watch_link *link, struct watchdog_view *view,
			enum watch_test by)
{
	struct watchdog_record before;
	struct watchdog_now now;
	char host[HOST_MAX] = "", line[HOST_MAX + 8], reason[REASON_MAX];
	struct err err = { 0 };
	int status = real_check(cli, view, by);

	if (status)
		return status;
	if (gethostname(host, sizeof host - 1) != 0 || !host[0])
		return refuse(cli, "this machine has no name that could be typed");
	/* A file that is no record of ours stops the test before anything is asked. */
	if (watchdog_record_load(&before, cli->dir, &err)) {
		cli_warn(cli, "%s; %s", err.text, err.next);
		return refuse(cli, "without a record nothing could be proven");
	}
	/* An earlier test that nobody has asked about would lose its signs of life. */
	if (before.object && watchdog_now_read(&now, &err) == 0)
		outcome_keep(cli, &before, &now, reason, sizeof reason);
	plan_show(view, host, by);
	if (!ask_line("The exact name of this machine: ", line, sizeof line) ||
	    strcmp(line, host) != 0) {
		status = refuse(cli, "that is not its exact name");
	} else if (watchdog_view_ask(link, view, watch_until_ns(WATCHDOG_ANSWER_MS))) {
		/* The conversation took time. */
		cli_warn(cli, "%s", link->why);
		status = refuse(cli, "watchdogd has gone");
	} else {
		status = real_check(cli, view, by);
		if (!status)
			status = real_run(cli, link, view, by, &before);
	}
	watchdog_record_free(&before);
	return status;
}

int watchdog_real_run(struct cli *cli)
{
	static struct watchdog_view view;
	enum watch_test by = WATCH_TEST_HARDWARE;
	struct watch_link link;
	int error, status;

	if (cli->by && strcmp(cli->by, "self") == 0)
		by = WATCH_TEST_SELF;
	else if (cli->by && strcmp(cli->by, "hardware") != 0)
		return cli_usage(cli, "--by %s: expected hardware or self", cli->by);
	error = watchdog_view_get(&link, &view);
	if (error) {
		cli_warn(cli, "%s; nothing was done", link.why);
		return watchdog_exit_of(error);
	}
	status = real_confirm(cli, &link, &view, by);
	watch_link_close(&link);
	return status;
}
