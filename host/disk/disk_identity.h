/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * disk_identity.h - which logical unit a path leads to, and whether two paths lead to one.
 *
 * Callers: scsi_block.c, disk_file.c, disk_iscsi.c; whoever opens several disks.
 *
 * A cluster that counts one LUN twice has a majority that is none, and one that takes two LUNs for
 * the same writes half of its records where nobody reads. Names say nothing about it.
 *
 * An identity is text, its kind before a dot: naa. or eui. and hexadecimal digits as in the sysfs
 * attribute wwid, name. a SCSI name string, t10. a vendor's designation, serial. vendor, product
 * and serial number, file. device and inode, and for block devices without SCSI what sysfs has.
 *
 * Pure: no I/O, no clock, no allocation. Input of the decoders is hostile.
 */
#ifndef HOLDFAST_DISK_IDENTITY_H
#define HOLDFAST_DISK_IDENTITY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "host/disk.h"

/* The best designator of the logical unit in VPD page 0x83 (SPC-4, 7.8.6): NAA, then EUI-64, T10
 * vendor ID, SCSI name string. 0, or RC_UNSUPPORTED when there is none. */
int disk_identity_of_page_83(const uint8_t *page, size_t bytes, char id[DISK_ID_BYTES]);

/* Of the unit serial number of VPD page 0x80, together with vendor and product. */
int disk_identity_of_page_80(const uint8_t *page, size_t bytes, const struct disk_facts *facts,
			     char id[DISK_ID_BYTES]);

/* kind.text, made printable without blanks; what does not fit is replaced by a hash of the whole.
 * RC_UNSUPPORTED when the text is empty. */
int disk_identity_of_text(const char *kind, const char *text, size_t bytes, char id[DISK_ID_BYTES]);

enum disk_relation {
	DISKS_DISTINCT,
	DISKS_SAME_UNIT,  /* two paths to one logical unit */
	DISKS_CONTRADICT, /* one name for two units, or one identity for two units */
};

/* What is known of a disk: just opened, or remembered from before. */
struct disk_known {
	const char *name;
	const struct disk_facts *facts;
};

enum disk_relation disk_relation(const struct disk_known *a, const struct disk_known *b);

/* May these be counted as so many disks? 0, or RC_CONFIG with the first pair that may not. */
int disk_identities_check(const struct disk_known *known, size_t count, struct err *err);

#endif
