/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pr_sense_wire.c - status and sense data, read by tables; see pr_sense_wire.h.
 */
#include "lockd/pr_sense_wire.h"

#include <string.h>

enum {
	KEY_NO_SENSE = 0x0,
	KEY_RECOVERED = 0x1,
	KEY_NOT_READY = 0x2,
	KEY_ILLEGAL_REQUEST = 0x5,
	KEY_UNIT_ATTENTION = 0x6,
	KEY_DATA_PROTECT = 0x7,
	KEY_ABORTED = 0xb,
	KEY_COMPLETED = 0xf,
	ANY = 0x100, /* every qualifier */
};

static const struct status_row {
	uint8_t status;
	enum pr_meaning meaning;
} statuses[] = {
	{ PR_STATUS_GOOD, PR_MEANS_GOOD },
	{ PR_STATUS_CONDITION_MET, PR_MEANS_GOOD },
	{ PR_STATUS_BUSY, PR_MEANS_BUSY },
	{ PR_STATUS_RESERVATION_CONFLICT, PR_MEANS_CONFLICT },
	{ PR_STATUS_TASK_SET_FULL, PR_MEANS_BUSY },
	{ PR_STATUS_ACA_ACTIVE, PR_MEANS_BUSY },
	{ PR_STATUS_TASK_ABORTED, PR_MEANS_ABORTED },
};

/* The first row that fits counts. */
static const struct sense_row {
	uint8_t key, asc;
	uint16_t ascq;
	enum pr_meaning meaning;
	enum pr_attention attention;
} senses[] = {
#define ATTENTION(asc, ascq, kind)                                                                 \
	{                                                                                          \
		KEY_UNIT_ATTENTION, asc, ascq, PR_MEANS_ATTENTION, PR_ATTENTION_##kind             \
	}
	ATTENTION(0x2a, 0x03, RESERVATIONS_PREEMPTED),
	ATTENTION(0x2a, 0x04, RESERVATIONS_RELEASED),
	ATTENTION(0x2a, 0x05, REGISTRATIONS_PREEMPTED),
	ATTENTION(0x2a, 0x06, ACCESS_STATE_CHANGED),
	ATTENTION(0x2a, 0x07, ACCESS_STATE_CHANGED),
	ATTENTION(0x2a, 0x09, CAPACITY_CHANGED),
	ATTENTION(0x28, ANY, RESET), /* the medium may have changed: as after a reset */
	ATTENTION(0x29, ANY, RESET),
	ATTENTION(0x2f, ANY, COMMANDS_CLEARED),
	ATTENTION(0x3f, 0x0e, LUNS_CHANGED),
#undef ATTENTION
#define REFUSAL(asc, ascq, means)                                                                  \
	{                                                                                          \
		KEY_ILLEGAL_REQUEST, asc, ascq, PR_MEANS_##means, PR_ATTENTION_NONE                \
	}
	REFUSAL(0x1a, 0x00, INVALID_LENGTH),
	REFUSAL(0x20, 0x00, INVALID_COMMAND),
	REFUSAL(0x24, 0x00, INVALID_FIELD),
	REFUSAL(0x25, 0x00, NO_UNIT),
	REFUSAL(0x26, 0x04, INVALID_RELEASE),
	REFUSAL(0x26, ANY, INVALID_PARAMETER), /* 26/02: parameter value invalid, among others */
	REFUSAL(0x55, 0x04, NO_ROOM),
#undef REFUSAL
};

static const struct key_row {
	uint8_t key;
	enum pr_meaning meaning;
	enum pr_attention attention;
} keys[] = {
	/* The command ended; what is told is by the way. */
	{ KEY_RECOVERED, PR_MEANS_GOOD, PR_ATTENTION_NONE },
	{ KEY_COMPLETED, PR_MEANS_GOOD, PR_ATTENTION_NONE },
	{ KEY_NOT_READY, PR_MEANS_NOT_READY, PR_ATTENTION_NONE },
	{ KEY_ILLEGAL_REQUEST, PR_MEANS_REFUSED, PR_ATTENTION_NONE },
	{ KEY_UNIT_ATTENTION, PR_MEANS_ATTENTION, PR_ATTENTION_OTHER },
	{ KEY_DATA_PROTECT, PR_MEANS_REFUSED, PR_ATTENTION_NONE },
	{ KEY_ABORTED, PR_MEANS_ABORTED, PR_ATTENTION_NONE },
};

/* Where key, code and qualifier stand. 0, or -1 when the data does not go that far. */
static int sense_read(const uint8_t *sense, size_t bytes, struct pr_reply *reply)
{
	uint8_t format;

	if (bytes < 3)
		return -1;
	format = sense[0] & 0x7f;
	if (format == 0x72 || format == 0x73) {
		reply->sense_key = sense[1] & 0x0f;
		reply->asc = sense[2];
		reply->ascq = bytes > 3 ? sense[3] : 0;
	} else if (format == 0x70 || format == 0x71) {
		/* ADDITIONAL SENSE LENGTH says how much of it counts. */
		size_t end = bytes < 8 ? bytes : 8 + (size_t)sense[7];

		end = end < bytes ? end : bytes;
		reply->sense_key = sense[2] & 0x0f;
		reply->asc = end > 12 ? sense[12] : 0;
		reply->ascq = end > 13 ? sense[13] : 0;
	} else {
		return -1;
	}
	reply->has_sense = 1;
	return format & 1; /* deferred */
}

static void sense_judge(struct pr_reply *reply)
{
	/* 44/01 under whatever key: SPC-4 gives none for it. */
	if (reply->asc == 0x44 && reply->ascq == 0x01) {
		reply->meaning = PR_MEANS_INFORMATION_LOST;
		return;
	}
	for (size_t i = 0; i < sizeof senses / sizeof senses[0]; i++)
		if (senses[i].key == reply->sense_key && senses[i].asc == reply->asc &&
		    (senses[i].ascq == ANY || senses[i].ascq == reply->ascq)) {
			reply->meaning = senses[i].meaning;
			reply->attention = senses[i].attention;
			return;
		}
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (keys[i].key == reply->sense_key) {
			reply->meaning = keys[i].meaning;
			reply->attention = keys[i].attention;
			return;
		}
	reply->meaning = PR_MEANS_FAILED;
}

void pr_reply_in(uint8_t status, const uint8_t *sense, size_t bytes, struct pr_reply *reply)
{
	*reply = (struct pr_reply){ .status = status, .meaning = PR_MEANS_FAILED };
	for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
		if (statuses[i].status == status) {
			reply->meaning = statuses[i].meaning;
			return;
		}
	/* A status that is none of SAM-4 stays a failure of unknown outcome; so does a CHECK
	 * CONDITION that does not say why. */
	if (status == PR_STATUS_CHECK_CONDITION && sense_read(sense, bytes, reply) == 0)
		sense_judge(reply);
}

size_t pr_sense_out(uint8_t sense_key, uint8_t asc, uint8_t ascq, int descriptor_format,
		    uint8_t sense[PR_SENSE_FIXED_BYTES])
{
	memset(sense, 0, PR_SENSE_FIXED_BYTES);
	if (descriptor_format) {
		sense[0] = 0x72;
		sense[1] = sense_key;
		sense[2] = asc;
		sense[3] = ascq;
		return PR_SENSE_DESCRIPTOR_BYTES;
	}
	sense[0] = 0x70;
	sense[2] = sense_key;
	sense[7] = PR_SENSE_FIXED_BYTES - 8;
	sense[12] = asc;
	sense[13] = ascq;
	return PR_SENSE_FIXED_BYTES;
}
