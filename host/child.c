/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * child.c - children over libuv; see child.h.
 *
 * Plain pipes instead of libuv's socket pairs: a shell script that opens /dev/stderr gets ENXIO on a
 * socket. A child is freed when libuv has let go of all its handles; `open_handles` counts them.
 */
#include "host/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/boot_timer.h"
#include "host/clock.h"

enum {
	READ_BYTES = 16384,
	/* Left in a pipe by a program that has ended: at most what a pipe can hold. A stray that
	 * writes without end does not keep us longer. */
	DRAIN_BYTES = 1 << 20,
};

struct capture {
	uv_pipe_t pipe;
	int fd;
	int closed;
	char *text;
	size_t bytes, capacity, max, dropped;
};

struct child {
	struct child_host *host;
	uv_process_t process;
	uv_pipe_t input;
	uv_write_t write;
	struct boot_timer timer;
	struct capture out, err;
	char *feed;
	size_t feed_bytes;
	child_done done;
	void (*ended)(void *arg, pid_t group);
	void *arg;
	int has_timer, timed_out;
	unsigned open_handles;
	struct child_result result;
};

/* ---- the host ---- */

static int env_is_kept(const char *entry)
{
	return strncmp(entry, "PATH=", 5) == 0 || strncmp(entry, "HOLDFAST_", 9) == 0;
}

static char **env_make(void)
{
	size_t count = 0, at = 0;
	char **env;

	for (char **e = environ; *e; e++)
		count += (size_t)env_is_kept(*e);
	env = calloc(count + 2, sizeof *env);
	if (!env)
		return NULL;
	for (char **e = environ; *e; e++)
		if (env_is_kept(*e))
			env[at++] = *e;
	env[at] = "LANG=C";
	return env;
}

int child_host_init(struct child_host *host, uv_loop_t *loop, struct err *err)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	memset(host, 0, sizeof *host);
	host->loop = loop;
	host->env = env_make();
	if (!host->env)
		return err_set(err, RC_INTERNAL, NULL, "out of memory");
	/* What we open ourselves is close-on-exec already; this is for what we inherited. */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	sigemptyset(&ignore.sa_mask);
	sigaction(SIGPIPE, &ignore, &host->old_sigpipe);
	return 0;
}

void child_host_end(struct child_host *host)
{
	assert(host->running == 0);
	sigaction(SIGPIPE, &host->old_sigpipe, NULL);
	free(host->env);
	host->env = NULL;
}

/* ---- capturing ---- */

static void capture_add(struct capture *capture, const char *text, size_t bytes)
{
	size_t room = capture->max - capture->bytes;
	size_t take = bytes < room ? bytes : room;

	if (capture->bytes + take + 1 > capture->capacity) {
		size_t capacity = capture->capacity ? capture->capacity : 512;
		char *grown;

		while (capacity < capture->bytes + take + 1)
			capacity *= 2;
		grown = realloc(capture->text, capacity);
		if (!grown) {
			capture->dropped += bytes;
			return;
		}
		capture->text = grown;
		capture->capacity = capacity;
	}
	memcpy(capture->text + capture->bytes, text, take);
	capture->bytes += take;
	capture->text[capture->bytes] = '\0';
	capture->dropped += bytes - take;
}

static void child_handle_closed(uv_handle_t *handle);

static void capture_close(struct capture *capture)
{
	if (capture->closed)
		return;
	capture->closed = 1;
	uv_close((uv_handle_t *)&capture->pipe, child_handle_closed);
}

/* Every read is consumed before the next begins, so that one buffer serves all children. */
static void capture_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	static char shared[READ_BYTES];

	(void)handle;
	(void)suggested;
	*buf = uv_buf_init(shared, sizeof shared);
}

static void capture_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buf)
{
	struct child *child = stream->data;
	struct capture *capture = stream == (uv_stream_t *)&child->out.pipe ? &child->out
									    : &child->err;

	if (bytes > 0)
		capture_add(capture, buf->base, (size_t)bytes);
	else if (bytes < 0)
		capture_close(capture);
}

/* The program has ended: all it wrote is in the pipe by now. */
static void capture_drain(struct capture *capture)
{
	char buf[4096];
	size_t total = 0;

	while (!capture->closed && total < DRAIN_BYTES) {
		ssize_t n = read(capture->fd, buf, sizeof buf);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		capture_add(capture, buf, (size_t)n);
		total += (size_t)n;
	}
	capture_close(capture);
}

/* ---- life and death ---- */

static void child_free(struct child *child)
{
	if (child->feed) {
		explicit_bzero(child->feed, child->feed_bytes);
		free(child->feed);
	}
	free(child->out.text);
	free(child->err.text);
	free(child);
}

static void child_release(struct child *child)
{
	if (--child->open_handles == 0)
		child_free(child);
}

static void child_handle_closed(uv_handle_t *handle)
{
	child_release(handle->data);
}

static void child_timer_closed(struct boot_timer *timer)
{
	child_release(timer->data);
}

static void child_input_close(struct child *child)
{
	if (!uv_is_closing((uv_handle_t *)&child->input))
		uv_close((uv_handle_t *)&child->input, child_handle_closed);
}

static void child_fed(uv_write_t *write, int status)
{
	struct child *child = write->data;

	/* A program that does not read its input is free not to. */
	(void)status;
	explicit_bzero(child->feed, child->feed_bytes);
	child_input_close(child);
}

void child_kill(struct child *child, int hard)
{
	if (child->process.pid > 0)
		kill(-child->process.pid, hard ? SIGKILL : SIGTERM);
}

static void child_timer_fired(struct boot_timer *timer)
{
	struct child *child = timer->data;
	int hard = child->timed_out;

	child->timed_out = 1;
	child_kill(child, hard);
	boot_timer_set(timer, hard ? MONO_NEVER : mono_add_ms(clock_now(), CHILD_GRACE_MS));
}

static void child_exited(uv_process_t *process, int64_t exit_status, int term_signal)
{
	struct child *child = process->data;
	struct child_result *result = &child->result;

	if (child->ended)
		child->ended(child->arg, process->pid);
	/* The leader is reaped, yet its number cannot be given away while its group has members. */
	kill(-process->pid, SIGKILL);
	capture_drain(&child->out);
	capture_drain(&child->err);
	child_input_close(child);
	if (child->has_timer)
		boot_timer_close(&child->timer, child_timer_closed);
	uv_close((uv_handle_t *)process, child_handle_closed);

	result->exit_status = term_signal ? -1 : (int)exit_status;
	result->term_signal = term_signal;
	result->timed_out = child->timed_out;
	result->ended = clock_now();
	result->out = child->out.text ? child->out.text : "";
	result->out_bytes = child->out.bytes;
	result->out_dropped = child->out.dropped;
	result->err = child->err.text ? child->err.text : "";
	result->err_bytes = child->err.bytes;
	result->err_dropped = child->err.dropped;
	child->host->running--;
	child->done(child->arg, result);
}

/* ---- starting ---- */

struct pipes {
	int in[2], out[2], err[2];
};

static void pipes_close(struct pipes *pipes)
{
	int *fds = &pipes->in[0];

	for (size_t i = 0; i < sizeof *pipes / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static int pipes_open(struct pipes *pipes)
{
	*pipes = (struct pipes){ { -1, -1 }, { -1, -1 }, { -1, -1 } };
	if (pipe2(pipes->in, O_CLOEXEC) == 0 && pipe2(pipes->out, O_CLOEXEC) == 0 &&
	    pipe2(pipes->err, O_CLOEXEC) == 0)
		return 0;
	return -errno;
}

/* Our end of a pipe, under libuv's care from here on. */
static void child_pipe(struct child *child, uv_pipe_t *pipe, int *fd)
{
	int rc = uv_pipe_init(child->host->loop, pipe, 0);

	assert(rc == 0);
	pipe->data = child;
	child->open_handles++;
	rc = uv_pipe_open(pipe, *fd);
	assert(rc == 0);
	(void)rc;
	*fd = -1;
}

static int child_exec(struct child *child, const struct child_spec *spec, struct pipes *pipes)
{
	uv_stdio_container_t stdio[3] = {
		{ .flags = UV_INHERIT_FD, .data.fd = pipes->in[0] },
		{ .flags = UV_INHERIT_FD, .data.fd = pipes->out[1] },
		{ .flags = UV_INHERIT_FD, .data.fd = pipes->err[1] },
	};
	uv_process_options_t options = {
		.exit_cb = child_exited,
		.file = spec->path,
		.env = child->host->env,
		.cwd = "/",
		.flags = UV_PROCESS_DETACHED, /* a session and group of its own */
		.stdio_count = 3,
		.stdio = stdio,
	};
	size_t count = 0;
	char **argv;
	int rc;

	while (spec->args && spec->args[count])
		count++;
	argv = calloc(count + 2, sizeof *argv);
	if (!argv)
		return UV_ENOMEM;
	argv[0] = (char *)spec->path;
	for (size_t i = 0; i < count; i++)
		argv[i + 1] = (char *)spec->args[i];
	options.args = argv;
	rc = uv_spawn(child->host->loop, &child->process, &options);
	free(argv);
	child->process.data = child;
	child->open_handles++;
	return rc;
}

static void child_connect(struct child *child, struct pipes *pipes)
{
	uv_buf_t buf = uv_buf_init(child->feed, (unsigned)child->feed_bytes);

	child->out.fd = pipes->out[0];
	child->err.fd = pipes->err[0];
	child_pipe(child, &child->input, &pipes->in[1]);
	child_pipe(child, &child->out.pipe, &pipes->out[0]);
	child_pipe(child, &child->err.pipe, &pipes->err[0]);
	child->write.data = child;
	if (child->feed_bytes == 0 ||
	    uv_write(&child->write, (uv_stream_t *)&child->input, &buf, 1, child_fed) != 0)
		child_input_close(child);
	uv_read_start((uv_stream_t *)&child->out.pipe, capture_buffer, capture_read);
	uv_read_start((uv_stream_t *)&child->err.pipe, capture_buffer, capture_read);
}

static struct child *child_new(struct child_host *host, const struct child_spec *spec)
{
	struct child *child = calloc(1, sizeof *child);

	if (!child)
		return NULL;
	child->host = host;
	child->out.max = child->err.max = spec->output_max;
	child->feed_bytes = spec->input ? spec->input_bytes : 0;
	if (child->feed_bytes > 0) {
		child->feed = malloc(child->feed_bytes);
		if (!child->feed) {
			free(child);
			return NULL;
		}
		memcpy(child->feed, spec->input, child->feed_bytes);
	}
	return child;
}

static void child_set_deadline(struct child *child, mono_t deadline)
{
	if (mono_is_never(deadline))
		return;
	if (boot_timer_init(&child->timer, child->host->loop, child_timer_fired, child) != 0) {
		/* Without an alarm there is no bound: end it now rather than never. */
		child->timed_out = 1;
		child_kill(child, 1);
		return;
	}
	child->has_timer = 1;
	child->open_handles++;
	boot_timer_set(&child->timer, deadline);
}

struct child *child_start(struct child_host *host, const struct child_spec *spec, child_done done,
			  void *arg, struct err *err)
{
	struct child *child = child_new(host, spec);
	struct pipes pipes;
	int rc;

	if (!child) {
		err_set(err, RC_INTERNAL, NULL, "out of memory");
		return NULL;
	}
	child->done = done;
	child->ended = spec->ended;
	child->arg = arg;
	rc = pipes_open(&pipes);
	if (rc != 0) {
		pipes_close(&pipes);
		child_free(child);
		err_set(err, RC_INTERNAL, "raise the limit of open files", "cannot make a pipe: %s",
			uv_strerror(rc));
		return NULL;
	}
	child->result.started = clock_now();
	rc = child_exec(child, spec, &pipes);
	if (rc != 0) {
		pipes_close(&pipes);
		uv_close((uv_handle_t *)&child->process, child_handle_closed);
		err_set(err, RC_INTERNAL, "check that it is an executable program",
			"cannot start %s: %s", spec->path, uv_strerror(rc));
		return NULL;
	}
	host->running++;
	child_connect(child, &pipes);
	pipes_close(&pipes);
	child_set_deadline(child, spec->deadline);
	return child;
}
