/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * watch.h - the words that watchdogd's decisions (watchdog/watch_core.h) and its packets
 * (watchdog/client/watch_wire.h) share.
 *
 * The numbers are part of the packets. A decoder refuses a value that it does not know, so that to
 * append one, like any other change, needs a new WATCH_WIRE_VERSION once a version was released.
 *
 * Pure: nothing but constants.
 */
#ifndef HOLDFAST_WATCH_H
#define HOLDFAST_WATCH_H

enum {
	WATCH_NAME_BYTES = 32, /* a client's name with its NUL; a-z A-Z 0-9 . _ - */
	WATCH_DEADLINE_MIN_MS = 100,
	WATCH_DEADLINE_MAX_MS = 3600000,
};

/* What a name is made of, see WATCH_NAME_BYTES. */
#define WATCH_NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/* How sure the reset is. */
enum watch_proof { WATCH_PROOF_NONE, WATCH_PROOF_SOFTWARE, WATCH_PROOF_HARDWARE };

/* What watchdogd itself does when a deadline passes; the devices are its backstop. */
enum watch_expiry {
	WATCH_EXPIRY_REBOOT,   /* reset at once, nothing written back */
	WATCH_EXPIRY_OFF,      /* switch off */
	WATCH_EXPIRY_CRASH,    /* panic, for a kernel dump */
	WATCH_EXPIRY_HARDWARE, /* nothing but no longer petting */
};

enum watch_state {
	WATCH_STATE_PETTING, /* all in time */
	WATCH_STATE_EXPIRED, /* a deadline passed: never pets again */
	WATCH_STATE_TESTING, /* told to stop petting: never pets again */
	WATCH_STATE_STOPPED, /* orderly; the devices are disarmed */
};

/* What a test tries. */
enum watch_test {
	WATCH_TEST_HARDWARE, /* petting stops, watchdogd does nothing: the devices must do it */
	WATCH_TEST_SELF,     /* petting stops and watchdogd does what it does at a deadline */
};

/* Why something was refused; errno of the client library in brackets. */
enum watch_refusal {
	WATCH_REFUSED_VERSION, /* packet of another version, or no packet of ours (EPROTO) */
	WATCH_REFUSED_NAME,    /* name or deadline out of range (EINVAL) */
	WATCH_REFUSED_TIME, /* since_ns lies in the future, or so far back that it is late (EINVAL) */
	WATCH_REFUSED_BUSY,    /* a live client has this name, or there is no room (EBUSY) */
	WATCH_REFUSED_STATE,   /* stopping, or RENEW without REGISTER (EBUSY) */
	WATCH_REFUSED_LATE,    /* a deadline has passed: the machine is being reset (ECANCELED) */
	WATCH_REFUSED_CLIENTS, /* test: clients other than this connection are registered (EBUSY) */
	WATCH_REFUSED_RIGHT,   /* not allowed to this user (EACCES) */
	WATCH_REFUSED_MARK,    /* it cannot be noted that clients rely on watchdogd (EIO) */
};

#endif
