/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_ipmi_wire.c - any bytes as a datagram, as replies and as a key: nothing is read beyond
 * their end, and what is not understood is not taken for something.
 * LINK: base fence-agents/ipmi/ipmi_wire.c fence-agents/ipmi/ipmi_cause.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fence-agents/ipmi/ipmi_cause.h"
#include "fence-agents/ipmi/ipmi_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check(int condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct ipmi_evidence evidence = { 0 };
	struct ipmi_packet packet;
	struct ipmi_chassis chassis;
	uint8_t key[IPMI_KEY_BYTES_MAX];
	char *text = malloc(bytes + 1);
	int key_bytes;

	if (!text)
		return 0;
	ipmi_packet_read(data, bytes, &packet);
	if (packet.kind == IPMI_PACKET_FOREIGN)
		check(packet.stage == IPMI_STAGE_NONE && packet.session == 0);
	else
		check(packet.stage > IPMI_STAGE_NONE && packet.stage <= IPMI_STAGE_SESSION);
	if (packet.kind == IPMI_PACKET_V20 && packet.session != 0)
		check(packet.stage == IPMI_STAGE_SESSION);
	ipmi_evidence_read(&evidence, packet.status ? 0x02000000 | packet.status : 22, &packet,
			   packet.stage);
	check(ipmi_cause_login(&evidence)->rc < 0);

	check((ipmi_chassis_read(data, bytes, &chassis) == 0) == (bytes >= 3));
	check(ipmi_session_privilege(data, bytes) <= 15);

	memcpy(text, data, bytes);
	text[bytes] = '\0';
	key_bytes = ipmi_key_read(text, key);
	check(key_bytes == -1 || (key_bytes > 0 && key_bytes <= IPMI_KEY_BYTES_MAX));
	free(text);
	return 0;
}
