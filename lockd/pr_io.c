/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_io.c - lockd/pr_core on a disk; see pr_io.h.
 */
#include "lockd/pr_io.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/boot_timer.h"
#include "host/clock.h"
#include "lockd/pr_cdb_wire.h"
#include "lockd/pr_sense_wire.h"

enum { UP_AGAIN_MS = 100 };

struct waiting {
	struct pr_io_job job;
	pr_io_done *done;
	void *context;
};

struct pr_io {
	struct pr_io_setup setup;
	struct pr_core core;
	struct boot_timer timer;
	/* The first is with the core when is_working. */
	struct waiting jobs[PR_IO_JOBS_MAX];
	size_t jobs_count;
	int is_working;
	uint64_t job_token;
	uint64_t commands;
	/* Of the command under way: how to read its answer. */
	uint64_t token;
	enum pr_command command;
	/* To be told to the core when the loop turns: an answer that no disk gives. */
	int has_unsent;
	uint64_t unsent;
	/* A command that could not be sent makes the core give the path up; while its owner has not,
	 * it is tried again. */
	int is_up;
	mono_t up_again_at;
	int is_in_step, is_freed, is_claiming;
	/* A path in doubt that has no sessions: its command is waited for. */
	uint64_t awaited;
};

static void step(struct pr_io *io, struct pr_event *event);

static mono_t deadline(const struct pr_io *io)
{
	mono_t at = pr_core_deadline(&io->core);

	if (io->has_unsent || (!io->is_working && io->jobs_count > 0))
		return (mono_t){ 0 };
	for (size_t i = 0; i < io->jobs_count; i++)
		if (i > 0 || !io->is_working)
			at = mono_min(at, io->jobs[i].job.deadline);
	return mono_min(at, io->up_again_at);
}

/* ---- what the core wants ---- */

static void do_send(struct pr_io *io, const struct pr_action *send)
{
	struct disk_request request = { .token = PR_IO_TOKEN_BIT | send->token,
					.op = DISK_SCSI,
					.deadline = send->deadline,
					.cdb_bytes = PR_CDB_BYTES };
	uint8_t list[PR_LIST_BYTES_MAX];
	struct err err;

	if (pr_command_is_out(send->command)) {
		const struct pr_out out = { .command = send->command,
					    .key = send->key,
					    .service_key = send->service_key,
					    .type = send->type,
					    .aptpl = send->aptpl };

		request.bytes = pr_out_encode(&out, request.cdb, list, &err);
		assert(request.bytes > 0);
		request.data = list;
		request.direction = DISK_TO_DEVICE;
	} else {
		request.bytes = pr_in_encode(send->command, request.cdb);
		request.direction = DISK_FROM_DEVICE;
	}
	io->token = send->token;
	io->command = send->command;
	io->commands++;
	if (io->setup.submit(&request, io->setup.context, &err) == 0)
		return;
	io->has_unsent = 1;
	io->unsent = send->token;
}

static void do_recover(struct pr_io *io)
{
	struct err err;

	/* What is submitted after the recovery goes to the new session. */
	if (io->setup.recover(io->setup.context, &err) == RC_UNSUPPORTED)
		io->awaited = io->token;
	else if (io->is_up)
		io->up_again_at = clock_now();
}

static void job_end(struct pr_io *io, size_t i, const struct pr_result *result)
{
	struct waiting ended = io->jobs[i];

	io->jobs_count--;
	memmove(io->jobs + i, io->jobs + i + 1, (io->jobs_count - i) * sizeof io->jobs[0]);
	if (ended.done)
		ended.done(result, &io->core, ended.context);
}

static void do_finish(struct pr_io *io, const struct pr_action *finish)
{
	assert(io->is_working && finish->job_token == io->job_token);
	io->is_working = 0;
	job_end(io, 0, &finish->result);
}

/* One that waits behind another beyond its time. 1: one was ended. */
static int waiting_expire(struct pr_io *io, mono_t now)
{
	static const struct pr_result late = { .outcome = PR_REFUSED,
					       .cause = PR_CAUSE_DEADLINE,
					       .meaning = PR_MEANS_NOT_SENT };

	for (size_t i = io->is_working ? 1 : 0; i < io->jobs_count; i++) {
		if (!mono_reached(now, io->jobs[i].job.deadline))
			continue;
		job_end(io, i, &late);
		return 1;
	}
	return 0;
}

static void step(struct pr_io *io, struct pr_event *event)
{
	struct pr_actions actions;

	assert(!io->is_in_step);
	io->is_in_step = 1;
	event->now = clock_now();
	pr_core_step(&io->core, event, &actions);
	for (size_t i = 0; i < actions.count && !io->is_freed; i++) {
		const struct pr_action *action = &actions.list[i];

		switch (action->kind) {
		case PR_ACTION_SEND:
			do_send(io, action);
			break;
		case PR_ACTION_RECOVER:
			do_recover(io);
			break;
		case PR_ACTION_FINISH:
			do_finish(io, action);
			break;
		case PR_ACTION_NOTE:
			io->setup.noted(action, io->setup.context);
			break;
		}
	}
	io->is_in_step = 0;
	if (!io->is_freed)
		boot_timer_set(&io->timer, deadline(io));
}

static void job_start(struct pr_io *io)
{
	const struct pr_io_job *job = &io->jobs[0].job;
	struct pr_event event = { .kind = PR_EVENT_JOB,
				  .job = job->kind,
				  .job_token = ++io->job_token,
				  .deadline = job->deadline,
				  .admission = job->admission,
				  .aptpl = job->aptpl,
				  .type = job->type,
				  .victim = job->victim,
				  .by_status = job->by_status };

	io->is_working = 1;
	step(io, &event);
}

static void unsent(struct pr_io *io, struct pr_event *event)
{
	if (io->is_up)
		io->up_again_at = mono_add_ms(clock_now(), UP_AGAIN_MS);
	step(io, event);
}

static void fired(struct boot_timer *timer)
{
	struct pr_io *io = timer->data;

	if (io->has_unsent) {
		struct pr_event event = { .kind = PR_EVENT_ANSWER,
					  .token = io->unsent,
					  .reply.meaning = PR_MEANS_NOT_SENT };

		io->has_unsent = 0;
		unsent(io, &event);
	} else if (mono_reached(clock_now(), io->up_again_at)) {
		io->up_again_at = MONO_NEVER;
		step(io, &(struct pr_event){ .kind = PR_EVENT_PATH_UP });
	} else if (waiting_expire(io, clock_now())) {
		/* The timer is set again below, also for more of them. */
	} else if (!io->is_working && io->jobs_count > 0) {
		job_start(io);
	} else {
		step(io, &(struct pr_event){ .kind = PR_EVENT_TIME });
	}
	if (!io->is_freed)
		boot_timer_set(&io->timer, deadline(io));
}

/* ---- answers ---- */

static void good_read(struct pr_event *event, enum pr_command command, const uint8_t *data,
		      size_t bytes, struct pr_keys *keys)
{
	struct pr_reservation reservation;
	struct err err;

	if (command == PR_READ_KEYS && pr_keys_in(data, bytes, keys, &err) == 0) {
		event->generation = keys->generation;
		event->keys = keys->key;
		event->keys_count = keys->count;
		event->keys_cut = keys->total > keys->count;
	} else if (command == PR_READ_RESERVATION &&
		   pr_reservation_in(data, bytes, &reservation, &err) == 0) {
		event->generation = reservation.generation;
		event->is_held = reservation.is_held;
		event->holder = reservation.key;
		event->held_type = reservation.type;
	} else if (!pr_command_is_out(command)) {
		event->reply.meaning = PR_MEANS_FAILED; /* an answer that is none */
	}
}

void pr_io_answered(struct pr_io *io, const struct disk_answer *answer)
{
	struct pr_event event = { .kind = PR_EVENT_ANSWER,
				  .token = answer->token & ~PR_IO_TOKEN_BIT };
	struct pr_keys *keys;

	if (answer->kind == DISK_LATE && answer->rc != 0) {
		/* It has ended, nobody knows how; a path without sessions is good again. */
		if (io->awaited == 0 || io->awaited != event.token)
			return;
		io->awaited = 0;
		event = (struct pr_event){ .kind = PR_EVENT_PATH_UP };
		step(io, &event);
		return;
	}
	keys = malloc(sizeof *keys);
	if (!keys)
		abort();
	if (answer->rc == 0) {
		pr_reply_in(answer->status, answer->sense, answer->sense_bytes, &event.reply);
		/* Of an older command nothing is read: what it told is old. */
		if (event.reply.meaning == PR_MEANS_GOOD && event.token == io->token)
			good_read(&event, io->command, answer->data, answer->bytes, keys);
	} else if (mono_is_never(answer->submitted_at)) {
		event.reply.meaning = PR_MEANS_NOT_SENT;
	} else {
		event.reply.meaning = PR_MEANS_NO_ANSWER;
	}
	if (event.reply.meaning == PR_MEANS_NOT_SENT)
		unsent(io, &event);
	else
		step(io, &event);
	/* Without a session to be renewed, and over: the doubt ends by asking. */
	if (!io->is_freed && event.reply.meaning == PR_MEANS_NO_ANSWER && io->awaited &&
	    io->awaited == event.token && !answer->is_outstanding) {
		io->awaited = 0;
		step(io, &(struct pr_event){ .kind = PR_EVENT_PATH_UP });
	}
	free(keys);
}

/* ---- from outside ---- */

int pr_io_create(const struct pr_io_setup *setup, struct pr_io **io, struct err *err)
{
	static uint64_t lives;
	struct pr_io *made = calloc(1, sizeof *made);

	if (!made || boot_timer_init(&made->timer, setup->loop, fired, made) != 0) {
		free(made);
		return err_set(err, RC_INTERNAL, NULL, "out of memory or file descriptors");
	}
	made->setup = *setup;
	made->up_again_at = MONO_NEVER;
	pr_core_init(&made->core, setup->key, setup->io_timeout_ms);
	/* An answer to a pr_io of before this one must not be taken for its own. */
	made->core.last_token = ++lives << 32;
	*io = made;
	return 0;
}

void pr_io_path(struct pr_io *io, int is_up)
{
	struct pr_event event = { .kind = is_up ? PR_EVENT_PATH_UP : PR_EVENT_PATH_DOWN };

	io->is_up = is_up;
	io->up_again_at = MONO_NEVER;
	if (is_up)
		io->awaited = 0;
	step(io, &event);
}

void pr_io_attention(struct pr_io *io, enum pr_attention attention)
{
	struct pr_event event = { .kind = PR_EVENT_ATTENTION, .attention = attention };

	step(io, &event);
}

int pr_io_job(struct pr_io *io, const struct pr_io_job *job, pr_io_done *done, void *context,
	      struct err *err)
{
	if (io->jobs_count == PR_IO_JOBS_MAX)
		return err_set(err, RC_BUSY, "try again", "too many reservation jobs wait");
	io->jobs[io->jobs_count++] = (struct waiting){ .job = *job,
						       .done = done,
						       .context = context };
	if (!io->is_in_step)
		boot_timer_set(&io->timer, deadline(io));
	return 0;
}

void pr_io_forget(struct pr_io *io, const void *context)
{
	for (size_t i = 0; i < io->jobs_count; i++)
		if (io->jobs[i].context == context)
			io->jobs[i].done = NULL;
}

const struct pr_core *pr_io_core(const struct pr_io *io)
{
	return &io->core;
}

void pr_io_set_claiming(struct pr_io *io, int is_claiming)
{
	io->is_claiming = is_claiming;
}

int pr_io_is_claiming(const struct pr_io *io)
{
	return io->is_claiming;
}

uint64_t pr_io_commands(const struct pr_io *io)
{
	return io->commands;
}

static void closed(struct boot_timer *timer)
{
	free(timer->data);
}

void pr_io_free(struct pr_io *io)
{
	if (!io)
		return;
	io->is_freed = 1;
	boot_timer_close(&io->timer, closed);
}
