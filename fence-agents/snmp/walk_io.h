/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * walk_io.h - a recorded walk as a transport: a device on file, which answers and never switches.
 *
 * Callers: the profile checker and unit tests.
 * Ownership: what walk_open() gives is released by walk_close(). The file is read at once and
 * closed.
 */
#ifndef HOLDFAST_WALK_IO_H
#define HOLDFAST_WALK_IO_H

#include "fence-agents/snmp/transport.h"

enum {
	WALK_BYTES_MAX = 64 * 1024 * 1024,
	WALK_LINE_MAX = 64 * 1024,
};

/* Read a walk (see snmprec_wire.h). A line that is none is passed over when it is a comment, else
 * RC_CONFIG with file and line in *err. */
int walk_open(const char *path, struct transport **t, struct err *err);
void walk_close(struct transport *t);

#endif
