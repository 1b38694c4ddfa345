#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# watchdog.sh - watchdogd measured on real kernels in the lab (docs/lab.md).
#
#	1. from the last renewal of a client to the reset, RUNS (20) times in each of four ways, beside
#	   the bound that the client was promised. It counts from before the renewal is sent, minus the
#	   error of the clock, to the moment at which the device fired (qemu's event WATCHDOG), or, where
#	   watchdogd resets, to qemu's event of the reset, which comes a quarter of a second after it
#	2. memory and wake-ups of watchdogd, of sanlock's wdmd and of sbd in the same guest
#
# The guests are emulated: times here include the slowness of that, the bound holds all the same.
# Ten minutes on an idle machine with two processors.
set -eu
bin=${HOLDFAST_BIN:?}
export HOLDFAST_BUILD=${HOLDFAST_BUILD:-${bin%/bin}} RUNS=${RUNS:-20}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

if ! tests/lab/run tests/bench/watchdog/bound.py tests/bench/watchdog/cost.py >"$log" 2>&1; then
	cat "$log"
	exit 1
fi

awk '
	BEGIN { printf "%-50s %5s %8s %8s %8s %8s\n", "From the last renewal to the reset", "runs", "minimum", "median", "maximum", "bound" }
	/^measured: error of the clock/ { if ($(NF - 1) > error) error = $(NF - 1) }
	/^measured: .* bound / {
		split($0, part, ": ")
		gsub(/,/, "")
		printf "%-50s %5d %6.2f s %6.2f s %6.2f s %6.2f s\n",
			part[2], $(NF - 10), $(NF - 7), $(NF - 5), $(NF - 3), $NF
	}
	END { printf "The clock of the guest is known to %.0f ms at worst.\n\n", error * 1000 }
' "$log"
jq -r '
	(.[] | select(.what == "watchdogd, one client")) as $ours |
	def times($of; $ours): if $ours > 0 then $of / $ours * 10 | round / 10 | "\(.)x" else "-" end;
	["In a guest, one at a time", "processes", "resident KiB", "", "own KiB", "", "wake-ups/s", ""],
	(.[] | [.what, .processes, .resident_kib, times(.resident_kib; $ours.resident_kib),
		.private_kib, times(.private_kib; $ours.private_kib),
		(.switches_per_s * 100 | round / 100), times(.switches_per_s; $ours.switches_per_s)]) | @tsv
' "$HOLDFAST_BUILD/lab/logs/cost.cost/cost.json" |
	awk -F'\t' '{ printf "%-26s %9s %13s %6s %9s %6s %11s %6s\n", $1, $2, $3, $4, $5, $6, $7, $8 }'
echo "The goal for watchdogd is 1024 KiB resident. Ratios are to watchdogd with one client, which"
echo "renews every second; wdmd and sbd have no client but sbd its disk."
