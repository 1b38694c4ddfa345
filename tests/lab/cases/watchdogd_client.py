# SPDX-License-Identifier: GPL-2.0-or-later
"""A client of watchdogd is late or gone: the machine is reset, in the way that was asked for."""

from lab import case
from watchdogd import GRAIN, Node


@case("a client that hangs while its connection lives: reset at its deadline", bound=120)
def hangs(lab):
    node = Node(lab)
    node.start("--timeout 3")
    db = node.client(deadline=2.0, count=3)
    lab.check(db.device == float(node.guest.run("cat /sys/class/watchdog/watchdog0/timeout").out),
              "the device's timeout in the client's terms is that of the driver")
    lab.check(db.bound == db.deadline + db.device + GRAIN, "its bound is their sum and the grain")
    db.wait("hang")
    db.check_reset("sysrq", "reset by watchdogd")
    node.guest.wait_console("watchdogd: db is late by [0-9]+ ms: reset")


@case("a client that is stopped, late by one beat, is not saved by going on", bound=120)
def late(lab):
    node = Node(lab)
    node.start("--timeout 4 --on-expiry hardware")
    db = node.client(deadline=1.0, every=0.3)
    db.stop()
    node.daemon.wait_line("db: LATE by")
    last = db.last()
    db.job.kill("CONT")
    lab.check("ECANCELED" in db.wait("refused"), "the client learns that it is too late")
    down = node.wait_down("hardware")
    lab.measure("last renewal in time to reset by hardware", down - last[0], bound=db.bound)


@case("a client killed: reset at its deadline, not before", bound=120)
def gone(lab):
    node = Node(lab)
    node.start("--timeout 3")
    db = node.client(deadline=3.0, every=0.5)
    db.job.kill("KILL")
    node.daemon.wait_line("db: vanished without goodbye")
    db.check_reset("sysrq", "reset by watchdogd, client gone")


@case("a client killed and registered again in time: no reset", bound=120)
def gone_and_back(lab):
    node = Node(lab)
    node.start("--timeout 3")
    node.client(deadline=6.0, every=0.5).job.kill("KILL")
    db = node.client(deadline=6.0, every=0.5)
    node.daemon.wait_line("db: taken over")
    node.guest.stays_up(6 + 3 + GRAIN)
    db.leave()


@case("of two clients one says goodbye, the other vanishes: its deadline counts", bound=120)
def two(lab):
    node = Node(lab)
    node.start("--timeout 3")
    web = node.client(deadline=3.0, every=0.5, name="web")
    db = node.client(deadline=3.0, every=0.5)
    web.leave()
    node.guest.stays_up(2)
    db.job.kill("KILL")
    db.check_reset("sysrq", "reset by watchdogd, one of two clients gone")


@case("goodbye: no reset after it", bound=120)
def goodbye(lab):
    node = Node(lab)
    node.start("--timeout 3")
    node.client(deadline=3.0, every=0.5).leave()
    node.guest.stays_up(3 + 3 + GRAIN)


@case("on expiry off: the guest is switched off", bound=120)
def expiry_off(lab):
    node = Node(lab)
    node.start("--timeout 5 --on-expiry off")
    db = node.client(deadline=1.0, count=2)
    db.check_reset(("sysrq", "poweroff"), "power off by watchdogd")
    lab.until(lambda: node.guest.power == "off", 10, "it is off")


@case("on expiry crash: the kernel panics", bound=120)
def expiry_crash(lab):
    node = Node(lab)
    node.start("--timeout 5 --on-expiry crash")
    db = node.client(deadline=1.0, count=2)
    db.check_reset("panic", "reset after a panic by watchdogd")
    node.guest.wait_console("Kernel panic - not syncing: sysrq triggered crash")


@case("on expiry crash where a panic hangs: the hardware ends it", bound=120)
def expiry_crash_hangs(lab):
    node = Node(lab, kernel_args="panic=0")
    node.start("--timeout 4 --on-expiry crash")
    db = node.client(deadline=1.0, count=2)
    db.check_reset(("hardware", "panic"), "reset by hardware after a panic that hung")
    lab.check(node.guest.events[-1].name == "RESET" and
              any(event.name == "WATCHDOG" for event in node.guest.events), "the device fired")


@case("on expiry hardware: watchdogd does nothing, the device fires", bound=120)
def expiry_hardware(lab):
    node = Node(lab)
    node.trace()
    node.start("--timeout 3 --on-expiry hardware")
    db = node.client(deadline=2.0, every=0.5, count=2)
    node.daemon.wait_line("db: LATE by")
    db.check_reset("hardware", "reset by hardware, client late", soonest=db.deadline)
    lab.check(node.last_ping() < db.last()[1] + db.deadline, "no pet after the deadline")
