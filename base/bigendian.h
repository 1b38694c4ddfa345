/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * bigendian.h - big-endian numbers at a place in a buffer, as SCSI has them.
 *
 * Callers: the codecs of SCSI data. The caller has checked that the bytes are there.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_BIGENDIAN_H
#define HOLDFAST_BIGENDIAN_H

#include <stddef.h>
#include <stdint.h>

/* A number of `width` bytes, at most 8. */
static inline uint64_t be_get(const uint8_t *at, size_t width)
{
	uint64_t value = 0;

	for (size_t i = 0; i < width; i++)
		value = value << 8 | at[i];
	return value;
}

static inline uint16_t be_get16(const uint8_t *at)
{
	return (uint16_t)be_get(at, 2);
}

static inline uint32_t be_get32(const uint8_t *at)
{
	return (uint32_t)be_get(at, 4);
}

static inline uint64_t be_get64(const uint8_t *at)
{
	return be_get(at, 8);
}

static inline void be_put(uint8_t *at, size_t width, uint64_t value)
{
	for (size_t i = width; i > 0; i--, value >>= 8)
		at[i - 1] = (uint8_t)value;
}

static inline void be_put16(uint8_t *at, uint16_t value)
{
	be_put(at, 2, value);
}

static inline void be_put32(uint8_t *at, uint32_t value)
{
	be_put(at, 4, value);
}

static inline void be_put64(uint8_t *at, uint64_t value)
{
	be_put(at, 8, value);
}

#endif
