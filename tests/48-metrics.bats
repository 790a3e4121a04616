# GET /metrics, read as Prometheus reads it, and the dashboard that shows it.

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

# metrics [CURL OPTIONS]: GET it; each sample as a line of JSON in samples.
metrics()
{
	req GET /metrics "$@"
	http_status 200
	[[ $(header content-type) == \
	    'text/plain; version=0.0.4; charset=utf-8' ]]
	"$ROOT/tests/prom/parse.py" <"$DIR/body" >"$DIR/samples" ||
	    fail "$(cat "$DIR/body")"
}

# is VALUE NAME [LABEL=VALUE]...: exactly one sample is so.
is()
{
	local want=$1 name=$2 pair select='.labels' is

	shift 2
	for pair; do
		select+=" | select(.\"${pair%%=*}\" == \"${pair#*=}\")"
	done
	is=$(jq -r --arg n "$name" "select(.name == \$n) |
	    select($select) | .value" "$DIR/samples")
	[[ $is == "$want" ]] || fail "$name $*: '$is', not '$want':
$(grep "^$name" "$DIR/body")"
}

limited()
{
	{
		config_mock p1 m1
		printf 'model p1/m2 {\n\trpm = 7   tpd = 90000\n}\n'
		config_mock p2 m3 a/b:c@d+e=f,g~h._-i
	} | config_write "${1:-}"
}

@test "metrics: exact figures after known requests" {
	local now

	limited
	mock_script m1 status=500 1
	lighttpd_start fcgi
	ask p1/m2
	ask p1/m2
	ask p1/m1
	[[ $http_code != 200 ]]
	mock_script m3 gate=g
	stream_open p2/m3
	mock_wait m3 inflight
	now=$(date +%s)
	metrics
	is 2 relevo_requests_total model=p1/m2 provider=p1
	is 24 relevo_tokens_total model=p1/m2
	is 0 relevo_failures_total model=p1/m2
	is 1 relevo_failures_total model=p1/m1
	is 1 relevo_failures_in_a_row model=p1/m1
	is 0 relevo_open model=p1/m1
	is 1 relevo_open model=p1/m2
	is 1 relevo_in_flight model=p2/m3
	is 0 relevo_in_flight model=p1/m2
	is 4 relevo_attempts_total
	is 0 relevo_attempts_abandoned_total
	is 0 relevo_waiting
	is 0 relevo_state_degraded
	is 1 relevo_build_info version="$("$RELEVO" version |
	    sed -n 's/^relevo //p')"
	is 7 relevo_window_limit model=p1/m2 scope=model window=rpm
	is 2 relevo_window_used model=p1/m2 window=rpm
	is 5 relevo_window_remaining model=p1/m2 window=rpm
	is 89976 relevo_window_remaining model=p1/m2 window=tpd
	is 0 relevo_window_reserved model=p1/m2 window=tpd
	# Why it is shut is the word of /usage, and until when lies ahead.
	jq -es --argjson now "$now" 'map(select(.name ==
	    "relevo_shut_until_timestamp_seconds")) | length == 1 and
	    (.[0] | .labels.model == "p1/m1" and
	    .labels.reason == "capacity" and .value > $now and
	    .value < $now + 600)' "$DIR/samples"
	jq -es --argjson now "$now" 'map(select(.name ==
	    "relevo_config_loaded_timestamp_seconds")) | length == 1 and
	    (.[0].value | . > $now - 600 and . <= $now + 1)' "$DIR/samples"
	mock_gate g 99
	stream_wait
	until_true 5 settled
}

settled()
{
	metrics
	[[ $(jq -r 'select(.name == "relevo_requests_total" and
	    .labels.model == "p2/m3") | .value' "$DIR/samples") == 1 ]]
}

# What is true of any process: not when it read its configuration, and not the
# millisecond in which a sliding window ends, which is told by two clocks.
common()
{
	sed -E '/^relevo_config_loaded/d; /^relevo_window_reset/s/ [0-9.]+$//' \
	    "$DIR/body"
}

@test "metrics: FastCGI and CGI say the same" {
	limited
	both_start
	ask p1/m2
	ASK_URL=$CGI_URL ask p1/m2
	metrics
	common >"$DIR/one"
	req GET "$CGI_URL/metrics"
	http_status 200
	common | diff "$DIR/one" -
	is 2 relevo_requests_total model=p1/m2
}

@test "metrics: counters do not go down by a reset or a restart" {
	limited
	lighttpd_start fcgi
	ask p1/m2
	"$RELEVO" --config "$DIR/relevo.conf" state reset
	metrics
	is 1 relevo_requests_total model=p1/m2
	is 12 relevo_tokens_total model=p1/m2
	is 0 relevo_window_used model=p1/m2 window=rpm
	stop web "$WEB_PID"
	lighttpd_start cgi
	metrics
	is 1 relevo_requests_total model=p1/m2
	is 1 relevo_attempts_total
}

@test "metrics: the oddest name that a configuration may have" {
	limited
	lighttpd_start fcgi
	# To the mock it is a script of unknown words: a failure.
	ask 'p2/a/b:c@d+e=f,g~h._-i'
	metrics
	is 1 relevo_attempts_total
	is 1 relevo_failures_total 'model=p2/a/b:c@d+e=f,g~h._-i' provider=p2
	# And those that would break a line are none.
	for name in 'a"b' 'a\b' $'a\nb' 'a b' 'a{b}' 'ñ'; do
		limited
		printf 'model "p2/%s" { }\n' "$name" >>"$DIR/relevo.conf"
		run "$RELEVO" --config "$DIR/relevo.conf" check
		[[ $status == 2 ]] || fail "$name: $output"
	done
}

@test "metrics: a question's words never become labels" {
	limited
	lighttpd_start fcgi
	ask 'nobody"} 1'
	refused 404 model_not_found model
	req GET '/metrics?model=intruder' -A intruder \
	    -H 'X-Request-Id: intruder'
	http_status 200
	run ! grep -E 'nobody|intruder' "$DIR/body"
}

@test "metrics: the same door as /usage" {
	local out token

	limited
	out=$("$RELEVO" --config "$DIR/relevo.conf" client new bot)
	token=$(grep -o 'rlv-[A-Za-z0-9_-]*' <<<"$out")
	{
		config_mock p1 m1
		printf 'client bot {\n\ttoken = "%s"\n\tusage = all\n\trpd = 20\n}\n' \
		    "$(grep -o 'blake2b:[0-9a-f]*' <<<"$out")"
	} | config_write 'access = token'
	lighttpd_start fcgi
	req GET /metrics
	refused 401 invalid_api_key
	[[ $(header content-type) == application/json ]]
	ask m1 '' -H "X-Api-Key: $token"
	http_status 200
	metrics -H "Authorization: Bearer $token"
	is 1 relevo_client_requests_total client=bot
	is 12 relevo_client_tokens_total client=bot
	is 0 relevo_client_failures_total client=bot
	is 0 relevo_client_in_flight client=bot
	is 19 relevo_window_remaining scope=client client=bot window=rpd
	run ! grep -qF "$token" "$DIR/body"
	run ! grep -q test-key "$DIR/body"
	req POST /metrics -d x -H "Authorization: Bearer $token"
	refused 405 method_not_allowed
	req HEAD /metrics -I -H "Authorization: Bearer $token"
	http_status 200
	(($(header content-length) > 1000))
}

@test "metrics: who waits is counted" {
	{
		config_mock p1 m1 | sed 's|^model .*|&\n concurrency = 1|'
		printf 'route { \n max-wait = 20s \n }\n'
	} | config_write
	mock_script m1 gate=g
	lighttpd_start fcgi
	STREAM=one stream_open m1
	mock_wait m1 inflight
	STREAM=two stream_open m1
	until_true 10 one_waits
	is 0 relevo_open model=p1/m1
	is 1 relevo_window_used model=p1/m1 window=concurrency
	mock_gate g 99
	STREAM=one stream_wait
	STREAM=two stream_wait
}

one_waits()
{
	metrics
	[[ $(jq -r 'select(.name == "relevo_waiting") | .value' \
	    "$DIR/samples") == 1 ]]
}

# -- The dashboard ------------------------------------------------------------

BOARD=$ROOT/conf/grafana.json

# expressions: of all panels and variables.
expressions()
{
	jq -r '.panels[].targets[]?.expr, (.templating.list[].query |
	    strings, (objects | .query))' "$BOARD" | grep relevo_
}

@test "grafana: every figure of /metrics is on it, and no other" {
	limited
	lighttpd_start fcgi
	metrics
	sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' "$DIR/body" | sort >"$DIR/there"
	(($(wc -l <"$DIR/there") > 20))
	expressions | grep -oE 'relevo_[a-z_]+' | sort -u >"$DIR/shown"
	diff "$DIR/there" "$DIR/shown" ||
	    fail '< is not on the dashboard, > not in /metrics'
}

@test "grafana: its labels are those of /metrics" {
	{
		config_mock p1 | sed 's/key = .*/&\n rpm = 99 key-rpm = 50/'
		printf 'model p1/m1 {\n\trpm = 7\n}\n'
		printf 'client bot {\n\ttoken = "blake2b:%064d"\n' 7
		printf 'rpd = 9\n}\n'
	} | config_write
	mock_script m1 status=500 1
	lighttpd_start fcgi
	ask m1
	metrics
	jq -r '.labels | keys[]' "$DIR/samples" | sort -u >"$DIR/there"
	{
		expressions | grep -oE '[{,][a-z_]+=' | tr -d '{,='
		expressions | grep -oE 'by \([a-z_]+\)' | tr -d '()' |
		    sed 's/by //'
		jq -r '.panels[].targets[]?.legendFormat' "$BOARD" |
		    grep -oE '\{\{[a-z_]+\}\}' | tr -d '{}'
	} | sort -u >"$DIR/used"
	(($(wc -l <"$DIR/used") >= 6))
	run comm -13 "$DIR/there" "$DIR/used"
	[[ -z $output ]] || fail "not a label of /metrics: $output"
	# The words of the scopes, too.
	jq -r '.labels.scope // empty' "$DIR/samples" | sort -u >"$DIR/there"
	expressions | grep -oE 'scope=~?"[^"]*"' | sed 's/.*="*~*"//; s/"//' |
	    tr '|' '\n' | sort -u | diff "$DIR/there" -
}

@test "grafana: it can be imported: a source to choose, ids, places" {
	jq -e '.title == "relevo" and (.templating.list | map(.name)) ==
	    ["datasource", "provider", "model", "client"]' "$BOARD"
	jq -e '[.panels[].id] | length > 15 and length == (unique | length)' \
	    "$BOARD"
	jq -e '[.. | objects | .datasource? // empty | .uid] |
	    unique == ["${datasource}"]' "$BOARD"
	# No two panels lie on one another, none beyond 24 columns.
	jq -e '[.panels[].gridPos] as $p | [range($p | length) as $i |
	    range($i) as $j | $p[$i] as $a | $p[$j] as $b |
	    select($a.x < $b.x + $b.w and $b.x < $a.x + $a.w and
	    $a.y < $b.y + $b.h and $b.y < $a.y + $a.h)] == []' "$BOARD"
	jq -e 'all(.panels[].gridPos; .x + .w <= 24)' "$BOARD"
}
