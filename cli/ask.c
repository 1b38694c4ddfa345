/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ask.c - a question to the human at the terminal; see ask.h.
 */
#include "cli/ask.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

int ask_is_possible(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

int ask_line(const char *prompt, char *line, size_t size)
{
	size_t length;

	/* Nothing that was typed before the question answers it. */
	tcflush(STDIN_FILENO, TCIFLUSH);
	fputs(prompt, stderr);
	fflush(stderr);
	if (!fgets(line, (int)size, stdin))
		return 0;
	length = strlen(line);
	if (length == 0 || line[length - 1] != '\n')
		return 0;
	line[length - 1] = '\0';
	return 1;
}
