#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# jail.sh - a place in which nothing can reset this machine: jail.sh DIR COMMAND...
#
# Runs COMMAND in namespaces of its own (mount, pid, ipc, uts): its /dev has no watchdog and no
# kmsg, its /proc/sysrq-trigger is a plain file, its /sys/class is empty (and is DIR/sys/class, for
# devices.py to fill), its machine is called "jail", and the right to reboot is gone for good.
# Before COMMAND starts, all of this is looked at once more from inside; what is not as it should
# be ends here.
#
#   jail.sh --enter PID COMMAND...    run COMMAND inside the jail that process PID is in, after
#                                     the same look
set -eu

# CAP_SYS_BOOT and CAP_SYS_MODULE, of linux/capability.h
no_rights=-sys_boot,-sys_module
cap_sys_boot=22
self=$(realpath "$0")

refuse() {
	echo "jail.sh: $*; nothing was started" >&2
	exit 1
}

# look OUTER_PID_NAMESPACE OUTER_MOUNT_NAMESPACE: is this the jail?
look() {
	local node set
	[ "$(readlink /proc/self/ns/pid)" != "$1" ] || refuse "no process namespace of its own"
	[ "$(readlink /proc/self/ns/mnt)" != "$2" ] || refuse "no mount namespace of its own"
	[ "$(hostname)" = jail ] || refuse "this is no jail"
	if [ -e /proc/sysrq-trigger ]; then
		[ "$(stat -f -c %T /proc/sysrq-trigger)" != proc ] || refuse "sysrq-trigger is the real one"
		[ -f /proc/sysrq-trigger ] || refuse "sysrq-trigger is not our file"
	fi
	for node in /dev/watchdog* /dev/kmsg /dev/mem /dev/port; do
		[ ! -e "$node" ] || refuse "$node is there"
	done
	[ "$(stat -f -c %T /dev)" = tmpfs ] || refuse "/dev is the real one"
	[ "$(stat -f -c %T /sys/class/watchdog)" = tmpfs ] || refuse "/sys/class is the real one"
	for set in Eff Prm Bnd; do
		set=$(sed -n "s/^Cap$set:[[:space:]]*//p" /proc/self/status)
		(((0x$set >> cap_sys_boot & 1) == 0)) || refuse "the right to reboot is still there"
	done
}

users=()
case $1 in
--look)
	look "$2" "$3"
	shift 3
	exec "$@"
	;;
--enter)
	pid=$2
	shift 2
	[ "$(id -u)" -eq 0 ] || users=(--user --preserve-credentials)
	exec nsenter --target "$pid" "${users[@]}" --mount --pid --ipc --uts \
		setpriv --bounding-set="$no_rights" "$self" --look "$(readlink /proc/self/ns/pid)" \
		"$(readlink /proc/self/ns/mnt)" "$@"
	;;
--inside) ;;
*)
	dir=$(realpath "$1")
	shift
	[ "$(id -u)" -eq 0 ] || users=(--map-root-user)
	mkdir -p "$dir/sys/class" "$dir/dev"
	: >"$dir/sysrq-trigger"
	exec unshare "${users[@]}" --mount --propagation private --pid --ipc --uts --fork \
		--kill-child --mount-proc "$self" --inside "$(readlink /proc/self/ns/pid)" \
		"$(readlink /proc/self/ns/mnt)" "$dir" "$@"
	;;
esac

outer_pid_ns=$2 outer_mount_ns=$3 dir=$4
shift 4
[ $$ -eq 1 ] || refuse "not the first process of its namespace"

mount -t tmpfs -o nodev,mode=755 dev "$dir/dev"
for node in null zero full random urandom tty; do
	: >"$dir/dev/$node"
	mount --bind "/dev/$node" "$dir/dev/$node"
done
mkdir "$dir/dev/pts" "$dir/dev/shm"
mount --bind /dev/pts "$dir/dev/pts"
mount -t tmpfs shm "$dir/dev/shm"
ln -s pts/ptmx "$dir/dev/ptmx"
ln -s /proc/self/fd "$dir/dev/fd"
mount --move "$dir/dev" /dev
mount -t tmpfs -o nodev,mode=755 class /sys/class
mkdir /sys/class/watchdog
mount --bind /sys/class "$dir/sys/class"
[ ! -e /proc/sysrq-trigger ] || mount --bind "$dir/sysrq-trigger" /proc/sysrq-trigger
hostname jail

exec setpriv --bounding-set="$no_rights" "$self" --look "$outer_pid_ns" "$outer_mount_ns" "$@"
