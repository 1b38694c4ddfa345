/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arbiter_kinds.c - which arbiters there are; see arbiter.h. A file of its own, so that the others can be
 * linked without all of them.
 */
#include "diskhb/super_wire.h"
#include "lockd/arbiter.h"

const struct arbiter_ops *arbiter_ops_of(unsigned kind)
{
	switch (kind) {
	case SUPER_ARBITER_PR:
		return &arbiter_pr_ops;
	case SUPER_ARBITER_PAXOS:
		return &arbiter_paxos_ops;
	default:
		return NULL;
	}
}
