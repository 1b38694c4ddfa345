/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_disks_io.c - the disks of lockd; see lockd_disks_io.h.
 */
#include "lockd/lockd_disks_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "diskhb/area.h"
#include "host/clock.h"
#include "host/disk/disk_identity.h"
#include "lockd/lockd_heart_io.h"

/* The superblock of a disk that is being opened. */
#define TOKEN_OPEN (UINT64_C(1) << 59)
#define TOKEN_PARTS (LOCKD_TOKEN_ARBITER | LOCKD_TOKEN_LOCKS | LOCKD_TOKEN_PR)
_Static_assert((HB_IO_TOKEN_MASK & (TOKEN_OPEN | TOKEN_PARTS)) == 0 && !(TOKEN_OPEN & TOKEN_PARTS),
	       "whose answer it is, is told by these bits");

enum {
	OPEN_TIMEOUT_MS = 5000,
	RETRY_MS = 5000,
	REINSTATE_EVERY_MS = 1000,
	/* A request of an iSCSI session that has not come back after so many of its timeouts: a new login
	 * makes the target forget it. */
	REINSTATE_AFTER_TIMEOUTS = 2,
	/* Requests of parts that are not answered. Named locks ask as many as there are jobs, and must leave
	 * room to the arbiter and the registrations, which ask one or two each; all of them to the
	 * heartbeat, whose round fails when it is refused. */
	LOCKS_AT_ONCE = 8,
	PARTS_AT_ONCE = 12,
};
_Static_assert((int)PARTS_AT_ONCE < (int)DISK_QUEUE_MAX, "room for the heartbeat");

enum door_state { DOOR_SHUT, DOOR_OPENING, DOOR_READING, DOOR_OPEN };

/* One --disk, whichever disk of the cluster is behind it. */
struct door {
	struct lockd *lockd;
	const char *url;
	enum door_state state;
	struct disk_opening *opening;
	struct disk *disk;
	uint32_t sector_bytes; /* 0: not known */
	struct lockd_disk *slot;
	mono_t next_try;
	struct err err, told;
	int is_missing; /* it could not be opened: whether it is what it should be is not known */
	mono_t reinstate_next;
	unsigned parts;	      /* their requests that are not answered */
	unsigned outstanding; /* requests that were answered, and may still land */
	mono_t outstanding_since;
	int64_t took_ns, took_most_ns; /* the heartbeat's requests: the last one, the longest */
	uint64_t answers, faults;
};

struct lockd_doors {
	struct door doors[HB_DISKS_MAX];
	int is_starting;
};

/* ---- judging ---- */

static int cluster_judge(struct door *door, const struct hb_area *area, struct err *err)
{
	const struct lockd *lockd = door->lockd;
	const struct hb_area *areas[HB_DISKS_MAX + 1] = { area };
	const char *names[HB_DISKS_MAX + 1] = { disk_name(door->disk) };
	struct disk_known known[HB_DISKS_MAX + 1] = { { names[0], disk_facts(door->disk) } };
	size_t count = 1;
	int rc;

	for (unsigned d = 0; d < HB_DISKS_MAX; d++) {
		const struct lockd_disk *other = &lockd->disks[d];

		if (!other->disk)
			continue;
		areas[count] = &other->area;
		names[count] = disk_name(other->disk);
		known[count] = (struct disk_known){ names[count], disk_facts(other->disk) };
		count++;
	}
	rc = disk_identities_check(known, count, err);
	if (rc == 0)
		rc = area_set_check(areas, names, count, 1, err);
	if (rc)
		return rc;
	if (area->super.disks_count != lockd->options.disks_count)
		return err_set(err, RC_CONFIG, "name all of them, each by a --disk of its own",
			       "%s: cluster \"%s\" has %u disk(s), %u given", names[0],
			       area->super.cluster_name, area->super.disks_count,
			       lockd->options.disks_count);
	if (lockd->options.node > area->super.nodes_max)
		return err_set(err, RC_CONFIG, "give a number that the disk has a slot for",
			       "%s: node %u, but it has slots 1 to %u", names[0],
			       lockd->options.node, area->super.nodes_max);
	return 0;
}

static int facts_judge(const struct door *door, struct err *err)
{
	const struct disk_facts *facts = disk_facts(door->disk);

	if (facts->is_read_only)
		return err_set(err, RC_CONFIG, "make it writable", "%s: is read-only",
			       disk_name(door->disk));
	if (facts->sectors * facts->sector_bytes < SUPER_BYTES)
		return err_set(err, RC_CONFIG, "check the name; holdfast disk init prepares a disk",
			       "%s: has only %" PRIu64 " bytes, not a disk of Holdfast",
			       disk_name(door->disk), facts->sectors * facts->sector_bytes);
	return 0;
}

/* ---- opening ---- */

static void door_shut(struct door *door, const struct err *err)
{
	struct disk *disk = door->disk;
	int is_new = strcmp(door->told.text, err->text) != 0;

	door->disk = NULL;
	door->state = DOOR_SHUT;
	door->err = *err;
	door->next_try = mono_add_ms(clock_now(), RETRY_MS);
	/* At the start the caller says it. The name is in the error. */
	if (!door->lockd->doors->is_starting && is_new) {
		door->told = *err;
		lockd_say(door->lockd, LOCKD_WARN, "%s; %s", err->text,
			  err->next[0] ? err->next : "it is tried again");
	}
	if (disk)
		disk_close(disk);
}

static void door_accept(struct door *door, const struct hb_area *area)
{
	struct lockd *lockd = door->lockd;
	unsigned d = area->super.disk_index - 1U;
	struct lockd_disk *slot = &lockd->disks[d];
	const struct hb_io_disk heart_disk = { .disk = door->disk, .area = &slot->area };

	assert(d < HB_DISKS_MAX && !slot->disk);
	slot->disk = door->disk;
	slot->area = *area;
	slot->is_known = 1;
	door->slot = slot;
	door->state = DOOR_OPEN;
	door->told = (struct err){ 0 };
	if (lockd->disks_count == 0) {
		lockd->disks_count = area->super.disks_count;
		lockd->super = area->super;
		lockd->layout = area->layout;
	}
	if (lockd->doors->is_starting)
		return;
	lockd_say(lockd, LOCKD_INFO, "disk %u is there: %s", d + 1, disk_name(door->disk));
	if (lockd->heart)
		hb_io_disk_set(lockd->heart, d, &heart_disk);
	lockd_path(lockd, d, LOCKD_PATH_OPENED);
}

static void door_open(struct door *door);

static void super_read(struct door *door, const struct disk_answer *answer)
{
	const struct disk_facts *facts = disk_facts(door->disk);
	struct super_record super;
	struct disk_layout layout;
	struct hb_area area;
	struct err err;

	if (answer->rc) {
		err = *answer->err;
		door_shut(door, &err);
		return;
	}
	/* A plain file has sectors of the size that its superblock says. */
	if (facts->kind == DISK_FILE && strncmp(facts->id, "file.", 5) == 0 &&
	    super_in(answer->data, &super, &layout) == RECORD_OK &&
	    layout.sector_bytes != facts->sector_bytes) {
		struct disk *disk = door->disk;

		door->sector_bytes = layout.sector_bytes;
		door->disk = NULL;
		door_open(door);
		disk_close(disk);
		return;
	}
	if (area_read(&area, answer->data, disk_name(door->disk), facts->sector_bytes,
		      facts->sectors, &err) ||
	    cluster_judge(door, &area, &err))
		door_shut(door, &err);
	else
		door_accept(door, &area);
}

static void door_opened(struct disk *disk, const struct err *failed, void *context)
{
	struct door *door = context;
	struct disk_request request = { .token = TOKEN_OPEN,
					.op = DISK_READ,
					.bytes = SUPER_BYTES };
	struct err err;

	door->opening = NULL;
	door->disk = disk;
	door->is_missing = !disk;
	if (!disk) {
		door_shut(door, failed);
		return;
	}
	request.deadline = mono_add_ms(clock_now(), OPEN_TIMEOUT_MS);
	door->state = DOOR_READING;
	if (facts_judge(door, &err) || disk_submit(disk, &request, &err))
		door_shut(door, &err);
}

/* ---- answers ---- */

static void reinstate(struct door *door, mono_t now)
{
	struct err err;

	if (disk_facts(door->disk)->kind != DISK_ISCSI || mono_before(now, door->reinstate_next))
		return;
	door->reinstate_next = mono_add_ms(now, REINSTATE_EVERY_MS);
	/* What comes of it is told by the requests that follow. */
	(void)disk_reinstate(door->disk, &err);
}

static void session_look(struct door *door, const struct disk_answer *answer)
{
	struct lockd_disk *slot = door->slot;

	if (answer->kind == DISK_DONE && answer->rc == RC_UNREACHABLE) {
		if (!slot->is_lost && disk_facts(door->disk)->kind == DISK_ISCSI) {
			slot->is_lost = 1;
			lockd_say(door->lockd, LOCKD_WARN, "disk %u: %s; logging in again",
				  slot->index + 1, answer->err->text);
			lockd_path(door->lockd, slot->index, LOCKD_PATH_LOST);
		}
		reinstate(door, answer->ended_at);
	} else if (answer->kind == DISK_DONE && answer->rc == 0 && slot->is_lost) {
		slot->is_lost = 0;
		lockd_say(door->lockd, LOCKD_INFO, "disk %u: logged in again", slot->index + 1);
		lockd_path(door->lockd, slot->index, LOCKD_PATH_BACK);
	}
}

static void answer_count(struct door *door, const struct disk_answer *answer)
{
	if (answer->kind == DISK_LATE) {
		door->outstanding -= door->outstanding > 0;
		return;
	}
	door->answers++;
	door->faults += answer->rc != 0;
	if (answer->is_outstanding && door->outstanding++ == 0)
		door->outstanding_since = answer->ended_at;
	if (answer->rc || mono_is_never(answer->submitted_at))
		return;
	door->took_ns = answer->ended_at.ns - answer->submitted_at.ns;
	if (door->took_most_ns < door->took_ns)
		door->took_most_ns = door->took_ns;
}

static void answered(struct disk *disk, const struct disk_answer *answer, void *context)
{
	struct door *door = context;

	/* Of a disk that was let go: a file that is opened anew, a part's request at the end. */
	if (disk != door->disk)
		return;
	if (answer->token & TOKEN_OPEN) {
		if (answer->kind == DISK_DONE)
			super_read(door, answer);
		return;
	}
	if (!door->slot)
		return;
	if (answer->kind == DISK_DONE && (answer->token & TOKEN_PARTS))
		door->parts--;
	answer_count(door, answer);
	session_look(door, answer);
	lockd_answered(door->lockd, door->slot->index, answer);
}

/* ---- from outside ---- */

static void door_open(struct door *door)
{
	const struct lockd_options *options = &door->lockd->options;
	const struct disk_options disk = { .open_timeout_ms = OPEN_TIMEOUT_MS,
					   .sector_bytes = door->sector_bytes,
					   .nexus = options->nexus };
	struct err err;

	door->state = DOOR_OPENING;
	if (disk_open_start(&door->lockd->loop, door->url, &disk, door_opened, answered, door,
			    &door->opening, &err))
		door_shut(door, &err);
}

static struct door *door_of(struct lockd *lockd, unsigned d)
{
	struct door *door = lockd->doors->doors;

	while (door->slot != &lockd->disks[d])
		door++;
	return door;
}

int lockd_submit(struct lockd *lockd, unsigned d, const struct disk_request *request,
		 struct err *err)
{
	struct door *door;
	unsigned most = request->token & LOCKD_TOKEN_LOCKS ? LOCKS_AT_ONCE : PARTS_AT_ONCE;
	int rc;

	assert(d < lockd->disks_count && (request->token & TOKEN_PARTS) &&
	       !(request->token & HB_IO_TOKEN_BIT));
	if (!lockd->disks[d].disk)
		return err_set(err, RC_UNREACHABLE, NULL, "disk %u is missing", d + 1);
	door = door_of(lockd, d);
	if (door->parts >= most)
		return err_set(err, RC_BUSY, NULL, "disk %u: %u requests wait already", d + 1,
			       door->parts);
	rc = disk_submit(door->disk, request, err);
	if (rc == 0)
		door->parts++;
	return rc;
}

static int doors_settled(const struct lockd_doors *doors, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (doors->doors[i].state == DOOR_OPENING || doors->doors[i].state == DOOR_READING)
			return 0;
	return 1;
}

/* The reason not to start; NULL when there is none. What is wrong with a disk comes before what
 * is missing. */
static const struct err *doors_judge(const struct lockd_doors *doors, unsigned count)
{
	const struct err *missing = NULL;
	unsigned open = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct door *door = &doors->doors[i];

		if (door->state == DOOR_OPEN)
			open++;
		else if (door->err.rc == RC_CONFIG && !door->is_missing)
			return &door->err;
		else if (!missing)
			missing = &door->err;
	}
	return open > count / 2 ? NULL : missing;
}

int lockd_disks_open(struct lockd *lockd, struct err *err)
{
	unsigned count = lockd->options.disks_count;
	const struct err *why;

	lockd->doors = calloc(1, sizeof *lockd->doors);
	if (!lockd->doors)
		abort();
	lockd->doors->is_starting = 1;
	for (unsigned d = 0; d < HB_DISKS_MAX; d++)
		lockd->disks[d] = (struct lockd_disk){ .lockd = lockd, .index = d };
	for (unsigned i = 0; i < count; i++) {
		struct door *door = &lockd->doors->doors[i];

		door->lockd = lockd;
		door->url = lockd->options.disks[i];
		door->reinstate_next = (mono_t){ 0 };
		door_open(door);
	}
	while (!doors_settled(lockd->doors, count))
		uv_run(&lockd->loop, UV_RUN_ONCE);
	lockd->doors->is_starting = 0;
	why = doors_judge(lockd->doors, count);
	if (why) {
		*err = *why;
		return why->rc;
	}
	for (unsigned i = 0; i < count; i++)
		if (lockd->doors->doors[i].state != DOOR_OPEN)
			door_shut(&lockd->doors->doors[i], &lockd->doors->doors[i].err);
	return 0;
}

void lockd_disks_look(struct lockd *lockd, mono_t now)
{
	for (unsigned i = 0; i < lockd->options.disks_count; i++) {
		struct door *door = &lockd->doors->doors[i];

		if (door->state == DOOR_SHUT && mono_reached(now, door->next_try))
			door_open(door);
		else if (door->state == DOOR_OPEN && door->outstanding > 0 &&
			 mono_reached(now,
				      mono_add_ms(door->outstanding_since,
						  REINSTATE_AFTER_TIMEOUTS *
							  (int64_t)lockd->options.io_timeout_ms)))
			reinstate(door, now);
	}
}

static json_t *door_json(const struct door *door)
{
	json_t *object = json_object();
	const struct lockd_disk *slot = door->slot;

	if (door->state != DOOR_OPEN) {
		json_object_set_new(object, "state", json_string("missing"));
		json_object_set_new(object, "why", json_string(door->err.text));
		return object;
	}
	json_object_set_new(object, "disk", json_integer(slot->index + 1));
	json_object_set_new(object, "url", json_string(disk_name(door->disk)));
	json_object_set_new(object, "state",
			    json_string(slot->is_lost		? "lost"
					: door->outstanding > 0 ? "hangs"
					: slot->is_failed	? "failed"
								: "good"));
	json_object_set_new(object, "id", json_string(disk_facts(door->disk)->id));
	json_object_set_new(object, "requests", json_integer((json_int_t)door->answers));
	json_object_set_new(object, "failed", json_integer((json_int_t)door->faults));
	json_object_set_new(object, "last_us", json_integer(door->took_ns / 1000));
	json_object_set_new(object, "longest_us", json_integer(door->took_most_ns / 1000));
	return object;
}

json_t *lockd_disks_json(const struct lockd *lockd)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < lockd->options.disks_count; i++)
		json_array_append_new(array, door_json(&lockd->doors->doors[i]));
	return array;
}

void lockd_disks_close(struct lockd *lockd)
{
	for (unsigned i = 0; lockd->doors && i < lockd->options.disks_count; i++) {
		struct door *door = &lockd->doors->doors[i];
		struct disk *disk = door->disk;

		if (door->opening)
			disk_open_cancel(door->opening);
		door->opening = NULL;
		if (door->slot)
			door->slot->disk = NULL;
		door->disk = NULL;
		if (disk)
			disk_close(disk);
	}
}
