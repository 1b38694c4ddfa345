/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_heart_io.c - the heartbeat inside lockd; see lockd_heart_io.h.
 */
#include "lockd/lockd_heart_io.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/timing.h"
#include "host/clock.h"
#include "host/machine.h"
#include "lockd/lockd_disks_io.h"
#include "lockd/lockd_state_io.h"
#include "lockd/lockd_system_io.h"
#include "lockd/lockd_watch_io.h"

enum { STOP_TELL_MS = 10000, STATUS_FAULT = 1, STATUS_OPTIONS = 2 };

/* A note on its way out of a step. */
struct note {
	struct note *next;
	struct hb_note note;
	char line[WORDS_LINE_MAX];
	char text[HB_TEXT_BYTES + 1];
};

struct lockd_heart {
	struct lockd *lockd;
	struct boot_timer tick;
	uv_check_t check;
	int open_handles; /* at the end */
	struct note *notes, **notes_end;
	int is_handing_out;
	mono_t again_at; /* when a new heartbeat may begin; never: not wanted */
	int has_asked_to_leave;
	int stop_status; /* the exit status of an orderly stop */
	mono_t stop_told;
};

/* ---- beginning ---- */

static int config_make(struct lockd *lockd, struct err *err)
{
	const struct lockd_options *options = &lockd->options;
	uint32_t watchdog_ms = lockd_watch_device_ms(lockd);
	struct hb_config *config = &lockd->config;

	*config = (struct hb_config){
		.node = options->node,
		.nodes_max = lockd->super.nodes_max,
		.disks = lockd->disks_count,
		.incarnation = lockd_state_incarnation(lockd) + 1,
		/* The lock of the slot is held for as long as this process lives. */
		.predecessor_gone = 1,
		.interval_ms = options->interval_ms,
		.io_timeout_ms = options->io_timeout_ms,
		.member_timeout_ms = options->member_timeout_ms,
		.lease_ms = options->lease_ms,
		.watchdog_ms = watchdog_ms,
		.grain_ms = watchdog_ms ? timing_grain_ms(watchdog_ms) : 0,
		.drain_ms = options->drain_ms,
		.drift_ppm = options->drift_ppm,
		.claim_window_ms = lockd->super.claim_window_ms,
		.accepts = lockd_watch_accepts(lockd),
		.flags = options->watchdog && options->expiry == LOCKD_EXPIRY_LOCKS
				 ? HB_FLAG_SURVIVES
				 : 0,
	};
	if (options->name)
		snprintf(config->name, sizeof config->name, "%s", options->name);
	else
		machine_name(config->name, sizeof config->name);
	do {
		machine_random(&config->nonce, sizeof config->nonce);
	} while (config->nonce == 0);
	return machine_identify(config->machine, config->boot, err);
}

static void noted(const struct hb_note *note, void *context);

static int heart_start(struct lockd *lockd, struct err *err)
{
	struct hb_io_disk disks[HB_DISKS_MAX] = { 0 };
	int rc = config_make(lockd, err);

	for (unsigned d = 0; d < lockd->disks_count; d++)
		disks[d] = (struct hb_io_disk){ .disk = lockd->disks[d].disk,
						.area = &lockd->disks[d].area };
	if (rc == 0)
		rc = hb_io_create(&lockd->loop, &lockd->config, disks, noted, lockd->heart_shell,
				  &lockd->heart, err);
	return rc;
}

static void heart_drop(struct lockd *lockd)
{
	if (lockd->heart)
		hb_io_free(lockd->heart);
	lockd->heart = NULL;
	lockd->is_active = 0;
}

/* ---- notes ---- */

static void noted(const struct hb_note *note, void *context)
{
	struct lockd_heart *shell = context;
	struct note *kept = calloc(1, sizeof *kept);

	if (!kept)
		abort();
	kept->note = *note;
	hb_note_text(note, kept->line, sizeof kept->line);
	if (note->text)
		text_clean(kept->text, sizeof kept->text, note->text, note->text_bytes);
	kept->note.text = note->text ? kept->text : NULL;
	kept->note.text_bytes = strlen(kept->text);
	*shell->notes_end = kept;
	shell->notes_end = &kept->next;
}

static void end(struct lockd *lockd, int status)
{
	lockd->exit_status = status;
	lockd->is_ended = 1;
}

/* The slot is ours no more, or never was. What rests on it is ended by its own; the watchdog sees
 * to it. */
static void slot_lost(struct lockd *lockd)
{
	heart_drop(lockd);
	lockd->heart_shell->again_at = MONO_NEVER;
	lockd->is_evicted = 1;
}

static void lease_lost(struct lockd *lockd)
{
	int is_reset_due = lockd->is_dying ||
			   (lockd->options.watchdog && lockd->options.expiry == LOCKD_EXPIRY_NODE);

	heart_drop(lockd);
	lockd_event(lockd, LOCKD_TOPIC_LEASE, json_pack("{s:s}", "state", "lost"));
	lockd_notify("STATUS=lease lost");
	if (is_reset_due)
		lockd_log(LOCKD_FAULT, "no renewal any more: the watchdog resets this machine");
	else
		lockd->heart_shell->again_at = mono_add_ms(clock_now(), lockd->options.interval_ms);
}

static void activated(struct lockd *lockd, uint32_t incarnation)
{
	char status[160];

	lockd->is_active = 1;
	lockd_state_keep(lockd, incarnation);
	lockd_event(
		lockd, LOCKD_TOPIC_LEASE,
		json_pack("{s:s, s:I}", "state", "active", "incarnation", (json_int_t)incarnation));
	snprintf(status, sizeof status, "READY=1\nSTATUS=active as node %u of cluster \"%s\"",
		 lockd->config.node, lockd->super.cluster_name);
	lockd_notify(status);
}

static void disk_noted(struct lockd *lockd, const struct hb_note *note, const char *line)
{
	const char *state = "good";

	if (note->kind == HB_NOTE_DISK_FAILED || note->kind == HB_NOTE_DISK_STALE ||
	    note->kind == HB_NOTE_DISK_CHANGED) {
		state = note->kind == HB_NOTE_DISK_FAILED  ? "failed"
			: note->kind == HB_NOTE_DISK_STALE ? "stale"
							   : "changed";
		lockd->disks[note->disk].is_failed = 1;
	} else if (note->kind == HB_NOTE_DISK_GOOD) {
		lockd->disks[note->disk].is_failed = 0;
	} else {
		return;
	}
	lockd_event(lockd, LOCKD_TOPIC_DISK,
		    json_pack("{s:i, s:s, s:s}", "disk", (int)note->disk + 1, "state", state,
			      "text", line));
}

/* Nodes are named by name too, so two of one name are a fault of the configuration. */
static void name_look(struct lockd *lockd, uint16_t node)
{
	const char *name = lockd_node_name(lockd, node);

	if (strcmp(name, lockd->config.name) != 0)
		return;
	lockd_say(lockd, LOCKD_FAULT, "node %u is called \"%s\" too; give each a --name of its own",
		  node, name);
	if (lockd->is_active || lockd->is_stopping)
		return;
	/* In order, for a heartbeat may be out already. */
	lockd->heart_shell->stop_status = STATUS_OPTIONS;
	lockd_stop(lockd, "its name is taken");
}

static void peer_noted(struct lockd *lockd, const struct hb_note *note, const char *line)
{
	lockd_event(lockd, LOCKD_TOPIC_PEER,
		    json_pack("{s:i, s:s, s:s, s:s, s:I, s:s}", "node", (int)note->node, "name",
			      lockd_node_name(lockd, note->node), "state",
			      note->kind == HB_NOTE_PEER_UNDEAD ? "undead"
			      : note->kind == HB_NOTE_PEER_DUPLICATE
				      ? "duplicate"
				      : hb_peer_state_word(note->state),
			      "was", hb_peer_state_word(note->was), "incarnation",
			      (json_int_t)note->value, "text", line));
	if (note->kind == HB_NOTE_PEER && note->state == HB_PEER_ALIVE)
		name_look(lockd, note->node);
}

static void pill_noted(struct lockd *lockd, const struct hb_note *note, const char *text)
{
	json_t *fields = json_pack("{s:i, s:s, s:s, s:b}", "from", (int)note->node, "name",
				   lockd_node_name(lockd, note->node), "pill",
				   slot_pill_word(note->pill), "accepted", note->rc == 0);

	if (note->pill == HB_PILL_MESSAGE)
		json_object_set_new(fields, "text", json_string(text));
	lockd_event(lockd, LOCKD_TOPIC_PILL, fields);
	if (note->pill >= HB_PILL_CRASH && note->rc == 0)
		lockd->is_dying = 1;
}

static void die(struct lockd *lockd)
{
	lockd->is_dying = 1;
	for (size_t i = 0; lockd_parts[i]; i++)
		if (lockd_parts[i]->dying)
			lockd_parts[i]->dying(lockd);
	lockd_watch_die(lockd);
}

/* A former lockd of this boot has accepted a pill, and did not live to act on it. */
static void sentence_found(struct lockd *lockd)
{
	heart_drop(lockd);
	lockd->heart_shell->again_at = MONO_NEVER;
	die(lockd);
}

static void note_own(struct lockd *lockd, const struct note *kept)
{
	const struct hb_note *note = &kept->note;

	switch (note->kind) {
	case HB_NOTE_ACTIVE:
		activated(lockd, (uint32_t)note->value);
		return;
	case HB_NOTE_LEASE_LOST:
		lease_lost(lockd);
		return;
	case HB_NOTE_REFUSED:
		if (note->value == HB_REFUSED_DYING)
			sentence_found(lockd);
		else
			slot_lost(lockd);
		return;
	case HB_NOTE_SLOT_TAKEN:
		slot_lost(lockd);
		return;
	case HB_NOTE_LEFT:
		lockd->has_left = note->value != 0;
		heart_drop(lockd);
		return;
	case HB_NOTE_PEER:
	case HB_NOTE_PEER_UNDEAD:
	case HB_NOTE_PEER_DUPLICATE:
		peer_noted(lockd, note, kept->line);
		return;
	case HB_NOTE_PILL:
		pill_noted(lockd, note, kept->text);
		return;
	case HB_NOTE_DIE:
		die(lockd);
		return;
	default:
		disk_noted(lockd, note, kept->line);
		return;
	}
}

static enum lockd_weight note_weight(const struct hb_note *note)
{
	switch (note->kind) {
	case HB_NOTE_REFUSED:
	case HB_NOTE_LEASE_LOST:
	case HB_NOTE_SLOT_TAKEN:
	case HB_NOTE_DISK_CHANGED:
	case HB_NOTE_PEER_UNDEAD:
	case HB_NOTE_PEER_DUPLICATE:
	case HB_NOTE_DIE:
		return LOCKD_FAULT;
	case HB_NOTE_CLAIM_VOID:
	case HB_NOTE_DISK_FAILED:
	case HB_NOTE_DISK_STALE:
	case HB_NOTE_RECORD_BAD:
		return LOCKD_WARN;
	case HB_NOTE_PEER:
		return note->state == HB_PEER_SUSPECT || note->state == HB_PEER_DEAD ? LOCKD_WARN
										     : LOCKD_INFO;
	case HB_NOTE_PILL:
		return note->pill >= HB_PILL_CRASH ? LOCKD_WARN : LOCKD_INFO;
	default:
		return LOCKD_INFO;
	}
}

static void notes_hand_out(struct lockd *lockd)
{
	struct lockd_heart *shell = lockd->heart_shell;

	if (shell->is_handing_out)
		return;
	shell->is_handing_out = 1;
	while (shell->notes) {
		struct note *kept = shell->notes;

		shell->notes = kept->next;
		if (!shell->notes)
			shell->notes_end = &shell->notes;
		lockd_log(note_weight(&kept->note), "%s", kept->line);
		note_own(lockd, kept);
		for (size_t i = 0; lockd_parts[i]; i++)
			if (lockd_parts[i]->noted)
				lockd_parts[i]->noted(lockd, &kept->note);
		free(kept);
	}
	shell->is_handing_out = 0;
}

static void check_called(uv_check_t *check)
{
	notes_hand_out(check->data);
}

/* ---- from outside ---- */

void lockd_answered(struct lockd *lockd, unsigned d, const struct disk_answer *answer)
{
	if (answer->token & HB_IO_TOKEN_BIT) {
		if (lockd->heart)
			hb_io_answer(lockd->heart, d, answer);
		notes_hand_out(lockd);
		return;
	}
	for (size_t i = 0; lockd_parts[i]; i++)
		if (lockd_parts[i]->token_bit & answer->token && lockd_parts[i]->answered)
			lockd_parts[i]->answered(lockd, d, answer);
}

void lockd_path(struct lockd *lockd, unsigned d, enum lockd_path what)
{
	static const char *const words[] = { [LOCKD_PATH_OPENED] = "opened",
					     [LOCKD_PATH_LOST] = "lost",
					     [LOCKD_PATH_BACK] = "back" };

	lockd_event(lockd, LOCKD_TOPIC_DISK,
		    json_pack("{s:i, s:s}", "disk", (int)d + 1, "state", words[what]));
	for (size_t i = 0; lockd_parts[i]; i++)
		if (lockd_parts[i]->path)
			lockd_parts[i]->path(lockd, d, what);
}

int lockd_heart_event(struct lockd *lockd, struct hb_event *event)
{
	if (!lockd->heart)
		return RC_STATE;
	hb_io_event(lockd->heart, event);
	notes_hand_out(lockd);
	return 0;
}

mono_t lockd_lease_until(const struct lockd *lockd)
{
	if (!lockd->heart || !lockd->is_active || lockd->is_dying)
		return (mono_t){ INT64_MIN };
	return hb_core_lease_until(hb_io_core(lockd->heart));
}

void lockd_lease_look(struct lockd *lockd)
{
	struct hb_event tick = { .kind = HB_EVENT_TICK };

	if (lockd->is_active && mono_reached(clock_now(), lockd_lease_until(lockd)))
		lockd_heart_event(lockd, &tick);
}

int lockd_rest_begin(struct lockd *lockd, struct err *err)
{
	mono_t until;

	lockd_lease_look(lockd);
	until = lockd_lease_until(lockd);
	if (!lockd->is_active || lockd->is_dying)
		return err_set(err, RC_STATE, "see holdfast lock status",
			       "node %u has no lease on its disks", lockd->options.node);
	if (lockd->is_stopping)
		return err_set(err, RC_STATE, NULL, "lockd is stopping");
	if (!lockd_watch_may_rest(lockd, mono_add_ms(until, -(int64_t)lockd->options.lease_ms)))
		return err_set(err, RC_BUSY, "try again",
			       "the watchdog was renewed for longer than the lease says");
	lockd->resting++;
	return 0;
}

void lockd_rest_end(struct lockd *lockd)
{
	assert(lockd->resting > 0);
	lockd->resting--;
}

const char *lockd_node_name(const struct lockd *lockd, uint16_t node)
{
	if (node == lockd->config.node)
		return lockd->config.name;
	if (!lockd->heart || node < 1 || node > HB_NODES_MAX)
		return "";
	return hb_core_peer(hb_io_core(lockd->heart), node)->last.name;
}

const char *lockd_stage_word(const struct lockd *lockd)
{
	static const char *const words[] = {
		[HB_STAGE_OBSERVE] = "observing", [HB_STAGE_WATCH] = "watching",
		[HB_STAGE_CLAIM] = "claiming",	  [HB_STAGE_WAIT] = "claiming",
		[HB_STAGE_CHECK] = "claiming",	  [HB_STAGE_JOIN] = "joining",
		[HB_STAGE_ACTIVE] = "active",	  [HB_STAGE_LEAVE] = "leaving",
		[HB_STAGE_DYING] = "dying",	  [HB_STAGE_ENDED] = "ended",
	};

	if (lockd->is_dying)
		return "dying";
	return lockd->heart ? words[hb_io_core(lockd->heart)->stage] : "no lease";
}

/* ---- stopping ---- */

void lockd_stop(struct lockd *lockd, const char *why)
{
	if (lockd->is_stopping)
		return;
	lockd->is_stopping = 1;
	lockd_say(lockd, LOCKD_INFO, "stopping: %s", why);
	lockd_notify("STOPPING=1");
}

static int parts_stop(struct lockd *lockd)
{
	int busy = 0;

	for (size_t i = 0; lockd_parts[i]; i++)
		if (lockd_parts[i]->stop)
			busy |= lockd_parts[i]->stop(lockd);
	return busy;
}

/* First what rests on the lease, then the goodbye, then the end. A join under way is awaited: a
 * heartbeat that is out can only be taken back by a goodbye. */
static void stop_look(struct lockd *lockd, mono_t now)
{
	struct lockd_heart *shell = lockd->heart_shell;
	struct hb_event leave = { .kind = HB_EVENT_LEAVE };

	if (parts_stop(lockd) || lockd->resting > 0) {
		if (mono_reached(now, shell->stop_told)) {
			lockd_log(LOCKD_WARN, "still stopping: %u lock(s) are held",
				  lockd->resting);
			shell->stop_told = mono_add_ms(now, STOP_TELL_MS);
		}
		return;
	}
	if (!lockd->heart || lockd->is_dying) {
		if (!lockd->is_dying)
			end(lockd, lockd->is_evicted ? STATUS_FAULT : shell->stop_status);
		return;
	}
	if (shell->has_asked_to_leave || hb_io_core(lockd->heart)->stage == HB_STAGE_JOIN)
		return;
	shell->has_asked_to_leave = 1;
	lockd_heart_event(lockd, &leave);
}

/* ---- once an interval ---- */

static void heart_look(struct lockd *lockd, mono_t now)
{
	struct lockd_heart *shell = lockd->heart_shell;
	struct err err;

	if (lockd->is_evicted && lockd->resting == 0 && !lockd->is_stopping)
		end(lockd, STATUS_FAULT);
	if (lockd->heart || lockd->is_stopping || lockd->resting > 0 ||
	    !mono_reached(now, shell->again_at))
		return;
	shell->again_at = MONO_NEVER;
	if (heart_start(lockd, &err)) {
		lockd_log(LOCKD_FAULT, "%s", err.text);
		end(lockd, STATUS_FAULT);
	}
}

static void tick_fired(struct boot_timer *timer)
{
	struct lockd *lockd = timer->data;
	mono_t now = clock_now(), until;

	lockd_lease_look(lockd);
	lockd_watch_look(lockd, now);
	until = lockd_lease_until(lockd);
	for (size_t i = 0; lockd_parts[i]; i++)
		if (lockd_parts[i]->lease)
			lockd_parts[i]->lease(lockd, now, until);
	lockd_disks_look(lockd, now);
	heart_look(lockd, now);
	if (lockd->is_stopping)
		stop_look(lockd, now);
	lockd_notify_alive(now);
	if (!lockd->is_ended)
		boot_timer_set(timer, mono_add_ms(now, lockd->options.interval_ms));
}

int lockd_heart_begin(struct lockd *lockd, struct err *err)
{
	struct lockd_heart *shell = calloc(1, sizeof *shell);
	int rc;

	if (!shell)
		abort();
	shell->lockd = lockd;
	shell->notes_end = &shell->notes;
	shell->again_at = MONO_NEVER;
	if (boot_timer_init(&shell->tick, &lockd->loop, tick_fired, lockd)) {
		free(shell);
		return err_set(err, RC_INTERNAL, NULL, "no timer");
	}
	uv_check_init(&lockd->loop, &shell->check);
	shell->check.data = lockd;
	uv_check_start(&shell->check, check_called);
	lockd->heart_shell = shell;
	rc = heart_start(lockd, err);
	if (rc == 0)
		boot_timer_set(&shell->tick, clock_now());
	return rc;
}

static void handle_closed(struct lockd_heart *shell)
{
	if (--shell->open_handles > 0)
		return;
	while (shell->notes) {
		struct note *kept = shell->notes;

		shell->notes = kept->next;
		free(kept);
	}
	shell->lockd->heart_shell = NULL;
	free(shell);
}

static void tick_closed(struct boot_timer *timer)
{
	handle_closed(((struct lockd *)timer->data)->heart_shell);
}

static void check_closed(uv_handle_t *check)
{
	handle_closed(((struct lockd *)check->data)->heart_shell);
}

void lockd_heart_close(struct lockd *lockd)
{
	heart_drop(lockd);
	if (!lockd->heart_shell)
		return;
	lockd->heart_shell->open_handles = 2;
	uv_close((uv_handle_t *)&lockd->heart_shell->check, check_closed);
	boot_timer_close(&lockd->heart_shell->tick, tick_closed);
}
