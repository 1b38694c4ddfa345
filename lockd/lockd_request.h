/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_request.h - one line of a client made into a request, and a request's members looked at.
 *
 * Callers: lockd_server_io.c, the ops of the parts, tests. Input is hostile: whatever it is, the answer
 * is a request or a sentence. No clock, no I/O; memory is jansson's.
 */
#ifndef HOLDFAST_LOCKD_REQUEST_H
#define HOLDFAST_LOCKD_REQUEST_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	LOCKD_PROTOCOL_VERSION = 1,
	LOCKD_LINE_MAX = 65536, /* bytes of a line, newline included */
	LOCKD_OP_MAX = 32,
};

struct lockd_request {
	json_t *object; /* the caller's reference; NULL after a failure */
	int has_id;
	json_int_t id;	/* kept after a failure when it could be read */
	const char *op; /* points into object */
};

/* Parse a line without its newline. 0; RC_PROTOCOL: no request; RC_UNSUPPORTED: of a newer
 * version. */
int lockd_request_read(const char *line, size_t length, struct lockd_request *request,
		       struct err *err);

/* Members: 0, or RC_CONFIG. A missing member leaves *value as it is when `required` is 0. */
int lockd_member_text(const json_t *object, const char *member, int required, const char **value,
		      struct err *err);
int lockd_member_number(const json_t *object, const char *member, int required, int64_t least,
			int64_t most, int64_t *value, struct err *err);

#endif
