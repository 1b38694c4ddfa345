/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * agent_reply.h - what an agent's exit status and output mean.
 *
 * Callers: fencer_io.c, the unit tests, the fuzzer.
 * An agent made with the SDK answers with the object of docs/agent-result.md (the last line of stdout
 * that is one); it must agree with the exit status and with what was asked, else the answer is
 * RC_PROTOCOL. Of any other program the exit status is read as the fence agent API defines
 * it, and its stderr is searched for a cause; its `status` counts only where it prints the API's
 * line too, for exit statuses 0 and 2 are also those of programs that did not understand. Nothing
 * here waits, and nothing is believed beyond what is there (rule S1).
 */
#ifndef HOLDFAST_AGENT_REPLY_H
#define HOLDFAST_AGENT_REPLY_H

#include "fence-agents/fencer/fencer_core.h"
#include "host/child.h"

struct agent_reply {
	struct fencer_core_reply core;
	char message[320]; /* the agent's cause in clean text; "" when it worked */
	char next[192];	   /* what it advises; may be "" */
};

/* What was asked, and what is known of who was asked. */
struct agent_question {
	enum fencer_verb verb;
	const char *plugs;     /* those that `list` must contain; NULL: the device is the plug */
	const char *separator; /* between plugs; "": there is one plug only */
	int is_native;	       /* made with the SDK for certain: no result is no answer */
};

void agent_reply_judge(const struct agent_question *question, const struct child_result *result,
		       struct agent_reply *reply);

/* The same of an agent of which nothing is known, with plugs such as "3" or "3,4". */
void agent_reply_read(enum fencer_verb verb, const char *plugs, const struct child_result *result,
		      struct agent_reply *reply);

/* "off", "on", "status", "list", "probe": the action to ask an agent for. Static text. */
const char *fencer_verb_word(enum fencer_verb verb);

#endif
