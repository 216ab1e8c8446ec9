#!/usr/bin/env bash
# agreements.sh - linked wallets over HTTP, before the emulator of wallets: linking with a step, the wallet's page, limits, pausing, ending here and there, a wallet
# that is silent, a daemon that is killed in between; on SQLite, and on PostgreSQL where one can be started.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
for tool in curl jq sqlite3; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/postgres.sh
. tests/lib/daemon.sh
emulator=
finally() { [ -z "$emulator" ] || kill "$emulator" 2> /dev/null; pg_end; }
password='correct horse battery staple 9'
the() { jq -r "$1" "$dir/body"; }
# as JAR NAME STATUS PATTERN PATH [BODY [CURL-ARGUMENTS...]]: as the browser of that jar; GET without a body
as() {
    local jar=$dir/$1 name=$2 status=$3 pattern=$4 path=$5; shift 5
    local body=(); [ $# -gt 0 ] && { [ -n "$1" ] && body=(-H 'Content-Type: application/json' -d "$1"); shift; }
    ask "$name" "$status" "$pattern" -b "$jar" -c "$jar" "${body[@]}" "$@" "$u/v1/account/$path"
}
# by KEY NAME STATUS PATTERN PATH [BODY]: as a store
by() {
    local with=$1 name=$2 status=$3 pattern=$4 path=$5; shift 5
    local body=(); [ $# -gt 0 ] && body=(-H 'Content-Type: application/json' -d "$1")
    ask "$name" "$status" "$pattern" -H "Authorization: Bearer $with" "${body[@]}" "$u/v1/$path"
}
state_is() { curl -s -H "Authorization: Bearer $key" "$u/v1/agreements/$1" | grep -q "\"state\":\"$2\""; }
synced_is() { curl -s -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d '{}' "$u/v1/agreements/$1/sync" | grep -q "\"state\":\"$2\""; }
told() { jq -es --arg kind "$1" 'any(.[]; .kind == $kind)' "$dir/notices"; }
code_of() { jq -rs --arg kind "$1" '[.[] | select(.kind == $kind)] | last | .subject | capture("(?<c>[0-9]{8})").c' "$dir/notices"; }
faults() { curl -sf -d "{\"spec\":\"$1\"}" -H 'Content-Type: application/json' "$w/emulator/faults" > /dev/null; ok $? "the wallet's faults: ${1:-none}"; }
spend() { code=${codes[0]}; codes=("${codes[@]:1}"); } # a recovery code
# step CHALLENGE: as anna
step() { spend; as anna 'she confirms it' 200 '"state":"done"' "challenges/$1/recovery-code" "{\"code\":\"$code\"}"; }
wanted() { echo "{\"id\":\"$1\",\"account\":\"$anna\",\"wallet\":\"alipay\",\"currency\":\"CNY\",\"return_url\":\"https://shop.example/back\",\"store\":\"Game Store\"${2:-}}"; }
older() { case "${DATABASE:-}" in postgres*) pg_run "$pg_bin/psql" -qAtX -v ON_ERROR_STOP=1 -d "$DATABASE" -c "$1" ;; *) sqlite3 "$dir/k.db" "$1" ;; esac; }
# link ID: asked for, confirmed, signed at the wallet; $id, $number
link() {
    by "$key" "$1 is asked for" 201 '"state":"needs_step"' agreements "$(wanted "$1")"; id=$(the .id)
    local c; c=$(the .challenge.id)
    as anna 'she looks at it' 200 '"kind":"link".*"cap_charge":"700.00"' "challenges/$c"
    step "$c"
    by "$key" 'the wallet has a page for it' 200 '"state":"signing".*"url":"http' "agreements/$id/sign" '{}'; page=$(the .url)
    curl -sf -o /dev/null "$page&accept=1"; ok $? 'she signs there'
    until_true 'its notice links it' state_is "$id" active
}

run() {
    local anna id page c
    codes=() key='' analyst='' admin=''
    : > "$dir/emulator" # not what the last one said
    "$KEER" emulate wallet --folder "$dir/wallet" > "$dir/emulator" 2>&1 & emulator=$!
    until_true 'the emulator is there' grep -q 'listening on' "$dir/emulator"
    w=$(sed -n 's/.*listening on \(http[^ ]*\).*/\1/p' "$dir/emulator")
    : > "$dir/notices"
    rm -f "$dir/anna" "$dir/bob"
    keys && start --notices "$dir/notices" --wallets "$dir/wallet/wallets.json" --guard-first 1s || exit 1

    as anna 'anna signs up' 200 '"next":"code"' sign-up "{\"email\":\"anna@example.org\",\"password\":\"$password\"}"; c=$(the .flow)
    until_true 'a code is sent' told sign_up_code
    as anna 'and shows the code' 200 '"next":"done"' sign-up/confirm "{\"flow\":\"$c\",\"code\":\"$(code_of sign_up_code)\"}"
    as anna 'her account' 200 '"account":"' me; anna=$(the .account)

    # --- what is refused
    by "$key" 'without an authenticator' 409 ENROL_FIRST agreements "$(wanted a)"
    as anna 'ten recovery codes' 200 '"codes":\[' authenticators/recovery-codes '{}'; mapfile -t codes < <(the '.codes[]')
    by "$key" 'a wallet that is none' 400 'this daemon has none' agreements "$(wanted a | sed 's/alipay/other/')"
    by "$key" 'an account that is none' 400 'there is none of this id' agreements "$(wanted a | sed "s/$anna/AAAAAAAAAAAAAAAAAAAAAA/")"
    by "$key" 'a subject that nobody signed in by' 409 ENROL_FIRST agreements "$(wanted a | sed "s/\"account\":\"$anna\"/\"subject\":\"nobody\"/")"
    by "$key" 'a currency without default caps' 400 'all four' agreements "$(wanted a | sed 's/CNY/CHF/')"
    by "$key" 'a charge above a day' 400 "at most a day's" agreements "$(wanted a ',"caps":{"charge":"2000.00"}')"
    by "$key" 'caps that are none' 400 BAD_BODY agreements "$(wanted a ',"caps":{"charge":"-1"}')"
    by "$key" 'caps of another name' 400 BAD_BODY agreements "$(wanted a ',"caps":{"year":5}')"
    by "$key" 'more than may pass without a step' 400 'at most 1000.00 CNY' agreements "$(wanted a ',"unverified_spend_limit":"1000.01"')"
    by "$key" 'a way back that is none' 400 return_url agreements "$(wanted a | sed 's/https:/ftp:/')"
    by "$analyst" 'not by an analyst' 403 WRONG_ROLE agreements "$(wanted a)"
    by "$key" 'nothing was made' 200 '"agreements":\[\]' agreements

    # --- linking
    by "$key" 'it is asked for' 201 '"challenge":{"id":"[^"]+","url":"http' agreements "$(wanted one ',"caps":{"charge":"648.00"}')"; id=$(the .id) c=$(the .challenge.id)
    by "$key" 'the same again' 200 "\"id\":\"$id\".*\"challenge\":\{\"id\":\"$c\"" agreements "$(wanted one)"
    by "$key" 'another with its id' 422 KEY_REUSED agreements "$(wanted one | sed 's/shop.example/thief.example/')"
    by "$key" 'not before she confirmed' 409 STEP_WAITS "agreements/$id/sign" '{}'
    by "$key" 'her caps are what she confirms' 409 AGREEMENT_STATE "agreements/$id/caps" '{"caps":{"charge":"1.00"}}'
    as anna 'she looks at it' 200 '"cap_charge":"648.00".*"store":"Game Store"' "challenges/$c"
    as bob 'nobody else sees it' 404 NOT_FOUND "challenges/$c"
    step "$c"
    by "$partner" 'nor may a partner' 403 WRONG_ROLE "agreements/$id/sign" '{}'
    by "$key" 'the wallet has a page for it' 200 '"state":"signing".*"url":"http' "agreements/$id/sign" '{}'; page=$(the .url)
    by "$key" 'and again' 200 '"url":"http' "agreements/$id/sign" '{}'
    by "$key" 'it is not signed yet' 200 '"state":"signing"' "agreements/$id/sync" '{}'
    curl -sf -o /dev/null "$page&accept=1"; ok $? 'she signs there'
    until_true 'it is active' synced_is "$id" active
    by "$key" 'the wallet names the payer' 200 '"payer":"[^"]+".*"signed":"20' "agreements/$id"
    by "$analyst" 'analysts see it' 200 "$id" "agreements?state=active&account=$anna"
    by "$key" 'a state that is none' 400 BAD_QUERY 'agreements?state=dead'
    until_true 'she is told' told wallet_linked

    # --- limits
    by "$key" 'the store lowers' 200 '"charge":"100.00","day":"300.00"' "agreements/$id/caps" '{"caps":{"charge":"100.00","day":30000}}'
    by "$key" 'and raises nothing' 200 '"charge":"100.00".*"next":"person","url":"[^"]+/wallets"' "agreements/$id/caps" '{"caps":{"charge":"200.00"}}'
    as anna 'she raises: a step' 200 '"next":"step"' "wallets/$id/caps" '{"caps":{"charge":"200.00"}}'; c=$(the .challenge)
    as anna 'which shows it' 200 '"change":"wallet_limit".*"detail":"alipay: 200.00 / 300.00' "challenges/$c"
    as anna 'not without it' 403 BAD_STEP "wallets/$id/caps" '{"caps":{"charge":"200.00"}}' -H "Keer-Challenge: $c"
    step "$c"
    as anna 'not for another limit' 403 BAD_STEP "wallets/$id/caps" '{"caps":{"charge":"250.00"}}' -H "Keer-Challenge: $c"
    as anna 'with it' 200 '^\{\}' "wallets/$id/caps" '{"caps":{"charge":"200.00"}}' -H "Keer-Challenge: $c"
    as anna 'once' 403 BAD_STEP "wallets/$id/caps" '{"caps":{"charge":"250.00"}}' -H "Keer-Challenge: $c"
    as anna 'it is there' 200 '"charge":"200.00"' wallets
    as anna 'above the ceiling of her account' 400 'at most 10000.00 a charge, 10000.00 a day, 20000.00 a month in CNY, and 100 charges a day' "wallets/$id/caps" '{"caps":{"charge":"10000.01","day":"10000.01","month":"10000.01"}}'
    by "$key" 'which no store lifts' 403 WRONG_ROLE "accounts/$anna/ceiling" '{"currency":"CNY","caps":{"charge":"1.00","day":"1.00","month":"1.00","count":1}}'
    by "$admin" 'a ceiling wants all four' 400 'all four' "accounts/$anna/ceiling" '{"currency":"CNY","caps":{"charge":"1.00"}}'
    by "$admin" 'of an account' 404 NOT_FOUND accounts/AAAAAAAAAAAAAAAAAAAAAA/ceiling '{"currency":"CNY","caps":{"charge":"1.00","day":"1.00","month":"1.00","count":1}}'
    by "$admin" 'an administrator does' 200 '"ceiling":\{"charge":"12000.00","day":"12000.00","month":"20000.00","count":50\}' "accounts/$anna/ceiling" '{"currency":"CNY","caps":{"charge":"12000.00","day":"12000.00","month":"20000.00","count":50}}'
    by "$key" 'the store sees it' 200 '"ceiling":\{"charge":"12000.00"' "agreements/$id"
    as anna 'a telephone: a step' 200 '"next":"step"' "wallets/$id/caps" '{"caps":{"charge":"12000.00","day":"12000.00","month":"12000.00"}}'; c=$(the .challenge)
    as anna 'she looks at it' 200 '"detail":"alipay: 12000.00' "challenges/$c"
    step "$c"
    as anna 'and a wait' 200 '"pending":' "wallets/$id/caps" '{"caps":{"charge":"12000.00","day":"12000.00","month":"12000.00"}}' -H "Keer-Challenge: $c"
    until_true 'she is told' told change_pending
    until_true 'then it is there' sh -c "curl -s -H 'Authorization: Bearer $key' '$u/v1/agreements/$id' | grep -q '\"charge\":\"12000.00\"'"
    as anna 'another site changes nothing' 403 FOREIGN_ORIGIN "wallets/$id/pause" '{}' -H 'Origin: https://thief.example'
    as bob 'nobody else does' 401 NO_SESSION "wallets/$id/pause" '{}'
    as anna 'she pauses' 200 '^\{\}' "wallets/$id/pause" '{}'
    by "$key" 'the store resumes nothing' 200 '"state":"paused".*"next":"person"' "agreements/$id/resume" '{}'
    as anna 'resuming wants a step' 200 '"next":"step"' "wallets/$id/resume" '{}'; c=$(the .challenge)
    as anna 'she looks at it' 200 '"detail":"alipay: active"' "challenges/$c"
    step "$c"
    as anna 'with it' 200 '^\{\}' "wallets/$id/resume" '{}' -H "Keer-Challenge: $c"
    by "$key" 'it is active' 200 '"state":"active"' "agreements/$id"
    by "$key" 'that it is over there is not for a store to say' 403 WRONG_ROLE "agreements/$id/end" '{"ended_at_wallet":true}'
    by "$admin" 'nor of one that is not ending' 409 AGREEMENT_STATE "agreements/$id/end" '{"ended_at_wallet":true}'
    by "$admin" 'and not in other words' 400 BAD_BODY "agreements/$id/end" '{"ended_at_wallet":"yes"}'
    by "$key" 'nothing came of it' 200 '"state":"active"' "agreements/$id"
    ! curl -s "$u/readyz" | grep -q agreements_that_do_not_end; ok $? 'and /readyz names none that does not end'

    # --- a wallet that is silent, and a daemon that is killed
    faults 'drop_before=1'
    by "$key" 'ended here' 200 '"state":"ending"' "agreements/$id/end" '{}'
    by "$key" 'and shut' 409 AGREEMENT_STATE "agreements/$id/pause" '{}'
    until_true 'she is told' told wallet_ended
    kill -9 "$pid"; wait "$pid" 2> /dev/null; pid=
    faults ''
    start --notices "$dir/notices" --wallets "$dir/wallet/wallets.json" --guard-first 1s || exit 1
    until_true 'the next daemon ends it at the wallet' state_is "$id" ended
    curl -s "$w/emulator/journal" > "$dir/journal"; grep -q '"what":"ended"' "$dir/journal"; ok $? 'which says so'
    by "$key" 'ended is ended' 200 '"state":"ended"' "agreements/$id/end" '{}'
    by "$key" 'for good' 409 AGREEMENT_STATE "agreements/$id/sign" '{}'
    by "$key" 'its id too' 200 '"state":"ended"' agreements "$(wanted one)"

    # --- ended at the wallet
    link two
    number=$(jq -rs '[.[] | select(.kind == "agreement" and .what == "signed") | .number] | last' <(curl -s "$w/emulator/journal"))
    curl -sf -o /dev/null -H 'Content-Type: application/json' -d "{\"number\":\"$number\"}" "$w/emulator/end"; ok $? "she ends it at the wallet: $number"
    until_true 'its notice ends it here' state_is "$id" ended
    by "$key" 'by the wallet' 200 '"by_wallet":true' "agreements/$id"

    # --- one whose end no signed answer tells of: for three days that is the wallet's to say, then an administrator's
    link stuck
    faults 'drop_before=1'
    by "$key" 'ended here' 200 '"state":"ending"' "agreements/$id/end" '{}'
    by "$admin" 'an administrator does not say so yet' 409 AGREEMENT_STATE "agreements/$id/end" '{"ended_at_wallet":true}'
    [ -z "$("$KEER" ledger open --database "${DATABASE:-$dir/k.db}" | grep "$id")" ]; ok $? 'nor is it listed as open'
    stop; older "UPDATE agreement SET state_us = state_us - 3 * 86400000000 WHERE id = '$id'"; ok $? 'three days pass: the row is moved, not the clock'
    start --notices "$dir/notices" --wallets "$dir/wallet/wallets.json" --guard-first 1s || exit 1
    patience=120 until_true '/readyz names it' sh -c "curl -s '$u/readyz' | grep -q '\"agreements_that_do_not_end\":1'"
    grep -q "agreement $id .*ended_at_wallet" "$dir/log"; ok $? 'the log does, with what to do'
    "$KEER" ledger open --database "${DATABASE:-$dir/k.db}" | grep -q "agreement $id, .*does not end"; ok $? 'keer ledger open lists it'
    by "$key" 'it is not for a store to say' 403 WRONG_ROLE "agreements/$id/end" '{"ended_at_wallet":true}'
    by "$key" 'and it is still ending' 200 '"state":"ending"' "agreements/$id/end" '{}'
    by "$admin" 'an administrator says that it is over there' 200 '"state":"ended"' "agreements/$id/end" '{"ended_at_wallet":true}'
    by "$key" 'it is' 200 '"state":"ended"' "agreements/$id"
    by "$admin" 'once' 409 AGREEMENT_STATE "agreements/$id/end" '{"ended_at_wallet":true}'
    [ -z "$("$KEER" ledger open --database "${DATABASE:-$dir/k.db}" | grep "$id")" ]; ok $? 'nothing is open any more'
    faults ''

    # --- an account that is closed, while the wallet is away
    link three
    faults 'drop_before=1'
    by "$key" 'no store closes an account' 403 WRONG_ROLE "accounts/$anna/close" '{}'
    by "$admin" 'an administrator does, whatever the wallet says' 200 '"state":"closed"' "accounts/$anna/close" '{}'
    by "$key" 'nothing is charged from then on' 200 '"state":"ending".*"why":"the account was closed"' "agreements/$id"
    until_true 'she is told' told account_closed
    as anna 'and signed out' 401 NO_SESSION me
    faults ''
    patience=90 until_true 'it ends at the wallet when that is back' state_is "$id" ended
    by "$admin" 'once' 404 NOT_FOUND "accounts/$anna/close" '{}'
    stop; ok $? 'the daemon ends'
    kill "$emulator"; wait "$emulator" 2> /dev/null; emulator=
}

run
if [ -w /dev/shm ]; then PG_DIR=/dev/shm; fi
if pg_find && pg_new a; then
    DATABASE=$(pg_address a)
    run
else
    echo 'skipped: no PostgreSQL server to start here (postgresql-15)'
fi
exit $failed
