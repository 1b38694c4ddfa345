/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_conf.h - the fence section of the cluster file: which devices there are, and which of
 * them cut the power of which target, in which order.
 *
 * Callers: the command line and the fencer. The text form is base/conf.h's `NAME value` dialect;
 * holdfast.conf(5) documents it.
 * Ownership: fence_conf_load() makes the whole tree, fence_conf_free() wipes every option value
 * and frees it; everything inside is const to everybody else.
 * Invariants after a successful load: every leg names an existing device; legs of a target are
 * sorted by level, then as written; level is 1..9; a target has at least one leg; names are
 * unique; a device has an agent.
 */
#ifndef HOLDFAST_FENCE_CONF_H
#define HOLDFAST_FENCE_CONF_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { FENCE_LEVEL_MAX = 9 };

struct fence_kv {
	char *key;
	char *value; /* may be a secret: never print, see fence_kv_is_secret() */
	unsigned line;
};

/* A power device and how to reach it. */
struct fence_device {
	char *name;
	char *agent;		  /* program name ("fence_ipmi") or absolute path */
	struct fence_kv *options; /* handed to the agent on stdin */
	size_t options_count;
	unsigned parallel; /* agents at work on this device at the same time; at least 1 */
	int unlisted;	   /* FENCE_UNLISTED: plugs that a foreign agent cannot list exist */
	unsigned line;	   /* where the device was opened in the file */
};

/* One device within one level of one target, with the plugs that feed the target. */
struct fence_leg {
	size_t device; /* index into fence_conf.devices */
	char *plugs;   /* "3" or "3,4"; NULL where the device is the plug */
	unsigned level;
	unsigned line;
};

struct fence_target {
	char *name;
	struct fence_leg *legs;
	size_t legs_count;
	unsigned line;
};

struct fence_conf {
	char *path;
	struct fence_device *devices;
	size_t devices_count;
	struct fence_target *targets;
	size_t targets_count;
	int64_t timeout_ms;	/* FENCE_TIMEOUT: for one target, whole operation */
	unsigned parallel;	/* FENCE_PARALLEL outside a device: agents at work in total */
	unsigned retries;	/* FENCE_RETRIES: further attempts of a device in its level */
	unsigned test_age_days; /* FENCE_TEST_AGE: warn when the last real success is older */
	char *history_path;	/* FENCE_HISTORY */
};

/* Read and check a file. On failure err->text is "FILE:LINE:COLUMN: ..." with the word met and
 * what was expected, err->next what to do. RC_CONFIG for what is wrong in the file, also when
 * it holds a secret and others may read it; RC_INTERNAL when it cannot be read. */
int fence_conf_load(const char *path, struct fence_conf **conf, struct err *err);
void fence_conf_free(struct fence_conf *conf);

/* Index of a target or device by exact name; -1 when there is none. */
long fence_conf_target(const struct fence_conf *conf, const char *name);
long fence_conf_device(const struct fence_conf *conf, const char *name);

/* Are two option keys the same to an agent? `-` and `_` are equal. */
int fence_key_equal(const char *a, const char *b);

/* What stands between the plugs of this device: its option plug_separator, else ",". "" when there
 * is nothing that separates. */
const char *fence_device_separator(const struct fence_device *device);

/* Does this option's value have to stay secret? (password, community, ... by name) */
int fence_kv_is_secret(const char *key);

#endif
