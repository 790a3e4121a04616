#!/bin/sh
# The page's libraries into htdocs/vendor/, unmodified, as their authors
# publish them: `vendor.sh` says so and succeeds when it cannot (the page works
# without them, rendered plainly), `vendor.sh must` fails then.
#
# Versions and checksums stand in conf/vendor/package-lock.json; npm refuses
# what does not match. No script of a package is run. The lock names no address,
# so that any mirror will do.
set -eu
cd "$(dirname "$0")/.."
lock=conf/vendor/package-lock.json
out=htdocs/vendor

# No library's code is in the stamp: it tells which lock and list made $out.
stamp=$(cat "$lock" conf/vendor.sh | cksum)
[ "$(cat "$out/.stamp" 2>/dev/null || :)" != "$stamp" ] || exit 0

fail()
{
	echo "vendor: $1; the page will render plainly" >&2
	[ "$must" = must ] || exit 0
	exit 1
}

must=${1:-}
command -v npm >/dev/null || fail 'there is no npm'

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM HUP
cp conf/vendor/package.json "$lock" conf/vendor/.npmrc "$tmp"
(cd "$tmp" && npm ci --ignore-scripts --no-audit --no-fund \
    --no-update-notifier --loglevel=error) >"$tmp/log" 2>&1 || {
	grep -m 1 -E 'code|EINTEGRITY' "$tmp/log" >&2 || :
	fail 'npm could not fetch the libraries'
}

# put FILE NAME: of node_modules into the folder.
new=$tmp/vendor
put()
{
	mkdir -p "$new/$(dirname "$2")"
	cp "$tmp/node_modules/$1" "$new/$2"
}

hl=@highlightjs/cdn-assets
put marked/lib/marked.esm.js marked.js
put dompurify/dist/purify.min.js purify.js
put uplot/dist/uPlot.esm.js uplot.js
put uplot/dist/uPlot.min.css uplot.css
put $hl/es/core.min.js highlight/core.js
# The same names as in htdocs/js/code.js.
for l in bash c cpp csharp css diff dockerfile go ini java javascript json \
    kotlin lua makefile markdown nginx perl php plaintext powershell python r \
    ruby rust scala sql swift typescript xml yaml; do
	put "$hl/es/languages/$l.min.js" "highlight/$l.js"
done
for p in marked dompurify uplot $hl; do
	put "$p/LICENSE" "LICENSE.$(basename "$p" | sed s/cdn-assets/highlight/)"
done

echo "$stamp" >"$new/.stamp"
chmod -R u=rwX,go=rX "$new"
rm -rf "$out"
mv "$new" "$out"
(cd "$out" && find . -name '*.js' -o -name '*.css' | sort | xargs sha256sum) |
    sed 's/^/vendor: /'
