/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lun_unit_io.h - one logical unit as fence_lun sees it: its paths, its keys, and what is done to them.
 *
 * Caller: fence_lun, which runs one of these calls for each unit at once, each in a thread of its own,
 * so that a unit that hangs costs nobody else's time. A unit is touched by one thread at a time.
 * What is decided is decided by lockd/pr_core; here its commands are carried out one by one over the
 * blocking client. Results are left in the unit: `outcome`, and `err` where it is not LUN_OK.
 *
 * Finality (S10). The unit is asked whether it still has the key that this node registered in this
 * boot (`key`). Where it has not, the node was ejected, and nothing here registers anything.
 * Where the key is there, but not by every path, lun_unit_succeed() puts a new key in its place: REGISTER from
 * the old key to the new one, which the unit refuses where the old one is gone. Only after that
 * do other paths register (lun_unit_spread()), each between two questions to a path that carries the
 * key; where one says no, all is taken away again. Where no path carries the old key,
 * lun_unit_enter() registers the new one and must then PREEMPT the old one itself. That is for
 * sessions of our own, which no data goes through, or for an operator who admits the node: between its two
 * commands an ejected node is in. So of two nodes that eject one another exactly one succeeds.
 *
 * What remains: there is no command that registers one path only if another one is registered. A peer that
 * ejects the node between the question before and the REGISTER of a late path has seen it out, and
 * the late path is in until the question after it is answered, or, if this process dies in
 * between, until the node is ejected again.
 */
#ifndef HOLDFAST_LUN_UNIT_IO_H
#define HOLDFAST_LUN_UNIT_IO_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mono.h"
#include "base/power.h"
#include "host/disk.h"
#include "lockd/pr_cdb_wire.h"
#include "lockd/pr_client_io.h"
#include "lockd/pr_core.h"

enum { LUN_PATH_NAME_BYTES = 256 };

struct lun_path {
	const char *url;
	char name[LUN_PATH_NAME_BYTES]; /* without a password */
	unsigned group;
	const struct pr_client_options *options;
	struct pr_client *client; /* NULL: not open */
	int is_silent;		  /* a command was not answered; nothing more goes there */
	int rc;			  /* why it is not open, or silent */
	struct err err;
};

enum lun_outcome {
	LUN_OK,
	LUN_LOST,    /* our key is not on the unit: ejected */
	LUN_OUTSIDE, /* it is, but no path here carries it (or not every path, after a check) */
	LUN_FAILED,  /* see err */
};

struct lun_unit {
	struct lun_path *paths[PR_PATHS_MAX];
	size_t paths_count;
	const char *name;	/* of its first path */
	char id[DISK_ID_BYTES]; /* empty: no path of it is open */
	int64_t io_timeout_ms;
	mono_t until; /* of the call */

	/* Given by the caller. */
	uint64_t key;	   /* ours on this unit; 0: none in this boot */
	uint64_t next_key; /* what comes in its place */
	uint64_t victim;   /* any key of the node to be ejected */
	int wants_aptpl;
	int trusts_abort; /* also where the victim does not hold the reservation */

	/* As last read. */
	int is_read;
	struct pr_keys keys;
	struct pr_reservation held;

	/* Of the last call. */
	enum lun_outcome outcome;
	struct err err;
	int was_sent;	   /* something may have changed */
	int is_void;	   /* a join that failed has left nothing, and cannot have been in */
	int has_succeeded; /* the new key has taken the place of the old one */
	int needs_drain;   /* commands of the victim may still be on their way inside the target */
	int has_aptpl;	   /* 1: registrations survive a loss of power; 0: not */
};

/* Read keys and reservation, by any path. */
void lun_unit_read(struct lun_unit *unit);

/* Does every path that is open carry our key? LUN_OUTSIDE when one does not. */
void lun_unit_check(struct lun_unit *unit);

/* Register next_key by every path that is open, where this node has no key of this boot. Other keys of
 * this node are of earlier lives, and go. */
void lun_unit_join(struct lun_unit *unit);

/* Put next_key in the place of key by the paths that carry it. With has_succeeded next_key is ours, and has
 * been, if LUN_LOST. Else LUN_LOST: the old key is gone; LUN_OUTSIDE: it is there, no path carries it. */
void lun_unit_succeed(struct lun_unit *unit);

/* After LUN_OUTSIDE: register next_key, and eject the old one; see above for whom. */
void lun_unit_enter(struct lun_unit *unit);

/* Register `key`, which some path carries, by the others as well. Other keys of this node go. */
void lun_unit_spread(struct lun_unit *unit);

/* The node was ejected: unregister what its paths carry all the same. LUN_LOST, or LUN_FAILED when a key
 * is left, which `err` names. */
void lun_unit_withdraw(struct lun_unit *unit);

/* See to it that somebody holds a reservation under which registrants alone may write. */
void lun_unit_reserve(struct lun_unit *unit);

/* Eject every key of the victim. */
void lun_unit_eject(struct lun_unit *unit);

/* How a node stands to the unit as last read: on: it may write; off: it may not. */
enum power_state lun_unit_state(const struct lun_unit *unit, uint64_t node_key);

/* How often a key, or a key of that node, is registered. */
size_t lun_unit_count(const struct lun_unit *unit, uint64_t key);
size_t lun_unit_count_node(const struct lun_unit *unit, uint64_t node_key);

/* Are all its paths sessions of our own, which no data goes through? */
int lun_unit_is_session(const struct lun_unit *unit);

#endif
