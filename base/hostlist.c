/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * hostlist.c - expansion of host lists; see hostlist.h.
 *
 * hostlist_measure() is the only place that judges a text. The expansion walks the same text
 * again, one term at a time, like an odometer: each bracket is a wheel, and the last one turns
 * fastest.
 */
#include "base/hostlist.h"

#include <assert.h>
#include <string.h>

#include "base/rc.h"

struct hostlist_range {
	unsigned long from, to;
	unsigned width;	   /* digits to print at least */
	size_t digits_max; /* digits of the longest number */
};

/* A bracket while its term is expanded: where it stands, and the number it shows. */
struct hostlist_wheel {
	const char *open;  /* its '[' */
	const char *close; /* its ']' */
	const char *range; /* text of the range in use */
	unsigned long value;
	struct hostlist_range current;
};

static int hostlist_fail(struct hostlist_fault *fault, const char *text, const char *at,
			 const char *problem, const char *expected)
{
	fault->column = (unsigned)(at - text) + 1;
	fault->problem = problem;
	fault->expected = expected;
	return RC_CONFIG;
}

static int hostlist_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int hostlist_is_literal(char c)
{
	return hostlist_is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '.' || c == '_' || c == '-';
}

/* Read the digits at *at; returns how many there were, and moves *at behind them. */
static size_t hostlist_number(const char **at, unsigned long *value)
{
	const char *start = *at;

	*value = 0;
	while (hostlist_is_digit(**at)) {
		if (*at - start < HOSTLIST_DIGITS_MAX)
			*value = *value * 10 + (unsigned long)(**at - '0');
		(*at)++;
	}
	return (size_t)(*at - start);
}

/* Read one range at *at and move behind it. */
static int hostlist_range_read(const char *text, const char **at, struct hostlist_range *range,
			       struct hostlist_fault *fault)
{
	const char *from_at = *at, *to_at;
	size_t from_digits = hostlist_number(at, &range->from), to_digits;

	if (from_digits == 0)
		return hostlist_fail(fault, text, *at, "no number here", "a number");
	if (from_digits > HOSTLIST_DIGITS_MAX)
		return hostlist_fail(fault, text, from_at, "number is too long",
				     "at most 9 digits");
	range->to = range->from;
	range->width = from_at[0] == '0' ? (unsigned)from_digits : 1;
	range->digits_max = from_digits;
	if (**at != '-')
		return 0;
	to_at = ++*at;
	to_digits = hostlist_number(at, &range->to);
	if (to_digits == 0)
		return hostlist_fail(fault, text, *at, "range has no end", "a number");
	if (to_digits > HOSTLIST_DIGITS_MAX)
		return hostlist_fail(fault, text, to_at, "number is too long", "at most 9 digits");
	if (to_at[0] == '0' && to_digits > 1 && to_digits != from_digits)
		return hostlist_fail(fault, text, to_at, "ends of the range differ in width",
				     "both with the same number of digits, as in [01-16]");
	if (range->to < range->from)
		return hostlist_fail(fault, text, to_at, "range runs backwards",
				     "a number not below the first");
	range->digits_max = to_digits > from_digits ? to_digits : from_digits;
	return 0;
}

/* Read the bracket at *at, and move behind it. *values: how many numbers it stands for (at most
 * a bit above HOSTLIST_NAMES_MAX); *digits: of its longest number. */
static int hostlist_bracket_read(const char *text, const char **at, size_t *values, size_t *digits,
				 struct hostlist_fault *fault)
{
	const char *open = (*at)++;

	*values = 0;
	*digits = 0;
	for (;;) {
		struct hostlist_range range;
		int rc = hostlist_range_read(text, at, &range, fault);

		if (rc)
			return rc;
		*values += range.to - range.from + 1;
		if (*values > HOSTLIST_NAMES_MAX)
			return hostlist_fail(fault, text, open, "list is too long",
					     "at most 65536 names");
		if (range.digits_max > *digits)
			*digits = range.digits_max;
		if (**at == ']') {
			(*at)++;
			return 0;
		}
		if (**at != ',')
			return hostlist_fail(fault, text, *at,
					     **at ? "this does not belong in brackets"
						  : "bracket is never closed",
					     "`,`, `-`, `]` or a digit");
		(*at)++;
	}
}

/* Read the term at *at, and move behind it. */
static int hostlist_term_read(const char *text, const char **at, size_t *names, size_t *length,
			      struct hostlist_fault *fault)
{
	const char *start = *at;
	size_t brackets = 0;

	*names = 1;
	*length = 0;
	while (**at && **at != ',') {
		size_t values, digits;
		const char *open = *at;
		int rc;

		if (hostlist_is_literal(**at)) {
			(*at)++;
			(*length)++;
		} else if (**at == '[') {
			if (++brackets > HOSTLIST_BRACKETS_MAX)
				return hostlist_fail(fault, text, open, "too many brackets",
						     "at most 8 in one name");
			rc = hostlist_bracket_read(text, at, &values, &digits, fault);
			if (rc)
				return rc;
			*names *= values;
			*length += digits;
			if (*names > HOSTLIST_NAMES_MAX)
				return hostlist_fail(fault, text, open, "list is too long",
						     "at most 65536 names");
		} else {
			return hostlist_fail(fault, text, *at, "this cannot be part of a name",
					     "a letter, a digit, `.`, `_`, `-`, `[` or `,`");
		}
		if (*length > HOSTLIST_NAME_MAX)
			return hostlist_fail(fault, text, start, "name is too long",
					     "at most 255 bytes");
	}
	if (*at == start)
		return hostlist_fail(fault, text, start, "no name here", "a name");
	return 0;
}

int hostlist_measure(const char *text, struct hostlist_size *size, struct hostlist_fault *fault)
{
	const char *at = text;

	for (;;) {
		const char *start = at;
		size_t names, length;
		int rc = hostlist_term_read(text, &at, &names, &length, fault);

		if (rc)
			return rc;
		size->names += names;
		size->bytes += names * (length + 1);
		if (size->names > HOSTLIST_NAMES_MAX)
			return hostlist_fail(fault, text, start, "list is too long",
					     "at most 65536 names");
		if (*at == '\0')
			return 0;
		at++;
	}
}

/* Slots of the hash table: a power of two, at most half of them in use. */
static size_t hostlist_slots(const struct hostlist_size *size)
{
	size_t slots = 4;

	while (slots < size->names * 2)
		slots *= 2;
	return slots;
}

size_t hostlist_memory(const struct hostlist_size *size)
{
	return hostlist_slots(size) * sizeof(uint32_t) + size->bytes;
}

void hostlist_init(struct hostlist *list, void *memory, const struct hostlist_size *size)
{
	memset(list, 0, sizeof *list);
	list->slots = memory;
	list->slots_count = hostlist_slots(size);
	memset(list->slots, 0, list->slots_count * sizeof *list->slots);
	list->names = (char *)(list->slots + list->slots_count);
	list->bytes_max = size->bytes;
}

/* The slot that holds the name, or the free one where it belongs. */
static size_t hostlist_slot(const struct hostlist *list, const char *name)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
	size_t slot;

	for (const char *c = name; *c; c++)
		hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
	slot = (size_t)(hash ^ hash >> 32) & (list->slots_count - 1);
	while (list->slots[slot] && strcmp(list->names + list->slots[slot] - 1, name) != 0)
		slot = (slot + 1) & (list->slots_count - 1);
	return slot;
}

int hostlist_has(const struct hostlist *list, const char *name)
{
	return list->slots[hostlist_slot(list, name)] != 0;
}

static void hostlist_keep(struct hostlist *list, const char *name, size_t length)
{
	size_t slot = hostlist_slot(list, name);

	if (list->slots[slot])
		return;
	assert(list->bytes + length + 1 <= list->bytes_max);
	memcpy(list->names + list->bytes, name, length + 1);
	list->slots[slot] = (uint32_t)list->bytes + 1;
	list->bytes += length + 1;
	list->count++;
}

/* Turn a wheel to the first number of the range at `range`. */
static void hostlist_wheel_set(struct hostlist_wheel *wheel, const char *range)
{
	struct hostlist_fault unused;
	const char *at = range;
	int rc = hostlist_range_read(range, &at, &wheel->current, &unused);

	assert(rc == 0); /* hostlist_measure() has accepted this text */
	(void)rc;
	wheel->range = range;
	wheel->value = wheel->current.from;
}

/* Turn a wheel one further. 0 when it has come round and stands at its start again. */
static int hostlist_wheel_turn(struct hostlist_wheel *wheel)
{
	const char *comma;

	if (wheel->value < wheel->current.to) {
		wheel->value++;
		return 1;
	}
	comma = memchr(wheel->range, ',', (size_t)(wheel->close - wheel->range));
	hostlist_wheel_set(wheel, comma ? comma + 1 : wheel->open + 1);
	return comma != NULL;
}

static size_t hostlist_print(char *out, unsigned long value, unsigned width)
{
	char digits[24];
	size_t count = 0;

	do {
		digits[count++] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	while (count < width)
		digits[count++] = '0';
	for (size_t i = 0; i < count; i++)
		out[i] = digits[count - 1 - i];
	return count;
}

/* The name that the wheels show now. */
static void hostlist_show(struct hostlist *list, const char *start, const char *end,
			  const struct hostlist_wheel *wheels, size_t wheels_count)
{
	char name[HOSTLIST_NAME_MAX + 1];
	size_t length = 0, wheel = 0;

	for (const char *at = start; at < end; at++) {
		if (*at == '[') {
			assert(wheel < wheels_count);
			length += hostlist_print(name + length, wheels[wheel].value,
						 wheels[wheel].current.width);
			at = wheels[wheel++].close;
		} else {
			name[length++] = *at;
		}
	}
	name[length] = '\0';
	hostlist_keep(list, name, length);
}

static void hostlist_term_add(struct hostlist *list, const char *start, const char *end)
{
	struct hostlist_wheel wheels[HOSTLIST_BRACKETS_MAX] = { 0 };
	size_t wheels_count = 0, i;

	for (const char *at = start; at < end; at++) {
		struct hostlist_wheel *wheel = &wheels[wheels_count];

		if (*at != '[')
			continue;
		assert(wheels_count < HOSTLIST_BRACKETS_MAX);
		wheel->open = at;
		wheel->close = memchr(at, ']', (size_t)(end - at));
		hostlist_wheel_set(wheel, at + 1);
		wheels_count++;
	}
	do {
		hostlist_show(list, start, end, wheels, wheels_count);
		for (i = wheels_count; i > 0; i--)
			if (hostlist_wheel_turn(&wheels[i - 1]))
				break;
	} while (i > 0);
}

void hostlist_add(struct hostlist *list, const char *text)
{
	const char *start = text;
	int in_bracket = 0;

	for (const char *at = text;; at++) {
		if (*at == '[')
			in_bracket = 1;
		else if (*at == ']')
			in_bracket = 0;
		else if (*at == '\0' || (*at == ',' && !in_bracket)) {
			hostlist_term_add(list, start, at);
			if (*at == '\0')
				return;
			start = at + 1;
		}
	}
}

const char *hostlist_first(const struct hostlist *list)
{
	return list->count > 0 ? list->names : NULL;
}

const char *hostlist_next(const struct hostlist *list, const char *name)
{
	name += strlen(name) + 1;
	return name < list->names + list->bytes ? name : NULL;
}
