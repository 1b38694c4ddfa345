/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * snmprec_wire.h - an SNMP object with its value, and the lines of a recorded walk.
 *
 * Callers: walk_io.c (recorded walks); every transport and the device code use snmp_var.
 *
 * A recorded walk is a text of lines `OID|TYPE|VALUE`, TYPE being the number of the ASN.1 tag: 2
 * integer, 4 octet string, 5 null, 6 object identifier, 64 address, 65 counter, 66 gauge, 67 time
 * ticks, 70 64-bit counter. `x` behind the number says that the value is in hexadecimal, `e` that
 * it is escaped (kept as it is). Empty lines and lines that begin with `#` are passed over.
 *
 * Pure: no I/O, no clock, no allocation. Input may be hostile.
 */
#ifndef HOLDFAST_SNMPREC_WIRE_H
#define HOLDFAST_SNMPREC_WIRE_H

#include "fence-agents/snmp/oid_wire.h"

enum { SNMP_TEXT_MAX = 512 };

enum snmp_kind {
	SNMP_ABSENT, /* the device has no such object (SNMP exceptions, noSuchName) */
	SNMP_NUMBER,
	SNMP_TEXT,
	SNMP_OBJECT, /* the value is an OID */
	SNMP_OTHER,
};

struct snmp_var {
	struct oid oid;
	enum snmp_kind kind;
	int64_t number;		  /* SNMP_NUMBER */
	size_t length;		  /* SNMP_TEXT: of the whole value */
	char text[SNMP_TEXT_MAX]; /* as much of it as fits, NUL behind it */
	struct oid object;	  /* SNMP_OBJECT */
};

/* Set a text value; what does not fit is cut, `length` tells. */
void snmp_var_text(struct snmp_var *var, const char *text, size_t length);

/* The value as a whole number: numbers, and texts that are one. 0 when it is neither. */
int snmp_var_number(const struct snmp_var *var, int64_t *number);

/* One line without its end. 1: *var is filled; 0: nothing on this line; RC_CONFIG: it is no line of
 * a walk, *problem says why (static text). */
int snmprec_line_read(const char *line, size_t length, struct snmp_var *var, const char **problem);

#endif
