#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# deps.sh - see that the Debian packages of packages.txt are installed: deps.sh [SECTION...]
#
# SECTIONs are those of packages.txt; without any it is all of them.
# Run by make before it tests anything. As root it installs what is missing; otherwise it prints
# the one command that would, and fails. Needs nothing beyond a minimal Debian.
set -eu
cd "$(dirname "$0")/.."

if ! command -v dpkg-query >/dev/null; then
	echo "deps: not a Debian system; the packages of packages.txt are needed by other means" >&2
	exit 0
fi

wanted=$(awk -v sections="$*" '
	{ sub(/#.*/, "") }
	/^\[/ { chosen = sections == "" || index(" " sections " ", " " substr($1, 2, length($1) - 2) " ") }
	NF && !/^\[/ && chosen { print $1 }
' packages.txt)
missing=
for package in $wanted; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "deps: packages are missing; install them with:" >&2
	echo "  sudo apt-get install --no-install-recommends$missing" >&2
	exit 1
fi

echo "deps: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # a list of words
if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } \
	>"$log" 2>&1 </dev/null; then
	cat "$log" >&2
	echo "deps: apt-get could not install$missing; see above" >&2
	exit 1
fi
