/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conform_json.h - is an agent's JSON result one of docs/agent-result.md, and does it agree with the
 * exit status?
 *
 * Callers: the conformance kit and its unit test.
 */
#ifndef HOLDFAST_CONFORM_JSON_H
#define HOLDFAST_CONFORM_JSON_H

#include "fence-agents/kit/conform_core.h"

/* 1 when it holds; else `why` says what does not. */
int conform_json_judge(const char *action, const struct conform_seen *seen, char *why, size_t size);

#endif
