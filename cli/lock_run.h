/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lock_run.h - what the files of `holdfast lock run` share: lock_run.c talks to lockd and decides,
 * lock_command.c runs the command.
 *
 * Callers: these files.
 */
#ifndef HOLDFAST_CLI_LOCK_RUN_H
#define HOLDFAST_CLI_LOCK_RUN_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "cli/command.h"
#include "host/family.h"

/* Beside those of COMMAND. As env(1) and timeout(1): 125 to 127. */
enum {
	LOCK_EXIT_NOT_GOT = 120,
	LOCK_EXIT_LOST = 121,
	LOCK_EXIT_NO_LOCKD = 122,
	LOCK_EXIT_FAILED = 125,
	LOCK_EXIT_NOT_EXECUTABLE = 126,
	LOCK_EXIT_NOT_FOUND = 127,
	LOCK_EXIT_SIGNAL = 128, /* and the number of the signal that ended it */
};

/* The command: a child that waits at a gate until the lock is got, so that its group is known to
 * lockd before anything of it runs. */
struct lock_command {
	const struct cli *cli;
	char *const *argv;
	pid_t pid;	       /* leader of its group; not reaped before all others have ended */
	int gate;	       /* -1 once it is open */
	int terminal;	       /* -1: none, or this process is not in its foreground */
	int has_ended, status; /* status as an exit status */
	char tag[FAMILY_TAG_BYTES];
	sigset_t mask_before;
};

/* Fork it. Signals that the caller waits for are blocked already; mask_before is what they were.
 * 0, or *err. */
int lock_command_fork(struct lock_command *command, struct err *err);

/* Open the gate: it runs, with the lock's name, term and node in its environment, and has the
 * terminal if this process had it. */
void lock_command_start(struct lock_command *command, const char *name, uint64_t term,
			unsigned node);

/* It is not to run at all. */
void lock_command_abandon(struct lock_command *command);

/* To its group, as from the terminal. */
void lock_command_forward(const struct lock_command *command, int number);

/* To all of its processes, wherever they have gone. Returns how many there were. */
int lock_command_signal(const struct lock_command *command, int number);

/* SIGCHLD: has it ended, was it stopped? A key of the terminal does not stop it: 1 when one
 * tried to. */
int lock_command_look(struct lock_command *command);

/* SIGCONT: this process was put into the foreground again, maybe. */
void lock_command_resume(struct lock_command *command);

/* 1 when no process of it is left; then the terminal is this process's again. */
int lock_command_is_gone(struct lock_command *command);

#endif
