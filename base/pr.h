/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pr.h - the words of SCSI-3 persistent reservations: commands, types, keys, what an answer means.
 *
 * Callers: the codecs (lockd/pr_cdb_wire, lockd/pr_sense_wire), the core that decides
 * (lockd/pr_core), and whoever shows reservations to a human. No bytes of the wire are here but
 * the type codes.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_PR_H
#define HOLDFAST_PR_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* ---- commands: X(symbol, word) ---- */

/* The service actions of PERSISTENT RESERVE IN, then those of PERSISTENT RESERVE OUT. */
#define PR_COMMAND_LIST(X)                                                                         \
	X(READ_KEYS, "READ KEYS")                                                                  \
	X(READ_RESERVATION, "READ RESERVATION")                                                    \
	X(REPORT_CAPABILITIES, "REPORT CAPABILITIES")                                              \
	X(READ_FULL_STATUS, "READ FULL STATUS")                                                    \
	X(REGISTER, "REGISTER")                                                                    \
	X(RESERVE, "RESERVE")                                                                      \
	X(RELEASE, "RELEASE")                                                                      \
	X(CLEAR, "CLEAR")                                                                          \
	X(PREEMPT, "PREEMPT")                                                                      \
	X(PREEMPT_AND_ABORT, "PREEMPT AND ABORT")                                                  \
	X(REGISTER_AND_IGNORE, "REGISTER AND IGNORE EXISTING KEY")                                 \
	X(REGISTER_AND_MOVE, "REGISTER AND MOVE")                                                  \
	X(REPLACE_LOST, "REPLACE LOST RESERVATION")

enum pr_command {
#define X(sym, word) PR_##sym,
	PR_COMMAND_LIST(X)
#undef X
		PR_COMMANDS
};

static inline int pr_command_is_out(enum pr_command command)
{
	return command >= PR_REGISTER;
}

/* The name as in the standard. Static text. */
const char *pr_command_word(enum pr_command command);

/* ---- types: X(symbol, code of SPC-4, word, name) ---- */

#define PR_TYPE_LIST(X)                                                                            \
	X(WRITE_EXCLUSIVE, 1, "we", "Write Exclusive")                                             \
	X(EXCLUSIVE_ACCESS, 3, "ea", "Exclusive Access")                                           \
	X(WRITE_EXCLUSIVE_RO, 5, "we-ro", "Write Exclusive, Registrants Only")                     \
	X(EXCLUSIVE_ACCESS_RO, 6, "ea-ro", "Exclusive Access, Registrants Only")                   \
	X(WRITE_EXCLUSIVE_AR, 7, "we-ar", "Write Exclusive, All Registrants")                      \
	X(EXCLUSIVE_ACCESS_AR, 8, "ea-ar", "Exclusive Access, All Registrants")

enum pr_type {
	PR_TYPE_NONE = 0,
#define X(sym, code, word, name) PR_TYPE_##sym = (code),
	PR_TYPE_LIST(X)
#undef X
};

/* Is the code one of the six? */
int pr_type_is_known(unsigned code);

/* Does every registrant hold the reservation? */
static inline int pr_type_is_all_registrants(enum pr_type type)
{
	return type == PR_TYPE_WRITE_EXCLUSIVE_AR || type == PR_TYPE_EXCLUSIVE_ACCESS_AR;
}

/* May every registrant use the unit (registrants-only and all-registrants)? */
static inline int pr_type_is_shared(enum pr_type type)
{
	return type >= PR_TYPE_WRITE_EXCLUSIVE_RO;
}

static inline int pr_type_keeps_readers_out(enum pr_type type)
{
	return type == PR_TYPE_EXCLUSIVE_ACCESS || type == PR_TYPE_EXCLUSIVE_ACCESS_RO ||
	       type == PR_TYPE_EXCLUSIVE_ACCESS_AR;
}

/* "we-ro", "Write Exclusive, Registrants Only"; "none" and "no reservation" for PR_TYPE_NONE,
 * "unknown" for a code that is none of the six. Static text. */
const char *pr_type_word(unsigned code);
const char *pr_type_name(unsigned code);

/* The type for a word or a code in digits ("5"); PR_TYPE_NONE when it is neither. */
enum pr_type pr_type_parse(const char *text);

/* ---- keys ---- */

/* A key of ours: cluster(32) | node(16) | incarnation(16), rule S10. 0 is no key: it says "not
 * registered". Cluster ids are not 0, hence no key of ours is. */
static inline uint64_t pr_key_make(uint32_t cluster, uint16_t node, uint16_t incarnation)
{
	return (uint64_t)cluster << 32 | (uint64_t)node << 16 | incarnation;
}

static inline uint32_t pr_key_cluster(uint64_t key)
{
	return (uint32_t)(key >> 32);
}

static inline uint16_t pr_key_node(uint64_t key)
{
	return (uint16_t)(key >> 16);
}

static inline uint16_t pr_key_incarnation(uint64_t key)
{
	return (uint16_t)key;
}

/* Same cluster and node, whatever the incarnation: an earlier or later life of the same node. */
static inline int pr_key_is_same_node(uint64_t a, uint64_t b)
{
	return a >> 16 == b >> 16;
}

enum { PR_KEY_TEXT_BYTES = 19 }; /* "0x0123456789abcdef" */

/* "0x" and 16 digits; what pr_key_parse() and other tools read. Returns out. */
const char *pr_key_text(uint64_t key, char out[PR_KEY_TEXT_BYTES]);

/* Read a key: "0x" and 1 to 16 hexadecimal digits, or CLUSTER:NODE:INCARNATION (cluster in
 * hexadecimal, the others in decimal). Digits alone are refused: some tools read them as
 * hexadecimal, people read them as decimal. Not 0. */
int pr_key_parse(const char *text, uint64_t *key, struct err *err);

/* ---- what an answer means: X(symbol, word, meaning) ---- */

/* "Not executed": the unit was not changed by this command, and will not be. */
#define PR_MEANING_LIST(X)                                                                         \
	X(GOOD, "good", "done")                                                                    \
	X(CONFLICT, "reservation-conflict", "not executed: reservation or key in the way")         \
	X(ATTENTION, "unit-attention", "not executed: the unit tells of an event first")           \
	X(BUSY, "busy", "not executed: the unit is busy")                                          \
	X(NOT_READY, "not-ready", "not executed: the unit is not ready")                           \
	X(INVALID_COMMAND, "invalid-command", "not executed: the unit has no such command")        \
	X(INVALID_FIELD, "invalid-field",                                                          \
	  "not executed: the unit has no such service action or option")                           \
	X(INVALID_PARAMETER, "invalid-parameter",                                                  \
	  "not executed: a parameter is wrong or not supported")                                   \
	X(INVALID_LENGTH, "invalid-length",                                                        \
	  "not executed: the parameter list has the wrong length")                                 \
	X(INVALID_RELEASE, "invalid-release",                                                      \
	  "not executed: the reservation has another scope or type")                               \
	X(NO_ROOM, "no-room", "not executed: the unit has no room for another registration")       \
	X(NO_UNIT, "no-unit", "not executed: there is no such logical unit")                       \
	X(INFORMATION_LOST, "information-lost",                                                    \
	  "not executed: the unit has lost its reservations")                                      \
	X(REFUSED, "refused", "not executed: the unit refuses for another reason")                 \
	X(ABORTED, "aborted", "began, and was aborted: the outcome is unknown")                    \
	X(FAILED, "failed", "the unit failed while at it: the outcome is unknown")                 \
	X(NO_ANSWER, "no-answer", "sent, and not answered: the outcome is unknown")                \
	X(NOT_SENT, "not-sent", "not executed: it was never sent")

enum pr_meaning {
#define X(sym, word, meaning) PR_MEANS_##sym,
	PR_MEANING_LIST(X)
#undef X
		PR_MEANINGS
};

const char *pr_meaning_word(enum pr_meaning meaning);
const char *pr_meaning_text(enum pr_meaning meaning);

/* May the command have been executed, or be executed yet? The question that separates "no" from
 * "unknown" (rule S1); true for GOOD too. */
static inline int pr_meaning_may_have_acted(enum pr_meaning meaning)
{
	return meaning == PR_MEANS_GOOD || meaning == PR_MEANS_ABORTED ||
	       meaning == PR_MEANS_FAILED || meaning == PR_MEANS_NO_ANSWER;
}

/* Does the unit lack the command, the service action or an option of it? */
static inline int pr_meaning_is_unsupported(enum pr_meaning meaning)
{
	return meaning == PR_MEANS_INVALID_COMMAND || meaning == PR_MEANS_INVALID_FIELD;
}

/* ---- unit attentions: X(symbol, word, meaning) ---- */

#define PR_ATTENTION_LIST(X)                                                                       \
	X(NONE, "none", "none")                                                                    \
	X(RESERVATIONS_PREEMPTED, "reservations-preempted", "all registrations were cleared")      \
	X(RESERVATIONS_RELEASED, "reservations-released",                                          \
	  "the reservation went or changed its type")                                              \
	X(REGISTRATIONS_PREEMPTED, "registrations-preempted", "our registration was preempted")    \
	X(RESET, "reset", "the target was switched on or reset, or this is a new session")         \
	X(COMMANDS_CLEARED, "commands-cleared", "another initiator aborted our commands")          \
	X(CAPACITY_CHANGED, "capacity-changed", "the capacity changed")                            \
	X(LUNS_CHANGED, "luns-changed", "the list of logical units changed")                       \
	X(ACCESS_STATE_CHANGED, "access-state-changed",                                            \
	  "the state of a target port group changed")                                              \
	X(OTHER, "other", "an event that has nothing to do with reservations")

enum pr_attention {
#define X(sym, word, meaning) PR_ATTENTION_##sym,
	PR_ATTENTION_LIST(X)
#undef X
		PR_ATTENTIONS
};

const char *pr_attention_word(enum pr_attention attention);
const char *pr_attention_text(enum pr_attention attention);

/* An answer, read. */
struct pr_reply {
	enum pr_meaning meaning;
	enum pr_attention attention; /* with PR_MEANS_ATTENTION */
	uint8_t status;		     /* of SAM; what else it is made of, for the message */
	uint8_t sense_key, asc, ascq;
	int has_sense;
};

/* "RESERVATION CONFLICT", "unit attention 2A/05 (our registration was preempted)", ...: the
 * words for a message. Returns out. */
const char *pr_reply_text(const struct pr_reply *reply, char *out, size_t size);

#endif
