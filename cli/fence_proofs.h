/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_proofs.h - when a device last cut the power of a target for real, from the history.
 *
 * Callers: the verdict of `holdfast fence test`.
 * What counts: a device record of off, reboot or test-for-real with off_proven, for the same
 * target, device and plugs. A plug that was moved since has proved nothing.
 * Ownership: fence_proofs_load() makes it, fence_proofs_free() frees it.
 */
#ifndef HOLDFAST_CLI_FENCE_PROOFS_H
#define HOLDFAST_CLI_FENCE_PROOFS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "fence-agents/fencer/fence_conf.h"

struct fence_proofs {
	const struct fence_conf *conf;
	int64_t **times_s; /* [target][leg]: seconds since 1970, 0 for never */
	size_t skipped;	   /* lines of the history that could not be read */
};

int fence_proofs_load(struct fence_proofs *proofs, const struct fence_conf *conf, struct err *err);
void fence_proofs_free(struct fence_proofs *proofs);

/* Whole days since then, not below 0; the history's clock is the wall's. */
long fence_proof_age_days(int64_t time_s, int64_t now_s);

#endif
