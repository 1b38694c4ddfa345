/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conform_input.c - checks of metadata, and of how options and actions are read.
 *
 * A request without a usable action is the most dangerous thing that can happen to an agent: many
 * take it for "reboot". Without permission to switch it is sent with no other option, and only
 * to agents that then have nothing to act upon; with it, also with all options of the device,
 * once while the plug is on and once while it is off, so that a reboot cannot hide.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fence-agents/kit/conform_run.h"

/* Pacemaker gives up on metadata after this long. */
enum { METADATA_MS = 10000 };

/* ---- metadata ---- */

static int metadata_exit(struct conform *conform, char *happened, size_t size)
{
	return shot_expect(
		conform,
		&(struct shot_spec){ .action = "metadata", .bare = 1, .timeout_ms = METADATA_MS },
		CONFORM_EXPECT_OK, happened, size);
}

static int metadata_xml(struct conform *conform, char *happened, size_t size)
{
	if (!conform_is_xml_only(conform->metadata_text, conform->metadata_bytes, happened, size))
		return 0;
	if (!conform->has_metadata)
		snprintf(happened, size, "%s", conform->info.problem);
	return conform->has_metadata;
}

static int metadata_schema(struct conform *conform, char *happened, size_t size)
{
	snprintf(happened, size, "%s", conform->info.problem);
	return conform->info.valid;
}

static int metadata_name(struct conform *conform, char *happened, size_t size)
{
	const struct conform_metadata *metadata = &conform->metadata;
	const char *file = strrchr(conform->options->path, '/') + 1;

	if (strcmp(metadata->name, file) == 0)
		return 1;
	for (size_t i = 0; i < metadata->symlinks_count; i++)
		if (strcmp(metadata->symlinks[i], file) == 0)
			return 1;
	snprintf(happened, size, "the program is %s, its metadata says \"%s\"", file,
		 metadata->name);
	return 0;
}

/* Names of the list that are not declared, joined. Returns whether there are none. */
static int actions_declared(const struct conform *conform, const char *const *names, char *happened,
			    size_t size)
{
	size_t length;

	snprintf(happened, size, "not declared:");
	length = strlen(happened);
	for (; *names; names++)
		if (!conform_action_declared(&conform->metadata, *names))
			snprintf(happened + strlen(happened), size - strlen(happened), " %s",
				 *names);
	if (happened[length])
		return 0;
	happened[0] = '\0';
	return 1;
}

static int metadata_actions(struct conform *conform, char *happened, size_t size)
{
	static const char *const names[] = { "off", "monitor", "metadata", NULL };

	return actions_declared(conform, names, happened, size);
}

static int metadata_more_actions(struct conform *conform, char *happened, size_t size)
{
	static const char *const with_list[] = { "on",		 "reboot", "status",
						 "validate-all", "list",   NULL };
	static const char *const without[] = { "on", "reboot", "status", "validate-all", NULL };

	return actions_declared(conform, conform->info.takes_plug ? with_list : without, happened,
				size);
}

static int metadata_no_default(struct conform *conform, char *happened, size_t size)
{
	const struct conform_parameter *action = conform_parameter_find(&conform->metadata,
									"action");

	if (!action || !action->def || !action->def[0])
		return 1;
	snprintf(happened, size,
		 "the parameter action has the default \"%s\": a request that lost its action is "
		 "carried out",
		 action->def);
	return 0;
}

static int metadata_same(struct conform *conform, const struct shot_spec *spec, char *happened,
			 size_t size)
{
	if (!shot_expect(conform, spec, CONFORM_EXPECT_OK, happened, size))
		return 0;
	if (conform->shot.seen.out_bytes == conform->metadata_bytes &&
	    memcmp(conform->shot.seen.out, conform->metadata_text, conform->metadata_bytes) == 0)
		return 1;
	snprintf(happened, size, "%s: stdout is not what action=metadata prints",
		 conform->shot.what);
	return 0;
}

static int metadata_argv(struct conform *conform, char *happened, size_t size)
{
	return metadata_same(
		conform,
		&(struct shot_spec){
			.action = "metadata", .by_argv = 1, .bare = 1, .timeout_ms = METADATA_MS },
		happened, size);
}

static int metadata_alias(struct conform *conform, char *happened, size_t size)
{
	return metadata_same(
		conform,
		&(struct shot_spec){ .action = "meta-data", .bare = 1, .timeout_ms = METADATA_MS },
		happened, size);
}

/* ---- requests without a usable action ---- */

static const struct shot_spec input_specs[INPUTS] = {
	[INPUT_NONE] = { .bare = 1 },
	[INPUT_MISSING] = { .action = NULL },
	[INPUT_MISSPELT] = { .action = "off", .action_key = "actoin" },
	[INPUT_EMPTY] = { .action = "" },
	[INPUT_UNKNOWN] = { .action = "frobnicate" },
};

static void input_broken(struct watch *watch, const char *state, const char *text)
{
	if (watch->broken)
		return;
	watch->broken = 1;
	snprintf(watch->text, sizeof watch->text, "%s%s", state, text);
}

/* All of them, in one state of the plug. Returns whether it could be brought there. */
static int inputs_try_in(struct conform *conform, int on, char *why, size_t size)
{
	char text[480];

	for (size_t i = INPUT_MISSING; i < INPUTS; i++) {
		if (!power_ensure(conform, on, why, size))
			return 0;
		if (!shot_expect(conform, &input_specs[i], CONFORM_EXPECT_FAIL, text, sizeof text))
			input_broken(&conform->inputs[i], on ? "while on, " : "while off, ", text);
		snprintf(text, sizeof text, "%s: the plug was %s and no longer is",
			 conform->shot.what, on ? "on" : "off");
		if (!power_reads(conform, on, why, size))
			input_broken(&conform->inputs[i], "", text);
	}
	return 1;
}

/* Once for all checks of this kind, for each switching takes its time. */
static int inputs_try(struct conform *conform, char *why, size_t size)
{
	if (conform->inputs_tried == 0)
		conform->inputs_tried = inputs_try_in(conform, 1, why, size) &&
							inputs_try_in(conform, 0, why, size) &&
							power_ensure(conform, 1, why, size)
						? 1
						: -1;
	if (conform->inputs_tried < 0)
		snprintf(why, size, "the plug cannot be brought into both states");
	return conform->inputs_tried;
}

static int input_check(struct conform *conform, enum input_kind kind, char *happened, size_t size)
{
	struct shot_spec bare = input_specs[kind];
	const struct watch *watch = &conform->inputs[kind];
	int tried;

	bare.bare = 1;
	if (kind != INPUT_MISSING &&
	    !shot_expect(conform, &bare, CONFORM_EXPECT_FAIL, happened, size))
		return 0;
	if (!conform->options->for_real || !(conform->state_known || conform->manual) ||
	    kind == INPUT_NONE)
		return 1;
	tried = inputs_try(conform, happened, size);
	if (tried > 0 || watch->broken)
		snprintf(happened, size, "%s", watch->text);
	return watch->broken ? 0 : tried;
}

static int input_none(struct conform *conform, char *happened, size_t size)
{
	return input_check(conform, INPUT_NONE, happened, size);
}

static int input_missing(struct conform *conform, char *happened, size_t size)
{
	return input_check(conform, INPUT_MISSING, happened, size);
}

static int input_misspelt(struct conform *conform, char *happened, size_t size)
{
	return input_check(conform, INPUT_MISSPELT, happened, size);
}

static int input_empty(struct conform *conform, char *happened, size_t size)
{
	return input_check(conform, INPUT_EMPTY, happened, size);
}

static int input_unknown(struct conform *conform, char *happened, size_t size)
{
	return input_check(conform, INPUT_UNKNOWN, happened, size);
}

/* ---- syntax of stdin, shown with metadata, which touches no device ---- */

static int prints_metadata(struct conform *conform, const struct shot_spec *spec, char *happened,
			   size_t size)
{
	char why[200];

	if (!shot_expect(conform, spec, CONFORM_EXPECT_OK, happened, size))
		return 0;
	if (conform_is_xml_only(conform->shot.seen.out, conform->shot.seen.out_bytes, why,
				sizeof why))
		return 1;
	snprintf(happened, size, "%s: %s", conform->shot.what, why);
	return 0;
}

static int input_comments(struct conform *conform, char *happened, size_t size)
{
	return prints_metadata(conform,
			       &(struct shot_spec){ .action = "metadata",
						    .head = "# comment\n\n",
						    .tail = "\n# action=off\n",
						    .bare = 1 },
			       happened, size);
}

static int input_last_wins(struct conform *conform, char *happened, size_t size)
{
	return prints_metadata(
		conform,
		&(struct shot_spec){ .action = "metadata", .head = "action=monitor\n", .bare = 1 },
		happened, size);
}

static int input_case(struct conform *conform, char *happened, size_t size)
{
	return prints_metadata(conform, &(struct shot_spec){ .action = "METADATA", .bare = 1 },
			       happened, size);
}

static int input_option(struct conform *conform, char *happened, size_t size)
{
	return prints_metadata(
		conform,
		&(struct shot_spec){ .action = "metadata", .action_key = "option", .bare = 1 },
		happened, size);
}

static int input_unknown_key(struct conform *conform, char *happened, size_t size)
{
	return prints_metadata(conform,
			       &(struct shot_spec){ .action = "metadata",
						    .tail = "holdfast_no_such_option=1\n",
						    .bare = 1 },
			       happened, size);
}

static int argv_unknown_key(struct conform *conform, char *happened, size_t size)
{
	return shot_expect(conform,
			   &(struct shot_spec){ .action = "metadata",
						.by_argv = 1,
						.bare = 1,
						.extra_argument = "--holdfast-no-such-option" },
			   CONFORM_EXPECT_FAIL, happened, size);
}

const struct check metadata_checks[] = {
	{ "metadata", "metadata",
	  "action=metadata on stdin, with no other option, ends with 0 within 10 s (Pacemaker)",
	  CONFORM_MUST, 0, NULL, metadata_exit },
	{ "metadata-xml", "metadata", "stdout of metadata is one XML document and nothing else",
	  CONFORM_MUST, 0, NULL, metadata_xml },
	{ "metadata-schema", "metadata",
	  "the document has the shape of metadata.rng and a parameter action", CONFORM_MUST,
	  NEED_METADATA, NULL, metadata_schema },
	{ "metadata-name", "metadata", "it is about the program by its own name, or by a symlink",
	  CONFORM_SHOULD, NEED_METADATA, NULL, metadata_name },
	{ "metadata-actions", "metadata",
	  "actions off, monitor and metadata are declared (fence agent API, Pacemaker)",
	  CONFORM_MUST, NEED_METADATA, NULL, metadata_actions },
	{ "metadata-more", "metadata",
	  "actions on, reboot, status, validate-all are declared, and list where there are plugs",
	  CONFORM_SHOULD, NEED_METADATA, NULL, metadata_more_actions },
	{ "metadata-default", "metadata", "no action is the default (rule S1)", CONFORM_SHOULD,
	  NEED_METADATA, NULL, metadata_no_default },
	{ "metadata-argv", "metadata", "--action=metadata on the command line prints the same",
	  CONFORM_MUST, NEED_METADATA, NULL, metadata_argv },
	{ "metadata-alias", "metadata", "action=meta-data prints the same", CONFORM_SHOULD,
	  NEED_METADATA, NULL, metadata_alias },
	{ .id = NULL },
};

const struct check input_checks[] = {
	{ "input-nothing", "input", "empty stdin fails", CONFORM_MUST, NEED_HARMLESS_BARE, NULL,
	  input_none },
	{ "action-missing", "input", "a request without action fails and switches nothing",
	  CONFORM_MUST, NEED_STATE | NEED_REAL, NULL, input_missing },
	{ "action-misspelt", "input", "\"actoin=off\" fails and switches nothing", CONFORM_MUST,
	  NEED_HARMLESS_BARE, NULL, input_misspelt },
	{ "action-empty", "input", "\"action=\" fails and switches nothing", CONFORM_MUST,
	  NEED_HARMLESS_BARE, NULL, input_empty },
	{ "action-unknown", "input", "an unknown action fails and switches nothing", CONFORM_MUST,
	  NEED_HARMLESS_BARE, NULL, input_unknown },
	{ "input-comments", "input", "comments and empty lines on stdin are skipped", CONFORM_MUST,
	  NEED_METADATA, NULL, input_comments },
	{ "input-unknown", "input", "an unknown option on stdin is ignored (fence agent API)",
	  CONFORM_MUST, NEED_METADATA, NULL, input_unknown_key },
	{ "input-last", "input", "of an option given twice the last one counts", CONFORM_SHOULD,
	  NEED_METADATA, NULL, input_last_wins },
	{ "input-case", "input", "actions in capital letters are the same actions", CONFORM_SHOULD,
	  NEED_METADATA, NULL, input_case },
	{ "input-option", "input", "option= is action=, as old clusters write it", CONFORM_SHOULD,
	  NEED_METADATA | NEED_HARMLESS_BARE, NULL, input_option },
	{ "argv-unknown", "input", "an unknown option on the command line is an error",
	  CONFORM_SHOULD, NEED_METADATA, NULL, argv_unknown_key },
	{ .id = NULL },
};
