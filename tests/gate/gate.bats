# The gate: what one request costs a worker, counted and not timed, so that it
# may be asserted on any machine: system calls (strace), user instructions
# (callgrind). A chat with a body of 2 KB through nginx with kept connections,
# with all that a real one has: a client's token, limits of provider, model and
# client in a state file, the access log. Each figure is the difference of two
# runs, so that the start does not count. Slack is for the worker's tick of a
# second, which falls into the longer run more often.

bats_require_minimum_version 1.5.0
load ../helper

setup()
{
	setup_dir
	mock_start
}

teardown()
{
	stop_all
}

# Two providers, to have a choice; limits that are counted and do not trip.
gate_config()
{
	local limits='rpm = 100000 rpd = 1000000 tpm = 100000000' p

	TOKEN=$("$RELEVO" --config "$DIR/none" client new gate)
	{
		for p in p1 p2; do
			printf 'provider %s {\n\turl = "%s/%s/v1"\n' "$p" \
			    "$MOCK_URL" "$p"
			printf '\tkey = "test-key-%s"\n\t%s\n}\n' "$p" \
			    "rpm = 100000"
			printf 'model "%s/m1" {\n\t%s\n\t%s\n}\n' "$p" \
			    "$limits" "context = 131072"
		done
		printf 'client gate {\n\ttoken = "%s"\n\trpd = 1000000\n}\n' \
		    "$(grep -o 'blake2b:[0-9a-f]*' <<<"$TOKEN")"
	} | config_write '	access = token'
	TOKEN=$(grep -o 'rlv-[A-Za-z0-9_-]*' <<<"$TOKEN" | head -n 1)
}

# gate_body BYTES [MEMBERS]: a question of about that many bytes.
gate_body()
{
	jq -cn --argjson n "$1" "{model: \"auto\", temperature: 0.7, messages: [
	    {role: \"system\", content: \"You are a helpful assistant.\"},
	    {role: \"user\", content: (\"Tell me more, in a few words. \" *
	    ((\$n / 30 | floor) + 1))[:\$n]}]} + {${2:-}}" >"$DIR/question"
}

# gate_ask N: the question N times, one after the other, on one connection.
gate_ask()
{
	curl -sS -m 100 -o "$DIR/answer" -w '%{http_code}\n' \
	    -H 'Content-Type: application/json' \
	    -H "Authorization: Bearer $TOKEN" --data-binary "@$DIR/question" \
	    "$URL/v1/chat/completions?n=[1-$1]" >"$DIR/codes"
	[[ $(sort "$DIR/codes" | uniq -c | tr -s ' ') == " $1 200" ]] ||
	    fail "not $1 answers: $(sort "$DIR/codes" | uniq -c)
$(cat "$DIR/answer")"
}

gate_worker()
{
	pgrep -P "$RELEVO_PID" | head -n 1
}

# gate_calls N: the system calls of a responder from its start to the end of N
# requests, in CALLS all but epoll_wait: one for each chat, or two when the mock
# is slower than us. strace is there from the start, for later only root may
# look into a process that holds keys (main.c).
gate_calls()
{
	local real=$RELEVO

	command -v strace >/dev/null || fail "strace is not installed"
	rm -f "$DIR/calls"
	# -D: what is started keeps its number.
	printf '#!/bin/sh\nexec strace -D -qq -c -f -o %s %s "$@"\n' \
	    "'$DIR/calls'" "'$real'" >"$DIR/traced"
	chmod +x "$DIR/traced"
	RELEVO=$DIR/traced
	nginx_start keep
	gate_ask "$1"
	stop web "$WEB_PID"
	stop relevo "$RELEVO_PID"
	RELEVO=$real
	until_true 10 test -s "$DIR/calls"
	CALLS=$(($(gate_count total) - $(gate_count epoll_wait)))
}

# gate_count NAME: how often that call was made.
gate_count()
{
	awk -v name="$1" '$NF == name { n = $4 } END { print n + 0 }' \
	    "$DIR/calls"
}

# gate_spent N: the user instructions of a worker that serves N requests from
# its start to its end.
gate_spent()
{
	local worker

	nginx_start keep
	gate_ask "$1"
	worker=$(gate_worker)
	stop web "$WEB_PID"
	stop relevo "$RELEVO_PID"
	SPENT=$(awk '/^(summary|totals):/ { print $2; exit }' \
	    "$DIR/cg.$worker")
}

# gate_instructions N: those of one request, N and 2 N compared.
gate_instructions()
{
	local less real=$RELEVO

	command -v valgrind >/dev/null || fail "valgrind is not installed"
	# It complains of system calls that are younger than it is.
	STDERR_ALLOW='^--[0-9]+-- '
	# Large copies are counted by their stores, not as the one instruction a
	# byte that callgrind takes glibc's `rep movsb` for.
	printf '#!/bin/sh\n%s exec valgrind -q --tool=callgrind %s %s "$@"\n' \
	    "GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1000000000" \
	    "--callgrind-out-file='$DIR/cg.%p'" "$real" >"$DIR/spent"
	chmod +x "$DIR/spent"
	RELEVO=$DIR/spent
	gate_spent "$1"
	less=$SPENT
	gate_spent $(($1 * 2))
	RELEVO=$real
	EACH=$(((SPENT - less) / $1))
}

# within LIMIT LIMIT8 WHAT: EACH is, and not so far below that it cannot be
# true. LIMIT was measured with libcurl 7.88.1 (Debian 12), LIMIT8 with 8.14.1
# (Debian 13), which does more for each byte that it sends and receives.
within()
{
	local limit=$1

	"$RELEVO" --version | grep -q '^libcurl 7' || limit=$2
	echo "# $3: $EACH, at most $limit"
	((EACH <= limit && EACH > limit / 4)) ||
	    fail "$3: $EACH, at most $limit"
}

# With libcurl 8 it is 8 to 10: how often it reads depends on the mock.
# Two of the eight look whether the provider's connection is alive and whether
# its answer is there already (libcurl); two take the request in, for libfcgi
# reads by itself what was peeked at. The rest: the call's send and receive, the
# log's line, the answer.
@test "gate: a chat is 8 system calls, and what it waits" {
	gate_config
	gate_body 2000
	gate_calls 200
	less=$CALLS
	gate_calls 1200
	EACH=$(((CALLS - less) / 10))
	cat "$DIR/calls"
	within 840 1080 "system calls for 100 chats"
	(($(gate_count epoll_wait) <= 2 * 1200 + 60))
}

# One read of the provider's answer, one write to the web server at most; how
# many reads it takes depends on the mock, 3 when nobody disturbs it.
@test "gate: a stream of 200 chunks is passed on in few writes" {
	gate_config
	mock_script m1 tokens=200
	gate_body 2000 'stream: true'
	gate_calls 200
	cat "$DIR/calls"
	(($(gate_count sendto) <= $(gate_count recvfrom)))
	(($(gate_count sendto) < 200 * 40))
}

# libcurl and libfcgi take more than half of each (a relay with nothing else in
# it needs 97,500 and 227,000).
@test "gate: a chat is at most 165,000 instructions, libcurl 8: 182,000" {
	gate_config
	gate_body 2000
	gate_instructions 200
	within $((165000 * 105 / 100)) $((182000 * 105 / 100)) \
	    "instructions for a chat"
}

# Six for a byte; the estimate of tokens has the most of them.
# In pieces of 64 KB: with 16 there were 15.
@test "gate: a chat of 200 KB leaves in few sends" {
	local less

	gate_config
	gate_body 200000
	gate_calls 50
	less=$(gate_count sendto)
	gate_calls 150
	echo "# $((($(gate_count sendto) - less) / 100)) sends"
	(($(gate_count sendto) - less < 100 * 11))
}

@test "gate: a chat of 200 KB is at most 1,190,000, libcurl 8: 1,540,000" {
	gate_config
	gate_body 200000
	gate_instructions 40
	within $((1190000 * 105 / 100)) $((1540000 * 105 / 100)) \
	    "instructions for a chat of 200 KB"
}

@test "gate: a stream of 200 chunks is at most 346,000, libcurl 8: 415,000" {
	gate_config
	mock_script m1 tokens=200
	gate_body 2000 'stream: true'
	gate_instructions 100
	within $((346000 * 105 / 100)) $((415000 * 105 / 100)) \
	    "instructions for a stream"
}

rss()
{
	awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"
}

# It only waits: what the loader read of thirty libraries is given back.
@test "gate: the supervisor weighs less than a worker at rest" {
	gate_config
	gate_body 2000
	nginx_start keep
	gate_ask 1
	echo "# supervisor $(rss "$RELEVO_PID") kB, worker" \
	    "$(rss "$(gate_worker)") kB"
	(($(rss "$RELEVO_PID") * 3 < $(rss "$(gate_worker)") * 2))
}

rss_file()
{
	awk '$1 == "RssFile:" { print $2 }' "/proc/$1/status"
}

# Of what libraries touch while they are loaded a chat needs less than half.
@test "gate: a worker after its first chat holds 6.5 MB of files at most" {
	gate_config
	gate_body 2000
	nginx_start keep
	gate_ask 1
	echo "# $(rss_file "$(gate_worker)") kB"
	(($(rss_file "$(gate_worker)") < 6500))
}
