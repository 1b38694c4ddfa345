/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_lock_value.c - the value of a named lock, from a disk: what is taken can be written again as it
 * was, and is fit for a terminal and for the core.
 *
 * LINK: lockd base
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"
#include "lockd/lock_facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t value[LOCK_VALUE_MAX];
	struct lock_term term;
	char clean[LOCK_COMMAND_MAX + 1];

	if (lock_value_in(data, size, &term)) {
		assert(term.kind == 0 && term.name[0] == 0);
		return 0;
	}
	assert(lock_name_ok(term.name));
	assert(text_clean(clean, sizeof clean, term.command, strlen(term.command)) ==
	       strlen(term.command));
	assert(lock_value_out(value, &term) == size);
	assert(memcmp(value, data, size) == 0);
	return 0;
}
