# A peer on the socket that is no web server: it is answered, or the connection
# is closed; nobody else notices.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	mock_start
	config_mock p1 m1 | config_write 'body-timeout = 10m'
	relevo_serve
}

teardown()
{
	stop_all
}

# peer WORD...: over one connection; what came back is in $output, the content
# of STDOUT records followed by [end] and [closed].
#
#	begin[:ROLE[:FLAGS]]  NAME=VALUE  large:BYTES  params  in:TEXT  stdin
#	abort  raw:HEX  wait (for the end of an answer, or the close)
#	hold (from here to `send` all by one write)  until:FILE (is there)
peer()
{
	output=$(timeout 120 perl -e '
	    use IO::Socket::UNIX;
	    $SIG{PIPE} = "IGNORE";
	    my $s = IO::Socket::UNIX->new(Peer => shift) or die "connect: $!";
	    my ($r, $held) = ("", undef);
	    sub put { defined $held ? $held .= $_[0] : syswrite $s, $_[0] }
	    sub rec { my ($type, $p) = @_;
	        put(pack("CCnnCC", 1, $type, 1, length $p, 0, 0) . $p) }
	    sub take { my ($n) = @_;
	        while (length $r < $n) {
	            my $k = sysread $s, $r, 65536, length $r;
	            return undef if !$k;
	        }
	        return substr $r, 0, $n, "" }
	    sub answer {
	        while (defined(my $h = take(8))) {
	            my (undef, $type, undef, $n, $pad) = unpack "CCnnCC", $h;
	            my $p = take($n + $pad);
	            print substr $p, 0, $n if $type == 6;
	            if ($type == 3) { print "[end]"; return }
	        }
	        print "[closed]" }
	    for (@ARGV) {
	        if (/^begin(?::(\d+))?(?::(\d+))?$/) {
	            rec(1, pack "nCx5", $1 // 1, $2 // 1) }
	        elsif (/^large:(\d+)$/) {
	            my $n = $1;
	            my $p = pack("CN", 6, $n | 1 << 31) . "HTTP_X" . "a" x $n;
	            rec(4, $1) while $p =~ /\G(.{1,60000})/gs }
	        elsif ($_ eq "params") { rec(4, "") }
	        elsif ($_ eq "stdin") { rec(5, "") }
	        elsif ($_ eq "abort") { rec(2, "") }
	        elsif (/^in:(.*)$/s) { rec(5, $1) }
	        elsif (/^raw:(.*)$/) { put(pack "H*", $1) }
	        elsif ($_ eq "hold") { $held = "" }
	        elsif ($_ eq "send") { syswrite $s, $held; $held = undef }
	        elsif (/^until:(.*)$/) { select undef, undef, undef, 0.01
	            until -e $1 }
	        elsif ($_ eq "wait") { answer() }
	        elsif (/^(\w+)=(.*)$/s) {
	            rec(4, pack("CC", length $1, length $2) . $1 . $2) }
	        else { die $_ } }
	' "$DIR/relevo.sock" "$@" 2>&1 | tr -d '\r\0')
}

get=(begin REQUEST_METHOD=GET REQUEST_URI=/health params stdin wait)

served_now()
{
	peer "${get[@]}"
	[[ $output == *'Status: 200 OK'*'"status":"ok"'*'[end]' ]]
}

served()
{
	served_now || fail "$output"
}

@test "peer: parameters beyond 64 KB are 431, and the connection goes on" {
	local i

	for i in 66000 200000 1000000; do
		peer begin REQUEST_METHOD=POST REQUEST_URI=/chat "large:$i" \
		    params in:body stdin wait "${get[@]}"
		[[ $output == 'Status: 431 Request Header Fields Too Large'* ]]
		[[ $output == *'"code":"headers_too_large"'*'[end]Status: 200 OK'* ]]
	done
	# within, and beyond a megabyte: closed
	peer begin REQUEST_METHOD=GET REQUEST_URI=/health large:65000 params \
	    stdin wait
	[[ $output == 'Status: 200 OK'* ]]
	peer begin REQUEST_METHOD=GET large:1100000 params stdin wait
	[[ $output == '[closed]' ]]
	served
}

@test "peer: silence, one byte, half a record: closed after body-timeout" {
	stop relevo "$RELEVO_PID"
	sed -i 's/body-timeout = 10m/body-timeout = 1s/' "$DIR/relevo.conf"
	relevo_serve
	for half in '' raw:01 raw:0101000100080000 raw:01010001000800000001; do
		peer ${half:+"$half"} wait
		[[ $output == '[closed]' ]]
	done
	peer begin REQUEST_METHOD=POST params in:half wait
	[[ $output == '[closed]' ]]
	# by a peer that was not kept from sending for that second
	until_true 10 served_now
}

@test "peer: management records and other roles: closed at once" {
	local values

	# GET_VALUES with the name of a variable, four times (libfcgi's overflow)
	values=$(printf '0f00%s' {,,,}46434749_4d5058535f434f4e4e53 | tr -d _)
	peer "raw:01090000$(printf '%04x' $((${#values} / 2)))0000$values" wait
	[[ $output == '[closed]' ]]
	for role in 0 2 3 99; do
		peer "begin:$role" REQUEST_METHOD=GET params stdin wait
		[[ $output == '[closed]' ]]
	done
	for bad in raw:0201000100080000 raw:0101000000080000 raw:01ff000100000000 \
	    raw:474554202f20485454502f312e310d0a0d0a; do
		peer "$bad" wait
		[[ $output == '[closed]' ]]
	done
	served
}

@test "peer: keep_conn is kept to" {
	peer begin:1:0 REQUEST_METHOD=GET REQUEST_URI=/health params stdin \
	    wait wait
	[[ $output == 'Status: 200 OK'*'[end][closed]' ]]
	peer "${get[@]}" "${get[@]}" "${get[@]}"
	[[ $(grep -o '\[end\]' <<<"$output" | wc -l) == 3 ]]
}

@test "peer: an abort ends the call to the provider" {
	mock_script m1 silence=100
	body=$(chat_body m1 'stream: true')
	ask=(begin REQUEST_METHOD=POST REQUEST_URI=/chat
	    CONTENT_TYPE=application/json params "in:$body" stdin)
	{
		peer "${ask[@]}" "until:$DIR/asked" abort wait
		echo "$output" >"$DIR/got"
	} 3>&- &
	mock_wait m1 requests 1
	touch "$DIR/asked"
	wait $!
	grep -qE '[[](end|closed)[]]' "$DIR/got"
	mock_wait m1 aborted 1
	run ! grep -q DONE "$DIR/got"
	# in one piece with the request: libfcgi would read it and say nothing
	peer hold "${ask[@]}" abort send wait
	[[ $output == '[closed]' ]]
	served
	[[ $(mock_stats .models.m1.requests) == 1 ]]
}

@test "peer: a header twice, an equals sign in a name, an empty one" {
	peer begin REQUEST_METHOD=GET REQUEST_URI=/models HTTP_X_API_KEY=a \
	    HTTP_X_API_KEY=b params stdin wait
	[[ $output == 'Status: 400 '*duplicate_header* ]]
	# name "A=B", and no name at all
	peer begin raw:01040001000600000301413d4263 \
	    raw:0104000100030000000178 REQUEST_METHOD=GET \
	    REQUEST_URI=/health params stdin wait
	[[ $output == 'Status: 200 OK'* ]]
	served
}
