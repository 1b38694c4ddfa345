/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lun_session.c - all paths at once, and what they belong to; see lun_session.h.
 */
#include "fence-agents/lun/lun_session.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/disk/iscsi_url.h"
#include "host/nexus.h"

enum {
	/* Sessions of ours (disk_options.nexus). Registrations belong to the one that changes them;
	 * whoever only looks takes another, so as not to end its session. */
	NEXUS_OF_CHANGES = NEXUS_LUN_CHANGES,
	NEXUS_OF_LOOKS = NEXUS_LUN_LOOKS,
	NEXUS_OF_LOOKS_COUNT = NEXUS_LUN_LOOKS_COUNT,
	REPLY_RESERVE_MS = 100, /* of the time of a step, to say what came of it */
};

static int unit_is_open(const struct lun_unit *unit)
{
	return unit->id[0] != '\0';
}

/* ---- all at once ---- */

struct task {
	pthread_t thread;
	int is_running;
	lun_call *call;
	struct lun_unit *unit;
	void (*path_call)(struct lun_path *path);
	struct lun_path *path;
};

static void *task_main(void *context)
{
	struct task *task = context;

	if (task->path_call)
		task->path_call(task->path);
	else
		task->call(task->unit);
	return NULL;
}

/* Signals are the main thread's: its handlers end the process when time is up. */
static void tasks_run(struct task *tasks, size_t count)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (size_t i = 0; i < count; i++)
		tasks[i].is_running = pthread_create(&tasks[i].thread, NULL, task_main,
						     &tasks[i]) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	for (size_t i = 0; i < count; i++)
		if (tasks[i].is_running)
			pthread_join(tasks[i].thread, NULL);
		else
			task_main(&tasks[i]);
}

static void paths_run(struct lun *lun, void (*call)(struct lun_path *path))
{
	struct task tasks[LUN_PATHS_MAX] = { 0 };

	for (size_t i = 0; i < lun->conf.urls_count; i++)
		tasks[i] = (struct task){ .path_call = call, .path = &lun->paths[i] };
	tasks_run(tasks, lun->conf.urls_count);
}

/* Call it for the units of the set (bit n, unit n) that are open; the others have failed. */
void lun_units_run(struct fence_ctx *ctx, lun_call *call, uint64_t set, int64_t left_ms)
{
	struct lun *lun = fence_data(ctx);
	struct task tasks[LUN_PATHS_MAX] = { 0 };
	mono_t until = mono_add_ms(clock_now(), left_ms);
	int64_t io_ms = fence_opt_ms(ctx, "io_timeout");
	size_t count = 0;

	for (size_t i = 0; i < lun->units_count; i++) {
		struct lun_unit *unit = &lun->units[i];

		if (!(set >> i & 1))
			continue;
		unit->until = until;
		unit->io_timeout_ms = io_ms;
		if (unit_is_open(unit)) {
			tasks[count++] = (struct task){ .call = call, .unit = unit };
		} else {
			unit->is_read = 0;
			unit->outcome = LUN_FAILED;
			unit->err = unit->paths[0]->err;
		}
	}
	tasks_run(tasks, count);
}

int64_t lun_step_left_ms(struct fence_ctx *ctx)
{
	int64_t left_ms = fence_left_ms(ctx);

	return left_ms > 2 * REPLY_RESERVE_MS ? left_ms - REPLY_RESERVE_MS : left_ms / 2;
}

/* The units that ended the last call like this. */
uint64_t lun_units_with(const struct lun *lun, uint64_t set, enum lun_outcome outcome)
{
	uint64_t found = 0;

	for (size_t i = 0; i < lun->units_count; i++)
		if (set >> i & 1 && lun->units[i].outcome == outcome)
			found |= UINT64_C(1) << i;
	return found;
}

struct lun_unit *lun_unit_first(struct lun *lun, uint64_t set)
{
	return set ? &lun->units[__builtin_ctzll(set)] : NULL;
}

/* ---- open and close ---- */

static void path_open(struct lun_path *path)
{
	path->rc = pr_client_open(path->url, path->options, &path->client, &path->err);
}

static void path_close(struct lun_path *path)
{
	pr_client_close(path->client);
	path->client = NULL;
}

/* The same unit, or two that call themselves by one name? */
static int units_differ(const struct disk_facts *a, const struct disk_facts *b)
{
	return a->sectors != b->sectors || a->sector_bytes != b->sector_bytes ||
	       strcmp(a->vendor, b->vendor) != 0 || strcmp(a->product, b->product) != 0;
}

static const struct disk_facts *unit_facts(const struct lun_unit *unit)
{
	for (size_t i = 0; i < unit->paths_count; i++)
		if (unit->paths[i]->client)
			return pr_client_facts(unit->paths[i]->client);
	return NULL;
}

static struct lun_unit *unit_find(struct lun *lun, const char *id, unsigned group)
{
	for (size_t i = 0; i < lun->units_count; i++)
		if (id[0] && strcmp(lun->units[i].id, id) == 0)
			return &lun->units[i];
	for (size_t i = 0; i < lun->units_count; i++)
		if (lun->units[i].paths[0]->group == group)
			return &lun->units[i];
	return NULL;
}

/* Put a path to its unit: by the identity, and where that is not known by what devices= says. */
static int path_sort(struct fence_ctx *ctx, struct lun_path *path)
{
	struct lun *lun = fence_data(ctx);
	const struct disk_facts *facts = path->client ? pr_client_facts(path->client) : NULL;
	struct lun_unit *unit = unit_find(lun, facts ? facts->id : "", path->group);

	if (!unit) {
		unit = &lun->units[lun->units_count++];
		memset(unit, 0, sizeof *unit);
		unit->name = path->name;
	}
	if (facts && unit->id[0] && strcmp(unit->id, facts->id) != 0)
		return fence_fail(ctx, RC_CONFIG, "join with | only paths to one unit",
				  "%s and %s are joined in devices=, but are two units (%s and %s)",
				  unit->name, path->name, unit->id, facts->id);
	if (facts && unit->id[0] && units_differ(facts, unit_facts(unit)))
		return fence_fail(ctx, RC_CONFIG, "give each unit an identity of its own",
				  "%s and %s call themselves by one name (%s), but are two units",
				  unit->name, path->name, unit->id);
	if (unit->paths_count == PR_PATHS_MAX)
		return fence_fail(ctx, RC_CONFIG, NULL, "devices= has more than %d paths to %s",
				  PR_PATHS_MAX, unit->name);
	unit->paths[unit->paths_count++] = path;
	if (facts)
		memcpy(unit->id, facts->id, sizeof unit->id);
	return 0;
}

/* The order of the race, the same for every node; units that are not there come last. */
static int unit_compare(const void *a, const void *b)
{
	const struct lun_unit *x = a, *y = b;

	if (!x->id[0] != !y->id[0])
		return x->id[0] ? -1 : 1;
	return strcmp(x->id, y->id);
}

/* Open paths first: a path that is not there may belong to the unit of one that is. */
static int units_make(struct fence_ctx *ctx)
{
	struct lun *lun = fence_data(ctx);
	int rc = 0;

	lun->units_count = 0;
	for (int is_open = 1; is_open >= 0; is_open--)
		for (size_t i = 0; rc == 0 && i < lun->conf.urls_count; i++)
			if (!!lun->paths[i].client == is_open)
				rc = path_sort(ctx, &lun->paths[i]);
	qsort(lun->units, lun->units_count, sizeof lun->units[0], unit_compare);
	return rc;
}

int lun_session_open(struct fence_ctx *ctx)
{
	struct lun *lun = fence_data(ctx);
	size_t open = 0;

	lun->path_options = (struct pr_client_options){
		.disk = { .initiator = fence_opt(ctx, "initiator"),
			  .nexus = lun->changes ? NEXUS_OF_CHANGES
						: (uint8_t)(NEXUS_OF_LOOKS +
							    getpid() % NEXUS_OF_LOOKS_COUNT),
			  .open_timeout_ms = lun_step_left_ms(ctx),
			  .read_only = !lun->changes },
		.timeout_ms = fence_opt_ms(ctx, "io_timeout"),
	};
	for (size_t i = 0; i < lun->conf.urls_count; i++) {
		struct lun_path *path = &lun->paths[i];

		*path = (struct lun_path){ .url = lun->conf.urls[i],
					   .group = lun->conf.groups[i],
					   .options = &lun->path_options };
		if (iscsi_url_is(path->url))
			iscsi_url_show(path->url, path->name, sizeof path->name);
		else
			snprintf(path->name, sizeof path->name, "%s", path->url);
	}
	paths_run(lun, path_open);
	for (size_t i = 0; i < lun->conf.urls_count; i++) {
		open += lun->paths[i].client != NULL;
		if (!lun->paths[i].client)
			fence_debug(ctx, "not open: %s", lun->paths[i].err.text);
	}
	if (open == 0)
		return fence_fail(ctx, lun->paths[0].rc, lun->paths[0].err.next, "%s%s",
				  lun->paths[0].err.text,
				  lun->conf.urls_count > 1 ? " (and so with every other path)"
							   : "");
	return units_make(ctx);
}

void lun_session_close(struct fence_ctx *ctx)
{
	struct lun *lun = fence_data(ctx);

	paths_run(lun, path_close);
	lun->units_count = 0;
}

/* ---- reading ---- */

static void keys_text(const struct lun_unit *unit, uint64_t node, char *text, size_t size)
{
	char key[PR_KEY_TEXT_BYTES];
	size_t used = 0;

	snprintf(text, size, "not registered");
	for (uint32_t i = 0; i < unit->keys.count && used + 2 * sizeof key < size; i++)
		if (pr_key_is_same_node(unit->keys.key[i], node))
			used += (size_t)snprintf(text + used, size - used, "%s%s",
						 used ? " " : "registered with ",
						 pr_key_text(unit->keys.key[i], key));
}

/* How the unit stands to the node, and each of its paths, for the result. */
void lun_unit_show(struct fence_ctx *ctx, const struct lun_unit *unit, const struct lun_node *node,
		   enum power_state state)
{
	struct lun *lun = fence_data(ctx);
	char text[200], held[64] = "no reservation: everybody may write", key[PR_KEY_TEXT_BYTES];
	const char *drain = state == POWER_PENDING ? "; commands of it may still be on their way"
						   : "";

	keys_text(unit, lun_node_key(lun, node), text, sizeof text);
	if (unit->held.is_held)
		snprintf(held, sizeof held, "reservation %s by %s", pr_type_word(unit->held.type),
			 unit->held.key ? pr_key_text(unit->held.key, key) : "all registrants");
	if (unit->is_read)
		fence_part(ctx, node->name, unit->id, state, "%s; %s%s", text, held, drain);
	else
		fence_part(ctx, node->name, unit_is_open(unit) ? unit->id : unit->name,
			   POWER_UNKNOWN, "%s", unit->err.text);
	for (size_t i = 0; i < unit->paths_count; i++) {
		const struct lun_path *path = unit->paths[i];

		if (path->client && !path->is_silent)
			fence_part(ctx, node->name, path->name, state, "path to %s", unit->id);
		else
			fence_part(ctx, node->name, path->name, POWER_UNKNOWN, "%s",
				   path->err.text);
	}
}

/* All units, read and shown. The units that could not be read are returned. */
uint64_t lun_units_read(struct fence_ctx *ctx)
{
	struct lun *lun = fence_data(ctx);
	lun_units_run(ctx, lun_unit_read, lun_units_all(lun), lun_step_left_ms(ctx));
	return lun_units_with(lun, lun_units_all(lun), LUN_FAILED);
}

int lun_unread_fail(struct fence_ctx *ctx, uint64_t unread)
{
	struct lun *lun = fence_data(ctx);
	const struct err *err = &lun_unit_first(lun, unread)->err;

	return fence_fail(ctx, err->rc ? err->rc : RC_UNREACHABLE, err->next,
			  "%d of %zu units cannot be read: %s", lun_count_of(unread),
			  lun->units_count, err->text);
}
