/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watchdog_test.c - `holdfast watchdog test`: be a client of watchdogd for a moment, and see what it
 * does. Nothing is reset.
 *
 * While it is registered this program is one whose death resets the machine, so it must not be
 * stopped or ended by a key on the terminal: signals wait until it has said goodbye, and what it has
 * to say waits too. The deadline is
 * much longer than the test; the same name may be registered again before it passes.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/watchdog.h"
#include "host/clock.h"
#include "watchdog/client/watchdog.h"

#define CLIENT_NAME "holdfast-test"

enum {
	DEADLINE_MS = 120000,
	STEP_MS = 100,
	PETS_WANTED = 2,
	PETS_WAIT_MAX_MS = 40000, /* longer pet intervals are not waited for */
	PETS_SLACK_MS = 3000,
	TEXT_MAX = 256,
	CHECKS_MAX = WATCHDOG_DEVICES_MAX + 8, /* one a device, and fewer than 8 others */
};

/* ---- what was found ---- */

enum verdict { VERDICT_PASSED, VERDICT_FAILED, VERDICT_LEFT_OUT };

struct check {
	char check[WATCH_PATH_BYTES];
	enum verdict verdict;
	char text[TEXT_MAX];
};

struct test_run {
	struct cli *cli;
	struct output out;
	size_t failed, checks_count;
	struct check checks[CHECKS_MAX];
};

/* Keep it: nothing is written while registered, for a terminal that takes nothing (Ctrl-S) would
 * hold this program until its deadline. */
__attribute__((format(printf, 4, 5))) static void check_note(struct test_run *run,
							     const char *check,
							     enum verdict verdict, const char *fmt,
							     ...)
{
	struct check *found = &run->checks[run->checks_count];
	va_list ap;

	assert(run->checks_count < CHECKS_MAX);
	run->checks_count++;
	found->verdict = verdict;
	snprintf(found->check, sizeof found->check, "%s", check);
	va_start(ap, fmt);
	vsnprintf(found->text, sizeof found->text, fmt, ap);
	va_end(ap);
	run->failed += verdict == VERDICT_FAILED;
}

static void check_show(struct test_run *run, const struct check *found)
{
	static const char *const words[] = { "ok", "FAILED", "left out" };
	static const enum output_style styles[] = { STYLE_GOOD, STYLE_BAD, STYLE_FAINT };
	json_t *object = json_object();

	output_row(&run->out,
		   (struct output_cell[]){ { found->check, STYLE_PLAIN },
					   { words[found->verdict], styles[found->verdict] },
					   { found->text, STYLE_PLAIN } },
		   3);
	object_put_text(&run->out, object, "kind", "check");
	object_put_text(&run->out, object, "check", found->check);
	object_put(&run->out, object, "passed",
		   found->verdict == VERDICT_LEFT_OUT
			   ? json_null()
			   : json_boolean(found->verdict == VERDICT_PASSED));
	object_put_text(&run->out, object, "text", found->text);
	output_object(&run->out, object);
}

/* ---- the checks ---- */

/* Renew and look until it has petted often enough; the last view is kept. */
static int pets_await(struct test_run *run, struct holdfast_watchdog *watchdog,
		      struct watch_link *link, struct watchdog_view *view, uint64_t *renewals)
{
	uint64_t wanted = view->status.pets + PETS_WANTED;
	int64_t wait_ms = (int64_t)PETS_WANTED * view->status.pet_interval_ms + PETS_SLACK_MS;
	mono_t until = mono_add_ms(clock_now(),
				   wait_ms < PETS_WAIT_MAX_MS ? wait_ms : PETS_SLACK_MS);
	struct holdfast_watchdog_terms terms;
	int error;

	while (view->status.pets < wanted && !mono_reached(clock_now(), until)) {
		if (holdfast_watchdog_renew(watchdog, 0, &terms)) {
			check_note(run, "renewal", VERDICT_FAILED, "%s", terms.why);
			return -1;
		}
		++*renewals;
		clock_sleep_until(mono_add_ms(clock_now(), STEP_MS));
		error = watchdog_view_ask(link, view, watch_until_ns(WATCHDOG_ANSWER_MS));
		if (error) {
			check_note(run, "status", VERDICT_FAILED, "%s", link->why);
			return -1;
		}
	}
	return 0;
}

static void pets_check(struct test_run *run, uint64_t before, const struct watch_status *status)
{
	char every[32];
	uint64_t pets = status->pets - before;

	watchdog_seconds(status->pet_interval_ms, every, sizeof every);
	if (pets >= PETS_WANTED)
		check_note(run, "pets", VERDICT_PASSED, "%" PRIu64 " seen, one is due every %s",
			   pets, every);
	else if ((uint64_t)PETS_WANTED * status->pet_interval_ms > PETS_WAIT_MAX_MS - PETS_SLACK_MS)
		check_note(run, "pets", VERDICT_LEFT_OUT, "one is due every %s only", every);
	else
		check_note(run, "pets", VERDICT_FAILED, "%" PRIu64 " seen, one is due every %s",
			   pets, every);
}

static void client_check(struct test_run *run, const struct watchdog_view *view, uint64_t renewals)
{
	for (size_t i = 0; i < view->clients_count; i++) {
		const struct watch_client *client = &view->clients[i];

		if (strcmp(client->name, CLIENT_NAME) != 0)
			continue;
		/* The last one may still be on its way. */
		check_note(run, "renewals",
			   client->renewals + 1 >= renewals && client->connected ? VERDICT_PASSED
										 : VERDICT_FAILED,
			   "%" PRIu64 " sent, %" PRIu64 " taken", renewals, client->renewals);
		return;
	}
	check_note(run, "renewals", VERDICT_FAILED, "watchdogd does not list this client");
}

static void device_check(struct test_run *run, const struct watch_device *device)
{
	char timeout[32], least[32] = "?";

	watchdog_seconds(device->timeout_ms, timeout, sizeof timeout);
	if (device->least_left_ms != UINT32_MAX)
		watchdog_seconds(device->least_left_ms, least, sizeof least);
	if (device->failed)
		check_note(run, device->path, VERDICT_FAILED, "it cannot be petted");
	else if (device->proof == WATCH_PROOF_NONE)
		check_note(run, device->path, VERDICT_FAILED, "%s", device->identity);
	else if (device->counting == 2)
		check_note(run, device->path, VERDICT_LEFT_OUT,
			   "%s proof, timeout %s; its driver does not tell whether it counts",
			   watch_proof_word(device->proof), timeout);
	else
		check_note(run, device->path,
			   device->counting == 1 ? VERDICT_PASSED : VERDICT_FAILED,
			   "%s proof, timeout %s; %s", watch_proof_word(device->proof), timeout,
			   device->counting == 1 ? "counts down and is set back"
						 : "was never seen to count down");
}

static void goodbye_check(struct test_run *run, struct holdfast_watchdog *watchdog,
			  struct watch_link *link, struct watchdog_view *view)
{
	int listed = 0;

	if (holdfast_watchdog_close(watchdog)) {
		check_note(
			run, "goodbye", VERDICT_FAILED,
			"not confirmed: %s; run this test again before %d s have passed, or this "
			"machine is reset",
			strerror(errno), DEADLINE_MS / 1000);
		return;
	}
	if (watchdog_view_ask(link, view, watch_until_ns(WATCHDOG_ANSWER_MS))) {
		check_note(run, "goodbye", VERDICT_FAILED, "%s", link->why);
		return;
	}
	for (size_t i = 0; i < view->clients_count; i++)
		listed |= strcmp(view->clients[i].name, CLIENT_NAME) == 0;
	check_note(run, "goodbye", listed ? VERDICT_FAILED : VERDICT_PASSED, "%s",
		   listed ? "confirmed, but the client is still listed" : "confirmed");
}

static void run_as_client(struct test_run *run, struct watch_link *link, struct watchdog_view *view)
{
	struct holdfast_watchdog_terms terms;
	struct holdfast_watchdog *watchdog;
	uint64_t before = view->status.pets, renewals = 0;
	char bound[32];

	if (holdfast_watchdog_open(CLIENT_NAME, DEADLINE_MS, &watchdog, &terms)) {
		check_note(run, "register", VERDICT_FAILED, "%s", terms.why);
		return;
	}
	watchdog_seconds(terms.bound_ms, bound, sizeof bound);
	check_note(run, "register", VERDICT_PASSED,
		   "as %s, deadline %d s: reset at most %s after its last renewal", CLIENT_NAME,
		   DEADLINE_MS / 1000, bound);
	if (pets_await(run, watchdog, link, view, &renewals) == 0) {
		client_check(run, view, renewals);
		pets_check(run, before, &view->status);
		for (size_t i = 0; i < view->devices_count; i++)
			device_check(run, &view->devices[i]);
	}
	goodbye_check(run, watchdog, link, view);
}

static int test_run_all(struct test_run *run, struct watch_link *link, struct watchdog_view *view)
{
	sigset_t before;

	output_init(&run->out, run->cli);
	watchdog_signals_hold(&before);
	if (view->status.state != WATCH_STATE_PETTING)
		check_note(run, "state", VERDICT_FAILED, "watchdogd pets no longer: %s",
			   watch_state_word(view->status.state));
	else
		run_as_client(run, link, view);
	sigprocmask(SIG_SETMASK, &before, NULL);
	output_begin(&run->out, (const char *const[]){ "CHECK", "RESULT", "WHAT" }, 3);
	for (size_t i = 0; i < run->checks_count; i++)
		check_show(run, &run->checks[i]);
	output_end(&run->out);
	output_line(&run->out, run->failed ? STYLE_BAD : STYLE_GOOD, "%s",
		    run->failed ? "FAILED" : "Passed.");
	output_line(&run->out, STYLE_PLAIN,
		    "That this machine is reset is proven by --for-real alone.");
	return output_finish(&run->out, run->cli, run->failed ? CLI_EXIT_NOT : CLI_EXIT_OK);
}

int watchdog_test_run(struct cli *cli)
{
	static struct watchdog_view view;
	static struct test_run run;
	struct watch_link link;
	int error, status;

	if (cli->args_count)
		return cli_usage(cli, "it takes no argument");
	if (cli->for_real && cli->result)
		return cli_usage(cli, "--for-real or --result, one after the other");
	if (cli->by && !cli->for_real)
		return cli_usage(cli, "--by has a meaning with --for-real alone");
	if (cli->given & OPTION_DIR && !cli->for_real && !cli->result)
		return cli_usage(cli, "--dir has a meaning with --for-real and --result alone");
	if (cli->result)
		return watchdog_result_run(cli);
	if (cli->for_real)
		return watchdog_real_run(cli);
	error = watchdog_view_get(&link, &view);
	if (error) {
		cli_warn(cli, "%s", link.why);
		return watchdog_exit_of(error);
	}
	run.cli = cli;
	status = test_run_all(&run, &link, &view);
	watch_link_close(&link);
	return status;
}
