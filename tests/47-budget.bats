# Trying again costs others: a share of the traffic, and a share of the time.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
}

teardown()
{
	stop_all
}

# config_many N [LINES]: N models of one provider; LINES go into its section.
config_many()
{
	# shellcheck disable=SC2046
	config_mock p1 $(seq -f 'm%g' "$1") |
	    sed '/test-key-p1/a\
	'"${2:-}" | config_write 'workers = 1'
}

@test "budget: ten retries in a quiet minute, then the failure is told" {
	local n calls

	mock_start --default status=500
	config_many 40
	lighttpd_start fcgi
	for n in 1 2 3; do
		ask auto
		((http_code >= 500))
		[[ $(mock_stats .total) == $((4 * n)) ]]
	done
	# nine are used: one more, and then none
	for n in 4 5 6 7; do
		ask auto
		((http_code >= 500))
	done
	calls=$(mock_stats .total)
	((calls == 12 + 2 + 3)) || fail "$calls calls"
	[[ $(header x-should-retry) == false || -n $(header retry-after) ]]
}

@test "budget: limits that are hit cost none" {
	local n

	mock_start --default status=429,retry-after=600
	config_many 40
	lighttpd_start fcgi
	for n in 1 2 3 4 5 6; do
		ask auto
	done
	[[ $(mock_stats .total) == 24 ]]
}

@test "budget: the time for all is split over the attempts" {
	mock_start --default gatehead=never
	config_many 8 'total-timeout = 4s'
	lighttpd_start fcgi
	ask auto
	((http_code >= 500))
	[[ $(mock_stats .total) == 4 ]]
	# Four times all of it would be the time of none. By relevo's own clock:
	# curl may take seconds to start.
	logged '.ms >= 3900 and .ms < 16000'
}
