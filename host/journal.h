/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * journal.h - a file of lines that only grows, rotated by size, kept whole through crashes.
 *
 * Callers: fence history. Nothing here knows what a line says.
 * One append is one write() and one fsync() under flock. A line torn by a crash or a full disk is
 * closed with a newline before the next append, so that it damages nothing but itself; where
 * the disk was full, what was written of the append is cut off again. When the file would
 * outgrow its limit it becomes PATH.1 by rename, replacing the one before.
 * Invariant: the file is 0600; its folder, when it has to be made, 0700.
 */
#ifndef HOLDFAST_JOURNAL_H
#define HOLDFAST_JOURNAL_H

#include <stddef.h>

#include "base/err.h"

/* Append whole lines (the text ends with a newline). Waits a few seconds for another writer.
 * Returns 0 or RC_INTERNAL, RC_BUSY, with *err filled. May block in fsync(). */
int journal_append(const char *path, const char *lines, size_t bytes, size_t max_bytes,
		   struct err *err);

/* Call back for every line, oldest first, PATH.1 then PATH, without its newline, NUL-terminated
 * (it may hold other NULs); cb returns non-zero to stop. Lines longer than line_max come
 * with a NULL text. A file that is not there is empty. */
int journal_read(const char *path, size_t line_max,
		 int (*cb)(void *arg, const char *line, size_t bytes), void *arg, struct err *err);

#endif
