/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_target.h - the target that the model of reservations is compared with.
 *
 * Callers: tests/unit/test_pr_targets.c. On its own it is a tgtd that is started here; a lab says by
 * the environment which other it is:
 *	HOLDFAST_TEST_TARGET	tgt or lio: what is known of it
 *	HOLDFAST_TEST_UNITS	its logical unit, four times, for four initiators: iscsi:// URLs (one is
 *				enough for all), or /dev/sgN
 *	HOLDFAST_TEST_IQN	what the names of the initiators begin with; they end with :n0 to :n3
 */
#ifndef HOLDFAST_TESTS_PR_TARGET_H
#define HOLDFAST_TESTS_PR_TARGET_H

#include "lockd/pr_client_io.h"
#include "tests/sim/pr_model.h"
#include "tests/unit/tgt_world.h"

enum { PR_TARGET_INITIATORS = 4 };

enum pr_target_kind { PR_TARGET_NONE, PR_TARGET_TGT, PR_TARGET_LIO };

struct pr_target {
	enum pr_target_kind kind;
	struct pr_model_limits limits;
	int has_sessions; /* iSCSI of our own: a new login is possible, the ISID is known */
	char urls[PR_TARGET_INITIATORS][192];
	struct pr_client *clients[PR_TARGET_INITIATORS];
	struct tgt_world tgt; /* with kind PR_TARGET_TGT and pid: ours */
};

/* Find or start it, and open a client for each initiator. PR_TARGET_NONE: not possible here. */
void pr_target_open(struct pr_target *target);
void pr_target_close(struct pr_target *target);

/* What the names of the initiators begin with. */
const char *pr_target_iqn(void);

/* What the target knows an initiator as. */
struct pr_initiator pr_target_initiator(const struct pr_target *target, int who);

/* Portal and target of the first URL, for other clients of iSCSI. */
void pr_target_address(const struct pr_target *target, char portal[64], char name[128], int *lun);

#endif
