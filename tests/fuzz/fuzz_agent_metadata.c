/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_agent_metadata.c - metadata from anywhere: read, judged, never obeyed.
 *
 * LINK: fencer host base
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "fence-agents/fencer/agent_metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct agent_info info = { 0 };

	if (agent_metadata_read((const char *)data, size, &info) == 0) {
		assert(info.problem && info.shortdesc && info.device_class);
		assert(info.valid == (info.problem[0] == '\0'));
		assert(strpbrk(info.problem, "\n\r\x1b") == NULL);
		assert(strpbrk(info.device_class, "\n\r\x1b") == NULL);
	}
	agent_info_clear(&info);
	return 0;
}
