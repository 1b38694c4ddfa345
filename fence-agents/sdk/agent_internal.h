/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * agent_internal.h - what the files of the SDK share; not installed, not for agents.
 *
 *	agent_main.c	 order of events; exit status
 *	agent_options.c	 the option table of an agent, and values
 *	agent_input.c	 stdin and argv into values
 *	agent_secret.c	 password_file, password_script, wiping
 *	agent_action.c	 the table of actions; monitor, list, probe, diag
 *	agent_session.c	 steps, their deadlines, the session, the plugs
 *	agent_power.c	 power_core's actions carried out
 *	agent_report.c	 errors, text and JSON results
 *	agent_guard.c	 the deadline that holds even when a library hangs
 *	agent_metadata.c XML;  agent_manual.c  manual page and --help
 *	power_core.c	 decides (pure)
 *
 * One fence_ctx exists per process; it is made by fence_agent_main() and handed down.
 */
#ifndef HOLDFAST_AGENT_INTERNAL_H
#define HOLDFAST_AGENT_INTERNAL_H

#include <stdio.h>

#include "base/err.h"
#include "base/mono.h"
#include "fence-agents/sdk/agent.h"
#include "fence-agents/sdk/power_core.h"

enum {
	AGENT_OPTIONS_MAX = 96,
	AGENT_INPUT_MAX_BYTES = 256 * 1024,
	AGENT_SECRET_MAX_BYTES = 4096,
	AGENT_INPUT_TIMEOUT_MS = 20000, /* for options on stdin, unless a human types them */
};

enum agent_action_id {
	AGENT_NONE,
	AGENT_ON,
	AGENT_OFF,
	AGENT_REBOOT,
	AGENT_STATUS,
	AGENT_MONITOR,
	AGENT_LIST,
	AGENT_LIST_STATUS,
	AGENT_PROBE,
	AGENT_DIAG,
	AGENT_VALIDATE,
	AGENT_METADATA,
	AGENT_MANPAGE,
};

struct agent_action {
	enum agent_action_id id;
	const char *name;
	int needs_plug;	  /* acts on the plugs given */
	int needs_device; /* connects */
	const char *desc;
};

/* An option of this agent, with its value once read. */
struct agent_value {
	struct fence_option option; /* complete: nothing left to be taken from the standard table */
	char *text;		    /* given value; NULL when not given */
	int given;
};

struct agent_plug_report {
	char *plug;
	char *alias; /* list only; NULL elsewhere */
	enum power_state before, state;
};

/* What an agent said of a part of its device, see fence_part(). */
struct agent_part_report {
	char *plug, *part, *text;
	enum power_state state;
};

struct fence_ctx {
	const struct fence_agent *agent;
	const char *name;
	const struct agent_action *action;
	struct agent_value values[AGENT_OPTIONS_MAX];
	size_t values_count;
	char *nodename; /* Pacemaker's name for the target; a plug of last resort */
	void *data;

	mono_t started;
	mono_t ended;	      /* for the elapsed time of a report; MONO_NEVER: now */
	mono_t deadline;      /* of the whole action */
	mono_t step_deadline; /* of the running operation */
	const char *step;     /* "logging in": what the running operation does */
	int session_open;

	char object[256];	  /* what errors are about; "" = default */
	const char *plug_at_hand; /* plug of the running operation, for errors */
	struct err err;		  /* latest failure */
	int json;
	int verbose;
	FILE *debug_file;

	/* Plugs acted upon, or listed. */
	struct agent_plug_report *plugs;
	size_t plugs_count, plugs_room;
	struct agent_part_report *parts;
	size_t parts_count, parts_room;

	/* Result. */
	enum power_state state;
	enum power_proof proof;
	int off_proven;
	volatile int cancelled; /* set by a signal handler */
};

/* agent_options.c */
void agent_options_init(struct fence_ctx *ctx);
void agent_options_free(struct fence_ctx *ctx);
struct agent_value *agent_value_find(const struct fence_ctx *ctx, const char *name);
struct agent_value *agent_value_by_short(const struct fence_ctx *ctx, char shortopt);
/* Set from text; checks type and range. RC_CONFIG with ctx->err filled. */
int agent_value_set(struct fence_ctx *ctx, struct agent_value *value, const char *text);
/* Are the required options there? RC_CONFIG with ctx->err filled. */
int agent_options_check(struct fence_ctx *ctx);
int agent_name_equal(const char *a, const char *b);
int agent_bool_parse(const char *text, int *out);
int agent_ms_parse(const char *text, int64_t *out_ms);

/* agent_input.c */
int agent_input_argv(struct fence_ctx *ctx, int argc, char **argv);
int agent_input_stdin(struct fence_ctx *ctx);
/* The lines of stdin; `text` is modified. Apart from reading so that it can be fuzzed. */
void agent_input_lines(struct fence_ctx *ctx, char *text, size_t length);

/* agent_secret.c */
int agent_secrets_load(struct fence_ctx *ctx);
void agent_process_harden(void);

/* agent_action.c */
const struct agent_action *agent_action_find(const struct fence_agent *agent, const char *name);
/* The actions of this agent in the order of its manual; NULL after the last. */
const struct agent_action *agent_action_next(const struct fence_agent *agent,
					     const struct agent_action *previous);
int agent_action_run(struct fence_ctx *ctx);

/* agent_session.c */
mono_t agent_action_deadline(const struct fence_ctx *ctx);
void agent_step_begin(struct fence_ctx *ctx, const char *step, const char *timeout_option);
/* Make an operation's result sound (known code, error text), drop the session when the code
 * says that it may be broken; RC_CANCELLED after a signal. */
int agent_step_end(struct fence_ctx *ctx, int rc);
int agent_session_open(struct fence_ctx *ctx);
void agent_session_close(struct fence_ctx *ctx);
int agent_read(struct fence_ctx *ctx, const char *plug, enum power_state *state);
int agent_retried(struct fence_ctx *ctx, int (*operation)(struct fence_ctx *, const void *),
		  const void *arg);
int agent_plugs_resolve(struct fence_ctx *ctx);

/* agent_power.c */
int agent_power_run(struct fence_ctx *ctx, enum power_op op);

/* agent_report.c */
struct agent_plug_report *agent_plug_add(struct fence_ctx *ctx, const char *plug, const char *alias,
					 enum power_state state);
void agent_plugs_clear(struct fence_ctx *ctx);
void agent_parts_clear(struct fence_ctx *ctx);
int agent_exit_status(const struct fence_ctx *ctx, int rc);
/* The caller frees the line; NULL when out of memory. Both end with a newline. */
char *agent_error_line(const struct fence_ctx *ctx);
char *agent_json_line(const struct fence_ctx *ctx, int exit_status);
int agent_report(struct fence_ctx *ctx);

/* agent_guard.c */
void agent_guard_start(struct fence_ctx *ctx);
void agent_guard_arm(struct fence_ctx *ctx);
void agent_guard_prepare(struct fence_ctx *ctx);
void agent_guard_stop(void);

/* agent_metadata.c, agent_manual.c */
void agent_metadata_print(const struct fence_ctx *ctx, FILE *out);
void agent_manual_print(const struct fence_ctx *ctx, FILE *out);
void agent_help_print(const struct fence_ctx *ctx, FILE *out);
const char *agent_shortdesc(const struct fence_ctx *ctx);
const char *agent_class_word(enum fence_class device_class);

#endif
