/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plug_store.h - the plugs of fence_testing, in a file.
 *
 * One line a plug: "NAME STATE [NEXT AT]", where NEXT is the state that comes at the moment AT
 * (CLOCK_BOOTTIME, nanoseconds); and a line "refused N" for logins refused so far.
 * Ownership: plug_store_open() locks the file against other agents and loads it; plug_store_close()
 * unlocks. plug_store_save() replaces the file by rename, so that a crash leaves the old one.
 */
#ifndef HOLDFAST_PLUG_STORE_H
#define HOLDFAST_PLUG_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mono.h"
#include "base/power.h"

enum { PLUG_NAME_MAX_BYTES = 64, PLUGS_MAX = 64 };

struct plug {
	char name[PLUG_NAME_MAX_BYTES];
	enum power_state state;
	enum power_state next; /* POWER_UNKNOWN: nothing under way */
	mono_t next_at;
};

struct plug_store {
	const char *path;
	int lock_fd;
	struct plug plugs[PLUGS_MAX];
	size_t plugs_count;
	int64_t refused;
};

/* `outlets`: comma-separated names for a file that does not exist yet. */
int plug_store_open(struct plug_store *store, const char *path, const char *outlets,
		    struct err *err);
int plug_store_save(struct plug_store *store, struct err *err);
void plug_store_close(struct plug_store *store);

struct plug *plug_store_find(struct plug_store *store, const char *name);

/* The state now; a change under way is POWER_PENDING if wanted, else the state before it. */
enum power_state plug_state(const struct plug *plug, int tell_pending);

/* Change the state after a delay; 0 changes it at once. */
void plug_change(struct plug *plug, enum power_state state, int64_t delay_ms);

#endif
