/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hb_io.c - runs the heartbeat's core; see hb_io.h.
 */
#include "diskhb/hb_io.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/boot_timer.h"
#include "host/clock.h"

struct hb_io {
	struct boot_timer timer;
	struct hb_core core;
	struct hb_config config;
	struct hb_io_disk disks[HB_DISKS_MAX];
	int reads_claims[HB_DISKS_MAX]; /* the read under way */
	int is_write[HB_DISKS_MAX];
	/* Requests that were refused at once: their answer waits for the end of the step. */
	int refused_rc[HB_DISKS_MAX];
	uint64_t refused_token[HB_DISKS_MAX];
	struct words words;
	hb_io_noted *noted;
	void *context;
	int stepping;
	struct hb_view view;
	struct hb_out out;
	uint8_t slot[SLOT_BYTES];
	uint8_t claim[SLOT_BYTES];
};

static uint64_t wall_s(void)
{
	time_t now = time(NULL);

	return now > 0 ? (uint64_t)now : 0;
}

void hb_io_say(struct hb_io *io, const char *text)
{
	words_add(&io->words, wall_s(), (uint64_t)(clock_now().ns / MONO_NS_PER_MS), text);
}

/* ---- requests ---- */

static void request_submit(struct hb_io *io, const struct hb_action *action)
{
	const struct hb_io_disk *disk = &io->disks[action->disk];
	const struct disk_layout *layout = &disk->area->layout;
	struct disk_request request = { .token = action->token | HB_IO_TOKEN_BIT,
					.deadline = action->deadline };
	struct err err;

	io->is_write[action->disk] = 1;
	switch (action->kind) {
	case HB_ACTION_READ:
	case HB_ACTION_READ_CLAIMS:
		io->is_write[action->disk] = 0;
		io->reads_claims[action->disk] = action->kind == HB_ACTION_READ_CLAIMS;
		request.op = DISK_READ;
		request.bytes = hb_area_bytes(disk->area, io->reads_claims[action->disk]);
		break;
	case HB_ACTION_WRITE_SLOT:
		hb_facts_slot(disk->area, &io->config, action->slot, &io->words, wall_s(),
			      io->slot);
		request.op = DISK_WRITE;
		request.sector = disk_layout_slot_at(io->config.node) / layout->sector_bytes;
		request.bytes = SLOT_BYTES;
		request.data = io->slot;
		break;
	default:
		hb_facts_claim(disk->area, &io->config, action->incarnation, action->attempt,
			       wall_s(), io->claim);
		request.op = DISK_WRITE;
		request.sector = disk_layout_claim_at(layout, io->config.node) /
				 layout->sector_bytes;
		request.bytes = layout->claim_bytes;
		request.data = io->claim;
		break;
	}
	io->refused_rc[action->disk] = disk_submit(disk->disk, &request, &err);
	io->refused_token[action->disk] = action->token;
}

static void step_once(struct hb_io *io, struct hb_event *event)
{
	char text[WORDS_LINE_MAX];

	event->now = clock_now();
	hb_core_step(&io->core, event, &io->out);
	/* Said first: the slot that is written now shall have it, for it may be the last one. */
	for (size_t i = 0; i < io->out.count; i++)
		if (io->out.actions[i].kind == HB_ACTION_NOTE)
			hb_io_say(io, hb_note_text(&io->out.actions[i].note, text, sizeof text));
	for (size_t i = 0; i < io->out.count; i++)
		if (io->out.actions[i].kind != HB_ACTION_NOTE)
			request_submit(io, &io->out.actions[i]);
	for (size_t i = 0; i < io->out.count; i++)
		if (io->out.actions[i].kind == HB_ACTION_NOTE)
			io->noted(&io->out.actions[i].note, io->context);
}

static void step(struct hb_io *io, struct hb_event *event)
{
	assert(!io->stepping);
	io->stepping = 1;
	step_once(io, event);
	for (unsigned d = 0; d < io->config.disks; d++)
		while (io->refused_rc[d]) {
			mono_t now = clock_now();
			struct hb_event refused = {
				.kind = io->is_write[d] ? HB_EVENT_WRITE_DONE : HB_EVENT_READ_DONE,
				.disk = d,
				.token = io->refused_token[d],
				.rc = io->refused_rc[d],
				.submitted_at = now,
				.ended_at = now,
			};

			io->refused_rc[d] = 0;
			step_once(io, &refused);
		}
	io->stepping = 0;
	boot_timer_set(&io->timer, hb_core_deadline(&io->core));
}

void hb_io_event(struct hb_io *io, struct hb_event *event)
{
	step(io, event);
}

/* What the slot's former life has said goes on. */
static void words_look(struct hb_io *io, unsigned d, const uint8_t *bytes)
{
	struct words found;

	if (io->core.stage > HB_STAGE_CHECK || io->config.observer)
		return;
	hb_facts_words(io->disks[d].area, bytes + disk_layout_slot_at(io->config.node),
		       io->config.node, &found);
	if (found.next_line > io->words.next_line)
		io->words = found;
}

int hb_io_answer(struct hb_io *io, unsigned d, const struct disk_answer *answer)
{
	struct hb_event event = { .disk = d,
				  .token = answer->token & ~HB_IO_TOKEN_BIT,
				  .rc = answer->rc,
				  .outstanding = answer->is_outstanding,
				  .submitted_at = answer->submitted_at,
				  .ended_at = answer->ended_at };

	if (!(answer->token & HB_IO_TOKEN_BIT))
		return 0;
	if (answer->kind == DISK_LATE) {
		event.kind = HB_EVENT_LATE;
	} else if (answer->op == DISK_WRITE) {
		event.kind = HB_EVENT_WRITE_DONE;
	} else {
		event.kind = HB_EVENT_READ_DONE;
		if (answer->rc == 0) {
			assert(answer->bytes ==
			       hb_area_bytes(io->disks[d].area, io->reads_claims[d]));
			hb_facts_view(io->disks[d].area, answer->data, io->config.node,
				      io->reads_claims[d], &io->view);
			words_look(io, d, answer->data);
			event.view = &io->view;
		}
	}
	step(io, &event);
	return 1;
}

static void timer_fired(struct boot_timer *timer)
{
	struct hb_event tick = { .kind = HB_EVENT_TICK };

	step(timer->data, &tick);
}

/* ---- life ---- */

const struct hb_core *hb_io_core(const struct hb_io *io)
{
	return &io->core;
}

int hb_io_create(uv_loop_t *loop, const struct hb_config *config, const struct hb_io_disk *disks,
		 hb_io_noted *noted, void *context, struct hb_io **io, struct err *err)
{
	struct hb_io *made = calloc(1, sizeof *made);
	int rc;

	if (!made)
		return err_set(err, RC_INTERNAL, NULL, "no memory");
	made->config = *config;
	memcpy(made->disks, disks, config->disks * sizeof disks[0]);
	made->noted = noted;
	made->context = context;
	words_init(&made->words);
	rc = hb_core_init(&made->core, config, clock_now(), err);
	if (rc == 0 && boot_timer_init(&made->timer, loop, timer_fired, made))
		rc = err_set(err, RC_INTERNAL, NULL, "no timer");
	if (rc) {
		free(made);
		return rc;
	}
	boot_timer_set(&made->timer, hb_core_deadline(&made->core));
	*io = made;
	return 0;
}

static void timer_closed(struct boot_timer *timer)
{
	free(timer->data);
}

void hb_io_free(struct hb_io *io)
{
	boot_timer_close(&io->timer, timer_closed);
}
