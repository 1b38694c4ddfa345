/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hb_core.h - the heartbeat on 1 to 3 shared disks as a pure step function: one's own slot and
 * lease, the states of the other nodes, and the mailbox.
 *
 * Callers: hb_io.c, which turns actions into requests, and the simulator of the tests. Records are
 * encoded and decoded by hb_facts.c; the core sees what they say.
 *
 * ---- A round ----
 *
 * Once an interval, on each disk that is idle: one read of superblock and all slots, then one write of
 * one's own slot. Disks do not wait for one another; one that hangs skips rounds. That is one
 * read and one write per disk and interval, for any number of nodes. Reading first means that a
 * node that finds another's record in its slot stops before it writes again, and that the ack of
 * a pill leaves with the write that follows.
 *
 * A round that was answered in time is credited only when the next read of that disk shows the slot
 * that was written: a write that the disk lost, or sent elsewhere, renews nothing. A read that
 * shows one's own slot older than what this disk has confirmed is stale, and counts for nothing.
 *
 * Assumed of a disk: what it shows of one request was all there at one moment. That moment may be
 * past (a stale read): once we have written, our own slot tells. Before the first write of a new
 * incarnation nothing tells, so WATCH and CHECK rely on reads that are not stale; a disk that breaks
 * this is found by the read before the next write, and not before.
 *
 * Majority q: 1 of 1 disk, 2 of 2, 2 of 3. Two disks survive no loss; they serve to move from one
 * to another. What needs q and what does not:
 *
 *	own lease		credited rounds on q disks (K2 of base/timing_peer.h)
 *	slot			claim written on q disks, and read back from q
 *	pill delivered		written without error, and read back, on q disks
 *	peer dead by lease	reads of q disks without a newer record
 *	goodbye			written and read back on q disks
 *	peer alive or left, pill received, ack received: one disk is enough, for nobody but
 *	the owner of a slot writes it
 *
 * ---- Time (S6, S7) ----
 *
 * Stamps of completions are those of the worker: submitted_at is when the request went to the
 * device. A lease counts from the submission of the read that begins the round. A completion after
 * io_timeout_ms counts as failed, whatever it says. Each step looks at the lease first: a process
 * that wakes up late has lost it before it does anything else. A request that is
 * outstanding blocks its disk until HB_EVENT_LATE tells of it; what it brings is not used.
 *
 * ---- Claiming the slot ----
 *
 * A slot belongs to a node id, so the danger is two machines that are configured as one node.
 * They share all registers, and with one register no protocol excludes two writers without any
 * assumption on time. Here the assumption is only that clocks run at rates within rho: no
 * bound on the disk is assumed, since a claim whose own write was slow is void.
 *
 *	WATCH	read until the slot is free: never used, or left, or its owner's lease is over
 *		(the formula `silent` with the owner's published values), or it is of this very boot
 *		and the caller knows that process to be gone; and no unfinished claim of another was
 *		seen change for `watch`. Two changes of the heartbeat on one disk: refused, it is alive.
 *	CLAIM	write the claim, on all disks; good on q within `window` from the submission of the
 *		reads that decided, or it is void, and WATCH begins anew with the next attempt.
 *	WAIT	`wait` from the moment that q writes are known to be good.
 *	CHECK	read: q disks show this very attempt, and the heartbeats are as they were. Otherwise
 *		withdraw. The claim has a sector of its own, so that a loser never hurts a heartbeat.
 *	JOIN	write heartbeats; the lease begins with the first credited rounds on q disks. If that is
 *		later than `life` from the claim, or L from the first heartbeat, all was void.
 *
 * Claim: never two owners with a lease. Let A and B both pass CHECK, with claims that counted.
 * Their q disks of CHECK meet in a disk d; let A have read its claim there first, so that B's claim
 * landed on d after A's CHECK. B's claim counted, so B's deciding reads were submitted at most
 * `window` before it landed: after the end of A's WAIT less `window`, that is, after A's claim
 * was on q disks. So they met A's claim on some disk, or one that was written over it later, which
 * is unfinished and foreign too (an own former attempt is treated as foreign). B then waited
 * `watch` = life (1 + rho) from its first sight of that one, which is after A's claim was submitted.
 * By then A had its lease or never will. If A had it, its heartbeats were on q disks before B's deciding
 * reads, B saw them, and B's claim was submitted only when they had been `silent`: A's lease is over
 * (timing_peer.h). A's former heartbeats, and those of a machine that never claimed at the
 * same time, are the same case.
 * What is left (a clock beyond rho) ends at the next round of either: it reads before it writes.
 *
 * The new incarnation is larger than any that was seen on q disks, in heartbeats and in claims. So
 * whatever a former owner has in flight is older wherever it lands: peers pass it over, and the
 * owner writes over it.
 *
 * ---- Pills ----
 *
 * One for each addressee at a time. Delivered: q disks, on which the last write was without
 * error, show it in our own slot. From then on it is either acted on, or the addressee's
 * watchdog fires by the formula `pill`; not so where the addressee publishes no watchdog, or that
 * the end of its lease does not reset it (HB_FLAG_SURVIVES): there a pill has no deadline.
 * A disk that shows our slot as it was before (a late write of our predecessor) does not count any
 * more: what rests on it is delivered anew, and its deadline counts from there.
 * Acknowledged: the addressee says so in its slot. A pill stays until it is acknowledged,
 * withdrawn, or its addressee is gone; a new incarnation takes over what its predecessor had
 * posted to end others.
 * An addressee that has received a pill that ends it renews no lease any more, whoever sent it and
 * whatever happened to the sender since. Nor does a process that follows it in the same boot: others
 * may have read the ack. Where any disk shows that record, it is refused and has to act on the pill.
 *
 * Ownership: memory is the caller's; no allocation. A view is used only during the step.
 */
#ifndef HOLDFAST_HB_CORE_H
#define HOLDFAST_HB_CORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mono.h"

enum {
	HB_NODES_MAX = 64,
	HB_DISKS_MAX = 3,
	HB_NAME_BYTES = 64,
	HB_ID_BYTES = 16,
	HB_TEXT_BYTES = 460,
	/* A read tells of at most five things for each node (record bad, peer, pill, ack, die), and a
	 * step that ends everything of one more. */
	HB_ACTIONS_MAX = 6 * HB_NODES_MAX + 16,
};

enum hb_pill_kind {
	HB_PILL_NONE,
	HB_PILL_TEST,
	HB_PILL_MESSAGE,
	HB_PILL_CRASH,
	HB_PILL_RESET,
	HB_PILL_OFF,
	HB_PILL_KINDS,
};

enum hb_slot_state { HB_SLOT_JOINING = 1, HB_SLOT_ACTIVE, HB_SLOT_LEFT, HB_SLOT_DYING };

/* hb_config.flags, hb_seen.flags */
enum {
	HB_FLAG_LINK_TEST = 1,
	/* The end of the lease ends what rests on it, but resets the machine only if that will not
	 * end: dead by lease says nothing of the machine, and a pill for it does not expire. */
	HB_FLAG_SURVIVES = 2,
};

enum hb_ack_result { HB_ACK_NONE, HB_ACK_ACCEPTED, HB_ACK_REFUSED };

struct hb_config {
	uint16_t node; /* 1..nodes_max; of an observer 0 */
	int observer;  /* read only: no slot, no mail; peers are never concluded dead */
	uint16_t nodes_max;
	unsigned disks; /* 1..3 */
	char name[HB_NAME_BYTES];
	uint8_t machine[HB_ID_BYTES], boot[HB_ID_BYTES];
	uint32_t nonce;	      /* random, not 0 */
	uint32_t incarnation; /* at least this one */
	/* The caller holds a lock of this machine that the process of an earlier incarnation of this
	 * very boot would hold too. */
	int predecessor_gone;
	uint32_t interval_ms, io_timeout_ms;
	uint32_t member_timeout_ms; /* M: silence that makes a peer suspect */
	uint32_t lease_ms;	    /* L */
	uint32_t watchdog_ms;	    /* W as read back; 0: none stands behind the lease, and
					 peers must not conclude from its end */
	uint32_t grain_ms;	    /* g */
	uint32_t drain_ms;	    /* D */
	uint32_t drift_ppm;	    /* rho */
	uint32_t claim_window_ms;   /* of the superblock */
	uint32_t accepts;	    /* bit of each hb_pill_kind that the caller can act on */
	uint8_t flags;		    /* as published */
};

/* ---- what a read showed ---- */

enum hb_sight {
	HB_SIGHT_NONE, /* never written */
	HB_SIGHT_GOOD,
	HB_SIGHT_DAMAGED, /* torn, misplaced, of another cluster, or no record at all */
	HB_SIGHT_NEWER,	  /* of a format that this program does not know */
};

struct hb_pill {
	uint32_t incarnation;
	uint16_t id;
	uint8_t kind;
};

struct hb_ack {
	uint32_t incarnation;
	uint16_t id;
	uint8_t result;
};

struct hb_seen {
	uint8_t sight; /* of the heartbeat; the next lines belong to it */
	uint8_t state, flags;
	uint32_t incarnation, nonce;
	uint64_t sequence;
	uint32_t interval_ms, io_timeout_ms, lease_ms, watchdog_ms, grain_ms;
	uint64_t epoch, reach, seen;
	uint8_t machine[HB_ID_BYTES], boot[HB_ID_BYTES];
	char name[HB_NAME_BYTES];
	uint32_t print; /* checksum of the bytes, where they are damaged */

	uint8_t outbox_sight;
	uint32_t outbox_incarnation;
	struct hb_pill pill; /* for us */

	uint8_t acks_sight;
	uint32_t acks_incarnation, acks_nonce;
	struct hb_ack ack; /* to us */

	uint16_t message_id, message_bytes; /* 0: none readable */
	const char *message;
};

struct hb_view {
	int super_same; /* the superblock is the one that the disk was opened with */
	struct hb_seen nodes[HB_NODES_MAX]; /* of node i + 1; our own among them */

	uint32_t own_incarnation; /* the largest of any good record in our own slot */
	/* Our own slot's mail. */
	uint8_t outbox_sight;
	uint32_t outbox_incarnation, outbox_nonce;
	uint64_t outbox_sequence;
	struct hb_pill outbox[HB_NODES_MAX];

	/* Our slot's claim; only where HB_ACTION_READ asked for claims. */
	uint8_t claim_sight;
	uint32_t claim_incarnation, claim_nonce;
	uint64_t claim_attempt;
	uint32_t claim_print;
	char claim_name[HB_NAME_BYTES];
};

/* ---- events ---- */

enum hb_event_kind {
	HB_EVENT_TICK,
	HB_EVENT_READ_DONE,  /* answer to HB_ACTION_READ, once */
	HB_EVENT_WRITE_DONE, /* answer to a write, once */
	HB_EVENT_LATE,	     /* a request that was answered as outstanding has now ended */
	HB_EVENT_SEND,	     /* post a pill */
	HB_EVENT_WITHDRAW, /* take back what `request` posted; only the one `to` that node, if not 0 */
	HB_EVENT_PUBLISH, /* epoch and reach for the next heartbeats */
	HB_EVENT_LEAVE,	  /* say goodbye; nothing of this node needs its lease any more, for
				the first write of it that lands frees slot and peers */
};

struct hb_event {
	enum hb_event_kind kind;
	mono_t now;
	/* READ_DONE, WRITE_DONE, LATE */
	unsigned disk; /* 0..disks-1 */
	uint64_t token;
	int rc;
	int outstanding; /* it may still land: HB_EVENT_LATE follows */
	mono_t submitted_at, ended_at;
	const struct hb_view *view; /* READ_DONE with rc 0 */
	/* SEND, WITHDRAW */
	uint64_t request; /* SEND: not 0, which is that of all that was taken over; echoed in
			     HB_NOTE_MAIL */
	uint16_t to;
	enum hb_pill_kind pill;
	const char *text; /* HB_PILL_MESSAGE */
	size_t text_bytes;
	/* PUBLISH */
	uint64_t epoch, reach;
};

/* ---- actions ---- */

/* What a write of the slot holds, beside what the configuration says. */
struct hb_slot {
	uint8_t state;
	uint32_t incarnation;
	uint64_t sequence; /* grows with every write */
	mono_t stamp;
	uint64_t epoch, reach, seen;
	struct hb_pill pills[HB_NODES_MAX];
	struct hb_ack acks[HB_NODES_MAX];
	uint16_t message_id, message_bytes;
	char message[HB_TEXT_BYTES];
};

enum hb_action_kind {
	HB_ACTION_READ,	       /* superblock and slots */
	HB_ACTION_READ_CLAIMS, /* and claims */
	HB_ACTION_WRITE_SLOT,
	HB_ACTION_WRITE_CLAIM,
	HB_ACTION_NOTE,
};

enum hb_note_kind {
	/* Of our own slot. Those marked E end the core: it reads and writes no more. */
	HB_NOTE_WATCHING,   /* the slot has an owner, or had one; value: ms still to wait */
	HB_NOTE_CLAIM_VOID, /* disks too slow or failing; the claim is tried again; rc */
	HB_NOTE_ACTIVE,	    /* value: incarnation */
	HB_NOTE_REFUSED,    /* E; see enum hb_refusal in value */
	HB_NOTE_LEASE_LOST, /* E */
	HB_NOTE_SLOT_TAKEN, /* E: another machine's record was found in our slot */
	HB_NOTE_LEFT,	    /* E: the goodbye is on a majority */
	/* Of a disk. */
	HB_NOTE_DISK_GOOD,
	HB_NOTE_DISK_FAILED, /* rc */
	HB_NOTE_DISK_FREED,  /* the request that blocked it has ended */
	HB_NOTE_DISK_STALE, /* it showed our slot older than it had confirmed; value: sequence shown */
	HB_NOTE_DISK_CHANGED, /* its superblock is another one; it is not written any more */
	HB_NOTE_RECORD_BAD,   /* node, value: enum hb_sight */
	/* Of a peer. */
	HB_NOTE_PEER,	     /* state, was; value: incarnation */
	HB_NOTE_PEER_UNDEAD, /* what was dead or had left writes again, by the same incarnation */
	HB_NOTE_PEER_DUPLICATE, /* two machines write its slot */
	/* Mail. */
	HB_NOTE_PILL, /* received; pill, node: the sender, text */
	HB_NOTE_DIE,  /* act now: the ack is on a disk, or cannot be waited for; pill, node */
	HB_NOTE_MAIL, /* request, node, mail */
};

enum hb_refusal {
	HB_REFUSED_ALIVE = 1, /* another machine is alive in our slot */
	HB_REFUSED_RACE,      /* another machine claims it at this moment */
	HB_REFUSED_NEWER,     /* our slot is of a newer format, or no larger incarnation is left */
	HB_REFUSED_DYING,     /* this very boot has accepted a pill that ends it: act on that */
};

enum hb_mail {
	HB_MAIL_REFUSED, /* nothing was posted; rc */
	HB_MAIL_POSTED,
	HB_MAIL_DELIVERED, /* readable on a majority */
	HB_MAIL_ACCEPTED,  /* acknowledged */
	HB_MAIL_DECLINED,  /* acknowledged: it has no means for it */
	HB_MAIL_EXPIRED,   /* its reader has acted or is reset, by its own published values */
	HB_MAIL_GONE,	   /* the incarnation that it was for has left or was replaced */
	HB_MAIL_WITHDRAWN,
};

enum hb_peer_state {
	HB_PEER_NEVER,	 /* no record yet */
	HB_PEER_ALIVE,	 /* its record changed less than M ago */
	HB_PEER_SUSPECT, /* silent for M, or a record that has not changed since we look */
	HB_PEER_DEAD,	 /* by lease, proven; for this incarnation final */
	HB_PEER_LEFT,	 /* said goodbye; for this incarnation final */
};

struct hb_note {
	enum hb_note_kind kind;
	unsigned disk;
	uint16_t node;
	int rc;
	int64_t value;
	enum hb_peer_state state, was;
	enum hb_pill_kind pill;
	uint64_t request;
	enum hb_mail mail;
	const char *text; /* valid during the step's actions only */
	size_t text_bytes;
};

struct hb_action {
	enum hb_action_kind kind;
	unsigned disk;
	uint64_t token;
	mono_t deadline;
	const struct hb_slot *slot; /* WRITE_SLOT: valid until the next step */
	uint32_t incarnation;	    /* WRITE_CLAIM */
	uint64_t attempt;	    /* WRITE_CLAIM */
	struct hb_note note;
};

struct hb_out {
	struct hb_action actions[HB_ACTIONS_MAX];
	size_t count;
};

/* ---- the state ---- */

enum hb_stage {
	HB_STAGE_OBSERVE,
	HB_STAGE_WATCH,
	HB_STAGE_CLAIM,
	HB_STAGE_WAIT,
	HB_STAGE_CHECK,
	HB_STAGE_JOIN,
	HB_STAGE_ACTIVE,
	HB_STAGE_LEAVE,
	HB_STAGE_DYING,
	HB_STAGE_ENDED,
};

struct hb_peer {
	enum hb_peer_state state;
	struct hb_seen last; /* its newest heartbeat */
	mono_t changed_at;   /* our first sight of it */
	int duplicate;	     /* told */
	int undead;	     /* told */
};

enum hb_path { HB_PATH_IDLE, HB_PATH_READ, HB_PATH_WRITE, HB_PATH_STUCK };

struct hb_disk {
	enum hb_path path;
	uint64_t token;
	int is_claim; /* the request under way is a claim, or reads claims */
	int ever_read;
	int failed;	/* told */
	int changed;	/* told */
	int stale;	/* told */
	mono_t read_at; /* submission of the last read that counts; ns < 0: none */
	/* The round under way, and the one that waits for its credit. */
	mono_t round_at;
	uint64_t writing, written; /* sequence under way; last one that ended well */
	int write_failed;	   /* the last write ended badly */
	mono_t pending_at;	   /* ns < 0: none */
	uint64_t pending;
	mono_t good_at; /* stamp of the last credited round; ns < 0: none */
	/* Claiming. */
	int claimed, checked, mine;
	int left;	   /* it shows our goodbye */
	uint8_t own_sight; /* what its last read showed of our slot */
	uint32_t own_incarnation, own_nonce, own_print;
	uint64_t own_sequence;
	unsigned own_changes;
	uint8_t claim_sight;
	uint32_t claim_incarnation, claim_nonce, claim_print;
	uint64_t claim_attempt;
	/* What it last showed of each peer, and when it was last read clearly. */
	uint8_t sights[HB_NODES_MAX];
	uint32_t nonces[HB_NODES_MAX];
	uint64_t sequences[HB_NODES_MAX];
	mono_t clear_at[HB_NODES_MAX];
};

struct hb_letter {
	int in_use;
	uint64_t request;
	int delivered, expired;
	mono_t expires;
	uint8_t on_disk[HB_DISKS_MAX];
};

/* The caller provides the memory; the fields are the core's. */
struct hb_core {
	struct hb_config config;
	enum hb_stage stage;
	mono_t now;
	unsigned quorum;
	uint64_t next_token;
	mono_t next_round;
	struct hb_disk disks[HB_DISKS_MAX];
	struct hb_peer peers[HB_NODES_MAX];
	struct hb_slot slot;
	int sequence_taken; /* in this step; all writes of a step say the same */
	struct hb_letter letters[HB_NODES_MAX];
	uint16_t next_id;
	/* Claiming. */
	uint32_t highest; /* incarnation seen in our slot */
	uint64_t attempt;
	struct hb_seen holder;	  /* the newest heartbeat in our slot that is not ours */
	mono_t holder_changed_at; /* ns < 0: no holder to wait for */
	mono_t claims_changed_at; /* ns < 0: no unfinished claim */
	mono_t decided_at, claim_at, wait_until, join_until;
	int told_watching, told_void;
	struct hb_pill inherited[HB_NODES_MAX];
	uint32_t inherited_incarnation;
	uint64_t inherited_sequence;
	/* Dying. */
	enum hb_pill_kind pill;
	uint16_t pill_from;
	uint64_t pill_sequence; /* first slot that holds the ack */
	mono_t die_at;
};

/* 0, or RC_CONFIG with the reason. */
int hb_core_init(struct hb_core *core, const struct hb_config *config, mono_t now, struct err *err);

/* One event in, all that follows from it out. out is emptied first. */
void hb_core_step(struct hb_core *core, const struct hb_event *event, struct hb_out *out);

/* The moment of the next TICK; MONO_NEVER when the core has ended. */
mono_t hb_core_deadline(const struct hb_core *core);

/* Until when our own lease lasts; a moment before all others while there is none. */
mono_t hb_core_lease_until(const struct hb_core *core);

/* Our incarnation once the claim is decided; 0 before. */
uint32_t hb_core_incarnation(const struct hb_core *core);

const struct hb_peer *hb_core_peer(const struct hb_core *core, uint16_t node);

/* Is anything of the core still in the hands of a disk? */
int hb_core_is_busy(const struct hb_core *core);

const char *hb_peer_state_word(enum hb_peer_state state);

/* "node 3 is dead by lease (incarnation 7)": for logs, last words and traces. Returns text. */
char *hb_note_text(const struct hb_note *note, char *text, size_t size);

#endif
