/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * agent_secret.c - passwords from files and programs, and the care taken of them.
 *
 * A secret lives in option values only, which agent_options_free() wipes. Core dumps are off and
 * the process is closed to debuggers of the same user. The program named by password_script gets
 * no arguments, no stdin, and ends with its process group when login_timeout is over.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fence-agents/sdk/agent_internal.h"
#include "host/clock.h"

void fence_wipe(void *memory, size_t bytes)
{
	explicit_bzero(memory, bytes);
}

void agent_process_harden(void)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* The first line of what was read becomes the password. */
static int password_take(struct fence_ctx *ctx, char *text, size_t length, const char *source)
{
	int rc;

	text[length] = '\0';
	if (strlen(text) != length)
		return err_set(&ctx->err, RC_CONFIG, NULL, "%s gave a NUL byte", source);
	text[strcspn(text, "\r\n")] = '\0';
	if (!*text)
		return err_set(&ctx->err, RC_CONFIG, NULL, "%s gave no password", source);
	rc = agent_value_set(ctx, agent_value_find(ctx, "password"), text);
	return rc;
}

/* Others must not be able to read the file, nor to have written it. */
static int file_is_private(struct fence_ctx *ctx, int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_set(&ctx->err, RC_CONFIG, NULL, "password_file=%s: %s", path,
			       strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(&ctx->err, RC_CONFIG, NULL, "password_file=%s is not a regular file",
			       path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(&ctx->err, RC_CONFIG, "chown root it",
			       "password_file=%s belongs to another user (uid %u)", path,
			       (unsigned)st.st_uid);
	if (st.st_mode & 077)
		return err_set(&ctx->err, RC_CONFIG, "chmod 600 it",
			       "password_file=%s is open to others (mode %04o)", path,
			       (unsigned)(st.st_mode & 07777));
	return 0;
}

static int password_from_file(struct fence_ctx *ctx, const char *path)
{
	char text[AGENT_SECRET_MAX_BYTES + 1];
	ssize_t length;
	int rc, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_set(&ctx->err, RC_CONFIG, NULL, "password_file=%s: %s", path,
			       strerror(errno));
	rc = file_is_private(ctx, fd, path);
	if (rc == 0) {
		length = read(fd, text, AGENT_SECRET_MAX_BYTES);
		rc = length < 0 ? err_set(&ctx->err, RC_CONFIG, NULL, "password_file=%s: %s", path,
					  strerror(errno))
				: password_take(ctx, text, (size_t)length, "password_file");
		fence_wipe(text, sizeof text);
	}
	close(fd);
	return rc;
}

static int script_spawn(const char *path, int out, pid_t *pid)
{
	char *const argv[] = { (char *)path, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int rc;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setpgroup(&attr, 0);
	rc = posix_spawn(pid, path, &files, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return rc;
}

/* Read until end of file, a full buffer or the deadline; -1 with errno. */
static ssize_t read_until(struct fence_ctx *ctx, int fd, char *text, size_t room)
{
	size_t length = 0;

	while (length < room) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		int64_t left_ms = fence_left_ms(ctx);
		int ready = poll(&wait, 1, (int)left_ms);
		ssize_t got;

		if (ready == 0 || left_ms == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (ready < 0) {
			if (errno == EINTR)
				continue;
			return -1;
		}
		got = read(fd, text + length, room - length);
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		length += (size_t)got;
	}
	return (ssize_t)length;
}

/* Wait for the exit status; after the deadline the group is killed first. */
static int script_reap(struct fence_ctx *ctx, pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (fence_left_ms(ctx) == 0)
			kill(-pid, SIGKILL);
		clock_sleep_until(mono_add_ms(clock_now(), 2));
	}
	kill(-pid, SIGKILL);
	return status;
}

static int password_from_script(struct fence_ctx *ctx, const char *path)
{
	char text[AGENT_SECRET_MAX_BYTES + 1];
	int pipes[2], spawned, status, saved_errno, rc;
	ssize_t length;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) != 0)
		return err_set(&ctx->err, RC_INTERNAL, NULL, "pipe: %s", strerror(errno));
	agent_step_begin(ctx, "running password_script", "login_timeout");
	spawned = script_spawn(path, pipes[1], &pid);
	close(pipes[1]);
	if (spawned != 0) {
		close(pipes[0]);
		return err_set(&ctx->err, RC_CONFIG, "is it executable?", "password_script=%s: %s",
			       path, strerror(spawned));
	}
	length = read_until(ctx, pipes[0], text, AGENT_SECRET_MAX_BYTES);
	saved_errno = errno;
	if (length < 0)
		kill(-pid, SIGKILL);
	close(pipes[0]);
	status = script_reap(ctx, pid);
	if (length < 0)
		rc = err_set(&ctx->err, RC_CONFIG, NULL, "password_script=%s: %s", path,
			     strerror(saved_errno));
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		rc = err_set(&ctx->err, RC_CONFIG, "run it by hand to see why",
			     "password_script=%s failed (%s %d)", path,
			     WIFEXITED(status) ? "exit status" : "signal",
			     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	else
		rc = password_take(ctx, text, (size_t)length, "password_script");
	fence_wipe(text, sizeof text);
	return rc;
}

/* password_script beats password_file beats password. */
int agent_secrets_load(struct fence_ctx *ctx)
{
	const char *script, *file;

	if (!agent_value_find(ctx, "password_file"))
		return 0;
	script = fence_opt(ctx, "password_script");
	file = fence_opt(ctx, "password_file");
	if (script && *script)
		return password_from_script(ctx, script);
	if (file && *file)
		return password_from_file(ctx, file);
	return 0;
}
