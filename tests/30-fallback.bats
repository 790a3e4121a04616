# What goes wrong before the first content is not seen by the client; what goes
# wrong after it is told, and never looks like an end.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	mkdir "$DIR/fix"
	mock_start --fixtures "$DIR/fix"
}

teardown()
{
	stop_all
}

five='w1 w2 w3 w4 w5 '

# config_three [OPTIONS]: the aliases sse, text and json have a bad lane of
# their own before the good one, so that what one learns about its lane does
# not change the next. OPTIONS are for the bad providers, `url` among them.
config_three()
{
	local n

	{
		for n in sse text json; do
			if [[ ${1:-} == *url* ]]; then
				printf 'provider bad-%s {\n\tkey = k-%s-12345
%s\n}\nmodel bad-%s/b { }\n' "$n" "$n" "$1" "$n"
			else
				config_mock "bad-$n" "b-$n"
			fi
			printf 'alias %s { models = {"bad-%s/*", "ok/*"} }\n' \
			    "$n" "$n"
		done
		config_mock ok good
	} | if [[ -n ${1:-} && $1 != *url* ]]; then
		# A line more behind each bad provider's key.
		awk -v more="$1" '{ print }
		    /key = "test-key-bad/ { print "\t" more }'
	else
		cat
	fi | config_write "${2:-}"
}

# falls_back WORD [SCRIPT]: in each of the three forms the good lane's whole
# answer comes, and the trail has WORD.
falls_back()
{
	local n

	for n in sse text json; do
		[[ -z ${2:-} ]] || mock_script "b-$n" "$2"
	done
	chat 'model: "sse"'
	http_status 200
	[[ $(header x-relevo-attempts) == "bad-sse:$1,ok:ok" ]] ||
	    fail "attempts: $(header x-relevo-attempts)"
	stream_whole
	[[ $(sse_text) == "$five" ]]
	run ! grep -q '"error"' "$DIR/body"
	[[ $(events | head -n 1 | jq -r .relevo.attempts) == \
	    "bad-sse:$1,ok:ok" ]]
	chat 'model: "text"' -H 'Accept: text/plain'
	[[ $(header x-relevo-attempts) == "bad-text:$1,ok:ok" ]]
	[[ $status == 0 && $output == "$five" ]]
	if [[ ${3:-} != stream ]]; then
		ask json
		http_status 200
		[[ $(header x-relevo-attempts) == "bad-json:$1,ok:ok" ]] ||
		    fail "attempts: $(header x-relevo-attempts)"
		json '.choices[0].message.content == $t' --arg t "$five"
	fi
	if [[ -n ${2:-} ]]; then
		[[ $(mock_stats '.models["b-sse"].requests') == 1 ]]
	fi
}

# -- Before content -----------------------------------------------------------

@test "fallback: nobody listens at the provider's port" {
	config_three "	url = http://127.0.0.1:$(free_port)/v1"
	lighttpd_start fcgi
	falls_back upstream_refused
}

@test "fallback: the same under cgi" {
	config_three "	url = http://127.0.0.1:$(free_port)/v1"
	lighttpd_start cgi
	falls_back upstream_refused
}

@test "fallback: no head in time" {
	# An object comes in one piece, so it may take four times as long.
	config_three 'first-event-timeout = 100ms'
	lighttpd_start fcgi
	falls_back upstream_timeout gatehead=never
}

@test "fallback: a head, but no event in time" {
	config_three 'first-event-timeout = 100ms'
	lighttpd_start fcgi
	falls_back upstream_timeout silence=0,role0=no stream
}

@test "fallback: a role, then silence" {
	config_three 'first-event-timeout = 100ms   idle-timeout = 100ms'
	lighttpd_start fcgi
	falls_back upstream_timeout silence=0 stream
}

@test "fallback: 429" {
	config_three
	lighttpd_start fcgi
	falls_back 429 status=429,retry-after=20
}

@test "fallback: 500" {
	config_three
	lighttpd_start fcgi
	falls_back 500 status=500
}

@test "fallback: 503" {
	config_three
	lighttpd_start fcgi
	falls_back 503 status=503
}

@test "fallback: 401 tries another, and the key is not used again" {
	config_three
	lighttpd_start fcgi
	falls_back 401 status=401
	req GET /models
	json '.models[] | select(.provider == "bad-sse") |
	    .available == false and .reason == "bad_key"'
	chat 'model: "sse"'
	http_status 200
	[[ $(mock_stats '.models["b-sse"].requests') == 1 ]]
}

@test "fallback: 200 without an event" {
	config_three
	lighttpd_start fcgi
	falls_back upstream_empty empty stream
}

@test "fallback: 200 with a page of HTML" {
	config_three
	lighttpd_start fcgi
	falls_back upstream_malformed html
}

@test "fallback: closed without a byte" {
	config_three
	lighttpd_start fcgi
	falls_back upstream_cut close
}

@test "fallback: reset without a byte" {
	config_three
	lighttpd_start fcgi
	falls_back upstream_cut reset
}

@test "fallback: closed behind the role" {
	config_three
	lighttpd_start fcgi
	falls_back upstream_empty fin=0 stream
}

@test "fallback: an object cut in the middle" {
	config_three
	lighttpd_start fcgi
	mock_script b-json cut=2
	ask json
	http_status 200
	[[ $(header x-relevo-attempts) == bad-json:upstream_cut,ok:ok ]]
	json '.choices[0].message.content == $t' --arg t "$five"
}

@test "fallback: the failure is the bad lane's, not the good one's" {
	config_three
	lighttpd_start fcgi
	falls_back 500 status=500
	req GET /usage
	json '[.usage[] | select(.provider == "ok") | .localStats |
	    .requests, .failures] == [3, 0]'
	json '[.usage[] | select(.provider != "ok") | .localStats.failures]
	    == [1, 1, 1]'
	until_true 5 grep -q '"route":"/v1' "$DIR/relevo.err"
	grep '"event":"request"' "$DIR/relevo.err" | grep '"status":200' |
	    jq -se 'map(.code) | unique == [null]'
}

@test "fallback: an error as the first event" {
	config_three
	lighttpd_start fcgi
	falls_back 502 errorfirst stream
}

@test "fallback: an encoding that nobody asked for" {
	config_three
	lighttpd_start fcgi
	falls_back upstream_malformed gzip
}

@test "fallback: a redirect is not followed" {
	config_three
	lighttpd_start fcgi
	falls_back 302 "redirect=$MOCK_URL/v1/chat/completions"
	[[ $(mock_stats '.models["b-sse"].requests') == 1 ]]
}

@test "fallback: an event that is not JSON" {
	config_three
	{
		printf 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n'
		printf 'Connection: close\r\n\r\ndata: {"choices":[}\n\n'
	} >"$DIR/fix/bad.http"
	lighttpd_start fcgi
	falls_back upstream_malformed body=bad stream
}

@test "fallback: an object that is not JSON" {
	config_three
	{
		printf 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'
		printf 'Connection: close\r\n\r\n{"choices":[}'
	} >"$DIR/fix/bad.http"
	lighttpd_start fcgi
	falls_back upstream_malformed body=bad
}

# -- Who is tried -------------------------------------------------------------

config_tries()
{
	{
		config_mock p1 m1
		config_mock p2 m2
		config_mock p3 m3
		config_mock p4 m4
		config_mock p5 m5
		printf 'route {\n\tmax-wait = 0s\n%s\n}\n' "${1:-}"
	} | config_write
}

all_fail()
{
	local n

	for n in 1 2 3 4 5; do
		mock_script "m$n" "$1"
	done
}

@test "tries: each candidate at most once, four in all by default" {
	config_tries
	lighttpd_start fcgi
	all_fail status=500
	chat
	refused 503 all_failed
	[[ $(header x-relevo-attempts) == p1:500,p2:500,p3:500,p4:500 ]]
	[[ $(mock_stats '[.models[].requests] | @csv') == 1,1,1,1 ]]
	json '.error.message | test("p1:500,p2:500,p3:500,p4:500")'
}

@test "tries: the fourth of four may still answer" {
	config_tries
	lighttpd_start fcgi
	mock_script m1 status=503
	mock_script m2 close
	mock_script m3 empty
	chat
	http_status 200
	stream_whole
	[[ $(header x-relevo-attempts) == \
	    p1:503,p2:upstream_cut,p3:upstream_empty,p4:ok ]]
}

@test "tries: attempts = 2 stops after two" {
	config_tries '	attempts = 2'
	lighttpd_start fcgi
	all_fail status=500
	chat
	refused 503 all_failed
	[[ $(header x-relevo-attempts) == p1:500,p2:500 ]]
}

@test "tries: fallback = no stops after one" {
	config_tries '	fallback = no'
	lighttpd_start fcgi
	all_fail status=500
	chat
	refused 502 upstream_status
	[[ $(header x-relevo-attempts) == p1:500 ]]
	[[ $(mock_stats .total) == 1 ]]
}

@test "tries: a bad request is told at once, with the provider's words" {
	config_tries
	lighttpd_start fcgi
	mock_script m1 'status=400,message=temperature+must+be+below+2'
	chat
	http_status 400
	json '.error.message | test("temperature must be below 2")'
	[[ $(mock_stats .total) == 1 ]]
}

@test "tries: an unknown parameter is left out, once, on the same lane" {
	config_tries
	lighttpd_start fcgi
	mock_script m1 \
	    "status=400,message=Unsupported+parameter:+'zeta'" 1
	chat 'zeta: 1, top_p: 0.5'
	http_status 200
	[[ $(header x-relevo-attempts) == p1:ok ]]
	[[ $(mock_stats '.models.m1.requests') == 2 ]]
	[[ $(mock_body m1 1 | jq .zeta) == 1 ]]
	[[ $(mock_body m1 | jq -c '[has("zeta"), .top_p]') == '[false,0.5]' ]]
}

@test "tries: too long for one goes to a larger context only" {
	{
		config_mock p1 m1
		config_mock p2 m2
		config_mock p3 m3
	} | sed '/m1" {/a\
	context = 8000
	/m2" {/a\
	context = 4000
	/m3" {/a\
	context = 90000' | config_write
	lighttpd_start fcgi
	mock_script m1 'status=400,code=context_length_exceeded'
	chat
	http_status 200
	[[ $(header x-relevo-attempts) == p1:400,p3:ok ]]
	[[ $(mock_stats '.models.m2.requests') == null ]]
}

# -- Nobody can ---------------------------------------------------------------

@test "nobody: all limited is 429 with the soonest time" {
	config_tries
	lighttpd_start fcgi
	all_fail status=429,retry-after=40
	mock_script m3 status=429,retry-after=25
	chat
	refused 429 rate_limit_exceeded
	(($(header retry-after) >= 20 && $(header retry-after) <= 25))
	(($(header retry-after-ms) > 0))
	json '.error.message | test("try again in [0-9]+s")'
	[[ $(header x-relevo-attempts) == p1:429,p2:429,p3:429,p4:429 ]]
}

@test "nobody: limited lanes are not asked again until their time" {
	config_tries
	lighttpd_start fcgi
	all_fail status=429,retry-after=40
	chat
	chat
	refused 429 rate_limit_exceeded
	[[ $(header x-relevo-attempts) == p5:429 ]]
	chat
	refused 429 rate_limit_exceeded
	run ! header x-relevo-attempts
	[[ $(mock_stats .total) == 5 ]]
}

# own CODE STATUS SCRIPT: what one lane alone fails with.
own()
{
	mock_script "m$4" "$3"
	ask "m$4" "${5:-}"
	refused "$2" "$1"
	[[ $status == 0 ]]
}

@test "nobody: one lane's failure keeps its own code" {
	config_tries
	lighttpd_start fcgi
	own upstream_cut 502 close 1
	own upstream_empty 502 empty 2 'stream: true'
	own upstream_malformed 502 html 3
	own rate_limit_exceeded 429 status=429,retry-after=9 4
	[[ $(header retry-after) == 9 ]]
	own upstream_cut 502 cut=2 5
}

@test "nobody: one lane, refused and too late" {
	{
		printf 'provider p1 {\n\turl = "http://127.0.0.1:%d"\n%s' \
		    "$(free_port)" $'\tkey = k1-k1-k1\n}\nmodel p1/m1 { }\n'
		config_mock p2 m2
	} | sed '/test-key-p2/a\
	first-event-timeout = 100ms' | config_write
	lighttpd_start fcgi
	ask m1
	refused 502 upstream_refused
	mock_script m2 gatehead=never
	ask m2 'stream: true'
	refused 504 upstream_timeout
}

# -- After content ------------------------------------------------------------

# told CODE SCRIPT: two chunks came, then an event says what happened.
told()
{
	mock_script m1 "$2"
	chat 'model: "m1"'
	http_status 200
	[[ $status == 0 ]]
	[[ $(sse_text) == 'w1 w2 '* ]]
	run ! grep -q DONE "$DIR/body"
	[[ $(events | jq -r '.choices[]?.finish_reason // empty') == '' ]]
	events | tail -n 1 | jq -e --arg code "$1" '.error.code == $code and
	    (.error | has("message") and has("type") and has("param"))' ||
	    fail "$(tail -c 400 "$DIR/body")"
	[[ $(mock_stats '.models.m2.requests') == null ]]
	mock_reset
}

config_after()
{
	{
		config_mock p1 m1
		config_mock p2 m2
	} | sed '/test-key-p1/a\
	'"${1:-}" | config_write
}

@test "after: cut" {
	config_after
	lighttpd_start fcgi
	told upstream_cut cut=2
}

@test "after: closed in the middle" {
	config_after
	lighttpd_start fcgi
	told upstream_cut fin=2
}

@test "after: an end without finish_reason is none" {
	config_after
	lighttpd_start fcgi
	told upstream_cut nofinish
}

@test "after: the provider's own error event" {
	config_after
	lighttpd_start fcgi
	mock_script m1 error=2
	chat 'model: "m1"'
	[[ $status == 0 && $(sse_text) == 'w1 w2 ' ]]
	run ! grep -q DONE "$DIR/body"
	[[ $(grep -c '"error":' "$DIR/body") == 1 ]]
	events | tail -n 1 | jq -e '.error.code | type == "string"'
}

@test "after: silence" {
	config_after 'idle-timeout = 100ms'
	lighttpd_start fcgi
	told upstream_timeout silence=2
}

@test "after: longer than total-timeout" {
	config_after 'total-timeout = 400ms'
	lighttpd_start fcgi
	told upstream_timeout tokens=99999,pace=5
}

@test "after: an event that is not JSON" {
	config_after
	{
		printf 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n'
		printf 'Connection: close\r\n\r\n'
		printf 'data: {"choices":[{"index":0,"delta":{"content":'
		printf '"w%d "}}]}\n\n' 1
		printf 'data: {"choices":[{"index":0,"delta":{"content":'
		printf '"w%d "}}]}\n\ndata: {"choices"\n\n' 2
	} >"$DIR/fix/bad.http"
	lighttpd_start fcgi
	told upstream_malformed body=bad
}

@test "after: the same under cgi" {
	config_after
	lighttpd_start cgi
	told upstream_cut cut=2
}

# The client has the first two words when the upstream breaks off.
cut_text()
{
	mock_script m1 cut=3,gate=g
	mock_gate g 2
	ASK_PATH=/chat stream_open m1 '' -H 'Accept: text/plain'
	stream_until 'w2 '
	mock_gate g 3
	stream_wait
	[[ $output == 'w1 w2 '* && $output != *w4* ]]
}

@test "after: bare text is cut short, so that curl sees it: lighttpd" {
	config_after
	lighttpd_start fcgi
	cut_text
	((status == 18)) || fail "curl's status is $status: $output"
}

@test "after: bare text is cut short, so that curl sees it: nginx" {
	config_after
	nginx_start keep
	cut_text
	((status == 18)) || fail "curl's status is $status: $output"
	# The connection to nginx is another one: nothing is left over.
	chat 'model: "m2"'
	stream_whole
}

@test "after: bare text under cgi says that it was cut" {
	config_after
	lighttpd_start cgi
	cut_text
	[[ $output == *'cut short'* ]]
}

@test "after: the log has the code, and the usage what was made" {
	config_after
	lighttpd_start fcgi
	told upstream_cut cut=2
	until_true 5 grep -q upstream_cut "$DIR/relevo.err"
	grep '"event":"request"' "$DIR/relevo.err" | jq -e \
	    '.code == "upstream_cut" and .tokens_out > 0 and .status == 200'
	req GET /usage
	json '.usage[0].localStats | .failures == 1 and .requests == 1 and
	    .tokens > 0 and .inFlight == 0'
}
