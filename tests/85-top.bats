# relevo top: one picture for a pipe, and the live one on a real terminal.

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

top()
{
	run --separate-stderr "$RELEVO" --config "$CONF" top "$@"
}

# pty ARGUMENTS...: on a terminal; see tests/pty.py.
pty()
{
	run "$ROOT/tests/pty.py" "$@"
}

live()
{
	printf '%s\n' -- "$RELEVO" --config "$CONF" top "$@"
}

config_plain()
{
	{
		config_mock p1 m1
		printf 'model p1/m2 {\n\trpm = 7   tpd = 90000\n}\n'
		config_mock p2 | sed 's/key = .*/&\n rpm = 40/'
		printf 'model p2/m3 {\n\tconcurrency = 2\n}\n'
	} | config_write "${1:-}"
}

# What makes the state file, for a shell: one who serves.
state_made()
{
	echo "env -i RELEVO_CONFIG=$CONF GATEWAY_INTERFACE=CGI/1.1" \
	    "ASAN_OPTIONS=${ASAN_OPTIONS:-} REQUEST_METHOD=GET" \
	    "REQUEST_URI=/usage $RELEVO </dev/null >/dev/null 2>&1"
}

# -- One picture --------------------------------------------------------------

@test "top --once: exact lines of what was used" {
	config_plain
	mock_script m2 first=20
	lighttpd_start fcgi
	ask p1/m2
	ask p1/m2
	top --once
	[[ $status == 0 && -z $stderr ]]
	[[ ${lines[0]} =~ ^'relevo  '[0-9T:Z-]+'  3 of 3 lanes open, '\
'0 in flight, 0 waiting'$ ]]
	[[ ${lines[1]} == "state: $DIR/state" ]]
	[[ ${lines[2]} == \
	    'LANE                     FLIGHT     FIRST  STATE' ]]
	[[ ${lines[3]} == \
	    'p1/m1                         0         -  open' ]]
	[[ ${lines[4]} =~ ^'p1/m2                         0 '[\ 0-9]{6}' ms  '\
'open'$ ]]
	[[ ${lines[5]} == \
	    '  rpm [##......] 2/7        tpd [#.......] 24/90000' ]]
	[[ ${lines[6]} == \
	    'p2/m3                         0         -  open' ]]
	[[ ${lines[7]} == '  concurrency [........] 0/2' ]]
	[[ ${lines[8]} == \
	    'account p2                    0         -  open' ]]
	[[ ${lines[9]} == '  rpm [........] 0/40' ]]
	((${#lines[@]} == 10))
}

@test "top --once: what is under way, and what is shut" {
	config_plain
	mock_script m1 status=500 1
	mock_script m3 gate=g
	lighttpd_start fcgi
	ask p1/m1
	stream_open p2/m3
	mock_wait m3 inflight
	top --once
	[[ ${lines[0]} == *'2 of 3 lanes open, 1 in flight, 0 waiting' ]]
	[[ ${lines[2]} == \
	    'PROCESS            AGE  TOKENS  CLIENT        LANE' ]]
	[[ ${lines[3]} =~ ^([0-9]+)' '+([0-9]+' '(ms|s))' '+[0-9]+'  -  '\
' '+'p2/m3'$ ]]
	[[ $(tr '\0' ' ' <"/proc/${BASH_REMATCH[1]}/cmdline") == *relevo* ]]
	[[ ${lines[5]} =~ ^'p1/m1 '.*' 0         -  capacity '[0-9]+' s'$ ]]
	[[ ${lines[8]} =~ ^'p2/m3 '.*' 1         -  open'$ ]]
	[[ ${lines[9]} == '  concurrency [####....] 1/2' ]]
	[[ ${lines[11]} == '  rpm [+.......] 1/40' ]]
	mock_gate g 99
	stream_wait
}

@test "top: looks and changes nothing, whoever else is there" {
	config_plain
	lighttpd_start cgi
	ask p1/m2
	# A CGI process goes on after its answer, to write a checkpoint.
	until_true 10 no_strays
	sum=$(md5sum <"$DIR/state")
	top --once
	[[ $output == *' 1/7 '* ]]
	[[ $(md5sum <"$DIR/state") == "$sum" ]]
	# Read permission is enough.
	chmod 444 "$DIR/state"
	top --once
	[[ $output == *' 1/7 '* && ${lines[1]} == "state: $DIR/state" ]]
}

@test "top: no state file, one of another version, one that is none" {
	config_plain
	top --once
	[[ $status == 0 && -z $stderr ]]
	[[ ${lines[1]} == "state: $DIR/state: No such file or directory" ]]
	grep -qF '  rpm [........] 0/7 ' <<<"$output"
	[[ ! -e $DIR/state ]]
	sh -c "$(state_made)"
	# The layout's number stands behind the magic and two words.
	printf 'x' | dd of="$DIR/state" bs=1 seek=16 conv=notrunc 2>/dev/null
	top --once
	[[ $status == 0 && ${lines[1]} == "state: $DIR/state: "* ]]
	head -c 3000 /dev/urandom >"$DIR/state"
	top --once
	[[ ${lines[1]} == "state: $DIR/state: not a state file"* ]]
	run find "$DIR" -name 'state.bad*'
	[[ -z $output ]]
}

@test "top: what a path may hold never reaches the terminal" {
	config_plain
	# CSI as one character, and an order to write from right to left.
	sed -i "s|state = .*|state = \"$DIR/a"$'\u009b'31mb$'\u202e'"c\"|" \
	    "$CONF"
	top --once
	[[ ${lines[1]} == "state: $DIR/a?31mb?c: No such file or directory" ]]
	run ! grep -qP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' <<<"$output"
}

@test "top: -n prints so many, without control of the terminal" {
	config_plain
	top -n 3 -d 0.1
	[[ $status == 0 ]]
	(($(grep -c '^relevo  ' <<<"$output") == 3))
	[[ $output != *$'\033'* ]]
	# Nor has a pipe a cursor.
	top
	[[ $status == 0 ]]
	(($(grep -c '^relevo  ' <<<"$output") == 1))
	pty 24x60 -- "$RELEVO" --config "$CONF" top --once
	[[ $output == 'exit 0' ]]
}

@test "top: called wrongly" {
	config_plain
	for args in '-d' '-d 0' '-d x' '-n 0' '-n' '--twice' 'now'; do
		top $args
		[[ $status == 2 && $stderr == *usage:* ]] || fail "$args"
	done
}

# -- On a terminal ------------------------------------------------------------

@test "top: live, q ends it and gives the terminal back" {
	config_plain
	mapfile -t live < <(live -d 0.1)
	pty 24x80 'expect:p1/m1' 'expect:p1/m1' "frame:$DIR/frame" send:q \
	    "${live[@]}"
	[[ $status == 0 && $output == 'exit 0' ]] || fail "$output"
	run cat "$DIR/frame"
	[[ ${lines[2]} == LANE* && ${lines[3]} == p1/m1* ]]
}

@test "top: it moves while requests are answered" {
	config_plain
	lighttpd_start fcgi
	ask p1/m2
	mapfile -t live < <(live -d 0.1)
	ask='{"model":"p1/m2","messages":[{"role":"user","content":"hi"}]}'
	pty 24x80 'expect: 1/7 ' "run:curl -sS -o $DIR/answer -d '$ask' \
	    -H 'Content-Type: application/json' $URL/v1/chat/completions" \
	    'expect: 2/7 ' send:q "${live[@]}"
	[[ $status == 0 && $output == 'exit 0' ]] || fail "$output"
}

@test "top: the file is replaced, removed and comes again while it looks" {
	config_plain
	sh -c "$(state_made)"
	mapfile -t live < <(live -d 0.1)
	pty 24x100 "expect:$DIR/state"$'\r' "run:rm $DIR/state" \
	    'expect:No such file' "run:cp $CONF $DIR/state" \
	    'expect:not a state file' "run:rm $DIR/state;
	    $(state_made)" \
	    "expect:$DIR/state"$'\r' send:q "${live[@]}"
	[[ $status == 0 && $output == 'exit 0' ]] || fail "$output"
}

@test "top: another size of the window is taken up at once" {
	config_plain
	for n in {1..40}; do
		printf 'model p2/a-rather-long-name-of-a-model-%02d { }\n' "$n"
	done >>"$CONF"
	# An hour between pictures: what comes is the signal's.
	mapfile -t live < <(live -d 3600)
	pty 30x100 'expect:model-05' "frame:$DIR/large" size:10x40 \
	    $'expect:\033[J' "frame:$DIR/small" send:q "${live[@]}"
	[[ $status == 0 && $output == 'exit 0' ]] || fail "$output"
	(($(wc -l <"$DIR/large") == 30))
	(($(wc -L <"$DIR/large") > 45 && $(wc -L <"$DIR/large") <= 100))
	(($(wc -l <"$DIR/small") == 10))
	(($(wc -L <"$DIR/small") <= 40))
}

@test "top: every signal that ends it gives the terminal back" {
	local key

	config_plain
	mapfile -t live < <(live)
	for sig in 'INT 2' 'TERM 15' 'HUP 1' 'QUIT 3'; do
		pty 24x80 expect:p1/m1 "signal:${sig% *}" "${live[@]}"
		[[ $status == 0 && $output == "signal ${sig#* }" ]] ||
		    fail "$sig: $output"
	done
	pty 24x80 expect:p1/m1 send:$'\003' "${live[@]}"
	[[ $status == 0 && $output == 'signal 2' ]] || fail "^C: $output"
}

@test "top: stopped by ^Z it gives the terminal back, and takes it again" {
	config_plain
	mapfile -t live < <(live -d 3600)
	pty 24x80 expect:p1/m1 signal:TSTP stopped signal:CONT \
	    $'expect:\033[?1049h' expect:p1/m1 send:q "${live[@]}"
	[[ $status == 0 && $output == 'exit 0' ]] || fail "$output"
}
