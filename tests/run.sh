#!/bin/sh
# All tests, cheapest first. Every part prints TAP; the last line counts.
# A part that ends without its plan, or whose build fails, counts as a failure.
set -u
cd "$(dirname "$0")/.."
: "${MAKE:=make}"
san=address,undefined
jobs=-j$(nproc)
all=$(mktemp)
later=$(mktemp)
trap 'rm -f "$all" "$later"' EXIT

# part NAME COMMAND...: its TAP goes to the screen and to the count.
part()
{
	name=$1
	shift
	echo "# $name"
	{ "$@" 2>&1; echo "status $?"; } | tee -a "$all" | grep -v '^status '
	if [ "$(tail -n 1 "$all")" != 'status 0' ]; then
		# A failing test has counted itself; a broken part has not.
		grep -q '^not ok' "$all" ||
		    echo "not ok - $name ended with $(tail -n 1 "$all")" |
		    tee -a "$all"
	fi
}

# check NAME COMMAND...: one test that passes or fails as a whole.
check()
{
	name=$1
	shift
	if out=$("$@" 2>&1); then
		echo "$out" | tail -n 9 | sed 's/^/# /'
		echo "ok - $name" | tee -a "$all"
	else
		echo "$out" | tail -n 40
		echo "not ok - $name" | tee -a "$all"
	fi
}

# told FILE: what a part that ran in the background left, and its status.
told()
{
	sed '$d' "$1"
	return "$(tail -n 1 "$1" | sed 's/^status //')"
}

units()
{
	for t in build/san/unit/t_*; do
		case $t in *.d) continue ;; esac
		CMOCKA_MESSAGE_OUTPUT=TAP "$t" || return 1
	done
}

export ASAN_OPTIONS=abort_on_error=0:detect_leaks=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1

check 'layers: includes go down' sh tests/layers.sh
check 'the program builds without a warning' \
    $MAKE $jobs WERROR=1 all mock
check 'so it does with the sanitizers' \
    $MAKE $jobs WERROR=1 SAN=$san all mock
check 'so do the unit tests' $MAKE $jobs WERROR=1 SAN=$san unit
part 'unit tests (sanitizers)' units
check 'the tests under fire build' $MAKE $jobs build/kill/kill \
    build/kill/cut build/kill/power
check 'a change cut at every store is all or nothing' build/kill/cut
check '2,000 images of a power cut: all readable' build/kill/power 2000
check '2,000 kills: nothing lost, nothing doubled' build/kill/kill 2000
part 'what a request costs' bats --tap tests/gate
check 'the simulated day builds' $MAKE $jobs build/sim/day
check 'a simulated day: no late 429, nothing left unused' build/sim/day
check 'the fuzz targets build' $MAKE $jobs fuzz-build
# The gates of what comes from outside have more time than what is behind them.
gates='json sse chat reply http fcgi config'
behind=$(ls tests/fuzz/f_*.c | sed 's,.*/f_\(.*\)\.c,\1,' |
    grep -vxF "$(printf '%s\n' $gates)")
part 'fuzzing' sh tests/fuzz/run.sh "${FUZZ_SECONDS:-30}" 0 $gates
part 'fuzzing what is behind' sh tests/fuzz/run.sh "${FUZZ_SECONDS:-10}" 0 \
    $behind
part 'the fault matrix' node tests/matrix/run.mjs
# Meanwhile: the two next parts are mostly waiting.
{ bats --tap tests/pack; echo "status $?"; } >"$later" 2>&1 &
part 'the JavaScript SDKs' sh tests/sdk/run.sh
part 'the page, in a browser' sh tests/browser/run.sh
wait
part 'packages' told "$later"
# Both at once: each test has ports, files and processes of its own. CGI starts
# slowly under the sanitizers, so they have fewer rounds; and they have nothing
# to say of web servers' files, of documents, of the mock and of the bench.
{
	RELEVO=$PWD/build/san/relevo RELEVO_ROUNDS=200 RELEVO_STREAMS=300 \
	    bats --tap $(ls tests/*.bats |
	    grep -vE '/(60-mounts|90-docs|bench|mock)\.bats$')
	echo "status $?"
} >"$later" 2>&1 &
part 'end to end' bats --tap tests
wait
part 'end to end (sanitizers)' told "$later"

check 'no key and no token in what all of that printed' \
    sh tests/canary.sh "$all"

passed=$(grep -c '^ok' "$all")
failed=$(grep -c '^not ok' "$all")
skipped=$(grep -c '^ok.*# skip' "$all")
if [ "$failed" -gt 0 ]; then
	echo
	grep '^not ok' "$all"
fi
if [ "$skipped" -gt 0 ]; then
	echo "$((passed - skipped)) passed, $failed failed, $skipped skipped"
else
	echo "$passed passed, $failed failed"
fi
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
