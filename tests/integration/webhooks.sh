#!/usr/bin/env bash
# webhooks.sh - decisions that leave the daemon: signatures judged by the published package, receivers that are down, slow, gone, redirecting or
# talkative, dead letters, rotation, forbidden addresses, and kill -9 while deliveries are under way.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer} BUILD=${BUILD:-build/release}
for tool in curl node npm jq; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
judge=tests/webhooks
if ! [ "$judge/node_modules/.package-lock.json" -nt "$judge/package-lock.json" ]; then
    (cd $judge && flock package-lock.json npm ci --no-audit --no-fund --loglevel=error > /dev/null 2>&1) || { echo 'skipped: the judge can not be installed (npm ci)'; exit 0; }
fi
. tests/lib/daemon.sh
receiver=
finally() { [ -z "$receiver" ] || kill -9 $receiver 2>/dev/null; }
serving=(--webhooks on --webhook-retries 200ms,300ms,400ms --webhook-timeout 1s)
receive() { rm -f "$dir/port"; node $judge/receiver.mjs "$dir" "${1:-0}" 2> "$dir/receiver" & receiver=$!; for _ in $(seq 4000); do [ -s "$dir/port" ] && return; sleep .01; done; }
deaf() { kill -9 $receiver; wait $receiver 2>/dev/null; receiver=; }
ask() { # NAME STATUS PATTERN CURL-ARGUMENTS...
    local name=$1 status=$2 pattern=$3 got; shift 3
    got=$(curl -s -o "$dir/body" -w '%{http_code}' -H "Authorization: Bearer $key" "$@")
    [ "$got" = "$status" ] && grep -qE -- "$pattern" "$dir/body"; ok $? "$name: $got"
}
json=(-H 'Content-Type: application/json')
event() { printf '{"id":"%s","time":"2018-10-01T12:00:00Z","type":"purchase","account":"a-%s","device":"d-%s","amount":4900,"currency":"EUR"}' "$1" "$1" "$1"; }
decide() { curl -s -o "$dir/decision" -H "Authorization: Bearer $store" "${json[@]}" -d "$(event "$1")" "$u/v1/decisions"; }
hook() { printf '{"url":"%s","events":%s,"name":"test"}' "$1" "${2:-[\"decision.challenge\",\"decision.deny\"]}"; }
state() { curl -s -H "Authorization: Bearer $key" "$u/v1/webhooks/$id/deliveries?state=$1"; }
count() { state "$1" | jq '.deliveries | length'; }
received() { grep -c "\"event\":\"$1\"" "$dir/received" 2>/dev/null; }
remove() { ask 'a webhook is removed' 200 '"removed":true' -X DELETE "$u/v1/webhooks/$id"; }
add() { # URL [events]
    ask 'a webhook is made' 200 '"secret":"whsec_' "${json[@]}" -d "$(hook "$@")" "$u/v1/webhooks"
    id=$(jq -r .id "$dir/body"); jq -r .secret "$dir/body" > "$dir/secrets"; : > "$dir/received"
}

touch "$dir/body" "$dir/log"
key=$("$KEER" key new -q --database "$dir/k.db" --role admin); store=$("$KEER" key new -q --database "$dir/k.db")
[ "$(stat -c %a "$dir/k.db")" = 600 ]; ok $? 'a new database is its owner'\''s alone'
receive
start --webhook-allow 127.0.0.1/32 || exit 1
target=http://127.0.0.1:$(cat "$dir/port")/hook

# 1. what is sent
ask 'no webhook yet' 200 '"webhooks":\[\]' "$u/v1/webhooks"
decide before
add "$target"
ask 'it is listed' 200 "\"id\":\"$id\"" "$u/v1/webhooks"; grep -q whsec_ "$dir/body"; [ $? = 1 ]; ok $? 'without its secret'
ask 'and alone' 200 '"enabled":true' "$u/v1/webhooks/$id"
decide one; grep -q '"outcome":"challenge"' "$dir/decision"; ok $? 'a decision to challenge'
wait_until eval '[ "$(received one)" = 1 ]'; ok $? 'is sent'
jq -e '.verified == [true] and .changed == false and .type == "decision.challenge" and .outcome == "challenge" and .two == 1' "$dir/received" > /dev/null; ok $? "the published package takes its signature: $(cat "$dir/received")"
[ "$(received before)" = 0 ]; ok $? 'what was decided before is not'
wait_until eval '[ "$(count delivered)" = 1 ]'; ok $? 'it is told as delivered'
ask 'an unknown state' 400 BAD_QUERY "$u/v1/webhooks/$id/deliveries?state=lost"
curl -s -o "$dir/decision" -H "Authorization: Bearer $store" "${json[@]}" -d '{"id":"calm","time":"2018-10-01T12:00:00Z","type":"sign_in","account":"x","outcome":"success"}' "$u/v1/decisions"
grep -q '"outcome":"allow"' "$dir/decision" && sleep .3 && [ "$(received calm)" = 0 ]; ok $? 'an outcome that it does not want is not sent'
for i in $(seq 40); do decide "o$i"; done
wait_until eval '[ "$(wc -l < "$dir/received")" = 41 ]'; jq -r .event "$dir/received" | sed 1d | cmp -s - <(seq -f 'o%g' 40); ok $? 'forty come in their order'

# 2. rotation
ask 'a secret is rotated' 200 '"secret":"whsec_' -X POST "$u/v1/webhooks/$id/rotate"; jq -r .secret "$dir/body" >> "$dir/secrets"
decide two; wait_until eval '[ "$(received two)" = 1 ]'
grep '"event":"two"' "$dir/received" | jq -e '.verified == [true,true] and .two == 2' > /dev/null; ok $? 'for a day both secrets sign'

# 3. receivers that fail: seen again with one id, dead at the end, replayed
echo 500 > "$dir/mode"; decide bad
wait_until eval '[ "$(count dead)" = 1 ]'; ok $? 'after the last try it is dead'
[ "$(received bad)" = 4 ] && [ "$(grep '"bad"' "$dir/received" | jq -r .id | sort -u | wc -l)" = 1 ]; ok $? 'four tries had one id'
state dead > "$dir/body"; jq -e '.deliveries[0] | .status == 500 and .attempts == 4 and .state == "dead"' "$dir/body" > /dev/null; ok $? 'the dead letter says why'
wait_until eval 'curl -s "$u/metrics" | grep -qE "^keer_outbox_dead 1"'; curl -s "$u/metrics" > "$dir/body"
grep -q '^keer_outbox_died_total 1' "$dir/body" && grep -q '^keer_outbox_failed_total 4' "$dir/body" && grep -qE '^keer_outbox_delivered_total 4[0-9]' "$dir/body"; ok $? 'metrics tell of it'
echo ok > "$dir/mode"
ask 'the dead are sent again' 200 '"replayed":1' "${json[@]}" -d '{}' "$u/v1/webhooks/$id/replay"
wait_until eval '[ "$(received bad)" = 5 ] && [ "$(count dead)" = 0 ]'; ok $? 'and arrive'
seq=$(state delivered | jq '.deliveries[] | select(.type == "decision.challenge") | .seq' | tail -1)
ask 'one delivery again' 200 '"replayed":1' "${json[@]}" -d "{\"seq\":$seq}" "$u/v1/webhooks/$id/replay"
ask 'one that is not there' 200 '"replayed":0' "${json[@]}" -d '{"seq":999999}' "$u/v1/webhooks/$id/replay"
ask 'a replay that says nothing' 400 BAD_BODY "${json[@]}" -d '{"seq":"all"}' "$u/v1/webhooks/$id/replay"
echo 'slow 3000' > "$dir/mode"; decide late
wait_until eval 'state waiting | jq -e ".deliveries[] | select(.why | test(\"imeout\"))" > /dev/null'; ok $? 'a slow receiver is a failure'
echo drip > "$dir/mode"; wait_until eval '[ "$(count dead)" = 1 ]'; ok $? 'so is one that never ends'
echo ok > "$dir/mode"; ask 'again' 200 '"replayed":1' "${json[@]}" -d '{}' "$u/v1/webhooks/$id/replay"; wait_until eval '[ "$(count waiting)" = 0 ]'
echo huge > "$dir/mode"; decide huge; wait_until eval '[ -s "$dir/sent" ]'
[ "$(cat "$dir/sent")" -lt 20000000 ]; ok $? "a huge answer is cut off: $(cat "$dir/sent") bytes"
echo 'redirect http://127.0.0.1:1/inner' > "$dir/mode"; decide moved
wait_until eval '[ "$(count dead)" = 1 ]'; state dead | jq -e '.deliveries[0].status == 302' > /dev/null; ok $? 'a redirect is not followed'
[ "$(grep -c /inner "$dir/received")" = 0 ]; ok $? 'nothing went there'
echo 429 > "$dir/mode"; before=$(date +%s%N); decide asked; wait_until eval '[ "$(received asked)" -ge 2 ]'; [ $(($(date +%s%N) - before)) -gt 900000000 ]; ok $? 'Retry-After is kept'
echo ok > "$dir/mode"; ask 'again' 200 replayed "${json[@]}" -d '{}' "$u/v1/webhooks/$id/replay"; wait_until eval '[ "$(count waiting)" = 0 ]'
echo 410 > "$dir/mode"; decide gone
wait_until eval 'curl -s -H "Authorization: Bearer $key" "$u/v1/webhooks/$id" | grep -q "\"enabled\":false"'; ok $? '410 disables it'
decide after; sleep .3; [ "$(received after)" = 0 ]; ok $? 'and nothing more is sent'
echo ok > "$dir/mode"; ask 'a replay enables it' 200 '"replayed":1' "${json[@]}" -d '{}' "$u/v1/webhooks/$id/replay"
decide again; wait_until eval '[ "$(received again)" = 1 ] && [ "$(received gone)" = 2 ]'; ok $? 'and it is sent to again'
port=$(cat "$dir/port"); deaf; decide down; wait_until eval '[ "$(count waiting)" = 1 ]'; receive "$port"
again() { curl -s -o "$dir/body" -H "Authorization: Bearer $key" "${json[@]}" -d '{}' "$u/v1/webhooks/$id/replay"; }
wait_until eval '[ "$(received down)" -ge 1 ] || { again; false; }'; ok $? 'a receiver that was down gets it when it is back'

# 4. kill -9 while deliveries are under way: at least once
wait_until eval '[ "$(count waiting)" = 0 ]'; remove; add "$target" '["decision.allow","decision.challenge","decision.review","decision.deny"]'
deaf; receive "$port"; echo 'slow 1' > "$dir/mode"
for round in 1 2 3; do
    "$BUILD/bench/http-load" --to "$address" --key "$store" --connections 2 --seconds 1 --prefix "k$round-" --acks "$dir/acks$round" > "$dir/load" 2>&1 & load=$!
    sleep .6; kill -9 "$pid"; wait "$pid" 2>/dev/null; kill $load 2>/dev/null; wait $load 2>/dev/null
    start --webhook-allow 127.0.0.1/32 || exit 1
done
echo ok > "$dir/mode"
patience=360 wait_until eval '[ "$(count waiting)" = 0 ]'; ok $? 'the outbox is empty after three kills'
sqlite3 "$dir/k.db" "SELECT CAST(id AS TEXT) FROM journal WHERE CAST(id AS TEXT) LIKE 'k_-%'" | sort > "$dir/want"
jq -r .event "$dir/received" | sort > "$dir/got"; sort -u "$dir/got" > "$dir/once"
missing=$(comm -23 "$dir/want" "$dir/once" | wc -l)
[ -s "$dir/want" ] && [ "$missing" = 0 ]; ok $? "nothing is lost: $(wc -l < "$dir/want") decisions, $missing missing, $(($(wc -l < "$dir/got") - $(wc -l < "$dir/once"))) came twice"
jq -e 'select(.verified[0] != true)' "$dir/received" > /dev/null; [ $? = 4 ]; ok $? 'every one was signed'
grep -qiE 'whsec_' "$dir/log"; [ $? = 1 ]; ok $? 'no secret is in the log'
remove
ask 'it is gone' 404 NOT_FOUND "$u/v1/webhooks/$id"
ask 'so are its deliveries' 404 NOT_FOUND "$u/v1/webhooks/$id/deliveries"
ask 'removing it again' 404 NOT_FOUND -X DELETE "$u/v1/webhooks/$id"
ask 'rotating it' 404 NOT_FOUND -X POST "$u/v1/webhooks/$id/rotate"

# 5. what is refused
while IFS='|' read -r name body; do ask "$name" 400 '"code":"BAD_BODY"' "${json[@]}" -d "$body" "$u/v1/webhooks"; done << 'EOF'
an empty object|{}
no JSON|url=x
no events|{"url":"https://example.com/"}
an empty list of events|{"url":"https://example.com/","events":[]}
an unknown event|{"url":"https://example.com/","events":["decision.maybe"]}
an unknown member|{"url":"https://example.com/","events":["decision.deny"],"secret":"x"}
a name with a line end|{"url":"https://example.com/","events":["decision.deny"],"name":"a\nb"}
a user in the URL|{"url":"https://a:b@example.com/","events":["decision.deny"]}
another scheme|{"url":"gopher://example.com/","events":["decision.deny"]}
a file|{"url":"file:///etc/passwd","events":["decision.deny"]}
white space in the URL|{"url":"https://example.com/a b","events":["decision.deny"]}
EOF
got=$(curl -s -o "$dir/body" -w '%{http_code}' -H "Authorization: Bearer $store" "$u/v1/webhooks"); [ "$got" = 403 ]; ok $? 'a key of another role'
stop; ok $? 'it ends'

# 6. forbidden addresses: nothing allowed, the receiver must hear nothing
start || exit 1
for host in 127.0.0.1 127.1 0.0.0.0 '[::1]' '[::]' 2130706433 0x7f000001 0177.0.0.1 '[::ffff:127.0.0.1]' '[::ffff:7f00:1]' 169.254.169.254 10.0.0.1 172.16.0.1 192.168.1.1 100.64.0.1 \
    '[fe80::1]' '[fd00::1]' '[64:ff9b::7f00:1]' '[2002:7f00:1::]' 224.0.0.1 255.255.255.255; do
    ask "https to $host" 400 'private, loopback' "${json[@]}" -d "$(hook "https://$host/")" "$u/v1/webhooks"
done
ask 'http where nothing is allowed' 400 'use https' "${json[@]}" -d "$(hook 'http://example.com/')" "$u/v1/webhooks"
: > "$dir/received"; add "https://localhost:$port/"; decide inner
wait_until eval 'state waiting | jq -e ".deliveries[0].why | test(\"is not an address\")" > /dev/null || state dead | jq -e ".deliveries[0].why | test(\"is not an address\")" > /dev/null'; ok $? "a name that resolves to loopback: $(state dead | jq -c '.deliveries[0].why')"
[ ! -s "$dir/received" ]; ok $? 'nothing was connected to'
remove; stop
# A network that is allowed still wants a certificate that is trusted, where it is https.
start --webhook-allow 127.0.0.0/8,::1 || exit 1
add "https://127.0.0.1:$port/"; decide plain; wait_until eval '[ "$(count dead)" = 1 ]'; [ ! -s "$dir/received" ]; ok $? "no TLS, no delivery: $(state dead | jq -c '.deliveries[0].why')"
remove; stop

# 7. secrets sealed under a key
head -c 40 /dev/urandom > "$dir/seal"; head -c 40 /dev/urandom > "$dir/other"; head -c 5 /dev/urandom > "$dir/short"
echo ok > "$dir/mode"; start --webhook-allow 127.0.0.1 --webhook-key "$dir/seal" || exit 1
add "$target"; decide sealed; wait_until eval '[ "$(received sealed)" = 1 ]'; jq -e '.verified == [true]' "$dir/received" > /dev/null; ok $? 'a sealed secret signs'
[ "$(sqlite3 "$dir/k.db" 'SELECT length(secret) FROM webhook')" = 72 ]; ok $? 'and is not in the database as it is'
stop
serve() { "$KEER" serve --policy policies/store.keer --database "$dir/k.db" --listen 127.0.0.1:0 --webhooks on "$@" > "$dir/body" 2>&1; }
serve; [ $? = 4 ] && grep -q 'there is no key' "$dir/body"; ok $? 'without the key the daemon does not start'
serve --webhook-key "$dir/other"; [ $? = 4 ] && grep -q 'the key is another' "$dir/body"; ok $? 'nor with another'
serve --webhook-key "$dir/short"; [ $? = 4 ] && grep -q '32 bytes or more' "$dir/body"; ok $? 'nor with a short one'
serve --check-config --webhook-retries soon; [ $? = 2 ]; ok $? '--check-config sees them'
serve --webhook-retries soon; [ $? = 2 ]; ok $? 'nor with retries that are no times'
serve --webhook-allow nowhere; [ $? = 2 ]; ok $? 'nor with networks that are none'
serving=(); start
grep -q 'webhooks are off: 1' "$dir/log"; ok $? 'a daemon without webhooks says whom it forgets'
ask 'and refuses them' 409 WEBHOOKS_OFF "$u/v1/webhooks"
stop; ok $? 'and ends'
exit $failed
