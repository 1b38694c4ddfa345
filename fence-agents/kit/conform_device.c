/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conform_device.c - checks that ask a device and switch nothing: reading states, lists,
 * credentials and devices that do not answer.
 *
 * A device that is dead and one that is silent are played by the kit itself, on loopback ports.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fence-agents/kit/conform_json.h"
#include "fence-agents/kit/conform_run.h"

enum {
	/* With the small timeouts below, an agent is at its end long before. */
	SILENT_MS = 30000,
	/* A moment at which an agent waits for a silent device. */
	WAITING_MS = 700,
};

#define SILENT_EDITS                                                                               \
	{ "login_timeout", "1" }, { "shell_timeout", "1" }, { "power_timeout", "1" },              \
	{                                                                                          \
		"retry_on", "1"                                                                    \
	}

/* ---- reading ---- */

static int status_works(struct conform *conform, char *happened, size_t size)
{
	return shot_expect(conform, &(struct shot_spec){ .action = "status" }, CONFORM_EXPECT_STATE,
			   happened, size);
}

/* Whoever takes no answer for "off" would recover a machine that nobody has looked at. */
static int status_unread(struct conform *conform, char *happened, size_t size)
{
	return shot_expect(conform, &(struct shot_spec){ .action = "status" },
			   CONFORM_EXPECT_NO_STATE, happened, size);
}

static int status_prints(struct conform *conform, char *happened, size_t size)
{
	int said;

	if (!status_works(conform, happened, size))
		return 0;
	said = conform_status_said(conform->shot.seen.out, conform->shot.seen.out_bytes);
	if (said == (conform->shot.seen.exit_status == 0))
		return 1;
	snprintf(happened, size, "exit status %d, stdout says \"%s\"",
		 conform->shot.seen.exit_status,
		 said < 0 ? ""
		 : said	  ? "Status: ON"
			  : "Status: OFF");
	return 0;
}

static int monitor_works(struct conform *conform, char *happened, size_t size)
{
	return shot_expect(conform, &(struct shot_spec){ .action = "monitor" }, CONFORM_EXPECT_OK,
			   happened, size);
}

static int list_judge(struct conform *conform, const char *action, int with_state, char *happened,
		      size_t size)
{
	char why[300], state;
	int given = conform->info.takes_plug && conform->plug;

	if (!shot_expect(conform, &(struct shot_spec){ .action = action }, CONFORM_EXPECT_OK,
			 happened, size))
		return 0;
	/* An agent of one plug has nothing to list, and says so with N/A or a note. */
	if (!given)
		return 1;
	if (conform_list_judge(conform->shot.seen.out, conform->shot.seen.out_bytes, with_state,
			       conform->plug, &state, why, sizeof why))
		return 1;
	snprintf(happened, size, "%s: %s", conform->shot.what, why);
	return 0;
}

static int list_works(struct conform *conform, char *happened, size_t size)
{
	return list_judge(conform, "list", 0, happened, size);
}

static int list_status_works(struct conform *conform, char *happened, size_t size)
{
	return list_judge(conform, "list-status", 1, happened, size);
}

static int validate_works(struct conform *conform, char *happened, size_t size)
{
	return shot_expect(conform, &(struct shot_spec){ .action = "validate-all" },
			   CONFORM_EXPECT_OK, happened, size);
}

/* The device is replaced by one that would refuse any connection. */
static int validate_offline(struct conform *conform, char *happened, size_t size)
{
	return shot_expect(conform,
			   &(struct shot_spec){ .action = "validate-all",
						.edits = { { "ip", "127.0.0.1" },
							   { "ipport", conform->closed_port } } },
			   CONFORM_EXPECT_OK, happened, size);
}

/* ---- input rules that need a device ---- */

static int argv_status(struct conform *conform, char *happened, size_t size)
{
	if (conform->secrets_count > 0) {
		snprintf(happened, size,
			 "the options hold a secret, which belongs on no command line");
		return -1;
	}
	return shot_ask(conform, &(struct shot_spec){ .by_argv = 1 }, happened, size);
}

/* Underscores of option names become dashes. */
static int input_dashes(struct conform *conform, char *happened, size_t size)
{
	struct shot_spec spec = { 0 };
	const struct conform_options *options = conform->options;
	char names[64], *at;

	for (size_t i = 0; i < options->pairs_count; i++) {
		if (!strchr(options->pairs[i].key, '_') ||
		    conform_option_is_secret(options->pairs[i].key))
			continue;
		snprintf(names, sizeof names, "%s", options->pairs[i].key);
		for (at = names; *at; at++)
			if (*at == '_')
				*at = '-';
		spec.edits[0] = (struct shot_edit){ names, options->pairs[i].value };
		return shot_ask(conform, &spec, happened, size);
	}
	snprintf(happened, size, "no option with _ in its name was given");
	return -1;
}

/* The plug under another of its names. */
static int plug_named(struct conform *conform, const char *name, char *happened, size_t size)
{
	return shot_ask(conform, &(struct shot_spec){ .edits = { { name, conform->plug } } },
			happened, size);
}

static int input_plug(struct conform *conform, char *happened, size_t size)
{
	return plug_named(conform, "plug", happened, size);
}

static int input_port(struct conform *conform, char *happened, size_t size)
{
	return plug_named(conform, "port", happened, size);
}

/* Pacemaker adds it to every request. */
static int input_nodename(struct conform *conform, char *happened, size_t size)
{
	return shot_ask(conform, &(struct shot_spec){ .edits = { { "nodename", "some-node" } } },
			happened, size);
}

static size_t lines_count(const char *text, size_t bytes)
{
	size_t lines = 0;

	for (size_t i = 0; i < bytes; i++)
		lines += text[i] == '\n';
	return lines;
}

/* quiet=0 and verbose=0 must be as if they were not there: compare how much is printed. */
static int input_boolean(struct conform *conform, char *happened, size_t size)
{
	static const char *const names[] = { "quiet", "verbose" };
	size_t tried = 0;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const struct shot_edit without = { names[i], NULL }, zero = { names[i], "0" };
		size_t out, err;

		if (!conform_parameter_find(&conform->metadata, names[i]))
			continue;
		tried++;
		if (!shot_ask(conform, &(struct shot_spec){ .edits = { without } }, happened, size))
			return 0;
		out = lines_count(conform->shot.seen.out, conform->shot.seen.out_bytes);
		err = lines_count(conform->shot.seen.err, conform->shot.seen.err_bytes);
		if (!shot_ask(conform, &(struct shot_spec){ .edits = { zero } }, happened, size))
			return 0;
		if (out == lines_count(conform->shot.seen.out, conform->shot.seen.out_bytes) &&
		    err == lines_count(conform->shot.seen.err, conform->shot.seen.err_bytes))
			continue;
		snprintf(happened, size, "%s: prints another number of lines than without %s",
			 conform->shot.what, names[i]);
		return 0;
	}
	if (tried == 0)
		snprintf(happened, size, "neither quiet nor verbose is declared");
	return tried > 0 ? 1 : -1;
}

/* ---- things that must not succeed ---- */

static int unknown_plug(struct conform *conform, char *happened, size_t size)
{
	for (size_t i = 0; i < conform->absent_count; i++) {
		if (shot_expect(conform,
				&(struct shot_spec){ .action = "status",
						     .edits = { { "plug", conform->absent[i] } } },
				CONFORM_EXPECT_NO_STATE, happened, size))
			continue;
		/* It may mean an outlet that somebody needs: nothing close to the plug is switched. */
		conform->absent_count = ABSENT_FIXED;
		return 0;
	}
	return 1;
}

static int missing_plug(struct conform *conform, char *happened, size_t size)
{
	return shot_expect(conform,
			   &(struct shot_spec){ .action = "status", .edits = { { "plug", NULL } } },
			   CONFORM_EXPECT_NO_STATE, happened, size);
}

/* The given credential that opens the device: what to make wrong. */
static const char *credential(const struct conform *conform)
{
	static const char *const names[] = { "password", "password_file", "password_script",
					     "community", "username" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (conform_given(conform, names[i]))
			return names[i];
	return NULL;
}

static int bad_credentials(struct conform *conform, char *happened, size_t size)
{
	const char *name = credential(conform);
	struct shot_spec spec = { .action = "status", .canary = credential_wrong };

	if (!name) {
		snprintf(happened, size, "no password, community or username was given");
		return -1;
	}
	if (strncmp(name, "password_", 9) == 0) {
		spec.edits[0] = (struct shot_edit){ name, NULL };
		spec.edits[1] = (struct shot_edit){ "password", credential_wrong };
	} else {
		spec.edits[0] = (struct shot_edit){ name, credential_wrong };
	}
	if (strcmp(name, "username") == 0)
		spec.canary = NULL;
	return shot_expect(conform, &spec, CONFORM_EXPECT_NO_STATE, happened, size);
}

static int dead_device(struct conform *conform, char *happened, size_t size)
{
	return shot_expect(conform,
			   &(struct shot_spec){ .action = "status",
						.edits = { { "ip", "127.0.0.1" },
							   { "ipport", conform->closed_port },
							   SILENT_EDITS } },
			   CONFORM_EXPECT_NO_STATE, happened, size);
}

static struct shot_spec silent_spec(const struct conform *conform, int64_t timeout_ms)
{
	struct shot_spec spec = {
		.action = "status",
		.timeout_ms = timeout_ms,
		.edits = { { "ip", "127.0.0.1" }, { "ipport", conform->hole_port }, SILENT_EDITS }
	};
	const char *name = credential(conform);

	/* Long enough under way to be looked at; a password of our own cannot be there by chance. */
	if (name && strcmp(name, "password") == 0) {
		spec.edits[6] = (struct shot_edit){ "password", credential_wrong };
		spec.canary = credential_wrong;
	}
	return spec;
}

static int silent_device(struct conform *conform, char *happened, size_t size)
{
	struct shot_spec spec = silent_spec(conform, 0);

	if (conform->options->timeout_ms > SILENT_MS)
		spec.timeout_ms = SILENT_MS;
	return shot_expect(conform, &spec, CONFORM_EXPECT_NO_STATE, happened, size);
}

static int ends_at_sigterm(struct conform *conform, char *happened, size_t size)
{
	struct shot_spec spec = silent_spec(conform, WAITING_MS);

	for (size_t i = 0; i < SHOT_EDITS_MAX && spec.edits[i].key; i++)
		if (strstr(spec.edits[i].key, "timeout"))
			spec.edits[i].value = "60";
	shot_run(conform, &spec);
	if (!conform->shot.seen.timed_out) {
		snprintf(happened, size, "%s: it ended by itself after %d ms", conform->shot.what,
			 (int)conform->shot.took_ms);
		return -1;
	}
	if (!conform->shot.killed)
		return 1;
	snprintf(happened, size, "%s: SIGTERM did not end it within %d ms, SIGKILL had to",
		 conform->shot.what, CHILD_GRACE_MS);
	return 0;
}

/* ---- agents made with the SDK ---- */

static int native_probe(struct conform *conform, char *happened, size_t size)
{
	int first, second;

	if (!status_works(conform, happened, size))
		return 0;
	first = conform->shot.seen.exit_status;
	if (!shot_expect(conform, &(struct shot_spec){ .action = "probe" }, CONFORM_EXPECT_OK,
			 happened, size) ||
	    !status_works(conform, happened, size))
		return 0;
	second = conform->shot.seen.exit_status;
	if (first != second)
		snprintf(happened, size, "status gave %d before probe and %d after it", first,
			 second);
	return first == second;
}

static int native_json(struct conform *conform, char *happened, size_t size)
{
	static const struct {
		const char *action, *plug;
	} asked[] = {
		{ "status", NULL },
		{ "monitor", NULL },
		{ "validate-all", NULL },
		{ "probe", NULL },
		{ "list", NULL },
		{ "list-status", NULL },
		{ "status", "holdfast-no-such-plug" },
		{ "off", "holdfast-no-such-plug" },
	};
	char why[200];

	for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
		struct shot_spec spec = { .action = asked[i].action, .edits = { { "json", "1" } } };

		if (asked[i].plug) {
			if (!conform->plug || !conform->options->for_real)
				continue;
			spec.edits[1] = (struct shot_edit){ "plug", asked[i].plug };
		} else if (!conform_action_declared(&conform->metadata, asked[i].action)) {
			continue;
		}
		shot_run(conform, &spec);
		if (conform_json_judge(asked[i].action, &conform->shot.seen, why, sizeof why))
			continue;
		snprintf(happened, size, "%s: %s", conform->shot.what, why);
		return 0;
	}
	return 1;
}

const struct check device_checks[] = {
	{ "status", "reading", "status ends with 0 (on) or 2 (off)", CONFORM_MUST,
	  NEED_DEVICE | NEED_READ, NULL, status_works },
	{ "status-unread", "reading",
	  "status of an agent of class manual fails: there is nothing to read (rule S1)",
	  CONFORM_MUST, NEED_DEVICE | NEED_MANUAL, NULL, status_unread },
	{ "status-output", "reading", "status prints \"Status: ON\" or \"Status: OFF\" to match",
	  CONFORM_SHOULD, NEED_STATE | NEED_READ, NULL, status_prints },
	{ "monitor", "reading", "monitor ends with 0 (Pacemaker)", CONFORM_MUST, NEED_STATE, NULL,
	  monitor_works },
	{ "list", "reading", "list prints PLUG,ALIAS lines, the given plug among them",
	  CONFORM_MUST, NEED_STATE, "list", list_works },
	{ "list-status", "reading", "list-status prints PLUG,ALIAS,STATE lines", CONFORM_SHOULD,
	  NEED_STATE, "list-status", list_status_works },
	{ "validate-all", "reading", "validate-all accepts the options", CONFORM_MUST, NEED_STATE,
	  "validate-all", validate_works },
	{ "validate-offline", "reading", "validate-all needs no connection", CONFORM_SHOULD,
	  NEED_STATE | NEED_IP | NEED_PORT, "validate-all", validate_offline },
	{ "argv-status", "input", "the same options work on the command line", CONFORM_MUST,
	  NEED_STATE | NEED_ASK, NULL, argv_status },
	{ "input-dashes", "input", "- and _ in option names are equal", CONFORM_SHOULD,
	  NEED_STATE | NEED_ASK, NULL, input_dashes },
	{ "input-plug", "input", "the plug may be called plug (Pacemaker from 2.1.6 on)",
	  CONFORM_MUST, NEED_STATE | NEED_ASK | NEED_PLUG, NULL, input_plug },
	{ "input-port", "input", "the plug may be called port (Pacemaker up to 2.1.5)",
	  CONFORM_MUST, NEED_STATE | NEED_ASK | NEED_PLUG, NULL, input_port },
	{ "input-nodename", "input", "nodename beside the plug does no harm (Pacemaker sends it)",
	  CONFORM_MUST, NEED_STATE | NEED_ASK, NULL, input_nodename },
	{ "input-boolean", "input", "quiet=0 and verbose=0 are false", CONFORM_SHOULD,
	  NEED_STATE | NEED_ASK, NULL, input_boolean },
	{ "plug-unknown", "refusing", "status of a plug that is not there fails (rule S1)",
	  CONFORM_MUST, NEED_STATE | NEED_READ | NEED_PLUG, NULL, unknown_plug },
	{ "plug-missing", "refusing", "status without a plug fails", CONFORM_MUST,
	  NEED_STATE | NEED_READ | NEED_PLUG, NULL, missing_plug },
	{ "bad-credentials", "refusing", "status with wrong credentials fails", CONFORM_MUST,
	  NEED_STATE | NEED_READ, NULL, bad_credentials },
	{ "device-dead", "refusing", "status of a device that is not there fails", CONFORM_MUST,
	  NEED_STATE | NEED_READ | NEED_IP, NULL, dead_device },
	{ "device-silent", "refusing",
	  "with timeouts of 1 s, status of a device that never answers fails within 30 s",
	  CONFORM_SHOULD, NEED_STATE | NEED_READ | NEED_IP | NEED_PORT, NULL, silent_device },
	{ "sigterm", "process", "SIGTERM ends it while it waits for the device (fencer)",
	  CONFORM_SHOULD, NEED_STATE | NEED_IP | NEED_PORT, NULL, ends_at_sigterm },
	{ "probe", "holdfast", "probe works and changes nothing", CONFORM_HOLDFAST,
	  NEED_STATE | NEED_READ | NEED_NATIVE, "probe", native_probe },
	{ "json", "holdfast", "json=1 gives the result of docs/agent-result.md for every action",
	  CONFORM_HOLDFAST, NEED_STATE | NEED_NATIVE, NULL, native_json },
	{ .id = NULL },
};
