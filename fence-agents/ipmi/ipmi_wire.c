/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ipmi_wire.c - datagrams, replies and options as bytes; see ipmi_wire.h.
 */
#include "fence-agents/ipmi/ipmi_wire.h"

#include <string.h>

enum {
	/* RMCP header, table 13-8 */
	RMCP_BYTES = 4,
	RMCP_VERSION = 0x06,
	RMCP_CLASS_IPMI = 0x07,
	/* Session header, table 13-8; format in the low nibble of its first byte */
	AUTH_TYPE_AT = 4,
	AUTH_TYPE_NONE = 0,
	AUTH_TYPE_RMCPP = 6,
	V15_HEADER_BYTES = 10, /* type, sequence, session, length, without the code */
	V15_CODE_BYTES = 16,   /* authentication code */
	V20_HEADER_BYTES = 12, /* type, payload type, session, sequence, length */
	/* IPMI message in a LAN payload, table 13-8: addresses, netFn, checksum, seq, command */
	LAN_RESPONSE_BYTES = 8, /* with completion code and last checksum */
	/* Payload types, table 13-16 */
	PAYLOAD_IPMI = 0x00,
	PAYLOAD_OPEN_RSP = 0x11,
	PAYLOAD_RAKP2 = 0x13,
	PAYLOAD_RAKP4 = 0x15,
	/* Shortest answers with status 0: tables 13-10, 13-12 (with no key exchange code), 13-14 */
	OPEN_RSP_BYTES = 36,
	RAKP2_BYTES = 40,
	RAKP4_BYTES = 8,
};

static uint32_t wire_u32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint16_t wire_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static enum ipmi_stage stage_of_command(uint8_t netfn, uint8_t command)
{
	if (netfn == (IPMI_NETFN_APP | 1)) {
		switch (command) {
		case IPMI_CMD_AUTH_CAPS:
			return IPMI_STAGE_CAPS;
		case IPMI_CMD_CHALLENGE:
			return IPMI_STAGE_CHALLENGE;
		case IPMI_CMD_ACTIVATE:
			return IPMI_STAGE_ACTIVATE;
		}
	}
	return IPMI_STAGE_SESSION;
}

/* An IPMI message in the clear: a reply to one of the commands above, or one within a session. */
static void read_message(const uint8_t *msg, size_t bytes, struct ipmi_packet *packet)
{
	if (bytes < LAN_RESPONSE_BYTES) {
		packet->kind = IPMI_PACKET_FOREIGN;
		return;
	}
	packet->stage = stage_of_command(msg[1] >> 2, msg[5]);
	packet->status = msg[6];
	/* Activate Session reply, section 22.17: code, type, session number at the BMC */
	if (packet->stage == IPMI_STAGE_ACTIVATE && packet->status == 0) {
		if (bytes >= LAN_RESPONSE_BYTES + 10)
			packet->bmc_session = wire_u32(msg + 8);
		else
			packet->cut = 1;
	}
}

static void read_v15(const uint8_t *data, size_t bytes, struct ipmi_packet *packet)
{
	size_t head = V15_HEADER_BYTES;

	packet->authenticated = (data[0] & 0x0f) != AUTH_TYPE_NONE;
	if (packet->authenticated)
		head += V15_CODE_BYTES;
	if (bytes < head || bytes - head < data[head - 1])
		return;
	packet->kind = IPMI_PACKET_V15;
	packet->session = wire_u32(data + 5);
	read_message(data + head, data[head - 1], packet);
}

/* Open Session Response, table 13-10. */
static void read_open(const uint8_t *msg, size_t bytes, struct ipmi_packet *packet)
{
	packet->stage = IPMI_STAGE_OPEN;
	if (packet->status)
		return;
	if (bytes < OPEN_RSP_BYTES) {
		packet->cut = 1;
		return;
	}
	packet->bmc_session = wire_u32(msg + 8);
	packet->auth = msg[16] & 0x3f;
	packet->integrity = msg[24] & 0x3f;
	packet->confidentiality = msg[32] & 0x3f;
}

static void read_v20(const uint8_t *data, size_t bytes, struct ipmi_packet *packet)
{
	const uint8_t *msg = data + V20_HEADER_BYTES;
	size_t length;

	if (bytes < V20_HEADER_BYTES)
		return;
	length = wire_u16(data + 10);
	if (bytes - V20_HEADER_BYTES < length)
		return;
	packet->kind = IPMI_PACKET_V20;
	packet->encrypted = (data[1] & 0x80) != 0;
	packet->authenticated = (data[1] & 0x40) != 0;
	packet->session = wire_u32(data + 2);
	if (packet->session != 0) {
		packet->stage = IPMI_STAGE_SESSION;
		return;
	}
	if (length < 2) {
		packet->kind = IPMI_PACKET_FOREIGN;
		return;
	}
	packet->status = msg[1];
	switch (data[1] & 0x3f) {
	case PAYLOAD_OPEN_RSP:
		read_open(msg, length, packet);
		break;
	case PAYLOAD_RAKP2:
		packet->stage = IPMI_STAGE_RAKP2;
		packet->cut = packet->status == 0 && length < RAKP2_BYTES;
		break;
	case PAYLOAD_RAKP4:
		packet->stage = IPMI_STAGE_RAKP4;
		packet->cut = packet->status == 0 && length < RAKP4_BYTES;
		break;
	case PAYLOAD_IPMI:
		packet->status = 0;
		read_message(msg, length, packet);
		break;
	default:
		packet->kind = IPMI_PACKET_FOREIGN;
		break;
	}
}

void ipmi_packet_read(const uint8_t *data, size_t bytes, struct ipmi_packet *packet)
{
	memset(packet, 0, sizeof *packet);
	if (bytes < RMCP_BYTES + V15_HEADER_BYTES || data[0] != RMCP_VERSION ||
	    data[3] != RMCP_CLASS_IPMI)
		return;
	if ((data[AUTH_TYPE_AT] & 0x0f) == AUTH_TYPE_RMCPP)
		read_v20(data + RMCP_BYTES, bytes - RMCP_BYTES, packet);
	else
		read_v15(data + RMCP_BYTES, bytes - RMCP_BYTES, packet);
	if (packet->kind == IPMI_PACKET_FOREIGN)
		memset(packet, 0, sizeof *packet);
}

static uint8_t checksum(const uint8_t *data, size_t bytes)
{
	unsigned sum = 0;

	while (bytes--)
		sum += *data++;
	return (uint8_t)-sum; /* two's complement, section 13.8 */
}

size_t ipmi_ping_write(uint8_t data[IPMI_PING_BYTES], uint8_t privilege)
{
	static const uint8_t head[] = {
		RMCP_VERSION,
		0,
		0xff,
		RMCP_CLASS_IPMI,
		AUTH_TYPE_NONE,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		9,
		0x20,
		IPMI_NETFN_APP << 2,
	};
	uint8_t *msg = data + 14;

	memcpy(data, head, sizeof head);
	msg[2] = checksum(msg, 2);
	msg[3] = 0x81; /* remote console software */
	msg[4] = 0;
	msg[5] = IPMI_CMD_AUTH_CAPS;
	msg[6] = 0x0e; /* the channel this comes in by */
	msg[7] = privilege;
	msg[8] = checksum(msg + 3, 5);
	return IPMI_PING_BYTES;
}

const struct ipmi_suite *ipmi_suite_find(int64_t id)
{
	static const struct ipmi_suite suites[] = {
		{ 0, 0, 0, 0 },	 { 1, 1, 0, 0 },  { 2, 1, 1, 0 },  { 3, 1, 1, 1 },  { 4, 1, 1, 2 },
		{ 5, 1, 1, 3 },	 { 6, 2, 0, 0 },  { 7, 2, 2, 0 },  { 8, 2, 2, 1 },  { 9, 2, 2, 2 },
		{ 10, 2, 2, 3 }, { 11, 2, 3, 0 }, { 12, 2, 3, 1 }, { 13, 2, 3, 2 }, { 14, 2, 3, 3 },
		{ 15, 3, 0, 0 }, { 16, 3, 4, 0 }, { 17, 3, 4, 1 }, { 18, 3, 4, 2 }, { 19, 3, 4, 3 },
	};

	if (id < 0 || id >= (int64_t)(sizeof suites / sizeof suites[0]))
		return NULL;
	return &suites[id];
}

const char *ipmi_suite_objection(const struct ipmi_suite *suite)
{
	if (suite->auth == IPMI_AUTH_SHA256)
		return "needs SHA-256, which the OpenIPMI library lacks";
	if (suite->confidentiality >= IPMI_CONF_XRC4_128)
		return "needs xRC4 encryption, which the OpenIPMI library lacks";
	return NULL;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int ipmi_key_read(const char *text, uint8_t key[IPMI_KEY_BYTES_MAX])
{
	int bytes = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	for (; text[0]; text += 2, bytes++) {
		int high = hex_digit(text[0]);
		int low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0 || bytes == IPMI_KEY_BYTES_MAX)
			return -1;
		key[bytes] = (uint8_t)(high << 4 | low);
	}
	return bytes ? bytes : -1;
}

int ipmi_chassis_read(const uint8_t *data, size_t bytes, struct ipmi_chassis *chassis)
{
	if (bytes < 3)
		return -1;
	chassis->power = data[0] & 0x01 ? POWER_ON : POWER_OFF;
	chassis->power_fault = (data[0] & 0x08) != 0;
	chassis->control_fault = (data[0] & 0x10) != 0;
	return 0;
}

int ipmi_session_privilege(const uint8_t *data, size_t bytes)
{
	/* handle, slots, sessions, user, operating privilege; a reply of the first three means
	 * that there is no such session */
	if (bytes < 5 || data[0] == 0)
		return -1;
	return data[4] & 0x0f;
}
