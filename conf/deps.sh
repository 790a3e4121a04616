#!/bin/sh
# Install the Debian packages that are missing: `deps.sh run` what the program
# and its demo need, `deps.sh dist` what the archives for others need on top of
# that, `deps.sh check` what the tests need on top of both, `deps.sh prove`,
# `deps.sh browsers` and `deps.sh lint` what a developer may run beside them.
set -eu

run='build-essential pkg-config libfcgi-dev libcurl4-openssl-dev
libcjson-dev libconfuse-dev libsodium-dev lighttpd ca-certificates curl'
check='libcmocka-dev bats bats-assert bats-support jq nginx-light clang
libclang-rt-dev chromium fonts-noto-color-emoji
apache2-bin libapache2-mod-fcgid apache2-suexec-pristine caddy mandoc
lintian openssl systemd python3-prometheus-client valgrind strace'
dist='libssl-dev libnghttp2-dev libc-ares-dev git'
# By whatever package: NodeSource's nodejs has npm in it.
command -v npm >/dev/null || dist="$dist nodejs npm"
prove='wrk faketime libfaketime'
browsers='firefox-esr webkit2gtk-driver xvfb xdotool'
lint='clang-tidy clang-format cppcheck pmccabe gcovr'

case ${1-} in
run)	want=$run ;;
dist)	want="$run $dist" ;;
check)	want="$run $dist $check" ;;
prove)	want="$run $dist $check $prove" ;;
browsers) want="$run $dist $check $browsers" ;;
lint)	want="$run $dist $check $lint" ;;
*)	echo "usage: deps.sh run|dist|check|prove|browsers|lint" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null; then
	echo "This is no Debian: what is needed is" $want "by whatever name" \
	    "your system gives it." >&2
	exit 0
fi
missing=
for p in $want; do
	dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null |
	    grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
	sudo=
elif sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }
then
	sudo=sudo
else
	echo "Packages are missing and may not be installed from here; type:" >&2
	echo "    apt-get install -y --no-install-recommends$missing" >&2
	exit 1
fi
echo "Installing, to build and run ($1):$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# A machine that has just begun may be installing its updates.
$sudo apt-get -o DPkg::Lock::Timeout=300 install -y -qq \
    --no-install-recommends $missing >/dev/null
