/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * disk.c - the loop side of a disk: queue, deadlines, answers; see host/disk.h.
 *
 * Nothing here waits for the device, except for disk_open(). The worker (disk_worker.c) is told of
 * work by an eventfd and tells of results by uv_async. Handlers are called by disk_turn() and by
 * disk_close(), without the lock; after each call everything may be different, the disk be closed.
 */
#include "host/disk.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host/boot_timer.h"
#include "host/clock.h"
#include "host/disk/disk_path.h"
#include "host/disk/iscsi_url.h"

enum {
	BUFFER_ALIGN_BYTES = 4096,
	/* How long the loop looks after a worker that is to end, for the sake of its logout. */
	CLOSE_GRACE_MS = 1000,
};

struct disk {
	uv_async_t async;
	struct boot_timer timer;
	int open_handles;
	int is_closed;
	disk_handler *handler;
	void *context;
	int is_read_only_wanted;
	struct disk_facts facts;
	struct path *path;
};

/* ---- telling ---- */

/* What is to be told next, oldest request first; the lock is held. */
static struct slot *next_news(struct path *path, mono_t now)
{
	struct slot *news = NULL;

	for (size_t i = 0; i < PATH_SLOTS; i++) {
		struct slot *slot = &path->slots[i];
		int is_due = !slot->is_answered && mono_reached(now, slot->job.deadline);

		if ((slot->state == SLOT_ENDED ||
		     (slot->state == SLOT_LIMBO && !slot->is_answered) ||
		     (slot->state == SLOT_QUEUED && is_due) ||
		     (slot->state == SLOT_RUNNING && is_due)) &&
		    (!news || slot->order < news->order))
			news = slot;
	}
	return news;
}

/* Did the deadline pass first, whatever has come of it since? However late the loop is, it says the
 * same. */
static int is_overdue(const struct slot *slot)
{
	if (slot->is_answered)
		return 0;
	if (slot->state == SLOT_QUEUED || slot->state == SLOT_RUNNING)
		return 1;
	return !mono_is_never(slot->result.submitted_at) &&
	       mono_before(slot->job.deadline, slot->ended_at);
}

static void answer_timeout(const struct path *path, const struct slot *slot,
			   struct disk_answer *answer, struct err *err)
{
	answer->ended_at = clock_now();
	answer->submitted_at = MONO_NEVER;
	answer->is_outstanding = slot->state != SLOT_QUEUED;
	answer->err = err;
	if (slot->state == SLOT_QUEUED) {
		answer->rc = err_set(err, RC_TIMEOUT, NULL,
				     "%s: the request did not get its turn in time", path->name);
		return;
	}
	/* A worker that still runs owns the result and the stamp in it. The moment when it took the
	 * request is not later, which is the safe side (S7). */
	answer->submitted_at = slot->taken_at;
	answer->rc = err_set(err, RC_TIMEOUT, NULL, "%s: no answer within %lld ms", path->name,
			     (long long)mono_diff_ms(slot->taken_at, slot->job.deadline));
}

static void answer_result(const struct slot *slot, struct disk_answer *answer, struct err *err)
{
	const struct disk_result *result = &slot->result;

	answer->kind = slot->is_answered ? DISK_LATE : DISK_DONE;
	answer->rc = result->rc;
	answer->is_outstanding = result->is_outstanding;
	answer->submitted_at = result->submitted_at;
	answer->ended_at = slot->ended_at;
	answer->bytes = result->bytes;
	answer->data = result->bytes > 0 ? slot->job.data : NULL;
	answer->status = result->status;
	answer->sense_bytes = result->sense_bytes;
	memcpy(answer->sense, result->sense, sizeof answer->sense);
	*err = result->err;
	answer->err = result->rc != 0 ? err : NULL;
}

static void answer_cancelled(const struct path *path, const struct slot *slot,
			     struct disk_answer *answer, struct err *err)
{
	answer->rc = err_set(err, RC_CANCELLED, NULL, "%s: closed before there was an answer",
			     path->name);
	answer->err = err;
	answer->is_outstanding = slot->state != SLOT_QUEUED;
	answer->submitted_at = slot->state == SLOT_QUEUED ? MONO_NEVER : slot->taken_at;
	answer->ended_at = clock_now();
}

/* Tell about a slot. The lock is held, and again on return. */
static void tell(struct disk *disk, struct slot *slot, const struct disk_answer *answer)
{
	int is_over = slot->state == SLOT_QUEUED ||
		      (slot->state == SLOT_ENDED && !answer->is_outstanding);

	slot->is_answered = 1;
	/* The data of the answer lies in the slot: no other request gets it while it is told. */
	if (is_over)
		slot->state = SLOT_TELLING;
	pthread_mutex_unlock(&disk->path->lock);
	disk->handler(disk, answer, disk->context);
	pthread_mutex_lock(&disk->path->lock);
	if (is_over)
		slot->state = SLOT_FREE;
}

static void timer_arm(struct disk *disk)
{
	mono_t next = MONO_NEVER;

	pthread_mutex_lock(&disk->path->lock);
	for (size_t i = 0; i < PATH_SLOTS; i++) {
		const struct slot *slot = &disk->path->slots[i];

		if ((slot->state == SLOT_QUEUED || slot->state == SLOT_RUNNING) &&
		    !slot->is_answered)
			next = mono_min(next, slot->job.deadline);
	}
	pthread_mutex_unlock(&disk->path->lock);
	boot_timer_set(&disk->timer, next);
}

/* Tell all there is to tell. A handler may close the disk: the path stays until the loop turns. */
static void disk_turn(struct disk *disk)
{
	struct path *path = disk->path;
	struct slot *slot;

	pthread_mutex_lock(&path->lock);
	while (!disk->is_closed && (slot = next_news(path, clock_now()))) {
		struct disk_answer answer = { .kind = DISK_DONE,
					      .token = slot->token,
					      .op = slot->job.op };
		struct err err = { 0 };

		if (is_overdue(slot))
			answer_timeout(path, slot, &answer, &err);
		else
			answer_result(slot, &answer, &err);
		tell(disk, slot, &answer);
	}
	pthread_mutex_unlock(&path->lock);
	if (!disk->is_closed)
		timer_arm(disk);
}

/* ---- closing ---- */

static void handle_closed(struct disk *disk)
{
	if (--disk->open_handles == 0)
		free(disk);
}

static void async_closed(uv_handle_t *handle)
{
	handle_closed(handle->data);
}

static void timer_closed(struct boot_timer *timer)
{
	handle_closed(timer->data);
}

/* Leave the path to the worker, or free it when that has ended. */
static void disk_detach(struct disk *disk)
{
	struct path *path = disk->path;

	pthread_mutex_lock(&path->lock);
	path->async = NULL;
	pthread_mutex_unlock(&path->lock);
	path_release(path);
	disk->path = NULL;
	uv_close((uv_handle_t *)&disk->async, async_closed);
	boot_timer_close(&disk->timer, timer_closed);
}

static int is_worker_over(struct path *path)
{
	int is_over;

	pthread_mutex_lock(&path->lock);
	is_over = path->is_worker_over;
	pthread_mutex_unlock(&path->lock);
	return is_over;
}

static void async_called(uv_async_t *async)
{
	struct disk *disk = async->data;

	if (!disk->path)
		return;
	if (!disk->is_closed)
		disk_turn(disk);
	else if (is_worker_over(disk->path))
		disk_detach(disk);
}

static void timer_fired(struct boot_timer *timer)
{
	struct disk *disk = timer->data;

	if (!disk->path)
		return;
	if (!disk->is_closed)
		disk_turn(disk);
	else
		disk_detach(disk);
}

static struct slot *first_unanswered(struct path *path)
{
	struct slot *first = NULL;

	for (size_t i = 0; i < PATH_SLOTS; i++) {
		struct slot *slot = &path->slots[i];

		if (slot->state != SLOT_FREE && !slot->is_answered &&
		    (!first || slot->order < first->order))
			first = slot;
	}
	return first;
}

void disk_close(struct disk *disk)
{
	struct path *path = disk->path;
	struct slot *slot;

	assert(!disk->is_closed);
	disk->is_closed = 1;
	pthread_mutex_lock(&path->lock);
	path->is_closing = 1;
	atomic_store(&path->wake.is_interrupted, 1);
	path_wake(path);
	while ((slot = first_unanswered(path))) {
		struct disk_answer answer = { .kind = DISK_DONE,
					      .token = slot->token,
					      .op = slot->job.op };
		struct err err = { 0 };

		if (slot->state == SLOT_ENDED && !is_overdue(slot))
			answer_result(slot, &answer, &err);
		else
			answer_cancelled(path, slot, &answer, &err);
		tell(disk, slot, &answer);
	}
	pthread_mutex_unlock(&path->lock);
	boot_timer_set(&disk->timer, mono_add_ms(clock_now(), CLOSE_GRACE_MS));
}

/* ---- opening ---- */

static struct path *path_create(const char *url, const char *name,
				const struct disk_options *options,
				const struct disk_backend_ops *ops)
{
	struct path *path = calloc(1, sizeof *path);

	if (!path)
		return NULL;
	pthread_mutex_init(&path->lock, NULL);
	path->references = 1;
	path->ops = ops;
	path->open_timeout_ms = options->open_timeout_ms;
	snprintf(path->name, sizeof path->name, "%s", name);
	path->place.name = path->name;
	path->place.options = *options;
	snprintf(path->place.initiator, sizeof path->place.initiator, "%s",
		 options->initiator ? options->initiator : "");
	path->place.options.initiator = path->place.initiator;
	path->place.wake = &path->wake;
	path->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	path->opened_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	path->url = strdup(url);
	if (path->wake.fd < 0 || path->opened_fd < 0 || !path->url) {
		path_release(path);
		return NULL;
	}
	return path;
}

/* Let the worker go, wherever it is. */
static void path_abandon(struct path *path)
{
	pthread_mutex_lock(&path->lock);
	path->is_closing = 1;
	atomic_store(&path->wake.is_interrupted, 1);
	path_wake(path);
	pthread_mutex_unlock(&path->lock);
	path_release(path);
}

/* Wait until the worker has opened the disk or the time is over. */
static int path_await_open(struct path *path, struct disk_facts *facts, struct err *err)
{
	mono_t deadline = mono_add_ms(clock_now(), path->open_timeout_ms);
	int is_over = 0;

	while (!is_over) {
		struct pollfd fd = { .fd = path->opened_fd, .events = POLLIN };
		int64_t left_ms = mono_left_ms(clock_now(), deadline);

		if (left_ms == 0)
			return err_set(err, RC_TIMEOUT, "look at the disk and its path",
				       "%s: not open after %lld ms", path->name,
				       (long long)path->open_timeout_ms);
		poll(&fd, 1, left_ms < INT_MAX ? (int)left_ms : INT_MAX);
		pthread_mutex_lock(&path->lock);
		is_over = path->is_open_over;
		pthread_mutex_unlock(&path->lock);
	}
	if (path->open_rc != 0) {
		*err = path->open_err;
		return path->open_rc;
	}
	*facts = path->facts;
	return 0;
}

/* From here on the disk is closed like any other. */
static int disk_join_loop(struct disk *disk, uv_loop_t *loop, struct err *err)
{
	int rc = boot_timer_init(&disk->timer, loop, timer_fired, disk);

	if (rc != 0) {
		free(disk);
		return err_set(err, RC_INTERNAL, NULL, "no timer: %s", strerror(-rc));
	}
	disk->open_handles = 1;
	disk->async.data = disk;
	rc = uv_async_init(loop, &disk->async, async_called);
	if (rc != 0) {
		boot_timer_close(&disk->timer, timer_closed);
		return err_set(err, RC_INTERNAL, NULL, "the loop takes no handle: %s",
			       uv_strerror(rc));
	}
	disk->async.data = disk;
	disk->open_handles = 2;
	return 0;
}

/* The worker has opened the path: make it a disk of the loop, or let it go. */
static int path_opened(struct path *path, struct disk *opened, uv_loop_t *loop, struct err *err)
{
	int rc = disk_join_loop(opened, loop, err);

	if (rc != 0) {
		path_abandon(path);
		return rc;
	}
	pthread_mutex_lock(&path->lock);
	path->async = &opened->async;
	pthread_mutex_unlock(&path->lock);
	return 0;
}

/* A disk whose worker opens it, or NULL and the reason. */
static struct disk *path_begin(const char *url, const char *name,
			       const struct disk_options *options,
			       const struct disk_backend_ops *ops, disk_handler *handler,
			       void *context, struct err *err)
{
	struct path *path = path_create(url, name, options, ops);
	struct disk *opened = calloc(1, sizeof *opened);
	int rc;

	assert(options->open_timeout_ms > 0);
	if (!path || !opened) {
		err_set(err, RC_INTERNAL, NULL, "%s: out of memory or descriptors", name);
		goto no_worker;
	}
	rc = path_start_worker(path);
	if (rc != 0) {
		err_set(err, RC_INTERNAL, NULL, "%s: no thread: %s", name, strerror(rc));
		goto no_worker;
	}
	opened->handler = handler;
	opened->context = context;
	opened->is_read_only_wanted = options->read_only;
	opened->path = path;
	return opened;
no_worker:
	if (path)
		path_release(path);
	free(opened);
	return NULL;
}

int disk_open_backend(uv_loop_t *loop, const char *url, const char *name,
		      const struct disk_options *options, const struct disk_backend_ops *ops,
		      disk_handler *handler, void *context, struct disk **disk, struct err *err)
{
	struct disk *opened = path_begin(url, name, options, ops, handler, context, err);
	int rc;

	if (!opened)
		return err->rc;
	rc = path_await_open(opened->path, &opened->facts, err);
	if (rc != 0) {
		path_abandon(opened->path);
		free(opened);
		return rc;
	}
	rc = path_opened(opened->path, opened, loop, err);
	if (rc == 0)
		*disk = opened;
	return rc;
}

static const struct disk_backend_ops *backend_find(const char *url,
						   const struct disk_options *options, char *name,
						   size_t size, struct err *err)
{
	if (url[0] == '/') {
		snprintf(name, size, "%s", url);
		return &disk_file_ops;
	}
	if (!iscsi_url_is(url)) {
		err_set(err, RC_CONFIG, "name a path or iscsi://host/iqn/lun",
			"\"%.*s\" is not a disk", (int)strcspn(url, "%"), url);
		return NULL;
	}
	iscsi_url_show(url, name, size);
	if (options->initiator && strlen(options->initiator) >= ISCSI_NAME_BYTES) {
		err_set(err, RC_CONFIG, NULL, "%s: an initiator name has at most %d bytes", name,
			ISCSI_NAME_BYTES - 1);
		return NULL;
	}
	return &disk_iscsi_ops;
}

int disk_open(uv_loop_t *loop, const char *url, const struct disk_options *options,
	      disk_handler *handler, void *context, struct disk **disk, struct err *err)
{
	char name[DISK_NAME_BYTES];
	const struct disk_backend_ops *ops = backend_find(url, options, name, sizeof name, err);

	return ops ? disk_open_backend(loop, url, name, options, ops, handler, context, disk, err)
		   : RC_CONFIG;
}

/* ---- opening without waiting ---- */

struct disk_opening {
	uv_poll_t poll;
	struct boot_timer timer;
	int open_handles;
	uv_loop_t *loop;
	struct path *path;
	struct disk *disk; /* as far as it is known; of the opening until it is handed out */
	disk_opened *opened;
};

static void opening_handle_closed(struct disk_opening *opening)
{
	if (--opening->open_handles == 0)
		free(opening);
}

static void opening_poll_closed(uv_handle_t *handle)
{
	opening_handle_closed(handle->data);
}

static void opening_timer_closed(struct boot_timer *timer)
{
	opening_handle_closed(timer->data);
}

static void opening_end(struct disk_opening *opening)
{
	uv_close((uv_handle_t *)&opening->poll, opening_poll_closed);
	boot_timer_close(&opening->timer, opening_timer_closed);
}

static void opening_fail(struct disk_opening *opening, const struct err *err)
{
	disk_opened *opened = opening->opened;
	void *context = opening->disk->context;

	disk_open_cancel(opening);
	opened(NULL, err, context);
}

static void opening_polled(uv_poll_t *poll, int status, int events)
{
	struct disk_opening *opening = poll->data;
	struct path *path = opening->path;
	struct disk *disk = opening->disk;
	disk_opened *opened = opening->opened;
	void *context = disk->context;
	struct err err;

	(void)status;
	(void)events;
	pthread_mutex_lock(&path->lock);
	err = path->open_err;
	err.rc = path->open_rc;
	disk->facts = path->facts;
	pthread_mutex_unlock(&path->lock);
	if (err.rc != 0) {
		opening_fail(opening, &err);
		return;
	}
	opening_end(opening);
	if (path_opened(path, disk, opening->loop, &err) != 0)
		opened(NULL, &err, context);
	else
		opened(disk, NULL, context);
}

static void opening_late(struct boot_timer *timer)
{
	struct disk_opening *opening = timer->data;
	struct err err;

	err_set(&err, RC_TIMEOUT, "look at the disk and its path", "%s: not open after %lld ms",
		opening->path->name, (long long)opening->path->open_timeout_ms);
	opening_fail(opening, &err);
}

void disk_open_cancel(struct disk_opening *opening)
{
	opening_end(opening);
	path_abandon(opening->path);
	free(opening->disk);
}

int disk_open_start(uv_loop_t *loop, const char *url, const struct disk_options *options,
		    disk_opened *opened, disk_handler *handler, void *context,
		    struct disk_opening **opening, struct err *err)
{
	char name[DISK_NAME_BYTES];
	const struct disk_backend_ops *ops = backend_find(url, options, name, sizeof name, err);
	struct disk_opening *made;
	int rc;

	if (!ops)
		return RC_CONFIG;
	made = calloc(1, sizeof *made);
	if (!made)
		return err_set(err, RC_INTERNAL, NULL, "%s: out of memory", name);
	made->disk = path_begin(url, name, options, ops, handler, context, err);
	if (!made->disk) {
		free(made);
		return err->rc;
	}
	made->path = made->disk->path;
	made->loop = loop;
	made->opened = opened;
	made->poll.data = made;
	made->open_handles = 2;
	if (boot_timer_init(&made->timer, loop, opening_late, made) != 0) {
		path_abandon(made->path);
		free(made->disk);
		free(made);
		return err_set(err, RC_INTERNAL, NULL, "%s: no timer", name);
	}
	boot_timer_set(&made->timer, mono_add_ms(clock_now(), made->path->open_timeout_ms));
	rc = uv_poll_init(loop, &made->poll, made->path->opened_fd);
	/* An eventfd can be polled. */
	assert(rc == 0);
	made->poll.data = made;
	uv_poll_start(&made->poll, UV_READABLE, opening_polled);
	*opening = made;
	return 0;
}

const struct disk_facts *disk_facts(const struct disk *disk)
{
	return &disk->facts;
}

const char *disk_name(const struct disk *disk)
{
	return disk->path->name;
}

/* ---- requests ---- */

static int check_sectors(const struct disk *disk, const struct disk_request *request,
			 struct err *err)
{
	const struct disk_facts *facts = &disk->facts;
	const char *name = disk->path->name;
	uint64_t count = request->bytes / facts->sector_bytes;

	if (request->bytes == 0 || request->bytes > DISK_BYTES_MAX ||
	    request->bytes % facts->sector_bytes != 0)
		return err_set(err, RC_CONFIG, NULL, "%s: %u bytes are not whole sectors of %u",
			       name, request->bytes, facts->sector_bytes);
	if (request->sector >= facts->sectors || count > facts->sectors - request->sector)
		return err_set(err, RC_CONFIG, NULL,
			       "%s: sectors %llu to %llu lie behind its end (%llu sectors)", name,
			       (unsigned long long)request->sector,
			       (unsigned long long)(request->sector + count - 1),
			       (unsigned long long)facts->sectors);
	if (request->op == DISK_WRITE && (facts->is_read_only || disk->is_read_only_wanted))
		return err_set(err, RC_CONFIG, NULL, "%s: is read-only", name);
	return 0;
}

static int check_scsi(const struct disk *disk, const struct disk_request *request, struct err *err)
{
	const char *name = disk->path->name;

	if (!disk->facts.has_scsi)
		return err_set(err, RC_CONFIG, "use a SCSI disk or an iSCSI URL",
			       "%s: takes no SCSI commands", name);
	if (request->cdb_bytes < 6 || request->cdb_bytes > DISK_CDB_BYTES_MAX ||
	    request->bytes > DISK_BYTES_MAX ||
	    (request->bytes == 0) != (request->direction == DISK_NO_DATA))
		return err_set(err, RC_CONFIG, NULL,
			       "%s: a command of %u bytes with %u bytes of data is malformed", name,
			       request->cdb_bytes, request->bytes);
	if (request->direction == DISK_TO_DEVICE && disk->is_read_only_wanted)
		return err_set(err, RC_CONFIG, NULL, "%s: was opened read-only", name);
	return 0;
}

static int check_request(const struct disk *disk, const struct disk_request *request,
			 struct err *err)
{
	switch (request->op) {
	case DISK_READ:
	case DISK_WRITE:
		return check_sectors(disk, request, err);
	case DISK_FLUSH:
		if (request->bytes != 0)
			return err_set(err, RC_CONFIG, NULL, "%s: a flush has no data",
				       disk->path->name);
		return 0;
	case DISK_SCSI:
		return check_scsi(disk, request, err);
	}
	return err_set(err, RC_CONFIG, NULL, "%s: unknown operation", disk->path->name);
}

/* A free slot: the one whose buffer fits best, so that buffers need not grow for ever. */
static struct slot *slot_pick(struct path *path, uint32_t bytes)
{
	struct slot *best = NULL;

	for (size_t i = 0; i < PATH_SLOTS; i++) {
		struct slot *slot = &path->slots[i];

		if (slot->state != SLOT_FREE)
			continue;
		if (!best || (best->capacity < bytes
				      ? slot->capacity > best->capacity
				      : slot->capacity >= bytes && slot->capacity < best->capacity))
			best = slot;
	}
	return best;
}

static int slot_grow(struct slot *slot, uint32_t bytes)
{
	size_t capacity = BUFFER_ALIGN_BYTES;
	void *grown;

	if (slot->capacity >= bytes)
		return 0;
	while (capacity < bytes)
		capacity *= 2;
	if (posix_memalign(&grown, BUFFER_ALIGN_BYTES, capacity) != 0)
		return RC_INTERNAL;
	free(slot->job.data);
	slot->job.data = grown;
	slot->capacity = capacity;
	return 0;
}

static void slot_fill(struct slot *slot, const struct disk_request *request)
{
	struct disk_job *job = &slot->job;
	int is_out = request->op == DISK_WRITE ||
		     (request->op == DISK_SCSI && request->direction == DISK_TO_DEVICE);

	slot->is_answered = 0;
	slot->token = request->token;
	job->op = request->op;
	job->deadline = request->deadline;
	job->sector = request->sector;
	job->bytes = request->bytes;
	job->direction = request->direction;
	job->cdb_bytes = request->cdb_bytes;
	memcpy(job->cdb, request->cdb, sizeof job->cdb);
	if (is_out)
		memcpy(job->data, request->data, request->bytes);
	else if (request->bytes > 0) /* nobody gets to see what the last request left */
		memset(job->data, 0, request->bytes);
}

static unsigned count_unanswered(const struct path *path)
{
	unsigned count = 0;

	for (size_t i = 0; i < PATH_SLOTS; i++)
		if (path->slots[i].state != SLOT_FREE && !path->slots[i].is_answered)
			count++;
	return count;
}

int disk_submit(struct disk *disk, const struct disk_request *request, struct err *err)
{
	struct path *path = disk->path;
	struct slot *slot;
	int rc;

	if (disk->is_closed)
		return err_set(err, RC_CANCELLED, NULL, "%s: is closed", path->name);
	rc = check_request(disk, request, err);
	if (rc != 0)
		return rc;
	pthread_mutex_lock(&path->lock);
	slot = count_unanswered(path) < DISK_QUEUE_MAX ? slot_pick(path, request->bytes) : NULL;
	if (!slot) {
		rc = err_set(err, RC_BUSY, NULL, "%s: %d requests wait already", path->name,
			     DISK_QUEUE_MAX);
	} else if (slot_grow(slot, request->bytes) != 0) {
		rc = err_set(err, RC_INTERNAL, NULL, "%s: out of memory", path->name);
	} else {
		slot_fill(slot, request);
		slot->order = path->next_order++;
		slot->state = SLOT_QUEUED;
		path_wake(path);
	}
	pthread_mutex_unlock(&path->lock);
	if (rc == 0)
		timer_arm(disk);
	return rc;
}

int disk_reinstate(struct disk *disk, struct err *err)
{
	struct path *path = disk->path;
	int rc = 0;

	if (!path->ops->reinstate)
		return err_set(err, RC_UNSUPPORTED, NULL, "%s: has no session to start anew",
			       path->name);
	pthread_mutex_lock(&path->lock);
	if (path->is_reinstate_wanted || path->is_reinstating) {
		rc = err_set(err, RC_BUSY, NULL, "%s: a login is under way", path->name);
	} else {
		struct slot *slot;

		while ((slot = path_first(path, SLOT_QUEUED))) {
			disk_result_init(&slot->result);
			disk_result_fail(&slot->result, RC_UNREACHABLE, NULL,
					 "%s: the session was given up before its turn came",
					 path->name);
			slot->ended_at = clock_now();
			slot->state = SLOT_ENDED;
		}
		path->is_reinstate_wanted = 1;
		atomic_store(&path->wake.is_interrupted, 1);
		path_wake(path);
		uv_async_send(&disk->async);
	}
	pthread_mutex_unlock(&path->lock);
	return rc;
}
