/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * command.h - what a subcommand of `holdfast` is, and what it is handed.
 *
 * A subcommand is a row in a table: main.c holds the first level (fence, ...), each area brings a
 * table of its own. main.c walks the tables, parses the options, prints the help, and calls
 * run(); a new area needs one row.
 * Ownership: everything in struct cli belongs to main.c and lives until run() has returned.
 */
#ifndef HOLDFAST_CLI_COMMAND_H
#define HOLDFAST_CLI_COMMAND_H

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/err.h"

/* What a subcommand ends with. The exit status is the same number, but for a subcommand whose
 * 2 means "off" (struct command.two_means_off): there CLI_EXIT_OFF gives 2 and CLI_EXIT_USAGE
 * gives 1, so that no mistyped name and no broken file ever reads as "off" (rule S1). */
enum {
	CLI_EXIT_OK = 0,	/* all done, all proven */
	CLI_EXIT_NOT = 1,	/* something was not, or its outcome is unknown */
	CLI_EXIT_USAGE = 2,	/* nothing was started: arguments or configuration are wrong */
	CLI_EXIT_OFF = 3,	/* the only target asked for is off */
	CLI_EXIT_COMMAND = 256, /* as cli->exit_status says: that of a command that was run */
};

struct command;

struct cli {
	const struct command *command;
	char name[64]; /* "holdfast fence off" */
	/* Options, by default where not given; `given` has the bits of those that were. */
	uint64_t given; /* enum cli_option_bit of options.h */
	const char *conf_path;
	int64_t timeout_ms;				 /* 0: as configured */
	unsigned parallel;				 /* 0: as configured */
	unsigned last;					 /* 0: all */
	const char *dir;				 /* --dir; NULL: as configured */
	const char *options_file, *lang, *walk, *format; /* NULL: not given */
	const char *key, *old_key, *type, *initiator;	 /* NULL: not given */
	unsigned nexus;					 /* 0: the default */
	const char *cluster, *force;			 /* --name, --force; NULL: not given */
	unsigned nodes, node, sector, locks;		 /* 0: not given */
	const char *arbiter, *epoch, *members;		 /* NULL: not given */
	const char *by;					 /* --by; NULL: not given */
	int json, no_colour, dry_run, all, for_real, yes, cancel, result;
	int64_t wait_ms;	  /* --wait */
	int exit_status;	  /* of CLI_EXIT_COMMAND */
	struct rlimit core_limit; /* as it was, for commands that are run */
	/* What is left of the command line. */
	char *const *args;
	size_t args_count;
};

struct command {
	const char *name;
	const char *args;    /* "TARGET..." for the usage line; "" for none */
	const char *summary; /* one line */
	const char *details; /* further lines of the help; NULL for none */
	uint64_t options;    /* enum cli_option_bit: those that mean something here */
	const char *exits;   /* what the exit status says, for the help; NULL: the usual */
	int two_means_off;   /* see above */
	int usage_exit;	     /* what CLI_EXIT_USAGE gives here; 0: 2 */
	int kind;	     /* for tables whose rows share a run(); its meaning is the table's */
	int (*run)(struct cli *cli);	   /* NULL where there are subcommands */
	const struct command *subcommands; /* ends with .name == NULL */
};

/* `holdfast fence`; fence.c. */
extern const struct command fence_commands[];

/* "NAME: text" on stderr. */
void cli_warn(const struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* An error with its next step on stderr. Returns the exit status for it: CLI_EXIT_USAGE for
 * RC_CONFIG, else CLI_EXIT_NOT. */
int cli_fail(const struct cli *cli, const struct err *err);

/* The same for a cluster file that could not be loaded: always CLI_EXIT_USAGE. */
int cli_fail_conf(const struct cli *cli, const struct err *err);

/* Wrong arguments: the text, and where help is. Returns CLI_EXIT_USAGE. */
int cli_usage(const struct cli *cli, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
