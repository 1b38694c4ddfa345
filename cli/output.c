/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * output.c - choosing a renderer, and what both share; see output.h.
 */
#include "cli/output.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

int output_colour_wanted(const struct cli *cli, int fd)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return !cli->no_colour && !(no_color && no_color[0]) && term && strcmp(term, "dumb") != 0 &&
	       isatty(fd);
}

void output_init(struct output *out, const struct cli *cli)
{
	memset(out, 0, sizeof *out);
	out->ops = cli->json ? &output_json_ops : &output_text_ops;
	out->file = stdout;
	out->colour = output_colour_wanted(cli, STDOUT_FILENO);
}

int output_finish(struct output *out, const struct cli *cli, int status)
{
	if (!out->lost)
		return status;
	cli_warn(cli, "out of memory: part of the output is missing");
	return CLI_EXIT_NOT;
}

void output_line(struct output *out, enum output_style style, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int length;

	va_start(ap, fmt);
	length = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (length < 0) {
		out->lost = 1;
		return;
	}
	out->ops->line(out, style, text);
	free(text);
}

char *output_clean(const char *text)
{
	size_t indent = strspn(text, " ");
	size_t length = strlen(text);
	char *copy = malloc(length + 1);

	if (!copy)
		return NULL;
	/* text_clean() takes blanks at the beginning away; here they are meant. */
	memset(copy, ' ', indent);
	text_clean(copy + indent, length - indent + 1, text + indent, length - indent);
	return copy;
}

void object_put(struct output *out, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) != 0)
		out->lost = 1;
}

void object_put_text(struct output *out, json_t *object, const char *key, const char *text)
{
	json_t *value = text ? json_string(text) : json_null();

	if (text && !value) { /* not UTF-8 */
		char *clean = output_clean(text);

		value = clean ? json_string(clean) : NULL;
		free(clean);
	}
	object_put(out, object, key, value);
}

void object_put_integer(struct output *out, json_t *object, const char *key, long long value)
{
	object_put(out, object, key, json_integer(value));
}

void object_put_boolean(struct output *out, json_t *object, const char *key, int value)
{
	object_put(out, object, key, json_boolean(value));
}
