/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * agent_input.c - stdin and argv into option values.
 *
 * The fence agent API: without arguments the options are `name=value` lines on stdin, where an
 * unknown name is warned about and ignored; with arguments they are options, where an unknown
 * one is an error. `-` and `_` in names are equal; of two values for one name the last counts.
 * Long options are never abbreviated: a misspelt word must not become another option.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fence-agents/sdk/agent_internal.h"

/* ---- stdin ---- */

static char *trim(char *text)
{
	size_t length;

	while (isspace((unsigned char)*text))
		text++;
	length = strlen(text);
	while (length > 0 && isspace((unsigned char)text[length - 1]))
		text[--length] = '\0';
	return text;
}

/* Take off one pair of enclosing double quotes. */
static char *unquote(char *text)
{
	size_t length = strlen(text);

	if (length >= 2 && text[0] == '"' && text[length - 1] == '"') {
		text[length - 1] = '\0';
		return text + 1;
	}
	return text;
}

/* Names that Pacemaker sends to every agent, whether it declares them or not. */
static int name_is_silent(const char *name)
{
	return agent_name_equal(name, "plug") || agent_name_equal(name, "port") ||
	       agent_name_equal(name, "nodename");
}

static void stdin_pair(struct fence_ctx *ctx, const char *name, const char *text)
{
	struct agent_value *value = agent_value_find(ctx, name);

	if (agent_name_equal(name, "nodename")) {
		free(ctx->nodename);
		ctx->nodename = strdup(text);
		return;
	}
	if (!value) {
		if (!name_is_silent(name))
			fence_warn(ctx, "unknown option \"%s\" on stdin is ignored", name);
		return;
	}
	if (ctx->err.rc == 0 && value->option.type == FENCE_OPT_BOOL) {
		int flag;

		if (agent_bool_parse(text, &flag) != 0) {
			fence_warn(ctx, "%s=\"%s\" is neither yes nor no and is ignored",
				   value->option.name, text);
			return;
		}
	}
	if (ctx->err.rc == 0)
		agent_value_set(ctx, value, text);
}

void agent_input_lines(struct fence_ctx *ctx, char *text, size_t length)
{
	char *end = text + length;

	while (text < end) {
		char *newline = memchr(text, '\n', (size_t)(end - text));
		char *next = newline ? newline + 1 : end;
		char *line, *equals;

		if (newline)
			*newline = '\0';
		if (strlen(text) != (size_t)((newline ? newline : end) - text)) {
			if (ctx->err.rc == 0)
				err_set(&ctx->err, RC_CONFIG, "give name=value lines of text",
					"stdin holds a NUL byte");
			return;
		}
		line = trim(text);
		equals = strchr(line, '=');
		if (*line == '\0' || *line == '#') {
			/* comment or empty */
		} else if (!equals || equals == line) {
			fence_warn(ctx, "a line on stdin that is not name=value is ignored");
		} else {
			int spaced = isspace((unsigned char)equals[-1]);
			char *value = equals + 1;

			*equals = '\0';
			/* "name = value": blanks belong to the sign; "name= value": to the value. */
			while (spaced && isspace((unsigned char)*value))
				value++;
			stdin_pair(ctx, trim(line), unquote(value));
		}
		text = next;
	}
}

int agent_input_stdin(struct fence_ctx *ctx)
{
	char *text = fence_alloc(ctx, AGENT_INPUT_MAX_BYTES + 1);
	size_t length = 0;

	for (;;) {
		ssize_t got = read(STDIN_FILENO, text + length, AGENT_INPUT_MAX_BYTES - length);

		if (got < 0 && errno == EINTR && !ctx->cancelled)
			continue;
		if (got < 0 && errno == EINTR)
			err_set(&ctx->err, RC_CANCELLED, NULL, "stopped by a signal while %s",
				ctx->step);
		else if (got < 0)
			err_set(&ctx->err, RC_CONFIG, "give name=value lines or options",
				"cannot read options from stdin: %s", strerror(errno));
		if (got <= 0)
			break;
		length += (size_t)got;
		if (length == AGENT_INPUT_MAX_BYTES) {
			err_set(&ctx->err, RC_CONFIG, "give name=value lines only",
				"more than %d bytes on stdin", AGENT_INPUT_MAX_BYTES);
			break;
		}
	}
	if (ctx->err.rc == 0)
		agent_input_lines(ctx, text, length);
	fence_wipe(text, length);
	free(text);
	return ctx->err.rc;
}

/* ---- argv ---- */

/* ps shows argv: blank a secret there as soon as it has been copied. */
static void argv_hide(const struct agent_value *value, char *text)
{
	if (value->option.flags & FENCE_OPT_SECRET)
		fence_wipe(text, strlen(text));
}

static int argv_take(struct fence_ctx *ctx, struct agent_value *value, char *text)
{
	int rc = agent_value_set(ctx, value, text);

	argv_hide(value, text);
	return rc;
}

static int argv_unknown(struct fence_ctx *ctx, const char *what)
{
	return err_set(&ctx->err, RC_CONFIG, "see --help", "unknown option \"%s\"", what);
}

/* "--name=value", "--name value", "--flag". *index is moved past a value taken. */
static int argv_long(struct fence_ctx *ctx, int argc, char **argv, int *index)
{
	char *name = argv[*index] + 2;
	char *equals = strchr(name, '=');
	struct agent_value *value;

	if (equals)
		*equals = '\0';
	value = agent_value_find(ctx, name);
	if (!value && name_is_silent(name)) {
		if (!equals && *index + 1 < argc && argv[*index + 1][0] != '-')
			++*index;
		return 0;
	}
	if (!value)
		return argv_unknown(ctx, argv[*index]);
	if (equals)
		return argv_take(ctx, value, equals + 1);
	if (value->option.type == FENCE_OPT_BOOL)
		return agent_value_set(ctx, value, "1");
	if (*index + 1 >= argc)
		return err_set(&ctx->err, RC_CONFIG, "see --help", "option --%s needs a value",
			       name);
	++*index;
	return argv_take(ctx, value, argv[*index]);
}

/* "-v", "-qv", "-avalue", "-a value". */
static int argv_short(struct fence_ctx *ctx, int argc, char **argv, int *index)
{
	for (char *p = argv[*index] + 1; *p; p++) {
		struct agent_value *value = agent_value_by_short(ctx, *p);
		char what[3] = { '-', *p, '\0' };
		int rc;

		if (!value)
			return argv_unknown(ctx, what);
		if (value->option.type != FENCE_OPT_BOOL) {
			if (p[1])
				return argv_take(ctx, value, p + 1);
			if (*index + 1 >= argc)
				return err_set(&ctx->err, RC_CONFIG, "see --help",
					       "option %s needs a value", what);
			++*index;
			return argv_take(ctx, value, argv[*index]);
		}
		rc = agent_value_set(ctx, value, "1");
		if (rc)
			return rc;
	}
	return 0;
}

int agent_input_argv(struct fence_ctx *ctx, int argc, char **argv)
{
	int rc = 0;

	for (int i = 1; i < argc && rc == 0; i++) {
		char *arg = argv[i];

		if (arg[0] == '-' && arg[1] == '-' && arg[2])
			rc = argv_long(ctx, argc, argv, &i);
		else if (arg[0] == '-' && arg[1] && arg[1] != '-')
			rc = argv_short(ctx, argc, argv, &i);
		else
			rc = err_set(&ctx->err, RC_CONFIG, "see --help",
				     "\"%s\" is not an option; options start with - or --", arg);
	}
	return rc;
}
