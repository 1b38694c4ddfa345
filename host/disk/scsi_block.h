/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * scsi_block.h - a SCSI block device over any transport: its facts, reads and writes by CDB.
 *
 * Callers: disk_sg.c (SG_IO) and disk_iscsi.c (libiscsi), on the worker. Both lend a function that
 * carries one command.
 *
 * Every write is durable when it is answered (SBC-3): with FUA where the device has it, else with
 * SYNCHRONIZE CACHE behind it, or with neither when there is no write cache.
 *
 * The decoders are pure; their input is hostile.
 */
#ifndef HOLDFAST_SCSI_BLOCK_H
#define HOLDFAST_SCSI_BLOCK_H

#include "host/disk/disk_backend.h"

enum {
	SCSI_GOOD = 0x00,
	SCSI_CHECK_CONDITION = 0x02,
	SCSI_BUSY = 0x08,
	SCSI_RESERVATION_CONFLICT = 0x18,
	SCSI_TASK_SET_FULL = 0x28,
	SCSI_TASK_ABORTED = 0x40,
};

struct scsi_command {
	uint8_t cdb[DISK_CDB_BYTES_MAX];
	uint8_t cdb_bytes;
	enum disk_direction direction;
	uint8_t *data;
	uint32_t bytes;
};

/* Carry one command to the device and its answer back. Into the result go the status, the sense
 * data, the number of bytes that came, rc when there was no answer, and the stamp of submission if
 * there is none yet. Waits until the moment given, which is MONO_NEVER for all but opening. */
typedef void scsi_transport(void *device, const struct scsi_command *command, mono_t until,
			    struct disk_result *result);

struct scsi_unit {
	scsi_transport *transport;
	void *device;
	const char *name;
	uint32_t sector_bytes;
	int has_fua;   /* DPOFUA of the mode parameter header (SBC-3, 6.4.1) */
	int has_cache; /* WCE of the caching mode page (SBC-3, 6.4.5) */
};

/* Read everything about the unit, but facts->kind and is_direct. */
int scsi_unit_open(struct scsi_unit *unit, mono_t until, struct disk_facts *facts, struct err *err);

/* Read its identity alone. Needs no registration and clears no unit attention (SPC-4, 5.14). */
int scsi_unit_identity(struct scsi_unit *unit, mono_t until, const struct disk_facts *facts,
		       char id[DISK_ID_BYTES], struct err *err);

/* Do a job. */
void scsi_unit_exec(struct scsi_unit *unit, const struct disk_job *job, struct disk_result *result);

/* ---- decoders ---- */

/* Sense key, additional sense code and qualifier, of fixed or descriptor format (SPC-4, 4.5). 0 or
 * RC_PROTOCOL. */
int scsi_sense_decode(const uint8_t *sense, size_t bytes, uint8_t *key, uint8_t *asc,
		      uint8_t *ascq);

/* Standard INQUIRY data (SPC-4, 6.6.2): names into the facts. RC_CONFIG: no such LUN, or no disk. */
int scsi_inquiry_decode(const uint8_t *data, size_t bytes, const char *name,
			struct disk_facts *facts, struct err *err);

/* READ CAPACITY data of 10 or 16 (SBC-3, 5.16 and 5.17). 1: the device is too large for 10. */
int scsi_capacity_10_decode(const uint8_t *data, size_t bytes, struct disk_facts *facts);
int scsi_capacity_16_decode(const uint8_t *data, size_t bytes, struct disk_facts *facts);

/* MODE SENSE(6) of the caching page. What it does not say stays: no FUA, a cache. */
void scsi_mode_decode(const uint8_t *data, size_t bytes, int *is_protected, int *has_fua,
		      int *has_cache);

#endif
