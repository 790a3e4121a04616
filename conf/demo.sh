#!/bin/sh
# Serve the page and the API on 127.0.0.1:${PORT:-3000} until Ctrl-C. Files of
# the run go to run/. Keys come from .env in the top folder, or the environment.
set -eu
cd "$(dirname "$0")/.."
top=$(pwd)
run=$top/run

# PORT may stand in .env, as the first programs of this API had it. The file is
# read, never sourced.
if [ -z "${PORT-}" ] && [ -f .env ]; then
	PORT=$(sed -n 's/^\(export \)\{0,1\}PORT="\{0,1\}\([0-9]*\)"\{0,1\} *$/\2/p' \
	    .env | tail -n 1)
fi
PORT=${PORT:-3000}
export PORT
url=http://127.0.0.1:$PORT

# Before anything of a demo that runs already is touched. 7: nobody is there.
told=0
curl -s -o /dev/null -m 5 "$url/" || told=$?
[ $told = 7 ] || {
	echo "demo: something listens on $url already: PORT=8080 make demo"
	exit 1
}

umask 077
mkdir -p "$run"
rm -f "$run/.env" "$run/stderr.log"
if [ -f .env ]; then
	[ -z "$(find .env -perm /077)" ] || {
		echo "demo: .env holds keys and others could read it: chmod 600"
		chmod 600 .env
	}
	ln -s ../.env "$run/.env"
fi
cp conf/relevo.conf "$run/relevo.conf"

export RELEVO_CONFIG="$run/relevo.conf"
# Only this machine can reach the demo, so it asks for no token.
export RELEVO_ACCESS="${RELEVO_ACCESS:-open}"
export RELEVO_STATE="$run/state"
export RELEVO_FCGI="$top/cgi-bin/relevo.fcgi"
export RELEVO_SOCKET="$run/relevo.sock"
export RELEVO_HTDOCS="$top/htdocs"
export RELEVO_LOG="$run/stderr.log"

build/relevo check || exit 1

lighttpd=$(command -v lighttpd || echo /usr/sbin/lighttpd)
# Its own session, so that Ctrl-C reaches this script alone, which then stops
# the web server, which stops relevo.
setsid "$lighttpd" -D -f conf/lighttpd.conf &
web=$!
trap 'kill -TERM $web 2>/dev/null || :' INT TERM HUP EXIT

n=0
until curl -fs -o /dev/null "$url/health"; do
	kill -0 $web 2>/dev/null || { echo "demo: lighttpd did not start"; exit 1; }
	n=$((n + 1))
	[ $n -lt 100 ] || { echo "demo: no answer at $url"; cat "$run/stderr.log"; exit 1; }
	sleep 0.1
done

cat <<EOF

relevo is at $url

    curl -N $url/chat -H 'Content-Type: application/json' \\
        -d '{"messages":[{"role":"user","content":"Hello"}]}'

Its log is run/stderr.log. Ctrl-C ends it.
EOF
while kill -0 $web 2>/dev/null; do
	wait $web || :
done
