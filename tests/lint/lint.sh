#!/bin/sh
# What other programs think of the code: clang-tidy (.clang-tidy says what it
# is asked), cppcheck, and pmccabe's measure of functions. Ends with 1 when one
# of them complains, or a function is more complex than MOST.
set -u
cd "$(dirname "$0")/../.."
most=${MOST:-40}
tidy=clang-tidy
flags="-std=gnu11 -D_GNU_SOURCE -Iinclude $(pkg-config --cflags libcjson)"
out=$(mktemp)
trap 'rm -f "$out"' EXIT
failed=0

# One line about the warnings that it hides goes to stderr for each file.
printf '%s\n' src/*.c | xargs -P "$(nproc)" -n 4 sh -c '
	tidy=$0 flags=$1
	shift
	exec $tidy --quiet "$@" -- $flags' "$tidy" "$flags" >"$out" 2>/dev/null
if grep -E '(warning|error):' "$out"; then
	failed=1
fi

# shellcheck disable=SC2086
cppcheck --quiet --enable=warning,performance,portability --inline-suppr \
    --std=c11 --language=c -Iinclude -D_GNU_SOURCE --error-exitcode=1 \
    --suppress=missingIncludeSystem src || failed=1

# pmccabe: modified complexity, complexity, statements, line, lines, name
pmccabe src/*.c >"$out"
echo 'The ten longest functions (lines):'
sort -k5,5nr "$out" | head -n 10 | awk '{ printf "%5d  %s %s\n", $5, $6, $7 }'
echo 'The ten most complex (McCabe):'
sort -k2,2nr "$out" | head -n 10 | awk '{ printf "%5d  %s %s\n", $2, $6, $7 }'
awk -v most="$most" '$2 > most {
	print $6, $7 ": complexity " $2 ", more than " most
	bad = 1
} END { exit bad }' "$out" || failed=1

[ "$failed" = 0 ] && echo 'lint: clean'
exit "$failed"
