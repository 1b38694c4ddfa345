/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch_core.h - when to pet, and when to reset: the decisions of watchdogd (S4, S6).
 *
 * Callers: watchdogd.c, which turns actions into system calls, and the unit tests, which own the
 * clock. A step function: no clock, no I/O, no allocation.
 *
 * Rules:
 *  - The time comes first. Before anything else of an event is looked at, every client whose
 *    deadline is reached at event.now is late, also when the event is the renewal that would have
 *    saved it: it was read too late (S6). A late client means EXPIRED: one RESET, and never a PET
 *    again.
 *  - A client is registered until its goodbye. A connection that ends without one leaves its entry,
 *    and the deadline runs (S4). The same user (or root) may register the name again from another
 *    connection while it runs, and takes the entry over.
 *  - Petting is for TICK alone, when it is due; the PETTED that follows carries the time after it,
 *    so that a pet that landed after a deadline is found at once (base/timing.h, claim 1).
 *  - The devices are disarmed only when no client is registered, and not during a test: that ends by
 *    a reset, or once it is clear that none has come.
 *  - Time is CLOCK_BOOTTIME plus all standstills that the caller has found (standstill_core.h),
 *    called effective time here. A stamp of a client is older by each standstill that came after it.
 *
 * What the promise rests on (W, proof): of the devices whose pets work, those of the best proof; W
 * is the longest timeout among them. For device i fires at most W_i after its last pet, so that as
 * long as any one of them fires, the reset comes within max W_i, whichever of them failed without
 * telling. Devices of a lesser proof only make it sooner. When no device works the proof is none,
 * and W the longest of all: a bound that is void must at least not look shorter.
 *
 * Ownership: the caller owns the memory, which holds no pointers but that of the events' caller.
 * Invariants: state goes from PETTING to one of the others, once; PET is only ever put out in
 * PETTING with every deadline ahead; it is the last action of its step.
 */
#ifndef HOLDFAST_WATCH_CORE_H
#define HOLDFAST_WATCH_CORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mono.h"
#include "base/watch.h"

enum {
	WATCH_CORE_CLIENTS_MAX = 32,
	WATCH_CORE_DEVICES_MAX = 4,
	WATCH_CORE_STEPS_MAX = 8,
	/* The longest list: each client late, each named as in the way of a stop, and the rest. */
	WATCH_CORE_ACTIONS_MAX = 2 * WATCH_CORE_CLIENTS_MAX + WATCH_CORE_DEVICES_MAX + 8,
};

struct watch_core_device {
	enum watch_proof proof;
	uint32_t timeout_ms;	/* as read back */
	uint32_t pretimeout_ms; /* 0: none */
	/* A pet failed: it is petted on, but no longer counts, also when later pets seem to work. A
	 * driver that failed once may not know the state of its timer; a promise does not get better
	 * by hope. It counts again after a new start, which arms it and reads it back. */
	int failed;
};

struct watch_core_client {
	char name[WATCH_NAME_BYTES]; /* empty: a free place */
	uint64_t connection;	     /* 0: gone without goodbye */
	uint32_t pid, uid;	     /* of the connection that registered last */
	uint32_t deadline_ms;
	uint32_t least_left_ms;
	uint64_t renewals;
	mono_t stamp; /* effective time that the last renewal counts from */
};

struct watch_core_config {
	enum watch_expiry expiry;
	int looking; /* an outside clock is looked at: TICK every TIMING_LOOK_MS while clients count */
	size_t devices_count;
	struct watch_core_device devices[WATCH_CORE_DEVICES_MAX];
};

enum watch_event_kind {
	WATCH_EVENT_TICK,     /* woken */
	WATCH_EVENT_PETTED,   /* after PET: errors */
	WATCH_EVENT_REGISTER, /* connection, name, deadline_ms, since_ns, pid, uid */
	WATCH_EVENT_RENEW,    /* connection, since_ns */
	WATCH_EVENT_GOODBYE,  /* connection */
	WATCH_EVENT_UNDO, /* connection: directly after REGISTER: it could not be marked or answered */
	WATCH_EVENT_GONE, /* connection: it ended, or sent what is no packet */
	WATCH_EVENT_TEST, /* connection, uid, by */
	WATCH_EVENT_STOP, /* asked to end in order */
};

struct watch_event {
	enum watch_event_kind kind;
	mono_t now;	      /* CLOCK_BOOTTIME, read after the event was */
	int64_t stood_ns;     /* standstill found since the last event */
	uint64_t connection;  /* any number but 0, never used again */
	const char *name;     /* any text that ends */
	uint32_t deadline_ms; /* any number */
	int64_t since_ns;     /* CLOCK_BOOTTIME, any number; 0: `now` above */
	uint32_t pid, uid;
	enum watch_test by;
	int errors[WATCH_CORE_DEVICES_MAX]; /* errno of each device, 0: petted */
};

enum watch_action_kind {
	WATCH_ACTION_PET,    /* all devices, none any more once `until` is reached; then PETTED */
	WATCH_ACTION_RESET,  /* how; name and number (ms late) of the first late client */
	WATCH_ACTION_DISARM, /* all devices, and end */
	WATCH_ACTION_MARK,   /* clients rely on this process from now on */
	WATCH_ACTION_UNMARK, /* none does any longer */
	WATCH_ACTION_TERMS,  /* answer connection */
	WATCH_ACTION_BYE,    /* answer connection */
	WATCH_ACTION_REFUSE, /* answer connection: refusal */
	WATCH_ACTION_TRACE,  /* a line for the log: trace, name, number */
};

/* What name and number are. */
enum watch_trace {
	WATCH_TRACE_REGISTERED,	 /* client, its deadline in ms */
	WATCH_TRACE_TAKEN_OVER,	 /* client, ms that were left */
	WATCH_TRACE_GOODBYE,	 /* client, ms that were left */
	WATCH_TRACE_GONE,	 /* client, ms until its deadline */
	WATCH_TRACE_EXPIRED,	 /* client, ms that it is late */
	WATCH_TRACE_LANDED_LATE, /* a pet landed after a deadline, ms after it was decided */
	WATCH_TRACE_STILL_ALIVE, /* ms after the last pet: the reset did not happen; another one */
	WATCH_TRACE_DEVICE_FAILED, /* device as number; its errno is in the event */
	WATCH_TRACE_STOP_REFUSED,  /* client that is in the way */
	WATCH_TRACE_TESTING,	   /* enum watch_test as number */
	WATCH_TRACE_SURVIVED,	   /* ms after the last pet: no device has reset the machine */
	WATCH_TRACE_STOOD_STILL,   /* ms */
	WATCH_TRACE_WOKE_LATE,	   /* ms, when longer than the pet interval */
	WATCH_TRACE_UNDONE,	   /* client whose registration was taken back */
	WATCH_TRACE_STOP_IN_TEST,  /* ms until a test must have ended in a reset: no stop */
};

struct watch_action {
	enum watch_action_kind kind;
	enum watch_trace trace;
	enum watch_expiry how;
	enum watch_refusal refusal;
	uint64_t connection;
	int64_t number;
	mono_t until; /* PET: the first deadline, CLOCK_BOOTTIME */
	char name[WATCH_NAME_BYTES];
};

struct watch_out {
	size_t count;
	struct watch_action actions[WATCH_CORE_ACTIONS_MAX];
};

struct watch_core {
	struct watch_core_config config;
	enum watch_state state;
	struct watch_core_client clients[WATCH_CORE_CLIENTS_MAX];
	struct watch_core_client replaced; /* by the last REGISTER, for UNDO */
	uint32_t interval_ms;		   /* between pets */

	/* Moments of effective time. */
	mono_t now;	/* of the last event; never goes back */
	mono_t pet_at;	/* PETTING */
	mono_t look_at; /* PETTING: the outside clock is looked at by then */
	mono_t petted;	/* when the last PET was decided */
	mono_t again_at; /* a reset was ordered, or the devices are tested: the machine is gone by then */
	int again_reset; /* at again_at: RESET, else only TRACE */

	int64_t stood_ns; /* all standstills */
	/* Standstills, oldest first. A stamp up to `until` (CLOCK_BOOTTIME) was given when they
	 * summed to before_ns. */
	struct {
		mono_t until;
		int64_t before_ns;
	} steps[WATCH_CORE_STEPS_MAX];
	size_t steps_count;

	mono_t wake; /* CLOCK_BOOTTIME */
	uint64_t pets;
	uint32_t latest_ms; /* the latest wake-up came so late */
};

struct watch_core_terms {
	uint32_t deadline_ms; /* 0: connection is not registered */
	uint32_t device_ms, bound_ms;
	enum watch_proof proof;
};

void watch_init(struct watch_core *core, const struct watch_core_config *config, mono_t now);

void watch_step(struct watch_core *core, const struct watch_event *event, struct watch_out *out);

/* The moment of the next TICK, CLOCK_BOOTTIME. */
mono_t watch_deadline(const struct watch_core *core);

/* ---- for answers and status ---- */

enum watch_proof watch_core_proof(const struct watch_core *core);

/* W */
uint32_t watch_core_device_ms(const struct watch_core *core);

/* What is promised to the client of a connection. */
struct watch_core_terms watch_core_terms(const struct watch_core *core, uint64_t connection);

/* How many clients are registered, those gone without goodbye included. */
size_t watch_core_clients_count(const struct watch_core *core);

/* Until the deadline of a client, at the time of the last event. */
uint32_t watch_core_left_ms(const struct watch_core *core, const struct watch_core_client *client);

#endif
