#!/usr/bin/env bash
# certificates.sh - WeChat Pay's platform certificates, as the daemon gets them before the emulator: the first list, a rotation while charges are made (none is lost, none is
# doubled), a restart without the list, lists that are not believed, and a wallet that changes all at once. On SQLite, and on PostgreSQL where one can be started.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
for tool in curl jq; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/postgres.sh
. tests/lib/daemon.sh
. tests/lib/emulator.sh
finally() { emulator_stop; pg_end; }
the() { jq -r "$1" "$dir/body"; }
as() { # NAME STATUS PATTERN PATH [BODY]: as anna's browser
    local name=$1 status=$2 pattern=$3 path=$4; shift 4
    local body=(); [ $# -gt 0 ] && body=(-H 'Content-Type: application/json' -d "$1")
    ask "$name" "$status" "$pattern" -b "$dir/anna" -c "$dir/anna" "${body[@]}" "$u/v1/account/$path"
}
by() { # KEY NAME STATUS PATTERN PATH [BODY]
    local with=$1 name=$2 status=$3 pattern=$4 path=$5; shift 5
    local body=(); [ $# -gt 0 ] && body=(-H 'Content-Type: application/json' -d "$1")
    ask "$name" "$status" "$pattern" -H "Authorization: Bearer $with" "${body[@]}" "$u/v1/$path"
}
told() { jq -es --arg kind "$1" 'any(.[]; .kind == $kind)' "$dir/notices"; }
logged() { [ "$(grep -c "$1" "$dir/log")" -ge "${2:-1}" ]; }
rotate() { curl -sf -H 'Content-Type: application/json' -d "$1" "$wallet/emulator/rotate" > "$dir/rotated"; ok $? "the wallet rotates: $1"; }
charge() { curl -sf -o "$dir/charge.$1" -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d "{\"id\":\"$1\",\"agreement\":\"$link\",\"type\":\"purchase\",\"amount\":\"1.00\",\"currency\":\"CNY\",\"payee\":\"Game Store\"}" "$u/v1/charges" || ok 1 "charge $1 is taken"; }
charges() { local i; for i in $(seq "$2"); do charge "$1-$i"; made=$((made + 1)); done; }
waiting() { "$KEER" ledger open --json --database "${DATABASE:-$dir/k.db}" | jq -s 'map(.charges // 0) | add // 0'; } # charges whose end is not known here
paid() { curl -s "$wallet/emulator/journal" | jq -s '[.[] | select(.kind == "charge" and .what == "paid")] | length'; }
all_paid() { [ "$(waiting)" = 0 ] && [ "$(paid)" = "$made" ]; }
link() { # signs up, links with wide caps: $link
    local c codes anna
    as 'anna signs up' 200 '"next":"code"' sign-up '{"email":"anna@example.org","password":"correct horse battery staple 9"}'; c=$(the .flow)
    until_true 'a code is sent' told sign_up_code
    as 'and shows the code' 200 '"next":"done"' sign-up/confirm "{\"flow\":\"$c\",\"code\":\"$(jq -rs '[.[] | select(.kind == "sign_up_code")] | last | .subject | capture("(?<c>[0-9]{8})").c' "$dir/notices")\"}"
    as 'her account' 200 '"account":"' me; anna=$(the .account)
    as 'recovery codes' 200 '"codes":\[' authenticators/recovery-codes '{}'; mapfile -t codes < <(the '.codes[]')
    by "$admin" 'her ceiling is lifted' 200 ceiling "accounts/$anna/ceiling" '{"currency":"CNY","caps":{"charge":"900.00","day":"30000.00","month":"30000.00","count":1000}}'
    by "$key" 'a link is asked for' 201 '"state":"needs_step"' agreements "{\"id\":\"one\",\"account\":\"$anna\",\"wallet\":\"wechatpay\",\"currency\":\"CNY\",\"return_url\":\"https://shop.example/back\",\"caps\":{\"charge\":\"900.00\",\"day\":\"30000.00\",\"month\":\"30000.00\",\"count\":1000},\"unverified_spend_limit\":\"1000.00\"}"
    link=$(the .id); c=$(the .challenge.id)
    as 'she looks at it' 200 '"state":"open"' "challenges/$c"
    as 'she confirms it' 200 '"state":"done"' "challenges/$c/recovery-code" "{\"code\":\"${codes[0]}\"}"
    by "$key" 'the wallet has a page for it' 200 '"url":"http' "agreements/$link/sign" '{}'
    curl -sf -o /dev/null "$(the .url)?accept=1"; ok $? 'she signs there'
    until_true 'it is linked' sh -c "curl -s -H 'Authorization: Bearer $key' '$u/v1/agreements/$link' | grep -q '\"state\":\"active\"'"
}
options=(--notices "$dir/notices" --charge-resend 2m --charge-gone 5m)
echo "rule banned deny if (purchase or top_up) and item = 'banned'" > "$dir/policy.keer"
POLICY=$dir/policy.keer
run() {
    local key='' analyst='' admin='' link made=0 serial n
    : > "$dir/notices"; rm -f "$dir/anna"
    emulator_start || exit 1
    (umask 077; jq '.wallets |= map(select(.kind == "wechatpay") | del(.platform) + {certificates_again_ms: 1000, breaker_failures: 1000})' "$dir/w/wallets.json" > "$dir/w/listed.json")
    "$KEER" serve --check-config --policy policies/store.keer --database "$dir/none.db" --wallets "$dir/w/listed.json" > "$dir/out" 2>&1; ok $? 'a row without platform certificates is one'

    # 1. the first list: until it is there nothing is sent
    emulator_faults 'bad_signature=1@/v3/certificates'
    keys && start --wallets "$dir/w/listed.json" "${options[@]}" || exit 1
    until_true 'a list that is signed wrongly is not taken' logged "its certificates can't be had (BAD_SIGNATURE"
    by "$admin" 'no call is made' 200 '"name":"wechatpay","kind":"wechatpay","breaker":"closed"' wallets
    emulator_faults ''
    until_true 'one that is signed by a certificate of its own is the first' logged 'gave out its certificates: 2, the newest is'
    link
    charges first 5
    until_true 'charges are paid' all_paid

    # 2. a rotation, while charges are made
    charges before 10 & local storm=$!
    rotate '{}'; serial=$(jq -r .serial "$dir/rotated")
    wait $storm; made=$((made + 10))
    for n in $(seq 20); do logged 'gave out its certificates: 3' && break; charges "more-$n" 3; sleep .3; done
    until_true 'a key that is not known brings a new list' logged "gave out its certificates: 3, the newest is $serial"
    until_true 'no charge is lost' all_paid
    rotate '{"drop":true}'
    charges after 10
    until_true 'the old ones are gone, and the new one is believed' all_paid

    # 3. a restart: what was kept, and no list
    stop; ok $? 'it ends'
    emulator_faults 'drop_before=1@/v3/certificates'
    start --wallets "$dir/w/listed.json" "${options[@]}" || exit 1
    logged 'its certificates are those that it gave out before'; ok $? 'what was kept is in use'
    charges restart 5
    until_true 'charges are paid without asking for a list' all_paid
    logged 'gave out its certificates'; [ $? = 1 ]; ok $? 'none was had'

    # 4. a list that nobody can believe: those that are there stay
    emulator_faults 'bad_signature=1@/v3/certificates'
    rotate '{}'
    for n in $(seq 20); do logged "its certificates can't be had (BAD_SIGNATURE" && break; charges "odd-$n" 3; sleep .3; done
    until_true 'a list with a wrong signature is refused' logged "its certificates can't be had (BAD_SIGNATURE"
    emulator_faults ''
    until_true 'and asked for again, soon' logged 'gave out its certificates: 2'
    until_true 'every charge is paid' all_paid

    # 5. all at once, as no wallet does: what signs itself is not believed, and nothing is lost until somebody gives us the certificate
    rotate '{}'; rotate '{"drop":true}'; serial=$(jq -r .serial "$dir/rotated")
    charges cut 3
    until_true 'a list that brings its own signer is refused' logged "no key of ours that is valid now has this Wechatpay-Serial"
    [ "$(waiting)" = 3 ]; ok $? 'three charges are not known'
    stop; ok $? 'it ends'
    jq -r .certificate "$dir/rotated" > "$dir/w/new.crt"
    (umask 077; jq --arg serial "$serial" '.wallets[0].platform = [{serial: $serial, file: "new.crt"}]' "$dir/w/listed.json" > "$dir/w/by-hand.json")
    start --wallets "$dir/w/by-hand.json" "${options[@]}" || exit 1
    until_true 'with it in the file they are settled' all_paid

    # 6. the wallet's journal
    stop; ok $? 'it ends'
    curl -s "$wallet/emulator/journal" > "$dir/journal.ndjson"
    jq -es --argjson made $made '[.[] | select(.kind == "charge" and .what == "paid")] | length == $made and (map(.number) | unique | length) == $made' "$dir/journal.ndjson" > /dev/null; ok $? "each of $made charges was taken once"
    "$KEER" reconcile --json --wallet wechatpay --grace 1us --database "${DATABASE:-$dir/k.db}" "$dir/journal.ndjson" > "$dir/out" 2> "$dir/err"
    jq -se '[.[] | select(.kind and .counts == true)] | length == 0' "$dir/out" > /dev/null; ok $? 'and our books say the same'
    emulator_stop
}
run
if pg_find && pg_new a; then
    DATABASE=$(pg_address a)
    run
else
    echo 'skipped: no PostgreSQL server to start here'
fi
exit $failed
