# SPDX-License-Identifier: GPL-2.0-or-later
"""Build the initramfs of the guests.

One image holds what all guests share: busybox, our programs, tools with their shared libraries, and
the modules of MODULES. What differs from guest to guest is a small archive that is appended
(guest_part); the kernel unpacks both.
"""

import fcntl
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from .case import CaseFailed
from .cpio import Cpio
from .kernel import Kernel

GUEST = pathlib.Path(__file__).parent.parent / "guest"

# What a guest can load. A module that Debian builds in may stand here too.
MODULES = (
    # watchdogs, panics
    "watchdog", "i6300esb", "ib700wdt", "softdog", "pretimeout_panic", "pretimeout_noop",
    # that of Intel's chipsets (machine q35); one that rounds
    "lpc_ich", "iTCO_wdt", "sc1200wdt",
    "pvpanic-mmio", "rtc-cmos",
    # IPMI
    "ipmi_si", "ipmi_devintf", "ipmi_watchdog", "ipmi_poweroff",
    # disks
    "virtio_pci", "virtio_scsi", "virtio_blk", "sd_mod", "sg", "loop", "scsi_debug",
    "ext4",
    # LIO as a target; its logins want a checksum
    "crc32c_generic",
    "target_core_mod", "target_core_file", "target_core_iblock", "tcm_loop", "iscsi_target_mod",
    "configfs",
    # networks
    "virtio_net", "e1000", "af_packet", "ipv6",
)

# Programs of the host that every guest has; beside them it has ours, but for the fence agents.
TOOLS = ("busybox", "sg_persist", "sg_inq", "sg_turs", "sg_dd", "sg_raw", "sg_compare_and_write",
         "sg_luns", "sg_reset", "chrt", "taskset")
# 31 MB that libxml2 drags in (ICU's tables, for character sets that nobody uses here), which would
# double the time to boot: an empty library of that name stands in for it.
HOLLOW = re.compile(r"libicudata\.so\.(\d+)$")


def build_image(target: pathlib.Path, kernel: Kernel, programs: pathlib.Path) -> pathlib.Path:
    """Make target (unless it is up to date) with the programs of a folder; its path."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        binaries = _binaries(programs)
        inputs = [*binaries.values(), *sorted(GUEST.iterdir()), kernel.image,
                  *sorted(pathlib.Path(__file__).parent.glob("*.py"))]
        key = _key(inputs)
        stamp = target.with_suffix(".key")
        if target.exists() and stamp.exists() and stamp.read_text() == key:
            return target
        fresh = target.with_suffix(".new")
        fresh.write_bytes(_base(kernel, binaries))
        fresh.rename(target)
        stamp.write_text(key)
    return target


def guest_part(settings: list[str], files: dict[str, str | bytes], extras: list[str],
               programs: pathlib.Path) -> bytes:
    """The archive of one guest: its /etc/lab, files of the case, and more programs."""
    archive = Cpio()
    archive.file("/etc/lab", "".join(line + "\n" for line in settings).encode())
    for path, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        archive.file(path, data, 0o755 if data[:2] == b"#!" or data[:4] == b"\x7fELF" else 0o644)
    _add_programs(archive, {f"/usr/bin/{name}": _which(name, programs) for name in extras})
    return archive.bytes()


def _binaries(programs: pathlib.Path) -> dict[str, pathlib.Path]:
    """Path in the guest -> file of the host, for every program of the common image."""
    found = {f"/usr/sbin/{file.name}": file for file in sorted(programs.glob("*"))
             if not file.name.startswith("fence_")}
    if not found:
        raise CaseFailed(f"no programs in {programs}; run make first")
    for name in TOOLS:
        found[f"/bin/{name}" if name == "busybox" else f"/usr/bin/{name}"] = _which(name, programs)
    return found


def _which(name: str, programs: pathlib.Path) -> pathlib.Path:
    """A program of ours, a helper of the tests, or a program of the host."""
    for ours in (programs / name, programs.parent / "tests" / name):
        if ours.exists():
            return ours
    file = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not file:
        raise CaseFailed(f"{name} is not installed; tests/deps.sh lab gets what all guests have")
    return pathlib.Path(file)


def _key(files: list[pathlib.Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        state = file.stat()
        digest.update(f"{file} {state.st_mtime_ns} {state.st_size}\n".encode())
    return digest.hexdigest()


def _base(kernel: Kernel, binaries: dict[str, pathlib.Path]) -> bytes:
    archive = Cpio()
    for folder in ("/proc", "/sys", "/dev", "/run", "/tmp", "/mnt", "/var/lib", "/etc", "/root"):
        archive.folder(folder)
    archive.link("/var/run", "/run")
    archive.device("/dev/console", 5, 1)
    archive.device("/dev/null", 1, 3)
    archive.file("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"
                                b"nobody:x:65534:65534:nobody:/:/bin/false\n")
    archive.file("/etc/group", b"root:x:0:\nnogroup:x:65534:\n")
    archive.file("/init", (GUEST / "init").read_bytes(), 0o755)
    archive.file("/bin/module", (GUEST / "module").read_bytes(), 0o755)

    _add_programs(archive, binaries)
    applets = subprocess.run([binaries["/bin/busybox"], "--list"], check=True,
                             capture_output=True, text=True).stdout.split()
    for applet in applets:
        archive.link(f"/bin/{applet}", "busybox")

    for name in MODULES:
        order = []
        for file in kernel.module_files(name):
            inside = f"/lib/modules/{file.name}"
            archive.file(inside, file.read_bytes())
            order.append(inside)
        archive.file(f"/lib/lab-modules/{name}", "".join(line + "\n" for line in order).encode())
    return archive.bytes()


def _add_programs(archive: Cpio, programs: dict[str, pathlib.Path]) -> None:
    """Programs with their shared libraries, by the names under which the loader looks for them."""
    if not programs:
        return
    for inside, file in programs.items():
        archive.file(inside, file.read_bytes(), 0o755)
    shown = subprocess.run(["ldd", *programs.values()], capture_output=True, text=True).stdout
    missing = re.findall(r"(\S+) => not found", shown)
    if missing:
        raise CaseFailed(f"shared libraries are missing on this machine: {' '.join(missing)}")
    for library in set(re.findall(r"(/\S+) \(0x", shown)):
        hollow = HOLLOW.search(library)
        data = _hollow_icu(hollow[1]) if hollow else pathlib.Path(library).read_bytes()
        archive.file(library, data, 0o755)


def _hollow_icu(version: str) -> bytes:
    """A libicudata without data; ICU takes it for tables that it cannot read."""
    with tempfile.NamedTemporaryFile(suffix=".so") as library:
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-nostdlib", "-x", "c", "-", "-o",
                        library.name, f"-Wl,-soname,libicudata.so.{version}"], check=True,
                       input=f"const char icudt{version}_dat[64];".encode())
        return pathlib.Path(library.name).read_bytes()
