/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_lun_conf.c - the options of fence_lun: whatever is accepted is consistent.
 *
 * Input: cluster, nodes and devices, one a line.
 *
 * LINK: base fence-agents/lun/lun_conf.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "fence-agents/lun/lun_conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lun_conf conf;
	static char text[4096];
	char *rest = text, *cluster, *nodes;
	struct err err;

	if (size >= sizeof text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	cluster = strsep(&rest, "\n");
	nodes = rest ? strsep(&rest, "\n") : NULL;
	if (rest && lun_conf_parse(&conf, cluster, nodes, rest, &err) == 0) {
		assert(conf.cluster != 0 && conf.nodes_count > 0 && conf.urls_count > 0);
		for (size_t i = 0; i < conf.nodes_count; i++) {
			char number[8];

			snprintf(number, sizeof number, "%u", conf.nodes[i].id);
			assert(lun_conf_node(&conf, conf.nodes[i].name) == &conf.nodes[i]);
			assert(lun_conf_node(&conf, number) == &conf.nodes[i]);
		}
		for (size_t i = 0; i < conf.urls_count; i++) {
			assert(conf.urls[i] >= conf.devices && conf.urls[i][0] != '\0');
			assert(i == 0 || conf.groups[i] >= conf.groups[i - 1]);
		}
	} else if (rest) {
		assert(err.rc == RC_CONFIG && err.text[0] != '\0');
	}
	lun_conf_free(&conf);
	return 0;
}
