#!/usr/bin/env bash
# keys.sh - API keys over the API: made, listed, rotated and revoked in a running daemon, at once; the last admin; refusals; a restart.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
for tool in curl jq; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
ask() { # NAME STATUS PATTERN KEY CURL-ARGUMENTS...
    local name=$1 status=$2 pattern=$3 key=$4 got; shift 4
    got=$(curl -s -o "$dir/body" -w '%{http_code}' -H "Authorization: Bearer $key" "$@")
    [ "$got" = "$status" ] && grep -qE -- "$pattern" "$dir/body"; ok $? "$name: $got"
}
json=(-H 'Content-Type: application/json')
touch "$dir/body"
admin=$("$KEER" key new -q --database "$dir/k.db" --role admin --name first)
start || exit 1
ask 'a key is made' 200 '"key":"keer_' "$admin" "${json[@]}" -d '{"name":"checkout","role":"store"}' "$u/v1/keys"
store=$(jq -r .key "$dir/body") id=$(jq -r .id "$dir/body"); [ "${store:5:12}" = "$id" ]; ok $? 'its id stands in it'
ask 'it is taken at once' 404 NOT_FOUND "$store" "$u/v1/decisions/none"
ask 'for its role alone' 403 WRONG_ROLE "$store" "$u/v1/keys"
ask 'keys are listed' 200 "\"id\":\"$id\",\"role\":\"store\",\"name\":\"checkout\"" "$admin" "$u/v1/keys"
! grep -qF "${store:18}" "$dir/body" && jq -e '.keys | length == 2' "$dir/body" > /dev/null; ok $? 'without secrets'
ask 'it is rotated' 200 '"old_until":' "$admin" "${json[@]}" -d '{"old_valid":"3s"}' "$u/v1/keys/$id/rotate"; new=$(jq -r .key "$dir/body")
[ "$new" != "$store" ] && [ "${new:5:12}" = "$id" ]; ok $? 'the id stays'
ask 'the new one is taken' 404 NOT_FOUND "$new" "$u/v1/decisions/none"
ask 'the old one too' 404 NOT_FOUND "$store" "$u/v1/decisions/none"
sleep 3.1
ask 'until its time is over' 401 NO_KEY "$store" "$u/v1/decisions/none"
ask 'the new one stays' 404 NOT_FOUND "$new" "$u/v1/decisions/none"
ask 'rotated at once' 200 '"key":' "$admin" "${json[@]}" -d '{"old_valid":"0"}' "$u/v1/keys/$id/rotate"; newer=$(jq -r .key "$dir/body")
ask 'the old one is not taken' 401 NO_KEY "$new" "$u/v1/decisions/none"
ask 'it is revoked' 200 '"removed":true' "$admin" -X DELETE "$u/v1/keys/$id"
ask 'at once' 401 NO_KEY "$newer" "$u/v1/decisions/none"
ask 'again' 404 NOT_FOUND "$admin" -X DELETE "$u/v1/keys/$id"
ask 'rotating what was revoked' 404 NOT_FOUND "$admin" "${json[@]}" -d '{}' "$u/v1/keys/$id/rotate"
ask 'the last admin stays' 409 LAST_ADMIN "$admin" -X DELETE "$u/v1/keys/${admin:5:12}"
ask 'unless it is said' 400 BAD_QUERY "$admin" -X DELETE "$u/v1/keys/${admin:5:12}?last_admin=maybe"
ask 'a second admin' 200 '"role":"admin"' "$admin" "${json[@]}" -d '{"name":"second","role":"admin"}' "$u/v1/keys"; second=$(jq -r .key "$dir/body")
ask 'then the first may go' 200 removed "$second" -X DELETE "$u/v1/keys/${admin:5:12}"
ask 'and is gone' 401 NO_KEY "$admin" "$u/v1/keys"
while IFS='|' read -r name body; do ask "$name" 400 BAD_BODY "$second" "${json[@]}" -d "$body" "$u/v1/keys"; done << 'EOF'
an empty object|{}
no role|{"name":"x"}
an unknown role|{"name":"x","role":"root"}
an unknown member|{"name":"x","role":"store","key":"mine"}
a name with a control character|{"name":"a\u0007","role":"store"}
a name of 65 bytes|{"name":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","role":"store"}
EOF
for v in '"soon"' '"31d"' '""' 5 '"-1s"'; do ask "old_valid $v" 400 BAD_BODY "$second" "${json[@]}" -d "{\"old_valid\":$v}" "$u/v1/keys/${second:5:12}/rotate"; done
ask 'an unknown id' 404 NOT_FOUND "$second" "${json[@]}" -d '{}' "$u/v1/keys/aaaaaaaaaaaa/rotate"
ask 'an id that is none' 404 NOT_FOUND "$second" -X DELETE "$u/v1/keys/x"
# Many at once, while others are used: nobody who is valid is ever refused.
( for _ in $(seq 200); do curl -s -o /dev/null -w '%{http_code}\n' -H "Authorization: Bearer $second" "$u/v1/decisions/none"; done > "$dir/codes" ) & loop=$!
for i in $(seq 40); do curl -s -o "$dir/made$((i % 4))" -H "Authorization: Bearer $second" "${json[@]}" -d "{\"name\":\"n$i\",\"role\":\"store\"}" "$u/v1/keys" & [ $((i % 4)) = 0 ] && wait %2 2>/dev/null; done
wait "$loop"; [ "$(sort -u "$dir/codes")" = 404 ]; ok $? 'a valid key is taken while others are made'
wait_until eval '[ "$(curl -s -H "Authorization: Bearer $second" "$u/v1/keys" | jq ".keys | length")" = 43 ]'; ok $? 'all of them are there'
stop; ok $? 'it ends'
grep -qE 'keer_[a-z2-9]{12}_' "$dir/log"; [ $? = 1 ]; ok $? 'no key is in the log'
start || exit 1
ask 'after a restart the key is taken' 404 NOT_FOUND "$second" "$u/v1/decisions/none"
ask 'what was revoked is not' 401 NO_KEY "$newer" "$u/v1/decisions/none"
ask 'the last admin goes when it is said' 200 removed "$second" -X DELETE "$u/v1/keys/${second:5:12}?last_admin=yes"
stop
exit $failed
