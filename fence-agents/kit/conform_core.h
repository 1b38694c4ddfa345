/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conform_core.h - what an answer of a fence agent is worth, measured against the fence agent API.
 *
 * Callers: the checks of the conformance kit and the unit tests. What ran the agent, and how, is
 * conform_run's; here is only the judgement, so that every line of it can be tested without an
 * agent.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_CONFORM_CORE_H
#define HOLDFAST_CONFORM_CORE_H

#include <stddef.h>

/* How binding a requirement is. */
enum conform_level {
	CONFORM_MUST,	  /* the fence agent API, or what Pacemaker or rule S1 rely on */
	CONFORM_SHOULD,	  /* good practice; missing it does not fail the agent */
	CONFORM_HOLDFAST, /* binding for agents that say in their metadata that they keep it */
};

enum conform_verdict {
	CONFORM_PASS,
	CONFORM_FAIL,	/* a must that was missed */
	CONFORM_MISSED, /* a should that was missed */
	CONFORM_SKIP,	/* not run */
};

/* What one run of the agent has to end like. */
enum conform_expect {
	CONFORM_EXPECT_OK,	 /* exit status 0 */
	CONFORM_EXPECT_ON,	 /* status: 0 */
	CONFORM_EXPECT_OFF,	 /* status: 2 */
	CONFORM_EXPECT_STATE,	 /* status: 0 or 2 */
	CONFORM_EXPECT_FAIL,	 /* any exit status but 0 */
	CONFORM_EXPECT_NO_STATE, /* status that failed: neither 0 nor 2 */
};

/* How one run ended. */
struct conform_seen {
	int exit_status; /* -1 when a signal ended it */
	int term_signal; /* 0 when it exited by itself */
	int timed_out;	 /* it had to be ended */
	const char *out, *err;
	size_t out_bytes, err_bytes;
};

/* "pass", "FAIL", "should", "skip". Static text. */
const char *conform_verdict_word(enum conform_verdict verdict);

/* "must", "should", "holdfast". Static text. */
const char *conform_level_word(enum conform_level level);

/* The verdict on a requirement that was met or was not. */
enum conform_verdict conform_verdict_of(enum conform_level level, int met);

/* Is this the end that was required? If not, says in `why` what came and what was required. */
int conform_judge(enum conform_expect expect, const struct conform_seen *seen, char *why,
		  size_t size);

/* The last line of a text that is not blank, cleaned for a terminal; "" when there is none. */
void conform_last_line(const char *text, size_t bytes, char *line, size_t size);

/* Does the text hold anything but white space? */
int conform_has_words(const char *text, size_t bytes);

/* Is the text one XML document and nothing beside it? */
int conform_is_xml_only(const char *text, size_t bytes, char *why, size_t size);

/* Output of list ("plug,alias") or list-status ("plug,alias,ON"): is every line of that shape, and
 * is the plug, if one is given, among them by name or alias? *state gets '1' for on, '0' for off,
 * '?' for any other word, 0 when the plug or its state is not there. */
int conform_list_judge(const char *text, size_t bytes, int with_state, const char *plug,
		       char *state, char *why, size_t size);

/* Two outputs of list-status, of which the first is well formed: did a plug other than the given
 * one, whose state was known, change its state or go? Says so in `why`. *others gets the number of
 * plugs that could be compared. */
int conform_list_changed(const char *before, size_t before_bytes, const char *after,
			 size_t after_bytes, const char *plug, size_t *others, char *why,
			 size_t size);

/* What "Status: ON" says: 1 on, 0 off, -1 nothing. */
int conform_status_said(const char *text, size_t bytes);

/* Is the secret in the text? Secrets shorter than CONFORM_SECRET_MIN are not looked for: they
 * would be found anywhere. */
enum { CONFORM_SECRET_MIN = 4 };
int conform_has_secret(const char *text, size_t bytes, const char *secret);

/* The name under which an option is known today: "ipaddr" is "ip", "login" is "username",
 * "passwd" is "password", "port" is "plug", "option" is "action"; `-` becomes `_`. */
void conform_option_name(const char *given, char *name, size_t size);

/* Is this an option whose value must not be shown? */
int conform_option_is_secret(const char *given);

/* The long option of a metadata getopt text ("-a, --ip=[ip]" gives "ip"); 0 when there is none. */
int conform_long_option(const char *mixed, char *name, size_t size);

#endif
