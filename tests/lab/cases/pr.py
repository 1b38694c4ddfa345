# SPDX-License-Identifier: GPL-2.0-or-later
"""Persistent reservations through a real kernel's SG_IO, against tgt and against LIO."""

import dataclasses
import json
import os
import re

import lio
from lab import CaseFailed, case
from lab.storage import IQN

TYPES = ("we", "ea", "we-ro", "ea-ro", "we-ar", "ea-ar")
# What test_pr_targets calls its initiators.
RIVALS = tuple(f"{IQN}:n{n}" for n in range(4))


class Nexus:
    """An initiator port of a guest: its nodes, and its key."""

    def __init__(self, guest, number, key):
        self.guest = guest
        self.node = f"/dev/sg{number}"
        # Disks are probed at the same time: their letters say nothing about their order.
        self.disk = "/dev/" + guest.run(f"ls /sys/class/scsi_generic/sg{number}/device/block").out
        self.key = f"0x{key:016x}"

    def tell(self, command, *words):
        """holdfast pr on it: the JSON objects that are no unit attentions, and the status."""
        result = self.guest.run(f"holdfast pr {command} --json -t 60 {' '.join(words)} {self.node}",
                                within=90, check=False)
        said = [json.loads(line) for line in result.lines if line.startswith("{")]
        return [line for line in said if line["kind"] != "attention"], result

    def do(self, command, *words):
        """One that is to succeed, proven: the result."""
        return self.told(command, "done", *words)

    def told(self, command, outcome, *words):
        """One that is to end like that."""
        said, result = self.tell(command, "--key", self.key, *words)
        results = [line for line in said if line["kind"] == "result"]
        if not results or results[0]["outcome"] != outcome:
            raise CaseFailed(f"{command} on {self.node}: not {outcome}:\n{result.out}")
        self.guest.lab.note(f"{command} {' '.join(words)} by {self.key[-2:]}: {outcome}")
        return results[0]

    def preempt(self, victim, outcome="done", *words):
        """Eject; the key comes behind the disk on the command line."""
        result = self.guest.run(f"holdfast pr preempt --key {self.key} --json -t 60 --for-real "
                                f"--yes {' '.join(words)} {self.node} {victim}",
                                within=90, check=False)
        said = [json.loads(line) for line in result.lines if line.startswith("{")]
        results = [line for line in said if line["kind"] == "result"]
        if not results or results[0]["outcome"] != outcome:
            raise CaseFailed(f"preempt on {self.node}: not {outcome}:\n{result.out}")
        self.guest.lab.note(f"preempt {' '.join(words)} of {victim[-2:]} by {self.key[-2:]}: "
                            f"{outcome}")
        return results[0]

    def keys(self):
        """READ KEYS: the last two digits of each."""
        return sorted(word[-2:] for word in re.findall(r"0x[0-9a-f]{16}", json.dumps(
            self.tell("keys")[0])))

    def may(self, what):
        """Whether the kernel may read or write the disk. It says so itself."""
        way = "if=/dev/zero of=%s oflag=direct" if what == "write" else \
            "if=%s of=/dev/null iflag=direct"
        return self.guest.run(f"dd {way % self.disk} bs=4096 count=1", check=False).status == 0


def nexuses(guest, count):
    """The initiator ports of a guest, in the order of its disks."""
    return [Nexus(guest, n, 0xa1 + n) for n in range(count)]


def may_all(lab, type_, holder, registrant, stranger):
    """The table of access, asked of the kernel: SPC-4 5.7.1 for READ and WRITE."""
    shared, readers_out = type_[2:] != "", type_.startswith("ea")
    for nexus, role, write, read in (
            (holder, "holder", True, True),
            (registrant, "registrant", shared, shared or not readers_out),
            (stranger, "stranger", False, not readers_out)):
        lab.check((nexus.may("write"), nexus.may("read")) == (write, read),
                  f"{type_}: {role} {'may' if write else 'may not'} write, "
                  f"{'may' if read else 'may not'} read")


def registrations(lab, one, two, three, stranger="conflict", reader=None):
    """REGISTER, REGISTER AND IGNORE, conflicts, RESERVE with six types, RELEASE. stranger: what a
    RESERVE without a registration ends with; reader: who looks."""
    lab.check(one.keys() == [], "READ KEYS: no key")
    one.do("register")
    one.told("register", "conflict")
    two.do("register", "--ignore-existing")
    lab.check(three.keys() == ["a1", "a2"], "READ KEYS: two keys, as a third port sees it")
    three.told("reserve", stranger)
    for type_ in TYPES:
        one.do("reserve", "--type", type_)
        held = (reader or three).tell("reservation")[0][0]
        lab.check(held["type"] == type_, f"READ RESERVATION: {type_}")
        may_all(lab, type_, one, two, three)
        one.do("release", "--type", type_)


@case("each service action of PERSISTENT RESERVE by SG_IO, against tgt", bound=240)
def actions_tgt(lab):
    lun = lab.lun()
    guest = lab.guest("a", disks=[dataclasses.replace(lun, initiator=name)
                                  for name in ("one", "two", "three")])
    one, two, three = nexuses(guest, 3)
    can = one.tell("capabilities")[0]
    lab.note(f"REPORT CAPABILITIES: {json.dumps(can)}")
    registrations(lab, one, two, three)
    lab.check(one.tell("full-status")[1].status == 1,
              "READ FULL STATUS: tgt has none, and it is said")
    three.told("register", "unsupported", "--aptpl")
    three.told("register", "unsupported", "--all-target-ports")
    lab.check(three.keys() == ["a1", "a2"], "what was refused registered nobody")

    two.do("reserve")
    one.preempt(two.key, "unsupported", "--abort")
    lab.check(one.keys() == ["a1", "a2"], "what was refused ejected nobody")
    taken = one.preempt(two.key)
    lab.check("may still land" in taken["text"], "PREEMPT without ABORT is told as that")
    lab.check(not two.may("write"), "PREEMPT: the victim cannot write any more")
    two.told("reserve", "conflict")
    three.do("register", "--ignore-existing")
    one.do("clear", "--for-real", "--yes")
    lab.check(two.keys() == [] and two.may("write"), "CLEAR: no keys, everybody may write")


@case("each service action of PERSISTENT RESERVE by SG_IO, and COMPARE AND WRITE, against LIO",
      bound=300, guests=2)
def actions_lio(lab):
    names = ("one", "two", "three")
    target = lio.Lio(lab, names)
    guest = lab.guest("a", disks=[target.lun(name) for name in names])
    one, two, three = nexuses(guest, 3)
    can = json.dumps(one.tell("capabilities")[0])
    lab.note(f"REPORT CAPABILITIES: {can}")
    # NOT READY is what LIO says to a stranger while there is no reservation; with one that excludes
    # readers it does not even tell strangers the size of the unit.
    registrations(lab, one, two, three, stranger="refused", reader=one)

    one.do("reserve")
    full = [line for line in three.tell("full-status")[0] if line["kind"] == "registration"]
    lab.check([line["key"] for line in full] == [one.key, two.key],
              "READ FULL STATUS: both registrations")
    ports = [line["initiator"] for line in full]
    lab.check([port.partition(",")[0] for port in ports] == [f"{IQN}:one", f"{IQN}:two"],
              "READ FULL STATUS: with their initiators")
    two.preempt(one.key, "done", "--abort")
    lab.check(not one.may("write") and two.may("write"), "PREEMPT AND ABORT: the holder is out")
    one.told("reserve", "conflict")

    sg = "sg_persist --no-inquiry --out"
    guest.run(f"{sg} --register-move --param-rk={two.key} --param-sark={three.key} "
              f"--relative-target-port=1 --transport-id={IQN}:three {two.node}")
    held = one.tell("reservation")[0][0]
    lab.check(three.key in json.dumps(held), "REGISTER AND MOVE: the reservation is another port's")
    lab.check(three.may("write"), "and that port may write, without a REGISTER of its own")
    three.do("clear", "--for-real", "--yes")

    # The session that qemu has made up is part of the port's name; LIO wants all of it.
    guest.run(f"{sg} --register --param-sark={one.key} --transport-id={ports[1]} {one.node}")
    full = [line for line in three.tell("full-status")[0] if line["kind"] == "registration"]
    lab.check([line["key"] for line in full] == [one.key] * 2, "SPEC_I_PT: one REGISTER, two ports")
    one.do("reserve")
    lab.check(two.may("write") and not three.may("write"), "and the second of them may write")
    one.do("clear", "--for-real", "--yes")
    one.do("register", "--all-target-ports")
    lab.check("true" in json.dumps(three.tell("full-status")[0]).lower(),
              "ALL_TG_PT: the registration is for all target ports")
    one.do("unregister", "--all-target-ports")
    one.do("register", "--aptpl")
    lab.note(f"REPORT CAPABILITIES after APTPL: {json.dumps(one.tell('capabilities')[0])}")
    one.do("clear", "--for-real", "--yes")
    compare_and_write(lab, guest, one, two)


def compare_and_write(lab, guest, one, two):
    """COMPARE AND WRITE: equal, unequal, and against a reservation."""
    guest.run("head -c 512 /dev/zero >/tmp/old; head -c 512 /dev/zero | tr '\\0' x >/tmp/new; "
              "cat /tmp/old /tmp/new >/tmp/swap; cat /tmp/new /tmp/old >/tmp/back; "
              f"dd if=/tmp/old of={one.disk} bs=512 seek=64 oflag=direct")
    for nexus in (one, two):
        guest.run(f"until sg_turs {nexus.node}; do :; done")  # attentions that came before
    caw = "sg_compare_and_write --lba=64 --num=1 --xferlen=1024"
    lab.check(guest.run(f"{caw} --in=/tmp/swap {one.node}").status == 0,
              "COMPARE AND WRITE: equal, written")
    # 14: sg3_utils' exit status for MISCOMPARE
    lab.check(guest.run(f"{caw} --in=/tmp/swap {two.node}", check=False).status == 14,
              "COMPARE AND WRITE: a second of the same finds another content")
    one.do("register")
    one.do("reserve")
    # 24: that for RESERVATION CONFLICT
    lab.check(guest.run(f"{caw} --in=/tmp/back {two.node}", check=False).status == 24,
              "COMPARE AND WRITE: a stranger has a conflict")
    guest.run(f"dd if={one.disk} of=/tmp/is bs=512 skip=64 count=1 iflag=direct; "
              "cmp /tmp/is /tmp/new")
    lab.note("and has written nothing")


def rivals(lab, kind, units, programs=60):
    """test_pr_targets on the host or in a guest: its environment."""
    return (f"HOLDFAST_TEST_TARGET={kind} HOLDFAST_TEST_IQN={IQN} PR_PROGRAMS={programs} "
            f"HOLDFAST_TEST_UNITS='{' '.join(units)}' ")


def judge(lab, result):
    """Its end."""
    for line in result.lines:
        if "[ RUN" not in line:
            lab.note(line)
    lab.check(result.status == 0, "the target does what the model does, but for what is listed")


@case("the model of reservations against LIO: random programs and the table of access", bound=240)
def model_lio(lab):
    target = lio.Lio(lab, (*RIVALS, f"{IQN}:other"))
    judge(lab, lab.host(["sh", "-c", rivals(lab, "lio", [target.url()], 200) +
                         f"exec {lab.programs.parent}/tests/test_pr_targets"], within=200))


@case("the model of reservations against LIO, by SG_IO", bound=300, guests=2)
def model_lio_sg(lab):
    target = lio.Lio(lab, RIVALS)
    guest = lab.guest("a", disks=[target.lun(f"n{n}") for n in range(4)],
                      programs=["test_pr_targets"])
    judge(lab, guest.run(rivals(lab, "lio", [f"/dev/sg{n}" for n in range(4)]) +
                         "test_pr_targets", within=240, check=False))


@case("the model of reservations against tgt, by SG_IO", bound=300)
def model_tgt_sg(lab):
    lun = lab.lun()
    guest = lab.guest("a", disks=[dataclasses.replace(lun, initiator=f"n{n}") for n in range(4)],
                      programs=["test_pr_targets"])
    judge(lab, guest.run(rivals(lab, "tgt", [f"/dev/sg{n}" for n in range(4)]) +
                         "test_pr_targets", within=240, check=False))


def numbers(path, writers):
    """What seqwrite's writers have on the medium, read behind the target's back."""
    with open(path, "rb") as medium:
        return [int.from_bytes(os.pread(medium.fileno(), 8, 4096 * n), "little")
                for n in range(writers)]


class Writes:
    """A victim that writes without a pause, and what became of it."""

    def __init__(self, lab, target, victim, writers=8):
        self.lab, self.target, self.writers = lab, target, writers
        self.job = victim.guest.start(f"exec seqwrite {victim.disk} {writers}", name="victim")
        self.job.wait_line("^writing$")
        # From here on each write is under way for seconds.
        target.slow(3)
        begun = self.on_medium()
        lab.until(lambda: self.on_medium() != begun, 20, "a write that is slow")

    def on_medium(self):
        """The numbers there."""
        return numbers(self.target.disk.path, self.writers)

    def end(self):
        """All writers have been refused: what was accepted of each."""
        self.target.slow(0)
        self.lab.check(self.job.wait(60) == 0, "every writer met a failed write, and stopped")
        accepted = {int(n): (int(number), why) for n, number, why in re.findall(
            r"writer (\d+) accepted (\d+) then (\w+)", "\n".join(
                line.text for line in self.job.lines))}
        self.lab.note(f"accepted of each writer: {accepted}")
        self.lab.check({why for _, why in accepted.values()} <= {"EBADE", "EIO"},
                       "their kernel says that it was a conflict, or that the command was ended")
        return [accepted[n][0] for n in range(self.writers)]


def aborted(lab, holder_is_victim, words=("--abort",)):
    """Preempt while the victim writes: numbers on the medium when it was proven, numbers at the
    end, numbers that the victim was told."""
    target = lio.Lio(lab, ("one", "two"))
    guest = lab.guest("a", cpus=2, disks=[target.lun("one"), target.lun("two")],
                      programs=["seqwrite"])
    one, two = nexuses(guest, 2)
    one.do("register")
    two.do("register")
    (two if holder_is_victim else one).do("reserve")
    writes = Writes(lab, target, two)
    before = writes.on_medium()
    guest.start(f"holdfast pr preempt --key {one.key} -t 60 --for-real --yes {' '.join(words)} "
                f"{one.node} {two.key} && echo proven >/dev/mark", name="preempt")
    proof = guest.wait_mark("proven", within=60)
    at_proof = writes.on_medium()
    lab.note(f"on the medium before: {before}")
    lab.note(f"on the medium at the proof, {lab.now() - proof.time:.3f} s after it: {at_proof}")
    accepted = writes.end()
    # What was still under way would land now that the medium is quick.
    lab.until(lambda: lab.now() > proof.time + 4, 10, "the end of what may be under way")
    after = writes.on_medium()
    lab.note(f"on the medium at the end: {after}")
    lab.check(all(told <= there for told, there in zip(accepted, after)),
              "what the victim was told is written is there")
    return at_proof, after


@case("PREEMPT AND ABORT of a holder that writes: nothing of it lands after the proof", bound=200,
      guests=2)
def abort_holder(lab):
    at_proof, after = aborted(lab, holder_is_victim=True)
    lab.check(at_proof == after, "the last write that landed precedes the proof")


@case("PREEMPT AND ABORT of a registrant that writes: LIO lets writes land after it, as is known",
      bound=200, guests=2)
def abort_registrant(lab):
    at_proof, after = aborted(lab, holder_is_victim=False)
    late = sum(b - a for a, b in zip(at_proof, after))
    # A fault of LIO, which ends and awaits the commands of a victim only where that holds the
    # reservation. When it is gone, docs/lab.md and whoever drains for its sake can forget it.
    lab.check(late > 0, f"LIO's abort was none: {late} writes landed after its answer")


@case("APTPL: reservations outlive a restart of the target, and without it they do not",
      bound=240, guests=2)
def aptpl(lab):
    names = [f"{IQN}:{name}" for name in ("north", "south")]
    target = lio.Lio(lab, (*names, "stranger"))
    stranger = Nexus(lab.guest("a", disks=[target.lun("stranger")]), 0, 0xc1)
    keys = {name: f"0x{0xa1 + n:016x}" for n, name in enumerate(names)}

    def pr(name, command, *words, fine=True):
        result = lab.host(["holdfast", "pr", command, "--json", "--initiator", name, *words,
                           target.url()], within=90)
        lab.check((result.status == 0) == fine, f"{command} by {name.rpartition(':')[2]}: "
                                                f"{'done' if fine else 'refused'}")
        return result.out

    def state():
        full = pr(names[1], "full-status")
        return sorted(set(re.findall(r"0x[0-9a-f]{16}", full))), "we-ro" in full

    for name in names:
        pr(name, "register", "--key", keys[name], "--aptpl")
    pr(names[0], "reserve", "--key", keys[names[0]])
    lab.check("\"persistence_active\":true" in pr(names[0], "capabilities"), "PTPL_A is on")
    lab.check(not stranger.may("write"), "a stranger may not write")
    before = state()
    target.restart()
    lab.check(state() == before, "keys and reservation are what they were")
    lab.check(not stranger.may("write"), "the stranger may still not write")
    pr(names[0], "reserve", "--key", keys[names[0]])
    pr(names[1], "reserve", "--key", keys[names[1]], fine=False)

    # The last REGISTER decides for all.
    pr(names[0], "register", "--old-key", keys[names[0]], "--key", keys[names[0]])
    lab.check("\"persistence_active\":false" in pr(names[0], "capabilities"), "PTPL_A is off")
    lab.check(not stranger.may("write"), "a stranger may not write")
    target.restart()
    lab.check(state() == ([], False), "all keys and the reservation are gone")
    lab.check(stranger.may("write"), "and anybody may write, before anyone has noticed")
    pr(names[0], "reserve", "--key", keys[names[0]], fine=False)
