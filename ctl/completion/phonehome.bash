# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of phonehome for bash. Words come from the command itself and from the packs.

_phonehome() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} verb=${COMP_WORDS[1]-} words
	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		words=$(phonehome __complete verbs 2>/dev/null)
	elif [[ $prev == --* ]] && words=$(phonehome __complete values "$prev" 2>/dev/null) && [ -n "$words" ]; then
		:
	elif [[ $cur == -* ]]; then
		words=$(phonehome __complete options "$verb" "${COMP_WORDS[2]-}" 2>/dev/null)
	elif [ "$COMP_CWORD" = 2 ]; then
		words=$(phonehome __complete arguments "$verb" 2>/dev/null)
	else
		words=$(phonehome __complete arguments "$verb" "${COMP_WORDS[2]-}" 2>/dev/null)
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	if [ "${#COMPREPLY[@]}" = 0 ]; then
		compopt -o default 2>/dev/null
	fi
}
complete -F _phonehome phonehome
