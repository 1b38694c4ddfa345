/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * disk_init.c - `holdfast disk init`: prepare the disks of a cluster.
 *
 * All disks are looked at before the first one is written. The order of writing makes an interrupted init
 * visible: the old superblock is cleared first and the new one is written last, each flushed, so that
 * in between there is none.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cmd_disk.h"
#include "cli/disk_arbiter.h"
#include "cli/disk_probe.h"
#include "cli/options.h"
#include "cli/output.h"
#include "host/clock.h"
#include "host/machine.h"

enum {
	/* What a foreign signature may reach into, at both ends; cleared when --force was given. */
	SIGNATURE_HEAD_BYTES = 2 << 20,
	SIGNATURE_TAIL_BYTES = 1 << 20,
	CHUNK_BYTES = 1 << 18,
	LOOK_EVERY_MS = 50,
};

struct init {
	struct cli *cli;
	struct disk_session session;
	struct disk_probe probes[DISKS_MAX];
	struct super_record supers[DISKS_MAX];
	struct disk_layout layout;
	uint64_t cluster;
	struct disk_arbiter arbiter;
};

/* ---- may it be overwritten? ---- */

/* Is `name` one of the names of --force, which are separated by commas? */
static int is_forced(const char *force, const char *name)
{
	while (force && *force) {
		size_t length = strcspn(force, ",");

		if (strlen(name) == length && strncmp(force, name, length) == 0)
			return 1;
		force += length + (force[length] == ',');
	}
	return 0;
}

/* The newest heartbeat of each node that has not left: 1 when there is any. */
static int beats_read(struct session_disk *disk, const struct disk_probe *probe,
		      uint64_t beats[NODES_MAX], int64_t *wait_ms, uint16_t *changed,
		      struct err *err)
{
	uint32_t bytes = (uint32_t)probe->layout.claims_at;
	uint8_t *area = malloc(bytes);
	int rc, any = 0;

	if (!area)
		return err_set(err, RC_INTERNAL, NULL, "no memory");
	rc = session_io(disk, DISK_READ, 0, area, bytes, err);
	for (uint16_t n = 1; rc == 0 && n <= probe->layout.nodes_max; n++) {
		const struct record_want want = { .node = n, .cluster = probe->super.head.cluster };
		struct heartbeat_record beat;
		int64_t patience_ms;

		if (heartbeat_in(area + disk_layout_slot_at(n), &want, &beat) != RECORD_OK ||
		    beat.state == SLOT_LEFT)
			continue;
		any = 1;
		if (beats[n - 1] && beats[n - 1] != beat.head.sequence)
			*changed = n;
		beats[n - 1] = beat.head.sequence;
		patience_ms = 2 * (int64_t)beat.interval_ms + beat.io_timeout_ms;
		if (patience_ms > *wait_ms)
			*wait_ms = patience_ms;
	}
	free(area);
	return rc ? rc : any;
}

/* Even --force does not pull a disk away from under a cluster that runs. */
static int alive_check(struct session_disk *disk, const struct disk_probe *probe, struct err *err)
{
	uint64_t beats[NODES_MAX] = { 0 };
	int64_t wait_ms = 0;
	uint16_t changed = 0;
	mono_t until;
	int any = beats_read(disk, probe, beats, &wait_ms, &changed, err);

	if (any <= 0)
		return any;
	if (wait_ms > SESSION_TIMEOUT_MS)
		wait_ms = SESSION_TIMEOUT_MS;
	until = mono_add_ms(clock_now(), wait_ms);
	while (changed == 0 && !mono_reached(clock_now(), until)) {
		clock_sleep_until(mono_add_ms(clock_now(), LOOK_EVERY_MS));
		any = beats_read(disk, probe, beats, &wait_ms, &changed, err);
		if (any < 0)
			return any;
	}
	if (changed == 0)
		return 0;
	return err_set(err, RC_CONFIG, "stop Holdfast on all nodes first",
		       "%s: node %u of cluster \"%s\" is writing heartbeats to it",
		       disk_name(disk->disk), changed, probe->super.cluster_name);
}

static int disk_check(struct init *init, size_t d, struct err *err)
{
	struct session_disk *disk = &init->session.disks[d];
	const struct disk_facts *facts = disk_facts(disk->disk);
	struct disk_probe *probe = &init->probes[d];
	char next[128];
	int rc;

	if (facts->is_read_only)
		return err_set(err, RC_CONFIG, "make it writable", "%s: is read-only",
			       disk_name(disk->disk));
	if (disk_layout_set(&init->layout, facts->sector_bytes, init->supers[d].nodes_max,
			    init->supers[d].locks_max))
		return err_set(err, RC_CONFIG, NULL, "%s: has sectors of %u bytes, not 512 or 4096",
			       disk_name(disk->disk), facts->sector_bytes);
	if (facts->sectors * facts->sector_bytes < init->layout.end)
		return err_set(err, RC_CONFIG, "use a larger disk, or fewer --nodes or --locks",
			       "%s: has %" PRIu64 " bytes, %u nodes and %u locks need %" PRIu64,
			       disk_name(disk->disk), facts->sectors * facts->sector_bytes,
			       init->layout.nodes_max, init->layout.locks_max, init->layout.end);
	rc = disk_probe(disk, init->layout.end, probe, err);
	if (rc)
		return rc;
	if (probe->is_empty)
		return 0;
	snprintf(next, sizeof next, "to overwrite it, say --force %s", probe->name);
	if (!is_forced(init->cli->force, probe->name))
		return err_set(err, RC_CONFIG, next, "%s: holds %s", disk_name(disk->disk),
			       probe->text);
	return probe->is_ours ? alive_check(disk, probe, err) : 0;
}

/* ---- writing ---- */

static int zeros_write(struct session_disk *disk, uint64_t from, uint64_t to, struct err *err)
{
	uint8_t *zeros = calloc(1, CHUNK_BYTES);
	int rc = zeros ? 0 : err_set(err, RC_INTERNAL, NULL, "no memory");

	while (rc == 0 && from < to) {
		uint32_t bytes = to - from < CHUNK_BYTES ? (uint32_t)(to - from) : CHUNK_BYTES;

		rc = session_io(disk, DISK_WRITE, from, zeros, bytes, err);
		from += bytes;
	}
	free(zeros);
	return rc ? rc : session_io(disk, DISK_FLUSH, 0, NULL, 0, err);
}

static int areas_clear(struct session_disk *disk, const struct init *init, int forced,
		       struct err *err)
{
	const struct disk_facts *facts = disk_facts(disk->disk);
	uint64_t size = facts->sectors * facts->sector_bytes, end = init->layout.end;
	int rc;

	if (forced && end < SIGNATURE_HEAD_BYTES)
		end = size < SIGNATURE_HEAD_BYTES ? size : SIGNATURE_HEAD_BYTES;
	rc = zeros_write(disk, SUPER_BYTES, end, err);
	if (rc == 0 && forced && size > end + SIGNATURE_TAIL_BYTES)
		rc = zeros_write(disk, size - SIGNATURE_TAIL_BYTES, size, err);
	return rc;
}

/* What was written is what is there: read it from the device, all of it. */
static int disk_verify(struct session_disk *disk, const uint8_t *super,
		       const struct disk_layout *layout, struct err *err)
{
	uint8_t *found = malloc(CHUNK_BYTES);
	int rc = 0;

	if (!found)
		return err_set(err, RC_INTERNAL, NULL, "no memory");
	for (uint64_t from = 0; rc == 0 && from < layout->end; from += CHUNK_BYTES) {
		uint64_t left = layout->end - from;
		uint32_t bytes = left < CHUNK_BYTES ? (uint32_t)left : CHUNK_BYTES;
		uint32_t at = from == 0 ? SUPER_BYTES : 0;
		int same;

		rc = session_io(disk, DISK_READ, from, found, bytes, err);
		if (rc)
			break;
		same = from > 0 || memcmp(found, super, SUPER_BYTES) == 0;
		while (at < bytes && found[at] == 0)
			at++;
		if (!same || at < bytes)
			rc = err_set(err, RC_STATE, "somebody else writes to it, or it is broken",
				     "%s: reads back other than it was written",
				     disk_name(disk->disk));
	}
	free(found);
	return rc;
}

static int disk_write(struct init *init, size_t d, struct err *err)
{
	struct session_disk *disk = &init->session.disks[d];
	uint8_t super[SUPER_BYTES] = { 0 };
	struct disk_layout layout;
	int rc;

	disk_layout_set(&layout, init->supers[d].sector_bytes, init->supers[d].nodes_max,
			init->supers[d].locks_max);
	init->layout = layout;
	rc = zeros_write(disk, 0, SUPER_BYTES, err);
	if (rc == 0)
		rc = areas_clear(disk, init, !init->probes[d].is_empty, err);
	super_out(super, &init->supers[d]);
	if (rc == 0)
		rc = session_io(disk, DISK_WRITE, 0, super, SUPER_BYTES, err);
	if (rc == 0)
		rc = session_io(disk, DISK_FLUSH, 0, NULL, 0, err);
	return rc ? rc : disk_verify(disk, super, &layout, err);
}

/* ---- the command ---- */

static void supers_fill(struct init *init)
{
	char host[NODE_NAME_BYTES] = "";

	machine_name(host, sizeof host);
	do {
		machine_random(&init->cluster, sizeof init->cluster);
	} while (init->cluster == 0);
	for (size_t d = 0; d < init->session.count; d++) {
		struct super_record *super = &init->supers[d];

		super->head.cluster = init->cluster;
		snprintf(super->cluster_name, sizeof super->cluster_name, "%s", init->cli->cluster);
		machine_random(super->disk_uuid, sizeof super->disk_uuid);
		super->disk_index = (uint8_t)(d + 1);
		super->disks_count = (uint8_t)init->session.count;
		super->nodes_max = (uint16_t)(init->cli->nodes ? init->cli->nodes : NODES_DEFAULT);
		super->locks_max = (uint16_t)(init->cli->locks ? init->cli->locks : LOCKS_DEFAULT);
		super->sector_bytes = disk_facts(init->session.disks[d].disk)->sector_bytes;
		super->claim_window_ms = CLAIM_WINDOW_DEFAULT_MS;
		super->created_s = (uint64_t)time(NULL);
		memcpy(super->created_by, host, sizeof super->created_by);
	}
}

static void result_print(struct init *init, struct output *out)
{
	for (size_t d = 0; d < init->session.count; d++) {
		const struct super_record *super = &init->supers[d];
		const char *name = disk_name(init->session.disks[d].disk);
		json_t *object = json_object();
		char id[20];

		snprintf(id, sizeof id, "%016" PRIx64, init->cluster);
		output_line(out, STYLE_GOOD,
			    "%s: disk %u of %u of cluster \"%s\" (%s), %u nodes, %u locks, "
			    "sectors of %u bytes",
			    name, super->disk_index, super->disks_count, super->cluster_name, id,
			    super->nodes_max, super->locks_max, super->sector_bytes);
		object_put_text(out, object, "kind", "disk");
		object_put_text(out, object, "disk", name);
		object_put_integer(out, object, "index", super->disk_index);
		object_put_integer(out, object, "disks", super->disks_count);
		object_put_text(out, object, "cluster", super->cluster_name);
		object_put_text(out, object, "cluster_id", id);
		object_put_integer(out, object, "nodes", super->nodes_max);
		object_put_integer(out, object, "locks", super->locks_max);
		object_put_integer(out, object, "sector_bytes", super->sector_bytes);
		object_put_text(out, object, "arbiter", super_arbiter_word(super->arbiter));
		object_put_text(out, object, "overwritten",
				init->probes[d].is_empty ? NULL : init->probes[d].name);
		output_object(out, object);
	}
	output_line(out, STYLE_FAINT, "arbiter %s: %s", super_arbiter_word(init->arbiter.kind),
		    init->arbiter.why);
}

static int init_run(struct init *init, struct err *err)
{
	int rc = session_open(&init->session, init->cli, 0, init->cli->sector, err);

	if (rc)
		return rc;
	supers_fill(init);
	for (size_t d = 0; rc == 0 && d < init->session.count; d++)
		rc = disk_check(init, d, err);
	if (rc == 0)
		rc = disk_arbiter_choose(&init->arbiter, init->cli, &init->session, err);
	for (size_t d = 0; rc == 0 && d < init->session.count; d++) {
		init->supers[d].arbiter = (uint8_t)init->arbiter.kind;
		init->supers[d].head.sequence = init->probes[d].is_ours
							? init->probes[d].super.head.sequence + 1
							: 1;
		rc = disk_write(init, d, err);
		/* From the first write on it is no mere matter of configuration. */
		if (rc == RC_CONFIG)
			rc = err->rc = RC_STATE;
	}
	return rc;
}

int disk_init_command(struct cli *cli)
{
	char name[CLUSTER_NAME_BYTES] = "";
	struct init init = { .cli = cli };
	struct output out;
	struct err err = { 0 };
	int rc;

	if (!cli->cluster)
		return cli_usage(cli, "--name: the cluster needs a name");
	snprintf(name, sizeof name, "%s", cli->cluster);
	if (strlen(cli->cluster) >= sizeof name || !record_name_ok(name, sizeof name))
		return cli_usage(cli,
				 "--name %s: expected up to %d letters, digits, `.`, `-` and `_`",
				 cli->cluster, CLUSTER_NAME_BYTES - 1);
	if (cli->args_count < 1 || cli->args_count > DISKS_MAX)
		return cli_usage(cli, "give one to three disks");
	if (cli->nodes == 1)
		return cli_usage(cli, "--nodes 1: expected 2 to %d", NODES_MAX);
	if (cli->sector && cli->sector != 512 && cli->sector != 4096)
		return cli_usage(cli, "--sector %u: expected 512 or 4096", cli->sector);
	if (init.cli->arbiter && strcmp(init.cli->arbiter, "auto") != 0 &&
	    strcmp(init.cli->arbiter, "pr") != 0 && strcmp(init.cli->arbiter, "paxos") != 0)
		return cli_usage(cli, "--arbiter %s: expected auto, pr or paxos", cli->arbiter);
	rc = init_run(&init, &err);
	if (rc) {
		session_close(&init.session);
		return cli_fail(cli, &err);
	}
	output_init(&out, cli);
	result_print(&init, &out);
	session_close(&init.session);
	return output_finish(&out, cli, CLI_EXIT_OK);
}
