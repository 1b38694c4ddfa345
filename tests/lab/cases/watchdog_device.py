# SPDX-License-Identifier: GPL-2.0-or-later
"""The hardware watchdog of the lab, without any of our programs: what watchdogd builds on."""

from lab import case

TIMEOUT = 4
# The i6300esb counts in two stages and its driver sets both to half of the timeout; a guest that is
# emulated on a busy machine sees its clock late.
SLACK = 3


@case("i6300esb: never petted, the hardware resets the guest", bound=120)
def unpetted(lab):
    a = lab.guest("a", watchdogs=["i6300esb"], modules=[f"i6300esb heartbeat={TIMEOUT}"])
    sysfs = "/sys/class/watchdog/watchdog0"
    lab.check(a.run(f"cat {sysfs}/identity").out == "i6300ESB timer", "the device is there")
    lab.check(a.run(f"cat {sysfs}/timeout").out == str(TIMEOUT), "it took the timeout")
    opened = a.start("exec 3>/dev/watchdog0; echo open; exec sleep 1000", name="opener")
    start = opened.wait_line("open").time
    down = a.wait_down(by="hardware", within=60)
    lab.measure("open to hardware reset", down.time - start, bound=TIMEOUT + SLACK)
    lab.check(opened.wait() == "lost", "what ran in it ended with it")
    a.wait_up()


@case("i6300esb: petted it lets live, and after the last pet it resets", bound=180)
def petted(lab):
    a = lab.guest("a", watchdogs=["i6300esb"], modules=[f"i6300esb heartbeat={TIMEOUT}"])
    petter = a.start("exec 3>/dev/watchdog0; while :; do echo . >&3; echo pet; sleep 1; done",
                     name="petter")
    petter.wait_line("pet")
    a.stays_up(3 * TIMEOUT)
    petter.kill("STOP")
    last = petter.lines[-1].time
    down = a.wait_down(by="hardware", within=60)
    lab.measure("last pet to hardware reset", down.time - last, bound=TIMEOUT + SLACK)


@case("i6300esb stands still with its guest: neither a pause nor a freeze makes it fire", bound=180)
def stand_still(lab):
    """The emulated device runs on the guest's clock, and after a freeze gives the guest the second
    of its two stages. So it is no backstop for a late wake-up here: watchdogd has to see that."""
    a = lab.guest("a", watchdogs=["i6300esb"], modules=[f"i6300esb heartbeat={TIMEOUT}"])
    petter = a.start("exec 3>/dev/watchdog0; while :; do echo . >&3; echo pet; sleep 1; done",
                     name="petter")
    petter.wait_line("pet")
    for stop, go in ((a.pause, a.resume), (a.freeze, a.thaw)):
        stop()
        a.stays_up(2 * TIMEOUT)
        go()
        petter.wait_line("pet", after=lab.now())
        a.stays_up(TIMEOUT)
    petter.kill("STOP")
    a.wait_down(by="hardware", within=60)


@case("i6300esb: a real-time process that starves who pets has the guest reset", bound=180)
def starved(lab):
    a = lab.guest("a", cpus=2, watchdogs=["i6300esb"], modules=[f"i6300esb heartbeat={TIMEOUT}"])
    # By default the kernel keeps a twentieth of each second for the others.
    a.run("echo -1 >/proc/sys/kernel/sched_rt_runtime_us")
    petter = a.start("exec 3>/dev/watchdog0; exec taskset 2 sh -c "
                     "'while :; do echo . >&3; echo pet; sleep 1; done'", name="petter")
    petter.wait_line("pet")
    a.stays_up(2 * TIMEOUT)
    a.start("exec taskset 2 chrt -f 99 sh -c 'while :; do :; done'", name="hog")
    lab.check(a.run("echo alive").out == "alive", "the other processor goes on")
    a.wait_down(by="hardware", within=30)
