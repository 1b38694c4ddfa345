/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_view.h - how `holdfast pr` shows keys, reservations, capabilities and what a command did.
 *
 * Callers: cmd_pr.c.
 */
#ifndef HOLDFAST_CLI_PR_VIEW_H
#define HOLDFAST_CLI_PR_VIEW_H

#include "cli/output.h"
#include "lockd/pr_client_io.h"

/* What is on a unit. */
struct pr_state {
	struct pr_keys keys;
	struct pr_reservation reservation;
};

void pr_view_keys(struct output *out, const struct pr_keys *keys);
void pr_view_reservation(struct output *out, const struct pr_reservation *reservation);
void pr_view_capabilities(struct output *out, const struct pr_capabilities *capabilities);

/* The answer to READ FULL STATUS. 0 or a code of rc.h. */
int pr_view_full_status(struct output *out, struct pr_full_status *walk, struct err *err);

/* What a command did, and the state after it (NULL: it could not be read). */
void pr_view_result(struct output *out, enum pr_command command, const char *outcome,
		    enum output_style style, const char *text, const struct pr_reply *reply,
		    const struct pr_state *state);

/* Unit attentions that came before an answer, those of the new session left out. */
void pr_view_attentions(struct output *out, const struct pr_client_answer *answer);

/* "we-ro by 0x0badcafe00010001", "none". */
void pr_reservation_text(const struct pr_reservation *reservation, char *out, size_t size);

#endif
