/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_model.h - a model of a logical unit with persistent reservations: CDB in, status, sense and
 * data out.
 *
 * Callers: tests; the mock disk of the simulator puts it before its blocks. It is the oracle:
 * written from the standard alone, and not from the code under test, of which it uses only the codecs.
 * Clauses are those of SPC-4 revision 17, as in lockd/pr_cdb_wire.h; what a real target does
 * differently is a member of struct pr_model_limits, one for each difference, documented there.
 *
 * An I_T nexus is an initiator port and a target port (relative port 1 to `ports`); a registration
 * belongs to it and outlives its session. Commands are processed one after the other.
 * Ownership: fixed arrays in the struct, nothing to free.
 */
#ifndef HOLDFAST_TESTS_PR_MODEL_H
#define HOLDFAST_TESTS_PR_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/pr.h"
#include "lockd/pr_cdb_wire.h"
#include "lockd/pr_sense_wire.h"

enum {
	PR_MODEL_NEXUSES_MAX = 16,
	PR_MODEL_REGISTRATIONS_MAX = 32,
	PR_MODEL_ATTENTIONS_MAX = 32, /* queued for one nexus; more are dropped, oldest kept */
};

/* What a target does not have, or does differently. All 0: as the standard says. */
struct pr_model_limits {
	unsigned registrations_max; /* 0: PR_MODEL_REGISTRATIONS_MAX; beyond it 55/04 */
	int no_abort;		    /* PREEMPT AND ABORT: 24/00 */
	int no_full_status;	    /* READ FULL STATUS: 24/00 */
	int no_aptpl;		    /* APTPL: 26/00 */
	int no_ports;		    /* SPEC_I_PT, ALL_TG_PT: 26/00 */
	int no_move;		    /* REGISTER AND MOVE: 24/00 */
	int no_replace;		    /* REPLACE LOST RESERVATION: 24/00 */
	int attention_first;	    /* a unit attention goes before a reservation conflict; SAM-4
					5.3.3 has it the other way round */
	int attentions_repeat;	    /* the same unit attention is queued several times */
	int session_registers;	    /* a registration belongs to the session: a new login leaves it
					behind, and it stays on the unit without anyone to use it */
	/* tgt 1.0.85; see pr_model_limits_tgt(). */
	int list_faults_are_field_faults; /* 24/00 where 1A/00 or 26/00 are due */
	int preempted_tells_cleared;	  /* 2A/03 where 2A/05 is due */
	int holder_unregister_counts_twice;
	int reserve_ignores_key;  /* RESERVE looks at the registration, not at the key */
	int release_ignores_key;  /* ... nor does RELEASE, but for the holder */
	int preempt_keeps_self;	  /* one's own key, preempted, stays */
	int preempt_zero_passes;  /* PREEMPT of key 0 without a reservation: GOOD */
	int released_is_inverted; /* 2A/04 is sent where it is not due, and not where it is, and to
				     each nexus but one registrant, for each registrant */
	int move_is_broken; /* REGISTER AND MOVE of a non-holder: GOOD, without effect. Not modelled: of
			       the holder it loses the type of the reservation, and of a registrant
			       without any reservation it kills tgtd (a null pointer) */
	int access_is_loose; /* see pr_model_access() */
	/* LIO of Linux 6.1; see pr_model_limits_lio(). */
	int attentions_forgotten;   /* with the first unit attention told, the others are gone */
	int strangers_find_no_unit; /* RESERVE, RELEASE, CLEAR, REGISTER AND MOVE of a nexus that is
				      not registered, without a reservation: NOT READY 08/00
				      where a conflict is due */
	int actions_are_reserved;   /* who asks is looked at before what he asks */
	int type_goes_first;	    /* RESERVE and PREEMPT look at TYPE before all else, also where
				      it is to be ignored; SCOPE after the key, as 26/00 */
	int release_type_conflicts; /* RESERVATION CONFLICT where 26/04 is due */
	int changes_count_oddly;    /* PRGENERATION stays when a registration goes by REGISTER, or
				      none is made; SPEC_I_PT counts every registration */
	int others_keep_key;	    /* SPEC_I_PT leaves the key of a port that is registered */
	int all_ports_stay; /* REGISTER on an ALL_TG_PT registration without that bit: 24/00 */
	int move_list_goes_first;    /* REGISTER AND MOVE: key and list before the reservation */
	int first_holder_is_special; /* All Registrants: PREEMPT with the key of the first holder
				      makes a new reservation, with a new type */
	int persistence_by_all;	 /* APTPL of a REGISTER that unregisters counts, CLEAR ends it */
	int access_by_direction; /* see pr_model_access() */
	int says_compatible;	 /* REPORT CAPABILITIES: CRH, ALLOW COMMANDS 001b */
};

/* tgt 1.0.85 as packaged by Debian 12. */
void pr_model_limits_tgt(struct pr_model_limits *limits);

/* LIO of Linux 6.1. */
void pr_model_limits_lio(struct pr_model_limits *limits);

struct pr_model_nexus {
	struct pr_initiator initiator;
	uint16_t port;
	unsigned outstanding; /* commands that the caller has under way; for PREEMPT AND ABORT */
	uint16_t attentions[PR_MODEL_ATTENTIONS_MAX]; /* asc << 8 | ascq */
	size_t attentions_count;
};

struct pr_model_registration {
	uint64_t key;
	struct pr_initiator initiator;
	uint16_t port; /* 0: every port (ALL_TG_PT) */
	int is_stale;  /* session_registers: its session is gone */
};

struct pr_model {
	struct pr_model_limits limits;
	uint16_t ports;
	uint32_t generation;
	struct pr_model_nexus nexuses[PR_MODEL_NEXUSES_MAX];
	size_t nexuses_count;
	struct pr_model_registration registrations[PR_MODEL_REGISTRATIONS_MAX];
	size_t registrations_count;
	int holder; /* index of a registration; -1: none. All-registrants: one of them */
	uint8_t type;
	int persists; /* APTPL of the last REGISTER */
	int is_lost;  /* the information was lost (44/01) */
};

struct pr_model_answer {
	uint8_t status;
	uint8_t sense[PR_SENSE_FIXED_BYTES];
	size_t sense_bytes;
	uint8_t data[PR_ANSWER_BYTES_MAX];
	size_t bytes;
	uint32_t aborted; /* PREEMPT AND ABORT: bit n: the commands of nexus n */
};

void pr_model_init(struct pr_model *model, const struct pr_model_limits *limits, uint16_t ports);

/* The nexus of an initiator port and a target port, new or known. Its number. No session yet. */
int pr_model_nexus(struct pr_model *model, const struct pr_initiator *initiator, uint16_t port);

/* A new session of that nexus: unit attention 29/00, those of before are gone. */
void pr_model_login(struct pr_model *model, int nexus);

/* Power of the target lost and back (5.7.5): without APTPL nothing is left. */
void pr_model_power_cycle(struct pr_model *model);

/* LOGICAL UNIT RESET: registrations stay, every nexus is told. */
void pr_model_reset(struct pr_model *model);

/* The unit has lost what APTPL had promised to keep (5.7.5). */
void pr_model_lose(struct pr_model *model);

/* Do a command. Of commands that are none of PERSISTENT RESERVE it says whether they may be
 * done: GOOD, a unit attention, RESERVATION CONFLICT; the caller does them. */
void pr_model_command(struct pr_model *model, int nexus, const uint8_t *cdb, const uint8_t *data,
		      size_t bytes, struct pr_model_answer *answer);

/* ---- the table of who may do what (SPC-4 5.7.1, SBC-3 4.17) ---- */

enum pr_model_class {
	PR_CLASS_ALWAYS,  /* INQUIRY, TEST UNIT READY ... */
	PR_CLASS_READS,	  /* what one may where one may read */
	PR_CLASS_WRITES,  /* what one may where one may write */
	PR_CLASS_RESERVES /* PERSISTENT RESERVE OUT: by its own rules */
};

enum pr_model_class pr_model_class(const uint8_t *cdb);

/* May this nexus do this command now? */
int pr_model_access(const struct pr_model *model, int nexus, const uint8_t *cdb);

/* ---- looking at it ---- */

/* The registration of a nexus, or -1. */
int pr_model_registration_of(const struct pr_model *model, int nexus);
int pr_model_holds(const struct pr_model *model, int nexus);

#endif
