/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_history.c - records to and from lines of JSON; see fence_history.h. Locking, rotation and
 * torn tails are host/journal.c's.
 */
#include "fence-agents/fencer/fence_history.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "host/journal.h"

enum {
	FILE_BYTES_MAX = 4 << 20, /* some ten thousand records, twice with PATH.1 */
	LINE_BYTES_MAX = 16 << 10,
	TEXT_BYTES_MAX = 1024, /* of one string in a record */
};

static const char *const kind_words[] = {
	[FENCE_HISTORY_TARGET] = "target",
	[FENCE_HISTORY_DEVICE] = "device",
};

/* ---- writing ---- */

static json_t *text_json(const char *text)
{
	char clean[TEXT_BYTES_MAX];

	text_clean(clean, sizeof clean, text, strlen(text));
	return json_string(clean);
}

static char *record_line(const struct fence_history_record *r)
{
	json_t *object = json_pack(
		"{s:I, s:s, s:o, s:o, s:o, s:o, s:i, s:s, s:s, s:s, s:b, s:b, s:I, s:o, s:o}",
		"time", (json_int_t)r->time_s, "kind", kind_words[r->kind], "operation",
		text_json(r->operation), "target", text_json(r->target), "device",
		text_json(r->device), "plugs", text_json(r->plugs), "level", (int)r->level,
		"result", r->result, "state", r->state, "proof", r->proof, "off_proven",
		r->off_proven, "on_proven", r->on_proven, "elapsed_ms", (json_int_t)r->elapsed_ms,
		"message", text_json(r->message), "operator", text_json(r->operator_name));
	char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	return line;
}

int fence_history_text(const struct fence_history_record *records, size_t count, char **text,
		       size_t *bytes, struct err *err)
{
	FILE *out;
	int failed = 0;

	*text = NULL;
	*bytes = 0;
	if (count == 0)
		return 0;
	out = open_memstream(text, bytes);
	for (size_t i = 0; out && !failed && i < count; i++) {
		char *line = record_line(&records[i]);

		failed = !line || fprintf(out, "%s\n", line) < 0;
		free(line);
	}
	if (out && fclose(out) == 0 && !failed)
		return 0;
	free(*text);
	*text = NULL;
	return err_set(err, RC_INTERNAL, NULL, "out of memory");
}

int fence_history_append_text(const char *path, const char *text, size_t bytes, struct err *err)
{
	return journal_append(path, text, bytes, FILE_BYTES_MAX, err);
}

int fence_history_append(const char *path, const struct fence_history_record *records, size_t count,
			 struct err *err)
{
	char *text;
	size_t bytes;
	int rc = fence_history_text(records, count, &text, &bytes, err);

	if (rc == 0 && text)
		rc = fence_history_append_text(path, text, bytes, err);
	free(text);
	return rc;
}

/* ---- reading ---- */

struct reader {
	int (*cb)(void *arg, const struct fence_history_record *record);
	void *arg;
	size_t skipped;
};

static int text_get(const json_t *object, const char *key, const char **text)
{
	*text = json_string_value(json_object_get(object, key));
	return *text != NULL;
}

static int integer_get(const json_t *object, const char *key, int64_t *value)
{
	const json_t *member = json_object_get(object, key);

	*value = json_integer_value(member);
	return json_is_integer(member);
}

static int flag_get(const json_t *object, const char *key, int *value)
{
	const json_t *member = json_object_get(object, key);

	*value = json_is_true(member);
	return json_is_boolean(member);
}

static int kind_get(const json_t *object, enum fence_history_kind *kind)
{
	const char *word;

	if (!text_get(object, "kind", &word))
		return 0;
	for (unsigned i = 0; i < sizeof kind_words / sizeof kind_words[0]; i++) {
		if (strcmp(word, kind_words[i]) == 0) {
			*kind = (enum fence_history_kind)i;
			return 1;
		}
	}
	return 0;
}

/* All members must be there and of their type; others are left to later versions. */
static int record_read(const json_t *object, struct fence_history_record *r)
{
	int64_t level;

	if (!integer_get(object, "time", &r->time_s) || !kind_get(object, &r->kind) ||
	    !text_get(object, "operation", &r->operation) ||
	    !text_get(object, "target", &r->target) || !text_get(object, "device", &r->device) ||
	    !text_get(object, "plugs", &r->plugs) || !integer_get(object, "level", &level) ||
	    !text_get(object, "result", &r->result) || !text_get(object, "state", &r->state) ||
	    !text_get(object, "proof", &r->proof) ||
	    !flag_get(object, "off_proven", &r->off_proven) ||
	    !flag_get(object, "on_proven", &r->on_proven) ||
	    !integer_get(object, "elapsed_ms", &r->elapsed_ms) ||
	    !text_get(object, "message", &r->message) ||
	    !text_get(object, "operator", &r->operator_name) || level < 0 || level > 9)
		return 0;
	r->level = (unsigned)level;
	return 1;
}

static int line_read(void *arg, const char *line, size_t bytes)
{
	struct reader *reader = arg;
	struct fence_history_record record;
	json_t *object;
	int stop = 0;

	if (bytes == 0)
		return 0;
	object = line ? json_loadb(line, bytes, JSON_REJECT_DUPLICATES, NULL) : NULL;
	if (json_is_object(object) && record_read(object, &record))
		stop = reader->cb(reader->arg, &record);
	else
		reader->skipped++;
	json_decref(object);
	return stop;
}

int fence_history_read(const char *path,
		       int (*cb)(void *arg, const struct fence_history_record *record), void *arg,
		       size_t *skipped, struct err *err)
{
	struct reader reader = { .cb = cb, .arg = arg };
	int rc = journal_read(path, LINE_BYTES_MAX, line_read, &reader, err);

	if (skipped)
		*skipped = reader.skipped;
	return rc;
}
