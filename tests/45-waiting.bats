# Waiting for room: the next slot is nearer than max-wait, so the request waits
# its turn, in order, over all processes, and holds nothing.

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

# config_one LIMITS [ROUTE]: one model that runs out.
config_one()
{
	config_mock p1 m1 | sed "s|^model .*|& $1|" | {
		cat
		printf 'route {\n%s\n}\n' "${2:-max-wait = 1m}"
	} | config_write 'workers = 2'
}

# In line, as every process sees it.
waiting()
{
	curl -s "$FCGI_URL/health" | jq -e --argjson n "$1" \
	    '.waiting == $n' >/dev/null
}

# queue N URL...: N requests come one after the other to each URL in turn, each
# once the one before it stands in line; the body's length is its number.
queue()
{
	local n=$1 i urls

	shift
	urls=("$@")
	for ((i = 1; i <= n; i++)); do
		STREAM=s$i ASK_URL=${urls[i % ${#urls[@]}]} stream_open m1 \
		    "user: \"$(printf "%0${i}d" 0)\"" -m 120
		until_true 10 waiting "$i" || fail "$i is not in line:
$(curl -s "$FCGI_URL/health") $(cat "$DIR/s$i.out")"
	done
}

# served: the numbers, in the order in which the mock saw them.
served()
{
	local base

	# The first request's body has no "user".
	base=$(mock_log m1 | jq -s '.[0].body')
	mock_log m1 | jq -rs --argjson base "$base" 'map(.body - $base) |
	    map(select(. > 0)) | min as $first | map(. - $first) |
	    map(tostring) | join(" ")'
}

# in_order N: all of them, each once, as they stood in line. Only where each has
# to wait for the end of the one before it: calls that may begin together race.
in_order()
{
	run served
	assert_output "$(seq -s ' ' 0 $(($1 - 1)))"
}

# The one slot that there is is taken, until mock_gate g 9.
busy()
{
	mock_script m1 gate=g 1
	STREAM=s0 ASK_URL=$FCGI_URL stream_open m1
	mock_wait m1 requests 1
}

# The first answer says when: everybody is shut out, until all can be in line
# even on a busy machine, where each curl takes seconds to start.
shut()
{
	mock_script m1 status=429,retry-after=45 1
	ask m1 'stream: true' -H 'X-Relevo-Max-Wait: 0'
	refused 429 rate_limit_exceeded
}

all_done()
{
	local i

	for ((i = 1; i <= $1; i++)); do
		[[ -e $DIR/s$i.stream ]] || continue
		STREAM=s$i stream_wait
		[[ $output == *'[DONE]'* ]] || fail "$i: $output"
	done
}

@test "waiting: in order of arrival, workers and CGI mixed" {
	config_one '\n concurrency = 1' 'max-wait = 2m'
	both_start
	shut
	queue 6 "$FCGI_URL" "$CGI_URL"
	all_done 6
	in_order 6
	waiting 0
}

@test "waiting: one at a time, each when the one before it has ended" {
	config_one '\n concurrency = 1'
	both_start
	busy
	queue 8 "$CGI_URL" "$FCGI_URL"
	mock_gate g 9
	STREAM=s0 stream_wait
	all_done 8
	in_order 8
	[[ $(mock_stats .models.m1.peak) == 1 ]]
}

@test "waiting: a killed waiter is passed over" {
	local pid

	config_one '\n concurrency = 1'
	both_start
	busy
	queue 4 "$FCGI_URL" "$FCGI_URL" "$FCGI_URL" "$CGI_URL"
	# The third is the only CGI process.
	pid=$(pgrep -P "$WEB_PID")
	kill -KILL "$pid"
	STREAM=s3 stream_wait
	mock_gate g 9
	STREAM=s0 stream_wait
	all_done 4
	run served
	assert_output '0 1 3'
	until_true 3 waiting 0
}

@test "waiting: who leaves gives up its place" {
	config_one '\n concurrency = 1'
	# nginx tells at once that a client left.
	nginx_start
	FCGI_URL=$URL
	busy
	queue 3 "$URL"
	STREAM=s1 stream_close
	until_true 5 waiting 2
	mock_gate g 9
	STREAM=s0 stream_wait
	all_done 3
	run served
	assert_output '0 1'
}

@test "waiting: not longer than max-wait, refused at once" {
	config_one '\n rpm = 1' 'max-wait = 40s'
	lighttpd_start fcgi
	ask m1
	http_status 200
	ask m1
	refused 429 rate_limit_exceeded
	[[ $(header retry-after) -gt 40 && $(header retry-after) -le 61 ]]
	[[ $(header retry-after-ms) -gt 40000 ]]
	json '.error.message | test("rpm") and test("try again in [456].s")'
	[[ $(mock_stats .total) == 1 ]]
}

@test "waiting: only the day's reset helps" {
	config_one '\n rpd = 1'
	sed -i '/test-key-p1/a day-resets = rolling' "$DIR/relevo.conf"
	lighttpd_start fcgi
	ask m1
	http_status 200
	ask m1
	refused 429 insufficient_quota
	[[ $(header x-should-retry) == false ]]
	json '.error.message | test("will reset at 20..-..-..T..:..:..Z")'
	[[ $(header retry-after) -gt 0 ]]
}

@test "waiting: a minute's slots, exactly" {
	local began

	config_one '\n rpm = 5 \n concurrency = 1' 'max-wait = 90s'
	both_start
	began=$SECONDS
	for _ in 1 2 3 4 5; do
		ask m1
		http_status 200
	done
	queue 5 "$FCGI_URL" "$CGI_URL"
	# Long enough for an idle connection to be cut on its way.
	STREAM=s1 stream_until ': keepalive'
	all_done 5
	in_order 5
	# Not before, and not a minute later.
	((SECONDS - began >= 59 && SECONDS - began <= 100))
}
