/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * text.h - text from strangers made fit for a terminal, a log and JSON.
 *
 * Callers: whoever shows or stores what another program or a device said.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_TEXT_H
#define HOLDFAST_TEXT_H

#include <stddef.h>

/* Copy as much of src as fits and end it with NUL. Control characters (newline and tab too)
 * become a space, bytes that are not UTF-8 become '?'; a character is never cut in half. White
 * space at both ends goes. Returns the length of the result. size is at least 1. */
size_t text_clean(char *dst, size_t size, const char *src, size_t length);

#endif
