/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * transport.h - how the device code asks: SNMP on the network, or a recorded walk.
 *
 * Implementations: session_io.c of fence_pdu (net-snmp), walk_io.c. Callers: device.c.
 *
 * Every call is one exchange with the device (a repetition by the transport when an answer was
 * lost is not counted), except where SNMP version 1 needs more to step over a missing object.
 * Failures are recorded in *err and their code returned. Time limits are the transport's business.
 */
#ifndef HOLDFAST_TRANSPORT_H
#define HOLDFAST_TRANSPORT_H

#include "base/err.h"
#include "fence-agents/snmp/snmprec_wire.h"

enum { TRANSPORT_VARS_MAX = 12 }; /* objects in one question */

/* An object of a walk's answer: it follows the OID of question `column`. SNMP_ABSENT: nothing
 * follows. */
typedef void (*transport_take)(void *arg, size_t column, const struct snmp_var *var);

struct transport {
	/* Read objects; .oid is given. An object that the device does not have comes back as
	 * SNMP_ABSENT, never as a value and never as a failure. */
	int (*get)(struct transport *t, struct snmp_var *vars, size_t count, struct err *err);

	/* Write one object. With `once` the request is not repeated when the answer is late. */
	int (*set)(struct transport *t, const struct snmp_var *var, int once, struct err *err);

	/* The objects that follow each of `count` OIDs, up to `rows` of them each. */
	int (*next)(struct transport *t, const struct oid *from, size_t count, unsigned rows,
		    transport_take take, void *arg, struct err *err);
};

#endif
