/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch_answer_io.h - what watchdogd tells its clients.
 *
 * Caller: watchdogd. Every packet is sent without waiting: who does not read misses answers, while
 * its renewals count all the same.
 */
#ifndef HOLDFAST_WATCH_ANSWER_IO_H
#define HOLDFAST_WATCH_ANSWER_IO_H

#include <stdint.h>

#include "watchdog/watch_core.h"
#include "watchdog/watch_device_io.h"

/* 0, or -1: it was not sent. */
int answer_terms(int fd, const struct watch_core *core, uint64_t connection);
void answer_bye(int fd);
void answer_refused(int fd, enum watch_refusal refusal);

/* STATUS, then the devices, then the clients. devices are as many as the core's. */
void answer_status(int fd, const struct watch_core *core, const struct device *devices);

#endif
