#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# bmc.sh - simulated BMCs (ipmi_sim of Debian's openipmi) on loopback ports
#
#	bmc.sh start DIR COUNT    start COUNT machines, DIR/bmc1 ... DIR/bmcCOUNT, powered on
#	bmc.sh stop DIR           stop them; files stay
#	bmc.sh mode DIR/bmcN MODE [SECONDS]
#
# start returns when all of them listen. Each machine is a folder:
#	port    UDP port, chosen by the kernel		pid	process number of the BMC
#	power   0 or 1, to read and to set		log	what it was told to set
#	mode    how it behaves:
#		normal		does what it is told at once
#		slow SECONDS	stays on that long after a power-off
#		lying		accepts a power-off and stays on
#		lazy		accepts a power-on and stays off
#		refuse		answers power commands with an error
#		broken		answers questions for the power state with an error
#
# Users: admin/secret (administrator), oper/secret (operator), user/secret (user).
#
# Environment of start:
#	BMC_ADDRESS  address to listen on (127.0.0.1; ::1 works)
#	BMC_KG       K_G key as text (none)
#
# Peculiarities of ipmi_sim 2.0.33: with IPMI 2.0 it grants any user any privilege level at login
# (with 1.5 it does not), it ignores priv_limit and the sessions allowed to a user, has 63
# session slots, drops a session after 60 s, refuses an RMCP+ session in two bytes where the
# specification wants eight, and turns a cycled machine on again when it is next seen off at a
# one-second tick.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

die() {
	echo "bmc.sh: $*" >&2
	exit 1
}

write_config() {
	local dir=$1 key=
	[ -z "${BMC_KG:-}" ] || key="bmc_key \"$BMC_KG\""
	cat >"$dir/lan.conf" <<-CONF
	name "bmc"
	set_working_mc 0x20
	  startlan 1
	    addr ${BMC_ADDRESS:-127.0.0.1} 0
	    priv_limit admin
	    allowed_auths_callback none md2 md5 straight
	    allowed_auths_user none md2 md5 straight
	    allowed_auths_operator none md2 md5 straight
	    allowed_auths_admin none md2 md5 straight
	    guid a123456789abcdefa123456789abcdef
	    $key
	  endlan
	  chassis_control "$here/bmc_chassis.sh $dir"
	  user 1 false "" "none" user 10 none md2 md5 straight
	  user 2 true "admin" "secret" admin 10 none md2 md5 straight
	  user 3 true "oper" "secret" operator 10 none md2 md5 straight
	  user 4 true "user" "secret" user 10 none md2 md5 straight
	CONF
	cat >"$dir/sim.emu" <<-EMU
	mc_setbmc 0x20
	mc_add 0x20 0 has-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
	mc_enable 0x20
	EMU
}

# Print the UDP port that process $1 is bound to, by way of its socket's inode.
bound_port() {
	local fd link inode line
	for fd in /proc/"$1"/fd/*; do
		link=$(readlink "$fd" 2>/dev/null) || continue
		[[ $link == socket:* ]] || continue
		inode=${link//[^0-9]/}
		line=$(awk -v inode="$inode" '$10 == inode { print $2 }' /proc/net/udp /proc/net/udp6)
		[ -n "$line" ] || continue
		echo $((16#${line##*:}))
		return 0
	done
	return 1
}

wait_port() {
	local dir=$1 pid port tries
	pid=$(<"$dir/pid")
	for ((tries = 0; tries < 2000; tries++)); do
		kill -0 "$pid" 2>/dev/null || die "ipmi_sim in $dir ended: $(<"$dir/sim.log")"
		if port=$(bound_port "$pid"); then
			echo "$port" >"$dir/port.new"
			mv "$dir/port.new" "$dir/port"
			return 0
		fi
		sleep 0.01
	done
	die "ipmi_sim in $dir does not listen"
}

start() {
	local dir=$1 count=$2 i one
	[[ $count =~ ^[1-9][0-9]*$ ]] || die "COUNT must be a number"
	command -v ipmi_sim >/dev/null || die "ipmi_sim is missing; install openipmi"
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd)
	for ((i = 1; i <= count; i++)); do
		one=$dir/bmc$i
		mkdir -p "$one/state"
		echo 1 >"$one/power"
		: >"$one/log"
		write_config "$one"
		# Its own session, and none of our descriptors: bats waits for those.
		(cd "$one" && exec setsid ipmi_sim -c lan.conf -f sim.emu -s state -n \
			</dev/null >sim.log 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-) &
		echo $! >"$one/pid"
	done
	for ((i = 1; i <= count; i++)); do
		wait_port "$dir/bmc$i"
	done
}

stop() {
	local file pid
	for file in "$1"/bmc*/pid; do
		[ -f "$file" ] || continue
		pid=$(<"$file")
		# Only what is still ours: numbers are used again.
		if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = ipmi_sim ]; then
			kill "$pid" 2>/dev/null || true
		fi
	done
	for file in "$1"/bmc*/pid; do
		[ -f "$file" ] || continue
		pid=$(<"$file")
		while [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = ipmi_sim ] &&
			! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null; do
			sleep 0.01
		done
		rm -f "$file"
	done
}

case ${1:-} in
start) [ $# -eq 3 ] || die "usage: bmc.sh start DIR COUNT"; start "$2" "$3" ;;
stop) [ $# -eq 2 ] || die "usage: bmc.sh stop DIR"; stop "$2" ;;
mode) [ $# -ge 3 ] || die "usage: bmc.sh mode DIR/bmcN MODE [SECONDS]"; echo "${*:3}" >"$2/mode" ;;
*) die "usage: bmc.sh start DIR COUNT | stop DIR | mode DIR/bmcN MODE [SECONDS]" ;;
esac
