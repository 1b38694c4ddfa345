/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * disk_identity.c - see disk_identity.h.
 */
#include "host/disk/disk_identity.h"

#include <stdio.h>
#include <string.h>

#include "base/bigendian.h"

/* SPC-4, 7.8.6: association in bits 4 and 5 of byte 1, type in its low half, code set in that of
 * byte 0. */
enum {
	ASSOCIATION_LUN = 0,
	TYPE_T10 = 1,
	TYPE_EUI64 = 2,
	TYPE_NAA = 3,
	TYPE_NAME = 8,
	CODE_BINARY = 1,
	CODE_ASCII = 2,
	CODE_UTF8 = 3,
	NAA_LOCAL = 3,
};

struct designator {
	uint8_t code, type;
	const uint8_t *data;
	size_t bytes;
};

/* How much is to be thought of it; 0: nothing. A locally assigned NAA is whatever somebody set, two
 * boxes may have set the same. */
static int designator_rank(const struct designator *d)
{
	switch (d->type) {
	case TYPE_NAA:
		if (d->code != CODE_BINARY || (d->bytes != 8 && d->bytes != 16))
			return 0;
		return d->data[0] >> 4 == NAA_LOCAL ? 1 : 6;
	case TYPE_EUI64:
		if (d->code != CODE_BINARY || (d->bytes != 8 && d->bytes != 12 && d->bytes != 16))
			return 0;
		return 5;
	case TYPE_T10:
		return d->bytes > 8 ? 4 : 0;
	case TYPE_NAME:
		return d->code == CODE_UTF8 && d->bytes > 4 ? 3 : 0;
	default:
		return 0;
	}
}

static int is_zero(const uint8_t *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (data[i] != 0)
			return 0;
	return 1;
}

static void hex_id(const char *kind, const uint8_t *data, size_t bytes, char id[DISK_ID_BYTES])
{
	int at = snprintf(id, DISK_ID_BYTES, "%s.", kind);

	for (size_t i = 0; i < bytes; i++)
		at += snprintf(id + at, (size_t)(DISK_ID_BYTES - at), "%02x", data[i]);
}

static int designator_id(const struct designator *d, char id[DISK_ID_BYTES])
{
	const char *text = (const char *)d->data;

	switch (d->type) {
	case TYPE_NAA:
		hex_id("naa", d->data, d->bytes, id);
		return 0;
	case TYPE_EUI64:
		hex_id("eui", d->data, d->bytes, id);
		return 0;
	case TYPE_T10:
		return disk_identity_of_text("t10", text, d->bytes, id);
	default:
		return disk_identity_of_text("name", text, d->bytes, id);
	}
}

int disk_identity_of_page_83(const uint8_t *page, size_t bytes, char id[DISK_ID_BYTES])
{
	struct designator best = { 0 };
	int best_rank = 0;
	size_t end;

	if (bytes < 4 || page[1] != 0x83)
		return RC_UNSUPPORTED;
	end = 4 + (size_t)be_get16(page + 2);
	if (end > bytes)
		end = bytes;
	for (size_t at = 4; at + 4 <= end; at += 4 + (size_t)page[at + 3]) {
		struct designator d = { .code = page[at] & 0xf,
					.type = page[at + 1] & 0xf,
					.data = page + at + 4,
					.bytes = page[at + 3] };

		if (at + 4 + d.bytes > end)
			break;
		if ((page[at + 1] >> 4 & 3) == ASSOCIATION_LUN && !is_zero(d.data, d.bytes) &&
		    designator_rank(&d) > best_rank) {
			best = d;
			best_rank = designator_rank(&d);
		}
	}
	return best_rank > 0 ? designator_id(&best, id) : RC_UNSUPPORTED;
}

int disk_identity_of_page_80(const uint8_t *page, size_t bytes, const struct disk_facts *facts,
			     char id[DISK_ID_BYTES])
{
	char serial[256], text[320];
	size_t length;
	int at;

	if (bytes < 4 || page[1] != 0x80)
		return RC_UNSUPPORTED;
	length = be_get16(page + 2);
	if (length > bytes - 4)
		length = bytes - 4;
	/* Blanks or zeros alone are the way to say "none". */
	if (disk_identity_of_text("serial", (const char *)page + 4, length, id) != 0)
		return RC_UNSUPPORTED;
	snprintf(serial, sizeof serial, "%.*s", (int)strnlen((const char *)page + 4, length),
		 (const char *)page + 4);
	at = snprintf(text, sizeof text, "%s %s %s", facts->vendor, facts->product, serial);
	return disk_identity_of_text("serial", text, (size_t)at, id);
}

/* FNV-1a, to tell apart what is too long to be shown. */
static uint64_t hash_of(const char *text, size_t bytes)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < bytes; i++) {
		hash ^= (uint8_t)text[i];
		hash *= UINT64_C(0x100000001b3);
	}
	return hash;
}

int disk_identity_of_text(const char *kind, const char *text, size_t bytes, char id[DISK_ID_BYTES])
{
	size_t at = (size_t)snprintf(id, DISK_ID_BYTES, "%s.", kind);
	size_t begin = at;
	int is_blank = 0;

	/* Some pad with NUL, some with blanks, in front or behind. */
	bytes = strnlen(text, bytes);
	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c <= ' ' || c == 0x7f) {
			is_blank = at > begin;
			continue;
		}
		if (at + 2 >= DISK_ID_BYTES) {
			snprintf(id + DISK_ID_BYTES - 18, 18, "#%016llx",
				 (unsigned long long)hash_of(text, bytes));
			return 0;
		}
		if (is_blank)
			id[at++] = '_';
		is_blank = 0;
		id[at++] = (char)(c < 0x7f ? c : '?');
	}
	id[at] = '\0';
	return at > begin ? 0 : RC_UNSUPPORTED;
}

/* ---- pairs ---- */

static int is_same_make(const struct disk_facts *a, const struct disk_facts *b)
{
	return a->sectors == b->sectors && a->sector_bytes == b->sector_bytes &&
	       (!a->has_scsi || !b->has_scsi ||
		(strcmp(a->vendor, b->vendor) == 0 && strcmp(a->product, b->product) == 0));
}

enum disk_relation disk_relation(const struct disk_known *a, const struct disk_known *b)
{
	int is_one_name = strcmp(a->name, b->name) == 0;
	int is_one_id = strcmp(a->facts->id, b->facts->id) == 0;

	if (is_one_id)
		return is_same_make(a->facts, b->facts) ? DISKS_SAME_UNIT : DISKS_CONTRADICT;
	return is_one_name ? DISKS_CONTRADICT : DISKS_DISTINCT;
}

static int pair_check(const struct disk_known *a, const struct disk_known *b, struct err *err)
{
	switch (disk_relation(a, b)) {
	case DISKS_DISTINCT:
		return 0;
	case DISKS_SAME_UNIT:
		return err_set(err, RC_CONFIG, "name each logical unit once",
			       "%s and %s are the same disk (%s)", a->name, b->name, a->facts->id);
	case DISKS_CONTRADICT:
		break;
	}
	if (strcmp(a->facts->id, b->facts->id) != 0)
		return err_set(err, RC_CONFIG, "find out which disk is meant; use names that stay",
			       "%s leads to two disks, %s and %s", a->name, a->facts->id,
			       b->facts->id);
	return err_set(
		err, RC_CONFIG, "give each logical unit an identity of its own on the target",
		"%s and %s differ, but both call themselves %s", a->name, b->name, a->facts->id);
}

int disk_identities_check(const struct disk_known *known, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = i + 1; j < count; j++) {
			int rc = pair_check(&known[i], &known[j], err);

			if (rc != 0)
				return rc;
		}
	}
	return 0;
}
