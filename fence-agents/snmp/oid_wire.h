/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * oid_wire.h - object identifiers, and the templates that device profiles write for them.
 *
 * Callers: profile_wire.c, snmprec_wire.c, the device code and its transports.
 *
 * A template is an OID in which some numbers depend on the plug:
 *
 *	1.3.6.1.4.1.318.1.1.12.3.5.1.1.4.{outlet}
 *	1.3.6.1.4.1.20677.2.6.2.{outlet+1}.0
 *	{base}.3.3.1.1.4.1.{outlet}
 *
 * {base} may stand at the front only, and is an OID that the device itself names. The other names
 * are parts of the plug's index; +n and -n shift the number.
 *
 * Pure: no I/O, no clock, no allocation. Input may be hostile.
 */
#ifndef HOLDFAST_OID_WIRE_H
#define HOLDFAST_OID_WIRE_H

#include <stddef.h>
#include <stdint.h>

enum {
	OID_MAX = 64, /* sub-identifiers; SNMP allows 128, no power device comes near */
	OID_TEXT_MAX = OID_MAX * 11 + 1,
	TEMPLATE_MAX = 32, /* numbers in a template */
	INDEX_PARTS_MAX = 4,
	INDEX_NAME_MAX = 16,
};

struct oid {
	size_t count;
	uint32_t ids[OID_MAX];
};

/* Read "1.3.6.1" or ".1.3.6.1", at least two numbers; nothing may follow within `length`.
 * RC_CONFIG when it is not an OID. */
int oid_read(const char *text, size_t length, struct oid *oid);

/* "1.3.6.1" into out; returns out. */
char *oid_write(const struct oid *oid, char out[OID_TEXT_MAX]);

/* Order of a walk: <0, 0, >0. */
int oid_compare(const struct oid *a, const struct oid *b);

/* Does `oid` begin with the numbers of `prefix`? Every OID is below itself. */
int oid_is_below(const struct oid *oid, const struct oid *prefix);

/* Which numbers make a plug: their names, from left to right, and what a missing one counts. */
struct oid_index_shape {
	size_t count;
	struct {
		char name[INDEX_NAME_MAX];
		int has_default;
		uint32_t fallback;
	} parts[INDEX_PARTS_MAX];
};

struct oid_index {
	uint32_t parts[INDEX_PARTS_MAX];
};

enum { OID_LITERAL = -1 };

struct oid_template {
	int is_set;
	int on_base; /* begins with {base} */
	size_t count;
	struct {
		int part;	/* of the index, or OID_LITERAL */
		int64_t number; /* the number itself, or what is added to the part */
	} ids[TEMPLATE_MAX];
};

/* Read a template; names are looked up in the shape. On failure RC_CONFIG, *offset is the byte
 * where the trouble begins and *problem, *expected say what it is (static text). */
int oid_template_read(const char *text, const struct oid_index_shape *shape,
		      struct oid_template *tmpl, size_t *offset, const char **problem,
		      const char **expected);

/* The OID for a plug. RC_NO_SUCH_PLUG when a number leaves 0..2^32-1, RC_PROTOCOL when the base
 * makes it too long. */
int oid_template_fill(const struct oid_template *tmpl, const struct oid *base,
		      const struct oid_index *index, struct oid *oid);

/* What comes before the first number that depends on the plug: where a walk of it starts.
 * RC_PROTOCOL when the base makes it too long. */
int oid_template_prefix(const struct oid_template *tmpl, const struct oid *base, struct oid *oid);

/* The plug that an OID of a walk belongs to; 0 when the OID is none of the template's. Parts
 * that the template does not mention are left alone. */
int oid_template_match(const struct oid_template *tmpl, const struct oid *base,
		       const struct oid *oid, struct oid_index *index);

/* Do both make the same OIDs? */
int oid_template_equal(const struct oid_template *a, const struct oid_template *b);

/* Does the number of part `part` occur in it? */
int oid_template_uses(const struct oid_template *tmpl, size_t part);

#endif
