/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * disk_show.c - `holdfast disk show`: the records of a cluster's disks, as they are at this moment.
 *
 * One look tells states as they were written, not who is alive: that takes two, see `watch`.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cmd_disk.h"
#include "cli/disk_session.h"
#include "cli/options.h"
#include "cli/output.h"
#include "diskhb/arbiter_wire.h"

enum { NUMBER_BYTES = 24 };

struct show {
	struct disk_session session;
	uint8_t *bytes[DISKS_MAX]; /* by rank */
	struct output out;
	int damaged; /* records that are not as they should be */
};

static const char *number(uint64_t value, char text[NUMBER_BYTES])
{
	snprintf(text, NUMBER_BYTES, "%" PRIu64, value);
	return text;
}

static void hex(const uint8_t *bytes, size_t count, char *text)
{
	for (size_t i = 0; i < count; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

/* ---- superblocks ---- */

static void disk_print(struct show *show, const struct session_disk *disk)
{
	const struct super_record *super = &disk->area.super;
	const struct disk_facts *facts = disk_facts(disk->disk);
	struct output *out = &show->out;
	json_t *object = json_object();
	char id[NUMBER_BYTES], uuid[2 * DISK_UUID_BYTES + 1], when[32];

	snprintf(id, sizeof id, "%016" PRIx64, super->head.cluster);
	hex(super->disk_uuid, DISK_UUID_BYTES, uuid);
	session_time_text(super->created_s, when);
	output_line(out, STYLE_PLAIN, "%s: disk %u of %u of cluster \"%s\" (%s)",
		    disk_name(disk->disk), super->disk_index, super->disks_count,
		    super->cluster_name, id);
	output_line(out, STYLE_FAINT,
		    "  %u nodes, %u locks, arbiter %s, sectors of %u bytes, prepared %s by %s, "
		    "device %s",
		    super->nodes_max, super->locks_max, super_arbiter_word(super->arbiter),
		    super->sector_bytes, when, super->created_by, facts->id);
	object_put_text(out, object, "kind", "disk");
	object_put_text(out, object, "disk", disk_name(disk->disk));
	object_put_text(out, object, "cluster", super->cluster_name);
	object_put_text(out, object, "cluster_id", id);
	object_put_text(out, object, "uuid", uuid);
	object_put_integer(out, object, "index", super->disk_index);
	object_put_integer(out, object, "disks", super->disks_count);
	object_put_integer(out, object, "nodes", super->nodes_max);
	object_put_integer(out, object, "locks", super->locks_max);
	object_put_text(out, object, "arbiter", super_arbiter_word(super->arbiter));
	object_put_integer(out, object, "sector_bytes", super->sector_bytes);
	object_put_integer(out, object, "claim_window_ms", super->claim_window_ms);
	object_put_integer(out, object, "version", super->head.version);
	object_put_integer(out, object, "initialisations", (long long)super->head.sequence);
	object_put_integer(out, object, "created", (long long)super->created_s);
	object_put_text(out, object, "created_by", super->created_by);
	object_put_text(out, object, "device", facts->id);
	output_object(out, object);
}

static void bad_record(struct show *show, const struct session_disk *disk, const char *what,
		       uint16_t node, enum record_verdict verdict)
{
	struct output *out = &show->out;
	json_t *object = json_object();

	show->damaged = 1;
	output_line(out, STYLE_WARN, "%s: the %s of node %u is %s", disk_name(disk->disk), what,
		    node, record_verdict_text(verdict));
	object_put_text(out, object, "kind", "bad-record");
	object_put_text(out, object, "disk", disk_name(disk->disk));
	object_put_text(out, object, "record", what);
	object_put_integer(out, object, "node", node);
	object_put_text(out, object, "why", record_verdict_text(verdict));
	output_object(out, object);
}

/* ---- nodes ---- */

static int is_newer(const struct record_head *a, const struct record_head *b)
{
	return a->incarnation > b->incarnation ||
	       (a->incarnation == b->incarnation && a->sequence > b->sequence);
}

/* The newest heartbeat of the node on any disk. 0 when there is none. */
static int beat_find(struct show *show, uint16_t node, struct heartbeat_record *newest)
{
	int found = 0;

	for (size_t d = 0; d < show->session.count; d++) {
		const struct session_disk *disk = show->session.ordered[d];
		const struct record_want want = { .node = node,
						  .cluster = disk->area.super.head.cluster };
		struct heartbeat_record beat;
		enum record_verdict verdict = heartbeat_in(
			show->bytes[d] + disk_layout_slot_at(node), &want, &beat);

		if (verdict == RECORD_EMPTY)
			continue;
		if (verdict != RECORD_OK) {
			bad_record(show, disk, "heartbeat", node, verdict);
			continue;
		}
		if (!found || is_newer(&beat.head, &newest->head))
			*newest = beat;
		found = 1;
	}
	return found;
}

static void node_print(struct show *show, const struct heartbeat_record *beat)
{
	struct output *out = &show->out;
	char node[NUMBER_BYTES], incarnation[NUMBER_BYTES], sequence[NUMBER_BYTES],
		epoch[NUMBER_BYTES], lease[NUMBER_BYTES], watchdog[NUMBER_BYTES], when[32],
		machine[2 * MACHINE_ID_BYTES + 1];
	const char *state = slot_state_word(beat->state);
	int is_test = beat->flags & SLOT_FLAG_LINK_TEST;
	json_t *object = json_object();

	hex(beat->machine, MACHINE_ID_BYTES, machine);
	output_row(out,
		   (const struct output_cell[]){
			   { number(beat->head.node, node), STYLE_PLAIN },
			   { beat->name, STYLE_PLAIN },
			   { is_test ? "link test" : state, STYLE_PLAIN },
			   { number(beat->head.incarnation, incarnation), STYLE_PLAIN },
			   { number(beat->head.sequence, sequence), STYLE_PLAIN },
			   { session_time_text(beat->wall_s, when), STYLE_PLAIN },
			   { number(beat->epoch, epoch), STYLE_PLAIN },
			   { number(beat->lease_ms, lease), STYLE_PLAIN },
			   { number(beat->watchdog_ms, watchdog), STYLE_PLAIN },
		   },
		   9);
	object_put_text(out, object, "kind", "node");
	object_put_integer(out, object, "node", beat->head.node);
	object_put_text(out, object, "name", beat->name);
	object_put_text(out, object, "state", state);
	object_put_boolean(out, object, "link_test", is_test);
	object_put_integer(out, object, "incarnation", beat->head.incarnation);
	object_put_integer(out, object, "sequence", (long long)beat->head.sequence);
	object_put_integer(out, object, "written", (long long)beat->wall_s);
	object_put_integer(out, object, "epoch", (long long)beat->epoch);
	object_put_integer(out, object, "interval_ms", beat->interval_ms);
	object_put_integer(out, object, "io_timeout_ms", beat->io_timeout_ms);
	object_put_integer(out, object, "lease_ms", beat->lease_ms);
	object_put_integer(out, object, "watchdog_ms", beat->watchdog_ms);
	object_put_integer(out, object, "grain_ms", beat->grain_ms);
	object_put_text(out, object, "machine", machine);
	output_object(out, object);
}

static void nodes_print(struct show *show)
{
	static const char *const headings[] = { "NODE",	       "NAME",	   "STATE",
						"INCARNATION", "SEQUENCE", "WRITTEN",
						"EPOCH",       "LEASE MS", "WATCHDOG MS" };
	uint16_t nodes = show->session.ordered[0]->area.super.nodes_max;
	struct heartbeat_record beat = { 0 };
	int any = 0;

	output_begin(&show->out, headings, 9);
	for (uint16_t node = 1; node <= nodes; node++)
		if (beat_find(show, node, &beat)) {
			node_print(show, &beat);
			any = 1;
		}
	if (!any)
		output_line(&show->out, STYLE_FAINT, "no node has written yet");
	output_end(&show->out);
}

/* ---- the arbiter ---- */

static void decided_print(struct show *show)
{
	struct arbiter_record newest = { 0 };
	struct output *out = &show->out;
	json_t *object;

	for (size_t d = 0; d < show->session.count; d++) {
		const struct session_disk *disk = show->session.ordered[d];
		const struct disk_layout *layout = &disk->area.layout;

		for (uint16_t node = 1; node <= layout->nodes_max; node++) {
			uint64_t at = disk_layout_arbiter_at(layout, node);
			const struct record_want want = { .node = node,
							  .cluster = disk->area.super.head.cluster,
							  .offset = at };
			struct arbiter_record record;
			enum record_verdict verdict = arbiter_in(show->bytes[d] + at, &want,
								 &record);

			if (verdict == RECORD_OK && record.decided_epoch > newest.decided_epoch)
				newest = record;
			else if (verdict != RECORD_OK && verdict != RECORD_EMPTY)
				bad_record(show, disk, "arbiter record", node, verdict);
		}
	}
	if (newest.decided_epoch == 0)
		return;
	object = json_object();
	output_line(out, STYLE_PLAIN, "decided: epoch %" PRIu64 ", for node %u",
		    newest.decided_epoch, newest.winner);
	object_put_text(out, object, "kind", "decided");
	object_put_integer(out, object, "epoch", (long long)newest.decided_epoch);
	object_put_integer(out, object, "node", newest.winner);
	output_object(out, object);
}

int disk_show_command(struct cli *cli)
{
	struct show *show = calloc(1, sizeof *show);
	struct err err = { 0 };
	int rc, status;

	if (!show)
		abort();
	if (cli->args_count < 1 || cli->args_count > DISKS_MAX) {
		free(show);
		return cli_usage(cli, "give one to three disks");
	}
	rc = session_open_areas(&show->session, cli, 1, 1, &err);
	for (size_t d = 0; rc == 0 && d < show->session.count; d++)
		rc = session_read_area(show->session.ordered[d], 1, &show->bytes[d], &err);
	if (rc == 0) {
		output_init(&show->out, cli);
		for (size_t d = 0; d < show->session.count; d++)
			disk_print(show, show->session.ordered[d]);
		nodes_print(show);
		decided_print(show);
		status = output_finish(&show->out, cli, show->damaged ? CLI_EXIT_NOT : CLI_EXIT_OK);
	} else {
		status = cli_fail(cli, &err);
	}
	for (size_t d = 0; d < DISKS_MAX; d++)
		free(show->bytes[d]);
	session_close(&show->session);
	free(show);
	return status;
}
