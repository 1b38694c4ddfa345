/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watchdogd.c - the self-fencer: pets the machine's watchdog devices while every client renews in
 * time, and resets the machine when one does not (S4).
 *
 * The decisions are in watch_core.c; here is the loop that turns its actions into system calls.
 * Read in this order: main, run, tick, connection_read, act.
 *
 * A cycle: wait; the clock; deadlines, then the pet if it is due (tick); only then the log, new
 * connections and at most one packet of each. Everything from the wait to the pet is free of
 * allocation, in the kernel too (which is why it is epoll: poll(2) of so many takes memory each
 * time), of disk, syslog and anything that waits for another process: the log goes through
 * watch_log_io.h, memory is locked, files are open. Answers to clients are sent without waiting.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/timing.h"
#include "watchdog/client/watch_wire.h"
#include "watchdog/client/watchdog.h"
#include "watchdog/watch_answer_io.h"
#include "watchdog/watch_core.h"
#include "watchdog/watch_device_io.h"
#include "watchdog/watch_log_io.h"
#include "watchdog/watch_options.h"
#include "watchdog/watch_outside_io.h"
#include "watchdog/watch_place_io.h"

enum {
	EXIT_USAGE = 2,
	CONNECTIONS_MAX = WATCH_CORE_CLIENTS_MAX + 8,
	ACCEPTS_PER_CYCLE = 4,
	SILENCE_MS = 10000, /* after it a connection that did not register is closed */
	ACCEPT_PAUSE_MS = 1000,
	STACK_BYTES = 32 * 1024, /* more than the loop ever needs */
};

_Static_assert(WATCH_DEADLINE_MIN_MS == HOLDFAST_WATCHDOG_DEADLINE_MIN_MS &&
		       WATCH_DEADLINE_MAX_MS == HOLDFAST_WATCHDOG_DEADLINE_MAX_MS,
	       "the public header tells the limits of the core");

struct connection {
	int fd;	     /* -1: free */
	uint64_t id; /* for the core; never used again */
	uint32_t pid, uid;
	mono_t heard; /* its last packet */
};

static struct watch_options options;
static struct device devices[WATCH_CORE_DEVICES_MAX];
static struct watch_core core;
static struct connection connections[CONNECTIONS_MAX];
static uint64_t last_connection_id;
static int listen_fd = -1, timer_fd = -1, wait_fd = -1;
static int stopped;
static mono_t accept_after;
static volatile sig_atomic_t stop_signal;

static void step(struct watch_event event);

/* ---- actions ---- */

static struct connection *connection_find(uint64_t id)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (connections[i].fd >= 0 && connections[i].id == id)
			return &connections[i];
	return NULL;
}

/* Pet all, each after a look at the clock (base/timing.h, claim 1). */
static struct watch_event devices_pet(mono_t until)
{
	struct watch_event event = { .kind = WATCH_EVENT_PETTED };

	for (size_t i = 0; i < options.devices_count; i++) {
		device_look(&devices[i]);
		if (!mono_reached(device_clock(), until))
			event.errors[i] = device_pet(&devices[i]);
	}
	event.now = device_clock();
	return event;
}

static void reset_act(const struct watch_action *action)
{
	char why[128];

	/* Before the pet that follows a wait nothing is logged; the reason of a reset goes to the
	 * kernel's log, which resetter_fire() writes. */
	if (action->name[0])
		snprintf(why, sizeof why, "%s is late by %lld ms: reset", action->name,
			 (long long)action->number);
	else
		snprintf(why, sizeof why, "%s",
			 core.state == WATCH_STATE_TESTING ? "test of the reset"
							   : "still alive: reset");
	resetter_fire(action->how, why);
	log_line("%s was ordered", watch_expiry_word(action->how));
}

static void trace_act(const struct watch_action *action, const struct watch_event *event)
{
	static const char *const lines[] = {
		[WATCH_TRACE_REGISTERED] = "registered, deadline %lld ms",
		[WATCH_TRACE_TAKEN_OVER] = "taken over, %lld ms before its deadline",
		[WATCH_TRACE_GOODBYE] = "said goodbye, %lld ms before its deadline",
		[WATCH_TRACE_GONE] = "vanished without goodbye; %lld ms are left",
		[WATCH_TRACE_EXPIRED] = "LATE by %lld ms: no more petting",
		[WATCH_TRACE_LANDED_LATE] = "a pet landed after a deadline, %lld ms on its way",
		[WATCH_TRACE_STILL_ALIVE] = "still alive %lld ms after the last pet: plain reset",
		[WATCH_TRACE_DEVICE_FAILED] = "device %lld no longer counts",
		[WATCH_TRACE_STOP_REFUSED] =
			"relies on watchdogd: it does not stop; stop it again after the goodbye",
		[WATCH_TRACE_TESTING] =
			"test %lld (0 devices, 1 watchdogd itself): no more petting",
		[WATCH_TRACE_SURVIVED] = "TEST FAILED: no reset %lld ms after the last pet",
		[WATCH_TRACE_STOOD_STILL] = "this machine stood still for %lld ms",
		[WATCH_TRACE_WOKE_LATE] =
			"woke %lld ms late: this machine is overloaded, or was stopped",
		[WATCH_TRACE_UNDONE] = "its registration was taken back: it could not be answered",
		[WATCH_TRACE_STOP_IN_TEST] = "a test runs: it does not stop in the next %lld ms",
	};
	long long number = (long long)action->number;
	char text[128];

	if (action->trace == WATCH_TRACE_DEVICE_FAILED) {
		log_line("%s: pet failed: %s; until watchdogd is started again the promise rests "
			 "on %s devices, timeout %u ms",
			 devices[number].facts.path, strerror(event->errors[number]),
			 watch_proof_word(watch_core_proof(&core)),
			 (unsigned)watch_core_device_ms(&core));
		return;
	}
	snprintf(text, sizeof text, lines[action->trace], number);
	log_line("%s%s%s", action->name, action->name[0] ? ": " : "", text);
}

/* 0, or -1 when it could not be done and the event is to be undone. */
static int act(const struct watch_action *action)
{
	const struct connection *connection = connection_find(action->connection);

	switch (action->kind) {
	case WATCH_ACTION_PET:
		step(devices_pet(action->until));
		return 0;
	case WATCH_ACTION_RESET:
		reset_act(action);
		return 0;
	case WATCH_ACTION_DISARM:
		stopped = 1;
		return 0;
	case WATCH_ACTION_MARK:
		return place_mark(1);
	case WATCH_ACTION_UNMARK:
		place_mark(0);
		return 0;
	case WATCH_ACTION_TRACE:
		return 0;
	case WATCH_ACTION_TERMS:
	case WATCH_ACTION_BYE:
	case WATCH_ACTION_REFUSE:
		break;
	}
	if (!connection)
		return 0;
	if (action->kind == WATCH_ACTION_TERMS)
		return answer_terms(connection->fd, &core, connection->id);
	if (action->kind == WATCH_ACTION_REFUSE)
		answer_refused(connection->fd, action->refusal);
	else
		answer_bye(connection->fd);
	return 0;
}

/* Everything else comes before the log, which takes memory in the kernel. A PET steps once more, and
 * PETTED makes no other, so that it goes no deeper than that. */
static void step(struct watch_event event)
{
	static struct watch_out outs[2];
	static size_t depth;
	struct watch_out *out = &outs[depth++];
	int failed = 0, unmarked = 0;

	watch_step(&core, &event, out);
	for (size_t i = 0; i < out->count; i++) {
		struct watch_action *action = &out->actions[i];

		if (unmarked && action->kind == WATCH_ACTION_TERMS) {
			action->kind = WATCH_ACTION_REFUSE;
			action->refusal = WATCH_REFUSED_MARK;
		}
		failed |= act(action) != 0;
		unmarked |= failed && action->kind == WATCH_ACTION_MARK;
	}
	for (size_t i = 0; i < out->count; i++)
		if (out->actions[i].kind == WATCH_ACTION_TRACE)
			trace_act(&out->actions[i], &event);
	depth--;
	/* Who has no answer does not know that it is relied upon to renew. */
	if (failed && event.kind == WATCH_EVENT_REGISTER)
		step((struct watch_event){ .kind = WATCH_EVENT_UNDO,
					   .now = device_clock(),
					   .connection = event.connection });
}

/* ---- time ---- */

/* The outside clock comes after the pet, for its reading may wait; see watch_outside_io.h. A pause
 * that it tells of is judged at once. */
static void tick(int clock_was_set)
{
	struct watch_event event = { .kind = WATCH_EVENT_TICK, .now = device_clock() };

	step(event);
	/* Before the look, so that a setting that comes after it wakes us again. */
	if (clock_was_set)
		outside_set_arm();
	if (watch_core_clients_count(&core) == 0)
		return;
	event.stood_ns = outside_look(clock_was_set);
	if (event.stood_ns == 0)
		return;
	event.now = device_clock();
	step(event);
}

/* ---- what is waited for ---- */

/* So is a connection, by WAIT_CONNECTIONS and its place. */
enum { WAIT_TIMER, WAIT_CLOCK_SET, WAIT_LISTEN, WAIT_KEEPER, WAIT_CONNECTIONS };

/* 0, or -1 with errno. Closing ends it. */
static int wait_for(int fd, uint64_t what, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.u64 = what };

	return fd < 0 ? 0 : epoll_ctl(wait_fd, EPOLL_CTL_ADD, fd, &event);
}

/* ---- connections ---- */

static void connection_close(struct connection *connection)
{
	struct watch_event event = { .kind = WATCH_EVENT_GONE,
				     .now = device_clock(),
				     .connection = connection->id };

	close(connection->fd);
	connection->fd = -1;
	step(event);
}

static int connection_may_be_silent(const struct connection *connection)
{
	return watch_core_terms(&core, connection->id).deadline_ms != 0;
}

/* Has the other side closed it? What it sent before is still there to be read. */
static int connection_is_left(const struct connection *connection)
{
	struct pollfd item = { .fd = connection->fd, .events = POLLRDHUP };

	return poll(&item, 1, 0) == 1 && (item.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* One packet. What is no request of ours ends the connection; of a client that is registered this
 * is a vanishing without goodbye. */
static void connection_read(struct connection *connection)
{
	uint8_t bytes[WATCH_WIRE_BYTES_MAX];
	ssize_t got = recv(connection->fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC);
	struct watch_event event = { .connection = connection->id,
				     .pid = connection->pid,
				     .uid = connection->uid };
	struct watch_packet packet;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		connection_close(connection);
		return;
	}
	event.now = connection->heard = device_clock();
	if ((size_t)got > sizeof bytes || watch_wire_in(bytes, (size_t)got, &packet) != 0)
		packet.type = WATCH_REFUSED;
	switch (packet.type) {
	case WATCH_REGISTER:
		/* Whoever sent it has given up, and would never renew. */
		if (connection_is_left(connection)) {
			connection_close(connection);
			return;
		}
		event.kind = WATCH_EVENT_REGISTER;
		event.since_ns = packet.reg.since_ns;
		event.name = packet.reg.name;
		event.deadline_ms = packet.reg.deadline_ms;
		if (watch_core_clients_count(&core) == 0)
			outside_begin();
		break;
	case WATCH_RENEW:
		event.kind = WATCH_EVENT_RENEW;
		event.since_ns = packet.since_ns;
		break;
	case WATCH_GOODBYE:
		event.kind = WATCH_EVENT_GOODBYE;
		break;
	case WATCH_TEST:
		event.kind = WATCH_EVENT_TEST;
		event.by = (enum watch_test)packet.by;
		break;
	case WATCH_QUERY:
		answer_status(connection->fd, &core, devices);
		return;
	default:
		answer_refused(connection->fd, WATCH_REFUSED_VERSION);
		connection_close(connection);
		return;
	}
	step(event);
}

/* A place for a connection: free, or of the oldest of those that did not register. There is always
 * one, for no more than WATCH_CORE_CLIENTS_MAX can. */
static struct connection *connection_place(void)
{
	struct connection *oldest = NULL;

	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		if (connections[i].fd < 0)
			return &connections[i];
		if (!connection_may_be_silent(&connections[i]) &&
		    (!oldest || connections[i].id < oldest->id))
			oldest = &connections[i];
	}
	if (oldest) {
		answer_refused(oldest->fd, WATCH_REFUSED_BUSY);
		connection_close(oldest);
	}
	return oldest;
}

static void connections_accept(mono_t now)
{
	for (int i = 0; i < ACCEPTS_PER_CYCLE; i++) {
		struct connection fresh = { .id = ++last_connection_id, .heard = now };
		struct connection *place;
		socklen_t length = sizeof(struct ucred);
		struct ucred peer;

		fresh.fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fresh.fd < 0) {
			/* Out of descriptors, or memory: the socket would wake us all the time. */
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				accept_after = mono_add_ms(now, ACCEPT_PAUSE_MS);
			return;
		}
		place = connection_place();
		if (!place || getsockopt(fresh.fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0 ||
		    wait_for(fresh.fd, WAIT_CONNECTIONS + (uint64_t)(place - connections),
			     EPOLLIN) != 0) {
			answer_refused(fresh.fd, WATCH_REFUSED_BUSY);
			close(fresh.fd);
			continue;
		}
		fresh.pid = (uint32_t)peer.pid;
		fresh.uid = peer.uid;
		*place = fresh;
	}
}

/* ---- the loop ---- */

/* The core's deadline, or the end of a pause or silence here. */
static mono_t next_wake(mono_t now)
{
	mono_t wake = watch_deadline(&core);

	if (watch_core_clients_count(&core) > 0)
		wake = mono_min(wake, outside_due());
	if (mono_before(now, accept_after))
		wake = mono_min(wake, accept_after);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (connections[i].fd >= 0 && !connection_may_be_silent(&connections[i]))
			wake = mono_min(wake, mono_add_ms(connections[i].heard, SILENCE_MS));
	return wake;
}

static void timer_arm(mono_t wake)
{
	struct itimerspec at = { .it_value = { .tv_nsec = 1 } };

	if (mono_is_never(wake))
		at.it_value.tv_nsec = 0;
	else if (wake.ns > 0)
		at.it_value = (struct timespec){ .tv_sec = wake.ns / 1000000000,
						 .tv_nsec = wake.ns % 1000000000 };
	if (timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &at, NULL) != 0)
		abort();
}

/* One connection after a wait. */
static void connection_turn(struct connection *connection, int ready)
{
	if (connection->fd < 0)
		return;
	if (ready)
		connection_read(connection);
	else if (!connection_may_be_silent(connection) &&
		 mono_reached(device_clock(), mono_add_ms(connection->heard, SILENCE_MS)))
		connection_close(connection);
}

static void run(void)
{
	static struct epoll_event events[WAIT_CONNECTIONS + CONNECTIONS_MAX];
	uint8_t ready[WAIT_CONNECTIONS + CONNECTIONS_MAX];
	int listening = 1;
	sigset_t none;

	sigemptyset(&none);
	while (!stopped) {
		mono_t now = device_clock();
		int accepts = mono_reached(now, accept_after), count;

		if (accepts != listening) {
			struct epoll_event event = { .events = accepts ? EPOLLIN : 0,
						     .data.u64 = WAIT_LISTEN };

			epoll_ctl(wait_fd, EPOLL_CTL_MOD, listen_fd, &event);
			listening = accepts;
		}
		timer_arm(next_wake(now));
		count = epoll_pwait(wait_fd, events, WAIT_CONNECTIONS + CONNECTIONS_MAX, -1, &none);
		memset(ready, 0, sizeof ready);
		for (int i = 0; i < count; i++)
			ready[events[i].data.u64] = 1;
		tick(ready[WAIT_CLOCK_SET]);
		if (stop_signal) {
			stop_signal = 0;
			step((struct watch_event){ .kind = WATCH_EVENT_STOP,
						   .now = device_clock() });
		}
		if (ready[WAIT_KEEPER])
			log_keeper_lost();
		for (size_t i = 0; i < CONNECTIONS_MAX && !stopped; i++)
			connection_turn(&connections[i], ready[WAIT_CONNECTIONS + i]);
		if (ready[WAIT_LISTEN] && !stopped)
			connections_accept(device_clock());
	}
}

/* ---- start and stop ---- */

static void signal_note(int number)
{
	(void)number;
	stop_signal = 1;
}

static void signals_setup(void)
{
	struct sigaction action = { .sa_handler = signal_note };
	sigset_t stops;

	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGINT);
	sigaddset(&stops, SIGQUIT);
	sigprocmask(SIG_BLOCK, &stops, NULL); /* but in epoll_pwait() */
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGQUIT, &action, NULL);
	/* Keys at a terminal must not stop it: the machine would be reset. */
	signal(SIGTSTP, SIG_IGN);
	signal(SIGTTIN, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
}

/* Against every way of being late that can be had. None of them stops the start: the devices do
 * not depend on them. */
static void process_harden(void)
{
	volatile char stack[STACK_BYTES];
	int error;

	for (size_t i = 0; i < sizeof stack; i += 1024)
		stack[i] = 0;
	malloc_trim(0); /* what libc took to start itself need not be locked */
	if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		log_line("mlockall: %s; its memory may be paged out, and be late to come back: run "
			 "as root, or raise LimitMEMLOCK=",
			 strerror(errno));
	/* What the kernel allocates for us must not wait for a disk to take dirty pages. Without the
	 * right (CAP_SYS_RESOURCE) it is one of the things that mlockall() above complains of. */
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	error = place_write("/proc/self/oom_score_adj", 0, "-1000");
	if (error)
		log_line("oom_score_adj: %s; the kernel may kill it for memory: run it with "
			 "CAP_SYS_RESOURCE",
			 strerror(error));
}

static void priority_set(void)
{
	struct sched_param param = { .sched_priority = options.priority };

	if (options.priority == 0 ||
	    sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &param) == 0)
		return;
	log_line("real-time priority %d: %s; a busy machine may make it late: run as root, where "
		 "cgroups limit real-time outside of them; or give --priority 0",
		 options.priority, strerror(errno));
}

static int devices_prepare(void)
{
	int status = 0;

	for (size_t i = 0; i < options.devices_count; i++) {
		struct err err = { 0 };

		if (device_init(&devices[i], options.devices[i], &options.wish, &err) == 0 &&
		    device_check(&devices[i], &err) == 0) {
			if (options.check)
				dprintf(STDOUT_FILENO, "%s: %s, %s, timeout %u s: can be used\n",
					devices[i].facts.path,
					devices[i].facts.identity[0] ? devices[i].facts.identity
								     : "unknown",
					watch_proof_word(devices[i].facts.proof),
					(unsigned)options.wish.timeout_s);
			continue;
		}
		log_line("%s%s%s", err.text, err.next[0] ? "; " : "", err.next);
		status = EXIT_FAILURE;
	}
	return status;
}

/* Returns how many still run, those left out of which that was known (--accept-nowayout). */
static size_t devices_stop(size_t count)
{
	size_t running = 0;
	int errors[WATCH_CORE_DEVICES_MAX];

	for (size_t i = 0; i < count; i++)
		errors[i] = device_disarm(&devices[i]);
	/* Closing releases a device only when the keeper no longer holds it. */
	log_end();
	for (size_t i = 0; i < count; i++) {
		int runs = device_close(&devices[i]);

		if (errors[i])
			log_line("%s: cannot be stopped: %s", devices[i].facts.path,
				 strerror(errors[i]));
		if (runs || errors[i])
			log_line("%s: STILL RUNS: this machine is reset within %u ms",
				 devices[i].facts.path, (unsigned)devices[i].facts.timeout_ms);
		running += (runs || errors[i]) && devices[i].facts.nowayout != 1;
	}
	return running;
}

/* Arm all, or none. */
static int devices_arm(void)
{
	struct watch_core_config config = { .expiry = options.expiry,
					    .looking = outside_exists(),
					    .devices_count = options.devices_count };
	int fds[WATCH_CORE_DEVICES_MAX], error;

	for (size_t i = 0; i < options.devices_count; i++) {
		struct err err = { 0 };

		if (device_open(&devices[i], &err) != 0) {
			devices_stop(i);
			log_line("%s%s%s", err.text, err.next[0] ? "; " : "", err.next);
			return EXIT_FAILURE;
		}
		fds[i] = devices[i].fd;
		config.devices[i] = (struct watch_core_device){
			.proof = (enum watch_proof)devices[i].facts.proof,
			.timeout_ms = devices[i].facts.timeout_ms,
			.pretimeout_ms = devices[i].facts.pretimeout_ms,
		};
	}
	/* From here on nothing may wait for whoever reads the log. */
	error = log_start(fds, options.devices_count, place_marker());
	/* Its end is told once (EPOLLET), for there is nothing that could be done about it. */
	if (!error && wait_for(log_keeper_fd(), WAIT_KEEPER, EPOLLET) != 0)
		error = errno;
	if (error) {
		devices_stop(options.devices_count);
		log_line("cannot start the keeper of the log: %s", strerror(error));
		return EXIT_FAILURE;
	}
	watch_init(&core, &config, device_clock());
	return 0;
}

static void start_tell(void)
{
	for (size_t i = 0; i < options.devices_count; i++)
		log_line("%s: %s, %s, timeout %u ms, pretimeout %u ms", devices[i].facts.path,
			 devices[i].facts.identity, watch_proof_word(devices[i].facts.proof),
			 (unsigned)devices[i].facts.timeout_ms,
			 (unsigned)devices[i].facts.pretimeout_ms);
	if (device_is_file(&devices[0]))
		log_line("FILE DEVICE: for tests; this machine is NOT PROTECTED, and never reset");
	log_line("petting every %u ms, on expiry %s, outside clock %s", (unsigned)core.interval_ms,
		 watch_expiry_word(options.expiry), outside_name());
}

static int arm(void)
{
	timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer_fd < 0) {
		log_line("timerfd_create: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	wait_fd = epoll_create1(EPOLL_CLOEXEC);
	if (wait_fd < 0 || wait_for(timer_fd, WAIT_TIMER, EPOLLIN) != 0 ||
	    wait_for(listen_fd, WAIT_LISTEN, EPOLLIN) != 0) {
		log_line("epoll: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	if (outside_open(options.standstill) != 0)
		return EXIT_FAILURE;
	if (wait_for(outside_set_fd(), WAIT_CLOCK_SET, EPOLLIN) != 0) {
		log_line("epoll: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	process_harden();
	resetter_open(device_is_file(&devices[0]) ? &devices[0] : NULL, options.expiry);
	return devices_arm();
}

/* From options to READY. Returns the exit status when it fails, 0 when it runs. */
static int start(void)
{
	int status = place_take(&options, &listen_fd);

	if (status)
		return status;
	status = arm();
	if (status) {
		place_leave();
		return status;
	}
	priority_set();
	start_tell();
	/* Whoever connected before was refused. */
	if (listen(listen_fd, CONNECTIONS_MAX) != 0)
		abort();
	place_notify("READY=1");
	return 0;
}

int main(int argc, char **argv)
{
	struct err err = { 0 };
	int status;

	/* A file that takes the place of a missing stderr would get the log: a device, even. */
	while ((status = open("/dev/null", O_RDWR)) >= 0 && status <= STDERR_FILENO)
		;
	if (status >= 0)
		close(status);
	if (watch_options_read(argc, argv, &options, &err) != 0) {
		log_line("%s%s%s", err.text, err.next[0] ? "; " : "", err.next);
		return EXIT_USAGE;
	}
	if (options.help || options.version) {
		dprintf(STDOUT_FILENO, "%s",
			options.help ? watch_options_help : "watchdogd " HOLDFAST_VERSION "\n");
		return 0;
	}
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		connections[i].fd = -1;
	signals_setup();
	status = devices_prepare();
	if (status == 0 && !options.check)
		status = start();
	if (status || options.check)
		return status;
	run();
	place_notify("STOPPING=1");
	if (devices_stop(options.devices_count) > 0)
		status = EXIT_FAILURE;
	place_leave();
	log_line(status ? "stopped, but a device still runs" : "stopped in order");
	return status;
}
