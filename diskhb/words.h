/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * words.h - last words: the latest events of a node as lines of text, kept in its slot so that the
 * survivors can say why it died.
 *
 * Callers: hb_io (writing), `holdfast disk lastwords` (reading). A ring of four records; the oldest
 * is emptied when the newest is full. A line lies in one record, whole, so that a record that was
 * torn costs its own lines and no other. Lines are numbered; a new incarnation goes on where its
 * predecessor ended, so that a reboot does not wipe out what led to it.
 *
 * On the disk a line is "WALL BOOT TEXT": seconds since 1970, milliseconds since the machine
 * was booted, what happened.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_WORDS_H
#define HOLDFAST_WORDS_H

#include "diskhb/slot_wire.h"

enum { WORDS_LINE_MAX = 200 }; /* bytes with stamps and newline; longer text is cut */

struct words {
	struct words_record records[SLOT_WORDS_RECORDS];
	unsigned current;
	uint64_t next_line; /* number of the next one */
};

void words_init(struct words *words);

/* Take over what a slot holds. verdicts[i] belongs to records[i]; those not good are left out. */
void words_take(struct words *words, const struct words_record *records,
		const enum record_verdict *verdicts);

/* Add a line. Control characters in it become blanks. */
void words_add(struct words *words, uint64_t wall_s, uint64_t boot_ms, const char *text);

struct words_line {
	uint64_t number;
	uint64_t wall_s, boot_ms;
	const char *text; /* not ended by NUL */
	size_t bytes;
};

/* The next line after number `after` (0: the first that is there): 1 and *line filled, or 0. */
int words_next(const struct words *words, uint64_t after, struct words_line *line);

#endif
