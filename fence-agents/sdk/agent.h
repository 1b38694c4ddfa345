/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * agent.h - the agent SDK: everything that a fence agent needs, in one header.
 *
 * A fence agent is a program that obeys the fence agent API, so Pacemaker and Holdfast run the
 * same file. The author fills one `struct fence_agent` and calls fence_agent_main(); the SDK
 * does the rest, for every agent alike: input on stdin or argv, metadata and manual page from
 * the option table, the delay, one deadline over the whole action, retries, read-back of every
 * plug (rule S1), typed causes, text or JSON output, exit codes, and the care for secrets.
 *
 *	static const struct fence_agent agent = {
 *		.abi = FENCE_AGENT_ABI,
 *		.name = "fence_acme",
 *		.device_class = FENCE_CLASS_PDU,
 *		...
 *	};
 *
 *	int main(int argc, char **argv)
 *	{
 *		return fence_agent_main(&agent, argc, argv);
 *	}
 *
 * Division of work. An operation talks to the device and reports what it saw; it never decides
 * whether fencing worked, never waits for a state to change, never retries and never prints. The
 * SDK calls power_get again until the state is the wanted one or time is up.
 *
 * Calls come one at a time, in one thread: open, then any of the others in any order, then
 * close. After RC_TIMEOUT, RC_UNREACHABLE, RC_BUSY or RC_PROTOCOL from any of them the SDK may
 * close and open again, within the deadline.
 *
 * Result of an operation: 0, or `return fence_fail(...)` with one of the codes of base/rc.h:
 *	RC_AUTH		credentials refused		RC_UNREACHABLE	no answer at all
 *	RC_TIMEOUT	the device fell silent		RC_NO_SUCH_PLUG	it has no such plug
 *	RC_PRIVILEGE	logged in, not permitted	RC_STATE	not possible in this power state
 *	RC_UNSUPPORTED	the device cannot		RC_BUSY		busy, out of sessions
 *	RC_PROTOCOL	the answer makes no sense	RC_CONFIG	an option is wrong
 *	RC_INTERNAL	fault of this program
 *
 * Ownership: strings handed to an operation live until it returns; the strings that
 * fence_opt() returns live until close returns. The SDK wipes secrets at the end.
 */
#ifndef HOLDFAST_AGENT_H
#define HOLDFAST_AGENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/power.h"
#include "base/rc.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a structure below changes in an incompatible way; fence_agent_main() refuses an
 * agent built for another number. */
#define FENCE_AGENT_ABI 1

enum fence_class {
	FENCE_CLASS_PDU,	/* switched power strip */
	FENCE_CLASS_UPS,	/* uninterruptible supply with switched outlets */
	FENCE_CLASS_BLADE,	/* chassis that powers blades */
	FENCE_CLASS_LIGHTS_OUT, /* baseboard management controller */
	FENCE_CLASS_FABRIC,	/* cuts storage or network, not power */
	FENCE_CLASS_MANUAL,	/* a human */
	FENCE_CLASS_TESTING,	/* no real device */
	FENCE_CLASS_PILL,	/* asks the node to reset itself, and relies on its watchdog */
};

enum fence_opt_type {
	FENCE_OPT_STANDARD, /* take all that is not filled in from the SDK's own table, by name */
	FENCE_OPT_STRING,
	FENCE_OPT_BOOL,	   /* 1 yes on true / 0 no off false; bare --name on argv means 1 */
	FENCE_OPT_INT,	   /* decimal integer within min..max */
	FENCE_OPT_SECONDS, /* seconds, fractions allowed, within min..max; read by fence_opt_ms() */
	FENCE_OPT_SELECT,  /* one of `choices` */
};

enum fence_opt_flags {
	FENCE_OPT_REQUIRED = 1 << 0, /* must be given, whatever the action (metadata excepted) */
	/* Never shown; wiped at the end. Filled from the options NAME_file and NAME_script too,
	 * where the table has them. */
	FENCE_OPT_SECRET = 1 << 1,
	FENCE_OPT_UNIQUE = 1 << 2, /* two devices never share the value */
};

/* One option: stdin key, long option, metadata parameter and manual entry at once. In names `-`
 * and `_` are equal everywhere. */
struct fence_option {
	const char *name;   /* "power_timeout" */
	const char *legacy; /* older names, comma separated: "ipaddr"; or NULL */
	enum fence_opt_type type;
	unsigned flags;		    /* enum fence_opt_flags */
	char shortopt;		    /* 'a' for -a; 0 for none */
	const char *def;	    /* default as text; NULL for none */
	const char *const *choices; /* FENCE_OPT_SELECT: NULL-terminated */
	int64_t min, max;	    /* FENCE_OPT_INT, FENCE_OPT_SECONDS; both 0: 0..INT32_MAX */
	const char *desc;	    /* one sentence, no full stop, for metadata and manual */
};

/* Take the standard option `n` as it is, or with members replaced:
 *	FENCE_STD("ip", .flags = FENCE_OPT_REQUIRED),
 *	FENCE_STD("ipport", .def = "623"),
 * The SDK's table holds ip, ipport, inet4_only, inet6_only, username, password (which brings
 * password_file and password_script with it), plug and plug_separator. The options every agent
 * has (action, delay, the timeouts, method, retry_on, json ...) are there without being named. */
#define FENCE_STD(n, ...)                                                                          \
	{                                                                                          \
		.name = (n), .type = FENCE_OPT_STANDARD, ##__VA_ARGS__                             \
	}

/* The open agent: option values, deadline, error and the author's own pointer. */
struct fence_ctx;

/* Called by the list operation once for each plug the device has. `alias` may be NULL or "";
 * `state` is POWER_UNKNOWN where the list does not tell. Returns 0 to go on; anything else is
 * to be returned by the list operation at once. */
typedef int (*fence_list_cb)(void *arg, const char *plug, const char *alias,
			     enum power_state state);

enum fence_agent_flags {
	/* The device has several plugs: `plug` is an option and must be given. Without this
	 * flag the device is the plug, and operations are handed "" as its name. */
	FENCE_AGENT_PLUGS = 1 << 0,
	/* `on` is run by the cluster when a node joins (unfencing), metadata automatic="1". */
	FENCE_AGENT_AUTO_ON = 1 << 1,
	/* `on` must run on the node itself, metadata on_target="1". */
	FENCE_AGENT_ON_TARGET = 1 << 2,
};

/* Another name for the same program (a symbolic link), with its own short description. */
struct fence_symlink {
	const char *name;
	const char *shortdesc;
};

struct fence_agent {
	unsigned abi; /* FENCE_AGENT_ABI */
	const char *name;
	enum fence_class device_class;
	unsigned flags; /* enum fence_agent_flags */
	const char *shortdesc;
	const char *longdesc; /* paragraphs separated by an empty line */
	const char *vendor_url;
	const struct fence_option *options;   /* ends with .name == NULL; or NULL */
	const struct fence_symlink *symlinks; /* ends with .name == NULL; or NULL */

	/* Optional: check option values against each other; no connection. */
	int (*validate)(struct fence_ctx *ctx);

	/* Reach the device and log in. */
	int (*open)(struct fence_ctx *ctx);

	/* Name every plug the device has. Optional; needs FENCE_AGENT_PLUGS. */
	int (*list)(struct fence_ctx *ctx, fence_list_cb cb, void *arg);

	/* Read the state of one plug into *state. A plug the device does not have is
	 * RC_NO_SUCH_PLUG; a value not understood is RC_PROTOCOL; only a value known to mean
	 * "off" gives POWER_OFF. */
	int (*power_get)(struct fence_ctx *ctx, const char *plug, enum power_state *state);

	/* Command one plug to POWER_ON or POWER_OFF. 0 means accepted, no more. */
	int (*power_set)(struct fence_ctx *ctx, const char *plug, enum power_state state);

	/* Optional: the device's own off-and-on. RC_STATE when the plug is off. */
	int (*cycle)(struct fence_ctx *ctx, const char *plug);

	/* Optional: diagnostic interrupt (NMI) to the machine; cannot be verified. */
	int (*diag)(struct fence_ctx *ctx, const char *plug);

	/* Optional, for `probe`: would this login be permitted to switch the plug? Changes
	 * nothing. RC_PRIVILEGE when not. */
	int (*privilege)(struct fence_ctx *ctx, const char *plug);

	/* Log out and free what open made. Called after every open, a failed one included. */
	void (*close)(struct fence_ctx *ctx);
};

/* Run the agent; returns the exit status for main(). */
int fence_agent_main(const struct fence_agent *agent, int argc, char **argv);

/* ---- what operations may use ---- */

/* The name this program was started under (a symlink's, without its folder). */
const char *fence_name(const struct fence_ctx *ctx);

/* Text of an option, its default, or NULL when neither is there. The name must be in the table. */
const char *fence_opt(const struct fence_ctx *ctx, const char *name);

/* Value of a FENCE_OPT_INT; 0 when not given and without default. */
int64_t fence_opt_int(const struct fence_ctx *ctx, const char *name);

/* Value of a FENCE_OPT_SECONDS in milliseconds; 0 when not given and without default. */
int64_t fence_opt_ms(const struct fence_ctx *ctx, const char *name);

/* Value of a FENCE_OPT_BOOL: 0 or 1. */
int fence_opt_bool(const struct fence_ctx *ctx, const char *name);

/* Was it given, other than by its default? */
int fence_opt_given(const struct fence_ctx *ctx, const char *name);

/* Milliseconds that the running operation may still take: its step's share (login_timeout for
 * open, shell_timeout for the others) and never more than what is left of the whole action.
 * 0 when time is up: return RC_TIMEOUT. At most one hour, so that it fits any timer. */
int64_t fence_left_ms(const struct fence_ctx *ctx);

/* Say what an error is about (an address, "outlet 3 of pdu-a"); the default is `ip`. */
void fence_object(struct fence_ctx *ctx, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Report a failure: code, what to do next (or NULL), what happened. Returns the code. The SDK
 * prints "name: object: what happened; next" once, if the failure is final. */
int fence_fail(struct fence_ctx *ctx, int rc, const char *next, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* A warning that does not change the result; one line on stderr. */
void fence_warn(struct fence_ctx *ctx, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A line for --verbose and debug_file; never pass a secret. */
void fence_debug(struct fence_ctx *ctx, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Say how one part of the device stands to a plug, where there are several parts: a logical unit, a
 * path. For the JSON result ("parts") and --verbose; what was said of the same plug and part before
 * is replaced. */
void fence_part(struct fence_ctx *ctx, const char *plug, const char *part, enum power_state state,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The author's own pointer, NULL at first; kept over close and open. */
void fence_set_data(struct fence_ctx *ctx, void *data);
void *fence_data(const struct fence_ctx *ctx);

/* Allocate zeroed memory; a failure ends the program with cause "internal". Free with free(). */
void *fence_alloc(struct fence_ctx *ctx, size_t bytes);

/* Overwrite memory that held a secret; never optimised away. */
void fence_wipe(void *memory, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
