/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_history.h - what was fenced, when, by which device, with what proof. On disk.
 *
 * Callers: the fencer writes, `holdfast fence history` and `fence test` read.
 * Form: one JSON object a line, appended with one write() and fsynced; rotated by size to
 * PATH.1 (the one older file kept is replaced by rename). A torn last line, left by a crash or
 * a full disk, is skipped on reading and closed with a newline before the next append, so it
 * damages nothing but itself. Several writers are kept apart by flock. Mode 0600, folder 0700 made when
 * missing. The time in a record is wall-clock, for humans; nothing is decided on it but the
 * warning about old tests.
 */
#ifndef HOLDFAST_FENCE_HISTORY_H
#define HOLDFAST_FENCE_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/power.h"

enum fence_history_kind {
	FENCE_HISTORY_TARGET, /* outcome of an operation on a target */
	FENCE_HISTORY_DEVICE, /* outcome of one device of it */
};

/* Strings are never NULL; "" where not known. No secret is ever in one. */
struct fence_history_record {
	int64_t time_s; /* wall clock, seconds since 1970 UTC */
	enum fence_history_kind kind;
	const char *operation; /* fencer_op_word() */
	const char *target;
	const char *device; /* "" in a target record */
	const char *plugs;
	unsigned level;
	const char *result; /* rc_word() */
	const char *state;  /* power_word() */
	const char *proof;  /* proof_word() */
	int off_proven, on_proven;
	int64_t elapsed_ms;
	const char *message;
	const char *operator_name; /* who asked: user name or uid */
};

/* The lines of records, for fence_history_append_text(); *text is the caller's to free, NULL when
 * there are none. 0 or RC_INTERNAL. */
int fence_history_text(const struct fence_history_record *records, size_t count, char **text,
		       size_t *bytes, struct err *err);

/* Append such lines as one write. May wait for another writer, and hang with the disk. */
int fence_history_append_text(const char *path, const char *text, size_t bytes, struct err *err);

/* Both at once. Failure to write is reported, never fatal to fencing. */
int fence_history_append(const char *path, const struct fence_history_record *records, size_t count,
			 struct err *err);

/* Read oldest first, PATH.1 then PATH; cb returns non-zero to stop. *skipped counts lines
 * that could not be read (torn, garbage). A missing file is an empty history. */
int fence_history_read(const char *path,
		       int (*cb)(void *arg, const struct fence_history_record *record), void *arg,
		       size_t *skipped, struct err *err);

#endif
