# mounts: the shipped configuration of each web server before relevo, for
# 60-mounts.bats, which loads this.
#
#	mount_start NAME [PATH]		NAME is one of the functions at the end
#
# It sets URL and BASE (the path that it is mounted at), TOKEN and BEARER,
# SITE (the document root), FILES (the folder of the page in it), MINE (the
# configuration that relevo reads), HOW (who started relevo, for supervisors),
# LEFT (`now` when the server tells relevo at once that a client left, `beat`
# when it is a heartbeat that finds out) and QUIET: the server would end an
# answer after that many seconds of silence, were it not for the shipped file.
# LINGER is for the mounts by .htaccess: their cgi-linger.
#
# shellcheck shell=bash

CONF=$ROOT/conf

mounts_setup()
{
	setup_dir
	PATH=$PATH:/usr/sbin:/sbin
	WEB_UP=/up.txt
	SITE=$DIR/htdocs
	COMPRESS='SetOutputFilter DEFLATE'
	# Apache will not serve as root. What root runs here, www-data does.
	AS=()
	if ((EUID == 0)); then
		AS=(setpriv --reuid=www-data --regid=www-data --clear-groups)
	fi
	mkdir "$DIR/cgi"
	cp "$RELEVO" "$DIR/cgi/relevo.cgi"
	# As the Debian package has it.
	ln -s relevo.cgi "$DIR/cgi/relevo.fcgi"
	: >"$DIR/web.err"
	mock_start
	site
}

# site: a document root with the page, and the mark that web_up looks for.
site()
{
	mkdir "$SITE"
	cp "$ROOT/htdocs/index.html" "$SITE/"
	echo "${DIR##*/}" >"$SITE/up.txt"
}

mounts_teardown()
{
	local bad=0

	stop_all || bad=1
	if [[ -n ${HOME_DIR:-} ]]; then
		# By now none is left of those that suexec started.
		until_true 5 no_exe "$HOME_DIR" || bad=1
		rm -rf "$HOME_DIR"
	fi
	return "$bad"
}

# no_exe FOLDER: no program in it runs.
no_exe()
{
	local exe

	for exe in /proc/[0-9]*/exe; do
		[[ $(readlink "$exe") != "$1"/* ]] || return 1
	done
}

# configure [LINES]: models for whoever has TOKEN; two of them are asked when
# no model is named.
configure()
{
	local told

	told=$("$RELEVO" --config "$DIR/relevo.conf" client new bot)
	TOKEN=$(grep -o 'rlv-[^ ]*' <<<"$told")
	{
		config_mock p1 m1
		config_mock p2 m2
		# Silent for as long as the list of checks takes.
		config_mock p3 m3 m4 |
		    sed '/test-key-p3/a\	idle-timeout = 9m'
		printf 'alias auto {\n\tmodels = {"p1/m1", "p2/m2"}\n}\n'
		sed -n '/^ *client bot/,$p' <<<"$told"
	} | config_write "access = token
	${BASE:+prefix = $BASE}
	${1:-}"
	BEARER="Authorization: Bearer $TOKEN"
}

# own: what the server and a relevo that it starts have to reach.
own()
{
	local but=()

	((EUID == 0)) || return 0
	# A relevo of ours takes no state that is another user's, not even for
	# a moment; and it may be about to make it.
	[[ $HOW != own ]] || but=(! -name 'state*')
	find "$DIR" "${but[@]}" -exec chown -h www-data:www-data {} +
}

# serve: the responder, and a socket that www-data may connect to, as a common
# group would let it.
serve()
{
	HOW=own
	relevo_serve
	((EUID != 0)) || chmod 666 "$DIR/relevo.sock"
}

# supervisors: the processes that a HUP makes read the configuration again.
supervisors()
{
	local all pid

	case $HOW in
	own)	echo "$RELEVO_PID" ;;
	child)	pgrep -P "$WEB_PID" ;;
	fcgid)
		all=$(pgrep -f "^$DIR/cgi/relevo.fcgi")
		for pid in $all; do
			grep -qx "$(ps -o ppid= -p "$pid" | tr -d ' ')" \
			    <<<"$all" || echo "$pid"
		done
		;;
	cgi) ;;
	esac
}

# shipped FILE: a copy in $DIR, edited to mount it at BASE as it says itself.
shipped()
{
	sed -e "s#\^/(chat#^$BASE/(chat#" \
	    -e "s#^\(		\"\)\(/[a-z0-9]*\" => env.RELEVO_CGI\)#\1$BASE\2#" \
	    "$CONF/$1" >"$DIR/$1"
	grep -qF "^$BASE/(chat" "$DIR/$1"
}

mount_start()
{
	local name=$1

	BASE=${2:-}
	MINE=$DIR/relevo.conf
	FILES=$SITE
	LEFT=beat
	QUIET=2
	"mount_$name"
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
		Timeout ${TIMEOUT:-2}
		Suexec ${SUEXEC:-Off}
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

# The heartbeat comes after Apache's own patience of 2 s.
mount_apache_proxy()
{
	configure 'heartbeat = 3s'
	shipped apache-proxy-fcgi.conf
	serve
	apache_start 'mpm_event proxy proxy_fcgi' \
	    "Include $DIR/apache-proxy-fcgi.conf"
}

mount_apache_fcgid()
{
	HOW=fcgid
	configure 'heartbeat = 3s'
	shipped apache-fcgid.conf
	mkdir "$DIR/fcgid"
	apache_start 'mpm_event fcgid' "FcgidIPCDir $DIR/fcgid
	    FcgidProcessTableFile $DIR/fcgid/shm
	    FcgidIOTimeout 2
	    Include $DIR/apache-fcgid.conf"
}

# upload: as a shared host has it: the site is $SITE, and only the folder of the
# upload is the customer's, with the .htaccess in it.
upload()
{
	HOW=cgi
	# Of a CGI nothing but its heartbeat keeps an answer from timing out.
	TIMEOUT=30
	configure "heartbeat = 1s
	${LINGER:+cgi-linger = $LINGER}"
	# Bare text is left out: of a CGI mod_deflate reads some 60 bytes
	# before it looks whether it is wanted at all.
	COMPRESS='AddOutputFilterByType DEFLATE text/html text/event-stream'
	FILES=$SITE$BASE
	mkdir -p "$FILES"
	cp "$ROOT/cgi-bin/.htaccess" "$DIR/cgi/relevo.cgi" \
	    "$DIR/cgi/relevo.fcgi" "$ROOT/htdocs/index.html" "$FILES/"
	UPLOAD=1
}

# upload_start MODULES [LINES]
upload_start()
{
	apache_start "$1" "DocumentRoot $SITE
	    <IfModule cgid_module>
	    ScriptSock $DIR/cgid.sock
	    </IfModule>
	    <Directory $SITE>
	    Require all granted
	    AllowOverride All
	    </Directory>
	    ${2:-}"
}

# Configuration, keys and state beside the program.
mount_apache_cgid()
{
	upload
	MINE=$FILES/relevo.conf
	sed "s|\"$DIR/state\"|state|" "$DIR/relevo.conf" >"$MINE"
	chmod 600 "$MINE"
	upload_start 'mpm_event cgid'
}

# Configuration elsewhere, and line (1) says where.
mount_apache_cgi()
{
	upload
	sed -i "s|^#SetEnv RELEVO_CONFIG .*|SetEnv RELEVO_CONFIG $MINE|" \
	    "$FILES/.htaccess"
	grep -q "^SetEnv RELEVO_CONFIG $MINE\$" "$FILES/.htaccess"
	upload_start 'mpm_prefork cgi'
}

# Outside of the site, in a folder above: suexec hands over neither
# RELEVO_CONFIG nor HOME. It runs what lies below /var/www, called by www-data,
# as another user than root.
mount_apache_suexec()
{
	((EUID == 0)) || skip "suexec needs root: NOT TESTED here"
	[[ -x /usr/lib/apache2/suexec ]] || fail 'no suexec: make deps'
	mkdir -p /var/www /var/log/apache2
	# run.sh knows it by the name of its folder.
	HOME_DIR=${TMPDIR:-rv}
	HOME_DIR=$(mktemp -d "/var/www/${HOME_DIR##*/}.XXXXXX")
	chmod 755 "$HOME_DIR"
	SITE=$HOME_DIR/public_html
	site
	upload
	# Its own copy: what root built may lie where nobody can read.
	mkdir "$HOME_DIR/relevo"
	MINE=$HOME_DIR/relevo/relevo.conf
	sed "s|\"$DIR/state\"|state|" "$DIR/relevo.conf" >"$MINE"
	chmod 600 "$MINE"
	chmod 700 "$HOME_DIR/relevo"
	chmod -R go-w "$SITE"
	chown -R nobody:nogroup "$HOME_DIR"
	SUEXEC=On
	upload_start 'mpm_prefork cgi suexec' 'SuexecUserGroup nobody nogroup'
}

# -- nginx --------------------------------------------------------------------

# The file itself, in a wrapper that keeps all that nginx writes below $DIR.
nginx_site_write()
{
	sed -i -e "s|/run/relevo/relevo.sock|$DIR/relevo.sock|" \
	    -e "s|127.0.0.1:[0-9]*;|127.0.0.1:$PORT;|" \
	    -e "s|/usr/local/share/relevo/htdocs|$SITE|" "$DIR/nginx.conf"
	cp /etc/nginx/fastcgi_params "$DIR/"
	cat >"$DIR/main.conf" <<-END
	daemon off;
	worker_processes 1;
	pid $DIR/nginx.pid;
	error_log $DIR/web.err warn;
	events { }
	http {
	  include /etc/nginx/mime.types;
	  access_log off;
	  fastcgi_read_timeout 2s;
	  $(nginx_temp)
	  include $DIR/nginx.conf;
	}
	END
	own
}

nginx_site()
{
	LEFT=now
	serve
	web_start nginx_site_write "${AS[@]}" nginx -p "$DIR" \
	    -e "$DIR/web.err" -c "$DIR/main.conf"
}

mount_nginx_keep()
{
	configure
	shipped nginx.conf
	[[ $(grep -c '# keep$' "$DIR/nginx.conf") == 2 ]]
	nginx_site
}

mount_nginx_close()
{
	configure
	shipped nginx.conf
	sed -i '/# keep$/d' "$DIR/nginx.conf"
	run ! grep -qE '^[^#]*keep' "$DIR/nginx.conf"
	nginx_site
}

# -- Caddy --------------------------------------------------------------------

caddy_write()
{
	export RELEVO_ADDRESS=$URL
	own
}

# What it keeps goes below $DIR; no administration port.
mount_caddy()
{
	command -v caddy >/dev/null || fail 'no caddy: make deps'
	configure 'heartbeat = 1s'
	shipped Caddyfile
	sed -i '1i {\n\tadmin off\n}' "$DIR/Caddyfile"
	serve
	export RELEVO_SOCKET=$DIR/relevo.sock RELEVO_HTDOCS=$SITE
	export XDG_CONFIG_HOME=$DIR/tmp XDG_DATA_HOME=$DIR/tmp
	web_start caddy_write "${AS[@]}" caddy run --adapter caddyfile \
	    --config "$DIR/Caddyfile"
}

# -- lighttpd -----------------------------------------------------------------

lighttpd_site_write()
{
	export PORT
	own
}

# lighttpd_site FILE: all of it from the environment.
lighttpd_site()
{
	LEFT=now
	export RELEVO_HTDOCS=$SITE RELEVO_LOG=$DIR/relevo.err
	export RELEVO_CONFIG=$DIR/relevo.conf RELEVO_CGI=$DIR/cgi/relevo.cgi
	export RELEVO_FCGI=$DIR/cgi/relevo.fcgi
	export RELEVO_SOCKET=$DIR/relevo.sock
	touch "$RELEVO_LOG"
	web_start lighttpd_site_write "${AS[@]}" lighttpd -D -f "$1"
}

mount_lighttpd_bin()
{
	HOW=child
	configure
	shipped lighttpd.conf
	lighttpd_site "$DIR/lighttpd.conf"
}

# The same file, without the lines that let lighttpd start it.
mount_lighttpd_socket()
{
	configure
	shipped lighttpd.conf
	sed -i '/"bin-path"\|"max-procs"/d' "$DIR/lighttpd.conf"
	serve
	lighttpd_site "$DIR/lighttpd.conf"
}

mount_lighttpd_cgi()
{
	HOW=cgi
	configure
	shipped lighttpd-cgi.conf
	lighttpd_site "$DIR/lighttpd-cgi.conf"
}

# -- Containers ---------------------------------------------------------------

# A try before this one has left its folder behind.
container_write()
{
	rm -rf "$TMPDIR"/tmp.*
	export PORT
	own
}

mount_container()
{
	local share=$DIR/usr/share/relevo

	LEFT=now
	HOW=child
	configure
	mkdir -p "$DIR/usr/bin" "$share/conf" "$DIR/data"
	cp "$DIR/cgi/relevo.cgi" "$DIR/usr/bin/relevo"
	cp "$CONF/container.sh" "$CONF/lighttpd.conf" "$share/conf/"
	ln -s "$SITE" "$share/htdocs"
	# The models of the mock, in the place of the free providers.
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
	MINE=$(echo "$TMPDIR"/tmp.*/relevo.conf)
}
