/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doctor.h - what the parts of `holdfast disk doctor` share: findings, the disks under examination.
 *
 * Callers: disk_doctor.c, which leads through the examination, and doctor_*.c, each a part of it.
 * A finding has a level; the worst of a disk's is its verdict, the worst of all that of the whole.
 *
 * The doctor disturbs nobody: it reads what heartbeats read, sends commands that change nothing, and
 * writes only into its own node's place of the doctor's area (diskhb/doctor_wire.h); where it does
 * not know which node this machine is, it writes nothing.
 */
#ifndef HOLDFAST_CLI_DOCTOR_H
#define HOLDFAST_CLI_DOCTOR_H

#include <jansson.h>

#include "cli/command.h"
#include "cli/disk_session.h"
#include "cli/output.h"
#include "host/disk/disk_identity.h"

enum {
	DOCTOR_DISKS_MAX = 12, /* three disks by four paths each */
	DOCTOR_ROUNDS = 200,   /* so that p99 is not the longest of all */
	DOCTOR_PAUSE_MS = 5,   /* between two rounds: the disk is not ours alone */
};

enum doctor_level {
	DOCTOR_GOOD,
	DOCTOR_NOTE,  /* to be known, no fault */
	DOCTOR_DOUBT, /* works, but not as it should */
	DOCTOR_UNFIT, /* not to be used so */
	DOCTOR_LEVELS,
};

/* How long requests of one kind took. */
struct doctor_series {
	unsigned count;
	int64_t took_ns[DOCTOR_ROUNDS]; /* sorted by doctor_series_close() */
};

/* The timeouts that latencies are compared with. */
struct doctor_times {
	const char *source; /* "lockd of this node", ... */
	int64_t interval_ms, io_timeout_ms, lease_ms, member_timeout_ms;
};

struct doctor_disk {
	const char *url;
	struct disk_session session; /* of this path alone */
	int is_begun;		     /* session has to be closed */
	struct session_disk *disk;   /* NULL: could not be opened */
	int has_area;		     /* disk->area is good */
	int is_other_path;	     /* an earlier one leads to the same unit */
	enum doctor_level level;
	struct doctor_series reads, writes;
};

struct doctor {
	const struct cli *cli;
	struct cli one; /* with one URL, for the session of a disk */
	struct output out;
	mono_t until;
	size_t count;
	struct doctor_disk disks[DOCTOR_DISKS_MAX];
	struct doctor_disk *at_hand; /* whose findings are told; NULL: of all disks together */
	enum doctor_level level;
	uint16_t node; /* of this machine; 0: not known */
	struct doctor_times times;
	/* lockd of this node */
	int has_lockd;	      /* it answers */
	struct err lockd_err; /* why it does not */
	char lockd_cluster[20];
	uint32_t nonce;	    /* of this run */
	int is_terminal;    /* progress is shown on stderr */
	int shows_progress; /* something stands on the line */
};

/* ---- disk_doctor.c ---- */

/* Tell a finding about the disk at hand. `members` (taken, may be NULL) go into its JSON object. */
void doctor_find(struct doctor *doctor, const char *check, enum doctor_level level, json_t *members,
		 const char *next, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* The same out of an error: its text and next step. */
void doctor_find_err(struct doctor *doctor, const char *check, enum doctor_level level,
		     const struct err *err);

/* What is being done, on a terminal. */
void doctor_progress(struct doctor *doctor, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

const char *doctor_name(const struct doctor_disk *disk); /* without a password */

/* Milliseconds that one request may take now: never more than what is left of the whole. */
int64_t doctor_request_ms(const struct doctor *doctor);

/* ---- doctor_device.c: what the disk at hand is, as a device ---- */

void doctor_device(struct doctor *doctor);

/* ---- doctor_latency.c: how fast it is, and whether that is fast enough ---- */

void doctor_series_close(struct doctor_series *series);

/* p of 100, by nearest rank; the series is closed and not empty. */
int64_t doctor_series_ns(const struct doctor_series *series, unsigned percent);

/* Read as heartbeats do, and write where nobody else does; tell both, and compare. */
void doctor_latency(struct doctor *doctor, mono_t until);

/* ---- doctor_node.c: who this machine is, and what the other nodes' doctors left ---- */

/* Set doctor->node from --node or from the slots, and check it. `from_lockd`: what lockd says, or 0. */
int doctor_node_find(struct doctor *doctor, uint16_t from_lockd, struct err *err);

/* Set doctor->times out of what the nodes publish on the disks, else by default. */
void doctor_times_find(struct doctor *doctor);

/* Records of other nodes' doctors on the disk at hand. */
void doctor_others(struct doctor *doctor);

/* ---- doctor_pr.c: reservations and the arbiter that the superblock names ---- */

void doctor_pr(struct doctor *doctor);

/* ---- doctor_lockd.c: the daemon of this node, and through it all others ---- */

/* Ask lockd of this machine; what it is and which timeouts it has. Returns its node, or 0. */
uint16_t doctor_lockd_ask(struct doctor *doctor);

/* A nonce through the disks to every node that is alive, and back. */
void doctor_lockd_probe(struct doctor *doctor);

#endif
