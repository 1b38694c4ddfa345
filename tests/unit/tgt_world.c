/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tgt_world.c - see tgt_world.h.
 */
#include "tests/unit/tgt_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/clock.h"

enum { START_MS = 20000, LUN_BYTES = 4 << 20 };

int tgt_is_possible(void)
{
	return geteuid() == 0 && system("command -v tgtd tgtadm >/dev/null 2>&1") == 0;
}

static int free_port(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	close(fd);
	return ntohs(address.sin_port);
}

static int admin(const struct tgt_world *tgt, const char *words)
{
	char command[1024];

	snprintf(command, sizeof command, "tgtadm -C %d --lld iscsi %s >>%s/admin.log 2>&1",
		 tgt->control, words, tgt->folder);
	return system(command);
}

void tgt_admin(const struct tgt_world *tgt, const char *format, ...)
{
	char words[800];
	va_list ap;

	va_start(ap, format);
	vsnprintf(words, sizeof words, format, ap);
	va_end(ap);
	if (admin(tgt, words) != 0)
		fail_msg("tgtadm %s failed", words);
}

/* In the child. It dies with the test program, whatever happens to that. */
static void tgt_exec(const struct tgt_world *tgt)
{
	char control[16], portals[96], log[96];
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(control, sizeof control, "%d", tgt->control);
	snprintf(portals, sizeof portals, "portal=127.0.0.1:%d,portal=127.0.0.1:%d", tgt->port,
		 tgt->other_port);
	snprintf(log, sizeof log, "%s/tgtd.log", tgt->folder);
	fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
		_exit(126);
	execlp("tgtd", "tgtd", "-f", "-C", control, "--iscsi", portals, NULL);
	_exit(127);
}

void tgt_start(struct tgt_world *tgt)
{
	mono_t give_up = mono_add_ms(clock_now(), START_MS);

	tgt->pid = fork();
	assert_true(tgt->pid >= 0);
	if (tgt->pid == 0)
		tgt_exec(tgt);
	while (admin(tgt, "--op show --mode target") != 0) {
		if (!mono_before(clock_now(), give_up) || waitpid(tgt->pid, NULL, WNOHANG) != 0)
			fail_msg("tgtd does not start, see %s/tgtd.log", tgt->folder);
		clock_sleep_until(mono_add_ms(clock_now(), 10));
	}
}

void tgt_init(struct tgt_world *tgt)
{
	memset(tgt, 0, sizeof *tgt);
	snprintf(tgt->folder, sizeof tgt->folder, "/tmp/holdfast-tgt-XXXXXX");
	assert_non_null(mkdtemp(tgt->folder));
	tgt->control = 1000 + (int)(getpid() % 30000);
	tgt->port = free_port();
	tgt->other_port = free_port();
	tgt_start(tgt);
}

void tgt_kill(struct tgt_world *tgt)
{
	char path[64];

	if (tgt->pid > 0) {
		kill(tgt->pid, SIGKILL);
		waitpid(tgt->pid, NULL, 0);
		snprintf(path, sizeof path, "/var/run/tgtd/socket.%d", tgt->control);
		unlink(path);
		snprintf(path, sizeof path, "/var/run/tgtd/socket.%d.lock", tgt->control);
		unlink(path);
	}
	tgt->pid = 0;
}

void tgt_end(struct tgt_world *tgt)
{
	char command[128];

	tgt_kill(tgt);
	snprintf(command, sizeof command, "rm -rf '%s'", tgt->folder);
	assert_int_equal(system(command), 0);
}

void tgt_export(const struct tgt_world *tgt, int luns)
{
	tgt_admin(tgt, "--op new --mode target --tid 1 -T " TGT_TARGET);
	for (int i = 1; i <= luns; i++) {
		char path[96];
		int fd;

		snprintf(path, sizeof path, "%s/lun%d", tgt->folder, i);
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(ftruncate(fd, LUN_BYTES), 0);
		close(fd);
		tgt_admin(tgt, "--op new --mode logicalunit --tid 1 --lun %d -b %s", i, path);
	}
	tgt_admin(tgt, "--op bind --mode target --tid 1 -I ALL");
}

static const char *url(int port, int lun)
{
	static char urls[2][160];
	static unsigned next;
	char *text = urls[next++ % 2];

	snprintf(text, sizeof urls[0], "iscsi://127.0.0.1:%d/" TGT_TARGET "/%d", port, lun);
	return text;
}

const char *tgt_url(const struct tgt_world *tgt, int lun)
{
	return url(tgt->port, lun);
}

const char *tgt_other_url(const struct tgt_world *tgt, int lun)
{
	return url(tgt->other_port, lun);
}
