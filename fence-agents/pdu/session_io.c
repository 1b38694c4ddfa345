/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * session_io.c - see session_io.h.
 */
#include "fence-agents/pdu/session_io.h"

#include <net-snmp/net-snmp-config.h>
/* The library's headers need the one above first. */
#include <net-snmp/net-snmp-includes.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "fence-agents/pdu/session_cause.h"

enum {
	TRY_MS = 1000,	    /* without an answer for so long, the request is sent again */
	TRIES_MAX = 5,	    /* in one exchange; what is beyond is a new session's part */
	BULK_TRY_MS = 1000, /* given to version 2c before the walk goes on with version 1 */
};

struct session {
	struct transport transport; /* first: the two are cast into each other */
	struct fence_ctx *ctx;
	const struct session_login *login;
	enum profile_version version;
	void *handle; /* of the library's single-session interface */
	int answered;
	int offer_bulk;
	int64_t limit_ms;
	char peer[NI_MAXHOST + NI_MAXSERV + 16]; /* address as the library wants it */
};

static struct session *session_of(struct transport *t)
{
	return (struct session *)t;
}

/* ---- the library ---- */

static int log_pass(int major, int minor, void *message, void *ctx)
{
	const struct snmp_log_message *line = message;
	size_t length = strcspn(line->msg, "\n");

	(void)major, (void)minor;
	fence_debug(ctx, "net-snmp: %.*s", (int)length, line->msg);
	return 0;
}

static void library_start(struct fence_ctx *ctx)
{
	static const int flags[] = {
		NETSNMP_DS_LIB_DONT_READ_CONFIGS,
		NETSNMP_DS_LIB_DONT_PERSIST_STATE,
		NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD,
		NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE,
	};
	static int started;

	if (started)
		return;
	started = 1;
	/* An empty list of MIBs: names of objects are never needed. And no folder in which the
	 * library could look for certificates, or make one for an index of them. */
	setenv("MIBS", "", 1);
	setenv("MIBDIRS", "", 1);
	setenv("SNMPCONFPATH", "/dev/null", 1);
	setenv("SNMP_PERSISTENT_DIR", "/dev/null", 1);
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
		netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, flags[i], 1);
	snmp_disable_log();
	netsnmp_register_loghandler(NETSNMP_LOGHANDLER_CALLBACK, LOG_DEBUG);
	snmp_register_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_LOGGING, log_pass, ctx);
	init_snmp("holdfast");
}

/* The keys that the library derived for a device; another session makes them anew. */
static void users_wipe(void)
{
	struct usmUser *user;

	while ((user = usm_get_userList())) {
		usm_remove_user(user);
		usm_free_user(user); /* overwrites the keys */
	}
}

/* ---- version 3 ---- */

struct protocol {
	const char *word;
	const oid *id;
	size_t length;
};

#define PROTOCOL(word, id)                                                                         \
	{                                                                                          \
		word, id, OID_LENGTH(id)                                                           \
	}

static const struct protocol *protocol_find(const struct protocol *table, const char *word)
{
	for (; table->word; table++)
		if (strcasecmp(table->word, word) == 0)
			return table;
	return NULL;
}

static const struct protocol *auth_find(const char *word)
{
	static struct protocol table[] = {
		PROTOCOL("MD5", usmHMACMD5AuthProtocol),
		PROTOCOL("SHA", usmHMACSHA1AuthProtocol),
		PROTOCOL("SHA224", usmHMAC128SHA224AuthProtocol),
		PROTOCOL("SHA256", usmHMAC192SHA256AuthProtocol),
		PROTOCOL("SHA384", usmHMAC256SHA384AuthProtocol),
		PROTOCOL("SHA512", usmHMAC384SHA512AuthProtocol),
		{ NULL, NULL, 0 },
	};

	return protocol_find(table, word);
}

static const struct protocol *priv_find(const char *word)
{
	static struct protocol table[] = {
		PROTOCOL("DES", usmDESPrivProtocol),
		PROTOCOL("AES", usmAESPrivProtocol),
		PROTOCOL("AES128", usmAESPrivProtocol),
#ifdef NETSNMP_DRAFT_BLUMENTHAL_AES_04
		PROTOCOL("AES192", usmAES192PrivProtocol),
		PROTOCOL("AES256", usmAES256PrivProtocol),
#endif
		{ NULL, NULL, 0 },
	};

	return protocol_find(table, word);
}

/* The key for a passphrase (RFC 3414 section A.2). */
static int key_make(const struct protocol *auth, const char *pass, u_char *key, size_t *length,
		    const char *option, struct err *err)
{
	int rc = generate_Ku(auth->id, (u_int)auth->length, (const u_char *)pass, strlen(pass), key,
			     length);

	if (rc == SNMPERR_SUCCESS)
		return 0;
	return err_set(err, RC_CONFIG, "use another snmp_auth_prot=",
		       "this machine's cryptography cannot make a key of %s=", option);
}

/* User, level and keys into *base. */
static int user_fill(const struct session_login *login, netsnmp_session *base, struct err *err)
{
	const struct protocol *auth = auth_find(login->auth_prot);
	const struct protocol *priv = priv_find(login->priv_prot);
	int rc;

	base->securityName = (char *)login->username;
	base->securityNameLen = strlen(login->username);
	base->securityModel = SNMP_SEC_MODEL_USM;
	base->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
	if (strcasecmp(login->level, "noAuthNoPriv") == 0)
		return 0;
	if (!auth || !priv)
		return err_set(err, RC_UNSUPPORTED, "choose another one",
			       "this machine's SNMP library lacks %s",
			       auth ? login->priv_prot : login->auth_prot);
	base->securityLevel = SNMP_SEC_LEVEL_AUTHNOPRIV;
	base->securityAuthProto = (oid *)auth->id;
	base->securityAuthProtoLen = auth->length;
	base->securityAuthKeyLen = USM_AUTH_KU_LEN;
	rc = key_make(auth, login->auth_pass, base->securityAuthKey, &base->securityAuthKeyLen,
		      "password", err);
	if (rc || strcasecmp(login->level, "authPriv") != 0)
		return rc;
	base->securityLevel = SNMP_SEC_LEVEL_AUTHPRIV;
	base->securityPrivProto = (oid *)priv->id;
	base->securityPrivProtoLen = priv->length;
	base->securityPrivKeyLen = USM_PRIV_KU_LEN;
	return key_make(auth, login->priv_pass, base->securityPrivKey, &base->securityPrivKeyLen,
			"snmp_priv_passwd", err);
}

/* ---- time ---- */

static int64_t left_ms(const struct session *s)
{
	int64_t ms = fence_left_ms(s->ctx);

	return s->limit_ms > 0 && s->limit_ms < ms ? s->limit_ms : ms;
}

/* Divide the time among tries. The library counts microseconds and repetitions. */
static int time_set(const struct session *s, netsnmp_session *base, int once, struct err *err)
{
	int64_t ms = left_ms(s), tries;

	if (ms <= 0)
		return err_set(err, RC_TIMEOUT, NULL, "time is up");
	/* A third is kept to find out why, see engine_answers(). */
	if (s->version == PROFILE_V3 && s->handle && !s->answered)
		ms = ms * 2 / 3 + 1;
	tries = ms / TRY_MS;
	if (tries < 1 || once)
		tries = 1;
	if (tries > TRIES_MAX) {
		tries = TRIES_MAX;
		ms = (int64_t)TRIES_MAX * TRY_MS;
	}
	base->retries = (int)tries - 1;
	base->timeout = (long)(ms * 1000 / tries);
	return 0;
}

/* ---- open and close ---- */

static int address_open(struct session *s, netsnmp_session *base, const struct addrinfo *at,
			struct err *err)
{
	struct cause_facts facts = { .login = s->login, .version = s->version };
	char host[NI_MAXHOST], port[NI_MAXSERV];
	int rc, library_error = 0, system_error;

	rc = getnameinfo(at->ai_addr, at->ai_addrlen, host, sizeof host, port, sizeof port,
			 NI_NUMERICHOST | NI_NUMERICSERV);
	if (rc)
		return err_set(err, RC_CONFIG, "check ip=", "%s", gai_strerror(rc));
	if (at->ai_family == AF_INET6)
		snprintf(s->peer, sizeof s->peer, "udp6:[%s]:%s", host, port);
	else
		snprintf(s->peer, sizeof s->peer, "udp:%s:%s", host, port);
	base->peername = s->peer;
	rc = time_set(s, base, 0, err);
	if (rc)
		return rc;
	fence_debug(s->ctx, "SNMP version %s to %s", profile_version_word(s->version), s->peer);
	s->handle = snmp_sess_open(base);
	if (s->handle)
		return 0;
	snmp_error(base, &system_error, &library_error, NULL);
	/* The library gives an unanswered question for the engine these two names. */
	if (s->version == PROFILE_V3 &&
	    (library_error == SNMPERR_GENERR || library_error == SNMPERR_SUCCESS))
		library_error = SNMPERR_TIMEOUT;
	return cause_of_library(&facts, library_error, err);
}

static int addresses_open(struct session *s, netsnmp_session *base, struct err *err)
{
	struct addrinfo hints = { .ai_family = s->login->family, .ai_socktype = SOCK_DGRAM };
	struct addrinfo *list, *at;
	int rc = getaddrinfo(s->login->host, s->login->port, &hints, &list);

	/* A name server that does not answer may answer the next time. */
	if (rc)
		return err_set(err, rc == EAI_AGAIN ? RC_UNREACHABLE : RC_CONFIG,
			       "check ip=", "cannot find the address (%s)", gai_strerror(rc));
	for (at = list; at; at = at->ai_next) {
		rc = address_open(s, base, at, err);
		if (rc == 0 || !rc_is_curable(rc))
			break;
	}
	freeaddrinfo(list);
	return rc;
}

static int session_get(struct transport *t, struct snmp_var *vars, size_t count, struct err *err);
static int session_set(struct transport *t, const struct snmp_var *var, int once, struct err *err);
static int session_next(struct transport *t, const struct oid *from, size_t count, unsigned rows,
			transport_take take, void *arg, struct err *err);

int session_open(struct fence_ctx *ctx, const struct session_login *login,
		 enum profile_version version, struct transport **t, struct err *err)
{
	static const long versions[] = { SNMP_VERSION_1, SNMP_VERSION_2c, SNMP_VERSION_3 };
	struct session *s = fence_alloc(ctx, sizeof *s);
	netsnmp_session base;
	int rc = 0;

	*t = &s->transport;
	s->transport = (struct transport){ session_get, session_set, session_next };
	s->ctx = ctx;
	s->login = login;
	s->version = version;
	library_start(ctx);
	snmp_sess_init(&base);
	base.version = versions[version];
	if (version == PROFILE_V3) {
		rc = user_fill(login, &base, err);
	} else {
		base.community = (u_char *)login->community;
		base.community_len = strlen(login->community);
	}
	if (rc == 0)
		rc = addresses_open(s, &base, err);
	fence_wipe(base.securityAuthKey, sizeof base.securityAuthKey);
	fence_wipe(base.securityPrivKey, sizeof base.securityPrivKey);
	return rc;
}

void session_limit(struct transport *t, int64_t limit_ms)
{
	session_of(t)->limit_ms = limit_ms;
}

void session_offer_bulk(struct transport *t)
{
	session_of(t)->offer_bulk = 1;
}

void session_close(struct transport *t)
{
	struct session *s = t ? session_of(t) : NULL;

	if (!s)
		return;
	if (s->handle) {
		netsnmp_session *base = snmp_sess_session(s->handle);

		fence_wipe(base->securityAuthKey, sizeof base->securityAuthKey);
		fence_wipe(base->securityPrivKey, sizeof base->securityPrivKey);
		if (base->community)
			fence_wipe(base->community, base->community_len);
		snmp_sess_close(s->handle);
	}
	users_wipe();
	free(s);
}

/* ---- exchanges ---- */

static size_t oid_give(const struct oid *from, oid *to)
{
	for (size_t i = 0; i < from->count; i++)
		to[i] = from->ids[i];
	return from->count;
}

static void pdu_add(netsnmp_pdu *pdu, const struct oid *id)
{
	oid name[OID_MAX];

	snmp_add_null_var(pdu, name, oid_give(id, name));
}

/* 0 when the OID is longer than any that is asked for. */
static int oid_take(const oid *from, size_t count, struct oid *to)
{
	if (count > OID_MAX)
		return 0;
	to->count = count;
	for (size_t i = 0; i < count; i++)
		to->ids[i] = (uint32_t)from[i];
	return 1;
}

static void value_take(const netsnmp_variable_list *from, struct snmp_var *var)
{
	var->kind = SNMP_OTHER;
	switch (from->type) {
	case SNMP_NOSUCHOBJECT:
	case SNMP_NOSUCHINSTANCE:
	case SNMP_ENDOFMIBVIEW:
		var->kind = SNMP_ABSENT;
		break;
	case ASN_INTEGER:
		var->kind = SNMP_NUMBER;
		var->number = *from->val.integer;
		break;
	/* Counters and times are no states, whatever they count (rule S1): SNMP_OTHER. */
	case ASN_GAUGE:
	case ASN_UINTEGER:
		var->kind = SNMP_NUMBER;
		var->number = (int64_t)(uint32_t)*from->val.integer;
		break;
	case ASN_OCTET_STR:
		snmp_var_text(var, (const char *)from->val.string, from->val_len);
		break;
	case ASN_OBJECT_ID:
		if (oid_take(from->val.objid, from->val_len / sizeof(oid), &var->object))
			var->kind = SNMP_OBJECT;
		break;
	default:
		break;
	}
}

/* The device was silent to an encrypted login. Does it answer at all? Asked in clear, for the
 * number of its engine alone (RFC 3414 section 4). */
static int engine_answers(const struct session *s)
{
	netsnmp_session base;
	struct err err;
	void *handle;

	if (s->version != PROFILE_V3 || strcasecmp(s->login->level, "authPriv") != 0)
		return 0;
	snmp_sess_init(&base);
	base.version = SNMP_VERSION_3;
	base.peername = (char *)s->peer;
	base.securityName = (char *)"";
	base.securityModel = SNMP_SEC_MODEL_USM;
	base.securityLevel = SNMP_SEC_LEVEL_NOAUTH;
	if (time_set(s, &base, 0, &err))
		return 0;
	handle = snmp_sess_open(&base);
	if (handle)
		snmp_sess_close(handle);
	return handle != NULL;
}

/* Send and wait. The answer, whose error-status may be anything, is the caller's to free; NULL with
 * *err filled. The PDU is the library's from here on. */
static netsnmp_pdu *exchange(struct session *s, netsnmp_pdu *pdu, int once, struct err *err)
{
	netsnmp_session *base = snmp_sess_session(s->handle);
	struct cause_facts facts = {
		.login = s->login,
		.version = s->version,
		.answered = s->answered,
		.is_set = pdu->command == SNMP_MSG_SET,
	};
	int status, library_error = 0, system_error;
	netsnmp_pdu *answer = NULL;

	if (time_set(s, base, once, err)) {
		snmp_free_pdu(pdu);
		return NULL;
	}
	status = snmp_sess_synch_response(s->handle, pdu, &answer);
	if (status == STAT_SUCCESS && answer) {
		s->answered = 1;
		return answer;
	}
	if (answer)
		snmp_free_pdu(answer);
	facts.engine_answers = status == STAT_TIMEOUT && !s->answered && engine_answers(s);
	if (status == STAT_TIMEOUT)
		library_error = SNMPERR_TIMEOUT;
	else
		snmp_sess_error(s->handle, &system_error, &library_error, NULL);
	cause_of_library(&facts, library_error, err);
	return NULL;
}

static int status_fault(const struct session *s, const netsnmp_pdu *answer, int is_set,
			struct err *err)
{
	struct cause_facts facts = {
		.login = s->login, .version = s->version, .answered = s->answered, .is_set = is_set
	};

	return cause_of_status(&facts, answer->errstat, err);
}

static int answer_wrong(struct err *err)
{
	return err_set(err, RC_PROTOCOL, NULL, "the answer is not about what was asked");
}

/* Does the answer name, in order, the objects asked for? Their values go into *vars. */
static int answer_take(const netsnmp_pdu *answer, struct snmp_var *vars, const size_t *asked,
		       size_t count, struct err *err)
{
	const netsnmp_variable_list *from = answer->variables;

	for (size_t i = 0; i < count; i++, from = from->next_variable) {
		struct oid name;

		if (!from || !oid_take(from->name, from->name_length, &name) ||
		    oid_compare(&name, &vars[asked[i]].oid) != 0)
			return answer_wrong(err);
		value_take(from, &vars[asked[i]]);
	}
	return 0;
}

/* Version 1 fails a whole question for one object that is not there, and tells its number
 * (RFC 1157 section 4.1.2): leave that one out. Returns 0 when the number is none. */
static int asked_drop(size_t *asked, size_t *count, long number)
{
	if (number < 1 || (size_t)number > *count)
		return 0;
	memmove(asked + number - 1, asked + number, (*count - (size_t)number) * sizeof *asked);
	--*count;
	return 1;
}

static int session_get(struct transport *t, struct snmp_var *vars, size_t count, struct err *err)
{
	struct session *s = session_of(t);
	size_t asked[TRANSPORT_VARS_MAX], left = count;
	int rc = 0;

	for (size_t i = 0; i < count; i++) {
		asked[i] = i;
		vars[i].kind = SNMP_ABSENT;
	}
	while (rc == 0 && left > 0) {
		netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET), *answer;

		for (size_t i = 0; i < left; i++)
			pdu_add(pdu, &vars[asked[i]].oid);
		answer = exchange(s, pdu, 0, err);
		if (!answer)
			return err->rc;
		if (answer->errstat == SNMP_ERR_NOERROR) {
			rc = answer_take(answer, vars, asked, left, err);
			left = 0;
		} else if (answer->errstat != SNMP_ERR_NOSUCHNAME ||
			   !asked_drop(asked, &left, answer->errindex)) {
			rc = status_fault(s, answer, 0, err);
		}
		snmp_free_pdu(answer);
	}
	return rc;
}

static int session_set(struct transport *t, const struct snmp_var *var, int once, struct err *err)
{
	struct session *s = session_of(t);
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_SET), *answer;
	long number = (long)var->number;
	oid name[OID_MAX];
	size_t length = oid_give(&var->oid, name);
	int rc = 0;

	if (var->kind == SNMP_TEXT)
		snmp_pdu_add_variable(pdu, name, length, ASN_OCTET_STR, var->text, var->length);
	else
		snmp_pdu_add_variable(pdu, name, length, ASN_INTEGER, &number, sizeof number);
	answer = exchange(s, pdu, once, err);
	if (!answer)
		return err->rc;
	if (answer->errstat != SNMP_ERR_NOERROR)
		rc = status_fault(s, answer, 1, err);
	snmp_free_pdu(answer);
	return rc;
}

/* Hand over the objects of a walk's answer. An object whose name is longer than any of ours ends
 * its column: nothing that is asked for lies there. */
static void walk_take(const netsnmp_pdu *answer, const size_t *asked, size_t count,
		      transport_take take, void *arg)
{
	const netsnmp_variable_list *from = answer->variables;

	for (size_t i = 0; from; i++, from = from->next_variable) {
		struct snmp_var var;

		if (oid_take(from->name, from->name_length, &var.oid))
			value_take(from, &var);
		else
			var.kind = SNMP_ABSENT;
		take(arg, asked[i % count], &var);
	}
}

static netsnmp_pdu *walk_pdu(const struct session *s, const struct oid *from, const size_t *asked,
			     size_t count, unsigned rows)
{
	netsnmp_pdu *pdu;

	pdu = snmp_pdu_create(s->version == PROFILE_V1 ? SNMP_MSG_GETNEXT : SNMP_MSG_GETBULK);
	if (s->version != PROFILE_V1) {
		pdu->non_repeaters = 0;
		pdu->max_repetitions = rows;
	}
	for (size_t i = 0; i < count; i++)
		pdu_add(pdu, &from[asked[i]]);
	return pdu;
}

static int walk_step(struct session *s, const struct oid *from, size_t count, unsigned rows,
		     transport_take take, void *arg, struct err *err)
{
	size_t asked[TRANSPORT_VARS_MAX], left = count;
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		asked[i] = i;
	while (rc == 0 && left > 0) {
		netsnmp_pdu *answer;
		size_t ended;

		answer = exchange(s, walk_pdu(s, from, asked, left, rows), 0, err);
		if (!answer)
			return err->rc;
		ended = answer->errindex > 0 && (size_t)answer->errindex <= left
				? asked[answer->errindex - 1]
				: count;
		if (answer->errstat == SNMP_ERR_NOERROR) {
			if (answer->variables)
				walk_take(answer, asked, left, take, arg);
			else
				rc = answer_wrong(err);
			left = 0;
		} else if (answer->errstat == SNMP_ERR_NOSUCHNAME &&
			   asked_drop(asked, &left, answer->errindex)) {
			struct snmp_var end = { .oid = from[ended], .kind = SNMP_ABSENT };

			take(arg, ended, &end);
		} else if (answer->errstat == SNMP_ERR_TOOBIG && rows > 1) {
			rows /= 2;
		} else {
			rc = status_fault(s, answer, 0, err);
		}
		snmp_free_pdu(answer);
	}
	return rc;
}

/* The session's version, for the exchanges that follow. */
static void version_set(struct session *s, enum profile_version version)
{
	netsnmp_session *base = snmp_sess_session(s->handle);

	s->version = version;
	base->version = version == PROFILE_V1 ? SNMP_VERSION_1 : SNMP_VERSION_2c;
}

static int session_next(struct transport *t, const struct oid *from, size_t count, unsigned rows,
			transport_take take, void *arg, struct err *err)
{
	struct session *s = session_of(t);
	int64_t limit_ms = s->limit_ms;
	int rc;

	if (!s->offer_bulk || s->version != PROFILE_V1)
		return walk_step(s, from, count, rows, take, arg, err);
	s->offer_bulk = 0;
	version_set(s, PROFILE_V2C);
	s->limit_ms = BULK_TRY_MS;
	rc = walk_step(s, from, count, rows, take, arg, err);
	s->limit_ms = limit_ms;
	if (rc != RC_TIMEOUT)
		return rc;
	fence_debug(s->ctx, "no answer to version 2c, walking with version 1");
	version_set(s, PROFILE_V1);
	return walk_step(s, from, count, rows, take, arg, err);
}
