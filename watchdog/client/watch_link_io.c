/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * watch_link_io.c - a connection to watchdogd; see watch_link_io.h.
 */
#include "watchdog/client/watch_link_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/rc.h"
#include "watchdog/client/watchdog.h"

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

int64_t watch_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t watch_until_ns(uint32_t ms)
{
	return watch_now_ns() + ms * NS_PER_MS;
}

/* Fill `why` with "watchdogd at PATH: cause; next". Returns -error. */
__attribute__((format(printf, 4, 5))) static int link_failed(struct watch_link *link, int error,
							     const char *next, const char *fmt, ...)
{
	char cause[WATCH_WHY_BYTES];
	va_list ap;
	int length;

	va_start(ap, fmt);
	vsnprintf(cause, sizeof cause, fmt, ap);
	va_end(ap);
	length = snprintf(link->why, sizeof link->why, "watchdogd at %s: %s", link->path, cause);
	if (next && length > 0 && (size_t)length < sizeof link->why)
		snprintf(link->why + length, sizeof link->why - (size_t)length, "; %s", next);
	return -error;
}

static int link_gone(struct watch_link *link)
{
	return link_failed(link, EPIPE, "see its log, and \"holdfast watchdog status\"",
			   "it has closed the connection");
}

static int link_silent(struct watch_link *link)
{
	return link_failed(link, ETIMEDOUT, "it hangs or is being starved; see its log",
			   "no answer");
}

/* ---- connecting ---- */

/* A blocking connect() waits while watchdogd's backlog is full, for as long as SO_SNDTIMEO says;
 * a non-blocking one would have to be tried again and again. */
static int connect_until(int fd, const struct sockaddr_un *address, int64_t until_ns)
{
	for (;;) {
		int64_t left_us = (until_ns - watch_now_ns()) / 1000;
		struct timeval wait = { .tv_sec = left_us / 1000000, .tv_usec = left_us % 1000000 };

		if (left_us <= 0)
			return ETIMEDOUT;
		if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) != 0)
			return errno;
		if (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
			return 0;
		if (errno == EAGAIN)
			return ETIMEDOUT;
		if (errno != EINTR)
			return errno;
	}
}

static int connect_failed(struct watch_link *link, int error)
{
	switch (error) {
	case ENOENT:
		return link_failed(link, ENOENT, "start watchdogd", "it does not run");
	case ECONNREFUSED:
		return link_failed(link, ECONNREFUSED, "start it again",
				   "it does not run any more");
	case EACCES:
	case EPERM:
		return link_failed(link, EACCES, "run as root, or in the group of the socket",
				   "not allowed to connect");
	case ETIMEDOUT:
		return link_silent(link);
	case EPROTOTYPE:
	case ENOTSOCK:
		return link_failed(link, EPROTO, "check HOLDFAST_WATCHDOG_SOCKET",
				   "this is no socket of watchdogd");
	default:
		return link_failed(link, error, NULL, "cannot connect: %s", strerror(error));
	}
}

int watch_link_open(struct watch_link *link, int64_t until_ns)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = secure_getenv("HOLDFAST_WATCHDOG_SOCKET");
	int error;

	link->fd = -1;
	if (!path || !path[0])
		path = HOLDFAST_WATCHDOG_SOCKET_PATH;
	snprintf(link->path, sizeof link->path, "%s", path);
	link->why[0] = '\0';
	if (strlen(path) >= sizeof address.sun_path)
		return link_failed(link, EINVAL, "check HOLDFAST_WATCHDOG_SOCKET",
				   "the path is too long for a socket");
	memcpy(address.sun_path, path, strlen(path) + 1);
	link->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (link->fd < 0)
		return link_failed(link, errno, NULL, "no socket: %s", strerror(errno));
	error = connect_until(link->fd, &address, until_ns);
	if (!error && fcntl(link->fd, F_SETFL, O_NONBLOCK) != 0)
		error = errno;
	if (!error)
		return 0;
	watch_link_close(link);
	return connect_failed(link, error);
}

void watch_link_close(struct watch_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}

/* ---- packets ---- */

/* Wait until the socket is ready. -EAGAIN with no time to wait, -ETIMEDOUT when it has passed. */
static int link_wait(struct watch_link *link, short events, int64_t until_ns)
{
	struct pollfd item = { .fd = link->fd, .events = events };

	if (until_ns == 0)
		return link_failed(link, EAGAIN, "it hangs or is being starved; see its log",
				   events == POLLOUT ? "it does not read" : "no answer yet");
	for (;;) {
		int64_t left_ns = until_ns - watch_now_ns(), left_ms;

		if (left_ns <= 0)
			return link_silent(link);
		left_ms = (left_ns + NS_PER_MS - 1) / NS_PER_MS;
		if (poll(&item, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms) > 0)
			return 0;
	}
}

int watch_link_send(struct watch_link *link, const struct watch_packet *packet, int64_t until_ns)
{
	uint8_t bytes[WATCH_WIRE_BYTES_MAX];
	size_t length = watch_wire_out(packet, bytes);
	int error;

	for (;;) {
		if (send(link->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)length)
			return 0;
		if (errno == EINTR)
			continue;
		/* Out of socket memory: as good as not being read. */
		if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
			error = link_wait(link, POLLOUT, until_ns);
			if (error)
				return error;
			continue;
		}
		return link_gone(link);
	}
}

int watch_link_receive(struct watch_link *link, struct watch_packet *packet, int64_t until_ns)
{
	uint8_t bytes[WATCH_WIRE_BYTES_MAX];
	ssize_t got;
	int error;

	for (;;) {
		/* MSG_TRUNC: the length that the packet really had. */
		got = recv(link->fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC);
		if (got >= 0)
			break;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return link_gone(link);
		error = link_wait(link, POLLIN, until_ns);
		if (error)
			return error;
	}
	if (got == 0)
		return link_gone(link);
	error = (size_t)got > sizeof bytes ? RC_PROTOCOL
					   : watch_wire_in(bytes, (size_t)got, packet);
	if (error == RC_UNSUPPORTED)
		return link_failed(link, EPROTO, "restart it and this program after an update",
				   "it speaks another version");
	if (error)
		return link_failed(link, EPROTO, "check HOLDFAST_WATCHDOG_SOCKET",
				   "the answer makes no sense");
	return 0;
}

int watch_link_refused(struct watch_link *link, const struct watch_packet *packet)
{
	static const int errors[] = {
		[WATCH_REFUSED_VERSION] = EPROTO, [WATCH_REFUSED_NAME] = EINVAL,
		[WATCH_REFUSED_TIME] = EINVAL,	  [WATCH_REFUSED_BUSY] = EBUSY,
		[WATCH_REFUSED_STATE] = EBUSY,	  [WATCH_REFUSED_LATE] = ECANCELED,
		[WATCH_REFUSED_CLIENTS] = EBUSY,  [WATCH_REFUSED_RIGHT] = EACCES,
		[WATCH_REFUSED_MARK] = EIO,
	};
	const struct watch_refused *refused = &packet->refused;
	int length, room;

	if (packet->type != WATCH_REFUSED)
		return link_failed(link, EPROTO, NULL, "an answer that was not asked for (type %u)",
				   (unsigned)packet->type);
	length = snprintf(link->why, sizeof link->why, "%s", refused->text);
	room = (int)sizeof link->why - length;
	if (refused->next[0] && room > 3)
		snprintf(link->why + length, (size_t)room, "; %.*s", room - 3, refused->next);
	return -errors[refused->reason];
}
