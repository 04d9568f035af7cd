#!/bin/sh
# Is every shell script sound? shell-scripts.sh SOURCE_ROOT
set -eu
cd "$1"
command -v shellcheck >/dev/null || {
	echo "shellcheck is not installed"
	exit 77
}
scripts=$(find scripts .ci fs tests docs -type f -exec grep -lE '^#!/(usr/bin/env |bin/)(ba|da|)sh|^# shellcheck shell=' {} +)
[ -n "$scripts" ]
# shellcheck disable=SC2086 # names of the project's own files
shellcheck -x --severity=info $scripts
echo "$scripts"
