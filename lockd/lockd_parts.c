/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_parts.c - what lockd is made of. A new part is a line here, and one in lockd_parts.h.
 */
#include "lockd/lockd_parts.h"
#include "lockd/lockd_pr_io.h"

#include <assert.h>

const struct lockd_part *const lockd_parts[] = {
	&lockd_show_part,
	&lockd_mail_part,
	&lockd_pr_part, /* before the claims, which look at its seats */
	&lockd_claim_part,
	&lockd_lock_part,
	NULL,
};

_Static_assert(sizeof lockd_parts / sizeof lockd_parts[0] <= LOCKD_PARTS_MAX,
	       "struct lockd has too little room for the parts' data");

void **lockd_data(struct lockd *lockd, const struct lockd_part *part)
{
	size_t i = 0;

	while (lockd_parts[i] != part) {
		assert(lockd_parts[i]);
		i++;
	}
	return &lockd->data[i];
}
