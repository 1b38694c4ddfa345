# SPDX-License-Identifier: GPL-2.0-or-later
#
# completion.bash - completion of `holdfast` for bash.
#
# Words, options and targets are asked of the program itself, so that this file holds no list that
# could grow old: subcommands and options from --help, targets from `fence list --json`.

# The lines of --help that name a subcommand or an option.
_holdfast_from_help() {
	"$@" --help 2>/dev/null </dev/null
}

# Complete the last name of a host list written with commas: node1,no<TAB>.
_holdfast_targets() {
	local current=$1 prefix='' names
	if [[ $current == *,* ]]; then
		prefix=${current%,*},
		current=${current##*,}
	fi
	names=$("$program" fence list --json "${config[@]}" 2>/dev/null </dev/null |
		sed -n 's/^{"kind":"target","target":"\([^"]*\)".*/\1/p')
	mapfile -t COMPREPLY < <(compgen -P "$prefix" -W "$names" -- "$current")
}

# An agent: the name of one that is installed, or a file.
_holdfast_agents() {
	local names
	names=$("$program" fence agents --json 2>/dev/null </dev/null |
		sed -n 's/^{"agent":"\([^"]*\)".*/\1/p')
	mapfile -t COMPREPLY < <(compgen -W "$names" -- "$1"; compgen -f -- "$1")
}

# A named lock; behind "--" the command that runs under it.
_holdfast_locks() {
	local names i
	for ((i = 3; i < COMP_CWORD; i++)); do
		if [ "${COMP_WORDS[i]}" = -- ]; then
			mapfile -t COMPREPLY < <(compgen -c -- "$1"; compgen -f -- "$1")
			return
		fi
	done
	names=$("$program" lock list --json 2>/dev/null </dev/null |
		sed -n 's/^{"name":"\([^"]*\)".*/\1/p')
	mapfile -t COMPREPLY < <(compgen -W "$names" -- "$1")
}

_holdfast() {
	local program=${COMP_WORDS[0]} current=${COMP_WORDS[COMP_CWORD]}
	local before=${COMP_WORDS[COMP_CWORD - 1]} word i
	local -a path=() config=()

	COMPREPLY=()
	case $before in
	-c | --config | --dir | --options-file | --walk)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	-t | --timeout | -p | --parallel | -l | --last | --key | --old-key | --initiator | --nexus | \
		--name | --nodes | --force | --node | --locks | --epoch | --members | --wait)
		return
		;;
	--sector)
		mapfile -t COMPREPLY < <(compgen -W "512 4096" -- "$current")
		return
		;;
	--arbiter)
		mapfile -t COMPREPLY < <(compgen -W "auto pr paxos" -- "$current")
		return
		;;
	--type)
		mapfile -t COMPREPLY < <(compgen -W "we ea we-ro ea-ro we-ar ea-ar" -- "$current")
		return
		;;
	--lang)
		mapfile -t COMPREPLY < <(compgen -W "c sh python" -- "$current")
		return
		;;
	--format)
		mapfile -t COMPREPLY < <(compgen -W "text markdown" -- "$current")
		return
		;;
	--by)
		mapfile -t COMPREPLY < <(compgen -W "hardware self" -- "$current")
		return
		;;
	esac

	# Words of the subcommand so far, options and their values left out.
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-c | --config)
			i=$((i + 1))
			config=(-c "${COMP_WORDS[i]}")
			;;
		-t | --timeout | -p | --parallel | -l | --last | --dir | --options-file | --walk | --lang | --format | --by)
			i=$((i + 1))
			;;
		--key | --old-key | --type | --initiator | --nexus | --name | --nodes | --force | --node | --sector | --arbiter | --locks | --epoch | --members | --wait)
			i=$((i + 1))
			;;
		-*) ;;
		*) [ "${#path[@]}" -eq 2 ] || path+=("$word") ;;
		esac
	done

	if [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_holdfast_from_help "$program" "${path[@]}" |
			grep -oE '^  (-.,|   ) --[a-z-]+' | grep -oE -- '--[a-z-]+')" -- "$current")
	elif [ "${#path[@]}" -lt 2 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_holdfast_from_help "$program" "${path[@]}" |
			sed -n '/^Subcommands:/,/^$/s/^  \([a-z-]*\) .*/\1/p')" -- "$current")
	else
		case "${path[*]}" in
		"fence status" | "fence on" | "fence off" | "fence reboot" | "fence test" | "fence history")
			_holdfast_targets "$current"
			;;
		"agent conform") _holdfast_agents "$current" ;;
		"lock run" | "lock list" | "lock show" | "lock break") _holdfast_locks "$current" ;;
		"device check" | disk\ * | pr\ *) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
		esac
	fi
}

complete -F _holdfast holdfast
