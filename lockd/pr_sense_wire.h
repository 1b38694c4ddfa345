/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_sense_wire.h - what a SCSI status and its sense data mean for reservations.
 *
 * Callers: whoever sends commands to a unit with reservations, and the model of a unit in the
 * tests, which writes sense. Sense data may be fixed (70h, 71h) or descriptor format (72h, 73h);
 * SPC-4 revision 17, 4.5. It comes from a stranger: truncated, empty and senseless data have a
 * meaning too, and it is never "good".
 *
 * Deferred errors (71h, 73h) tell of an earlier command (4.5.5); whatever they say, the outcome of
 * the command that got one counts as unknown.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_PR_SENSE_WIRE_H
#define HOLDFAST_PR_SENSE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/pr.h"

/* SAM-4, 5.3.1 */
enum pr_status {
	PR_STATUS_GOOD = 0x00,
	PR_STATUS_CHECK_CONDITION = 0x02,
	PR_STATUS_CONDITION_MET = 0x04,
	PR_STATUS_BUSY = 0x08,
	PR_STATUS_RESERVATION_CONFLICT = 0x18,
	PR_STATUS_TASK_SET_FULL = 0x28,
	PR_STATUS_ACA_ACTIVE = 0x30,
	PR_STATUS_TASK_ABORTED = 0x40,
};

enum { PR_SENSE_FIXED_BYTES = 18, PR_SENSE_DESCRIPTOR_BYTES = 8 };

/* Read the status of a command that was answered, with its sense data. */
void pr_reply_in(uint8_t status, const uint8_t *sense, size_t bytes, struct pr_reply *reply);

/* The sense data that says this; fixed format, or descriptor format. Returns its bytes. */
size_t pr_sense_out(uint8_t sense_key, uint8_t asc, uint8_t ascq, int descriptor_format,
		    uint8_t sense[PR_SENSE_FIXED_BYTES]);

#endif
