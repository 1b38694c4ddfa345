# SPDX-License-Identifier: GPL-2.0-or-later
"""Write a cpio archive in the "newc" format, of which the kernel unpacks its initramfs.

Written here rather than by cpio(1) because an archive may so hold device nodes and files of root
without anybody being root.
"""

import stat


class Cpio:
    """An archive in memory; folders on the way to a file come by themselves."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._names: set[str] = set()

    def folder(self, path: str) -> None:
        """A folder and those above it."""
        path = path.strip("/")
        if path and path not in self._names:
            self._parents(path)
            self._add(path, stat.S_IFDIR | 0o755)

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """A regular file."""
        self._parents(path.strip("/"))
        self._add(path.strip("/"), stat.S_IFREG | mode, data)

    def link(self, path: str, target: str) -> None:
        """A symbolic link."""
        self._parents(path.strip("/"))
        self._add(path.strip("/"), stat.S_IFLNK | 0o777, target.encode())

    def device(self, path: str, major: int, minor: int) -> None:
        """A character device."""
        self._parents(path.strip("/"))
        self._add(path.strip("/"), stat.S_IFCHR | 0o600, b"", (major, minor))

    def bytes(self) -> bytes:
        """The finished archive, of a length that another may follow."""
        trailer = self._entry("TRAILER!!!", 0, b"", (0, 0))
        whole = b"".join(self._parts) + trailer
        return whole + b"\0" * (-len(whole) % 512)

    def _parents(self, path: str) -> None:
        if "/" in path:
            self.folder(path.rsplit("/", 1)[0])

    def _add(self, path: str, mode: int, data: bytes = b"", device=(0, 0)) -> None:
        if path not in self._names:
            self._names.add(path)
            self._parts.append(self._entry(path, mode, data, device))

    def _entry(self, path: str, mode: int, data: bytes, device: tuple[int, int]) -> bytes:
        name = path.encode() + b"\0"
        # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        fields = (len(self._names), mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)
