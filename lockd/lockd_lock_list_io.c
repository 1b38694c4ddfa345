/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_lock_list_io.c - op "locks": what the last term of each slot says; see lockd_lock_io.h.
 *
 * Slots are read one after the other. The answer holds as many as fit into a line of the protocol; "next"
 * is the slot to go on with, "from" of the next request.
 */
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "lockd/lockd_lock_io.h"

enum { LOCKS_AT_ONCE = 64 }; /* of at most 600 bytes each */

struct lock_list {
	struct lock_list *next;
	struct lockd_locks *locks;
	struct lockd_call *call;
	uint32_t slot;
	json_t *array;
	int unread; /* slots that could not be read */
};

static void list_drop(struct lock_list *list)
{
	lock_slots_forget(list->locks->slots, list);
	json_decref(list->array);
	free(list);
}

static void list_free(struct lock_list *list)
{
	struct lock_list **link = &list->locks->lists;

	while (*link != list)
		link = &(*link)->next;
	*link = list->next;
	list_drop(list);
}

static const char *kind_word(unsigned kind)
{
	static const char *const words[] = { "?", "held", "released", "broken" };

	return kind < LOCK_KINDS ? words[kind] : words[0];
}

static json_t *term_json(struct lock_list *list, uint64_t term, const struct lock_term *said)
{
	struct lockd_locks *locks = list->locks;
	json_t *object = json_pack("{s:s, s:i, s:I, s:s, s:i, s:s, s:I, s:s}", "name", said->name,
				   "slot", (int)list->slot, "term", (json_int_t)term, "state",
				   kind_word(said->kind), "node", (int)said->node, "node_name",
				   lockd_node_name(locks->lockd, said->node), "since_s",
				   (json_int_t)said->wall_s, "by", said->by);

	if (said->kind == LOCK_HELD) {
		enum lock_fate fate;
		mono_t at;

		fate = lock_core_fate(&locks->core, said, locks->peers, &at);
		lock_put_holder(locks, object, said, fate, at);
	} else if (said->kind == LOCK_BROKEN) {
		json_object_set_new(object, "vouched", json_boolean(said->vouched));
	}
	return object;
}

static void list_answer(struct lock_list *list, uint32_t slots)
{
	struct lockd_call *call = list->call;
	json_t *fields = json_pack("{s:O, s:i, s:i}", "locks", list->array, "slots", (int)slots,
				   "unread", list->unread);

	if (list->slot < slots)
		json_object_set_new(fields, "next", json_integer(list->slot));
	list_free(list);
	lockd_call_ok(call, fields);
}

static void slot_read(uint64_t token, const struct lock_slot_answer *answer, void *context)
{
	struct lock_list *list = context;
	uint32_t slots = list->locks->core.config.slots;

	(void)token;
	if (answer->rc)
		list->unread++;
	else if (answer->told)
		json_array_append_new(list->array, term_json(list, answer->term, answer->told));
	if (++list->slot < slots && json_array_size(list->array) < LOCKS_AT_ONCE)
		lock_slot_read(list->locks->slots, list->slot, 0, slot_read, list);
	else
		list_answer(list, slots);
}

static void list_gone(struct lockd_call *call)
{
	list_free(call->data);
}

void lock_list_run(struct lockd_call *call)
{
	struct lockd_locks *locks = lockd_locks_of(call->lockd);
	struct lock_list *list;
	struct err err;
	int64_t from = 0;

	if (lockd_call_number(call, "from", 0, 0, locks->core.config.slots - 1, &from, &err)) {
		lockd_call_fail(call, &err);
		return;
	}
	list = calloc(1, sizeof *list);
	if (!list)
		abort();
	*list = (struct lock_list){ .next = locks->lists,
				    .locks = locks,
				    .call = call,
				    .slot = (uint32_t)from,
				    .array = json_array() };
	locks->lists = list;
	call->data = list;
	call->gone = list_gone;
	lock_peers_look(locks);
	lock_slot_read(locks->slots, list->slot, 0, slot_read, list);
}

void lock_lists_fail(struct lockd_locks *locks)
{
	struct err err;

	err_set(&err, RC_STATE, "ask again", "locks: node %u has begun anew on its disks meanwhile",
		locks->lockd->config.node);
	/* A failed answer may drop its client, and other lists with it. */
	while (locks->lists) {
		struct lock_list *list = locks->lists;
		struct lockd_call *call = list->call;

		locks->lists = list->next;
		list_drop(list);
		lockd_call_fail(call, &err);
	}
}

void lock_lists_end(struct lockd_locks *locks)
{
	while (locks->lists) {
		struct lock_list *list = locks->lists;

		locks->lists = list->next;
		list_drop(list);
	}
}
