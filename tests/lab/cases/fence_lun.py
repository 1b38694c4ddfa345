# SPDX-License-Identifier: GPL-2.0-or-later
"""fence_lun on SCSI disks of a real kernel: PREEMPT AND ABORT, APTPL, registrations that stay."""

import dataclasses
import json
import re

import lio
from lab import case


class Node:
    """A node of the cluster: an initiator port of the guest, and what it remembers."""

    def __init__(self, guest, name, *numbers):
        self.guest, self.name = guest, name
        nodes = [f"/dev/sg{number}" for number in numbers]
        self.devices = "|".join(nodes)
        # Disks are probed at the same time: their letters say nothing about their order.
        self.disks = ["/dev/" + guest.run(f"ls /sys/class/scsi_generic/{node[5:]}/device/block").out
                      for node in nodes]

    def lun(self, status, action, plug, *options):
        """fence_lun on this node: its result, and what it said beside it."""
        lines = [f"action={action}", f"plug={plug}", f"node={self.name}", "cluster=badcafe",
                 "nodes=alpha:1,beta:2", f"devices={self.devices}", f"state_dir=/run/{self.name}",
                 "json=1", "drain=1", *options]
        result = self.guest.run("fence_lun <<'END'\n" + "\n".join(lines) + "\nEND", within=90,
                                check=False)
        said = [line for line in result.lines if not line.startswith("{")]
        told = json.loads(next(line for line in result.lines if line.startswith("{")))
        for line in said:
            self.guest.lab.note(line)
        self.guest.lab.check(result.status == status,
                             f"{self.name}: {action} of {plug} ends with {status}, "
                             f"{told['state']}, {told['proof']}, {told['elapsed_ms']} ms")
        return told, "\n".join(said)

    def keys(self):
        """All that are registered, as this node's disk says."""
        return re.findall(r"0x[0-9a-f]{16}", self.guest.run(
            f"holdfast pr keys {self.devices.split('|')[0]} --json -t 30").out)

    def may_write(self, path=0):
        """As its kernel finds it."""
        return self.guest.run(f"dd if=/dev/zero of={self.disks[path]} bs=4096 count=1 seek=8 "
                              "oflag=direct", check=False).status == 0


def lose(loser, winner):
    """What an ejected node still can: nothing, and that stays so."""
    lab = loser.guest.lab
    before = sorted(winner.keys())
    for action, plug in (("off", winner.name), ("on", loser.name), ("off", winner.name)):
        told, _ = loser.lun(1, action, plug)
        lab.check(told["cause"] == "privilege", f"because: {told['message']}")
    lab.check(sorted(winner.keys()) == before, "and nothing of it has changed the keys")
    lab.check(winner.may_write() and not loser.may_write(), "only the winner's kernel may write")


@case("fence_lun on LIO: abort, finality, another life, and a restart of the target", bound=420,
      guests=2)
def on_lio(lab):
    target = lio.Lio(lab, ("alpha", "beta"))
    guest = lab.guest("a", cpus=2, disks=[target.lun("alpha"), target.lun("beta")],
                      programs=["fence_lun"])
    alpha, beta = Node(guest, "alpha", 0), Node(guest, "beta", 1)
    # The first holds the reservation: its commands are what LIO's abort ends.
    _, said = beta.lun(0, "on", "beta")
    alpha.lun(0, "on", "alpha")
    lab.check("APTPL" not in said, "registrations survive a loss of power")
    keys = sorted(alpha.keys())
    alpha.lun(0, "on", "alpha")
    lab.check(sorted(alpha.keys()) == keys, "unfencing twice changes nothing")

    # beta numbers its writes; what it wrote last stands on the disk.
    writer = guest.start(f"""n=0; while printf '%-512s' $((n + 1)) |
        dd of={beta.disks[0]} bs=512 count=1 iflag=fullblock oflag=direct 2>/dev/null; do
        n=$((n + 1)); [ $n -ne 3 ] || echo writing; done; echo refused after $n""", name="writer")
    writer.wait_line("^writing$", within=60)
    told, said = alpha.lun(0, "off", "beta")
    last = "dd if=%s bs=512 count=1 iflag=direct 2>/dev/null" % alpha.disks[0]
    at_proof = int(guest.run(last).out)
    lab.check(told["off_proven"] and told["plugs"][0]["before"] == "on", "the off is proven")
    lab.check("PREEMPT AND ABORT" not in said, "by PREEMPT AND ABORT, so there is nothing to drain")
    refused = writer.wait_line("^refused after", within=60)
    accepted = int(refused.text.split()[-1])
    lab.check(accepted <= at_proof and int(guest.run(last).out) == at_proof,
              f"the last write accepted ({accepted}) precedes the proof ({at_proof})")
    lose(beta, alpha)

    # A restart of the machine is another life; its port is still registered with the old key.
    guest.reset()
    guest.wait_down(by="qmp")
    guest.wait_up()
    alpha, beta = Node(guest, "alpha", 0), Node(guest, "beta", 1)
    old = alpha.keys()
    told, _ = alpha.lun(1, "off", "beta")
    lab.check("has not joined" in told["message"], "a new life has to join first")
    alpha.lun(0, "on", "alpha")
    lab.check(len(alpha.keys()) == 1 and alpha.keys() != old,
              "alpha's new key has taken the old one's place")
    beta.lun(0, "on", "beta")
    lab.check(alpha.may_write() and beta.may_write(), "both may write")
    keys = sorted(alpha.keys())

    target.restart()
    lab.until(lambda: guest.run(f"holdfast pr keys {alpha.devices} -t 20", within=60, check=False)
              .status == 0, 60, "the target is back")
    alpha.lun(0, "status", "beta")
    lab.check(sorted(alpha.keys()) == keys, "registrations outlived a restart of the target")
    # qemu's new session is another port to LIO: not registered, though the key is there.
    told, _ = beta.lun(1, "off", "alpha")
    lab.check("no path of this node carries it" in told["message"], "off registers nothing")
    # And it forgets whom it let in when the key of the old session goes; on notices. What is
    # remembered goes with a restart; here without one, for qemu's sake.
    guest.run("rm -r /run/alpha /run/beta")
    beta.lun(0, "on", "beta")
    lab.check(beta.may_write(), "beta has joined by the new session, and may write")
    _, said = beta.lun(0, "off", "alpha")
    lab.check("not by a PREEMPT AND ABORT" not in said, "alpha held it: aborted")
    lab.check(len(alpha.keys()) == 1 and not alpha.may_write(), "alpha is out")
    alpha.lun(0, "on", "alpha")
    lab.check(alpha.may_write() and beta.may_write(), "in its new life it comes back")


@case("fence_lun on LIO: two paths, and one that comes late", bound=300, guests=2)
def paths(lab):
    target = lio.Lio(lab, ("alpha", "alpha2", "beta"))
    guest = lab.guest("a", disks=[target.lun(name) for name in ("alpha", "alpha2", "beta")],
                      programs=["fence_lun"])
    early, alpha, beta = Node(guest, "alpha", 0), Node(guest, "alpha", 0, 1), Node(guest, "beta", 2)
    beta.lun(0, "on", "beta")
    early.lun(0, "on", "alpha")
    lab.check(alpha.may_write(0) and not alpha.may_write(1), "one path is registered")
    first = set(alpha.keys())
    alpha.lun(0, "on", "alpha")
    lab.check(alpha.may_write(0) and alpha.may_write(1), "with the late path both are")
    lab.check(len(alpha.keys()) == 3 and len(set(alpha.keys()) - first) == 1,
              "by one new key, which took the place of the old one")
    _, said = beta.lun(0, "off", "alpha")
    lab.check("not by a PREEMPT AND ABORT" in said,
              "alpha held no reservation, so LIO's abort does not count, and off has drained")
    lab.check(not alpha.may_write(0) and not alpha.may_write(1), "off takes both paths")
    lose(alpha, beta)


@case("fence_lun on tgt by SG_IO: plain PREEMPT and a drain", bound=240)
def on_tgt(lab):
    lun = lab.lun()
    guest = lab.guest("a", disks=[dataclasses.replace(lun, initiator=name)
                                  for name in ("alpha", "beta")], programs=["fence_lun"])
    alpha, beta = Node(guest, "alpha", 0), Node(guest, "beta", 1)
    _, said = alpha.lun(0, "on", "alpha")
    lab.check("no APTPL" in said, "what the target lacks is said")
    beta.lun(0, "on", "beta")
    keys = sorted(alpha.keys())
    alpha.lun(0, "on", "alpha")
    lab.check(sorted(alpha.keys()) == keys, "unfencing twice changes nothing")
    lab.check(beta.may_write(), "beta writes")
    told, said = alpha.lun(0, "off", "beta")
    lab.check(told["elapsed_ms"] >= 1000 and "not by a PREEMPT AND ABORT" in said,
              "plain PREEMPT is said, and the drain was waited for")
    lose(beta, alpha)
