# What is written about the program is what the program says of itself: the
# tables of the parser and of the command line are the measure.

bats_require_minimum_version 1.5.0
load helper

setup()
{
	setup_dir
	MAN=$ROOT/conf/man
	CONF=$ROOT/conf
}

teardown()
{
	stop_all
}

# options FILE ARRAY: the words of an array of options in the source.
options()
{
	sed -n "/$2\[\] = {/,/};/p" "$ROOT/src/$1" |
	    grep -o '"[a-z0-9-]*"' | tr -d '"'
}

# part FILE FROM TO: between two headings.
part()
{
	awk -v from="$2" -v to="$3" 'index($0, from) == 1 { on = 1; next }
	    on && $0 ~ to { exit } on' "$1"
}

SECTIONS='server server.c server_options
route server.c server_route_options
provider catalog.c catalog_provider_options
model catalog.c catalog_model_options
alias lanes.c lanes_alias_options
client server.c server_client_options'

@test "docs: relevo.conf(5) has every option of every section, and no other" {
	local sections=0 n name file array

	while read -r name file array; do
		options "$file" "$array" | sort >"$DIR/there"
		n=$(wc -l <"$DIR/there")
		((n >= 3)) || fail "$array: only $n options found in $file"
		part "$MAN/relevo.conf.5" ".Ss $name" '^[.]S[sh]' |
		    sed -n 's/^\.It Cm //p' | sed 's/ Pq .*//; s/ , /\n/g' |
		    sort >"$DIR/told"
		diff "$DIR/there" "$DIR/told" ||
		    fail "< is not in relevo.conf(5), > not in $file: $name"
		sections=$((sections + 1))
	done <<<"$SECTIONS"
	((sections == 6))
}

@test "docs: every option stands in the README's reference" {
	local name file array option bad=

	part "$ROOT/README.md" '## Configuration' '^## ' >"$DIR/reference"
	(($(wc -l <"$DIR/reference") > 50))
	while read -r name file array; do
		# The limits of a key are told by their prefix.
		for option in $(options "$file" "$array" |
		    sed -E 's/^key-([rt]p|conc)/\1/'); do
			grep -qE "[\` ]$option[\` ,]" "$DIR/reference" ||
			    bad+=" $name.$option"
		done
	done <<<"$SECTIONS"
	grep -qF 'key-rpd' "$DIR/reference"
	[[ -z $bad ]] || fail "not in README.md:$bad"
}

@test "docs: every default of relevo.conf(5) is a README's, where it has one" {
	local option value

	while read -r option value; do
		[[ $value == *[0-9]* ]] || continue
		grep -F "\`$option\`" "$ROOT/README.md" |
		    grep -qF "\`$value\`" ||
		    fail "$option: $value in relevo.conf(5) only"
	done < <(sed -nE 's/^\.It Cm ([a-z0-9-]+) Pq ([^ ]+)$/\1 \2/p' \
	    "$MAN/relevo.conf.5")
}

commands()
{
	"$RELEVO" help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p' | uniq
}

@test "docs: every command stands in relevo(1) and in both completions" {
	local command

	(($(commands | wc -l) >= 8))
	for command in $(commands); do
		grep -qE "^\.It Cm $command( |\$)" "$MAN/relevo.1" ||
		    fail "relevo.1 lacks $command"
		grep -qw "$command" "$CONF/completion/relevo.bash" ||
		    fail "relevo.bash lacks $command"
		grep -q "'$command:" "$CONF/completion/_relevo" ||
		    fail "_relevo lacks $command"
	done
	# And none that there is not.
	while read -r command; do
		commands | grep -qx "$command" || fail "no command $command"
	done < <(sed -n "s/^	*'\([a-z]*\):.*/\1/p" \
	    "$CONF/completion/_relevo")
}

# The options that `relevo COMMAND --help` lists, with what they take.
taken()
{
	"$RELEVO" $1 --help | sed -nE \
	    's/^  (--?[a-z]+)( ([A-Z]+))?  .*/\1 \3/p' | grep -v -- --config
}

@test "docs: every command's options stand in relevo(1) and in completions" {
	local command option value n=0 of

	while read -r command; do
		tr -s '\n' ' ' <"$MAN/relevo.1" | grep -qE -- \
		    "\.It Cm $command( |\$)" || fail "relevo.1 lacks $command"
		while read -r option value; do
			n=$((n + 1))
			of="Fl ${option#-}${value:+ Ar ${value,,}}"
			grep -E "^\.It Cm $command" "$MAN/relevo.1" |
			    grep -qE -- "$of( |\$)" ||
			    fail "relevo.1 lacks $command $option $value"
			comp relevo $command "$option" |
			    grep -qxF -- "$option" ||
			    fail "relevo.bash lacks $command $option"
			grep -qF -- "$option[" "$CONF/completion/_relevo" ||
			    fail "_relevo lacks $option"
		done < <(taken "$command")
	done < <("$RELEVO" help | sed -nE \
	    's/^  ([a-z]+( [a-z]+)?)  .*/\1/p' | grep -vx help)
	((n >= 11)) || fail "only $n options"
}

# comp WORDS...: what bash would offer for the last of them.
comp()
{
	bash -c 'source "$1"; shift; COMP_WORDS=("$@")
	    COMP_CWORD=$(($# - 1)); _relevo; printf "%s\n" "${COMPREPLY[@]}"' \
	    - "$CONF/completion/relevo.bash" "$@"
}

@test "docs: bash completes commands, options and the configuration's models" {
	mock_start
	config_mock p1 m1 | config_write
	run comp relevo s
	[[ $output == $'serve\nstate' ]]
	run comp relevo state re
	[[ $output == reset ]]
	run comp relevo --config "$DIR/relevo.conf" mod
	[[ $output == models ]]
	run comp "$RELEVO" --config "$DIR/relevo.conf" explain p1
	[[ $output == p1/m1 ]]
	[[ ! -e $DIR/state ]]
	run comp relevo serve --
	[[ $output == $'--socket\n--mode\n--help' ]]
	run comp relevo help state d
	[[ $output == dump ]]
	run comp relevo client --
	[[ $output == --help ]]
	run comp relevo --config "$DIR/relevo.c"
	[[ $output == "$DIR/relevo.conf" ]]
}

@test "docs: all web servers get the same routes and the same policy" {
	local file routes policy wanted

	routes='chat|models|usage|health|route|metrics|v1|openai|api'
	wanted=$(grep -o "default-src 'none'[^\"]*" "$CONF/lighttpd.conf")
	[[ -n $wanted ]]
	for file in lighttpd.conf lighttpd-cgi.conf nginx.conf Caddyfile \
	    apache-proxy-fcgi.conf apache-fcgid.conf ../cgi-bin/.htaccess; do
		grep -qF "($routes)" "$CONF/$file" ||
		    fail "$file: other routes"
		policy=$(grep -o "default-src 'none'[^\"]*" "$CONF/$file")
		[[ $policy == "$wanted" ]] ||
		    fail "$file: another Content-Security-Policy than
$wanted"
	done
	# The API's own table has no route that is not mounted.
	while read -r file; do
		[[ $file =~ ^($routes)$ ]] || fail "/$file is not mounted"
	done < <(sed -n '/table\[\] = {/,/};/p' "$ROOT/src/api.c" |
	    grep -oE '"/[a-z0-9]+' | tr -d '"/' | sort -u)
	for file in chat models usage health route metrics v1 openai api; do
		grep -q "\"/$file\" => env.RELEVO_CGI" \
		    "$CONF/lighttpd-cgi.conf"
	done
}

# both_tell WHAT WORD...: each stands, as code, in both READMEs.
both_tell()
{
	local what=$1 file word bad=

	shift
	for file in README.md README.es.md; do
		# By paragraphs: what is code may go on in the next line.
		sed '/^```/,/^```$/d; /^    /d' "$ROOT/$file" |
		    awk -v RS= '{ gsub(/\n/, " "); print }' |
		    grep -oE '`[^`]+`' | tr -s '`, ' '\n' | sort -u >"$DIR/told"
		for word; do
			grep -qxF -- "$word" "$DIR/told" || bad+=" $file:$word"
		done
	done
	[[ -z $bad ]] || fail "$what not told:$bad"
}

@test "docs: both READMEs have every code of an error, reason and strategy" {
	local codes reasons strategies

	mapfile -t codes < <(grep -oE '\] = \{ [45][0-9]{2}, "[a-z_]+"' \
	    "$ROOT/src/fault.c" | cut -d'"' -f2)
	mapfile -t reasons < <(grep -oE '\[QUOTA_[A-Z_]+\] = "[a-z_]+"' \
	    "$ROOT/src/quota.c" | cut -d'"' -f2)
	mapfile -t strategies < <(sed -n '/"round-robin",/,/};/p' \
	    "$ROOT/src/config.c" | grep -oE '"[a-z-]+"' | tr -d '"')
	((${#codes[@]} > 25 && ${#reasons[@]} > 20))
	((${#strategies[@]} >= 6))
	both_tell code "${codes[@]}"
	both_tell reason "${reasons[@]}"
	both_tell strategy "${strategies[@]}"
}

@test "docs: both READMEs have every event of the log, and no other" {
	local events file word

	# supervise's retire() hands its word on.
	word='"[a-z_]+"'
	cat "$ROOT"/src/*.c | tr '\n' ' ' | grep -oE \
	    "(log_(msg|open)\(LOG_[A-Z]+|retire\(s),[^;\"%]*$word( : $word)?" |
	    grep -oE '"[a-z_]+"' | tr -d '"' | sort -u >"$DIR/events"
	(($(wc -l <"$DIR/events") > 25))
	mapfile -t events < <(grep -vx request "$DIR/events")
	both_tell event "${events[@]}"
	for file in README.md README.es.md; do
		while read -r word; do
			grep -qx "$word" "$DIR/events" ||
			    fail "$file: the log has no event $word"
		done < <(sed -nE '/^\| (about|sobre) \| event/,/^$/p' \
		    "$ROOT/$file" | sed 's/([^)]*)//g; s/`log = debug`//' |
		    grep -oE '`[a-z_]+`' | tr -d '`')
	done
}

@test "docs: both READMEs have every metric and every route" {
	local metrics file route n=0

	mapfile -t metrics < <(grep -oE '^	\{ "[a-z_]+", "' \
	    "$ROOT/src/metrics.c" | cut -d'"' -f2)
	((${#metrics[@]} > 20))
	both_tell metric "${metrics[@]}"
	while read -r route; do
		for file in README.md README.es.md; do
			grep '^|' "$ROOT/$file" | grep -qF "\`$route\`" ||
			    fail "$file lacks $route"
		done
		n=$((n + 1))
	done < <(sed -nE '/ table\[\] = \{/,/\};/ {
	    s/.*HTTP_([A-Z]+), +"([^"]*)".*/\1 \2/; s/\*$/{id}/
	    /^[A-Z]+ /p; }' "$ROOT/src/api.c")
	((n > 10))
}

@test "docs: both READMEs have every module in the table of the source" {
	local file

	sed '/^#/d' "$ROOT/tests/layers.txt" | cut -f2- | tr ' ' '\n' |
	    sort >"$DIR/there"
	(($(wc -l <"$DIR/there") > 50))
	for file in README.md README.es.md; do
		sed -nE '/^## (Source|Código)/,$ s/^    (.{36}).*/\1/p' \
		    "$ROOT/$file" | tr -s ' ' '\n' | sed '/^$/d' |
		    sort >"$DIR/told"
		diff "$DIR/there" "$DIR/told" ||
		    fail "< is not in $file, > not in tests/layers.txt"
	done
}

@test "docs: make help has every target that is typed, and no other" {
	local files=("$ROOT/Makefile" "$ROOT"/tests/*/rules.mk) target

	make -s -C "$ROOT" help >"$DIR/help"
	for target in $(sed -e ':a' -e '/\\$/N; s/\\\n//; ta' "${files[@]}" |
	    sed -n 's/^\.PHONY: *//p'); do
		case $target in
		all | help | cgi-bin | deps-*) continue ;;
		esac
		grep -qE "make $target([ :]|$)" "$DIR/help" ||
		    fail "make help lacks $target"
	done
	for target in $(grep -oE 'make [a-z_.-]+' "$DIR/help" |
	    cut -d' ' -f2); do
		grep -qhE "^([a-z-]+ )*$target( [a-z-]+)*:" "${files[@]}" ||
		    fail "make help has $target, which there is not"
	done
	(($(wc -l <"$DIR/help") > 20))
}

# anchors FILE: as GitHub makes them of headings.
anchors()
{
	sed -n 's/^##* //p' "$ROOT/$1" | sed 's/.*/\L&/' |
	    sed -E "s/[][\`(){},.:;!?¿¡'\"\/]//g; s/ /-/g"
}

@test "docs: links within the documents lead somewhere" {
	local file link n=0

	for file in README.md README.es.md CONTRIBUTING.md; do
		anchors "$file" >"$DIR/anchors"
		for link in $(grep -oE '\]\([^)]+\)' "$ROOT/$file" |
		    sed 's/^](//; s/)$//'); do
			n=$((n + 1))
			case $link in
			http*) ;;
			'#'*)	grep -qxF -- "${link#\#}" "$DIR/anchors" ||
				    fail "$file: no heading for $link" ;;
			*)	[[ -e $ROOT/$link ]] ||
				    fail "$file: no file $link" ;;
			esac
		done
	done
	((n > 40))
}

# commands_of FILE: what it says to type in the part on the API, one a line.
commands_of()
{
	sed -n '/^## API/,/^## Conf/p' "$ROOT/$1" |
	    sed -n '/^    curl/ { :a; /\\$/ { N; ba }; s/\\\n//g; p }' |
	    sed 's/^ *//'
}

# block LANGUAGE N: the N-th of the blocks that need no library.
block()
{
	awk -v lang="$1" -v want="$2" '
	    $0 == "```" lang { on = 1; text = ""; next }
	    on && $0 == "```" { on = 0 }
	    !on && text != "" {
		if (text !~ /import OpenAI/ && ++n == want)
			printf "%s", text
		text = "" }
	    on { text = text $0 "\n" }' "$ROOT/README.md" |
	    sed "s|http://127.0.0.1:3000|$URL|"
}

# The OpenAI package's own example is run by tests/sdk/openai.mjs.
@test "docs: the README's examples of the API run as they are printed" {
	local command n=0 lang

	# The tortoise is slow.
	config_write <<<'alias auto { models = {"demo/echo"} }'
	lighttpd_start fcgi
	commands_of README.md >"$DIR/commands"
	while read -r command; do
		"$RELEVO" --config "$DIR/relevo.conf" state reset >/dev/null
		run bash -c "${command//http:\/\/127.0.0.1:3000/$URL}" \
		    </dev/null
		[[ $status == 0 ]] || fail "$command: $status, $output"
		[[ $output == *demo* && $output != *'"error"'* ]] ||
		    fail "$command: $output"
		n=$((n + 1))
	done <"$DIR/commands"
	((n >= 11))
	for n in 1 2; do
		"$RELEVO" --config "$DIR/relevo.conf" state reset >/dev/null
		for lang in 'javascript:node --input-type=module' \
		    python:python3; do
			block "${lang%%:*}" $n >"$DIR/example"
			[[ -s $DIR/example ]]
			# shellcheck disable=SC2086
			run ${lang#*:} - <"$DIR/example"
			[[ $status == 0 && $output == *demo* ]] ||
			    fail "${lang%%:*} $n: $status, $output"
		done
	done
	# The same in Spanish.
	diff <(commands_of README.es.md | sed 's/Hola/Hello/') "$DIR/commands"
	diff <(sed -n '/^```/,/^```$/p' "$ROOT/README.es.md" |
	    sed 's/Hola/Hello/') <(sed -n '/^```/,/^```$/p' "$ROOT/README.md")
}

@test "docs: the image installs what the program is linked with" {
	local package

	for package in $(sed -n "/^run=/,/'\$/p" "$CONF/deps.sh" |
	    tr -d "'" | sed 's/^run=//'); do
		case $package in
		curl) continue ;;	# of the demo
		esac
		for file in Dockerfile nixpacks.toml; do
			grep -qw -- "$package" "$CONF/$file" ||
			    fail "$file lacks $package"
		done
	done
}

@test "docs: the manual pages are sound" {
	command -v mandoc >/dev/null || fail 'no mandoc: make deps'
	# "referenced manual not found" is about this machine.
	run mandoc -T lint -W warning "$MAN/relevo.1" "$MAN/relevo.conf.5"
	[[ $status == 0 && $output != *'mandoc: '*:*:* ]] || fail "$output"
	mandoc -T ascii "$MAN/relevo.1" | sed 's/.\x08//g' |
	    grep -q 'one dependable endpoint'
}

@test "docs: the units are sound, and shut off what they can" {
	command -v systemd-analyze >/dev/null || skip 'no systemd'
	local unit=$CONF/systemd/relevo

	mkdir "$DIR/units"
	sed "s|/usr/local/bin/relevo|$RELEVO|" "$unit.service" \
	    >"$DIR/units/relevo.service"
	cp "$unit.socket" "$DIR/units/"
	run systemd-analyze verify --man=no "$DIR/units/relevo.service" \
	    "$DIR/units/relevo.socket"
	[[ $status == 0 && -z $output ]] || fail "$output"
	run systemd-analyze security --offline=true --threshold=20 \
	    --no-pager "$DIR/units/relevo.service"
	[[ $status == 0 ]] || fail "$output"
}

@test "docs: make install puts everything where PREFIX says, and it runs" {
	local at=$DIR/stage/opt/relevo file

	mkdir "$DIR/b"
	cp "$RELEVO" "$DIR/b/relevo"
	# -o all: what is installed is the program under test.
	(umask 077 && make -s -C "$ROOT" -o all BUILD="$DIR/b" \
	    DESTDIR="$DIR/stage" PREFIX=/opt/relevo install)
	# A web server and every user are to read it.
	run find "$at" ! -type l \( -type f ! -perm -044 -o \
	    -type d ! -perm -055 \)
	[[ -z $output ]] || fail "for root only: $output"
	for file in bin/relevo lib/relevo/relevo.fcgi lib/relevo/relevo.cgi \
	    share/man/man1/relevo.1 share/man/man5/relevo.conf.5 \
	    share/bash-completion/completions/relevo \
	    share/zsh/site-functions/_relevo share/relevo/htdocs/index.html \
	    share/relevo/conf/relevo.conf share/relevo/conf/nginx.conf \
	    share/relevo/conf/grafana.json \
	    share/relevo/conf/htaccess lib/systemd/system/relevo.service \
	    lib/systemd/system/relevo.socket lib/sysusers.d/relevo.conf; do
		[[ -s $at/$file ]] || fail "not installed: $file"
	done
	run grep -rlI /usr/local "$at/share/relevo/conf" "$at/share/man" \
	    "$at/lib/systemd"
	[[ -z $output ]] || fail "/usr/local in $output"
	RELEVO_ACCESS=open "$at/bin/relevo" \
	    --config "$at/share/relevo/conf/relevo.conf" check
	# Not a key, a log or a state of whoever built it.
	run find "$at" -name '.env' -o -name 'state*' -o -name '*.log'
	[[ -z $output ]]
}
