/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pill_letter.h - a pill on its way to one node, followed while the agent does other things.
 *
 * Caller: fence_pill.c. lockd answers a request to send when all is over, which may take as long as the
 * victim's watchdog does; the SDK asks for the state in between. So a letter has a thread that waits
 * for lockd's answer, and keeps what it says with the moment at which it was heard.
 *
 * A moment that was heard late only makes the wait longer: whatever is counted from it is over by then.
 * lockd that goes away and comes back is asked again: its next incarnation goes on with what it had
 * posted. A pill that ends a node is not taken back when the letter is: nobody could tell
 * whether it was read before.
 *
 * Ownership: pill_letter_post() makes it, pill_letter_free() ends the thread and frees it.
 */
#ifndef HOLDFAST_PILL_LETTER_H
#define HOLDFAST_PILL_LETTER_H

#include <stdint.h>

#include "base/err.h"
#include "base/mono.h"

enum pill_stage {
	PILL_POSTING,
	PILL_POSTED,	/* in lockd's outbox; on the disks soon */
	PILL_DELIVERED, /* read back from a majority of the disks */
	PILL_ACCEPTED,	/* the node has acknowledged it, and renews nothing any more */
	PILL_EXPIRED,	/* by the node's own published deadline it has read it, or is reset */
	PILL_GONE,	/* the incarnation that it was for is no more */
	PILL_FAILED,	/* err */
};

struct pill_news {
	enum pill_stage stage;
	int64_t incarnation; /* of the node, that it is for; 0: not posted yet */
	mono_t delivered_at; /* to that one, heard of; MONO_NEVER: not yet */
	mono_t ended_at;     /* ACCEPTED and what comes behind it */
	struct err err;
	int resets_only; /* asked for off, but the node can only reset itself */
};

struct pill_letter;

/* socket: NULL for the usual one. `pill` is "reset" or "off"; with reset_if_declined a node that
 * declines to switch itself off is sent a reset. Returns NULL when there is no thread to be had. */
struct pill_letter *pill_letter_post(const char *socket, uint16_t node, const char *pill,
				     int reset_if_declined, mono_t deadline);

void pill_letter_news(struct pill_letter *letter, struct pill_news *news);

void pill_letter_free(struct pill_letter *letter);

#endif
