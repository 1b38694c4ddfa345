/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: disk host base pkg:cmocka
 *
 * test_scsi_block.c - a SCSI disk by CDBs, on a device that may lack what it likes: what is asked at
 * the opening, what makes a write durable, what an answer means.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/bigendian.h"
#include "host/clock.h"
#include "host/disk/scsi_block.h"

enum { LOG_MAX = 256 };

struct device {
	/* How it is */
	uint64_t sectors;
	uint32_t sector_bytes;
	int lacks_page_83, lacks_capacity_16, lacks_caching_page, lacks_modes, lacks_sync;
	int is_protected, has_fua, has_cache;
	uint8_t serial; /* 0: none */
	/* What it does */
	int attentions; /* so many first, for all but INQUIRY */
	size_t fail_at; /* command that fails, counted from 1 */
	uint8_t status; /* with this */
	uint8_t key;	/* and this, with CHECK CONDITION */
	uint8_t asc;
	int rc;		   /* or without an answer */
	uint32_t short_by; /* reads bring so much less */
	/* What it was told */
	struct scsi_command log[LOG_MAX];
	size_t count;
};

static void say(struct disk_result *result, uint8_t status, uint8_t key, uint8_t asc)
{
	result->status = status;
	if (status == SCSI_CHECK_CONDITION) {
		memset(result->sense, 0, sizeof result->sense);
		result->sense[0] = 0x70;
		result->sense[2] = key;
		result->sense[7] = 10;
		result->sense[12] = asc;
		result->sense_bytes = 18;
	}
}

static void unknown(struct disk_result *result)
{
	say(result, SCSI_CHECK_CONDITION, 5, 0x20);
}

static void bring(const struct scsi_command *command, struct disk_result *result, const void *data,
		  uint32_t bytes)
{
	if (bytes > command->bytes)
		bytes = command->bytes;
	memcpy(command->data, data, bytes);
	result->bytes = bytes;
}

static void do_inquiry(const struct device *device, const struct scsi_command *command,
		       struct disk_result *result)
{
	uint8_t standard[36] = { [4] = 31 };
	const uint8_t page_83[] = { 0, 0x83, 0, 12, 1, 3, 0, 8, 0x50, 1, 2, 3, 4, 5, 6, 7 };
	const uint8_t page_80[] = { 0, 0x80, 0, 2, 'S', device->serial };

	memcpy(standard + 8, "ACME    Disk            1.0 ", 28);
	assert_int_equal(be_get16(command->cdb + 3), command->bytes);
	if (!(command->cdb[1] & 1))
		bring(command, result, standard, sizeof standard);
	else if (command->cdb[2] == 0x83 && !device->lacks_page_83)
		bring(command, result, page_83, sizeof page_83);
	else if (command->cdb[2] == 0x80 && device->serial)
		bring(command, result, page_80, sizeof page_80);
	else
		say(result, SCSI_CHECK_CONDITION, 5, 0x24);
}

static void do_mode_sense(const struct device *device, const struct scsi_command *command,
			  struct disk_result *result)
{
	uint8_t data[24] = { 23, 0, 0, 0, 0x08, 18 };

	if (device->lacks_modes || (command->cdb[2] == 0x08 && device->lacks_caching_page)) {
		say(result, SCSI_CHECK_CONDITION, 5, 0x24);
		return;
	}
	data[2] = (uint8_t)((device->is_protected ? 0x80 : 0) | (device->has_fua ? 0x10 : 0));
	data[4] = command->cdb[2] == 0x08 ? 0x08 : 0x0a;
	data[6] = device->has_cache ? 0x04 : 0;
	bring(command, result, data, sizeof data);
}

static void do_capacity(const struct device *device, const struct scsi_command *command,
			struct disk_result *result)
{
	uint8_t data[32] = { 0 };

	if (command->cdb[0] == 0x9e && device->lacks_capacity_16) {
		unknown(result);
	} else if (command->cdb[0] == 0x9e) {
		be_put64(data, device->sectors - 1);
		be_put32(data + 8, device->sector_bytes);
		bring(command, result, data, 32);
	} else {
		be_put32(data, (uint32_t)(device->sectors - 1));
		be_put32(data + 4, device->sector_bytes);
		bring(command, result, data, 8);
	}
}

static void transport(void *context, const struct scsi_command *command, mono_t until,
		      struct disk_result *result)
{
	struct device *device = context;

	(void)until;
	assert_true(device->count < LOG_MAX);
	device->log[device->count++] = *command;
	if (mono_is_never(result->submitted_at))
		result->submitted_at = clock_now();
	result->bytes = 0;
	result->status = SCSI_GOOD;
	if (device->count == device->fail_at) {
		if (device->rc != 0) {
			disk_result_fail(result, device->rc, NULL, "no answer");
			result->is_outstanding = 1;
		}
		say(result, device->status, device->key, device->asc);
		return;
	}
	if (device->attentions > 0 && command->cdb[0] != 0x12) {
		device->attentions--;
		say(result, SCSI_CHECK_CONDITION, 6, 0x29);
		return;
	}
	switch (command->cdb[0]) {
	case 0x12:
		do_inquiry(device, command, result);
		break;
	case 0x1a:
		do_mode_sense(device, command, result);
		break;
	case 0x25:
	case 0x9e:
		do_capacity(device, command, result);
		break;
	case 0x28:
	case 0x88:
		memset(command->data, 0x5a, command->bytes);
		result->bytes = command->bytes - device->short_by;
		break;
	case 0x35:
		if (device->lacks_sync)
			unknown(result);
		break;
	case 0x2a:
	case 0x8a:
	case 0x00:
		break;
	default:
		unknown(result);
	}
}

static const struct device ordinary = {
	.sectors = 8192, .sector_bytes = 512, .has_fua = 1, .has_cache = 1
};

static int open_device(struct device *device, struct scsi_unit *unit, struct disk_facts *facts,
		       struct err *err)
{
	*unit = (struct scsi_unit){ .transport = transport, .device = device, .name = "d" };
	memset(facts, 0, sizeof *facts);
	memset(err, 0, sizeof *err);
	return scsi_unit_open(unit, MONO_NEVER, facts, err);
}

/* ---- opening ---- */

static void test_ordinary(void **state)
{
	struct device device = ordinary;
	struct disk_facts facts;
	struct scsi_unit unit;
	struct err err;

	(void)state;
	assert_int_equal(open_device(&device, &unit, &facts, &err), 0);
	assert_string_equal(facts.id, "naa.5001020304050607");
	assert_string_equal(facts.vendor, "ACME");
	assert_int_equal(facts.sectors, 8192);
	assert_int_equal(facts.sector_bytes, 512);
	assert_true(facts.has_scsi);
	assert_false(facts.is_read_only);
	assert_true(unit.has_fua);
	assert_int_equal(device.count, 4);
}

static void test_old_device(void **state)
{
	struct device device = { .sectors = 100,
				 .sector_bytes = 4096,
				 .lacks_page_83 = 1,
				 .lacks_capacity_16 = 1,
				 .lacks_modes = 1,
				 .serial = '7' };
	struct disk_facts facts;
	struct scsi_unit unit;
	struct err err;

	(void)state;
	assert_int_equal(open_device(&device, &unit, &facts, &err), 0);
	assert_string_equal(facts.id, "serial.ACME_Disk_S7");
	assert_int_equal(facts.sectors, 100);
	assert_int_equal(facts.sector_bytes, 4096);
	assert_false(unit.has_fua);
	assert_true(unit.has_cache);
	device.serial = 0;
	assert_int_equal(open_device(&device, &unit, &facts, &err), RC_UNSUPPORTED);
	assert_non_null(strstr(err.text, "no identity"));
}

static void test_header_of_another_page(void **state)
{
	struct device device = ordinary;
	struct disk_facts facts;
	struct scsi_unit unit;
	struct err err;

	(void)state;
	device.lacks_caching_page = 1;
	device.is_protected = 1;
	assert_int_equal(open_device(&device, &unit, &facts, &err), 0);
	assert_true(facts.is_read_only);
	assert_true(unit.has_fua);
	assert_true(unit.has_cache);
}

static void test_attentions_at_opening(void **state)
{
	struct device device = ordinary;
	struct disk_facts facts;
	struct scsi_unit unit;
	struct err err;

	(void)state;
	device.attentions = 3;
	assert_int_equal(open_device(&device, &unit, &facts, &err), 0);
	assert_int_equal(device.count, 7);
	/* It must end some time. */
	device.attentions = 1000;
	assert_int_equal(open_device(&device, &unit, &facts, &err), RC_BUSY);
}

static void test_odd_sectors(void **state)
{
	struct device device = ordinary;
	struct disk_facts facts;
	struct scsi_unit unit;
	struct err err;

	(void)state;
	device.sector_bytes = 520;
	assert_int_equal(open_device(&device, &unit, &facts, &err), RC_UNSUPPORTED);
	assert_non_null(strstr(err.text, "520"));
	device.sector_bytes = 0;
	assert_int_equal(open_device(&device, &unit, &facts, &err), RC_UNSUPPORTED);
}

/* Whatever goes wrong at whatever step: an error with a text, and no answer is no answer. */
static void test_each_step_fails(void **state)
{
	(void)state;
	for (size_t at = 1; at <= 4; at++) {
		struct device device = ordinary;
		struct disk_facts facts;
		struct scsi_unit unit;
		struct err err;

		device.fail_at = at;
		device.rc = RC_UNREACHABLE;
		assert_int_equal(open_device(&device, &unit, &facts, &err), RC_UNREACHABLE);
		assert_string_equal(err.text, "no answer");
		device = ordinary;
		device.fail_at = at;
		device.status = SCSI_CHECK_CONDITION;
		device.key = 4;
		assert_int_equal(open_device(&device, &unit, &facts, &err), RC_INTERNAL);
		assert_non_null(strstr(err.text, "sense 4/00/00"));
	}
}

/* A reserved disk whose target lets us read no modes is opened all the same: it is for us to throw
 * the holder out. */
static void test_modes_reserved(void **state)
{
	struct device device = ordinary;
	struct disk_facts facts;
	struct scsi_unit unit;
	struct err err;

	(void)state;
	device.fail_at = 4;
	device.status = SCSI_RESERVATION_CONFLICT;
	assert_int_equal(open_device(&device, &unit, &facts, &err), 0);
	assert_false(unit.has_fua);
	assert_true(unit.has_cache);
}

/* ---- jobs ---- */

static uint8_t buffer[DISK_BYTES_MAX];

static struct disk_result run(struct device *device, const struct device *like, enum disk_op op,
			      uint64_t sector, uint32_t bytes)
{
	const struct disk_job job = {
		.op = op, .deadline = MONO_NEVER, .sector = sector, .bytes = bytes, .data = buffer
	};
	struct disk_result result;
	struct scsi_unit unit = { .transport = transport,
				  .device = device,
				  .name = "d",
				  .sector_bytes = like->sector_bytes,
				  .has_fua = like->has_fua,
				  .has_cache = like->has_cache };

	*device = *like;
	disk_result_init(&result);
	scsi_unit_exec(&unit, &job, &result);
	return result;
}

static void test_durable_writes(void **state)
{
	struct device device, like = ordinary;

	(void)state;
	/* With FUA */
	assert_int_equal(run(&device, &like, DISK_WRITE, 0x010203, 512).rc, 0);
	assert_int_equal(device.count, 1);
	assert_memory_equal(device.log[0].cdb, "\x2a\x08\x00\x01\x02\x03\x00\x00\x01\x00", 10);
	assert_int_equal(device.log[0].cdb_bytes, 10);
	/* With a cache and no FUA */
	like.has_fua = 0;
	assert_int_equal(run(&device, &like, DISK_WRITE, 1, 1024).rc, 0);
	assert_int_equal(device.count, 2);
	assert_memory_equal(device.log[0].cdb, "\x2a\x00\x00\x00\x00\x01\x00\x00\x02\x00", 10);
	assert_int_equal(device.log[1].cdb[0], 0x35);
	/* A cache that cannot be written back is none. */
	like.lacks_sync = 1;
	assert_int_equal(run(&device, &like, DISK_WRITE, 1, 1024).rc, 0);
	/* But one that fails to is. */
	like.lacks_sync = 0;
	like.fail_at = 2;
	like.status = SCSI_CHECK_CONDITION;
	like.key = 3;
	assert_int_equal(run(&device, &like, DISK_WRITE, 1, 1024).rc, RC_INTERNAL);
	/* With neither */
	like = ordinary;
	like.has_fua = like.has_cache = 0;
	assert_int_equal(run(&device, &like, DISK_WRITE, 1, 1024).rc, 0);
	assert_int_equal(device.count, 1);
	assert_int_equal(run(&device, &like, DISK_FLUSH, 0, 0).rc, 0);
	assert_int_equal(device.log[0].cdb[0], 0x35);
}

static void test_long_addresses(void **state)
{
	struct device device;
	struct disk_result result;

	(void)state;
	result = run(&device, &ordinary, DISK_READ, UINT32_MAX - 1, 512);
	assert_int_equal(result.rc, 0);
	assert_int_equal(device.log[0].cdb[0], 0x28);
	result = run(&device, &ordinary, DISK_READ, UINT32_MAX, 512);
	assert_int_equal(result.rc, 0);
	assert_memory_equal(device.log[0].cdb,
			    "\x88\x08\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x01\x00\x00", 16);
	assert_int_equal(device.log[0].cdb_bytes, 16);
	result = run(&device, &ordinary, DISK_WRITE, UINT64_C(0x123456789a), 1024);
	assert_int_equal(result.rc, 0);
	assert_memory_equal(device.log[0].cdb,
			    "\x8a\x08\x00\x00\x00\x12\x34\x56\x78\x9a\x00\x00\x00\x02\x00\x00", 16);
}

static void test_in_pieces(void **state)
{
	struct device device;
	struct disk_result result;
	uint64_t next = 100;
	uint8_t *data = buffer;

	(void)state;
	result = run(&device, &ordinary, DISK_READ, 100, DISK_BYTES_MAX);
	assert_int_equal(result.rc, 0);
	assert_int_equal(result.bytes, DISK_BYTES_MAX);
	for (size_t i = 0; i < device.count; i++) {
		assert_int_equal(be_get32(device.log[i].cdb + 2), next);
		assert_ptr_equal(device.log[i].data, data);
		assert_int_equal(be_get16(device.log[i].cdb + 7) * 512U, device.log[i].bytes);
		next += device.log[i].bytes / 512;
		data += device.log[i].bytes;
	}
	assert_ptr_equal(data, buffer + DISK_BYTES_MAX);
}

static void test_a_piece_fails(void **state)
{
	struct device device, like = ordinary;
	struct disk_result result;

	(void)state;
	like.fail_at = 3;
	like.status = SCSI_CHECK_CONDITION;
	like.key = 3;
	result = run(&device, &like, DISK_READ, 0, DISK_BYTES_MAX);
	assert_int_equal(result.rc, RC_INTERNAL);
	assert_int_equal(result.bytes, 0);
	assert_int_equal(device.count, 3);
	result = run(&device, &like, DISK_WRITE, 0, DISK_BYTES_MAX);
	assert_int_equal(result.rc, RC_INTERNAL);
	assert_int_equal(device.count, 3);
}

/* The caller was told of a timeout: the rest of the write is not sent behind it. */
static void test_deadline_between_pieces(void **state)
{
	const struct disk_job job = {
		.op = DISK_WRITE, .deadline = clock_now(), .bytes = DISK_BYTES_MAX, .data = buffer
	};
	struct device device = ordinary;
	struct scsi_unit unit = { .transport = transport,
				  .device = &device,
				  .name = "d",
				  .sector_bytes = 512,
				  .has_fua = 1 };
	struct disk_result result;

	(void)state;
	disk_result_init(&result);
	scsi_unit_exec(&unit, &job, &result);
	assert_int_equal(result.rc, RC_TIMEOUT);
	assert_int_equal(device.count, 1);
}

static void test_short_read(void **state)
{
	struct device device, like = ordinary;

	(void)state;
	like.short_by = 1;
	assert_int_equal(run(&device, &like, DISK_READ, 0, 512).rc, RC_PROTOCOL);
}

static void test_meanings(void **state)
{
	static const struct {
		uint8_t status, key, asc;
		int rc;
	} cases[] = {
		{ SCSI_RESERVATION_CONFLICT, 0, 0, RC_PRIVILEGE },
		{ SCSI_BUSY, 0, 0, RC_BUSY },
		{ SCSI_TASK_SET_FULL, 0, 0, RC_BUSY },
		{ SCSI_TASK_ABORTED, 0, 0, RC_BUSY },
		{ 0x30, 0, 0, RC_PROTOCOL },
		{ SCSI_CHECK_CONDITION, 2, 0x04, RC_BUSY },
		{ SCSI_CHECK_CONDITION, 3, 0x11, RC_INTERNAL },
		{ SCSI_CHECK_CONDITION, 4, 0x00, RC_INTERNAL },
		{ SCSI_CHECK_CONDITION, 5, 0x20, RC_UNSUPPORTED },
		{ SCSI_CHECK_CONDITION, 5, 0x25, RC_UNREACHABLE },
		{ SCSI_CHECK_CONDITION, 6, 0x29, RC_BUSY },
		{ SCSI_CHECK_CONDITION, 7, 0x27, RC_CONFIG },
		{ SCSI_CHECK_CONDITION, 11, 0x00, RC_BUSY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct device device, like = ordinary;
		struct disk_result result;

		like.fail_at = 1;
		like.status = cases[i].status;
		like.key = cases[i].key;
		like.asc = cases[i].asc;
		result = run(&device, &like, DISK_WRITE, 0, 512);
		assert_int_equal(result.rc, cases[i].rc);
		assert_int_equal(result.status, cases[i].status);
		assert_int_equal(result.err.rc, cases[i].rc);
		assert_false(result.is_outstanding);
	}
}

/* No answer to a write leaves it in doubt, no answer to a read does not. */
static void test_no_answer(void **state)
{
	struct device device, like = ordinary;
	struct disk_result result;

	(void)state;
	like.fail_at = 1;
	like.rc = RC_UNREACHABLE;
	result = run(&device, &like, DISK_WRITE, 0, 512);
	assert_int_equal(result.rc, RC_UNREACHABLE);
	assert_true(result.is_outstanding);
	assert_false(mono_is_never(result.submitted_at));
	result = run(&device, &like, DISK_READ, 0, 512);
	assert_int_equal(result.rc, RC_UNREACHABLE);
	assert_false(result.is_outstanding);
}

/* A command of the caller's own is carried as it is, and so is its answer. */
static void test_own_commands(void **state)
{
	struct device device = ordinary;
	struct scsi_unit unit = { .transport = transport, .device = &device, .name = "d" };
	const struct disk_job job = { .op = DISK_SCSI,
				      .deadline = MONO_NEVER,
				      .cdb = { 0x5e, 1 },
				      .cdb_bytes = 10,
				      .direction = DISK_FROM_DEVICE,
				      .bytes = 24,
				      .data = buffer };
	struct disk_result result;

	(void)state;
	device.attentions = 1;
	disk_result_init(&result);
	scsi_unit_exec(&unit, &job, &result);
	assert_int_equal(result.rc, 0);
	assert_int_equal(result.status, SCSI_CHECK_CONDITION);
	assert_int_equal(result.sense[2], 6);
	assert_int_equal(device.count, 1);
	assert_memory_equal(device.log[0].cdb, job.cdb, sizeof job.cdb);
	assert_int_equal(device.log[0].bytes, 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ordinary),
		cmocka_unit_test(test_old_device),
		cmocka_unit_test(test_header_of_another_page),
		cmocka_unit_test(test_attentions_at_opening),
		cmocka_unit_test(test_odd_sectors),
		cmocka_unit_test(test_each_step_fails),
		cmocka_unit_test(test_modes_reserved),
		cmocka_unit_test(test_durable_writes),
		cmocka_unit_test(test_long_addresses),
		cmocka_unit_test(test_in_pieces),
		cmocka_unit_test(test_a_piece_fails),
		cmocka_unit_test(test_deadline_between_pieces),
		cmocka_unit_test(test_short_read),
		cmocka_unit_test(test_meanings),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_own_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
