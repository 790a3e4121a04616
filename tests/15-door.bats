# The door: who gets in, what it costs to try, what each may see.

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

# client NAME [LINES]: its section; the token is in TOKEN_NAME.
client()
{
	local out

	out=$("$RELEVO" --config "$DIR/none" client new "$1")
	printf -v "TOKEN_$1" '%s' "$(grep -o 'rlv-[A-Za-z0-9_-]*' <<<"$out")"
	printf 'client %s {\n\ttoken = "%s"\n%s}\n' "$1" \
	    "$(grep -o 'blake2b:[0-9a-f]*' <<<"$out")" "${2:-}" \
	    >>"$DIR/clients"
}

door_config()
{
	client bot
	{
		config_mock p1 m1
		cat "$DIR/clients"
	} | config_write 'access = token'
}

wrong()
{
	req GET "${1:-/models}" -H 'X-Api-Key: rlv-not-this-one' "${@:2}"
}

# -- Wrong tokens --------------------------------------------------------------

throttled()
{
	refused 429 too_many_attempts
	(($(header retry-after) >= 1 && $(header retry-after) <= 6))
	[[ $(header x-should-retry) == false ]]
	run ! header www-authenticate
}

# burst URL...: wrong tokens, all by one curl: every 6 s there is one more try,
# and a busy machine takes seconds to start a few. Their statuses are in output,
# and in FILLED how many tries came to the ten at most while it lasted. MORE are
# lines for each, with its number for @.
burst()
{
	local i=0 url began

	for url; do
		((i++ == 0)) || echo next
		echo "url = $url"
		echo 'header = "X-Api-Key: rlv-not-this-one"'
		[[ $url != */chat ]] || echo 'data = x'
		echo 'output = /dev/null'
		echo 'write-out = "%{http_code} "'
		echo "${MORE//@/$i}"
	done >"$DIR/burst.conf"
	began=${EPOCHREALTIME/./}
	output=$(curl -sS -m 120 -K "$DIR/burst.conf" 2>/dev/null)
	FILLED=$(((${EPOCHREALTIME/./} - began) / 6000000))
}

# ten: of what came of the burst. The first ten were tried; of the others only
# those for which there was time.
ten()
{
	local answers late

	read -ra answers <<<"$output"
	[[ "${answers[*]:0:10}" == '401 401 401 401 401 401 401 401 401 401' ]]
	late=$(printf '%s\n' "${answers[@]:10}")
	[[ -z $(grep -vxE '401|429' <<<"$late") ]]
	(($(grep -cx 401 <<<"$late") <= FILLED)) ||
	    fail "$output, when there were $FILLED more"
}

# refilled URL: by now one more may be free.
refilled()
{
	wrong "$1"
	[[ $http_code == 429 ]]
}

ten_wrong()
{
	local f=$1 c=$2

	burst "$f/models" "$c/chat" "$f/models" "$c/chat" "$f/models" \
	    "$c/chat" "$f/models" "$c/chat" "$f/models" "$c/chat" \
	    "$f/usage" "$c/v1/models"
	ten
	until_true 20 refilled "$f/usage"
	throttled
	until_true 20 refilled "$c/v1/models"
	throttled
}

@test "throttle: ten wrong tokens, then 429: FastCGI and CGI together" {
	STDERR_ALLOW=too_many_attempts
	door_config
	both_start
	ten_wrong "$FCGI_URL" "$CGI_URL"
	# a right one passes, from the same address and in both
	for base in "$FCGI_URL" "$CGI_URL"; do
		req GET "$base/models" -H "X-Api-Key: $TOKEN_bot"
		http_status 200
	done
	# none at all is no attempt
	req GET /models
	refused 401 invalid_api_key
	# another address has its own
	wrong /models --interface 127.0.0.2
	refused 401 invalid_api_key
	# one line a minute, which names the address and not the token
	until_true 5 grep -q too_many_attempts "$DIR/relevo.err"
	grep '"event":"too_many_attempts"' "$DIR/relevo.err" |
	    jq -es 'map(.time | fromdate) | [.[1:], .[:-1]] | transpose |
	        all(.[0] - .[1] >= 60)'
	grep '"event":"too_many_attempts"' "$DIR/relevo.err" |
	    jq -e '.level == "warn" and (.message | test("127[.]0[.]0[.]1"))'
	run ! grep -qF rlv- "$DIR/relevo.err"
}

@test "throttle: a forwarded address is not believed" {
	STDERR_ALLOW=too_many_attempts
	door_config
	nginx_start keep
	# curl 8 takes no line that begins with a blank.
	MORE='header = "X-Forwarded-For: 192.0.2.@"
header = "Forwarded: for=192.0.2.@"
header = "X-Real-IP: 192.0.2.@"
header = "Client-IP: 192.0.2.@"'
	# shellcheck disable=SC2046
	burst $(printf "$URL/models%.0s " {1..11})
	ten
	run ! grep -q '192[.]0[.]2' "$DIR/relevo.err"
}

@test "throttle: / with a wrong token tells nothing more, and counts" {
	STDERR_ALLOW=too_many_attempts
	door_config
	lighttpd_start socket
	# shellcheck disable=SC2046
	burst $(printf "$URL/%.0s " {1..11}) "$URL/models"
	[[ $output == "$(printf '200 %.0s' {1..11})429 " ]] ||
	    [[ $output == *' 200 401 ' && $FILLED != 0 ]]
	wrong /
	http_status 200
	json '.models == []'
	until_true 20 refilled /models
	throttled
}

@test "throttle: the state file neither grows nor is found wrong" {
	STDERR_ALLOW=too_many_attempts
	door_config
	lighttpd_start socket
	wrong
	size=$(stat -c %s "$DIR/state")
	for i in {1..200}; do
		((i == 1)) || echo next
		echo "url = $URL/models"
		echo 'header = "X-Api-Key: rlv-x"'
		echo 'output = /dev/null'
		echo "interface = 127.0.$((i / 100 + 1)).$((i % 100 + 1))"
	done >"$DIR/many.conf"
	curl -sS -m 120 -K "$DIR/many.conf"
	[[ $(stat -c %s "$DIR/state") == "$size" ]]
	"$RELEVO" --config "$DIR/relevo.conf" state verify
}

# -- Headers that are too large -------------------------------------------------

@test "headers: beyond 64 KB 431, CGI" {
	config_mock p1 m1 | config_write
	head -c 35000 /dev/zero | tr '\0' a >"$DIR/a"
	env -i RELEVO_CONFIG="$DIR/relevo.conf" GATEWAY_INTERFACE=CGI/1.1 \
	    ASAN_OPTIONS="${ASAN_OPTIONS:-}" REQUEST_METHOD=GET \
	    REQUEST_URI=/models HTTP_X_ONE="$(<"$DIR/a")" \
	    HTTP_X_TWO="$(<"$DIR/a")" "$RELEVO" </dev/null >"$DIR/out" \
	    2>>"$DIR/relevo.err"
	head -n 1 "$DIR/out" | grep -q '^Status: 431 Request Header Fields'
	sed '1,/^\r$/d' "$DIR/out" |
	    jq -e '.error.code == "headers_too_large"'
}

# -- What a client sees of others -------------------------------------------------

@test "usage: a client sees its own figures, and only models that it may use" {
	client bot
	client friend $'\tmodels = {"p1/*"}\n'
	client owner $'\tusage = all\n'
	{
		config_mock p1 m1 m2
		config_mock p2 m3
		cat "$DIR/clients"
	} | config_write 'access = token'
	lighttpd_start socket
	ask m1 '' -H "X-Api-Key: $TOKEN_bot"
	ask m3 '' -H "X-Api-Key: $TOKEN_bot"
	ask m1 '' -H "X-Api-Key: $TOKEN_friend"
	http_status 200
	req GET /usage -H "X-Api-Key: $TOKEN_bot"
	json '[.clients[].name] == ["bot"] and (.usage | length) == 3 and
	    .clients[0].localStats.requests == 2 and .totals.requests == 3'
	req GET /usage -H "X-Api-Key: $TOKEN_owner"
	json '[.clients[].name] == ["bot", "friend", "owner"] and
	    .totals.requests == 3'
	req GET '/usage?history=1' -H "X-Api-Key: $TOKEN_friend"
	json '[.clients[].name] == ["friend"] and
	    [.usage[].modelId] == ["p1/m1", "p1/m2"] and
	    [.accounts[].name] == ["p1"] and [.keys[].name] == ["p1"] and
	    .totals.requests == 2'
	run ! grep -qE 'p2|m3|bot|owner' "$DIR/body"
	for path in /models /v1/models /; do
		req GET "$path" -H "X-Api-Key: $TOKEN_friend"
		run ! grep -qE 'p2|m3' "$DIR/body"
	done
	req GET /v1/models/p2/m3 -H "X-Api-Key: $TOKEN_friend"
	refused 404 model_not_found model
	req GET /v1/models/p1/m1 -H "X-Api-Key: $TOKEN_friend"
	http_status 200
	req GET /metrics -H "X-Api-Key: $TOKEN_bot"
	refused 403 forbidden
	req GET /metrics -H "X-Api-Key: $TOKEN_owner"
	http_status 200
	grep -q 'client="friend"' "$DIR/body"
	"$RELEVO" --config "$DIR/relevo.conf" usage --json |
	    jq -e '.clients | length == 3'
}

# -- DNS rebinding ---------------------------------------------------------------

rebound()
{
	local path

	for path in / /health /models /usage /chat /v1/nothing; do
		req GET "$path" -H 'Host: evil.example:3000' \
		    -H 'Origin: http://evil.example:3000'
		refused 421 misdirected_request
		json '.error.message | test("allowed-hosts")'
	done
	ask m1 '' -H 'Host: evil.example'
	refused 421 misdirected_request
	[[ $(mock_stats .total) == 0 ]]
	for name in localhost app.localhost:3000 127.0.0.1 '[::1]' ai.example; do
		req GET /models -H "Host: $name"
		http_status 200
	done
}

host_config()
{
	config_mock p1 m1 | config_write 'allowed-hosts = {ai.example}'
}

@test "host: open access, from here, by a foreign name: 421, lighttpd" {
	host_config
	lighttpd_start fcgi
	rebound
}

@test "host: open access, from here, by a foreign name: 421, nginx" {
	host_config
	nginx_start keep
	rebound
}

@test "host: open access, from here, by a foreign name: 421, cgi" {
	host_config
	lighttpd_start cgi
	rebound
}

@test "host: with a token any name will do" {
	door_config
	nginx_start
	req GET /models -H 'Host: my.example' -H "X-Api-Key: $TOKEN_bot"
	http_status 200
}

# -- One decision for all tokens, paths and bodies ---------------------------------

# no: the last answer is the same 401 as the first of its kind.
no()
{
	refused 401 invalid_api_key
	[[ -s $DIR/no ]] || cp "$DIR/body" "$DIR/no"
	cmp "$DIR/no" "$DIR/body"
}

@test "token: every wrong one gets the very same answer" {
	local n=0 token=

	client bot
	client old $'\texpires = 2020-01-01\n'
	{
		config_mock p1 m1
		cat "$DIR/clients"
	} | config_write 'access = token'
	nginx_start 'large_client_header_buffers 8 64k;'
	for token in x "${TOKEN_bot}x" "${TOKEN_bot%?}" "${TOKEN_bot:1}" \
	    "${TOKEN_bot^^}" "${TOKEN_bot,,}" "$TOKEN_bot $TOKEN_bot" \
	    "Bearer $TOKEN_bot" "$TOKEN_bot, Bearer $TOKEN_bot" \
	    "$TOKEN_old" "\"$TOKEN_bot\"" "$TOKEN_bot,$TOKEN_bot" \
	    "$(head -c 60000 /dev/zero | tr '\0' a)"; do
		n=$((n + 1))
		req GET /models --interface "127.0.1.$n" \
		    -H "Authorization: Bearer $token"
		no
		# in the shell's words: ends of blanks are the web server's
		req GET /models --interface "127.0.2.$n" \
		    -H "X-Api-Key: $token"
		no
	done
	((n == 13))
	req GET /models -H "Authorization: Bearer $TOKEN_bot" \
	    -H "Authorization: Bearer $TOKEN_bot"
	[[ $http_code == 400 || $http_code == 401 ]]
	req GET /models -H "Authorization: Bearer $TOKEN_bot"
	http_status 200
}

@test "token: no spelling of a path gets around it" {
	local path

	door_config
	nginx_start
	for path in //models /models/ /./models /%6dodels '/models?a=/health' \
	    '/models#/health' /health/../models /models/%2e /x/models \
	    /MODELS '/models;/health' /v1//models /openai/v1/models \
	    /chat/ //usage /usage/. /route; do
		req GET "$path" --path-as-is -H 'Host: localhost'
		[[ $http_code == 40[0145] ]] || fail "$path: $http_code"
		run ! grep -q p1 "$DIR/body"
	done
	for name in evil.example '' x:y 127.0.0.1/health; do
		req GET /models -H "Host: $name"
		[[ $http_code == 40[01] ]] || fail "$name: $http_code"
	done
	[[ $(mock_stats .total) == 0 ]]
}

@test "body: no member of it names another place to go, or a key" {
	config_mock p1 m1 | config_write
	lighttpd_start fcgi
	ask m1 "api_base: \"$MOCK_URL/evil/v1\", base_url: \"$MOCK_URL/evil\",
	    api_key: \"stolen\", key: \"stolen\", url: \"$MOCK_URL/evil\",
	    headers: {Authorization: \"Bearer stolen\"},
	    extra_headers: {\"X-A\": \"b\"}, proxy: \"$MOCK_URL\""
	http_status 200
	[[ $(mock_stats .total) == 1 ]]
	mock_last m1 | sed '/^\r$/q' | tr -d '\r' >"$DIR/mock.sent"
	head -n 1 "$DIR/mock.sent" | grep -qx 'POST /p1/v1/chat/completions HTTP/1.1'
	grep -qx 'Authorization: Bearer test-key-p1' "$DIR/mock.sent"
	run ! grep -qi 'stolen\|x-a:\|evil' "$DIR/mock.sent"
	ask "$MOCK_URL/evil/v1"
	refused 404 model_not_found model
	[[ $(mock_stats .total) == 1 ]]
}
