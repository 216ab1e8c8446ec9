#!/usr/bin/env bash
# disabled.sh - a hundred wrong answers in a row, from browsers that the account knows, disable an app for good: the event that the engine decides, what a rule
# makes of it, the message, what still opens the account, and the new app that is set up in its place. A restart lies in between.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
for tool in curl jq oathtool sqlite3; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
cat > "$dir/policy.keer" << 'P'
window guessed = count(authenticator_disabled) by account over 1d
rule guessed_at challenge if sign_in and outcome = 'success' and guessed > 0
P
POLICY=$dir/policy.keer
password='correct horse battery staple 9'
notice() { jq -rs --arg kind "$1" "[.[] | select(.kind == \$kind)] | last | $2" "$dir/notices"; }
told() { [ "$(jq -s --arg kind "$1" '[.[] | select(.kind == $kind)] | length' "$dir/notices")" -ge "${2:-1}" ]; }
totp() { oathtool --totp -b -N "@$(($(date +%s) + ${2:-0}))" "$1"; }
recovery() { jq -r ".codes[$1]" "$dir/codes"; }
sign_in() { as "$1" "$1 signs in: a step" 200 '"next":"step"' sign-in "{\"name\":\"anna@example.org\",\"password\":\"$password\"}"; c=$(the .challenge); }
step() { as "$1" 'by a recovery code' 200 '"state":"done"' "challenges/$c/recovery-code" "{\"code\":\"$(recovery "$next")\"}"; next=$((next + 1)); }
opts=(--notices "$dir/notices" --guard-grace 1h)
keys || exit 1
start "${opts[@]}" || exit 1

as anna 'a sign-up' 200 '"next":"code"' sign-up "{\"email\":\"anna@example.org\",\"password\":\"$password\"}"; flow=$(the .flow)
wait_until told sign_up_code
as anna 'its code' 200 '"next":"done"' sign-up/confirm "{\"flow\":\"$flow\",\"code\":\"$(notice sign_up_code .subject | grep -oE '[0-9]{8}')\"}"
as anna 'an app' 200 '"uri"' authenticators/totp '{"name":"old app"}'; old=$(the .id) secret=$(the .secret)
as anna 'is added' 200 '^\{' authenticators/totp/confirm "{\"id\":\"$old\",\"code\":\"$(totp "$secret" -30)\"}"
as anna 'recovery codes' 200 '"next":"step"' authenticators/recovery-codes '{}'; c=$(the .challenge)
as anna 'want the app' 200 '"state":"done"' "challenges/$c/totp" "{\"code\":\"$(totp "$secret")\"}"
as anna 'ten of them' 200 '"codes"' authenticators/recovery-codes '{}' -H "Keer-Challenge: $c"; cp "$dir/body" "$dir/codes"; next=0
for d in d1 d2 d3 d4 d5; do sign_in $d; step $d; done

# Five wrong answers end a challenge, and a browser that the account knows has twenty a day: five browsers come to a hundred.
guess() { # JAR: four challenges
    local code i
    for _ in 1 2 3 4; do
        curl -s -b "$dir/$1.jar" -c "$dir/$1.jar" -H 'Content-Type: application/json' -d "{\"name\":\"anna@example.org\",\"password\":\"$password\"}" "$u/v1/account/sign-in" > "$dir/body"; c=$(the .challenge)
        code=$(totp "$secret" 300); for i in -60 -30 0 30 60; do [ "$code" != "$(totp "$secret" $i)" ] || code=$(totp "$secret" 900); done
        for i in 1 2 3 4 5; do
            curl -s -o "$dir/body" -w '%{http_code}\n' -b "$dir/$1.jar" -c "$dir/$1.jar" -H 'Content-Type: application/json' -d "{\"code\":\"$code\"}" "$u/v1/account/challenges/$c/totp"
        done
    done > "$dir/guesses"
    [ "$(tr '\n' ' ' < "$dir/guesses")" = "$(for _ in 1 2 3 4; do printf '403 403 403 403 409 '; done)" ]; ok $? "$1: twenty wrong answers, five to each challenge"
}
guess d1; guess d2
stop; ok $? 'a restart'
start "${opts[@]}" || exit 1
guess d3; guess d4
state() { curl -s -b "$dir/anna.jar" "$u/v1/account/me" | jq -r ".authenticators[] | select(.id == \"$old\") | .state"; }
[ "$(state)" = active ] && ! told authenticator_blocked; ok $? 'after eighty it is as it was'
guess d5
[ "$(state)" = disabled ]; ok $? 'after a hundred it is disabled'
wait_until told authenticator_blocked; ok $? "its owner is told: $(notice authenticator_blocked .text | sed -n 3p)"
notice authenticator_blocked .text | grep -q 'old app was blocked'; ok $? 'which one it was'

# --- the event
decisions() { curl -s -H "Authorization: Bearer $admin" "$u/v1/decisions?$1" > "$dir/body"; jq '.decisions | length' "$dir/body"; }
wait_until eval '[ "$(decisions type=authenticator_disabled)" = 1 ]'; ok $? 'an event is decided, once'
jq -e '.decisions[0] | .type == "authenticator_disabled" and .outcome == "allow"' "$dir/body" > /dev/null; ok $? "$(jq -c '.decisions[0]' "$dir/body")"
account=$(curl -s -b "$dir/anna.jar" "$u/v1/account/me" | jq -r .account)
sqlite3 "$dir/k.db" "SELECT CAST(body AS TEXT) FROM journal WHERE json_extract(CAST(body AS TEXT), '$.type') = 'authenticator_disabled'" > "$dir/event"
[ "$(wc -l < "$dir/event")" = 1 ] && jq -e --arg a "$account" '.account == $a and .ip == "127.0.0.1" and (.device | length > 0)' "$dir/event" > /dev/null; ok $? "of the account, with who did it: $(cat "$dir/event")"

# --- it opens nothing, with the right code either; the rest of the account goes on
sign_in fresh
as fresh 'the app is no way any more' 200 '"methods":\["recovery_code"\]' "challenges/$c"
as fresh 'its right code opens nothing' 409 STEP_OVER "challenges/$c/totp" "{\"code\":\"$(totp "$secret" 30)\"}"
wait_until eval '[ "$(decisions "type=sign_in&outcome=challenge")" -ge 1 ]'; ok $? 'a rule sees it: the sign-in after it is challenged'
step fresh
sign_in d1; as d1 'a browser that spent its tries waits for the next day, also with a right code' 429 TOO_MANY_TRIES "challenges/$c/recovery-code" "{\"code\":\"$(recovery $next)\"}"
as fresh 'the disabled one is shown' 200 "\"id\":\"$old\"[^}]*\"state\":\"disabled\"" me
as fresh 'its code confirms nothing' 404 NOT_FOUND authenticators/totp/confirm "{\"id\":\"$old\",\"code\":\"$(totp "$secret" 30)\"}"
[ "$(state)" = disabled ]; ok $? 'it stays disabled'

# --- set up anew, with a step: another secret
as fresh 'another app' 200 '"uri"' authenticators/totp '{"name":"new app"}'; new=$(the .id) fresh_secret=$(the .secret)
confirm="{\"id\":\"$new\",\"code\":\"$(totp "$fresh_secret" -30)\"}"
as fresh 'wants a step' 200 '"next":"step"' authenticators/totp/confirm "$confirm"; c=$(the .challenge); step fresh
as fresh 'and is added' 200 '^\{' authenticators/totp/confirm "$confirm" -H "Keer-Challenge: $c"
sign_in again
as again 'the old secret' 403 WRONG_CODE "challenges/$c/totp" "{\"code\":\"$(totp "$secret" 30)\"}"
as again 'the new one opens the account' 200 '"state":"done"' "challenges/$c/totp" "{\"code\":\"$(totp "$fresh_secret")\"}"
as again 'and it is hers' 200 '"rights":"full"' me
stop; ok $? 'it ends'
"$KEER" verify -q --policy "$POLICY" --database "$dir/k.db" > "$dir/body" 2>&1; ok $? "and decides it all again alike: $(cat "$dir/body")"
exit $failed
