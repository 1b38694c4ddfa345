/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_server_io.c - the socket of lockd; see lockd_server_io.h.
 */
#include "lockd/lockd_server_io.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lockd/lockd_heart_io.h"
#include "lockd/lockd_request.h"

enum {
	CLIENTS_MAX = 64,
	CALLS_MAX = 32,		 /* of one client without a final answer */
	UNSENT_MAX = 256 * 1024, /* bytes that a client has not read */
	BAD_LINES_MAX = 8,	 /* of one client; then it is no client */
	LINE_FIRST_BYTES = 1024,
	BACKLOG = 128,
};

struct lockd_peer {
	uv_pipe_t pipe;
	struct lockd *lockd;
	struct lockd_peer *next, **link;
	pid_t pid;
	uid_t uid;
	char *line;
	size_t capacity, length;
	unsigned bad_lines, calls_count;
	unsigned topics; /* bits of enum lockd_topic */
	struct lockd_call *calls;
	int is_closing;
	int is_last;   /* what is being sent now is the last of it */
	int is_doomed; /* to be closed when nobody works with it */
};

struct lockd_server {
	uv_pipe_t pipe;
	uv_idle_t sweep; /* of the doomed */
	int open_handles;
	struct lockd *lockd;
	struct lockd_peer *peers;
	unsigned count;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* ---- the end of a client ---- */

static void peer_closed(uv_handle_t *handle)
{
	struct lockd_peer *peer = handle->data;

	free(peer->line);
	free(peer);
}

static void call_free(struct lockd_call *call)
{
	struct lockd_call **link = &call->peer->calls;

	while (*link != call)
		link = &(*link)->next;
	*link = call->next;
	call->peer->calls_count--;
	json_decref((json_t *)call->request);
	free(call);
}

static void peer_close(struct lockd_peer *peer)
{
	if (peer->is_closing)
		return;
	peer->is_closing = 1;
	*peer->link = peer->next;
	if (peer->next)
		peer->next->link = peer->link;
	peer->lockd->server->count--;
	while (peer->calls) {
		struct lockd_call *call = peer->calls;

		if (call->gone)
			call->gone(call);
		peer->calls = call->next;
		json_decref((json_t *)call->request);
		free(call);
	}
	uv_close((uv_handle_t *)&peer->pipe, peer_closed);
}

static void sweep(uv_idle_t *idle)
{
	struct lockd_server *server = idle->data;
	struct lockd_peer *peer = server->peers;

	uv_idle_stop(idle);
	while (peer) {
		struct lockd_peer *doomed = peer;

		peer = peer->next;
		if (doomed->is_doomed)
			peer_close(doomed);
	}
}

/* A client can fail while a part works on one of its calls: it goes when the loop turns. */
static void peer_doom(struct lockd_peer *peer)
{
	peer->is_doomed = 1;
	uv_read_stop((uv_stream_t *)&peer->pipe);
	uv_idle_start(&peer->lockd->server->sweep, sweep);
}

/* ---- sending ---- */

struct letter {
	uv_write_t write;
	struct lockd_peer *peer;
	char *text;
};

static void letter_sent(uv_write_t *write, int status)
{
	struct letter *letter = write->data;
	struct lockd_peer *peer = letter->peer;

	free(letter->text);
	free(letter);
	if (status ||
	    (peer->is_last && uv_stream_get_write_queue_size((uv_stream_t *)&peer->pipe) == 0))
		peer_close(peer);
}

/* The object is taken. */
static void send_object(struct lockd_peer *peer, json_t *object)
{
	json_t *whole = json_pack("{s:i}", "v", LOCKD_PROTOCOL_VERSION);
	struct letter *letter;
	uv_buf_t buffer;
	char *text;
	size_t length;

	json_object_update(whole, object);
	json_decref(object);
	if (peer->is_closing || peer->is_doomed) {
		json_decref(whole);
		return;
	}
	text = json_dumps(whole, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(whole);
	letter = calloc(1, sizeof *letter);
	if (!text || !letter)
		abort();
	length = strlen(text);
	text[length] = '\n'; /* in place of the NUL */
	if (uv_stream_get_write_queue_size((uv_stream_t *)&peer->pipe) + length > UNSENT_MAX) {
		lockd_log(LOCKD_WARN, "a client (process %d) does not read; dropped", peer->pid);
		free(text);
		free(letter);
		peer_doom(peer);
		return;
	}
	letter->peer = peer;
	letter->text = text;
	letter->write.data = letter;
	buffer = uv_buf_init(text, (unsigned)length + 1);
	if (uv_write(&letter->write, (uv_stream_t *)&peer->pipe, &buffer, 1, letter_sent)) {
		free(text);
		free(letter);
		peer_doom(peer);
	}
}

static json_t *failure(int has_id, json_int_t id, const struct err *err)
{
	char text[sizeof err->text + sizeof err->next + 4];

	snprintf(text, sizeof text, "%s%s%s", err->text, err->next[0] ? "; " : "", err->next);
	return json_pack("{s:o, s:b, s:s, s:s}", "id", has_id ? json_integer(id) : json_null(),
			 "ok", 0, "cause", rc_word(err->rc), "error", text);
}

void lockd_call_ok(struct lockd_call *call, json_t *fields)
{
	struct lockd_peer *peer = call->peer;
	json_t *object = json_pack("{s:I, s:b}", "id", call->id, "ok", 1);

	if (fields)
		json_object_update(object, fields);
	json_decref(fields);
	call_free(call);
	send_object(peer, object);
}

void lockd_call_fail(struct lockd_call *call, const struct err *err)
{
	struct lockd_peer *peer = call->peer;
	json_t *object = failure(1, call->id, err);

	call_free(call);
	send_object(peer, object);
}

void lockd_call_progress(struct lockd_call *call, const char *word, json_t *fields)
{
	json_t *object = json_pack("{s:I, s:s}", "id", call->id, "progress", word);

	if (fields)
		json_object_update(object, fields);
	json_decref(fields);
	send_object(call->peer, object);
}

static const char *const topics[LOCKD_TOPICS] = {
	[LOCKD_TOPIC_PEER] = "peer",	   [LOCKD_TOPIC_DISK] = "disk",
	[LOCKD_TOPIC_LEASE] = "lease",	   [LOCKD_TOPIC_LOCK] = "lock",
	[LOCKD_TOPIC_PILL] = "pill",	   [LOCKD_TOPIC_WATCHDOG] = "watchdog",
	[LOCKD_TOPIC_ARBITER] = "arbiter",
};

void lockd_event(struct lockd *lockd, enum lockd_topic topic, json_t *fields)
{
	struct lockd_peer *peer = lockd->server ? lockd->server->peers : NULL;

	for (; peer; peer = peer->next) {
		json_t *object;

		if (!(peer->topics & 1U << topic))
			continue;
		object = json_pack("{s:s}", "event", topics[topic]);
		json_object_update(object, fields);
		send_object(peer, object);
	}
	json_decref(fields);
}

void lockd_server_subscribe(struct lockd_call *call)
{
	const json_t *events = json_object_get(call->request, "events");
	unsigned wanted = 0;
	struct err err;

	if (!json_is_array(events)) {
		err_set(&err, RC_CONFIG, "give an array of topics, [] for none",
			"request: \"events\" is no array");
		lockd_call_fail(call, &err);
		return;
	}
	for (size_t i = 0; i < json_array_size(events); i++) {
		const char *word = json_string_value(json_array_get(events, i));
		unsigned topic = 0;

		while (topic < LOCKD_TOPICS && (!word || strcmp(word, topics[topic]) != 0))
			topic++;
		if (topic == LOCKD_TOPICS) {
			err_set(&err, RC_CONFIG, "see docs/lockd-protocol.md",
				"request: \"events\" holds an unknown topic");
			lockd_call_fail(call, &err);
			return;
		}
		wanted |= 1U << topic;
	}
	call->peer->topics = wanted;
	lockd_call_ok(call, NULL);
}

/* ---- requests ---- */

/* What is wrong with a line; enough of it ends the connection. */
static void line_refuse(struct lockd_peer *peer, const struct lockd_request *request,
			const struct err *err, int is_last)
{
	if (++peer->bad_lines >= BAD_LINES_MAX || is_last) {
		peer->is_last = 1;
		uv_read_stop((uv_stream_t *)&peer->pipe);
	}
	send_object(peer, failure(request->has_id, request->id, err));
}

static const struct lockd_op *op_find(const char *name)
{
	for (size_t i = 0; lockd_parts[i]; i++)
		for (const struct lockd_op *op = lockd_parts[i]->ops; op && op->name; op++)
			if (strcmp(op->name, name) == 0)
				return op;
	return NULL;
}

/* Is a call still to be answered? Its memory is looked for, not into. */
static int call_is_open(const struct lockd_peer *peer, const struct lockd_call *call)
{
	for (const struct lockd_call *open = peer->calls; open; open = open->next)
		if (open == call)
			return 1;
	return 0;
}

static void call_run(struct lockd_peer *peer, const struct lockd_op *op,
		     const struct lockd_request *request)
{
	struct lockd_call *call = calloc(1, sizeof *call);

	if (!call)
		abort();
	*call = (struct lockd_call){ .lockd = peer->lockd,
				     .request = request->object,
				     .id = request->id,
				     .op = op->name,
				     .pid = peer->pid,
				     .uid = peer->uid,
				     .peer = peer,
				     .next = peer->calls };
	peer->calls = call;
	peer->calls_count++;
	op->run(call);
	/* Who answers later must hear of a client that goes. */
	assert(!call_is_open(peer, call) || call->gone);
}

static void request_take(struct lockd_peer *peer, const char *line, size_t length)
{
	struct lockd_request request;
	const struct lockd_op *op;
	const char *stage = NULL;
	json_t *answer;
	struct err err;

	if (lockd_request_read(line, length, &request, &err)) {
		line_refuse(peer, &request, &err, 0);
		return;
	}
	op = op_find(request.op);
	if (!op) {
		err_set(&err, RC_UNSUPPORTED, "see docs/lockd-protocol.md",
			"request: this lockd knows no op \"%s\"", request.op);
	} else if (peer->calls_count >= CALLS_MAX) {
		err_set(&err, RC_BUSY, "wait for an answer", "request: %d are not answered yet",
			CALLS_MAX);
		op = NULL;
	} else if (op->needs_active && !peer->lockd->is_active) {
		stage = lockd_stage_word(peer->lockd);
		err_set(&err, RC_STATE, "see holdfast lock status",
			"node %u: is not active on its disks (%s)", peer->lockd->options.node,
			stage);
		op = NULL;
	}
	if (op) {
		call_run(peer, op, &request);
		return;
	}
	answer = failure(1, request.id, &err);
	if (stage)
		json_object_set_new(answer, "stage", json_string(stage));
	send_object(peer, answer);
	json_decref(request.object);
}

/* All whole lines that have come. */
static void lines_take(struct lockd_peer *peer)
{
	struct lockd_request none = { 0 };
	size_t begin = 0;
	struct err err;

	while (!peer->is_doomed && !peer->is_last) {
		char *end = memchr(peer->line + begin, '\n', peer->length - begin);
		size_t length;

		if (!end)
			break;
		length = (size_t)(end - (peer->line + begin));
		request_take(peer, peer->line + begin, length);
		begin += length + 1;
	}
	memmove(peer->line, peer->line + begin, peer->length - begin);
	peer->length -= begin;
	if (peer->length < LOCKD_LINE_MAX || peer->is_doomed || peer->is_last)
		return;
	err_set(&err, RC_PROTOCOL, NULL, "request: is longer than %d bytes", LOCKD_LINE_MAX - 1);
	line_refuse(peer, &none, &err, 1);
}

/* ---- receiving ---- */

static void line_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
	struct lockd_peer *peer = handle->data;

	(void)suggested;
	if (peer->length == peer->capacity) {
		size_t capacity = peer->capacity ? 2 * peer->capacity : LINE_FIRST_BYTES;
		char *line = realloc(peer->line, capacity);

		if (!line)
			abort();
		peer->line = line;
		peer->capacity = capacity;
	}
	*buffer = uv_buf_init(peer->line + peer->length, (unsigned)(peer->capacity - peer->length));
}

static void bytes_came(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
	struct lockd_peer *peer = stream->data;

	(void)buffer;
	if (count < 0) {
		peer_close(peer);
		return;
	}
	peer->length += (size_t)count;
	/* This process may have stood still: the lease first, then what somebody wants of it (S6). */
	lockd_lease_look(peer->lockd);
	lines_take(peer);
}

static int credentials_look(struct lockd_peer *peer)
{
	struct ucred credentials;
	socklen_t size = sizeof credentials;
	uv_os_fd_t fd;

	if (uv_fileno((uv_handle_t *)&peer->pipe, &fd) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
		return -1;
	peer->pid = credentials.pid;
	peer->uid = credentials.uid;
	return peer->uid == 0 || peer->uid == geteuid() ? 0 : -1;
}

static void connected(uv_stream_t *stream, int status)
{
	struct lockd_server *server = stream->data;
	struct lockd_request none = { 0 };
	struct lockd_peer *peer;
	struct err err;

	if (status)
		return;
	peer = calloc(1, sizeof *peer);
	if (!peer)
		abort();
	peer->lockd = server->lockd;
	uv_pipe_init(&server->lockd->loop, &peer->pipe, 0);
	peer->pipe.data = peer;
	peer->next = server->peers;
	peer->link = &server->peers;
	if (peer->next)
		peer->next->link = &peer->next;
	server->peers = peer;
	server->count++;
	if (uv_accept(stream, (uv_stream_t *)&peer->pipe)) {
		peer_close(peer);
		return;
	}
	if (credentials_look(peer)) {
		err_set(&err, RC_PRIVILEGE, "ask as root",
			"lockd: serves root and its own user alone");
		line_refuse(peer, &none, &err, 1);
	} else if (server->count > CLIENTS_MAX) {
		err_set(&err, RC_BUSY, "try again", "lockd: has %d clients", CLIENTS_MAX);
		line_refuse(peer, &none, &err, 1);
	} else if (uv_read_start((uv_stream_t *)&peer->pipe, line_room, bytes_came)) {
		peer_close(peer);
	}
}

/* ---- members of a request ---- */

int lockd_call_text(const struct lockd_call *call, const char *member, int required,
		    const char **value, struct err *err)
{
	return lockd_member_text(call->request, member, required, value, err);
}

int lockd_call_number(const struct lockd_call *call, const char *member, int required,
		      int64_t least, int64_t most, int64_t *value, struct err *err)
{
	return lockd_member_number(call->request, member, required, least, most, value, err);
}

int lockd_call_node(const struct lockd_call *call, const char *member, uint16_t *node,
		    struct err *err)
{
	const struct lockd *lockd = call->lockd;
	const char *name = json_string_value(json_object_get(call->request, member));
	uint16_t match = 0;
	int64_t number = 0;
	int rc;

	if (!name) {
		rc = lockd_member_number(call->request, member, 1, 1, lockd->super.nodes_max,
					 &number, err);
		*node = (uint16_t)number;
		return rc;
	}
	for (uint16_t i = 1; *name && i <= lockd->super.nodes_max; i++) {
		if (strcmp(lockd_node_name(lockd, i), name) != 0)
			continue;
		if (match)
			return err_set(err, RC_CONFIG, "name it by its number",
				       "nodes %u and %u are both called \"%s\"", match, i, name);
		match = i;
	}
	if (!match)
		return err_set(err, RC_CONFIG, "see holdfast lock status",
			       "no node was seen that is called \"%.64s\"", name);
	*node = match;
	return 0;
}

/* ---- life ---- */

/* A path that nobody listens at is what a former lockd left. */
static int path_clear(const char *path, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc = 0;
	struct stat found;

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (lstat(path, &found) == 0 && !S_ISSOCK(found.st_mode))
		rc = err_set(err, RC_CONFIG, "give another --socket", "%s: is there, and no socket",
			     path);
	else if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
		rc = err_set(err, RC_BUSY, "give this one another --socket",
			     "%s: another program listens there", path);
	else
		unlink(path);
	if (fd >= 0)
		close(fd);
	return rc;
}

static void folder_of(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	snprintf(folder, sizeof folder, "%s", path);
	slash = strrchr(folder, '/');
	if (slash && slash != folder) {
		*slash = '\0';
		mkdir(folder, 0755);
	}
}

int lockd_server_open(struct lockd *lockd, struct err *err)
{
	struct lockd_server *server = calloc(1, sizeof *server);
	mode_t mask;
	int rc;

	if (!server)
		abort();
	server->lockd = lockd;
	snprintf(server->path, sizeof server->path, "%s", lockd->options.socket);
	folder_of(server->path);
	rc = path_clear(server->path, err);
	if (rc) {
		free(server);
		return rc;
	}
	uv_pipe_init(&lockd->loop, &server->pipe, 0);
	uv_idle_init(&lockd->loop, &server->sweep);
	server->pipe.data = server->sweep.data = server;
	lockd->server = server;
	mask = umask(0177);
	rc = uv_pipe_bind(&server->pipe, server->path);
	umask(mask);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&server->pipe, BACKLOG, connected);
	if (rc)
		return err_set(err, RC_CONFIG, "give another --socket", "%s: %s", server->path,
			       uv_strerror(rc));
	return 0;
}

unsigned lockd_server_clients(const struct lockd *lockd)
{
	return lockd->server->count;
}

static void server_closed(uv_handle_t *handle)
{
	struct lockd_server *server = handle->data;

	if (--server->open_handles == 0)
		free(server);
}

void lockd_server_close(struct lockd *lockd)
{
	struct lockd_server *server = lockd->server;

	if (!server)
		return;
	while (server->peers)
		peer_close(server->peers);
	lockd->server = NULL;
	/* libuv takes the path away too. */
	server->open_handles = 2;
	uv_close((uv_handle_t *)&server->pipe, server_closed);
	uv_close((uv_handle_t *)&server->sweep, server_closed);
}
