/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * scsi_block.c - see scsi_block.h.
 */
#include "host/disk/scsi_block.h"

#include <stdio.h>
#include <string.h>

#include "base/bigendian.h"
#include "base/text.h"
#include "host/clock.h"
#include "host/disk/disk_identity.h"

enum {
	OP_INQUIRY = 0x12,
	OP_MODE_SENSE_6 = 0x1a,
	OP_READ_CAPACITY_10 = 0x25,
	OP_READ_10 = 0x28,
	OP_WRITE_10 = 0x2a,
	OP_SYNCHRONIZE_CACHE_10 = 0x35,
	OP_READ_16 = 0x88,
	OP_WRITE_16 = 0x8a,
	OP_SERVICE_IN_16 = 0x9e,
	SA_READ_CAPACITY_16 = 0x10,
	FUA = 0x08,
	PAGE_CACHING = 0x08,

	KEY_NOT_READY = 2,
	KEY_MEDIUM_ERROR = 3,
	KEY_HARDWARE_ERROR = 4,
	KEY_ILLEGAL_REQUEST = 5,
	KEY_UNIT_ATTENTION = 6,
	KEY_DATA_PROTECT = 7,
	KEY_ABORTED_COMMAND = 11,
	ASC_NO_SUCH_LUN = 0x25,

	/* A superblock and 64 slots of 4 KiB, so that a heartbeat is one command for any number of
	 * nodes; less than the 512 KiB that Linux gives a command by default. */
	CHUNK_BYTES = 320 * 1024,
	/* Every unit attention that waits is told by one command; more is a device gone mad. */
	ATTENTIONS_MAX = 16,
	INQUIRY_BYTES = 96,
	VPD_BYTES = 1024,
};

/* ---- decoders ---- */

int scsi_sense_decode(const uint8_t *sense, size_t bytes, uint8_t *key, uint8_t *asc, uint8_t *ascq)
{
	*key = *asc = *ascq = 0;
	if (bytes < 1)
		return RC_PROTOCOL;
	switch (sense[0] & 0x7f) {
	case 0x70: /* fixed, current */
	case 0x71: /* fixed, deferred */
		if (bytes < 3)
			return RC_PROTOCOL;
		*key = sense[2] & 0xf;
		if (bytes >= 14) {
			*asc = sense[12];
			*ascq = sense[13];
		}
		return 0;
	case 0x72: /* descriptors, current */
	case 0x73: /* descriptors, deferred */
		if (bytes < 4)
			return RC_PROTOCOL;
		*key = sense[1] & 0xf;
		*asc = sense[2];
		*ascq = sense[3];
		return 0;
	default:
		return RC_PROTOCOL;
	}
}

int scsi_inquiry_decode(const uint8_t *data, size_t bytes, const char *name,
			struct disk_facts *facts, struct err *err)
{
	uint8_t qualifier, type;

	if (bytes < 36)
		return err_set(err, RC_PROTOCOL, NULL, "%s: INQUIRY gave only %zu bytes", name,
			       bytes);
	qualifier = data[0] >> 5;
	type = data[0] & 0x1f;
	/* SPC-4, 6.6.2: 011b, nothing can be there; 001b, there is nothing now. */
	if (qualifier != 0)
		return err_set(err, RC_CONFIG, "check the LUN and what the target shows to us",
			       "%s: there is no such logical unit", name);
	if (type != 0x00 && type != 0x0e && type != 0x14)
		return err_set(err, RC_CONFIG, NULL,
			       "%s: is not a disk (peripheral device type 0x%02x)", name, type);
	text_clean(facts->vendor, sizeof facts->vendor, (const char *)data + 8, 8);
	text_clean(facts->product, sizeof facts->product, (const char *)data + 16, 16);
	text_clean(facts->revision, sizeof facts->revision, (const char *)data + 32, 4);
	return 0;
}

int scsi_capacity_10_decode(const uint8_t *data, size_t bytes, struct disk_facts *facts)
{
	if (bytes < 8)
		return RC_PROTOCOL;
	if (be_get32(data) == UINT32_MAX)
		return 1;
	facts->sectors = (uint64_t)be_get32(data) + 1;
	facts->sector_bytes = be_get32(data + 4);
	facts->physical_bytes = facts->sector_bytes;
	return 0;
}

int scsi_capacity_16_decode(const uint8_t *data, size_t bytes, struct disk_facts *facts)
{
	if (bytes < 14 || be_get64(data) >= UINT64_MAX >> 12)
		return RC_PROTOCOL;
	facts->sectors = be_get64(data) + 1;
	facts->sector_bytes = be_get32(data + 8);
	/* Logical blocks per physical block exponent */
	facts->physical_bytes = facts->sector_bytes << (data[13] & 0xf);
	return 0;
}

void scsi_mode_decode(const uint8_t *data, size_t bytes, int *is_protected, int *has_fua,
		      int *has_cache)
{
	size_t at, end;

	*is_protected = 0;
	*has_fua = 0;
	*has_cache = 1;
	if (bytes < 4)
		return;
	*is_protected = (data[2] & 0x80) != 0;
	*has_fua = (data[2] & 0x10) != 0;
	/* Header, block descriptors, then pages of code, length, content. */
	end = (size_t)data[0] + 1 < bytes ? (size_t)data[0] + 1 : bytes;
	for (at = 4 + (size_t)data[3]; at + 3 <= end; at += 2 + (size_t)data[at + 1])
		if ((data[at] & 0x3f) == PAGE_CACHING && data[at + 1] > 0)
			*has_cache = (data[at + 2] & 0x04) != 0;
}

/* ---- what an answer means ---- */

static void fail_by_sense(const struct scsi_unit *unit, const char *what,
			  struct disk_result *result)
{
	uint8_t key, asc, ascq;
	int rc = RC_INTERNAL;

	if (scsi_sense_decode(result->sense, result->sense_bytes, &key, &asc, &ascq) != 0) {
		disk_result_fail(result, RC_PROTOCOL, NULL,
				 "%s: %s failed without a reason (no sense data)", unit->name,
				 what);
		return;
	}
	switch (key) {
	case KEY_UNIT_ATTENTION:
	case KEY_NOT_READY:
	case KEY_ABORTED_COMMAND:
		rc = RC_BUSY;
		break;
	case KEY_ILLEGAL_REQUEST:
		rc = asc == ASC_NO_SUCH_LUN ? RC_UNREACHABLE : RC_UNSUPPORTED;
		break;
	case KEY_DATA_PROTECT:
		rc = RC_CONFIG;
		break;
	case KEY_MEDIUM_ERROR:
	case KEY_HARDWARE_ERROR:
	default:
		break;
	}
	disk_result_fail(result, rc, NULL, "%s: %s: the device says sense %x/%02x/%02x", unit->name,
			 what, key, asc, ascq);
}

/* Give a result whose command was answered its rc. */
static int judge(const struct scsi_unit *unit, const char *what, struct disk_result *result)
{
	if (result->rc != 0)
		return result->rc;
	switch (result->status) {
	case SCSI_GOOD:
		break;
	case SCSI_CHECK_CONDITION:
		fail_by_sense(unit, what, result);
		break;
	case SCSI_RESERVATION_CONFLICT:
		disk_result_fail(result, RC_PRIVILEGE, "see who holds the reservation",
				 "%s: %s refused: reservation conflict", unit->name, what);
		break;
	case SCSI_BUSY:
	case SCSI_TASK_SET_FULL:
	case SCSI_TASK_ABORTED:
		disk_result_fail(result, RC_BUSY, NULL, "%s: %s not done (SCSI status 0x%02x)",
				 unit->name, what, result->status);
		break;
	default:
		disk_result_fail(result, RC_PROTOCOL, NULL, "%s: %s: SCSI status 0x%02x",
				 unit->name, what, result->status);
	}
	return result->rc;
}

/* ---- opening ---- */

static int is_attention(const struct disk_result *result)
{
	uint8_t key, asc, ascq;

	return result->rc == 0 && result->status == SCSI_CHECK_CONDITION &&
	       scsi_sense_decode(result->sense, result->sense_bytes, &key, &asc, &ascq) == 0 &&
	       key == KEY_UNIT_ATTENTION;
}

/* Ask for something, again while unit attentions come first. */
static int ask(struct scsi_unit *unit, const char *what, const struct scsi_command *command,
	       mono_t until, struct disk_result *result)
{
	for (int i = 0; i < ATTENTIONS_MAX; i++) {
		disk_result_init(result);
		unit->transport(unit->device, command, until, result);
		if (!is_attention(result))
			break;
	}
	return judge(unit, what, result);
}

static int inquire(struct scsi_unit *unit, int page, uint8_t *data, uint16_t bytes, mono_t until,
		   struct disk_result *result)
{
	const struct scsi_command command = {
		.cdb = { OP_INQUIRY, page >= 0, (uint8_t)(page >= 0 ? page : 0),
			 (uint8_t)(bytes >> 8), (uint8_t)bytes },
		.cdb_bytes = 6,
		.direction = DISK_FROM_DEVICE,
		.data = data,
		.bytes = bytes,
	};

	memset(data, 0, bytes);
	return ask(unit, "INQUIRY", &command, until, result);
}

int scsi_unit_identity(struct scsi_unit *unit, mono_t until, const struct disk_facts *facts,
		       char id[DISK_ID_BYTES], struct err *err)
{
	uint8_t data[VPD_BYTES];
	struct disk_result result;
	int rc;

	rc = inquire(unit, 0x83, data, sizeof data, until, &result);
	if (rc == 0 && disk_identity_of_page_83(data, result.bytes, id) == 0)
		return 0;
	/* A device without the page says ILLEGAL REQUEST. */
	if (rc == 0 || rc == RC_UNSUPPORTED) {
		rc = inquire(unit, 0x80, data, sizeof data, until, &result);
		if (rc == 0 && disk_identity_of_page_80(data, result.bytes, facts, id) == 0)
			return 0;
	}
	if (rc != 0 && rc != RC_UNSUPPORTED) {
		*err = result.err;
		return rc;
	}
	return err_set(err, RC_UNSUPPORTED, "set a SCSI id or serial number on the target",
		       "%s: the disk has no identity (VPD pages 0x83 and 0x80)", unit->name);
}

static int read_capacity(struct scsi_unit *unit, mono_t until, struct disk_facts *facts,
			 struct err *err)
{
	uint8_t data[32] = { 0 };
	struct scsi_command command = {
		.cdb = { OP_SERVICE_IN_16, SA_READ_CAPACITY_16, [13] = sizeof data },
		.cdb_bytes = 16,
		.direction = DISK_FROM_DEVICE,
		.data = data,
		.bytes = sizeof data,
	};
	struct disk_result result;
	int rc = ask(unit, "READ CAPACITY(16)", &command, until, &result);

	if (rc == 0) {
		rc = scsi_capacity_16_decode(data, result.bytes, facts);
	} else if (rc == RC_UNSUPPORTED) {
		command = (struct scsi_command){ .cdb = { OP_READ_CAPACITY_10 },
						 .cdb_bytes = 10,
						 .direction = DISK_FROM_DEVICE,
						 .data = data,
						 .bytes = 8 };
		memset(data, 0, sizeof data);
		rc = ask(unit, "READ CAPACITY(10)", &command, until, &result);
		if (rc == 0)
			rc = scsi_capacity_10_decode(data, result.bytes, facts);
	}
	if (result.rc != 0) {
		*err = result.err;
		return result.rc;
	}
	if (rc != 0 || (facts->sector_bytes != 512 && facts->sector_bytes != 4096))
		return err_set(err, RC_UNSUPPORTED, "use a disk with sectors of 512 or 4096 bytes",
			       "%s: has %llu sectors of %u bytes", unit->name,
			       (unsigned long long)facts->sectors, facts->sector_bytes);
	return 0;
}

/* Whoever does not know the caching page still tells its header by another; one that knows neither
 * is taken for a device with a cache and without FUA. */
static int read_mode(struct scsi_unit *unit, mono_t until, struct disk_facts *facts,
		     struct err *err)
{
	static const uint8_t pages[] = { PAGE_CACHING, 0x3f };
	uint8_t data[192] = { 0 };
	struct disk_result result;
	int rc = RC_UNSUPPORTED;

	disk_result_init(&result);
	for (size_t i = 0; i < sizeof pages && rc == RC_UNSUPPORTED; i++) {
		const struct scsi_command command = {
			.cdb = { OP_MODE_SENSE_6, 0, pages[i], 0, sizeof data },
			.cdb_bytes = 6,
			.direction = DISK_FROM_DEVICE,
			.data = data,
			.bytes = sizeof data,
		};

		rc = ask(unit, "MODE SENSE", &command, until, &result);
	}
	/* Some targets let nobody but a holder read the modes of a reserved disk. */
	if (rc != 0 && rc != RC_UNSUPPORTED && rc != RC_PRIVILEGE) {
		*err = result.err;
		return rc;
	}
	scsi_mode_decode(data, rc == 0 ? result.bytes : 0, &facts->is_read_only, &unit->has_fua,
			 &unit->has_cache);
	return 0;
}

int scsi_unit_open(struct scsi_unit *unit, mono_t until, struct disk_facts *facts, struct err *err)
{
	uint8_t data[INQUIRY_BYTES];
	struct disk_result result;
	int rc = inquire(unit, -1, data, sizeof data, until, &result);

	if (rc != 0) {
		*err = result.err;
		return rc;
	}
	rc = scsi_inquiry_decode(data, result.bytes, unit->name, facts, err);
	if (rc == 0)
		rc = scsi_unit_identity(unit, until, facts, facts->id, err);
	if (rc == 0)
		rc = read_capacity(unit, until, facts, err);
	if (rc == 0)
		rc = read_mode(unit, until, facts, err);
	unit->sector_bytes = facts->sector_bytes;
	facts->has_scsi = 1;
	return rc;
}

/* ---- jobs ---- */

/* READ or WRITE (SBC-3, 5.11 to 5.13 and 5.32 to 5.34); the long form where the short is too short. */
static void transfer_cdb(struct scsi_command *command, int is_write, int has_fua, uint64_t sector,
			 uint32_t count)
{
	uint8_t *cdb = command->cdb;

	memset(cdb, 0, sizeof command->cdb);
	if (sector + count <= UINT32_MAX) {
		cdb[0] = is_write ? OP_WRITE_10 : OP_READ_10;
		be_put32(cdb + 2, (uint32_t)sector);
		be_put16(cdb + 7, (uint16_t)count);
		command->cdb_bytes = 10;
	} else {
		cdb[0] = is_write ? OP_WRITE_16 : OP_READ_16;
		be_put64(cdb + 2, sector);
		be_put32(cdb + 10, count);
		command->cdb_bytes = 16;
	}
	/* A read with FUA comes from the medium, not from a cache of its own (SBC-3, 4.15). */
	if (has_fua)
		cdb[1] = FUA;
}

static void sync_cache(struct scsi_unit *unit, struct disk_result *result)
{
	const struct scsi_command command = { .cdb = { OP_SYNCHRONIZE_CACHE_10 },
					      .cdb_bytes = 10,
					      .direction = DISK_NO_DATA };

	unit->transport(unit->device, &command, MONO_NEVER, result);
	/* No such command, no cache that one could write back. */
	if (judge(unit, "SYNCHRONIZE CACHE", result) == RC_UNSUPPORTED) {
		mono_t submitted_at = result->submitted_at;

		disk_result_init(result);
		result->submitted_at = submitted_at;
	}
}

static void transfer(struct scsi_unit *unit, const struct disk_job *job, struct disk_result *result)
{
	int is_write = job->op == DISK_WRITE;
	const char *what = is_write ? "WRITE" : "READ";
	uint32_t done = 0;

	while (done < job->bytes && result->rc == 0) {
		uint32_t left = job->bytes - done;
		struct scsi_command command = {
			.direction = is_write ? DISK_TO_DEVICE : DISK_FROM_DEVICE,
			.data = job->data + done,
			.bytes = left < CHUNK_BYTES ? left : CHUNK_BYTES,
		};

		/* The caller has had his answer: do not send the rest behind it. */
		if (done > 0 && mono_reached(clock_now(), job->deadline)) {
			disk_result_fail(result, RC_TIMEOUT, NULL,
					 "%s: %s stopped after %u of %u bytes", unit->name, what,
					 done, job->bytes);
			break;
		}
		transfer_cdb(&command, is_write, unit->has_fua,
			     job->sector + done / unit->sector_bytes,
			     command.bytes / unit->sector_bytes);
		result->bytes = 0;
		unit->transport(unit->device, &command, MONO_NEVER, result);
		if (judge(unit, what, result) == 0 && !is_write && result->bytes != command.bytes)
			disk_result_fail(result, RC_PROTOCOL, NULL, "%s: READ gave %u of %u bytes",
					 unit->name, result->bytes, command.bytes);
		done += command.bytes;
	}
	result->bytes = result->rc == 0 && !is_write ? job->bytes : 0;
	if (result->rc == 0 && is_write && !unit->has_fua && unit->has_cache)
		sync_cache(unit, result);
}

void scsi_unit_exec(struct scsi_unit *unit, const struct disk_job *job, struct disk_result *result)
{
	switch (job->op) {
	case DISK_READ:
	case DISK_WRITE:
		transfer(unit, job, result);
		break;
	case DISK_FLUSH:
		sync_cache(unit, result);
		break;
	case DISK_SCSI: {
		struct scsi_command command = { .cdb_bytes = job->cdb_bytes,
						.direction = job->direction,
						.data = job->data,
						.bytes = job->bytes };

		memcpy(command.cdb, job->cdb, sizeof command.cdb);
		unit->transport(unit->device, &command, MONO_NEVER, result);
		break;
	}
	}
	/* When the end of a read is not known, nothing of it can land any more either. */
	if (job->op == DISK_READ || job->op == DISK_FLUSH)
		result->is_outstanding = 0;
}
