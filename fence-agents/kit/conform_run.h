/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conform_run.h - one run of an agent under test, and what all checks share.
 *
 * Callers: conform.c and the checks, within the kit only.
 * A check builds a struct shot_spec, calls shot_run(), and judges the struct shot. What holds for
 * every run (no secret shown, nothing left behind, an error that is explained) is watched by
 * shot_run() itself and gathered in struct conform.
 * Ownership: texts of a shot live until the next shot_run().
 */
#ifndef HOLDFAST_CONFORM_RUN_H
#define HOLDFAST_CONFORM_RUN_H

#include <uv.h>

#include "fence-agents/fencer/agent_catalog.h"
#include "fence-agents/kit/conform.h"
#include "fence-agents/kit/conform_metadata.h"
#include "host/child.h"

/* Replaces an option (under whichever of its names it was given), or drops it. */
struct shot_edit {
	const char *key;
	const char *value; /* NULL: drop */
};

enum { SHOT_EDITS_MAX = 8, SECRETS_MAX = 16, ABSENT_FIXED = 2, ABSENT_MAX = 5 };

struct shot_spec {
	const char *action;			/* NULL: no action at all */
	const char *action_key;			/* NULL: "action" */
	struct shot_edit edits[SHOT_EDITS_MAX]; /* end with key NULL */
	const char *head, *tail;		/* raw lines of stdin before and after; or NULL */
	int bare;				/* none of the device's options */
	int by_argv;				/* on the command line instead of stdin */
	const char *extra_argument;
	int64_t timeout_ms; /* 0: as the options say */
	int sample_off; /* ask for status in a second process, over and over while this one runs */
	const char *canary; /* a secret of our making that is in `edits` */
};

struct shot {
	struct conform_seen seen;
	int killed; /* it did not end at SIGTERM either */
	int64_t took_ms;
	char what[320]; /* "action=status, plug=none on stdin": what was run, without secrets */
};

/* A requirement that every run has to meet, and the first that did not. */
struct watch {
	size_t looked;
	int broken;
	char text[560];
};

enum input_kind { INPUT_NONE, INPUT_MISSING, INPUT_MISSPELT, INPUT_EMPTY, INPUT_UNKNOWN, INPUTS };

struct conform {
	const struct conform_options *options;
	struct conform_report *report;
	uv_loop_t loop;
	struct child_host host;
	struct child *child;
	struct child *sampler; /* of a run with sample_off */
	int off_seen;	       /* ... and whether it read off */
	uv_timer_t look;
	mono_t deadline; /* of the run at hand */
	struct shot shot;
	char *out, *err; /* texts of the last shot */

	struct agent_info info;
	struct conform_metadata metadata;
	int has_metadata;
	char *metadata_text;
	size_t metadata_bytes;

	const char *plug;	      /* value of the plug option; NULL when there is none */
	const char *plug_key;	      /* the name it was given under */
	char absent[ABSENT_MAX][128]; /* plugs that are not there */
	size_t absent_count;
	const char *secrets[SECRETS_MAX];
	size_t secrets_count;
	const char *looked_for[SECRETS_MAX + 1]; /* in the arguments of the run at hand */
	size_t looked_for_count;

	/* Its class is "manual": a human does what it asks for, and there is nothing to read a state
	 * from. `on` is what was acknowledged last; a reboot may end with off. */
	int manual, manual_on;
	int state_known; /* status works with these options */
	int state_first; /* 1 on, 0 off: as found */
	int closed_fd, hole_tcp_fd, hole_udp_fd;
	char closed_port[8], hole_port[8];

	/* Inputs without a usable action, tried with the options while on and while off. */
	int inputs_tried; /* 1 done, -1 could not be done */
	struct watch inputs[INPUTS];

	struct watch stray, shown, printed, silent;
};

int conform_world_init(struct conform *conform, struct err *err);
void conform_world_end(struct conform *conform);

/* Run the agent once; the result is conform->shot. */
void shot_run(struct conform *conform, const struct shot_spec *spec);

/* Run an action with the device's options, judge its exit status. Returns whether it is the one
 * required; if not, `why` tells what was run, what came and what is required. */
int shot_expect(struct conform *conform, const struct shot_spec *spec, enum conform_expect expect,
		char *why, size_t size);

/* Ask the agent a question that does no more than it must, with these edits: status, or, of a
 * human, off. As shot_expect() otherwise. */
int shot_ask(struct conform *conform, const struct shot_spec *edits, char *why, size_t size);

/* Was this option given by the user (under any of its names)? Its value, or NULL. */
const char *conform_given(const struct conform *conform, const char *name);

/* Fill `absent`: two plugs that no device has, one as a name and one as a number, for agents take
 * different ways with them; then names close to the given plug that the agent's own list does not
 * hold, for an agent that takes a prefix for the whole. Without a list that works nobody knows
 * whose such a name is, and it is left out. */
void plugs_absent_take(struct conform *conform);

/* A password that no device has; long enough to be looked for. */
extern const char credential_wrong[];

/* ---- checks ---- */

enum check_needs {
	NEED_METADATA = 1 << 0,	     /* metadata that could be parsed */
	NEED_DEVICE = 1 << 1,	     /* options of a device were given */
	NEED_STATE = 1 << 2,	     /* ... and status works with them, or a human is asked */
	NEED_PLUG = 1 << 3,	     /* ... and a plug among them */
	NEED_IP = 1 << 4,	     /* ... and an address among them */
	NEED_PORT = 1 << 5,	     /* ... and it takes another port */
	NEED_LOGIN = 1 << 6,	     /* ... and credentials among them */
	NEED_REAL = 1 << 7,	     /* switching is allowed */
	NEED_NATIVE = 1 << 8,	     /* made with the SDK */
	NEED_HARMLESS_BARE = 1 << 9, /* without options it has nothing it could switch */
	NEED_READ = 1 << 10,	     /* judges what a device shows: nothing for a human */
	NEED_ASK = 1 << 11,	     /* uses shot_ask(), which switches where a human is asked */
	NEED_MANUAL = 1 << 12,	     /* for class manual; no row in the report of any other */
	NEED_FOREIGN = 1 << 13,	     /* not made with the SDK; no row in the report of any other */
};

struct check {
	const char *id, *group, *required;
	enum conform_level level;
	unsigned needs;
	const char *action; /* must be declared in the metadata; or NULL */
	/* Returns 1 when met, 0 when not, -1 when it could not be run; says why. */
	int (*run)(struct conform *conform, char *happened, size_t size);
};

extern const struct check metadata_checks[], input_checks[], device_checks[], power_checks[],
	watch_checks[];

/* Bring the plug into a state, for a check that needs it there. Returns whether it reads so,
 * whatever on or off said of themselves; of a human, whether that was acknowledged. */
int power_ensure(struct conform *conform, int on, char *why, size_t size);

/* Does status read this state (1 on, 0 off)? Nothing reads otherwise where there is nothing to
 * read. */
int power_reads(struct conform *conform, int on, char *why, size_t size);

#endif
