# Limits: never more than was configured or than the provider said, whoever
# asks, and always a true time to wait.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	same_day
	mock_start
}

teardown()
{
	stop_all
}

# config_one LIMITS [ROUTE] [SERVER] [MORE]: one model, no waiting.
config_one()
{
	{
		config_mock p1
		printf 'model p1/m1 {\n\t%s\n}\n' "$1"
		printf 'route {\n\t%s\n}\n' "${2-max-wait = 0s}"
		printf '%s\n' "${4:-}"
	} | config_write "${3:-}"
}

# times N: the requests that reached the mock.
reached()
{
	[[ $(mock_stats .total) == "$1" ]] || fail "$(mock_stats .total) came"
}

# codes: the statuses of the last volley, counted, "10 200 54 429".
codes()
{
	sort "$DIR/${1:-codes}" | uniq -c | tr -s ' \n' ' ' |
	    sed 's/^ //; s/ $//'
}

@test "rpm: the fourth of three goes to another model" {
	config_one 'rpm = 3' 'max-wait = 0s' '' "$(config_mock p2 m2)
	    alias both { models = {\"p1/m1\", \"p2/m2\"} }"
	lighttpd_start fcgi
	volley 12 both
	[[ $(codes codes-stream) == '12 200' ]]
	[[ $(mock_stats '[.models.m1, .models.m2] | map(.requests) | @csv') \
	    == 3,9 ]]
}

@test "rpm: the fourth of three is a 429 with a time and a code" {
	config_one 'rpm = 3'
	lighttpd_start fcgi
	volley 3 m1
	ask m1
	refused 429 rate_limit_exceeded
	(($(header retry-after) >= 1 && $(header retry-after) <= 61))
	[[ $(header retry-after-ms) =~ ^[0-9]+$ ]]
	json '.error.type == "rate_limit_error" and
	    (.error.message | test("rpm") and test("try again in [0-9]+s"))'
	run ! header x-should-retry
	reached 3
	req GET /models
	json '.models[0] | .available == false and .reason == "rpm" and
	    (.until | test("Z$")) and .rateLimit.remainingRequests == 0'
	chat '' -H 'Accept: text/plain'
	refused 429 rate_limit_exceeded
}

@test "rpd: used up is insufficient_quota, and no SDK need retry" {
	config_one 'rpd = 2'
	lighttpd_start fcgi
	volley 2 m1
	ask m1
	http_status 429
	json '.error.message | test("rpd")'
	(($(header retry-after) >= 1 && $(header retry-after) <= 86400))
	# In the last quarter of an hour of a day, waiting is a matter of
	# minutes and is said so.
	if (($(header retry-after) > 900)); then
		refused 429 insufficient_quota
		[[ $(header x-should-retry) == false ]]
	fi
	reached 2
}

# Of an hour: a slow machine needs more than a minute for 32 processes.
@test "rph: 32 FastCGI and 32 CGI requests at once: exactly ten pass" {
	config_one 'rph = 10' 'max-wait = 0s' 'workers = 2'
	both_start
	both 32 m1
	[[ $(codes) == '10 200 54 429' ]] || fail "$(codes)"
	reached 10
	req GET /usage
	json '.usage[0].windows[] | select(.window == "rph") |
	    .used == 10 and .remaining == 0 and .reserved == 0'
}

@test "account: the provider's own limit holds for all its models" {
	config_mock p1 m1 m2 m3 | sed '/test-key-p1/a\
	rph = 5' | config_write
	lighttpd_start fcgi
	volley 20 auto -H 'X-Relevo-Max-Wait: 0'
	[[ $(codes codes-stream) == '5 200 15 429' ]]
	reached 5
	req GET /usage
	json '.accounts[0].windows[] | select(.window == "rph") | .used == 5'
}

@test "keys: each key of a pool has the limit for itself" {
	config_mock p1 m1 | sed 's/test-key-p1/test-key-aaaa, test-key-bbbb/
	    /test-key-aaaa/a\
	key-rph = 4' | config_write
	lighttpd_start fcgi
	volley 20 m1 -H 'X-Relevo-Max-Wait: 0'
	[[ $(codes codes-stream) == '8 200 12 429' ]]
	[[ $(mock_log | jq -r .key | sort | uniq -c | tr -s ' \n' ' ') == \
	    ' 4 aaaa 4 bbbb ' ]]
}

@test "concurrency: a third stream of two is refused, one later is not" {
	config_one 'concurrency = 2'
	lighttpd_start fcgi
	mock_script m1 silence=1
	for n in a b; do
		STREAM=$n stream_open m1
		STREAM=$n stream_until 'w1 '
	done
	ask m1
	refused 429 rate_limit_exceeded
	json '.error.message | test("concurrency")'
	mock_script m1 tokens=1
	STREAM=a stream_close
	mock_wait m1 aborted 1
	until_true 5 answers
	STREAM=b stream_close
}

answers()
{
	ask m1
	[[ $http_code == 200 ]]
}

@test "rpd: an answer without content has used up a request" {
	config_one 'rpd = 2'
	lighttpd_start fcgi
	mock_script m1 empty
	ask m1 'stream: true'
	http_status 502
	req GET /usage
	json '.usage[0].localStats | .requests == 1 and .tokens > 0 and
	    .tokens < 100'
	ask m1 'stream: true'
	http_status 502
	ask m1
	http_status 429
	reached 2
}

@test "rpd: what breaks off before content has used up a request" {
	config_one 'rpd = 1'
	lighttpd_start fcgi
	mock_script m1 fin=0
	ask m1 'stream: true'
	http_status 502
	ask m1
	http_status 429
	reached 1
}

@test "rpd: what the provider refused has not" {
	config_one 'rpd = 1'
	lighttpd_start fcgi
	mock_script m1 status=400 2
	ask m1
	http_status 400
	ask m1
	http_status 400
	ask m1
	http_status 200
	ask m1
	http_status 429
	reached 3
}

# Each lane has its own count, and the client who asked has asked once.
@test "rpd of a client: one for a request, however many were tried" {
	local n out
	local -a bot

	out=$("$RELEVO" --config "$DIR/none" client new bot)
	bot=(-H "X-Api-Key: $(grep -o 'rlv-[A-Za-z0-9_-]*' <<<"$out")")
	{
		for n in 1 2 3; do
			config_mock "p$n" "m$n"
		done
		printf 'route {\n\tmax-wait = 0s\n}\n'
		printf 'client bot {\n\ttoken = "%s"\n\trpd = 2\n}\n' \
		    "$(grep -o 'blake2b:[0-9a-f]*' <<<"$out")"
	} | config_write 'access = token'
	lighttpd_start fcgi
	for n in 1 2 3; do
		mock_script "m$n" fin=0 1
	done
	ask auto 'stream: true' "${bot[@]}"
	http_status 503
	reached 3
	req GET /usage "${bot[@]}"
	json '.clients[0] | .localStats.requests == 1 and (.windows[] |
	    select(.window == "rpd") | .used == 1 and .remaining == 1)'
	# whoever asks for what is refused has asked, too
	mock_script m3 status=400 1
	ask m3 '' "${bot[@]}"
	http_status 400
	ask m3 '' "${bot[@]}"
	http_status 429
	reached 4
}

@test "concurrency: what a killed worker held comes back" {
	STDERR_ALLOW=worker_died
	config_one 'concurrency = 1'
	lighttpd_start fcgi
	mock_script m1 silence=1
	stream_open m1
	stream_until 'w1 '
	kill -KILL "$(pgrep -P "$RELEVO_PID")"
	mock_wait m1 aborted 1
	mock_script m1 tokens=1
	until_true 10 answers
	stream_wait
	req GET /usage
	json '.usage[0].localStats | .inFlight == 0 and .requests == 2'
}

@test "concurrency: what a killed CGI process held comes back" {
	config_one 'concurrency = 1'
	lighttpd_start cgi
	mock_script m1 silence=1
	stream_open m1
	stream_until 'w1 '
	kill -KILL "$(pgrep -P "$WEB_PID")"
	mock_wait m1 aborted 1
	mock_script m1 tokens=1
	until_true 10 answers
	stream_wait
	req GET /usage
	json '.usage[0].localStats | .inFlight == 0 and .requests == 2'
}

@test "max-wait: a request waits for room, and is then answered" {
	config_one 'concurrency = 1' 'max-wait = 30s'
	lighttpd_start fcgi
	mock_script m1 tokens=2,gate=g
	stream_open m1
	mock_wait m1 inflight 1
	STREAM=second stream_open m1
	until_true 10 streams 2
	reached 1
	mock_gate g 2
	stream_wait
	STREAM=second stream_wait
	[[ $status == 0 ]]
	stream_whole "$DIR/second.out"
	reached 2
	[[ $(mock_stats .models.m1.peak) == 1 ]]
}

streams()
{
	req GET /health
	[[ $(jq .streams <<<"$output") == "$1" ]]
}

@test "max-wait: who leaves while waiting takes nothing" {
	config_one 'concurrency = 1' 'max-wait = 30s'
	nginx_start
	mock_script m1 tokens=1,gate=g
	stream_open m1
	mock_wait m1 inflight 1
	STREAM=second stream_open m1
	until_true 10 streams 2
	STREAM=second stream_close
	until_true 10 streams 1
	mock_gate g 1
	stream_wait
	stream_whole "$DIR/stream.out"
	reached 1
	req GET /usage
	json '.totals.requests == 1 and .totals.inFlight == 0'
}

@test "max-wait: the client may ask for less, not for more" {
	config_one 'rpm = 1' 'max-wait = 1s'
	lighttpd_start fcgi
	ask m1
	http_status 200
	for head in 0 0s 5m; do
		ask m1 '' -H "X-Relevo-Max-Wait: $head"
		refused 429 rate_limit_exceeded
	done
	reached 1
}

@test "max-wait: a bar of a second is waited for" {
	config_one '' 'max-wait = 20s'
	lighttpd_start fcgi
	mock_script m1 status=429,retry-after=1 1
	ask m1
	refused 429 rate_limit_exceeded
	[[ $(header retry-after) == 1 ]]
	ask m1
	http_status 200
	reached 2
}

@test "tokens: an estimate is reserved, and the real usage replaces it" {
	config_one 'tpm = 5000   tpd = 100000'
	lighttpd_start fcgi
	mock_script m1 tokens=1,gate=g,usage=300:200
	stream_open m1 'max_tokens: 2000'
	mock_wait m1 inflight 1
	req GET /usage
	json '.usage[0].windows[] | select(.window == "tpm") |
	    .reserved > 2000 and .reserved < 2200 and
	    .remaining == 5000 - .reserved - .used'
	mock_gate g 1
	stream_wait
	req GET /usage
	json '[.usage[0].windows[] | select(.window | IN("tpm", "tpd")) |
	    .used, .reserved] == [500, 0, 500, 0]'
	json '.usage[0].localStats.tokens == 500'
}

@test "tokens: what does not fit the minute goes elsewhere or is refused" {
	config_one 'tpm = 1000' 'max-wait = 0s' '' "$(config_mock p2 m2)"
	lighttpd_start fcgi
	mock_script m1 usage=400:400
	ask m1 'max_tokens: 500'
	http_status 200
	ask m1 'max_tokens: 500'
	refused 429 rate_limit_exceeded
	json '.error.message | test("tpm")'
	for n in 1 2 3; do
		ask auto 'max_tokens: 500'
		[[ $(header x-relevo-model) == m2 ]]
	done
}

@test "tokens: more than the whole minute can never pass" {
	config_one 'tpm = 1000' 'max-wait = 20s'
	lighttpd_start fcgi
	jq -cn '{model: "m1", messages: [{role: "user",
	    content: ("word " * 4000)}]}' >"$DIR/q"
	req POST /v1/chat/completions -H 'Content-Type: application/json' \
	    --data-binary "@$DIR/q"
	refused 400 context_length_exceeded messages
	reached 0
}

# No max_tokens: what an answer may take is a guess, and a guess shuts nobody
# out who has room for a usual one.
@test "tokens: a small limit of any scope admits a short question" {
	{
		config_mock p1 m1
		config_mock p2 m2
		printf 'model p3/m3 { tpd = 500 }\n'
		config_mock p3
	} | sed '/test-key-p1/a\
	tpm = 500
	/test-key-p2/a\
	key-tpd = 500' | config_write
	lighttpd_start fcgi
	for model in m1 m2 m3; do
		ask "$model"
		http_status 200
	done
}

@test "provider: a 429 closes the model for as long as it said" {
	config_one '' 'max-wait = 0s' '' "$(config_mock p2 m2)"
	lighttpd_start fcgi
	mock_script m1 status=429,retry-after=100
	ask m1
	refused 429 rate_limit_exceeded
	[[ $(header retry-after) == 100 ]]
	ask m1
	refused 429 rate_limit_exceeded
	(($(header retry-after) <= 100 && $(header retry-after) > 80))
	req GET /models
	json '.models[0] | .available == false and .reason == "rate_minute"'
	json '.models[1].available == true'
	volley 4
	[[ $(codes codes-stream) == '4 200' ]]
	[[ $(mock_stats .models.m1.requests) == 1 ]]
}

@test "provider: the room that it tells of is not exceeded" {
	config_one 'rpd = 1000'
	sed -i 's/p1/groq/g' "$DIR/relevo.conf"
	lighttpd_start fcgi
	mock_script m1 "header=x-ratelimit-limit-requests:900,\
header=x-ratelimit-remaining-requests:1,header=x-ratelimit-reset-requests:5h"
	ask m1
	http_status 200
	mock_script m1 tokens=1
	ask m1
	http_status 200
	ask m1
	http_status 429
	reached 2
	req GET /usage
	json '.usage[0].windows[] | select(.window == "rpd") | .remaining == 0
	    and .limit == 900 and .source == "header"'
}

@test "state: limits used are kept when fcgi becomes cgi" {
	config_one 'rph = 4'
	lighttpd_start fcgi
	volley 3 m1
	stop web "$WEB_PID"
	lighttpd_start cgi
	ask m1
	http_status 200
	ask m1
	refused 429 insufficient_quota
	reached 4
}

@test "state: a broken file is set aside, loudly, and service goes on" {
	config_one 'rph = 4'
	head -c 100000 /dev/urandom >"$DIR/state"
	chmod 600 "$DIR/state"
	cp "$DIR/state" "$DIR/before"
	lighttpd_start fcgi
	volley 9 m1
	reached 4
	grep -q '"event":"state_set_aside"' "$DIR/relevo.err"
	cmp "$DIR/before" "$DIR"/state.bad-*
	req GET /health
	json '.status == "ok"'
}

@test "state: a file open to others is not used; /health and the log say so" {
	STDERR_ALLOW='open to others'
	config_one 'rph = 4'
	: >"$DIR/state"
	chmod 644 "$DIR/state"
	lighttpd_start fcgi
	volley 9 m1
	reached 4
	req GET /health
	json '.status == "degraded" and (.state | test("open to others"))'
	req GET /usage
	json '.state | test("open to others")'
	grep -E '"level":"(warn|error)"' "$DIR/relevo.err" |
	    grep -q 'open to others'
}
