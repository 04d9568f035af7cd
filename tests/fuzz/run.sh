#!/bin/sh
# run.sh TARGET CORPUS search|replay
set -eu
target=$1 corpus=$2 how=$3
[ -n "$(ls "$corpus")" ]
if [ "$how" = replay ]; then
	exec "$target" "$corpus"/*
fi
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
# What crashes is left in meson's build directory, and printed in base64. libFuzzer's own exit code for it is 77, which would be a skip.
"$target" -max_total_time="${FUZZ_SECONDS:-15}" -timeout=10 -rss_limit_mb=2048 -error_exitcode=1 -print_final_stats=1 \
	-artifact_prefix=./ "$found" "$corpus"
