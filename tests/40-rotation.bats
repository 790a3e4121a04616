# Whose turn it is: shared by all workers and CGI processes, kept over restarts.

bats_require_minimum_version 1.5.0
load helper

# Under sanitizers a CGI process takes long to start: fewer there.
ROUNDS=${RELEVO_ROUNDS:-1000}

setup()
{
	setup_dir
	mock_start
}

teardown()
{
	stop_all
}

# config_four [ROUTE] [MORE]
config_four()
{
	{
		config_mock p1 m1 m2
		config_mock p2 m3
		config_mock p3 m4
		printf 'route {\n%s\n}\n%s\n' "${1:-}" "${2:-}"
	} | config_write "workers = 2${3:-}"
}

# counts: of m1 to m4 at the mock, "250 250 250 250".
counts()
{
	mock_stats '.models as $m | ["m1", "m2", "m3", "m4"] |
	    map($m[.].requests // 0 | tostring) | join(" ")'
}

@test "rotation: workers and CGI together give each model its share" {
	local n share=$((ROUNDS / 4))

	config_four
	both_start
	both $((ROUNDS / 2))
	[[ $(sort "$DIR/codes" | uniq -c | tr -s ' ') == " $ROUNDS 200" ]]
	for n in $(counts); do
		((n >= share - 1 && n <= share + 1)) || fail "$(counts)"
	done
	req GET "$FCGI_URL/usage"
	json '.totals.requests == $n and .totals.tokens == 12 * $n and
	    .totals.inFlight == 0 and .totals.failures == 0' \
	    --argjson n "$ROUNDS"
	req GET "$CGI_URL/usage"
	json '.totals.requests == $n' --argjson n "$ROUNDS"
}

# who: the model that answers the next request.
who()
{
	ask auto
	http_status 200
	header x-relevo-model
}

@test "rotation: in order, one after the other" {
	config_four
	lighttpd_start fcgi
	for n in m1 m2 m3 m4 m1 m2; do
		[[ $(who) == "$n" ]]
	done
}

@test "rotation: goes on after kill -9 of supervisor and workers" {
	config_four
	lighttpd_start socket
	[[ $(who) == m1 ]]
	[[ $(who) == m2 ]]
	relevo_kill
	rm "$DIR/relevo.sock"
	relevo_serve
	# lighttpd counts a backend that was gone as down for a moment.
	until_true 10 up
	[[ $(who) == m3 ]]
	req GET /usage
	json '[.usage[].localStats.requests] == [1, 1, 1, 0]'
}

up()
{
	req GET /health && [[ $http_code == 200 ]]
}

@test "rotation: the workers killed: the next ones go on" {
	config_four
	lighttpd_start fcgi
	[[ $(who) == m1 ]]
	STDERR_ALLOW=worker_died
	# shellcheck disable=SC2046
	kill -KILL $(pgrep -P "$RELEVO_PID")
	until_true 10 up
	[[ $(who) == m2 ]]
	req GET /usage
	json '.totals.requests == 2'
}

# lighttpd finds the socket served and takes it for somebody else's: the workers
# go on, and end with lighttpd (stop_all looks for what is left).
@test "rotation: lighttpd's supervisor killed: its workers go on" {
	config_four
	lighttpd_start fcgi
	[[ $(who) == m1 ]]
	kill -KILL "$RELEVO_PID"
	until_true 10 gone "$RELEVO_PID"
	for m in m2 m3 m4 m1; do
		[[ $(who) == "$m" ]]
	done
}

# Everything killed, as by pkill -9, and started again.
@test "rotation: the whole responder killed: the next one goes on" {
	config_four
	lighttpd_start socket
	[[ $(who) == m1 ]]
	relevo_kill
	relevo_serve
	until_true 10 up
	[[ $(who) == m2 ]]
	req GET /usage
	json '.totals.requests == 2'
}

# And its responder, whose socket the next one would else find served.
web_stop()
{
	stop web "$WEB_PID"
	until_true 10 gone "$RELEVO_PID"
}

@test "rotation: fcgi, then cgi, then fcgi: turn and counts go on" {
	config_four
	lighttpd_start fcgi
	[[ $(who) == m1 ]]
	[[ $(who) == m2 ]]
	web_stop
	lighttpd_start cgi
	[[ $(who) == m3 ]]
	req GET /usage
	json '[.usage[].localStats.requests] == [1, 1, 1, 0]'
	stop web "$WEB_PID"
	lighttpd_start fcgi
	[[ $(who) == m4 ]]
	[[ $(who) == m1 ]]
	req GET /usage
	json '[.usage[].localStats.requests] == [2, 1, 1, 1]'
}

@test "rotation: each alias has a turn of its own; pinned ones take none" {
	config_four '' 'alias two { models = {"p1/*"} }'
	lighttpd_start fcgi
	[[ $(who) == m1 ]]
	ask two
	[[ $(header x-relevo-model) == m1 ]]
	ask p3/m4
	[[ $(who) == m2 ]]
	ask two
	[[ $(header x-relevo-model) == m2 ]]
	[[ $(who) == m3 ]]
}

@test "rotation: keys of a pool take turns too" {
	{
		config_mock p1 m1
	} | sed 's/test-key-p1/test-key-aaaa, test-key-bbbb/' | config_write
	lighttpd_start fcgi
	volley 6
	[[ $(mock_log | jq -r .key | sort | uniq -c | tr -s ' \n' ' ') == \
	    ' 3 aaaa 3 bbbb ' ]]
}

@test "strategy: random reaches every model, in no fixed order" {
	config_four '	strategy = random'
	lighttpd_start fcgi
	volley 200
	for n in $(counts); do
		((n > 15 && n < 120)) || fail "$(counts)"
	done
	[[ $(mock_log | head -n 40 | jq -r .model | tr '\n' ' ') != \
	    $(mock_log | tail -n 40 | jq -r .model | tr '\n' ' ') ]]
}

@test "strategy: least-used catches up first" {
	config_four '	strategy = least-used'
	lighttpd_start fcgi
	volley 6 m3
	volley 6 m1
	for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
		who
	done
	[[ $(counts) == '6 6 6 6' ]]
}

@test "strategy: weighted follows the weights" {
	{
		config_mock p1 m1
		config_mock p2 m2
		printf 'route { strategy = weighted }\n'
	} | sed '/m1" {/a\
	weight = 9' | config_write
	lighttpd_start fcgi
	volley 100
	mock_stats '[.models.m1.requests, .models.m2.requests] |
	    .[0] > 70 and .[1] > 0' | grep -qx true
}

@test "strategy: a lower tier is used up before the next" {
	{
		config_mock p1 m1
		config_mock p2 m2
	} | sed '/m2" {/a\
	rpd = 3
	/m1" {/a\
	tier = 1' | config_write
	lighttpd_start fcgi
	same_hour 30
	for n in m2 m2 m2 m1 m1; do
		[[ $(who) == "$n" ]]
	done
}

@test "strategy: sticky keeps a conversation with its model" {
	local first body

	config_four '	sticky = yes'
	lighttpd_start fcgi
	body='{"messages":[{"role":"user","content":"one"}'
	for more in '' ',{"role":"assistant","content":"a"}' \
	    ',{"role":"assistant","content":"a"},{"role":"user","content":"b"}'
	do
		req POST /v1/chat/completions \
		    -H 'Content-Type: application/json' \
		    --data-binary "$body$more]}"
		http_status 200
		[[ $(header x-relevo-model) == "${first:=$(
		    header x-relevo-model)}" ]]
	done
}

@test "filter: only models that can do what is asked" {
	config_four '' 'model p3/tools { can = {tools} }
	    model p3/eyes { can = {vision} }'
	lighttpd_start fcgi
	for n in 1 2 3; do
		ask auto 'tools: [{type: "function", function: {name: "f"}}]'
		[[ $(header x-relevo-model) == tools ]]
	done
	req POST /chat -H 'Content-Type: application/json' --data-binary \
	    '{"messages":[{"role":"user","content":[{"type":"image_url",
	    "image_url":{"url":"data:image/png;base64,AAAA"}}]}]}'
	[[ $(header x-relevo-model) == eyes ]]
	ask p2/m3 'tools: [{type: "function", function: {name: "f"}}]'
	refused 400 invalid_request model
}

@test "filter: only models whose context is large enough" {
	{
		config_mock p1 m1
		config_mock p2 m2
	} | sed '/m1" {/a\
	context = 1000' | config_write
	lighttpd_start fcgi
	jq -cn '{messages: [{role: "user", content: ("word " * 5000)}]}' \
	    >"$DIR/q"
	for n in 1 2 3; do
		req POST /chat -H 'Content-Type: application/json' \
		    --data-binary "@$DIR/q"
		[[ $(header x-relevo-model) == m2 ]]
	done
	req POST /chat -H 'Content-Type: application/json' --data-binary \
	    "$(jq -c '.model = "m1"' "$DIR/q")"
	refused 400 context_length_exceeded messages
}

@test "filter: patterns of an alias, a model that is off" {
	config_four '' 'model p3/spare { enabled = no }
	    alias some { models = {"p3/*", "p1/m2"} }'
	lighttpd_start fcgi
	ASK_URL=$URL volley 6 some
	[[ $(counts) == '0 3 0 3' ]]
	ask p3/spare
	[[ $http_code == 404 || $http_code == 503 ]]
	req GET /models
	json '.models[] | select(.id == "p3/spare") | .available == false'
}
