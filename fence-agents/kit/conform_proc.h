/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conform_proc.h - the processes of an agent under test: what they show in their argument lists,
 * and which of them stay behind.
 *
 * Callers: conform_run.c. While the kit runs, its process is a child subreaper, so that a
 * program which leaves its process group and its parent comes to us and can be seen and ended. All
 * descendants of this process are taken for the agent's: it must have no other children.
 */
#ifndef HOLDFAST_CONFORM_PROC_H
#define HOLDFAST_CONFORM_PROC_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/* Become the process to which orphans come. */
int conform_proc_init(struct err *err);

/* Become so, or stop. */
void conform_proc_adopt(int on);

/* A process of a group whose leader has ended, that lives and has not ended a moment later: its
 * name into `name`. Returns its number, 0 for none. */
pid_t conform_proc_stray(pid_t group, char *name, size_t size);

/* Is one of the secrets in the arguments of a process of the agent? The name of the program that
 * shows it into `name`. */
int conform_proc_shows(const char *const *secrets, size_t secrets_count, char *name, size_t size);

/* End and reap every process that came to us because its parent ended, and theirs. Returns how
 * many were alive; the name of the first into `name`. */
size_t conform_proc_reap(char *name, size_t size);

#endif
