/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lockd.h - the daemon of the shared disks: its state, and what a part of it is.
 *
 * Callers: the files of lockd alone. lockd.c holds main; lockd_parts.c lists the parts. What the
 * daemon can do is made of parts: claims of the cluster lock, named locks, registrations. A part
 * is a file with a `struct lockd_part`: its ops for clients, its hooks, and the bit of the tokens by
 * which the answers of disks find it.
 *
 * Everything runs on the thread of one loop and may not wait. Hooks and ops are called from the
 * loop, never from inside another call into the part, unless said otherwise.
 *
 * Ownership: one struct lockd, made by main, alive until the process ends. Parts keep their own
 * state behind lockd->data[], allocated in begin(), freed in end().
 */
#ifndef HOLDFAST_LOCKD_H
#define HOLDFAST_LOCKD_H

#include <jansson.h>
#include <uv.h>

#include "base/err.h"
#include "diskhb/hb_io.h"
#include "host/boot_timer.h"
#include "host/disk.h"
#include "lockd/lockd_options.h"

/* Whose answer is it? Bit 63 is the heartbeat's (HB_IO_TOKEN_BIT). */
#define LOCKD_TOKEN_ARBITER (UINT64_C(1) << 62)
#define LOCKD_TOKEN_LOCKS (UINT64_C(1) << 61)
#define LOCKD_TOKEN_PR (UINT64_C(1) << 60)

struct lockd;
struct lockd_call;

/* ---- clients ---- */

/* One op of the protocol (docs/lockd-protocol.md). run() answers now or later by exactly one of
 * lockd_call_ok() and lockd_call_fail(). */
struct lockd_op {
	const char *name; /* NULL ends a table */
	void (*run)(struct lockd_call *call);
	/* Refused with RC_STATE as long as this node is not active on its disks. */
	int needs_active;
};

/* A request until its final answer. The server's memory: it goes with the final answer, or with
 * the client. A part that answers later sets `gone`, which is called when the client has vanished
 * first: then the call may not be used any more, and is not to be answered. */
struct lockd_call {
	struct lockd *lockd;
	const json_t *request; /* the object, until the final answer */
	json_int_t id;
	const char *op;
	pid_t pid; /* of the client, as the kernel says */
	uid_t uid;
	void *data; /* the part's */
	void (*gone)(struct lockd_call *call);
	struct lockd_peer *peer; /* the server's own */
	struct lockd_call *next; /* the server's own */
};

/* The final answer: {"v":1,"id":N,"ok":true} with the members of `fields`, whose reference is
 * taken; NULL for none. */
void lockd_call_ok(struct lockd_call *call, json_t *fields);

/* The final answer: {"v":1,"id":N,"ok":false,"cause":"state","error":"object: cause; next step"}. */
void lockd_call_fail(struct lockd_call *call, const struct err *err);

/* Before the final answer: {"v":1,"id":N,"progress":WORD} with the members of `fields` (taken). */
void lockd_call_progress(struct lockd_call *call, const char *word, json_t *fields);

/* Members of the request. 0, or RC_CONFIG with *err filled; a missing member leaves *value as it
 * is when `required` is 0. Text points into the request. */
int lockd_call_text(const struct lockd_call *call, const char *member, int required,
		    const char **value, struct err *err);
int lockd_call_number(const struct lockd_call *call, const char *member, int required,
		      int64_t least, int64_t most, int64_t *value, struct err *err);
/* "to": a node by its id or by the name that its heartbeat tells. */
int lockd_call_node(const struct lockd_call *call, const char *member, uint16_t *node,
		    struct err *err);

enum lockd_topic {
	LOCKD_TOPIC_PEER,
	LOCKD_TOPIC_DISK,
	LOCKD_TOPIC_LEASE,
	LOCKD_TOPIC_LOCK,
	LOCKD_TOPIC_PILL,
	LOCKD_TOPIC_WATCHDOG,
	LOCKD_TOPIC_ARBITER,
	LOCKD_TOPICS,
};

/* Tell all who subscribed: {"v":1,"event":TOPIC} with the members of `fields` (taken). */
void lockd_event(struct lockd *lockd, enum lockd_topic topic, json_t *fields);

/* ---- disks ---- */

enum lockd_path {
	LOCKD_PATH_OPENED, /* a disk that was missing is there */
	LOCKD_PATH_LOST,   /* iSCSI: the session is lost; a new login is tried */
	LOCKD_PATH_BACK, /* iSCSI: a new login has worked: registrations are gone, unit attentions come */
};

struct lockd_disk {
	struct lockd *lockd;
	unsigned index;	     /* 0..disks_count-1: by the superblock */
	struct disk *disk;   /* NULL: missing */
	struct hb_area area; /* once the disk was open */
	int is_known;	     /* area is filled */
	int is_failed;	     /* as the heartbeat says */
	int is_lost;	     /* iSCSI: session lost */
};

/* Hand a request to disk d; its token has the bit of the part. 0, or RC_UNREACHABLE (missing),
 * RC_BUSY (the parts have many on their way already: later again) and what disk_submit() says:
 * then there is no answer. The heartbeat always finds room beside what the parts ask. */
int lockd_submit(struct lockd *lockd, unsigned d, const struct disk_request *request,
		 struct err *err);

/* ---- parts ---- */

struct lockd_part {
	const char *name;
	uint64_t token_bit;	    /* 0: it uses no disk */
	const struct lockd_op *ops; /* ends with .name == NULL; NULL: none */
	/* Disks are open, the heartbeat has not begun. 0, or the daemon does not start. */
	int (*begin)(struct lockd *lockd, struct err *err);
	/* DISK_DONE and DISK_LATE of its tokens, bit included. */
	void (*answered)(struct lockd *lockd, unsigned d, const struct disk_answer *answer);
	/* A path came or went. */
	void (*path)(struct lockd *lockd, unsigned d, enum lockd_path what);
	/* A note of the heartbeat, after its step: calls into the heartbeat are allowed. HB_NOTE_ACTIVE
	 * is the begin of a new incarnation, and HB_NOTE_LEASE_LOST the end of one. text is printable, and
	 * gone afterwards. */
	void (*noted)(struct lockd *lockd, const struct hb_note *note);
	/* The lease was looked at (once an interval, and when it ends): `until` is its end,
	 * a moment before all others when there is none. */
	void (*lease)(struct lockd *lockd, mono_t now, mono_t until);
	/* A pill that ends this node was accepted: drop everything now. */
	void (*dying)(struct lockd *lockd);
	/* An orderly stop is wanted: give back what can be given back. 0: nothing is held any more.
	 * Otherwise it is called again until it is so, or the daemon's patience ends. */
	int (*stop)(struct lockd *lockd);
	/* Add to the answer of `status`. */
	void (*status)(struct lockd *lockd, json_t *status);
	void (*end)(struct lockd *lockd); /* free its memory; no call into the daemon */
};

enum { LOCKD_PARTS_MAX = 8 };

/* lockd_parts.c; ends with NULL. */
extern const struct lockd_part *const lockd_parts[];

/* Where a part keeps its state: a pointer of its own, NULL at first. */
void **lockd_data(struct lockd *lockd, const struct lockd_part *part);

/* ---- the lease ---- */

/* Until when this node's lease lasts; a moment before all others while there is none. */
mono_t lockd_lease_until(const struct lockd *lockd);

/* Something is about to rest on the lease (a lock that will be held). From here on the watchdog
 * is renewed by the lease alone, until as many lockd_rest_end(). RC_STATE when the lease is not
 * good enough at this moment: not active, dying, stopping, or the watchdog was renewed for
 * longer than the lease says (then try again after an interval: RC_BUSY). */
int lockd_rest_begin(struct lockd *lockd, struct err *err);
void lockd_rest_end(struct lockd *lockd);

/* ---- logging: lines for the journal, the last ones for the node's last words too ---- */

enum lockd_weight { LOCKD_FAULT = 3, LOCKD_WARN = 4, LOCKD_INFO = 6 }; /* as syslog's */

void lockd_log(enum lockd_weight weight, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* And into the last words on the disk. */
void lockd_say(struct lockd *lockd, enum lockd_weight weight, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- the daemon ---- */

struct lockd_doors;  /* lockd_disks_io.c */
struct lockd_heart;  /* lockd_heart_io.c */
struct lockd_server; /* lockd_server_io.c */
struct lockd_watch;  /* lockd_watch_io.c */
struct lockd_state;  /* lockd_state_io.c */

struct lockd {
	uv_loop_t loop;
	struct lockd_options options;
	/* Of the superblocks; the same on all disks of the cluster, but for index and uuid. */
	struct super_record super;
	struct disk_layout layout;
	unsigned disks_count;
	struct lockd_disk disks[HB_DISKS_MAX];
	struct hb_config config;   /* of the heartbeat: node, name, machine, timeouts */
	struct hb_io *heart;	   /* NULL: not begun, or ended */
	int is_active;		   /* has slot and lease */
	int is_dying;		   /* a pill that ends this node was accepted */
	int is_stopping;	   /* an orderly stop is under way */
	int has_left;		   /* the goodbye is on the disks */
	int is_evicted;		   /* the slot is another machine's */
	int is_ended, exit_status; /* main leaves its loop */
	unsigned resting;	   /* lockd_rest_begin() less lockd_rest_end() */
	struct lockd_doors *doors;
	struct lockd_heart *heart_shell;
	struct lockd_server *server;
	struct lockd_watch *watch;
	struct lockd_state *state;
	void *data[LOCKD_PARTS_MAX];
};

/* "1 shared disk(s)", node names: what the node is called that heartbeats as `node`; "" unknown. */
const char *lockd_node_name(const struct lockd *lockd, uint16_t node);

#endif
