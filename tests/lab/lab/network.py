# SPDX-License-Identifier: GPL-2.0-or-later
"""A switch between guests, inside the runner.

Each interface of a guest is one end of a socket pair of datagrams, a frame each (qemu's -netdev
dgram); the switch holds the other ends and sends a frame on to every other guest. So it works for
any number of guests, needs no privilege, and can lose frames in one direction.
"""

import socket
from typing import TYPE_CHECKING

from .wires import Wires

if TYPE_CHECKING:
    from .guest import Guest

FRAME_BYTES = 65536


class Network:
    """One segment of Ethernet."""

    def __init__(self, wires: Wires, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self._wires = wires
        self._ports: dict[Guest, socket.socket] = {}
        self._dropped: set[tuple[Guest, Guest]] = set()

    def cut(self, guest: "Guest") -> None:
        """Pull the cable of a guest, who sees its link go down."""
        self._set_link(guest, False)

    def heal(self, guest: "Guest") -> None:
        """Put the cable back."""
        self._set_link(guest, True)

    def drop(self, sender: "Guest", receiver: "Guest") -> None:
        """Lose what sender sends to receiver; neither is told."""
        self._note(f"{self.name}: drops {sender.name} -> {receiver.name}")
        self._dropped.add((sender, receiver))

    def pass_(self, sender: "Guest", receiver: "Guest") -> None:
        """Lose it no longer."""
        self._note(f"{self.name}: passes {sender.name} -> {receiver.name}")
        self._dropped.discard((sender, receiver))

    def plug_in(self, guest: "Guest") -> socket.socket:
        """For Guest: the other end of a new cable."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        ours.setblocking(False)
        with self._wires.changed:
            self._ports[guest] = ours
        self._wires.watch(ours, lambda: self._forward(guest, ours))
        return theirs

    def unplug(self, guest: "Guest") -> None:
        """For Guest: its qemu is gone."""
        port = self._ports.pop(guest, None)
        if port:
            self._wires.forget(port)
            port.close()

    def mac(self, guest: "Guest") -> str:
        """The address of a guest's interface: locally administered, unique in a case."""
        return f"52:54:00:00:{self.number:02x}:{guest.number:02x}"

    def _forward(self, sender: "Guest", port: socket.socket) -> None:
        try:
            frame = port.recv(FRAME_BYTES)
        except OSError:
            return
        for receiver, other in self._ports.items():
            if receiver is not sender and (sender, receiver) not in self._dropped:
                try:
                    other.send(frame)
                except OSError:
                    pass  # A full or dead port loses frames, as on a real switch.

    def _set_link(self, guest: "Guest", up: bool) -> None:
        self._note(f"{self.name}: cable of {guest.name} {'back' if up else 'pulled'}")
        guest.qmp("set_link", name=f"nic{self.number}", up=up)

    def _note(self, text: str) -> None:
        self.timeline("net", text)

    def timeline(self, who: str, text: str) -> None:
        """Set by Lab: a line in the timeline."""
