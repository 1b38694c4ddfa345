/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * nearest.c - distance between words; see nearest.h.
 */
#include "base/nearest.h"

#include <limits.h>
#include <string.h>

static unsigned char nearest_fold(char c)
{
	unsigned char u = (unsigned char)c;

	return u >= 'A' && u <= 'Z' ? (unsigned char)(u - 'A' + 'a') : u;
}

static unsigned nearest_min(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned nearest_distance(const char *a, const char *b)
{
	/* Three rows of the usual table: the swap of two neighbours looks two rows back. */
	unsigned rows[3][NEAREST_WORD_MAX + 1];
	size_t a_len = strnlen(a, NEAREST_WORD_MAX);
	size_t b_len = strnlen(b, NEAREST_WORD_MAX);

	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *above = rows[(i - 1) % 3];
		const unsigned *above2 = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned char ca = nearest_fold(a[i - 1]), cb = nearest_fold(b[j - 1]);

			row[j] = above[j - 1] + (ca != cb);
			row[j] = nearest_min(row[j], above[j] + 1);
			row[j] = nearest_min(row[j], row[j - 1] + 1);
			if (i > 1 && j > 1 && ca == nearest_fold(b[j - 2]) &&
			    cb == nearest_fold(a[i - 2]))
				row[j] = nearest_min(row[j], above2[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

int nearest_is_close(const char *word, const char *candidate)
{
	size_t length = strnlen(word, NEAREST_WORD_MAX);
	unsigned allowed = length <= 3 ? 1 : length <= 7 ? 2 : 3;

	if (length >= 3 && strncmp(word, candidate, length) == 0)
		return 1;
	return length > 1 && nearest_distance(word, candidate) <= allowed;
}

long nearest_find(const char *word, const char *const *candidates, size_t count)
{
	size_t length = strnlen(word, NEAREST_WORD_MAX);
	unsigned best_rank = UINT_MAX;
	long best = -1;

	for (size_t i = 0; i < count; i++) {
		unsigned rank;

		if (!nearest_is_close(word, candidates[i]))
			continue;
		/* At equal distance the one that the word begins: `of` means off, not on. */
		rank = 2 * nearest_distance(word, candidates[i]) +
		       (strncmp(word, candidates[i], length) != 0);
		if (rank < best_rank) {
			best_rank = rank;
			best = (long)i;
		}
	}
	return best;
}
