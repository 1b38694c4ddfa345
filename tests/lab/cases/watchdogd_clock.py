# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine that stood still has lost its leases: watchdogd finds out, and resets it."""

from lab import case
from watchdogd import GRAIN, Node


def paused(lab, seconds, options, deadline=2.0):
    """A guest with watchdogd and a client, after a pause: (node, client, when it was resumed)."""
    node = Node(lab)
    node.start(f"--timeout 10 {options}")
    db = node.client(deadline=deadline, every=0.4)
    node.guest.stays_up(1)
    node.struck = lab.now()
    node.guest.pause()
    node.guest.stays_up(seconds)
    lab.check(not node.guest.downs, "nothing happens while it is paused")
    resumed = lab.now()
    node.guest.resume()
    return node, db, resumed


@case("paused by the hypervisor beyond a deadline: on resumption it resets itself", bound=120)
def pause_long(lab):
    node, db, resumed = paused(lab, 6, "")
    down = node.wait_down("sysrq")
    lab.measure("resumption to reset by watchdogd", down - resumed)
    lab.measure("last renewal to reset by watchdogd, paused 6 s", down - db.last()[0])
    node.guest.wait_console("watchdogd: db is late by [0-9]+ ms")


@case("paused for less than the deadline: nothing happens", bound=120)
def pause_short(lab):
    node, db, _ = paused(lab, 4, "", deadline=9.0)
    node.daemon.wait_line("this machine stood still for [0-9]+ ms")
    node.guest.stays_up(9 + GRAIN)
    db.leave()


@case("without an outside clock a guest cannot know that it was paused: the limit", bound=120)
def pause_unknown(lab):
    node, db, _ = paused(lab, 9, "--standstill-clock none", deadline=3.0)
    node.guest.stays_up(6)
    lab.check(not any("stood still" in line.text for line in node.daemon.lines),
              "a pause of three deadlines goes unnoticed")
    db.leave()


@case("paused again and again for short times: they add up", bound=120)
def pause_often(lab):
    node = Node(lab)
    node.start("--timeout 10")
    db = node.client(deadline=6.0, every=0.5, count=1)
    db.wait("hang")
    stood = 0
    for _ in range(2):
        start = lab.now()
        node.guest.pause()
        node.guest.stays_up(3.5)
        node.guest.resume()
        stood += lab.now() - start
        if node.guest.wires.wait(lambda: node.guest.downs, 1.5):
            break
    down = node.wait_down("sysrq")
    took = down - db.last()[0]
    lab.measure("last renewal to reset by watchdogd, paused twice", took, bound=db.bound)
    lab.check(took - stood < db.deadline, "by the guest's own clock the deadline lay ahead")


@case("frozen and thawed, its clock jumps: reset at once", bound=120)
def frozen(lab):
    node = Node(lab)
    node.start("--timeout 10")
    db = node.client(deadline=2.0, every=0.4)
    node.guest.stays_up(1)
    node.struck = lab.now()
    node.guest.freeze()
    node.guest.stays_up(4)
    thawed = lab.now()
    node.guest.thaw()
    down = node.wait_down("sysrq")
    lab.measure("thaw to reset by watchdogd", down - thawed)
    lab.check(down - db.last()[1] > db.deadline, "its deadline had passed")


@case("the wall clock set forward, then back: nothing happens", bound=120)
def wall_clock(lab):
    node = Node(lab)
    node.start("--timeout 4")
    db = node.client(deadline=3.0, every=0.5)
    for seconds in ("3600", "-3600"):
        node.guest.run(f"date -s @$(($(date +%s) + {seconds}))")
        node.guest.stays_up(3)
    node.guest.run("hwclock -w -u")
    node.guest.stays_up(3)
    db.leave()


@case("the wall clock stepped by 2 to 3 s, then written into the RTC: nothing happens", bound=120)
def rtc_set(lab):
    node = Node(lab)
    node.start("--timeout 4")
    db = node.client(deadline=2.0, every=0.4)
    node.guest.stays_up(2)
    # date sets whole seconds: the step is 3 s less the fraction of the second that it comes in.
    node.guest.run("date -s @$(($(date +%s) + 3))")
    node.guest.stays_up(1)
    node.guest.run("hwclock -w -u")
    node.guest.stays_up(4)
    lab.check(not any("stood still" in line.text for line in node.daemon.lines),
              "no standstill was told")
    db.leave()
