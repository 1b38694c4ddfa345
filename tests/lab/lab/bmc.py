# SPDX-License-Identifier: GPL-2.0-or-later
"""The BMC of a guest: ipmi_sim, whose chassis control asks the runner, who has the guest's qemu.

What it reads is whether there is a qemu process; power off is SIGKILL, as a relay would do it.
"""

import pathlib
import re
import socket
from typing import TYPE_CHECKING

from .case import CaseFailed
from .channel import Result
from .wires import Wires, now

if TYPE_CHECKING:
    from .guest import Guest
    from .lab import Lab

CHASSIS = pathlib.Path(__file__).parent / "chassis.py"
START_SECONDS = 20

LAN_CONF = """\
name "{name}"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 0
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "{chassis} {socket}"
  user 1 false "" "none" user 10 none md2 md5 straight
  user 2 true "{user}" "{password}" admin 10 none md2 md5 straight
"""
SIM_EMU = """\
mc_setbmc 0x20
mc_add 0x20 0 has-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
mc_enable 0x20
"""


class Bmc:
    """A BMC on a loopback port, powered whatever its guest does."""
    user = "admin"
    password = "secret"

    def __init__(self, lab: "Lab", guest: "Guest", folder: pathlib.Path) -> None:
        self.guest = guest
        self.log: list[str] = []
        self._lab = lab
        self._wires: Wires = lab.wires
        (folder / "state").mkdir(parents=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / "chassis"))
        self._listener.listen(8)
        self._wires.watch(self._listener, self._chassis)
        (folder / "lan.conf").write_text(LAN_CONF.format(
            name=guest.name, chassis=CHASSIS, socket=folder / "chassis",
            user=self.user, password=self.password))
        (folder / "sim.emu").write_text(SIM_EMU)
        self._process = lab.spawn(f"{guest.name}.bmc", ["ipmi_sim", "-c", "lan.conf", "-f",
                                                        "sim.emu", "-s", "state", "-n"], cwd=folder)
        self.port = self._wait_port()

    def fence(self, action: str, password: str | None = None, within: float = 120,
              **options) -> Result:
        """Run fence_ipmi on the host against this BMC."""
        given = {"action": action, "ip": "127.0.0.1", "ipport": self.port, "username": self.user,
                 "password": self.password if password is None else password, **options}
        return self._lab.host(["fence_ipmi"], within=within, note=f"fence_ipmi action={action}",
                              stdin="".join(f"{key}={value}\n" for key, value in given.items()))

    def close(self) -> None:
        """Answer the chassis no more."""
        self._wires.forget(self._listener)
        self._listener.close()

    def _chassis(self) -> None:
        """One question of chassis.py. It came whole, or comes at once: it is one short write."""
        wire, _ = self._listener.accept()
        with wire:
            wire.settimeout(5)
            try:
                words = wire.makefile().readline().split()
                status, text = self._answer(words)
                wire.sendall(f"{status}\n{text}".encode())
            except OSError as error:
                self._lab.timeline.add("bmc", f"chassis control broke off: {error}")

    def _answer(self, words: list[str]) -> tuple[int, str]:
        """The exit status and the output of `[word...] get NAME...` or `set NAME N...`."""
        text = ""
        while len(words) > 1:
            if words[0] == "get":
                text += f"{words[1]}:{int(self.guest.power == 'on')}\n"
                words = words[2:]
            elif words[0] == "set" and len(words) > 2:
                self.log.append(f"{words[1]} {words[2]}")
                self._lab.timeline.add("bmc", f"{self.guest.name}: set {words[1]} {words[2]}")
                if not self._set(words[1], words[2]):
                    return 1, text
                words = words[3:]
            else:
                words = words[1:]
        return 0, text

    def _set(self, what: str, value: str) -> bool:
        if what == "power":
            if value == "0":
                self.guest.power_cut(who="bmc")
            else:
                self.guest.power_on(who="bmc")
        elif what == "reset" and self.guest.power == "on":
            # The answer would come to this very thread: it is sent, not waited for.
            self.guest.reset(wait=False)
        elif what == "shutdown" and self.guest.power == "on":
            self.guest.power_button(wait=False)
        elif what not in ("boot", "reset", "shutdown"):
            return False
        return True

    def _wait_port(self) -> int:
        end = now() + START_SECONDS
        while now() < end and self._process.poll() is None:
            port = _bound_port(self._process.pid)
            if port:
                return port
            self._wires.wait(lambda: self._process.poll() is not None, 0.02, again=0.01)
        raise CaseFailed(f"the BMC of {self.guest.name} does not listen: see "
                         f"{self.guest.name}.bmc.log (package openipmi has ipmi_sim)")


def _bound_port(pid: int) -> int | None:
    """The UDP port that a process is bound to, found by the inode of its socket."""
    inodes = set()
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            found = re.fullmatch(r"socket:\[(\d+)\]", str(entry.readlink()))
        except OSError:
            continue
        if found:
            inodes.add(found[1])
    for line in pathlib.Path("/proc/net/udp").read_text().splitlines()[1:]:
        words = line.split()
        if words[9] in inodes:
            return int(words[1].split(":")[1], 16)
    return None
