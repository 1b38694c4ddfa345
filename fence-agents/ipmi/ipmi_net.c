/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ipmi_net.c - names, routes, ICMP errors and a sign of life; see ipmi_net.h.
 */
#include "fence-agents/ipmi/ipmi_net.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/errqueue.h> /* needs struct timespec */

#include "fence-agents/ipmi/ipmi_wire.h"

static void addresses_add(struct ipmi_addresses *addresses, const struct addrinfo *info)
{
	for (; info; info = info->ai_next) {
		struct ipmi_address *to = &addresses->list[addresses->count];
		size_t i;

		if (info->ai_addrlen > sizeof to->storage)
			continue;
		for (i = 0; i < addresses->count; i++)
			if (ipmi_address_equal(&addresses->list[i].any, info->ai_addr))
				break;
		if (i < addresses->count)
			continue; /* twice the same would race with itself */
		if (addresses->count == IPMI_ADDRESSES_MAX) {
			addresses->cut = 1;
			return;
		}
		memset(to, 0, sizeof *to);
		memcpy(&to->storage, info->ai_addr, info->ai_addrlen);
		to->bytes = info->ai_addrlen;
		if (getnameinfo(&to->any, to->bytes, to->text, sizeof to->text, NULL, 0,
				NI_NUMERICHOST) == 0)
			addresses->count++;
	}
}

/* A query that can be abandoned: the resolver's thread may write to it after we gave up, so it
 * stays allocated in that case, until the process ends. */
struct query {
	struct gaicb request;
	struct addrinfo hints;
	char host[256];
	char port[16];
};

static int query_run(struct query *query, int64_t timeout_ms, struct addrinfo **result)
{
	struct gaicb *list[] = { &query->request };
	struct timespec left = { timeout_ms / 1000, timeout_ms % 1000 * 1000000 };
	int rc;

	query->request.ar_name = query->host;
	query->request.ar_service = query->port;
	query->request.ar_request = &query->hints;
	rc = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
	if (rc) {
		free(query);
		return rc;
	}
	gai_suspend((const struct gaicb *const *)list, 1, &left);
	rc = gai_error(&query->request);
	if (rc == EAI_INPROGRESS) {
		if (gai_cancel(&query->request) == EAI_CANCELED)
			free(query);
		return EAI_AGAIN;
	}
	*result = query->request.ar_result;
	free(query);
	return rc;
}

static int resolve_host(struct ipmi_addresses *addresses, const char *host, const char *port,
			int family, int64_t timeout_ms)
{
	struct query *query = calloc(1, sizeof *query);
	struct addrinfo *result = NULL;
	size_t length = strlen(host);
	int rc;

	if (!query)
		return EAI_MEMORY;
	if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
		host++;
		length -= 2;
	}
	if (length == 0 || length >= sizeof query->host || strlen(port) >= sizeof query->port) {
		free(query);
		return EAI_NONAME;
	}
	memcpy(query->host, host, length);
	memcpy(query->port, port, strlen(port));
	query->hints.ai_family = family;
	query->hints.ai_socktype = SOCK_DGRAM;
	query->hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	rc = getaddrinfo(query->host, query->port, &query->hints, &result);
	if (rc == EAI_NONAME) { /* not a number: only this may have to wait */
		query->hints.ai_flags = AI_NUMERICSERV;
		rc = query_run(query, timeout_ms, &result);
	} else {
		free(query);
	}
	if (rc)
		return rc;
	addresses_add(addresses, result);
	freeaddrinfo(result);
	return 0;
}

int ipmi_resolve_hosts(struct fence_ctx *ctx, const char *hosts, const char *port, int family,
		       struct ipmi_addresses *addresses)
{
	const char *from = hosts;
	char host[256];
	int error = EAI_NONAME;

	while (*from) {
		size_t length = strcspn(from, ",");
		const char *end = from + length;
		int one;

		while (from < end && (*from == ' ' || *from == '\t'))
			from++;
		while (end > from && (end[-1] == ' ' || end[-1] == '\t'))
			end--;
		if (end > from) {
			snprintf(host, sizeof host, "%.*s", (int)(end - from), from);
			one = resolve_host(addresses, host, port, family, fence_left_ms(ctx));
			if (one) {
				fence_debug(ctx, "%s: %s", host, gai_strerror(one));
				error = one;
			}
		}
		from = end + strcspn(end, ",");
		from += *from == ',';
	}
	if (addresses->cut)
		fence_warn(ctx, "ip= names more than %d addresses, the rest is not tried",
			   IPMI_ADDRESSES_MAX);
	if (addresses->count)
		return 0;
	if (error == EAI_AGAIN || error == EAI_SYSTEM)
		return fence_fail(ctx, RC_UNREACHABLE, "check the name service, or use a number",
				  "the name service does not answer");
	if (error == EAI_MEMORY)
		return fence_fail(ctx, RC_INTERNAL, NULL, "out of memory");
	return fence_fail(ctx, RC_CONFIG, "check ip=, inet4_only= and inet6_only=",
			  "the name does not resolve (%s)", gai_strerror(error));
}

int ipmi_address_equal(const struct sockaddr *a, const struct sockaddr *b)
{
	const struct sockaddr_in *a4 = (const void *)a, *b4 = (const void *)b;
	const struct sockaddr_in6 *a6 = (const void *)a, *b6 = (const void *)b;

	if (a->sa_family != b->sa_family)
		return 0;
	if (a->sa_family == AF_INET)
		return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a->sa_family == AF_INET6 && a6->sin6_port == b6->sin6_port &&
	       memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof a6->sin6_addr) == 0;
}

static int connected_socket(const struct ipmi_address *address)
{
	int fd = socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, &address->any, address->bytes) < 0) {
		int error = errno;

		close(fd);
		errno = error;
		return -1;
	}
	return fd;
}

int ipmi_route_check(const struct ipmi_address *address)
{
	int fd = connected_socket(address);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

int ipmi_ping(const struct ipmi_address *address, uint8_t privilege, int64_t timeout_ms)
{
	uint8_t data[IPMI_PING_BYTES];
	size_t bytes = ipmi_ping_write(data, privilege);
	int fd = connected_socket(address);
	int alive = 0;

	if (fd < 0)
		return 0;
	/* Two tries, so that one lost datagram does not turn a wrong password into silence. */
	for (int i = 0; i < 2 && !alive; i++) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

		if (send(fd, data, bytes, MSG_NOSIGNAL) < 0)
			break;
		if (poll(&poll_fd, 1, (int)(timeout_ms / 2)) == 1)
			alive = recv(fd, data, sizeof data, 0) > 0;
	}
	close(fd);
	return alive;
}

void ipmi_icmp_listen(int fd)
{
	int on = 1;

	/* One of the two fits the socket; without it an ICMP error is silence, no more. */
	setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
	setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
}

int ipmi_icmp_next(int fd, struct sockaddr_storage *destination, int *error)
{
	uint8_t payload[64];
	union {
		struct cmsghdr align;
		uint8_t bytes[512];
	} control;
	struct iovec iov = { payload, sizeof payload };
	struct msghdr msg = {
		.msg_name = destination,
		.msg_namelen = sizeof *destination,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control,
	};

	if (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return 0;
	*error = EPROTO;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		const struct sock_extended_err *reported = (const void *)CMSG_DATA(c);

		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
			*error = (int)reported->ee_errno;
	}
	return 1;
}
