#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# shared_disk.sh - lockd measured beside sanlock and sbd, each of them in the same run.
#
#	1. claims of the cluster lock on tgtd: the commands for it, counted between lockd and the target,
#	   and the time as a multiple of one TEST UNIT READY
#	2. resident memory of lockd, and its processor time when nothing happens
#	3. join, lock, and takeover from a dead node on a fresh disk, beside sanlock
#	4. what a node asks of its disk by the second, beside sbd and sanlock: in a guest of the lab,
#	   where all three have a watchdog of their own and the disk's own statistics count
#
# 1 to 3 run on this machine, in a jail (tests/watchdog/jail.sh) where nothing can reset it; the
# devices of watchdogd are files there. sanlock and sbd are measured where they are installed. They
# are not in packages.txt: where there is a systemd, installing them may start what takes the
# machine's own watchdog. Ten minutes, most of it waiting: for sanlock's takeover, and for peace.
set -eu
bin=${HOLDFAST_BIN:?}
export HOLDFAST_BUILD=${HOLDFAST_BUILD:-${bin%/bin}}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
status=0

if [ "$(id -u)" -eq 0 ]; then
	mkdir "$dir/jail" "$dir/work"
	tests/watchdog/jail.sh "$dir/jail" tests/bench/shared_disk/measure.py "$dir/work" || status=1
else
	echo "1 to 3 are not measured: tgtd wants root."
	echo
fi

if tests/lab/run tests/bench/shared_disk/cost.py >"$dir/log" 2>&1; then
	jq -r '
		def fixed: . * 100 | round / 100;
		(map(select(.what | startswith("sbd"))) | first) as $sbd |
		def times($peer): if $peer > 0 then . / $peer * 100 | round / 100 | "\(.)x" else "-" end;
		["In a guest, one at a time", "reads/s", "writes/s", "sum", "of sbd", "KiB/s",
			"resident", "of sbd", "own", "processor", "of sbd"],
		(.[] | (.reads_per_s + .writes_per_s) as $ios |
			[.what, (.reads_per_s | fixed), (.writes_per_s | fixed), ($ios | fixed),
			($ios | times(($sbd.reads_per_s // 0) + ($sbd.writes_per_s // 0))),
			(.read_kib_per_s + .written_kib_per_s | fixed),
			.resident_kib, (.resident_kib | times($sbd.resident_kib // 0)), .private_kib,
			"\(.cpu * 100 | fixed)%", (.cpu | times($sbd.cpu // 0))]) | @tsv
	' "$HOLDFAST_BUILD/lab/logs/cost.cost/cost.json" |
		awk -F'\t' '{
			printf "%-30s %8s %9s %7s %7s %8s", $1, $2, $3, $4, $5, $6
			printf " %9s %7s %7s %10s %7s\n", $7, $8, $9, $10, $11
		}'
	cat <<-'NOTE'
		sbd looks once a second and writes nothing: its peers cannot see whether it lives. lockd reads all
		16 slots at once. Memory is KiB of all processes, shared libraries counted for each; own is what
		is not shared. The guest is emulated: of the processor only the ratios mean something.
	NOTE
	for peer in sbd sanlock; do
		command -v "$peer" >/dev/null || echo "$peer is not installed: not measured."
	done
else
	cat "$dir/log"
	status=1
fi
exit "$status"
