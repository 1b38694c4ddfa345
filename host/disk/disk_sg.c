/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * disk_sg.c - see disk_sg.h. libsgutils2 fills and sends the SG_IO header (version 3).
 */
#include "host/disk/disk_sg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include <scsi/sg.h>
#include <scsi/sg_pt.h>

#include "host/clock.h"

enum {
	/* Our deadlines are not the kernel's: when its time for a command is over it begins to
	 * reset things, and the other nodes use them too. So it gets as much as it gives to its own
	 * reads and writes; who waits for the answer is told of a timeout long before. */
	KERNEL_TIMEOUT_S = 30,

	/* Host status (SCSI_HOST_... of the kernel), as in the SG_IO header. */
	HOST_OK = 0x00,
	HOST_NO_CONNECT = 0x01,
	HOST_BUS_BUSY = 0x02,
	HOST_TIME_OUT = 0x03,
	HOST_BAD_TARGET = 0x04,
	HOST_ABORT = 0x05,
	HOST_RESET = 0x08,
	HOST_SOFT_ERROR = 0x0b,
	HOST_IMM_RETRY = 0x0c,
	HOST_REQUEUE = 0x0d,
	HOST_TRANSPORT_DISRUPTED = 0x0e,
	HOST_TRANSPORT_FAILFAST = 0x0f,
	HOST_TRANSPORT_MARGINAL = 0x14,
	VERSION_WITH_SG_IO = 30000,
};

struct disk_sg {
	int fd;
	const char *name;
	struct sg_pt_base *pt;
};

int disk_sg_open(int fd, const char *name, struct disk_sg **sg, struct err *err)
{
	struct disk_sg *opened;
	int version = 0;

	if (ioctl(fd, SG_GET_VERSION_NUM, &version) != 0 || version < VERSION_WITH_SG_IO)
		return err_set(err, RC_UNSUPPORTED, NULL, "%s: takes no SCSI commands", name);
	opened = calloc(1, sizeof *opened);
	if (!opened)
		return err_set(err, RC_INTERNAL, NULL, "%s: out of memory", name);
	opened->fd = fd;
	opened->name = name;
	opened->pt = construct_scsi_pt_obj_with_fd(fd, 0);
	if (!opened->pt || get_scsi_pt_os_err(opened->pt) != 0) {
		disk_sg_close(opened);
		return err_set(err, RC_UNSUPPORTED, NULL, "%s: takes no SCSI commands", name);
	}
	*sg = opened;
	return 0;
}

void disk_sg_close(struct disk_sg *sg)
{
	if (sg->pt)
		destruct_scsi_pt_obj(sg->pt);
	free(sg);
}

int disk_sg_rc(int os, int host)
{
	switch (os) {
	case 0:
		break;
	case ENODEV:
	case ENXIO:
		return RC_UNREACHABLE;
	case EBUSY:
	case EAGAIN:
	case EINTR:
		return RC_BUSY;
	case EPERM:
	case EACCES:
		return RC_CONFIG;
	default:
		return RC_INTERNAL;
	}
	switch (host) {
	case HOST_OK:
		return 0;
	case HOST_NO_CONNECT:
	case HOST_BAD_TARGET:
	case HOST_TRANSPORT_DISRUPTED:
	case HOST_TRANSPORT_FAILFAST:
	case HOST_TRANSPORT_MARGINAL:
		return RC_UNREACHABLE;
	case HOST_TIME_OUT:
		return RC_TIMEOUT;
	case HOST_BUS_BUSY:
	case HOST_ABORT:
	case HOST_RESET:
	case HOST_SOFT_ERROR:
	case HOST_IMM_RETRY:
	case HOST_REQUEUE:
		return RC_BUSY;
	default:
		return RC_INTERNAL;
	}
}

static void answer_take(struct disk_sg *sg, const struct scsi_command *command, int sense_bytes,
			struct disk_result *result)
{
	int residual = get_scsi_pt_resid(sg->pt);

	result->status = (uint8_t)get_scsi_pt_status_response(sg->pt);
	/* Some drivers give sense data and leave the status out. */
	if (sense_bytes > 0 && result->status == SCSI_GOOD && result->sense[0] != 0)
		result->status = SCSI_CHECK_CONDITION;
	result->sense_bytes = result->status == SCSI_CHECK_CONDITION ? (uint8_t)sense_bytes
								     : (uint8_t)0;
	result->bytes = 0;
	if (command->direction != DISK_FROM_DEVICE || result->status != SCSI_GOOD)
		return;
	result->bytes = command->bytes;
	if (residual > 0)
		result->bytes -= (uint32_t)residual < command->bytes ? (uint32_t)residual
								     : command->bytes;
}

void disk_sg_transport(void *device, const struct scsi_command *command, mono_t until,
		       struct disk_result *result)
{
	struct disk_sg *sg = device;
	char text[128];
	int os, host, rc;

	(void)until;
	clear_scsi_pt_obj(sg->pt);
	memset(result->sense, 0, sizeof result->sense);
	set_scsi_pt_cdb(sg->pt, command->cdb, command->cdb_bytes);
	set_scsi_pt_sense(sg->pt, result->sense, DISK_SENSE_BYTES_MAX);
	if (command->direction == DISK_FROM_DEVICE)
		set_scsi_pt_data_in(sg->pt, command->data, (int)command->bytes);
	else if (command->direction == DISK_TO_DEVICE)
		set_scsi_pt_data_out(sg->pt, command->data, (int)command->bytes);
	if (mono_is_never(result->submitted_at))
		result->submitted_at = clock_now();
	os = do_scsi_pt(sg->pt, sg->fd, KERNEL_TIMEOUT_S, 0);
	/* Positive: a command that libsgutils2 does not understand. */
	os = os > 0 ? EINVAL : -os;
	host = get_scsi_pt_transport_err(sg->pt);
	rc = disk_sg_rc(os, host);
	if (rc == 0 && get_scsi_pt_result_category(sg->pt) == SCSI_PT_RESULT_TRANSPORT_ERR)
		rc = RC_INTERNAL; /* the driver's own status, of which kernels of today have none */
	if (rc == 0) {
		answer_take(sg, command, get_scsi_pt_sense_len(sg->pt), result);
		return;
	}
	if (os != 0)
		snprintf(text, sizeof text, "%s", strerror(os));
	else
		get_scsi_pt_transport_err_str(sg->pt, sizeof text, text);
	disk_result_fail(result, rc, NULL, "%s: no answer to a command: %s", sg->name, text);
}
