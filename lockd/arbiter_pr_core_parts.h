/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arbiter_pr_core_parts.h - what the two files of the core share: arbiter_pr_core.c decides,
 * arbiter_pr_core_read.c makes of the places on a disk what there is to decide by.
 */
#ifndef HOLDFAST_ARBITER_PR_CORE_PARTS_H
#define HOLDFAST_ARBITER_PR_CORE_PARTS_H

#include "lockd/arbiter_pr_core.h"

/* From one node, to the byte? */
int pra_value_same(const struct pra_value *a, const struct pra_value *b);

/* Fill disk->digest from the places of the event. */
void pra_digest_make(const struct pra_core *core, struct pra_disk *disk,
		     const struct pra_event *event);

#endif
