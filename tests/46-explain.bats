# The dry run: who would answer, who would not, why, until when.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	mock_start
	{
		config_mock p1 m1 m2
		config_mock p2 m3 | sed '/test-key-p2/a day-resets = rolling
		    s|^model .*|&\n rpd = 1|'
		printf 'route { \n max-wait = 0s \n }\n'
		printf 'alias few { \n models = {"p2/*"} \n }\n'
	} | config_write
}

teardown()
{
	stop_all
}

explain()
{
	run --separate-stderr "$RELEVO" --config "$DIR/relevo.conf" \
	    explain "$@"
}

@test "explain: GET /route, and the request goes there" {
	local told n

	lighttpd_start fcgi
	for n in 1 2 3 4 5 6; do
		req GET '/route?model=auto&tokens=100'
		http_status 200
		json '.alias == "auto" and .strategy == "round-robin" and
		    .tokens == 100 and (.order | length) == 3 and
		    .refusal == null'
		told=$(jq -r .answer.model <<<"$output")
		ask auto
		http_status 200
		[[ $(header x-relevo-provider)/$(header x-relevo-model) == \
		    "$told" ]] || fail "$n: told $told"
	done
	# Looking takes nothing.
	req GET /usage
	json '.totals.requests == 6'
}

@test "explain: POST /route takes a chat, with its needs" {
	lighttpd_start fcgi
	req POST /route -H 'Content-Type: application/json' --data-binary \
	    '{"model":"m1","messages":[{"role":"user","content":"hi"}],
	    "max_tokens":500,"tools":[{"type":"function",
	    "function":{"name":"f"}}]}'
	http_status 200
	json '.answer == null and .order[0].reason == "cannot" and
	    .refusal.status == 400 and .waitMs == null'
	req POST /route -H 'Content-Type: application/json' --data-binary \
	    '{"model":"m1","messages":[]}'
	refused 400 invalid_request messages
	req POST /route --data-binary '{}' -H 'Content-Type: text/x'
	refused 415 unsupported_media_type
	[[ $(mock_stats .total) == 0 ]]
}

@test "explain: the reason is the one that the refusal gives" {
	lighttpd_start fcgi
	ask few
	http_status 200
	req GET '/route?model=few'
	json '.order[0] | .reason == "rpd" and .open == false and .inMs > 0
	    and (.until | test("Z$")) and .inFlight == 0'
	json '.order[0].windows[] | select(.window == "rpd") | .used == 1 and
	    .remaining == 0 and .limit == 1 and .source == "config" and
	    .scope == "model"'
	json '.answer == null and .waitMs == null and
	    .refusal.code == "insufficient_quota"'
	ask few
	refused 429 insufficient_quota
	json '.error.message | test("\\(rpd\\)")'
	req GET /models
	json '.models[] | select(.id == "p2/m3") | .reason == "rpd"'
}

@test "explain: a bar, its reason and end" {
	mock_script m3 'status=500,retry-after=40' 1
	lighttpd_start fcgi
	ask few
	http_status 502
	req GET '/route?model=few'
	json '.answer == null and .refusal.status == 503 and
	    (.order[0].reason | IN("down", "capacity"))'
}

@test "explain: a bar of our own is no refusal where nothing else is open" {
	local body

	mock_script m3 status=500 1
	lighttpd_start fcgi
	body=$(chat_body few)
	# All by one curl: the bar holds for ten seconds, in which a busy
	# machine may not come to start three.
	run curl -sS -m 60 -w '%{http_code} ' -o "$DIR/failed" \
	    --json "$body" "$URL/v1/chat/completions" --next -sS -m 60 \
	    -w '%{http_code} ' -o "$DIR/told" "$URL/route?model=few" \
	    --next -sS -m 60 -w '%{http_code}' -o "$DIR/body" \
	    -D "$DIR/head" --json "$body" "$URL/v1/chat/completions"
	assert_output '502 200 200'
	output=$(<"$DIR/told")
	json '.answer.model == "p2/m3" and .refusal == null and
	    .answer.thoughBarred == .order[0].reason and
	    (.order[0] | .open == false and .inMs > 0)'
	[[ $(header x-relevo-attempts) == p2:barred+ok ]]
}

@test "explain: what is asked wrongly" {
	lighttpd_start fcgi
	req GET '/route?model=nothing'
	refused 404 model_not_found model
	req GET '/route?tokens=many'
	refused 400 invalid_request tokens
	req GET /route
	http_status 200
	json '.alias == "auto"'
	req PUT /route
	refused 405 method_not_allowed
	[[ $(header allow) == 'GET, HEAD, POST, OPTIONS' ]]
}

@test "explain: on the command line" {
	explain
	assert_success
	assert_output --partial 'auto: round-robin'
	assert_line --regexp '^ +1  p1/m1 .* open '
	explain few --json
	assert_success
	json '.answer.model == "p2/m3"'
	explain nothing
	assert_failure 1
	[[ $stderr == *'no model or alias "nothing"'* ]]
	explain --nonsense
	assert_failure 2
}
