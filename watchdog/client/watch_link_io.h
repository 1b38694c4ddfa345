/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * watch_link_io.h - a connection to watchdogd: packets there and back, never for longer than told.
 *
 * Callers: the client library (watchdog.c), `holdfast watchdog`.
 * Ownership: watch_link_open() opens the descriptor, watch_link_close() closes it.
 * Functions return 0 or a negative errno, with `why` filled: object, cause, next step.
 * Moments are nanoseconds of CLOCK_BOOTTIME (rule S6); `until_ns` 0 means: do not wait.
 *
 * libc alone, no allocation, no signal (SIGPIPE), no descriptor for children.
 */
#ifndef HOLDFAST_WATCH_LINK_IO_H
#define HOLDFAST_WATCH_LINK_IO_H

#include <stdint.h>

#include "watchdog/client/watch_wire.h"

enum { WATCH_WHY_BYTES = 256, WATCH_LINK_PATH_BYTES = 108 /* as in struct sockaddr_un */ };

struct watch_link {
	int fd;
	char path[WATCH_LINK_PATH_BYTES]; /* of the socket; cut off when it is too long */
	char why[WATCH_WHY_BYTES];
};

int64_t watch_now_ns(void);

/* The moment that many milliseconds from now. */
int64_t watch_until_ns(uint32_t ms);

/* Connect. -ENOENT, -ECONNREFUSED: watchdogd does not run; -EACCES; -ETIMEDOUT; -EPROTO: the path
 * is no socket of this kind. */
int watch_link_open(struct watch_link *link, int64_t until_ns);

void watch_link_close(struct watch_link *link);

/* -EAGAIN: there was no room and no time to wait for it; -ETIMEDOUT; -EPIPE: watchdogd is gone. */
int watch_link_send(struct watch_link *link, const struct watch_packet *packet, int64_t until_ns);

/* The next packet. -EAGAIN: there is none and no time to wait for it; -ETIMEDOUT; -EPIPE: watchdogd
 * is gone; -EPROTO: what came makes no sense, or is of another version. */
int watch_link_receive(struct watch_link *link, struct watch_packet *packet, int64_t until_ns);

/* Take a packet that was not the one wanted for a failure: REFUSED with its reason, any other as
 * one that makes no sense. Returns a negative errno. */
int watch_link_refused(struct watch_link *link, const struct watch_packet *packet);

#endif
