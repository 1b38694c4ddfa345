/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * arbiter.c - what all arbiters share; see arbiter.h.
 */
#include "lockd/arbiter.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"

const char *arbiter_outcome_word(enum arbiter_outcome outcome)
{
	switch (outcome) {
	case ARBITER_GRANTED:
		return "granted";
	case ARBITER_LOST:
		return "lost";
	case ARBITER_UNKNOWN:
		return "unknown";
	}
	return "?";
}

int arbiter_claim_check(uint64_t epoch, const struct arbiter_value *value, uint16_t node,
			struct err *err)
{
	if (epoch == 0 || epoch == UINT64_MAX)
		return err_set(err, RC_CONFIG, "epochs count from 1",
			       "epoch %" PRIu64 " cannot be claimed", epoch);
	if (value->bytes > ARBITER_BYTES_MAX)
		return err_set(err, RC_CONFIG, "store its digest",
			       "a value of %u bytes is too long, %d can be stored", value->bytes,
			       ARBITER_BYTES_MAX);
	if (!(value->members >> (node - 1) & 1))
		return err_set(err, RC_CONFIG, "add it to the members",
			       "node %u claims for members that it is none of", node);
	return 0;
}

uint16_t arbiter_value_out(const struct arbiter_value *value, uint8_t out[ARBITER_VALUE_MAX])
{
	struct bytes_out at = bytes_out(out, ARBITER_VALUE_MAX);

	bytes_put64(&at, value->members);
	bytes_put_block(&at, value->data, value->bytes);
	return (uint16_t)(ARBITER_MEMBERS_BYTES + value->bytes);
}

int arbiter_value_in(struct arbiter_value *value, const uint8_t *bytes, size_t count)
{
	struct bytes_in at = bytes_in(bytes, count);

	memset(value, 0, sizeof *value);
	if (count < ARBITER_MEMBERS_BYTES || count > ARBITER_VALUE_MAX)
		return -1;
	value->members = bytes_get64(&at);
	value->bytes = (uint16_t)(count - ARBITER_MEMBERS_BYTES);
	bytes_get_block(&at, value->data, value->bytes);
	return 0;
}
