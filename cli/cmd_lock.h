/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cmd_lock.h - `holdfast lock`: the cluster lock and the named locks, through lockd.
 *
 * Caller: main.c. The subcommands are in lock_status.c, lock_claim.c (claim, record), lock_run.c and
 * lock_list.c (list, show, break).
 */
#ifndef HOLDFAST_CLI_CMD_LOCK_H
#define HOLDFAST_CLI_CMD_LOCK_H

#include "cli/command.h"

/* Kinds of rows that share lock_list_command(). */
enum lock_view { LOCK_LIST, LOCK_SHOW };

extern const struct command lock_commands[];

int lock_status_command(struct cli *cli);
int lock_claim_command(struct cli *cli);
int lock_record_command(struct cli *cli);
int lock_run_command(struct cli *cli);
int lock_list_command(struct cli *cli);
int lock_break_command(struct cli *cli);

/* 0, or CLI_EXIT_USAGE after a message: it is no lock's name. */
int lock_name_check(const struct cli *cli, const char *name);

/* Who asks: the user, and behind sudo the one who used it. */
void lock_user(char *text, size_t size);

#endif
