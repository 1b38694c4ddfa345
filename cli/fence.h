/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence.h - what the subcommands of `holdfast fence` share.
 *
 * Callers: the fence*.c files of this folder.
 * Ownership: a struct fence_run is opened by fence_run_open() and closed by fence_run_close();
 * the views below own nothing.
 */
#ifndef HOLDFAST_CLI_FENCE_H
#define HOLDFAST_CLI_FENCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/hostlist.h"
#include "cli/command.h"
#include "cli/output.h"
#include "fence-agents/fencer/fencer.h"

/* One operation on the targets of the command line. */
struct fence_run {
	const struct cli *cli;
	struct fence_conf *conf;
	size_t *targets; /* indices into conf->targets, each once, in the order asked for */
	size_t targets_count;
	struct output out;
};

/* ---- fence_targets.c ---- */

/* Load the cluster file and find the targets. 0, or the exit status after a message. */
int fence_run_open(struct fence_run *run, const struct cli *cli);
void fence_run_close(struct fence_run *run);

/* Expand the arguments of the command line as host lists. 0, or the exit status after a message.
 * The list lives in *memory, which is the caller's to free in any case. */
int fence_names_expand(const struct cli *cli, struct hostlist *names, void **memory);

/* ---- subcommands; each returns the exit status ---- */

int fence_agents_run(struct cli *cli);	/* fence_agents.c */
int fence_list_run(struct cli *cli);	/* fence_list.c */
int fence_history_run(struct cli *cli); /* fence_past.c */
int fence_ack_run(struct cli *cli);	/* fence_ack.c */
int fence_operate_run(struct cli *cli); /* fence_operate.c: status, on, off, reboot, test */

/* What would run, and nothing does; fence_plan.c. */
int fence_plan_show(struct fence_run *run, enum fencer_op op);

/* Results of status, on, off, reboot; fence_result.c. Returns the exit status. */
int fence_result_show(struct fence_run *run, const struct fencer_report *report);

/* Results of a test with verdict and past successes; fence_verdict.c. Returns the exit status. */
int fence_verdict_show(struct fence_run *run, const struct fencer_report *report);

/* ---- views; fence_view.c ---- */

enum { FENCE_LABEL_MAX = 600, FENCE_REASON_MAX = 1024 };

/* "bmc1" or "pdu-a:3,4". */
void fence_leg_label(const struct fence_conf *conf, const struct fence_leg *leg, char *out,
		     size_t size);

/* "level 2 pdu-a:3 + pdu-b:3": the devices that decided; "" when none did. */
void fence_level_label(const struct fence_conf *conf, const struct fencer_target_report *report,
		       char *out, size_t size);

/* "cause: message; next", as far as they are known. */
void fence_reason(int rc, const char *message, const char *next, char *out, size_t size);

/* The message of a leg beside which its device stands anyway: without the device's name in front,
 * and without the word "probe", which is what a test does. */
const char *fence_leg_message(const struct fence_device *device,
			      const struct fencer_leg_report *report);

/* "0.21 s" */
void fence_elapsed(int64_t elapsed_ms, char *out, size_t size);

/* "2026-05-02", "2026-05-02 10:11:12" in local time; "2026-05-02T10:11:12Z". */
void fence_date(int64_t time_s, char *out, size_t size);
void fence_date_time(int64_t time_s, char *out, size_t size);
void fence_date_iso(int64_t time_s, char *out, size_t size);

/* Is the operation proven for the target? Proof is looked at once more, apart from the result
 * code: success without proof is none (rule S1). */
int fence_is_proven(enum fencer_op op, const struct fencer_target_report *report);

/* Members that every report object has. */
json_t *fence_target_object(struct output *out, const struct fence_conf *conf, enum fencer_op op,
			    const struct fencer_target_report *report);
json_t *fence_leg_object(struct output *out, const struct fence_conf *conf,
			 const struct fence_leg *leg, const struct fencer_leg_report *report);

/* Options of a device with secrets as "(set)": as text "ip=10.0.0.7 password=(set)" (the caller
 * frees it; NULL without memory) and as an object. */
char *fence_options_text(const struct fence_device *device);
json_t *fence_options_object(struct output *out, const struct fence_device *device);

/* The address of a device, "" where its options do not tell. */
const char *fence_device_address(const struct fence_device *device);

#endif
