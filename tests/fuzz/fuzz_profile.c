/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_profile.c - the parser of device profiles, and what is done with a profile it accepts.
 *
 * Seeds are the profiles themselves (fence-agents/devices).
 *
 * LINK: snmpdev base
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fence-agents/snmp/profile_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A plug that can be written reads back as itself, and the OID of its state leads back to it. */
static void plug_try(const struct profile *profile, const char *text)
{
	static const struct oid base = { 3, { 1, 3, 6 } };
	struct oid_index index, back;
	char written[256];
	struct oid oid;

	if (profile_plug_read(profile, text, -1, &index))
		return;
	profile_plug_write(profile, &index, written, sizeof written);
	assert(profile_plug_read(profile, written, -1, &back) == 0);
	assert(memcmp(&index, &back, sizeof index) == 0);
	if (oid_template_fill(&profile->status, &base, &index, &oid) == 0)
		assert(oid_template_match(&profile->status, &base, &oid, &back));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf_reader reader;
	static struct profile profile;
	struct conf_fault fault = { 0 };

	if (profile_read(&reader, (const char *)data, size, &profile, &fault)) {
		assert(fault.problem && fault.expected && fault.column > 0);
		return 0;
	}
	assert(profile.on.count > 0 && profile.off.count > 0 && profile.status.is_set);
	for (size_t i = 0; i < profile.off.count; i++) {
		struct profile_reading reading = {
			.has_status = 1,
			.status = { .is_there = 1, .is_known = 1, .number = profile.off.values[i] },
		};
		/* Witnesses that the profile names are missing from this reading. */
		int is_alone = !profile.live.is_set && !profile.changing.is_set &&
			       !profile.present.is_set;
		enum power_state state;

		profile_state(&profile, &reading, &state);
		assert((state == POWER_OFF) == is_alone);
	}
	plug_try(&profile, "1");
	plug_try(&profile, "2.3");
	plug_try(&profile, "1.2.3.4");
	plug_try(&profile, "fc1/3");
	return 0;
}
