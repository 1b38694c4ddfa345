/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sockline.c - say lines to a UNIX socket and print what comes back: a client of lockd that knows
 * nothing of it.
 *
 *	sockline [-f] SOCKET LINE...
 *
 * LINK: base
 *
 * Prints each line that comes, with one write(2), as it comes (so that /dev/mark may be its stdout).
 * Ends with 0 after as many lines with "ok" in them as it has sent (-f: never), or with 1 when the
 * other side closes before.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Print the whole lines of what is there; the bytes that are left. */
static size_t lines_print(char *data, size_t bytes, int *answers)
{
	char *begin = data, *end;

	while ((end = memchr(begin, '\n', bytes - (size_t)(begin - data)))) {
		size_t length = (size_t)(end + 1 - begin);

		*answers += memmem(begin, length, "\"ok\":", 5) != NULL;
		if (write(STDOUT_FILENO, begin, length) != (ssize_t)length)
			return 0;
		begin = end + 1;
	}
	bytes -= (size_t)(begin - data);
	memmove(data, begin, bytes);
	return bytes;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	static char data[1 << 17];
	size_t bytes = 0;
	int follows = argc > 1 && strcmp(argv[1], "-f") == 0;
	int answers = 0, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	argc -= follows;
	argv += follows;
	if (argc < 3 || strlen(argv[1]) >= sizeof address.sun_path) {
		fprintf(stderr, "usage: sockline [-f] SOCKET LINE...\n");
		return 2;
	}
	memcpy(address.sun_path, argv[1], strlen(argv[1]));
	if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		perror(argv[1]);
		return 1;
	}
	for (int i = 2; i < argc; i++)
		if (dprintf(fd, "%s\n", argv[i]) < 0)
			return 1;
	while (follows || answers < argc - 2) {
		ssize_t got = read(fd, data + bytes, sizeof data - bytes);

		if (got <= 0)
			return 1;
		bytes = lines_print(data, bytes + (size_t)got, &answers);
	}
	return 0;
}
