/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * paxos_core_read.c - what a read of all blocks of a disk tells; see paxos_core.h.
 */
#include <string.h>

#include "lockd/paxos_core_parts.h"

/* Ballots carry their owner: anything else was not written by this protocol. */
static int ballots_ok(const struct paxos_block *block, uint16_t node)
{
	return (block->mbal == 0 || block->mbal % PAXOS_NODES_MAX == node - 1u) &&
	       (block->bal == 0 || block->bal % PAXOS_NODES_MAX == node - 1u) &&
	       block->bal <= block->mbal && (block->bal == 0) == (block->value.node == 0);
}

static void learn_decided(struct paxos_core *core, const struct paxos_block *block)
{
	struct paxos_block *own = &core->own;

	if (block->decided_epoch == 0)
		return;
	if (block->decided_epoch == own->decided_epoch &&
	    !paxos_value_same(&block->decided, &own->decided))
		core->broken = PAXOS_WHY_CONFLICT;
	if (block->decided_epoch <= own->decided_epoch)
		return;
	own->decided_epoch = block->decided_epoch;
	own->decided_ballot = block->decided_ballot;
	own->decided = block->decided;
	/* Goes out with the next write; none is made for it. */
	own->sequence++;
}

/* A block of another node. */
static void learn(struct paxos_core *core, const struct paxos_block *block)
{
	learn_decided(core, block);
	if (block->epoch > core->latest)
		core->latest = block->epoch;
	if (block->bal && block->epoch > core->chosen)
		core->chosen = block->epoch;
	if (block->epoch != core->target || core->target == 0)
		return;
	if (block->mbal > core->highest)
		core->highest = block->mbal;
	if (block->bal > core->best_bal) {
		core->best_bal = block->bal;
		core->best = block->value;
	}
}

/* Our own block, before we know what a majority of the disks has: the largest is the one. */
static void recover(struct paxos_core *core, struct paxos_disk *disk,
		    const struct paxos_block *found)
{
	struct paxos_block *own = &core->own;
	unsigned seen = 0;

	if (found->sight != PAXOS_SIGHT_NONE &&
	    (found->sight != PAXOS_SIGHT_GOOD || !ballots_ok(found, core->config.node)))
		return;
	disk->own_seen = 1;
	if (found->sight == PAXOS_SIGHT_GOOD) {
		learn_decided(core, found);
		if (found->epoch > own->epoch ||
		    (found->epoch == own->epoch &&
		     (found->mbal > own->mbal ||
		      (found->mbal == own->mbal && found->bal > own->bal)))) {
			own->epoch = found->epoch;
			own->mbal = found->mbal;
			own->bal = found->bal;
			own->value = found->value;
		}
		if (found->sequence > own->sequence)
			own->sequence = found->sequence;
	}
	for (unsigned d = 0; d < core->config.disks; d++)
		seen += (unsigned)core->disks[d].own_seen;
	if (seen < core->quorum)
		return;
	core->recovered = 1;
	own->sequence++;
	core->needs = own->sequence;
}

/* Does the read show our block as this disk was last given it? */
static int own_is_shown(struct paxos_core *core, struct paxos_disk *disk,
			const struct paxos_block *found)
{
	int is_ours = found->sight == PAXOS_SIGHT_GOOD &&
		      found->incarnation == core->config.incarnation &&
		      found->nonce == core->config.nonce;

	if (found->sight == PAXOS_SIGHT_GOOD && !is_ours &&
	    found->incarnation >= core->config.incarnation) {
		core->broken = PAXOS_WHY_DUPLICATE;
		return 0;
	}
	if (is_ours && found->sequence >= disk->written && found->sequence <= disk->tried) {
		disk->written =
			found->sequence; /* one that was said to have failed may have landed */
		return 1;
	}
	if (is_ours && found->sequence > disk->tried) {
		/* Of an earlier core of this very incarnation, on a disk that was not needed then. */
		if (found->sequence >= core->own.sequence) {
			core->own.sequence = found->sequence + 1;
			core->needs = core->own.sequence;
		}
		return 1;
	}
	if (disk->written == 0 && found->sight != PAXOS_SIGHT_DAMAGED &&
	    found->sight != PAXOS_SIGHT_NEWER)
		return 1; /* nothing of ours has arrived there yet */
	disk->written = 0;
	disk->lied = core->recovered;
	return 0;
}

void paxos_read_done(struct paxos_core *core, const struct paxos_event *event)
{
	struct paxos_disk *disk = &core->disks[event->disk];
	const struct paxos_block *found = &event->blocks[core->config.node - 1];
	const struct paxos_block *told = NULL;
	int is_phase = core->stage == PAXOS_STAGE_PHASE1 || core->stage == PAXOS_STAGE_PHASE2;

	disk->why = PAXOS_WHY_NONE;
	for (uint16_t n = 1; n <= core->config.nodes_max; n++) {
		const struct paxos_block *block = &event->blocks[n - 1];

		if (block->sight == PAXOS_SIGHT_DAMAGED || block->sight == PAXOS_SIGHT_NEWER ||
		    (block->sight == PAXOS_SIGHT_GOOD && !ballots_ok(block, n))) {
			disk->why = block->sight == PAXOS_SIGHT_NEWER ? PAXOS_WHY_NEWER
								      : PAXOS_WHY_DAMAGED;
			disk->why_node = n;
			continue;
		}
		if (block->sight != PAXOS_SIGHT_GOOD)
			continue;
		if (core->op == PAXOS_OP_CLAIM && block->decided_epoch == core->epoch)
			told = block;
		if (n != core->config.node)
			learn(core, block);
	}
	if (!core->recovered)
		recover(core, disk, found);
	if (!own_is_shown(core, disk, found) && disk->why == PAXOS_WHY_NONE)
		disk->why = PAXOS_WHY_LIES;
	if (told && !core->broken && core->op == PAXOS_OP_CLAIM) {
		paxos_answer_value(core, core->epoch, &told->decided);
		return;
	}
	if (disk->why != PAXOS_WHY_NONE) {
		disk->again = mono_add_ms(core->now, core->config.retry_ms);
		return;
	}
	if (disk->reading == core->round && (!is_phase || disk->written >= core->needs))
		disk->done = core->round;
}
