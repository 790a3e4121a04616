# The Debian package (`make deb`): sound, and installed, used, removed and
# purged on a copy of this system that nothing is written back from.

bats_require_minimum_version 1.5.0
load ../helper

setup_file()
{
	make -s -C "$BATS_TEST_DIRNAME/../.." deb
}

setup()
{
	setup_dir
	DEB=$(echo "$ROOT"/build/relevo_*.deb)
}

teardown()
{
	stop_all
}

@test "deb: lintian has nothing to say, and again the same bytes" {
	local before

	command -v lintian >/dev/null || fail 'no lintian: make deps'
	run lintian --fail-on error,warning "$DEB"
	[[ $status == 0 ]] || fail "$output"
	[[ $(grep -vc 'root privileges' <<<"$output") == 0 ]] || fail "$output"
	before=$(sha256sum "$DEB")
	make -s -C "$ROOT" deb
	[[ $(sha256sum "$DEB") == "$before" ]]
}

@test "deb: what is in it, and that it runs from anywhere" {
	local file

	dpkg-deb -x "$DEB" "$DIR/x"
	dpkg-deb -e "$DEB" "$DIR/x/DEBIAN"
	for file in usr/bin/relevo usr/lib/relevo/relevo.fcgi \
	    usr/lib/relevo/relevo.cgi etc/relevo/relevo.conf \
	    usr/share/relevo/htdocs/vendor/marked.js \
	    usr/share/relevo/conf/nginx.conf \
	    usr/share/relevo/conf/env.example \
	    usr/share/man/man1/relevo.1.gz \
	    usr/share/man/man5/relevo.conf.5.gz \
	    usr/share/bash-completion/completions/relevo \
	    usr/share/zsh/vendor-completions/_relevo \
	    usr/lib/systemd/system/relevo.socket \
	    usr/lib/systemd/system/relevo.service \
	    usr/lib/sysusers.d/relevo.conf \
	    usr/share/doc/relevo/copyright usr/share/doc/relevo/changelog.gz; do
		[[ -s $DIR/x/$file ]] || fail "not in it: $file"
	done
	[[ $(<"$DIR/x/DEBIAN/conffiles") == /etc/relevo/relevo.conf ]]
	(cd "$DIR/x" && md5sum --quiet -c DEBIAN/md5sums)
	run grep -rlI --exclude-dir=doc /usr/local "$DIR/x"
	[[ -z $output ]] || fail "/usr/local in $output"
	run find "$DIR/x" -name .env -o -name 'state*' -o -name '*.log'
	[[ -z $output ]]
	RELEVO_ACCESS=open run "$DIR/x/usr/bin/relevo" \
	    --config "$DIR/x/etc/relevo/relevo.conf" check
	[[ $status == 0 ]]
	run --separate-stderr env -i GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=GET \
	    REQUEST_URI=/health RELEVO_ACCESS=open \
	    RELEVO_STATE="$DIR/state" \
	    RELEVO_CONFIG="$DIR/x/etc/relevo/relevo.conf" \
	    "$DIR/x/usr/lib/relevo/relevo.cgi"
	[[ $output == 'Status: 200 OK'* ]]
}

@test "deb: installed, used, installed again, removed, purged" {
	unshare -m true 2>"$DIR/unshare.txt" ||
	    skip "needs root and a mount namespace: NOT TESTED here"
	mock_start
	cp "$DEB" "$DIR/relevo.deb"
	config_mock p1 m1 >"$DIR/models.conf"
	run unshare -m sh "$ROOT/tests/pack/installed.sh" "$DIR"
	echo "$output"
	[[ $status == 0 && ${lines[-1]} == purged ]]
	[[ $(mock_stats .total) == 1 ]]
}
