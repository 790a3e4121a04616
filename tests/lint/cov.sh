#!/bin/sh
# cov.sh FOLDER: run what was built there with --coverage and sum it up.
set -eu
cd "$(dirname "$0")/../.."
build=$1
find "$build" -name '*.gcda' -delete
for t in "$build"/unit/t_*; do
	case $t in *.d | *.gc*) continue ;; esac
	"$t" >"$build/unit.txt" 2>&1 || { cat "$build/unit.txt"; exit 1; }
done
RELEVO=$PWD/$build/relevo RELEVO_ROUNDS=200 RELEVO_STREAMS=300 \
    bats --tap tests >"$build/bats.txt" || grep '^not ok' "$build/bats.txt"
# What only a killed process runs is not counted: it writes nothing at its end.
gcovr --root . --filter src/ --object-directory "$build" \
    --txt "$build/lines.txt" --print-summary |
    grep -E '^(lines|branches|functions)'
sort -k4,4n "$build/lines.txt" | grep '^src/' | head -n 15
