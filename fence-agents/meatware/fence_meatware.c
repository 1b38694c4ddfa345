/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_meatware.c - the last fence is a human: asks an operator to switch a machine, and waits.
 *
 * `off` and `on` write a request (requests/meat_store.h) and alert the operator; `holdfast fence ack`
 * answers it. The proof is the operator's recorded acknowledgement of exactly this request (S5).
 * Without one the state is unknown, never off (S1): before a request, while it waits, when it
 * expires, and in every other process.
 *
 * A request lives as long as this process waits for it. Killed, it leaves the file behind, which
 * nobody can answer then because its asker is gone; the next request sweeps it away.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "base/hostlist.h"
#include "base/text.h"
#include "fence-agents/meatware/requests/meat_store.h"
#include "fence-agents/sdk/agent.h"
#include "host/clock.h"

static const struct fence_option options[] = {
	{ .name = "dir",
	  .type = FENCE_OPT_STRING,
	  .def = MEAT_DIR_DEFAULT,
	  .desc = "Directory of the requests, closed to all but its owner; made when missing" },
	{ .name = "hosts",
	  .legacy = "hostlist",
	  .type = FENCE_OPT_STRING,
	  .desc = "Machines that may be asked for, as a host list (node[1-4],db7); any other "
		  "name is refused. Without it every name is taken" },
	{ .name = "reason", .type = FENCE_OPT_STRING, .desc = "Why, shown to the operator" },
	{ .name = "instructions",
	  .type = FENCE_OPT_STRING,
	  .desc = "What the operator has to do, shown in place of the general words" },
	{ .name = "power_timeout",
	  .type = FENCE_OPT_SECONDS,
	  .def = "600",
	  .max = 86400,
	  .desc = "Seconds for the operator to acknowledge; 0 waits forever" },
	{ 0 },
};

enum outcome {
	OUTCOME_WAITING,
	OUTCOME_DONE,
	OUTCOME_REFUSED,
	OUTCOME_EXPIRED,
	OUTCOME_LOST, /* the request's file was taken away */
};

/* One request of this process. */
struct ask {
	struct ask *next;
	enum outcome outcome;
	struct meat_request request;
	struct meat_answer answer;
};

/* Kept over close and open: what was acknowledged stays so while this action lasts. */
static struct {
	struct meat_store store;
	struct ask *asks; /* the newest first */
	struct hostlist hosts;
	void *hosts_memory; /* NULL: every name */
	mono_t started;
} meat = { .store = { .fd = -1 } };

static struct ask *ask_find(const char *plug)
{
	struct ask *ask = meat.asks;

	while (ask && strcmp(ask->request.target, plug) != 0)
		ask = ask->next;
	return ask;
}

/* ---- targets ---- */

static int hosts_load(struct fence_ctx *ctx)
{
	const char *text = fence_opt(ctx, "hosts");
	struct hostlist_size size = { 0 };
	struct hostlist_fault fault;

	if (!text || meat.hosts_memory)
		return 0;
	if (hostlist_measure(text, &size, &fault) != 0)
		return fence_fail(ctx, RC_CONFIG,
				  "check hosts=", "hosts= column %u: %s, expected %s", fault.column,
				  fault.problem, fault.expected);
	meat.hosts_memory = fence_alloc(ctx, hostlist_memory(&size));
	hostlist_init(&meat.hosts, meat.hosts_memory, &size);
	hostlist_add(&meat.hosts, text);
	return 0;
}

static int plug_check(struct fence_ctx *ctx, const char *plug)
{
	if (meat.hosts_memory && !hostlist_has(&meat.hosts, plug))
		return fence_fail(ctx, RC_NO_SUCH_PLUG,
				  "check plug= and hosts=", "\"%s\" is not one of hosts=", plug);
	if (!meat_target_ok(plug))
		return fence_fail(ctx, RC_NO_SUCH_PLUG,
				  "use letters, digits, dots, dashes and underscores",
				  "\"%s\" is not the name of a machine", plug);
	return 0;
}

/* ---- asking ---- */

/* Said in capitals, because "on" and "off" are easily misread by somebody in a hurry. */
static const char *want_word(enum power_state want)
{
	return want == POWER_OFF ? "OFF" : "ON";
}

static void task_word(struct fence_ctx *ctx, const char *plug, enum power_state want,
		      char out[MEAT_TEXT_MAX])
{
	const char *given = fence_opt(ctx, "instructions");
	char text[MEAT_TEXT_MAX];

	if (given && text_clean(out, MEAT_TEXT_MAX, given, strlen(given)) > 0)
		return;
	if (want == POWER_OFF)
		snprintf(text, sizeof text,
			 "cut the power of %s, see that it is off, and only then acknowledge",
			 plug);
	else
		snprintf(text, sizeof text, "switch %s on, see that it is on, then acknowledge",
			 plug);
	text_clean(out, MEAT_TEXT_MAX, text, strlen(text));
}

static mono_t request_expires(struct fence_ctx *ctx)
{
	int64_t power_ms = fence_opt_ms(ctx, "power_timeout");
	int64_t action_ms = fence_opt_ms(ctx, "action_timeout");
	mono_t expires = power_ms > 0 ? mono_add_ms(clock_now(), power_ms) : MONO_NEVER;

	return action_ms > 0 ? mono_min(expires, mono_add_ms(meat.started, action_ms)) : expires;
}

/* Where there is a journal it is also the receiver of syslog(3), so once is enough. */
static void alert(struct fence_ctx *ctx, const struct meat_request *request)
{
	const char *dir = fence_opt(ctx, "dir");
	int dir_is_default = strcmp(dir, MEAT_DIR_DEFAULT) == 0;
	int64_t left_ms = mono_left_ms(clock_now(), request->expires);
	char within[48] = "", how[4096 + MEAT_TARGET_MAX + MEAT_NAME_MAX];

	snprintf(how, sizeof how, "\"holdfast fence ack %s%s%s%s\" on %s",
		 dir_is_default ? "" : "--dir ", dir_is_default ? "" : dir,
		 dir_is_default ? "" : " ", request->target, request->host);
	if (left_ms != INT64_MAX)
		snprintf(within, sizeof within, " within %" PRId64 " s", left_ms / 1000);
	openlog(fence_name(ctx), LOG_PID | LOG_NDELAY, LOG_DAEMON);
	syslog(LOG_CRIT,
	       "OPERATOR NEEDED: %s must be switched %s by hand: %s (%s). Then run %s%s. Request "
	       "%s.",
	       request->target, want_word(request->want), request->task,
	       request->reason[0] ? request->reason : "no reason given", how, within, request->id);
	closelog();
	fence_warn(ctx, "an operator must switch %s %s by hand and then run %s%s", request->target,
		   want_word(request->want), how, within);
}

static void ask_withdraw(struct ask *ask, enum outcome outcome)
{
	meat_request_withdraw(&meat.store, &ask->request);
	ask->outcome = outcome;
}

/* ---- operations ---- */

static int meatware_validate(struct fence_ctx *ctx)
{
	const char *dir = fence_opt(ctx, "dir");

	if (dir[0] != '/')
		return fence_fail(ctx, RC_CONFIG, NULL, "dir=\"%s\" does not begin with /", dir);
	return hosts_load(ctx);
}

static int meatware_open(struct fence_ctx *ctx)
{
	struct err err;
	int rc = meat_store_open(&meat.store, fence_opt(ctx, "dir"), 1, &err);

	fence_object(ctx, "operator");
	return rc ? fence_fail(ctx, rc, err.next, "%s", err.text) : 0;
}

/* Nobody waits any more for what is not answered yet. */
static void meatware_close(struct fence_ctx *ctx)
{
	(void)ctx;
	if (meat.store.fd < 0)
		return;
	for (struct ask *ask = meat.asks; ask; ask = ask->next) {
		if (ask->outcome == OUTCOME_WAITING)
			ask_withdraw(ask, OUTCOME_EXPIRED);
		else
			meat_request_withdraw(&meat.store, &ask->request);
	}
	meat_store_close(&meat.store);
}

static int meatware_list(struct fence_ctx *ctx, fence_list_cb cb, void *arg)
{
	const char *name = meat.hosts_memory ? hostlist_first(&meat.hosts) : NULL;
	int rc = 0;

	(void)ctx;
	for (; rc == 0 && name; name = hostlist_next(&meat.hosts, name))
		rc = cb(arg, name, "", POWER_UNKNOWN);
	return rc;
}

/* Look whether the waiting request has been answered. */
static void ask_poll(struct ask *ask)
{
	/* Time first: an answer seen too late may be about a machine that runs again. */
	if (mono_reached(clock_now(), ask->request.expires)) {
		ask_withdraw(ask, OUTCOME_EXPIRED);
		return;
	}
	switch (meat_answer_take(&meat.store, &ask->request, &ask->answer)) {
	case MEAT_VERDICT_DONE:
		ask->outcome = OUTCOME_DONE;
		return;
	case MEAT_VERDICT_REFUSED:
		ask->outcome = OUTCOME_REFUSED;
		return;
	case MEAT_VERDICT_NONE:
		if (!meat_request_stands(&meat.store, &ask->request))
			ask_withdraw(ask, OUTCOME_LOST);
		return;
	}
}

static int meatware_power_get(struct fence_ctx *ctx, const char *plug, enum power_state *state)
{
	struct ask *ask = ask_find(plug);
	int rc = plug_check(ctx, plug);

	*state = POWER_UNKNOWN;
	if (rc || !ask)
		return rc;
	if (ask->outcome == OUTCOME_WAITING)
		ask_poll(ask);
	switch (ask->outcome) {
	case OUTCOME_WAITING:
		return 0;
	case OUTCOME_DONE:
		*state = ask->request.want;
		fence_debug(ctx, "acknowledged by %s (login %s) on %s", ask->answer.operator_name,
			    ask->answer.login, ask->answer.terminal);
		return 0;
	case OUTCOME_REFUSED:
		return fence_fail(ctx, RC_CANCELLED, "ask somebody who can reach the machine",
				  "%s (on %s) says that %s cannot be switched %s",
				  ask->answer.operator_name, ask->answer.terminal, plug,
				  want_word(ask->request.want));
	case OUTCOME_LOST:
		return fence_fail(ctx, RC_INTERNAL, "leave the files of dir= alone",
				  "the request %s for %s has been removed or damaged",
				  ask->request.id, plug);
	case OUTCOME_EXPIRED:
		break;
	}
	return fence_fail(ctx, RC_TIMEOUT, "look at the machine by hand, or raise power_timeout",
			  "nobody acknowledged in time that %s is %s; its state is unknown", plug,
			  want_word(ask->request.want));
}

static int meatware_power_set(struct fence_ctx *ctx, const char *plug, enum power_state state)
{
	const char *reason = fence_opt(ctx, "reason");
	struct ask *ask = ask_find(plug);
	struct err err;
	int rc = plug_check(ctx, plug);

	if (rc)
		return rc;
	/* A reboot: off is acknowledged, and a cluster that waits to recover must not wait for a
	 * repair that may take days. */
	if (state == POWER_ON && ask && ask->request.want == POWER_OFF)
		return fence_fail(ctx, RC_UNSUPPORTED, "use action=on to ask for it",
				  "switching %s on again is left to the operator", plug);
	if (ask)
		ask_withdraw(ask, OUTCOME_EXPIRED);
	meat_store_sweep(&meat.store);
	ask = fence_alloc(ctx, sizeof *ask);
	snprintf(ask->request.target, sizeof ask->request.target, "%s", plug);
	ask->request.want = state;
	task_word(ctx, plug, state, ask->request.task);
	text_clean(ask->request.reason, sizeof ask->request.reason, reason ? reason : "",
		   reason ? strlen(reason) : 0);
	ask->request.expires = request_expires(ctx);
	rc = meat_request_make(&meat.store, &ask->request, &err);
	if (rc) {
		free(ask);
		return fence_fail(ctx, rc, err.next, "%s", err.text);
	}
	ask->next = meat.asks;
	meat.asks = ask;
	alert(ctx, &ask->request);
	return 0;
}

static const struct fence_agent agent = {
	.abi = FENCE_AGENT_ABI,
	.name = "fence_meatware",
	.device_class = FENCE_CLASS_MANUAL,
	.flags = FENCE_AGENT_PLUGS,
	.shortdesc = "Fence agent for a human operator",
	.longdesc =
		"fence_meatware asks a human to switch a machine and waits for the answer. It is "
		"meant as the last level, behind devices that can do it by themselves.\n\n"
		"off, reboot and on write a request and send an alert to syslog with priority "
		"crit. The operator does what is asked and runs \"holdfast fence ack TARGET\" on "
		"the machine that asks. The command shows who asks for what, why and since when, "
		"and takes the acknowledgement on a terminal only: the state of the power, and the "
		"exact name of the machine. It records who acknowledged, when, and on which "
		"terminal. \"holdfast fence ack --cancel TARGET\" says that it cannot be done; the "
		"agent then fails at once with the cause cancelled.\n\n"
		"An acknowledgement answers exactly one request. A request ends with the process "
		"that wrote it, with a restart of the machine, and after power_timeout; what was "
		"not acknowledged by then is unknown, never off, and the action fails with the "
		"cause timeout. An answer that comes later is refused, and the operator is "
		"told.\n\n"
		"reboot asks for off alone: it succeeds as soon as that is acknowledged, and "
		"leaves "
		"it to the operator to switch the machine on again. status is unknown, exit status "
		"1, because there is nobody to read it from. For the same reason the device should "
		"be alone in its level. monitor checks that the directory can be used. list "
		"prints the names of hosts.\n\n"
		"What calls the agent must give it the time: in Pacemaker set "
		"pcmk_off_timeout and pcmk_reboot_timeout of the device above power_timeout.",
	.vendor_url = "",
	.options = options,
	.validate = meatware_validate,
	.open = meatware_open,
	.list = meatware_list,
	.power_get = meatware_power_get,
	.power_set = meatware_power_set,
	.close = meatware_close,
};

int main(int argc, char **argv)
{
	meat.started = clock_now();
	return fence_agent_main(&agent, argc, argv);
}
