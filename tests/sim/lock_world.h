/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lock_world.h - nodes that run the core of the named locks, in one process, in simulated time.
 *
 * Callers: test_lock_core (scenarios) and test_lock_sim (seeds). The heartbeat is a simple truth: a
 * node with a good disk beats every BEAT_MS; others see that, and conclude from silence by the formulas
 * of timing_peer.h. The slots are registers that decide each term once, as arbiter.h promises: answers may be
 * lost, claims may be decided late or be completed by others, decisions may not be told yet. A
 * machine has a watchdog of which the core knows nothing: it resets the machine as late as it may.
 * Each node has a clock of its own.
 *
 * Oracles, which look at nothing that a core believes:
 *	one	at no moment two processes run under locks of one name
 *	terms	later holders have larger terms
 *	once	a name has one slot
 *	next	nobody claims a term whose predecessor is undecided
 *	still	nobody is reset when nothing of it runs under a lock (S8)
 * A violation is written to world->violation.
 */
#ifndef HOLDFAST_TESTS_LOCK_WORLD_H
#define HOLDFAST_TESTS_LOCK_WORLD_H

#include "lockd/lock_core.h"

enum {
	LW_NODES = 4,
	LW_SLOTS = 8,
	LW_ASKS = 64, /* of a node, alive at one time */
	LW_PROCESSES = 256,
	LW_QUEUE = 1024,
	LW_TERMS = 4096,
	LW_TRACE = 1 << 16,
	BEAT_MS = 50,
};

enum lw_state {
	LW_OFF,	    /* the machine is off */
	LW_IDLE,    /* on, without lockd */
	LW_REFUSED, /* lockd would not start: an old command does not die */
	LW_UP,	    /* lockd runs */
};

struct lw_ask {
	int in_use, is_break, has_client, told_held, killing, gone_due;
	int stuck, deaf; /* its command does not die; does not heed SIGTERM */
	uint32_t job;
	int64_t run_ms;
	char name[LOCK_NAME_MAX + 1];
	int process; /* -1: none, or no more */
};

struct lw_process {
	int is_alive;
	unsigned node;
	uint32_t machine;
	uint64_t term;
	int64_t ends_ms; /* by itself, or killed; INT64_MAX: does not */
	int stuck;
	char name[LOCK_NAME_MAX + 1];
};

struct lw_node {
	enum lw_state state;
	unsigned node; /* 1.. */
	uint32_t machine, boot, incarnation;
	int disk_ok, is_paused, has_watchdog;
	int64_t paused_until;
	int64_t origin_ns;
	int32_t ppm;
	/* What it publishes. */
	int published, left;
	uint64_t sequence;
	int64_t stamp_ms;   /* of the last good beat; -1: none in this incarnation */
	int lease_is_there; /* the heartbeat has not given the incarnation up */
	int64_t renewed_ms; /* what the watchdog counts from; -1: not registered */
	int64_t join_ms;    /* when it may become active */
	struct lock_core core;
	struct lock_peer peers[LW_NODES];
	uint64_t seen_sequence[LW_NODES];
	struct lw_ask asks[LW_ASKS];
	uint32_t next_job;
	unsigned stopping;
};

struct lw_pending {
	int in_use, is_claim, done, decides;
	unsigned node;
	uint32_t incarnation, boot;
	uint32_t slot;
	uint64_t token, term;
	struct lock_term value;
	int64_t effect_ms, answer_ms;
	/* The answer, made at effect_ms. */
	enum lock_outcome outcome;
	int rc;
	uint64_t said_term;
	struct lock_term said;
};

struct lw_slot {
	uint64_t last;	/* decided */
	uint64_t shown; /* as reads tell: last, or one less */
	struct lock_term terms[LW_TERMS];
};

/* Chances in a thousand. */
struct lw_faults {
	unsigned claim_lost, claim_late, unshown, read_fails, deaf, stuck;
	unsigned latency_ms;
};

struct lw_world {
	int64_t now_ms;
	unsigned nodes_count;
	struct lock_config config;
	struct lw_faults faults;
	struct lw_node nodes[LW_NODES];
	struct lw_slot slots[LW_SLOTS];
	struct lw_process processes[LW_PROCESSES];
	struct lw_pending queue[LW_QUEUE];
	uint32_t machines, boots;
	uint64_t random;
	uint64_t last_term[LW_SLOTS];
	unsigned grants, breaks, lost, resets;
	struct lock_out out;
	char trace[LW_TRACE];
	size_t trace_bytes;
	char violation[256];
};

void lw_init(struct lw_world *world, unsigned nodes, uint64_t seed);
void lw_run(struct lw_world *world, int64_t until_ms);

void lw_boot(struct lw_world *world, unsigned node);	/* machine on, lockd starts */
void lw_restart(struct lw_world *world, unsigned node); /* lockd starts on a machine that is on */
void lw_kill(struct lw_world *world, unsigned node);	/* lockd, -9 */
void lw_reset(struct lw_world *world, unsigned node);
void lw_replace(struct lw_world *world, unsigned node); /* off; another machine takes its place */
void lw_pause(struct lw_world *world, unsigned node, int64_t ms);
void lw_disk(struct lw_world *world, unsigned node, int ok);
void lw_watchdog_fails(struct lw_world *world, unsigned node); /* found and published at once */
void lw_stop(struct lw_world *world, unsigned node);	       /* lockd, in order */
/* wait_ms < 0: for ever; run_ms: how long the command runs by itself */
void lw_ask(struct lw_world *world, unsigned node, const char *name, int64_t wait_ms,
	    int64_t run_ms, int deaf, int stuck);
void lw_break(struct lw_world *world, unsigned node, const char *name, uint64_t confirmed);
/* `lock run` of a name is killed. */
void lw_vanish(struct lw_world *world, unsigned node, const char *name);
unsigned lw_dice(struct lw_world *world, unsigned sides);

#endif
