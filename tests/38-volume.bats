# A stream larger than memory should be: what comes in goes out, and what a
# client does not take is left with the provider.

bats_require_minimum_version 1.5.0
load helper

# MiB of the long answer; `RELEVO_VOLUME=1024 bats tests/38-volume.bats` for
# a whole GB.
VOLUME=${RELEVO_VOLUME:-200}

setup()
{
	setup_dir
	mock_start
	{
		config_mock p1 m1
		config_mock p2 m2
	} | config_write 'client-stall = 1h'
	nginx_start keep
	ask m2
	http_status 200
	WORKER=$(pgrep -o -P "$RELEVO_PID")
}

teardown()
{
	stop_all
}

# kb FIELD: of the worker's memory.
kb()
{
	awk -v field="$1:" '$1 == field { print $2 }' "/proc/$WORKER/status"
}

# The most that it ever had is at most 8 MiB above `before`. ASan keeps what
# was freed.
flat()
{
	grep -qa __asan_init "$RELEVO" || (($(kb VmHWM) - before < 8192)) ||
	    fail "it had $before kB, and grew to $(kb VmHWM)"
}

# How an answer ends, and in $DIR/bytes its length; it is not kept.
measure()
{
	curl -sS -m 300 -H 'Content-Type: application/json' \
	    --data-binary "$(chat_body m1 'stream: true')" \
	    "$URL/v1/chat/completions" |
	    tee >(wc -c >"$DIR/bytes") | tail -c 14
}

@test "volume: an answer of some hundred MiB leaves memory as it was" {
	local before

	before=$(kb VmRSS)
	mock_script m1 "tokens=$((VOLUME * 1024 * 1024 / 180))"
	[[ $(measure) == 'data: [DONE]' ]]
	until_true 5 test -s "$DIR/bytes"
	(($(<"$DIR/bytes") > VOLUME * 1024 * 1024)) || fail "$(<"$DIR/bytes") bytes"
	flat
}

@test "volume: so does one event of a quarter of that" {
	local before

	before=$(kb VmRSS)
	# Chunk 1 is made by the mock in one piece.
	mock_script m1 "tokens=1,bigline=$((VOLUME * 256 * 1024))"
	[[ $(measure) == 'data: [DONE]' ]]
	until_true 5 test -s "$DIR/bytes"
	(($(<"$DIR/bytes") > VOLUME * 256 * 1024))
	flat
}

# The mock has written no more between two looks, and others go on.
stuck()
{
	local sent

	sent=$(mock_stats .models.m1.tokens)
	ask m2
	[[ $http_code == 200 && $sent -gt 100 &&
	    $(mock_stats .models.m1.tokens) == "$sent" ]]
}

@test "volume: who does not read has at most some MiB on the way" {
	local before n=$((VOLUME * 1024 * 1024 / 180))

	before=$(kb VmRSS)
	mock_script m1 "tokens=$n,gate=g"
	mock_gate g 1
	stream_open m1
	stream_until 'w1 '
	kill -STOP "$(<"$DIR/stream.stream")"
	mock_gate g "$n"
	until_true 30 stuck
	# Two connections' buffers, nginx's and ours; a chunk has some 190 bytes.
	(($(mock_stats .models.m1.tokens) * 190 < 32 * 1024 * 1024)) ||
	    fail "$(mock_stats .models.m1.tokens) chunks on the way"
	flat
	kill -CONT "$(<"$DIR/stream.stream")"
	stream_close
	mock_wait m1 aborted 1
}
