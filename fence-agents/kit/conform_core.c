/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conform_core.c - see conform_core.h.
 */
#include "fence-agents/kit/conform_core.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* Exit status of `status` for a plug that is off (fence agent API). */
enum { EXIT_OFF = 2 };

const char *conform_verdict_word(enum conform_verdict verdict)
{
	static const char *const words[] = {
		[CONFORM_PASS] = "pass",
		[CONFORM_FAIL] = "FAIL",
		[CONFORM_MISSED] = "should",
		[CONFORM_SKIP] = "skip",
	};

	return words[verdict];
}

const char *conform_level_word(enum conform_level level)
{
	static const char *const words[] = {
		[CONFORM_MUST] = "must",
		[CONFORM_SHOULD] = "should",
		[CONFORM_HOLDFAST] = "holdfast",
	};

	return words[level];
}

enum conform_verdict conform_verdict_of(enum conform_level level, int met)
{
	if (met)
		return CONFORM_PASS;
	return level == CONFORM_SHOULD ? CONFORM_MISSED : CONFORM_FAIL;
}

static int exit_is_met(enum conform_expect expect, int status)
{
	switch (expect) {
	case CONFORM_EXPECT_OK:
	case CONFORM_EXPECT_ON:
		return status == 0;
	case CONFORM_EXPECT_OFF:
		return status == EXIT_OFF;
	case CONFORM_EXPECT_STATE:
		return status == 0 || status == EXIT_OFF;
	case CONFORM_EXPECT_FAIL:
		return status != 0;
	case CONFORM_EXPECT_NO_STATE:
		return status != 0 && status != EXIT_OFF;
	}
	return 0;
}

static const char *expect_text(enum conform_expect expect)
{
	static const char *const texts[] = {
		[CONFORM_EXPECT_OK] = "0",
		[CONFORM_EXPECT_ON] = "0 (on)",
		[CONFORM_EXPECT_OFF] = "2 (off)",
		[CONFORM_EXPECT_STATE] = "0 (on) or 2 (off)",
		[CONFORM_EXPECT_FAIL] = "1 (failed)",
		[CONFORM_EXPECT_NO_STATE] = "1 (failed), for 0 is on and 2 is off",
	};

	return texts[expect];
}

int conform_judge(enum conform_expect expect, const struct conform_seen *seen, char *why,
		  size_t size)
{
	char line[200];

	why[0] = '\0';
	if (seen->timed_out) {
		snprintf(why, size,
			 "did not end in time and was killed; required is exit status %s",
			 expect_text(expect));
		return 0;
	}
	if (seen->term_signal) {
		snprintf(why, size, "was ended by signal %d; required is exit status %s",
			 seen->term_signal, expect_text(expect));
		return 0;
	}
	if (exit_is_met(expect, seen->exit_status))
		return 1;
	/* A success that should be none tells on stdout what it did; a failure, on stderr why. */
	line[0] = '\0';
	if (seen->exit_status != 0)
		conform_last_line(seen->err, seen->err_bytes, line, sizeof line);
	if (!line[0])
		conform_last_line(seen->out, seen->out_bytes, line, sizeof line);
	if (!line[0])
		conform_last_line(seen->err, seen->err_bytes, line, sizeof line);
	snprintf(why, size, "exit status %d%s%s%s; required is %s", seen->exit_status,
		 line[0] ? " (" : "", line, line[0] ? ")" : "", expect_text(expect));
	return 0;
}

int conform_has_words(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (!isspace((unsigned char)text[i]))
			return 1;
	return 0;
}

void conform_last_line(const char *text, size_t bytes, char *line, size_t size)
{
	size_t to = bytes, from;

	while (to > 0 && isspace((unsigned char)text[to - 1]))
		to--;
	for (from = to; from > 0 && text[from - 1] != '\n';)
		from--;
	text_clean(line, size, text + from, to - from);
}

/* ---- XML ---- */

static int begins_with(const char *text, size_t bytes, const char *word)
{
	return bytes >= strlen(word) && memcmp(text, word, strlen(word)) == 0;
}

int conform_is_xml_only(const char *text, size_t bytes, char *why, size_t size)
{
	static const char end[] = "</resource-agent>";
	char line[100];

	why[0] = '\0';
	while (bytes > 0 && isspace((unsigned char)text[0])) {
		text++;
		bytes--;
	}
	while (bytes > 0 && isspace((unsigned char)text[bytes - 1]))
		bytes--;
	if (bytes == 0) {
		snprintf(why, size, "prints nothing");
		return 0;
	}
	if (!begins_with(text, bytes, "<?xml") && !begins_with(text, bytes, "<resource-agent")) {
		const char *newline = memchr(text, '\n', bytes);

		text_clean(line, sizeof line, text, newline ? (size_t)(newline - text) : bytes);
		snprintf(why, size, "begins with \"%s\" instead of XML", line);
		return 0;
	}
	if (bytes < sizeof end - 1 ||
	    memcmp(text + bytes - (sizeof end - 1), end, sizeof end - 1) != 0) {
		conform_last_line(text, bytes, line, sizeof line);
		snprintf(why, size, "ends with \"%s\", not with %s", line, end);
		return 0;
	}
	return 1;
}

/* ---- lists ---- */

struct field {
	const char *text;
	size_t bytes;
};

static struct field field_trim(const char *text, size_t bytes)
{
	while (bytes > 0 && isspace((unsigned char)text[0])) {
		text++;
		bytes--;
	}
	while (bytes > 0 && isspace((unsigned char)text[bytes - 1]))
		bytes--;
	return (struct field){ text, bytes };
}

static int field_is(const struct field *field, const char *word)
{
	return field->bytes == strlen(word) && memcmp(field->text, word, field->bytes) == 0;
}

static char field_state(const struct field *field)
{
	if (field->bytes == 2 && strncasecmp(field->text, "on", 2) == 0)
		return '1';
	if (field->bytes == 3 && strncasecmp(field->text, "off", 3) == 0)
		return '0';
	return '?';
}

/* Cut a line at its commas; what is beyond the third field belongs to it. Returns their number. */
static size_t line_split(const char *line, size_t bytes, struct field fields[3])
{
	size_t count = 0;

	while (count < 3) {
		const char *comma = count < 2 ? memchr(line, ',', bytes) : NULL;
		size_t length = comma ? (size_t)(comma - line) : bytes;

		fields[count++] = field_trim(line, length);
		if (!comma)
			break;
		line += length + 1;
		bytes -= length + 1;
	}
	return count;
}

static int list_line_judge(const char *line, size_t bytes, int with_state, char *why, size_t size)
{
	struct field fields[3];
	size_t count = line_split(line, bytes, fields);
	char shown[100];

	text_clean(shown, sizeof shown, line, bytes);
	if (fields[0].bytes == 0 || (count == 1 && memchr(line, ' ', bytes))) {
		snprintf(why, size, "the line \"%s\" is not PLUG,ALIAS%s", shown,
			 with_state ? ",STATE" : "");
		return 0;
	}
	if (with_state && (count < 3 || (field_state(&fields[2]) == '?' &&
					 !(fields[2].bytes == 7 &&
					   strncasecmp(fields[2].text, "unknown", 7) == 0)))) {
		snprintf(why, size, "the line \"%s\" does not end in ON, OFF or UNKNOWN", shown);
		return 0;
	}
	return 1;
}

int conform_list_judge(const char *text, size_t bytes, int with_state, const char *plug,
		       char *state, char *why, size_t size)
{
	size_t lines = 0, found = 0;

	why[0] = '\0';
	*state = 0;
	while (bytes > 0) {
		const char *newline = memchr(text, '\n', bytes);
		size_t length = newline ? (size_t)(newline - text) : bytes;
		struct field fields[3];

		if (conform_has_words(text, length)) {
			struct field line = field_trim(text, length);
			size_t count = line_split(line.text, line.bytes, fields);

			lines++;
			if (!list_line_judge(line.text, line.bytes, with_state, why, size))
				return 0;
			if (plug && (field_is(&fields[0], plug) ||
				     (count > 1 && field_is(&fields[1], plug)))) {
				found++;
				*state = (char)(count > 2 ? field_state(&fields[2]) : 0);
			}
		}
		text += length + (newline != NULL);
		bytes -= length + (newline != NULL);
	}
	if (lines == 0)
		snprintf(why, size, "prints nothing");
	else if (plug && found == 0)
		snprintf(why, size, "%zu plugs, but plug %s is not among them", lines, plug);
	return why[0] == '\0';
}

static const char *state_text(char state)
{
	return state == '1' ? "ON" : state == '0' ? "OFF" : "UNKNOWN or not there";
}

int conform_list_changed(const char *before, size_t before_bytes, const char *after,
			 size_t after_bytes, const char *plug, size_t *others, char *why,
			 size_t size)
{
	*others = 0;
	why[0] = '\0';
	while (before_bytes > 0 && !why[0]) {
		const char *newline = memchr(before, '\n', before_bytes);
		size_t length = newline ? (size_t)(newline - before) : before_bytes;
		struct field line = field_trim(before, length), fields[3];
		size_t count = line_split(line.text, line.bytes, fields);
		char name[128], ignored[200], was, is;

		if (count == 3 && field_state(&fields[2]) != '?' && !field_is(&fields[0], plug) &&
		    !field_is(&fields[1], plug) && fields[0].bytes < sizeof name) {
			memcpy(name, fields[0].text, fields[0].bytes);
			name[fields[0].bytes] = '\0';
			was = field_state(&fields[2]);
			conform_list_judge(after, after_bytes, 1, name, &is, ignored,
					   sizeof ignored);
			++*others;
			if (is != was) {
				text_clean(ignored, sizeof ignored, name, strlen(name));
				snprintf(why, size, "plug %s was %s and is %s", ignored,
					 state_text(was), state_text(is));
			}
		}
		before += length + (newline != NULL);
		before_bytes -= length + (newline != NULL);
	}
	return why[0] != '\0';
}

static int text_has(const char *text, size_t bytes, const char *word)
{
	size_t length = strlen(word);

	for (size_t i = 0; i + length <= bytes; i++)
		if (strncasecmp(text + i, word, length) == 0)
			return 1;
	return 0;
}

int conform_status_said(const char *text, size_t bytes)
{
	if (text_has(text, bytes, "status: on"))
		return 1;
	return text_has(text, bytes, "status: off") ? 0 : -1;
}

int conform_has_secret(const char *text, size_t bytes, const char *secret)
{
	return strlen(secret) >= CONFORM_SECRET_MIN &&
	       memmem(text, bytes, secret, strlen(secret)) != NULL;
}

/* ---- option names ---- */

void conform_option_name(const char *given, char *name, size_t size)
{
	static const struct {
		const char *old, *now;
	} names[] = {
		{ "ipaddr", "ip" },
		{ "login", "username" },
		{ "passwd", "password" },
		{ "port", "plug" },
		{ "option", "action" },
		{ "udpport", "ipport" },
		{ "passwd_script", "password_script" },
	};

	snprintf(name, size, "%s", given);
	for (char *at = name; *at; at++)
		if (*at == '-')
			*at = '_';
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(name, names[i].old) == 0)
			snprintf(name, size, "%s", names[i].now);
}

int conform_option_is_secret(const char *given)
{
	static const char *const words[] = { "passw",  "secret",  "community",	   "token",
					     "passph", "api_key", "hexadecimal_kg" };
	static const char *const paths[] = { "_script", "_file", "_path" };
	char name[64];

	conform_option_name(given, name, sizeof name);
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
		if (strlen(name) > strlen(paths[i]) &&
		    strcmp(name + strlen(name) - strlen(paths[i]), paths[i]) == 0)
			return 0;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strstr(name, words[i]))
			return 1;
	return 0;
}

int conform_long_option(const char *mixed, char *name, size_t size)
{
	const char *at = strstr(mixed, "--");
	size_t length;

	if (!at)
		return 0;
	at += 2;
	length = strcspn(at, "= [,|");
	if (length == 0 || length >= size)
		return 0;
	memcpy(name, at, length);
	name[length] = '\0';
	return 1;
}
