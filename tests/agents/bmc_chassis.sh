#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# bmc_chassis.sh - the power of a simulated machine: bmc_chassis.sh DIR [word...] get power|set power N
#
# ipmi_sim runs it for Get Chassis Status and Chassis Control. DIR is the folder of one BMC:
#   power   0 or 1
#   mode    how it behaves, read at each command (see bmc.sh); missing means normal
#   off_at  while a slow power-off is under way: the moment it is done, 1/100 s since boot
#   log     one line for each command that sets something
# Nothing but shell built-ins: 128 of these machines run at once.
set -u
dir=$1
shift

now() {
	read -r uptime _ </proc/uptime
	now=${uptime%.*}${uptime#*.}
}

power=1
mode=normal
seconds=0
[ ! -f "$dir/power" ] || read -r power <"$dir/power"
[ ! -f "$dir/mode" ] || read -r mode seconds <"$dir/mode"
if [ -f "$dir/off_at" ]; then
	read -r off_at <"$dir/off_at"
	now
	if [ "$now" -ge "$off_at" ]; then
		power=0
		echo 0 >"$dir/power"
		rm -f "$dir/off_at"
	fi
fi

set_power() {
	echo "power $1" >>"$dir/log"
	[ "$mode" != refuse ] || exit 1
	case $mode$1 in
	lying0 | lazy1)
		;;
	slow0)
		now
		[ -f "$dir/off_at" ] || echo $((now + seconds * 100)) >"$dir/off_at"
		;;
	*)
		rm -f "$dir/off_at"
		echo "$1" >"$dir/power"
		;;
	esac
}

while [ $# -gt 1 ]; do
	case $1 in
	get)
		[ "$mode" != broken ] || exit 1
		echo "$2:$power"
		shift
		;;
	set)
		if [ "$2" = power ]; then
			set_power "$3"
		else
			echo "$2 $3" >>"$dir/log"
		fi
		shift 2
		;;
	esac
	shift
done
exit 0
