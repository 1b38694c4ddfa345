/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doctor_latency.c - how long reads and writes take, beside the timeouts that they have to keep; see
 * doctor.h.
 *
 * A round is that of a heartbeat: the read of superblock and all slots, and a write of the size of a
 * slot. The read is the real one; the write goes to this node's place of the doctor's area.
 *
 * What has to hold, with r and w the times of a read and a write, I the interval, io the limit for a
 * request, L the lease, M the silence that makes a peer suspect:
 *
 *	r, w <= io		else the request counts as failed
 *	r + w <= I		else rounds are skipped
 *	2 (r + w) + r <= L	else the lease is not renewed: a round is credited by the read behind it
 *	r + w <= window		else a node cannot claim its slot (superblock, hb_core.h)
 *	2 (r + w) <= M / 5	the lock budget: a claim of the cluster lock from nothing is two writes and
 *				two reads, one after the other, and should add no more than a fifth to
 *				the time in which a lost node is noticed; above M it is useless
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mono.h"
#include "cli/doctor.h"
#include "diskhb/doctor_wire.h"
#include "host/clock.h"
#include "host/machine.h"

enum {
	/* Of a disk that nobody has prepared: as if it were for the usual number of nodes. */
	UNPREPARED_BYTES = SUPER_BYTES + NODES_DEFAULT * SLOT_BYTES,
	BUDGET_PART = 5,
	P50 = 50,
	P99 = 99,
};

/* ---- series ---- */

static int longer(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void doctor_series_close(struct doctor_series *series)
{
	qsort(series->took_ns, series->count, sizeof series->took_ns[0], longer);
}

int64_t doctor_series_ns(const struct doctor_series *series, unsigned percent)
{
	unsigned rank = (series->count * percent + 99) / 100;

	assert(series->count > 0 && percent <= 100);
	return series->took_ns[rank ? rank - 1 : 0];
}

/* "0.140 ms" */
static const char *time_text(int64_t ns, char text[32])
{
	snprintf(text, 32, "%" PRId64 ".%03" PRId64 " ms", ns / 1000000, ns / 1000 % 1000);
	return text;
}

static void series_tell(struct doctor *doctor, const char *check,
			const struct doctor_series *series, uint32_t bytes)
{
	int64_t p50 = doctor_series_ns(series, P50), p99 = doctor_series_ns(series, P99);
	int64_t most = doctor_series_ns(series, 100);
	int64_t limit_ns = doctor->times.io_timeout_ms * MONO_NS_PER_MS;
	enum doctor_level level = p99 > limit_ns    ? DOCTOR_UNFIT
				  : most > limit_ns ? DOCTOR_DOUBT
						    : DOCTOR_GOOD;
	json_t *members = json_object();
	char a[32], b[32], c[32];

	object_put_integer(&doctor->out, members, "requests", series->count);
	object_put_integer(&doctor->out, members, "bytes", bytes);
	object_put_integer(&doctor->out, members, "p50_us", p50 / 1000);
	object_put_integer(&doctor->out, members, "p99_us", p99 / 1000);
	object_put_integer(&doctor->out, members, "longest_us", most / 1000);
	doctor_find(doctor, check, level, members,
		    level ? "look for what slows the disk, or raise io_timeout" : NULL,
		    "p50 %s, p99 %s, longest %s, of %u requests of %u KiB; one may take %" PRId64
		    " ms",
		    time_text(p50, a), time_text(p99, b), time_text(most, c), series->count,
		    bytes / 1024, doctor->times.io_timeout_ms);
}

/* ---- the rounds ---- */

struct rounds {
	struct doctor *doctor;
	struct doctor_disk *disk;
	uint32_t read_bytes;
	uint8_t *read_buffer;
	uint64_t place; /* where to write; 0: nowhere */
	int is_told;	/* why writes were not measured */
	struct doctor_record record;
	uint8_t written[SLOT_BYTES], found[SLOT_BYTES];
};

static int request(struct rounds *rounds, enum disk_op op, uint64_t at, uint8_t *buffer,
		   uint32_t bytes, struct doctor_series *series, struct err *err)
{
	struct session_disk *disk = rounds->disk->disk;
	int rc;

	disk->session->timeout_ms = doctor_request_ms(rounds->doctor);
	rc = session_io(disk, op, at, buffer, bytes, err);
	if (rc == 0 && series)
		series->took_ns[series->count++] = disk->took_ns;
	return rc;
}

/* The record, and noise behind it, so that nothing that saves space makes it look fast. */
static void place_fill(struct rounds *rounds)
{
	rounds->record.head.sequence++;
	machine_random(rounds->written + RECORD_BYTES, SLOT_BYTES - RECORD_BYTES);
	doctor_out(rounds->written, &rounds->record, rounds->place);
}

/* What was written last is what is there. */
static int place_check(struct rounds *rounds)
{
	struct doctor *doctor = rounds->doctor;
	struct record_want want = { .node = doctor->node,
				    .cluster = rounds->record.head.cluster,
				    .offset = rounds->place };
	struct doctor_record there;
	struct err err;

	if (request(rounds, DISK_READ, rounds->place, rounds->found, SLOT_BYTES, NULL, &err) != 0) {
		doctor_find_err(doctor, "read-back", DOCTOR_UNFIT, &err);
		return -1;
	}
	if (memcmp(rounds->found, rounds->written, SLOT_BYTES) == 0)
		return 0;
	if (doctor_in(rounds->found, &want, &there) == RECORD_OK &&
	    there.head.nonce != rounds->record.head.nonce)
		doctor_find(doctor, "read-back", DOCTOR_UNFIT, NULL,
			    "run one doctor at a time; else two machines take themselves for one "
			    "node",
			    "a doctor on \"%s\" writes into the place of node %u too", there.name,
			    doctor->node);
	else
		doctor_find(doctor, "read-back", DOCTOR_UNFIT, NULL,
			    "the disk or its path is broken: it lost a write that it had "
			    "acknowledged, or shows an old state",
			    "what was written into the place of node %u is not what is read",
			    doctor->node);
	return -1;
}

/* The cluster's arbiter, or somebody else, keeps out who is not registered. The doctor does not
 * register: a key that comes back by itself is what S10 forbids. */
static void reserved_tell(struct rounds *rounds)
{
	int is_arbiter = rounds->disk->disk->area.super.arbiter == SUPER_ARBITER_PR;

	doctor_find(rounds->doctor, "writes", is_arbiter ? DOCTOR_NOTE : DOCTOR_DOUBT, NULL,
		    is_arbiter ? NULL : "see holdfast pr full-status",
		    "not measured: the disk is reserved%s, and the doctor is not registered",
		    is_arbiter ? " by the arbiter" : "");
	rounds->place = 0;
	rounds->is_told = 1;
}

/* A write, and the first time a look at what became of it. 0 to go on. */
static int round_write(struct rounds *rounds)
{
	struct doctor_series *writes = &rounds->disk->writes;
	struct err err;
	int rc;

	place_fill(rounds);
	rc = request(rounds, DISK_WRITE, rounds->place, rounds->written, SLOT_BYTES, writes, &err);
	if (rc == RC_PRIVILEGE && writes->count == 0) {
		reserved_tell(rounds);
		return 0;
	}
	if (rc)
		doctor_find_err(rounds->doctor, "writes", DOCTOR_UNFIT, &err);
	else if (writes->count == 1)
		rc = place_check(rounds);
	rounds->is_told |= rc != 0;
	return rc;
}

static void rounds_run(struct rounds *rounds, mono_t until)
{
	struct doctor *doctor = rounds->doctor;
	struct doctor_disk *disk = rounds->disk;
	struct err err;

	for (unsigned i = 0; i < DOCTOR_ROUNDS; i++) {
		if (i > 0 && mono_reached(clock_now(), until))
			break;
		if (i % 10 == 0)
			doctor_progress(doctor, "%s: round %u of %d", doctor_name(disk), i + 1,
					DOCTOR_ROUNDS);
		if (request(rounds, DISK_READ, 0, rounds->read_buffer, rounds->read_bytes,
			    &disk->reads, &err) != 0) {
			doctor_find_err(doctor, "reads", DOCTOR_UNFIT, &err);
			return;
		}
		if (rounds->place && round_write(rounds) != 0)
			return;
		clock_sleep_until(mono_add_ms(clock_now(), DOCTOR_PAUSE_MS));
	}
	if (rounds->place && place_check(rounds) == 0)
		doctor_find(doctor, "read-back", DOCTOR_GOOD, NULL, NULL,
			    "what was written is what is read");
}

/* ---- against the timeouts ---- */

static void compare(struct doctor *doctor, const char *check, int64_t took_ns, int64_t limit_ms,
		    int is_useless, const char *next, const char *what)
{
	int is_over = took_ns > limit_ms * MONO_NS_PER_MS;
	json_t *members = json_object();
	char text[32];

	object_put_integer(&doctor->out, members, "took_us", took_ns / 1000);
	object_put_integer(&doctor->out, members, "limit_ms", limit_ms);
	doctor_find(doctor, check,
		    is_useless ? DOCTOR_UNFIT
		    : is_over  ? DOCTOR_DOUBT
			       : DOCTOR_GOOD,
		    members, is_over ? next : NULL, "%s: %s of %" PRId64 " ms", what,
		    time_text(took_ns, text), limit_ms);
}

static void budgets_tell(struct doctor *doctor)
{
	const struct doctor_disk *disk = doctor->at_hand;
	const struct doctor_times *times = &doctor->times;
	/* Where writes could not be tried, a read stands in: it is larger. */
	const struct doctor_series *writes = disk->writes.count ? &disk->writes : &disk->reads;
	int64_t read_ns = doctor_series_ns(&disk->reads, P99);
	int64_t round_ns = read_ns + doctor_series_ns(writes, P99);
	int64_t usual_ns = doctor_series_ns(&disk->reads, P50) + doctor_series_ns(writes, P50);
	uint32_t window_ms = disk->has_area ? disk->disk->area.super.claim_window_ms
					    : CLAIM_WINDOW_DEFAULT_MS;

	compare(doctor, "round", round_ns, times->interval_ms,
		2 * round_ns + read_ns > times->lease_ms * MONO_NS_PER_MS,
		"look for what slows the disk, or raise the interval",
		"p99 of a heartbeat's read and write");
	compare(doctor, "slot claim", round_ns, window_ms, usual_ns > window_ms * MONO_NS_PER_MS,
		"look for what slows the disk: a node could not join", "p99 of a read and a write");
	compare(doctor, "lock budget", 2 * round_ns, times->member_timeout_ms / BUDGET_PART,
		2 * round_ns > times->member_timeout_ms * MONO_NS_PER_MS,
		"look for what slows the disk, or raise the member timeout",
		"p99 of a claim of the cluster lock, two writes and two reads");
}

static void writes_skipped(struct doctor *doctor, const struct doctor_disk *disk)
{
	if (!disk->has_area)
		doctor_find(doctor, "writes", DOCTOR_NOTE, NULL,
			    "they are once it is prepared for Holdfast",
			    "not measured: nobody's place can be told on it");
	else if (doctor->node == 0)
		doctor_find(doctor, "writes", DOCTOR_NOTE, NULL,
			    "say --node N: the id that this machine has or will have",
			    "not measured: which node this machine is, is not known");
	else if (doctor->node > disk->disk->area.super.nodes_max)
		doctor_find(doctor, "writes", DOCTOR_NOTE, NULL, NULL,
			    "not measured: it has no place for node %u", doctor->node);
}

void doctor_latency(struct doctor *doctor, mono_t until)
{
	struct rounds *rounds = calloc(1, sizeof *rounds);
	struct doctor_disk *disk = doctor->at_hand;
	const struct disk_facts *facts = disk_facts(disk->disk->disk);
	const struct hb_area *area = &disk->disk->area;
	uint64_t size = facts->sectors * facts->sector_bytes;
	uint8_t boot[MACHINE_ID_BYTES];
	struct err err;

	if (!rounds)
		abort();
	rounds->doctor = doctor;
	rounds->disk = disk;
	rounds->read_bytes = disk->has_area
				     ? hb_area_bytes(area, 0)
				     : (uint32_t)(size < UNPREPARED_BYTES ? size
									  : UNPREPARED_BYTES);
	rounds->read_buffer = malloc(rounds->read_bytes);
	if (!rounds->read_buffer)
		abort();
	if (disk->has_area && doctor->node >= 1 && doctor->node <= area->super.nodes_max &&
	    !facts->is_read_only) {
		rounds->place = disk_layout_doctor_at(&area->layout, doctor->node);
		rounds->record.head = (struct record_head){ .node = doctor->node,
							    .cluster = area->super.head.cluster,
							    .nonce = doctor->nonce };
		machine_name(rounds->record.name, sizeof rounds->record.name);
		if (machine_identify(rounds->record.machine, boot, &err) != 0)
			memset(rounds->record.machine, 0, sizeof rounds->record.machine);
		rounds->record.wall_s = (uint64_t)time(NULL);
	}
	rounds_run(rounds, until);
	doctor_series_close(&disk->reads);
	doctor_series_close(&disk->writes);
	if (disk->reads.count)
		series_tell(doctor, "reads", &disk->reads, rounds->read_bytes);
	if (disk->writes.count)
		series_tell(doctor, "writes", &disk->writes, SLOT_BYTES);
	else if (!rounds->is_told)
		writes_skipped(doctor, disk);
	if (disk->reads.count)
		budgets_tell(doctor);
	free(rounds->read_buffer);
	free(rounds);
}
