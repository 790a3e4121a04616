# Waiting for room: the next slot is nearer than max-wait, so the request waits
# its turn, in order, over all processes, and holds nothing.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	BEGAN=${EPOCHREALTIME/./}
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

# about_in_order N: slots that come free together are taken in order, 5 ms apart;
# then the calls race: a CGI process has to connect first. So up to two places
# off, all there, and each once. (Where each has to wait for the one before it,
# the order is exact: see the second test.)
about_in_order()
{
	local i=0 n

	for n in $(served); do
		((n - i <= 2 && i - n <= 2)) || fail "$(served)"
		i=$((i + 1))
	done
	[[ $(served | tr ' ' '\n' | sort -u | wc -l) == "$1" ]] ||
	    fail "$(served)"
}

# The first answer says when: everybody is shut out, until all can be in line
# even on a machine that is as busy as the start of the servers says.
shut()
{
	local seconds=$((4 + (${EPOCHREALTIME/./} - BEGAN) / 250000))

	((seconds < 50)) || seconds=50
	mock_script m1 "status=429,retry-after=$seconds" 1
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
	config_one ''
	both_start
	shut
	queue 10 "$FCGI_URL" "$CGI_URL"
	all_done 10
	about_in_order 10
	waiting 0
}

@test "waiting: one at a time, each when the one before it has ended" {
	config_one '\n concurrency = 1'
	both_start
	mock_script m1 gate=g 1
	STREAM=s0 ASK_URL=$FCGI_URL stream_open m1
	mock_wait m1 requests 1
	queue 8 "$CGI_URL" "$FCGI_URL"
	mock_gate g 9
	STREAM=s0 stream_wait
	all_done 8
	run served
	assert_output '0 1 2 3 4 5 6 7'
	[[ $(mock_stats .models.m1.peak) == 1 ]]
}

@test "waiting: a killed waiter is passed over" {
	local pid

	config_one ''
	both_start
	shut
	queue 4 "$FCGI_URL" "$FCGI_URL" "$FCGI_URL" "$CGI_URL"
	# The third is the only CGI process.
	pid=$(pgrep -P "$WEB_PID")
	kill -KILL "$pid"
	STREAM=s3 stream_wait
	all_done 4
	run served
	assert_output '0 1 3'
	until_true 3 waiting 0
}

@test "waiting: who leaves gives up its place" {
	config_one ''
	# nginx tells at once that a client left.
	nginx_start
	FCGI_URL=$URL
	shut
	queue 3 "$URL"
	STREAM=s1 stream_close
	until_true 5 waiting 2
	all_done 3
	run served
	assert_output '0 1'
}

@test "waiting: not longer than max-wait, refused at once" {
	# Who waited would not be back before req gives up, after 30 s.
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

	config_one '\n rpm = 5' 'max-wait = 90s'
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
	about_in_order 5
	# Not before, and not a minute later.
	((SECONDS - began >= 59 && SECONDS - began <= 100))
}
