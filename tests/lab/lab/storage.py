# SPDX-License-Identifier: GPL-2.0-or-later
"""Shared disks: LUNs of a tgtd of our own, and plain files.

The guests do not speak iSCSI: qemu logs in to the target, one session for each guest, and passes
the LUN through (scsi-block), so that reservations of a guest are those of an initiator of its own.
They live as long as its qemu: over a reset of the guest, not over a power cut.
"""

import os
import pathlib
import shutil
import socket
import subprocess
from dataclasses import dataclass, field

from .case import CaseFailed
from .wires import now

START_SECONDS = 20
# Names of targets and initiators begin with it.
IQN = "iqn.2026-01.lab.holdfast"


@dataclass
class Disk:
    """A file of the host that guests share as a virtio disk."""
    path: pathlib.Path
    sector_bytes: int = 512


@dataclass
class Lun:
    """A LUN of an iSCSI target on the host's loopback; path is None where a guest has the image.
    The initiator is named after the guest unless one is given."""
    path: pathlib.Path | None
    iqn: str
    portal: str
    number: int = 1
    initiator: str | None = None


@dataclass
class Tgtd:
    """A private tgtd: its portal on a free port of 127.0.0.1, its control socket in our folder."""
    folder: pathlib.Path
    spawn: object
    luns: list[Lun] = field(default_factory=list)
    process: subprocess.Popen | None = None
    port: int = 0

    def add(self, size_mib: int) -> Lun:
        """A new target with one LUN, open to all initiators."""
        if not self.process:
            self._start()
        tid = len(self.luns) + 1
        lun = Lun(make_file(self.folder / f"lun{tid}.img", size_mib),
                  f"{IQN}:lun{tid}", f"127.0.0.1:{self.port}")
        self._admin("--op", "new", "--mode", "target", "--tid", str(tid), "--targetname", lun.iqn)
        self._admin("--op", "new", "--mode", "logicalunit", "--tid", str(tid), "--lun", "1",
                    "--backing-store", str(lun.path))
        self._admin("--op", "bind", "--mode", "target", "--tid", str(tid),
                    "--initiator-address", "ALL")
        self.luns.append(lun)
        return lun

    def _start(self) -> None:
        if not shutil.which("tgtd", path="/usr/sbin:/usr/bin"):
            raise CaseFailed("tgtd is not installed; run tests/deps.sh lab (package tgt)")
        # tgtd takes no port 0: a port that was free a moment ago may be taken, then try another.
        for _ in range(5):
            self.port = _free_port()
            self.process = self.spawn(
                "tgtd", [*_as_root(), "/usr/sbin/tgtd", "-f", "-C", "0",
                         "--iscsi", f"portal=127.0.0.1:{self.port}"], env=self._environment())
            if self._answers():
                return
        raise CaseFailed("tgtd does not start; it needs root, or user namespaces, and a folder "
                         f"that it can write. What it said: {self.folder}/tgtd.log")

    def _answers(self) -> bool:
        end = now() + START_SECONDS
        while now() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                self._admin("--op", "show", "--mode", "sys")
                return True
            except (OSError, CaseFailed):
                # A port that someone else has: his connection would be taken for ours.
                try:
                    self.process.wait(0.02)
                except subprocess.TimeoutExpired:
                    pass
        return False

    def _admin(self, *arguments: str) -> None:
        done = subprocess.run(["tgtadm", "-C", "0", "--lld", "iscsi", *arguments],
                              env=self._environment(), capture_output=True, text=True, timeout=20)
        if done.returncode:
            raise CaseFailed(f"tgtadm {' '.join(arguments)}: {done.stderr.strip()}")

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "TGT_IPC_SOCKET": str(self.folder / "tgtd.socket"),
                "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}


def make_file(path: pathlib.Path, size_mib: int) -> pathlib.Path:
    """A sparse image file."""
    with open(path, "wb") as image:
        image.truncate(size_mib << 20)
    return path


def disk_arguments(disk: Disk | Lun, slot: int, guest: str) -> list[str]:
    """What qemu is told to give a guest a disk."""
    name = f"disk{slot}"
    if isinstance(disk, Lun):
        initiator = f"{IQN}:{disk.initiator or guest}"
        url = f"iscsi://{disk.portal}/{disk.iqn}/{disk.number}"
        return ["-drive", f"file={url},if=none,id={name},format=raw,cache=none,"
                          f"file.initiator-name={initiator}",
                "-device", f"scsi-block,drive={name},bus=scsi.0,scsi-id={slot},share-rw=on"]
    return ["-drive", f"file={disk.path},if=none,id={name},format=raw,cache=writethrough,"
                      "file.locking=off",
            "-device", f"virtio-blk-pci,drive={name},share-rw=on,"
                       f"logical_block_size={disk.sector_bytes},"
                       f"physical_block_size={disk.sector_bytes}"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _as_root() -> list[str]:
    """tgtd wants to be root; a user namespace is root enough."""
    return [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]
