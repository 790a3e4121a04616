#!/bin/sh
# `make dist-cgi`: what goes to a shared host, as a folder and as an archive of
# it, in build/. The program in it is static: it needs a Linux kernel of the
# same processor and no library of the host.
#
# All libraries are Debian's. Of two there is no archive that could be linked:
# libcurl.a wants Kerberos and LDAP, which exist as shared libraries only, and
# cJSON has none. These are built from Debian's source packages, with Debian's
# patches, by apt, which checks their signatures; curl with no more than HTTP,
# TLS and c-ares. (Static glibc's own resolver would load shared libraries of
# the very same glibc.)
#
#	$1	the version		$2	seconds since 1970, for all files
set -eu
cd "$(dirname "$0")/.."
top=$(pwd)
version=$1 epoch=$2
: "${MAKE:=make}"
static=$top/build/static
src=$static/src
out=build/relevo-cgi-$version
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# HARDEN: the Makefile's, for this processor.
flags="-O2 -fPIE -ffile-prefix-map=$top=. ${HARDEN?by make dist-cgi}"

fail()
{
	echo "dist-cgi: $1" >&2
	exit 1
}

# apt: with a list of sources and folders of its own, so that neither root nor
# a change of the machine's lists is needed.
apt()
{
	apt-get -qq -o Dir::Etc::SourceList="$src/apt/list" \
	    -o Dir::Etc::SourceParts=/dev/null \
	    -o Dir::State::Lists="$src/apt/lists" \
	    -o Dir::Cache="$src/apt/cache" -o APT::Sandbox::User= "$@"
}

sources()
{
	rm -rf "$src"
	mkdir -p "$src/apt/lists/partial" "$src/apt/cache"
	apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
	    'Created-By: Packages' 'Origin: Debian' | sort -u |
	    sed "s|^|deb-src [signed-by=$keyring] |" \
	    >"$src/apt/list"
	[ -s "$src/apt/list" ] || fail 'apt knows no Debian: apt-get update'
	apt update
	(cd "$src" && apt source curl cjson >apt.log 2>&1) || {
		cat "$src/apt.log" >&2
		fail 'no sources of curl and cJSON'
	}
	mv "$src"/curl-*/ "$src/curl"
	mv "$src"/cjson-*/ "$src/cjson"
}

curl_build()
{
	cd "$src/curl"
	# Debian's patches touch what these are made from; as they are, they do.
	touch aclocal.m4
	find . -name configure -o -name '*.in' | xargs touch
	./configure --quiet --disable-shared --enable-static \
	    --disable-dependency-tracking --with-openssl --enable-ares \
	    --with-nghttp2 --disable-openssl-auto-load-config \
	    --without-zlib --without-brotli --without-zstd \
	    --without-libidn2 --without-libpsl --without-libssh2 \
	    --without-librtmp --without-gssapi --without-libgsasl \
	    --disable-ldap --disable-ldaps --disable-ftp --disable-file \
	    --disable-rtsp --disable-dict --disable-telnet --disable-tftp \
	    --disable-pop3 --disable-imap --disable-smb --disable-smtp \
	    --disable-gopher --disable-mqtt --disable-manual --disable-ntlm \
	    --disable-tls-srp --disable-unix-sockets --disable-cookies \
	    --disable-alt-svc --disable-hsts --disable-netrc \
	    --disable-libcurl-option --disable-doh --disable-mime \
	    CFLAGS="$flags" >configure.log 2>&1 || {
		tail -n 20 configure.log >&2
		fail 'curl cannot be configured'
	}
	"$MAKE" -s -C lib -j"$(nproc)" >make.log 2>&1 || {
		tail -n 20 make.log >&2
		fail 'curl cannot be built'
	}
	cd "$top"
}

# -w: the linker warns of getaddrinfo and dlopen, which libcrypto and libfcgi
# could call, and relevo never makes them.
program()
{
	"$MAKE" -s -j"$(nproc)" BUILD="$static" STATIC_CURL=1 CFLAGS="$flags" \
	    CPPFLAGS="-I$src/curl/include" \
	    LDFLAGS="-static-pie -Wl,-w" LIBS="-lfcgi $static/cJSON.o \
	    $src/curl/lib/.libs/libcurl.a -lnghttp2 -lcares -lssl -lcrypto \
	    -lconfuse -lsodium -lm" "$static/relevo"
}

folder()
{
	rm -rf "$out" "$out.tar.gz"
	mkdir -p "$out/ai" "$out/relevo" "$out/licences"
	cp conf/dist-cgi.txt "$out/README.txt"
	cp -R htdocs/. cgi-bin/.htaccess "$out/ai/"
	rm -f "$out/ai/vendor/.stamp"
	strip -o "$out/ai/relevo.cgi" "$static/relevo"
	sed 's|# prefix = /ai	|prefix = /ai	|' conf/relevo.conf \
	    >"$out/relevo/relevo.conf"
	cp conf/env.example "$out/relevo/"
	cp LICENSE "$out/licences/relevo"
	cp "$src/curl/COPYING" "$out/licences/curl"
	cp "$src/cjson/LICENSE" "$out/licences/cjson"
	for p in libc6-dev libssl-dev libnghttp2-dev libc-ares-dev \
	    libfcgi-dev libconfuse-dev libsodium-dev; do
		cp -L "/usr/share/doc/$p/copyright" \
		    "$out/licences/${p%-dev}"
	done
	chmod -R u=rwX,go=rX "$out"
	chmod 700 "$out/relevo"
	chmod 600 "$out/relevo/"*
	(cd "$out" && find . -type f | LC_ALL=C sort | xargs sha256sum \
	    >../SHA256SUMS && mv ../SHA256SUMS .)
	find "$out" -exec touch -h -d "@$epoch" {} +
	tar --sort=name --owner=0 --group=0 --numeric-owner -C build -cf - \
	    "relevo-cgi-$version" | gzip -n >"$out.tar.gz"
}

sh conf/vendor.sh must
mkdir -p "$static"
# Once; `make clean` has it fetched anew, with what Debian mended since.
[ -f "$src/curl/lib/.libs/libcurl.a" ] || {
	sources
	curl_build
}
cc $flags -c -o "$static/cJSON.o" "$src/cjson/cJSON.c"
program
folder
[ -z "$(readelf -d "$out/ai/relevo.cgi" | grep NEEDED)" ] ||
    fail 'it came out with shared libraries'
