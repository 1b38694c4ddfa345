/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cmd_disk.h - `holdfast disk`: shared disks.
 *
 * Caller: main.c. The subcommands are in disk_init.c, disk_show.c, disk_words.c, disk_watch.c,
 * disk_test.c and disk_doctor.c.
 */
#ifndef HOLDFAST_CLI_CMD_DISK_H
#define HOLDFAST_CLI_CMD_DISK_H

#include "cli/command.h"

extern const struct command disk_commands[];

int disk_init_command(struct cli *cli);
int disk_show_command(struct cli *cli);
int disk_words_command(struct cli *cli);
int disk_watch_command(struct cli *cli);
int disk_test_command(struct cli *cli);
int disk_doctor_command(struct cli *cli);

#endif
