/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * profile_wire.c - the parser of device profiles; see profile_wire.h. Meaning of values and
 * plugs: profile_state_wire.c.
 */
#include "fence-agents/snmp/profile_wire.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "base/rc.h"

static const char *const class_words[] = { "pdu", "ups", "blade", "fabric", "lights-out", NULL };
static const char *const tested_words[] = { "walk", "hand-made", "real", NULL };
static const char *const version_words[] = { "1", "2c", "3", NULL };

const char *profile_class_word(enum profile_class device_class)
{
	return class_words[device_class];
}

const char *profile_tested_word(enum profile_tested kind)
{
	return tested_words[kind];
}

const char *profile_version_word(enum profile_version version)
{
	return version_words[version];
}

/* One reading of a file. */
struct reading {
	struct conf_reader *reader;
	struct profile *profile;
	struct conf_fault *fault;
	uint64_t seen; /* settings met so far, a bit each */
};

/* Complain about word i of the setting at hand, from byte `offset` of it on. */
static int fault_at(struct reading *r, size_t i, size_t offset, const char *problem,
		    const char *expected)
{
	const char *word = i < r->reader->words_count ? conf_word(r->reader, i) : "";

	r->fault->line = r->reader->line;
	r->fault->column = conf_column(r->reader, i) + (unsigned)offset;
	conf_show(word, strlen(word), r->fault->word);
	r->fault->problem = problem;
	r->fault->expected = expected;
	return RC_CONFIG;
}

static int word_find(const char *const *words, const char *word)
{
	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -1;
}

static int text_take(struct reading *r, size_t i, char *out, size_t size)
{
	const char *word = conf_word(r->reader, i);

	if (!*word)
		return fault_at(r, i, 0, "is empty", "some text");
	if (strlen(word) >= size)
		return fault_at(r, i, 0, "is too long", "a shorter text");
	memcpy(out, word, strlen(word) + 1);
	return 0;
}

static int oid_take(struct reading *r, size_t i, struct oid *oid)
{
	const char *word = conf_word(r->reader, i);

	if (oid_read(word, strlen(word), oid))
		return fault_at(r, i, 0, "is not an object identifier", "1.3.6.1 and so on");
	return 0;
}

static int template_take(struct reading *r, size_t i, struct oid_template *tmpl)
{
	const char *problem, *expected;
	size_t offset;

	if (oid_template_read(conf_word(r->reader, i), &r->profile->index, tmpl, &offset, &problem,
			      &expected))
		return fault_at(r, i, offset, problem, expected);
	if (tmpl->on_base && r->profile->base_at.count == 0)
		return fault_at(r, i, 0, "uses {base}, but there is no BASE", "BASE above it");
	return 0;
}

static int values_take(struct reading *r, struct profile_values *values)
{
	for (size_t i = 1; i < r->reader->words_count; i++) {
		const char *word = conf_word(r->reader, i);

		if (values->count == PROFILE_VALUES_MAX)
			return fault_at(r, i, 0, "is one value too many", "at most 16 values");
		if (!profile_number(word, strlen(word), &values->values[values->count]))
			return fault_at(r, i, 0, "is not a whole number", "a value of the object");
		values->count++;
	}
	return 0;
}

/* OID, type, value. */
static int command_take(struct reading *r, struct profile_command *command)
{
	const char *type = conf_word(r->reader, 2), *value = conf_word(r->reader, 3);
	int rc = template_take(r, 1, &command->where);

	if (rc)
		return rc;
	if (strcmp(type, "string") == 0) {
		command->is_string = 1;
		return text_take(r, 3, command->text, sizeof command->text);
	}
	if (strcmp(type, "integer") != 0)
		return fault_at(r, 2, 0, "is no type", "integer or string");
	if (!profile_number(value, strlen(value), &command->number) ||
	    command->number < INT32_MIN || command->number > INT32_MAX)
		return fault_at(r, 3, 0, "is not a whole number of 32 bits", "a value to write");
	return 0;
}

/* ---- single settings ---- */

static int take_profile(struct reading *r)
{
	const char *word = conf_word(r->reader, 1);

	if (strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(word) || !*word)
		return fault_at(r, 1, 0, "is no name of a profile",
				"lower-case letters, digits and dashes");
	return text_take(r, 1, r->profile->name, sizeof r->profile->name);
}

static int take_class(struct reading *r)
{
	int i = word_find(class_words, conf_word(r->reader, 1));

	if (i < 0)
		return fault_at(r, 1, 0, "is no class", "pdu, ups, blade, fabric or lights-out");
	r->profile->device_class = (enum profile_class)i;
	return 0;
}

static int take_description(struct reading *r)
{
	return text_take(r, 1, r->profile->description, sizeof r->profile->description);
}

static int take_tested(struct reading *r)
{
	struct profile *p = r->profile;
	int i = word_find(tested_words, conf_word(r->reader, 1));

	if (i < 0)
		return fault_at(r, 1, 0, "is no kind of test", "walk, hand-made or real");
	if (p->tests_count == PROFILE_TESTS_MAX)
		return fault_at(r, 0, 0, "is there too often", "at most 4 of them");
	p->tests[p->tests_count].kind = (enum profile_tested)i;
	return text_take(r, 2, p->tests[p->tests_count++].text, sizeof p->tests[0].text);
}

static int take_match(struct reading *r)
{
	struct profile *p = r->profile;

	for (size_t i = 1; i < r->reader->words_count; i++) {
		if (p->matches_count == PROFILE_MATCHES_MAX)
			return fault_at(r, i, 0, "is one too many", "at most 8 sysObjectIDs");
		if (oid_take(r, i, &p->matches[p->matches_count]))
			return RC_CONFIG;
		p->matches_count++;
	}
	return 0;
}

static int take_match_descr(struct reading *r)
{
	return text_take(r, 1, r->profile->match_descr, sizeof r->profile->match_descr);
}

static int take_version(struct reading *r)
{
	int i = word_find(version_words, conf_word(r->reader, 1));

	if (i < 0)
		return fault_at(r, 1, 0, "is no version of SNMP", "1, 2c or 3");
	r->profile->version = (enum profile_version)i;
	return 0;
}

static int take_community(struct reading *r)
{
	return text_take(r, 1, r->profile->community, sizeof r->profile->community);
}

static int take_settle(struct reading *r)
{
	const char *word = conf_word(r->reader, 1);
	int64_t seconds;

	if (!profile_number(word, strlen(word), &seconds) || seconds < 0 || seconds > 60)
		return fault_at(r, 1, 0, "is no number of seconds", "0 to 60");
	r->profile->settle_ms = seconds * 1000;
	return 0;
}

static int take_base(struct reading *r)
{
	int rc = oid_take(r, 1, &r->profile->base_at);

	return rc ? rc : oid_take(r, 2, &r->profile->base_within);
}

/* "outlet", "unit=0": names of lower-case letters. */
static int take_index(struct reading *r)
{
	struct oid_index_shape *shape = &r->profile->index;

	for (size_t i = 1; i < r->reader->words_count; i++) {
		const char *word = conf_word(r->reader, i);
		size_t length = strspn(word, "abcdefghijklmnopqrstuvwxyz");
		int64_t fallback = 0;

		if (shape->count == INDEX_PARTS_MAX)
			return fault_at(r, i, 0, "is one part too many", "at most 4 parts");
		if (length == 0 || length >= INDEX_NAME_MAX || strcmp(word, "base") == 0 ||
		    (word[length] && word[length] != '='))
			return fault_at(r, i, 0, "is no name of a part",
					"at most 15 lower-case letters, not \"base\"");
		if (word[length] &&
		    (!profile_number(word + length + 1, strlen(word + length + 1), &fallback) ||
		     fallback < 0 || fallback > UINT32_MAX))
			return fault_at(r, i, length + 1,
					"has no number after the =", "a default, as in unit=1");
		memcpy(shape->parts[shape->count].name, word, length);
		shape->parts[shape->count].has_default = word[length] == '=';
		shape->parts[shape->count].fallback = (uint32_t)fallback;
		for (size_t k = 0; k < shape->count; k++)
			if (strcmp(shape->parts[k].name, shape->parts[shape->count].name) == 0)
				return fault_at(r, i, 0, "is there twice", "different names");
		shape->count++;
	}
	for (size_t i = 1; i < shape->count; i++)
		if (shape->parts[i].has_default && !shape->parts[i - 1].has_default)
			return fault_at(r, i + 1, 0, "has a default, but the part before it none",
					"defaults from the left");
	if (shape->parts[shape->count - 1].has_default)
		return fault_at(r, shape->count, 0, "is the last part and has a default",
				"a last part that must be given");
	return 0;
}

/* Each part exactly once, something between any two. */
static int take_plug(struct reading *r)
{
	const struct oid_index_shape *shape = &r->profile->index;
	const char *form = conf_word(r->reader, 1), *p = form;
	size_t next = 0;

	while (*p) {
		size_t length;

		if (*p != '{') {
			p++;
			continue;
		}
		length = strcspn(p, "}");
		if (next == shape->count || !p[length] ||
		    length - 1 != strlen(shape->parts[next].name) ||
		    memcmp(p + 1, shape->parts[next].name, length - 1) != 0)
			return fault_at(r, 1, (size_t)(p - form), "is not the next part of INDEX",
					"the parts in their order, as in fc{slot}/{port}");
		p += length + 1;
		if (++next < shape->count && (*p == '{' || (*p >= '0' && *p <= '9')))
			return fault_at(r, 1, (size_t)(p - form), "does not end the number",
					"a letter or a sign between two parts");
	}
	if (next != shape->count)
		return fault_at(r, 1, 0, "lacks a part of INDEX", "every part once");
	return text_take(r, 1, r->profile->plug, sizeof r->profile->plug);
}

static int take_name(struct reading *r)
{
	struct profile *p = r->profile;

	if (p->names_count == PROFILE_NAMES_MAX)
		return fault_at(r, 0, 0, "is there too often", "at most 3 of them");
	return template_take(r, 1, &p->names[p->names_count++]);
}

static int take_name_field(struct reading *r)
{
	const char *word = conf_word(r->reader, 1);
	int64_t field;

	if (!profile_number(word, strlen(word), &field) || field < 1 || field > 1000)
		return fault_at(r, 1, 0, "is no number of a field", "1 to 1000");
	r->profile->name_field = (unsigned)field;
	return 0;
}

static int take_count(struct reading *r)
{
	return oid_take(r, 1, &r->profile->count);
}

static int take_status(struct reading *r)
{
	return template_take(r, 1, &r->profile->status);
}

static int take_status_field(struct reading *r)
{
	const struct oid_index_shape *shape = &r->profile->index;

	for (size_t i = 0; i < shape->count; i++)
		if (strcmp(shape->parts[i].name, conf_word(r->reader, 1)) == 0) {
			r->profile->status_field = (int)i;
			return 0;
		}
	return fault_at(r, 1, 0, "is no part of the index", "a name of INDEX");
}

#define TAKE(name, what)                                                                           \
	static int take_##name(struct reading *r)                                                  \
	{                                                                                          \
		return what;                                                                       \
	}

TAKE(status_on, values_take(r, &r->profile->on))
TAKE(status_off, values_take(r, &r->profile->off))
TAKE(status_pending, values_take(r, &r->profile->pending))
TAKE(status_unknown, values_take(r, &r->profile->unknown))
TAKE(status_absent, values_take(r, &r->profile->absent))
TAKE(status_fixed, values_take(r, &r->profile->fixed))
TAKE(present, template_take(r, 1, &r->profile->present))
TAKE(present_no, values_take(r, &r->profile->present_no))
TAKE(switchable, template_take(r, 1, &r->profile->switchable))
TAKE(switchable_yes, values_take(r, &r->profile->switchable_yes))
TAKE(pending, template_take(r, 1, &r->profile->changing))
TAKE(pending_yes, values_take(r, &r->profile->changing_yes))
TAKE(pending_no_on, values_take(r, &r->profile->steady_on))
TAKE(pending_no_off, values_take(r, &r->profile->steady_off))

static int take_pending_no(struct reading *r)
{
	int rc = take_pending_no_on(r);

	return rc ? rc : take_pending_no_off(r);
}

TAKE(live, template_take(r, 1, &r->profile->live))
TAKE(off, command_take(r, &r->profile->verbs[PROFILE_OFF]))
TAKE(on, command_take(r, &r->profile->verbs[PROFILE_ON]))
TAKE(cycle, command_take(r, &r->profile->verbs[PROFILE_CYCLE]))

static int before_take(struct reading *r, enum profile_verb verb)
{
	struct profile *p = r->profile;

	if (p->before_count[verb] == PROFILE_BEFORE_MAX)
		return fault_at(r, 0, 0, "is there too often", "at most 3 of them");
	return command_take(r, &p->before[verb][p->before_count[verb]++]);
}

TAKE(before_off, before_take(r, PROFILE_OFF))
TAKE(before_on, before_take(r, PROFILE_ON))
TAKE(before_cycle, before_take(r, PROFILE_CYCLE))

/* ---- the table of settings ---- */

enum setting_flags {
	REPEATS = 1 << 0,     /* may stand more than once */
	NEEDS_INDEX = 1 << 1, /* INDEX must stand above it */
	REQUIRED = 1 << 2,
};

static const struct setting {
	const char *name;
	size_t words_min, words_max; /* values */
	unsigned flags;
	const char *form;
	int (*take)(struct reading *r);
} settings[] = {
	{ "PROFILE", 1, 1, REQUIRED, "PROFILE name", take_profile },
	{ "CLASS", 1, 1, REQUIRED, "CLASS pdu|ups|blade|fabric|lights-out", take_class },
	{ "DESCRIPTION", 1, 1, REQUIRED, "DESCRIPTION \"text\"", take_description },
	{ "TESTED", 2, 2, REPEATS | REQUIRED, "TESTED walk|hand-made|real \"text\"", take_tested },
	{ "MATCH", 1, PROFILE_MATCHES_MAX, REPEATS, "MATCH sysObjectID ...", take_match },
	{ "MATCH_DESCR", 1, 1, 0, "MATCH_DESCR \"text\"", take_match_descr },
	{ "SNMP_VERSION", 1, 1, 0, "SNMP_VERSION 1|2c|3", take_version },
	{ "COMMUNITY", 1, 1, 0, "COMMUNITY word", take_community },
	{ "SETTLE", 1, 1, 0, "SETTLE seconds", take_settle },
	{ "BASE", 2, 2, 0, "BASE oid oid", take_base },
	{ "INDEX", 1, INDEX_PARTS_MAX, REQUIRED, "INDEX part ...", take_index },
	{ "PLUG", 1, 1, NEEDS_INDEX, "PLUG form", take_plug },
	{ "NAME", 1, 1, REPEATS | NEEDS_INDEX, "NAME oid", take_name },
	{ "NAME_FIELD", 1, 1, 0, "NAME_FIELD number", take_name_field },
	{ "COUNT", 1, 1, 0, "COUNT oid", take_count },
	{ "STATUS", 1, 1, NEEDS_INDEX | REQUIRED, "STATUS oid", take_status },
	{ "STATUS_FIELD", 1, 1, NEEDS_INDEX, "STATUS_FIELD part", take_status_field },
	{ "STATUS_ON", 1, PROFILE_VALUES_MAX, REQUIRED, "STATUS_ON value ...", take_status_on },
	{ "STATUS_OFF", 1, PROFILE_VALUES_MAX, REQUIRED, "STATUS_OFF value ...", take_status_off },
	{ "STATUS_PENDING", 1, PROFILE_VALUES_MAX, 0, "STATUS_PENDING value ...",
	  take_status_pending },
	{ "STATUS_UNKNOWN", 1, PROFILE_VALUES_MAX, 0, "STATUS_UNKNOWN value ...",
	  take_status_unknown },
	{ "STATUS_ABSENT", 1, PROFILE_VALUES_MAX, 0, "STATUS_ABSENT value ...",
	  take_status_absent },
	{ "STATUS_FIXED", 1, PROFILE_VALUES_MAX, 0, "STATUS_FIXED value ...", take_status_fixed },
	{ "PRESENT", 1, 1, NEEDS_INDEX, "PRESENT oid", take_present },
	{ "PRESENT_NO", 1, PROFILE_VALUES_MAX, 0, "PRESENT_NO value ...", take_present_no },
	{ "SWITCHABLE", 1, 1, NEEDS_INDEX, "SWITCHABLE oid", take_switchable },
	{ "SWITCHABLE_YES", 1, PROFILE_VALUES_MAX, 0, "SWITCHABLE_YES value ...",
	  take_switchable_yes },
	{ "PENDING", 1, 1, NEEDS_INDEX, "PENDING oid", take_pending },
	{ "PENDING_YES", 1, PROFILE_VALUES_MAX, 0, "PENDING_YES value ...", take_pending_yes },
	{ "PENDING_NO", 1, PROFILE_VALUES_MAX, 0, "PENDING_NO value ...", take_pending_no },
	{ "PENDING_NO_ON", 1, PROFILE_VALUES_MAX, 0, "PENDING_NO_ON value ...",
	  take_pending_no_on },
	{ "PENDING_NO_OFF", 1, PROFILE_VALUES_MAX, 0, "PENDING_NO_OFF value ...",
	  take_pending_no_off },
	{ "LIVE", 1, 1, NEEDS_INDEX, "LIVE oid", take_live },
	{ "OFF", 3, 3, NEEDS_INDEX | REQUIRED, "OFF oid integer|string value", take_off },
	{ "ON", 3, 3, NEEDS_INDEX | REQUIRED, "ON oid integer|string value", take_on },
	{ "CYCLE", 3, 3, NEEDS_INDEX, "CYCLE oid integer|string value", take_cycle },
	{ "BEFORE_OFF", 3, 3, REPEATS | NEEDS_INDEX, "BEFORE_OFF oid integer|string value",
	  take_before_off },
	{ "BEFORE_ON", 3, 3, REPEATS | NEEDS_INDEX, "BEFORE_ON oid integer|string value",
	  take_before_on },
	{ "BEFORE_CYCLE", 3, 3, REPEATS | NEEDS_INDEX, "BEFORE_CYCLE oid integer|string value",
	  take_before_cycle },
};

enum { SETTINGS_COUNT = sizeof settings / sizeof settings[0] };

static int setting_find(const char *name)
{
	for (int i = 0; i < SETTINGS_COUNT; i++)
		if (strcmp(settings[i].name, name) == 0)
			return i;
	return -1;
}

static int setting_unknown(struct reading *r)
{
	const char *names[SETTINGS_COUNT];
	long near;

	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		names[i] = settings[i].name;
	near = nearest_find(conf_word(r->reader, 0), names, SETTINGS_COUNT);
	return fault_at(r, 0, 0, "is no setting of a profile",
			near < 0 ? "a name of holdfast-device(5)" : names[near]);
}

static int setting_take(struct reading *r)
{
	int i = setting_find(conf_word(r->reader, 0));
	size_t values = r->reader->words_count - 1;

	if (i < 0)
		return setting_unknown(r);
	if ((r->seen & (UINT64_C(1) << i)) && !(settings[i].flags & REPEATS))
		return fault_at(r, 0, 0, "is there twice", "one of them");
	if ((settings[i].flags & NEEDS_INDEX) && r->profile->index.count == 0)
		return fault_at(r, 0, 0, "comes before INDEX", "INDEX above it");
	if (values < settings[i].words_min)
		return fault_at(r, values + 1, 0, "a value is missing", settings[i].form);
	if (values > settings[i].words_max)
		return fault_at(r, settings[i].words_max + 1, 0, "is one value too many",
				settings[i].form);
	r->seen |= UINT64_C(1) << i;
	return settings[i].take(r);
}

/* ---- the whole ---- */

static int seen(const struct reading *r, const char *name)
{
	int i = setting_find(name);

	assert(i >= 0);
	return (r->seen >> i) & 1;
}

/* A fault of the file as a whole: it stands at the end. */
static int fault_whole(struct reading *r, const char *word, const char *problem,
		       const char *expected)
{
	r->fault->line = r->reader->line;
	r->fault->column = 1;
	conf_show(word, strlen(word), r->fault->word);
	r->fault->problem = problem;
	r->fault->expected = expected;
	return RC_CONFIG;
}

/* Do two lists share a value? */
static int values_meet(const struct profile_values *a, const struct profile_values *b)
{
	for (size_t i = 0; i < a->count; i++)
		for (size_t k = 0; k < b->count; k++)
			if (a->values[i] == b->values[k])
				return 1;
	return 0;
}

static int check_values(struct reading *r)
{
	const struct profile *p = r->profile;
	const struct profile_values *lists[] = { &p->on,      &p->off,	  &p->pending,
						 &p->unknown, &p->absent, &p->fixed };
	enum { LISTS = sizeof lists / sizeof lists[0] };

	for (size_t a = 0; a < LISTS; a++)
		for (size_t b = a + 1; b < LISTS; b++)
			if (values_meet(lists[a], lists[b]))
				return fault_whole(r, "STATUS", "has a value with two meanings",
						   "each value in one STATUS_ list");
	if (values_meet(&p->changing_yes, &p->steady_on) ||
	    values_meet(&p->changing_yes, &p->steady_off))
		return fault_whole(r, "PENDING", "has a value with two meanings",
				   "each value in one PENDING_ list");
	return 0;
}

/* Settings that make sense only together. */
static int check_pairs(struct reading *r)
{
	static const char *const pairs[][2] = {
		{ "PRESENT", "PRESENT_NO" },
		{ "SWITCHABLE", "SWITCHABLE_YES" },
		{ "PENDING", "PENDING_YES" },
		{ "NAME_FIELD", "NAME" },
		{ "MATCH_DESCR", "MATCH" },
		{ "BEFORE_CYCLE", "CYCLE" },
		{ "PRESENT_NO", "PRESENT" },
		{ "SWITCHABLE_YES", "SWITCHABLE" },
		{ "PENDING_YES", "PENDING" },
		{ "PENDING_NO", "PENDING" },
		{ "PENDING_NO_ON", "PENDING" },
		{ "PENDING_NO_OFF", "PENDING" },
		{ "PENDING_NO_ON", "PENDING_NO_OFF" },
		{ "PENDING_NO_OFF", "PENDING_NO_ON" },
	};

	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
		if (seen(r, pairs[i][0]) && !seen(r, pairs[i][1]))
			return fault_whole(r, pairs[i][0], "needs another setting beside it",
					   pairs[i][1]);
	/* Without values that deny a pending command no state could ever be proved. */
	if (seen(r, "PENDING") && !seen(r, "PENDING_NO") && !seen(r, "PENDING_NO_ON"))
		return fault_whole(r, "PENDING", "needs another setting beside it", "PENDING_NO");
	if (seen(r, "PENDING_NO") && seen(r, "PENDING_NO_ON"))
		return fault_whole(r, "PENDING_NO", "is there twice",
				   "PENDING_NO, or PENDING_NO_ON and PENDING_NO_OFF");
	return 0;
}

static int check_index(struct reading *r)
{
	const struct profile *p = r->profile;
	size_t used = 0;

	for (size_t i = 0; i < p->index.count; i++) {
		int in_status = oid_template_uses(&p->status, i);

		if (p->status_field == (int)i && in_status)
			return fault_whole(r, "STATUS", "mentions the part that counts fields",
					   "the object that holds the whole list");
		used += in_status || p->status_field == (int)i;
	}
	/* A single outlet that no number tells apart: one part, used nowhere. */
	if (used == p->index.count || (used == 0 && p->index.count == 1))
		return 0;
	return fault_whole(r, "STATUS", "does not mention every part of INDEX", "each {part}");
}

static int check_field(struct reading *r)
{
	const struct profile *p = r->profile;

	if (p->status_field < 0)
		return 0;
	for (size_t v = 0; v < PROFILE_VERBS; v++) {
		const struct profile_command *command = &p->verbs[v];

		if (command->where.is_set && (!command->is_string || strchr(command->text, ',') ||
					      !oid_template_equal(&command->where, &p->status)))
			return fault_whole(r, "STATUS_FIELD",
					   "needs commands that write a string into STATUS",
					   "ON, OFF with the OID of STATUS, string, one value");
	}
	return 0;
}

int profile_read(struct conf_reader *reader, const char *data, size_t size, struct profile *profile,
		 struct conf_fault *fault)
{
	struct reading r = { .reader = reader, .profile = profile, .fault = fault };
	int rc;

	memset(profile, 0, sizeof *profile);
	profile->status_field = -1;
	snprintf(profile->community, sizeof profile->community, "private");
	conf_reader_init(reader, data, size);
	while ((rc = conf_next(reader, fault)) == 1) {
		rc = setting_take(&r);
		if (rc)
			return rc;
	}
	if (rc)
		return rc;
	for (size_t i = 0; i < SETTINGS_COUNT; i++)
		if ((settings[i].flags & REQUIRED) && !((r.seen >> i) & 1))
			return fault_whole(&r, settings[i].name, "is missing", settings[i].form);
	rc = check_pairs(&r);
	if (rc == 0)
		rc = check_values(&r);
	if (rc == 0)
		rc = check_index(&r);
	return rc ? rc : check_field(&r);
}

size_t profile_match(const struct profile *profile, const struct oid *object_id, const char *descr)
{
	size_t best = 0;

	for (size_t i = 0; i < profile->matches_count; i++)
		if (oid_is_below(object_id, &profile->matches[i]) &&
		    profile->matches[i].count > best)
			best = profile->matches[i].count;
	if (!*profile->match_descr || best == 0)
		return best * 2;
	return descr && strstr(descr, profile->match_descr) ? best * 2 + 1 : 0;
}
