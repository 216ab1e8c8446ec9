#!/usr/bin/env bash
# cli.sh - the program from outside: exit codes, streams, help, version, tables, the manual page.
# shellcheck disable=SC2016  # commands for another shell stand in single quotes
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
failed=0
# is NAME CODE PATTERN-ON-STDOUT PATTERN-ON-STDERR COMMAND... : an empty pattern wants an empty stream.
is() {
    local name=$1 code=$2 out=$3 err=$4 got; shift 4
    "$@" > "$work/out" 2> "$work/err" < /dev/null; got=$?
    if [ $got = "$code" ] && matches "$out" "$work/out" && matches "$err" "$work/err"; then echo "ok - $name"; else
        echo "not ok - $name: code $got, wanted $code"; head -5 "$work/out" "$work/err"; failed=1
    fi
}
matches() { if [ -z "$1" ]; then [ ! -s "$2" ]; else grep -qE -- "$1" "$2"; fi; }

is 'version'                        0 '^keer [0-9]+\.[0-9]+\.[0-9]+$' '' "$KEER" --version
is 'version as JSON'                0 '^\{"version":"' '' "$KEER" --version --json
is 'help'                           0 '^Usage: keer COMMAND' '' "$KEER" --help
is 'keer alone shows the help'      2 '^Usage: keer COMMAND' '' "$KEER"
is 'an unknown command'             2 '' "no command 'chekc'; did you mean 'check'" "$KEER" chekc
is 'an unknown option'              2 '' 'no option --polcy; did you mean --policy' "$KEER" replay --polcy x y
is 'an error as JSON'               2 '' '^\{"error":\{"code":"INVALID","exit":2,"message":' "$KEER" replay --bogus --json
is 'an option without its value'    2 '' 'needs a value' "$KEER" replay --policy
is 'help of an unknown command'     2 '' 'did you mean' "$KEER" help chekc
is 'a value out of range'           2 '' 'must be 1 to 16' "$KEER" train -p p --depth 17 x
is 'control characters are told plainly' 2 '' 'bad\?\[2J' "$KEER" $'bad\033[2J'
for c in $("$KEER" --describe=commands --format=json | sed -n 's/^{"name":"\([a-z]*\)".*/\1/p'); do
    is "help of $c"                 0 "^Usage: keer $c" '' "$KEER" help "$c"
    is "$c --help says the same"    0 "^Usage: keer $c" '' "$KEER" "$c" --help
    [ "$(awk 'length > 100' "$work/out" | wc -l)" = 0 ] || { echo "not ok - help of $c is wider than 100 columns"; failed=1; }
done
is 'a full disk'                    4 '' 'No space left on device' bash -c '"$0" --help > /dev/full' "$KEER"
mkfifo "$work/pipe"
( : < "$work/pipe" ) & # opens, reads nothing, goes away
is 'a reader that went away'        4 '' 'Broken pipe' bash -c 'exec > "$1"; sleep .3; exec "$0" --help' "$KEER" "$work/pipe"
is 'a closed standard output'       0 '' '' bash -c '"$0" --version >&-' "$KEER"
for t in commands options events attributes functions aggregates radar errors routes; do
    is "table $t"                   0 '^# ' '' "$KEER" --describe=$t
    is "table $t as JSON"           0 '^\{"' '' "$KEER" --describe=$t --format=json
done
is 'the manual page'                0 '^\.TH KEER 1 ' '' "$KEER" --describe=man
mv "$work/out" "$work/keer.1"
if command -v mandoc > /dev/null 2>&1; then
    is 'mandoc has no complaint'    0 '' '' mandoc -T lint -W warning "$work/keer.1"
else
    echo 'skipped: no mandoc here'
fi
exit $failed
