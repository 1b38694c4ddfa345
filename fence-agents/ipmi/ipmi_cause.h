/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ipmi_cause.h - from what was seen on the wire to a result code, a sentence and a next step.
 *
 * A login fails in few ways that an administrator can mend, and a BMC tells them apart with two
 * sets of status numbers whose meaning depends on the step, or by falling silent. The tables in
 * ipmi_cause.c hold every case, each with the clause of IPMI 2.0 it rests on.
 *
 * Callers: ipmi_conn.c, fence_ipmi.c, unit tests.
 * Ownership: causes are static.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_IPMI_CAUSE_H
#define HOLDFAST_IPMI_CAUSE_H

#include <stddef.h>
#include <stdint.h>

#include "base/rc.h"
#include "fence-agents/ipmi/ipmi_wire.h"

/* What ended a login. */
enum ipmi_event {
	IPMI_EVENT_SILENCE,   /* no further answer, however often it was asked */
	IPMI_EVENT_STATUS,    /* an answer with a status other than 0 */
	IPMI_EVENT_REJECT,    /* an answer with status 0 that fails its check */
	IPMI_EVENT_NO_V20,    /* capabilities without IPMI 2.0 */
	IPMI_EVENT_DOWNGRADE, /* the BMC chose other algorithms than were asked for */
	IPMI_EVENT_OS,	      /* the operating system or the network: an errno */
};

/* What is known about a login that failed. */
struct ipmi_evidence {
	enum ipmi_stage stage; /* of the last answer; for STATUS and REJECT the answer itself */
	enum ipmi_event event;
	int code;  /* STATUS: status; OS: errno */
	int alive; /* SILENCE: the BMC still answers requests without a session */
};

struct ipmi_cause {
	int rc;
	const char *text; /* may name {user} {cipher} {privlvl} {auth} {port} {code} {errno} */
	const char *next; /* what to do about it */
};

/* What the placeholders of a text stand for. */
struct ipmi_words {
	const char *user, *privlvl, *auth, *port;
	int64_t cipher;
	int code;
};

/* Turn the number that the library reported for a login into an event. `answer` is the datagram
 * that was being handled, NULL when a timer ran out; `error` is 0 when our own deadline passed.
 * Fills stage, event and code; leaves alive alone. */
void ipmi_evidence_read(struct ipmi_evidence *evidence, int error, const struct ipmi_packet *answer,
			enum ipmi_stage last);

/* Why a login failed. Never NULL. */
const struct ipmi_cause *ipmi_cause_login(const struct ipmi_evidence *evidence);

/* Why a command within the session failed, by completion code (not 0). Never NULL. */
const struct ipmi_cause *ipmi_cause_command(uint8_t code);

/* Which of two failures says more about one BMC that was tried at several addresses: positive
 * when `a` does. */
int ipmi_cause_compare(int rc_a, int rc_b);

/* The text with its placeholders filled in; cut when the buffer is too small. */
void ipmi_cause_text(const struct ipmi_cause *cause, const struct ipmi_words *words, char *buffer,
		     size_t bytes);

#endif
