/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_seat_core.c - who may register; see pr_seat_core.h.
 */
#include "lockd/pr_seat_core.h"

#include "base/pr.h"

static int is_others(const struct pr_seat_life *life, const struct pr_seat_sight *sight)
{
	return sight->is_held && pr_key_node(sight->holder) != pr_key_node(life->key);
}

enum pr_seat_verdict pr_seat_look(const struct pr_seat_life *life,
				  const struct pr_seat_sight *sight)
{
	if (life->is_petition) /* what nobody holds can be written without */
		return sight->is_held && !life->petition_was_ejected ? PR_SEAT_FOLLOW
								     : PR_SEAT_WAIT;
	if (is_others(life, sight)) {
		if (life->was_in)
			return PR_SEAT_EJECTED;
		return sight->holder_is_gone ? PR_SEAT_FOLLOW : PR_SEAT_ASK;
	}
	/* Our key is gone, and a newer life of this node holds the disk: that has ejected it. */
	if (life->was_in && !sight->has_own_key && sight->is_held && sight->holder != life->key)
		return PR_SEAT_EJECTED;
	return PR_SEAT_JOIN;
}

int pr_seat_stays(const struct pr_seat_life *life, uint64_t admitted_by,
		  const struct pr_seat_sight *sight)
{
	/* A petition claims nothing, whoever holds the disk. */
	return life->is_petition || !is_others(life, sight) || sight->holder == admitted_by;
}

int pr_seat_may_admit(const struct pr_seat_life *life, const struct pr_seat_sight *sight)
{
	return sight->is_held &&
	       (sight->holder == life->key ||
		(pr_key_is_same_node(sight->holder, life->key) &&
		 pr_key_incarnation(sight->holder) < pr_key_incarnation(life->key)));
}
