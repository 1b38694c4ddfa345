/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_hostlist.c - host lists: what is accepted stays within what was measured, names are unique
 * and well-formed; what is refused has a column inside the text.
 *
 * LINK: base
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hostlist.h"
#include "base/rc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_list(const char *text, const struct hostlist_size *size)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	void *memory = malloc(hostlist_memory(size));
	struct hostlist list;
	size_t count = 0;

	assert(memory);
	hostlist_init(&list, memory, size);
	hostlist_add(&list, text);
	for (const char *name = hostlist_first(&list); name; name = hostlist_next(&list, name)) {
		size_t length = strlen(name);

		assert(length >= 1 && length <= HOSTLIST_NAME_MAX);
		assert(strspn(name, letters) == length);
		assert(hostlist_has(&list, name));
		count++;
	}
	assert(count == list.count && count >= 1 && count <= size->names);
	/* Once more changes nothing: every name is known. */
	hostlist_add(&list, text);
	assert(list.count == count);
	free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hostlist_size measured = { 0 };
	struct hostlist_fault fault;
	char *text = malloc(size + 1);

	assert(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (hostlist_measure(text, &measured, &fault) == 0) {
		assert(measured.names <= HOSTLIST_NAMES_MAX);
		assert(measured.bytes <= measured.names * (HOSTLIST_NAME_MAX + 1));
		check_list(text, &measured);
	} else {
		assert(fault.column >= 1 && fault.column <= strlen(text) + 1);
		assert(fault.problem[0] && fault.expected[0]);
	}
	free(text);
	return 0;
}
