/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * record_wire.h - what every record on a shared disk has in common: 512 bytes, header, checksum.
 *
 * Callers: the codecs of the records (super_wire, slot_wire, arbiter_wire). The bytes are described
 * in docs/format-disk.md; a test holds the two together.
 *
 * A record is 512 bytes because that is what every disk writes whole or not at all. It stands
 * alone: nothing in it means anything only together with another record, so records that were
 * written by one request may each be old or new after it was torn.
 *
 * The checksum spans bytes 0 to 507 in every version for ever, so that "newer than this program"
 * is never taken for "damaged", or the other way round.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_RECORD_WIRE_H
#define HOLDFAST_RECORD_WIRE_H

#include <stddef.h>
#include <stdint.h>

enum {
	RECORD_BYTES = 512,
	RECORD_BODY_AT = 44,
	RECORD_CRC_AT = 508,
	RECORD_BODY_BYTES = RECORD_CRC_AT - RECORD_BODY_AT,
	RECORD_VERSION = 1,

	NODES_MAX = 64,
	DISKS_MAX = 3,
	NODE_NAME_BYTES = 64,	 /* with its NUL */
	CLUSTER_NAME_BYTES = 64, /* with its NUL */
	MACHINE_ID_BYTES = 16,

	/* No timeout of a record is longer: a day. What says more is not ours. */
	RECORD_TIMEOUT_MAX_MS = 86400000,
};

/* Four letters each, in the order of the disk. */
#define RECORD_MAGIC(a, b, c, d)                                                                   \
	((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define RECORD_SUPER RECORD_MAGIC('H', 'F', 's', 'b')
#define RECORD_HEARTBEAT RECORD_MAGIC('H', 'F', 'h', 'b')
#define RECORD_OUTBOX RECORD_MAGIC('H', 'F', 'o', 'b')
#define RECORD_ACKS RECORD_MAGIC('H', 'F', 'a', 'k')
#define RECORD_MESSAGE RECORD_MAGIC('H', 'F', 'm', 's')
#define RECORD_WORDS RECORD_MAGIC('H', 'F', 'l', 'w')
#define RECORD_CLAIM RECORD_MAGIC('H', 'F', 'c', 'l')
#define RECORD_ARBITER RECORD_MAGIC('H', 'F', 'a', 'r')
#define RECORD_DOCTOR RECORD_MAGIC('H', 'F', 'd', 'r')

/* Feature bits that this program knows. An unknown bit of `compat` may be passed over by who does
 * not know it; with an unknown bit of `incompat` the record must not be used, nor written over. */
enum { RECORD_COMPAT_KNOWN = 0, RECORD_INCOMPAT_KNOWN = 0 };

enum record_verdict {
	RECORD_OK,
	RECORD_EMPTY,	  /* 512 zeros: never written */
	RECORD_FOREIGN,	  /* no record of ours */
	RECORD_TORN,	  /* its checksum does not fit: damaged, or read while it was written */
	RECORD_NEWER,	  /* a version, or a feature, that this program does not know */
	RECORD_ALIEN,	  /* of another cluster */
	RECORD_MISPLACED, /* whole, but it belongs elsewhere: a write or read went astray */
	RECORD_INVALID,	  /* whole and ours, with a value that cannot be */
	RECORD_VERDICTS,
};

struct record_head {
	uint32_t magic;
	uint16_t version;
	uint16_t node; /* whose slot, 1..64; 0 in the superblock */
	uint32_t compat, incompat;
	uint64_t cluster;     /* drawn at random by `holdfast disk init` */
	uint64_t sequence;    /* grows with each write of this record by one incarnation */
	uint32_t incarnation; /* of the node; grows with each of its starts */
	uint32_t nonce; /* random for each incarnation: tells two machines with one id apart */
	uint32_t place; /* byte offset on the disk divided by 512 */
};

/* What a record must be at a place. */
struct record_want {
	uint32_t magic;
	uint16_t node;
	uint64_t cluster; /* 0: any (the superblock itself) */
	uint64_t offset;  /* in bytes */
};

/* "damaged (its checksum does not fit)"; static text. */
const char *record_verdict_text(enum record_verdict verdict);

/* Read the header and judge the record. *head is filled from RECORD_NEWER on, else zeroed. */
enum record_verdict record_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			      struct record_head *head);

/* Write the header, and the checksum over what the caller has put into the body. */
void record_out(uint8_t block[RECORD_BYTES], const struct record_head *head);

/* Is a NUL-padded name of `size` bytes fit to be one: letters, digits, `.`, `-`, `_`, not empty,
 * nothing behind its NUL? */
int record_name_ok(const char *name, size_t size);

#endif
