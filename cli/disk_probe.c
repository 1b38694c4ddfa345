/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * disk_probe.c - recognise what is on a disk; see disk_probe.h.
 */
#include "cli/disk_probe.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Signatures stand in the first or the last MiB; some reach a little further. */
enum { PICTURE_BYTES = 2 << 20 };

/* ---- ours ---- */

static void named(struct disk_probe *probe, const char *name, const char *what)
{
	probe->is_empty = 0;
	snprintf(probe->name, sizeof probe->name, "%s", name);
	snprintf(probe->text, sizeof probe->text, "%s%s%s%s", what, name[0] ? " (" : "", name,
		 name[0] ? ")" : "");
}

/* 1 when it is a superblock of ours, in whatever state. */
static int probe_super(struct disk_probe *probe, const uint8_t *bytes)
{
	switch (super_in(bytes, &probe->super, &probe->layout)) {
	case RECORD_EMPTY:
	case RECORD_FOREIGN:
		return 0;
	case RECORD_OK:
		probe->is_ours = 1;
		named(probe, probe->super.cluster_name, "a disk of a cluster");
		return 1;
	case RECORD_NEWER:
		named(probe, "newer", "a disk of Holdfast of a newer format");
		return 1;
	default:
		named(probe, "damaged", "a damaged superblock of Holdfast");
		return 1;
	}
}

/* ---- others ---- */

/* Beginning and end of the disk in a sparse file of its size. */
static int picture_take(struct session_disk *disk, const uint8_t *head, uint32_t head_bytes,
			uint64_t size, int *fd, struct err *err)
{
	uint64_t tail_at = size > 2 * (uint64_t)PICTURE_BYTES ? size - PICTURE_BYTES : head_bytes;
	uint32_t tail_bytes = (uint32_t)(size - tail_at);
	uint8_t *tail = NULL;
	int rc = 0;

	*fd = memfd_create("holdfast-probe", MFD_CLOEXEC);
	if (tail_bytes > 0) {
		tail = malloc(tail_bytes);
		if (tail)
			rc = session_io(disk, DISK_READ, tail_at, tail, tail_bytes, err);
	}
	if (rc == 0 && (*fd < 0 || (tail_bytes > 0 && !tail) || ftruncate(*fd, (off_t)size) != 0 ||
			pwrite(*fd, head, head_bytes, 0) != (ssize_t)head_bytes ||
			(tail_bytes > 0 &&
			 pwrite(*fd, tail, tail_bytes, (off_t)tail_at) != (ssize_t)tail_bytes)))
		rc = err_set(err, RC_INTERNAL, NULL, "no memory to look at the disk in: %s",
			     strerror(errno));
	free(tail);
	return rc;
}

static const char *looked_up(blkid_probe probe, const char *key)
{
	const char *value = NULL;

	return blkid_probe_lookup_value(probe, key, &value, NULL) == 0 ? value : NULL;
}

/* Signatures that contradict one another are reported as such by a negative result. */
static int probe_signatures(struct disk_probe *probe, int fd, const char *name, struct err *err)
{
	blkid_probe blkid = blkid_new_probe();
	const char *type, *table;
	int rc;

	if (!blkid || blkid_probe_set_device(blkid, fd, 0, 0) != 0) {
		blkid_free_probe(blkid);
		return err_set(err, RC_INTERNAL, NULL, "%s: libblkid cannot look at it", name);
	}
	blkid_probe_enable_superblocks(blkid, 1);
	blkid_probe_set_superblocks_flags(blkid, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE);
	blkid_probe_enable_partitions(blkid, 1);
	rc = blkid_do_safeprobe(blkid);
	type = looked_up(blkid, "TYPE");
	table = looked_up(blkid, "PTTYPE");
	if (rc == -2)
		named(probe, "ambivalent", "several file systems or tables at once");
	else if (rc < 0)
		err_set(err, RC_INTERNAL, "look at it with blkid -p", "%s: libblkid failed", name);
	else if (table && !type)
		named(probe, table, "a partition table");
	else if (rc == 0)
		named(probe, type ? type : "unknown",
		      strcmp(looked_up(blkid, "USAGE") ? looked_up(blkid, "USAGE") : "",
			     "filesystem") == 0
			      ? "a file system"
			      : "a signature");
	blkid_free_probe(blkid);
	return rc == -1 ? RC_INTERNAL : 0;
}

static int is_zero(const uint8_t *bytes, size_t count)
{
	return count == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0);
}

int disk_probe(struct session_disk *disk, uint64_t end, struct disk_probe *probe, struct err *err)
{
	const struct disk_facts *facts = disk_facts(disk->disk);
	uint64_t size = facts->sectors * facts->sector_bytes;
	uint32_t head_bytes = (uint32_t)(size < PICTURE_BYTES ? size : PICTURE_BYTES);
	uint8_t *head = malloc(head_bytes);
	int fd = -1, rc;

	memset(probe, 0, sizeof *probe);
	probe->is_empty = 1;
	if (!head)
		return err_set(err, RC_INTERNAL, NULL, "no memory");
	rc = session_io(disk, DISK_READ, 0, head, head_bytes, err);
	if (rc == 0 && !probe_super(probe, head)) {
		rc = picture_take(disk, head, head_bytes, size, &fd, err);
		if (rc == 0)
			rc = probe_signatures(probe, fd, disk_name(disk->disk), err);
		if (rc == 0 && probe->is_empty &&
		    !is_zero(head, end < head_bytes ? end : head_bytes))
			named(probe, "data", "data of an unknown kind");
	}
	if (fd >= 0)
		close(fd);
	free(head);
	return rc;
}
