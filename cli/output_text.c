/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * output_text.c - the renderer for humans: aligned columns, colour on a terminal; see output.h.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"

static const char *const style_codes[] = {
	[STYLE_PLAIN] = "",	   [STYLE_GOOD] = "\033[32m",	[STYLE_BAD] = "\033[1;31m",
	[STYLE_WARN] = "\033[33m", [STYLE_HEADING] = "\033[1m", [STYLE_FAINT] = "\033[2m",
};

/* Columns on the screen: characters, not bytes of UTF-8. */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void text_print(struct output *out, enum output_style style, const char *text)
{
	int coloured = out->colour && style != STYLE_PLAIN && text[0];

	fprintf(out->file, "%s%s%s", coloured ? style_codes[style] : "", text,
		coloured ? "\033[0m" : "");
}

static struct output_row_copy *text_row_new(struct output *out)
{
	if (out->rows_count == out->rows_room) {
		size_t room = out->rows_room ? out->rows_room * 2 : 64;
		struct output_row_copy *rows = reallocarray(out->rows, room, sizeof *rows);

		if (!rows) {
			out->lost = 1;
			return NULL;
		}
		out->rows = rows;
		out->rows_room = room;
	}
	memset(&out->rows[out->rows_count], 0, sizeof *out->rows);
	return &out->rows[out->rows_count++];
}

static void text_row(struct output *out, const struct output_cell *cells, size_t count)
{
	struct output_row_copy *row = text_row_new(out);

	for (size_t i = 0; row && i < count && i < OUTPUT_COLUMNS_MAX; i++) {
		row->cells[i] = output_clean(cells[i].text);
		row->styles[i] = cells[i].style;
		if (!row->cells[i])
			out->lost = 1;
		else if (row->cells[i][0])
			row->count = i + 1;
	}
}

static void text_begin(struct output *out, const char *const *headings, size_t count)
{
	struct output_cell cells[OUTPUT_COLUMNS_MAX];

	out->in_table = 1;
	if (!headings)
		return;
	for (size_t i = 0; i < count; i++)
		cells[i] = (struct output_cell){ headings[i], STYLE_HEADING };
	text_row(out, cells, count);
}

static void text_line(struct output *out, enum output_style style, const char *text)
{
	char *clean = output_clean(text);
	struct output_row_copy *row;

	if (!clean) {
		out->lost = 1;
		return;
	}
	if (!out->in_table) {
		text_print(out, style, clean);
		fputc('\n', out->file);
		free(clean);
		return;
	}
	row = text_row_new(out);
	if (!row) {
		free(clean);
		return;
	}
	row->cells[0] = clean;
	row->styles[0] = style;
	row->count = 1;
	row->is_line = 1;
}

static void text_object(struct output *out, json_t *object)
{
	(void)out;
	json_decref(object);
}

static void text_row_print(struct output *out, const struct output_row_copy *row,
			   const size_t *widths)
{
	for (size_t i = 0; i < row->count; i++) {
		const char *text = row->cells[i] ? row->cells[i] : "";

		text_print(out, row->styles[i], text);
		if (i + 1 < row->count)
			fprintf(out->file, "%*s", (int)(widths[i] - text_width(text) + 2), "");
	}
	fputc('\n', out->file);
}

static void text_end(struct output *out)
{
	size_t widths[OUTPUT_COLUMNS_MAX] = { 0 };

	for (size_t i = 0; i < out->rows_count; i++) {
		const struct output_row_copy *row = &out->rows[i];

		for (size_t j = 0; !row->is_line && j < row->count; j++) {
			size_t width = row->cells[j] ? text_width(row->cells[j]) : 0;

			/* The last cell of a row pushes nothing to the right. */
			if (j + 1 < row->count && width > widths[j])
				widths[j] = width;
		}
	}
	for (size_t i = 0; i < out->rows_count; i++) {
		struct output_row_copy *row = &out->rows[i];

		text_row_print(out, row, widths);
		for (size_t j = 0; j < OUTPUT_COLUMNS_MAX; j++)
			free(row->cells[j]);
	}
	free(out->rows);
	out->rows = NULL;
	out->rows_count = out->rows_room = 0;
	out->in_table = 0;
}

const struct output_ops output_text_ops = {
	.begin = text_begin,
	.row = text_row,
	.line = text_line,
	.object = text_object,
	.end = text_end,
};
