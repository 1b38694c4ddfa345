/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_pdu.c - fence agent for everything that switches by SNMP: options and operations.
 *
 * One program under four names, which differ in the class of devices they choose from: fence_pdu,
 * fence_ups, fence_blade, fence_ifmib. What a make of device needs is in its profile
 * (fence-agents/devices, holdfast-device(5)); device.c of the snmp library works by it,
 * session_io.c holds the session. The SDK decides, verifies and retries.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "fence-agents/pdu/list_lock.h"
#include "fence-agents/pdu/session_io.h"
#include "fence-agents/sdk/agent.h"
#include "fence-agents/snmp/device.h"
#include "fence-agents/snmp/profile_io.h"
#include "host/clock.h"

enum {
	PASSPHRASE_BYTES_MIN = 8, /* RFC 3414 section 11.2 */
	FOLDER_BYTES = 4096,
	FOUND_MAX = 16, /* plugs whose number is kept */
};

static const char *const version_words[] = { "1", "2c", "3", NULL };
static const char *const level_words[] = { "noAuthNoPriv", "authNoPriv", "authPriv", NULL };
static const char *const auth_words[] = {
	"MD5", "SHA", "SHA224", "SHA256", "SHA384", "SHA512", NULL
};
static const char *const priv_words[] = { "DES", "AES", "AES128", "AES192", "AES256", NULL };

static const struct fence_option options[] = {
	FENCE_STD("ip", .flags = FENCE_OPT_REQUIRED),
	FENCE_STD("ipport", .def = "161", .desc = "UDP port of the device"),
	FENCE_STD("inet4_only"),
	FENCE_STD("inet6_only"),
	{
		.name = "device",
		.type = FENCE_OPT_STRING,
		.def = "auto",
		.desc = "Device profile: a name, the path of a file, or auto, which asks the "
			"device "
			"for its sysObjectID",
	},
	{
		.name = "switch",
		.type = FENCE_OPT_INT,
		.shortopt = 's',
		.desc = "Unit of a chain that a plug number without unit belongs to; the default "
			"is "
			"the profile's",
	},
	{
		.name = "snmp_version",
		.type = FENCE_OPT_SELECT,
		.shortopt = 'd',
		.choices = version_words,
		.desc = "SNMP version; without it 3 when username is given, else that of the "
			"profile "
			"named by device, else 1 and then 2c until the device answers",
	},
	{
		.name = "community",
		.type = FENCE_OPT_STRING,
		.flags = FENCE_OPT_SECRET,
		.shortopt = 'c',
		.desc = "Community of SNMP versions 1 and 2c, one that may write; the default is "
			"that "
			"of the profile, mostly \"private\"",
	},
	FENCE_STD("username", .desc = "User of SNMP version 3"),
	FENCE_STD("password", .desc = "Authentication passphrase of SNMP version 3"),
	{
		.name = "snmp_sec_level",
		.type = FENCE_OPT_SELECT,
		.shortopt = 'E',
		.choices = level_words,
		.desc = "Security level of SNMP version 3; without it what the passphrases given "
			"are "
			"enough for",
	},
	{
		.name = "snmp_auth_prot",
		.type = FENCE_OPT_SELECT,
		.shortopt = 'b',
		.def = "SHA",
		.choices = auth_words,
		.desc = "Authentication protocol of SNMP version 3",
	},
	{
		.name = "snmp_priv_prot",
		.type = FENCE_OPT_SELECT,
		.shortopt = 'B',
		.def = "AES",
		.choices = priv_words,
		.desc = "Encryption protocol of SNMP version 3",
	},
	{
		.name = "snmp_priv_passwd",
		.type = FENCE_OPT_STRING,
		.flags = FENCE_OPT_SECRET,
		.shortopt = 'P',
		.desc = "Encryption passphrase of SNMP version 3",
	},
	{
		.name = "snmp_priv_passwd_file",
		.type = FENCE_OPT_STRING,
		.desc = "File whose first line is the encryption passphrase; must belong to root "
			"or "
			"the caller and be closed to all others",
	},
	{
		.name = "snmp_priv_passwd_script",
		.type = FENCE_OPT_STRING,
		.shortopt = 'R',
		.desc = "Program that prints the encryption passphrase",
	},
	{
		.name = "community_file",
		.type = FENCE_OPT_STRING,
		.desc = "File whose first line is the community; must belong to root or the caller "
			"and be closed to all others",
	},
	{ .name = NULL },
};

/* Names of this program. */
static const struct {
	const char *name;
	enum profile_class device_class;
} classes[] = {
	{ "fence_pdu", PROFILE_PDU },
	{ "fence_ups", PROFILE_UPS },
	{ "fence_blade", PROFILE_BLADE },
	{ "fence_ifmib", PROFILE_FABRIC },
};

enum { CLASSES = sizeof classes / sizeof classes[0] };

/* The author's pointer of the SDK: one a session. */
struct pdu_agent {
	struct session_login login;
	struct transport *transport;
	struct profile profile;
	struct device device;
	/* Numbers of plugs that were given by name. */
	struct {
		char *text;
		struct oid_index index;
	} found[FOUND_MAX];
	size_t found_count;
	mono_t commanded; /* when the last command was accepted */
};

static int fail(struct fence_ctx *ctx, const struct err *err)
{
	return fence_fail(ctx, err->rc, *err->next ? err->next : NULL, "%s", err->text);
}

static size_t class_index(const struct fence_ctx *ctx)
{
	for (size_t i = 0; i < CLASSES; i++)
		if (strcmp(classes[i].name, fence_name(ctx)) == 0)
			return i;
	return 0;
}

static const char *opt_text(const struct fence_ctx *ctx, const char *name)
{
	const char *text = fence_opt(ctx, name);

	return text ? text : "";
}

/* ---- options ---- */

static const char *level_choose(const struct fence_ctx *ctx)
{
	if (fence_opt_given(ctx, "snmp_sec_level"))
		return fence_opt(ctx, "snmp_sec_level");
	if (*opt_text(ctx, "password") && *opt_text(ctx, "snmp_priv_passwd"))
		return "authPriv";
	return *opt_text(ctx, "password") ? "authNoPriv" : "noAuthNoPriv";
}

static int check_passphrase(struct fence_ctx *ctx, const char *option)
{
	if (strlen(opt_text(ctx, option)) >= PASSPHRASE_BYTES_MIN)
		return 0;
	return fence_fail(ctx, RC_CONFIG, NULL, "%s= has less than %d bytes, which SNMP 3 refuses",
			  option, PASSPHRASE_BYTES_MIN);
}

/* Secrets are not loaded yet when only the words are checked; what is there must fit. */
static int check_v3(struct fence_ctx *ctx)
{
	const char *level = level_choose(ctx);
	int rc = 0;

	if (!*opt_text(ctx, "username"))
		return fence_fail(ctx, RC_CONFIG, "give username=", "SNMP version 3 needs a user");
	if (*opt_text(ctx, "password"))
		rc = check_passphrase(ctx, "password");
	if (rc == 0 && *opt_text(ctx, "snmp_priv_passwd"))
		rc = check_passphrase(ctx, "snmp_priv_passwd");
	if (rc)
		return rc;
	if (*opt_text(ctx, "snmp_priv_passwd") && strcasecmp(level, "authPriv") != 0)
		return fence_fail(ctx, RC_CONFIG, "give password= too, or drop snmp_priv_passwd=",
				  "an encryption passphrase is of no use with %s", level);
	return 0;
}

static int is_v3(const struct fence_ctx *ctx)
{
	const char *version = fence_opt(ctx, "snmp_version");

	return version ? strcmp(version, "3") == 0 : *opt_text(ctx, "username") != '\0';
}

static int op_validate(struct fence_ctx *ctx)
{
	if (fence_opt_bool(ctx, "inet4_only") && fence_opt_bool(ctx, "inet6_only"))
		return fence_fail(ctx, RC_CONFIG, "drop one of them",
				  "inet4_only and inet6_only exclude each other");
	return is_v3(ctx) ? check_v3(ctx) : 0;
}

static void login_fill(const struct fence_ctx *ctx, struct pdu_agent *agent)
{
	struct session_login *login = &agent->login;

	login->host = opt_text(ctx, "ip");
	login->port = opt_text(ctx, "ipport");
	login->family = fence_opt_bool(ctx, "inet4_only")   ? AF_INET
			: fence_opt_bool(ctx, "inet6_only") ? AF_INET6
							    : AF_UNSPEC;
	login->community = fence_opt(ctx, "community");
	if (!login->community)
		login->community = *agent->profile.community ? agent->profile.community : "private";
	login->username = opt_text(ctx, "username");
	login->level = level_choose(ctx);
	login->auth_prot = opt_text(ctx, "snmp_auth_prot");
	login->auth_pass = opt_text(ctx, "password");
	login->priv_prot = opt_text(ctx, "snmp_priv_prot");
	login->priv_pass = opt_text(ctx, "snmp_priv_passwd");
}

static int login_check(struct fence_ctx *ctx, const struct session_login *login)
{
	if (strcasecmp(login->level, "noAuthNoPriv") != 0 && !*login->auth_pass)
		return fence_fail(ctx, RC_CONFIG,
				  "give password=", "snmp_sec_level=%s needs a passphrase",
				  login->level);
	if (strcasecmp(login->level, "authPriv") == 0 && !*login->priv_pass)
		return fence_fail(ctx, RC_CONFIG, "give snmp_priv_passwd=",
				  "snmp_sec_level=authPriv needs an encryption passphrase");
	return 0;
}

/* ---- profile ---- */

static void profile_warned(void *arg, const char *text)
{
	fence_warn(arg, "device profile passed over: %s", text);
}

static int check_class(struct fence_ctx *ctx, const struct profile *profile)
{
	size_t i = class_index(ctx);

	if (profile->device_class == classes[i].device_class)
		return 0;
	for (size_t k = 0; k < CLASSES; k++)
		if (profile->device_class == classes[k].device_class)
			return fence_fail(ctx, RC_CONFIG, "use the agent for that class",
					  "device profile %s is of class %s, which is %s's",
					  profile->name, profile_class_word(profile->device_class),
					  classes[k].name);
	return fence_fail(ctx, RC_CONFIG, "choose another profile",
			  "device profile %s is of class %s, which no SNMP agent has",
			  profile->name, profile_class_word(profile->device_class));
}

/* The profile that device= names; *known tells whether it does. */
static int profile_named(struct fence_ctx *ctx, struct pdu_agent *agent, int *known)
{
	const char *name = opt_text(ctx, "device");
	char folder[FOLDER_BYTES];
	struct err err = { 0 };

	*known = *name && strcmp(name, "auto") != 0;
	if (!*known)
		return 0;
	profile_folder(folder, sizeof folder);
	if (profile_load_named(folder, name, &agent->profile, &err))
		return fail(ctx, &err);
	return check_class(ctx, &agent->profile);
}

static int profile_found(struct fence_ctx *ctx, struct pdu_agent *agent,
			 const struct device_identity *identity)
{
	char folder[FOLDER_BYTES];
	struct err err = { 0 };

	profile_folder(folder, sizeof folder);
	if (profile_choose(folder, classes[class_index(ctx)].device_class, identity,
			   &agent->profile, profile_warned, ctx, &err))
		return fail(ctx, &err);
	fence_debug(ctx, "device profile %s", agent->profile.name);
	return 0;
}

static int unit_set(struct fence_ctx *ctx, struct pdu_agent *agent)
{
	if (!fence_opt_given(ctx, "switch"))
		return 0;
	if (agent->profile.index.count < 2)
		return fence_fail(ctx, RC_CONFIG,
				  "drop switch=", "devices of profile %s have no units",
				  agent->profile.name);
	agent->device.unit = fence_opt_int(ctx, "switch");
	return 0;
}

/* ---- open and close ---- */

/* Open a session and hear the device, which proves the login. */
static int session_try(struct fence_ctx *ctx, struct pdu_agent *agent, enum profile_version version,
		       const struct profile *known, struct device_identity *identity,
		       int64_t limit_ms, struct err *err)
{
	int rc = session_open(ctx, &agent->login, version, &agent->transport, err);

	if (rc)
		return rc;
	session_limit(agent->transport, limit_ms);
	rc = device_identify(agent->transport, known, identity, err);
	session_limit(agent->transport, 0);
	return rc;
}

/* With no version told, version 1 comes first, which nearly all speak, and has half of the time;
 * some are set to 2c alone. */
static int session_start(struct fence_ctx *ctx, struct pdu_agent *agent,
			 const struct profile *known, struct device_identity *identity)
{
	const char *word = fence_opt(ctx, "snmp_version");
	enum profile_version version = known ? known->version : PROFILE_V1;
	int open_choice = !word && !is_v3(ctx);
	struct err err = { 0 };
	int rc;

	if (is_v3(ctx))
		version = PROFILE_V3;
	else if (word)
		version = strcmp(word, "2c") == 0 ? PROFILE_V2C : PROFILE_V1;
	else if (version == PROFILE_V3)
		version = PROFILE_V1;
	rc = session_try(ctx, agent, version, known, identity,
			 open_choice ? fence_left_ms(ctx) / 2 : 0, &err);
	if (rc == RC_UNREACHABLE && open_choice) {
		session_close(agent->transport);
		agent->transport = NULL;
		version = version == PROFILE_V1 ? PROFILE_V2C : PROFILE_V1;
		rc = session_try(ctx, agent, version, known, identity, 0, &err);
	}
	return rc ? fail(ctx, &err) : 0;
}

static int op_open(struct fence_ctx *ctx)
{
	struct pdu_agent *agent = fence_alloc(ctx, sizeof *agent);
	struct device_identity identity;
	struct err err = { 0 };
	int known, rc;

	fence_set_data(ctx, agent);
	agent->commanded = MONO_NEVER;
	rc = op_validate(ctx);
	if (rc == 0)
		rc = profile_named(ctx, agent, &known);
	if (rc)
		return rc;
	login_fill(ctx, agent);
	if (is_v3(ctx))
		rc = login_check(ctx, &agent->login);
	if (rc == 0)
		rc = session_start(ctx, agent, known ? &agent->profile : NULL, &identity);
	if (rc == 0 && !known)
		rc = profile_found(ctx, agent, &identity);
	if (rc)
		return rc;
	if (!fence_opt(ctx, "snmp_version") && agent->profile.version == PROFILE_V2C)
		session_offer_bulk(agent->transport);
	if (device_open(&agent->device, &agent->profile, agent->transport, &identity, &err))
		return fail(ctx, &err);
	return unit_set(ctx, agent);
}

static void op_close(struct fence_ctx *ctx)
{
	struct pdu_agent *agent = fence_data(ctx);

	if (!agent)
		return;
	fence_set_data(ctx, NULL);
	session_close(agent->transport);
	for (size_t i = 0; i < agent->found_count; i++)
		free(agent->found[i].text);
	free(agent);
}

/* ---- operations ---- */

static int plug_find(struct fence_ctx *ctx, const char *plug, struct oid_index *index)
{
	struct pdu_agent *agent = fence_data(ctx);
	struct err err = { 0 };

	for (size_t i = 0; i < agent->found_count; i++)
		if (strcmp(agent->found[i].text, plug) == 0) {
			*index = agent->found[i].index;
			return 0;
		}
	if (device_find(&agent->device, plug, index, &err))
		return fail(ctx, &err);
	if (agent->found_count < FOUND_MAX) {
		char *text = strdup(plug);

		if (text) {
			agent->found[agent->found_count].text = text;
			agent->found[agent->found_count++].index = *index;
		}
	}
	return 0;
}

/* Devices that tell the new state before they have switched are given the time that their profile
 * allows. */
static int is_settling(const struct pdu_agent *agent)
{
	return !mono_is_never(agent->commanded) &&
	       !mono_reached(clock_now(), mono_add_ms(agent->commanded, agent->profile.settle_ms));
}

static int op_power_get(struct fence_ctx *ctx, const char *plug, enum power_state *state)
{
	struct pdu_agent *agent = fence_data(ctx);
	struct oid_index index;
	struct err err = { 0 };
	int rc = plug_find(ctx, plug, &index);

	if (rc)
		return rc;
	if (device_read(&agent->device, &index, state, &err))
		return fail(ctx, &err);
	if (is_settling(agent))
		*state = POWER_PENDING;
	return 0;
}

static int command(struct fence_ctx *ctx, const char *plug, enum profile_verb verb)
{
	struct pdu_agent *agent = fence_data(ctx);
	const char *ip = fence_opt(ctx, "ip"), *port = fence_opt(ctx, "ipport");
	int is_list = agent->profile.status_field >= 0;
	struct oid_index index;
	struct err err = { 0 };
	int rc = plug_find(ctx, plug, &index);
	int lock = -1;

	if (rc == 0 && is_list)
		rc = list_lock_take(ctx, ip, port, &lock);
	if (rc)
		return rc;
	rc = device_command(&agent->device, &index, verb, &err);
	list_lock_drop(ip, port, lock);
	if (rc)
		return fail(ctx, &err);
	agent->commanded = clock_now();
	agent->device.ignore_pending = verb == PROFILE_CYCLE;
	return 0;
}

static int op_power_set(struct fence_ctx *ctx, const char *plug, enum power_state state)
{
	return command(ctx, plug, state == POWER_ON ? PROFILE_ON : PROFILE_OFF);
}

static int op_cycle(struct fence_ctx *ctx, const char *plug)
{
	enum power_state state;
	int rc = op_power_get(ctx, plug, &state);

	if (rc)
		return rc;
	/* Devices differ in what a cycle does to an outlet that is off. */
	if (state == POWER_OFF)
		return fence_fail(ctx, RC_STATE, NULL, "the outlet is off");
	return command(ctx, plug, PROFILE_CYCLE);
}

static int row_list(const struct device *device, const struct device_row *row, fence_list_cb cb,
		    void *arg)
{
	char plug[DEVICE_PLUG_MAX];

	if (row->rc == RC_NO_SUCH_PLUG || row->rc == RC_UNSUPPORTED)
		return 0;
	profile_plug_write(device->profile, &row->index, plug, sizeof plug);
	return cb(arg, plug, device_row_name(row), row->state);
}

static int op_list(struct fence_ctx *ctx, fence_list_cb cb, void *arg)
{
	struct pdu_agent *agent = fence_data(ctx);
	struct device_rows rows;
	struct err err = { 0 };
	int rc = device_rows_read(&agent->device, &rows, &err);

	if (rc)
		fail(ctx, &err);
	else if (rows.announced > (int64_t)rows.count)
		fence_warn(ctx, "the device says that it has %lld outlets, but lists %zu",
			   (long long)rows.announced, rows.count);
	for (size_t i = 0; rc == 0 && i < rows.count; i++)
		rc = row_list(&agent->device, &rows.rows[i], cb, arg);
	device_rows_free(&rows);
	return rc;
}

/* ---- the four names ---- */

#define COMMON_TEXT                                                                                \
	"What it takes to switch a make of device stands in a device profile, a file of the "      \
	"format "                                                                                  \
	"holdfast-device(5). The profile is chosen by the device's sysObjectID, or by device=. A " \
	"plug is given by its number as the device counts it (2.3 is outlet 3 of unit 2), or by "  \
	"the "                                                                                     \
	"name it has at the device; what can be a number is never looked up as a name.\n"          \
	"\n"                                                                                       \
	"SNMP versions 1, 2c and 3 are spoken. Versions 1 and 2c send the community in clear "     \
	"text, "                                                                                   \
	"and a device drops requests with a wrong one: that looks like no answer at all.\n"        \
	"\n"                                                                                       \
	"The action probe reads and changes nothing. Whether the community or the user may write " \
	"cannot be known without writing, so probe does not tell; test it with reboot of a plug "  \
	"that may lose power.\n"                                                                   \
	"\n"                                                                                       \
	"An answer that the object does not exist is a failure, never a power state: a plug that " \
	"the device does not have is not off."

#define AGENT(agent_name, agent_class, agent_flags, short_text, long_text)                         \
	{                                                                                          \
		.abi = FENCE_AGENT_ABI, .name = (agent_name), .device_class = (agent_class),       \
		.flags = FENCE_AGENT_PLUGS | (agent_flags), .shortdesc = (short_text),             \
		.longdesc = long_text "\n\n" COMMON_TEXT, .vendor_url = "", .options = options,    \
		.validate = op_validate, .open = op_open, .list = op_list,                         \
		.power_get = op_power_get, .power_set = op_power_set, .cycle = op_cycle,           \
		.close = op_close,                                                                 \
	}

/* In the order of `classes`. */
static const struct fence_agent agents[CLASSES] = {
	AGENT("fence_pdu", FENCE_CLASS_PDU, 0, "Fence agent for switched power strips (SNMP)",
	      "fence_pdu switches outlets of rack power distribution units over SNMP and reads "
	      "them "
	      "back until they are in the wanted state or time is up. A machine with several power "
	      "supplies needs all its outlets in plug=, or one device each in a level."),
	AGENT("fence_ups", FENCE_CLASS_UPS, 0, "Fence agent for UPSs (SNMP)",
	      "fence_ups switches the output, or the outlet groups, of an uninterruptible power "
	      "supply over SNMP. A UPS without outlet groups (profile ups-mib, RFC 1628) has one "
	      "plug, number 1: everything that it feeds."),
	AGENT("fence_blade", FENCE_CLASS_BLADE, 0, "Fence agent for blade chassis (SNMP)",
	      "fence_blade switches the power of blades over SNMP, at the management module of "
	      "their "
	      "chassis. A plug is the number of a bay, or the name of a blade."),
	AGENT("fence_ifmib", FENCE_CLASS_FABRIC, FENCE_AGENT_AUTO_ON,
	      "Fence agent for network interfaces of switches (SNMP)",
	      "fence_ifmib shuts down a port of a switch over SNMP (IF-MIB), and so cuts a machine "
	      "from its network or its storage. The machine keeps running: off means that the port "
	      "is "
	      "administratively down, and does not prove that writes of the machine to other "
	      "storage "
	      "have ended. A plug is an ifIndex, or the description or alias of an interface."),
};

int main(int argc, char **argv)
{
	const char *slash = argv[0] ? strrchr(argv[0], '/') : NULL;
	const char *called = slash ? slash + 1 : argv[0] ? argv[0] : "";
	size_t chosen = 0;

	/* A copy under some other name is what it was. */
	for (size_t i = 0; i < CLASSES; i++)
		if (strcmp(agents[i].name, called) == 0)
			chosen = i;
	return fence_agent_main(&agents[chosen], argc, argv);
}
