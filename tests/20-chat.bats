# A chat from question to last byte, when nothing goes wrong.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	mock_start
	{
		config_mock p1 m1
		config_mock p2 m2 org/m3
	} | config_write
}

teardown()
{
	stop_all
}

five='w1 w2 w3 w4 w5 '

# -- /chat --------------------------------------------------------------------

@test "chat: events by default, one role, one finish, [DONE] last" {
	lighttpd_start fcgi
	chat
	http_status 200
	[[ $(header content-type) == text/event-stream* ]]
	[[ $(header cache-control) == *no-cache* ]]
	[[ $(sse_text) == "$five" ]]
	stream_whole
	[[ $(tail -c 16 "$DIR/body" | od -An -c | tr -d ' \n') == \
	    '\n\ndata:[DONE]\n\n' ]]
}

@test "chat: the first event and the head tell who answers" {
	lighttpd_start fcgi
	chat
	[[ $(header x-relevo-provider) == p1 ]]
	[[ $(header x-relevo-model) == m1 ]]
	[[ $(header x-relevo-attempts) == p1:ok ]]
	[[ $(header x-request-id) == req_* ]]
	[[ $(events | head -n 1 | jq -c .relevo) == \
	    '{"provider":"p1","model":"m1","attempts":"p1:ok"}' ]]
	[[ $(events | grep -c '"relevo"') == 1 ]]
}

@test "chat: Accept: text/plain gives the bare text" {
	lighttpd_start fcgi
	chat '' -H 'Accept: text/plain'
	http_status 200
	[[ $(header content-type) == 'text/plain; charset=utf-8' ]]
	[[ $output == "$five" ]]
	[[ $(header x-relevo-provider) == p1 ]]
	chat '' -H 'Accept: text/plain;q=0.5, text/event-stream'
	[[ $(header content-type) == text/event-stream ]]
	chat '' -H 'Accept: */*'
	[[ $(header content-type) == text/event-stream ]]
	ask m1 '' -H 'Accept: text/plain'
	[[ $(header content-type) == application/json ]]
}

@test "chat: chat-format = text makes the bare text the default" {
	config_mock p1 m1 | config_write 'chat-format = text'
	lighttpd_start fcgi
	chat
	[[ $output == "$five" ]]
	[[ $(header content-type) == text/plain* ]]
	chat '' -H 'Accept: text/event-stream'
	stream_whole
	chat 'stream: false'
	json '.choices[0].message.content == $t' --arg t "$five"
	# The other route is OpenAI's, whatever the config says.
	ask m1 'stream: true'
	stream_whole
}

@test "chat: \"stream\": false gives one object, with who answered" {
	lighttpd_start fcgi
	chat 'stream: false'
	http_status 200
	[[ $(header content-type) == application/json ]]
	json '.object == "chat.completion" and .relevo.provider == "p1" and
	    .choices[0].message.content == $t' --arg t "$five"
	json '.usage.completion_tokens == 5'
	[[ $(mock_body m1 | jq .stream) == false ]]
	chat 'stream: false' -H 'Accept: text/plain'
	json '.object == "chat.completion"'
}

@test "chat: text keeps UTF-8, reasoning and tools are not text" {
	lighttpd_start fcgi
	mock_script m1 \
	    'text=Hola+se%C3%B1or%2C+%F0%9F%9A%80,split=1,reasoning=3'
	chat 'model: "m1"' -H 'Accept: text/plain'
	[[ $output == 'Hola señor, 🚀' ]]
	chat 'model: "m1"'
	[[ $(sse_text) == 'Hola señor, 🚀' ]]
}

# -- OpenAI's dialect ---------------------------------------------------------

@test "openai: both ways, under every prefix that SDKs use" {
	local prefix

	lighttpd_start fcgi
	for prefix in '' /openai /api; do
		ASK_URL=$URL$prefix
		ask m1
		http_status 200
		json '.object == "chat.completion" and (has("relevo") | not)
		    and .choices[0].message.content == $t' --arg t "$five"
		ask m1 'stream: true'
		http_status 200
		stream_whole
		[[ $(sse_text) == "$five" ]]
		run ! grep -q '"relevo"' "$DIR/body"
	done
}

@test "openai: the usage chunk comes only if asked for" {
	lighttpd_start fcgi
	ask m1 'stream: true'
	run ! grep -q '"usage"' "$DIR/body"
	[[ $(mock_body m1 | jq .stream_options.include_usage) == true ]]
	ask m1 'stream: true, stream_options: {include_usage: true}'
	stream_whole
	[[ $(events | tail -n 1 | jq -c '[.choices, .usage.prompt_tokens,
	    .usage.completion_tokens]') == '[[],7,5]' ]]
	[[ $(grep -c '"usage":{' "$DIR/body") == 1 ]]
	ask m1 'stream: true, stream_options: {include_usage: false}'
	run ! grep -q '"usage":{' "$DIR/body"
	[[ $(mock_body m1 | jq .stream_options.include_usage) == true ]]
	# Not asked of a provider when there is no stream.
	ask m1
	[[ $(mock_body m1 | jq 'has("stream_options")') == false ]]
	mock_script m1 nousage
	ask m1 'stream: true, stream_options: {include_usage: true}'
	stream_whole
}

@test "openai: tool calls pass, streamed and not" {
	lighttpd_start fcgi
	mock_script m1 tools=2
	ask m1 'stream: true'
	stream_whole
	[[ $(events | jq -rj '.choices[0].delta.tool_calls[]? |
	    select(.index == 1) | .function.arguments? // empty' |
	    jq -r .city) == Oslo ]]
	[[ $(events | jq -r '.choices[0].finish_reason // empty') == \
	    tool_calls ]]
	ask m1
	json '.choices[0].message.tool_calls | length == 2'
	json '.choices[0].finish_reason == "tool_calls"'
}

@test "openai: reasoning passes under the name that the provider uses" {
	local key

	lighttpd_start fcgi
	for key in reasoning_content reasoning; do
		mock_script m1 "reasoning=2,rkey=$key"
		ask m1 'stream: true'
		stream_whole
		[[ $(events | jq -rj ".choices[0].delta.$key // empty") == \
		    'r1 r2 ' ]]
		[[ $(sse_text) == "$five" ]]
	done
}

@test "openai: every event comes as the provider sent it" {
	lighttpd_start fcgi
	ask m1 'stream: true, stream_options: {include_usage: true}'
	events >"$DIR/through"
	ASK_URL=$MOCK_URL ask m1 \
	    'stream: true, stream_options: {include_usage: true}'
	events >"$DIR/direct"
	sed -i 's/mock-[0-9]*/ID/; s/"created":[0-9]*/T/' "$DIR/through" \
	    "$DIR/direct"
	diff "$DIR/direct" "$DIR/through"
}

@test "openai: any framing and any cut of events give the same answer" {
	local how plain

	lighttpd_start fcgi
	ask m1 'stream: true'
	plain=$(events | sed 's/mock-[0-9]*//; s/"created":[0-9]*//')
	for how in crlf cr nospace bom fields multiline split=1 split=7 \
	    splitat=200 nochunk comments=no,precomments=3; do
		mock_script m1 "$how"
		ask m1 'stream: true'
		stream_whole
		[[ $(sse_text) == "$five" ]] || fail "$how: $output"
		[[ $how == multiline ]] ||
		    [[ $(events | sed 's/mock-[0-9]*//
			s/"created":[0-9]*//') == "$plain" ]] ||
		    fail "$how: $output"
		run ! grep -q MOCK "$DIR/body"
	done
}

@test "openai: an event of 500 KB passes" {
	lighttpd_start fcgi
	mock_script m1 bigline=500000
	ask m1 'stream: true'
	stream_whole
	[[ $(sse_text | tr -dc x | wc -c) == 500000 ]]
}

# -- What reaches the provider ------------------------------------------------

@test "upstream: members we do not know arrive byte for byte" {
	local odd part

	lighttpd_start fcgi
	odd='{"a_b" : [1, 2.50,1e3 ,"\u00e9\n\/"],"model":"m1" ,
	"messages":[{"role":"user","content":"\ud83d\ude80 hi\t"}],
	"metadata":{"model":"keep","stream":true},"top_k":40.0 }'
	req POST /v1/chat/completions -H 'Content-Type: application/json' \
	    --data-binary "$odd"
	http_status 200
	mock_body m1 >"$DIR/seen"
	for part in '"a_b" : [1, 2.50,1e3 ,"\u00e9\n\/"]' \
	    '"content":"\ud83d\ude80 hi\t"' \
	    '"metadata":{"model":"keep","stream":true},"top_k":40.0'; do
		grep -qF -- "$part" "$DIR/seen" || fail "lost: $part
$(cat "$DIR/seen")"
	done
	[[ $(jq -c '[.model, .metadata.model]' "$DIR/seen") == \
	    '["m1","keep"]' ]]
}

@test "upstream: the model is named as the provider knows it" {
	lighttpd_start fcgi
	ask p2/org/m3
	http_status 200
	[[ $(mock_body org/m3 | jq -r .model) == org/m3 ]]
	chat 'stream: false'
	[[ $(mock_stats '[.models[].requests] | add') == 2 ]]
}

@test "upstream: our key goes out, the client's token and headers do not" {
	lighttpd_start fcgi
	ask m1 '' -H 'Authorization: Bearer rlv-client-secret-1' \
	    -H 'Cookie: a=b' -H 'X-Forwarded-For: 1.2.3.4'
	http_status 200
	mock_last m1 >"$DIR/mock.seen"
	grep -qi '^Authorization: Bearer test-key-p1' "$DIR/mock.seen"
	grep -qi '^Content-Type: application/json' "$DIR/mock.seen"
	run ! grep -qiE 'client-secret|^cookie|forwarded|^expect' "$DIR/mock.seen"
}

# -- As it is made ------------------------------------------------------------

# The mock holds chunk n + 1 back until chunk n was seen at the client: so no
# hop between waits for more.
arrives()
{
	local n

	mock_script m1 tokens=4,gate=g
	stream_open m1
	for n in 1 2 3 4; do
		run ! grep -qF "w$n " "$DIR/stream.out"
		mock_gate g "$n"
		stream_until "w$n "
	done
	stream_wait
	[[ $status == 0 ]]
	stream_whole "$DIR/stream.out"
}

@test "stream: each chunk arrives before the next is made: lighttpd fcgi" {
	lighttpd_start fcgi
	arrives
}

@test "stream: each chunk arrives before the next is made: socket" {
	lighttpd_start socket
	arrives
}

@test "stream: each chunk arrives before the next is made: cgi" {
	lighttpd_start cgi
	arrives
}

@test "stream: each chunk arrives before the next is made: nginx" {
	nginx_start
	arrives
}

@test "stream: each chunk arrives before the next is made: nginx keep" {
	nginx_start keep
	arrives
}

@test "stream: bare text arrives as it is made" {
	lighttpd_start fcgi
	mock_script m1 tokens=3,gate=g
	ASK_PATH=/chat stream_open m1 '' -H 'Accept: text/plain'
	mock_gate g 1
	stream_until 'w1 '
	mock_gate g 2
	stream_until 'w2 '
	mock_gate g 3
	stream_wait
	[[ $status == 0 && $output == 'w1 w2 w3 ' ]]
}

# -- Which model --------------------------------------------------------------

@test "model: a bare id, provider/id, an alias, auto, none" {
	{
		config_mock p1 m1
		config_mock p2 m2 org/m3
		echo 'alias fast { models = {"p2/*"} }'
	} | config_write
	lighttpd_start fcgi
	for name in m2 p2/m2; do
		ask "$name"
		http_status 200
		[[ $(header x-relevo-provider) == p2 ]]
		[[ $(header x-relevo-model) == m2 ]]
	done
	mock_reset
	for name in fast fast; do
		ask "$name"
		[[ $(header x-relevo-provider) == p2 ]]
	done
	[[ $(mock_stats '.models.m2.requests') == 1 ]]
	mock_reset
	for name in auto auto auto; do
		ask "$name"
		http_status 200
	done
	[[ $(mock_stats '[.models[].requests] | @csv') == 1,1,1 ]]
	ask ''
	http_status 200
	chat
	http_status 200
}

@test "model: a retired name still answers, and the log warns" {
	{
		config_mock p1 m1
		echo 'alias old-name { models = {"p1/m1"} retired = yes }'
	} | config_write
	lighttpd_start fcgi
	ask old-name
	http_status 200
	[[ $(header x-relevo-model) == m1 ]]
	until_true 5 grep -q '"event":"retired_model"' "$DIR/relevo.err"
	grep '"event":"retired_model"' "$DIR/relevo.err" |
	    jq -e '.level == "warn" and (.message | test("old-name"))'
	req GET /v1/models
	json '[.data[].id] | index("old-name") == null'
}

@test "model: an unknown one is a 404 that names the list" {
	lighttpd_start fcgi
	ask nosuch/model
	refused 404 model_not_found model
	json '.error.message | test("nosuch/model") and test("/models")'
	chat 'model: "p1/m2"'
	refused 404 model_not_found model
	[[ $(mock_stats .total) == 0 ]]
}

# -- Large questions ----------------------------------------------------------

# Bytes of every kind that a body may have, in random order.
large()
{
	{
		printf '{"model":"m1","messages":[{"role":"user","content":"'
		head -c "$1" /dev/urandom | base64 -w 0
		printf '"}],"tail":"end"}'
	} >"$DIR/q"
	req POST /v1/chat/completions -H 'Content-Type: application/json' \
	    --data-binary "@$DIR/q"
	http_status 200
	mock_body m1 >"$DIR/seen"
	jq -r '.messages[0].content' "$DIR/q" >"$DIR/a"
	jq -r '.messages[0].content' "$DIR/seen" >"$DIR/b"
	cmp "$DIR/a" "$DIR/b"
	[[ $(jq -r .tail "$DIR/seen") == end ]]
}

sizes()
{
	large 150000
	large 750000
	large 5200000
}

@test "large: 200 KB, 1 MB and 7 MB arrive whole: nginx" {
	nginx_start
	sizes
}

@test "large: 200 KB, 1 MB and 7 MB arrive whole: nginx keep" {
	nginx_start keep
	sizes
	ask m1
	http_status 200
}

@test "large: 200 KB, 1 MB and 7 MB arrive whole: lighttpd fcgi" {
	lighttpd_start fcgi
	sizes
}

@test "large: 200 KB, 1 MB and 7 MB arrive whole: cgi" {
	lighttpd_start cgi
	sizes
}
