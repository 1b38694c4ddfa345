/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * power.c - names and algebra of power states; see power.h.
 */
#include "base/power.h"

#include <string.h>

static const char *const power_words[] = {
	[POWER_UNKNOWN] = "unknown", [POWER_ON] = "on",		  [POWER_OFF] = "off",
	[POWER_PARTIAL] = "partial", [POWER_PENDING] = "pending",
};

static const char *const proof_words[] = {
	[PROOF_NONE] = "none",
	[PROOF_ACCEPTED] = "accepted",
	[PROOF_PROVEN] = "proven",
};

enum {
	POWER_WORDS = sizeof power_words / sizeof power_words[0],
	PROOF_WORDS = sizeof proof_words / sizeof proof_words[0],
};

const char *power_word(enum power_state state)
{
	return (unsigned)state < POWER_WORDS ? power_words[state] : power_words[POWER_UNKNOWN];
}

enum power_state power_from_word(const char *word)
{
	for (unsigned i = 0; i < POWER_WORDS; i++)
		if (strcmp(power_words[i], word) == 0)
			return (enum power_state)i;
	return POWER_UNKNOWN;
}

const char *proof_word(enum power_proof proof)
{
	return (unsigned)proof < PROOF_WORDS ? proof_words[proof] : proof_words[PROOF_NONE];
}

enum power_proof proof_from_word(const char *word)
{
	for (unsigned i = 0; i < PROOF_WORDS; i++)
		if (strcmp(proof_words[i], word) == 0)
			return (enum power_proof)i;
	return PROOF_NONE;
}

enum power_state power_combine(const enum power_state *states, size_t count)
{
	size_t seen[POWER_WORDS] = { 0 };

	for (size_t i = 0; i < count; i++)
		seen[(unsigned)states[i] < POWER_WORDS ? states[i] : POWER_UNKNOWN]++;

	if (count == 0 || seen[POWER_UNKNOWN] > 0)
		return POWER_UNKNOWN;
	if (seen[POWER_PENDING] > 0)
		return POWER_PENDING;
	if (seen[POWER_ON] == count)
		return POWER_ON;
	if (seen[POWER_OFF] == count)
		return POWER_OFF;
	return POWER_PARTIAL;
}
