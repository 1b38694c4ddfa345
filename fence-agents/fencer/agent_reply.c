/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * agent_reply.c - reading agents' answers; see agent_reply.h.
 */
#include "fence-agents/fencer/agent_reply.h"

#include <ctype.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { STATUS_EXIT_OFF = 2 }; /* fence agent API: status of a plug that is off */

const char *fencer_verb_word(enum fencer_verb verb)
{
	static const char *const words[] = {
		[FENCER_VERB_OFF] = "off",	 [FENCER_VERB_ON] = "on",
		[FENCER_VERB_STATUS] = "status", [FENCER_VERB_LIST] = "list",
		[FENCER_VERB_PROBE] = "probe",
	};

	return words[verb];
}

struct line {
	const char *text;
	size_t length;
};

static void reply_fail(struct agent_reply *reply, int rc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void reply_fail(struct agent_reply *reply, int rc, const char *fmt, ...)
{
	char raw[sizeof reply->message];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof raw, fmt, ap);
	va_end(ap);
	text_clean(reply->message, sizeof reply->message, raw, strlen(raw));
	reply->core.rc = rc;
}

/* The line that ends before *end, without white space at its ends; moves *end to its start.
 * Returns 0 when there is none left. */
static int line_before(const char *text, size_t *end, struct line *line)
{
	size_t to = *end, from;

	if (to == 0)
		return 0;
	if (text[to - 1] == '\n')
		to--;
	from = to;
	while (from > 0 && text[from - 1] != '\n')
		from--;
	*end = from;
	while (from < to && isspace((unsigned char)text[from]))
		from++;
	while (to > from && isspace((unsigned char)text[to - 1]))
		to--;
	*line = (struct line){ text + from, to - from };
	return 1;
}

static int line_has(const struct line *line, const char *word)
{
	size_t length = strlen(word);

	for (size_t i = 0; i + length <= line->length; i++)
		if (strncasecmp(line->text + i, word, length) == 0)
			return 1;
	return 0;
}

static int line_is(const struct line *line, const char *word)
{
	return line->length == strlen(word) && strncasecmp(line->text, word, line->length) == 0;
}

/* ---- agents made with the SDK ---- */

static json_t *result_object(const struct child_result *result)
{
	size_t end = result->out_bytes;
	struct line line;

	while (line_before(result->out, &end, &line)) {
		json_t *object;

		if (line.length < 2 || line.text[0] != '{')
			continue;
		object = json_loadb(line.text, line.length, JSON_REJECT_DUPLICATES, NULL);
		if (json_is_object(object) && json_object_get(object, "agent") &&
		    json_object_get(object, "exit"))
			return object;
		json_decref(object);
	}
	return NULL;
}

static const char *member_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Does the object contradict the exit status, the question, or itself? Says how, or NULL. */
static const char *result_contradiction(const json_t *object, enum fencer_verb verb,
					const struct child_result *result)
{
	const json_t *exit_member = json_object_get(object, "exit");
	const json_t *ok = json_object_get(object, "ok");
	enum power_state state = power_from_word(member_text(object, "state"));
	int status = result->exit_status;
	int is_off = verb == FENCER_VERB_STATUS && status == STATUS_EXIT_OFF;

	if (!json_is_integer(exit_member) || json_integer_value(exit_member) != status)
		return "its exit status is not the one in its result";
	if (strcmp(member_text(object, "action"), fencer_verb_word(verb)) != 0)
		return "it answers to another action";
	if (!json_is_boolean(ok) || json_is_true(ok) != (status == 0 || is_off))
		return "its exit status and its \"ok\" contradict each other";
	if (!json_is_boolean(json_object_get(object, "off_proven")))
		return "its result has no \"off_proven\"";
	if (verb == FENCER_VERB_STATUS &&
	    ((status == 0 && state != POWER_ON) || (is_off && state != POWER_OFF)))
		return "its exit status and its \"state\" contradict each other";
	return NULL;
}

static int result_cause(const json_t *object, int ok)
{
	const json_t *cause = json_object_get(object, "cause");
	int rc = json_is_string(cause) ? rc_from_word(json_string_value(cause)) : 0;

	if (rc > 0)
		return RC_PROTOCOL; /* a word that is none of ours */
	return rc == 0 && !ok ? RC_PROTOCOL : rc;
}

static void native_read(const json_t *object, enum fencer_verb verb,
			const struct child_result *result, struct agent_reply *reply)
{
	const char *wrong = result_contradiction(object, verb, result);
	const char *about = member_text(object, "object");
	const char *message = member_text(object, "message");
	const char *next = member_text(object, "next");
	int rc;

	reply->core.native = 1;
	if (verb == FENCER_VERB_LIST && !wrong)
		wrong = "it has a result for list, but had none before";
	if (wrong) {
		reply_fail(reply, RC_PROTOCOL, "the answer makes no sense: %s", wrong);
		return;
	}
	reply->core.state = power_from_word(member_text(object, "state"));
	reply->core.proof = proof_from_word(member_text(object, "proof"));
	reply->core.off_proven = json_is_true(json_object_get(object, "off_proven"));
	rc = result_cause(object, json_is_true(json_object_get(object, "ok")));
	if (rc == 0)
		return;
	reply_fail(reply, rc, "%s%s%s", about, about[0] ? ": " : "",
		   message[0] ? message : rc_meaning(rc));
	text_clean(reply->next, sizeof reply->next, next, strlen(next));
}

/* ---- any other agent: its stderr ---- */

/* "2026-01-31 12:00:00,123 ERROR: " before a message. */
static struct line without_stamp(struct line line, int *warning)
{
	const char *shape = "dddd-dd-dd dd:dd:dd,ddd ";
	size_t length = strlen(shape), i = 0;

	*warning = 0;
	while (i < length && i < line.length &&
	       (shape[i] == 'd' ? isdigit((unsigned char)line.text[i]) : line.text[i] == shape[i]))
		i++;
	if (i < length)
		return line;
	line.text += length;
	line.length -= length;
	*warning = line.length >= 8 && strncmp(line.text, "WARNING:", 8) == 0;
	for (i = 0; i < line.length && isupper((unsigned char)line.text[i]); i++)
		;
	if (i > 0 && i < line.length && line.text[i] == ':') {
		i += 1 + (i + 1 < line.length && line.text[i + 1] == ' ');
		line.text += i;
		line.length -= i;
	}
	return line;
}

/* What every foreign agent says about options that are for our own agents: that it passes them
 * over. One that fails over them has a reason to be told. */
static int line_is_noise(const struct line *line)
{
	static const char *const ours[] = { "json", "action_timeout", "nodename" };

	if (line->length == 0 || line_has(line, "use '-h' for usage"))
		return 1;
	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		if (line_has(line, ours[i]) && line_has(line, "ignor") &&
		    (line_has(line, "option") || line_has(line, "parameter")))
			return 1;
	return 0;
}

/* The last line of stderr that tells something; a warning only where there is nothing else. */
static struct line last_words(const struct child_result *result)
{
	struct line line, words = { "", 0 };
	size_t end = result->err_bytes;

	while (line_before(result->err, &end, &line)) {
		int warning;

		line = without_stamp(line, &warning);
		if (line_is_noise(&line))
			continue;
		if (!warning)
			return line;
		if (words.length == 0)
			words = line;
	}
	return words;
}

/* Causes by the words that agents use, the more telling first. The fence agent API knows one exit
 * status for all of them, so this is a guess, made only to say what to look at and whether
 * to try again. */
static const struct {
	const char *words;
	int rc;
} cause_table[] = {
	{ "waiting to power", RC_STATE },
	{ "you have to", RC_CONFIG },
	{ "please specify", RC_CONFIG },
	{ "please use", RC_CONFIG },
	{ "is required", RC_CONFIG },
	{ "missing option", RC_CONFIG },
	{ "unrecognised action", RC_UNSUPPORTED },
	{ "unrecognized action", RC_UNSUPPORTED },
	{ "unknown action", RC_UNSUPPORTED },
	{ "unsupported", RC_UNSUPPORTED },
	{ "not supported", RC_UNSUPPORTED },
	{ "not implemented", RC_UNSUPPORTED },
	{ "invalid action", RC_UNSUPPORTED },
	{ "unable to connect", RC_UNREACHABLE },
	{ "connection refused", RC_UNREACHABLE },
	{ "connection timed out", RC_UNREACHABLE },
	{ "no route to host", RC_UNREACHABLE },
	{ "network is unreachable", RC_UNREACHABLE },
	{ "host is unreachable", RC_UNREACHABLE },
	{ "name or service not known", RC_UNREACHABLE },
	{ "unable to establish", RC_UNREACHABLE },
	{ "insufficient privilege", RC_PRIVILEGE },
	{ "not authorized", RC_PRIVILEGE },
	{ "not authorised", RC_PRIVILEGE },
	{ "not permitted", RC_PRIVILEGE },
	{ "permission denied", RC_AUTH },
	{ "access denied", RC_AUTH },
	{ "authentication", RC_AUTH },
	{ "unauthorized", RC_AUTH },
	{ "password", RC_AUTH },
	{ "login", RC_AUTH },
	{ "no such plug", RC_NO_SUCH_PLUG },
	{ "no such outlet", RC_NO_SUCH_PLUG },
	{ "plug not found", RC_NO_SUCH_PLUG },
	{ "unable to obtain correct plug status", RC_PROTOCOL },
	{ "timed out", RC_TIMEOUT },
	{ "timeout", RC_TIMEOUT },
	{ "too many sessions", RC_BUSY },
	{ "busy", RC_BUSY },
};

static void foreign_fail(const struct child_result *result, struct agent_reply *reply)
{
	struct line words = last_words(result);

	reply->core.rc = RC_INTERNAL;
	if (text_clean(reply->message, sizeof reply->message, words.text, words.length) == 0) {
		reply_fail(reply, RC_INTERNAL, "exit status %d, without a word",
			   result->exit_status);
		return;
	}
	for (size_t i = 0; i < sizeof cause_table / sizeof cause_table[0]; i++) {
		if (line_has(&words, cause_table[i].words)) {
			reply->core.rc = cause_table[i].rc;
			return;
		}
	}
}

/* ---- any other agent: its answers ---- */

/* The first line of stdout that is not empty. */
static struct line first_words(const struct child_result *result)
{
	struct line line, words = { "", 0 };
	size_t end = result->out_bytes;

	while (line_before(result->out, &end, &line))
		if (line.length > 0)
			words = line;
	return words;
}

/* "Status: OFF" and nothing else, blanks apart. */
static int line_is_status(const struct line *line, const char *word)
{
	static const char label[] = "status:";
	size_t at = sizeof label - 1;
	struct line rest;

	if (line->length < at || strncasecmp(line->text, label, at) != 0)
		return 0;
	while (at < line->length && isblank((unsigned char)line->text[at]))
		at++;
	rest = (struct line){ line->text + at, line->length - at };
	return line_is(&rest, word);
}

static int out_has_status(const struct child_result *result, const char *word)
{
	size_t end = result->out_bytes;
	struct line line;

	while (line_before(result->out, &end, &line))
		if (line_is_status(&line, word))
			return 1;
	return 0;
}

/* What came instead of a state, and what was expected. */
static void foreign_status_fail(const struct child_result *result, const char *expected,
				struct agent_reply *reply)
{
	struct line words = last_words(result);

	if (words.length == 0)
		words = first_words(result);
	if (words.length == 0)
		reply_fail(
			reply, RC_PROTOCOL,
			"exit status %d without a word, expected the line \"Status: %s\" with it",
			result->exit_status, expected);
	else
		reply_fail(reply, RC_PROTOCOL,
			   "exit status %d with \"%.*s\", expected the line \"Status: %s\" with it",
			   result->exit_status, (int)(words.length < 160 ? words.length : 160),
			   words.text, expected);
}

/* Exit status 0 means "on" and 2 "off", but many programs end so when they do not understand what
 * they were told, or have not asked the device at all. The state counts when the program prints
 * it too, in the API's words (S1: a missing answer is unknown). */
static void foreign_status(const struct child_result *result, struct agent_reply *reply)
{
	int says_on = out_has_status(result, "on"), says_off = out_has_status(result, "off");

	if (result->exit_status != 0 && result->exit_status != STATUS_EXIT_OFF) {
		foreign_fail(result, reply);
	} else if (result->out_dropped > 0) {
		/* The last line may be cut short, and its contrary lost. */
		reply_fail(reply, RC_PROTOCOL, "status prints more than is read of it");
	} else if (says_on && says_off) {
		reply_fail(reply, RC_PROTOCOL, "status prints both \"on\" and \"off\"");
	} else if (result->exit_status == 0) {
		if (says_on)
			reply->core.state = POWER_ON;
		else
			foreign_status_fail(result, "ON", reply);
	} else {
		if (says_off)
			reply->core.state = POWER_OFF;
		else
			foreign_status_fail(result, "OFF", reply);
	}
	reply->core.proof = reply->core.rc == 0 ? PROOF_PROVEN : PROOF_NONE;
}

static struct line trimmed(const char *text, size_t length)
{
	while (length > 0 && isspace((unsigned char)text[0])) {
		text++;
		length--;
	}
	while (length > 0 && isspace((unsigned char)text[length - 1]))
		length--;
	return (struct line){ text, length };
}

static int lines_equal(const struct line *a, const struct line *b)
{
	return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

/* "plug,alias" or "plug,alias,STATE": the first two fields. A line with spaces and no comma is a
 * sentence, not a plug. */
static int plug_fields(const struct line *line, struct line fields[2])
{
	const char *comma = memchr(line->text, ',', line->length);
	const char *end = line->text + line->length;
	const char *second;

	if (line->length == 0 || line_is(line, "N/A"))
		return 0;
	if (!comma) {
		fields[0] = fields[1] = *line;
		return !memchr(line->text, ' ', line->length);
	}
	fields[0] = trimmed(line->text, (size_t)(comma - line->text));
	second = memchr(comma + 1, ',', (size_t)(end - comma - 1));
	fields[1] = trimmed(comma + 1, (size_t)((second ? second : end) - comma - 1));
	return fields[0].length > 0 && !line_has(line, "NOTICE");
}

/* -1: this is no list; else whether the plug is in it. */
static int list_contains(const struct child_result *result, const struct line *plug)
{
	size_t end = result->out_bytes;
	struct line line, fields[2];
	int found = -1;

	while (line_before(result->out, &end, &line)) {
		if (!plug_fields(&line, fields))
			continue;
		if (lines_equal(&fields[0], plug) || lines_equal(&fields[1], plug))
			return 1;
		found = 0;
	}
	return found;
}

static void foreign_list(const char *plugs, const char *separator,
			 const struct child_result *result, struct agent_reply *reply)
{
	struct line whole;
	int found;

	if (result->exit_status != 0) {
		foreign_fail(result, reply);
		return;
	}
	/* A plug's own name may hold the separator: the whole first. */
	whole = trimmed(plugs, strlen(plugs));
	found = list_contains(result, &whole);
	if (found < 0) {
		reply_fail(reply, RC_UNSUPPORTED, "it does not list its plugs");
		return;
	}
	if (found)
		return;
	for (const char *rest = plugs; rest;) {
		const char *end = separator[0] ? strstr(rest, separator) : NULL;
		struct line plug = trimmed(rest, end ? (size_t)(end - rest) : strlen(rest));

		if (plug.length > 0 && !list_contains(result, &plug)) {
			reply_fail(reply, result->out_dropped ? RC_PROTOCOL : RC_NO_SUCH_PLUG,
				   "the device does not list plug %.*s",
				   (int)(plug.length < 100 ? plug.length : 100), plug.text);
			return;
		}
		rest = end ? end + strlen(separator) : NULL;
	}
}

/* An agent that speaks our protocol, and this time does not. */
static void native_silence(const struct child_result *result, struct agent_reply *reply)
{
	struct line words = last_words(result);

	if (words.length == 0)
		words = first_words(result);
	reply->core.native = 1;
	reply_fail(reply, RC_PROTOCOL, "exit status %d without the result that it owes%s%.*s",
		   result->exit_status, words.length ? ": " : "",
		   (int)(words.length < 160 ? words.length : 160), words.text);
}

void agent_reply_judge(const struct agent_question *question, const struct child_result *result,
		       struct agent_reply *reply)
{
	json_t *object;

	memset(reply, 0, sizeof *reply);
	if (result->timed_out) {
		reply_fail(reply, RC_TIMEOUT, "it did not end in time and was killed");
		return;
	}
	if (result->term_signal != 0) {
		reply_fail(reply, RC_INTERNAL, "it was ended by signal %d (%s)",
			   result->term_signal, strsignal(result->term_signal));
		return;
	}
	object = result_object(result);
	if (object) {
		native_read(object, question->verb, result, reply);
		json_decref(object);
		return;
	}
	if (question->is_native) {
		native_silence(result, reply);
		return;
	}
	switch (question->verb) {
	case FENCER_VERB_OFF:
	case FENCER_VERB_ON:
		if (result->exit_status != 0)
			foreign_fail(result, reply);
		else
			reply->core.proof = PROOF_ACCEPTED;
		return;
	case FENCER_VERB_STATUS:
		foreign_status(result, reply);
		return;
	case FENCER_VERB_LIST:
		foreign_list(question->plugs ? question->plugs : "", question->separator, result,
			     reply);
		return;
	case FENCER_VERB_PROBE:
		if (result->exit_status != 0)
			foreign_fail(result, reply);
		else
			reply_fail(reply, RC_PROTOCOL, "probe prints no result");
		return;
	}
}

void agent_reply_read(enum fencer_verb verb, const char *plugs, const struct child_result *result,
		      struct agent_reply *reply)
{
	agent_reply_judge(
		&(struct agent_question){ .verb = verb, .plugs = plugs, .separator = "," }, result,
		reply);
}
