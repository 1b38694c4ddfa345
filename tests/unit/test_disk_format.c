/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * test_disk_format.c - the records of a shared disk: golden bytes, round trips, what is refused and
 * why, and whether docs/format-disk.md tells the truth. Run from the root of the repository.
 *
 * LINK: diskhb base
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "diskhb/arbiter_wire.h"
#include "diskhb/doctor_wire.h"
#include "diskhb/slot_wire.h"
#include "diskhb/super_wire.h"
#include "tests/unit/disk_golden.h"

#define CLUSTER UINT64_C(0x1122334455667788)

enum {
	NODE = 3,
	CLAIM_AT = 17 * 4096 + 2 * 512,
	ARBITER_AT = 17 * 4096 + 8192 + 2 * 512,
	DOCTOR_AT = 100 * 4096 + 2 * 4096, /* wherever it is, it says so */
};

static const struct record_head head = { .node = NODE,
					 .cluster = CLUSTER,
					 .sequence = UINT64_C(0x0102030405060708),
					 .incarnation = 0x0a0b0c0d,
					 .nonce = 0xdeadbeef };

union any_record {
	struct record_head head;
	struct super_record super;
	struct heartbeat_record heartbeat;
	struct outbox_record outbox;
	struct acks_record acks;
	struct message_record message;
	struct words_record words;
	struct claim_record claim;
	struct arbiter_record arbiter;
	struct doctor_record doctor;
};

/* ---- each record, as the golden bytes have it ---- */

static void set_ids(uint8_t *machine, uint8_t *boot, char *name)
{
	for (uint8_t i = 0; i < 16; i++) {
		machine[i] = (uint8_t)(0x10 + i);
		boot[i] = (uint8_t)(0x20 + i);
	}
	memcpy(name, "node3", 6);
}

static void super_set(union any_record *r)
{
	r->super = (struct super_record){ .head = { .cluster = CLUSTER, .sequence = 2 },
					  .cluster_name = "alpha",
					  .disk_index = 1,
					  .disks_count = 3,
					  .nodes_max = 16,
					  .sector_bytes = 512,
					  .claim_window_ms = 500,
					  .created_s = 1700000000,
					  .created_by = "node1.example",
					  .arbiter = SUPER_ARBITER_PR,
					  .locks_max = 64 };
	for (uint8_t i = 0; i < 16; i++)
		r->super.disk_uuid[i] = i;
}

static void super_4k_set(union any_record *r)
{
	super_set(r);
	r->super.head.sequence = 1;
	memset(r->super.cluster_name, 0, sizeof r->super.cluster_name);
	r->super.cluster_name[0] = 'b';
	memset(r->super.created_by, 0, sizeof r->super.created_by);
	r->super.created_by[0] = 'n';
	r->super.disk_index = 2;
	r->super.disks_count = 2;
	r->super.nodes_max = 64;
	r->super.sector_bytes = 4096;
	r->super.claim_window_ms = 60000;
	r->super.arbiter = SUPER_ARBITER_PAXOS;
	r->super.locks_max = 1000;
}

static void heartbeat_set(union any_record *r)
{
	r->heartbeat = (struct heartbeat_record){ .head = head,
						  .state = SLOT_ACTIVE,
						  .flags = SLOT_FLAG_LINK_TEST,
						  .interval_ms = 250,
						  .io_timeout_ms = 1000,
						  .lease_ms = 5000,
						  .watchdog_ms = 10000,
						  .grain_ms = 1000,
						  .stamp_ns = UINT64_C(0x1020304050607080),
						  .wall_s = 1700000001,
						  .epoch = 7,
						  .reach = UINT64_C(0x8000000000000005),
						  .seen = 6 };
	set_ids(r->heartbeat.machine, r->heartbeat.boot, r->heartbeat.name);
}

static void outbox_set(union any_record *r)
{
	r->outbox = (struct outbox_record){ .head = head };
	r->outbox.pills[0] = (struct slot_pill){ 0x01020304, 0x0506, SLOT_PILL_RESET };
	r->outbox.pills[63] = (struct slot_pill){ UINT32_MAX, UINT16_MAX, SLOT_PILL_OFF };
}

static void acks_set(union any_record *r)
{
	r->acks = (struct acks_record){ .head = head };
	r->acks.acks[0] = (struct slot_ack){ 0x01020304, 0x0506, SLOT_ACK_ACCEPTED };
	r->acks.acks[63] = (struct slot_ack){ UINT32_MAX, UINT16_MAX, SLOT_ACK_REFUSED };
}

static void message_set(union any_record *r)
{
	r->message = (struct message_record){ .head = head, .id = 0x0506, .bytes = 5 };
	memcpy(r->message.text, "hello", 5);
}

static void words_set(union any_record *r)
{
	r->words = (struct words_record){ .head = head, .line = 41, .bytes = 19 };
	memcpy(r->words.text, "1700000000 12 born\n", 19);
}

static void claim_set(union any_record *r)
{
	r->claim = (struct claim_record){ .head = head, .wall_s = 1700000002 };
	set_ids(r->claim.machine, r->claim.boot, r->claim.name);
}

static void arbiter_set(union any_record *r)
{
	r->arbiter = (struct arbiter_record){ .head = head,
					      .epoch = 9,
					      .mbal = 35,
					      .bal = 19,
					      .proposer = 5,
					      .value_bytes = 3,
					      .decided_epoch = 8,
					      .decided_ballot = 67,
					      .winner = 3,
					      .decided_bytes = 2 };
	memcpy(r->arbiter.value, "yes", 3);
	memcpy(r->arbiter.decided, "no", 2);
}

static void doctor_set(union any_record *r)
{
	uint8_t boot[MACHINE_ID_BYTES];

	r->doctor = (struct doctor_record){ .head = head, .wall_s = 1700000003 };
	r->doctor.head.incarnation = 0;
	set_ids(r->doctor.machine, boot, r->doctor.name);
}

/* ---- each codec under one signature ---- */

static const struct record_want want = { .node = NODE, .cluster = CLUSTER };
static const struct record_want want_claim = { .node = NODE,
					       .cluster = CLUSTER,
					       .offset = CLAIM_AT };
static const struct record_want want_arbiter = { .node = NODE,
						 .cluster = CLUSTER,
						 .offset = ARBITER_AT };

static const struct record_want want_doctor = { .node = NODE,
						.cluster = CLUSTER,
						.offset = DOCTOR_AT };

static enum record_verdict get_super(const uint8_t *block, union any_record *r)
{
	struct disk_layout layout;

	return super_in(block, &r->super, &layout);
}

static enum record_verdict get_heartbeat(const uint8_t *block, union any_record *r)
{
	return heartbeat_in(block, &want, &r->heartbeat);
}

static enum record_verdict get_outbox(const uint8_t *block, union any_record *r)
{
	return outbox_in(block, &want, &r->outbox);
}

static enum record_verdict get_acks(const uint8_t *block, union any_record *r)
{
	return acks_in(block, &want, &r->acks);
}

static enum record_verdict get_message(const uint8_t *block, union any_record *r)
{
	return message_in(block, &want, &r->message);
}

static enum record_verdict get_words(const uint8_t *block, union any_record *r)
{
	return words_in(block, &want, 1, &r->words);
}

static enum record_verdict get_claim(const uint8_t *block, union any_record *r)
{
	return claim_in(block, &want_claim, &r->claim);
}

static enum record_verdict get_arbiter(const uint8_t *block, union any_record *r)
{
	return arbiter_in(block, &want_arbiter, &r->arbiter);
}

static enum record_verdict get_doctor(const uint8_t *block, union any_record *r)
{
	return doctor_in(block, &want_doctor, &r->doctor);
}

static void put_super(uint8_t *block, const union any_record *r)
{
	super_out(block, &r->super);
}

static void put_heartbeat(uint8_t *block, const union any_record *r)
{
	heartbeat_out(block, &r->heartbeat);
}

static void put_outbox(uint8_t *block, const union any_record *r)
{
	outbox_out(block, &r->outbox);
}

static void put_acks(uint8_t *block, const union any_record *r)
{
	acks_out(block, &r->acks);
}

static void put_message(uint8_t *block, const union any_record *r)
{
	message_out(block, &r->message);
}

static void put_words(uint8_t *block, const union any_record *r)
{
	words_out(block, 1, &r->words);
}

static void put_claim(uint8_t *block, const union any_record *r)
{
	claim_out(block, &r->claim, CLAIM_AT);
}

static void put_arbiter(uint8_t *block, const union any_record *r)
{
	arbiter_out(block, &r->arbiter, ARBITER_AT);
}

static void put_doctor(uint8_t *block, const union any_record *r)
{
	doctor_out(block, &r->doctor, DOCTOR_AT);
}

static const struct kind {
	const char *heading; /* in the document */
	const struct golden_piece *golden;
	void (*set)(union any_record *);
	void (*put)(uint8_t *, const union any_record *);
	enum record_verdict (*get)(const uint8_t *, union any_record *);
} kinds[] = {
	{ "Superblock", golden_superblock, super_set, put_super, get_super },
	{ "Superblock", golden_superblock_4k, super_4k_set, put_super, get_super },
	{ "Heartbeat", golden_heartbeat, heartbeat_set, put_heartbeat, get_heartbeat },
	{ "Outbox", golden_outbox, outbox_set, put_outbox, get_outbox },
	{ "Acks", golden_acks, acks_set, put_acks, get_acks },
	{ "Message", golden_message, message_set, put_message, get_message },
	{ "Last words", golden_words, words_set, put_words, get_words },
	{ "Claim", golden_claim, claim_set, put_claim, get_claim },
	{ "Arbiter", golden_arbiter, arbiter_set, put_arbiter, get_arbiter },
	{ "Doctor", golden_doctor, doctor_set, put_doctor, get_doctor },
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void golden_read(const struct golden_piece *piece, uint8_t block[RECORD_BYTES])
{
	memset(block, 0, RECORD_BYTES);
	for (; piece->hex; piece++)
		for (size_t i = 0; piece->hex[2 * i]; i++) {
			char digits[3] = { piece->hex[2 * i], piece->hex[2 * i + 1], '\0' };

			block[piece->offset + i] = (uint8_t)strtoul(digits, NULL, 16);
		}
}

/* Make the checksum right again. */
static void seal(uint8_t block[RECORD_BYTES])
{
	uint32_t crc = crc32c(block, RECORD_CRC_AT);

	for (size_t i = 0; i < 4; i++)
		block[RECORD_CRC_AT + i] = (uint8_t)(crc >> (8 * i));
}

static void crc_has_its_check_value(void **state)
{
	(void)state;
	assert_int_equal(crc32c("123456789", 9), 0xe3069283);
	assert_int_equal(crc32c("", 0), 0);
	/* RFC 3720, B.4: 32 bytes of zeros. */
	assert_int_equal(crc32c((const uint8_t[32]){ 0 }, 32), 0x8a9136aa);
}

static void every_record_has_its_golden_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		uint8_t golden[RECORD_BYTES], block[RECORD_BYTES];
		union any_record record = { 0 };

		golden_read(kinds[i].golden, golden);
		kinds[i].set(&record);
		memset(block, 0xee, sizeof block);
		kinds[i].put(block, &record);
		for (size_t at = 0; at < RECORD_BYTES; at++)
			if (block[at] != golden[at])
				fail_msg("%s: byte %zu is %02x, the golden one %02x",
					 kinds[i].heading, at, block[at], golden[at]);
	}
}

static void every_record_reads_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		uint8_t golden[RECORD_BYTES], block[RECORD_BYTES];
		union any_record record;

		golden_read(kinds[i].golden, golden);
		memset(&record, 0xee, sizeof record);
		assert_int_equal(kinds[i].get(golden, &record), RECORD_OK);
		assert_int_equal(record.head.cluster, CLUSTER);
		memset(block, 0xee, sizeof block);
		kinds[i].put(block, &record);
		assert_memory_equal(block, golden, RECORD_BYTES);
	}
}

static void what_is_wrong_with_a_record_is_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < KINDS; i++) {
		uint8_t golden[RECORD_BYTES], block[RECORD_BYTES];
		union any_record record;
		int is_super = kinds[i].get == get_super;

		golden_read(kinds[i].golden, golden);
#define EXPECT(verdict) assert_int_equal(kinds[i].get(block, &record), verdict)
		memset(block, 0, sizeof block);
		EXPECT(RECORD_EMPTY);
		memset(block, 0x55, sizeof block);
		EXPECT(RECORD_FOREIGN);
		for (size_t at = 4; at < RECORD_BYTES; at++) {
			memcpy(block, golden, sizeof block);
			block[at] ^= 0x40;
			EXPECT(RECORD_TORN);
		}
		memcpy(block, golden, sizeof block);
		block[4] = 2; /* version */
		EXPECT(RECORD_TORN);
		seal(block);
		EXPECT(RECORD_NEWER);
		block[4] = 0;
		seal(block);
		EXPECT(RECORD_INVALID);
		memcpy(block, golden, sizeof block);
		block[12] = 1; /* incompat */
		seal(block);
		EXPECT(RECORD_NEWER);
		memcpy(block, golden, sizeof block);
		block[8] = 1; /* compat */
		seal(block);
		EXPECT(RECORD_OK);
		memcpy(block, golden, sizeof block);
		block[16] ^= 1; /* cluster */
		seal(block);
		EXPECT(is_super ? RECORD_OK : RECORD_ALIEN);
		memcpy(block, golden, sizeof block);
		block[6] = 9; /* node */
		seal(block);
		EXPECT(RECORD_MISPLACED);
		memcpy(block, golden, sizeof block);
		block[40] ^= 1; /* place */
		seal(block);
		EXPECT(RECORD_MISPLACED);
		/* Another record of this very slot. */
		golden_read(kinds[i].get == get_outbox ? golden_acks : golden_outbox, block);
		EXPECT(RECORD_MISPLACED);
#undef EXPECT
	}
}

static void values_that_cannot_be_are_refused(void **state)
{
	static const struct {
		enum record_verdict (*get)(const uint8_t *, union any_record *);
		const struct golden_piece *golden;
		size_t at;
		uint8_t value;
	} cases[] = {
		{ get_super, golden_superblock, 44, '/' }, /* name */
		{ get_super, golden_superblock, 44, 0 },   /* no name */
		{ get_super, golden_superblock, 60, 'x' }, /* something behind it */
		{ get_super, golden_superblock, 124, 0 },  /* disk_index */
		{ get_super, golden_superblock, 124, 4 },  /* above disks_count */
		{ get_super, golden_superblock, 125, 4 },  /* disks_count */
		{ get_super, golden_superblock, 126, 1 },  /* nodes_max */
		{ get_super, golden_superblock, 126, 65 },
		{ get_super, golden_superblock, 126, 17 },   /* fits no longer to the places */
		{ get_super, golden_superblock, 129, 4 },    /* 1024 */
		{ get_super, golden_superblock, 129, 16 },   /* 4096, with places of 512 */
		{ get_super, golden_superblock, 132, 0 },    /* 256 ms is a window */
		{ get_super, golden_superblock, 135, 1 },    /* claim_window_ms */
		{ get_super, golden_superblock, 229, 0 },    /* claims_at */
		{ get_heartbeat, golden_heartbeat, 140, 0 }, /* state */
		{ get_heartbeat, golden_heartbeat, 140, 5 },
		{ get_heartbeat, golden_heartbeat, 141, 4 },	/* flags */
		{ get_heartbeat, golden_heartbeat, 147, 0xff }, /* interval */
		{ get_heartbeat, golden_heartbeat, 155, 0xff }, /* lease */
		{ get_heartbeat, golden_heartbeat, 76, ' ' },	/* name */
		{ get_outbox, golden_outbox, 50, 6 },		/* kind */
		{ get_outbox, golden_outbox, 50, 0 },		/* none, with a number */
		{ get_outbox, golden_outbox, 57, 1 },		/* kind without number */
		{ get_acks, golden_acks, 50, 3 },
		{ get_acks, golden_acks, 50, 0 },
		{ get_message, golden_message, 46, 4 }, /* text goes on behind its end */
		{ get_message, golden_message, 47, 2 }, /* longer than the record */
		{ get_message, golden_message, 50, 0 }, /* NUL in it */
		{ get_words, golden_words, 44, 0 },	/* text without a line */
		{ get_words, golden_words, 52, 20 },	/* NUL in it */
		{ get_words, golden_words, 74, 'x' },	/* no newline at its end */
		{ get_claim, golden_claim, 76, 0 },
		{ get_super, golden_superblock, 237, 1 },  /* arbiter_at */
		{ get_super, golden_superblock, 260, 1 },  /* locks_at */
		{ get_super, golden_superblock, 268, 1 },  /* sequence_bytes */
		{ get_super, golden_superblock, 272, 65 }, /* fits no longer to the places */
		{ get_super, golden_superblock, 273, 5 },  /* locks_max */
		{ get_super, golden_superblock, 274, 0 },  /* arbiter */
		{ get_super, golden_superblock, 274, 3 },
		{ get_arbiter, golden_arbiter, 44, 0 },	 /* epoch, with a ballot */
		{ get_arbiter, golden_arbiter, 52, 18 }, /* mbal < bal */
		{ get_arbiter, golden_arbiter, 60, 0 },	 /* value without ballot */
		{ get_arbiter, golden_arbiter, 68, 0 },	 /* decision without epoch */
		{ get_arbiter, golden_arbiter, 84, 0 },	 /* proposer */
		{ get_arbiter, golden_arbiter, 84, 65 },
		{ get_arbiter, golden_arbiter, 86, 0 }, /* winner */
		{ get_arbiter, golden_arbiter, 86, 65 },
		{ get_arbiter, golden_arbiter, 89, 2 }, /* length */
		{ get_arbiter, golden_arbiter, 88, 2 }, /* value goes on */
		{ get_arbiter, golden_arbiter, 91, 2 },
		{ get_arbiter, golden_arbiter, 90, 1 },
		{ get_doctor, golden_doctor, 60, ' ' }, /* name */
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t block[RECORD_BYTES];
		union any_record record, zero = { 0 };
		enum record_verdict expected = RECORD_INVALID;

		golden_read(cases[i].golden, block);
		block[cases[i].at] = cases[i].value;
		seal(block);
		if (cases[i].get == get_super && cases[i].at == 132)
			expected = RECORD_OK;
		if (cases[i].get(block, &record) != expected)
			fail_msg("case %zu: byte %zu = %u is not judged so", i, cases[i].at,
				 cases[i].value);
		if (cases[i].get == get_heartbeat)
			assert_memory_equal((uint8_t *)&record.heartbeat + sizeof head,
					    (uint8_t *)&zero.heartbeat + sizeof head,
					    sizeof record.heartbeat - sizeof head);
	}
}

/* ---- the document ---- */

static struct row {
	char heading[64], field[64];
	size_t offset, bytes;
	int met;
} rows[128];
static size_t rows_count;
static char *document;

/* "| 44 | 16 | machine | ...": 1 when the line is such a row. */
static int row_read(const char *line, struct row *row)
{
	char *end;

	if (line[0] != '|')
		return 0;
	row->offset = strtoul(line + 1, &end, 10);
	if (end == line + 1 || strncmp(end, " | ", 3) != 0)
		return 0;
	line = end + 3;
	row->bytes = strtoul(line, &end, 10);
	if (end == line || strncmp(end, " | ", 3) != 0)
		return 0;
	snprintf(row->field, sizeof row->field, "%.*s", (int)strcspn(end + 3, " |"), end + 3);
	return 1;
}

static int document_read(void **state)
{
	FILE *file = fopen("docs/format-disk.md", "r");
	char line[512], heading[64] = "";
	size_t size = 0;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof line, file) && rows_count < 128) {
		struct row *row = &rows[rows_count];

		if (line[0] == '#') {
			snprintf(heading, sizeof heading, "%.63s", line + strspn(line, "# "));
			heading[strcspn(heading, "\n")] = '\0';
		}
		if (strcmp(heading, "Layout") == 0 || !row_read(line, row))
			continue;
		memcpy(row->heading, heading, sizeof heading);
		rows_count++;
	}
	rewind(file);
	assert_true(getdelim(&document, &size, '\0', file) > 0);
	fclose(file);
	return 0;
}

static int document_free(void **state)
{
	(void)state;
	free(document);
	return 0;
}

static struct row *row_find(const char *heading, const char *field)
{
	for (size_t i = 0; i < rows_count; i++)
		if (strcmp(rows[i].heading, heading) == 0 && strcmp(rows[i].field, field) == 0)
			return &rows[i];
	fail_msg("the document has no field \"%s\" under \"%s\"", field, heading);
	return NULL;
}

#define FIELD(kind_index, type, name, other)                                                       \
	{                                                                                          \
		(kind_index), #name, offsetof(struct type, name), sizeof((struct type *)0)->name,  \
			(other)                                                                    \
	}

/* Fields that a record can have otherwise: setting their first byte to `other` must change their
 * bytes in the record, and no others. */
static const struct field {
	size_t kind;
	const char *name;
	size_t at, bytes;
	uint8_t other;
} fields[] = {
	FIELD(0, super_record, cluster_name, 'z'),
	FIELD(0, super_record, disk_uuid, 0xff),
	FIELD(0, super_record, disk_index, 2),
	FIELD(1, super_record, disks_count, 3),
	FIELD(0, super_record, claim_window_ms, 0xff),
	FIELD(0, super_record, created_s, 0xff),
	FIELD(0, super_record, created_by, 'z'),
	FIELD(2, heartbeat_record, machine, 0xff),
	FIELD(2, heartbeat_record, boot, 0xff),
	FIELD(2, heartbeat_record, name, 'z'),
	FIELD(2, heartbeat_record, state, 1),
	FIELD(2, heartbeat_record, flags, 0),
	FIELD(2, heartbeat_record, interval_ms, 0xff),
	FIELD(2, heartbeat_record, io_timeout_ms, 0xff),
	FIELD(2, heartbeat_record, lease_ms, 0xff),
	FIELD(2, heartbeat_record, watchdog_ms, 0xff),
	FIELD(2, heartbeat_record, grain_ms, 0xff),
	FIELD(2, heartbeat_record, stamp_ns, 0xff),
	FIELD(2, heartbeat_record, wall_s, 0xff),
	FIELD(2, heartbeat_record, epoch, 0xff),
	FIELD(2, heartbeat_record, reach, 0xff),
	FIELD(2, heartbeat_record, seen, 0xff),
	FIELD(3, outbox_record, pills[0].incarnation, 0xff),
	FIELD(3, outbox_record, pills[0].id, 0xff),
	FIELD(3, outbox_record, pills[0].kind, 1),
	FIELD(3, outbox_record, pills[63].incarnation, 0x11),
	FIELD(3, outbox_record, pills[63].id, 0x11),
	FIELD(3, outbox_record, pills[63].kind, 1),
	FIELD(4, acks_record, acks[0].incarnation, 0xff),
	FIELD(4, acks_record, acks[0].id, 0xff),
	FIELD(4, acks_record, acks[0].result, 2),
	FIELD(4, acks_record, acks[63].incarnation, 0x11),
	FIELD(4, acks_record, acks[63].id, 0x11),
	FIELD(4, acks_record, acks[63].result, 1),
	FIELD(5, message_record, id, 0xff),
	FIELD(5, message_record, text, 'z'),
	FIELD(6, words_record, line, 0xff),
	FIELD(6, words_record, text, 'z'),
	FIELD(7, claim_record, machine, 0xff),
	FIELD(7, claim_record, boot, 0xff),
	FIELD(7, claim_record, name, 'z'),
	FIELD(7, claim_record, wall_s, 0xff),
	FIELD(8, arbiter_record, epoch, 0xff),
	FIELD(8, arbiter_record, mbal, 0xff),
	FIELD(8, arbiter_record, bal, 0x12),
	FIELD(8, arbiter_record, decided_epoch, 0xff),
	FIELD(8, arbiter_record, decided_ballot, 0xff),
	FIELD(8, arbiter_record, proposer, 1),
	FIELD(8, arbiter_record, winner, 1),
	FIELD(8, arbiter_record, value, 'z'),
	FIELD(8, arbiter_record, decided, 'z'),
	FIELD(0, super_record, arbiter, SUPER_ARBITER_PAXOS),
	FIELD(9, doctor_record, machine, 0xff),
	FIELD(9, doctor_record, name, 'z'),
	FIELD(9, doctor_record, wall_s, 0xff),
};

/* Where two records differ, their checksums aside. */
static void expect_change(const char *heading, const char *name, size_t bytes, const uint8_t *a,
			  const uint8_t *b)
{
	struct row *row = row_find(heading, name);
	size_t first = RECORD_CRC_AT, last = 0;

	for (size_t i = 0; i < RECORD_CRC_AT; i++)
		if (a[i] != b[i]) {
			first = first < i ? first : i;
			last = i;
		}
	if (first != row->offset || last >= row->offset + row->bytes || bytes != row->bytes)
		fail_msg("%s, %s: documented at %zu, %zu bytes; found at %zu to %zu, %zu bytes",
			 heading, name, row->offset, row->bytes, first, last, bytes);
	row->met = 1;
}

static void fields_are_where_the_document_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		const struct kind *kind = &kinds[fields[i].kind];
		uint8_t a[RECORD_BYTES], b[RECORD_BYTES];
		union any_record record = { 0 };

		kind->set(&record);
		kind->put(a, &record);
		((uint8_t *)&record)[fields[i].at] = fields[i].other;
		kind->put(b, &record);
		expect_change(kind->heading, fields[i].name, fields[i].bytes, a, b);
	}
}

static void header_is_as_documented(void **state)
{
	static const struct {
		const char *name;
		size_t at, bytes;
	} parts[] = {
#define PART(name)                                                                                 \
	{ #name, offsetof(struct record_head, name), sizeof((struct record_head *)0)->name }
		PART(magic),   PART(version),  PART(node),	  PART(compat), PART(incompat),
		PART(cluster), PART(sequence), PART(incarnation), PART(nonce),	PART(place),
#undef PART
	};
	const char *heading = "Header of every record";

	(void)state;
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		uint8_t a[RECORD_BYTES] = { 0 }, b[RECORD_BYTES] = { 0 };
		struct record_head changed = { 0 };

		record_out(a, &changed);
		((uint8_t *)&changed)[parts[i].at] = 0xff;
		record_out(b, &changed);
		expect_change(heading, parts[i].name, parts[i].bytes, a, b);
	}
	assert_int_equal(row_find(heading, "body")->offset, RECORD_BODY_AT);
	assert_int_equal(row_find(heading, "body")->bytes, RECORD_BODY_BYTES);
	assert_int_equal(row_find(heading, "crc32c")->offset, RECORD_CRC_AT);
	row_find(heading, "body")->met = row_find(heading, "crc32c")->met = 1;
}

static uint64_t number_at(const uint8_t *block, const struct row *row)
{
	uint64_t value = 0;

	for (size_t i = 0; i < row->bytes; i++)
		value |= (uint64_t)block[row->offset + i] << (8 * i);
	return value;
}

/* Those that follow from other fields. */
static void derived_fields_are_where_the_document_says(void **state)
{
	uint8_t block[RECORD_BYTES];
	union any_record record = { 0 };
	struct disk_layout layout;

	(void)state;
	super_4k_set(&record);
	put_super(block, &record);
	assert_int_equal(disk_layout_set(&layout, 4096, 64, 1000), 0);
#define DERIVED(heading, name, value)                                                              \
	do {                                                                                       \
		assert_int_equal(number_at(block, row_find(heading, name)), (value));              \
		row_find(heading, name)->met = 1;                                                  \
	} while (0)
	DERIVED("Superblock", "nodes_max", 64);
	DERIVED("Superblock", "sector_bytes", 4096);
	DERIVED("Superblock", "slot_bytes", SLOT_BYTES);
	DERIVED("Superblock", "claim_bytes", layout.claim_bytes);
	DERIVED("Superblock", "arbiter_bytes", layout.arbiter_bytes);
	DERIVED("Superblock", "slots_at", SLOTS_AT);
	DERIVED("Superblock", "claims_at", layout.claims_at);
	DERIVED("Superblock", "arbiter_at", layout.arbiter_at);
	DERIVED("Superblock", "end", layout.end);
	DERIVED("Superblock", "doctor_at", layout.doctor_at);
	DERIVED("Superblock", "locks_at", layout.locks_at);
	DERIVED("Superblock", "sequence_bytes", layout.sequence_bytes);
	DERIVED("Superblock", "locks_max", 1000);
	message_set(&record);
	put_message(block, &record);
	DERIVED("Message", "bytes", 5);
	words_set(&record);
	put_words(block, &record);
	DERIVED("Last words", "bytes", 19);
	arbiter_set(&record);
	put_arbiter(block, &record);
	DERIVED("Arbiter", "value_bytes", 3);
	DERIVED("Arbiter", "decided_bytes", 2);
#undef DERIVED
	for (size_t i = 0; i < rows_count; i++)
		if (!rows[i].met)
			fail_msg("%s, %s: documented, but in no record", rows[i].heading,
				 rows[i].field);
}

static void document_has_the_magics_and_limits(void **state)
{
	static const char *const phrases[] = { "`HFsb`",
					       "`HFhb`",
					       "`HFob`",
					       "`HFak`",
					       "`HFms`",
					       "`HFlw`",
					       "`HFcl`",
					       "`HFar`",
					       "`HFdr`",
					       "2 to 64, 16 by default",
					       "up to 1024, 64 by default",
					       "50 to 60000",
					       "| 512 | `HFob`",
					       "| 1024 | `HFak`",
					       "| 1536 | `HFms`",
					       "| 2048 | `HFlw`",
					       "Version 1." };

	(void)state;
	for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
		assert_non_null(strstr(document, phrases[i]));
	assert_int_equal(NODES_MIN, 2);
	assert_int_equal(NODES_MAX, 64);
	assert_int_equal(NODES_DEFAULT, 16);
	assert_int_equal(LOCKS_DEFAULT, 64);
	assert_int_equal(LOCKS_MAX, 1024);
	assert_int_equal(CLAIM_WINDOW_MIN_MS, 50);
	assert_int_equal(CLAIM_WINDOW_MAX_MS, 60000);
	assert_int_equal(SLOT_OUTBOX_AT, 512);
	assert_int_equal(SLOT_ACKS_AT, 1024);
	assert_int_equal(SLOT_MESSAGE_AT, 1536);
	assert_int_equal(SLOT_WORDS_AT, 2048);
	assert_int_equal(SLOT_WORDS_AT + SLOT_WORDS_RECORDS * RECORD_BYTES, SLOT_BYTES);
	assert_int_equal(RECORD_VERSION, 1);
}

/* ---- layout ---- */

/* Mark `bytes` from `from` on as written by node n; nobody else may have done so. */
static void writes(uint8_t *writer, const struct disk_layout *layout, uint64_t from, uint64_t bytes,
		   uint16_t n)
{
	uint32_t sector = layout->sector_bytes;

	assert_int_equal(from % sector, 0);
	assert_int_equal(bytes % sector, 0);
	assert_true(from >= SUPER_BYTES && from + bytes <= layout->end);
	for (uint64_t at = from / sector; at < (from + bytes) / sector; at++) {
		assert_int_equal(writer[at], 0);
		writer[at] = (uint8_t)n;
	}
}

static void no_sector_has_two_writers(void **state)
{
	static const uint32_t sectors[] = { 512, 4096 };
	static uint8_t writer[1 << 13];

	(void)state;
	for (size_t s = 0; s < 2; s++)
		for (uint32_t nodes = NODES_MIN; nodes <= NODES_MAX; nodes++) {
			uint16_t locks = (uint16_t)(nodes % 5 * 6);
			struct disk_layout layout;

			memset(writer, 0, sizeof writer);
			assert_int_equal(disk_layout_set(&layout, sectors[s], nodes, locks), 0);
			assert_true(layout.end / sectors[s] <= sizeof writer);
			assert_true(layout.arbiter_at <= 516 * 1024);
			assert_true(layout.claims_at <= 260 * 1024);
			assert_true(layout.sequence_bytes <= 256 * 1024);
			for (uint16_t n = 1; n <= layout.nodes_max; n++) {
				writes(writer, &layout, disk_layout_slot_at(n), SLOT_BYTES, n);
				writes(writer, &layout, disk_layout_claim_at(&layout, n),
				       layout.claim_bytes, n);
				writes(writer, &layout, disk_layout_arbiter_at(&layout, n),
				       layout.arbiter_bytes, n);
				for (uint16_t lock = 0; lock < locks; lock++)
					writes(writer, &layout,
					       disk_layout_lock_at(&layout, lock, n),
					       layout.arbiter_bytes, n);
				writes(writer, &layout, disk_layout_doctor_at(&layout, n),
				       SLOT_BYTES, n);
			}
		}
}

static void odd_layouts_are_refused(void **state)
{
	struct disk_layout layout;

	(void)state;
	assert_int_equal(disk_layout_set(&layout, 1024, 16, 64), -1);
	assert_int_equal(disk_layout_set(&layout, 0, 16, 64), -1);
	assert_int_equal(disk_layout_set(&layout, 512, 1, 64), -1);
	assert_int_equal(disk_layout_set(&layout, 512, 65, 64), -1);
	assert_int_equal(disk_layout_set(&layout, 512, 16, 1025), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_has_its_check_value),
		cmocka_unit_test(every_record_has_its_golden_bytes),
		cmocka_unit_test(every_record_reads_back),
		cmocka_unit_test(what_is_wrong_with_a_record_is_told_apart),
		cmocka_unit_test(values_that_cannot_be_are_refused),
		cmocka_unit_test(fields_are_where_the_document_says),
		cmocka_unit_test(header_is_as_documented),
		cmocka_unit_test(derived_fields_are_where_the_document_says),
		cmocka_unit_test(document_has_the_magics_and_limits),
		cmocka_unit_test(no_sector_has_two_writers),
		cmocka_unit_test(odd_layouts_are_refused),
	};

	return cmocka_run_group_tests_name("disk_format", tests, document_read, document_free);
}
