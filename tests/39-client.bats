# What clients do that they should not, and what is left behind by it.

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

config_one()
{
	config_mock p1 m1 | config_write "${1:-}"
}

# raw HOW: a question to m1, and HOW its client goes on: `half` shuts its
# side, `reset` resets the connection once text came. What it read is in
# $DIR/raw.out.
# shellcheck disable=SC2016
raw()
{
	perl -e '
		use Socket;
		use IO::Socket::INET;
		my ($port, $how, $body) = @ARGV;
		my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1",
		    PeerPort => $port) or die;
		binmode($s);
		$s->autoflush(1);
		print $s "POST /v1/chat/completions HTTP/1.1\r\n",
		    "Host: localhost\r\nConnection: close\r\n",
		    "Content-Type: application/json\r\n",
		    "Content-Length: ", length($body), "\r\n\r\n", $body;
		shutdown($s, 1) if $how eq "half";
		my $got = "";
		while (sysread($s, my $more, 65536)) {
			$got .= $more;
			last if $how eq "reset" && $got =~ /w1 /;
		}
		setsockopt($s, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
		    if $how eq "reset";
		close($s);
		print $got;' "$PORT" "$1" "$(chat_body m1 'stream: true')" \
	    >"$DIR/raw.out"
}

# nothing_open [REQUESTS]: in flight, and so many were counted, with tokens.
nothing_open()
{
	req GET /usage
	json '.totals.inFlight == 0 and .totals.failures == 0 and
	    .usage[0].localStats.requests == $n and .totals.tokens > 0' \
	    --argjson n "${1:-1}"
}

reset_in_the_middle()
{
	mock_script m1 silence=1
	raw reset
	mock_wait m1 aborted 1
	logged '.status == 499 and .tokens_out > 0'
	nothing_open
}

@test "client: resets in the middle, nginx keep" {
	config_one
	nginx_start keep
	reset_in_the_middle
}

@test "client: resets in the middle, lighttpd fcgi" {
	config_one 'heartbeat = 100ms'
	lighttpd_start fcgi
	reset_in_the_middle
}

@test "client: resets in the middle, cgi" {
	config_one 'heartbeat = 100ms'
	lighttpd_start cgi
	reset_in_the_middle
}

# Who leaves just before the count would have come pays by the estimate.
@test "client: leaves between the finish_reason and the usage" {
	config_one
	nginx_start keep
	mock_script m1 tokens=400,silence=finish
	stream_open m1
	stream_until '"finish_reason":"stop"'
	stream_close
	mock_wait m1 aborted 1
	logged '.status == 499 and .tokens_out > 300'
	nothing_open
	json '.totals.tokens > 300'
}

# Nobody can tell it from one that is gone: nginx does not, nor can relevo when
# lighttpd hands on the FIN.
half_closed()
{
	mock_script m1 silence=2
	raw half
	logged '.status == 499'
	# It may have been gone before the provider was called.
	mock_wait '' idle
	run ! grep -q -e DONE -e '"finish_reason":"' "$DIR/raw.out"
	req GET /usage
	json '.totals.inFlight == 0'
}

@test "client: shuts its side after the question, nginx: is gone" {
	config_one
	nginx_start keep
	half_closed
}

@test "client: shuts its side after the question, lighttpd: is gone" {
	config_one
	lighttpd_start fcgi
	half_closed
}

@test "client: leaves while one object is made, nginx" {
	config_one
	nginx_start keep
	mock_script m1 gatehead=never
	STREAM=one stream_open m1 'stream: false'
	mock_wait m1 inflight 1
	STREAM=one stream_close
	mock_wait m1 aborted 1
	logged '.status == 499'
	req GET /usage
	json '.totals.inFlight == 0'
}

# There is no place in it: white space would commit the status.
@test "client: one object has no heartbeat" {
	config_one 'heartbeat = 20ms'
	nginx_start keep
	mock_script m1 first=300
	ask m1
	http_status 200
	[[ ${output:0:1} == '{' ]]
	mock_script m1 first=300,status=400
	ask m1
	refused 400 invalid_request
}

@test "client: the same question twice at once is two answers" {
	config_one
	nginx_start keep
	mock_script m1 gate=g
	stream_open m1
	STREAM=two stream_open m1
	mock_wait m1 inflight 2
	mock_gate g 5
	stream_wait
	stream_whole "$DIR/stream.out"
	STREAM=two stream_wait
	stream_whole "$DIR/two.out"
	run ! diff <(events "$DIR/stream.out" | head -n 1 | jq .id) \
	    <(events "$DIR/two.out" | head -n 1 | jq .id)
	nothing_open 2
}

@test "client: waits for 100 before its body" {
	config_one
	nginx_start keep
	ask m1 '' -H 'Expect: 100-continue'
	http_status 200
	lighttpd_start cgi
	ask m1 '' -H 'Expect: 100-continue'
	http_status 200
}

# A web server collects the body for FastCGI; for CGI it need not.
@test "client: a body that stops in the middle is a 408, cgi" {
	config_one 'body-timeout = 200ms'
	mkfifo "$DIR/body.fifo"
	exec 9<>"$DIR/body.fifo"
	printf '{"messages":[' >&9
	env -i "RELEVO_CONFIG=$DIR/relevo.conf" GATEWAY_INTERFACE=CGI/1.1 \
	    REQUEST_METHOD=POST REQUEST_URI=/chat SERVER_PROTOCOL=HTTP/1.1 \
	    CONTENT_TYPE=application/json CONTENT_LENGTH=500 \
	    "$RELEVO" <"$DIR/body.fifo" >"$DIR/out" 2>>"$DIR/relevo.err"
	exec 9>&-
	grep -q '^Status: 408 ' "$DIR/out"
	grep -q '"code":"body_timeout"' "$DIR/out"
	[[ $(mock_stats .total) == 0 ]]
}

@test "client: a path with odd ends is unknown, and is not told back" {
	local path

	config_one
	nginx_start keep
	for path in '/chat;x' '/chat%ff' '/v1/chat/completions%3b' '/chat.' \
	    /chat/x; do
		req POST "$path" --path-as-is -d '{}' \
		    -H 'Content-Type: application/json'
		[[ $http_code == 404 || $http_code == 400 ]] ||
		    fail "$path: $http_code $output"
		run ! grep -qF -e ';x' -e $'\xff' "$DIR/head"
	done
}
