/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * watchdog.c - the three calls of libholdfast-watchdog; see watchdog.h.
 *
 * A renewal is sent and not waited for; its answer is read by the call after it. So each renewal
 * first reads what has come: new terms, or that it is too late.
 */
#include "watchdog/client/watchdog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watchdog/client/watch_link_io.h"

struct holdfast_watchdog {
	struct watch_link link;
	struct holdfast_watchdog_terms terms; /* as sent last; why is empty */
	int error;			      /* errno of a failure that is final, with link.why */
	/* The first renewal that was sent since the last answer; 0 when all are answered. */
	int64_t waiting_since_ns;
};

static void terms_take(struct holdfast_watchdog_terms *terms, const struct watch_terms *from)
{
	*terms = (struct holdfast_watchdog_terms){
		.deadline_ms = from->deadline_ms,
		.device_ms = from->device_ms,
		.bound_ms = from->bound_ms,
		.proof = (enum holdfast_watchdog_proof)from->proof,
	};
}

/* A negative errno as the public calls give it: -1, errno, and the reason in terms. */
static int call_failed(struct holdfast_watchdog_terms *terms, int error, const char *why)
{
	if (terms)
		snprintf(terms->why, sizeof terms->why, "%s", why);
	errno = -error;
	return -1;
}

/* ---- open ---- */

static int open_args_check(const char *name, uint32_t deadline_ms, char *why, size_t size)
{
	if (!name || !watch_name_is_valid(name)) {
		snprintf(why, size,
			 "%.64s: not a name of a client; take 1 to %d of a-z A-Z 0-9 . _ -",
			 name ? name : "(null)", WATCH_NAME_BYTES - 1);
		return -EINVAL;
	}
	if (deadline_ms < HOLDFAST_WATCHDOG_DEADLINE_MIN_MS ||
	    deadline_ms > HOLDFAST_WATCHDOG_DEADLINE_MAX_MS) {
		snprintf(why, size, "%s: a deadline of %u ms; take %d to %d", name, deadline_ms,
			 HOLDFAST_WATCHDOG_DEADLINE_MIN_MS, HOLDFAST_WATCHDOG_DEADLINE_MAX_MS);
		return -EINVAL;
	}
	return 0;
}

/* Watchdogd's word on the state that its answer came from. */
static int state_check(struct watch_link *link, const struct watch_terms *terms)
{
	if (terms->state == WATCH_STATE_PETTING)
		return 0;
	snprintf(link->why, sizeof link->why,
		 "watchdogd at %s: the devices are no longer petted (%s); stop working", link->path,
		 watch_state_word(terms->state));
	return terms->state == WATCH_STATE_STOPPED ? -EPIPE : -ECANCELED;
}

/* A registration whose answer did not come, or was none. It may still be taken: in silence it would
 * be a client that never renews. */
static void registration_withdraw(struct watch_link *link)
{
	const struct watch_packet packet = { .type = WATCH_GOODBYE };
	char why[WATCH_WHY_BYTES];

	memcpy(why, link->why, sizeof why);
	(void)watch_link_send(link, &packet, 0);
	memcpy(link->why, why, sizeof why);
}

static int handle_register(struct holdfast_watchdog *watchdog, const char *name,
			   uint32_t deadline_ms, int64_t since_ns)
{
	int64_t until = watch_until_ns(HOLDFAST_WATCHDOG_ANSWER_MS);
	struct watch_packet packet = { .type = WATCH_REGISTER };
	int error, sent;

	memcpy(packet.reg.name, name, strlen(name) + 1);
	packet.reg.deadline_ms = deadline_ms;
	packet.reg.since_ns = since_ns;
	error = watch_link_open(&watchdog->link, until);
	if (!error)
		error = watch_link_send(&watchdog->link, &packet, until);
	sent = !error;
	if (!error || error == -EPIPE) {
		/* Refused before it could be sent: the reason is there to be read. */
		error = watch_link_receive(&watchdog->link, &packet, until);
		if (!error && packet.type != WATCH_TERMS)
			error = watch_link_refused(&watchdog->link, &packet);
		else if (!error)
			error = state_check(&watchdog->link, &packet.terms);
	}
	if (!error)
		terms_take(&watchdog->terms, &packet.terms);
	else if (sent && packet.type != WATCH_REFUSED)
		registration_withdraw(&watchdog->link);
	return error == -EPIPE ? -ECONNREFUSED : error;
}

int holdfast_watchdog_open(const char *name, uint32_t deadline_ms,
			   struct holdfast_watchdog **watchdog,
			   struct holdfast_watchdog_terms *terms)
{
	int64_t since_ns = watch_now_ns(); /* of this call, whatever time goes by below */
	struct holdfast_watchdog *made;
	char why[WATCH_WHY_BYTES];
	int error;

	*watchdog = NULL;
	if (terms)
		*terms = (struct holdfast_watchdog_terms){ 0 };
	error = open_args_check(name, deadline_ms, why, sizeof why);
	if (error)
		return call_failed(terms, error, why);
	made = calloc(1, sizeof *made);
	if (!made) {
		snprintf(why, sizeof why, "%s: out of memory", name);
		return call_failed(terms, -ENOMEM, why);
	}
	error = handle_register(made, name, deadline_ms, since_ns);
	if (error) {
		watch_link_close(&made->link);
		call_failed(terms, error, made->link.why);
		free(made);
		errno = -error;
		return -1;
	}
	if (terms)
		*terms = made->terms;
	*watchdog = made;
	return 0;
}

/* ---- renew ---- */

/* Read the answers that have come. 0, or a failure that is final. */
static int answers_drain(struct holdfast_watchdog *watchdog)
{
	struct watch_packet packet;
	int error;

	for (;;) {
		error = watch_link_receive(&watchdog->link, &packet, 0);
		if (error == -EAGAIN)
			return 0;
		if (!error && packet.type != WATCH_TERMS)
			error = watch_link_refused(&watchdog->link, &packet);
		else if (!error)
			error = state_check(&watchdog->link, &packet.terms);
		if (error) {
			watchdog->error = -error;
			return error;
		}
		terms_take(&watchdog->terms, &packet.terms);
		watchdog->waiting_since_ns = 0;
	}
}

/* A renewal lies unanswered for longer than any answer may take, or than the deadline is: there is
 * nobody who takes it, long before the socket is full. */
static int silence_check(struct holdfast_watchdog *watchdog, int64_t now_ns)
{
	uint32_t limit_ms = watchdog->terms.deadline_ms < HOLDFAST_WATCHDOG_ANSWER_MS
				    ? watchdog->terms.deadline_ms
				    : HOLDFAST_WATCHDOG_ANSWER_MS;
	int64_t silent_ms;

	if (watchdog->waiting_since_ns == 0) {
		watchdog->waiting_since_ns = now_ns;
		return 0;
	}
	silent_ms = (now_ns - watchdog->waiting_since_ns) / 1000000;
	if (silent_ms <= limit_ms)
		return 0;
	snprintf(watchdog->link.why, sizeof watchdog->link.why,
		 "watchdogd at %s: no answer for %lld ms; it hangs or is being starved",
		 watchdog->link.path, (long long)silent_ms);
	return -EAGAIN;
}

static int handle_renew(struct holdfast_watchdog *watchdog, int64_t since_ns)
{
	int64_t now_ns = watch_now_ns();
	/* Not "when watchdogd reads it": that may be long after. */
	const struct watch_packet packet = { .type = WATCH_RENEW,
					     .since_ns = since_ns ? since_ns : now_ns };
	int error;

	if (since_ns > now_ns) {
		snprintf(watchdog->link.why, sizeof watchdog->link.why,
			 "the renewal's moment is %lld ms in the future; take CLOCK_BOOTTIME",
			 (long long)((since_ns - now_ns) / 1000000));
		return -EINVAL;
	}
	error = answers_drain(watchdog);
	if (error)
		return error;
	error = watch_link_send(&watchdog->link, &packet, 0);
	if (error == -EPIPE) {
		/* What it said before it went tells more. */
		error = answers_drain(watchdog);
		watchdog->error = error ? -error : EPIPE;
		return -watchdog->error;
	}
	return error ? error : silence_check(watchdog, now_ns);
}

int holdfast_watchdog_renew(struct holdfast_watchdog *watchdog, int64_t since_ns,
			    struct holdfast_watchdog_terms *terms)
{
	int error = watchdog->error ? -watchdog->error : handle_renew(watchdog, since_ns);

	if (terms)
		*terms = watchdog->terms;
	return error ? call_failed(terms, error, watchdog->link.why) : 0;
}

/* ---- close ---- */

static int handle_goodbye(struct holdfast_watchdog *watchdog)
{
	int64_t until = watch_until_ns(HOLDFAST_WATCHDOG_ANSWER_MS);
	struct watch_packet packet = { .type = WATCH_GOODBYE };
	int sent = watch_link_send(&watchdog->link, &packet, until), error;

	if (sent && sent != -EPIPE)
		return sent;
	/* Answers to renewals come first. */
	do
		error = watch_link_receive(&watchdog->link, &packet, until);
	while (!error && packet.type == WATCH_TERMS);
	if (error || packet.type == WATCH_BYE)
		return error;
	return watch_link_refused(&watchdog->link, &packet);
}

int holdfast_watchdog_close(struct holdfast_watchdog *watchdog)
{
	int error;

	if (!watchdog)
		return 0;
	error = watchdog->error ? -watchdog->error : handle_goodbye(watchdog);
	watch_link_close(&watchdog->link);
	free(watchdog);
	return error ? call_failed(NULL, error, "") : 0;
}
