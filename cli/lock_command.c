/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lock_command.c - the command that runs under a lock, and all its processes; see lock_run.h.
 *
 * This process is a subreaper: what the command leaves behind becomes its child, wherever it has put
 * itself. So "no child is left" means that no process of the command is left.
 * The leader stays a zombie until all others have ended, so that the number of its group, which
 * lockd knows, is not given to another.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/lock_run.h"
#include "host/machine.h"

struct pass {
	uint64_t term;
	unsigned node;
	char name[128];
};

/* ---- the child ---- */

static void signals_default(void)
{
	const struct sigaction plain = { .sa_handler = SIG_DFL };

	for (int i = 1; i < NSIG; i++)
		sigaction(i, &plain, NULL);
}

static int variable_set(const char *name, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof text, "%" PRIu64, value);
	return setenv(name, text, 1);
}

static void __attribute__((noreturn)) child_run(const struct lock_command *command, int gate)
{
	const char *tag = strchr(command->tag, '=') + 1;
	struct pass pass;
	int status;

	/* What was typed for the command must not meet this program's own handling of signals. */
	signals_default();
	setpgid(0, 0);
	if (read(gate, &pass, sizeof pass) != sizeof pass)
		_exit(LOCK_EXIT_FAILED);
	setrlimit(RLIMIT_CORE, &command->cli->core_limit);
	if (setenv("HOLDFAST_LOCK_NAME", pass.name, 1) || setenv("HOLDFAST_LOCK_ID", tag, 1) ||
	    variable_set("HOLDFAST_LOCK_TERM", pass.term) ||
	    variable_set("HOLDFAST_LOCK_NODE", pass.node))
		_exit(LOCK_EXIT_FAILED);
	sigprocmask(SIG_SETMASK, &command->mask_before, NULL);
	execvp(command->argv[0], command->argv);
	status = errno == ENOENT ? LOCK_EXIT_NOT_FOUND : LOCK_EXIT_NOT_EXECUTABLE;
	fprintf(stderr, "%s: %s: cannot be run: %s\n", command->cli->name, command->argv[0],
		strerror(errno));
	_exit(status);
}

int lock_command_fork(struct lock_command *command, struct err *err)
{
	uint64_t tag;
	int gate[2];

	machine_random(&tag, sizeof tag);
	snprintf(command->tag, sizeof command->tag, "HOLDFAST_LOCK_ID=%016" PRIx64, tag);
	command->gate = command->terminal = -1;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) || pipe2(gate, O_CLOEXEC))
		return err_set(err, RC_INTERNAL, NULL, "cannot prepare the command: %s",
			       strerror(errno));
	command->pid = fork();
	if (command->pid == 0) {
		close(gate[1]);
		child_run(command, gate[0]);
	}
	close(gate[0]);
	if (command->pid < 0) {
		close(gate[1]);
		return err_set(err, RC_INTERNAL, "check the limit of processes", "cannot fork: %s",
			       strerror(errno));
	}
	/* Both do it, so that it is done whoever comes first. */
	setpgid(command->pid, command->pid);
	command->gate = gate[1];
	return 0;
}

/* ---- the terminal ---- */

/* Give it to the command's group, if this process has it. */
static void terminal_give(struct lock_command *command)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);

	if (fd >= 0 && tcgetpgrp(fd) == getpgrp() && tcsetpgrp(fd, command->pid) == 0) {
		if (command->terminal >= 0)
			close(command->terminal);
		command->terminal = fd;
	} else if (fd >= 0) {
		close(fd);
	}
}

static void terminal_take(struct lock_command *command)
{
	if (command->terminal < 0)
		return;
	/* SIGTTOU is blocked. Only if nobody else has taken it meanwhile. */
	if (tcgetpgrp(command->terminal) == command->pid)
		tcsetpgrp(command->terminal, getpgrp());
	close(command->terminal);
	command->terminal = -1;
}

/* ---- the parent ---- */

void lock_command_start(struct lock_command *command, const char *name, uint64_t term,
			unsigned node)
{
	struct pass pass = { .term = term, .node = node };

	snprintf(pass.name, sizeof pass.name, "%s", name);
	terminal_give(command);
	/* Less than a pipe holds: whole, or the child is gone, which its end tells. */
	if (write(command->gate, &pass, sizeof pass) < 0)
		kill(command->pid, SIGKILL);
	close(command->gate);
	command->gate = -1;
}

void lock_command_abandon(struct lock_command *command)
{
	if (command->gate >= 0)
		close(command->gate);
	command->gate = -1;
	while (waitpid(command->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void lock_command_forward(const struct lock_command *command, int number)
{
	/* Its leader is not reaped yet: the number is its group's. */
	kill(-command->pid, number);
}

int lock_command_signal(const struct lock_command *command, int number)
{
	const struct family family = { .ancestor = getpid(), .group = command->pid };
	int count = family_signal(&family, number);

	/* What is stopped must run to end; SIGKILL needs no help. */
	if (count > 0 && number != 0 && number != SIGKILL)
		family_signal(&family, SIGCONT);
	return count;
}

int lock_command_look(struct lock_command *command)
{
	siginfo_t info = { .si_pid = 0 };

	if (!command->has_ended &&
	    waitid(P_PID, (id_t)command->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	    info.si_pid == command->pid) {
		command->has_ended = 1;
		command->status = info.si_code == CLD_EXITED ? info.si_status
							     : LOCK_EXIT_SIGNAL + info.si_status;
	}
	info.si_pid = 0;
	if (command->has_ended ||
	    waitid(P_PID, (id_t)command->pid, &info, WSTOPPED | WNOHANG) != 0 ||
	    info.si_pid != command->pid || info.si_status != SIGTSTP)
		return 0;
	lock_command_forward(command, SIGCONT);
	return 1;
}

void lock_command_resume(struct lock_command *command)
{
	if (command->gate >= 0 || command->has_ended)
		return;
	terminal_give(command);
	lock_command_forward(command, SIGCONT);
}

/* What ended beside the leader. */
static void others_reap(const struct lock_command *command)
{
	siginfo_t info;

	for (;;) {
		char path[64], text[4096];
		ssize_t got;
		int fd, reaped = 0;
		char *at = text;

		/* waitid(P_ALL) would show the leader's zombie again and again. */
		snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return;
		got = read(fd, text, sizeof text - 1);
		close(fd);
		text[got > 0 ? got : 0] = '\0';
		for (long pid = strtol(at, &at, 10); pid > 0; pid = strtol(at, &at, 10)) {
			info.si_pid = 0;
			if (pid != command->pid &&
			    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0 &&
			    info.si_pid == pid)
				reaped = 1;
		}
		if (!reaped)
			return;
	}
}

int lock_command_is_gone(struct lock_command *command)
{
	siginfo_t info = { .si_pid = 0 };

	if (!command->has_ended)
		return 0;
	others_reap(command);
	if (lock_command_signal(command, 0) != 0)
		return 0;
	/* The kernel's word: with no child there is no descendant, for this is the subreaper. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD)
		return 0;
	terminal_take(command);
	return 1;
}
