/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_seat.h - this node's registration on one disk, as the arbiter sees it.
 *
 * Callers: lockd_pr_io.c, which owns them and keeps them true (and the tests); arbiter_pr.c, which
 * compares the counters with those it has seen before it tells its core of anything else.
 */
#ifndef HOLDFAST_PR_SEAT_H
#define HOLDFAST_PR_SEAT_H

#include <stdint.h>

#include "base/mono.h"
#include "base/pr.h"

struct pr_io;

struct pr_seat {
	struct pr_io *io;   /* NULL: the disk is missing */
	uint64_t key;	    /* that io registers */
	int is_in;	    /* joined, and the path carries the key */
	int is_own_session; /* iSCSI of ours: nothing is sent twice behind our back */
	uint64_t holder;    /* seen after the join; 0: nobody */
	int is_other_type;
	unsigned turns;	 /* grows with every change of is_in, holder, key, session */
	unsigned shakes; /* grows when the unit has told something that may end a registration */
	mono_t guests_until; /* others were admitted and may register until then */
};

/* The key of a life of a node: its incarnation from 1 on, for 0 is what asks to be let in
 * (lockd_pr_io.c). `cluster` is the id in the superblock. */
static inline uint64_t pr_seat_key(uint64_t cluster, uint16_t node, uint32_t incarnation)
{
	uint32_t folded = (uint32_t)(cluster ^ cluster >> 32);

	return pr_key_make(folded ? folded : 1, node, (uint16_t)((incarnation - 1) % 0xffff + 1));
}

#endif
