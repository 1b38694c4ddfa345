/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * meat_wire.h - what an agent asks of a human, what the human answers, and when the two fit.
 *
 * Callers: meat_store.c, which keeps both as files; fence_meatware; `holdfast fence ack`; the
 * fuzz target. The files are lines of `NAME value` (base/conf.h) in a fixed order, each name
 * exactly once; the last line repeats the id, so that a torn file is never read as a whole one.
 *
 * An answer is the proof of a power state (S1, S5), so everything here is exact: whole names,
 * one id, one boot, one span of time. Nothing is matched by prefix and nothing has a default.
 * Ownership: fixed buffers inside the structs, nothing to free.
 *
 * Pure: no clock, no I/O, no allocation. The input is hostile.
 */
#ifndef HOLDFAST_MEAT_WIRE_H
#define HOLDFAST_MEAT_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/mono.h"
#include "base/power.h"

enum {
	MEAT_ID_DIGITS = 16, /* of a random id, lower-case hexadecimal */
	MEAT_TARGET_MAX = 255,
	MEAT_TEXT_MAX = 512, /* of a reason or a task, with its NUL */
	MEAT_NAME_MAX = 256, /* of a host, an operator, a terminal, with its NUL */
	MEAT_BOOT_ID_MAX = 40,
	MEAT_FILE_MAX = 8192, /* of a request or an answer as a file */
};

/* Names are those of host lists: they can be typed, and no separator of plugs is in them. */
int meat_target_ok(const char *name);

int meat_id_ok(const char *id);

/* "Switch this machine off", and everything a human must know to decide. */
struct meat_request {
	char id[MEAT_ID_DIGITS + 1];
	char target[MEAT_TARGET_MAX + 1];
	enum power_state want; /* POWER_OFF or POWER_ON */
	char task[MEAT_TEXT_MAX];
	char reason[MEAT_TEXT_MAX]; /* may be empty */
	char host[MEAT_NAME_MAX];   /* who asks: the machine, */
	char boot_id[MEAT_BOOT_ID_MAX];
	int64_t pid;		    /* the agent's process, */
	uint64_t pid_start;	    /* when that one began, in clock ticks since boot, */
	char caller[MEAT_NAME_MAX]; /* and what started it; may be empty */
	int64_t asked_at_s;	    /* wall clock, for humans */
	mono_t asked, expires;	    /* expires: MONO_NEVER for no limit */
};

enum meat_verdict {
	MEAT_VERDICT_NONE = 0,
	MEAT_VERDICT_DONE,    /* the operator saw that the power is as wanted */
	MEAT_VERDICT_REFUSED, /* the operator cannot do it */
};

struct meat_answer {
	char id[MEAT_ID_DIGITS + 1];
	char target[MEAT_TARGET_MAX + 1];
	enum power_state want;
	enum meat_verdict verdict;
	char boot_id[MEAT_BOOT_ID_MAX];
	int64_t answered_at_s;
	mono_t answered;
	char operator_name[MEAT_NAME_MAX]; /* user of the process */
	char login[MEAT_NAME_MAX];	   /* who logged in, as the kernel's audit knows it */
	char sudo_user[MEAT_NAME_MAX];	   /* as sudo tells */
	char terminal[MEAT_NAME_MAX];
	char remote[MEAT_NAME_MAX]; /* where the terminal is; may be empty */
};

/* To text. Returns its length, or -1 when a member cannot be written (control characters, a
 * wrong id or target, a text too long for the file). */
long meat_request_encode(const struct meat_request *request, char *out, size_t size);
long meat_answer_encode(const struct meat_answer *answer, char *out, size_t size);

/* From text. Returns 0, or RC_PROTOCOL with *why a static text. On failure the struct holds
 * no id, so it fits nothing. */
int meat_request_decode(struct meat_request *request, const char *data, size_t size,
			const char **why);
int meat_answer_decode(struct meat_answer *answer, const char *data, size_t size, const char **why);

/* May a request still be answered? */
enum meat_standing {
	MEAT_WAITING,	 /* yes */
	MEAT_EXPIRED,	 /* its time is up; the agent has failed or will at once */
	MEAT_ASKER_GONE, /* the process that asked no longer runs */
	MEAT_OTHER_BOOT, /* from before the last start of this machine */
};

enum meat_standing meat_standing_of(const struct meat_request *request, const char *boot_id,
				    int asker_runs, mono_t now);

/* "waiting", "expired", "asker-gone", "other-boot". Static text. */
const char *meat_standing_word(enum meat_standing standing);

/* Why it cannot be answered, one sentence; "" for MEAT_WAITING. Static text. */
const char *meat_standing_reason(enum meat_standing standing);

/* The matching rule: what the answer says to exactly this request at this moment;
 * MEAT_VERDICT_NONE when it is not an answer to it, came from another boot or from the future,
 * or when the request has expired: what was true then may no longer be. */
enum meat_verdict meat_answer_match(const struct meat_request *request,
				    const struct meat_answer *answer, mono_t now);

#endif
