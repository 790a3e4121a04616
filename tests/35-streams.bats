# Streams when a side is slow, silent or gone.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	mock_start
}

teardown()
{
	stop_all
}

config_plain()
{
	{
		config_mock p1 m1
		config_mock p2 m2
	} | sed '/test-key-p1/a\
	'"${2:-}" | config_write "${1:-}"
}

# -- The client leaves --------------------------------------------------------

leaves_in_the_middle()
{
	mock_script m1 silence=1
	stream_open m1
	stream_until 'w1 '
	stream_close
	mock_wait m1 aborted 1
	logged '.status == 499 and .model == "m1"'
	req GET /usage
	json '.totals.inFlight == 0 and .usage[0].localStats.requests == 1
	    and .usage[0].localStats.failures == 0 and .totals.tokens > 0'
}

leaves_at_once()
{
	mock_script m1 gatehead=never
	stream_open m1
	mock_wait m1 inflight 1
	stream_close
	mock_wait m1 aborted 1
	logged '.status == 499'
	req GET /usage
	json '.totals.inFlight == 0'
}

@test "gone: in the middle, lighttpd fcgi" {
	config_plain
	lighttpd_start fcgi
	leaves_in_the_middle
}

# lighttpd 1.4.69 now and then (9 of 40) does not see the client's FIN while an
# answer has no head yet, and never under CGI: the first heartbeat finds out.
@test "gone: before the first byte, lighttpd fcgi, at the latest by heartbeat" {
	config_plain 'heartbeat = 100ms'
	lighttpd_start fcgi
	leaves_at_once
}

@test "gone: in the middle, nginx" {
	config_plain
	nginx_start
	leaves_in_the_middle
}

@test "gone: before the first byte, nginx keep" {
	config_plain
	nginx_start keep
	leaves_at_once
	# The next request has a connection of its own, or a clean one.
	ask m2
	http_status 200
}

@test "gone: in the middle, cgi" {
	config_plain
	lighttpd_start cgi
	leaves_in_the_middle
}

@test "gone: before the first byte, cgi, by the heartbeat" {
	config_plain 'heartbeat = 100ms'
	lighttpd_start cgi
	leaves_at_once
}

@test "gone: while another is tried, nothing more is asked" {
	config_plain '' 'first-event-timeout = 60s'
	nginx_start
	mock_script m1 gatehead=h,status=500
	ASK_PATH=/chat stream_open ''
	mock_wait m1 inflight 1
	stream_close
	mock_wait m1 aborted 1
	mock_gate h 1
	logged '.status == 499'
	[[ $(mock_stats .models.m2.requests) == null ]]
}

# -- Silence ------------------------------------------------------------------

@test "heartbeat: a comment comes while the provider thinks" {
	config_plain 'heartbeat = 50ms'
	lighttpd_start fcgi
	mock_script m1 gatehead=h
	stream_open m1
	stream_until ': keepalive'
	mock_gate h 1
	stream_wait
	[[ $status == 0 ]]
	stream_whole "$DIR/stream.out"
	[[ $(sse_text "$DIR/stream.out") == 'w1 w2 w3 w4 w5 ' ]]
	[[ $(grep -v -e '^data: ' -e '^: keepalive$' -e '^$' \
	    "$DIR/stream.out") == '' ]]
}

@test "heartbeat: after it another is still tried in silence" {
	config_plain 'heartbeat = 50ms'
	lighttpd_start fcgi
	mock_script m1 gatehead=h,status=500
	ASK_PATH=/chat stream_open '' '' -D "$DIR/head"
	stream_until ': keepalive'
	mock_gate h 1
	stream_wait
	[[ $status == 0 ]]
	stream_whole "$DIR/stream.out"
	[[ $(sse_text "$DIR/stream.out") == 'w1 w2 w3 w4 w5 ' ]]
	run ! grep -q '"error"' "$DIR/stream.out"
	run ! header x-relevo-provider
	# The head had gone: who answers is in the first event.
	[[ $(events "$DIR/stream.out" | head -n 1 | jq -r .relevo.attempts) \
	    == p1:500,p2:ok ]]
}

@test "heartbeat: when then nobody can, an event says so" {
	config_mock p1 m1 | config_write 'heartbeat = 50ms'
	lighttpd_start fcgi
	mock_script m1 gatehead=h,status=500
	stream_open m1
	stream_until ': keepalive'
	mock_gate h 1
	stream_wait
	[[ $status == 0 ]]
	run ! grep -q -e DONE -e finish "$DIR/stream.out"
	events "$DIR/stream.out" | jq -e '.error.code == "upstream_status"'
}

@test "heartbeat: between two chunks, and none in bare text" {
	config_plain 'heartbeat = 50ms'
	lighttpd_start fcgi
	mock_script m1 tokens=2,gate=g
	mock_gate g 1
	stream_open m1
	ASK_PATH=/chat STREAM=text stream_open m1 '' -H 'Accept: text/plain'
	stream_until 'w1 '
	stream_until ': keepalive'
	STREAM=text stream_until 'w1 '
	mock_gate g 2
	stream_wait
	stream_whole "$DIR/stream.out"
	STREAM=text stream_wait
	[[ $output == 'w1 w2 ' ]]
}

# The provider keeps the connection open for a while after its end.
@test "heartbeat: none behind [DONE]" {
	config_plain 'heartbeat = 50ms'
	lighttpd_start fcgi
	mock_script m1 tokens=2,silence=done
	stream_open m1
	stream_wait
	[[ $(tail -n 2 "$DIR/stream.out") == 'data: [DONE]' ]] ||
	    fail "$(tail -n 4 "$DIR/stream.out")"
}

@test "gone: behind [DONE] the client has not left, it is done" {
	config_plain
	nginx_start
	mock_script m1 tokens=2,silence=done
	stream_open m1
	stream_until DONE
	stream_close
	logged '.model == "m1"'
	logged '.status == 200'
}

# -- A client that does not read ----------------------------------------------

worker_pid()
{
	pgrep -o -P "$RELEVO_PID"
}

rss_kb()
{
	awk '/^VmRSS/ { print $2 }' "/proc/$1/status"
}

# The mock has written no more between two looks.
stuck()
{
	local before

	before=$(mock_stats .models.m1.tokens)
	ask m2
	ask m2
	[[ $http_code == 200 && $before -gt 100 &&
	    $(mock_stats .models.m1.tokens) == "$before" ]]
}

# A stopped client: what it does not read is left with the provider.
does_not_read()
{
	local before after n=200000

	ask m2
	before=$(rss_kb "$(worker_pid)")
	mock_script m1 tokens=$n,gate=g
	mock_gate g 1
	stream_open m1
	stream_until 'w1 '
	kill -STOP "$(<"$DIR/stream.stream")"
	mock_gate g "$n"
	until_true 30 stuck
	(($(mock_stats .models.m1.tokens) < n))
	after=$(rss_kb "$(worker_pid)")
	# ASan keeps what was freed.
	if ! grep -qa __asan_init "$RELEVO"; then
		((after - before < 3000)) || fail "grew by $((after - before))"
	fi
	kill -CONT "$(<"$DIR/stream.stream")"
	stream_wait
	[[ $status == 0 ]]
	grep -o '"content":"w[0-9]* "' "$DIR/stream.out" |
	    awk -F '[w ]' '$(NF - 1) != NR { exit 1 } END { exit NR != '$n' }'
	[[ $(grep '^data:' "$DIR/stream.out" | tail -n 1) == 'data: [DONE]' ]]
}

@test "stalled: others go on, memory stays, every byte comes: lighttpd" {
	config_plain 'client-stall = 1h'
	lighttpd_start socket
	does_not_read
}

@test "stalled: others go on, memory stays, every byte comes: nginx" {
	config_plain 'client-stall = 1h'
	nginx_start keep
	does_not_read
}

# A beat that was due after the pause is no sign that there is room.
@test "stalled: longer than a heartbeat, and every byte comes: lighttpd" {
	config_plain $'client-stall = 1h\n\theartbeat = 20ms'
	lighttpd_start socket
	does_not_read
}

@test "stalled: longer than a heartbeat, and every byte comes: nginx" {
	config_plain $'client-stall = 1h\n\theartbeat = 20ms'
	nginx_start keep
	does_not_read
}

@test "stalled: for client-stall, and the connection is closed" {
	config_plain 'client-stall = 300ms'
	nginx_start
	mock_script m1 tokens=200000,gate=g
	mock_gate g 1
	stream_open m1
	stream_until 'w1 '
	kill -STOP "$(<"$DIR/stream.stream")"
	mock_gate g 200000
	mock_wait m1 aborted 1
	logged '.status == 499'
	grep -q '"event":"client_stalled".* for 300 ms"' "$DIR/relevo.err"
	kill -CONT "$(<"$DIR/stream.stream")"
	stream_wait
	run ! grep -q -e DONE -e '"finish_reason":"' "$DIR/stream.out"
}
