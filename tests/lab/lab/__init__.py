# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: real Debian kernels in qemu, for what a test on the host cannot show.

This text is the whole interface that a case sees; docs/lab.md has the picture and the limits.

A case
    from lab import case

    @case("an unpetted i6300esb resets its guest", bound=120)
    def unpetted(lab):
        a = lab.guest("a", watchdogs=["i6300esb"], modules=["i6300esb heartbeat=4"])
        a.start("exec 3>/dev/watchdog0; exec sleep 1000", name="opener")
        a.wait_down(by="hardware", within=30)
        a.wait_up()

    @case(title, bound=SECONDS, guests=N)   bound: of the whole case, which is killed at its end;
    guests (1): how many guests run at once; the runner lets at most LAB_JOBS (2) run in all.
    A case is cases/FILE.py's function NAME, run as FILE.NAME; LAB and the runner's arguments are
    patterns of that name. It fails by any exception; CaseFailed (from check, until, wait_*) says
    only what did not hold. It fails too when a guest went down and no wait_down asked for it.

All times are seconds of the host's CLOCK_MONOTONIC, as floats. `within` bounds a wait; a wait ends
as soon as its condition holds.

Lab (the argument of a case)
    lab.guest(name, ...)            a Guest, powered on; see there
    lab.network(name)               a Network (switch with cables that can be cut)
    lab.lun(size_mib=16)            a Lun of a tgtd of our own; guests that get it see /dev/sdX with
                                    reservations; needs root (or user namespaces)
    with lab.target_stopped():      our tgtd stands still and answers nothing
    lab.lun_of(guest, iqn, number=0, port=3260, initiator=None)  a Lun that a guest offers by iSCSI
                                    (LIO: iscsi_target_mod); it needs forwards=[port]. Another
                                    initiator is another I_T nexus, also in one and the same guest
    lab.disk(size_mib=16, sector_bytes=512)  a plain shared Disk, a file on the host; guests see
                                    /dev/vdX
    lab.bmc(guest)                  a Bmc: ipmi_sim whose chassis control starts and kills guest
    lab.note(text)                  a line in the timeline
    lab.check(truth, claim)         the claim in the timeline, or CaseFailed
    lab.until(f, within, what)      the first true value of f(), asked again whenever something
                                    happens and 20 times a second; else CaseFailed(what)
    lab.host(argv, stdin="", within=60)  run a program of the host (our own by name): Result
    lab.measure(name, seconds, bound=None)  one sample; its name, count, minimum, median, maximum
                                    and bound are printed at the end; above the bound fails at once
    lab.now()                       the clock

Guest
    lab.guest(name, watchdogs=[], modules=[], memory_mib=192, cpus=1, files={}, programs=[],
              kernel_args="", disks=[], networks={}, host_network=False, forwards=[], ipmi=False,
              pvpanic=False, on_reset="reboot", devices=[], power="on")
        watchdogs    qemu devices: "i6300esb", "ib700"
        modules      loaded at boot, each with its parameters: "softdog soft_margin=5"; what can be
                     loaded is MODULES of image.py, at any time also by a.run("module softdog")
        files        {path in the guest: text or bytes}; executable where they begin with "#!"
        programs     besides busybox, sg_persist and the like (TOOLS of image.py) and build/bin
                     but the fence agents: further ones of ours, of build/tests or of the
                     host, with their libraries: "fence_ipmi", "ipmitool", "strace", "sbd"
        kernel_args  added to the command line; the last panic= wins (default -1: reboot at once)
        disks        Luns and Disks. Disks become vda, vdb ... and Luns sg0, sg1 ... in this order;
                     which sdX a Lun becomes says /sys/class/scsi_generic/sgN/device/block
        networks     {network: "10.0.0.1/24"}: eth0, eth1 ... in this order
        host_network a further interface on which 10.0.2.2 is the host's 127.0.0.1 (for BMCs)
        forwards     TCP ports of the guest that the host reaches at a.forwarded(port) of 127.0.0.1;
                     for guests with host_network
        ipmi         a BMC inside the guest (ipmi-bmc-sim at the KCS port), for ipmi_si
        on_reset     "reboot", or "stay-down": a reset ends qemu, and power_on() starts it again
        devices      further arguments for qemu
        power        "off" leaves it off until power_on()
    Everything below that talks to the guest waits for it to be up, and fails at once when it went
    down and wait_down was not called.

    a.run(command, within=30, check=True)  a shell command: Result(status, out, lines, seconds).
                                    check: status 0, or CaseFailed. stdout and stderr are one.
    a.run_quietly(command, within=30)  the same for questions asked again and again: not in the
                                    timeline, and any status is fine
    a.start(command, name=None)     a Job in the background, its lines stamped when they arrive and
                                    kept in NAME.log as they come, so that they survive a reset.
                                    With "exec prog" job.pid is prog's own.
    a.fetch(path) -> bytes          a file of the guest
    a.put(path, data)               the other way
    a.clock() -> (offset, error)    host CLOCK_MONOTONIC minus guest CLOCK_BOOTTIME, seconds, and
                                    the bound of its error (half a round trip and 10 ms)
    a.marks                         lines that programs of the guest wrote to /dev/mark: a list of
                                    Line(time, text), stamped on arrival, without a shell between.
                                    Write one line with one write(2).
    a.wait_mark(regex, within=30, after=0)  the Line
    a.console                       the console so far, a list of Line
    a.wait_console(regex, within=30, after=0)  the Line
    a.highlight(regex)              console lines that go into the timeline (beside the usual)

    a.power                         "on" or "off": whether there is a qemu process
    a.boots                         how often it came up
    a.wait_up(within=60)            until our server in it answers
    a.wait_down(by=None, within=60) the next Down that was not asked for yet; CaseFailed when it
                                    went down another way. by:
                                      "hardware"   a watchdog device of qemu fired
                                      "softdog"    the softdog module's timer did
                                      "panic"      the kernel panicked and rebooted
                                      "sysrq"      somebody wrote b to /proc/sysrq-trigger
                                      "reboot"     reboot(2), "poweroff" and "halt" likewise
                                      "guest"      reset by itself, and the console does not say why
                                      "qmp"        a.reset()
                                      "power-cut"  a.power_cut(), or its BMC
                                    a tuple of these is one of them
    a.stays_up(seconds)             CaseFailed when it goes down before that
    a.downs                         all Downs: Down(time, by, detail, boot)

    a.pause() / a.resume()          QMP stop and cont: the guest's clock stands still meanwhile
    a.freeze() / a.thaw()           SIGSTOP and SIGCONT to qemu: the guest's clock jumps
    a.reset()                       the reset button
    a.power_button()                ACPI power button
    a.power_cut() / a.power_on()    pull the plug (SIGKILL to qemu) and put it back
    a.qmp(command, **arguments)     any QMP command, its return value
    a.hang(slot=0) / a.unhang(slot=0)  the disk of that place in `disks` (no Lun) answers nothing
                                    any more, until it does again; other guests' paths to it do
    a.events                        all QMP events: Event(time, name, data)
    a.wait_event(name, within=30, after=0)  the Event

Job
    job.pid, job.status (None while it runs, "lost" when the guest went down under it)
    job.lines                       list of Line(time, text)
    job.wait_line(regex, within=30, after=0) -> Line;  job.wait(within=30) -> status
    job.kill("STOP")                signal to its process group

Network
    net.cut(a) / net.heal(a)        the cable of a: link down, as the guest sees too
    net.drop(a, b) / net.pass_(a, b)  the switch loses what a sends to b, silently; one way
Bmc
    bmc.port, bmc.user, bmc.password, bmc.log (what it was told to set)
    bmc.fence(action, password=None, **options)  fence_ipmi on the host: Result
    In a guest with host_network the BMC is at 10.0.2.2, the same port.
Lun
    lun.path is the image on the host; lun.iqn, lun.portal.
Disk
    disk.path is the image on the host.
"""

from .case import Case, CaseFailed, case, load_cases
from .lab import Lab

__all__ = ["Case", "CaseFailed", "Lab", "case", "load_cases"]
