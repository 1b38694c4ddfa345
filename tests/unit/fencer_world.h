/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fencer_world.h - scripted agents around a fencer_core, for golden traces.
 *
 * A scenario is text, one statement a line:
 *	op off				status, on, off, reboot, test, test-real
 *	target n1=pdu/1p,bmc/2q		device/level; p: names plugs, q: has probe,
 *					u: plugs that cannot be listed are believed
 *	rule pdu off proven 100 1	what its agent answers after 100 ms, once (0, or nothing: always)
 *	set retries 2			also timeout_ms, parallel, device_parallel, cancel_at_ms
 * The first rule that fits and is not used up counts. Time is virtual. Answers:
 *	proven		 native: the state asked for, read back		accepted  native: no proof
 *	unsteady	 native: reads as asked, but was never off as a whole
 *	reads-on, reads-off, reads-partial	native answers to status and probe
 *	done		 foreign: exit 0		says-on, says-off  foreign status
 *	listed, not-listed, no-list		foreign list
 *	auth, unreachable, state		failures
 *	hangs		 until SIGTERM		hangs-on  until SIGKILL		stays  300 ms longer
 */
#ifndef HOLDFAST_FENCER_WORLD_H
#define HOLDFAST_FENCER_WORLD_H

/* Play a scenario; the narrative of all events and actions is static memory, valid until the next
 * call. */
const char *world_play(const char *scenario);

#endif
