/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * seqwrite.c - writers that number what they write, until they may not: the victim of the lab's cases
 * of reservations.
 *
 *	seqwrite DEVICE WRITERS
 *
 * LINK: base
 *
 * Writer n (from 0) writes sector 8 n over and over, each time with the next number in its first 8
 * bytes, little-endian, and one write under way at any time. A write that fails ends it; the number
 * of the last that was accepted is told then. Lines on stdout, one write(2) each:
 *	writing		all writers have had a write accepted
 *	writer N accepted NUMBER then ERRNO
 * Exit status 0 when all were ended by a failed write.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STRIDE_BYTES = 4096, BLOCK_BYTES = 512, WRITERS_MAX = 64 };

static int writer_run(const char *device, unsigned long n, int ready)
{
	int fd = open(device, O_WRONLY | O_DIRECT | O_CLOEXEC);
	uint64_t number = 0;
	void *block;
	char line[96];
	int length;

	if (fd < 0 || posix_memalign(&block, STRIDE_BYTES, BLOCK_BYTES) != 0) {
		perror(device);
		return 1;
	}
	memset(block, 0, BLOCK_BYTES);
	for (;; number++) {
		memcpy(block, &(uint64_t){ htole64(number + 1) }, sizeof number);
		if (pwrite(fd, block, BLOCK_BYTES, (off_t)n * STRIDE_BYTES) != BLOCK_BYTES)
			break;
		if (number == 0 && write(ready, "", 1) != 1)
			return 1;
	}
	length = snprintf(line, sizeof line, "writer %lu accepted %" PRIu64 " then %s\n", n, number,
			  strerrorname_np(errno));
	return write(STDOUT_FILENO, line, (size_t)length) == length ? 0 : 1;
}

int main(int argc, char **argv)
{
	unsigned long count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	int ready[2], status, failed = 0;
	char byte;

	if (count == 0 || count > WRITERS_MAX || pipe2(ready, O_CLOEXEC) != 0) {
		fprintf(stderr, "usage: seqwrite DEVICE WRITERS (1 to %d)\n", WRITERS_MAX);
		return 2;
	}
	for (unsigned long n = 0; n < count; n++)
		switch (fork()) {
		case 0:
			return writer_run(argv[1], n, ready[1]);
		case -1:
			perror("fork");
			return 1;
		default:
			break;
		}
	close(ready[1]);
	for (unsigned long n = 0; n < count && !failed; n++)
		failed = read(ready[0], &byte, 1) != 1;
	if (!failed && write(STDOUT_FILENO, "writing\n", 8) != 8)
		failed = 1;
	while (wait(&status) > 0)
		failed |= status != 0;
	return failed;
}
