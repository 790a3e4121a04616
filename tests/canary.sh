#!/bin/sh
# canary: no provider key and no client's token in these files and folders.
#
#	canary.sh PATH...
#
# Every key of the tests has "test-key-" in it, every token begins with "rlv-",
# as those of `relevo client new` do. Here they are looked for as they are, and
# as percent, JSON, base64 or hex encoding would show them. What holds them by
# right is passed over: configurations, and what the mock provider was sent.
# 1 and the places, the key itself left out, when there is one.
set -u
key='test(-|%2[dD]|\\u002[dD])key(-|%2[dD]|\\u002[dD])'
token='rlv(-|%2[dD]|\\u002[dD])[A-Za-z0-9_-]'
# "test-key-" in base64, at each of the three places in its groups of bytes.
# "rlv-" is too short for that: chance would find it.
base64='dGVzdC1rZXkt|Rlc3Qta2V5L|0ZXN0LWtleS'
hex='746573742[dD]6[bB]65792[dD]|%74%65%73%74%2[dD]'

found=$(grep -raobE --exclude='*.conf' --exclude='.env' --exclude='mock.*' \
    -- "$key|$token|$base64|$hex" "$@" | head -n 20)
[ -n "$found" ] || exit 0
echo 'a key or a token came out (file:byte:how it begins):'
echo "$found"
exit 1
