# SPDX-License-Identifier: GPL-2.0-or-later
"""watchdogd killed, stopped, starved: a machine whose clients relied on it is reset."""

from lab import case
from watchdogd import GRAIN, Node


@case("killed -9 with a client: the hardware resets, a new watchdogd does not save it", bound=120)
def killed(lab):
    node = Node(lab)
    node.start("--timeout 3")
    db = node.client(deadline=1.0, every=0.3)
    node.kill("KILL")
    lab.check("EPIPE" in db.wait("refused"), "the client learns that nobody pets any more")
    again = node.refused("--timeout 3")
    lab.check(again.status == 3 and "must be reset" in again.out, "it says why")
    db.check_reset("hardware", "reset by hardware, watchdogd killed", soonest=0)
    lab.check(not any("did not stop" in line.text for line in node.guest.console),
              "the kill closed no device, which would have restarted its countdown")


@case("killed -9 while stopped: the device's close does not give it another countdown", bound=120)
def killed_stopped(lab):
    node = Node(lab)
    node.trace()
    node.start("--timeout 4")
    db = node.client(deadline=8.0, every=0.3)
    stopped = node.kill("STOP")
    node.guest.stays_up(2.5)
    node.kill("KILL")
    down = node.wait_down("hardware")
    lab.measure("last renewal to reset by hardware", down - db.last()[0],
                bound=db.bound)
    lab.check(node.last_ping() < stopped, "nothing restarted the countdown after the stop")


@case("killed -9 without clients: a new watchdogd takes over, no reset", bound=120)
def killed_alone(lab):
    node = Node(lab)
    node.start("--timeout 3")
    node.client(deadline=3.0).leave()
    node.kill("KILL")
    node.start("--timeout 3")
    node.client(deadline=3.0)
    node.guest.stays_up(2 * 3 + GRAIN)


@case("stopped for good: the hardware resets", bound=120)
def stopped(lab):
    node = Node(lab)
    node.start("--timeout 3")
    db = node.client(deadline=1.0, every=0.3)
    node.kill("STOP")
    lab.check("EAGAIN" in db.wait("refused"), "the client learns that nobody answers")
    db.check_reset("hardware", "reset by hardware, watchdogd stopped", soonest=0)


@case("stopped for less than any deadline, then continued: nothing happens", bound=120)
def stopped_shortly(lab):
    node = Node(lab)
    node.start("--timeout 4")
    node.client(deadline=4.0, every=0.5)
    node.kill("STOP")
    node.guest.stays_up(1)
    node.go_on()
    node.guest.stays_up(4 + GRAIN)


@case("stopped beyond a deadline, then continued: it resets at once by itself", bound=120)
def continued(lab):
    node = Node(lab)
    node.start("--timeout 6")
    db = node.client(deadline=1.0, every=0.3)
    node.kill("STOP")
    node.guest.stays_up(2.5)
    node.go_on()
    db.check_reset("sysrq", "reset by itself, watchdogd continued")


@case("stopped beyond a deadline, then continued: it does not pet, the hardware resets", bound=120)
def continued_hardware(lab):
    node = Node(lab)
    node.trace()
    node.start("--timeout 4 --on-expiry hardware")
    db = node.client(deadline=1.0, every=0.3)
    stop = node.kill("STOP")
    node.guest.stays_up(2.5)
    node.go_on()
    node.daemon.wait_line("LATE by")
    db.check_reset("hardware", "reset by hardware, watchdogd continued")
    lab.check(node.last_ping() < stop, "not one pet after the stop")


REALTIME = "echo -1 >/proc/sys/kernel/sched_rt_runtime_us; exec chrt -f"


@case("starved by a real-time process: the hardware resets", bound=120)
def starved(lab):
    node = Node(lab)
    node.start("--timeout 3")
    db = node.client(deadline=1.0, every=0.3)
    node.guest.start(f"{REALTIME} 99 sh -c 'echo hog >/dev/mark; while :; do :; done'", name="hog")
    node.guest.wait_mark("hog")
    db.check_reset("hardware", "reset by hardware, watchdogd starved", soonest=0)


@case("a busy real-time process of lower priority does not starve it: nothing happens", bound=120)
def not_starved(lab):
    node = Node(lab)
    node.start("--timeout 3")
    db = node.client(deadline=3.0, every=0.5, chrt="chrt -r 99")
    node.guest.start(f"""{REALTIME} 98 sh -c '
        read -r now _ </proc/uptime; end=$((${{now%.*}} + 8)); echo hog >/dev/mark
        while [ "${{now%.*}}" -lt $end ]; do read -r now _ </proc/uptime; done
        echo done >/dev/mark'""", name="hog")
    node.guest.wait_mark("hog")
    ordinary = node.guest.start("echo an ordinary process runs >/dev/mark")
    node.guest.wait_mark("done")
    lab.check(node.guest.wait_mark("ordinary").time > node.guest.wait_mark("done").time,
              "the busy process left nothing to ordinary ones")
    ordinary.wait()
    db.leave()
