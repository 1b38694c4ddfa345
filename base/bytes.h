/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * bytes.h - little-endian numbers in a buffer, one after the other.
 *
 * Callers: the codecs. A cursor walks a buffer; to read or write beyond its end is a fault of the
 * programmer (records have fixed sizes), so it is asserted.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_BYTES_H
#define HOLDFAST_BYTES_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes_in {
	const uint8_t *at, *end;
};

struct bytes_out {
	uint8_t *at, *end;
};

static inline struct bytes_in bytes_in(const void *data, size_t bytes)
{
	return (struct bytes_in){ data, (const uint8_t *)data + bytes };
}

static inline struct bytes_out bytes_out(void *data, size_t bytes)
{
	return (struct bytes_out){ data, (uint8_t *)data + bytes };
}

static inline size_t bytes_left(const struct bytes_in *in)
{
	return (size_t)(in->end - in->at);
}

/* A number of `width` bytes. */
static inline uint64_t bytes_get(struct bytes_in *in, size_t width)
{
	uint64_t value = 0;

	assert(bytes_left(in) >= width);
	for (size_t i = 0; i < width; i++)
		value |= (uint64_t)in->at[i] << (8 * i);
	in->at += width;
	return value;
}

static inline uint8_t bytes_get8(struct bytes_in *in)
{
	return (uint8_t)bytes_get(in, 1);
}

static inline uint16_t bytes_get16(struct bytes_in *in)
{
	return (uint16_t)bytes_get(in, 2);
}

static inline uint32_t bytes_get32(struct bytes_in *in)
{
	return (uint32_t)bytes_get(in, 4);
}

static inline uint64_t bytes_get64(struct bytes_in *in)
{
	return bytes_get(in, 8);
}

static inline void bytes_get_block(struct bytes_in *in, void *block, size_t bytes)
{
	assert(bytes_left(in) >= bytes);
	memcpy(block, in->at, bytes);
	in->at += bytes;
}

static inline void bytes_put(struct bytes_out *out, size_t width, uint64_t value)
{
	assert((size_t)(out->end - out->at) >= width);
	for (size_t i = 0; i < width; i++)
		*out->at++ = (uint8_t)(value >> (8 * i));
}

static inline void bytes_put8(struct bytes_out *out, uint8_t value)
{
	bytes_put(out, 1, value);
}

static inline void bytes_put16(struct bytes_out *out, uint16_t value)
{
	bytes_put(out, 2, value);
}

static inline void bytes_put32(struct bytes_out *out, uint32_t value)
{
	bytes_put(out, 4, value);
}

static inline void bytes_put64(struct bytes_out *out, uint64_t value)
{
	bytes_put(out, 8, value);
}

static inline void bytes_put_block(struct bytes_out *out, const void *block, size_t bytes)
{
	assert((size_t)(out->end - out->at) >= bytes);
	memcpy(out->at, block, bytes);
	out->at += bytes;
}

/* The rest of the buffer as zeros. */
static inline void bytes_put_zeros(struct bytes_out *out)
{
	memset(out->at, 0, (size_t)(out->end - out->at));
	out->at = out->end;
}

#endif
