# SPDX-License-Identifier: GPL-2.0-or-later
"""watchdogd in a guest, and a client of it: what its cases and its measurements share.

Times in seconds of the host's CLOCK_MONOTONIC. The client, tests/watchdog/beat.c, writes the moment
of each renewal to /dev/mark before it sends it. That moment is a reading of the guest's clock; what
it is on the host's is known with an error, and both ends of it are used: the earlier one where a
bound must not be exceeded, the later one where something must not come too soon.
"""

import json
import math
import re

from lab import CaseFailed

# timing.h's g
GRAIN = 1
# By how much a guest's second may differ from the host's: its kernel measures the emulated clock
# against another one when it boots, on a machine that is busy.
GUEST_RATE = 0.02
# Traced events go to the console at once.
TRACE = "tp_printk"
# What the drivers' functions are called that restart the device's countdown.
PINGS = {"i6300esb": "esb_timer_keepalive", "softdog": "softdog_ping", "ib700": "ibwdt_ping"}


class Node:
    """A guest that watchdogd can run in."""

    def __init__(self, lab, hardware=("i6300esb",), modules=("i6300esb",), programs=(),
                 kernel_args="", **more):
        self.lab = lab
        self.guest = lab.guest("a", watchdogs=list(hardware), modules=list(modules),
                               programs=["beat", *programs],
                               kernel_args=f"{TRACE} {kernel_args}", **more)
        self.daemon = None
        self.struck = math.inf
        self._clock = {}

    def start(self, options="--timeout 3"):
        """watchdogd, armed."""
        self.daemon = self.guest.start(f"exec watchdogd {options}", name="watchdogd")
        self.daemon.wait_line("petting every")
        return self.daemon

    def refused(self, options):
        """A watchdogd that must not start: its Result."""
        result = self.guest.run(f"watchdogd {options}", check=False)
        self.lab.check(result.status not in (0, "lost"), f"watchdogd {options} is refused")
        return result

    def client(self, deadline=1.0, every=0.3, count=0, name="db", then="", chrt=""):
        """A client that is registered. count renewals, then it hangs; `then` is beat's."""
        self.clock()
        marks = len(self.guest.marks)
        return Client(self, name, self.guest.start(
            f"exec {chrt} beat {name} {deadline * 1000:.0f} {every * 1000:.0f} {count} {then} "
            ">/dev/mark", name=name), marks)

    def kill(self, signal):
        """A signal to watchdogd alone: a Job's kill() would take the keeper too. From now on
        watchdogd is not counted on; the moment by which the signal has arrived."""
        self.struck = self.lab.now()
        self.guest.run(f"kill -{signal} {self.daemon.pid}")
        return self.lab.now()

    def go_on(self):
        """SIGCONT to watchdogd; the machine may be gone before a shell could say that it did."""
        self.guest.start(f"kill -CONT {self.daemon.pid}", name="continue")

    def clock(self):
        """(offset, error) between the clocks in this boot of the guest."""
        if self.guest.boots not in self._clock:
            self._clock[self.guest.boots] = self.guest.clock()
        return self._clock[self.guest.boots]

    def trace(self, driver="i6300esb"):
        """From now on each restart of the device's countdown, whoever does it, is a line of the
        console, before the driver does it."""
        self.guest.highlight("ping: ")
        self.guest.run(f"""
            mount -t tracefs tracing /sys/kernel/tracing && cd /sys/kernel/tracing &&
            echo 'p:ping {PINGS[driver]}' >kprobe_events && echo 1 >events/kprobes/ping/enable
        """)

    def last_ping(self):
        """The moment at which the countdown was restarted last."""
        return [line.time for line in self.guest.console if "ping: " in line.text][-1]

    def wait_down(self, by, within=40):
        """When its device fired, or it reset itself. qemu's event of a reset comes only after it
        has read the kernel and the image again, a quarter of a second, on a busy host much more; so
        what says that the timer has ended counts where there is such a thing."""
        down = self.guest.wait_down(by=by, within=within)
        told = [down.time]
        if down.by == "hardware":
            told = [event.time for event in self.guest.events if event.name == "WATCHDOG"]
        elif down.by == "softdog":
            told = [line.time for line in self.guest.console if "softdog: Initiating" in line.text]
        return told[-1]

    def status(self):
        """What `holdfast watchdog status --json` says: a list of objects."""
        out = self.guest.run("holdfast watchdog status --json", check=False).lines
        return [json.loads(line) for line in out if line.startswith("{")]


class Client:
    """beat, registered."""

    def __init__(self, node, name, job, marks):
        self._from = marks
        self.node, self.name, self.job = node, name, job
        self.guest, self.lab = node.guest, node.lab
        words = self.wait("terms|refused", after=job.started).split()
        if words[1] == "refused":
            raise CaseFailed(f"{name} was refused: {' '.join(words[2:])}")
        self.deadline, self.device, self.bound = (int(word) / 1000 for word in words[2:5])
        self.proof = int(words[5])

    def wait(self, pattern, within=30, after=0.0):
        """The first line of it with pattern."""
        return self.guest.wait_mark(rf"^{self.name} ({pattern})", within, after).text

    def last(self):
        """(earliest, latest) moment that its last renewal can have been sent at: the last one that
        surely came before watchdogd was struck."""
        offset, error = self.node.clock()
        said = [re.match(rf"{self.name} renew \d+ (\d+)$", mark.text)
                for mark in self.guest.marks[self._from:]]
        sent = [int(one[1]) / 1e9 for one in said if one]
        last = [one for one in sent[1:] if one + offset + error < self.node.struck]
        last = last[-1] if last else sent[0]
        return last + offset - error, last + offset + error

    def stop(self):
        """Hang: SIGSTOP, its connection lives."""
        self.job.kill("STOP")

    def leave(self):
        """Goodbye."""
        self.job.kill("TERM")
        self.lab.check(self.job.wait() == 0, f"{self.name} said goodbye")

    def check_reset(self, by, what, soonest=None):
        """It goes down within the bound that it was promised, and not before its deadline."""
        down = self.node.wait_down(by, self.bound + 20)
        earliest, latest = self.last()
        self.lab.measure(f"last renewal to {what}", down - earliest, bound=self.bound)
        soonest = self.deadline if soonest is None else soonest
        self.lab.check(down - latest >= soonest * (1 - GUEST_RATE),
                       f"not before {soonest:g} s have passed")


# ---- from the last renewal to the reset ----------------------------------------------------------

# name: (options of watchdogd, beat's `then`, how the guest goes down, what it is)
WAYS = {
    "itself": ("", "", "sysrq", "client hangs, watchdogd resets"),
    "killed": ("", "9 {pid} 50", "hardware", "watchdogd killed -9 after the last renewal"),
    "stopped": ("", "19 {pid} 50", "hardware", "watchdogd stopped after the last renewal"),
    "device": ("--on-expiry hardware", "", "hardware", "client hangs, the device alone resets"),
}
TIMEOUT, DEADLINE = 3, 1.0


def measure_bound(lab, ways, runs):
    """runs times in each of some ways: from the last renewal, counted from before it is sent, to
    the reset, which must never be later than the bound that the client was promised."""
    node = Node(lab)
    for run in range(runs):
        for way in ways:
            options, then, by, what = WAYS[way]
            daemon = node.start(f"--timeout {TIMEOUT} {options}")
            # So that the last renewal meets the pets, every 750 ms, in different phases.
            db = node.client(DEADLINE, every=0.1 + 0.05 * (run % 8), count=3,
                             then=then.format(pid=daemon.pid))
            lab.measure(what, node.wait_down(by) - db.last()[0], bound=db.bound)
            lab.measure("error of the clock, at most", node.clock()[1])
            node.guest.wait_up()
