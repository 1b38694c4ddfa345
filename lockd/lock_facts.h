/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lock_facts.h - a lock's term as bytes: the value that Disk Paxos decides (docs/format-disk.md).
 *
 * Callers: lockd_lock_io.c, `holdfast lock`, tests.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_LOCK_FACTS_H
#define HOLDFAST_LOCK_FACTS_H

#include <stddef.h>
#include <stdint.h>

#include "lockd/lock_core.h"

enum {
	LOCK_VALUE_VERSION = 1,
	LOCK_VALUE_HEAD_BYTES = 64,
	/* With the longest name, user and command: what an arbiter takes (ARBITER_BYTES_MAX). */
	LOCK_VALUE_MAX = LOCK_VALUE_HEAD_BYTES + LOCK_NAME_MAX + LOCK_BY_MAX + LOCK_COMMAND_MAX,
};

/* Returns the length. */
uint16_t lock_value_out(uint8_t value[LOCK_VALUE_MAX], const struct lock_term *term);

/* 0, or -1 when it is none, or of a later version; then *term is zeroed. */
int lock_value_in(const uint8_t *value, size_t bytes, struct lock_term *term);

#endif
