/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doctor_node.c - which node is this machine, what do the nodes publish, and what did the doctors of the
 * others leave on the disk? See doctor.h.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "diskhb/doctor_wire.h"
#include "host/machine.h"
#include "lockd/lockd_options.h"

/* The heartbeat of a node on a disk: 1 when there is one that is no link test. */
static int beat_read(const struct doctor_disk *disk, const uint8_t *bytes, uint16_t node,
		     struct heartbeat_record *beat)
{
	const struct record_want want = { .node = node,
					  .cluster = disk->disk->area.super.head.cluster };

	return heartbeat_in(bytes + disk_layout_slot_at(node), &want, beat) == RECORD_OK &&
	       !(beat->flags & SLOT_FLAG_LINK_TEST);
}

/* Call for each heartbeat of each disk. */
static void beats_each(struct doctor *doctor,
		       void (*take)(struct doctor *, const struct heartbeat_record *, void *),
		       void *context)
{
	for (size_t i = 0; i < doctor->count; i++) {
		struct doctor_disk *disk = &doctor->disks[i];
		struct heartbeat_record beat;
		uint8_t *bytes;
		struct err err;

		if (!disk->has_area)
			continue;
		disk->session.timeout_ms = doctor_request_ms(doctor);
		/* What keeps it from being read is told where it is examined. */
		if (session_read_area(disk->disk, 0, &bytes, &err) != 0)
			continue;
		for (uint16_t node = 1; node <= disk->disk->area.super.nodes_max; node++)
			if (beat_read(disk, bytes, node, &beat))
				take(doctor, &beat, context);
		free(bytes);
	}
}

/* ---- which node ---- */

struct node_search {
	uint8_t machine[MACHINE_ID_BYTES];
	uint16_t ours, ours_too;	   /* slots of this machine */
	uint16_t wanted;		   /* --node */
	char wanted_name[NODE_NAME_BYTES]; /* of another machine in that slot */
};

static void node_take(struct doctor *doctor, const struct heartbeat_record *beat, void *context)
{
	struct node_search *search = context;
	uint16_t node = beat->head.node;

	(void)doctor;
	if (memcmp(beat->machine, search->machine, sizeof search->machine) == 0) {
		if (search->ours && search->ours != node)
			search->ours_too = node;
		else
			search->ours = node;
	} else if (node == search->wanted) {
		memcpy(search->wanted_name, beat->name, sizeof search->wanted_name);
	}
}

int doctor_node_find(struct doctor *doctor, uint16_t from_lockd, struct err *err)
{
	struct node_search search = { .wanted = (uint16_t)doctor->cli->node };
	uint8_t boot[MACHINE_ID_BYTES];
	int rc = machine_identify(search.machine, boot, err);

	doctor->node = 0;
	if (rc)
		return rc;
	if (from_lockd && (!search.wanted || search.wanted == from_lockd)) {
		doctor->node = from_lockd;
		return 0;
	}
	if (from_lockd)
		return err_set(err, RC_CONFIG, "leave --node out",
			       "--node %u: lockd of this machine is node %u", search.wanted,
			       from_lockd);
	beats_each(doctor, node_take, &search);
	if (search.wanted && search.wanted_name[0])
		return err_set(err, RC_CONFIG, "give the id of this machine",
			       "--node %u: that is node \"%s\" on another machine", search.wanted,
			       search.wanted_name);
	if (search.wanted)
		doctor->node = search.wanted;
	else if (!search.ours_too)
		doctor->node = search.ours;
	return 0;
}

/* ---- timeouts ---- */

/* The shortest of what the nodes publish: the disk has to do for all of them. */
static void times_take(struct doctor *doctor, const struct heartbeat_record *beat, void *context)
{
	struct doctor_times *times = context;

	(void)doctor;
	if (beat->state == SLOT_LEFT)
		return;
	if (times->source == NULL || beat->interval_ms < times->interval_ms)
		times->interval_ms = beat->interval_ms;
	if (times->source == NULL || beat->io_timeout_ms < times->io_timeout_ms)
		times->io_timeout_ms = beat->io_timeout_ms;
	if (times->source == NULL || beat->lease_ms < times->lease_ms)
		times->lease_ms = beat->lease_ms;
	times->source = "as the nodes publish them";
}

void doctor_times_find(struct doctor *doctor)
{
	struct doctor_times published = { 0 };

	doctor->times = (struct doctor_times){ .source = "lockd's defaults",
					       .interval_ms = LOCKD_INTERVAL_MS,
					       .io_timeout_ms = LOCKD_IO_TIMEOUT_MS,
					       .lease_ms = LOCKD_LEASE_MS,
					       .member_timeout_ms = LOCKD_MEMBER_TIMEOUT_MS };
	beats_each(doctor, times_take, &published);
	if (!published.source)
		return;
	published.member_timeout_ms = doctor->times.member_timeout_ms;
	doctor->times = published;
}

/* ---- the other doctors ---- */

static void other_tell(struct doctor *doctor, const struct doctor_record *record)
{
	json_t *members = json_object();
	char when[32];

	object_put_integer(&doctor->out, members, "node", record->head.node);
	object_put_text(&doctor->out, members, "machine", record->name);
	object_put_integer(&doctor->out, members, "nonce", record->head.nonce);
	object_put_integer(&doctor->out, members, "written", (long long)record->wall_s);
	doctor_find(doctor, "seen here", DOCTOR_NOTE, members, NULL,
		    "the doctor of node %u (\"%s\") wrote %08" PRIx32 " at %s UTC",
		    record->head.node, record->name, record->head.nonce,
		    session_time_text(record->wall_s, when));
}

void doctor_others(struct doctor *doctor)
{
	struct doctor_disk *disk = doctor->at_hand;
	const struct hb_area *area = &disk->disk->area;
	uint32_t bytes = area->super.nodes_max * (uint32_t)SLOT_BYTES;
	uint8_t *places = malloc(bytes);
	struct err err;

	if (!places)
		abort();
	disk->session.timeout_ms = doctor_request_ms(doctor);
	if (session_io(disk->disk, DISK_READ, area->layout.doctor_at, places, bytes, &err) != 0) {
		doctor_find_err(doctor, "seen here", DOCTOR_UNFIT, &err);
		free(places);
		return;
	}
	for (uint16_t node = 1; node <= area->super.nodes_max; node++) {
		const uint64_t at = disk_layout_doctor_at(&area->layout, node);
		const struct record_want want = { .node = node,
						  .cluster = area->super.head.cluster,
						  .offset = at };
		struct doctor_record record;
		enum record_verdict verdict = doctor_in(places + (at - area->layout.doctor_at),
							&want, &record);

		if (verdict == RECORD_OK && node != doctor->node)
			other_tell(doctor, &record);
		else if (verdict == RECORD_MISPLACED || verdict == RECORD_ALIEN)
			doctor_find(doctor, "seen here", DOCTOR_UNFIT, NULL,
				    "find out who writes to this disk",
				    "the place of node %u is %s", node,
				    record_verdict_text(verdict));
	}
	free(places);
}
