/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * list_lock.h - one writer at a time for devices that keep all outlets in one text.
 *
 * Such a list can only be written as a whole: of two agents that read it, change a field each and write
 * it back, the later one switches the other's outlet on again, perhaps after that one has proven its
 * off. Agents of one machine are kept apart by a lock for each device address; agents of different
 * machines are not, which holdfast-device(5) says.
 *
 * Caller: fence_pdu.c around a command. The lock file lives in /run/holdfast while it is held.
 */
#ifndef HOLDFAST_LIST_LOCK_H
#define HOLDFAST_LIST_LOCK_H

#include "fence-agents/sdk/agent.h"

/* Take the lock of a device, waiting no longer than the running operation may: 0 with *fd to be
 * given to list_lock_drop() (-1 where this user cannot lock, which is warned of), or RC_BUSY. */
int list_lock_take(struct fence_ctx *ctx, const char *ip, const char *port, int *fd);
void list_lock_drop(const char *ip, const char *port, int fd);

#endif
