# The shipped configuration of each web server, as it is, before the same
# short list of checks. A path that a file cannot take from outside is put in
# its place by sed, and nothing else of it is changed.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	PATH=$PATH:/usr/sbin:/sbin
	SITE=$DIR/htdocs
	CONF=$ROOT/conf
	BASE=
	COMPRESS='SetOutputFilter DEFLATE'
	# Apache will not serve as root. What root runs here, www-data does.
	AS=()
	if ((EUID == 0)); then
		AS=(setpriv --reuid=www-data --regid=www-data --clear-groups)
	fi
	mkdir "$DIR/cgi" "$SITE"
	cp "$RELEVO" "$DIR/cgi/relevo.cgi"
	ln "$DIR/cgi/relevo.cgi" "$DIR/cgi/relevo.fcgi"
	cp "$ROOT/htdocs/index.html" "$SITE/"
	echo "${DIR##*/}" >"$SITE/.up"
	: >"$DIR/web.err"
	mock_start
	configure
}

teardown()
{
	stop_all
}

# configure [LINES]: two models for whoever has TOKEN.
configure()
{
	local told

	told=$("$RELEVO" --config "$DIR/relevo.conf" client new bot)
	TOKEN=$(grep -o 'rlv-[^ ]*' <<<"$told")
	{
		config_mock p1 m1
		config_mock p2 m2
		sed -n '/^ *client bot/,$p' <<<"$told"
	} | config_write "access = token${1:+
	$1}"
	BEARER="Authorization: Bearer $TOKEN"
}

# own: what the server and a relevo that it starts have to reach.
own()
{
	((EUID != 0)) || chown -R www-data:www-data "$DIR"
}

# serve: the responder, and a socket that www-data may connect to, as a common
# group would let it.
serve()
{
	relevo_serve
	((EUID != 0)) || chmod 666 "$DIR/relevo.sock"
}

# -- The checks ---------------------------------------------------------------

routes()
{
	req GET "$BASE/health"
	http_status 200
	json '.status == "ok" and .ready'
	req GET "$BASE/models" -H "$BEARER"
	json '.models | length == 2'
	req GET "$BASE/v1/models/p1/m1" -H "$BEARER"
	json '.id == "p1/m1" and .object == "model"'
	req GET "$BASE/openai/v1/models?x=a%26b" -H "$BEARER"
	json '[.data[].id] | contains(["p1/m1", "p2/m2"])'
	req GET "$BASE/route?model=m2" -H "$BEARER"
	http_status 200
	req HEAD "$BASE/health" -I
	http_status 200
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
	json '.usage | length == 2'
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

# The same while nothing is being said: long before the heartbeat, which finds
# it out wherever the server does not tell.
left_silent()
{
	mock_reset
	mock_script m1 tokens=5,silence=2
	stream_open m1 '' -H "$BEARER"
	stream_until 'w2 '
	stream_close
	mock_wait m1 aborted 1
	mock_reset
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

all_checks()
{
	ASK_URL=$URL$BASE
	routes
	tokens
	chats
	stream
	left
	big_body
	page
	# Last: it leaves m2 barred.
	errors
	req GET "$BASE/usage" -H "$BEARER"
	json '.totals.inFlight == 0 and .totals.requests >= 6'
}

# below LIST OF FILES: the copies mount at /ai.
below()
{
	sed -i 's|\^/(chat|^/ai/(chat|' "$@"
	grep -q '\^/ai/(chat' "$@"
	BASE=/ai
}

below_checks()
{
	ASK_URL=$URL$BASE
	routes
	tokens
	chats
	stream
	req GET "$BASE/v1/nothing" -H "$BEARER"
	refused 404 unknown_url
	req GET /models -H "$BEARER"
	http_status 404
	[[ $output != *unknown_url* ]]
}

# -- Apache -------------------------------------------------------------------

# apache_write: MODULES, and what APACHE says.
apache_write()
{
	local m name

	printf 'text/html html\n' >"$DIR/mime.types"
	{
		cat <<-END
		ServerRoot $DIR
		ServerName 127.0.0.1
		Listen 127.0.0.1:$PORT
		PidFile $DIR/apache.pid
		DefaultRuntimeDir $DIR
		Mutex file:$DIR default
		ErrorLog $DIR/web.err
		LogLevel warn
		TypesConfig $DIR/mime.types
		Timeout 30
		Define RELEVO_SOCKET $DIR/relevo.sock
		Define RELEVO_HTDOCS $SITE
		Define RELEVO_FOLDER $DIR/cgi
		Define RELEVO_FCGI $DIR/cgi/relevo.fcgi
		Define RELEVO_CONFIG $DIR/relevo.conf
		END
		for m in authz_core dir mime headers rewrite setenvif env \
		    alias filter deflate $MODULES; do
			echo "LoadModule ${m}_module" \
			    "/usr/lib/apache2/modules/mod_$m.so"
		done
		echo '<IfModule mpm_prefork_module>'
		echo 'StartServers 2'
		echo '</IfModule>'
		# What the sanitizers want to know.
		for name in $RELEVO_ENV; do
			[[ -z ${!name:-} ]] || echo "PassEnv $name"
		done
		# What a host may do to all of a site.
		echo "$COMPRESS"
		# Nothing but what is shipped may open a folder.
		echo '<Directory />'
		echo 'Require all denied'
		echo '</Directory>'
		printf '%s\n' "$APACHE"
	} >"$DIR/apache.conf"
	own
}

# Its own session: at its end it signals the whole process group.
apache_start()
{
	MODULES=$1
	APACHE=$2
	command -v apache2 >/dev/null || fail 'no apache2: make deps'
	web_start apache_write "${AS[@]}" setsid apache2 -DFOREGROUND \
	    -f "$DIR/apache.conf"
}

@test "servers: Apache, mod_proxy_fcgi" {
	serve
	apache_start 'mpm_event proxy proxy_fcgi' \
	    "Include $CONF/apache-proxy-fcgi.conf"
	all_checks
}

@test "servers: Apache, mod_proxy_fcgi, below a path" {
	configure 'prefix = /ai'
	cp "$CONF/apache-proxy-fcgi.conf" "$DIR/"
	below "$DIR/apache-proxy-fcgi.conf"
	serve
	apache_start 'mpm_event proxy proxy_fcgi' \
	    "Include $DIR/apache-proxy-fcgi.conf"
	below_checks
}

fcgid()
{
	mkdir "$DIR/fcgid"
	apache_start 'mpm_event fcgid' "FcgidIPCDir $DIR/fcgid
	    FcgidProcessTableFile $DIR/fcgid/shm
	    Include $1/apache-fcgid.conf"
}

@test "servers: Apache, mod_fcgid" {
	fcgid "$CONF"
	all_checks
}

@test "servers: Apache, mod_fcgid, below a path" {
	configure 'prefix = /ai'
	cp "$CONF/apache-fcgid.conf" "$DIR/"
	below "$DIR/apache-fcgid.conf"
	fcgid "$DIR"
	below_checks
}

# htaccess MODULES [LINES]: as a shared host has it: the site is $DIR/htdocs,
# the upload its folder /ai, and only .htaccess is the customer's.
htaccess()
{
	configure "prefix = /ai${2:+
	$2}"
	BASE=/ai
	# Bare text is left out: of a CGI mod_deflate reads some 60 bytes
	# before it looks whether it is wanted at all.
	COMPRESS='AddOutputFilterByType DEFLATE text/html text/event-stream'
	mkdir "$SITE/ai"
	cp "$ROOT/cgi-bin/.htaccess" "$DIR/cgi/relevo.cgi" \
	    "$DIR/cgi/relevo.fcgi" "$ROOT/htdocs/index.html" "$SITE/ai/"
	# (1) is left out: relevo.conf lies beside the program.
	sed "s|\"$DIR/state\"|state|" "$DIR/relevo.conf" \
	    >"$SITE/ai/relevo.conf"
	echo 'NAME=value' >"$SITE/ai/.env"
	chmod 600 "$SITE/ai/relevo.conf" "$SITE/ai/.env"
	apache_start "$1" "DocumentRoot $SITE
	    <IfModule cgid_module>
	    ScriptSock $DIR/cgid.sock
	    </IfModule>
	    <Directory $SITE>
	    Require all granted
	    AllowOverride All
	    </Directory>"
}

private()
{
	local name

	for name in relevo.conf .env state state.0 state.1 .htaccess \
	    relevo.fcgi state.bad-20260101T000000Z; do
		req GET "$BASE/$name"
		http_status 403
	done
	# The path of a model is no file.
	req GET "$BASE/v1/models/p1/a.conf" -H "$BEARER"
	refused 404 model_not_found model
	rm "$SITE/ai/index.html"
	req GET "$BASE/" -H 'Accept: text/html'
	json '.message == "AI API running"'
	req GET "$BASE/relevo.cgi/models" -H "$BEARER"
	json '.models | length == 2'
}

@test "servers: Apache, mod_cgid, .htaccess" {
	htaccess 'mpm_event cgid'
	all_checks
	private
}

@test "servers: Apache, mod_cgi, .htaccess" {
	htaccess 'mpm_prefork cgi'
	all_checks
	private
}

# lingers: who runs the program of the site, though nobody asks.
lingers()
{
	local f

	for f in /proc/[0-9]*/exe; do
		[[ $f -ef $SITE/ai/relevo.cgi ]] && echo "${f//[^0-9]/}"
	done
}

one_lingers()
{
	KEEPER=$(lingers)
	[[ $KEEPER =~ ^[0-9]+$ ]]
}

# kept: everything, with a responder that lingers; it outlives Apache, and goes
# when its socket does.
kept()
{
	all_checks
	private
	until_true 10 one_lingers
	[[ $(readlink "/proc/$KEEPER/fd/0") == /dev/null ]]
	stop web "$WEB_PID"
	alive "$KEEPER"
	rm "$SITE"/ai/state.cgi-*
	until_true 10 gone "$KEEPER"
}

@test "servers: Apache, mod_cgid, .htaccess, a responder that lingers" {
	htaccess 'mpm_event cgid' 'cgi-linger = 1m'
	kept
}

@test "servers: Apache, mod_cgi, .htaccess, a responder that lingers" {
	htaccess 'mpm_prefork cgi' 'cgi-linger = 1m'
	kept
}

# -- nginx --------------------------------------------------------------------

# The file itself, in a wrapper that keeps all that nginx writes below $DIR.
nginx_site_write()
{
	sed -e "s|/run/relevo/relevo.sock|$DIR/relevo.sock|" \
	    -e "s|127.0.0.1:3000|127.0.0.1:$PORT|" \
	    -e "s|/usr/local/share/relevo/htdocs|$SITE|" \
	    -e "${NGINX:-b}" "$CONF/nginx.conf" >"$DIR/site.conf"
	cp /etc/nginx/fastcgi_params "$DIR/"
	cat >"$DIR/nginx.conf" <<-END
	daemon off;
	worker_processes 1;
	pid $DIR/nginx.pid;
	error_log $DIR/web.err warn;
	events { }
	http {
	  include /etc/nginx/mime.types;
	  access_log off;
	  client_body_temp_path $DIR/tmp/body;
	  fastcgi_temp_path $DIR/tmp/fastcgi;
	  proxy_temp_path $DIR/tmp/proxy;
	  uwsgi_temp_path $DIR/tmp/uwsgi;
	  scgi_temp_path $DIR/tmp/scgi;
	  include $DIR/site.conf;
	}
	END
	own
}

# nginx_site SED: conf/nginx.conf, with SED done to it.
nginx_site()
{
	NGINX=$1
	serve
	web_start nginx_site_write "${AS[@]}" nginx -p "$DIR" \
	    -e "$DIR/web.err" -c "$DIR/nginx.conf"
}

@test "servers: nginx" {
	nginx_site ''
	[[ $(grep -c '# keep$' "$DIR/site.conf") == 2 ]]
	left_silent
	all_checks
}

@test "servers: nginx, connections not kept" {
	nginx_site '/# keep$/d'
	run ! grep -qE '^[^#]*keep' "$DIR/site.conf"
	left_silent
	all_checks
}

@test "servers: nginx, below a path" {
	configure 'prefix = /ai'
	BASE=/ai
	nginx_site 's|\^/(chat|^/ai/(chat|'
	below_checks
}

# -- Caddy --------------------------------------------------------------------

caddy_write()
{
	export RELEVO_ADDRESS=$URL
	own
}

# caddy_start FILE: what it keeps goes below $DIR; no administration port.
caddy_start()
{
	command -v caddy >/dev/null || fail 'no caddy: make deps'
	serve
	export RELEVO_SOCKET=$DIR/relevo.sock RELEVO_HTDOCS=$SITE
	export XDG_CONFIG_HOME=$DIR/tmp XDG_DATA_HOME=$DIR/tmp
	{
		printf '{\n\tadmin off\n}\n'
		cat "$1"
	} >"$DIR/Caddyfile"
	web_start caddy_write "${AS[@]}" caddy run --adapter caddyfile \
	    --config "$DIR/Caddyfile"
}

@test "servers: Caddy" {
	caddy_start "$CONF/Caddyfile"
	all_checks
}

@test "servers: Caddy, below a path" {
	configure 'prefix = /ai'
	cp "$CONF/Caddyfile" "$DIR/mine"
	below "$DIR/mine"
	caddy_start "$DIR/mine"
	below_checks
}

# -- lighttpd -----------------------------------------------------------------

lighttpd_site_write()
{
	export PORT
	own
}

# lighttpd_site FILE: all of it from the environment. `.up` is its own file.
lighttpd_site()
{
	export RELEVO_HTDOCS=$SITE RELEVO_LOG=$DIR/relevo.err
	export RELEVO_CONFIG=$DIR/relevo.conf RELEVO_CGI=$DIR/cgi/relevo.cgi
	export RELEVO_FCGI=$DIR/cgi/relevo.fcgi
	export RELEVO_SOCKET=$DIR/relevo.sock
	: >"$RELEVO_LOG"
	web_start lighttpd_site_write "${AS[@]}" lighttpd -D -f "$1"
}

@test "servers: lighttpd, CGI" {
	lighttpd_site "$CONF/lighttpd-cgi.conf"
	left_silent
	all_checks
}

@test "servers: lighttpd, FastCGI" {
	lighttpd_site "$CONF/lighttpd.conf"
	left_silent
	all_checks
}

# -- Containers ---------------------------------------------------------------

container_write()
{
	export PORT
	own
}

# What conf/Dockerfile starts, laid out as the image has it.
@test "servers: the container's start, as another user, on stderr's pipe" {
	local share=$DIR/usr/share/relevo

	mkdir -p "$DIR/usr/bin" "$share/conf" "$DIR/data"
	cp "$DIR/cgi/relevo.cgi" "$DIR/usr/bin/relevo"
	cp "$CONF/container.sh" "$CONF/lighttpd.conf" "$share/conf/"
	ln -s "$SITE" "$share/htdocs"
	# The two models of the mock, in the place of the free providers.
	{
		sed -n '/^server {/,/^}/p' "$CONF/relevo.conf"
		sed '1,/^}/d; /^ *client/,$d' "$DIR/relevo.conf"
	} >"$share/conf/relevo.conf"
	export RELEVO_DATA=$DIR/data RELEVO_BIND=127.0.0.1 TMPDIR=$DIR/tmp
	run -78 timeout 30 env RELEVO_DATA=/proc/none \
	    sh "$share/conf/container.sh"
	[[ $output == *'/proc/none is not writable'* ]]
	# Nobody could get in: it does not start.
	run -2 timeout 30 sh "$share/conf/container.sh"
	[[ $output == *'relevo client new'* ]]
	RELEVO_CLIENT=$(grep -o 'blake2b:[0-9a-f]*' "$DIR/relevo.conf")
	export RELEVO_CLIENT
	web_start container_write "${AS[@]}" sh "$share/conf/container.sh"
	all_checks
	[[ -e $DIR/data/state ]]
	until_true 5 grep -q '"event":"request"' "$DIR/web.err"
}
