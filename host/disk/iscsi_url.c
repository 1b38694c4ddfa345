/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * iscsi_url.c - see iscsi_url.h.
 */
#include "host/disk/iscsi_url.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/conf.h"
#include "base/text.h"

#define SCHEME "iscsi://"
#define SYNTAX "write iscsi://[user[%password]@]host[:port]/target/lun"
#define CHAP_FILE "/etc/holdfast/chap"
#define INITIATOR_FILE "/etc/iscsi/initiatorname.iscsi"
#define INITIATOR_PREFIX "iqn.2026-11.holdfast:"

enum { FILE_BYTES_MAX = 65536 };

int iscsi_url_is(const char *url)
{
	return strncmp(url, SCHEME, strlen(SCHEME)) == 0;
}

/* Where the host begins. A password may hold anything, a host, a target and a LUN no '@'. */
static const char *after_user(const char *rest)
{
	const char *at = strrchr(rest, '@');

	return at ? at + 1 : rest;
}

void iscsi_url_show(const char *url, char *name, size_t size)
{
	const char *rest = url + (iscsi_url_is(url) ? strlen(SCHEME) : 0);
	const char *host = after_user(rest);
	size_t user_bytes = strcspn(rest, "%");
	char shown[1024];

	/* A '%' in brackets or behind the '@' belongs to an address; without any '@' it may be a
	 * password whose end was forgotten. */
	if (host == rest && rest[0] != '[' && rest[user_bytes] != '\0')
		snprintf(shown, sizeof shown, "%s%.*s...", SCHEME, (int)user_bytes, rest);
	else if (host == rest)
		snprintf(shown, sizeof shown, "%s%s", SCHEME, rest);
	else if (rest + user_bytes < host)
		snprintf(shown, sizeof shown, "%s%.*s@%s", SCHEME, (int)user_bytes, rest, host);
	else
		snprintf(shown, sizeof shown, "%s%.*s%s", SCHEME, (int)(host - rest), rest, host);
	text_clean(name, size, shown, strlen(shown));
}

/* Copy bytes to a fixed array; RC_CONFIG when they do not fit or are not of a name. */
static int copy_part(char *dst, size_t size, const char *src, size_t bytes)
{
	if (bytes == 0 || bytes >= size)
		return RC_CONFIG;
	for (size_t i = 0; i < bytes; i++)
		if (!isgraph((unsigned char)src[i]))
			return RC_CONFIG;
	memcpy(dst, src, bytes);
	dst[bytes] = '\0';
	return 0;
}

static int parse_number(const char *text, size_t bytes, long max, long *number)
{
	char digits[8];
	char *end;

	if (bytes == 0 || bytes >= sizeof digits || !isdigit((unsigned char)text[0]))
		return RC_CONFIG;
	memcpy(digits, text, bytes);
	digits[bytes] = '\0';
	*number = strtol(digits, &end, 10);
	return *end != '\0' || *number > max ? RC_CONFIG : 0;
}

/* host[:port], with the port that RFC 7143 gives to iSCSI when none is said. */
static int parse_portal(const char *text, size_t bytes, struct iscsi_lun *parsed)
{
	const char *colon = memrchr(text, ':', bytes);
	size_t host_bytes;
	long port = 3260;

	/* The colons of an IPv6 address stand inside brackets. */
	if (colon && memchr(colon, ']', bytes - (size_t)(colon - text)))
		colon = NULL;
	host_bytes = colon ? (size_t)(colon - text) : bytes;
	if (colon && parse_number(colon + 1, bytes - host_bytes - 1, 65535, &port) != 0)
		return RC_CONFIG;
	if (port == 0 || (host_bytes > 0 && text[0] == '[') != (memchr(text, ']', bytes) != NULL) ||
	    (text[0] != '[' && memchr(text, ':', host_bytes)) || memchr(text, ',', bytes) ||
	    copy_part(parsed->portal, sizeof parsed->portal - 8, text, host_bytes) != 0)
		return RC_CONFIG;
	snprintf(parsed->portal + host_bytes, sizeof parsed->portal - host_bytes, ":%ld", port);
	return 0;
}

static int parse_user(const char *text, size_t bytes, struct iscsi_lun *parsed)
{
	const char *percent = memchr(text, '%', bytes);
	size_t user_bytes = percent ? (size_t)(percent - text) : bytes;

	if (copy_part(parsed->user, sizeof parsed->user, text, user_bytes) != 0)
		return RC_CONFIG;
	parsed->needs_secret = !percent;
	if (!percent)
		return 0;
	return copy_part(parsed->password, sizeof parsed->password, percent + 1,
			 bytes - user_bytes - 1);
}

int iscsi_url_parse(const char *url, const char *name, struct iscsi_lun *parsed, struct err *err)
{
	const char *rest = url + strlen(SCHEME);
	const char *host, *target, *lun;
	long number;

	memset(parsed, 0, sizeof *parsed);
	if (!iscsi_url_is(url))
		return err_set(err, RC_CONFIG, SYNTAX, "%s: is not an iSCSI URL", name);
	host = after_user(rest);
	if (host != rest && parse_user(rest, (size_t)(host - rest - 1), parsed) != 0)
		return err_set(err, RC_CONFIG, SYNTAX, "%s: user or password is empty or too long",
			       name);
	target = strchr(host, '/');
	lun = target ? strchr(target + 1, '/') : NULL;
	if (!lun)
		return err_set(err, RC_CONFIG, SYNTAX, "%s: names no target and LUN", name);
	if (parse_portal(host, (size_t)(target - host), parsed) != 0)
		return err_set(err, RC_CONFIG, SYNTAX, "%s: has no host or no valid port", name);
	if (copy_part(parsed->target, sizeof parsed->target, target + 1,
		      (size_t)(lun - target - 1)) != 0)
		return err_set(err, RC_CONFIG, SYNTAX, "%s: target name is empty or too long",
			       name);
	if (parse_number(lun + 1, strlen(lun + 1), ISCSI_LUN_MAX, &number) != 0)
		return err_set(err, RC_CONFIG, SYNTAX, "%s: LUN is not a number up to %d", name,
			       ISCSI_LUN_MAX);
	parsed->lun = (int)number;
	return 0;
}

void iscsi_url_wipe(struct iscsi_lun *parsed)
{
	explicit_bzero(parsed->password, sizeof parsed->password);
	explicit_bzero(parsed->target_password, sizeof parsed->target_password);
}

/* ---- files ---- */

/* Read a whole small file. Returns its length, or a negative errno. */
static ssize_t file_slurp(int fd, char *buffer, size_t size)
{
	size_t at = 0;

	while (at < size) {
		ssize_t got = read(fd, buffer + at, size - at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return (ssize_t)at;
		at += (size_t)got;
	}
	return -EFBIG;
}

static int is_our_secret(const struct conf_reader *reader, const struct iscsi_lun *parsed)
{
	return (strcmp(conf_word(reader, 1), "*") == 0 ||
		strcmp(conf_word(reader, 1), parsed->target) == 0) &&
	       strcmp(conf_word(reader, 2), parsed->user) == 0;
}

static int secret_take(const struct conf_reader *reader, struct iscsi_lun *parsed)
{
	const char *word = conf_word(reader, 3);
	int rc = copy_part(parsed->password, sizeof parsed->password, word, strlen(word));

	if (rc != 0 || reader->words_count < 6)
		return rc;
	word = conf_word(reader, 4);
	rc = copy_part(parsed->target_user, sizeof parsed->target_user, word, strlen(word));
	word = conf_word(reader, 5);
	return rc ? rc
		  : copy_part(parsed->target_password, sizeof parsed->target_password, word,
			      strlen(word));
}

/* 1: found. 0: not in the file. */
static int secret_search(struct conf_reader *reader, struct iscsi_lun *parsed, const char *file,
			 struct err *err)
{
	struct conf_fault fault;
	int rc;

	while ((rc = conf_next(reader, &fault)) > 0) {
		if (strcmp(conf_word(reader, 0), "CHAP") != 0 ||
		    (reader->words_count != 4 && reader->words_count != 6))
			return err_set(err, RC_CONFIG,
				       "write CHAP target user password [target-user password]",
				       "%s:%u: is not a CHAP line", file, reader->line);
		if (is_our_secret(reader, parsed))
			return secret_take(reader, parsed) == 0
				       ? 1
				       : err_set(err, RC_CONFIG, NULL,
						 "%s:%u: user or password is empty or too long",
						 file, reader->line);
	}
	if (rc < 0)
		return err_set(err, RC_CONFIG, NULL, "%s:%u:%u: %s", file, fault.line, fault.column,
			       fault.problem);
	return 0;
}

static int secret_read(struct iscsi_lun *parsed, const char *name, const char *file, int fd,
		       struct err *err)
{
	struct conf_reader *reader = malloc(sizeof *reader);
	char *text = malloc(FILE_BYTES_MAX);
	ssize_t bytes;
	int rc;

	if (!reader || !text) {
		rc = err_set(err, RC_INTERNAL, NULL, "out of memory");
		goto out;
	}
	bytes = file_slurp(fd, text, FILE_BYTES_MAX);
	if (bytes < 0) {
		rc = err_set(err, RC_CONFIG, NULL, "%s: %s", file, strerror((int)-bytes));
		goto out;
	}
	conf_reader_init(reader, text, (size_t)bytes);
	rc = secret_search(reader, parsed, file, err);
	conf_reader_wipe(reader);
	if (rc == 0)
		rc = err_set(err, RC_CONFIG, "add a line CHAP target user password",
			     "%s: %s has no password for user \"%s\"", name, file, parsed->user);
	else if (rc > 0)
		rc = 0;
out:
	if (text)
		explicit_bzero(text, FILE_BYTES_MAX);
	free(text);
	free(reader);
	return rc;
}

int iscsi_url_find_secret(struct iscsi_lun *parsed, const char *name, struct err *err)
{
	const char *file = getenv("HOLDFAST_CHAP_FILE");
	struct stat status;
	int fd, rc;

	if (!file || file[0] == '\0')
		file = CHAP_FILE;
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_set(err, RC_CONFIG, "put the password there, or into the URL",
			       "%s: no password in the URL and no %s: %s", name, file,
			       strerror(errno));
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || (status.st_mode & 077) != 0)
		rc = err_set(err, RC_CONFIG, "make it a file of mode 600",
			     "%s: holds secrets, but others may read it", file);
	else
		rc = secret_read(parsed, name, file, fd, err);
	close(fd);
	if (rc == 0)
		parsed->needs_secret = 0;
	return rc;
}

/* ---- who we are ---- */

/* InitiatorName=iqn... as open-iscsi writes it. */
static int initiator_of_kernel(char name[ISCSI_NAME_BYTES])
{
	static const char key[] = "InitiatorName=";
	FILE *file = fopen(INITIATOR_FILE, "re");
	char line[512];
	int rc = RC_CONFIG;

	if (!file)
		return rc;
	while (rc != 0 && fgets(line, sizeof line, file))
		if (strncmp(line, key, strlen(key)) == 0)
			rc = copy_part(name, ISCSI_NAME_BYTES, line + strlen(key),
				       strcspn(line + strlen(key), " \t\r\n"));
	fclose(file);
	return rc;
}

int iscsi_initiator_find(char name[ISCSI_NAME_BYTES], struct err *err)
{
	char host[65] = "";

	if (initiator_of_kernel(name) == 0)
		return 0;
	if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')
		return err_set(err, RC_CONFIG, "write InitiatorName=iqn... into " INITIATOR_FILE,
			       "this host has no name, and no iSCSI initiator name");
	/* RFC 3722: lower case, and nothing but letters, digits, '-', '.' and ':' */
	for (char *at = host; *at; at++)
		*at = isalnum((unsigned char)*at) || *at == '.' ? (char)tolower((unsigned char)*at)
								: '-';
	snprintf(name, ISCSI_NAME_BYTES, "%s%s", INITIATOR_PREFIX, host);
	return 0;
}

/* FNV-1a: it need not resist anybody, only spread and never change. */
static uint64_t hash_add(uint64_t hash, const char *text)
{
	do {
		hash ^= (uint8_t)*text;
		hash *= UINT64_C(0x100000001b3);
	} while (*text++);
	return hash;
}

void iscsi_isid_derive(const char *initiator, const struct iscsi_lun *url, uint8_t nexus,
		       uint8_t isid[6])
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	char lun[16];

	snprintf(lun, sizeof lun, "%d", url->lun);
	hash = hash_add(hash, initiator);
	hash = hash_add(hash, url->portal);
	hash = hash_add(hash, url->target);
	hash = hash_add(hash, lun);
	hash ^= hash >> 32;
	isid[0] = 0x80;
	isid[1] = (uint8_t)(hash >> 24);
	isid[2] = (uint8_t)(hash >> 16);
	isid[3] = (uint8_t)(hash >> 8);
	isid[4] = (uint8_t)hash;
	isid[5] = nexus;
}
