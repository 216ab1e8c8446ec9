#!/usr/bin/env bash
# not_me.sh - 'it was not me' said by a thief: a session locks the account and calls off, and brings nothing back that its owner removed; the link of a message
# brings back what a thief removed, also when he said 'not me' to it first.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
for tool in curl jq oathtool sqlite3; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
echo "rule never deny if purchase and amount > 1000000 EUR" > "$dir/policy.keer"
POLICY=$dir/policy.keer
password='correct horse battery staple 9'
notice() { jq -rs --arg to "$1" --arg kind "$2" "[.[] | select(.to == \$to and .kind == \$kind)] | last | $3" "$dir/notices"; }
told() { [ "$(jq -s --arg to "$1" --arg kind "$2" '[.[] | select(.to == $to and .kind == $kind)] | length' "$dir/notices")" -ge "${3:-1}" ]; }
code_of() { notice "$1" "$2" .subject | grep -oE '[0-9]{8}'; }
totp() { oathtool --totp -b -N "@$(($(date +%s) + ${2:-0}))" "$1"; }
recovery() { jq -r ".codes[$1]" "$dir/$who.codes"; }
step() { as "$1" 'a step, by a recovery code' 200 '"state":"done"' "challenges/$c/recovery-code" "{\"code\":\"$(recovery "$next")\"}"; next=$((next + 1)); }
stepped() { # JAR NAME PATH [BODY [CURL-ARGUMENTS...]]: a change with its step
    local jar=$1 name=$2 path=$3 body=${4:-}; shift 4
    as "$jar" "$name: a step" 200 '"next":"step"' "$path" "$body" "$@"; c=$(the .challenge); step "$jar"
    as "$jar" "$name" 200 '^\{' "$path" "$body" "$@" -H "Keer-Challenge: $c"
}
add_app() { # JAR NAME: with a step when there is one already: $id $secret
    as "$1" "an app: $2" 200 '"uri"' authenticators/totp "{\"name\":\"$2\"}"; id=$(the .id) secret=$(the .secret)
}
state() { sqlite3 "$dir/k.db" "SELECT state FROM authenticator WHERE id = '$1'"; } # 2 active, 4 removed
row() { as "$1" 'recent activity' 200 '"activity"' me; row=$(jq -r --arg kind "$2" '[.activity[] | select(.kind == $kind and .not_me)][0].id' "$dir/body"); }
owner() { # WHO: signs up, with an app and recovery codes; a thief has the password and some of the codes: $mine $my_secret
    who=$1; local address=$1@example.org flow
    as "$1" 'a sign-up' 200 '"next":"code"' sign-up "{\"email\":\"$address\",\"password\":\"$password\"}"; flow=$(the .flow)
    wait_until told "$address" sign_up_code
    as "$1" 'its code' 200 '"next":"done"' sign-up/confirm "{\"flow\":\"$flow\",\"code\":\"$(code_of "$address" sign_up_code)\"}"
    add_app "$1" "$1's"; mine=$id my_secret=$secret
    as "$1" 'is added' 200 '^\{' authenticators/totp/confirm "{\"id\":\"$mine\",\"code\":\"$(totp "$secret" -30)\"}"
    as "$1" 'recovery codes' 200 '"next":"step"' authenticators/recovery-codes '{}'; c=$(the .challenge)
    as "$1" 'want it' 200 '"state":"done"' "challenges/$c/totp" "{\"code\":\"$(totp "$my_secret")\"}"
    as "$1" 'are made' 200 '"codes"' authenticators/recovery-codes '{}' -H "Keer-Challenge: $c"; cp "$dir/body" "$dir/$who.codes"; next=0
    as "thief-$1" 'a thief with the password' 200 '"next":"step"' sign-in "{\"name\":\"$address\",\"password\":\"$password\"}"; c=$(the .challenge); step "thief-$1"
    add_app "thief-$1" "thief"; theirs=$id
    confirm="{\"id\":\"$theirs\",\"code\":\"$(totp "$secret")\"}"
    as "thief-$1" 'wants a step' 200 '"next":"step"' authenticators/totp/confirm "$confirm"; c=$(the .challenge); step "thief-$1"
    as "thief-$1" 'is added: he has an app of his own' 200 '^\{' authenticators/totp/confirm "$confirm" -H "Keer-Challenge: $c"
}
recover() { # JAR ADDRESS SECOND-CODE
    wait_until told "$2" account_frozen
    as "$1" 'a recovery' 200 '"state":"open"' recovery "{\"name\":\"$2\"}"; flow=$(the .flow)
    wait_until told "$2" recovery_code
    as "$1" 'the address' 200 '"ready":false' recovery/code "{\"flow\":\"$flow\",\"code\":\"$(code_of "$2" recovery_code)\"}"
    as "$1" 'and another way' 200 '"ready":true' recovery/code "{\"flow\":\"$flow\",\"code\":\"$3\"}"
    password='another horse battery staple 7'
    as "$1" 'opens it again, with a new password' 200 '"state":"done"' recovery/finish "{\"flow\":\"$flow\",\"password\":\"$password\"}"
}
start --notices "$dir/notices" --guard-grace 1h || exit 1

# --- the thief, whose app the owner removes
owner nina
stepped nina 'the owner removes the thief'"'"'s app' "authenticators/$theirs" '' -X DELETE
wait_until told nina@example.org authenticator_removed
row thief-nina authenticator_removed
as thief-nina 'his old session says that it was not him: nothing comes back' 200 '"told_of":"authenticator_removed","undone":false,"frozen":true,"by_message":true' "activity/$row/not-me" '{}'
[ "$(state "$theirs")" = 4 ] && [ "$(state "$mine")" = 2 ]; ok $? 'his app stays removed, hers is there'
as thief-nina 'he is signed out' 401 NO_SESSION me
as thief-nina 'and stays out' 200 '"next":"denied","frozen":true' sign-in "{\"name\":\"nina@example.org\",\"password\":\"$password\"}"
recover nina nina@example.org "$(recovery $next)"
as thief-nina 'the password that he had is none' 403 WRONG_CREDENTIALS sign-in '{"name":"nina@example.org","password":"correct horse battery staple 9"}'
as nina 'she signs in' 200 '"next":"step"' sign-in "{\"name\":\"nina@example.org\",\"password\":\"$password\"}"; c=$(the .challenge)
as nina 'with her app' 200 '"state":"done"' "challenges/$c/totp" "{\"code\":\"$(totp "$my_secret" 30)\"}"
as nina 'the only one' 200 '"rights":"full"' me; [ "$(jq -r '[.authenticators[] | select(.kind == "totp") | .id] | join(" ")' "$dir/body")" = "$mine" ]; ok $? 'is hers'

# --- his address, which she removes
password='correct horse battery staple 9'
owner olga
as thief-olga 'a thief adds an address' 200 '"id"' contacts '{"email":"thief@example.net"}'; contact=$(the .id)
wait_until told thief@example.net contact_code
code=$(code_of thief@example.net contact_code)
as thief-olga 'which wants a step' 200 '"next":"step"' "contacts/$contact/confirm" "{\"code\":\"$code\"}"; c=$(the .challenge); step thief-olga
as thief-olga 'and is there' 200 '^\{\}' "contacts/$contact/confirm" "{\"code\":\"$code\"}" -H "Keer-Challenge: $c"
stepped olga 'she removes it' "contacts/$contact" '' -X DELETE
wait_until told olga@example.org contact_removed
row thief-olga contact_removed
as thief-olga 'his session does not bring it back' 200 '"told_of":"contact_removed","undone":false,"frozen":true,"by_message":true' "activity/$row/not-me" '{}'
[ "$(sqlite3 "$dir/k.db" "SELECT COUNT(*) FROM contact WHERE value = 'thief@example.net' AND removed_us = 0")" = 0 ]; ok $? 'it stays removed'

# --- the owner, whose app a thief removes: the link of the message, though he said 'not me' to it before
owner oscar
stepped thief-oscar 'a thief removes the owner'"'"'s app' "authenticators/$mine" '' -X DELETE
[ "$(state "$mine")" = 4 ]; ok $? 'it is gone'
wait_until told oscar@example.org authenticator_removed
token=$(notice oscar@example.org authenticator_removed .not_me)
row thief-oscar authenticator_removed
as thief-oscar 'he says that it was not him, to use the link up' 200 '"undone":false,"frozen":true,"by_message":true' "activity/$row/not-me" '{}'
[ "$(state "$mine")" = 4 ]; ok $? 'which changes nothing'
as oscar 'the owner opens the link of the message' 200 '"told_of":"authenticator_removed","undone":true,"frozen":true,"by_message":false' not-me "{\"token\":\"$token\"}"
[ "$(state "$mine")" = 2 ]; ok $? 'and has his app back'
as oscar 'once' 404 NOT_FOUND not-me "{\"token\":\"$token\"}"
recover oscar oscar@example.org "$(totp "$my_secret" 30)"
as oscar 'he signs in' 200 '"next":"step"' sign-in "{\"name\":\"oscar@example.org\",\"password\":\"$password\"}"; c=$(the .challenge); step oscar
stepped oscar 'and removes the thief'"'"'s app' "authenticators/$theirs" '' -X DELETE
[ "$(state "$theirs")" = 4 ] && [ "$(state "$mine")" = 2 ]; ok $? 'his is the only one'

# --- what was added goes at once, from a session too
add_app oscar another
confirm="{\"id\":\"$id\",\"code\":\"$(totp "$secret")\"}"
as oscar 'another app' 200 '"next":"step"' authenticators/totp/confirm "$confirm"; c=$(the .challenge); step oscar
as oscar 'is added' 200 '^\{' authenticators/totp/confirm "$confirm" -H "Keer-Challenge: $c"
row oscar authenticator_added
as oscar 'not me, from the session' 200 '"undone":true,"frozen":true,"by_message":false' "activity/$row/not-me" '{}'
[ "$(state "$id")" = 4 ]; ok $? 'takes it away'
stop; ok $? 'it ends'
exit $failed
