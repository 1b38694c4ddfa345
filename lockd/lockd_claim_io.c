/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd_claim_io.c - the part of lockd that claims the cluster lock: ops `claim`, `record`, `prepare`.
 *
 * Callers: the list of parts. The arbiter is the one that the superblock names. It lives as long as an
 * incarnation of this node: with a new one, another begins, because its records carry the
 * incarnation. It does one operation at a time; those of other clients wait in line.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "host/clock.h"
#include "host/machine.h"
#include "lockd/arbiter.h"
#include "lockd/lockd.h"
#include "lockd/lockd_parts.h"
#include "lockd/lockd_pr_io.h"

/* NOLINTNEXTLINE(misc-redundant-expression): two names of one bit */
_Static_assert(ARBITER_TOKEN_BIT == LOCKD_TOKEN_ARBITER, "one bit");

enum {
	TIMEOUT_MS = 10000,
	TIMEOUT_MOST_MS = 3600000,
	WAITING_MAX = 32,
};

struct wait {
	struct wait *next;
	struct lockd_call *call; /* NULL: our own first look, or the client is gone */
	int is_claim;
	uint64_t epoch;
	struct arbiter_value value;
	mono_t deadline;
};

struct claims {
	struct lockd *lockd;
	const struct arbiter_ops *ops;
	struct arbiter *arbiter; /* NULL: not active */
	struct wait *line;	 /* the first is under way when is_busy */
	int is_busy;
	/* What was decided last, as far as it was told. */
	uint64_t epoch, members;
	uint16_t winner;
};

static void go_on(struct claims *claims);

static struct claims *claims_of(struct lockd *lockd)
{
	return *lockd_data(lockd, &lockd_claim_part);
}

/* ---- answers ---- */

static void put_members(json_t *object, uint64_t members)
{
	json_t *array = json_array();

	for (int n = 1; n <= NODES_MAX; n++)
		if (members >> (n - 1) & 1)
			json_array_append_new(array, json_integer(n));
	json_object_set_new(object, "members", array);
}

/* Text where it is text; always as hexadecimal digits too. */
static void put_value(json_t *object, const struct arbiter_value *value)
{
	char hex[2 * ARBITER_BYTES_MAX + 1] = "";
	json_t *text = json_stringn((const char *)value->data, value->bytes);

	for (size_t i = 0; i < value->bytes; i++)
		snprintf(hex + 2 * i, 3, "%02x", value->data[i]);
	if (text)
		json_object_set_new(object, "value", text);
	json_object_set_new(object, "value_hex", json_string(hex));
}

static json_t *answer_json(const struct claims *claims, int is_claim,
			   const struct arbiter_answer *answer)
{
	int is_known = answer->winner != 0;
	const char *outcome = is_claim || answer->outcome == ARBITER_UNKNOWN
				      ? arbiter_outcome_word(answer->outcome)
			      : is_known ? "decided"
					 : "nothing";
	json_t *object = json_pack("{s:s, s:s, s:I}", "outcome", outcome, "arbiter",
				   claims->ops->name, "epoch", (json_int_t)answer->epoch);
	json_t *cost = json_pack("{s:i, s:i, s:i, s:I}", "reads", (int)answer->cost.reads, "writes",
				 (int)answer->cost.writes, "commands", (int)answer->cost.commands,
				 "took_us", (json_int_t)(answer->cost.took_ns / 1000));

	json_object_set_new(object, "cost", cost);
	if (is_known) {
		json_object_set_new(object, "winner", json_integer(answer->winner));
		json_object_set_new(object, "winner_name",
				    json_string(lockd_node_name(claims->lockd, answer->winner)));
		put_members(object, answer->value.members);
		put_value(object, &answer->value);
	}
	if (answer->outcome == ARBITER_UNKNOWN) {
		const struct err *err = &answer->err;
		char text[sizeof err->text + sizeof err->next + 2];

		snprintf(text, sizeof text, "%s%s%s", err->text, err->next[0] ? "; " : "",
			 err->next);
		json_object_set_new(object, "cause", json_string(rc_word(err->rc)));
		json_object_set_new(object, "why", json_string(text));
		if (answer->claimant)
			json_object_set_new(object, "claimant", json_integer(answer->claimant));
	}
	return object;
}

/* What everybody should hear of: a decision that is newer than the last one told. */
static void decision_tell(struct claims *claims, const struct arbiter_answer *answer)
{
	json_t *event;

	if (answer->winner == 0 || answer->epoch <= claims->epoch)
		return;
	claims->epoch = answer->epoch;
	claims->winner = answer->winner;
	claims->members = answer->value.members;
	lockd_say(claims->lockd, LOCKD_INFO, "cluster lock: epoch %" PRIu64 " is node %u's",
		  answer->epoch, answer->winner);
	event = json_pack("{s:I, s:i}", "epoch", (json_int_t)answer->epoch, "winner",
			  (int)answer->winner);
	put_members(event, answer->value.members);
	lockd_event(claims->lockd, LOCKD_TOPIC_ARBITER, event);
}

static struct wait *wait_pop(struct claims *claims)
{
	struct wait *wait = claims->line;

	claims->line = wait->next;
	claims->is_busy = 0;
	return wait;
}

static void answered(const struct arbiter_answer *answer, void *context)
{
	struct claims *claims = context;
	struct wait *wait = wait_pop(claims);

	decision_tell(claims, answer);
	if (wait->call)
		lockd_call_ok(wait->call, answer_json(claims, wait->is_claim, answer));
	free(wait);
	go_on(claims);
}

static void wait_fail(struct wait *wait, const struct err *err)
{
	if (wait->call)
		lockd_call_fail(wait->call, err);
	free(wait);
}

/* The first in line, when nothing is under way. A claim whose client has gone is not begun. */
static void go_on(struct claims *claims)
{
	while (!claims->is_busy && claims->line && claims->arbiter) {
		struct wait *wait = claims->line;
		struct err err = { 0 };
		int rc;

		claims->is_busy = 1;
		if (wait->is_claim)
			rc = claims->ops->claim(claims->arbiter, wait->epoch, &wait->value,
						wait->deadline, answered, claims, &err);
		else
			rc = claims->ops->record(claims->arbiter, wait->deadline, answered, claims,
						 &err);
		if (rc)
			wait_fail(wait_pop(claims), &err);
	}
}

/* ---- ops ---- */

/* The client has gone. What is under way goes on: the arbiter is at it, and its outcome is worth
 * knowing; what waits is not begun any more. */
static void call_gone(struct lockd_call *call)
{
	struct claims *claims = claims_of(call->lockd);
	struct wait *wait = call->data;
	struct wait **link = &claims->line;

	wait->call = NULL;
	if (wait == claims->line && claims->is_busy)
		return;
	while (*link != wait)
		link = &(*link)->next;
	*link = wait->next;
	free(wait);
}

static struct wait *wait_add(struct claims *claims, struct lockd_call *call, int64_t timeout_ms,
			     struct err *err)
{
	struct wait **link = &claims->line;
	struct wait *wait;
	unsigned count = 0;

	for (; *link; link = &(*link)->next)
		count++;
	if (count >= WAITING_MAX) {
		err_set(err, RC_BUSY, "try again", "too many claims are waiting");
		return NULL;
	}
	wait = calloc(1, sizeof *wait);
	if (!wait)
		abort();
	wait->call = call;
	wait->deadline = mono_add_ms(clock_now(), timeout_ms);
	if (call) {
		call->data = wait;
		call->gone = call_gone;
	}
	*link = wait;
	return wait;
}

static int members_read(const struct lockd_call *call, uint64_t *members, struct err *err)
{
	const json_t *array = json_object_get(call->request, "members");
	int most = call->lockd->super.nodes_max;
	const json_t *item;
	size_t i;

	*members = UINT64_C(1) << (call->lockd->config.node - 1);
	if (!array)
		return 0;
	*members = 0;
	json_array_foreach (array, i, item) {
		json_int_t n = json_integer_value(item); /* 0 for what is none */

		if (n < 1 || n > most)
			return err_set(err, RC_CONFIG, NULL,
				       "members: expected numbers of nodes, 1 to %d", most);
		*members |= UINT64_C(1) << (n - 1);
	}
	if (!json_is_array(array) || *members == 0)
		return err_set(err, RC_CONFIG, NULL, "members: expected an array of node numbers");
	return 0;
}

static int claim_read(const struct lockd_call *call, int64_t *epoch, struct arbiter_value *value,
		      int64_t *timeout_ms, struct err *err)
{
	const char *text = "";
	size_t length;
	int rc = lockd_call_number(call, "epoch", 1, 1, INT64_MAX, epoch, err);

	if (rc == 0)
		rc = lockd_call_number(call, "timeout_ms", 0, 1, TIMEOUT_MOST_MS, timeout_ms, err);
	if (rc == 0)
		rc = lockd_call_text(call, "value", 0, &text, err);
	if (rc == 0)
		rc = members_read(call, &value->members, err);
	if (rc)
		return rc;
	length = strlen(text);
	if (length > ARBITER_BYTES_MAX)
		return err_set(err, RC_CONFIG, "store its digest",
			       "value: %zu bytes are too long, %d can be stored", length,
			       ARBITER_BYTES_MAX);
	value->bytes = (uint16_t)length;
	memcpy(value->data, text, length);
	return arbiter_claim_check((uint64_t)*epoch, value, call->lockd->config.node, err);
}

static int arbiter_there(const struct claims *claims, struct err *err)
{
	if (claims->arbiter)
		return 0;
	return err_set(err, RC_STATE, "see its log", "cluster lock: this lockd has no arbiter");
}

static void claim_run(struct lockd_call *call)
{
	struct claims *claims = claims_of(call->lockd);
	int64_t timeout_ms = TIMEOUT_MS, epoch = 0;
	struct arbiter_value value = { 0 };
	struct wait *wait = NULL;
	struct err err = { 0 };

	if (claim_read(call, &epoch, &value, &timeout_ms, &err) == 0 &&
	    arbiter_there(claims, &err) == 0)
		wait = wait_add(claims, call, timeout_ms, &err);
	if (!wait) {
		lockd_call_fail(call, &err);
		return;
	}
	wait->is_claim = 1;
	wait->epoch = (uint64_t)epoch;
	wait->value = value;
	go_on(claims);
}

static void record_run(struct lockd_call *call)
{
	struct claims *claims = claims_of(call->lockd);
	int64_t timeout_ms = TIMEOUT_MS;
	struct wait *wait = NULL;
	struct err err = { 0 };

	if (lockd_call_number(call, "timeout_ms", 0, 1, TIMEOUT_MOST_MS, &timeout_ms, &err) == 0 &&
	    arbiter_there(claims, &err) == 0)
		wait = wait_add(claims, call, timeout_ms, &err);
	if (wait)
		go_on(claims);
	else
		lockd_call_fail(call, &err);
}

static void prepare_run(struct lockd_call *call)
{
	struct claims *claims = claims_of(call->lockd);
	int64_t epoch = 0;
	struct err err = { 0 };

	if (lockd_call_number(call, "epoch", 1, 1, INT64_MAX - 1, &epoch, &err) ||
	    arbiter_there(claims, &err)) {
		lockd_call_fail(call, &err);
		return;
	}
	if (claims->ops->prepare && !claims->is_busy)
		claims->ops->prepare(claims->arbiter, (uint64_t)epoch);
	lockd_call_ok(call, NULL);
}

static const struct lockd_op ops[] = {
	{ .name = "claim", .run = claim_run, .needs_active = 1 },
	{ .name = "record", .run = record_run, .needs_active = 1 },
	{ .name = "prepare", .run = prepare_run, .needs_active = 1 },
	{ .name = NULL },
};

/* ---- the arbiter's life ---- */

static int submit(unsigned disk, const struct disk_request *request, void *context, struct err *err)
{
	const struct claims *claims = context;

	return lockd_submit(claims->lockd, disk, request, err);
}

static void arbiter_end(struct claims *claims, const char *why)
{
	struct err err;

	if (claims->arbiter)
		claims->ops->free(claims->arbiter);
	claims->arbiter = NULL;
	claims->is_busy = 0;
	err_set(&err, RC_STATE, "claim again when it is active",
		"cluster lock: %s, the outcome is not known", why);
	while (claims->line) {
		struct wait *wait = claims->line;

		claims->line = wait->next;
		wait_fail(wait, &err);
	}
}

static void arbiter_begin(struct claims *claims, uint32_t incarnation)
{
	struct lockd *lockd = claims->lockd;
	struct arbiter_setup setup = {
		.loop = &lockd->loop,
		.node = lockd->config.node,
		.incarnation = incarnation,
		.nonce = lockd->config.nonce,
		.disks = lockd->disks_count,
		.io_timeout_ms = lockd->config.io_timeout_ms,
		.seats = lockd_pr_seats(lockd),
		.submit = submit,
		.submit_context = claims,
	};
	struct err err = { 0 };

	machine_random(&setup.seed, sizeof setup.seed);
	for (unsigned d = 0; d < lockd->disks_count; d++)
		if (lockd->disks[d].is_known)
			setup.areas[d] = &lockd->disks[d].area;
	if (claims->ops->create(&setup, &claims->arbiter, &err)) {
		claims->arbiter = NULL;
		lockd_say(lockd, LOCKD_FAULT, "%s; %s", err.text, err.next);
		return;
	}
	/* The first look is ours: it makes the first claim cheaper, and tells who won last. */
	if (wait_add(claims, NULL, TIMEOUT_MS, &err))
		go_on(claims);
}

static int claim_begin(struct lockd *lockd, struct err *err)
{
	struct claims *claims = calloc(1, sizeof *claims);

	if (!claims)
		abort();
	claims->lockd = lockd;
	claims->ops = arbiter_ops_of(lockd->super.arbiter);
	*lockd_data(lockd, &lockd_claim_part) = claims;
	if (!claims->ops)
		return err_set(err, RC_UNSUPPORTED, "use the version that prepared the disks",
			       "the disks name an arbiter that this lockd does not know (%u)",
			       lockd->super.arbiter);
	return 0;
}

static void claim_noted(struct lockd *lockd, const struct hb_note *note)
{
	struct claims *claims = claims_of(lockd);

	if (note->kind == HB_NOTE_ACTIVE) {
		arbiter_end(claims, "this node has begun anew");
		arbiter_begin(claims, (uint32_t)note->value);
	} else if (!lockd->heart && claims->arbiter) {
		arbiter_end(claims, "this node's lease has ended");
	}
}

static void claim_dying(struct lockd *lockd)
{
	arbiter_end(claims_of(lockd), "a pill is ending this node");
}

static void claim_answered(struct lockd *lockd, unsigned d, const struct disk_answer *answer)
{
	struct claims *claims = claims_of(lockd);

	if (claims->arbiter)
		claims->ops->answered(claims->arbiter, d, answer);
}

static void claim_path(struct lockd *lockd, unsigned d, enum lockd_path what)
{
	struct claims *claims = claims_of(lockd);

	if (claims && claims->arbiter && claims->ops->path)
		claims->ops->path(claims->arbiter, d, (int)what, &lockd->disks[d].area);
}

static void claim_status(struct lockd *lockd, json_t *status)
{
	const struct claims *claims = claims_of(lockd);
	json_t *object = json_pack("{s:s, s:b}", "kind", claims->ops->name, "ready",
				   claims->arbiter != NULL);

	if (claims->winner) {
		json_object_set_new(object, "epoch", json_integer((json_int_t)claims->epoch));
		json_object_set_new(object, "winner", json_integer(claims->winner));
		put_members(object, claims->members);
	}
	json_object_set_new(status, "arbiter", object);
}

static void claim_end(struct lockd *lockd)
{
	struct claims *claims = claims_of(lockd);

	if (!claims)
		return;
	if (claims->arbiter)
		claims->ops->free(claims->arbiter);
	while (claims->line) {
		struct wait *wait = claims->line;

		claims->line = wait->next;
		free(wait);
	}
	free(claims);
	*lockd_data(lockd, &lockd_claim_part) = NULL;
}

const struct lockd_part lockd_claim_part = {
	.name = "claim",
	.token_bit = LOCKD_TOKEN_ARBITER,
	.ops = ops,
	.begin = claim_begin,
	.answered = claim_answered,
	.path = claim_path,
	.noted = claim_noted,
	.dying = claim_dying,
	.status = claim_status,
	.end = claim_end,
};
