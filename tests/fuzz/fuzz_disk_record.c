/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_disk_record.c - every decoder of a record of a shared disk. The first byte says which one,
 * and whether the checksum is made right first, without which hardly anything would get further.
 *
 * Beside surviving: what is accepted encodes to bytes that decode to the same record, and what is
 * not accepted leaves no field behind.
 *
 * LINK: diskhb base
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "diskhb/arbiter_wire.h"
#include "diskhb/doctor_wire.h"
#include "diskhb/slot_wire.h"
#include "diskhb/super_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decoders clear their record first, padding too. */
static int same(const void *a, const void *b, size_t bytes)
{
	return memcmp(a, b, bytes) == 0;
}

static struct record_want want_of(const uint8_t block[RECORD_BYTES], uint64_t offset)
{
	struct record_want want = { .node = (uint16_t)(1 + block[6] % NODES_MAX),
				    .cluster = 1,
				    .offset = offset };

	return want;
}

/* Set node, place and cluster so that the record is where it is wanted, and its checksum. */
static void fit(uint8_t block[RECORD_BYTES], uint32_t magic, const struct record_want *want,
		uint64_t offset)
{
	uint32_t place = (uint32_t)(offset / RECORD_BYTES), crc;

	memset(block + 4, 0, RECORD_BODY_AT - 4);
	block[4] = RECORD_VERSION;
	block[6] = (uint8_t)want->node;
	block[16] = 1;
	block[32] = 1;
	for (size_t i = 0; i < 4; i++) {
		block[i] = (uint8_t)(magic >> (8 * i));
		block[40 + i] = (uint8_t)(place >> (8 * i));
	}
	crc = crc32c(block, RECORD_CRC_AT);
	for (size_t i = 0; i < 4; i++)
		block[RECORD_CRC_AT + i] = (uint8_t)(crc >> (8 * i));
}

#define CHECK(type, magic, at, decode, encode)                                                     \
	do {                                                                                       \
		static struct type first, second;                                                  \
		const struct record_want want = want_of(block, (at));                              \
		uint8_t again[RECORD_BYTES];                                                       \
		enum record_verdict verdict;                                                       \
		if (sealed)                                                                        \
			fit(block, (magic), &want, (at));                                          \
		verdict = decode(block, &want, &first);                                            \
		assert(verdict < RECORD_VERDICTS && record_verdict_text(verdict));                 \
		if (verdict != RECORD_OK) {                                                        \
			static const struct type zero;                                             \
			second = zero;                                                             \
			second.head = first.head;                                                  \
			assert(same(&first, &second, sizeof first));                               \
			break;                                                                     \
		}                                                                                  \
		encode;                                                                            \
		assert(decode(again, &want, &second) == RECORD_OK);                                \
		assert(same(&first, &second, sizeof first));                                       \
	} while (0)

static uint64_t slot_at(const uint8_t *block)
{
	return (uint64_t)SLOT_BYTES * (1 + block[6] % NODES_MAX);
}

static enum record_verdict words1_in(const uint8_t *block, const struct record_want *want,
				     struct words_record *record)
{
	return words_in(block, want, 1, record);
}

static void super_check(uint8_t *block, int sealed)
{
	static struct super_record first, second;
	const struct record_want none = { .node = 0 };
	struct disk_layout layout;
	uint8_t again[RECORD_BYTES];

	if (sealed)
		fit(block, RECORD_SUPER, &none, 0);
	if (super_in(block, &first, &layout) != RECORD_OK) {
		assert(layout.end == 0);
		return;
	}
	assert(layout.end <= UINT64_C(1) << 29 && layout.nodes_max == first.nodes_max);
	super_out(again, &first);
	assert(super_in(again, &second, &layout) == RECORD_OK);
	assert(same(&first, &second, sizeof first));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t block[RECORD_BYTES] = { 0 };
	int sealed;

	if (size < 2)
		return 0;
	sealed = data[0] & 0x80;
	memcpy(block, data + 1, size - 1 < RECORD_BYTES ? size - 1 : RECORD_BYTES);
	switch (data[0] & 15) {
	case 0:
		super_check(block, sealed);
		break;
	case 1:
		CHECK(heartbeat_record, RECORD_HEARTBEAT, slot_at(block), heartbeat_in,
		      heartbeat_out(again, &first));
		break;
	case 2:
		CHECK(outbox_record, RECORD_OUTBOX, slot_at(block) + SLOT_OUTBOX_AT, outbox_in,
		      outbox_out(again, &first));
		break;
	case 3:
		CHECK(acks_record, RECORD_ACKS, slot_at(block) + SLOT_ACKS_AT, acks_in,
		      acks_out(again, &first));
		break;
	case 4:
		CHECK(message_record, RECORD_MESSAGE, slot_at(block) + SLOT_MESSAGE_AT, message_in,
		      message_out(again, &first));
		break;
	case 5:
		CHECK(words_record, RECORD_WORDS, slot_at(block) + SLOT_WORDS_AT + RECORD_BYTES,
		      words1_in, words_out(again, 1, &first));
		break;
	case 6:
		CHECK(claim_record, RECORD_CLAIM, UINT64_C(81920), claim_in,
		      claim_out(again, &first, 81920));
		break;
	case 7:
		CHECK(arbiter_record, RECORD_ARBITER, UINT64_C(81920), arbiter_in,
		      arbiter_out(again, &first, 81920));
		break;
	default:
		CHECK(doctor_record, RECORD_DOCTOR, UINT64_C(81920), doctor_in,
		      doctor_out(again, &first, 81920));
		break;
	}
	return 0;
}
