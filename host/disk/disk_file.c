/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * disk_file.c - a disk that has a path: plain file, block device, SCSI generic node.
 *
 * Whatever the kernel lets us talk SCSI to, and is no mere partition, is read and written by CDB
 * (disk_sg.c): reservation conflicts and sense data then come as they are. All else is read and
 * written at its offset, with O_DIRECT, so that another node's record is seen and not an old page,
 * and O_DSYNC, so that a write that was answered is on the medium.
 *
 * The path is looked at before it is opened: opening is not harmless for every device.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/major.h>
#include <linux/stat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "host/clock.h"
#include "host/disk/disk_identity.h"
#include "host/disk/disk_sg.h"

struct disk_file {
	const char *name;
	int fd;
	int is_plain; /* may be cut short under us */
	uint32_t sector_bytes;
	struct disk_sg *sg; /* NULL: no SCSI */
	struct scsi_unit unit;
};

/* ---- errors ---- */

static int rc_of_errno(int error)
{
	switch (error) {
	case ENODEV:
	case ENXIO:
	case ENOMEDIUM:
	case ENOLINK:
	case EREMOTEIO:
	case EHOSTDOWN:
	case ENOTCONN:
	case ESTALE:
		return RC_UNREACHABLE;
	case EBADE: /* what the block layer makes of RESERVATION CONFLICT */
		return RC_PRIVILEGE;
	case ETIMEDOUT:
	case ETIME:
		return RC_TIMEOUT;
	case EBUSY:
	case EAGAIN:
		return RC_BUSY;
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
	case EACCES:
	case EPERM:
	case EROFS:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case EINVAL:
		return RC_CONFIG;
	default:
		return RC_INTERNAL;
	}
}

static const char *next_of_errno(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		return "free space; a disk in a file should be written once from end to end";
	case EFBIG:
		return "raise the limit on the size of files";
	case EBADE:
		return "see who holds the reservation";
	case EINVAL:
		return "check the sector size";
	default:
		return NULL;
	}
}

static void fail_errno(const struct disk_file *file, const struct disk_job *job, const char *what,
		       int error, struct disk_result *result)
{
	if (error == EBADE)
		result->status = SCSI_RESERVATION_CONFLICT;
	disk_result_fail(result, rc_of_errno(error), next_of_errno(error),
			 "%s: %s at sector %llu: %s", file->name, what,
			 (unsigned long long)job->sector, strerror(error));
}

/* ---- reading and writing ---- */

/* A file that became shorter is not made longer again: others would read zeros for records. */
static int check_length(const struct disk_file *file, const struct disk_job *job, off_t end,
			struct disk_result *result)
{
	struct stat status;

	if (!file->is_plain)
		return 0;
	if (fstat(file->fd, &status) != 0) {
		fail_errno(file, job, "write", errno, result);
		return result->rc;
	}
	if (status.st_size >= end)
		return 0;
	return disk_result_fail(result, RC_CONFIG, "find out who cut it; restore its size",
				"%s: has only %lld bytes now", file->name,
				(long long)status.st_size);
}

static void file_read(const struct disk_file *file, const struct disk_job *job,
		      struct disk_result *result)
{
	off_t begin = (off_t)(job->sector * file->sector_bytes);
	uint32_t done = 0;

	while (done < job->bytes) {
		ssize_t got = pread(file->fd, job->data + done, job->bytes - done, begin + done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			fail_errno(file, job, "read", errno, result);
			return;
		}
		if (got == 0) {
			disk_result_fail(result, RC_CONFIG, "find out who cut it; restore its size",
					 "%s: ends at byte %lld now", file->name,
					 (long long)begin + done);
			return;
		}
		done += (uint32_t)got;
	}
	result->bytes = done;
}

static void file_write(const struct disk_file *file, const struct disk_job *job,
		       struct disk_result *result)
{
	off_t begin = (off_t)(job->sector * file->sector_bytes);
	uint32_t done = 0;

	if (check_length(file, job, begin + job->bytes, result) != 0)
		return;
	while (done < job->bytes) {
		ssize_t put = pwrite(file->fd, job->data + done, job->bytes - done, begin + done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			fail_errno(file, job, "write", put < 0 ? errno : EIO, result);
			return;
		}
		done += (uint32_t)put;
	}
}

static void file_exec(void *backend, const struct disk_job *job, struct disk_result *result)
{
	struct disk_file *file = backend;

	if (file->sg) {
		scsi_unit_exec(&file->unit, job, result);
		return;
	}
	result->submitted_at = clock_now();
	switch (job->op) {
	case DISK_READ:
		file_read(file, job, result);
		break;
	case DISK_WRITE:
		file_write(file, job, result);
		break;
	case DISK_FLUSH:
		if (fdatasync(file->fd) != 0)
			fail_errno(file, job, "flush", errno, result);
		break;
	case DISK_SCSI:
		disk_result_fail(result, RC_INTERNAL, NULL, "%s: takes no SCSI commands",
				 file->name);
		break;
	}
}

/* ---- opening ---- */

static int is_scsi_generic(const struct stat *status)
{
	return S_ISCHR(status->st_mode) && major(status->st_rdev) == SCSI_GENERIC_MAJOR;
}

/* Open for writing if we may, and with as much of O_DIRECT as the file system has. */
static int open_path(struct disk_file *file, const struct disk_place *place,
		     const struct stat *status, struct disk_facts *facts)
{
	int flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int is_sg = is_scsi_generic(status);

	if (!is_sg)
		flags |= O_DIRECT | O_DSYNC;
	facts->is_direct = 1;
	facts->is_read_only = place->options.read_only;
	for (;;) {
		file->fd = open(place->url, flags | (facts->is_read_only ? O_RDONLY : O_RDWR));
		if (file->fd >= 0)
			return 0;
		if (errno == EINVAL && (flags & O_DIRECT) && S_ISREG(status->st_mode)) {
			flags &= ~O_DIRECT;
			facts->is_direct = 0;
		} else if (!facts->is_read_only && !is_sg &&
			   (errno == EROFS || errno == EACCES || errno == EPERM)) {
			facts->is_read_only = 1;
		} else {
			return errno;
		}
	}
}

static int facts_of_file(struct disk_file *file, const struct disk_place *place,
			 const struct stat *status, struct disk_facts *facts, struct err *err)
{
	uint32_t sector_bytes = place->options.sector_bytes ? place->options.sector_bytes : 512;
	struct statx extended = { 0 };

	if (sector_bytes != 512 && sector_bytes != 4096)
		return err_set(err, RC_CONFIG, NULL, "%s: sectors have 512 or 4096 bytes, not %u",
			       file->name, sector_bytes);
	if (facts->is_direct &&
	    statx(file->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &extended) == 0 &&
	    (extended.stx_mask & STATX_DIOALIGN) && extended.stx_dio_offset_align > sector_bytes)
		return err_set(err, RC_CONFIG, "use it with sectors of 4096 bytes",
			       "%s: lies on a disk that takes no pieces of less than %u bytes",
			       file->name, extended.stx_dio_offset_align);
	file->is_plain = 1;
	facts->sector_bytes = sector_bytes;
	facts->physical_bytes = sector_bytes;
	facts->sectors = (uint64_t)status->st_size / sector_bytes;
	snprintf(facts->id, sizeof facts->id, "file.%x:%x:%llx", major(status->st_dev),
		 minor(status->st_dev), (unsigned long long)status->st_ino);
	return 0;
}

/* An attribute of a block device in sysfs, with the blanks at its end cut off. */
static int sysfs_read(dev_t device, const char *attribute, char *text, size_t size)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "/sys/dev/block/%u:%u/%s", major(device), minor(device),
		 attribute);
	file = fopen(path, "re");
	if (!file)
		return RC_UNSUPPORTED;
	if (!fgets(text, (int)size, file))
		text[0] = '\0';
	fclose(file);
	text[strcspn(text, "\r\n")] = '\0';
	return text[0] != '\0' ? 0 : RC_UNSUPPORTED;
}

/* The kernel knows a name that stays for most disks; a partition has that of its disk and its
 * number. Without one there is only the device number, which means nothing to another node. */
static void identity_of_block(dev_t device, char id[DISK_ID_BYTES])
{
	static const struct {
		const char *attribute, *kind;
	} places[] = {
		{ "wwid", "wwid" },
		{ "device/wwid", "wwid" },
		{ "../wwid", "wwid" },
		{ "../device/wwid", "wwid" },
		{ "dm/uuid", "dm" },
		{ "loop/backing_file", "loop" },
		{ "device/serial", "serial" },
		{ "serial", "serial" },
	};
	char text[256], part[16], whole[280];

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		if (sysfs_read(device, places[i].attribute, text, sizeof text) != 0)
			continue;
		snprintf(whole, sizeof whole, "%s", text);
		if (sysfs_read(device, "partition", part, sizeof part) == 0)
			snprintf(whole, sizeof whole, "%s part %s", text, part);
		if (disk_identity_of_text(places[i].kind, whole, strlen(whole), id) == 0)
			return;
	}
	snprintf(id, DISK_ID_BYTES, "block.%x:%x", major(device), minor(device));
}

static int facts_of_block(struct disk_file *file, const struct stat *status,
			  struct disk_facts *facts, struct err *err)
{
	unsigned int physical_bytes = 0;
	int sector_bytes = 0, is_read_only = 0;
	uint64_t bytes = 0;

	if (ioctl(file->fd, BLKSSZGET, &sector_bytes) != 0 ||
	    ioctl(file->fd, BLKGETSIZE64, &bytes) != 0)
		return err_set(err, rc_of_errno(errno), NULL, "%s: does not tell its size: %s",
			       file->name, strerror(errno));
	if (sector_bytes != 512 && sector_bytes != 4096)
		return err_set(err, RC_UNSUPPORTED, NULL,
			       "%s: sectors have 512 or 4096 bytes, not %d", file->name,
			       sector_bytes);
	if (ioctl(file->fd, BLKPBSZGET, &physical_bytes) != 0 ||
	    physical_bytes < (unsigned int)sector_bytes)
		physical_bytes = (unsigned int)sector_bytes;
	if (ioctl(file->fd, BLKROGET, &is_read_only) == 0 && is_read_only)
		facts->is_read_only = 1;
	facts->sector_bytes = (uint32_t)sector_bytes;
	facts->physical_bytes = physical_bytes;
	facts->sectors = bytes / facts->sector_bytes;
	identity_of_block(status->st_rdev, facts->id);
	return 0;
}

/* Talk SCSI, if there is somebody who listens. `block` is what the block layer says of the same
 * descriptor, NULL for a generic node. */
static int scsi_attach(struct disk_file *file, mono_t deadline, const struct disk_facts *block,
		       struct disk_facts *facts, struct err *err)
{
	struct disk_facts scsi = { .kind = DISK_SG, .is_direct = 1 };
	int rc = disk_sg_open(file->fd, file->name, &file->sg, err);

	if (rc != 0)
		return rc;
	file->unit = (struct scsi_unit){ .transport = disk_sg_transport,
					 .device = file->sg,
					 .name = file->name };
	rc = scsi_unit_open(&file->unit, deadline, &scsi, err);
	/* Sector 0 of a partition is another for SCSI than for the block layer: by CDB we would
	 * write into the neighbour. */
	if (rc == 0 && block &&
	    (block->sectors != scsi.sectors || block->sector_bytes != scsi.sector_bytes))
		rc = err_set(err, RC_UNSUPPORTED, NULL, "%s: is a part of a SCSI disk", file->name);
	if (rc != 0) {
		disk_sg_close(file->sg);
		file->sg = NULL;
		return rc;
	}
	scsi.is_read_only |= facts->is_read_only;
	*facts = scsi;
	return 0;
}

/* A mapped device stands before several paths, each with a nexus and a registration of its own, and
 * sends a command down any one of them. SCSI goes to a path. */
static int is_mapped(dev_t device)
{
	char text[256];

	return sysfs_read(device, "dm/uuid", text, sizeof text) == 0 ||
	       sysfs_read(device, "dm/name", text, sizeof text) == 0;
}

static int facts_find(struct disk_file *file, const struct disk_place *place,
		      const struct stat *status, mono_t deadline, struct disk_facts *facts,
		      struct err *err)
{
	struct err scsi_err = { 0 };
	int rc;

	facts->kind = DISK_FILE;
	if (is_scsi_generic(status))
		return scsi_attach(file, deadline, NULL, facts, err);
	if (S_ISREG(status->st_mode))
		return facts_of_file(file, place, status, facts, err);
	rc = facts_of_block(file, status, facts, err);
	if (rc != 0 || is_mapped(status->st_rdev))
		return rc;
	/* Not a SCSI disk: then it is what it is. A SCSI disk that gives no answers is an error. */
	rc = scsi_attach(file, deadline, facts, facts, &scsi_err);
	if (rc == 0 || rc == RC_UNSUPPORTED)
		return 0;
	*err = scsi_err;
	return rc;
}

static void file_close(void *backend)
{
	struct disk_file *file = backend;

	if (file->sg)
		disk_sg_close(file->sg);
	if (file->fd >= 0)
		close(file->fd);
	free(file);
}

static int path_check(const struct disk_place *place, struct stat *status, struct err *err)
{
	if (stat(place->url, status) != 0)
		return err_set(err, rc_of_errno(errno), NULL, "%s: %s", place->name,
			       strerror(errno));
	if (!S_ISREG(status->st_mode) && !S_ISBLK(status->st_mode) && !is_scsi_generic(status))
		return err_set(err, RC_CONFIG, "name a file, a block device or /dev/sgN",
			       "%s: is no disk", place->name);
	return 0;
}

/* The same as a moment ago? Between looking and opening somebody may have put another there. */
static int is_same_node(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_rdev == b->st_rdev &&
	       (a->st_mode & S_IFMT) == (b->st_mode & S_IFMT);
}

static int file_open(const struct disk_place *place, mono_t deadline, struct disk_facts *facts,
		     void **backend, struct err *err)
{
	struct disk_file *file;
	struct stat looked, status;
	int rc = path_check(place, &looked, err);

	if (rc != 0)
		return rc;
	file = calloc(1, sizeof *file);
	if (!file)
		return err_set(err, RC_INTERNAL, NULL, "%s: out of memory", place->name);
	file->name = place->name;
	rc = open_path(file, place, &looked, facts);
	if (rc != 0)
		rc = err_set(err, rc_of_errno(rc), NULL, "%s: %s", place->name, strerror(rc));
	else if (fstat(file->fd, &status) != 0 || !is_same_node(&looked, &status))
		rc = err_set(err, RC_BUSY, NULL, "%s: was replaced while it was opened",
			     place->name);
	else
		rc = facts_find(file, place, &status, deadline, facts, err);
	if (rc == 0 && facts->sectors == 0)
		rc = err_set(err, RC_CONFIG, "give it a size", "%s: has no sectors", place->name);
	if (rc != 0) {
		file_close(file);
		return rc;
	}
	file->sector_bytes = facts->sector_bytes;
	*backend = file;
	return 0;
}

const struct disk_backend_ops disk_file_ops = {
	.open = file_open,
	.exec = file_exec,
	.close = file_close,
};
