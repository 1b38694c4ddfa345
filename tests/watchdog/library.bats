#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# library.bats - libholdfast-watchdog as an application sees it: installed, found by pkg-config,
# linked in both forms, from C and C++, and at work against watchdogd.

# What jail.bash sets is known there; expressions for until_true expand when they are tried.
# shellcheck disable=SC2154,SC2016

bats_require_minimum_version 1.5.0

# shellcheck source-path=SCRIPTDIR
load jail.bash

setup_file() {
	export root=$BATS_FILE_TMPDIR/root
	MAKEFLAGS=${HOLDFAST_MAKEFLAGS:-} make -s -C "$BATS_TEST_DIRNAME/../.." DESTDIR="$root" \
		PREFIX=/usr/local install >"$BATS_FILE_TMPDIR/make.log" 2>&1 || {
		cat "$BATS_FILE_TMPDIR/make.log"
		return 1
	}
}

setup() {
	jail_start
	cd "$dir"
	export PKG_CONFIG_PATH=$root/usr/local/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
	sanitize=
	[[ $HOLDFAST_BIN != */build-san/bin ]] || sanitize=-fsanitize=address,undefined
	cat >app.c <<-'SOURCE'
	#include <errno.h>
	#include <holdfast/watchdog.h>
	#include <stdio.h>
	#include <string.h>
	#include <unistd.h>

	/* Names that the library uses inside must stay free for the application. */
	int watch_wire_in(void);
	int watch_wire_in(void)
	{
		return 7;
	}

	/* Out of main's frame: an application that vanishes must not look like one that leaks. */
	static struct holdfast_watchdog *watchdog;

	int main(int argc, char **argv)
	{
		struct holdfast_watchdog_terms terms;

		if (holdfast_watchdog_open("app", 5000, &watchdog, &terms)) {
			printf("open: %s: %s\n", strerror(errno), terms.why);
			return 1;
		}
		printf("open: %u %u %u %d\n", terms.deadline_ms, terms.device_ms, terms.bound_ms,
		       (int)terms.proof);
		for (int i = 0; i < 20; i++) {
			if (holdfast_watchdog_renew(watchdog, 0, &terms)) {
				printf("renew: %s: %s\n", strerror(errno), terms.why);
				return 1;
			}
			usleep(10000);
		}
		if (argc > 1 && strcmp(argv[1], "vanish") == 0)
			return watch_wire_in() == 7 ? 0 : 1;
		printf("close: %d\n", holdfast_watchdog_close(watchdog));
		return 0;
	}
	SOURCE
}

teardown() { jail_end; }

# compile COMPILER WORD...
compile() {
	local compiler=$1
	shift
	# shellcheck disable=SC2046,SC2086 # lists of words
	$compiler $sanitize -Wall -Wextra -Werror -o app $(pkg-config --cflags holdfast-watchdog) "$@"
}

# at_work: the application against watchdogd.
at_work() {
	run -1 ./app
	[[ $output == "open: No such file or directory: watchdogd at $socket: it does not run; start watchdogd" ]]
	daemon_file --timeout 2
	run -0 ./app
	[ "${lines[0]}" = "open: 5000 2000 8000 0" ]
	[ "${lines[1]}" = "close: 0" ]
	status_of '.clients == []'
	run -0 ./app vanish
	status_of '.clients[0] | .name == "app" and .connected == 0 and .renewals > 10'
}

@test "linked with the shared library" {
	# shellcheck disable=SC2046 # a list of words
	compile "${CC:-gcc}" app.c $(pkg-config --libs holdfast-watchdog)
	readelf -d app | grep -q 'NEEDED.*libholdfast-watchdog\.so\.0'
	export LD_LIBRARY_PATH=$root/usr/local/lib
	at_work
}

@test "linked with the static library: no other file of ours, no other library than libc" {
	local libs
	libs=$(pkg-config --libs --static holdfast-watchdog)
	# shellcheck disable=SC2086 # a list of words
	compile "${CC:-gcc}" app.c ${libs/-lholdfast-watchdog/-l:libholdfast-watchdog.a}
	run readelf -d app
	[[ $output != *libholdfast* ]]
	[ -n "$sanitize" ] || [ "$(readelf -d app | grep -c NEEDED)" -eq 1 ]
	at_work
}

@test "the header compiles as C++ and as strict C99, alone" {
	echo '#include <holdfast/watchdog.h>' >alone.cc
	cp alone.cc alone.c
	# shellcheck disable=SC2046 # a list of words
	g++ -std=c++98 -pedantic -Wall -Wextra -Werror -Wno-long-long -fsyntax-only \
		$(pkg-config --cflags holdfast-watchdog) -include stdint.h alone.cc
	# shellcheck disable=SC2046 # a list of words
	"${CC:-gcc}" -std=c99 -pedantic -Wall -Wextra -Werror -fsyntax-only \
		$(pkg-config --cflags holdfast-watchdog) alone.c
	cat >app.cc <<-'SOURCE'
	#include <holdfast/watchdog.h>

	int main()
	{
		holdfast_watchdog *watchdog = 0;
		holdfast_watchdog_terms terms;

		return holdfast_watchdog_open("app", 5000, &watchdog, &terms) ? 0 : 1;
	}
	SOURCE
	# shellcheck disable=SC2046 # a list of words
	compile g++ app.cc $(pkg-config --libs holdfast-watchdog)
	LD_LIBRARY_PATH=$root/usr/local/lib ./app
}

@test "exactly the three calls are exported, by both forms" {
	cat >wanted <<-'NAMES'
	holdfast_watchdog_close
	holdfast_watchdog_open
	holdfast_watchdog_renew
	NAMES
	nm -D --defined-only "$root/usr/local/lib/libholdfast-watchdog.so.0" |
		awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' | sort | diff - wanted
	nm -g --defined-only "$root/usr/local/lib/libholdfast-watchdog.a" |
		awk 'NF == 3 && $2 ~ /[A-Z]/ { print $3 }' | sort | diff - wanted
}
