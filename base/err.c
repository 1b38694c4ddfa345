/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * err.c - filling an error; see err.h.
 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

int err_set(struct err *err, int rc, const char *next, const char *fmt, ...)
{
	va_list ap;

	err->rc = rc;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	snprintf(err->next, sizeof err->next, "%s", next ? next : "");
	return rc;
}
