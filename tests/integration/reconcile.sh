#!/usr/bin/env bash
# reconcile.sh - `keer reconcile` and `keer ledger`: differences planted between the books and a wallet's statement, all found, none invented; put right,
# then none is left, the ledger verifies and hledger balances it. Refusals: statements that were cut or are none, a daemon that holds the lock.
set -u
cd "$(dirname "$0")/../.." || exit
KEER=${KEER:-build/release/keer}; MAKE=${MAKE_BOOKS:-$(dirname "$KEER")/tests/books-make}
CHARGES=${CHARGES:-300} PLANTS=${PLANTS:-200} SEED=${SEED:-1}
for tool in jq; do command -v $tool > /dev/null || { echo "skipped: no $tool here"; exit 0; }; done
. tests/lib/daemon.sh
keys_of() { jq -r 'select(.kind) | .kind + " " + .number' | sort; }
balances() { # NAME
    command -v hledger > /dev/null || { echo 'skipped: no hledger to judge the export'; return; }
    "$KEER" ledger export --database "$db" > "$dir/books.journal" && hledger -f "$dir/books.journal" check --strict accounts > "$dir/out" 2>&1; ok $? "$1"
}
echo "# seed $SEED"
for format in journal alipay wechatpay; do
    wallet=alipay; [ $format = wechatpay ] && wallet=wechatpay
    at=$dir/$format db=$dir/$format/k.db; mkdir "$at"
    "$MAKE" "$db" "$at" $format "$CHARGES" "$PLANTS" "$SEED" > "$dir/out" 2>&1; ok $? "$format: books with $PLANTS differences"
    [ "$(wc -l < "$at/planted")" -ge "$PLANTS" ]; ok $? "$format: they are planted"
    kinds=$(cut -d' ' -f1 "$at/planted" | sort -u | wc -l)
    reconcile() { "$KEER" reconcile --wallet $wallet --database "$db" "$@" "$at/statement"; }
    reconcile --json > "$at/found"; [ $? = 1 ]; ok $? "$format: differences are exit code 1"
    diff <(sort "$at/planted") <(keys_of < "$at/found") > "$dir/out"; ok $? "$format: all of $kinds kinds are found, none is invented"
    "$KEER" ledger verify --database "$db" > "$dir/out"; ok $? "$format: the ledger verifies"
    sum() { jq -c 'select(.summary) | .summary.money[] | select(.currency == "CNY") | [.there, .here]' "$1"; }
    [ "$(sum "$at/found" | jq '.[0] == .[1]')" = false ]; ok $? "$format: the sums differ"
    reconcile --show 1 > "$at/text"; [ $? = 1 ] && grep -q '^double_refund: ' "$at/text" && grep -q ' / suspense:' "$at/text"; ok $? "$format: each kind is told with its fix"
    reconcile --json > "$at/again"; cmp -s "$at/found" "$at/again"; ok $? "$format: comparing changes nothing"
    remarks=$(jq -s '[.[] | select(.counts == false)] | length' "$at/found") left=$("$KEER" reconcile --wallet $wallet --database "$db" --apply --json "$at/statement" | jq -c 'select(.summary) | .summary | [.differences, .applied, .left]')
    [ "$(jq -n --argjson l "$left" --argjson n "$(wc -l < "$at/planted")" --argjson r "$remarks" '$l[0] == $n - $r and $l[2] == 0')" = true ]; ok $? "$format: put right, none is left: $left"
    reconcile --json > "$at/after"; ok $? "$format: and then exit code 0"
    [ "$(jq -s '[.[] | select(.counts == true)] | length' "$at/after")" = 0 ] && [ "$(jq -s '[.[] | select(.counts == false)] | length' "$at/after")" = "$remarks" ]; ok $? "$format: remarks stay"
    [ "$(sum "$at/after" | jq '.[0] == .[1]')" = true ]; ok $? "$format: the statement's sum is the ledger's"
    "$KEER" ledger verify --database "$db" > "$dir/out"; ok $? "$format: the ledger verifies afterwards"
    before=$(jq '.entries' <("$KEER" ledger verify --database "$db" --json))
    reconcile --apply > "$dir/out"; ok $? "$format: applying again"
    [ "$(jq '.entries' <("$KEER" ledger verify --database "$db" --json))" = "$before" ]; ok $? "$format: changes nothing"
    balances "$format: hledger balances it"
done
# What the command of the ledger shows is what is there.
db=$dir/journal/k.db
"$KEER" ledger accounts --json --database "$db" > "$dir/accounts"
[ "$(jq -s 'group_by(.currency) | map((map(.debits | tonumber * 100 | round) | add) == (map(.credits | tonumber * 100 | round) | add)) | all' "$dir/accounts")" = true ]; ok $? 'debits are credits in every currency'
"$KEER" ledger accounts --database "$db" | grep -qE '^total +CNY'; ok $? 'accounts as a table with totals'
clearing=wallet:alipay:clearing:cny
"$KEER" ledger statement --account $clearing --json --database "$db" > "$dir/statement.json"
[ "$(jq '.closing.balance == (.entries[-1].balance)' "$dir/statement.json")" = true ] && [ "$(jq -r .closing.balance "$dir/statement.json")" = "$(jq -r "select(.name == \"$clearing\") | .balance" "$dir/accounts")" ]; ok $? 'a statement closes with the balance of its account'
middle=$(jq -r '.entries[100].at' "$dir/statement.json")
early=$("$KEER" ledger statement --account $clearing --until "$middle" --json --database "$db" | jq -r .closing.balance)
[ "$early" = "$("$KEER" ledger statement --account $clearing --from "$middle" --json --database "$db" | jq -r .opening.balance)" ]; ok $? 'one opens where the one before closed'
agreement=$(jq -r 'select(.kind == "double_charge") | .agreement' "$dir/journal/found" | head -1)
"$KEER" ledger statement --agreement "$agreement" --database "$db" > "$dir/out" && grep -q '^closing' "$dir/out" && grep -q 'double_charge' "$dir/out"; ok $? 'a statement of an agreement, as text'
"$KEER" ledger entries --account store:sales:cny --limit 5 --json --database "$db" | jq -s -e 'length == 5 and (map(.debit == "store:sales:cny" or .credit == "store:sales:cny") | all)' > /dev/null; ok $? 'entries of an account'
"$KEER" ledger statement --account nobody --database "$db" > "$dir/out" 2>&1; [ $? = 1 ] && grep -q 'there is no account' "$dir/out"; ok $? 'an account that is not there'
"$KEER" ledger statement --database "$db" > "$dir/out" 2>&1; [ $? = 2 ]; ok $? 'a statement of nothing is wrong use'
"$KEER" ledger entries --account $clearing --agreement "$agreement" --database "$db" > "$dir/out" 2>&1; [ $? = 2 ]; ok $? 'two subjects are wrong use'
# A changed entry is found.
if command -v sqlite3 > /dev/null; then
    cp "$db" "$dir/changed.db"; sqlite3 "$dir/changed.db" 'UPDATE ledger_entry SET amount_minor = amount_minor + 1 WHERE number = 7'
    "$KEER" ledger verify --database "$dir/changed.db" > "$dir/out"; [ $? = 1 ] && grep -q 'entry 7' "$dir/out"; ok $? 'an entry that was changed is found'
fi
# Statements that can't be read say where.
bad() { # NAME FILE WALLET PATTERN
    "$KEER" reconcile --wallet "$3" --database "$db" "$2" > "$dir/out" 2>&1; [ $? = 3 ] && grep -qE "$4" "$dir/out"; ok $? "$1"
}
head -c -40 "$dir/wechatpay/statement" | head -n -1 > "$dir/cut"; bad 'a bill that was cut' "$dir/cut" wechatpay 'was cut'
head -n 20 "$dir/alipay/statement" > "$dir/cut"; bad 'a bill of Alipay that was cut' "$dir/cut" alipay 'was cut'
sed '9s/,x,/,/' "$dir/alipay/statement" > "$dir/cut"; bad 'a line with too few columns' "$dir/cut" alipay ':9: .*columns'
sed '9s/\.[0-9][0-9]/.xx/' "$dir/alipay/statement" > "$dir/cut"; bad 'an amount that is none' "$dir/cut" alipay ':9: .*amount'
echo 'a,b,c' > "$dir/cut"; bad 'a file that is no bill' "$dir/cut" wechatpay 'no trade bill'
sed '5s/"paid"/"stolen"/' "$dir/journal/statement" > "$dir/cut"; bad 'a word that a journal does not know' "$dir/cut" alipay ':5: what'
sed '5s/"amount":/"amount":-/' "$dir/journal/statement" > "$dir/cut"; bad 'a negative amount' "$dir/cut" alipay ':5: amount'
echo '{"wallet":"alipay"' > "$dir/cut"; bad 'broken JSON' "$dir/cut" alipay ':1: '
# Beside a daemon: comparing goes on, applying is refused and says what to do.
DATABASE=$db; keys || exit 1; start || exit 1
"$KEER" reconcile --wallet alipay --database "$db" "$dir/journal/statement" > "$dir/out" 2>&1; ok $? 'it compares beside a daemon'
"$KEER" reconcile --wallet alipay --database "$db" --apply "$dir/journal/statement" > "$dir/out" 2>&1; [ $? = 4 ] && grep -q 'Stop it' "$dir/out"; ok $? 'with --apply it says to stop the daemon'
"$KEER" ledger verify --database "$db" > "$dir/out"; ok $? 'the ledger is verified beside it'
# The same over the API.
get() { ask "$1" "$2" "$3" -H "Authorization: Bearer ${5:-$analyst}" "$u/v1/ledger/$4"; }
get 'accounts' 200 '"next":null' 'accounts'
[ "$(jq -S -c '.accounts[]' "$dir/body")" = "$(jq -S -c . "$dir/accounts")" ]; ok $? 'are those of the command'
get 'accounts in pages' 200 '"next":"' 'accounts?limit=1&begins=suspense:'; next=$(jq -r .next "$dir/body")
get 'the next page' 200 '"name":"suspense:alipay:usd"' "accounts?limit=1&begins=suspense:&after=$next"
get 'a statement' 200 '"closing":' "statement?account=$clearing&limit=500"
pages=0 cursor=; : > "$dir/pages"
while get "page $pages of the entries" 200 '"entries":' "entries?account=$clearing&limit=400$cursor" > "$dir/line"; do
    jq -c '.entries[]' "$dir/body" >> "$dir/pages"; pages=$((pages + 1))
    next=$(jq -r .next "$dir/body"); [ "$next" != null ] && [ $pages -lt 50 ] || break; cursor="&cursor=$next"
done
"$KEER" ledger entries --account $clearing --json --database "$db" > "$dir/whole"; [ $pages -gt 2 ] && cmp -s <(jq -S -c . "$dir/pages") <(jq -S -c . "$dir/whole"); ok $? "$pages pages of entries are the whole"
get 'a cursor of another account' 400 BAD_CURSOR "entries?account=store:sales:cny&limit=400$cursor"
get 'a cursor that is none' 400 BAD_CURSOR 'entries?cursor=abc'
get 'a statement of an agreement' 200 "\"reference\":\"$agreement\"" "statement?agreement=$agreement&limit=2"; next=$(jq -r .next "$dir/body") closing=$(jq -c .closing "$dir/body")
get 'its next page' 200 '"opening":' "statement?agreement=$agreement&limit=2&cursor=$next"; [ "$(jq -c .opening "$dir/body")" = "$closing" ]; ok $? 'opens with what the page before closed with'
get 'a statement of nothing' 400 BAD_QUERY 'statement'
get 'of an account that is not there' 404 NOT_FOUND 'statement?account=nobody'
get 'a time that is none' 400 BAD_QUERY "statement?account=$clearing&from=soon"
get 'the report' 200 '"faults":0' verify
get 'the export' 200 '^commodity CNY' export
"$KEER" ledger export --database "$db" | cmp -s - "$dir/body"; ok $? 'is that of the command'
get 'nothing of it for a store' 403 WRONG_ROLE export "$key"
stop; ok $? 'the daemon ends'
exit $failed
