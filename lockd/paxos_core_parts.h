/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * paxos_core_parts.h - what the files of the core share: paxos_core.c has phases, requests and
 * events, paxos_core_read.c what a read tells.
 */
#ifndef HOLDFAST_PAXOS_CORE_PARTS_H
#define HOLDFAST_PAXOS_CORE_PARTS_H

#include "lockd/paxos_core.h"

/* All bytes, and the node that it comes from. */
int paxos_value_same(const struct paxos_value *a, const struct paxos_value *b);

/* End the operation; the rest of core->answer is filled in by the caller first. */
void paxos_answer(struct paxos_core *core, enum paxos_outcome outcome, enum paxos_why why);

/* End it with what was decided for `epoch`. */
void paxos_answer_value(struct paxos_core *core, uint64_t epoch, const struct paxos_value *value);

/* A read of all blocks has ended well: learn from it, and judge whether it counts for the round that
 * it was begun in. */
void paxos_read_done(struct paxos_core *core, const struct paxos_event *event);

#endif
