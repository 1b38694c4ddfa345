/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * session_io.h - an SNMP session with one device, over the net-snmp library, as a transport.
 *
 * Caller: fence_pdu.c. The library is used for messages, security and sockets alone: it reads no
 * configuration and no MIB, writes no state, and what it logs goes to fence_debug().
 *
 * Each exchange ends within fence_left_ms(). A request that stays without answer is repeated each
 * second, except a SET that does harm when it arrives twice.
 *
 * Ownership: the session lives from session_open() to session_close(); the login's strings must
 * live as long. Keys made from passphrases are wiped by session_close().
 */
#ifndef HOLDFAST_SESSION_IO_H
#define HOLDFAST_SESSION_IO_H

#include "fence-agents/sdk/agent.h"
#include "fence-agents/snmp/profile_wire.h"
#include "fence-agents/snmp/transport.h"

struct session_login {
	const char *host;
	const char *port;
	int family; /* AF_UNSPEC, AF_INET, AF_INET6 */
	const char *community;
	/* Version 3. */
	const char *username;
	const char *level;     /* noAuthNoPriv, authNoPriv, authPriv */
	const char *auth_prot; /* MD5, SHA, SHA224 ... */
	const char *auth_pass;
	const char *priv_prot; /* DES, AES, AES192, AES256 */
	const char *priv_pass;
};

/* Resolve the name, open a socket; version 3 also finds the device's engine, which the others
 * do not need: they send nothing yet. *t is set even on failure, or NULL. */
int session_open(struct fence_ctx *ctx, const struct session_login *login,
		 enum profile_version version, struct transport **t, struct err *err);

/* Spend no more than that on each exchange from now on; 0 lifts it. */
void session_limit(struct transport *t, int64_t limit_ms);

/* Walk with version 2c if the device answers to it, though the session is of version 1: it answers
 * many rows at once. */
void session_offer_bulk(struct transport *t);

/* NULL is ignored. */
void session_close(struct transport *t);

#endif
