#!/bin/bash
# serve: the mock provider, one relevo configuration and state file, and two
# web servers on it, until stdin ends: nginx with a FastCGI responder, lighttpd
# with plain CGI. Started by run.mjs with a folder that has `conf` (where
# @MOCK@, @TLS@, @CLOSED@ and @HOLE@ become addresses) and the mock's fixtures.
# Prints {"fcgi","cgi","mock"} when all is up; exits 0 if everything stopped in
# order and relevo wrote nothing to stderr that it should not.

cd "$(dirname "$0")/.." || exit 2
# helper.bash is written for bats.
load()
{
	# shellcheck disable=SC1090
	source "$1.bash"
}
source ./helper.bash

# A listener whose queue is full: SYNs to it are dropped. And a port that is
# bound, so that nobody gets it, but does not listen. "HOLE CLOSED" to a file.
# shellcheck disable=SC2016
nowhere='
	use IO::Socket::INET;
	my $hole = IO::Socket::INET->new(LocalAddr => "127.0.0.1",
	    Listen => 1) or die;
	my @full = map { IO::Socket::INET->new(PeerAddr => "127.0.0.1",
	    PeerPort => $hole->sockport, Blocking => 0) } 1 .. 4;
	my $closed = IO::Socket::INET->new(LocalAddr => "127.0.0.1",
	    Proto => "tcp") or die;
	open(my $f, ">", "$ARGV[0].new") or die;
	print $f $hole->sockport . " " . $closed->sockport . "\n";
	close($f);
	rename("$ARGV[0].new", $ARGV[0]) or die;
	$SIG{TERM} = sub { exit 0 };
	sleep while 1;'

main()
{
	local fcgi hole closed

	setup_dir || return 1
	mock_start --fixtures "$1" || return 1
	spawn nowhere perl -e "$nowhere" "$DIR/nowhere.ports"
	until_true 10 test -s "$DIR/nowhere.ports" || return 1
	read -r hole closed <"$DIR/nowhere.ports"
	sed "s!@MOCK@!$MOCK_URL!; s!@TLS@!https://127.0.0.1:$MOCK_PORT!
	    s!@HOLE@!http://127.0.0.1:$hole!
	    s!@CLOSED@!http://127.0.0.1:$closed!" "$1/conf" |
	    config_write "ca-path = \"$1/ca.pem\""
	nginx_start keep && alive "$RELEVO_PID" || return 1
	fcgi=$URL
	lighttpd_start cgi || return 1
	printf '{"fcgi":"%s","cgi":"%s","mock":"%s"}\n' "$fcgi" "$URL" \
	    "$MOCK_URL"
	cat >/dev/null
}

# A signal ends the cat, and so what was started: in order.
trap : INT TERM HUP
status=0
main "$1" || status=1
BATS_TEST_COMPLETED=
((status)) || BATS_TEST_COMPLETED=1
stop_all >&2 || status=1
exit "$status"
