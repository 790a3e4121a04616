# Providers by name: libcurl resolves in threads of its own, whose sockets come
# and go behind our back.

bats_require_minimum_version 1.5.0
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

@test "names: one that does not resolve leaves the others in order" {
	{
		printf 'provider gone {\n\turl = https://no-such-host.invalid/v1\n'
		printf '\tkey = test-key-gone\n\tconnect-timeout = 2s\n}\n'
		printf 'model gone/g1 { }\nmodel gone/g2 { }\n'
		config_mock p1 m1 m2
		printf 'alias both { models = {"gone/*", "p1/*"} }\n'
	} | config_write
	lighttpd_start fcgi
	for i in 1 2 3 4 5 6; do
		ask both 'stream: true'
		http_status 200
		[[ $(sse_text) == 'w1 w2 w3 w4 w5 ' ]]
	done
	[[ $(mock_stats .total) == 6 ]]
}

# The machine's own name, where it stands for this machine's loopback.
@test "names: a provider by its name answers, again and again" {
	local name

	for name in "$(hostname)" localhost; do
		[[ $(getent ahostsv4 "$name" | awk 'NR == 1 { print $1 }') != \
		    127.0.0.1 ]] || break
	done
	config_mock p1 m1 m2 | sed "s,//127.0.0.1:,//$name:," |
	    sed 's/key =/insecure = yes\n\tkey =/' | config_write
	lighttpd_start fcgi
	for i in 1 2 3 4; do
		ask m1
		http_status 200
	done
	[[ $(mock_stats .models.m1.completed) == 4 ]]
}
