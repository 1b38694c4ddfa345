/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * walk.h - the objects of a simulated SNMP device: rows of .snmprec files, sorted by name.
 *
 * Used by tests/agents/snmp_device.c and snmp/behaviour.c. The walk owns its rows and their values;
 * a pointer to a row is good until the next walk_put. Faults in the input end the program
 * with a message that names file and line: it is a test tool.
 *
 * A line of a .snmprec file is OID|TYPE|VALUE. TYPE is the BER tag as a decimal number, with x after
 * it where VALUE is hexadecimal, e where it has escapes (\xHH). Lines that begin with # are
 * comments.
 */
#ifndef TESTS_SNMP_WALK_H
#define TESTS_SNMP_WALK_H

#include <stddef.h>
#include <sys/types.h>

/* net-snmp insists on this order. */
#include <net-snmp/net-snmp-config.h>

#include <net-snmp/net-snmp-includes.h>

struct oid_name {
	oid ids[MAX_OID_LEN];
	size_t count;
};

struct row {
	oid *ids;
	size_t ids_count;
	u_char type;  /* ASN_INTEGER, ASN_OCTET_STR ... */
	void *value;  /* as snmp_set_var_typed_value wants it */
	size_t bytes; /* of value */
};

struct walk {
	struct row *rows; /* sorted, each name once */
	size_t count, room;
};

enum put_mode {
	PUT_REPLACE, /* a row of the same name gives way */
	PUT_KEEP,    /* it stays */
};

/* Print "snmp_device: ..." and end with status 1. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Numbers with dots between, a dot before them allowed. Returns 0, or -1 when it is something else. */
int oid_parse(const char *text, struct oid_name *name);

/* The name as text, in a static buffer that the next call overwrites. */
const char *oid_text(const oid *ids, size_t count);

/* Add one line of a .snmprec file; `where` is for messages. */
void walk_put(struct walk *walk, const char *line, enum put_mode mode, const char *where);

/* Add a whole file. */
void walk_load(struct walk *walk, const char *path);

/* The row of this name, or NULL. */
struct row *walk_find(const struct walk *walk, const oid *ids, size_t count);

/* The first row after this name, or NULL. */
struct row *walk_next(const struct walk *walk, const oid *ids, size_t count);

/* Is there a row under this name? */
int walk_has_under(const struct walk *walk, const oid *ids, size_t count);

/* The value of an integer row; `fallback` when it is of another type. */
long row_integer(const struct row *row, long fallback);

void row_set_integer(struct row *row, long value);
void row_set_text(struct row *row, const void *text, size_t bytes);

/* Give everything back. */
void walk_free(struct walk *walk);

#endif
