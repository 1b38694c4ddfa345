/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hb_world.h - machines that run the heartbeat's core on shared mock disks, in one process, in
 * simulated time.
 *
 * Callers: test_hb_core (scenarios) and test_hb_sim (seeds). A machine has a clock of its own rate and
 * origin, a worker for each disk, and a watchdog of which the core knows nothing: it resets the
 * machine W + g after the lease that the core last told, as late as it may. What was on its way to a
 * disk then lands within D, whole or in part.
 *
 * Oracles, which know the truth and look at nothing that the core believes:
 *	dead	a node is told to be dead by lease only when the machine that had a lease by that
 *		incarnation is reset (or its process was ended) and nothing of it can land any
 *		more; no lease begins by an incarnation that somebody has held for dead
 *	owners	at no moment two machines hold a lease by one node id
 *	pill	delivered only if a majority of the disks hold it; expired only if its reader has
 *		acted on it, or is reset, or has ended
 *	io	a machine never has two requests on one disk
 * A violation is written to world->violation.
 */
#ifndef HOLDFAST_TESTS_HB_WORLD_H
#define HOLDFAST_TESTS_HB_WORLD_H

#include "diskhb/hb_facts.h"
#include "tests/sim/mock_disk.h"

enum {
	MACHINES_MAX = 64,
	GHOSTS_MAX = 64,
	TOLD_MAX = 4096,
	TRACE_BYTES = 1 << 18,
	NS_PER_MS = 1000000
};

struct world;
struct machine;

/* What becomes of one request. */
struct fate {
	int64_t latency_ns; /* until it takes effect and is answered */
	int rc;		    /* what the disk then says */
	struct mock_fault fault;
};

enum machine_state {
	MACHINE_OFF, /* reset, or never started */
	MACHINE_RUNNING,
	MACHINE_KILLED, /* the process was ended; the machine runs on, to be reset by its watchdog */
};

struct flight {
	int in_use;
	int is_write, with_claims;
	uint64_t token;
	int64_t submitted_ns, lands_ns, deadline_ns; /* true time */
	int landed, timed_out;
	int64_t landed_ns;
	struct fate fate;
	size_t offset, bytes;
	uint8_t *data;
	uint32_t incarnation;
};

struct machine {
	uint16_t node;
	enum machine_state state;
	struct hb_core core;
	struct hb_config config;
	struct words words;
	uint8_t machine_id;
	uint32_t boots;
	int32_t clock_ppm;
	int64_t clock_origin_ns;
	int64_t paused_until_ns;
	int64_t reset_at_ns;	     /* by its watchdog; INT64_MAX: no lease was ever told */
	int64_t ended_at_ns;	     /* true time of its last reset */
	mono_t lease_until;	     /* as last told, on its clock */
	uint32_t stored_incarnation; /* on its own disk, as lockd keeps it */
	uint32_t joined; /* incarnation whose heartbeats it has written; 0: none that holds */
	int acted;	 /* on a pill */
	struct hb_pill posted[HB_NODES_MAX]; /* as last written to a disk, or posted */
	int left;			     /* said goodbye; its watchdog is let go */
	struct flight flights[HB_DISKS_MAX];
	uint64_t reads, writes;
};

struct world {
	int64_t now_ns;
	unsigned disks, nodes_max;
	struct mock_disk media[HB_DISKS_MAX];
	struct hb_area areas[HB_DISKS_MAX];
	struct machine machines[MACHINES_MAX];
	size_t machines_count;
	struct hb_config config; /* what all machines have in common */
	uint32_t drain_ms;	 /* what really drains */
	uint32_t nonces;
	struct ghost {
		uint16_t node;
		unsigned disk;
		int had_lease;
		struct flight flight;
	} ghosts[GHOSTS_MAX]; /* writes whose process is no more */
	struct {
		uint32_t nonce, incarnation;
	} told_dead[TOLD_MAX];
	size_t told_dead_count;
	int misdirects; /* the disks may lose what was written */
	struct fate (*fate)(struct world *world, struct machine *machine, unsigned disk,
			    int is_write);
	void (*noted)(struct world *world, struct machine *machine, const struct hb_note *note);
	void *context;
	int io_in_trace;
	char trace[TRACE_BYTES];
	size_t trace_bytes;
	char violation[512]; /* the first one; empty: none */
};

void world_init(struct world *world, unsigned disks, unsigned nodes_max, uint32_t sector_bytes,
		const struct hb_config *config);
void world_free(struct world *world);

/* A machine that is configured as `node`; off. */
struct machine *machine_add(struct world *world, uint16_t node);

/* Boot it and run the process. */
void machine_start(struct world *world, struct machine *machine);
/* Run the process anew on the same boot, after machine_kill(). */
void machine_restart(struct world *world, struct machine *machine);
void machine_kill(struct world *world, struct machine *machine);
void machine_reset(struct world *world, struct machine *machine);
void machine_pause(struct world *world, struct machine *machine, int64_t ms);

/* Give the core an event that is not of a disk. */
void machine_event(struct world *world, struct machine *machine, struct hb_event *event);

/* Has it a valid lease at this moment, on its own clock? */
int machine_is_owner(const struct world *world, const struct machine *machine);

void world_run(struct world *world, int64_t until_ms);

void world_trace(struct world *world, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
