# The routes, their shapes, their refusals, and who may use them.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	mock_start
	{
		config_mock p1 m1
		cat <<-'END'
		model p1/org/m2 {
			title = "Model Two"
			rpm = 30   tpd = 9000   concurrency = 4
			context = 8192   output = 1024
			can = {tools, json}
		}
		provider dark {
			url = https://dark.example/v1
			key = ${RELEVO_NO_SUCH_KEY}
		}
		model dark/m9 { }
		END
	} | config_write
}

teardown()
{
	stop_all
}

# -- Shapes -------------------------------------------------------------------

@test "/: what it is, and the models that are on" {
	lighttpd_start fcgi
	req GET /
	http_status 200
	[[ $(header content-type) == application/json ]]
	json 'keys == ["message", "models", "status"]'
	json '.status == "ok" and .message == "AI API running"'
	json '.models == [
	    {id: "p1/m1", provider: "p1", name: "m1"},
	    {id: "p1/org/m2", provider: "p1", name: "Model Two"}]'
}

@test "/models: every documented field, with and without limits" {
	lighttpd_start fcgi
	req GET /models
	http_status 200
	[[ $(header content-type) == application/json ]]
	json '[.models[].id] == ["p1/m1", "p1/org/m2", "dark/m9"]'
	json '.models[] | (.id | type) == "string" and
	    (.provider | type) == "string" and (.name | type) == "string" and
	    (.available | type) == "boolean" and has("reason") and
	    (.configuredLimits | type) == "object" and
	    (.rateLimit | keys_unsorted | contains(["remainingRequests",
	        "remainingTokens", "limitRequests", "limitTokens",
	        "resetInfo", "lastUpdated"]))'
	json '.models[0] | .available == true and .reason == null and
	    .configuredLimits == {} and .rateLimit.limitRequests == null and
	    .rateLimit.remainingRequests == null and .context == null'
	json '.models[1] | .name == "Model Two" and .model == "org/m2" and
	    .configuredLimits == {rpm: 30, tpd: 9000, concurrency: 4} and
	    .can == ["tools", "json"] and .context == 8192 and
	    .output == 1024 and .keys == 1'
	json '.models[1].rateLimit | .limitRequests == 30 and
	    .remainingRequests == 30 and .limitTokens == 9000 and
	    .remainingTokens == 9000'
	json '.models[2] | .available == false and .keys == 0 and
	    (.reason | test("RELEVO_NO_SUCH_KEY"))'
}

@test "/models: the counts follow the requests" {
	lighttpd_start fcgi
	same_hour 30
	ask p1/org/m2
	ask p1/org/m2
	req GET /models
	json '.models[1].rateLimit | .remainingRequests == 28 and
	    .remainingTokens == 9000 - 2 * 12 and
	    (.lastUpdated | test("^20[0-9-]+T[0-9:]+Z$")) and
	    (.resetInfo.requests | test("Z$"))'
	json '.models[0].rateLimit.lastUpdated == null'
}

@test "/usage: every documented field, and the figures of two requests" {
	lighttpd_start fcgi
	same_hour 30
	ask p1/org/m2
	ask p1/org/m2
	req GET /usage
	http_status 200
	json '[.usage[].modelId] == ["p1/m1", "p1/org/m2"]'
	json '.usage[] | .provider == "p1" and (.name | type) == "string" and
	    (.rateLimit | has("remainingRequests") and has("resetInfo")) and
	    (.remaining | keys == ["requests", "requestsResetAt", "tokens",
	        "tokensResetAt"]) and
	    (.localStats | keys_unsorted | contains(["provider",
	        "requestsToday", "tokensToday", "dayStart", "requests",
	        "tokens", "failures"])) and (.windows | type) == "array"'
	json '.usage[1].localStats | .provider == "p1" and .requests == 2 and
	    .requestsToday == 2 and .tokens == 24 and .tokensToday == 24 and
	    .failures == 0 and .inFlight == 0 and
	    (.dayStart | test("T00:00:00Z$"))'
	json '.usage[1].remaining | .requests == 28 and .tokens == 8976'
	json '.usage[1].windows | map(.window) |
	    contains(["rpm", "tpd", "concurrency"])'
	json '.usage[1].windows[] | select(.window == "rpm") |
	    .used == 2 and .limit == 30 and .remaining == 28 and
	    .reserved == 0 and .source == "config" and has("resetAt")'
	json '.totals | .requests == 2 and .tokens == 24 and .failures == 0
	    and .inFlight == 0 and .requestsToday == 2 and .tokensToday == 24'
	json '.clients == [] and .state == "ok" and .accounts[0].name == "p1"'
	json '.accounts[0].localStats.requests == 2'
}

@test "/usage?history=1: by hour and by day, zeros between, the present last" {
	lighttpd_start fcgi
	ask p1/org/m2
	mock_script m1 status=500
	ask m1
	req GET /usage
	json 'has("history") | not'
	req GET '/usage?history=0'
	json 'has("history") | not'
	req GET '/usage?history=1'
	http_status 200
	json '.history | keys == ["days", "hours"] and
	    (.hours | length) == 48 and (.days | length) == 62'
	json '.history[][] | keys == ["at", "failures", "fallbacks",
	    "requests", "tokens"] and (.at | test("^20.*:00:00Z$"))'
	json '[.history.days[].at | fromdate] |
	    [.[1:], .[:-1]] | transpose | all(.[0] - .[1] == 86400)'
	json '[.history.hours[].at | fromdate] |
	    [.[1:], .[:-1]] | transpose | all(.[0] - .[1] == 3600)'
	json '.now as $now | .history |
	    ($now | fromdate) - (.hours[-1].at | fromdate) | . >= 0 and
	    . < 3600'
	json '(.now | fromdate) - (.history.days[-1].at | fromdate) |
	    . >= 0 and . < 86400'
	json '.totals as $t | .history | .hours, .days |
	    (map(.requests) | add) == $t.requests and
	    (map(.tokens) | add) == $t.tokens and
	    (map(.failures) | add) == 1 and .[0].requests == 0'
	"$RELEVO" --config "$DIR/relevo.conf" usage --json >"$DIR/json"
	jq -e 'has("history") | not' "$DIR/json"
}

# usage_same TAG: GET /usage?history=1 with it is 304, with all of its head and
# no body.
usage_same()
{
	req GET '/usage?history=1' -H "If-None-Match: $1" \
	    -H 'Origin: https://a.example'
	http_status 304
	[[ ! -s $DIR/body ]]
	[[ $(header etag) == "$tag" ]]
	[[ $(header x-request-id) == req_* ]]
	[[ $(header cache-control) == no-store ]]
	[[ $(header vary) == *Origin* ]]
	[[ $(header access-control-allow-origin) == https://a.example ]]
	[[ $(header access-control-expose-headers) == *ETag* ]]
	run ! header content-type
}

usage_tags()
{
	local tag other

	same_hour 50
	ask m1
	req GET '/usage?history=1'
	http_status 200
	tag=$(header etag)
	[[ $tag =~ ^W/\"[0-9a-f]{16}\"$ ]]
	# the clock alone changes nothing, not even of a rolling day
	sleep 1.1
	for list in "$tag" "${tag#W/}" "\"a,b\", $tag" "W/\"x\" ,$tag" '*'; do
		usage_same "$list"
	done
	for list in '"x"' "x, $tag" "${tag%?}" "\"$tag\""; do
		req GET '/usage?history=1' -H "If-None-Match: $list"
		http_status 200
		[[ $(header etag) == "$tag" ]]
		json '.history.days[-1].requests == 1'
	done
	req HEAD '/usage?history=1' -I -H "If-None-Match: $tag"
	http_status 304
	# what is said is another thing without the history, and after a use
	req GET /usage -H "If-None-Match: $tag"
	http_status 200
	other=$(header etag)
	[[ $other == W/* && $other != "$tag" ]]
	ask m1
	req GET '/usage?history=1' -H "If-None-Match: $tag"
	http_status 200
	[[ $(header etag) != "$tag" ]]
	json '.history.days[-1].requests == 2'
	# nothing else has one
	req GET /models -H 'If-None-Match: *'
	http_status 200
	run ! header etag
}

tags_config()
{
	config_mock p1 m1 | sed 's/^provider p1 {/&\n\tday-resets = rolling/' |
	    config_write 'allowed-origins = {"https://a.example"}'
}

@test "/usage: an ETag; 304 while nothing changed, lighttpd fcgi" {
	tags_config
	lighttpd_start fcgi
	usage_tags
}

@test "/usage: an ETag; 304 while nothing changed, nginx keep" {
	tags_config
	nginx_start keep
	usage_tags
}

@test "/usage: an ETag; 304 while nothing changed, cgi" {
	tags_config
	lighttpd_start cgi
	usage_tags
}

@test "/usage: a failure counts as one, a stream in flight as that" {
	lighttpd_start fcgi
	mock_script m1 status=500
	ask m1
	req GET /usage
	json '.usage[0].localStats.failures == 1 and .totals.failures == 1'
	mock_script org/m2 silence=1
	stream_open p1/org/m2
	stream_until 'w1 '
	req GET /usage
	json '.usage[1].localStats.inFlight == 1 and .totals.inFlight == 1'
	stream_close
	mock_wait org/m2 aborted 1
}

@test "/health: open, alive and ready" {
	lighttpd_start fcgi
	req GET /health
	http_status 200
	json '.status == "ok" and .ready == true and .state == "ok" and
	    .streams == 0 and .models == 2 and .demo == false'
}

@test "/v1/models: OpenAI's list, and one by its id, slashes in it" {
	local prefix

	lighttpd_start fcgi
	for prefix in '' /openai /api; do
		req GET "$prefix/v1/models"
		http_status 200
		json '.object == "list" and (.data | map(.object == "model" and
		    (.created | type) == "number" and
		    (.owned_by | type) == "string") | all)'
		json '[.data[].id] | contains(["p1/m1", "p1/org/m2"])'
		req GET "$prefix/v1/models/p1/org/m2"
		http_status 200
		json '.id == "p1/org/m2" and .object == "model"'
	done
	req GET /v1/models/p1%2Forg%2Fm2
	json '.id == "p1/org/m2"'
	req GET /v1/models/none
	refused 404 model_not_found model
}

# -- Refusals -----------------------------------------------------------------

@test "refusals: an unknown path is 404, a wrong method 405 with Allow" {
	nginx_start
	req GET /v1/nothing
	refused 404 unknown_url
	req GET /chat/now
	refused 404 unknown_url
	# An SDK whose base URL lacks its /v1.
	req POST /chat/completions -H 'Content-Type: application/json' \
	    -d "$(chat_body m1)"
	refused 404 unknown_url
	json '.error.message | test("base URL ends in /v1")'
	req GET /chat
	refused 405 method_not_allowed
	[[ $(header allow) == 'POST, OPTIONS' ]]
	req DELETE /models
	refused 405 method_not_allowed
	[[ $(header allow) == 'GET, HEAD, OPTIONS' ]]
	req POST /usage -d '{}'
	refused 405 method_not_allowed
	req PATCH /v1/chat/completions -d '{}'
	refused 405 method_not_allowed
	req GET /v1/chat/completions
	refused 405 method_not_allowed
	req POST /v1/models -d '{}'
	refused 405 method_not_allowed
}

# bad BODY CODE [PARAM [TEXT]]
bad()
{
	req POST /chat -H 'Content-Type: application/json' --data-binary "$1"
	refused 400 "$2" "${3:-}"
	[[ -z ${4:-} ]] || json '.error.message | test($t)' --arg t "$4"
}

@test "refusals: what is not JSON, with the place where it goes wrong" {
	lighttpd_start fcgi
	bad '{"messages":[{"role":"user",}]}' invalid_json '' 'byte 28'
	bad '' invalid_json
	bad '{"a":[]' invalid_json '' 'byte 7'
	bad '{"a":01}' invalid_json '' 'byte 5'
	bad '{"a":"'$'\x01''"}' invalid_json
	bad '{"a":"'$'\xff''"}' invalid_json
	bad '{} x' invalid_json
	bad "{\"a\":$(printf '[%.0s' {1..5000})" invalid_json
	[[ $(mock_stats .total) == 0 ]]
}

@test "refusals: what is wrong in a question, by the member's name" {
	local ok='[{"role":"user","content":"x"}]'

	lighttpd_start fcgi
	bad '{}' invalid_request messages
	bad '[]' invalid_request
	bad '"x"' invalid_request
	bad '{"messages":"x"}' invalid_request messages
	bad '{"messages":[]}' invalid_request messages
	bad '{"messages":["x"]}' invalid_request messages 'messages.0.'
	bad '{"messages":[{"role":"user"}]}' invalid_request messages content
	bad '{"messages":[{"content":"x"}]}' invalid_request messages role
	bad '{"messages":[{"role":"king","content":"x"}]}' invalid_request \
	    messages role
	bad '{"messages":[{"role":"user","content":7}]}' invalid_request \
	    messages content
	bad "{\"messages\":$ok,\"model\":7}" invalid_request model
	bad "{\"messages\":$ok,\"stream\":\"yes\"}" invalid_request stream
	bad "{\"messages\":$ok,\"stream_options\":1}" invalid_request \
	    stream_options
	bad "{\"messages\":$ok,\"max_tokens\":-1}" invalid_request max_tokens
	bad "{\"messages\":$ok,\"n\":0}" invalid_request n
	bad "{\"messages\":$ok,\"messages\":$ok}" invalid_request '' twice
	[[ $(mock_stats .total) == 0 ]]
}

@test "refusals: another Content-Type is 415; +json and charset are JSON" {
	local body type

	lighttpd_start fcgi
	body=$(chat_body m1)
	for type in text/plain application/x-www-form-urlencoded \
	    application/jsonx json ''; do
		req POST /chat -H "Content-Type:${type:+ $type}" \
		    --data-binary "$body"
		refused 415 unsupported_media_type
	done
	for type in 'application/json; charset=utf-8' Application/JSON \
	    application/vnd.api+json; do
		req POST /chat -H "Content-Type: $type" --data-binary "$body"
		http_status 200
	done
}

too_large()
{
	head -c 300000 /dev/zero | tr '\0' a >"$DIR/big"
	for file in "$DIR/big" "$DIR/big2"; do
		req POST /chat -H 'Content-Type: application/json' \
		    -H 'Expect:' --data-binary "@$file"
		refused 413 body_too_large
		json '.error.message | test("4096")'
		head -c 4097 "$DIR/big" >"$DIR/big2"
	done
	ask m1
	http_status 200
	[[ $(mock_stats .total) == 1 ]]
}

@test "refusals: a body over max-body is 413, lighttpd fcgi" {
	config_mock p1 m1 | config_write 'max-body = 4K'
	lighttpd_start fcgi
	too_large
}

@test "refusals: a body over max-body is 413, nginx keep" {
	config_mock p1 m1 | config_write 'max-body = 4K'
	nginx_start keep
	too_large
}

@test "refusals: a body over max-body is 413, cgi" {
	config_mock p1 m1 | config_write 'max-body = 4K'
	lighttpd_start cgi
	too_large
}

@test "refusals: one header in two spellings is 400" {
	lighttpd_start fcgi
	req GET /models -H 'X-Api-Key: a' -H 'X_Api_Key: b'
	refused 400 duplicate_header
	ask m1 '' -H 'X-Api-Key: a' -H 'X_Api_Key: b'
	refused 400 duplicate_header
	[[ $(mock_stats .total) == 0 ]]
	ask m1 '' -H 'X-Api-Key: a'
	http_status 200
}

@test "refusals: the id in the answer is the log line's" {
	local id

	lighttpd_start fcgi
	req GET /chat
	id=$(header x-request-id)
	[[ $id =~ ^req_[a-z2-7]{16}$ ]]
	until_true 5 grep -qF "$id" "$DIR/relevo.err"
	grep -F "$id" "$DIR/relevo.err" | jq -e '.event == "request" and
	    .status == 405 and .code == "method_not_allowed"'
	req GET /models
	[[ $(header x-request-id) != "$id" ]]
}

@test "every answer has an id of its own and is not to be cached" {
	lighttpd_start fcgi
	for path in / /models /usage /health /v1/models /v1/nope; do
		req GET "$path"
		[[ $(header cache-control) == *no-store* ]]
		header x-request-id >>"$DIR/ids"
	done
	chat
	[[ $(header cache-control) == *no-cache* ]]
	header x-request-id >>"$DIR/ids"
	[[ $(sort -u "$DIR/ids" | grep -c '^req_') == 7 ]]
}

# -- Paths --------------------------------------------------------------------

@test "paths: repeated and trailing slashes are accepted" {
	nginx_start
	for path in /models/ //models /models// ///health '/health?x=1&y'; do
		req GET "$path" --path-as-is
		http_status 200
	done
	req POST //chat/// -H 'Content-Type: application/json' \
	    --data-binary "$(chat_body m1)"
	http_status 200
	req GET /%6dodels
	http_status 200
}

@test "paths: tricks with dots and control bytes are refused" {
	nginx_start
	for path in /v1/../models /models/%2e%2e/usage '/models/%0d%0aX-A:1' \
	    /v1/models/..%2f..%2fusage; do
		req GET "$path" --path-as-is
		[[ $http_code == 400 || $http_code == 404 ]] ||
		    fail "$path: $http_code $output"
		json '.error.code | length > 0'
		run ! header x-a
	done
	req GET "/models/$(printf 'a%.0s' {1..5000})"
	json '.error.code == "unknown_url"'
	req GET /v1/models/%00
	[[ $http_code == 400 ]]
}

@test "paths: a prefix below which it is mounted" {
	config_mock p1 m1 | config_write 'prefix = /ai'
	relevo_serve
	WEB_MODE=
	WEB_EXTRA="location /ai/ { include /etc/nginx/fastcgi_params;
	    fastcgi_pass relevo; fastcgi_buffering off; }"
	web_start nginx_write nginx -p "$DIR" -e "$DIR/web.err" \
	    -c "$DIR/nginx.conf"
	req GET /ai/
	http_status 200
	json '.message == "AI API running"'
	req GET /ai/models
	json '.models[0].id == "p1/m1"'
	ASK_URL=$URL/ai
	chat
	stream_whole
	ask m1
	http_status 200
	req GET /ai/v1/models
	json '.data[0].object == "model"'
	req GET /ai/xmodels
	refused 404 unknown_url
}

# -- HEAD, OPTIONS, CORS ------------------------------------------------------

@test "HEAD: the head alone, with the body's length" {
	local length

	lighttpd_start fcgi
	req GET /v1/models
	length=$(wc -c <"$DIR/body")
	req HEAD /v1/models -I
	http_status 200
	[[ $(header content-length) == "$length" ]]
	[[ $(header content-type) == application/json ]]
	req HEAD /chat -I
	http_status 405
}

@test "CORS: off unless origins are named" {
	lighttpd_start fcgi
	req GET /models -H 'Origin: https://a.example'
	http_status 200
	run ! grep -qi '^access-control' "$DIR/head"
	req OPTIONS /chat -H 'Origin: https://a.example' \
	    -H 'Access-Control-Request-Method: POST'
	http_status 204
	[[ $(header allow) == 'POST, OPTIONS' ]]
	[[ ! -s $DIR/body ]]
	run ! grep -qi '^access-control' "$DIR/head"
}

@test "CORS: a named origin, with the headers that it asked for" {
	config_mock p1 m1 | config_write \
	    'allowed-origins = {"https://a.example", "http://b.example:81"}'
	lighttpd_start fcgi
	req OPTIONS /chat -H 'Origin: http://b.example:81' \
	    -H 'Access-Control-Request-Method: POST' \
	    -H 'Access-Control-Request-Headers: x-stainless-os, content-type'
	http_status 204
	[[ $(header access-control-allow-origin) == http://b.example:81 ]]
	[[ $(header access-control-allow-headers) == \
	    'x-stainless-os, content-type' ]]
	[[ $(header access-control-allow-methods) == *POST* ]]
	[[ $(header vary) == *Origin* ]]
	run ! header access-control-allow-credentials
	chat '' -H 'Origin: https://a.example'
	[[ $(header access-control-allow-origin) == https://a.example ]]
	[[ $(header access-control-expose-headers) == *X-Request-Id* ]]
	req GET /chat -H 'Origin: https://a.example'
	refused 405 method_not_allowed
	[[ $(header access-control-allow-origin) == https://a.example ]]
	req GET /models -H 'Origin: https://evil.example'
	http_status 200
	run ! header access-control-allow-origin
	[[ $(header vary) == *Origin* ]]
}

@test "CORS: * is *, and an odd header list is not reflected" {
	config_mock p1 m1 | config_write 'allowed-origins = {"*"}'
	lighttpd_start fcgi
	req GET /health -H 'Origin: null'
	[[ $(header access-control-allow-origin) == '*' ]]
	req OPTIONS /models -H 'Origin: https://a.example' \
	    -H 'Access-Control-Request-Method: GET' \
	    -H 'Access-Control-Request-Headers: a b;c'
	http_status 204
	run ! header access-control-allow-headers
}

# Only some web servers take so long a header.
@test "CORS: a list of 25 KB is reflected whole, cgi" {
	local list

	config_mock p1 m1 | config_write 'allowed-origins = {"*"}'
	list=$(printf 'x-header-%016d,' {1..1000})
	env -i PATH="$PATH" RELEVO_CONFIG="$DIR/relevo.conf" \
	    GATEWAY_INTERFACE=CGI/1.1 ASAN_OPTIONS="${ASAN_OPTIONS:-}" \
	    REQUEST_METHOD=OPTIONS REQUEST_URI=/chat HTTP_ORIGIN=null \
	    HTTP_ACCESS_CONTROL_REQUEST_METHOD=POST \
	    HTTP_ACCESS_CONTROL_REQUEST_HEADERS="${list%,}" \
	    "$RELEVO" >"$DIR/out" 2>>"$DIR/relevo.err" </dev/null
	grep -qxF "Access-Control-Allow-Headers: ${list%,}"$'\r' "$DIR/out"
	[[ $(tail -n 1 "$DIR/out") == $'\r' ]]
}

# -- Tokens -------------------------------------------------------------------

# A configuration with two clients; TOKEN is that of bot.
with_clients()
{
	local out hash

	out=$("$RELEVO" --config "$DIR/relevo.conf" client new bot)
	TOKEN=$(grep -o 'rlv-[A-Za-z0-9_-]*' <<<"$out")
	hash=$(grep -o 'blake2b:[0-9a-f]*' <<<"$out")
	{
		config_mock p1 m1
		printf 'client bot {\n\ttoken = "%s"\n\trpd = 2\n}\n' "$hash"
		printf 'client old {\n\ttoken = "blake2b:%064d"\n%s}\n' 7 \
		    $'\texpires = 2020-01-01\n'
	} | config_write 'access = token'
}

@test "token: client new makes one that the file has only the hash of" {
	with_clients
	((${#TOKEN} == 47))
	run ! grep -qF "$TOKEN" "$DIR/relevo.conf"
	"$RELEVO" --config "$DIR/relevo.conf" check
}

@test "token: without one 401, with it in any of three headers 200" {
	with_clients
	lighttpd_start fcgi
	for path in /models /usage /v1/models; do
		req GET "$path"
		refused 401 invalid_api_key
		[[ $(header www-authenticate) == Bearer* ]]
	done
	json '.error.message | test("Authorization: Bearer") and
	    test("X-Api-Key") and test("CGIPassAuth")'
	chat
	refused 401 invalid_api_key
	ask m1
	refused 401 invalid_api_key
	for head in "Authorization: Bearer $TOKEN" \
	    "authorization: bearer  $TOKEN" "X-Api-Key: $TOKEN" \
	    "api-key: $TOKEN"; do
		req GET /models -H "$head"
		http_status 200
	done
	[[ $(mock_stats .total) == 0 ]]
}

@test "token: a wrong or shortened one is 401, and is not told back" {
	local same=

	with_clients
	lighttpd_start fcgi
	for wrong in "${TOKEN}x" "${TOKEN%?}" rlv-0 "Bearer $TOKEN"; do
		req GET /models -H "Authorization: Bearer $wrong"
		refused 401 invalid_api_key
		json '.error.message | test("not known")'
		[[ $output == "${same:=$output}" ]]
		run ! grep -qF "$wrong" "$DIR/body"
	done
	req GET /models -H "Authorization: Basic $TOKEN"
	refused 401 invalid_api_key
	run ! grep -qF "$TOKEN" "$DIR/relevo.err"
}

@test "token: /health and the bare / need none; / names no model" {
	with_clients
	lighttpd_start fcgi
	req GET /health
	http_status 200
	req GET /
	http_status 200
	json '.status == "ok" and .models == []'
	req GET / -H "X-Api-Key: $TOKEN"
	json '.models[0].id == "p1/m1"'
}

@test "token: the client's own budget is kept and shown" {
	with_clients
	lighttpd_start fcgi
	same_hour 30
	ask m1 '' -H "X-Api-Key: $TOKEN"
	http_status 200
	ask m1 '' -H "X-Api-Key: $TOKEN"
	http_status 200
	ask m1 '' -H "X-Api-Key: $TOKEN" -H 'X-Relevo-Max-Wait: 0s'
	http_status 429
	(($(header retry-after) > 0))
	req GET /usage -H "X-Api-Key: $TOKEN"
	json '.clients[] | select(.name == "bot") |
	    .localStats.requests == 2 and (.windows[] |
	    select(.window == "rpd") | .used == 2 and .remaining == 0)'
	[[ $(mock_stats .total) == 2 ]]
}
