#!/usr/bin/env bash
# events.sh - GET /v1/events: live decisions, filters, resuming, refusals, too many clients, a client that does not read, stopping.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer} BUILD=${BUILD:-build/release}
command -v curl > /dev/null || { echo 'skipped: no curl here'; exit 0; }
. tests/lib/daemon.sh
clients=()
finally() { [ ${#clients[@]} = 0 ] || kill -9 "${clients[@]}" 2> /dev/null; }
listen() { # FILE CURL-ARGUMENTS...
    local file=$1; shift
    curl -sN -D "$file.head" -H "Authorization: Bearer $key" "$@" > "$file" & clients+=($!); last=$!
    wait_until eval "grep -q retry '$file'"
}
decide() { curl -s -o /dev/null -H "Authorization: Bearer $store" -H 'Content-Type: application/json' -d "$1" "$u/v1/decisions"; }
purchase() { decide "$(printf '{"id":"%s","time":"2018-10-01T12:00:00Z","type":"purchase","account":"a-%s","device":"d-%s","amount":4900,"currency":"EUR"}' "$1" "$1" "$1")"; }
sign_in() { decide "$(printf '{"id":"%s","time":"2018-10-01T12:00:00Z","type":"sign_in","account":"a-%s","outcome":"success"}' "$1" "$1")"; }
status() { curl -s -m 5 -o "$dir/body" -w '%{http_code}' "$@"; }

key=$("$KEER" key new -q --database "$dir/k.db" --role analyst); store=$("$KEER" key new -q --database "$dir/k.db")
auth=(-H "Authorization: Bearer $key")
start --streams 4 || exit 1
purchase before
listen "$dir/all" "$u/v1/events"; ok $? 'a stream opens'
grep -qi '^content-type: text/event-stream' "$dir/all.head" && grep -qi '^cache-control: no-store' "$dir/all.head"; ok $? 'with its type'
listen "$dir/some" "$u/v1/events?outcome=deny,challenge"
purchase p1; sign_in s1; purchase p2
wait_until eval 'grep -q "\"id\":\"p2\"" "$dir/all"'; ok $? 'decisions come'
[ "$(grep -c '^event: decision' "$dir/all")" = 3 ] && [ "$(grep '^id:' "$dir/all" | tr '\n' ' ')" = 'id: 2 id: 3 id: 4 ' ]; ok $? 'in their order, from when it opened, with their numbers'
wait_until eval 'grep -q "\"id\":\"p2\"" "$dir/some"'; [ "$(grep -c '^event:' "$dir/some")" = 2 ] && ! grep -q s1 "$dir/some"; ok $? 'only what was asked for'
listen "$dir/late" -H 'Last-Event-ID: 1' "$u/v1/events"; wait_until eval '[ "$(grep -c ^event: "$dir/late")" = 3 ]'; ok $? 'Last-Event-ID resumes'
kill "$last"; wait "$last" 2> /dev/null
listen "$dir/after" "$u/v1/events?after=0&outcome=allow"; wait_until eval 'grep -q s1 "$dir/after"'; ok $? 'so does after, with a filter'
[ "$(status "${auth[@]}" "$u/v1/events?outcome=maybe")" = 400 ] && grep -q BAD_QUERY "$dir/body"; ok $? 'an unknown outcome'
[ "$(status "${auth[@]}" -H 'Last-Event-ID: x' "$u/v1/events")" = 400 ]; ok $? 'a Last-Event-ID that is no number'
[ "$(status -H "Authorization: Bearer $store" "$u/v1/events")" = 403 ]; ok $? 'a key of another role'
[ "$(status "$u/v1/events")" = 401 ]; ok $? 'no key'
[ "$(status "${auth[@]}" -X POST "$u/v1/events")" = 405 ]; ok $? 'another method'
# One of the four has gone, and the daemon learns of it with what it sends next.
wait_until eval 'purchase "gone$((n = ${n:-0} + 1))"; sleep .2; curl -s "$u/metrics" | grep -q "^keer_streams 3"'; ok $? 'who has gone is forgotten'
[ "$(status "${auth[@]}" -I "$u/v1/events")" = 200 ]; ok $? 'HEAD ends at once'
wait_until eval 'curl -s "$u/metrics" | grep -q "^keer_streams 3"'
listen "$dir/fourth" "$u/v1/events"; [ "$(status "${auth[@]}" "$u/v1/events")" = 429 ] && grep -q TOO_MANY "$dir/body"; ok $? 'a fifth client is refused'

# Many, to three clients that read and one that does not: all come, in order, and the memory of the daemon stays.
kill -STOP "${clients[0]}"; rss=$(awk '/VmRSS/ {print $2}' "/proc/$pid/status")
"$BUILD/bench/http-load" --to "${u#http://}" --key "$store" --connections 8 --seconds 2 --prefix l > "$dir/load"; cat "$dir/load" >&2
rows=$(curl -s "$u/metrics" | awk '/^keer_journal_rows_total/ {print $2}')
patience=120 wait_until eval '[ "$(tail -n 3 "$dir/fourth" | grep -o "^id: .*")" = "id: $rows" ]'
grep '^id:' "$dir/fourth" | cut -d' ' -f2 | awk 'NR > 1 && $1 != p + 1 {bad = 1} {p = $1} END {exit bad}'; ok $? "all come without a gap: $(grep -c '^id:' "$dir/fourth") to one client, $rows rows"
[ "$(tail -n 3 "$dir/fourth" | grep -o '^id: .*')" = "id: $rows" ]; ok $? 'up to the last'
now=$(awk '/VmRSS/ {print $2}' "/proc/$pid/status"); [ $((now - rss)) -lt "${RSS_ROOM_KB:-60000}" ]; ok $? "a client that does not read costs no memory: $((now - rss)) kB with windows and journal"
kill -CONT "${clients[0]}"; wait_until eval '[ "$(tail -n 3 "$dir/all" | grep -o "^id: .*")" = "id: $rows" ]'; ok $? 'when it reads again it has missed nothing'
begun=$(date +%s%N); kill "$pid"; wait "$pid"; code=$?; pid=
[ $code = 0 ] && [ $((($(date +%s%N) - begun) / 1000000)) -lt 3000 ]; ok $? "SIGTERM ends streams and daemon: $((($(date +%s%N) - begun) / 1000000)) ms"
wait "$last"; ok $? 'the client sees a whole answer'
exit $failed
