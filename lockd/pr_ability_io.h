/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_ability_io.h - what can this disk do with reservations, and what of it is missing?
 *
 * Callers: `holdfast disk init --arbiter auto` and `holdfast disk doctor`. It opens the URL by itself
 * and waits for each answer; lockd does not use it.
 *
 * Asked without `may_change`: READ KEYS, READ RESERVATION, REPORT CAPABILITIES and READ FULL STATUS,
 * and PREEMPT and PREEMPT AND ABORT under a random key that nobody has. A unit that knows these answers
 * RESERVATION CONFLICT and changes nothing (SPC-4 r17, 5.7.11.4: the key of the command is not
 * that of the nexus); one that does not know them says so.
 *
 * With `may_change` (a disk that is being initialised, on which nobody is registered) it is tried as
 * an arbiter would use it, under two random keys: register, reserve as Write Exclusive, Registrants
 * Only; the other one meets a conflict when it reserves or writes (a write of no blocks), preempts,
 * and is the holder; the first is gone. Then all is removed again and seen to be, if need be in new
 * sessions; SIGINT, SIGTERM and SIGHUP wait for that. What may still be there is in left_behind. A unit that
 * somebody is registered with, or has a reservation, is left alone; then arbitrates says
 * PR_ABILITY_UNKNOWN and missing why. For iSCSI the second initiator port is `nexus` + 1; where
 * there is one port only (SG_IO) the ejection is not seen, only that the command is known.
 */
#ifndef HOLDFAST_PR_ABILITY_IO_H
#define HOLDFAST_PR_ABILITY_IO_H

#include "base/err.h"
#include "host/disk.h"
#include "lockd/pr_cdb_wire.h"

enum pr_ability_state {
	PR_ABILITY_UNTRIED, /* 0 */
	PR_ABILITY_YES,
	PR_ABILITY_NO,
	PR_ABILITY_UNKNOWN, /* tried, and it cannot be told */
};

struct pr_ability_options {
	const char *initiator; /* as in struct disk_options; NULL: of this host */
	uint8_t nexus;	       /* and nexus + 1 with may_change; not one that lockd uses */
	int64_t timeout_ms;    /* of one command and of the opening */
	int may_change;
};

enum { PR_ABILITY_TEXT_BYTES = 320 };

struct pr_ability {
	/* Can the `pr` arbiter use this unit? YES is said only after a trial (may_change) in which every
	 * step was seen. Without a trial it is NO when something needed is missing, else UNKNOWN. */
	enum pr_ability_state arbitrates;
	/* In words: what is missing or stood in the way, joined by "; ". Empty when nothing is. */
	char missing[PR_ABILITY_TEXT_BYTES];

	int has_scsi;				  /* 0: nothing below was asked */
	enum pr_ability_state known[PR_COMMANDS]; /* does the unit know the command? */
	enum pr_ability_state excludes;		  /* does it keep out who is not registered? */
	enum pr_ability_state ejects;		  /* was an ejected key seen to be gone? */
	int has_capabilities;
	struct pr_capabilities capabilities; /* has_capabilities; persists is APTPL */
	/* What is on the unit, before anything was tried. */
	uint32_t generation, keys_count;
	int is_held;
	uint64_t holder;
	uint8_t held_type;
	/* Keys of the trial that could not be removed again, or not be seen to be gone; 0: none. They
	 * are in `missing` too. */
	uint64_t left_behind[2];
};

/* Fills *ability. 0 when the unit was asked, whatever it can do; a file without SCSI is 0 with
 * has_scsi 0, arbitrates NO. Else it could not be opened or stopped answering: *err. */
int pr_ability_probe(const char *url, const struct pr_ability_options *options,
		     struct pr_ability *ability, struct err *err);

/* "PREEMPT AND ABORT", ...: the commands of `known` that are missing, joined by ", "; "none".
 * Returns out. */
const char *pr_ability_lacks(const struct pr_ability *ability, char *out, size_t size);

#endif
