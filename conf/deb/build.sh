#!/bin/sh
# `make deb`: a Debian package of what `make install` installs, in build/, by
# dpkg-deb alone. The same source and the same libraries give the same bytes.
#
#	$1	the version		$2	seconds since 1970, for all files
set -eu
cd "$(dirname "$0")/../.."
version=$1
export SOURCE_DATE_EPOCH="$2"
: "${MAKE:=make}"
arch=$(dpkg --print-architecture)
work=build/deb
root=$work/relevo
doc=$root/usr/share/doc/relevo

[ "$(dpkg-parsechangelog -l conf/deb/changelog -S Version)" = "$version" ] || {
	echo "deb: conf/deb/changelog does not begin with $version" >&2
	exit 1
}
sh conf/vendor.sh must
umask 022
rm -rf "$work"
mkdir -p "$work/debian" "$root/DEBIAN" "$root/etc/relevo" "$doc"
"$MAKE" -s install DESTDIR="$(pwd)/$root" PREFIX=/usr

# Where Debian has it otherwise. Links, for a package should have no hard ones.
cd "$root/usr"
strip --remove-section=.comment --remove-section=.note bin/relevo
ln -sf ../../bin/relevo lib/relevo/relevo.fcgi
ln -sf ../../bin/relevo lib/relevo/relevo.cgi
mv share/zsh/site-functions share/zsh/vendor-completions
mv share/relevo/conf/relevo.conf ../etc/relevo/
# So that commands see the service's counts without its environment.
sed -i 's|{RELEVO_STATE:-state}.*|{RELEVO_STATE:-/var/lib/relevo/state}|' \
    ../etc/relevo/relevo.conf
grep -q /var/lib/relevo/state ../etc/relevo/relevo.conf
rm -f share/relevo/htdocs/vendor/.stamp share/relevo/htdocs/vendor/LICENSE.*
gzip -9n share/man/man*/*
cd ../../../..

cp conf/deb/copyright README.md README.es.md "$doc/"
gzip -9nc conf/deb/changelog >"$doc/changelog.gz"
install -m 755 conf/deb/postinst conf/deb/prerm conf/deb/postrm "$root/DEBIAN/"
echo /etc/relevo/relevo.conf >"$root/DEBIAN/conffiles"

# dpkg-shlibdeps wants a source package around it.
printf 'Source: relevo\n\nPackage: relevo\nArchitecture: any\n' \
    >"$work/debian/control"
depends=$(cd "$work" && dpkg-shlibdeps -O relevo/usr/bin/relevo)
sed "s/@VERSION@/$version/; s/@ARCH@/$arch/
    s/@DEPENDS@/${depends#*=}/
    s/@SIZE@/$(du -sk --apparent-size "$root" | cut -f 1)/" \
    conf/deb/control >"$root/DEBIAN/control"
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\n' |
    LC_ALL=C sort | xargs md5sum) >"$work/md5sums"
mv "$work/md5sums" "$root/DEBIAN/"
chmod -R u=rwX,go=rX "$root"
chmod 755 "$root/usr/share/relevo/conf/container.sh"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz --build "$root" \
    "build/relevo_${version}_$arch.deb" >/dev/null
