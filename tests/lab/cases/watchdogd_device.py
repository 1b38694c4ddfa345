# SPDX-License-Identifier: GPL-2.0-or-later
"""watchdogd and its devices: stopping, devices that cannot be stopped or round, several at once."""

from lab import case
from watchdogd import GRAIN, Node


@case("stopped in order: the device is disarmed, no reset", bound=120)
def stop(lab):
    node = Node(lab)
    node.start("--timeout 3")
    node.client(deadline=3.0).leave()
    node.kill("TERM")
    lab.check(node.daemon.wait() == 0, "it ends with status 0")
    state = node.guest.run("cat /sys/class/watchdog/watchdog0/state").out
    lab.check(state == "inactive", "the driver says that the device is inactive")
    node.guest.stays_up(2 * 3 + GRAIN)


@case("asked to stop while a client is registered: refused, it goes on petting", bound=120)
def stop_refused(lab):
    node = Node(lab)
    node.start("--timeout 3")
    db = node.client(deadline=3.0, every=0.5)
    node.kill("TERM")
    node.daemon.wait_line("db: relies on watchdogd: it does not stop")
    node.guest.stays_up(2 * 3 + GRAIN)
    db.leave()
    node.kill("TERM")
    lab.check(node.daemon.wait() == 0, "without clients it stops")


@case("nowayout, i6300esb: refused unless accepted; an orderly stop resets then", bound=120)
def nowayout(lab):
    node = Node(lab, modules=["i6300esb nowayout=1"])
    lab.check("nowayout" in node.refused("--timeout 3").out, "it says why")
    lab.check(node.guest.run("cat /sys/class/watchdog/watchdog0/state").out == "inactive",
              "the device was not opened")
    node.trace()
    node.start("--timeout 3 --accept-nowayout")
    node.client(deadline=3.0, every=0.5)
    node.guest.stays_up(2 * 3)
    node.guest.run("kill $(pidof beat)")
    node.kill("TERM")
    node.daemon.wait_line("STILL RUNS: this machine is reset within 3000 ms")
    down = node.wait_down("hardware")
    lab.measure("last pet to reset by hardware", down - node.last_ping(), bound=3 + GRAIN)


@case("nowayout, softdog: refused unless accepted; an orderly stop resets then", bound=120)
def nowayout_softdog(lab):
    node = Node(lab, hardware=[], modules=["softdog nowayout=1"])
    lab.check("nowayout" in node.refused("--timeout 3").out, "it says why")
    node.trace("softdog")
    node.start("--timeout 3 --accept-nowayout")
    node.guest.stays_up(2 * 3)
    node.kill("TERM")
    down = node.wait_down("softdog")
    lab.measure("last pet to reset by softdog", down - node.last_ping(), bound=3 + GRAIN)


@case("a device that rounds the timeout: refused, or its own timeout is what counts", bound=120)
def rounds(lab):
    """A driver that counts in minutes. There is no such chip, only a port that answers to the probe
    as it does: what the driver tells is real, what it does is nothing."""
    node = Node(lab, hardware=[], modules=["sc1200wdt isapnp=0 io=0x500"], devices=[
        "-chardev", "null,id=port", "-device",
        "isa-debugcon,iobase=0x501,readback=0x0e,chardev=port"])
    refused = node.refused("--device /dev/watchdog --timeout 90")
    lab.check("asked for a timeout of 90 s, it has 60 s" in refused.out, "it says which it has")
    node.start("--device /dev/watchdog --timeout 90 --accept-rounding")
    db = node.client(deadline=4.0, every=0.5)
    lab.check((db.device, db.bound) == (60, 66.4), "the terms are of its 60 s, g of 4 % of them")
    device = next(one for one in node.status() if one["kind"] == "device")
    lab.check((device["asked_ms"], device["timeout_ms"]) == (90000, 60000), "the status tells both")
    db.leave()


@case("a timeout that the device does not have: refused with those that it has", bound=120)
def out_of_range(lab):
    node = Node(lab)
    lab.check("1 to 2046 s" in node.refused("--timeout 2047").out, "it names the range")
    node.guest.stays_up(1)


@case("a device that another program has open: refused, and it goes on as before", bound=120)
def held(lab):
    node = Node(lab)
    node.guest.start("exec 3>/dev/watchdog0; echo other has it >/dev/mark; "
                     "while :; do echo . >&3; sleep 1; done", name="other")
    node.guest.wait_mark("other has it")
    lab.check("another program has it open" in node.refused("--timeout 3").out, "it says why")
    node.guest.stays_up(5)


@case("softdog alone: reset by its timer", bound=120)
def softdog(lab):
    node = Node(lab, hardware=[], modules=["softdog"])
    node.start("--timeout 3")
    db = node.client(deadline=6.0, every=0.3)
    lab.check(db.proof == 1, "the client is told that the proof is software")
    node.kill("STOP")
    db.check_reset("softdog", "reset by softdog, watchdogd stopped", soonest=0)


@case("ib700, a driver without sysfs: the hardware resets", bound=120)
def ib700(lab):
    node = Node(lab, hardware=["ib700"], modules=["ib700wdt"])
    node.start("--device /dev/watchdog --timeout 4")
    db = node.client(deadline=6.0, every=0.3)
    node.kill("KILL")
    db.check_reset("hardware", "reset by ib700, watchdogd killed", soonest=0)


@case("ib700 stopped in order: no reset", bound=120)
def ib700_stop(lab):
    node = Node(lab, hardware=["ib700"], modules=["ib700wdt"])
    node.start("--device /dev/watchdog --timeout 4")
    node.kill("TERM")
    lab.check(node.daemon.wait() == 0, "it ends with status 0")
    node.guest.stays_up(2 * 4)


@case("ib700 counts in steps of two seconds: what an odd timeout really is", bound=120)
def ib700_odd(lab):
    """Its driver does not tell: a reason to try a device for real."""
    node = Node(lab, hardware=["ib700"], modules=["ib700wdt"])
    node.trace("ib700")
    node.start("--device /dev/watchdog --timeout 5")
    db = node.client(deadline=6.0, every=0.3)
    lab.check(db.device == 5, "it tells 5 s")
    node.kill("STOP")
    down = node.wait_down("hardware")
    lived = down - node.last_ping()
    lab.measure("last pet to reset by ib700, which tells 5 s", lived, bound=6 + GRAIN)
    lab.check(lived > 5, "later than it tells")


BOTH = "--device /dev/watchdog0 --device /dev/watchdog1 --timeout 3"


def both(lab, softdog_options, before):
    """i6300esb and softdog, watchdogd stopped after before(node): the client."""
    node = Node(lab, modules=["i6300esb", f"softdog {softdog_options}"])
    node.start(BOTH)
    db = node.client(deadline=6.0, every=0.3)
    lab.check(db.proof == 2, "of two devices the proof is that of the better one")
    before(node)
    node.kill("STOP")
    return db


@case("i6300esb and softdog: one of them resets", bound=120)
def two(lab):
    db = both(lab, "", lambda node: None)
    db.check_reset(("softdog", "hardware"), "reset by softdog or hardware", soonest=0)


@case("i6300esb and a softdog that does nothing: the hardware resets", bound=120)
def two_hardware(lab):
    db = both(lab, "soft_noboot=1", lambda node: None)
    db.check_reset("hardware", "reset by hardware, softdog silent", soonest=0)


@case("softdog and an i6300esb that does nothing: softdog resets", bound=120)
def two_softdog(lab):
    db = both(lab, "", lambda node: node.guest.qmp("watchdog-set-action", action="none"))
    db.check_reset("softdog", "reset by softdog, hardware silent", soonest=0)


@case("two devices stopped in order: no reset", bound=120)
def two_stop(lab):
    node = Node(lab, modules=["i6300esb", "softdog"])
    node.start(BOTH)
    node.kill("TERM")
    lab.check(node.daemon.wait() == 0, "it ends with status 0")
    node.guest.stays_up(2 * 3 + GRAIN)


@case("pretimeout: the kernel panics before the device fires", bound=120)
def pretimeout(lab):
    node = Node(lab, hardware=[], modules=["softdog", "pretimeout_panic"])
    node.start("--timeout 6 --pretimeout 3 --on-expiry hardware")
    db = node.client(deadline=1.0, count=2)
    db.check_reset("panic", "reset after the panic of a pretimeout")
    node.guest.wait_console("watchdog pretimeout event")


@case("pretimeout without the kernel's panic governor: refused", bound=120)
def pretimeout_refused(lab):
    node = Node(lab, hardware=[], modules=["softdog"])
    lab.check("load the module pretimeout_panic" in
              node.refused("--timeout 6 --pretimeout 3").out, "it says what to do")
    node.guest.stays_up(1)


@case("the watchdog of a BMC: petted, and it resets; its driver tells no options", bound=120)
def bmc(lab):
    node = Node(lab, hardware=[], modules=["ipmi_si", "ipmi_devintf", "ipmi_watchdog"], devices=[
        "-device", "ipmi-bmc-sim,id=bmc", "-device", "isa-ipmi-kcs,bmc=bmc"])
    node.start("--device /dev/watchdog --timeout 3")
    db = node.client(deadline=2.0, every=0.5)
    lab.check(db.bound == 2 + 3 + GRAIN, "the terms are of its 3 s")
    node.guest.stays_up(2 * 3)
    node.kill("KILL")
    # qemu tells no event WATCHDOG of this one.
    db.check_reset("guest", "reset by the BMC", soonest=0)
