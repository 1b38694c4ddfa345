# SPDX-License-Identifier: GPL-2.0-or-later
"""`holdfast watchdog` on a real kernel: query, status, test, and the test that is for real."""

from lab import case
from watchdogd import GRAIN, Node

RECORDS = "/var/lib/holdfast"


@case("query names the devices and who holds them, and opens none", bound=120)
def query(lab):
    node = Node(lab, modules=["i6300esb", "softdog nowayout=1"])
    said = node.guest.run("holdfast watchdog query").out
    lab.check("i6300ESB timer" in said and "1 to 2046 s" in said, "the hardware is there")
    lab.check("Software Watchdog" in said and "nowayout" in said, "softdog is, and what is wrong")
    states = node.guest.run("cat /sys/class/watchdog/watchdog?/state").lines
    lab.check(states == ["inactive", "inactive"], "neither was opened")
    node.start("--timeout 3")
    said = node.guest.run("holdfast watchdog query").out
    lab.check(f"in use by watchdogd (process {node.daemon.pid})" in said, "it names who has it")
    node.guest.stays_up(3)


@case("query on a machine without a watchdog: it says so", bound=60)
def query_none(lab):
    node = Node(lab, hardware=[], modules=[])
    result = node.guest.run("holdfast watchdog query", check=False)
    lab.check(result.status == 1 and "no watchdog" in result.out, "exit status 1")


@case("status without watchdogd, with it, with a client, and when it pets no longer", bound=120)
def status(lab):
    node = Node(lab)
    lab.check(node.guest.run("holdfast watchdog status", check=False).status == 4,
              "without watchdogd exit status 4")
    node.start("--timeout 4 --on-expiry hardware")
    db = node.client(deadline=2.0, count=4)
    said = {one["kind"]: one for one in node.status()}
    lab.check(said["status"]["device_ms"] == 4000 and said["device"]["timeout_ms"] == 4000,
              "the timeout is that which was read back")
    lab.check(said["client"]["client"] == "db" and said["client"]["deadline_ms"] == 2000,
              "the client is there")
    node.daemon.wait_line("db: LATE by")
    lab.check(node.guest.run("holdfast watchdog status", check=False).status == 6,
              "after a deadline exit status 6")
    db.check_reset("hardware", "reset by hardware, client late")


@case("test without --for-real: passes, and resets nothing", bound=120)
def test(lab):
    node = Node(lab)
    node.start("--timeout 3")
    result = node.guest.run("holdfast watchdog test")
    lab.check("Passed." in result.out, "it passes")
    node.guest.stays_up(3 + 2 * GRAIN)
    lab.check(node.guest.run("holdfast watchdog status").status == 0, "it pets as before")


class Typist:
    """A command of the guest at a terminal of its own, and who types there."""

    def __init__(self, node, command):
        self.node = node
        node.guest.run("rm -f /tmp/keys /tmp/screen; mkfifo /tmp/keys")
        node.guest.start(f"exec 3<>/tmp/keys; exec script -q -f -e -c '{command}' /tmp/screen <&3",
                         name="terminal")

    def wait(self, words):
        """Until the screen shows these words."""
        self.node.guest.run(f"until grep -q '{words}' /tmp/screen 2>/dev/null; do sleep 0.1; done")

    def type(self, line):
        """A line, after what was asked."""
        self.wait("The exact name of this machine: ")
        self.node.guest.run(f"echo {line} >/tmp/keys")


def with_disk(lab, **more):
    """A guest whose records outlive a reset."""
    disk = lab.disk()
    lab.host(["mkfs.ext4", "-q", str(disk.path)])
    node = Node(lab, disks=[disk], programs=["script"], **more)
    mount(node)
    return node


def mount(node):
    """As it would be at each boot."""
    node.guest.run(f"module ext4; mkdir -p {RECORDS} && mount -t ext4 /dev/vda {RECORDS}")


@case("test --for-real without a terminal, or without the exact name: nothing happens", bound=120)
def for_real_refused(lab):
    node = with_disk(lab)
    node.start("--timeout 3")
    result = node.guest.run("echo a | holdfast watchdog test --for-real", check=False)
    lab.check(result.status == 1 and "nothing was done" in result.out, "not without a terminal")
    typist = Typist(node, "holdfast watchdog test --for-real")
    typist.type("yes")
    typist.wait("that is not its exact name; nothing was done")
    db = node.client(deadline=2.0)
    result = node.guest.run("holdfast watchdog test --for-real", check=False)
    lab.check(result.status == 1 and "client db" in result.out, "not while a client is registered")
    node.guest.stays_up(3 + 2 * GRAIN)
    db.leave()
    lab.check(node.guest.run("holdfast watchdog test --result", check=False).status == 1,
              "there is no record of a test")


@case("test --for-real: the hardware resets, and after the boot it is proven", bound=120)
def for_real(lab):
    node = with_disk(lab)
    node.start("--timeout 3")
    Typist(node, "holdfast watchdog test --for-real").type("a")
    ordered = node.daemon.wait_line("test 0").time
    down = node.wait_down("hardware")
    lab.measure("order to reset by hardware", down - ordered, bound=3 + GRAIN)
    mount(node)
    result = node.guest.run("holdfast watchdog test --result")
    lab.check("PROVEN: this machine was reset" in result.out, "after the reset it is proven")
    node.start("--timeout 3")
    lab.check("Proven by a real reset" in node.guest.run("holdfast watchdog status").out,
              "the status tells it")
    node.kill("TERM")
    node.start("--timeout 5")
    lab.check("with other devices or timeouts: test again" in
              node.guest.run("holdfast watchdog status").out, "and that a change is not proven")


@case("test --for-real --by self: watchdogd resets at once", bound=120)
def for_real_self(lab):
    node = with_disk(lab)
    node.start("--timeout 10")
    Typist(node, "holdfast watchdog test --for-real --by self").type("a")
    node.guest.wait_down(by="sysrq", within=20)
    mount(node)
    lab.check("PROVEN" in node.guest.run("holdfast watchdog test --result").out, "it is proven")


@case("test --for-real of a device that does nothing: it says that it failed", bound=120)
def for_real_fails(lab):
    node = with_disk(lab)
    node.guest.qmp("watchdog-set-action", action="none")
    node.start("--timeout 3")
    typist = Typist(node, "holdfast watchdog test --for-real")
    typist.type("a")
    typist.wait("FAILED: this machine was not reset")
    node.daemon.wait_line("TEST FAILED")
    node.guest.reset()
    node.guest.wait_down(by="qmp")
    mount(node)
    result = node.guest.run("holdfast watchdog test --result", check=False)
    lab.check(result.status == 1 and "FAILED" in result.out, "a later reset is no proof")


@case("iTCO of qemu's q35 takes twice the timeout that it tells: the test for real finds out",
      bound=120)
def for_real_twice(lab):
    """The chip resets when its timer ends for the second time; the driver of Linux 6.1 relies on
    firmware that resets at the first."""
    node = with_disk(lab, hardware=[], modules=["lpc_ich", "iTCO_wdt"],
                     devices=["-machine", "q35", "-global", "ICH9-LPC.noreboot=false",
                              "-bios", "bios-256k.bin"])
    node.start("--timeout 6")
    typist = Typist(node, "holdfast watchdog test --for-real")
    typist.type("a")
    ordered = node.daemon.wait_line("test 0").time
    typist.wait("FAILED: this machine was not reset")
    down = node.wait_down("hardware")
    lab.measure("order to reset by iTCO, which tells 6 s", down - ordered)
