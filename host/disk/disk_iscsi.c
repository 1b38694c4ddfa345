/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * disk_iscsi.c - a disk behind libiscsi, one session for the one path.
 *
 * libiscsi never acts by itself here: it is pumped by the worker, with our own clock. Its timeouts
 * count whole seconds of the wall clock and are off. It does not reconnect: that would be a new
 * nexus with a new ISID, and it would send again what may have been done already.
 *
 * A task whose answer does not come is waited for as long as the session stands, and nothing else is
 * sent meanwhile: whoever is fed up calls disk_reinstate(). That resets the connection, so that what
 * our own kernel still holds back is thrown away, and logs in with the same ISID; the target ends the
 * old session and its tasks before it answers the login (RFC 7143, 6.3.5). Only then is it known that
 * a task without an answer does not happen any more.
 *
 * tgt does that last only if the login passes through the stage of security negotiation, and libiscsi
 * goes there only with a user. So without one we offer an empty CHAP beside "None"; a target that
 * takes that for an attempt to log in with CHAP is asked again without it.
 *
 * A dead peer is found by the deadline of whoever waits, and by TCP (user timeout, keepalive). NOP-Out
 * would say no more than the next request does; NOP-In of the target is answered while we idle.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

#include "base/text.h"
#include "host/clock.h"
#include "host/disk/disk_identity.h"
#include "host/disk/iscsi_url.h"
#include "host/disk/scsi_block.h"

#define NOBODY "nobody" /* who logs in where no user is wanted */

enum {
	KEEPALIVE_IDLE_S = 5,
	KEEPALIVE_INTERVAL_S = 2,
	KEEPALIVE_COUNT = 3,
	REDIRECTS_MAX = 4,
	UNASKED_MAX = 1000, /* whoever talks so much unasked is no target */
	LOGOUT_MS = 500,
	/* Status class and detail of a login response (RFC 7143, 11.13.5). */
	LOGIN_NOT_AUTHENTICATED = 0x0201,
	LOGIN_NOT_AUTHORIZED = 0x0202,
	LOGIN_NO_TARGET = 0x0203,
	LOGIN_TARGET_REMOVED = 0x0204,
	LOGIN_TOO_MANY = 0x0206,
	LOGIN_TARGET_ERROR = 0x0300,
};

/* What the callbacks of libiscsi fill. One thing at a time is waited for. */
struct wait {
	int is_over;
	int status;
	char said[256]; /* by libiscsi at that moment; it is overwritten soon after */
};

struct iscsi_disk {
	const struct disk_place *place;
	struct disk_wake *wake;
	struct iscsi_lun url;
	char initiator[ISCSI_NAME_BYTES];
	uint8_t isid[6];
	struct scsi_unit unit;
	struct disk_facts facts;
	int is_stage_skipped; /* the target does not like our security negotiation without a user */
	struct iscsi_context *session; /* NULL: none, and `lost` says why */
	struct err lost;
	struct wait wait;
};

/* ---- the session ---- */

/* Let go of the session. Linger 0 makes it a reset: nothing of what waits in the socket is sent. */
static void session_drop(struct iscsi_disk *disk)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	if (!disk->session)
		return;
	if (iscsi_get_fd(disk->session) >= 0)
		setsockopt(iscsi_get_fd(disk->session), SOL_SOCKET, SO_LINGER, &reset,
			   sizeof reset);
	iscsi_destroy_context(disk->session);
	disk->session = NULL;
}

static int lose(struct iscsi_disk *disk, int rc, const char *next, const char *why)
{
	session_drop(disk);
	return err_set(&disk->lost, rc, next, "%s: %s", disk->place->name, why);
}

enum pump_end { PUMP_DONE, PUMP_LOST, PUMP_TIME, PUMP_INTERRUPTED };

/* Let libiscsi work until what is waited for is over. */
static enum pump_end session_pump(struct iscsi_disk *disk, mono_t until)
{
	while (!disk->wait.is_over) {
		int events;

		if (atomic_load(&disk->wake->is_interrupted))
			return PUMP_INTERRUPTED;
		if (mono_reached(clock_now(), until))
			return PUMP_TIME;
		events = disk_wait(disk->wake, iscsi_get_fd(disk->session),
				   (short)iscsi_which_events(disk->session), until);
		if (events != 0 && iscsi_service(disk->session, events) != 0)
			return PUMP_LOST;
	}
	return PUMP_DONE;
}

static void wait_over(struct iscsi_context *session, int status, void *data, void *private)
{
	struct iscsi_disk *disk = private;
	const char *said = iscsi_get_error(session);

	(void)data;
	if (disk->wait.is_over)
		return;
	disk->wait.is_over = 1;
	disk->wait.status = status;
	text_clean(disk->wait.said, sizeof disk->wait.said, said, strlen(said));
}

static void wait_begin(struct iscsi_disk *disk)
{
	memset(&disk->wait, 0, sizeof disk->wait);
}

static void isid_set(struct iscsi_context *session, const uint8_t isid[6])
{
	uint32_t high = (uint32_t)isid[1] << 16 | (uint32_t)isid[2] << 8 | isid[3];
	uint32_t low = (uint32_t)isid[4] << 8 | isid[5];

	switch (isid[0] >> 6) { /* RFC 7143, 11.12.5 */
	case 0:
		iscsi_set_isid_oui(session,
				   (uint32_t)(isid[0] & 0x3f) << 16 | (uint32_t)isid[1] << 8 |
					   isid[2],
				   (uint32_t)isid[3] << 16 | low);
		break;
	case 1:
		iscsi_set_isid_en(session, high, low);
		break;
	default:
		iscsi_set_isid_random(session, high, low);
	}
}

static int session_create(struct iscsi_disk *disk)
{
	struct iscsi_context *session = iscsi_create_context(disk->initiator);
	const struct iscsi_lun *url = &disk->url;

	if (!session)
		return err_set(&disk->lost, RC_INTERNAL, NULL, "%s: out of memory",
			       disk->place->name);
	disk->session = session;
	iscsi_set_noautoreconnect(session, 1);
	iscsi_set_timeout(session, 0);
	iscsi_set_session_type(session, ISCSI_SESSION_NORMAL);
	/* Offered both ways: the target chooses. */
	iscsi_set_header_digest(session, ISCSI_HEADER_DIGEST_NONE_CRC32C);
	iscsi_set_tcp_user_timeout(session, (int)disk->place->options.open_timeout_ms);
	iscsi_set_tcp_keepidle(session, KEEPALIVE_IDLE_S);
	iscsi_set_tcp_keepintvl(session, KEEPALIVE_INTERVAL_S);
	iscsi_set_tcp_keepcnt(session, KEEPALIVE_COUNT);
	isid_set(session, disk->isid);
	iscsi_set_targetname(session, url->target);
	if (url->user[0] != '\0')
		iscsi_set_initiator_username_pwd(session, url->user, url->password);
	else if (!disk->is_stage_skipped)
		iscsi_set_initiator_username_pwd(session, NOBODY, NOBODY);
	if (url->target_user[0] != '\0')
		iscsi_set_target_username_pwd(session, url->target_user, url->target_password);
	return 0;
}

/* ---- login ---- */

/* The login status stands in the complaint alone, as "...(513)". */
static int login_status(const char *text)
{
	const char *open = strrchr(text, '(');

	return open ? (int)strtol(open + 1, NULL, 10) : 0;
}

static int login_refused(struct iscsi_disk *disk)
{
	char why[384];
	int status = login_status(disk->wait.said);

	/* Mutual CHAP: libiscsi itself refuses the target, so that there is no status. */
	if (disk->url.target_user[0] != '\0' && status == 0 && strstr(disk->wait.said, "CHAP"))
		return lose(disk, RC_AUTH,
			    "check target user and password; is it the right target?",
			    "the target did not prove who it is (mutual CHAP)");
	switch (status) {
	case LOGIN_NOT_AUTHENTICATED:
		return lose(disk, RC_AUTH,
			    "check user and password, and whether the target wants them",
			    "login refused: not authenticated");
	case LOGIN_NOT_AUTHORIZED:
		snprintf(why, sizeof why, "login refused: initiator %s may not use this target",
			 disk->initiator);
		return lose(disk, RC_PRIVILEGE, "add the initiator to the target's access list",
			    why);
	case LOGIN_NO_TARGET:
	case LOGIN_TARGET_REMOVED:
		return lose(disk, RC_CONFIG,
			    "check the name, and whether the target shows itself to this initiator",
			    "there is no such target");
	case LOGIN_TOO_MANY:
		return lose(disk, RC_BUSY, NULL, "the target takes no more sessions");
	}
	snprintf(why, sizeof why, "login failed: %s", disk->wait.said);
	return lose(disk, status >= LOGIN_TARGET_ERROR && status < 0x0400 ? RC_BUSY : RC_PROTOCOL,
		    NULL, why);
}

/* Why waiting for a step of the login came to nothing. */
static int login_lost(struct iscsi_disk *disk, enum pump_end end, const char *step)
{
	char why[384];

	if (end == PUMP_INTERRUPTED)
		return lose(disk, RC_CANCELLED, NULL, "login given up");
	if (end == PUMP_TIME) {
		snprintf(why, sizeof why, "no answer to the %s in time", step);
		return lose(disk, RC_TIMEOUT, "look at the network and at the target", why);
	}
	snprintf(why, sizeof why, "%s failed: %s", step,
		 disk->wait.said[0] ? disk->wait.said : "the target closed the connection");
	return lose(disk, RC_UNREACHABLE, "look at the network and at the target", why);
}

/* One attempt. 1: go to the portal that the target named instead. */
static int login_once(struct iscsi_disk *disk, char portal[ISCSI_PORTAL_BYTES], mono_t until)
{
	enum pump_end end;
	int rc = session_create(disk);

	if (rc != 0)
		return rc;
	wait_begin(disk);
	if (iscsi_connect_async(disk->session, portal, wait_over, disk) != 0) {
		wait_over(disk->session, SCSI_STATUS_ERROR, NULL, disk);
		return login_lost(disk, PUMP_LOST, "connection");
	}
	/* Programs started meanwhile must not keep the connection alive. */
	fcntl(iscsi_get_fd(disk->session), F_SETFD, FD_CLOEXEC);
	end = session_pump(disk, until);
	if (end != PUMP_DONE || disk->wait.status != SCSI_STATUS_GOOD)
		return login_lost(disk, end == PUMP_DONE ? PUMP_LOST : end, "connection");
	wait_begin(disk);
	if (iscsi_login_async(disk->session, wait_over, disk) != 0)
		return login_lost(disk, PUMP_LOST, "login");
	end = session_pump(disk, until);
	if (end != PUMP_DONE)
		return login_lost(disk, end, "login");
	if (disk->wait.status == SCSI_STATUS_GOOD)
		return 0;
	if (disk->wait.status != (int)SCSI_STATUS_REDIRECT)
		return login_refused(disk);
	snprintf(portal, ISCSI_PORTAL_BYTES, "%s", iscsi_get_target_address(disk->session));
	session_drop(disk);
	return 1;
}

static int login_with_redirects(struct iscsi_disk *disk, mono_t until)
{
	char portal[ISCSI_PORTAL_BYTES];

	snprintf(portal, sizeof portal, "%s", disk->url.portal);
	for (int i = 0; i < REDIRECTS_MAX; i++) {
		int rc = login_once(disk, portal, until);

		if (rc != 1)
			return rc;
	}
	return lose(disk, RC_PROTOCOL, NULL, "the target sends us from portal to portal");
}

static int session_login(struct iscsi_disk *disk, mono_t until, struct err *err)
{
	int rc = login_with_redirects(disk, until);

	if (rc == RC_AUTH && disk->url.user[0] == '\0' && !disk->is_stage_skipped) {
		disk->is_stage_skipped = 1;
		rc = login_with_redirects(disk, until);
		if (rc != 0)
			disk->is_stage_skipped = 0;
	}
	if (rc != 0)
		*err = disk->lost;
	return rc;
}

/* ---- commands ---- */

static void sense_take(const struct scsi_task *task, struct disk_result *result)
{
	size_t bytes;

	/* RFC 7143, 11.4.7: a length of two bytes comes first. */
	if (!task->datain.data || task->datain.size < 2)
		return;
	bytes = (size_t)task->datain.data[0] << 8 | task->datain.data[1];
	if (bytes > (size_t)task->datain.size - 2)
		bytes = (size_t)task->datain.size - 2;
	if (bytes > DISK_SENSE_BYTES_MAX)
		bytes = DISK_SENSE_BYTES_MAX;
	memcpy(result->sense, task->datain.data + 2, bytes);
	result->sense_bytes = (uint8_t)bytes;
}

/* An answer came. */
static void answer_take(struct iscsi_disk *disk, const struct scsi_task *task,
			const struct scsi_command *command, struct disk_result *result)
{
	result->status = (uint8_t)disk->wait.status;
	result->sense_bytes = 0;
	if (result->status == SCSI_CHECK_CONDITION)
		sense_take(task, result);
	result->bytes = 0;
	if (command->direction != DISK_FROM_DEVICE || result->status != SCSI_GOOD)
		return;
	result->bytes = command->bytes;
	if (task->residual_status == SCSI_RESIDUAL_UNDERFLOW)
		result->bytes -= task->residual < command->bytes ? (uint32_t)task->residual
								 : command->bytes;
}

/* No answer came. What was sent may yet be done, for all we know. */
static void answer_missing(struct iscsi_disk *disk, enum pump_end end, struct disk_result *result)
{
	if (end == PUMP_INTERRUPTED)
		lose(disk, RC_UNREACHABLE, NULL, "the session was given up");
	else if (end == PUMP_TIME)
		lose(disk, RC_TIMEOUT, "look at the network and at the target",
		     "no answer to a command in time");
	else
		lose(disk, RC_UNREACHABLE, "look at the network and at the target",
		     "the session broke under a command");
	result->rc = disk->lost.rc;
	result->err = disk->lost;
	result->is_outstanding = 1;
}

/* Take what the target sent while nobody asked: its NOP-In, and the end of the connection. A session
 * that broke before a command is told from one that breaks under it, for then nothing was sent. */
static int session_is_up(struct iscsi_disk *disk)
{
	if (!disk->session)
		return 0;
	for (int i = 0; i < UNASKED_MAX; i++) {
		char byte;
		ssize_t got = recv(iscsi_get_fd(disk->session), &byte, 1, MSG_PEEK | MSG_DONTWAIT);

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return 1;
		/* libiscsi would take the end in silence, and complain only the second time. */
		if (got <= 0 || iscsi_service(disk->session, POLLIN) != 0)
			break;
	}
	lose(disk, RC_UNREACHABLE, "look at the network and at the target", "the session broke");
	return 0;
}

static struct scsi_task *task_create(const struct scsi_command *command, struct scsi_iovec *in)
{
	static const int ways[] = { [DISK_NO_DATA] = SCSI_XFER_NONE,
				    [DISK_FROM_DEVICE] = SCSI_XFER_READ,
				    [DISK_TO_DEVICE] = SCSI_XFER_WRITE };
	uint8_t cdb[DISK_CDB_BYTES_MAX];
	struct scsi_task *task;

	memcpy(cdb, command->cdb, sizeof cdb);
	task = scsi_create_task(command->cdb_bytes, cdb, ways[command->direction],
				(int)command->bytes);
	if (task && command->direction == DISK_FROM_DEVICE) {
		in->iov_base = command->data;
		in->iov_len = command->bytes;
		scsi_task_set_iov_in(task, in, 1);
	}
	return task;
}

static void iscsi_transport(void *device, const struct scsi_command *command, mono_t until,
			    struct disk_result *result)
{
	struct iscsi_disk *disk = device;
	struct iscsi_data out = { .size = command->bytes, .data = command->data };
	struct scsi_iovec in;
	struct scsi_task *task;
	enum pump_end end = PUMP_LOST;

	if (!session_is_up(disk)) {
		result->rc = disk->lost.rc;
		result->err = disk->lost;
		return;
	}
	task = task_create(command, &in);
	if (!task) {
		disk_result_fail(result, RC_INTERNAL, NULL, "%s: out of memory", disk->place->name);
		return;
	}
	wait_begin(disk);
	if (mono_is_never(result->submitted_at))
		result->submitted_at = clock_now();
	if (iscsi_scsi_command_async(disk->session, disk->url.lun, task, wait_over,
				     command->direction == DISK_TO_DEVICE ? &out : NULL, disk) == 0)
		end = session_pump(disk, until);
	/* Statuses of more than a byte are libiscsi's own: cancelled, error. */
	if (end == PUMP_DONE && disk->wait.status >= 0 && disk->wait.status <= UINT8_MAX)
		answer_take(disk, task, command, result);
	else
		answer_missing(disk, end, result);
	scsi_free_scsi_task(task);
}

/* ---- the backend ---- */

static void disk_free(struct iscsi_disk *disk)
{
	session_drop(disk);
	iscsi_url_wipe(&disk->url);
	free(disk);
}

/* Find out everything that is known without the network. */
static int disk_prepare(struct iscsi_disk *disk, const struct disk_place *place, struct err *err)
{
	static const uint8_t none[6];
	const struct disk_options *options = &place->options;
	int rc = iscsi_url_parse(place->url, place->name, &disk->url, err);

	if (rc == 0 && disk->url.needs_secret)
		rc = iscsi_url_find_secret(&disk->url, place->name, err);
	if (rc != 0)
		return rc;
	if (options->initiator[0] == '\0')
		rc = iscsi_initiator_find(disk->initiator, err);
	else
		snprintf(disk->initiator, sizeof disk->initiator, "%s", options->initiator);
	if (memcmp(options->isid, none, sizeof none) == 0)
		iscsi_isid_derive(disk->initiator, &disk->url, options->nexus, disk->isid);
	else
		memcpy(disk->isid, options->isid, sizeof disk->isid);
	if (rc == 0 && disk->isid[0] >> 6 == 3)
		rc = err_set(err, RC_CONFIG, NULL, "%s: an ISID of type 3 is reserved",
			     place->name);
	return rc;
}

static int iscsi_open(const struct disk_place *place, mono_t deadline, struct disk_facts *facts,
		      void **backend, struct err *err)
{
	struct iscsi_disk *disk = calloc(1, sizeof *disk);
	int rc;

	if (!disk)
		return err_set(err, RC_INTERNAL, NULL, "%s: out of memory", place->name);
	disk->place = place;
	disk->wake = place->wake;
	disk->unit = (struct scsi_unit){ .transport = iscsi_transport,
					 .device = disk,
					 .name = place->name };
	rc = disk_prepare(disk, place, err);
	if (rc == 0)
		rc = session_login(disk, deadline, err);
	if (rc == 0)
		rc = scsi_unit_open(&disk->unit, deadline, facts, err);
	if (rc != 0) {
		disk_free(disk);
		return rc;
	}
	facts->kind = DISK_ISCSI;
	facts->is_direct = 1;
	disk->facts = *facts;
	*backend = disk;
	return 0;
}

static void iscsi_exec(void *backend, const struct disk_job *job, struct disk_result *result)
{
	struct iscsi_disk *disk = backend;

	scsi_unit_exec(&disk->unit, job, result);
}

/* INQUIRY leaves unit attentions alone: what the target has to say about the new session is told to
 * the caller with its next command. */
static int iscsi_reinstate(void *backend, mono_t deadline, struct err *err)
{
	struct iscsi_disk *disk = backend;
	char id[DISK_ID_BYTES], why[DISK_ID_BYTES + 64];
	int rc;

	session_drop(disk);
	rc = session_login(disk, deadline, err);
	if (rc != 0)
		return rc;
	rc = scsi_unit_identity(&disk->unit, deadline, &disk->facts, id, err);
	if (rc != 0) {
		session_drop(disk);
		disk->lost = *err;
		return rc;
	}
	if (strcmp(id, disk->facts.id) == 0)
		return 0;
	snprintf(why, sizeof why, "leads to another disk now (%s)", id);
	rc = lose(disk, RC_CONFIG, "find out which disk is meant", why);
	*err = disk->lost;
	return rc;
}

static void iscsi_idle(void *backend)
{
	struct iscsi_disk *disk = backend;
	int events;

	if (!disk->session) {
		disk_wait(disk->wake, -1, 0, MONO_NEVER);
		return;
	}
	events = disk_wait(disk->wake, iscsi_get_fd(disk->session),
			   (short)iscsi_which_events(disk->session), MONO_NEVER);
	/* Also to answer what was asked of us. */
	if (events != 0 && iscsi_service(disk->session, events) != 0)
		lose(disk, RC_UNREACHABLE, "look at the network and at the target",
		     "the session broke");
	else if (events != 0)
		session_is_up(disk);
}

/* The worker was interrupted to end: from here on only time interrupts. */
static void iscsi_close_disk(void *backend)
{
	struct iscsi_disk *disk = backend;

	atomic_store(&disk->wake->is_interrupted, 0);
	wait_begin(disk);
	if (disk->session && iscsi_logout_async(disk->session, wait_over, disk) == 0)
		session_pump(disk, mono_add_ms(clock_now(), LOGOUT_MS));
	disk_free(disk);
}

const struct disk_backend_ops disk_iscsi_ops = {
	.open = iscsi_open,
	.exec = iscsi_exec,
	.reinstate = iscsi_reinstate,
	.idle = iscsi_idle,
	.close = iscsi_close_disk,
};
