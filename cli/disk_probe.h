/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * disk_probe.h - what is on a disk that is about to be overwritten?
 *
 * Caller: disk_init.c. Signatures of file systems, RAID, LVM, swap and partition tables are libblkid's
 * business; it is shown a sparse picture of the disk, so that it works for every kind of disk.
 */
#ifndef HOLDFAST_CLI_DISK_PROBE_H
#define HOLDFAST_CLI_DISK_PROBE_H

#include "cli/disk_session.h"

enum { PROBE_NAME_BYTES = 64 };

struct disk_probe {
	int is_empty;		     /* nothing known, and zeros where we would write */
	char name[PROBE_NAME_BYTES]; /* what --force has to say: "ext4", "gpt", a cluster's name */
	char text[2 * PROBE_NAME_BYTES]; /* "a file system (ext4)" */
	int is_ours;			 /* its superblock can be read */
	struct super_record super;
	struct disk_layout layout;
};

/* end: how many bytes from the beginning would be written. */
int disk_probe(struct session_disk *disk, uint64_t end, struct disk_probe *probe, struct err *err);

#endif
