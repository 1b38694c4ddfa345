/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * watch_wire.h - the packets between watchdogd and its clients, one record a packet.
 *
 * Callers: watchdogd, the client library, `holdfast watchdog`. The socket is AF_UNIX,
 * SOCK_SEQPACKET, so a packet is whole or not there. Little-endian. Each begins with
 *	u32 magic "HFWD"   u16 version   u16 type   u32 length of the whole packet
 * and is decoded only when magic, version, type and length all fit; what a decoder does not know it
 * refuses, and watchdogd then answers REFUSED with its own version and closes the connection. So a
 * new type, field or value of an enum needs a new version.
 * Text is NUL-padded to its full size; bytes after the first NUL must be NUL.
 *
 * Pure: no I/O, no clock, no allocation.
 */
#ifndef HOLDFAST_WATCH_WIRE_H
#define HOLDFAST_WATCH_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/watch.h"

#define WATCH_WIRE_VERSION 1

enum {
	WATCH_WIRE_BYTES_MAX = 512,
	WATCH_PATH_BYTES = 64,	/* a device's path with its NUL */
	WATCH_IDENT_BYTES = 32, /* what a driver calls itself (struct watchdog_info, 32 bytes) */
	WATCH_TEXT_BYTES = 192,
};

enum watch_type {
	/* from a client */
	WATCH_REGISTER = 1, /* name, deadline, since_ns; answered by TERMS or REFUSED */
	WATCH_RENEW = 2,    /* since_ns; answered by TERMS or REFUSED */
	WATCH_GOODBYE = 3,  /* answered by BYE or REFUSED */
	WATCH_QUERY = 4,    /* answered by STATUS, then its DEVICEs, then its CLIENTs */
	WATCH_TEST = 5,	    /* `by`; answered by TERMS or REFUSED; the machine resets after it */
	/* from watchdogd */
	WATCH_TERMS = 64,
	WATCH_BYE = 65,
	WATCH_REFUSED = 66,
	WATCH_STATUS = 67,
	WATCH_DEVICE = 68,
	WATCH_CLIENT = 69,
};

struct watch_terms {
	uint32_t deadline_ms, device_ms, bound_ms;
	uint8_t proof; /* enum watch_proof */
	uint8_t state; /* enum watch_state */
};

struct watch_status {
	uint8_t state, proof, expiry; /* enums of above */
	uint8_t standstill;	      /* 1: an outside clock is compared (see watch_core.h) */
	uint32_t device_ms;	      /* W */
	uint32_t grain_ms;	      /* g: bound of a client = its L + W + g */
	uint32_t pet_interval_ms;
	uint32_t pid;
	uint64_t pets;		/* since the start */
	uint32_t latest_ms;	/* how late the latest wake-up came, worst since the start */
	uint32_t lost_lines;	/* log lines that nobody took */
	uint32_t standstill_ms; /* time that this machine stood still without its clock telling */
	uint16_t devices, clients; /* how many records follow */
	char version[16];
	uint8_t keeper; /* 1: the process that keeps the devices open lives (watch_log_io.h) */
};

struct watch_device {
	char path[WATCH_PATH_BYTES];
	char identity[WATCH_IDENT_BYTES];
	uint8_t proof;	  /* what it counts for */
	uint8_t nowayout; /* 0 no, 1 yes, 2 unknown */
	uint8_t failed;	  /* petting it failed: it no longer counts */
	uint8_t counting; /* GETTIMELEFT was seen to fall: 0 no, 1 yes, 2 the driver does not tell */
	uint32_t asked_ms, timeout_ms, pretimeout_ms; /* timeout and pretimeout as read back */
	uint32_t left_ms;	/* before the last pet; UINT32_MAX: the driver does not tell */
	uint32_t least_left_ms; /* the least left_ms ever seen */
};

struct watch_client {
	char name[WATCH_NAME_BYTES];
	uint32_t pid, uid; /* of the connection that registered last (SO_PEERCRED) */
	uint32_t deadline_ms;
	uint32_t left_ms;	/* until its deadline */
	uint32_t least_left_ms; /* the least there was left when a renewal came */
	uint64_t renewals;
	uint8_t connected; /* 0: vanished without goodbye, the deadline runs */
};

struct watch_refused {
	uint8_t reason;		     /* enum watch_refusal */
	uint16_t version;	     /* that watchdogd speaks */
	char text[WATCH_TEXT_BYTES]; /* object and cause */
	char next[WATCH_TEXT_BYTES]; /* next step */
};

struct watch_packet {
	enum watch_type type;
	union {
		struct {
			char name[WATCH_NAME_BYTES];
			uint32_t deadline_ms;
			int64_t since_ns; /* as below */
		} reg;
		/* RENEW: the moment of CLOCK_BOOTTIME that it counts from. 0: when watchdogd reads
		 * it, which may be later than the client knows; the library never sends that. */
		int64_t since_ns;
		uint8_t by; /* TEST: enum watch_test */
		struct watch_terms terms;
		struct watch_refused refused;
		struct watch_status status;
		struct watch_device device;
		struct watch_client client;
	};
};

/* Encode into out. Returns the length in bytes. Enums out of range are a programmer's error. */
size_t watch_wire_out(const struct watch_packet *packet, uint8_t out[WATCH_WIRE_BYTES_MAX]);

/* Decode a whole packet. 0; RC_UNSUPPORTED: ours, of another version; RC_PROTOCOL: not ours, or its
 * type, length or a value in it is none of those above. */
int watch_wire_in(const uint8_t *bytes, size_t length, struct watch_packet *packet);

/* Is it a name that a client may have: 1 to 31 of a-z A-Z 0-9 . _ -? */
int watch_name_is_valid(const char *name);

/* Words for text and JSON: "hardware", "petting", "reboot" ... Static text. */
const char *watch_proof_word(unsigned proof);
const char *watch_state_word(unsigned state);
const char *watch_expiry_word(unsigned expiry);

#endif
