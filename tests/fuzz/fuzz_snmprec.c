/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_snmprec.c - lines of recorded walks, numbers and lists in their values.
 *
 * LINK: snmpdev base
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/rc.h"
#include "fence-agents/snmp/profile_wire.h"
#include "fence-agents/snmp/snmprec_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void text_try(const struct snmp_var *var)
{
	char out[SNMP_TEXT_MAX];
	size_t start, end;

	assert(strlen(var->text) < SNMP_TEXT_MAX);
	if (var->length >= SNMP_TEXT_MAX)
		return;
	for (uint32_t field = 1; profile_field(var->text, var->length, field, &start, &end);
	     field++) {
		assert(start <= end && end <= var->length);
		profile_field_set(var->text, var->length, field, "0", out, sizeof out);
	}
	assert(profile_field_set(var->text, var->length, UINT32_MAX, "0", out, sizeof out) ==
	       RC_NO_SUCH_PLUG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct snmp_var var;
	const char *problem = NULL, *p = (const char *)data, *end = p + size;

	while (p < end) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		size_t length = (size_t)((stop ? stop : end) - p);
		int64_t number;
		int rc = snmprec_line_read(p, length, &var, &problem);

		assert(rc == 0 || rc == 1 || (rc == RC_CONFIG && problem));
		if (rc == 1) {
			char text[OID_TEXT_MAX];
			struct oid back;

			oid_write(&var.oid, text);
			assert(oid_read(text, strlen(text), &back) == 0);
			assert(oid_compare(&back, &var.oid) == 0);
			snmp_var_number(&var, &number);
			if (var.kind == SNMP_TEXT)
				text_try(&var);
		}
		p += length + 1;
	}
	return 0;
}
