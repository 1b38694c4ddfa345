# SPDX-License-Identifier: GPL-2.0-or-later
"""Nodes of Holdfast on this machine: each a lockd with a watchdogd of its own behind it.

watchdogd has a device of tests/watchdog/devices.py, and its resets are lines in a file; the whole
runs in tests/watchdog/jail.sh, where nothing could be reset either. All timings are the defaults,
but where an interval is given.
"""

import json
import pathlib
import socket
import subprocess

from world import BIN, HELPERS, Failed, kill, now, run, start, stop, until

LOCK = "bench"
WATCHDOGS = pathlib.Path("tests/watchdog")


def init(urls: list, *options) -> float:
    """Prepare the disks of a cluster; how long it took."""
    begin = now()
    run([BIN / "holdfast", "disk", "init", "--name", "bench", *options, *urls])
    return now() - begin


class Client:
    """A connection to lockd, one request at a time."""

    def __init__(self, path: pathlib.Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rw")
        self._id = 0

    def ask(self, op: str, **fields) -> dict:
        """The final answer."""
        self._id += 1
        try:
            self._lines.write(json.dumps({"v": 1, "id": self._id, "op": op, **fields}) + "\n")
            self._lines.flush()
            while line := self._lines.readline():
                answer = json.loads(line)
                if answer.get("id") == self._id and "ok" in answer:
                    return answer
        except OSError as fault:
            raise Failed(f"lockd does not answer {op}: {fault}") from fault
        raise Failed(f"lockd has closed the connection instead of answering {op}")

    def close(self) -> None:
        """No more."""
        self._lines.close()
        self._socket.close()


class Watchdogs:
    """Devices of watchdogs that are none, for as many nodes as there will be."""

    def __init__(self, folder: pathlib.Path, count: int) -> None:
        self.folder = folder / "watchdogs"
        self.folder.mkdir()
        self._next = 0
        for number in range(count):
            (self.folder / f"watchdog{number}").touch()
        start([WATCHDOGS / "devices.py", self.folder, "/sys"], self.folder / "log", stays=True)
        until((self.folder / "devices.sock").exists, 20, "the devices are there")

    def take(self) -> str:
        """The path of a device that nobody has."""
        self._next += 1
        return f"/dev/watchdog{self._next - 1}"

    def resets(self) -> int:
        """How many there were."""
        return (self.folder / "trace").read_text().count("sysrq b\n")


class Node:
    """One node, started but not yet active."""

    def __init__(self, folder: pathlib.Path, urls: list, number: int, watchdogs: Watchdogs,
                 *options) -> None:
        self.number = number
        self.folder = folder / f"node{number}"
        self.folder.mkdir(parents=True)
        self.socket = self.folder / "lockd.sock"
        self.environment = {"HOLDFAST_LOCKD_SOCKET": str(self.socket),
                            "HOLDFAST_WATCHDOG_SOCKET": str(self.folder / "watchdog.sock")}
        # It ends when its node dies: that is what it is for.
        self.watchdogd = start([HELPERS / "watchdogd", "--device", watchdogs.take(), "--socket",
                                self.folder / "watchdog.sock", "--priority", 0,
                                "--standstill-clock", "none"], self.folder / "watchdogd.log",
                               may_end=True, FAKE_WATCHDOG_DIR=str(watchdogs.folder),
                               LD_PRELOAD=str(HELPERS / "fake_watchdog.so"))
        until(lambda: "petting every" in (self.folder / "watchdogd.log").read_text(), 10,
              "watchdogd listens")
        disks = [word for url in urls for word in ("--disk", url)]
        self.started = now()
        self.lockd = start([BIN / "lockd", *disks, "--node", number, "--name", f"node{number}",
                            "--state", self.folder, "--run-dir", folder, "--nexus", number,
                            "--socket", self.socket, *options], self.folder / "lockd.log",
                           **self.environment)

    def join(self, may_claim: bool = False) -> float:
        """Wait until it is active, and registered where it needs that to claim; how long that took
        from its start."""
        def is_in():
            status = client.ask("status")
            return status.get("state") == "active" and not (may_claim and any(
                unit["state"] != "registered" for unit in status.get("registrations", ())))

        until(self.socket.exists, 60, "lockd listens")
        client = self.client()
        try:
            until(is_in, 120, "lockd is active")
        except Failed as fault:
            log = (self.folder / "lockd.log").read_text().strip().splitlines()
            raise Failed(f"{fault}; it said last: {log[-1]}") from fault
        joined = now() - self.started
        client.close()
        return joined

    def client(self) -> Client:
        """A new connection."""
        return Client(self.socket)

    def status(self) -> dict:
        """What it says of itself."""
        client = self.client()
        answer = client.ask("status")
        client.close()
        return answer

    def lock(self, *words) -> tuple[int, str]:
        """Run a command that has the lock."""
        return run([BIN / "holdfast", "lock", "run", LOCK, "--", *words], **self.environment)

    def lock_later(self, log: pathlib.Path, *words) -> subprocess.Popen:
        """The same in the background."""
        return start([BIN / "holdfast", "lock", "run", LOCK, "--", *words], log,
                     **self.environment)

    def hold(self) -> subprocess.Popen:
        """A command in the background that has the lock for good."""
        told = self.folder / "held"
        holder = start([BIN / "holdfast", "lock", "run", LOCK, "--", "sh", "-c",
                        f"echo >'{told}'; exec sleep 1000"], self.folder / "hold.log",
                       may_end=True, **self.environment)
        until(told.exists, 30, "the lock is held")
        return holder

    def die(self) -> float:
        """Its lockd is gone without a word; the moment."""
        return kill(self.lockd)

    def end(self) -> None:
        """An orderly end."""
        stop(self.lockd)
        stop(self.watchdogd)
