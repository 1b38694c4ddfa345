/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * agent_metadata.h - what the XML says that an agent prints for `metadata`.
 *
 * Callers: agent_catalog.c and the fuzzer. The text comes from a program that anybody may have
 * written: nothing is fetched, no entity is expanded, a document type is refused.
 */
#ifndef HOLDFAST_AGENT_METADATA_H
#define HOLDFAST_AGENT_METADATA_H

#include <stddef.h>

#include "fence-agents/fencer/agent_catalog.h"

/* Fill everything in *info that metadata tells: class, shortdesc, native, has_*, takes_plug, parameters,
 * valid, problem. Members that are pointers must be NULL before. Returns 0, or RC_INTERNAL when
 * memory ran out. */
int agent_metadata_read(const char *xml, size_t bytes, struct agent_info *info);

#endif
