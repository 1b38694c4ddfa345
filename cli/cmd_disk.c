/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cmd_disk.c - `holdfast disk`: the table of its subcommands.
 */
#include "cli/cmd_disk.h"

#include "cli/options.h"

const struct command disk_commands[] = {
	{ .name = "init",
	  .args = "URL [URL [URL]]",
	  .summary = "prepare the disks of a cluster",
	  .details = "What is on a disk is overwritten only when --force names it.",
	  .options = OPTION_NAME | OPTION_NODES | OPTION_LOCKS | OPTION_ARBITER | OPTION_FORCE |
		     OPTION_SECTOR | OPTION_TIMEOUT | OPTIONS_OUTPUT,
	  .run = disk_init_command },
	{ .name = "show",
	  .args = "URL...",
	  .summary = "whose disk it is, and what the nodes have written last",
	  .options = OPTION_TIMEOUT | OPTIONS_OUTPUT,
	  .run = disk_show_command },
	{ .name = "watch",
	  .args = "URL...",
	  .summary = "heartbeats as they come, until interrupted",
	  .details = "With --timeout it ends by itself.",
	  .options = OPTION_TIMEOUT | OPTIONS_OUTPUT,
	  .run = disk_watch_command },
	{ .name = "test",
	  .args = "--rx|--tx URL",
	  .summary = "does what one node writes reach the other, and back?",
	  .details =
		  "Run it with --rx on one node and with --tx on the other. Each uses a slot that "
		  "no node\nowns: the last one (--rx) and the last but one (--tx), or that of "
		  "--node.",
	  .options = OPTION_RX | OPTION_TX | OPTION_NODE | OPTION_TIMEOUT | OPTIONS_OUTPUT,
	  .run = disk_test_command },
	{ .name = "doctor",
	  .args = "URL...",
	  .summary = "can a cluster rest on these disks? identity, speed, reservations, all nodes",
	  .details = "Nothing of a cluster that runs is disturbed. Writes are measured in a place "
		     "that "
		     "only this\nnode's doctor writes; --node tells which node this is, where "
		     "lockd and "
		     "slots do not.",
	  .options = OPTION_NODE | OPTION_TIMEOUT | OPTIONS_OUTPUT,
	  .exits = "0 fit (or doubtful), 1 something is unfit, 2 wrong use",
	  .run = disk_doctor_command },
	{ .name = "lastwords",
	  .args = "URL...",
	  .summary = "the latest events of each node: why did it die?",
	  .options = OPTION_NODE | OPTION_LAST | OPTION_TIMEOUT | OPTIONS_OUTPUT,
	  .run = disk_words_command },
	{ .name = NULL },
};
