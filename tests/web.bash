# web: the responder behind a web server, for helper.bash, which loads this.
#
#	lighttpd_start fcgi|socket|cgi [CONFIG]
#	nginx_start [keep] [CONFIG]
#	relevo_serve		the responder alone
#
# They set URL and PORT, WEB_PID, RELEVO_PID. What relevo says on stderr is in
# $DIR/relevo.err whoever started it; the server's own words in $DIR/web.err.
#
# shellcheck shell=bash

HTDOCS=${HTDOCS:-$ROOT/htdocs}
ROUTES='chat|models|usage|health|metrics|route|v1|openai|api'
# Variables that relevo gets from the web server when they are set here.
RELEVO_ENV="PATH TZ LANG ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS
    ${RELEVO_ENV:-}"

# relevo_serve: the FastCGI responder on $DIR/relevo.sock; sets RELEVO_PID.
relevo_serve()
{
	[[ -x $RELEVO ]] || fail "no relevo: build it (make) or set RELEVO"
	spawn relevo env "RELEVO_CONFIG=$DIR/relevo.conf" "$RELEVO" \
	    --config "$DIR/relevo.conf" serve --socket "$DIR/relevo.sock"
	RELEVO_PID=$SPAWNED
	until_true 10 relevo_up || true
	alive "$RELEVO_PID" || fail "relevo did not start:
$(tail -n 5 "$DIR/relevo.err")"
}

# Somebody listens on the socket (__SO_ACCEPTCON). That it is there does not say
# so: it may be left over, and before listen(2) whoever connects is refused.
heard()
{
	[[ -S $DIR/relevo.sock ]] &&
	    grep -q " 00010000 .* $DIR/relevo[.]sock\$" /proc/net/unix
}

unheard()
{
	! heard
}

# There, or dead, which ends the waiting as well.
relevo_up()
{
	heard || gone "$RELEVO_PID"
}

# SIGKILL for the responder and its workers, until none has the socket any more.
relevo_kill()
{
	forget "$RELEVO_PID"
	# shellcheck disable=SC2046
	kill -KILL "$RELEVO_PID" $(pgrep -P "$RELEVO_PID")
	wait "$RELEVO_PID" || true
	until_true 10 unheard
}

# web_up WANTED: an answer to $WEB_UP that has our mark in it, so that no other
# server on a port that was free a moment ago is taken for ours; or dead.
web_up()
{
	curl -s -m 2 -i "$URL${WEB_UP:-/.up}" | grep -qF "$1" || gone "$WEB_PID"
}

# web_start WRITE COMMAND...: write the configuration for $PORT, start, wait.
# Somebody may take the port in between: then with another one.
web_start()
{
	local write=$1 try

	shift
	for try in 1 2 3 4 5; do
		PORT=$(free_port)
		URL=http://127.0.0.1:$PORT
		"$write"
		spawn web "$@"
		WEB_PID=$SPAWNED
		until_true 10 web_up "${DIR##*/}" || break
		alive "$WEB_PID" && return 0
		wait "$WEB_PID" || true
		forget "$WEB_PID"
		grep -qiE 'address already in use|bind' "$DIR/web.err" ||
		    break
	done
	fail "the web server did not start (try $try):
$(tail -n 10 "$DIR/web.err")"
}

# name => value pairs for lighttpd.
lighttpd_env()
{
	local name

	printf '"RELEVO_CONFIG" => "%s/relevo.conf"' "$DIR"
	for name in $RELEVO_ENV; do
		if [[ -n ${!name:-} ]]; then
			printf ', "%s" => "%s"' "$name" "${!name}"
		fi
	done
}

lighttpd_fastcgi()
{
	local how

	how="\"bin-path\" => \"$RELEVO\", \"max-procs\" => 1,
	    \"bin-copy-environment\" => ( \"HOME\" ),
	    \"bin-environment\" => ( $(lighttpd_env) ),"
	[[ $WEB_MODE == socket ]] && how=
	cat <<-END
	server.modules += ( "mod_fastcgi" )
	\$HTTP["url"] =~ "^/(\$|($ROUTES)(/|\$))" {
	  fastcgi.server = ( "/" => (( "socket" => "$DIR/relevo.sock", $how
	    "check-local" => "disable", "fix-root-scriptname" => "enable",
	    "tcp-fin-propagate" => "enable" )) )
	}
	\$HTTP["url"] == "/" {
	  \$REQUEST_HEADER["accept"] =~ "text/html" { fastcgi.server = () }
	}
	END
}

# cgi.limits counts at the top level only (lighttpd 1.4.69).
lighttpd_cgi()
{
	local route

	mkdir -p "$DIR/cgi"
	ln -sf "$RELEVO" "$DIR/cgi/relevo.cgi"
	cat <<-END
	server.modules += ( "mod_alias", "mod_cgi", "mod_setenv" )
	cgi.limits = ( "tcp-fin-propagate" => "SIGTERM" )
	\$HTTP["url"] =~ "^/($ROUTES)(/|\$)" {
	  setenv.set-environment = ( $(lighttpd_env) )
	  cgi.assign = ( ".cgi" => "" )
	  alias.url = (
	END
	for route in ${ROUTES//|/ }; do
		echo "    \"/$route\" => \"$DIR/cgi/relevo.cgi\","
	done
	cat <<-END
	  )
	}
	\$HTTP["url"] == "/" {
	  \$REQUEST_HEADER["accept"] !~ "text/html" {
	    setenv.set-environment = ( $(lighttpd_env) )
	    cgi.assign = ( ".cgi" => "" )
	    alias.url = ( "/" => "$DIR/cgi/relevo.cgi" )
	  }
	}
	END
}

lighttpd_write()
{
	cat >"$DIR/lighttpd.conf" <<-END
	server.modules = ( )
	server.bind = "127.0.0.1"
	server.port = $PORT
	server.tag = "${DIR##*/}"
	server.document-root = "$HTDOCS"
	server.upload-dirs = ( "$DIR/tmp" )
	server.breakagelog = "$DIR/relevo.err"
	index-file.names = ( "index.html" )
	mimetype.assign = ( ".html" => "text/html", ".js" =>
	    "text/javascript", ".css" => "text/css", ".svg" =>
	    "image/svg+xml", "" => "application/octet-stream" )
	server.stream-response-body = 2
	END
	if [[ $WEB_MODE == cgi ]]; then
		lighttpd_cgi
	else
		lighttpd_fastcgi
	fi >>"$DIR/lighttpd.conf"
	printf '%s\n' "$WEB_EXTRA" >>"$DIR/lighttpd.conf"
}

# lighttpd_start fcgi|socket|cgi [CONFIG]: sets URL, PORT, WEB_PID, and but
# for cgi RELEVO_PID. fcgi: lighttpd starts the responder; socket: we do.
lighttpd_start()
{
	[[ -x $RELEVO ]] || fail "no relevo: build it (make) or set RELEVO"
	WEB_MODE=$1
	WEB_EXTRA=${2:-}
	if [[ $WEB_MODE == socket ]]; then
		relevo_serve
	fi
	web_start lighttpd_write lighttpd -D -f "$DIR/lighttpd.conf"
	if [[ $WEB_MODE == fcgi ]]; then
		until_true 5 fcgi_child || fail "lighttpd has no responder"
	fi
}

fcgi_child()
{
	RELEVO_PID=$(pgrep -o -P "$WEB_PID")
}

# What nginx keeps in files, in $DIR.
nginx_temp()
{
	local kind

	echo "client_body_temp_path $DIR/tmp/body;"
	for kind in fastcgi proxy uwsgi scgi; do
		echo "${kind}_temp_path $DIR/tmp/$kind;"
	done
}

nginx_write()
{
	local user='' keep='' conn=''

	((EUID == 0)) && user='user root;'
	if [[ $WEB_MODE == keep ]]; then
		keep='keepalive 16;'
		conn='fastcgi_keep_conn on;'
	fi
	cat >"$DIR/nginx.conf" <<-END
	$user
	daemon off;
	worker_processes 1;
	pid $DIR/nginx.pid;
	error_log $DIR/web.err warn;
	events { worker_connections 10240; }
	http {
	  include /etc/nginx/mime.types;
	  access_log off;
	  $(nginx_temp)
	  upstream relevo { server unix:$DIR/relevo.sock; $keep }
	  map \$http_accept \$relevo_root {
	    default 1;
	    ~text/html 0;
	  }
	  server {
	    listen 127.0.0.1:$PORT;
	    root $HTDOCS;
	    client_max_body_size 32m;
	    location = /.up { return 200 "${DIR##*/}"; }
	    location ~ ^/($ROUTES)(/|\$) {
	      include /etc/nginx/fastcgi_params;
	      fastcgi_pass relevo;
	      fastcgi_buffering off;
	      fastcgi_read_timeout 1h;
	      $conn
	    }
	    location = / {
	      if (\$relevo_root) { rewrite ^ /.relevo last; }
	      try_files /index.html =404;
	    }
	    location = /.relevo {
	      internal;
	      include /etc/nginx/fastcgi_params;
	      fastcgi_pass relevo;
	      fastcgi_buffering off;
	      $conn
	    }
	    $WEB_EXTRA
	  }
	}
	END
}

# nginx_start [keep] [CONFIG]: nginx before a responder of ours; `keep` keeps
# the FastCGI connections. CONFIG goes into the server block.
nginx_start()
{
	WEB_MODE=
	if [[ ${1:-} == keep ]]; then
		WEB_MODE=keep
		shift
	fi
	WEB_EXTRA=${1:-}
	relevo_serve
	web_start nginx_write nginx -p "$DIR" -e "$DIR/web.err" \
	    -c "$DIR/nginx.conf"
}

# Two web servers on one configuration and one state file: a responder behind
# the first, plain CGI behind the second; FCGI_URL and CGI_URL.
both_start()
{
	lighttpd_start fcgi
	FCGI_URL=$URL
	lighttpd_start cgi
	CGI_URL=$URL
	URL=$FCGI_URL
}

# both N [MODEL]: a volley to each at once, statuses in $DIR/codes.
both()
{
	local fcgi cgi

	STREAM=fcgi ASK_URL=$FCGI_URL volley "$@" 3>&- &
	fcgi=$!
	STREAM=cgi ASK_URL=$CGI_URL volley "$@" 3>&- &
	cgi=$!
	wait "$fcgi"
	wait "$cgi"
	cat "$DIR/codes-fcgi" "$DIR/codes-cgi" >"$DIR/codes"
}
