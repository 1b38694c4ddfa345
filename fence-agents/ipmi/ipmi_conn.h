/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ipmi_conn.h - a session with one BMC, over the OpenIPMI library's low-level LAN connection.
 *
 * A domain of that library reads every sensor record before it answers; the low-level connection
 * logs in and passes commands, and is what a fence agent needs.
 *
 * Several addresses lead to the same BMC. The first is tried at once, each further one when its
 * predecessor has failed or has not come up for a moment (as RFC 8305 does it); the first session
 * that comes up wins. A refusal that no repetition cures ends the race: it comes from the BMC
 * itself, and a wrong password tried twice may lock the account.
 *
 * Caller: fence_ipmi.c. Failures are reported through fence_fail(), their code is returned.
 * Ownership: the conn lives from ipmi_conn_open (a failed one included) to ipmi_conn_close;
 * strings of the login must live as long. The library itself is set up once a process.
 */
#ifndef HOLDFAST_IPMI_CONN_H
#define HOLDFAST_IPMI_CONN_H

#include <stddef.h>
#include <stdint.h>

#include "fence-agents/ipmi/ipmi_cause.h"
#include "fence-agents/ipmi/ipmi_wire.h"
#include "fence-agents/sdk/agent.h"

struct ipmi_login {
	const char *hosts; /* comma separated */
	const char *port;
	int family;	      /* AF_UNSPEC, AF_INET, AF_INET6 */
	const char *username; /* at most 16 bytes; "" for the null user */
	const char *password; /* at most 20 bytes, 16 with IPMI 1.5 */
	int privilege;	      /* 1 callback .. 4 administrator */
	int lanplus;
	int auth_type;			/* IPMI 1.5: 0 none, 2 MD5, 4 password */
	const struct ipmi_suite *suite; /* IPMI 2.0 */
	uint8_t key[IPMI_KEY_BYTES_MAX];
	int key_bytes;
	struct ipmi_words words; /* for messages */
};

struct ipmi_reply {
	uint8_t code; /* completion code */
	uint8_t data[64];
	size_t bytes;
};

struct ipmi_conn;

/* Log in within the time that fence_left_ms() gives. *conn is set even on failure. */
int ipmi_conn_open(struct fence_ctx *ctx, const struct ipmi_login *login, struct ipmi_conn **conn);

/* Send one command and wait for its answer. With `once` it is not repeated when the answer is
 * late: for commands that do harm when they arrive twice. Returns 0 when there is an answer,
 * whatever its completion code. */
int ipmi_conn_command(struct ipmi_conn *conn, uint8_t netfn, uint8_t command, const uint8_t *data,
		      size_t bytes, int once, struct ipmi_reply *reply);

/* Report the completion code of an answer as a failure of `what`; returns the code. */
int ipmi_conn_refused(struct ipmi_conn *conn, const char *what, uint8_t code);

/* Log out, so that no session is left at the BMC, and free the conn. NULL is ignored. */
void ipmi_conn_close(struct ipmi_conn *conn);

#endif
