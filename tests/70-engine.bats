# The engine: one loop for all streams, workers that come and go, the log.

bats_require_minimum_version 1.5.0
load helper

STREAMS=${RELEVO_STREAMS:-1000}

setup()
{
	setup_dir
	# Two descriptors for each stream, in each process.
	ulimit -n "$(ulimit -Hn)"
	mock_start
}

teardown()
{
	stop_all
}

# A stream may have to wait at the mock's gate for as long as the rest takes.
config_plain()
{
	{
		config_mock p1 m1
		config_mock p2 m2
	} | sed 's/key =/first-event-timeout = 9m\n\tidle-timeout = 9m\n\t&/' |
	    config_write "${1:-}"
}

workers()
{
	pgrep -P "$RELEVO_PID" | tr '\n' ' '
}

of_status()
{
	awk -v name="$2:" '$1 == name { print $2 }' "/proc/$1/status"
}

# -- Many streams -------------------------------------------------------------

arrived()
{
	mock_wait m1 requests "$STREAMS"
}

@test "engine: 1,000 streams at once on one worker, one thread" {
	local before after worker

	load_build
	config_plain
	nginx_start
	ask m1
	worker=$(workers)
	before=$(of_status $worker VmRSS)
	mock_reset
	mock_script m1 tokens=20,gate=g
	chat_body m1 'stream: true' >"$DIR/q"
	spawn load bash -c "'$LOAD' $PORT /v1/chat/completions $STREAMS 20 \
	    <'$DIR/q'"
	forget "$SPAWNED"
	until_true 60 arrived
	# All are open, and have had one chunk each.
	mock_gate g 1
	until_true 30 all_have_one
	req GET /health
	json '.streams == $n' --argjson n "$STREAMS"
	[[ $(of_status $worker Threads) == 1 ]]
	after=$(of_status $worker VmRSS)
	if ! grep -qa __asan_init "$RELEVO"; then
		((after - before < 40 * STREAMS)) ||
		    fail "$((after - before)) KB for $STREAMS streams"
	fi
	mock_gate g 20
	until_true 60 gone "$SPAWNED"
	wait "$SPAWNED" || fail "$(cat "$DIR/load.out")"
	[[ $(<"$DIR/load.out") == "$STREAMS of $STREAMS streams whole" ]]
	[[ $(mock_stats '.models.m1 | [.requests, .completed, .peak] | @csv') \
	    == "$STREAMS,$STREAMS,$STREAMS" ]]
	[[ $(workers) == "$worker" ]]
	req GET /usage
	json '.totals.inFlight == 0 and .totals.requests == $n' \
	    --argjson n $((STREAMS + 1))
}

all_have_one()
{
	[[ $(mock_stats .models.m1.tokens) == "$STREAMS" ]]
}

@test "engine: paced streams do not wait for each other" {
	load_build
	config_plain 'workers = 2'
	lighttpd_start socket
	mock_script m1 tokens=30,pace=10
	chat_body m1 'stream: true' >"$DIR/q"
	"$LOAD" "$PORT" /v1/chat/completions 200 30 <"$DIR/q"
	[[ $(mock_stats .models.m1.completed) == 200 ]]
}

@test "engine: connections to a provider are kept warm" {
	config_plain
	nginx_start keep
	volley 100 m1 --parallel-max 1
	[[ $(sort "$DIR/codes-stream" | uniq -c) == *' 100 200' ]]
	(($(mock_stats .connections) <= 2)) || fail "$(mock_stats .connections)"
}

@test "engine: a connection that went stale costs nobody an answer" {
	config_plain
	lighttpd_start fcgi
	mock_script m1 stale
	for n in 1 2 3 4 5 6; do
		ask m1
		http_status 200
		[[ $(header x-relevo-attempts) == p1:ok ]]
	done
	mock_script m1 hangup
	for n in 1 2 3; do
		ask m1 'stream: true'
		stream_whole
	done
	req GET /usage
	json '.totals.failures == 0'
}

# -- Workers ------------------------------------------------------------------

answers()
{
	ask m1
	[[ $http_code == 200 ]]
}

@test "worker: killed, it is replaced, and the log says so" {
	STDERR_ALLOW=worker_died
	config_plain
	lighttpd_start socket
	ask m1
	http_status 200
	old=$(workers)
	kill -KILL $old
	until_true 10 answers
	[[ $(workers) != "$old" ]]
	alive "$RELEVO_PID"
	grep '"event":"worker_died"' "$DIR/relevo.err" |
	    jq -e '.level == "error" and (.message | test("signal 9"))'
}

@test "worker: one of two killed, the other's stream goes on" {
	STDERR_ALLOW=worker_died
	config_plain 'workers = 2'
	lighttpd_start socket
	mock_script m1 tokens=2,gate=g
	mock_gate g 1
	for n in a b c d; do
		STREAM=$n stream_open m1
		STREAM=$n stream_until 'w1 '
	done
	# The one that has fewer streams, perhaps none.
	kill -KILL "$(pgrep -n -P "$RELEVO_PID")"
	mock_wait m1 requests 4
	until_true 10 two_workers
	mock_gate g 2
	for n in a b c d; do
		STREAM=$n stream_wait
		[[ $output == *'w1 '* ]]
		if ((status == 0)) && grep -q DONE "$DIR/$n.out"; then
			stream_whole "$DIR/$n.out"
			echo whole >>"$DIR/ends"
		else
			run ! grep -q DONE "$DIR/$n.out"
			echo cut >>"$DIR/ends"
		fi
	done
	[[ $(grep -c whole "$DIR/ends") == \
	    $(mock_stats .models.m1.completed) ]]
}

two_workers()
{
	[[ $(workers | wc -w) == 2 ]]
}

one_worker()
{
	[[ $(workers | wc -w) == 1 ]]
}

# deaf PID: it takes no connections any more. After a reload the old worker
# does until it has heard of it, beside the new one.
deaf()
{
	local inode

	# __SO_ACCEPTCON
	inode=$(awk -v path="$DIR/relevo.sock" '$4 == "00010000" &&
	    $NF == path { print $7 }' /proc/net/unix)
	! find "/proc/$1/fd" -lname "socket:\[$inode\]" 2>/dev/null |
	    grep -q .
}

has_model()
{
	req GET /models
	[[ $(jq -r '.models[].id' <<<"$output") == *"$1"* ]]
}

@test "reload: a new model appears while an open stream ends whole" {
	config_plain
	lighttpd_start socket
	old=$(workers)
	mock_script m1 tokens=3,gate=g
	mock_gate g 1
	stream_open m1
	stream_until 'w1 '
	{
		config_mock p1 m1
		config_mock p9 new-one
	} | config_write
	kill -HUP "$RELEVO_PID"
	until_true 10 has_model p9/new-one
	until_true 10 deaf "${old% }"
	ask new-one
	http_status 200
	ask m2
	refused 404 model_not_found model
	[[ " $(workers) " == *" ${old% } "* ]]
	mock_gate g 3
	stream_wait
	[[ $status == 0 ]]
	stream_whole "$DIR/stream.out"
	until_true 10 one_worker
	[[ $(workers) != "$old" ]]
	grep -q '"event":"reload"' "$DIR/relevo.err"
	req GET /usage
	json '.usage[0].localStats.requests == 1'
}

@test "reload: a broken configuration is refused and the old one stays" {
	STDERR_ALLOW=reload_refused
	config_plain
	lighttpd_start socket
	old=$(workers)
	echo 'model nobody/x { rpm = many }' >>"$DIR/relevo.conf"
	kill -HUP "$RELEVO_PID"
	until_true 10 grep -q reload_refused "$DIR/relevo.err"
	grep reload_refused "$DIR/relevo.err" | jq -e '.level == "error" and
	    (.message | test("relevo.conf:[0-9]+: "))'
	ask m1
	http_status 200
	[[ $(workers) == "$old" ]]
}

many()
{
	[[ $(workers | wc -w) == "$1" ]]
}

@test "reload: the old and the new of more workers than half of the most" {
	config_plain 'workers = 129'
	lighttpd_start socket
	until_true 20 many 129
	kill -HUP "$RELEVO_PID"
	until_true 20 grep -q '"event":"reload' "$DIR/relevo.err"
	grep '"event":"reload' "$DIR/relevo.err" |
	    jq -e '.message == "129 new workers, 129 old ones finish"'
	until_true 20 many 129
	ask m1
	http_status 200
	run ! grep -q state_memory "$DIR/relevo.err"
}

# -- Another binary -----------------------------------------------------------

# own_binary: run a copy, so that it can be replaced.
own_binary()
{
	look_into
	cp "$RELEVO" "$DIR/relevo"
	RELEVO=$DIR/relevo
}

# The same with another version in it.
new_binary()
{
	sed 's/0\.1\.0/0.1.9/' "$RELEVO" >"$DIR/new"
	chmod 755 "$DIR/new"
	[[ $("$DIR/new" version) == *0.1.9* ]]
	mv "$DIR/new" "$RELEVO"
}

# What a process runs.
version_of()
{
	"/proc/$1/exe" version | grep -o '0\.1\.[0-9]'
}

upgraded()
{
	[[ $(version_of "$RELEVO_PID") == 0.1.9 ]] && one_worker &&
	    [[ $(version_of $(workers)) == 0.1.9 ]]
}

# upgrade_checks: under load, an open stream and a changed configuration.
upgrade_checks()
{
	local first=$RELEVO_PID

	mock_script m1 tokens=3,gate=g
	mock_gate g 1
	stream_open m1
	stream_until 'w1 '
	STREAM=load volley 400 m2 3>&- &
	load=$!
	{
		config_mock p1 m1
		config_mock p2 m2 m9
	} | config_write
	new_binary
	kill -HUP "$RELEVO_PID"
	until_true 10 has_model p2/m9
	wait "$load"
	[[ $(sort "$DIR/codes-load" | uniq -c) == *' 400 200' ]] ||
	    fail "$(sort "$DIR/codes-load" | uniq -c)"
	[[ $(workers | wc -w) == 2 ]]
	mock_gate g 3
	stream_wait
	[[ $status == 0 ]]
	stream_whole "$DIR/stream.out"
	until_true 10 upgraded
	ask m9
	http_status 200
	[[ $RELEVO_PID == "$first" ]]
	grep '"event":"upgrade"' "$DIR/relevo.err" |
	    jq -e '.message | test("1 new workers, 1 old ones")'
	req GET /usage
	json '.totals.inFlight == 0 and .totals.requests == 402'
	# And it goes on like any other.
	kill -HUP "$RELEVO_PID"
	until_true 10 grep -q '"event":"reload"' "$DIR/relevo.err"
	ask m1
	http_status 200
}

@test "upgrade: HUP runs the new binary, behind nginx" {
	own_binary
	config_plain
	nginx_start keep
	upgrade_checks
}

@test "upgrade: HUP runs the new binary that lighttpd started" {
	own_binary
	config_plain
	lighttpd_start fcgi
	upgrade_checks
	fcgi_child
	[[ $(version_of "$RELEVO_PID") == 0.1.9 ]]
}

@test "upgrade: a variable that .env lost is not handed on" {
	own_binary
	config_plain
	sed -i 's/test-key-p1/${P1_KEY:-of-the-file}/' "$DIR/relevo.conf"
	echo P1_KEY=of-dot-env >"$DIR/.env"
	chmod 600 "$DIR/.env"
	lighttpd_start socket
	ask m1
	mock_last m1 | grep -qi '^authorization: bearer of-dot-env'
	rm "$DIR/.env"
	new_binary
	kill -HUP "$RELEVO_PID"
	until_true 10 upgraded
	ask m1
	mock_last m1 | grep -qi '^authorization: bearer of-the-file'
	! tr '\0' '\n' <"/proc/$RELEVO_PID/environ" | grep -q P1_KEY
}

refused_upgrades()
{
	[[ $(grep -c '"event":"upgrade_refused"' "$DIR/relevo.err") == "$1" ]]
}

# refuses_binary N WORDS: HUP is refused for the N-th time, with WORDS.
refuses_binary()
{
	kill -HUP "$RELEVO_PID"
	until_true 30 refused_upgrades "$1" || fail "not refused: $2"
	grep '"event":"upgrade_refused"' "$DIR/relevo.err" | tail -n 1 |
	    jq -e '.level == "error" and (.message | test($words))' \
	    --arg words "$2" || fail "$(tail -n 1 "$DIR/relevo.err")"
	[[ $(workers) == "$old" ]]
	ask m1
	http_status 200
}

@test "upgrade: a binary that is none, or none for this configuration" {
	STDERR_ALLOW='upgrade_refused|reload_refused'
	own_binary
	config_plain
	lighttpd_start socket
	old=$(workers)
	head -c 5000 "$RELEVO" >"$DIR/half"
	echo text >"$DIR/text"
	ln -s /bin/true "$DIR/other"
	printf '#!/bin/sh\nkill -SEGV $$\n' >"$DIR/dies"
	cp "$RELEVO" "$DIR/good"
	chmod 755 "$DIR/half" "$DIR/text" "$DIR/dies"
	put()
	{
		cp -P --remove-destination "$DIR/$1" "$DIR/put"
		mv "$DIR/put" "$RELEVO"
	}
	put half
	refuses_binary 1 'the old one stays: '
	put text
	refuses_binary 2 'Exec format error|status'
	put other
	refuses_binary 3 'does not answer as relevo'
	put dies
	refuses_binary 4 'signal 11'
	chmod 644 "$DIR/good"
	put good
	refuses_binary 5 'Permission denied'
	# It would run, but for the configuration.
	chmod 755 "$DIR/good"
	put good
	echo 'model nobody/x { rpm = many }' >>"$DIR/relevo.conf"
	refuses_binary 6 'relevo.conf:[0-9]+: '
	sed -i '$d' "$DIR/relevo.conf"
	kill -HUP "$RELEVO_PID"
	until_true 10 grep -q '"event":"upgrade"' "$DIR/relevo.err"
	ask m1
	http_status 200
	until_true 10 one_worker
}

# -- Reloads under load -------------------------------------------------------

new_workers()
{
	[[ $(workers) != "$1" ]] &&
	    [[ $(grep -c '"event":"reload"' "$DIR/relevo.err") == "$2" ]]
}

# ten_reloads: 300 streams are open all the time, short requests come, and the
# configuration is read again ten times.
ten_reloads()
{
	local n old

	load_build
	mock_script m1 tokens=20,gate=g
	chat_body m1 'stream: true' >"$DIR/q"
	spawn load bash -c "'$LOAD' $PORT /v1/chat/completions 300 20 \
	    <'$DIR/q'"
	forget "$SPAWNED"
	STREAMS=300
	until_true 60 arrived
	mock_gate g 1
	until_true 30 all_have_one
	STREAM=short volley 1500 m2 3>&- &
	short=$!
	for n in 1 2 3 4 5 6 7 8 9 10; do
		old=$(workers)
		kill -HUP "$RELEVO_PID"
		until_true 10 new_workers "$old" $n
		mock_gate g $((n + 1))
		ask m2
		http_status 200
	done
	wait "$short"
	[[ $(sort "$DIR/codes-short" | uniq -c) == *' 1500 200' ]] ||
	    fail "$(sort "$DIR/codes-short" | uniq -c)"
	# The streams are still those of before the first reload.
	[[ $(mock_stats '.models.m1 | [.requests, .completed] | @csv') \
	    == 300,0 ]]
	mock_gate g 20
	until_true 60 gone "$SPAWNED"
	wait "$SPAWNED" || fail "$(cat "$DIR/load.out")"
	[[ $(<"$DIR/load.out") == '300 of 300 streams whole' ]]
	[[ $(mock_stats .models.m1.requests) == 300 ]]
	until_true 20 one_worker
	req GET /usage
	json '.totals.inFlight == 0 and .totals.failures == 0 and
	    .totals.requests == 1810'
}

@test "reload: ten times under 300 streams, nginx with kept connections" {
	config_plain 'drain-time = 5m'
	nginx_start keep
	ten_reloads
}

@test "reload: ten times under 300 streams, lighttpd" {
	config_plain 'drain-time = 5m'
	lighttpd_start fcgi 'server.max-connections = 1024'
	ten_reloads
}

@test "stop: SIGTERM lets an open stream end, then all is gone" {
	config_plain
	lighttpd_start socket
	mock_script m1 tokens=3,gate=g
	mock_gate g 1
	stream_open m1
	stream_until 'w1 '
	kill -TERM "$RELEVO_PID"
	# New requests are not taken any more, the open one is.
	until_true 10 refuses
	mock_gate g 3
	stream_wait
	[[ $status == 0 ]]
	stream_whole "$DIR/stream.out"
	until_true 10 gone "$RELEVO_PID"
	wait "$RELEVO_PID"
	forget "$RELEVO_PID"
	[[ ! -e $DIR/relevo.sock ]]
	until_true 5 no_strays
}

refuses()
{
	req GET /health -m 2
	[[ $http_code != 200 ]]
}

@test "stop: after drain-time what is left is cut, and said" {
	config_plain 'drain-time = 200ms'
	nginx_start
	mock_script m1 silence=1
	stream_open m1
	stream_until 'w1 '
	kill -TERM "$RELEVO_PID"
	until_true 10 gone "$RELEVO_PID"
	wait "$RELEVO_PID"
	forget "$RELEVO_PID"
	stream_wait
	run ! grep -q DONE "$DIR/stream.out"
	mock_wait m1 aborted 1
	grep -q '"event":"drain_time"' "$DIR/relevo.err"
}

# One that a bug or a debugger holds does not hold up who stops the service.
@test "stop: a worker that stands still is killed after drain-time" {
	local worker

	STDERR_ALLOW=worker_died
	config_plain 'drain-time = 200ms'
	nginx_start
	ask m1
	worker=$(workers)
	kill -STOP $worker
	kill -TERM "$RELEVO_PID"
	until_true 20 gone "$RELEVO_PID"
	wait "$RELEVO_PID"
	forget "$RELEVO_PID"
	gone "$worker"
	grep '"event":"worker_died"' "$DIR/relevo.err" |
	    jq -e '.message | test("signal 9")'
}

# Open when drain-time is over: one stream, one bare text, one question without
# a byte of an answer, one whose answer has only said who speaks, and one that
# has all of its text.
cut_is_told()
{
	mock_script m1 silence=1
	mock_script m2 gatehead=never 1
	mock_script m2 silence=0 1
	mock_script m2 tokens=2,silence=finish 1
	stream_open m1
	ASK_PATH=/chat STREAM=text stream_open m1 '' -H 'Accept: text/plain'
	STREAM=none stream_open m2 '' -w ' %{http_code}'
	mock_wait m2 requests 1
	STREAM=role stream_open m2 '' -w ' %{http_code}'
	mock_wait m2 requests 2
	STREAM=all stream_open m2
	STREAM=all stream_until '"stop"'
	stream_until 'w1 '
	STREAM=text stream_until 'w1 '
	kill -TERM "$RELEVO_PID"
	until_true 10 gone "$RELEVO_PID"
	wait "$RELEVO_PID"
	forget "$RELEVO_PID"
	stream_wait
	((status == 0))
	[[ $(tail -n 2 "$DIR/stream.out") == \
	    'data: {"error":'*'"code":"overloaded"}}' ]] ||
	    fail "$(<"$DIR/stream.out")"
	STREAM=text stream_wait
	((status == 18)) || fail "curl's status is $status: $output"
	for STREAM in none role; do
		stream_wait
		[[ $output == '{"error":'*'"code":"overloaded"}} 503' ]] ||
		    fail "$STREAM: $output"
	done
	STREAM=all stream_wait
	stream_whole "$DIR/all.out"
	grep '"event":"request"' "$DIR/relevo.err" | jq -se 'length == 5 and
	    map(.code) - ["overloaded"] == [null]'
}

@test "stop: what drain-time cuts is told so, nginx" {
	config_plain 'drain-time = 200ms'
	nginx_start
	cut_is_told
}

@test "stop: what drain-time cuts is told so, nginx keep" {
	config_plain 'drain-time = 200ms'
	nginx_start keep
	cut_is_told
}

@test "stop: what drain-time cuts is told so, lighttpd" {
	config_plain 'drain-time = 200ms'
	lighttpd_start socket
	cut_is_told
}

# -- The sandbox ---------------------------------------------------------------

has_landlock()
{
	grep '"event":"sandbox"' "$DIR/relevo.err" |
	    grep -q 'Landlock version'
}

sandbox_config()
{
	{
		printf 'server {\n\tstate = "%s/own/state"\n' "$DIR"
		printf '\taccess = open\n%s}\n' "${1:-}"
		config_mock p1 m1
	} >"$DIR/relevo.conf"
	chmod 600 "$DIR/relevo.conf"
	mkdir "$DIR/own"
}

counted()
{
	req GET /usage
	jq -e ".state == \"ok\" and .totals.requests == $1" <<<"$output"
}

@test "sandbox: each worker says what it may, and sandbox = no that it is off" {
	sandbox_config
	lighttpd_start socket
	ask m1
	http_status 200
	until_true 5 grep -q '"event":"sandbox"' "$DIR/relevo.err"
	if ! has_landlock; then
		echo "# no Landlock here: shown is only that all goes on" >&3
		grep '"event":"sandbox"' "$DIR/relevo.err" |
		    grep -q 'none: this kernel'
	fi
	sed -i 's/access = open/&\n\tsandbox = no/' "$DIR/relevo.conf"
	kill -HUP "$RELEVO_PID"
	until_true 10 grep -q 'none: sandbox = no' "$DIR/relevo.err"
	ask m1
	http_status 200
}

# A rule is for the folder that was there, so that the new one is refused
# proves that there is a sandbox; and service goes on.
@test "sandbox: the state's folder is replaced, and the workers with it" {
	STDERR_ALLOW='state_(lost|gone|memory)'
	sandbox_config
	lighttpd_start socket
	ask m1
	counted 1
	old=$(workers)
	mv "$DIR/own" "$DIR/away"
	mkdir "$DIR/own"
	if has_landlock; then
		until_true 20 grep -q sandbox_outgrown "$DIR/relevo.err"
		until_true 10 grep -q '"event":"renewed"' "$DIR/relevo.err"
		until_true 10 one_worker
		[[ $(workers) != "$old" ]]
	else
		echo "# no Landlock here: nothing to outgrow" >&3
	fi
	ask m1
	http_status 200
	until_true 10 test -s "$DIR/own/state"
	req GET /usage
	json '.state == "ok" and .totals.requests >= 1'
}

# What is on the disk by then may be half an edit, or a new binary that is not
# meant to run yet.
@test "sandbox: what is outgrown is had anew with what is in use" {
	STDERR_ALLOW='state_(lost|gone|memory)'
	own_binary
	sandbox_config
	lighttpd_start socket
	ask m1
	http_status 200
	echo 'model nobody/x { rpm = many }' >>"$DIR/relevo.conf"
	echo text >"$DIR/put"
	mv "$DIR/put" "$RELEVO"
	old=$(workers)
	mv "$DIR/own" "$DIR/away"
	mkdir "$DIR/own"
	if has_landlock; then
		until_true 20 grep -q '"event":"renewed"' "$DIR/relevo.err"
		until_true 10 one_worker
		[[ $(workers) != "$old" ]]
	fi
	ask m1
	http_status 200
	until_true 10 test -s "$DIR/own/state"
	run ! grep -qE '(reload|upgrade)_refused' "$DIR/relevo.err"
}

# -- The log, and what is secret ----------------------------------------------

@test "log: one line for each request, with the documented fields" {
	config_plain
	lighttpd_start fcgi
	chat
	mock_script m2 status=500
	ask m2
	req GET /models
	req GET /v1/nothing
	until_true 5 lines 4
	jq -se 'map(select(.event == "request")) | length == 4 and
	    (map(.id) | unique | length) == 4 and
	    all(.[]; (.time | test("^20.*Z$")) and .level == "info" and
	        (.status | type) == "number" and (.ms | type) == "number" and
	        (keys - ["time", "level", "event", "id", "route", "client",
	        "provider", "model", "attempts", "status", "code", "tokens_in",
	        "tokens_out", "first_ms", "ms"]) == [])' "$DIR/relevo.err"
	jq -se 'map(select(.event == "request"))[0] | .route == "/chat" and
	    .provider == "p1" and .model == "m1" and .attempts == "p1:ok" and
	    .status == 200 and .tokens_in == 7 and .tokens_out == 5 and
	    (.first_ms | type) == "number" and (has("code") | not)' \
	    "$DIR/relevo.err"
	jq -se 'map(select(.event == "request"))[1] |
	    .route == "/v1/chat/completions" and .attempts == "p2:500" and
	    .status == 502 and .code == "upstream_status"' "$DIR/relevo.err"
	jq -se 'map(select(.event == "request"))[3] | .status == 404 and
	    .code == "unknown_url"' "$DIR/relevo.err"
}

lines()
{
	[[ $(grep -c '"event":"request"' "$DIR/relevo.err") == "$1" ]]
}

# The mock says the key in every way that a provider could.
@test "secrets: no key and no token in any answer, log, state or table" {
	local key=test-key-p1 token out

	out=$("$RELEVO" --config "$DIR/none" client new bot)
	token=$(grep -o 'rlv-[A-Za-z0-9_-]*' <<<"$out")
	{
		config_mock p1 m1 m3 m4
		config_mock p2 m2
		printf 'client bot { token = "%s" }\n' \
		    "$(grep -o 'blake2b:[0-9a-f]*' <<<"$out")"
	} | config_write $'access = token\n\tlog = debug'
	lighttpd_start fcgi
	saw()
	{
		cat "$DIR/head" "$DIR/body" >>"$DIR/seen"
	}
	for script in tokens=1 "status=400,message=Bad+key+$key+is+bad" \
	    "status=500,message=key+$key" "error=1,message=key+$key" \
	    "errorfirst,message=$key" "status=403,message=key+$key" \
	    "header=X-Key:$key" close html; do
		mock_script m1 "$script"
		mock_script m3 "$script"
		mock_script m4 "$script"
		for model in m1 m3 m4 auto; do
			ask "$model" 'stream: true' -H "X-Api-Key: $token"
			saw
			ask "$model" '' -H "Authorization: Bearer $token"
			saw
		done
	done
	for path in / /models /usage /health /v1/models; do
		req GET "$path" -H "X-Api-Key: $token"
		saw
		req GET "$path" -H "X-Api-Key: x$token"
		saw
	done
	for args in check 'check --print' models 'models --json' usage \
	    'usage --json' 'state dump' 'state verify' help version; do
		# shellcheck disable=SC2086
		"$RELEVO" --config "$DIR/relevo.conf" $args >>"$DIR/seen" 2>&1
	done
	tr '\0' ' ' <"/proc/$RELEVO_PID/cmdline" >>"$DIR/seen"
	grep -q . "$DIR/seen"
	for secret in "$key" "$token" "${token#rlv-}"; do
		! grep -anF -m 3 -- "$secret" "$DIR/seen" "$DIR/relevo.err" \
		    "$DIR/state" || fail "there it is"
	done
	(($(mock_stats .total) > 5))
	mock_log | jq -se 'any(.key == "y-p1")' >/dev/null
}
