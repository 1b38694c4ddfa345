/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ipmi_cause.c - the tables of causes; see ipmi_cause.h.
 *
 * A row is matched from the top; ANY matches all. Codes that a repetition can cure are the ones
 * that base/rc.h calls curable, so a row decides as well whether the agent tries again.
 */
#include "fence-agents/ipmi/ipmi_cause.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* As OpenIPMI/ipmi_err.h builds its numbers: errno, completion code, RMCP+ status. */
enum {
	LIBRARY_OS = 0x00,
	LIBRARY_IPMI = 0x01,
	LIBRARY_RMCPP = 0x02,
	LIBRARY_TIMEOUT_CODE = 0xc3, /* what it makes up for a request without an answer */
};

enum { ANY = -1 };

static const char NEXT_REACH[] =
	"check ip=, ipport=, the network, and that the BMC allows IPMI over LAN";
static const char NEXT_CIPHER[] =
	"set cipher= to a suite that the BMC offers (3 is mandatory, 17 is not possible)";
static const char NEXT_PRIVLVL[] = "lower privlvl=, or raise the user's privilege at the BMC";
static const char NEXT_AGAIN[] = "try again; when it persists, restart the BMC";
static const char NEXT_SILENT[] =
	"try again; when it persists, try another cipher= (auth= with IPMI 1.5)";
static const char NEXT_CANNOT[] = "see what the BMC supports, or use another action or device";
static const char NEXT_SLOTS[] = "wait until old sessions expire, or close them at the BMC";

static const struct login_row {
	int stage, event, code, alive;
	struct ipmi_cause cause;
} login_rows[] = {
#define ROW(s, e, c, a, r, t, n)                                                                   \
	{                                                                                          \
		s, IPMI_EVENT_##e, c, a,                                                           \
		{                                                                                  \
			RC_##r, t, n                                                               \
		}                                                                                  \
	}
#define STAGE(x) IPMI_STAGE_##x

	/* The network: ICMP errors and failed system calls. A port that closes in the middle of
	 * a login is a BMC that restarts. */
	ROW(STAGE(NONE), OS, ECONNREFUSED, ANY, UNREACHABLE, "nothing listens on UDP port {port}",
	    NEXT_REACH),
	ROW(ANY, OS, ECONNREFUSED, ANY, TIMEOUT, "stopped listening on UDP port {port}",
	    NEXT_AGAIN),
	ROW(ANY, OS, EHOSTUNREACH, ANY, UNREACHABLE, "no such host (host unreachable)", NEXT_REACH),
	ROW(ANY, OS, ENETUNREACH, ANY, UNREACHABLE, "no route (network unreachable)", NEXT_REACH),
	ROW(ANY, OS, EACCES, ANY, UNREACHABLE, "a firewall forbids the packets", NEXT_REACH),
	ROW(ANY, OS, EPERM, ANY, UNREACHABLE, "a firewall of this machine forbids the packets",
	    NEXT_REACH),
	ROW(ANY, OS, ENOMEM, ANY, INTERNAL, "out of memory", "free some memory"),
	ROW(STAGE(NONE), OS, ANY, ANY, UNREACHABLE, "cannot send (system error {errno})",
	    NEXT_REACH),
	ROW(ANY, OS, ANY, ANY, PROTOCOL, "the login broke off (library error {errno})", NEXT_AGAIN),

	/* Silence. Activate Session is itself authenticated (section 22.17), and a BMC drops what
	 * carries a wrong code: silence there, from a BMC that answers everything else, is a wrong
	 * password. */
	ROW(STAGE(NONE), SILENCE, ANY, ANY, UNREACHABLE, "no answer on UDP port {port}",
	    NEXT_REACH),
	ROW(STAGE(CHALLENGE), SILENCE, ANY, 1, AUTH,
	    "login refused (wrong password for user \"{user}\")", "check password="),
	ROW(STAGE(CAPS), SILENCE, ANY, ANY, TIMEOUT, "answers, but not the request for a session",
	    NEXT_SILENT),
	ROW(STAGE(RAKP2), SILENCE, ANY, ANY, TIMEOUT, "fell silent during the login", NEXT_SILENT),
	ROW(STAGE(RAKP4), SILENCE, ANY, ANY, TIMEOUT, "fell silent after the login", NEXT_SILENT),
	ROW(ANY, SILENCE, ANY, ANY, TIMEOUT, "fell silent during the login", NEXT_AGAIN),

	/* Capabilities, section 22.13 */
	ROW(STAGE(CAPS), NO_V20, ANY, ANY, UNSUPPORTED, "does not speak IPMI 2.0",
	    "set lanplus=0 for IPMI 1.5"),
	ROW(STAGE(CAPS), REJECT, ANY, ANY, UNSUPPORTED, "does not offer auth={auth}",
	    "set auth= to another method, or lanplus=1"),

	/* Get Session Challenge, section 22.16 */
	ROW(STAGE(CHALLENGE), STATUS, 0x81, ANY, AUTH, "login refused (unknown user \"{user}\")",
	    "check username="),
	ROW(STAGE(CHALLENGE), STATUS, 0x82, ANY, AUTH,
	    "login refused (logins without a user name are off)", "set username="),

	/* Activate Session, section 22.17 */
	ROW(STAGE(ACTIVATE), STATUS, 0x81, ANY, BUSY, "no free session", NEXT_SLOTS),
	ROW(STAGE(ACTIVATE), STATUS, 0x82, ANY, BUSY, "no free session for user \"{user}\"",
	    NEXT_SLOTS),
	ROW(STAGE(ACTIVATE), STATUS, 0x83, ANY, BUSY,
	    "no free session at privilege level {privlvl}", NEXT_SLOTS),
	ROW(STAGE(ACTIVATE), STATUS, 0x84, ANY, PROTOCOL, "session sequence number refused",
	    NEXT_AGAIN),
	ROW(STAGE(ACTIVATE), STATUS, 0x85, ANY, PROTOCOL, "session number refused", NEXT_AGAIN),
	ROW(STAGE(ACTIVATE), STATUS, 0x86, ANY, PRIVILEGE,
	    "user \"{user}\" may not log in at privilege level {privlvl}", NEXT_PRIVLVL),

/* RMCP+ status, table 13-15, in Open Session Response, RAKP 2 and RAKP 4 */
#define RMCPP(code, r, t, n)                                                                       \
	ROW(STAGE(OPEN), STATUS, code, ANY, r, t, n),                                              \
		ROW(STAGE(RAKP2), STATUS, code, ANY, r, t, n),                                     \
		ROW(STAGE(RAKP4), STATUS, code, ANY, r, t, n)
	RMCPP(0x01, BUSY, "no free session", NEXT_SLOTS),
	RMCPP(0x02, PROTOCOL, "session number refused", NEXT_AGAIN),
	RMCPP(0x03, PROTOCOL, "payload type refused", NEXT_AGAIN),
	RMCPP(0x04, UNSUPPORTED, "refuses the authentication of cipher suite {cipher}",
	      NEXT_CIPHER),
	RMCPP(0x05, UNSUPPORTED, "refuses the integrity check of cipher suite {cipher}",
	      NEXT_CIPHER),
	RMCPP(0x06, UNSUPPORTED, "no authentication matches cipher suite {cipher}", NEXT_CIPHER),
	RMCPP(0x07, UNSUPPORTED, "no integrity check matches cipher suite {cipher}", NEXT_CIPHER),
	RMCPP(0x08, PROTOCOL, "the session vanished during the login", NEXT_AGAIN),
	RMCPP(0x09, PRIVILEGE, "does not know privilege level {privlvl}", NEXT_PRIVLVL),
	RMCPP(0x0a, PRIVILEGE, "user \"{user}\" may not log in at privilege level {privlvl}",
	      NEXT_PRIVLVL),
	RMCPP(0x0b, BUSY, "no free session at privilege level {privlvl}", NEXT_SLOTS),
	RMCPP(0x0c, AUTH, "login refused (length of user name \"{user}\")", "check username="),
	RMCPP(0x0d, AUTH, "login refused (unknown user \"{user}\")", "check username="),
	RMCPP(0x0e, AUTH, "login refused (GUID)", NEXT_AGAIN),
	RMCPP(0x0f, AUTH, "login refused (wrong password for user \"{user}\")",
	      "check password= and hexadecimal_kg="),
	RMCPP(0x10, UNSUPPORTED, "refuses the encryption of cipher suite {cipher}", NEXT_CIPHER),
	RMCPP(0x11, UNSUPPORTED, "refuses cipher suite {cipher}", NEXT_CIPHER),
	RMCPP(0x12, PROTOCOL, "calls a parameter of the login illegal", NEXT_AGAIN),
	RMCPP(ANY, PROTOCOL, "login refused (status {code})", NEXT_AGAIN),
#undef RMCPP

	/* Answers that fail their check. The code in RAKP 2 is keyed with the password alone,
	 * the one in RAKP 4 with the session key, that is with K_G (sections 13.31, 13.32). */
	ROW(STAGE(RAKP2), REJECT, ANY, ANY, AUTH,
	    "login refused (wrong password for user \"{user}\")", "check password="),
	ROW(STAGE(RAKP4), REJECT, ANY, ANY, AUTH, "login refused (wrong K_G key)",
	    "check hexadecimal_kg="),
	ROW(STAGE(OPEN), DOWNGRADE, ANY, ANY, UNSUPPORTED,
	    "answers with other algorithms than cipher suite {cipher}", NEXT_CIPHER),

	/* Set Session Privilege Level, section 22.18. The library rejects an answer that grants
	 * another level than asked for. */
	ROW(STAGE(SESSION), STATUS, 0x80, ANY, PRIVILEGE,
	    "user \"{user}\" may not use privilege level {privlvl}", NEXT_PRIVLVL),
	ROW(STAGE(SESSION), STATUS, 0x81, ANY, PRIVILEGE,
	    "privilege level {privlvl} is above the limit of the user or the channel",
	    NEXT_PRIVLVL),
	ROW(STAGE(SESSION), STATUS, 0x82, ANY, PRIVILEGE,
	    "privilege level {privlvl} cannot be left", NEXT_PRIVLVL),
	ROW(STAGE(SESSION), REJECT, ANY, ANY, PRIVILEGE, "did not grant privilege level {privlvl}",
	    NEXT_PRIVLVL),

	ROW(ANY, REJECT, ANY, ANY, PROTOCOL, "answers the login with nonsense", NEXT_AGAIN),
	ROW(ANY, DOWNGRADE, ANY, ANY, PROTOCOL, "answers the login with nonsense", NEXT_AGAIN),
	ROW(ANY, NO_V20, ANY, ANY, UNSUPPORTED, "does not speak IPMI 2.0",
	    "set lanplus=0 for IPMI 1.5"),
#undef STAGE
#undef ROW
};

/* Generic completion codes, table 5-2. */
static const struct command_row {
	uint8_t code;
	struct ipmi_cause cause;
} command_rows[] = {
	{ 0xc0, { RC_BUSY, "the BMC is busy", NEXT_AGAIN } },
	{ 0xc1, { RC_UNSUPPORTED, "the BMC does not know the command", NEXT_CANNOT } },
	{ 0xc2, { RC_UNSUPPORTED, "the BMC does not know the command at this unit", NEXT_CANNOT } },
	{ 0xc3, { RC_TIMEOUT, "the BMC ran out of time over the command", NEXT_AGAIN } },
	{ 0xc4, { RC_BUSY, "the BMC is out of space", NEXT_AGAIN } },
	{ 0xc5, { RC_PROTOCOL, "the BMC misses a reservation", NEXT_AGAIN } },
	{ 0xc6, { RC_PROTOCOL, "the BMC received the command cut short", NEXT_AGAIN } },
	{ 0xc7, { RC_PROTOCOL, "the BMC objects to the length of the command", NEXT_AGAIN } },
	{ 0xc8, { RC_PROTOCOL, "the BMC objects to the length of the command", NEXT_AGAIN } },
	{ 0xc9,
	  { RC_UNSUPPORTED, "the BMC cannot do this (parameter out of range)", NEXT_CANNOT } },
	{ 0xca, { RC_PROTOCOL, "the BMC cannot return its whole answer", NEXT_AGAIN } },
	{ 0xcb, { RC_UNSUPPORTED, "the BMC has no power control (not present)", NEXT_CANNOT } },
	{ 0xcc, { RC_UNSUPPORTED, "the BMC cannot do this (invalid data field)", NEXT_CANNOT } },
	{ 0xcd, { RC_UNSUPPORTED, "the BMC cannot do this (illegal command)", NEXT_CANNOT } },
	{ 0xce, { RC_BUSY, "the BMC could not answer", NEXT_AGAIN } },
	{ 0xcf, { RC_BUSY, "the BMC refuses a repeated command", NEXT_AGAIN } },
	{ 0xd0, { RC_BUSY, "the BMC is updating its sensor records", NEXT_AGAIN } },
	{ 0xd1, { RC_BUSY, "the BMC is updating its firmware", "wait until the update is done" } },
	{ 0xd2, { RC_BUSY, "the BMC is starting", "wait until it has started" } },
	{ 0xd3, { RC_BUSY, "the BMC cannot reach the chassis", NEXT_AGAIN } },
	{ 0xd4,
	  { RC_PRIVILEGE, "the login is not permitted to do this",
	    "raise privlvl= to operator or administrator, or the user's privilege at the BMC" } },
	{ 0xd5,
	  { RC_STATE, "not possible in the present state",
	    "look at the power state of the machine" } },
	{ 0xd6,
	  { RC_PRIVILEGE, "the command is switched off at the BMC",
	    "allow it in the BMC's firmware firewall" } },
	{ 0xff, { RC_PROTOCOL, "the BMC failed without a reason (code FFh)", NEXT_AGAIN } },
};

static const struct ipmi_cause cause_specific = {
	RC_PROTOCOL,
	"the BMC failed with code {code}",
	NEXT_AGAIN,
};

static int row_matches(int wanted, int value)
{
	return wanted == ANY || wanted == value;
}

const struct ipmi_cause *ipmi_cause_command(uint8_t code)
{
	for (size_t i = 0; i < sizeof command_rows / sizeof command_rows[0]; i++)
		if (command_rows[i].code == code)
			return &command_rows[i].cause;
	return &cause_specific;
}

const struct ipmi_cause *ipmi_cause_login(const struct ipmi_evidence *evidence)
{
	for (size_t i = 0; i < sizeof login_rows / sizeof login_rows[0]; i++) {
		const struct login_row *row = &login_rows[i];

		if (row_matches(row->stage, (int)evidence->stage) &&
		    row->event == (int)evidence->event && row_matches(row->code, evidence->code) &&
		    row_matches(row->alive, evidence->alive))
			return &row->cause;
	}
	return ipmi_cause_command((uint8_t)evidence->code); /* STATUS with a completion code */
}

void ipmi_evidence_read(struct ipmi_evidence *evidence, int error, const struct ipmi_packet *answer,
			enum ipmi_stage last)
{
	int kind = error >> 24;
	int value = error & 0xff;

	evidence->stage = answer ? answer->stage : last;
	evidence->code = value;
	if (!answer) {
		/* A timer. The library calls silence by many names, by step: EINVAL, ENOENT,
		 * ETIMEDOUT, or a completion code that no BMC sent. */
		if (kind == LIBRARY_OS && error != 0 && value != EINVAL && value != ENOENT &&
		    value != ETIMEDOUT)
			evidence->event = IPMI_EVENT_OS;
		else
			evidence->event = IPMI_EVENT_SILENCE;
	} else if (kind == LIBRARY_IPMI || kind == LIBRARY_RMCPP) {
		evidence->event = IPMI_EVENT_STATUS;
	} else if (answer->cut) {
		evidence->stage = IPMI_STAGE_NONE;
		evidence->event = IPMI_EVENT_REJECT;
	} else if (value == ENOENT) {
		evidence->event = IPMI_EVENT_NO_V20;
	} else if (value == EINVAL) {
		evidence->event = IPMI_EVENT_REJECT;
	} else {
		evidence->event = IPMI_EVENT_OS;
	}
	if (evidence->event == IPMI_EVENT_SILENCE)
		evidence->code = 0;
}

int ipmi_cause_compare(int rc_a, int rc_b)
{
	/* From the least telling: one dead address must not hide what the BMC itself said. */
	static const int order[] = {
		RC_INTERNAL, RC_UNREACHABLE, RC_CONFIG,	   RC_TIMEOUT, RC_PROTOCOL,
		RC_BUSY,     RC_UNSUPPORTED, RC_PRIVILEGE, RC_AUTH,
	};
	int a = -1, b = -1;

	for (int i = 0; i < (int)(sizeof order / sizeof order[0]); i++) {
		if (order[i] == rc_a)
			a = i;
		if (order[i] == rc_b)
			b = i;
	}
	return a - b;
}

/* The value of one placeholder; `scratch` holds numbers. */
static const char *word_for(const char *name, size_t length, const struct ipmi_words *words,
			    char scratch[24])
{
	const struct {
		const char *name, *value;
	} texts[] = {
		{ "user", words->user },
		{ "privlvl", words->privlvl },
		{ "auth", words->auth },
		{ "port", words->port },
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (strlen(texts[i].name) == length && memcmp(name, texts[i].name, length) == 0)
			return texts[i].value ? texts[i].value : "";
	if (length == sizeof "cipher" - 1)
		snprintf(scratch, 24, "%lld", (long long)words->cipher);
	else if (length == sizeof "errno" - 1)
		snprintf(scratch, 24, "%d", words->code);
	else
		snprintf(scratch, 24, "%02Xh", (unsigned)words->code & 0xffU);
	return scratch;
}

void ipmi_cause_text(const struct ipmi_cause *cause, const struct ipmi_words *words, char *buffer,
		     size_t bytes)
{
	const char *from = cause->text;
	size_t used = 0;

	while (*from && used + 1 < bytes) {
		const char *end = *from == '{' ? strchr(from, '}') : NULL;
		char scratch[24];

		if (end) {
			const char *word = word_for(from + 1, (size_t)(end - from - 1), words,
						    scratch);

			while (*word && used + 1 < bytes)
				buffer[used++] = *word++;
			from = end + 1;
		} else {
			buffer[used++] = *from++;
		}
	}
	buffer[used] = '\0';
}
