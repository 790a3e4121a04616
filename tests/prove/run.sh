#!/bin/sh
# `make prove`: the long proofs one after the other, and at the end a table of
# what each one said. Beside them, in what processor time they leave, the fuzz
# targets of what comes from outside make 10 million runs each, in PROVE_FUZZ
# seconds at most; those behind them, which do a whole chat or read a whole file
# in each run, as many as they can in PROVE_BEHIND seconds; the table says how
# many. Status 1 if a proof failed; the whole output is kept in build/prove/log.
set -u
cd "$(dirname "$0")/../.."
build=${BUILD:-build}
log=$build/prove/log
table=$build/prove/table
mkdir -p "$build/prove"
: >"$log"
: >"$table"
bad=0

# proof NAME SAYS COMMAND...: SAYS is a sed script that finds, in the output,
# the line for the table.
proof()
{
	name=$1 says=$2
	shift 2
	echo "## $name"
	start=${BEGAN:-$(date +%s)}
	"$@" >"$log.one" 2>&1
	status=$?
	took=$(($(date +%s) - start))
	cat "$log.one" >>"$log"
	[ "$status" = 0 ] || {
		bad=1
		tail -n 40 "$log.one"
	}
	{
		sed -n "$says" "$log.one" | grep . || echo 'no word of it'
	} | tail -n "${LINES_MOST:-1}" | while read -r line; do
		printf '| %s | %s | %s s | %s |\n' "$name" "$line" \
		    "$took" "$([ "$status" = 0 ] && echo yes || echo NO)"
	done | tee -a "$table"
}

# beside COMMAND...: in a group of its own; told gives its output and status.
beside()
{
	began=$(date +%s)
	setsid sh -c '"$@"; echo "status $?"' sh nice -n 10 "$@" \
	    >"$log.beside" 2>&1 &
	beside=$!
	trap 'kill -- "-$beside" 2>/dev/null' EXIT
	trap 'exit 130' INT TERM
}

told()
{
	wait "$beside"
	sed '$d' "$log.beside"
	return "$(sed -n '$s/^status //p' "$log.beside")"
}

beside env BUILD="$build" sh tests/fuzz/run.sh "${PROVE_FUZZ:-3600}" 10000000 \
    gates
proof 'cut at every store' '$p' "$build/kill/cut"
proof '20,000 power cuts' '$p' "$build/kill/power" 20000
proof '10,000 kills' '$p' "$build/kill/kill" 10000
proof 'every call fails once' 's/^ok - every call fails once: //p' \
    env BUILD=build/san bash tests/prove/faults.sh
proof 'the fault matrix, sanitizers' 's/^# \([0-9]* of [0-9]* .*\)/\1/p' \
    env RELEVO="$PWD/build/san/relevo" \
    ASAN_OPTIONS=abort_on_error=0:detect_leaks=1 \
    UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
    node tests/matrix/run.mjs
LINES_MOST=40 proof 'streams, a million requests, a day' \
    's/^ok [0-9]* soak: //p' bats --tap tests/prove/soak.bats
proof 'the time of a refusal' '$p' "$build/prove/timing"
LINES_MOST=40 proof 'fuzzing what is behind' 's/^ok [0-9]* - //p' \
    env BUILD="$build" sh tests/fuzz/run.sh "${PROVE_BEHIND:-30}" 0 behind
LINES_MOST=40 BEGAN=$began proof 'fuzzing, beside all of these' \
    's/^ok [0-9]* - //p' told

echo
echo "$(date -u +%F), $(nproc) processors," \
    "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)," \
    "Linux $(uname -r | cut -d. -f1,2)"
echo '| proof | what it said | time | held |'
echo '|---|---|---|---|'
cat "$table"
exit "$bad"
