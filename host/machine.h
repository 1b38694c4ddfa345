/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * machine.h - which machine and which boot this is, and random numbers.
 *
 * Callers: whoever signs records that other machines read.
 */
#ifndef HOLDFAST_MACHINE_H
#define HOLDFAST_MACHINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { MACHINE_BYTES = 16 };

/* /etc/machine-id and the kernel's boot id. Without a machine-id the first 16 bytes of the host's
 * name stand in for it. */
int machine_identify(uint8_t machine[MACHINE_BYTES], uint8_t boot[MACHINE_BYTES], struct err *err);

/* The host's name up to its first dot, in letters that a record may hold; never empty. */
void machine_name(char *name, size_t size);

/* From the kernel; never fails on a machine that has come up. */
void machine_random(void *bytes, size_t count);

#endif
