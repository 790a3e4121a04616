# A disk that takes its time: what has to be on it for sure holds up nobody.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	: >"$DIR/disk"
	mock_start
	cc -std=gnu11 -D_GNU_SOURCE -shared -fPIC -o "$DIR/slow.so" \
	    "$ROOT/tests/disk/slow.c"
	LD_PRELOAD=$DIR/slow.so
	SLOW_DISK=$DIR
	export ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0
	RELEVO_ENV+=' LD_PRELOAD SLOW_DISK'
}

# What CGI left behind goes when its socket is gone.
teardown()
{
	rm -f "$DIR/hold" "$DIR"/state.cgi-*
	stop_all
}

said()
{
	grep -qx "$1" "$DIR/disk"
}

# From here on the disk holds: a change, and its checkpoint waits.
hold()
{
	touch "$DIR/hold"
	chat 'model: "m1"'
	((status == 0)) || fail "the answer has no end: curl says $status"
	stream_whole
	until_true 10 said "held $1" || fail 'no checkpoint'
}

# A stream that has begun and goes on word by word, beside new questions.
stream_goes_on()
{
	mock_script m2 tokens=4,gate=g
	stream_open m2
	mock_gate g 2
	stream_until 'w2 '
	ask m1
	http_status 200
	mock_gate g 4
	stream_wait
	[[ $status == 0 && $output == *'w4 '*'[DONE]'* ]]
	run ! said free
}

smooth()
{
	ask m1
	http_status 200
	hold aside
	stream_goes_on
	run ! said 'held loop'
	rm "$DIR/hold"
	until_true 10 said free
}

config_disk()
{
	config_mock p1 m1 m2 | config_write "${1:-}"
}

@test "disk: it holds up no stream: lighttpd starts us" {
	config_disk
	lighttpd_start fcgi
	smooth
}

@test "disk: it holds up no stream: relevo serve, two workers" {
	config_disk '	workers = 2'
	printf '#!/bin/sh\nexec env LD_PRELOAD=%s SLOW_DISK=%s %s "$@"\n' \
	    "$LD_PRELOAD" "$DIR" "$RELEVO" >"$DIR/slow"
	chmod +x "$DIR/slow"
	RELEVO=$DIR/slow
	lighttpd_start socket
	smooth
}

@test "disk: it holds up no stream: the process that CGI leaves" {
	config_disk '	cgi-linger = 30s'
	lighttpd_start cgi
	smooth
}

@test "disk: a CGI's answer ends before it waits" {
	config_disk
	lighttpd_start cgi
	ask m1
	http_status 200
	hold loop
	run ! said free
	rm "$DIR/hold"
	until_true 10 said free
}

# socket_ask: a question to a CGI whose stdin and stdout are one socket, as
# Apache's mod_cgid has it; the answer has an end.
socket_ask()
{
	local q='{"model":"m1","messages":[{"role":"user","content":"x"}]}'

	env -i PATH="$PATH" RELEVO_CONFIG="$DIR/relevo.conf" \
	    GATEWAY_INTERFACE=CGI/1.1 ASAN_OPTIONS="$ASAN_OPTIONS" \
	    LD_PRELOAD="$LD_PRELOAD" SLOW_DISK="$SLOW_DISK" \
	    REQUEST_METHOD=POST REQUEST_URI=/v1/chat/completions \
	    CONTENT_TYPE=application/json CONTENT_LENGTH=${#q} \
	    python3 -c '
import socket, subprocess, sys
ours, its = socket.socketpair()
ours.settimeout(20)
subprocess.Popen(sys.argv[2:], stdin=its, stdout=its)
its.close()
ours.sendall(sys.argv[1].encode())
ours.shutdown(socket.SHUT_WR)
while part := ours.recv(65536):
	sys.stdout.write(part.decode())' "$q" "$RELEVO" >"$DIR/out" \
	    2>>"$DIR/relevo.err"
	grep -q '^Status: 200' "$DIR/out"
}

@test "disk: a CGI's answer ends, where one socket is stdin and stdout, too" {
	config_disk
	socket_ask
	touch "$DIR/hold"
	socket_ask
	until_true 10 said 'held loop'
	run ! said free
	rm "$DIR/hold"
	until_true 10 said free
}
