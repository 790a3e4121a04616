#!/bin/sh
# The JavaScript SDKs, the real packages, against relevo. TAP on stdout.
#
#	tests/sdk/run.sh [NAME...]	openai groq cerebras ai langchain
#
# RELEVO and MOCK name other programs than those in build/. Each SDK has its
# own process and servers; they run at the same time, for most of it is waiting
# for retries. Node 18 or later.
set -u
cd "$(dirname "$0")" || exit 2
[ $# -gt 0 ] || set -- openai groq cerebras ai langchain
for tool in node npm nginx; do
	command -v $tool >/dev/null || {
		echo "not ok 1 - sdk: $tool is not installed"
		echo 1..1
		exit 1
	}
done

# Exactly the packages of the lock file; none of their scripts is run. A copy
# of the lock file says which are there.
if ! cmp -s package-lock.json node_modules/.installed; then
	if ! out=$(npm ci --prefer-offline --ignore-scripts --no-audit \
	    --no-fund 2>&1) || ! cp package-lock.json node_modules/.installed
	then
		echo "$out" | sed 's/^/# /'
		echo 'not ok 1 - sdk: npm ci'
		echo 1..1
		exit 1
	fi
fi

out=$(mktemp -d) || exit 2
trap 'rm -rf "$out"' EXIT
for name; do
	{
		node --test-reporter=tap "$name.mjs"
		echo "ended $? $name"
	} >"$out/$name" 2>&1 &
done
wait

# One plan for all. A process that fails without a failed test, or that ends
# before any, is a failure of its own.
for name; do
	cat "$out/$name"
done | awk '
	/^TAP version|^1\.\.|^# (tests|suites|pass|fail) / { next }
	/^# (cancelled|skipped|todo|duration_ms) / { next }
	/^(not )?ok / {
		line = $0
		sub(/^(not )?ok [0-9]* /, "", line)
		bad = /^not/
		print (bad ? "not ok " : "ok ") ++n " " line
		failed += bad
		mine += bad
		ran++
		next
	}
	/^ended / {
		if (($2 != 0 && mine == 0) || ran == 0) {
			print "not ok " ++n " - sdk " $3 ": ended with " $2
			failed++
		}
		mine = ran = 0
		next
	}
	/^ *(---|\.\.\.)$/ || /^ *(duration_ms|type):/ || /^# Subtest/ {
		next
	}
	{ print "# " $0 }
	END { print "1.." n; exit failed > 0 || n == 0 }'
