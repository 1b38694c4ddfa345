/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cmd_agent.c - `holdfast agent`: begin a fence agent, and prove one.
 */
#include "cli/cmd_agent.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/output.h"
#include "fence-agents/fencer/agent_catalog.h"
#include "fence-agents/kit/conform.h"
#include "fence-agents/kit/skeleton.h"

enum {
	RUN_MS = 60000, /* Pacemaker's fencing-timeout */
	FILE_BYTES_MAX = 1 << 16,
	PAIRS_MAX = 256,
};

/* ---- options of the device ---- */

struct device_options {
	struct conform_pair pairs[PAIRS_MAX];
	size_t count;
	char *words[PAIRS_MAX]; /* "key\0value" */
};

static void device_options_clear(struct device_options *options)
{
	for (size_t i = 0; i < options->count; i++) {
		explicit_bzero((char *)options->pairs[i].value, strlen(options->pairs[i].value));
		free(options->words[i]);
	}
	options->count = 0;
}

/* Returns 0, or what is wrong with it: static text. */
static const char *device_option_add(struct device_options *options, const char *word,
				     size_t length)
{
	const char *equals = memchr(word, '=', length);
	char *copy;

	if (!equals || equals == word)
		return "is not key=value";
	if (options->count == PAIRS_MAX)
		return "is one option too many";
	copy = strndup(word, length);
	if (!copy)
		return "does not fit into memory";
	copy[equals - word] = '\0';
	if (strcmp(copy, "action") == 0 || strcmp(copy, "option") == 0) {
		free(copy);
		return "is chosen by the kit";
	}
	options->words[options->count] = copy;
	options->pairs[options->count++] = (struct conform_pair){ copy,
								  copy + (equals - word) + 1 };
	return NULL;
}

static int secrets_among(const struct device_options *options)
{
	for (size_t i = 0; i < options->count; i++)
		if (conform_option_is_secret(options->pairs[i].key))
			return 1;
	return 0;
}

/* Lines key=value; blank lines and comments are skipped. */
static int device_options_parse(struct cli *cli, const char *name, char *text,
				struct device_options *options)
{
	size_t number = 0;

	for (char *line = text; *line; number++) {
		size_t length = strcspn(line, "\n");
		char *next = line + length + (line[length] == '\n');
		const char *wrong = NULL;

		while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\r' ||
				      line[length - 1] == '\t'))
			length--;
		if (length > 0 && line[0] != '#')
			wrong = device_option_add(options, line, length);
		if (wrong)
			return cli_usage(cli, "%s:%zu: this line %s", name, number + 1, wrong);
		line = next;
	}
	return 0;
}

/* `-` is stdin. A file with a password in it that others can read is refused, as the cluster
 * file is. */
static int device_options_read(struct cli *cli, struct device_options *options)
{
	const char *path = cli->options_file;
	int is_stdin = strcmp(path, "-") == 0, status;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	char text[FILE_BYTES_MAX];
	struct stat st;
	size_t bytes;

	if (!file || fstat(fileno(file), &st) != 0)
		return cli_usage(cli, "%s: cannot be read: %s", path, strerror(errno));
	bytes = fread(text, 1, sizeof text - 1, file);
	text[bytes] = '\0';
	status = 0;
	if (ferror(file) || !feof(file))
		status = cli_usage(cli, "%s: cannot be read, or is too long", path);
	if (!is_stdin)
		fclose(file);
	if (!status)
		status = device_options_parse(cli, path, text, options);
	explicit_bzero(text, sizeof text);
	if (!status && !is_stdin && S_ISREG(st.st_mode) && st.st_mode & (S_IRWXG | S_IRWXO) &&
	    secrets_among(options))
		status = cli_usage(
			cli, "%s: holds a password and can be read by others; chmod 600 it", path);
	return status;
}

/* ---- the program ---- */

/* A path as the shell knows it, or the name of an installed agent. The caller frees it. The name under
 * which it is called counts, so a symbolic link stays one. */
static char *program_find(const char *word, struct err *err)
{
	char *here, *path = NULL, *found;

	if (!strchr(word, '/') || word[0] == '/')
		return agent_find(word, err);
	while (strncmp(word, "./", 2) == 0)
		word += 2;
	here = getcwd(NULL, 0);
	if (!here || asprintf(&path, "%s/%s", here, word) < 0)
		path = NULL;
	free(here);
	if (!path) {
		err_set(err, RC_INTERNAL, NULL, "%s: %s", word, strerror(errno));
		return NULL;
	}
	found = agent_find(path, err);
	free(path);
	return found;
}

/* ---- the report ---- */

static const enum output_style verdict_styles[] = {
	[CONFORM_PASS] = STYLE_GOOD,
	[CONFORM_FAIL] = STYLE_BAD,
	[CONFORM_MISSED] = STYLE_WARN,
	[CONFORM_SKIP] = STYLE_FAINT,
};

static void row_print(struct output *out, const struct conform_row *row)
{
	const char *verdict = conform_verdict_word(row->verdict);
	const struct output_cell cells[] = {
		{ row->id, STYLE_PLAIN },
		{ verdict, verdict_styles[row->verdict] },
		{ row->verdict == CONFORM_PASS || row->verdict == CONFORM_SKIP ? row->required
									       : row->happened,
		  STYLE_PLAIN },
	};
	json_t *object = json_object();

	output_row(out, cells, 3);
	if (row->verdict == CONFORM_SKIP)
		output_line(out, STYLE_FAINT, "    left out: %s", row->happened);
	else if (row->verdict != CONFORM_PASS)
		output_line(out, STYLE_PLAIN, "    required: %s", row->required);
	object_put_text(out, object, "kind", "check");
	object_put_text(out, object, "id", row->id);
	object_put_text(out, object, "group", row->group);
	object_put_text(out, object, "level", conform_level_word(row->level));
	object_put_text(out, object, "verdict", row->verdict == CONFORM_FAIL ? "fail" : verdict);
	object_put_text(out, object, "required", row->required);
	object_put_text(out, object, "happened", row->happened);
	output_object(out, object);
}

static void summary_print(struct output *out, const struct cli *cli, const char *path,
			  const struct conform_report *report)
{
	const size_t *counts = report->counts;
	int conforms = counts[CONFORM_FAIL] == 0 && !report->left[0];
	json_t *object = json_object();

	if (!cli->for_real)
		output_line(
			out, STYLE_WARN,
			"Nothing was switched; what needs that was left out. --for-real runs it "
			"all: the plug goes off and on several times.");
	if (report->left[0])
		output_line(out, STYLE_BAD, "WARNING: %s", report->left);
	output_line(out, conforms ? STYLE_GOOD : STYLE_BAD,
		    "%s: %s: %zu passed, %zu failed, %zu should be better, %zu left out; %zu runs",
		    report->agent,
		    !conforms	    ? "does not conform"
		    : cli->for_real ? "conforms"
				    : "conforms as far as looked at",
		    counts[CONFORM_PASS], counts[CONFORM_FAIL], counts[CONFORM_MISSED],
		    counts[CONFORM_SKIP], report->runs);
	object_put_text(out, object, "kind", "summary");
	object_put_text(out, object, "agent", report->agent);
	object_put_text(out, object, "path", path);
	object_put_boolean(out, object, "native", report->native);
	object_put_boolean(out, object, "for_real", cli->for_real);
	object_put_boolean(out, object, "conforms", conforms);
	object_put_integer(out, object, "passed", (long long)counts[CONFORM_PASS]);
	object_put_integer(out, object, "failed", (long long)counts[CONFORM_FAIL]);
	object_put_integer(out, object, "should", (long long)counts[CONFORM_MISSED]);
	object_put_integer(out, object, "skipped", (long long)counts[CONFORM_SKIP]);
	object_put_integer(out, object, "runs", (long long)report->runs);
	object_put_text(out, object, "left", report->left);
	output_object(out, object);
}

static int report_print(struct cli *cli, const char *path, const struct conform_report *report)
{
	static const char *const headings[] = { "CHECK", "VERDICT", "WHAT" };
	struct output out;

	output_init(&out, cli);
	output_begin(&out, headings, 3);
	for (size_t i = 0; i < report->rows_count; i++)
		row_print(&out, &report->rows[i]);
	output_end(&out);
	summary_print(&out, cli, path, report);
	return output_finish(&out, cli,
			     report->counts[CONFORM_FAIL] || report->left[0] ? CLI_EXIT_NOT
									     : CLI_EXIT_OK);
}

/* ---- conform ---- */

/* Which check is at work, on a terminal; an empty id wipes it away. */
static void progress_show(void *arg, const char *id)
{
	(void)arg;
	fprintf(stderr, "\r\033[K%s%s", id[0] ? "checking " : "", id);
	fflush(stderr);
}

static int conform_with(struct cli *cli, const char *path, const struct device_options *options)
{
	int on_terminal = isatty(STDERR_FILENO) && !cli->json;
	const struct conform_options request = {
		.path = path,
		.pairs = options->pairs,
		.pairs_count = options->count,
		.for_real = cli->for_real,
		.timeout_ms = cli->timeout_ms ? cli->timeout_ms : RUN_MS,
		.progress = on_terminal ? progress_show : NULL,
	};
	struct conform_report report;
	struct err err = { 0 };
	int rc = conform_run(&request, &report, &err), status;

	if (on_terminal)
		progress_show(NULL, "");
	status = rc ? cli_fail(cli, &err) : report_print(cli, path, &report);
	conform_report_clear(&report);
	return status;
}

static void words_free(char **words, size_t count)
{
	for (size_t i = 0; words && i < count; i++) {
		if (words[i])
			explicit_bzero(words[i], strlen(words[i]));
		free(words[i]);
	}
	free(words);
}

/* Copies of all arguments; the values of key=value are wiped where every user of the machine could
 * read them for as long as the kit runs. NULL without memory. */
static char **words_take(const struct cli *cli)
{
	char **words = calloc(cli->args_count, sizeof *words);

	for (size_t i = 0; words && i < cli->args_count; i++) {
		char *equals = i > 0 ? strchr(cli->args[i], '=') : NULL;

		words[i] = strdup(cli->args[i]);
		if (equals)
			explicit_bzero(equals + 1, strlen(equals + 1));
		if (!words[i]) {
			words_free(words, i);
			return NULL;
		}
	}
	return words;
}

static int conform_words(struct cli *cli, char *const *words)
{
	static struct device_options options;
	struct err err = { 0 };
	const char *wrong = NULL;
	char *path;
	int status = 0;

	path = program_find(words[0], &err);
	if (!path) {
		/* The advice is for a line of the cluster file. */
		err.next[0] = '\0';
		return cli_fail_conf(cli, &err);
	}
	if (cli->options_file)
		status = device_options_read(cli, &options);
	for (size_t i = 1; i < cli->args_count && !status; i++) {
		wrong = device_option_add(&options, words[i], strlen(words[i]));
		if (wrong)
			status = cli_usage(cli, "argument %zu %s", i + 1, wrong);
	}
	if (!status && cli->for_real && options.count == 0)
		status = cli_usage(cli, "--for-real needs options of a device, after \"--\" or by "
					"--options-file");
	if (!status)
		status = conform_with(cli, path, &options);
	device_options_clear(&options);
	free(path);
	return status;
}

static int agent_conform(struct cli *cli)
{
	struct err err = { 0 };
	char **words;
	int status;

	if (cli->args_count == 0)
		return cli_usage(cli, "which agent? Give its path or name");
	words = words_take(cli);
	if (!words) {
		err_set(&err, RC_INTERNAL, NULL, "out of memory");
		return cli_fail(cli, &err);
	}
	status = conform_words(cli, words);
	words_free(words, cli->args_count);
	return status;
}

/* ---- new ---- */

static int agent_new(struct cli *cli)
{
	struct skeleton_made made;
	struct err err = { 0 };
	struct output out;
	json_t *object, *files;

	if (cli->args_count != 1)
		return cli_usage(cli, "give one name, such as fence_acme");
	if (skeleton_make(cli->args[0], cli->lang ? cli->lang : "c", cli->dir, &made, &err))
		return cli_fail(cli, &err);
	output_init(&out, cli);
	object = json_object();
	files = json_array();
	object_put_text(&out, object, "agent", made.name);
	object_put_text(&out, object, "dir", made.dir);
	for (size_t i = 0; i < made.files_count; i++) {
		output_line(&out, STYLE_PLAIN, "%s/%s", made.dir, made.files[i]);
		if (json_array_append_new(files, json_string(made.files[i])) != 0)
			out.lost = 1;
	}
	object_put(&out, object, "files", files);
	output_object(&out, object);
	output_line(&out, STYLE_FAINT, "Next: read %s/README", made.dir);
	return output_finish(&out, cli, CLI_EXIT_OK);
}

const struct command agent_commands[] = {
	{ .name = "new",
	  .args = "NAME",
	  .summary = "write the skeleton of a fence agent, which builds and conforms as it is",
	  .details = "NAME is fence_acme or acme. The skeleton drives a device that is a file; its "
		     "author\nreplaces that step by step, and keeps conforming.",
	  .options = OPTION_LANG | OPTION_DIR | OPTIONS_OUTPUT,
	  .run = agent_new },
	{ .name = "conform",
	  .args = "AGENT [-- KEY=VALUE...]",
	  .summary = "put a fence agent of any maker through all that its interface demands",
	  .details =
		  "AGENT is a path or the name of an installed agent; KEY=VALUE are the options "
		  "of one\ndevice and one plug, as on the agent's stdin. Without them only "
		  "metadata and input\nare checked. --timeout bounds each run of the "
		  "agent.\nPasswords belong in "
		  "--options-file: a command line can be read by others, and is kept by\nshells; "
		  "the kit wipes its own as soon as it starts.",
	  .options = OPTION_TIMEOUT | OPTION_FOR_REAL | OPTION_OPTIONS_FILE | OPTIONS_OUTPUT,
	  .run = agent_conform },
	{ .name = NULL },
};
