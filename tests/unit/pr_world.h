/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_world.h - nodes with their reservation cores and paths, before one model of a unit, in a time
 * of its own.
 *
 * Callers: test_pr_core.c (told scenarios), test_pr_sim.c (random ones). A command is executed one
 * millisecond after it was sent and answered one later, unless a fault stands in its way:
 *	lost-before	never executed, not answered
 *	lost-after	executed, not answered
 *	late		executed LATE_MS later, unless the path was given a new session before, and answered then
 *	busy, not-ready	answered so, not executed
 *	aborted		executed, answered ABORTED COMMAND
 *	not-sent	never sent
 * Every PR command is written and read by the codecs on its way.
 */
#ifndef HOLDFAST_TESTS_PR_WORLD_H
#define HOLDFAST_TESTS_PR_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "lockd/pr_core.h"
#include "tests/sim/pr_model.h"

enum {
	WORLD_NODES = 3,
	WORLD_PATHS = 2,
	WORLD_EVENTS_MAX = 64,
	WORLD_IO_MS = 100,
	WORLD_LATE_MS = 150,
	WORLD_RECOVER_MS = 10,
	WORLD_TRACE_BYTES = 64 << 10,
};

enum pr_fault {
	FAULT_NONE,
	FAULT_LOST_BEFORE,
	FAULT_LOST_AFTER,
	FAULT_LATE,
	FAULT_BUSY,
	FAULT_NOT_READY,
	FAULT_ABORTED,
	FAULT_NOT_SENT,
	FAULTS
};

struct pr_world_event {
	int used;
	mono_t at;
	enum { WORLD_EXECUTE, WORLD_ANSWER, WORLD_UP } kind;
	unsigned node, path;
	uint64_t session; /* of the path when it was sent: commands of an older one are gone */
	enum pr_fault fault;
	struct pr_action send;
	struct pr_event answer;
	uint64_t keys[PR_MODEL_REGISTRATIONS_MAX];
};

struct pr_world_node {
	struct pr_core core;
	int nexus[WORLD_PATHS];
	unsigned paths;
	uint64_t session[WORLD_PATHS];
	int is_cut[WORLD_PATHS];   /* nothing is answered until it is mended */
	int is_stuck[WORLD_PATHS]; /* a new session does not come about */
	enum pr_fault next_fault[WORLD_PATHS];
	int fault_spares_looks[WORLD_PATHS]; /* it waits for a PERSISTENT RESERVE OUT */
	/* The last job: */
	int has_ended;
	struct pr_result result;
	int told_ejected;
};

struct pr_world {
	struct pr_model model;
	struct pr_world_node nodes[WORLD_NODES];
	unsigned nodes_count;
	mono_t now;
	struct pr_world_event events[WORLD_EVENTS_MAX];
	char trace[WORLD_TRACE_BYTES];
	size_t trace_bytes;
	/* When a command is sent, before it is executed, and after it was; may be NULL. */
	void (*sent)(struct pr_world *world, unsigned node, const struct pr_action *send);
	void (*before)(struct pr_world *world, unsigned node, unsigned path,
		       const struct pr_action *send);
	void (*after)(struct pr_world *world, unsigned node, unsigned path,
		      const struct pr_action *send, const struct pr_reply *reply);
};

/* The key of a node: cluster 1, its number from 1 on, an incarnation. */
uint64_t world_key(unsigned node, unsigned incarnation);

void world_begin(struct pr_world *world, const struct pr_model_limits *limits, unsigned nodes,
		 unsigned paths);

/* A core made anew for a node, as after a boot; its sessions are new. */
void world_boot(struct pr_world *world, unsigned node, unsigned incarnation);

/* Hand an event to a node's core, its time set, and do what it wants. */
void world_tell(struct pr_world *world, unsigned node, struct pr_event *event);

/* Begin a job; its token is counted up. */
void world_job(struct pr_world *world, unsigned node, enum pr_job_kind kind, uint64_t admission,
	       uint64_t victim, unsigned type, int64_t timeout_ms);

/* A path goes, and comes with a new session. */
void world_cut(struct pr_world *world, unsigned node, unsigned path);
void world_mend(struct pr_world *world, unsigned node, unsigned path);

/* A command by a node's path without its core. */
enum pr_meaning world_intrude(struct pr_world *world, unsigned node, enum pr_command command,
			      uint64_t key, uint64_t service_key, unsigned type);

/* The next thing that is due. 0: nothing is. */
int world_turn(struct pr_world *world);

/* Until nothing is under way. */
void world_run(struct pr_world *world);

/* A line of the trace. */
void world_say(struct pr_world *world, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
