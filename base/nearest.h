/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * nearest.h - "did you mean": how far apart two words are, and which of many is meant.
 *
 * Callers: the configuration (unknown names) and the command line (targets, subcommands).
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_NEAREST_H
#define HOLDFAST_NEAREST_H

#include <stddef.h>

enum { NEAREST_WORD_MAX = 64 }; /* longer words are compared by their first bytes */

/* Number of single-byte insertions, deletions, replacements and swaps of neighbours that turn
 * one word into the other, upper and lower case taken as equal. */
unsigned nearest_distance(const char *a, const char *b);

/* Is `candidate` close enough to `word` to be worth a suggestion? One slip in a short word, more
 * in a longer one; a word that the other begins with counts too. */
int nearest_is_close(const char *word, const char *candidate);

/* Index of the closest of `count` words that nearest_is_close(); -1 when there is none. */
long nearest_find(const char *word, const char *const *candidates, size_t count);

#endif
