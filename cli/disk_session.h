/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * disk_session.h - the shared disks that a subcommand works on, opened and judged.
 *
 * Callers: the subcommands of `holdfast disk`. Requests one at a time with session_io(), which waits; or a
 * heartbeat on all of them (hb_io), whose answers the session hands on.
 * Ownership: the session owns its loop and disks; session_close() always, also after a failure.
 */
#ifndef HOLDFAST_CLI_DISK_SESSION_H
#define HOLDFAST_CLI_DISK_SESSION_H

#include <uv.h>

#include "base/err.h"
#include "cli/command.h"
#include "diskhb/hb_io.h"
#include "host/disk.h"

enum { SESSION_TIMEOUT_MS = 10000 };

struct disk_session;

struct session_disk {
	struct disk_session *session;
	struct disk *disk;
	struct hb_area area;
	unsigned rank; /* in `ordered` */
	/* session_io() */
	int waiting, rc;
	int64_t took_ns; /* the device, with the last request that it got */
	uint8_t *buffer;
	struct err *err;
};

struct disk_session {
	uv_loop_t loop;
	int64_t timeout_ms;
	size_t count;
	struct session_disk disks[DISKS_MAX];	 /* as named */
	struct session_disk *ordered[DISKS_MAX]; /* by their index in the cluster */
	struct hb_io *io;			 /* NULL: no heartbeat */
	mono_t reinstated_at;
};

/* Open the disks of the URLs; 0, or an error. */
int session_open(struct disk_session *session, const struct cli *cli, int read_only,
		 uint32_t file_sector_bytes, struct err *err);

/* Open, and read superblocks: they have to be of one cluster, and `ordered` is filled by
 * their indexes (ordered[]). With `partial` some disks of the cluster may be missing. */
int session_open_areas(struct disk_session *session, const struct cli *cli, int read_only,
		       int partial, struct err *err);

/* Read the superblock of disk d into its area, and judge it. A plain file is opened anew when its
 * superblock says that its sectors are others; if that fails, its disk is NULL afterwards. */
int session_area(struct disk_session *session, size_t d, const char *url, int read_only,
		 struct err *err);

/* Read into buffer, write from it, or flush, and wait. */
int session_io(struct session_disk *disk, enum disk_op op, uint64_t offset, void *buffer,
	       uint32_t bytes, struct err *err);

/* Everything up to the claims (or the arbiter's end with `arbiter`) of a disk; free() it. */
int session_read_area(struct session_disk *disk, int arbiter, uint8_t **bytes, struct err *err);

void session_close(struct disk_session *session);

/* "2026-11-22 01:02:03 UTC", "never" for 0. */
const char *session_time_text(uint64_t wall_s, char text[32]);

#endif
