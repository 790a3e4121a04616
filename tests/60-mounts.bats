# Every mount before one list of checks: the table at the end says which there
# are. The files of conf/ and cgi-bin/ are taken as they are shipped; a path
# that a file cannot take from outside is put in its place by sed, and what a
# user has to edit to mount it below a path is edited as the file says.

bats_require_minimum_version 1.5.0
load helper
load mounts

setup()
{
	mounts_setup
}

teardown()
{
	mounts_teardown
}

# -- The checks ---------------------------------------------------------------

routes()
{
	req GET "$BASE/health"
	http_status 200
	json '.status == "ok" and .ready'
	req GET "$BASE/models" -H "$BEARER"
	json '.models | length == 4'
	req GET "$BASE/v1/models/p1/m1" -H "$BEARER"
	json '.id == "p1/m1" and .object == "model"'
	req GET "$BASE/openai/v1/models?x=a%26b" -H "$BEARER"
	json '[.data[].id] | contains(["p1/m1", "p2/m2"])'
	req GET "$BASE/route?model=m2" -H "$BEARER"
	http_status 200
	req HEAD "$BASE/health" -I
	http_status 200
	# A query without "=" is a CGI's argument (RFC 3875 4.4), not a command.
	req GET "$BASE/health?version"
	http_status 200
	json '.status == "ok"'
}

# Apache keeps Authorization from a CGI unless told.
tokens()
{
	req GET "$BASE/usage"
	refused 401 invalid_api_key
	req GET "$BASE/usage" -H 'Authorization: Bearer rlv-nobody'
	refused 401 invalid_api_key
	req GET "$BASE/usage" -H "$BEARER"
	http_status 200
	json '.usage | length == 4'
	req GET "$BASE/usage" -H "X-Api-Key: $TOKEN"
	http_status 200
}

chats()
{
	ask m2 '' -H "$BEARER"
	http_status 200
	json '.object == "chat.completion" and .usage.total_tokens == 12'
	[[ $(header x-relevo-model) == m2 ]]
	chat '' -H "$BEARER" -H 'Accept: text/plain'
	[[ $output == 'w1 w2 w3 w4 w5 ' ]]
	# Without a length; Caddy tells -1.
	ask m2 '' -H "$BEARER" -H 'Transfer-Encoding: chunked'
	http_status 200
	json '.object == "chat.completion"'
}

# arrives GATE CURL OPTIONS...: a chunk is there before the next one is let
# through.
arrives()
{
	local gate=$1 n

	shift
	mock_script m1 "tokens=3,gate=$gate"
	# A server that compresses a stream would collect it.
	stream_open m1 '' -H "$BEARER" -H 'Accept-Encoding: gzip' "$@"
	for n in 1 2; do
		mock_gate "$gate" $n
		stream_until "w$n "
		run ! grep -qF "w$((n + 1)) " "$DIR/stream.out"
	done
	mock_gate "$gate" 3
	stream_wait
}

stream()
{
	arrives sse
	stream_whole "$DIR/stream.out"
	[[ $(sse_text "$DIR/stream.out") == 'w1 w2 w3 ' ]]
	ASK_PATH=/chat arrives text -H 'Accept: text/plain'
	[[ $output == 'w1 w2 w3 ' ]]
}

# The client leaves, and so does relevo from the provider.
left()
{
	mock_script m1 tokens=5000,pace=20
	stream_open m1 '' -H "$BEARER"
	stream_until 'w2 '
	stream_close
	mock_wait m1 aborted 1
	mock_script m1 tokens=5
}

# Two streams that say nothing for the rest of the list: the client of one
# leaves, that of the other waits. Where the server does not tell relevo that a
# client left, it is the heartbeat that finds out.
silence()
{
	mock_script m3 tokens=3,gate=long
	STREAM=long stream_open m3 '' -H "$BEARER"
	mock_gate long 1
	STREAM=long stream_until 'w1 '
	SILENT=$SECONDS
	mock_script m4 tokens=5,silence=2
	STREAM=gone stream_open m4 '' -H "$BEARER"
	STREAM=gone stream_until 'w2 '
	STREAM=gone stream_close
	# Long before the first heartbeat.
	[[ $LEFT == beat ]] || mock_wait m4 aborted 1
}

silent_enough()
{
	((SECONDS - SILENT > QUIET))
}

silence_ends()
{
	mock_ctl GET "wait?model=m4&what=aborted&count=1&ms=60000" -m 70 \
	    >/dev/null
	until_true 20 silent_enough
	mock_gate long 3
	STREAM=long stream_wait
	stream_whole "$DIR/long.out"
	[[ $(sse_text "$DIR/long.out") == 'w1 w2 w3 ' ]]
}

# A model more, while a stream is open. A CGI reads its configuration each time.
reload()
{
	local pid

	mock_script m3 tokens=3,gate=more
	STREAM=more stream_open m3 '' -H "$BEARER"
	mock_gate more 1
	STREAM=more stream_until 'w1 '
	printf 'alias fresh {\n\tmodels = {"p2/m2"}\n}\n' >>"$MINE"
	for pid in $(supervisors); do
		kill -HUP "$pid"
	done
	until_true 10 reloaded
	mock_gate more 3
	STREAM=more stream_wait
	stream_whole "$DIR/more.out"
}

reloaded()
{
	req GET "$BASE/v1/models/fresh" -H "$BEARER"
	[[ $http_code == 200 ]]
}

# What should not lie among the files of the page is not given away there.
private()
{
	local name

	for name in relevo.conf relevo.conf~ relevo.conf.bak .env .htpasswd \
	    state state.0 state.1 state.bad-20260101T000000Z stderr.log; do
		# Not beside relevo, which would read them.
		[[ -n ${UPLOAD:-} ]] || echo NAME=value >"$FILES/$name"
		req GET "${FILES#"$SITE"}/$name"
		http_status 403
		req GET "${FILES#"$SITE"}/$name?x=1"
		http_status 403
	done
	req GET "${FILES#"$SITE"}/%2eenv"
	http_status 403
	req GET "${FILES#"$SITE"}/relevo%2econf"
	http_status 403
	# The path of a model is no file.
	req GET "$BASE/v1/models/p1/a.conf" -H "$BEARER"
	refused 404 model_not_found model
}

# More than nginx (1 MB) and mod_fcgid (128 KB) take unless told.
big_body()
{
	jq -cn '{model: "m2", messages: [{role: "user",
	    content: ("0123456789" * 120000)}]}' >"$DIR/big"
	req POST "$BASE/v1/chat/completions" -H "$BEARER" \
	    -H 'Content-Type: application/json' --data-binary "@$DIR/big"
	http_status 200
	mock_body m2 | jq -e '.messages[0].content | length == 1200000'
}

errors()
{
	req GET "$BASE/v1/nothing" -H "$BEARER"
	refused 404 unknown_url
	req GET "$BASE/chat" -H "$BEARER"
	refused 405 method_not_allowed
	[[ $(header allow) == *POST* ]]
	req POST "$BASE/chat" -H "$BEARER" \
	    -H 'Content-Type: application/json' --data-binary '{"messages":'
	refused 400 invalid_json
	mock_script m2 status=429,retry-after=9
	ask m2 '' -H "$BEARER" -H 'X-Relevo-Max-Wait: 0s'
	http_status 429
	json '.error.code == "rate_limit_exceeded"'
	(($(header retry-after) > 0))
}

# A browser's page and a program's status, at one address.
page()
{
	req GET "$BASE/" -H 'Accept: text/html,*/*;q=0.8'
	http_status 200
	[[ $(header content-type) == text/html* ]]
	cmp "$DIR/body" "$ROOT/htdocs/index.html"
	[[ $(header content-security-policy) == "default-src 'none'; "* ]]
	req GET "$BASE/" -H 'Accept:'
	http_status 200
	json '.status == "ok"'
}

# The list. What leaves m2 barred comes last.
mounted()
{
	mount_start "$@"
	ASK_URL=$URL$BASE
	routes
	# It takes its time, and a path changes nothing in it.
	[[ -n $BASE ]] || silence
	tokens
	chats
	stream
	left
	big_body
	reload
	private
	if [[ $FILES == "$SITE$BASE" ]]; then
		page
	else
		elsewhere
	fi
	[[ -n $BASE ]] || silence_ends
	errors
	# What the client left is settled by a process of its own.
	until_true 10 all_settled
	[[ -z ${UPLOAD:-} ]] || uploaded
}

all_settled()
{
	req GET "$BASE/usage" -H "$BEARER"
	jq -e '.totals.inFlight == 0 and .totals.requests >= 7' \
	    <<<"$output" >/dev/null
}

# What only an upload has: its own file, the program's, and no page any more.
uploaded()
{
	local name

	for name in .htaccess relevo.fcgi; do
		req GET "$BASE/$name"
		http_status 403
	done
	rm "$FILES/index.html"
	req GET "$BASE/" -H 'Accept: text/html'
	json '.message == "AI API running"'
	req GET "$BASE/relevo.cgi/models" -H "$BEARER"
	json '.models | length == 4'
}

# Mounted below a path it is not at the top.
elsewhere()
{
	req GET /models -H "$BEARER"
	http_status 404
	[[ $output != *unknown_url* ]]
}

# -- The table ----------------------------------------------------------------

@test "mount: lighttpd starts it" {
	mounted lighttpd_bin
}

@test "mount: lighttpd starts it, below a path" {
	mounted lighttpd_bin /ai
}

@test "mount: lighttpd, a relevo that runs by itself" {
	mounted lighttpd_socket
}

@test "mount: lighttpd, a relevo that runs by itself, below a path" {
	mounted lighttpd_socket /ai
}

@test "mount: lighttpd, CGI" {
	mounted lighttpd_cgi
}

@test "mount: lighttpd, CGI, below a path" {
	mounted lighttpd_cgi /ai
}

@test "mount: nginx, connections kept" {
	mounted nginx_keep
}

@test "mount: nginx, connections kept, below a path" {
	mounted nginx_keep /ai
}

@test "mount: nginx, connections not kept" {
	mounted nginx_close
}

@test "mount: nginx, connections not kept, below a path" {
	mounted nginx_close /ai
}

@test "mount: Apache, mod_proxy_fcgi" {
	mounted apache_proxy
}

@test "mount: Apache, mod_proxy_fcgi, below a path" {
	mounted apache_proxy /ai
}

@test "mount: Apache, mod_fcgid" {
	mounted apache_fcgid
}

@test "mount: Apache, mod_fcgid, below a path" {
	mounted apache_fcgid /ai
}

@test "mount: Apache, mod_cgid, .htaccess" {
	mounted apache_cgid
}

@test "mount: Apache, mod_cgid, .htaccess, below a path" {
	mounted apache_cgid /ai
}

@test "mount: Apache, mod_cgi, .htaccess" {
	mounted apache_cgi
}

@test "mount: Apache, mod_cgi, .htaccess, below a path" {
	mounted apache_cgi /ai
}

@test "mount: Apache, mod_cgi, .htaccess, suexec" {
	mounted apache_suexec
}

@test "mount: Apache, mod_cgi, .htaccess, suexec, below a path" {
	mounted apache_suexec /ai
}

# lingers: who runs the program of the site, though nobody asks.
lingers()
{
	local f

	for f in /proc/[0-9]*/exe; do
		[[ $f -ef $FILES/relevo.cgi ]] && echo "${f//[^0-9]/}"
	done
}

none_lingers()
{
	[[ -z $(lingers) ]]
}

# The CGI process of the last answer may not have ended yet.
only_keepers()
{
	local pid

	for pid in $(lingers); do
		[[ $(readlink "/proc/$pid/fd/0") == /dev/null ]] || return 1
	done
}

# kept MODULE: a responder stays, for each configuration that was read; it
# outlives Apache, and goes when its socket does.
kept()
{
	look_into
	LINGER=1m mounted "$1"
	until_true 10 only_keepers
	[[ -n $(lingers) ]]
	stop web "$WEB_PID"
	[[ -n $(lingers) ]]
	rm "${MINE%/*}"/state.cgi-*
	until_true 10 none_lingers
}

@test "mount: Apache, mod_cgid, .htaccess, a responder that lingers" {
	kept apache_cgid
}

@test "mount: Apache, mod_cgi, .htaccess, a responder that lingers" {
	kept apache_cgi
}

@test "mount: Caddy" {
	mounted caddy
}

@test "mount: Caddy, below a path" {
	mounted caddy /ai
}

# What conf/Dockerfile starts, laid out as the image has it.
@test "mount: the container's start, as another user, on stderr's pipe" {
	mounted container
	[[ -e $DIR/data/state ]]
	until_true 5 grep -q '"event":"request"' "$DIR/web.err"
}
