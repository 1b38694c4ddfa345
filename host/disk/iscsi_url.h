/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * iscsi_url.h - where an iSCSI disk is and who we are to it: URL, CHAP secrets, initiator, ISID.
 *
 * Callers: disk.c, disk_iscsi.c. libiscsi has a parser of its own, but that cuts long names in
 * silence and repeats the password in its messages.
 *
 *	iscsi://[user[%password]@]host[:port]/target/lun
 *
 * host may be [IPv6]. A user without a password has it in the file of $HOLDFAST_CHAP_FILE, else in
 * /etc/holdfast/chap, which nobody but its owner may read. One setting a line, as in base/conf.h:
 *
 *	CHAP	target|*  user  password  [target-user target-password]
 *
 * The first that fits target and user counts. With the last two the target must prove itself too
 * (mutual CHAP).
 *
 * Secrets: struct iscsi_lun holds them until iscsi_url_wipe(); no message repeats them.
 */
#ifndef HOLDFAST_ISCSI_URL_H
#define HOLDFAST_ISCSI_URL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	ISCSI_NAME_BYTES = 224,	  /* RFC 7143, 4.2.7.2: at most 223 */
	ISCSI_PORTAL_BYTES = 256, /* what libiscsi can hold, as for the secrets */
	ISCSI_SECRET_BYTES = 256,
	ISCSI_LUN_MAX = 16383, /* flat addressing, SAM-5 4.7.7 */
};

struct iscsi_lun {
	char portal[ISCSI_PORTAL_BYTES]; /* host:port */
	char target[ISCSI_NAME_BYTES];
	int lun;
	char user[ISCSI_SECRET_BYTES]; /* "": no CHAP */
	char password[ISCSI_SECRET_BYTES];
	char target_user[ISCSI_SECRET_BYTES];
	char target_password[ISCSI_SECRET_BYTES];
	int needs_secret; /* a user, but no password yet */
};

/* Does it begin like one? */
int iscsi_url_is(const char *url);

/* The URL without its password, made fit to be shown. Works for broken URLs too. */
void iscsi_url_show(const char *url, char *name, size_t size);

/* Take a URL apart; `name` is what messages call it. Pure. */
int iscsi_url_parse(const char *url, const char *name, struct iscsi_lun *parsed, struct err *err);

/* Find the password of a URL that needs_secret. */
int iscsi_url_find_secret(struct iscsi_lun *parsed, const char *name, struct err *err);

void iscsi_url_wipe(struct iscsi_lun *parsed);

/* The name of this host as an initiator: that of the kernel's initiator if it has one
 * (/etc/iscsi/initiatorname.iscsi), else made of the host name. */
int iscsi_initiator_find(char name[ISCSI_NAME_BYTES], struct err *err);

/* The ISID (RFC 7143, 11.12.5) that the same initiator, URL and nexus number always get: format
 * "random", its three bytes and the next one from a hash, the last the nexus. Never two sessions
 * of one host with one ISID by accident: each LUN and portal has its own. Pure. */
void iscsi_isid_derive(const char *initiator, const struct iscsi_lun *url, uint8_t nexus,
		       uint8_t isid[6]);

#endif
