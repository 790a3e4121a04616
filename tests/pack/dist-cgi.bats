# The archive for shared hosting (`make dist-cgi`), used as its README.txt says.

bats_require_minimum_version 1.5.0
load ../helper

setup_file()
{
	make -s -C "$BATS_TEST_DIRNAME/../.." dist-cgi
}

setup()
{
	setup_dir
	MADE=$(echo "$ROOT"/build/relevo-cgi-*.tar.gz)
	HOME_DIR=$DIR/home
	SITE=$HOME_DIR/public_html/ai
	# As the two uploads of README.txt.
	mkdir -p "$HOME_DIR/public_html" "$DIR/made"
	tar -xzf "$MADE" -C "$DIR/made" --strip-components=1
	cp -R "$DIR/made/ai" "$HOME_DIR/public_html/"
	cp -R "$DIR/made/relevo" "$HOME_DIR/"
	mock_start
}

teardown()
{
	stop_all
}

# upload SECTIONS [LINES]: in the place of the free providers.
upload()
{
	config_write "${2:-}" <<<"$1"
	sed "s|\"$DIR/state\"|state|" "$DIR/relevo.conf" \
	    >"$HOME_DIR/relevo/relevo.conf"
}

# As suexec starts it: no HOME, nothing of ours.
# cgi_chat: asks m1 and sets output.
cgi_chat()
{
	output=$(chat_body m1 | env -i GATEWAY_INTERFACE=CGI/1.1 \
	    REQUEST_METHOD=POST REQUEST_URI=/ai/v1/chat/completions \
	    CONTENT_TYPE=application/json "$SITE/relevo.cgi" \
	    2>>"$DIR/relevo.err" | sed '1,/^\r$/d')
}

@test "dist-cgi: a static program that can be placed anywhere, sums, licences" {
	local name

	run readelf -dl "$SITE/relevo.cgi"
	[[ $status == 0 && $output != *NEEDED* && $output != *INTERP* ]]
	[[ $output == *'DYN (Position-Independent'* && $output == *BIND_NOW* ]]
	(cd "$DIR/made" && sha256sum --quiet -c SHA256SUMS)
	[[ $(wc -l <"$DIR/made/SHA256SUMS") == \
	    $(find "$DIR/made" -type f ! -name SHA256SUMS | wc -l) ]]
	cmp "$SITE/index.html" "$ROOT/htdocs/index.html"
	cmp "$SITE/.htaccess" "$ROOT/cgi-bin/.htaccess"
	[[ -s $SITE/vendor/marked.js ]]
	[[ $(stat -c %a "$SITE/relevo.cgi") == 755 ]]
	[[ $(stat -c %a "$DIR/made/relevo/relevo.conf") == 600 ]]
	for name in relevo curl cjson libc6 libssl libsodium; do
		[[ -s $DIR/made/licences/$name ]] || fail "no licence of $name"
	done
	# Not a key, a log or a state of whoever built it.
	run find "$DIR/made" -name .env -o -name 'state*' -o -name '*.log'
	[[ -z $output ]]
	"$SITE/relevo.cgi" version | grep -q '^libcurl [78]'
}

@test "dist-cgi: the same bytes, built again" {
	local before

	before=$(sha256sum "$MADE")
	rm -f "$ROOT"/build/static/*.o "$ROOT/build/static/relevo"
	make -s -C "$ROOT" dist-cgi
	[[ $(sha256sum "$MADE") == "$before" ]]
}

@test "dist-cgi: the sample configuration, nothing set but who may ask" {
	local out

	mv "$HOME_DIR/relevo/env.example" "$HOME_DIR/relevo/.env"
	echo RELEVO_ACCESS=open >>"$HOME_DIR/relevo/.env"
	run env -i "$SITE/relevo.cgi" check
	[[ $status == 0 && $output == "$HOME_DIR/relevo/relevo.conf: ok"* ]]
	out=$(env -i GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET \
	    REQUEST_URI=/ai/ "$SITE/relevo.cgi" 2>"$DIR/relevo.err")
	[[ $out == 'Status: 200 OK'*'AI API running'* ]]
	[[ -e $HOME_DIR/relevo/state && ! -e $SITE/state ]]
}

@test "dist-cgi: a chat, and the counts are outside of the web site" {
	upload "$(config_mock p1 m1)"
	cgi_chat
	json '.choices[0].message.content == "w1 w2 w3 w4 w5 "'
	run "$SITE/relevo.cgi" usage --json
	json '.totals.requests == 1'
	[[ -e $HOME_DIR/relevo/state ]]
}

# tls_write: an authority, a certificate of NAME, nginx before the mock.
tls_write()
{
	mkdir -p "$DIR/ca"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -days 2 -subj /CN=authority -keyout "$DIR/ca.key" \
	    -out "$DIR/ca/authority.pem"
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	    -subj "/CN=$NAME" -keyout "$DIR/tls.key" -out "$DIR/tls.csr"
	openssl x509 -req -days 2 -in "$DIR/tls.csr" -CA "$DIR/ca/authority.pem" \
	    -CAkey "$DIR/ca.key" -CAcreateserial -out "$DIR/tls.pem" \
	    -extfile <(echo "subjectAltName=DNS:$NAME")
	openssl rehash "$DIR/ca"
	cat >"$DIR/nginx.conf" <<-END
	daemon off;
	pid $DIR/nginx.pid;
	error_log $DIR/web.err warn;
	events { }
	http {
	  access_log off;
	  $(nginx_temp)
	  server {
	    listen 127.0.0.1:$PORT ssl http2;
	    ssl_certificate $DIR/tls.pem;
	    ssl_certificate_key $DIR/tls.key;
	    location = /.up { return 200 "${DIR##*/}"; }
	    location / { proxy_pass $MOCK_URL; }
	  }
	}
	END
	URL=https://127.0.0.1:$PORT
} >>"$DIR/openssl.log" 2>&1

# tls_start NAME: TLS for the name, which curl is told not to check for /.up.
tls_start()
{
	NAME=$1
	echo insecure >"$DIR/.curlrc"
	CURL_HOME=$DIR web_start tls_write nginx -p "$DIR" \
	    -e "$DIR/web.err" -c "$DIR/nginx.conf"
}

# tls_upload NAME CA-PATH [LINES]
tls_upload()
{
	upload "$(config_mock p1 m1 |
	    sed "s|$MOCK_URL/p1|https://$1:$PORT/p1|")" "ca-path = \"$2\"
	${3:-}"
}

@test "dist-cgi: TLS by a folder of certificates, by a file, and refused" {
	tls_start localhost
	tls_upload localhost "$DIR/ca"
	cgi_chat
	json '.choices[0].message.content == "w1 w2 w3 w4 w5 "'
	tls_upload localhost "$DIR/ca/authority.pem"
	cgi_chat
	json '.choices[0].message.content == "w1 w2 w3 w4 w5 "'
	# An authority that nobody here knows.
	"$SITE/relevo.cgi" state reset
	tls_upload localhost /etc/ssl/certs
	cgi_chat
	json '.error.code == "upstream_refused"'
	[[ $(mock_stats .total) == 2 ]]
}

# Not by glibc: that would load its shared libraries.
@test "dist-cgi: names by c-ares, /etc/hosts too; HTTP/2" {
	unshare -m true 2>"$DIR/unshare.txt" ||
	    skip "needs root and a mount namespace: NOT TESTED here"
	tls_start provider.test
	tls_upload provider.test "$DIR/ca"
	sed -i 's|^\(provider p1 {\)|\1 http2 = yes|' \
	    "$HOME_DIR/relevo/relevo.conf"
	export -f cgi_chat chat_body one_member
	export SITE HI
	# By nobody: a name server may take longer than the time to connect.
	: >"$DIR/none"
	output=$(unshare -m bash -c 'mount --bind "$DIR/none" /etc/resolv.conf &&
	    cgi_chat && echo "$output"')
	json '.error.code == "upstream_refused"'
	"$SITE/relevo.cgi" state reset
	echo '127.0.0.1 provider.test' >"$DIR/hosts"
	output=$(unshare -m bash -c 'mount --bind "$DIR/hosts" /etc/hosts &&
	    cgi_chat && echo "$output"')
	json '.choices[0].message.content == "w1 w2 w3 w4 w5 "'
}
