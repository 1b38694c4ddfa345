/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * watchdog.h - let this machine be reset when your program no longer makes progress.
 *
 * Callers: applications, through libholdfast-watchdog (-lholdfast-watchdog); Holdfast's own daemons.
 * watchdogd pets the machine's watchdog devices only while every registered client has renewed in
 * time. A client says once how long it may stay silent (its deadline), then renews. When a deadline
 * passes - the program hangs, is killed, or cannot prove that it may go on - watchdogd resets the
 * machine at once, and the devices do it should watchdogd fail, no later than `bound_ms` after the
 * moment that the last renewal counted from.
 *
 *	struct holdfast_watchdog *watchdog;
 *	struct holdfast_watchdog_terms terms;
 *
 *	if (holdfast_watchdog_open("mydb", 5000, &watchdog, &terms))
 *		...			errno tells why; terms.why says it in words
 *	while (working)
 *		if (holdfast_watchdog_renew(watchdog, 0, &terms))
 *			...		not taken: stop working, the machine is about to be reset
 *	holdfast_watchdog_close(watchdog);	goodbye: no reset
 *
 * A program that ends without holdfast_watchdog_close() has missed its renewal: the deadline of
 * its name goes on running. A new process that registers the same name before it passes takes over.
 * It can do so only when nobody holds the old connection any more: a child that was forked (without
 * exec) and outlives its parent keeps it open, and the name busy (EBUSY) until the deadline passes.
 * So fork before holdfast_watchdog_open(), or have such children close their descriptors.
 *
 * Ownership: holdfast_watchdog_open() makes the handle, holdfast_watchdog_close() frees it. A handle
 * is used by one thread at a time and not across fork(). Nothing blocks for longer than
 * HOLDFAST_WATCHDOG_ANSWER_MS, and holdfast_watchdog_renew() not at all. No descriptor leaks into
 * children.
 */
#ifndef HOLDFAST_WATCHDOG_H
#define HOLDFAST_WATCHDOG_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where watchdogd listens; the environment variable HOLDFAST_WATCHDOG_SOCKET names another. */
#define HOLDFAST_WATCHDOG_SOCKET_PATH "/run/holdfast/watchdog.sock"

/* How long holdfast_watchdog_open() and _close() wait for watchdogd's answer. */
#define HOLDFAST_WATCHDOG_ANSWER_MS 2000

/* Shortest and longest deadline. */
#define HOLDFAST_WATCHDOG_DEADLINE_MIN_MS 100
#define HOLDFAST_WATCHDOG_DEADLINE_MAX_MS 3600000

/* How sure the reset is. */
enum holdfast_watchdog_proof {
	HOLDFAST_WATCHDOG_PROOF_NONE = 0,     /* no device works: nothing but watchdogd itself */
	HOLDFAST_WATCHDOG_PROOF_SOFTWARE = 1, /* a timer of this kernel: dies with the kernel */
	HOLDFAST_WATCHDOG_PROOF_HARDWARE = 2  /* a device beside the kernel */
};

/* What watchdogd promises at this moment. Publish device_ms and bound_ms to whoever relies on this
 * machine's silence: they are what the drivers confirmed (WDIOC_GETTIMEOUT), not what was asked for,
 * and they may change when a device fails. */
struct holdfast_watchdog_terms {
	uint32_t deadline_ms; /* L: this client's deadline */
	uint32_t
		device_ms; /* W: longest effective timeout of the devices that the proof rests on */
	uint32_t bound_ms; /* L + W + g: reset no later than this after the renewal's moment */
	enum holdfast_watchdog_proof proof;
	char why[256]; /* after a failure: object, cause, next step; else empty */
};

struct holdfast_watchdog;

/* Register `name` (1 to 31 of a-z A-Z 0-9 . _ -) with a deadline. The first renewal is this call: the
 * deadline counts from its beginning. After a failure nothing is registered.
 * terms may be NULL. 0, or -1 with errno:
 *   ENOENT, ECONNREFUSED  watchdogd does not run        EACCES  not allowed to use its socket
 *   EBUSY   the name is in use by a live client, no room for more, or it is stopping or testing
 *   EINVAL  name or deadline                            EPROTO  watchdogd speaks another version
 *   ETIMEDOUT  no answer                                ENOMEM  no memory
 *   ECANCELED  too late: a deadline has passed and the machine is being reset
 *   EIO  watchdogd cannot write the file beside its socket that says that clients rely on it */
int holdfast_watchdog_open(const char *name, uint32_t deadline_ms,
			   struct holdfast_watchdog **watchdog,
			   struct holdfast_watchdog_terms *terms);

/* Renew. The deadline counts from `since_ns`, a moment of CLOCK_BOOTTIME in nanoseconds: the
 * *submission* of the work that proves progress (a heartbeat that a quorum answered later), not its
 * completion; 0 means the moment of this call, however late watchdogd reads it. An older moment than that
 * of the last renewal changes nothing. A moment in the future is refused. Never blocks. terms (may
 * be NULL) are those that watchdogd sent last.
 * 0, or -1 with errno:
 *   EPIPE   watchdogd is gone: the devices are no longer petted
 *   EAGAIN  watchdogd does not read or does not answer: it hangs, or is being starved
 *   EINVAL  since_ns is in the future    ECANCELED  too late: the machine is being reset
 *   EBUSY   watchdogd stops, or does not know this client any more
 *   EPROTO  the answer makes no sense
 * 0 says that the renewal is on its way; what watchdogd made of it is known at the next call. */
int holdfast_watchdog_renew(struct holdfast_watchdog *watchdog, int64_t since_ns,
			    struct holdfast_watchdog_terms *terms);

/* Say goodbye and free the handle; NULL is fine. 0 once watchdogd has confirmed that this client
 * no longer counts, or -1 with errno as above: then the deadline goes on running, and the handle is
 * freed all the same. */
int holdfast_watchdog_close(struct holdfast_watchdog *watchdog);

#ifdef __cplusplus
}
#endif

#endif
