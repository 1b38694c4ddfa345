/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * oid_wire.c - see oid_wire.h.
 */
#include "fence-agents/snmp/oid_wire.h"

#include <stdio.h>
#include <string.h>

#include "base/rc.h"

#define ID_MAX INT64_C(4294967295)

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A decimal number of at most 2^32-1 from text[*at] on; 0 when there is none. */
static int number_read(const char *text, size_t length, size_t *at, uint32_t *number)
{
	uint64_t value = 0;
	size_t i = *at;

	if (i >= length || !is_digit(text[i]))
		return 0;
	for (; i < length && is_digit(text[i]); i++) {
		value = value * 10 + (uint64_t)(text[i] - '0');
		if (value > (uint64_t)ID_MAX)
			return 0;
	}
	*at = i;
	*number = (uint32_t)value;
	return 1;
}

int oid_read(const char *text, size_t length, struct oid *oid)
{
	size_t at = length > 0 && text[0] == '.';

	oid->count = 0;
	for (;;) {
		if (oid->count == OID_MAX || !number_read(text, length, &at, &oid->ids[oid->count]))
			return RC_CONFIG;
		oid->count++;
		if (at == length)
			return oid->count >= 2 ? 0 : RC_CONFIG;
		if (text[at++] != '.')
			return RC_CONFIG;
	}
}

char *oid_write(const struct oid *oid, char out[OID_TEXT_MAX])
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < oid->count; i++)
		used += (size_t)snprintf(out + used, OID_TEXT_MAX - used, "%s%u", i ? "." : "",
					 oid->ids[i]);
	return out;
}

int oid_compare(const struct oid *a, const struct oid *b)
{
	for (size_t i = 0; i < a->count && i < b->count; i++)
		if (a->ids[i] != b->ids[i])
			return a->ids[i] < b->ids[i] ? -1 : 1;
	return a->count < b->count ? -1 : a->count > b->count;
}

int oid_is_below(const struct oid *oid, const struct oid *prefix)
{
	return oid->count >= prefix->count &&
	       memcmp(oid->ids, prefix->ids, prefix->count * sizeof oid->ids[0]) == 0;
}

/* ---- templates ---- */

/* "{name}", "{name+1}", "{name-1}" at text[*at]; *at moves behind it. Returns the problem, NULL
 * when it was understood. */
static const char *part_read(const char *text, size_t length, size_t *at,
			     const struct oid_index_shape *shape, int *part, int64_t *shift)
{
	size_t start = *at + 1, end = start;
	uint32_t number;

	while (end < length && text[end] >= 'a' && text[end] <= 'z')
		end++;
	for (*part = 0; (size_t)*part < shape->count; (*part)++)
		if (strlen(shape->parts[*part].name) == end - start &&
		    memcmp(shape->parts[*part].name, text + start, end - start) == 0)
			break;
	if ((size_t)*part == shape->count)
		return "is no part of the index";
	*shift = 0;
	if (end < length && (text[end] == '+' || text[end] == '-')) {
		int sign = text[end++] == '-' ? -1 : 1;

		if (!number_read(text, length, &end, &number))
			return "has no number after its sign";
		*shift = sign * (int64_t)number;
	}
	if (end >= length || text[end] != '}')
		return "is never closed";
	*at = end + 1;
	return NULL;
}

static int template_fault(size_t at, const char *what, const char *want, size_t *offset,
			  const char **problem, const char **expected)
{
	*offset = at;
	*problem = what;
	*expected = want;
	return RC_CONFIG;
}

int oid_template_read(const char *text, const struct oid_index_shape *shape,
		      struct oid_template *tmpl, size_t *offset, const char **problem,
		      const char **expected)
{
	size_t length = strlen(text), at = 0;

	*tmpl = (struct oid_template){ .is_set = 1 };
	if (strncmp(text, "{base}", 6) == 0) {
		tmpl->on_base = 1;
		at = 6;
		if (text[at] == '.')
			at++;
		else if (at < length)
			return template_fault(at, "does not go on with a dot",
					      "{base}.1.2.{outlet}", offset, problem, expected);
	} else if (text[0] == '.') {
		at = 1;
	}
	while (at < length) {
		uint32_t number;
		size_t here = at;

		if (tmpl->count == TEMPLATE_MAX)
			return template_fault(at, "is too long", "at most 32 numbers", offset,
					      problem, expected);
		if (text[at] == '{') {
			const char *fault = part_read(text, length, &at, shape,
						      &tmpl->ids[tmpl->count].part,
						      &tmpl->ids[tmpl->count].number);

			if (fault)
				return template_fault(here, fault,
						      "a name of INDEX in braces, as {outlet} or "
						      "{outlet+1}",
						      offset, problem, expected);
		} else if (number_read(text, length, &at, &number)) {
			tmpl->ids[tmpl->count].part = OID_LITERAL;
			tmpl->ids[tmpl->count].number = number;
		} else {
			return template_fault(here, "is not an object identifier",
					      "numbers and {names} separated by dots", offset,
					      problem, expected);
		}
		tmpl->count++;
		if (at == length)
			break;
		if (text[at] != '.' || at + 1 == length)
			return template_fault(at, "is not an object identifier",
					      "numbers and {names} separated by dots", offset,
					      problem, expected);
		at++;
	}
	if (!tmpl->on_base && (tmpl->count < 2 || tmpl->ids[0].part != OID_LITERAL))
		return template_fault(0, "is not an object identifier",
				      "1.3.6.1 and so on, or {base}", offset, problem, expected);
	return 0;
}

/* The base, or nothing, into *oid. */
static void base_copy(const struct oid_template *tmpl, const struct oid *base, struct oid *oid)
{
	oid->count = 0;
	if (tmpl->on_base)
		*oid = *base;
}

int oid_template_fill(const struct oid_template *tmpl, const struct oid *base,
		      const struct oid_index *index, struct oid *oid)
{
	base_copy(tmpl, base, oid);
	for (size_t i = 0; i < tmpl->count; i++) {
		int64_t number = tmpl->ids[i].number;

		if (tmpl->ids[i].part != OID_LITERAL)
			number += index->parts[tmpl->ids[i].part];
		if (number < 0 || number > ID_MAX)
			return RC_NO_SUCH_PLUG;
		if (oid->count == OID_MAX)
			return RC_PROTOCOL;
		oid->ids[oid->count++] = (uint32_t)number;
	}
	return 0;
}

int oid_template_prefix(const struct oid_template *tmpl, const struct oid *base, struct oid *oid)
{
	base_copy(tmpl, base, oid);
	for (size_t i = 0; i < tmpl->count && tmpl->ids[i].part == OID_LITERAL; i++) {
		if (oid->count == OID_MAX)
			return RC_PROTOCOL;
		oid->ids[oid->count++] = (uint32_t)tmpl->ids[i].number;
	}
	return 0;
}

int oid_template_match(const struct oid_template *tmpl, const struct oid *base,
		       const struct oid *oid, struct oid_index *index)
{
	size_t at = tmpl->on_base ? base->count : 0;
	int seen[INDEX_PARTS_MAX] = { 0 };

	if (oid->count != at + tmpl->count || (at && !oid_is_below(oid, base)))
		return 0;
	for (size_t i = 0; i < tmpl->count; i++, at++) {
		int64_t number = (int64_t)oid->ids[at] - tmpl->ids[i].number;
		int part = tmpl->ids[i].part;

		if (part == OID_LITERAL) {
			if (number != 0)
				return 0;
			continue;
		}
		if (number < 0 || number > ID_MAX)
			return 0;
		if (seen[part] && index->parts[part] != (uint32_t)number)
			return 0;
		seen[part] = 1;
		index->parts[part] = (uint32_t)number;
	}
	return 1;
}

int oid_template_uses(const struct oid_template *tmpl, size_t part)
{
	for (size_t i = 0; i < tmpl->count; i++)
		if (tmpl->ids[i].part == (int)part)
			return 1;
	return 0;
}

int oid_template_equal(const struct oid_template *a, const struct oid_template *b)
{
	if (a->is_set != b->is_set || a->on_base != b->on_base || a->count != b->count)
		return 0;
	for (size_t i = 0; i < a->count; i++)
		if (a->ids[i].part != b->ids[i].part || a->ids[i].number != b->ids[i].number)
			return 0;
	return 1;
}
