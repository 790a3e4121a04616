# What a worker does with memory under load and after it, counted.

bats_require_minimum_version 1.5.0
load ../helper

setup()
{
	setup_dir
	mock_start
	config_write <<-EOF_
	provider p {
		url = "$MOCK_URL/p/v1"
		key = "test-key-p1"
		rpm = 1000000 rpd = 10000000 tpm = 1000000000
	}
	model "p/m1" {
		rpm = 1000000 rpd = 10000000 tpm = 1000000000
	}
	EOF_
}

teardown()
{
	stop_all
}

# load_body BYTES [MEMBERS]
load_body()
{
	jq -cn --argjson n "$1" "{model: \"auto\", messages: [{role: \"user\",
	    content: (\"word \" * (\$n / 5 | floor))}]} + {${2:-}}" \
	    >"$DIR/question"
}

# load_ask N: four at once, N times, each over a kept connection.
load_ask()
{
	local i pids=()

	for i in 1 2 3 4; do
		curl -sS -m 100 -o "$DIR/answer.$i" -w '%{http_code}\n' \
		    -H 'Content-Type: application/json' \
		    --data-binary "@$DIR/question" \
		    "$URL/v1/chat/completions?n=[1-$1]" >"$DIR/codes.$i" &
		pids+=("$!")
	done
	wait "${pids[@]}"
	[[ $(sort "$DIR"/codes.* | uniq -c | tr -s ' ') == " $((4 * $1)) 200" ]] ||
	    fail "not all were answered: $(cat "$DIR"/codes.* "$DIR"/answer.? | tail -c 600)"
}

# worker_faults: its page faults that no disk was asked for (proc(5), stat).
worker_faults()
{
	sed 's/.*) //' "/proc/$(pgrep -P "$RELEVO_PID" | head -n 1)/stat" |
	    cut -d ' ' -f 8
}

worker_rss()
{
	awk '/^RssAnon:/ { print $2 }' \
	    "/proc/$(pgrep -P "$RELEVO_PID" | head -n 1)/status"
}

# few_faults WHAT: in 400 chats. Some twenty there are; hundreds and more when
# memory is given back after each. What a rest gives back is a hundred: it comes
# in between where the load has to wait.
few_faults()
{
	local before after

	load_ask 50
	before=$(worker_faults)
	load_ask 100
	after=$(worker_faults)
	echo "# $1: $((after - before)) page faults in 400 chats"
	((after - before < 300)) || fail "$((after - before)) page faults"
}

@test "memory: streams reuse it" {
	mock_script m1 tokens=200
	load_body 2000 'stream: true'
	nginx_start keep
	few_faults streams
}

given_back()
{
	(($(worker_rss) < $1))
}

@test "memory: large bodies reuse it, and after a rest it is given back" {
	load_body 200000
	nginx_start keep
	few_faults 'large bodies'
	before=$(worker_rss)
	echo "# $before KiB under load"
	until_true 30 given_back $((before - 400))
}
