#!/bin/sh
# Run the fuzz targets that were built (make fuzz-build), one on each processor.
# TAP.
#
#	run.sh [SECONDS [RUNS [NAME...]]]	30 s each; RUNS 0: no bound
#
# Each starts from a scratch copy of tests/fuzz/corpus/NAME, so a run never
# changes the seeds. What fails is kept as BUILD/fuzz/crash/NAME-*, to be
# given to BUILD/fuzz/f_NAME as its argument.
set -u
cd "$(dirname "$0")/../.." || exit 2
: "${BUILD:=build}"
dir=$BUILD/fuzz

# one SECONDS RUNS NAME: a run, and its line of TAP without a number.
one()
{
	seconds=$1 runs=$2 name=$3
	work=$dir/work/$name
	log=$dir/work/$name.log
	rm -rf "$work"
	mkdir -p "$work" "$dir/crash"
	rm -f "$dir/crash/$name"-*
	seeds=tests/fuzz/corpus/$name
	[ ! -d "$seeds" ] || cp -R "$seeds/." "$work/"
	dict=tests/fuzz/corpus/$name.dict
	# The program's own stderr is closed: it logs what it is made to read.
	set -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
	    -artifact_prefix="$dir/crash/$name-" -print_final_stats=1 \
	    -close_fd_mask=3
	[ "$runs" -eq 0 ] || set -- "$@" -runs="$runs"
	[ ! -f "$dict" ] || set -- "$@" -dict="$dict"
	# Files of a target live in memory, and not longer than it does.
	tmp=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d) || exit 2
	TMPDIR=$tmp "$dir/f_$name" "$@" "$work" >"$log" 2>&1
	status=$?
	rm -rf "$tmp"
	if [ $status = 0 ]; then
		n=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log")
		# A target that takes no input has tested nothing.
		if [ "${n:-0}" -gt 10 ]; then
			echo "ok - fuzz $name: $n runs"
			return
		fi
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
[ $# -le 2 ] && set -- || shift 2
[ $# -gt 0 ] ||
    set -- $(ls tests/fuzz/f_*.c | sed 's,.*/f_\(.*\)\.c,\1,')
mkdir -p "$dir/work"
export BUILD
printf '%s\n' "$@" |
    xargs -P "${FUZZ_JOBS:-$(nproc)}" -n 1 sh tests/fuzz/run.sh -one "$seconds" "$runs"
for name; do
	cat "$dir/work/$name.tap"
done | awk '
	/^(not )?ok / { n++; sub(/ok/, "ok " n); bad += /^not/ }
	{ print }
	END { print "1.." n; exit bad > 0 || n == 0 }'
