#!/bin/bash
# serve: the mock provider, relevo and nginx for the SDK tests, until stdin
# ends. Started by kit.mjs. Prints one line of JSON when all is up:
# {"url","mock","token","access"}; exits 0 if everything stopped in order and
# relevo wrote nothing to stderr that it should not.
#
# One client, "sdk". Models s1, s2, ... are the mock's, each of a provider of
# its own, so that what one test breaks no other test sees; day1, day2, ... have
# one request a day each, plain can do nothing but text.

MODELS=${MODELS:-100}

cd "$(dirname "$0")/.." || exit 2
# helper.bash is written for bats.
load()
{
	# shellcheck disable=SC1090
	source "$1.bash"
}
source ./helper.bash

# What config_mock prints, with LINE in each model.
model_with()
{
	sed "s/^model .*{\$/&\n\t$1/"
}

config()
{
	local hash=$1 n

	for ((n = 1; n <= MODELS; n++)); do
		config_mock "p$n" "s$n"
	done | model_with 'can = {tools, vision, json}'
	for n in day{1..6}; do
		config_mock "${n/day/limited}" "$n"
	done | model_with 'rpd = 1'
	config_mock vendor org/m plain
	printf 'route {\n\tmax-wait = 0s\n}\n'
	printf 'client sdk {\n\ttoken = "%s"\n}\n' "$hash"
}

main()
{
	local hash made token

	setup_dir || return 1
	mock_start || return 1
	: | config_write
	made=$("$RELEVO" --config "$DIR/relevo.conf" client new sdk) ||
	    return 1
	token=$(grep -o 'rlv-[A-Za-z0-9_-]*' <<<"$made")
	hash=$(grep -o 'blake2b:[0-9a-f]*' <<<"$made")
	config "$hash" | config_write 'access = token'
	nginx_start keep "access_log $DIR/access.log;" || return 1
	printf '{"url":"%s","mock":"%s","token":"%s","access":"%s"}\n' \
	    "$URL" "$MOCK_URL" "$token" "$DIR/access.log"
	cat >/dev/null
}

# A signal ends the cat, and so what was started: in order.
trap : INT TERM HUP
status=0
main || status=1
BATS_TEST_COMPLETED=
((status)) || BATS_TEST_COMPLETED=1
stop_all >&2 || status=1
exit "$status"
