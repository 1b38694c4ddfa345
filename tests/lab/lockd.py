# SPDX-License-Identifier: GPL-2.0-or-later
"""lockd in guests: what its cases share.

Each node is a guest with a watchdog device, watchdogd and lockd; the shared disk is the first of
its disks. Bounds are computed by the formulas of base/timing_peer.h from what the node in question
publishes (lease L, watchdog W, grain g, drift rho), not from what it was told.
"""

import copy
import json
import re

from lab import CaseFailed

SOCKET = "/run/holdfast/lockd.sock"
LEASE_MS, DRAIN_MS, DRIFT_PPM = 4000, 1000, 1000
OPTIONS = (f"--lease {LEASE_MS} --member-timeout 2000 --io-timeout 500 --drain {DRAIN_MS} "
           "--priority 0")
# timing.h's g: the grain of a watchdog with whole seconds.
GRAIN_MS = 1000


def stretch(milliseconds):
    """timing_stretch_ms()."""
    return -(-milliseconds * (1000000 + DRIFT_PPM) // 1000000)


def pill_seconds(lease_ms, watchdog_ms):
    """timing_pill_ms(): acted on, or reset."""
    return stretch(lease_ms + watchdog_ms + GRAIN_MS) / 1000


def gone_seconds(lease_ms, watchdog_ms):
    """timing_peer_gone_ms(): reset, and its last write has landed."""
    return stretch(lease_ms + watchdog_ms + GRAIN_MS + DRAIN_MS) / 1000


def init(lab, disk, *options):
    """Prepare a plain disk on the host."""
    result = lab.host(["holdfast", "disk", "init", "--name", "lab", "--nodes", "4", *options,
                       str(disk.path)], within=60)
    lab.check(result.status == 0, "the disk is prepared")


class Node:
    """A machine of the cluster. number: its slot."""

    def __init__(self, lab, name, number, disks, programs=(), device="/dev/vda", **more):
        self.lab = lab
        self.name = name
        self.number = number
        self.device = device
        self.options = OPTIONS
        self.guest = lab.guest(name, watchdogs=["i6300esb"], modules=["i6300esb"], disks=disks,
                               programs=["sockline", *programs], **more)
        self.watchdogd = self.lockd = None
        self.socket = SOCKET

    def twin(self, number):
        """Another node in the same guest, without a watchdog: it says where it is different."""
        twin = copy.copy(self)
        twin.number, twin.name = number, f"{self.name}{number}"
        twin.socket = f"/run/holdfast/lockd{number}.sock"
        twin.options = (f"{self.options} --socket {twin.socket} --name {twin.name} "
                        f"--state /var/lib/holdfast{number}")
        return twin

    def start(self, more="", watchdog="--timeout 2"):
        """watchdogd and lockd; waits until it has a lease."""
        if watchdog:
            self.watchdogd = self.guest.start(f"exec watchdogd {watchdog}", name="watchdogd")
            self.watchdogd.wait_line("petting every")
        self.start_lockd(more)
        self.wait_state("active")

    def start_lockd(self, more=""):
        """lockd alone, and no waiting."""
        self.lockd = self.guest.start(f"exec lockd --disk {self.device} --node {self.number} "
                                      f"{self.options} {more}", name=f"lockd{self.number}")

    def raw(self, op, within=30, **fields):
        """An answer of lockd, with the progress before it; None: no lockd answered."""
        request = json.dumps({"v": 1, "id": 1, "op": op, **fields})
        # Not in the timeline: waits ask over and over.
        result = self.guest.run_quietly(f"sockline {self.socket} '{request}'", within)
        said = [json.loads(line) for line in result.lines if line.startswith("{")]
        return said if result.status == 0 and said else None

    def ask(self, op, within=30, **fields):
        """The final answer, which is to be good."""
        said = self.raw(op, within, **fields)
        if not said or not said[-1].get("ok"):
            raise CaseFailed(f"{self.name}: lockd's answer to {op}: {said}")
        return said[-1]

    def start_ask(self, op, name, **fields):
        """Ask in the background; answers go to the job, stamped."""
        request = json.dumps({"v": 1, "id": 1, "op": op, **fields})
        return self.guest.start(f"exec sockline {self.socket} '{request}'", name=name)

    def listen(self, *topics):
        """Its events go to the guest's marks."""
        request = json.dumps({"v": 1, "id": 1, "op": "subscribe", "events": list(topics)})
        return self.guest.start(f"exec sockline -f {self.socket} '{request}' >/dev/mark",
                                name="events")

    def wait_state(self, word, within=40):
        """Until its stage is that: the status."""
        def state():
            said = self.raw("status")
            if self.lockd.status is not None:
                last = "\n".join(line.text for line in self.lockd.lines[-8:])
                raise CaseFailed(f"{self.name}: lockd ended ({self.lockd.status}):\n{last}")
            return said and said[-1].get("state") == word and said[-1]
        return self.lab.until(state, within, f"lockd of {self.name} to be {word}")

    def wait_peer(self, other, state, within=40):
        """Until it sees the other node like that: the peer."""
        def seen():
            return next((peer for peer in self.ask("peers")["peers"]
                         if (peer["node"], peer["state"]) == (other.number, state)), None)
        return self.lab.until(seen, within, f"{self.name} to see {other.name} {state}")

    def pid(self):
        """Of lockd itself."""
        return self.guest.run("pidof lockd").out.strip()

    def kill(self, signal="KILL"):
        """The moments before and after the signal to lockd."""
        before = self.lab.now()
        self.guest.run(f"kill -{signal} {self.pid()}")
        return before, self.lab.now()


def pair(lab, disks, more="", **hardware):
    """Two nodes that see each other alive."""
    nodes = [Node(lab, name, number, disks, **hardware)
             for number, name in enumerate(("a", "b"), 1)]
    for node in nodes:
        node.start(more)
    nodes[0].wait_peer(nodes[1], "alive")
    nodes[1].wait_peer(nodes[0], "alive")
    return nodes


def said(job, pattern):
    """The first line of a job with that, as JSON; None."""
    for line in job.lines:
        if line.text.startswith("{") and re.search(pattern, line.text):
            return line, json.loads(line.text)
    return None, None
