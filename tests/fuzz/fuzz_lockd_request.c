/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_lockd_request.c - a line of a client: it is a request whose head keeps its promises, or there is a
 * sentence that says why not, and nothing is left behind.
 *
 * LINK: lockd base pkg:jansson
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lockd/lockd_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void members_look(const json_t *object)
{
	static const char *const names[] = { "to", "pill", "text", "timeout_ms", "epoch", "name" };
	struct err err;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *text = NULL;
		int64_t number = -1;
		int rc = lockd_member_text(object, names[i], 1, &text, &err);

		assert(rc == (text ? 0 : RC_CONFIG));
		rc = lockd_member_number(object, names[i], 1, 0, 100, &number, &err);
		assert(rc == 0 ? number >= 0 && number <= 100 : rc == RC_CONFIG && number == -1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lockd_request request;
	struct err err = { 0 };
	int rc = lockd_request_read((const char *)data, size, &request, &err);

	assert(!request.has_id || (request.id >= 0 && request.id < INT64_C(1) << 53));
	if (rc) {
		assert(rc == err.rc && err.text[0] && !request.object && !request.op);
		return 0;
	}
	assert(request.has_id && request.op[0] && strlen(request.op) <= LOCKD_OP_MAX);
	members_look(request.object);
	json_decref(request.object);
	return 0;
}
