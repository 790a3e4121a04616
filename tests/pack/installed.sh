#!/bin/sh
# installed.sh DIR: in a mount namespace of its own, DIR/relevo.deb on an
# overlay of this system, through all that a package goes through. Prints
# `purged` as its last line when all was as it should be.
set -eu
dir=$1
at=$dir/root

if [ "${2-}" != inside ]; then
	mkdir "$at"
	mount -t tmpfs none "$at"
	mkdir "$at/up" "$at/work" "$at/all"
	mount -t overlay none -o "lowerdir=/,upperdir=$at/up,workdir=$at/work" \
	    "$at/all"
	mount --rbind /dev "$at/all/dev"
	mount -t proc none "$at/all/proc"
	mkdir -p "$at/all$dir"
	mount --bind "$dir" "$at/all$dir"
	exec chroot "$at/all" sh "$0" "$dir" inside
fi

export DEBIAN_FRONTEND=noninteractive LC_ALL=C
die() { echo "installed.sh: $1" >&2; exit 1; }
is() { [ "$2" = "$3" ] || die "$1: $2, not $3"; }
owner() { stat -c '%U:%G %a' "$1"; }
package() { dpkg --force-unsafe-io "$@" 2>&1; }
# The index of manual pages takes ten seconds.
rm -f /var/lib/man-db/auto-update
as="runuser -u relevo -- relevo"

# ---- installed
out=$(package -i "$dir/relevo.deb")
case $out in *'relevo client new'*) ;; *) die "no hint: $out" ;; esac
is folder "$(owner /etc/relevo)" 'root:relevo 750'
is configuration "$(owner /etc/relevo/relevo.conf)" 'root:relevo 640'
is keys "$(owner /etc/relevo/.env)" 'root:relevo 640'
is state "$(owner /var/lib/relevo)" 'relevo:relevo 700'
[ -L /etc/systemd/system/sockets.target.wants/relevo.socket ] ||
    die 'the socket is not enabled'
systemd-analyze verify --man=no /usr/lib/systemd/system/relevo.service \
    /usr/lib/systemd/system/relevo.socket
# Nobody is let in, and that is an error that says so.
$as check >"$dir/check" 2>&1 && die 'served without a client'
grep -q 'relevo client new' "$dir/check"

# ---- used, by what an administrator would do
relevo client new me | tee "$dir/told.conf" | sed -n '/^ *client me/,$p' \
    >>/etc/relevo/relevo.conf
sed 's/"test-key-p1"/${MINE_API_KEY}/' "$dir/models.conf" >>/etc/relevo/relevo.conf
echo 'MINE_API_KEY=test-key-p1' >>/etc/relevo/.env
token=$(grep -o 'rlv-[^ ]*' "$dir/told.conf")
$as check
out=$(echo '{"model":"m1","messages":[{"role":"user","content":"hi"}]}' |
    GATEWAY_INTERFACE=CGI/1.1 REQUEST_METHOD=POST \
    REQUEST_URI=/v1/chat/completions CONTENT_TYPE=application/json \
    HTTP_AUTHORIZATION="Bearer $token" runuser -u relevo -- \
    /usr/lib/relevo/relevo.cgi)
case $out in *'w1 w2 w3 w4 w5 '*) ;; *) die "no answer: $out" ;; esac
# By root and without the service's environment: the same counts.
relevo usage --json | grep -q '"requestsToday":1,' || die 'usage saw nothing'
is "root's look" "$(owner /var/lib/relevo/state)" 'relevo:relevo 600'
install -d -o relevo /run/relevo
$as serve --socket /run/relevo/relevo.sock 2>"$dir/serve" &
n=0
until [ -S /run/relevo/relevo.sock ]; do
	n=$((n + 1))
	[ $n -lt 500 ] || die "no socket: $(cat "$dir/serve")"
	sleep 0.02
done
pid=$(ps -o pid= --ppid $!)
kill -TERM $pid
wait $! || die "serve ended with $?: $(cat "$dir/serve")"

# ---- installed again: what was changed is kept, and no hint any more
sum=$(sha256sum /etc/relevo/relevo.conf /etc/relevo/.env)
chmod 440 /etc/relevo/.env
out=$(package -i "$dir/relevo.deb")
case $out in *'relevo client new'*) die "a hint again: $out" ;; esac
is kept "$(sha256sum /etc/relevo/relevo.conf /etc/relevo/.env)" "$sum"
is rights "$(owner /etc/relevo/.env)" 'root:relevo 440'
$as usage --json | jq -e '.totals.requests == 1' >"$dir/usage" ||
    die 'counts were lost'

# ---- removed: configuration, keys and counts stay
package -r relevo >"$dir/removed"
[ ! -e /usr/bin/relevo ] && [ ! -e /usr/share/relevo ] || die 'still there'
[ -s /etc/relevo/relevo.conf ] && [ -s /etc/relevo/.env ] &&
    [ -s /var/lib/relevo/state ] || die 'more than the program is gone'

# ---- purged: nothing stays but the user
package -P relevo >"$dir/purged"
for f in /etc/relevo /var/lib/relevo \
    /etc/systemd/system/sockets.target.wants/relevo.socket; do
	[ ! -e "$f" ] && [ ! -L "$f" ] || die "left: $f"
done
! grep -i 'warning\|error' "$dir/removed" "$dir/purged" || die 'see above'
getent passwd relevo >"$dir/user"
echo purged
