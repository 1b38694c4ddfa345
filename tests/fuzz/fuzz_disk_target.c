/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * fuzz_disk_target.c - what a disk says of itself: VPD pages, INQUIRY, capacity, modes, sense; and
 * URLs. Whatever it is, identities and names are printable, ended and not empty, and a password
 * shows up nowhere.
 *
 * LINK: disk host base
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/disk/disk_identity.h"
#include "host/disk/iscsi_url.h"
#include "host/disk/scsi_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_id(int rc, const char *id)
{
	if (rc != 0)
		return;
	assert(strlen(id) < DISK_ID_BYTES);
	assert(strchr(id, '.') && strchr(id, '.')[1] != '\0');
	for (const char *at = id; *at; at++)
		assert(*at > ' ' && *at < 0x7f);
}

static void check_pages(const uint8_t *data, size_t size)
{
	struct disk_facts facts = { 0 };
	struct err err = { 0 };
	char id[DISK_ID_BYTES];
	uint8_t key, asc, ascq;
	int a, b, c;

	check_id(disk_identity_of_page_83(data, size, id), id);
	if (scsi_inquiry_decode(data, size, "d", &facts, &err) == 0)
		assert(strlen(facts.vendor) <= 8 && strlen(facts.product) <= 16 &&
		       strlen(facts.revision) <= 4);
	check_id(disk_identity_of_page_80(data, size, &facts, id), id);
	if (scsi_capacity_16_decode(data, size, &facts) == 0)
		assert(facts.sectors > 0);
	if (scsi_capacity_10_decode(data, size, &facts) == 0)
		assert(facts.sectors > 0 && facts.sectors <= UINT32_MAX);
	scsi_mode_decode(data, size, &a, &b, &c);
	assert((a | b | c) <= 1);
	if (scsi_sense_decode(data, size, &key, &asc, &ascq) == 0)
		assert(key <= 15);
}

static void check_url(const char *url)
{
	struct iscsi_lun parsed;
	struct err err = { 0 };
	char name[DISK_NAME_BYTES];
	uint8_t isid[6];

	iscsi_url_show(url, name, sizeof name);
	if (iscsi_url_parse(url, name, &parsed, &err) != 0) {
		assert(err.text[0]);
		return;
	}
	assert(parsed.portal[0] && parsed.target[0] && parsed.lun >= 0 &&
	       parsed.lun <= ISCSI_LUN_MAX);
	assert((parsed.password[0] == '\0') == (parsed.user[0] == '\0' || parsed.needs_secret));
	/* One that cannot be part of the rest is in no part of the name. */
	if (strlen(parsed.password) >
	    strlen(parsed.target) + strlen(parsed.portal) + strlen(parsed.user) + 16)
		assert(!strstr(name, parsed.password));
	iscsi_isid_derive("iqn.me", &parsed, 3, isid);
	assert(isid[0] == 0x80 && isid[5] == 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 32);

	assert(text);
	check_pages(data, size);
	memcpy(text, "iscsi://", 8);
	if (size > 0)
		memcpy(text + 8, data, size);
	text[8 + size] = '\0';
	check_url(text);
	check_url(text + 8);
	free(text);
	return 0;
}
