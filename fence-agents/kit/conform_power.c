/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conform_power.c - checks that switch the plug, and the sums over all runs.
 *
 * The order matters: each check leaves the plug as the next one expects it, but none relies on
 * that; power_ensure() looks first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fence-agents/kit/conform_json.h"
#include "fence-agents/kit/conform_run.h"

/* A moment at which an agent that keeps its delay has not begun to switch. */
enum { DELAYED_MS = 700 };

static int act(struct conform *conform, const char *action, enum conform_expect expect, char *why,
	       size_t size)
{
	return shot_expect(conform, &(struct shot_spec){ .action = action }, expect, why, size);
}

int power_reads(struct conform *conform, int on, char *why, size_t size)
{
	return conform->manual ||
	       act(conform, "status", on ? CONFORM_EXPECT_ON : CONFORM_EXPECT_OFF, why, size);
}

int power_ensure(struct conform *conform, int on, char *why, size_t size)
{
	if (conform->manual)
		return conform->manual_on == on ||
		       act(conform, on ? "on" : "off", CONFORM_EXPECT_OK, why, size);
	if (power_reads(conform, on, why, size))
		return 1;
	act(conform, on ? "on" : "off", CONFORM_EXPECT_OK, why, size);
	return power_reads(conform, on, why, size);
}

/* The same for a check that cannot be run otherwise: `off` and `on` have checks of their own. */
static int is_brought(struct conform *conform, int on, char *happened, size_t size)
{
	if (power_ensure(conform, on, happened, size)) {
		happened[0] = '\0';
		return 1;
	}
	snprintf(happened, size, "the plug cannot be turned %s first", on ? "on" : "off");
	return 0;
}

static int off_works(struct conform *conform, char *happened, size_t size)
{
	if (!is_brought(conform, 1, happened, size))
		return -1;
	return act(conform, "off", CONFORM_EXPECT_OK, happened, size);
}

static int off_reads(struct conform *conform, char *happened, size_t size)
{
	return power_reads(conform, 0, happened, size);
}

static int off_again(struct conform *conform, char *happened, size_t size)
{
	if (!is_brought(conform, 0, happened, size))
		return -1;
	return act(conform, "off", CONFORM_EXPECT_OK, happened, size) &&
	       power_reads(conform, 0, happened, size);
}

static int off_monitor(struct conform *conform, char *happened, size_t size)
{
	if (!is_brought(conform, 0, happened, size))
		return -1;
	return act(conform, "monitor", CONFORM_EXPECT_OK, happened, size);
}

static int off_listed(struct conform *conform, char *happened, size_t size)
{
	char why[300], state;

	if (!is_brought(conform, 0, happened, size))
		return -1;
	if (!act(conform, "list-status", CONFORM_EXPECT_OK, happened, size))
		return 0;
	if (!conform_list_judge(conform->shot.seen.out, conform->shot.seen.out_bytes, 1,
				conform->plug, &state, why, sizeof why)) {
		snprintf(happened, size, "%s: %s", conform->shot.what, why);
		return 0;
	}
	if (state == '0')
		return 1;
	snprintf(happened, size, "list-status says %s of the plug that is off",
		 state == '1' ? "ON" : "UNKNOWN");
	return 0;
}

static int on_works(struct conform *conform, char *happened, size_t size)
{
	if (!is_brought(conform, 0, happened, size))
		return -1;
	return act(conform, "on", CONFORM_EXPECT_OK, happened, size);
}

static int on_reads(struct conform *conform, char *happened, size_t size)
{
	return power_reads(conform, 1, happened, size);
}

static int on_again(struct conform *conform, char *happened, size_t size)
{
	if (!is_brought(conform, 1, happened, size))
		return -1;
	return act(conform, "on", CONFORM_EXPECT_OK, happened, size) &&
	       power_reads(conform, 1, happened, size);
}

static int reboot_works(struct conform *conform, char *happened, size_t size)
{
	if (!is_brought(conform, 1, happened, size))
		return -1;
	return act(conform, "reboot", CONFORM_EXPECT_OK, happened, size) &&
	       power_reads(conform, 1, happened, size);
}

/* Only the power cut between off and on stops a machine; a result of the SDK says so of itself, an
 * agent of others is watched by a second one. */
static int reboot_cuts(struct conform *conform, char *happened, size_t size)
{
	if (!is_brought(conform, 1, happened, size))
		return -1;
	shot_run(conform, &(struct shot_spec){ .action = "reboot", .sample_off = 1 });
	if (conform->off_seen)
		return 1;
	snprintf(happened, size,
		 "%s: no off phase was seen; raise power_wait or look at the device",
		 conform->shot.what);
	return 0;
}

/* Whether a human switches on again, and when, is not the agent's to wait for. */
static int reboot_asks(struct conform *conform, char *happened, size_t size)
{
	if (!is_brought(conform, 1, happened, size))
		return -1;
	return act(conform, "reboot", CONFORM_EXPECT_OK, happened, size);
}

static int reboot_from_off(struct conform *conform, char *happened, size_t size)
{
	if (!is_brought(conform, 0, happened, size))
		return -1;
	return act(conform, "reboot", CONFORM_EXPECT_OK, happened, size) &&
	       power_reads(conform, 1, happened, size);
}

/* What list-status says, copied; NULL when it does not work or is no list of this plug. */
static char *list_take(struct conform *conform, size_t *bytes)
{
	const struct conform_seen *seen = &conform->shot.seen;
	char why[300], state, *copy = NULL;

	if (act(conform, "list-status", CONFORM_EXPECT_OK, why, sizeof why) &&
	    conform_list_judge(seen->out, seen->out_bytes, 1, conform->plug, &state, why,
			       sizeof why))
		copy = strdup(seen->out);
	*bytes = copy ? strlen(copy) : 0;
	return copy;
}

/* Switching one plug leaves the others as they are. Off and on are both tried, so that it does not
 * matter in which state the others are. */
static int others_stay(struct conform *conform, char *happened, size_t size)
{
	static const char *const actions[] = { "off", "on", "reboot" };
	char why[300], *before, *after;
	size_t before_bytes, after_bytes, others = 0;
	int changed = 0, met = -1;

	if (!is_brought(conform, 1, happened, size))
		return -1;
	before = list_take(conform, &before_bytes);
	for (size_t i = 0; i < sizeof actions / sizeof actions[0] && before && !changed; i++) {
		if (!conform_action_declared(&conform->metadata, actions[i]))
			continue;
		shot_run(conform, &(struct shot_spec){ .action = actions[i] });
		after = list_take(conform, &after_bytes);
		changed = after && conform_list_changed(before, before_bytes, after, after_bytes,
							conform->plug, &others, why, sizeof why);
		if (changed)
			snprintf(happened, size, "action=%s: %s", actions[i], why);
		free(after);
		if (!after || others == 0)
			break;
		met = !changed;
	}
	free(before);
	if (met < 0)
		snprintf(happened, size, "list-status shows no state of another plug");
	return met;
}

/* A request that must fail, and must leave the plug on. */
static int refused(struct conform *conform, const struct shot_spec *spec, char *happened,
		   size_t size)
{
	char why[300], what[320];

	if (!is_brought(conform, 1, happened, size))
		return -1;
	if (!shot_expect(conform, spec, CONFORM_EXPECT_FAIL, happened, size))
		return 0;
	snprintf(what, sizeof what, "%s", conform->shot.what);
	if (power_reads(conform, 1, why, sizeof why))
		return 1;
	snprintf(happened, size, "%s: failed, but the plug no longer is on", what);
	return 0;
}

static int unknown_plug_refused(struct conform *conform, const char *action, char *happened,
				size_t size)
{
	int met = 1;

	for (size_t i = 0; i < conform->absent_count && met > 0; i++)
		met = refused(conform,
			      &(struct shot_spec){ .action = action,
						   .edits = { { "plug", conform->absent[i] } } },
			      happened, size);
	return met;
}

static int off_unknown_plug(struct conform *conform, char *happened, size_t size)
{
	return unknown_plug_refused(conform, "off", happened, size);
}

static int reboot_unknown_plug(struct conform *conform, char *happened, size_t size)
{
	return unknown_plug_refused(conform, "reboot", happened, size);
}

static int off_missing_plug(struct conform *conform, char *happened, size_t size)
{
	return refused(conform,
		       &(struct shot_spec){ .action = "off", .edits = { { "plug", NULL } } },
		       happened, size);
}

static int off_bad_credentials(struct conform *conform, char *happened, size_t size)
{
	const char *name = conform_given(conform, "password") ? "password" : "community";

	return refused(conform,
		       &(struct shot_spec){ .action = "off",
					    .edits = { { name, credential_wrong } },
					    .canary = credential_wrong },
		       happened, size);
}

static int off_dead_device(struct conform *conform, char *happened, size_t size)
{
	return refused(conform,
		       &(struct shot_spec){ .action = "off",
					    .edits = { { "ip", "127.0.0.1" },
						       { "ipport", conform->closed_port },
						       { "login_timeout", "1" },
						       { "shell_timeout", "1" },
						       { "power_timeout", "1" } } },
		       happened, size);
}

static int delay_ends(struct conform *conform, char *happened, size_t size)
{
	char why[300];

	if (!is_brought(conform, 1, happened, size))
		return -1;
	shot_run(conform, &(struct shot_spec){ .action = "off",
					       .edits = { { "delay", "60" } },
					       .timeout_ms = DELAYED_MS });
	if (!conform->shot.seen.timed_out)
		snprintf(happened, size, "%s: it ended after %d ms", conform->shot.what,
			 (int)conform->shot.took_ms);
	else if (conform->shot.killed)
		snprintf(happened, size, "%s: SIGTERM did not end it within %d ms, SIGKILL had to",
			 conform->shot.what, CHILD_GRACE_MS);
	else if (!power_reads(conform, 1, why, sizeof why))
		snprintf(happened, size, "off with delay=60 switched at once, or when ended");
	return happened[0] == '\0';
}

static int native_json_power(struct conform *conform, char *happened, size_t size)
{
	static const char *const actions[] = { "off", "off", "on", "reboot", "on" };
	char why[200];

	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
		if (!conform_action_declared(&conform->metadata, actions[i]))
			continue;
		shot_run(conform,
			 &(struct shot_spec){ .action = actions[i], .edits = { { "json", "1" } } });
		if (conform_json_judge(actions[i], &conform->shot.seen, why, sizeof why) &&
		    conform->shot.seen.exit_status == 0)
			continue;
		snprintf(happened, size, "%s: exit status %d; %s", conform->shot.what,
			 conform->shot.seen.exit_status, why);
		return 0;
	}
	return 1;
}

const struct check power_checks[] = {
	{ "off", "switching", "off ends with 0", CONFORM_MUST, NEED_STATE | NEED_REAL, "off",
	  off_works },
	{ "off-status", "switching", "after off, status ends with 2", CONFORM_MUST,
	  NEED_STATE | NEED_READ | NEED_REAL, "off", off_reads },
	{ "off-again", "switching", "off of a plug that is off ends with 0", CONFORM_MUST,
	  NEED_STATE | NEED_REAL, "off", off_again },
	{ "off-monitor", "switching", "monitor ends with 0 while the plug is off (Pacemaker)",
	  CONFORM_MUST, NEED_STATE | NEED_REAL, "off", off_monitor },
	{ "off-list", "switching", "list-status says OFF of a plug that is off", CONFORM_SHOULD,
	  NEED_STATE | NEED_READ | NEED_REAL | NEED_PLUG, "list-status", off_listed },
	{ "on", "switching", "on ends with 0", CONFORM_MUST, NEED_STATE | NEED_REAL, "on",
	  on_works },
	{ "on-status", "switching", "after on, status ends with 0", CONFORM_MUST,
	  NEED_STATE | NEED_READ | NEED_REAL, "on", on_reads },
	{ "on-again", "switching", "on of a plug that is on ends with 0", CONFORM_MUST,
	  NEED_STATE | NEED_REAL, "on", on_again },
	{ "reboot", "switching", "reboot ends with 0, and the plug is on", CONFORM_MUST,
	  NEED_STATE | NEED_READ | NEED_REAL, "reboot", reboot_works },
	{ "reboot-cut", "switching", "while reboot is under way, status reads off at some time",
	  CONFORM_SHOULD, NEED_STATE | NEED_READ | NEED_REAL | NEED_FOREIGN, "reboot",
	  reboot_cuts },
	{ "reboot-unread", "switching",
	  "reboot of an agent of class manual ends with 0 once a human has acknowledged it",
	  CONFORM_MUST, NEED_STATE | NEED_REAL | NEED_MANUAL, "reboot", reboot_asks },
	{ "reboot-off", "switching", "reboot of a plug that is off turns it on", CONFORM_SHOULD,
	  NEED_STATE | NEED_READ | NEED_REAL, "reboot", reboot_from_off },
	{ "other-plugs", "switching", "off, on and reboot change no other plug", CONFORM_MUST,
	  NEED_STATE | NEED_READ | NEED_REAL | NEED_PLUG, "list-status", others_stay },
	{ "off-plug-unknown", "refusing", "off of a plug that is not there fails (rule S1)",
	  CONFORM_MUST, NEED_STATE | NEED_REAL | NEED_PLUG, "off", off_unknown_plug },
	{ "reboot-plug-unknown", "refusing", "reboot of a plug that is not there fails (rule S1)",
	  CONFORM_MUST, NEED_STATE | NEED_REAL | NEED_PLUG, "reboot", reboot_unknown_plug },
	{ "off-plug-missing", "refusing", "off without a plug fails and switches nothing",
	  CONFORM_MUST, NEED_STATE | NEED_REAL | NEED_PLUG, "off", off_missing_plug },
	{ "off-bad-credentials", "refusing",
	  "off with wrong credentials fails and switches nothing", CONFORM_MUST,
	  NEED_STATE | NEED_REAL | NEED_LOGIN, "off", off_bad_credentials },
	{ "off-device-dead", "refusing", "off of a device that is not there fails", CONFORM_MUST,
	  NEED_STATE | NEED_REAL | NEED_IP | NEED_PORT, "off", off_dead_device },
	{ "delay", "process", "off with delay=60 waits, and SIGTERM ends it before it switches",
	  CONFORM_SHOULD, NEED_STATE | NEED_READ | NEED_REAL, "off", delay_ends },
	{ "json-switching", "holdfast", "off, on and reboot with json=1 give results that agree",
	  CONFORM_HOLDFAST, NEED_STATE | NEED_REAL | NEED_NATIVE, "off", native_json_power },
	{ .id = NULL },
};

/* ---- what has to hold of every run ---- */

static int watch_result(const struct watch *watch, const char *nothing, char *happened, size_t size)
{
	snprintf(happened, size, "%s", watch->looked == 0 ? nothing : watch->text);
	if (watch->looked == 0)
		return -1;
	return !watch->broken;
}

static int watch_silent(struct conform *conform, char *happened, size_t size)
{
	return watch_result(&conform->silent, "it never failed", happened, size);
}

static int watch_stray(struct conform *conform, char *happened, size_t size)
{
	return watch_result(&conform->stray, "it was never run", happened, size);
}

static int watch_shown(struct conform *conform, char *happened, size_t size)
{
	return watch_result(&conform->shown, "no secret was given that is long enough to look for",
			    happened, size);
}

static int watch_printed(struct conform *conform, char *happened, size_t size)
{
	/* The one run that is meant to talk. */
	if (conform->state_known && conform_parameter_find(&conform->metadata, "verbose"))
		shot_run(conform, &(struct shot_spec){ .action = "status",
						       .edits = { { "verbose", "1" } } });
	return watch_result(&conform->printed,
			    "no secret was given that is long enough to look for", happened, size);
}

const struct check watch_checks[] = {
	{ "failure-stderr", "process",
	  "each failure prints a line on stderr (Pacemaker reports \"No data available\" else)",
	  CONFORM_MUST, 0, NULL, watch_silent },
	{ "no-stray", "process", "no process of it is left when it has ended", CONFORM_MUST, 0,
	  NULL, watch_stray },
	{ "secret-argv", "process", "no secret is in the arguments of any process", CONFORM_SHOULD,
	  0, NULL, watch_shown },
	{ "secret-output", "process", "no secret is printed, verbose=1 included", CONFORM_SHOULD, 0,
	  NULL, watch_printed },
	{ .id = NULL },
};
