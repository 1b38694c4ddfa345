/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lock_core_fate.c - names of locks, and what has become of a holder; see lock_core.h.
 */
#include <string.h>

#include "base/crc32c.h"
#include "base/timing_peer.h"
#include "lockd/lock_core_parts.h"

void lock_peers_see(struct lock_core *core, const struct lock_peer *peers)
{
	for (size_t i = 0; i < core->config.nodes_max; i++) {
		if (peers[i].state == LOCK_PEER_NEVER || peers[i].incarnation == core->seen[i])
			continue;
		core->seen[i] = peers[i].incarnation;
		core->seen_at[i] = core->now;
	}
}

/* Until when a machine may run on, by the values of the term, that was there no later than `from`. */
static mono_t gone_at(const struct lock_core *core, const struct lock_term *term, mono_t from)
{
	return mono_add_ms(from,
			   timing_peer_gone_ms(term->lease_ms, term->watchdog_ms, term->grain_ms,
					       core->config.drain_ms, core->config.drift_ppm));
}

/* The node shows a larger incarnation, which began no later than `from`. */
static enum lock_fate fate_replaced(const struct lock_core *core, const struct lock_term *term,
				    const uint8_t *machine, const uint8_t *boot, mono_t from,
				    mono_t *at)
{
	if (memcmp(machine, term->machine, LOCK_ID_BYTES) != 0) {
		if (term->watchdog_ms == 0)
			return LOCK_FATE_UNPROVABLE;
		*at = gone_at(core, term, from);
	} else if (memcmp(boot, term->boot, LOCK_ID_BYTES) != 0) {
		*at = mono_add_ms(from,
				  timing_stretch_ms(core->config.drain_ms, core->config.drift_ppm));
	} else {
		return LOCK_FATE_OVER;
	}
	return mono_reached(core->now, *at) ? LOCK_FATE_OVER : LOCK_FATE_PENDING;
}

/* The node's newest record is of that very incarnation. */
static enum lock_fate fate_seen(const struct lock_core *core, const struct lock_term *term,
				const struct lock_peer *peer, mono_t *at)
{
	switch (peer->state) {
	case LOCK_PEER_DEAD:
	case LOCK_PEER_LEFT:
		return LOCK_FATE_OVER;
	case LOCK_PEER_SUSPECT:
		if (peer->watchdog_ms == 0)
			return LOCK_FATE_UNPROVABLE;
		/* The heartbeat's core says when, after reads that prove it. */
		*at = gone_at(core, term, peer->changed_at);
		return LOCK_FATE_PENDING;
	case LOCK_PEER_ALIVE:
	case LOCK_PEER_NEVER:
		break;
	}
	return LOCK_FATE_ALIVE;
}

enum lock_fate lock_core_fate(const struct lock_core *core, const struct lock_term *term,
			      const struct lock_peer *peers, mono_t *at)
{
	const struct lock_config *own = &core->config;
	const struct lock_peer *peer;

	*at = MONO_NEVER;
	if (term->node == own->node) {
		if (term->incarnation == core->incarnation)
			return LOCK_FATE_OURS;
		return fate_replaced(core, term, own->machine, own->boot, core->joined_at, at);
	}
	if (term->node > own->nodes_max)
		return LOCK_FATE_UNPROVABLE;
	peer = &peers[term->node - 1];
	if (peer->state != LOCK_PEER_NEVER && peer->incarnation == term->incarnation)
		return fate_seen(core, term, peer, at);
	if (peer->state != LOCK_PEER_NEVER && peer->incarnation > term->incarnation)
		return fate_replaced(core, term, peer->machine, peer->boot,
				     core->seen_at[term->node - 1], at);
	/* Its heartbeats are not to be seen: not yet, or the disk has lost them. */
	if (mono_reached(core->now, gone_at(core, term, core->joined_at)))
		return LOCK_FATE_UNPROVABLE;
	return LOCK_FATE_ALIVE;
}

int lock_name_ok(const char *name)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789.-_:/@";
	size_t length = strlen(name);

	return length > 0 && length <= LOCK_NAME_MAX && strspn(name, letters) == length;
}

uint32_t lock_name_slot(const char *name, uint32_t slots)
{
	return crc32c(name, strlen(name)) % slots;
}

const char *lock_why_word(enum lock_why why)
{
	static const char *const words[] = { "none", "lease", "broken", "stop", "dying", "gone" };

	return (size_t)why < sizeof words / sizeof words[0] ? words[why] : "?";
}

const char *lock_fate_word(enum lock_fate fate)
{
	static const char *const words[] = { "ours", "alive", "pending", "unprovable", "over" };

	return (size_t)fate < sizeof words / sizeof words[0] ? words[fate] : "?";
}
