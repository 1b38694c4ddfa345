/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lun_node.h - what fence_lun does to a node: eject it from all units, or register this one on them.
 *
 * Caller: fence_lun.c, with the session open for changes. What this node has registered is remembered
 * (lun_state.h) before it is sent and after it was seen. Results are those of an SDK operation: 0, or
 * fence_fail() with what did not work; never RC_STATE, which would say "it is so already".
 */
#ifndef HOLDFAST_LUN_NODE_H
#define HOLDFAST_LUN_NODE_H

#include "fence-agents/lun/lun_session.h"

/* Read what this node remembers. RC_CONFIG when this host is none of the nodes. */
int lun_node_open(struct fence_ctx *ctx);

/* Eject a node. Every unit that can be reached is tried, whatever happens with the others; but who has
 * lost one of them touches none. */
int lun_node_off(struct fence_ctx *ctx, const struct lun_node *node);

/* Register this node, unless it was ejected. */
int lun_node_on(struct fence_ctx *ctx);

/* Could this node eject another? The units were read. */
int lun_node_may_eject(struct fence_ctx *ctx);

#endif
