/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * conf.h - the `NAME value` dialect of the cluster file: its words, not its meaning.
 *
 * Callers: every reader of a configuration file (the fence section now). The lexer knows no
 * names; what a name means, and how many values it takes, is the caller's business.
 *
 *	NODE_NAME	node1			# from here on a comment
 *	FENCE_OPTION	password	"blank, # and \" and \\ inside"
 *
 * One setting a line: a NAME (a capital letter, then capitals, digits and `_`), then one value
 * or more, separated by blanks and tabs. A line may end in LF or CRLF. `"..."` makes a word of
 * whatever is between the quotes; inside, \" is a quote and \\ a backslash, and no other
 * backslash is allowed. Quotes stand around a whole word, never in the middle of one. `#` where a
 * word would begin starts a comment. Control characters other than the tab are errors, bytes
 * above 127 are ordinary. A line holds at most CONF_LINE_MAX bytes.
 *
 * Values may be secrets: a fault never repeats the text of a value, only the name before it.
 * Columns count bytes, from 1.
 * Ownership: the reader points into the caller's buffer; the words of a setting live in the
 * reader until the next conf_next(). conf_reader_wipe() when values may be secret.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_CONF_H
#define HOLDFAST_CONF_H

#include <stddef.h>
#include <stdint.h>

enum {
	CONF_LINE_MAX = 4096,
	/* Words that fit in a line: one byte and one blank each. */
	CONF_WORDS_MAX = CONF_LINE_MAX / 2,
	CONF_SHOWN_MAX = 64,
};

struct conf_word {
	uint16_t offset; /* into conf_reader.text */
	uint16_t length;
	uint16_t column; /* where it begins, its quote included */
};

/* What is wrong and where. `word` is what was met, in printable form and harmless to show. */
struct conf_fault {
	unsigned line, column;
	char word[CONF_SHOWN_MAX];
	const char *problem;  /* static text: "quote is never closed" */
	const char *expected; /* static text: "a closing \"" */
};

struct conf_reader {
	const char *data;
	size_t size;
	size_t at;	     /* next byte to read */
	unsigned line;	     /* of the setting last returned */
	unsigned end_column; /* just behind its last word: where one more would have begun */
	size_t words_count;  /* name included, so at least 2 after conf_next() returned 1 */
	struct conf_word words[CONF_WORDS_MAX];
	char text[CONF_LINE_MAX + 1]; /* the words without quotes, each ended by NUL */
};

/* Start reading a buffer, which must outlive the reader. NUL bytes in it are faults. */
void conf_reader_init(struct conf_reader *reader, const char *data, size_t size);

/* The next setting: 1 when there is one, 0 at the end, RC_CONFIG with *fault filled. After a
 * fault the reader stands at the line behind it. */
int conf_next(struct conf_reader *reader, struct conf_fault *fault);

/* Word i of the setting, 0 being its name; NUL-terminated. i < words_count. */
const char *conf_word(const struct conf_reader *reader, size_t i);

/* Its column; for i == words_count the column where it would have begun. */
unsigned conf_column(const struct conf_reader *reader, size_t i);

/* Overwrite the words that the reader still holds. */
void conf_reader_wipe(struct conf_reader *reader);

/* The form of a value that reads back as the same value, quoted only where needed. Writes at
 * most size bytes with the NUL and returns the length of the whole, like snprintf; -1 when the
 * dialect cannot hold the value (control characters). */
long conf_quote(const char *value, char *out, size_t size);

/* A printable copy of a word for a message: control characters as \xNN, cut with "..." */
void conf_show(const char *word, size_t length, char out[CONF_SHOWN_MAX]);

#endif
