/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_conf_parse.c - meaning of the FENCE_* settings; see fence_conf_parse.h, and
 * holdfast.conf(5) for the user's view.
 *
 * FENCE_DEVICE opens a device section, NODE_NAME a target section; a section goes on to the next
 * one. Names of other parts of the cluster file are passed over wherever they stand. Devices may
 * be defined behind the levels that use them, so legs are resolved at the end.
 * Messages never repeat the value of an option: it may be a secret.
 */
#include "fence-agents/fencer/fence_conf_parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/conf.h"
#include "base/hostlist.h"
#include "base/nearest.h"

enum {
	FENCE_LEGS_MAX = 64, /* of one target */
	FENCE_KEY_MAX = 63,
};

enum fence_section { SECTION_NONE, SECTION_DEVICE, SECTION_TARGET };

/* A leg whose device is still a name. */
struct fence_leg_ref {
	size_t target, leg;
	char *device;
	unsigned column;
};

struct fence_parse {
	struct fence_conf *conf;
	struct fence_conf_secret *secret;
	struct err *err;
	struct conf_reader reader;
	enum fence_section section;
	unsigned section_line, section_column; /* of the name that opened it */
	unsigned parallel_line;		       /* FENCE_PARALLEL of this section; 0: not given */
	unsigned unlisted_line;		       /* FENCE_UNLISTED of this section; 0: not given */
	unsigned seen_line[16];		       /* by index into fence_settings, global ones only */
	struct fence_leg_ref *refs;
	size_t refs_count;
};

/* ---- errors ---- */

static int fence_fail(struct fence_parse *p, unsigned line, unsigned column, const char *word,
		      const char *next, const char *problem)
{
	char shown[CONF_SHOWN_MAX];

	conf_show(word, strlen(word), shown);
	return err_set(p->err, RC_CONFIG, next, "%s:%u:%u: %s%s%s", p->conf->path, line, column,
		       shown, shown[0] ? ": " : "", problem);
}

/* About word i of the setting at hand; when there is no such word, about its absence. */
static int fence_fail_word(struct fence_parse *p, size_t i, const char *problem)
{
	const struct conf_reader *r = &p->reader;

	return fence_fail(p, r->line, conf_column(r, i), conf_word(r, i < r->words_count ? i : 0),
			  NULL, problem);
}

static int fence_fail_memory(struct fence_parse *p)
{
	return err_set(p->err, RC_INTERNAL, NULL, "%s: out of memory", p->conf->path);
}

static int fence_fail_twice(struct fence_parse *p, size_t i, const char *what, unsigned line)
{
	char problem[128];

	snprintf(problem, sizeof problem, "%s was there before, in line %u, expected once", what,
		 line);
	return fence_fail_word(p, i, problem);
}

/* ---- small readers ---- */

/* Exactly `count` values, described by `expected`. */
static int fence_need_values(struct fence_parse *p, size_t count, const char *expected)
{
	char problem[160];

	if (p->reader.words_count - 1 == count)
		return 0;
	if (p->reader.words_count - 1 < count) {
		snprintf(problem, sizeof problem, "value missing, expected %s", expected);
		return fence_fail_word(p, p->reader.words_count, problem);
	}
	/* The word too many may be part of a secret with a blank in it: name the setting. */
	snprintf(problem, sizeof problem, "too many words, expected %s (quote a value with blanks)",
		 expected);
	return fence_fail(p, p->reader.line, conf_column(&p->reader, count + 1),
			  conf_word(&p->reader, 0), NULL, problem);
}

static int fence_read_number(struct fence_parse *p, size_t i, unsigned min, unsigned max,
			     unsigned *value)
{
	const char *word = conf_word(&p->reader, i);
	size_t digits = strspn(word, "0123456789");
	unsigned long number = strtoul(word, NULL, 10);
	char problem[96];

	if (digits > 0 && digits <= 9 && word[digits] == '\0' && number >= min && number <= max) {
		*value = (unsigned)number;
		return 0;
	}
	snprintf(problem, sizeof problem, "expected a whole number from %u to %u", min, max);
	return fence_fail_word(p, i, problem);
}

static int fence_is_name(const char *word)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t length = strlen(word);

	return length > 0 && length <= HOSTLIST_NAME_MAX && strchr(letters, word[0]) &&
	       word[strspn(word,
			   "-._abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")] ==
		       '\0';
}

static int fence_read_name(struct fence_parse *p, const char *expected, char **name)
{
	int rc = fence_need_values(p, 1, expected);
	const char *word;

	if (rc)
		return rc;
	word = conf_word(&p->reader, 1);
	if (!fence_is_name(word))
		return fence_fail_word(p, 1,
				       "not a name, expected a letter or digit, then letters, "
				       "digits, `.`, `_`, `-`; 255 at most");
	*name = strdup(word);
	return *name ? 0 : fence_fail_memory(p);
}

/* ---- sections ---- */

static struct fence_device *fence_parse_device(struct fence_parse *p)
{
	return &p->conf->devices[p->conf->devices_count - 1];
}

static struct fence_target *fence_parse_target(struct fence_parse *p)
{
	return &p->conf->targets[p->conf->targets_count - 1];
}

/* A section is complete: does it hold what it must? */
static int fence_section_close(struct fence_parse *p)
{
	if (p->section == SECTION_DEVICE && !fence_parse_device(p)->agent)
		return fence_fail(p, p->section_line, p->section_column,
				  fence_parse_device(p)->name, NULL,
				  "device without an agent, expected FENCE_AGENT in its section");
	if (p->section == SECTION_TARGET && fence_parse_target(p)->legs_count == 0)
		return fence_fail(
			p, p->section_line, p->section_column, fence_parse_target(p)->name, NULL,
			"node that nothing can fence, expected FENCE_LEVEL in its section");
	return 0;
}

static int fence_section_open(struct fence_parse *p, enum fence_section section)
{
	int rc = fence_section_close(p);

	p->section = section;
	p->section_line = p->reader.line;
	p->section_column = conf_column(&p->reader, 1);
	p->parallel_line = 0;
	p->unlisted_line = 0;
	return rc;
}

/* Open a section by the name at hand, which must be new. The caller frees *name. */
static int fence_section_named(struct fence_parse *p, enum fence_section section,
			       const char *expected, char **name)
{
	const struct fence_conf *conf = p->conf;
	int is_device = section == SECTION_DEVICE;
	int rc = fence_read_name(p, expected, name);
	long before;

	if (rc)
		return rc;
	before = is_device ? fence_conf_device(conf, *name) : fence_conf_target(conf, *name);
	if (before >= 0)
		rc = fence_fail_twice(p, 1, is_device ? "this device" : "this node",
				      is_device ? conf->devices[before].line
						: conf->targets[before].line);
	if (rc == 0)
		rc = fence_section_open(p, section);
	return rc;
}

static int fence_set_device(struct fence_parse *p)
{
	struct fence_conf *conf = p->conf;
	struct fence_device *devices;
	char *name = NULL;
	int rc = fence_section_named(p, SECTION_DEVICE, "a device name", &name);

	devices = rc ? NULL : reallocarray(conf->devices, conf->devices_count + 1, sizeof *devices);
	if (!devices) {
		free(name);
		return rc ? rc : fence_fail_memory(p);
	}
	conf->devices = devices;
	devices[conf->devices_count++] = (struct fence_device){ .name = name,
								.parallel = 1,
								.line = p->reader.line };
	return 0;
}

static int fence_set_node(struct fence_parse *p)
{
	struct fence_conf *conf = p->conf;
	struct fence_target *targets;
	char *name = NULL;
	int rc = fence_section_named(p, SECTION_TARGET, "one node name", &name);

	targets = rc ? NULL : reallocarray(conf->targets, conf->targets_count + 1, sizeof *targets);
	if (!targets) {
		free(name);
		return rc ? rc : fence_fail_memory(p);
	}
	conf->targets = targets;
	targets[conf->targets_count++] = (struct fence_target){ .name = name,
								.line = p->reader.line };
	return 0;
}

/* ---- settings of a device ---- */

static int fence_set_agent(struct fence_parse *p)
{
	struct fence_device *device;
	const char *word;
	int rc = fence_need_values(p, 1, "the name or absolute path of an agent");

	if (rc)
		return rc;
	if (p->section != SECTION_DEVICE)
		return fence_fail_word(p, 0, "no device here, expected FENCE_DEVICE before it");
	device = fence_parse_device(p);
	if (device->agent)
		return fence_fail_word(p, 0, "the device has an agent already, expected one");
	word = conf_word(&p->reader, 1);
	if (word[0] != '/' && !fence_is_name(word))
		return fence_fail_word(p, 1,
				       "not an agent, expected a name such as fence_ipmi or an "
				       "absolute path");
	device->agent = strdup(word);
	return device->agent ? 0 : fence_fail_memory(p);
}

/* Options that the fencer sets itself, and where their value belongs instead. */
static int fence_check_option_key(struct fence_parse *p, const char *key)
{
	static const struct {
		const char *key;
		const char *problem;
	} reserved[] = {
		{ "action", "set by the operation that runs, expected another option" },
		{ "option", "set by the operation that runs, expected another option" },
		{ "json", "set by holdfast itself, expected another option" },
		{ "nodename", "set from NODE_NAME, expected another option" },
		{ "plug", "belongs to the node, expected `FENCE_LEVEL n device:plug` there" },
		{ "port", "belongs to the node, expected `FENCE_LEVEL n device:plug` there" },
	};
	size_t length = strspn(key,
			       "-_.abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");

	if (length == 0 || length > FENCE_KEY_MAX || key[length] != '\0' || key[0] == '-') {
		/* `password=x` must not be repeated: show the key alone. */
		char shown[FENCE_KEY_MAX + 1];

		snprintf(shown, sizeof shown, "%.*s", (int)(length < 32 ? length : 32), key);
		return fence_fail(p, p->reader.line, conf_column(&p->reader, 1) + (unsigned)length,
				  shown, NULL,
				  "not the name of an option, expected `FENCE_OPTION name value`");
	}
	for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
		if (fence_key_equal(reserved[i].key, key))
			return fence_fail_word(p, 1, reserved[i].problem);
	return 0;
}

static void fence_note_secret(struct fence_parse *p, const char *key)
{
	if (p->secret->line != 0 || !fence_kv_is_secret(key))
		return;
	p->secret->line = p->reader.line;
	p->secret->column = conf_column(&p->reader, 1);
	snprintf(p->secret->key, sizeof p->secret->key, "%s", key);
}

static int fence_set_option(struct fence_parse *p)
{
	struct fence_device *device;
	struct fence_kv *options;
	struct fence_kv *option;
	const char *key = conf_word(&p->reader, 1);
	int rc;

	if (p->section != SECTION_DEVICE)
		return fence_fail_word(p, 0, "no device here, expected FENCE_DEVICE before it");
	rc = fence_check_option_key(p, key);
	if (rc == 0)
		rc = fence_need_values(p, 2, "the name of an option and its value");
	if (rc)
		return rc;
	device = fence_parse_device(p);
	for (size_t i = 0; i < device->options_count; i++)
		if (fence_key_equal(device->options[i].key, key))
			return fence_fail_word(p, 1,
					       "the device has this option already, expected once");
	options = reallocarray(device->options, device->options_count + 1, sizeof *options);
	if (!options)
		return fence_fail_memory(p);
	device->options = options;
	option = &options[device->options_count++];
	option->key = strdup(key);
	option->value = strdup(conf_word(&p->reader, 2));
	option->line = p->reader.line;
	if (!option->key || !option->value)
		return fence_fail_memory(p);
	fence_note_secret(p, key);
	return 0;
}

static int fence_set_parallel(struct fence_parse *p)
{
	unsigned *parallel = &p->conf->parallel;
	int rc = fence_need_values(p, 1, "a number of agents");

	if (rc)
		return rc;
	if (p->section == SECTION_TARGET)
		return fence_fail_word(p, 0,
				       "has no meaning for a node, expected in a device, or before "
				       "the first FENCE_DEVICE and NODE_NAME");
	if (p->parallel_line)
		return fence_fail_twice(p, 0, "this setting", p->parallel_line);
	p->parallel_line = p->reader.line;
	if (p->section == SECTION_DEVICE)
		parallel = &fence_parse_device(p)->parallel;
	return fence_read_number(p, 1, 1, 1024, parallel);
}

static int fence_set_unlisted(struct fence_parse *p)
{
	int rc = fence_need_values(p, 1, "yes or no");
	const char *word;

	if (rc)
		return rc;
	if (p->section != SECTION_DEVICE)
		return fence_fail_word(p, 0, "no device here, expected FENCE_DEVICE before it");
	if (p->unlisted_line)
		return fence_fail_twice(p, 0, "this setting", p->unlisted_line);
	p->unlisted_line = p->reader.line;
	word = conf_word(&p->reader, 1);
	if (strcmp(word, "yes") != 0 && strcmp(word, "no") != 0)
		return fence_fail_word(p, 1, "expected yes or no");
	fence_parse_device(p)->unlisted = strcmp(word, "yes") == 0;
	return 0;
}

/* ---- levels of a target ---- */

static int fence_leg_add(struct fence_parse *p, size_t i, unsigned level)
{
	struct fence_target *target = fence_parse_target(p);
	const char *word = conf_word(&p->reader, i);
	const char *colon = strchr(word, ':');
	struct fence_leg *legs;
	struct fence_leg_ref *refs;
	char *device, *plugs;

	if (target->legs_count == FENCE_LEGS_MAX)
		return fence_fail_word(p, i, "one device too many, expected at most 64 for a node");
	if (colon && colon[1] == '\0')
		return fence_fail_word(p, i, "no plug behind the colon, expected device:plug");
	legs = reallocarray(target->legs, target->legs_count + 1, sizeof *legs);
	if (legs)
		target->legs = legs;
	refs = reallocarray(p->refs, p->refs_count + 1, sizeof *refs);
	if (refs)
		p->refs = refs;
	device = colon ? strndup(word, (size_t)(colon - word)) : strdup(word);
	plugs = colon ? strdup(colon + 1) : NULL;
	if (!legs || !refs || !device || (colon && !plugs)) {
		free(device);
		free(plugs);
		return fence_fail_memory(p);
	}
	refs[p->refs_count++] = (struct fence_leg_ref){
		.target = p->conf->targets_count - 1,
		.leg = target->legs_count,
		.device = device,
		.column = conf_column(&p->reader, i),
	};
	legs[target->legs_count++] = (struct fence_leg){ .plugs = plugs,
							 .level = level,
							 .line = p->reader.line };
	return 0;
}

static int fence_set_level(struct fence_parse *p)
{
	unsigned level = 0;
	int rc;

	if (p->section != SECTION_TARGET)
		return fence_fail_word(p, 0, "no node here, expected NODE_NAME before it");
	rc = fence_read_number(p, 1, 1, FENCE_LEVEL_MAX, &level);
	if (rc)
		return rc;
	if (p->reader.words_count < 3)
		return fence_fail_word(p, 2,
				       "no device, expected `FENCE_LEVEL n device[:plug,...]`");
	for (size_t i = 2; i < p->reader.words_count && rc == 0; i++)
		rc = fence_leg_add(p, i, level);
	return rc;
}

/* ---- settings of the whole ---- */

static int fence_set_timeout(struct fence_parse *p)
{
	unsigned seconds = 0;
	int rc = fence_need_values(p, 1, "a number of seconds");

	if (rc == 0)
		rc = fence_read_number(p, 1, 1, 86400, &seconds);
	if (rc == 0)
		p->conf->timeout_ms = (int64_t)seconds * 1000;
	return rc;
}

static int fence_set_retries(struct fence_parse *p)
{
	int rc = fence_need_values(p, 1, "a number of further attempts");

	return rc ? rc : fence_read_number(p, 1, 0, 10, &p->conf->retries);
}

static int fence_set_test_age(struct fence_parse *p)
{
	int rc = fence_need_values(p, 1, "a number of days");

	return rc ? rc : fence_read_number(p, 1, 1, 36500, &p->conf->test_age_days);
}

static int fence_set_history(struct fence_parse *p)
{
	char *path;
	int rc = fence_need_values(p, 1, "the path of a file");

	if (rc)
		return rc;
	if (conf_word(&p->reader, 1)[0] != '/')
		return fence_fail_word(p, 1, "expected an absolute path");
	path = strdup(conf_word(&p->reader, 1));
	if (!path)
		return fence_fail_memory(p);
	free(p->conf->history_path);
	p->conf->history_path = path;
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct fence_parse *p);
	int once; /* in the whole file */
} fence_settings[] = {
	{ "FENCE_DEVICE", fence_set_device, 0 },     { "NODE_NAME", fence_set_node, 0 },
	{ "FENCE_AGENT", fence_set_agent, 0 },	     { "FENCE_OPTION", fence_set_option, 0 },
	{ "FENCE_PARALLEL", fence_set_parallel, 0 }, { "FENCE_LEVEL", fence_set_level, 0 },
	{ "FENCE_TIMEOUT", fence_set_timeout, 1 },   { "FENCE_RETRIES", fence_set_retries, 1 },
	{ "FENCE_TEST_AGE", fence_set_test_age, 1 }, { "FENCE_HISTORY", fence_set_history, 1 },
	{ "FENCE_UNLISTED", fence_set_unlisted, 0 },
};

enum { FENCE_SETTINGS = sizeof fence_settings / sizeof fence_settings[0] };

/* A name that is none of ours. One that begins with FENCE_ is a mistake; so is one that is a slip
 * away from ours, even where the rest of the cluster file is not our business: what follows a
 * misspelt NODE_NAME would be added to the node before it, and cut the wrong power. */
static int fence_check_foreign(struct fence_parse *p)
{
	const char *name = conf_word(&p->reader, 0);
	const char *names[FENCE_SETTINGS];
	int ours = strncmp(name, "FENCE_", 6) == 0;
	char problem[128];
	long near;

	for (size_t i = 0; i < FENCE_SETTINGS; i++) {
		names[i] = fence_settings[i].name;
		if (nearest_distance(name, names[i]) <= 2)
			ours = 1;
	}
	if (!ours)
		return 0;
	near = nearest_find(name, names, FENCE_SETTINGS);
	snprintf(problem, sizeof problem, "unknown name, expected %s",
		 near >= 0 ? names[near] : "one of those in holdfast.conf(5)");
	return fence_fail_word(p, 0, problem);
}

static int fence_parse_setting(struct fence_parse *p)
{
	const char *name = conf_word(&p->reader, 0);

	for (size_t i = 0; i < FENCE_SETTINGS; i++) {
		if (strcmp(fence_settings[i].name, name) != 0)
			continue;
		if (fence_settings[i].once && p->seen_line[i])
			return fence_fail_twice(p, 0, "this setting", p->seen_line[i]);
		p->seen_line[i] = p->reader.line;
		return fence_settings[i].set(p);
	}
	return fence_check_foreign(p);
}

/* ---- legs: devices and plugs, once everything is known ---- */

/* The next plug of a list; *rest moves behind it and is NULL after the last one. */
static size_t fence_plug_next(const char **rest, const char *separator)
{
	const char *start = *rest;
	const char *end = separator[0] ? strstr(start, separator) : NULL;

	*rest = end ? end + strlen(separator) : NULL;
	return end ? (size_t)(end - start) : strlen(start);
}

static int fence_fail_leg(struct fence_parse *p, const struct fence_leg_ref *ref,
			  const char *problem)
{
	const struct fence_leg *leg = &p->conf->targets[ref->target].legs[ref->leg];
	char word[CONF_SHOWN_MAX];

	snprintf(word, sizeof word, "%s%s%s", ref->device, leg->plugs ? ":" : "",
		 leg->plugs ? leg->plugs : "");
	return fence_fail(p, leg->line, ref->column, word, NULL, problem);
}

/* Does the list hold this plug, seen up to `end` (NULL: the whole list)? */
static int fence_plugs_hold(const char *plugs, const char *end, const char *separator,
			    const char *plug, size_t length)
{
	const char *rest = plugs;

	while (rest && rest != end) {
		const char *at = rest;

		if (fence_plug_next(&rest, separator) == length && memcmp(at, plug, length) == 0)
			return 1;
	}
	return 0;
}

/* Every plug has a name, and stands there once. */
static int fence_check_plugs(struct fence_parse *p, const struct fence_leg_ref *ref)
{
	const struct fence_leg *leg = &p->conf->targets[ref->target].legs[ref->leg];
	const char *separator = fence_device_separator(&p->conf->devices[leg->device]);
	const char *rest = leg->plugs;

	while (rest) {
		const char *plug = rest;
		size_t length = fence_plug_next(&rest, separator);

		if (length == 0)
			return fence_fail_leg(p, ref,
					      "empty plug, expected a name between separators");
		if (strchr(" \t", plug[0]) || strchr(" \t", plug[length - 1]))
			return fence_fail_leg(p, ref, "blank beside a plug, expected none");
		if (fence_plugs_hold(leg->plugs, plug, separator, plug, length))
			return fence_fail_leg(p, ref, "the same plug twice, expected once");
	}
	return 0;
}

/* Do two legs switch the same thing? */
static int fence_legs_overlap(const struct fence_conf *conf, const struct fence_leg *a,
			      const struct fence_leg *b)
{
	const char *separator = fence_device_separator(&conf->devices[a->device]);
	const char *rest = a->plugs;

	if (a->device != b->device || a->level != b->level || !a->plugs != !b->plugs)
		return 0;
	if (!a->plugs)
		return 1;
	while (rest) {
		const char *plug = rest;
		size_t length = fence_plug_next(&rest, separator);

		if (fence_plugs_hold(b->plugs, NULL, separator, plug, length))
			return 1;
	}
	return 0;
}

static int fence_leg_resolve(struct fence_parse *p, const struct fence_leg_ref *ref)
{
	struct fence_target *target = &p->conf->targets[ref->target];
	struct fence_leg *leg = &target->legs[ref->leg];
	long device = fence_conf_device(p->conf, ref->device);
	char problem[64 + HOSTLIST_NAME_MAX];
	int rc;

	if (device < 0) {
		for (size_t i = 0; i < p->conf->devices_count; i++) {
			if (!nearest_is_close(ref->device, p->conf->devices[i].name))
				continue;
			snprintf(problem, sizeof problem, "no such device, expected %s perhaps",
				 p->conf->devices[i].name);
			return fence_fail_leg(p, ref, problem);
		}
		return fence_fail_leg(p, ref,
				      "no such device, expected the name of a FENCE_DEVICE");
	}
	leg->device = (size_t)device;
	rc = fence_check_plugs(p, ref);
	for (size_t i = 0; i < ref->leg && rc == 0; i++)
		if (fence_legs_overlap(p->conf, leg, &target->legs[i]))
			rc = fence_fail_leg(
				p, ref,
				"this device and plug is in the level already, expected once");
	return rc;
}

/* By level, and as written within a level. */
static void fence_legs_sort(struct fence_target *target)
{
	for (size_t i = 1; i < target->legs_count; i++) {
		struct fence_leg leg = target->legs[i];
		size_t j = i;

		for (; j > 0 && target->legs[j - 1].level > leg.level; j--)
			target->legs[j] = target->legs[j - 1];
		target->legs[j] = leg;
	}
}

static int fence_parse_finish(struct fence_parse *p)
{
	int rc = fence_section_close(p);

	for (size_t i = 0; i < p->refs_count && rc == 0; i++)
		rc = fence_leg_resolve(p, &p->refs[i]);
	for (size_t i = 0; i < p->conf->targets_count && rc == 0; i++)
		fence_legs_sort(&p->conf->targets[i]);
	return rc;
}

/* ---- the whole ---- */

static int fence_parse_run(struct fence_parse *p, const char *data, size_t size)
{
	struct conf_fault fault;
	char problem[160];
	int rc;

	conf_reader_init(&p->reader, data, size);
	while ((rc = conf_next(&p->reader, &fault)) > 0) {
		rc = fence_parse_setting(p);
		if (rc)
			return rc;
	}
	if (rc < 0) {
		snprintf(problem, sizeof problem, "%s, expected %s", fault.problem, fault.expected);
		return fence_fail(p, fault.line, fault.column, fault.word, NULL, problem);
	}
	return fence_parse_finish(p);
}

static struct fence_conf *fence_conf_new(const char *path)
{
	struct fence_conf *conf = calloc(1, sizeof *conf);

	if (!conf)
		return NULL;
	conf->timeout_ms = 120 * 1000;
	conf->parallel = 128;
	conf->retries = 2;
	conf->test_age_days = 90;
	conf->path = strdup(path);
	conf->history_path = strdup("/var/lib/holdfast/fence-history.jsonl");
	if (conf->path && conf->history_path)
		return conf;
	fence_conf_free(conf);
	return NULL;
}

int fence_conf_parse(const char *path, const char *data, size_t size, struct fence_conf **conf,
		     struct fence_conf_secret *secret, struct err *err)
{
	struct fence_parse *p = calloc(1, sizeof *p);
	int rc;

	_Static_assert(FENCE_SETTINGS <= sizeof p->seen_line / sizeof p->seen_line[0],
		       "seen_line has a place for every setting");
	memset(secret, 0, sizeof *secret);
	*conf = p ? fence_conf_new(path) : NULL;
	if (!*conf) {
		free(p);
		return err_set(err, RC_INTERNAL, NULL, "%s: out of memory", path);
	}
	p->conf = *conf;
	p->secret = secret;
	p->err = err;
	rc = fence_parse_run(p, data, size);
	conf_reader_wipe(&p->reader);
	for (size_t i = 0; i < p->refs_count; i++)
		free(p->refs[i].device);
	free(p->refs);
	free(p);
	if (rc) {
		fence_conf_free(*conf);
		*conf = NULL;
	}
	return rc;
}
