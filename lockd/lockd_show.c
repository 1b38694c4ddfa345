/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_show.c - the part of lockd that tells: hello, status, peers, subscribe.
 *
 * Callers: the list of parts. Reads the daemon's state, changes nothing.
 */
#include <inttypes.h>

#include "base/timing_peer.h"
#include "host/clock.h"
#include "lockd/lockd.h"
#include "lockd/lockd_disks_io.h"
#include "lockd/lockd_heart_io.h"
#include "lockd/lockd_parts.h"
#include "lockd/lockd_request.h"
#include "lockd/lockd_server_io.h"
#include "lockd/lockd_watch_io.h"

static void put_cluster(const struct lockd *lockd, json_t *object)
{
	char id[24];

	snprintf(id, sizeof id, "%016" PRIx64, lockd->super.head.cluster);
	json_object_set_new(object, "cluster", json_string(lockd->super.cluster_name));
	json_object_set_new(object, "cluster_id", json_string(id));
	json_object_set_new(object, "node", json_integer(lockd->config.node));
	json_object_set_new(object, "name", json_string(lockd->config.name));
}

static void hello(struct lockd_call *call)
{
	json_t *answer = json_pack("{s:s, s:s, s:i}", "program", "lockd", "version",
				   HOLDFAST_VERSION, "protocol", LOCKD_PROTOCOL_VERSION);

	put_cluster(call->lockd, answer);
	lockd_call_ok(call, answer);
}

/* The chain of timeouts that follows from the options, in milliseconds. */
static void put_timing(const struct lockd *lockd, json_t *object)
{
	const struct hb_config *c = &lockd->config;

	json_object_set_new(object, "interval_ms", json_integer(c->interval_ms));
	json_object_set_new(object, "io_timeout_ms", json_integer(c->io_timeout_ms));
	json_object_set_new(object, "member_timeout_ms", json_integer(c->member_timeout_ms));
	json_object_set_new(object, "lease_ms", json_integer(c->lease_ms));
	if (c->watchdog_ms == 0)
		return;
	json_object_set_new(
		object, "dead_ms",
		json_integer(timing_peer_gone_ms(c->lease_ms, c->watchdog_ms, c->grain_ms,
						 c->drain_ms, c->drift_ppm)));
	if (!(c->flags & HB_FLAG_SURVIVES))
		json_object_set_new(object, "pill_ms",
				    json_integer(timing_pill_ms(c->lease_ms, c->watchdog_ms,
								c->grain_ms, c->drift_ppm)));
}

static json_t *lease_json(const struct lockd *lockd)
{
	mono_t until = lockd_lease_until(lockd), now = clock_now();
	json_t *object = json_pack("{s:s, s:i}", "expiry",
				   lockd->options.expiry == LOCKD_EXPIRY_NODE ? "node" : "locks",
				   "resting", (int)lockd->resting);

	json_object_set_new(object, "valid", json_boolean(mono_before(now, until)));
	if (mono_before(now, until))
		json_object_set_new(object, "left_ms", json_integer(mono_left_ms(now, until)));
	return object;
}

/* What whoever ends a peer has to know of it: may its silence be believed, which boot of its machine
 * it is, and how long it may go on once it renews nothing, its last writes included. */
static void put_end(const struct lockd *lockd, const struct hb_peer *peer, json_t *object)
{
	const struct hb_config *c = &lockd->config;
	const struct hb_seen *last = &peer->last;
	char machine[2 * HB_ID_BYTES + 1], boot[2 * HB_ID_BYTES + 1];

	for (size_t i = 0; i < HB_ID_BYTES; i++) {
		snprintf(machine + 2 * i, 3, "%02x", last->machine[i]);
		snprintf(boot + 2 * i, 3, "%02x", last->boot[i]);
	}
	json_object_set_new(object, "machine", json_string(machine));
	json_object_set_new(object, "boot", json_string(boot));
	json_object_set_new(object, "undead", json_boolean(peer->undead));
	json_object_set_new(object, "duplicate", json_boolean(peer->duplicate));
	if (last->watchdog_ms > 0)
		json_object_set_new(object, "gone_ms",
				    json_integer(timing_peer_gone_ms(
					    last->lease_ms, last->watchdog_ms, last->grain_ms,
					    c->drain_ms, c->drift_ppm)));
}

static json_t *peer_json(const struct lockd *lockd, uint16_t node, const struct hb_peer *peer)
{
	json_t *object = json_pack("{s:i, s:s, s:s, s:I}", "node", (int)node, "name",
				   peer->last.name, "state", hb_peer_state_word(peer->state),
				   "incarnation", (json_int_t)peer->last.incarnation);
	int64_t silent_ms = mono_diff_ms(peer->changed_at, clock_now());

	json_object_set_new(object, "unchanged_ms", json_integer(silent_ms));
	json_object_set_new(object, "slot", json_string(slot_state_word(peer->last.state)));
	json_object_set_new(object, "lease_ms", json_integer(peer->last.lease_ms));
	json_object_set_new(object, "watchdog_ms", json_integer(peer->last.watchdog_ms));
	json_object_set_new(object, "epoch", json_integer((json_int_t)peer->last.epoch));
	json_object_set_new(object, "survives", json_boolean(peer->last.flags & HB_FLAG_SURVIVES));
	json_object_set_new(object, "link_test",
			    json_boolean(peer->last.flags & HB_FLAG_LINK_TEST));
	json_object_set_new(object, "sees_us",
			    json_boolean(peer->last.seen >> (lockd->config.node - 1) & 1));
	put_end(lockd, peer, object);
	return object;
}

static json_t *peers_json(const struct lockd *lockd)
{
	json_t *array = json_array();

	for (uint16_t node = 1; lockd->heart && node <= lockd->super.nodes_max; node++) {
		const struct hb_peer *peer = hb_core_peer(hb_io_core(lockd->heart), node);

		if (node != lockd->config.node && peer->state != HB_PEER_NEVER)
			json_array_append_new(array, peer_json(lockd, node, peer));
	}
	return array;
}

static void peers(struct lockd_call *call)
{
	lockd_call_ok(call, json_pack("{s:o}", "peers", peers_json(call->lockd)));
}

static void status(struct lockd_call *call)
{
	struct lockd *lockd = call->lockd;
	json_t *answer = json_object();

	put_cluster(lockd, answer);
	json_object_set_new(answer, "state", json_string(lockd_stage_word(lockd)));
	json_object_set_new(answer, "stopping", json_boolean(lockd->is_stopping));
	json_object_set_new(
		answer, "incarnation",
		json_integer(lockd->heart ? hb_core_incarnation(hb_io_core(lockd->heart)) : 0));
	json_object_set_new(answer, "lease", lease_json(lockd));
	json_object_set_new(answer, "watchdog", lockd_watch_json(lockd));
	put_timing(lockd, answer);
	json_object_set_new(answer, "disks", lockd_disks_json(lockd));
	json_object_set_new(answer, "peers", peers_json(lockd));
	json_object_set_new(answer, "clients", json_integer(lockd_server_clients(lockd)));
	for (size_t i = 0; lockd_parts[i]; i++)
		if (lockd_parts[i]->status)
			lockd_parts[i]->status(lockd, answer);
	lockd_call_ok(call, answer);
}

static const struct lockd_op ops[] = {
	{ "hello", hello, 0 },
	{ "status", status, 0 },
	{ "peers", peers, 0 },
	{ "subscribe", lockd_server_subscribe, 0 },
	{ 0 },
};

const struct lockd_part lockd_show_part = { .name = "show", .ops = ops };
