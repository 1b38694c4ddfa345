/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * slot_wire.c - the records of a slot; see slot_wire.h.
 */
#include "diskhb/slot_wire.h"

#include <string.h>

#include "base/bytes.h"

static uint64_t slot_at(uint16_t node)
{
	return (uint64_t)4096 * node; /* the superblock takes the place of slot 0 */
}

/* Judge the header of the record at `at` of the slot. */
static enum record_verdict slot_record_in(const uint8_t block[RECORD_BYTES],
					  const struct record_want *want, uint32_t magic,
					  unsigned at, struct record_head *head,
					  struct bytes_in *body)
{
	struct record_want here = *want;

	here.magic = magic;
	here.offset = slot_at(want->node) + at;
	*body = bytes_in(block + RECORD_BODY_AT, RECORD_BODY_BYTES);
	return record_in(block, &here, head);
}

static void slot_record_out(uint8_t block[RECORD_BYTES], const struct record_head *given,
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

static struct bytes_out body_of(uint8_t block[RECORD_BYTES])
{
	return bytes_out(block + RECORD_BODY_AT, RECORD_BODY_BYTES);
}

/* A record that is whole and ours, but says what cannot be: only its header is kept. */
#define RECORD_REFUSE(record)                                                                      \
	do {                                                                                       \
		struct record_head kept = (record)->head;                                          \
		memset((record), 0, sizeof *(record));                                             \
		(record)->head = kept;                                                             \
		return RECORD_INVALID;                                                             \
	} while (0)

/* ---- heartbeat ---- */

/* There is always a larger one. */
static int incarnation_ok(const struct record_head *head)
{
	return head->incarnation != 0 && head->incarnation != UINT32_MAX;
}

static int length_ok(uint32_t ms)
{
	return ms >= 1 && ms <= RECORD_TIMEOUT_MAX_MS;
}

static int heartbeat_ok(const struct heartbeat_record *record)
{
	return incarnation_ok(&record->head) && record_name_ok(record->name, NODE_NAME_BYTES) &&
	       record->state >= SLOT_JOINING && record->state <= SLOT_DYING &&
	       !(record->flags & ~SLOT_FLAGS_KNOWN) && length_ok(record->interval_ms) &&
	       length_ok(record->io_timeout_ms) && length_ok(record->lease_ms) &&
	       record->watchdog_ms <= RECORD_TIMEOUT_MAX_MS &&
	       record->grain_ms <= RECORD_TIMEOUT_MAX_MS;
}

enum record_verdict heartbeat_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
				 struct heartbeat_record *record)
{
	struct bytes_in in;
	enum record_verdict verdict;

	memset(record, 0, sizeof *record);
	verdict = slot_record_in(block, want, RECORD_HEARTBEAT, SLOT_HEARTBEAT_AT, &record->head,
				 &in);
	if (verdict != RECORD_OK)
		return verdict;
	bytes_get_block(&in, record->machine, MACHINE_ID_BYTES);
	bytes_get_block(&in, record->boot, MACHINE_ID_BYTES);
	bytes_get_block(&in, record->name, NODE_NAME_BYTES);
	record->state = bytes_get8(&in);
	record->flags = bytes_get8(&in);
	bytes_get16(&in); /* reserved */
	record->interval_ms = bytes_get32(&in);
	record->io_timeout_ms = bytes_get32(&in);
	record->lease_ms = bytes_get32(&in);
	record->watchdog_ms = bytes_get32(&in);
	record->grain_ms = bytes_get32(&in);
	record->stamp_ns = bytes_get64(&in);
	record->wall_s = bytes_get64(&in);
	record->epoch = bytes_get64(&in);
	record->reach = bytes_get64(&in);
	record->seen = bytes_get64(&in);
	if (!heartbeat_ok(record))
		RECORD_REFUSE(record);
	return RECORD_OK;
}

void heartbeat_out(uint8_t block[RECORD_BYTES], const struct heartbeat_record *record)
{
	struct bytes_out out = body_of(block);

	assert(heartbeat_ok(record));
	bytes_put_block(&out, record->machine, MACHINE_ID_BYTES);
	bytes_put_block(&out, record->boot, MACHINE_ID_BYTES);
	bytes_put_block(&out, record->name, NODE_NAME_BYTES);
	bytes_put8(&out, record->state);
	bytes_put8(&out, record->flags);
	bytes_put16(&out, 0);
	bytes_put32(&out, record->interval_ms);
	bytes_put32(&out, record->io_timeout_ms);
	bytes_put32(&out, record->lease_ms);
	bytes_put32(&out, record->watchdog_ms);
	bytes_put32(&out, record->grain_ms);
	bytes_put64(&out, record->stamp_ns);
	bytes_put64(&out, record->wall_s);
	bytes_put64(&out, record->epoch);
	bytes_put64(&out, record->reach);
	bytes_put64(&out, record->seen);
	bytes_put_zeros(&out);
	slot_record_out(block, &record->head, RECORD_HEARTBEAT,
			slot_at(record->head.node) + SLOT_HEARTBEAT_AT);
}

/* ---- outbox and acks: 64 entries of 7 bytes ---- */

static int pill_ok(const struct slot_pill *pill)
{
	if (pill->kind == SLOT_PILL_NONE)
		return pill->id == 0 && pill->incarnation == 0;
	return pill->kind < SLOT_PILL_KINDS && pill->id != 0 && pill->incarnation != 0;
}

enum record_verdict outbox_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			      struct outbox_record *record)
{
	struct bytes_in in;
	enum record_verdict verdict;

	memset(record, 0, sizeof *record);
	verdict = slot_record_in(block, want, RECORD_OUTBOX, SLOT_OUTBOX_AT, &record->head, &in);
	if (verdict != RECORD_OK)
		return verdict;
	for (size_t i = 0; i < NODES_MAX; i++) {
		struct slot_pill *pill = &record->pills[i];

		pill->incarnation = bytes_get32(&in);
		pill->id = bytes_get16(&in);
		pill->kind = bytes_get8(&in);
		if (!pill_ok(pill))
			RECORD_REFUSE(record);
	}
	return RECORD_OK;
}

void outbox_out(uint8_t block[RECORD_BYTES], const struct outbox_record *record)
{
	struct bytes_out out = body_of(block);

	for (size_t i = 0; i < NODES_MAX; i++) {
		assert(pill_ok(&record->pills[i]));
		bytes_put32(&out, record->pills[i].incarnation);
		bytes_put16(&out, record->pills[i].id);
		bytes_put8(&out, record->pills[i].kind);
	}
	bytes_put_zeros(&out);
	slot_record_out(block, &record->head, RECORD_OUTBOX,
			slot_at(record->head.node) + SLOT_OUTBOX_AT);
}

static int ack_ok(const struct slot_ack *ack)
{
	if (ack->result == SLOT_ACK_NONE)
		return ack->id == 0 && ack->incarnation == 0;
	return ack->result < SLOT_ACK_RESULTS && ack->id != 0 && ack->incarnation != 0;
}

enum record_verdict acks_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			    struct acks_record *record)
{
	struct bytes_in in;
	enum record_verdict verdict;

	memset(record, 0, sizeof *record);
	verdict = slot_record_in(block, want, RECORD_ACKS, SLOT_ACKS_AT, &record->head, &in);
	if (verdict != RECORD_OK)
		return verdict;
	for (size_t i = 0; i < NODES_MAX; i++) {
		struct slot_ack *ack = &record->acks[i];

		ack->incarnation = bytes_get32(&in);
		ack->id = bytes_get16(&in);
		ack->result = bytes_get8(&in);
		if (!ack_ok(ack))
			RECORD_REFUSE(record);
	}
	return RECORD_OK;
}

void acks_out(uint8_t block[RECORD_BYTES], const struct acks_record *record)
{
	struct bytes_out out = body_of(block);

	for (size_t i = 0; i < NODES_MAX; i++) {
		assert(ack_ok(&record->acks[i]));
		bytes_put32(&out, record->acks[i].incarnation);
		bytes_put16(&out, record->acks[i].id);
		bytes_put8(&out, record->acks[i].result);
	}
	bytes_put_zeros(&out);
	slot_record_out(block, &record->head, RECORD_ACKS,
			slot_at(record->head.node) + SLOT_ACKS_AT);
}

/* ---- message ---- */

/* Text that a terminal may be shown after text_clean(); here only that it ends where it says. */
static int text_ok(const char *text, size_t bytes, size_t size)
{
	if (bytes > size || memchr(text, '\0', bytes))
		return 0;
	for (size_t i = bytes; i < size; i++)
		if (text[i])
			return 0;
	return 1;
}

enum record_verdict message_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			       struct message_record *record)
{
	struct bytes_in in;
	enum record_verdict verdict;

	memset(record, 0, sizeof *record);
	verdict = slot_record_in(block, want, RECORD_MESSAGE, SLOT_MESSAGE_AT, &record->head, &in);
	if (verdict != RECORD_OK)
		return verdict;
	record->id = bytes_get16(&in);
	record->bytes = bytes_get16(&in);
	bytes_get_block(&in, record->text, SLOT_MESSAGE_BYTES);
	if (!text_ok(record->text, record->bytes, SLOT_MESSAGE_BYTES) ||
	    (record->id == 0 && record->bytes != 0))
		RECORD_REFUSE(record);
	return RECORD_OK;
}

void message_out(uint8_t block[RECORD_BYTES], const struct message_record *record)
{
	struct bytes_out out = body_of(block);

	assert(text_ok(record->text, record->bytes, SLOT_MESSAGE_BYTES));
	bytes_put16(&out, record->id);
	bytes_put16(&out, record->bytes);
	bytes_put_block(&out, record->text, SLOT_MESSAGE_BYTES);
	bytes_put_zeros(&out);
	slot_record_out(block, &record->head, RECORD_MESSAGE,
			slot_at(record->head.node) + SLOT_MESSAGE_AT);
}

/* ---- last words ---- */

static int words_ok(const struct words_record *record)
{
	if (!text_ok(record->text, record->bytes, SLOT_WORDS_BYTES))
		return 0;
	if (record->line == 0)
		return record->bytes == 0;
	return record->bytes > 0 && record->text[record->bytes - 1] == '\n';
}

enum record_verdict words_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			     unsigned index, struct words_record *record)
{
	struct bytes_in in;
	enum record_verdict verdict;

	memset(record, 0, sizeof *record);
	verdict = slot_record_in(block, want, RECORD_WORDS, SLOT_WORDS_AT + index * RECORD_BYTES,
				 &record->head, &in);
	if (verdict != RECORD_OK)
		return verdict;
	record->line = bytes_get64(&in);
	record->bytes = bytes_get16(&in);
	bytes_get16(&in); /* reserved */
	bytes_get_block(&in, record->text, SLOT_WORDS_BYTES);
	if (!words_ok(record))
		RECORD_REFUSE(record);
	return RECORD_OK;
}

void words_out(uint8_t block[RECORD_BYTES], unsigned index, const struct words_record *record)
{
	struct bytes_out out = body_of(block);

	assert(index < SLOT_WORDS_RECORDS && words_ok(record));
	bytes_put64(&out, record->line);
	bytes_put16(&out, record->bytes);
	bytes_put16(&out, 0);
	bytes_put_block(&out, record->text, SLOT_WORDS_BYTES);
	assert(out.at == out.end);
	slot_record_out(block, &record->head, RECORD_WORDS,
			slot_at(record->head.node) + SLOT_WORDS_AT +
				(uint64_t)index * RECORD_BYTES);
}

/* ---- claim ---- */

enum record_verdict claim_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			     struct claim_record *record)
{
	struct record_want here = *want;
	struct bytes_in in = bytes_in(block + RECORD_BODY_AT, RECORD_BODY_BYTES);
	enum record_verdict verdict;

	memset(record, 0, sizeof *record);
	here.magic = RECORD_CLAIM;
	verdict = record_in(block, &here, &record->head);
	if (verdict != RECORD_OK)
		return verdict;
	bytes_get_block(&in, record->machine, MACHINE_ID_BYTES);
	bytes_get_block(&in, record->boot, MACHINE_ID_BYTES);
	bytes_get_block(&in, record->name, NODE_NAME_BYTES);
	record->wall_s = bytes_get64(&in);
	if (!incarnation_ok(&record->head) || !record_name_ok(record->name, NODE_NAME_BYTES))
		RECORD_REFUSE(record);
	return RECORD_OK;
}

void claim_out(uint8_t block[RECORD_BYTES], const struct claim_record *record, uint64_t offset)
{
	struct bytes_out out = body_of(block);

	assert(incarnation_ok(&record->head) && record_name_ok(record->name, NODE_NAME_BYTES));
	bytes_put_block(&out, record->machine, MACHINE_ID_BYTES);
	bytes_put_block(&out, record->boot, MACHINE_ID_BYTES);
	bytes_put_block(&out, record->name, NODE_NAME_BYTES);
	bytes_put64(&out, record->wall_s);
	bytes_put_zeros(&out);
	slot_record_out(block, &record->head, RECORD_CLAIM, offset);
}

/* ---- words for humans ---- */

const char *slot_state_word(unsigned state)
{
	static const char *const words[] = { "?", "joining", "active", "left", "dying" };

	return words[state <= SLOT_DYING ? state : 0];
}

const char *slot_pill_word(unsigned kind)
{
	static const char *const words[SLOT_PILL_KINDS] = { "none",  "test",  "message",
							    "crash", "reset", "off" };

	return kind < SLOT_PILL_KINDS ? words[kind] : "?";
}
