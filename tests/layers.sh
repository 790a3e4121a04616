#!/bin/sh
# A file in layer N of tests/layers.txt may include the headers of layers below
# N, and its own module's. A file word_part.c belongs to the module word,
# and word_own.h is what the parts of word share: nobody else includes it.
set -eu
cd "$(dirname "$0")/.."
awk '
FNR == 1 { file = FILENAME }
FILENAME ~ /layers.txt$/ {
	if ($1 ~ /^[0-9]+$/) for (i = 2; i <= NF; i++) layer[$i] = $1
	next
}
FNR == 1 {
	name = FILENAME; sub(/.*\//, "", name); sub(/\.[ch]$/, "", name)
	if (!(name in layer)) sub(/_[a-z]+$/, "", name)
	if (!(name in layer)) { print FILENAME ": not in tests/layers.txt"; bad++ }
}
/^#include "/ {
	inc = $2; gsub(/"/, "", inc); sub(/\.h$/, "", inc)
	own = inc
	if (sub(/_own$/, "", own) && own != name) {
		print FILENAME ": " $2 " is of " own " alone"; bad++; next
	}
	if (inc == name || own == name) next
	if (!(inc in layer)) { print FILENAME ": " $2 " is not in tests/layers.txt"; bad++ }
	else if (layer[inc] >= layer[name]) {
		print FILENAME ": " name " (" layer[name] ") includes " inc " (" layer[inc] ")"; bad++
	}
}
END { exit bad > 0 }
' tests/layers.txt src/*.c include/*.h
