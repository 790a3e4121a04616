# What one web server alone shows, and what a CGI is told without any. Every
# mount is in 60-mounts.bats.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	mock_start
	{
		config_mock p1 m1
		config_mock p2 m2
	} | config_write
}

teardown()
{
	stop_all
}

@test "servers: nginx with buffered FastCGI still streams" {
	nginx_start "location ^~ /v1/ { include /etc/nginx/fastcgi_params;
	    fastcgi_pass relevo; }"
	mock_script m1 tokens=3,gate=g
	stream_open m1
	mock_gate g 1
	# By X-Accel-Buffering: no.
	stream_until 'w1 '
	mock_gate g 3
	stream_wait
	stream_whole "$DIR/stream.out"
}

@test "servers: deep below a path, lighttpd fcgi and cgi" {
	relevo_serve
	mkdir "$DIR/cgi"
	ln -s "$RELEVO" "$DIR/cgi/relevo.cgi"
	lighttpd_start fcgi "\$HTTP[\"url\"] =~ \"^/deep/er/\" {
	  fastcgi.server = ( \"/deep/er\" => (( \"socket\" =>
	    \"$DIR/relevo.sock\", \"check-local\" => \"disable\" )) ) }
	server.modules += ( \"mod_alias\", \"mod_cgi\", \"mod_setenv\" )
	\$HTTP[\"url\"] =~ \"^/cgi-bin/\" {
	  alias.url = ( \"/cgi-bin/\" => \"$DIR/cgi/\" )
	  setenv.set-environment = ( $(lighttpd_env) )
	  cgi.assign = ( \".cgi\" => \"\" ) }"
	for base in "$URL/deep/er" "$URL/cgi-bin/relevo.cgi"; do
		ASK_URL=$base
		mock_reset
		chat
		http_status 200
		stream_whole
		ask m2 'stream: true'
		stream_whole
		req GET "$base/models"
		json '.models | length == 2'
		req GET "$base/v1/models/p1/m1"
		json '.id == "p1/m1"'
		req GET "$base/nothing"
		refused 404 unknown_url
	done
	req GET "$URL/cgi-bin/relevo.cgi"
	json '.message == "AI API running"'
}

# What a server tells a CGI, without a server.
cgi_alone()
{
	env -i PATH="$PATH" RELEVO_CONFIG="$DIR/relevo.conf" \
	    GATEWAY_INTERFACE=CGI/1.1 SERVER_PROTOCOL=HTTP/1.1 \
	    ASAN_OPTIONS="${ASAN_OPTIONS:-}" "$@" "$RELEVO" \
	    2>>"$DIR/relevo.err"
}

@test "cgi: PATH_INFO instead of REQUEST_URI" {
	cgi_alone REQUEST_METHOD=GET SCRIPT_NAME=/relevo.cgi \
	    PATH_INFO=/models </dev/null >"$DIR/out"
	head -n 1 "$DIR/out" | grep -q '^Status: 200 OK'
	sed '1,/^\r$/d' "$DIR/out" | jq -e '.models | length == 2'
}

@test "cgi: a body without a length, and one shorter than told" {
	chat_body m1 | cgi_alone REQUEST_METHOD=POST REQUEST_URI=/chat \
	    CONTENT_TYPE=application/json >"$DIR/out"
	grep -q '\[DONE\]' "$DIR/out"
	chat_body m1 | cgi_alone REQUEST_METHOD=POST REQUEST_URI=/chat \
	    CONTENT_LENGTH=5000 CONTENT_TYPE=application/json >"$DIR/out"
	head -n 1 "$DIR/out" | grep -q '^Status: 400 '
	chat_body m1 | cgi_alone REQUEST_METHOD=POST REQUEST_URI=/chat \
	    CONTENT_LENGTH=many CONTENT_TYPE=application/json >"$DIR/out"
	head -n 1 "$DIR/out" | grep -q '^Status: 400 '
	[[ $(mock_stats .total) == 1 ]]
}

@test "cgi: stdout into a file is whole, into nowhere is an end" {
	mock_script m1 tokens=5000
	jq -c '.stream = true' <<<"$(chat_body m1)" >"$DIR/q"
	cgi_alone REQUEST_METHOD=POST REQUEST_URI=/v1/chat/completions \
	    CONTENT_TYPE=application/json <"$DIR/q" >"$DIR/out"
	[[ $(tail -n 2 "$DIR/out" | head -n 1) == 'data: [DONE]' ]]
	[[ $(grep -c '"content":"w' "$DIR/out") == 5000 ]]
	mock_script m1 silence=100
	cgi_alone REQUEST_METHOD=POST REQUEST_URI=/v1/chat/completions \
	    CONTENT_TYPE=application/json <"$DIR/q" | head -n 20 >"$DIR/out"
	mock_wait m1 aborted 1
}

@test "responder: on descriptor 0, as spawn-fcgi gives it" {
	# lighttpd's own way: a listening socket as stdin, no argument.
	lighttpd_start fcgi
	tr '\0' ' ' <"/proc/$RELEVO_PID/cmdline" >"$DIR/cmdline"
	[[ $(<"$DIR/cmdline") == "$RELEVO " ]]
	req GET /health
	http_status 200
	look_into
	[[ $(readlink "/proc/$RELEVO_PID/fd/0") == socket:* ]]
}

# -- Servers that collect -----------------------------------------------------

# What a server may hold back is whole all the same; `doctor` tells of it
# (85-doctor.bats). Only nginx heeds the header, and keeps it to itself.
@test "servers: lighttpd that collects: whole, and told not to" {
	local mode

	for mode in 0 1 2; do
		lighttpd_start fcgi "server.stream-response-body := $mode"
		for accept in text/event-stream text/plain; do
			chat '' -H "Accept: $accept"
			http_status 200
			[[ $(header x-accel-buffering) == no ]]
		done
		[[ $output == 'w1 w2 w3 w4 w5 ' ]]
		ask m1 'stream: true'
		[[ $(header x-accel-buffering) == no ]]
		stream_whole
		ask m1
		json '.choices[0].message.content == "w1 w2 w3 w4 w5 "'
		stop web "$WEB_PID"
	done
}

# -- nginx that asks again ----------------------------------------------------

# nginx_two SERVER [OPTION]: a second server of the upstream.
nginx_two()
{
	local old

	sed -i "s|server unix:$DIR/relevo.sock;|& $1|
	    s|return 200 \"${DIR##*/}\"|return 200 \"${DIR##*/} two\"|
	    s|fastcgi_buffering off;|& ${2:-}|" "$DIR/nginx.conf"
	old=$(pgrep -P "$WEB_PID")
	kill -HUP "$WEB_PID"
	until_true 10 two_servers
	# For 100 ms the old worker takes connections, too.
	until_true 10 gone "$old"
}

two_servers()
{
	curl -s -m 2 "$URL/.up" | grep -q two
}

asked_once_each()
{
	[[ $(mock_stats .total) == "$1" ]]
	req GET /usage
	json '.totals.requests == $n and .totals.inFlight == 0' --argjson n "$1"
}

@test "nginx: of two servers one is not there: one call, one lease each" {
	nginx_start keep
	nginx_two "server unix:$DIR/nobody.sock;"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		ask m1
		http_status 200
		chat
		http_status 200
		stream_whole
	done
	asked_once_each 20
}

# The worker dies with the question: was it asked already?
killed_while_asked()
{
	mock_script m1 gatehead=never
	stream_open m1 '' -i
	mock_wait m1 inflight
	# The next one is answered at once.
	mock_script m1 tokens=1
	kill -KILL "$(pgrep -P "$RELEVO_PID" | head -n 1)"
	stream_wait
}

@test "nginx: a question that a worker died with is not asked again" {
	STDERR_ALLOW='worker'
	nginx_start keep
	nginx_two "server unix:$DIR/relevo.sock;"
	killed_while_asked
	[[ $output == 'HTTP/1.1 502 '* ]]
	[[ $(mock_stats .models.m1.requests) == 1 ]]
	until_true 10 asked_once_each 1
}

# Paid twice, counted twice: why README tells not to.
@test "nginx: with non_idempotent it is asked again, and counted twice" {
	STDERR_ALLOW='worker'
	nginx_start keep
	nginx_two "server unix:$DIR/relevo.sock;" \
	    'fastcgi_next_upstream error timeout non_idempotent;'
	killed_while_asked
	[[ $output == 'HTTP/1.1 200 '* && $output == *'"w1 "'* ]]
	[[ $(mock_stats .models.m1.requests) == 2 ]]
	until_true 10 asked_once_each 2
}
