/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lun_session.h - one run of fence_lun: its options, its paths sorted into units, calls to all of them.
 *
 * Callers: fence_lun.c (the operations of the SDK) and lun_node.c (off and on). Everything but the calls
 * that lun_units_run() makes runs in the main thread. Sets of units are bit masks, bit n for unit n; the
 * units stand in the order of the race (fence_lun.c).
 * Ownership: one struct lun for the process, at fence_data(); paths and units live from
 * lun_session_open() to lun_session_close().
 */
#ifndef HOLDFAST_LUN_SESSION_H
#define HOLDFAST_LUN_SESSION_H

#include "fence-agents/lun/lun_conf.h"
#include "fence-agents/lun/lun_state.h"
#include "fence-agents/lun/lun_unit_io.h"
#include "fence-agents/sdk/agent.h"

struct lun {
	struct lun_conf conf;
	const struct lun_node *self; /* NULL: this host is none of the nodes */
	struct lun_state state;
	int has_state;
	int changes; /* the action is on, off or reboot */
	int was_set; /* a command was carried out: from now on "cannot be read" is a failure */
	struct pr_client_options path_options;
	struct lun_path paths[LUN_PATHS_MAX];
	struct lun_unit units[LUN_PATHS_MAX];
	size_t units_count;
	mono_t drained_at[LUN_NODES_MAX]; /* by place in conf.nodes; 0: nothing to drain */
};

typedef void lun_call(struct lun_unit *unit);

/* Open every path of lun->conf at once and sort them. Fails when none is open, or when they are not what
 * devices= says; a path that is not open is otherwise no failure here. */
int lun_session_open(struct fence_ctx *ctx);
void lun_session_close(struct fence_ctx *ctx);

/* Milliseconds for one round of calls, with some left to tell of it. */
int64_t lun_step_left_ms(struct fence_ctx *ctx);

/* Call it for the units of the set at once, and wait for all. Those of which no path is open have
 * failed. */
void lun_units_run(struct fence_ctx *ctx, lun_call *call, uint64_t set, int64_t left_ms);

/* Read all. Those that could not be read are returned. */
uint64_t lun_units_read(struct fence_ctx *ctx);
int lun_unread_fail(struct fence_ctx *ctx, uint64_t unread);

/* Those of the set that ended the last call like this. */
uint64_t lun_units_with(const struct lun *lun, uint64_t set, enum lun_outcome outcome);

/* The first of a set that is not empty. */
struct lun_unit *lun_unit_first(struct lun *lun, uint64_t set);

/* How the unit and each of its paths stand to the node, for the result. */
void lun_unit_show(struct fence_ctx *ctx, const struct lun_unit *unit, const struct lun_node *node,
		   enum power_state state);

static inline uint64_t lun_units_all(const struct lun *lun)
{
	return (UINT64_C(1) << lun->units_count) - 1; /* LUN_PATHS_MAX is less than 64 */
}

static inline int lun_count_of(uint64_t set)
{
	return __builtin_popcountll(set);
}

/* The part of a node's keys that is always the same. */
static inline uint64_t lun_node_key(const struct lun *lun, const struct lun_node *node)
{
	return pr_key_make(lun->conf.cluster, node->id, 0);
}

#endif
