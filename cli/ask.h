/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ask.h - a question to the human at the terminal.
 *
 * Callers: what must be confirmed in words, `fence ack` and `watchdog test --for-real`.
 */
#ifndef HOLDFAST_CLI_ASK_H
#define HOLDFAST_CLI_ASK_H

#include <stddef.h>

/* Is there a terminal, to read from and to show the question on? */
int ask_is_possible(void);

/* Ask on the terminal: the line without its newline, exactly as typed. 0 at its end, or when it
 * is too long. */
int ask_line(const char *prompt, char *line, size_t size);

#endif
