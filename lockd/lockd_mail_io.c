/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_mail_io.c - the part of lockd that posts pills for clients: send, withdraw, probe.
 *
 * Callers: the list of parts.
 *
 * A wait is one client's interest in one letter of the heartbeat: from `send`, or one of those that
 * a probe has out. Several clients may wait for the same letter: who asks for what is posted already
 * joins. A letter that is to end its reader is never taken back because a client went or lost
 * its patience: whether it will be acted on cannot be known any more. All others are.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/timing_peer.h"
#include "host/clock.h"
#include "lockd/lockd.h"
#include "lockd/lockd_heart_io.h"
#include "lockd/lockd_parts.h"

enum {
	SEND_TIMEOUT_MS = 60000,
	PROBE_TIMEOUT_MS = 10000,
	TIMEOUT_MOST_MS = 3600000,
};

struct probe {
	struct lockd_call *call;
	json_t *nodes;
	unsigned waiting;
};

struct wait {
	struct wait *next;
	struct lockd_call *call; /* of a send; NULL: of a probe */
	struct probe *probe;
	uint64_t request;
	uint16_t to;
	uint32_t incarnation; /* of it, that the letter is for */
	enum hb_pill_kind pill;
	mono_t posted_at, deadline;
};

struct mail {
	uint64_t next_request;
	struct wait *waits;
};

static struct mail *mail_of(struct lockd *lockd)
{
	return *lockd_data(lockd, &lockd_mail_part);
}

/* ---- waits ---- */

static struct wait *wait_add(struct lockd *lockd, uint16_t to, enum hb_pill_kind pill,
			     int64_t timeout_ms)
{
	struct wait *wait = calloc(1, sizeof *wait);
	struct mail *mail = mail_of(lockd);

	if (!wait)
		abort();
	wait->request = mail->next_request++;
	wait->to = to;
	wait->pill = pill;
	wait->posted_at = clock_now();
	wait->deadline = mono_add_ms(wait->posted_at, timeout_ms);
	wait->next = mail->waits;
	mail->waits = wait;
	return wait;
}

static void wait_remove(struct mail *mail, struct wait *wait)
{
	struct wait **link = &mail->waits;

	while (*link != wait)
		link = &(*link)->next;
	*link = wait->next;
	free(wait);
}

static int is_waited_for(const struct mail *mail, uint64_t request, const struct wait *except)
{
	for (const struct wait *wait = mail->waits; wait; wait = wait->next)
		if (wait->request == request && wait != except)
			return 1;
	return 0;
}

/* Nobody waits for it any more. */
static void wait_abandon(struct lockd *lockd, struct wait *wait)
{
	struct hb_event withdraw = { .kind = HB_EVENT_WITHDRAW, .request = wait->request };
	int is_harmless = wait->pill < HB_PILL_CRASH &&
			  !is_waited_for(mail_of(lockd), wait->request, wait);

	wait_remove(mail_of(lockd), wait);
	if (is_harmless)
		lockd_heart_event(lockd, &withdraw);
}

static void call_gone(struct lockd_call *call)
{
	wait_abandon(call->lockd, call->data);
}

/* ---- probes ---- */

static void probe_end(struct probe *probe)
{
	struct lockd_call *call = probe->call;
	json_t *nodes = probe->nodes;

	free(probe);
	if (call)
		lockd_call_ok(call, json_pack("{s:o}", "nodes", nodes));
	else
		json_decref(nodes);
}

/* One answer of a probe, or why there is none. */
static void probe_note(struct lockd *lockd, struct probe *probe, uint16_t node, const char *why,
		       int64_t took_ms)
{
	json_t *object = json_pack("{s:i, s:s, s:b}", "node", (int)node, "name",
				   lockd_node_name(lockd, node), "answered", why == NULL);

	assert(probe);
	json_object_set_new(object, "outcome", json_string(why ? why : "accepted"));
	if (!why)
		json_object_set_new(object, "took_ms", json_integer(took_ms));
	json_array_append_new(probe->nodes, object);
	if (--probe->waiting == 0)
		probe_end(probe);
}

static void probe_gone(struct lockd_call *call)
{
	/* Its letters are harmless, and end by themselves. */
	((struct probe *)call->data)->call = NULL;
}

static void event_send(struct lockd *lockd, const struct wait *wait, const char *text)
{
	struct hb_event send = { .kind = HB_EVENT_SEND,
				 .request = wait->request,
				 .to = wait->to,
				 .pill = wait->pill,
				 .text = text,
				 .text_bytes = text ? strlen(text) : 0 };

	/* What it says comes back as a note. */
	lockd_heart_event(lockd, &send);
}

static void probe_run(struct lockd_call *call)
{
	struct lockd *lockd = call->lockd;
	const struct hb_core *core = hb_io_core(lockd->heart);
	struct probe *probe;
	int64_t timeout_ms = PROBE_TIMEOUT_MS;
	struct err err;

	if (lockd_call_number(call, "timeout_ms", 0, 1, TIMEOUT_MOST_MS, &timeout_ms, &err)) {
		lockd_call_fail(call, &err);
		return;
	}
	probe = calloc(1, sizeof *probe);
	if (!probe)
		abort();
	probe->call = call;
	probe->nodes = json_array();
	probe->waiting = 1; /* this function, until all are out */
	call->data = probe;
	call->gone = probe_gone;
	for (uint16_t node = 1; node <= lockd->super.nodes_max; node++) {
		struct wait *wait;

		if (node == lockd->config.node || hb_core_peer(core, node)->state != HB_PEER_ALIVE)
			continue;
		wait = wait_add(lockd, node, HB_PILL_TEST, timeout_ms);
		wait->probe = probe;
		probe->waiting++;
		event_send(lockd, wait, NULL);
		if (!lockd->is_active)
			break;
	}
	if (--probe->waiting == 0)
		probe_end(probe);
}

/* ---- what the heartbeat says of a letter ---- */

static void send_fail(struct lockd *lockd, struct wait *wait, int rc, const char *next,
		      const char *text)
{
	struct lockd_call *call = wait->call;
	char name[HB_NAME_BYTES];
	struct err err;

	snprintf(name, sizeof name, "%s", lockd_node_name(lockd, wait->to));
	err_set(&err, rc, next, "%s pill to node %u%s%s%s: %s", slot_pill_word(wait->pill),
		wait->to, name[0] ? " (" : "", name, name[0] ? ")" : "", text);
	wait_remove(mail_of(lockd), wait);
	lockd_call_fail(call, &err);
}

static void wait_fail(struct lockd *lockd, struct wait *wait, int rc, const char *next,
		      const char *text)
{
	struct probe *probe = wait->probe;
	uint16_t to = wait->to;

	if (wait->call) {
		send_fail(lockd, wait, rc, next, text);
		return;
	}
	wait_remove(mail_of(lockd), wait);
	probe_note(lockd, probe, to, text, 0);
}

/* A final outcome that is no failure. */
static void wait_end(struct lockd *lockd, struct wait *wait, const char *outcome)
{
	struct lockd_call *call = wait->call;
	struct probe *probe = wait->probe;
	int64_t took_ms = mono_diff_ms(wait->posted_at, clock_now());
	uint16_t to = wait->to;
	enum hb_peer_state state = lockd->heart ? hb_core_peer(hb_io_core(lockd->heart), to)->state
						: HB_PEER_NEVER;

	wait_remove(mail_of(lockd), wait);
	if (call)
		lockd_call_ok(call, json_pack("{s:s, s:i, s:s, s:I, s:s}", "outcome", outcome, "to",
					      (int)to, "name", lockd_node_name(lockd, to),
					      "took_ms", (json_int_t)took_ms, "peer_state",
					      hb_peer_state_word(state)));
	else
		probe_note(lockd, probe, to, NULL, took_ms);
}

static json_t *letter_json(const struct lockd *lockd, struct wait *wait)
{
	const struct hb_core *core = hb_io_core(lockd->heart);
	const struct hb_letter *letter = &core->letters[wait->to - 1];
	json_t *fields;

	/* One that was delivered and answered in the same round has ended when that is told. */
	if (letter->in_use)
		wait->incarnation = core->slot.pills[wait->to - 1].incarnation;
	fields = json_pack("{s:i, s:I, s:I}", "to", (int)wait->to, "incarnation",
			   (json_int_t)wait->incarnation, "request", (json_int_t)wait->request);
	/* By when it has acted or is reset, whatever it says; where that can be known. */
	if (letter->in_use && letter->delivered && !mono_is_never(letter->expires))
		json_object_set_new(fields, "expires_ms",
				    json_integer(mono_left_ms(clock_now(), letter->expires)));
	return fields;
}

static const char *refusal_text(int rc)
{
	switch (rc) {
	case RC_BUSY:
		return "another one is on its way to it";
	case RC_CONFIG:
		return "no such node, or too long a text";
	default:
		return "it was never here, or has left, or this node has no lease";
	}
}

static void wait_noted(struct lockd *lockd, struct wait *wait, const struct hb_note *note)
{
	switch (note->mail) {
	case HB_MAIL_POSTED:
		if (wait->call)
			lockd_call_progress(wait->call, "posted", letter_json(lockd, wait));
		return;
	case HB_MAIL_DELIVERED:
		if (wait->call)
			lockd_call_progress(wait->call, "delivered", letter_json(lockd, wait));
		return;
	case HB_MAIL_ACCEPTED:
		wait_end(lockd, wait, "accepted");
		return;
	case HB_MAIL_EXPIRED:
		wait_end(lockd, wait, "expired");
		return;
	case HB_MAIL_GONE:
		if (wait->probe)
			wait_fail(lockd, wait, RC_STATE, NULL, "it has left, or began anew");
		else
			wait_end(lockd, wait, "gone");
		return;
	case HB_MAIL_REFUSED:
		wait_fail(lockd, wait, note->rc, NULL, refusal_text(note->rc));
		return;
	case HB_MAIL_DECLINED:
		wait_fail(lockd, wait, RC_UNSUPPORTED, "look at its watchdog",
			  "it has no means for it");
		return;
	case HB_MAIL_WITHDRAWN:
		wait_fail(lockd, wait, RC_CANCELLED, NULL,
			  "taken back, or replaced by a stronger one");
		return;
	}
}

/* The letter is gone with its incarnation: what ends others is taken over by the next one. */
static void heartbeat_ended(struct lockd *lockd)
{
	struct mail *mail = mail_of(lockd);

	while (mail->waits)
		wait_fail(lockd, mail->waits, RC_STATE, "see holdfast lock status",
			  "this node's lease ended, the outcome is not known");
}

static void mail_noted(struct lockd *lockd, const struct hb_note *note)
{
	struct wait *wait, *next;

	if (!lockd->heart) {
		heartbeat_ended(lockd);
		return;
	}
	if (note->kind != HB_NOTE_MAIL)
		return;
	for (wait = mail_of(lockd)->waits; wait; wait = next) {
		next = wait->next;
		if (wait->request == note->request && wait->to == note->node)
			wait_noted(lockd, wait, note);
	}
}

static void mail_lease(struct lockd *lockd, mono_t now, mono_t until)
{
	struct wait *wait, *next;

	(void)until;
	for (wait = mail_of(lockd)->waits; wait; wait = next) {
		next = wait->next;
		if (!mono_reached(now, wait->deadline))
			continue;
		/* Both end the wait; the first takes the letter back if nobody else wants it. */
		if (wait->pill < HB_PILL_CRASH &&
		    !is_waited_for(mail_of(lockd), wait->request, wait)) {
			struct hb_event withdraw = { .kind = HB_EVENT_WITHDRAW,
						     .request = wait->request };

			wait_fail(lockd, wait, RC_TIMEOUT, NULL, "no answer in time");
			lockd_heart_event(lockd, &withdraw);
			/* Notes may have ended others. */
			return;
		}
		wait_fail(lockd, wait, RC_TIMEOUT,
			  wait->pill >= HB_PILL_CRASH ? "it stays posted, and may still be acted on"
						      : NULL,
			  "no answer in time");
	}
}

/* ---- ops ---- */

static int pill_read(const struct lockd_call *call, enum hb_pill_kind *pill, struct err *err)
{
	const char *word = NULL;
	int rc = lockd_call_text(call, "pill", 1, &word, err);

	for (*pill = HB_PILL_TEST; rc == 0 && *pill < HB_PILL_KINDS; (*pill)++)
		if (strcmp(word, slot_pill_word(*pill)) == 0)
			return 0;
	return rc ? rc
		  : err_set(err, RC_CONFIG, NULL,
			    "request: \"pill\" is none of test, message, crash, reset, off");
}

struct send {
	uint16_t to;
	enum hb_pill_kind pill;
	const char *text;
	int64_t timeout_ms;
};

static int send_read(const struct lockd_call *call, struct send *send, struct err *err)
{
	int rc = lockd_call_node(call, "to", &send->to, err);

	*send = (struct send){ .to = send->to, .timeout_ms = SEND_TIMEOUT_MS };
	if (rc == 0)
		rc = pill_read(call, &send->pill, err);
	if (rc == 0)
		rc = lockd_call_text(call, "text", send->pill == HB_PILL_MESSAGE, &send->text, err);
	if (rc == 0)
		rc = lockd_call_number(call, "timeout_ms", 0, 1, TIMEOUT_MOST_MS, &send->timeout_ms,
				       err);
	if (rc)
		return rc;
	if (send->to == call->lockd->config.node)
		return err_set(err, RC_CONFIG, NULL, "request: \"to\" is this node itself");
	if (send->text && send->pill != HB_PILL_MESSAGE)
		return err_set(err, RC_CONFIG, NULL, "request: only a message has a \"text\"");
	if (send->text && strlen(send->text) > HB_TEXT_BYTES)
		return err_set(err, RC_CONFIG, NULL, "request: \"text\" is longer than %d bytes",
			       HB_TEXT_BYTES);
	return 0;
}

/* The same pill is on its way already, of another client or of the incarnation before: one ends a
 * node, so wait for that one. Returns whether it is so. */
static int letter_join(struct lockd *lockd, struct wait *wait)
{
	const struct hb_core *core = hb_io_core(lockd->heart);
	const struct hb_letter *letter = &core->letters[wait->to - 1];

	if (wait->pill < HB_PILL_CRASH || !letter->in_use ||
	    core->slot.pills[wait->to - 1].kind != (uint8_t)wait->pill)
		return 0;
	wait->request = letter->request;
	lockd_call_progress(wait->call, "posted", letter_json(lockd, wait));
	if (letter->delivered)
		lockd_call_progress(wait->call, "delivered", letter_json(lockd, wait));
	if (letter->expired)
		wait_end(lockd, wait, "expired");
	return 1;
}

static void send_run(struct lockd_call *call)
{
	struct lockd *lockd = call->lockd;
	struct send send;
	struct wait *wait;
	struct err err;

	if (send_read(call, &send, &err)) {
		lockd_call_fail(call, &err);
		return;
	}
	wait = wait_add(lockd, send.to, send.pill, send.timeout_ms);
	wait->call = call;
	call->data = wait;
	call->gone = call_gone;
	if (send.pill >= HB_PILL_CRASH)
		lockd_say(lockd, LOCKD_WARN, "process %d sends node %u a %s pill", call->pid,
			  send.to, slot_pill_word(send.pill));
	if (!letter_join(lockd, wait))
		event_send(lockd, wait, send.text);
}

static void withdraw_run(struct lockd_call *call)
{
	struct lockd *lockd = call->lockd;
	const struct hb_core *core = hb_io_core(lockd->heart);
	struct hb_event withdraw = { .kind = HB_EVENT_WITHDRAW };
	const struct hb_letter *letter;
	struct err err;
	uint16_t to;

	if (lockd_call_node(call, "to", &to, &err)) {
		lockd_call_fail(call, &err);
		return;
	}
	letter = &core->letters[to - 1];
	if (!letter->in_use) {
		err_set(&err, RC_STATE, NULL, "node %u: nothing is posted to it", to);
		lockd_call_fail(call, &err);
		return;
	}
	/* All that was taken over from the incarnation before has the number 0, so the node counts. */
	withdraw.request = letter->request;
	withdraw.to = to;
	lockd_say(lockd, LOCKD_INFO, "process %d takes back the %s pill to node %u", call->pid,
		  slot_pill_word(core->slot.pills[to - 1].kind), to);
	lockd_call_ok(call, json_pack("{s:b}", "delivered", letter->delivered));
	lockd_heart_event(lockd, &withdraw);
}

/* ---- life ---- */

static int mail_begin(struct lockd *lockd, struct err *err)
{
	struct mail *mail = calloc(1, sizeof *mail);

	(void)err;
	if (!mail)
		abort();
	mail->next_request = 1;
	*lockd_data(lockd, &lockd_mail_part) = mail;
	return 0;
}

static void mail_end(struct lockd *lockd)
{
	struct mail *mail = mail_of(lockd);

	/* The calls of clients are gone with them; what is left is of probes. */
	while (mail && mail->waits) {
		struct wait *wait = mail->waits;
		struct probe *probe = wait->probe;

		wait_remove(mail, wait);
		if (probe && --probe->waiting == 0)
			probe_end(probe);
	}
	free(mail);
}

static const struct lockd_op ops[] = {
	{ "send", send_run, 1 },
	{ "withdraw", withdraw_run, 1 },
	{ "probe", probe_run, 1 },
	{ 0 },
};

const struct lockd_part lockd_mail_part = {
	.name = "mail",
	.ops = ops,
	.begin = mail_begin,
	.noted = mail_noted,
	.lease = mail_lease,
	.end = mail_end,
};
