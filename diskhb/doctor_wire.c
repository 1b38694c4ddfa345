/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doctor_wire.c - the doctor's record; see doctor_wire.h.
 */
#include "diskhb/doctor_wire.h"

#include <string.h>

#include "base/bytes.h"

enum record_verdict doctor_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			      struct doctor_record *record)
{
	struct bytes_in in = bytes_in(block + RECORD_BODY_AT, RECORD_BODY_BYTES);
	struct record_want here = *want;
	enum record_verdict verdict;
	struct record_head head;

	memset(record, 0, sizeof *record);
	here.magic = RECORD_DOCTOR;
	verdict = record_in(block, &here, &head);
	record->head = head;
	if (verdict != RECORD_OK)
		return verdict;
	bytes_get_block(&in, record->machine, MACHINE_ID_BYTES);
	bytes_get_block(&in, record->name, NODE_NAME_BYTES);
	record->wall_s = bytes_get64(&in);
	if (record_name_ok(record->name, NODE_NAME_BYTES))
		return RECORD_OK;
	memset(record, 0, sizeof *record);
	record->head = head;
	return RECORD_INVALID;
}

void doctor_out(uint8_t block[RECORD_BYTES], const struct doctor_record *record, uint64_t offset)
{
	struct bytes_out out = bytes_out(block + RECORD_BODY_AT, RECORD_BODY_BYTES);
	struct record_head head = record->head;

	assert(record_name_ok(record->name, NODE_NAME_BYTES));
	head.magic = RECORD_DOCTOR;
	head.version = RECORD_VERSION;
	head.compat = 0;
	head.incompat = 0;
	head.place = (uint32_t)(offset / RECORD_BYTES);
	bytes_put_block(&out, record->machine, MACHINE_ID_BYTES);
	bytes_put_block(&out, record->name, NODE_NAME_BYTES);
	bytes_put64(&out, record->wall_s);
	bytes_put_zeros(&out);
	record_out(block, &head);
}
