/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence.c - the table of `holdfast fence`.
 */
#include "cli/fence.h"

#include "cli/options.h"

#define OPTIONS_OPERATE                                                                            \
	(OPTION_CONFIG | OPTION_TIMEOUT | OPTION_PARALLEL | OPTION_ALL | OPTION_DRY_RUN |          \
	 OPTIONS_OUTPUT)

#define TARGETS_HELP "TARGET is a node of the cluster file, or a host list: node[1-64],db7."

const struct command fence_commands[] = {
	{ .name = "agents",
	  .args = "",
	  .summary = "the fence agents installed here, and whether their metadata holds",
	  .options = OPTIONS_OUTPUT,
	  .run = fence_agents_run },
	{ .name = "list",
	  .args = "",
	  .summary = "devices and targets of the cluster file",
	  .options = OPTION_CONFIG | OPTIONS_OUTPUT,
	  .run = fence_list_run },
	{ .name = "status",
	  .args = "TARGET...",
	  .summary = "read the power state of targets",
	  .details = TARGETS_HELP,
	  .options = OPTIONS_OPERATE,
	  .two_means_off = 1,
	  .kind = FENCER_STATUS,
	  .run = fence_operate_run },
	{ .name = "on",
	  .args = "TARGET...",
	  .summary = "turn targets on and prove it",
	  .details = TARGETS_HELP,
	  .options = OPTIONS_OPERATE,
	  .kind = FENCER_ON,
	  .run = fence_operate_run },
	{ .name = "off",
	  .args = "TARGET...",
	  .summary = "cut the power of targets and prove it",
	  .details = TARGETS_HELP,
	  .options = OPTIONS_OPERATE,
	  .kind = FENCER_OFF,
	  .run = fence_operate_run },
	{ .name = "reboot",
	  .args = "TARGET...",
	  .summary = "cut the power of targets, prove it, and turn them on again",
	  .details = TARGETS_HELP,
	  .options = OPTIONS_OPERATE,
	  .kind = FENCER_REBOOT,
	  .run = fence_operate_run },
	{ .name = "test",
	  .args = "TARGET...",
	  .summary = "find out whether targets can be fenced; changes nothing without --for-real",
	  .details = TARGETS_HELP "\nEvery device of every level is asked: login, plug, privilege, "
				  "power state.",
	  .options = OPTIONS_OPERATE | OPTION_FOR_REAL | OPTION_YES,
	  .kind = FENCER_TEST,
	  .run = fence_operate_run },
	{ .name = "history",
	  .args = "[TARGET...]",
	  .summary = "what was fenced, when, by which device, with what proof",
	  .details =
		  "TARGET is a name or a host list; it need not be in the cluster file any more.",
	  .options = OPTION_CONFIG | OPTION_LAST | OPTIONS_OUTPUT,
	  .run = fence_history_run },
	{ .name = "ack",
	  .args = "[TARGET]",
	  .summary = "answer a waiting fence_meatware; without TARGET list who waits",
	  .details = "TARGET is the exact name of the machine. The answer is given at a terminal.",
	  .options = OPTION_CONFIG | OPTION_DIR | OPTION_CANCEL | OPTIONS_OUTPUT,
	  .run = fence_ack_run },
	{ .name = NULL },
};
