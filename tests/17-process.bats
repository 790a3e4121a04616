# What the process is to the rest of the machine: what others can look into,
# what it takes from its environment, how it is built.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	mock_start
	config_mock p1 m1 | config_write
}

teardown()
{
	stop_all
}

sanitized()
{
	grep -qa __asan_init "$RELEVO"
}

workers()
{
	pgrep -P "$RELEVO_PID"
}

@test "process: no core, no new rights, not to be looked into" {
	local pid

	lighttpd_start socket
	ask m1
	http_status 200
	for pid in "$RELEVO_PID" $(workers); do
		grep -qE '^Max core file size +0 +0 ' "/proc/$pid/limits"
		grep -qE '^NoNewPrivs:[[:space:]]+1$' "/proc/$pid/status"
	done
	sanitized && return
	# What is not dumpable is root's in /proc, whoever runs it.
	if ((EUID == 0)); then
		stop relevo "$RELEVO_PID"
		chown -R www-data: "$DIR"
		chmod 755 "$DIR"
		spawn relevo setpriv --reuid=www-data --regid=www-data \
		    --clear-groups env "RELEVO_CONFIG=$DIR/relevo.conf" \
		    "$RELEVO" serve --socket "$DIR/relevo.sock"
		RELEVO_PID=$SPAWNED
		until_true 10 relevo_up
		until_true 10 workers
	fi
	for pid in "$RELEVO_PID" $(workers); do
		for file in environ maps fd; do
			[[ $(stat -c %u "/proc/$pid/$file") == 0 ]] ||
			    fail "$file of $pid: $(stat -c %U "/proc/$pid/$file")"
		done
		if ((EUID == 0)); then
			run ! setpriv --reuid=www-data --regid=www-data \
			    --clear-groups cat "/proc/$pid/environ"
		else
			run ! cat "/proc/$pid/environ"
		fi
	done
}

@test "process: no key and no token on a command line" {
	lighttpd_start socket
	ask m1 '' -H 'X-Api-Key: rlv-shown-by-a-client'
	for pid in "$RELEVO_PID" $(workers); do
		tr '\0' ' ' <"/proc/$pid/cmdline" >>"$DIR/cmdlines"
	done
	grep -q relevo.sock "$DIR/cmdlines"
	run ! grep -qE 'test-key|rlv-' "$DIR/cmdlines"
}

# Some that start services ignore it, so that theirs leave no zombies, and what
# is ignored stays so through execve(2): no child of ours could be waited for.
@test "process: a worker that dies is replaced where SIGCHLD came ignored" {
	local worker

	spawn relevo env --ignore-signal=CHLD \
	    "RELEVO_CONFIG=$DIR/relevo.conf" \
	    "$RELEVO" serve --socket "$DIR/relevo.sock"
	RELEVO_PID=$SPAWNED
	until_true 10 workers
	worker=$(workers)
	kill -KILL "$worker"
	another()
	{
		local now

		now=$(workers) && [[ $now != "$worker" ]]
	}
	until_true 10 another
	STDERR_ALLOW=worker_died
	stop relevo "$RELEVO_PID"
}

cgi_alone()
{
	env -i PATH="$PATH" RELEVO_CONFIG="$DIR/relevo.conf" \
	    GATEWAY_INTERFACE=CGI/1.1 SERVER_PROTOCOL=HTTP/1.1 \
	    ASAN_OPTIONS="${ASAN_OPTIONS:-}" "$@" "$RELEVO" \
	    2>>"$DIR/relevo.err"
}

post()
{
	chat_body m1 | cgi_alone REQUEST_METHOD=POST \
	    REQUEST_URI=/v1/chat/completions CONTENT_TYPE=application/json \
	    "$@"
}

@test "environment: no variable and no header sets a proxy" {
	closed_port
	dead=http://127.0.0.1:$CLOSED
	post "HTTP_PROXY=$dead" "http_proxy=$dead" "https_proxy=$dead" \
	    "ALL_PROXY=$dead" "all_proxy=$dead" >"$DIR/out"
	head -n 1 "$DIR/out" | grep -q '^Status: 200 '
	# by a header, too: nginx hands it on
	nginx_start
	ask m1 '' -H "Proxy: $dead"
	http_status 200
	[[ $(mock_stats .total) == 2 ]]
}

@test "environment: umask and locale are ours" {
	(
		umask 0
		post LC_ALL=de_DE.UTF-8 LANG=de_DE.UTF-8 TZ=Asia/Kolkata \
		    >"$DIR/out"
	)
	head -n 1 "$DIR/out" | grep -q '^Status: 200 '
	[[ $(stat -c %a "$DIR/state") == 600 ]]
	cgi_alone REQUEST_METHOD=GET REQUEST_URI=/usage LC_ALL=de_DE.UTF-8 \
	    TZ=Asia/Kolkata </dev/null | sed '1,/^\r$/d' |
	    jq -e '.totals.requests == 1 and
	        (.usage[0].localStats.dayStart | test("T00:00:00Z$"))'
}

# RFC 3875 4.4: a query without "=" comes as arguments. cli_of_cgi QUERY
# ARGUMENTS...: what a server makes of it.
cli_of_cgi()
{
	local query=$1

	shift
	env -i RELEVO_CONFIG="$DIR/relevo.conf" GATEWAY_INTERFACE=CGI/1.1 \
	    ASAN_OPTIONS="${ASAN_OPTIONS:-}" REQUEST_METHOD=GET \
	    REQUEST_URI="/health?$query" QUERY_STRING="$query" \
	    "$RELEVO" "$@" </dev/null >"$DIR/out"
	sed '1,/^\r$/d' "$DIR/out"
}

@test "cgi: the words of a query are no command line" {
	post >/dev/null
	cli_of_cgi state+reset state reset | jq -e '.status == "ok"'
	cli_of_cgi --config+none --config "$DIR/none" | jq -e '.ready'
	cli_of_cgi "serve+--socket+$DIR/theirs" serve --socket \
	    "$DIR/theirs" | jq -e '.status == "ok"'
	[[ ! -e $DIR/theirs ]]
	"$RELEVO" --config "$DIR/relevo.conf" usage --json |
	    jq -e '.totals.requests == 1'
	# QUERY_STRING may be lost on the way; it is never missing otherwise.
	env -i RELEVO_CONFIG="$DIR/relevo.conf" GATEWAY_INTERFACE=CGI/1.1 \
	    ASAN_OPTIONS="${ASAN_OPTIONS:-}" REQUEST_METHOD=GET \
	    REQUEST_URI=/health "$RELEVO" version </dev/null >"$DIR/out"
	grep -q '"status":"ok"' "$DIR/out"
	# With an "=" a server passes none: these are a wrapper's.
	mv "$DIR/relevo.conf" "$DIR/other.conf"
	cli_of_cgi a=b --config "$DIR/other.conf" | jq -e '.ready'
}

@test "cgi: SIGTERM ends the call to the provider, and is no failure" {
	mock_script m1 silence=100
	jq -c '.stream = true' <<<"$(chat_body m1)" >"$DIR/q"
	spawn term env -i RELEVO_CONFIG="$DIR/relevo.conf" \
	    GATEWAY_INTERFACE=CGI/1.1 ASAN_OPTIONS="${ASAN_OPTIONS:-}" \
	    REQUEST_METHOD=POST REQUEST_URI=/v1/chat/completions \
	    CONTENT_TYPE=application/json \
	    sh -c 'exec "$0" <"$1"' "$RELEVO" "$DIR/q"
	mock_wait m1 requests 1
	stop term "$SPAWNED"
	mock_wait m1 aborted 1
	"$RELEVO" --config "$DIR/relevo.conf" usage --json |
	    jq -e '.totals.inFlight == 0 and .totals.requests == 1'
	"$RELEVO" --config "$DIR/relevo.conf" state verify
}

@test "cgi: two hundred at once are answered and counted" {
	local i

	# Where they are more than the machine can do, some wait too long for
	# the lock, count by themselves, and add that in the end.
	STDERR_ALLOW=state_busy
	for i in {1..200}; do
		post >"$DIR/out.$i" 3>&- &
		echo "$!" >>"$DIR/cgi"
	done
	wait $(<"$DIR/cgi")
	[[ $(head -qn 1 "$DIR"/out.* | tr -d '\r' | sort | uniq -c) == \
	    *' 200 Status: 200 OK' ]]
	[[ $(mock_stats .total) == 200 ]]
	"$RELEVO" --config "$DIR/relevo.conf" usage --json |
	    jq -e '.totals.requests == 200 and .totals.inFlight == 0'
	"$RELEVO" --config "$DIR/relevo.conf" state verify
}

@test "state: another's file, and no folder: service goes on, and says so" {
	STDERR_ALLOW=state_memory
	if ((EUID == 0)); then
		post >"$DIR/out"
		chown www-data: "$DIR/state"
		post >"$DIR/out"
		head -n 1 "$DIR/out" | grep -q '^Status: 200 '
		grep state_memory "$DIR/relevo.err" | grep -q 'another user'
		rm -f "$DIR/state"
	fi
	sed -i "s|/state\"|/none/state\"|" "$DIR/relevo.conf"
	post >"$DIR/out"
	head -n 1 "$DIR/out" | grep -q '^Status: 200 '
	cgi_alone REQUEST_METHOD=GET REQUEST_URI=/health </dev/null |
	    sed '1,/^\r$/d' | jq -e '.status == "degraded" and
	        (.state | test("No such file"))'
}

@test "binary: position independent, full RELRO, no executable stack, hardened" {
	command -v readelf >/dev/null || fail "readelf is missing: binutils"
	readelf -hW "$RELEVO" | grep -qE 'Type: +DYN'
	readelf -lW "$RELEVO" | grep -q GNU_RELRO
	readelf -lW "$RELEVO" | grep GNU_STACK | grep -qw RW
	run ! grep -qE 'TEXTREL|RUNPATH|RPATH' < <(readelf -dW "$RELEVO")
	sanitized && return
	readelf -dW "$RELEVO" | grep -qE 'BIND_NOW|FLAGS.* NOW'
	readelf -sW --dyn-syms "$RELEVO" | grep -q __stack_chk_fail
	# `make cov` builds without optimizing, where there are none.
	grep -qa __gcov_ "$RELEVO" && return
	readelf -sW --dyn-syms "$RELEVO" | grep -q '_chk@'
}
