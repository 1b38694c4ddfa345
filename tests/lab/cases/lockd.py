# SPDX-License-Identifier: GPL-2.0-or-later
"""lockd on real kernels: pills, its own death, a disk that hangs or goes, locks.

What is computed: docs/lab.md, "Bounds of lockd".
"""

import json
import re

import lio
import lockd
from lab import case

# How watchdogd ends a machine whose client has missed its deadline, or the device when that hangs.
RESET = ("reboot", "sysrq", "hardware", "guest")
# A shell and the serial port, at both ends of what is measured by lines.
SLACK = 0.5


def reset_by(lab, node, since, seconds, what):
    """The machine goes down in time: the Down."""
    down = node.guest.wait_down(by=RESET, within=seconds + 30)
    lab.measure(what, down.time - since, bound=seconds)
    return down


@case("a reset pill resets its addressee before its computed deadline, five times", bound=400,
      guests=2)
def pill(lab):
    disk = lab.disk()
    lockd.init(lab, disk)
    a, b = lockd.pair(lab, [disk])
    incarnation = 0
    for run in range(1, 6):
        peer = a.wait_peer(b, "alive")
        lab.check(peer["incarnation"] > incarnation, f"run {run}: b lives, as a new incarnation")
        incarnation = peer["incarnation"]
        bound = lockd.pill_seconds(peer["lease_ms"], peer["watchdog_ms"])
        lab.note(f"b publishes L {peer['lease_ms']} ms and W {peer['watchdog_ms']} ms: it has "
                 f"acted or is reset {bound:.3f} s after the pill is on the disk")
        sent = lab.now()
        job = a.start_ask("send", f"pill{run}", to=2, pill="reset")
        lab.check(job.wait(bound + 30) == 0, "lockd answers the sender")
        down = reset_by(lab, b, sent, bound, "pill sent to reset")
        at, answer = lockd.said(job, '"ok"')
        lab.check(answer["ok"] and answer["outcome"] == "accepted", f"it says: {answer}")
        delivered, _ = lockd.said(job, "delivered")
        lab.check(delivered and delivered.time <= at.time, "delivered comes before accepted")
        lab.measure("pill sent to acknowledgement", at.time - sent, bound=bound + SLACK)
        lab.note(f"the acknowledgement came {down.time - at.time:.3f} s before the reset was seen")
        words = a.guest.run(f"holdfast disk lastwords {a.device}", check=False).out
        lab.check(re.search(r"pill", words), f"its last words tell of the pill:\n{words}")
        if run < 5:
            b.guest.wait_up()
            b.start()


@case("a pill to a node whose disk hangs: the sender waits until its computed deadline, and the "
      "node is reset before", bound=240, guests=2)
def pill_to_the_deaf(lab):
    disk = lab.disk()
    lockd.init(lab, disk)
    a, b = lockd.pair(lab, [disk], "--expiry node")
    peer = a.wait_peer(b, "alive")
    bound = lockd.pill_seconds(peer["lease_ms"], peer["watchdog_ms"])
    b.guest.hang()
    sent = lab.now()
    job = a.start_ask("send", "pill", to=2, pill="reset", timeout_ms=60000)
    down = reset_by(lab, b, sent, bound, "pill sent to reset by the lease")
    lab.check(job.wait(bound + 30) == 0, "lockd answers the sender")
    at, answer = lockd.said(job, '"ok"')
    lab.check(answer["ok"] and answer["outcome"] == "expired", f"it says: {answer}")
    lab.check(down.time < at.time, "the reset came before the answer that counts on it")
    lab.check(at.time - sent >= bound - SLACK, f"the answer took {at.time - sent:.3f} s, "
                                               f"the deadline being {bound:.3f} s")


@case("lockd dies by SIGKILL with --expiry node: reset within L + W + g, and the peer counts on it "
      "later", bound=240, guests=2)
def killed(lab):
    disk = lab.disk()
    lockd.init(lab, disk)
    a, b = lockd.pair(lab, [disk], "--expiry node")
    peer = a.wait_peer(b, "alive")
    bound = lockd.pill_seconds(peer["lease_ms"], peer["watchdog_ms"])
    a.listen("peer")
    killed_at, _ = b.kill()
    down = reset_by(lab, b, killed_at, bound, "lockd killed to reset")
    lab.check(down.time - killed_at >= peer["lease_ms"] / 1000 - 1, "and not before its lease")
    dead = a.guest.wait_mark("dead by lease", within=30)
    lab.check(dead.time > down.time,
              f"a calls it dead {dead.time - down.time:.3f} s after the reset")
    gone = lockd.gone_seconds(peer["lease_ms"], peer["watchdog_ms"])
    lab.measure("lockd killed to dead by lease", dead.time - killed_at, bound=gone + 3)


@case("lockd dies by SIGKILL with nothing resting on it, and is started again: no reset", bound=180)
def killed_idle(lab):
    disk = lab.disk()
    lockd.init(lab, disk)
    a = lockd.Node(lab, "a", 1, [disk])
    a.start()
    before = a.ask("status")["incarnation"]
    a.kill()
    a.start_lockd()
    lab.check(a.wait_state("active")["incarnation"] > before, "active again, as a new incarnation")
    a.guest.stays_up(2 * lockd.pill_seconds(lockd.LEASE_MS, 2000))


@case("lockd dies by SIGKILL while a command runs under a lock: that is ended, or the machine reset, "
      "in time", bound=240, guests=2)
def killed_holding(lab):
    disk = lab.disk()
    lockd.init(lab, disk)
    a, b = lockd.pair(lab, [disk])
    work = Work(lab, a, b)
    killed_at, _ = a.kill()
    work.ends(killed_at, "lockd killed")


class Work:
    """A command that runs under a lock on a, and waits for it on b. Each writes to /dev/mark again
    and again: who works when."""

    LOOP = 'while :; do echo "at work" >/dev/mark; usleep 20000; done'

    def __init__(self, lab, a, b, loop=LOOP, more=""):
        self.lab, self.a, self.b = lab, a, b
        self.first = self.run(a, loop, more)
        a.guest.wait_mark("at work")
        self.second = self.run(b, loop, more)
        lab.until(lambda: len(self.marks(a)) > 20, 20, "a to work for a while")
        lab.check(not self.marks(b), "b waits while a works")

    @staticmethod
    def run(node, loop, more):
        """In the background."""
        return node.guest.start(f"exec holdfast lock run {more} lab -- sh -c '{loop}'", name="work")

    def marks(self, node):
        """When it was at work."""
        return [line.time for line in node.guest.marks if "at work" in line.text]

    def ends(self, since, what):
        """a stops in time, b takes over, and never were both at it."""
        bound = lockd.pill_seconds(lockd.LEASE_MS, 2000)
        gone = lockd.gone_seconds(lockd.LEASE_MS, 2000)
        takes = self.b.guest.wait_mark("at work", within=gone + 40)
        last = self.marks(self.a)[-1]
        self.lab.measure(f"{what} to the last work of a", last - since, bound=bound)
        self.lab.measure(f"{what} to the first work of b", takes.time - since, bound=gone + 10)
        self.lab.check(last < takes.time,
                       f"never both: b began {takes.time - last:.3f} s after the last work of a")
        for down in self.a.guest.downs:
            self.lab.note(f"a: {down}")
            self.lab.check(down.time < takes.time, "b began after the reset of a")
        if self.a.guest.downs:
            self.a.guest.wait_down(by=RESET)


@case("lock run on two guests, one of them cut off its disk: never both at work", bound=240,
      guests=2)
def lock_cut_off(lab):
    disk = lab.disk()
    lockd.init(lab, disk)
    a, b = lockd.pair(lab, [disk])
    work = Work(lab, a, b)
    a.guest.hang()
    work.ends(lab.now(), "disk hung")
    lab.check(not a.guest.downs, "a's command could be ended: no reset")
    lab.check(work.first.wait(20) == 121, "lock run says that the lock was lost")


@case("lock run with a command that cannot be ended, on a guest cut off its disk: reset, then the "
      "other works", bound=240, guests=2)
def lock_cut_off_stuck(lab):
    disk = lab.disk()
    lockd.init(lab, disk)
    a, b = lockd.pair(lab, [disk])
    # Its child waits for the disk in the kernel, where no signal reaches it.
    stuck = 'dd if=/dev/vda of=/dev/null iflag=direct bs=4096 & ' + Work.LOOP
    work = Work(lab, a, b, stuck)
    a.guest.hang()
    hung = lab.now()
    work.ends(hung, "disk hung")
    lab.check(a.guest.downs, "a was reset")


@case("lock run on two guests, one of them loses power: the other works after the computed deadline",
      bound=240, guests=2)
def lock_power_cut(lab):
    disk = lab.disk()
    lockd.init(lab, disk)
    a, b = lockd.pair(lab, [disk])
    work = Work(lab, a, b)
    a.guest.power_cut()
    cut = lab.now()
    a.guest.wait_down(by="power-cut")
    takes = b.guest.wait_mark("at work", within=60)
    gone = lockd.gone_seconds(lockd.LEASE_MS, 2000)
    lab.measure("power cut to the first work of b", takes.time - cut, bound=gone + 10)
    lab.check(takes.time - cut >= gone - 2, "and not before it could be known")
    lab.check(work.marks(a)[-1] < takes.time, "never both")


@case("the disk hangs and nothing rests on the lease: an alarm, no reset, and back again",
      bound=240, guests=2)
def disk_hangs_idle(lab):
    disk = lab.disk()
    lockd.init(lab, disk)
    a, b = lockd.pair(lab, [disk])
    a.listen("lease", "disk")
    a.guest.hang()
    a.guest.wait_mark('"lost"', within=30)
    lab.note("lockd says that the lease is lost")
    b.wait_peer(a, "dead by lease")
    a.guest.stays_up(lockd.pill_seconds(lockd.LEASE_MS, 2000))
    a.guest.unhang()
    a.wait_state("active")
    b.wait_peer(a, "alive")


@case("the disk hangs with --expiry node: reset within L + W + g of the last good round", bound=240)
def disk_hangs_node(lab):
    disk = lab.disk()
    lockd.init(lab, disk)
    a = lockd.Node(lab, "a", 1, [disk])
    a.start("--expiry node")
    a.guest.hang()
    reset_by(lab, a, lab.now(), lockd.pill_seconds(lockd.LEASE_MS, 2000), "disk hung to reset")


@case("the LUN is taken away with --expiry node: reset within L + W + g", bound=240)
def lun_taken(lab):
    lun = lab.lun()
    a = lockd.Node(lab, "a", 1, [lun], device="/dev/sda")
    a.guest.run("holdfast disk init --name lab --nodes 4 /dev/sda")
    a.start("--expiry node")
    taken = lab.now()
    a.guest.run("echo 1 >/sys/block/sda/device/delete")
    reset_by(lab, a, taken, lockd.pill_seconds(lockd.LEASE_MS, 2000), "LUN taken to reset")


@case("the target hangs: nothing rests on the lease, no reset; it goes on, and the node is back",
      bound=300)
def target_hangs(lab):
    lun = lab.lun()
    a = lockd.Node(lab, "a", 1, [lun], device="/dev/sda")
    a.guest.run("holdfast disk init --name lab --nodes 4 /dev/sda")
    a.start()
    a.listen("lease")
    with lab.target_stopped():
        a.guest.wait_mark('"lost"', within=30)
        a.guest.stays_up(lockd.pill_seconds(lockd.LEASE_MS, 2000))
    a.wait_state("active", within=90)


@case("two nodes on a disk with sectors of 4096 bytes", bound=180, guests=2)
def disk_4k(lab):
    disk = lab.disk(sector_bytes=4096)
    lockd.init(lab, disk)
    a = lockd.Node(lab, "a", 1, [disk])
    wrong = a.guest.run(f"lockd --disk {a.device} --node 1 --watchdog off", check=False)
    lab.check(wrong.status not in (0, "lost") and re.search("4096|sector", wrong.out),
              "prepared with sectors of 512 bytes, it is refused")
    lab.host(["holdfast", "disk", "init", "--name", "lab", "--nodes", "4", "--sector", "4096",
              "--force", "lab", str(disk.path)])
    b = lockd.Node(lab, "b", 2, [disk])
    a.start()
    b.start()
    a.wait_peer(b, "alive")
    b.wait_peer(a, "alive")


@case("no disk of a cluster, another cluster's, a slot that is taken: refused, with the reason",
      bound=240, guests=2)
def refused(lab):
    disk, junk, other = lab.disk(), lab.disk(), lab.disk()
    lockd.init(lab, disk)
    junk.path.write_bytes(bytes(range(256)) * (16 << 12))
    lab.host(["holdfast", "disk", "init", "--name", "other", str(other.path)])
    a = lockd.Node(lab, "a", 1, [disk, junk, other])
    b = lockd.Node(lab, "b", 1, [disk])
    kept = junk.path.read_bytes()

    def refuses(node, words, why):
        result = node.guest.run(f"lockd {words} --watchdog off", within=40, check=False)
        lab.check(result.status not in (0, "lost") and re.search(why, result.out),
                  f"lockd {words}: {result.out}")

    refuses(a, "--disk /dev/vdb --node 1", "superblock|no disk of|not a")
    lab.check(junk.path.read_bytes() == kept, "nothing was written to it")
    refuses(a, "--disk /dev/vda --disk /dev/vdc --node 1", "cluster|disk")
    refuses(a, "--disk /dev/vda --node 9", "node|slot")
    # A superblock with one bit turned.
    data = bytearray(other.path.read_bytes())
    data[100] ^= 1
    other.path.write_bytes(data)
    refuses(a, "--disk /dev/vdc --node 1", "superblock|damaged|checksum|CRC")
    a.start()
    b.guest.start("exec watchdogd --timeout 2", name="watchdogd").wait_line("petting every")
    b.start_lockd()
    b.lockd.wait_line("another machine is alive in it|not this machine", within=60)
    named = a.twin(2)
    named.start_lockd("--name a --watchdog off")
    named.lockd.wait_line('is called "a" too', within=30)
    lab.check(named.lockd.wait() == 2, "a second node of the same name does not stay")
    lab.check(a.ask("status")["state"] == "active", "whose slot it is goes on")


@case("a superblock that is overwritten under two running nodes: said, and nobody is reset",
      bound=240, guests=2)
def superblock_lost(lab):
    disk = lab.disk()
    lockd.init(lab, disk)
    a, b = lockd.pair(lab, [disk])
    a.guest.run(f"dd if=/dev/zero of={a.device} bs=4096 count=1 oflag=direct")
    for node in (a, b):
        node.lockd.wait_line("another superblock; it is not written")
        node.lockd.wait_line("lease lost")
    a.guest.stays_up(lockd.pill_seconds(lockd.LEASE_MS, 2000))
    with open(disk.path, "rb") as medium:
        lab.check(medium.read(4096) == bytes(4096), "nothing was written over what is there now")


def race(lab, nodes, epoch=1):
    """All claim an epoch at once, each for itself: the answers, by node."""
    jobs = [node.start_ask("claim", f"claim{node.number}", epoch=epoch, members=[node.number],
                           value=f"by {node.name}", timeout_ms=30000) for node in nodes]
    for job in jobs:
        job.wait(60)
    answers = [lockd.said(job, '"ok"')[1] for job in jobs]
    for node, answer in zip(nodes, answers):
        lab.note(f"{node.name}: {json.dumps(answer)}")
    return answers


def one_winner(lab, nodes, answers):
    """Exactly one is granted; nobody says otherwise. The winner."""
    granted = [node for node, answer in zip(nodes, answers) if answer.get("outcome") == "granted"]
    lab.check(len(granted) == 1, "one claim is granted")
    winner = granted[0]
    for node, answer in zip(nodes, answers):
        if node is not winner:
            lab.check(answer.get("outcome") != "lost" or answer["winner"] == winner.number,
                      f"{node.name} is told of no other winner")
    again = race(lab, [winner])[0]
    lab.check(again.get("outcome") == "granted", "the same claim once more is granted once more")
    record = winner.ask("record")
    lab.check(record["winner"] == winner.number, f"the record says: {json.dumps(record)}")
    return winner


@case("two guests claim an epoch at once, reservations of a LUN of tgt decide: one wins, and the "
      "loser's kernel is kept out", bound=240, guests=2)
def claim_pr(lab):
    lun = lab.lun()
    nodes = [lockd.Node(lab, name, number, [lun], device="/dev/sda")
             for number, name in enumerate(("a", "b"), 1)]
    nodes[0].guest.run("holdfast disk init --name lab --nodes 4 --arbiter pr /dev/sda")
    for node in nodes:
        node.start()
    nodes[0].wait_peer(nodes[1], "alive")
    nodes[1].wait_peer(nodes[0], "alive")
    winner = one_winner(lab, nodes, race(lab, nodes))
    loser = nodes[2 - winner.number]
    lab.check(loser.guest.run("dd if=/dev/zero of=/dev/sda bs=4096 seek=2048 count=1 oflag=direct",
                              check=False).status != 0, "the loser cannot write to the LUN")
    winner.guest.run("dd if=/dev/zero of=/dev/sda bs=4096 seek=2048 count=1 oflag=direct")
    lab.note("the winner can")
    # It can write no heartbeats either, so its lease ends; it comes back as somebody new.
    loser.lockd.wait_line("lease lost")
    let_in = winner.lockd.wait_line(f"node {loser.number} is let in", within=40)
    loser.lockd.wait_line("registered with key", within=20, after=let_in.time)
    lab.note("it is registered again only after the winner has let its next incarnation in")
    answer = race(lab, [winner], epoch=2)[0]
    lab.check(answer.get("outcome") == "granted", "the winner goes on to the next epoch")


@case("two guests claim epochs at once, Disk Paxos on a plain disk decides: one wins each",
      bound=240, guests=2)
def claim_paxos(lab):
    disk = lab.disk()
    lockd.init(lab, disk, "--arbiter", "paxos")
    nodes = lockd.pair(lab, [disk])
    for epoch in range(1, 6):
        answers = race(lab, nodes, epoch)
        granted = [answer.get("outcome") for answer in answers].count("granted")
        lab.check(granted == 1, f"epoch {epoch}: one claim is granted")


@case("two nodes of one guest claim one after the other, reservations of a LUN of LIO decide",
      bound=300, guests=2)
def claim_pr_lio(lab):
    """Not at once: LIO of Linux 6.1 hangs, with the whole machine, when two PREEMPTs cross."""
    target = lio.Lio(lab, ("one", "two"))
    first = lockd.Node(lab, "a", 1, [target.lun("one"), target.lun("two")])
    second = first.twin(2)
    for number, node in enumerate((first, second)):
        node.device = "/dev/" + first.guest.run(
            f"ls /sys/class/scsi_generic/sg{number}/device/block").out
    first.guest.run(f"holdfast disk init --name lab --nodes 4 --arbiter pr {first.device}")
    for node in (first, second):
        node.start("--watchdog off", watchdog=None)
    first.wait_peer(second, "alive")
    second.wait_peer(first, "alive")
    answer = race(lab, [first])[0]
    lab.check(answer.get("outcome") == "granted", "the first claim is granted")
    second.lockd.wait_line("lease lost")
    lab.check(first.guest.run(f"dd if=/dev/zero of={second.device} bs=4096 seek=2048 count=1 "
                              "oflag=direct", check=False).status != 0,
              "the other cannot write to the LUN")
    let_in = first.lockd.wait_line("node 2 is let in", within=40)
    second.lockd.wait_line("registered with key", within=20, after=let_in.time)
    answer = race(lab, [second])[0]
    lab.check((answer.get("outcome"), answer.get("winner")) == ("lost", 1),
              "the same epoch is lost to it, whatever it does")
    answer = race(lab, [second], epoch=2)[0]
    lab.check(answer.get("outcome") == "granted", "the next epoch is its own")
    first.lockd.wait_line("lease lost")
    record = second.ask("record")
    lab.check((record["epoch"], record["winner"]) == (2, 2), "as the record says")


@case("fence_pill on one guest resets the other; its success comes with proof", bound=240, guests=2)
def fence_pill(lab):
    disk = lab.disk()
    lockd.init(lab, disk)
    a, b = lockd.pair(lab, [disk], programs=["fence_pill"])
    bound = lockd.pill_seconds(lockd.LEASE_MS, 2000)
    sent = lab.now()
    job = a.guest.start("exec fence_pill -o reboot -n b", name="agent")
    reset_by(lab, b, sent, bound + SLACK, "fence_pill begun to reset")
    lab.check(job.wait(60) == 0, "fence_pill says success")
    ended = job.ended
    lab.note(f"it said so {ended - sent:.3f} s after it began")
