/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * machine.c - identity of machine and boot; see machine.h.
 */
#include "host/machine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
#define MACHINE_ID_PATH "/etc/machine-id"

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* 32 hexadecimal digits, dashes between them passed over. 0, or -1. */
static int id_read(const char *path, uint8_t id[MACHINE_BYTES])
{
	char text[64];
	size_t digits = 0;
	ssize_t length;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	length = read(fd, text, sizeof text);
	close(fd);
	memset(id, 0, MACHINE_BYTES);
	for (ssize_t i = 0; i < length && digits < 2 * (size_t)MACHINE_BYTES; i++) {
		int digit = digit_of(text[i]);

		if (text[i] == '-')
			continue;
		if (digit < 0)
			return -1;
		id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | digit);
		digits++;
	}
	return digits == 2 * (size_t)MACHINE_BYTES ? 0 : -1;
}

int machine_identify(uint8_t machine[MACHINE_BYTES], uint8_t boot[MACHINE_BYTES], struct err *err)
{
	if (id_read(BOOT_ID_PATH, boot))
		return err_set(err, RC_INTERNAL, "mount /proc", "%s: no boot id in it",
			       BOOT_ID_PATH);
	if (id_read(MACHINE_ID_PATH, machine)) {
		char name[MACHINE_BYTES];

		machine_name(name, sizeof name);
		memset(machine, 0, MACHINE_BYTES);
		memcpy(machine, name, strnlen(name, sizeof name));
	}
	return 0;
}

void machine_name(char *name, size_t size)
{
	struct utsname uts;
	size_t length = 0;
	int rc = uname(&uts);

	assert(rc == 0 && size > 1);
	(void)rc;
	for (const char *c = uts.nodename; *c && *c != '.' && length < size - 1; c++) {
		int plain = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
			    (*c >= 'A' && *c <= 'Z') || *c == '-' || *c == '_';

		name[length++] = plain ? *c : '_';
	}
	if (length == 0)
		name[length++] = '_';
	name[length] = '\0';
}

void machine_random(void *bytes, size_t count)
{
	uint8_t *at = bytes;

	while (count > 0) {
		ssize_t got = getrandom(at, count, 0);

		if (got < 0) {
			assert(errno == EINTR);
			continue;
		}
		at += got;
		count -= (size_t)got;
	}
}
