# SPDX-License-Identifier: GPL-2.0-or-later
"""Shared disks as SCSI disks of a real kernel: SG_IO and iSCSI to one LUN, of tgtd and of LIO."""

from lab import case


def disk_test(lab, guest, url):
    """The program test_disk_sg on the first disk of the guest, which a URL leads to as well."""
    node = guest.run("ls -d /dev/sg*").out.split()[0]
    result = guest.run(f"HOLDFAST_TEST_DISK=/dev/sda HOLDFAST_TEST_NODE={node} "
                       f"HOLDFAST_TEST_URL={url} test_disk_sg", within=90, check=False)
    for line in result.lines:
        lab.note(line)
    lab.check(result.status == 0, "SG_IO and iSCSI to one LUN")


@case("SG_IO and iSCSI to a LUN of tgtd", bound=180)
def sg_tgtd(lab):
    lun = lab.lun()
    guest = lab.guest("a", disks=[lun], host_network=True, programs=["test_disk_sg"])
    port = lun.portal.rpartition(":")[2]
    disk_test(lab, guest, f"iscsi://10.0.2.2:{port}/{lun.iqn}/{lun.number}")


@case("SG_IO and iSCSI to a LUN of LIO", bound=240, guests=2)
def sg_lio(lab):
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
    lun = lab.lun_of(target, iqn)
    guest = lab.guest("a", disks=[lun], host_network=True, programs=["test_disk_sg"])
    disk_test(lab, guest, f"iscsi://10.0.2.2:{target.forwarded(3260)}/{iqn}/0")
    for line in target.console:
        if "iscsi" in line.text.lower() or "chap" in line.text.lower():
            lab.note(line.text)
