# The canary itself: what every teardown looks for is found where it could be.

load helper

setup()
{
	setup_dir
	mock_start
}

teardown()
{
	stop_all
}

canary()
{
	run sh "$ROOT/tests/canary.sh" "$@"
}

@test "canary: each form of a key is found, configurations are passed over" {
	local folder=$DIR/planted form n=0

	mkdir "$folder"
	canary "$folder"
	[[ $status == 0 && -z $output ]]
	cp "$BATS_TEST_FILENAME" "$folder/relevo.conf"
	cp "$BATS_TEST_FILENAME" "$folder/mock.out"
	echo 'a test, a key, rlv- and hello' >"$folder/relevo.err"
	canary "$folder"
	[[ $status == 0 && -z $output ]]
	for form in 'test-key-p1' 'x=test%2Dkey%2dp1' 'test\u002dkey-p1' \
	    "$(printf 'test-key-p1' | base64)" \
	    "$(printf ':test-key-p1' | base64)" \
	    "$(printf 'u:test-key-p1' | base64)" \
	    "$(printf 'test-key-p1' | od -An -tx1 | tr -d ' ')" \
	    "$(printf 'test-key-p1' | od -An -tx1 | tr ' ' %)" \
	    'Bearer rlv-AbCd_-' 'rlv%2DAbCd'; do
		printf 'a\0%s\0b\n' "$form" >"$folder/found.$((++n))"
		canary "$folder"
		[[ $status == 1 && $output == *"/found.$n:"* ]] ||
		    fail "not found: $form"
		rm "$folder/found.$n"
	done
	rm -r "$folder"
}

# A model whose name has the mark comes out wherever a name does: there the end
# of every test has to look.
@test "canary: a test ends badly over a key in answers, log, state, processes" {
	config_mock p1 test-key-planted | config_write
	lighttpd_start fcgi
	ask test-key-planted
	http_status 200
	spawn web tail -f /dev/null test-key-planted
	until_true 5 grep -q '"route"' "$DIR/relevo.err"
	# not before it is tail: until then it is a bash
	until_true 5 grep -qa test-key-planted "/proc/$SPAWNED/cmdline"
	run stop_all
	((status != 0))
	for name in heard relevo.err state cmdline; do
		[[ $output == *"/$name:"[0-9]*:test-key-* ]] ||
		    fail "not looked for in $name"
	done
	[[ ! -e $DIR ]]
}
