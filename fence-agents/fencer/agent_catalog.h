/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * agent_catalog.h - which fence agents are installed, and does their metadata hold.
 *
 * Callers: `holdfast fence agents`, the fencer (to find programs, and to learn whether an agent
 * has `probe`).
 * Search order: the folders of HOLDFAST_AGENT_PATH (colon separated) if it is set; else the
 * folder of the running program, the installed agent folder, /usr/sbin, /usr/local/sbin. The first
 * program of a name wins.
 * Metadata of an agent made with the SDK carries a processing instruction that names its ABI,
 * class and abilities: <?holdfast abi="1" class="lights-out" json="1" probe="1"?>.
 * Ownership: agent_catalog_load() makes it, agent_catalog_free() frees all of it.
 */
#ifndef HOLDFAST_AGENT_CATALOG_H
#define HOLDFAST_AGENT_CATALOG_H

#include <stddef.h>

#include "base/err.h"

struct agent_info {
	char *name;	    /* "fence_ipmi" */
	char *path;	    /* absolute */
	char *device_class; /* "lights-out"; "-" when the metadata does not say */
	char *shortdesc;    /* "" when unknown */
	int native;	    /* made with the SDK: answers json=1, has probe */
	int has_off, has_on, has_reboot, has_status, has_list, has_probe;
	int takes_plug;	   /* has a plug or port parameter */
	char **parameters; /* names of all of them, the old ones too */
	size_t parameters_count;
	int valid;     /* metadata is well-formed and has the fence agent shape */
	char *problem; /* why not valid, one sentence; "" when valid */
};

struct agent_catalog {
	struct agent_info *agents; /* sorted by name */
	size_t agents_count;
};

/* Full path of an agent program given by name or absolute path; NULL when there is no such
 * executable, with *err filled. The caller frees it. Runs nothing. */
char *agent_find(const char *name, struct err *err);

/* Run `metadata` of one program (deadline 10 s) and read it. Always fills *info, with
 * valid = 0 and problem when something is wrong; returns 0 or RC_INTERNAL. */
int agent_info_load(const char *path, struct agent_info *info, struct err *err);
void agent_info_clear(struct agent_info *info);

/* All fence_* programs on the search path, their metadata read in parallel. */
int agent_catalog_load(struct agent_catalog **catalog, struct err *err);
void agent_catalog_free(struct agent_catalog *catalog);

#endif
