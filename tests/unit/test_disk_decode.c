/* SPDX-License-Identifier: GPL-2.0-or-later
 * LINK: disk host base pkg:cmocka
 *
 * test_disk_decode.c - what disks say of themselves and where they are: VPD pages, sense, capacity,
 * modes, URLs, ISIDs; and when two of them are one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host/disk/disk_identity.h"
#include "host/disk/disk_sg.h"
#include "host/disk/iscsi_url.h"

/* ---- VPD page 0x83 ---- */

struct page {
	uint8_t data[1024];
	size_t bytes;
};

static void page_begin(struct page *page)
{
	memset(page, 0, sizeof *page);
	page->data[1] = 0x83;
	page->bytes = 4;
}

static void page_add(struct page *page, unsigned code, unsigned association, unsigned type,
		     const void *data, size_t bytes)
{
	uint8_t *at = page->data + page->bytes;

	at[0] = (uint8_t)code;
	at[1] = (uint8_t)(association << 4 | type);
	at[3] = (uint8_t)bytes;
	memcpy(at + 4, data, bytes);
	page->bytes += 4 + bytes;
	page->data[2] = (uint8_t)((page->bytes - 4) >> 8);
	page->data[3] = (uint8_t)(page->bytes - 4);
}

static const uint8_t naa6[16] = { 0x60, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
static const uint8_t naa5[8] = { 0x50, 1, 2, 3, 4, 5, 6, 7 };
static const uint8_t naa_local[8] = { 0x30, 0, 0, 0, 0, 0, 0, 1 };
static const uint8_t eui[8] = { 0x00, 0x25, 0x38, 1, 2, 3, 4, 5 };
static const char t10[] = "VENDOR  disk 7";
static const char name[] = "iqn.2026-11.test:disk,L,0x1";

static void expect_id(const struct page *page, const char *expected)
{
	char id[DISK_ID_BYTES];

	if (!expected) {
		assert_int_equal(disk_identity_of_page_83(page->data, page->bytes, id),
				 RC_UNSUPPORTED);
		return;
	}
	assert_int_equal(disk_identity_of_page_83(page->data, page->bytes, id), 0);
	assert_string_equal(id, expected);
}

static void test_best_designator(void **state)
{
	struct page page;

	(void)state;
	page_begin(&page);
	expect_id(&page, NULL);
	/* Vendor specific, relative port, target port: no names of the unit. */
	page_add(&page, 2, 0, 0, "whatever", 8);
	page_add(&page, 1, 1, 4, "\0\0\0\1", 4);
	page_add(&page, 1, 1, 3, naa5, 8);
	page_add(&page, 1, 2, 3, naa6, 16);
	expect_id(&page, NULL);
	page_add(&page, 1, 0, 3, naa_local, 8);
	expect_id(&page, "naa.3000000000000001");
	page_add(&page, 3, 0, 8, name, sizeof name);
	expect_id(&page, "name.iqn.2026-11.test:disk,L,0x1");
	page_add(&page, 2, 0, 1, t10, strlen(t10));
	expect_id(&page, "t10.VENDOR_disk_7");
	page_add(&page, 1, 0, 2, eui, 8);
	expect_id(&page, "eui.0025380102030405");
	page_add(&page, 1, 0, 3, naa6, 16);
	expect_id(&page, "naa.600102030405060708090a0b0c0d0e0f");
	/* The first of equals: the order of a device does not change, our choice must not either. */
	page_add(&page, 1, 0, 3, naa5, 8);
	expect_id(&page, "naa.600102030405060708090a0b0c0d0e0f");
}

static void test_designators_that_are_none(void **state)
{
	static const uint8_t zeros[16];
	struct page page;

	(void)state;
	page_begin(&page);
	page_add(&page, 1, 0, 3, zeros, 16);
	page_add(&page, 1, 0, 2, zeros, 8);
	page_add(&page, 1, 0, 3, naa6, 7);
	page_add(&page, 2, 0, 3, naa6, 16);
	page_add(&page, 2, 0, 1, "VENDOR  ", 8);
	page_add(&page, 1, 0, 3, naa6, 0);
	expect_id(&page, NULL);
	/* A length that reaches behind the page */
	page_add(&page, 1, 0, 3, naa6, 16);
	page.data[page.bytes - 17] = 200;
	expect_id(&page, NULL);
	/* Another page, or too little of it */
	page_begin(&page);
	page_add(&page, 1, 0, 3, naa6, 16);
	for (size_t bytes = 0; bytes < page.bytes; bytes++) {
		char id[DISK_ID_BYTES];

		assert_int_equal(disk_identity_of_page_83(page.data, bytes, id), RC_UNSUPPORTED);
	}
	page.data[1] = 0;
	expect_id(&page, NULL);
}

static void test_long_identities_stay_apart(void **state)
{
	char text[200], a[DISK_ID_BYTES], b[DISK_ID_BYTES];

	(void)state;
	memset(text, 'x', sizeof text);
	assert_int_equal(disk_identity_of_text("t10", text, sizeof text, a), 0);
	text[sizeof text - 1] = 'y';
	assert_int_equal(disk_identity_of_text("t10", text, sizeof text, b), 0);
	assert_int_equal(strlen(a), DISK_ID_BYTES - 1);
	assert_string_not_equal(a, b);
	assert_memory_equal(a, "t10.xxxx", 8);
	/* What just fits, and one more */
	assert_int_equal(disk_identity_of_text("t10", text, DISK_ID_BYTES - 6, a), 0);
	assert_null(strchr(a, '#'));
	assert_int_equal(disk_identity_of_text("t10", " \1 \t", 4, a), RC_UNSUPPORTED);
	assert_int_equal(disk_identity_of_text("t10", "  a \xff b  ", 9, a), 0);
	assert_string_equal(a, "t10.a_?_b");
}

static void test_serial_number(void **state)
{
	static const struct disk_facts facts = { .vendor = "ACME", .product = "Disk Array" };
	uint8_t page[24] = { 0, 0x80, 0, 12, ' ', ' ', 'S', 'N', '1', '2', ' ', 0 };
	char id[DISK_ID_BYTES];

	(void)state;
	assert_int_equal(disk_identity_of_page_80(page, 16, &facts, id), 0);
	assert_string_equal(id, "serial.ACME_Disk_Array_SN12");
	memset(page + 4, ' ', 12);
	assert_int_equal(disk_identity_of_page_80(page, 16, &facts, id), RC_UNSUPPORTED);
	assert_int_equal(disk_identity_of_page_80(page, 3, &facts, id), RC_UNSUPPORTED);
	page[1] = 0x83;
	assert_int_equal(disk_identity_of_page_80(page, 16, &facts, id), RC_UNSUPPORTED);
}

/* ---- pairs ---- */

static void test_relations(void **state)
{
	struct disk_facts one = { .sectors = 100, .sector_bytes = 512, .id = "naa.6001" };
	struct disk_facts same = one, larger = one, other = one, scsi = one, foreign;
	struct disk_known a = { "/dev/a", &one };
	struct err err = { 0 };

	(void)state;
	larger.sectors = 200;
	snprintf(other.id, sizeof other.id, "naa.6002");
	scsi.has_scsi = 1;
	snprintf(scsi.vendor, sizeof scsi.vendor, "ACME");
	foreign = scsi;
	snprintf(foreign.vendor, sizeof foreign.vendor, "EMCA");
	assert_int_equal(disk_relation(&a, &(struct disk_known){ "/dev/b", &other }),
			 DISKS_DISTINCT);
	assert_int_equal(disk_relation(&a, &(struct disk_known){ "/dev/b", &same }),
			 DISKS_SAME_UNIT);
	assert_int_equal(disk_relation(&a, &(struct disk_known){ "/dev/a", &same }),
			 DISKS_SAME_UNIT);
	assert_int_equal(disk_relation(&a, &(struct disk_known){ "/dev/a", &other }),
			 DISKS_CONTRADICT);
	assert_int_equal(disk_relation(&a, &(struct disk_known){ "/dev/b", &larger }),
			 DISKS_CONTRADICT);
	/* A path without SCSI does not know who made it. */
	assert_int_equal(disk_relation(&a, &(struct disk_known){ "/dev/b", &scsi }),
			 DISKS_SAME_UNIT);
	assert_int_equal(disk_relation(&(struct disk_known){ "/dev/a", &scsi },
				       &(struct disk_known){ "/dev/b", &foreign }),
			 DISKS_CONTRADICT);
	assert_int_equal(disk_identities_check(NULL, 0, &err), 0);
	assert_int_equal(disk_identities_check(&a, 1, &err), 0);
	assert_int_equal(
		disk_identities_check((struct disk_known[]){ a, { "/dev/a", &other } }, 2, &err),
		RC_CONFIG);
	assert_non_null(strstr(err.text, "leads to two disks"));
}

/* ---- SCSI ---- */

static void expect_sense(const uint8_t *sense, size_t bytes, int rc, unsigned expected)
{
	uint8_t key, asc, ascq;

	assert_int_equal(scsi_sense_decode(sense, bytes, &key, &asc, &ascq), rc);
	assert_int_equal((unsigned)key << 16 | (unsigned)asc << 8 | ascq, expected);
}

static void test_sense(void **state)
{
	static const uint8_t fixed[18] = { 0xf0, 0, 0x26, [7] = 10, [12] = 0x2a, [13] = 0x03 };
	static const uint8_t descriptors[8] = { 0x72, 0x06, 0x29, 0x01 };
	static const uint8_t unknown[8] = { 0x7f, 0x06 };

	(void)state;
	expect_sense(fixed, 18, 0, 0x062a03);
	expect_sense(fixed, 13, 0, 0x060000);
	expect_sense(fixed, 3, 0, 0x060000);
	expect_sense(fixed, 2, RC_PROTOCOL, 0);
	expect_sense(fixed, 0, RC_PROTOCOL, 0);
	expect_sense(descriptors, 8, 0, 0x062901);
	expect_sense(descriptors, 3, RC_PROTOCOL, 0);
	expect_sense(unknown, 8, RC_PROTOCOL, 0);
}

static void test_inquiry(void **state)
{
	uint8_t data[36] = { 0 };
	struct disk_facts facts = { 0 };
	struct err err = { 0 };

	(void)state;
	memcpy(data + 8, "ACME    Evil\033Disk       1.0 ", 28);
	assert_int_equal(scsi_inquiry_decode(data, 36, "d", &facts, &err), 0);
	assert_string_equal(facts.vendor, "ACME");
	assert_string_equal(facts.product, "Evil Disk");
	assert_string_equal(facts.revision, "1.0");
	assert_int_equal(scsi_inquiry_decode(data, 35, "d", &facts, &err), RC_PROTOCOL);
	data[0] = 0x7f;
	assert_int_equal(scsi_inquiry_decode(data, 36, "d", &facts, &err), RC_CONFIG);
	data[0] = 0x20;
	assert_int_equal(scsi_inquiry_decode(data, 36, "d", &facts, &err), RC_CONFIG);
	data[0] = 0x05; /* a CD */
	assert_int_equal(scsi_inquiry_decode(data, 36, "d", &facts, &err), RC_CONFIG);
}

static void test_capacity(void **state)
{
	static const uint8_t large[32] = { [3] = 1, [7] = 0xff, [10] = 0x10, [13] = 0x03 };
	static const uint8_t absurd[32] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [10] = 2
	};
	static const uint8_t small[8] = { 0, 0, 0x1f, 0xff, 0, 0, 2, 0 };
	static const uint8_t too_large[8] = { 0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0 };
	struct disk_facts facts = { 0 };

	(void)state;
	assert_int_equal(scsi_capacity_16_decode(large, 32, &facts), 0);
	assert_int_equal(facts.sectors, 0x100000100);
	assert_int_equal(facts.sector_bytes, 4096);
	assert_int_equal(facts.physical_bytes, 32768);
	assert_int_equal(scsi_capacity_16_decode(large, 13, &facts), RC_PROTOCOL);
	assert_int_equal(scsi_capacity_16_decode(absurd, 32, &facts), RC_PROTOCOL);
	assert_int_equal(scsi_capacity_10_decode(small, 8, &facts), 0);
	assert_int_equal(facts.sectors, 0x2000);
	assert_int_equal(facts.sector_bytes, 512);
	assert_int_equal(scsi_capacity_10_decode(small, 7, &facts), RC_PROTOCOL);
	assert_int_equal(scsi_capacity_10_decode(too_large, 8, &facts), 1);
}

static void expect_mode(const uint8_t *data, size_t bytes, int expect_protected, int expect_fua,
			int expect_cache)
{
	int is_protected, has_fua, has_cache;

	scsi_mode_decode(data, bytes, &is_protected, &has_fua, &has_cache);
	assert_int_equal(is_protected, expect_protected);
	assert_int_equal(has_fua, expect_fua);
	assert_int_equal(has_cache, expect_cache);
}

static void test_mode(void **state)
{
	/* A block descriptor of eight bytes, then another page, then that of the cache */
	uint8_t data[64] = { 37, 0, 0x10, 8, [12] = 0x0a, 10, [24] = 0x88, 10, 0x04 };

	(void)state;
	expect_mode(data, 38, 0, 1, 1);
	data[26] = 0;
	expect_mode(data, 38, 0, 1, 0);
	data[2] = 0x80;
	expect_mode(data, 38, 1, 0, 0);
	/* Cut off before the page: the safe side */
	expect_mode(data, 26, 1, 0, 1);
	data[0] = 20;
	expect_mode(data, 64, 1, 0, 1);
	expect_mode(data, 3, 0, 0, 1);
	memset(data, 0, sizeof data);
	expect_mode(data, 64, 0, 0, 1);
	memset(data, 0xff, sizeof data);
	expect_mode(data, 64, 1, 1, 1);
}

static void test_what_the_kernel_says(void **state)
{
	(void)state;
	assert_int_equal(disk_sg_rc(0, 0), 0);
	assert_int_equal(disk_sg_rc(ENODEV, 0), RC_UNREACHABLE);
	assert_int_equal(disk_sg_rc(EPERM, 0), RC_CONFIG);
	assert_int_equal(disk_sg_rc(EIO, 0), RC_INTERNAL);
	assert_int_equal(disk_sg_rc(0, 0x01), RC_UNREACHABLE); /* DID_NO_CONNECT */
	assert_int_equal(disk_sg_rc(0, 0x0f), RC_UNREACHABLE); /* DID_TRANSPORT_FAILFAST */
	assert_int_equal(disk_sg_rc(0, 0x03), RC_TIMEOUT);     /* DID_TIME_OUT */
	assert_int_equal(disk_sg_rc(0, 0x08), RC_BUSY);	       /* DID_RESET */
	assert_int_equal(disk_sg_rc(0, 0x07), RC_INTERNAL);    /* DID_ERROR */
}

/* ---- URLs ---- */

static void expect_url(const char *url, const char *portal, const char *target, int lun,
		       const char *user, const char *password, const char *shown)
{
	struct iscsi_lun parsed;
	struct err err = { 0 };
	char text[DISK_NAME_BYTES];

	if (iscsi_url_parse(url, "d", &parsed, &err) != 0)
		fail_msg("%s: %s", url, err.text);
	assert_string_equal(parsed.portal, portal);
	assert_string_equal(parsed.target, target);
	assert_int_equal(parsed.lun, lun);
	assert_string_equal(parsed.user, user);
	assert_string_equal(parsed.password, password);
	assert_int_equal(parsed.needs_secret, user[0] != '\0' && password[0] == '\0');
	iscsi_url_show(url, text, sizeof text);
	assert_string_equal(text, shown);
	iscsi_url_wipe(&parsed);
	assert_string_equal(parsed.password, "");
}

static void test_urls(void **state)
{
	(void)state;
	expect_url("iscsi://box/iqn.a:b/1", "box:3260", "iqn.a:b", 1, "", "",
		   "iscsi://box/iqn.a:b/1");
	expect_url("iscsi://10.0.0.1:860/eui.12/16383", "10.0.0.1:860", "eui.12", 16383, "", "",
		   "iscsi://10.0.0.1:860/eui.12/16383");
	expect_url("iscsi://[fe80::1]:99/t/0", "[fe80::1]:99", "t", 0, "", "",
		   "iscsi://[fe80::1]:99/t/0");
	expect_url("iscsi://[::1]/t/0", "[::1]:3260", "t", 0, "", "", "iscsi://[::1]/t/0");
	expect_url("iscsi://me@box/t/0", "box:3260", "t", 0, "me", "", "iscsi://me@box/t/0");
	expect_url("iscsi://me%you@box/t/0", "box:3260", "t", 0, "me", "you", "iscsi://me@box/t/0");
	/* A password may hold all that stands for something elsewhere. */
	expect_url("iscsi://me%a@b/c:d%e@box:1/t/0", "box:1", "t", 0, "me", "a@b/c:d%e",
		   "iscsi://me@box:1/t/0");
}

static void test_broken_urls(void **state)
{
	static const char *const broken[] = {
		"iscsi://",
		"iscsi:///t/0",
		"iscsi://box",
		"iscsi://box/",
		"iscsi://box/t",
		"iscsi://box/t/",
		"iscsi://box//0",
		"iscsi://box/t/x",
		"iscsi://box/t/-1",
		"iscsi://box/t/+1",
		"iscsi://box/t/ 1",
		"iscsi://box/t/16384",
		"iscsi://box/t/99999999999999999999",
		"iscsi://box/t/1/",
		"iscsi://box/t/1?x=y",
		"iscsi://box:/t/1",
		"iscsi://box:0/t/1",
		"iscsi://box:65536/t/1",
		"iscsi://box:x/t/1",
		"iscsi://:3260/t/1",
		"iscsi://::1/t/1",
		"iscsi://[::1/t/1",
		"iscsi://::1]/t/1",
		"iscsi://box,1/t/1",
		"iscsi://b ox/t/1",
		"iscsi://box/t t/1",
		"iscsi://@box/t/1",
		"iscsi://%secret@box/t/1",
		"iscsi://me%@box/t/1",
		"iscsi://me%secret/t/1/0",
		"http://box/t/1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
		struct iscsi_lun parsed;
		struct err err = { 0 };
		char text[DISK_NAME_BYTES];

		if (iscsi_url_parse(broken[i], "d", &parsed, &err) != RC_CONFIG)
			fail_msg("%s is taken", broken[i]);
		assert_null(strstr(err.text, "secret"));
		iscsi_url_show(broken[i], text, sizeof text);
		assert_null(strstr(text, "secret"));
	}
}

static void test_long_urls(void **state)
{
	char url[2048], shown[DISK_NAME_BYTES];

	(void)state;
	for (size_t part = 0; part < 4; part++) {
		static const char *const formats[] = { "iscsi://%s/t/1", "iscsi://b/%s/1",
						       "iscsi://%s@b/t/1", "iscsi://u%%%s@b/t/1" };
		static const size_t fits[] = { 247, 223, 255, 255 };

		for (size_t bytes = 200; bytes <= 600; bytes++) {
			struct iscsi_lun parsed;
			struct err err = { 0 };
			char text[601];

			memset(text, 'a', bytes);
			text[bytes] = '\0';
			snprintf(url, sizeof url, formats[part], text); /* NOLINT: chosen above */
			assert_int_equal(iscsi_url_parse(url, "d", &parsed, &err) == 0,
					 bytes <= fits[part]);
			iscsi_url_show(url, shown, sizeof shown);
			if (part == 3)
				assert_null(strstr(shown, "aa"));
		}
	}
}

static void test_isid(void **state)
{
	struct iscsi_lun url = { .portal = "box:3260", .target = "t", .lun = 1 }, other = url;
	uint8_t isid[6], again[6];

	(void)state;
	iscsi_isid_derive("iqn.me", &url, 0, isid);
	/* It is on targets' disks: it must not change with our versions. */
	assert_memory_equal(isid, "\x80\x6c\x61\x4d\x59\x00", 6);
	iscsi_isid_derive("iqn.me", &url, 7, again);
	assert_memory_equal(isid, again, 5);
	assert_int_equal(again[5], 7);
	iscsi_isid_derive("iqn.you", &url, 0, again);
	assert_memory_not_equal(isid, again, 6);
	other.lun = 2;
	iscsi_isid_derive("iqn.me", &other, 0, again);
	assert_memory_not_equal(isid, again, 6);
	other = url;
	snprintf(other.portal, sizeof other.portal, "box:3261");
	iscsi_isid_derive("iqn.me", &other, 0, again);
	assert_memory_not_equal(isid, again, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_best_designator),
		cmocka_unit_test(test_designators_that_are_none),
		cmocka_unit_test(test_long_identities_stay_apart),
		cmocka_unit_test(test_serial_number),
		cmocka_unit_test(test_relations),
		cmocka_unit_test(test_sense),
		cmocka_unit_test(test_inquiry),
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_mode),
		cmocka_unit_test(test_what_the_kernel_says),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_broken_urls),
		cmocka_unit_test(test_long_urls),
		cmocka_unit_test(test_isid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
