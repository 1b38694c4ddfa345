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

/* Where tokens carry a number of the heartbeat that asked; below is the core's own count. */
#define GENERATION_ONE (UINT64_C(1) << 44)
#define GENERATION_MASK (UINT64_C(0x7fff) << 44)
_Static_assert((GENERATION_MASK & ~HB_IO_TOKEN_MASK) == 0 && !(GENERATION_MASK & HB_IO_TOKEN_BIT),
	       "the other bits are others'");

struct hb_io {
	struct boot_timer timer;
	struct hb_core core;
	struct hb_config config;
	struct hb_io_disk disks[HB_DISKS_MAX];
	uint64_t generation; /* in the tokens: late answers may come from before this one */
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
	const struct disk_layout *layout;
	struct disk_request request = { .token = action->token | io->generation | HB_IO_TOKEN_BIT,
					.deadline = action->deadline };
	struct err err;

	io->is_write[action->disk] = action->kind == HB_ACTION_WRITE_SLOT ||
				     action->kind == HB_ACTION_WRITE_CLAIM;
	io->refused_token[action->disk] = action->token;
	if (!disk->disk) {
		io->refused_rc[action->disk] = RC_UNREACHABLE;
		return;
	}
	layout = &disk->area->layout;
	switch (action->kind) {
	case HB_ACTION_READ:
	case HB_ACTION_READ_CLAIMS:
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
				  .token = answer->token & (GENERATION_ONE - 1),
				  .rc = answer->rc,
				  .outstanding = answer->is_outstanding,
				  .submitted_at = answer->submitted_at,
				  .ended_at = answer->ended_at };

	if (!(answer->token & HB_IO_TOKEN_BIT))
		return 0;
	if ((answer->token & GENERATION_MASK) != io->generation)
		return 1;
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

void hb_io_disk_set(struct hb_io *io, unsigned d, const struct hb_io_disk *disk)
{
	assert(d < io->config.disks && !io->stepping);
	io->disks[d] = *disk;
}

void hb_io_watchdog_set(struct hb_io *io, uint32_t watchdog_ms, uint32_t grain_ms)
{
	io->config.watchdog_ms = watchdog_ms;
	io->config.grain_ms = grain_ms;
}

const struct hb_core *hb_io_core(const struct hb_io *io)
{
	return &io->core;
}

int hb_io_create(uv_loop_t *loop, const struct hb_config *config, const struct hb_io_disk *disks,
		 hb_io_noted *noted, void *context, struct hb_io **io, struct err *err)
{
	static uint64_t generations;
	struct hb_io *made = calloc(1, sizeof *made);
	int rc;

	if (!made)
		return err_set(err, RC_INTERNAL, NULL, "no memory");
	made->config = *config;
	memcpy(made->disks, disks, config->disks * sizeof disks[0]);
	made->noted = noted;
	made->context = context;
	generations += GENERATION_ONE;
	made->generation = generations & GENERATION_MASK;
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
