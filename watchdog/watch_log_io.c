/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch_log_io.c - the log of watchdogd and the keeper of its devices; see watch_log_io.h.
 */
#include "watchdog/watch_log_io.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_BYTES = 512 };

/* The message that ends the keeper; a line is never this short. */
#define END "\n"

static int keeper_socket = -1;
static pid_t keeper_pid;
static int keeper_lives;
static uint32_t lost;

uint32_t log_lost(void)
{
	return lost;
}

static void line_write(const char *line, size_t length)
{
	ssize_t done;

	while (length > 0) {
		done = write(STDERR_FILENO, line, length);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return;
		line += done;
		length -= (size_t)done;
	}
}

void log_line(const char *fmt, ...)
{
	static const char prefix[] = "watchdogd: ";
	char line[LINE_BYTES];
	size_t length = sizeof prefix - 1;
	va_list args;
	int added;

	memcpy(line, prefix, length);
	va_start(args, fmt);
	added = vsnprintf(line + length, sizeof line - length, fmt, args);
	va_end(args);
	length += added > 0 ? (size_t)added : 0;
	if (length > sizeof line - 2)
		length = sizeof line - 2;
	line[length++] = '\n';
	if (keeper_socket < 0)
		line_write(line, length);
	else if (send(keeper_socket, line, length, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		lost++;
}

/* ---- the keeper ---- */

static void descriptors_close(const int *devices, size_t devices_count, int socket_fd)
{
	int last = socket_fd;

	for (size_t i = 0; i < devices_count; i++)
		last = devices[i] > last ? devices[i] : last;
	close_range((unsigned)last + 1, ~0U, 0);
	for (int fd = STDERR_FILENO + 1; fd < last; fd++) {
		int keep = fd == socket_fd;

		for (size_t i = 0; i < devices_count; i++)
			keep |= fd == devices[i];
		if (!keep)
			close(fd);
	}
}

static void keeper_run(int socket_fd, const char *marker)
{
	char line[LINE_BYTES];
	ssize_t got;

	for (;;) {
		got = recv(socket_fd, line, sizeof line, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		if (got == 1)
			_exit(0);
		line_write(line, (size_t)got);
	}
	/* Not access(marker) == 0: what cannot be looked up may be there. */
	if (access(marker, F_OK) != 0 && errno == ENOENT)
		_exit(0);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		close(fd);
	for (;;)
		pause();
}

int log_start(const int *devices, size_t devices_count, const char *marker)
{
	sigset_t none;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return errno;
	pid = fork();
	if (pid < 0) {
		int error = errno;

		close(pair[0]);
		close(pair[1]);
		return error;
	}
	if (pid == 0) {
		signal(SIGTERM, SIG_IGN);
		signal(SIGINT, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
		signal(SIGPIPE, SIG_IGN);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		prctl(PR_SET_NAME, "watchdogd-keep");
		descriptors_close(devices, devices_count, pair[1]);
		keeper_run(pair[1], marker);
	}
	close(pair[1]);
	keeper_socket = pair[0];
	keeper_pid = pid;
	keeper_lives = 1;
	return 0;
}

int log_keeper_fd(void)
{
	return keeper_socket;
}

/* Not a word on stderr: whoever reads it might not, and then the pets would wait. */
void log_keeper_lost(void)
{
	keeper_lives = 0;
}

int log_keeper_lives(void)
{
	return keeper_lives;
}

void log_end(void)
{
	struct pollfd hangup = { .fd = keeper_socket };

	if (keeper_socket < 0)
		return;
	/* Lines before it are written first; its end closes the other side. */
	if (send(keeper_socket, END, 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1 ||
	    poll(&hangup, 1, LOG_END_MS) != 1)
		kill(keeper_pid, SIGKILL);
	close(keeper_socket);
	keeper_socket = -1;
	for (int tries = 0; tries < LOG_END_MS / 10; tries++)
		if (waitpid(keeper_pid, NULL, WNOHANG) != 0 || poll(NULL, 0, 10) != 0)
			return;
}
