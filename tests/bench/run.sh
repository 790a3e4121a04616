#!/bin/sh
# What relevo costs here and now: `make bench`. README.md beside this file.
#
#	BUILD=build tests/bench/run.sh		BASE=revision ROUNDS=5
#
# BASE: that revision is built below $BUILD/bench, with this Makefile's
# defaults, and measured beside the present one in the same run.
set -eu
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
name=$(git describe --always --dirty 2>/dev/null) || name='(no revision)'

if [ -n "${BASE:-}" ]; then
	base=$(git rev-parse --short "$BASE^{commit}")
	folder=$build/bench/$base
	if [ ! -x "$folder/build/relevo" ]; then
		echo "building $base" >&2
		rm -rf "$folder"
		mkdir -p "$folder"
		git archive "$base" | tar -x -C "$folder"
		env -u MAKEFLAGS -u MAKELEVEL make -j2 -C "$folder" \
		    BUILD=build build/relevo >"$folder/make.log" 2>&1 || {
			tail -n 20 "$folder/make.log" >&2
			exit 1
		}
	fi
	set -- "$folder/build" "$base"
fi
NAME=$name node tests/bench/bench.mjs "$build" "$@"
echo
echo 'The ledger alone:'
"$build/bench/ledger"
