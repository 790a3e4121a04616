#!/bin/sh
# The page's tests as TAP: its pure parts under node, then all of it in Debian's
# Chromium (CHROMIUM names another) against relevo, lighttpd and the mock
# provider (RELEVO and MOCK name other builds). Needs node 18, npm, chromium.
# Pictures of every view are left in out/.
#
#	run.sh engines [NAME]	instead of that its main journeys in Firefox
#				and WebKit, or in the one that is named. Status
#				1 also if an engine is not installed.
set -u
cd "$(dirname "$0")/../.."
bad=0
what=${1:-}

[ -n "$what" ] || for t in tests/page/*.mjs; do
	node --test-reporter=tap "$t" || bad=1
done

sh conf/vendor.sh must >&2 || { echo 'not ok - the libraries'; exit 1; }
# npm ci always begins anew: only if what is there is of another lock.
cd tests/browser
lock=$(cksum <package-lock.json)
if [ "$(cat node_modules/.lock 2>/dev/null)" != "$lock" ]; then
	npm ci --ignore-scripts --loglevel=error >&2 ||
	    { echo 'not ok - playwright-core, axe-core, ws'; exit 1; }
	echo "$lock" >node_modules/.lock
fi
if [ "$what" = engines ]; then
	shift
	exec node --test-reporter=tap engines.mjs "$@"
fi
for t in chat render board cors; do
	node --test-reporter=tap $t.mjs || bad=1
done
exit $bad
