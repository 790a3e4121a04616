#!/bin/sh
# cov.sh FOLDER: run what was built there with --coverage and sum it up.
set -eu
cd "$(dirname "$0")/../.."
build=$1
lanes=${LANES:-$(($(nproc) * 3))}
told=$(mktemp -d)
trap 'rm -rf "$told"' EXIT

# Whatever user a process is, it adds to these.
find "$build" -name '*.gcno' | while read -r notes; do
	: >"${notes%.gcno}.gcda"
	chmod 666 "${notes%.gcno}.gcda"
done
for t in "$build"/unit/t_*; do
	case $t in *.d | *.gc*) continue ;; esac
	"$t" >"$build/unit.txt" 2>&1 || { cat "$build/unit.txt"; exit 1; }
done
for t in tests/*.bats; do
	echo "${t##*/} bats --tap $t"
done | RELEVO=$PWD/$build/relevo RELEVO_ROUNDS=200 RELEVO_STREAMS=300 \
    sh tests/lane.sh run "$lanes" "$told"
cat "$told"/*.bats >"$build/bats.txt"
grep '^not ok' "$build/bats.txt" || true
# What only a killed process runs is not counted: it writes nothing at its end.
gcovr --root . --filter src/ --object-directory "$build" \
    --txt "$build/lines.txt" --print-summary |
    grep -E '^(lines|branches|functions)'
sort -k4,4n "$build/lines.txt" | grep '^src/' | head -n 15
