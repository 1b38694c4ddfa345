/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_target.c - see pr_target.h.
 */
#include "tests/unit/pr_target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 20000 };

const char *pr_target_iqn(void)
{
	const char *given = getenv("HOLDFAST_TEST_IQN");

	return given ? given : "iqn.2026-11.test.holdfast";
}

static void units_take(struct pr_target *target, const char *units)
{
	char words[1024], *rest = NULL;
	const char *word;
	int count = 0;

	snprintf(words, sizeof words, "%s", units);
	for (word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		assert_true(count < PR_TARGET_INITIATORS);
		snprintf(target->urls[count++], sizeof target->urls[0], "%s", word);
	}
	assert_true(count == 1 || count == PR_TARGET_INITIATORS);
	while (count < PR_TARGET_INITIATORS)
		memcpy(target->urls[count++], target->urls[0], sizeof target->urls[0]);
}

static void target_find(struct pr_target *target)
{
	const char *kind = getenv("HOLDFAST_TEST_TARGET"), *units = getenv("HOLDFAST_TEST_UNITS");

	if (kind) {
		assert_non_null(units);
		units_take(target, units);
		target->kind = strcmp(kind, "lio") == 0 ? PR_TARGET_LIO : PR_TARGET_TGT;
	} else if (tgt_is_possible()) {
		tgt_init(&target->tgt);
		tgt_export(&target->tgt, 1);
		units_take(target, tgt_url(&target->tgt, 1));
		target->kind = PR_TARGET_TGT;
	}
}

void pr_target_open(struct pr_target *target)
{
	struct err err = { 0 };

	memset(target, 0, sizeof *target);
	target_find(target);
	if (target->kind == PR_TARGET_NONE)
		return;
	if (target->kind == PR_TARGET_LIO)
		pr_model_limits_lio(&target->limits);
	else
		pr_model_limits_tgt(&target->limits);
	target->has_sessions = strncmp(target->urls[0], "iscsi:", 6) == 0;
	for (int i = 0; i < PR_TARGET_INITIATORS; i++) {
		char name[96];
		const struct pr_client_options options = {
			.disk = { .initiator = name,
				  .isid = { 0x40, 0, 1, 0x37, 0, (uint8_t)i },
				  .open_timeout_ms = TIMEOUT_MS },
			.timeout_ms = TIMEOUT_MS,
		};

		snprintf(name, sizeof name, "%s:n%d", pr_target_iqn(), i);
		if (pr_client_open(target->urls[i], &options, &target->clients[i], &err) != 0)
			fail_msg("%s; %s", err.text, err.next);
	}
}

void pr_target_close(struct pr_target *target)
{
	for (int i = 0; i < PR_TARGET_INITIATORS; i++)
		pr_client_close(target->clients[i]);
	if (target->tgt.pid)
		tgt_end(&target->tgt);
}

struct pr_initiator pr_target_initiator(const struct pr_target *target, int who)
{
	char text[128], isid[32] = "";
	struct pr_initiator id;
	struct err err;

	if (target->has_sessions)
		snprintf(isid, sizeof isid, ",i,0x40000137000%d", who);
	snprintf(text, sizeof text, "%s:n%d%s", pr_target_iqn(), who, isid);
	assert_int_equal(pr_initiator_parse(text, &id, &err), 0);
	return id;
}

void pr_target_address(const struct pr_target *target, char portal[64], char name[128], int *lun)
{
	const char *last = strrchr(target->urls[0], '/');

	assert_non_null(last);
	assert_int_equal(sscanf(target->urls[0], "iscsi://%63[^/]/%127[^/]", portal, name), 2);
	*lun = (int)strtol(last + 1, NULL, 10);
}
