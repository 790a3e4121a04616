# The long end-to-end proofs, not part of `make check`: a thousand streams with
# faulty providers and clients that leave, a million requests, a day in
# minutes. PROVE_REQUESTS and PROVE_SPEED make them shorter or longer.

bats_require_minimum_version 1.5.0
load ../helper

setup()
{
	setup_dir
	LOAD=$ROOT/build/load/load
	ulimit -n "$(ulimit -Hn)"
}

teardown()
{
	stop_all
}

# Ten providers, each with a model of its own name.
ten()
{
	for n in 0 1 2 3 4 5 6 7 8 9; do
		config_mock "p$n" "m$n" | sed '/^provider/a\
	first-event-timeout = 60s'
	done
	printf 'alias all { models = {"*"} }\n'
}

workers()
{
	pgrep -P "$RELEVO_PID"
}

# In KB: what it has in memory; how many descriptors.
rss()
{
	awk '/^VmRSS/ { print $2 }' "/proc/$1/status"
}

descriptors()
{
	ls "/proc/$1/fd" | wc -l
}

# quiet: nothing is in flight, and the state is whole.
quiet()
{
	until_true 20 calm || fail "$(cat "$DIR/body")"
	"$RELEVO" --config "$DIR/relevo.conf" state verify
}

calm()
{
	req GET /usage
	jq -e '.totals.inFlight == 0' <"$DIR/body" >/dev/null
}

streams()
{
	chat_body all 'stream: true' >"$DIR/q"
	"$LOAD" "$PORT" /v1/chat/completions "$@" <"$DIR/q" >"$DIR/load.out" ||
	    true
	cat "$DIR/load.out" >&3
}

# reloads: a HUP every four seconds, until the file is gone.
reloads()
{
	while [[ -e $DIR/reload ]]; do
		sleep 4
		kill -HUP "$RELEVO_PID" 2>/dev/null || break
	done
}

@test "soak: 1,000 streams, faults before content, reloads: nobody notices" {
	mock_start --default tokens=50,pace=20
	ten | config_write 'workers = 2
	drain-time = 120s'
	nginx_start keep
	# One of ten is down at once, one refuses what is asked and passes on.
	mock_script m8 status=500,first=30
	mock_script m9 'status=400,message=this+is+unsupported'
	touch "$DIR/reload"
	reloads 3>&- &
	for round in 1 2 3 4 5; do
		streams 1000 50
		[[ $(<"$DIR/load.out") == '1000 of 1000 streams whole' ]]
	done
	rm "$DIR/reload"
	wait $!
	quiet
	json '.totals.requests >= 5000 and
	    ([.usage[].localStats.failures] | add) >= 5'
	(($(mock_stats '.models.m9.requests') >= 300))
}

@test "soak: 1,000 streams, faults in the middle, clients that leave: told" {
	local whole told cut left lies

	mock_start --default tokens=50,pace=20
	ten | config_write 'workers = 2'
	nginx_start keep
	for fault in cut=20 error=20 fin=20 nofinish; do
		mock_script m9 "tokens=50,pace=20,$fault"
		"$RELEVO" --config "$DIR/relevo.conf" state reset >/dev/null
		streams 1000 50 7
		read -r whole _ <"$DIR/load.out"
		IFS=' ,' read -r told _ cut _ left _ lies _ \
		    < <(tail -n 1 "$DIR/load.out")
		# A hundred had the fault, but for those of it that had left,
		# or came so late that the lane was barred already.
		((lies == 0 && cut == 0 && left >= 100 && told >= 20))
		((told <= 100 && whole + told + left == 1000))
		quiet
	done
}

# asking SECONDS: 32 at a time, each answer a 200.
asking()
{
	wrk -t1 -c32 "-d$1s" -s "$DIR/ask.lua" "$URL/v1/chat/completions" \
	    >"$DIR/wrk.out"
	! grep -E 'Non-2xx|Socket errors' "$DIR/wrk.out" ||
	    fail "$(cat "$DIR/wrk.out")"
	# The log is read and thrown away, or the disk would fill.
	: >"$DIR/relevo.err"
}

one_model()
{
	mock_start --default tokens=5
	config_mock p1 m1 | config_write "$@"
	nginx_start keep
	cat >"$DIR/ask.lua" <<-END
	wrk.method = "POST"
	wrk.headers["Content-Type"] = "application/json"
	wrk.body = '$(chat_body m1)'
	END
}

@test "soak: a million requests: memory, descriptors and files stay" {
	local n=${PROVE_REQUESTS:-1000000} first=0 done=0 worker size fds

	one_model
	worker=$(workers)
	fds=$(descriptors "$worker")
	while ((done < n)); do
		asking 10
		quiet
		done=$(jq .totals.requests "$DIR/body")
		# The heap has its height after a while, when all 32 have met
		# in all ways.
		if ((first == 0 && done >= n / 4)); then
			echo "# $done requests: RSS $(rss "$worker") KB" >&3
			first=$(rss "$worker")
			size=$(stat -c %s "$DIR/state")
		fi
	done
	echo "# $done requests: RSS $(rss "$worker") KB," \
	    "$(descriptors "$worker") descriptors, $fds before" >&3
	[[ $(workers) == "$worker" ]]
	(($(rss "$worker") <= first + first / 50))
	[[ $(stat -c %s "$DIR/state") == "$size" ]]
	# What is kept: nginx's connections to us, and ours to the mock; 32 of
	# each at most, and what the first chat opens.
	(($(descriptors "$worker") <= fds + 2 * 32 + 4))
}

@test "soak: reloads, three a minute under load: nobody notices, none stays" {
	local n=${PROVE_RELOADS:-12} k first=0 size fds before

	one_model
	for ((k = 0; k < n; k++)); do
		before=$(workers)
		(sleep 5; kill -HUP "$RELEVO_PID") 3>&- &
		asking 20
		wait $!
		until_true 20 replaced "$before" || fail "$before: $(workers)"
		if ((k == 1)); then
			first=$(rss "$RELEVO_PID")
			size=$(stat -c %s "$DIR/state")
			fds=$(descriptors "$RELEVO_PID")
		fi
	done
	quiet
	# Each request that came to the provider is counted, by whichever worker.
	json '.totals.requests == $n' --argjson n "$(mock_stats .total)"
	echo "# $n reloads, $(mock_stats .total) requests:" \
	    "RSS of the supervisor $first, $(rss "$RELEVO_PID") KB" >&3
	(($(rss "$RELEVO_PID") <= first + first / 50))
	[[ $(stat -c %s "$DIR/state") == "$size" ]]
	(($(descriptors "$RELEVO_PID") <= fds))
}

# replaced PID: there is one worker, and it is another one.
replaced()
{
	[[ $(workers) != *"$1"* && $(workers | wc -l) == 1 ]]
}

# fake: the wall time of relevo, whose clocks run $SPEED times as fast since
# $BEGAN, in seconds.
fake()
{
	awk -v now="$EPOCHREALTIME" -v began="$BEGAN" -v speed="$SPEED" \
	    -v base="$BASE" 'BEGIN { printf "%d", base + (now - began) * speed }'
}

# counts: what the mock has had so far, by model.
counts()
{
	mock_stats '[.models.m0, .models.m1, .models.m2 | .requests // 0]' |
	    jq -c .
}

# until_fake SECONDS: ask and ask until then, four at a time.
until_fake()
{
	while (($(fake) < $1)); do
		for _ in 1 2 3 4; do
			curl -sS -m 20 -o /dev/null -H \
			    'Content-Type: application/json' --data-binary \
			    "@$DIR/q" "$URL/v1/chat/completions" 3>&- &
			ASKING+=($!)
		done
		wait "${ASKING[@]}"
		ASKING=()
	done
}

# From 22:00 on over two midnights of UTC. Around each nobody asks, for the
# clocks of this test and of relevo are some seconds (of theirs) apart.
@test "soak: a day and more in minutes: never over a limit, all of it used" {
	local lib days='[]' before now

	SPEED=${PROVE_SPEED:-720}
	BASE=$(date -u -d '2026-11-20 22:00:00' +%s)
	ASKING=()
	lib=$(dpkg -L libfaketime | grep -m1 'libfaketime.so.1$')
	mock_start --default tokens=1
	for n in 0 1 2; do
		config_mock "p$n" "m$n" | sed "/^provider/a\\
	first-event-timeout = 12h\\
	idle-timeout = 12h\\
	total-timeout = 12h\\
	connect-timeout = 12h
		s/^model.*{/&\\n\\trpd = 300/"
	done | config_write 'heartbeat = 0s'
	cat >"$DIR/fast" <<-END
	#!/bin/sh
	LD_PRELOAD=$lib FAKETIME="@2026-11-20 22:00:00 x$SPEED" TZ=UTC \
	    exec $RELEVO "\$@"
	END
	chmod +x "$DIR/fast"
	BEGAN=$EPOCHREALTIME
	RELEVO=$DIR/fast nginx_start keep
	chat_body auto >"$DIR/q"
	before='[0,0,0]'
	for midnight in 1 2; do
		until_fake $((BASE + 7200 + (midnight - 1) * 86400 - 300))
		until_true 20 calm
		now=$(counts)
		days=$(jq -nc --argjson d "$days" --argjson a "$before" \
		    --argjson b "$now" '$d + [[range(3) | $b[.] - $a[.]]]')
		before=$now
		while (($(fake) < BASE + 7200 + (midnight - 1) * 86400 + 300))
		do
			sleep 0.05
		done
	done
	echo "# requests a day and model: $days" >&3
	# Nobody had more than 300; in the whole day nearly all was used.
	jq -e 'all(.[][]; . <= 300) and all(.[1][]; . >= 285)' <<<"$days"
	calm
	json '.totals.requests == $n' --argjson n "$(mock_stats .total)"
}
