# SPDX-License-Identifier: GPL-2.0-or-later
"""LIO, the kernel's own SCSI target, in a guest: what the cases with reservations share.

Its LUN is a disk of the guest, so that it outlives the guest's reset and can be slowed down from
outside. Reservations that are to survive (APTPL) lie on a second disk, written through; LIO leaves
it to whoever sets it up to read them back, so restore() does what targetcli would do.
"""

from lab.storage import IQN

TARGET = f"{IQN}:lio"
CONFIGFS = "/sys/kernel/config/target"
STORE = f"{CONFIGFS}/core/iblock_0/lun"
PORTAL = f"{CONFIGFS}/iscsi/{TARGET}/tpgt_1"
SERIAL = "lab0"

# $1: initiator. An ACL of its own for each: with those that LIO makes up at login, registrations
# would go with the session.
ACL = f"""
acl() {{
    mkdir -p {PORTAL}/acls/$1 {PORTAL}/acls/$1/lun_0
    ln -s {PORTAL}/lun/lun_0 {PORTAL}/acls/$1/lun_0/port
}}
"""

# The fields of the file that LIO writes, as its configfs wants them.
RESTORE = f"""
file=/var/target/pr/aptpl_{SERIAL}
[ ! -s $file ] || awk '
    /^PR_REG_START/ {{ line = ""; next }}
    /^PR_REG_END/ {{ print line; next }}
    {{ line = line (line == "" ? "" : ",") $0 }}' $file |
while read -r line; do
    echo "$line" >{STORE}/pr/res_aptpl_metadata || exit 1
    echo "restored: $line"
done
"""


class Lio:
    """The target guest. names: initiators that may log in; size_mib: of its LUN."""

    def __init__(self, lab, names=("a", "b"), size_mib=16):
        self.lab = lab
        self.names = [name if name.startswith("iqn.") else f"{IQN}:{name}" for name in names]
        self.disk = lab.disk(size_mib)
        self.notes = lab.disk(8)
        lab.host(["mke2fs", "-q", "-t", "ext4", str(self.notes.path)])
        self.guest = lab.guest(
            "target", memory_mib=256, host_network=True, forwards=[3260],
            disks=[self.disk, self.notes],
            modules=["crc32c_generic", "ext4", "target_core_iblock", "iscsi_target_mod"])
        self.offer()

    def offer(self):
        """Set it up, as after each boot: reservations first, then the door."""
        acls = "".join(f"acl {name}\n" for name in self.names)
        self.guest.run(f"""{ACL}
            set -e
            mkdir -p /var/target {STORE}
            mount -t ext4 -o sync /dev/vdb /var/target
            mkdir -p /var/target/pr
            echo udev_path=/dev/vda >{STORE}/control
            echo {SERIAL} >{STORE}/wwn/vpd_unit_serial
            echo 1 >{STORE}/enable
            {RESTORE}
            mkdir -p {CONFIGFS}/iscsi {PORTAL}/lun/lun_0 {PORTAL}/np/0.0.0.0:3260
            ln -s {STORE} {PORTAL}/lun/lun_0/port
            echo 0 >{PORTAL}/attrib/authentication
            echo 0 >{PORTAL}/attrib/demo_mode_write_protect
            {acls}
            echo 1 >{PORTAL}/enable
        """)

    def restart(self):
        """The reset button: what was only in memory is gone."""
        self.guest.reset()
        self.guest.wait_down(by="qmp")
        self.guest.wait_up()
        self.offer()

    def lun(self, initiator=None):
        """For guests' disks."""
        return self.lab.lun_of(self.guest, TARGET, initiator=initiator)

    def url(self):
        """For programs of the host."""
        return f"iscsi://127.0.0.1:{self.guest.forwarded(3260)}/{TARGET}/0"

    def slow(self, iops):
        """So many reads and writes a second on the medium; 0: as fast as it goes."""
        self.lab.note(f"the medium of the target does {iops or 'all the'} operations a second")
        self.guest.qmp("block_set_io_throttle", device="disk0", bps=0, bps_rd=0, bps_wr=0,
                       iops=iops, iops_rd=0, iops_wr=0)
