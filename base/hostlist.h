/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * hostlist.h - host lists: `node[1-64],db7,rack[1-2]n[01-16]` stands for many names.
 *
 * Callers: the command line, wherever a target or node may be given.
 *
 *	list  = term { "," term }
 *	term  = one or more of: a letter, digit, `.`, `_`, `-`, or a bracket
 *	bracket = "[" range { "," range } "]"
 *	range = number [ "-" number ]
 *
 * Numbers run upwards. A first number written with leading zeros fixes the width: [01-16] is 01,
 * 02 ... 16. With several brackets the last one runs fastest. A name is kept where it is
 * mentioned first; later mentions add nothing.
 *
 * Use: hostlist_measure() each text and add the sizes up, allocate hostlist_memory(), then
 * hostlist_init() and hostlist_add() each text. Names are read with hostlist_first/_next.
 * Ownership: the memory is the caller's; the list is a view of it.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_HOSTLIST_H
#define HOLDFAST_HOSTLIST_H

#include <stddef.h>
#include <stdint.h>

enum {
	HOSTLIST_NAMES_MAX = 65536,
	HOSTLIST_NAME_MAX = 255,
	HOSTLIST_BRACKETS_MAX = 8, /* in one term */
	HOSTLIST_DIGITS_MAX = 9,   /* in one number */
};

/* Upper bounds of what a text expands to, repeated names counted. */
struct hostlist_size {
	size_t names;
	size_t bytes; /* of the names, each with its NUL */
};

struct hostlist_fault {
	unsigned column;      /* byte in the text, from 1 */
	const char *problem;  /* static text */
	const char *expected; /* static text */
};

struct hostlist {
	char *names; /* one after the other, each ended by NUL */
	size_t bytes, bytes_max;
	uint32_t *slots; /* hash table: offset of a name plus one, 0 where free */
	size_t slots_count;
	size_t count;
};

/* Check a text and add to *size what it may expand to. RC_CONFIG with *fault filled when it is
 * not a host list, or when the sum would pass HOSTLIST_NAMES_MAX. */
int hostlist_measure(const char *text, struct hostlist_size *size, struct hostlist_fault *fault);

/* Bytes of memory for a list of that size; the memory must be aligned for uint32_t. */
size_t hostlist_memory(const struct hostlist_size *size);

/* An empty list in memory of hostlist_memory(size) bytes. */
void hostlist_init(struct hostlist *list, void *memory, const struct hostlist_size *size);

/* Expand a text that hostlist_measure() accepted and that was counted in the list's size. */
void hostlist_add(struct hostlist *list, const char *text);

int hostlist_has(const struct hostlist *list, const char *name);

/* Names in order of their first mention; NULL behind the last one. */
const char *hostlist_first(const struct hostlist *list);
const char *hostlist_next(const struct hostlist *list, const char *name);

#endif
