/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * device.h - a device, by its profile: identify, read, switch, list.
 *
 * Callers: fence_pdu.c with a session, the profile checker with a recorded walk.
 *
 * Nothing here waits, repeats or verifies: that is the caller's part. Failures are recorded in *err
 * and their code is returned:
 *	RC_NO_SUCH_PLUG	 the device does not have the plug
 *	RC_UNSUPPORTED	 it has, but cannot switch it; or it has no switched plug at all
 *	RC_PROTOCOL	 a value that means nothing
 *	RC_BUSY		 another client changed the list of outlets meanwhile
 * and what the transport gives.
 * Ownership: the device points to profile and transport, which outlive it; rows are freed by
 * device_rows_free().
 */
#ifndef HOLDFAST_DEVICE_H
#define HOLDFAST_DEVICE_H

#include "fence-agents/snmp/profile_wire.h"
#include "fence-agents/snmp/transport.h"

enum {
	DEVICE_NAME_MAX = 96,  /* of a plug, as shown */
	DEVICE_CALL_MAX = 256, /* of a plug, as compared: SNMP's 255 bytes, and NUL */
	DEVICE_PLUG_MAX = 96,  /* of a plug's number as text */
	DEVICE_ROWS_MAX = 16384,
	DEVICE_LIVE_ROWS = 4,  /* asked for at once: three phases and the end behind them */
	DEVICE_WALK_ROWS = 50, /* asked for at once: 48 outlets and the end behind them */
};

/* What a device says of itself. */
struct device_identity {
	int has_object_id;
	struct oid object_id;
	char descr[256];      /* "" when it does not say */
	struct snmp_var base; /* of the profile that was given; SNMP_ABSENT otherwise */
};

struct device {
	const struct profile *profile;
	struct transport *transport;
	struct oid base;
	int64_t unit; /* default of the first part of plug numbers; -1: the profile's */
	/* Read the state as it is while a command is pending: an off that is seen in the middle of a
	 * cycle is an off. */
	int ignore_pending;
};

struct device_row {
	struct oid_index index;
	struct profile_reading reading;
	char names[PROFILE_NAMES_MAX][DEVICE_NAME_MAX]; /* fit to be shown, perhaps cut */
	/* The same as the device has them, byte for byte; "" when no user could write it so, because
	 * it is too long or holds what may not be shown. Plugs are found by these alone: two names
	 * that look the same are not the same plug. */
	char calls[PROFILE_NAMES_MAX][DEVICE_CALL_MAX];
	int rc; /* of profile_state() */
	enum power_state state;
};

struct device_rows {
	struct device_row *rows; /* in the order of the device */
	size_t count, room;
	int64_t announced; /* by the object COUNT; -1: not told */
};

/* Ask who it is, in one exchange; `known` (may be NULL) is the profile that is to be used anyway. */
int device_identify(struct transport *transport, const struct profile *known,
		    struct device_identity *identity, struct err *err);

/* Set up *device for a profile; asks the device for BASE where that is not known yet. */
int device_open(struct device *device, const struct profile *profile, struct transport *transport,
		const struct device_identity *identity, struct err *err);

/* The plug that a text means: a number of the profile's form, else a name. */
int device_find(const struct device *device, const char *text, struct oid_index *index,
		struct err *err);

/* Its state, in one exchange; an off that has a witness takes another. */
int device_read(const struct device *device, const struct oid_index *index, enum power_state *state,
		struct err *err);

/* The witness LIVE of a plug, for profiles that have one: 0 when there is at least one object at or
 * below it and all of them read 0; not known when one is no number, or there is none. */
int device_live_read(const struct device *device, const struct oid_index *index,
		     struct profile_value *live, struct err *err);

/* Command it. */
int device_command(const struct device *device, const struct oid_index *index,
		   enum profile_verb verb, struct err *err);

/* All rows that the device has, switchable or not; RC_UNSUPPORTED when none is. */
int device_rows_read(const struct device *device, struct device_rows *rows, struct err *err);
void device_rows_free(struct device_rows *rows);

/* The first name of a plug that is not empty, else "". */
const char *device_row_name(const struct device_row *row);

#endif
