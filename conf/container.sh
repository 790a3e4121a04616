#!/bin/sh
# What a container starts: lighttpd on all addresses at $PORT, relevo behind
# it, the log on stderr. See conf/Dockerfile and conf/nixpacks.toml.
#
#	PORT			3000
#	RELEVO_CLIENT		a token's hash, "blake2b:...", which
#				`relevo client new NAME` prints with the token
#	RELEVO_ACCESS=open	instead of it, if nobody else reaches $PORT
#	RELEVO_DATA		/data: the state, and a relevo.conf and .env
#				of your own if they are there
#	GROQ_API_KEY, ...	as in conf/env.example
set -eu
umask 077
here=$(cd "$(dirname "$0")" && pwd)
data=${RELEVO_DATA:-/data}
run=$(mktemp -d)

export PORT="${PORT:-3000}"
export RELEVO_STATE="${RELEVO_STATE:-$data/state}"
export RELEVO_HTDOCS="${RELEVO_HTDOCS:-$here/../htdocs}"
export RELEVO_FCGI="${RELEVO_FCGI:-$here/../../../bin/relevo}"
export RELEVO_SOCKET="$run/relevo.sock"
# None: then relevo has lighttpd's own stderr. Not /dev/stderr, which is opened
# anew, and another user's pipe forbids that; nor a program to log to, which has
# /dev/null for stderr and since lighttpd 1.4.79 at the latest nothing else.
export RELEVO_LOG=

mkdir -p "$data" 2>/dev/null || :
[ -w "$data" ] || {
	echo "relevo: $data is not writable: counts would be lost" >&2
	exit 78
}
if [ -z "${RELEVO_CONFIG-}" ] && [ -f "$data/relevo.conf" ]; then
	RELEVO_CONFIG=$data/relevo.conf
fi
if [ -z "${RELEVO_CONFIG-}" ]; then
	RELEVO_CONFIG=$run/relevo.conf
	cp "$here/relevo.conf" "$RELEVO_CONFIG"
	[ -z "${RELEVO_CLIENT-}" ] ||
	    printf '\nclient main {\n\ttoken = "${RELEVO_CLIENT}"\n}\n' \
	    >>"$RELEVO_CONFIG"
fi
export RELEVO_CONFIG
"$RELEVO_FCGI" check >&2

# The shipped file listens on this machine alone.
cat >"$run/lighttpd.conf" <<END
include "$here/lighttpd.conf"
server.bind := "${RELEVO_BIND:-0.0.0.0}"
END
PATH=$PATH:/usr/sbin
exec lighttpd -D -f "$run/lighttpd.conf"
