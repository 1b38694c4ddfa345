# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands in a guest, over its second serial port; the other end and the protocol: guest/init."""

import base64
import itertools
import re
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Callable

from .case import CaseFailed
from .wires import LineWire, Wires, now

if TYPE_CHECKING:
    from .guest import Guest


@dataclass
class Line:
    """A line of something, and when it arrived."""
    time: float
    text: str


def find_line(lines: list[Line], pattern: str, after: float) -> Line | None:
    """The first line later than `after` in which pattern is found."""
    return next((line for line in lines if line.time > after and re.search(pattern, line.text)),
                None)


@dataclass
class Result:
    """A command that ended."""
    status: int | str
    lines: list[str]
    seconds: float

    @property
    def out(self) -> str:
        """All that it said."""
        return "\n".join(self.lines)


@dataclass
class Job:
    """A command that runs, or ran, in a guest."""
    guest: "Guest"
    number: int
    name: str
    started: float
    log: Callable[[float, str], None]
    pid: int | None = None
    status: int | str | None = None
    ended: float | None = None
    lines: list[Line] = field(default_factory=list)

    def wait(self, within: float = 30) -> int | str:
        """Its exit status; "lost" when the guest went down under it."""
        if self.guest.wires.wait(lambda: self.status is not None, within):
            return self.status
        raise self._failure(f"did not end within {within:g} s")

    def wait_line(self, pattern: str, within: float = 30, after: float = 0) -> Line:
        """The first line with pattern; it fails at once when the job ended without."""
        def answer():
            line = find_line(self.lines, pattern, after)
            return line or self.status is not None
        found = self.guest.wires.wait(answer, within)
        if isinstance(found, Line):
            return found
        why = f"within {within:g} s" if self.status is None else f"and ended ({self.status})"
        raise self._failure(f"did not say /{pattern}/ {why}")

    def kill(self, signal: str = "TERM") -> None:
        """Send a signal to its process group."""
        self.guest.timeline("kill", f"kill -{signal} {self.name}")
        if not self.guest.wires.wait(lambda: self.pid or self.status is not None, 30):
            raise self._failure("did not start within 30 s")
        self.guest.channel.send(f"kill {signal} {self.pid}")

    def _failure(self, why: str) -> CaseFailed:
        last = [line.text for line in self.lines[-8:]]
        said = "; it said:\n" + "\n".join(last) if last else "; it said nothing"
        return CaseFailed(f"{self.guest.name}: {self.name} {why}{said}")


class Channel:
    """One connection to a guest's command server, from power on to power off."""

    def __init__(self, guest: "Guest", wires: Wires, sock: socket.socket,
                 on_hello: Callable[[float, str], None]) -> None:
        self._guest = guest
        self._wires = wires
        self._on_hello = on_hello
        self._numbers = itertools.count(1)
        self._jobs: dict[int, Job] = {}
        self._times: dict[str, tuple[float, float]] = {}
        self.wire = LineWire(wires, sock, self.line)

    def send(self, text: str) -> None:
        """Send one line."""
        if not self.wire.send(text):
            raise CaseFailed(f"{self._guest.name}: there is no guest to talk to")

    def start(self, command: str, name: str, log: Callable[[float, str], None]) -> Job:
        """Run a command."""
        encoded = base64.b64encode(command.encode()).decode()
        with self._wires.changed:
            job = Job(self._guest, next(self._numbers), name, now(), log)
            self._jobs[job.number] = job
        self.send(f"run {job.number} {encoded}")
        return job

    def clock(self) -> tuple[float, float]:
        """Host clock minus guest CLOCK_BOOTTIME, bound of the error: the quickest of 5 answers."""
        best: tuple[float, float] | None = None
        for _ in range(5):
            nonce, sent = str(next(self._numbers)), now()
            self.send(f"time {nonce}")
            answer = self._wires.wait(lambda: self._times.pop(nonce, None), 20)
            if not answer:
                raise CaseFailed(f"{self._guest.name}: no answer to a question for its clock")
            received, uptime = answer
            # /proc/uptime is cut off after hundredths of a second.
            error = (received - sent) / 2 + 0.01
            if not best or error < best[1]:
                best = ((sent + received) / 2 - uptime, error)
        return best

    def lose(self) -> None:
        """The guest went down: so did all that ran in it."""
        self.wire.flush()
        for job in self._jobs.values():
            job.status, job.ended = "lost", now()
        self._jobs.clear()

    def line(self, stamp: float, text: str) -> None:
        """One line from the guest; what is no line of the protocol (as when a reset cut it) is
        left out."""
        verb, _, rest = text.partition(" ")
        first, _, rest = rest.partition(" ")
        if verb == "hello":
            self._on_hello(stamp, f"{first} {rest}".strip())
        elif verb == "time":
            self._times[first] = (stamp, float(rest))
        elif first.isdigit() and (job := self._jobs.get(int(first))):
            if verb == "pid" and rest.isdigit():
                job.pid = int(rest)
            elif verb == "out":
                job.lines.append(Line(stamp, rest))
                job.log(stamp, rest)
            elif verb == "end":
                job.status, job.ended = int(rest) if rest.isdigit() else "lost", stamp
                del self._jobs[job.number]
