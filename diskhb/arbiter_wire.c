/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arbiter_wire.c - a node's place in a sequence of decisions; see arbiter_wire.h.
 */
#include "diskhb/arbiter_wire.h"

#include <string.h>

#include "base/bytes.h"

/* A value of `node` is there exactly when it has a length, and nothing lies behind it. */
static int value_ok(uint16_t node, const uint8_t *value, size_t bytes)
{
	if (bytes > ARBITER_VALUE_MAX || node > NODES_MAX || (node == 0) != (bytes == 0))
		return 0;
	for (size_t i = bytes; i < ARBITER_VALUE_MAX; i++)
		if (value[i])
			return 0;
	return 1;
}

int arbiter_record_ok(const struct arbiter_record *record)
{
	return value_ok(record->proposer, record->value, record->value_bytes) &&
	       value_ok(record->winner, record->decided, record->decided_bytes) &&
	       (record->epoch != 0 || record->mbal == 0) && record->bal <= record->mbal &&
	       (record->bal == 0) == (record->proposer == 0) &&
	       (record->decided_epoch == 0) == (record->winner == 0) &&
	       (record->decided_epoch != 0 || record->decided_ballot == 0);
}

enum record_verdict arbiter_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			       struct arbiter_record *record)
{
	struct record_want here = *want;
	struct bytes_in in = bytes_in(block + RECORD_BODY_AT, RECORD_BODY_BYTES);
	enum record_verdict verdict;
	struct record_head head;

	memset(record, 0, sizeof *record);
	here.magic = RECORD_ARBITER;
	verdict = record_in(block, &here, &head);
	record->head = head;
	if (verdict != RECORD_OK)
		return verdict;
	record->epoch = bytes_get64(&in);
	record->mbal = bytes_get64(&in);
	record->bal = bytes_get64(&in);
	record->decided_epoch = bytes_get64(&in);
	record->decided_ballot = bytes_get64(&in);
	record->proposer = bytes_get16(&in);
	record->winner = bytes_get16(&in);
	record->value_bytes = bytes_get16(&in);
	record->decided_bytes = bytes_get16(&in);
	bytes_get_block(&in, record->value, ARBITER_VALUE_MAX);
	bytes_get_block(&in, record->decided, ARBITER_VALUE_MAX);
	if (arbiter_record_ok(record))
		return RECORD_OK;
	memset(record, 0, sizeof *record);
	record->head = head;
	return RECORD_INVALID;
}

void arbiter_out(uint8_t block[RECORD_BYTES], const struct arbiter_record *record, uint64_t offset)
{
	struct bytes_out out = bytes_out(block + RECORD_BODY_AT, RECORD_BODY_BYTES);
	struct record_head head = record->head;

	assert(arbiter_record_ok(record));
	bytes_put64(&out, record->epoch);
	bytes_put64(&out, record->mbal);
	bytes_put64(&out, record->bal);
	bytes_put64(&out, record->decided_epoch);
	bytes_put64(&out, record->decided_ballot);
	bytes_put16(&out, record->proposer);
	bytes_put16(&out, record->winner);
	bytes_put16(&out, record->value_bytes);
	bytes_put16(&out, record->decided_bytes);
	bytes_put_block(&out, record->value, ARBITER_VALUE_MAX);
	bytes_put_block(&out, record->decided, ARBITER_VALUE_MAX);
	bytes_put_zeros(&out);
	head.magic = RECORD_ARBITER;
	head.version = RECORD_VERSION;
	head.compat = 0;
	head.incompat = 0;
	head.place = (uint32_t)(offset / RECORD_BYTES);
	record_out(block, &head);
}
