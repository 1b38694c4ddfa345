/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * slot_wire.h - the records of a node's slot, and its claim.
 *
 * Callers: hb_facts, words, `holdfast disk`. A slot is 4 KiB, eight records, all written by its
 * owner alone and by one request:
 *
 *	0	heartbeat	who, since when, in which state, how long its word is good
 *	512	outbox		for each other node one pill: what that node is asked to do
 *	1024	acks		for each other node its last pill that was received
 *	1536	message		the text of pills that have one
 *	2048	last words	four records, a ring of lines
 *
 * Who writes where. A pill lies in the sender's slot, not in the addressee's: 63 nodes that write
 * into the mailbox of one victim would write one sector. So every sector has one writer, delivery
 * is a read of one's own slot, the addressee finds its mail with the read of all slots that it
 * does anyway, and a heartbeat costs one write and one read for any number of nodes.
 * A pill names the incarnation that it is for, an ack that of the sender and the number of the
 * pill, so that neither reaches a node that has restarted since.
 *
 * On sectors of 4096 bytes the slot is written whole or not at all; on 512 any of the eight may be
 * old after a torn write. Both are allowed for: no record needs another one to be understood, save
 * the message, which carries its pill's number.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_SLOT_WIRE_H
#define HOLDFAST_SLOT_WIRE_H

#include "diskhb/record_wire.h"

enum {
	SLOT_HEARTBEAT_AT = 0,
	SLOT_OUTBOX_AT = 512,
	SLOT_ACKS_AT = 1024,
	SLOT_MESSAGE_AT = 1536,
	SLOT_WORDS_AT = 2048,
	SLOT_WORDS_RECORDS = 4,
	SLOT_MESSAGE_BYTES = 460, /* no NUL */
	SLOT_WORDS_BYTES = 452,	  /* lines, each ended by a newline */
};

enum slot_state {
	SLOT_JOINING = 1, /* has won its slot, no lease yet */
	SLOT_ACTIVE = 2,
	SLOT_LEFT = 3,	/* said goodbye; has stopped writing, and petting by this lease */
	SLOT_DYING = 4, /* has received a pill that ends it */
};

enum slot_flags {
	SLOT_FLAG_LINK_TEST = 1, /* `holdfast disk test`, not a member of anything */
	/* The end of the lease does not always reset the machine: with the lease everything ends that
	 * rests on it, no more. Its watchdog_ms says how long that may take. */
	SLOT_FLAG_SURVIVES = 2,
	SLOT_FLAGS_KNOWN = SLOT_FLAG_LINK_TEST | SLOT_FLAG_SURVIVES,
};

enum slot_pill_kind {
	SLOT_PILL_NONE,
	SLOT_PILL_TEST,
	SLOT_PILL_MESSAGE,
	SLOT_PILL_CRASH, /* reset with a dump of the kernel */
	SLOT_PILL_RESET,
	SLOT_PILL_OFF,
	SLOT_PILL_KINDS,
};

enum slot_ack_result {
	SLOT_ACK_NONE,
	SLOT_ACK_ACCEPTED, /* done, or about to be done */
	SLOT_ACK_REFUSED,  /* this node has no means for it */
	SLOT_ACK_RESULTS,
};

struct heartbeat_record {
	struct record_head head;
	uint8_t machine[MACHINE_ID_BYTES];
	uint8_t boot[MACHINE_ID_BYTES];
	char name[NODE_NAME_BYTES];
	uint8_t state; /* enum slot_state */
	uint8_t flags;
	uint32_t interval_ms, io_timeout_ms;
	uint32_t lease_ms;    /* L */
	uint32_t watchdog_ms; /* W; 0: none stands behind the lease */
	uint32_t grain_ms;    /* g */
	uint64_t stamp_ns;    /* of the writer's CLOCK_BOOTTIME; for its own eyes */
	uint64_t wall_s;      /* for humans */
	uint64_t epoch;	      /* of the view that it is in */
	uint64_t reach;	      /* bit n-1: it hears node n on the network */
	uint64_t seen;	      /* bit n-1: node n is alive on this disk */
};

struct slot_pill {
	uint32_t incarnation; /* of the addressee */
	uint16_t id;
	uint8_t kind; /* enum slot_pill_kind */
};

struct outbox_record {
	struct record_head head;
	struct slot_pill pills[NODES_MAX]; /* for node i + 1 */
};

struct slot_ack {
	uint32_t incarnation; /* of the sender */
	uint16_t id;
	uint8_t result; /* enum slot_ack_result */
};

struct acks_record {
	struct record_head head;
	struct slot_ack acks[NODES_MAX]; /* to node i + 1 */
};

struct message_record {
	struct record_head head;
	uint16_t id; /* of the pills that it belongs to; 0: none */
	uint16_t bytes;
	char text[SLOT_MESSAGE_BYTES];
};

struct words_record {
	struct record_head head;
	uint64_t line; /* number of its first line; the first ever is 1, 0: no line */
	uint16_t bytes;
	char text[SLOT_WORDS_BYTES];
};

/* Not a part of the slot: it has a sector of its own, so that a claim that lands late cannot hurt
 * the heartbeat of a slot that was won by another. */
struct claim_record {
	struct record_head head; /* sequence counts the attempts of this incarnation */
	uint8_t machine[MACHINE_ID_BYTES];
	uint8_t boot[MACHINE_ID_BYTES];
	char name[NODE_NAME_BYTES];
	uint64_t wall_s;
};

/* Each judges the record of `want->node` in `want->cluster`; `block` are the 512 bytes that lie at
 * its place (want->magic and want->offset are filled in). Everything but the header is zeroed when
 * the verdict is not RECORD_OK. */
enum record_verdict heartbeat_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
				 struct heartbeat_record *record);
enum record_verdict outbox_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			      struct outbox_record *record);
enum record_verdict acks_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			    struct acks_record *record);
enum record_verdict message_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			       struct message_record *record);
/* index is 0..SLOT_WORDS_RECORDS-1 */
enum record_verdict words_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			     unsigned index, struct words_record *record);
/* want->offset says where, as it depends on the layout. */
enum record_verdict claim_in(const uint8_t block[RECORD_BYTES], const struct record_want *want,
			     struct claim_record *record);

/* The header's node, cluster, sequence, incarnation and nonce are the caller's; the rest of it is
 * filled in. */
void heartbeat_out(uint8_t block[RECORD_BYTES], const struct heartbeat_record *record);
void outbox_out(uint8_t block[RECORD_BYTES], const struct outbox_record *record);
void acks_out(uint8_t block[RECORD_BYTES], const struct acks_record *record);
void message_out(uint8_t block[RECORD_BYTES], const struct message_record *record);
void words_out(uint8_t block[RECORD_BYTES], unsigned index, const struct words_record *record);
void claim_out(uint8_t block[RECORD_BYTES], const struct claim_record *record, uint64_t offset);

/* "active", "reset"; static text; "?" for a number that is none. */
const char *slot_state_word(unsigned state);
const char *slot_pill_word(unsigned kind);

#endif
