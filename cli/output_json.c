/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * output_json.c - the renderer for programs: one JSON object a line; see output.h.
 */
#include "cli/output.h"

static void json_begin(struct output *out, const char *const *headings, size_t count)
{
	(void)headings;
	(void)count;
	out->in_table = 1;
}

static void json_row(struct output *out, const struct output_cell *cells, size_t count)
{
	(void)out;
	(void)cells;
	(void)count;
}

static void json_line(struct output *out, enum output_style style, const char *text)
{
	(void)out;
	(void)style;
	(void)text;
}

static void json_object_print(struct output *out, json_t *object)
{
	if (!object || json_dumpf(object, out->file, JSON_COMPACT) != 0) {
		/* A write error stays with the stream and is found by main.c. */
		if (!ferror(out->file))
			out->lost = 1;
	}
	fputc('\n', out->file);
	json_decref(object);
}

static void json_end(struct output *out)
{
	out->in_table = 0;
}

const struct output_ops output_json_ops = {
	.begin = json_begin,
	.row = json_row,
	.line = json_line,
	.object = json_object_print,
	.end = json_end,
};
