# SPDX-License-Identifier: GPL-2.0-or-later
"""What the measurements of shared_disk.sh have in common: processes, waiting, /proc, tables.

Everything that is started dies with the one who started it, and is ended by end_all() by its id.
"""

import ctypes
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

BIN = pathlib.Path(os.environ["HOLDFAST_BIN"])
HELPERS = pathlib.Path(os.environ["HOLDFAST_BUILD"]) / "tests"
TARGET = "iqn.2026-11.test.holdfast:bench"
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)
_started: list[tuple[subprocess.Popen, pathlib.Path, bool]] = []


_folders: list[pathlib.Path] = []


class Failed(Exception):
    """Something did not come about; what is shown instead of a table."""


def now() -> float:
    """Seconds since boot."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def median(samples: list[float]) -> float:
    """Of at least one sample."""
    return statistics.median(samples)


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(argv: list, log: pathlib.Path, may_end: bool = False, stays: bool = False,
          **environment) -> subprocess.Popen:
    """A program in the background, all that it says in a file. One that ends by itself with an
    error is noticed by whoever waits for something, unless it may. stays: until its input ends."""
    with open(log, "ab") as out:
        child = subprocess.Popen([str(word) for word in argv],
                                 stdin=subprocess.PIPE if stays else subprocess.DEVNULL,
                                 stdout=out, stderr=out, preexec_fn=_die_with_parent,
                                 env={**os.environ, **environment})
    _started.append((child, log, may_end))
    return child


def run(argv: list, within: float = 60, check: bool = True, **environment) -> tuple[int, str]:
    """A program to its end: (exit status, what it said)."""
    done = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=within, check=False, preexec_fn=_die_with_parent,
                          env={**os.environ, **environment})
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(str(word) for word in argv)}: {done.stdout.strip()}")
    return done.returncode, done.stdout


def kill(child: subprocess.Popen) -> float:
    """Kill -9; the moment by which it was asked for."""
    moment = now()
    child.kill()
    child.wait()
    return moment


def stop(child: subprocess.Popen, within: float = 30) -> None:
    """An orderly end, or else the other."""
    child.terminate()
    try:
        child.wait(within)
    except subprocess.TimeoutExpired:
        kill(child)


def memory_folder() -> pathlib.Path:
    """A folder in memory that goes at the end."""
    _folders.append(pathlib.Path(tempfile.mkdtemp(prefix="holdfast-bench.", dir="/dev/shm")))
    return _folders[-1]


def end_all() -> None:
    """End whatever still runs, newest first, and remove what is in memory."""
    for child, *_ in reversed(_started):
        if child.poll() is None:
            kill(child)
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)


def until(question, within: float, what: str, every: float = 0.005):
    """The first true answer of question."""
    end = now() + within
    while not (answer := question()):
        for child, log, may_end in _started:
            if not may_end and child.poll() not in (None, 0, -signal.SIGKILL):
                tail = log.read_text(errors="replace").strip().splitlines()[-3:]
                raise Failed(f"{child.args[0]} ended: {' | '.join(tail)}")
        if now() > end:
            raise Failed(f"not within {within:g} s: {what}")
        time.sleep(every)
    return answer


def free_port() -> int:
    """A port of loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_file(path: pathlib.Path, mib: int) -> pathlib.Path:
    """A file of zeros that has its blocks, so that no measurement allocates them."""
    with open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, mib << 20)
        os.fsync(file.fileno())
    return path


class Target:
    """A tgtd of one's own on loopback, with one LUN for each file."""

    def __init__(self, folder: pathlib.Path, files: list[pathlib.Path]) -> None:
        self.port = free_port()
        self.control = str(1000 + os.getpid() % 30000)
        self.child = start(["tgtd", "-f", "-C", self.control, "--iscsi",
                            f"portal=127.0.0.1:{self.port}"], folder / "tgtd.log")
        until(lambda: self._admin("--op", "show", "--mode", "target", check=False)[0] == 0, 20,
              "tgtd answers")
        self._admin("--op", "new", "--mode", "target", "--tid", "1", "-T", TARGET)
        for number, file in enumerate(files, 1):
            self._admin("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", number,
                        "-b", file)
        self._admin("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL")

    def _admin(self, *words, check: bool = True) -> tuple[int, str]:
        return run(["tgtadm", "-C", self.control, "--lld", "iscsi", *words], check=check)

    def url(self, lun: int, port: int = 0) -> str:
        """Of a LUN; by another port, when something listens there in between."""
        return f"iscsi://127.0.0.1:{port or self.port}/{TARGET}/{lun}"

    def end(self) -> None:
        """Gone without a trace."""
        kill(self.child)
        for name in (f"socket.{self.control}", f"socket.{self.control}.lock"):
            pathlib.Path("/var/run/tgtd", name).unlink(missing_ok=True)


def resident_kib(pid: int) -> dict[str, int]:
    """Memory of a process by the kernel's words: VmRSS, RssAnon, RssFile, VmLck, Pss."""
    found = {}
    for name in ("status", "smaps_rollup"):
        for line in pathlib.Path(f"/proc/{pid}/{name}").read_text().splitlines():
            word, _, rest = line.partition(":")
            if word in ("VmRSS", "RssAnon", "RssFile", "VmLck", "Pss", "VmHWM"):
                found[word] = int(rest.split()[0])
    return found


def cpu_seconds(pid: int) -> float:
    """Time of all its threads on a processor. schedstat counts nanoseconds, stat only ticks of
    10 ms; threads that ended meanwhile are missing in the former, and are none in what is idle."""
    return sum(int(path.read_text().split()[0])
               for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def ticks_seconds(pid: int) -> float:
    """The same by /proc/PID/stat, in ticks."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def seconds(value: float | None) -> str:
    """A time for people."""
    if value is None:
        return "-"
    for unit, factor, digits in ((" s", 1, 2), (" ms", 1e3, 2), (" us", 1e6, 0)):
        if value * factor >= 1 or factor == 1e6:
            return f"{value * factor:.{digits}f}{unit}"
    return ""


def times(theirs: float | None, ours: float | None) -> str:
    """How many of ours fit into one of theirs."""
    if not theirs or not ours:
        return "-"
    ratio = theirs / ours
    return f"{ratio:.1f}x" if ratio < 100 else f"{ratio:.0f}x"


def table(head: list[str], rows: list[list], widths: list[int]) -> None:
    """Left the names, right the figures."""
    for row in (head, *rows):
        cells = [str(cell) for cell in row]
        line = cells[0].ljust(widths[0])
        line += "".join(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:]))
        print((line + ("   " + cells[len(widths)] if len(cells) > len(widths) else "")).rstrip())
    print()
    sys.stdout.flush()
