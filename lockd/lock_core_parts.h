/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lock_core_parts.h - what the files of the locks' core share: lock_core.c has steps and jobs,
 * lock_core_fate.c names, and what has become of a holder.
 *
 * Callers: these files.
 */
#ifndef HOLDFAST_LOCK_CORE_PARTS_H
#define HOLDFAST_LOCK_CORE_PARTS_H

#include "lockd/lock_core.h"

/* Take notice of new incarnations. */
void lock_peers_see(struct lock_core *core, const struct lock_peer *peers);

#endif
