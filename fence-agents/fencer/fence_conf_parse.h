/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_conf_parse.h - from the text of a cluster file to a struct fence_conf.
 *
 * Callers: fence_conf.c, which reads the file and judges its permissions; the fuzzer. No file is
 * touched here.
 * Ownership: the tree belongs to the caller, fence_conf_free().
 */
#ifndef HOLDFAST_FENCE_CONF_PARSE_H
#define HOLDFAST_FENCE_CONF_PARSE_H

#include <stddef.h>

#include "fence-agents/fencer/fence_conf.h"

/* Where the first secret stands; line 0 when the file holds none. */
struct fence_conf_secret {
	unsigned line, column;
	char key[64];
};

/* `path` is for messages and conf->path. 0, RC_CONFIG (err->text begins "PATH:LINE:COLUMN: ") or
 * RC_INTERNAL. */
int fence_conf_parse(const char *path, const char *data, size_t size, struct fence_conf **conf,
		     struct fence_conf_secret *secret, struct err *err);

#endif
