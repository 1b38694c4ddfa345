/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * disk_session.c - opened shared disks; see disk_session.h.
 */
#include "cli/disk_session.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "diskhb/area.h"
#include "host/clock.h"
#include "host/disk/disk_identity.h"
#include "host/nexus.h"

enum {
	SESSION_TOKEN = 1,
	REINSTATE_EVERY_MS = 1000,
	CHUNK_BYTES = 512 * 1024,
};

/* ---- answers ---- */

/* A lost iSCSI session is begun anew, but not in a storm. */
static void reinstate_look(struct session_disk *disk, const struct disk_answer *answer)
{
	struct disk_session *session = disk->session;
	mono_t now = clock_now();
	struct err err;

	if (answer->kind != DISK_DONE || answer->rc != RC_UNREACHABLE ||
	    disk_facts(disk->disk)->kind != DISK_ISCSI ||
	    mono_before(now, mono_add_ms(session->reinstated_at, REINSTATE_EVERY_MS)))
		return;
	session->reinstated_at = now;
	/* What comes of it is told by the requests that follow. */
	disk_reinstate(disk->disk, &err);
}

static void answered(struct disk *handle, const struct disk_answer *answer, void *context)
{
	struct session_disk *disk = context;
	struct disk_session *session = disk->session;

	(void)handle;
	if (answer->token & HB_IO_TOKEN_BIT) {
		if (session->io) {
			reinstate_look(disk, answer);
			hb_io_answer(session->io, disk->rank, answer);
		}
		return;
	}
	if (answer->kind != DISK_DONE || !disk->waiting)
		return;
	disk->waiting = 0;
	disk->rc = answer->rc;
	disk->took_ns = answer->ended_at.ns - answer->submitted_at.ns;
	if (answer->rc)
		*disk->err = *answer->err;
	else if (answer->op == DISK_READ)
		memcpy(disk->buffer, answer->data, answer->bytes);
}

/* ---- requests that are waited for ---- */

static int request_wait(struct session_disk *disk, enum disk_op op, uint64_t offset, void *buffer,
			uint32_t bytes, struct err *err)
{
	struct disk_session *session = disk->session;
	struct disk_request request = {
		.token = SESSION_TOKEN,
		.op = op,
		.deadline = mono_add_ms(clock_now(), session->timeout_ms),
		.sector = offset / disk_facts(disk->disk)->sector_bytes,
		.bytes = bytes,
		.data = op == DISK_WRITE ? buffer : NULL,
	};
	int rc = disk_submit(disk->disk, &request, err);

	if (rc)
		return rc;
	disk->waiting = 1;
	disk->buffer = buffer;
	disk->err = err;
	while (disk->waiting)
		uv_run(&session->loop, UV_RUN_ONCE);
	return disk->rc;
}

int session_io(struct session_disk *disk, enum disk_op op, uint64_t offset, void *buffer,
	       uint32_t bytes, struct err *err)
{
	uint8_t *at = buffer;

	if (op == DISK_FLUSH)
		return request_wait(disk, op, 0, NULL, 0, err);
	while (bytes > 0) {
		uint32_t chunk = bytes < CHUNK_BYTES ? bytes : CHUNK_BYTES;
		int rc = request_wait(disk, op, offset, at, chunk, err);

		if (rc)
			return rc;
		at += chunk;
		offset += chunk;
		bytes -= chunk;
	}
	return 0;
}

int session_read_area(struct session_disk *disk, int arbiter, uint8_t **bytes, struct err *err)
{
	const struct hb_area *area = &disk->area;
	uint32_t length = (uint32_t)(arbiter ? area->layout.locks_at : area->layout.arbiter_at);
	int rc;

	*bytes = malloc(length);
	if (!*bytes)
		return err_set(err, RC_INTERNAL, NULL, "no memory");
	rc = session_io(disk, DISK_READ, 0, *bytes, length, err);
	if (rc) {
		free(*bytes);
		*bytes = NULL;
	}
	return rc;
}

/* ---- opening ---- */

static int disk_begin(struct disk_session *session, size_t d, const char *url, int read_only,
		      uint32_t file_sector_bytes, struct err *err)
{
	const struct disk_options options = { .open_timeout_ms = session->timeout_ms,
					      .read_only = read_only,
					      .sector_bytes = file_sector_bytes,
					      .nexus = (uint8_t)(NEXUS_DISK +
								 getpid() % NEXUS_DISK_COUNT) };

	session->disks[d].session = session;
	return disk_open(&session->loop, url, &options, answered, &session->disks[d],
			 &session->disks[d].disk, err);
}

/* One logical unit by two names would count as two disks; two by one name are not to be told apart. */
static int identities_check(const struct disk_session *session, struct err *err)
{
	struct disk_known known[HB_DISKS_MAX];

	for (size_t i = 0; i < session->count; i++)
		known[i] = (struct disk_known){ disk_name(session->disks[i].disk),
						disk_facts(session->disks[i].disk) };
	return disk_identities_check(known, session->count, err);
}

int session_open(struct disk_session *session, const struct cli *cli, int read_only,
		 uint32_t file_sector_bytes, struct err *err)
{
	memset(session, 0, sizeof *session);
	session->timeout_ms = SESSION_TIMEOUT_MS;
	session->reinstated_at = (mono_t){ INT64_MIN / 2 };
	if (uv_loop_init(&session->loop) != 0)
		abort();
	for (size_t i = 0; i < cli->args_count && i < DISKS_MAX; i++) {
		int rc = disk_begin(session, i, cli->args[i], read_only, file_sector_bytes, err);

		if (rc)
			return rc;
		session->count++;
	}
	return identities_check(session, err);
}

/* A plain file has sectors of the size that its superblock says. */
int session_area(struct disk_session *session, size_t d, const char *url, int read_only,
		 struct err *err)
{
	struct session_disk *disk = &session->disks[d];
	const struct disk_facts *facts = disk_facts(disk->disk);
	const char *name = disk_name(disk->disk);
	uint64_t size = facts->sectors * facts->sector_bytes;
	struct super_record super;
	struct disk_layout layout;
	uint8_t block[SUPER_BYTES];
	int rc;

	if (size < SUPER_BYTES)
		return err_set(err, RC_CONFIG, "check the name; holdfast disk init prepares a disk",
			       "%s: has only %" PRIu64 " bytes, not a disk of Holdfast", name,
			       size);
	rc = session_io(disk, DISK_READ, 0, block, SUPER_BYTES, err);
	if (rc)
		return rc;
	if (facts->kind == DISK_FILE && strncmp(facts->id, "file.", 5) == 0 &&
	    super_in(block, &super, &layout) == RECORD_OK &&
	    layout.sector_bytes != facts->sector_bytes) {
		disk_close(disk->disk);
		disk->disk = NULL;
		rc = disk_begin(session, d, url, read_only, layout.sector_bytes, err);
		if (rc)
			return rc;
		facts = disk_facts(disk->disk);
		name = disk_name(disk->disk);
	}
	return area_read(&disk->area, block, name, facts->sector_bytes, facts->sectors, err);
}

static void order_by_index(struct disk_session *session)
{
	for (size_t i = 0; i < session->count; i++) {
		unsigned rank = 0;

		for (size_t j = 0; j < session->count; j++)
			rank += session->disks[j].area.super.disk_index <
				session->disks[i].area.super.disk_index;
		session->disks[i].rank = rank;
		session->ordered[rank] = &session->disks[i];
	}
}

int session_open_areas(struct disk_session *session, const struct cli *cli, int read_only,
		       int partial, struct err *err)
{
	const struct hb_area *areas[DISKS_MAX];
	const char *names[DISKS_MAX];
	int rc = session_open(session, cli, read_only, 0, err);

	for (size_t i = 0; rc == 0 && i < session->count; i++) {
		rc = session_area(session, i, cli->args[i], read_only, err);
		areas[i] = &session->disks[i].area;
		names[i] = session->disks[i].disk ? disk_name(session->disks[i].disk) : "";
	}
	if (rc == 0)
		rc = area_set_check(areas, names, session->count, partial, err);
	if (rc == 0)
		order_by_index(session);
	return rc;
}

void session_close(struct disk_session *session)
{
	if (session->io)
		hb_io_free(session->io);
	session->io = NULL;
	for (size_t i = 0; i < DISKS_MAX; i++)
		if (session->disks[i].disk)
			disk_close(session->disks[i].disk);
	uv_run(&session->loop, UV_RUN_DEFAULT);
	/* A disk that hangs keeps its handles; the process ends anyway. */
	uv_loop_close(&session->loop);
}

const char *session_time_text(uint64_t wall_s, char text[32])
{
	time_t when = (time_t)wall_s;
	struct tm parts;

	if (wall_s == 0)
		snprintf(text, 32, "never");
	else if (wall_s > INT64_C(253402300799) || !gmtime_r(&when, &parts) ||
		 strftime(text, 32, "%Y-%m-%d %H:%M:%S", &parts) == 0)
		snprintf(text, 32, "?");
	return text;
}
