# SPDX-License-Identifier: GPL-2.0-or-later
#
# jail.bash - for the suites of watchdogd: a jail for each test, fake devices, the daemon, clients.
#
# $dir is the test's folder, also inside the jail. Everything that is started ends with the jail.

# jail_start: the jail, and whatever devices $dir/watchdogN tell of.
jail_start() {
	here=$BATS_TEST_DIRNAME
	dir=$BATS_TEST_TMPDIR/w
	mkdir -p "$dir"
	socket=$dir/watchdog.sock
	export HOLDFAST_WATCHDOG_SOCKET=$socket FAKE_WATCHDOG_DIR=$dir
	unset HOLDFAST_SYSFS
	others=()
	setpriv --pdeathsig KILL "$here/jail.sh" "$dir" sleep infinity 3>&- &
	jail_shell=$!
	until_true jail_is_ready 2>/dev/null
}

# The first process of the jail, once there is one that it can be entered by.
jail_is_ready() {
	jail=$(cat "/proc/$jail_shell/task/$jail_shell/children")
	jail=${jail%% *}
	[ -n "$jail" ] && in_jail true
}

jail_end() {
	local pid
	for pid in "${jail_shell:-}" "${others[@]}"; do
		[ -n "$pid" ] || continue
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}

in_jail() { "$here/jail.sh" --enter "$jail" "$@" 3>&-; }

# until_true COMMAND...: poll, bounded.
until_true() {
	local tries=0
	until "$@"; do
		[ $((tries += 1)) -lt 1500 ] || { echo "never true: $*"; return 1; }
		sleep 0.02
	done
}

# device N [KEY=VALUE...]: a fake device; see devices.py.
device() {
	local file=$dir/watchdog$1
	shift
	mkdir -p "$dir"
	printf '%s\n' "" "$@" >"$file"
}

devices_start() {
	mkfifo "$dir/devices.end"
	in_jail "$here/devices.py" "$dir" /sys <"$dir/devices.end" &
	others+=($!)
	# shellcheck disable=SC2034 # it is only kept open
	exec {devices_end}>"$dir/devices.end"
	until_true test -S "$dir/devices.sock"
}

# The dynamic form of the daemon, that takes the fake.
daemon_program() {
	# The fake comes before the sanitizers' libraries, and hides nothing from them.
	echo env "ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
		"LD_PRELOAD=$HOLDFAST_BUILD/tests/fake_watchdog.so" "$HOLDFAST_BUILD/tests/watchdogd"
}

# daemon [OPTION...]: start it in the background, wait until it answers. Its log is $dir/log, its
# process in the jail $(daemon_pid).
daemon() {
	daemon_start "$@"
	until_true daemon_answers
}

daemon_start() {
	# shellcheck disable=SC2046,SC2016 # a list of words; expanded by the inner shell
	in_jail sh -c 'echo $$ >"$0"; exec "$@"' "$dir/daemon.pid" $(daemon_program) \
		--socket "$socket" --priority 0 --standstill-clock none "$@" 2>>"$dir/log" &
	daemon=$!
	others+=("$daemon")
}

# daemon_file [OPTION...]: with a file for a device, $dir/pets.
daemon_file() { daemon --device "file:$dir/pets" "$@"; }

daemon_answers() {
	kill -0 "$daemon" 2>/dev/null || { cat "$dir/log"; exit 1; }
	"$here/client.py" "$socket" status >/dev/null 2>&1
}

daemon_pid() { cat "$dir/daemon.pid"; }

signal_daemon() { in_jail kill "-$1" "$(daemon_pid)"; }

# daemon_fails STATUS TEXT [OPTION...]: it does not start, with this exit status and text.
daemon_fails() {
	local wanted=$1 text=$2 status=0
	shift 2
	daemon_start "$@"
	wait "$daemon" || status=$?
	cat "$dir/log"
	[ "$status" -eq "$wanted" ]
	grep -qF -- "$text" "$dir/log"
}

# daemon_ends STATUS: its end.
daemon_ends() {
	local status=0
	wait "$daemon" || status=$?
	cat "$dir/log"
	[ "$status" -eq "$1" ]
}

# client NAME KIND ARGUMENT...: a client in the background, answers in $dir/NAME; its process is
# $client. Waits for its first answer, or for watchdogd to list it.
client() {
	local out=$1
	shift
	rm -f "$dir/$out"
	"$here/client.py" "$socket" "$@" >"$dir/$out" 2>&1 3>&- &
	client=$!
	others+=("$client")
	if [ "$1" = deaf ]; then
		until_true is_listed "$2"
	else
		until_true test -s "$dir/$out"
	fi
}

# status_of FILTER: what jq makes of the status; fails when there is none.
status_of() {
	local found
	found=$("$here/client.py" "$socket" status 2>/dev/null) && jq -e "$1" <<<"$found"
}

is_listed() { status_of ".clients | any(.name == \"$1\")" >/dev/null; }

pets() { grep -c '^pet ' "$dir/pets"; }

# pets_go_on [N]: N more pets of the file device.
pets_go_on() {
	local wanted=$(($(pets) + ${1:-3}))
	until_true eval "[ \$(pets) -ge $wanted ]"
}

# traced PATTERN: a line of devices.py.
traced() { grep -qE -- "$1" "$dir/trace"; }

has_reset() { grep -q '^reset ' "$dir/pets"; }

# The last line of the file device is a reset, and it stays so for several pet intervals: no pet
# came after it.
reset_is_last() {
	sleep 1
	[[ $(tail -n 1 "$dir/pets") == "reset "* ]] && [ "$(grep -c '^reset ' "$dir/pets")" -eq 1 ]
}
