/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * record_wire.c - header and checksum of a record; see record_wire.h.
 */
#include "diskhb/record_wire.h"

#include <string.h>

#include "base/bytes.h"
#include "base/crc32c.h"

static const char *const verdict_texts[RECORD_VERDICTS] = {
	[RECORD_OK] = "good",
	[RECORD_EMPTY] = "empty",
	[RECORD_FOREIGN] = "not a record of Holdfast",
	[RECORD_TORN] = "damaged (its checksum does not fit)",
	[RECORD_NEWER] = "of a newer format than this program knows",
	[RECORD_ALIEN] = "of another cluster",
	[RECORD_MISPLACED] = "in the wrong place",
	[RECORD_INVALID] = "whole, but with values that cannot be",
};

const char *record_verdict_text(enum record_verdict verdict)
{
	return verdict_texts[verdict];
}

static int is_empty(const uint8_t block[RECORD_BYTES])
{
	return block[0] == 0 && memcmp(block, block + 1, RECORD_BYTES - 1) == 0;
}

static int is_ours(uint32_t magic)
{
	static const uint32_t magics[] = { RECORD_SUPER, RECORD_HEARTBEAT, RECORD_OUTBOX,
					   RECORD_ACKS,	 RECORD_MESSAGE,   RECORD_WORDS,
					   RECORD_CLAIM, RECORD_ARBITER,   RECORD_DOCTOR };

	for (size_t i = 0; i < sizeof magics / sizeof magics[0]; i++)
		if (magics[i] == magic)
			return 1;
	return 0;
}

static void head_read(const uint8_t block[RECORD_BYTES], struct record_head *head)
{
	struct bytes_in in = bytes_in(block, RECORD_BODY_AT);

	head->magic = bytes_get32(&in);
	head->version = bytes_get16(&in);
	head->node = bytes_get16(&in);
	head->compat = bytes_get32(&in);
	head->incompat = bytes_get32(&in);
	head->cluster = bytes_get64(&in);
	head->sequence = bytes_get64(&in);
	head->incarnation = bytes_get32(&in);
	head->nonce = bytes_get32(&in);
	head->place = bytes_get32(&in);
}

static uint32_t crc_of(const uint8_t block[RECORD_BYTES])
{
	struct bytes_in in = bytes_in(block + RECORD_CRC_AT, RECORD_BYTES - RECORD_CRC_AT);

	return bytes_get32(&in);
}

enum record_verdict record_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			      struct record_head *head)
{
	struct record_head found;

	*head = (struct record_head){ 0 };
	if (is_empty(block))
		return RECORD_EMPTY;
	head_read(block, &found);
	if (!is_ours(found.magic))
		return RECORD_FOREIGN;
	if (crc_of(block) != crc32c(block, RECORD_CRC_AT))
		return RECORD_TORN;
	*head = found;
	if (found.version > RECORD_VERSION || found.incompat & ~(uint32_t)RECORD_INCOMPAT_KNOWN)
		return RECORD_NEWER;
	if (found.version == 0)
		return RECORD_INVALID;
	if (want->cluster != 0 && found.cluster != want->cluster)
		return RECORD_ALIEN;
	if (found.magic != want->magic || found.node != want->node ||
	    found.place != want->offset / RECORD_BYTES)
		return RECORD_MISPLACED;
	return RECORD_OK;
}

void record_out(uint8_t block[RECORD_BYTES], const struct record_head *head)
{
	struct bytes_out out = bytes_out(block, RECORD_BODY_AT);

	bytes_put32(&out, head->magic);
	bytes_put16(&out, head->version);
	bytes_put16(&out, head->node);
	bytes_put32(&out, head->compat);
	bytes_put32(&out, head->incompat);
	bytes_put64(&out, head->cluster);
	bytes_put64(&out, head->sequence);
	bytes_put32(&out, head->incarnation);
	bytes_put32(&out, head->nonce);
	bytes_put32(&out, head->place);
	assert(out.at == out.end);
	out = bytes_out(block + RECORD_CRC_AT, RECORD_BYTES - RECORD_CRC_AT);
	bytes_put32(&out, crc32c(block, RECORD_CRC_AT));
}

int record_name_ok(const char *name, size_t size)
{
	size_t length = strnlen(name, size);

	if (length == 0 || length == size)
		return 0;
	for (size_t i = 0; i < length; i++) {
		char c = name[i];

		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    c != '.' && c != '-' && c != '_')
			return 0;
	}
	for (size_t i = length; i < size; i++)
		if (name[i])
			return 0;
	return 1;
}
