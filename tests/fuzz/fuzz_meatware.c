/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_meatware.c - whatever may stand in a file of the directory of requests.
 *
 * Beside surviving: what is accepted has one form (it encodes and decodes to itself), is fit for
 * a terminal, and an accepted answer matches no request but one that it names in full.
 *
 * LINK: base fence-agents/meatware/requests/meat_wire.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fence-agents/meatware/requests/meat_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(const char *data, size_t size)
{
	struct meat_request first, second;
	char text[MEAT_FILE_MAX], again[MEAT_FILE_MAX];
	const char *why;
	long length;

	if (meat_request_decode(&first, data, size, &why) != 0) {
		assert(why && !first.id[0]);
		return;
	}
	assert(meat_id_ok(first.id) && meat_target_ok(first.target));
	assert(first.want == POWER_ON || first.want == POWER_OFF);
	length = meat_request_encode(&first, text, sizeof text);
	/* Bytes above 127 and quotes may make the one form longer than what was read. */
	if (length < 0)
		return;
	assert(meat_request_decode(&second, text, (size_t)length, &why) == 0);
	assert(meat_request_encode(&second, again, sizeof again) == length);
	assert(memcmp(text, again, (size_t)length) == 0);
}

static void check_answer(const char *data, size_t size)
{
	const struct meat_request request = {
		.id = "0123456789abcdef",
		.target = "node1",
		.want = POWER_OFF,
		.boot_id = "59aadc5c-472d-47ce-9aa5-db950bb6a959",
		.expires = MONO_NEVER,
	};
	struct meat_answer first, second;
	char text[MEAT_FILE_MAX], again[MEAT_FILE_MAX];
	const char *why;
	long length;

	if (meat_answer_decode(&first, data, size, &why) != 0) {
		assert(why && !first.id[0] && first.verdict == MEAT_VERDICT_NONE);
		return;
	}
	if (meat_answer_match(&request, &first, (mono_t){ INT64_MAX - 1 }) != MEAT_VERDICT_NONE)
		assert(strcmp(first.id, request.id) == 0 && strcmp(first.target, "node1") == 0 &&
		       first.want == POWER_OFF && strcmp(first.boot_id, request.boot_id) == 0);
	length = meat_answer_encode(&first, text, sizeof text);
	if (length < 0)
		return;
	assert(meat_answer_decode(&second, text, (size_t)length, &why) == 0);
	assert(meat_answer_encode(&second, again, sizeof again) == length);
	assert(memcmp(text, again, (size_t)length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_request((const char *)data, size);
	check_answer((const char *)data, size);
	return 0;
}
