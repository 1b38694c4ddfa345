# SPDX-License-Identifier: GPL-2.0-or-later
"""sanlock for comparison: hosts of a lockspace in a file, each a daemon of its own.

Without its watchdog daemon and unprivileged, so that it neither touches a watchdog nor wants limits
that a container has not; its timings do not depend on either. All of them are its defaults.
"""

import pathlib
import shutil
import subprocess
import time

from world import Failed, kill, make_file, now, run, start, until

SPACE, RESOURCE = "bench", "lock"
RESOURCE_AT = 1 << 20
TRY_AGAIN_S = 0.5


def is_installed() -> bool:
    """Whether there is anything to compare with."""
    return shutil.which("sanlock") is not None


class Disk:
    """A fresh lockspace with one resource."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.path = make_file(folder / "sanlock.disk", 4)
        begin = now()
        run(["sanlock", "direct", "init", "-s", f"{SPACE}:0:{self.path}:0"])
        run(["sanlock", "direct", "init", "-r", self.resource])
        self.init_s = now() - begin

    @property
    def resource(self) -> str:
        """As sanlock wants it named."""
        return f"{SPACE}:{RESOURCE}:{self.path}:{RESOURCE_AT}"


class Host:
    """One host: its daemon and its client."""

    def __init__(self, folder: pathlib.Path, disk: Disk, number: int) -> None:
        self.disk, self.number = disk, number
        self.folder = folder / f"sanlock{number}"
        self.folder.mkdir()
        self.environment = {"SANLOCK_RUN_DIR": str(self.folder), "SANLOCK_PRIVILEGED": "0"}
        self.daemon = start(["sanlock", "daemon", "-D", "-w", 0, "-l", 0, "-h", 0, "-U", "root",
                             "-G", "root", "-e", f"host{number}"], self.folder / "log",
                            **self.environment)
        until(lambda: self.client("status", check=False)[0] == 0, 20, "sanlock answers")

    def client(self, *words, check: bool = True, within: float = 60) -> tuple[int, str]:
        """sanlock client ..."""
        return run(["sanlock", "client", *words], within=within, check=check, **self.environment)

    def join(self) -> float:
        """Into the lockspace; how long it took."""
        begin = now()
        self.client("add_lockspace", "-s", f"{SPACE}:{self.number}:{self.disk.path}:0")
        return now() - begin

    def command(self, *words, check: bool = True, within: float = 60) -> tuple[int, str]:
        """Run a command that has the lock."""
        return self.client("command", "-r", self.disk.resource, "-c", *words, check=check,
                           within=within)

    def hold(self) -> subprocess.Popen:
        """A command in the background that has the lock for good."""
        holder = start(["sanlock", "client", "command", "-r", self.disk.resource, "-c",
                        shutil.which("sleep"), "1000"], self.folder / "hold.log",
                       **self.environment)
        until(self._is_held, 30, "sanlock holds")
        return holder

    def free(self) -> None:
        """Wait until the lock of a command that has ended is given back: that comes later."""
        until(lambda: not self._resource(), 30, "sanlock gives back")

    def _is_held(self) -> bool:
        return bool(line := self._resource()) and not line.endswith("ADD")

    def _resource(self) -> str:
        """Its line of the status; none when nobody has it or wants it."""
        lines = self.client("status")[1].splitlines()
        return next((line for line in lines if line.startswith(f"r {SPACE}:{RESOURCE}:")), "")

    def take_over(self, since: float, patience: float = 300) -> float:
        """Try until it has the lock of a host that died at `since`; seconds from that. It refuses
        at once as long as it takes the host for alive, and waits itself from then on."""
        while now() < since + patience:
            status, said = self.command(shutil.which("date"), "+%s", check=False, within=patience)
            if status == 0 and said.strip().isdigit():
                return now() - since
            time.sleep(TRY_AGAIN_S)
        raise Failed(f"sanlock took nothing over within {patience:g} s: {said}")

    def end(self) -> None:
        """Without goodbye: nobody needs its disk any more."""
        kill(self.daemon)
