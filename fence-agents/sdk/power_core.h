/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * power_core.h - decides what an agent does to its plugs, and when that counts as proven (S1).
 *
 * Caller: agent_power.c, which performs one action at a time and feeds its outcome back; the unit
 * tests, which own the clock. A step function: no clock, no I/O, no allocation.
 *
 * The rules it upholds:
 *  - The state of every plug is read before anything is touched; a plug that cannot be read, or
 *    that the device does not have, ends the action with nothing switched.
 *  - The command is always sent, also to a plug that already reads the wanted state: only a
 *    read-back *after* an accepted command is a proof, and the command cancels what else may be
 *    pending in the device. RC_STATE from a plug that reads the wanted state counts as accepted.
 *  - Success is one complete round of reads in which every plug reads the wanted state.
 *  - Several plugs: every plug is off, in one round, before any is turned on.
 *  - Off and on may be repeated (they are idempotent); a cycle is never sent twice unless the
 *    device said it was busy.
 *  - A cycle is proven only when a read saw the plug off after the command, else "accepted". A
 *    plug that is off is switched off, read back, and turned on instead.
 */
#ifndef HOLDFAST_POWER_CORE_H
#define HOLDFAST_POWER_CORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mono.h"
#include "base/power.h"
#include "base/rc.h"

enum { POWER_PLUGS_MAX = 64 };

/* First pause between two reads, and between two attempts; grows by half each time. */
#define POWER_POLL_MIN_MS 50
/* A cycle's off phase may be as short as a second; never look away for longer than this. */
#define POWER_POLL_CYCLE_MAX_MS 200

enum power_op { POWER_OP_STATUS, POWER_OP_ON, POWER_OP_OFF, POWER_OP_REBOOT, POWER_OP_CYCLE };

struct power_core_config {
	enum power_op op;
	size_t plugs_count;	  /* 1..POWER_PLUGS_MAX; exactly 1 for POWER_OP_CYCLE */
	int64_t power_wait_ms;	  /* between command and first read-back */
	int64_t power_timeout_ms; /* from then until the state must have been read */
	int64_t poll_max_ms;	  /* longest pause between two rounds of reads */
	int64_t reach_ms;  /* how long "unreachable" is tried again before anything is sent */
	unsigned on_tries; /* how often `on` is sent when it has no effect; at least 1 */
	mono_t deadline;   /* of everything */
};

enum power_event_kind {
	POWER_EV_START,
	POWER_EV_READ,	/* answer to POWER_ACT_READ: rc, state */
	POWER_EV_SET,	/* answer to POWER_ACT_SET: rc */
	POWER_EV_CYCLE, /* answer to POWER_ACT_CYCLE: rc */
	POWER_EV_WAKE,	/* POWER_ACT_WAIT is over */
};

struct power_event {
	enum power_event_kind kind;
	mono_t now;
	int rc;
	enum power_state state;
};

enum power_act_kind {
	POWER_ACT_READ,	 /* read `plug` */
	POWER_ACT_SET,	 /* command `plug` to `state` */
	POWER_ACT_CYCLE, /* command `plug` off and on */
	POWER_ACT_WAIT,	 /* until `until` */
	POWER_ACT_DONE,	 /* the result is in the core */
};

struct power_act {
	enum power_act_kind kind;
	size_t plug;
	enum power_state state;
	mono_t until;
};

/* Where the action stands; the shell words its errors with it. */
enum power_phase {
	POWER_PHASE_BEFORE,  /* reading before anything is touched */
	POWER_PHASE_SET,     /* sending on or off */
	POWER_PHASE_VERIFY,  /* reading back */
	POWER_PHASE_CYCLE,   /* sending the cycle */
	POWER_PHASE_WATCH,   /* watching a cycle */
	POWER_PHASE_REFUSED, /* a command failed for good: reading once more, to report */
};

struct power_core {
	struct power_core_config config;
	enum power_phase phase;
	enum power_state goal; /* of SET and VERIFY: POWER_ON or POWER_OFF */
	size_t plug;	       /* the plug at hand */
	enum power_state before[POWER_PLUGS_MAX];
	enum power_state states[POWER_PLUGS_MAX]; /* as last read */
	mono_t started, sent, phase_deadline;
	int64_t pause_ms;
	unsigned on_sent;
	int waiting;  /* the outstanding action is a WAIT */
	int last_rc;  /* latest failure in this phase; 0 for none */
	int cycle_rc; /* how the cycle command was answered */

	/* The result, valid after POWER_ACT_DONE. */
	int rc;			/* 0: the operation did what it should */
	enum power_proof proof; /* of the operation as a whole */
	int off_proven, on_proven;
	enum power_phase failed_phase;
	size_t failed_plug;
};

void power_core_init(struct power_core *core, const struct power_core_config *config);

/* Take one event, give the next action. */
void power_core_step(struct power_core *core, const struct power_event *event,
		     struct power_act *act);

/* The state of all plugs together, as last read. */
enum power_state power_core_state(const struct power_core *core);

#endif
