/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * main.c - the program `holdfast`: one table of subcommands, help, and the care around them.
 *
 * The cluster file holds passwords, so nothing of this process may end in a core dump or be
 * read by a debugger of another user. Results count only once they are written: a stdout that
 * is closed or full makes the exit status 1, whatever was done.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/nearest.h"
#include "cli/cmd_agent.h"
#include "cli/cmd_device.h"
#include "cli/cmd_disk.h"
#include "cli/cmd_lock.h"
#include "cli/cmd_pr.h"
#include "cli/cmd_watchdog.h"
#include "cli/command.h"
#include "cli/options.h"

#define CONF_PATH_DEFAULT "/etc/holdfast/holdfast.conf"

enum { COMMANDS_MAX = 32 }; /* in one table */

static const struct command root_commands[] = {
	{ .name = "fence",
	  .args = "SUBCOMMAND",
	  .summary = "cut power, and prove it: fence devices and the nodes they control",
	  .subcommands = fence_commands },
	{ .name = "agent",
	  .args = "SUBCOMMAND",
	  .summary = "write a fence agent, and prove that it keeps to its interface",
	  .subcommands = agent_commands },
	{ .name = "device",
	  .args = "SUBCOMMAND",
	  .summary = "profiles of SNMP devices: which there are, and whether one holds",
	  .subcommands = device_commands },
	{ .name = "disk",
	  .args = "SUBCOMMAND",
	  .summary = "shared disks: prepare them, see who is alive on them, and why a node died",
	  .subcommands = disk_commands },
	{ .name = "lock",
	  .args = "SUBCOMMAND",
	  .summary = "the cluster lock, and named locks under which commands run",
	  .subcommands = lock_commands },
	{ .name = "pr",
	  .args = "SUBCOMMAND",
	  .summary = "SCSI-3 persistent reservations of a shared disk: look, take, throw off",
	  .subcommands = pr_commands },
	{ .name = "watchdog",
	  .args = "SUBCOMMAND",
	  .summary = "the watchdog devices of this machine, watchdogd, and whether they reset it",
	  .subcommands = watchdog_commands },
	{ .name = NULL },
};

static const struct command root = {
	.name = "holdfast",
	.args = "SUBCOMMAND",
	.summary = "hardware fencing and shared-storage arbitration",
	.subcommands = root_commands,
};

void cli_warn(const struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", cli->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int cli_fail(const struct cli *cli, const struct err *err)
{
	cli_warn(cli, "%s%s%s", err->text, err->next[0] ? "; " : "", err->next);
	return err->rc == RC_CONFIG ? CLI_EXIT_USAGE : CLI_EXIT_NOT;
}

int cli_fail_conf(const struct cli *cli, const struct err *err)
{
	cli_fail(cli, err);
	return CLI_EXIT_USAGE;
}

int cli_usage(const struct cli *cli, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", cli->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry \"%s --help\".\n", cli->name);
	return CLI_EXIT_USAGE;
}

/* ---- help ---- */

/* Each area has a manual of its own: "holdfast fence off" is in holdfast-fence. */
static void manual_print(const struct cli *cli)
{
	const char *area = strchr(cli->name, ' ');

	if (area)
		printf("Manual: man holdfast-%.*s\n", (int)strcspn(area + 1, " "), area + 1);
	else
		puts("Manual: man holdfast");
}

static void help_print(const struct cli *cli)
{
	const struct command *command = cli->command;
	const char *options = command->subcommands ? "" : " [OPTION]...";

	printf("Usage: %s%s%s%s\n", cli->name, options, command->args[0] ? " " : "", command->args);
	printf("\n%c%s.\n", toupper((unsigned char)command->summary[0]), command->summary + 1);
	if (command->details)
		printf("\n%s\n", command->details);
	if (command->subcommands) {
		puts("\nSubcommands:");
		for (const struct command *c = command->subcommands; c->name; c++)
			printf("  %-12s %s\n", c->name, c->summary);
		printf("\n\"%s SUBCOMMAND --help\" tells more.\n", cli->name);
	}
	options_help(stdout, command->options);
	printf("\nExit status: %s.\n",
	       command->exits ? command->exits
	       : command->two_means_off
		       ? "0 read (one target: on), 2 one target is off, 1 anything else"
		       : "0 all done and proven, 1 something was not, 2 wrong use or "
			 "configuration");
	manual_print(cli);
}

/* ---- finding the subcommand ---- */

static int command_unknown(const struct cli *cli, const char *word)
{
	const char *names[COMMANDS_MAX];
	size_t count = 0;
	long near;

	for (const struct command *c = cli->command->subcommands; c->name && count < COMMANDS_MAX;
	     c++)
		names[count++] = c->name;
	near = nearest_find(word, names, count);
	if (near >= 0)
		return cli_usage(cli, "unknown subcommand \"%s\"; did you mean \"%s\"?", word,
				 names[near]);
	return cli_usage(cli, "unknown subcommand \"%s\"", word);
}

/* Help and version, when asked for. 1: printed, nothing else to do. */
static int command_informs(const struct cli *cli)
{
	if (cli->given & OPTION_HELP)
		help_print(cli);
	else if (cli->given & OPTION_VERSION)
		puts("holdfast " HOLDFAST_VERSION);
	else
		return 0;
	return 1;
}

/* Walk down the tables to a row with run(), and run it. */
static int command_dispatch(struct cli *cli, int argc, char **argv)
{
	cli->command = &root;
	snprintf(cli->name, sizeof cli->name, "%s", root.name);
	for (;;) {
		int leaf = cli->command->subcommands == NULL;
		int used = options_parse(cli, argc, argv, !leaf);
		const struct command *next;

		if (used < 0)
			return CLI_EXIT_USAGE;
		argv += used;
		argc -= used;
		if (leaf || argc == 0 || cli->given & (OPTION_HELP | OPTION_VERSION)) {
			if (command_informs(cli))
				return CLI_EXIT_OK;
			if (!leaf)
				return cli_usage(cli, "which subcommand?");
			break;
		}
		for (next = cli->command->subcommands; next->name; next++)
			if (strcmp(next->name, argv[0]) == 0)
				break;
		if (!next->name)
			return command_unknown(cli, argv[0]);
		cli->command = next;
		snprintf(cli->name + strlen(cli->name), sizeof cli->name - strlen(cli->name), " %s",
			 next->name);
	}
	if (options_check(cli))
		return CLI_EXIT_USAGE;
	cli->args = argv;
	cli->args_count = (size_t)argc;
	return cli->command->run(cli);
}

/* ---- the process ---- */

/* Standard descriptors that are closed would be given to the next file opened. Returns whether
 * stdout was there. */
static int descriptors_fill(void)
{
	int stdout_there = fcntl(STDOUT_FILENO, F_GETFD) >= 0;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			return 0;
	return stdout_there;
}

static void secrets_protect(struct cli *cli)
{
	const struct rlimit none = { 0, 0 };

	/* None can fail for a process about itself; without them we are no worse off. */
	prctl(PR_SET_DUMPABLE, 0);
	getrlimit(RLIMIT_CORE, &cli->core_limit);
	setrlimit(RLIMIT_CORE, &none);
}

/* Everything printed has to have arrived somewhere. */
static int stdout_close(const struct cli *cli, int status, int stdout_there)
{
	/* A write that failed earlier has left its mark, but its reason is gone. */
	int failed = ferror(stdout) || !stdout_there;
	const char *reason = stdout_there ? "" : strerror(EBADF);

	if (fflush(stdout) != 0) {
		failed = 1;
		reason = strerror(errno);
	}
	if (fclose(stdout) != 0 && !failed) {
		failed = 1;
		reason = strerror(errno);
	}
	if (!failed)
		return status;
	cli_warn(cli, "the output could not be written%s%s", reason[0] ? ": " : "", reason);
	return CLI_EXIT_NOT;
}

int main(int argc, char **argv)
{
	struct cli cli = { .conf_path = getenv("HOLDFAST_CONF") };
	int stdout_there = descriptors_fill();
	int status;

	secrets_protect(&cli);
	/* A reader that goes away is an error of write(), found by stdout_close(). Children get
	 * the default back from whoever starts them. */
	signal(SIGPIPE, SIG_IGN);
	if (!cli.conf_path || !cli.conf_path[0])
		cli.conf_path = CONF_PATH_DEFAULT;
	status = command_dispatch(&cli, argc, argv);
	if (status == CLI_EXIT_OFF)
		status = 2;
	else if (status == CLI_EXIT_USAGE && cli.command->two_means_off)
		status = 1;
	else if (status == CLI_EXIT_USAGE && cli.command->usage_exit)
		status = cli.command->usage_exit;
	/* What a command did with stdout is its own affair. */
	if (status == CLI_EXIT_COMMAND)
		return cli.exit_status;
	return stdout_close(&cli, status, stdout_there);
}
