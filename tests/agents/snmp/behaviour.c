/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * behaviour.c - what a SET does to a simulated device. See behaviour.h.
 */
#include "tests/agents/snmp/behaviour.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LETTERS = 26, SETS_MAX = 8, FOLLOWERS_MAX = 8, RULES_MAX = 16, DUE_MAX = 1024 };

enum part_kind { PART_NUMBER, PART_LETTER, PART_ANY };

struct template
{
	struct part {
		enum part_kind kind;
		long number; /* PART_LETTER: what is added to the index */
		int letter;  /* 0..25 */
	} parts[MAX_OID_LEN];
	size_t count;
};

/* What the letters stand for; -1 while it is open. */
struct binding {
	long index[LETTERS];
};

enum deed { DEED_ON, DEED_OFF, DEED_CYCLE, DEED_KEEP };

enum follower_kind { FOLLOWER_STATUS, FOLLOWER_PENDING };

struct follower {
	enum follower_kind kind;
	struct template name;
	long on, off, turning_on, turning_off; /* of a status */
	int shows_turning;
	long busy, idle; /* of a pending */
};

struct rule {
	struct template name;
	int is_csv;
	struct set {
		long value;
		enum deed deed;
	} sets[SETS_MAX];
	size_t sets_count;
	struct follower followers[FOLLOWERS_MAX];
	size_t followers_count;
};

struct due {
	struct row *row;
	int64_t at_ms;
	long value;
	char *text; /* instead of value, for csv */
	int used;
};

struct behaviour {
	struct walk *walk;
	struct faults faults;
	struct rule rules[RULES_MAX];
	size_t rules_count;
	struct due dues[DUE_MAX];
	FILE *log;
	const char *device;
};

static void template_parse(struct template *template, const char *text, const char *where)
{
	const char *at = text + (*text == '.');
	char *end;

	template->count = 0;
	for (;;) {
		struct part *part = &template->parts[template->count];

		if (template->count == MAX_OID_LEN)
			die("%s: template too long", where);
		*part = (struct part){ 0 };
		if (isupper((unsigned char)*at)) {
			part->kind = PART_LETTER;
			part->letter = *at++ - 'A';
			part->number = *at == '+' || *at == '-' ? strtol(at, &end, 10) : 0;
			at = part->number ? end : at;
		} else if (*at == '*') {
			part->kind = PART_ANY;
			at++;
		} else if (isdigit((unsigned char)*at)) {
			part->number = strtol(at, &end, 10);
			at = end;
		} else {
			die("%s: bad template \"%s\"", where, text);
		}
		template->count++;
		if (!*at)
			return;
		if (*at++ != '.')
			die("%s: bad template \"%s\"", where, text);
	}
}

/* Does the name fit? Open letters of the binding are filled in. */
static int template_fits(const struct template *template, const oid *ids, size_t count,
			 struct binding *binding)
{
	if (count != template->count)
		return 0;
	for (size_t i = 0; i < count; i++) {
		const struct part *part = &template->parts[i];
		long id = (long)ids[i];

		switch (part->kind) {
		case PART_NUMBER:
			if (id != part->number)
				return 0;
			break;
		case PART_LETTER:
			if (id < part->number)
				return 0;
			if (binding->index[part->letter] == -1)
				binding->index[part->letter] = id - part->number;
			if (binding->index[part->letter] != id - part->number)
				return 0;
			break;
		case PART_ANY:
			break;
		}
	}
	return 1;
}

static void binding_clear(struct binding *binding)
{
	for (size_t i = 0; i < LETTERS; i++)
		binding->index[i] = -1;
}

/* The rule whose control this is, or NULL. */
static const struct rule *rule_find(const struct behaviour *b, const oid *ids, size_t count,
				    struct binding *binding)
{
	for (size_t i = 0; i < b->rules_count; i++) {
		binding_clear(binding);
		if (template_fits(&b->rules[i].name, ids, count, binding))
			return &b->rules[i];
	}
	return NULL;
}

/* ---- reading the file ---- */

/* The next word of a line, which is cut up; "" at its end. */
static char *word_next(char **at)
{
	char *word = *at + strspn(*at, " \t");

	*at = word + strcspn(word, " \t");
	if (**at)
		*(*at)++ = '\0';
	return word;
}

/* The next word as a number; 0 when there is none (*have stays 0), death when it is something else. */
static long number_next(char **at, int *have, const char *where)
{
	char *end, *word = word_next(at);
	long number = strtol(word, &end, 10);

	*have = *word != '\0';
	if (*end)
		die("%s: \"%s\" is no number", where, word);
	return number;
}

static long number_want(char **at, const char *where)
{
	int have;
	long number = number_next(at, &have, where);

	if (!have)
		die("%s: a number is missing", where);
	return number;
}

/* "rows TEMPLATE VALUE for TEMPLATE" */
static void rows_add(struct behaviour *b, char *text, const char *where)
{
	char line[512];
	struct template made_name, fits_name;
	struct oid_name *names;
	size_t count = 0;
	long value;

	template_parse(&made_name, word_next(&text), where);
	value = number_want(&text, where);
	if (strcmp(word_next(&text), "for") != 0)
		die("%s: want rows TEMPLATE VALUE for TEMPLATE", where);
	template_parse(&fits_name, word_next(&text), where);
	names = calloc(b->walk->count + 1, sizeof(*names));
	if (!names)
		die("out of memory");
	for (size_t i = 0; i < b->walk->count; i++) {
		const struct row *row = &b->walk->rows[i];
		struct binding binding;

		binding_clear(&binding);
		if (!template_fits(&fits_name, row->ids, row->ids_count, &binding))
			continue;
		for (size_t j = 0; j < made_name.count; j++) {
			const struct part *part = &made_name.parts[j];

			names[count].ids[j] = (oid)(part->number +
						    (part->kind == PART_LETTER
							     ? binding.index[part->letter]
							     : 0));
		}
		names[count++].count = made_name.count;
	}
	for (size_t i = 0; i < count; i++) {
		snprintf(line, sizeof(line), "%s|2|%ld", oid_text(names[i].ids, names[i].count),
			 value);
		walk_put(b->walk, line, PUT_KEEP, where);
	}
	free(names);
}

static struct rule *rule_add(struct behaviour *b, const char *template, const char *where)
{
	struct rule *rule = &b->rules[b->rules_count++];

	if (b->rules_count > RULES_MAX)
		die("%s: too many controls", where);
	template_parse(&rule->name, template, where);
	return rule;
}

static void rule_add_set(struct rule *rule, char *text, const char *where)
{
	static const struct {
		const char *word;
		enum deed deed;
	} deeds[] = {
		{ "on", DEED_ON },
		{ "off", DEED_OFF },
		{ "cycle", DEED_CYCLE },
		{ "keep", DEED_KEEP },
	};
	struct set *set = &rule->sets[rule->sets_count++];
	const char *word;

	if (rule->sets_count > SETS_MAX)
		die("%s: too many set lines", where);
	set->value = number_want(&text, where);
	word = word_next(&text);
	for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
		if (strcmp(deeds[i].word, word) == 0) {
			set->deed = deeds[i].deed;
			return;
		}
	}
	die("%s: want set VALUE on|off|cycle|keep", where);
}

static void rule_add_follower(struct rule *rule, enum follower_kind kind, char *text,
			      const char *where)
{
	struct follower *follower = &rule->followers[rule->followers_count++];

	if (rule->followers_count > FOLLOWERS_MAX)
		die("%s: too many status lines", where);
	follower->kind = kind;
	template_parse(&follower->name, word_next(&text), where);
	if (kind == FOLLOWER_PENDING) {
		follower->busy = number_want(&text, where);
		follower->idle = number_want(&text, where);
		return;
	}
	follower->on = number_want(&text, where);
	follower->off = number_want(&text, where);
	follower->turning_on = number_next(&text, &follower->shows_turning, where);
	if (follower->shows_turning)
		follower->turning_off = number_want(&text, where);
}

static void line_read(struct behaviour *b, char *line, struct rule **rule, const char *where)
{
	char *word = line + strspn(line, " \t"), *rest;

	word[strcspn(word, "\r\n")] = '\0';
	if (!*word || *word == '#')
		return;
	rest = word + strcspn(word, " \t");
	if (*rest)
		*rest++ = '\0';
	rest += strspn(rest, " \t");
	if (strcmp(word, "row") == 0)
		walk_put(b->walk, rest, PUT_KEEP, where);
	else if (strcmp(word, "rows") == 0)
		rows_add(b, rest, where);
	else if (strcmp(word, "control") == 0)
		*rule = rule_add(b, rest, where);
	else if (strcmp(word, "csv") == 0)
		rule_add(b, rest, where)->is_csv = 1;
	else if (!*rule)
		die("%s: \"%s\" without a control before it", where, word);
	else if (strcmp(word, "set") == 0)
		rule_add_set(*rule, rest, where);
	else if (strcmp(word, "status") == 0)
		rule_add_follower(*rule, FOLLOWER_STATUS, rest, where);
	else if (strcmp(word, "pending") == 0)
		rule_add_follower(*rule, FOLLOWER_PENDING, rest, where);
	else
		die("%s: unknown word \"%s\"", where, word);
}

struct behaviour *behaviour_load(const char *path, struct walk *walk, const struct faults *faults,
				 FILE *log, const char *device)
{
	struct behaviour *b = calloc(1, sizeof(*b));
	struct rule *rule = NULL;
	FILE *file = path ? fopen(path, "re") : NULL;
	char *line = NULL, where[512];
	size_t room = 0, number = 0;

	if (!b)
		die("out of memory");
	*b = (struct behaviour){ .walk = walk, .faults = *faults, .log = log, .device = device };
	if (path && !file)
		die("%s: %s", path, strerror(errno));
	while (file && getline(&line, &room, file) > 0) {
		snprintf(where, sizeof(where), "%s:%zu", path, ++number);
		line_read(b, line, &rule, where);
	}
	free(line);
	if (file)
		fclose(file);
	return b;
}

/* ---- SET ---- */

static size_t csv_fields(const char *text, size_t bytes)
{
	size_t fields = 1;

	for (size_t i = 0; i < bytes; i++) {
		int in_field = i % 2 == 0;

		if (in_field ? text[i] != '0' && text[i] != '1' : text[i] != ',')
			return 0;
		fields += !in_field;
	}
	return bytes % 2 ? fields : 0;
}

int behaviour_check(struct behaviour *b, const netsnmp_variable_list *var)
{
	const struct row *row = walk_find(b->walk, var->name, var->name_length);
	struct binding binding;
	const struct rule *rule;

	if (!row)
		return SNMP_ERR_NOCREATION;
	rule = rule_find(b, var->name, var->name_length, &binding);
	if (!rule)
		return SNMP_ERR_NOTWRITABLE;
	if (b->faults.refuse)
		return b->faults.refuse;
	if (var->type != (rule->is_csv ? ASN_OCTET_STR : ASN_INTEGER))
		return SNMP_ERR_WRONGTYPE;
	if (rule->is_csv)
		return csv_fields((const char *)var->val.string, var->val_len) ==
				       csv_fields(row->value, row->bytes)
			       ? SNMP_ERR_NOERROR
			       : SNMP_ERR_WRONGVALUE;
	for (size_t i = 0; i < rule->sets_count; i++) {
		if (rule->sets[i].value == *var->val.integer)
			return SNMP_ERR_NOERROR;
	}
	return SNMP_ERR_WRONGVALUE;
}

static void row_change(struct behaviour *b, struct row *row, long value, const char *text)
{
	if (text)
		row_set_text(row, text, strlen(text));
	else
		row_set_integer(row, value);
	if (!b->log)
		return;
	fprintf(b->log, "%s state %s ", b->device, oid_text(row->ids, row->ids_count));
	if (text)
		fprintf(b->log, "%s\n", text);
	else
		fprintf(b->log, "%ld\n", value);
}

static void schedule(struct behaviour *b, struct row *row, int64_t at_ms, long value,
		     const char *text)
{
	if (b->faults.pending_forever)
		return;
	for (size_t i = 0; i < DUE_MAX; i++) {
		if (b->dues[i].used)
			continue;
		b->dues[i] = (struct due){ .row = row, .at_ms = at_ms, .value = value, .used = 1 };
		b->dues[i].text = text ? strdup(text) : NULL;
		return;
	}
	die("too many things to do at once");
}

static void due_drop(struct due *due)
{
	free(due->text);
	*due = (struct due){ 0 };
}

/* A later command takes the place of an earlier one. */
static void unschedule(struct behaviour *b, const struct row *row)
{
	for (size_t i = 0; i < DUE_MAX; i++) {
		if (b->dues[i].used && b->dues[i].row == row)
			due_drop(&b->dues[i]);
	}
}

static void follow(struct behaviour *b, const struct follower *follower, struct row *row,
		   enum deed deed, int64_t now_ms)
{
	int64_t first_ms = now_ms + b->faults.slow_ms;
	int64_t last_ms = first_ms + (deed == DEED_CYCLE ? b->faults.cycle_ms : 0);

	unschedule(b, row);
	if (follower->kind == FOLLOWER_PENDING) {
		row_change(b, row, follower->busy, NULL);
		schedule(b, row, last_ms, follower->idle, NULL);
		return;
	}
	/* -1 is "cannot tell": such an outlet obeys nobody. */
	if (row_integer(row, 0) == -1)
		return;
	if (follower->shows_turning)
		row_change(b, row, deed == DEED_ON ? follower->turning_on : follower->turning_off,
			   NULL);
	schedule(b, row, first_ms, deed == DEED_ON ? follower->on : follower->off, NULL);
	if (deed == DEED_CYCLE)
		schedule(b, row, last_ms, follower->on, NULL);
}

static void rule_apply(struct behaviour *b, const struct rule *rule, const struct binding *binding,
		       struct row *control, long value, int64_t now_ms)
{
	enum deed deed = DEED_ON;

	for (size_t i = 0; i < rule->sets_count; i++) {
		if (rule->sets[i].value == value)
			deed = rule->sets[i].deed;
	}
	if (deed == DEED_KEEP) {
		row_change(b, control, value, NULL);
		return;
	}
	for (size_t i = 0; i < rule->followers_count; i++) {
		for (size_t j = 0; j < b->walk->count; j++) {
			struct row *row = &b->walk->rows[j];
			struct binding open = *binding;

			if (template_fits(&rule->followers[i].name, row->ids, row->ids_count,
					  &open))
				follow(b, &rule->followers[i], row, deed, now_ms);
		}
	}
}

void behaviour_set(struct behaviour *b, const netsnmp_variable_list *var, int64_t now_ms)
{
	struct row *row = walk_find(b->walk, var->name, var->name_length);
	struct binding binding;
	const struct rule *rule = rule_find(b, var->name, var->name_length, &binding);
	char *text = NULL;

	if (rule->is_csv) {
		text = calloc(1, var->val_len + 1);
		if (!text)
			die("out of memory");
		memcpy(text, var->val.string, var->val_len);
	}
	if (b->log) {
		fprintf(b->log, "%s set %s ", b->device, oid_text(var->name, var->name_length));
		if (text)
			fprintf(b->log, "%s\n", text);
		else
			fprintf(b->log, "%ld\n", *var->val.integer);
	}
	if (b->faults.ignore) {
		free(text);
		return;
	}
	if (text) {
		unschedule(b, row);
		schedule(b, row, now_ms + b->faults.slow_ms, 0, text);
	} else {
		rule_apply(b, rule, &binding, row, *var->val.integer, now_ms);
	}
	free(text);
	behaviour_tick(b, now_ms);
}

void behaviour_tick(struct behaviour *b, int64_t now_ms)
{
	for (;;) {
		struct due *next = NULL;

		for (size_t i = 0; i < DUE_MAX; i++) {
			struct due *due = &b->dues[i];

			if (due->used && due->at_ms <= now_ms &&
			    (!next || due->at_ms < next->at_ms))
				next = due;
		}
		if (!next)
			return;
		row_change(b, next->row, next->value, next->text);
		due_drop(next);
	}
}

/* Is this row one that shows a state? */
static int row_is_state(const struct behaviour *b, const struct row *row)
{
	for (size_t i = 0; i < b->rules_count; i++) {
		const struct rule *rule = &b->rules[i];
		struct binding open;

		binding_clear(&open);
		if (rule->is_csv && template_fits(&rule->name, row->ids, row->ids_count, &open))
			return 1;
		for (size_t j = 0; j < rule->followers_count; j++) {
			binding_clear(&open);
			if (template_fits(&rule->followers[j].name, row->ids, row->ids_count,
					  &open))
				return 1;
		}
	}
	return 0;
}

void behaviour_lose_states(struct behaviour *b)
{
	for (size_t i = 0; i < b->walk->count; i++) {
		if (row_is_state(b, &b->walk->rows[i]) && b->walk->rows[i].type == ASN_INTEGER)
			row_set_integer(&b->walk->rows[i], -1);
	}
}

void behaviour_save(struct behaviour *b, FILE *file)
{
	behaviour_tick(b, INT64_MAX);
	for (size_t i = 0; i < b->walk->count; i++) {
		const struct row *row = &b->walk->rows[i];

		if (!row_is_state(b, row))
			continue;
		if (row->type == ASN_INTEGER)
			fprintf(file, "%s|2|%ld\n", oid_text(row->ids, row->ids_count),
				row_integer(row, 0));
		else
			fprintf(file, "%s|4|%.*s\n", oid_text(row->ids, row->ids_count),
				(int)row->bytes, (const char *)row->value);
	}
}

void behaviour_free(struct behaviour *b)
{
	for (size_t i = 0; i < DUE_MAX; i++)
		due_drop(&b->dues[i]);
	free(b);
}
