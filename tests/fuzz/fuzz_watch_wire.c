/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_watch_wire.c - any bytes as a packet of watchdogd: what is taken for one gives the same bytes
 * again, and every packet has one form.
 * LINK: watch
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/rc.h"
#include "watchdog/client/watch_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(int condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	uint8_t again[WATCH_WIRE_BYTES_MAX];
	struct watch_packet packet;
	int rc = watch_wire_in(data, bytes, &packet);

	if (rc) {
		check(rc == RC_PROTOCOL || rc == RC_UNSUPPORTED);
		check(packet.type == 0);
		return 0;
	}
	check(bytes <= WATCH_WIRE_BYTES_MAX);
	check(watch_wire_out(&packet, again) == bytes);
	check(memcmp(again, data, bytes) == 0);
	return 0;
}
