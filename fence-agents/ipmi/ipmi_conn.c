/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ipmi_conn.c - one session with one BMC; see ipmi_conn.h.
 *
 * The library runs on its single-threaded POSIX event loop, turned here with our own deadline.
 * Between that loop and the library sits datagram_ready(): it looks at every datagram before the
 * library reads it. It keeps what the login has got as an answer, which is what tells a wrong
 * password from a wrong K_G key, and it drops what must not be believed:
 *  - a datagram within an RMCP+ session that carries no integrity code although the cipher suite
 *    has one (IPMI 2.0 section 13.28.4): the library would take it, and so anybody who can forge
 *    an address could say "power is off";
 *  - an Open Session Response with other algorithms than asked for, which the library obeys;
 *  - whatever is not IPMI.
 *
 * One connection at a time: the library's callbacks find it through `active`.
 */
#include "fence-agents/ipmi/ipmi_conn.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <OpenIPMI/ipmi_auth.h>
#include <OpenIPMI/ipmi_conn.h>
#include <OpenIPMI/ipmi_err.h>
#include <OpenIPMI/ipmi_lan.h>
#include <OpenIPMI/ipmi_posix.h>
#include <OpenIPMI/ipmiif.h>

#include "fence-agents/ipmi/ipmi_net.h"

enum {
	STAGGER_MS = 250,     /* Connection Attempt Delay, RFC 8305 section 8 */
	TRIES_OF_LIBRARY = 7, /* sends of one message before the library gives up */
	RAKP3_TRIES = 3,      /* sends of RAKP 3 before we do; see attempt_hopeless() */
	RETRY_MIN_MS = 50,
	RETRY_MAX_MS = 1000,
	PING_MS = 400,
	LOGOUT_MS = 1000,
	DATAGRAM_BYTES = 512, /* more than IPMI over LAN ever sends */
};

enum attempt_state {
	ATTEMPT_IDLE,	/* not started */
	ATTEMPT_TRYING, /* the library logs in */
	ATTEMPT_UP,	/* session is there */
	ATTEMPT_FAILED, /* evidence says why; the library's connection may still be open */
	ATTEMPT_DONE,	/* failed, closed, its cause reported or kept */
};

struct attempt {
	struct ipmi_conn *conn;
	const struct ipmi_address *address;
	ipmi_con_t *lan; /* the library's connection, NULL when none */
	enum attempt_state state;
	enum ipmi_stage last; /* of the answers seen */
	int64_t last_ms;      /* when the login got there */
	uint32_t bmc_session; /* number of the session at the BMC, 0 unknown */
	struct ipmi_evidence evidence;
	const struct ipmi_cause *cause;
};

struct ipmi_conn {
	struct fence_ctx *ctx;
	const struct ipmi_login *login;
	struct ipmi_addresses addresses;
	struct attempt attempts[IPMI_ADDRESSES_MAX];
	struct attempt *winner;
	int64_t retry_ms;
	/* The datagram that the library is handling right now, NULL in a timer. */
	const struct ipmi_packet *answering;
	/* The command that is under way; a late answer to an older one has another number. */
	uintptr_t command_number;
	int answered; /* 1 by the BMC, -1 by the library, which gave up */
	struct ipmi_reply reply;
};

/* The library is set up once in a process. */
static os_handler_t *handler;
static int (*handler_add_fd)(os_handler_t *, int, os_data_ready_t, void *, os_fd_data_freed_t,
			     os_hnd_fd_id_t **);
static struct ipmi_conn *active;

/* For pauses within a step; deadlines are the SDK's. */
static int64_t loop_now_ms(void)
{
	struct timeval now = { 0, 0 };

	handler->get_monotonic_time(handler, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_usec / 1000;
}

/* ---- between the event loop and the library ---- */

/* What the library wanted to be told about a socket. */
struct fd_watch {
	os_data_ready_t ready;
	os_fd_data_freed_t freed;
	void *data;
};

static struct attempt *attempt_find(struct ipmi_conn *conn, const struct sockaddr *from)
{
	for (size_t i = 0; i < conn->addresses.count; i++)
		if (ipmi_address_equal(&conn->addresses.list[i].any, from))
			return &conn->attempts[i];
	return NULL;
}

static void attempt_fail(struct attempt *attempt, enum ipmi_event event, int code)
{
	attempt->state = ATTEMPT_FAILED;
	attempt->evidence.stage = attempt->last;
	attempt->evidence.event = event;
	attempt->evidence.code = code;
}

static void icmp_errors_read(struct ipmi_conn *conn, int fd)
{
	struct sockaddr_storage destination;
	int error;

	while (ipmi_icmp_next(fd, &destination, &error)) {
		struct attempt *attempt = attempt_find(conn, (const void *)&destination);

		if (attempt && (attempt->state == ATTEMPT_TRYING || attempt->state == ATTEMPT_UP))
			attempt_fail(attempt, IPMI_EVENT_OS, error);
	}
}

/* Note what the datagram is, and say whether the library may have it. */
static int datagram_admit(struct attempt *attempt, const struct ipmi_packet *packet)
{
	const struct ipmi_login *login = attempt->conn->login;

	if (packet->kind == IPMI_PACKET_FOREIGN)
		return 0;
	if (packet->kind == IPMI_PACKET_V20 && packet->stage == IPMI_STAGE_SESSION &&
	    !packet->authenticated &&
	    (!login->lanplus || login->suite->integrity != IPMI_INTEGRITY_NONE))
		return 0;
	if (packet->stage > attempt->last) {
		attempt->last = packet->stage;
		attempt->last_ms = loop_now_ms();
	}
	if (packet->bmc_session)
		attempt->bmc_session = packet->bmc_session;
	/* A refusal may be as short as two bytes, and then the library cannot tell whom it is
	 * for (it looks for a session number), drops it, and asks until it gives up. */
	if (packet->kind == IPMI_PACKET_V20 && packet->stage >= IPMI_STAGE_OPEN &&
	    packet->stage <= IPMI_STAGE_RAKP4 && packet->status != 0) {
		if (attempt->state == ATTEMPT_TRYING) {
			attempt_fail(attempt, IPMI_EVENT_STATUS, packet->status);
			attempt->evidence.stage = packet->stage;
		}
		return 0;
	}
	if (packet->stage == IPMI_STAGE_OPEN && packet->status == 0 && !packet->cut &&
	    (!login->lanplus || packet->auth != login->suite->auth ||
	     packet->integrity != login->suite->integrity ||
	     packet->confidentiality != login->suite->confidentiality)) {
		if (attempt->state == ATTEMPT_TRYING)
			attempt_fail(attempt, IPMI_EVENT_DOWNGRADE, 0);
		return 0;
	}
	return 1;
}

static void datagram_ready(int fd, void *data, os_hnd_fd_id_t *id)
{
	struct fd_watch *watch = data;
	struct ipmi_conn *conn = active;
	struct sockaddr_storage from;
	socklen_t from_bytes = sizeof from;
	uint8_t bytes[DATAGRAM_BYTES];
	struct ipmi_packet packet;
	struct attempt *attempt;
	ssize_t count;

	if (conn)
		icmp_errors_read(conn, fd);
	count = recvfrom(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT, (void *)&from,
			 &from_bytes);
	if (count < 0)
		return;
	attempt = conn ? attempt_find(conn, (const void *)&from) : NULL;
	ipmi_packet_read(bytes, (size_t)count, &packet);
	if (!attempt || !datagram_admit(attempt, &packet)) {
		if (conn)
			fence_debug(conn->ctx, "dropped a datagram of %zd bytes", count);
		recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
		return;
	}
	conn->answering = &packet;
	watch->ready(fd, watch->data, id);
	conn->answering = NULL;
}

static void watch_freed(int fd, void *data)
{
	struct fd_watch *watch = data;

	if (watch->freed)
		watch->freed(fd, watch->data);
	free(watch);
}

static int watch_add(os_handler_t *os, int fd, os_data_ready_t ready, void *data,
		     os_fd_data_freed_t freed, os_hnd_fd_id_t **id)
{
	struct fd_watch *watch = malloc(sizeof *watch);
	int rc;

	if (!watch)
		return ENOMEM;
	*watch = (struct fd_watch){ ready, freed, data };
	ipmi_icmp_listen(fd);
	rc = handler_add_fd(os, fd, datagram_ready, watch, watch_freed, id);
	if (rc)
		free(watch);
	return rc;
}

static void log_line(os_handler_t *os, const char *format, enum ipmi_log_type_e type, va_list ap)
	__attribute__((format(printf, 2, 0)));

static void log_line(os_handler_t *os, const char *format, enum ipmi_log_type_e type, va_list ap)
{
	char line[256];

	(void)os;
	(void)type;
	if (!active)
		return;
	vsnprintf(line, sizeof line, format, ap);
	fence_debug(active->ctx, "openipmi: %s", line);
}

static int library_init(struct fence_ctx *ctx)
{
	int rc;

	if (handler)
		return 0;
	handler = ipmi_posix_setup_os_handler();
	if (!handler)
		return fence_fail(ctx, RC_INTERNAL, NULL, "out of memory");
	handler->set_log_handler(handler, log_line);
	handler_add_fd = handler->add_fd_to_wait_for;
	handler->add_fd_to_wait_for = watch_add;
	rc = ipmi_init(handler);
	if (rc)
		return fence_fail(ctx, RC_INTERNAL, NULL,
				  "the OpenIPMI library does not start (%#x)", (unsigned)rc);
	return 0;
}

/* Let one thing happen, or at most wait_ms pass. */
static void loop_turn(int64_t wait_ms)
{
	struct timeval wait = { wait_ms / 1000, wait_ms % 1000 * 1000 };

	handler->perform_one_op(handler, &wait);
}

/* ---- one attempt ---- */

static void connection_changed(ipmi_con_t *lan, int error, unsigned port, int any_up, void *data)
{
	struct attempt *attempt = data;

	(void)lan;
	(void)port;
	if (attempt->state == ATTEMPT_TRYING && error) {
		attempt->state = ATTEMPT_FAILED;
		ipmi_evidence_read(&attempt->evidence, error, attempt->conn->answering,
				   attempt->last);
	} else if (attempt->state == ATTEMPT_TRYING && any_up) {
		attempt->state = ATTEMPT_UP;
	} else if (attempt->state == ATTEMPT_UP && error) {
		attempt_fail(attempt, IPMI_EVENT_SILENCE, 0);
	}
}

static size_t parameters_fill(ipmi_lanp_parm_t *p, const struct attempt *attempt, char **host,
			      char **port)
{
	const struct ipmi_conn *conn = attempt->conn;
	const struct ipmi_login *login = conn->login;
	size_t n = 0;

#define VALUE(id, value) (p[n++] = (ipmi_lanp_parm_t){ (id), (int)(value), NULL, 0 })
#define DATA(id, data, count)                                                                      \
	(p[n++] = (ipmi_lanp_parm_t){ (id), 0, (void *)(uintptr_t)(data), (unsigned)(count) })
	DATA(IPMI_LANP_PARMID_ADDRS, host, 1);
	DATA(IPMI_LANP_PARMID_PORTS, port, 1);
	DATA(IPMI_LANP_PARMID_USERNAME, login->username, strlen(login->username));
	DATA(IPMI_LANP_PARMID_PASSWORD, login->password, strlen(login->password));
	VALUE(IPMI_LANP_PARMID_PRIVILEGE, login->privilege);
	VALUE(IPMI_LANP_ADDRESS_FAMILY, attempt->address->any.sa_family);
	VALUE(IPMI_LANP_DEFAULT_TIMEOUT, conn->retry_ms * 1000);
	/* Never within the life of a session: see ipmi_conn_command(). */
	VALUE(IPMI_LANP_DEFAULT_SIDEEFFECT_TIMEOUT, 2000 * 1000000);
	if (!login->lanplus) {
		VALUE(IPMI_LANP_PARMID_AUTHTYPE, login->auth_type);
		return n;
	}
	VALUE(IPMI_LANP_PARMID_AUTHTYPE, IPMI_AUTHTYPE_RMCP_PLUS);
	VALUE(IPMI_LANP_AUTHENTICATION_ALGORITHM, login->suite->auth);
	VALUE(IPMI_LANP_INTEGRITY_ALGORITHM, login->suite->integrity);
	VALUE(IPMI_LANP_CONFIDENTIALITY_ALGORITHM, login->suite->confidentiality);
	if (login->key_bytes)
		DATA(IPMI_LANP_BMC_KEY, login->key, login->key_bytes);
#undef VALUE
#undef DATA
	return n;
}

static void attempt_start(struct attempt *attempt)
{
	struct ipmi_conn *conn = attempt->conn;
	char *host[] = { (char *)(uintptr_t)attempt->address->text };
	char *port[] = { (char *)(uintptr_t)conn->login->port };
	ipmi_lanp_parm_t parameters[16];
	int error = ipmi_route_check(attempt->address);

	fence_debug(conn->ctx, "trying %s", attempt->address->text);
	attempt->state = ATTEMPT_TRYING;
	if (!error)
		error = ipmi_lanp_setup_con(
			parameters, (unsigned)parameters_fill(parameters, attempt, host, port),
			handler, NULL, &attempt->lan);
	if (!error)
		error = attempt->lan->add_con_change_handler(attempt->lan, connection_changed,
							     attempt);
	if (!error)
		error = attempt->lan->start_con(attempt->lan);
	if (error && attempt->state == ATTEMPT_TRYING)
		attempt_fail(attempt, IPMI_EVENT_OS, error);
}

/* Close the library's connection. Where there is no session it must not ask to close one. */
static void attempt_close(struct attempt *attempt, int say_goodbye)
{
	ipmi_con_t *lan = attempt->lan;

	attempt->state = ATTEMPT_DONE;
	if (!lan)
		return;
	attempt->lan = NULL;
	if (!say_goodbye && lan->disable)
		lan->disable(lan);
	lan->close_connection(lan);
}

/* Settle a failed attempt: find its cause, close it. */
static void attempt_settle(struct attempt *attempt)
{
	struct ipmi_conn *conn = attempt->conn;
	struct ipmi_evidence *evidence = &attempt->evidence;
	int64_t left_ms = fence_left_ms(conn->ctx);

	/* A BMC drops an IPMI 1.5 login with a wrong password without a word: see whether it
	 * still talks about anything else. */
	if (evidence->event == IPMI_EVENT_SILENCE && evidence->stage == IPMI_STAGE_CHALLENGE &&
	    left_ms > 1)
		evidence->alive = ipmi_ping(attempt->address, (uint8_t)conn->login->privilege,
					    left_ms < PING_MS ? left_ms - 1 : PING_MS);
	attempt->cause = ipmi_cause_login(evidence);
	fence_debug(conn->ctx, "%s: %s", attempt->address->text, attempt->cause->text);
	attempt_close(attempt, evidence->stage == IPMI_STAGE_SESSION);
}

/* A BMC that has answered RAKP 3 takes the session as open and does not answer it again. When
 * that answer is lost, the library repeats RAKP 3 in vain; a new login is the only way on. */
static int attempt_hopeless(const struct attempt *attempt)
{
	return attempt->state == ATTEMPT_TRYING && attempt->last == IPMI_STAGE_RAKP2 &&
	       loop_now_ms() - attempt->last_ms >= RAKP3_TRIES * attempt->conn->retry_ms;
}

/* ---- the race ---- */

static int conn_fail(struct ipmi_conn *conn, const struct attempt *attempt)
{
	struct ipmi_words words = conn->login->words;
	char text[256];

	words.code = attempt->evidence.code;
	ipmi_cause_text(attempt->cause, &words, text, sizeof text);
	if (conn->addresses.count > 1)
		fence_object(conn->ctx, "%s", attempt->address->text);
	return fence_fail(conn->ctx, attempt->cause->rc, attempt->cause->next, "%s", text);
}

/* Settle what has failed since the last look, find who came up. Returns the attempt that ends
 * the race by a cause that no other address can cure, or NULL. */
static struct attempt *race_judge(struct ipmi_conn *conn, size_t *trying)
{
	*trying = 0;
	for (size_t i = 0; i < conn->addresses.count; i++) {
		struct attempt *attempt = &conn->attempts[i];

		if (attempt_hopeless(attempt))
			attempt_fail(attempt, IPMI_EVENT_SILENCE, 0);
		if (attempt->state == ATTEMPT_FAILED) {
			attempt_settle(attempt);
			if (!rc_is_curable(attempt->cause->rc))
				return attempt;
		}
		if (attempt->state == ATTEMPT_UP && !conn->winner)
			conn->winner = attempt;
		*trying += attempt->state == ATTEMPT_TRYING;
	}
	return NULL;
}

/* Everybody failed, or time is up: which of the failures to report. */
static struct attempt *race_loser(struct ipmi_conn *conn)
{
	struct attempt *worst = NULL;

	for (size_t i = 0; i < conn->addresses.count; i++) {
		struct attempt *attempt = &conn->attempts[i];

		if (attempt->state == ATTEMPT_TRYING) {
			ipmi_evidence_read(&attempt->evidence, 0, NULL, attempt->last);
			attempt_settle(attempt);
		}
		if (attempt->cause &&
		    (!worst || ipmi_cause_compare(attempt->cause->rc, worst->cause->rc) > 0))
			worst = attempt;
	}
	return worst;
}

static int race_run(struct ipmi_conn *conn)
{
	size_t next = 0, trying = 0;
	int64_t next_start_ms = 0;

	for (;;) {
		int64_t left_ms = fence_left_ms(conn->ctx);
		int64_t wait_ms = left_ms, now_ms = loop_now_ms();
		struct attempt *final = race_judge(conn, &trying);

		if (final)
			return conn_fail(conn, final);
		if (conn->winner)
			return 0;
		if (next < conn->addresses.count && left_ms > 0) {
			if (!trying || now_ms >= next_start_ms) {
				attempt_start(&conn->attempts[next++]);
				next_start_ms = now_ms + STAGGER_MS;
				continue;
			}
			if (next_start_ms - now_ms < wait_ms)
				wait_ms = next_start_ms - now_ms;
		} else if (!trying || left_ms <= 0) {
			struct attempt *loser = race_loser(conn);

			if (loser)
				return conn_fail(conn, loser);
			return fence_fail(conn->ctx, RC_TIMEOUT,
					  "raise login_timeout=", "no time left to log in");
		}
		loop_turn(wait_ms);
	}
}

/* So that a message is sent at least three times within a step, and that a step which gets no
 * answer at all ends early enough to say so. */
static int64_t retry_choose(int64_t left_ms)
{
	int64_t retry_ms = left_ms * 6 / 10 / TRIES_OF_LIBRARY;

	if (retry_ms > RETRY_MAX_MS)
		return RETRY_MAX_MS;
	return retry_ms < RETRY_MIN_MS ? RETRY_MIN_MS : retry_ms;
}

int ipmi_conn_open(struct fence_ctx *ctx, const struct ipmi_login *login, struct ipmi_conn **result)
{
	struct ipmi_conn *conn = fence_alloc(ctx, sizeof *conn);
	int rc;

	*result = conn;
	conn->ctx = ctx;
	conn->login = login;
	rc = library_init(ctx);
	if (rc)
		return rc;
	rc = ipmi_resolve_hosts(ctx, login->hosts, login->port, login->family, &conn->addresses);
	if (rc)
		return rc;
	for (size_t i = 0; i < conn->addresses.count; i++) {
		conn->attempts[i].conn = conn;
		conn->attempts[i].address = &conn->addresses.list[i];
	}
	conn->retry_ms = retry_choose(fence_left_ms(ctx));
	active = conn;
	rc = race_run(conn);
	for (size_t i = 0; i < conn->addresses.count; i++) {
		struct attempt *attempt = &conn->attempts[i];

		if (attempt != conn->winner && attempt->state != ATTEMPT_IDLE)
			attempt_close(attempt, attempt->last == IPMI_STAGE_SESSION);
	}
	return rc;
}

/* ---- commands ---- */

static int command_answered(ipmi_con_t *lan, ipmi_msgi_t *item)
{
	struct ipmi_conn *conn = active;

	(void)lan;
	if (conn && (uintptr_t)item->data1 == conn->command_number && !conn->answered &&
	    item->msg.data_len >= 1) {
		conn->reply.code = item->msg.data[0];
		conn->reply.bytes = item->msg.data_len - 1U;
		if (conn->reply.bytes > sizeof conn->reply.data)
			conn->reply.bytes = sizeof conn->reply.data;
		memcpy(conn->reply.data, item->msg.data + 1, conn->reply.bytes);
		/* Out of a timer the answer is the library's own: nobody answered. */
		conn->answered = conn->answering ? 1 : -1;
	}
	return IPMI_MSG_ITEM_NOT_USED;
}

/* Hand a command to the library. Returns 0 or the library's error. */
static int command_send(struct ipmi_conn *conn, uint8_t netfn, uint8_t command, const uint8_t *data,
			size_t bytes, int once)
{
	static const ipmi_con_option_t side_effects[] = {
		{ .option = IPMI_CON_MSG_OPTION_SIDE_EFFECTS, .ival = 1 },
		{ .option = IPMI_CON_OPTION_LIST_END },
	};
	ipmi_con_t *lan = conn->winner->lan;
	ipmi_system_interface_addr_t bmc = {
		.addr_type = IPMI_SYSTEM_INTERFACE_ADDR_TYPE,
		.channel = IPMI_BMC_CHANNEL,
	};
	ipmi_msg_t msg = {
		.netfn = netfn,
		.cmd = command,
		.data_len = (unsigned short)bytes,
		.data = (unsigned char *)(uintptr_t)data,
	};
	ipmi_msgi_t *item = ipmi_alloc_msg_item();
	int error;

	if (!item)
		return ENOMEM;
	conn->command_number++;
	conn->answered = 0;
	item->data1 = (void *)conn->command_number;
	/* A message with side effects waits far longer for its answer than any deadline here
	 * before the library sends it again: it is sent once. */
	error = lan->send_command_option(lan, (const ipmi_addr_t *)&bmc, sizeof bmc, &msg,
					 once ? side_effects : NULL, command_answered, item);
	if (error)
		ipmi_free_msg_item(item);
	return error;
}

int ipmi_conn_command(struct ipmi_conn *conn, uint8_t netfn, uint8_t command, const uint8_t *data,
		      size_t bytes, int once, struct ipmi_reply *reply)
{
	struct attempt *winner = conn->winner;
	int error;

	if (!winner || !winner->lan)
		return fence_fail(conn->ctx, RC_INTERNAL, NULL, "no session");
	if (conn->addresses.count > 1)
		fence_object(conn->ctx, "%s", winner->address->text);
	error = command_send(conn, netfn, command, data, bytes, once);
	if (error)
		attempt_fail(winner, IPMI_EVENT_OS, error);
	while (!error && !conn->answered && winner->state == ATTEMPT_UP) {
		int64_t left_ms = fence_left_ms(conn->ctx);

		if (left_ms <= 0)
			break;
		loop_turn(left_ms);
	}
	conn->command_number++; /* whatever comes now comes too late */
	if (conn->answered == 1) {
		*reply = conn->reply;
		return 0;
	}
	if (winner->state == ATTEMPT_FAILED && winner->evidence.event == IPMI_EVENT_OS) {
		winner->cause = ipmi_cause_login(&winner->evidence);
		return conn_fail(conn, winner);
	}
	return fence_fail(conn->ctx, RC_TIMEOUT,
			  "check the network; when it persists, restart the BMC",
			  "fell silent in the middle of the session");
}

int ipmi_conn_refused(struct ipmi_conn *conn, const char *what, uint8_t code)
{
	const struct ipmi_cause *cause = ipmi_cause_command(code);
	struct ipmi_words words = conn->login->words;
	char text[256];

	words.code = code;
	ipmi_cause_text(cause, &words, text, sizeof text);
	return fence_fail(conn->ctx, cause->rc, cause->next, "%s refused: %s", what, text);
}

/* ---- the end ---- */

/* Close the session and wait for the answer: the library's own goodbye is one datagram that
 * nobody repeats, and a session that stays open takes a slot of the BMC for a minute. Returns 1
 * when the session is known to be gone. */
static int session_close(struct ipmi_conn *conn)
{
	struct attempt *winner = conn->winner;
	uint32_t number = winner->bmc_session;
	const uint8_t data[4] = {
		(uint8_t)number,
		(uint8_t)(number >> 8),
		(uint8_t)(number >> 16),
		(uint8_t)(number >> 24),
	};
	int64_t until_ms, left_ms = fence_left_ms(conn->ctx);

	if (number == 0 || winner->state != ATTEMPT_UP || left_ms <= 0)
		return 0;
	if (command_send(conn, IPMI_NETFN_APP, IPMI_CMD_CLOSE_SESSION, data, sizeof data, 0))
		return 0;
	until_ms = loop_now_ms() + (left_ms < LOGOUT_MS ? left_ms : LOGOUT_MS);
	while (!conn->answered && winner->state == ATTEMPT_UP) {
		left_ms = until_ms - loop_now_ms();
		if (left_ms <= 0)
			return 0;
		loop_turn(left_ms);
	}
	return conn->answered == 1 && conn->reply.code == 0;
}

void ipmi_conn_close(struct ipmi_conn *conn)
{
	if (!conn)
		return;
	if (conn->winner && conn->winner->lan)
		attempt_close(conn->winner, !session_close(conn));
	active = NULL;
	free(conn);
}
