#!/bin/bash
# serve: the mock provider, relevo and lighttpd for the browser tests, until
# stdin ends. Started by kit.mjs; prints one line of JSON when all is up:
# {"url","mock","token"}; exits 0 if everything stopped in order and relevo wrote
# nothing to stderr that it should not.
#
#	serve.bash		providers that are the mock
#	serve.bash demo		no provider at all
#	serve.bash token	as the first, but it asks for a token, and says
#				which; ORIGINS names an origin that may read
#
# The page comes with the headers of conf/lighttpd.conf.

cd "$(dirname "$0")/.." || exit 2
# helper.bash is written for bats.
load()
{
	# shellcheck disable=SC1090
	source "$1.bash"
}
source ./helper.bash

# model PROVIDER/NAME LIMITS: LIMITS are lines of its section.
model()
{
	printf 'model "%s" {\n%s\n}\n' "$1" "$2"
}

config()
{
	local p

	for p in groq cerebras gemini; do
		config_mock "$p"
	done
	model groq/llama 'rpm = 30
		rpd = 1000
		tpm = 6000
		can = {tools}'
	model cerebras/gpt-oss 'rpm = 30
		tpd = 1000000
		can = {tools, reasoning}
		context = 65536'
	model gemini/flash 'rpm = 10
		rpd = 250
		can = {tools, vision, reasoning}
		context = 1048576'
	model gemini/rare 'rpm = 2'
	[[ -z ${ORIGINS:-} ]] || model gemini/once 'rpd = 1'
	# A model that broke off is not asked again for a while: one each.
	for p in light dark left; do
		config_mock "cut$p" "$p"
	done
	printf 'route {\n\tmax-wait = 0s\n}\n'
	printf 'alias broken {\n\tmodels = {%s, %s}\n}\n' \
	    '"cutlight/light"' '"cutdark/dark"'
	printf 'alias duo {\n\tmodels = {"groq/llama", "cerebras/gpt-oss"}\n}\n'
	[[ $1 != token ]] || printf 'client page {\n\ttoken = "%s"\n}\n' "$2"
}

# The page's headers, as the shipped configuration sets them.
headers()
{
	echo 'server.modules += ( "mod_setenv" )'
	sed -n '/^setenv.set-response-header/,/^)/p' "$ROOT/conf/lighttpd.conf"
}

main()
{
	local mode=${1:-} made token=''

	setup_dir || return 1
	mock_start || return 1
	: | config_write
	if [[ $mode == demo ]]; then
		:
	elif [[ $mode == token ]]; then
		made=$("$RELEVO" --config "$DIR/relevo.conf" client new page) ||
		    return 1
		token=$(grep -o 'rlv-[A-Za-z0-9_-]*' <<<"$made")
		config token "$(grep -o 'blake2b:[0-9a-f]*' <<<"$made")" |
		    config_write "access = token${ORIGINS:+
	allowed-origins = {\"$ORIGINS\"\}}"
	else
		config open | config_write
	fi
	lighttpd_start fcgi "$(headers)" || return 1
	printf '{"url":"%s","mock":"%s","token":"%s"}\n' "$URL" "$MOCK_URL" \
	    "$token"
	cat >/dev/null
}

# A signal ends the cat, and so what was started: in order.
trap : INT TERM HUP
status=0
main "$@" || status=1
# SIGINT: lighttpd closes the connections that a browser or node keeps idle.
# Told to stop at once it ends with status 1 over them.
if [[ -n ${WEB_PID:-} ]]; then
	kill -INT "$WEB_PID" 2>/dev/null || true
	until_true 8 gone "$WEB_PID" || true
fi
BATS_TEST_COMPLETED=
((status)) || BATS_TEST_COMPLETED=1
stop_all >&2 || status=1
exit "$status"
