/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch_log_io.h - a log that never blocks, and the keeper of the devices.
 *
 * Caller: watchdogd. Until log_start() lines go to stderr at once. From then on they go through a
 * socket to a child process, the keeper, which writes them to stderr; when it cannot keep up (a
 * full disk, a stopped terminal, a journal that hangs) lines are dropped and counted, and the pet
 * path goes on (S4: it never waits for anybody).
 *
 * The keeper holds the devices open as well. The kernel pings a watchdog when its last descriptor
 * is closed without the magic character: of a watchdogd that hung beyond a deadline, the kill alone
 * would give the machine another W to live, and the bound of base/timing.h would not hold. With the
 * keeper nothing is closed by that kill, so nothing is pinged. What it does when watchdogd is gone:
 *  - clients relied on it (the marker is there): it stays until the reset comes. That also keeps
 *    any other program from opening the devices and petting again.
 *  - nobody did: it ends at once. The closing ping leaves W to start a new watchdogd.
 * An orderly stop ends it first (log_end), for a device is released by its last descriptor only.
 * It ignores the signals that end daemons, touches no device, and takes no memory to speak of.
 */
#ifndef HOLDFAST_WATCH_LOG_IO_H
#define HOLDFAST_WATCH_LOG_IO_H

#include <stddef.h>
#include <stdint.h>

/* "watchdogd: " and the line, to stderr or to the keeper. */
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Start the keeper: of all descriptors from 3 on it keeps those given. marker must stay valid.
 * 0, or an errno. */
int log_start(const int *devices, size_t devices_count, const char *marker);

/* End it, if need be by force; after at most LOG_END_MS it is gone, or hangs in the kernel. */
void log_end(void);

/* Becomes ready with a hangup when the keeper is gone; then log_keeper_lost() is told. The log is
 * gone with it, and the bound holds only as long as watchdogd is not killed (base/timing.h, claim
 * 3). A new one is not started: fork() of a process with locked memory may wait for memory. */
int log_keeper_fd(void);
void log_keeper_lost(void);
int log_keeper_lives(void);

/* Lines that nobody took. */
uint32_t log_lost(void);

#define LOG_END_MS 200

#endif
