/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_pr_io.c - the part of lockd that registers this node's key on every disk of a `pr` cluster, and
 * keeps to rule S10: an ejected key never comes back by itself.
 *
 * Callers: the list of parts; the arbiter reads the seats.
 *
 * A life of a node, here, is an incarnation of its heartbeat; its key names it. In steady state
 * nobody holds a disk: the reservation is taken by a claim and kept by its winner. Who may register:
 *
 *	nobody holds the disk, or our own node does (an earlier life, a session that is gone)
 *		We admit ourselves.
 *	the holder is dead by lease, or has left
 *		We admit ourselves; its lease and watchdog have ended it (rule S5).
 *	the holder lives
 *		It is asked by a message of the heartbeat, "pr-ask KEY NUMBER", and answers
 *		"pr-admit KEY NUMBER MS". The admission counts from the moment of the asking, so
 *		it ends here before it ends there. The holder looks whether it holds the disk still,
 *		admits no one while it claims, and its arbiter relies on nobody's absence as long as
 *		the admission may be used.
 *	our key was ejected in this life, by another node or by a newer life of ours
 *		Never.
 *
 * An admission is that of one holder, named by its key. If after the REGISTER another node than that
 * one is seen to hold the disk, it may have ejected the holder, or us, and read the keys in between: the
 * key is taken back, and that node is asked.
 *
 * Asking takes a heartbeat, and a disk that is held refuses the writes of who is not registered. So a
 * node that finds itself before a held disk without being active registers a petition: its key with
 * incarnation 0. It can heartbeat with that, and be asked and answered; it claims nothing, and the
 * first claim that leaves the node out ejects it. Only a life that is new may do so: what its
 * predecessor had under way has ended with its session and its process. A petition that was ejected is
 * not repeated. The real key replaces it by REGISTER over it.
 *
 * A key that is gone from a disk that nobody holds: the target has lost its registrations (a restart
 * without APTPL), and we join anew. A claim may have ejected the key before that, which cannot be told any
 * more; what the ejected key had under way there went with the target's power.
 *
 * A holder does not unregister when it stops: its reservation keeps out what losers may still have under
 * way. Its next life takes the key over.
 */
#include "lockd/lockd_pr_io.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "lockd/lockd_heart_io.h"
#include "lockd/pr_io.h"
#include "lockd/pr_seat_core.h"

enum {
	JOIN_TIMEOUT_MS = 5000,
	LOOK_TIMEOUT_MS = 5000,
	LOOK_EVERY_MS = 1000,
	ASK_EVERY_MS = 2000,
	ADMISSION_MS = 10000,
	LEAVE_TIMEOUT_MS = 2000,
};

#define MAIL_FIRST (UINT64_C(1) << 62) /* our letters, beside those of lockd_mail_io.c */

enum stage {
	STAGE_OFF,     /* the disk is missing */
	STAGE_LOOK,    /* who holds it? */
	STAGE_ASKING,  /* the holder, to be let in */
	STAGE_WAITING, /* with a petition, for the heartbeat */
	STAGE_JOINING,
	STAGE_LEAVING, /* the key is taken back */
	STAGE_IN,
	STAGE_EJECTED, /* for this life */
	STAGE_LEFT,
};

static const char *const stage_words[] = {
	[STAGE_OFF] = "missing",      [STAGE_LOOK] = "looking",	   [STAGE_ASKING] = "asking",
	[STAGE_WAITING] = "petition", [STAGE_JOINING] = "joining", [STAGE_LEAVING] = "leaving",
	[STAGE_IN] = "registered",    [STAGE_EJECTED] = "ejected", [STAGE_LEFT] = "left",
};

struct unit {
	struct lockd *lockd;
	unsigned d;
	struct pr_io *io;
	enum stage stage;
	int is_petition, petition_ejected;
	int is_working; /* a job of ours is under way */
	int no_aptpl;	/* the unit has none */
	/* The key of the holder by which, or by whose death, we were let in: it alone may hold the disk
	 * after the join. 0: nobody held it. */
	uint64_t admitted_by;
	int has_looked_last; /* before the stop */
	int was_in;	     /* in this life */
	uint64_t admission;
	mono_t again_at;
	/* What was seen last. */
	int is_held;
	uint64_t holder;
	uint8_t type;
	/* The asking. */
	uint64_t asked; /* its number */
	mono_t asked_at;
	/* Who asks us, while we look whether we hold the disk. */
	uint64_t guest_key, guest_number;
	char why[160];
};

struct registrar {
	struct pr_seat seats[HB_DISKS_MAX];
	struct unit units[HB_DISKS_MAX];
	uint32_t incarnation; /* of the heartbeat; 0: not active yet */
	uint64_t next_mail;
};

static struct registrar *registrar_of(struct lockd *lockd)
{
	return *lockd_data(lockd, &lockd_pr_part);
}

const struct pr_seat *lockd_pr_seats(struct lockd *lockd)
{
	struct registrar *r = registrar_of(lockd);

	return r ? r->seats : NULL;
}

static struct pr_seat *seat_of(struct unit *unit)
{
	return &registrar_of(unit->lockd)->seats[unit->d];
}

static void tell(struct unit *unit, enum lockd_weight weight, const char *text)
{
	json_t *event = json_pack("{s:s, s:i, s:s, s:s}", "what", "registration", "disk",
				  (int)unit->d + 1, "state", stage_words[unit->stage], "text",
				  text);

	lockd_say(unit->lockd, weight, "disk %u: %s", unit->d + 1, text);
	if (unit->is_held)
		json_object_set_new(event, "holder", json_integer(pr_key_node(unit->holder)));
	lockd_event(unit->lockd, LOCKD_TOPIC_ARBITER, event);
}

/* ---- the seat ---- */

static void seat_set(struct unit *unit, int is_in)
{
	struct pr_seat *seat = seat_of(unit);

	seat->is_in = is_in;
	seat->holder = unit->is_held ? unit->holder : 0;
	seat->is_other_type = unit->is_held && unit->type != PR_TYPE_WRITE_EXCLUSIVE_RO;
	seat->turns++;
	if (is_in)
		unit->was_in = 1;
}

static void stage_set(struct unit *unit, enum stage stage, int64_t wait_ms)
{
	unit->stage = stage;
	unit->again_at = mono_add_ms(clock_now(), wait_ms);
}

static void seen_set(struct unit *unit, const struct pr_result *result)
{
	unit->is_held = result->is_held;
	unit->holder = result->is_held ? result->holder : 0;
	unit->type = result->type;
}

/* ---- jobs ---- */

static void job_begin(struct unit *unit, enum pr_job_kind kind, mono_t deadline, pr_io_done *done)
{
	const struct pr_io_job job = { .kind = kind,
				       .deadline = deadline,
				       .admission = kind == PR_JOB_JOIN ? ++unit->admission : 0,
				       .aptpl = !unit->no_aptpl };
	struct err err;

	unit->is_working = pr_io_job(unit->io, &job, done, unit, &err) == 0;
}

static void registered(struct unit *unit)
{
	char text[160], key[PR_KEY_TEXT_BYTES];

	stage_set(unit, STAGE_IN, 0);
	seat_set(unit, 1);
	snprintf(text, sizeof text, "registered with key %s%s",
		 pr_key_text(seat_of(unit)->key, key),
		 unit->no_aptpl ? ", not through a power loss" : "");
	tell(unit, LOCKD_INFO, text);
}

static void take_back_done(const struct pr_result *result, const struct pr_core *core,
			   void *context)
{
	struct unit *unit = context;

	(void)core;
	unit->is_working = 0;
	(void)result;
	stage_set(unit, STAGE_LOOK, LOOK_EVERY_MS);
}

static struct pr_seat_life life_of(struct unit *unit)
{
	return (struct pr_seat_life){ .key = seat_of(unit)->key,
				      .was_in = unit->was_in,
				      .is_petition = unit->is_petition,
				      .petition_was_ejected = unit->petition_ejected };
}

static void join_done(const struct pr_result *result, const struct pr_core *core, void *context)
{
	struct unit *unit = context;
	struct pr_seat_life life = life_of(unit);
	struct pr_seat_sight sight;

	(void)core;
	unit->is_working = 0;
	seen_set(unit, result);
	sight = (struct pr_seat_sight){ .is_held = unit->is_held, .holder = unit->holder };
	unit->why[0] = '\0';
	if (result->outcome == PR_DONE && !pr_seat_stays(&life, unit->admitted_by, &sight)) {
		stage_set(unit, STAGE_LEAVING, 0);
		job_begin(unit, PR_JOB_LEAVE, mono_add_ms(clock_now(), LEAVE_TIMEOUT_MS),
			  take_back_done);
		return;
	}
	if (result->outcome == PR_DONE && unit->is_petition) {
		stage_set(unit, STAGE_WAITING, 0);
		tell(unit, LOCKD_INFO, "asks to be let in, with a petition");
		return;
	}
	if (result->outcome == PR_DONE) {
		registered(unit);
		return;
	}
	if (!unit->no_aptpl &&
	    (result->outcome == PR_UNSUPPORTED || result->meaning == PR_MEANS_INVALID_PARAMETER)) {
		unit->no_aptpl = 1;
		stage_set(unit, STAGE_LOOK, 0);
		return;
	}
	snprintf(unit->why, sizeof unit->why, "cannot register: %s", pr_cause_text(result->cause));
	stage_set(unit, STAGE_LOOK, LOOK_EVERY_MS);
	tell(unit, LOCKD_WARN, unit->why);
}

static void join(struct unit *unit, uint64_t admitted_by, mono_t deadline)
{
	unit->admitted_by = admitted_by;
	stage_set(unit, STAGE_JOINING, 0);
	job_begin(unit, PR_JOB_JOIN, deadline, join_done);
}

/* ---- asking ---- */

static void ask(struct unit *unit)
{
	struct registrar *r = registrar_of(unit->lockd);
	char text[96], key[PR_KEY_TEXT_BYTES];
	struct hb_event event = { .kind = HB_EVENT_SEND,
				  .request = MAIL_FIRST | ++r->next_mail,
				  .to = pr_key_node(unit->holder),
				  .pill = HB_PILL_MESSAGE,
				  .text = text };

	unit->asked = r->next_mail;
	unit->asked_at = clock_now();
	event.text_bytes = (size_t)snprintf(text, sizeof text, "pr-ask %u %s %" PRIu64, unit->d + 1,
					    pr_key_text(seat_of(unit)->key, key), unit->asked);
	stage_set(unit, STAGE_ASKING, ASK_EVERY_MS);
	(void)lockd_heart_event(unit->lockd, &event); /* again in a while, if it was refused */
}

static void admit(struct unit *unit)
{
	struct registrar *r = registrar_of(unit->lockd);
	struct pr_seat *seat = seat_of(unit);
	uint16_t from = pr_key_node(unit->guest_key);
	char text[96], key_text[PR_KEY_TEXT_BYTES];
	struct hb_event event = { .kind = HB_EVENT_SEND,
				  .request = MAIL_FIRST | ++r->next_mail,
				  .to = from,
				  .pill = HB_PILL_MESSAGE,
				  .text = text };

	/* First this, then the letter: the claims of from now on know of the guest. */
	seat->guests_until = mono_add_ms(clock_now(), ADMISSION_MS);
	event.text_bytes = (size_t)snprintf(text, sizeof text, "pr-admit %u %s %" PRIu64 " %d",
					    unit->d + 1, pr_key_text(unit->guest_key, key_text),
					    unit->guest_number, ADMISSION_MS);
	(void)lockd_heart_event(unit->lockd, &event);
	snprintf(text, sizeof text, "node %u is let in with key %s", from, key_text);
	tell(unit, LOCKD_INFO, text);
}

static void admit_looked(const struct pr_result *result, const struct pr_core *core, void *context)
{
	struct unit *unit = context;
	struct pr_seat_life life = life_of(unit);
	struct pr_seat_sight sight;

	(void)core;
	unit->is_working = 0;
	if (result->outcome != PR_DONE || unit->stage != STAGE_IN)
		return;
	seen_set(unit, result);
	sight = (struct pr_seat_sight){ .is_held = unit->is_held, .holder = unit->holder };
	if (pr_seat_may_admit(&life, &sight) && !pr_io_is_claiming(unit->io))
		admit(unit);
}

/* Who asks is answered after a look at who holds the disk now; or not, then it asks again. */
static void admit_begin(struct unit *unit, uint16_t from, uint64_t key, uint64_t number)
{
	if (unit->stage != STAGE_IN || unit->is_working || unit->lockd->is_stopping ||
	    pr_key_node(key) != from || pr_key_cluster(key) != pr_key_cluster(seat_of(unit)->key) ||
	    pr_key_incarnation(key) == 0 || pr_io_is_claiming(unit->io))
		return;
	unit->guest_key = key;
	unit->guest_number = number;
	job_begin(unit, PR_JOB_VERIFY, mono_add_ms(clock_now(), LOOK_TIMEOUT_MS), admit_looked);
}

static void admitted(struct unit *unit, uint16_t from, uint64_t key, uint64_t number, int64_t ms)
{
	if (unit->stage != STAGE_ASKING || unit->is_working || number != unit->asked ||
	    key != seat_of(unit)->key || from != pr_key_node(unit->holder) || ms <= 0 ||
	    ms > ADMISSION_MS)
		return;
	/* From the asking on, less what clocks may differ by. */
	join(unit, unit->holder, mono_add_ms(unit->asked_at, ms - ms / 100));
}

/* The next word of a message as a number; 0 when it is none, which none of ours is. */
static uint64_t number_next(char **rest, int base)
{
	const char *word = strtok_r(NULL, " ", rest);
	char *end = NULL;
	uint64_t number = word && word[0] >= '0' && word[0] <= '9' ? strtoull(word, &end, base) : 0;

	return end && *end == '\0' ? number : 0;
}

/* "pr-ask DISK KEY NUMBER", "pr-admit DISK KEY NUMBER MS" */
static void message(struct lockd *lockd, uint16_t from, const char *text)
{
	struct registrar *r = registrar_of(lockd);
	char words[96], *rest = NULL;
	const char *what;
	uint64_t disk, key, number;

	if (strlen(text) >= sizeof words || strncmp(text, "pr-", 3) != 0)
		return;
	memcpy(words, text, strlen(text) + 1);
	what = strtok_r(words, " ", &rest);
	disk = number_next(&rest, 10);
	key = number_next(&rest, 16);
	number = number_next(&rest, 10);
	if (disk < 1 || disk > lockd->disks_count || key == 0 || number == 0)
		return;
	if (strcmp(what, "pr-ask") == 0)
		admit_begin(&r->units[disk - 1], from, key, number);
	else if (strcmp(what, "pr-admit") == 0)
		admitted(&r->units[disk - 1], from, key, number, (int64_t)number_next(&rest, 10));
}

/* ---- looking ---- */

static int holder_is_gone(const struct unit *unit)
{
	const struct hb_core *heart = unit->lockd->heart ? hb_io_core(unit->lockd->heart) : NULL;
	uint16_t node = pr_key_node(unit->holder);
	const struct hb_peer *peer;

	if (!heart || !unit->lockd->is_active || node < 1 || node > HB_NODES_MAX)
		return 0;
	peer = hb_core_peer(heart, node);
	/* Of a later life of that node it is the earlier one that holds. */
	return peer && (peer->state == HB_PEER_DEAD || peer->state == HB_PEER_LEFT);
}

static void ejected(struct unit *unit, const char *text)
{
	stage_set(unit, STAGE_EJECTED, 0);
	tell(unit, LOCKD_FAULT, text);
}

static void look_done(const struct pr_result *result, const struct pr_core *core, void *context)
{
	struct unit *unit = context;
	mono_t deadline = mono_add_ms(clock_now(), JOIN_TIMEOUT_MS);
	struct pr_seat_life life = life_of(unit);
	struct pr_seat_sight sight;
	char text[120];

	unit->is_working = 0;
	stage_set(unit, unit->stage, LOOK_EVERY_MS);
	if (result->outcome != PR_DONE)
		return; /* it is looked at again */
	seen_set(unit, result);
	sight = (struct pr_seat_sight){ .is_held = unit->is_held,
					.holder = unit->holder,
					.holder_is_gone = holder_is_gone(unit) };
	for (size_t i = 0; i < core->keys_count; i++)
		sight.has_own_key |= core->keys[i] == life.key;
	switch (pr_seat_look(&life, &sight)) {
	case PR_SEAT_WAIT:
		break;
	case PR_SEAT_JOIN:
		join(unit, 0, deadline);
		break;
	case PR_SEAT_FOLLOW:
		join(unit, unit->holder, deadline);
		break;
	case PR_SEAT_ASK:
		ask(unit);
		break;
	case PR_SEAT_EJECTED:
		snprintf(text, sizeof text, "%s node %u; this life of the node does not come back",
			 sight.has_own_key ? "the session broke while the disk was held by"
					   : "ejected by",
			 pr_key_node(unit->holder));
		ejected(unit, text);
		break;
	}
}

static void noted(const struct pr_action *note, void *context)
{
	struct unit *unit = context;

	switch (note->note) {
	case PR_NOTE_ATTENTION:
		seat_of(unit)->shakes++;
		break;
	case PR_NOTE_EJECTED:
		unit->petition_ejected |= unit->is_petition;
		/* fall through */
	case PR_NOTE_PATH_OUTSIDE:
		if (unit->stage != STAGE_IN && unit->stage != STAGE_WAITING)
			break;
		stage_set(unit, STAGE_LOOK, 0);
		seat_set(unit, 0);
		tell(unit, LOCKD_WARN, "this node's key is gone");
		break;
	case PR_NOTE_VERIFIED:
		if (unit->stage != STAGE_IN || note->result.outcome != PR_DONE)
			break;
		seen_set(unit, &note->result);
		if (!seat_of(unit)->is_in && note->result.registered)
			seat_set(unit, 1);
		break;
	case PR_NOTE_PATH_IN:
		break;
	}
}

/* ---- the pr_io of a unit ---- */

static int submit(const struct disk_request *request, void *context, struct err *err)
{
	struct unit *unit = context;

	return lockd_submit(unit->lockd, unit->d, request, err);
}

static int recover(void *context, struct err *err)
{
	struct unit *unit = context;
	struct disk *disk = unit->lockd->disks[unit->d].disk;

	if (!disk)
		return err_set(err, RC_UNREACHABLE, NULL, "the disk is missing");
	/* A new session is a new start: the core asks before the seat is taken again. */
	if (seat_of(unit)->is_in)
		seat_set(unit, 0);
	return disk_reinstate(disk, err);
}

static void unit_close(struct unit *unit)
{
	seat_set(unit, 0);
	seat_of(unit)->io = NULL;
	pr_io_free(unit->io);
	unit->io = NULL;
	unit->is_working = 0;
	stage_set(unit, STAGE_OFF, 0);
}

static void unit_open(struct unit *unit)
{
	struct lockd *lockd = unit->lockd;
	struct registrar *r = registrar_of(lockd);
	struct pr_seat *seat = seat_of(unit);
	uint64_t key = pr_seat_key(lockd->super.head.cluster, lockd->options.node,
				   r->incarnation ? r->incarnation : 1);
	const struct pr_io_setup setup = { .loop = &lockd->loop,
					   .key = r->incarnation ? key : key & ~UINT64_C(0xffff),
					   .io_timeout_ms = lockd->options.io_timeout_ms,
					   .submit = submit,
					   .recover = recover,
					   .noted = noted,
					   .context = unit };
	struct err err;

	if (!lockd->disks[unit->d].disk || !disk_facts(lockd->disks[unit->d].disk)->has_scsi)
		return;
	if (pr_io_create(&setup, &unit->io, &err) != 0)
		return;
	unit->is_petition = r->incarnation == 0;
	seat->io = unit->io;
	seat->key = setup.key;
	seat->is_own_session = disk_facts(lockd->disks[unit->d].disk)->kind == DISK_ISCSI;
	seat->turns++;
	stage_set(unit, STAGE_LOOK, 0);
	pr_io_path(unit->io, !lockd->disks[unit->d].is_lost);
}

static void unit_tick(struct unit *unit, mono_t now)
{
	if (!unit->io)
		unit_open(unit);
	if (!unit->io || unit->is_working || !mono_reached(now, unit->again_at) ||
	    unit->lockd->is_stopping)
		return;
	if (unit->stage == STAGE_LOOK || unit->stage == STAGE_ASKING)
		job_begin(unit, PR_JOB_VERIFY, mono_add_ms(now, LOOK_TIMEOUT_MS), look_done);
}

/* ---- hooks ---- */

static int pr_begin(struct lockd *lockd, struct err *err)
{
	struct registrar *r;

	if (lockd->super.arbiter != SUPER_ARBITER_PR)
		return 0;
	for (unsigned d = 0; d < lockd->disks_count; d++)
		if (lockd->disks[d].disk && !disk_facts(lockd->disks[d].disk)->has_scsi)
			return err_set(err, RC_CONFIG,
				       "name it by its SCSI device or iscsi:// URL, or initialise "
				       "it with --arbiter paxos",
				       "disk %u: the cluster's arbiter is pr, and this path takes "
				       "no SCSI commands",
				       d + 1);
	r = calloc(1, sizeof *r);
	if (!r)
		return err_set(err, RC_INTERNAL, NULL, "out of memory");
	*lockd_data(lockd, &lockd_pr_part) = r;
	for (unsigned d = 0; d < lockd->disks_count; d++) {
		r->units[d].lockd = lockd;
		r->units[d].d = d;
		unit_tick(&r->units[d], clock_now());
	}
	return 0;
}

static void pr_answered(struct lockd *lockd, unsigned d, const struct disk_answer *answer)
{
	struct registrar *r = registrar_of(lockd);

	if (r && r->units[d].io)
		pr_io_answered(r->units[d].io, answer);
}

static void pr_path(struct lockd *lockd, unsigned d, enum lockd_path what)
{
	struct registrar *r = registrar_of(lockd);
	struct unit *unit = r ? &r->units[d] : NULL;

	if (!unit || !unit->io)
		return;
	if (what == LOCKD_PATH_OPENED) {
		unit_close(unit);
		return;
	}
	/* A new session is a new start: the core asks before the seat is taken again. */
	if (seat_of(unit)->is_in)
		seat_set(unit, 0);
	pr_io_path(unit->io, what == LOCKD_PATH_BACK);
}

static void pr_noted(struct lockd *lockd, const struct hb_note *note)
{
	struct registrar *r = registrar_of(lockd);

	if (!r)
		return;
	switch (note->kind) {
	case HB_NOTE_ACTIVE:
		r->incarnation = (uint32_t)note->value;
		for (unsigned d = 0; d < lockd->disks_count; d++) {
			r->units[d].was_in = 0;
			if (r->units[d].io)
				unit_close(&r->units[d]);
			unit_tick(&r->units[d], clock_now());
		}
		break;
	case HB_NOTE_LEASE_LOST:
	case HB_NOTE_SLOT_TAKEN:
	case HB_NOTE_REFUSED:
		/* The end of a life: its keys claim no more. The next one begins as a petitioner. */
		r->incarnation = 0;
		for (unsigned d = 0; d < lockd->disks_count; d++)
			if (r->units[d].io)
				unit_close(&r->units[d]);
		break;
	case HB_NOTE_PILL:
		if (note->pill == HB_PILL_MESSAGE && note->text)
			message(lockd, note->node, note->text);
		break;
	case HB_NOTE_DISK_FAILED:
		/* A heartbeat was refused, or was told what was meant for us: look. */
		if (r->units[note->disk].io && (note->rc == RC_PRIVILEGE || note->rc == RC_BUSY))
			pr_io_attention(r->units[note->disk].io, PR_ATTENTION_RESET);
		break;
	default:
		break;
	}
}

static void pr_lease(struct lockd *lockd, mono_t now, mono_t until)
{
	struct registrar *r = registrar_of(lockd);

	(void)until;
	for (unsigned d = 0; r && d < lockd->disks_count; d++)
		unit_tick(&r->units[d], now);
}

static void leave_done(const struct pr_result *result, const struct pr_core *core, void *context)
{
	struct unit *unit = context;

	(void)result;
	(void)core;
	unit->is_working = 0;
	stage_set(unit, STAGE_LEFT, 0);
	seat_set(unit, 0);
}

static void stop_look_done(const struct pr_result *result, const struct pr_core *core,
			   void *context)
{
	struct unit *unit = context;

	(void)core;
	unit->is_working = 0;
	seen_set(unit, result);
	/* What cannot be seen is left as it is. */
	unit->is_held |= result->outcome != PR_DONE;
	unit->has_looked_last = 1;
}

/* 0 once nothing is left to be taken back. */
static int pr_stop(struct lockd *lockd)
{
	struct registrar *r = registrar_of(lockd);
	int busy = 0;

	for (unsigned d = 0; r && d < lockd->disks_count; d++) {
		struct unit *unit = &r->units[d];

		if (!unit->io || unit->stage == STAGE_LEFT)
			continue;
		if (unit->is_working) {
			busy = 1;
			continue;
		}
		/* On a disk that is held the goodbye needs the key, and a holder keeps it. */
		if (unit->stage != STAGE_IN || (unit->has_looked_last && unit->is_held)) {
			stage_set(unit, STAGE_LEFT, 0);
			continue;
		}
		busy = 1;
		if (!unit->has_looked_last) {
			job_begin(unit, PR_JOB_VERIFY, mono_add_ms(clock_now(), LEAVE_TIMEOUT_MS),
				  stop_look_done);
			continue;
		}
		job_begin(unit, PR_JOB_LEAVE, mono_add_ms(clock_now(), LEAVE_TIMEOUT_MS),
			  leave_done);
	}
	return busy;
}

static void pr_status(struct lockd *lockd, json_t *status)
{
	struct registrar *r = registrar_of(lockd);
	json_t *array;

	if (!r)
		return;
	array = json_array();
	for (unsigned d = 0; d < lockd->disks_count; d++) {
		const struct unit *unit = &r->units[d];
		char key[PR_KEY_TEXT_BYTES];
		json_t *object = json_pack("{s:i, s:s, s:s, s:b}", "disk", (int)d + 1, "state",
					   stage_words[unit->stage], "key",
					   pr_key_text(r->seats[d].key, key), "persists",
					   !unit->no_aptpl);

		if (unit->is_held) {
			json_object_set_new(object, "holder_key",
					    json_string(pr_key_text(unit->holder, key)));
			json_object_set_new(object, "holder",
					    json_integer(pr_key_node(unit->holder)));
		}
		if (unit->why[0])
			json_object_set_new(object, "why", json_string(unit->why));
		json_array_append_new(array, object);
	}
	json_object_set_new(status, "registrations", array);
}

static void pr_end(struct lockd *lockd)
{
	struct registrar *r = registrar_of(lockd);

	if (!r)
		return;
	for (unsigned d = 0; d < HB_DISKS_MAX; d++)
		if (r->units[d].io)
			pr_io_free(r->units[d].io);
	*lockd_data(lockd, &lockd_pr_part) = NULL;
	free(r);
}

const struct lockd_part lockd_pr_part = {
	.name = "pr",
	.token_bit = PR_IO_TOKEN_BIT,
	.begin = pr_begin,
	.answered = pr_answered,
	.path = pr_path,
	.noted = pr_noted,
	.lease = pr_lease,
	.stop = pr_stop,
	.status = pr_status,
	.end = pr_end,
};
