# SPDX-License-Identifier: GPL-2.0-or-later
"""The runner itself: what it must call passed and failed, and that it leaves nothing behind.

Each case runs the runner on a file of its own; the guest is that of the inner run.
"""

import pathlib
import re
import signal

from lab import case

RUN = pathlib.Path(__file__).parent.parent / "run"
MANUAL = RUN.parent.parent.parent / "docs" / "lab.md"


def run_cases(lab, name, text, within=100):
    """What the runner makes of a file of cases."""
    file = lab.folder / f"{name}.py"
    file.write_text(text)
    return lab.host([str(RUN), str(file)], within=within, note=f"tests/lab/run {name}.py")


@case("the example of the manual runs as written", bound=120)
def manual(lab):
    example = re.search(r"```python\n(.*?)```", MANUAL.read_text(), re.DOTALL)[1]
    result = run_cases(lab, "manual_example", example)
    lab.check(result.status == 0 and result.lines[-1] == "1 passed, 0 failed", "it passes")


@case("a guest that goes down unexpectedly fails its case", bound=120)
def unexpected_reset(lab):
    result = run_cases(lab, "inner_reset", """
from lab import case
@case("nobody expects a reset", bound=60)
def inner(lab):
    a = lab.guest("a", modules=["softdog soft_margin=1"])
    a.start("exec 3>/dev/watchdog0; exec sleep 99")
    a.stays_up(30)
""")
    lab.check(result.status == 1 and result.lines[-1] == "0 passed, 1 failed", "it fails")
    lab.check("down by softdog" in result.out, "it says what happened")
    logs = lab.logs.parent / "inner_reset.inner"
    lab.check("softdog: Initiating" in (logs / "a.console").read_text(), "the console is kept")


@case("another way to go down than expected fails the case", bound=120)
def wrong_way(lab):
    result = run_cases(lab, "inner_way", """
from lab import case
@case("a reboot is no hardware reset", bound=60)
def inner(lab):
    a = lab.guest("a", watchdogs=["i6300esb"], modules=["i6300esb"])
    a.start("reboot -f")
    a.wait_down(by="hardware", within=30)
""")
    lab.check(result.lines[-1] == "0 passed, 1 failed", "it fails")
    lab.check("down by reboot" in result.out and "expected by hardware" in result.out,
              "it says which way it was")


@case("an unpetted watchdog that is petted after all fails its case", bound=120)
def petted_after_all(lab):
    result = run_cases(lab, "inner_petted", """
from lab import case
@case("somebody pets", bound=60)
def inner(lab):
    a = lab.guest("a", watchdogs=["i6300esb"], modules=["i6300esb heartbeat=4"])
    a.start("exec 3>/dev/watchdog0; while :; do echo . >&3; sleep 1; done")
    a.wait_down(by="hardware", within=12)
""")
    lab.check(result.lines[-1] == "0 passed, 1 failed", "it fails")
    lab.check("did not go down within 12 s" in result.out, "it says so")


@case("a case beyond its bound is ended and fails", bound=120)
def out_of_time(lab):
    result = run_cases(lab, "inner_bound", """
from lab import case
@case("endless", bound=5)
def inner(lab):
    lab.guest("a").run("sleep 1000", within=1000)
""")
    lab.check(result.lines[-1] == "0 passed, 1 failed", "it fails")
    lab.check("bound of the case" in result.out, "it says why")


@case("an interrupted run leaves no process and no file", bound=120)
def interrupted(lab):
    file = lab.folder / "inner_interrupt.py"
    file.write_text("""
from lab import case
@case("endless", bound=100)
def inner(lab):
    a = lab.guest("interrupted", disks=[lab.lun()])
    lab.bmc(a)
    lab.note(f"folder {lab.folder}")
    a.run("sleep 1000", within=1000)
""")
    log = lab.logs / "inner.log"
    inner = lab.spawn("inner", [str(RUN), str(file)])
    lab.until(lambda: "sleep 1000" in log.read_text(), 60, "the inner case runs")
    folder = pathlib.Path(re.search(r"folder (\S+)", log.read_text())[1])
    lab.check(processes_of(folder), "qemu, tgtd and ipmi_sim of the inner case run")
    inner.send_signal(signal.SIGTERM)
    inner.wait(30)
    lab.check(not processes_of(folder), "no process of it is left")
    lab.check(not folder.exists(), "its folder is gone")


def processes_of(folder):
    """Command lines, environments and working folders that name a folder."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            named = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            if str(folder).encode() in named or str(folder) in str((process / "cwd").readlink()):
                found.append(process.name)
        except OSError:
            continue
    return found
