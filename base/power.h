/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * power.h - the power state of a plug, of a device, of a machine (rule S1).
 *
 * Callers: the agent SDK and every agent, the fencer, the command line.
 * Invariant: POWER_UNKNOWN is zero, so that memory nobody filled in never reads as off.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_POWER_H
#define HOLDFAST_POWER_H

#include <stddef.h>

enum power_state {
	POWER_UNKNOWN = 0, /* not read, or read and not understood */
	POWER_ON = 1,	   /* read: on */
	POWER_OFF = 2,	   /* read: off */
	POWER_PARTIAL = 3, /* of several plugs some read on and some off */
	POWER_PENDING = 4, /* the device says that a change is under way */
};

/* How much a result is worth. "Accepted" and "proven" are different words. */
enum power_proof {
	PROOF_NONE = 0,	    /* nothing is known */
	PROOF_ACCEPTED = 1, /* the device took the command; nobody saw the effect */
	PROOF_PROVEN = 2,   /* read back from the device after the command */
};

/* "on", "off", "partial", "pending", "unknown". Static text. */
const char *power_word(enum power_state state);

/* The state for a word, exact match; POWER_UNKNOWN for anything else. */
enum power_state power_from_word(const char *word);

/* "none", "accepted", "proven". Static text. */
const char *proof_word(enum power_proof proof);

/* The proof for a word, exact match; PROOF_NONE for anything else. */
enum power_proof proof_from_word(const char *word);

/* The state of a machine fed by several plugs: on when all are on, off when all are off,
 * unknown when one is unknown, else pending when one is pending, else partial.
 * No plug at all is unknown. */
enum power_state power_combine(const enum power_state *states, size_t count);

#endif
