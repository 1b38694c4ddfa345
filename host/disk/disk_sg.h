/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * disk_sg.h - SCSI commands by SG_IO to a descriptor that somebody else opened.
 *
 * Caller: disk_file.c. The descriptor stays the caller's; it is opened once and kept, because each
 * close of one that can write makes udev read the disk.
 */
#ifndef HOLDFAST_DISK_SG_H
#define HOLDFAST_DISK_SG_H

#include "host/disk/scsi_block.h"

struct disk_sg;

/* 0, or RC_UNSUPPORTED when the descriptor takes no SCSI commands. */
int disk_sg_open(int fd, const char *name, struct disk_sg **sg, struct err *err);

/* A scsi_transport; the device is a struct disk_sg. It cannot be told to give up (SG_IO cannot be
 * taken back), only the kernel does, after its own long time. */
void disk_sg_transport(void *device, const struct scsi_command *command, mono_t until,
		       struct disk_result *result);

void disk_sg_close(struct disk_sg *sg);

/* What the kernel says instead of an answer: 0 when there is an answer. Pure. `host` is the host
 * status of SG_IO, `os` an errno. */
int disk_sg_rc(int os, int host);

#endif
