/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_client_io.h - talk to lockd: one request after the other, never for longer than told.
 *
 * Callers: `holdfast`, fence_pill. The protocol is docs/lockd-protocol.md.
 * Ownership: lockd_client_open() makes the handle, lockd_client_close() frees it; objects that are
 * handed out are new references of the caller, those handed in are taken.
 */
#ifndef HOLDFAST_LOCKD_CLIENT_IO_H
#define HOLDFAST_LOCKD_CLIENT_IO_H

#include <jansson.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mono.h"

struct lockd_client;

/* Connect to `socket`; NULL: $HOLDFAST_LOCKD_SOCKET, or /run/holdfast/lockd.sock. RC_UNREACHABLE:
 * lockd does not run; RC_PRIVILEGE: not allowed; RC_TIMEOUT. */
int lockd_client_open(struct lockd_client **client, const char *socket, mono_t deadline,
		      struct err *err);

/* What came before the final answer; `object` is borrowed. */
typedef void lockd_client_progress(const char *word, const json_t *object, void *context);

/* Send {"v":1,"id":N,"op":OP} with the members of `fields` (taken; NULL: none) and wait for its
 * final answer. Progress lines go to `progress` (may be NULL). 0 and *answer (may be NULL); the
 * cause that lockd gave, with its sentence in *err; RC_TIMEOUT, RC_PROTOCOL, RC_UNREACHABLE: no
 * answer, what was asked for may still happen, and the handle is of no more use. */
int lockd_client_call(struct lockd_client *client, const char *op, json_t *fields, mono_t deadline,
		      lockd_client_progress *progress, void *context, json_t **answer,
		      struct err *err);

/* The two halves of a call, for callers that do other things meanwhile: send a request and take the
 * next object that comes, whatever it is (compare its "id"). A deadline that has passed takes what
 * has come already; RC_TIMEOUT: nothing whole yet, the handle stays good. */
int lockd_client_post(struct lockd_client *client, const char *op, json_t *fields, json_int_t *id,
		      struct err *err);
int lockd_client_next(struct lockd_client *client, mono_t deadline, json_t **object,
		      struct err *err);

/* The descriptor, for callers that wait for other things too (an end of it means that lockd has
 * gone). */
int lockd_client_fd(const struct lockd_client *client);

void lockd_client_close(struct lockd_client *client);

#endif
