#!/usr/bin/env bash
# serve.sh - the daemon from outside, with curl: a decision and the stored one, every refusal, metrics, stopping under load, starting again.
# The guide's commands (docs/guides/serve.md) are run too. With DATABASE=postgres://... it all runs there (postgres_api.sh).
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer} BUILD=${BUILD:-build/release}
command -v curl > /dev/null || { echo 'skipped: no curl here'; exit 0; }
. tests/lib/daemon.sh
db=${DATABASE:-$dir/k.db}
event() { printf '{"id":"%s","time":"2018-10-01T12:00:00Z","type":"purchase","account":"liu","device":"d1","amount":%s,"currency":"EUR"}' "$1" "${2:-4900}"; }

key=$("$KEER" key new -q --database "$db" --name test); ok $? 'a key is made'
partner=$("$KEER" key new -q --database "$db" --name wallet --role partner); ok $? 'a key of another role is made'
start || exit 1
api=(-H "Authorization: Bearer $key") json=(-H 'Content-Type: application/json')
post=("${api[@]}" "${json[@]}" "$u/v1/decisions")
ask 'a decision' 200 '"outcome":"challenge"' -d "$(event p1)" "${post[@]}"; cp "$dir/body" "$dir/first"
ask 'the same again' 200 '"outcome":"challenge"' -d "$(event p1)" "${post[@]}"
cmp -s "$dir/body" "$dir/first"; ok $? 'is the stored answer, byte for byte'
ask 'the same, laid out otherwise' 200 challenge -d "$(event p1 | sed 's/,/ ,\n /g')" "${post[@]}"
ask 'the stored decision' 200 '"id":"p1"' "${api[@]}" "$u/v1/decisions/p1"
cmp -s "$dir/body" "$dir/first"; ok $? 'is what was answered'
ask 'the same id, another body' 422 '"code":"OTHER_BODY"' -d "$(event p1 5000)" "${post[@]}"
ask 'an id with a slash' 200 '"id":"a/b c"' -d "$(event 'a/b c')" "${post[@]}"
ask 'is found by its escaped path' 200 '"id":"a/b c"' "${api[@]}" "$u/v1/decisions/a%2Fb%20c"
ask 'an unknown id' 404 '"code":"NOT_FOUND"' "${api[@]}" "$u/v1/decisions/p2"
ask 'an unknown path' 404 '"code":"NOT_FOUND"' "${api[@]}" "$u/v2/decisions"
ask 'a wrong method' 405 '^Allow: POST' "${api[@]}" -X DELETE "$u/v1/decisions"
ask 'a wrong method of a resource' 405 '^Allow: GET, HEAD' "${api[@]}" -X PUT -d x "$u/v1/decisions/p1"
ask 'a wrong type' 415 '"code":"WRONG_TYPE"' "${api[@]}" -d "$(event p3)" "$u/v1/decisions"
ask 'a wrong charset' 415 '"code":"WRONG_TYPE"' "${api[@]}" -H 'Content-Type: application/json; charset=latin1' -d "$(event p3)" "$u/v1/decisions"
ask 'no key' 401 '^WWW-Authenticate: Bearer' "${json[@]}" -d "$(event p3)" "$u/v1/decisions"
ask 'a wrong key' 401 '"code":"NO_KEY"' -H "Authorization: Bearer ${key%?}x" "${json[@]}" -d "$(event p3)" "$u/v1/decisions"
ask 'a key of a role that may not' 403 '"code":"WRONG_ROLE"' -H "Authorization: Bearer $partner" "${json[@]}" -d "$(event p3)" "$u/v1/decisions"
ask 'a key in another scheme' 401 '"code":"NO_KEY"' -H "Authorization: Basic $key" "$u/v1/decisions/p1"
head -c 70000 /dev/zero | tr '\0' ' ' > "$dir/big"
ask 'a large body' 413 '"code":"TOO_LARGE"' -H 'Expect:' --data-binary @"$dir/big" "${post[@]}"
ask 'a large body in chunks' 413 '"code":"TOO_LARGE"' -H 'Expect:' -H 'Transfer-Encoding: chunked' --data-binary @"$dir/big" "${post[@]}"
curl -s -o /dev/null -w '%{http_code}' -H "X: $(head -c 60000 /dev/zero | tr '\0' x)" "$u/healthz" > "$dir/body"; grep -qE '^(431|413|000)$' "$dir/body"; ok $? "a large head is refused: $(cat "$dir/body")"
rm -f "$dir/body"
while IFS='|' read -r name body; do ask "$name" 400 '"code":"BAD_EVENT"' -d "$body" "${post[@]}"; done << 'EOF'
an empty object|{}
no JSON|id=p1
half a body|{"id":"p3","time":"2018-10-01T12:00:00Z"
a list|[{"id":"p3"}]
a key twice|{"id":"p3","id":"p4","time":1538352000,"type":"purchase"}
no time|{"id":"p3","type":"purchase"}
an unknown type|{"id":"p3","time":1538352000,"type":"purchse"}
an amount with decimals|{"id":"p3","time":1538352000,"type":"purchase","amount":1.5}
something behind it|{"id":"p3","time":1538352000,"type":"purchase"}{}
a time in the far future|{"id":"p3","time":"9998-01-01","type":"purchase"}
too deep|{"id":"p3","a":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}
EOF
lines=("${api[@]}" -H 'Content-Type: application/x-ndjson' "$u/v1/decisions:batch")
{ event p1; echo; echo nonsense; echo; event p1; } > "$dir/lines"
ask 'a batch' 200 '^\{"line":2,.*"code":"BAD_EVENT"' --data-binary @"$dir/lines" "${lines[@]}"
[ "$(sed -n '1p;3p' "$dir/body" | sort -u)" = "$(cat "$dir/first")" ]; ok $? 'a batch: stored answers, in order'
ask 'a batch of another type' 415 WRONG_TYPE --data-binary @"$dir/lines" "${post[@]:0:4}" "$u/v1/decisions:batch"
head -c 10001 /dev/zero | tr '\0' '\n' > "$dir/lines"
ask 'a batch of 10,001 lines' 413 TOO_LARGE --data-binary @"$dir/lines" "${lines[@]}"
ask 'health needs no key' 200 '"alive":true' "$u/healthz"
ask 'readiness' 200 '"ready":true' "$u/readyz"
ask 'metrics' 200 'keer_decisions_total\{outcome="challenge"\} 2' "$u/metrics"
grep -q 'keer_decision_seconds_bucket{le="+Inf"}' "$dir/body" && grep -q '^keer_queue_depth 0' "$dir/body" && grep -q 'keer_commit_seconds_count' "$dir/body" &&
    grep -q 'keer_http_responses_total{status="422"} 1' "$dir/body"; ok $? 'metrics have latency, queue, commits, statuses'
# Sixty-four at once with one id: one decision.
for i in $(seq 64); do printf 'next\nurl = "%s/v1/decisions"\nheader = "Authorization: Bearer %s"\nheader = "Content-Type: application/json"\ndata = "%s"\noutput = "%s"\n' \
    "$u" "$key" "$(event same | sed 's/"/\\"/g')" "$dir/same$i"; done | sed 1d > "$dir/config"
curl -sZ --parallel-max 64 -K "$dir/config" 2>/dev/null
[ "$(cat "$dir"/same* | grep -o '"id":"same"' | wc -l)" = 64 ] && [ "$(md5sum "$dir"/same* | cut -d' ' -f1 | sort -u | wc -l)" = 1 ]; ok $? '64 in parallel have one answer'
curl -s "$u/metrics" > "$dir/body"; grep -q 'keer_journal_rows_total 3' "$dir/body"; ok $? 'and made one row'
"$KEER" key list --database "$db" | grep -q test; ok $? 'keys are listed beside a daemon'
"$KEER" key new --database "$db" > "$dir/body" 2>&1; [ $? = 4 ] && grep -q 'stop it first' "$dir/body"; ok $? 'a second writer is kept out'
stop; ok $? 'SIGTERM ends it with code 0'
grep -q "$key" "$dir/log" && { echo 'not ok - the key is in the log'; failed=1; }

# Under load: what was answered is there after SIGTERM and a start.
start --log json || exit 1
"$BUILD/bench/http-load" --to "${u#http://}" --key "$key" --connections 32 --seconds 5 --prefix l --acks "$dir/acks" > "$dir/load" & load=$!
sleep .5; stop; ok $? 'SIGTERM under load ends it with code 0'
kill $load 2>/dev/null; wait $load 2>/dev/null
! grep -vE '^\{"time":"[^"]*","level":"(info|warning|error)","message":".*"\}$' "$dir/log"; ok $? 'the log is lines of JSON'
start --queue 1 || exit 1
grep -q '"differences":0' "$dir/ready" && ! grep -q '"events":3,' "$dir/ready"; ok $? "it starts again from the journal: $(cat "$dir/ready")"
"$BUILD/bench/http-load" --to "${u#http://}" --key "$key" --check "$dir/acks" > "$dir/body"; ok $? "every acknowledged decision: $(cat "$dir/body")"
"$BUILD/bench/http-load" --to "${u#http://}" --key "$key" --connections 32 --seconds 1 --prefix q > "$dir/load"
curl -s "$u" > /dev/null; curl -s "$u/metrics" > "$dir/body"
grep -qE 'keer_http_responses_total\{status="429"\} [1-9]' "$dir/body" && grep -qE 'keer_requests_full_total [1-9]' "$dir/body"; ok $? "a full queue is 429: $(cat "$dir/load")"
"$KEER" verify -q --policy policies/store.keer --database "$db" > "$dir/body"; ok $? "verify beside the daemon: $(cat "$dir/body")"
stop; ok $? 'and ends'

# What verify and /readyz must see: the control.
case $db in
postgres*) tool=psql; change() { psql -q -d "$db" -c "UPDATE journal SET decision = convert_to(replace(convert_from(decision, 'UTF8'), 'challenge', 'allow'), 'UTF8') WHERE seq = 1"; } ;;
*) tool=sqlite3; change() { sqlite3 "$db" "UPDATE journal SET decision = CAST(replace(CAST(decision AS TEXT), 'challenge', 'allow') AS BLOB) WHERE seq = 1"; } ;;
esac
if command -v $tool > /dev/null; then
    change
    "$KEER" verify --policy policies/store.keer --database "$db" > "$dir/body" 2>&1; [ $? = 1 ] && grep -q 'decided otherwise' "$dir/body"; ok $? 'verify sees a changed decision'
    begin || exit 1
    curl -s "$u/readyz" | grep -q '"ready":false.*"differences":1'; ok $? 'a difference is in /readyz'
    grep -q 'error journal row 1' "$dir/log"; ok $? 'and in the log'
    stop
else
    echo "skipped: no $tool to change a row with"
fi
"$KEER" verify -q --policy policies/handbook-baseline.keer --database "$db" > "$dir/body" 2>&1; [ $? = 1 ]; ok $? 'verify with another policy compares nothing, and says so'
"$KEER" serve --policy policies/store.keer --database "$db" --check-config > "$dir/body" 2>&1; ok $? '--check-config'
"$KEER" serve --policy policies/store.keer --database "$dir/none/k.db" --check-config > "$dir/body" 2>&1; [ $? = 4 ]; ok $? '--check-config of a folder that is not there'
"$KEER" serve --policy policies/store.keer --database "$db" --listen nowhere > "$dir/body" 2>&1; [ $? = 2 ]; ok $? 'an address that is none'

[ -z "${DATABASE:-}" ] || exit $failed
# The guide's own commands, one after the other, in a folder of their own.
awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' docs/guides/serve.md > "$dir/guide.sh"
mkdir "$dir/guide"; cp -r policies "$dir/guide/"
(cd "$dir/guide" && PATH="$(cd "$OLDPWD" && dirname "$(realpath "$KEER")"):$PATH" bash -eu "$dir/guide.sh") > "$dir/body" 2>&1
[ $? = 0 ] && [ "$(grep -o '"outcome":"challenge"' "$dir/body" | wc -l)" = 4 ] && grep -q '0 differences' "$dir/body"; ok $? 'the guide does what it says'
exit $failed
