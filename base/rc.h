/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * rc.h - result codes: why something did not work, in one word.
 *
 * Used by every part. A function returns 0 or one of the negative codes below; the sentence for
 * a human travels beside it in a struct err (err.h) or, in an agent, through fence_fail().
 * The numbers are part of the agent ABI: codes are only ever appended.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_RC_H
#define HOLDFAST_RC_H

/* X(symbol, value, word, meaning)
 * The word is what appears in JSON, history and man pages. */
#define RC_LIST(X)                                                                                 \
	X(AUTH, -1, "auth", "the device refused the credentials")                                  \
	X(UNREACHABLE, -2, "unreachable", "no answer at all from the device")                      \
	X(TIMEOUT, -3, "timeout", "the device answered before, but not in time")                   \
	X(NO_SUCH_PLUG, -4, "no-such-plug", "the device does not have this plug")                  \
	X(PRIVILEGE, -5, "privilege", "logged in, but not allowed to do this")                     \
	X(STATE, -6, "state", "the power state is not, or did not become, the wanted one")         \
	X(UNSUPPORTED, -7, "unsupported", "the device or the agent cannot do this")                \
	X(BUSY, -8, "busy", "the device is busy or out of sessions")                               \
	X(PROTOCOL, -9, "protocol", "the answer makes no sense")                                   \
	X(CONFIG, -10, "config", "options or configuration are wrong")                             \
	X(INTERNAL, -11, "internal", "a fault of this program or of its machine")                  \
	X(CANCELLED, -12, "cancelled", "stopped by the operator before it was done")

enum rc {
	RC_OK = 0,
#define X(sym, val, word, meaning) RC_##sym = (val),
	RC_LIST(X)
#undef X
};

/* The word for a code ("ok" for 0, "internal" for a number that is none of ours). Static text. */
const char *rc_word(int rc);

/* One sentence that explains the code. Static text. */
const char *rc_meaning(int rc);

/* The code for a word; 1 when the word is none of ours ("ok" gives 0). */
int rc_from_word(const char *word);

/* May the same request succeed when repeated a moment later, with nothing changed by a human?
 * True for unreachable, timeout, busy and protocol. */
int rc_is_curable(int rc);

#endif
