#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# willing_operator.sh - an operator who does at once what fence_meatware asks for
#
#	willing_operator.sh DIR
#
# Answers every request in the folder DIR with `holdfast fence ack` (HOLDFAST_BIN) on a pseudo-terminal,
# which operator.py plays: the state that is wanted, and the name of the machine. Whoever starts it
# ends it, by its process number; it ends by itself after five minutes. What the terminal showed
# goes to stdout.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=$1

while [ "$SECONDS" -lt 300 ]; do
	# TARGET WANT of one request that waits.
	request=$("$HOLDFAST_BIN/holdfast" fence ack --json --dir "$dir" 2>/dev/null | jq -r \
		'select(.kind == "request" and .state == "waiting") | "\(.target) \(.want)"' | head -n 1) || true
	if [ -z "$request" ]; then
		sleep 0.05
		continue
	fi
	# A request may end while it is answered; the next round tells.
	"$here/operator.py" "(on, off): =${request#* }" "you have seen=${request% *}" -- \
		"$HOLDFAST_BIN/holdfast" fence ack --dir "$dir" "${request% *}" || true
done
