/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watchdog.h - what the subcommands of `holdfast watchdog` share.
 *
 * Callers: cmd_watchdog.c and the watchdog_*.c files of this folder.
 * Ownership: a watch_link that was opened is closed by whoever opened it; views own nothing.
 */
#ifndef HOLDFAST_CLI_WATCHDOG_H
#define HOLDFAST_CLI_WATCHDOG_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mono.h"
#include "cli/command.h"
#include "cli/output.h"
#include "watchdog/client/watch_link_io.h"
#include "watchdog/client/watch_sysfs_io.h"
#include "watchdog/client/watch_wire.h"

/* Exit statuses beside those of command.h. */
enum {
	WATCHDOG_EXIT_NOT_RUNNING = 4,
	WATCHDOG_EXIT_NO_PROOF = 5,   /* it pets, but no device works */
	WATCHDOG_EXIT_NOT_PETTED = 6, /* expired, testing, stopped: it pets no longer */
};

enum {
	WATCHDOG_ANSWER_MS = 5000,
	/* More than watchdogd has; what is beyond is not shown. */
	WATCHDOG_DEVICES_MAX = 32,
	WATCHDOG_CLIENTS_MAX = 256,
};

/* ---- cmd_watchdog.c ---- */

/* All that watchdogd tells. */
struct watchdog_view {
	struct watch_status status;
	size_t devices_count, clients_count;
	struct watch_device devices[WATCHDOG_DEVICES_MAX];
	struct watch_client clients[WATCHDOG_CLIENTS_MAX];
};

/* Ask over an open connection. 0 or a negative errno, link->why tells. */
int watchdog_view_ask(struct watch_link *link, struct watchdog_view *view, int64_t until_ns);

/* Connect and ask. The link is open on success. */
int watchdog_view_get(struct watch_link *link, struct watchdog_view *view);

/* The exit status for an error of a link. */
int watchdog_exit_of(int error);

/* Hold what a terminal, a closed pipe or `kill` sends, until *before is set again. */
void watchdog_signals_hold(sigset_t *before);

/* "10 s", "2.5 s" */
void watchdog_seconds(uint32_t ms, char *out, size_t size);

enum output_style watchdog_proof_style(unsigned proof);

/* /sys, or what HOLDFAST_SYSFS names. */
const char *watchdog_sysfs_root(void);

/* ---- watchdog_facts.c ---- */

/* The holder of a device whose watchdogd died while clients relied on it. */
#define WATCHDOG_KEEPER "watchdogd-keep "

/* Who holds a device open: "watchdogd (process 712)"; "" when nobody does, or when it cannot be
 * told; *told says which. pid may be NULL. */
void watchdog_holder(const struct watch_sysfs *facts, char *out, size_t size, int *told,
		     int64_t *pid);

/* "reset by this watchdog", "power fault": the WDIOF_* bits of a boot status; "" for none. */
void watchdog_boot_words(int64_t boot_status, char *out, size_t size);

/* Did the device say that it has reset the machine before this boot? */
int watchdog_boot_was_reset(int64_t boot_status);

/* ---- watchdog_record.c ---- */

#define WATCHDOG_RECORD_DIR "/var/lib/holdfast"
#define WATCHDOG_RECORD_NAME "watchdog-test.json"

/* What came of a test of --for-real. */
enum watchdog_outcome {
	WATCHDOG_OUTCOME_PENDING, /* the bound has not passed yet */
	WATCHDOG_OUTCOME_RESET,	  /* proven: reset within the bound, by what was tried */
	WATCHDOG_OUTCOME_FAILED,  /* it lived on beyond the bound */
	WATCHDOG_OUTCOME_UNCLEAR, /* it went down, but when, or by whom, is not clear */
};

const char *watchdog_outcome_word(enum watchdog_outcome outcome);

/* A test as it is written down before it begins. The JSON object is the file's. */
struct watchdog_record {
	char path[4096];
	json_t *object; /* NULL: there is none */
};

/* Read the record; dir NULL for the usual place. 0 also when there is none; RC_INTERNAL when it
 * cannot be read or is none of ours. */
int watchdog_record_load(struct watchdog_record *record, const char *dir, struct err *err);

/* Write it: the file and its folder are on the disk when this returns 0. */
int watchdog_record_store(const struct watchdog_record *record, struct err *err);

void watchdog_record_free(struct watchdog_record *record);

/* A name lasts only when its folder is on the disk. 0, or -1 with errno. */
int watchdog_folder_sync(const char *path);

/* This boot, and this moment. */
struct watchdog_now {
	char boot_id[64];
	int64_t boot_ns;     /* CLOCK_BOOTTIME */
	int64_t time_s;	     /* since 1970 */
	int64_t booted_at_s; /* time_s when boot_ns was 0 */
};

int watchdog_now_read(struct watchdog_now *now, struct err *err);

/* A record for a test that is about to begin; what an earlier one had proven is kept in it. 0, or
 * -1 without memory. */
int watchdog_record_begin(struct watchdog_record *record, const struct watchdog_view *view,
			  enum watch_test by, const struct watchdog_now *now);

/* What is known of it now. The reason is a sentence. */
enum watchdog_outcome watchdog_record_judge(const struct watchdog_record *record,
					    const struct watchdog_now *now, char *reason,
					    size_t size);

/* Put an outcome that is final into the record, so that it can still be told after the next boot. */
int watchdog_record_settle(struct watchdog_record *record, enum watchdog_outcome outcome,
			   const char *reason, const struct watchdog_now *now);

/* The last test that was proven, or NULL: members asked_at_s, by, device_ms, ... Borrowed. */
const json_t *watchdog_record_proven(const struct watchdog_record *record);

/* ---- watchdog_alive.c ---- */

#define WATCHDOG_ALIVE_SUFFIX ".alive"

/* The last sign of life of a test. */
struct watchdog_alive {
	int64_t ms;  /* since the order */
	int stopped; /* the writer was told to end: a shutdown in order */
};

/* Make the file, with a first sign of 0 ms on the disk. A descriptor for watchdog_alive_go(), or -1. */
int watchdog_alive_begin(const struct watchdog_record *record, struct err *err);

/* Start the process that writes a sign each second, counted from the order. -1 when it cannot. */
pid_t watchdog_alive_go(int fd, const struct watchdog_record *record, mono_t from);

/* The last sign of the record's test; -1 when there is none. */
int watchdog_alive_read(const struct watchdog_record *record, struct watchdog_alive *alive);

void watchdog_alive_remove(const struct watchdog_record *record);

/* ---- subcommands; each returns the exit status ---- */

int watchdog_query_run(struct cli *cli);  /* watchdog_query.c */
int watchdog_status_run(struct cli *cli); /* watchdog_status.c */
int watchdog_test_run(struct cli *cli);	  /* watchdog_test.c */
int watchdog_real_run(struct cli *cli);	  /* watchdog_real.c: test --for-real */
int watchdog_result_run(struct cli *cli); /* watchdog_real.c: test --result */

#endif
