# What is full: the numbers of processes, the leases, the disk.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	ulimit -n "$(ulimit -Hn)"
	mock_start
}

teardown()
{
	stop_all
}

config_one()
{
	{
		printf 'route {\n\tmax-wait = 0s\n}\n'
		# A slow machine needs more than 30 s for all of them.
		config_mock p1 m1 |
		    sed 's/key =/first-event-timeout = 9m\n\tconnect-timeout = 60s\n\t&/'
	} | config_write "${1:-}"
}

# -- Processes and leases -----------------------------------------------------

# Hold the bytes by which living processes are told apart (image.h), as 512 of
# them would: whoever comes now gets none.
numbers_taken()
{
	# shellcheck disable=SC2016
	spawn numbers perl -e '
		$SIG{TERM} = sub { exit 0 };
		open(my $f, "+<", $ARGV[0]) or die;
		# F_OFD_SETLKW, F_WRLCK, SEEK_SET: waits for a CGI process
		# whose answer has ended and that has not.
		# i386 has no room between its members.
		my $gap = length(pack("p", undef)) == 8 ? "x4" : "";
		my $lock = pack("s! s! $gap q q i $gap", 1, 0,
		    (1 << 40) + 16, 512, 0);
		fcntl($f, 38, $lock) or die $!;
		open(my $up, ">", $ARGV[1]);
		close($up);
		sleep 1 while 1;' "$DIR/state" "$DIR/numbers.up"
	NUMBERS_PID=$SPAWNED
	until_true 5 test -e "$DIR/numbers.up"
}

overloaded()
{
	refused 503 overloaded
	[[ $(header retry-after) == 1 ]]
}

# What such a process admitted nobody else would see.
@test "full: no number for one more CGI process: 503, none is asked" {
	STDERR_ALLOW='state_full'
	config_one
	lighttpd_start cgi
	ask m1
	http_status 200
	numbers_taken
	mock_reset
	for stream in true false; do
		ask m1 "stream: $stream"
		overloaded
		chat "stream: $stream"
		overloaded
		chat "stream: $stream" -H 'Accept: text/plain'
		overloaded
	done
	volley 20 m1
	[[ $(sort "$DIR/codes-stream" | uniq -c) =~ ^\ *20\ 503$ ]]
	[[ $(mock_stats .total) == 0 ]]
	req GET /health
	json '.status == "degraded" and (.state | test("more processes"))'
	stop numbers "$NUMBERS_PID"
	volley 20 m1
	[[ $(sort "$DIR/codes-stream" | uniq -c) =~ ^\ *20\ 200$ ]]
	req GET /usage
	json '.state == "ok" and .totals.requests == 21
	    and .totals.inFlight == 0'
}

@test "full: no number for a worker: 503 until there is one" {
	STDERR_ALLOW='state_full'
	config_one
	lighttpd_start socket
	ask m1
	http_status 200
	stop web "$WEB_PID"
	stop relevo "$RELEVO_PID"
	rm -f "$DIR/relevo.sock"
	numbers_taken
	mock_reset
	lighttpd_start socket
	ask m1
	overloaded
	[[ $(mock_stats .total) == 0 ]]
	stop numbers "$NUMBERS_PID"
	until_true 10 grep -q '"event":"state_back"' "$DIR/relevo.err"
	ask m1
	http_status 200
	req GET /usage
	json '.state == "ok" and .totals.requests == 2'
}

LEASES=4096			# slot.h

all_asked()
{
	req GET /usage
	jq -e ".totals.inFlight == $LEASES" <<<"$output" >/dev/null
}

@test "full: 4,096 chats at once on four workers, and one more" {
	load_build
	config_one 'workers = 4'
	nginx_start
	mock_script m1 tokens=2,gate=g
	chat_body m1 'stream: true' >"$DIR/q"
	spawn load bash -c "'$LOAD' $PORT /v1/chat/completions $LEASES 2 \
	    <'$DIR/q'"
	forget "$SPAWNED"
	until_true 120 all_asked
	# A lease is taken before its call is made.
	until_true 60 mock_wait m1 requests "$LEASES"
	for i in 1 2 3 4 5 6 7 8; do
		ask m1
		refused 429 rate_limit_exceeded
		[[ $(header retry-after) == 1 ]]
	done
	[[ $(mock_stats .models.m1.requests) == "$LEASES" ]]
	mock_gate g 2
	until_true 120 gone "$SPAWNED"
	wait "$SPAWNED" || fail "$(cat "$DIR/load.out")"
	[[ $(<"$DIR/load.out") == "$LEASES of $LEASES streams whole" ]]
	ask m1
	http_status 200
	req GET /usage
	json '.totals.inFlight == 0 and .totals.requests == $n' \
	    --argjson n $((LEASES + 1))
}

# -- The disk -----------------------------------------------------------------

# disk SIZE: a file system of that size, at $DIR/disk for relevo alone, which is
# in a mount namespace of its own with its state and its log there.
disk()
{
	local here=$RELEVO

	unshare -m true 2>"$DIR/unshare.txt" ||
	    skip "needs root and a mount namespace: NOT TESTED here"
	mkdir "$DIR/disk"
	{
		printf 'server {\n\tstate = "%s/disk/state"\n' "$DIR"
		printf '\taccess = open\n}\nroute {\n\tmax-wait = 0s\n}\n'
		config_mock p1 m1
	} >"$DIR/relevo.conf"
	chmod 600 "$DIR/relevo.conf"
	cat >"$DIR/program" <<-END
	#!/bin/sh
	exec unshare -m sh -c '
	    mount --make-rprivate / &&
	    mount -t tmpfs -o size=$1,mode=700 tmpfs "$DIR/disk" || exit 1
	    exec 2>>"\${RELEVO_LOG:-/dev/stderr}" "$here" "\$@"' sh "\$@"
	END
	chmod 755 "$DIR/program"
	RELEVO=$DIR/program
	lighttpd_start socket
	RELEVO=$here
}

within()
{
	nsenter -m -r -t "$RELEVO_PID" "$@"
}

# As full as it gets.
fill()
{
	within dd if=/dev/zero "of=$DIR/disk/filler" bs=4k \
	    2>"$DIR/dd.txt" || grep -q 'No space' "$DIR/dd.txt"
}

answers()
{
	ask m1
	http_status 200
	ask m1 'stream: true'
	http_status 200
	stream_whole
}

health_is()
{
	req GET /health
	jq -e ".status == \"$1\" and (.state | test(\"$2\"))" <<<"$output"
}

@test "full disk: no room for the state file, and then there is" {
	STDERR_ALLOW='state_memory'
	disk 64k
	answers
	health_is degraded 'No space left'
	req GET /usage
	json '.totals.requests == 2'
	run -1 within "$RELEVO" --config "$DIR/relevo.conf" state verify
	run within "$RELEVO" --config "$DIR/relevo.conf" doctor
	[[ $output == *'No space left'* || $output == *state* ]]
	within mount -o remount,size=8m "$DIR/disk"
	until_true 10 grep -q '"event":"state_back"' "$DIR/relevo.err"
	health_is ok '^ok$'
	answers
	req GET /usage
	json '.totals.requests == 4 and .state == "ok"'
	within "$RELEVO" --config "$DIR/relevo.conf" state verify
}

@test "full disk: no room for a checkpoint: it is said, and mended" {
	STDERR_ALLOW='state_not_saved'
	disk 1m
	# The worker has its state file, too.
	health_is ok '^ok$'
	fill
	answers
	until_true 20 grep -q '"event":"state_not_saved"' "$DIR/relevo.err"
	answers
	health_is degraded 'no checkpoint'
	req GET /usage
	json '.totals.requests == 4'
	[[ $(grep -c '"event":"state_not_saved"' "$DIR/relevo.err") == 1 ]]
	within rm "$DIR/disk/filler"
	answers
	until_true 20 health_is ok '^ok$'
	req GET /usage
	json '.totals.requests == 6'
	within test -s "$DIR/disk/state.1"
}

@test "full disk: no room for more models: counted in memory, then charged" {
	STDERR_ALLOW='state_(full|memory)'
	disk 1m
	answers
	fill
	for i in {1..400}; do
		printf 'model p1/x%d { }\n' "$i"
	done >>"$DIR/relevo.conf"
	kill -HUP "$RELEVO_PID"
	until_true 15 grep -q '"event":"state_full"' "$DIR/relevo.err"
	until_true 10 health_is degraded 'cannot grow'
	answers
	within rm "$DIR/disk/filler"
	within mount -o remount,size=8m "$DIR/disk"
	until_true 10 grep -q '"event":"state_back"' "$DIR/relevo.err"
	until_true 10 health_is ok '^ok$'
	req GET /usage
	json '.totals.requests == 4'
	within "$RELEVO" --config "$DIR/relevo.conf" state verify
}

log_there()
{
	within cat "$DIR/disk/log"
}

@test "full disk: no room for the log: answers go on, what is lost is said" {
	export RELEVO_LOG=$DIR/disk/log
	disk 2m
	answers
	fill
	for i in {1..100}; do
		ask m1
		http_status 200
	done
	health_is ok '^ok$' || health_is degraded 'no checkpoint'
	within rm "$DIR/disk/filler"
	answers
	log_there | tail -n 3 | grep -q '"status":200'
	# What was cut off counts, too, and a line that is whole follows.
	log_there | grep -q '"dropped":' || fail "$(log_there | tail -c 900)"
	log_there | tail -n 2 | jq -es 'map(.status) == [200, 200]'
}
