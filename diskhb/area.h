/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * area.h - is this the shared disk of a cluster, and may this program use it? In one sentence when not.
 *
 * Callers: whoever opens disks: `holdfast disk`, lockd. They read the first SUPER_BYTES and ask.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_AREA_H
#define HOLDFAST_AREA_H

#include "base/err.h"
#include "diskhb/hb_facts.h"

/* Fill *area from the first record of the disk `name`, which has `sectors` sectors of `sector_bytes`.
 * 0; or why it is not to be used: RC_CONFIG. Nothing may be written to a disk that is refused. */
int area_read(struct hb_area *area, const uint8_t block[RECORD_BYTES], const char *name,
	      uint32_t sector_bytes, uint64_t sectors, struct err *err);

/* Are these all the disks of one cluster, each once, in any order? With `partial` some may be missing.
 * 0 or RC_CONFIG. */
int area_set_check(const struct hb_area *const *areas, const char *const *names, size_t count,
		   int partial, struct err *err);

#endif
