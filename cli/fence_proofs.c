/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_proofs.c - last real successes from the history; see fence_proofs.h.
 */
#include "cli/fence_proofs.h"

#include <stdlib.h>
#include <string.h>

#include "fence-agents/fencer/fence_history.h"
#include "fence-agents/fencer/fencer.h"

static int proof_counts(const struct fence_history_record *record)
{
	static const enum fencer_op real[] = { FENCER_OFF, FENCER_REBOOT, FENCER_TEST_REAL };

	if (record->kind != FENCE_HISTORY_DEVICE || !record->off_proven)
		return 0;
	for (size_t i = 0; i < sizeof real / sizeof *real; i++)
		if (strcmp(record->operation, fencer_op_word(real[i])) == 0)
			return 1;
	return 0;
}

static int proof_note(void *arg, const struct fence_history_record *record)
{
	struct fence_proofs *proofs = arg;
	const struct fence_target *target;
	long index;

	if (!proof_counts(record))
		return 0;
	index = fence_conf_target(proofs->conf, record->target);
	if (index < 0)
		return 0;
	target = &proofs->conf->targets[index];
	for (size_t i = 0; i < target->legs_count; i++) {
		const struct fence_leg *leg = &target->legs[i];

		if (strcmp(proofs->conf->devices[leg->device].name, record->device) == 0 &&
		    strcmp(leg->plugs ? leg->plugs : "", record->plugs) == 0 &&
		    record->time_s > proofs->times_s[index][i])
			proofs->times_s[index][i] = record->time_s;
	}
	return 0;
}

int fence_proofs_load(struct fence_proofs *proofs, const struct fence_conf *conf, struct err *err)
{
	memset(proofs, 0, sizeof *proofs);
	proofs->conf = conf;
	proofs->times_s = calloc(conf->targets_count + 1, sizeof *proofs->times_s);
	for (size_t i = 0; proofs->times_s && i < conf->targets_count; i++) {
		proofs->times_s[i] = calloc(conf->targets[i].legs_count,
					    sizeof *proofs->times_s[i]);
		if (!proofs->times_s[i]) {
			fence_proofs_free(proofs);
			break;
		}
	}
	if (!proofs->times_s)
		return err_set(err, RC_INTERNAL, NULL, "out of memory");
	return fence_history_read(conf->history_path, proof_note, proofs, &proofs->skipped, err);
}

void fence_proofs_free(struct fence_proofs *proofs)
{
	for (size_t i = 0; proofs->times_s && i < proofs->conf->targets_count; i++)
		free(proofs->times_s[i]);
	free(proofs->times_s);
	proofs->times_s = NULL;
}

long fence_proof_age_days(int64_t time_s, int64_t now_s)
{
	return now_s > time_s ? (long)((now_s - time_s) / 86400) : 0;
}
