/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_options.h - the command line of lockd, its defaults, and whether its numbers hold together.
 *
 * Callers: lockd.c, tests. Parsing and algebra are pure: no clock, no I/O, no allocation. What is
 * refused names the inequality that fails.
 */
#ifndef HOLDFAST_LOCKD_OPTIONS_H
#define HOLDFAST_LOCKD_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "diskhb/hb_core.h"

#define LOCKD_SOCKET_PATH "/run/holdfast/lockd.sock"
#define LOCKD_RUN_DIR "/run/holdfast"
#define LOCKD_STATE_DIR "/var/lib/holdfast"

enum {
	LOCKD_INTERVAL_MS = 250,
	LOCKD_IO_TIMEOUT_MS = 2000,
	LOCKD_MEMBER_TIMEOUT_MS = 5000,
	LOCKD_LEASE_MS = 10000,
	LOCKD_DRAIN_MS = 2000,
	LOCKD_DRIFT_PPM = 1000,
	LOCKD_PRIORITY = 50, /* below watchdogd's */
};

/* What the end of the lease does to the machine. */
enum lockd_expiry {
	LOCKD_EXPIRY_LOCKS, /* resets it only when something rested on the lease (S8) */
	LOCKD_EXPIRY_NODE,  /* resets it */
};

struct lockd_options {
	const char *disks[HB_DISKS_MAX];
	unsigned disks_count;
	uint16_t node;	  /* 0: not given */
	const char *name; /* NULL: the host's */
	const char *socket;
	const char *state_dir;
	const char *run_dir;
	uint32_t interval_ms, io_timeout_ms, member_timeout_ms, lease_ms, drain_ms, drift_ppm;
	enum lockd_expiry expiry;
	int watchdog; /* 0: --watchdog off */
	uint8_t nexus;
	int priority; /* SCHED_RR; 0: none */
	int help, version;
};

/* Parse argv[1..]. 0, or RC_CONFIG. Strings point into argv. */
int lockd_options_parse(struct lockd_options *options, int argc, char *const *argv,
			struct err *err);

/* Do the numbers hold together? claim_window_ms is of the superblock, 0 as long as it is not known.
 * 0, or RC_CONFIG with the inequality. */
int lockd_options_check(const struct lockd_options *options, uint32_t claim_window_ms,
			struct err *err);

void lockd_options_help(FILE *file);

#endif
