# The command line, and what is wrong in a configuration.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	same_day
	mock_start
	CONF=$DIR/relevo.conf
}

teardown()
{
	stop_all
}

# cli ARGUMENTS...: sets status; stdout is in output, stderr in stderr.
cli()
{
	run --separate-stderr "$RELEVO" --config "$CONF" "$@"
	# For the canary; a new token is told once, by right.
	[[ ${1:-} == client ]] || printf '%s\n' "$output" "${stderr:-}" \
	    >>"$DIR/heard"
}

config_plain()
{
	{
		config_mock p1 m1
		printf 'model p1/m2 {\n\trpm = 7   tpd = 90000\n}\n'
		printf 'provider dark {\n\turl = https://dark.example/v1\n'
		printf '\tkey = ${RELEVO_NO_SUCH_KEY}\n}\nmodel dark/m9 { }\n'
	} | config_write "${1:-}"
}

# -- help, version, unknown ---------------------------------------------------

@test "cli: help lists every command, on stdout, status 0" {
	for word in help --help -h; do
		run --separate-stderr "$RELEVO" $word
		[[ $status == 0 && -z $stderr ]]
		for name in serve check models usage state client version; do
			[[ $output == *"  $name "* ]]
		done
	done
}

@test "cli: version names itself and its libraries" {
	for word in version --version -V; do
		run --separate-stderr "$RELEVO" $word
		[[ $status == 0 && $output == 'relevo '[0-9]* ]]
		[[ $output == *libcurl* && $output == *cJSON* &&
		    $output == *libsodium* ]]
	done
}

commands()
{
	"$RELEVO" help | sed -nE 's/^  ([a-z]+( [a-z]+)?)  .*/\1/p' |
	    grep -vx help
}

# No configuration is read: there is none, and a broken one.
@test "cli: each command has --help: its usage, on stdout, status 0" {
	local command

	CONF=$DIR/none.conf
	[[ $(commands | wc -l) -ge 13 ]]
	while read -r command; do
		for call in "$command --help" "$command -h" "help $command" \
		    "$command --nonsense --help" "help $command --help"; do
			cli $call
			[[ $status == 0 && -z $stderr ]] ||
			    fail "$call: $stderr"
			[[ ${lines[0]} == "usage: relevo $command"* ]] ||
			    fail "$call: $output"
			[[ $output == *'  -h, --help  '* ]]
			run ! grep -E '^.{81}' <<<"$output"
		done
	done < <(commands)
	for call in 'state --help' 'help state' 'state -h'; do
		cli $call
		[[ $status == 0 && -z $stderr ]]
		((${#lines[@]} == 4)) || fail "$call: $output"
		[[ $output == *'state dump'*'state reset [NAME]'* ]]
	done
	cli explain --help
	[[ $output == *'explain [--tokens N] [--json] [MODEL]'*'--tokens N '* ]]
	[[ ! -e $DIR/state ]]
}

@test "cli: no command, and what is none: the near one, status 2" {
	cli
	[[ $status == 2 && -z $output && $stderr == *usage:* ]]
	cli dance
	[[ $status == 2 && -z $output ]]
	[[ $stderr == *'no command "dance"'*'relevo help'* &&
	    $stderr != *meant* ]]
	cli chek
	[[ $status == 2 && $stderr == *'no command "chek"; is check meant?'* ]]
	cli stat
	[[ $status == 2 && $stderr == *'is state meant?'* ]]
	cli --conf check
	[[ $status == 2 && $stderr == *'no option "--conf"; is --config'* ]]
	cli ''
	[[ $status == 2 && $stderr == *'no command ""'* ]]
	cli help dance
	[[ $status == 2 && -z $output && $stderr == *'"dance"'* ]]
	cli state
	[[ $status == 2 && $stderr == *'wants another word'*'state verify'* ]]
	cli state dance
	[[ $status == 2 && $stderr == *'state dance'*'relevo state verify'* ]]
	run --separate-stderr "$RELEVO" check --config
	[[ $status == 2 && $stderr == *'--config FILE'* ]]
	run --separate-stderr "$RELEVO" check --config=
	[[ $status == 2 && $stderr == *'--config FILE'* ]]
}

# wrong_call EXPECTED ARGUMENTS...: status 2, the reason and the usage, before
# any configuration is read.
wrong_call()
{
	local want=$1

	shift
	cli "$@"
	[[ $status == 2 && -z $output ]] || fail "$*: status $status"
	[[ ${stderr_lines[0]} == "relevo: $want"* ]] || fail "$*: $stderr"
	[[ ${stderr_lines[1]} == 'usage: relevo '* ]] || fail "$*: $stderr"
	[[ $stderr != *"$CONF"* ]] || fail "$*: $stderr"
}

@test "cli: options and operands that are wrong are told one by one" {
	CONF=$DIR/none.conf
	wrong_call 'models has no option --josn; is --json' models --josn
	wrong_call '--json takes no value' usage --json=yes
	wrong_call 'check takes no argument, and "foo"' check foo
	wrong_call 'check takes no argument, and "--print"' check -- --print
	wrong_call 'state dump takes no argument' state dump all
	wrong_call 'state reset takes one argument, and "b"' state reset a b
	wrong_call 'explain takes one argument, and "b"' explain a b
	wrong_call '--tokens wants a value: --tokens N' explain --tokens
	wrong_call '--tokens many: a number' explain --tokens many
	wrong_call '--tokens -1: a number' explain --tokens=-1
	wrong_call '-d 0: seconds' top -d 0
	wrong_call '-n 0: a number' top -n 0
	wrong_call 'top has no option -x' top -x
	wrong_call 'client new wants a NAME' client new
	wrong_call 'client new takes one' client new a b
	wrong_call 'client new has no option -x' client new -x
	wrong_call '--socket wants a value' serve --socket
	wrong_call 'serve wants --socket PATH' serve --mode 0660
	wrong_call 'serve wants --socket PATH' serve
	wrong_call 'doctor has no option --sock; is --socket' doctor --sock x
	wrong_call 'nowhere: the url must' doctor nowhere
	# A name that would break the section it stands in.
	for name in '' 'a b' 'a{' $'a\nb' 'a"' "$(printf 'a%.0s' {1..65})"; do
		wrong_call 'the name of a client is' client new "$name"
	done
}

@test "cli: options before and behind operands, with = and --" {
	config_plain
	cli explain p1/m2 --tokens=100000 --json
	json '.tokens == 100000 and .alias == "p1/m2"'
	cli explain --json --tokens 7 -- p1/m2
	json '.tokens == 7 and .alias == "p1/m2"'
	run "$RELEVO" --config "$CONF" -- check
	[[ $status == 0 && $output == *'2 of 3 models'* ]]
	# Behind "--" even --config is an operand.
	cli check -- --config "$CONF"
	[[ $status == 2 ]]
	cli top -n1
	[[ $status == 0 && $output == relevo* ]]
	cli explain nobody/x
	[[ $status == 1 && -z $output && $stderr == *'"nobody/x"'*models* ]]
}

@test "cli: what stdout does not take is a failure, and told" {
	config_plain
	relevo_serve
	for word in version check 'check --print' models 'state dump' help \
	    'check --help' 'top --once' explain 'client new bot'; do
		run --separate-stderr bash -c '"$@" >/dev/full' - \
		    "$RELEVO" --config "$CONF" $word
		[[ $status == 1 && $stderr == 'relevo: stdout: No space'* ]]
		run --separate-stderr bash -c '"$@" >&-' - \
		    "$RELEVO" --config "$CONF" $word
		[[ $status == 1 && $stderr == 'relevo: stdout: '* ]] ||
		    fail "$word: $status $stderr"
	done
}

# -- Which configuration ------------------------------------------------------

@test "cli: --config before and behind the command, =, RELEVO_CONFIG" {
	config_plain
	run "$RELEVO" --config "$CONF" check
	[[ $status == 0 && $output == *'2 of 3 models'* ]]
	run "$RELEVO" check --config "$CONF"
	[[ $status == 0 && $output == *'2 of 3 models'* ]]
	run "$RELEVO" check --config="$CONF"
	[[ $status == 0 ]]
	RELEVO_CONFIG=$CONF run "$RELEVO" check
	[[ $status == 0 ]]
	# What is said beats the environment.
	RELEVO_CONFIG=$DIR/none run "$RELEVO" --config "$CONF" check
	[[ $status == 0 ]]
	RELEVO_CONFIG=$DIR/none run "$RELEVO" check
	[[ $status == 2 && $output == *"$DIR/none"* ]]
}

@test "cli: relevo.conf beside the binary is found" {
	config_plain
	mkdir "$DIR/bin"
	cp "$RELEVO" "$DIR/bin/relevo"
	cp "$CONF" "$DIR/bin/relevo.conf"
	run env -u RELEVO_CONFIG "$DIR/bin/relevo" check
	[[ $status == 0 && $output == "$DIR/bin/relevo.conf: ok"* ]]
}

# As on shared hosting: the program in the web site, the rest outside.
@test "cli: relevo/relevo.conf above the binary is found, if it is ours" {
	local site=$DIR/home/public_html/ai

	umask 077
	mkdir -p "$site" "$DIR/home/relevo"
	cp "$RELEVO" "$site/relevo.cgi"
	config_mock p1 m1 | config_write
	sed 's|state = .*|state = kept|' "$CONF" >"$DIR/home/relevo/relevo.conf"
	run env -i "$site/relevo.cgi" state path
	[[ $status == 0 && $output == "$DIR/home/relevo/kept" ]]
	# The one beside it goes first.
	sed 's|state = .*|state = mine|' "$CONF" >"$site/relevo.conf"
	run env -i "$site/relevo.cgi" state path
	[[ $output == "$site/mine" ]]
	rm "$site/relevo.conf"
	# Another user's is none of ours.
	((EUID != 0)) || chown nobody "$DIR/home/relevo/relevo.conf"
	((EUID == 0)) || ln -sf /etc/passwd "$DIR/home/relevo/relevo.conf"
	run env -i "$site/relevo.cgi" check
	[[ $output != *"$DIR/home"* ]]
}

@test "cli: .env beside the file is read, the environment wins" {
	config_mock p1 m1 | sed 's/"test-key-p1"/${RELEVO_TEST_KEY}/' |
	    config_write
	cli models
	[[ $output == *'RELEVO_TEST_KEY is not set'* ]]
	echo 'RELEVO_TEST_KEY=test-key-file-abcd' >"$DIR/.env"
	chmod 600 "$DIR/.env"
	cli check
	[[ $status == 0 && $output == *'1 of 1 model '* ]]
	lighttpd_start fcgi
	ask m1
	[[ $(mock_log | jq -r .key) == abcd ]]
	stop web "$WEB_PID"
	RELEVO_ENV="$RELEVO_ENV RELEVO_TEST_KEY"
	RELEVO_TEST_KEY=test-key-environment-efgh
	mock_reset
	lighttpd_start fcgi
	ask m1
	[[ $(mock_log | jq -r .key) == efgh ]]
}

@test "cli: with no key at all the demo answers, and says so" {
	config_plain
	sed -i 's/"test-key-p1"/${RELEVO_NO_SUCH_KEY}/' "$CONF"
	lighttpd_start fcgi
	req GET /health
	json '.demo == true and .ready == true'
	chat
	http_status 200
	stream_whole
	[[ $(header x-relevo-provider) == demo ]]
	[[ $(sse_text) == *demo* ]]
	req GET /models
	json '.models[] | select(.provider == "demo") | .demo == true'
	[[ $(mock_stats .total) == 0 ]]
}

# -- check --------------------------------------------------------------------

# wrong LINES EXPECTED...: check refuses a file that ends in LINES, and every
# EXPECTED is a pattern that stderr matches.
wrong()
{
	config_plain
	printf '%s\n' "$1" >>"$CONF"
	cli check
	[[ $status == 2 && -z $output ]] || fail "status $status: $output"
	shift
	for want; do
		grep -qE -- "$want" <<<"$stderr" || fail "no $want in
$stderr"
	done
}

@test "check: every error at once, each with file and line" {
	local n

	config_plain
	n=$(wc -l <"$CONF")
	wrong 'model nobody/x { }
model p1/m1 { }
provider p2 {
	url = ftp://x
	key = test-key-5
	colour = red
	rpm = many
	connect-timeout = 5
}
alias none { models = {"zz/*"} }
route { strategy = tombola }
client c { token = "plain" }' \
	    "relevo.conf:$((n + 1)): .*nobody" \
	    "relevo.conf:$((n + 2)): .*twice" \
	    "relevo.conf:$((n + 4)): .*url" \
	    "relevo.conf:$((n + 6)): .*colour" \
	    "relevo.conf:$((n + 7)): .*rpm = many" \
	    "relevo.conf:$((n + 8)): .*connect-timeout.*unit" \
	    "relevo.conf:$((n + 10)): .*none" \
	    "relevo.conf:$((n + 11)): .*tombola.*round-robin" \
	    "relevo.conf:$((n + 12)): .*blake2b"
	run ! grep -q plain <<<"$stderr"
}

@test "check: what libconfuse would take in silence, and syntax" {
	wrong 'provider open {' 'relevo.conf:[0-9]+: '
	wrong 'server { }' 'twice'
	wrong 'nonsense { }' "'nonsense' is no section"
	wrong 'model p1/x { rpm = -1 }' 'rpm = -1'
	wrong 'model p1/x { rpm }' 'relevo.conf:[0-9]+: '
	wrong '}' 'relevo.conf:[0-9]+: '
	wrong 'provider p3 { url = "http://far.example/v1" key = test-key-6 }' \
	    'relevo.conf:[0-9]+: .*http'
}

@test "check: access has no default, and token wants a client" {
	config_mock p1 m1 | config_write
	sed -i /access/d "$CONF"
	cli check
	[[ $status == 2 && $stderr == *'access is not set'* ]]
	config_mock p1 m1 | config_write 'access = token'
	cli check
	[[ $status == 2 && $stderr == *'no client'* ]]
}

@test "check: a file with a key that others can read is refused" {
	config_plain
	chmod 644 "$CONF"
	cli check
	[[ $status == 2 && $stderr == *"$CONF"* ]]
	chmod 600 "$CONF"
	cli check
	[[ $status == 0 ]]
}

@test "check: a model with two keys is one model" {
	config_write <<<'provider p { url = https://p.example/v1 key = "a,b" }
	    model p/m { }'
	cli check
	[[ $status == 0 && $output == *': ok, 1 of 1 model '* ]]
}

@test "check: a file that is not there, a folder, empty, no text" {
	CONF=$DIR/none.conf cli check
	[[ $status == 2 && $stderr == "$DIR/none.conf: No such"*--config* ]]
	CONF=$DIR cli check
	[[ $status == 2 && $stderr == "$DIR: Is a directory" ]]
	: >"$DIR/empty.conf"
	CONF=$DIR/empty.conf cli check
	[[ $status == 2 && $stderr == "$DIR/empty.conf: access is not set"* ]]
	printf 'a\0b' >"$DIR/nul.conf"
	CONF=$DIR/nul.conf cli check
	[[ $status == 2 && $stderr == "$DIR/nul.conf: no plain text"* ]]
	mkdir "$DIR/.env"
	config_plain
	cli check
	[[ $status == 2 && $stderr == "$DIR/.env: Is a directory" ]]
}

@test "check: a file of Windows, a last line without an end" {
	config_mock p1 m1 | sed 's/"test-key-p1"/${RELEVO_TEST_KEY}/' |
	    config_write
	sed -i 's/$/\r/; 1s/^/\xef\xbb\xbf/' "$CONF"
	printf '\xef\xbb\xbfA=b\r\nRELEVO_TEST_KEY=test-key-file-abcd\r\n' \
	    >"$DIR/.env"
	chmod 600 "$DIR/.env"
	cli check
	[[ $status == 0 && $output == *'1 of 1 model '* ]]
	crlf=$(cli models && printf '%s' "$output")
	printf 'RELEVO_TEST_KEY=test-key-file-abcd' >"$DIR/.env"
	cli models
	# The same key: the hash that names it says so.
	[[ $status == 0 && $output == "$crlf" ]]
}

@test "check: a file that this user may not read says who may" {
	local as=()

	config_plain
	chmod 755 "$DIR"
	cp "$RELEVO" "$DIR/theirs"
	chmod 755 "$DIR/theirs"
	if ((EUID == 0)); then
		as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
	else
		chmod 0 "$CONF"
	fi
	run --separate-stderr "${as[@]}" "$DIR/theirs" --config "$CONF" models
	[[ $status == 2 && -z $output ]]
	[[ $stderr == "$CONF: Permission denied: run this as a user who may"* ]]
}

@test "check --print: what was understood, which loads again, no secret" {
	config_plain
	echo 'alias fast { models = {"p1/*"} }' >>"$CONF"
	cli check --print
	[[ $status == 0 && -z $stderr ]]
	[[ $output == *'provider p1'* && $output == *'rpm = 7'* &&
	    $output == *'alias "fast"'* ]]
	[[ $output != *test-key* ]]
	printf '%s\n' "$output" >"$DIR/again.conf"
	chmod 600 "$DIR/again.conf"
	first=$output
	CONF=$DIR/again.conf cli check --print
	[[ $status == 0 && $output == "$first" ]]
}

# -- models, usage, state -----------------------------------------------------

@test "models: a table, and --json as the API says it" {
	config_plain
	cli models
	[[ $status == 0 && $output == MODEL* ]]
	grep -qE '^p1/m1 +(k-[0-9a-f]+ +)?open' <<<"$output"
	grep -qE '^dark/m9 .*RELEVO_NO_SUCH_KEY is not set' <<<"$output"
	cli models --json
	json '[.models[].id] == ["p1/m1", "p1/m2", "dark/m9"]'
}

@test "usage: the table and --json have what the workers counted" {
	config_plain
	lighttpd_start fcgi
	ask p1/m2
	ask p1/m2
	cli usage
	[[ $status == 0 && $output == SCOPE* ]]
	grep -qE '^p1/m2 +rpm +2 +0 +7 +5 ' <<<"$output" ||
	    fail "$output"
	grep -qE '^ +tpd +24 +0 +90000 +89976 ' <<<"$output"
	cli usage --json
	json '.usage[1].localStats.requests == 2 and .totals.tokens == 24'
	req GET /usage
	timeless <<<"$output" >"$DIR/api"
	cli usage --json
	timeless <<<"$output" | diff "$DIR/api" -
}

# Without what two clocks may tell differently by a millisecond, and so by a
# second: when it is, and the end of what rolls.
timeless()
{
	jq -S 'del(.now) | del(.. | objects | select(has("resetAt")) | .resetAt)
	    | del(.. | objects | select(has("requestsResetAt")) |
	    .requestsResetAt, .tokensResetAt) | del(.. | .resetInfo?)'
}

@test "state: commands make none, and do not tell of one they cannot read" {
	config_plain
	for word in models usage 'explain m1' 'top --once'; do
		cli $word
		[[ $output == *m1* || $word == usage ]] || fail "$output"
		[[ $stderr == *"there is no $DIR/state"* || $word == top* ]] ||
		    fail "$word: $stderr"
	done
	for word in dump verify reset; do
		cli state $word
		[[ $status == 1 && -z $output ]]
		[[ $stderr == *"there is no $DIR/state" ]]
	done
	[[ ! -e $DIR/state ]]
	echo nonsense >"$DIR/state"
	for word in models usage explain; do
		cli $word
		[[ $status == 1 && -z $output && $stderr == *"$DIR/state"* ]]
	done
	[[ $(<"$DIR/state") == nonsense ]]
}

# A sysadmin's `sudo relevo usage`.
@test "state: root sees that of the service's user, and leaves it his" {
	local as=() user=$EUID

	if ((EUID == 0)); then
		user=$(id -u nobody)
		as=(setpriv "--reuid=$user" --regid=nogroup --clear-groups)
		chown "$user" "$DIR"
	fi
	config_plain
	chmod 755 "$DIR"
	cp "$RELEVO" "$DIR/theirs"
	chmod 755 "$DIR/theirs"
	[[ $user == "$EUID" ]] || chown "$user" "$CONF"
	chat_body m2 >"$DIR/q"
	env -i RELEVO_CONFIG="$CONF" GATEWAY_INTERFACE=CGI/1.1 \
	    ASAN_OPTIONS="${ASAN_OPTIONS:-}" REQUEST_METHOD=POST \
	    REQUEST_URI=/v1/chat/completions CONTENT_TYPE=application/json \
	    "${as[@]}" "$DIR/theirs" <"$DIR/q" >"$DIR/out" 2>>"$DIR/relevo.err"
	grep -q '^Status: 200' "$DIR/out"
	cli usage
	[[ $status == 0 && -z $stderr ]]
	grep -qE '^p1/m2 +rpm +1 +0 +7 +6 ' <<<"$output" || fail "$output"
	run stat -c %u "$DIR"/state*
	[[ $(sort -u <<<"$output") == "$user" ]]
	[[ $user == "$EUID" ]] && return
	cli state verify
	[[ $status == 1 && $stderr == *"another user: $user, and this is 0" ]]
}

@test "state: path, verify, dump while it is in use" {
	config_plain
	lighttpd_start fcgi
	ask p1/m2
	cli state path
	[[ $status == 0 && $output == "$DIR/state" ]]
	cli state verify
	[[ $status == 0 && -n $output ]]
	cli state dump
	[[ $status == 0 && $output == *m2* ]]
	[[ $output != *test-key* ]]
	ask p1/m2
	http_status 200
	[[ $(stat -c %a "$DIR/state") == 600 ]]
}

@test "state reset: counts begin anew, for all or for one name" {
	config_plain
	lighttpd_start fcgi
	ask p1/m1
	ask p1/m2
	cli state reset p1/m9
	[[ $status == 1 && -z $output ]]
	[[ $stderr == *'no scope "p1/m9"'*'state dump'* ]]
	cli state dump
	name=$(jq -r '.scopes[].name | select(endswith("m2"))' <<<"$output")
	cli state reset "$name"
	[[ $status == 0 ]]
	req GET /usage
	json '[.usage[].localStats.requestsToday] == [1, 0]'
	cli state reset
	[[ $status == 0 ]]
	req GET /usage
	json '.totals.requestsToday == 0'
	ask p1/m2
	req GET /usage
	json '[.usage[].localStats.requestsToday] == [0, 1]'
}

@test "state reset: opens what a verdict closed" {
	config_plain
	lighttpd_start fcgi
	mock_script m1 status=401 1
	ask p1/m1
	ask p1/m1
	[[ $http_code != 200 ]]
	cli state reset
	[[ $status == 0 ]]
	ask p1/m1
	http_status 200
}

# -- serve --------------------------------------------------------------------

@test "serve: a socket in use, a file in the way, too long a path" {
	config_plain
	relevo_serve
	cli serve --socket "$DIR/relevo.sock"
	[[ $status == 78 && $stderr == *'already listens'* ]]
	alive "$RELEVO_PID"
	echo precious >"$DIR/file"
	cli serve --socket "$DIR/file"
	[[ $status == 78 && $stderr == *'no socket'* ]]
	[[ $(<"$DIR/file") == precious ]]
	cli serve --socket "/tmp/$(printf 'x%.0s' {1..120})"
	[[ $status == 78 && $stderr == *longer* ]]
	for path in none/relevo.sock file/relevo.sock; do
		cli serve --socket "$DIR/$path"
		[[ $status == 78 && $stderr == *"$path: "* ]]
	done
}

@test "serve: options that are none, and a mode that is none: status 2" {
	config_plain
	for wrong in '--mode 0888' '--mode rw' '--mode 66o' '--mode 1777' \
	    '--mode -1' '--mode' '--wide yes'; do
		cli serve $wrong --socket "$DIR/relevo.sock"
		[[ $status == 2 && $stderr == 'relevo: '* ]]
	done
	[[ ! -e $DIR/relevo.sock ]]
}

@test "serve: a socket that was left over is replaced; private by mode" {
	config_plain
	relevo_serve
	forget "$RELEVO_PID"
	kill -KILL "$RELEVO_PID" $(pgrep -P "$RELEVO_PID")
	wait "$RELEVO_PID" || true
	[[ -S $DIR/relevo.sock ]]
	STDERR_ALLOW=worker_died
	lighttpd_start socket
	until_true 10 lighttpd_answers
	[[ $(stat -c %a "$DIR/relevo.sock") == 660 ]]
}

lighttpd_answers()
{
	req GET /health
	[[ $http_code == 200 ]]
}

@test "serve: a broken configuration is status 78, with the lines" {
	config_plain
	echo 'model nobody/x { }' >>"$CONF"
	cli serve --socket "$DIR/relevo.sock"
	[[ $status == 78 && $stderr =~ relevo.conf:[0-9]+: ]]
	[[ ! -e $DIR/relevo.sock ]]
}

@test "cgi: a broken configuration is a 500 in JSON, the lines in the log" {
	STDERR_ALLOW='relevo.conf:[0-9]+:'
	config_plain
	lighttpd_start cgi
	echo 'model nobody/x { }' >>"$CONF"
	req GET /models
	refused 500 internal_error
	json '.error.message | test("relevo check") and
	    (test("nobody") | not)'
	grep -qE 'relevo.conf:[0-9]+: ' "$DIR/relevo.err"
}

# -- make demo ----------------------------------------------------------------

@test "cli: a demo whose port is taken says so, and nothing else" {
	run env PORT="$MOCK_PORT" timeout 20 sh "$ROOT/conf/demo.sh"
	[[ $status == 1 ]]
	[[ $output == "demo: something listens on $MOCK_URL already: "* ]]
	((${#lines[@]} == 1))
}
