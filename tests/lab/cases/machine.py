# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab itself: guests boot, run commands, go down, and stand still as they are told."""

from lab import CaseFailed, case


@case("a guest boots, runs commands, and powers off", bound=90)
def smoke(lab):
    a = lab.guest("a", files={"/etc/motd": "welcome\n", "/bin/hi": "#!/bin/sh\necho hi $1\n"})
    lab.check(a.run("uname -r").out == lab.kernel.release, "it runs the kernel we gave it")
    lab.check(a.run("cat /etc/motd; hi you").lines == ["welcome", "hi you"],
              "files of the case are in it")
    lab.check(a.run("echo one; echo two >&2; exit 3", check=False).status == 3,
              "an exit status arrives")
    lab.check("holdfast" in a.run("holdfast --version").out, "our programs run in it")
    a.put("/tmp/x", b"\0\xffbytes" * 700)
    lab.check(a.fetch("/tmp/x") == b"\0\xffbytes" * 700, "files travel both ways unchanged")
    job = a.start("echo started; sleep 1000", name="sleeper")
    job.wait_line("started")
    a.run("echo I was here >/dev/mark")
    a.wait_mark("I was here")
    lab.check(job.status is None, "a job runs on beside other commands")
    job.kill("KILL")
    lab.check(job.wait() == 137, "a job ends by the signal that it is sent")
    a.start("poweroff -f", name="poweroff")
    a.wait_down(by="poweroff", within=30)
    lab.until(lambda: a.power == "off", 10, "qemu ends with its guest")
    a.power_on()
    lab.check(a.run("hostname").out == "a", "it can be powered on again")


@case("commands at the same time neither mix nor get lost", bound=90)
def many_commands(lab):
    a = lab.guest("a")
    jobs = [a.start(f"for i in 1 2 3 4 5 6 7 8; do echo {n} $i; done; exit {n}", name=f"n{n}")
            for n in range(20)]
    for n, job in enumerate(jobs):
        status, said = job.wait(60), [line.text for line in job.lines]
        if status != n or said != [f"{n} {i}" for i in range(1, 9)]:
            raise CaseFailed(f"{job.name} ended with {status} and said {said}")
    lab.note("20 commands, 160 lines: all there, none mixed")


@case("the ways to go down are told apart", bound=240)
def ways_down(lab):
    a = lab.guest("a", modules=["softdog soft_margin=2"])
    for command, way in (
            ("reboot -f", "reboot"),
            ("echo b >/proc/sysrq-trigger", "sysrq"),
            ("echo c >/proc/sysrq-trigger", "panic"),
            ("echo >/dev/watchdog0; sleep 100", "softdog"),
    ):
        a.start(command, name=way)
        a.wait_down(by=way, within=30)
    a.wait_up()
    a.reset()
    a.wait_down(by="qmp", within=10)
    a.wait_up()
    a.power_cut()
    a.wait_down(by="power-cut", within=10)
    lab.check(a.power == "off", "no qemu is left of a guest whose power was cut")
    a.power_on()
    a.wait_up()
    lab.check(a.boots == 7, "it came up seven times")


@case("a guest told to stay down stays down", bound=90)
def stay_down(lab):
    a = lab.guest("a", on_reset="stay-down")
    a.start("reboot -f", name="reboot")
    a.wait_down(by="reboot", within=30)
    lab.until(lambda: a.power == "off", 10, "a reset ends its qemu")


@case("to a paused guest time stands still, to a frozen one it jumps", bound=120)
def pause_and_freeze(lab):
    a = lab.guest("a")
    uptime = "cut -d' ' -f1 /proc/uptime"

    def elapsed_while(stop, go):
        """Seconds of the guest's clock and of ours around two seconds of stand-still."""
        before, start = float(a.run(uptime).out), lab.now()
        stop()
        a.stays_up(2)
        go()
        return float(a.run(uptime).out) - before, lab.now() - start

    guest, host = elapsed_while(a.pause, a.resume)
    a.wait_event("STOP")
    a.wait_event("RESUME")
    lab.note(f"pause: {guest:.2f} s of the guest, {host:.2f} s of the host")
    lab.check(guest < host - 1.5, "CLOCK_BOOTTIME of a paused guest stands still")

    guest, host = elapsed_while(a.freeze, a.thaw)
    lab.note(f"freeze: {guest:.2f} s of the guest, {host:.2f} s of the host")
    lab.check(guest > 1.9, "CLOCK_BOOTTIME of a frozen guest goes on")
    offset, error = a.clock()
    lab.note(f"host clock - guest clock = {offset:.3f} s, at most {error:.3f} s off")


@case("a kernel panic is seen, by pvpanic too", bound=90)
def pvpanic(lab):
    a = lab.guest("a", pvpanic=True)
    a.start("echo c >/proc/sysrq-trigger", name="crash")
    a.wait_event("GUEST_PANICKED")
    a.wait_down(by="panic", within=30)
