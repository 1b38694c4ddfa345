/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_client_io.c - requests to lockd, and what it says; see lockd_client_io.h.
 */
#include "lockd/client/lockd_client_io.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/clock.h"

#define SOCKET_PATH "/run/holdfast/lockd.sock"

enum {
	PROTOCOL_VERSION = 1,
	/* An answer may tell of every node and lock; a request is at most 64 KiB. */
	ANSWER_MAX = 4 << 20,
	FIRST_BYTES = 4096,
	AGAIN_MS = 10,
};

struct lockd_client {
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	json_int_t next_id;
	char *bytes;
	size_t capacity, length, begin;
};

/* ---- waiting ---- */

/* 0: ready; RC_TIMEOUT. */
static int wait_for(const struct lockd_client *client, short events, mono_t deadline,
		    struct err *err)
{
	for (;;) {
		struct pollfd fd = { .fd = client->fd, .events = events };
		int64_t left_ms = mono_left_ms(clock_now(), deadline);
		int found = poll(&fd, 1, left_ms < INT_MAX ? (int)left_ms : INT_MAX);

		if (found > 0)
			return 0;
		if (found < 0 && errno != EINTR)
			return err_set(err, RC_INTERNAL, NULL, "poll: %s", strerror(errno));
		if (found == 0 && mono_reached(clock_now(), deadline))
			return err_set(err, RC_TIMEOUT, "see holdfast lock status",
				       "lockd at %s: no answer in time", client->path);
	}
}

static int gone(const struct lockd_client *client, struct err *err)
{
	return err_set(err, RC_UNREACHABLE, "look at its log", "lockd at %s: has gone away",
		       client->path);
}

/* ---- opening ---- */

static int connect_failed(const struct lockd_client *client, int error, struct err *err)
{
	switch (error) {
	case ENOENT:
	case ECONNREFUSED:
		return err_set(err, RC_UNREACHABLE, "start lockd on this node",
			       "lockd at %s: does not run", client->path);
	case EACCES:
	case EPERM:
		return err_set(err, RC_PRIVILEGE, "ask as root", "lockd at %s: %s", client->path,
			       strerror(error));
	default:
		return err_set(err, RC_UNREACHABLE, NULL, "lockd at %s: %s", client->path,
			       strerror(error));
	}
}

/* A UNIX socket connects at once, or fails; with EAGAIN where many others wait to be accepted. */
static int connect_by(struct lockd_client *client, const struct sockaddr_un *address,
		      mono_t deadline, struct err *err)
{
	for (;;) {
		mono_t now = clock_now();

		if (mono_reached(now, deadline))
			return err_set(err, RC_TIMEOUT, "try again",
				       "lockd at %s: takes nobody at the moment", client->path);
		if (connect(client->fd, (const struct sockaddr *)address, sizeof *address) == 0)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return connect_failed(client, errno, err);
		clock_sleep_until(mono_min(deadline, mono_add_ms(now, AGAIN_MS)));
	}
}

int lockd_client_open(struct lockd_client **client, const char *socket_path, mono_t deadline,
		      struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct lockd_client *made = calloc(1, sizeof *made);
	const char *path = socket_path ? socket_path : getenv("HOLDFAST_LOCKD_SOCKET");
	int rc;

	*client = NULL;
	if (!made)
		return err_set(err, RC_INTERNAL, NULL, "no memory");
	if (!path || !*path)
		path = SOCKET_PATH;
	snprintf(made->path, sizeof made->path, "%s", path);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	made->next_id = 1;
	made->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (made->fd < 0)
		rc = err_set(err, RC_INTERNAL, NULL, "socket: %s", strerror(errno));
	else if (strlen(path) >= sizeof address.sun_path)
		rc = err_set(err, RC_CONFIG, NULL, "lockd at %s: the path is too long", path);
	else
		rc = connect_by(made, &address, deadline, err);
	if (rc)
		lockd_client_close(made);
	else
		*client = made;
	return rc;
}

int lockd_client_fd(const struct lockd_client *client)
{
	return client->fd;
}

void lockd_client_close(struct lockd_client *client)
{
	if (!client)
		return;
	if (client->fd >= 0)
		close(client->fd);
	free(client->bytes);
	free(client);
}

/* ---- sending ---- */

static int bytes_send(struct lockd_client *client, const char *bytes, size_t length,
		      mono_t deadline, struct err *err)
{
	while (length > 0) {
		ssize_t sent = send(client->fd, bytes, length, MSG_NOSIGNAL);

		if (sent >= 0) {
			bytes += sent;
			length -= (size_t)sent;
		} else if (errno == EAGAIN) {
			int rc = wait_for(client, POLLOUT, deadline, err);

			if (rc)
				return rc;
		} else if (errno != EINTR) {
			return gone(client, err);
		}
	}
	return 0;
}

static int request_send(struct lockd_client *client, const char *op, json_t *fields,
			mono_t deadline, json_int_t *id, struct err *err)
{
	json_t *request = json_pack("{s:i, s:I, s:s}", "v", PROTOCOL_VERSION, "id", client->next_id,
				    "op", op);
	char *text;
	size_t length;
	int rc;

	if (fields)
		json_object_update(request, fields);
	json_decref(fields);
	text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (!text)
		return err_set(err, RC_INTERNAL, NULL, "a request that cannot be written");
	*id = client->next_id++;
	length = strlen(text);
	text[length] = '\n'; /* in place of the NUL */
	rc = bytes_send(client, text, length + 1, deadline, err);
	free(text);
	return rc;
}

int lockd_client_post(struct lockd_client *client, const char *op, json_t *fields, json_int_t *id,
		      struct err *err)
{
	/* A request fits into the socket's buffer; a lockd that reads none of many is not waited for. */
	return request_send(client, op, fields, clock_now(), id, err);
}

/* ---- receiving ---- */

/* Room for more, what was taken being thrown away. */
static int room_make(struct lockd_client *client, struct err *err)
{
	size_t capacity = client->capacity ? client->capacity : FIRST_BYTES;
	char *bytes;

	if (client->begin > 0) {
		memmove(client->bytes, client->bytes + client->begin,
			client->length - client->begin);
		client->length -= client->begin;
		client->begin = 0;
	}
	if (client->length < client->capacity)
		return 0;
	if (client->capacity)
		capacity *= 2;
	if (capacity > ANSWER_MAX)
		return err_set(err, RC_PROTOCOL, NULL, "lockd at %s: an answer without an end",
			       client->path);
	bytes = realloc(client->bytes, capacity);
	if (!bytes)
		return err_set(err, RC_INTERNAL, NULL, "no memory");
	client->bytes = bytes;
	client->capacity = capacity;
	return 0;
}

/* A whole line that is there already; 1: none. */
static int line_take(struct lockd_client *client, json_t **object, struct err *err)
{
	char *line = client->bytes + client->begin;
	char *end = client->length > client->begin
			    ? memchr(line, '\n', client->length - client->begin)
			    : NULL;

	if (!end)
		return 1;
	client->begin = (size_t)(end + 1 - client->bytes);
	*object = json_loadb(line, (size_t)(end - line), JSON_REJECT_DUPLICATES, NULL);
	if (json_is_object(*object) &&
	    json_integer_value(json_object_get(*object, "v")) == PROTOCOL_VERSION)
		return 0;
	json_decref(*object);
	*object = NULL;
	return err_set(err, RC_PROTOCOL, "is it lockd, of this version?",
		       "lockd at %s: said what makes no sense", client->path);
}

int lockd_client_next(struct lockd_client *client, mono_t deadline, json_t **object,
		      struct err *err)
{
	*object = NULL;
	for (;;) {
		int rc = line_take(client, object, err);
		ssize_t got;

		if (rc <= 0)
			return rc;
		rc = room_make(client, err);
		if (rc)
			return rc;
		got = recv(client->fd, client->bytes + client->length,
			   client->capacity - client->length, 0);
		if (got > 0) {
			client->length += (size_t)got;
		} else if (got < 0 && errno == EAGAIN) {
			rc = wait_for(client, POLLIN, deadline, err);
			if (rc)
				return rc;
		} else if (got == 0 || errno != EINTR) {
			return gone(client, err);
		}
	}
}

/* The failure that lockd told of; its sentence holds the next step already. */
static int answer_judge(const struct lockd_client *client, const json_t *answer, struct err *err)
{
	const char *cause = json_string_value(json_object_get(answer, "cause"));
	const char *text = json_string_value(json_object_get(answer, "error"));
	int rc = cause ? rc_from_word(cause) : RC_PROTOCOL;

	if (json_is_true(json_object_get(answer, "ok")))
		return 0;
	if (!text)
		return err_set(err, RC_PROTOCOL, NULL, "lockd at %s: failed without a reason",
			       client->path);
	return err_set(err, rc < 0 ? rc : RC_PROTOCOL, NULL, "%s", text);
}

int lockd_client_call(struct lockd_client *client, const char *op, json_t *fields, mono_t deadline,
		      lockd_client_progress *progress, void *context, json_t **answer,
		      struct err *err)
{
	json_int_t id;
	json_t *object;
	int rc = request_send(client, op, fields, deadline, &id, err);

	if (answer)
		*answer = NULL;
	while (rc == 0) {
		const json_t *its_id;
		const char *word;

		rc = lockd_client_next(client, deadline, &object, err);
		if (rc)
			return rc;
		its_id = json_object_get(object, "id");
		word = json_string_value(json_object_get(object, "progress"));
		/* A complaint about the line itself has no id, and there is but this one. */
		if (json_is_null(its_id) ||
		    (json_is_integer(its_id) && json_integer_value(its_id) == id && !word)) {
			rc = answer_judge(client, object, err);
			if (rc == 0 && answer)
				*answer = json_incref(object);
			json_decref(object);
			return rc;
		}
		if (word && progress && json_integer_value(its_id) == id)
			progress(word, object, context);
		json_decref(object);
	}
	return rc;
}
