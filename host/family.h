/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * family.h - all processes of a command: find them, signal them, and tell when none is left.
 *
 * Callers: `holdfast lock run` (its descendants) and lockd (the command of a lock whose `lock run`
 * is gone). A process belongs to a family when one of these holds:
 *	ancestor  it descends from that process; complete when that is a subreaper
 *	group     it is in that process group
 *	tag       that string, "NAME=VALUE", is in its environment as it was when it was started
 * So a command is found again after it has changed its group or session, or its parents have ended.
 * What has done both and cleared its environment is found through a subreaper only.
 *
 * Zombies hold nothing and do not count. A signal goes through a pidfd, to the process that was looked
 * at, never to another that has got its number. The number of a group can be another's once
 * the group is empty: a process whose number it is, and that began at another time than group_start,
 * shows it. So look at a group while its leader is known, or soon after.
 *
 * All of it reads /proc and may block for as long as a process is stuck in the kernel: callers that may
 * not wait use a thread.
 */
#ifndef HOLDFAST_FAMILY_H
#define HOLDFAST_FAMILY_H

#include <stdint.h>
#include <sys/types.h>

enum { FAMILY_TAG_BYTES = 96 };

struct family {
	pid_t ancestor;		    /* 0: none */
	pid_t group;		    /* 0: none */
	uint64_t group_start;	    /* process_start() of its leader; 0: not known */
	char tag[FAMILY_TAG_BYTES]; /* empty: none */
};

/* Send `signal` (0: none) to every process of the family but the caller's own. Returns how many
 * there were; -1 when /proc cannot be read. One that was born meanwhile may be missed while its
 * parent was found: call it again until it returns 0. */
int family_signal(const struct family *family, int signal);

/* When the process began, in clock ticks since the boot; 0 when there is none. */
uint64_t process_start(pid_t pid);

/* Its parent and its group; -1 when there is none. */
int process_look(pid_t pid, pid_t *parent, pid_t *group);

#endif
