/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * disk_golden.h - the bytes of one record of each kind, made from the tables of docs/format-disk.md by
 * other means than the codecs. What is not here is zero.
 */
#ifndef HOLDFAST_TESTS_DISK_GOLDEN_H
#define HOLDFAST_TESTS_DISK_GOLDEN_H

#include <stddef.h>

struct golden_piece {
	size_t offset;
	const char *hex; /* NULL ends the list */
};

static const struct golden_piece golden_superblock[] = {
	{ 0, "4846736201" },
	{ 16, "887766554433221102" },
	{ 44, "616c706861" },
	{ 109, "0102030405060708090a0b0c0d0e0f0103100000020000f401000000f15365" },
	{ 144, "6e6f6465312e6578616d706c65" },
	{ 209, "100000000200000002000000100000000000000010010000000000003001" },
	{ 245, "500a00000000000050090000000000005001000000000000200000400001" },
	{ 508, "b0c82af4" },
	{ 0, NULL },
};

static const struct golden_piece golden_superblock_4k[] = {
	{ 0, "4846736201" },
	{ 16, "887766554433221101" },
	{ 44, "62" },
	{ 109, "0102030405060708090a0b0c0d0e0f020240000010000060ea000000f15365" },
	{ 144, "6e" },
	{ 209, "100000001000000010000000100000000000000010040000000000001008" },
	{ 245, "10b00f000000000010ac0f0000000000100c000000000000000400e80302" },
	{ 508, "d04723e3" },
	{ 0, NULL },
};

static const struct golden_piece golden_heartbeat[] = {
	{ 0, "48466862010003" },
	{ 16, "887766554433221108070605040302010d0c0b0aefbeadde1800000010111213" },
	{ 48, "1415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f6e6f6465" },
	{ 80, "33" },
	{ 140, "02010000fa000000e80300008813000010270000e80300008070605040302010" },
	{ 172, "01f153650000000007" },
	{ 188, "05" },
	{ 195, "8006" },
	{ 508, "f116249c" },
	{ 0, NULL },
};

static const struct golden_piece golden_outbox[] = {
	{ 0, "48466f62010003" },
	{ 16, "887766554433221108070605040302010d0c0b0aefbeadde1900000004030201" },
	{ 48, "060504" },
	{ 485, "ffffffffffff05" },
	{ 508, "70211fad" },
	{ 0, NULL },
};

static const struct golden_piece golden_acks[] = {
	{ 0, "4846616b010003" },
	{ 16, "887766554433221108070605040302010d0c0b0aefbeadde1a00000004030201" },
	{ 48, "060501" },
	{ 485, "ffffffffffff02" },
	{ 508, "827d3b63" },
	{ 0, NULL },
};

static const struct golden_piece golden_message[] = {
	{ 0, "48466d73010003" },
	{ 16, "887766554433221108070605040302010d0c0b0aefbeadde1b00000006050500" },
	{ 48, "68656c6c6f" },
	{ 508, "16fc7d79" },
	{ 0, NULL },
};

static const struct golden_piece golden_words[] = {
	{ 0, "48466c77010003" },
	{ 16, "887766554433221108070605040302010d0c0b0aefbeadde1d00000029" },
	{ 52, "130000003137303030303030303020313220626f726e0a" },
	{ 508, "0dcdd6d7" },
	{ 0, NULL },
};

static const struct golden_piece golden_claim[] = {
	{ 0, "4846636c010003" },
	{ 16, "887766554433221108070605040302010d0c0b0aefbeadde8a00000010111213" },
	{ 48, "1415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f6e6f6465" },
	{ 80, "33" },
	{ 140, "02f15365" },
	{ 508, "be3ccb45" },
	{ 0, NULL },
};

static const struct golden_piece golden_arbiter[] = {
	{ 0, "48466172010003" },
	{ 16, "887766554433221108070605040302010d0c0b0aefbeadde9a00000009" },
	{ 52, "23000000000000001300000000000000080000000000000043" },
	{ 84, "0500030003000200796573" },
	{ 300, "6e6f" },
	{ 508, "8b66d282" },
	{ 0, NULL },
};

static const struct golden_piece golden_doctor[] = {
	{ 0, "48466472010003" },
	{ 16, "8877665544332211080706050403020100000000efbeadde3003000010111213" },
	{ 48, "1415161718191a1b1c1d1e1f6e6f646533" },
	{ 124, "03f15365" },
	{ 508, "9dd8f825" },
	{ 0, NULL },
};

#endif
