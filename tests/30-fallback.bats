# Who is asked, how often, and what is said when nobody can answer. What each
# fault at each place does to each form of an answer is in tests/matrix.

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

# config_two: the alias `two`, a bad lane before a good one.
config_two()
{
	{
		config_mock bad b
		config_mock ok good
		echo 'alias two { models = {"bad/*", "ok/*"} }'
	} | config_write
}

# falls_back WORD SCRIPT: the good lane's whole answer comes, and the trail has
# WORD.
falls_back()
{
	mock_script b "$2"
	chat 'model: "two"'
	http_status 200
	[[ $(header x-relevo-attempts) == "bad:$1,ok:ok" ]] ||
	    fail "attempts: $(header x-relevo-attempts)"
	stream_whole
}

# -- Before content -----------------------------------------------------------

@test "fallback: 401 tries another, and the key is not used again" {
	config_two
	lighttpd_start fcgi
	falls_back 401 status=401
	req GET /models
	json '.models[] | select(.provider == "bad") |
	    .available == false and .reason == "bad_key"'
	chat 'model: "two"'
	http_status 200
	[[ $(mock_stats '.models.b.requests') == 1 ]]
}

@test "fallback: the log's line of an answer after a failure has no code" {
	config_two
	lighttpd_start fcgi
	falls_back 500 status=500
	logged '.status == 200 and .attempts == "bad:500,ok:ok" and
	    (has("code") | not)'
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
	all_fail status=429,retry-after=400
	mock_script m3 status=429,retry-after=250
	chat
	refused 429 rate_limit_exceeded
	(($(header retry-after) >= 200 && $(header retry-after) <= 250))
	(($(header retry-after-ms) > 0))
	json '.error.message | test("try again in [0-9]+s")'
	[[ $(header x-relevo-attempts) == p1:429,p2:429,p3:429,p4:429 ]]
}

@test "nobody: limited lanes are not asked again until their time" {
	config_tries
	lighttpd_start fcgi
	all_fail status=429,retry-after=400
	chat
	chat
	refused 429 rate_limit_exceeded
	[[ $(header x-relevo-attempts) == p5:429 ]]
	chat
	refused 429 rate_limit_exceeded
	run ! header x-relevo-attempts
	[[ $(mock_stats .total) == 5 ]]
}

# -- Nobody else --------------------------------------------------------------

@test "only lane: tried again at once after a fault, though barred" {
	local models explained

	config_mock p1 m1 | config_write
	lighttpd_start fcgi
	mock_script m1 close 1
	chat
	refused 502 upstream_cut
	[[ $(header retry-after) == 1 ]]
	req GET /models
	models=$output
	explained=$("$RELEVO" --config "$DIR/relevo.conf" explain m1)
	# What is to be seen while the bar holds is looked at when it was asked
	# for: it holds for ten seconds, and looking takes some.
	chat
	http_status 200
	jq -e '.models[0] | .available == false and .reason == "down"' \
	    <<<"$models"
	[[ $explained == *', 1 lane'$'\n'* &&
	    $explained == *'p1/m1 is tried though barred'* ]]
	stream_whole
	[[ $(header x-relevo-attempts) == p1:barred+ok ]]
	chat
	stream_whole
	[[ $(header x-relevo-attempts) == p1:ok ]]
}

# Whoever tries it first may have a long answer before him; the others need not
# wait for its end. That it breaks off later is a failure like any other.
@test "only lane: open to all at the first content of who tried it" {
	config_mock p1 m1 | config_write
	lighttpd_start fcgi
	mock_script m1 close 1
	chat
	refused 502 upstream_cut
	mock_script m1 cut=3,gate=g 1
	stream_open m1
	mock_wait m1 requests 2
	chat
	refused 503 all_failed
	mock_gate g 2
	stream_until w2
	chat
	stream_whole
	[[ $(header x-relevo-attempts) == p1:ok ]]
	mock_gate g 3
	stream_wait
	[[ $output == *upstream_cut* ]]
	req GET /models
	json '.models[0] | .available == false and .reason == "down"'
	chat
	stream_whole
	[[ $(header x-relevo-attempts) == p1:barred+ok ]]
}

@test "only lane: what the provider said of itself holds" {
	config_mock p1 m1 | config_write
	lighttpd_start fcgi
	mock_script m1 status=503,retry-after=300 1
	chat
	refused 502 upstream_status
	(($(header retry-after) > 200 && $(header retry-after) <= 300))
	chat
	refused 503 all_failed
	(($(header retry-after) > 200 && $(header retry-after) <= 300))
	[[ $(mock_stats .total) == 1 ]]
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

# As far as one choice goes that answer is whole.
@test "after: an answer that lacks one of two choices" {
	config_mock p1 m1 | config_write
	lighttpd_start fcgi
	mock_script m1 cut=finish
	ask m1 'stream: true'
	stream_whole
	ask m1 'stream: true, n: 2'
	[[ $(events | tail -n 1 | jq -r .error.code) == upstream_cut ]]
	run ! grep -q DONE "$DIR/body"
}

config_after()
{
	{
		config_mock p1 m1
		config_mock p2 m2
	} | sed '/test-key-p1/a\
	'"${1:-}" | config_write
}

@test "after: longer than total-timeout" {
	# so long that the first words come before it, on any machine
	config_after 'total-timeout = 5s'
	lighttpd_start fcgi
	told upstream_timeout tokens=99999,pace=5
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

@test "after: the log has the code, and the usage what was made" {
	config_after
	lighttpd_start fcgi
	told upstream_cut cut=2
	logged '.code == "upstream_cut" and .tokens_out > 0 and .status == 200'
	req GET /usage
	json '.usage[0].localStats | .failures == 1 and .requests == 1 and
	    .tokens > 0 and .inFlight == 0'
}
