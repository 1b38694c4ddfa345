/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ipmi_net.h - addresses, and the few system calls that fence_ipmi makes beside the library.
 *
 * The library resolves names with a blocking call, takes the first address only, and hears
 * nothing of ICMP errors; these functions fill the gaps.
 *
 * Caller: ipmi_conn.c. Ownership: the caller's structs; nothing is kept.
 */
#ifndef HOLDFAST_IPMI_NET_H
#define HOLDFAST_IPMI_NET_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "fence-agents/sdk/agent.h"

/* Addresses tried for one BMC; what a list holds beyond that is ignored with a warning. */
enum { IPMI_ADDRESSES_MAX = 8 };

struct ipmi_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_storage storage;
	};
	socklen_t bytes;
	char text[64]; /* numeric, without port; what messages name and the library is given */
};

struct ipmi_addresses {
	struct ipmi_address list[IPMI_ADDRESSES_MAX];
	size_t count;
	int cut; /* there were more */
};

/* The addresses behind a comma separated list of host names and numbers ("10.0.0.7, bmc-7,
 * [fe80::1%eth0]"), within fence_left_ms(). Names that do not resolve are skipped as long as one
 * does. A failure is reported through fence_fail(). */
int ipmi_resolve_hosts(struct fence_ctx *ctx, const char *hosts, const char *port, int family,
		       struct ipmi_addresses *addresses);

/* Same family, address and port? */
int ipmi_address_equal(const struct sockaddr *a, const struct sockaddr *b);

/* Is there a way to send to the address? 0 or an errno. Sends nothing. */
int ipmi_route_check(const struct ipmi_address *address);

/* Ask the BMC a question that needs no session and wait up to timeout_ms for an answer of any
 * kind. 1 when it answered. */
int ipmi_ping(const struct ipmi_address *address, uint8_t privilege, int64_t timeout_ms);

/* Have ICMP errors reported on a datagram socket. */
void ipmi_icmp_listen(int fd);

/* Take one ICMP error: 1 with the destination it is about and its errno, 0 when there is none. */
int ipmi_icmp_next(int fd, struct sockaddr_storage *destination, int *error);

#endif
