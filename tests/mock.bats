# The mock provider itself: the other files believe what it says.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	mkdir "$DIR/fix"
	mock_start --fixtures "$DIR/fix"
	URL=$MOCK_URL
}

teardown()
{
	stop_all
}

data_lines()
{
	grep -c '^data: ' "$DIR/body"
}

@test "mock: a stream has role, chunks, finish, usage if asked, [DONE]" {
	ask m1 'stream: true, stream_options: {include_usage: true}'
	http_status 200
	[[ $(header content-type) == text/event-stream* ]]
	[[ $(sse_text) == 'w1 w2 w3 w4 w5 ' ]]
	[[ $(data_lines) == 9 ]]
	[[ $(tail -n 2 "$DIR/body" | head -n 1) == 'data: [DONE]' ]]
	grep '"choices":\[\]' "$DIR/body" |
	    grep -q '"prompt_tokens":7,"completion_tokens":5,'
	ask m1 'stream: true'
	[[ $(data_lines) == 8 ]]
	run ! grep -q usage "$DIR/body"
}

@test "mock: without stream one object; nested names steer nothing" {
	req POST /x/y/chat/completions --data-binary '{"messages":[{"role":
	    "user","content":"\"stream\":true,\"model\":\"no\"","model":"no"}],
	    "tools":[{"stream":true}], "model" : "m1@tokens=2,usage=11:3"}'
	http_status 200
	json '.object == "chat.completion" and .model == "m1"'
	json '.choices[0].message.content == "w1 w2 "'
	json '.usage == {prompt_tokens:11,completion_tokens:3,total_tokens:14}'
	req POST /v1/chat/completions --data-binary '{"model":"m1"'
	http_status 400
}

@test "mock: a gate lets through what it was told, in order" {
	stream_open m1@tokens=3,gate=g
	mock_wait m1 requests 1
	mock_gate g 1
	stream_until 'w1 '
	[[ $(mock_stats .models.m1.tokens) == 1 ]]
	run ! grep -q 'w2 ' "$DIR/stream.out"
	mock_gate g 2
	stream_until 'w2 '
	[[ $(mock_stats .models.m1.inflight) == 1 ]]
	run ! grep -q 'w3 ' "$DIR/stream.out"
	mock_gate g 3
	stream_wait
	[[ $status == 0 && $output == *'w3 '*'[DONE]'* ]]
	[[ $(mock_stats .models.m1.completed) == 1 ]]
}

@test "mock: gatehead holds the head itself" {
	stream_open m1@gatehead=h '' -i
	mock_wait m1 inflight 1
	mock_gate h 0
	[[ ! -s $DIR/stream.out ]]
	mock_gate h 1
	stream_wait
	[[ $status == 0 && $output == *'[DONE]'* ]]
}

@test "mock: cut resets, fin closes, after exactly N chunks" {
	ask m1@cut=2 'stream: true'
	[[ $status == 56 && $(sse_text) == 'w1 w2 ' ]]
	ask m1@fin=3 'stream: true'
	[[ $status == 18 && $(sse_text) == 'w1 w2 w3 ' ]]
	# Behind the end is at the end, not never.
	ask m1@tokens=2,cut=9 'stream: true'
	[[ $status == 56 && $(sse_text) == 'w1 w2 ' ]]
	ask m1@cut=0,role0=no 'stream: true'
	[[ $status == 56 && $http_code == 200 && -z $output ]]
	ask m1@fin=0
	[[ $status == 18 ]]
	ask m1@close
	[[ $status == 52 ]]
	ask m1@reset
	[[ $status == 56 ]]
}

@test "mock: endings that lie" {
	ask m1@nofinish 'stream: true'
	[[ $status == 0 && $(data_lines) == 6 ]]
	ask m1@nodone 'stream: true'
	[[ $status == 0 && $output != *DONE* ]]
	[[ $output == *'"finish_reason":"stop"'* ]]
	ask m1@error=2,errcode=429 'stream: true'
	[[ $status == 0 && $(sse_text) == 'w1 w2 ' ]]
	[[ $(tail -n 2 "$DIR/body") == 'data: {"error":'*'"code":429}}' ]]
	ask m1@errorfirst 'stream: true'
	[[ $output == 'data: {"error":'* && $(data_lines) == 1 ]]
	ask m1@empty 'stream: true'
	[[ $http_code == 200 && -z $output ]]
	ask m1@html 'stream: true'
	[[ $(header content-type) == text/html ]]
	mock_reset
	stream_open m1@silence=1
	stream_until 'w1 '
	mock_wait m1 tokens 1
	stream_close
	mock_wait m1 aborted 1
	[[ $(sse_text "$DIR/stream.out") == 'w1 ' ]]
	stream_open m1@comments,pace=1
	stream_until ': MOCK'
	stream_close
	mock_wait m1 aborted 2
	run ! grep -qv -e '^: MOCK' -e '^$' "$DIR/stream.out"
}

@test "mock: faults behind the finish_reason, behind [DONE], and odd ones" {
	mock_script m1 tokens=2,error=finish
	ask m1 'stream: true'
	[[ $(events | tail -n 2 | jq -c '[.error.code,
	    .choices[0].finish_reason]' | paste -sd ' ') == \
	    '[null,"stop"] [502,null]' ]]
	mock_script m1 tokens=2,fin=done
	ask m1 'stream: true'
	[[ $status == 18 && $(grep -c '^data: \[DONE\]' "$DIR/body") == 1 ]]
	mock_script m1 junk=1
	ask m1 'stream: true'
	[[ $status == 0 && $(sse_text 2>/dev/null) == 'w1 ' ]]
	mock_script m1 badchunk=1
	ask m1 'stream: true'
	[[ $status != 0 && $(sse_text) == 'w1 ' ]]
	mock_script m1 hush=1,pace=1
	stream_open m1
	stream_until 'w1 '
	stream_until ': MOCK'
	stream_close
	mock_wait m1 aborted 1
}

@test "mock: statuses, headers, redirects" {
	ask 'm1@status=429,retry-after=7,header=X-A: b+c%2Cd,header=X-B:2'
	http_status 429
	json '.error.code == "rate_limit_exceeded"'
	[[ $(header retry-after) == 7 ]]
	[[ $(header x-a) == 'b c,d' && $(header x-b) == 2 ]]
	ask m1@redirect=http://127.0.0.1:1/x
	http_status 302
	[[ $(header location) == http://127.0.0.1:1/x ]]
	ask m1@headers=300,bigheader=50000
	http_status 200
	(($(wc -c <"$DIR/head") > 55000))
	ask m1@nosuchkey
	http_status 500
	json '.error.type == "mock_script"'
	ask m1@pace=soon
	http_status 500
}

@test "mock: event framing: crlf, cr, nospace, bom, fields, multiline" {
	local plain lines

	ask m1@tokens=2 'stream: true'
	plain=$(sse_text)
	for how in crlf nospace fields; do
		ask "m1@tokens=2,$how" 'stream: true'
		[[ $(sse_text) == "$plain" ]]
	done
	ask m1@tokens=2,crlf 'stream: true'
	lines=$(wc -l <"$DIR/body")
	[[ $(grep -c $'\r$' "$DIR/body") == "$lines" ]]
	ask m1@tokens=2,cr 'stream: true'
	[[ $(wc -l <"$DIR/body") == 0 ]]
	tr '\r' '\n' <"$DIR/body" >"$DIR/lf"
	[[ $(sse_text "$DIR/lf") == "$plain" ]]
	ask m1@bom 'stream: true'
	[[ $(head -c 3 "$DIR/body") == $'\xef\xbb\xbf' ]]
	ask m1@multiline 'stream: true'
	[[ $(head -n 2 "$DIR/body") == $'data: {\ndata: "id":'* ]]
	ask m1@nochunk 'stream: true'
	[[ $status == 0 && $(header connection) == close ]]
	run ! header transfer-encoding
}

@test "mock: any split gives the same bytes, and a large chunk is whole" {
	local whole

	ask m1@tokens=3,text=Hola+se%C3%B1or%2C+%F0%9F%9A%80 'stream: true'
	whole=$(sed 's/mock-[0-9]*//; s/"created":[0-9]*//' "$DIR/body")
	[[ $(sse_text) == 'Hola señor, 🚀' ]]
	for how in split=1 split=7 splitat=1 splitat=333; do
		ask "m1@text=Hola+se%C3%B1or%2C+%F0%9F%9A%80,$how" \
		    'stream: true'
		[[ $status == 0 ]]
		[[ $(sed 's/mock-[0-9]*//; s/"created":[0-9]*//' \
		    "$DIR/body") == "$whole" ]]
	done
	ask m1@bigline=5000000 'stream: true'
	[[ $status == 0 ]]
	[[ $(sse_text | tr -dc x | wc -c) == 5000000 ]]
}

@test "mock: tools and reasoning" {
	ask m1@tools,reasoning=2 'stream: true'
	[[ $output == *'"reasoning_content":"r1 "'*'"name":"get_weather"'* ]]
	[[ $output == *'"finish_reason":"tool_calls"'* ]]
	[[ $(sed -n 's/^data: {/{/p' "$DIR/body" | jq -rj \
	    '.choices[0].delta.tool_calls[0].function.arguments? // empty') \
	    == '{"city":"Oslo"}' ]]
	ask m1@tools=2
	json '.choices[0].message.tool_calls | length == 2'
	json '.choices[0].message.tool_calls[1].function.arguments |
	    fromjson.city == "Oslo"'
}

@test "mock: counters; wait sees an abort, and gives up" {
	stream_open m1@silence=1
	stream_until 'w1 '
	[[ $(mock_stats .models.m1.inflight) == 1 ]]
	stream_close
	mock_wait m1 aborted 1
	[[ $(mock_stats '.models.m1 | [.requests, .inflight, .completed,
	    .aborted] | @csv') == 1,0,0,1 ]]
	mock_wait '' idle
	run mock_ctl GET 'wait?model=m1&what=aborted&count=2&ms=30'
	assert_failure
	run mock_ctl GET 'wait?what=nonsense'
	assert_failure
	[[ $(mock_log m1 | jq -r .end) == aborted ]]
	ask m1
	ask m2
	[[ $(mock_stats '[.total, .models.m2.completed] | @csv') == 3,1 ]]
	mock_reset
	[[ $(mock_stats '[.total, (.models | length)] | @csv') == 0,0 ]]
}

@test "mock: a reset of the counts leaves a running stream alone" {
	stream_open m1@gate=g
	mock_wait m1 requests 1
	mock_reset
	mock_gate g 99
	stream_wait
	[[ $status == 0 && $output == *DONE* ]]
	[[ $(mock_stats '.models | length') == 0 ]]
	ask m1
	[[ $(mock_stats '.models.m1 | [.requests, .inflight, .completed]
	    | @csv') == 1,0,1 ]]
}

@test "mock: the last request is kept as it came" {
	ask m1 'x: 1' -H 'Authorization: Bearer sk-abcd1234' \
	    -H 'X-Request-Id: req-7'
	ask m1 'x: 2'
	[[ $(mock_last m1) == 'POST /v1/chat/completions HTTP/1.1'* ]]
	[[ $(mock_body m1) == "$(chat_body m1 'x: 2')" ]]
	[[ $(mock_body m1 1) == "$(chat_body m1 'x: 1')" ]]
	[[ $(mock_log | head -n 1 | jq -r '[.key, .id] | @csv') == \
	    '"1234","req-7"' ]]
	run mock_last m9
	assert_failure
}

@test "mock: scripts by model, by key, for some times; the name wins" {
	mock_script m1 status=503
	ask m1
	http_status 503
	ask m1@status=404
	http_status 404
	ask m1 '' -H 'X-Mock: status=422'
	http_status 422
	mock_script m1 status=429 2
	mock_script m1 status=500 1
	ask m1
	http_status 429
	ask m1
	http_status 429
	ask m1
	http_status 500
	ask m1
	http_status 503
	mock_ctl DELETE 'script?model=m1'
	ask m1
	http_status 200
	mock_key 1234 status=401
	ask m1 '' -H 'Authorization: Bearer sk-1234'
	http_status 401
	ask m1 '' -H 'Authorization: Bearer sk-5678'
	http_status 200
	run mock_script m1 nonsense=1
	assert_failure
	mock_script /models status=500
	req GET /v1/models
	http_status 500
	mock_reset
	req GET /v1/models
	json '.data[0].id == "m1"'
}

@test "mock: a fixture is sent byte for byte" {
	printf 'HTTP/1.1 418 Tea\r\nContent-Length: 3\r\nX-Y: z\r\n\r\na\0b' \
	    >"$DIR/fix/tea.http"
	ask m1@body=tea
	http_status 418
	[[ $(header x-y) == z ]]
	[[ $(od -An -tx1 "$DIR/body") == ' 61 00 62' ]]
	ask m1@body=nosuch
	http_status 500
	ask m1@body=../mock.port
	http_status 500
}

@test "mock: keep-alive, hang-up, and a connection gone stale" {
	curl -sS -o /dev/null -o /dev/null -o /dev/null \
	    -d '{"model":"m1"}' "$URL/v1/chat/completions" \
	    "$URL/v1/chat/completions" "$URL/any/chat/completions"
	[[ $(mock_stats '[.total, .connections] | @csv') == 3,1 ]]
	mock_reset
	curl -sS -o /dev/null -o /dev/null -d '{"model":"m1@hangup"}' \
	    "$URL/v1/chat/completions" "$URL/v1/chat/completions"
	[[ $(mock_stats '[.total, .connections] | @csv') == 2,2 ]]
	mock_reset
	# curl asks again by itself on a new connection, as RFC 9112, 9.3.1
	# allows: nothing was answered.
	curl -sS -o /dev/null -o /dev/null -d '{"model":"m1@stale"}' \
	    "$URL/v1/chat/completions" "$URL/v1/chat/completions"
	[[ $(mock_stats '.models.m1 | [.completed, .stale] | @csv') == 2,1 ]]
}

@test "mock: large bodies, 100-continue, requests behind each other" {
	head -c 3000000 /dev/zero | tr '\0' y >"$DIR/y"
	{ printf '{"model":"m1","x":"'; cat "$DIR/y"; printf '"}'; } >"$DIR/b"
	req POST /v1/chat/completions --data-binary "@$DIR/b" \
	    -H 'Expect: 100-continue'
	[[ $(grep -c '^HTTP/1.1' "$DIR/head") == 2 ]]
	mock_body m1 | cmp - "$DIR/b"
	{
		exec 9<>"/dev/tcp/127.0.0.1/$MOCK_PORT"
		printf 'GET /v1/models HTTP/1.1\r\n\r\n%s' \
		    $'GET /none HTTP/1.0\r\n\r\n' >&9
		timeout 60 cat <&9 >"$DIR/two"
		exec 9>&-
	}
	[[ $(grep -o 'HTTP/1.1 [0-9]*' "$DIR/two") == \
	    $'HTTP/1.1 200\nHTTP/1.1 404' ]]
	printf 'nonsense\r\n\r\n' | timeout 60 bash -c \
	    "exec 9<>/dev/tcp/127.0.0.1/$MOCK_PORT; cat >&9; cat <&9" |
	    grep -q '^HTTP/1.1 400'
}

@test "mock: ends on SIGTERM with open streams, status 0" {
	stream_open m1@silence=1
	stream_until 'w1 '
	stop mock "$MOCK_PID"
	stream_wait
	[[ $status != 0 ]]
}
