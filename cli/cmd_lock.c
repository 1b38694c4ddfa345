/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cmd_lock.c - `holdfast lock`: the table of its subcommands.
 */
#include "cli/cmd_lock.h"

#include "cli/lock_run.h"
#include "cli/options.h"

const struct command lock_commands[] = {
	{ .name = "status",
	  .args = "",
	  .summary = "what this node's lockd says: lease, watchdog, disks, other nodes",
	  .options = OPTIONS_OUTPUT | OPTION_TIMEOUT,
	  .exits = "0 this node is active on its disks, 1 it is not, or lockd does not answer, 2 "
		   "wrong "
		   "use",
	  .run = lock_status_command },
	{ .name = "claim",
	  .args = "[VALUE]",
	  .summary = "claim the cluster lock: may this node and its members go on?",
	  .details =
		  "For each epoch one claim is granted, ever, to one node; the same claim may be "
		  "repeated.\nVALUE is stored with it, up to 200 bytes.",
	  .options = OPTION_EPOCH | OPTION_MEMBERS | OPTION_TIMEOUT | OPTIONS_OUTPUT,
	  .exits = "0 granted, 1 lost or unknown, 2 wrong use",
	  .run = lock_claim_command },
	{ .name = "record",
	  .args = "",
	  .summary = "what the cluster lock has decided last, read from the disks",
	  .options = OPTION_TIMEOUT | OPTIONS_OUTPUT,
	  .exits = "0 read, 1 not, or not known, 2 wrong use",
	  .run = lock_record_command },
	{ .name = "run",
	  .args = "NAME -- COMMAND [ARGUMENT]...",
	  .summary = "run a command while this node holds a lock that no other node holds",
	  .details =
		  "The lock is held until no process of COMMAND is left; what it leaves behind "
		  "when it ends\nis ended too. When the lease of this node is being lost, COMMAND "
		  "gets SIGTERM, then\nSIGKILL, before others may have the lock. COMMAND finds "
		  "HOLDFAST_LOCK_NAME,\nHOLDFAST_LOCK_NODE and HOLDFAST_LOCK_TERM in its "
		  "environment; the term grows with each\nholder and serves as a fencing token.",
	  .options = OPTION_WAIT,
	  .exits =
		  "that of COMMAND, 128 and the number of the signal that ended it, or\n"
		  "120 the lock was not got, 121 it was lost and COMMAND ended, 122 lockd does not "
		  "run,\nor was gone and COMMAND ended, 125 wrong use or a fault of this program, "
		  "126 COMMAND\ncannot be run, 127 it is not there",
	  .usage_exit = LOCK_EXIT_FAILED,
	  .run = lock_run_command },
	{ .name = "list",
	  .args = "[NAME]...",
	  .summary = "the named locks: who holds them, since when, and what becomes of the holder",
	  .options = OPTIONS_OUTPUT,
	  .exits = "0 listed, 1 not, or not all of the NAMEs are there, 2 wrong use",
	  .run = lock_list_command },
	{ .name = "show",
	  .args = "NAME...",
	  .summary = "all that is known of a named lock",
	  .options = OPTIONS_OUTPUT,
	  .exits = "0 shown, 1 not, or not all of the NAMEs are there, 2 wrong use",
	  .kind = LOCK_SHOW,
	  .run = lock_list_command },
	{ .name = "break",
	  .args = "NAME",
	  .summary = "free a lock whose holder is over",
	  .details =
		  "Refused while its holder lives, or is yet to be proven over. Where nothing can "
		  "prove it\n(a holder without a watchdog), it asks for the name to be typed, for "
		  "which you vouch.",
	  .options = OPTIONS_OUTPUT,
	  .exits = "0 it is free, 1 it is not, or that is not known, 2 wrong use",
	  .run = lock_break_command },
	{ .name = NULL },
};
