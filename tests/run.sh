#!/bin/sh
# All tests: first what computes, one after the other, then what mostly waits,
# several at a time. Every part prints TAP; the last line counts. A part that
# ends without its plan, or whose build fails, counts as a failure.
set -u
cd "$(dirname "$0")/.."
: "${MAKE:=make}"
san=address,undefined
jobs=-j$(nproc)
# A test waits for most of its time: for a server, a minute's end, a beat.
lanes=${LANES:-$(($(nproc) * 3))}

# All temporary files and folders are in this one, of www-data's servers too.
run=$(mktemp -d /tmp/rv.XXXXXX) || exit 2
chmod 1777 "$run"
export TMPDIR="$run"
all=$run/all
mkdir "$run/told"

# Whoever has our folder in its environment was started by us. There is nobody
# when all went well, and nobody must be left of a run that is interrupted. What
# suexec is to run cannot lie in our folder; its name begins like ours.
leave()
{
	unset TMPDIR
	for try in 1 2 3 4 5 6 7 8 9; do
		pids=$(grep -lsF "${run##*/}" /proc/[0-9]*/environ |
		    cut -d / -f 3)
		[ -n "$pids" ] || break
		kill -KILL $pids 2>/dev/null
		sleep 0.1
	done
	rm -rf "$run" "/var/www/${run##*/}".*
}
trap leave EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# part NAME COMMAND...: its TAP goes to the screen and to the count.
part()
{
	name=$1 before=$(grep -c '^not ok' "$all")
	shift
	echo "# $name"
	{ "$@" 2>&1; echo "status $?"; } | tee -a "$all" |
	    grep --line-buffered -v '^status '
	if [ "$(tail -n 1 "$all")" != 'status 0' ]; then
		# A failing test has counted itself; a broken part has not.
		[ "$(grep -c '^not ok' "$all")" -gt "$before" ] ||
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

# later NAME COMMAND: to be run in a lane; told by told, under its part.
later()
{
	printf '%s\n' "$*" >>"$run/jobs"
}

# ends NAME...: part's command for what runs in lanes.
ends()
{
	sh tests/lane.sh told "$run/told" "$@"
}

# units: each program a job; a processor for each lane, for they compute.
units()
{
	names=$(ls build/san/unit | sed '/\.d$/d')
	mkdir "$run/units"
	for t in $names; do
		echo "$t CMOCKA_MESSAGE_OUTPUT=TAP build/san/unit/$t"
	done | sh tests/lane.sh run "$(nproc)" "$run/units" &
	echo $! >"$run/units/lanes"
	sh tests/lane.sh told "$run/units" $names
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
part 'fuzzing' sh tests/fuzz/run.sh "${FUZZ_SECONDS:-30}" 0 gates
part 'fuzzing what is behind' sh tests/fuzz/run.sh "${FUZZ_SECONDS:-9}" 0 behind
# Alone: it compares what is counted to the last request, and a process that
# has waited too long for the state file's lock counts for itself.
part 'the fault matrix' node tests/matrix/run.mjs

# In lanes: each test has ports, files and processes of its own. CGI starts
# slowly under the sanitizers, so they have fewer rounds; and they have nothing
# to say of web servers' files, of documents, of the mock and of the bench.
sanitized="RELEVO='$PWD/build/san/relevo' RELEVO_ROUNDS=200 RELEVO_STREAMS=300"
files=$(cd tests && ls *.bats)
fewer=$(echo "$files" | grep -vE '^(60-mounts|90-docs|bench|mock)\.bats$')
# The longest first, or the other lanes would wait for one in the end.
longest='60-mounts 45-waiting 70-engine 77-linger 90-docs 10-routes mock'
# Not by two at once.
sh conf/vendor.sh
later packages bats --tap tests/pack
later browser sh tests/browser/run.sh
later sdk sh tests/sdk/run.sh
for t in $({ printf '%s.bats\n' $longest; echo "$files"; } |
    awk '!seen[$0]++'); do
	later "$t" bats --tap "tests/$t"
	echo "$fewer" | grep -qxF "$t" &&
	    later "sanitized-$t" "$sanitized" bats --tap "tests/$t"
done
sh tests/lane.sh run "$lanes" "$run/told" <"$run/jobs" &
echo $! >"$run/told/lanes"
part 'the JavaScript SDKs' ends sdk
part 'the page, in a browser' ends browser
part 'packages' ends packages
part 'end to end' ends $files
part 'end to end (sanitizers)' ends $(printf 'sanitized-%s\n' $fewer)

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
