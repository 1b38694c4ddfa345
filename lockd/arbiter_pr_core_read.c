/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arbiter_pr_core_read.c - what the places on a disk say; see arbiter_pr_core_parts.h.
 */
#include <string.h>

#include "lockd/arbiter_pr_core_parts.h"

int pra_value_same(const struct pra_value *a, const struct pra_value *b)
{
	return a->node == b->node && a->bytes == b->bytes &&
	       memcmp(a->data, b->data, a->bytes) == 0;
}

static void digest_decided(struct pra_digest *digest, const struct pra_place *place, uint64_t epoch)
{
	if (place->decided_epoch > digest->last_epoch) {
		digest->last_epoch = place->decided_epoch;
		digest->last_ballot = place->decided_ballot;
		digest->last = place->decided;
	} else if (place->decided_epoch != 0 && place->decided_epoch == digest->last_epoch &&
		   !pra_value_same(&place->decided, &digest->last)) {
		digest->is_contradiction = 1;
	}
	if (epoch != 0 && place->decided_epoch == epoch) {
		digest->is_contradiction |= digest->decided.node != 0 &&
					    !pra_value_same(&place->decided, &digest->decided);
		digest->decided = place->decided;
		digest->decided_ballot = place->decided_ballot;
	}
}

void pra_digest_make(const struct pra_core *core, struct pra_disk *disk,
		     const struct pra_event *event)
{
	struct pra_digest *digest = &disk->digest;

	memset(digest, 0, sizeof *digest);
	disk->has_digest = 1;
	for (size_t i = 0; i < event->places_count; i++) {
		const struct pra_place *place = &event->places[i];

		if (i + 1 == core->node)
			digest->own = *place;
		if (place->is_bad) {
			digest->bad = (uint16_t)(i + 1);
			continue;
		}
		if (place->epoch > digest->newest)
			digest->newest = place->epoch;
		if (place->decided_epoch > digest->newest)
			digest->newest = place->decided_epoch;
		digest_decided(digest, place, core->epoch);
		if (place->bal != 0 && place->epoch > digest->open_epoch) {
			digest->open_epoch = place->epoch;
			digest->open_node = (uint16_t)(i + 1);
		}
		if (core->epoch == 0 || place->epoch != core->epoch)
			continue;
		if (place->mbal > digest->mbal)
			digest->mbal = place->mbal;
		if (place->bal > digest->bal) {
			digest->bal = place->bal;
			digest->value = place->value;
		}
	}
}
