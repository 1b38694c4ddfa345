# SPDX-License-Identifier: GPL-2.0-or-later
"""BMCs: one inside a guest, seen by its kernel, and one beside it, whose power switch is real."""

from lab import case


@case("a kernel finds the BMC of its machine", bound=120)
def inside(lab):
    a = lab.guest("a", ipmi=True, programs=["ipmitool"])
    lab.until(lambda: a.run("ls /dev/ipmi0", check=False).status == 0, 20, "/dev/ipmi0 is there")
    lab.check("on" in a.run("ipmitool chassis power status", within=60).out.lower(),
              "ipmitool reads its power")


@case("fence_ipmi: off, on, reboot, status of a guest that really goes and comes", bound=240)
def fence(lab):
    a = lab.guest("a")
    bmc = lab.bmc(a)
    a.wait_up()
    lab.check(bmc.fence("status").status == 0, "status says on")

    lab.check(bmc.fence("off").status == 0, "off succeeds")
    # Asked at once, not waited for: when the agent says off, there is nothing left to wait for.
    lab.check(a.power == "off", "there is no qemu any more when the agent says so")
    a.wait_down(by="power-cut", within=1)
    lab.check(bmc.fence("status").status == 2, "status says off")

    lab.check(bmc.fence("on").status == 0, "on succeeds")
    lab.check(a.power == "on", "there is a qemu again")
    a.wait_up()
    lab.check(a.boots == 2, "and it boots")

    before = a.run("cat /proc/sys/kernel/random/boot_id").out
    lab.check(bmc.fence("reboot").status == 0, "reboot succeeds")
    a.wait_down(by="power-cut", within=1)
    lab.check(a.run("cat /proc/sys/kernel/random/boot_id").out != before, "it is another boot")


@case("fence_ipmi: a wrong password harms nobody", bound=120)
def wrong_password(lab):
    a = lab.guest("a")
    bmc = lab.bmc(a)
    a.wait_up()
    lab.check(bmc.fence("off", password="wrong").status == 1, "off fails")
    lab.check(a.run("echo alive").out == "alive", "the guest lives")
    lab.check(bmc.log == [], "the BMC was told nothing")


@case("fence_ipmi: a guest that is gone by itself reads off", bound=120)
def gone_by_itself(lab):
    a = lab.guest("a")
    bmc = lab.bmc(a)
    a.start("poweroff -f", name="poweroff")
    a.wait_down(by="poweroff", within=30)
    lab.until(lambda: a.power == "off", 10, "it is off")
    lab.check(bmc.fence("status").status == 2, "status says off")
    lab.check(bmc.fence("off").status == 0, "off succeeds, for it is so")


@case("a guest fences the other through its BMC", bound=180, guests=2)
def from_the_other_guest(lab):
    a = lab.guest("a", host_network=True, programs=["fence_ipmi"])
    b = lab.guest("b")
    bmc = lab.bmc(b)
    b.wait_up()
    a.put("/tmp/options", f"action=off\nip=10.0.2.2\nipport={bmc.port}\nusername={bmc.user}\n"
                          f"password={bmc.password}\n")
    a.run("fence_ipmi </tmp/options", within=60)
    lab.check(b.power == "off", "b is gone when a's agent says so")
    b.wait_down(by="power-cut", within=1)
