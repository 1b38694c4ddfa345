/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * rc.c - names of the result codes; see rc.h.
 */
#include "base/rc.h"

#include <stddef.h>
#include <string.h>

/* It takes the X macro for an expression: */
/* clang-format off */
static const struct {
	int rc;
	const char *word;
	const char *meaning;
} rc_table[] = {
	{ RC_OK, "ok", "done" },
#define X(sym, val, word, meaning) { val, word, meaning },
	RC_LIST(X)
#undef X
};
/* clang-format on */

enum { RC_COUNT = sizeof rc_table / sizeof rc_table[0] };

static size_t rc_index(int rc)
{
	for (size_t i = 0; i < RC_COUNT; i++)
		if (rc_table[i].rc == rc)
			return i;
	return rc_index(RC_INTERNAL);
}

const char *rc_word(int rc)
{
	return rc_table[rc_index(rc)].word;
}

const char *rc_meaning(int rc)
{
	return rc_table[rc_index(rc)].meaning;
}

int rc_from_word(const char *word)
{
	for (size_t i = 0; i < RC_COUNT; i++)
		if (strcmp(rc_table[i].word, word) == 0)
			return rc_table[i].rc;
	return 1;
}

int rc_is_curable(int rc)
{
	return rc == RC_UNREACHABLE || rc == RC_TIMEOUT || rc == RC_BUSY || rc == RC_PROTOCOL;
}
