/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * disk_worker.c - the thread of one path: opens the disk, does one request after the other.
 *
 * Everything here may hang for as long as the disk does. The lock of the path is never held across
 * a call of the backend.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/disk/disk_path.h"

enum {
	/* A daemon that locks its memory pays for all of a stack. The deepest user is getaddrinfo(). */
	STACK_BYTES = 256 * 1024,
	/* poll() counts time that stands still in a suspend: look at our own clock now and then. */
	POLL_AT_MOST_MS = 1000,
};

int disk_wait(const struct disk_wake *wake, int fd, short events, mono_t until)
{
	struct pollfd fds[2] = { { .fd = wake->fd, .events = POLLIN },
				 { .fd = fd, .events = events } };
	int64_t left_ms = mono_left_ms(clock_now(), until);
	uint64_t count;

	if (poll(fds, 2, left_ms < POLL_AT_MOST_MS ? (int)left_ms : POLL_AT_MOST_MS) <= 0)
		return 0;
	/* Whoever woke us left a mark of what for; the count itself says nothing. */
	if ((fds[0].revents & POLLIN) && read(wake->fd, &count, sizeof count) < 0)
		return 0;
	return fds[1].revents;
}

void disk_result_init(struct disk_result *result)
{
	memset(result, 0, sizeof *result);
	result->submitted_at = MONO_NEVER;
}

int disk_result_fail(struct disk_result *result, int rc, const char *next, const char *fmt, ...)
{
	char text[sizeof result->err.text];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	result->rc = rc;
	return err_set(&result->err, rc, next, "%s", text);
}

struct slot *path_first(struct path *path, enum slot_state state)
{
	struct slot *first = NULL;

	for (size_t i = 0; i < PATH_SLOTS; i++) {
		struct slot *slot = &path->slots[i];

		if (slot->state == state && (!first || slot->order < first->order))
			first = slot;
	}
	return first;
}

static void path_free(struct path *path)
{
	for (size_t i = 0; i < PATH_SLOTS; i++)
		free(path->slots[i].job.data);
	if (path->url)
		explicit_bzero(path->url, strlen(path->url));
	free(path->url);
	if (path->wake.fd >= 0)
		close(path->wake.fd);
	if (path->opened_fd >= 0)
		close(path->opened_fd);
	pthread_mutex_destroy(&path->lock);
	free(path);
}

void path_release(struct path *path)
{
	int left;

	pthread_mutex_lock(&path->lock);
	left = --path->references;
	pthread_mutex_unlock(&path->lock);
	if (left == 0)
		path_free(path);
}

static void eventfd_raise(int fd)
{
	const uint64_t one = 1;

	/* It fails only when the counter is full, and then it is raised. */
	while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

void path_wake(struct path *path)
{
	eventfd_raise(path->wake.fd);
}

/* The lock is held. */
static void notify(struct path *path)
{
	if (path->async)
		uv_async_send(path->async);
}

static int worker_open(struct path *path, void **backend)
{
	struct disk_facts facts = { .kind = DISK_FILE };
	struct err err = { 0 };
	/* The loop waits a little longer: the backend knows better what it was that took so long. */
	int64_t timeout_ms = path->open_timeout_ms - path->open_timeout_ms / 10;
	int rc;

	path->place.url = path->url;
	rc = path->ops->open(&path->place, mono_add_ms(clock_now(), timeout_ms), &facts, backend,
			     &err);
	path->place.url = NULL;
	explicit_bzero(path->url, strlen(path->url));
	pthread_mutex_lock(&path->lock);
	path->is_open_over = 1;
	path->open_rc = rc;
	path->facts = facts;
	path->open_err = err;
	pthread_mutex_unlock(&path->lock);
	eventfd_raise(path->opened_fd);
	return rc;
}

/* A request that hung before it and a deadline that passed meanwhile: it is not begun at all. */
static void run_job(struct path *path, void *backend, struct slot *slot)
{
	if (mono_reached(clock_now(), slot->job.deadline))
		disk_result_fail(&slot->result, RC_TIMEOUT, NULL,
				 "%s: no time was left when its turn came", path->name);
	else
		path->ops->exec(backend, &slot->job, &slot->result);
}

/* The lock is held, and again on return. */
static void do_slot(struct path *path, void *backend, struct slot *slot)
{
	mono_t ended_at;

	slot->state = SLOT_RUNNING;
	slot->taken_at = clock_now();
	pthread_mutex_unlock(&path->lock);
	disk_result_init(&slot->result);
	run_job(path, backend, slot);
	ended_at = clock_now();
	pthread_mutex_lock(&path->lock);
	slot->ended_at = ended_at;
	slot->state = slot->result.is_outstanding ? SLOT_LIMBO : SLOT_ENDED;
	notify(path);
}

/* The lock is held, and again on return. */
static void do_reinstate(struct path *path, void *backend)
{
	struct err err = { 0 };
	struct slot *slot;
	int rc;

	path->is_reinstate_wanted = 0;
	path->is_reinstating = 1;
	if (!path->is_closing)
		atomic_store(&path->wake.is_interrupted, 0);
	pthread_mutex_unlock(&path->lock);
	/* The backend keeps the reason of a failure, for the requests that follow. */
	rc = path->ops->reinstate(backend, mono_add_ms(clock_now(), path->open_timeout_ms), &err);
	pthread_mutex_lock(&path->lock);
	path->is_reinstating = 0;
	slot = path_first(path, SLOT_LIMBO);
	if (rc == 0 && slot) {
		slot->result.is_outstanding = 0;
		slot->ended_at = clock_now();
		slot->state = SLOT_ENDED;
	}
	notify(path);
}

static void worker_turn(struct path *path, void *backend)
{
	pthread_mutex_lock(&path->lock);
	while (!path->is_closing) {
		struct slot *slot;

		if (path->is_reinstate_wanted) {
			do_reinstate(path, backend);
		} else if ((slot = path_first(path, SLOT_QUEUED))) {
			do_slot(path, backend, slot);
		} else {
			pthread_mutex_unlock(&path->lock);
			if (path->ops->idle)
				path->ops->idle(backend);
			else
				disk_wait(&path->wake, -1, 0, MONO_NEVER);
			pthread_mutex_lock(&path->lock);
		}
	}
	pthread_mutex_unlock(&path->lock);
}

static void *worker_main(void *arg)
{
	struct path *path = arg;
	void *backend = NULL;

	if (worker_open(path, &backend) == 0) {
		worker_turn(path, backend);
		path->ops->close(backend);
	}
	pthread_mutex_lock(&path->lock);
	path->is_worker_over = 1;
	notify(path);
	pthread_mutex_unlock(&path->lock);
	path_release(path);
	return NULL;
}

/* The worker takes no signal: SIGXFSZ of a full file and SIGPIPE of a dead socket must end in an
 * errno, and those of the program belong to its loop. */
int path_start_worker(struct path *path)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;
	int rc;

	rc = pthread_attr_init(&attr);
	if (rc != 0)
		return rc;
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	path->references++;
	rc = pthread_create(&thread, &attr, worker_main, path);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (rc != 0)
		path->references--;
	return rc;
}
