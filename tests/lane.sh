#!/bin/sh
# Jobs that are run several at a time, in lanes, and what they printed. For
# tests/run.sh, which is in the top folder.
#
#	lane.sh run LANES FOLDER <JOBS	JOBS: lines of NAME COMMAND
#					FOLDER/lanes: its pid
#	lane.sh told FOLDER NAME...	the TAP of these jobs as one, in order;
#					each as soon as it is all there
#
# A job that ends without its plan, or with a status that no failed test
# explains, is a failed test itself.
set -u

# one FOLDER 'NAME COMMAND': FOLDER/NAME is there when it has ended.
one()
{
	name=${2%% *}
	begun=$(date +%s)
	sh -c "${2#* }" >"$1/$name.now" 2>&1
	ended="ended $name $? $(($(date +%s) - begun))"
	# The second line is the children's; $(times) would have none.
	times >"$1/$name.times"
	echo "$ended $(tail -n 1 "$1/$name.times")" >>"$1/$name.now"
	mv "$1/$name.now" "$1/$name"
}

# waited FOLDER NAME: until it is there. 1 if it will never be.
waited()
{
	until [ -e "$1/$2" ]; do
		kill -0 "$(cat "$1/lanes")" 2>/dev/null || [ -e "$1/$2" ] ||
		    return 1
		sleep 0.2
	done
}

told()
{
	folder=$1
	shift
	for name; do
		if waited "$folder" "$name"; then
			cat "$folder/$name"
		else
			cat "$folder/$name.now" 2>/dev/null
			echo "ended $name early 0 0m0s 0m0s"
		fi
	done | awk '
	function seconds(text, part) {
		split(text, part, /[ms]/)
		return part[1] * 60 + part[2]
	}
	/^1\.\.[0-9]+$/ { plan += substr($0, 4); planned = 1; next }
	/^(not )?ok / {
		ran++
		mine += /^not/
		bad += /^not/
		sub(/ok( [0-9]+)?/, "ok " ++n)
	}
	/^ended / && NF == 6 {
		if (ran == 0 || !planned || ran != plan ||
		    ($3 != 0 && mine == 0)) {
			print "not ok " ++n " - " $2 " ended with status " $3 \
			    " after " ran + 0 " tests of " plan + 0
			bad++
		}
		printf "# %s: %d s, %d s of processor time\n", $2, $4,
		    seconds($5) + seconds($6)
		ran = mine = plan = planned = 0
		fflush()
		next
	}
	{ print; fflush() }
	END { print "1.." n + 0; exit bad > 0 || n == 0 }'
}

case ${1-} in
one)
	one "$2" "$3"
	;;
run)
	exec xargs -d '\n' -n 1 -P "$2" sh "$0" one "$3"
	;;
told)
	shift
	told "$@"
	;;
esac
