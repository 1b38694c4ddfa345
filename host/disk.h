/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * disk.h - one path to a shared disk: requests with tokens and deadlines (rules S6, S7).
 *
 * Callers: lockd, `holdfast disk` and `holdfast pr`. A URL names the disk:
 *	/path                     a file or block device, O_DIRECT
 *	/dev/sgN, /dev/sdX        the same, with SCSI commands by SG_IO (libsgutils2)
 *	iscsi://[user[%pass]@]host[:port]/iqn/lun   libiscsi, no kernel initiator needed
 * A user without a password: the secret is looked up in the file of $HOLDFAST_CHAP_FILE
 * (/etc/holdfast/chap), see host/disk/iscsi_url.h.
 *
 * One worker thread per path does one request after the other, so that a hung disk makes one input
 * stale and blocks nobody. A request is copied on submission and has a deadline. It is answered
 * exactly once by DISK_DONE: with its result, or with RC_TIMEOUT when the deadline passed first. A
 * request that timed out still owns its buffer and may still land on the medium (S7): the answer
 * says is_outstanding, what comes of it is told later by DISK_LATE with the same token, and until
 * then the path takes no other request to the device (they wait, and time out).
 *
 * An iSCSI path does not log in again by itself: a new session is a new start for reservations, and
 * only the caller knows what to do about it. Once the session is lost, requests are answered
 * RC_UNREACHABLE until disk_reinstate() was called and its login worked. A write or SCSI command
 * that was on its way when the session broke is answered RC_UNREACHABLE with is_outstanding; its
 * DISK_LATE comes when the new login has made the target forget it.
 *
 * A write is durable when its answer says rc 0. Opening clears the unit attentions that wait for the
 * path; those that come later, or with a new login, are passed up untouched.
 *
 * Ownership: the disk owns every buffer. Data of a read belongs to the disk and is valid only inside
 * the handler. Handlers run on the thread of the loop that the disk was opened on, out of the loop
 * or out of disk_close(), never out of another call. A handler may call everything here.
 */
#ifndef HOLDFAST_DISK_H
#define HOLDFAST_DISK_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "base/mono.h"

enum {
	DISK_QUEUE_MAX = 16,	  /* requests of one path that are not answered */
	DISK_BYTES_MAX = 1 << 20, /* data of one request */
	DISK_CDB_BYTES_MAX = 16,
	DISK_SENSE_BYTES_MAX = 64,
	DISK_ID_BYTES = 64, /* hexadecimal designator of VPD page 0x83, or dev:inode of a file */
};

enum disk_kind { DISK_FILE, DISK_SG, DISK_ISCSI };

/* What the disk is; filled by disk_open(). */
struct disk_facts {
	enum disk_kind kind;
	uint32_t sector_bytes; /* logical: 512 or 4096 */
	uint64_t sectors;
	uint32_t physical_bytes; /* what the device writes as one piece; at least sector_bytes */
	int is_read_only;
	int is_direct;		/* no page cache in between; 0: a file system without O_DIRECT */
	int has_scsi;		/* requests DISK_SCSI work */
	char id[DISK_ID_BYTES]; /* the same for every path to one logical unit; never empty */
	char vendor[9], product[17], revision[5]; /* INQUIRY; empty where has_scsi is 0 */
};

struct disk_options {
	const char *initiator; /* iSCSI initiator name (IQN); NULL: of this host */
	uint8_t isid[6]; /* fixed ISID; all zero: derived from initiator name, URL and `nexus` */
	uint8_t nexus;	 /* two programs of one host that open one URL must differ in it, else the
			  * login of the second throws the session of the first out */
	int64_t open_timeout_ms; /* also for the login of disk_reinstate() */
	int read_only;
	uint32_t
		sector_bytes; /* of a plain file: 512 or 4096, 0 means 512; a device knows its own */
};

enum disk_op { DISK_READ, DISK_WRITE, DISK_FLUSH, DISK_SCSI };
enum disk_direction { DISK_NO_DATA, DISK_FROM_DEVICE, DISK_TO_DEVICE };

struct disk_request {
	uint64_t token; /* chosen by the caller, echoed */
	enum disk_op op;
	mono_t deadline;
	uint64_t sector;  /* READ, WRITE: first sector */
	uint32_t bytes;	  /* READ, WRITE: whole sectors; SCSI: length of the data */
	const void *data; /* WRITE, SCSI to the device: copied before disk_submit() returns */
	uint8_t cdb[DISK_CDB_BYTES_MAX]; /* SCSI */
	uint8_t cdb_bytes;
	enum disk_direction direction;
};

enum disk_answer_kind { DISK_DONE, DISK_LATE };

struct disk_answer {
	enum disk_answer_kind kind;
	uint64_t token;
	enum disk_op op;
	int rc; /* 0: done; for DISK_SCSI: the device answered, see status. Reads and writes: RC_PRIVILEGE
		 * is a reservation conflict, RC_BUSY worth another try (unit attention, busy) */
	int is_outstanding; /* DISK_DONE: it is with the device and may still land; DISK_LATE follows */
	mono_t submitted_at; /* when the worker handed it to the device: the stamp of S7; MONO_NEVER: never was */
	mono_t ended_at;
	const uint8_t *data; /* what was read */
	uint32_t bytes;
	uint8_t status; /* SCSI status: 0x00 good, 0x02 check condition, 0x18 reservation conflict ... */
	uint8_t sense[DISK_SENSE_BYTES_MAX];
	uint8_t sense_bytes;
	const struct err *err; /* when rc is not 0: object, cause, next step */
};

struct disk;

typedef void disk_handler(struct disk *disk, const struct disk_answer *answer, void *context);

/* Open a path and read its facts; waits at most options->open_timeout_ms. */
int disk_open(uv_loop_t *loop, const char *url, const struct disk_options *options,
	      disk_handler *handler, void *context, struct disk **disk, struct err *err);

/* The same without waiting. `opened` is called once from the loop: with the disk, or with NULL and
 * the reason. RC_CONFIG, RC_INTERNAL: it is not called. */
struct disk_opening;

typedef void disk_opened(struct disk *disk, const struct err *err, void *context);

int disk_open_start(uv_loop_t *loop, const char *url, const struct disk_options *options,
		    disk_opened *opened, disk_handler *handler, void *context,
		    struct disk_opening **opening, struct err *err);

/* Give it up: `opened` is not called any more. */
void disk_open_cancel(struct disk_opening *opening);

const struct disk_facts *disk_facts(const struct disk *disk);
const char *disk_name(const struct disk *disk); /* the URL without its password */

/* Hand a request in. 0, or RC_BUSY (queue full), RC_CONFIG (range, alignment, read-only, no SCSI):
 * then there is no answer. */
int disk_submit(struct disk *disk, const struct disk_request *request, struct err *err);

/* Let go: the disk is not to be used any more, no handler is called after this returns. What has no
 * answer yet is answered RC_CANCELLED before it returns; a worker that hangs in the kernel is left
 * behind with its buffers. For iSCSI the session is logged out when that is possible at once. The
 * memory goes when the loop has turned again; it turns at most a second longer because of this. */
void disk_close(struct disk *disk);

/* iSCSI: drop the session and log in anew with the same ISID, so that the target disposes of the
 * old session's tasks (RFC 7143, 6.3.5 session reinstatement). Returns at once; what had no answer
 * is answered RC_UNREACHABLE first, what is submitted from now on waits for the login. If that
 * fails, it is answered with the reason, and so is all else until the next call. A login that finds
 * another logical unit fails. RC_BUSY: a login is under way. Other kinds: RC_UNSUPPORTED. */
int disk_reinstate(struct disk *disk, struct err *err);

#endif
