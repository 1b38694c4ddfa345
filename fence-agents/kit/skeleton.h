/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * skeleton.h - write the beginning of a fence agent into a folder.
 *
 * Callers: `holdfast agent new`.
 * The texts are templates/ of this folder, compiled in, so that the installed program needs no
 * file. Nothing that exists is overwritten.
 */
#ifndef HOLDFAST_SKELETON_H
#define HOLDFAST_SKELETON_H

#include <stddef.h>

#include "base/err.h"

enum { SKELETON_NAME_MAX = 64, SKELETON_FILES_MAX = 4, SKELETON_PATH_MAX = 1024 };

struct skeleton_made {
	char name[SKELETON_NAME_MAX]; /* "fence_acme" */
	char dir[SKELETON_PATH_MAX];
	char files[SKELETON_FILES_MAX][SKELETON_NAME_MAX + 8];
	size_t files_count;
};

/* lang: "c", "sh" or "python". dir: NULL for a folder of the agent's name, here. The folder is
 * made when it is missing. */
int skeleton_make(const char *name, const char *lang, const char *dir, struct skeleton_made *made,
		  struct err *err);

#endif
