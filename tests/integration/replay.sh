#!/usr/bin/env bash
# replay.sh - replay: bad lines, determinism, state cut in two, features, limits, wrong states.
set -u
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
ok() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi; }
P=policies/handbook-baseline.keer M=policies/handbook.map
"$KEER" simulate cards --quiet --seed 3 --customers 300 --terminals 600 --days 20 --out "$dir/tx.csv"; ok $? "a small history"
run() { "$KEER" replay --quiet --policy $P --mapping $M "$@"; }

run "$dir/tx.csv" >"$dir/a" && run "$dir/tx.csv" >"$dir/b" && cmp -s "$dir/a" "$dir/b"; ok $? "two replays are byte-identical"
[ "$(wc -l <"$dir/a")" = "$(($(wc -l <"$dir/tx.csv") - 1))" ]; ok $? "one decision for each event"

head -n 2001 "$dir/tx.csv" >"$dir/one.csv"; { head -n 1 "$dir/tx.csv"; tail -n +2002 "$dir/tx.csv"; } >"$dir/two.csv"
run --state-out "$dir/state" --features "$dir/f1" "$dir/one.csv" >"$dir/c" && run --state-in "$dir/state" --features "$dir/f2" --state-out "$dir/end2" "$dir/two.csv" >>"$dir/c" &&
    run --features "$dir/f" --state-out "$dir/end1" "$dir/tx.csv" >"$dir/d"; ok $? "a replay is cut in two"
cmp -s "$dir/c" "$dir/d" && { cat "$dir/f1"; tail -n +2 "$dir/f2"; } | cmp -s - "$dir/f"; ok $? "decisions and features of the halves are those of the whole"
cmp -s "$dir/end1" "$dir/end2"; ok $? "and so is the state at the end"
"$KEER" replay --quiet --policy policies/store.keer --state-in "$dir/state" "$dir/tx.csv" >/dev/null 2>"$dir/e"; [ $? = 4 ] && grep -q 'another policy' "$dir/e"; ok $? "the state of another policy is refused"
head -c 5000 "$dir/state" >"$dir/torn"; run --state-in "$dir/torn" "$dir/tx.csv" >/dev/null 2>"$dir/e"; [ $? = 4 ]; ok $? "a torn state is refused"
[ "$(run --limit 17 "$dir/tx.csv" | wc -l)" = 17 ]; ok $? "--limit"
run --out-format csv "$dir/one.csv" | head -n 1 | grep -q '^id,time,type,outcome'; ok $? "CSV decisions have a header"

sed '5s/,[0-9.]*,\([0-9]*\),\([0-9]*\),\([01]\),/,abc,\1,\2,\3,/; 9s/.*/garbage/' "$dir/one.csv" >"$dir/bad.csv"
run "$dir/bad.csv" >/dev/null 2>"$dir/e"; [ $? = 3 ] && grep -q 'bad.csv:5:' "$dir/e"; ok $? "a bad line stops the replay with file, line and column"
"$KEER" replay --policy $P --mapping $M --on-error skip "$dir/bad.csv" 2>"$dir/e" >"$dir/s"; [ $? = 0 ] && grep -q 'bad lines 2' "$dir/e" && [ "$(wc -l <"$dir/s")" = 1998 ]; ok $? "skip counts them"
run --on-error collect --bad-lines "$dir/bl" "$dir/bad.csv" >/dev/null; [ "$(wc -l <"$dir/bl")" = 2 ] && grep -q '"line":9,' "$dir/bl" && grep -q garbage "$dir/bl"; ok $? "collect keeps them with place and reason"
run --on-error collect "$dir/bad.csv" >/dev/null 2>&1; [ $? = 2 ]; ok $? "collect without a place to put them is wrong use"

cat >"$dir/events.ndjson" <<'END'
{"id":"1","time":"2018-10-01T10:00:00Z","type":"sign_in","account":"a","device":"d","outcome":"success"}
{"id":"2","time":"2018-10-01T10:00:20Z","type":"top_up","account":"a","device":"d","amount":100000,"currency":"CNY"}
{"id":"3","time":1538388030,"type":"purchase","account":"a","device":"d","amount":64800,"currency":"CNY","item":"stones"}
END
"$KEER" replay --quiet --policy policies/store.keer "$dir/events.ndjson" >"$dir/o"; ok $? "NDJSON is read by name"
"$KEER" replay --json --policy policies/store.keer "$dir/events.ndjson" 2>"$dir/e" >/dev/null; grep -Eq '^\{"summary":\{"events":[0-9]+,"outcomes":\{"allow":[0-9]+,.*"bad_lines":0,' "$dir/e"; ok $? "--json gives the summary as numbers"
[ "$(grep -c '"outcome":"challenge"' "$dir/o")" = 2 ] && grep -q new_device_charge "$dir/o"; ok $? "a new device's charges are challenged"
"$KEER" explain --policy policies/store.keer --event 3 "$dir/events.ndjson" | grep -q 'charges_10m = count'; ok $? "explain shows the windows"
"$KEER" explain --policy policies/store.keer --event nope "$dir/events.ndjson" >/dev/null 2>&1; [ $? = 1 ]; ok $? "explain says when there is no such event"
