/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conform_json.c - see conform_json.h. The table below is docs/agent-result.md, member by member.
 */
#include "fence-agents/kit/conform_json.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/power.h"
#include "base/rc.h"

enum kind { TEXT, NUMBER, TRUTH, TEXT_OR_NULL, LIST };

static const struct {
	const char *name;
	enum kind kind;
} members[] = {
	{ "agent", TEXT },  { "version", TEXT },      { "action", TEXT },
	{ "exit", NUMBER }, { "ok", TRUTH },	      { "state", TEXT },
	{ "proof", TEXT },  { "off_proven", TRUTH },  { "cause", TEXT_OR_NULL },
	{ "object", TEXT }, { "message", TEXT },      { "next", TEXT },
	{ "plugs", LIST },  { "elapsed_ms", NUMBER },
};

static int kind_is(const json_t *value, enum kind kind)
{
	switch (kind) {
	case TEXT:
		return json_is_string(value);
	case NUMBER:
		return json_is_integer(value);
	case TRUTH:
		return json_is_boolean(value);
	case TEXT_OR_NULL:
		return json_is_string(value) || json_is_null(value);
	case LIST:
		return json_is_array(value);
	}
	return 0;
}

static int state_is_known(const char *word)
{
	return strcmp(word, "unknown") == 0 || power_from_word(word) != POWER_UNKNOWN;
}

static int members_judge(const json_t *object, char *why, size_t size)
{
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		const json_t *value = json_object_get(object, members[i].name);

		if (value && kind_is(value, members[i].kind))
			continue;
		snprintf(why, size, "member \"%s\" %s", members[i].name,
			 value ? "is of the wrong type" : "is missing");
		return 0;
	}
	return 1;
}

static int plugs_judge(const json_t *plugs, char *why, size_t size)
{
	size_t i;
	json_t *plug;

	json_array_foreach (plugs, i, plug) {
		const char *name = json_string_value(json_object_get(plug, "plug"));
		const char *state = json_string_value(json_object_get(plug, "state"));

		if (name && state && state_is_known(state))
			continue;
		snprintf(why, size, "plugs[%zu] has no \"plug\" or no \"state\" that is known", i);
		return 0;
	}
	return 1;
}

/* The members agree with one another, with the exit status and with what was asked. */
static const char *contradiction(const json_t *object, const char *action, int status)
{
	const char *state = json_string_value(json_object_get(object, "state"));
	const char *cause = json_string_value(json_object_get(object, "cause"));
	const char *proof = json_string_value(json_object_get(object, "proof"));
	int ok = json_is_true(json_object_get(object, "ok"));
	int says_off = strcmp(action, "status") == 0 && status == 2;
	/* A reboot has fenced once off is proven, though on failed: exit status 0, and a cause. */
	int reboot_stays_off = strcmp(action, "reboot") == 0 && status == 0 && !ok &&
			       json_is_true(json_object_get(object, "off_proven"));

	if (json_integer_value(json_object_get(object, "exit")) != status)
		return "\"exit\" is not the exit status";
	if (strcmp(json_string_value(json_object_get(object, "action")), action) != 0)
		return "\"action\" is not what was asked";
	if (ok != (status == 0 || says_off) && !reboot_stays_off)
		return "\"ok\" contradicts the exit status";
	if (!state_is_known(state))
		return "\"state\" is no known word";
	if (proof_from_word(proof) == PROOF_NONE && strcmp(proof, "none") != 0)
		return "\"proof\" is no known word";
	if (cause && (rc_from_word(cause) >= 0))
		return "\"cause\" is no known word";
	if (!ok && !cause)
		return "it failed without a \"cause\"";
	if (!ok && !json_string_value(json_object_get(object, "message"))[0])
		return "it failed without a \"message\"";
	if (strcmp(action, "status") == 0 && ok && strcmp(state, status == 2 ? "off" : "on") != 0)
		return "\"state\" contradicts the exit status";
	if (strcmp(action, "off") == 0 && ok &&
	    !json_is_true(json_object_get(object, "off_proven")))
		return "off worked, but \"off_proven\" is false (rule S1)";
	if (strcmp(action, "reboot") == 0 && ok &&
	    !json_is_true(json_object_get(object, "off_proven")))
		return "reboot worked, but \"off_proven\" is false: was the power cut? (rule S1)";
	return NULL;
}

int conform_json_judge(const char *action, const struct conform_seen *seen, char *why, size_t size)
{
	json_error_t error;
	json_t *object = json_loadb(seen->out, seen->out_bytes, JSON_REJECT_DUPLICATES, &error);
	const char *wrong;
	int good = 0;

	why[0] = '\0';
	if (!json_is_object(object)) {
		snprintf(why, size, "stdout is not one JSON object: %s",
			 object ? "another type" : error.text);
	} else if (members_judge(object, why, size) &&
		   plugs_judge(json_object_get(object, "plugs"), why, size)) {
		wrong = contradiction(object, action, seen->exit_status);
		good = !wrong;
		if (wrong)
			snprintf(why, size, "%s", wrong);
	}
	json_decref(object);
	return good;
}
