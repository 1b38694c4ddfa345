/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lun_node.c - off and on of one node on all units; see lun_node.h.
 */
#include "fence-agents/lun/lun_node.h"

#include <stdio.h>
#include <string.h>

#include "host/clock.h"

/* ---- what this node has registered ---- */

int lun_node_open(struct fence_ctx *ctx)
{
	struct lun *lun = fence_data(ctx);
	struct err err;
	int rc;

	if (!lun->self)
		return fence_fail(ctx, RC_CONFIG, "give node=, or put the host into nodes=",
				  "this host is none of the nodes, so it has no key");
	rc = lun_state_open(&lun->state, fence_opt(ctx, "state_dir"), lun->conf.cluster,
			    lun->self->id, lun->changes,
			    mono_add_ms(clock_now(), fence_left_ms(ctx)), &err);
	lun->has_state = rc == 0;
	return rc ? fence_fail(ctx, rc, err.next, "%s", err.text) : 0;
}

/* A process that ended early may have succeeded the key that it had written down. */
static void keys_load(struct lun *lun)
{
	for (size_t i = 0; i < lun->units_count; i++) {
		const struct lun_record *record = lun_state_find(&lun->state, lun->units[i].id);
		struct lun_unit *unit = &lun->units[i];
		struct err ignored;

		unit->key = record ? record->key : 0;
		if (record && record->next && record->next_succeeds && unit->is_read &&
		    lun_unit_count(unit, record->next) > 0) {
			unit->key = record->next;
			/* It has a record already, so there is room. */
			lun_state_put(&lun->state, unit->id, unit->key, 1, &ignored);
		}
	}
}

static int state_save(struct fence_ctx *ctx)
{
	struct lun *lun = fence_data(ctx);
	struct err err;

	return lun_state_save(&lun->state, &err) == 0
		       ? 0
		       : fence_fail(ctx, err.rc, err.next, "%s", err.text);
}

/* A key that this node has on none of the units. */
static uint64_t key_new(struct lun *lun)
{
	for (;;) {
		uint64_t key = pr_key_make(lun->conf.cluster, lun->self->id,
					   lun_state_next(&lun->state));
		size_t count = 0;

		for (size_t i = 0; i < lun->units_count; i++)
			count += lun_unit_count(&lun->units[i], key);
		if (count == 0)
			return key;
	}
}

/* Register the new key where no path carries the old one, and eject that. */
static int units_enter(struct fence_ctx *ctx, uint64_t set)
{
	struct lun *lun = fence_data(ctx);
	const char *admit = fence_opt(ctx, "admit");
	uint64_t admitted = 0, may_enter = 0;
	char key[PR_KEY_TEXT_BYTES];
	struct err ignored;
	int rc;

	if (admit)
		pr_key_parse(admit, &admitted, &ignored);
	for (size_t i = 0; i < lun->units_count; i++) {
		struct lun_unit *unit = &lun->units[i];

		if (!(set >> i & 1))
			continue;
		if (lun_unit_is_session(unit) || unit->key == admitted) {
			lun_state_next_put(&lun->state, unit->id, unit->next_key, 0);
			may_enter |= UINT64_C(1) << i;
			continue;
		}
		unit->outcome = LUN_FAILED;
		err_set(&unit->err, RC_PRIVILEGE, NULL,
			"%.200s: our key is registered, but no path of this node carries it, so it "
			"cannot be told from an ejection that is under way",
			unit->name);
		snprintf(unit->err.next, sizeof unit->err.next,
			 "restart this machine, or, if nobody fences it, run on with admit=%s",
			 pr_key_text(unit->key, key));
	}
	if (!may_enter)
		return 0;
	rc = state_save(ctx);
	if (rc == 0)
		lun_units_run(ctx, lun_unit_enter, may_enter, lun_step_left_ms(ctx));
	return rc;
}

/* Put a new key in the place of the old one on these units, and register it by every path. */
static int units_succeed(struct fence_ctx *ctx, uint64_t set)
{
	struct lun *lun = fence_data(ctx);
	uint64_t key = key_new(lun), succeeded = 0;
	struct err err = { 0 };
	int rc;

	for (size_t i = 0; i < lun->units_count; i++)
		if (set >> i & 1) {
			lun->units[i].next_key = key;
			lun->units[i].wants_aptpl = fence_opt_bool(ctx, "aptpl");
			lun_state_next_put(&lun->state, lun->units[i].id, key, 1);
		}
	/* Written before anything is sent: whoever comes after us must know. */
	rc = state_save(ctx);
	if (rc)
		return rc;
	lun_units_run(ctx, lun_unit_succeed, set, lun_step_left_ms(ctx));
	rc = units_enter(ctx, lun_units_with(lun, set, LUN_OUTSIDE));
	if (rc)
		return rc;
	for (size_t i = 0; i < lun->units_count; i++) {
		struct lun_unit *unit = &lun->units[i];

		if (!(set >> i & 1) || !unit->has_succeeded)
			continue;
		unit->key = key;
		rc = lun_state_put(&lun->state, unit->id, key, 1, &err);
		if (rc)
			return fence_fail(ctx, rc, err.next, "%s", err.text);
		succeeded |= UINT64_C(1) << i;
	}
	rc = state_save(ctx);
	if (rc == 0)
		lun_units_run(ctx, lun_unit_spread, lun_units_with(lun, succeeded, LUN_OK),
			      lun_step_left_ms(ctx));
	return rc;
}

/* The units that had a key of this boot and have it no more; with `or_never`, those that never had one
 * as well. */
static uint64_t units_lost(struct lun *lun, int or_never)
{
	uint64_t lost = 0;

	for (size_t i = 0; i < lun->units_count; i++) {
		const struct lun_unit *unit = &lun->units[i];

		if (unit->is_read && (unit->key ? lun_unit_count(unit, unit->key) == 0 : or_never))
			lost |= UINT64_C(1) << i;
	}
	return lost;
}

static int lost_fail(struct fence_ctx *ctx, uint64_t lost)
{
	struct lun *lun = fence_data(ctx);
	const struct lun_unit *unit = lun_unit_first(lun, lost);
	char key[PR_KEY_TEXT_BYTES], next[192];

	if (unit->key == 0)
		return fence_fail(ctx, RC_PRIVILEGE, "let this node join first (action=on)",
				  "%s: this node has not joined in this boot, so it ejects nobody",
				  unit->name);
	pr_key_text(unit->key, key);
	snprintf(next, sizeof next,
		 "what uses it here must stop; to come back restart this machine, or, if it may "
		 "write again, run on with admit=%s",
		 key);
	/* To a unit that lost all keys, with its power, everybody may write; who has won is unknown. */
	return fence_fail(ctx, RC_PRIVILEGE, next,
			  "%s: %s: its key %s is not registered any more%s", unit->name,
			  "this node was ejected in this boot", key,
			  unit->keys.total ? "" : ", and nor is any other");
}

/* ---- off ---- */

int lun_node_may_eject(struct fence_ctx *ctx)
{
	struct lun *lun = fence_data(ctx);
	uint64_t lost;

	keys_load(lun);
	lost = units_lost(lun, 1);
	return lost ? lost_fail(ctx, lost) : 0;
}

/* Eject from the units of the set. Where our session has gone, but not our key, a new key takes its place,
 * if no data goes through this session. */
static int units_eject(struct fence_ctx *ctx, uint64_t set, int64_t left_ms)
{
	struct lun *lun = fence_data(ctx);
	uint64_t outside = 0;
	int rc;

	lun_units_run(ctx, lun_unit_eject, set, left_ms);
	for (size_t i = 0; i < lun->units_count; i++) {
		struct lun_unit *unit = &lun->units[i];

		if (!(set >> i & 1) || unit->outcome != LUN_OUTSIDE)
			continue;
		if (lun_unit_is_session(unit)) {
			outside |= UINT64_C(1) << i;
			continue;
		}
		unit->outcome = LUN_FAILED;
		err_set(&unit->err, RC_PRIVILEGE, "run on here, which registers it again",
			"%.200s: our key is registered, but no path of this node carries it",
			unit->name);
	}
	if (!outside)
		return 0;
	rc = units_succeed(ctx, outside);
	if (rc == 0)
		lun_units_run(ctx, lun_unit_eject, lun_units_with(lun, outside, LUN_OK),
			      lun_step_left_ms(ctx));
	return rc;
}

static int off_judge(struct fence_ctx *ctx, const struct lun_node *node)
{
	struct lun *lun = fence_data(ctx);
	uint64_t all = lun_units_all(lun), lost = lun_units_with(lun, all, LUN_LOST);
	uint64_t failed = all & ~lost & ~lun_units_with(lun, all, LUN_OK);
	int64_t drain_ms = fence_opt_ms(ctx, "drain");
	int drains = 0;

	for (size_t i = 0; i < lun->units_count; i++)
		drains += lun->units[i].outcome == LUN_OK && lun->units[i].needs_drain;
	if (drains && drain_ms > 0) {
		lun->drained_at[node - lun->conf.nodes] = mono_add_ms(clock_now(), drain_ms);
		fence_warn(ctx,
			   "%s is out of %d of %zu units, but not by a PREEMPT AND ABORT that "
			   "ended its commands; waiting %lld.%lld s for those on their way",
			   node->name, drains, lun->units_count, (long long)drain_ms / 1000,
			   (long long)drain_ms % 1000 / 100);
	}
	if (lost)
		return lost_fail(ctx, lost);
	if (failed) {
		const struct err *err = &lun_unit_first(lun, failed)->err;

		return fence_fail(ctx, err->rc ? err->rc : RC_UNREACHABLE, err->next,
				  "%s is ejected from %d of %zu units: %s", node->name,
				  lun_count_of(all & ~failed), lun->units_count, err->text);
	}
	return 0;
}

/* The race did not end: was it lost while it ran? Then the other units are the winner's. A unit that
 * cannot be read tells nothing, and the failure stays. */
static void first_look(struct fence_ctx *ctx)
{
	struct lun *lun = fence_data(ctx);
	struct lun_unit *unit = &lun->units[0];
	struct err why = unit->err;

	lun_units_run(ctx, lun_unit_read, 1, lun_step_left_ms(ctx) / 3);
	if (unit->outcome == LUN_OK && (unit->key == 0 || lun_unit_count(unit, unit->key) == 0)) {
		unit->outcome = LUN_LOST;
		return;
	}
	unit->outcome = LUN_FAILED;
	unit->err = why;
}

int lun_node_off(struct fence_ctx *ctx, const struct lun_node *node)
{
	struct lun *lun = fence_data(ctx);
	uint64_t first = 1, rest = lun_units_all(lun) & ~first;
	int rc;

	lun_units_read(ctx);
	/* Who has lost one of them has lost, and spoils the others for nobody. */
	rc = lun_node_may_eject(ctx);
	if (rc)
		return rc;
	for (size_t i = 0; i < lun->units_count; i++) {
		lun->units[i].victim = lun_node_key(lun, node);
		lun->units[i].trusts_abort = fence_opt_bool(ctx, "trust_abort");
		lun->units[i].outcome = LUN_OK;
	}
	/* The race: a third of the time. Lost: the others are the winner's. Not known, because the unit
	 * hangs: the others are tried all the same. Nobody can win then, though each side may throw
	 * the other off what it reaches first. */
	rc = units_eject(ctx, first, rest ? lun_step_left_ms(ctx) / 3 : lun_step_left_ms(ctx));
	if (rc == 0 && lun->units[0].outcome == LUN_FAILED)
		first_look(ctx);
	if (rc == 0 && lun->units[0].outcome == LUN_LOST)
		return lost_fail(ctx, first);
	if (rc == 0 && rest)
		rc = units_eject(ctx, rest, lun_step_left_ms(ctx));
	return rc ? rc : off_judge(ctx, node);
}

/* ---- on ---- */

/* An ejected node comes back only when somebody has named what was ejected (S10). */
static int on_admit(struct fence_ctx *ctx, uint64_t lost, int *is_admitted)
{
	struct lun *lun = fence_data(ctx);
	const char *admit = fence_opt(ctx, "admit");
	struct err err;
	uint64_t key = 0;

	*is_admitted = 0;
	if (!lost)
		return 0;
	if (admit)
		pr_key_parse(admit, &key, &err);
	for (size_t i = 0; i < lun->units_count; i++)
		*is_admitted |= lost >> i & 1 && lun->units[i].key == key;
	if (!*is_admitted) {
		uint64_t left;

		/* What it has registered all the same goes. */
		lun_units_run(ctx, lun_unit_withdraw, lost, lun_step_left_ms(ctx));
		left = lun_units_with(lun, lost, LUN_FAILED);
		if (!left)
			return lost_fail(ctx, lost);
		return fence_fail(ctx, lun_unit_first(lun, left)->err.rc,
				  lun_unit_first(lun, left)->err.next, "%s",
				  lun_unit_first(lun, left)->err.text);
	}
	for (size_t i = 0; i < lun->units_count; i++)
		if (lost >> i & 1) {
			lun_state_drop(&lun->state, lun->units[i].id);
			lun->units[i].key = 0;
		}
	return 0;
}

/* Register on the units where this node has no key yet. */
static int units_join(struct fence_ctx *ctx, uint64_t set, int is_admitted)
{
	struct lun *lun = fence_data(ctx);
	uint64_t key = 0;
	struct err err = { 0 };
	int rc = 0;

	/* A unit that was added later gets the key that the others have. */
	for (size_t i = 0; i < lun->units_count && !is_admitted; i++)
		key = key ? key : lun->units[i].key;
	key = key ? key : key_new(lun);
	for (size_t i = 0; i < lun->units_count && rc == 0; i++)
		if (set >> i & 1) {
			lun->units[i].next_key = key;
			lun->units[i].wants_aptpl = fence_opt_bool(ctx, "aptpl");
			rc = lun_state_put(&lun->state, lun->units[i].id, key, 0, &err);
		}
	if (rc)
		return fence_fail(ctx, rc, err.next, "%s", err.text);
	/* Written before the key is: whoever comes after us must know. */
	rc = state_save(ctx);
	if (rc)
		return rc;
	lun_units_run(ctx, lun_unit_join, set, lun_step_left_ms(ctx));
	for (size_t i = 0; i < lun->units_count; i++) {
		struct lun_unit *unit = &lun->units[i];

		if (!(set >> i & 1))
			continue;
		if (unit->outcome == LUN_LOST)
			unit->key = key; /* ejected while it joined */
		if (unit->outcome == LUN_OK) {
			unit->key = key;
			lun_state_put(&lun->state, unit->id, key, 1, &err);
		} else if (unit->is_void) {
			lun_state_drop(&lun->state, unit->id);
		}
		if (unit->outcome == LUN_OK && unit->wants_aptpl && !unit->has_aptpl)
			fence_warn(ctx,
				   "%s does not keep registrations through a loss of its power (no "
				   "APTPL): after one, every node has to be restarted or admitted",
				   unit->name);
	}
	return state_save(ctx);
}

static int on_judge(struct fence_ctx *ctx)
{
	struct lun *lun = fence_data(ctx);
	uint64_t all = lun_units_all(lun), lost = lun_units_with(lun, all, LUN_LOST);
	uint64_t failed = all & ~lost & ~lun_units_with(lun, all, LUN_OK);

	if (lost)
		return lost_fail(ctx, lost);
	if (failed) {
		const struct err *err = &lun_unit_first(lun, failed)->err;

		return fence_fail(ctx, err->rc ? err->rc : RC_UNREACHABLE, err->next,
				  "%s is registered on %d of %zu units: %s", lun->self->name,
				  lun_count_of(all & ~failed), lun->units_count, err->text);
	}
	for (size_t i = 0; i < lun->conf.urls_count; i++)
		if (!lun->paths[i].client || lun->paths[i].is_silent)
			fence_warn(ctx,
				   "this node cannot write by one path, run on again when it is "
				   "back: %s",
				   lun->paths[i].err.text);
	return 0;
}

int lun_node_on(struct fence_ctx *ctx)
{
	struct lun *lun = fence_data(ctx);
	uint64_t unread = lun_units_read(ctx), known = 0, fresh, outside;
	int is_admitted, rc;

	keys_load(lun);
	rc = on_admit(ctx, units_lost(lun, 0), &is_admitted);
	if (rc)
		return rc;
	for (size_t i = 0; i < lun->units_count; i++)
		if (lun->units[i].key != 0)
			known |= UINT64_C(1) << i;
	fresh = lun_units_all(lun) & ~known & ~unread;
	known &= ~unread;
	lun_units_run(ctx, lun_unit_check, known, lun_step_left_ms(ctx));
	outside = is_admitted ? lun_units_with(lun, known, LUN_OK) |
					lun_units_with(lun, known, LUN_OUTSIDE)
			      : lun_units_with(lun, known, LUN_OUTSIDE);
	if (outside)
		rc = units_succeed(ctx, outside);
	if (rc == 0 && fresh)
		rc = units_join(ctx, fresh, is_admitted);
	if (rc)
		return rc;
	lun_units_run(ctx, lun_unit_reserve, lun_units_with(lun, known | fresh, LUN_OK),
		      lun_step_left_ms(ctx));
	return on_judge(ctx);
}
