/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * output.h - what a subcommand says, apart from how it is said: one vtable, two renderers.
 *
 * Callers: every subcommand. It tells the renderer everything, twice over where a human and a
 * program want different things: rows and lines are for humans, objects for programs. The text
 * renderer aligns rows into columns and passes objects over; the JSON renderer prints objects,
 * one a line, and passes rows and lines over.
 *
 *	output_begin(out, headings, 3);		a table; NULL for no headings
 *	output_row(out, cells, 3);
 *	output_line(out, STYLE_WARN, "...");	a line across all columns
 *	output_object(out, object);
 *	output_end(out);
 *
 * Text comes from devices and agents: control characters in it are replaced before it reaches a
 * terminal. Colour only on a terminal, and not with NO_COLOR.
 * Ownership: strings are copied; output_object() takes the reference.
 * Running out of memory loses output, so output_finish() reports it; main.c reports the rest.
 */
#ifndef HOLDFAST_CLI_OUTPUT_H
#define HOLDFAST_CLI_OUTPUT_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#include "cli/command.h"

enum output_style { STYLE_PLAIN, STYLE_GOOD, STYLE_BAD, STYLE_WARN, STYLE_HEADING, STYLE_FAINT };

enum { OUTPUT_COLUMNS_MAX = 12 };

struct output_cell {
	const char *text;
	enum output_style style;
};

struct output;

struct output_ops {
	void (*begin)(struct output *out, const char *const *headings, size_t count);
	void (*row)(struct output *out, const struct output_cell *cells, size_t count);
	void (*line)(struct output *out, enum output_style style, const char *text);
	void (*object)(struct output *out, json_t *object);
	void (*end)(struct output *out);
};

extern const struct output_ops output_text_ops;
extern const struct output_ops output_json_ops;

struct output_row_copy {
	char *cells[OUTPUT_COLUMNS_MAX];
	enum output_style styles[OUTPUT_COLUMNS_MAX];
	size_t count;
	int is_line; /* one cell, across all columns */
};

struct output {
	const struct output_ops *ops;
	FILE *file;
	int colour;
	int lost; /* something could not be kept for lack of memory */
	/* The table at hand, kept until its end because of the widths. */
	int in_table;
	struct output_row_copy *rows;
	size_t rows_count, rows_room;
};

/* The renderer that the options and the terminal ask for, writing to stdout. */
void output_init(struct output *out, const struct cli *cli);

/* Is stdout (or the descriptor) a terminal on which colour is welcome? */
int output_colour_wanted(const struct cli *cli, int fd);

/* The exit status: `status`, or CLI_EXIT_NOT after a message when output was lost. */
int output_finish(struct output *out, const struct cli *cli, int status);

static inline void output_begin(struct output *out, const char *const *headings, size_t count)
{
	out->ops->begin(out, headings, count);
}

static inline void output_row(struct output *out, const struct output_cell *cells, size_t count)
{
	out->ops->row(out, cells, count);
}

static inline void output_object(struct output *out, json_t *object)
{
	out->ops->object(out, object);
}

static inline void output_end(struct output *out)
{
	out->ops->end(out);
}

void output_line(struct output *out, enum output_style style, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Members of an object. Text that is not UTF-8 is made so; NULL text becomes null. */
void object_put(struct output *out, json_t *object, const char *key, json_t *value);
void object_put_text(struct output *out, json_t *object, const char *key, const char *text);
void object_put_integer(struct output *out, json_t *object, const char *key, long long value);
void object_put_boolean(struct output *out, json_t *object, const char *key, int value);

/* A copy fit for a terminal and for JSON (text_clean() of base/text.h, but blanks at the beginning
 * stay). NULL when there is no memory; the caller frees it. */
char *output_clean(const char *text);

#endif
