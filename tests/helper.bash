# helper: what every .bats file here starts from.
#
#	load helper
#	setup() { setup_dir; mock_start; config_write <<<"..."; }
#	teardown() { stop_all; }
#
# Every path is below $DIR, every port on 127.0.0.1 and found free, every
# process is remembered and stopped by its pid. Nothing waits by sleeping for
# a while: waits are for a condition, and bounded (`until_true`).
#
#	RELEVO	the program (build/relevo)	MOCK	the mock provider
#	DIR	the test's own folder		URL	of the web server
#
# shellcheck shell=bash

# Their load.bash starts a dirname for each file, for each test.
for ASSERT in /usr/lib/bats/bats-{support,assert}/src/*.bash; do
	# shellcheck disable=SC1090
	source "$ASSERT"
done

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Absolute: lighttpd starts it from another folder.
RELEVO=$(realpath -m "${RELEVO:-$ROOT/build/relevo}")
MOCK=${MOCK:-$ROOT/build/mock/mock}

# shellcheck source=tests/web.bash
source "$ROOT/tests/web.bash"

# -- The folder, and processes ----------------------------------------------

# Short, because a unix socket's path ends at 107 bytes.
setup_dir()
{
	DIR=$(mktemp -d "${TMPDIR:-/tmp}/rv.XXXXXX") || return 1
	mkdir "$DIR/tmp"
	: >"$DIR/pids"
	export DIR
	((EUID == 0)) || named_by_folder
}

# A process that holds keys shows its environment, files and folder to root
# alone (main.c). For who is not, its name says whose it is, which all may see.
named_by_folder()
{
	mkdir "$DIR/by"
	ln -s "$RELEVO" "$DIR/by/relevo"
	RELEVO=$DIR/by/relevo
}

# look_into: skip the rest of the test if this user may not. The sanitized
# program can be looked into.
look_into()
{
	((EUID == 0)) || grep -qa __asan_init "$RELEVO" ||
	    skip "needs root to look into relevo: NOT TESTED here"
}

# until_true SECONDS COMMAND...: run it until it succeeds; 1 if it never does.
# SECONDS are a quiet machine's. A busy one, where a process may stand still for
# some of them, has six times as many; nothing is proved by running out of them.
until_true()
{
	local end=$((SECONDS + 6 * $1 + 1))

	shift
	until "$@"; do
		((SECONDS < end)) || return 1
		sleep 0.01
	done
}

# same_day: what is counted by the day is looked at on the day when it was
# counted. Waits for the end of one that ends soon, for setup.
same_day()
{
	until_true 300 day_lasts 300
}

# day_lasts SECONDS: UTC's, which the windows of a day and a month go by.
day_lasts()
{
	((86400 - EPOCHSECONDS % 86400 > $1))
}

# A zombie is not alive: it only waits for bash to collect it.
alive()
{
	local state

	{ read -r _ _ state _ <"/proc/$1/stat"; } 2>/dev/null &&
	    [[ $state != Z ]]
}

gone()
{
	! alive "$1"
}

# spawn NAME COMMAND...: start it with its output in $DIR/NAME.out and
# $DIR/NAME.err; the pid is in SPAWNED. fd 3 is bats' own: kept open by a
# child, it would hold up the run.
spawn()
{
	local name=$1

	shift
	(
		exec 3>&- 4>&- </dev/null
		exec "$@" >>"$DIR/$name.out" 2>>"$DIR/$name.err"
	) &
	SPAWNED=$!
	echo "$name $SPAWNED" >>"$DIR/pids"
}

forget()
{
	local pid=$1

	sed -i "/ $pid\$/d" "$DIR/pids"
}

# stop NAME PID: TERM, and time for it to end with status 0. 1 if it had to be
# killed or ended otherwise.
stop()
{
	local name=$1 pid=$2 status=0

	forget "$pid"
	kill -TERM "$pid" 2>/dev/null || true
	if ! until_true 8 gone "$pid"; then
		echo "$name (pid $pid) did not end on SIGTERM: killed"
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
		return 1
	fi
	wait "$pid" 2>/dev/null || status=$?
	# 127: not a child of this shell (started in setup_file).
	if ((status != 0 && status != 127)); then
		echo "$name (pid $pid) ended with status $status"
		return 1
	fi
}

# Processes that the web server or the supervisor left behind: their
# environment names our folder, or for who may not see that, they themselves.
strays()
{
	local f

	# One grep for all: a process for each would be most of a test's time.
	for f in $(grep -lszxF "RELEVO_CONFIG=$DIR/relevo.conf" \
	    /proc/[0-9]*/environ || true;
	    ((EUID == 0)) || grep -lsz "^$DIR/.*/relevo" /proc/[0-9]*/cmdline)
	do
		f=${f#/proc/}
		f=${f%/*}
		! alive "$f" || echo "$f"
	done | sort -u
}

# How the programs under test were started, as `ps` shows it to everybody.
command_lines()
{
	local pid

	for pid in $(strays) $(sed -n 's/^\(relevo\|web\) //p' "$DIR/pids"); do
		{ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null || true
	done
}

no_strays()
{
	[[ -z $(strays) ]]
}

# The end of a test, for teardown. Fails it when something did not stop, when
# relevo wrote what it should not (STDERR_ALLOW is a regular expression of lines
# that the test expects), or when a key or token is in anything it left: logs,
# state, temporary files, cores, answers, command lines (canary.sh).
stop_all()
{
	local bad=0 name pid

	[[ -n ${DIR:-} && -d $DIR ]] || return 0
	command_lines >"$DIR/cmdline"
	for pid in $(cat "$DIR"/*.stream 2>/dev/null); do
		kill -TERM "$pid" 2>/dev/null || true
	done
	while read -r name pid; do
		stop "$name" "$pid" || bad=1
	done < <(tac "$DIR/pids")
	if ! until_true 3 no_strays; then
		for pid in $(strays); do
			echo "left behind: pid $pid, killed"
			kill -KILL "$pid"
		done
		bad=1
	fi
	stderr_clean "${STDERR_ALLOW:-}" || bad=1
	sh "$ROOT/tests/canary.sh" "$DIR" || bad=1
	if ((bad)) || [[ -z ${BATS_TEST_COMPLETED:-} ]]; then
		tail -n 20 "$DIR"/*.err 2>/dev/null
	fi
	rm -rf "$DIR"
	return "$bad"
}

# What a string may hold (RFC 8259), and a line of the log: an object without
# others in it.
JSON_CHAR='([^"\\[:cntrl:]]|\\(["\\/bfnrt]|u[0-9a-fA-F]{4}))'
LOG_MEMBER="\"[a-z_]+\":(\"$JSON_CHAR*\""
LOG_MEMBER+='|-?(0|[1-9][0-9]*)(\.[0-9]+)?|true|false|null)'
LOG_LINE="\\{($LOG_MEMBER,)*\"level\":\"(debug|info|warn)\"(,$LOG_MEMBER)*\\}"

# stderr_clean [ALLOWED]: what relevo wrote on stderr is JSON log lines of
# level debug, info or warn, and lines that match ALLOWED. A sanitizer's report
# is never allowed. Shows the first lines that are not.
stderr_clean()
{
	local file=$DIR/relevo.err lines

	[[ -s $file ]] || return 0
	if grep -nE 'Sanitizer|runtime error' "$file"; then
		return 1
	fi
	# To start a jq takes longer than most of what is done here: it sees
	# what this does not know.
	lines=$(LC_ALL=C grep -vxE "$LOG_LINE" "$file") || [[ $? == 1 ]] ||
	    return 1
	[[ -n $lines ]] || return 0
	lines=$(jq -Rr 'select(length > 0) | . as $line
	    | try fromjson catch null
	    | if type == "object" and
	        (.level | IN("debug", "info", "warn"))
	      then empty else $line end' <<<"$lines")
	if [[ -n ${1:-} ]]; then
		lines=$(grep -vE -- "$1" <<<"$lines") || true
	fi
	[[ -n $lines ]] || return 0
	echo "on stderr of relevo:"
	head -n 20 <<<"$lines"
	return 1
}

# A port that was free a moment ago. Who binds it must be ready to try again.
free_port()
{
	"$MOCK" --free-port
}

# closed_port: sets CLOSED, a port that nobody listens on, and that nobody else
# gets before the test ends.
closed_port()
{
	spawn closed perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1",
		    Proto => "tcp") or die;
		$SIG{TERM} = sub { exit 0 };
		$| = 1;
		print $s->sockport, "\n";
		sleep while 1;'
	until_true 10 test -s "$DIR/closed.out" || fail 'no closed port'
	CLOSED=$(<"$DIR/closed.out")
}

# same_hour SECONDS: the clock's hour lasts for so long: what is counted by the
# hour or the day, in UTC, stays in one.
same_hour()
{
	until ((3600 - EPOCHSECONDS % 3600 > $1)); do
		sleep 0.1
	done
}

# -- The mock provider ------------------------------------------------------

# mock_start [OPTIONS]: sets MOCK_PORT, MOCK_PID, MOCK_URL.
mock_start()
{
	[[ -x $MOCK ]] || fail "no mock: build it (make) or set MOCK"
	rm -f "$DIR/mock.port"
	spawn mock "$MOCK" --port-file "$DIR/mock.port" "$@"
	MOCK_PID=$SPAWNED
	until_true 10 test -s "$DIR/mock.port" || fail "mock did not start"
	MOCK_PORT=$(<"$DIR/mock.port")
	MOCK_URL=http://127.0.0.1:$MOCK_PORT
	export MOCK_PORT MOCK_PID MOCK_URL
}

# uri TEXT: as a part of a query.
uri()
{
	if [[ $1 == *[!A-Za-z0-9._~/-]* ]]; then
		jq -rn --arg v "$1" '$v | @uri'
	else
		printf '%s\n' "${1//\//%2F}"
	fi
}

# mock_ctl METHOD PATH [CURL OPTIONS]: 1 and the mock's words if it refuses.
mock_ctl()
{
	local method=$1 path=$2

	shift 2
	curl -sS -m 90 --fail-with-body -X "$method" "$@" \
	    "$MOCK_URL/_mock/$path"
}

# mock_script MODEL SCRIPT [TIMES]: how MODEL behaves from now on, or for
# that many requests. mock_key does the same for a key's last four characters.
mock_script()
{
	mock_ctl PUT "script?model=$(uri "$1")${3:+&times=$3}" \
	    --data-binary "$2" >/dev/null
}

mock_key()
{
	mock_ctl PUT "script?key=$(uri "$1")${3:+&times=$3}" \
	    --data-binary "$2" >/dev/null
}

# mock_gate NAME N: let chunks 1..N through.
mock_gate()
{
	mock_ctl POST "gate?name=$(uri "$1")&n=$2" >/dev/null
}

# mock_stats EXPR: of {models:{NAME:{requests,inflight,peak,completed,
# aborted,stale,tokens}},total,connections,open}.
mock_stats()
{
	mock_ctl GET stats | jq -r "$1"
}

# mock_wait MODEL WHAT [COUNT]: until the counter WHAT of MODEL ("" for all)
# is COUNT or more, or WHAT is `idle`. 1 after a minute.
mock_wait()
{
	local of=${1:+model=$(uri "$1")&}

	mock_ctl GET "wait?${of}what=$2&count=${3:-1}&ms=60000" >/dev/null
}

# mock_last MODEL [BACK]: the last request, head and body, as it came.
# mock_body: its body alone.
mock_last()
{
	mock_ctl GET "last?model=$(uri "$1")&back=${2:-0}"
}

mock_body()
{
	mock_last "$@" | sed '1,/^\r$/d'
}

# mock_log [MODEL]: a JSON line for each request.
mock_log()
{
	mock_ctl GET "log${1:+?model=$(uri "$1")}"
}

mock_reset()
{
	mock_ctl POST reset >/dev/null
}

# -- Configuration ----------------------------------------------------------

# config_write [LINES]: stdin behind a server section, which LINES are added
# to; an `access` among them replaces `open`.
config_write()
{
	{
		printf 'server {\n\tstate = "%s/state"\n' "$DIR"
		[[ ${1:-} == *access* ]] || printf '\taccess = open\n'
		printf '%s\n}\n' "${1:-}"
		cat
	} >"$DIR/relevo.conf"
	chmod 600 "$DIR/relevo.conf"
}

# config_mock PROVIDER MODEL...: a provider that is the mock, with a key of
# its own, and models of it without limits.
config_mock()
{
	local provider=$1 model

	shift
	printf 'provider %s {\n\turl = "%s/%s/v1"\n\tkey = "%s"\n}\n' \
	    "$provider" "$MOCK_URL" "$provider" "test-key-$provider"
	for model; do
		printf 'model "%s/%s" {\n}\n' "$provider" "$model"
	done
}

# -- Asking -----------------------------------------------------------------

# req METHOD PATH [CURL OPTIONS]: sets http_code, output and status (curl's);
# the head is in $DIR/head, the exact body in $DIR/body, both of every req in
# $DIR/heard, for the canary. A PATH that has a scheme is a whole URL.
req()
{
	local method=$1 target=$2

	shift 2
	[[ $target == *://* ]] || target=$URL$target
	status=0
	: >"$DIR/body"
	: >"$DIR/head"
	http_code=$(curl -sS -m 30 -X "$method" -o "$DIR/body" \
	    -D "$DIR/head" -w '%{http_code}' "$@" "$target" \
	    2>"$DIR/curl.txt") || status=$?
	output=$(tr -d '\0' <"$DIR/body")
	cat "$DIR/head" "$DIR/body" >>"$DIR/heard"
}

# chat_body MODEL [MEMBERS]: a question; MEMBERS such as '"stream":true' in the
# words of jq, which is not started for one such as `stream: true`.
HI='"messages":[{"role":"user","content":"hi"}]'

chat_body()
{
	if [[ $1 != *[!A-Za-z0-9._/-]* ]] && one_member "${2:-}"; then
		printf '{"model":"%s",%s%s}\n' "$1" "$HI" "$MEMBER"
	else
		jq -cn --arg m "$1" "{model: \$m, $HI} + {${2:-}}"
	fi
}

# one_member MEMBERS: sets MEMBER to what is to be added, if it is that simple.
one_member()
{
	MEMBER=
	[[ -n $1 ]] || return 0
	[[ $1 =~ ^([a-z_]+):\ (true|false|[0-9]+)$ ]] || return 1
	MEMBER=",\"${BASH_REMATCH[1]}\":${BASH_REMATCH[2]}"
}

# ask MODEL [MEMBERS] [CURL OPTIONS]: POST it to /v1/chat/completions of the
# web server, or of ASK_URL.
ask()
{
	local body

	body=$(chat_body "$1" "${2:-}")
	shift
	(($#)) && shift
	req POST "${ASK_URL:-$URL}/v1/chat/completions" \
	    -H 'Content-Type: application/json' --data-binary "$body" "$@"
}

# chat [MEMBERS] [CURL OPTIONS]: POST a question without a model to /chat.
chat()
{
	local body

	if one_member "${1:-}"; then
		body="{$HI$MEMBER}"
	else
		body=$(jq -cn "{$HI} + {$1}")
	fi
	(($#)) && shift
	req POST "${ASK_URL:-$URL}/chat" \
	    -H 'Content-Type: application/json' --data-binary "$body" "$@"
}

# volley N [MODEL] [CURL OPTIONS]: N questions, 16 at a time, to URL; their
# statuses, one a line, in $DIR/codes-NAME, NAME being STREAM as above. Runs in
# the foreground: `volley ... & wait $!` for several.
volley()
{
	local n=$1 model=${2:-auto}

	shift
	(($#)) && shift
	# [1-N] is curl's own loop.
	curl -sS -Z --parallel-max 16 --no-progress-meter -m 60 -o /dev/null \
	    -w '%{http_code}\n' -H 'Content-Type: application/json' \
	    --data-binary "$(chat_body "$model")" "$@" \
	    "${ASK_URL:-$URL}/v1/chat/completions?n=[1-$n]" \
	    >"$DIR/codes-${STREAM:-stream}"
}

# load_build: sets LOAD, the program that opens thousands of streams.
load_build()
{
	LOAD=${LOAD:-$ROOT/build/load/load}
	[[ -x $LOAD ]] && return
	LOAD=$DIR/load
	cc -std=gnu11 -D_GNU_SOURCE -O2 -o "$LOAD" "$ROOT/tests/load/load.c"
}

# stream_open MODEL [MEMBERS] [CURL OPTIONS]: `ask` in the background, with
# "stream":true, or to ASK_PATH; the answer grows in $DIR/stream.out. Several
# at once have names: `STREAM=two stream_open ...`, and so for the others here.
stream_open()
{
	local body name=${STREAM:-stream}

	body=$(chat_body "$1" "stream: true${2:+, $2}")
	shift
	(($#)) && shift
	: >"$DIR/$name.out"
	spawn "$name" curl -sSN -m 300 -X POST \
	    -H 'Content-Type: application/json' --data-binary "$body" "$@" \
	    "${ASK_URL:-$URL}${ASK_PATH:-/v1/chat/completions}"
	# How it ends is the test's affair, so it is not among the pids.
	forget "$SPAWNED"
	echo "$SPAWNED" >"$DIR/$name.stream"
}

# stream_until TEXT: until TEXT has come.
stream_until()
{
	until_true 10 grep -qF -- "$1" "$DIR/${STREAM:-stream}.out"
}

# The client leaves.
stream_close()
{
	local pid

	pid=$(<"$DIR/${STREAM:-stream}.stream")
	kill -TERM "$pid"
	wait "$pid" || true
	rm "$DIR/${STREAM:-stream}.stream"
}

# The answer ends by itself; sets output, and status to curl's. Not in `run`:
# a subshell cannot wait for it.
stream_wait()
{
	local pid

	pid=$(<"$DIR/${STREAM:-stream}.stream")
	status=0
	until_true 300 gone "$pid"
	wait "$pid" || status=$?
	rm "$DIR/${STREAM:-stream}.stream"
	output=$(<"$DIR/${STREAM:-stream}.out")
}

# sse_text [FILE]: the text of a stream ($DIR/body), its chunks joined.
sse_text()
{
	tr -d '\r' <"${1:-$DIR/body}" | sed -n 's/^data: \{0,1\}//p' |
	    grep -vx '\[DONE\]' |
	    jq -rj '.choices[0].delta.content? // empty'
}

# -- Asserts ----------------------------------------------------------------

# json EXPR [JQ OPTIONS]: EXPR is true of $output.
json()
{
	local expr=$1

	shift
	# Of nothing jq 1.6 says that all is true.
	[[ -n $output ]] && jq -e "$@" "$expr" <<<"$output" >/dev/null ||
	    fail "not true: $expr
of: ${output:0:2000}"
}

# http_status CODE: of the last req.
http_status()
{
	[[ $http_code == "$1" ]] || fail "status $http_code, not $1
$(cat "$DIR/curl.txt" 2>/dev/null)
${output:0:2000}"
}

# refused STATUS CODE [PARAM]: the last req got this error, in the one shape
# that all have.
refused()
{
	local param=${3:+\"}${3:-null}${3:+\"} type said end

	http_status "$1"
	type=$(header content-type)
	[[ $type == application/json ]] || fail "an error as $type"
	# As relevo writes it, ten plain characters first; jq sees the rest.
	said="\"message\":\"[^\"\\\\[:cntrl:]]{10}$JSON_CHAR*\""
	said+=",\"type\":\"$JSON_CHAR+\","
	end="\"param\":$param,\"code\":\"$2\"}}"
	[[ ! $output =~ ^\{\"error\":\{$said"$end"$ ]] || return 0
	json '(keys == ["error"]) and (.error | keys ==
	    ["code", "message", "param", "type"]) and .error.code == $code
	    and .error.param == $param and (.error.type | length > 0)
	    and (.error.message | length > 9)' --arg code "$2" \
	    --argjson param "$param"
}

# logged EXPR: a request's line of the log for which EXPR is true, at once or
# soon.
logged()
{
	until_true 5 logged_now "$1" || fail "no log line with $1:
$(cat "$DIR/relevo.err")"
}

logged_now()
{
	grep '"event":"request"' "$DIR/relevo.err" |
	    jq -se "any(.[]; $1)" >/dev/null
}

# events [FILE]: the events of a stream ($DIR/body), one JSON text a line,
# without [DONE].
events()
{
	tr -d '\r' <"${1:-$DIR/body}" | sed -n 's/^data: \{0,1\}//p' |
	    grep -vx '\[DONE\]'
}

# stream_whole [FILE]: it has one role, one finish_reason, and [DONE] last.
stream_whole()
{
	local counts file=${1:-$DIR/body}

	[[ $(grep '^data:' "$file" | tail -n 1) == 'data: [DONE]' ]] ||
	    fail "the stream does not end in [DONE]:
$(tail -c 600 "$file")"
	[[ $(grep -c DONE "$file") == 1 ]] || fail 'two [DONE]'
	counts=$(events "$file" | jq -rs '[[.[].choices[]? | .finish_reason
	    // empty], [.[].choices[]?.delta.role // empty]]
	    | map(length) | @csv')
	[[ $counts == 1,1 ]] ||
	    fail "not one finish_reason and one role ($counts):
$(events "$file" | tail -n 3)"
}

# header NAME: its value in the last answer; 1 if absent.
header()
{
	tr -d '\r' <"$DIR/head" | awk -v name="$1:" '
	    index(tolower($0), tolower(name)) == 1 {
	        sub(/^[^:]*:[ \t]*/, ""); print; found = 1; exit
	    }
	    END { exit !found }'
}
