/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_world.c - see pr_world.h.
 */
#include "tests/unit/pr_world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

uint64_t world_key(unsigned node, unsigned incarnation)
{
	return pr_key_make(1, (uint16_t)(node + 1), (uint16_t)incarnation);
}

void world_say(struct pr_world *world, const char *format, ...)
{
	char *at = world->trace + world->trace_bytes;
	size_t room = sizeof world->trace - world->trace_bytes;
	va_list ap;
	int bytes = snprintf(at, room, "[%lld] ", (long long)(world->now.ns / MONO_NS_PER_MS));

	va_start(ap, format);
	bytes += vsnprintf(at + bytes, room - (size_t)bytes, format, ap);
	va_end(ap);
	assert_true((size_t)bytes + 2 < room);
	at[bytes] = '\n';
	at[bytes + 1] = '\0';
	world->trace_bytes += (size_t)bytes + 1;
}

/* "a1": node and incarnation; "-" for no key */
static const char *key_word(uint64_t key)
{
	static char words[4][24];
	static unsigned next;
	char *word = words[next++ % 4];

	if (key == 0)
		return "-";
	if (pr_key_cluster(key) == 1)
		snprintf(word, sizeof words[0], "%c%u", 'a' + pr_key_node(key) - 1,
			 pr_key_incarnation(key));
	else
		snprintf(word, sizeof words[0], "%llx", (unsigned long long)key);
	return word;
}

static struct pr_world_event *event_add(struct pr_world *world, int64_t in_ms)
{
	for (size_t i = 0; i < WORLD_EVENTS_MAX; i++)
		if (!world->events[i].used) {
			memset(&world->events[i], 0, sizeof world->events[i]);
			world->events[i].used = 1;
			world->events[i].at = mono_add_ms(world->now, in_ms);
			return &world->events[i];
		}
	fail_msg("more is under way than the world holds");
	return NULL;
}

/* ---- what a core wants ---- */

static const char *const fault_words[FAULTS] = { "",	 "lost-before", "lost-after", "late",
						 "busy", "not-ready",	"aborted",    "not-sent" };

static void do_send(struct pr_world *world, unsigned node, const struct pr_action *send)
{
	struct pr_world_node *n = &world->nodes[node];
	unsigned path = send->path;
	struct pr_world_event *event = event_add(world, 1);

	if (world->sent)
		world->sent(world, node, send);
	event->kind = WORLD_EXECUTE;
	event->node = node;
	event->path = path;
	event->session = n->session[path];
	event->send = *send;
	if (n->is_cut[path]) {
		event->fault = FAULT_LOST_BEFORE;
	} else if (pr_command_is_out(send->command) || !n->fault_spares_looks[path]) {
		event->fault = n->next_fault[path];
		n->next_fault[path] = FAULT_NONE;
	}
	if (event->fault == FAULT_LATE)
		event->at = mono_add_ms(world->now, WORLD_LATE_MS);
	if (event->fault == FAULT_LATE || event->fault == FAULT_LOST_BEFORE) {
		struct pr_world_event *nothing = event_add(world, 0);

		nothing->kind = WORLD_ANSWER;
		nothing->at = send->deadline;
		nothing->node = node;
		nothing->path = path;
		nothing->session = n->session[path];
		nothing->answer.kind = PR_EVENT_ANSWER;
		nothing->answer.token = send->token;
		nothing->answer.reply.meaning = PR_MEANS_NO_ANSWER;
	}
}

static void do_recover(struct pr_world *world, unsigned node, unsigned path)
{
	struct pr_world_event *event = event_add(world, WORLD_RECOVER_MS);

	event->kind = WORLD_UP;
	event->node = node;
	event->path = path;
}

static void do_finish(struct pr_world *world, unsigned node, const struct pr_action *action)
{
	static const char *const jobs[] = { "none",    "join",	  "verify", "reserve",
					    "release", "preempt", "clear",  "leave" };
	const struct pr_result *r = &action->result;

	world_say(world, "%c = %s %s (%s)%s%s registered=%x doubt=%x held=%s/%s%s", 'a' + node,
		  jobs[action->job], pr_outcome_word(r->outcome), pr_cause_word(r->cause),
		  r->aborted ? " aborted" : "", r->is_ours ? " ours" : "", r->registered,
		  r->in_doubt, r->is_held ? key_word(r->holder) : "nobody", pr_type_word(r->type),
		  r->holds ? " holds" : "");
}

static void do_note(struct pr_world *world, unsigned node, const struct pr_action *action)
{
	static const char *const notes[] = { "attention", "ejected", "path in", "path outside",
					     "verified" };

	if (action->note == PR_NOTE_VERIFIED) {
		do_finish(world, node, action);
		return;
	}
	if (action->note == PR_NOTE_EJECTED)
		world->nodes[node].told_ejected = 1;
	world_say(world, "%c/%u ! %s%s%s", 'a' + node, action->path, notes[action->note],
		  action->note == PR_NOTE_ATTENTION ? " " : "",
		  action->note == PR_NOTE_ATTENTION ? pr_attention_word(action->attention) : "");
}

void world_tell(struct pr_world *world, unsigned node, struct pr_event *event)
{
	struct pr_world_node *n = &world->nodes[node];
	struct pr_actions actions;

	event->now = world->now;
	pr_core_step(&n->core, event, &actions);
	for (size_t i = 0; i < actions.count; i++) {
		const struct pr_action *action = &actions.list[i];

		switch (action->kind) {
		case PR_ACTION_SEND:
			do_send(world, node, action);
			break;
		case PR_ACTION_RECOVER:
			do_recover(world, node, action->path);
			break;
		case PR_ACTION_FINISH:
			n->has_ended = 1;
			n->result = action->result;
			do_finish(world, node, action);
			break;
		case PR_ACTION_NOTE:
			do_note(world, node, action);
			break;
		}
	}
}

/* ---- what the unit does ---- */

static void answer_read(struct pr_world_event *to, const struct pr_action *send,
			const struct pr_model_answer *answer)
{
	struct pr_event *event = &to->answer;
	struct pr_keys keys;
	struct pr_reservation reservation;
	struct err err;

	pr_reply_in(answer->status, answer->sense, answer->sense_bytes, &event->reply);
	if (event->reply.meaning != PR_MEANS_GOOD)
		return;
	if (send->command == PR_READ_KEYS) {
		assert_int_equal(pr_keys_in(answer->data, answer->bytes, &keys, &err), 0);
		event->generation = keys.generation;
		memcpy(to->keys, keys.key, keys.count * sizeof keys.key[0]);
		event->keys_count = keys.count;
		event->keys_cut = keys.total > keys.count;
	} else if (send->command == PR_READ_RESERVATION) {
		assert_int_equal(pr_reservation_in(answer->data, answer->bytes, &reservation, &err),
				 0);
		event->generation = reservation.generation;
		event->is_held = reservation.is_held;
		event->holder = reservation.key;
		event->held_type = reservation.type;
	}
}

static void model_do(struct pr_world *world, unsigned node, unsigned path,
		     const struct pr_action *send, struct pr_model_answer *answer)
{
	uint8_t cdb[16] = { 0 }, list[PR_LIST_BYTES_MAX];
	uint32_t bytes = 0;
	struct err err;

	if (pr_command_is_out(send->command)) {
		const struct pr_out out = { .command = send->command,
					    .key = send->key,
					    .service_key = send->service_key,
					    .type = send->type,
					    .aptpl = send->aptpl };

		bytes = pr_out_encode(&out, cdb, list, &err);
		assert_int_not_equal(bytes, 0);
	} else {
		pr_in_encode(send->command, cdb);
	}
	pr_model_command(&world->model, world->nodes[node].nexus[path], cdb, list, bytes, answer);
}

static void execute(struct pr_world *world, const struct pr_world_event *what)
{
	const struct pr_action *send = &what->send;
	static struct pr_model_answer answer;
	struct pr_world_event *back = event_add(world, 1);
	char reply[96];

	back->kind = WORLD_ANSWER;
	back->node = what->node;
	back->path = what->path;
	back->session = what->session;
	back->answer.kind = PR_EVENT_ANSWER;
	back->answer.token = send->token;
	if (what->fault == FAULT_BUSY || what->fault == FAULT_NOT_READY ||
	    what->fault == FAULT_LOST_BEFORE || what->fault == FAULT_NOT_SENT) {
		back->answer.reply.meaning = what->fault == FAULT_BUSY	      ? PR_MEANS_BUSY
					     : what->fault == FAULT_NOT_READY ? PR_MEANS_NOT_READY
									      : PR_MEANS_NOT_SENT;
		back->used = what->fault != FAULT_LOST_BEFORE;
	} else {
		if (world->before)
			world->before(world, what->node, what->path, send);
		model_do(world, what->node, what->path, send, &answer);
		answer_read(back, send, &answer);
		if (world->after)
			world->after(world, what->node, what->path, send, &back->answer.reply);
	}
	if (what->fault == FAULT_LOST_AFTER) {
		back->answer.reply.meaning = PR_MEANS_NO_ANSWER;
		back->at = send->deadline;
	} else if (what->fault == FAULT_ABORTED &&
		   back->answer.reply.meaning != PR_MEANS_ATTENTION) {
		/* An attention that was told cannot be told again. */
		back->answer.reply.meaning = PR_MEANS_ABORTED;
	}
	if (what->fault == FAULT_NONE || what->fault == FAULT_LATE || what->fault == FAULT_ABORTED)
		snprintf(reply, sizeof reply, "%s%s%s", pr_meaning_word(back->answer.reply.meaning),
			 back->answer.reply.meaning == PR_MEANS_ATTENTION ? " " : "",
			 back->answer.reply.meaning == PR_MEANS_ATTENTION
				 ? pr_attention_word(back->answer.reply.attention)
				 : "");
	else
		snprintf(reply, sizeof reply, "%s", fault_words[what->fault]);
	if (pr_command_is_out(send->command))
		world_say(world, "%c/%u > %s %s %s %s%s: %s%s", 'a' + what->node, what->path,
			  pr_command_word(send->command), key_word(send->key),
			  key_word(send->service_key), pr_type_word(send->type),
			  send->aptpl ? " aptpl" : "", what->fault == FAULT_LATE ? "late, " : "",
			  reply);
	else
		world_say(world, "%c/%u > %s: %s", 'a' + what->node, what->path,
			  pr_command_word(send->command), reply);
}

/* ---- time ---- */

static void event_do(struct pr_world *world, struct pr_world_event *slot)
{
	struct pr_world_event event = *slot;
	struct pr_world_node *n = &world->nodes[event.node];

	slot->used = 0;
	switch (event.kind) {
	case WORLD_EXECUTE:
		/* A new session disposes of the commands of the old one. */
		if (event.session == n->session[event.path])
			execute(world, &event);
		break;
	case WORLD_ANSWER:
		event.answer.keys = event.keys;
		world_tell(world, event.node, &event.answer);
		break;
	case WORLD_UP:
		if (n->is_cut[event.path] || n->is_stuck[event.path])
			break;
		n->session[event.path]++;
		world_say(world, "%c/%u new session", 'a' + event.node, event.path);
		pr_model_login(&world->model, n->nexus[event.path]);
		world_tell(world, event.node,
			   &(struct pr_event){ .kind = PR_EVENT_PATH_UP, .path = event.path });
		break;
	}
}

int world_turn(struct pr_world *world)
{
	struct pr_world_event *next = NULL;
	mono_t timer = MONO_NEVER;
	unsigned node = 0;

	for (size_t i = 0; i < WORLD_EVENTS_MAX; i++)
		if (world->events[i].used && (!next || mono_before(world->events[i].at, next->at)))
			next = &world->events[i];
	for (unsigned i = 0; i < world->nodes_count; i++) {
		mono_t at = pr_core_deadline(&world->nodes[i].core);

		if (mono_before(at, timer)) {
			timer = at;
			node = i;
		}
	}
	if (!next && mono_is_never(timer))
		return 0;
	if (next && !mono_before(timer, next->at)) {
		if (mono_before(world->now, next->at))
			world->now = next->at;
		event_do(world, next);
		return 1;
	}
	if (mono_before(world->now, timer))
		world->now = timer;
	world_tell(world, node, &(struct pr_event){ .kind = PR_EVENT_TIME });
	assert_true(mono_before(world->now, pr_core_deadline(&world->nodes[node].core)));
	return 1;
}

void world_run(struct pr_world *world)
{
	for (int i = 0; world_turn(world); i++)
		assert_true(i < 100000);
}

/* ---- making one ---- */

void world_boot(struct pr_world *world, unsigned node, unsigned incarnation)
{
	struct pr_world_node *n = &world->nodes[node];

	pr_core_init(&n->core, world_key(node, incarnation), WORLD_IO_MS);
	for (size_t i = 0; i < WORLD_EVENTS_MAX; i++)
		if (world->events[i].used && world->events[i].node == node)
			world->events[i].used = 0;
	for (unsigned p = 0; p < n->paths; p++) {
		n->session[p]++;
		n->next_fault[p] = FAULT_NONE;
		pr_model_login(&world->model, n->nexus[p]);
		world_tell(world, node, &(struct pr_event){ .kind = PR_EVENT_PATH_UP, .path = p });
	}
}

void world_begin(struct pr_world *world, const struct pr_model_limits *limits, unsigned nodes,
		 unsigned paths)
{
	memset(world, 0, sizeof *world);
	world->now = (mono_t){ 0 };
	world->nodes_count = nodes;
	pr_model_init(&world->model, limits, WORLD_PATHS);
	for (unsigned i = 0; i < nodes; i++) {
		struct pr_initiator id = { .protocol = PR_PROTOCOL_ISCSI };

		snprintf(id.name, sizeof id.name, "iqn.test:%c", 'a' + i);
		world->nodes[i].paths = paths;
		for (unsigned p = 0; p < paths; p++)
			world->nodes[i].nexus[p] = pr_model_nexus(&world->model, &id,
								  (uint16_t)(p + 1));
		world_boot(world, i, 1);
	}
}

void world_job(struct pr_world *world, unsigned node, enum pr_job_kind kind, uint64_t admission,
	       uint64_t victim, unsigned type, int64_t timeout_ms)
{
	static uint64_t token;
	struct pr_event event = { .kind = PR_EVENT_JOB,
				  .job = kind,
				  .job_token = ++token,
				  .deadline = mono_add_ms(world->now, timeout_ms),
				  .admission = admission,
				  .victim = victim,
				  .type = (uint8_t)type };

	world->nodes[node].has_ended = 0;
	world_tell(world, node, &event);
}

void world_cut(struct pr_world *world, unsigned node, unsigned path)
{
	world->nodes[node].is_cut[path] = 1;
}

void world_mend(struct pr_world *world, unsigned node, unsigned path)
{
	world->nodes[node].is_cut[path] = world->nodes[node].is_stuck[path] = 0;
	do_recover(world, node, path);
}

enum pr_meaning world_intrude(struct pr_world *world, unsigned node, enum pr_command command,
			      uint64_t key, uint64_t service_key, unsigned type)
{
	const struct pr_action send = {
		.command = command, .key = key, .service_key = service_key, .type = (uint8_t)type
	};
	struct pr_world_event back = { 0 };
	static struct pr_model_answer answer;

	do {
		model_do(world, node, 0, &send, &answer);
		answer_read(&back, &send, &answer);
	} while (back.answer.reply.meaning == PR_MEANS_ATTENTION);
	return back.answer.reply.meaning;
}
