#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
#
# peak_memory.py - run a command, print the peak resident memory of it alone in KiB
#
#	peak_memory.py COMMAND [ARGUMENT...]
#
# The command's own process, not its children: VmHWM only grows, so the last sample before the
# end is the peak up to one sampling interval. Output and exit status of the command are dropped.
import subprocess
import sys
import time


def high_water_kib(pid):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return 0


def main():
    with subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as child:
        peak = 0
        while child.poll() is None:
            peak = max(peak, high_water_kib(child.pid))
            time.sleep(0.001)
    print(peak)


main()
