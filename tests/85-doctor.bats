# relevo doctor: what it finds, and that it says the mend.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	mock_start
	CONF=$DIR/relevo.conf
}

teardown()
{
	stop_all
}

doctor()
{
	run --separate-stderr "$RELEVO" --config "$CONF" doctor "$@"
	[[ -z $stderr ]] || fail "stderr: $stderr"
}

# finds GRADE WHAT TEXT: a line of the output; its mend, if TEXT2 is given,
# stands in the next.
finds()
{
	grep -qE "^$1 +$2 .*$3" <<<"$output" || fail "no $1 $2 with \"$3\":
$output"
	[[ -z ${4:-} ]] || grep -A1 -E "^$1 +$2 .*$3" <<<"$output" |
	    grep -q -- "-> .*$4" || fail "no mend \"$4\":
$output"
}

config_one()
{
	config_mock p1 m1 | config_write "${1:-}"
}

@test "doctor: all is well: one line each, status 0" {
	config_one 'access = token' 
	"$RELEVO" client new bot | sed -n '/client bot/,$p' >>"$CONF"
	mock_script /models date
	doctor
	finds ok config '1 provider is on, 1 of 1 model can'
	finds ok access 'of 1 clients'
	# Made by root it would shut the service out.
	finds ok state 'none yet; who serves makes it'
	[[ ! -e $DIR/state ]]
	finds ok clock 'apart from p1'
	[[ $status == 0 && ${lines[-1]} == '0 failed, '* ]]
	REQUEST_METHOD=GET REQUEST_URI=/health QUERY_STRING= "$RELEVO" \
	    --config "$CONF" </dev/null >/dev/null 2>&1
	doctor
	finds ok state 'in use and sound'
}

@test "doctor: no state yet, and a folder that is closed" {
	local as=()

	# Root may write everywhere, unless it has given that up.
	((EUID != 0)) ||
	    as=(setpriv --bounding-set=-dac_override,-dac_read_search)
	config_one
	mkdir "$DIR/shut"
	sed -i "s|$DIR/state|$DIR/shut/state|" "$CONF"
	chmod 500 "$DIR/shut"
	run --separate-stderr "${as[@]}" "$RELEVO" --config "$CONF" doctor
	[[ -z $stderr && $status == 1 ]]
	finds FAIL state "$DIR/shut.*denied" 'chmod 0700'
}

@test "doctor: a key that is refused, the provider's own words, no secret" {
	config_one
	mock_key y-p1 'status=401,message=key+test-key-p1+is+%1b[31mwrong'
	doctor
	[[ $status == 1 ]]
	finds FAIL 'p1 k-[0-9a-f]+' 'refuses the key \(401' 'new key'
	[[ $output != *test-key* && $output != *$'\e'* ]]
	# Nor the half of it where a long sentence is cut.
	mock_key y-p1 "status=401,message=$(printf 'x%.0s' {1..191})test-key-p1"
	doctor
	finds FAIL 'p1 k-[0-9a-f]+' 'refuses the key \(401: xxx'
	[[ $output != *test-key* ]]
}

@test "doctor: a key that is taken, a list that everybody may see" {
	config_one
	mock_script /models status=401
	mock_key y-p1 status=200
	doctor
	finds ok 'p1 k-[0-9a-f]+' 'takes the key'
	mock_ctl POST reset >/dev/null
	doctor
	finds - 'p1 k-[0-9a-f]+' 'only a chat can tell'
}

@test "doctor: a model that the provider no longer lists" {
	config_mock p1 gone-model | config_write
	doctor
	finds warn p1 'does not list gone-model' 'another name'
}

# long_list N: a provider that lists N models, none of them ours.
long_list()
{
	spawn lister perl -MIO::Socket::INET -e '
	    my $s = IO::Socket::INET->new(Listen => 5, LocalAddr =>
	        "127.0.0.1") or die;
	    open my $f, ">", "$ARGV[1].new" or die; print $f $s->sockport;
	    close $f; rename "$ARGV[1].new", $ARGV[1];
	    my $b = "{\"data\":[" . join(",", ("{\"id\":\"a\"}") x $ARGV[0])
	        . "]}";
	    while (my $c = $s->accept) {
	        while (<$c>) { last if /^\r?$/ }
	        print $c "HTTP/1.1 200 OK\r\nConnection: close\r\n" .
	            "Content-Length: " . length($b) . "\r\n\r\n$b";
	        close $c }' "$1" "$DIR/lister.port"
	LISTER=$SPAWNED
	until_true 10 test -s "$DIR/lister.port"
	config_write <<-END
		provider p1 {
			url = "http://127.0.0.1:$(<"$DIR/lister.port")/v1"
			key = test-key
		}
		model p1/m1 { }
	END
}

@test "doctor: a list without end is not looked through" {
	long_list 300000
	run --separate-stderr timeout 60 "$RELEVO" --config "$CONF" doctor
	[[ $status == 0 ]]
	finds - 'p1 k-[0-9a-f]+' 'only a chat can tell'
	run ! grep -q 'does not list' <<<"$output"
	forget "$LISTER"
	kill "$LISTER"
	wait "$LISTER" || true
}

# nameless NAME: RELEVO finds no such host, whatever name server there is; see
# inside.c. The sanitizers want to be the first library, and need not be.
nameless()
{
	cc -std=gnu11 -D_GNU_SOURCE -shared -fPIC -o "$DIR/inside.so" \
	    "$ROOT/tests/inside.c" -ldl
	printf '#!/bin/sh\nexec env LD_PRELOAD=%s INSIDE_NAMES=%s= %s %s "$@"\n' \
	    "$DIR/inside.so" "$1" \
	    "ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0" \
	    "$RELEVO" >"$DIR/program"
	chmod 755 "$DIR/program"
	RELEVO=$DIR/program
}

@test "doctor: nobody there, no such host, a limit, a wrong path" {
	nameless no.invalid
	closed_port
	{
		printf 'provider dead { url = "http://127.0.0.1:%s/v1"\n' \
		    "$CLOSED"
		printf 'key = test-key-dead }\nmodel dead/m { }\n'
		printf 'provider lost { url = "https://no.invalid/v1"\n'
		printf 'key = test-key-lost }\nmodel lost/m { }\n'
		config_mock p1 m1
		config_mock p2 m2
	} | config_write
	mock_key y-p1 status=429
	mock_key y-p2 status=404
	doctor
	[[ $status == 1 ]]
	finds FAIL 'dead k-[0-9a-f]+' 'not reached' 'look at the url'
	finds FAIL 'lost k-[0-9a-f]+' 'not reached' 'name server'
	finds warn 'p1 k-[0-9a-f]+' 'says 429'
	finds warn 'p2 k-[0-9a-f]+' 'says 404' 'version'
}

@test "doctor: a provider that is slow is not a clock that is wrong" {
	config_one
	mock_script /models date,first=6500
	doctor
	finds ok clock '0 s apart from p1'
}

@test "doctor: a clock that is wrong" {
	config_one
	mock_script /models 'header=Date: Sat%2C 01 Jan 2022 00:00:00 GMT'
	doctor
	[[ $status == 1 ]]
	finds FAIL clock 'apart from p1' NTP
}

@test "doctor: no key at all, open to all, a state without a folder" {
	printf 'provider p1 {\n\turl = https://p1.example/v1\n' >"$DIR/p"
	printf '\tkey = ${RELEVO_NO_SUCH_KEY}\n}\nmodel p1/m { }\n' >>"$DIR/p"
	config_write <"$DIR/p"
	sed -i "s|$DIR/state|$DIR/nowhere/state|" "$CONF"
	doctor
	[[ $status == 1 ]]
	finds FAIL config '0 providers' 'put a key'
	finds warn access 'open' 'access = token'
	finds FAIL state nowhere 'make the folder'
}

@test "doctor: the state of another user is left alone" {
	local dir=/usr uid=0

	if [[ $(id -u) == 0 ]]; then
		dir=$DIR/theirs uid=65534
		mkdir "$dir"
		chown "$uid" "$dir"
	fi
	config_one
	sed -i "s|$DIR/state|$dir/state|" "$CONF"
	doctor
	finds - state "belongs to user $uid" 'as that user'
	[[ ! -e $dir/state ]]
}

@test "doctor: the socket" {
	config_one
	doctor --socket "$DIR/none.sock"
	finds FAIL socket 'No such file' 'start relevo'
	relevo_serve
	doctor --socket "$DIR/relevo.sock"
	finds ok socket 'is listened on'
	chmod 666 "$DIR/relevo.sock"
	doctor --socket "$DIR/relevo.sock"
	finds warn socket 'everyone on this machine' 0660
	# Whom systemd lets serve need not be able to open it himself.
	chmod 0 "$DIR/relevo.sock"
	((EUID != 0)) || {
		printf '#!/bin/sh\nexec setpriv --bounding-set=-all %s "$@"\n' \
		    "$RELEVO" >"$DIR/weak"
		chmod 755 "$DIR/weak"
		RELEVO=$DIR/weak
	}
	doctor --socket "$DIR/relevo.sock"
	finds - socket 'not for this user' "socket's group"
}

# -- the public URL -----------------------------------------------------------

@test "doctor: a url that is right: routes, header, files, stream" {
	config_one 'access = token'
	"$RELEVO" client new bot >"$DIR/new.conf"
	sed -n '/client bot/,$p' "$DIR/new.conf" >>"$CONF"
	mock_script m1 tokens=40,pace=20
	lighttpd_start fcgi
	RELEVO_TOKEN=$(grep -o 'rlv-[^ ]*' "$DIR/new.conf")
	export RELEVO_TOKEN
	until_true 10 streams || fail "$output"
	finds ok url 'is relevo'
	finds ok authorization 'arrives'
	finds ok 'private files' 'not to be had'
	unset RELEVO_TOKEN
	doctor "$URL"
	finds - stream 'needs a client.s token' RELEVO_TOKEN
}

# A machine that stands still collects, too, but not each time.
streams()
{
	doctor "$URL/"
	grep -qE '^ok +stream .*events in [0-9]+ pieces' <<<"$output"
}

@test "doctor: a server that collects, one that shows the .env" {
	config_one
	echo 'UNUSED_API_KEY=test-key-unused' >"$DIR/.env"
	chmod 600 "$DIR/.env"
	mock_script m1 tokens=40,pace=20
	mkdir -p "$DIR/htdocs"
	echo 'OTHER_API_KEY=test-key-other' >"$DIR/htdocs/.env"
	lighttpd_start fcgi "server.stream-response-body := 0
	    server.document-root := \"$DIR/htdocs\""
	doctor "$URL"
	[[ $status == 1 ]]
	finds FAIL stream 'something collects' stream-response-body
	finds FAIL 'private files' '/.env shows it' 'document root'
}

@test "doctor: a url where nothing is, one where something else is" {
	config_one
	closed_port
	doctor "http://127.0.0.1:$CLOSED"
	finds FAIL url 'refused|connect' 'web server running'
	doctor "$MOCK_URL"
	finds FAIL url 'not as relevo' routes
	run --separate-stderr "$RELEVO" --config "$CONF" doctor ftp://x
	[[ $status == 2 && $stderr == *'the url'* ]]
}
