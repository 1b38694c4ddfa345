# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest: one qemu with its console, command channel, marks and QMP.

The interface is described in lab/__init__.py. A guest is a machine that can be powered on and off
many times; each time has a qemu of its own, and all else is kept over them.
"""

import base64
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .case import CaseFailed
from .channel import Channel, Job, Line, Result, find_line
from .down import Down, own_way
from .image import guest_part
from .network import Network
from .qmp import Event, Qmp
from .storage import Disk, Lun, disk_arguments
from .wires import LineWire, now

if TYPE_CHECKING:
    from .lab import Lab

BOOT_SECONDS = 60
# Console lines that a timeline wants to have.
HIGHLIGHTS = (r"watchdog|softdog|i6300|[Pp]anic|sysrq: [A-Z]|reboot:|Initiating|Out of memory|"
              r"I/O error|reservation conflict")
# Drivers that start; nobody wants to read that.
DULL_EVENTS = ("NIC_RX_FILTER_CHANGED", "RTC_CHANGE", "VSERPORT_CHANGE")
# The clock is the HPET: the rate of the TSC is measured at boot, and on a busy host sometimes comes
# out wrong by a factor of ten.
COMMAND_LINE = ("console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable clocksource=hpet "
                "random.trust_cpu=on printk.time=1 rdinit=/init")


@dataclass
class Hardware:
    """What a guest is made of; see lab.guest()."""
    watchdogs: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    memory_mib: int = 192
    cpus: int = 1
    files: dict[str, str | bytes] = field(default_factory=dict)
    programs: list[str] = field(default_factory=list)
    kernel_args: str = ""
    disks: list[Disk | Lun] = field(default_factory=list)
    networks: dict[Network, str] = field(default_factory=dict)
    host_network: bool = False
    forwards: list[int] = field(default_factory=list)
    ipmi: bool = False
    pvpanic: bool = False
    on_reset: str = "reboot"
    devices: list[str] = field(default_factory=list)


class Guest:
    """See lab/__init__.py."""

    def __init__(self, lab: "Lab", name: str, number: int, hardware: Hardware) -> None:
        self.lab = lab
        self.name = name
        self.number = number
        self.hardware = hardware
        self.wires = lab.wires
        self.boots = 0
        self.console: list[Line] = []
        self.marks: list[Line] = []
        self.events: list[Event] = []
        self.downs: list[Down] = []
        self.channel: Channel | None = None
        self._expected_downs = 0
        self._up = False
        self._boot_console = 0
        self._hardware_fired: str | None = None
        self._cut_by: str | None = None
        self._shut_down = False
        self._highlights = re.compile(HIGHLIGHTS)
        self._jobs = 0
        self._process: subprocess.Popen | None = None
        self._pidfd = -1
        self._qmp: Qmp | None = None
        self._lines: list[LineWire] = []
        self._image = self._make_image()
        self._log_console = lab.log(f"{name}.console")
        self._log_qmp = lab.log(f"{name}.qmp")
        self._log_commands = lab.log(f"{name}.commands")

    # ---- commands --------------------------------------------------------------------------------

    def run(self, command: str, within: float = 30, check: bool = True) -> Result:
        """Run a shell command to its end."""
        self.wait_up()
        self._said(f"$ {command}")
        return self._run(command, within, check)

    def run_quietly(self, command: str, within: float = 30) -> Result:
        """The same for questions asked again and again: not in the timeline, any status."""
        self.wait_up()
        return self._run(command, within, check=False)

    def start(self, command: str, name: str | None = None) -> Job:
        """Run a shell command in the background."""
        self.wait_up()
        self._jobs += 1
        name = name or f"job{self._jobs}"
        self._said(f"$ {command} &  ({name})")
        return self.channel.start(command, name, self.lab.log(f"{self.name}.{name}.log"))

    def fetch(self, path: str) -> bytes:
        """The content of a file of the guest."""
        self.wait_up()
        self._said(f"fetch {path}")
        return base64.b64decode(self._run(f"base64 {shlex.quote(path)}").out)

    def put(self, path: str, data: str | bytes) -> None:
        """Write a file of the guest."""
        self.wait_up()
        data = data.encode() if isinstance(data, str) else data
        self._said(f"put {path}, {len(data)} bytes")
        target = shlex.quote(path)
        self._run(f": >{target}")
        # A line of the channel must fit into the buffer of a terminal.
        for start in range(0, len(data), 2400):
            part = base64.b64encode(data[start:start + 2400]).decode()
            self._run(f"echo {part} | base64 -d >>{target}")

    def clock(self) -> tuple[float, float]:
        """Host CLOCK_MONOTONIC minus guest CLOCK_BOOTTIME, and the bound of its error."""
        self.wait_up()
        return self.channel.clock()

    # ---- what happens in it ----------------------------------------------------------------------

    def wait_up(self, within: float = BOOT_SECONDS) -> None:
        """Wait until it answers."""
        def answer():
            self._fail_if_down()
            return self._up
        if not self.wires.wait(answer, within):
            state = "is off" if self.power == "off" else "did not come up"
            last = "\n".join(line.text for line in self.console[-5:])
            raise CaseFailed(f"{self.name} {state} within {within:g} s; its console:\n{last}")

    def wait_down(self, by: str | tuple[str, ...] | None = None, within: float = 60) -> Down:
        """The next Down that was not asked for yet."""
        down = self.wires.wait(lambda: self.downs[self._expected_downs:self._expected_downs + 1],
                               within)
        ways = (by,) if isinstance(by, str) else by
        if not down:
            raise CaseFailed(f"{self.name} did not go down within {within:g} s"
                             + (f" (expected by {' or '.join(ways)})" if ways else ""))
        self._expected_downs += 1
        if ways and down[0].by not in ways:
            raise CaseFailed(f"{self.name} went {down[0]}; expected by {' or '.join(ways)}")
        return down[0]

    def stays_up(self, seconds: float) -> None:
        """Watch that it does not go down."""
        self.lab.note(f"{self.name} must stay up for {seconds:g} s")
        self.wires.wait(lambda: len(self.downs) > self._expected_downs, seconds)
        self._fail_if_down()

    def wait_mark(self, pattern: str, within: float = 30, after: float = 0) -> Line:
        """The first line in /dev/mark with pattern."""
        return self._wait_line(self.marks, "mark", pattern, within, after)

    def wait_console(self, pattern: str, within: float = 30, after: float = 0) -> Line:
        """The first line of the console with pattern."""
        return self._wait_line(self.console, "console", pattern, within, after)

    def wait_event(self, name: str, within: float = 30, after: float = 0) -> Event:
        """The first QMP event of that name."""
        event = self.wires.wait(lambda: next((event for event in self.events if event.name == name
                                              and event.time > after), None), within)
        if not event:
            raise CaseFailed(f"{self.name}: no QMP event {name} within {within:g} s")
        return event

    def highlight(self, pattern: str) -> None:
        """Console lines with pattern go into the timeline too."""
        self._highlights = re.compile(f"{self._highlights.pattern}|{pattern}")

    # ---- power, time -----------------------------------------------------------------------------

    @property
    def power(self) -> str:
        """Whether there is a qemu."""
        return "on" if self._process and self._process.poll() is None else "off"

    def power_on(self, who: str = "case") -> None:
        """Start a qemu, if there is none."""
        with self.wires.changed:
            if self.power == "on":
                return
            self._ended()
            self.timeline(who, "power on")
            self._cut_by, self._shut_down, self._hardware_fired = None, False, None
            self._boot_console = len(self.console)
            self._spawn()

    def power_cut(self, who: str = "case") -> None:
        """Pull the plug; when this returns no qemu is left."""
        with self.wires.changed:
            if self.power == "off":
                return
            self._cut_by = who
            self.timeline(who, "power cut")
            self._process.kill()
            self._process.wait()
            self._ended()
            self.wires.changed.notify_all()

    def pause(self) -> None:
        """Stop the virtual processors and the clock."""
        self.timeline("case", "pause")
        self.qmp("stop")

    def resume(self) -> None:
        """Let them go on."""
        self.timeline("case", "resume")
        self.qmp("cont")

    def freeze(self) -> None:
        """Stop all of qemu: to the guest, time jumps at the thaw."""
        self.timeline("case", "freeze (SIGSTOP)")
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.timeline("case", "thaw (SIGCONT)")
        self._process.send_signal(signal.SIGCONT)

    def reset(self, wait: bool = True) -> None:
        """The reset button."""
        self.timeline("case", "reset button")
        self._button("system_reset", wait)

    def power_button(self, wait: bool = True) -> None:
        """The ACPI power button."""
        self.timeline("case", "power button")
        self._button("system_powerdown", wait)

    def qmp(self, command: str, /, **arguments):
        """A QMP command."""
        if not self._qmp:
            raise CaseFailed(f"{self.name} is off: no QMP {command}")
        return self._qmp.command(command, **arguments)

    def hang(self, slot: int = 0) -> None:
        """A disk that takes what it is given and does not answer."""
        self.timeline("case", f"disk {slot} hangs")
        self._throttle(slot, 1)

    def unhang(self, slot: int = 0) -> None:
        """It answers again."""
        self.timeline("case", f"disk {slot} answers again")
        self._throttle(slot, 0)

    def _throttle(self, slot: int, bps: int) -> None:
        # At a byte a second the next request is done in an hour.
        self.qmp("block_set_io_throttle", device=f"disk{slot}", bps=bps, bps_rd=0, bps_wr=0,
                 iops=0, iops_rd=0, iops_wr=0)

    def forwarded(self, port: int) -> int:
        """The port of 127.0.0.1 on the host at which a TCP port of the guest is reached."""
        table = self.qmp("human-monitor-command", **{"command-line": "info usernet"})
        for line in table.splitlines():
            words = line.split()  # TCP[HOST_FORWARD] fd address port address port ...
            if words[:1] == ["TCP[HOST_FORWARD]"] and words[5] == str(port):
                return int(words[3])
        raise CaseFailed(f"{self.name}: port {port} is not forwarded; it wants forwards=[{port}]")

    def check_downs(self) -> None:
        """At the end of a case: no Down is left that was not asked for."""
        self._fail_if_down()

    def close(self) -> None:
        """The case is over: what happens now is no event of it."""
        with self.wires.changed:
            if self._pidfd >= 0:
                self._shut_down = True
                self._ended(quiet=True)

    def timeline(self, who: str, text: str, stamp: float | None = None) -> None:
        """A line in the timeline about this guest."""
        self.lab.timeline.add(self.name, text if who in ("case", "kill") else f"{text} ({who})",
                              stamp)

    # ---- inside ----------------------------------------------------------------------------------

    def _said(self, text: str) -> None:
        self._log_commands(now(), text)
        text = " ".join(text.split())
        self.timeline("case", text if len(text) <= 100 else text[:97] + "...")

    def _run(self, command: str, within: float = 30, check: bool = True) -> Result:
        job = self.channel.start(command, "command", self._log_commands)
        status = job.wait(within)
        if status == "lost":
            self._fail_if_down()
        result = Result(status, [line.text for line in job.lines], job.ended - job.started)
        self._log_commands(now(), f"= {status}")
        if check and status != 0:
            raise CaseFailed(f"{self.name}: {command}\nended with {status}:\n{result.out}")
        return result

    def _fail_if_down(self) -> None:
        if len(self.downs) > self._expected_downs:
            down = self.downs[self._expected_downs]
            seconds = down.time - self.lab.timeline.start
            raise CaseFailed(f"{self.name} went {down}, {seconds:.3f} s after the start; nobody "
                             "expected it")

    def _wait_line(self, lines: list[Line], what: str, pattern: str, within: float,
                   after: float) -> Line:
        line = self.wires.wait(lambda: find_line(lines, pattern, after), within)
        if not line:
            raise CaseFailed(f"{self.name}: no /{pattern}/ on its {what} within {within:g} s")
        return line

    def _button(self, command: str, wait: bool) -> None:
        if wait:
            self.qmp(command)
        elif self._qmp:
            self._qmp.wire.send(f'{{"execute": "{command}"}}')

    def _make_image(self) -> pathlib.Path:
        """The common image with what this guest has of its own."""
        hardware = self.hardware
        modules = ["virtio_pci", "rtc-cmos"]
        if hardware.disks:
            modules += ["virtio_scsi", "virtio_blk", "sd_mod", "sg"]
        if hardware.networks or hardware.host_network:
            modules += ["virtio_net", "af_packet", "ipv6"]
        if hardware.ipmi:
            modules += ["ipmi_si", "ipmi_devintf"]
        if hardware.pvpanic:
            modules += ["pvpanic-mmio"]
        settings = [f"host {self.name}"] + [f"module {name}" for name in modules + hardware.modules]
        addresses = [*hardware.networks.values(), *["10.0.2.15/24"] * hardware.host_network]
        settings += [f"address eth{i} {address}" for i, address in enumerate(addresses)]

        path = self.lab.folder / f"{self.name}.cpio"
        with open(self.lab.image, "rb") as base, open(path, "wb") as whole:
            whole.write(base.read())
            whole.write(guest_part(settings, hardware.files, hardware.programs,
                                   self.lab.programs))
        return path

    def _arguments(self, wires: dict[str, socket.socket], cables: dict[Network, socket.socket]):
        """qemu's command line; sockets are handed over as descriptors."""
        hardware = self.hardware
        line = ["qemu-system-x86_64", "-name", self.name, "-accel", "tcg", "-m",
                str(hardware.memory_mib), "-smp", str(hardware.cpus), "-nodefaults",
                "-no-user-config", "-display", "none", "-rtc", "base=utc,clock=host",
                # SeaBIOS would reset once more after each reset.
                "-bios", "qboot.rom",
                "-kernel", str(self.lab.vmlinux), "-initrd", str(self._image),
                "-append", f"{COMMAND_LINE} {hardware.kernel_args}".strip(),
                "-action", f"panic=none,watchdog=reset,reboot={self._reboot_action()}"]
        for name, sock in wires.items():
            line += ["-chardev", f"socket,id={name},fd={sock.fileno()}"]
        line += ["-mon", "chardev=qmp,mode=control"]
        # An interrupt for each: on a real ISA bus the third would share that of the first.
        for index, (name, irq) in enumerate((("console", 4), ("control", 3), ("mark", 10))):
            line += ["-device", f"isa-serial,chardev={name},index={index},irq={irq}"]
        for name in hardware.watchdogs:
            line += ["-device", name]
        if hardware.ipmi:
            line += ["-device", "ipmi-bmc-sim,id=bmc", "-device", "isa-ipmi-kcs,bmc=bmc"]
        if hardware.pvpanic:
            line += ["-device", "pvpanic"]
        if hardware.disks:
            line += ["-device", "virtio-scsi-pci,id=scsi"]
        for slot, disk in enumerate(hardware.disks):
            line += disk_arguments(disk, slot, self.name)
        for network, sock in cables.items():
            name = f"nic{network.number}"
            line += ["-netdev", f"dgram,id={name},local.type=fd,local.str={sock.fileno()}",
                     "-device", f"virtio-net-pci,netdev={name},mac={network.mac(self)},romfile="]
        if hardware.host_network:
            forwards = [f",hostfwd=tcp:127.0.0.1:0-:{port}" for port in hardware.forwards]
            line += ["-netdev", "user,id=host" + "".join(forwards), "-device",
                     f"virtio-net-pci,netdev=host,mac=52:54:00:00:ff:{self.number:02x},romfile="]
        return line + hardware.devices

    def _reboot_action(self) -> str:
        return {"reboot": "reset", "stay-down": "shutdown"}[self.hardware.on_reset]

    def _spawn(self) -> None:
        pairs = {name: socket.socketpair() for name in ("console", "control", "mark", "qmp")}
        cables = {network: network.plug_in(self) for network in self.hardware.networks}
        theirs = {name: pair[1] for name, pair in pairs.items()}
        handed = [*theirs.values(), *cables.values()]
        self._process = self.lab.spawn(f"{self.name}.qemu", self._arguments(theirs, cables),
                                       pass_fds=[sock.fileno() for sock in handed])
        for sock in handed:
            sock.close()
        ours = {name: pair[0] for name, pair in pairs.items()}
        self._qmp = Qmp(self.wires, ours["qmp"], self._on_event, self._log_qmp)
        self.channel = Channel(self, self.wires, ours["control"], self._on_hello)
        self._lines = [LineWire(self.wires, ours["console"], self._on_console),
                       LineWire(self.wires, ours["mark"], self._on_mark), self.channel.wire]
        self._pidfd = os.pidfd_open(self._process.pid)
        self.wires.watch(self._pidfd, self._on_exit)

    def _on_console(self, stamp: float, text: str) -> None:
        # SeaBIOS clears the screen; colours and the like are of no use in a log.
        text = re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|c)", "", text)
        self.console.append(Line(stamp, text))
        self._log_console(stamp, text)
        if self._up and self._highlights.search(text):
            self.timeline("console", text, stamp)

    def _on_mark(self, stamp: float, text: str) -> None:
        self.marks.append(Line(stamp, text))
        self.timeline("mark", text, stamp)

    def _on_hello(self, stamp: float, trouble: str) -> None:
        self.boots += 1
        self._up = True
        self.timeline("case", f"up, boot {self.boots}", stamp)
        if trouble:
            self.timeline("case", f"modules that did not load: {trouble}", stamp)

    def _on_event(self, event: Event) -> None:
        # What the guest said before it went down was written before, so it is there to be read.
        for wire in self._lines:
            wire.drain()
        self.events.append(event)
        detail = " ".join(str(value) for key, value in event.data.items() if key != "guest")
        if event.name not in DULL_EVENTS:
            self.timeline("QMP", f"{event.name} {detail}".strip(), event.time)
        if event.name == "WATCHDOG" and event.data.get("action") != "none":
            self._hardware_fired = str(event.data.get("action"))
        elif event.name in ("RESET", "SHUTDOWN"):
            self._shut_down = event.name == "SHUTDOWN"
            self._went_down(event)

    def _went_down(self, event: Event) -> None:
        reason = event.data.get("reason", "")
        if reason.startswith("host-signal") or reason == "host-qmp-quit":
            return
        if not event.data.get("guest"):
            by, detail = "qmp", reason
        elif self._hardware_fired:
            by, detail = "hardware", f"watchdog device, action {self._hardware_fired}"
        else:
            by, detail = own_way([line.text for line in self.console[self._boot_console:]])
            if reason == "guest-shutdown" and by == "guest":
                by, detail = "poweroff", reason
        self._down(event.time, by, detail)

    def _down(self, stamp: float, by: str, detail: str) -> None:
        for wire in self._lines:
            wire.flush()
        if self.channel:
            self.channel.lose()
        self.downs.append(Down(stamp, by, detail, self.boots))
        self.timeline("case", str(self.downs[-1]), stamp)
        self._up = False
        self._hardware_fired = None
        self._boot_console = len(self.console)

    def _on_exit(self) -> None:
        self._process.wait()
        self._ended()

    def _ended(self, quiet: bool = False) -> None:
        """The qemu is gone: take what it left. Called once or more for each, lock held."""
        if self._pidfd < 0:
            return
        stamp = now()
        self.wires.forget(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        self._qmp.wire.drain()
        for wire in self._lines:
            wire.drain()
        if not self._shut_down:
            if self._cut_by:
                self._down(stamp, "power-cut", f"by {self._cut_by}")
            else:
                self._down(stamp, "qemu-died", f"exit status {self._process.returncode}; see "
                                               f"{self.name}.qemu.log")
        self._qmp.wire.close()
        self._qmp = None
        for wire in self._lines:
            wire.close()
        for network in self.hardware.networks:
            network.unplug(self)
        if not quiet:
            self.timeline("case", "no qemu any more", stamp)
