/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cmd_watchdog.h - `holdfast watchdog`: watchdog devices, and the daemon that pets them.
 *
 * Caller: main.c.
 */
#ifndef HOLDFAST_CLI_CMD_WATCHDOG_H
#define HOLDFAST_CLI_CMD_WATCHDOG_H

#include "cli/command.h"

extern const struct command watchdog_commands[];

#endif
