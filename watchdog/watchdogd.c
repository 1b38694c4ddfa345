/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watchdogd.c - the self-fencer: pets the machine's watchdog devices while every client renews in
 * time, and resets the machine when one does not (S4).
 *
 * The decisions are in watch_core.c; here is the loop that turns its actions into system calls.
 * Read in this order: main, run, tick, connection_read, act.
 *
 * A cycle: wait; the clock; deadlines, then the pet if it is due (tick); only then new connections
 * and at most one packet of each. Everything from the wait to the pet is free of allocation, disk,
 * syslog and anything that waits for another process: the log goes through watch_log_io.h, memory
 * is locked, files are open. Answers to clients are sent without waiting and dropped if need be.
 */
#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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
static struct watch_out out;
static struct connection connections[CONNECTIONS_MAX];
static uint64_t last_connection_id;
static int listen_fd = -1, timer_fd = -1;
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
		[WATCH_TRACE_STOP_REFUSED] = "relies on watchdogd: it does not stop",
		[WATCH_TRACE_TESTING] =
			"test %lld (0 devices, 1 watchdogd itself): no more petting",
		[WATCH_TRACE_SURVIVED] = "TEST FAILED: no reset %lld ms after the last pet",
		[WATCH_TRACE_STOOD_STILL] = "this machine stood still for %lld ms",
		[WATCH_TRACE_WOKE_LATE] =
			"woke %lld ms late: this machine is overloaded, or was stopped",
	};
	long long number = (long long)action->number;
	char text[96];

	if (action->trace == WATCH_TRACE_DEVICE_FAILED) {
		log_line("%s: pet failed: %s; the promise now rests on %s devices, timeout %u ms",
			 devices[number].facts.path, strerror(event->errors[number]),
			 watch_proof_word(watch_core_proof(&core)),
			 (unsigned)watch_core_device_ms(&core));
		return;
	}
	snprintf(text, sizeof text, lines[action->trace], number);
	log_line("%s%s%s", action->name, action->name[0] ? ": " : "", text);
}

static void act(const struct watch_action *action, const struct watch_event *event)
{
	const struct connection *connection = connection_find(action->connection);

	switch (action->kind) {
	case WATCH_ACTION_PET:
		step(devices_pet(action->until));
		return;
	case WATCH_ACTION_RESET:
		reset_act(action);
		return;
	case WATCH_ACTION_DISARM:
		stopped = 1;
		return;
	case WATCH_ACTION_MARK:
		place_mark(1);
		return;
	case WATCH_ACTION_UNMARK:
		place_mark(0);
		return;
	case WATCH_ACTION_TRACE:
		trace_act(action, event);
		return;
	case WATCH_ACTION_TERMS:
	case WATCH_ACTION_BYE:
	case WATCH_ACTION_REFUSE:
		break;
	}
	if (!connection)
		return;
	if (action->kind == WATCH_ACTION_TERMS)
		answer_terms(connection->fd, &core, connection->id);
	else if (action->kind == WATCH_ACTION_REFUSE)
		answer_refused(connection->fd, action->refusal);
	else
		answer_bye(connection->fd);
}

/* PET is the last action of its step, and PETTED makes no other: `out` is not needed any more when
 * act() steps once more, and it goes no deeper. */
static void step(struct watch_event event)
{
	watch_step(&core, &event, &out);
	for (size_t i = 0, count = out.count; i < count; i++)
		act(&out.actions[i], &event);
}

/* ---- time ---- */

static void tick(void)
{
	struct watch_event event = { .kind = WATCH_EVENT_TICK, .stood_ns = outside_look() };

	event.now = device_clock();
	step(event);
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
		event.kind = WATCH_EVENT_REGISTER;
		event.name = packet.reg.name;
		event.deadline_ms = packet.reg.deadline_ms;
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

static void connections_accept(mono_t now)
{
	for (int i = 0; i < ACCEPTS_PER_CYCLE; i++) {
		struct connection fresh = { .id = ++last_connection_id, .heard = now };
		struct connection *place = connections;
		socklen_t length = sizeof(struct ucred);
		struct ucred peer;

		fresh.fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fresh.fd < 0) {
			/* Out of descriptors, or memory: the socket would wake us all the time. */
			if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
				accept_after = mono_add_ms(now, ACCEPT_PAUSE_MS);
			return;
		}
		while (place < connections + CONNECTIONS_MAX && place->fd >= 0)
			place++;
		if (place == connections + CONNECTIONS_MAX ||
		    getsockopt(fresh.fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) {
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

static void run(void)
{
	enum { TIMER, CLOCK_SET, LISTEN, OTHERS };
	static struct pollfd polled[OTHERS + CONNECTIONS_MAX];
	sigset_t none;

	sigemptyset(&none);
	while (!stopped) {
		mono_t now = device_clock();

		timer_arm(next_wake(now));
		polled[TIMER] = (struct pollfd){ .fd = timer_fd, .events = POLLIN };
		polled[CLOCK_SET] = (struct pollfd){ .fd = outside_set_fd(), .events = POLLIN };
		polled[LISTEN] = (struct pollfd){ .fd = mono_reached(now, accept_after) ? listen_fd
											: -1,
						  .events = POLLIN };
		for (size_t i = 0; i < CONNECTIONS_MAX; i++)
			polled[OTHERS + i] = (struct pollfd){ .fd = connections[i].fd,
							      .events = POLLIN };
		if (ppoll(polled, OTHERS + CONNECTIONS_MAX, NULL, &none) < 0) {
			assert(errno == EINTR);
			memset(polled, 0, sizeof polled);
		}
		tick();
		if (stop_signal) {
			stop_signal = 0;
			step((struct watch_event){ .kind = WATCH_EVENT_STOP,
						   .now = device_clock() });
		}
		if (polled[CLOCK_SET].revents)
			outside_set_arm();
		for (size_t i = 0; i < CONNECTIONS_MAX && !stopped; i++) {
			if (polled[OTHERS + i].revents)
				connection_read(&connections[i]);
			else if (connections[i].fd >= 0 &&
				 !connection_may_be_silent(&connections[i]) &&
				 mono_reached(device_clock(),
					      mono_add_ms(connections[i].heard, SILENCE_MS)))
				connection_close(&connections[i]);
		}
		if (polled[LISTEN].revents && !stopped)
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
	sigprocmask(SIG_BLOCK, &stops, NULL); /* but in ppoll() */
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
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
	error = place_write("/proc/self/oom_score_adj", 0, "-1000");
	if (error)
		log_line("oom_score_adj: %s; the kernel may kill it for memory: run as root",
			 strerror(error));
}

static void priority_set(void)
{
	struct sched_param param = { .sched_priority = options.priority };

	if (options.priority == 0 ||
	    sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &param) == 0)
		return;
	log_line(
		"real-time priority %d: %s; a busy machine may make it late: run as root, and "
		"where "
		"cgroups limit real-time (cpu.rt_runtime_us) outside of them; or give --priority 0",
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

static void devices_stop(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int error = device_disarm(&devices[i]);

		/* With the keeper's descriptors gone, closing releases the device. */
		if (i == 0)
			log_end();
		if (error)
			log_line("%s: does not stop: %s", devices[i].facts.path, strerror(error));
	}
	for (size_t i = 0; i < count; i++)
		if (device_close(&devices[i]))
			log_line("%s: STILL RUNS: this machine is reset within %u ms",
				 devices[i].facts.path, (unsigned)devices[i].facts.timeout_ms);
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
		log_line(
			"FILE DEVICE: for tests; this machine is NOT PROTECTED and is never reset");
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
	if (outside_open(options.standstill) != 0)
		return EXIT_FAILURE;
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
	devices_stop(options.devices_count);
	place_leave();
	log_line("stopped in order");
	return 0;
}
