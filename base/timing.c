/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * timing.c - timeouts; the proofs are in timing.h.
 */
#include "base/timing.h"

#include <assert.h>

uint32_t timing_grain_ms(uint32_t device_ms)
{
	uint32_t grain_ms = device_ms / TIMING_GRAIN_PARTS;

	return grain_ms > TIMING_GRAIN_MIN_MS ? grain_ms : TIMING_GRAIN_MIN_MS;
}

uint32_t timing_reset_bound_ms(uint32_t lease_ms, uint32_t device_ms)
{
	uint64_t bound_ms = (uint64_t)lease_ms + device_ms + timing_grain_ms(device_ms);

	return bound_ms < UINT32_MAX ? (uint32_t)bound_ms : UINT32_MAX;
}

uint32_t timing_pet_interval_ms(uint32_t device_ms, uint32_t pretimeout_ms)
{
	uint32_t interval_ms;

	assert(pretimeout_ms == 0 || pretimeout_ms < device_ms);
	interval_ms = (device_ms - pretimeout_ms) / TIMING_PETS_PER_COUNTDOWN;
	return interval_ms > TIMING_PET_MIN_MS ? interval_ms : TIMING_PET_MIN_MS;
}
