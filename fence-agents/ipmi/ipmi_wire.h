/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ipmi_wire.h - the bytes of IPMI that fence_ipmi reads by itself.
 *
 * The OpenIPMI library speaks the protocol. It reports most failed logins with one and the same
 * number, though, so the agent looks at each datagram before the library does: which step of the
 * login it answers, and with what status. Replies to the agent's own commands are decoded here
 * too, as are the options that stand for bytes (cipher suite, K_G key).
 *
 * Callers: ipmi_conn.c (datagrams), fence_ipmi.c (replies, options), unit tests, fuzzer.
 * Ownership: nothing is kept, nothing is allocated.
 * Invariant: input is hostile; a length is checked before a byte is read, and a datagram that is
 * not understood is IPMI_PACKET_FOREIGN with everything else zero.
 *
 * Pure: no I/O, no clock, no allocation. Section and table numbers are those of IPMI 2.0 rev. 1.1.
 */
#ifndef HOLDFAST_IPMI_WIRE_H
#define HOLDFAST_IPMI_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/power.h"

/* Network functions and commands, table G-1 */
enum {
	IPMI_NETFN_CHASSIS = 0x00,
	IPMI_NETFN_APP = 0x06,
	IPMI_CMD_CHASSIS_STATUS = 0x01,
	IPMI_CMD_CHASSIS_CONTROL = 0x02,
	IPMI_CMD_AUTH_CAPS = 0x38,
	IPMI_CMD_CHALLENGE = 0x39,
	IPMI_CMD_ACTIVATE = 0x3a,
	IPMI_CMD_SET_PRIVILEGE = 0x3b,
	IPMI_CMD_CLOSE_SESSION = 0x3c,
	IPMI_CMD_SESSION_INFO = 0x3d,
};

/* Chassis Control, table 28-4. 05h, the soft shutdown, is missing on purpose: it asks the
 * operating system of the node that is to be fenced. */
enum ipmi_chassis_control {
	IPMI_CHASSIS_DOWN = 0x00,
	IPMI_CHASSIS_UP = 0x01,
	IPMI_CHASSIS_CYCLE = 0x02,
	IPMI_CHASSIS_RESET = 0x03,
	IPMI_CHASSIS_DIAG = 0x04,
};

/* What a datagram answers, in the order of a login. With IPMI 1.5: capabilities, challenge,
 * activate, session; with 2.0: capabilities, open, RAKP 2, RAKP 4, session. */
enum ipmi_stage {
	IPMI_STAGE_NONE = 0,  /* nothing */
	IPMI_STAGE_CAPS,      /* Get Channel Authentication Capabilities */
	IPMI_STAGE_CHALLENGE, /* Get Session Challenge */
	IPMI_STAGE_ACTIVATE,  /* Activate Session */
	IPMI_STAGE_OPEN,      /* RMCP+ Open Session Response */
	IPMI_STAGE_RAKP2,
	IPMI_STAGE_RAKP4,
	IPMI_STAGE_SESSION, /* anything within the session */
};

enum ipmi_packet_kind {
	IPMI_PACKET_FOREIGN = 0, /* not IPMI over RMCP, or cut short */
	IPMI_PACKET_V15,	 /* IPMI 1.5 session format */
	IPMI_PACKET_V20,	 /* RMCP+ */
};

struct ipmi_packet {
	enum ipmi_packet_kind kind;
	enum ipmi_stage stage;
	uint8_t authenticated; /* carries an authentication code */
	uint8_t encrypted;
	uint8_t status;	      /* completion code or RMCP+ status; 0 within an encrypted session */
	uint8_t cut;	      /* status is 0, but the answer is shorter than it has to be */
	uint32_t session;     /* session number in the header, 0 outside of a session */
	uint32_t bmc_session; /* OPEN, ACTIVATE: number of the session at the BMC */
	uint8_t auth, integrity, confidentiality; /* OPEN: algorithms that the BMC chose */
};

/* Look at one datagram from a BMC. */
void ipmi_packet_read(const uint8_t *data, size_t bytes, struct ipmi_packet *packet);

/* Request that any BMC answers without a session (Get Channel Authentication Capabilities for
 * `privilege`, section 22.13); used to see whether somebody is there. Returns its length. */
enum { IPMI_PING_BYTES = 23 };
size_t ipmi_ping_write(uint8_t data[IPMI_PING_BYTES], uint8_t privilege);

/* A cipher suite, section 22.15.2. */
struct ipmi_suite {
	uint8_t id;
	uint8_t auth, integrity, confidentiality; /* tables 13-17, 13-18, 13-19 */
};

enum {
	IPMI_AUTH_SHA256 = 3, /* not in the OpenIPMI library, which keeps 20-byte keys */
	IPMI_INTEGRITY_NONE = 0,
	IPMI_CONF_AES = 1,
	IPMI_CONF_XRC4_128 = 2, /* not in the OpenIPMI library either */
};

/* The suite of that number, or NULL when the table has none. */
const struct ipmi_suite *ipmi_suite_find(int64_t id);

/* Why the suite cannot be used: NULL when it can, else half a sentence. */
const char *ipmi_suite_objection(const struct ipmi_suite *suite);

/* K_G is at most 20 bytes, section 13.31. */
enum { IPMI_KEY_BYTES_MAX = 20 };

/* Hexadecimal digits, with or without 0x in front, to bytes. Returns the number of bytes, or -1
 * when the text is empty, has an odd number of digits, another character, or is too long. */
int ipmi_key_read(const char *text, uint8_t key[IPMI_KEY_BYTES_MAX]);

/* Data of a Get Chassis Status reply (after the completion code), table 28-3.
 * Returns 0, or -1 when it is too short to mean anything. */
struct ipmi_chassis {
	enum power_state power;
	int power_fault;   /* the main power subsystem reports a fault */
	int control_fault; /* the BMC tried to switch, and the power did not follow */
};
int ipmi_chassis_read(const uint8_t *data, size_t bytes, struct ipmi_chassis *chassis);

/* Operating privilege in the data of a Get Session Info reply (after the completion code),
 * section 22.20: 1 callback .. 4 administrator; -1 when the reply does not tell. */
int ipmi_session_privilege(const uint8_t *data, size_t bytes);

#endif
