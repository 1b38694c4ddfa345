/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_agent_reply.c - whatever an agent prints: no crash, clean words, and no proof of off that
 * the answer does not state.
 *
 * The first byte of an input says what was asked and how the agent ended; a NUL byte parts stdout from
 * stderr.
 *
 * LINK: fencer host base
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "fence-agents/fencer/agent_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_words(const char *text, size_t room)
{
	char again[512];

	assert(strlen(text) < room);
	text_clean(again, sizeof again, text, strlen(text));
	assert(strcmp(again, text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct agent_reply reply;
	struct child_result result = { 0 };
	enum fencer_verb verb;
	const char *cut;
	char *text;

	if (size == 0)
		return 0;
	verb = (enum fencer_verb)(data[0] % 5);
	result.exit_status = data[0] / 5 % 4;
	if (data[0] / 20 % 8 == 7)
		result.term_signal = 9;
	text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	cut = memchr(text, '\0', size);
	result.out = text;
	result.out_bytes = (size_t)(cut - text);
	result.err = cut + (cut < text + size - 1);
	result.err_bytes = size - 1 - (size_t)(result.err - text);

	agent_reply_read(verb, "3,4", &result, &reply);
	check_words(reply.message, sizeof reply.message);
	check_words(reply.next, sizeof reply.next);
	assert(reply.core.rc <= 0);
	assert(reply.core.rc == 0 || reply.message[0] != '\0');
	if (result.term_signal != 0)
		assert(reply.core.rc != 0 && reply.core.state == POWER_UNKNOWN);
	if (reply.core.off_proven)
		assert(reply.core.native && strstr(text, "off_proven"));
	if (reply.core.state == POWER_OFF && !reply.core.native)
		assert(verb == FENCER_VERB_STATUS && result.exit_status == 2);
	free(text);
	return 0;
}
