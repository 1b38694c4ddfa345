#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
#
# outside.bats - watchdogd in a jail and a clock that goes on while a machine is paused: here a file
# with the seconds, so that a pause is a number that is written into it.

# What jail.bash sets is known there; expressions for until_true expand when they are tried.
# shellcheck disable=SC2154,SC2016

bats_require_minimum_version 1.5.0

# shellcheck source-path=SCRIPTDIR
load jail.bash

setup() { jail_start; }

teardown() { jail_end; }

@test "the outside clock is read while clients count, not before" {
	echo 12abc >"$dir/clock"
	daemon_file --timeout 2 --standstill-clock "$dir/clock"
	pets_go_on 4
	run ! grep 'no reading' "$dir/log"
	client a keep db 5000 50
	until_true grep -q 'no reading' "$dir/log"
	pets_go_on
	run ! has_reset
}

@test "a clock that is far ahead for good is a pause beyond the deadline: reset" {
	date +%s >"$dir/clock"
	daemon_file --timeout 2 --standstill-clock "$dir/clock"
	client a keep db 5000 50
	echo $(($(date +%s) + 100)) >"$dir/clock"
	until_true has_reset
	grep -q 'stood still for' "$dir/log"
	reset_is_last
}
