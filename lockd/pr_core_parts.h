/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_core_parts.h - what the two files of the core share: pr_core.c sends commands and turns
 * answers into facts, pr_core_jobs.c decides by the facts what comes next.
 */
#ifndef HOLDFAST_PR_CORE_PARTS_H
#define HOLDFAST_PR_CORE_PARTS_H

#include "lockd/pr_core.h"

/* pr_core_jobs.c: send the next command of the job, or finish it, or wait for a path. Called when no
 * command is under way. */
void pr_core_advance(struct pr_core *core, mono_t now, struct pr_actions *actions);

/* pr_core.c */
void pr_core_send(struct pr_core *core, unsigned path, enum pr_purpose purpose,
		  const struct pr_action *what, mono_t now, struct pr_actions *actions);
void pr_core_finish(struct pr_core *core, enum pr_outcome outcome, enum pr_cause cause,
		    struct pr_actions *actions);
void pr_core_note(enum pr_note note, unsigned path, enum pr_attention attention,
		  struct pr_actions *actions);
/* Our key is gone: nothing is registered any more, and no admission counts. */
void pr_core_eject(struct pr_core *core, struct pr_actions *actions);

/* What was believed of the registrations of the paths is to be asked anew. */
void pr_core_doubt_paths(struct pr_core *core);

/* Keys on the unit that are this one. */
size_t pr_core_count(const struct pr_core *core, uint64_t key);

static inline int pr_path_is_usable(const struct pr_path *path)
{
	return path->is_up && path->doubt == 0;
}

#endif
