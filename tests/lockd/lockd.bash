# SPDX-License-Identifier: GPL-2.0-or-later
#
# lockd.bash - for the suites of lockd: disks of a cluster, daemons on this host, clients.
#
# Each daemon has a name, which is also its node's; its log is $dir/NAME.log, its socket
# $dir/NAME.sock, its process ${pid[NAME]}. Everything that is started ends with the test.

# shellcheck disable=SC2034,SC2154 # used by the suites

lockd_setup() {
	here=$BATS_TEST_DIRNAME
	dir=$BATS_TEST_TMPDIR/l
	mkdir -p "$dir"
	cd "$dir" || return
	export PATH=$HOLDFAST_BIN:$PATH
	unset HOLDFAST_LOCKD_SOCKET NOTIFY_SOCKET WATCHDOG_USEC JOURNAL_STREAM
	declare -gA pid=()
	others=()
	disks=()
	# Short, and still true: base/timing*.
	timing=(--interval 50 --io-timeout 300 --member-timeout 1s --lease 2s --drain 0)
	# --run-dir is a machine's; here every test is a machine of its own.
	place=(--state "$dir/state" --run-dir "$dir/run" --priority 0)
	watchdog=(--watchdog off)
}

lockd_teardown() {
	local process
	for process in "${pid[@]}" "${others[@]}"; do
		kill -KILL "$process" 2>/dev/null || true
		wait "$process" 2>/dev/null || true
	done
}

# until_true COMMAND...: poll, bounded.
until_true() {
	local tries=0
	until "$@"; do
		[ $((tries += 1)) -lt 1500 ] || { echo "never true: $*"; tail -n 20 ./*.log; return 1; }
		sleep 0.02
	done
}

# cluster NAME FILE...: a cluster's disks, here
cluster() {
	local name=$1
	shift
	truncate -s 4M "${@/#/$dir/}"
	holdfast disk init --name "$name" --arbiter paxos "${@/#/$dir/}" >"$dir/init.log"
}

# disks FILE...: what the daemons are told to serve from here on
serve() {
	local url
	disks=()
	for url; do
		[[ $url == *:* ]] || url=$dir/$url
		disks+=(--disk "$url")
	done
}

# daemon_start NAME NODE [OPTION...]: in the background
daemon_start() {
	# A runtime's preamble, as of unshare, in the array `within`.
	"${within[@]}" lockd "${disks[@]}" --node "$2" --name "$1" --socket "$dir/$1.sock" "${place[@]}" \
		"${watchdog[@]}" "${timing[@]}" "${@:3}" 2>>"$dir/$1.log" 3>&- &
	pid[$1]=$!
}

# daemon NAME NODE [OPTION...]: and it is active
daemon() {
	daemon_start "$@"
	until_true is_active "$1"
}

is_active() {
	kill -0 "${pid[$1]}" 2>/dev/null || { cat "$dir/$1.log"; exit 1; }
	state_is "$1" '.state == "active"'
}

# ask NAME WORD...: see ask.py
ask() { "$here/ask.py" "$dir/$1.sock" "${@:2}"; }

# state_is NAME FILTER: of its status
state_is() {
	local answer
	answer=$(ask "$1" '{"op":"status"}' 2>/dev/null) && jq -e "$2" <<<"$answer" >/dev/null
}

# sees NAME NODE STATE: another node
sees() { state_is "$1" ".peers | any(.node == $2 and .state == \"$3\")"; }

logged() { grep -qF -- "$2" "$dir/$1.log"; }

is_over() { ! grep -qs '^State:[[:space:]]*[^Z]' "/proc/$1/status"; }

# ends NAME STATUS: its end
ends() {
	local status=0
	until_true is_over "${pid[$1]}"
	wait "${pid[$1]}" || status=$?
	cat "$dir/$1.log"
	unset "pid[$1]"
	[ "$status" -eq "$2" ]
}

stop() {
	kill -TERM "${pid[$1]}"
	ends "$1" 0
}

# refused STATUS TEXT NAME NODE [OPTION...]: it does not start, says so, and writes to no disk
refused() {
	sha256sum "$dir"/disk* >"$dir/before"
	daemon_start "${@:3}"
	ends "$3" "$1"
	logged "$3" "$2"
	sha256sum "$dir"/disk* | diff "$dir/before" -
}
