/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arbiter_wire.c - the arbiter's records; see arbiter_wire.h.
 */
#include "diskhb/arbiter_wire.h"

#include <string.h>

#include "base/bytes.h"

/* Of a record whose value makes no sense only the header is kept. */
static int value_ok(const uint8_t *value, size_t bytes)
{
	if (bytes > ARBITER_VALUE_MAX)
		return 0;
	for (size_t i = bytes; i < ARBITER_VALUE_MAX; i++)
		if (value[i])
			return 0;
	return 1;
}

static void arbiter_record_out(uint8_t block[RECORD_BYTES], const struct record_head *given,
			       uint32_t magic, uint64_t offset)
{
	struct record_head head = *given;

	head.magic = magic;
	head.version = RECORD_VERSION;
	head.compat = 0;
	head.incompat = 0;
	head.place = (uint32_t)(offset / RECORD_BYTES);
	record_out(block, &head);
}

static int paxos_ok(const struct paxos_record *record)
{
	return value_ok(record->value, record->value_bytes) && record->epoch != 0 &&
	       record->bal <= record->mbal && (record->bal == 0) == (record->value_bytes == 0);
}

enum record_verdict paxos_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			     struct paxos_record *record)
{
	struct record_want here = *want;
	struct bytes_in in = bytes_in(block + RECORD_BODY_AT, RECORD_BODY_BYTES);
	enum record_verdict verdict;
	struct record_head head;

	memset(record, 0, sizeof *record);
	here.magic = RECORD_PAXOS;
	verdict = record_in(block, &here, &head);
	record->head = head;
	if (verdict != RECORD_OK)
		return verdict;
	record->epoch = bytes_get64(&in);
	record->mbal = bytes_get64(&in);
	record->bal = bytes_get64(&in);
	record->value_bytes = bytes_get16(&in);
	bytes_get_block(&in, record->value, ARBITER_VALUE_MAX);
	if (paxos_ok(record))
		return RECORD_OK;
	memset(record, 0, sizeof *record);
	record->head = head;
	return RECORD_INVALID;
}

void paxos_out(uint8_t block[RECORD_BYTES], const struct paxos_record *record, uint64_t offset)
{
	struct bytes_out out = bytes_out(block + RECORD_BODY_AT, RECORD_BODY_BYTES);

	assert(paxos_ok(record));
	bytes_put64(&out, record->epoch);
	bytes_put64(&out, record->mbal);
	bytes_put64(&out, record->bal);
	bytes_put16(&out, record->value_bytes);
	bytes_put_block(&out, record->value, ARBITER_VALUE_MAX);
	bytes_put_zeros(&out);
	arbiter_record_out(block, &record->head, RECORD_PAXOS, offset);
}

static int decided_ok(const struct decided_record *record)
{
	return value_ok(record->value, record->value_bytes) && record->epoch != 0 &&
	       record->value_bytes != 0 && record->winner >= 1 && record->winner <= NODES_MAX;
}

enum record_verdict decided_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			       struct decided_record *record)
{
	struct record_want here = *want;
	struct bytes_in in = bytes_in(block + RECORD_BODY_AT, RECORD_BODY_BYTES);
	enum record_verdict verdict;
	struct record_head head;

	memset(record, 0, sizeof *record);
	here.magic = RECORD_DECIDED;
	verdict = record_in(block, &here, &head);
	record->head = head;
	if (verdict != RECORD_OK)
		return verdict;
	record->epoch = bytes_get64(&in);
	record->ballot = bytes_get64(&in);
	record->winner = bytes_get16(&in);
	record->value_bytes = bytes_get16(&in);
	bytes_get_block(&in, record->value, ARBITER_VALUE_MAX);
	if (decided_ok(record))
		return RECORD_OK;
	memset(record, 0, sizeof *record);
	record->head = head;
	return RECORD_INVALID;
}

void decided_out(uint8_t block[RECORD_BYTES], const struct decided_record *record, uint64_t offset)
{
	struct bytes_out out = bytes_out(block + RECORD_BODY_AT, RECORD_BODY_BYTES);

	assert(decided_ok(record));
	bytes_put64(&out, record->epoch);
	bytes_put64(&out, record->ballot);
	bytes_put16(&out, record->winner);
	bytes_put16(&out, record->value_bytes);
	bytes_put_block(&out, record->value, ARBITER_VALUE_MAX);
	bytes_put_zeros(&out);
	arbiter_record_out(block, &record->head, RECORD_DECIDED, offset);
}
