#!/usr/bin/env bash
# Every call of ours fails once: see faults.c. BUILD is the folder that holds
# prove/relevo, prove/faults and mock/mock.
set -u
cd "$(dirname "$0")/../.."
build=${BUILD:-build/san}
dir=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait; rm -rf "$dir"' EXIT

fail()
{
	echo "not ok - faults: $1"
	tail -n 20 "$dir/err"
	exit 1
}

until_there()
{
	for _ in {1..200}; do
		[[ -e $1 ]] && return
		sleep 0.05
	done
	fail "no $1"
}

"$build/mock/mock" --port-file "$dir/port" --default tokens=5 &
pids+=($!)
until_there "$dir/port"
until [[ -s $dir/port ]]; do sleep 0.01; done
port=$(<"$dir/port")
# m2: a refusal that closes nothing, so that the pair's first lane is asked
# again each time. m3: its connection is not used again.
cat >"$dir/relevo.conf" <<END
server {
	state = "$dir/state"
	access = open
	workers = 1
}
provider p1 {
	url = "http://127.0.0.1:$port/v1"
	key = test-key-p1
}
model p1/m1 { }
model p1/m2 { }
model p1/m3 { }
alias pair { models = {"p1/m2", "p1/m1"} }
END
chmod 600 "$dir/relevo.conf"
curl -sS -X PUT "http://127.0.0.1:$port/_mock/script?model=m2" \
    --data-binary 'status=400,message=this+is+unsupported' >/dev/null
curl -sS -X PUT "http://127.0.0.1:$port/_mock/script?model=m3" \
    --data-binary 'tokens=5,nochunk' >/dev/null
truncate -s 4096 "$dir/page"
RELEVO_FAIL=$dir/page "$build/prove/relevo" --config "$dir/relevo.conf" \
    serve --socket "$dir/sock" 2>"$dir/err" &
pids+=($!)
server=$!
until_there "$dir/sock"
sleep 0.5
"$build/prove/faults" "$dir/sock" "$dir/page" "$server" \
    "exec $build/relevo --config $dir/relevo.conf state reset >$dir/reset" \
    >"$dir/out" 2>&1
status=$?
grep -v '^#' "$dir/out"
[[ $status == 0 ]] || fail "status $status"
kill "$server"
wait "$server" || fail "it ended with $?"
pids=("${pids[0]}")
if grep -E 'Sanitizer|runtime error|worker_died' "$dir/err"; then
	fail 'leaks or faults'
fi
"$build/prove/relevo" --config "$dir/relevo.conf" state verify || fail verify
inflight=$("$build/prove/relevo" --config "$dir/relevo.conf" usage --json |
    jq '.totals.inFlight')
[[ $inflight == 0 ]] || fail "$inflight leases are left"
sed 's/^# //' "$dir/out" | paste -sd' ' |
    sed 's/^/ok - every call fails once: /'
