/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * walk.c - rows of .snmprec files in memory. See walk.h.
 */
#include "tests/agents/snmp/walk.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("snmp_device: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

int oid_parse(const char *text, struct oid_name *name)
{
	char *end;

	name->count = 0;
	if (*text == '.')
		text++;
	for (;;) {
		if (!isdigit((unsigned char)*text) || name->count == MAX_OID_LEN)
			return -1;
		name->ids[name->count++] = strtoul(text, &end, 10);
		if (!*end)
			return 0;
		if (*end != '.')
			return -1;
		text = end + 1;
	}
}

const char *oid_text(const oid *ids, size_t count)
{
	static char text[MAX_OID_LEN * 11];
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, i ? ".%lu" : "%lu",
					 (unsigned long)ids[i]);
	return text;
}

/* Index of the first row whose name is not less than this one. */
static size_t lower_bound(const struct walk *walk, const oid *ids, size_t count)
{
	size_t low = 0, high = walk->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct row *row = &walk->rows[middle];

		if (snmp_oid_compare(row->ids, row->ids_count, ids, count) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct row *walk_find(const struct walk *walk, const oid *ids, size_t count)
{
	size_t at = lower_bound(walk, ids, count);

	if (at < walk->count &&
	    snmp_oid_compare(walk->rows[at].ids, walk->rows[at].ids_count, ids, count) == 0)
		return &walk->rows[at];
	return NULL;
}

struct row *walk_next(const struct walk *walk, const oid *ids, size_t count)
{
	size_t at = lower_bound(walk, ids, count);

	if (at < walk->count &&
	    snmp_oid_compare(walk->rows[at].ids, walk->rows[at].ids_count, ids, count) == 0)
		at++;
	return at < walk->count ? &walk->rows[at] : NULL;
}

int walk_has_under(const struct walk *walk, const oid *ids, size_t count)
{
	size_t at = lower_bound(walk, ids, count);

	return at < walk->count && walk->rows[at].ids_count >= count &&
	       snmp_oid_compare(walk->rows[at].ids, count, ids, count) == 0;
}

static void row_set(struct row *row, const void *value, size_t bytes)
{
	void *copy = malloc(bytes + 1);

	if (!copy)
		die("out of memory");
	if (bytes)
		memcpy(copy, value, bytes);
	((char *)copy)[bytes] = '\0';
	free(row->value);
	row->value = copy;
	row->bytes = bytes;
}

void row_set_integer(struct row *row, long value)
{
	row->type = ASN_INTEGER;
	row_set(row, &value, sizeof(value));
}

void row_set_text(struct row *row, const void *text, size_t bytes)
{
	row->type = ASN_OCTET_STR;
	row_set(row, text, bytes);
}

long row_integer(const struct row *row, long fallback)
{
	long value;

	if (row->type != ASN_INTEGER)
		return fallback;
	memcpy(&value, row->value, sizeof(value));
	return value;
}

/* Decode "c0a80001" (every == 1) or "\xc0text" (every == 0) in place; returns the bytes. */
static size_t unescape(char *text, int every, const char *where)
{
	size_t bytes = 0;
	const char *from = text;

	while (*from) {
		char digits[3] = { 0 }, *end;

		if (!every && !(from[0] == '\\' && from[1] == 'x')) {
			text[bytes++] = *from++;
			continue;
		}
		from += every ? 0 : 2;
		memcpy(digits, from, strnlen(from, 2));
		text[bytes++] = (char)strtoul(digits, &end, 16);
		if (end != digits + 2)
			die("%s: bad hexadecimal value", where);
		from += 2;
	}
	return bytes;
}

/* Set type and value from the second and third field of a line. */
static void row_decode(struct row *row, char *type, char *value, const char *where)
{
	char *end;
	size_t bytes;
	struct oid_name name;

	row->type = (u_char)strtoul(type, &end, 10);
	bytes = *end == 'x' || *end == 'e' ? unescape(value, *end == 'x', where) : strlen(value);
	switch (row->type) {
	case ASN_INTEGER: {
		long number = strtol(value, NULL, 10);

		row_set(row, &number, sizeof(number));
		break;
	}
	case ASN_COUNTER:
	case ASN_GAUGE:
	case ASN_TIMETICKS: {
		u_long number = strtoul(value, NULL, 10);

		row_set(row, &number, sizeof(number));
		break;
	}
	case ASN_COUNTER64: {
		unsigned long long number = strtoull(value, NULL, 10);
		struct counter64 wide = { .high = number >> 32, .low = number & 0xffffffff };

		row_set(row, &wide, sizeof(wide));
		break;
	}
	case ASN_OBJECT_ID:
		if (oid_parse(value, &name))
			die("%s: bad object identifier \"%s\"", where, value);
		row_set(row, name.ids, name.count * sizeof(name.ids[0]));
		break;
	case ASN_IPADDRESS:
		if (bytes != 4) {
			in_addr_t address = inet_addr(value);

			row_set(row, &address, sizeof(address));
			break;
		}
		row_set(row, value, bytes);
		break;
	case ASN_OCTET_STR:
	case ASN_OPAQUE:
	case ASN_NULL:
		row_set(row, value, bytes);
		break;
	default:
		die("%s: unknown type \"%s\"", where, type);
	}
}

void walk_put(struct walk *walk, const char *line, enum put_mode mode, const char *where)
{
	char *copy = strdup(line), *type, *value;
	struct oid_name name;
	struct row row = { 0 };
	size_t at;

	if (!copy)
		die("out of memory");
	type = strchr(copy, '|');
	value = type ? strchr(type + 1, '|') : NULL;
	if (!value)
		die("%s: want OID|TYPE|VALUE, not \"%s\"", where, line);
	*type++ = *value++ = '\0';
	if (oid_parse(copy, &name))
		die("%s: bad object identifier \"%s\"", where, copy);
	at = lower_bound(walk, name.ids, name.count);
	if (at < walk->count && snmp_oid_compare(walk->rows[at].ids, walk->rows[at].ids_count,
						 name.ids, name.count) == 0) {
		if (mode == PUT_REPLACE)
			row_decode(&walk->rows[at], type, value, where);
		free(copy);
		return;
	}
	row_decode(&row, type, value, where);
	free(copy);
	row.ids = malloc(name.count * sizeof(oid));
	if (walk->count == walk->room) {
		walk->room = walk->room ? 2 * walk->room : 256;
		walk->rows = realloc(walk->rows, walk->room * sizeof(walk->rows[0]));
	}
	if (!row.ids || !walk->rows)
		die("out of memory");
	memcpy(row.ids, name.ids, name.count * sizeof(oid));
	row.ids_count = name.count;
	memmove(&walk->rows[at + 1], &walk->rows[at], (walk->count - at) * sizeof(row));
	walk->rows[at] = row;
	walk->count++;
}

void walk_load(struct walk *walk, const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, where[512];
	size_t room = 0, number = 0;
	ssize_t bytes;

	if (!file)
		die("%s: %s", path, strerror(errno));
	while ((bytes = getline(&line, &room, file)) > 0) {
		number++;
		while (bytes && (line[bytes - 1] == '\n' || line[bytes - 1] == '\r'))
			line[--bytes] = '\0';
		if (!bytes || *line == '#')
			continue;
		snprintf(where, sizeof(where), "%s:%zu", path, number);
		walk_put(walk, line, PUT_REPLACE, where);
	}
	free(line);
	fclose(file);
}

void walk_free(struct walk *walk)
{
	for (size_t i = 0; i < walk->count; i++) {
		free(walk->rows[i].ids);
		free(walk->rows[i].value);
	}
	free(walk->rows);
	*walk = (struct walk){ 0 };
}
