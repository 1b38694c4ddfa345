# SPDX-License-Identifier: GPL-2.0-or-later
"""Find the kernel of the guests: Debian's, installed or unpacked, but never installed by us.

A package that is installed is used where it is. Otherwise it is downloaded and unpacked below the
build folder: installing it would write to /boot and might change what this machine starts next.
"""

import lzma
import os
import pathlib
import re
import shutil
import struct
import subprocess
from dataclasses import dataclass

from .case import CaseFailed

# Where a bzImage has the length of its set-up code, and offset and length of the compressed kernel
# behind it (Documentation/arch/x86/boot.rst).
SETUP_SECTORS, PAYLOAD_OFFSET, PAYLOAD_LENGTH = 0x1f1, 0x248, 0x24c

META_PACKAGE = "linux-image-amd64"
# Half of the modules, and of no use in a guest.
LEFT_OUT = ("sound", "drivers/gpu", "drivers/media", "drivers/net/wireless", "drivers/infiniband")


@dataclass
class Kernel:
    """A kernel: its release, its image, and the folder above lib/modules."""
    release: str
    image: pathlib.Path
    root: pathlib.Path

    def unpack(self, target: pathlib.Path) -> pathlib.Path:
        """The kernel proper, as an ELF file that qemu enters by PVH: to unpack itself takes a
        kernel longer than all the rest of its boot, where every instruction is emulated. One that
        is not packed with xz is taken as it is."""
        # Two builds of a kernel may have one name.
        built = self.image.stat().st_mtime_ns
        if target.exists() and target.stat().st_mtime_ns == built:
            return target
        data = self.image.read_bytes()
        start = ((data[SETUP_SECTORS] or 4) + 1) * 512
        offset, length = struct.unpack_from("<II", data, PAYLOAD_OFFSET)
        try:
            elf = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(data[start + offset:][:length])
        except lzma.LZMAError:
            elf = b""
        fresh = target.with_suffix(".new")
        fresh.write_bytes(elf if elf.startswith(b"\x7fELF") else data)
        os.utime(fresh, ns=(built, built))
        fresh.rename(target)
        return target

    def module_files(self, name: str) -> list[pathlib.Path]:
        """The file of a module and those that it needs, in the order in which to load them; none
        for one that is built in."""
        command = ["modprobe", "-d", str(self.root), "-S", self.release, "--show-depends", name]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise CaseFailed(f"kernel {self.release} has no module {name}: {done.stderr.strip()}")
        return [pathlib.Path(line.split()[1]) for line in done.stdout.splitlines()
                if line.startswith("insmod")]


def find_kernel(root: pathlib.Path) -> Kernel | None:
    """The newest Debian kernel below root, with its modules."""
    def version(image: pathlib.Path) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", image.name)]

    for image in sorted(root.glob("boot/vmlinuz-*-amd64"), key=version, reverse=True):
        release = image.name.removeprefix("vmlinuz-")
        if (root / "lib/modules" / release / "modules.dep.bin").exists():
            return Kernel(release, image, root)
    return None


def get_kernel(cache: pathlib.Path, installed: pathlib.Path = pathlib.Path("/")) -> Kernel:
    """The installed kernel, else the one in the cache, else one downloaded to it."""
    kernel = find_kernel(installed) or find_kernel(cache)
    if kernel:
        return kernel
    print(f"lab: getting Debian's {META_PACKAGE} into {cache} (about 70 MB)", flush=True)
    unpacked = cache.with_suffix(".new")
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(parents=True)
    try:
        _download(unpacked)
        shutil.rmtree(cache, ignore_errors=True)
        unpacked.rename(cache)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    kernel = find_kernel(cache)
    if not kernel:
        raise CaseFailed(f"the package of {META_PACKAGE} holds no kernel with modules: see {cache}")
    return kernel


def _download(folder: pathlib.Path) -> None:
    package = _kernel_package() or (_apt(["apt-get", "update"], folder), _kernel_package())[1]
    if not package:
        raise CaseFailed(f"apt knows no {META_PACKAGE}; see that /etc/apt/sources.list names a "
                         "Debian mirror and run apt-get update, or install the package")
    try:
        _apt(["apt-get", "download", package], folder)
    except CaseFailed:
        # The list may be older than what the mirror still has.
        _apt(["apt-get", "update"], folder)
        package = _kernel_package()
        _apt(["apt-get", "download", package], folder)
    archive = next(folder.glob("*.deb"))
    exclude = " ".join(f"--exclude='./lib/modules/*/kernel/{name}'" for name in LEFT_OUT)
    _run(["sh", "-c", f"dpkg --fsys-tarfile '{archive.name}' | "
          f"tar -x {exclude} --wildcards './boot/vmlinuz-*' './lib/modules/*'"], folder, "unpack")
    archive.unlink()
    release = next((folder / "lib/modules").iterdir()).name
    _run(["depmod", "-b", str(folder), release], folder, "list the modules of")


def _kernel_package() -> str | None:
    """The package on which the meta package depends."""
    shown = subprocess.run(["apt-cache", "show", "--no-all-versions", META_PACKAGE],
                           capture_output=True, text=True).stdout
    found = re.search(r"^Depends: (linux-image-\S+)", shown, re.MULTILINE)
    return found[1] if found else None


def _apt(command: list[str], folder: pathlib.Path) -> None:
    _run(["env", "LC_ALL=C", *command, "-q"], folder, "download")


def _run(command: list[str], folder: pathlib.Path, verb: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    if done.returncode:
        raise CaseFailed(f"could not {verb} the kernel package ({' '.join(command)}): "
                         f"{done.stderr.strip()[-600:]}\nnext: connect this machine to a Debian "
                         f"mirror, or install {META_PACKAGE}, or set LAB_KERNEL to a folder with "
                         "boot/vmlinuz-*-amd64 and lib/modules of it")
