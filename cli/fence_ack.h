/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fence_ack.h - what the two files of `holdfast fence ack` share.
 *
 * fence_ack.c finds the requests, lists them and chooses; fence_ack_answer.c talks with the
 * operator, writes the answer and the records of it.
 * Ownership: everything in struct ack is made and freed by fence_ack.c.
 */
#ifndef HOLDFAST_CLI_FENCE_ACK_H
#define HOLDFAST_CLI_FENCE_ACK_H

#include <stddef.h>

#include "cli/command.h"
#include "fence-agents/fencer/fence_conf.h"
#include "fence-agents/meatware/requests/meat_store.h"

enum { ACK_STORES_MAX = 16 };

/* A request as it was found. */
struct ack_item {
	struct meat_store *store;
	struct meat_request request;
	enum meat_standing standing;
	int answered;
	struct meat_answer answer; /* of one that is answered */
};

/* A file that was passed over. */
struct ack_ignored {
	const struct meat_store *store;
	char name[256];	 /* clean */
	const char *why; /* static text */
};

struct ack {
	const struct cli *cli;
	struct fence_conf *conf;	  /* NULL: no cluster file, and no history */
	const char *dirs[ACK_STORES_MAX]; /* of the conf or the command line */
	struct meat_store stores[ACK_STORES_MAX];
	size_t stores_count;
	struct ack_item *items; /* in the order in which they were asked */
	size_t items_count, items_room;
	struct ack_ignored *ignored;
	size_t ignored_count, ignored_room;
	struct meat_store *store_at_hand; /* being read */
	int lost;			  /* out of memory while reading */
	int unread;			  /* a directory could not be read */
};

/* "OFF" or "ON". */
const char *ack_want(enum power_state want);

/* "45 s", "12 min", "3 h", "2 d". */
void ack_duration(int64_t ms, char *out, size_t size);

/* "alice as root on pts/3 from 10.0.0.5": who answered. */
void ack_who(const struct meat_answer *answer, char *out, size_t size);

/* Talk with the operator about this request and give the answer. Returns the exit status. */
int ack_confirm(const struct ack *ack, struct ack_item *item);

/* Answer without a conversation that it cannot be done. Returns the exit status. */
int ack_refuse(const struct ack *ack, struct ack_item *item);

/* Is there a terminal for the conversation? 0, or the exit status after a message. */
int ack_terminal_check(const struct ack *ack);

#endif
