/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_lun.c - fencing by SCSI-3 persistent reservations: an ejected node cannot write any more.
 *
 * A node that joins registers its key on every data LUN (`on`, unfencing); whoever has to fence it
 * ejects that key from all of them (`off`). Proof is what the LUNs say afterwards (S1): no key of the
 * node, and a reservation under which only registrants write. One LUN that cannot be asked makes the
 * whole unproven; it does not keep the others waiting, each has a thread.
 *
 * Who ejects must itself be registered, and an ejected node does not come back by itself (S10): see
 * lun_unit_io.h for how that holds, lun_state.h for what is remembered. With several LUNs the one
 * with the lowest identity is the first for every node: who loses it touches no other.
 */
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "fence-agents/lun/lun_node.h"
#include "fence-agents/lun/lun_session.h"
#include "fence-agents/sdk/agent.h"
#include "host/clock.h"
#include "host/machine.h"

static const struct fence_option options[] = {
	{ .name = "devices",
	  .type = FENCE_OPT_STRING,
	  .flags = FENCE_OPT_REQUIRED,
	  .desc = "Logical units with the data, separated by blanks or commas: /dev/sdX, "
		  "/dev/disk/by-id/"
		  "..., /dev/sgN, or iscsi://[user@]host[:port]/iqn/lun. Paths to the same unit "
		  "are joined "
		  "with |; name every path that the node uses, never a multipath device" },
	{ .name = "cluster",
	  .type = FENCE_OPT_STRING,
	  .flags = FENCE_OPT_REQUIRED,
	  .desc = "Number of the cluster, 1 to 8 hexadecimal digits, not 0; keys with another one "
		  "are "
		  "never touched" },
	{ .name = "nodes",
	  .type = FENCE_OPT_STRING,
	  .flags = FENCE_OPT_REQUIRED,
	  .desc = "Names and numbers of all nodes: alpha:1,beta:2; a plug is a name or a number of "
		  "this "
		  "list" },
	{ .name = "node",
	  .type = FENCE_OPT_STRING,
	  .desc = "Name or number of the node that this is; without it the name of the host, which "
		  "must be "
		  "in nodes=" },
	{ .name = "admit",
	  .type = FENCE_OPT_STRING,
	  .desc = "Let this node come back though it was ejected in this boot: the ejected key, as "
		  "the "
		  "refused on names it. Good for that key alone. Also where that key is "
		  "registered, "
		  "but no path of this node carries it any more" },
	{ .name = "aptpl",
	  .type = FENCE_OPT_BOOL,
	  .def = "1",
	  .desc = "Ask the target to keep registrations through a loss of its power, where it "
		  "can" },
	{ .name = "drain",
	  .type = FENCE_OPT_SECONDS,
	  .def = "10",
	  .max = 3600,
	  .desc = "Seconds that an ejected node's writes may still be on their way inside a target "
		  "whose "
		  "PREEMPT AND ABORT has not ended them; off waits for them. Less than "
		  "power_timeout" },
	{ .name = "trust_abort",
	  .type = FENCE_OPT_BOOL,
	  .def = "0",
	  .desc = "The target's PREEMPT AND ABORT ends the commands of every ejected node, as "
		  "SPC-4 wants it. "
		  "Without this off drains unless the node held the reservation, because LIO and "
		  "what is made of "
		  "it ends only the holder's" },
	{ .name = "io_timeout",
	  .type = FENCE_OPT_SECONDS,
	  .def = "3",
	  .min = 1,
	  .max = 60,
	  .desc = "Seconds for one command to a path" },
	{ .name = "initiator",
	  .type = FENCE_OPT_STRING,
	  .desc = "Initiator name (IQN) for iscsi:// paths; without it that of the host" },
	{ .name = "state_dir",
	  .type = FENCE_OPT_STRING,
	  .def = "/run/holdfast",
	  .desc = "Folder where this node remembers which keys it registered in this boot" },
	{ .name = "shell_timeout",
	  .type = FENCE_OPT_SECONDS,
	  .def = "6",
	  .max = 86400,
	  .desc = "Seconds for all units to carry out one step" },
	{ .name = "power_timeout",
	  .type = FENCE_OPT_SECONDS,
	  .def = "25",
	  .max = 86400,
	  .desc = "Seconds until every unit must show the wanted state, the drain included" },
	{ 0 },
};

static struct lun the_lun = { .state = { .lock_fd = -1 } };

static int lun_validate(struct fence_ctx *ctx)
{
	struct lun *lun = &the_lun;
	const char *name = fence_opt(ctx, "node"), *admit = fence_opt(ctx, "admit");
	char host[LUN_NODE_NAME_BYTES], short_name[LUN_NODE_NAME_BYTES];
	struct err err;
	uint64_t key;
	int rc;

	fence_set_data(ctx, lun);
	lun_conf_free(&lun->conf);
	rc = lun_conf_parse(&lun->conf, fence_opt(ctx, "cluster"), fence_opt(ctx, "nodes"),
			    fence_opt(ctx, "devices"), &err);
	if (rc == 0 && admit && pr_key_parse(admit, &key, &err) != 0)
		rc = err.rc;
	if (rc)
		return fence_fail(ctx, rc, err.next, "%s", err.text);
	if (fence_opt_ms(ctx, "drain") >= fence_opt_ms(ctx, "power_timeout"))
		return fence_fail(ctx, RC_CONFIG, "raise power_timeout",
				  "drain= is not less than power_timeout=, so off could never be "
				  "proven");
	if (fence_opt(ctx, "state_dir")[0] != '/')
		return fence_fail(ctx, RC_CONFIG, NULL, "state_dir= does not begin with /");
	if (name) {
		lun->self = lun_conf_node(&lun->conf, name);
		return lun->self ? 0
				 : fence_fail(ctx, RC_CONFIG, "check node= and nodes=",
					      "node=\"%s\" is not one of nodes=", name);
	}
	/* With and without its domain: either may stand in nodes=. */
	machine_name(short_name, sizeof short_name);
	if (gethostname(host, sizeof host) != 0 || !memchr(host, '\0', sizeof host))
		host[0] = '\0';
	lun->self = lun_conf_node(&lun->conf, host);
	if (!lun->self)
		lun->self = lun_conf_node(&lun->conf, short_name);
	return 0;
}

static const struct lun_node *plug_node(struct fence_ctx *ctx, const char *plug)
{
	struct lun *lun = fence_data(ctx);
	const struct lun_node *node = lun_conf_node(&lun->conf, plug);

	if (!node)
		fence_fail(ctx, RC_NO_SUCH_PLUG,
			   "check plug= and nodes=", "\"%s\" is not one of nodes=", plug);
	return node;
}

/* Words for an action that changes anything, as the SDK has them. */
static int action_changes(struct fence_ctx *ctx)
{
	static const char *const words[] = { "on", "off", "reboot", "enable", "disable" };

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (strcasecmp(fence_opt(ctx, "action"), words[i]) == 0)
			return 1;
	return 0;
}

static int lun_open(struct fence_ctx *ctx)
{
	struct lun *lun = fence_data(ctx);
	int rc = 0;

	lun->changes = action_changes(ctx);
	if (lun->changes)
		rc = lun_node_open(ctx);
	return rc ? rc : lun_session_open(ctx);
}

static void lun_close(struct fence_ctx *ctx)
{
	struct lun *lun = fence_data(ctx);

	lun_session_close(ctx);
	if (lun->has_state)
		lun_state_close(&lun->state);
	lun->has_state = 0;
}

static int lun_power_get(struct fence_ctx *ctx, const char *plug, enum power_state *state)
{
	struct lun *lun = fence_data(ctx);
	const struct lun_node *node = plug_node(ctx, plug);
	enum power_state states[LUN_PATHS_MAX];
	uint64_t unread;
	mono_t drained_at;

	if (!node)
		return RC_NO_SUCH_PLUG;
	unread = lun_units_read(ctx);
	drained_at = lun->drained_at[node - lun->conf.nodes];
	for (size_t i = 0; i < lun->units_count; i++) {
		states[i] = lun_unit_state(&lun->units[i], lun_node_key(lun, node));
		if (states[i] == POWER_OFF && !mono_reached(clock_now(), drained_at))
			states[i] = POWER_PENDING;
		lun_unit_show(ctx, &lun->units[i], node, states[i]);
	}
	*state = power_combine(states, lun->units_count);
	if (!unread)
		return 0;
	*state = POWER_UNKNOWN;
	/* What can be reached is cut off all the same; only then is it told what could not. */
	return lun->changes && !lun->was_set ? 0 : lun_unread_fail(ctx, unread);
}

static int lun_list(struct fence_ctx *ctx, fence_list_cb cb, void *arg)
{
	struct lun *lun = fence_data(ctx);
	char alias[16];
	int rc = 0;

	if (strcasecmp(fence_opt(ctx, "action"), "monitor") == 0) {
		uint64_t unread = lun_units_read(ctx);

		if (unread)
			return lun_unread_fail(ctx, unread);
	}
	for (size_t i = 0; rc == 0 && i < lun->conf.nodes_count; i++) {
		snprintf(alias, sizeof alias, "%u", lun->conf.nodes[i].id);
		rc = cb(arg, lun->conf.nodes[i].name, alias, POWER_UNKNOWN);
	}
	return rc;
}

static int lun_power_set(struct fence_ctx *ctx, const char *plug, enum power_state state)
{
	struct lun *lun = fence_data(ctx);
	const struct lun_node *node = plug_node(ctx, plug);
	int rc;

	if (!node)
		return RC_NO_SUCH_PLUG;
	if (state == POWER_ON && node != lun->self)
		return fence_fail(ctx, RC_UNSUPPORTED, "run it there",
				  "%s registers itself, nobody else can do it; this is %s",
				  node->name, lun->self->name);
	if (state == POWER_OFF && node == lun->self)
		return fence_fail(ctx, RC_UNSUPPORTED, "run it on another node",
				  "%s is this node: it does not eject itself", node->name);
	rc = state == POWER_ON ? lun_node_on(ctx) : lun_node_off(ctx, node);
	lun->was_set |= rc == 0;
	return rc;
}

/* Could this node eject another? */
static int lun_privilege(struct fence_ctx *ctx, const char *plug)
{
	struct lun *lun = fence_data(ctx);
	uint64_t unread;
	int rc = 0;

	(void)plug;
	if (!lun->has_state)
		rc = lun_node_open(ctx);
	if (rc)
		return rc;
	unread = lun_units_read(ctx);
	if (unread)
		return lun_unread_fail(ctx, unread);
	return lun_node_may_eject(ctx);
}

static const struct fence_agent agent = {
	.abi = FENCE_AGENT_ABI,
	.name = "fence_lun",
	.device_class = FENCE_CLASS_FABRIC,
	.flags = FENCE_AGENT_PLUGS | FENCE_AGENT_AUTO_ON | FENCE_AGENT_ON_TARGET,
	.shortdesc = "Fence agent for shared disks with SCSI-3 persistent reservations",
	.longdesc =
		"fence_lun cuts a node off from the shared disks by SCSI-3 persistent "
		"reservations. "
		"A node that joins registers its key on every disk (on, which the cluster runs by "
		"itself). off, run on another node, ejects every key of the node from every disk; "
		"from then on the disks refuse its writes. The node keeps running, and so does all "
		"else on it: restart it, or let a watchdog do so.\n\n"
		"A key is made of the number of the cluster, the number of the node and an "
		"incarnation that changes with each boot. All nodes are given the same options; "
		"which of them a host is comes from its name. In Pacemaker: provides=unfencing, "
		"and "
		"pcmk_host_map only where nodes are called otherwise than in nodes=.\n\n"
		"off succeeds when every disk says afterwards that the node is not registered and "
		"that only registered nodes may write. A disk that cannot be asked, or on which it "
		"failed, makes the off fail; the others are cut off all the same. Where the target "
		"has PREEMPT AND ABORT and it counts (trust_abort), the commands of the node that "
		"are on their way are aborted; else off waits for them (drain) and says so.\n\n"
		"A node that is itself not registered ejects nobody: it was ejected, and the other "
		"side has won. A node that was ejected does not come back in the same boot: on is "
		"refused, until the machine has been restarted or somebody gives the ejected key "
		"as "
		"admit. What was registered in this boot is remembered in state_dir, which must "
		"not "
		"be on a shared disk. A path that came later is registered by on, as long as "
		"another path "
		"shows that the node was not ejected. Where no path carries the key that is "
		"registered, "
		"because the target has forgotten the session, on asks for a restart or for admit, "
		"unless all paths are iscsi://.\n\n"
		"status tells on when the node may write to every disk, off when to none, and "
		"partial, exit status 1, when to some; json and verbose tell it for every disk and "
		"path. Of several disks the one with the lowest identity is the first for every "
		"node, and who loses one touches no other.\n\n"
		"Name the paths of the node's own disks, /dev/sdX or better /dev/disk/by-path/..., "
		"each path of a multipath device: a registration belongs to a path. A path given "
		"as "
		"iscsi:// is a session of the agent's own, through which no other program writes; "
		"by it a node can be ejected, but not registered for its own writes. Do not use "
		"disks here that hold the lock of the cluster or that fence_scsi fences.",
	.vendor_url = "",
	.options = options,
	.validate = lun_validate,
	.open = lun_open,
	.list = lun_list,
	.power_get = lun_power_get,
	.power_set = lun_power_set,
	.privilege = lun_privilege,
	.close = lun_close,
};

int main(int argc, char **argv)
{
	int status = fence_agent_main(&agent, argc, argv);

	/* URLs may hold passwords. */
	if (the_lun.conf.devices)
		fence_wipe(the_lun.conf.devices, the_lun.conf.devices_bytes);
	lun_conf_free(&the_lun.conf);
	return status;
}
