/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * timing_peer.h - what may be concluded from the silence of another node on the shared disks, and
 * after how long, each with its proof (rules S5, S6, S7).
 *
 * Callers: diskhb/hb_core.c, and whoever prints or checks the chain of timeouts. All lengths are
 * milliseconds. A number here is changed together with its proof.
 *
 * ---- Words ----
 *
 * L    lease of the other node, W its watchdog's timeout, g its grain (what a watchdog's second may
 *      be wrong by), io its limit for one disk request: all as it publishes them itself
 * D    drain: how long a write of a machine that is already dead may still take to land
 * rho  by how much one machine's clock may run faster than another's (parts per million)
 * q    majority of the n disks: 1 of 1, 2 of 2, 2 of 3
 *
 * ---- What the other node keeps to (diskhb/hb_core.h) ----
 *
 *  K1 One round on one disk is a read of all slots, submitted at s, then a write of its own slot
 *     that ends well by s + 2 io; a round that took longer counts for nothing. It is credited, with
 *     the stamp s, when a later read of that disk shows the slot that it wrote.
 *  K2 The lease ends L after the newest moment t such that q disks have credited rounds with
 *     stamps at or after t. From there on it renews nothing, ever, under this incarnation.
 *  K3 Petting stops with the lease, so that it is reset by t + L + W + g (timing.h).
 *
 * ---- silent: it owns its slot no more ----
 *
 * Let o be our first sight of the last change of its record, and r the submission of reads on q
 * disks that show no newer one. If r >= o + (L + 2 io)(1 + rho), its lease ended before r.
 *
 * Proof. Suppose a lease valid at r. By K2 there are q disks with credited rounds whose stamps are
 * after r - L; one of them is among those that we read. Was that round's write there when we read, we
 * have seen it, so that o is not before its stamp, and r < o + L: contradiction. So it landed after
 * our read, and its stamp is s >= r - 2 io (K1). Take the earliest round of that kind. It was started
 * under a lease, which by the same argument rests on a round that we have seen, with a stamp
 * s' <= o (a write is seen after it was submitted): s <= s' + L <= o + L. Then r <= s + 2 io <=
 * o + L + 2 io: contradiction.
 * The first lease of an incarnation is no exception: it begins at most L after the stamp of its first
 * heartbeat, or never (hb_core.h, JOIN).
 *
 * ---- gone: it is reset, and its last write has landed ----
 *
 * After (L + W + g + D)(1 + rho) from o, provided that r as above exists.
 *
 * Proof. With r, every round that counted was seen by us, so that its last stamp t <= o. It is
 * reset by t + L + W + g (K3), and its last write has landed D later.
 *
 * ---- pill: it has read its mail, or is reset ----
 *
 * Let p be the moment at which a pill was read back on q disks. After (L + W + g)(1 + rho) from p
 * the addressee has acted on it or is reset.
 *
 * Proof. A lease from t > p rests on reads of q disks that were submitted after p. One of these
 * disks holds the pill, so the node has seen it, and renews nothing after that (hb_core.h).
 * Otherwise t <= p, and it is reset by p + L + W + g (K3).
 * A node that publishes that the end of its lease does not always reset it (HB_FLAG_SURVIVES) does not keep
 * to K3, nor does one that publishes W = 0: the formula is applied to neither. Of the former `gone`
 * says that its lease, and all that rested on it, is over.
 *
 * ---- claim: two machines that want one slot (proof in diskhb/hb_core.h) ----
 *
 * window  a claim counts only if its write has ended that long after the submission of the read
 *         on which it was decided; the same for all nodes, from the superblock
 * wait    from the end of the writes to the read that decides: window (1 + rho)
 * life    a claim that has not become a heartbeat after that long never will: 6 windows, for the
 *         write, the wait, and three more requests of one window each, with some to spare
 * watch   how long the unfinished claim of another must be seen unchanged: life (1 + rho)
 *
 * Pure: no clock is read here.
 */
#ifndef HOLDFAST_TIMING_PEER_H
#define HOLDFAST_TIMING_PEER_H

#include <stdint.h>

enum {
	TIMING_DRIFT_PPM_MAX = 100000,
	TIMING_CLAIM_LIFE_WINDOWS = 6,
};

/* A length of time on our clock that is at least length_ms on any other. */
static inline int64_t timing_stretch_ms(int64_t length_ms, uint32_t drift_ppm)
{
	return (length_ms * (1000000 + (int64_t)drift_ppm) + 999999) / 1000000;
}

static inline int64_t timing_peer_silent_ms(uint32_t lease_ms, uint32_t io_timeout_ms,
					    uint32_t drift_ppm)
{
	return timing_stretch_ms((int64_t)lease_ms + 2 * (int64_t)io_timeout_ms, drift_ppm);
}

static inline int64_t timing_peer_gone_ms(uint32_t lease_ms, uint32_t watchdog_ms,
					  uint32_t grain_ms, uint32_t drain_ms, uint32_t drift_ppm)
{
	return timing_stretch_ms((int64_t)lease_ms + watchdog_ms + grain_ms + drain_ms, drift_ppm);
}

static inline int64_t timing_pill_ms(uint32_t lease_ms, uint32_t watchdog_ms, uint32_t grain_ms,
				     uint32_t drift_ppm)
{
	return timing_stretch_ms((int64_t)lease_ms + watchdog_ms + grain_ms, drift_ppm);
}

static inline int64_t timing_claim_wait_ms(uint32_t window_ms, uint32_t drift_ppm)
{
	return timing_stretch_ms(window_ms, drift_ppm);
}

static inline int64_t timing_claim_life_ms(uint32_t window_ms)
{
	return (int64_t)window_ms * TIMING_CLAIM_LIFE_WINDOWS;
}

static inline int64_t timing_claim_watch_ms(uint32_t window_ms, uint32_t drift_ppm)
{
	return timing_stretch_ms(timing_claim_life_ms(window_ms), drift_ppm);
}

#endif
