/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cmd_device.h - `holdfast device`: profiles of SNMP devices.
 *
 * Caller: main.c.
 */
#ifndef HOLDFAST_CLI_CMD_DEVICE_H
#define HOLDFAST_CLI_CMD_DEVICE_H

#include "cli/command.h"

extern const struct command device_commands[];

#endif
