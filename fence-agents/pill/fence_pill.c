/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_pill.c - fencing through the shared disks: the victim is asked to reset itself, and its own
 * watchdog does it if it does not obey. lockd of this node carries the pill (docs/lockd-protocol.md).
 *
 * What counts as off (S1, S5). A pill that is delivered, that is, read back from a majority of the
 * disks, is no proof of anything. Proof is one of these, each counted from a moment of this machine:
 *
 *	acknowledged, and gone_ms since	from its acknowledgement on the node renews nothing, so that it is
 *					reset within L + W + g, and its last writes have landed D later
 *	expired, and gone_ms since	it was delivered, and the node lets itself be reset when its lease
 *		delivery		ends: it has read the pill, or it is reset (base/timing_peer.h)
 *	another boot in its slot	by the same machine, after the pill was delivered to the one before: it
 *					has been started since
 *	dead by lease			and the node lets itself be reset when its lease ends
 *
 * No proof is: silence of a node that publishes no watchdog or that the end of its lease does not
 * reset it; a goodbye; another incarnation of the same boot, which is a daemon that was restarted (the
 * pill is then sent to that one); a write that failed, or that one disk of three shows.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fence-agents/pill/pill_letter.h"
#include "fence-agents/sdk/agent.h"
#include "host/clock.h"
#include "lockd/client/lockd_client_io.h"

enum {
	NAME_BYTES = 64,
	ID_BYTES = 40,
	ASK_MS = 500,		  /* for timeouts that are only advice */
	POST_EVERY_MS = 10,	  /* how often to look whether it is posted */
	POWER_TIMEOUT_MS = 60000, /* where lockd cannot be asked */
	HOUR_MS = 3600000,
	REASON_MS = 200, /* before time is up */
};

static const char *const off_pills[] = { "auto", "off", "reset", NULL };

static char power_timeout_text[16];

/* Not const: the time that a node needs is the cluster's own. */
static struct fence_option options[] = {
	FENCE_STD("plug", .desc = "Node to fence, by its name or its number on the shared disks"),
	{ .name = "socket",
	  .type = FENCE_OPT_STRING,
	  .desc = "Socket of lockd; default $HOLDFAST_LOCKD_SOCKET, else "
		  "/run/holdfast/lockd.sock" },
	{ .name = "off_pill",
	  .type = FENCE_OPT_SELECT,
	  .choices = off_pills,
	  .def = "auto",
	  .desc = "What off sends: off, for nodes whose watchdogd switches the machine off; reset; "
		  "or "
		  "auto, which is off, and reset where the node declines that" },
	{ .name = "power_timeout",
	  .type = FENCE_OPT_SECONDS,
	  .def = power_timeout_text,
	  .max = 86400,
	  .desc = "Seconds until the proof must be there. The default is what the slowest node on "
		  "the "
		  "shared disks may need, as this node's lockd knows it, asked by "
		  "$HOLDFAST_LOCKD_SOCKET or the usual socket whatever socket= says; 60 where it "
		  "cannot be asked" },
	{ 0 },
};

/* What lockd knows of a node at this moment. */
struct node {
	uint16_t id;
	char name[NAME_BYTES];
	char machine[ID_BYTES], boot[ID_BYTES];
	int64_t incarnation;
	int is_alive, is_dead, is_left;
	int is_odd; /* undead, or written by two machines */
	int survives;
	int64_t gone_ms; /* 0: nothing resets it */
};

/* One fencing of this process; kept over close and open. */
struct fencing {
	struct fencing *next;
	char *plug;
	struct node victim; /* when the pill was posted */
	int64_t gone_ms;    /* the longest that was published since */
	struct pill_letter *letter;
	mono_t reason_at; /* from then on the reason is told, so that the last look has it */
	int is_told;	  /* that it resets only */
	int is_over;	  /* `on` has begun */
};

static struct fencing *fencings;

struct session {
	struct lockd_client *client;
	char own_name[NAME_BYTES];
	uint16_t own_id;
};

/* ---- lockd ---- */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static int64_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static int truth_of(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

static int ask(struct fence_ctx *ctx, const char *op, json_t **answer)
{
	struct session *session = fence_data(ctx);
	struct err err = { 0 };
	int rc = lockd_client_call(session->client, op, NULL,
				   mono_add_ms(clock_now(), fence_left_ms(ctx)), NULL, NULL, answer,
				   &err);

	return rc ? fence_fail(ctx, rc, err.next, "%s", err.text) : 0;
}

static void node_in(const json_t *peer, struct node *node)
{
	const char *state = text_of(peer, "state");

	*node = (struct node){ .id = (uint16_t)number_of(peer, "node"),
			       .incarnation = number_of(peer, "incarnation"),
			       .is_alive = strcmp(state, "alive") == 0,
			       .is_dead = strcmp(state, "dead by lease") == 0,
			       .is_left = strcmp(state, "left") == 0,
			       .is_odd = truth_of(peer, "undead") || truth_of(peer, "duplicate"),
			       .survives = truth_of(peer, "survives"),
			       .gone_ms = number_of(peer, "gone_ms") };
	snprintf(node->name, sizeof node->name, "%s", text_of(peer, "name"));
	snprintf(node->machine, sizeof node->machine, "%s", text_of(peer, "machine"));
	snprintf(node->boot, sizeof node->boot, "%s", text_of(peer, "boot"));
}

/* Is `plug` this node: its name, or else its number? */
static int is_named(const char *plug, const char *name, uint16_t id, int by_number)
{
	char number[8];

	snprintf(number, sizeof number, "%u", id);
	return strcmp(plug, by_number ? number : name) == 0;
}

static int node_find(struct fence_ctx *ctx, const char *plug, struct node *node)
{
	struct session *session = fence_data(ctx);
	json_t *answer = NULL, *peer;
	int found = 0, rc = ask(ctx, "peers", &answer);
	size_t i;

	for (int by_number = 0; rc == 0 && !found && by_number < 2; by_number++) {
		if (is_named(plug, session->own_name, session->own_id, by_number)) {
			rc = fence_fail(ctx, RC_CONFIG, "fence it from another node",
					"%s is this node itself", plug);
			break;
		}
		json_array_foreach (json_object_get(answer, "peers"), i, peer) {
			node_in(peer, node);
			found = is_named(plug, node->name, node->id, by_number) &&
				!truth_of(peer, "link_test");
			if (found)
				break;
		}
	}
	json_decref(answer);
	if (rc == 0 && !found)
		rc = fence_fail(ctx, RC_NO_SUCH_PLUG, "see \"holdfast disk show\", or -o list",
				"no node %s was ever on the shared disks", plug);
	return rc;
}

static int pill_open(struct fence_ctx *ctx)
{
	struct session *session = fence_alloc(ctx, sizeof *session);
	mono_t deadline = mono_add_ms(clock_now(), fence_left_ms(ctx));
	const char *socket = fence_opt(ctx, "socket");
	struct err err = { 0 };
	json_t *answer = NULL;
	int rc, is_good;

	fence_set_data(ctx, session);
	fence_object(ctx, "lockd");
	rc = lockd_client_open(&session->client, socket && *socket ? socket : NULL, deadline, &err);
	if (rc)
		return fence_fail(ctx, rc, err.next, "%s", err.text);
	rc = ask(ctx, "status", &answer);
	if (rc)
		return rc;
	snprintf(session->own_name, sizeof session->own_name, "%s", text_of(answer, "name"));
	session->own_id = (uint16_t)number_of(answer, "node");
	is_good = truth_of(json_object_get(answer, "lease"), "valid");
	if (!is_good)
		rc = fence_fail(ctx, RC_UNREACHABLE, "see \"holdfast lock status\"",
				"this node has no lease on the shared disks (%s), so it carries no "
				"pills",
				text_of(answer, "state"));
	json_decref(answer);
	return rc;
}

static void pill_close(struct fence_ctx *ctx)
{
	struct session *session = fence_data(ctx);

	fence_set_data(ctx, NULL);
	if (!session)
		return;
	if (session->client)
		lockd_client_close(session->client);
	free(session);
}

/* ---- what is known of a node ---- */

static enum power_state state_as_seen(const struct node *node)
{
	if (node->is_odd)
		return POWER_UNKNOWN;
	if (node->is_alive)
		return POWER_ON;
	/* Of a node that its lease does not reset, lockd never concludes more than that it holds nothing. */
	return node->is_dead && !node->survives && node->gone_ms > 0 ? POWER_OFF : POWER_UNKNOWN;
}

static struct fencing *fencing_find(const char *plug)
{
	struct fencing *fencing = fencings;

	while (fencing && strcmp(fencing->plug, plug) != 0)
		fencing = fencing->next;
	return fencing;
}

static int fencing_post(struct fence_ctx *ctx, struct fencing *fencing, const struct node *node)
{
	const char *off_pill = fence_opt(ctx, "off_pill"), *socket = fence_opt(ctx, "socket");
	const char *action = fence_opt(ctx, "action");
	int64_t power_ms = fence_opt_ms(ctx, "power_timeout");
	int wants_off = strcasecmp(action, "off") == 0 && strcmp(off_pill, "reset") != 0;
	mono_t deadline = mono_add_ms(clock_now(),
				      power_ms > 0 && power_ms < HOUR_MS ? power_ms : HOUR_MS);

	/* The same for a pill that is sent again. */
	if (mono_is_never(fencing->reason_at))
		fencing->reason_at = mono_add_ms(deadline, -REASON_MS);
	if (fencing->letter)
		pill_letter_free(fencing->letter);
	fencing->victim = *node;
	fencing->gone_ms = node->gone_ms;
	fencing->is_over = 0;
	fencing->letter = pill_letter_post(socket && *socket ? socket : NULL, node->id,
					   wants_off ? "off" : "reset",
					   strcmp(off_pill, "auto") == 0, deadline);
	if (!fencing->letter)
		return fence_fail(ctx, RC_INTERNAL, NULL, "no thread to follow the pill with");
	return 0;
}

/* Was the machine of the victim started anew? Another machine in its slot tells nothing of the one that was
 * there. */
static int is_rebooted(const struct fencing *fencing, const struct node *node)
{
	return node->incarnation > fencing->victim.incarnation && node->boot[0] &&
	       strcmp(node->machine, fencing->victim.machine) == 0 && fencing->victim.boot[0] &&
	       strcmp(node->boot, fencing->victim.boot) != 0;
}

/* And since it was asked to end? A boot that comes into view before the pill was delivered to the one before
 * it may be older than the request; then the pill is moot, and another one is posted. */
static int is_rebooted_since(const struct fencing *fencing, const struct pill_news *news,
			     const struct node *node)
{
	return is_rebooted(fencing, node) && !mono_is_never(news->delivered_at) &&
	       news->incarnation == fencing->victim.incarnation;
}

static int is_gone_since(const struct fencing *fencing, mono_t since)
{
	return fencing->gone_ms > 0 &&
	       mono_reached(clock_now(), mono_add_ms(since, fencing->gone_ms));
}

/* Time is up: what is known, and why it is not enough. */
static int time_is_up(struct fence_ctx *ctx, const struct fencing *fencing,
		      const struct pill_news *news)
{
	const struct node *victim = &fencing->victim;
	const char *why = ", and its deadline has not passed";

	if (news->stage == PILL_ACCEPTED)
		return fence_fail(ctx, RC_TIMEOUT, "raise power_timeout",
				  "%s has acknowledged the pill, but %s", victim->name,
				  fencing->gone_ms > 0 ? "its watchdog may need longer than this"
						       : "no watchdog stands behind that");
	if (mono_is_never(news->delivered_at))
		return fence_fail(ctx, RC_TIMEOUT, "see \"holdfast disk doctor\"",
				  "the pill was not delivered: no majority of the disks shows it");
	if (victim->survives)
		why = ", and the end of its lease does not reset it (lockd --expiry locks): "
		      "nothing is known of it";
	else if (victim->gone_ms == 0)
		why = ", and no watchdog stands behind it: nothing is known of it";
	return fence_fail(ctx, RC_TIMEOUT, "raise power_timeout, or fence it by other means",
			  "the pill was delivered, but %s has not acknowledged it%s", victim->name,
			  why);
}

/* lockd tells why. */
static int letter_failed(struct fence_ctx *ctx, const struct fencing *fencing,
			 const struct pill_news *news)
{
	if (news->err.rc == RC_TIMEOUT)
		return time_is_up(ctx, fencing, news);
	/* RC_STATE: one that did not pass in time. */
	return fence_fail(ctx, news->err.rc == RC_STATE ? RC_TIMEOUT : news->err.rc, news->err.next,
			  "%s", news->err.text);
}

static int fencing_look(struct fence_ctx *ctx, struct fencing *fencing, const struct node *node,
			enum power_state *state)
{
	struct pill_news news;

	pill_letter_news(fencing->letter, &news);
	if (fencing->gone_ms < node->gone_ms)
		fencing->gone_ms = node->gone_ms;
	if (news.resets_only && !fencing->is_told) {
		fence_warn(ctx,
			   "%s declines to switch itself off and is asked to reset itself; it "
			   "will start again",
			   fencing->victim.name);
		fencing->is_told = 1;
	}
	*state = POWER_PENDING;
	/* It had begun anew before the pill was posted, and that was not known then. */
	if (news.incarnation != fencing->victim.incarnation &&
	    news.incarnation == node->incarnation)
		fencing->victim = *node;
	if (is_rebooted_since(fencing, &news, node)) {
		*state = POWER_OFF;
		return 0;
	}
	switch (news.stage) {
	case PILL_POSTING:
	case PILL_POSTED:
	case PILL_DELIVERED:
		*state = state_as_seen(node);
		break;
	case PILL_ACCEPTED:
		if (is_gone_since(fencing, news.ended_at))
			*state = POWER_OFF;
		break;
	case PILL_EXPIRED:
		if (is_gone_since(fencing, news.delivered_at))
			*state = POWER_OFF;
		break;
	case PILL_GONE:
		if (!node->is_left)
			return fencing_post(ctx, fencing, node);
		return fence_fail(ctx, RC_UNSUPPORTED, "fence it by other means",
				  "%s has said goodbye and reads no pills: nothing is known of it",
				  node->name);
	case PILL_FAILED:
		return letter_failed(ctx, fencing, &news);
	}
	if (*state != POWER_OFF && mono_reached(clock_now(), fencing->reason_at))
		return time_is_up(ctx, fencing, &news);
	return 0;
}

/* ---- operations ---- */

static int pill_power_get(struct fence_ctx *ctx, const char *plug, enum power_state *state)
{
	struct fencing *fencing = fencing_find(plug);
	struct node node;
	int rc = node_find(ctx, plug, &node);

	if (rc)
		return rc;
	if (fencing && !fencing->is_over)
		return fencing_look(ctx, fencing, &node, state);
	*state = state_as_seen(&node);
	return 0;
}

/* Wait until lockd has it; what becomes of it is read later. */
static int posted_wait(struct fence_ctx *ctx, struct fencing *fencing)
{
	struct pill_news news;

	for (;;) {
		pill_letter_news(fencing->letter, &news);
		if (news.stage == PILL_FAILED)
			return letter_failed(ctx, fencing, &news);
		if (news.stage > PILL_POSTING)
			return 0;
		if (fence_left_ms(ctx) <= 0)
			return fence_fail(ctx, RC_TIMEOUT, NULL,
					  "lockd has not taken the pill in time");
		clock_sleep_until(mono_add_ms(clock_now(), POST_EVERY_MS));
	}
}

static int power_off(struct fence_ctx *ctx, const char *plug, const struct node *node)
{
	struct fencing *fencing = fencing_find(plug);
	struct pill_news news;
	int rc;

	if (state_as_seen(node) == POWER_OFF)
		return fence_fail(ctx, RC_STATE, NULL, "%s is dead by its lease", node->name);
	if (node->is_left)
		return fence_fail(ctx, RC_UNSUPPORTED, "fence it by other means",
				  "%s has said goodbye and reads no pills: nothing is known of it",
				  node->name);
	if (!fencing) {
		fencing = fence_alloc(ctx, sizeof *fencing);
		fencing->plug = strdup(plug);
		fencing->reason_at = MONO_NEVER;
		fencing->next = fencings;
		fencings = fencing;
	} else if (fencing->letter) {
		pill_letter_news(fencing->letter, &news);
		if (news.stage < PILL_GONE && !fencing->is_over)
			return posted_wait(ctx, fencing); /* it is on its way */
	}
	rc = fencing_post(ctx, fencing, node);
	return rc ? rc : posted_wait(ctx, fencing);
}

static int pill_power_set(struct fence_ctx *ctx, const char *plug, enum power_state state)
{
	struct fencing *fencing = fencing_find(plug);
	struct node node;
	int rc = node_find(ctx, plug, &node);

	if (rc)
		return rc;
	if (state == POWER_OFF)
		return power_off(ctx, plug, &node);
	if (fencing)
		fencing->is_over = 1;
	if (state_as_seen(&node) == POWER_ON && (!fencing || is_rebooted(fencing, &node)))
		return fence_fail(ctx, RC_STATE, NULL, "%s is alive", node.name);
	return fence_fail(ctx, RC_UNSUPPORTED, "it starts by itself after a reset, or by hand",
			  "a pill cannot switch %s on", node.name);
}

static int pill_list(struct fence_ctx *ctx, fence_list_cb cb, void *arg)
{
	json_t *answer = NULL, *peer;
	int rc = ask(ctx, "peers", &answer);
	size_t i;

	if (rc)
		return rc;
	json_array_foreach (json_object_get(answer, "peers"), i, peer) {
		struct node node;
		char number[8];

		node_in(peer, &node);
		snprintf(number, sizeof number, "%u", node.id);
		if (rc == 0 && !truth_of(peer, "link_test"))
			rc = cb(arg, node.name, number, state_as_seen(&node));
	}
	json_decref(answer);
	return rc;
}

/* ---- how long it may take ---- */

/* From the request until a node that does not obey is known to be reset: the pill is posted with the
 * next write, read back with the read behind it, and from then on its reader has gone_ms. One that
 * obeys acknowledges in as many rounds of its own, and has gone_ms from there. */
static int64_t longest_ms(const json_t *status)
{
	int64_t round_ms = number_of(status, "interval_ms") +
			   2 * number_of(status, "io_timeout_ms");
	int64_t gone_ms = number_of(status, "dead_ms");
	const json_t *peer;
	size_t i;

	json_array_foreach (json_object_get(status, "peers"), i, peer) {
		if (number_of(peer, "gone_ms") > gone_ms)
			gone_ms = number_of(peer, "gone_ms");
	}
	return gone_ms > 0 ? gone_ms + 4 * round_ms : 0;
}

static void timeouts_fill(void)
{
	mono_t deadline = mono_add_ms(clock_now(), ASK_MS);
	int64_t power_ms = 0;
	struct lockd_client *client;
	json_t *status = NULL;
	struct err err;

	if (lockd_client_open(&client, NULL, deadline, &err) == 0) {
		if (lockd_client_call(client, "status", NULL, deadline, NULL, NULL, &status,
				      &err) == 0)
			power_ms = longest_ms(status);
		json_decref(status);
		lockd_client_close(client);
	}
	if (power_ms <= 0 || power_ms > HOUR_MS)
		power_ms = POWER_TIMEOUT_MS;
	snprintf(power_timeout_text, sizeof power_timeout_text, "%" PRId64,
		 (power_ms + 999) / 1000);
}

static const struct fence_agent agent = {
	.abi = FENCE_AGENT_ABI,
	.name = "fence_pill",
	.device_class = FENCE_CLASS_PILL,
	.flags = FENCE_AGENT_PLUGS,
	.shortdesc = "Fence agent for poison pills on shared disks",
	.longdesc =
		"fence_pill asks a node to reset itself, through the mailbox on the shared disks "
		"of "
		"the cluster. lockd of this node posts the pill, lockd of the victim acts on it "
		"through its watchdogd. No fence device and no network is needed; what is needed "
		"is a watchdog on every node.\n\n"
		"reboot sends a pill to reset, off one to switch off (see off_pill). The action "
		"succeeds only when the victim is known to be gone. First, the pill must be "
		"read back from more than half of the disks; a write that failed is never a "
		"delivered "
		"pill. Then one of these must be seen: the victim has acknowledged, and the time "
		"has "
		"passed in which its watchdog fires at the latest, its last writes included; or it "
		"has "
		"not, but it lets itself be reset when it loses its lease (lockd --expiry node), "
		"and "
		"its own published deadline has passed; or its machine was started anew. Until "
		"then the "
		"state is pending or unknown, and when the time is up the action fails with the "
		"reason. "
		"The pill stays posted then, and may still be acted on.\n\n"
		"Of a victim that publishes no watchdog, or that the end of its lease does not "
		"reset it "
		"(lockd --expiry locks), silence proves nothing: it must acknowledge.\n\n"
		"status is on for a node that is alive on the disks, off for one that is dead by "
		"its "
		"lease where that means that it was reset, and unknown, exit status 1, for all "
		"others: "
		"one that has said goodbye may still run. A node that was reset starts by itself, "
		"so "
		"that it may be on again as soon as off was proven.\n\n"
		"on cannot be done by a pill: it succeeds for a node that is alive and fails for "
		"all "
		"others. A reboot whose off is proven succeeds without waiting for the node to "
		"come "
		"back. monitor checks that lockd answers and has its lease. list prints the other "
		"nodes "
		"of the disks, with their numbers.\n\n"
		"What calls the agent must give it the time of power_timeout, whose default is "
		"computed from what the nodes publish; in Pacemaker set pcmk_off_timeout and "
		"pcmk_reboot_timeout of the device above it.",
	.vendor_url = "",
	.options = options,
	.open = pill_open,
	.list = pill_list,
	.power_get = pill_power_get,
	.power_set = pill_power_set,
	.close = pill_close,
};

int main(int argc, char **argv)
{
	int status;

	timeouts_fill();
	status = fence_agent_main(&agent, argc, argv);
	while (fencings) {
		struct fencing *fencing = fencings;

		fencings = fencing->next;
		if (fencing->letter)
			pill_letter_free(fencing->letter);
		free(fencing->plug);
		free(fencing);
	}
	return status;
}
