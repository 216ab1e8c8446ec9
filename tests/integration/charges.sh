#!/usr/bin/env bash
# charges.sh - charges, refunds and balances over HTTP, before the emulator of wallets: the second step between, caps, one id at once from many sides, answers that
# are lost, a daemon that is killed, refunds by two ways, top-ups that are held; in the end the wallet's journal is what our books say. On SQLite, and on
# PostgreSQL where one can be started.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}
for tool in curl jq; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/postgres.sh
. tests/lib/daemon.sh
emulator=
finally() { [ -z "$emulator" ] || kill "$emulator" 2> /dev/null; pg_end; }
password='correct horse battery staple 9'
the() { jq -r "$1" "$dir/body"; }
as() { # JAR NAME STATUS PATTERN PATH [BODY]: as the browser of that jar; GET without a body
    local jar=$dir/$1 name=$2 status=$3 pattern=$4 path=$5; shift 5
    local body=(); [ $# -gt 0 ] && body=(-H 'Content-Type: application/json' -d "$1")
    ask "$name" "$status" "$pattern" -b "$jar" -c "$jar" "${body[@]}" "$u/v1/account/$path"
}
by() { # KEY NAME STATUS PATTERN PATH [BODY]: as a store
    local with=$1 name=$2 status=$3 pattern=$4 path=$5; shift 5
    local body=(); [ $# -gt 0 ] && body=(-H 'Content-Type: application/json' -d "$1")
    ask "$name" "$status" "$pattern" -H "Authorization: Bearer $with" "${body[@]}" "$u/v1/$path"
}
charge_is() { curl -s -H "Authorization: Bearer $key" "$u/v1/charges/$1" | grep -q "\"state\":\"$2\""; }
refund_is() { curl -s -H "Authorization: Bearer $key" "$u/v1/refunds/$1" | grep -q "\"state\":\"$2\""; }
has_available() { curl -s -H "Authorization: Bearer $key" "$u/v1/balances/$anna" | grep -q "\"available\":\"$1\""; }
refunded_is() { curl -s -H "Authorization: Bearer $key" "$u/v1/charges/$1" | grep -q "\"refunded\":\"$2\""; }
told() { jq -es --arg kind "$1" 'any(.[]; .kind == $kind)' "$dir/notices"; }
code_of() { jq -rs --arg kind "$1" '[.[] | select(.kind == $kind)] | last | .subject | capture("(?<c>[0-9]{8})").c' "$dir/notices"; }
faults() { curl -sf -d "{\"spec\":\"$1\"}" -H 'Content-Type: application/json' "$w/emulator/faults" > /dev/null; ok $? "the wallet's faults: ${1:-none}"; }
effects() { curl -s "$w/emulator/journal" | grep -c "$1"; } # lines of the wallet's journal with a number
spend_code() { code=${codes[0]}; codes=("${codes[@]:1}"); }
step() { # CHALLENGE: as anna
    as anna 'she looks at it' 200 '"state":"open"' "challenges/$1"
    spend_code; as anna 'she confirms it' 200 '"state":"done"' "challenges/$1/recovery-code" "{\"code\":\"$code\"}"
}
order() { # ID AMOUNT [MORE]
    echo "{\"id\":\"$1\",\"agreement\":\"$link\",\"type\":\"purchase\",\"amount\":\"$2\",\"currency\":\"CNY\",\"payee\":\"Game Store\"${3:-}}"
}
link() { # ID [MORE]: asked for, confirmed, signed at the wallet; $link
    by "$key" "$1 is asked for" 201 '"state":"needs_step"' agreements "{\"id\":\"$1\",\"account\":\"$anna\",\"wallet\":\"alipay\",\"currency\":\"CNY\",\"return_url\":\"https://shop.example/back\"${2:-}}"
    link=$(the .id); step "$(the .challenge.id)"
    by "$key" 'the wallet has a page for it' 200 '"url":"http' "agreements/$link/sign" '{}'
    curl -sf -o /dev/null "$(the .url)&accept=1"; ok $? 'she signs there'
    until_true 'its notice links it' sh -c "curl -s -H 'Authorization: Bearer $key' '$u/v1/agreements/$link' | grep -q '\"state\":\"active\"'"
}
wide=',"caps":{"charge":"900.00","day":"30000.00","month":"30000.00","count":1000},"unverified_spend_limit":"1000.00"'
options=(--notices "$dir/notices" --wallets "$dir/wallet/wallets.json" --charge-resend 5s --charge-gone 9s --top-up-hold 10s)
cat > "$dir/policy.keer" << 'END'
rule banned deny if (purchase or top_up) and item = 'banned'
rule odd challenge if (purchase or top_up) and item = 'odd'
END
POLICY=$dir/policy.keer

decided_event() { [ "$(curl -s -o "$dir/ignored" -w '%{http_code}' -H "Authorization: Bearer $analyst" "$u/v1/decisions/$1")" = 200 ]; }

run() {
    local anna id id2 link c payer
    codes=() key='' analyst='' admin=''
    : > "$dir/emulator" # not what the last one said
    "$KEER" emulate wallet --folder "$dir/wallet" > "$dir/emulator" 2>&1 & emulator=$!
    until_true 'the emulator is there' grep -q 'listening on' "$dir/emulator"
    w=$(sed -n 's/.*listening on \(http[^ ]*\).*/\1/p' "$dir/emulator")
    : > "$dir/notices"
    rm -f "$dir/anna"
    keys && start "${options[@]}" || exit 1
    as anna 'anna signs up' 200 '"next":"code"' sign-up "{\"email\":\"anna@example.org\",\"password\":\"$password\"}"; c=$(the .flow)
    until_true 'a code is sent' told sign_up_code
    as anna 'and shows the code' 200 '"next":"done"' sign-up/confirm "{\"flow\":\"$c\",\"code\":\"$(code_of sign_up_code)\"}"
    as anna 'her account' 200 '"account":"' me; anna=$(the .account)
    as anna 'ten recovery codes' 200 '"codes":\[' authenticators/recovery-codes '{}'; mapfile -t codes < <(the '.codes[]')

    # --- a step, and the default caps
    link one
    by "$key" 'a charge wants a step' 201 '"state":"needs_step".*"decision":\{.*"challenge":\{"id":"' charges "$(order o-1 648.00)"; id=$(the .id) c=$(the .challenge.id)
    by "$key" 'not confirmed yet' 200 '"state":"needs_step"' "charges/$id/confirm" '{}'
    [ "$(effects "$(the .number)")" = 0 ]; ok $? 'the wallet heard nothing'
    step "$c"
    by "$key" 'confirmed' 200 '"state":"paid".*"verified":true' "charges/$id/confirm" '{}'
    [ "$(effects "$(the .number)")" = 1 ]; ok $? 'one effect at the wallet'
    by "$key" 'the same id again' 200 "\"id\":\"$id\".*\"state\":\"paid\"" charges "$(order o-1 648.00)"
    by "$key" 'with another amount' 422 KEY_REUSED charges "$(order o-1 648.01)"
    by "$key" 'above the cap of a charge' 201 '"state":"refused".*"why":"cap_charge"' charges "$(order o-2 700.01)"
    by "$key" 'above the cap of a day' 201 '"state":"refused".*"why":"cap_day"' charges "$(order o-3 352.01)"
    by "$key" 'another currency' 201 '"state":"refused".*"why":"other_currency"' charges "$(order o-4 1.00 | sed 's/CNY/EUR/')"
    by "$key" 'denied by the policy' 201 '"state":"refused".*"why":"denied"' charges "$(order o-5 1.00 ',"item":"banned"')"
    by "$key" 'somebody who is no family' 201 '"state":"refused".*"why":"not_family"' charges "$(order o-6 1.00 ',"account":"AAAAAAAAAAAAAAAAAAAAAA"')"
    by "$key" 'an agreement that is none' 404 NOT_FOUND charges "$(order o-7 1.00 | sed "s/$link/AAAAAAAAAAAAAAAAAAAAAA/")"
    for bad in '"0"' '"-1.00"' '1.5' '"1.001"' '"1e3"' '"+1"' '"01"' '" 1"' 0 9007199254740993 '"٣"' null; do
        by "$key" "an amount that is none: $bad" 400 BAD_BODY charges "$(order o-8 1.00 | sed "s/\"1.00\"/$bad/")"
    done
    by "$analyst" 'not by an analyst' 403 WRONG_ROLE charges "$(order o-9 1.00)"
    by "$analyst" 'who sees it' 200 "\"id\":\"$id\"" "charges/$id"
    by "$analyst" 'and all of them' 200 '"charges":\[\{' "charges?account=$anna&limit=2"
    by "$analyst" 'wallets, and whether they answer' 200 '"name":"alipay","kind":"alipay","breaker":"closed"' wallets

    # --- within an unverified limit
    by "$key" 'more than a telephone costs' 400 'at most 10000.00 a charge, 10000.00 a day, 20000.00 a month in CNY' agreements "{\"id\":\"two\",\"account\":\"$anna\",\"wallet\":\"alipay\",\"currency\":\"CNY\",\"return_url\":\"https://shop.example/back\"$wide}"
    by "$admin" 'an administrator lifts her ceiling' 200 '"ceiling":{"charge":"900.00","day":"30000.00","month":"30000.00","count":1000}' "accounts/$anna/ceiling" '{"currency":"CNY","caps":{"charge":"900.00","day":"30000.00","month":"30000.00","count":1000}}'
    link two "$wide"
    by "$key" 'passes without a step' 201 '"state":"paid".*"verified":false' charges "$(order p-1 100.00)"; id=$(the .id)
    until_true 'she is told of it' told charge_paid
    jq -es '[.[] | select(.kind == "charge_paid")] | length == 1 and (.[0].text | test("100.00 CNY, Game Store was charged"))' "$dir/notices" > "$dir/ignored"; ok $? 'in words, and not of what she confirmed'
    by "$key" 'but not when the policy asks' 201 '"state":"needs_step"' charges "$(order p-2 1.00 ',"item":"odd"')"
    by "$key" 'cancelled by the store' 200 '"state":"cancelled"' "charges/$(the .id)/cancel" '{}'
    by "$key" 'above what one may be' 201 '"state":"needs_step"' charges "$(order p-3 200.01)"
    by "$key" 'what is paid is not cancelled' 200 '"state":"paid"' "charges/$id/cancel" '{}'

    # --- one id from many sides
    local before; before=$(effects '"charge_paid"\|paid')
    rm -f "$dir"/par.*
    for i in $(seq 32); do
        curl -s -o "$dir/par.$i" -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d "$(order par 10.00)" "$u/v1/charges" &
        jobs_[i]=$!
    done
    for i in $(seq 32); do wait "${jobs_[i]}"; done
    [ "$(cat "$dir"/par.* | jq -r .id | sort | uniq -c | awk '{ print $1 }')" = 32 ]; ok $? 'one id, 32 at once: one charge'
    id=$(jq -r .id "$dir/par.1")
    until_true 'it is paid' charge_is "$id" paid
    by "$key" 'it stands' 200 '"state":"paid"' "charges/$id"
    [ "$(effects "$(the .number)")" = 1 ]; ok $? 'one effect at the wallet'
    [ "$(effects '"charge_paid"\|paid')" = $((before + 1)) ]; ok $? 'and no other'

    # --- answers that are lost
    local fault
    for fault in drop_after=1 drop_before=1 error_after=1 error_before=1 bad_signature=1 waits=1:500; do
        faults "$fault,lose_notice=1"
        by "$key" "$fault: not known" 202 '"state":"(unknown|submitted)"' charges "$(order "f-$fault" 10.00)"; id=$(the .id)
        faults ''
        until_true "$fault: paid" charge_is "$id" paid
        by "$key" "$fault: it stands" 200 '"state":"paid"' "charges/$id"
        [ "$(effects "$(the .number)")" = 1 ]; ok $? "$fault: one effect at the wallet"
    done
    faults 'drop_before=1'
    by "$key" 'a wallet that is away for long' 202 '"state":"unknown"' charges "$(order gone 10.00)"; id=$(the .id)
    sleep 5.2; faults '' # longer than it is sent again
    until_true 'nothing is sent again: it is cancelled' charge_is "$id" failed
    by "$key" 'and nothing was taken' 200 '"why":"(closed|never_arrived)"' "charges/$id"
    faults 'wrong_amount=1,lose_notice=1'
    by "$key" 'another amount is not believed at once' 202 '"state":"unknown"' charges "$(order wrong 10.00)"; id=$(the .id)
    faults ''
    until_true 'but when it is still said' charge_is "$id" failed
    by "$key" 'its money stands apart' 200 '"why":"wrong_money"' "charges/$id"

    # --- a daemon that is killed
    faults 'delay=1:1500,lose_notice=1'
    curl -s -o /dev/null -m 5 -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d "$(order killed 10.00)" "$u/v1/charges" & local waiting=$!
    sleep .7; kill -9 "$pid"; wait "$pid" 2> /dev/null; wait "$waiting"; pid=
    faults ''
    start "${options[@]}" || exit 1
    curl -s -o "$dir/body" -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d "$(order killed 10.00)" "$u/v1/charges"; id=$(the .id)
    the .state | grep -qE '^(submitted|unknown|paid)$'; ok $? 'after a kill -9 the same again goes on'
    until_true 'is paid' charge_is "$id" paid
    by "$key" 'it stands' 200 '"state":"paid"' "charges/$id"
    [ "$(effects "$(the .number)")" = 1 ]; ok $? 'one effect at the wallet'

    # --- refunds
    by "$key" 'a part' 201 '"state":"paid".*"refunded":"4.00"' refunds "{\"id\":\"r-1\",\"charge\":\"$id\",\"amount\":\"4.00\",\"currency\":\"CNY\"}"
    id2=$(the .id)
    until_true 'it was asked for: an event' decided_event "refund-$id2"
    until_true 'and decided: another' decided_event "refund-$id2-end"
    by "$key" 'the same again' 200 '"state":"paid".*"refunded":"4.00"' refunds "{\"id\":\"r-1\",\"charge\":\"$id\",\"amount\":\"4.00\",\"currency\":\"CNY\"}"
    by "$key" 'with another amount' 422 KEY_REUSED refunds "{\"id\":\"r-1\",\"charge\":\"$id\",\"amount\":\"4.01\",\"currency\":\"CNY\"}"
    by "$key" 'more than is left' 201 '"state":"refused".*"why":"above_captured"' refunds "{\"id\":\"r-2\",\"charge\":\"$id\",\"amount\":\"6.01\",\"currency\":\"CNY\"}"
    faults 'drop_after=1,lose_notice=1'
    by "$key" 'an answer that is lost' 202 '"state":"unknown".*"refunding":"5.00"' refunds "{\"id\":\"r-3\",\"charge\":\"$id\",\"amount\":\"5.00\",\"currency\":\"CNY\"}"; id2=$(the .id)
    faults ''
    until_true 'is asked for' refund_is "$id2" paid
    rm -f "$dir"/ref.*
    for i in $(seq 20); do
        curl -s -o "$dir/ref.$i" -H "Authorization: Bearer $key" -H 'Content-Type: application/json' -d "{\"id\":\"m-$i\",\"charge\":\"$id\"}" "$u/v1/refunds" &
        jobs_[i]=$!
    done
    for i in $(seq 20); do wait "${jobs_[i]}"; done
    [ "$(cat "$dir"/ref.* | grep -c '"state":"paid"')" = 1 ]; ok $? '20 at once for what is left: one'
    by "$key" 'all of it is back' 200 '"refunded":"10.00","refunding":"0.00"' "charges/$id"
    by "$key" 'one for the wallet' 201 '"state":"paid"' charges "$(order by-wallet 10.00)"; id=$(the .id)
    curl -sf -o /dev/null -H 'Content-Type: application/json' -d "{\"charge\":\"$(the .number)\",\"amount_minor\":300}" "$w/emulator/refund"; ok $? 'the wallet gives back by itself'
    until_true 'its notice is taken' refunded_is "$id" 3.00
    by "$key" 'what is left of it' 201 '"state":"paid".*"refunded":"10.00"' refunds "{\"id\":\"r-4\",\"charge\":\"$id\"}"

    # --- balances
    by "$key" 'a top-up' 201 '"state":"paid","type":"top_up"' charges "$(order t-1 50.00 | sed 's/purchase/top_up/')"; id=$(the .id)
    by "$key" 'is held' 200 '"available":"0.00","held":"50.00".*"holds":\[\{"charge"' "balances/$anna"
    spend() { echo "{\"id\":\"$1\",\"account\":\"$anna\",\"amount\":\"$2\",\"currency\":\"CNY\",\"payee\":\"A Game\"${3:-}}"; }
    by "$key" 'and not to be drained' 201 '"state":"refused","account":".*"why":"not_enough"' spends "$(spend s-1 50.00)"
    until_true 'the hold ends' has_available 50.00
    by "$key" 'a spend wants a step' 201 '"state":"needs_step".*"challenge":\{"id"' spends "$(spend s-2 20.00)"; step "$(the .challenge.id)"
    by "$key" 'spent' 200 '"state":"done"' spends "$(spend s-2 20.00)"
    by "$key" 'once' 200 '"state":"done"' spends "$(spend s-2 20.00)"
    has_available 30.00; ok $? 'it is off the balance once'
    by "$key" 'denied' 201 '"why":"denied"' spends "$(spend s-3 1.00 ',"item":"banned"')"
    by "$key" 'asked for a step' 201 '"state":"needs_step".*"challenge":\{"id"' spends "$(spend s-4 1.00 ',"item":"odd"')"; c=$(the .challenge.id)
    step "$c"
    by "$key" 'and then spent' 200 '"state":"done"' spends "$(spend s-4 1.00 ',"item":"odd"')"
    by "$key" 'what is spent does not go back' 201 '"state":"refused".*"why":"spent"' refunds "{\"id\":\"r-5\",\"charge\":\"$id\",\"amount\":\"29.01\",\"currency\":\"CNY\"}"
    by "$key" 'what is there does' 201 '"state":"paid"' refunds "{\"id\":\"r-6\",\"charge\":\"$id\",\"amount\":\"29.00\",\"currency\":\"CNY\"}"

    # --- a gateway of Alipay's v3 that leaves its refusals unsigned
    stop; ok $? 'it ends'
    (umask 077; jq '(.wallets[] | select(.name == "alipay")).api = "v3"' "$dir/wallet/wallets.json" > "$dir/wallet/v3.json")
    start "${options[@]/wallets.json/v3.json}" || exit 1
    faults 'unsigned_errors=1,lose_notice=1'
    by "$key" 'v3: what passes' 201 '"state":"paid"' charges "$(order v3-1 10.00)"
    by "$key" 'who pays' 200 '"payer":"' "agreements/$link"; payer=$(the .payer)
    curl -sf -o /dev/null -H 'Content-Type: application/json' -d "{\"payer\":\"$payer\",\"balance_minor\":0}" "$w/emulator/payer"; ok $? 'has no money there'
    by "$key" 'v3: a refusal without a signature is settled at once, by the wallet'\''s signed word' 201 '"state":"failed"' charges "$(order v3-2 10.00)"; id=$(the .id)
    [ "$(effects "$(the .number)")" = 0 ]; ok $? 'and nothing was taken'
    faults ''
    curl -sf -o /dev/null -H 'Content-Type: application/json' -d "{\"payer\":\"$payer\"}" "$w/emulator/payer"
    stop; ok $? 'it ends'
    start "${options[@]}" || exit 1

    # --- a wallet that left the file of wallets
    faults 'drop_before=1'
    by "$key" 'a charge that nobody answers' 202 '"state":"unknown"' charges "$(order orphan 10.00)"; id=$(the .id)
    stop; ok $? 'it ends'
    (umask 077; jq '.wallets |= map(select(.name != "alipay"))' "$dir/wallet/wallets.json" > "$dir/wallet/without.json")
    start "${options[@]/wallets.json/without.json}" || exit 1
    until_true 'what waits for it is told by /readyz' sh -c "curl -s '$u/readyz' | grep -q '\"ready\":true.*\"waiting_for_unknown_wallets\":1'"
    grep -q 'wallet alipay is not in the file of wallets: 1 charges, 0 refunds and 0 agreements wait for it' "$dir/log"; ok $? 'and in the log'
    "$KEER" ledger open --database "${DATABASE:-$dir/k.db}" > "$dir/out" 2>&1; grep -qE '^alipay +1 charges +0 refunds +0 agreements' "$dir/out"; ok $? 'and is listed'
    stop; sleep 5; faults '' # it is not sent again
    start "${options[@]}" || exit 1
    until_true 'it is settled when the wallet is back' charge_is "$id" failed

    # --- what is not genuine, and what has ended
    [ "$(curl -s -w '%{http_code}' -H 'Content-Type: application/x-www-form-urlencoded' -d 'notify_id=1&out_trade_no=1&sign=AAAA&sign_type=RSA2' "$u/v1/wallets/alipay/notices")" = fail401 ]; ok $? 'a forged notice is answered in the wallet'\''s own words'
    ask 'a wallet that is none' 404 NOT_FOUND -H 'Content-Type: application/json' -d '{}' "$u/v1/wallets/nobody/notices"
    by "$key" 'a pause' 200 '"state":"paused"' "agreements/$link/pause" '{}'
    by "$key" 'stops charges' 201 '"why":"agreement_not_active"' charges "$(order z-1 1.00)"
    by "$key" 'the end' 200 '"state":"end' "agreements/$link/end" '{}'
    by "$key" 'too' 201 '"why":"agreement_not_active"' charges "$(order z-2 1.00)"

    # --- the wallet's journal is what our books say, but for the one that took another amount
    stop; ok $? 'it ends'
    "$KEER" ledger verify --database "${DATABASE:-$dir/k.db}" > "$dir/out" 2>&1; ok $? 'the ledger verifies'
    curl -s "$w/emulator/journal" > "$dir/journal.ndjson"
    "$KEER" reconcile --json --wallet alipay --grace 1us --database "${DATABASE:-$dir/k.db}" "$dir/journal.ndjson" > "$dir/out" 2> "$dir/err"
    jq -se '[.[] | select(.kind and .counts == true)] | length == 0' "$dir/out" > "$dir/ignored"; ok $? 'nothing differs from the wallet'
    kill "$emulator"; wait "$emulator" 2> /dev/null; emulator=
}
jobs_=()
run
if pg_find && pg_new a; then
    DATABASE=$(pg_address a)
    run
else
    echo 'skipped: no PostgreSQL server to start here'
fi
exit $failed
