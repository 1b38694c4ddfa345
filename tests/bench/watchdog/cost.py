# SPDX-License-Identifier: GPL-2.0-or-later
"""What watchdogd costs beside wdmd and sbd: each alone on the same softdog with the same timeout,
and with as much work as it takes to protect one program. The result is cost.json among the logs.

wdmd (package sanlock) and sbd are measured where they are installed. They are not in packages.txt:
where there is a systemd, installing sanlock starts a wdmd that takes the machine's own watchdog.

wdmd has no timeout of its own to give, it takes 60 s; sbd's is in its disk's header. All three get
SECONDS of peace to settle and are then counted for SECONDS.
"""

import json
import shutil

from lab import case
from watchdogd import Node

SECONDS = 30
TIMEOUT = 60
# For each process: name, pid, VmRSS, Pss, private memory, context switches. A thread of the kernel
# is called watchdogd as well; it has no command line.
LOOK = r"""for name in {names}; do
	for pid in $(pidof $name); do
		[ -n "$(cat /proc/$pid/cmdline)" ] || continue
		echo "$(cat /proc/$pid/comm) $pid" \
			$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' /proc/$pid/status) \
			$(awk '/^Pss:/ {{pss = $2}} /^Private/ {{own += $2}} END {{print pss, own}}' \
				/proc/$pid/smaps_rollup) \
			$(awk '/ctxt_switches/ {{sum += $2}} END {{print sum}}' /proc/$pid/task/*/status)
	done
done"""


def look(node, names):
    """{pid: (name, resident, proportional, private, switches)} of processes by their program."""
    found = {}
    for line in node.guest.run(LOOK.format(names=names)).lines:
        name, pid, *numbers = line.split()
        found[int(pid)] = (name, *(int(number) for number in numbers))
    return found


def count(lab, node, what, names):
    """One row: sums over the processes of a daemon."""
    before, start = look(node, names), lab.now()
    node.guest.stays_up(SECONDS)
    after, seconds = look(node, names), lab.now() - start
    lab.check(before and before.keys() == after.keys(), f"the processes of {what} are the same")
    row = {"what": what, "processes": len(after),
           "resident_kib": sum(one[1] for one in after.values()),
           "proportional_kib": sum(one[2] for one in after.values()),
           "private_kib": sum(one[3] for one in after.values()),
           "switches_per_s": sum(after[pid][4] - before[pid][4] for pid in after) / seconds,
           "each": list(after.values())}
    lab.note(json.dumps(row))
    return row


def installed(program):
    """Whether a program of the host can be put into a guest."""
    return shutil.which(program, path="/usr/sbin:/usr/bin")


@case("memory and wake-ups of watchdogd, wdmd and sbd", bound=600)
def cost(lab):
    disk = lab.disk()
    node = Node(lab, hardware=[], modules=[f"softdog soft_margin={TIMEOUT}"], disks=[disk],
                programs=[name for name in ("wdmd", "sbd") if installed(name)], memory_mib=384)
    rows = []

    node.start(f"--timeout {TIMEOUT}")
    node.guest.stays_up(SECONDS)
    rows.append(count(lab, node, "watchdogd, no client", "watchdogd"))
    db = node.client(deadline=5, every=1)
    node.guest.stays_up(5)
    rows.append(count(lab, node, "watchdogd, one client", "watchdogd"))
    db.leave()
    node.kill("TERM")
    node.daemon.wait()

    if installed("wdmd"):
        wdmd = node.guest.start("exec wdmd -D -H 1 -G root -w /dev/watchdog0", name="wdmd")
        node.guest.stays_up(SECONDS)
        rows.append(count(lab, node, "wdmd", "wdmd"))
        wdmd.kill("TERM")
        wdmd.wait()
    if installed("sbd"):
        node.guest.run(f"sbd -d /dev/vda -1 {TIMEOUT} -4 {2 * TIMEOUT} create")
        node.guest.start("exec sbd -d /dev/vda -n a -w /dev/watchdog0 watch", name="sbd")
        node.guest.stays_up(SECONDS)
        rows.append(count(lab, node, "sbd, one disk", "sbd"))
    (lab.logs / "cost.json").write_text(json.dumps(rows, indent=1))
