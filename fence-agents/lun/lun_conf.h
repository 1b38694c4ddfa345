/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lun_conf.h - the options of fence_lun taken apart: cluster, nodes, paths.
 *
 * Caller: fence_lun. The options are the same on every node of the cluster, as Pacemaker wants
 * them: which of the nodes this one is comes from its host name.
 *	cluster=0badcafe             upper half of every key (base/pr.h)
 *	nodes=alpha:1,beta:2         names and numbers; a plug is either
 *	devices=URL[|URL...] ...     logical units; `|` between paths to the same one
 * Ownership: the text of devices= belongs to the conf, which is freed by lun_conf_free().
 *
 * Pure: no I/O, no clock.
 */
#ifndef HOLDFAST_LUN_CONF_H
#define HOLDFAST_LUN_CONF_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { LUN_NODES_MAX = 64, LUN_PATHS_MAX = 32, LUN_NODE_NAME_BYTES = 256 };

struct lun_node {
	char name[LUN_NODE_NAME_BYTES];
	uint16_t id; /* 1..65535 */
};

struct lun_conf {
	uint32_t cluster;
	struct lun_node nodes[LUN_NODES_MAX];
	size_t nodes_count;
	char *devices; /* the URLs below point into it */
	size_t devices_bytes;
	const char *urls[LUN_PATHS_MAX];
	unsigned groups[LUN_PATHS_MAX]; /* equal: said to lead to the same unit */
	size_t urls_count;
};

/* All three; RC_CONFIG with the reason. conf is emptied first. */
int lun_conf_parse(struct lun_conf *conf, const char *cluster, const char *nodes,
		   const char *devices, struct err *err);
void lun_conf_free(struct lun_conf *conf);

/* A node by its name or number; NULL when it is not one of nodes=. */
const struct lun_node *lun_conf_node(const struct lun_conf *conf, const char *word);

/* The node of this number; NULL. */
const struct lun_node *lun_conf_node_by_id(const struct lun_conf *conf, uint16_t id);

#endif
