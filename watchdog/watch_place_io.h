/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch_place_io.h - watchdogd's place in this machine: its socket, and the files beside it.
 *
 * Caller: watchdogd. Beside the socket (in /run, so of this boot) are
 *   SOCKET.lock     held by flock(2) while a watchdogd lives: one at a time
 *   SOCKET.clients  the marker, there while clients rely on a watchdogd. One that is found at the
 *                   start is from one that died with clients: its devices run out within W, and to
 *                   pet them again would undo S4, so the new one does not start. It holds the boot
 *                   id, should /run outlive a boot. It becomes SOCKET.idle and back by rename(2):
 *                   that needs no memory and no space, at a moment when there may be none.
 */
#ifndef HOLDFAST_WATCH_PLACE_IO_H
#define HOLDFAST_WATCH_PLACE_IO_H

#include <stddef.h>
#include <sys/types.h>

#include "watchdog/watch_options.h"

enum { PLACE_RELIED_ON = 3 }; /* exit status: the marker was found */

/* Become the only watchdogd of this socket, and bind it; listen() is the caller's. Returns the
 * exit status when it fails, having said why; then nothing is left behind. */
int place_take(const struct watch_options *options, int *listen_fd);

/* Clients rely on this process from now on, or none does any longer. 0, or -1 having said why: then
 * what is there is as before. */
int place_mark(int relied_on);

/* The marker's path. */
const char *place_marker(void);

/* Remove the socket and the files beside it, but for a marker and the lock. */
void place_leave(void);

/* Tell systemd: sd_notify(3), a datagram. */
void place_notify(const char *state);

/* ---- small files ---- */

/* Text of a file, at most size - 1 bytes. Returns its length, -1 with errno. */
ssize_t place_read(const char *path, char *text, size_t size);

/* 0 or an errno. */
int place_write(const char *path, int flags, const char *text);

#endif
