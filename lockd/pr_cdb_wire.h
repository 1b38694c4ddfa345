/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_cdb_wire.h - PERSISTENT RESERVE IN and OUT on the wire: CDBs, parameter lists, answers.
 *
 * Callers: whoever sends reservation commands (lockd/pr_client_io, lockd), and the model of a
 * logical unit in the tests, which reads commands and writes answers.
 * Clauses are those of SPC-4 revision 17:
 *
 *	PERSISTENT RESERVE IN (5Eh)				6.13
 *	 00h READ KEYS						6.13.2
 *	 01h READ RESERVATION					6.13.3
 *	 02h REPORT CAPABILITIES				6.13.4
 *	 03h READ FULL STATUS					6.13.5
 *	PERSISTENT RESERVE OUT (5Fh)				6.14, service actions 6.14.2
 *	 00h REGISTER			basic list		5.7.7
 *	 01h RESERVE			basic list		5.7.9
 *	 02h RELEASE			basic list		5.7.11.2
 *	 03h CLEAR			basic list		5.7.11.6
 *	 04h PREEMPT			basic list		5.7.11.4
 *	 05h PREEMPT AND ABORT		basic list		5.7.11.5
 *	 06h REGISTER AND IGNORE ...	basic list		5.7.7
 *	 07h REGISTER AND MOVE		list of its own		5.7.8
 *	 08h REPLACE LOST RESERVATION	basic list		5.7.11.7 (revision 18 and later)
 *	basic parameter list					6.14.3
 *	list of REGISTER AND MOVE				6.14.4
 *	TransportIDs						7.5.4
 *
 * What is decoded comes from a stranger: no length in it is believed, nothing beyond `bytes` is
 * read. An answer that was cut short by the allocation length is no error: what is there is
 * told, and how much there would have been.
 * Ownership: the caller's buffers, nothing to free. Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_PR_CDB_WIRE_H
#define HOLDFAST_PR_CDB_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/pr.h"

enum {
	PR_CDB_BYTES = 10,
	PR_IN_OPCODE = 0x5e,
	PR_OUT_OPCODE = 0x5f,
	PR_BASIC_LIST_BYTES = 24,
	PR_INITIATORS_MAX = 8,	    /* TransportIDs of one command */
	PR_LIST_BYTES_MAX = 2048,   /* any parameter list of ours */
	PR_ANSWER_BYTES_MAX = 8192, /* what we ask for at most */
	PR_KEYS_MAX = 512,
	PR_INITIATOR_NAME_BYTES = 224, /* RFC 7143, 4.2.7.1: 223 at most */
	PR_INITIATOR_TEXT_BYTES = 264,
	PR_TRANSPORT_ID_BYTES_MAX = 248, /* 4, name, ",i,0x", ISID, NUL, padding */
};

/* ---- initiators: TransportIDs ---- */

/* PROTOCOL IDENTIFIER of 7.5.1. */
enum pr_protocol {
	PR_PROTOCOL_FC = 0,
	PR_PROTOCOL_SRP = 4,
	PR_PROTOCOL_ISCSI = 5,
	PR_PROTOCOL_SAS = 6,
};

/* An initiator port as a TransportID tells it. */
struct pr_initiator {
	uint8_t protocol; /* enum pr_protocol, or one that we do not know */
	/* iSCSI: */
	char name[PR_INITIATOR_NAME_BYTES];
	int has_isid; /* format 1; without it every port of that name is meant */
	uint8_t isid[6];
	/* FC N_Port name and SAS address (8), SRP port (16): */
	uint8_t port[16];
};

/* Bytes of the TransportID; 0 when it does not fit or cannot be written. */
size_t pr_initiator_out(const struct pr_initiator *initiator, uint8_t *data, size_t room);

/* Read one from the beginning of the data. *used: its length. Protocols that are not known are
 * read as such, without details. */
int pr_initiator_in(const uint8_t *data, size_t bytes, struct pr_initiator *initiator, size_t *used,
		    struct err *err);

/* "iqn.1994-05.com.example:a,i,0x00023d000001", "fc:10000000c9f3a571", "sas:...", "srp:...".
 * Returns out. */
const char *pr_initiator_text(const struct pr_initiator *initiator,
			      char out[PR_INITIATOR_TEXT_BYTES]);

int pr_initiator_parse(const char *text, struct pr_initiator *initiator, struct err *err);

/* ---- commands ---- */

/* PERSISTENT RESERVE IN. Returns the bytes of the answer that are asked for. */
uint32_t pr_in_encode(enum pr_command command, uint8_t cdb[PR_CDB_BYTES]);

struct pr_out {
	enum pr_command command;
	uint8_t scope; /* 0: the logical unit; nothing else is left in SPC-4 */
	uint8_t type;  /* enum pr_type; where the command has none it is 0 */
	uint64_t key, service_key;
	int aptpl;	      /* registrations survive a loss of power */
	int all_target_ports; /* ALL_TG_PT */
	int unregister;	      /* UNREG: of REGISTER AND MOVE */
	uint16_t relative_port;
	/* REGISTER: SPEC_I_PT when there are any. REGISTER AND MOVE: exactly one. */
	const struct pr_initiator *initiators;
	size_t initiators_count;
};

/* PERSISTENT RESERVE OUT: the CDB and its parameter list. The list's bytes, or 0 and *err when the
 * command cannot carry what is asked. */
uint32_t pr_out_encode(const struct pr_out *out, uint8_t cdb[PR_CDB_BYTES],
		       uint8_t list[PR_LIST_BYTES_MAX], struct err *err);

/* ---- the device's side: read a command ---- */

/* The command of a CDB; PR_COMMANDS when it is neither 5Eh nor 5Fh or no service action. */
enum pr_command pr_cdb_command(const uint8_t cdb[PR_CDB_BYTES]);

/* ALLOCATION LENGTH, PARAMETER LIST LENGTH. */
uint32_t pr_cdb_bytes(const uint8_t cdb[PR_CDB_BYTES]);

/* Read a parameter list. initiators has room for PR_INITIATORS_MAX. What is wrong is told as the
 * device would: PR_MEANS_GOOD, _INVALID_LENGTH, _INVALID_PARAMETER. */
enum pr_meaning pr_out_decode(const uint8_t cdb[PR_CDB_BYTES], const uint8_t *list, size_t bytes,
			      struct pr_out *out, struct pr_initiator *initiators);

/* ---- answers ---- */

struct pr_keys {
	uint32_t generation;
	uint32_t count; /* here */
	uint32_t total; /* on the unit; more than count when the answer was cut short */
	uint64_t key[PR_KEYS_MAX];
};

struct pr_reservation {
	uint32_t generation;
	int is_held;
	uint64_t key; /* of the holder; 0 with all-registrants types */
	uint8_t scope, type;
};

struct pr_capabilities {
	int replaces_lost;	/* RLR_C */
	int handles_reserve;	/* CRH: RESERVE(6) and RELEASE(6) go with it */
	int specifies_ports;	/* SIP_C */
	int all_target_ports;	/* ATP_C */
	int persists;		/* PTPL_C: APTPL is understood */
	int persistence_active; /* PTPL_A */
	int has_types;		/* TMV: `types` counts */
	uint16_t types;		/* bit n: type n */
	uint8_t allow_commands; /* ALLOW COMMANDS */
};

struct pr_registration {
	uint64_t key;
	int all_target_ports, is_holder;
	uint8_t scope, type;	/* of the holder */
	uint16_t relative_port; /* where ALL_TG_PT is 0 */
	int has_initiator;
	struct pr_initiator initiator;
};

/* A walk through an answer to READ FULL STATUS. */
struct pr_full_status {
	uint32_t generation;
	int is_cut; /* there would have been more */
	const uint8_t *at, *end;
};

int pr_keys_in(const uint8_t *data, size_t bytes, struct pr_keys *keys, struct err *err);
int pr_reservation_in(const uint8_t *data, size_t bytes, struct pr_reservation *reservation,
		      struct err *err);
int pr_capabilities_in(const uint8_t *data, size_t bytes, struct pr_capabilities *capabilities,
		       struct err *err);
int pr_full_status_in(const uint8_t *data, size_t bytes, struct pr_full_status *status,
		      struct err *err);
/* 1: there is one, 0: that was all, negative: RC_PROTOCOL. */
int pr_full_status_next(struct pr_full_status *status, struct pr_registration *registration,
			struct err *err);

/* Write an answer. The bytes that it has, which may be more than the room: then it is cut. */
size_t pr_keys_out(const struct pr_keys *keys, uint8_t *data, size_t room);
size_t pr_reservation_out(const struct pr_reservation *reservation, uint8_t *data, size_t room);
size_t pr_capabilities_out(const struct pr_capabilities *capabilities, uint8_t *data, size_t room);
size_t pr_full_status_out(uint32_t generation, const struct pr_registration *registrations,
			  size_t count, uint8_t *data, size_t room);

#endif
