/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * session_cause.c - see session_cause.h.
 */
#include "fence-agents/pdu/session_cause.h"

#include <net-snmp/net-snmp-config.h>
/* The library's headers need the one above first. */
#include <net-snmp/net-snmp-includes.h>

/* Names of RFC 3416 section 3; the library's have sentences in them. */
static const char *status_word(long status)
{
	static const char *const words[] = {
		"noError",
		"tooBig",
		"noSuchName",
		"badValue",
		"readOnly",
		"genErr",
		"noAccess",
		"wrongType",
		"wrongLength",
		"wrongEncoding",
		"wrongValue",
		"noCreation",
		"inconsistentValue",
		"resourceUnavailable",
		"commitFailed",
		"undoFailed",
		"authorizationError",
		"notWritable",
		"inconsistentName",
	};

	return status >= 0 && (size_t)status < sizeof words / sizeof words[0] ? words[status]
									      : "unknown error";
}

static int no_answer(const struct cause_facts *facts, struct err *err)
{
	if (facts->answered && facts->is_set)
		return err_set(err, RC_TIMEOUT,
			       "check that the community or user may write; some devices are "
			       "silent when it may not",
			       "no answer to the command, though the device answers questions");
	if (facts->answered)
		return err_set(err, RC_TIMEOUT, NULL, "the device stopped answering");
	if (facts->engine_answers)
		return err_set(
			err, RC_AUTH, "check snmp_priv_passwd= and snmp_priv_prot=",
			"the device ignores the encrypted login (wrong encryption key, or not "
			"%s)",
			facts->login->priv_prot);
	if (facts->version == PROFILE_V3)
		return err_set(err, RC_UNREACHABLE,
			       "check ip=, ipport=, and that the device speaks SNMP version 3",
			       "no answer");
	/* RFC 3584 section 5.2.1: a wrong community is dropped, not answered. */
	return err_set(err, RC_UNREACHABLE, "check ip=, ipport=, community= and snmp_version=",
		       "no answer; wrong community or address");
}

int cause_of_library(const struct cause_facts *facts, int library_error, struct err *err)
{
	switch (library_error) {
	case SNMPERR_TIMEOUT:
		return no_answer(facts, err);
	case SNMPERR_UNKNOWN_USER_NAME:
	case SNMPERR_USM_UNKNOWNSECURITYNAME:
		return err_set(err, RC_AUTH,
			       "check username=", "login refused (unknown user \"%s\")",
			       facts->login->username);
	case SNMPERR_AUTHENTICATION_FAILURE:
	case SNMPERR_USM_AUTHENTICATIONFAILURE:
		return err_set(err, RC_AUTH, "check password= and snmp_auth_prot=",
			       "login refused (wrong password, or not %s)",
			       facts->login->auth_prot);
	case SNMPERR_UNSUPPORTED_SEC_LEVEL:
	case SNMPERR_USM_UNSUPPORTEDSECURITYLEVEL:
		return err_set(err, RC_AUTH, "check snmp_sec_level= and the user at the device",
			       "login refused (user \"%s\" may not log in with %s)",
			       facts->login->username, facts->login->level);
	case SNMPERR_DECRYPTION_ERR:
	case SNMPERR_USM_DECRYPTIONERROR:
	case SNMPERR_USM_ENCRYPTIONERROR:
		return err_set(err, RC_AUTH, "check snmp_priv_passwd= and snmp_priv_prot=",
			       "login refused (wrong encryption key, or not %s)",
			       facts->login->priv_prot);
	case SNMPERR_NOT_IN_TIME_WINDOW:
	case SNMPERR_USM_NOTINTIMEWINDOW:
	case SNMPERR_UNKNOWN_ENG_ID:
	case SNMPERR_USM_UNKNOWNENGINEID:
		/* Curable: the next session asks for engine and time anew. */
		return err_set(err, RC_BUSY, NULL, "the device restarted or its clock jumped (%s)",
			       snmp_api_errstring(library_error));
	case SNMPERR_BAD_SENDTO:
	case SNMPERR_NO_SOCKET:
		return err_set(err, RC_UNREACHABLE, "check ip= and the network",
			       "cannot send to the device (%s)", snmp_api_errstring(library_error));
	case SNMPERR_MALLOC:
		return err_set(err, RC_INTERNAL, NULL, "out of memory");
	default:
		return err_set(err, RC_PROTOCOL, NULL, "the SNMP exchange failed (%s)",
			       snmp_api_errstring(library_error));
	}
}

int cause_of_status(const struct cause_facts *facts, long status, struct err *err)
{
	const char *word = status_word(status);

	switch (status) {
	case SNMP_ERR_NOSUCHNAME:
		/* Version 1 has no other word for "not yours to write" (RFC 3584 section 4.4). */
		if (facts->is_set)
			return err_set(err, RC_PRIVILEGE,
				       "allow the community to write, at the device",
				       "the device refuses the command (%s)", word);
		return err_set(err, RC_NO_SUCH_PLUG, "see action=list",
			       "the device does not have this outlet");
	case SNMP_ERR_NOACCESS:
	case SNMP_ERR_READONLY:
	case SNMP_ERR_NOTWRITABLE:
	case SNMP_ERR_AUTHORIZATIONERROR:
		return err_set(err, RC_PRIVILEGE,
			       facts->version == PROFILE_V3
				       ? "allow the user to do it, at the device"
				       : "allow the community to do it, at the device",
			       "the device refuses %s (%s)",
			       facts->is_set ? "the command" : "to answer", word);
	case SNMP_ERR_NOCREATION:
	case SNMP_ERR_INCONSISTENTNAME:
		return err_set(err, RC_NO_SUCH_PLUG, "see action=list",
			       "the device does not have this outlet (%s)", word);
	case SNMP_ERR_BADVALUE:
	case SNMP_ERR_WRONGTYPE:
	case SNMP_ERR_WRONGLENGTH:
	case SNMP_ERR_WRONGENCODING:
	case SNMP_ERR_WRONGVALUE:
		return err_set(err, RC_UNSUPPORTED,
			       "check device=", "the device does not know this command (%s)", word);
	case SNMP_ERR_INCONSISTENTVALUE:
	case SNMP_ERR_RESOURCEUNAVAILABLE:
	case SNMP_ERR_COMMITFAILED:
	case SNMP_ERR_UNDOFAILED:
		return err_set(err, RC_BUSY, NULL, "the device cannot do it now (%s)", word);
	case SNMP_ERR_GENERR:
		return err_set(err, facts->is_set ? RC_BUSY : RC_PROTOCOL, NULL,
			       "the device reports a fault (%s)", word);
	default:
		return err_set(err, RC_PROTOCOL, NULL, "the device reports a fault (%s)", word);
	}
}
