/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * options.h - the options of all subcommands: one table for parsing, help and completion.
 *
 * Callers: main.c. An option may stand before or behind the subcommand's name; whether it means
 * anything there is known once the subcommand is.
 */
#ifndef HOLDFAST_CLI_OPTIONS_H
#define HOLDFAST_CLI_OPTIONS_H

#include <stdint.h>
#include <stdio.h>

#include "cli/command.h"

enum cli_option_bit {
	OPTION_CONFIG = 1 << 0,
	OPTION_TIMEOUT = 1 << 1,
	OPTION_PARALLEL = 1 << 2,
	OPTION_DRY_RUN = 1 << 3,
	OPTION_ALL = 1 << 4,
	OPTION_FOR_REAL = 1 << 5,
	OPTION_YES = 1 << 6,
	OPTION_LAST = 1 << 7,
	OPTION_JSON = 1 << 8,
	OPTION_NO_COLOR = 1 << 9,
	OPTION_HELP = 1 << 10,
	OPTION_VERSION = 1 << 11,
	OPTION_CANCEL = 1 << 12,
	OPTION_DIR = 1 << 13,
	OPTION_OPTIONS_FILE = 1 << 14,
	OPTION_LANG = 1 << 15,
	OPTION_WALK = 1 << 16,
	OPTION_FORMAT = 1 << 17,
	OPTION_BY = 1 << 18,
	OPTION_RESULT = 1 << 19,
	OPTION_KEY = 1 << 20,
	OPTION_OLD_KEY = 1 << 21,
	OPTION_TYPE = 1 << 22,
	OPTION_INITIATOR = 1 << 23,
	OPTION_NEXUS = 1 << 24,
	OPTION_ABORT = 1 << 25,
	OPTION_APTPL = 1 << 26,
	OPTION_REGISTER = 1 << 27,
	OPTION_IGNORE_EXISTING = 1 << 28,
	OPTION_ALL_PORTS = 1 << 29,
	OPTION_NAME = 1 << 30,
	/* More than an int holds: the masks are of 64 bits. */
	OPTION_NODES = INT64_C(1) << 31,
	OPTION_FORCE = INT64_C(1) << 32,
	OPTION_NODE = INT64_C(1) << 33,
	OPTION_SECTOR = INT64_C(1) << 34,
	OPTION_RX = INT64_C(1) << 35,
	OPTION_TX = INT64_C(1) << 36,
	OPTION_ARBITER = INT64_C(1) << 37,
	OPTION_LOCKS = INT64_C(1) << 38,
	OPTION_EPOCH = INT64_C(1) << 39,
	OPTION_MEMBERS = INT64_C(1) << 40,
	OPTION_WAIT = INT64_C(1) << 41,
};

/* What every subcommand that writes has, and what every subcommand has. */
#define OPTIONS_OUTPUT (OPTION_JSON | OPTION_NO_COLOR)
#define OPTIONS_ALWAYS (OPTION_HELP | OPTION_VERSION)

/* Parse options from argv[1] on into cli. With to_first_word they end at the first argument that
 * is none. Returns the index of the first argument left, arguments having been moved to the end;
 * -1 after a message when something is wrong. */
int options_parse(struct cli *cli, int argc, char **argv, int to_first_word);

/* Complain of options that were given but mean nothing to cli->command. 0 or CLI_EXIT_USAGE. */
int options_check(const struct cli *cli);

/* The options of the mask, for --help. */
void options_help(FILE *file, uint64_t mask);

#endif
