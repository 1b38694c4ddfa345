/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * conf.c - lexer of the `NAME value` dialect; see conf.h.
 */
#include "base/conf.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/rc.h"

/* The line being read: `size` bytes at `data`, its end of line taken off. */
struct conf_line {
	const char *data;
	size_t size;
	size_t at;
};

void conf_reader_init(struct conf_reader *reader, const char *data, size_t size)
{
	memset(reader, 0, sizeof *reader);
	reader->data = data;
	reader->size = size;
}

static int conf_is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static int conf_is_control(char c)
{
	unsigned char u = (unsigned char)c;

	return (u < 0x20 && u != '\t') || u == 0x7f;
}

static int conf_is_name_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

void conf_show(const char *word, size_t length, char out[CONF_SHOWN_MAX])
{
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char u = (unsigned char)word[i];
		int control = u < 0x20 || u == 0x7f;

		/* Room for this one, the dots and the NUL. */
		if (used + (control ? 4 : 1) + 4 > CONF_SHOWN_MAX) {
			used += (size_t)snprintf(out + used, CONF_SHOWN_MAX - used, "...");
			break;
		}
		if (control)
			used += (size_t)snprintf(out + used, CONF_SHOWN_MAX - used, "\\x%02x", u);
		else
			out[used++] = word[i];
	}
	out[used] = '\0';
}

/* Fill *fault for a place in the line. The word shown is the setting's name, or the offending
 * byte where it is harmless; never the text of a value. */
static int conf_fail(const struct conf_reader *reader, struct conf_fault *fault, size_t at,
		     const char *word, size_t length, const char *problem, const char *expected)
{
	fault->line = reader->line;
	fault->column = (unsigned)at + 1;
	fault->problem = problem;
	fault->expected = expected;
	conf_show(word, length, fault->word);
	return RC_CONFIG;
}

static int conf_fail_value(const struct conf_reader *reader, struct conf_fault *fault, size_t at,
			   const char *problem, const char *expected)
{
	const char *name = conf_word(reader, 0);

	return conf_fail(reader, fault, at, name, strlen(name), problem, expected);
}

/* Cut the next line out of the buffer. 1 when there was one, 0 at the end. */
static int conf_line_cut(struct conf_reader *reader, struct conf_line *line)
{
	const char *start = reader->data + reader->at;
	size_t left = reader->size - reader->at;
	const char *lf;

	if (left == 0)
		return 0;
	lf = memchr(start, '\n', left);
	line->data = start;
	line->size = lf ? (size_t)(lf - start) : left;
	line->at = 0;
	reader->at += line->size + (lf != NULL);
	if (line->size > 0 && start[line->size - 1] == '\r')
		line->size--;
	reader->line++;
	return 1;
}

/* Refuse what no line may hold, before any word of it is looked at. */
static int conf_line_check(const struct conf_reader *reader, const struct conf_line *line,
			   struct conf_fault *fault)
{
	if (line->size > CONF_LINE_MAX)
		return conf_fail(reader, fault, CONF_LINE_MAX, "", 0, "line is too long",
				 "at most 4096 bytes");
	for (size_t i = 0; i < line->size; i++) {
		if (line->data[i] == '\0')
			return conf_fail(reader, fault, i, line->data + i, 1, "NUL byte",
					 "a text file");
		if (conf_is_control(line->data[i]))
			return conf_fail(reader, fault, i, line->data + i, 1, "control character",
					 "printable text, blanks and tabs");
	}
	return 0;
}

/* The NAME that opens a setting. */
static int conf_name_read(struct conf_reader *reader, struct conf_line *line,
			  struct conf_fault *fault)
{
	const char *start = line->data + line->at;
	size_t length = 0, shown = 0, left = line->size - line->at;

	while (length < left && conf_is_name_char(start[length]))
		length++;
	if (length == 0 || !(start[0] >= 'A' && start[0] <= 'Z') ||
	    (length < left && !conf_is_blank(start[length]))) {
		/* `password=x` must not be repeated whole: show it up to the odd character. */
		while (shown < left && start[0] != '"' && !conf_is_blank(start[shown]) &&
		       start[shown] != '=' && start[shown] != ':' && start[shown] != '"')
			shown++;
		return conf_fail(reader, fault, line->at, start, shown, "this is not a name",
				 "a NAME in capitals (A-Z, 0-9, _), a blank, then its value");
	}
	memcpy(reader->text, start, length);
	reader->text[length] = '\0';
	reader->words[0] = (struct conf_word){ .offset = 0,
					       .length = (uint16_t)length,
					       .column = (uint16_t)(line->at + 1) };
	reader->words_count = 1;
	line->at += length;
	return 0;
}

/* Copy a quoted word, the opening quote being at line->at, to `out`; its length into *length. */
static int conf_quoted_read(const struct conf_reader *reader, struct conf_line *line, char *out,
			    size_t *length, struct conf_fault *fault)
{
	size_t open = line->at++;

	*length = 0;
	for (; line->at < line->size; line->at++) {
		char c = line->data[line->at];

		if (c == '"') {
			line->at++;
			if (line->at < line->size && !conf_is_blank(line->data[line->at]))
				return conf_fail_value(reader, fault, line->at,
						       "text right behind a closing quote",
						       "a blank or the end of the line "
						       "(write \\\" for a quote inside)");
			return 0;
		}
		if (c == '\\') {
			char next = line->at + 1 < line->size ? line->data[line->at + 1] : '\0';

			if (next != '"' && next != '\\')
				return conf_fail_value(reader, fault, line->at,
						       "lone backslash inside quotes",
						       "\\\\ for a backslash or \\\" for a quote");
			c = next;
			line->at++;
		}
		out[(*length)++] = c;
	}
	return conf_fail_value(reader, fault, open, "quote is never closed",
			       "a closing \" on the same line");
}

/* Copy a word without quotes. */
static int conf_bare_read(const struct conf_reader *reader, struct conf_line *line, char *out,
			  size_t *length, struct conf_fault *fault)
{
	for (*length = 0; line->at < line->size; line->at++) {
		char c = line->data[line->at];

		if (conf_is_blank(c))
			break;
		if (c == '"')
			return conf_fail_value(reader, fault, line->at,
					       "quote in the middle of a word",
					       "quotes around the whole word");
		out[(*length)++] = c;
	}
	return 0;
}

/* All values of the setting whose name has been read. */
static int conf_values_read(struct conf_reader *reader, struct conf_line *line,
			    struct conf_fault *fault)
{
	size_t used = (size_t)reader->words[0].length + 1;

	for (;;) {
		struct conf_word word = { .offset = (uint16_t)used };
		size_t length, behind = line->at;
		int rc;

		while (line->at < line->size && conf_is_blank(line->data[line->at]))
			line->at++;
		if (line->at == line->size || line->data[line->at] == '#') {
			reader->end_column = (unsigned)behind + 1;
			if (reader->words_count == 1)
				return conf_fail_value(reader, fault, behind, "no value",
						       "a value behind the name");
			return 0;
		}
		word.column = (uint16_t)(line->at + 1);
		rc = line->data[line->at] == '"'
			     ? conf_quoted_read(reader, line, reader->text + used, &length, fault)
			     : conf_bare_read(reader, line, reader->text + used, &length, fault);
		if (rc)
			return rc;
		/* Never false: a word and its separator take as many bytes in the line. */
		assert(used + length < sizeof reader->text);
		assert(reader->words_count < CONF_WORDS_MAX);
		reader->text[used + length] = '\0';
		word.length = (uint16_t)length;
		reader->words[reader->words_count++] = word;
		used += length + 1;
	}
}

int conf_next(struct conf_reader *reader, struct conf_fault *fault)
{
	struct conf_line line;

	reader->words_count = 0;
	while (conf_line_cut(reader, &line)) {
		int rc = conf_line_check(reader, &line, fault);

		if (rc)
			return rc;
		while (line.at < line.size && conf_is_blank(line.data[line.at]))
			line.at++;
		if (line.at == line.size || line.data[line.at] == '#')
			continue;
		rc = conf_name_read(reader, &line, fault);
		if (rc == 0)
			rc = conf_values_read(reader, &line, fault);
		return rc ? rc : 1;
	}
	return 0;
}

const char *conf_word(const struct conf_reader *reader, size_t i)
{
	assert(i < reader->words_count);
	return reader->text + reader->words[i].offset;
}

unsigned conf_column(const struct conf_reader *reader, size_t i)
{
	return i < reader->words_count ? reader->words[i].column : reader->end_column;
}

void conf_reader_wipe(struct conf_reader *reader)
{
	explicit_bzero(reader->text, sizeof reader->text);
	reader->words_count = 0;
}

static int conf_needs_quotes(const char *value)
{
	if (value[0] == '\0' || value[0] == '#')
		return 1;
	for (const char *c = value; *c; c++)
		if (conf_is_blank(*c) || *c == '"')
			return 1;
	return 0;
}

long conf_quote(const char *value, char *out, size_t size)
{
	int quotes = conf_needs_quotes(value);
	size_t used = 0;

#define PUT(c)                                                                                     \
	do {                                                                                       \
		if (used + 1 < size)                                                               \
			out[used] = (c);                                                           \
		used++;                                                                            \
	} while (0)
	if (quotes)
		PUT('"');
	for (const char *c = value; *c; c++) {
		if (conf_is_control(*c))
			return -1;
		if (quotes && (*c == '"' || *c == '\\'))
			PUT('\\');
		PUT(*c);
	}
	if (quotes)
		PUT('"');
#undef PUT
	if (size > 0)
		out[used < size ? used : size - 1] = '\0';
	return (long)used;
}
