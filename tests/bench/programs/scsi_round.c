/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * scsi_round.c - how long is a round trip to an iSCSI target? scsi_round URL COUNT
 *
 * Caller: tests/bench/shared_disk. COUNT times each: TEST UNIT READY, a write of a block with FUA, a
 * read of READ_BYTES, one after the other on one session of libiscsi alone, with nothing of ours in
 * between. Prints the three medians in microseconds: the least that such a command can take here,
 * the yardsticks for those of lockd. What it writes is what it has read there, at the LUN's end.
 *
 * LINK: base pkg:libiscsi
 */
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COUNT_MAX = 100000, WARM_UP = 10, READ_BYTES = 8192, BLOCK_BYTES_MAX = 4096 };

static double now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

struct unit {
	struct iscsi_context *iscsi;
	int lun;
	uint32_t block_bytes, last; /* the first block of the last READ_BYTES */
	unsigned char block[BLOCK_BYTES_MAX];
};

static struct scsi_task *ready(struct unit *unit)
{
	return iscsi_testunitready_sync(unit->iscsi, unit->lun);
}

static struct scsi_task *write_one(struct unit *unit)
{
	return iscsi_write10_sync(unit->iscsi, unit->lun, unit->last, unit->block,
				  unit->block_bytes, (int)unit->block_bytes, 0, 0, 1, 0, 0);
}

static struct scsi_task *read_all(struct unit *unit)
{
	return iscsi_read10_sync(unit->iscsi, unit->lun, unit->last, READ_BYTES,
				 (int)unit->block_bytes, 0, 0, 0, 0, 0);
}

/* Learn the size, and what the block that is written holds. Unit attentions of a new session end
 * here. */
static int unit_learn(struct unit *unit)
{
	struct scsi_readcapacity10 *capacity;
	struct scsi_task *task;

	for (int i = 0; i < WARM_UP; i++)
		scsi_free_scsi_task(ready(unit));
	task = iscsi_readcapacity10_sync(unit->iscsi, unit->lun, 0, 0);
	capacity = task && task->status == SCSI_STATUS_GOOD ? scsi_datain_unmarshall(task) : NULL;
	if (capacity) {
		unit->block_bytes = capacity->block_size;
		unit->last = capacity->lba + 1 - READ_BYTES / capacity->block_size;
	}
	scsi_free_scsi_task(task);
	if (!capacity || unit->block_bytes > BLOCK_BYTES_MAX)
		return -1;
	task = read_all(unit);
	if (task && task->status == SCSI_STATUS_GOOD && task->datain.size >= (int)unit->block_bytes)
		memcpy(unit->block, task->datain.data, unit->block_bytes);
	else
		unit->block_bytes = 0;
	scsi_free_scsi_task(task);
	return unit->block_bytes ? 0 : -1;
}

/* Prints the median of `count` commands. */
static int rounds(struct unit *unit, struct scsi_task *(*command)(struct unit *unit), double *took,
		  int count)
{
	for (int i = 0; i < count; i++) {
		double start = now_us();
		struct scsi_task *task = command(unit);
		int is_good = task && task->status == SCSI_STATUS_GOOD;

		took[i] = now_us() - start;
		scsi_free_scsi_task(task);
		if (!is_good)
			return -1;
	}
	qsort(took, (size_t)count, sizeof *took, compare);
	printf("%.1f\n", took[count / 2]);
	return 0;
}

int main(int argc, char **argv)
{
	int count = argc == 3 ? (int)strtol(argv[2], NULL, 10) : 0;
	struct iscsi_context *iscsi = NULL;
	struct iscsi_url *url = NULL;
	struct unit unit = { 0 };
	double *took = NULL;
	int status = 1;

	if (count < 1 || count > COUNT_MAX) {
		fprintf(stderr, "Usage: scsi_round URL COUNT\n");
		return 2;
	}
	iscsi = iscsi_create_context("iqn.2026-11.test.holdfast:scsi-round");
	url = iscsi ? iscsi_parse_full_url(iscsi, argv[1]) : NULL;
	took = calloc((size_t)count, sizeof *took);
	if (!url || !took) {
		fprintf(stderr, "scsi_round: %s: %s\n", argv[1],
			iscsi ? iscsi_get_error(iscsi) : "no memory");
		goto out;
	}
	iscsi_set_noautoreconnect(iscsi, 1);
	iscsi_set_session_type(iscsi, ISCSI_SESSION_NORMAL);
	iscsi_set_targetname(iscsi, url->target);
	if (iscsi_full_connect_sync(iscsi, url->portal, url->lun) != 0) {
		fprintf(stderr, "scsi_round: %s: %s\n", argv[1], iscsi_get_error(iscsi));
		goto out;
	}
	unit.iscsi = iscsi;
	unit.lun = url->lun;
	if (unit_learn(&unit) == 0 && rounds(&unit, ready, took, count) == 0 &&
	    rounds(&unit, write_one, took, count) == 0 && rounds(&unit, read_all, took, count) == 0)
		status = 0;
	else
		fprintf(stderr, "scsi_round: %s: %s\n", argv[1], iscsi_get_error(iscsi));
	iscsi_logout_sync(iscsi);
out:
	free(took);
	if (url)
		iscsi_destroy_url(url);
	if (iscsi)
		iscsi_destroy_context(iscsi);
	return status;
}
