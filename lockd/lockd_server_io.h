/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_server_io.h - the socket of lockd: clients, their requests, events (docs/lockd-protocol.md).
 *
 * Callers: lockd.c; parts answer by the calls of lockd.h.
 *
 * Whatever a client sends, and however slowly it reads, it costs the daemon a bounded amount of
 * memory and nobody else anything. Only root and lockd's own user are served.
 */
#ifndef HOLDFAST_LOCKD_SERVER_IO_H
#define HOLDFAST_LOCKD_SERVER_IO_H

#include "lockd/lockd.h"

/* Listen. RC_BUSY: another program does so at this path. */
int lockd_server_open(struct lockd *lockd, struct err *err);

/* How many clients there are. */
unsigned lockd_server_clients(const struct lockd *lockd);

/* The op "subscribe". */
void lockd_server_subscribe(struct lockd_call *call);

/* Drop all clients and the socket; the loop has to turn. */
void lockd_server_close(struct lockd *lockd);

#endif
