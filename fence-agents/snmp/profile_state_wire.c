/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * profile_state_wire.c - what plugs are called and what values mean; see profile_wire.h.
 */
#include <stdio.h>
#include <string.h>

#include "base/rc.h"
#include "fence-agents/snmp/profile_wire.h"

static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ---- plugs ---- */

/* A decimal number at *text, which moves behind it; no leading zeros, so that each plug has one
 * name. */
static int part_read(const char **text, uint32_t *number)
{
	const char *p = *text;
	uint64_t value = 0;

	if (!is_digit(*p) || (*p == '0' && is_digit(p[1])))
		return 0;
	for (; is_digit(*p); p++) {
		value = value * 10 + (uint64_t)(*p - '0');
		if (value > UINT32_MAX)
			return 0;
	}
	*text = p;
	*number = (uint32_t)value;
	return 1;
}

static int form_read(const char *form, const char *text, struct oid_index *index)
{
	size_t part = 0;

	while (*form) {
		if (*form == '{') {
			if (!part_read(&text, &index->parts[part++]))
				return RC_NO_SUCH_PLUG;
			form = strchr(form, '}') + 1;
		} else if (*form++ != *text++) {
			return RC_NO_SUCH_PLUG;
		}
	}
	return *text ? RC_NO_SUCH_PLUG : 0;
}

int profile_plug_read(const struct profile *profile, const char *text, int64_t unit,
		      struct oid_index *index)
{
	const struct oid_index_shape *shape = &profile->index;
	uint32_t given[INDEX_PARTS_MAX];
	size_t count = 0, missing;

	*index = (struct oid_index){ 0 };
	if (*profile->plug)
		return form_read(profile->plug, text, index);
	for (;;) {
		if (count == shape->count || !part_read(&text, &given[count]))
			return RC_NO_SUCH_PLUG;
		count++;
		if (!*text)
			break;
		if (*text++ != '.')
			return RC_NO_SUCH_PLUG;
	}
	missing = shape->count - count;
	for (size_t i = 0; i < missing; i++) {
		if (i == 0 && unit >= 0 && unit <= UINT32_MAX)
			index->parts[i] = (uint32_t)unit;
		else if (shape->parts[i].has_default)
			index->parts[i] = shape->parts[i].fallback;
		else
			return RC_NO_SUCH_PLUG;
	}
	memcpy(index->parts + missing, given, count * sizeof given[0]);
	return 0;
}

static void form_write(const char *form, const struct oid_index *index, char *out, size_t size)
{
	size_t used = 0, part = 0;

	while (*form && used + 1 < size) {
		if (*form == '{') {
			int length = snprintf(out + used, size - used, "%u", index->parts[part++]);

			used += (size_t)length;
			form = strchr(form, '}') + 1;
		} else {
			out[used++] = *form++;
		}
	}
	out[used < size ? used : size - 1] = '\0';
}

void profile_plug_write(const struct profile *profile, const struct oid_index *index, char *out,
			size_t size)
{
	const struct oid_index_shape *shape = &profile->index;
	size_t first = 0, used = 0;

	if (*profile->plug) {
		form_write(profile->plug, index, out, size);
		return;
	}
	while (first + 1 < shape->count && shape->parts[first].has_default &&
	       shape->parts[first].fallback == index->parts[first])
		first++;
	out[0] = '\0';
	for (size_t i = first; i < shape->count && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%u", i > first ? "." : "",
					 index->parts[i]);
}

/* ---- values ---- */

static int values_have(const struct profile_values *values, int64_t value)
{
	for (size_t i = 0; i < values->count; i++)
		if (values->values[i] == value)
			return 1;
	return 0;
}

/* Some devices say off while they feed a load. Where a second witness is known, both must agree
 * (rule S1). */
static int is_dead(const struct profile *profile, const struct profile_reading *reading)
{
	return !profile->live.is_set || (reading->live.is_known && reading->live.number == 0);
}

/* Does the witness of pending commands bear out a state? One that is missing, is no number or has a
 * value of no list proves nothing (rule S1). */
static int is_steady(const struct profile *profile, const struct profile_reading *reading,
		     const struct profile_values *values)
{
	if (!profile->changing.is_set || reading->ignore_pending)
		return 1;
	return reading->changing.is_known && values_have(values, reading->changing.number);
}

int profile_state(const struct profile *profile, const struct profile_reading *reading,
		  enum power_state *state)
{
	int64_t value = reading->status.number;

	*state = POWER_UNKNOWN;
	if (!reading->has_status)
		return RC_NO_SUCH_PLUG;
	if (reading->present.is_known && values_have(&profile->present_no, reading->present.number))
		return RC_NO_SUCH_PLUG;
	if (profile->present.is_set && !reading->present.is_known)
		return RC_PROTOCOL;
	if (!reading->status.is_known)
		return RC_PROTOCOL;
	if (values_have(&profile->absent, value))
		return RC_NO_SUCH_PLUG;
	if (values_have(&profile->fixed, value))
		return RC_UNSUPPORTED;
	if (reading->switchable.is_there && !reading->switchable.is_known)
		return RC_PROTOCOL;
	if (reading->switchable.is_known &&
	    !values_have(&profile->switchable_yes, reading->switchable.number))
		return RC_UNSUPPORTED;
	if (values_have(&profile->pending, value) ||
	    (reading->changing.is_known &&
	     values_have(&profile->changing_yes, reading->changing.number)))
		*state = POWER_PENDING;
	else if (values_have(&profile->on, value))
		*state = is_steady(profile, reading, &profile->steady_on) ? POWER_ON
									  : POWER_UNKNOWN;
	else if (values_have(&profile->off, value))
		*state = is_dead(profile, reading) &&
					 is_steady(profile, reading, &profile->steady_off)
				 ? POWER_OFF
				 : POWER_UNKNOWN;
	else if (!values_have(&profile->unknown, value))
		return RC_PROTOCOL;
	return 0;
}

int profile_is_off(const struct profile *profile, const struct profile_reading *reading)
{
	return reading->has_status && reading->status.is_known &&
	       values_have(&profile->off, reading->status.number);
}

int profile_number(const char *text, size_t length, int64_t *number)
{
	size_t i = 0;
	int negative;
	int64_t value = 0;

	while (i < length && text[i] == ' ')
		i++;
	while (length > i && text[length - 1] == ' ')
		length--;
	negative = i < length && text[i] == '-';
	i += (size_t)negative;
	/* Eighteen digits always fit. */
	if (i == length || length - i > 18)
		return 0;
	for (; i < length; i++) {
		if (!is_digit(text[i]))
			return 0;
		value = value * 10 + (text[i] - '0');
	}
	*number = negative ? -value : value;
	return 1;
}

/* ---- lists ---- */

int profile_field(const char *list, size_t length, uint32_t field, size_t *start, size_t *end)
{
	size_t at = 0;

	if (field == 0)
		return 0;
	for (uint32_t i = 1;; i++) {
		const char *comma = memchr(list + at, ',', length - at);

		*start = at;
		*end = comma ? (size_t)(comma - list) : length;
		if (i == field)
			return 1;
		if (!comma)
			return 0;
		at = *end + 1;
	}
}

int profile_field_set(const char *list, size_t length, uint32_t field, const char *text, char *out,
		      size_t size)
{
	size_t start, end;
	int needed;

	if (!profile_field(list, length, field, &start, &end))
		return RC_NO_SUCH_PLUG;
	needed = snprintf(out, size, "%.*s%s%.*s", (int)start, list, text, (int)(length - end),
			  list + end);
	return needed < 0 || (size_t)needed >= size ? RC_PROTOCOL : 0;
}
