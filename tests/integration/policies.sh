#!/usr/bin/env bash
# policies.sh - versions of the policy in a running daemon: check, keep, shadow, compare, promote under load, roll back, lists, restart; and
# every refusal. At the end the journal, decided by four versions in turn, is decided again by each: byte for byte.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer} BUILD=${BUILD:-build/release}
command -v curl > /dev/null && command -v jq > /dev/null || { echo 'skipped: no curl or jq here'; exit 0; }
. tests/lib/daemon.sh
POLICY=$dir/p/a.keer
mkdir "$dir/p"
printf 'list bad = "bad.txt"\nattribute tag text\nwindow n = count(purchase) by account over 1h\nrule bad deny if account in bad\nrule many challenge if purchase and n >= 2\n' > "$dir/p/a.keer"
printf 'mallory\n' > "$dir/p/bad.txt"
printf 'window n = count(purchase) by account over 1h\nattribute tag text\nrule many review if purchase and n >= 1\n' > "$dir/p/b.keer"
# ask NAME STATUS JQ-CONDITION KEY CURL-ARGUMENTS...
ask() {
    local name=$1 status=$2 condition=$3 key=$4 got; shift 4
    got=$(curl -s -o "$dir/body" -w '%{http_code}' -H "Authorization: Bearer $key" "$@")
    [ "$got" = "$status" ] && { [ -z "$condition" ] || jq -e "$condition" "$dir/body" > /dev/null; }; ok $? "$name: $got"
}
put() { jq -n --rawfile p "$1" --arg n "$2" '{name: $n, policy: $p, files: ($ARGS.named | del(.p, .n))}' "${@:3}"; }
event() { printf '{"id":"%s","time":"2018-10-01T12:00:00Z","type":"purchase","account":"%s","amount":100,"currency":"EUR"}' "$1" "${2:-liu}"; }
for role in store analyst admin; do declare "$role=$("$KEER" key new -q --database "${DATABASE:-$dir/k.db}" --role $role)"; done
json=(-H 'Content-Type: application/json')
decide() { ask "$1" 200 "$2" "$store" "${json[@]}" -d "$3" "$u/v1/decisions"; }
wait_for() { for _ in $(seq 4000); do curl -s -H "Authorization: Bearer $admin" "$u$1" | jq -e "$2" > /dev/null && return 0; sleep .01; done; return 1; }

start || exit 1
ask 'one version decides' 200 '.policies | length == 1 and .[0].state == "deciding"' "$analyst" "$u/v1/policies"
decide 'the first event' '.outcome == "allow"' "$(event e1)"
decide 'the second' '.outcome == "allow"' "$(event e2)"
put "$dir/p/b.keer" b > "$dir/b.json"
ask 'a policy is checked' 200 '.ok' "$analyst" "${json[@]}" -d @"$dir/b.json" "$u/v1/policies:check"
ask 'nothing was kept' 200 '.policies | length == 1' "$analyst" "$u/v1/policies"
ask 'an analyst may not keep one' 403 '.code == "WRONG_ROLE"' "$analyst" "${json[@]}" -d @"$dir/b.json" "$u/v1/policies"
ask 'a store may not look' 403 '' "$store" "$u/v1/policies"
ask 'a version is kept' 200 '.id == 2' "$admin" "${json[@]}" -d @"$dir/b.json" "$u/v1/policies"
ask 'again it is the same' 200 '.id == 2' "$admin" "${json[@]}" -d @"$dir/b.json" "$u/v1/policies"
ask 'its text is there' 200 '.policy | contains("review")' "$analyst" "$u/v1/policies/2"
ask 'an error has its place' 422 '.code == "BAD_POLICY" and (.messages[0] | tostring | contains("line"))' "$admin" "${json[@]}" -d '{"policy":"rule x deny if nothing_like_it > 3\n"}' "$u/v1/policies"
ask 'an example that fails' 422 '.code == "BAD_POLICY"' "$admin" "${json[@]}" -d "$(printf 'rule x deny if purchase\nexample "never" {\n    purchase account = "a"\n    expect allow\n}\n' | jq -Rs '{policy: .}')" "$u/v1/policies"
ask 'a file that was not sent' 422 '.messages | tostring | contains("bad.txt")' "$admin" "${json[@]}" -d "$(put "$dir/p/a.keer" a)" "$u/v1/policies"
ask 'no policy in the body' 400 '.detail == "policy is missing"' "$admin" "${json[@]}" -d '{}' "$u/v1/policies"
ask 'a policy that is no text' 400 '.detail | contains("a text was expected")' "$admin" "${json[@]}" -d '{"policy":3}' "$u/v1/policies"
ask 'a member that is not known' 400 '.code == "BAD_BODY" and (.detail | test("file"))' "$admin" "${json[@]}" -d '{"policy":"","file":{}}' "$u/v1/policies"
ask 'a name with a line end' 400 '.code == "BAD_BODY"' "$admin" "${json[@]}" -d '{"policy":"","name":"a\nb"}' "$u/v1/policies"
ask 'days that are misspelt' 400 '.code == "BAD_BODY"' "$admin" "${json[@]}" -d '{"day":3}' "$u/v1/policies/1/diff"
ask 'files that are no object' 400 '.code == "BAD_BODY"' "$admin" "${json[@]}" -d '{"policy":"","files":[]}' "$u/v1/policies"
ask 'not JSON' 400 '.detail | startswith("byte 1")' "$admin" "${json[@]}" -d 'x' "$u/v1/policies"
ask 'a version that is not there' 404 '' "$analyst" "$u/v1/policies/99"
ask 'a version that is no number' 404 '' "$analyst" "$u/v1/policies/b"
ask 'what is not in shadow has no comparison' 404 '' "$analyst" "$u/v1/policies/2/comparison"
ask 'nor takes it over' 404 '' "$admin" -X POST "$u/v1/policies/2/promote"
ask 'nothing to roll back to' 404 '' "$admin" -X POST "$u/v1/policies:rollback"
ask 'what decides is no shadow' 409 '.code == "WRONG_STATE"' "$admin" "${json[@]}" -d '{}' "$u/v1/policies/1/shadow"
ask 'days out of range' 400 '.detail | contains("days")' "$admin" "${json[@]}" -d '{"days":-1}' "$u/v1/policies/2/shadow"
ask 'a look at the last days' 200 '.events == 2 and .changed == 1 and .examples[0].event == "e2"' "$analyst" "${json[@]}" -d '{"days":1}' "$u/v1/policies/2/diff"
ask 'a shadow with history' 200 '.state == "building"' "$analyst" "${json[@]}" -d '{"days":1}' "$u/v1/policies/2/shadow"
wait_for /v1/policies/2/comparison '.state == "following" and .behind == 0'; ok $? 'it follows'
decide 'an event' '.outcome == "challenge"' "$(event e3)"
wait_for /v1/policies/2/comparison '.events == 3'; ok $? 'the shadow has seen it'
ask 'and would have decided otherwise' 200 '.changed == 2 and (.sides | map(select(.was == "challenge" and .is == "review")) | .[0].events == 1)' "$analyst" "$u/v1/policies/2/comparison"
ask 'what was decided stays' 200 '.outcome == "challenge"' "$store" "$u/v1/decisions/e3"

# Promotion and roll-back while events come in.
"$BUILD/bench/http-load" --to "${u#http://}" --key "$store" --connections 8 --seconds 3 --prefix l > "$dir/load" & load=$!
sleep .5
for _ in 1 2 3; do
    ask 'the shadow takes over under load' 200 '.state == "deciding" and .id == 2' "$admin" -X POST "$u/v1/policies/2/promote"
    sleep .2
    ask 'and back at once' 200 '.state == "deciding" and .id == 1' "$admin" -X POST "$u/v1/policies:rollback"
    sleep .2
done
ask 'for good' 200 '.id == 2' "$admin" -X POST "$u/v1/policies/2/promote"
wait "$load"; ok $? "nothing was refused meanwhile: $(head -c 200 "$dir/load" | tr '\n' ' ')"
decide 'the other version decides' '.outcome == "review"' "$(event e4)"
ask 'the list shows it' 200 '.policies | map(select(.state == "deciding"))[0].id == 2' "$analyst" "$u/v1/policies"
stop; ok $? 'the daemon ends'
start || exit 1
grep -q "policy 2 'b' decides" "$dir/log"; ok $? 'after a restart with the same file it still decides, and says so'
jq -e '.journal.differences == 0' "$dir/ready" > /dev/null; ok $? 'and decides the journal as before'
if [ -z "${DATABASE:-}" ]; then # with PostgreSQL a snapshot has no name of its own
    jq -e '.snapshot.used and .journal.events == 0' "$dir/ready" > /dev/null; ok $? "the windows come from the snapshot of the version that decides: $(jq -c .snapshot "$dir/ready")"
    cp "$dir/k.db.windows" "$dir/taken"
    "$KEER" verify --database "$dir/k.db" --snapshot "$dir/taken" --json > "$dir/body" && jq -e '.differences == 0 and .policies == 2 and .snapshot.same' "$dir/body" > /dev/null
    ok $? "and that snapshot is what the journal makes of it: $(cat "$dir/body")"
fi
decide 'the other version decides on' '.outcome == "review"' "$(event e5)"
ask 'the roll-back builds the version first' 200 '.takes_over == "when built"' "$admin" -X POST "$u/v1/policies:rollback"
wait_for /v1/policies '.policies | map(select(.state == "deciding"))[0].id == 1'; ok $? 'and then it decides'

# Lists.
ask 'the lists' 200 '.lists[0].name == "bad" and .lists[0].file == "bad.txt"' "$analyst" "$u/v1/lists"
ask 'a list' 200 '' "$analyst" "$u/v1/lists/bad"; [ "$(cat "$dir/body")" = mallory ]; ok $? 'is its text'
decide 'who is not on it' '.outcome == "allow"' "$(event e6 trudy)"
ask 'an analyst may not change it' 403 '' "$analyst" -X PUT "${json[@]}" -d '{"content":"mallory\ntrudy\n"}' "$u/v1/lists/bad"
ask 'another content' 200 '.id == 3' "$admin" -X PUT "${json[@]}" -d '{"content":"mallory\ntrudy\n"}' "$u/v1/lists/bad"
wait_for /v1/policies '.policies | map(select(.state == "deciding"))[0].id == 3'; ok $? 'is a new version, which decides soon'
decide 'who is on it now' '.outcome == "deny"' "$(event e7 trudy)"
ask 'no such list' 404 '' "$analyst" "$u/v1/lists/good"
ask 'no content' 400 '.detail == "content is missing"' "$admin" -X PUT "${json[@]}" -d '{}' "$u/v1/lists/bad"
ask 'the shadow is ended' 200 '.shadow == null' "$admin" -X DELETE "$u/v1/policies/shadow"

# Another file at the start is another policy.
stop
printf 'rule none deny if account = "nobody"\n' >> "$dir/p/a.keer"
start || exit 1
ask 'a file that changed decides' 200 '.policies | map(select(.state == "deciding"))[0].id == 4' "$admin" "$u/v1/policies"
decide 'by its rules' '.outcome == "deny"' "$(event e8 mallory)"
stop; ok $? 'the daemon ends'
if [ -z "${DATABASE:-}" ]; then
    start --no-snapshot || exit 1
    jq -e '.journal.differences == 0 and .journal.events > 100' "$dir/ready" > /dev/null; ok $? 'without its snapshot it decides the same'
    stop
    "$KEER" verify --database "$dir/k.db" --snapshot "$dir/k.db.windows" > "$dir/body"; ok $? "the last snapshot is the fourth version's: $(tail -n 1 "$dir/body")"
    "$KEER" verify --database "$dir/k.db" --snapshot "$dir/taken" > "$dir/body"; ok $? 'and the one of the second version is still what it makes of its rows'
fi
"$KEER" verify --database "${DATABASE:-$dir/k.db}" --json > "$dir/body" && jq -e '.differences == 0 and .policies == 4 and .compared == .events and .events > 100' "$dir/body" > /dev/null
ok $? "the journal of four versions, each decided again: $(cat "$dir/body")"
exit $failed
