/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cmd_device.c - `holdfast device`: check a device profile, list those that are installed.
 */
#include "cli/cmd_device.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "cli/output.h"
#include "fence-agents/kit/device_check.h"

/* ---- check ---- */

static void findings_print(struct output *out, const char *path, const struct device_check *check)
{
	for (size_t i = 0; i < check->findings_count; i++) {
		const struct device_finding *finding = &check->findings[i];
		json_t *object = json_object();

		output_line(out, finding->is_error ? STYLE_BAD : STYLE_WARN, "%s: %s",
			    finding->is_error ? "error" : "warning", finding->text);
		object_put_text(out, object, "kind", "finding");
		object_put_text(out, object, "file", path);
		object_put_text(out, object, "severity", finding->is_error ? "error" : "warning");
		object_put_text(out, object, "text", finding->text);
		output_object(out, object);
	}
}

static void objects_print(struct output *out, const struct device_check *check)
{
	static const char *const headings[] = { "FIELD", "ANSWERS", "OBJECT" };

	output_begin(out, headings, 3);
	for (size_t i = 0; i < check->objects_count; i++) {
		const struct device_object *object = &check->objects[i];
		json_t *json = json_object();
		char answers[24];

		snprintf(answers, sizeof answers, "%zu", object->answers);
		output_row(out,
			   (const struct output_cell[]){
				   { object->field, STYLE_PLAIN },
				   { object->answers ? answers : "none",
				     object->answers ? STYLE_PLAIN : STYLE_WARN },
				   { object->oid, STYLE_PLAIN },
			   },
			   3);
		object_put_text(out, json, "kind", "object");
		object_put_text(out, json, "field", object->field);
		object_put_text(out, json, "oid", object->oid);
		object_put_integer(out, json, "answers", (long long)object->answers);
		output_object(out, json);
	}
	output_end(out);
}

static void outlets_print(struct output *out, const struct device_check *check)
{
	static const char *const headings[] = { "OUTLET", "NAME", "STATE" };

	output_begin(out, headings, 3);
	for (size_t i = 0; i < check->rows.count; i++) {
		const struct device_row *row = &check->rows.rows[i];
		const char *state = row->rc == 0 ? power_word(row->state) : rc_meaning(row->rc);
		char plug[DEVICE_PLUG_MAX];
		json_t *json = json_object();

		profile_plug_write(&check->profile, &row->index, plug, sizeof plug);
		output_row(out,
			   (const struct output_cell[]){
				   { plug, STYLE_PLAIN },
				   { device_row_name(row), STYLE_PLAIN },
				   { state, row->rc == 0 ? STYLE_PLAIN : STYLE_WARN },
			   },
			   3);
		object_put_text(out, json, "kind", "outlet");
		object_put_text(out, json, "outlet", plug);
		object_put_text(out, json, "name", device_row_name(row));
		object_put_text(out, json, "state",
				power_word(row->rc == 0 ? row->state : POWER_UNKNOWN));
		object_put_text(out, json, "cause", row->rc == 0 ? NULL : rc_word(row->rc));
		output_object(out, json);
	}
	output_end(out);
}

static void walk_print(struct output *out, const struct device_check *check)
{
	output_line(out, STYLE_PLAIN, "device: %s",
		    check->descr[0] ? check->descr : "(no sysDescr)");
	output_line(out, STYLE_PLAIN, "sysObjectID: %s",
		    check->object_id[0] ? check->object_id : "(none in the walk)");
	if (check->recognised_by[0])
		output_line(out, STYLE_GOOD, "recognised by MATCH %s", check->recognised_by);
	else
		output_line(out, STYLE_WARN, "not recognised: device=%s has to be given",
			    check->profile.name);
	objects_print(out, check);
	outlets_print(out, check);
}

static void check_summary(struct output *out, const char *path, const struct device_check *check)
{
	json_t *object = json_object();
	size_t warnings = check->findings_count;

	for (size_t i = 0; i < check->findings_count; i++)
		warnings -= check->findings[i].is_error != 0;
	output_line(out, check->errors_count ? STYLE_BAD : STYLE_GOOD,
		    "%s: %zu error%s, %zu warning%s", path, check->errors_count,
		    check->errors_count == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
	object_put_text(out, object, "kind", "summary");
	object_put_text(out, object, "file", path);
	object_put_text(out, object, "profile", check->is_readable ? check->profile.name : NULL);
	object_put_boolean(out, object, "walked", check->is_walked);
	object_put_text(out, object, "object_id", check->object_id[0] ? check->object_id : NULL);
	object_put_text(out, object, "recognised_by",
			check->recognised_by[0] ? check->recognised_by : NULL);
	object_put_integer(out, object, "outlets", (long long)check->rows.count);
	object_put_integer(out, object, "errors", (long long)check->errors_count);
	object_put_integer(out, object, "warnings", (long long)warnings);
	output_object(out, object);
}

static int device_check_command(struct cli *cli)
{
	char folder[PATH_MAX];
	struct device_check *check;
	struct output out;
	struct err err = { 0 };
	int status;

	if (cli->args_count != 1)
		return cli_usage(cli, "give one file");
	if (device_check_run(cli->args[0], cli->walk, profile_folder(folder, sizeof folder), &check,
			     &err))
		return cli_fail(cli, &err);
	output_init(&out, cli);
	if (check->is_walked && check->is_readable)
		walk_print(&out, check);
	findings_print(&out, cli->args[0], check);
	check_summary(&out, cli->args[0], check);
	status = check->errors_count ? CLI_EXIT_NOT : CLI_EXIT_OK;
	device_check_free(check);
	return output_finish(&out, cli, status);
}

/* ---- list ---- */

/* "walk of an AP7900; hand-made from the MIB". */
static void tested_text(const struct profile *profile, char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < profile->tests_count; i++) {
		size_t length = strlen(text);

		snprintf(text + length, size - length, "%s%s: %s", i > 0 ? "; " : "",
			 profile_tested_word(profile->tests[i].kind), profile->tests[i].text);
	}
}

static void matches_text(const struct profile *profile, char *text, size_t size)
{
	char oid[OID_TEXT_MAX];

	snprintf(text, size, "%s", profile->matches_count ? "" : "device= only");
	for (size_t i = 0; i < profile->matches_count; i++) {
		size_t length = strlen(text);

		snprintf(text + length, size - length, "%s%s", i > 0 ? " " : "",
			 oid_write(&profile->matches[i], oid));
	}
}

enum { CELL_BYTES = 1024 };

static void profile_print(struct output *out, const struct profile *profile)
{
	char tested[CELL_BYTES], matches[CELL_BYTES];
	json_t *object = json_object();

	tested_text(profile, tested, sizeof tested);
	matches_text(profile, matches, sizeof matches);
	output_row(out,
		   (const struct output_cell[]){
			   { profile->name, STYLE_PLAIN },
			   { profile_class_word(profile->device_class), STYLE_PLAIN },
			   { profile->description, STYLE_PLAIN },
			   { tested, STYLE_PLAIN },
		   },
		   4);
	object_put_text(out, object, "profile", profile->name);
	object_put_text(out, object, "class", profile_class_word(profile->device_class));
	object_put_text(out, object, "description", profile->description);
	object_put_text(out, object, "match", profile->matches_count ? matches : NULL);
	object_put_text(out, object, "tested", tested);
	output_object(out, object);
}

/* Text of a profile in a Markdown table: a bar would end the cell. */
static void markdown_cell(const char *text)
{
	fputs(" ", stdout);
	for (; *text; text++) {
		if (strchr("|<`*_[\\", *text))
			putchar('\\');
		putchar(*text);
	}
	fputs(" |", stdout);
}

static void markdown_print(const struct device_catalog *catalog)
{
	char tested[CELL_BYTES], matches[CELL_BYTES];

	puts("# Supported devices\n");
	puts("Made by `holdfast device list --format markdown` from `fence-agents/devices/`; not "
	     "to be "
	     "edited.\n");
	puts("A device that is not here needs a profile, not a program: "
	     "[writing a device profile](writing-a-device-profile.md).\n");
	puts("The last column says on what the profile was tested: *walk*, a recorded walk of a "
	     "real device; *hand-made*, a walk written from the device's MIB; *real*, a device.\n");
	puts("| `device=` | class | device | recognised by sysObjectID | tested on |");
	puts("|---|---|---|---|---|");
	for (size_t i = 0; i < catalog->count; i++) {
		const struct profile *profile = &catalog->profiles[i];

		tested_text(profile, tested, sizeof tested);
		matches_text(profile, matches, sizeof matches);
		printf("| `%s` | %s |", profile->name, profile_class_word(profile->device_class));
		markdown_cell(profile->description);
		markdown_cell(matches);
		markdown_cell(tested);
		putchar('\n');
	}
}

static int device_list_command(struct cli *cli)
{
	static const char *const headings[] = { "DEVICE", "CLASS", "WHAT", "TESTED ON" };
	int markdown = cli->format && strcmp(cli->format, "markdown") == 0;
	struct device_catalog catalog;
	char folder[PATH_MAX];
	struct output out;
	struct err err = { 0 };

	if (cli->args_count > 0)
		return cli_usage(cli, "unexpected argument \"%s\"", cli->args[0]);
	if (cli->format && !markdown && strcmp(cli->format, "text") != 0)
		return cli_usage(cli, "--format %s: expected text or markdown", cli->format);
	if (device_catalog_load(profile_folder(folder, sizeof folder), &catalog, &err))
		return cli_fail(cli, &err);
	output_init(&out, cli);
	if (markdown) {
		markdown_print(&catalog);
	} else {
		output_begin(&out, headings, 4);
		for (size_t i = 0; i < catalog.count; i++)
			profile_print(&out, &catalog.profiles[i]);
		output_end(&out);
	}
	device_catalog_free(&catalog);
	return output_finish(&out, cli, CLI_EXIT_OK);
}

const struct command device_commands[] = {
	{ .name = "check",
	  .args = "FILE",
	  .summary = "read a device profile critically, and try it on a recorded walk",
	  .details = "FILE is a profile as holdfast-device(5) describes it; WALK holds lines "
		     "OID|TYPE|VALUE\n(.snmprec).",
	  .options = OPTION_WALK | OPTIONS_OUTPUT,
	  .run = device_check_command },
	{ .name = "list",
	  .args = "",
	  .summary = "installed device profiles, and what each was tested on",
	  .options = OPTION_FORMAT | OPTIONS_OUTPUT,
	  .run = device_list_command },
	{ .name = NULL },
};
