#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# ipmi.sh - fence_ipmi and `holdfast fence` measured against the distribution's fence_ipmilan, on
# the same simulated BMCs (ipmi_sim on loopback) in one run.
#
#	1. status, and off with its proof, of one BMC: ours, theirs, ratio of medians
#	2. one command that fences 8 and 128 BMCs: ratio of medians; with machines that take 2 s to
#	   go off, as real ones do, and with such that are off at once, where agents and simulators,
#	   all on this machine, fight for its processors
#	3. peak resident memory of one agent, and of `holdfast fence` with 128 targets without its agents
#
# Only the ratios mean something: the machine is shared. RUNS (10) runs of each.
set -eu
bin=${HOLDFAST_BIN:?}
runs=${RUNS:-10}
dir=$(mktemp -d)
trap 'tests/agents/bmc.sh stop "$dir"; rm -rf "$dir"' EXIT

# median NAME COMMAND...: seconds
median() {
	hyperfine --shell=none --ignore-failure --warmup 1 --runs "$runs" --export-json "$dir/out.json" \
		--prepare "${prepare:-true}" "$1" >/dev/null 2>&1
	jq '.results[0].median' "$dir/out.json"
}

row() {
	awk -v what="$1" -v ours="$2" -v theirs="$3" -v goal="$4" 'BEGIN {
		printf "%-28s %10.1f ms %12.1f ms %9.1fx   (goal %s)\n", what, ours * 1000, theirs * 1000, theirs / ours, goal
	}'
}

tests/agents/bmc.sh start "$dir" 128
port=$(<"$dir/bmc1/port")
login="-a 127.0.0.1 -u $port -l admin -p secret"

echo "One BMC                         fence_ipmi   fence_ipmilan     ratio"
ours=$(median "$bin/fence_ipmi -o status $login")
theirs=$(median "fence_ipmilan -o status $login -P -C 3")
row "status" "$ours" "$theirs" "at least 5"
prepare="bash -c 'echo 1 >$dir/bmc1/power'"
ours=$(median "$bin/fence_ipmi -o off $login")
theirs=$(median "fence_ipmilan -o off $login -P -C 3")
row "off and proven" "$ours" "$theirs" "at least 20"
prepare=

conf=$dir/holdfast.conf
{
	echo "FENCE_HISTORY $dir/history.jsonl"
	for i in $(seq 128); do
		printf 'FENCE_DEVICE bmc%d\nFENCE_AGENT fence_ipmi\nFENCE_OPTION ip 127.0.0.1\n' "$i"
		printf 'FENCE_OPTION ipport %s\nFENCE_OPTION username admin\nFENCE_OPTION password secret\n' \
			"$(<"$dir/bmc$i/port")"
		printf 'NODE_NAME node%d\nFENCE_LEVEL 1 bmc%d\n' "$i" "$i"
	done
} >"$conf"
chmod 600 "$conf"
fence="$bin/holdfast fence -c $conf"

# all_on [MODE...]: every machine powered on and behaving so; a fresh start for each run.
cat >"$dir/all_on" <<-'ALL_ON'
	#!/bin/bash
	for bmc in "$1"/bmc*; do
		rm -f "$bmc/off_at"
		echo 1 >"$bmc/power"
		echo "${*:2}" >"$bmc/mode"
	done
ALL_ON
chmod +x "$dir/all_on"

echo
echo "Many BMCs, one command               8 BMCs        128 BMCs     ratio"
prepare="$dir/all_on $dir slow 2"
few=$(median "$fence off node[1-8]")
many=$(median "$fence off node[1-128]")
row "off, 2 s until it is off" "$few" "$many" "at most 3"
prepare="$dir/all_on $dir normal"
few=$(median "$fence off node[1-8]")
many=$(median "$fence off node[1-128]")
row "off, at once (CPU bound)" "$few" "$many" "none: $(nproc) processors"
prepare=

echo
printf 'Peak memory of one fence_ipmi off              %6d KiB   (goal 12288)\n' \
	"$(tests/bench/peak_memory.py "$bin/fence_ipmi" -o off -a 127.0.0.1 -u "$port" -l admin -p secret)"
printf 'Peak memory of holdfast fence off, 128 targets %6d KiB   (goal 32768)\n' \
	"$(tests/bench/peak_memory.py "$bin/holdfast" fence -c "$conf" off 'node[1-128]')"
