/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * boot_timer.c - a timerfd on CLOCK_BOOTTIME under uv_poll; see boot_timer.h.
 */
#include "host/boot_timer.h"

#include <assert.h>
#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)

static void timer_polled(uv_poll_t *poll, int status, int events)
{
	struct boot_timer *timer = poll->data;
	uint64_t expirations;

	(void)events;
	/* EAGAIN: it was set anew between the wake-up and this call. */
	if (status == 0 && read(timer->fd, &expirations, sizeof expirations) < 0)
		return;
	timer->armed = MONO_NEVER;
	timer->fired(timer);
}

int boot_timer_init(struct boot_timer *timer, uv_loop_t *loop,
		    void (*fired)(struct boot_timer *timer), void *data)
{
	int rc;

	timer->fired = fired;
	timer->closed = NULL;
	timer->data = data;
	timer->armed = MONO_NEVER;
	timer->fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (timer->fd < 0)
		return -errno;
	rc = uv_poll_init(loop, &timer->poll, timer->fd);
	if (rc == 0) {
		timer->poll.data = timer;
		rc = uv_poll_start(&timer->poll, UV_READABLE, timer_polled);
	}
	if (rc != 0)
		close(timer->fd);
	return rc;
}

void boot_timer_set(struct boot_timer *timer, mono_t when)
{
	struct itimerspec spec = { 0 };
	int rc;

	/* Most callers set it after each of their steps, and most steps change nothing. */
	if (when.ns == timer->armed.ns)
		return;
	timer->armed = when;
	if (!mono_is_never(when)) {
		/* A moment of zero would disarm; any moment long past fires at once. */
		int64_t ns = when.ns > 0 ? when.ns : 1;

		spec.it_value.tv_sec = ns / NS_PER_S;
		spec.it_value.tv_nsec = ns % NS_PER_S;
	}
	rc = timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &spec, NULL);
	assert(rc == 0);
	(void)rc;
}

static void timer_closed(uv_handle_t *handle)
{
	struct boot_timer *timer = handle->data;

	close(timer->fd);
	if (timer->closed)
		timer->closed(timer);
}

void boot_timer_close(struct boot_timer *timer, void (*closed)(struct boot_timer *timer))
{
	timer->closed = closed;
	uv_close((uv_handle_t *)&timer->poll, timer_closed);
}
