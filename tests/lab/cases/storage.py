# SPDX-License-Identifier: GPL-2.0-or-later
"""Shared disks: LUNs passed through with their reservations, of tgtd and of LIO; a plain disk."""

from lab import case

WRITE = "dd if=/dev/zero of=/dev/sda bs=4096 count=1 oflag=direct conv=fsync"


@case("a LUN keeps the reservations of two guests apart", bound=180, guests=2)
def reservations(lab):
    lun = lab.lun()
    a = lab.guest("a", disks=[lun])
    b = lab.guest("b", disks=[lun])
    device = a.run("ls /dev/sg*").out
    pr = f"sg_persist --no-inquiry {device}"
    a.run(f"{pr} --out --register --param-sark=0xa1")
    b.run(f"{pr} --out --register --param-sark=0xb1")
    for guest in (a, b):
        keys = guest.run(f"{pr} --in --read-keys").out
        lab.check("0xa1" in keys and "0xb1" in keys, f"{guest.name} reads both keys")

    # Type 5: write exclusive, registrants only.
    a.run(f"{pr} --out --reserve --param-rk=0xa1 --prout-type=5")
    held = b.run(f"{pr} --in --read-reservation").out
    lab.check("0xa1" in held and "registrants only" in held, "b reads that a holds the reservation")
    b.run(WRITE)
    lab.note("b is registered and writes")
    a.run(f"{pr} --out --preempt --param-rk=0xa1 --param-sark=0xb1 --prout-type=5")
    lab.check("0xb1" not in a.run(f"{pr} --in --read-keys").out, "a threw b's key out")
    lab.check(b.run(WRITE, check=False).status != 0, "b cannot write any more")
    lab.check("onflict" in "".join(line.text for line in b.console),
              "b's kernel names the reservation conflict")
    a.run(WRITE)

    a.reset()
    a.wait_down(by="qmp")
    lab.check("0xa1" in a.run(f"{pr} --in --read-keys").out, "a key outlives a reset of its guest")


@case("a plain disk is shared: one guest reads what the other wrote", bound=120, guests=2)
def plain_disk(lab):
    disk = lab.disk()
    a = lab.guest("a", disks=[disk])
    b = lab.guest("b", disks=[disk])
    a.run("echo from a >/tmp/x; dd if=/tmp/x of=/dev/vda bs=512 conv=sync,fsync")
    read = b.run("dd if=/dev/vda bs=512 count=1 iflag=direct 2>/dev/null | tr -d '\\0'").out
    lab.check(read == "from a", "b reads what a wrote")
    lab.check(disk.path.read_bytes().startswith(b"from a\n"), "and so does the host")


@case("LIO in a guest offers a LUN to two initiators, with reservations", bound=180, guests=2)
def lio(lab):
    """Over iSCSI: with tcm_loop, PREEMPT AND ABORT waits for itself for ever in Linux 6.1."""
    iqn, configfs = "iqn.2026-01.lab.holdfast:lio", "/sys/kernel/config/target"
    store, portal = f"{configfs}/core/fileio_0/lun", f"{configfs}/iscsi/{iqn}/tpgt_1"
    target = lab.guest("target", memory_mib=256, host_network=True, forwards=[3260],
                       modules=["crc32c_generic", "target_core_file", "iscsi_target_mod"])
    target.run(f"""
        set -e
        truncate -s 16M /tmp/lun
        mkdir -p /var/target/pr {store}
        echo fd_dev_name=/tmp/lun,fd_dev_size=16777216 >{store}/control
        echo lab0 >{store}/wwn/vpd_unit_serial
        echo 1 >{store}/enable
        mkdir -p {configfs}/iscsi {portal}/lun/lun_0 {portal}/np/0.0.0.0:3260
        ln -s {store} {portal}/lun/lun_0/port
        echo 0 >{portal}/attrib/authentication
        echo 1 >{portal}/attrib/generate_node_acls
        echo 0 >{portal}/attrib/demo_mode_write_protect
        echo 1 >{portal}/enable
    """)
    a = lab.guest("a", disks=[lab.lun_of(target, iqn, initiator=name) for name in ("one", "two")])
    lab.check("LIO-ORG" in a.run("sg_inq /dev/sg0").out, "the LUN is LIO's")
    one, two = (f"sg_persist --no-inquiry /dev/sg{n}" for n in (0, 1))
    a.run(f"{one} --out --register --param-sark=0xa1")
    a.run(f"{two} --out --register --param-sark=0xb1")
    # Type 5: write exclusive, registrants only.
    a.run(f"{one} --out --reserve --param-rk=0xa1 --prout-type=5")
    status = a.run(f"{two} --in --read-full-status").out
    lab.check("0xa1" in status and "0xb1" in status, "READ FULL STATUS names both")
    a.run("dd if=/dev/zero of=/dev/sdb bs=4096 count=1 oflag=direct")
    lab.note("two is registered and writes")
    a.run(f"{one} --out --preempt-abort --param-rk=0xa1 --param-sark=0xb1 --prout-type=5")
    lab.check("0xb1" not in a.run(f"{one} --in --read-keys").out, "PREEMPT AND ABORT threw two out")
    lab.check(a.run("dd if=/dev/zero of=/dev/sdb bs=4096 count=1 oflag=direct", check=False).status,
              "two cannot write any more")
