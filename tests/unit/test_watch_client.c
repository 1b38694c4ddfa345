/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_watch_client.c - the three calls of libholdfast-watchdog against a server that does what
 * watchdogd does, and much that it does not.
 *
 * SIGPIPE keeps its default action: a write to a closed connection that raised it would end the
 * test.
 * LINK: watch
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "watchdog/client/watch_link_io.h"
#include "watchdog/client/watch_wire.h"
#include "watchdog/client/watchdog.h"

/* ---- a server for one connection ---- */

/* What it does with a packet of one type. */
enum answer {
	ANSWER_WELL,	/* TERMS, or BYE */
	ANSWER_NOT,	/* reads on */
	ANSWER_REFUSE,	/* REFUSED with script.reason */
	ANSWER_EXPIRED, /* TERMS of a watchdogd that no longer pets */
	ANSWER_VERSION, /* a packet of another version */
	ANSWER_GARBAGE,
	ANSWER_OVERSIZE,
	ANSWER_STRANGE, /* a packet that nobody asked for */
	ANSWER_CLOSE,	/* closes the connection */
	ANSWER_STOP,	/* reads no more, but stays */
};

struct script {
	enum answer to_register, to_renew, to_goodbye;
	enum watch_refusal reason;
};

static struct server {
	struct script script;
	char path[64];
	int listener;
	pthread_t thread;
	/* What came, in order; read when the thread has ended. */
	struct watch_packet seen[512];
	size_t seen_count;
	int closed; /* of the client, seen */
} server;

static void answer_give(int fd, enum answer answer, enum watch_type type)
{
	uint8_t bytes[2 * WATCH_WIRE_BYTES_MAX] = { 0 };
	struct watch_packet packet = {
		.type = type == WATCH_GOODBYE ? WATCH_BYE : WATCH_TERMS,
		.terms = { 5000, 10000 + (uint32_t)server.seen_count, 15250, WATCH_PROOF_HARDWARE,
			   WATCH_STATE_PETTING },
	};
	size_t length;

	if (answer == ANSWER_REFUSE) {
		packet.type = WATCH_REFUSED;
		packet.refused = (struct watch_refused){ .reason = (uint8_t)server.script.reason,
							 .text = "mydb: too late",
							 .next = "stop" };
	} else if (answer == ANSWER_STRANGE) {
		packet.type = WATCH_QUERY;
	} else if (answer == ANSWER_EXPIRED) {
		packet.terms.state = WATCH_STATE_EXPIRED;
	}
	length = watch_wire_out(&packet, bytes);
	if (answer == ANSWER_VERSION)
		bytes[4] = 2;
	else if (answer == ANSWER_GARBAGE)
		memset(bytes, 'x', length);
	else if (answer == ANSWER_OVERSIZE)
		length = sizeof bytes;
	assert_int_equal(send(fd, bytes, length, MSG_NOSIGNAL), length);
}

static enum answer answer_to(enum watch_type type)
{
	return type == WATCH_REGISTER ? server.script.to_register
	       : type == WATCH_RENEW  ? server.script.to_renew
				      : server.script.to_goodbye;
}

static void *server_run(void *arg)
{
	int fd = accept(server.listener, NULL, NULL);

	assert_true(fd >= 0);
	for (;;) {
		uint8_t bytes[WATCH_WIRE_BYTES_MAX];
		ssize_t got = recv(fd, bytes, sizeof bytes, 0);
		struct watch_packet packet;
		enum answer answer;

		if (got <= 0) {
			server.closed = 1;
			break;
		}
		assert_int_equal(watch_wire_in(bytes, (size_t)got, &packet), 0);
		if (server.seen_count < sizeof server.seen / sizeof server.seen[0])
			server.seen[server.seen_count++] = packet;
		answer = answer_to(packet.type);
		if (answer == ANSWER_CLOSE)
			break;
		if (answer == ANSWER_STOP)
			return arg; /* the connection stays, unread */
		if (answer != ANSWER_NOT)
			answer_give(fd, answer, packet.type);
	}
	close(fd);
	return arg;
}

static void server_listen(int type)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memset(&server, 0, sizeof server);
	snprintf(server.path, sizeof server.path, "/tmp/holdfast-test-%ld.sock", (long)getpid());
	unlink(server.path);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", server.path);
	server.listener = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	assert_true(server.listener >= 0);
	assert_int_equal(bind(server.listener, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(server.listener, 1), 0);
	assert_int_equal(setenv("HOLDFAST_WATCHDOG_SOCKET", server.path, 1), 0);
}

static void server_start(struct script script)
{
	server_listen(SOCK_SEQPACKET);
	server.script = script;
	assert_int_equal(pthread_create(&server.thread, NULL, server_run, NULL), 0);
}

/* Wait for its end: it comes when the connection is closed, by either side. */
static void server_join(void)
{
	assert_int_equal(pthread_join(server.thread, NULL), 0);
	close(server.listener);
	unlink(server.path);
}

static size_t seen_of(enum watch_type type)
{
	size_t count = 0;

	for (size_t i = 0; i < server.seen_count; i++)
		count += server.seen[i].type == type;
	return count;
}

static struct holdfast_watchdog *open_well(struct holdfast_watchdog_terms *terms)
{
	struct holdfast_watchdog *watchdog;

	assert_int_equal(holdfast_watchdog_open("mydb", 5000, &watchdog, terms), 0);
	assert_non_null(watchdog);
	return watchdog;
}

/* Between two renewals, or they fill the socket. */
static void pause_shortly(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	nanosleep(&pause, NULL);
}

/* Renew until that fails; the errno. */
static int renew_until_failure(struct holdfast_watchdog *watchdog,
			       struct holdfast_watchdog_terms *terms)
{
	int64_t until = watch_until_ns(20000);

	while (watch_now_ns() < until) {
		if (holdfast_watchdog_renew(watchdog, 0, terms))
			return errno;
		pause_shortly();
	}
	fail_msg("renewals went on for 20 s");
	return 0;
}

/* ---- as it should be ---- */

static void test_open_renew_close(void **state)
{
	struct holdfast_watchdog_terms terms = { .why = "x" };
	struct holdfast_watchdog *watchdog;
	int64_t before = watch_now_ns(), after, until;

	(void)state;
	server_start((struct script){ .to_renew = ANSWER_WELL });
	watchdog = open_well(&terms);
	assert_int_equal(terms.deadline_ms, 5000);
	assert_int_equal(terms.device_ms, 10001);
	assert_int_equal(terms.bound_ms, 15250);
	assert_int_equal(terms.proof, HOLDFAST_WATCHDOG_PROOF_HARDWARE);
	assert_string_equal(terms.why, "");
	assert_int_equal(holdfast_watchdog_renew(watchdog, before, NULL), 0);
	/* the terms of an answer are known at a later call */
	until = watch_until_ns(20000);
	while (terms.device_ms < 10002 && watch_now_ns() < until) {
		assert_int_equal(holdfast_watchdog_renew(watchdog, 0, &terms), 0);
		pause_shortly();
	}
	assert_true(terms.device_ms >= 10002);
	after = watch_now_ns();
	assert_int_equal(holdfast_watchdog_close(watchdog), 0);
	server_join();
	assert_true(server.closed);
	assert_string_equal(server.seen[0].reg.name, "mydb");
	assert_int_equal(server.seen[0].reg.deadline_ms, 5000);
	assert_true(server.seen[1].since_ns == before);
	/* Now is the moment of the call: watchdogd may read it much later. */
	assert_in_range(server.seen[0].reg.since_ns, before, after);
	assert_in_range(server.seen[2].since_ns, before, after);
	assert_int_equal(seen_of(WATCH_GOODBYE), 1);
}

static void test_close_of_nothing(void **state)
{
	(void)state;
	assert_int_equal(holdfast_watchdog_close(NULL), 0);
}

/* The descriptor is closed by exec and does not block. */
static void test_descriptor(void **state)
{
	struct holdfast_watchdog *watchdog;
	int found = 0;

	(void)state;
	server_start((struct script){ 0 });
	watchdog = open_well(NULL);
	for (int fd = 0; fd < 1024; fd++) {
		struct sockaddr_un peer = { 0 };
		socklen_t length = sizeof peer;

		if (getpeername(fd, (struct sockaddr *)&peer, &length) != 0 ||
		    strcmp(peer.sun_path, server.path) != 0)
			continue;
		found++;
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	}
	assert_int_equal(found, 1);
	assert_int_equal(holdfast_watchdog_close(watchdog), 0);
	server_join();
}

/* ---- open ---- */

static void check_open_fails(int error, const char *why)
{
	struct holdfast_watchdog *watchdog = (void *)1;
	struct holdfast_watchdog_terms terms = { .bound_ms = 7 };

	assert_int_equal(holdfast_watchdog_open("mydb", 5000, &watchdog, &terms), -1);
	assert_int_equal(errno, error);
	assert_null(watchdog);
	assert_int_equal(terms.bound_ms, 0);
	if (!strstr(terms.why, why))
		fail_msg("\"%s\" is not in \"%s\"", why, terms.why);
	/* object, cause, next step */
	assert_non_null(strchr(terms.why, ':'));
	assert_int_equal(holdfast_watchdog_open("mydb", 5000, &watchdog, NULL), -1);
}

static void test_open_arguments(void **state)
{
	static const char *const names[] = { "", "a b", "01234567890123456789012345678901", "a/b" };
	struct holdfast_watchdog_terms terms;
	struct holdfast_watchdog *watchdog;

	(void)state;
	setenv("HOLDFAST_WATCHDOG_SOCKET", "/nonexistent/watchdog.sock", 1);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		assert_int_equal(holdfast_watchdog_open(names[i], 5000, &watchdog, &terms), -1);
		assert_int_equal(errno, EINVAL);
		assert_non_null(strstr(terms.why, "not a name"));
	}
	assert_int_equal(holdfast_watchdog_open(NULL, 5000, &watchdog, &terms), -1);
	assert_int_equal(errno, EINVAL);
	assert_int_equal(holdfast_watchdog_open("mydb", 99, &watchdog, &terms), -1);
	assert_int_equal(errno, EINVAL);
	assert_string_equal(terms.why, "mydb: a deadline of 99 ms; take 100 to 3600000");
	assert_int_equal(holdfast_watchdog_open("mydb", 3600001, &watchdog, &terms), -1);
	assert_int_equal(errno, EINVAL);
}

static void test_open_without_watchdogd(void **state)
{
	char longer[200];

	(void)state;
	setenv("HOLDFAST_WATCHDOG_SOCKET", "/nonexistent/watchdog.sock", 1);
	check_open_fails(ENOENT, "watchdogd at /nonexistent/watchdog.sock: it does not run; start");
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	setenv("HOLDFAST_WATCHDOG_SOCKET", longer, 1);
	check_open_fails(EINVAL, "too long");
	/* the socket of one that has died */
	server_listen(SOCK_SEQPACKET);
	close(server.listener);
	check_open_fails(ECONNREFUSED, "does not run any more");
	unlink(server.path);
	/* a socket of something else */
	server_listen(SOCK_STREAM);
	check_open_fails(EPROTO, "no socket of watchdogd");
	close(server.listener);
	unlink(server.path);
}

static void test_open_refused(void **state)
{
	static const struct {
		enum watch_refusal reason;
		int error;
	} rows[] = {
		{ WATCH_REFUSED_VERSION, EPROTO }, { WATCH_REFUSED_NAME, EINVAL },
		{ WATCH_REFUSED_TIME, EINVAL },	   { WATCH_REFUSED_BUSY, EBUSY },
		{ WATCH_REFUSED_STATE, EBUSY },	   { WATCH_REFUSED_LATE, ECANCELED },
		{ WATCH_REFUSED_CLIENTS, EBUSY },  { WATCH_REFUSED_RIGHT, EACCES },
		{ WATCH_REFUSED_MARK, EIO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct holdfast_watchdog_terms terms;
		struct holdfast_watchdog *watchdog;

		server_start(
			(struct script){ .to_register = ANSWER_REFUSE, .reason = rows[i].reason });
		assert_int_equal(holdfast_watchdog_open("mydb", 5000, &watchdog, &terms), -1);
		assert_int_equal(errno, rows[i].error);
		assert_string_equal(terms.why, "mydb: too late; stop");
		server_join();
	}
}

static void test_open_answers(void **state)
{
	static const struct {
		enum answer answer;
		int error;
		const char *why;
	} rows[] = {
		{ ANSWER_VERSION, EPROTO, "another version" },
		{ ANSWER_GARBAGE, EPROTO, "makes no sense" },
		{ ANSWER_OVERSIZE, EPROTO, "makes no sense" },
		{ ANSWER_STRANGE, EPROTO, "not asked for" },
		{ ANSWER_EXPIRED, ECANCELED, "no longer petted (expired)" },
		{ ANSWER_CLOSE, ECONNREFUSED, "closed the connection" },
		{ ANSWER_NOT, ETIMEDOUT, "no answer" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct holdfast_watchdog_terms terms;
		struct holdfast_watchdog *watchdog;

		server_start(
			(struct script){ .to_register = rows[i].answer, .to_goodbye = ANSWER_NOT });
		assert_int_equal(holdfast_watchdog_open("mydb", 5000, &watchdog, &terms), -1);
		assert_int_equal(errno, rows[i].error);
		if (!strstr(terms.why, rows[i].why))
			fail_msg("\"%s\" is not in \"%s\"", rows[i].why, terms.why);
		server_join();
		/* It may have been taken: it is taken back. */
		if (rows[i].answer != ANSWER_CLOSE)
			assert_int_equal(seen_of(WATCH_GOODBYE), 1);
	}
}

/* Nobody accepts: the backlog is full, and the wait has its bound all the same. */
static void test_open_with_full_backlog(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fds[8];

	(void)state;
	server_listen(SOCK_SEQPACKET);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", server.path);
	for (size_t i = 0; i < 8; i++) {
		fds[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(fds[i], (struct sockaddr *)&address, sizeof address) != 0)
			assert_int_equal(errno, EAGAIN);
	}
	check_open_fails(ETIMEDOUT, "no answer");
	for (size_t i = 0; i < 8; i++)
		close(fds[i]);
	close(server.listener);
	unlink(server.path);
}

/* ---- renew ---- */

static void test_renew_in_the_future(void **state)
{
	struct holdfast_watchdog_terms terms;
	struct holdfast_watchdog *watchdog;

	(void)state;
	server_start((struct script){ 0 });
	watchdog = open_well(NULL);
	assert_int_equal(holdfast_watchdog_renew(watchdog, watch_until_ns(60000), &terms), -1);
	assert_int_equal(errno, EINVAL);
	assert_non_null(strstr(terms.why, "in the future"));
	assert_int_equal(terms.bound_ms, 15250);
	/* nothing is lost by that */
	assert_int_equal(holdfast_watchdog_renew(watchdog, 0, &terms), 0);
	assert_string_equal(terms.why, "");
	assert_int_equal(holdfast_watchdog_close(watchdog), 0);
	server_join();
	assert_int_equal(seen_of(WATCH_RENEW), 1);
}

/* A failure that is final stays so, and is what close() says too. */
static void check_renew_fails(struct script script, int error, const char *why)
{
	struct holdfast_watchdog_terms terms;
	struct holdfast_watchdog *watchdog;

	server_start(script);
	watchdog = open_well(NULL);
	assert_int_equal(renew_until_failure(watchdog, &terms), error);
	if (!strstr(terms.why, why))
		fail_msg("\"%s\" is not in \"%s\"", why, terms.why);
	assert_int_equal(holdfast_watchdog_renew(watchdog, 0, &terms), -1);
	assert_int_equal(errno, error);
	assert_non_null(strstr(terms.why, why));
	assert_int_equal(terms.deadline_ms, 5000);
	assert_int_equal(holdfast_watchdog_close(watchdog), -1);
	assert_int_equal(errno, error);
	server_join();
	assert_int_equal(seen_of(WATCH_GOODBYE), 0);
}

static void test_renew_fails(void **state)
{
	(void)state;
	check_renew_fails(
		(struct script){ .to_renew = ANSWER_REFUSE, .reason = WATCH_REFUSED_LATE },
		ECANCELED, "mydb: too late; stop");
	check_renew_fails(
		(struct script){ .to_renew = ANSWER_REFUSE, .reason = WATCH_REFUSED_STATE }, EBUSY,
		"mydb: too late");
	check_renew_fails((struct script){ .to_renew = ANSWER_EXPIRED }, ECANCELED, "expired");
	check_renew_fails((struct script){ .to_renew = ANSWER_CLOSE }, EPIPE, "closed");
	check_renew_fails((struct script){ .to_renew = ANSWER_GARBAGE }, EPROTO, "no sense");
	check_renew_fails((struct script){ .to_renew = ANSWER_OVERSIZE }, EPROTO, "no sense");
	check_renew_fails((struct script){ .to_renew = ANSWER_VERSION }, EPROTO, "version");
}

/* Nobody reads: no call blocks, and the silence is told before the socket is full. */
static void test_renew_unread(void **state)
{
	struct holdfast_watchdog_terms terms;
	struct holdfast_watchdog *watchdog;

	(void)state;
	server_start((struct script){ .to_renew = ANSWER_STOP });
	watchdog = open_well(NULL);
	assert_int_equal(renew_until_failure(watchdog, &terms), EAGAIN);
	assert_non_null(strstr(terms.why, "hangs"));
	/* not final: it may wake up */
	assert_int_equal(holdfast_watchdog_renew(watchdog, 0, &terms), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(holdfast_watchdog_close(watchdog), -1);
	assert_int_equal(errno, ETIMEDOUT);
	server_join();
}

/* It reads, but answers nothing. */
static void test_renew_unanswered(void **state)
{
	struct holdfast_watchdog_terms terms;
	struct holdfast_watchdog *watchdog;

	(void)state;
	server_start((struct script){ .to_renew = ANSWER_NOT });
	watchdog = open_well(NULL);
	assert_int_equal(renew_until_failure(watchdog, &terms), EAGAIN);
	assert_non_null(strstr(terms.why, "no answer for"));
	assert_int_equal(holdfast_watchdog_close(watchdog), 0);
	server_join();
}

/* ---- close ---- */

static void test_close_fails(void **state)
{
	static const struct {
		enum answer answer;
		int error;
	} rows[] = {
		{ ANSWER_NOT, ETIMEDOUT },  { ANSWER_CLOSE, EPIPE },	{ ANSWER_REFUSE, EBUSY },
		{ ANSWER_GARBAGE, EPROTO }, { ANSWER_STRANGE, EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct holdfast_watchdog *watchdog;

		server_start((struct script){ .to_goodbye = rows[i].answer,
					      .reason = WATCH_REFUSED_STATE });
		watchdog = open_well(NULL);
		assert_int_equal(holdfast_watchdog_renew(watchdog, 0, NULL), 0);
		assert_int_equal(holdfast_watchdog_close(watchdog), -1);
		assert_int_equal(errno, rows[i].error);
		server_join();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_renew_close),
		cmocka_unit_test(test_close_of_nothing),
		cmocka_unit_test(test_descriptor),
		cmocka_unit_test(test_open_arguments),
		cmocka_unit_test(test_open_without_watchdogd),
		cmocka_unit_test(test_open_refused),
		cmocka_unit_test(test_open_answers),
		cmocka_unit_test(test_open_with_full_backlog),
		cmocka_unit_test(test_renew_in_the_future),
		cmocka_unit_test(test_renew_fails),
		cmocka_unit_test(test_renew_unread),
		cmocka_unit_test(test_renew_unanswered),
		cmocka_unit_test(test_close_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
