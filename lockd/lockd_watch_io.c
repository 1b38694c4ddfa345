/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_watch_io.c - renewing at watchdogd; see lockd_watch_io.h.
 */
#include "lockd/lockd_watch_io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/timing.h"
#include "host/clock.h"
#include "watchdog/client/watch_link_io.h"
#include "watchdog/client/watchdog.h"

enum { QUERY_MS = HOLDFAST_WATCHDOG_ANSWER_MS };

struct lockd_watch {
	struct holdfast_watchdog *client; /* NULL: --watchdog off */
	struct holdfast_watchdog_terms terms;
	unsigned expiry; /* enum watch_expiry of watchdogd */
	mono_t renewed;	 /* the youngest moment that was renewed from */
	int is_refused;	 /* told: it takes no renewals any more */
	int is_owed;	 /* node: a heartbeat went out, peers may rely on the reset */
	struct holdfast_watchdog *pill; /* never renewed */
};

/* ---- opening ---- */

/* What watchdogd does at a deadline decides which pills can be acted on. */
static int expiry_query(unsigned *expiry, struct err *err)
{
	const struct watch_packet query = { .type = WATCH_QUERY };
	int64_t until = watch_until_ns(QUERY_MS);
	struct watch_packet packet;
	struct watch_link link;
	int error = watch_link_open(&link, until);

	if (!error)
		error = watch_link_send(&link, &query, until);
	if (!error)
		error = watch_link_receive(&link, &packet, until);
	if (!error && packet.type != WATCH_STATUS)
		error = watch_link_refused(&link, &packet);
	if (!error)
		*expiry = packet.status.expiry;
	else
		err_set(err, RC_STATE, "start watchdogd, or give --watchdog off", "%s", link.why);
	watch_link_close(&link);
	return error ? RC_STATE : 0;
}

int lockd_watch_open(struct lockd *lockd, struct err *err)
{
	struct lockd_watch *watch = calloc(1, sizeof *watch);
	char name[32];
	int rc;

	if (!watch)
		abort();
	lockd->watch = watch;
	if (!lockd->options.watchdog)
		return 0;
	rc = expiry_query(&watch->expiry, err);
	if (rc)
		return rc;
	/* By number, as several nodes run on one machine in trials. */
	snprintf(name, sizeof name, "lockd-%u", lockd->options.node);
	watch->renewed = clock_now();
	if (holdfast_watchdog_open(name, lockd->options.lease_ms, &watch->client, &watch->terms))
		return err_set(err, RC_STATE, "start watchdogd, or give --watchdog off", "%s",
			       watch->terms.why);
	if (watch->terms.proof == HOLDFAST_WATCHDOG_PROOF_NONE)
		return err_set(err, RC_STATE,
			       "give watchdogd a device (holdfast watchdog query), or give "
			       "--watchdog off",
			       "watchdogd: none of its devices would reset this machine");
	if (watch->terms.proof == HOLDFAST_WATCHDOG_PROOF_SOFTWARE)
		lockd_log(LOCKD_WARN, "the watchdog is a timer of this kernel, and dies with it");
	return 0;
}

uint32_t lockd_watch_device_ms(const struct lockd *lockd)
{
	const struct lockd_watch *watch = lockd->watch;

	return watch->client && watch->terms.proof != HOLDFAST_WATCHDOG_PROOF_NONE
		       ? watch->terms.device_ms
		       : 0;
}

/* A machine that is switched off, or crashes, was reset as far as anybody relies on it. */
uint32_t lockd_watch_accepts(const struct lockd *lockd)
{
	uint32_t accepts = 1U << HB_PILL_TEST | 1U << HB_PILL_MESSAGE;

	if (!lockd->watch->client)
		return accepts;
	accepts |= 1U << HB_PILL_RESET;
	if (lockd->watch->expiry == WATCH_EXPIRY_OFF)
		accepts |= 1U << HB_PILL_OFF;
	if (lockd->watch->expiry == WATCH_EXPIRY_CRASH)
		accepts |= 1U << HB_PILL_CRASH;
	return accepts;
}

/* ---- renewing ---- */

static mono_t stamp_of(const struct lockd *lockd)
{
	mono_t until = lockd_lease_until(lockd);

	return until.ns == INT64_MIN ? until
				     : mono_add_ms(until, -(int64_t)lockd->options.lease_ms);
}

/* What to renew from; a moment before all others: not at all. */
static mono_t renewal_from(const struct lockd *lockd, mono_t now)
{
	const struct lockd_options *options = &lockd->options;
	const mono_t none = { INT64_MIN };
	mono_t stamp = stamp_of(lockd);
	enum hb_stage stage = lockd->heart ? hb_io_core(lockd->heart)->stage : HB_STAGE_WATCH;
	int64_t fresh_ms = 2 * ((int64_t)options->interval_ms + options->io_timeout_ms);

	if (lockd->is_dying)
		return none;
	if (stamp.ns != none.ns && mono_reached(now, mono_add_ms(stamp, options->lease_ms)))
		stamp = none; /* S6: it has ended, whoever has noticed */
	if (options->expiry == LOCKD_EXPIRY_NODE)
		return lockd->watch->is_owed || stage >= HB_STAGE_JOIN ? stamp : now;
	if (lockd->resting > 0)
		return stamp;
	if (stamp.ns == none.ns || mono_reached(now, mono_add_ms(stamp, fresh_ms)))
		return now;
	return stamp;
}

static void terms_look(struct lockd *lockd, uint32_t before_ms)
{
	uint32_t now_ms = lockd_watch_device_ms(lockd);

	if (now_ms == before_ms)
		return;
	lockd_say(lockd, LOCKD_FAULT, "the watchdog's timeout was %u ms and is %u ms now%s",
		  before_ms, now_ms, now_ms ? "" : ": nothing stands behind the lease");
	lockd->config.watchdog_ms = now_ms;
	lockd->config.grain_ms = now_ms ? timing_grain_ms(now_ms) : 0;
	if (lockd->heart)
		hb_io_watchdog_set(lockd->heart, now_ms, lockd->config.grain_ms);
	lockd_event(lockd, LOCKD_TOPIC_WATCHDOG,
		    json_pack("{s:s, s:i}", "state", "changed", "timeout_ms", (int)now_ms));
}

void lockd_watch_look(struct lockd *lockd, mono_t now)
{
	struct lockd_watch *watch = lockd->watch;
	mono_t from;
	uint32_t before_ms;

	if (!watch->client)
		return;
	if (lockd->heart && hb_io_core(lockd->heart)->stage >= HB_STAGE_JOIN &&
	    hb_io_core(lockd->heart)->stage < HB_STAGE_ENDED)
		watch->is_owed = 1;
	from = renewal_from(lockd, now);
	if (from.ns == INT64_MIN)
		return;
	before_ms = lockd_watch_device_ms(lockd);
	if (holdfast_watchdog_renew(watch->client, from.ns, &watch->terms) == 0) {
		if (mono_before(watch->renewed, from))
			watch->renewed = from;
		watch->is_refused = 0;
	} else if (!watch->is_refused) {
		watch->is_refused = 1;
		lockd_say(lockd, LOCKD_FAULT, "%s", watch->terms.why);
		lockd_event(lockd, LOCKD_TOPIC_WATCHDOG,
			    json_pack("{s:s, s:s}", "state", "refused", "why", watch->terms.why));
	}
	terms_look(lockd, before_ms);
}

int lockd_watch_may_rest(const struct lockd *lockd, mono_t stamp)
{
	return !lockd->watch->client ||
	       (!lockd->watch->is_refused && !mono_before(stamp, lockd->watch->renewed));
}

/* ---- the end ---- */

void lockd_watch_die(struct lockd *lockd)
{
	struct lockd_watch *watch = lockd->watch;
	struct holdfast_watchdog_terms terms;
	char name[32];

	if (!watch->client || watch->pill)
		return;
	snprintf(name, sizeof name, "lockd-%u-pill", lockd->options.node);
	/* If this fails, the deadline of the lease is what is left, and it is enough. */
	if (holdfast_watchdog_open(name, HOLDFAST_WATCHDOG_DEADLINE_MIN_MS, &watch->pill, &terms))
		lockd_say(lockd, LOCKD_FAULT, "%s; the reset comes with the end of the lease",
			  terms.why);
}

static const char *proof_word(enum holdfast_watchdog_proof proof)
{
	return watch_proof_word((unsigned)proof);
}

json_t *lockd_watch_json(const struct lockd *lockd)
{
	const struct lockd_watch *watch = lockd->watch;

	if (!watch->client)
		return json_pack("{s:s}", "state", "off");
	return json_pack("{s:s, s:s, s:i, s:i, s:s}", "state",
			 watch->is_refused ? "refused" : "renewed", "proof",
			 proof_word(watch->terms.proof), "timeout_ms", (int)watch->terms.device_ms,
			 "bound_ms", (int)watch->terms.bound_ms, "at_deadline",
			 watch_expiry_word(watch->expiry));
}

void lockd_watch_close(struct lockd *lockd)
{
	struct lockd_watch *watch = lockd->watch;
	int is_relied_on;

	if (!watch)
		return;
	is_relied_on = lockd->is_dying || lockd->resting > 0 ||
		       (lockd->options.expiry == LOCKD_EXPIRY_NODE && watch->is_owed &&
			!lockd->has_left);
	if (watch->client && is_relied_on) {
		/* The process ends with the connection open, which is no goodbye. */
		lockd_log(LOCKD_FAULT, "ends without goodbye to watchdogd: others rely on this "
				       "machine's reset, and it comes");
		return;
	}
	if (holdfast_watchdog_close(watch->client) != 0)
		lockd_log(LOCKD_FAULT, "watchdogd did not take the goodbye: %s", strerror(errno));
	lockd->watch = NULL;
	free(watch);
}
