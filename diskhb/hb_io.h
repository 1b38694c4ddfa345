/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hb_io.h - runs the heartbeat's core: actions become requests to disks, answers become events.
 *
 * Callers: lockd, `holdfast disk test` and `watch`. The disks are the caller's, because others use
 * them too: it opens them, and hands every answer to hb_io_answer(), which takes those that are
 * its own. One core each; everything on the thread of the loop.
 *
 * Last words: every note of the core is a line; the owner adds its own with hb_io_say(). They are written
 * with the next heartbeat.
 *
 * Ownership: hb_io_create() allocates, hb_io_free() frees; disks and areas outlive it. After
 * hb_io_free() answers may still come and must not be handed in, but to a heartbeat that follows
 * on the same disks: it passes them over.
 */
#ifndef HOLDFAST_HB_IO_H
#define HOLDFAST_HB_IO_H

#include <uv.h>

#include "base/err.h"
#include "diskhb/hb_core.h"
#include "diskhb/hb_facts.h"
#include "host/disk.h"

/* Tokens of the heartbeat have this bit; those of others on the same disk must not. */
#define HB_IO_TOKEN_BIT (UINT64_C(1) << 63)
/* And of the others at most these. */
#define HB_IO_TOKEN_MASK (HB_IO_TOKEN_BIT | ((UINT64_C(1) << 59) - 1))

struct hb_io;

/* A note of the core, inside a step: hb_io_event() may not be called from here. */
typedef void hb_io_noted(const struct hb_note *note, void *context);

struct hb_io_disk {
	struct disk *disk; /* NULL: missing; its requests fail until hb_io_disk_set() */
	const struct hb_area *area;
};

/* config->disks of them, in the order of their index in the cluster. Begins at once. */
int hb_io_create(uv_loop_t *loop, const struct hb_config *config, const struct hb_io_disk *disks,
		 hb_io_noted *noted, void *context, struct hb_io **io, struct err *err);

/* An answer of disk `d`. 1: it was ours. */
int hb_io_answer(struct hb_io *io, unsigned d, const struct disk_answer *answer);

/* SEND, WITHDRAW, PUBLISH, LEAVE; `now` is filled in. */
void hb_io_event(struct hb_io *io, struct hb_event *event);

/* Disk `d` is there now, or is missing now; not from a note. */
void hb_io_disk_set(struct hb_io *io, unsigned d, const struct hb_io_disk *disk);

/* The watchdog's timeout, and with it the grain, have become others (base/timing.h, W and g):
 * published with the next heartbeat. */
void hb_io_watchdog_set(struct hb_io *io, uint32_t watchdog_ms, uint32_t grain_ms);

/* A line for the last words. */
void hb_io_say(struct hb_io *io, const char *text);

const struct hb_core *hb_io_core(const struct hb_io *io);

/* Stop; what is with a disk stays there. */
void hb_io_free(struct hb_io *io);

#endif
