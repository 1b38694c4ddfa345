/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_core.h - decides which reservation commands go to one logical unit, and what came of them.
 *
 * Callers: lockd, one for each unit. A step function: events in, actions out; the caller sends the
 * commands (lockd/pr_cdb_wire), reads the answers (lockd/pr_sense_wire) and keeps the time. The
 * unit is reached by several paths; a path is one I_T nexus, and registrations belong to paths.
 *
 * A job (join, reserve, preempt ...) ends in one of six outcomes, each with its cause. PR_DONE was
 * seen: by the status of the command, and by reading keys and reservation back. What could not be
 * seen is PR_UNKNOWN, never done (S1).
 *
 * Rules (DESIGN section 5):
 *  R1 A unit attention is noted, and the same command sent again: it was not executed. Bounded.
 *  R2 RESERVATION CONFLICT is never repeated blindly: keys and reservation are read, and only what
 *     was read there decides.
 *  R3 A command without an answer, or that failed in the middle, may have acted and may act yet (S7).
 *     Its path is in doubt: nothing more goes there until it was recovered (a new session, which
 *     disposes of the old one's commands) or the answer has come late. What it did is found out by
 *     reading, on another path or after the recovery; the generation tells whether anything changed.
 *  R4 After a reset or in a new session (29/xx) nothing is known of the registrations of a path. It
 *     is asked by REGISTER of our key over our key, which succeeds only where it is registered, and
 *     never registers anything that was not.
 *  R5 (S10) REGISTER of our key where it is not comes from a join that the owner has been admitted
 *     to, and from nothing else. An admission is a number that grows, and is good for one join; being
 *     ejected spends it as well. What may not be: a late path registered "because we are in".
 *     Between the look and the REGISTER a peer may have ejected us. So a path that comes late is told
 *     (PR_NOTE_PATH_OUTSIDE) and joins by a join. A join first lets every path tell what it has to
 *     tell (READ KEYS). A node that believes to be in and is told of an ejection, then or later,
 *     was admitted before it, and the join ends.
 *     The other side of it: who admits a node does not count it as ejected before the admission
 *     has ended, which is the deadline of the join.
 *  R6 Nothing is overwritten: a nexus that is registered with a key that is neither ours nor that of
 *     an earlier life of this node is in the way, and said to be.
 *
 * A PREEMPT that lands late is harmless, because keys hold the incarnation and an ejected one does not
 * come back (S10): it finds no such key. A late CLEAR or REGISTER is not; a job with such a command
 * in doubt waits for the path until its deadline.
 *
 * Ownership: fixed arrays, no allocation. The list of keys of an answer is copied.
 */
#ifndef HOLDFAST_PR_CORE_H
#define HOLDFAST_PR_CORE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mono.h"
#include "base/pr.h"

enum {
	PR_PATHS_MAX = 8,
	PR_CORE_KEYS_MAX = 512,
	PR_ACTIONS_MAX = 32, /* of one step; more is a fault of this code */
	PR_REPEATS_MAX = 16, /* of one command after unit attentions */
	PR_RETRIES_MAX = 4,  /* informed repetitions of the command of a job */
};

/* ---- jobs and their outcomes ---- */

enum pr_job_kind {
	PR_JOB_NONE,
	PR_JOB_JOIN,	/* register our key on every path that is up */
	PR_JOB_VERIFY,	/* read keys and reservation, ask every path that is not sure */
	PR_JOB_RESERVE, /* take the reservation */
	PR_JOB_RELEASE, /* give it up */
	PR_JOB_PREEMPT, /* eject another key; takes its reservation if it holds it */
	PR_JOB_CLEAR,	/* remove all keys and the reservation */
	PR_JOB_LEAVE,	/* unregister everywhere */
};

#define PR_OUTCOME_LIST(X)                                                                         \
	X(DONE, "done")		      /* and seen to be */                                         \
	X(CONFLICT, "conflict")	      /* somebody or something is in the way: holder, cause */     \
	X(EJECTED, "ejected")	      /* our key is not registered (any more) */                   \
	X(UNKNOWN, "unknown")	      /* it cannot be told */                                      \
	X(UNSUPPORTED, "unsupported") /* the unit cannot do this */                                \
	X(REFUSED, "refused")	      /* nothing was changed: by us, or for lack of room or path */

enum pr_outcome {
#define X(sym, word) PR_##sym,
	PR_OUTCOME_LIST(X)
#undef X
		PR_OUTCOMES
};

#define PR_CAUSE_LIST(X)                                                                           \
	X(NONE, "none", "as it should be")                                                         \
	X(RESOLVED, "resolved", "the command got no answer; its effect was read back")             \
	X(NO_ABORT, "no-abort", "the unit has no PREEMPT AND ABORT: plain PREEMPT, so drain")      \
	X(ALREADY, "already", "it was so already")                                                 \
	X(HELD, "held", "another key holds the reservation")                                       \
	X(OTHER_TYPE, "other-type", "the reservation has another type")                            \
	X(VICTIM_ABSENT, "victim-absent", "the key to be ejected is not registered")               \
	X(VICTIM_BACK, "victim-back", "the ejected key is registered again")                       \
	X(PATH_BLOCKED, "path-blocked", "a path is registered with a key that is not ours")        \
	X(KEY_GONE, "key-gone", "our key is not on the unit")                                      \
	X(SESSION_LOST, "session-lost", "our key is on the unit, but no path of ours carries it")  \
	X(NOT_ADMITTED, "not-admitted", "no admission, or one from before the ejection (S10)")     \
	X(NOT_JOINED, "not-joined", "this node has not joined")                                    \
	X(WRONG_KEY, "wrong-key", "the key to be ejected is our own, or none")                     \
	X(BUSY, "busy", "another job is under way")                                                \
	X(NO_ROOM, "no-room", "the unit has no room for another registration")                     \
	X(NO_PATH, "no-path", "no path was usable; nothing was sent that changes anything")        \
	X(DEADLINE, "deadline", "the time was up")                                                 \
	X(UNSTABLE, "unstable", "keys or reservation changed under every attempt")                 \
	X(LEFT_BEHIND, "left-behind", "our key is still registered by a session that is gone")     \
	X(ANSWER, "answer", "the unit refused or failed; see the answer")

enum pr_cause {
#define X(sym, word, meaning) PR_CAUSE_##sym,
	PR_CAUSE_LIST(X)
#undef X
		PR_CAUSES
};

const char *pr_outcome_word(enum pr_outcome outcome);
const char *pr_cause_word(enum pr_cause cause);
const char *pr_cause_text(enum pr_cause cause);

struct pr_result {
	enum pr_outcome outcome;
	enum pr_cause cause;
	/* What was read last. */
	uint32_t generation;
	int is_held;
	uint64_t holder; /* 0: nobody, or all registrants */
	uint8_t type;
	/* Does our key hold it (or is registered, with an all-registrants type)? Read, not assumed. An
	 * arbiter asks this, and not the outcome alone: preempting a key that held nothing gives
	 * nothing. With Write Exclusive and Exclusive Access only the path that took it may use
	 * the unit, and a session that is gone may be the one: choose a type for registrants. */
	int holds;
	int aborted; /* PREEMPT: by PREEMPT AND ABORT, whose status was GOOD; else drain */
	int is_ours; /* the status was GOOD; with PR_CAUSE_RESOLVED somebody else may have done it */
	uint32_t
		registered; /* paths known to carry our key (bit n, path n); after a conflict or a new
				session that is asked anew first */
	uint32_t in_doubt;	 /* paths on which a command may act yet */
	enum pr_meaning meaning; /* of the last answer to a command of this job */
};

/* ---- events ---- */

enum pr_event_kind {
	PR_EVENT_TIME,	    /* nothing but the time */
	PR_EVENT_PATH_UP,   /* a path is usable: new, or with a new session */
	PR_EVENT_PATH_DOWN, /* it is not; commands under way are answered first */
	PR_EVENT_ATTENTION, /* another command of that path was told an attention */
	PR_EVENT_JOB,
	PR_EVENT_ANSWER,
};

struct pr_event {
	enum pr_event_kind kind;
	mono_t now;
	unsigned path; /* PATH_*, ATTENTION */
	enum pr_attention attention;
	/* JOB: */
	enum pr_job_kind job;
	uint64_t job_token;
	mono_t deadline;    /* JOIN: not after the end of the admission */
	uint64_t admission; /* JOIN */
	int aptpl;	    /* JOIN */
	uint8_t type;	    /* RESERVE, PREEMPT */
	uint64_t victim;    /* PREEMPT */
	/* RESERVE, PREEMPT: a status of GOOD is enough, nothing is read back; `holds` is then not told.
	 * VERIFY: read the keys alone. For whom each command counts, and who knows what it proves. */
	int by_status;
	/* ANSWER: */
	uint64_t token;
	struct pr_reply reply;
	/* of READ KEYS and READ RESERVATION that were GOOD */
	uint32_t generation;
	const uint64_t *keys;
	size_t keys_count;
	int keys_cut; /* there are more than these */
	int is_held;
	uint64_t holder;
	uint8_t held_type;
};

/* ---- actions ---- */

enum pr_note {
	PR_NOTE_ATTENTION,    /* the unit told this on that path */
	PR_NOTE_EJECTED,      /* our key is gone: stop writing, stop petting */
	PR_NOTE_PATH_IN,      /* this path carries our key */
	PR_NOTE_PATH_OUTSIDE, /* this path does not; it takes a join (R5) */
	PR_NOTE_VERIFIED, /* the core has looked again by itself, after a reset, a new session or an
				 attention; `result` has what it saw */
};

enum pr_action_kind {
	PR_ACTION_SEND, /* send a command; answer with PR_EVENT_ANSWER, also when it comes late */
	PR_ACTION_RECOVER, /* a command is in doubt: give the path a new session; then PATH_UP */
	PR_ACTION_FINISH,  /* the job is over */
	PR_ACTION_NOTE,
};

struct pr_action {
	enum pr_action_kind kind;
	unsigned path;
	/* SEND */
	uint64_t token;
	enum pr_command command;
	uint64_t key, service_key;
	uint8_t type;
	int aptpl;
	mono_t deadline; /* then it is PR_MEANS_NO_ANSWER */
	/* FINISH; the result also with PR_NOTE_VERIFIED */
	enum pr_job_kind job;
	uint64_t job_token;
	struct pr_result result;
	/* NOTE */
	enum pr_note note;
	enum pr_attention attention;
};

struct pr_actions {
	struct pr_action list[PR_ACTIONS_MAX];
	size_t count;
};

/* ---- state ---- */

enum pr_path_registration {
	PR_PATH_OUT,	 /* not with our key */
	PR_PATH_UNSURE,	 /* not known: ask (R4) */
	PR_PATH_IN,	 /* with our key */
	PR_PATH_BLOCKED, /* with a key that is not ours (R6) */
};

struct pr_path {
	int is_up;
	enum pr_path_registration registration;
	uint64_t doubt; /* token of a command that may act yet; 0: none */
	int is_recovering;
	/* of the job at hand: */
	int is_tried, is_asked, is_heard;
	int is_entered; /* REGISTER of our key was sent: once for each admission. When its outcome was
			   unknown and the key is not there, it may have been, and been ejected */
	size_t old_keys_tried;
};

/* Why a command was sent: what its answer is for. */
enum pr_purpose {
	PR_FOR_KEYS,
	PR_FOR_RESERVATION,
	PR_FOR_ASKING,	    /* our key over our key (R4) */
	PR_FOR_ENTERING,    /* our key where none is */
	PR_FOR_SUCCEEDING,  /* our key over that of an earlier life */
	PR_FOR_LEAVING,	    /* no key over ours */
	PR_FOR_THE_JOB,	    /* RESERVE, RELEASE, PREEMPT, CLEAR */
	PR_FOR_TAKING_BACK, /* PREEMPT of our own key, registered by sessions that are gone */
};

struct pr_job {
	enum pr_job_kind kind;
	int is_own; /* started by the core itself */
	int was_joined;
	uint64_t token;
	mono_t deadline;
	uint64_t admission, victim;
	int aptpl, by_status;
	uint8_t type;
	unsigned retries;
	int has_changed_anything; /* a PERSISTENT RESERVE OUT was sent */
	int is_done;		  /* its command had the status GOOD */
	int in_doubt;		  /* its command may have acted */
	int aborted, took_back;
	enum pr_cause cause; /* what to say with PR_DONE */
	enum pr_meaning meaning;
};

struct pr_core {
	uint64_t key;
	int64_t io_timeout_ms;
	struct pr_path paths[PR_PATHS_MAX];
	uint64_t last_token;
	int is_joined, was_ever_in;
	uint64_t admission,
		spent_admission; /* the highest that was stated; that is no good any more */
	int has_abort;		 /* -1: not known yet */
	int wants_verify;
	struct pr_job job;
	/* The command under way; one at a time. */
	struct {
		uint64_t token; /* 0: none */
		unsigned path;
		enum pr_purpose purpose;
		struct pr_action send; /* to send it again */
		unsigned repeats;
		mono_t again_at; /* MONO_NEVER: it is out */
		int64_t wait_ms;
	} command;
	/* What was read. */
	int keys_fresh, held_fresh;
	uint32_t generation;
	uint64_t keys[PR_CORE_KEYS_MAX];
	size_t keys_count;
	int keys_cut;
	int is_held;
	uint64_t holder;
	uint8_t held_type;
};

/* io_timeout_ms: for one command. Paths are down until PR_EVENT_PATH_UP. */
void pr_core_init(struct pr_core *core, uint64_t key, int64_t io_timeout_ms);

/* The same for a key that an earlier process of this node has registered, in this life of the node:
 * it counts as joined until the unit says otherwise, and each path is asked first (R4). */
void pr_core_resume(struct pr_core *core, uint64_t key, int64_t io_timeout_ms);

/* actions is emptied first. */
void pr_core_step(struct pr_core *core, const struct pr_event *event, struct pr_actions *actions);

/* When PR_EVENT_TIME is due at the latest. */
mono_t pr_core_deadline(const struct pr_core *core);

#endif
