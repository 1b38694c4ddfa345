# SPDX-License-Identifier: GPL-2.0-or-later
"""What a case works with; lab/__init__.py describes the interface."""

import contextlib
import pathlib
import shutil
import signal
import subprocess
import tempfile
from typing import Callable

from .bmc import Bmc
from .case import CaseFailed
from .channel import Result
from .guest import Guest, Hardware
from .kernel import Kernel
from .network import Network
from .storage import Disk, Lun, Tgtd, make_file
from .timeline import Timeline
from .wires import Wires, now


class Lab:
    """The lab of one case. Owns everything that the case asks for; close() ends it all."""

    def __init__(self, kernel: Kernel, vmlinux: pathlib.Path, image: pathlib.Path,
                 programs: pathlib.Path, logs: pathlib.Path) -> None:
        self.kernel = kernel
        self.vmlinux = vmlinux
        self.image = image
        self.programs = programs
        self.logs = logs
        self.timeline = Timeline()
        self.wires = Wires()
        # Short, because paths of sockets are: below TMPDIR and not in the build folder.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lab."))
        self.measured: dict[str, tuple[list[float], float | None]] = {}
        self._children: list[subprocess.Popen] = []
        self._files: list = []
        self._guests: list[Guest] = []
        self._networks: list[Network] = []
        self._bmcs: list[Bmc] = []
        self._disks = 0
        self._tgtd = Tgtd(self.folder, self.spawn)

    # ---- what a case asks for --------------------------------------------------------------------

    def guest(self, name: str, power: str = "on", **hardware) -> Guest:
        """A new guest."""
        guest = Guest(self, name, len(self._guests) + 1, Hardware(**hardware))
        self._guests.append(guest)
        if power == "on":
            guest.power_on()
        return guest

    def network(self, name: str = "net") -> Network:
        """A new network."""
        network = Network(self.wires, name, len(self._networks))
        network.timeline = self.timeline.add
        self._networks.append(network)
        return network

    def lun(self, size_mib: int = 16) -> Lun:
        """A new LUN."""
        return self._tgtd.add(size_mib)

    @contextlib.contextmanager
    def target_stopped(self):
        """tgtd stands still meanwhile, and answers nothing."""
        self.note("the target stops (SIGSTOP)")
        self._tgtd.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.note("the target goes on (SIGCONT)")
            self._tgtd.process.send_signal(signal.SIGCONT)

    def lun_of(self, guest: Guest, iqn: str, number: int = 0, port: int = 3260,
               initiator: str | None = None) -> Lun:
        """A LUN of a target that runs in a guest."""
        return Lun(None, iqn, f"127.0.0.1:{guest.forwarded(port)}", number, initiator)

    def disk(self, size_mib: int = 16, sector_bytes: int = 512) -> Disk:
        """A new plain disk."""
        self._disks += 1
        return Disk(make_file(self.folder / f"disk{self._disks}.img", size_mib), sector_bytes)

    def bmc(self, guest: Guest) -> Bmc:
        """A BMC for a guest."""
        bmc = Bmc(self, guest, self.folder / f"{guest.name}.bmc")
        self._bmcs.append(bmc)
        return bmc

    def now(self) -> float:
        """The clock of all stamps."""
        return now()

    def note(self, text: str) -> None:
        """A line in the timeline."""
        self.timeline.add("case", text)

    def check(self, truth, claim: str) -> None:
        """Fail unless truth."""
        if not truth:
            raise CaseFailed(f"does not hold: {claim}")
        self.note(f"holds: {claim}")

    def until(self, question: Callable, within: float, what: str):
        """The first true answer of question."""
        end = now() + within
        while not (value := question()):
            if now() >= end:
                raise CaseFailed(f"not within {within:g} s: {what}")
            with self.wires.changed:
                self.wires.changed.wait(0.05)
        return value

    def host(self, argv: list[str], stdin: str = "", within: float = 60,
             note: str | None = None) -> Result:
        """Run a program on the host to its end."""
        own = self.programs / argv[0]
        command = [str(own) if own.exists() else argv[0], *argv[1:]]
        self.timeline.add("host", f"$ {note or ' '.join(argv)}")
        start = now()
        process = self.spawn("host", command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True)
        try:
            out, _ = process.communicate(stdin, timeout=within)
        except subprocess.TimeoutExpired as late:
            process.kill()
            raise CaseFailed(f"{argv[0]} did not end within {within:g} s") from late
        result = Result(process.returncode, out.splitlines(), now() - start)
        self.timeline.add("host", "\n".join([f"= {result.status}", *result.lines]))
        return result

    def measure(self, name: str, seconds: float, bound: float | None = None) -> None:
        """One sample of something that is measured."""
        samples, _ = self.measured.setdefault(name, ([], bound))
        samples.append(seconds)
        limit = "" if bound is None else f", bound {bound:.3f} s"
        self.note(f"measured: {name}: {seconds:.3f} s{limit}")
        if bound is not None and seconds > bound:
            raise CaseFailed(f"{name}: {seconds:.3f} s is above the bound of {bound:.3f} s")

    # ---- for its parts ---------------------------------------------------------------------------

    def log(self, name: str) -> Callable[[float, str], None]:
        """A new log of the case: a function that writes (time, text) to it at once."""
        file = open(self.logs / name, "a", buffering=1)
        self._files.append(file)
        return lambda stamp, text: file.write(f"{stamp - self.timeline.start:9.3f}  {text}\n")

    def spawn(self, name: str, command: list[str], **options) -> subprocess.Popen:
        """Start a program that dies with us; what it says goes to NAME.log."""
        output = None
        if "stdout" not in options:
            output = open(self.logs / f"{name}.log", "a")
            options.update(stdout=output, stderr=subprocess.STDOUT)
        options.setdefault("stdin", subprocess.DEVNULL)
        try:
            process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], **options)
        finally:
            if output:
                output.close()
        self._children.append(process)
        return process

    def check_downs(self) -> None:
        """At the end of a case: see Guest.check_downs."""
        for guest in self._guests:
            guest.check_downs()

    def close(self) -> None:
        """End everything that is left, newest first."""
        for part in [*self._bmcs, *self._guests]:
            part.close()
        with self.wires.changed:
            for process in reversed(self._children):
                if process.poll() is None:
                    # SIGKILL also ends what is stopped; nothing here has anything to save.
                    process.send_signal(signal.SIGKILL)
            for process in self._children:
                process.wait()
        self.wires.close()
        for file in self._files:
            file.close()
        shutil.rmtree(self.folder, ignore_errors=True)
