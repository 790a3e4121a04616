# The responder that a CGI process leaves behind (`cgi-linger`): what it
# answers, when it goes, and that nothing is lost when it is killed.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	mock_start
	linger 'cgi-linger = 1m'
}

teardown()
{
	# Whose socket is gone, goes.
	rm -f "$DIR"/state.cgi-*
	stop_all
}

linger()
{
	{
		config_mock p1 m1
		config_mock p2 m2
	} | config_write "$1"
}

# keeper: the process that lingers, when no CGI runs, and it has let go of what
# the first one left it: to go to / comes last (linger.c).
keeper()
{
	[[ $(strays | wc -l) == 1 ]] && KEEPER=$(strays) &&
	    [[ $(readlink "/proc/$KEEPER/cwd" || unseen) == / ]]
}

# For who may not look, what stands last in its start is taken as done.
unseen()
{
	((EUID == 0)) || ! alive "$KEEPER" || echo /
}

# adopter: who becomes the parent of a process whose own has ended: 1, or below
# a user's session, or in a container, somebody nearer.
adopter()
{
	perl -e 'my $p = $$; exit if fork;
	    select(undef, undef, undef, 0.01) while getppid == $p;
	    print getppid'
}

the_keeper()
{
	until_true 5 keeper || fail "who lingers: $(strays | tr '\n' ' ')"
}

sockets()
{
	find "$DIR" -maxdepth 1 -name 'state.cgi-*' | wc -l
}

started()
{
	grep -c '"event":"linger"' "$DIR/relevo.err"
}

answered()
{
	http_status 200
	json '.choices[0].message.content == "w1 w2 w3 w4 w5 "'
}

# A request by CGI, without a server: what comes after are its redirections.
cgi()
{
	env -i REQUEST_METHOD="$1" REQUEST_URI="$2" \
	    CONTENT_TYPE=application/json GATEWAY_INTERFACE=CGI/1.1 \
	    HTTP_AUTHORIZATION='Bearer rlv-of-a-client' GROQ_API_KEY=hush-hush \
	    RELEVO_CONFIG="$DIR/relevo.conf" \
	    ASAN_OPTIONS="${ASAN_OPTIONS:-}" "$RELEVO"
}

@test "linger: off unless it is asked for" {
	linger ''
	lighttpd_start cgi
	ask m1
	answered
	until_true 5 no_strays
	[[ $(sockets) == 0 ]]
	linger 'cgi-linger = no'
	ask m1
	answered
	until_true 5 no_strays
	[[ $(sockets) == 0 ]]
}

@test "linger: one process answers all, and keeps its connections" {
	lighttpd_start cgi
	ask m1
	answered
	the_keeper
	first=$KEEPER
	[[ $(stat -c %a "$DIR"/state.cgi-*) == 600 ]]
	req GET /health
	json '.status == "ok" and .models == 2'
	ask m1
	answered
	chat
	stream_whole
	chat '' -H 'Accept: text/plain'
	[[ $output == 'w1 w2 w3 w4 w5 ' ]]
	req GET /v1/nothing
	refused 404 unknown_url
	mock_script m1 status=429,retry-after=9
	ask m1
	http_status 429
	[[ $(header retry-after) == 9 || $(header retry-after) == 10 ]]
	the_keeper
	[[ $KEEPER == "$first" ]]
	# /chat goes to both providers, and they are one mock.
	[[ $(mock_stats .connections) -le 2 ]]
	# Each request is in the log, once.
	[[ $(grep -c '"event":"request"' "$DIR/relevo.err") == 7 ]]
	[[ $(sockets) == 1 ]]
}

@test "linger: chunks go out one by one, and a client that leaves is noticed" {
	lighttpd_start cgi
	mock_script m1 tokens=3,gate=g
	stream_open m1
	for n in 1 2; do
		mock_gate g $n
		stream_until "w$n "
		run ! grep -qF "w$((n + 1)) " "$DIR/stream.out"
	done
	mock_gate g 3
	stream_wait
	stream_whole "$DIR/stream.out"
	mock_script m1 tokens=1,silence=1
	stream_open m1
	stream_until 'w1 '
	stream_close
	mock_wait m1 aborted 1
	the_keeper
}

@test "linger: bodies of every size" {
	lighttpd_start cgi
	for n in 10 70000 3000000; do
		head -c $n /dev/zero | tr '\0' 'x' >"$DIR/text"
		jq -Rsc '{model: "m1", messages: [{role: "user", content: .}]}' \
		    "$DIR/text" >"$DIR/q"
		req POST /v1/chat/completions --data-binary "@$DIR/q" \
		    -H 'Content-Type: application/json'
		answered
		mock_body m1 | jq -j '.messages[0].content' |
		    cmp - "$DIR/text"
	done
	head -c 9000000 /dev/zero >"$DIR/q"
	req POST /v1/chat/completions --data-binary "@$DIR/q" \
	    -H 'Content-Type: application/json'
	refused 413 body_too_large
	the_keeper
}

@test "linger: one is started, however many ask at once" {
	lighttpd_start cgi
	volley 32 m1
	[[ $(sort "$DIR/codes-stream" | uniq -c) == *' 32 200' ]]
	[[ $(mock_stats .models.m1.requests) == 32 ]]
	the_keeper
	[[ $(sockets) == 1 ]]
	[[ $(started) == 1 ]]
	# So it is when a socket is there, but nobody behind it.
	kill -KILL "$KEEPER"
	until_true 5 gone "$KEEPER"
	volley 32 m1
	[[ $(sort "$DIR/codes-stream" | uniq -c) == *' 32 200' ]]
	the_keeper
	[[ $(started) == 2 ]]
	[[ $(mock_stats .models.m1.requests) == 64 ]]
}

@test "linger: it goes when nobody asks" {
	linger 'cgi-linger = 1s'
	lighttpd_start cgi
	ask m1
	answered
	until_true 10 no_strays
	[[ $(sockets) == 0 ]]
	ask m1
	answered
	# By now this one may be gone, too.
	[[ $(started) == 2 ]]
}

@test "linger: SIGTERM ends it, after its streams" {
	lighttpd_start cgi
	mock_script m1 tokens=2,gate=g
	stream_open m1
	mock_gate g 1
	stream_until 'w1 '
	keeper=$(pgrep -P "$(adopter)" -f "^$DIR/cgi/relevo.cgi" || true)
	[[ $keeper ]] || fail "$(ps -ef | grep "$DIR")"
	kill -TERM "$keeper"
	until_true 5 test ! -e "$DIR"/state.cgi-*
	ask m2
	answered
	mock_gate g 2
	stream_wait
	stream_whole "$DIR/stream.out"
	until_true 10 gone "$keeper"
	[[ $(mock_stats .total) == 2 ]]
}

@test "linger: killed, nothing is lost, and there is another" {
	lighttpd_start cgi
	ask m1
	the_keeper
	first=$KEEPER
	kill -KILL "$first"
	until_true 5 gone "$first"
	# Its socket is still there.
	[[ $(sockets) == 1 ]]
	ask m1
	answered
	ask m1
	answered
	the_keeper
	[[ $KEEPER != "$first" && $(sockets) == 1 ]]
	[[ $(mock_stats .total) == 3 ]]
}

@test "linger: killed in a stream, the answer is cut and not asked again" {
	lighttpd_start cgi
	ask m2
	the_keeper
	mock_script m1 silence=1
	stream_open m1
	stream_until 'w1 '
	kill -KILL "$KEEPER"
	stream_wait
	run ! grep -q DONE "$DIR/stream.out"
	[[ $(tail -n 1 "$DIR/stream.out") == \
	    '[relevo: the answer was cut short]' ]]
	[[ $(mock_stats .models.m1.requests) == 1 ]]
}

@test "linger: killed before the answer, a question is not asked again" {
	lighttpd_start cgi
	ask m2
	the_keeper
	mock_script m1 first=60000
	stream_open m1
	mock_wait m1 requests 1
	kill -KILL "$KEEPER"
	stream_wait
	json '.error.code == "internal_error"'
	[[ $(mock_stats .models.m1.requests) == 1 ]]
}

@test "linger: one that does not wake up is not waited for" {
	lighttpd_start cgi
	ask m1
	the_keeper
	kill -STOP "$KEEPER"
	ask m1
	answered
	req GET /health
	http_status 200
	kill -CONT "$KEEPER"
	until_true 5 keeper
	[[ $(mock_stats .total) == 2 ]]
}

@test "linger: another configuration or environment, another process" {
	lighttpd_start cgi
	ask m1
	the_keeper
	first=$KEEPER
	echo 'model "p1/new" { }' >>"$DIR/relevo.conf"
	ask new
	answered
	[[ $(sockets) == 2 ]]
	alive "$first"
	# The same again finds the first.
	sed -i '$d' "$DIR/relevo.conf"
	ask m1
	answered
	[[ $(sockets) == 2 ]]
	# A key that .env has changed.
	sed -i 's/test-key-p1/${P1_KEY}/' "$DIR/relevo.conf"
	for key in first-key-1 second-key-2; do
		echo "P1_KEY=$key" >"$DIR/.env"
		chmod 600 "$DIR/.env"
		ask m1
		answered
		mock_last m1 | grep -qi "^authorization: bearer $key"
	done
	[[ $(sockets) == 4 ]]
}

@test "linger: another binary, another process" {
	lighttpd_start cgi
	ask m1
	the_keeper
	first=$KEEPER
	cp "$RELEVO" "$DIR/cgi/new"
	mv "$DIR/cgi/new" "$DIR/cgi/relevo.cgi"
	ask m1
	answered
	[[ $(sockets) == 2 ]]
	kill -TERM "$first"
	until_true 5 gone "$first"
	the_keeper
	look_into
	[[ /proc/$KEEPER/exe -ef $DIR/cgi/relevo.cgi ]]
}

@test "linger: nothing of the first request stays in it" {
	local fd

	cgi GET /health </dev/null >"$DIR/out" 2>>"$DIR/relevo.err"
	grep -q '"status":"ok"' "$DIR/out"
	the_keeper
	read -r _ _ _ parent group session _ <"/proc/$KEEPER/stat"
	[[ $parent == "$(adopter)" && $group == "$session" && $group != $$ ]]
	look_into
	run ! grep -aq -e rlv-of-a -e hush-hush -e REQUEST_URI \
	    "/proc/$KEEPER/environ"
	for fd in 0 1; do
		[[ $(readlink "/proc/$KEEPER/fd/$fd") == /dev/null ]]
	done
	[[ $(readlink "/proc/$KEEPER/fd/2") == "$DIR/relevo.err" ]]
}

@test "linger: the log goes where a CGI's goes, and no pipe is kept open" {
	# cat ends when nobody has the pipe any more.
	cgi GET /health </dev/null 2> >(cat >"$DIR/log"; : >"$DIR/ended") |
	    cat >"$DIR/out"
	grep -q '"status":"ok"' "$DIR/out"
	until_true 5 test -e "$DIR/ended"
	the_keeper
	jq -e '.event == "request" and .route == "/health"' "$DIR/log"
	chat_body m1 | cgi POST /v1/chat/completions 2>"$DIR/log" >"$DIR/out"
	grep -q 'w1 w2 w3 w4 w5' "$DIR/out"
	jq -e '.event == "request" and .attempts == "p1:ok"' "$DIR/log"
	look_into
	[[ $(readlink "/proc/$KEEPER/fd/2") == /dev/null ]]
}

# other PERL...: as another user, who may reach the folder.
other()
{
	chmod 755 "$DIR"
	setpriv --reuid=nobody --regid=nogroup --clear-groups perl -e "$@"
}

@test "linger: a log that nobody reads holds up no answer" {
	local n

	# The pipe is full, and open at its other end.
	for n in 1 2; do
		chat_body m1 >"$DIR/body"
		output=$(env -i REQUEST_METHOD=POST GATEWAY_INTERFACE=CGI/1.1 \
		    REQUEST_URI=/v1/chat/completions \
		    CONTENT_TYPE=application/json \
		    RELEVO_CONFIG="$DIR/relevo.conf" \
		    ASAN_OPTIONS="${ASAN_OPTIONS:-}" \
		    timeout -s KILL 99 perl -MFcntl -e '
		        open STDIN, "<", shift; pipe my $r, my $w;
		        fcntl $w, F_SETFL, O_NONBLOCK;
		        1 while syswrite $w, "x" x 4096;
		        fcntl $w, F_SETFL, 0;
		        fcntl $r, F_SETFD, 0; open STDERR, ">&", $w;
		        exec @ARGV' "$DIR/body" "$RELEVO")
		[[ $output == 'Status: 200'*'w1 w2 w3 w4 w5'* ]] ||
		    fail "$n: $output"
		the_keeper
	done
}

# By SIGTERM a server says that the client left, also to who was started with
# the signal blocked.
@test "linger: a CGI that is told to end, ends, and its call with it" {
	local body how

	body=$(chat_body m1 'stream: true')
	for how in '' 'POSIX::sigprocmask(POSIX::SIG_BLOCK(),
	    POSIX::SigSet->new(POSIX::SIGTERM()));'; do
		mock_ctl POST reset >/dev/null
		mock_script m1 tokens=2,gate=g
		mock_gate g 1
		printf %s "$body" >"$DIR/body"
		spawn cgi env -i REQUEST_METHOD=POST \
		    REQUEST_URI=/v1/chat/completions \
		    CONTENT_TYPE=application/json GATEWAY_INTERFACE=CGI/1.1 \
		    CONTENT_LENGTH=${#body} RELEVO_CONFIG="$DIR/relevo.conf" \
		    ASAN_OPTIONS="${ASAN_OPTIONS:-}" perl -MPOSIX -e "$how"'
		        open STDIN, "<", shift; exec @ARGV' \
		    "$DIR/body" "$RELEVO"
		forget "$SPAWNED"
		until_true 5 grep -q 'w1 ' "$DIR/cgi.out"
		kill -TERM "$SPAWNED"
		until_true 5 gone "$SPAWNED" || fail "it goes on: $how"
		mock_wait m1 aborted
		: >"$DIR/cgi.out"
	done
}

@test "linger: it listens to its own user only" {
	((EUID == 0)) || skip "needs root to be somebody else: NOT TESTED here"
	cgi GET /health </dev/null >"$DIR/out" 2>>"$DIR/relevo.err"
	the_keeper
	chmod 666 "$DIR"/state.cgi-*
	hello='use Socket; socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die;
		connect($s, pack_sockaddr_un($ARGV[0])) or die $!;
		$n = sysread($s, $b, 99); print "got ", $n || 0'
	[[ $(other "$hello" "$DIR"/state.cgi-*) == 'got 0' ]]
	[[ $(perl -e "$hello" "$DIR"/state.cgi-*) == 'got 8' ]]
	alive "$KEEPER"
}

@test "linger: it is not asked when it is somebody else's" {
	((EUID == 0)) || skip "needs root to be somebody else: NOT TESTED here"
	cgi GET /health </dev/null >"$DIR/out" 2>>"$DIR/relevo.err"
	the_keeper
	path=$(echo "$DIR"/state.cgi-*)
	kill -TERM "$KEEPER"
	until_true 5 gone "$KEEPER"
	mkdir -m 777 "$DIR/theirs"
	spawn other setpriv --reuid=nobody --regid=nogroup --clear-groups \
	    perl -e 'use Socket; socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die;
		$SIG{TERM} = sub { exit 0 };
		bind($s, pack_sockaddr_un($ARGV[0])) or die $!; listen($s, 9);
		$| = 1; print "ready\n";
		while (accept(my $c, $s)) {
			while (sysread($c, $b, 4096)) { print "heard $b\n" }
		}' "$DIR/theirs/s"
	chmod 755 "$DIR"
	until_true 5 grep -q ready "$DIR/other.out"
	mv "$DIR/theirs/s" "$path"
	chat_body m1 | cgi POST /v1/chat/completions >"$DIR/out" \
	    2>>"$DIR/relevo.err"
	grep -q 'w1 w2 w3 w4 w5' "$DIR/out"
	[[ $(<"$DIR/other.out") == ready ]]
	no_strays
}
