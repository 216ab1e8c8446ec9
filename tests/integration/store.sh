#!/usr/bin/env bash
# store.sh - a made-up store history under policies/store.keer: label events, late events, missing attributes; cut in two; explained,
# compared and measured.
set -u
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
ok() { if [ "$1" = 0 ]; then echo "ok - $2"; else echo "not ok - $2"; fi; }
json() { jq -e . "$1" >/dev/null; }
P=policies/store.keer
# A little generator of its own (Park and Miller), so that every awk makes the same history.
awk -v n=6000 '
    function rnd(k) { seed = seed * 16807 % 2147483647; return int(seed / 2147483647 * k) }
    BEGIN {
        seed = 11; t = 1538352000
        split("sign_in sign_in purchase purchase purchase top_up second_step password_changed refund_requested wallet_linked family_joined", T, " ")
        for (i = 1; i <= n; i++) {
            t += rnd(120); at = rnd(20) ? t : t - rnd(3000); y = T[1 + rnd(11)]
            printf "{\"id\":\"e%d\",\"time\":%d,\"type\":\"%s\",\"account\":\"a%d\"", i, at, y, rnd(60)
            if (rnd(10)) printf ",\"device\":\"d%d\"", rnd(90)
            if (rnd(5)) printf ",\"ip\":\"203.0.113.%d\"", rnd(30)
            if (y == "sign_in" || y == "second_step") printf ",\"outcome\":\"%s\",\"ip_country\":\"%s\"", rnd(3) ? "success" : "failure", rnd(10) ? "CN" : "NL"
            if (y == "purchase") printf ",\"item\":\"i%d\",\"beneficiary\":\"g%d\"", rnd(20), rnd(25)
            if (y == "refund_requested") printf ",\"reason\":\"r%d\",\"play_time\":%d", rnd(3), rnd(9)
            if (y ~ /purchase|top_up|refund/) printf ",\"amount\":%d,\"currency\":\"%s\"", 300 * (1 + rnd(300)), rnd(10) ? "CNY" : "USD"
            print (rnd(10) ? "}" : ",\"step_up\":\"passkey\"}")
            if (!rnd(30)) printf "{\"id\":\"f%d\",\"time\":%d,\"type\":\"fraud_reported\",\"target\":\"e%d\"}\n", i, t, 1 + rnd(i)
        }
    }' >"$dir/h.ndjson"
run() { "$KEER" replay --quiet --policy $P "$@"; }
run --state-out "$dir/end1" --out "$dir/whole" "$dir/h.ndjson"; ok $? "a store history is decided"
[ "$(wc -l <"$dir/whole")" = "$(wc -l <"$dir/h.ndjson")" ]; ok $? "one decision for each event, label events too"
for outcome in allow challenge review deny; do grep -q "\"outcome\":\"$outcome\"" "$dir/whole"; ok $? "some are $outcome"; done
json "$dir/whole"; ok $? "decisions are JSON"
cut=2500
run --state-out "$dir/half" --out "$dir/a" <(head -n $cut "$dir/h.ndjson") &&
    run --state-in "$dir/half" --state-out "$dir/end2" --out "$dir/b" <(tail -n +$((cut + 1)) "$dir/h.ndjson"); ok $? "and in two halves"
cat "$dir/a" "$dir/b" | cmp -s - "$dir/whole" && cmp -s "$dir/end1" "$dir/end2"; ok $? "the halves are the whole, with labels and late events, and so is the state"

reports=$(grep -c '"fraud_reported"' "$dir/h.ndjson")
"$KEER" evaluate --quiet --policy $P --json "$dir/h.ndjson" >"$dir/card.json" && json "$dir/card.json"; ok $? "a report card as JSON"
"$KEER" evaluate --quiet --policy $P "$dir/h.ndjson" >"$dir/card"
frauds=$(sed -nE 's/^[0-9,]+ rows, ([0-9,]+) fraud.*/\1/p' "$dir/card" | tr -d ,)
[ "${frauds:-0}" -gt $((reports / 2)) ] && [ "${frauds:-0}" -le "$reports" ]; ok $? "frauds that came as events are in it: ${frauds:-none} of $reports reports"

# The first halves agree, since nothing is known before it is said: reports that come later change no decision.
grep -v '"fraud_reported"' "$dir/h.ndjson" >"$dir/silent.ndjson"; run --out "$dir/silent" "$dir/silent.ndjson"
first=$(grep -n '"fraud_reported"' "$dir/h.ndjson" | head -n 1 | cut -d: -f1)
head -n $((first - 1)) "$dir/silent" | cmp -s - <(head -n $((first - 1)) "$dir/whole"); ok $? "a report changes nothing before it"
! cmp -s "$dir/silent" <(grep -v '"fraud_reported"' "$dir/whole"); ok $? "and something after it"

mkdir "$dir/p" && cp -r policies/rates.txt policies/lists "$dir/p/" &&
    sed 's/new_here  = coalesce(device_age, 0s) < 1d/new_here  = coalesce(device_age, 0s) < 2h/' $P >"$dir/p/two.keer"
"$KEER" diff --quiet --json $P "$dir/p/two.keer" "$dir/h.ndjson" >"$dir/diff.json"; [ $? = 1 ] && json "$dir/diff.json"; ok $? "diff as JSON"
grep -qE '"fraud":[1-9]' "$dir/diff.json"; ok $? "diff counts the frauds that came as events"
"$KEER" diff --quiet --show 3 $P "$dir/p/two.keer" "$dir/h.ndjson" >"$dir/diff"; [ "$(grep -c '^  20' "$dir/diff")" = 3 ]; ok $? "diff --show 3 shows three"

id=$(grep '"outcome":"deny"' "$dir/whole" | sed -E 's/.*"id":"([^"]*)".*/\1/' | sed -n 20p)
"$KEER" explain --quiet --policy $P --event "$id" "$dir/h.ndjson" >"$dir/why"; ok $? "event $id is explained"
grep -q '^Decision: deny' "$dir/why" && grep -q '^  deny ' "$dir/why" && grep -q 'device_age = ' "$dir/why"; ok $? "with the rule that fired and the windows"
"$KEER" explain --quiet --policy $P --event "$id" --json "$dir/h.ndjson" >"$dir/why.json" && json "$dir/why.json" &&
    grep -q '"outcome":"deny"' "$dir/why.json" && grep -q '"saw":' "$dir/why.json"; ok $? "and as JSON"

{ sed -n 1,40p "$dir/h.ndjson"; echo '{"id":"x","time":"not a time","type":"purchase"}'; echo '{"id":'; echo '{"time":1,"type":"purchase"}'; sed -n 41,60p "$dir/h.ndjson"; } >"$dir/bad.ndjson"
run "$dir/bad.ndjson" >/dev/null 2>"$dir/e"; [ $? = 3 ] && grep -q 'bad.ndjson:41:' "$dir/e"; ok $? "a bad line of NDJSON stops, with its place"
run --on-error collect --bad-lines "$dir/bl" --out "$dir/o" "$dir/bad.ndjson" && [ "$(wc -l <"$dir/bl")" = 3 ] &&
    [ "$(wc -l <"$dir/o")" = "$(($(wc -l <"$dir/bad.ndjson") - 3))" ]; ok $? "collect puts three aside and decides the others"

for format in ndjson csv; do
    run --out-format $format --out "$dir/d.$format" "$dir/h.ndjson" && "$KEER" evaluate --quiet --json --decisions "$dir/d.$format" >"$dir/d.json" && json "$dir/d.json" &&
        grep -q '"currency":"CNY"' "$dir/d.json"; ok $? "decisions as $format are measured in the policy's currency"
done
