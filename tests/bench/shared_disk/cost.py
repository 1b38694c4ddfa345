# SPDX-License-Identifier: GPL-2.0-or-later
"""What a node costs its shared disk and itself: lockd, sbd and sanlock, one after the other in one
guest, each with a fresh disk of its own and with what resets the machine behind it.

The disk is counted where it is: by the statistics of the guest's block device. sbd and sanlock are
measured where they are installed; they are not in packages.txt. Each gets SETTLE to settle and is
then counted for SECONDS. The result is cost.json among the logs.
"""

import json
import shutil

from lab import case

SECONDS, SETTLE = 40, 15
TIMEOUT = 60  # of the watchdog; wdmd has no other
NODES = 16

# For each process: name, VmRSS, Pss, private memory, nanoseconds on a processor. A thread of the
# kernel is called watchdogd as well; it has no command line.
LOOK = r"""
for name in {names}; do
	for pid in $(pidof $name); do
		[ -n "$(cat /proc/$pid/cmdline)" ] || continue
		echo "process $name" \
			$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' /proc/$pid/status) \
			$(awk '/^Pss:/ {{pss = $2}} /^Private/ {{own += $2}} END {{print pss, own}}' \
				/proc/$pid/smaps_rollup) \
			$(cat /proc/$pid/task/*/schedstat | awk '{{sum += $1}} END {{printf "%.0f", sum}}')
	done
done
echo "disk $(cat /sys/block/{disk}/stat)"
"""
SECTOR_KIB = 0.5


def installed(program):
    """Whether a program of the host can be put into a guest."""
    return shutil.which(program, path="/usr/sbin:/usr/bin")


class Counting:
    """Rows of figures from one guest."""

    def __init__(self, lab, guest):
        self.lab, self.guest = lab, guest
        self.rows = []

    def look(self, names, disk):
        """(processes, statistics of the disk)"""
        lines = self.guest.run(LOOK.format(names=" ".join(names), disk=disk)).lines
        processes = [line.split()[1:] for line in lines if line.startswith("process ")]
        numbers = next(line for line in lines if line.startswith("disk ")).split()[1:]
        return ([(name, *(int(number) for number in rest)) for name, *rest in processes],
                [int(number) for number in numbers])

    def count(self, what, names, disk):
        """One row: sums over the processes, and the disk by the second."""
        self.guest.stays_up(SETTLE)
        (before, start), begin = self.look(names, disk), self.lab.now()
        self.guest.stays_up(SECONDS)
        (after, end), took = self.look(names, disk), self.lab.now() - begin
        found = {one[0] for one in after}
        self.lab.check(found == set(names) and len(before) == len(after), f"{what} runs")
        self.rows.append({
            "what": what, "processes": len(after),
            "reads_per_s": (end[0] - start[0]) / took, "writes_per_s": (end[4] - start[4]) / took,
            "read_kib_per_s": (end[2] - start[2]) * SECTOR_KIB / took,
            "written_kib_per_s": (end[6] - start[6]) * SECTOR_KIB / took,
            "flushes_per_s": (end[15] - start[15]) / took if len(end) > 15 else None,
            "resident_kib": sum(one[1] for one in after),
            "proportional_kib": sum(one[2] for one in after),
            "private_kib": sum(one[3] for one in after),
            "cpu": sum(one[4] for one in after) - sum(one[4] for one in before),
            "each": after})
        self.rows[-1]["cpu"] /= took * 1e9
        self.lab.note(json.dumps(self.rows[-1]))


def lockd(counting, interval_ms, io_timeout_ms):
    """lockd behind watchdogd, one disk."""
    guest = counting.guest
    watchdog = guest.start(f"exec watchdogd --timeout {TIMEOUT}", name="watchdogd")
    watchdog.wait_line("petting every")
    daemon = guest.start(f"mkdir -p /run/holdfast /var/lib/holdfast; exec lockd --disk /dev/vda "
                         f"--node 1 --interval {interval_ms} --io-timeout {io_timeout_ms}",
                         name="lockd")
    daemon.wait_line("active", within=60)
    counting.count(f"lockd and watchdogd, {interval_ms} ms", ("lockd", "watchdogd"), "vda")
    for job in (daemon, watchdog):
        job.kill("TERM")
        job.wait()


def sbd(counting):
    """sbd with one disk and its own watchdog, and without the processes that watch Pacemaker."""
    counting.guest.run(f"sbd -d /dev/vdb -1 {TIMEOUT} -4 {2 * TIMEOUT} create", within=120)
    job = counting.guest.start("SBD_PACEMAKER=no SBD_SYNC_RESOURCE_STARTUP=no "
                               "exec sbd -d /dev/vdb -n a -w /dev/watchdog0 watch", name="sbd")
    counting.count("sbd", ("sbd",), "vdb")
    counting.guest.run("sbd -d /dev/vdb message a exit; while pidof sbd; do sleep 0.2; done",
                       within=60)
    job.wait()


def sanlock(counting):
    """sanlock and its wdmd, one lockspace."""
    guest = counting.guest
    guest.start("exec wdmd -D -H 1 -G root -w /dev/watchdog0", name="wdmd")
    guest.run("mkdir -p /run/sanlock; sanlock direct init -s bench:0:/dev/vdc:0", within=60)
    guest.start("exec sanlock daemon -D -U root -G root -e a", name="sanlock")
    guest.run("until sanlock client status >/dev/null 2>&1; do sleep 0.2; done; "
              "sanlock client add_lockspace -s bench:1:/dev/vdc:0", within=120)
    counting.count("sanlock and wdmd", ("sanlock", "wdmd"), "vdc")


@case("what a node costs its disk: lockd, sbd, sanlock", bound=900)
def cost(lab):
    guest = lab.guest("a", modules=[f"softdog soft_margin={TIMEOUT}"],
                      disks=[lab.disk(), lab.disk(), lab.disk()], memory_mib=384,
                      programs=[name for name in ("sbd", "sanlock", "wdmd") if installed(name)])
    counting = Counting(lab, guest)
    guest.run(f"holdfast disk init --name bench --nodes {NODES} /dev/vda", within=60)
    # Its default, and as often as sbd looks, for which the other must be shorter.
    for interval_ms, io_timeout_ms in ((250, 2000), (1000, 1500)):
        lockd(counting, interval_ms, io_timeout_ms)
    if installed("sbd"):
        sbd(counting)
    # Last, because it is slow to give the watchdog back.
    if installed("sanlock"):
        sanlock(counting)
    (lab.logs / "cost.json").write_text(json.dumps(counting.rows, indent=1))
