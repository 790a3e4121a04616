# The load of `make bench`: what it calls right must be right, for the figures
# of a proxy that loses something would be too good.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	mkdir "$DIR/fix"
	mock_start --fixtures "$DIR/fix"
	ASK=${ASK:-$ROOT/build/bench/ask}
	[[ -x $ASK ]] || fail "no ask: build it (make mock) or set ASK"
}

teardown()
{
	stop_all
}

# question MODEL true|false: asks it six times over two connections.
question()
{
	local model=$1 stream=$2

	shift 2
	jq -cn --arg m "$model" --argjson s "$stream" '{model: $m, stream: $s,
	    messages: []}' | "$ASK" -c 2 -n 6 "$@" "$MOCK_PORT" \
	    /v1/chat/completions
}

# refused MODEL true|false OPTIONS...: it says that this is wrong.
refused()
{
	run -1 --separate-stderr question "$@"
	jq -e '.wrong > 0' <<<"$output"
	[[ $stderr == ask:* ]]
}

@test "bench: whole answers are counted, on connections that are kept" {
	run -0 question m@tokens=20 true -s 20
	jq -e '.n == 6 and .wrong == 0 and .first.p50 <= .whole.p50' \
	    <<<"$output"
	run -0 question m@tokens=3 false -u 3
	run -0 question 'm@tokens=3,splitat=200,split=7' true -s 3
	run -0 question 'm@tokens=3,nochunk' true -s 3
	# Six and six on two each, six that begin on two but end with a FIN.
	[[ $(mock_stats .models.m.completed) == 24 ]]
	[[ $(mock_stats .connections) == 12 ]]
}

@test "bench: an answer that lacks anything is wrong" {
	refused m@tokens=20 true -s 21
	refused m@tokens=20 true -s 19
	refused m@tokens=20 false -u 21
	refused m@tokens=20 false -u 19
	refused m@nodone true -s 5
	refused m@nofinish true -s 5
	refused m@fin=3 true -s 5
	refused m@cut=5 true -s 5
	refused m@finish=length true -s 5
	refused m@fin=99 true -s 5
	refused m@empty true -s 5
	refused m@status=429 true -s 5
	refused m@status=500 false -u 5
	refused m@close false -u 5
}

# fixture STATUS LENGTH: an answer with the words of a right one.
fixture()
{
	local body='{"content":"w1 w2 ","finish_reason":"stop"}'

	printf '%s\r\n' "HTTP/1.1 $1 X" 'Connection: close' \
	    "Content-Length: $((${#body} + $2))" '' >"$DIR/fix/words.http"
	printf %s "$body" >>"$DIR/fix/words.http"
}

@test "bench: right words under a wrong head are wrong, and other words" {
	fixture 200 0
	run -0 question m@body=words false -u 2
	sed -i 's/w1/w9/' "$DIR/fix/words.http"
	refused m@body=words false -u 2
	fixture 201 0
	refused m@body=words false -u 2
	fixture 200 1
	refused m@body=words false -u 2
}

@test "bench: the time until the mock has lost who left" {
	run -0 question m@tokens=9999,pace=1 true -a "$MOCK_PORT" -m m -s 1
	jq -e '.n == 6 and .whole.max > 0' <<<"$output"
	[[ $(mock_stats .models.m.aborted) == 6 ]]
	# More lost than there were: it waits for what never comes.
	jq -cn '{model: "m@pace=100", stream: true, messages: []}' >"$DIR/q"
	run -1 "$ASK" -a "$MOCK_PORT" -m other -f 0 -s 1 "$MOCK_PORT" \
	    /v1/chat/completions <"$DIR/q"
}
