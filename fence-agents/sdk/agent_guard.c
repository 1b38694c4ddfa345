/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * agent_guard.c - the deadline holds even when a library call never returns.
 *
 * Operations watch fence_left_ms() themselves. Should one hang all the same (a name lookup, a
 * library that loops), a timer on CLOCK_BOOTTIME ends the process a moment after the deadline,
 * with the same error line and JSON object that a normal end would have given. SIGTERM and SIGINT
 * first ask the running operation to return, and use the same exit if it does not.
 *
 * A signal handler may only write what is ready: each step prepares its text beforehand in one
 * of two buffers and then publishes its index.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fence-agents/sdk/agent_internal.h"
#include "host/clock.h"

/* How long after the deadline an operation may take to notice. */
#define GUARD_GRACE_MS 300

enum guard_reason { GUARD_TIMEOUT, GUARD_CANCELLED, GUARD_REASONS };

struct guard_text {
	char *error[GUARD_REASONS];  /* for stderr */
	char *result[GUARD_REASONS]; /* for stdout: JSON; NULL without json=1 */
	int exit_status;
};

static struct guard_text guard_texts[2];
static volatile sig_atomic_t guard_current = -1;
static timer_t guard_timer;
static int guard_timer_made;
static struct fence_ctx *guard_ctx;

static void write_all(int fd, const char *text)
{
	size_t left = text ? strlen(text) : 0;

	while (left > 0) {
		ssize_t done = write(fd, text, left);

		if (done <= 0)
			return;
		text += done;
		left -= (size_t)done;
	}
}

static void on_alarm(int signal_number)
{
	const struct guard_text *text;
	enum guard_reason reason = guard_ctx->cancelled ? GUARD_CANCELLED : GUARD_TIMEOUT;

	(void)signal_number;
	if (guard_current < 0)
		_exit(1);
	text = &guard_texts[guard_current];
	write_all(STDERR_FILENO, text->error[reason]);
	write_all(STDOUT_FILENO, text->result[reason]);
	_exit(text->exit_status);
}

static void timer_start(int64_t ms)
{
	struct itimerspec when = { .it_value = { .tv_sec = ms / 1000,
						 .tv_nsec = ms % 1000 * MONO_NS_PER_MS } };

	if (guard_timer_made)
		timer_settime(guard_timer, 0, &when, NULL);
}

static void on_cancel(int signal_number)
{
	(void)signal_number;
	guard_ctx->cancelled = 1;
	timer_start(GUARD_GRACE_MS);
}

static void handler_set(int signal_number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };

	sigfillset(&action.sa_mask);
	sigaction(signal_number, &action, NULL);
}

void agent_guard_start(struct fence_ctx *ctx)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM };
	sigset_t unblock;

	guard_ctx = ctx;
	guard_timer_made = timer_create(CLOCK_BOOTTIME, &event, &guard_timer) == 0;
	if (!guard_timer_made)
		fence_warn(ctx, "no timer for the deadline: %s", strerror(errno));
	handler_set(SIGALRM, on_alarm);
	handler_set(SIGTERM, on_cancel);
	handler_set(SIGINT, on_cancel);
	handler_set(SIGPIPE, SIG_IGN);
	sigemptyset(&unblock);
	sigaddset(&unblock, SIGALRM);
	sigaddset(&unblock, SIGTERM);
	sigaddset(&unblock, SIGINT);
	sigprocmask(SIG_UNBLOCK, &unblock, NULL);
}

void agent_guard_arm(struct fence_ctx *ctx)
{
	int64_t left_ms = mono_left_ms(clock_now(), ctx->deadline);

	if (!mono_is_never(ctx->deadline) && !ctx->cancelled)
		timer_start(left_ms + GUARD_GRACE_MS);
}

static void text_clear(struct guard_text *text)
{
	for (int i = 0; i < GUARD_REASONS; i++) {
		free(text->error[i]);
		free(text->result[i]);
	}
	*text = (struct guard_text){ .exit_status = 1 };
}

void agent_guard_prepare(struct fence_ctx *ctx)
{
	int next = guard_current == 0;
	struct guard_text *text = &guard_texts[next];
	struct err saved = ctx->err;

	text_clear(text);
	text->exit_status = agent_exit_status(ctx, RC_TIMEOUT);
	for (int i = 0; i < GUARD_REASONS; i++) {
		ctx->ended = i == GUARD_TIMEOUT ? mono_add_ms(ctx->deadline, GUARD_GRACE_MS)
						: MONO_NEVER;
		if (i == GUARD_TIMEOUT)
			err_set(&ctx->err, RC_TIMEOUT, "raise action_timeout or look at the device",
				"timed out %s", ctx->step);
		else
			err_set(&ctx->err, RC_CANCELLED, NULL, "stopped by a signal while %s",
				ctx->step);
		text->error[i] = agent_error_line(ctx);
		text->result[i] = ctx->json ? agent_json_line(ctx, text->exit_status) : NULL;
	}
	ctx->ended = MONO_NEVER;
	ctx->err = saved;
	guard_current = next;
}

void agent_guard_stop(void)
{
	if (guard_timer_made)
		timer_delete(guard_timer);
	guard_timer_made = 0;
	guard_current = -1;
	/* All is decided; what comes now must not look at what is about to be freed. */
	handler_set(SIGALRM, SIG_IGN);
	handler_set(SIGTERM, SIG_IGN);
	handler_set(SIGINT, SIG_IGN);
	text_clear(&guard_texts[0]);
	text_clear(&guard_texts[1]);
}
