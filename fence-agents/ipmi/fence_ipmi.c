/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_ipmi.c - fence agent for machines with an IPMI BMC: options and operations.
 *
 * Option names and defaults are those of the fence_ipmilan that clusters are configured for,
 * except that IPMI 2.0 is the default. The SDK decides, verifies and retries; ipmi_conn.c holds
 * the session.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "fence-agents/ipmi/ipmi_conn.h"
#include "fence-agents/sdk/agent.h"

enum {
	USERNAME_BYTES_MAX = 16,     /* section 22.28 */
	PASSWORD_BYTES_MAX = 20,     /* section 22.30, IPMI 2.0 */
	PASSWORD_BYTES_MAX_V15 = 16, /* and what IPMI 1.5 takes */
	PRIVILEGE_OPERATOR = 3,	     /* Chassis Control, table G-1 */
};

static const char *const auth_words[] = { "md5", "password", "none", NULL };
static const int auth_types[] = { 2, 4, 0 }; /* table 13-8 */
static const char *const privilege_words[] = { "callback", "user", "operator", "administrator",
					       NULL };
static const char *const cycle_words[] = { "cycle", "reset", NULL };

static const struct fence_option options[] = {
	FENCE_STD("ip", .flags = FENCE_OPT_REQUIRED,
		  .desc = "Address or name of the BMC; several, separated by commas, when one BMC "
			  "has several"),
	FENCE_STD("ipport", .def = "623", .desc = "UDP port of the BMC"),
	FENCE_STD("inet4_only"),
	FENCE_STD("inet6_only"),
	FENCE_STD("username"),
	FENCE_STD("password"),
	{
		.name = "lanplus",
		.type = FENCE_OPT_BOOL,
		.shortopt = 'P',
		.def = "1",
		.desc = "IPMI 2.0 (RMCP+); 0 for IPMI 1.5, which does not encrypt",
	},
	{
		.name = "cipher",
		.type = FENCE_OPT_INT,
		.shortopt = 'C',
		.def = "3",
		.max = 19,
		.desc = "IPMI 2.0 cipher suite: 0-3, 6-8, 11 or 12; 17 needs SHA-256, which the "
			"OpenIPMI library lacks",
	},
	{
		.name = "auth",
		.type = FENCE_OPT_SELECT,
		.shortopt = 'A',
		.def = "md5",
		.choices = auth_words,
		.desc = "IPMI 1.5 authentication, of no effect with lanplus",
	},
	{
		.name = "privlvl",
		.type = FENCE_OPT_SELECT,
		.shortopt = 'L',
		.def = "administrator",
		.choices = privilege_words,
		.desc = "Privilege level of the session; switching needs operator, status needs "
			"user",
	},
	{
		.name = "hexadecimal_kg",
		.type = FENCE_OPT_STRING,
		.flags = FENCE_OPT_SECRET,
		.desc = "K_G key of the BMC in hexadecimal digits, at most 20 bytes (IPMI 2.0)",
	},
	{
		.name = "cycle_command",
		.type = FENCE_OPT_SELECT,
		.def = "cycle",
		.choices = cycle_words,
		.desc = "What method=cycle sends: power cycle, or a hard reset, which never cuts "
			"the "
			"power",
	},
	{ .name = NULL },
};

/* The author's pointer of the SDK: one per process. */
struct ipmi_agent {
	struct ipmi_login login;
	struct ipmi_conn *conn;
};

static size_t choice_index(const char *const *choices, const char *word)
{
	size_t i = 0;

	while (choices[i + 1] && strcmp(choices[i], word) != 0)
		i++;
	return i;
}

static int check_key(struct fence_ctx *ctx)
{
	const char *text = fence_opt(ctx, "hexadecimal_kg");
	uint8_t key[IPMI_KEY_BYTES_MAX];
	int bytes;

	if (!text || !*text)
		return 0;
	bytes = ipmi_key_read(text, key);
	fence_wipe(key, sizeof key);
	if (bytes < 0)
		return fence_fail(ctx, RC_CONFIG,
				  "give pairs of hexadecimal digits, 40 digits at most",
				  "hexadecimal_kg= is not a key");
	return 0;
}

static int op_validate(struct fence_ctx *ctx)
{
	const char *username = fence_opt(ctx, "username");
	const char *password = fence_opt(ctx, "password");
	int lanplus = fence_opt_bool(ctx, "lanplus");
	size_t password_max = lanplus ? PASSWORD_BYTES_MAX : PASSWORD_BYTES_MAX_V15;

	if (fence_opt_bool(ctx, "inet4_only") && fence_opt_bool(ctx, "inet6_only"))
		return fence_fail(ctx, RC_CONFIG, "drop one of them",
				  "inet4_only and inet6_only exclude each other");
	if (username && strlen(username) > USERNAME_BYTES_MAX)
		return fence_fail(ctx, RC_CONFIG, "check username=",
				  "username= is longer than %d bytes, the limit of IPMI",
				  USERNAME_BYTES_MAX);
	if (password && strlen(password) > password_max)
		return fence_fail(ctx, RC_CONFIG, "check password=",
				  "the password is longer than %zu bytes, the limit of IPMI %s",
				  password_max, lanplus ? "2.0" : "1.5");
	if (lanplus) {
		int64_t id = fence_opt_int(ctx, "cipher");
		const struct ipmi_suite *suite = ipmi_suite_find(id);
		const char *objection = suite ? ipmi_suite_objection(suite) : "does not exist";

		if (objection)
			return fence_fail(ctx, RC_UNSUPPORTED,
					  "set cipher=3, or use an agent based on ipmitool",
					  "cipher suite %lld %s", (long long)id, objection);
	}
	return check_key(ctx);
}

static void login_fill(struct fence_ctx *ctx, struct ipmi_login *login)
{
	const char *username = fence_opt(ctx, "username");
	const char *password = fence_opt(ctx, "password");
	const char *key = fence_opt(ctx, "hexadecimal_kg");

	login->hosts = fence_opt(ctx, "ip");
	login->port = fence_opt(ctx, "ipport");
	login->family = fence_opt_bool(ctx, "inet4_only")   ? AF_INET
			: fence_opt_bool(ctx, "inet6_only") ? AF_INET6
							    : AF_UNSPEC;
	login->username = username ? username : "";
	login->password = password ? password : "";
	login->words.user = login->username;
	login->words.port = login->port;
	login->words.privlvl = fence_opt(ctx, "privlvl");
	login->words.auth = fence_opt(ctx, "auth");
	login->words.cipher = fence_opt_int(ctx, "cipher");
	login->privilege = 1 + (int)choice_index(privilege_words, login->words.privlvl);
	login->lanplus = fence_opt_bool(ctx, "lanplus");
	login->auth_type = auth_types[choice_index(auth_words, login->words.auth)];
	login->suite = ipmi_suite_find(login->words.cipher);
	login->key_bytes = key && *key ? ipmi_key_read(key, login->key) : 0;
}

static int op_open(struct fence_ctx *ctx)
{
	struct ipmi_agent *agent = fence_alloc(ctx, sizeof *agent);
	int rc;

	fence_set_data(ctx, agent);
	rc = op_validate(ctx);
	if (rc)
		return rc;
	login_fill(ctx, &agent->login);
	return ipmi_conn_open(ctx, &agent->login, &agent->conn);
}

static void op_close(struct fence_ctx *ctx)
{
	struct ipmi_agent *agent = fence_data(ctx);

	if (!agent)
		return;
	fence_set_data(ctx, NULL);
	ipmi_conn_close(agent->conn);
	fence_wipe(agent, sizeof *agent);
	free(agent);
}

static int op_power_get(struct fence_ctx *ctx, const char *plug, enum power_state *state)
{
	struct ipmi_agent *agent = fence_data(ctx);
	struct ipmi_chassis chassis;
	struct ipmi_reply reply;
	int rc;

	(void)plug;
	rc = ipmi_conn_command(agent->conn, IPMI_NETFN_CHASSIS, IPMI_CMD_CHASSIS_STATUS, NULL, 0, 0,
			       &reply);
	if (rc)
		return rc;
	if (reply.code)
		return ipmi_conn_refused(agent->conn, "power status", reply.code);
	if (ipmi_chassis_read(reply.data, reply.bytes, &chassis))
		return fence_fail(ctx, RC_PROTOCOL, "try again; when it persists, restart the BMC",
				  "the power status is %zu bytes long, too short", reply.bytes);
	if (chassis.power_fault || chassis.control_fault)
		fence_debug(ctx, "the BMC reports a power fault (main power %d, power control %d)",
			    chassis.power_fault, chassis.control_fault);
	*state = chassis.power;
	return 0;
}

static int chassis_control(struct fence_ctx *ctx, enum ipmi_chassis_control control,
			   const char *what, int once)
{
	struct ipmi_agent *agent = fence_data(ctx);
	uint8_t data = (uint8_t)control;
	struct ipmi_reply reply;
	int rc;

	rc = ipmi_conn_command(agent->conn, IPMI_NETFN_CHASSIS, IPMI_CMD_CHASSIS_CONTROL, &data, 1,
			       once, &reply);
	if (rc)
		return rc;
	return reply.code ? ipmi_conn_refused(agent->conn, what, reply.code) : 0;
}

static int op_power_set(struct fence_ctx *ctx, const char *plug, enum power_state state)
{
	(void)plug;
	if (state == POWER_ON)
		return chassis_control(ctx, IPMI_CHASSIS_UP, "power on", 0);
	return chassis_control(ctx, IPMI_CHASSIS_DOWN, "power off", 0);
}

static int op_cycle(struct fence_ctx *ctx, const char *plug)
{
	int reset = strcmp(fence_opt(ctx, "cycle_command"), "reset") == 0;
	enum power_state state = POWER_UNKNOWN;
	int rc;

	/* A BMC whose machine is off may refuse (D5h) or agree and do nothing (table 28-4). */
	rc = op_power_get(ctx, plug, &state);
	if (rc)
		return rc;
	if (state == POWER_OFF)
		return fence_fail(ctx, RC_STATE, NULL, "the machine is off");
	return chassis_control(ctx, reset ? IPMI_CHASSIS_RESET : IPMI_CHASSIS_CYCLE,
			       reset ? "reset" : "power cycle", 1);
}

static int op_diag(struct fence_ctx *ctx, const char *plug)
{
	(void)plug;
	return chassis_control(ctx, IPMI_CHASSIS_DIAG, "diagnostic interrupt", 1);
}

/* The login asked for the level of privlvl and the BMC granted it; what the session really has
 * is another question, and some answer it. */
static int op_privilege(struct fence_ctx *ctx, const char *plug)
{
	struct ipmi_agent *agent = fence_data(ctx);
	const uint8_t current = 0;
	struct ipmi_reply reply;
	int privilege = agent->login.privilege;
	int rc;

	(void)plug;
	if (privilege >= PRIVILEGE_OPERATOR) {
		rc = ipmi_conn_command(agent->conn, IPMI_NETFN_APP, IPMI_CMD_SESSION_INFO, &current,
				       1, 0, &reply);
		if (rc)
			return rc;
		if (reply.code == 0 && ipmi_session_privilege(reply.data, reply.bytes) >= 0)
			privilege = ipmi_session_privilege(reply.data, reply.bytes);
	}
	if (privilege >= PRIVILEGE_OPERATOR)
		return 0;
	return fence_fail(
		ctx, RC_PRIVILEGE,
		"set privlvl=operator or administrator, and the user's privilege at the BMC",
		"the login may read the power status, not switch");
}

static const struct fence_agent agent_ipmi = {
	.abi = FENCE_AGENT_ABI,
	.name = "fence_ipmi",
	.device_class = FENCE_CLASS_LIGHTS_OUT,
	.shortdesc = "Fence agent for IPMI",
	.longdesc =
		"fence_ipmi switches the power of a machine through its baseboard management "
		"controller (BMC), over IPMI 2.0 or 1.5 on the network. It logs in once, commands, "
		"and reads the power state back until it is the wanted one or time is up.\n"
		"\n"
		"The power is cut with the command power down. The soft shutdown of IPMI is never "
		"used: it asks the operating system of the machine that is to be fenced. "
		"method=cycle lets the BMC do both halves, and cycle_command=reset makes that a "
		"hard "
		"reset; neither proves that the power was off, so the default, method=onoff, is "
		"the "
		"one for fencing.\n"
		"\n"
		"Cipher suites 0 to 3, 6 to 8, 11 and 12 can be used. Suite 17, the only one that "
		"some BMCs are set to, needs SHA-256, which the OpenIPMI library lacks: allow "
		"suite 3 "
		"at the BMC, or use an agent based on ipmitool. Suite 0 checks no password.\n"
		"\n"
		"Several addresses in ip= lead to the same BMC: the first is tried first, each "
		"further one a quarter of a second later, and the first session counts.\n"
		"\n"
		"Create a user of its own at the BMC, with privilege level operator, and set "
		"privlvl=operator.",
	.vendor_url = "",
	.options = options,
	.validate = op_validate,
	.open = op_open,
	.power_get = op_power_get,
	.power_set = op_power_set,
	.cycle = op_cycle,
	.diag = op_diag,
	.privilege = op_privilege,
	.close = op_close,
};

int main(int argc, char **argv)
{
	return fence_agent_main(&agent_ipmi, argc, argv);
}
