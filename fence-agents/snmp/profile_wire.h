/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * profile_wire.h - a device profile: all that is to know about one make of SNMP device.
 *
 * Callers: profile_io.c reads the files, device.c works by them, the profile checker shows them.
 * holdfast-device(5) documents the format, field by field.
 *
 * Invariants of a profile that was read without fault: name, class, description, INDEX and
 * STATUS with at least one on and one off value are there, no value has two meanings, ON and OFF
 * are there; STATUS tells every part of the index (a field of a list counts), so that a walk of it
 * yields the plugs; with STATUS_FIELD the commands are changes of one field of STATUS.
 *
 * Ownership: fixed buffers inside the struct, nothing to free.
 * Pure: no I/O, no clock, no allocation. Input may be hostile.
 */
#ifndef HOLDFAST_PROFILE_WIRE_H
#define HOLDFAST_PROFILE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/conf.h"
#include "base/power.h"
#include "fence-agents/snmp/oid_wire.h"

enum {
	PROFILE_BYTES_MAX = 64 * 1024, /* of a file */
	PROFILE_NAME_MAX = 32,
	PROFILE_TEXT_MAX = 160,
	PROFILE_MATCHES_MAX = 8,
	PROFILE_NAMES_MAX = 3,
	PROFILE_TESTS_MAX = 4,
	PROFILE_VALUES_MAX = 16,
	PROFILE_BEFORE_MAX = 3,
	PROFILE_STRING_MAX = 32,
};

enum profile_class {
	PROFILE_PDU,
	PROFILE_UPS,
	PROFILE_BLADE,
	PROFILE_FABRIC,
	PROFILE_LIGHTS_OUT,
};

enum profile_tested {
	PROFILE_TESTED_WALK,	  /* a recorded walk of a real device */
	PROFILE_TESTED_HAND_MADE, /* a walk written by hand from the device's MIB */
	PROFILE_TESTED_REAL,	  /* a real device */
};

enum profile_version { PROFILE_V1, PROFILE_V2C, PROFILE_V3 };

/* Values of an object that mean the same. */
struct profile_values {
	size_t count;
	int64_t values[PROFILE_VALUES_MAX];
};

/* A SET: where, and what is written there. */
struct profile_command {
	struct oid_template where;
	int is_string;
	int64_t number;
	char text[PROFILE_STRING_MAX];
};

enum profile_verb { PROFILE_OFF, PROFILE_ON, PROFILE_CYCLE, PROFILE_VERBS };

struct profile {
	char name[PROFILE_NAME_MAX];
	enum profile_class device_class;
	char description[PROFILE_TEXT_MAX];
	size_t tests_count;
	struct {
		enum profile_tested kind;
		char text[PROFILE_TEXT_MAX];
	} tests[PROFILE_TESTS_MAX];

	size_t matches_count;
	struct oid matches[PROFILE_MATCHES_MAX];
	char match_descr[PROFILE_TEXT_MAX]; /* part of sysDescr that must be there too; or "" */

	enum profile_version version;
	char community[PROFILE_STRING_MAX];
	int64_t settle_ms;

	struct oid base_at, base_within; /* count 0: no BASE */
	struct oid_index_shape index;
	char plug[PROFILE_TEXT_MAX]; /* form of a plug's name; "" = numbers joined by dots */

	size_t names_count;
	struct oid_template names[PROFILE_NAMES_MAX];
	unsigned name_field; /* 1, 2 ...: of a comma-separated list; 0: all of it */
	struct oid count;    /* count 0: none */

	struct oid_template status;
	int status_field; /* part of the index that counts fields of a list; -1: no list */
	struct profile_values on, off, pending, unknown, absent, fixed;

	struct oid_template present, switchable, changing, live;
	struct profile_values present_no, switchable_yes, changing_yes;
	/* Values of `changing` beside which on, and off, is believed. */
	struct profile_values steady_on, steady_off;

	struct profile_command verbs[PROFILE_VERBS]; /* where.is_set == 0: it cannot */
	size_t before_count[PROFILE_VERBS];
	struct profile_command before[PROFILE_VERBS][PROFILE_BEFORE_MAX];
};

/* Read a profile. RC_CONFIG with *fault filled. `reader` is scratch memory. */
int profile_read(struct conf_reader *reader, const char *data, size_t size, struct profile *profile,
		 struct conf_fault *fault);

/* "pdu", "ups", "blade", "fabric", "lights-out"; "walk", "hand-made", "real"; "1", "2c", "3". */
const char *profile_class_word(enum profile_class device_class);
const char *profile_tested_word(enum profile_tested kind);
const char *profile_version_word(enum profile_version version);

/* How well does a device fit, by its sysObjectID and sysDescr (NULL: not known)? 0: not at all; of
 * several profiles the greatest wins. */
size_t profile_match(const struct profile *profile, const struct oid *object_id, const char *descr);

/* ---- plugs ---- */

/* A plug as the user writes it. `unit` >= 0 replaces the default of the first part.
 * RC_NO_SUCH_PLUG when it is not of the profile's form (it may be a name then). */
int profile_plug_read(const struct profile *profile, const char *text, int64_t unit,
		      struct oid_index *index);

/* The shortest form that reads back as the same plug. */
void profile_plug_write(const struct profile *profile, const struct oid_index *index, char *out,
			size_t size);

/* ---- values ---- */

/* An object's value as far as a state is concerned. */
struct profile_value {
	int is_there; /* the device has the object, whatever its value */
	int is_known; /* and its value is a whole number */
	int64_t number;
};

/* What a device says of one plug. */
struct profile_reading {
	int has_status;	    /* the object is there, whatever its value */
	int ignore_pending; /* `changing` was not asked for, and does not count */
	struct profile_value status, present, switchable, changing, live;
};

/* The state of a plug. RC_NO_SUCH_PLUG: the device does not have it. RC_UNSUPPORTED: it is there
 * but cannot be switched. RC_PROTOCOL: its value means nothing, or whether it is there or can be
 * switched is not told. */
int profile_state(const struct profile *profile, const struct profile_reading *reading,
		  enum power_state *state);

/* Does the device say off, whatever the witnesses say? */
int profile_is_off(const struct profile *profile, const struct profile_reading *reading);

/* A whole decimal number, blanks around it allowed. 0 when the text is something else. */
int profile_number(const char *text, size_t length, int64_t *number);

/* ---- comma-separated lists ---- */

/* Field `field` (1, 2 ...) of a list; 0 when there is none. */
int profile_field(const char *list, size_t length, uint32_t field, size_t *start, size_t *end);

/* The list with one field replaced. RC_NO_SUCH_PLUG: no such field; RC_PROTOCOL: no room. */
int profile_field_set(const char *list, size_t length, uint32_t field, const char *text, char *out,
		      size_t size);

#endif
