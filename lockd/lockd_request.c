/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_request.c - parsing requests; see lockd_request.h.
 */
#include "lockd/lockd_request.h"

#include <inttypes.h>
#include <string.h>

/* Numbers that survive every JSON reader. */
#define ID_MOST ((INT64_C(1) << 53) - 1)

static int head_read(struct lockd_request *request, struct err *err)
{
	const json_t *version = json_object_get(request->object, "v");
	const json_t *id = json_object_get(request->object, "id");
	const json_t *op = json_object_get(request->object, "op");

	if (json_is_integer(id) && json_integer_value(id) >= 0 &&
	    json_integer_value(id) <= ID_MOST) {
		request->has_id = 1;
		request->id = json_integer_value(id);
	}
	if (!json_is_integer(version))
		return err_set(err, RC_PROTOCOL, "begin with \"v\":1", "request: has no version");
	if (json_integer_value(version) != LOCKD_PROTOCOL_VERSION)
		return err_set(err, RC_UNSUPPORTED, "use the client of this lockd's version",
			       "request: is of protocol version %" JSON_INTEGER_FORMAT
			       ", this lockd speaks %d",
			       json_integer_value(version), LOCKD_PROTOCOL_VERSION);
	if (!request->has_id)
		return err_set(err, RC_PROTOCOL, "number the requests of a connection",
			       "request: has no \"id\" from 0 to %" PRId64, ID_MOST);
	if (!json_is_string(op) || json_string_length(op) == 0 ||
	    json_string_length(op) > LOCKD_OP_MAX)
		return err_set(err, RC_PROTOCOL, "see docs/lockd-protocol.md",
			       "request: has no \"op\"");
	request->op = json_string_value(op);
	return 0;
}

int lockd_request_read(const char *line, size_t length, struct lockd_request *request,
		       struct err *err)
{
	json_error_t error;
	int rc;

	*request = (struct lockd_request){ .id = 0 };
	if (length >= LOCKD_LINE_MAX)
		return err_set(err, RC_PROTOCOL, NULL, "request: is longer than %d bytes",
			       LOCKD_LINE_MAX - 1);
	request->object = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
	if (!request->object)
		return err_set(err, RC_PROTOCOL, "send one JSON object a line",
			       "request: is no JSON (%s at byte %d)", error.text, error.position);
	if (!json_is_object(request->object))
		rc = err_set(err, RC_PROTOCOL, "send one JSON object a line",
			     "request: is no JSON object");
	else
		rc = head_read(request, err);
	if (rc == 0)
		return 0;
	json_decref(request->object);
	request->object = NULL;
	request->op = NULL;
	return rc;
}

int lockd_member_text(const json_t *object, const char *member, int required, const char **value,
		      struct err *err)
{
	const json_t *found = json_object_get(object, member);

	if (!found && !required)
		return 0;
	if (!json_is_string(found))
		return err_set(err, RC_CONFIG, "see docs/lockd-protocol.md", "request: \"%s\" %s",
			       member, found ? "is no text" : "is missing");
	*value = json_string_value(found);
	return 0;
}

int lockd_member_number(const json_t *object, const char *member, int required, int64_t least,
			int64_t most, int64_t *value, struct err *err)
{
	const json_t *found = json_object_get(object, member);

	if (!found && !required)
		return 0;
	if (!json_is_integer(found) || json_integer_value(found) < least ||
	    json_integer_value(found) > most)
		return err_set(err, RC_CONFIG, "see docs/lockd-protocol.md",
			       "request: \"%s\" is no number from %" PRId64 " to %" PRId64, member,
			       least, most);
	*value = json_integer_value(found);
	return 0;
}
