# What only shows from within: a library of ours in the program (inside.c).

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	mock_start
	cc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Werror -shared -fPIC \
	    -o "$DIR/inside.so" "$ROOT/tests/inside.c" -ldl
}

teardown()
{
	# Who lingers goes when its socket is gone.
	rm -f "$DIR"/own/state.cgi-*
	stop_all
}

# inside VARIABLE=VALUE: RELEVO is the program with our library in it. The
# sanitizers want to be the first library, and need not be.
inside()
{
	: "${PROGRAM:=$RELEVO}"
	cat >"$DIR/program" <<-END
	#!/bin/sh
	export LD_PRELOAD='$DIR/inside.so' '$1'
	ASAN_OPTIONS=\$ASAN_OPTIONS:verify_asan_link_order=0
	export ASAN_OPTIONS
	exec '$PROGRAM' "\$@"
	END
	chmod 755 "$DIR/program"
	RELEVO=$DIR/program
}

# -- The sandbox --------------------------------------------------------------

# Each process that handles requests tries what it must not be able to do.
sandboxed()
{
	mkdir -m 700 "$DIR/own"
	(umask 077; echo secret >"$DIR/private"; : >"$DIR/doomed")
	{
		printf 'server {\n\tstate = "%s/own/state"\n' "$DIR"
		printf '\taccess = open\n%s\n}\n' "${1:-}"
		config_mock p1 m1
	} >"$DIR/relevo.conf"
	chmod 600 "$DIR/relevo.conf"
	inside "INSIDE_TRY=$DIR"
}

# tried NAME: what came of it, in all processes.
tried()
{
	sed -n "s/^[0-9]* $1: //p" "$DIR/own/tried" | sort -u
}

asked_all()
{
	ask m1
	http_status 200
	until_true 10 grep -sq '^[0-9]* end: ok' "$DIR/own/tried"
}

# The kernel's version of Landlock, 0: none.
landlock()
{
	perl -e 'my $v = syscall(444, 0, 0, 1); print $v > 0 ? $v : 0'
}

kept_in()
{
	local abi name want
	local EACCES=13

	asked_all
	abi=$(landlock)
	if ((abi == 0)); then
		echo "# no Landlock here: shown is only that all goes on" >&3
		return 0
	fi
	for name in read write truncate make remove shadow environ run; do
		[[ $(tried "$name") == "$EACCES" ]] ||
		    fail "$name: $(tried "$name")"
	done
	if ((abi >= 4)); then
		for name in bind connect; do
			[[ $(tried "$name") == "$EACCES" ]] ||
			    fail "$name: $(tried "$name")"
		done
	fi
	[[ $(<"$DIR/private") == secret && -e $DIR/doomed ]]
	[[ ! -e $DIR/made ]]
}

@test "inside: a worker can open nothing but what is its own" {
	sandboxed
	lighttpd_start socket
	kept_in
}

@test "inside: neither can a CGI process" {
	sandboxed
	lighttpd_start cgi
	kept_in
}

@test "inside: neither can a CGI process that lingers" {
	sandboxed 'cgi-linger = 5s'
	lighttpd_start cgi
	kept_in
}

# The tries themselves can succeed, or the tests above would show nothing.
@test "inside: without the sandbox all of that can be done" {
	local name

	sandboxed 'sandbox = no'
	lighttpd_start socket
	asked_all
	for name in read write truncate make remove bind; do
		[[ $(tried "$name") == ok ]] || fail "$name: $(tried "$name")"
	done
	[[ -z $(tried run) && $(tried connect) == 111 ]]
	[[ -e $DIR/made && ! -e $DIR/doomed && ! -s $DIR/private ]]
}

# -- Names --------------------------------------------------------------------

NEAR=(127.0.0.1 127.8.8.8 0.0.0.0 169.254.169.254 ::1 ::ffff:127.0.0.1
    fe80::1)

# named NAME OPTIONS ADDRESS...: providers farI by https at I.NAME, which is
# the I-th ADDRESS here, each with p1 behind it: both0, both1 ...
named()
{
	local name=$1 set=$2 i=0 names=

	shift 2
	{
		config_mock p1 m1
		for address; do
			printf 'provider far%d {\n\turl = "https://%s:%s/v1"\n' \
			    "$i" "$i.$name" "$MOCK_PORT"
			printf '\tkey = test-key-far%d\n%s\n}\n' "$i" "$set"
			printf 'model far%d/m { }\nalias both%d {\n' "$i" "$i"
			printf '\tmodels = {"far%d/*", "p1/*"}\n}\n' "$i"
			i=$((i + 1))
		done
	} >"$DIR/providers"
	i=0
	for address; do
		names+=$((i++)).$name=$address,
	done
	config_write <"$DIR/providers"
	rm "$DIR/providers"
	inside "INSIDE_NAMES=$names"
}

led_astray()
{
	grep '"event":"upstream"' "$DIR/relevo.err" |
	    grep -c "far$1: its public name leads to this machine" || true
}

# The mock is there and speaks no TLS: who is connected to it waits until the
# timeout. Who is not reached is barred for the others.
@test "inside: a public name that leads to this machine or its link" {
	local i

	named llm.example.org 'connect-timeout = 2s' "${NEAR[@]}"
	lighttpd_start socket
	for i in "${!NEAR[@]}"; do
		ask "far$i/m"
		refused 502 upstream_refused
		[[ $(led_astray "$i") == 1 ]] || fail "${NEAR[i]}"
		ask "both$i" 'stream: true'
		http_status 200
		[[ $(header x-relevo-attempts) == p1:ok ]]
	done
}

@test "inside: a name of one's own may, and a public one if that is meant" {
	named llm.lan 'connect-timeout = 1s' 127.0.0.1
	lighttpd_start socket
	ask both0
	http_status 200
	[[ $(header x-relevo-attempts) == far0:upstream_timeout,p1:ok ]]
	[[ $(led_astray 0) == 0 ]]

	stop web "$WEB_PID"
	stop relevo "$RELEVO_PID"
	rm -f "$DIR"/state* "$DIR/relevo.sock"
	named llm.example.org $'connect-timeout = 1s\ninsecure = yes' 127.0.0.1
	lighttpd_start socket
	ask both0
	http_status 200
	[[ $(header x-relevo-attempts) == far0:upstream_timeout,p1:ok ]]
	[[ $(led_astray 0) == 0 ]]
}

# Through a proxy it is the proxy who looks up and connects.
@test "inside: a proxy on this machine is none that was led to" {
	named llm.example.org 'connect-timeout = 1s' 127.0.0.1
	sed -i "s,access = open,&\n\tproxy = \"http://127.0.0.1:$MOCK_PORT\"," \
	    "$DIR/relevo.conf"
	lighttpd_start socket
	ask far0/m
	refused 502 upstream_cut
	[[ $(led_astray 0) == 0 ]]
}

@test "inside: names that do not resolve, in every form, fcgi and cgi" {
	local i=0 path stream

	named llm.example.org 'connect-timeout = 9s' '' '' '' '' '' '' '' ''
	both_start
	for URL in "$FCGI_URL" "$CGI_URL"; do
		for path in /chat /v1/chat/completions; do
			for stream in true false; do
				req POST "$path" \
				    -H 'Content-Type: application/json' -d \
				    "$(chat_body "both$i" "stream: $stream")"
				http_status 200
				[[ $(header x-relevo-attempts) == \
				    "far$i:upstream_refused,p1:ok" ]]
				[[ $output == *w5* ]]
				i=$((i + 1))
			done
		done
	done
	ask far0/m
	refused 502 upstream_refused
}
