/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * agent_options.h - options of the cluster file that an agent does not have.
 *
 * Callers: the fencer before a test, and --dry-run. An agent passes over what it does not know, so
 * a misspelt option would show when it is needed, or never.
 */
#ifndef HOLDFAST_AGENT_OPTIONS_H
#define HOLDFAST_AGENT_OPTIONS_H

#include "fence-agents/fencer/agent_catalog.h"
#include "fence-agents/fencer/fence_conf.h"

/* Call `warn` for every option of the device that is no parameter of its agent; the text lives
 * during the call. Says nothing where the metadata does not hold. */
void agent_options_check(const struct fence_conf *conf, size_t device,
			 const struct agent_info *info, void (*warn)(void *arg, const char *text),
			 void *arg);

#endif
