/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * err.h - an error on its way up: what it is about, why, and what to do next.
 *
 * A function that can fail for reasons a human must hear takes a `struct err *`, fills it once
 * (err_set) where the reason is known, and returns the code; callers pass it up unchanged.
 * err_set returns its code, so that `return err_set(err, RC_CONFIG, ...)` is the usual form.
 * Ownership: fixed buffers inside the struct, nothing to free; longer text is cut.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_ERR_H
#define HOLDFAST_ERR_H

#include "base/rc.h"

struct err {
	int rc;		/* enum rc; 0 while nothing went wrong */
	char text[384]; /* "login refused (unknown user \"admn\")": what happened */
	char next[192]; /* "check username=": what to do about it; may be empty */
};

/* Record a failure; `next` may be NULL. Returns rc. */
int err_set(struct err *err, int rc, const char *next, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
