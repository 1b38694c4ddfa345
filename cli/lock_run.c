/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lock_run.c - `holdfast lock run NAME -- COMMAND`: hold a lock of the cluster while a command runs.
 *
 * lockd holds the lock for as long as this process's connection stands and says nothing else. It
 * tells until when the lease lasts, again and again; this process relies on what it was told last. So
 * the command ends in time whether lockd says so, hangs, or is gone:
 *
 *	term_left_ms before the end of the lease, or when lockd is gone	SIGTERM
 *	kill_left_ms before the end of the lease			SIGKILL
 *
 * Only when no process of the command is left, lockd is told to release the lock. If this process
 * is killed, lockd does the same to the command's group and to what has its tag (lockd_lock_io.c).
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cmd_lock.h"
#include "cli/lock_run.h"
#include "cli/options.h"
#include "host/clock.h"
#include "lockd/client/lockd_client_io.h"

enum {
	CONNECT_MS = 5000,
	UNLOCK_MS = 10000,
	AGAIN_MS = 250,	 /* how often a node that is not active yet is asked */
	LOOK_MS = 50,	 /* how often an ending command is looked at */
	GRACE_MS = 3000, /* for what a command has left behind when it has ended by itself */
	LINES_AT_ONCE = 64,
};

enum phase {
	PHASE_WAIT,   /* for the lock */
	PHASE_RUN,    /* the command runs */
	PHASE_END,    /* it was asked to end, or has left something behind; killed at kill_at */
	PHASE_KILL,   /* it is being killed */
	PHASE_UNLOCK, /* nothing of it is left; lockd was told */
	PHASE_OVER,
};

struct run {
	const struct cli *cli;
	const char *name;
	struct lock_command command;
	struct lockd_client *client;
	int signals, linked;
	enum phase phase;
	json_int_t lock_id, unlock_id;
	int exit; /* 0: the command's own */
	mono_t lease_until, kill_at, give_up;
	int64_t term_left_ms, kill_left_ms;
	mono_t wait_until; /* for the lock */
	mono_t again_at;   /* never, or this node was not active and is to be asked again */
	char stage[32];	   /* told: what it did instead */
};

static const int forwarded[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };
/* Blocked: a signal of the terminal that stops would stop the one who watches the lease. */
static const int held_back[] = { SIGCHLD, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU };

static void say(const struct run *run, const char *text)
{
	char clean[512];

	text_clean(clean, sizeof clean, text, strlen(text));
	cli_warn(run->cli, "%s: %s", run->name, clean);
}

/* ---- ending the command ---- */

static void run_kill(struct run *run)
{
	run->phase = PHASE_KILL;
	lock_command_signal(&run->command, SIGKILL);
}

static mono_t lease_end_less(const struct run *run, int64_t ms)
{
	return mono_add_ms(run->lease_until, -ms);
}

/* It has to end; `status` says why, 0 when it has ended by itself. */
static void run_end(struct run *run, int status, mono_t kill_at)
{
	if (run->phase != PHASE_RUN)
		return;
	if (!run->exit)
		run->exit = status;
	/* A lease that is renewed after all does not put off what it was lost for. */
	run->kill_at = status ? mono_min(kill_at, lease_end_less(run, run->kill_left_ms)) : kill_at;
	run->phase = PHASE_END;
	lock_command_signal(&run->command, SIGTERM);
}

/* lockd's connection has ended, or makes no sense any more. */
static void link_lost(struct run *run, const char *why)
{
	if (!run->linked)
		return;
	run->linked = 0;
	switch (run->phase) {
	case PHASE_WAIT:
		say(run, why);
		run->exit = LOCK_EXIT_NO_LOCKD;
		run->phase = PHASE_OVER;
		break;
	case PHASE_RUN:
		say(run, "lockd is gone; the command is ended before the lease is");
		run_end(run, LOCK_EXIT_NO_LOCKD, MONO_NEVER);
		break;
	case PHASE_UNLOCK:
		say(run,
		    "the command has ended, but lockd is gone: the lock stays this node's until "
		    "its lease is over");
		run->phase = PHASE_OVER;
		break;
	case PHASE_END:
	case PHASE_KILL:
	case PHASE_OVER:
		break;
	}
}

/* ---- what lockd says ---- */

static int64_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void told_waiting(const struct run *run, const json_t *object)
{
	char text[400], limit[64] = "";
	const char *fate = text_of(object, "fate"), *holder = text_of(object, "holder"), *tail;
	char number[24];

	/* Nobody here has seen it yet. */
	if (!holder[0]) {
		snprintf(number, sizeof number, "%" PRId64, number_of(object, "holder_node"));
		holder = number;
	}
	if (strcmp(fate, "pending") == 0) {
		snprintf(limit, sizeof limit, ", whose lease ends in at most %" PRId64 " s",
			 (number_of(object, "in_ms") + 999) / 1000);
		tail = limit;
	} else if (strcmp(fate, "unprovable") == 0) {
		tail = ", which is silent and has no watchdog: see \"holdfast lock break\"";
	} else {
		tail = "";
	}
	snprintf(text, sizeof text, "waiting; held by node %s%s", holder, tail);
	say(run, text);
}

static void told_disk(const struct run *run, const json_t *object)
{
	char text[128];

	snprintf(text, sizeof text, "waiting; the shared disks do not answer (%s)",
		 text_of(object, "cause"));
	say(run, text);
}

static void told_granted(struct run *run, const json_t *object)
{
	run->lease_until.ns = number_of(object, "until_ns");
	run->term_left_ms = number_of(object, "term_left_ms");
	run->kill_left_ms = number_of(object, "kill_left_ms");
	/* S6: it may have been said long ago. What was never begun needs no end. */
	if (mono_reached(clock_now(), lease_end_less(run, run->term_left_ms))) {
		say(run,
		    "got, but the lease was over when this was read; the command is not begun");
		run->exit = LOCK_EXIT_LOST;
		run->phase = PHASE_OVER;
		return;
	}
	run->phase = PHASE_RUN;
	lock_command_start(&run->command, run->name, (uint64_t)number_of(object, "term"),
			   (unsigned)number_of(object, "node"));
}

static void progress_take(struct run *run, const json_t *object)
{
	const char *word = text_of(object, "progress");

	if (run->phase == PHASE_WAIT && strcmp(word, "granted") == 0) {
		told_granted(run, object);
	} else if (run->phase == PHASE_WAIT && strcmp(word, "waiting") == 0) {
		told_waiting(run, object);
	} else if (run->phase == PHASE_WAIT && strcmp(word, "disk") == 0) {
		told_disk(run, object);
	} else if (run->phase == PHASE_WAIT && strcmp(word, "not-ready") == 0) {
		say(run, "waiting; the lease of this node is too short at this moment");
	} else if (strcmp(word, "lease") == 0) {
		run->lease_until.ns = number_of(object, "until_ns");
	} else if (strcmp(word, "end") == 0 && run->phase == PHASE_RUN) {
		char text[128];

		snprintf(text, sizeof text, "the command is ended: %s", text_of(object, "text"));
		say(run, text);
		run_end(run, LOCK_EXIT_LOST, MONO_NEVER);
	}
}

/* It was refused because this node is not active, and may be soon. Returns whether to ask again. */
static int is_not_active_yet(struct run *run, const json_t *object)
{
	const char *stage = text_of(object, "stage");
	mono_t now = clock_now();

	if (run->phase != PHASE_WAIT || !stage[0] || strcmp(stage, "dying") == 0 ||
	    strcmp(stage, "leaving") == 0 || mono_reached(now, run->wait_until))
		return 0;
	run->again_at = mono_min(mono_add_ms(now, AGAIN_MS), run->wait_until);
	if (strcmp(stage, run->stage) != 0) {
		char text[128];

		snprintf(run->stage, sizeof run->stage, "%s", stage);
		snprintf(text, sizeof text, "waiting; this node is not active on its disks (%s)",
			 run->stage);
		say(run, text);
	}
	return 1;
}

/* The final answer to "lock": it is not held any more, or never was. */
static void lock_over(struct run *run, const json_t *object)
{
	int fine = json_is_true(json_object_get(object, "ok"));

	run->lock_id = 0;
	if (is_not_active_yet(run, object))
		return;
	if (!fine)
		say(run, text_of(object, "error"));
	switch (run->phase) {
	case PHASE_WAIT:
		run->exit = LOCK_EXIT_NOT_GOT;
		run->phase = PHASE_OVER;
		break;
	case PHASE_RUN:
	case PHASE_END:
		run->exit = LOCK_EXIT_LOST;
		run_kill(run);
		break;
	case PHASE_UNLOCK:
		run->phase = PHASE_OVER;
		break;
	case PHASE_KILL:
	case PHASE_OVER:
		break;
	}
}

static void line_take(struct run *run, const json_t *object)
{
	json_int_t id = number_of(object, "id");

	if (json_object_get(object, "progress"))
		progress_take(run, object);
	else if (id == run->lock_id && json_object_get(object, "ok"))
		lock_over(run, object);
}

static void link_read(struct run *run)
{
	struct err err = { .rc = 0 };

	for (int i = 0; run->linked && i < LINES_AT_ONCE; i++) {
		json_t *object = NULL;
		int rc = lockd_client_next(run->client, clock_now(), &object, &err);

		if (rc == RC_TIMEOUT)
			return;
		if (rc) {
			link_lost(run, err.text);
			return;
		}
		line_take(run, object);
		json_decref(object);
	}
}

/* ---- signals ---- */

static void signal_take(struct run *run, int number)
{
	if (number == SIGCHLD) {
		if (lock_command_look(&run->command))
			say(run, "a command that holds a lock is not suspended");
		if (run->command.has_ended && run->phase == PHASE_RUN)
			run_end(run, 0, mono_add_ms(clock_now(), GRACE_MS));
		return;
	}
	if (number == SIGCONT) {
		lock_command_resume(&run->command);
		return;
	}
	for (size_t i = 0; i < sizeof forwarded / sizeof forwarded[0]; i++) {
		if (forwarded[i] != number)
			continue;
		if (run->phase == PHASE_WAIT) {
			run->exit = LOCK_EXIT_SIGNAL + number;
			run->phase = PHASE_OVER;
		} else if (run->phase < PHASE_UNLOCK) {
			lock_command_forward(&run->command, number);
		}
	}
}

static void signals_read(struct run *run)
{
	struct signalfd_siginfo info;

	while (read(run->signals, &info, sizeof info) == sizeof info)
		signal_take(run, (int)info.ssi_signo);
}

static int signals_begin(struct run *run, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof forwarded / sizeof forwarded[0]; i++)
		sigaddset(&set, forwarded[i]);
	for (size_t i = 0; i < sizeof held_back / sizeof held_back[0]; i++)
		sigaddset(&set, held_back[i]);
	sigprocmask(SIG_BLOCK, &set, &run->command.mask_before);
	/* A child that was ignored is never a zombie: its number could be another's at once. */
	signal(SIGCHLD, SIG_DFL);
	run->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (run->signals < 0)
		return err_set(err, RC_INTERNAL, NULL, "cannot wait for signals: %s",
			       strerror(errno));
	return 0;
}

/* ---- asking ---- */

static json_t *lock_request(const struct run *run)
{
	json_t *fields;
	char shown[128] = "";
	char clean[128], user[64];

	for (char *const *word = run->command.argv; *word; word++) {
		size_t length = strlen(shown);

		snprintf(shown + length, sizeof shown - length, "%s%s", length ? " " : "", *word);
	}
	text_clean(clean, sizeof clean, shown, strlen(shown));
	lock_user(user, sizeof user);
	fields = json_pack("{s:s, s:I, s:s, s:s, s:s}", "name", run->name, "pgid",
			   (json_int_t)run->command.pid, "tag", run->command.tag, "command", clean,
			   "by", user);
	if (fields && run->cli->given & OPTION_WAIT)
		json_object_set_new(fields, "wait_ms",
				    json_integer(mono_left_ms(clock_now(), run->wait_until)));
	return fields;
}

/* ---- the loop ---- */

static void unlock(struct run *run)
{
	struct err err = { .rc = 0 };

	run->phase = PHASE_UNLOCK;
	if (!run->lock_id) {
		run->phase = PHASE_OVER;
	} else if (!run->linked) {
		run->linked = 1;
		link_lost(run, "");
	} else if (lockd_client_post(run->client, "unlock", json_pack("{s:s}", "name", run->name),
				     &run->unlock_id, &err)) {
		link_lost(run, err.text);
	}
	run->give_up = mono_add_ms(clock_now(), UNLOCK_MS);
}

static void ask_again(struct run *run)
{
	struct err err = { .rc = 0 };

	run->again_at = MONO_NEVER;
	if (lockd_client_post(run->client, "lock", lock_request(run), &run->lock_id, &err))
		link_lost(run, err.text);
}

/* What is due. */
static void run_look(struct run *run)
{
	mono_t now = clock_now();

	if (run->phase == PHASE_WAIT && mono_reached(now, run->again_at))
		ask_again(run);
	if (run->phase == PHASE_RUN && mono_reached(now, lease_end_less(run, run->term_left_ms))) {
		say(run, "the command is ended: lockd has not told of a renewed lease");
		run_end(run, LOCK_EXIT_LOST, MONO_NEVER);
	}
	if (run->phase == PHASE_END) {
		if (lock_command_is_gone(&run->command))
			unlock(run);
		else if (mono_reached(now, mono_min(run->kill_at,
						    lease_end_less(run, run->kill_left_ms))))
			run_kill(run);
	} else if (run->phase == PHASE_KILL) {
		if (lock_command_is_gone(&run->command))
			unlock(run);
		else
			lock_command_signal(&run->command, SIGKILL);
	} else if (run->phase == PHASE_UNLOCK && mono_reached(now, run->give_up)) {
		say(run, "the command has ended, but lockd does not say that the lock is released");
		run->phase = PHASE_OVER;
	}
}

static int wait_ms(const struct run *run)
{
	mono_t until = MONO_NEVER;
	int64_t left;

	if (run->phase == PHASE_END || run->phase == PHASE_KILL)
		return LOOK_MS;
	if (run->phase == PHASE_WAIT)
		until = run->again_at;
	else if (run->phase == PHASE_RUN)
		until = lease_end_less(run, run->term_left_ms);
	else if (run->phase == PHASE_UNLOCK)
		until = run->give_up;
	left = mono_left_ms(clock_now(), until);
	return left > INT32_MAX ? -1 : (int)left;
}

static void run_loop(struct run *run)
{
	while (run->phase != PHASE_OVER) {
		struct pollfd fds[2] = {
			{ .fd = run->signals, .events = POLLIN },
			{ .fd = run->linked ? lockd_client_fd(run->client) : -1, .events = POLLIN },
		};

		if (poll(fds, 2, wait_ms(run)) < 0 && errno != EINTR) {
			say(run, strerror(errno));
			run_end(run, LOCK_EXIT_FAILED, clock_now());
		}
		/* The lease first: what else there is may be late (S6). */
		if (fds[1].revents)
			link_read(run);
		run_look(run);
		signals_read(run);
		run_look(run);
	}
}

/* ---- the command line ---- */

static int run_begin(struct run *run, struct err *err)
{
	if (signals_begin(run, err) || lock_command_fork(&run->command, err))
		return LOCK_EXIT_FAILED;
	if (lockd_client_open(&run->client, NULL, mono_add_ms(clock_now(), CONNECT_MS), err) ||
	    lockd_client_post(run->client, "lock", lock_request(run), &run->lock_id, err)) {
		lock_command_abandon(&run->command);
		return LOCK_EXIT_NO_LOCKD;
	}
	run->linked = 1;
	return 0;
}

int lock_run_command(struct cli *cli)
{
	struct run run = {
		.cli = cli,
		.signals = -1,
		.lease_until = MONO_NEVER,
		.kill_at = MONO_NEVER,
		.wait_until = MONO_NEVER,
		.again_at = MONO_NEVER,
	};
	struct err err = { .rc = 0 };
	int status;

	if (cli->args_count < 2)
		return cli_usage(cli, "%s",
				 cli->args_count ? "which command? put it behind \"--\""
						 : "which lock, and which command?");
	run.name = cli->args[0];
	run.command.cli = cli;
	run.command.argv = cli->args + 1;
	if (lock_name_check(cli, run.name))
		return CLI_EXIT_USAGE;
	if (cli->given & OPTION_WAIT)
		run.wait_until = mono_add_ms(clock_now(), cli->wait_ms);
	status = run_begin(&run, &err);
	if (status) {
		cli_fail(cli, &err);
	} else {
		run_loop(&run);
		if (run.command.gate >= 0)
			lock_command_abandon(&run.command);
		status = run.exit ? run.exit : run.command.status;
	}
	lockd_client_close(run.client);
	if (run.signals >= 0)
		close(run.signals);
	cli->exit_status = status;
	return CLI_EXIT_COMMAND;
}
