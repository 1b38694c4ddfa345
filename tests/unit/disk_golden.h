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
	{ 109, "0102030405060708090a0b0c0d0e0f0103100000020000f401000000f1536500" },
	{ 144, "6e6f6465312e6578616d706c65" },
	{ 209, "10000000020000000400000010" },
	{ 229, "1001" },
	{ 237, "3001" },
	{ 245, "7001" },
	{ 508, "57493018" },
	{ 0, NULL },
};

static const struct golden_piece golden_superblock_4k[] = {
	{ 0, "4846736201" },
	{ 16, "887766554433221101" },
	{ 44, "62" },
	{ 109, "0102030405060708090a0b0c0d0e0f020240000010000060ea000000f1536500" },
	{ 144, "6e" },
	{ 209, "10000000100000001000000010" },
	{ 229, "1004" },
	{ 237, "1008" },
	{ 245, "100c" },
	{ 508, "3b2f4242" },
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

static const struct golden_piece golden_paxos[] = {
	{ 0, "48467078010003" },
	{ 16, "887766554433221108070605040302010d0c0b0aefbeadde9c00000009" },
	{ 52, "23" },
	{ 60, "13" },
	{ 68, "0300796573" },
	{ 508, "d8520368" },
	{ 0, NULL },
};

static const struct golden_piece golden_decided[] = {
	{ 0, "48466476010003" },
	{ 16, "887766554433221108070605040302010d0c0b0aefbeadde9d00000009" },
	{ 52, "13" },
	{ 60, "03000300796573" },
	{ 508, "e9d5c18e" },
	{ 0, NULL },
};

#endif
