/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lock_core.h - named locks as a pure step function: which slot a name has, who holds it, and what
 * has to happen before somebody else may.
 *
 * Callers: lockd_lock_io.c, and the simulator of the tests. The bytes of a term are made and read by
 * lock_facts.c.
 *
 * ---- Terms ----
 *
 * A slot of the lock area is a sequence of decisions, the terms 1, 2, 3 ..., each decided once and for
 * ever by Disk Paxos among all nodes (arbiter.h, promises 1 to 5). A term says either "held by this
 * incarnation of that node" or "free" (released, or broken by an operator). The lock is what its last
 * decided term says. To acquire, to release and to break is to decide the next term.
 *
 * A name's slot: from crc32c(name) % slots on, the first that is bound to it. A slot is bound to the
 * name of its term 1, for ever. Whoever passes a slot has seen that it is bound to another
 * name, which never changes; whoever finds one unbound decides its term 1, and goes on when that
 * was decided for another name. So two nodes never use two slots for one name.
 *
 * ---- Never two holders ----
 *
 * Term t + 1 is proposed only by a node that knows term t, and only
 *   1 when t is free;
 *   2 by the holder of t, to release it, once no process of its command is left;
 *   3 when the holder of t is over: see below.
 * A holder begins when it is told that its term is decided, with a valid lease, and ends before the
 * lease does, or is reset (below). Since t + 1 is decided once, at most one of those who saw t free
 * holds it. In case 3 nothing of the former holder runs any more.
 *
 * Over is an incarnation that can never hold anything again, of which nothing runs any more:
 *   - it said goodbye: lockd says so only when it holds nothing;
 *   - it is dead by lease (timing_peer.h, "gone": lease, watchdog and drain have passed);
 *   - the same boot of the same machine shows a larger incarnation: lockd ends what its predecessor
 *     left before it becomes active (lockd_lock_io.c, begin);
 *   - another boot of the same machine shows a larger incarnation, and the drain has passed;
 *   - another machine shows a larger incarnation in its slot: "gone" by the values of the term,
 *     counted from our first sight of that incarnation.
 * A holder without a watchdog (W = 0) is never over by time: only an operator can vouch for it.
 *
 * ---- The lease ----
 *
 * A lock rests on the heartbeat's lease, until no process of its command is left. The end of the
 * command begins early: SIGTERM when the lease has no more than term_left_ms, SIGKILL when it has
 * kill_left_ms. If it has no process left then, nothing rests on the lease. If it has, the watchdog is
 * not renewed beyond the lease, and the machine is reset.
 *
 * ---- In doubt ----
 *
 * A claim whose outcome is unknown may be decided later. Its job repeats the same claim until it is
 * known, even when nobody waits for it any more, and then releases what nobody wants. Until then no
 * other job of this node claims in that slot. With the incarnation ends the doubt: its terms are over.
 * A stop ends the incarnation, so it waits for no claim that is in doubt: nothing runs under it.
 *
 * Ownership: memory is the caller's, no allocation. Facts and out are used during the step only.
 */
#ifndef HOLDFAST_LOCK_CORE_H
#define HOLDFAST_LOCK_CORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mono.h"

enum {
	LOCK_NODES_MAX = 64,
	LOCK_ID_BYTES = 16,
	LOCK_NAME_MAX = 63,
	LOCK_BY_MAX = 24,
	LOCK_COMMAND_MAX = 49,
	LOCK_SLOTS_MAX = 1024,
	LOCK_JOBS_MAX = 64,
	LOCK_ACTIONS_MAX = 6 * LOCK_JOBS_MAX,
	LOCK_STOP_GRACE_MS = 5000, /* for commands, when lockd stops */
	LOCK_BREAK_TRIES = 8,	   /* of a break whose outcome stays unknown */
};

enum lock_kind { LOCK_HELD = 1, LOCK_RELEASED, LOCK_BROKEN, LOCK_KINDS };

/* What a term says. Of LOCK_HELD: the holder. Of the others: who released or broke it. */
struct lock_term {
	uint8_t kind;
	uint8_t vouched; /* LOCK_BROKEN: the holder was not proven to be over */
	uint16_t node;
	uint32_t incarnation;
	uint8_t machine[LOCK_ID_BYTES], boot[LOCK_ID_BYTES];
	uint32_t lease_ms, watchdog_ms, grain_ms; /* L, W, g of that incarnation */
	uint64_t wall_s;			  /* for humans */
	char name[LOCK_NAME_MAX + 1];
	char by[LOCK_BY_MAX + 1];	    /* the user */
	char command[LOCK_COMMAND_MAX + 1]; /* LOCK_HELD: its beginning, for humans */
};

/* ---- what is known of the nodes, as the heartbeat tells it ---- */

enum lock_peer_state {
	LOCK_PEER_NEVER,
	LOCK_PEER_ALIVE,
	LOCK_PEER_SUSPECT,
	LOCK_PEER_DEAD,
	LOCK_PEER_LEFT,
};

struct lock_peer {
	enum lock_peer_state state;
	uint32_t incarnation;
	uint8_t machine[LOCK_ID_BYTES], boot[LOCK_ID_BYTES];
	uint32_t lease_ms, watchdog_ms, grain_ms;
	mono_t changed_at; /* our first sight of its newest record */
};

/* What has become of a holder? */
enum lock_fate {
	LOCK_FATE_OURS, /* this very incarnation */
	LOCK_FATE_ALIVE,
	LOCK_FATE_PENDING,    /* silent or replaced; over at the moment told, or alive again */
	LOCK_FATE_UNPROVABLE, /* silent or replaced, and nothing will prove it */
	LOCK_FATE_OVER,
};

/* ---- the core ---- */

struct lock_config {
	uint16_t node, nodes_max;
	uint8_t machine[LOCK_ID_BYTES], boot[LOCK_ID_BYTES];
	uint32_t lease_ms, watchdog_ms, grain_ms, drain_ms, drift_ppm;
	uint32_t slots;
	uint32_t term_left_ms, kill_left_ms;
	uint32_t poll_ms; /* how often a lock that is held elsewhere is looked at */
};

enum lock_event_kind {
	LOCK_EVENT_TICK,
	LOCK_EVENT_JOINED,  /* a new incarnation of this node is active; the former is over */
	LOCK_EVENT_ACQUIRE, /* job */
	LOCK_EVENT_UNLOCK,  /* job: its command has ended */
	LOCK_EVENT_GONE,    /* job: who asked has vanished */
	LOCK_EVENT_BREAK,   /* job */
	LOCK_EVENT_EMPTY,   /* job: no process is left */
	LOCK_EVENT_READ,    /* answer to LOCK_ACTION_READ */
	LOCK_EVENT_CLAIMED, /* answer to LOCK_ACTION_CLAIM */
	LOCK_EVENT_STOP,    /* an orderly stop: give all back */
	LOCK_EVENT_DROP,    /* this node is about to be reset: kill all, give nothing back */
};

enum lock_outcome {
	LOCK_CLAIM_GRANTED = 1,
	LOCK_CLAIM_LOST,     /* told is what was decided instead */
	LOCK_CLAIM_UNKNOWN,  /* it may be decided later */
	LOCK_CLAIM_NOT_MADE, /* nothing was written */
};

struct lock_event {
	enum lock_event_kind kind;
	mono_t now;
	mono_t lease_until;		/* in every event: our lease */
	const struct lock_peer *peers;	/* in every event: of node i + 1 */
	uint32_t watchdog_ms, grain_ms; /* in every event: what this node publishes now */
	uint32_t incarnation;		/* JOINED */
	uint32_t job;
	/* ACQUIRE, BREAK */
	const char *name, *by, *command;
	uint64_t wall_s;
	mono_t wait_until;  /* ACQUIRE: MONO_NEVER to wait for ever */
	uint64_t confirmed; /* BREAK: the term whose holder the operator vouches for; 0: none */
	/* READ, CLAIMED */
	uint64_t token;
	int rc;			      /* READ: 0, or why nothing is known */
	uint64_t term;		      /* READ: the last that is decided; 0: none */
	const struct lock_term *told; /* READ: of that term; CLAIMED, LOST: of the one claimed */
	enum lock_outcome outcome;    /* CLAIMED */
};

enum lock_action_kind {
	LOCK_ACTION_READ,  /* slot: what was decided last? */
	LOCK_ACTION_CLAIM, /* slot, term, value */
	LOCK_ACTION_END,   /* job: ask its command to end (why) */
	LOCK_ACTION_KILL,  /* job: kill what is left of it until nothing is; then EVENT_EMPTY */
	LOCK_ACTION_TELL,  /* job: progress */
	LOCK_ACTION_DONE,  /* job: over, its id is free; result */
};

enum lock_why {
	LOCK_WHY_NONE,
	LOCK_WHY_LEASE,	 /* the lease is being lost, or is */
	LOCK_WHY_BROKEN, /* an operator broke the lock */
	LOCK_WHY_STOP,	 /* lockd stops */
	LOCK_WHY_DYING,	 /* this node is about to be reset */
	LOCK_WHY_GONE,	 /* who asked for it has vanished */
};

enum lock_told {
	LOCK_TOLD_WAITING, /* holder, fate, at */
	LOCK_TOLD_LEASE,   /* our own lease is too short at this moment */
	LOCK_TOLD_DISK,	   /* the disks do not answer; rc */
	LOCK_TOLD_GRANTED, /* term */
};

enum lock_result {
	LOCK_DONE_RELEASED = 1,
	LOCK_DONE_TIMEOUT, /* not got in time; holder, fate, at as told last */
	LOCK_DONE_FULL,	   /* every slot is bound to another name */
	LOCK_DONE_LOST,	   /* held no more; why */
	LOCK_DONE_DROPPED, /* never held; why */
	LOCK_DONE_BROKEN,  /* BREAK: done; holder: who held it */
	LOCK_DONE_ABSENT,  /* BREAK: no lock of that name */
	LOCK_DONE_FREE,	   /* BREAK: nobody holds it */
	LOCK_DONE_REFUSED, /* BREAK: its holder lives; holder, fate, at */
	LOCK_DONE_CONFIRM, /* BREAK: cannot be proven; ask the operator; holder */
	LOCK_DONE_UNKNOWN, /* BREAK: disks do not answer; rc */
};

struct lock_action {
	enum lock_action_kind kind;
	uint32_t job;
	uint32_t slot;
	uint64_t term;
	uint64_t token;
	const struct lock_term *value;	/* CLAIM: the proposal; valid until the next step */
	const struct lock_term *holder; /* TELL, DONE: the one in the way; as long; NULL: none */
	enum lock_fate fate;		/* of the holder */
	mono_t at;			/* LOCK_FATE_PENDING: when it is over */
	enum lock_why why;
	int is_ended; /* KILL: who runs the command says that nothing of it is left */
	enum lock_told told;
	enum lock_result result;
	int rc;
};

struct lock_out {
	struct lock_action actions[LOCK_ACTIONS_MAX];
	size_t count;
};

/* ---- the state; the caller provides the memory, the fields are the core's ---- */

enum lock_stage {
	LOCK_STAGE_NONE,  /* the place is free */
	LOCK_STAGE_SEEK,  /* its slot is to be read at `again` */
	LOCK_STAGE_READ,  /* its slot is being read */
	LOCK_STAGE_CLAIM, /* its term is being claimed */
	LOCK_STAGE_HELD,
	LOCK_STAGE_ENDING,    /* its command was asked to end */
	LOCK_STAGE_KILL,      /* its command is being killed, or looked for */
	LOCK_STAGE_RELEASING, /* no process is left; the free term is being claimed */
};

struct lock_job {
	enum lock_stage stage;
	uint32_t id;
	uint64_t order;
	int is_break;
	uint64_t confirmed;
	int unwanted;	  /* nobody waits for it any more; it has been told DONE */
	int in_doubt;	  /* the claim of `term` with `value` may be decided yet */
	int is_release;	  /* what is sought and claimed is the end of `term` */
	int is_looked_at; /* HELD: a read is under way that tells whether it was broken */
	enum lock_why why;
	struct lock_term value; /* as claimed: a repeated claim is the same to the byte */
	uint32_t slot, passed;
	uint64_t term; /* claimed or held */
	uint64_t token;
	mono_t again, wait_until;
	unsigned tries;
	int was_told; /* the four below are what */
	enum lock_told told;
	struct lock_term holder;
	enum lock_fate fate;
	mono_t at;
};

struct lock_core {
	struct lock_config config;
	uint32_t incarnation; /* 0: none yet */
	mono_t joined_at;
	mono_t now, lease_until;
	uint64_t next_token, next_order;
	int stopping, dropping;
	struct lock_job jobs[LOCK_JOBS_MAX];
	/* Our first sight of the incarnation that each node shows. */
	uint32_t seen[LOCK_NODES_MAX];
	mono_t seen_at[LOCK_NODES_MAX];
};

void lock_core_init(struct lock_core *core, const struct lock_config *config, mono_t now);

/* One event in, all that follows from it out; out is emptied first. ACQUIRE and BREAK need a free
 * place, lock_core_has_room(), and an id that no job ever had. */
void lock_core_step(struct lock_core *core, const struct lock_event *event, struct lock_out *out);

/* The moment of the next TICK; MONO_NEVER while there is nothing to do. */
mono_t lock_core_deadline(const struct lock_core *core);

int lock_core_has_room(const struct lock_core *core);

/* LOCK_STAGE_NONE when there is no such job, or no more. */
enum lock_stage lock_core_stage(const struct lock_core *core, uint32_t job);

/* Does a process that the lock protects run, or may one be about to? Then the lock rests on the
 * lease. */
int lock_core_job_rests(const struct lock_core *core, uint32_t job);

/* Is there any job? */
int lock_core_is_busy(const struct lock_core *core);

/* What has become of the holder of a term that is LOCK_HELD; *at: when it will be over if nothing is
 * heard of it, MONO_NEVER where that is not known. */
enum lock_fate lock_core_fate(const struct lock_core *core, const struct lock_term *term,
			      const struct lock_peer *peers, mono_t *at);

/* Is it a lock's name: 1 to 63 of letters, digits and any of . - _ : / @ ? */
int lock_name_ok(const char *name);

/* Where the search for a name begins. */
uint32_t lock_name_slot(const char *name, uint32_t slots);

const char *lock_why_word(enum lock_why why);
const char *lock_fate_word(enum lock_fate fate);

#endif
