/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * session_cause.h - what the net-snmp library and SNMP agents say went wrong, as causes of ours.
 *
 * Caller: session_io.c. Stateless.
 */
#ifndef HOLDFAST_SESSION_CAUSE_H
#define HOLDFAST_SESSION_CAUSE_H

#include "base/err.h"
#include "fence-agents/pdu/session_io.h"

struct cause_facts {
	const struct session_login *login;
	enum profile_version version;
	int answered; /* the device has answered before in this session */
	int is_set;   /* a SET, not a question */
	/* No answer to a first encrypted question, but to one in clear for its engine: agents drop
	 * what they decrypt to nonsense. */
	int engine_answers;
};

/* No answer, or a failure of the library (an SNMPERR_ number). */
int cause_of_library(const struct cause_facts *facts, int library_error, struct err *err);

/* An error-status of an answer (RFC 3416 section 3), not noError. */
int cause_of_status(const struct cause_facts *facts, long status, struct err *err);

#endif
