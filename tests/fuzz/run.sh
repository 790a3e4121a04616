#!/bin/sh
# Run the fuzz targets that were built (make fuzz-build), one on each processor.
# TAP.
#
#	run.sh [SECONDS [RUNS [NAME...]]]	30 s each; RUNS 0: no bound
#
# A NAME may be `gates`: what comes from outside meets these first; or `behind`:
# all others. With RUNS nine of ten are made by BUILD/fuzz/plain/f_NAME, if it
# was built (make fuzz-plain), from what the first have found.
#
# Each starts from a scratch copy of tests/fuzz/corpus/NAME, so a run never
# changes the seeds; what it became is BUILD/fuzz/work/NAME. What fails is kept
# as BUILD/fuzz/crash/NAME-*, to be given to BUILD/fuzz/f_NAME as its argument.
set -u
cd "$(dirname "$0")/../.." || exit 2
: "${BUILD:=build}"
dir=$BUILD/fuzz
# The slowest first, so that the processors end together.
gates='config reply fcgi json sse http chat'
all=$(ls tests/fuzz/f_*.c | sed 's,.*/f_\(.*\)\.c,\1,')

# A target with no more runs has tested nothing.
least=10

# A target frees less than a megabyte in a run: 16 MB hold what it freed for
# longer than it runs, and stay in the cache, as 256 do not. Where a block was
# allocated is not kept, for that takes a tenth of the time: the artifact, run
# by hand, tells. Of what malloc gives (libconfuse's lexer takes 16 KiB for a
# value) only the beginning is filled.
asan=quarantine_size_mb=16:malloc_context_size=0:max_malloc_fill_size=64
ASAN_OPTIONS=$asan:${ASAN_OPTIONS-}
export ASAN_OPTIONS BUILD

# fuzz PROGRAM SECONDS RUNS OPTION...: one run of libFuzzer; counts it in $done.
fuzz()
{
	program=$1 time=$2 most=$3
	shift 3
	[ "$most" -eq 0 ] || set -- -runs="$most" "$@"
	"$program" -max_total_time="$time" "$@" >>"$log" 2>&1 || return
	done=$((done + $(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log" |
	    tail -n 1)))
}

# both SECONDS RUNS OPTION...: with comparisons followed, and without.
both()
{
	seconds=$1 runs=$2 start=$(date +%s) done=0 tenth=$2
	shift 2
	[ "$runs" -eq 0 ] || ! [ -x "$dir/plain/f_$name" ] ||
	    tenth=$((runs / 10))
	fuzz "$dir/f_$name" "$seconds" "$tenth" "$@" || return
	left=$((start + seconds - $(date +%s)))
	[ "$done" -ge "$runs" ] || [ "$left" -le 0 ] || fuzz \
	    "$dir/plain/f_$name" "$left" $((runs - done)) "$@" || return
	# A machine that was too busy for it: a few, however long they take.
	[ "$done" -gt "$least" ] || fuzz "$dir/f_$name" 0 $((least * 2)) "$@"
}

# most NAME: the bytes of an input; 0: libFuzzer's 4096, or the longest seed.
# Several times the bounds that the target sets: an event of 64 bytes (sse), an
# event of 512 and an object of 1024 (reply); the scanner goes 128 deep (json),
# and a section with every option has 700 (config, which makes a fifth fewer of
# twice as long ones). Longer ones repeat.
most()
{
	case $1 in
	sse | config)
		echo 1024 ;;
	json | reply)
		echo 2048 ;;
	*)
		echo 0 ;;
	esac
}

# one SECONDS RUNS NAME: a run, and its line of TAP without a number.
one()
{
	seconds=$1 runs=$2 name=$3
	log=$dir/work/$name.log
	mkdir -p "$dir/crash"
	rm -rf "$dir/work/$name" "$dir/crash/$name"-* "$log"
	# What it reads and writes lives in memory: of a run of millions the
	# disk would take a twentieth.
	tmp=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d) || exit 2
	mkdir "$tmp/$name" "$tmp/tmp"
	seeds=tests/fuzz/corpus/$name
	[ ! -d "$seeds" ] || cp -R "$seeds/." "$tmp/$name/"
	dict=tests/fuzz/corpus/$name.dict
	# The program's own stderr is closed: it logs what it is made to read.
	# Nobody else adds to the folder, and to list its thousands of files
	# each second takes a twentieth. An input takes milliseconds, but on a
	# busy machine, where nice makes it wait, a minute says that it hangs.
	set -- -timeout=60 -reload=0 -rss_limit_mb=2048 -close_fd_mask=3 \
	    -artifact_prefix="$dir/crash/$name-" -print_final_stats=1
	[ ! -f "$dict" ] || set -- "$@" -dict="$dict"
	[ "$(most "$name")" = 0 ] || set -- "$@" -max_len="$(most "$name")"
	TMPDIR=$tmp/tmp both "$seconds" "$runs" "$@" "$tmp/$name"
	status=$?
	cp -R "$tmp/$name" "$dir/work/"
	rm -rf "$tmp"
	if [ "$status" = 0 ] && [ "$done" -gt "$least" ]; then
		echo "ok - fuzz $name: $done runs"
		return
	fi
	echo "not ok - fuzz $name: $(ls "$dir/crash/$name"-* 2>/dev/null |
	    tr '\n' ' ')"
	grep -avE '^#[0-9]+[[:space:]]|^	*NEW_FUNC' "$log" |
	    tail -n 60 | cut -c 1-200 | sed 's/^/# /'
}

if [ "${1-}" = -one ]; then
	shift
	one "$@" >"$dir/work/$3.tap"
	exit 0
fi

seconds=${1:-30}
runs=${2:-0}
[ $# -le 2 ] && set -- $all || shift 2
case $1 in
gates)
	set -- $gates ;;
behind)
	set -- $(echo "$all" | grep -vxF "$(printf '%s\n' $gates)") ;;
esac
mkdir -p "$dir/work"
printf '%s\n' "$@" |
    xargs -P "${FUZZ_JOBS:-$(nproc)}" -n 1 \
    sh tests/fuzz/run.sh -one "$seconds" "$runs"
for name; do
	cat "$dir/work/$name.tap"
done | awk '
	/^(not )?ok / { n++; sub(/ok/, "ok " n); bad += /^not/ }
	{ print }
	END { print "1.." n; exit bad > 0 || n == 0 }'
