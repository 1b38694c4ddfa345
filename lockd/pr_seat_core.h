/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_seat_core.h - who may register on a disk of a `pr` cluster: the decisions of lockd_pr_io.c, whose
 * first comment tells the rules, without its disks and letters.
 *
 * Callers: lockd_pr_io.c. Pure; nothing is kept.
 */
#ifndef HOLDFAST_PR_SEAT_CORE_H
#define HOLDFAST_PR_SEAT_CORE_H

#include <stdint.h>

/* What was read of the unit by one look. */
struct pr_seat_sight {
	int is_held;
	uint64_t holder;
	int has_own_key;    /* ours is among the keys */
	int holder_is_gone; /* dead by lease, or has left */
};

struct pr_seat_life {
	uint64_t key;
	int was_in; /* registered in this life already */
	int is_petition, petition_was_ejected;
};

enum pr_seat_verdict {
	PR_SEAT_WAIT,	 /* look again later */
	PR_SEAT_JOIN,	 /* while no other node holds it */
	PR_SEAT_FOLLOW,	 /* join, let in by this holder's death or for a petition */
	PR_SEAT_ASK,	 /* the holder */
	PR_SEAT_EJECTED, /* for this life */
};

enum pr_seat_verdict pr_seat_look(const struct pr_seat_life *life,
				  const struct pr_seat_sight *sight);

/* After the REGISTER, by a look that came later: may it stay? `admitted_by`: the key of the holder that
 * let us in or was gone; 0: nobody held it. Another holder may have ejected that one, and looked for
 * keys, before ours came. */
int pr_seat_stays(const struct pr_seat_life *life, uint64_t admitted_by,
		  const struct pr_seat_sight *sight);

/* Only who holds it now lets others in, and who follows an earlier life of its own that does. */
int pr_seat_may_admit(const struct pr_seat_life *life, const struct pr_seat_sight *sight);

#endif
