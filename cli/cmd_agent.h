/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cmd_agent.h - `holdfast agent`: the kit for those who write fence agents.
 *
 * Caller: main.c.
 */
#ifndef HOLDFAST_CLI_CMD_AGENT_H
#define HOLDFAST_CLI_CMD_AGENT_H

#include "cli/command.h"

extern const struct command agent_commands[];

#endif
