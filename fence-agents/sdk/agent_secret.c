/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * agent_secret.c - passwords from files and programs, and the care taken of them.
 *
 * An option X that is a secret is also filled from X_file and X_script where the agent has options
 * of these names; password has them always.
 *
 * A secret lives in option values only, which agent_options_free() wipes. Core dumps are off and
 * the process is closed to debuggers of the same user. The program named by an X_script gets
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

/* The first line of what was read becomes the secret. `source` is the option that named it. */
static int secret_take(struct fence_ctx *ctx, struct agent_value *secret, char *text, size_t length,
		       const char *source)
{
	text[length] = '\0';
	if (strlen(text) != length)
		return err_set(&ctx->err, RC_CONFIG, "it must give one line of text",
			       "%s gave a NUL byte", source);
	text[strcspn(text, "\r\n")] = '\0';
	if (!*text)
		return err_set(&ctx->err, RC_CONFIG, "put it on the first line",
			       "%s gave an empty %s", source, secret->option.name);
	return agent_value_set(ctx, secret, text);
}

/* Others must not be able to read the file, nor to have written it. */
static int file_is_private(struct fence_ctx *ctx, int fd, const char *source, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_set(&ctx->err, RC_CONFIG, "check the path", "%s=%s: %s", source, path,
			       strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(&ctx->err, RC_CONFIG, "name a file", "%s=%s is not a regular file",
			       source, path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(&ctx->err, RC_CONFIG, "chown root it",
			       "%s=%s belongs to another user (uid %u)", source, path,
			       (unsigned)st.st_uid);
	if (st.st_mode & 077)
		return err_set(&ctx->err, RC_CONFIG, "chmod 600 it",
			       "%s=%s is open to others (mode %04o)", source, path,
			       (unsigned)(st.st_mode & 07777));
	return 0;
}

static int secret_from_file(struct fence_ctx *ctx, struct agent_value *secret, const char *source,
			    const char *path)
{
	char text[AGENT_SECRET_MAX_BYTES + 1];
	ssize_t length;
	int rc, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_set(&ctx->err, RC_CONFIG, "check the path", "%s=%s: %s", source, path,
			       strerror(errno));
	rc = file_is_private(ctx, fd, source, path);
	if (rc == 0) {
		length = read(fd, text, AGENT_SECRET_MAX_BYTES);
		rc = length < 0 ? err_set(&ctx->err, RC_CONFIG, "check the path", "%s=%s: %s",
					  source, path, strerror(errno))
				: secret_take(ctx, secret, text, (size_t)length, source);
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
	sigset_t defaults;
	int rc;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawnattr_init(&attr);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
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

static int secret_from_script(struct fence_ctx *ctx, struct agent_value *secret, const char *source,
			      const char *path)
{
	char text[AGENT_SECRET_MAX_BYTES + 1];
	int pipes[2], spawned, status, saved_errno, rc;
	ssize_t length;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) != 0)
		return err_set(&ctx->err, RC_INTERNAL, "free some file descriptors", "pipe: %s",
			       strerror(errno));
	agent_step_begin(ctx, "running the program for a secret", "login_timeout");
	spawned = script_spawn(path, pipes[1], &pid);
	close(pipes[1]);
	if (spawned != 0) {
		close(pipes[0]);
		return err_set(&ctx->err, RC_CONFIG, "is it executable?", "%s=%s: %s", source, path,
			       strerror(spawned));
	}
	length = read_until(ctx, pipes[0], text, AGENT_SECRET_MAX_BYTES);
	saved_errno = errno;
	if (length < 0)
		kill(-pid, SIGKILL);
	close(pipes[0]);
	status = script_reap(ctx, pid);
	if (ctx->cancelled)
		rc = agent_step_end(ctx, RC_CANCELLED);
	else if (length < 0 && saved_errno == ETIMEDOUT)
		rc = err_set(&ctx->err, RC_TIMEOUT, "run it by hand, or raise login_timeout",
			     "%s=%s timed out without printing a line", source, path);
	else if (length < 0)
		rc = err_set(&ctx->err, RC_INTERNAL, "run it by hand to see why", "%s=%s: %s",
			     source, path, strerror(saved_errno));
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		rc = err_set(&ctx->err, RC_CONFIG, "run it by hand to see why",
			     "%s=%s failed (%s %d)", source, path,
			     WIFEXITED(status) ? "exit status" : "signal",
			     WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	else
		rc = secret_take(ctx, secret, text, (size_t)length, source);
	fence_wipe(text, sizeof text);
	return rc;
}

/* The text of option NAME_SUFFIX; NULL when the agent has none or it is empty. *source is its name. */
static const char *source_find(const struct fence_ctx *ctx, const struct agent_value *secret,
			       const char *suffix, const char **source)
{
	const struct agent_value *value;
	char name[64];

	snprintf(name, sizeof name, "%s_%s", secret->option.name, suffix);
	value = agent_value_find(ctx, name);
	if (!value || !value->text || !*value->text)
		return NULL;
	*source = value->option.name;
	return value->text;
}

/* X_script beats X_file beats X. */
int agent_secrets_load(struct fence_ctx *ctx)
{
	for (size_t i = 0; i < ctx->values_count; i++) {
		struct agent_value *secret = &ctx->values[i];
		const char *source, *path;
		int rc = 0;

		if (!(secret->option.flags & FENCE_OPT_SECRET))
			continue;
		if ((path = source_find(ctx, secret, "script", &source)))
			rc = secret_from_script(ctx, secret, source, path);
		else if ((path = source_find(ctx, secret, "file", &source)))
			rc = secret_from_file(ctx, secret, source, path);
		if (rc)
			return rc;
	}
	return 0;
}
