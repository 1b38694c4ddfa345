/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * disk_doctor.c - `holdfast disk doctor`: is this a disk that a cluster can rest on? See doctor.h.
 *
 * Every path is opened by itself, so that one that cannot be does not hide what is wrong with the others.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd_disk.h"
#include "cli/doctor.h"
#include "cli/options.h"
#include "diskhb/area.h"
#include "host/clock.h"
#include "host/machine.h"

enum { TIMEOUT_DEFAULT_MS = 60000, LINE_BYTES = 1024 };

static const struct {
	const char *word, *verdict;
	enum output_style style;
} levels[DOCTOR_LEVELS] = {
	[DOCTOR_GOOD] = { "good", "fit", STYLE_GOOD },
	[DOCTOR_NOTE] = { "note", "fit", STYLE_PLAIN },
	[DOCTOR_DOUBT] = { "doubt", "doubtful", STYLE_WARN },
	[DOCTOR_UNFIT] = { "unfit", "unfit", STYLE_BAD },
};

/* ---- findings ---- */

static void progress_clear(struct doctor *doctor)
{
	if (doctor->shows_progress)
		fputs("\r\033[K", stderr);
	doctor->shows_progress = 0;
}

void doctor_progress(struct doctor *doctor, const char *fmt, ...)
{
	va_list ap;

	if (!doctor->is_terminal)
		return;
	progress_clear(doctor);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fflush(stderr);
	doctor->shows_progress = 1;
}

const char *doctor_name(const struct doctor_disk *disk)
{
	return disk->disk ? disk_name(disk->disk->disk) : disk->url;
}

static void finding_tell(struct doctor *doctor, const char *check, enum doctor_level level,
			 json_t *members, const char *text, const char *next)
{
	json_t *object = json_object();
	char line[LINE_BYTES];

	progress_clear(doctor);
	if (doctor->at_hand && doctor->at_hand->level < level)
		doctor->at_hand->level = level;
	if (doctor->level < level)
		doctor->level = level;
	snprintf(line, sizeof line, "%s%s%s", text, next && *next ? "; " : "", next ? next : "");
	output_row(&doctor->out,
		   (const struct output_cell[]){ { check, STYLE_PLAIN },
						 { levels[level].word, levels[level].style },
						 { line, STYLE_PLAIN } },
		   3);
	object_put_text(&doctor->out, object, "kind", "check");
	object_put_text(&doctor->out, object, "disk",
			doctor->at_hand ? doctor_name(doctor->at_hand) : NULL);
	object_put_text(&doctor->out, object, "check", check);
	object_put_text(&doctor->out, object, "level", levels[level].word);
	object_put_text(&doctor->out, object, "text", text);
	object_put_text(&doctor->out, object, "next", next ? next : "");
	if (members && json_object_update_missing(object, members) != 0)
		doctor->out.lost = 1;
	json_decref(members);
	output_object(&doctor->out, object);
}

void doctor_find(struct doctor *doctor, const char *check, enum doctor_level level, json_t *members,
		 const char *next, const char *fmt, ...)
{
	char text[LINE_BYTES / 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	finding_tell(doctor, check, level, members, text, next);
}

void doctor_find_err(struct doctor *doctor, const char *check, enum doctor_level level,
		     const struct err *err)
{
	finding_tell(doctor, check, level, NULL, err->text, err->next);
}

int64_t doctor_request_ms(const struct doctor *doctor)
{
	int64_t left_ms = mono_left_ms(clock_now(), doctor->until);

	return left_ms < 1 ? 1 : left_ms < SESSION_TIMEOUT_MS ? left_ms : SESSION_TIMEOUT_MS;
}

static void verdict_tell(struct doctor *doctor, const char *disk, enum doctor_level level)
{
	json_t *object = json_object();

	output_line(&doctor->out, levels[level].style, "%s: %s", disk ? disk : "all together",
		    levels[level].verdict);
	object_put_text(&doctor->out, object, "kind", "verdict");
	object_put_text(&doctor->out, object, "disk", disk);
	object_put_text(&doctor->out, object, "verdict", levels[level].verdict);
	output_object(&doctor->out, object);
}

/* ---- opening ---- */

/* A disk that nobody has prepared yet may be examined too. */
static int is_unprepared(struct session_disk *disk)
{
	uint8_t block[SUPER_BYTES];
	struct super_record super;
	struct disk_layout layout;
	struct err err;
	enum record_verdict verdict;

	if (disk_facts(disk->disk)->sectors * disk_facts(disk->disk)->sector_bytes < sizeof block ||
	    session_io(disk, DISK_READ, 0, block, sizeof block, &err) != 0)
		return 0;
	verdict = super_in(block, &super, &layout);
	return verdict == RECORD_EMPTY || verdict == RECORD_FOREIGN;
}

static void disk_open_tell(struct doctor *doctor, struct doctor_disk *disk, struct err *open_err,
			   struct err *area_err)
{
	const struct super_record *super = &disk->session.disks[0].area.super;
	json_t *members = json_object();

	doctor->at_hand = disk;
	if (!disk->disk) {
		doctor_find_err(doctor, "open", DOCTOR_UNFIT, open_err);
	} else if (disk->has_area) {
		object_put_text(&doctor->out, members, "cluster", super->cluster_name);
		object_put_integer(&doctor->out, members, "index", super->disk_index);
		object_put_integer(&doctor->out, members, "disks", super->disks_count);
		doctor_find(doctor, "superblock", DOCTOR_GOOD, members, NULL,
			    "disk %u of %u of cluster \"%s\", for %u nodes", super->disk_index,
			    super->disks_count, super->cluster_name, super->nodes_max);
		return;
	} else if (is_unprepared(disk->disk)) {
		doctor_find(doctor, "superblock", DOCTOR_NOTE, NULL,
			    "holdfast disk init prepares it", "not a disk of Holdfast yet");
	} else {
		doctor_find_err(doctor, "superblock", DOCTOR_UNFIT, area_err);
	}
	json_decref(members);
}

/* 0 when path and superblock are there; the reasons otherwise. */
static void disk_begin(struct doctor *doctor, struct doctor_disk *disk, struct err *open_err,
		       struct err *area_err)
{
	doctor_progress(doctor, "opening %s", doctor_name(disk));
	disk->is_begun = 1;
	doctor->one = *doctor->cli;
	doctor->one.args = (char *const *)&disk->url;
	doctor->one.args_count = 1;
	if (session_open(&disk->session, &doctor->one, 0, 0, open_err) != 0)
		return;
	disk->disk = &disk->session.disks[0];
	disk->session.timeout_ms = doctor_request_ms(doctor);
	disk->has_area = session_area(&disk->session, 0, disk->url, 0, area_err) == 0;
	/* Of a file it may have been opened anew, with other sectors. */
	if (!disk->session.disks[0].disk) {
		*open_err = *area_err;
		disk->disk = NULL;
	}
}

/* ---- all disks together ---- */

/* Is an earlier path one to the same unit? Names say nothing about that. */
static void relations_tell(struct doctor *doctor, struct doctor_disk *disk)
{
	const struct disk_known known = { doctor_name(disk), disk_facts(disk->disk->disk) };

	for (struct doctor_disk *other = doctor->disks; other < disk; other++) {
		struct disk_known before;

		if (!other->disk)
			continue;
		before = (struct disk_known){ doctor_name(other), disk_facts(other->disk->disk) };
		switch (disk_relation(&before, &known)) {
		case DISKS_DISTINCT:
			continue;
		case DISKS_SAME_UNIT:
			disk->is_other_path = 1;
			doctor_find(doctor, "identity", DOCTOR_NOTE, NULL,
				    "as disks of a cluster they count as one; name each once",
				    "another path to %s", before.name);
			return;
		case DISKS_CONTRADICT:
			doctor_find(doctor, "identity", DOCTOR_UNFIT, NULL,
				    "give each logical unit an identity of its own on the target",
				    "%s is another disk, and both call themselves %s", before.name,
				    known.facts->id);
			return;
		}
	}
}

static void set_tell(struct doctor *doctor)
{
	const struct hb_area *areas[DOCTOR_DISKS_MAX];
	const char *names[DOCTOR_DISKS_MAX];
	size_t count = 0;
	struct err err;

	for (size_t i = 0; i < doctor->count; i++) {
		struct doctor_disk *disk = &doctor->disks[i];

		if (!disk->has_area || disk->is_other_path)
			continue;
		areas[count] = &disk->disk->area;
		names[count++] = doctor_name(disk);
	}
	if (count == 0)
		return;
	if (area_set_check(areas, names, count, 1, &err) != 0)
		doctor_find_err(doctor, "cluster", DOCTOR_UNFIT, &err);
	else if (count < areas[0]->super.disks_count)
		doctor_find(doctor, "cluster", DOCTOR_DOUBT, NULL, "name all of them",
			    "cluster \"%s\" has %u disks, %zu could be examined",
			    areas[0]->super.cluster_name, areas[0]->super.disks_count, count);
	else
		doctor_find(doctor, "cluster", DOCTOR_GOOD, NULL, NULL, "%s of cluster \"%s\"%s",
			    count == 1	 ? "the disk"
			    : count == 2 ? "both disks"
					 : "all three disks",
			    areas[0]->super.cluster_name,
			    count == 2 ? "; two disks survive the loss of neither" : "");
}

/* What all latencies are compared with, before the first of them. */
static void times_tell(struct doctor *doctor)
{
	const struct doctor_times *times = &doctor->times;
	json_t *object = json_object();

	output_line(&doctor->out, STYLE_FAINT,
		    "Timeouts (%s): interval %" PRId64 ", request %" PRId64 ", lease %" PRId64
		    ", member %" PRId64 " ms",
		    times->source, times->interval_ms, times->io_timeout_ms, times->lease_ms,
		    times->member_timeout_ms);
	object_put_text(&doctor->out, object, "kind", "timeouts");
	object_put_text(&doctor->out, object, "source", times->source);
	object_put_integer(&doctor->out, object, "interval_ms", times->interval_ms);
	object_put_integer(&doctor->out, object, "io_timeout_ms", times->io_timeout_ms);
	object_put_integer(&doctor->out, object, "lease_ms", times->lease_ms);
	object_put_integer(&doctor->out, object, "member_timeout_ms", times->member_timeout_ms);
	output_object(&doctor->out, object);
}

/* ---- the command ---- */

static void disk_examine(struct doctor *doctor, size_t i)
{
	struct doctor_disk *disk = &doctor->disks[i];
	mono_t now = clock_now();
	/* What is left is for this disk and those that follow, and a share for the nodes. */
	int64_t share_ms = mono_left_ms(now, doctor->until) / (int64_t)(doctor->count - i + 1);

	doctor->at_hand = disk;
	disk->session.timeout_ms = doctor_request_ms(doctor);
	relations_tell(doctor, disk);
	doctor_device(doctor);
	doctor_latency(doctor, mono_add_ms(now, share_ms));
	doctor_pr(doctor);
	if (disk->has_area)
		doctor_others(doctor);
}

static void disks_examine(struct doctor *doctor)
{
	struct err open_errs[DOCTOR_DISKS_MAX] = { 0 }, area_errs[DOCTOR_DISKS_MAX] = { 0 };
	struct err node_err = { 0 };
	uint16_t from_lockd;

	for (size_t i = 0; i < doctor->count; i++)
		disk_begin(doctor, &doctor->disks[i], &open_errs[i], &area_errs[i]);
	doctor_times_find(doctor);
	from_lockd = doctor_lockd_ask(doctor);
	if (doctor_node_find(doctor, from_lockd, &node_err) != 0)
		doctor->node = 0;
	times_tell(doctor);
	for (size_t i = 0; i < doctor->count; i++) {
		output_line(&doctor->out, STYLE_HEADING, "%s", doctor_name(&doctor->disks[i]));
		output_begin(&doctor->out, NULL, 3);
		disk_open_tell(doctor, &doctor->disks[i], &open_errs[i], &area_errs[i]);
		if (doctor->disks[i].disk)
			disk_examine(doctor, i);
		output_end(&doctor->out);
		fflush(stdout);
	}
	doctor->at_hand = NULL;
	output_line(&doctor->out, STYLE_HEADING, "The cluster");
	output_begin(&doctor->out, NULL, 3);
	set_tell(doctor);
	if (node_err.rc)
		doctor_find_err(doctor, "node", DOCTOR_DOUBT, &node_err);
	doctor_lockd_probe(doctor);
	output_end(&doctor->out);
}

int disk_doctor_command(struct cli *cli)
{
	struct doctor *doctor;
	int status;

	if (cli->args_count < 1 || cli->args_count > DOCTOR_DISKS_MAX)
		return cli_usage(cli, "give one to %d disks", DOCTOR_DISKS_MAX);
	doctor = calloc(1, sizeof *doctor);
	if (!doctor)
		abort();
	doctor->cli = cli;
	doctor->count = cli->args_count;
	doctor->until = mono_add_ms(clock_now(),
				    cli->timeout_ms ? cli->timeout_ms : TIMEOUT_DEFAULT_MS);
	doctor->is_terminal = isatty(STDERR_FILENO) && !cli->json;
	machine_random(&doctor->nonce, sizeof doctor->nonce);
	for (size_t i = 0; i < doctor->count; i++)
		doctor->disks[i].url = cli->args[i];
	output_init(&doctor->out, cli);
	disks_examine(doctor);
	output_line(&doctor->out, STYLE_HEADING, "Verdict");
	for (size_t i = 0; i < doctor->count; i++)
		verdict_tell(doctor, doctor_name(&doctor->disks[i]), doctor->disks[i].level);
	verdict_tell(doctor, NULL, doctor->level);
	status = output_finish(&doctor->out, cli,
			       doctor->level == DOCTOR_UNFIT ? CLI_EXIT_NOT : CLI_EXIT_OK);
	for (size_t i = 0; i < doctor->count; i++)
		if (doctor->disks[i].is_begun)
			session_close(&doctor->disks[i].session);
	free(doctor);
	return status;
}
