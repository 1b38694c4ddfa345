/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * paxos_world.h - several claimers and one to three disks in memory, in virtual time: the cores of Disk
 * Paxos with their real records, and oracles that know nothing of how they work.
 *
 * Callers: test_paxos_core (golden traces), test_paxos_sim. What becomes of each request is said by
 * the test (fate); when there is none, each takes 5 ms.
 *
 * Oracles: for one epoch no two values are ever told, to nobody, nor found in the records on the disks; a
 * claim is granted only with its own value; a look tells nothing older than what had been answered
 * when it began (as long as no disk lies); what a claimer was told to be undecided for good (`made`)
 * is never decided; every operation is answered once, by its deadline.
 * The first violation is kept in world->violation.
 */
#ifndef HOLDFAST_TESTS_PAXOS_WORLD_H
#define HOLDFAST_TESTS_PAXOS_WORLD_H

#include <stdint.h>

#include "diskhb/super_wire.h"
#include "lockd/paxos_core.h"
#include "tests/sim/mock_disk.h"

enum {
	CLAIMERS_MAX = 6,
	EPOCHS_MAX = 1024,
	UNMADE_MAX = 512,
	TRACE_BYTES = 1 << 18,
	NS_PER_MS_SIM = 1000000,
};

struct paxos_fate {
	int64_t lands_ms; /* after it was submitted; never: < 0 */
	int64_t ends_ms;  /* when its end is heard of; never: < 0 */
	int rc;
	struct mock_fault fault;
};

struct paxos_flight {
	int in_use, is_write, landed, told;
	uint64_t token;
	int64_t lands_at, ends_at, deadline; /* ns */
	int rc;
	struct mock_fault fault;
	size_t offset, bytes;
	uint8_t *data;
};

struct claimer {
	uint16_t node;
	int is_up;
	uint32_t incarnation, values;
	struct paxos_core core;
	struct paxos_flight flights[DISKS_MAX];
	int64_t slow_ns; /* its clock is off by so much */
	/* The operation under way. */
	int is_claim, is_look;
	struct paxos_value value;
	uint64_t epoch, answered_before;
	int64_t deadline;
	unsigned reads, writes;	  /* since it began */
	struct paxos_answer last; /* the newest answer */
	uint64_t answers;
	unsigned last_reads, last_writes; /* up to it */
};

struct paxos_world {
	int64_t now; /* ns */
	unsigned disks;
	struct disk_layout layout;
	struct mock_disk media[DISKS_MAX];
	struct paxos_config config;
	struct claimer claimers[CLAIMERS_MAX]; /* node i + 1 */
	unsigned claimers_count;
	void (*fate)(struct paxos_world *world, struct claimer *claimer, unsigned disk,
		     int is_write, struct paxos_fate *fate);
	int disks_lie; /* a read may show what is not so: looks prove nothing */
	/* What is decided, as told or found. */
	struct {
		int known;
		struct paxos_value value;
	} decided[EPOCHS_MAX];
	uint64_t highest_answered;
	/* Values that nobody will ever decide, as their claimers were told. */
	struct paxos_value unmade[UNMADE_MAX];
	unsigned unmade_count;
	int trace_requests;
	char trace[TRACE_BYTES];
	size_t trace_bytes;
	char violation[256];
};

void paxos_world_init(struct paxos_world *world, unsigned disks, unsigned claimers,
		      uint32_t sector_bytes, const struct paxos_config *config);
void paxos_world_free(struct paxos_world *world);

/* A new incarnation of node n begins; or ends at once: writes under way that have not landed land now
 * when `landing` says so, or never. */
void claimer_start(struct paxos_world *world, uint16_t n);
void claimer_crash(struct paxos_world *world, uint16_t n, int landing);

/* `text` NULL: a value that was never used. */
void claimer_claim(struct paxos_world *world, uint16_t n, uint64_t epoch, const char *text,
		   int64_t timeout_ms);
void claimer_look(struct paxos_world *world, uint16_t n, int64_t timeout_ms);
void claimer_prepare(struct paxos_world *world, uint16_t n, uint64_t epoch);
void claimer_cancel(struct paxos_world *world, uint16_t n);

/* Let everything happen up to `ms` milliseconds from the beginning. */
void paxos_world_run(struct paxos_world *world, int64_t until_ms);

/* Until nobody has an operation or a request under way, at most so long. 1: so it is. */
int paxos_world_settle(struct paxos_world *world, int64_t most_ms);

/* Compare what the records say. */
void paxos_world_inspect(struct paxos_world *world);

void paxos_world_say(struct paxos_world *world, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
