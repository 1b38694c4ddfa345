/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * snmprec_wire.c - see snmprec_wire.h.
 */
#include "fence-agents/snmp/snmprec_wire.h"

#include <string.h>

#include "base/rc.h"

void snmp_var_text(struct snmp_var *var, const char *text, size_t length)
{
	size_t kept = length < SNMP_TEXT_MAX ? length : SNMP_TEXT_MAX - 1;

	var->kind = SNMP_TEXT;
	var->length = length;
	if (kept > 0)
		memcpy(var->text, text, kept);
	var->text[kept] = '\0';
}

/* A decimal number and nothing else, a sign allowed. Eighteen digits always fit. */
static int decimal_read(const char *text, size_t length, int64_t *number)
{
	int negative = length > 0 && text[0] == '-';
	int64_t value = 0;

	if (length == (size_t)negative || length - (size_t)negative > 18)
		return 0;
	for (size_t i = (size_t)negative; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		value = value * 10 + (text[i] - '0');
	}
	*number = negative ? -value : value;
	return 1;
}

int snmp_var_number(const struct snmp_var *var, int64_t *number)
{
	if (var->kind == SNMP_NUMBER) {
		*number = var->number;
		return 1;
	}
	return var->kind == SNMP_TEXT && var->length < SNMP_TEXT_MAX &&
	       decimal_read(var->text, var->length, number);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Pairs of hexadecimal digits; 0 when it is something else. */
static int hex_take(struct snmp_var *var, const char *text, size_t length)
{
	char bytes[SNMP_TEXT_MAX];

	if (length % 2)
		return 0;
	for (size_t i = 0; i < length; i += 2) {
		int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);

		if (high < 0 || low < 0)
			return 0;
		if (i / 2 < sizeof bytes)
			bytes[i / 2] = (char)(high * 16 + low);
	}
	/* Of a longer value only the length is told beyond the first bytes. */
	snmp_var_text(var, bytes, length / 2);
	return 1;
}

/* The value for a tag; returns the problem, NULL when all is well. */
static const char *value_take(struct snmp_var *var, int64_t tag, char mark, const char *value,
			      size_t length)
{
	var->kind = SNMP_OTHER;
	switch (tag) {
	/* Counters and time ticks are no states, whatever they count (rule S1): SNMP_OTHER. */
	case 2:
	case 66:
		if (!decimal_read(value, length, &var->number))
			return "the value is not a whole number";
		var->kind = SNMP_NUMBER;
		break;
	case 4:
		if (mark != 'x')
			snmp_var_text(var, value, length);
		else if (!hex_take(var, value, length))
			return "the value is not in pairs of hexadecimal digits";
		break;
	case 6:
		if (oid_read(value, length, &var->object))
			return "the value is not an object identifier";
		var->kind = SNMP_OBJECT;
		break;
	default:
		break;
	}
	return NULL;
}

int snmprec_line_read(const char *line, size_t length, struct snmp_var *var, const char **problem)
{
	const char *bar, *type, *end;
	int64_t tag;
	size_t type_length;
	char mark = 0;

	if (length > 0 && line[length - 1] == '\r')
		length--;
	if (length == 0 || line[0] == '#')
		return 0;
	end = line + length;
	bar = memchr(line, '|', length);
	*problem = "not of the form OID|TYPE|VALUE";
	if (!bar)
		return RC_CONFIG;
	type = bar + 1;
	if (oid_read(line, (size_t)(bar - line), &var->oid)) {
		*problem = "the first field is not an object identifier";
		return RC_CONFIG;
	}
	bar = memchr(type, '|', (size_t)(end - type));
	if (!bar)
		return RC_CONFIG;
	type_length = (size_t)(bar - type);
	if (type_length > 1 && (bar[-1] == 'x' || bar[-1] == 'e')) {
		mark = bar[-1];
		type_length--;
	}
	if (!decimal_read(type, type_length, &tag) || tag < 0 || tag > 255) {
		*problem = "the second field is no type";
		return RC_CONFIG;
	}
	*problem = value_take(var, tag, mark, bar + 1, (size_t)(end - bar - 1));
	return *problem ? RC_CONFIG : 1;
}
