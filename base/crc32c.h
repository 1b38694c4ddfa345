/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * crc32c.h - the checksum of every record on a shared disk (Castagnoli; RFC 3720, appendix B.4).
 *
 * Callers: the codecs of records. Check value: crc32c("123456789", 9) is 0xE3069283.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_CRC32C_H
#define HOLDFAST_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *data, size_t bytes);

#endif
