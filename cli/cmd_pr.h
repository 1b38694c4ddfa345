/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cmd_pr.h - the subcommands of `holdfast pr`.
 *
 * Callers: main.c.
 */
#ifndef HOLDFAST_CLI_CMD_PR_H
#define HOLDFAST_CLI_CMD_PR_H

#include "cli/command.h"

extern const struct command pr_commands[];

#endif
