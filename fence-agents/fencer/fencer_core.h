/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fencer_core.h - the decisions of fencing many targets, as a pure step function.
 *
 * Callers: fencer_io.c (the shell, which turns actions into children) and the simulator of the
 * unit tests. Events carry the time; actions come out; nothing else is touched.
 *
 * A target has legs (a device with its plugs) in levels 1..9. A level counts as off only when
 * every leg of it is proven off, and where it has several legs, when all of them read off in one
 * more reading begun after the last command (rule S1: dual power supplies must be off together).
 * Nothing is switched on before that. A level that cannot be proven gives way to the next; what
 * is off stays off.
 *
 * Time. One deadline for each target, counted from the start. A level gets an equal share of
 * what is left among the levels still to come; what it does not use goes on to the next. A
 * failure that a repetition can cure is repeated after a growing pause while retries and the
 * level's time last; a device that cannot be reached is not called again where another level
 * waits, for its agent has called for its whole login_timeout. An agent that is still at work when its level's time is up is asked to end,
 * and killed FENCER_GRACE_MS later; what it did is unknown, never success.
 *
 * Ownership: memory and configuration are the caller's and outlive the core; no allocation.
 * Invariant: a token belongs to one run of one agent; the completion of a run that is no
 * longer waited for only frees its place.
 */
#ifndef HOLDFAST_FENCER_CORE_H
#define HOLDFAST_FENCER_CORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mono.h"
#include "base/power.h"
#include "base/rc.h"

enum fencer_op {
	FENCER_STATUS,	  /* read; first level that answers completely */
	FENCER_ON,	  /* on, proven; first level that manages it */
	FENCER_OFF,	  /* off, proven; level by level */
	FENCER_REBOOT,	  /* off proven, then on proven at the level that did the off */
	FENCER_TEST,	  /* probe every device of every level; changes nothing */
	FENCER_TEST_REAL, /* every level in turn: off, proven off, on, proven on */
};

enum {
	FENCER_GRACE_MS = 500, /* from SIGTERM to SIGKILL */
	FENCER_PAUSE_MS = 200, /* before the first repetition; doubles */
	FENCER_PAUSE_MAX_MS = 2000,
	FENCER_ACTIONS_MAX = 32,
};

struct fencer_core_leg {
	uint32_t device;   /* index into the limits */
	uint8_t level;	   /* 1..9, not falling within a target */
	uint8_t has_plugs; /* it names plugs: a foreign agent's list must contain them */
	uint8_t has_probe; /* test it by `probe`, else by `status` */
	uint8_t unlisted;  /* plugs that a foreign agent cannot list are believed to exist */
};

struct fencer_core_target {
	const struct fencer_core_leg *legs;
	size_t legs_count; /* at least 1 */
};

struct fencer_core_config {
	enum fencer_op op;
	int64_t timeout_ms;		 /* for one target */
	unsigned retries;		 /* further attempts of one step of one leg */
	unsigned parallel;		 /* agents at work in total, at least 1 */
	const unsigned *device_parallel; /* the same for each device */
	size_t devices_count;
	const struct fencer_core_target *targets;
	size_t targets_count;
};

/* What an agent is run for. */
enum fencer_verb {
	FENCER_VERB_OFF,
	FENCER_VERB_ON,
	FENCER_VERB_STATUS,
	FENCER_VERB_LIST, /* does the device have the leg's plugs? */
	FENCER_VERB_PROBE,
};

/* What the shell made of an agent's answer. */
struct fencer_core_reply {
	int rc;	    /* status, probe: 0 when the state was read. list: 0 when it has all the
		       plugs, RC_NO_SUCH_PLUG, RC_UNSUPPORTED when the agent cannot list */
	int native; /* an agent-result object: it reports its own read-back */
	enum power_state state;
	enum power_proof proof;
	int off_proven;
};

enum fencer_event_kind {
	FENCER_EVENT_TICK,   /* time has passed, or out was full */
	FENCER_EVENT_DONE,   /* the agent of `token` has ended, or could not be started */
	FENCER_EVENT_CANCEL, /* stop everything */
};

struct fencer_event {
	enum fencer_event_kind kind;
	mono_t now;
	uint64_t token;
	struct fencer_core_reply reply;
};

enum fencer_phase {
	FENCER_PHASE_OFF,
	FENCER_PHASE_CONFIRM, /* all legs of the level once more: off at one moment? */
	FENCER_PHASE_ON,
	FENCER_PHASE_RESTORE, /* test for real: on again after an off that failed */
	FENCER_PHASE_STATUS,
	FENCER_PHASE_TEST,
	FENCER_PHASE_DECIDED,
};

enum fencer_action_kind {
	FENCER_ACTION_RUN,     /* run an agent; answer with DONE */
	FENCER_ACTION_KILL,    /* signal its group; DONE still follows */
	FENCER_ACTION_PHASE,   /* for progress */
	FENCER_ACTION_DECIDED, /* the target's results are final */
};

struct fencer_action {
	enum fencer_action_kind kind;
	uint64_t token; /* RUN, KILL */
	size_t target;
	size_t leg;		 /* RUN, KILL: index within the target */
	enum fencer_verb verb;	 /* RUN */
	mono_t deadline;	 /* RUN: KILL comes then */
	int hard;		 /* KILL: SIGKILL */
	enum fencer_phase phase; /* PHASE */
	unsigned level;		 /* PHASE; 0: all levels */
};

struct fencer_out {
	struct fencer_action actions[FENCER_ACTIONS_MAX];
	size_t count;
	int more; /* no room for all: act, then step again with a TICK */
};

/* Why a leg failed. */
enum fencer_why {
	FENCER_WHY_NONE,
	FENCER_WHY_AGENT,     /* its agent said so */
	FENCER_WHY_LATE,      /* its agent had not ended in time and was ended */
	FENCER_WHY_QUEUE,     /* its time was up before its turn came (limits) */
	FENCER_WHY_UNPROVEN,  /* its agent reports success, but no read-back that proves it */
	FENCER_WHY_DISAGREES, /* the agent's status contradicts its own success */
	FENCER_WHY_UNLISTED,  /* it cannot be known whether its plugs exist */
	FENCER_WHY_CONFIRM,   /* proven off, yet not off when all legs were read together */
	FENCER_WHY_STOPPED,   /* another leg had lost the level */
	FENCER_WHY_CANCELLED,
};

struct fencer_core_leg_result {
	int used; /* 0: never needed */
	int rc;
	enum fencer_why why;
	enum fencer_verb verb; /* the one that failed; else the last one */
	enum power_state state;
	enum power_proof proof;
	int off_proven, on_proven, native;
	unsigned attempts;
	int64_t elapsed_ms;
};

struct fencer_core_target_result {
	int decided;
	int rc;
	enum power_state state;
	enum power_proof proof;
	int off_proven, on_proven;
	unsigned level;	   /* that decided; 0: none */
	size_t failed_leg; /* the leg that says why; legs_count when there is none */
	int64_t elapsed_ms;
};

struct fencer_core;

/* Bytes of memory, aligned as malloc() aligns, that a core of this configuration needs. */
size_t fencer_core_bytes(const struct fencer_core_config *config);

struct fencer_core *fencer_core_init(void *memory, const struct fencer_core_config *config,
				     mono_t now);

void fencer_core_step(struct fencer_core *core, const struct fencer_event *event,
		      struct fencer_out *out);

/* The moment of the next TICK; MONO_NEVER when only completions can change anything. */
mono_t fencer_core_deadline(const struct fencer_core *core);

/* Every target decided and no agent at work. */
int fencer_core_finished(const struct fencer_core *core);

struct fencer_core_target_result fencer_core_target_result(const struct fencer_core *core,
							   size_t target);
struct fencer_core_leg_result fencer_core_leg_result(const struct fencer_core *core, size_t target,
						     size_t leg);

#endif
