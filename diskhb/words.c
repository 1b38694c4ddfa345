/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * words.c - last words; see words.h.
 */
#include "diskhb/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

void words_init(struct words *words)
{
	memset(words, 0, sizeof *words);
	words->next_line = 1;
}

static uint64_t lines_of(const struct words_record *record)
{
	uint64_t count = 0;

	for (size_t i = 0; i < record->bytes; i++)
		count += record->text[i] == '\n';
	return count;
}

void words_take(struct words *words, const struct words_record *records,
		const enum record_verdict *verdicts)
{
	words_init(words);
	for (unsigned i = 0; i < SLOT_WORDS_RECORDS; i++) {
		uint64_t end = records[i].line + lines_of(&records[i]);

		/* A number near the end of all numbers is none of ours. */
		if (verdicts[i] != RECORD_OK || records[i].line == 0 || end > UINT64_MAX / 2)
			continue;
		words->records[i] = records[i];
		if (end > words->next_line) {
			words->next_line = end;
			words->current = i;
		}
	}
}

void words_add(struct words *words, uint64_t wall_s, uint64_t boot_ms, const char *text)
{
	struct words_record *record = &words->records[words->current];
	char line[WORDS_LINE_MAX], clean[WORDS_LINE_MAX];
	int bytes;

	text_clean(clean, sizeof clean - 48, text, strlen(text));
	bytes = snprintf(line, sizeof line, "%" PRIu64 " %" PRIu64 " %s\n", wall_s, boot_ms, clean);
	if ((size_t)bytes > SLOT_WORDS_BYTES - (size_t)record->bytes) {
		words->current = (words->current + 1) % SLOT_WORDS_RECORDS;
		record = &words->records[words->current];
		memset(record, 0, sizeof *record);
	}
	if (record->line == 0)
		record->line = words->next_line;
	memcpy(record->text + record->bytes, line, (size_t)bytes);
	record->bytes = (uint16_t)(record->bytes + bytes);
	words->next_line++;
}

/* A number and the blank behind it; 0 when there is none. */
static uint64_t number_take(const char **at, const char *end)
{
	uint64_t value = 0;
	const char *p = *at;

	while (p < end && *p >= '0' && *p <= '9')
		value = value * 10 + (uint64_t)(*p++ - '0');
	if (p == *at || p == end || *p != ' ')
		return 0;
	*at = p + 1;
	return value;
}

static void line_read(struct words_line *line, uint64_t number, const char *at, const char *end)
{
	line->number = number;
	line->wall_s = number_take(&at, end);
	line->boot_ms = number_take(&at, end);
	line->text = at;
	line->bytes = (size_t)(end - at);
}

int words_next(const struct words *words, uint64_t after, struct words_line *line)
{
	int found = 0;

	for (unsigned i = 0; i < SLOT_WORDS_RECORDS; i++) {
		const struct words_record *record = &words->records[i];
		const char *at = record->text, *stop = record->text + record->bytes;
		uint64_t number = record->line;

		for (; at < stop; number++) {
			const char *end = memchr(at, '\n', (size_t)(stop - at));

			if (!end)
				break;
			if (number > after && (!found || number < line->number)) {
				line_read(line, number, at, end);
				found = 1;
				break;
			}
			at = end + 1;
		}
	}
	return found;
}
