# The ways of being started: with a listening socket from somebody else, with
# descriptors missing, with nobody reading what it logs.

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

# holder FD COMMAND...: listen on $DIR/relevo.sock and run COMMAND with the
# socket as descriptor FD, in the holder's own process or (`fork` in front of
# it) in a child, so that the socket outlives it. USR1 lets the socket wait
# again, for all who have it.
holder()
{
	local how=exec

	[[ $1 == fork ]] && how=fork && shift
	spawn relevo perl -e '
		use Socket; use POSIX ();
		use Fcntl;
		BEGIN { $^F = 9 }	# kept open by exec
		my ($how, $path, $fd, @cmd) = @ARGV;
		socket(my $s, AF_UNIX, SOCK_STREAM, 0) or die;
		bind($s, pack_sockaddr_un($path)) or die;
		listen($s, 64) or die;
		POSIX::dup2(fileno($s), $fd) == $fd or die;
		$ENV{LISTEN_PID} = $$ if $ENV{LISTEN_FDS};
		if ($how eq "exec") { exec @cmd or die }
		my $stop = 0;
		$SIG{TERM} = sub { $stop = 1 };
		$SIG{USR1} = sub {
			fcntl($s, F_SETFL, fcntl($s, F_GETFL, 0) & ~O_NONBLOCK);
		};
		until ($stop) {
			defined(my $kid = fork) or die;
			if (!$kid) {
				$SIG{TERM} = "DEFAULT";
				exec @cmd or die;
			}
			open(my $f, ">", "$path.new"); print $f $kid;
			close($f);
			rename("$path.new", "$path.pid");
			while (waitpid($kid, POSIX::WNOHANG()) == 0) {
				kill("TERM", $kid) if $stop;
				select(undef, undef, undef, 0.01);
			}
		}' "$how" "$DIR/relevo.sock" "$@"
}

# web: nginx before that socket, once somebody answers there.
web()
{
	WEB_MODE=
	WEB_EXTRA=
	web_start nginx_write nginx -p "$DIR" -e "$DIR/web.err" \
	    -c "$DIR/nginx.conf"
	until_true 10 healthy || fail "nobody at the socket:
$(tail -n 5 "$DIR/relevo.err")"
}

healthy()
{
	[[ $(curl -s -m 5 -o /dev/null -w '%{http_code}' "$URL/health") == 200 ]]
}

answers()
{
	ask m1
	http_status 200
	json '.choices[0].message.content == "w1 w2 w3 w4 w5 "'
}

@test "started: a listening socket on descriptor 0" {
	export RELEVO_CONFIG=$DIR/relevo.conf
	holder 0 "$RELEVO"
	web
	answers
}

@test "started: LISTEN_FDS, the socket on descriptor 3" {
	export RELEVO_CONFIG=$DIR/relevo.conf LISTEN_FDS=1
	holder 3 "$RELEVO"
	pid=$SPAWNED
	web
	answers
	look_into
	# O_CLOEXEC: the check of another binary does not get it.
	grep -qE '^flags:.*02[0-7]{6}$' "/proc/$pid/fdinfo/3"
}

@test "started: again on the same socket after the supervisor was killed" {
	local first

	export RELEVO_CONFIG=$DIR/relevo.conf
	holder fork 0 "$RELEVO"
	web
	answers
	until_true 5 test -e "$DIR/relevo.sock.pid"
	first=$(<"$DIR/relevo.sock.pid")
	kill -KILL "$first"
	until_true 10 other_pid "$first"
	until_true 10 healthy
	answers
}

# Of a service with StandardInput=socket systemd does that to run a command of
# ExecReload=.
@test "started: a socket that somebody else lets wait holds nobody up" {
	local holder i

	export RELEVO_CONFIG=$DIR/relevo.conf
	holder fork 0 "$RELEVO"
	holder=$SPAWNED
	web
	until_true 5 test -e "$DIR/relevo.sock.pid"
	for i in 1 2; do
		until_true 5 waits 0 "$holder"
		kill -USR1 "$holder"
		until_true 5 waits 1 "$holder"
		answers
		answers
		kill -HUP "$(<"$DIR/relevo.sock.pid")"
	done
	until_true 5 waits 0 "$holder"
	answers
}

# waits YES PID: would accept(2) on its socket?
waits()
{
	local fd

	for fd in "/proc/$2/fd"/*; do
		[[ $(readlink "$fd") == socket:* ]] || continue
		((1 - (8#$(sed -n 's/^flags:\t//p' \
		    "/proc/$2/fdinfo/${fd##*/}") >> 11 & 1) == $1)) || return 1
	done
}

@test "started: told to end when all there is is the socket, it leaves none" {
	cc -std=gnu11 -D_GNU_SOURCE -shared -fPIC -o "$DIR/inside.so" \
	    "$ROOT/tests/inside.c" -ldl
	touch "$DIR/hold"
	spawn relevo env "LD_PRELOAD=$DIR/inside.so" \
	    "INSIDE_LISTEN=$DIR/hold" \
	    "ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
	    "$RELEVO" --config "$DIR/relevo.conf" serve \
	    --socket "$DIR/relevo.sock"
	until_true 10 test -S "$DIR/relevo.sock"
	kill -TERM "$SPAWNED"
	rm "$DIR/hold"
	until_true 10 gone "$SPAWNED"
	stop relevo "$SPAWNED"
	[[ ! -e $DIR/relevo.sock ]]
}

# manager: what systemd does with NOTIFY_SOCKET: a line in $DIR/told for each
# datagram, its own lines joined by a space.
manager()
{
	spawn manager perl -e '
		use Socket;
		$SIG{TERM} = sub { exit 0 };
		socket(my $s, AF_UNIX, SOCK_DGRAM, 0) or die;
		bind($s, pack_sockaddr_un("$ARGV[0]/notify")) or die;
		open(my $f, ">>", "$ARGV[0]/told"); select($f); $| = 1;
		while (defined(recv($s, my $m, 4096, 0))) {
			$m =~ tr/\n/ /;
			print "$m\n";
		}' "$DIR"
	MANAGER=$SPAWNED
	until_true 5 test -S "$DIR/notify"
	export NOTIFY_SOCKET=$DIR/notify
}

told()
{
	[[ $(sed 's/USEC=[0-9]*/USEC=N/' "$DIR/told" | paste -sd,) == "$1" ]]
}

@test "started: the service manager is told how it goes" {
	local reload='RELOADING=1 MONOTONIC_USEC=N,READY=1'

	touch "$DIR/told"
	manager
	relevo_serve
	until_true 5 told READY=1
	kill -HUP "$RELEVO_PID"
	until_true 5 told "READY=1,$reload"
	# A refused one ends as well.
	STDERR_ALLOW=reload_refused
	echo 'broken {' >>"$DIR/relevo.conf"
	kill -HUP "$RELEVO_PID"
	until_true 5 told "READY=1,$reload,$reload"
	stop relevo "$RELEVO_PID"
	until_true 5 told "READY=1,$reload,$reload,STOPPING=1"
	stop manager "$MANAGER"
	unset NOTIFY_SOCKET
}

@test "started: a key that is a credential of systemd's" {
	mkdir "$DIR/credentials"
	echo test-key-p1 >"$DIR/credentials/RELEVO_TEST_CREDENTIAL"
	sed -i 's/"test-key-p1"/${RELEVO_TEST_CREDENTIAL}/' "$DIR/relevo.conf"
	run -0 "$RELEVO" --config "$DIR/relevo.conf" models
	[[ $output == *RELEVO_TEST_CREDENTIAL* ]]
	export CREDENTIALS_DIRECTORY=$DIR/credentials
	nginx_start
	answers
	mock_last m1 | grep -q '^Authorization: Bearer test-key-p1'
	rm -r "$DIR/credentials"
}

other_pid()
{
	[[ $(<"$DIR/relevo.sock.pid") != "$1" ]]
}

# cgi: a chat by hand, with what stands behind as redirections.
cgi()
{
	chat_body m1 >"$DIR/question"
	env -i REQUEST_METHOD=POST REQUEST_URI=/v1/chat/completions \
	    CONTENT_TYPE=application/json GATEWAY_INTERFACE=CGI/1.1 \
	    CONTENT_LENGTH="$(stat -c %s "$DIR/question")" \
	    RELEVO_CONFIG="$DIR/relevo.conf" \
	    ASAN_OPTIONS="${ASAN_OPTIONS:-}" "$@"
}

@test "started: closed descriptors are not the state file's" {
	cgi bash -c "'$RELEVO' <'$DIR/question' >/dev/null"
	run "$RELEVO" --config "$DIR/relevo.conf" state verify
	assert_success
	cgi bash -c "'$RELEVO' <'$DIR/question' >&- 2>&-" || true
	cgi bash -c "'$RELEVO' <&- >&- 2>&-" || true
	cgi bash -c "'$RELEVO' <&- 2>/dev/null" >"$DIR/answer"
	grep -q '^Status: 400' "$DIR/answer"
	run "$RELEVO" --config "$DIR/relevo.conf" state verify
	assert_success
	[[ ! -e $(echo "$DIR"/state.bad-*) ]]
}

@test "started: a full pipe on stderr stops nobody" {
	local i

	# A pipe that is open for reading, by us, and never read.
	mkfifo "$DIR/log"
	exec 9<>"$DIR/log"
	(
		exec 3>&- 2>&9 9>&-
		exec "$RELEVO" --config "$DIR/relevo.conf" serve \
		    --socket "$DIR/relevo.sock"
	) &
	echo "relevo $!" >>"$DIR/pids"
	until_true 10 test -S "$DIR/relevo.sock"
	web
	# A line is some 130 bytes, the pipe holds 64 KB.
	for ((i = 0; i < 1000; i++)); do
		echo "url = \"$URL/health\""
		echo 'output = /dev/null'
	done >"$DIR/many"
	curl -sS -m 10 --fail-early -K "$DIR/many"
	answers
	exec 9>&-
}

# set_of NAME...: the system calls of systemd's sets, which hold others.
set_of()
{
	local name

	for name; do
		case $name in
		@*) set_of $(systemd-analyze syscall-filter "$name" |
			sed -n 's/^ \+\([^ #]*\)$/\1/p') ;;
		*) echo "$name" ;;
		esac
	done
}

# What SystemCallFilter= of the unit lets through: its lines in their order,
# and what systemd.exec(5) lets through by itself.
let_through()
{
	local line

	set_of @default execve exit exit_group getrlimit rt_sigreturn >"$DIR/may"
	while read -r line; do
		case $line in
		'~'*)	set_of ${line#'~'} >"$DIR/not"
			grep -vxFf "$DIR/not" "$DIR/may" >"$DIR/rest"
			mv "$DIR/rest" "$DIR/may" ;;
		*)	set_of $line >>"$DIR/may" ;;
		esac
	done < <(sed -n 's/^SystemCallFilter=//p' \
	    "$ROOT/conf/systemd/relevo.service")
}

@test "started: the unit's filter of system calls lets all of them through" {
	local pid

	look_into
	# The sanitizers have calls of their own.
	grep -qa __asan_init "$RELEVO" && return
	let_through
	RELEVO_CONFIG=$DIR/relevo.conf spawn relevo strace -D -qq -f \
	    -o "$DIR/calls" "$RELEVO" serve --socket "$DIR/relevo.sock"
	pid=$SPAWNED
	until_true 10 test -S "$DIR/relevo.sock"
	web
	answers
	kill -HUP "$pid"
	until_true 10 grep -q '"event":"reload"' "$DIR/relevo.err"
	answers
	# A checkpoint is written every two seconds.
	until_true 10 grep -q 'fdatasync(' "$DIR/calls"
	stop relevo "$pid"
	sed -n 's/^[0-9]* *\([a-z_0-9]*\)(.*/\1/p' "$DIR/calls" | sort -u \
	    >"$DIR/made"
	grep -qx accept4 "$DIR/made"
	grep -qx landlock_create_ruleset "$DIR/made"
	run -1 grep -vxFf "$DIR/may" "$DIR/made"
}
