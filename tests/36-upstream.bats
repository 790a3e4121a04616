# What an upstream's connection does below HTTP.

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

# libcurl repeats by itself what an idle connection lost; it must go on doing
# so for as long as the handle lives.
@test "upstream: idle connections that die cost nobody an answer" {
	config_mock p1 m1 | config_write
	nginx_start keep
	mock_script m1 stale
	for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
		ask m1
		http_status 200
	done
	[[ $(mock_stats .models.m1.completed) == 12 ]]
}

# The lines of a provider go to it, beside its key, and to no other.
@test "upstream: a provider's own headers are sent" {
	{
		config_mock p1 m1 | sed '1a\	headers = {"X-Title: a: b", "X-Two: 2"}'
		config_mock p2 m2
	} | config_write
	nginx_start keep
	ask m1
	http_status 200
	mock_last m1 | sed '/^\r$/q' | tr -d '\r' >"$DIR/mock.sent"
	[[ $(grep -c '^X-Title: a: b$' "$DIR/mock.sent") == 1 ]]
	[[ $(grep -c '^X-Two: 2$' "$DIR/mock.sent") == 1 ]]
	grep -q '^Authorization: Bearer test-key-p1$' "$DIR/mock.sent"
	ask m2
	http_status 200
	run ! grep -q '^X-T' < <(mock_last m2)
}

# While many streams run, a connection that a short call is done with is there
# for the next.
@test "upstream: connections are kept above 256 calls" {
	local crowd before

	config_mock p1 m1 m2 | config_write
	nginx_start keep
	mock_script m1 tokens=2,gate=g
	curl -sS -Z --parallel-immediate --parallel-max 290 -m 60 \
	    -o /dev/null -H 'Content-Type: application/json' \
	    --data-binary '{"model":"m1","stream":true,"messages":[{"role":
	        "user","content":"hi"}]}' "$URL/v1/chat/completions?n=[1-290]" &
	crowd=$!
	until_true 20 mock_crowd 290
	ask m2
	before=$(mock_stats .connections)
	for i in 1 2 3 4 5 6 7 8 9 10; do
		ask m2
		http_status 200
	done
	[[ $(mock_stats .connections) == "$before" ]]
	mock_gate g 2
	wait "$crowd"
	[[ $(mock_stats .models.m1.completed) == 290 ]]
	# And those that nobody needs any more are closed.
	until_true 5 mock_spare 256
}

mock_crowd()
{
	[[ $(mock_stats .models.m1.inflight) == "$1" ]]
}

mock_spare()
{
	(($(mock_stats .open) <= $1))
}

# An error says what it has to say, then keeps the connection open.
@test "upstream: an error whose body does not end is still that error" {
	spawn endless perl -e '
		use IO::Socket::INET;
		my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1",
		    Listen => 8, ReuseAddr => 1) or die;
		open(my $f, ">", $ARGV[0]); print $f $s->sockport; close($f);
		$SIG{TERM} = sub { exit 0 };
		my @open;
		while (my $c = $s->accept) {
			sysread($c, my $junk, 65536);
			syswrite($c, "HTTP/1.1 429 Too Many Requests\r\n" .
			    "Retry-After: 50\r\n\r\n{\"error\":{\"message\":" .
			    "\"slow down\",\"code\":\"rate_limit_exceeded\"}}");
			push @open, $c;
		}' "$DIR/endless.port"
	until_true 10 test -s "$DIR/endless.port"
	{
		printf 'provider e1 {\n\turl = http://127.0.0.1:%s/v1\n' \
		    "$(<"$DIR/endless.port")"
		printf '\tkey = test-key-e1\n}\nmodel e1/m1 { }\n'
	} | config_write
	lighttpd_start fcgi
	ask m1
	http_status 429
	(($(header retry-after) > 40 && $(header retry-after) <= 60))
	grep -q '"attempts":"e1:429"' "$DIR/relevo.err"
}
