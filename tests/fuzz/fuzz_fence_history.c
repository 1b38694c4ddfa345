/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_fence_history.c - a history file full of anything: what can be read has all its members,
 * and a record appended behind it is read back, whatever stands before it.
 *
 * LINK: fencer host base
 */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fence-agents/fencer/fence_history.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[] = "/tmp/holdfast-fuzz-XXXXXX";
static char path[64];

static void folder_remove(void)
{
	unlink(path);
	rmdir(folder);
}

static int see(void *arg, const struct fence_history_record *r)
{
	int *marked = arg;

	assert(r->operation && r->target && r->device && r->plugs && r->result && r->state);
	assert(r->proof && r->message && r->operator_name && r->level <= 9);
	*marked = strcmp(r->target, "the mark") == 0;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fence_history_record mark = {
		.operation = "off",
		.target = "the mark",
		.device = "",
		.plugs = "",
		.result = "ok",
		.state = "off",
		.proof = "proven",
		.message = "",
		.operator_name = "",
	};
	struct err err = { 0 };
	size_t skipped;
	int marked = 0, fd;

	if (path[0] == '\0') {
		if (!mkdtemp(folder))
			abort();
		snprintf(path, sizeof path, "%s/history", folder);
		atexit(folder_remove);
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	assert(fence_history_read(path, see, &marked, &skipped, &err) == 0);
	assert(fence_history_append(path, &mark, 1, &err) == 0);
	assert(fence_history_read(path, see, &marked, &skipped, &err) == 0);
	assert(marked);
	return 0;
}
