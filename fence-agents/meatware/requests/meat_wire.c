/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * meat_wire.c - requests and answers to and from text, and the matching rule; see meat_wire.h.
 *
 * One table for each of the two says what its lines are; one encoder and one decoder walk it.
 */
#include "fence-agents/meatware/requests/meat_wire.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/rc.h"
#include "base/text.h"

#define FORM_VERSION "1"
#define NEVER "never"

enum field_kind {
	FIELD_ID,
	FIELD_TARGET,
	FIELD_TEXT,    /* may be empty */
	FIELD_NAME,    /* a text that may not */
	FIELD_WANT,    /* enum power_state */
	FIELD_VERDICT, /* enum meat_verdict */
	FIELD_INT,     /* int64_t, not negative */
	FIELD_UINT,    /* uint64_t */
	FIELD_MONO,
};

struct field {
	const char *name;
	enum field_kind kind;
	size_t offset;
	size_t size; /* of the buffer of a text */
};

struct form {
	const char *magic;
	const struct field *fields;
	size_t fields_count;
};

#define REQUEST(n, k, m)                                                                           \
	{                                                                                          \
		(n), (k), offsetof(struct meat_request, m), sizeof((struct meat_request *)0)->m    \
	}
#define ANSWER(n, k, m)                                                                            \
	{                                                                                          \
		(n), (k), offsetof(struct meat_answer, m), sizeof((struct meat_answer *)0)->m      \
	}

/* The id comes first in both: the END line repeats it. */
static const struct field request_fields[] = {
	REQUEST("ID", FIELD_ID, id),
	REQUEST("TARGET", FIELD_TARGET, target),
	REQUEST("WANT", FIELD_WANT, want),
	REQUEST("TASK", FIELD_NAME, task),
	REQUEST("REASON", FIELD_TEXT, reason),
	REQUEST("HOST", FIELD_NAME, host),
	REQUEST("BOOT_ID", FIELD_NAME, boot_id),
	REQUEST("PID", FIELD_INT, pid),
	REQUEST("PID_START", FIELD_UINT, pid_start),
	REQUEST("CALLER", FIELD_TEXT, caller),
	REQUEST("ASKED_AT", FIELD_INT, asked_at_s),
	REQUEST("ASKED", FIELD_MONO, asked),
	REQUEST("EXPIRES", FIELD_MONO, expires),
};

static const struct field answer_fields[] = {
	ANSWER("ID", FIELD_ID, id),
	ANSWER("TARGET", FIELD_TARGET, target),
	ANSWER("WANT", FIELD_WANT, want),
	ANSWER("VERDICT", FIELD_VERDICT, verdict),
	ANSWER("BOOT_ID", FIELD_NAME, boot_id),
	ANSWER("ANSWERED_AT", FIELD_INT, answered_at_s),
	ANSWER("ANSWERED", FIELD_MONO, answered),
	ANSWER("OPERATOR", FIELD_NAME, operator_name),
	ANSWER("LOGIN", FIELD_TEXT, login),
	ANSWER("SUDO_USER", FIELD_TEXT, sudo_user),
	ANSWER("TERMINAL", FIELD_NAME, terminal),
	ANSWER("REMOTE", FIELD_TEXT, remote),
};

static const struct form request_form = {
	.magic = "MEATWARE_REQUEST",
	.fields = request_fields,
	.fields_count = sizeof request_fields / sizeof request_fields[0],
};

static const struct form answer_form = {
	.magic = "MEATWARE_ANSWER",
	.fields = answer_fields,
	.fields_count = sizeof answer_fields / sizeof answer_fields[0],
};

static const char *const verdict_words[] = {
	[MEAT_VERDICT_DONE] = "done",
	[MEAT_VERDICT_REFUSED] = "refused",
};

/* ---- what may stand in a field ---- */

int meat_target_ok(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > MEAT_TARGET_MAX)
		return 0;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)name[i] > 127 ||
		    (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i])))
			return 0;
	return 1;
}

int meat_id_ok(const char *id)
{
	return strlen(id) == MEAT_ID_DIGITS && strspn(id, "0123456789abcdef") == MEAT_ID_DIGITS;
}

/* Texts reach terminals and logs: only what text_clean() would leave as it is. */
static int text_ok(const char *text, size_t size)
{
	char clean[MEAT_TEXT_MAX];
	size_t length = strlen(text);

	return length < size && text_clean(clean, sizeof clean, text, length) == length &&
	       memcmp(clean, text, length) == 0;
}

static int field_text_ok(const struct field *field, const char *text)
{
	switch (field->kind) {
	case FIELD_ID:
		return meat_id_ok(text);
	case FIELD_TARGET:
		return meat_target_ok(text);
	case FIELD_NAME:
		return *text && text_ok(text, field->size);
	default:
		return text_ok(text, field->size);
	}
}

/* ---- to text ---- */

struct output {
	char *text;
	size_t size, used;
	int failed;
};

static void put_line(struct output *out, const char *name, const char *value)
{
	char quoted[2 * MEAT_TEXT_MAX + 3];
	long quoted_length = conf_quote(value, quoted, sizeof quoted);
	int length;

	if (out->failed || quoted_length < 0 || (size_t)quoted_length >= sizeof quoted) {
		out->failed = 1;
		return;
	}
	length = snprintf(out->text + out->used, out->size - out->used, "%s %s\n", name, quoted);
	if (length < 0 || (size_t)length >= out->size - out->used)
		out->failed = 1;
	else
		out->used += (size_t)length;
}

static void put_field(struct output *out, const struct field *field, const void *member)
{
	char number[32];
	const char *text = number;

	switch (field->kind) {
	case FIELD_ID:
	case FIELD_TARGET:
	case FIELD_TEXT:
	case FIELD_NAME:
		text = member;
		if (!field_text_ok(field, text))
			out->failed = 1;
		break;
	case FIELD_WANT: {
		enum power_state want = *(const enum power_state *)member;

		text = power_word(want);
		if (want != POWER_ON && want != POWER_OFF)
			out->failed = 1;
		break;
	}
	case FIELD_VERDICT: {
		enum meat_verdict verdict = *(const enum meat_verdict *)member;

		if (verdict != MEAT_VERDICT_DONE && verdict != MEAT_VERDICT_REFUSED) {
			out->failed = 1;
			return;
		}
		text = verdict_words[verdict];
		break;
	}
	case FIELD_INT:
		snprintf(number, sizeof number, "%" PRId64, *(const int64_t *)member);
		if (*(const int64_t *)member < 0)
			out->failed = 1;
		break;
	case FIELD_UINT:
		snprintf(number, sizeof number, "%" PRIu64, *(const uint64_t *)member);
		break;
	case FIELD_MONO: {
		mono_t moment = *(const mono_t *)member;

		snprintf(number, sizeof number, "%" PRId64, moment.ns);
		if (mono_is_never(moment))
			text = NEVER;
		else if (moment.ns < 0)
			out->failed = 1;
		break;
	}
	}
	put_line(out, field->name, text);
}

static long form_encode(const struct form *form, const void *record, char *text, size_t size)
{
	struct output out = { .text = text, .size = size };

	put_line(&out, form->magic, FORM_VERSION);
	for (size_t i = 0; i < form->fields_count; i++)
		put_field(&out, &form->fields[i], (const char *)record + form->fields[i].offset);
	put_line(&out, "END", (const char *)record + form->fields[0].offset);
	return out.failed || out.used > MEAT_FILE_MAX ? -1 : (long)out.used;
}

long meat_request_encode(const struct meat_request *request, char *out, size_t size)
{
	return form_encode(&request_form, request, out, size);
}

long meat_answer_encode(const struct meat_answer *answer, char *out, size_t size)
{
	return form_encode(&answer_form, answer, out, size);
}

/* ---- from text ---- */

/* Decimal digits and no more: one number has one form. */
static int number_get(const char *text, uint64_t max, uint64_t *number)
{
	char *end;
	unsigned long long value;

	if (!isdigit((unsigned char)*text) || (text[0] == '0' && text[1]))
		return 0;
	errno = 0;
	value = strtoull(text, &end, 10);
	*number = value;
	return errno == 0 && *end == '\0' && value <= max;
}

static int get_field(const struct field *field, const char *text, void *member)
{
	uint64_t number = 0;

	switch (field->kind) {
	case FIELD_ID:
	case FIELD_TARGET:
	case FIELD_TEXT:
	case FIELD_NAME:
		if (!field_text_ok(field, text))
			return 0;
		memcpy(member, text, strlen(text) + 1);
		return 1;
	case FIELD_WANT: {
		enum power_state want = power_from_word(text);

		*(enum power_state *)member = want;
		return want == POWER_ON || want == POWER_OFF;
	}
	case FIELD_VERDICT:
		for (int i = MEAT_VERDICT_DONE; i <= MEAT_VERDICT_REFUSED; i++)
			if (strcmp(text, verdict_words[i]) == 0) {
				*(enum meat_verdict *)member = (enum meat_verdict)i;
				return 1;
			}
		return 0;
	case FIELD_INT:
		if (!number_get(text, INT64_MAX, &number))
			return 0;
		*(int64_t *)member = (int64_t)number;
		return 1;
	case FIELD_UINT:
		return number_get(text, UINT64_MAX, member);
	case FIELD_MONO:
		if (strcmp(text, NEVER) == 0) {
			*(mono_t *)member = MONO_NEVER;
			return 1;
		}
		/* The largest number would be a second form of "never". */
		if (!number_get(text, INT64_MAX - 1, &number))
			return 0;
		*(mono_t *)member = (mono_t){ (int64_t)number };
		return 1;
	}
	return 0;
}

/* The next line, which must have this name and one value; NULL when it does not. */
static const char *line_get(struct conf_reader *reader, const char *name)
{
	struct conf_fault fault;

	if (conf_next(reader, &fault) != 1 || reader->words_count != 2 ||
	    strcmp(conf_word(reader, 0), name) != 0)
		return NULL;
	return conf_word(reader, 1);
}

static const char *form_decode(const struct form *form, void *record, const char *data, size_t size)
{
	struct conf_reader reader;
	struct conf_fault fault;
	const char *text;

	if (size > MEAT_FILE_MAX)
		return "it is too large";
	conf_reader_init(&reader, data, size);
	text = line_get(&reader, form->magic);
	if (!text)
		return "it does not begin as such a file does";
	if (strcmp(text, FORM_VERSION) != 0)
		return "it was written by another version";
	for (size_t i = 0; i < form->fields_count; i++) {
		const struct field *field = &form->fields[i];

		text = line_get(&reader, field->name);
		if (!text || !get_field(field, text, (char *)record + field->offset))
			return "it is torn or damaged";
	}
	text = line_get(&reader, "END");
	if (!text || strcmp(text, (const char *)record + form->fields[0].offset) != 0)
		return "its end is missing";
	if (conf_next(&reader, &fault) != 0)
		return "something follows its end";
	return NULL;
}

int meat_request_decode(struct meat_request *request, const char *data, size_t size,
			const char **why)
{
	*request = (struct meat_request){ 0 };
	*why = form_decode(&request_form, request, data, size);
	if (*why)
		*request = (struct meat_request){ 0 };
	return *why ? RC_PROTOCOL : 0;
}

int meat_answer_decode(struct meat_answer *answer, const char *data, size_t size, const char **why)
{
	*answer = (struct meat_answer){ 0 };
	*why = form_decode(&answer_form, answer, data, size);
	if (*why)
		*answer = (struct meat_answer){ 0 };
	return *why ? RC_PROTOCOL : 0;
}

/* ---- the rules ---- */

enum meat_standing meat_standing_of(const struct meat_request *request, const char *boot_id,
				    int asker_runs, mono_t now)
{
	/* Of another boot neither the process id nor the times mean anything here. */
	if (strcmp(request->boot_id, boot_id) != 0)
		return MEAT_OTHER_BOOT;
	if (!asker_runs)
		return MEAT_ASKER_GONE;
	if (mono_reached(now, request->expires))
		return MEAT_EXPIRED;
	return MEAT_WAITING;
}

const char *meat_standing_word(enum meat_standing standing)
{
	static const char *const words[] = {
		[MEAT_WAITING] = "waiting",
		[MEAT_EXPIRED] = "expired",
		[MEAT_ASKER_GONE] = "asker-gone",
		[MEAT_OTHER_BOOT] = "other-boot",
	};

	return words[standing];
}

const char *meat_standing_reason(enum meat_standing standing)
{
	static const char *const reasons[] = {
		[MEAT_WAITING] = "",
		[MEAT_EXPIRED] = "its time is up, and the agent has reported failure",
		[MEAT_ASKER_GONE] = "the agent that asked no longer runs",
		[MEAT_OTHER_BOOT] = "it is from before the last start of this machine",
	};

	return reasons[standing];
}

enum meat_verdict meat_answer_match(const struct meat_request *request,
				    const struct meat_answer *answer, mono_t now)
{
	if (!meat_id_ok(request->id) || strcmp(request->id, answer->id) != 0 ||
	    strcmp(request->target, answer->target) != 0 || request->want != answer->want ||
	    strcmp(request->boot_id, answer->boot_id) != 0)
		return MEAT_VERDICT_NONE;
	if (mono_before(answer->answered, request->asked) || mono_before(now, answer->answered) ||
	    mono_reached(now, request->expires))
		return MEAT_VERDICT_NONE;
	return answer->verdict;
}
